//! What tests start from: a publication, submissions, a store in a folder that goes away.

use std::{path::Path, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use courant::{
    article::{ArticleId, Story, Submission, When},
    category::Category,
    config::{self, Config, Overrides},
    feed::Catalogue,
    publish::Publisher,
    store::{Intake, Receipt, SqliteStore, Store},
    text::{Html, Text},
};

/// A small publication.
pub(crate) const FEEDS: &str = r#"
[site]
title = "Example"
url = "https://www.example.com/"
tag = "example.com,2026"
language = "en"
time_zone = "Asia/Shanghai"

[server]
base_url = "https://feeds.example.com"

[[category]]
slug = "news"
label = "News"

[[category]]
slug = "headlines"
label = "头条"

[[feed]]
name = "all"
title = "Everything"

[[feed]]
name = "calm"
title = "Without news"
none_of = ["news"]
"#;

/// The publication of [`FEEDS`].
pub(crate) fn config() -> Config {
    config::read(FEEDS, Path::new("feeds.toml"), &Overrides::default()).unwrap()
}

/// What [`FEEDS`] says of feeds.
pub(crate) fn catalogue() -> Arc<Catalogue> {
    config().catalogue
}

/// Noon of a day that all tests agree on, and seconds after it.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    "2026-03-05T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

/// An article of the category `news`, published at a second.
pub(crate) fn submission(id: &str, seconds: i64) -> Submission {
    Submission {
        id: ArticleId::new(id).unwrap(),
        guid: None,
        published: Some(When::exactly(at(seconds))),
        modified: None,
        embargo: None,
        expires: None,
        is_significant: None,
        story: Story {
            title: Text::new(&format!("Title of {id}")),
            content: Html::from_text(&format!("Text of {id}.")),
            summary: Text::new(&format!("Summary of {id}.")),
            categories: vec![Category::from_label("news").unwrap()],
            ..Story::default()
        },
    }
}

/// A store of its own, and the folder it lives in.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<SqliteStore>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("courant.db"));
        Self { folder, store }
    }

    /// The same store, closed and opened again.
    pub(crate) fn reopened(self) -> Self {
        let Self { folder, store } = self;
        drop(store);
        let store = open(&folder.path().join("courant.db"));
        Self { folder, store }
    }

    /// A publisher of everything in the store.
    pub(crate) async fn publisher(&self, now: DateTime<Utc>) -> Arc<Publisher> {
        let store: Arc<dyn Store> = Arc::clone(&self.store) as Arc<dyn Store>;
        Arc::new(Publisher::open(store, catalogue(), 64_000_000, now).await.unwrap())
    }

    /// Takes articles in at a second.
    pub(crate) async fn publish(&self, batch: Vec<Submission>, seconds: i64) -> Receipt {
        self.store.upsert(batch, Intake::default(), at(seconds)).await.unwrap()
    }
}

pub(crate) fn open(path: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(path, "example.com,2026", at(0)).unwrap())
}
