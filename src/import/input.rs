//! Files of any kind as one stream of records, each with the file and line that it stands in.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    sync::Arc,
};

use url::Url;

use crate::{
    feed::Catalogue,
    import::{
        Found, Item, Items,
        charset::{self, Label},
        convert::Fault,
        feed,
        kind::Kind,
        markdown,
        page::{self, Page, Rules},
        record::{Key, Record},
        transcode::utf8,
        wordpress::{Index, Posts, Wanted},
    },
    text::Text,
};

/// Largest file of one article, in bytes.
const MAX_ARTICLE: usize = page::MAX_PAGE;
/// What standard input is called.
const STANDARD_INPUT: &str = "-";

/// What a record of an input is.
#[derive(Debug)]
pub(super) enum Content {
    /// Its JSON, or why there is none.
    Json(Result<String, String>),
    /// Read already.
    Record(Box<Result<Record, Fault>>),
}

/// A record, and where it stands.
#[derive(Debug)]
pub struct Piece {
    pub(super) file: Arc<str>,
    pub(super) line: usize,
    pub(super) content: Content,
    /// Folder of the file, where its name is the key.
    pub(super) folder: Option<Text>,
}

impl Piece {
    pub(super) fn of_item(file: &Arc<str>, Item { line, text }: Item) -> Self {
        Self { file: Arc::clone(file), line, content: Content::Json(text), folder: None }
    }

    fn of_found(file: &Arc<str>, Found { line, record }: Found) -> Self {
        let content = Content::Record(Box::new(record));
        Self { file: Arc::clone(file), line, content, folder: None }
    }

    /// What it says; an error when it is no record at all.
    pub fn read(self, catalogue: &Catalogue) -> Result<super::Reading, String> {
        match self.content {
            Content::Json(text) => Ok(super::read(catalogue, &text?)),
            Content::Record(record) => match *record {
                Ok(record) => Ok(super::read_record(catalogue, record)),
                Err(fault) => Err(fault.problem),
            },
        }
    }

    /// Its key, as far as it says one.
    pub fn id(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Named {
            id: Key,
        }
        let key = match &self.content {
            Content::Json(text) => {
                serde_json::from_str(text.as_ref().ok()?).ok().map(|Named { id }| id)
            }
            Content::Record(record) => (**record).as_ref().ok()?.id.clone(),
        };
        key.map(|key| match key {
            Key::Text(id) => id,
            Key::Number(id) => id.to_string(),
        })
    }

    /// Its size as far as progress goes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Json(text) => text.as_ref().map_or(0, String::len),
            Content::Record(record) => record
                .as_ref()
                .as_ref()
                .map_or(0, |record| record.content_html.as_ref().map_or(0, String::len) + 200),
        }
    }
}

/// What opens a file, when its turn has come.
pub type Open = Box<dyn FnOnce() -> io::Result<Box<dyn BufRead + Send>> + Send>;

/// A file to be read.
pub struct Source {
    /// As the report names it.
    pub name: String,
    /// Its path below the folder that was given, with `/`; its name, when it was given itself.
    pub below: String,
    /// The folder that `below` starts at, where the names of files in it are told apart from those of other folders.
    pub folder: Option<String>,
    /// What it is; `None`: what it looks like.
    pub kind: Option<Kind>,
    /// How to get at it.
    pub open: Open,
}

impl Source {
    /// An input that is open already, of the kind that it looks like.
    pub fn new(name: &str, input: impl BufRead + Send + 'static) -> Self {
        let open = Box::new(move || Ok(Box::new(input) as _));
        Self { name: name.to_owned(), below: name.to_owned(), folder: None, kind: None, open }
    }
}

/// How files are read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The charset, where a person says it.
    pub charset: Option<String>,
    /// Where parts of pages stand.
    pub rules: Rules,
    /// What of a WordPress export is taken.
    pub wanted: Wanted,
    /// Where files come from, for relative addresses in feeds.
    pub base: Option<Url>,
}

impl Reading {
    fn label(&self) -> Label<'_> {
        self.charset.as_deref().map_or(Label::None, Label::Certain)
    }
}

type Pieces = Box<dyn Iterator<Item = Piece> + Send>;

/// The records of files, one file after the other; pages last, since several may be of one article.
pub struct Sources {
    waiting: VecDeque<Source>,
    reading: Arc<Reading>,
    current: Option<Pieces>,
    /// The file that `current` reads.
    file: Arc<str>,
    pages: Vec<Page>,
    /// Those that are names of files, with their folders.
    keys: HashMap<String, Option<Text>>,
    /// Feeds to follow, as text for `feeds.toml`.
    pub follow: String,
    passed: Arc<std::sync::Mutex<BTreeMap<String, u64>>>,
}

impl Sources {
    /// Nothing read yet.
    pub fn new(sources: Vec<Source>, reading: Reading) -> Self {
        Self {
            waiting: sources.into(),
            reading: Arc::new(reading),
            current: None,
            file: "".into(),
            pages: Vec::new(),
            keys: HashMap::new(),
            follow: String::new(),
            passed: Arc::default(),
        }
    }

    /// What was passed over so far, by what it is: drafts, and what is no article.
    pub fn passed(&self) -> BTreeMap<String, u64> {
        self.passed.lock().map(|passed| passed.clone()).unwrap_or_default()
    }

    /// Begins with a file; what is wrong with one that cannot be read.
    fn begin(&mut self, source: Source, file: &Arc<str>) -> Result<(), String> {
        let Source { name, below, folder, kind, open } = source;
        let mut input = open().map_err(unread)?;
        let head = input.fill_buf().map_err(unread)?;
        let kind = kind.unwrap_or_else(|| Kind::of(&name, head));
        let file = Arc::clone(file);
        match kind {
            Kind::Records => {
                // A broken line of UTF-8 is refused alone, and a stray byte is no sign of another charset.
                let is_other = match self.reading.label() {
                    Label::None => charset::find(head, Label::None).is_ok_and(|found| {
                        found != encoding_rs::UTF_8 && found != encoding_rs::WINDOWS_1252
                    }),
                    Label::Claimed(_) | Label::Certain(_) => true,
                };
                let input: Box<dyn BufRead + Send> = if is_other {
                    Box::new(utf8(input, self.reading.label()).map_err(unread)?)
                } else {
                    input
                };
                let items = Items::open(input).map_err(unread)?;
                self.current = Some(Box::new(records(file, items)));
            }
            Kind::Feed => {
                let input = utf8(input, self.reading.label()).map_err(unread)?;
                let entries = feed::Entries::open(input, self.reading.base.clone());
                let mut entries = entries.map_err(|error| error.to_string())?;
                entries.passed = Arc::clone(&self.passed);
                self.current =
                    Some(Box::new(entries.map(move |found| Piece::of_found(&file, found))));
            }
            Kind::WordPress => {
                let input = utf8(input, self.reading.label()).map_err(unread)?;
                let copy = copied(input).map_err(|error| {
                    format!("no copy of the export can be kept: {error}; set TMPDIR to a folder with room for it")
                })?;
                let again = || (&copy).seek(SeekFrom::Start(0)).map_err(unread);
                again()?;
                let index = Index::read(BufReader::new(&copy));
                again()?;
                let passed = Arc::clone(&self.passed);
                let posts = Posts::open(BufReader::new(copy), index, self.reading.wanted, passed);
                self.current =
                    Some(Box::new(posts.map(move |found| Piece::of_found(&file, found))));
            }
            Kind::Opml => self.opml(&whole(input)?)?,
            Kind::Markdown => {
                if let Some(record) = self.markdown(&below, &whole(input)?)? {
                    self.check_key(&below, folder.as_deref(), &record)?;
                    self.only(&file, Ok(record));
                }
            }
            Kind::Page => {
                let Reading { rules, .. } = &*self.reading;
                let page = page::read(&name, &below, &whole(input)?, self.reading.label(), rules);
                let page = page.map_err(|fault| fault.problem)?;
                if page.own.is_none() {
                    self.check_key(&below, folder.as_deref(), &page.record)?;
                }
                self.pages.push(page);
            }
        }
        Ok(())
    }

    fn only(&mut self, file: &Arc<str>, record: Result<Record, Fault>) {
        let piece = Piece::of_found(file, Found { line: 1, record });
        self.current = Some(Box::new(std::iter::once(piece)));
    }

    /// Two files whose names are the key of one article would take each other's place.
    fn check_key(
        &mut self,
        below: &str,
        folder: Option<&str>,
        record: &Record,
    ) -> Result<(), String> {
        let Some(Key::Text(id)) = record.id.as_ref() else { return Ok(()) };
        if !below.starts_with(id.as_str()) {
            return Ok(());
        }
        if below == STANDARD_INPUT || id.contains(char::REPLACEMENT_CHARACTER) {
            return Err("its name cannot be the key of an article, and it says none; give it a \
                        name in UTF-8, or an address or `id` in the file"
                .to_owned());
        }
        if !self.keys.contains_key(id) {
            self.keys.insert(id.clone(), folder.map(Text::new));
            return Ok(());
        }
        Err(format!(
            "`{id}` would be the key of another file as well; name the folder that both are below, \
             or give each an address or `id`"
        ))
    }

    /// With the folder of its file, where the name of the file is its key.
    fn of_folder(&self, piece: Piece) -> Piece {
        let id = match &piece.content {
            Content::Record(record) => match record.as_ref() {
                Ok(Record { id: Some(Key::Text(id)), .. }) => Some(id),
                Ok(_) | Err(_) => None,
            },
            Content::Json(_) => None,
        };
        let folder = id.and_then(|id| self.keys.get(id)).cloned().flatten();
        Piece { folder, ..piece }
    }

    fn opml(&mut self, bytes: &[u8]) -> Result<(), String> {
        let text =
            charset::decode(bytes, self.reading.label()).map_err(|error| error.to_string())?;
        let feeds = super::opml::read(&text).map_err(|fault| fault.problem)?;
        self.follow.push_str(&super::opml::sections(&feeds));
        Ok(())
    }

    fn markdown(&self, below: &str, bytes: &[u8]) -> Result<Option<Record>, String> {
        let text =
            charset::decode(bytes, self.reading.label()).map_err(|error| error.to_string())?;
        let page = markdown::read(below, &text).map_err(|fault| fault.problem)?;
        match page {
            Some(page) if !page.is_draft => Ok(Some(page.record)),
            other => {
                let what = if other.is_some() { "draft" } else { "not an article" };
                if let Ok(mut passed) = self.passed.lock() {
                    *passed.entry(what.to_owned()).or_default() += 1;
                }
                Ok(None)
            }
        }
    }
}

/// A copy on disk, without a name, of an input that is read more than once.
fn copied(mut input: impl Read) -> io::Result<File> {
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut input, &mut copy)?;
    Ok(copy)
}

/// All of a small file, or why it cannot be had.
fn whole(input: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    input.take(MAX_ARTICLE as u64 + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() > MAX_ARTICLE {
        return Err(format!("larger than {MAX_ARTICLE} bytes; is it one article?"));
    }
    Ok(bytes)
}

/// The records of a file; where it cannot be read any further, that is the last of them.
fn records(
    file: Arc<str>,
    mut items: Items<Box<dyn BufRead + Send>>,
) -> impl Iterator<Item = Piece> {
    let mut line = 1;
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        Some(match items.next()? {
            Ok(item) => {
                line = item.line;
                Piece::of_item(&file, item)
            }
            Err(error) => {
                is_over = true;
                Piece::of_found(&file, Found { line, record: Err(fault(unread(error))) })
            }
        })
    })
}

/// What is said of a file that the system does not give, or that is not in its charset.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
fn unread(error: io::Error) -> String {
    if error.kind() == io::ErrorKind::InvalidData {
        return error.to_string();
    }
    format!("it cannot be read: {error}")
}

fn fault(problem: String) -> Fault {
    Fault { field: String::new(), problem }
}

/// Runs a reader. A panic in it is a fault of the one file or record that it reads.
pub(crate) fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    // What a reader leaves behind after a panic is not used again.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).map_err(|_| {
        "reading it failed, which is a fault of this program; report it with the file, and leave the file out until then".to_owned()
    })
}

impl Iterator for Sources {
    type Item = Piece;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(current) = &mut self.current {
                match guarded(|| current.next()) {
                    Ok(Some(piece)) => return Some(self.of_folder(piece)),
                    Ok(None) => self.current = None,
                    Err(problem) => {
                        self.current = None;
                        let found = Found { line: 1, record: Err(fault(problem)) };
                        return Some(Piece::of_found(&self.file, found));
                    }
                }
            }
            let Some(source) = self.waiting.pop_front() else { break };
            let file: Arc<str> = source.name.as_str().into();
            self.file = Arc::clone(&file);
            // A mistake like a bad record, which stops no other file.
            let begun = guarded(|| self.begin(source, &file)).and_then(|begun| begun);
            if let Err(problem) = begun {
                self.only(&file, Err(fault(problem)));
            }
        }
        let pages = page::merge(std::mem::take(&mut self.pages));
        if pages.is_empty() {
            return None;
        }
        let pieces = pages.into_iter().map(|page| {
            let found = Found { line: 1, record: Ok(page.record) };
            Piece::of_found(&page.name.into(), found)
        });
        self.current = Some(Box::new(pieces));
        let first = self.current.as_mut().and_then(Iterator::next);
        first.map(|piece| self.of_folder(piece))
    }
}
