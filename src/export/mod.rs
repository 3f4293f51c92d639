//! A static edition: everything that is public, as files for a web server or a CDN.
//!
//! A pass writes what changed since the one before, by the store's log, and nothing that is linked to is ever missing:
//! pieces come before what leads to them, and go after it. It may end at any instant; the next one goes on.

mod bucket;
mod episodes;
mod feed;
mod folder;
mod piece;
mod record;
mod target;
mod watch;

pub use bucket::Bucket;
pub use folder::Folder;
pub use piece::{CODED, Piece};
pub use target::{Cause, Target, TargetError, Written};

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    article::Revision,
    category::Facet,
    feed::FeedSpec,
    publish::{Document, PublishError, Publisher},
    store::{Moved, StoreError},
};
use record::{LAYOUT, ROOT, Record, Root, Witness};

/// How long a pass may take to come to a good end when it is to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Why an export did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The target failed.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The store failed.
    #[error("cannot read the articles")]
    Store(#[from] StoreError),
    /// It was asked to stop.
    #[error("stopped before all was written; the next export goes on from here")]
    Stopped,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The last write that is shown.
    pub revision: Revision,
    /// Feeds that were looked at.
    pub feeds: u64,
    /// Files that were written, codings counted.
    pub files_written: u64,
    /// Their size.
    pub bytes_written: u64,
    /// Files that were removed.
    pub files_removed: u64,
    /// Documents that could not be made: those of before stay.
    pub problems: Vec<String>,
}

/// How an export goes about it.
pub struct Options {
    /// Write nothing, and count what would be.
    pub rehearse: bool,
    /// What time it is.
    pub clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Told how many feeds are done, and of how many.
    pub progress: Box<dyn Fn(usize, usize) + Send + Sync>,
    /// Cancelled when it is to stop.
    pub stop: CancellationToken,
}

/// Writes a static edition.
pub struct Exporter {
    publisher: Arc<Publisher>,
    target: Target,
    options: Options,
    summary: Mutex<Summary>,
}

/// What a pass goes by.
struct Pass {
    head: Revision,
    generation: u64,
    /// Whether what a feed stands at is enough to pass it over.
    skips: bool,
    /// Whether any feed may have gone.
    may_lose_feeds: bool,
}

impl Exporter {
    /// Of what a publisher has, to a target.
    pub fn new(publisher: Arc<Publisher>, target: Target, options: Options) -> Self {
        Self { publisher, target, options, summary: Mutex::default() }
    }

    /// Brings the target up to date, and nobody else writes there meanwhile.
    pub async fn run(&self) -> Result<Summary, ExportError> {
        if self.options.rehearse {
            return self.pass().await;
        }
        self.alone(self.pass()).await
    }

    /// Does something while nobody else writes to the target. When it is to stop, it may come to a good end, but not take
    /// for ever: what a target is asked for may be tried again for minutes.
    async fn alone<T>(
        &self,
        work: impl Future<Output = Result<T, ExportError>>,
    ) -> Result<T, ExportError> {
        let patience = async {
            self.options.stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let locked_work = async {
            self.target.lock(self.now()).await?;
            let done = tokio::select! {
                biased;
                done = work => done,
                lost = self.target.keep(&self.options.clock) => Err(lost.into()),
            };
            self.target.release().await;
            done
        };
        tokio::select! {
            biased;
            done = locked_work => done,
            () = patience => Err(ExportError::Stopped),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.options.clock)()
    }

    fn tally(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what is due, and writes what changed.
    async fn pass(&self) -> Result<Summary, ExportError> {
        *self.tally() = Summary::default();
        let store = self.publisher.store();
        if !self.options.rehearse {
            self.publisher.refresh(self.now()).await?;
        }
        let known = self.root().await?;
        let mut root = self.begin(known.clone()).await?;
        let is_anew = known.as_ref().is_none_or(|known| known.generation != root.generation);
        // Another program may write otherwise what the log knows nothing of.
        let is_whole = is_anew || root.program != env!("CARGO_PKG_VERSION");
        let base = if is_whole { Revision(0) } else { root.head };
        let Moved { head, facets } = store.moved(base).await?;
        let moved: HashSet<&Facet> = facets.iter().collect();
        let may_lose_feeds =
            is_whole || root.head == Revision(0) || moved.contains(&Facet::catalogue());
        let lists = may_lose_feeds || moved.contains(&Facet::site());
        let is_touched = |spec: &FeedSpec| spec.marks().iter().any(|mark| moved.contains(mark));
        let mut feeds = self.publisher.feeds();
        feeds.retain(|spec| is_whole || is_touched(spec));
        let pass = Pass {
            head,
            generation: root.generation,
            skips: root.program == env!("CARGO_PKG_VERSION"),
            may_lose_feeds,
        };

        let mut is_changed = is_anew && !self.options.rehearse;
        if is_changed {
            self.target.note(ROOT, record::written(&root)).await?;
        }
        for document in [Document::Style, Document::Robots] {
            is_changed |= self.listing(&document, &mut root).await?;
        }
        let stale = self.episodes(&moved, base).await?;
        self.feeds(&feeds, &pass).await?;
        if lists {
            for document in [Document::Opml, Document::Index] {
                is_changed |= self.listing(&document, &mut root).await?;
            }
        }
        for name in stale {
            self.remove(&name).await?;
        }
        if pass.may_lose_feeds {
            self.part_with_feeds().await?;
        }
        // Heads that nothing public came with are not worth a file; the next pass asks the store a little more.
        is_changed |= !feeds.is_empty() || lists || moved.contains(&Facet::episodes());
        if is_changed && !self.options.rehearse {
            let witness = Witness::of(store.mark(&[Facet::all()]).await?);
            let witness = witness.filter(|witness| witness.revision <= head).or(root.witness);
            let program = env!("CARGO_PKG_VERSION").to_owned();
            root = Root { program, head, witness, ..root };
            self.target.note(ROOT, record::written(&root)).await?;
        }
        let mut summary = self.tally();
        summary.revision = head;
        Ok(summary.clone())
    }

    async fn root(&self) -> Result<Option<Root>, ExportError> {
        let bytes = self.target.read(ROOT).await?;
        // One that does not read back is as good as none.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// What is known of the target, if the store still knows it too; otherwise a new beginning.
    async fn begin(&self, known: Option<Root>) -> Result<Root, ExportError> {
        let store = self.publisher.store();
        if let Some(known) = known.filter(|known| known.layout == LAYOUT) {
            let is_known = match known.witness {
                None => true,
                Some(Witness { revision, at }) => {
                    let before = Revision(revision.0.saturating_sub(1));
                    let one = const { std::num::NonZeroU16::new(1).expect("1 is not zero") };
                    let change = store.log(before, one).await?;
                    change
                        .first()
                        .is_some_and(|change| change.revision == revision && change.at == at)
                }
            };
            if is_known && known.head <= store.head().await? {
                return Ok(known);
            }
        }
        let witness = Witness::of(store.mark(&[Facet::all()]).await?);
        let program = env!("CARGO_PKG_VERSION").to_owned();
        // Records of an export whose own file is lost must not count.
        let generation =
            getrandom::u64().unwrap_or_else(|_| self.now().timestamp_micros().unsigned_abs());
        Ok(Root { layout: LAYOUT, program, generation, witness, ..Root::default() })
    }

    async fn feeds(&self, feeds: &[Arc<FeedSpec>], pass: &Pass) -> Result<(), ExportError> {
        let count = feeds.len();
        let work = feeds.iter().map(|spec| async move {
            if self.options.stop.is_cancelled() {
                return Err(ExportError::Stopped);
            }
            match self.feed(spec, pass).await {
                Ok(()) => Ok(()),
                Err(error) => self.forgive(error),
            }
        });
        let mut done = 0;
        let work = stream::iter(work).buffer_unordered(self.target.together());
        work.try_for_each(|()| {
            done += 1;
            (self.options.progress)(done, count);
            std::future::ready(Ok(()))
        })
        .await?;
        self.tally().feeds = count as u64;
        Ok(())
    }

    /// A document that cannot be made keeps nobody from making the others.
    fn forgive(&self, failure: Failure) -> Result<(), ExportError> {
        match failure {
            Failure::Publish(PublishError::Store(error)) | Failure::Store(error) => {
                Err(error.into())
            }
            Failure::Publish(error) => {
                self.note_problem(&error);
                Ok(())
            }
            Failure::Target(error @ TargetError::Name(_)) => {
                self.note_problem(&error);
                Ok(())
            }
            Failure::Target(error) => Err(error.into()),
            Failure::Stopped => Err(ExportError::Stopped),
        }
    }

    fn note_problem(&self, error: &(dyn std::error::Error + 'static)) {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let all: Vec<_> = causes.map(ToString::to_string).collect();
        self.tally().problems.push(all.join(": "));
    }

    /// Writes a document that is of no feed, if it is another than before; whether it was.
    async fn listing(&self, document: &Document, root: &mut Root) -> Result<bool, ExportError> {
        let mut is_written = false;
        let edition =
            match self.settled(|| self.publisher.fresh(document), |made| made.changed()).await {
                Ok(edition) => edition,
                Err(error) => return self.forgive(error.into()).map(|()| false),
            };
        for name in self.names(document) {
            let piece = Piece::new(name, &edition);
            if root.files.get(&piece.name) != Some(&piece.tag) {
                self.write(&piece).await?;
                root.files.insert(piece.name, piece.tag);
                is_written = true;
            }
        }
        Ok(is_written)
    }

    /// What a document is called in this target.
    fn names(&self, document: &Document) -> Vec<String> {
        let alias = piece::aliases(document).filter(|_| self.target.is_bucket());
        [piece::name(document)].into_iter().chain(alias).collect()
    }

    /// Feeds that are no more: nothing leads to them now.
    async fn part_with_feeds(&self) -> Result<(), ExportError> {
        let feeds = self.publisher.feeds();
        let present: HashSet<String> = feeds.iter().map(|spec| Record::name(&spec.path)).collect();
        for name in self.target.list(record::FEEDS).await? {
            if present.contains(&name) {
                continue;
            }
            let record = self.record(&name).await?;
            for file in record.files.keys().chain(record.leaving.keys()) {
                self.remove(file).await?;
            }
            if !record.path.is_empty() {
                let folder = format!("{}/archive/", piece::decoded(&record.path));
                let is_ours = |name: &String| {
                    name.strip_prefix(&folder).is_some_and(|file| piece::archive(file).is_some())
                };
                for name in self.plain(&folder).await?.iter().filter(|name| is_ours(name)) {
                    self.remove(name).await?;
                }
            }
            self.remove(&name).await?;
        }
        Ok(())
    }

    async fn record(&self, name: &str) -> Result<Record, TargetError> {
        let bytes = self.target.read(name).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    async fn note(&self, name: &str, record: &Record) -> Result<(), TargetError> {
        if self.options.rehearse {
            return Ok(());
        }
        self.target.note(name, record::written(record)).await
    }

    async fn write(&self, piece: &Piece) -> Result<(), TargetError> {
        let written = if self.options.rehearse {
            let coded = piece.coded.iter().flatten().chain([&piece.plain]);
            Written {
                files: coded.clone().count() as u64,
                bytes: coded.map(|body| body.len() as u64).sum(),
            }
        } else {
            self.target.write(piece, self.now()).await?
        };
        let mut summary = self.tally();
        summary.files_written += written.files;
        summary.bytes_written += written.bytes;
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), TargetError> {
        let removed = if self.options.rehearse { 1 } else { self.target.remove(name).await? };
        // What exports keep for themselves is not counted.
        if !name.starts_with(record::FOLDER) {
            self.tally().files_removed += removed;
        }
        Ok(())
    }

    /// The documents below a folder of the target, without their codings.
    async fn plain(&self, folder: &str) -> Result<Vec<String>, TargetError> {
        let names = self.target.list(folder).await?;
        let stem = |name: &String| {
            let coded = CODED.iter().find_map(|(_, ending)| name.strip_suffix(ending));
            coded.unwrap_or(name).to_owned()
        };
        let stems: HashSet<String> = names.iter().map(stem).collect();
        Ok(stems.into_iter().collect())
    }

    /// Makes a document when the second of its last change is over: until then, more of the same second may come, and its
    /// date would stand for two states. A clock that is behind the store is not waited for.
    async fn settled<T, F>(
        &self,
        make: impl Fn() -> F,
        changed: impl Fn(&T) -> Option<DateTime<Utc>>,
    ) -> Result<T, PublishError>
    where
        F: Future<Output = Result<T, PublishError>>,
    {
        /// So many seconds are waited for at most.
        const PATIENCE: usize = 5;
        for _ in 0..PATIENCE {
            let now = self.now();
            let document = make().await?;
            let second = changed(&document).map(|changed| changed.timestamp());
            let is_fresh = second == Some(now.timestamp());
            if !is_fresh || self.target.is_bucket() {
                return Ok(document);
            }
            let left = 1_000 - u64::from(now.timestamp_subsec_millis().min(999));
            tokio::time::sleep(Duration::from_millis(left)).await;
        }
        make().await
    }
}

/// Why a document is not there.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it is to stop")]
    Stopped,
}
