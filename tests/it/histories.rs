//! Random histories of a publication, and clients of every kind that follow it: after each answer that a client accepts,
//! it holds what the whole feed would have told it, and nothing that was taken back.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use courant::{
    article::{ArticleId, Submission},
    category::Category,
    config::{self, Overrides},
    http::respond,
    publish::Publisher,
    store::{Intake, Store},
    text::{Html, Text},
};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Empty};

use crate::{
    fixtures::{at, open as open_file, submission},
    http::LIMITS,
    support::dice::Dice,
};

const PREFIX: &str = "tag:example.com,2026:article/";

/// Everything that was to begin or end has done so: later than any history lasts.
const END: i64 = 20_000;

/// Windows that articles leave by number, by age and by size; the last also reads other articles.
fn settings(variant: u64) -> String {
    let window = match variant % 4 {
        0 => "newest = 4",
        1 => "newest = 3\nhours = 1",
        2 => "newest = 9\nbytes = 10_000",
        _ => "newest = 6",
    };
    let excluded = if variant % 4 == 3 { "sport" } else { "news" };
    format!(
        "[site]\ntitle = \"Example\"\nurl = \"https://www.example.com/\"\ntag = \"example.com,2026\"\n\
         [server]\nbase_url = \"https://feeds.example.com\"\n[defaults]\n{window}\n\
         [[feed]]\nname = \"all\"\ntitle = \"All\"\n\
         [[feed]]\nname = \"calm\"\ntitle = \"Calm\"\nnone_of = [\"{excluded}\"]\n\
         [[category]]\nslug = \"news\"\nlabel = \"News\"\n[[category]]\nslug = \"sport\"\nlabel = \"Sport\"\n"
    )
}

/// What the test knows of an article that can be read, or will be.
#[derive(Clone)]
struct Known {
    submission: Submission,
    is_withdrawn: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Tag,
    Date,
    Both,
    Delta,
    Forgetful,
}

/// A client: its validators, and the entries it holds.
struct Client {
    kind: Kind,
    tag: Option<String>,
    date: Option<String>,
    held: BTreeMap<String, String>,
}

struct World {
    dice: Dice,
    store: Arc<dyn Store>,
    publisher: Publisher,
    variant: u64,
    second: i64,
    /// When the last write was.
    written: i64,
    articles: BTreeMap<String, Known>,
    path: String,
    /// What each archive held when it was last read, since the settings changed.
    sealed: BTreeMap<String, BTreeSet<String>>,
    /// What happened, to be read when something is wrong.
    diary: Vec<String>,
}

impl World {
    async fn begin(seed: u64, store: Arc<dyn Store>) -> Self {
        let mut dice = Dice(seed);
        dice.roll(1);
        let name = *dice.pick(&["all", "calm", "category/news", "category/sport"]);
        let format = *dice.pick(&["rss", "atom", "json", "json"]);
        let variant = dice.roll(4);
        let publisher = open(&store, variant, 0).await;
        Self {
            dice,
            store,
            publisher,
            variant,
            second: 0,
            written: 0,
            articles: BTreeMap::new(),
            path: format!("/{name}.{format}"),
            sealed: BTreeMap::new(),
            diary: Vec::new(),
        }
    }

    /// Whether the feed is meant to show an article now, its window aside.
    fn is_readable(&self, id: &str) -> bool {
        let Some(Known { submission, is_withdrawn }) = self.articles.get(id) else { return false };
        let now = at(self.second);
        let begins = submission.published.map_or(now, |when| when.start);
        let is_live = !is_withdrawn
            && begins.max(submission.embargo.unwrap_or(begins)) <= now
            && submission.expires.is_none_or(|end| end > now);
        let is_in =
            |slug: &str| submission.story.categories.iter().any(|c| c.slug.to_string() == slug);
        let excluded = if self.variant % 4 == 3 { "sport" } else { "news" };
        is_live
            && match self.path.split('.').next().unwrap() {
                "/all" => true,
                "/calm" => !is_in(excluded),
                "/category/news" => is_in("news"),
                _ => is_in("sport"),
            }
    }

    fn story(&mut self, submission: &mut Submission) {
        let number = self.dice.roll(1_000_000);
        submission.story.title = Text::new(&format!("Title {number}"));
        let length = *self.dice.pick(&[1, 10, 90, 90]);
        let text = "All four floors are open to everyone. ".repeat(length);
        submission.story.content = Html::from_text(&text);
    }

    fn file(&mut self, submission: &mut Submission) {
        let labels = *self.dice.pick(&[&["news"][..], &["sport"], &["news", "sport"], &[]]);
        submission.story.categories =
            labels.iter().map(|label| Category::from_label(label).unwrap()).collect();
    }

    async fn submit(&mut self, submission: Submission, republish: bool) {
        let intake = Intake { republish, rehearse: false };
        // Now and then a clock is set back, to before the write before.
        let is_set_back = self.dice.roll(4) == 0 && self.written > self.second - 40;
        let clock = at(self.second - if is_set_back { 40 } else { 0 });
        let before = self.store.head().await.unwrap();
        let receipt = self.store.upsert(vec![submission.clone()], intake, clock).await.unwrap();
        if receipt.revision > before {
            self.written = self.second;
        }
        let id = submission.id.to_string();
        let before = self.articles.get(&id);
        if before.is_some_and(|known| known.is_withdrawn) && !republish {
            return;
        }
        self.articles.insert(id, Known { submission, is_withdrawn: false });
    }

    async fn change(&mut self) {
        self.second += *self.dice.pick(&[0, 0, 1, 1, 5, 700]);
        let ids: Vec<String> = self.articles.keys().cloned().collect();
        let what = self.dice.roll(if ids.is_empty() { 3 } else { 12 });
        let id = if ids.is_empty() { String::new() } else { self.dice.pick(&ids).clone() };
        self.diary.push(format!("{:>5}s change {what} of `{id}`", self.second));
        match what {
            0..=3 => {
                let id = format!("a{}", self.articles.len());
                let age = *self.dice.pick(&[0, 0, 0, 1, 60, 3_000, 9_000]);
                let mut new = submission(&id, self.second - age);
                self.story(&mut new);
                self.file(&mut new);
                if self.dice.roll(5) == 0 {
                    new.embargo = Some(at(self.second + 3));
                }
                if self.dice.roll(5) == 0 {
                    new.expires = Some(at(self.second + 6));
                }
                self.submit(new, false).await;
            }
            4..=6 => {
                let mut edited = self.articles[&id].submission.clone();
                self.story(&mut edited);
                edited.is_significant = Some(self.dice.roll(2) == 0);
                self.submit(edited, false).await;
            }
            7 => {
                let mut refiled = self.articles[&id].submission.clone();
                self.file(&mut refiled);
                self.submit(refiled, false).await;
            }
            8 => {
                self.store
                    .withdraw(vec![ArticleId::new(&id).unwrap()], at(self.second))
                    .await
                    .unwrap();
                self.articles.get_mut(&id).unwrap().is_withdrawn = true;
            }
            9 => {
                let again = self.articles[&id].submission.clone();
                self.submit(again, true).await;
            }
            10 => {
                let mut ended = self.articles[&id].submission.clone();
                ended.expires = Some(at(self.second + 2)).filter(|_| self.dice.roll(2) == 0);
                self.submit(ended, false).await;
            }
            _ => {
                // The program starts again, with the same settings or others.
                self.variant = self.dice.roll(4);
                self.publisher = open(&self.store, self.variant, self.second).await;
                self.sealed.clear();
            }
        }
        self.publisher.refresh(at(self.second)).await.unwrap();
    }

    async fn ask(&self, fields: &[(&str, &str)]) -> (u16, HeaderMap, BTreeMap<String, String>) {
        let (status, answer, document) = self.get(&self.path, fields).await;
        let is_there = !document.is_empty();
        (status, answer, if is_there { self.entries(&document) } else { BTreeMap::new() })
    }

    /// Status, fields, and the body without its coding.
    async fn get(&self, path: &str, fields: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
        let request = Request::builder().uri(path).header("host", "feeds.example.com");
        let request =
            fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let answer = respond(&self.publisher, &LIMITS, &request, at(self.second)).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let document = if body.is_empty() { Vec::new() } else { decoded(&head.headers, &body) };
        (head.status.as_u16(), head.headers, document)
    }

    /// Reads the feed and all its archives: together they are what can be read, and nothing comes into an archive.
    async fn walk(&mut self) {
        let mut found = BTreeMap::new();
        let mut path = Some(self.path.clone());
        while let Some(page) = path.take() {
            let (status, _, document) = self.get(&page, &[]).await;
            assert_eq!(status, 200, "{page}\n{}", self.diary.join("\n"));
            let entries = self.entries(&document);
            path = previous(&String::from_utf8(document).unwrap());
            if page != self.path {
                let ids: BTreeSet<String> = entries.keys().cloned().collect();
                let sealed = self.sealed.entry(page.clone()).or_insert_with(|| ids.clone());
                assert!(ids.is_subset(sealed), "{page} has grown\n{}", self.diary.join("\n"));
                *sealed = ids;
            }
            for (id, title) in entries {
                let known = found.entry(id).or_insert_with(|| title.clone());
                assert_eq!(*known, title, "{}", self.diary.join("\n"));
            }
        }
        // A write after one that came from a clock ahead is timed ahead itself: what begins or ends is left aside.
        let is_settled = |known: &Known| {
            let submission = &known.submission;
            self.second >= END || (submission.embargo, submission.expires) == (None, None)
        };
        found.retain(|id, _| is_settled(&self.articles[id]));
        let known = self.articles.iter();
        let readable = known.filter(|(id, known)| is_settled(known) && self.is_readable(id));
        let expected: BTreeMap<String, String> = readable
            .map(|(id, known)| (id.clone(), known.submission.story.title.to_string()))
            .collect();
        assert_eq!(found, expected, "{}", self.diary.join("\n"));
    }

    /// Ids and titles of a document.
    fn entries(&self, document: &[u8]) -> BTreeMap<String, String> {
        let own = |id: &str| id.strip_prefix(PREFIX).unwrap().to_owned();
        if self.path.rsplit('.').next() == Some("json") {
            let document: serde_json::Value = serde_json::from_slice(document).unwrap();
            let items = document["items"].as_array().unwrap().iter();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            return items
                .map(|item| (own(item["id"].as_str().unwrap()), text(&item["title"])))
                .collect();
        }
        let document = roxmltree::Document::parse(str::from_utf8(document).unwrap()).unwrap();
        let is_entry =
            |node: &roxmltree::Node<'_, '_>| matches!(node.tag_name().name(), "item" | "entry");
        let child = |node: roxmltree::Node<'_, '_>, names: [&str; 2]| {
            let mut children = node.children();
            let found = children.find(|child| names.contains(&child.tag_name().name())).unwrap();
            found.text().unwrap().to_owned()
        };
        let entries = document.descendants().filter(is_entry);
        entries.map(|node| (own(&child(node, ["guid", "id"])), child(node, ["title"; 2]))).collect()
    }

    async fn poll(&mut self, client: &mut Client) {
        let coding = *self.dice.pick(&["identity", "gzip", "br", "zstd", "gzip, br"]);
        let mut fields = vec![("accept-encoding", coding)];
        let (tag, date) = (client.tag.clone(), client.date.clone());
        let by_tag = tag.as_deref().map(|tag| ("if-none-match", tag));
        let by_date = date.as_deref().map(|date| ("if-modified-since", date));
        match client.kind {
            Kind::Tag => fields.extend(by_tag),
            Kind::Date => fields.extend(by_date),
            Kind::Both => fields.extend(by_tag.into_iter().chain(by_date)),
            Kind::Delta => fields.extend(by_tag.into_iter().chain([("a-im", "feed")])),
            Kind::Forgetful => {}
        }
        let (status, answer, entries) = self.ask(&fields).await;
        let told =
            format!("{:>5}s {:?} {fields:?}: {status} {entries:?}", self.second, client.kind);
        self.diary.push(told);
        match status {
            200 => client.held = entries,
            226 => client.held.extend(entries),
            304 => assert!(entries.is_empty()),
            _ => panic!("{status}\n{}", self.diary.join("\n")),
        }
        let field = |name| answer.get(name).map(|value| value.to_str().unwrap().to_owned());
        client.tag = field("etag");
        if status != 304 {
            client.date = field("last-modified");
        }
        let (_, _, whole) = self.ask(&[]).await;
        let diary = || self.diary.join("\n");
        for (id, title) in &whole {
            assert_eq!(client.held.get(id), Some(title), "`{id}` is lost or stale\n{}", diary());
        }
        let held: BTreeSet<&String> = client.held.keys().collect();
        for id in held.into_iter().filter(|id| !whole.contains_key(*id)) {
            assert!(self.is_readable(id), "`{id}` was taken back\n{}", diary());
        }
    }
}

/// The path of the archive that continues a document.
fn previous(document: &str) -> Option<String> {
    const BASE: &str = "https://feeds.example.com";
    let line = document
        .lines()
        .find(|line| line.contains("rel=\"prev-archive\"") || line.starts_with("\"next_url\":"))?;
    let (_, rest) = line.split_once(BASE).unwrap();
    Some(rest[..rest.find('"').unwrap()].to_owned())
}

async fn open(store: &Arc<dyn Store>, variant: u64, second: i64) -> Publisher {
    let file = Path::new("feeds.toml");
    let config = config::read(&settings(variant), file, &Overrides::default()).unwrap();
    Publisher::open(Arc::clone(store), config.catalogue, 1_000_000, at(second)).await.unwrap()
}

pub(crate) fn decoded(fields: &HeaderMap, body: &[u8]) -> Vec<u8> {
    const MOST: usize = 1 << 20;
    match fields.get("content-encoding").map(|value| value.to_str().unwrap()) {
        None => body.to_vec(),
        Some("gzip") => {
            let mut document = vec![0; MOST];
            let length =
                libdeflater::Decompressor::new().gzip_decompress(body, &mut document).unwrap();
            document.truncate(length);
            document
        }
        Some("zstd") => zstd::bulk::decompress(body, MOST).unwrap(),
        Some("br") => {
            let mut document = Vec::new();
            brotli::BrotliDecompress(&mut &body[..], &mut document).unwrap();
            document
        }
        Some(other) => panic!("{other}"),
    }
}

async fn history(seed: u64) {
    // In memory where there is such a folder: nothing here is about disks.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.unwrap();
    history_of(seed, open_file(&folder.path().join("courant.db"))).await;
}

/// A history of an empty store.
pub(crate) async fn history_of(seed: u64, store: Arc<dyn Store>) {
    let mut world = World::begin(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), store).await;
    world.diary.push(format!("seed {seed}, {}", world.path));
    let kinds = [Kind::Tag, Kind::Date, Kind::Both, Kind::Delta, Kind::Delta, Kind::Forgetful];
    let mut clients =
        kinds.map(|kind| Client { kind, tag: None, date: None, held: BTreeMap::new() });
    for _ in 0..20 {
        world.change().await;
        for client in &mut clients {
            // Some are away for long.
            if world.dice.roll(3) == 0 {
                world.poll(client).await;
            }
        }
        if world.dice.roll(6) == 0 {
            world.walk().await;
        }
    }
    world.second = END;
    world.publisher.refresh(at(world.second)).await.unwrap();
    for client in &mut clients {
        world.poll(client).await;
    }
    world.walk().await;
}

/// As many as `COURANT_TEST_HISTORIES` says; one alone, by its seed, with `COURANT_TEST_SEED`.
#[test]
fn clients_hold_what_the_whole_feed_would_have_told_them() {
    if let Some(seed) = number("COURANT_TEST_SEED") {
        return runtime().block_on(history(seed));
    }
    histories(number("COURANT_TEST_HISTORIES").unwrap_or(400));
}

/// The same at length: `cargo test --release -- --ignored long`.
#[test]
#[ignore = "takes an hour: cargo test --release --test it -- --ignored long"]
fn long_histories_end_as_the_short_ones_do() {
    histories(number("COURANT_TEST_HISTORIES").unwrap_or(100_000));
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Those with the seeds from one to this, a thread for each half.
fn histories(count: u64) {
    std::thread::scope(|scope| {
        for first in 1..=2 {
            scope.spawn(move || {
                let runtime = runtime();
                (first..=count).step_by(2).for_each(|seed| runtime.block_on(history(seed)));
            });
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
