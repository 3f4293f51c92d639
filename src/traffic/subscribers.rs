//! How many people read through hosted readers, as those announce it. Never proof (H-134).
//!
//! In memory only: readers say it again with their next poll, so that a restart loses what polls less often than the
//! service stops, and no file has to be written, guarded and read again.

use std::{collections::HashMap, sync::Mutex};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::agent::{Announcement, Name};

/// How long an announcement counts, in days.
const DAYS: i64 = 7;
/// Groups of readers of one feed that are remembered; enough for every reader there is, and no more.
const MAX_GROUPS: usize = 512;

/// The announcements of one feed, by group: a hosted reader and its feed id, or, where it tells none, the address it
/// reads. One reader with several groups is all of them together.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    groups: Mutex<HashMap<u64, Group>>,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    subscribers: u32,
    day: i64,
}

impl Subscribers {
    /// Notes what a reader says of a feed that it read as `format` on a day.
    pub(super) fn note(&self, name: Name<'_>, said: Announcement<'_>, format: u8, day: i64) {
        let reader = xxh3_64(name.as_bytes());
        let key = if said.feed_id.is_empty() {
            xxh3_64_with_seed(&[format], reader)
        } else {
            xxh3_64_with_seed(said.feed_id, !reader)
        };
        let Ok(mut groups) = self.groups.lock() else { return };
        if groups.len() >= MAX_GROUPS && !groups.contains_key(&key) {
            groups.retain(|_, group| counts(*group, day));
            if groups.len() >= MAX_GROUPS {
                return;
            }
        }
        groups.insert(key, Group { subscribers: said.subscribers, day });
    }

    /// How many there are, as far as the last seven days tell.
    pub(super) fn total(&self, day: i64) -> u64 {
        let Ok(groups) = self.groups.lock() else { return 0 };
        let counted = groups.values().filter(|group| counts(**group, day));
        counted.map(|group| u64::from(group.subscribers)).sum()
    }
}

fn counts(group: Group, day: i64) -> bool {
    day - group.day < DAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name<'_> {
        Name::of(text.as_bytes()).unwrap()
    }

    fn said(subscribers: u32, feed_id: &str) -> Announcement<'_> {
        Announcement { subscribers, feed_id: feed_id.as_bytes() }
    }

    #[test]
    fn a_reader_counts_once_and_its_groups_together() {
        let feed = Subscribers::default();
        for hour in 0..24 {
            feed.note(name("Feedly/1.0"), said(16 + hour, ""), 0, 1);
            feed.note(name("NewsBlur"), said(59, "6"), 0, 1);
            feed.note(name("NewsBlur"), said(59, "6"), 1, 1);
            feed.note(name("NewsBlur"), said(3, "7"), 0, 1);
        }
        assert_eq!(feed.total(1), 39 + 59 + 3, "H-134");
        feed.note(name("Feedly/1.0"), said(5, ""), 1, 1);
        assert_eq!(
            feed.total(1),
            39 + 5 + 59 + 3,
            "who reads another format reads another address"
        );
    }

    #[test]
    fn what_was_said_counts_for_seven_days() {
        let feed = Subscribers::default();
        feed.note(name("Feedly"), said(16, ""), 0, 10);
        feed.note(name("Feedbin"), said(4, ""), 0, 13);
        assert_eq!((feed.total(16), feed.total(17), feed.total(20)), (20, 4, 0));
    }

    #[test]
    fn made_up_groups_do_not_pile_up() {
        let feed = Subscribers::default();
        for number in 0..10_000 {
            feed.note(name("Liar"), said(1, &number.to_string()), 0, 1);
        }
        assert_eq!(feed.total(1), u64::try_from(MAX_GROUPS).unwrap());
        feed.note(name("Feedly"), said(16, ""), 0, 9);
        assert_eq!(feed.total(9), 16, "what has lapsed makes room");
    }
}
