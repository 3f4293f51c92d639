<?php
// Does one thing to a post, as an editor would: edit, trash, untrash, delete. Arguments after those of load.php: what, id.
require __DIR__ . '/load.php';
require ABSPATH . 'wp-settings.php';
[, , , $what, $id] = $argv;
match ($what) {
    'edit' => wp_update_post(['ID' => $id, 'post_title' => 'Edited']),
    'trash' => wp_trash_post($id),
    'untrash' => wp_untrash_post($id) && wp_update_post(['ID' => $id, 'post_status' => 'publish']),
    'delete' => wp_delete_post($id, true),
};
