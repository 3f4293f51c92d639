-- What programs show to write from outside. Nobody can make a token from its digest.
CREATE TABLE writer (
  digest  TEXT    PRIMARY KEY,
  name    TEXT    NOT NULL,
  scopes  TEXT    NOT NULL,
  created INTEGER NOT NULL,
  ends    INTEGER
) STRICT, WITHOUT ROWID;

-- What was answered to requests with a key, so that they can be sent again.
CREATE TABLE pushed (
  owner       TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  fingerprint TEXT    NOT NULL,
  answer      TEXT    NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX pushed_at ON pushed (at);
CREATE INDEX pushed_owner ON pushed (owner, at);

-- What withdrawn articles said, where whoever withdrew them may want them back.
CREATE TABLE bin (
  id      TEXT    PRIMARY KEY,
  story   TEXT    NOT NULL,
  due     INTEGER,
  expires INTEGER,
  at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX bin_at ON bin (at);
