//! What an export knows of the ones before it: a small file for the whole, and one for each feed, so that a publication
//! reads and writes no more of them than it touches.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    article::{Mark, Revision, Span},
    feed::FeedPath,
};

/// Where these files are.
pub(super) const FOLDER: &str = ".courant/";
/// The one for the whole.
pub(super) const ROOT: &str = ".courant/export.json";
/// Where those of feeds are.
pub(super) const FEEDS: &str = ".courant/feeds/";
/// How documents are laid out in files; raised when that changes.
pub(super) const LAYOUT: u32 = 1;

/// What is true of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Root {
    /// [`LAYOUT`] of the program that wrote it.
    pub layout: u32,
    /// The version of that program.
    pub program: String,
    /// A number by chance, another each time that nothing known before could be relied on.
    pub generation: u64,
    /// Every write up to here is shown.
    pub head: Revision,
    /// A write that the store must know.
    pub witness: Option<Witness>,
    /// Tags of documents that are of no feed, by name.
    pub files: BTreeMap<String, String>,
}

/// A write, and when it was committed: after a backup was restored, its number may stand for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Witness {
    /// Its number.
    pub revision: Revision,
    /// Its time.
    pub at: DateTime<Utc>,
}

impl Witness {
    /// The last write to an article; `None` for a store that never had one.
    pub(super) fn of(mark: Mark) -> Option<Self> {
        let Mark { revision, changed, .. } = mark;
        (revision > Revision(0)).then_some(Self { revision, at: changed })
    }
}

/// What is there of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// That of [`Root`] when it was written.
    pub generation: u64,
    /// The feed's path, percent-encoded.
    pub path: String,
    /// Every write up to here is shown.
    pub head: Revision,
    /// Up to which place there are archives of a hundred; 0: none.
    pub sealed: u64,
    /// Tags of all documents but those archives, by name; empty for one that may not be there yet, or not as it should be.
    pub files: BTreeMap<String, String>,
    /// Archives that nothing leads to any more, by name: up to which place, and since when (seconds since 1970).
    pub leaving: BTreeMap<String, Leaving>,
}

/// An archive that nothing leads to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leaving {
    /// Its places.
    pub span: Span,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Record {
    /// What its file is called.
    pub(super) fn name(path: &FeedPath) -> String {
        format!("{FEEDS}{path}.json")
    }

    /// Whether all is there as it should be at [`Record::head`].
    pub(super) fn is_complete(&self) -> bool {
        !self.files.is_empty() && self.files.values().all(|tag| !tag.is_empty())
    }

    /// Nothing of it is to be relied on any more, but what there is.
    pub(super) fn begin_anew(&mut self, generation: u64, head: Revision) {
        self.generation = generation;
        self.head = head;
        self.sealed = 0;
        self.files.values_mut().for_each(String::clear);
    }

    /// Notes names that are about to be written; whether there was one that was not known.
    pub(super) fn expect<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) -> bool {
        let mut is_news = false;
        for name in names {
            self.leaving.remove(name);
            if !self.files.contains_key(name) {
                self.files.insert(name.clone(), String::new());
                is_news = true;
            }
        }
        is_news
    }

    /// The archives that go now: those that nothing has led to for long enough, and those that are not true any more.
    pub(super) fn parting(&mut self, is_over: impl Fn(&Leaving) -> bool) -> Vec<String> {
        let over = self.leaving.iter().filter(|(_, leaving)| is_over(leaving));
        let over: Vec<_> = over.map(|(name, _)| name.clone()).collect();
        self.leaving.retain(|name, _| !over.contains(name));
        over
    }
}

/// A record as it is kept.
pub(super) fn written(record: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(record).expect("records have text keys only");
    bytes.push(b'\n');
    bytes
}

/// The archive in which a place is, of a hundred.
pub(super) fn hundred(place: u64) -> Option<Span> {
    Some(Span::ending(place)?).map(|span| if span.is_full() { span } else { span.next() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_in_the_archive_of_its_hundred() {
        for (place, span) in
            [(0, None), (1, Some("1-100")), (100, Some("1-100")), (101, Some("101-200"))]
        {
            assert_eq!(hundred(place).map(|span| span.to_string()).as_deref(), span, "{place}");
        }
    }

    #[test]
    fn a_name_is_known_before_it_is_written() {
        let name = "all.rss".to_owned();
        let mut record = Record::default();
        assert!(!record.is_complete());
        assert!(record.expect([&name]) && !record.is_complete());
        record.files.insert(name.clone(), "n1-0".to_owned());
        assert!(!record.expect([&name]) && record.is_complete());
        record.begin_anew(2, Revision(7));
        assert!(!record.is_complete() && record.files.contains_key(&name));
    }

    #[test]
    fn what_leaves_does_so_once() {
        let leaving =
            |places: &str| Leaving { span: places.parse().unwrap(), since: DateTime::UNIX_EPOCH };
        let mut record = Record {
            leaving: [("a".to_owned(), leaving("1-5")), ("b".to_owned(), leaving("1-50"))].into(),
            ..Record::default()
        };
        let long = |leaving: &Leaving| *leaving.span.places().end() > 9;
        assert_eq!(record.parting(long), ["b"]);
        assert_eq!(record.parting(long), [""; 0]);
        assert_eq!(record.leaving.len(), 1);
    }
}
