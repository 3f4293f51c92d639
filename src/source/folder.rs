//! A folder of files: Markdown, pages, records.
//!
//! A file is read when it has been left alone for a second, so that nobody publishes half of what is being written.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
    fs::{self, File},
    io::{self, BufReader, Read},
    num::NonZeroU16,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde_json::Value;
use tokio::sync::Notify;
use tracing::warn;

use crate::{
    import::{
        HowToRead, Piece, Record, Sources,
        charset::{self, Label},
        markdown,
    },
    source::{
        SourceError,
        follow::{Follower, How},
        spec::Folder,
        sweep::Belief,
        take::{Entry, Given, Presence, Round},
    },
};

/// What is read.
const ENDINGS: [&str; 8] = ["md", "markdown", "html", "htm", "xhtml", "json", "ndjson", "jsonl"];
/// Most files of a folder.
const MAX_FILES: usize = 200_000;
/// Largest file of Markdown, in bytes.
const MAX_MARKDOWN: u64 = 16 << 20;
/// Left alone for so long, a file is taken to be whole.
const SETTLED: Duration = Duration::from_secs(1);
/// So often a look waits for files to be left alone; those that are not come with the next one.
const PATIENCE: usize = 5;
/// Most records that are taken in at a time.
const BATCH: usize = 1_000;

/// What a file was like when it was read.
pub(super) type Seen = HashMap<String, (SystemTime, u64)>;

/// What a folder holds: each file by its path below it.
struct Listing {
    files: Seen,
}

impl Listing {
    fn read(folder: &Path) -> Result<Self, SourceError> {
        let failed = |path: &Path, error| SourceError::File(path.display().to_string(), error);
        let mut files = Seen::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(place) = waiting.pop() {
            for entry in fs::read_dir(&place).map_err(|error| failed(&place, error))? {
                let path = entry.map_err(|error| failed(&place, error))?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if name.starts_with('.') {
                    continue;
                }
                // What has gone meanwhile is no file.
                let Ok(data) = fs::symlink_metadata(&path) else { continue };
                if data.is_dir() {
                    waiting.push(path);
                } else if data.is_file() && is_read(&path) {
                    let below = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy();
                    let modified = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    files.insert(below.replace('\\', "/"), (modified, data.len()));
                }
            }
            if files.len() > MAX_FILES {
                let many = io::Error::other(format!("more than {MAX_FILES} files"));
                return Err(failed(folder, many));
            }
        }
        Ok(Self { files })
    }
}

fn is_read(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Between the path of a file and what is in it.
const IN: char = '\t';

/// What was taken from a file is remembered under this key, an article each.
fn key(file: &str, what: impl Display) -> Value {
    Value::String(format!("{file}{IN}{what}"))
}

fn file_of(key: &str) -> &str {
    key.rsplit_once(IN).map_or(key, |(file, _)| file)
}

struct Files<'a>(&'a Path);

#[async_trait]
impl Presence for Files<'_> {
    async fn present(&mut self, keys: Vec<Value>) -> Result<Vec<String>, SourceError> {
        let is_there = |key: &&Value| {
            let file = key.as_str().map(file_of).unwrap_or_default();
            // A file that cannot be looked at is not gone.
            self.0.join(file).try_exists().unwrap_or(true)
        };
        Ok(keys.iter().filter(is_there).map(ToString::to_string).collect())
    }
}

/// What a file says.
pub(super) fn entries(folder: &Folder, file: &str) -> Result<Vec<Entry>, SourceError> {
    let path = folder.path.join(file);
    let failed = |error| SourceError::File(path.display().to_string(), error);
    let is_markdown = path.extension().is_some_and(|ending| ending == "md" || ending == "markdown");
    if is_markdown {
        let mut bytes = Vec::new();
        File::open(&path)
            .map_err(failed)?
            .take(MAX_MARKDOWN)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let text = charset::decode(&bytes, Label::None).map_err(|error| error.to_string());
        let page = text.and_then(|text| markdown::read(file, &text).map_err(|fault| fault.problem));
        return Ok(match page {
            Ok(None) => Vec::new(),
            Ok(Some(page)) => {
                let is_published = !page.is_draft;
                let record = placed(folder, page.record, &page.slug);
                vec![Entry {
                    key: key(file, ""),
                    record: Ok(Given::Record(Box::new(record))),
                    is_published,
                }]
            }
            Err(problem) => {
                vec![Entry { key: key(file, ""), record: Err(problem), is_published: true }]
            }
        });
    }
    let opened = path.clone();
    let source = crate::import::Source {
        name: file.to_owned(),
        below: file.to_owned(),
        kind: None,
        open: Box::new(move || Ok(Box::new(BufReader::new(File::open(opened)?)))),
    };
    let pieces = Sources::new(vec![source], HowToRead::default()).enumerate();
    let entries = pieces.map(|(nth, piece)| {
        // A record that moves within its file stays what it is.
        let id = piece.as_ref().ok().and_then(Piece::id).map(|id| id.replace(IN, " "));
        let key = id.map_or_else(|| key(file, format_args!("#{nth}")), |id| key(file, id));
        let record =
            piece.map(|piece| Given::Piece(Box::new(piece))).map_err(|error| error.to_string());
        Entry { key, record, is_published: true }
    });
    Ok(entries.collect())
}

/// The address of an article where its file does not say it.
fn placed(folder: &Folder, mut record: Record, slug: &str) -> Record {
    if let (None, Some(link)) = (&record.url, &folder.link) {
        let id = match &record.id {
            Some(crate::import::Key::Text(id)) => id.clone(),
            Some(crate::import::Key::Number(id)) => id.to_string(),
            None => String::new(),
        };
        let date = record.date_published.as_deref().unwrap_or_default();
        let part = |at: std::ops::Range<usize>| date.get(at).unwrap_or_default();
        let link = link.replace("{slug}", slug).replace("{id}", &id);
        let link = link.replace("{year}", part(0..4)).replace("{month}", part(5..7));
        record.url = Some(link.replace("{day}", part(8..10)));
    }
    record
}

/// The files of a folder, in the order of their paths.
pub(super) fn files(folder: &Folder) -> Result<Vec<String>, SourceError> {
    let mut files: Vec<_> = Listing::read(&folder.path)?.files.into_keys().collect();
    files.sort();
    Ok(files)
}

impl Follower {
    pub(super) async fn look_at_folder(
        &mut self,
        folder: &Folder,
        how: How,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        if how.all {
            self.seen.clear();
        }
        let is_first = self.seen.is_empty();
        for turn in 0..PATIENCE {
            let listing = Listing::read(&folder.path)?;
            let now: SystemTime = (self.clock)().into();
            let is_new =
                |(file, data): &(&String, &(SystemTime, u64))| self.seen.get(*file) != Some(data);
            let changed = listing.files.iter().filter(is_new);
            // A time that lies ahead says nothing.
            let (settled, fresh): (Vec<_>, Vec<_>) = changed.partition(|(_, (modified, _))| {
                now.duration_since(*modified).map_or(true, |age| age >= SETTLED)
            });
            let (is_over, mut settled) = (fresh.is_empty(), settled);
            settled.sort();
            for (file, data) in settled {
                self.take_file(folder, file, round).await?;
                self.seen.insert(file.clone(), *data);
            }
            let has_lost = self.seen.keys().any(|file| !listing.files.contains_key(file));
            self.seen.retain(|file, _| listing.files.contains_key(file));
            let is_told = how.sweep || how.withdraw_all || self.state.doubted.is_some();
            if has_lost || is_told || (is_first && turn == 0) {
                let belief = match (folder.withdraw_removed, how.withdraw_all) {
                    (false, _) => Belief::Forget,
                    (true, false) => Belief::Some,
                    (true, true) => Belief::All,
                };
                self.sweep(&mut Files(&folder.path), belief, round).await?;
            }
            if is_over {
                break;
            }
            tokio::time::sleep(SETTLED).await;
        }
        Ok(())
    }

    /// Takes in what a file says, and takes back what it does not say any more.
    async fn take_file(
        &mut self,
        folder: &Folder,
        file: &str,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        let (spec, name) = (folder.clone(), file.to_owned());
        let read = tokio::task::spawn_blocking(move || entries(&spec, &name));
        let mut entries = match read.await.map_err(|_| SourceError::Closing)? {
            Ok(entries) => entries,
            // Gone again.
            Err(SourceError::File(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // What cannot be read may be any of what the file said before.
        let is_whole = entries.iter().all(|entry| match &entry.record {
            Ok(Given::Piece(piece)) => piece.id().is_some(),
            Ok(Given::Record(_) | Given::Json(_)) => true,
            Err(_) => false,
        });
        let keys: HashSet<String> = entries.iter().map(|entry| entry.key.to_string()).collect();
        if is_whole {
            for key in self.held_of(file).await? {
                if !keys.contains(&key.to_string()) {
                    let record = Err(String::new());
                    entries.push(Entry { key, record, is_published: false });
                }
            }
        }
        while !entries.is_empty() {
            let rest = entries.split_off(entries.len().min(BATCH));
            let batch = std::mem::replace(&mut entries, rest);
            self.take(batch, self.state.clone(), round).await?;
        }
        Ok(())
    }

    /// The keys of what was taken from a file.
    async fn held_of(&self, file: &str) -> Result<Vec<Value>, SourceError> {
        let all = self.taker.names.keys();
        // A key without its last quotation mark.
        let quoted = key(file, "").to_string();
        let prefix = format!("{all}{}", quoted.strip_suffix('"').unwrap_or(&quoted));
        let (mut after, mut keys) = (prefix.clone(), Vec::new());
        loop {
            let page = self.taker.store.recall_after(&prefix, &after, NonZeroU16::MAX).await?;
            let Some((last, _)) = page.last() else { return Ok(keys) };
            after.clone_from(last);
            keys.extend(
                page.iter().filter_map(|(name, _)| serde_json::from_str(&name[all.len()..]).ok()),
            );
        }
    }
}

/// Wakes somebody when something in a folder changes. What it misses, the next look finds.
pub(super) fn watch(folder: &Path, wake: Arc<Notify>) -> Option<RecommendedWatcher> {
    let changed = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            wake.notify_one();
        }
    };
    let watching = notify::recommended_watcher(changed).and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    watching.map_err(|error| warn!("cannot watch `{}`: {error}", folder.display())).ok()
}
