//! Caches in front: what they are told with documents (H.9), and that they hear of what is stale in time.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use courant::{
    article::{ArticleId, Revision},
    config::{self, Config, Overrides},
    edge::{Purge, Retry},
    http::{respond, respond_politely},
    publish::Publisher,
    store::Store,
    traffic::Traffic,
};
use http::Response;
use tokio::task::AbortHandle;

use crate::{
    fixtures::{FEEDS, Home, at, submission},
    http::{LIMITS, ask, body, field, get},
    support::receiver::{Asked, Body, Receiver, answer},
};

const CDN: &str =
    "[cdn]\nkeys = ['surrogate-key', 'cache-tag', 'cache-groups']\nmax_age_seconds = 86_400\n";
const QUICK: Retry = Retry { attempts: 3, first_wait: Duration::from_millis(5) };

fn configured(rest: &str) -> Config {
    let text = format!("{FEEDS}{rest}");
    config::read(&text, Path::new("feeds.toml"), &Overrides::default()).unwrap()
}

/// A service that tells a cache.
struct Told {
    publisher: Arc<Publisher>,
    purge: Arc<Purge>,
    following: AbortHandle,
}

impl Told {
    async fn open(home: &Home, rest: &str, retry: Retry) -> Self {
        let config = configured(rest);
        let purge = Purge::new(config.purge.unwrap().hook, BTreeMap::new(), retry);
        let purge = Arc::new(purge);
        let store: Arc<dyn Store> = Arc::clone(&home.store) as Arc<dyn Store>;
        let publisher = Publisher::open(store, config.catalogue, 64_000_000, at(0)).await.unwrap();
        let publisher = Arc::new(publisher.behind(config.edge, Some(Arc::clone(&purge))));
        let follower = Arc::clone(&purge);
        let following = tokio::spawn(async move { follower.follow().await }).abort_handle();
        Self { publisher, purge, following }
    }

    async fn see(&self, path: &str) -> String {
        body(respond(&self.publisher, &LIMITS, &get(path, &[]), at(60)).await).await
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.following.abort();
    }
}

fn keys(asked: &Asked) -> Vec<String> {
    serde_json::from_slice(&asked.body).unwrap()
}

fn by_keys(server: &Receiver, more: &str) -> String {
    format!("{CDN}[purge]\nurl = '{}'\nbody = '{{keys_json}}'\n{more}\n", server.url("/purge"))
}

#[tokio::test]
async fn every_public_document_says_what_it_reads_from() {
    let home = Home::new();
    home.publish((0..130).map(|n| submission(&format!("a{n}"), -n)).collect(), 0).await;
    let store: Arc<dyn Store> = Arc::clone(&home.store) as Arc<dyn Store>;
    let config = configured(CDN);
    let publisher = Publisher::open(store, config.catalogue, 64_000_000, at(0)).await.unwrap();
    let publisher = publisher.behind(config.edge, None);
    let told = [
        ("/all.rss", "site feed/all articles"),
        ("/all.html", "site feed/all articles"),
        ("/category/news.json", "site feed/category/news category/news"),
        ("/all/archive/1-100.atom", "site feed/all articles"),
        ("/", "site catalogue"),
        ("/feeds.opml", "site catalogue"),
        ("/style.css", "site"),
        ("/all", "site feed/all articles"),
    ];
    let age = "max-age=86400, stale-while-revalidate=60, stale-if-error=86400";
    for (path, keys) in told {
        let first = respond(&publisher, &LIMITS, &get(path, &[]), at(60)).await;
        let tag = field(&first, "etag").to_owned();
        let again = get(path, &[("if-none-match", &tag)]);
        let again = respond(&publisher, &LIMITS, &again, at(60)).await;
        let head = respond(&publisher, &LIMITS, &ask("HEAD", path, &[]), at(60)).await;
        for (answer, status) in [(&first, 200), (&again, 304), (&head, 200)] {
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(field(answer, "surrogate-key"), keys, "{path}");
            assert_eq!(field(answer, "cache-tag"), keys.replace(' ', ","), "{path}");
            let groups = format!("\"{}\"", keys.replace(' ', "\", \""));
            assert_eq!(field(answer, "cache-groups"), groups, "H-113");
            assert_eq!(field(answer, "cdn-cache-control"), age, "H-101");
            assert!(field(answer, "cache-control").starts_with("public, max-age="), "H-100");
        }
    }

    // A delta, an error, and what is of one process are nobody's to keep.
    let tag = field(&respond(&publisher, &LIMITS, &get("/all.rss", &[]), at(60)).await, "etag")
        .to_owned();
    home.publish(vec![submission("new", 100)], 100).await;
    publisher.refresh(at(100)).await.unwrap();
    let delta = get("/all.rss", &[("a-im", "feed"), ("if-none-match", &tag)]);
    for (request, status) in [
        (delta, 226),
        (get("/none.rss", &[]), 404),
        (ask("POST", "/all.rss", &[]), 405),
        (get("/all.rss", &[("if-match", "\"other\"")]), 412),
        (get("/healthz", &[]), 200),
        (get("/readyz", &[]), 200),
        (get("/ALL.RSS", &[]), 308),
        (get("/all/archive/101-200.atom", &[]), 307),
        (ask("OPTIONS", "/all.rss", &[]), 204),
    ] {
        let answer = respond(&publisher, &LIMITS, &request, at(200)).await;
        assert_eq!(answer.status(), status, "{}", request.uri());
        for name in ["surrogate-key", "cache-tag", "cache-groups", "cdn-cache-control"] {
            assert!(!answer.headers().contains_key(name), "{status}: {name}");
        }
    }

    let plain = home.publisher(at(200)).await;
    let answer = respond(&plain, &LIMITS, &get("/all.rss", &[]), at(200)).await;
    assert!(!answer.headers().contains_key("cdn-cache-control"));
    assert!(!answer.headers().contains_key("surrogate-key"));
}

#[tokio::test]
async fn a_cache_hears_of_a_write_once_the_edition_is_there() {
    let here: Arc<OnceLock<Arc<Publisher>>> = Arc::default();
    let seen: Arc<Mutex<Vec<Option<Revision>>>> = Arc::default();
    let server = {
        let (here, seen) = (Arc::clone(&here), Arc::clone(&seen));
        Receiver::new(move |_: &Asked| {
            let edition = here.get().and_then(|publisher| publisher.cached("/all.rss"));
            seen.lock().unwrap().push(edition.map(|edition| edition.revision()));
            answer(200, &[], "")
        })
        .await
    };
    let home = Home::new();
    home.publish(vec![submission("a", 0)], 0).await;
    let told = Told::open(&home, &by_keys(&server, ""), QUICK).await;
    assert!(here.set(Arc::clone(&told.publisher)).is_ok());
    told.see("/all.rss").await;
    for round in 1..=20_u32 {
        home.publish(vec![submission(&format!("b{round}"), 1)], i64::from(round)).await;
        told.publisher.refresh(at(round.into())).await.unwrap();
        let head = home.store.head().await.unwrap();
        let asked = server.asked_times(round as usize).await;
        // What nobody has in memory here, a cache may have: the feed of the category is among it.
        assert_eq!(keys(asked.last().unwrap()), ["articles", "category/news"], "{round}");
        assert_eq!(seen.lock().unwrap().last(), Some(&Some(head)), "{round}");
    }
    told.publisher.refresh(at(100)).await.unwrap();
    assert_eq!(told.purge.counts().waiting, 0, "without a write there is nothing to tell");

    // A withdrawal moves what it was in, archives with it.
    home.store.withdraw(vec![ArticleId::new("a").unwrap()], at(200)).await.unwrap();
    told.publisher.refresh(at(200)).await.unwrap();
    let asked = server.asked_times(21).await;
    assert_eq!(keys(&asked[20]), ["articles", "category/news"], "M-28");
    settle(|| told.purge.counts().done == 21).await;
}

#[tokio::test]
async fn what_was_not_taken_is_told_again() {
    let count = AtomicU32::new(0);
    let server = Receiver::new(move |_: &Asked| {
        let status =
            [500, 429, 200, 503, 503, 503, 200][count.fetch_add(1, Ordering::Relaxed) as usize];
        answer(status, &[("retry-after", "0")], "")
    })
    .await;
    let home = Home::new();
    let told = Told::open(&home, &by_keys(&server, ""), QUICK).await;
    let purge = &told.purge;
    purge.add(["a".to_owned()]);
    let asked = server.asked_times(3).await;
    assert!(asked.iter().all(|asked| keys(asked) == ["a"]), "{asked:?}");
    settle(|| purge.counts().done == 1).await;
    assert_eq!((purge.counts().retried, purge.counts().given_up), (2, 0));
    // Three times in vain: it is given up, and the next one is told.
    purge.add(["b".to_owned()]);
    settle(|| purge.counts().given_up == 1).await;
    purge.add(["c".to_owned()]);
    settle(|| purge.counts().done == 2).await;
    assert_eq!(keys(&server.asked()[6]), ["c"]);

    // So that somebody wakes up.
    let policy = configured("[metrics]\nreaders = ['198.51.100.1']").politeness;
    let traffic = Traffic::new(policy, told.publisher.catalogue(), at(0));
    let caller = traffic.access().caller([198, 51, 100, 1].into());
    let request = get("/metrics", &[]);
    let numbers =
        respond_politely(&told.publisher, &LIMITS, &traffic, &caller, &request, at(0)).await;
    let numbers = body(numbers).await;
    let line = "courant_purges_total{outcome=\"given_up\"} 1\n";
    assert!(numbers.contains(line), "{numbers}");
    assert!(numbers.contains("courant_purges_waiting 0\n"), "{numbers}");
}

#[tokio::test]
async fn what_never_helps_is_not_tried_again() {
    let server = Receiver::new(|_: &Asked| answer(403, &[], "")).await;
    let home = Home::new();
    let told = Told::open(&home, &by_keys(&server, ""), QUICK).await;
    told.purge.add(["a".to_owned()]);
    settle(|| told.purge.counts().given_up == 1).await;
    assert_eq!(server.asked().len(), 1);
}

/// Not for ever.
async fn settle(is_so: impl Fn() -> bool) {
    let waits = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.expect("it comes to that");
}

#[tokio::test]
async fn many_keys_go_together_and_none_twice() {
    let server = Receiver::new(|_: &Asked| answer(200, &[], "")).await;
    let home = Home::new();
    let told = Told::open(&home, &by_keys(&server, "batch = 30"), QUICK).await;
    let many: Vec<_> = (0..100).map(|n| format!("category/{n:03}")).collect();
    told.purge.add(many.iter().chain(&many).cloned());
    let asked = server.asked_times(4).await;
    let mut told: Vec<_> = asked.iter().flat_map(keys).collect();
    assert!(asked.iter().all(|asked| keys(asked).len() <= 30));
    told.sort();
    assert_eq!(told, many);
}

#[tokio::test]
async fn a_cache_without_keys_is_told_addresses() {
    fn purged(asked: &Asked) -> Response<Body> {
        // nginx says so of what it has not.
        let is_json = asked.uri.path().strip_suffix(".json").is_some();
        answer(if is_json { 404 } else { 200 }, &[], "")
    }
    let server = Receiver::new(purged).await;
    let home = Home::new();
    let hook = format!(
        "[purge]\nmethod = 'PURGE'\nurl = 'http://{}{{path}}'\nheaders = ['Host: feeds.example.com']\n",
        server.address
    );
    let told = Told::open(&home, &hook, QUICK).await;
    home.publish(vec![submission("a", 0)], 0).await;
    told.publisher.refresh(at(0)).await.unwrap();
    // Three feeds in four formats and at the address of none; the lists, as the category is new. Headlines have no news.
    let asked = server.asked_times(17).await;
    let mut paths: Vec<_> = asked.iter().map(|asked| asked.uri.path()).collect();
    paths.sort_unstable();
    let expected: Vec<String> = ["/all", "/calm", "/category/news"]
        .iter()
        .flat_map(|feed| ["", ".atom", ".html", ".json", ".rss"].map(|end| format!("{feed}{end}")))
        .collect();
    let lists = ["/".to_owned()].into_iter().chain(expected).chain(["/feeds.opml".to_owned()]);
    assert_eq!(paths, lists.collect::<Vec<_>>());
    assert!(asked.iter().all(|asked| asked.method == "PURGE"));
    assert!(asked.iter().all(|asked| asked.headers["host"] == "feeds.example.com"));
    settle(|| told.purge.counts().done == 17).await;
}

#[tokio::test]
async fn everything_is_stale_to_begin_with() {
    let server = Receiver::new(|_: &Asked| answer(200, &[], "")).await;
    let home = Home::new();
    let told = Told::open(&home, &by_keys(&server, ""), QUICK).await;
    told.publisher.purge_everything().await;
    assert_eq!(keys(&server.asked_times(1).await[0]), ["site"]);
}
