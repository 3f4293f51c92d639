-- Times are seconds since 1970, UTC.

-- One row; every writer takes it first, so that revisions are given in the order of commits.
CREATE TABLE store (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  head      INTEGER NOT NULL,
  changed   INTEGER NOT NULL,
  shelved   INTEGER NOT NULL,
  authority TEXT    NOT NULL
) STRICT;

CREATE TABLE article (
  key       INTEGER PRIMARY KEY,
  id        TEXT    NOT NULL UNIQUE,
  guid      TEXT    NOT NULL UNIQUE,
  state     INTEGER NOT NULL,
  placed    INTEGER NOT NULL,
  published INTEGER NOT NULL,
  updated   INTEGER NOT NULL,
  modified  INTEGER,
  slot      INTEGER,
  due       INTEGER,
  expires   INTEGER,
  frozen    INTEGER NOT NULL,
  revision  INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,
  story     TEXT    NOT NULL
) STRICT;
CREATE INDEX article_slot ON article (slot, placed) WHERE slot IS NOT NULL;
CREATE INDEX article_due ON article (due) WHERE due IS NOT NULL;
CREATE INDEX article_expires ON article (expires) WHERE expires IS NOT NULL AND state IN (0, 1);
CREATE INDEX article_state ON article (state);

-- What can be read, newest first under each facet.
CREATE TABLE filing (
  facet     TEXT    NOT NULL,
  published INTEGER NOT NULL,
  id        TEXT    NOT NULL,
  article   INTEGER NOT NULL,
  shelved   INTEGER NOT NULL,
  PRIMARY KEY (facet, published DESC, id)
) STRICT, WITHOUT ROWID;

-- The places under each facet, in the order they were taken. `shelved` counts through the whole store, `place` through
-- the facet. A row stays when its article goes.
CREATE TABLE shelf (
  facet    TEXT    NOT NULL,
  shelved  INTEGER NOT NULL,
  place    INTEGER NOT NULL,
  article  INTEGER,
  again    INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (facet, shelved)
) STRICT, WITHOUT ROWID;

-- Where each facet stands.
CREATE TABLE mark (
  facet       TEXT    PRIMARY KEY,
  revision    INTEGER NOT NULL,
  changed     INTEGER NOT NULL,
  floor       INTEGER NOT NULL,
  places      INTEGER NOT NULL,
  fingerprint INTEGER,
  label       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX mark_revision ON mark (revision);

-- The log.
CREATE TABLE change (
  revision INTEGER NOT NULL,
  id       TEXT    NOT NULL,
  kind     TEXT    NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (revision, id)
) STRICT, WITHOUT ROWID;
