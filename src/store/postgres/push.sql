-- What programs show to write from outside. Nobody can make a token from its digest.
CREATE TABLE writer (
  digest  TEXT COLLATE "C" PRIMARY KEY,
  name    TEXT COLLATE "C" NOT NULL,
  scopes  TEXT   NOT NULL,
  created BIGINT NOT NULL,
  ends    BIGINT
);

-- What was answered to requests with a key, so that they can be sent again.
CREATE TABLE pushed (
  owner       TEXT COLLATE "C" NOT NULL,
  key         TEXT COLLATE "C" NOT NULL,
  fingerprint TEXT   NOT NULL,
  answer      TEXT   NOT NULL,
  at          BIGINT NOT NULL,
  PRIMARY KEY (owner, key)
);
CREATE INDEX pushed_at ON pushed (at);
CREATE INDEX pushed_owner ON pushed (owner, at);

-- What withdrawn articles said, where whoever withdrew them may want them back.
CREATE TABLE bin (
  id      TEXT COLLATE "C" PRIMARY KEY,
  story   TEXT   NOT NULL,
  due     BIGINT,
  expires BIGINT,
  at      BIGINT NOT NULL
);
CREATE INDEX bin_at ON bin (at);
