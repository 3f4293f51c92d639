//! Where articles are kept, and the numbered log of every change to them.
//!
//! No clock of its own: writers are told the time, and commit times never fall whatever they are told.

pub mod copy;
mod decide;
mod fence;
mod news;
mod postgres;
mod push;
mod pushed;
mod read;
mod shelf;
mod shift;
mod sqlite;
mod stored;
mod tables;
mod write;

pub use decide::State;
pub use fence::{Done, Entries, Fence, Fenced, Plan};
pub use postgres::{PostgresSource, PostgresStore, PostgresTarget};
pub use push::{
    BIN, Effect, Effects, Fate, Grant, KEPT, KEPT_ANSWERS, Key, Operation, Precondition, Push,
    Pushed, Refused, Stored, Task, Versions, reaches,
};
pub use sqlite::{SqliteSource, SqliteStore, SqliteTarget};

use std::{collections::BTreeSet, num::NonZeroU16};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::{
    article::{
        Adoption, Amendment, ArticleId, Change, Cursor, Latest, Mark, Revision, Snapshot, Span,
        Submission, Window,
    },
    category::{Category, Facet, Selection, Slug},
    text::Text,
};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer program has written here.
    #[error(
        "the store `{path}` has layout {found} and this program knows layouts up to {known}; \
         run the newer program, or restore the backup made before it"
    )]
    Newer {
        /// Which store.
        path: String,
        /// Its layout.
        found: i64,
        /// The newest layout of this program.
        known: i64,
    },
    /// An older program has written here, and it is not to be changed.
    #[error(
        "the store `{path}` has layout {found} and this program writes layout {known}; \
         start the service there once, which brings it up to date"
    )]
    Older {
        /// Which store.
        path: String,
        /// Its layout.
        found: i64,
        /// The layout of this program.
        known: i64,
    },
    /// A copy to it was interrupted.
    #[error("a copy to `{0}` was not finished; run the same `courant store copy` again")]
    Part(String),
    /// The file is something else.
    #[error("`{0}` is not a store of this program; name another file")]
    Foreign(String),
    /// It cannot be opened.
    #[error("cannot open the store `{path}`")]
    Open {
        /// Which store.
        path: String,
        /// Why.
        source: Cause,
    },
    /// The database behind it failed.
    #[error("the store failed")]
    Failed(#[source] Cause),
    /// The connection was lost while a write was committed.
    #[error(
        "nobody knows whether the write was kept: the database went away while it was committed; \
         look at what is there before writing again"
    )]
    Unknown(#[source] Cause),
    /// The file was deleted or replaced while it was open.
    #[error(
        "`{0}` was replaced or deleted while it is open, and what is written now would be lost; stop the service, put the \
         file back, and start it again"
    )]
    Replaced(String),
    /// It takes no articles.
    #[error("the store can only be read")]
    ReadOnly,
    /// A row does not read back.
    #[error("the store holds an article that cannot be read, `{id}`")]
    Article {
        /// Which one.
        id: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The program is shutting down.
    #[error("the store is closing")]
    Closing,
}

/// What a database says of its failure.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a store gives.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How to take articles in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Intake {
    /// Publish withdrawn articles again.
    pub republish: bool,
    /// Find out what would happen, and change nothing.
    pub rehearse: bool,
}

/// What became of one submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Seen for the first time, or again after a withdrawal, and published.
    Published,
    /// Waits for its time.
    Held,
    /// Its time was already over, or is over by this edit.
    Expired,
    /// Changed, and readers are told.
    Edited,
    /// Changed quietly.
    Corrected,
    /// Nothing new.
    Unchanged,
    /// It was withdrawn and stays so.
    Retired,
    /// Refused: its guid belongs to another article.
    GuidTaken {
        /// Whose it is.
        by: ArticleId,
    },
    /// Refused: its guid lies where the store mints identities, and is not the one that this article would get.
    GuidReserved,
    /// Refused: the stored article of its key has another guid, so that it is another article.
    OtherGuid {
        /// The guid that was handed in.
        given: Text,
        /// That of the stored article.
        stored: Text,
    },
    /// Refused: its key is the name of a file, and the stored article of that key is from another folder.
    OtherFile {
        /// Title of the stored article.
        title: Text,
        /// The folder that it is from; `None`: it is from no file, or from before folders were noted.
        folder: Option<Text>,
    },
}

impl Outcome {
    /// Why the article of this key was refused: the field, and what is wrong with it; `None` if it was not refused.
    pub fn refusal(&self, id: &ArticleId) -> Option<(&'static str, String)> {
        match self {
            Self::Published
            | Self::Held
            | Self::Expired
            | Self::Edited
            | Self::Corrected
            | Self::Unchanged
            | Self::Retired => None,
            Self::GuidTaken { by } => Some((
                "guid",
                format!(
                    "belongs to the article `{by}` already; give each article a guid of its own"
                ),
            )),
            Self::GuidReserved => Some((
                "guid",
                "lies where this store mints identities, and is not that of this article; leave it out, or set \
                 `own = true` for the source if it is yours"
                    .to_owned(),
            )),
            Self::OtherGuid { given, stored } => Some((
                "guid",
                format!(
                    "`{given}` is not that of the stored article `{id}`, `{stored}`: this is another article; give it \
                     another key, or leave out `guid` if it is the same article"
                ),
            )),
            Self::OtherFile { title, folder } => {
                let from = match folder {
                    Some(folder) => format!("from the folder `{folder}`"),
                    None => "from elsewhere".to_owned(),
                };
                Some((
                    "id",
                    format!(
                        "`{id}` is the key of the stored article `{title}` {from}: this is another article; import the \
                         folder that both files are below, or give this file an `id` or an address"
                    ),
                ))
            }
        }
    }
}

/// What a write came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The newest revision after it.
    pub revision: Revision,
    /// One for each submission or id, in their order.
    pub outcomes: Vec<Outcome>,
}

/// The facets that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Up to and including this write.
    pub head: Revision,
    /// Each once, in no special order.
    pub facets: Vec<Facet>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Census {
    /// To be read now.
    pub published: i64,
    /// Waiting for their time.
    pub held: i64,
    /// Their time is over.
    pub expired: i64,
    /// Taken back.
    pub withdrawn: i64,
}

/// What lets a partner in, or somebody of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 of the secret, in base64.
    pub digest: String,
    /// Whose it is.
    pub partner: Slug,
    /// To whom it was given; empty: to the partner as a whole.
    pub holder: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// From when on it lets nobody in.
    pub ends: Option<DateTime<Utc>>,
}

/// Who has fetched a state of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The partner.
    pub partner: Slug,
    /// Whose token it was; empty: the partner's.
    pub holder: String,
    /// The path of the feed as the public has it, or `changes`.
    pub feed: String,
    /// The state.
    pub revision: Revision,
    /// When they first had it.
    pub first: DateTime<Utc>,
    /// When they last did.
    pub last: DateTime<Utc>,
    /// How often.
    pub count: u64,
}

/// So many states of a feed are kept for each holder, newest first.
const STATES: i64 = 100;

/// Name under which the latest time is remembered, in seconds since 1970, from which [`Store::repair_clock`] brought the store
/// back. Clients may hold dates up to it.
pub const SUSPECT_UNTIL: &str = "clock/suspect_until";

/// A token that ended so long ago is forgotten.
const MEMORY: TimeDelta = TimeDelta::days(1);

/// Articles and the log of changes to them.
///
/// What is about partners, or about writing from outside, may be left out by a store that has none.
#[async_trait]
pub trait Store: Send + Sync {
    /// The newest write.
    async fn head(&self) -> Result<Revision>;

    /// Waits until there is a write newer than `seen`, by this process or another; or until the newest is an older one: a
    /// fail-over may lose writes that were seen.
    async fn changed(&self, seen: Revision) -> Result<Revision>;

    /// The facets that writes after `seen` have touched.
    async fn moved(&self, seen: Revision) -> Result<Moved>;

    /// Where these facets stand together: the largest revision, time and floor among theirs.
    async fn mark(&self, facets: &[Facet]) -> Result<Mark>;

    /// The newest articles of a selection, with the mark of `facets`, read in one transaction.
    async fn snapshot(
        &self,
        facets: &[Facet],
        selection: &Selection,
        window: Window,
    ) -> Result<Snapshot>;

    /// The articles of a selection in a run of its places, with the mark of `settings` or of the last change to one of
    /// them, whichever is newer; `None` while not all of the places are taken.
    ///
    /// An article under several of the selection's facets is in the archive of the place that it took first.
    async fn archive(
        &self,
        settings: &[Facet],
        selection: &Selection,
        span: Span,
    ) -> Result<Option<Snapshot>>;

    /// The places of a selection that writes after `since` have taken, emptied, or changed the article of, in no special
    /// order; some beside them may be named too. `None` where the store cannot tell, or there are too many to name.
    async fn disturbed(
        &self,
        selection: &Selection,
        since: Revision,
    ) -> Result<Option<BTreeSet<u64>>> {
        let _ = (selection, since);
        Ok(None)
    }

    /// An article that can be read, with the mark of its last change.
    async fn article(&self, id: &ArticleId) -> Result<Option<Snapshot>>;

    /// What is settled under a name for as long as the store lives: `value`, unless something was before.
    async fn settle(&self, name: &str, value: &str) -> Result<String>;

    /// Writes down what is to be known again, each a name and a value; `None`: is forgotten. All of it or nothing, and on
    /// disk before this returns. No revision: it is part of no feed.
    async fn remember(&self, entries: Vec<(String, Option<String>)>) -> Result<()> {
        let _ = entries;
        Err(StoreError::ReadOnly)
    }

    /// Takes articles in and back, and remembers what came from where, in one transaction: if what the fence asks for is
    /// remembered; `None`, and nothing is done: if it is not. On disk before this returns.
    async fn follow(&self, write: Fenced, now: DateTime<Utc>) -> Result<Option<Done>> {
        let _ = (write, now);
        Err(StoreError::ReadOnly)
    }

    /// What is remembered under these names, in their order.
    async fn recall(&self, names: Vec<String>) -> Result<Vec<Option<String>>> {
        Ok(vec![None; names.len()])
    }

    /// What is remembered under names that begin with `prefix` and come after `after`, by the bytes of the names.
    async fn recall_after(
        &self,
        prefix: &str,
        after: &str,
        limit: NonZeroU16,
    ) -> Result<Vec<(String, String)>> {
        let _ = (prefix, after, limit);
        Ok(Vec::new())
    }

    /// Changes after a revision, oldest first.
    async fn log(&self, since: Revision, limit: NonZeroU16) -> Result<Vec<Change>>;

    /// Articles by their last change, each once, oldest change first, after `since`. Whoever goes on from the last one
    /// until there is none has seen each article as it is, for those who get articles `shift_minutes` after everybody else:
    /// one that comes to them later is there at the write with which it came.
    async fn latest(
        &self,
        since: Cursor,
        shift_minutes: i16,
        limit: NonZeroU16,
    ) -> Result<Vec<Latest>>;

    /// An article at its last change for those who get articles `shift_minutes` after everybody else, as [`Store::latest`]
    /// has it.
    async fn last(&self, id: &ArticleId, shift_minutes: i16) -> Result<Option<Latest>>;

    /// Every category that ever held an article, by slug.
    async fn categories(&self) -> Result<Vec<Category>>;

    /// How many articles there are.
    async fn census(&self) -> Result<Census>;

    /// Keys of articles that are not withdrawn or expired and were cleaned by rules older than a version, in their order
    /// from after a key on.
    async fn cleaned_before(
        &self,
        version: u32,
        after: Option<ArticleId>,
        limit: NonZeroU16,
    ) -> Result<Vec<ArticleId>> {
        let _ = (version, after, limit);
        Ok(Vec::new())
    }

    /// Takes articles in; a batch is one revision, and on disk before this returns.
    async fn upsert(
        &self,
        batch: Vec<Submission>,
        intake: Intake,
        now: DateTime<Utc>,
    ) -> Result<Receipt>;

    /// Changes articles quietly; one revision.
    async fn amend(&self, amendments: Vec<Amendment>, now: DateTime<Utc>) -> Result<Receipt>;

    /// Gives articles the identities and dates of an old system, quietly; one revision. What is not to be read now stays as
    /// it is, and so does one whose identity would be that of another: [`Outcome::GuidTaken`]. A store that cannot do it
    /// changes nothing.
    async fn adopt(&self, adoptions: Vec<Adoption>, now: DateTime<Utc>) -> Result<Receipt> {
        let _ = (adoptions, now);
        Err(StoreError::ReadOnly)
    }

    /// Takes articles back; `None` for an id that nobody knows. One revision.
    async fn withdraw(
        &self,
        ids: Vec<ArticleId>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<Outcome>>>;

    /// Publishes what is due and ends what is over; the time of the next such event, if any is known.
    async fn release(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>>;

    /// Notes all that `feeds.toml` says, each a facet and a fingerprint; what moved, or is said no more, is a write.
    async fn declare(
        &self,
        fingerprints: Vec<(Facet, u64)>,
        now: DateTime<Utc>,
    ) -> Result<Revision>;

    /// Time of the newest write; a store that keeps none has that of 1970.
    async fn time(&self) -> Result<DateTime<Utc>> {
        Ok(DateTime::UNIX_EPOCH)
    }

    /// Who mints identities here, as `example.com,2026`; empty where the store mints none.
    async fn authority(&self) -> Result<String> {
        Ok(String::new())
    }

    /// Brings the time of the store back to `now` where it is ahead, as one revision; the time that it had, `None`: it was
    /// not ahead. [`SUSPECT_UNTIL`] remembers up to when dates were given out that do not count any more.
    async fn repair_clock(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let _ = now;
        Err(StoreError::ReadOnly)
    }

    /// Every token, those that ended lately too.
    async fn tokens(&self) -> Result<Vec<Token>> {
        Ok(Vec::new())
    }

    /// Takes a token in. Those that its holder has already end at `others_end`, unless they end before; `None`: they stay as
    /// they are; no later than the new one was made: they are forgotten. A write, so that others learn of it.
    async fn issue(&self, token: Token, others_end: Option<DateTime<Utc>>) -> Result<()> {
        let _ = (token, others_end);
        Err(StoreError::ReadOnly)
    }

    /// Forgets the tokens of a holder, or of all of a partner's; how many were good until then. A write.
    async fn revoke(
        &self,
        partner: &Slug,
        holder: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<usize> {
        let _ = (partner, holder, now);
        Err(StoreError::ReadOnly)
    }

    /// Writes down who has fetched what, adding to what is known. The newest states of each feed are kept.
    async fn deliver(&self, deliveries: Vec<Delivery>) -> Result<()> {
        let _ = deliveries;
        Err(StoreError::ReadOnly)
    }

    /// What a partner has fetched, by feed, holder and state.
    async fn deliveries(&self, partner: &Slug) -> Result<Vec<Delivery>> {
        let _ = partner;
        Ok(Vec::new())
    }

    /// Does what somebody outside asks for, in one transaction: the key is looked up, each precondition is held against
    /// the article as it is then, and the answer is kept with what it answers. On disk before this returns; one revision.
    async fn push(&self, push: Push, now: DateTime<Utc>) -> Result<Pushed> {
        let _ = (push, now);
        Err(StoreError::ReadOnly)
    }

    /// An article as it is kept, whoever may read it.
    async fn stored(&self, id: &ArticleId) -> Result<Option<Stored>> {
        let _ = id;
        Err(StoreError::ReadOnly)
    }

    /// Articles that are not withdrawn, last change first; those before a place in this order, or from the first on.
    async fn inventory(&self, before: Option<Cursor>, limit: NonZeroU16) -> Result<Vec<Stored>> {
        let _ = (before, limit);
        Err(StoreError::ReadOnly)
    }

    /// Every token that lets somebody write.
    async fn grants(&self) -> Result<Vec<Grant>> {
        Ok(Vec::new())
    }

    /// Takes in a token that lets somebody write.
    async fn grant(&self, grant: Grant) -> Result<()> {
        let _ = grant;
        Err(StoreError::ReadOnly)
    }

    /// Forgets the tokens of a name; how many were good until then.
    async fn retract(&self, name: &Slug, now: DateTime<Utc>) -> Result<usize> {
        let _ = (name, now);
        Err(StoreError::ReadOnly)
    }
}
