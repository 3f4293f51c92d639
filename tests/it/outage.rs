//! A store that fails: what is in memory goes on being served.

use std::{
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use courant::{
    article::{
        Amendment, ArticleId, Change, Cursor, Latest, Mark, Revision, Snapshot, Span, Submission,
        Window,
    },
    category::{Category, Facet, Selection},
    http::respond,
    publish::Publisher,
    store::{Census, Intake, Moved, Outcome, Receipt, Result, Store, StoreError},
};
use http::Request;
use http_body_util::{BodyExt, Empty};

use crate::{
    fixtures::{Home, at, catalogue, submission},
    http::LIMITS,
};

/// A store that can be cut off.
pub(crate) struct Frail {
    store: Arc<dyn Store>,
    is_away: AtomicBool,
}

impl Frail {
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        Self { store, is_away: AtomicBool::new(false) }
    }

    pub(crate) fn cut_off(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn store(&self) -> Result<&dyn Store> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(StoreError::Closing);
        }
        Ok(&*self.store)
    }
}

#[async_trait]
impl Store for Frail {
    async fn head(&self) -> Result<Revision> {
        self.store()?.head().await
    }

    async fn changed(&self, seen: Revision) -> Result<Revision> {
        self.store()?.changed(seen).await
    }

    async fn moved(&self, seen: Revision) -> Result<Moved> {
        self.store()?.moved(seen).await
    }

    async fn mark(&self, facets: &[Facet]) -> Result<Mark> {
        self.store()?.mark(facets).await
    }

    async fn snapshot(
        &self,
        facets: &[Facet],
        selection: &Selection,
        window: Window,
    ) -> Result<Snapshot> {
        self.store()?.snapshot(facets, selection, window).await
    }

    async fn archive(
        &self,
        settings: &[Facet],
        selection: &Selection,
        span: Span,
    ) -> Result<Option<Snapshot>> {
        self.store()?.archive(settings, selection, span).await
    }

    async fn article(&self, id: &ArticleId) -> Result<Option<Snapshot>> {
        self.store()?.article(id).await
    }

    async fn settle(&self, name: &str, value: &str) -> Result<String> {
        self.store()?.settle(name, value).await
    }

    async fn log(&self, since: Revision, limit: NonZeroU16) -> Result<Vec<Change>> {
        self.store()?.log(since, limit).await
    }

    async fn latest(
        &self,
        since: Cursor,
        shift_minutes: i16,
        limit: NonZeroU16,
    ) -> Result<Vec<Latest>> {
        self.store()?.latest(since, shift_minutes, limit).await
    }

    async fn last(&self, id: &ArticleId, shift_minutes: i16) -> Result<Option<Latest>> {
        self.store()?.last(id, shift_minutes).await
    }

    async fn categories(&self) -> Result<Vec<Category>> {
        self.store()?.categories().await
    }

    async fn census(&self) -> Result<Census> {
        self.store()?.census().await
    }

    async fn upsert(
        &self,
        batch: Vec<Submission>,
        intake: Intake,
        now: DateTime<Utc>,
    ) -> Result<Receipt> {
        self.store()?.upsert(batch, intake, now).await
    }

    async fn amend(&self, amendments: Vec<Amendment>, now: DateTime<Utc>) -> Result<Receipt> {
        self.store()?.amend(amendments, now).await
    }

    async fn withdraw(
        &self,
        ids: Vec<ArticleId>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<Outcome>>> {
        self.store()?.withdraw(ids, now).await
    }

    async fn release(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        self.store()?.release(now).await
    }

    async fn declare(
        &self,
        fingerprints: Vec<(Facet, u64)>,
        now: DateTime<Utc>,
    ) -> Result<Revision> {
        self.store()?.declare(fingerprints, now).await
    }
}

/// Status, tag, and when to come back.
pub(crate) async fn ask(publisher: &Publisher, path: &str) -> (u16, String, String) {
    let request = Request::builder().uri(path).header("host", "feeds.example.com");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let answer = respond(publisher, &LIMITS, &request, at(600)).await;
    let field =
        |name| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    (answer.status().as_u16(), field("etag"), field("retry-after"))
}

#[tokio::test]
async fn while_the_store_is_away_what_is_in_memory_is_served() {
    let home = Home::new();
    home.publish(vec![submission("a", 0)], 0).await;
    let store: Arc<dyn Store> = Arc::clone(&home.store);
    let frail = Arc::new(Frail::of(store));
    let shared: Arc<dyn Store> = Arc::clone(&frail) as Arc<dyn Store>;
    let publisher = Publisher::open(shared, catalogue(), 64_000_000, at(0)).await.unwrap();
    let warm = ask(&publisher, "/all.rss").await;
    assert_eq!(warm.0, 200);

    frail.cut_off(true);
    assert_eq!(ask(&publisher, "/all.rss").await, warm);
    assert_eq!(ask(&publisher, "/all.atom").await, (503, String::new(), "30".to_owned()));
    assert_eq!(ask(&publisher, "/readyz").await.0, 503);
    assert_eq!(ask(&publisher, "/healthz").await.0, 200);
    assert_eq!(ask(&publisher, "/nothing.rss").await.0, 404);

    frail.cut_off(false);
    assert_eq!(ask(&publisher, "/all.atom").await.0, 200);
    assert_eq!(ask(&publisher, "/readyz").await.0, 200);
    assert_eq!(ask(&publisher, "/all.rss").await, warm);
}

/// A date of three years later, as a server whose clock was ahead gave it out.
const AHEAD: &str = "Mon, 05 Mar 2029 12:00:00 GMT";

#[tokio::test]
async fn dates_from_before_a_repair_of_the_clock_do_not_count() {
    let home = Home::new();
    home.publish(vec![submission("a", 0)], 0).await;
    let publisher = home.publisher(at(0)).await;
    let asks = async |now: i64| {
        let request = Request::builder().uri("/all.rss").header("host", "a");
        let request = request.header("if-modified-since", AHEAD).body(Empty::<Bytes>::new());
        respond(&publisher, &LIMITS, &request.unwrap(), at(now)).await
    };
    publisher.refresh(at(10)).await.unwrap();
    assert_eq!(asks(10).await.status(), 304, "clocks of clients differ");

    let ahead = 1_096 * 86_400;
    home.publish(vec![submission("b", 1)], ahead).await;
    publisher.refresh(at(20)).await.unwrap();
    assert!(asks(30).await.headers().get("last-modified").is_none());
    let ready = async || {
        let request = Request::builder().uri("/readyz").header("host", "a");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let answer = respond(&publisher, &LIMITS, &request, at(30)).await;
        let status = answer.status().as_u16();
        (status, answer.into_body().collect().await.unwrap().to_bytes())
    };
    let (status, body) = ready().await;
    assert_eq!(status, 200);
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains(&format!("store_ahead_seconds {}\n", ahead - 30)), "{body}");

    home.store.repair_clock(at(30)).await.unwrap();
    publisher.refresh(at(40)).await.unwrap();
    let answer = asks(50).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["last-modified"], "Thu, 05 Mar 2026 12:00:30 GMT");
    assert_eq!(ready().await.1, "ready\nstale_seconds 0\nrevision 4\nhead 4\n");
}
