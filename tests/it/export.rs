//! Static editions: the bytes of the service as files, nothing that leads to what is not there, and only what changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use courant::{
    article::{Clearance, Submission},
    category::Category,
    config::{self, Overrides},
    export::{Bucket, ExportError, Exporter, Folder, Options, Summary, Target, TargetError},
    feed::Catalogue,
    format::Format,
    publish::{Document, Publisher},
    store::Store,
    text::Text,
};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, memory::InMemory,
    path::Path as Key,
};
use tokio_util::sync::CancellationToken;

use crate::{
    fixtures::{FEEDS, Home, at, catalogue, submission},
    support::{
        SETTINGS, Site,
        dice::{self, Dice},
        takes_its_time, until, wait,
    },
};

const BASE: &str = "https://feeds.example.com/";

/// A bucket that writes down what is done to it, and fails when it is told to.
#[derive(Debug, Default)]
struct Ledger {
    store: InMemory,
    /// What was done: `get`, `put` or `delete`, and to which object.
    done: Mutex<Vec<(&'static str, String)>>,
    /// How many writes succeed yet.
    left: AtomicI64,
    /// Whether writes are never answered.
    hangs: AtomicBool,
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ledger")
    }
}

impl Ledger {
    fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(i64::MAX), ..Self::default() })
    }

    fn note(&self, what: &'static str, key: &Key) -> object_store::Result<()> {
        if what != "get" && self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(object_store::Error::Generic {
                store: "ledger",
                source: "it is away".into(),
            });
        }
        self.done.lock().unwrap().push((what, key.to_string()));
        Ok(())
    }

    /// What was done to objects that readers see, since the last time.
    fn take(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut *self.done.lock().unwrap())
    }

    async fn files(&self) -> BTreeMap<String, Bytes> {
        let keys: Vec<_> =
            self.store.list(None).map_ok(|found| found.location).try_collect().await.unwrap();
        let mut files = BTreeMap::new();
        for key in keys {
            if !key.as_ref().starts_with(".courant") {
                let bytes = self.store.get(&key).await.unwrap().bytes().await.unwrap();
                files.insert(key.to_string(), bytes);
            }
        }
        files
    }
}

#[async_trait]
impl ObjectStore for Ledger {
    async fn put_opts(
        &self,
        key: &Key,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.note("put", key)?;
        if self.hangs.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        self.store.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        _: &Key,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(object_store::Error::NotImplemented {
            operation: "put_multipart".into(),
            implementer: "ledger".into(),
        })
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> object_store::Result<GetResult> {
        self.note("get", key)?;
        self.store.get_opts(key, options).await
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, object_store::Result<Key>>,
    ) -> BoxStream<'static, object_store::Result<Key>> {
        // Only ever one at a time.
        let key =
            futures_util::FutureExt::now_or_never(keys.into_future()).unwrap().0.unwrap().unwrap();
        if let Err(error) = self.note("delete", &key) {
            return futures_util::stream::iter([Err(error)]).boxed();
        }
        self.store.delete_stream(futures_util::stream::iter([Ok(key)]).boxed())
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> object_store::Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Key,
        to: &Key,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}

/// A second in which nothing is published any more.
fn options(second: i64) -> Options {
    Options {
        rehearse: false,
        clock: Box::new(move || at(second)),
        progress: Box::new(|_, _| ()),
        stop: CancellationToken::new(),
    }
}

async fn publisher(home: &Home, catalogue: Arc<Catalogue>, second: i64) -> Arc<Publisher> {
    let store: Arc<dyn Store> = Arc::clone(&home.store) as Arc<dyn Store>;
    // What feeds.toml says is a write; an export waits until its second is over.
    Arc::new(Publisher::open(store, catalogue, 1 << 20, at(second - 1)).await.unwrap())
}

async fn export(
    home: &Home,
    catalogue: Arc<Catalogue>,
    target: Target,
    second: i64,
) -> Result<Summary, ExportError> {
    let publisher = publisher(home, catalogue, second).await;
    Exporter::new(publisher, target, options(second)).run().await
}

fn bucket(ledger: &Arc<Ledger>) -> Target {
    Target::Bucket(Bucket::with(
        Arc::clone(ledger) as Arc<dyn ObjectStore>,
        Key::default(),
        "ledger",
    ))
}

fn folder(path: &Path) -> Target {
    Target::Folder(Folder::new(path.to_owned()))
}

/// The files of a folder that readers see, with their times.
fn files(root: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if name.starts_with(".courant") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let time = fs::metadata(&path).unwrap().modified().unwrap();
                found.insert(name, (fs::read(&path).unwrap(), time));
            }
        }
    }
    found
}

/// What a document leads to on the same site, as names of objects.
fn links(text: &str) -> BTreeSet<String> {
    let ends = |c: char| matches!(c, '"' | '<' | ' ' | '&' | '\'' | '\\' | ')');
    let found = text.split(BASE).skip(1).map(|rest| rest.split(ends).next().unwrap());
    found
        .filter(|path| *path != "category/")
        .map(|path| percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned())
        .map(|path| if path.is_empty() { "index.html".to_owned() } else { path })
        .collect()
}

/// Follows every link from the pages that readers begin with.
fn assert_nothing_is_missing(files: &BTreeMap<String, Bytes>, when: &str) {
    let begin = ["index.html", "feeds.opml"].map(str::to_owned);
    let mut to_see: Vec<String> =
        begin.into_iter().filter(|name| files.contains_key(name)).collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = to_see.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let bytes = files.get(&name).unwrap_or_else(|| panic!("{when}: nothing is at `{name}`"));
        to_see.extend(links(core::str::from_utf8(bytes).unwrap()));
    }
}

async fn fill(home: &Home, numbers: std::ops::RangeInclusive<i64>) {
    let second = *numbers.end();
    home.publish(numbers.map(|n| submission(&format!("a{n}"), n)).collect(), second).await;
}

#[tokio::test]
async fn a_folder_has_the_bytes_and_times_of_the_service() {
    let home = Home::new();
    fill(&home, 1..=250).await;
    let root = tempfile::tempdir().unwrap();
    let summary = export(&home, catalogue(), folder(root.path()), 300).await.unwrap();
    assert!(summary.problems.is_empty(), "{summary:?}");
    let files = files(root.path());
    assert_eq!(summary.files_written, files.len() as u64);

    let publisher = home.publisher(at(300)).await;
    let mut documents = vec![Document::Index, Document::Opml, Document::Style, Document::Robots];
    for spec in publisher.feeds() {
        for format in Format::FEEDS.into_iter().chain([Format::Html]) {
            documents.push(Document::Feed(spec.path.clone(), format));
        }
        if spec.path.to_string() == "all" {
            for (span, format) in ["1-100", "101-200", "201-210"].into_iter().zip(Format::FEEDS) {
                documents.push(Document::Archive(spec.path.clone(), span.parse().unwrap(), format));
            }
        }
    }
    for document in documents {
        let edition = publisher.edition(&document).await.unwrap();
        let name = match document.path() {
            path if path == "/" => "index.html".to_owned(),
            path => path[1..].replace("%E5%A4%B4%E6%9D%A1", "头条"),
        };
        for (coding, ending) in [
            (courant::edition::Coding::Identity, ""),
            (courant::edition::Coding::Gzip, ".gz"),
            (courant::edition::Coding::Brotli, ".br"),
            (courant::edition::Coding::Zstd, ".zst"),
        ] {
            let expected = edition.whole(coding).map(|(_, body)| body.to_vec());
            let file = files.get(&format!("{name}{ending}"));
            assert_eq!(file.map(|(bytes, _)| bytes.clone()), expected, "{name}{ending}");
            if let (Some((_, time)), Some(changed)) = (file, edition.changed()) {
                assert_eq!(*time, SystemTime::from(changed), "{name}{ending}");
            }
        }
    }
    // To come: what the service would lead to the feed.
    assert_eq!(files["all/archive/201-300.rss"], files["all.rss"]);
}

#[tokio::test]
async fn a_publication_touches_its_own_feeds_only() {
    let home = Home::new();
    let filed = |id: &str, second, label: &str| {
        let mut submission = submission(id, second);
        submission.story.categories = vec![Category::from_label(label).unwrap()];
        submission
    };
    home.publish((0..40).map(|n| filed(&format!("a{n}"), n, &format!("c{n}"))).collect(), 50).await;
    let ledger = Ledger::new();
    export(&home, catalogue(), bucket(&ledger), 60).await.unwrap();
    ledger.take();

    // Nothing new: nothing is written.
    let summary = export(&home, catalogue(), bucket(&ledger), 70).await.unwrap();
    assert_eq!((summary.files_written, summary.files_removed, summary.feeds), (0, 0, 0));
    let done = ledger.take();
    assert!(
        done.iter().all(|(what, key)| *what == "get" || key == ".courant/lease.json"),
        "{done:?}"
    );

    home.publish(vec![filed("new", 80, "c7")], 80).await;
    let summary = export(&home, catalogue(), bucket(&ledger), 90).await.unwrap();
    assert_eq!(summary.feeds, 3, "c7, all and calm");
    let done = ledger.take();
    let known = |key: &str| {
        let key = key.trim_start_matches(".courant/feeds/");
        ["all", "calm", "category/c7"].iter().any(|feed| {
            key.strip_prefix(feed)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
        })
    };
    let own = [".courant/lease.json", ".courant/export.json"];
    for (what, key) in &done {
        assert!(known(key) || own.contains(&key.as_str()), "{what} {key}");
    }
    let root = done.iter().rposition(|(what, key)| *what == "put" && key == own[1]).unwrap();
    let last = done.iter().rposition(|(what, key)| *what == "put" && known(key)).unwrap();
    assert!(last < root, "the head is written last");
}

#[tokio::test]
async fn nothing_leads_to_what_is_not_there_wherever_it_is_cut_short() {
    let home = Home::new();
    let ledger = Ledger::new();
    let second = AtomicI64::new(1_000);
    let begin = |second: &AtomicI64| second.fetch_add(200, Ordering::SeqCst);
    fill(&home, 1..=139).await;
    export(&home, catalogue(), bucket(&ledger), begin(&second)).await.unwrap();
    assert_nothing_is_missing(&ledger.files().await, "at first");

    let fewer = FEEDS.replace("[[category]]\nslug = \"headlines\"\nlabel = \"头条\"\n", "");
    let fewer = config::read(&fewer, Path::new("feeds.toml"), &Overrides::default()).unwrap();
    let mut catalogue = catalogue();
    let cuts = AtomicUsize::new(0);
    // Each run goes further than the one before; the shorter way begins elsewhere for each step, so that all kinds of
    // writes are among the last.
    let stride = if takes_its_time() { 3 } else { 13 };
    let mut first = 1;
    for step in ["one more", "a hundred is full", "a takedown", "an edit", "a feed less"] {
        let now = second.load(Ordering::SeqCst);
        match step {
            "one more" => drop(home.publish(vec![submission("b1", now)], now).await),
            "a hundred is full" => {
                let more = (0..70).map(|n| submission(&format!("c{n}"), now + n)).collect();
                drop(home.publish(more, now + 70).await);
            }
            "a takedown" => {
                let ids = ["a7", "a120"].map(|id| courant::article::ArticleId::new(id).unwrap());
                home.store.withdraw(ids.into(), at(now)).await.unwrap();
            }
            "an edit" => {
                let mut edited = submission("a9", 9);
                edited.story.title = Text::new("Another title");
                edited.is_significant = Some(false);
                drop(home.publish(vec![edited], now).await);
            }
            _ => catalogue = Arc::clone(&fewer.catalogue),
        }
        second.fetch_add(100, Ordering::SeqCst);
        first = first % 7 + 2;
        for writes in (first..).step_by(stride) {
            ledger.left.store(writes, Ordering::SeqCst);
            let done = export(&home, Arc::clone(&catalogue), bucket(&ledger), begin(&second)).await;
            assert_nothing_is_missing(&ledger.files().await, &format!("{step}, {writes} writes"));
            if done.is_ok() {
                break;
            }
            cuts.fetch_add(1, Ordering::SeqCst);
        }
        ledger.left.store(i64::MAX, Ordering::SeqCst);
        // Beyond the time for which archives stay that nothing leads to; a touched feed parts with them.
        second.fetch_add(100_000, Ordering::SeqCst);
        let now = second.load(Ordering::SeqCst);
        home.publish(vec![submission(&format!("after {step}"), now)], now).await;
        export(&home, Arc::clone(&catalogue), bucket(&ledger), begin(&second)).await.unwrap();
        second.fetch_add(100_000, Ordering::SeqCst);
        let now = second.load(Ordering::SeqCst);
        home.publish(vec![submission(&format!("long after {step}"), now)], now).await;
        export(&home, Arc::clone(&catalogue), bucket(&ledger), begin(&second)).await.unwrap();

        let files = ledger.files().await;
        let afresh = Ledger::new();
        export(&home, Arc::clone(&catalogue), bucket(&afresh), begin(&second)).await.unwrap();
        let expected = afresh.files().await;
        let is_recent = |name: &&String| !is_tail(name);
        let names = |files: &BTreeMap<String, Bytes>| {
            files.keys().filter(is_recent).cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(&files), names(&expected), "{step}: nothing is left over");
        for (name, bytes) in &expected {
            assert!(files.get(name) == Some(bytes), "{step}: `{name}` is not what it should be");
        }
    }
    let cuts = cuts.into_inner();
    assert!(cuts > 20, "hardly ever cut short: {cuts}");
}

#[tokio::test]
async fn what_changed_is_all_that_changed_whatever_happens() {
    let several = "\n[[feed]]\nname = \"both\"\ntitle = \"Both\"\nany_of = [\"news\", \"headlines\"]\nnewest = 10\n";
    let feeds = format!("{FEEDS}{several}");
    let config = config::read(&feeds, Path::new("feeds.toml"), &Overrides::default()).unwrap();
    let catalogue = config.catalogue;
    let mut dice = Dice(dice::seed(0x5eed));
    let home = Home::new();
    let ledger = Ledger::new();
    let mut now = 1_000;
    let made = |dice: &mut Dice, id: u64, title: u64| {
        let mut submission = submission(&format!("a{id}"), i64::try_from(id).unwrap());
        submission.story.title = Text::new(&format!("Title {title}"));
        submission.story.categories = ["news", "sport", "headlines"]
            .into_iter()
            .filter(|_| dice.roll(2) == 0)
            .map(|label| Category::from_label(label).unwrap())
            .collect();
        submission.is_significant =
            [None, Some(true), Some(false)][usize::try_from(dice.roll(3)).unwrap()];
        submission
    };
    let first = (1..=260).map(|id| made(&mut dice, id, 0)).collect();
    home.publish(first, now).await;
    let mut count = 260;
    for step in 1..=if takes_its_time() { 300 } else { 9 } {
        now += 100;
        for _ in 0..=dice.roll(3) {
            now += 1;
            let what = dice.roll(9);
            if what < 3 {
                let more = (1..=dice.roll(30) + 1)
                    .map(|n| made(&mut dice, count + n, step))
                    .collect::<Vec<_>>();
                count += more.len() as u64;
                home.publish(more, now).await;
            } else if what < 5 {
                let id = format!("a{}", dice.roll(count) + 1);
                let id = courant::article::ArticleId::new(&id).unwrap();
                home.store.withdraw(vec![id], at(now)).await.unwrap();
            } else {
                let id = dice.roll(count) + 1;
                let changed = made(&mut dice, id, step);
                home.publish(vec![changed], now).await;
            }
        }
        now += 100;
        export(&home, Arc::clone(&catalogue), bucket(&ledger), now).await.unwrap();
        if step % 3 == 0 {
            let afresh = Ledger::new();
            export(&home, Arc::clone(&catalogue), bucket(&afresh), now).await.unwrap();
            let (found, expected) = (ledger.files().await, afresh.files().await);
            for (name, bytes) in &expected {
                assert!(
                    found.get(name) == Some(bytes),
                    "step {step}: `{name}` is not what it should be"
                );
            }
            let extra = found.keys().find(|name| !expected.contains_key(*name) && !is_tail(name));
            assert_eq!(extra, None, "step {step}");
        }
    }
}

/// Archives that end anywhere: the one before the newest stays for a while.
fn is_tail(name: &str) -> bool {
    let span = name.split("/archive/").nth(1).and_then(|rest| rest.split('.').next());
    span.is_some_and(|span| !span.ends_with("00"))
}

#[tokio::test]
async fn a_takedown_reaches_its_archive_and_leaves_the_others_alone() {
    let home = Home::new();
    fill(&home, 1..=340).await;
    let ledger = Ledger::new();
    export(&home, catalogue(), bucket(&ledger), 400).await.unwrap();
    ledger.take();
    let gone = courant::article::ArticleId::new("a150").unwrap();
    home.store.withdraw(vec![gone], at(410)).await.unwrap();
    export(&home, catalogue(), bucket(&ledger), 420).await.unwrap();
    let archives: BTreeSet<String> = ledger
        .take()
        .into_iter()
        .filter(|(what, key)| {
            *what == "put" && key.contains("all/archive/") && key.strip_suffix(".atom").is_some()
        })
        .map(|(_, key)| key)
        .collect();
    // The copies of the feed, which is another now, and the archive.
    assert_eq!(
        archives.into_iter().collect::<Vec<_>>(),
        ["all/archive/101-200.atom", "all/archive/301-400.atom"]
    );
    let files = ledger.files().await;
    for (name, bytes) in &files {
        assert!(!String::from_utf8_lossy(bytes).contains("Title of a150<"), "{name}");
    }
    // One more: the archive that ended at 300 ends at 301 now, and only that is new.
    home.publish(vec![submission("b", 430)], 430).await;
    export(&home, catalogue(), bucket(&ledger), 440).await.unwrap();
    let files = ledger.files().await;
    assert!(files.contains_key("all/archive/301-301.atom"), "{:?}", files.keys());
    home.publish(vec![submission("c", 450)], 450).await;
    export(&home, catalogue(), bucket(&ledger), 460).await.unwrap();
    let files = ledger.files().await;
    assert!(files.contains_key("all/archive/301-302.atom"));
    assert!(files.contains_key("all/archive/301-301.atom"), "copies of the feed still lead there");
    // Something in it has gone: it goes at once.
    let gone = courant::article::ArticleId::new("a301").unwrap();
    home.store.withdraw(vec![gone], at(470)).await.unwrap();
    export(&home, catalogue(), bucket(&ledger), 480).await.unwrap();
    let files = ledger.files().await;
    assert!(!files.contains_key("all/archive/301-301.atom"), "{:?}", files.keys());
}

#[tokio::test]
async fn what_is_for_some_only_is_never_exported() {
    let private = "\n[[feed]]\nname = \"members\"\ntitle = \"Hidden feed\"\npublic = false\n\n\
                   [[partner]]\nname = \"wire\"\nfeeds = [\"all\", \"members\"]\n";
    let settings = format!("{FEEDS}{private}");
    let config = config::read(&settings, Path::new("feeds.toml"), &Overrides::default()).unwrap();
    let home = Home::new();
    let mut hidden = submission("hidden", 2);
    hidden.story.title = Text::new("Hidden article");
    hidden.story.categories = vec![Category::from_label("Hidden category").unwrap()];
    hidden.story.clearance = Clearance { is_private: true, ..Clearance::default() };
    home.publish(vec![submission("open", 1), hidden], 3).await;
    let root = tempfile::tempdir().unwrap();
    let catalogue = config.catalogue;
    export(&home, Arc::clone(&catalogue), folder(root.path()), 10).await.unwrap();
    let seen = files(root.path());
    assert!(
        seen.contains_key("all.rss")
            && seen["all.rss"].0.windows(13).any(|at| at == b"Title of open")
    );
    for (name, (bytes, _)) in &seen {
        assert!(
            !name.contains("wire") && !name.contains("members") && !name.contains("hidden"),
            "{name}"
        );
        assert!(!String::from_utf8_lossy(bytes).contains("Hidden"), "{name}");
    }
    let before: Vec<_> = seen.into_iter().collect();
    // A feed that was public and is not any more goes.
    let closed =
        settings.replace("title = \"Without news\"", "title = \"Without news\"\npublic = false");
    let closed = config::read(&closed, Path::new("feeds.toml"), &Overrides::default()).unwrap();
    export(&home, closed.catalogue, folder(root.path()), 20).await.unwrap();
    let after = files(root.path());
    assert!(before.iter().any(|(name, _)| name == "calm.rss"));
    assert!(!after.keys().any(|name| name.starts_with("calm")), "{:?}", after.keys());
}

#[tokio::test]
async fn a_feed_goes_after_what_led_to_it() {
    let home = Home::new();
    fill(&home, 1..=3).await;
    let ledger = Ledger::new();
    export(&home, catalogue(), bucket(&ledger), 10).await.unwrap();
    ledger.take();
    let fewer = FEEDS
        .replace("[[feed]]\nname = \"calm\"\ntitle = \"Without news\"\nnone_of = [\"news\"]\n", "");
    let fewer = config::read(&fewer, Path::new("feeds.toml"), &Overrides::default()).unwrap();
    export(&home, fewer.catalogue, bucket(&ledger), 20).await.unwrap();
    let done = ledger.take();
    let last = |what: &str, key: &str| {
        done.iter()
            .rposition(|(did, to)| *did == what && to == key)
            .unwrap_or_else(|| panic!("{what} {key}: {done:?}"))
    };
    let first_gone =
        done.iter().position(|(did, to)| *did == "delete" && to.starts_with("calm")).unwrap();
    assert!(last("put", "index.html") < first_gone && last("put", "feeds.opml") < first_gone);
    assert!(
        last("put", "feeds.opml") < last("put", "index.html"),
        "the page of all feeds comes last"
    );
    assert!(last("delete", "calm.rss") < last("delete", ".courant/feeds/calm.json"));
}

#[tokio::test]
async fn two_exports_at_once_do_not_write_to_one_target() {
    let home = Home::new();
    fill(&home, 1..=2).await;
    let root = tempfile::tempdir().unwrap();
    let ledger = Ledger::new();
    for (held, second) in
        [(folder(root.path()), folder(root.path())), (bucket(&ledger), bucket(&ledger))]
    {
        held.lock(at(10)).await.unwrap();
        let refused = export(&home, catalogue(), second, 20).await.unwrap_err();
        assert!(matches!(refused, ExportError::Target(TargetError::Busy { .. })), "{refused}");
        assert!(refused.to_string().contains("another export is writing"), "{refused}");
        held.release().await;
    }
    export(&home, catalogue(), folder(root.path()), 30).await.unwrap();
    export(&home, catalogue(), bucket(&ledger), 30).await.unwrap();
    // Killed: nobody ends the lease, and it ends by itself.
    bucket(&ledger).lock(at(40)).await.unwrap();
    assert!(export(&home, catalogue(), bucket(&ledger), 90).await.is_err());
    export(&home, catalogue(), bucket(&ledger), 101).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_cannot_be_prolonged_in_time_is_lost() {
    let ledger = Ledger::new();
    let held = bucket(&ledger);
    held.lock(at(10)).await.unwrap();
    ledger.hangs.store(true, Ordering::SeqCst);
    // A moment before its end.
    let clock = || at(70) - TimeDelta::milliseconds(300);
    let lost = tokio::time::timeout(Duration::from_secs(10), held.keep(clock)).await;
    assert!(matches!(lost, Ok(TargetError::Lost(_))), "{lost:?}");
}

#[tokio::test]
async fn an_export_whose_own_file_is_lost_begins_anew() {
    let home = Home::new();
    fill(&home, 1..=3).await;
    let ledger = Ledger::new();
    export(&home, catalogue(), bucket(&ledger), 10).await.unwrap();
    let before = ledger.files().await;
    for name in [".courant/export.json", "all.rss", "all.atom"] {
        ledger.store.delete(&Key::from(name)).await.unwrap();
    }
    export(&home, catalogue(), bucket(&ledger), 200).await.unwrap();
    assert_eq!(ledger.files().await, before);
}

#[tokio::test]
async fn two_states_of_one_second_have_two_times() {
    let home = Home::new();
    let root = tempfile::tempdir().unwrap();
    let titled = |title: &str| -> Vec<Submission> {
        let mut submission = submission("a", 1);
        submission.story.title = Text::new(title);
        vec![submission]
    };
    let export = async || {
        let publisher = publisher(&home, catalogue(), 11).await;
        // A clock that stands still, a moment before the next second.
        let clock = || at(10) + TimeDelta::milliseconds(999);
        let options = Options { clock: Box::new(clock), ..options(10) };
        Exporter::new(publisher, folder(root.path()), options).run().await.unwrap();
        files(root.path())["all.rss"].clone()
    };
    home.publish(titled("one"), 10).await;
    let (first, first_time) = export().await;
    home.publish(titled("two"), 10).await;
    let (second, second_time) = export().await;
    assert_eq!(first.len(), second.len(), "the test tests nothing");
    assert_ne!(first, second);
    assert_eq!(first_time, SystemTime::from(at(10)));
    assert_eq!(second_time, SystemTime::from(at(11)), "never that of other bytes");
}

#[tokio::test]
async fn another_store_or_a_backup_is_noticed() {
    let home = Home::new();
    fill(&home, 1..=3).await;
    let ledger = Ledger::new();
    export(&home, catalogue(), bucket(&ledger), 10).await.unwrap();
    let other = Home::new();
    other.publish((1..=5).map(|n| submission(&format!("other{n}"), n)).collect(), 7).await;
    other.publish(vec![submission("more", 8)], 8).await;
    export(&other, catalogue(), bucket(&ledger), 200).await.unwrap();
    let afresh = Ledger::new();
    export(&other, catalogue(), bucket(&afresh), 200).await.unwrap();
    assert_eq!(ledger.files().await, afresh.files().await);
}

#[tokio::test]
async fn chapters_come_and_go_with_their_episodes() {
    let record = |number: u8, chapters: &str| {
        format!(
            r#"{{"id": "e{number}", "title": "Episode", "date_published": "2026-03-05", "categories": ["news"],
               "attachments": [{{"url": "https://media.example.com/1.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 1}}],
               "episode": {{{chapters}"transcripts": [{{"text": "WEBVTT\n", "mime_type": "text/vtt"}}]}}}}"#
        )
    };
    let chapters = r#""chapters": [{"start": 0, "title": "One"}], "#;
    let take = |record: String| courant::import::read(&catalogue(), &record).submission.unwrap();
    let home = Home::new();
    home.publish(
        vec![take(record(1, chapters)), take(record(2, chapters)), submission("text", 1)],
        5,
    )
    .await;
    let root = tempfile::tempdir().unwrap();
    let names = |root: &Path| -> Vec<String> {
        files(root).into_keys().filter(|name| name.starts_with("episodes/")).collect()
    };
    export(&home, catalogue(), folder(root.path()), 10).await.unwrap();
    let all =
        ["e1/chapters.json", "e1/transcript-1.vtt", "e2/chapters.json", "e2/transcript-1.vtt"];
    assert_eq!(names(root.path()), all.map(|name| format!("episodes/{name}")));

    home.publish(vec![take(record(1, ""))], 20).await;
    let gone = courant::article::ArticleId::new("e2").unwrap();
    home.store.withdraw(vec![gone], at(21)).await.unwrap();
    export(&home, catalogue(), folder(root.path()), 30).await.unwrap();
    assert_eq!(names(root.path()), ["episodes/e1/transcript-1.vtt"]);
    assert!(!root.path().join("episodes/e2").exists());
}

#[tokio::test]
async fn files_that_no_export_wrote_are_left_alone() {
    let home = Home::new();
    let record = r#"{"id": "e1", "title": "Episode", "date_published": "2026-03-05", "categories": ["news"],
        "attachments": [{"url": "https://media.example.com/1.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 1}],
        "episode": {"transcripts": [{"text": "WEBVTT\n", "mime_type": "text/vtt"}]}}"#;
    let episode = courant::import::read(&catalogue(), record).submission.unwrap();
    home.publish(vec![episode], 5).await;
    let root = tempfile::tempdir().unwrap();
    let own = [
        "episodes/e1.mp3",
        "episodes/readme.txt",
        "episodes/e1/cover.jpg",
        "episodes/e1/transcript-1.vtt.bak",
        "calm/archive/readme.txt",
        "calm/archive/old/1-100.rss",
    ];
    let stale = ["episodes/e0/chapters.json", "episodes/e0/chapters.json.gz"];
    let put = |name: &str| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "of somebody").unwrap();
    };
    own.iter().chain(&stale).for_each(|name| put(name));
    export(&home, catalogue(), folder(root.path()), 10).await.unwrap();
    let seen = files(root.path());
    assert!(seen.contains_key("episodes/e1/transcript-1.vtt"), "{:?}", seen.keys());
    assert!(!stale.iter().any(|name| seen.contains_key(*name)), "{:?}", seen.keys());
    // The feed goes, with its archives and no more.
    put("calm/archive/1-100.rss");
    let fewer = FEEDS
        .replace("[[feed]]\nname = \"calm\"\ntitle = \"Without news\"\nnone_of = [\"news\"]\n", "");
    let fewer = config::read(&fewer, Path::new("feeds.toml"), &Overrides::default()).unwrap();
    export(&home, Arc::clone(&fewer.catalogue), folder(root.path()), 20).await.unwrap();
    // So does the episode.
    let gone = courant::article::ArticleId::new("e1").unwrap();
    home.store.withdraw(vec![gone], at(21)).await.unwrap();
    export(&home, fewer.catalogue, folder(root.path()), 30).await.unwrap();
    let seen = files(root.path());
    for name in ["calm.rss", "calm/archive/1-100.rss", "episodes/e1/transcript-1.vtt"] {
        assert!(!seen.contains_key(name), "{name}: {:?}", seen.keys());
    }
    for name in own {
        assert!(
            seen.get(name).is_some_and(|(bytes, _)| bytes == b"of somebody"),
            "{name} has gone"
        );
    }
}

#[tokio::test]
async fn a_rehearsal_counts_and_writes_nothing() {
    let home = Home::new();
    fill(&home, 1..=120).await;
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("site");
    let rehearsal = Options { rehearse: true, ..options(200) };
    let publisher = publisher(&home, catalogue(), 200).await;
    let counted = Exporter::new(publisher, folder(&target), rehearsal).run().await.unwrap();
    assert!(!target.exists());
    let written = export(&home, catalogue(), folder(&target), 200).await.unwrap();
    assert_eq!(counted.files_written, written.files_written);
    assert_eq!(counted.bytes_written, written.bytes_written);
}

fn article(id: &str) -> String {
    let text = "All four floors are open to everyone. ".repeat(40);
    format!(
        "{{\"id\": \"{id}\", \"title\": \"Title of {id}\", \"content_text\": \"{text}\", \
         \"date_published\": \"2026-03-06T00:00:00Z\", \"categories\": [\"Category {}\"]}}\n",
        id.len()
    )
}

#[test]
fn a_killed_export_leaves_whole_files_and_the_next_one_goes_on() {
    let site = Site::new(&SETTINGS.replace("newest = 1000", "newest = 20"));
    let mut seed = 0x5eed_u64;
    let mut usual = Duration::from_millis(400);
    let mut killed = 0;
    for round in 0..8_u32 {
        let more: String = (0..30).map(|n| article(&format!("a{round}-{n}"))).collect();
        site.write("more.ndjson", more);
        assert!(site.run(&["import", "more.ndjson"]).status.success());
        let mut child = site
            .command(&["export", "out"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(usual * u32::try_from(seed >> 33 & 0x3ff).unwrap() / 1_024);
        child.kill().unwrap();
        killed += u32::from(!wait(&mut child).success());
        // What is there is whole.
        let out = site.path("out");
        if out.exists() {
            for (name, (bytes, _)) in files(&out) {
                assert!(!bytes.is_empty(), "{name}");
                let is = |extension| name.strip_suffix(extension).is_some();
                if is(".atom") || is(".rss") {
                    roxmltree::Document::parse(str::from_utf8(&bytes).unwrap()).unwrap();
                } else if is(".gz") {
                    let coded = &bytes[..];
                    assert!(coded.len() > 20 && coded.starts_with(&[0x1f, 0x8b]), "{name}");
                }
            }
        }
        let begun = std::time::Instant::now();
        let done = site.run(&["export", "out", "--json"]);
        assert!(done.status.success(), "{done:?}");
        usual = begun.elapsed().max(Duration::from_millis(100));
        let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert!(report["seconds"].is_f64() && report["problems"] == serde_json::json!([]));
        // A whole new one has the same files, with the same times.
        let fresh = format!("fresh-{round}");
        assert!(site.run(&["export", &fresh]).status.success());
        let (found, expected) = (files(&out), files(&site.path(&fresh)));
        for (name, (bytes, time)) in &expected {
            let (found, found_time) = &found[name];
            assert!(found == bytes, "{name}");
            let is_program = name.starts_with("style.css") || name.starts_with("robots.txt");
            assert!(is_program || found_time == time, "{name}");
        }
        let extra: Vec<_> =
            found.keys().filter(|name| !expected.contains_key(*name) && !is_tail(name)).collect();
        assert!(extra.is_empty(), "{extra:?}");
        assert_eq!(fs::read_dir(out.join(".courant/parts")).unwrap().count(), 0);
    }
    assert!(killed > 0, "none was killed in time");
}

#[test]
fn watching_keeps_it_current_and_stops_when_asked() {
    let site = Site::new(SETTINGS);
    site.write("a.ndjson", article("first"));
    assert!(site.run(&["import", "a.ndjson"]).status.success());
    let log = fs::File::create(site.path("log")).unwrap();
    let mut watching = site
        .command(&["export", "out", "--watch", "--json"])
        .stdout(fs::File::create(site.path("said")).unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let has = |id: &str| {
        let feed = fs::read_to_string(site.path("out/all.rss")).unwrap_or_default();
        feed.contains(&format!("Title of {id}")).then_some(())
    };
    until("the first export", || has("first"));
    // Another one stands back.
    let refused = site.run(&["export", "out"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("another export is writing to `out`")
    );

    site.write("b.ndjson", article("second"));
    assert!(site.run(&["import", "b.ndjson"]).status.success());
    until("the publication", || has("second"));
    // The folder is away for a moment: it tries again.
    fs::rename(site.path("out/.courant"), site.path("away")).unwrap();
    fs::write(site.path("out/.courant"), "in the way").unwrap();
    site.write("c.ndjson", article("third"));
    assert!(site.run(&["import", "c.ndjson"]).status.success());
    until("a complaint", || {
        fs::read_to_string(site.path("log")).unwrap().contains("trying again in").then_some(())
    });
    fs::remove_file(site.path("out/.courant")).unwrap();
    fs::rename(site.path("away"), site.path("out/.courant")).unwrap();
    until("the publication after it", || has("third"));

    let id = watching.id().to_string();
    assert!(
        std::process::Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success()
    );
    assert!(wait(&mut watching).success());
    let mut said = String::new();
    fs::File::open(site.path("said")).unwrap().read_to_string(&mut said).unwrap();
    for line in said.lines() {
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(report["files_written"].as_u64().unwrap() > 0, "{line}");
    }
    assert!(said.lines().count() >= 2, "{said}");
}

#[test]
fn a_place_that_is_none_is_said() {
    let site = Site::new(SETTINGS);
    for (target, said) in
        [("ftp://example.com/a", "is no place to export to"), ("", "is no place to export to")]
    {
        let refused = site.run(&["export", target]);
        assert_eq!(refused.status.code(), Some(2), "{target}");
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(error.contains(said), "{target}: {error}");
    }
}
