//! Whether the file of a store is still the one that was opened.
//!
//! A process goes on with a file that was deleted or replaced, and loses what it writes: so each write checks first.

use std::{
    fs::{self, Metadata, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use crate::store::{Result, StoreError};

/// The files of a store when it was opened: the database, and its write-ahead log.
#[derive(Clone, Debug)]
pub(super) struct OpenedFiles(Vec<(PathBuf, Option<Inode>)>);

type Inode = (u64, u64);

impl OpenedFiles {
    /// The files as they are now.
    pub(super) fn of(path: &Path) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let files = [path.to_owned(), PathBuf::from(log)];
        // A log that is not there yet is not watched.
        let opened =
            files.map(|path| (fs::metadata(&path).ok().and_then(|data| inode(&data)), path));
        Self(
            opened
                .into_iter()
                .filter(|(inode, _)| inode.is_some())
                .map(|(inode, path)| (path, inode))
                .collect(),
        )
    }

    /// An error when one of them was deleted or replaced.
    pub(super) fn check(&self) -> Result<()> {
        for (path, opened) in &self.0 {
            if fs::metadata(path).ok().and_then(|data| inode(&data)) != *opened {
                return Err(StoreError::Replaced(path.display().to_string()));
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "not every system has inodes")]
fn inode(data: &Metadata) -> Option<Inode> {
    use std::os::unix::fs::MetadataExt;
    Some((data.dev(), data.ino()))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<Inode> {
    None
}

/// Makes an empty file that only its owner can read, unless there is a file: SQLite gives its logs the same permissions. The
/// store holds articles under embargo.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
