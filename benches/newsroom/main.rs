//! A month of a newsroom and its readers: what they are sent, with deltas, without, and by static files.
//!
//! `cargo bench --bench newsroom`. The month happens in this process, without sockets and with a made-up clock: bytes
//! are those of status lines, fields and bodies. Static files are worked out beside it: the same documents with gzip and
//! the fields that nginx sends. Then [`servers`]: what it takes whole servers.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "a table is what it is for")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod servers;
#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    num::NonZeroU16,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use courant::{
    article::{ArticleId, Story, Submission, Window},
    category::{Facet, Selection},
    config::{self, Config, Overrides},
    edition::{Coding, Edition, Effort},
    http::{Answer, Limits, respond},
    import::Importer,
    publish::{Publisher, Recoding},
    store::{Intake, SqliteStore, Store},
    text::Text,
};
use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Body as _;

use support::{Dice, records_in, submission};

const DAYS: u32 = 30;
/// A day in quarters of an hour.
const DAY: u32 = 96;
/// Articles on a day, between six in the morning and eleven at night.
const ARTICLES: u32 = 35;
const READERS: u32 = 10_000;
const LIMITS: Limits = Limits {
    target_bytes: 8_192,
    header_bytes: 32_768,
    hosts: Vec::new(),
    staleness: Duration::ZERO,
};

/// How a reader asks.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// Of a hundred readers.
    share: u32,
    codings: &'static str,
    sends_tag: bool,
    sends_date: bool,
    takes_deltas: bool,
    /// In quarters of an hour.
    period: u32,
}

/// A mix to look at, not a census: nobody counts readers by what they send.
const KINDS: [Kind; 7] = [
    kind("tag and date, gzip", 45, "gzip, deflate", (true, true), false, 4),
    kind("tag, br", 10, "gzip, deflate, br", (true, false), false, 4),
    kind("date alone, gzip", 10, "gzip", (false, true), false, 4),
    kind("deltas, gzip", 10, "gzip, deflate", (true, true), true, 4),
    kind("never conditional, gzip", 15, "gzip", (false, false), false, 4),
    kind("never conditional, no coding", 3, "", (false, false), false, 4),
    kind("hosted, every quarter of an hour", 7, "gzip", (true, true), false, 1),
];

const fn kind(
    name: &'static str,
    share: u32,
    codings: &'static str,
    (sends_tag, sends_date): (bool, bool),
    takes_deltas: bool,
    period: u32,
) -> Kind {
    Kind { name, share, codings, sends_tag, sends_date, takes_deltas, period }
}

#[derive(Clone, Default)]
struct Reader {
    kind: usize,
    offset: u32,
    tag: Option<String>,
    date: Option<String>,
    /// What static files would have given it.
    file: Option<String>,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    polls: u64,
    wholes: u64,
    deltas: u64,
    bytes: u64,
    file_bytes: u64,
}

fn start() -> DateTime<Utc> {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

fn config() -> Config {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds.toml");
    config::read(&fs::read_to_string(&file).unwrap(), &file, &Overrides::default()).unwrap()
}

fn open(folder: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(&folder.join("courant.db"), "example.com,2026", start()).unwrap())
}

/// The stories of the example articles, to be told again under other names.
async fn stories() -> Vec<Story> {
    let folder = tempfile::tempdir().unwrap();
    let (store, config) = (open(folder.path()), config());
    let records =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/articles.ndjson")).unwrap();
    let mut importer = Importer::new(&*store, &config.catalogue, Intake::default());
    importer.take(records_in(records), start, |_| {}).await.unwrap();
    let window = Window {
        count: NonZeroU16::new(200).unwrap(),
        bytes: u32::MAX.try_into().unwrap(),
        hours: None,
    };
    let all = store.snapshot(&[Facet::all()], &Selection::default(), window).await.unwrap();
    all.articles.iter().map(|article| article.story.clone()).collect()
}

struct Newsroom {
    store: Arc<SqliteStore>,
    stories: Vec<Story>,
    dice: Dice,
    count: u32,
}

impl Newsroom {
    /// One that has published before.
    async fn open(folder: &Path, now: DateTime<Utc>) -> Self {
        let (store, stories) = (open(folder), stories().await);
        let mut newsroom = Self { store, stories, dice: Dice(7), count: 0 };
        for nth in 0..60 {
            newsroom.publish(now - TimeDelta::hours(60 - nth)).await;
        }
        newsroom
    }

    fn article(&self, nth: u32, published: DateTime<Utc>, title: &str) -> Submission {
        let mut story = self.stories[nth as usize % self.stories.len()].clone();
        story.title = Text::new(&format!("{title}{}", story.title));
        story.url = format!("https://www.example.com/{nth}.html").parse().ok();
        submission(nth, published, story)
    }

    async fn publish(&mut self, now: DateTime<Utc>) {
        self.count += 1;
        let new = self.article(self.count, now, "");
        self.store.upsert(vec![new], Intake::default(), now).await.unwrap();
    }

    /// One of the newest is corrected.
    async fn edit(&mut self, now: DateTime<Utc>) {
        let nth = self.count - self.dice.roll(20.min(self.count));
        let edited = self.article(nth, now, "* ");
        self.store.upsert(vec![edited], Intake::default(), now).await.unwrap();
    }

    async fn withdraw(&mut self, now: DateTime<Utc>) {
        let nth = self.count - self.dice.roll(30.min(self.count));
        let id = ArticleId::new(&nth.to_string()).unwrap();
        self.store.withdraw(vec![id], now).await.unwrap();
    }

    /// What happens in a quarter of an hour.
    async fn work(&mut self, quarter: u32, now: DateTime<Utc>) {
        let hour = quarter % DAY / 4;
        let is_open = (6..23).contains(&hour);
        if is_open && self.dice.roll(68) < ARTICLES {
            self.publish(now).await;
        }
        if is_open && self.dice.roll(10) == 0 {
            self.edit(now).await;
        }
        if self.dice.roll(DAY * 2) == 0 {
            self.withdraw(now).await;
        }
    }
}

/// Status line, fields, `Date` and the line that ends them; and the body.
fn size(answer: &Answer) -> u64 {
    let fields: usize =
        answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let reason = answer.status().canonical_reason().unwrap_or_default();
    let head = "HTTP/1.1 200 ".len() + reason.len() + 2 + 37 + fields + 2;
    u64::try_from(head).unwrap() + answer.body().size_hint().exact().unwrap()
}

/// What nginx sends with a file (`gzip_static`, `gzip_vary`, a freshness).
const FILE: &str = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Thu, 05 Mar 2026 08:30:00 GMT\r\n\
                    Content-Type: application/rss+xml\r\nContent-Length: 60000\r\n\
                    Last-Modified: Thu, 05 Mar 2026 08:30:00 GMT\r\nConnection: keep-alive\r\nVary: Accept-Encoding\r\n\
                    ETag: \"65f0a1b2-ea60\"\r\nCache-Control: public, max-age=300\r\nContent-Encoding: gzip\r\n\r\n";
const SAME_FILE: &str = "HTTP/1.1 304 Not Modified\r\nServer: nginx\r\nDate: Thu, 05 Mar 2026 08:30:00 GMT\r\n\
                         Last-Modified: Thu, 05 Mar 2026 08:30:00 GMT\r\nConnection: keep-alive\r\n\
                         Vary: Accept-Encoding\r\nETag: \"65f0a1b2-ea60\"\r\nCache-Control: public, max-age=300\r\n\r\n";

/// Sizes of what lies beside the server: the document, and the same with gzip at the level that we use at once.
#[derive(Default)]
struct Files {
    tag: String,
    plain: usize,
    coded: usize,
}

impl Files {
    fn of(&mut self, document: &Edition, coding: Coding) -> usize {
        let tag = document.tag(Coding::Identity);
        if self.tag != tag {
            let whole = document.whole(Coding::Identity).map_or(&[][..], |(_, body)| body);
            tag.clone_into(&mut self.tag);
            self.plain = whole.len();
            self.coded = Coding::Gzip.encode(whole, Effort::Quick).len();
        }
        if coding == Coding::Identity { self.plain } else { self.coded }
    }
}

/// A minute goes by, and what has been asked for is coded again.
async fn settle(publisher: &Publisher, now: DateTime<Utc>) {
    for _ in 0..60 {
        publisher.refresh(now).await.unwrap();
    }
    let mut recoding = Recoding::default();
    for _ in 0..60_000 {
        publisher.recode(&mut recoding);
        if recoding.is_idle() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn request(kind: &Kind, reader: &Reader, with_deltas: bool) -> Request<Empty<Bytes>> {
    let mut request = Request::builder().uri("/all.rss").header(header::HOST, "feeds.example.com");
    if !kind.codings.is_empty() {
        request = request.header(header::ACCEPT_ENCODING, kind.codings);
    }
    if let Some(tag) = reader.tag.as_ref().filter(|_| kind.sends_tag) {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    if let Some(date) = reader.date.as_ref().filter(|_| kind.sends_date) {
        request = request.header(header::IF_MODIFIED_SINCE, date);
    }
    if kind.takes_deltas && with_deltas {
        request = request.header("a-im", "feed");
    }
    request.body(Empty::new()).unwrap()
}

/// So many of all kinds, in no order.
fn readers(count: u32) -> Vec<Reader> {
    let mut dice = Dice(11);
    let mut readers: Vec<Reader> = Vec::new();
    for (kind, Kind { share, period, .. }) in KINDS.iter().enumerate() {
        let offset = |_| Reader { kind, offset: dice.roll(*period), ..Reader::default() };
        readers.extend((0..count * share / 100).map(offset));
    }
    for nth in (1..readers.len()).rev() {
        readers.swap(nth, dice.roll(u32::try_from(nth).unwrap() + 1) as usize);
    }
    readers
}

/// A month; what each kind was sent, how long answering took, and how long making editions.
async fn month(with_deltas: bool) -> ([Sum; KINDS.len()], Duration, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let mut newsroom = Newsroom::open(folder.path(), start()).await;
    let store = Arc::clone(&newsroom.store) as Arc<dyn Store>;
    let publisher = Publisher::open(store, config().catalogue, 64 << 20, start()).await.unwrap();
    let mut readers = readers(READERS);
    let mut files = Files::default();
    let mut sums = [Sum::default(); KINDS.len()];
    let (mut answering, mut making) = (Duration::ZERO, Duration::ZERO);
    for quarter in 0..DAYS * DAY {
        let now = start() + TimeDelta::minutes(15 * i64::from(quarter));
        newsroom.work(quarter, now).await;
        let begin = Instant::now();
        publisher.refresh(now).await.unwrap();
        making += begin.elapsed();
        let later = now + TimeDelta::minutes(5);
        let mut document = publisher.cached("/all.rss");
        for nth in 0..readers.len() {
            // Better codings are there after the first of the fifteen minutes.
            if nth == readers.len() / 15 {
                settle(&publisher, now).await;
                document = publisher.cached("/all.rss");
            }
            let reader = &mut readers[nth];
            let kind = &KINDS[reader.kind];
            if !(quarter + reader.offset).is_multiple_of(kind.period) {
                continue;
            }
            let request = request(kind, reader, with_deltas);
            let begin = Instant::now();
            let answer = respond(&publisher, &LIMITS, &request, later).await;
            answering += begin.elapsed();
            let sum = &mut sums[reader.kind];
            sum.polls += 1;
            sum.bytes += size(&answer);
            sum.wholes += u64::from(answer.status() == StatusCode::OK);
            sum.deltas += u64::from(answer.status() == StatusCode::IM_USED);
            let field =
                |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            if answer.status() != StatusCode::NOT_MODIFIED {
                reader.tag = field(header::ETAG);
                reader.date = field(header::LAST_MODIFIED);
            }
            let Some(document) = &document else { continue };
            let held = reader.file.as_deref() == Some(document.tag(Coding::Identity));
            sum.file_bytes += if held && (kind.sends_tag || kind.sends_date) {
                SAME_FILE.len() as u64
            } else {
                let coding = if kind.codings.is_empty() { Coding::Identity } else { Coding::Gzip };
                let body = files.of(document, coding);
                (FILE.len() + body) as u64
            };
            reader.file = Some(document.tag(Coding::Identity).to_owned());
        }
    }
    (sums, answering, making)
}

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (with, answering, making) = runtime.block_on(month(true));
    let (without, ..) = runtime.block_on(month(false));
    let megabytes = |bytes: u64, readers: u32| bytes as f64 / f64::from(readers) / 1e6;
    println!(
        "| readers | of 10,000 | polls each | whole feeds, deltas each | MB a month each: Courant | without deltas | static files, gzip |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let mut total = (Sum::default(), 0);
    for ((kind, sum), plain) in KINDS.iter().zip(with).zip(without) {
        let readers = READERS * kind.share / 100;
        let each = |count: u64| count as f64 / f64::from(readers);
        println!(
            "| {} | {readers} | {:.0} | {:.0}, {:.0} | {:.2} | {:.2} | {:.2} |",
            kind.name,
            each(sum.polls),
            each(sum.wholes),
            each(sum.deltas),
            megabytes(sum.bytes, readers),
            megabytes(plain.bytes, readers),
            megabytes(sum.file_bytes, readers),
        );
        total.0.polls += sum.polls;
        total.0.bytes += sum.bytes;
        total.0.file_bytes += sum.file_bytes;
        total.1 += plain.bytes;
    }
    println!(
        "| all | {READERS} | {:.0} | | {:.2} | {:.2} | {:.2} |",
        total.0.polls as f64 / f64::from(READERS),
        megabytes(total.0.bytes, READERS),
        megabytes(total.1, READERS),
        megabytes(total.0.file_bytes, READERS),
    );
    println!(
        "\n{} polls: {:.2} µs each, without sockets; {:.1} s to make editions in a month",
        total.0.polls,
        answering.as_secs_f64() * 1e6 / total.0.polls as f64,
        making.as_secs_f64(),
    );
    servers::measure(&runtime);
}
