<?php
// The blog's own feed, as WordPress writes it.
require __DIR__ . '/load.php';
$_SERVER['REQUEST_URI'] = '/feed/';
require ABSPATH . 'wp-settings.php';
wp(['feed' => 'rss2']);
do_feed_rss2(false);
