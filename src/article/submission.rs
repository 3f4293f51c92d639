//! What a publisher hands in of an article, before the store has given it an identity.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    article::{ArticleId, Story},
    text::{CLEANING_VERSION, Text},
};

/// How exactly a time was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// To the second.
    Second,
    /// To the minute: the store may set articles of one minute apart.
    Minute,
    /// To the day: the store may set articles of one day apart.
    Day,
}

/// A time as the publisher gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The beginning of what was given, in whole seconds.
    pub start: DateTime<Utc>,
    /// How much room there is after it.
    pub precision: Precision,
}

impl When {
    /// A time given to the second.
    pub fn exactly(start: DateTime<Utc>) -> Self {
        Self { start, precision: Precision::Second }
    }

    /// Whole seconds that fit between `start` and the next time of this precision.
    pub fn room(self) -> TimeDelta {
        match self.precision {
            Precision::Second => TimeDelta::zero(),
            Precision::Minute => TimeDelta::seconds(59),
            Precision::Day => TimeDelta::seconds(86_399),
        }
    }

    /// A name for the time span, shared by all articles given this time; `None` when there is no room in it.
    pub fn slot(self) -> Option<i64> {
        (self.precision != Precision::Second).then_some(self.start.timestamp())
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.start, self.precision)
    }
}

/// Where a submission comes from, as far as stores ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether it comes from a source with `own = true`, whose guids may lie where this store mints identities.
    pub is_own: bool,
    /// Folder of the file whose name is the key; `None`: the key is not the name of a file.
    pub folder: Option<Text>,
    /// Version of the rules that cleaned its content.
    pub cleaning: u32,
}

impl Default for Origin {
    fn default() -> Self {
        Self { is_own: false, folder: None, cleaning: CLEANING_VERSION }
    }
}

/// An article as handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The publisher's key.
    pub id: ArticleId,
    /// An identity it already has elsewhere, kept verbatim.
    pub guid: Option<Text>,
    /// First publication; `None`: now.
    pub published: Option<When>,
    /// Last change as the publisher counts it.
    pub modified: Option<DateTime<Utc>>,
    /// Not to be seen before.
    pub embargo: Option<DateTime<Utc>>,
    /// Not to be seen from then on.
    pub expires: Option<DateTime<Utc>>,
    /// Whether readers should look again; `None`: if `modified` moved.
    pub is_significant: Option<bool>,
    /// What it says.
    pub story: Story,
    /// Where it comes from.
    pub origin: Origin,
}
