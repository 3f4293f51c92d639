//! From what is asked for to its edition, made at most once for each revision.
//!
//! Editions stay in memory within a budget. When a write touches them, they are made anew in the background, and the
//! old ones, still true editions of their revisions, are served until then: nobody who polls waits for rendering.

mod bundle;
mod changes;
mod document;
mod follow;
mod freshness;
mod front;
mod make;
mod recode;
mod renew;
mod turn;

pub use bundle::Bundle;
pub use changes::Restart;
pub use document::{Document, EpisodeFile};
pub use freshness::{Dates, Freshness};
pub use recode::Recoding;

use std::{
    collections::{BTreeMap, HashSet},
    convert::Infallible,
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use crate::{
    article::{Revision, Span},
    category::{Category, Facet, Slug},
    edge::{Edge, Purge},
    edition::{Coding, Edition},
    feed::{Catalogue, Feed, FeedPath, FeedSpec, Show},
    format::{Format, RenderError},
    partner,
    store::{SUSPECT_UNTIL, Store, StoreError},
};
use freshness::Heard;
use turn::{Full, Turns};

/// How long a request waits for an edition that is being made (H-106).
const PATIENCE: Duration = Duration::from_secs(10);
/// A cache is cut into parts, one lock each, and keeps nothing that does not fit into one: none is made smaller than this,
/// in bytes, so that a long archive in all its codings is kept.
const LARGEST: u64 = 30 << 20;
/// More parts do not make it quicker.
const MAX_SHARDS: usize = 64;
/// Deltas have one part in so many of the memory; they are small, and cut again soon enough.
const DELTAS: u64 = 16;

/// Why there is no edition.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Neither `feeds.toml` nor an article knows it.
    #[error("no feed at `{0}`")]
    UnknownFeed(FeedPath),
    /// There is no such archive.
    #[error("no archive {1} of `{0}`")]
    UnknownArchive(FeedPath, Span),
    /// There is no such archive yet: what will be in it is in the feed itself, or to come.
    #[error("archive {1} of `{0}` is not full yet")]
    Unfilled(FeedPath, Span),
    /// No article has such a file.
    #[error("no file at `{0}`")]
    UnknownFile(String),
    /// The store failed.
    #[error("cannot read the articles")]
    Store(#[from] StoreError),
    /// The document does not read back.
    #[error("cannot publish `{path}`")]
    Render {
        /// Which document.
        path: String,
        /// Which article, and why.
        source: RenderError,
    },
    /// Too many clients ask for editions that are not in memory.
    #[error("too many editions are being made")]
    Busy {
        /// After how many seconds to ask again.
        retry_after_seconds: u32,
    },
    /// It takes too long.
    #[error("making `{0}` takes longer than {PATIENCE:?}")]
    Slow(String),
}

/// An edition in the cache, and what it depends on.
struct Kept {
    document: Document,
    marks: Vec<Facet>,
    edition: Arc<Edition>,
    /// The newest write that there was when it was made.
    head: Revision,
    /// How often it has been asked for.
    uses: AtomicU64,
    /// How often in a row it has been made anew without being asked for in between.
    idle: u32,
    /// In which round it was made.
    made: u64,
    /// Whether it has been coded again with more effort.
    is_recoded: bool,
}

/// An edition in memory, held as it is there: to hold the edition itself is to count once more who holds it.
pub struct Cached(Arc<Kept>);

impl Deref for Cached {
    type Target = Arc<Edition>;

    fn deref(&self) -> &Arc<Edition> {
        &self.0.edition
    }
}

/// A delta: of which edition, in which coding, with how many entries.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct DeltaKey {
    tag: (Revision, u64, Coding),
    newer: usize,
}

#[derive(Clone)]
struct Weight;

impl Weighter<DeltaKey, Bytes> for Weight {
    fn weight(&self, _: &DeltaKey, delta: &Bytes) -> u64 {
        /// The place in the cache.
        const FIXED: u64 = 128;
        u64::try_from(delta.len()).unwrap_or(u64::MAX) + FIXED
    }
}

impl Weighter<String, Arc<Kept>> for Weight {
    fn weight(&self, path: &String, kept: &Arc<Kept>) -> u64 {
        kept.edition.weight() + u64::try_from(path.len()).unwrap_or_default()
    }
}

/// Finds editions, or makes them.
pub struct Publisher {
    store: Arc<dyn Store>,
    catalogue: Arc<Catalogue>,
    cache: Cache<String, Arc<Kept>, Weight>,
    deltas: Cache<DeltaKey, Bytes, Weight>,
    /// Categories that articles have, listed or not.
    categories: RwLock<BTreeMap<Slug, Category>>,
    /// The newest write that has been acted on.
    seen: AtomicU64,
    /// How often this has looked for writes.
    rounds: AtomicU64,
    /// Up to which write the editions in memory are made.
    served: AtomicU64,
    /// When the last round began that came to its end, in seconds since 1970: what was written before is in every edition.
    /// For ever, where nobody follows the store.
    complete_until: AtomicI64,
    /// Dates after the present and up to this time do not count: they were given out while the store's time was ahead. In
    /// seconds since 1970.
    suspect_until: AtomicI64,
    /// When the store last answered.
    heard: Mutex<Heard>,
    /// Held by whoever makes an archive.
    archivist: tokio::sync::Mutex<()>,
    /// What caches in front are told with documents.
    edge: Option<Edge>,
    /// How they are told what is stale.
    purge: Option<Arc<Purge>>,
    /// Held while an edition takes the place of another.
    keeping: Mutex<()>,
    /// Whose turn it is to look at the store for clients that are ahead.
    turns: renew::Turns,
    /// Whose turn it is to make an edition that a client asks for.
    makes: Arc<Turns>,
}

impl Publisher {
    /// Declares what `feeds.toml` says to the store, publishes what is due, and learns which categories there are.
    pub async fn open(
        store: Arc<dyn Store>,
        catalogue: Arc<Catalogue>,
        memory_bytes: u64,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let catalogue = settled(&*store, catalogue).await?;
        store.declare(catalogue.fingerprints(), now).await?;
        store.release(now).await?;
        Self::with(store, catalogue, memory_bytes).await
    }

    /// For a look at what would be published: a service that runs by another `feeds.toml` is not disturbed.
    pub async fn look(
        store: Arc<dyn Store>,
        catalogue: Arc<Catalogue>,
        memory_bytes: u64,
    ) -> Result<Self, StoreError> {
        let catalogue = settled(&*store, catalogue).await?;
        Self::with(store, catalogue, memory_bytes).await
    }

    async fn with(
        store: Arc<dyn Store>,
        catalogue: Arc<Catalogue>,
        memory_bytes: u64,
    ) -> Result<Self, StoreError> {
        /// What most editions weigh, to size the tables of the cache.
        const TYPICAL: u64 = 100_000;
        let items =
            usize::try_from(memory_bytes / TYPICAL).unwrap_or(usize::MAX).clamp(16, 100_000);
        let head = store.head().await?;
        let publisher = Self {
            cache: cache_of(items, memory_bytes - memory_bytes / DELTAS),
            deltas: Cache::with_weighter(items, memory_bytes / DELTAS, Weight),
            categories: RwLock::default(),
            seen: AtomicU64::new(head.0),
            rounds: AtomicU64::new(0),
            served: AtomicU64::new(head.0),
            complete_until: AtomicI64::new(i64::MAX),
            suspect_until: AtomicI64::new(i64::MIN),
            heard: Mutex::new(Heard::now(head)),
            archivist: tokio::sync::Mutex::default(),
            edge: None,
            purge: None,
            keeping: Mutex::default(),
            turns: renew::Turns::default(),
            makes: Arc::default(),
            store,
            catalogue,
        };
        publisher.learn().await?;
        Ok(publisher)
    }

    /// What `feeds.toml` says.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Where the articles are.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The edition at a canonical path, if it is in memory.
    pub fn cached(&self, path: &str) -> Option<Cached> {
        let kept = self.cache.get(path)?;
        kept.uses.fetch_add(1, Ordering::Relaxed);
        Some(Cached(kept))
    }

    /// The feeds of partners in memory from which articles are held back, by path, and how many.
    pub fn held_back(&self) -> Vec<(String, u64)> {
        let mut held: Vec<_> = self
            .cache
            .iter()
            .filter_map(|(_, kept)| match (&kept.document, kept.edition.held_back()) {
                (Document::Feed(path, _), held @ 1..) => Some((path.to_string(), held)),
                _ => None,
            })
            .collect();
        held.sort();
        held.dedup();
        held
    }

    /// The edition of a document; made if it is not in memory, once however many ask.
    pub async fn edition(&self, document: &Document) -> Result<Arc<Edition>, PublishError> {
        let path = document.path();
        let made = async {
            match self.cache.get_value_or_guard_async(&path).await {
                Ok(kept) => Ok(Arc::clone(&kept.edition)),
                Err(guard) => {
                    // Taken before anything is read, and kept until the work is done, also when the client has left.
                    let turn = self.makes.take().await.map_err(busy)?;
                    let kept = Arc::new(self.make(document, Some(turn)).await?);
                    // Refused by a cache that has been emptied meanwhile: the edition is good all the same.
                    let _ = guard.insert(Arc::clone(&kept));
                    self.catch_up(kept).await
                }
            }
        };
        tokio::time::timeout(PATIENCE, made)
            .await
            .unwrap_or_else(|_| Err(PublishError::Slow(path.clone())))
    }

    /// The delta of an edition from a base of which it tells a number; `None` where it would not be smaller than the
    /// whole. Cut and coded once, however many ask.
    pub async fn delta(
        &self,
        edition: &Arc<Edition>,
        coding: Coding,
        base: Revision,
    ) -> Option<Bytes> {
        // Bases between which nothing was published have one delta.
        let newer = edition.newer(base)?;
        let key = DeltaKey { tag: (edition.revision(), edition.digest(), coding), newer };
        let cut = async {
            let edition = Arc::clone(edition);
            Ok::<_, Infallible>(blocking(move || edition.since(base, coding)).await)
        };
        let Ok(delta) = self.deltas.get_or_insert_async(&key, cut).await;
        let whole = edition.whole(coding).map_or(0, |(_, body)| body.len());
        Some(delta).filter(|delta| delta.len() < whole)
    }

    /// The feed at a path, listed or of a category that articles have.
    pub fn find(&self, path: &FeedPath) -> Option<Arc<FeedSpec>> {
        if let Some(spec) = self.catalogue.find(path) {
            return Some(spec);
        }
        let FeedPath::Category(slug) = path else { return None };
        let categories = self.categories.read().unwrap_or_else(PoisonError::into_inner);
        categories.get(slug).map(|category| self.catalogue.category(category))
    }

    /// Every feed: those of `feeds.toml` in its order, then categories that only articles have.
    pub fn feeds(&self) -> Vec<Arc<FeedSpec>> {
        let categories = self.categories.read().unwrap_or_else(PoisonError::into_inner);
        let listed = &self.catalogue.feeds;
        let known: HashSet<&FeedPath> = listed.iter().map(|spec| &spec.path).collect();
        let unlisted = categories
            .values()
            .filter(|category| !known.contains(&FeedPath::Category(category.slug.clone())))
            .map(|category| Arc::new(self.catalogue.unlisted(category)));
        listed.iter().cloned().chain(unlisted).collect()
    }

    async fn learn(&self) -> Result<(), StoreError> {
        let categories = self.store.categories().await?;
        let known =
            categories.into_iter().map(|category| (category.slug.clone(), category)).collect();
        *self.categories.write().unwrap_or_else(PoisonError::into_inner) = known;
        let suspect_until = self.store.recall(vec![SUSPECT_UNTIL.to_owned()]).await?;
        if let Some(until) =
            suspect_until.into_iter().flatten().find_map(|until| until.parse().ok())
        {
            self.suspect_until.store(until, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The feed as the store has it now, for those who want more than its bytes.
    pub async fn feed(&self, path: &FeedPath) -> Result<Feed, PublishError> {
        let spec = self.find(path).ok_or_else(|| PublishError::UnknownFeed(path.clone()))?;
        let snapshot = self.store.snapshot(&spec.marks(), &spec.selection, spec.window).await?;
        Ok(Feed::assemble(spec, snapshot))
    }

    /// A write may have come between the reading of the articles and the keeping of the edition, and the round that
    /// follows it may have passed by before the edition was there to be seen.
    async fn catch_up(&self, mut kept: Arc<Kept>) -> Result<Arc<Edition>, PublishError> {
        while Revision(self.seen.load(Ordering::SeqCst)) > kept.head {
            let moved = self.store.moved(kept.head).await?;
            if !kept.marks.iter().any(|mark| moved.facets.contains(mark)) {
                break;
            }
            kept = Arc::new(self.make(&kept.document, None).await?);
            self.keep(Arc::clone(&kept));
        }
        Ok(Arc::clone(&kept.edition))
    }

    /// Puts a newer edition in the place of an older one, never an older one in the place of a newer one; one that has been
    /// dropped from memory stays dropped.
    fn keep(&self, kept: Arc<Kept>) {
        let path = kept.document.path();
        let _turn = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if self.cache.peek(&path).is_some_and(|known| known.head <= kept.head) {
            let _ = self.cache.replace(path, kept, false);
        }
    }
}

/// Half a minute at most: turns end sooner than expected when clients leave.
fn busy(Full(wait): Full) -> PublishError {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    PublishError::Busy { retry_after_seconds: seconds.clamp(1, 30) }
}

/// A cache of so many editions, more or less, that weigh so much.
fn cache_of(items: usize, bytes: u64) -> Cache<String, Arc<Kept>, Weight> {
    let shards = usize::try_from(bytes / LARGEST).unwrap_or(usize::MAX).clamp(1, MAX_SHARDS);
    let options = OptionsBuilder::new()
        .estimated_items_capacity(items)
        .weight_capacity(bytes)
        .shards(shards)
        .build()
        .expect("both capacities are given");
    Cache::with_options(options, Weight, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

/// The catalogue with an identity for each show, and a reach for each partner: one that was minted once stays, wherever the
/// feed goes (P-20).
async fn settled(
    store: &dyn Store,
    catalogue: Arc<Catalogue>,
) -> Result<Arc<Catalogue>, StoreError> {
    let mut catalogue = Arc::unwrap_or_clone(catalogue);
    for spec in catalogue.feeds.iter_mut().chain(&mut catalogue.private) {
        let Some(show) = spec.show.as_ref().filter(|show| show.guid.is_none()) else { continue };
        let minted = Show::mint_guid(&spec.address(Format::Rss.extension()));
        let guid = store.settle(&format!("podcast:guid/{}", spec.path), &minted).await?;
        let show = Some(Arc::new(show.with_guid(&guid)));
        *spec = Arc::new(FeedSpec { show, ..FeedSpec::clone(spec) });
    }
    for partner in &mut catalogue.partners {
        let minted = partner::reach().map_err(|error| StoreError::Failed(error.into()))?;
        let reach = store.settle(&format!("reach/{}", partner.name), &minted).await?;
        *partner = Arc::new(partner.with_reach(&reach));
    }
    Ok(Arc::new(catalogue))
}

/// Rendering and coding take milliseconds: away from the threads that answer requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::document::of_other;

    #[test]
    fn what_is_large_is_kept_however_many_processors_there_are() {
        let document = vec![b'x'; 20 << 20];
        let edition = Edition::new(document, &of_other("text/plain", 60), Revision(1), None);
        let kept = Kept {
            document: Document::Style,
            marks: Vec::new(),
            edition: Arc::new(edition),
            head: Revision(1),
            uses: AtomicU64::new(0),
            idle: 0,
            made: 0,
            is_recoded: false,
        };
        // As much as `cache_bytes` is by default, of what most editions weigh.
        let cache = cache_of(640, 60 << 20);
        cache.insert("/archive".to_owned(), Arc::new(kept));
        assert!(cache.get("/archive").is_some());
    }
}
