-- The tables of Ghost 5 that its preset reads, after ghost/core/core/server/data/schema/schema.js, and an article of each sort.
CREATE TABLE posts (
  id VARCHAR(24) NOT NULL PRIMARY KEY, uuid VARCHAR(36) NOT NULL, title VARCHAR(2000) NOT NULL, slug VARCHAR(191) NOT NULL,
  mobiledoc TEXT, lexical TEXT, html TEXT, comment_id VARCHAR(50), plaintext TEXT, feature_image VARCHAR(2000),
  featured INT NOT NULL DEFAULT 0, type VARCHAR(50) NOT NULL DEFAULT 'post', status VARCHAR(50) NOT NULL DEFAULT 'draft',
  locale VARCHAR(6), visibility VARCHAR(50) NOT NULL DEFAULT 'public', email_recipient_filter TEXT,
  created_at DATETIME NOT NULL, created_by VARCHAR(24), updated_at DATETIME, updated_by VARCHAR(24),
  published_at DATETIME, published_by VARCHAR(24), custom_excerpt VARCHAR(2000), codeinjection_head TEXT,
  codeinjection_foot TEXT, custom_template VARCHAR(100), canonical_url TEXT, newsletter_id VARCHAR(24)
);
CREATE TABLE posts_meta (
  id VARCHAR(24) NOT NULL PRIMARY KEY, post_id VARCHAR(24) NOT NULL, og_image VARCHAR(2000), og_title VARCHAR(300),
  feature_image_alt VARCHAR(2000), feature_image_caption TEXT
);
CREATE TABLE tags (
  id VARCHAR(24) NOT NULL PRIMARY KEY, name VARCHAR(191) NOT NULL, slug VARCHAR(191) NOT NULL, description TEXT,
  visibility VARCHAR(50) NOT NULL DEFAULT 'public', created_at DATETIME NOT NULL
);
CREATE TABLE posts_tags (
  id VARCHAR(24) NOT NULL PRIMARY KEY, post_id VARCHAR(24) NOT NULL, tag_id VARCHAR(24) NOT NULL, sort_order INT NOT NULL DEFAULT 0
);
CREATE TABLE users (
  id VARCHAR(24) NOT NULL PRIMARY KEY, name VARCHAR(191) NOT NULL, slug VARCHAR(191) NOT NULL, email VARCHAR(191) NOT NULL
);
CREATE TABLE posts_authors (
  id VARCHAR(24) NOT NULL PRIMARY KEY, post_id VARCHAR(24) NOT NULL, author_id VARCHAR(24) NOT NULL, sort_order INT NOT NULL DEFAULT 0
);

INSERT INTO posts (id, uuid, title, slug, html, feature_image, status, visibility, type, created_at, updated_at, published_at, custom_excerpt) VALUES
  ('65e6c0000000000000000001', 'u1', 'Library opens', 'library-opens', '<p>All <a href="__GHOST_URL__/floors/">four floors</a>.</p>',
   '__GHOST_URL__/content/images/2026/03/room.jpg', 'published', 'public', 'post', '2026-03-05 00:00:00', '2026-03-05 00:40:00', '2026-03-05 00:30:00', 'It is open.'),
  ('65e6c0000000000000000002', 'u2', 'For members', 'members', '<p>Secret.</p>', NULL, 'published', 'members', 'post', '2026-03-05 00:00:00', NULL, '2026-03-05 01:00:00', NULL),
  ('65e6c0000000000000000003', 'u3', 'A draft', 'draft', '<p>Not yet.</p>', NULL, 'draft', 'public', 'post', '2026-03-05 00:00:00', '2026-03-05 02:00:00', NULL, NULL),
  ('65e6c0000000000000000004', 'u4', 'Later', 'later', '<p>Later.</p>', NULL, 'scheduled', 'public', 'post', '2026-03-05 00:00:00', '2026-03-05 02:00:00', '2036-03-05 02:00:00', NULL),
  ('65e6c0000000000000000005', 'u5', 'About', 'about', '<p>A page.</p>', NULL, 'published', 'public', 'page', '2026-03-05 00:00:00', '2026-03-05 02:00:00', '2026-03-05 02:00:00', NULL);
INSERT INTO posts_meta (id, post_id, feature_image_alt, feature_image_caption) VALUES
  ('m1', '65e6c0000000000000000001', 'A room', 'The reading room');
INSERT INTO tags (id, name, slug, visibility, created_at) VALUES
  ('t1', 'City', 'city', 'public', '2026-03-05 00:00:00'), ('t2', 'Culture', 'culture', 'public', '2026-03-05 00:00:00'),
  ('t3', '#internal', 'hash-internal', 'internal', '2026-03-05 00:00:00');
INSERT INTO posts_tags (id, post_id, tag_id, sort_order) VALUES
  ('pt1', '65e6c0000000000000000001', 't2', 0), ('pt2', '65e6c0000000000000000001', 't1', 1), ('pt3', '65e6c0000000000000000001', 't3', 2);
INSERT INTO users (id, name, slug, email) VALUES ('u1', 'Li Ming', 'li', 'li@example.com'), ('u2', 'Wang Fang', 'wang', 'wang@example.com');
INSERT INTO posts_authors (id, post_id, author_id, sort_order) VALUES
  ('pa1', '65e6c0000000000000000001', 'u2', 0), ('pa2', '65e6c0000000000000000001', 'u1', 1);
