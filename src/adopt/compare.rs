//! The old feed and the new one as a reader sees them.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::Known;

/// An article that readers have and would be shown as unread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reappearing {
    /// As the old feed has it.
    pub old: Known,
    /// As the new one has it.
    pub new: Known,
}

/// What somebody sees who was subscribed to the old feed and gets the new one. Readers know an entry by its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The same entries.
    pub same: usize,
    /// The same entries, but with another title, address or date: shown changed, and as read.
    pub changed: Vec<Reappearing>,
    /// The same articles under other identities: shown a second time, as unread. Must be none.
    pub reappearing: Vec<Reappearing>,
    /// In the old feed only: readers keep them until they drop old entries.
    pub vanishing: Vec<Known>,
    /// In the new feed only, and older than the newest of the old: shown as unread although they are old.
    pub surfacing: Vec<Known>,
    /// In the new feed only, and newer.
    pub coming: usize,
    /// In the old feed, without an identity or an address: readers make up identities for them, and nothing can be compared.
    pub unidentified: usize,
}

impl Comparison {
    /// Whether no reader sees an article again, as far as that can be known.
    pub fn is_seamless(&self) -> bool {
        self.reappearing.is_empty() && self.unidentified == 0
    }

    /// Adds another comparison, of feeds in another format.
    pub fn add(&mut self, other: Self) {
        let Self { same, changed, reappearing, vanishing, surfacing, coming, unidentified } = other;
        self.same += same;
        self.changed.extend(changed);
        self.reappearing.extend(reappearing);
        self.vanishing.extend(vanishing);
        self.surfacing.extend(surfacing);
        self.coming += coming;
        self.unidentified += unidentified;
    }
}

/// Compares what readers get: the entries of the old feeds, each identity once, and those of the new one. Each of the latter
/// comes with the place of the old entry whose identity its article would take over: by the rules of adoptions, so that
/// after one nothing reappears.
pub fn compare(old: &[Known], new: &[(Known, Option<usize>)]) -> Comparison {
    let by_guid: HashMap<&str, &Known> =
        old.iter().map(|entry| (entry.guid.as_str(), entry)).collect();
    let newest = old.iter().filter_map(|entry| entry.published).max();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut comparison = Comparison::default();
    for (entry, matched) in new {
        if let Some(before) = by_guid.get(entry.guid.as_str()) {
            seen.insert(&before.guid);
            let is_same = before.title == entry.title
                && before.url == entry.url
                && before.published == entry.published;
            if is_same {
                comparison.same += 1;
            } else {
                comparison.changed.push(Reappearing { old: (*before).clone(), new: entry.clone() });
            }
        } else if let Some(before) = matched.and_then(|at| old.get(at)) {
            seen.insert(&before.guid);
            comparison.reappearing.push(Reappearing { old: before.clone(), new: entry.clone() });
        } else if newest.is_some_and(|newest| entry.published.is_some_and(|time| time <= newest)) {
            comparison.surfacing.push(entry.clone());
        } else {
            comparison.coming += 1;
        }
    }
    let vanishing = old.iter().filter(|entry| !seen.contains(entry.guid.as_str()));
    comparison.vanishing = vanishing.cloned().collect();
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(guid: &str, url: &str, title: &str, day: u32) -> Known {
        let date =
            chrono::NaiveDate::from_ymd_opt(2026, 3, day).and_then(|day| day.and_hms_opt(8, 0, 0));
        Known {
            guid: guid.to_owned(),
            url: Some(url.to_owned()),
            title: title.to_owned(),
            published: date.map(|time| time.and_utc()),
            is_in_atom: false,
        }
    }

    #[test]
    fn a_reader_knows_an_entry_by_its_identity() {
        let old = [
            known("1", "https://a.example/1", "One", 1),
            known("2", "https://a.example/2", "Two", 2),
            known("3", "https://a.example/3", "Three", 3),
            known("4", "https://a.example/4", "Four", 4),
        ];
        let new = [
            known("1", "https://a.example/1", "One", 1),
            known("2", "https://a.example/2", "Two, mended", 2),
            known("tag:3", "https://b.example/3", "Third", 3),
            known("5", "https://a.example/5", "Five", 5),
            known("0", "https://a.example/0", "Zero", 1),
        ];
        let matched = |new: &[Known]| -> Vec<_> {
            let at = |entry: &Known| (entry.guid == "tag:3").then_some(2);
            new.iter().map(|entry| (entry.clone(), at(entry))).collect()
        };
        let found = compare(&old, &matched(&new));
        assert_eq!(found.same, 1);
        assert_eq!(found.changed[0].new.title, "Two, mended");
        assert_eq!(found.reappearing[0].new.guid, "tag:3");
        assert_eq!(found.vanishing[0].guid, "4");
        assert_eq!(found.surfacing[0].guid, "0");
        assert_eq!(found.coming, 1);
        assert!(!found.is_seamless());
        assert!(compare(&old, &matched(&old)).is_seamless());
    }
}
