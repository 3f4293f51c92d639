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
  holder   TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  PRIMARY KEY (partner, feed, holder, revision)
) STRICT, WITHOUT ROWID;

-- What an article was filed as before the write that took it away, or filed it otherwise; of the same, the last time.
-- `early` is 0 when everybody could read it, otherwise the least head start, negative and in minutes, with which it could
-- be read. `late` is the least delay that was not over, in minutes: those who get articles so late or later never had it;
-- 0 when nobody waited.
CREATE TABLE gone (
  article   INTEGER NOT NULL,
  early     INTEGER NOT NULL,
  late      INTEGER NOT NULL,
  story     TEXT    NOT NULL,
  revision  INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  published INTEGER NOT NULL,
  PRIMARY KEY (article, early, late, story)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX gone_revision ON gone (article, revision);

-- The same, newest first under each facet that it left; under those of head starts where it was not for everybody.
CREATE TABLE sign (
  facet    TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  id       TEXT    NOT NULL,
  PRIMARY KEY (facet, revision DESC, id)
) STRICT, WITHOUT ROWID;

-- Articles that wait for those who get them later than others (`minutes` is positive) or earlier (negative).
CREATE TABLE coming (
  minutes INTEGER NOT NULL,
  article INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (minutes, article)
) STRICT, WITHOUT ROWID;
CREATE INDEX coming_at ON coming (at);

-- Articles that came to them by a write that did not change the article itself.
CREATE TABLE came (
  minutes  INTEGER NOT NULL,
  article  INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  id       TEXT    NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (minutes, article)
) STRICT, WITHOUT ROWID;
CREATE INDEX came_revision ON came (minutes, revision, id);
