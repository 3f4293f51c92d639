//! Files that are handed in: kept in a folder of their own, under names that say what they hold.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use url::Url;

use super::{PREFIX, TYPES, media_type};

/// The folder within the folder whose files are served.
const FOLDER: &str = "pushed";
/// Most files that are listed.
const MAX_LISTED: usize = 1_000;

/// Takes files in.
#[derive(Clone, Debug)]
pub struct Intake {
    folder: PathBuf,
    /// Its public address, ending in `/`.
    base: Url,
}

/// A file that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is called.
    pub name: String,
    /// Its public address.
    pub url: Url,
    /// By its name.
    pub media_type: &'static str,
    /// In bytes.
    pub bytes: u64,
    /// When it came.
    pub modified: DateTime<Utc>,
}

impl Intake {
    /// Into the folder `root`, which a service that is reached at `base` serves.
    pub fn new(root: &Path, base: &Url) -> io::Result<Self> {
        let folder = root.join(FOLDER);
        fs::create_dir_all(&folder)?;
        let base = base.join(&format!("{}{FOLDER}/", PREFIX.trim_start_matches('/')));
        Ok(Self { folder, base: base.map_err(io::Error::other)? })
    }

    /// Whether files of a media type are taken.
    pub fn takes(media_type: &str) -> bool {
        extension(media_type).is_some()
    }

    /// Keeps a file; it is on disk when this returns. `wish` is what it would like to be called, in characters of a slug;
    /// the same file under the same wish is the same file. `None`: files of this type are not taken.
    pub fn keep(&self, wish: &str, media_type: &str, content: &[u8]) -> io::Result<Option<Kept>> {
        let Some(extension) = extension(media_type) else { return Ok(None) };
        let digest = Sha256::digest(content);
        let mut name: String = wish.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        if !name.is_empty() {
            name.push('-');
        }
        for byte in &digest[..12] {
            let _ = write!(name, "{byte:02x}");
        }
        let name = format!("{name}.{extension}");
        let path = self.folder.join(&name);
        if !path.exists() {
            // Hidden until it is whole: no such name is served. Each has its own, for others may hand in the same file.
            let unique = getrandom::u64().map_err(io::Error::other)?;
            let draft = self.folder.join(format!(".{name}.{unique:016x}"));
            let written = write(&draft, content).and_then(|()| fs::rename(&draft, &path));
            if let Err(error) = written {
                // Where there is no room, an unfinished one takes some of it.
                let _ = fs::remove_file(&draft);
                return Err(error);
            }
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(self.find(&name))
    }

    /// A file by its name.
    pub fn find(&self, name: &str) -> Option<Kept> {
        if name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return None;
        }
        let data =
            fs::symlink_metadata(self.folder.join(name)).ok().filter(fs::Metadata::is_file)?;
        let age = data.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(Kept {
            name: name.to_owned(),
            url: self.base.join(name).ok()?,
            media_type: media_type(name)?,
            bytes: data.len(),
            modified: DateTime::from_timestamp(i64::try_from(age.as_secs()).ok()?, 0)?,
        })
    }

    /// All files, the newest first; not more than a thousand.
    pub fn list(&self) -> io::Result<Vec<Kept>> {
        let names = fs::read_dir(&self.folder)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut files: Vec<_> = names.filter_map(|name| self.find(&name)).collect();
        files.sort_by(|a, b| (b.modified, &b.name).cmp(&(a.modified, &a.name)));
        files.truncate(MAX_LISTED);
        Ok(files)
    }

    /// Removes a file; whether there was one.
    pub fn remove(&self, name: &str) -> io::Result<bool> {
        if self.find(name).is_none() {
            return Ok(false);
        }
        fs::remove_file(self.folder.join(name))?;
        File::open(&self.folder)?.sync_all()?;
        Ok(true)
    }
}

fn write(draft: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(draft)?;
    file.write_all(content)?;
    file.sync_all()
}

/// How the names of files of a media type end. Texts and archives are not taken: nobody has to serve what others wrote.
fn extension(media_type: &str) -> Option<&'static str> {
    let is_taken = ["image/", "audio/", "video/"].iter().any(|kind| media_type.starts_with(kind))
        || media_type == "application/pdf";
    let usual = match media_type {
        "audio/mp4" | "audio/m4a" => "m4a",
        "audio/mp3" => "mp3",
        "image/jpg" => "jpg",
        _ => TYPES.iter().find(|(_, known)| *known == media_type)?.0,
    };
    is_taken.then_some(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_hand_in_one_file_at_once_write_drafts_of_their_own() {
        let home = tempfile::tempdir().unwrap();
        let intake =
            Intake::new(home.path(), &"https://feeds.example.com/".parse().unwrap()).unwrap();
        for round in 0..20_u8 {
            let content = vec![round; 300_000];
            let start = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                let keep = || {
                    start.wait();
                    intake.keep("a", "image/png", &content).unwrap().unwrap()
                };
                let all: Vec<_> = (0..4).map(|_| scope.spawn(keep)).collect();
                for kept in all.into_iter().map(|one| one.join().unwrap()) {
                    assert_eq!(kept.bytes, 300_000);
                }
            });
        }
        assert_eq!(
            fs::read_dir(home.path().join(FOLDER)).unwrap().count(),
            20,
            "or a draft is left"
        );
    }

    #[test]
    fn a_file_is_kept_once_and_under_a_harmless_name() {
        let home = tempfile::tempdir().unwrap();
        let base = "https://feeds.example.com/x/".parse().unwrap();
        let intake = Intake::new(home.path(), &base).unwrap();
        let kept = intake.keep("../Hall 1", "image/jpeg", b"one").unwrap().unwrap();
        assert_eq!(kept.name, "Hall1-7692c3ad3540bb803c020b3a.jpg");
        assert_eq!(
            kept.url.as_str(),
            format!("https://feeds.example.com/x/media/pushed/{}", kept.name)
        );
        assert_eq!((kept.media_type, kept.bytes), ("image/jpeg", 3));
        assert_eq!(intake.keep("Hall 1", "image/jpeg", b"one").unwrap().unwrap().name, kept.name);
        assert_eq!(intake.list().unwrap().len(), 1);
        for refused in ["text/html", "image/svg+xml", "application/zip", "image/", ""] {
            assert_eq!(intake.keep("a", refused, b"x").unwrap(), None, "{refused}");
        }
        assert_eq!(intake.find("../pushed/a.jpg"), None);
        assert!(intake.remove(&kept.name).unwrap() && !intake.remove(&kept.name).unwrap());
        assert_eq!(fs::read_dir(home.path().join(FOLDER)).unwrap().count(), 0);
    }
}
