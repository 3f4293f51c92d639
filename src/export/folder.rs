//! A static edition in a folder.
//!
//! Each file is written under another name, synced, and put in its place in one step, so that whoever serves the folder
//! sees the old file or the new one. Its time is that of the document: servers make validators of time and size.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::export::{CODED, Piece, TargetError, Written};

/// What is on its way into the folder.
const PARTS: &str = ".courant/parts";
/// Held by whoever writes to the folder.
const LOCK: &str = ".courant/lock";

/// A folder that a web server serves.
#[derive(Clone, Debug)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    lock: Mutex<Option<File>>,
    parts: AtomicU64,
}

impl Folder {
    /// The folder at a path; it is made when it is first locked.
    pub fn new(root: PathBuf) -> Self {
        Self(Arc::new(Inner { root, lock: Mutex::default(), parts: AtomicU64::default() }))
    }

    pub(super) async fn lock(&self) -> Result<(), TargetError> {
        self.blocking(LOCK, "write", |inner| {
            let parts = inner.root.join(PARTS);
            fs::create_dir_all(&parts)?;
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(inner.root.join(LOCK))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(false),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
            // Of an export that was killed.
            for part in fs::read_dir(&parts)? {
                fs::remove_file(part?.path())?;
            }
            *inner.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
            Ok(true)
        })
        .await?
        .then_some(())
        .ok_or_else(|| TargetError::Busy { place: self.0.root.display().to_string(), until: None })
    }

    pub(super) fn release(&self) {
        drop(self.0.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    pub(super) async fn write(
        &self,
        piece: &Piece,
        now: DateTime<Utc>,
    ) -> Result<Written, TargetError> {
        let piece = piece.clone();
        let name = piece.name.clone();
        self.blocking(&name, "write", move |inner| inner.write(&piece, now)).await
    }

    pub(super) async fn remove(&self, name: &str) -> Result<u64, TargetError> {
        let plain = name.to_owned();
        self.blocking(name, "remove", move |inner| {
            let mut removed = 0;
            for ending in CODED.map(|(_, ending)| ending).into_iter().chain([""]) {
                removed += u64::from(
                    absent(fs::remove_file(inner.root.join(format!("{plain}{ending}"))))?.is_some(),
                );
            }
            // Folders that are empty now go as well; any that is not refuses.
            let mut folder = inner.root.join(&plain);
            while folder.pop() && folder != inner.root && fs::remove_dir(&folder).is_ok() {}
            Ok(removed)
        })
        .await
    }

    pub(super) async fn read(&self, name: &str) -> Result<Option<Bytes>, TargetError> {
        let file = name.to_owned();
        self.blocking(name, "read", move |inner| {
            Ok(absent(fs::read(inner.root.join(file)))?.map(Bytes::from))
        })
        .await
    }

    pub(super) async fn note(&self, name: &str, bytes: Vec<u8>) -> Result<(), TargetError> {
        let file = name.to_owned();
        self.blocking(name, "write", move |inner| {
            let path = inner.root.join(file);
            let mut folders = BTreeSet::new();
            inner.put(&path, &bytes, None, &mut folders)?;
            sync(&folders)
        })
        .await
    }

    pub(super) async fn list(&self, folder: &str) -> Result<Vec<String>, TargetError> {
        let below = folder.to_owned();
        self.blocking(folder, "read", move |inner| {
            let mut found = Vec::new();
            walk(&inner.root.join(&below), below.trim_end_matches('/'), &mut found)?;
            Ok(found)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        name: &str,
        what: &'static str,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Result<T, TargetError> {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        let done = done.unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        done.map_err(|error| {
            if error.kind() == io::ErrorKind::InvalidFilename {
                return TargetError::Name(name.to_owned());
            }
            let name = self.0.root.join(name).display().to_string();
            TargetError::Failed { what, name, source: error.into() }
        })
    }
}

impl Inner {
    /// What is coded comes before what is plain: a server that takes the date from the plain file and the bytes from the
    /// coded one then never shows old bytes under a new date.
    fn write(&self, piece: &Piece, now: DateTime<Utc>) -> io::Result<Written> {
        let plain = self.root.join(&piece.name);
        let time = Self::time(piece, &plain, now)?;
        let mut written = Written::default();
        let mut folders = BTreeSet::new();
        let mut put = |path: &Path, bytes: &[u8]| {
            if is_same(path, bytes, time)? {
                return Ok(());
            }
            written.files += 1;
            written.bytes += bytes.len() as u64;
            self.put(path, bytes, Some(time), &mut folders)
        };
        for (name, _, body) in piece.codings() {
            let path = self.root.join(name);
            match body {
                Some(bytes) => put(&path, bytes)?,
                None => drop(absent(fs::remove_file(path))?),
            }
        }
        put(&plain, &piece.plain)?;
        sync(&folders)?;
        Ok(written)
    }

    /// The time of the files of a document: when it changed. Later than that of other bytes in its place, whatever
    /// happened to the clock or the store, so that no validator stands for two documents.
    fn time(piece: &Piece, plain: &Path, now: DateTime<Utc>) -> io::Result<SystemTime> {
        let changed = piece.changed.unwrap_or(now).timestamp();
        let changed = SystemTime::UNIX_EPOCH
            + Duration::from_secs(u64::try_from(changed).unwrap_or_default());
        let Some(known) = absent(fs::metadata(plain))? else { return Ok(changed) };
        let known = known.modified()?;
        let is_known = fs::read(plain)? == piece.plain;
        if is_known && (piece.changed.is_none() || known >= changed) {
            return Ok(known);
        }
        Ok(if known >= changed { known + Duration::from_secs(1) } else { changed })
    }

    fn put(
        &self,
        path: &Path,
        bytes: &[u8],
        time: Option<SystemTime>,
        folders: &mut BTreeSet<PathBuf>,
    ) -> io::Result<()> {
        let part = self.parts.fetch_add(1, Ordering::Relaxed);
        let part = self.root.join(PARTS).join(part.to_string());
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        if let Some(time) = time {
            file.set_modified(time)?;
        }
        file.sync_all()?;
        drop(file);
        let folder = path.parent().unwrap_or(&self.root);
        let placed = fs::rename(&part, path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                fs::create_dir_all(folder)?;
                fs::rename(&part, path)
            }
            _ => Err(error),
        });
        if placed.is_err() {
            let _ = fs::remove_file(&part);
        }
        folders.insert(folder.to_owned());
        placed
    }
}

/// Whether a file is there already, as it should be.
fn is_same(path: &Path, bytes: &[u8], time: SystemTime) -> io::Result<bool> {
    let Some(known) = absent(fs::metadata(path))? else { return Ok(false) };
    Ok(known.len() == bytes.len() as u64 && known.modified()? == time && fs::read(path)? == bytes)
}

/// What was put into these folders is still there after a power cut.
fn sync(folders: &BTreeSet<PathBuf>) -> io::Result<()> {
    folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())
}

/// `None` for what is not there.
fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn walk(folder: &Path, name: &str, found: &mut Vec<String>) -> io::Result<()> {
    let Some(entries) = absent(fs::read_dir(folder))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        // No name of ours is anything but Unicode.
        let Ok(last) = entry.file_name().into_string() else { continue };
        let name = format!("{name}/{last}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &name, found)?;
        } else {
            found.push(name);
        }
    }
    Ok(())
}
