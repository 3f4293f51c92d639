-- Articles with something to hear or see are under a facet of their own.
INSERT INTO filing (facet, published, id, article, shelved)
SELECT 'episodes', filing.published, filing.id, filing.article, filing.shelved
FROM filing JOIN article ON article.key = filing.article
WHERE filing.facet = '*' AND EXISTS (
  SELECT 1 FROM json_each(article.story, '$.attachments') AS attachment
  WHERE json_extract(attachment.value, '$.mime_type') LIKE 'audio/%'
     OR json_extract(attachment.value, '$.mime_type') LIKE 'video/%');

INSERT INTO shelf (facet, shelved, place, article, again, revision)
SELECT 'episodes', shelved, row_number() OVER (ORDER BY shelved), article, 0, (SELECT head FROM store)
FROM filing WHERE facet = 'episodes';

INSERT INTO mark (facet, revision, changed, floor, places)
SELECT 'episodes', head, changed, head, (SELECT count(*) FROM filing WHERE facet = 'episodes')
FROM store WHERE EXISTS (SELECT 1 FROM filing WHERE facet = 'episodes');

-- What was settled once and stays: the identity of a show, for one.
CREATE TABLE settled (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
