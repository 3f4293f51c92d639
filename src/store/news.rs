//! News of writes, for those who wait for them: the newest write that is known of.

use tokio::sync::watch;

use crate::article::Revision;

/// Tells whoever waits of a write, unless they were told of it or a newer one before.
pub(super) fn announce(news: &watch::Sender<Revision>, head: Revision) {
    news.send_if_modified(|known| {
        let is_news = head > *known;
        *known = head.max(*known);
        is_news
    });
}

/// Takes back news of writes that are not there any more: somebody has seen a newer one than the newest there is.
pub(super) fn take_back(news: &watch::Sender<Revision>, head: Revision, seen: Revision) {
    if head < seen {
        news.send_replace(head);
    }
}
