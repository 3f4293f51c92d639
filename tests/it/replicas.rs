//! Several copies over one store: what a client that goes from one to the other is told.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use courant::{
    article::Revision,
    config::{self, Overrides},
    http::{Answer, Limits, respond},
    publish::Publisher,
};
use http::Request;
use http_body_util::Empty;

use crate::{
    fixtures::{FEEDS, Home, at, catalogue, submission},
    http::{LIMITS, body, field, get},
    outage::Frail,
};

/// Two copies over one store, each with its own way to it.
struct Pair {
    home: Home,
    ways: [Arc<Frail>; 2],
    copies: [Arc<Publisher>; 2],
}

impl Pair {
    async fn new() -> Self {
        let home = Home::new();
        home.publish((0..5).map(|n| submission(&format!("article-{n}"), -n)).collect(), 0).await;
        let ways = [0, 1].map(|_| Arc::new(Frail::of(Arc::clone(&home.store))));
        let [one, other] = ways.clone();
        let open = |way| Publisher::open(way, catalogue(), 64_000_000, at(0));
        let copies = [open(one).await.unwrap(), open(other).await.unwrap()].map(Arc::new);
        Self { home, ways, copies }
    }

    async fn ask(&self, copy: usize, fields: &[(&str, &str)]) -> Answer {
        ask(&self.copies[copy], fields).await
    }

    /// A write that the first copy has acted on, and the second has not heard of; the tag of its edition.
    async fn news(&self, id: &str, seconds: i64) -> String {
        self.ask(1, &[]).await;
        self.home.publish(vec![submission(id, seconds)], seconds).await;
        self.copies[0].refresh(at(seconds)).await.unwrap();
        let answer = self.ask(0, &[]).await;
        field(&answer, "etag").to_owned()
    }
}

async fn ask(publisher: &Publisher, fields: &[(&str, &str)]) -> Answer {
    respond(publisher, &LIMITS, &get("/all.atom", fields), at(600)).await
}

#[tokio::test]
async fn replicas_agree_on_every_byte() {
    let pair = Pair::new().await;
    pair.home.publish(vec![submission("late", 5)], 5).await;
    pair.copies[1].refresh(at(6)).await.unwrap();
    for path in ["/all.rss", "/all.atom", "/all.json", "/all.html", "/", "/feeds.opml"] {
        for coding in ["identity", "gzip", "br", "zstd"] {
            let request = get(path, &[("accept-encoding", coding)]);
            let [one, other] = [0, 1].map(|copy| (Arc::clone(&pair.copies[copy]), &request));
            let one = respond(&one.0, &LIMITS, one.1, at(600)).await;
            let other = respond(&other.0, &LIMITS, other.1, at(600)).await;
            assert_eq!(one.headers(), other.headers(), "{path} {coding}");
            assert!(one.headers().contains_key("last-modified"), "{path} {coding}");
            let [one, other] = [one, other].map(http::Response::into_body);
            let [one, other] = [whole(one).await, whole(other).await];
            assert_eq!(one, other, "{path} {coding}");
        }
    }
}

async fn whole(body: http_body_util::Full<Bytes>) -> Bytes {
    http_body_util::BodyExt::collect(body).await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_tag_from_another_replica_makes_this_one_look() {
    let pair = Pair::new().await;
    let before = pair.ask(1, &[]).await;
    let news = pair.news("new", 20).await;
    // It has not heard of the write, and goes on serving what it has.
    assert_eq!(field(&pair.ask(1, &[]).await, "etag"), field(&before, "etag"));

    let answer = pair.ask(1, &[("if-none-match", &news)]).await;
    assert_eq!((answer.status().as_u16(), field(&answer, "etag")), (304, &*news));
    // Whoever asks next gets the newer one, too.
    assert_eq!(field(&pair.ask(1, &[]).await, "etag"), news);
}

#[tokio::test]
async fn a_base_from_another_replica_makes_this_one_look() {
    let pair = Pair::new().await;
    let first = pair.news("first", 20).await;
    pair.home.publish(vec![submission("second", 30)], 30).await;
    let answer = pair.ask(1, &[("if-none-match", &first), ("a-im", "feed")]).await;
    assert_eq!(answer.status(), 226);
    assert_eq!(field(&answer, "delta-base"), first);
    let delta = body(answer).await;
    assert!(delta.contains("Title of second") && !delta.contains("Title of first"), "{delta}");
}

#[tokio::test]
async fn the_newest_of_several_tags_counts() {
    let pair = Pair::new().await;
    let old = field(&pair.ask(1, &[]).await, "etag").to_owned();
    let news = pair.news("new", 20).await;
    let both = format!("{old}, {news}");
    let answer = pair.ask(1, &[("if-none-match", &both)]).await;
    assert_eq!((answer.status().as_u16(), field(&answer, "etag")), (304, &*news));
}

#[tokio::test]
async fn while_the_store_is_away_nobody_goes_back() {
    let pair = Pair::new().await;
    let old = pair.ask(1, &[]).await;
    let old = field(&old, "etag").to_owned();
    let news = pair.news("new", 20).await;
    pair.ways[1].cut_off(true);
    // It cannot know more than the client, and does not send what is older.
    let answer = pair.ask(1, &[("if-none-match", &news)]).await;
    assert_eq!((answer.status().as_u16(), field(&answer, "etag")), (304, &*news));
    // A client that takes no coding gets nothing under the tag of one.
    let coded = format!("{};gzip\"", news.trim_end_matches('"'));
    let answer = pair.ask(1, &[("if-none-match", &coded)]).await;
    assert_eq!((answer.status().as_u16(), field(&answer, "etag")), (200, &*old));
    let fields = [("if-none-match", &*coded), ("accept-encoding", "gzip")];
    let answer = pair.ask(1, &fields).await;
    assert_eq!((answer.status().as_u16(), field(&answer, "etag")), (304, &*coded));
    // Others get what there is.
    assert_eq!(field(&pair.ask(1, &[]).await, "etag"), old);
    assert_eq!(pair.ask(1, &[("if-none-match", &old)]).await.status(), 304);

    pair.home.publish(vec![submission("newer", 30)], 30).await;
    pair.ways[1].cut_off(false);
    let answer = pair.ask(1, &[("if-none-match", &news)]).await;
    assert_eq!(answer.status(), 200);
    assert!(body(answer).await.contains("Title of newer"));
}

#[tokio::test]
async fn a_tag_of_no_history_gets_the_feed() {
    let pair = Pair::new().await;
    let old = field(&pair.ask(1, &[]).await, "etag").to_owned();
    for made_up in ["\"n999999-0123456789abcdef\"", "\"n18446744073709551615-0123456789abcdef\""] {
        for fields in
            [vec![("if-none-match", made_up)], vec![("if-none-match", made_up), ("a-im", "feed")]]
        {
            let answer = pair.ask(1, &fields).await;
            assert_eq!((answer.status().as_u16(), field(&answer, "etag")), (200, &*old));
        }
    }
}

#[tokio::test]
async fn a_tag_of_no_history_gets_a_feed_that_is_too_large_to_be_kept() {
    let home = Home::new();
    home.publish(vec![submission("a", 0)], 0).await;
    let publisher = Publisher::open(Arc::clone(&home.store), catalogue(), 1, at(0)).await.unwrap();
    let made_up = ("if-none-match", "\"n999999-0123456789abcdef\"");
    let answer = ask(&publisher, &[made_up]).await;
    assert!(publisher.cached("/all.atom").is_none(), "nothing is kept in no memory");
    assert_eq!(answer.status(), 200);
}

/// Puts the older state of a store, kept in another file, back under those who have it open.
fn put_back(home: &Home, older: &std::path::Path) {
    let file = rusqlite::Connection::open(home.file()).unwrap();
    file.execute("ATTACH ? AS older", [older.to_str().unwrap()]).unwrap();
    file.pragma_update(None, "foreign_keys", false).unwrap();
    let tables =
        "SELECT name FROM older.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let mut tables = file.prepare(tables).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let swap = |table: String| {
        format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM older.{table};")
    };
    let swaps: String = tables.map(|table| swap(table.unwrap())).collect();
    file.execute_batch(&format!("BEGIN IMMEDIATE; {swaps} COMMIT")).unwrap();
}

#[tokio::test]
async fn a_store_that_went_back_is_followed() {
    let pair = Pair::new().await;
    let older = pair.home.folder.path().join("older.db");
    let file = rusqlite::Connection::open(pair.home.file()).unwrap();
    file.execute("VACUUM INTO ?", [older.to_str().unwrap()]).unwrap();
    pair.news("lost", 20).await;
    pair.home.publish(vec![submission("lost-too", 30)], 30).await;
    pair.copies[0].refresh(at(30)).await.unwrap();
    let seen = pair.home.store.head().await.unwrap();
    assert!(body(pair.ask(0, &[]).await).await.contains("Title of lost-too"));

    put_back(&pair.home, &older);
    let changed = tokio::time::timeout(Duration::from_secs(20), pair.home.store.changed(seen));
    let head = changed.await.expect("whoever waits is told").unwrap();
    assert!(head < seen);
    pair.copies[0].refresh(at(40)).await.unwrap();
    assert!(!body(pair.ask(0, &[]).await).await.contains("Title of lost"));

    // What is written from then on takes the numbers of what was lost.
    pair.home.publish(vec![submission("kept", 50)], 50).await;
    pair.copies[0].refresh(at(50)).await.unwrap();
    assert!(body(pair.ask(0, &[]).await).await.contains("Title of kept"));
    let after = tokio::time::timeout(
        Duration::from_millis(500),
        pair.home.store.changed(Revision(head.0 + 1)),
    );
    assert!(after.await.is_err(), "there is no news, and nobody is told of any");
}

#[tokio::test]
async fn an_older_edition_never_takes_the_place_of_a_newer_one() {
    let pair = Pair::new().await;
    for n in 0..20 {
        let seconds = 20 + n;
        let news = pair.news(&format!("new-{n}"), seconds).await;
        // The round that follows a write, and clients that are ahead of it, at the same time.
        let (copy, fields) = (&pair.copies[1], [("if-none-match", &*news)]);
        let (one, other, round) =
            tokio::join!(pair.ask(1, &fields), pair.ask(1, &fields), copy.refresh(at(seconds)));
        round.unwrap();
        for answer in [one, other, pair.ask(1, &fields).await] {
            assert_eq!((answer.status().as_u16(), field(&answer, "etag")), (304, &*news));
        }
    }
}

#[tokio::test]
async fn two_settings_never_share_a_tag() {
    let home = Home::new();
    home.publish(vec![submission("a", 0)], 0).await;
    let store = Arc::clone(&home.store);
    let renamed = FEEDS.replace("title = \"Everything\"", "title = \"All of it\"");
    let renamed = config::read(&renamed, "feeds.toml".as_ref(), &Overrides::default()).unwrap();
    let old = Publisher::open(Arc::clone(&store), catalogue(), 64_000_000, at(0)).await.unwrap();
    let new = Publisher::open(store, renamed.catalogue, 64_000_000, at(1)).await.unwrap();
    // The older one goes on beside it, at the same revision.
    old.refresh(at(2)).await.unwrap();
    for coding in ["identity", "gzip"] {
        let coded = ("accept-encoding", coding);
        let [one, other] = [ask(&old, &[coded]).await, ask(&new, &[coded]).await];
        let tags = [&one, &other].map(|answer| field(answer, "etag").to_owned());
        let revision = |tag: &str| tag.split('-').next().unwrap().to_owned();
        assert_eq!(revision(&tags[0]), revision(&tags[1]));
        assert_ne!(tags[0], tags[1]);
        for (copy, tag) in [(&new, &tags[0]), (&old, &tags[1])] {
            let answer = ask(copy, &[coded, ("if-none-match", tag), ("a-im", "feed")]).await;
            assert_eq!(answer.status(), 200, "a tag of the other one's bytes");
        }
    }
}

async fn ready(publisher: &Publisher, staleness: Duration, accept: &str) -> (u16, String) {
    let limits = Limits { staleness, ..LIMITS };
    let request = Request::builder().uri("/readyz").header("host", "feeds.example.com");
    let request = request.header("accept", accept).body(Empty::<Bytes>::new()).unwrap();
    let now: DateTime<Utc> = at(600);
    let answer = respond(publisher, &limits, &request, now).await;
    (answer.status().as_u16(), body(answer).await)
}

#[tokio::test]
async fn a_replica_says_how_stale_it_is() {
    let pair = Pair::new().await;
    let copy = &pair.copies[1];
    let hour = Duration::from_hours(1);
    let head = pair.home.store.head().await.unwrap().0;
    let fresh = format!("ready\nstale_seconds 0\nrevision {head}\nhead {head}\n");
    assert_eq!(ready(copy, hour, "*/*").await, (200, fresh));

    pair.home.publish(vec![submission("new", 20)], 20).await;
    let behind =
        format!(r#"{{"ready":true,"stale_seconds":0,"revision":{head},"head":{}}}"#, head + 1);
    assert_eq!(ready(copy, hour, "application/json").await, (200, behind));

    pair.ways[1].cut_off(true);
    let (status, text) = ready(copy, hour, "*/*").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.starts_with("ready\nstale_seconds 1\n"), "{text}");
    let (status, text) = ready(copy, Duration::ZERO, "*/*").await;
    assert_eq!(status, 503, "{text}");
    assert!(text.starts_with("stale\n"), "{text}");

    pair.ways[1].cut_off(false);
    copy.refresh(at(21)).await.unwrap();
    let fresh = format!("ready\nstale_seconds 0\nrevision {0}\nhead {0}\n", head + 1);
    assert_eq!(ready(copy, Duration::ZERO, "*/*").await, (200, fresh));
}
