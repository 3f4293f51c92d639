-- Which places of archives have lost their article by a write: for those who keep copies of archives.
CREATE INDEX shelf_emptied ON shelf (facet, revision) WHERE article IS NULL;
