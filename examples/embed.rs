//! Serves articles that live somewhere else: an own `Store`, here one that keeps two articles in memory.
//!
//! `cargo run --example embed`, then `curl -i http://127.0.0.1:8080/all.atom`

#![allow(clippy::print_stderr, reason = "an example talks to who runs it")]

use std::{error::Error, num::NonZeroU16, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use courant::{
    article::{
        Amendment, Article, ArticleId, Change, Cursor, Latest, Mark, Part, Revision, Snapshot,
        Span, Story, Submission, Window,
    },
    category::{Category, Facet, Selection},
    clock,
    config::{self, Overrides},
    http::{
        Limits,
        server::{Settings, serve},
    },
    publish::Publisher,
    store::{Census, Intake, Moved, Outcome, Receipt, Result, Store, StoreError},
    text::{Html, Text},
    traffic::Traffic,
};
use tokio::net::TcpListener;

const FEEDS: &str = r#"
[site]
title = "Embedded"
url = "https://www.example.com/"
tag = "example.com,2026"

[[feed]]
name = "all"
title = "Everything"
"#;

/// Articles that never change, newest first; a real one would ask a database.
struct Shelf {
    articles: Vec<Arc<Article>>,
    /// When they were put there: never the time of a request, or every poll would look like news.
    since: DateTime<Utc>,
}

impl Shelf {
    /// The one revision there is. A store that changes gives each write the next number.
    const REVISION: Revision = Revision(1);

    fn selected(&self, selection: &Selection) -> Vec<Arc<Article>> {
        let is_selected = |article: &&Arc<Article>| article.story.is_selected(selection);
        self.articles.iter().filter(is_selected).cloned().collect()
    }

    async fn reading(
        &self,
        facets: &[Facet],
        part: Part,
        articles: Vec<Arc<Article>>,
    ) -> Result<Snapshot> {
        let (head, mark) = (Self::REVISION, self.mark(facets).await?);
        Ok(Snapshot {
            head,
            mark,
            authority: "example.com,2026".to_owned(),
            part,
            articles,
            gone: Vec::new(),
        })
    }
}

#[async_trait]
impl Store for Shelf {
    async fn head(&self) -> Result<Revision> {
        Ok(Self::REVISION)
    }

    async fn changed(&self, _seen: Revision) -> Result<Revision> {
        // A store that changes wakes its followers here.
        std::future::pending().await
    }

    async fn moved(&self, _seen: Revision) -> Result<Moved> {
        Ok(Moved { head: Self::REVISION, facets: Vec::new() })
    }

    async fn mark(&self, _facets: &[Facet]) -> Result<Mark> {
        Ok(Mark { revision: Self::REVISION, changed: self.since, floor: Self::REVISION })
    }

    async fn snapshot(
        &self,
        facets: &[Facet],
        selection: &Selection,
        window: Window,
    ) -> Result<Snapshot> {
        let mut fill = window.fill();
        let mut selected = self.selected(selection);
        let newest =
            selected.iter().take_while(|article| fill.take(article.published, article.bytes));
        let newest = newest.count();
        // The oldest has place 1; those the window leaves out are in archives.
        let left_out = u64::try_from(selected.len() - newest).unwrap_or_default();
        selected.truncate(newest);
        let part = Span::ending(left_out).map_or(Part::All, Part::Newest);
        self.reading(facets, part, selected).await
    }

    async fn archive(
        &self,
        settings: &[Facet],
        selection: &Selection,
        span: Span,
    ) -> Result<Option<Snapshot>> {
        let places = |articles: &[Arc<Article>]| {
            let (first, last) = span.places().into_inner();
            let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
            let from = articles.len().checked_sub(last)?;
            Some(articles[from..=articles.len() - first].to_vec())
        };
        match places(&self.selected(selection)) {
            Some(articles) => self.reading(settings, Part::Archive(span), articles).await.map(Some),
            None => Ok(None),
        }
    }

    async fn article(&self, id: &ArticleId) -> Result<Option<Snapshot>> {
        let found = self.articles.iter().find(|article| article.id == *id);
        match found {
            Some(article) => {
                self.reading(&[], Part::All, vec![Arc::clone(article)]).await.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn settle(&self, _name: &str, value: &str) -> Result<String> {
        Ok(value.to_owned()) // a store that lives longer than the program keeps the first one
    }

    async fn log(&self, _since: Revision, _limit: NonZeroU16) -> Result<Vec<Change>> {
        Ok(Vec::new())
    }

    async fn last(&self, _id: &ArticleId, _shift_minutes: i16) -> Result<Option<Latest>> {
        Ok(None)
    }

    async fn latest(
        &self,
        _since: Cursor,
        _shift_minutes: i16,
        _limit: NonZeroU16,
    ) -> Result<Vec<Latest>> {
        Ok(Vec::new())
    }

    async fn categories(&self) -> Result<Vec<Category>> {
        Ok(self.articles.iter().flat_map(|article| article.story.categories.clone()).collect())
    }

    async fn census(&self) -> Result<Census> {
        let published = i64::try_from(self.articles.len()).unwrap_or(i64::MAX);
        Ok(Census { published, ..Census::default() })
    }

    async fn upsert(
        &self,
        _batch: Vec<Submission>,
        _intake: Intake,
        _now: DateTime<Utc>,
    ) -> Result<Receipt> {
        Err(StoreError::ReadOnly)
    }

    async fn amend(&self, _amendments: Vec<Amendment>, _now: DateTime<Utc>) -> Result<Receipt> {
        Err(StoreError::ReadOnly)
    }

    async fn withdraw(
        &self,
        _ids: Vec<ArticleId>,
        _now: DateTime<Utc>,
    ) -> Result<Vec<Option<Outcome>>> {
        Err(StoreError::ReadOnly)
    }

    async fn release(&self, _now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        Ok(None) // nothing waits for its time
    }

    async fn declare(
        &self,
        _fingerprints: Vec<(Facet, u64)>,
        _now: DateTime<Utc>,
    ) -> Result<Revision> {
        Ok(Self::REVISION) // settings never change here either
    }
}

/// An article of the category `notes`.
fn note(id: &str, title: &str, text: &str, published: &str) -> Result<Article, Box<dyn Error>> {
    let published = published.parse()?;
    Ok(Article {
        id: ArticleId::new(id).ok_or("an id has 1 to 512 bytes")?,
        // Mint it once, store it, and never change it.
        guid: Text::new(&format!("tag:example.com,2026:article/{id}")),
        is_atom_id: false,
        published,
        updated: published,
        revision: Shelf::REVISION,
        bytes: u32::try_from(text.len())?,
        story: Story {
            title: Text::new(title),
            summary: Text::new(text),
            content: Html::from_text(text),
            categories: vec![Category::from_label("notes")?],
            ..Story::default()
        },
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = config::read(FEEDS, Path::new("feeds.toml"), &Overrides::default())?;
    let since = "2026-03-06T09:00:00Z".parse()?;
    let articles = vec![
        Arc::new(note("2", "Second", "This came later.", "2026-03-06T09:00:00Z")?),
        Arc::new(note("1", "First", "This came first.", "2026-03-05T09:00:00Z")?),
    ];
    let store = Arc::new(Shelf { articles, since });
    let publisher =
        Arc::new(Publisher::open(store, config.catalogue, 16_000_000, clock::now()).await?);

    // Makes editions anew when the store changes, and publishes what falls due.
    let follower = Arc::clone(&publisher);
    tokio::spawn(async move { follower.follow(clock::now).await });

    let settings = Settings {
        limits: Limits {
            target_bytes: 8_192,
            header_bytes: 32_768,
            hosts: Vec::new(),
            staleness: Duration::from_hours(1),
        },
        max_connections: 100,
        header_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(30),
        shutdown_grace: Duration::from_secs(10),
        logs_access: false,
        media: None,
        desk: None,
        inbox: None,
        is_inbox_only: false,
        traffic: Arc::new(Traffic::new(config.politeness, publisher.catalogue(), clock::now())),
    };
    let listener = TcpListener::bind(config.server.listen).await?;
    eprintln!("http://{}/all.atom; Ctrl-C to stop", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    serve(listener, publisher, Arc::new(settings), stop).await;
    Ok(())
}
