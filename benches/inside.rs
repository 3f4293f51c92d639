//! What each step costs by itself: rendering, coding, answering, taking in.

#![allow(missing_docs, reason = "criterion's macros write functions without")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

mod support;

use std::{fs, hint::black_box, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use courant::{
    article::Submission,
    config::{self, Config, Overrides},
    edition::{Coding, Effort},
    feed::{Feed, FeedPath},
    format::Format,
    http::{Limits, respond},
    import::Importer,
    publish::Publisher,
    store::{Intake, SqliteStore, Store},
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::Request;
use http_body_util::Empty;
use tokio::runtime::Runtime;

use support::{records_in, story, submission};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn config() -> Config {
    let file = root().join("feeds.toml");
    config::read(&fs::read_to_string(&file).unwrap(), &file, &Overrides::default()).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-12-01T12:00:00Z".parse().unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A store, and the folder it lives in.
struct Home {
    _folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("courant.db");
        Self {
            store: Arc::new(SqliteStore::open(&path, "example.com,2026", now()).unwrap()),
            _folder: folder,
        }
    }

    async fn take(&self, records: &[u8]) {
        let config = config();
        let mut importer = Importer::new(&*self.store, &config.catalogue, Intake::default());
        importer.take(records_in(records.to_vec()), now, |_| {}).await.unwrap();
    }

    async fn publisher(&self) -> Publisher {
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        Publisher::open(store, config().catalogue, 64_000_000, now()).await.unwrap()
    }
}

fn examples() -> Vec<u8> {
    fs::read(root().join("examples/articles.ndjson")).unwrap()
}

/// The newest 40 of all example articles.
fn feed() -> Feed {
    runtime().block_on(async {
        let home = Home::new();
        home.take(&examples()).await;
        home.publisher().await.feed(&FeedPath::Named("all".parse().unwrap())).await.unwrap()
    })
}

/// A document of 40 entries, written and read back.
fn rendering(criterion: &mut Criterion) {
    let feed = feed();
    let mut group = criterion.benchmark_group("render");
    for format in [Format::Rss, Format::Atom, Format::Json, Format::Html] {
        group.bench_function(format.extension(), |bencher| {
            bencher.iter(|| black_box(format.render(black_box(&feed)).unwrap()));
        });
    }
}

fn codings(criterion: &mut Criterion) {
    let document = Format::Rss.render(&feed()).unwrap();
    let mut group = criterion.benchmark_group("code");
    group.throughput(Throughput::Bytes(u64::try_from(document.len()).unwrap()));
    for coding in Coding::ALL.into_iter().filter(|coding| *coding != Coding::Identity) {
        for (effort, name) in [(Effort::Quick, "quick"), (Effort::Thorough, "thorough")] {
            group.bench_function(format!("{}, {name}", coding.token()), |bencher| {
                bencher.iter(|| black_box(coding.encode(black_box(&document), effort)));
            });
        }
    }
}

/// From a request to its answer, without a socket.
fn requests(criterion: &mut Criterion) {
    let runtime = runtime();
    let home = Home::new();
    let publisher = runtime.block_on(async {
        home.take(&examples()).await;
        home.publisher().await
    });
    let limits = Limits {
        target_bytes: 8_192,
        header_bytes: 32_768,
        hosts: Vec::new(),
        staleness: Duration::ZERO,
    };
    let ask = |tag: Option<&str>| {
        let request = Request::builder()
            .uri("/all.atom")
            .header("host", "feeds.example.com")
            .header("user-agent", "reader/1.0")
            .header("accept", "*/*")
            .header("accept-encoding", "gzip");
        let request =
            tag.into_iter().fold(request, |request, tag| request.header("if-none-match", tag));
        request.body(Empty::<Bytes>::new()).unwrap()
    };
    let answer = |request: &Request<Empty<Bytes>>| {
        runtime.block_on(respond(&publisher, &limits, request, now()))
    };
    let tag = answer(&ask(None)).headers()["etag"].to_str().unwrap().to_owned();
    let mut group = criterion.benchmark_group("respond");
    for (name, status, request) in [("304", 304, ask(Some(&tag))), ("200", 200, ask(None))] {
        assert_eq!(answer(&request).status().as_u16(), status);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(answer(&request))));
    }
}

/// Records as text, in; articles on disk, out.
fn importing(criterion: &mut Criterion) {
    let runtime = runtime();
    let examples = String::from_utf8(examples()).unwrap();
    let renamed = |round: u32, line: &str| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["id"] = format!("{round}-{}", record["id"]).into();
        record.as_object_mut().unwrap().remove("guid");
        record.to_string() + "\n"
    };
    let records: Vec<String> =
        (0..20).flat_map(|round| examples.lines().map(move |line| renamed(round, line))).collect();
    let (count, records) = (records.len(), records.concat());
    let mut group = criterion.benchmark_group("import");
    group.throughput(Throughput::Elements(u64::try_from(count).unwrap()));
    group.bench_function("records", |bencher| {
        bencher.iter_batched(
            Home::new,
            |home| {
                runtime.block_on(home.take(records.as_bytes()));
                home
            },
            BatchSize::PerIteration,
        );
    });
}

fn article(nth: u32) -> Submission {
    let published = now() - chrono::TimeDelta::minutes(i64::from(nth));
    submission(nth, published, story(nth, &[nth % 100]))
}

/// One article into a store of many, until it is on disk; and its feed, from the store to bytes in every coding.
fn publishing(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("publish");
    for size in [1_000_u32, 10_000] {
        let home = Home::new();
        runtime.block_on(async {
            let all: Vec<_> = (1..=size).map(article).collect();
            for batch in all.chunks(1_000) {
                home.store.upsert(batch.to_vec(), Intake::default(), now()).await.unwrap();
            }
        });
        let mut nth = size;
        group.bench_function(format!("one into {size}"), |bencher| {
            bencher.iter(|| {
                nth += 1;
                let batch = vec![article(nth)];
                runtime.block_on(home.store.upsert(batch, Intake::default(), now())).unwrap()
            });
        });
        group.bench_function(format!("newest of {size}"), |bencher| {
            let publisher = runtime.block_on(home.publisher());
            let path = FeedPath::Category("category-7".parse().unwrap());
            bencher.iter(|| runtime.block_on(publisher.feed(&path)).unwrap());
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = rendering, codings, requests, importing, publishing
}
criterion_main!(benches);
