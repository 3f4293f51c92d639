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
pub struct Ledger(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    lines: HashMap<Line, Times>,
    /// Whether a line has found no room since the last look.
    is_short: bool,
    /// Whether that has been said.
    is_said: bool,
}

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

    /// What waits, which then waits no more. Says so, once for as long as that lasts, where there was no room for all.
    pub(super) fn take(&self) -> Vec<Delivery> {
        let (lines, is_news) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if is_news {
            tracing::warn!(
                lines = MAX_WAITING,
                "the ledger is full; what partners fetch goes unnoted until the store answers"
            );
        }
        let delivery = |(line, times): (Line, Times)| {
            let Line { partner, holder, feed, revision } = line;
            let Times { first, last, count } = times;
            Delivery { partner, holder, feed, revision, first, last, count }
        };
        lines.into_iter().map(delivery).collect()
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
        let is_full = waiting.lines.len() >= MAX_WAITING;
        if is_full && !waiting.lines.contains_key(&line) {
            waiting.is_short = true;
            return;
        }
        let known = waiting.lines.entry(line).or_insert(Times { count: 0, ..times });
        known.first = known.first.min(times.first);
        known.last = known.last.max(times.last);
        known.count += times.count;
    }
}

impl Waiting {
    /// The lines, and whether it is news that there was no room for all.
    fn take(&mut self) -> (HashMap<Line, Times>, bool) {
        let is_full = self.lines.len() >= MAX_WAITING;
        let is_news = self.is_short && !self.is_said;
        self.is_said = is_full && (self.is_said || self.is_short);
        self.is_short = false;
        (std::mem::take(&mut self.lines), is_news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ledger_drops_lines_and_says_so_once() {
        let guest = Guest { partner: "wire".parse().unwrap(), holder: String::new() };
        let ledger = Ledger::default();
        let fill = |more: u64| {
            for nth in 0..MAX_WAITING as u64 + more {
                ledger.note(&guest, "all", Revision(nth), DateTime::UNIX_EPOCH);
            }
        };
        let look = || {
            let (lines, is_news) = ledger.0.lock().unwrap().take();
            (lines.len(), is_news)
        };
        fill(0);
        assert_eq!(look(), (MAX_WAITING, false));
        fill(3);
        assert_eq!(look(), (MAX_WAITING, true));
        fill(3);
        assert_eq!(look(), (MAX_WAITING, false), "it has been said");
        assert_eq!(look(), (0, false));
        fill(1);
        assert_eq!(look(), (MAX_WAITING, true), "another time");
    }
}
