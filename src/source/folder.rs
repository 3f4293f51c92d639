//! A folder of files: Markdown, pages, records.
//!
//! A file is read when it has been left alone for a second, so that nobody publishes half of what is being written.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
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
        HowToRead, Record, Sources,
        charset::{self, Label},
        guarded, markdown,
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
#[derive(Default)]
struct Listing {
    files: Seen,
    /// Why some of them cannot be read.
    problems: HashMap<String, String>,
}

impl Listing {
    fn read(folder: &Path) -> Result<Self, SourceError> {
        let failed = |error| SourceError::File(folder.display().to_string(), error);
        let mut listing = Self::default();
        let mut waiting = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            waiting.push(entry.map_err(failed)?.path());
        }
        while let Some(path) = waiting.pop() {
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            // What has gone meanwhile is no file.
            let Ok(data) = fs::symlink_metadata(&path) else { continue };
            if data.is_dir() {
                // One that cannot be read holds up no other.
                match fs::read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
                    Ok(entries) => waiting.extend(entries.iter().map(fs::DirEntry::path)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => listing.add(folder, &path, None, Some(unread(&error))),
                }
            } else if data.is_file() && is_read(&path) {
                let problem = path.to_str().is_none().then(|| {
                    "its name is not UTF-8, by which articles are known; rename it".to_owned()
                });
                listing.add(folder, &path, Some(&data), problem);
            }
            if listing.files.len() > MAX_FILES {
                return Err(failed(io::Error::other(format!("more than {MAX_FILES} files"))));
            }
        }
        Ok(listing)
    }

    fn add(
        &mut self,
        folder: &Path,
        path: &Path,
        data: Option<&fs::Metadata>,
        problem: Option<String>,
    ) {
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let modified = data.and_then(|data| data.modified().ok()).unwrap_or(SystemTime::UNIX_EPOCH);
        self.problems.extend(problem.map(|problem| (name.clone(), problem)));
        self.files.insert(name, (modified, data.map_or(0, fs::Metadata::len)));
    }
}

/// Why a file is not read.
fn unread(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

/// What is refused, by its name.
fn refused(file: &str, problem: String) -> Entry {
    Entry { key: Value::String(file.to_owned()), record: Err(problem), is_published: true }
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

/// What a file says; a panic while it is read refuses that file alone.
fn entries(folder: &Folder, file: &str) -> io::Result<Vec<Entry>> {
    guarded(|| read(folder, file)).unwrap_or_else(|problem| Ok(vec![refused(file, problem)]))
}

fn read(folder: &Folder, file: &str) -> io::Result<Vec<Entry>> {
    let path = folder.path.join(file);
    let mut opened = File::open(&path)?;
    let is_markdown =
        |ending: &OsStr| ["md", "markdown"].iter().any(|known| ending.eq_ignore_ascii_case(known));
    if path.extension().is_some_and(is_markdown) {
        let mut bytes = Vec::new();
        opened.by_ref().take(MAX_MARKDOWN + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_MARKDOWN {
            return Ok(vec![refused(file, format!("larger than {} MiB", MAX_MARKDOWN >> 20))]);
        }
        let text = charset::decode(&bytes, Label::None).map_err(|error| error.to_string());
        let page = text.and_then(|text| markdown::read(file, &text).map_err(|fault| fault.problem));
        return Ok(match page {
            Ok(None) => Vec::new(),
            Ok(Some(page)) => {
                let is_published = !page.is_draft;
                let record = placed(folder, page.record, &page.slug);
                let record = Ok(Given::Record(Box::new(record)));
                vec![Entry { key: key(file, ""), record, is_published }]
            }
            Err(problem) => vec![refused(file, problem)],
        });
    }
    let source = crate::import::Source::new(file, BufReader::new(opened));
    let pieces = Sources::new(vec![source], HowToRead::default()).enumerate();
    let entries = pieces.map(|(nth, piece)| {
        // A record that moves within its file stays what it is.
        let id = piece.id().map(|id| id.replace(IN, " "));
        let key = id.map_or_else(|| key(file, format_args!("#{nth}")), |id| key(file, id));
        Entry { key, record: Ok(Given::Piece(Box::new(piece))), is_published: true }
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

/// What the files of a folder say, in the order of their paths, each for itself.
pub(super) fn preview(folder: &Folder) -> Result<impl Iterator<Item = Vec<Entry>>, SourceError> {
    let Listing { files, mut problems } = Listing::read(&folder.path)?;
    let mut files: Vec<_> = files.into_keys().collect();
    files.sort();
    Ok(files.into_iter().map(move |file| match problems.remove(&file) {
        Some(problem) => vec![refused(&file, problem)],
        None => entries(folder, &file).unwrap_or_else(|error| vec![refused(&file, unread(&error))]),
    }))
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
                let is_read = match listing.problems.get(file) {
                    Some(problem) => {
                        let refused = vec![refused(file, problem.clone())];
                        self.take(refused, self.state.clone(), round).await?;
                        true
                    }
                    None => self.take_file(folder, file, round).await?,
                };
                if is_read {
                    self.seen.insert(file.clone(), *data);
                }
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

    /// Takes in what a file says, and takes back what it does not say any more; whether it could be read. One that could not
    /// is tried again with each look: who may read it is no part of its time.
    async fn take_file(
        &mut self,
        folder: &Folder,
        file: &str,
        round: &mut Round,
    ) -> Result<bool, SourceError> {
        let (spec, name) = (folder.clone(), file.to_owned());
        let reading = tokio::task::spawn_blocking(move || entries(&spec, &name));
        let mut entries = match reading.await.map_err(|_| SourceError::Closing)? {
            Ok(entries) => entries,
            // Gone again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => {
                let refused = vec![refused(file, unread(&error))];
                self.take(refused, self.state.clone(), round).await?;
                return Ok(false);
            }
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
        Ok(true)
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
