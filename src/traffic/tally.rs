//! What was answered, by feed and format: numbers that only grow.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    Sent,
    report::{FormatReport, Requests},
    sketch::Sketch,
    subscribers::Subscribers,
};
use crate::feed::Catalogue;

/// In which form a feed is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Rss,
    Atom,
    Json,
    Html,
    /// At the address without an extension, when it did not come to a choice.
    Open,
}

impl Form {
    pub(super) const ALL: [Self; 5] = [Self::Rss, Self::Atom, Self::Json, Self::Html, Self::Open];

    /// A path without its extension, and what that says.
    pub(super) fn split(path: &str) -> (&str, Self) {
        let ends = [
            (".rss", Self::Rss),
            (".atom", Self::Atom),
            (".json", Self::Json),
            (".html", Self::Html),
        ];
        for (extension, form) in ends {
            if let Some(stem) = path.strip_suffix(extension) {
                return (stem, form);
            }
        }
        (path, Self::Open)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rss => "rss",
            Self::Atom => "atom",
            Self::Json => "json",
            Self::Html => "html",
            Self::Open => "open",
        }
    }
}

/// One feed in one form.
#[derive(Debug, Default)]
struct Counts {
    whole: AtomicU64,
    delta: AtomicU64,
    unchanged: AtomicU64,
    refused: AtomicU64,
    other: AtomicU64,
    /// Of those with status 200.
    conditional: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_saved: AtomicU64,
}

impl Counts {
    fn report(&self, format: &str) -> FormatReport {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let requests = Requests {
            whole: read(&self.whole),
            delta: read(&self.delta),
            unchanged: read(&self.unchanged),
            refused: read(&self.refused),
            other: read(&self.other),
        };
        FormatReport {
            format: format.to_owned(),
            // Nothing but a condition leads to a 226 or a 304.
            conditional: read(&self.conditional) + requests.delta + requests.unchanged,
            requests,
            bytes_sent: read(&self.bytes_sent),
            bytes_saved: read(&self.bytes_saved),
        }
    }
}

/// One feed.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// As in `feeds.toml`: `all`, `category/news`.
    pub(super) name: String,
    forms: [Counts; Form::ALL.len()],
    pub(super) clients: Sketch,
    pub(super) subscribers: Subscribers,
}

impl Tally {
    pub(super) fn count(&self, form: Form, sent: &Sent) {
        let counts = &self.forms[form as usize];
        let add = |count: &AtomicU64, number| {
            count.fetch_add(number, Ordering::Relaxed);
        };
        match sent.status {
            304 => {
                add(&counts.unchanged, 1);
                add(&counts.bytes_saved, sent.bytes_whole);
                return;
            }
            200 => {
                add(&counts.whole, 1);
                if sent.is_conditional {
                    add(&counts.conditional, 1);
                }
            }
            226 => {
                add(&counts.delta, 1);
                add(&counts.bytes_saved, sent.bytes_whole.saturating_sub(sent.bytes));
            }
            429 => add(&counts.refused, 1),
            _ => add(&counts.other, 1),
        }
        add(&counts.bytes_sent, sent.bytes);
    }

    /// The forms somebody asked for.
    pub(super) fn report(&self) -> Vec<FormatReport> {
        let all = Form::ALL.map(|form| self.forms[form as usize].report(form.name()));
        all.into_iter().filter(|report| report.requests.total() > 0).collect()
    }
}

/// The feeds of `feeds.toml`, by path, and everything else as one. Never more than there were at the start, whatever is
/// asked for.
#[derive(Debug)]
pub(super) struct Feeds {
    places: HashMap<String, usize, BuildHasherDefault<PathHasher>>,
    tallies: Vec<Tally>,
}

impl Feeds {
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let places = catalogue.feeds.iter().enumerate();
        let places = places.map(|(nth, spec)| (format!("/{}", spec.path.encoded()), nth));
        let tally = |name: String| Tally { name, ..Tally::default() };
        let tallies = catalogue.feeds.iter().map(|spec| tally(spec.path.to_string()));
        let others = tally(super::OTHER.to_owned());
        Self { places: places.collect(), tallies: tallies.chain([others]).collect() }
    }

    /// Which feed is at a path without its extension.
    pub(super) fn find(&self, stem: &str) -> Option<usize> {
        self.places.get(stem).copied()
    }

    /// Its numbers, or those of everything else.
    pub(super) fn tally(&self, feed: Option<usize>) -> &Tally {
        &self.tallies[feed.unwrap_or(self.tallies.len() - 1)]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Tally> {
        self.tallies.iter()
    }
}

/// A path in one go. Its values are known to the publisher only, so that nobody can aim at a place.
#[derive(Debug, Default)]
struct PathHasher(u64);

impl Hasher for PathHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }

    // The end of a text.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
