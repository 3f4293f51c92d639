-- The tables of Drupal 10 that its preset reads (standard profile, content type `article`), and an article of each sort.
CREATE TABLE node_field_data (
  nid INT NOT NULL, vid INT NOT NULL, type VARCHAR(32) NOT NULL, langcode VARCHAR(12) NOT NULL, status SMALLINT NOT NULL,
  uid INT NOT NULL, title VARCHAR(255) NOT NULL, created INT NOT NULL, changed INT NOT NULL, promote SMALLINT NOT NULL,
  sticky SMALLINT NOT NULL, default_langcode SMALLINT NOT NULL, PRIMARY KEY (nid, langcode)
);
CREATE TABLE node__body (
  bundle VARCHAR(128) NOT NULL, deleted SMALLINT NOT NULL, entity_id INT NOT NULL, revision_id INT NOT NULL,
  langcode VARCHAR(32) NOT NULL, delta INT NOT NULL, body_value TEXT NOT NULL, body_summary TEXT, body_format VARCHAR(255)
);
CREATE TABLE users_field_data (uid INT NOT NULL, langcode VARCHAR(12) NOT NULL, name VARCHAR(60) NOT NULL, default_langcode SMALLINT NOT NULL);
CREATE TABLE path_alias (
  id INT NOT NULL PRIMARY KEY, langcode VARCHAR(12) NOT NULL, path VARCHAR(255), alias VARCHAR(255), status SMALLINT NOT NULL
);
CREATE TABLE taxonomy_term_field_data (
  tid INT NOT NULL, vid VARCHAR(32) NOT NULL, langcode VARCHAR(12) NOT NULL, status SMALLINT NOT NULL, name VARCHAR(255) NOT NULL,
  default_langcode SMALLINT NOT NULL
);
CREATE TABLE node__field_tags (
  bundle VARCHAR(128) NOT NULL, deleted SMALLINT NOT NULL, entity_id INT NOT NULL, revision_id INT NOT NULL,
  langcode VARCHAR(32) NOT NULL, delta INT NOT NULL, field_tags_target_id INT NOT NULL
);
CREATE TABLE node__field_image (
  bundle VARCHAR(128) NOT NULL, deleted SMALLINT NOT NULL, entity_id INT NOT NULL, revision_id INT NOT NULL,
  langcode VARCHAR(32) NOT NULL, delta INT NOT NULL, field_image_target_id INT NOT NULL, field_image_alt VARCHAR(512),
  field_image_title VARCHAR(1024), field_image_width INT, field_image_height INT
);
CREATE TABLE file_managed (
  fid INT NOT NULL PRIMARY KEY, uri VARCHAR(255) NOT NULL, filemime VARCHAR(255), filesize BIGINT, status SMALLINT NOT NULL
);

INSERT INTO node_field_data VALUES
  (1, 1, 'article', 'en', 1, 7, 'Library opens', 1772670600, 1772671200, 1, 0, 1),
  (2, 2, 'article', 'en', 0, 7, 'A draft', 1772670600, 1772671200, 1, 0, 1),
  (3, 3, 'page', 'en', 1, 7, 'About', 1772670600, 1772671200, 1, 0, 1),
  (4, 4, 'article', 'zh-hans', 1, 7, '图书馆开放', 1772674200, 1772674200, 1, 0, 1);
INSERT INTO node__body VALUES
  ('article', 0, 1, 1, 'en', 0, '<p>All four floors.</p>', 'It is <em>open</em>.', 'basic_html'),
  ('article', 0, 4, 4, 'zh-hans', 0, '<p>四层都开放。</p>', '', 'basic_html');
INSERT INTO users_field_data VALUES (7, 'en', 'Li Ming', 1);
INSERT INTO path_alias VALUES (1, 'en', '/node/1', '/news/library-opens', 1), (2, 'en', '/node/1', '/old', 0);
INSERT INTO taxonomy_term_field_data VALUES (5, 'tags', 'en', 1, 'City', 1), (6, 'tags', 'en', 1, 'Culture', 1);
INSERT INTO node__field_tags VALUES ('article', 0, 1, 1, 'en', 0, 6), ('article', 0, 1, 1, 'en', 1, 5), ('article', 1, 1, 1, 'en', 2, 5);
INSERT INTO node__field_image VALUES ('article', 0, 1, 1, 'en', 0, 9, 'A room', '', 640, 480);
INSERT INTO file_managed VALUES (9, 'public://2026-03/room.jpg', 'image/jpeg', 12345, 1);
