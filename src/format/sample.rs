//! What unit tests of pages are made of.

use std::{collections::BTreeMap, num::NonZeroU16, sync::Arc};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::{
    article::{Article, ArticleId, Mark, Part, Revision, Snapshot, Story, Window},
    category::Selection,
    feed::{Contact, Feed, FeedPath, FeedSpec, Listing, Site},
    text::Text,
};

/// What must never come out of a page as it went in.
pub(super) const HOSTILE: &str = r#"<script>alert("1")</script> & 'x' --> ]]> {{ }}"#;

pub(super) fn time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_699_400, 0).unwrap()
}

pub(super) fn site(language: &str) -> Site {
    Site {
        title: Text::new("Example News"),
        url: "https://www.example.com/".parse().unwrap(),
        description: Text::new("What happened, and why"),
        language: language.parse().ok(),
        rights: None,
        editor: None,
        webmaster: None,
        image: None,
        icon: None,
        time_zone: Tz::UTC,
        base: "https://feeds.example.com/".parse().unwrap(),
        labels: BTreeMap::new(),
    }
}

pub(super) fn contact(name: &str, email: &str) -> Contact {
    Contact { name: Text::new(name), email: Text::new(email) }
}

pub(super) fn spec(site: Site, path: FeedPath) -> FeedSpec {
    FeedSpec {
        title: Text::new(&format!("Example News - {path}")),
        description: Text::new(&format!("All of {path}")),
        home: site.url.clone(),
        language: site.language.clone(),
        site: Arc::new(site),
        path,
        selection: Selection::default(),
        window: Window::default(),
        full_text: true,
        pictures: true,
        ttl: NonZeroU16::MIN,
        show: None,
        terms: None,
    }
}

pub(super) fn named(name: &str) -> FeedPath {
    FeedPath::Named(name.parse().unwrap())
}

pub(super) fn category(name: &str) -> FeedPath {
    FeedPath::Category(name.parse().unwrap())
}

pub(super) fn feed(spec: FeedSpec, stories: Vec<Story>) -> Feed {
    let article = |(number, story): (usize, Story)| {
        let id = ArticleId::new(&number.to_string()).unwrap();
        let guid = Text::new(&format!("tag:example.com,2026:{id}"));
        let (published, updated) = (time(), time());
        let (is_atom_id, revision) = (false, Revision(1));
        Arc::new(Article { id, guid, is_atom_id, published, updated, revision, bytes: 0, story })
    };
    let snapshot = Snapshot {
        head: Revision(1),
        mark: Mark { revision: Revision(1), changed: time(), floor: Revision(0) },
        authority: "example.com,2026".to_owned(),
        part: Part::All,
        articles: stories.into_iter().enumerate().map(article).collect(),
        gone: Vec::new(),
    };
    Feed::assemble(Arc::new(spec), snapshot)
}

pub(super) fn listing(site: &Site, paths: Vec<FeedPath>) -> Listing {
    let feeds = paths.into_iter().map(|path| Arc::new(spec(site.clone(), path))).collect();
    Listing { site: Arc::new(site.clone()), feeds, revision: Revision(1), changed: time() }
}
