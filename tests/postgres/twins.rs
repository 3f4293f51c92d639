//! A store in a file and one in a database that are told the same, and have to answer the same: all that feeds are made of.

use std::{collections::BTreeSet, fmt::Debug, num::NonZeroU16, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use courant::{
    article::{
        Adoption, Amendment, ArticleId, Change, Cursor, Latest, Mark, Revision, Snapshot, Span,
        Submission, Window,
    },
    category::{Category, Facet, Selection, Slug},
    store::{
        Census, Delivery, Done, Fenced, Intake, Moved, Outcome, Receipt, Result, SqliteStore,
        Store, Token,
    },
};
use rusqlite::Connection;
use tokio_postgres::NoTls;

use crate::{fixtures::Home, histories, partners, store};

/// Random histories of a publication, with their clients, archives and restarts.
pub(crate) async fn histories(home: Home) {
    history(home, 1..=12).await;
}

/// As many again, beside the others.
pub(crate) async fn more_histories(home: Home) {
    history(home, 13..=24).await;
}

async fn history(home: Home, seeds: std::ops::RangeInclusive<u64>) {
    for seed in seeds {
        let twins = Twins::of(&home, &format!("seed{seed}")).await;
        histories::history_of(seed, Arc::clone(&twins) as Arc<dyn Store>).await;
        twins.compare().await;
    }
}

/// Articles that take over each other's identities.
pub(crate) async fn adopters(home: Home) {
    let twins = Twins::of(&home, "adopters").await;
    let both = Home::of(Arc::clone(&twins) as Arc<dyn Store>);
    store::an_identity_that_was_given_up_is_free_within_the_batch(both).await;
    twins.compare().await;
}

/// Partners of every kind, who get articles later and earlier, and what has gone.
pub(crate) async fn followers(home: Home) {
    let twins = Twins::of(&home, "followers").await;
    partners::follow(Home::of(Arc::clone(&twins) as Arc<dyn Store>), 600).await;
    twins.compare().await;
}

/// Writes behind a fence.
pub(crate) async fn fenced_writes(home: Home) {
    let twins = Twins::of(&home, "fenced").await;
    store::a_write_behind_a_fence_is_done_whole_or_not_at_all(Home::of(
        Arc::clone(&twins) as Arc<dyn Store>
    ))
    .await;
    twins.compare().await;
}

struct Twins {
    file: Arc<SqliteStore>,
    database: Arc<dyn Store>,
    url: String,
}

impl Twins {
    /// New and empty, the database in a schema of its own.
    async fn of(home: &Home, schema: &str) -> Arc<Self> {
        let url = home.url();
        let client = connect(&url).await;
        client.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
        let url = format!("{url}?options=-csearch_path%3D{schema}");
        let file = crate::fixtures::open(&home.folder.path().join(schema));
        Arc::new(Self { file, database: Home::within(&url).await.store, url })
    }

    /// Every row of every table is the same.
    async fn compare(&self) {
        let file = Connection::open(self.file.path()).unwrap();
        let database = connect(&self.url).await;
        let mut tables =
            file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let tables: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        assert!(tables.len() > 10);
        for table in tables {
            let columns = file.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let names: Vec<String> =
                columns.column_names().map(|name| format!("CAST({name} AS TEXT)")).collect();
            let select = format!("SELECT {} FROM {table}", names.join(", "));
            let mut rows: Vec<Vec<Option<String>>> = Vec::new();
            let mut selected = file.prepare(&select).unwrap();
            let mut found = selected.query([]).unwrap();
            while let Some(row) = found.next().unwrap() {
                rows.push((0..names.len()).map(|nth| row.get(nth).unwrap()).collect());
            }
            let others = database.query(&select, &[]).await.unwrap();
            let mut others: Vec<Vec<Option<String>>> = others
                .iter()
                .map(|row| (0..names.len()).map(|nth| row.get(nth)).collect())
                .collect();
            rows.sort();
            others.sort();
            assert_eq!(rows, others, "{table}");
        }
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn same<T: Debug>(what: &str, one: Result<T>, other: Result<T>) -> Result<T> {
    let (told, asked) = (format!("{one:#?}"), format!("{other:#?}"));
    drop(other);
    assert_eq!(told, asked, "{what}");
    one
}

#[async_trait]
impl Store for Twins {
    async fn head(&self) -> Result<Revision> {
        let one = self.file.head().await;
        same("head", one, self.database.head().await)
    }

    async fn changed(&self, seen: Revision) -> Result<Revision> {
        self.file.changed(seen).await
    }

    async fn moved(&self, seen: Revision) -> Result<Moved> {
        let sorted = |moved: Result<Moved>| {
            moved.map(|mut moved| {
                moved.facets.sort();
                moved
            })
        };
        let (one, other) = (self.file.moved(seen).await, self.database.moved(seen).await);
        same("moved", sorted(one), sorted(other))
    }

    async fn mark(&self, facets: &[Facet]) -> Result<Mark> {
        let one = self.file.mark(facets).await;
        same("mark", one, self.database.mark(facets).await)
    }

    async fn snapshot(
        &self,
        facets: &[Facet],
        selection: &Selection,
        window: Window,
    ) -> Result<Snapshot> {
        let one = self.file.snapshot(facets, selection, window).await;
        same("snapshot", one, self.database.snapshot(facets, selection, window).await)
    }

    async fn archive(
        &self,
        settings: &[Facet],
        selection: &Selection,
        span: Span,
    ) -> Result<Option<Snapshot>> {
        let one = self.file.archive(settings, selection, span).await;
        same("archive", one, self.database.archive(settings, selection, span).await)
    }

    async fn article(&self, id: &ArticleId) -> Result<Option<Snapshot>> {
        let one = self.file.article(id).await;
        same("article", one, self.database.article(id).await)
    }

    async fn settle(&self, name: &str, value: &str) -> Result<String> {
        let one = self.file.settle(name, value).await;
        same("settle", one, self.database.settle(name, value).await)
    }

    async fn log(&self, since: Revision, limit: NonZeroU16) -> Result<Vec<Change>> {
        let one = self.file.log(since, limit).await;
        same("log", one, self.database.log(since, limit).await)
    }

    async fn latest(
        &self,
        since: Cursor,
        shift_minutes: i16,
        limit: NonZeroU16,
    ) -> Result<Vec<Latest>> {
        let one = self.file.latest(since.clone(), shift_minutes, limit).await;
        same("latest", one, self.database.latest(since, shift_minutes, limit).await)
    }

    async fn last(&self, id: &ArticleId, shift_minutes: i16) -> Result<Option<Latest>> {
        let one = self.file.last(id, shift_minutes).await;
        same("last", one, self.database.last(id, shift_minutes).await)
    }

    async fn categories(&self) -> Result<Vec<Category>> {
        let one = self.file.categories().await;
        same("categories", one, self.database.categories().await)
    }

    async fn census(&self) -> Result<Census> {
        let one = self.file.census().await;
        same("census", one, self.database.census().await)
    }

    async fn upsert(
        &self,
        batch: Vec<Submission>,
        intake: Intake,
        now: DateTime<Utc>,
    ) -> Result<Receipt> {
        let one = self.file.upsert(batch.clone(), intake, now).await;
        same("upsert", one, self.database.upsert(batch, intake, now).await)
    }

    async fn amend(&self, amendments: Vec<Amendment>, now: DateTime<Utc>) -> Result<Receipt> {
        let one = self.file.amend(amendments.clone(), now).await;
        same("amend", one, self.database.amend(amendments, now).await)
    }

    async fn adopt(&self, adoptions: Vec<Adoption>, now: DateTime<Utc>) -> Result<Receipt> {
        let one = self.file.adopt(adoptions.clone(), now).await;
        same("adopt", one, self.database.adopt(adoptions, now).await)
    }

    async fn withdraw(
        &self,
        ids: Vec<ArticleId>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<Outcome>>> {
        let one = self.file.withdraw(ids.clone(), now).await;
        same("withdraw", one, self.database.withdraw(ids, now).await)
    }

    async fn release(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let one = self.file.release(now).await;
        same("release", one, self.database.release(now).await)
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let one = self.file.tokens().await;
        same("tokens", one, self.database.tokens().await)
    }

    async fn issue(&self, token: Token, others_end: Option<DateTime<Utc>>) -> Result<()> {
        let one = self.file.issue(token.clone(), others_end).await;
        same("issue", one, self.database.issue(token, others_end).await)
    }

    async fn revoke(
        &self,
        partner: &Slug,
        holder: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<usize> {
        let one = self.file.revoke(partner, holder, now).await;
        same("revoke", one, self.database.revoke(partner, holder, now).await)
    }

    async fn deliver(&self, deliveries: Vec<Delivery>) -> Result<()> {
        let one = self.file.deliver(deliveries.clone()).await;
        same("deliver", one, self.database.deliver(deliveries).await)
    }

    async fn deliveries(&self, partner: &Slug) -> Result<Vec<Delivery>> {
        let one = self.file.deliveries(partner).await;
        same("deliveries", one, self.database.deliveries(partner).await)
    }

    async fn declare(
        &self,
        fingerprints: Vec<(Facet, u64)>,
        now: DateTime<Utc>,
    ) -> Result<Revision> {
        let one = self.file.declare(fingerprints.clone(), now).await;
        same("declare", one, self.database.declare(fingerprints, now).await)
    }

    async fn disturbed(
        &self,
        selection: &Selection,
        since: Revision,
    ) -> Result<Option<BTreeSet<u64>>> {
        let one = self.file.disturbed(selection, since).await;
        same("disturbed", one, self.database.disturbed(selection, since).await)
    }

    async fn remember(&self, entries: Vec<(String, Option<String>)>) -> Result<()> {
        let one = self.file.remember(entries.clone()).await;
        same("remember", one, self.database.remember(entries).await)
    }

    async fn follow(&self, write: Fenced, now: DateTime<Utc>) -> Result<Option<Done>> {
        let one = self.file.follow(write.clone(), now).await;
        same("follow", one, self.database.follow(write, now).await)
    }

    async fn recall(&self, names: Vec<String>) -> Result<Vec<Option<String>>> {
        let one = self.file.recall(names.clone()).await;
        same("recall", one, self.database.recall(names).await)
    }

    async fn recall_after(
        &self,
        prefix: &str,
        after: &str,
        limit: NonZeroU16,
    ) -> Result<Vec<(String, String)>> {
        let one = self.file.recall_after(prefix, after, limit).await;
        same("recall_after", one, self.database.recall_after(prefix, after, limit).await)
    }
}

crate::cases!(fenced_writes, histories, more_histories, adopters, followers);
