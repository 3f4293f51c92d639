//! Articles that come in by themselves, from where they live.
//!
//! A look reads what has changed in a source since the last one and takes it in by the rules of every import. Where it
//! stands is kept in the store, in one write with what it took: a look that breaks off is gone on with.

mod feed;
mod field;
mod folder;
mod follow;
mod holding;
mod lease;
mod mark;
mod preset;
mod preview;
mod spec;
mod sql;
mod state;
mod sweep;
mod take;

pub use field::{FIELDS, Field, List};
pub use follow::{Follower, How};
pub use preset::{Filled, Preset};
pub use preview::{Preview, preview};
pub use spec::{Feed, Folder, Kind, Link, Place, Rows, Secret, Source, Sql};
pub use state::{Counts, Refusal, Standing, State};
pub use take::Round;

use std::{io, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{
    fetch::FetchError,
    store::{Cause, StoreError},
};

/// Why a look at a source did not come to its end. What it took before that is kept.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not there, or lets nobody in.
    #[error("cannot connect to `{0}`")]
    Connect(String, #[source] Cause),
    /// It did not answer as it should.
    #[error("cannot read from the database")]
    Query(#[source] Cause),
    /// Nothing tells which rows changed.
    #[error("there is no `cursor`")]
    NoCursor,
    /// A row without a key.
    #[error("a row has no key; name a column that is never empty with `key`")]
    NoKey,
    /// A query that does not say whose its rows are.
    #[error("the rows of `{0}` do not say whose they are; name the article's key `id` in it")]
    NoId(&'static str),
    /// No address of a database.
    #[error(
        "`url` is not the address of a database; write `postgres://…`, `mysql://…` or `sqlite:…`"
    )]
    Scheme,
    /// It is the address of no database for another reason.
    #[error("`url` is not the address of a database")]
    Address(#[source] Cause),
    /// It is connected, and nothing comes.
    #[error("the database does not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// A variable that is not set.
    #[error("the variable `{0}` of the environment is not set; `url` asks for it")]
    Variable(String),
    /// A file that cannot be read.
    #[error("cannot read `{0}`")]
    File(String, #[source] io::Error),
    /// A server does not answer.
    #[error("cannot get the feed")]
    Fetch(#[from] FetchError),
    /// It answered with something else.
    #[error("the server answers with status {0} instead of the feed")]
    Status(u16),
    /// It does not want to be asked any more.
    #[error(
        "the feed is gone for good (410) and is not asked for again; `courant source run NAME --once --all` tries"
    )]
    Gone,
    /// It is no feed.
    #[error("{0}")]
    Foreign(String),
    /// It ends in the middle.
    #[error("the feed breaks off, and is asked for again: {0}")]
    BrokenOff(String),
    /// Somebody else follows it.
    #[error(
        "another process follows the source, as of its last sign of life until {}; stop it, or wait until then, or \
         use `courant source run NAME --take-over`, which makes it stand by",
        .0.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    Followed(DateTime<Utc>),
    /// Somebody else has followed it since, and nothing of this was written.
    #[error("another process has taken the source over; what it had not written yet is left to it")]
    Overtaken,
    /// The store failed.
    #[error("cannot write to the store")]
    Store(#[from] StoreError),
    /// The program is shutting down.
    #[error("the program is closing")]
    Closing,
}
