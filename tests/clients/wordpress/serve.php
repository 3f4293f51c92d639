<?php
// The blog as its readers reach it, for the server that PHP brings along: DATABASE and CONTENT are what load.php is told.
$argv = [__FILE__, getenv('DATABASE'), getenv('CONTENT')];
$_SERVER['HTTP_HOST'] = 'blog.example.com';
$_SERVER['HTTPS'] = 'on';
$_SERVER['PHP_SELF'] = $_SERVER['SCRIPT_NAME'] = '/index.php';
unset($_SERVER['PATH_INFO']);
require __DIR__ . '/load.php';
require ABSPATH . 'wp-settings.php';
// It is asked at another address than the one it believes to have.
remove_action('template_redirect', 'redirect_canonical');
wp();
define('WP_USE_THEMES', true);
require ABSPATH . WPINC . '/template-loader.php';
