//! What tests start from: a publication, submissions, a store in a folder that goes away.

#![allow(dead_code, reason = "each test program needs a part of it")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use courant::{
    article::{ArticleId, Origin, Story, Submission, When},
    category::Category,
    config::{self, Config, Overrides},
    feed::Catalogue,
    publish::Publisher,
    store::{Intake, PostgresStore, Receipt, SqliteStore, Store},
    text::{DatabaseUrl, Html, Text},
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
        origin: Origin::default(),
    }
}

/// A store of its own, and a folder: a file in it is the store, unless that is a database.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<dyn Store>,
    database: Option<DatabaseUrl>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("courant.db"));
        Self { folder, store, database: None }
    }

    /// In an empty database.
    pub(crate) async fn within(url: &str) -> Self {
        let database = DatabaseUrl::new(url).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { folder, store: connect(&database).await, database: Some(database) }
    }

    /// Any other store.
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), store, database: None }
    }

    /// The address of the database.
    pub(crate) fn url(&self) -> String {
        self.database.as_ref().unwrap().reveal().to_owned()
    }

    /// The same store once more, as another process opens it.
    pub(crate) async fn again(&self) -> Arc<dyn Store> {
        match &self.database {
            Some(database) => connect(database).await,
            None => open(&self.file()),
        }
    }

    /// The file that the store is, if it is one.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("courant.db")
    }

    /// The same store, closed and opened again.
    pub(crate) async fn reopened(self) -> Self {
        let Self { folder, store, database } = self;
        drop(store);
        match database {
            Some(database) => {
                Self { store: connect(&database).await, folder, database: Some(database) }
            }
            None => Self { store: open(&folder.path().join("courant.db")), folder, database },
        }
    }

    /// A publisher of everything in the store.
    pub(crate) async fn publisher(&self, now: DateTime<Utc>) -> Arc<Publisher> {
        let store: Arc<dyn Store> = Arc::clone(&self.store);
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

async fn connect(database: &DatabaseUrl) -> Arc<dyn Store> {
    Arc::new(PostgresStore::open(database, None, "example.com,2026", at(0)).await.unwrap())
}
