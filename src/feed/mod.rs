//! A feed, before it takes the shape of a format.

mod catalogue;
mod changes;
mod entry;
mod listing;
mod partner;
mod show;
mod spec;

pub use catalogue::{Catalogue, Defaults};
pub use changes::{Changes, Departure};
pub use entry::Entry;
pub use listing::Listing;
pub use partner::{Partner, Terms};
pub use show::{Show, ShowCategory, ShowKind, Trailer};
pub use spec::{Contact, FeedPath, FeedSpec, Logo, Site, TEMPLATE};

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::article::{Article, Gone, Part, Revision, Snapshot, Span};

/// Head matter and entries of one feed, at one revision.
#[derive(Clone, Debug)]
pub struct Feed {
    /// What the publisher says of it.
    pub spec: Arc<FeedSpec>,
    /// Its identity, another than any entry's; the same in every format.
    pub id: String,
    /// The write it shows.
    pub revision: Revision,
    /// When that was, in whole seconds.
    pub changed: DateTime<Utc>,
    /// Oldest base a delta may start from.
    pub floor: Revision,
    /// How much of the feed this is.
    pub part: Part,
    articles: Vec<Arc<Article>>,
    gone: Vec<Gone>,
    authority: String,
}

impl Feed {
    /// What a snapshot is to the readers of this feed.
    pub fn assemble(spec: Arc<FeedSpec>, snapshot: Snapshot) -> Self {
        let Snapshot { head: _, mark, authority, part, mut articles, gone } = snapshot;
        for article in &mut articles {
            *article = spec.reached(article);
        }
        Self {
            id: format!("tag:{authority}:feed/{}", spec.path.encoded()),
            spec,
            revision: mark.revision,
            changed: mark.changed,
            floor: mark.floor,
            part,
            articles,
            gone,
            authority,
        }
    }

    /// The archive that continues this document.
    pub fn previous(&self) -> Option<Span> {
        match self.part {
            Part::All => None,
            Part::Newest(span) => Some(span),
            Part::Archive(span) => span.previous(),
        }
    }

    /// What has gone, newest write first; only in feeds whose readers are told.
    pub fn signs(&self) -> &[Gone] {
        &self.gone
    }

    /// Newest first; in the newest document, older ones that changed of late follow.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.articles.iter().map(|article| Entry::new(&self.spec, &self.authority, article))
    }
}
