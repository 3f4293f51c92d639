//! The embedded store: one SQLite file.
//!
//! Write-ahead log with a sync at every commit: what was acknowledged is on disk, and readers never wait for writers.

mod copy;
mod identity;
mod partners;
mod push;
mod read;
mod remembered;
mod row;
mod schema;
mod shift;
mod tables;
mod write;

pub use copy::{SqliteSource, SqliteTarget};

use std::{
    collections::BTreeSet,
    num::NonZeroU16,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{
    article::{
        Adoption, Amendment, ArticleId, Change, Cursor, Latest, Mark, Revision, Snapshot, Span,
        Submission, Window,
    },
    category::{Category, Facet, Selection, Slug},
    store::{
        Census, Delivery, Done, Fenced, Grant, Intake, Moved, Outcome, Push, Pushed, Receipt,
        Result, Store, StoreError, Stored, Token,
        news::{announce, take_back},
        read as rules, shelf,
        sqlite::identity::OpenedFiles,
        stored,
    },
    told::Told,
};

/// How often writes of other processes are looked for; a change is to be seen within a second.
const LOOK: Duration = Duration::from_millis(200);

/// How long a writer waits for another process to finish.
const BUSY: Duration = Duration::from_secs(30);

/// Connections for reading at the same time.
const READERS: usize = 4;

/// A store in one file.
pub struct SqliteStore {
    path: PathBuf,
    readers: Arc<Mutex<Vec<Connection>>>,
    files: OpenedFiles,
    /// Closed after the readers: the last to go puts what was written ahead into the file, and readers cannot.
    writer: Arc<Mutex<Connection>>,
    permits: Arc<Semaphore>,
    news: watch::Sender<Revision>,
}

impl SqliteStore {
    /// Opens the file, or makes it. A new store mints identities under `authority` (`example.com,2026`, RFC 4151) for
    /// ever; an old one keeps its own.
    pub fn open(path: &Path, authority: &str, now: DateTime<Utc>) -> Result<Self> {
        let open = |flags| {
            Connection::open_with_flags(path, flags).map_err(|source| StoreError::Open {
                path: path.display().to_string(),
                source: source.into(),
            })
        };
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // A failure is reported by SQLite, which opens the file next.
        let _ = identity::create_private(path);
        let mut writer =
            open(flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        schema::prepare(&mut writer, path, Some(authority), now)?;
        let mut readers = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let reader = open(flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            reader.busy_timeout(BUSY)?;
            readers.push(reader);
        }
        let head = read::head(&writer)?;
        Ok(Self {
            path: path.to_owned(),
            files: OpenedFiles::of(path),
            writer: Arc::new(Mutex::new(writer)),
            readers: Arc::new(Mutex::new(readers)),
            permits: Arc::new(Semaphore::new(READERS)),
            news: watch::Sender::new(head),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closing)?;
        let readers = Arc::clone(&self.readers);
        blocking(move || {
            let reader = lock(&readers).pop().expect("there are as many readers as permits");
            let lent = Lent { reader: Some(reader), readers, _permit: permit };
            work(lent.reader.as_ref().expect("it is given back at the end"))
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (writer, files) = (Arc::clone(&self.writer), self.files.clone());
        let (answer, head) = blocking(move || {
            let mut writer = lock(&writer);
            files.check()?;
            let answer = work(&mut writer);
            Ok((answer, read::head(&writer)))
        })
        .await?;
        // What was written is written, whatever becomes of this look.
        let Ok(head) = head else { return answer };
        announce(&self.news, head);
        answer
    }
}

/// A reader that is given back, whatever happens to who has it.
struct Lent {
    reader: Option<Connection>,
    readers: Arc<Mutex<Vec<Connection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Lent {
    fn drop(&mut self) {
        lock(&self.readers).extend(self.reader.take());
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.into())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(_) => Err(StoreError::Closing),
    }
}

/// A panic while the lock was held has rolled its transaction back, so the connection is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Store for SqliteStore {
    async fn head(&self) -> Result<Revision> {
        let files = self.files.clone();
        self.read(move |reader| {
            files.check()?;
            read::head(reader)
        })
        .await
    }

    async fn changed(&self, seen: Revision) -> Result<Revision> {
        let mut news = self.news.subscribe();
        loop {
            let head = self.head().await?;
            if head != seen {
                take_back(&self.news, head, seen);
                return Ok(head);
            }
            // Elapsed: another process may have written.
            let _ = tokio::time::timeout(LOOK, news.wait_for(|head| *head > seen)).await;
        }
    }

    async fn moved(&self, seen: Revision) -> Result<Moved> {
        let moved = self.read(move |reader| read::moved(reader, seen)).await?;
        take_back(&self.news, moved.head, seen);
        Ok(moved)
    }

    async fn mark(&self, facets: &[Facet]) -> Result<Mark> {
        let facets = facets.to_vec();
        self.read(move |reader| read::mark(reader, &facets)).await
    }

    async fn snapshot(
        &self,
        facets: &[Facet],
        selection: &Selection,
        window: Window,
    ) -> Result<Snapshot> {
        let (facets, selection) = (facets.to_vec(), selection.clone());
        self.read(move |reader| {
            rules::snapshot(&*reader.unchecked_transaction()?, &facets, &selection, window)
        })
        .await
    }

    async fn archive(
        &self,
        settings: &[Facet],
        selection: &Selection,
        span: Span,
    ) -> Result<Option<Snapshot>> {
        let (settings, selection) = (settings.to_vec(), selection.clone());
        self.read(move |reader| {
            rules::archive(&*reader.unchecked_transaction()?, &settings, &selection, span)
        })
        .await
    }

    async fn disturbed(
        &self,
        selection: &Selection,
        since: Revision,
    ) -> Result<Option<BTreeSet<u64>>> {
        let facets = selection.facets();
        self.read(move |reader| shelf::disturbed(&*reader.unchecked_transaction()?, &facets, since))
            .await
    }

    async fn article(&self, id: &ArticleId) -> Result<Option<Snapshot>> {
        let id = id.clone();
        self.read(move |reader| rules::article(&*reader.unchecked_transaction()?, &id)).await
    }

    async fn settle(&self, name: &str, value: &str) -> Result<String> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |writer| write::settle(writer, &name, &value)).await
    }

    async fn remember(&self, entries: Vec<(String, Option<String>)>) -> Result<()> {
        self.write(move |writer| remembered::remember(writer, &entries)).await
    }

    async fn follow(&self, write: Fenced, now: DateTime<Utc>) -> Result<Option<Done>> {
        let told = Told::from(now);
        self.write(move |writer| remembered::follow(writer, write, told)).await
    }

    async fn recall(&self, names: Vec<String>) -> Result<Vec<Option<String>>> {
        self.read(move |reader| remembered::recall(reader, &names)).await
    }

    async fn recall_after(
        &self,
        prefix: &str,
        after: &str,
        limit: NonZeroU16,
    ) -> Result<Vec<(String, String)>> {
        let (prefix, after) = (prefix.to_owned(), after.to_owned());
        self.read(move |reader| remembered::recall_after(reader, &prefix, &after, limit)).await
    }

    async fn log(&self, since: Revision, limit: NonZeroU16) -> Result<Vec<Change>> {
        self.read(move |reader| read::log(reader, since, limit)).await
    }

    async fn latest(
        &self,
        since: Cursor,
        shift_minutes: i16,
        limit: NonZeroU16,
    ) -> Result<Vec<Latest>> {
        self.read(move |reader| read::latest(reader, &since, shift_minutes, limit)).await
    }

    async fn last(&self, id: &ArticleId, shift_minutes: i16) -> Result<Option<Latest>> {
        let id = id.clone();
        self.read(move |reader| read::last(reader, &id, shift_minutes)).await
    }

    async fn categories(&self) -> Result<Vec<Category>> {
        self.read(read::categories).await
    }

    async fn census(&self) -> Result<Census> {
        self.read(read::census).await
    }

    async fn cleaned_before(
        &self,
        version: u32,
        after: Option<ArticleId>,
        limit: NonZeroU16,
    ) -> Result<Vec<ArticleId>> {
        self.read(move |reader| read::cleaned_before(reader, version, after.as_ref(), limit)).await
    }

    async fn upsert(
        &self,
        batch: Vec<Submission>,
        intake: Intake,
        now: DateTime<Utc>,
    ) -> Result<Receipt> {
        let told = Told::from(now);
        self.write(move |writer| write::upsert(writer, batch, intake, told)).await
    }

    async fn adopt(&self, adoptions: Vec<Adoption>, now: DateTime<Utc>) -> Result<Receipt> {
        let told = Told::from(now);
        self.write(move |writer| write::adopt(writer, adoptions, told)).await
    }

    async fn amend(&self, amendments: Vec<Amendment>, now: DateTime<Utc>) -> Result<Receipt> {
        let told = Told::from(now);
        self.write(move |writer| write::amend(writer, amendments, told)).await
    }

    async fn withdraw(
        &self,
        ids: Vec<ArticleId>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<Outcome>>> {
        let told = Told::from(now);
        self.write(move |writer| write::withdraw(writer, &ids, told)).await
    }

    async fn release(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let told = Told::from(now);
        self.write(move |writer| write::release(writer, told)).await
    }

    async fn declare(
        &self,
        fingerprints: Vec<(Facet, u64)>,
        now: DateTime<Utc>,
    ) -> Result<Revision> {
        let told = Told::from(now);
        self.write(move |writer| write::declare(writer, fingerprints, told)).await
    }

    async fn time(&self) -> Result<DateTime<Utc>> {
        self.read(|reader| Ok(stored::time(read::counter(reader)?.changed))).await
    }

    async fn authority(&self) -> Result<String> {
        self.read(|reader| Ok(read::counter(reader)?.authority)).await
    }

    async fn repair_clock(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let told = Told::from(now);
        self.write(move |writer| write::repair_clock(writer, told)).await
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        self.read(partners::tokens).await
    }

    async fn issue(&self, token: Token, others_end: Option<DateTime<Utc>>) -> Result<()> {
        self.write(move |writer| partners::issue(writer, &token, others_end)).await
    }

    async fn revoke(
        &self,
        partner: &Slug,
        holder: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<usize> {
        let (partner, holder) = (partner.clone(), holder.map(str::to_owned));
        let told = Told::from(now);
        self.write(move |writer| partners::revoke(writer, &partner, holder.as_deref(), told)).await
    }

    async fn deliver(&self, deliveries: Vec<Delivery>) -> Result<()> {
        self.write(move |writer| partners::deliver(writer, &deliveries)).await
    }

    async fn deliveries(&self, partner: &Slug) -> Result<Vec<Delivery>> {
        let partner = partner.clone();
        self.read(move |reader| partners::deliveries(reader, &partner)).await
    }

    async fn push(&self, push: Push, now: DateTime<Utc>) -> Result<Pushed> {
        let told = Told::from(now);
        self.write(move |writer| push::push(writer, &push, told)).await
    }

    async fn stored(&self, id: &ArticleId) -> Result<Option<Stored>> {
        let id = id.clone();
        self.read(move |reader| push::stored(reader, &id)).await
    }

    async fn inventory(&self, before: Option<Cursor>, limit: NonZeroU16) -> Result<Vec<Stored>> {
        self.read(move |reader| push::inventory(reader, before.as_ref(), limit.get())).await
    }

    async fn grants(&self) -> Result<Vec<Grant>> {
        self.read(push::grants).await
    }

    async fn grant(&self, grant: Grant) -> Result<()> {
        self.write(move |writer| push::grant(writer, &grant)).await
    }

    async fn retract(&self, name: &Slug, now: DateTime<Utc>) -> Result<usize> {
        let name = name.clone();
        self.write(move |writer| push::retract(writer, &name, now)).await
    }
}
