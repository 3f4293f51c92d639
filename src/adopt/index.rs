//! Which entry of the old feeds an article is.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::{Known, address_key, title_key};
use crate::article::Article;

/// How an entry was found to be an article, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rank {
    /// By its identity.
    Guid,
    /// By its address: of the article's page, of that for small screens, or one that differs in the device alone.
    Link,
    /// By its title and the day.
    Title,
}

/// An entry that an article is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which entry, by its place.
    pub entry: usize,
    /// How it was found.
    pub rank: Rank,
}

/// The entries of the old feeds, to be looked up by article. As large as these feeds, whatever the store has.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Known>,
    guids: HashMap<String, usize>,
    links: HashMap<String, usize>,
    /// By title and day; several are none, since nobody could tell which.
    titles: HashMap<(String, NaiveDate), Option<usize>>,
}

impl Index {
    /// Takes an entry in, unless there is one of its identity.
    pub fn add(&mut self, entry: Known) {
        if let Some(known) = self.guids.get(&entry.guid) {
            self.entries[*known].is_in_atom |= entry.is_in_atom;
            return;
        }
        let at = self.entries.len();
        self.guids.insert(entry.guid.clone(), at);
        // A guid is often an address that still leads to the article.
        for link in [entry.url.as_deref(), Some(entry.guid.as_str())]
            .into_iter()
            .flatten()
            .filter_map(address_key)
        {
            self.links.entry(link).or_insert(at);
        }
        let title = title_key(&entry.title);
        if let Some(published) = entry.published
            && !title.is_empty()
        {
            let told = (title, published.date_naive());
            self.titles.entry(told).and_modify(|known| *known = None).or_insert(Some(at));
        }
        self.entries.push(entry);
    }

    /// All of them, as they came.
    pub fn entries(&self) -> &[Known] {
        &self.entries
    }

    /// The entry that an article is, if any.
    pub fn find(&self, article: &Article) -> Option<Match> {
        let story = &article.story;
        if let Some(entry) = self.guids.get(article.guid.as_str()) {
            return Some(Match { entry: *entry, rank: Rank::Guid });
        }
        let addresses = [&story.url, &story.mobile_url, &story.external_url];
        let keys = addresses.into_iter().flatten().filter_map(|url| address_key(url.as_str()));
        if let Some(entry) = keys.into_iter().find_map(|key| self.links.get(&key)) {
            return Some(Match { entry: *entry, rank: Rank::Link });
        }
        // Two systems may have the same moment in two time zones.
        let title = title_key(story.title.as_str());
        let day = article.published.date_naive();
        let days = [Some(day), day.pred_opt(), day.succ_opt()].into_iter().flatten();
        let mut found = days.filter_map(|day| self.titles.get(&(title.clone(), day)));
        let entry = found.next().copied().flatten().filter(|_| !title.is_empty())?;
        Some(Match { entry, rank: Rank::Title })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(guid: &str, url: &str, title: &str, day: u32) -> Known {
        Known {
            guid: guid.to_owned(),
            url: (!url.is_empty()).then(|| url.to_owned()),
            title: title.to_owned(),
            published: NaiveDate::from_ymd_opt(2026, 3, day)
                .and_then(|day| day.and_hms_opt(20, 0, 0))
                .map(|time| time.and_utc()),
            is_in_atom: false,
        }
    }

    fn article(guid: &str, url: &str, title: &str, at: &str) -> Article {
        let story = crate::article::Story {
            url: url.parse().ok(),
            title: crate::text::Text::new(title),
            ..Default::default()
        };
        Article {
            id: crate::article::ArticleId::new("1").unwrap(),
            guid: crate::text::Text::new(guid),
            is_atom_id: false,
            published: at.parse().unwrap(),
            updated: at.parse().unwrap(),
            revision: crate::article::Revision(1),
            bytes: 0,
            story,
        }
    }

    #[test]
    fn identity_outranks_address_and_address_outranks_title() {
        let mut index = Index::default();
        index.add(known("g0", "https://www.example.com/a/", "Alpha", 5));
        index.add(known("https://example.com/?p=7", "", "Beta!", 5));
        index.add(known("g2", "https://example.com/c1", "Twice", 5));
        index.add(known("g3", "https://example.com/c2", "Twice", 5));
        index.add(known("g0", "https://example.com/d", "again", 5));
        assert_eq!(index.entries().len(), 4);
        for (guid, url, title, at, expected) in [
            ("g0", "https://example.com/c1", "Beta", "2026-03-05T20:00:00Z", Some((0, Rank::Guid))),
            (
                "x",
                "http://m.example.com/a?from=timeline",
                "?",
                "2020-01-01T00:00:00Z",
                Some((0, Rank::Link)),
            ),
            ("x", "https://example.com/?p=7", "?", "2020-01-01T00:00:00Z", Some((1, Rank::Link))),
            (
                "x",
                "https://new.example.com/b",
                "beta",
                "2026-03-06T04:00:00Z",
                Some((1, Rank::Title)),
            ),
            ("x", "https://new.example.com/b", "beta", "2026-03-08T04:00:00Z", None),
            ("x", "https://new.example.com/t", "Twice", "2026-03-05T20:00:00Z", None),
            ("x", "https://new.example.com/", "", "2026-03-05T20:00:00Z", None),
        ] {
            let found = index.find(&article(guid, url, title, at));
            assert_eq!(
                found.map(|found| (found.entry, found.rank)),
                expected,
                "{guid} {url} {title}"
            );
        }
    }
}
