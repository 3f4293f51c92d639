//! Addresses of an old feed system, and where what was there is now.

use std::collections::HashMap;

use url::Url;

/// What became of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is elsewhere for good: 301, which every reader knows and most keep.
    Moved(Url),
    /// The same as 308, for those who want it (RFC 9110 section 15.4.9).
    MovedStrictly(Url),
    /// It is gone, and will not come back: 410.
    Gone,
}

/// Old addresses and their fates. An address is a path, or a path and a query, percent-encoded, without a slash at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects {
    by_path: HashMap<String, Fate>,
    by_query: HashMap<String, Fate>,
}

impl Redirects {
    /// With one more; `false` when there was one from there.
    pub fn insert(&mut self, from: &str, fate: Fate) -> bool {
        let table = if from.contains('?') { &mut self.by_query } else { &mut self.by_path };
        table.insert(key(from), fate).is_none()
    }

    /// What became of an address with this query, which outranks what is served at its path.
    pub fn of_query(&self, path: &str, query: Option<&str>) -> Option<&Fate> {
        if self.by_query.is_empty() {
            return None;
        }
        self.by_query.get(&key(&format!("{path}?{}", query?)))
    }

    /// What became of a path, where nothing is served.
    pub fn of_path(&self, path: &str) -> Option<&Fate> {
        if self.by_path.is_empty() { None } else { self.by_path.get(&key(path)) }
    }
}

/// `/feed/` is `/feed`, as it was on most old systems.
fn key(from: &str) -> String {
    let (path, query) =
        from.split_once('?').map_or((from, None), |(path, query)| (path, Some(query)));
    let path = path.trim_end_matches('/');
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_told_apart() {
        let mut redirects = Redirects::default();
        assert!(redirects.insert("/feed/", Fate::Gone));
        assert!(!redirects.insert("/feed", Fate::Gone));
        assert!(redirects.insert("/?feed=rss2", Fate::Gone));
        for (path, query, expected) in [
            ("/", Some("feed=rss2"), true),
            ("/", Some("feed=atom"), false),
            ("/", None, false),
            ("/feed", None, false),
        ] {
            assert_eq!(redirects.of_query(path, query).is_some(), expected, "{path} {query:?}");
        }
        for (path, expected) in
            [("/feed", true), ("/feed/", true), ("/", false), ("/feed/atom", false)]
        {
            assert_eq!(redirects.of_path(path).is_some(), expected, "{path}");
        }
    }
}
