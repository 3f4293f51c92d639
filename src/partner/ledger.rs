//! Who has fetched which state of which feed, and when.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

use crate::{article::Revision, category::Slug, partner::Guest, store::Delivery};

/// Most lines that wait to be written; a partner that comes while the store is away for hours may go unnoted.
const MAX_WAITING: usize = 10_000;

/// What is to be written down.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<HashMap<Line, Times>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Line {
    partner: Slug,
    holder: String,
    feed: String,
    revision: Revision,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    count: u64,
}

impl Ledger {
    pub(super) fn note(&self, guest: &Guest, feed: &str, revision: Revision, now: DateTime<Utc>) {
        let Guest { partner, holder } = guest.clone();
        let line = Line { partner, holder, feed: feed.to_owned(), revision };
        self.add(line, Times { first: now, last: now, count: 1 });
    }

    /// What waits, which then waits no more.
    pub(super) fn take(&self) -> Vec<Delivery> {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let delivery = |(line, times): (Line, Times)| {
            let Line { partner, holder, feed, revision } = line;
            let Times { first, last, count } = times;
            Delivery { partner, holder, feed, revision, first, last, count }
        };
        waiting.into_iter().map(delivery).collect()
    }

    /// What could not be written waits again.
    pub(super) fn put_back(&self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let Delivery { partner, holder, feed, revision, first, last, count } = delivery;
            let line = Line { partner, holder, feed, revision };
            self.add(line, Times { first, last, count });
        }
    }

    fn add(&self, line: Line, times: Times) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_WAITING && !waiting.contains_key(&line) {
            return;
        }
        let known = waiting.entry(line).or_insert(Times { count: 0, ..times });
        known.first = known.first.min(times.first);
        known.last = known.last.max(times.last);
        known.count += times.count;
    }
}
