//! What somebody outside asks of the store in one transaction, and what becomes of it.
//!
//! No I/O: whether a precondition holds and whether a token reaches so far is decided here for every store.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    article::{ArticleId, Revision, Story, Submission},
    category::Slug,
    store::{Outcome, decide::Row, decide::State},
    text::Text,
};

/// For so long an answer is kept under its key (the `Idempotency-Key` of clients that try again).
pub const KEPT: TimeDelta = TimeDelta::hours(24);
/// So many answers are kept for each token, newest first.
pub const KEPT_ANSWERS: i64 = 10_000;
/// For so long what was withdrawn for the time being can be had back.
pub const BIN: TimeDelta = TimeDelta::days(30);

/// What lets a program write here from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// SHA-256 of the secret, in base64.
    pub digest: String,
    /// To whom it was given.
    pub name: Slug,
    /// What it is good for, as words with spaces between them.
    pub scopes: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// From when on it is good for nothing.
    pub ends: Option<DateTime<Utc>>,
}

/// An article as it is kept, whoever may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The publisher's key.
    pub id: ArticleId,
    /// Its identity.
    pub guid: Text,
    /// Whether it can be read.
    pub state: State,
    /// First publication, past or to come.
    pub published: DateTime<Utc>,
    /// Last significant change.
    pub updated: DateTime<Utc>,
    /// The publisher's date of the last change, if there was one.
    pub modified: Option<DateTime<Utc>>,
    /// When it becomes readable, while it waits.
    pub due: Option<DateTime<Utc>>,
    /// Not to be seen from then on.
    pub expires: Option<DateTime<Utc>>,
    /// The write that made it what it is.
    pub revision: Revision,
    /// Commit time of that write.
    pub edited: DateTime<Utc>,
    /// What it says; nothing, when it was withdrawn.
    pub story: Story,
}

impl Stored {
    /// As of `edited`.
    pub(super) fn new(row: Row, edited: DateTime<Utc>) -> Self {
        let Row {
            id,
            guid,
            state,
            published,
            updated,
            modified,
            due,
            expires,
            revision,
            story,
            ..
        } = row;
        Self {
            id,
            guid,
            state,
            published,
            updated,
            modified,
            due,
            expires,
            revision,
            edited,
            story,
        }
    }
}

/// What is asked for.
pub struct Push {
    /// In their order; one revision for all.
    pub tasks: Vec<Task>,
    /// All or none of them.
    pub is_atomic: bool,
    /// Publish withdrawn articles again.
    pub republish: bool,
    /// Nothing but articles of these categories; `None`: any.
    pub within: Option<BTreeSet<Slug>>,
    /// Under which the answer is kept.
    pub key: Option<Key>,
    /// What is answered when this was done, to be kept under the key in the same transaction.
    pub answer: Box<dyn Fn(&Effects) -> String + Send + Sync>,
}

/// A key of a client that may try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whose token it was.
    pub owner: Slug,
    /// As the client made it up.
    pub key: String,
    /// What stands for the rest of the request.
    pub fingerprint: String,
}

impl Key {
    /// What a request with this key is, where one had it before.
    pub(super) fn meets(&self, fingerprint: &str, answer: String) -> Pushed {
        if fingerprint == self.fingerprint { Pushed::Before(answer) } else { Pushed::KeyTaken }
    }
}

/// One thing to do, if a precondition holds when it is done.
#[derive(Clone, Debug)]
pub struct Task {
    /// What to do.
    pub operation: Operation,
    /// Nothing is done unless it holds.
    pub precondition: Precondition,
}

/// What to do with an article.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Take it in.
    Put(Box<Submission>),
    /// Take it back.
    Withdraw {
        /// Which one.
        id: ArticleId,
        /// Whether what it says is kept for [`BIN`], so that it can be had back.
        is_kept: bool,
    },
    /// Publish again what was withdrawn and kept.
    Restore(ArticleId),
}

impl Operation {
    /// Which article.
    pub fn id(&self) -> &ArticleId {
        match self {
            Self::Put(submission) => &submission.id,
            Self::Withdraw { id, .. } | Self::Restore(id) => id,
        }
    }
}

/// `If-Match` and `If-None-Match` of a write (RFC 9110 section 13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// The article is one of these.
    pub is: Option<Versions>,
    /// The article is none of these.
    pub is_not: Option<Versions>,
}

/// States of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Whichever it is in, if there is an article.
    Any,
    /// Those that these writes made.
    Of(Vec<Revision>),
}

impl Versions {
    fn include(&self, current: Option<Revision>) -> bool {
        current.is_some_and(|current| match self {
            Self::Any => true,
            Self::Of(revisions) => revisions.contains(&current),
        })
    }
}

impl Precondition {
    /// Whether it holds for an article that this write made what it is; `None`: there is none.
    pub fn holds(&self, current: Option<Revision>) -> bool {
        self.is.as_ref().is_none_or(|versions| versions.include(current))
            && !self.is_not.as_ref().is_some_and(|versions| versions.include(current))
    }
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was done, as far as it could be.
    Done(Effects),
    /// It had been done before; this was answered.
    Before(String),
    /// Its key was used for something else.
    KeyTaken,
}

/// What became of each task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// The newest write of the store afterwards.
    pub head: Revision,
    /// In the order of the tasks.
    pub each: Vec<Effect>,
}

/// What became of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Which article.
    pub id: ArticleId,
    /// What became of it.
    pub fate: Fate,
    /// The write that made the article what it is now; `None`: there is none, or it is not for this token.
    pub revision: Option<Revision>,
    /// Whether it was not there before.
    pub is_new: bool,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The article was taken in.
    Taken(Outcome),
    /// It was taken back.
    Withdrawn,
    /// It had been taken back before.
    WithdrawnBefore,
    /// Nothing was done.
    Refused(Refused),
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The precondition does not hold.
    Precondition,
    /// It was withdrawn and stays so.
    Retired,
    /// Its guid belongs to another article.
    GuidTaken {
        /// Whose it is.
        by: ArticleId,
    },
    /// Its guid lies where the store mints identities, and is not its own.
    GuidReserved,
    /// The stored article of its key has another guid.
    OtherGuid {
        /// The guid that was handed in.
        given: Text,
        /// That of the stored article.
        stored: Text,
    },
    /// Its key is the name of a file, and is that of an article from elsewhere.
    KeyTaken,
    /// Nobody knows the article.
    Unknown,
    /// The token is for other categories.
    OutOfScope,
    /// It cannot be had back: it was not kept, or too long ago.
    Forgotten,
    /// Another task was refused, and all or none were asked for.
    Undone,
}

impl Fate {
    /// Whether the store is now as the task wanted it.
    pub fn is_done(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

impl From<Outcome> for Fate {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::GuidTaken { by } => Self::Refused(Refused::GuidTaken { by }),
            Outcome::GuidReserved => Self::Refused(Refused::GuidReserved),
            Outcome::OtherGuid { given, stored } => {
                Self::Refused(Refused::OtherGuid { given, stored })
            }
            Outcome::OtherFile { .. } => Self::Refused(Refused::KeyTaken),
            Outcome::Retired => Self::Refused(Refused::Retired),
            taken @ (Outcome::Published
            | Outcome::Held
            | Outcome::Expired
            | Outcome::Edited
            | Outcome::Corrected
            | Outcome::Unchanged) => Self::Taken(taken),
        }
    }
}

impl Push {
    /// Whether whoever asks may know of an article. What a withdrawn one was filed under, nobody knows any more.
    pub(super) fn sees(&self, row: &Row) -> bool {
        self.within
            .as_ref()
            .is_none_or(|within| row.state != State::Withdrawn && reaches(within, &row.story))
    }

    /// Whether an article as it would be is theirs to write.
    pub(super) fn reaches(&self, story: &Story) -> bool {
        self.within.as_ref().is_none_or(|within| reaches(within, story))
    }

    /// Why a task is not done to an article as it is (`old`), if it is not.
    pub(super) fn objection(&self, task: &Task, old: Option<&Row>) -> Option<Refused> {
        let known = old.filter(|row| self.sees(row));
        if let Operation::Put(submission) = &task.operation
            && (known.is_none() && old.is_some() || !self.reaches(&submission.story))
        {
            return Some(Refused::OutOfScope);
        }
        // What is withdrawn has no representation: no tag is its tag.
        let current = known.filter(|row| row.state != State::Withdrawn).map(|row| row.revision);
        if !task.precondition.holds(current) {
            return Some(Refused::Precondition);
        }
        // Nobody is told by an answer of its own that there is what they may not know of.
        let is_unknown = match &task.operation {
            Operation::Put(_) => false,
            Operation::Withdraw { .. } => known.is_none(),
            // Whose it was, what was kept of it says.
            Operation::Restore(_) => {
                known.is_none() && old.is_none_or(|row| row.state != State::Withdrawn)
            }
        };
        is_unknown.then_some(Refused::Unknown)
    }
}

/// Whether an article is within these categories: it has one, and no other.
pub fn reaches(within: &BTreeSet<Slug>, story: &Story) -> bool {
    !story.categories.is_empty()
        && story.categories.iter().all(|category| within.contains(&category.slug))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preconditions_are_those_of_rfc_9110() {
        let these = |revisions: &[u64]| {
            Some(Versions::Of(revisions.iter().map(|number| Revision(*number)).collect()))
        };
        let any = || Some(Versions::Any);
        for (is, is_not, current, holds) in [
            (None, None, None, true),
            (None, None, Some(5), true),
            (these(&[5]), None, Some(5), true),
            (these(&[4, 5]), None, Some(5), true),
            (these(&[4]), None, Some(5), false),
            (these(&[]), None, Some(5), false),
            (these(&[5]), None, None, false),
            (any(), None, Some(5), true),
            (any(), None, None, false),
            (None, any(), None, true),
            (None, any(), Some(5), false),
            (None, these(&[5]), Some(5), false),
            (None, these(&[4]), Some(5), true),
            (these(&[5]), these(&[5]), Some(5), false),
        ] {
            let precondition = Precondition { is, is_not };
            assert_eq!(
                precondition.holds(current.map(Revision)),
                holds,
                "{precondition:?} {current:?}"
            );
        }
    }
}
