//! The store of those who run more than one Courant: a PostgreSQL database.
//!
//! The tables and the rules are those of the embedded store. Commits are on the server's disk before they are acknowledged,
//! and news of them travels to every replica.

mod changes;
mod copy;
mod draft;
mod listen;
mod partners;
mod pool;
mod push;
mod read;
mod remembered;
mod replica;
mod row;
mod schema;
mod server;
mod session;
mod shift;
mod tls;
mod write;

pub use copy::{PostgresSource, PostgresTarget};

use std::{collections::BTreeSet, num::NonZeroU16, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    article::{
        Adoption, Amendment, ArticleId, Change, Cursor, Latest, Mark, Revision, Snapshot, Span,
        Submission, Window,
    },
    category::{Category, Facet, Selection, Slug},
    store::{
        Cause, Census, Delivery, Done, Fenced, Grant, Intake, Moved, Outcome, Push, Pushed,
        Receipt, Result, Store, StoreError, Stored, Token,
        news::{announce, take_back},
        postgres::{
            pool::{Pool, pool},
            read::View,
            replica::{Replica, Witness},
            server::Server,
            session::Session,
        },
        read as rules, shelf, stored,
        tables::{Counter, Reader},
    },
    text::DatabaseUrl,
    told::Told,
};

/// How often writes are looked for, should news of one not come: well before those give up who wait for a second.
const LOOK: Duration = Duration::from_millis(500);

/// Connections for reading at the same time; there is one more for writing, and one for news.
const READERS: usize = 8;

/// How long to wait for one of them while all are in use; writers wait for those before them.
const READ_WAIT: Duration = Duration::from_secs(5);
const WRITE_WAIT: Duration = Duration::from_secs(20);

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    shown: String,
    /// Who mints identities here.
    authority: String,
    writer: Pool,
    readers: Pool,
    replica: Option<Replica>,
    news: watch::Sender<Revision>,
    listening: JoinHandle<()>,
}

impl PostgresStore {
    /// Opens the database, and makes its tables where there are none. A new store mints identities under `authority`
    /// (`example.com,2026`, RFC 4151) for ever; an old one keeps its own. What is read comes from `replica` as far as that
    /// has all that was announced here; one that answers and is a copy of something else is refused.
    pub async fn open(
        url: &DatabaseUrl,
        replica: Option<&DatabaseUrl>,
        authority: &str,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let opened = |source: Cause| StoreError::Open { path: url.to_string(), source };
        let server = Server::new(url, true).map_err(opened)?;
        let writer = pool(server.clone(), 1, WRITE_WAIT).map_err(opened)?;
        let readers = pool(server.clone(), READERS, READ_WAIT).map_err(opened)?;
        let replica = replica.map(|url| {
            let opened = |source: Cause| StoreError::Open { path: url.to_string(), source };
            let readers =
                Server::new(url, false).and_then(|server| pool(server, READERS, READ_WAIT));
            let readers = readers.map_err(opened)?;
            Ok::<_, StoreError>(Replica::new(url.to_string(), readers))
        });
        let replica = replica.transpose()?;
        let (shown, authority) = (server.shown.clone(), authority.to_owned());
        let prepared = run(&writer, move |session| {
            let channel = schema::prepare(session, &shown, &authority, now)?;
            Ok((channel, View::new(session)?.counter()?))
        });
        let (channel, Counter { head, authority, .. }) = match prepared.await.0 {
            Err(StoreError::Failed(source)) => return Err(opened(source)),
            answer => answer?,
        };
        let news = watch::Sender::new(head);
        let shown = server.shown.clone();
        let listening = tokio::spawn(listen::follow(server, channel, news.clone()));
        let store = Self { shown, authority, writer, readers, replica, news, listening };
        if let Some(replica) = &store.replica {
            match store.is_copied_by(replica).await {
                Ok(true) => {}
                Ok(false) => {
                    let (path, source) = (replica.shown.clone(), store.stranger().into());
                    return Err(StoreError::Open { path, source });
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the read replica does not answer");
                }
            }
        }
        Ok(store)
    }

    /// Where it is, without the password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Reads one state, from the replica where that will do.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&View<'_>) -> Result<T> + Clone + Send + 'static,
    ) -> Result<T> {
        if let Some(replica) = self.replica.as_ref().filter(|replica| !replica.rests()) {
            match self.read_copy(replica, work.clone()).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(StoreError::Failed(error)) => {
                    tracing::warn!(error = &*error, "the read replica is left alone for a while");
                    replica.rest();
                }
                Err(error) => return Err(error),
            }
        }
        self.recent(work).await
    }

    /// Reads one state of the replica, unless that has not yet what was announced here.
    async fn read_copy<T: Send + 'static>(
        &self,
        replica: &Replica,
        work: impl Fn(&View<'_>) -> Result<T> + Clone + Send + 'static,
    ) -> Result<Option<T>> {
        if !replica.is_known() && !self.is_copied_by(replica).await? {
            return Err(StoreError::Failed(self.stranger().into()));
        }
        let least = *self.news.borrow();
        let read = move |view: &View<'_>| {
            if view.head() < least { Ok(None) } else { work(view).map(Some) }
        };
        let (answer, head) = ask(&replica.readers, read).await?;
        announce(&self.news, head);
        Ok(answer)
    }

    /// Whether what is called the replica is one, as far as can be told.
    async fn is_copied_by(&self, replica: &Replica) -> Result<bool> {
        let (witness, _) = ask(&replica.readers, Witness::of).await?;
        let is_copy = self.recent(move |view| witness.is_of(view)).await?;
        if is_copy {
            replica.know();
        }
        Ok(is_copy)
    }

    /// Why a replica is none.
    fn stranger(&self) -> String {
        format!(
            "it is another store than `{}`; name a replica of that one under `read`, or none",
            self.shown
        )
    }

    /// Reads one state from the server that is written to: what moves no revision cannot be asked of a copy.
    async fn recent<T: Send + 'static>(
        &self,
        work: impl Fn(&View<'_>) -> Result<T> + Clone + Send + 'static,
    ) -> Result<T> {
        let (answer, head) = ask(&self.readers, work).await?;
        announce(&self.news, head);
        Ok(answer)
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, left) = run(&self.writer, work).await;
        announce(&self.news, left.head);
        answer
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// What a conversation leaves behind beside its answer.
#[derive(Default)]
struct Left {
    head: Revision,
    is_lost: bool,
}

/// Reads one state, and says which. What was lost with its connection is asked once more: a server that came back has
/// closed all that there were.
async fn ask<T: Send + 'static>(
    pool: &Pool,
    work: impl Fn(&View<'_>) -> Result<T> + Clone + Send + 'static,
) -> Result<(T, Revision)> {
    let read = move |session: &Session| {
        let answer = work(&View::new(session)?)?;
        session.end()?;
        Ok(answer)
    };
    let (mut answer, mut left) = run(pool, read.clone()).await;
    if left.is_lost {
        (answer, left) = run(pool, read).await;
    }
    Ok((answer?, left.head))
}

/// Has a conversation, on a thread of its own.
async fn run<T: Send + 'static>(
    pool: &Pool,
    work: impl FnOnce(&Session) -> Result<T> + Send + 'static,
) -> (Result<T>, Left) {
    let session = match Session::new(pool).await {
        Ok(session) => session,
        Err(error) => return (Err(error), Left::default()),
    };
    let conversation = tokio::task::spawn_blocking(move || {
        let answer = work(&session);
        let is_lost = answer.is_err() && session.is_lost();
        (answer, Left { head: session.head(), is_lost })
    });
    match conversation.await {
        Ok(ended) => ended,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(_) => (Err(StoreError::Closing), Left::default()),
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn head(&self) -> Result<Revision> {
        self.recent(|view| Ok(view.head())).await
    }

    async fn changed(&self, seen: Revision) -> Result<Revision> {
        let mut news = self.news.subscribe();
        loop {
            let told = async { news.wait_for(|head| *head > seen).await.map(|head| *head) };
            let head = match tokio::time::timeout(LOOK, told).await {
                Ok(told) => told.map_err(|_| StoreError::Closing)?,
                // Elapsed: news of a write may have been lost.
                Err(_) => self.head().await?,
            };
            if head != seen {
                take_back(&self.news, head, seen);
                return Ok(head);
            }
        }
    }

    async fn moved(&self, seen: Revision) -> Result<Moved> {
        // Not of a copy: what is asked is what copies may not have yet, or have from before a fail-over.
        let moved = self.recent(move |view| view.moved(seen)).await?;
        take_back(&self.news, moved.head, seen);
        Ok(moved)
    }

    async fn mark(&self, facets: &[Facet]) -> Result<Mark> {
        let facets = facets.to_vec();
        self.read(move |view| view.mark(&facets)).await
    }

    async fn snapshot(
        &self,
        facets: &[Facet],
        selection: &Selection,
        window: Window,
    ) -> Result<Snapshot> {
        let (facets, selection) = (facets.to_vec(), selection.clone());
        self.read(move |view| rules::snapshot(view, &facets, &selection, window)).await
    }

    async fn archive(
        &self,
        settings: &[Facet],
        selection: &Selection,
        span: Span,
    ) -> Result<Option<Snapshot>> {
        let (settings, selection) = (settings.to_vec(), selection.clone());
        self.read(move |view| rules::archive(view, &settings, &selection, span)).await
    }

    async fn disturbed(
        &self,
        selection: &Selection,
        since: Revision,
    ) -> Result<Option<BTreeSet<u64>>> {
        let facets = selection.facets();
        self.read(move |view| shelf::disturbed(view, &facets, since)).await
    }

    async fn article(&self, id: &ArticleId) -> Result<Option<Snapshot>> {
        let id = id.clone();
        self.read(move |view| rules::article(view, &id)).await
    }

    async fn settle(&self, name: &str, value: &str) -> Result<String> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |session| write::settle(session, &name, &value)).await
    }

    async fn remember(&self, entries: Vec<(String, Option<String>)>) -> Result<()> {
        self.write(move |session| remembered::remember(session, &entries)).await
    }

    async fn follow(&self, write: Fenced, now: DateTime<Utc>) -> Result<Option<Done>> {
        let authority = self.authority.clone();
        let told = Told::from(now);
        self.write(move |session| remembered::follow(session, &authority, write, told)).await
    }

    async fn recall(&self, names: Vec<String>) -> Result<Vec<Option<String>>> {
        self.recent(move |view| remembered::recall(view.session(), &names)).await
    }

    async fn recall_after(
        &self,
        prefix: &str,
        after: &str,
        limit: NonZeroU16,
    ) -> Result<Vec<(String, String)>> {
        let (prefix, after) = (prefix.to_owned(), after.to_owned());
        let work =
            move |view: &View<'_>| remembered::recall_after(view.session(), &prefix, &after, limit);
        self.recent(work).await
    }

    async fn log(&self, since: Revision, limit: NonZeroU16) -> Result<Vec<Change>> {
        self.read(move |view| view.log(since, limit)).await
    }

    async fn latest(
        &self,
        since: Cursor,
        shift_minutes: i16,
        limit: NonZeroU16,
    ) -> Result<Vec<Latest>> {
        self.read(move |view| view.latest(&since, shift_minutes, limit)).await
    }

    async fn last(&self, id: &ArticleId, shift_minutes: i16) -> Result<Option<Latest>> {
        let id = id.clone();
        self.read(move |view| view.last(&id, shift_minutes)).await
    }

    async fn categories(&self) -> Result<Vec<Category>> {
        self.read(|view| read::categories(view.session())).await
    }

    async fn census(&self) -> Result<Census> {
        self.read(|view| read::census(view.session())).await
    }

    async fn cleaned_before(
        &self,
        version: u32,
        after: Option<ArticleId>,
        limit: NonZeroU16,
    ) -> Result<Vec<ArticleId>> {
        self.read(move |view| read::cleaned_before(view.session(), version, after.as_ref(), limit))
            .await
    }

    async fn upsert(
        &self,
        batch: Vec<Submission>,
        intake: Intake,
        now: DateTime<Utc>,
    ) -> Result<Receipt> {
        let authority = self.authority.clone();
        let told = Told::from(now);
        self.write(move |session| write::upsert(session, &authority, batch, intake, told)).await
    }

    async fn adopt(&self, adoptions: Vec<Adoption>, now: DateTime<Utc>) -> Result<Receipt> {
        let told = Told::from(now);
        self.write(move |session| write::adopt(session, adoptions, told)).await
    }

    async fn amend(&self, amendments: Vec<Amendment>, now: DateTime<Utc>) -> Result<Receipt> {
        let told = Told::from(now);
        self.write(move |session| write::amend(session, amendments, told)).await
    }

    async fn withdraw(
        &self,
        ids: Vec<ArticleId>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<Outcome>>> {
        let told = Told::from(now);
        self.write(move |session| write::withdraw(session, &ids, told)).await
    }

    async fn release(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let told = Told::from(now);
        self.write(move |session| write::release(session, told)).await
    }

    async fn declare(
        &self,
        fingerprints: Vec<(Facet, u64)>,
        now: DateTime<Utc>,
    ) -> Result<Revision> {
        let told = Told::from(now);
        self.write(move |session| write::declare(session, fingerprints, told)).await
    }

    async fn time(&self) -> Result<DateTime<Utc>> {
        self.recent(|view| Ok(stored::time(view.counter()?.changed))).await
    }

    async fn authority(&self) -> Result<String> {
        Ok(self.authority.clone())
    }

    async fn repair_clock(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let told = Told::from(now);
        self.write(move |session| write::repair_clock(session, told)).await
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        self.recent(|view| partners::tokens(view.session())).await
    }

    async fn issue(&self, token: Token, others_end: Option<DateTime<Utc>>) -> Result<()> {
        self.write(move |session| partners::issue(session, &token, others_end)).await
    }

    async fn revoke(
        &self,
        partner: &Slug,
        holder: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<usize> {
        let (partner, holder) = (partner.clone(), holder.map(str::to_owned));
        let told = Told::from(now);
        self.write(move |session| partners::revoke(session, &partner, holder.as_deref(), told))
            .await
    }

    async fn deliver(&self, deliveries: Vec<Delivery>) -> Result<()> {
        self.write(move |session| partners::deliver(session, &deliveries)).await
    }

    async fn deliveries(&self, partner: &Slug) -> Result<Vec<Delivery>> {
        let partner = partner.clone();
        self.recent(move |view| partners::deliveries(view.session(), &partner)).await
    }

    async fn push(&self, push: Push, now: DateTime<Utc>) -> Result<Pushed> {
        let told = Told::from(now);
        self.write(move |session| push::push(session, &push, told)).await
    }

    async fn stored(&self, id: &ArticleId) -> Result<Option<Stored>> {
        let id = id.clone();
        self.recent(move |view| push::stored(view, &id)).await
    }

    async fn inventory(&self, before: Option<Cursor>, limit: NonZeroU16) -> Result<Vec<Stored>> {
        self.read(move |view| push::inventory(view, before.as_ref(), limit.get())).await
    }

    async fn grants(&self) -> Result<Vec<Grant>> {
        self.recent(|view| push::grants(view.session())).await
    }

    async fn grant(&self, grant: Grant) -> Result<()> {
        self.write(move |session| push::grant(session, &grant)).await
    }

    async fn retract(&self, name: &Slug, now: DateTime<Utc>) -> Result<usize> {
        let name = name.clone();
        self.write(move |session| push::retract(session, &name, now)).await
    }
}
