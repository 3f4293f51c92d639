//! How cost grows with the store: articles taken in, one publication, a cold feed, a start, memory under a random walk.
//!
//! `cargo bench --bench scale`, or `cargo bench --bench scale -- 1000000` for a larger store at the end (minutes, and
//! 3 KB of disk an article). Prints tables in Markdown.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tables are what it is for")]

mod support;

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use courant::{
    article::Submission,
    config::{self, Overrides},
    edition::Coding,
    feed::FeedPath,
    format::Format,
    publish::{Document, Publisher},
    store::{Intake, SqliteStore, Store},
};
use tokio::runtime::Runtime;

use support::{Dice, label, story, submission};

/// Articles in one write of the filling, as in an import.
const BATCH: u32 = 4_000;
/// Measurements of each kind.
const SAMPLES: u32 = 300;

const FEEDS: &str = "[site]\ntitle = \"Example\"\nurl = \"https://www.example.com/\"\n\
                     tag = \"example.com,2026\"\n[[feed]]\nname = \"all\"\ntitle = \"Everything\"\n";

fn now() -> DateTime<Utc> {
    "2026-12-01T12:00:00Z".parse().unwrap()
}

/// The nth article, a minute after the one before, in two of the categories.
fn article(nth: u32, categories: u32) -> Submission {
    let published = now() - TimeDelta::days(3_000) + TimeDelta::minutes(i64::from(nth));
    let other = nth.wrapping_mul(2_654_435_761) % categories;
    submission(nth, published, story(nth, &[nth % categories, other]))
}

struct Home {
    folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
    articles: u32,
    categories: u32,
}

impl Home {
    /// Fills a store, and says at what speed.
    fn filled(runtime: &Runtime, articles: u32, categories: u32) -> (Self, f64) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let mut taking = Duration::ZERO;
        for first in (0..articles).step_by(BATCH as usize) {
            let last = articles.min(first + BATCH);
            let batch = (first..last).map(|nth| article(nth, categories)).collect();
            let begin = Instant::now();
            runtime.block_on(store.upsert(batch, Intake::default(), now())).unwrap();
            taking += begin.elapsed();
            if last.is_multiple_of(100_000) {
                eprintln!("{last} articles");
            }
        }
        (Self { folder, store, articles, categories }, f64::from(articles) / taking.as_secs_f64())
    }

    async fn publisher(&self, memory_bytes: u64) -> Publisher {
        let file = Path::new("feeds.toml");
        let config = config::read(FEEDS, file, &Overrides::default()).unwrap();
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        Publisher::open(store, config.catalogue, memory_bytes, now()).await.unwrap()
    }

    fn document(&self, dice: &mut Dice) -> Document {
        let slug = label(dice.roll(self.categories)).parse().unwrap();
        let format = [Format::Rss, Format::Atom, Format::Json][dice.roll(3) as usize];
        Document::Feed(FeedPath::Category(slug), format)
    }
}

fn open(folder: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(&folder.join("courant.db"), "example.com,2026", now()).unwrap())
}

/// In milliseconds: the median, and what 99 of 100 stay below.
fn quantiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    (at(50), at(99))
}

fn publication(runtime: &Runtime, home: &mut Home) -> (f64, f64) {
    let times = (0..SAMPLES).map(|_| {
        let batch = vec![article(home.articles, home.categories)];
        home.articles += 1;
        let begin = Instant::now();
        runtime.block_on(home.store.upsert(batch, Intake::default(), now())).unwrap();
        begin.elapsed()
    });
    quantiles(times.collect())
}

/// From a request for a feed that is not in memory to its bytes in every coding.
fn cold(runtime: &Runtime, home: &Home) -> (f64, f64) {
    let mut dice = Dice(7);
    let times = (0..SAMPLES).map(|_| {
        // Nothing stays in memory.
        let publisher = runtime.block_on(home.publisher(1));
        let document = home.document(&mut dice);
        let begin = Instant::now();
        runtime.block_on(publisher.edition(&document)).unwrap();
        begin.elapsed()
    });
    quantiles(times.collect())
}

/// From opening the file to the first feed.
fn start(runtime: &Runtime, home: Home) -> (Home, f64) {
    let Home { folder, store, articles, categories } = home;
    drop(store);
    let begin = Instant::now();
    let home = Home { store: open(folder.path()), folder, articles, categories };
    let publisher = runtime.block_on(home.publisher(64_000_000));
    let document = Document::Feed(FeedPath::Named("all".parse().unwrap()), Format::Rss);
    runtime.block_on(publisher.edition(&document)).unwrap();
    (home, begin.elapsed().as_secs_f64() * 1_000.0)
}

fn resident_megabytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1_024.0)
}

/// Polls feeds in random order, and publishes meanwhile; the most memory that the program has while it does.
fn walk(runtime: &Runtime, home: &mut Home, budget_megabytes: u64, polls: u32) {
    let before = resident_megabytes();
    let publisher = runtime.block_on(home.publisher(budget_megabytes << 20));
    let mut dice = Dice(11);
    let (mut most, mut hits) = (0.0_f64, 0_u32);
    for nth in 0..polls {
        let document = home.document(&mut dice);
        if let Some(edition) = publisher.cached(&document.path()) {
            hits += 1;
            std::hint::black_box(edition.tag(Coding::Gzip));
        } else {
            runtime.block_on(publisher.edition(&document)).unwrap();
        }
        if nth % 500 == 0 {
            let batch = vec![article(home.articles, home.categories)];
            home.articles += 1;
            runtime.block_on(home.store.upsert(batch, Intake::default(), now())).unwrap();
            runtime.block_on(publisher.refresh(now())).unwrap();
            most = most.max(resident_megabytes().unwrap_or_default());
        }
    }
    let growth = before.map_or(f64::NAN, |before| most - before);
    let feeds = home.categories * 3;
    println!("| {feeds} | {polls} | {hits} | {budget_megabytes} | {growth:.0} |");
}

fn main() {
    let largest = std::env::args().skip(1).find_map(|argument| argument.parse::<u32>().ok());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    println!(
        "| articles | categories | taken in, articles/s | one publication, ms: median, 99th percentile \
         | cold feed, ms: median, 99th percentile | start to first feed, ms |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    let sizes = [(100_000, 1_000), (10_000, 10), (10_000, 1_000), (10_000, 10_000)];
    let mut last = None;
    for (articles, categories) in sizes.into_iter().chain(largest.map(|most| (most, 1_000))) {
        let (mut home, speed) = Home::filled(&runtime, articles, categories);
        let (median, most) = publication(&runtime, &mut home);
        let (cold_median, cold_most) = cold(&runtime, &home);
        let (filled, start) = start(&runtime, home);
        println!(
            "| {articles} | {categories} | {speed:.0} | {median:.2}, {most:.2} \
             | {cold_median:.2}, {cold_most:.2} | {start:.0} |"
        );
        if categories == 10_000 {
            last = Some(filled);
        }
    }
    let Some(mut home) = last else { return };
    println!(
        "\n| documents | polls | of these from memory | budget, MiB | growth of the program, MiB |"
    );
    println!("|---:|---:|---:|---:|---:|");
    for budget in [32, 128] {
        walk(&runtime, &mut home, budget, 30_000);
    }
}
