-- For those who follow the changes: each article at its last one.
CREATE INDEX article_revision ON article (revision, id);

-- What partners show to be let in. Nobody can make a token from its digest.
CREATE TABLE token (
  digest  TEXT    PRIMARY KEY,
  partner TEXT    NOT NULL,
  holder  TEXT    NOT NULL,
  created INTEGER NOT NULL,
  ends    INTEGER
) STRICT, WITHOUT ROWID;

-- Which partner has fetched which state of which feed.
CREATE TABLE delivery (
  partner  TEXT    NOT NULL,
  feed     TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  holder   TEXT    NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  PRIMARY KEY (partner, feed, revision, holder)
) STRICT, WITHOUT ROWID;

-- Articles that have gone from a facet, for those who are told so.
CREATE TABLE gone (
  facet    TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  article  INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (facet, revision, article)
) STRICT, WITHOUT ROWID;

-- How far those have come who get articles later than others: up to which publication.
CREATE TABLE tick (
  delay    INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  until    INTEGER NOT NULL,
  PRIMARY KEY (delay, revision)
) STRICT, WITHOUT ROWID;
