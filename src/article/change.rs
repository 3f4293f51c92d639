//! What the log says of an article, and where its followers stand in it.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    article::{Article, ArticleId, Story},
    text::Text,
};

/// A position in the sequence of committed writes. The first write is 1; 0 is before any.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What happened to an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It can be read from now on.
    Published,
    /// It says something else, and readers should look again.
    Edited,
    /// It says something else, and readers need not look again.
    Corrected,
    /// It waits for its time, unseen.
    Held,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Withdrawn,
}

impl ChangeKind {
    const ALL: [Self; 6] = [
        Self::Published,
        Self::Edited,
        Self::Corrected,
        Self::Held,
        Self::Expired,
        Self::Withdrawn,
    ];

    /// As in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Edited => "edited",
            Self::Corrected => "corrected",
            Self::Held => "held",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// What a line of the log says.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where somebody who follows the changes has come to: after this article of this write, or after the whole write.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The write.
    pub revision: Revision,
    /// The last article of it that they have seen; `None`: all.
    pub article: Option<ArticleId>,
}

/// An article at its last change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// The publisher's key.
    pub id: ArticleId,
    /// Its identity.
    pub guid: Text,
    /// The last write that changed it.
    pub revision: Revision,
    /// Commit time of that write.
    pub at: DateTime<Utc>,
    /// Whether it could ever be read.
    pub was_published: bool,
    /// What it is now; `None` when it cannot be read.
    pub article: Option<Arc<Article>>,
    /// What it was filed as, each time that it could be read and then was taken away or filed otherwise. All of them, however
    /// old: whoever goes on from one last change to the next may have missed any.
    pub was: Vec<Story>,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The write it was part of.
    pub revision: Revision,
    /// Which article.
    pub article: ArticleId,
    /// What happened.
    pub kind: ChangeKind,
    /// Commit time.
    pub at: DateTime<Utc>,
}
