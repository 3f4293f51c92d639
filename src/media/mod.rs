//! Sounds, films and pictures: the folder that this program serves them from, and what is known of a file.

mod intake;
mod probe;

pub use intake::{Intake, Kept};
pub use probe::{Measure, Probe, ProbeError};

use std::{
    io,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use url::Url;

/// The path under which a folder is served.
pub const PREFIX: &str = "/media/";

/// A folder whose files are served.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Without links in it, so that what lies outside can be told.
    root: PathBuf,
    /// The public address of the folder, ending in `/`.
    base: Url,
    /// The folders in it that are not for everybody.
    private: Vec<String>,
}

impl Folder {
    /// The folder at `path`, served by a service that is reached at `base`; `private` are the folders in it that are not for
    /// everybody.
    pub fn open(path: &Path, base: &Url, private: Vec<String>) -> io::Result<Self> {
        let root = path.canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        // A name that is misspelled would leave open what is not for everybody.
        if let Some(missing) = private.iter().find(|name| !root.join(name).is_dir()) {
            let missing = format!("there is no folder `{missing}` in it, which `private` names");
            return Err(io::Error::new(io::ErrorKind::NotFound, missing));
        }
        // By the name that links lead to, if it is one.
        let own = |name: String| {
            let path = root.join(&name).canonicalize().ok();
            let inside = path.as_ref().and_then(|path| path.strip_prefix(&root).ok()?.to_str());
            inside.map_or(name, str::to_owned)
        };
        let private = private.into_iter().map(own).collect();
        let base = base.join(PREFIX.trim_start_matches('/'));
        Ok(Self { root, base: base.map_err(io::Error::other)?, private })
    }

    /// The folder not for everybody that a file of this folder is in, wherever links have led; `None`: it is for everybody.
    pub fn private(&self, file: &Path) -> Option<&str> {
        let first = file.strip_prefix(&self.root).ok()?.components().next()?;
        let first = first.as_os_str().to_str()?;
        self.private.iter().map(String::as_str).find(|name| *name == first)
    }

    /// The file at a path below [`PREFIX`], percent-encoded; `None` for what is not there, is no file, is hidden, or
    /// lies outside the folder.
    pub fn find(&self, path: &str) -> Option<PathBuf> {
        let mut file = self.root.clone();
        for segment in path.split('/') {
            let segment = percent_decode_str(segment).decode_utf8().ok()?;
            let is_name = !segment.is_empty()
                && !segment.starts_with('.')
                && !segment.contains(['/', '\\', '\0']);
            if !is_name {
                return None;
            }
            file.push(segment.as_ref());
        }
        let file = file.canonicalize().ok()?;
        (file.starts_with(&self.root) && file.is_file()).then_some(file)
    }

    /// The file that this folder serves at an address. `Some(None)`: the address is in this folder, and no file is there.
    pub fn at(&self, url: &Url) -> Option<Option<PathBuf>> {
        let path = url.as_str().strip_prefix(self.base.as_str())?;
        let path = path.split(['?', '#']).next().unwrap_or_default();
        Some(self.find(path))
    }
}

/// The media type of a file, by how its name ends (P-10).
pub fn media_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    let known = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
    known.map(|(_, media_type)| *media_type)
}

/// As podcast directories name them. What a browser would run is not among them.
const TYPES: [(&str, &str); 26] = [
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/x-m4a"),
    ("m4b", "audio/x-m4b"),
    ("aac", "audio/aac"),
    ("ogg", "audio/ogg"),
    ("oga", "audio/ogg"),
    ("opus", "audio/opus"),
    ("flac", "audio/flac"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("m4v", "video/x-m4v"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("pdf", "application/pdf"),
    ("epub", "application/epub+zip"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("vtt", "text/vtt; charset=utf-8"),
    ("srt", "application/x-subrip; charset=utf-8"),
    ("json", "application/json"),
    ("txt", "text/plain; charset=utf-8"),
    ("zip", "application/zip"),
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("media");
        fs::create_dir_all(root.join("2026/五月")).unwrap();
        for file in ["media/a.mp3", "media/.hidden", "media/2026/五月/b c.mp3", "secret.txt"] {
            fs::write(home.path().join(file), "x").unwrap();
        }
        std::os::unix::fs::symlink(home.path().join("secret.txt"), root.join("link.txt")).unwrap();
        std::os::unix::fs::symlink(root.join("a.mp3"), root.join("inside.mp3")).unwrap();
        std::os::unix::fs::symlink(root.join("2026/五月"), root.join("link")).unwrap();
        let base: Url = "https://feeds.example.com/x/".parse().unwrap();
        let folder = Folder::open(&root, &base, vec!["2026".to_owned()]).unwrap();
        let private = |path: &str| folder.private(&folder.find(path).unwrap()).is_some();
        assert!(private("2026/%E4%BA%94%E6%9C%88/b%20c.mp3") && private("link/b%20c.mp3"));
        assert!(!private("a.mp3") && !private("inside.mp3"));
        for (path, is_there) in [
            ("a.mp3", true),
            ("inside.mp3", true),
            ("2026/%E4%BA%94%E6%9C%88/b%20c.mp3", true),
            ("", false),
            ("2026", false),
            ("2026/", false),
            (".hidden", false),
            ("%2Ehidden", false),
            ("../secret.txt", false),
            ("2026/../../secret.txt", false),
            ("%2e%2e/secret.txt", false),
            ("..%2Fsecret.txt", false),
            ("..\\secret.txt", false),
            ("link.txt", false),
            ("a.mp3%00", false),
            ("/a.mp3", false),
            ("%FF", false),
            ("b.mp3", false),
        ] {
            assert_eq!(folder.find(path).is_some(), is_there, "{path}");
        }
        let at = |url: &str| folder.at(&url.parse().unwrap()).map(|file| file.is_some());
        assert_eq!(at("https://feeds.example.com/x/media/a.mp3?t=1"), Some(true));
        assert_eq!(at("https://feeds.example.com/x/media/b.mp3"), Some(false));
        assert_eq!(at("https://feeds.example.com/media/a.mp3"), None);
    }

    #[test]
    fn a_type_is_known_by_the_name() {
        assert_eq!(media_type("a.MP3"), Some("audio/mpeg"));
        assert_eq!(media_type("a.b/c.m4a"), Some("audio/x-m4a"));
        assert_eq!((media_type("a.html"), media_type("mp3")), (None, None));
    }
}
