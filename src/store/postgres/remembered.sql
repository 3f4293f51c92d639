-- What the program wants to know again after a restart: where sources stand, and what came from them. Part of no feed.
CREATE TABLE remembered (
  name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);
