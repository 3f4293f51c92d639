//! Where a static edition goes: a folder, or a bucket of an object store.

use std::{future, path::PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::export::{Bucket, Folder, Piece};

/// Why a target did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Nobody knows what is meant.
    #[error(
        "`{0}` is no place to export to; name a folder, `s3://bucket/prefix`, `gs://…` or `az://…`"
    )]
    Unknown(String),
    /// It cannot be reached as it is described.
    #[error("cannot use `{place}`; see docs/export.md for the variables that it takes")]
    Settings {
        /// Which target.
        place: String,
        /// Why.
        source: Cause,
    },
    /// Another export writes there.
    #[error("another export is writing to `{place}`; wait until it has finished{}", patience(*until))]
    Busy {
        /// Which target.
        place: String,
        /// Until when it has said that it does, if it has.
        until: Option<DateTime<Utc>>,
    },
    /// Another export took over, because this one did not say for too long that it goes on.
    #[error("another export has taken over `{0}`")]
    Lost(String),
    /// No file can be called so.
    #[error("no file can be called `{0}`")]
    Name(String),
    /// It failed.
    #[error("cannot {what} `{name}`")]
    Failed {
        /// `read`, `write` or `remove`.
        what: &'static str,
        /// Which file.
        name: String,
        /// Why.
        source: Cause,
    },
}

/// What a file system or a store says of its failure.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

fn patience(until: Option<DateTime<Utc>>) -> String {
    until.map_or_else(String::new, |until| format!(", or until {until} if it has been killed"))
}

/// How many files were written, and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Those that are not as they were.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Where files go.
#[derive(Debug)]
pub enum Target {
    /// A folder, for a web server.
    Folder(Folder),
    /// A bucket, or what is below a prefix of one.
    Bucket(Bucket),
}

impl Target {
    /// The target of an address; `variables` are those of the environment.
    pub fn open(
        address: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, TargetError> {
        match address.split_once("://") {
            None if address.is_empty() => Err(TargetError::Unknown(address.to_owned())),
            None => Ok(Self::Folder(Folder::new(PathBuf::from(address)))),
            Some(("file", path)) => Ok(Self::Folder(Folder::new(PathBuf::from(path)))),
            Some(("s3" | "gs" | "az", _)) => Bucket::open(address, variables).map(Self::Bucket),
            Some(_) => Err(TargetError::Unknown(address.to_owned())),
        }
    }

    /// Whether it answers by names alone, and no server chooses between files.
    pub fn is_bucket(&self) -> bool {
        matches!(self, Self::Bucket(_))
    }

    /// How many documents to write at a time.
    pub fn together(&self) -> usize {
        match self {
            Self::Folder(_) => 8,
            Self::Bucket(_) => 32,
        }
    }

    /// Keeps others from writing there, until [`Target::release`] or the end of this process.
    pub async fn lock(&self, now: DateTime<Utc>) -> Result<(), TargetError> {
        match self {
            Self::Folder(folder) => folder.lock().await,
            Self::Bucket(bucket) => bucket.lock(now).await,
        }
    }

    /// Goes on keeping others from it; ends when that failed.
    pub async fn keep(&self, clock: impl Fn() -> DateTime<Utc>) -> TargetError {
        match self {
            Self::Folder(_) => future::pending().await,
            Self::Bucket(bucket) => bucket.keep(clock).await,
        }
    }

    /// Lets others write there.
    pub async fn release(&self) {
        match self {
            Self::Folder(folder) => folder.release(),
            Self::Bucket(bucket) => bucket.release().await,
        }
    }

    /// Writes a document: what is coded first, then what is plain.
    pub async fn write(&self, piece: &Piece, now: DateTime<Utc>) -> Result<Written, TargetError> {
        match self {
            Self::Folder(folder) => folder.write(piece, now).await,
            Self::Bucket(bucket) => bucket.write(piece).await,
        }
    }

    /// Removes a document in every coding; how many files there were, as far as the target tells.
    pub async fn remove(&self, name: &str) -> Result<u64, TargetError> {
        match self {
            Self::Folder(folder) => folder.remove(name).await,
            Self::Bucket(bucket) => bucket.remove(name).await,
        }
    }

    /// The content of a file; `None` where there is none.
    pub async fn read(&self, name: &str) -> Result<Option<Bytes>, TargetError> {
        match self {
            Self::Folder(folder) => folder.read(name).await,
            Self::Bucket(bucket) => bucket.read(name).await,
        }
    }

    /// Writes a file that is for exports alone.
    pub async fn note(&self, name: &str, bytes: Vec<u8>) -> Result<(), TargetError> {
        match self {
            Self::Folder(folder) => folder.note(name, bytes).await,
            Self::Bucket(bucket) => bucket.note(name, bytes).await,
        }
    }

    /// The names of all files below a folder, which ends in `/`.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, TargetError> {
        match self {
            Self::Folder(target) => target.list(folder).await,
            Self::Bucket(bucket) => bucket.list(folder).await,
        }
    }
}
