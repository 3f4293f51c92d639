<?php
// Installs WordPress and writes posts with its own functions.
define('WP_INSTALLING', true);
require __DIR__ . '/load.php';
require ABSPATH . 'wp-settings.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';

wp_install('Example Blog', 'editor', 'editor@example.com', true, '', 'a long password');
update_option('siteurl', 'https://blog.example.com');
update_option('home', 'https://blog.example.com');
update_option('timezone_string', 'Asia/Shanghai');
update_option('posts_per_rss', 50);
update_option('rss_use_excerpt', 0);
wp_delete_post(1, true);
global $wp_rewrite;
$wp_rewrite->init();
$wp_rewrite->set_permalink_structure('/%year%/%monthnum%/%category%/%postname%/');
wp_update_user(['ID' => 1, 'display_name' => 'Li Ming']);

$news = wp_create_category('News & Views');
$city = wp_insert_term('城市', 'category', ['slug' => 'city', 'parent' => $news])['term_id'];

function post($values) {
    $id = wp_insert_post($values + ['post_status' => 'publish', 'post_author' => 1], true);
    if (is_wp_error($id)) { fwrite(STDERR, $id->get_error_message()); exit(1); }
    return $id;
}

$plain = post([
    'post_title' => 'Library opens &amp; stays open', 'post_date' => '2026-03-05 08:30:00',
    'post_content' => "<!-- wp:paragraph -->\n<p>All four floors are <b>open</b>.</p>\n<!-- /wp:paragraph -->",
    'post_category' => [$news], 'tags_input' => ['books', '读书'],
]);
$picture = post([
    'post_title' => '头条：图书馆开放', 'post_date' => '2026-03-06 00:10:00', 'post_name' => '图书馆开放',
    'post_content' => "第一段。\n\n第二段。", 'post_excerpt' => '摘要。', 'post_category' => [$city],
]);
$file = wp_insert_attachment([
    'post_mime_type' => 'image/jpeg', 'post_title' => 'reading room', 'post_excerpt' => 'The reading room', 'post_status' => 'inherit',
], '2026/03/room.jpg', $picture);
update_post_meta($file, '_wp_attachment_image_alt', 'A room');
set_post_thumbnail($picture, $file);
$sound = post(['post_title' => 'An episode', 'post_date' => '2026-03-07 12:00:00', 'post_content' => 'Listen.', 'post_category' => [$news]]);
add_post_meta($sound, 'enclosure', "https://media.example.com/a.mp3\n1234\naudio/mpeg\n");
post(['post_title' => 'Tomorrow', 'post_date' => '2036-01-01 00:00:00', 'post_content' => 'Later.', 'post_status' => 'future']);
$trashed = post(['post_title' => 'A mistake', 'post_date' => '2026-03-04 00:00:00', 'post_content' => 'No.']);
wp_trash_post($trashed);
post(['post_title' => 'Half', 'post_content' => 'Not yet.', 'post_status' => 'draft']);
post(['post_title' => 'For few', 'post_content' => 'Secret.', 'post_password' => 'x', 'post_date' => '2026-03-03 00:00:00']);
post(['post_title' => 'Private', 'post_content' => 'Secret.', 'post_status' => 'private', 'post_date' => '2026-03-03 01:00:00']);
post(['post_title' => 'About', 'post_content' => 'A page.', 'post_type' => 'page']);
echo json_encode(['plain' => $plain, 'picture' => $picture, 'sound' => $sound, 'trashed' => $trashed]);
