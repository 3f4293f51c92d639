//! Where articles are kept, as it is written.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::{
    config::value::{self, Mistake},
    text::DatabaseUrl,
};

/// Where articles are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// In a file.
    Sqlite(PathBuf),
    /// In a PostgreSQL database; `replica`: a copy of it to read from.
    Postgres {
        /// Where it is.
        url: DatabaseUrl,
        /// Where the copy is.
        replica: Option<DatabaseUrl>,
    },
}

impl StoreUrl {
    /// The same, read from a copy; a file is read from itself.
    pub(super) fn read_from(self, replica: Option<DatabaseUrl>) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(path),
            Self::Postgres { url, .. } => Self::Postgres { url, replica },
        }
    }
}

/// Without passwords.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres { url, replica: None } => url.fmt(f),
            Self::Postgres { url, replica: Some(replica) } => {
                write!(f, "{url}, read from {replica}")
            }
        }
    }
}

/// What is written for a place is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}; {advice}")]
pub struct NotAPlace {
    /// What is wrong.
    pub wrong: String,
    /// What to write instead.
    pub advice: String,
}

impl FromStr for StoreUrl {
    type Err = NotAPlace;

    /// As on the command line: relative to the working directory.
    fn from_str(given: &str) -> Result<Self, NotAPlace> {
        value::store(given, Path::new(""))
            .map_err(|Mistake { wrong, advice }| NotAPlace { wrong, advice })
    }
}
