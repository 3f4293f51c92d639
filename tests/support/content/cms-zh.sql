-- The one table of a small Chinese content system, and an article of each sort.
CREATE TABLE article (
  id INT NOT NULL PRIMARY KEY, title VARCHAR(200), source VARCHAR(100), author VARCHAR(100), editor VARCHAR(100),
  column_name VARCHAR(100), keywords VARCHAR(200), description VARCHAR(500), content TEXT, pic VARCHAR(200), click INT,
  status INT, publish_time DATETIME, update_time DATETIME
);
INSERT INTO article VALUES
  (1, '图书馆四层全部开放', '新华社', '张三 李四', '王五', '头条', '图书馆,读书', '', '<p>　　市图书馆今日开放。</p>', '/pic/1.jpg', 10293, 1,
   '2026-03-05 08:30:00', '2026-03-05 08:35:00'),
  (2, '草稿', '', '', '', '城市', '', '', '<p>未完。</p>', '', 0, 0, '2026-03-05 09:00:00', '2026-03-05 09:00:00'),
  (3, '城市更新', '本报', '赵六', '王五', '城市', '', '摘要。', '<p>正文。</p>', '', 12, 1, '2026-03-05 10:00:00', '2026-03-05 10:00:00');
