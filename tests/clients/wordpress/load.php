<?php
// WordPress as Debian installs it, over a database of a test's own. Arguments: host:port, folder for its files.
error_reporting(E_ALL & ~E_DEPRECATED & ~E_WARNING & ~E_NOTICE);
[, $database, $content] = $argv;
define('DB_NAME', 'wordpress');
define('DB_USER', 'cms');
define('DB_PASSWORD', 'secret');
define('DB_HOST', $database);
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
define('WP_CONTENT_DIR', $content);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('ABSPATH', getenv('WORDPRESS') ?: '/usr/share/wordpress/');
$table_prefix = 'wp_';
$_SERVER += ['HTTP_HOST' => 'blog.example.com', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/'];
