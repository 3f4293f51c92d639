//! What a publisher keeps: articles, and the changes to them.

mod change;
mod episode;
mod identity;
mod key;
mod span;
mod story;
mod submission;
mod window;

pub use change::{Change, ChangeKind, Cursor, Latest, Revision};
pub use episode::{
    AlternateEnclosure, Chapter, Chapters, Content, Episode, EpisodeKind, Location, Moment,
    Participant, Soundbite, Transcript,
};
pub use identity::{Claim, derived_iri, is_iri, is_reserved_guid, kept_guid, minted_guid};
pub use key::ArticleId;
pub use span::{Part, Span, SpanError};
pub use story::{Attachment, Clearance, Person, Picture, Source, Story};
pub use submission::{Origin, Precision, Submission, When};
pub use window::{Fill, Window};

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::text::Text;

/// A published article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// The publisher's key.
    pub id: ArticleId,
    /// Minted once, the same in every format for ever (R-47, A-13, J-17).
    pub guid: Text,
    /// Whether Atom shows the guid as it is although it is no IRI, because readers know it from an adopted Atom feed.
    pub is_atom_id: bool,
    /// First publication; never changes.
    pub published: DateTime<Utc>,
    /// Last change the publisher thinks significant; not before `published`.
    pub updated: DateTime<Utc>,
    /// The write that made it what it is.
    pub revision: Revision,
    /// Size of its text in the store, in bytes, without what feeds do not hold.
    pub bytes: u32,
    /// What it says.
    pub story: Story,
}

/// Articles for a feed, read in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Newest write of the whole store when this was read.
    pub head: Revision,
    /// Where the feed stands.
    pub mark: Mark,
    /// Who mints identities here: `example.com,2026` (RFC 4151).
    pub authority: String,
    /// How much of the feed this is.
    pub part: Part,
    /// Newest first: `published` descending, then `id`. Older articles that changed of late follow in the same order.
    pub articles: Vec<Arc<Article>>,
    /// What has gone, newest write first; only where the selection's audience is told.
    pub gone: Vec<Gone>,
}

/// An article that can no longer be read, or not by those who ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The publisher's key.
    pub id: ArticleId,
    /// Its identity.
    pub guid: Text,
    /// As [`Article::is_atom_id`].
    pub is_atom_id: bool,
    /// First publication.
    pub published: DateTime<Utc>,
    /// The write that took it.
    pub revision: Revision,
    /// Commit time of that write.
    pub at: DateTime<Utc>,
    /// What is left of it: what it was filed under, and its address.
    pub story: Story,
}

/// Where one or several facets stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Last write that touched them.
    pub revision: Revision,
    /// Its commit time, in whole seconds: `Last-Modified`, `atom:updated`, `lastBuildDate`.
    pub changed: DateTime<Utc>,
    /// Oldest base a delta may start from.
    pub floor: Revision,
}

/// A quiet change to an article, made by this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Which article.
    pub id: ArticleId,
    /// The write it was read at; when there was another since, nothing is done.
    pub base: Revision,
    /// What it says from now on.
    pub story: Story,
}

/// What an article had in an old feed system, kept so that no reader sees it twice. As quiet as an [`Amendment`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// Which article.
    pub id: ArticleId,
    /// The write it was read at; when there was another since, nothing is done.
    pub base: Revision,
    /// Its identity there.
    pub guid: Text,
    /// Whether readers know it from an Atom feed, where it was no IRI.
    pub is_atom_id: bool,
    /// When it was published there; `None`: as it is here.
    pub published: Option<DateTime<Utc>>,
    /// What it says from now on.
    pub story: Story,
}
