-- Times are seconds since 1970, UTC. The tables, their columns and what they mean are those of SQLite, so that rows can be
-- carried from one to the other as they are; text is compared by its bytes, so that every order is the same.

-- One row; every writer takes it first, so that revisions are given in the order of commits.
CREATE TABLE store (
  one       BIGINT PRIMARY KEY CHECK (one = 1),
  head      BIGINT NOT NULL,
  changed   BIGINT NOT NULL,
  shelved   BIGINT NOT NULL,
  authority TEXT   NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE article (
  key       BIGINT PRIMARY KEY,
  id        TEXT COLLATE "C" NOT NULL UNIQUE,
  guid      TEXT COLLATE "C" NOT NULL UNIQUE,
  state     BIGINT NOT NULL,
  placed    BIGINT NOT NULL,
  published BIGINT NOT NULL,
  updated   BIGINT NOT NULL,
  modified  BIGINT,
  slot      BIGINT,
  due       BIGINT,
  expires   BIGINT,
  frozen    BIGINT NOT NULL,
  revision  BIGINT NOT NULL,
  bytes     BIGINT NOT NULL,
  story     TEXT   NOT NULL
);
-- Quicker than what is usual, where the server was built with it.
DO $$ BEGIN
  ALTER TABLE article ALTER COLUMN story SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
CREATE INDEX article_slot ON article (slot, placed) WHERE slot IS NOT NULL;
CREATE INDEX article_due ON article (due) WHERE due IS NOT NULL;
CREATE INDEX article_expires ON article (expires) WHERE expires IS NOT NULL AND state IN (0, 1);
CREATE INDEX article_state ON article (state);
-- For those who follow the changes: each article at its last one.
CREATE INDEX article_revision ON article (revision, id);

-- What can be read, newest first under each facet.
CREATE TABLE filing (
  facet     TEXT COLLATE "C" NOT NULL,
  published BIGINT NOT NULL,
  id        TEXT COLLATE "C" NOT NULL,
  article   BIGINT NOT NULL,
  shelved   BIGINT NOT NULL
);
CREATE UNIQUE INDEX filing_newest ON filing (facet, published DESC, id) INCLUDE (article, shelved);
ALTER TABLE filing REPLICA IDENTITY USING INDEX filing_newest;

-- The places under each facet, in the order they were taken. `shelved` counts through the whole store, `place` through
-- the facet. A row stays when its article goes.
CREATE TABLE shelf (
  facet    TEXT COLLATE "C" NOT NULL,
  shelved  BIGINT NOT NULL,
  place    BIGINT NOT NULL,
  article  BIGINT,
  again    BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (facet, shelved)
);

-- Which places of archives have lost their article by a write: for those who keep copies of archives.
CREATE INDEX shelf_emptied ON shelf (facet, revision) WHERE article IS NULL;

-- Where each facet stands.
CREATE TABLE mark (
  facet       TEXT COLLATE "C" PRIMARY KEY,
  revision    BIGINT NOT NULL,
  changed     BIGINT NOT NULL,
  floor       BIGINT NOT NULL,
  places      BIGINT NOT NULL,
  fingerprint BIGINT,
  label       TEXT
) WITH (fillfactor = 50);
CREATE INDEX mark_revision ON mark (revision);

-- The log.
CREATE TABLE change (
  revision BIGINT NOT NULL,
  id       TEXT COLLATE "C" NOT NULL,
  kind     TEXT   NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (revision, id)
);

-- What was settled once and stays: the identity of a show, for one.
CREATE TABLE settled (
  name  TEXT COLLATE "C" PRIMARY KEY,
  value TEXT NOT NULL
);

-- What the program wants to know again after a restart: where sources stand, and what came from them. Part of no feed.
CREATE TABLE remembered (
  name  TEXT COLLATE "C" PRIMARY KEY,
  value TEXT NOT NULL
);

-- What partners show to be let in. Nobody can make a token from its digest.
CREATE TABLE token (
  digest  TEXT COLLATE "C" PRIMARY KEY,
  partner TEXT COLLATE "C" NOT NULL,
  holder  TEXT COLLATE "C" NOT NULL,
  created BIGINT NOT NULL,
  ends    BIGINT
);

-- Which partner has fetched which state of which feed.
CREATE TABLE delivery (
  partner  TEXT COLLATE "C" NOT NULL,
  feed     TEXT COLLATE "C" NOT NULL,
  holder   TEXT COLLATE "C" NOT NULL,
  revision BIGINT NOT NULL,
  first    BIGINT NOT NULL,
  last     BIGINT NOT NULL,
  count    BIGINT NOT NULL,
  PRIMARY KEY (partner, feed, holder, revision)
);

-- What an article was filed as before the write that took it away, or filed it otherwise; of the same, the last time.
-- `early` is 0 when everybody could read it, otherwise the least head start, negative and in minutes, with which it could
-- be read. `late` is the least delay that was not over, in minutes: those who get articles so late or later never had it;
-- 0 when nobody waited. No key holds `story`, which may be longer than a key can be.
CREATE TABLE gone (
  article   BIGINT NOT NULL,
  early     BIGINT NOT NULL,
  late      BIGINT NOT NULL,
  story     TEXT   NOT NULL,
  revision  BIGINT NOT NULL,
  at        BIGINT NOT NULL,
  published BIGINT NOT NULL,
  PRIMARY KEY (article, revision)
);

-- The same, newest first under each facet that it left; under those of head starts where it was not for everybody.
CREATE TABLE sign (
  facet    TEXT COLLATE "C" NOT NULL,
  revision BIGINT NOT NULL,
  id       TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX sign_newest ON sign (facet, revision DESC, id);
ALTER TABLE sign REPLICA IDENTITY USING INDEX sign_newest;

-- Articles that wait for those who get them later than others (`minutes` is positive) or earlier (negative).
CREATE TABLE coming (
  minutes BIGINT NOT NULL,
  article BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (minutes, article)
);
CREATE INDEX coming_at ON coming (at);

-- Articles that came to them by a write that did not change the article itself.
CREATE TABLE came (
  minutes  BIGINT NOT NULL,
  article  BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  id       TEXT COLLATE "C" NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (minutes, article)
);
CREATE INDEX came_revision ON came (minutes, revision, id);
