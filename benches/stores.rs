//! What PostgreSQL costs beside SQLite: articles taken in, single durable publications, cold feeds, in one run.
//!
//! `cargo bench --bench stores` starts a PostgreSQL of its own on this machine and sets nothing but where it listens and how
//! much it keeps in memory: what is acknowledged is on disk, on either side. Prints a table in Markdown.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tables are what it is for")]

#[path = "../tests/support/mod.rs"]
mod site;
mod support;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use courant::{
    article::Submission,
    config::{self, Overrides},
    feed::FeedPath,
    format::Format,
    publish::{Document, Publisher},
    store::{Intake, PostgresStore, SqliteStore, Store},
    text::DatabaseUrl,
};
use site::postgres::{Cluster, DURABLE};
use tokio::runtime::Runtime;

use support::{label, story, submission};

/// Articles in one write of the filling, as in an import.
const BATCH: u32 = 1_000;
const ARTICLES: u32 = 40_000;
const CATEGORIES: u32 = 100;
/// Single publications, and cold feeds.
const SAMPLES: u32 = 600;

const FEEDS: &str = "[site]\ntitle = \"Example\"\nurl = \"https://www.example.com/\"\n\
                     tag = \"example.com,2026\"\n[[feed]]\nname = \"all\"\ntitle = \"Everything\"\n";

const AUTHORITY: &str = "example.com,2026";

fn now() -> DateTime<Utc> {
    "2026-12-01T12:00:00Z".parse().unwrap()
}

/// The nth article, a minute after the one before, in two of the categories.
fn article(nth: u32) -> Submission {
    let published = now() - TimeDelta::days(300) + TimeDelta::minutes(i64::from(nth));
    let other = nth.wrapping_mul(2_654_435_761) % CATEGORIES;
    submission(nth, published, story(nth, &[nth % CATEGORIES, other]))
}

/// Articles taken in, publications and cold feeds, each in so many a second.
struct Rates([f64; 3]);

fn measure(runtime: &Runtime, store: &Arc<dyn Store>) -> Rates {
    let upsert = |batch: Vec<Submission>| {
        let begin = Instant::now();
        runtime.block_on(store.upsert(batch, Intake::default(), now())).unwrap();
        begin.elapsed()
    };
    let per_second = |count: u32, taken: Duration| f64::from(count) / taken.as_secs_f64();
    let batches = (0..ARTICLES).step_by(BATCH as usize);
    let taking = batches.map(|first| upsert((first..first + BATCH).map(article).collect())).sum();
    let publishing = (0..SAMPLES).map(|nth| upsert(vec![article(ARTICLES + nth)])).sum();
    let publisher = runtime.block_on(publisher(store));
    let cold = (0..SAMPLES).map(|nth| {
        let slug = label(nth % CATEGORIES).parse().unwrap();
        let document = Document::Feed(FeedPath::Category(slug), Format::Rss);
        let begin = Instant::now();
        runtime.block_on(publisher.edition(&document)).unwrap();
        begin.elapsed()
    });
    let cold = cold.sum();
    Rates([
        per_second(ARTICLES, taking),
        per_second(SAMPLES, publishing),
        per_second(SAMPLES, cold),
    ])
}

/// With no room to keep anything.
async fn publisher(store: &Arc<dyn Store>) -> Publisher {
    let file = Path::new("feeds.toml");
    let config = config::read(FEEDS, file, &Overrides::default()).unwrap();
    Publisher::open(Arc::clone(store), config.catalogue, 1, now()).await.unwrap()
}

fn main() {
    if !Cluster::is_there() {
        eprintln!("PostgreSQL is missing: install its server");
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteStore::open(&folder.path().join("courant.db"), AUTHORITY, now()).unwrap();
    let Rates(sqlite) = measure(&runtime, &(Arc::new(file) as Arc<dyn Store>));

    let cluster = Cluster::start(DURABLE);
    let url = DatabaseUrl::new(&cluster.database()).unwrap();
    let database = runtime.block_on(PostgresStore::open(&url, None, AUTHORITY, now())).unwrap();
    let Rates(postgres) = measure(&runtime, &(Arc::new(database) as Arc<dyn Store>));

    println!("| a second | SQLite | PostgreSQL | PostgreSQL ÷ SQLite |");
    println!("|---|---:|---:|---:|");
    let names = [
        "articles taken in, 1,000 at a time",
        "single publications, each on disk",
        "cold feeds of 40 articles",
    ];
    for (name, (sqlite, postgres)) in names.into_iter().zip(sqlite.into_iter().zip(postgres)) {
        println!("| {name} | {sqlite:.0} | {postgres:.0} | {:.2} |", postgres / sqlite);
    }
}
