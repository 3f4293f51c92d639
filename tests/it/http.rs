//! The service: `respond` called directly, and what only a socket shows.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use courant::{
    article::ArticleId,
    config::{self, Overrides},
    http::{
        Answer, Limits, respond,
        server::{Settings, serve},
    },
    publish::Publisher,
    store::Store,
    traffic::{Policy, Traffic},
};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Body,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use crate::fixtures::{FEEDS, Home, at, submission};

/// Long enough for any step of a test on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// As `feeds.toml` has them.
pub(crate) const LIMITS: Limits = Limits {
    target_bytes: 8_192,
    header_bytes: 32_768,
    hosts: Vec::new(),
    staleness: Duration::ZERO,
};

/// A server on a port of the system's choice.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(publisher: Arc<Publisher>) -> Self {
        Self::start_with(publisher, |_| {}).await
    }

    pub(crate) async fn start_with(
        publisher: Arc<Publisher>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut settings = Settings {
            limits: LIMITS,
            max_connections: 100,
            header_timeout: PATIENCE,
            write_timeout: PATIENCE,
            shutdown_grace: PATIENCE,
            logs_access: false,
            media: None,
            desk: None,
            traffic: Arc::new(Traffic::new(Policy::default(), publisher.catalogue(), at(0))),
            inbox: None,
            is_inbox_only: false,
        };
        change(&mut settings);
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let running = tokio::spawn(serve(listener, publisher, Arc::new(settings), stopped));
        Self { address, stop, running }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        timeout(PATIENCE, self.running).await.expect("a server stops").unwrap();
    }
}

/// A connection that is kept alive.
pub(crate) struct Client(SendRequest<Empty<Bytes>>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn ask(&mut self, request: Request<Empty<Bytes>>) -> (u16, HeaderMap, Bytes) {
        let (head, body) =
            timeout(PATIENCE, self.0.send_request(request)).await.unwrap().unwrap().into_parts();
        (head.status.as_u16(), head.headers, body.collect().await.unwrap().to_bytes())
    }
}

/// What a server answers to these bytes, until it closes the connection or nothing more comes.
async fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(Ok(read @ 1..)) =
        timeout(Duration::from_millis(500), socket.read(&mut buffer)).await
    {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn get(path: &str, fields: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    ask("GET", path, fields)
}

pub(crate) fn ask(method: &str, path: &str, fields: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let mut request =
        Request::builder().method(method).uri(path).header("host", "feeds.example.com");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Empty::new()).unwrap()
}

pub(crate) async fn home() -> (Home, Arc<Publisher>) {
    let home = Home::new();
    home.publish((0..30).map(|n| submission(&format!("article-{n}"), -n)).collect(), 0).await;
    let publisher = home.publisher(at(0)).await;
    (home, publisher)
}

pub(crate) async fn body(answer: Answer) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

pub(crate) fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Of its body, in bytes.
pub(crate) fn size(answer: &Answer) -> u64 {
    answer.body().size_hint().exact().unwrap()
}

#[tokio::test]
async fn each_format_has_its_type_and_links() {
    let (_home, publisher) = home().await;
    for (path, content_type, start) in [
        (
            "/all.rss",
            "application/rss+xml; charset=utf-8",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
        ),
        (
            "/all.atom",
            "application/atom+xml; charset=utf-8",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
        ),
        ("/all.json", "application/feed+json", "{"),
        ("/all.html", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("/", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("/feeds.opml", "text/x-opml; charset=utf-8", "<?xml version=\"1.0\" encoding=\"utf-8\"?>"),
        ("/style.css", "text/css; charset=utf-8", ""),
        ("/robots.txt", "text/plain; charset=utf-8", "User-agent: *"),
    ] {
        let answer = respond(&publisher, &LIMITS, &get(path, &[]), at(10)).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(field(&answer, "content-type"), content_type, "{path}: H-121");
        assert_eq!(field(&answer, "vary"), "Accept-Encoding", "{path}: H-97");
        assert!(field(&answer, "etag").starts_with("\"n"), "{path}");
        assert!(!answer.headers().contains_key("set-cookie"), "H-110");
        if path.starts_with("/all") {
            let own = format!("<https://feeds.example.com{path}>; rel=\"self\"");
            assert_eq!(field(&answer, "link").contains(&own), path != "/all.html", "{path}: H-124");
        }
        assert_eq!(
            field(&answer, "x-robots-tag") == "noindex",
            path.ends_with("json") || path.ends_with("opml"),
            "O-21"
        );
        let body = body(answer).await;
        assert!(body.starts_with(start), "{path}: {body:.60}");
    }
}

#[tokio::test]
async fn a_coding_that_suits_is_chosen() {
    let (_home, publisher) = home().await;
    for (accepted, coding, suffix) in [
        ("gzip", "gzip", ";gzip\""),
        ("br, gzip", "br", ";br\""),
        ("zstd", "zstd", ";zstd\""),
        ("gzip;q=0", "", "\""),
        ("deflate", "", "\""),
        ("*", "br", ";br\""),
    ] {
        let fields = [("accept-encoding", accepted)];
        let answer = respond(&publisher, &LIMITS, &get("/all.rss", &fields), at(10)).await;
        assert_eq!(field(&answer, "content-encoding"), coding, "{accepted}");
        assert!(field(&answer, "etag").ends_with(suffix), "{accepted}: H-33");
        let head = ask("HEAD", "/all.rss", &fields);
        let told = respond(&publisher, &LIMITS, &head, at(10)).await;
        let length = field(&told, "content-length");
        assert_eq!(length, size(&answer).to_string(), "{accepted}: H-84");
    }
    let refused = respond(
        &publisher,
        &LIMITS,
        &get("/all.rss", &[("accept-encoding", "identity;q=0")]),
        at(10),
    )
    .await;
    assert_eq!(
        (refused.status().as_u16(), field(&refused, "vary")),
        (406, "Accept-Encoding"),
        "H-83"
    );
}

#[tokio::test]
async fn the_address_without_an_extension_suits_the_client() {
    let (_home, publisher) = home().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let reader = "application/rss+xml, application/rdf+xml;q=0.8, application/atom+xml;q=0.6, application/xml;q=0.4, text/xml;q=0.4";
    for (accept, location) in [
        ("", "/all.rss"),
        ("*/*", "/all.rss"),
        (browser, "/all.html"),
        (reader, "/all.rss"),
        ("application/atom+xml", "/all.atom"),
        ("application/feed+json", "/all.json"),
        ("application/json", "/all.json"),
        ("text/html, application/rss+xml", "/all.rss"),
    ] {
        let fields: &[_] = if accept.is_empty() { &[] } else { &[("accept", accept)] };
        let answer = respond(&publisher, &LIMITS, &get("/all", fields), at(10)).await;
        assert_eq!(field(&answer, "content-location"), location, "{accept}: H-92, H-94");
        assert_eq!(field(&answer, "vary"), "Accept, Accept-Encoding", "{accept}");
    }
    let none = respond(&publisher, &LIMITS, &get("/all", &[("accept", "image/png")]), at(10)).await;
    assert_eq!(none.status(), 406, "H-93");
    assert!(
        field(&none, "link").contains("<https://feeds.example.com/all.atom>; rel=\"alternate\""),
        "H-93"
    );
    let odd =
        respond(&publisher, &LIMITS, &get("/all.atom", &[("accept", "image/png")]), at(10)).await;
    assert_eq!(odd.status(), 200, "H-91");
}

#[tokio::test]
async fn a_service_below_a_path_of_its_proxy_says_so() {
    let home = Home::new();
    home.publish(vec![submission("a", 0)], 0).await;
    let settings = FEEDS.replace("https://feeds.example.com", "https://www.example.com/feeds/");
    let file = Path::new("feeds.toml");
    let config = config::read(&settings, file, &Overrides::default()).unwrap();
    let store: Arc<dyn Store> = Arc::clone(&home.store);
    let publisher = Publisher::open(store, config.catalogue, 1_000_000, at(0)).await.unwrap();
    let ask = async |path| respond(&publisher, &LIMITS, &get(path, &[]), at(10)).await;
    assert_eq!(field(&ask("/all").await, "content-location"), "/feeds/all.rss");
    assert_eq!(field(&ask("/all.xml").await, "location"), "https://www.example.com/feeds/all.rss");
    let document = body(ask("/all.rss").await).await;
    assert!(
        document.contains("<atom:link href=\"https://www.example.com/feeds/all.rss\" rel=\"self\"")
    );
    let page = body(ask("/all.html").await).await;
    assert!(page.contains("href=\"/feeds/style.css\""), "{page}");
}

#[tokio::test]
async fn other_spellings_are_sent_to_the_one_address() {
    let (_home, publisher) = home().await;
    for (path, location) in [
        ("/All.RSS", "/all.rss"),
        ("/all.xml?utm=1", "/all.rss"),
        ("/all/", "/all"),
        ("/category/NEWS/", "/category/news"),
        ("/.well-known/feeds", "/feeds.opml"),
        ("/category/%e5%a4%b4%e6%9d%a1/", ""),
    ] {
        let mut request = get(path, &[]);
        request.headers_mut().insert("host", "evil.example".parse().unwrap());
        let answer = respond(&publisher, &LIMITS, &request, at(10)).await;
        if location.is_empty() {
            assert_eq!(answer.status(), 404, "{path}");
            continue;
        }
        assert_eq!(answer.status(), 308, "{path}: H-6");
        assert_eq!(
            field(&answer, "location"),
            format!("https://feeds.example.com{location}"),
            "{path}: H-11"
        );
    }
    let query = respond(&publisher, &LIMITS, &get("/all.rss?utm_source=x", &[]), at(10)).await;
    assert_eq!(query.status(), 200, "H-7");
}

#[tokio::test]
async fn errors_are_errors_and_say_so() {
    let (_home, publisher) = home().await;
    let long = format!("/{}", "a".repeat(9_000));
    let large = "x".repeat(40_000);
    for (request, status, cache) in [
        (get("/nowhere.rss", &[]), 404, "public, max-age=60"),
        (get("/all.exe", &[]), 404, "public, max-age=60"),
        (get("/category/%00.rss", &[]), 404, "public, max-age=60"),
        (ask("POST", "/all.rss", &[]), 405, "no-store"),
        (ask("BREW", "/all.rss", &[]), 501, "no-store"),
        (get(&long, &[]), 414, "no-store"),
        (get("/all.rss", &[("x", &large)]), 431, "no-store"),
        (get("/all.rss", &[("host", "two")]), 400, "no-store"),
    ] {
        let shown = format!("{} {:.40}", request.method(), request.uri().path());
        let answer = respond(&publisher, &LIMITS, &request, at(10)).await;
        assert_eq!(answer.status(), status, "{shown}");
        assert_eq!(field(&answer, "content-type"), "application/problem+json", "{shown}: H-27");
        assert_eq!(field(&answer, "cache-control"), cache, "{shown}: H-22");
        assert_eq!(field(&answer, "allow") == "GET, HEAD, OPTIONS", status == 405, "{shown}: H-2");
        let problem: serde_json::Value = serde_json::from_str(&body(answer).await).unwrap();
        assert_eq!(problem["status"], status, "{shown}");
    }
    let hosts = Limits { hosts: vec!["feeds.example.com".to_owned()], ..LIMITS };
    assert_eq!(respond(&publisher, &hosts, &get("/all.rss", &[]), at(10)).await.status(), 200);
    let mut other = get("/all.rss", &[]);
    other.headers_mut().insert("host", "other.example:80".parse().unwrap());
    assert_eq!(respond(&publisher, &hosts, &other, at(10)).await.status(), 421, "H-12");
}

#[tokio::test]
async fn options_and_preflights_are_answered() {
    let (_home, publisher) = home().await;
    let plain = respond(&publisher, &LIMITS, &ask("OPTIONS", "/all.rss", &[]), at(10)).await;
    assert_eq!(
        (plain.status().as_u16(), field(&plain, "allow")),
        (204, "GET, HEAD, OPTIONS"),
        "H-4"
    );
    assert!(!plain.headers().contains_key("content-length"));
    let asked = [("origin", "https://reader.example"), ("access-control-request-method", "GET")];
    let preflight = respond(&publisher, &LIMITS, &ask("OPTIONS", "/all.rss", &asked), at(10)).await;
    assert_eq!(field(&preflight, "access-control-allow-methods"), "GET, HEAD, OPTIONS", "H-127");
    assert!(field(&preflight, "access-control-allow-headers").contains("If-None-Match"), "H-127");
    assert_eq!(
        respond(&publisher, &LIMITS, &ask("OPTIONS", "*", &[]), at(10)).await.status(),
        204,
        "H-4"
    );
}

#[tokio::test]
async fn a_date_is_left_out_until_its_second_is_over_by_every_clock() {
    let (_home, publisher) = home().await;
    for (now, is_there) in [(-10, false), (0, false), (1, false), (2, true)] {
        let answer = respond(&publisher, &LIMITS, &get("/all.rss", &[]), at(now)).await;
        assert_eq!(answer.headers().contains_key("last-modified"), is_there, "{now}: H-37, H-39");
        let dated = get("/all.rss", &[("if-modified-since", "Thu, 05 Mar 2026 12:00:00 GMT")]);
        let answer = respond(&publisher, &LIMITS, &dated, at(now)).await;
        assert_eq!(answer.status(), if is_there { 304 } else { 200 }, "{now}: H-39");
    }
}

#[tokio::test]
async fn a_date_waits_for_the_round_that_has_all_of_its_second() {
    let (_home, publisher) = home().await;
    let clock = Arc::new(std::sync::atomic::AtomicI64::new(1));
    let (follower, told) = (Arc::clone(&publisher), Arc::clone(&clock));
    let now = move || at(told.load(std::sync::atomic::Ordering::SeqCst));
    let following = tokio::spawn(async move { follower.follow(now).await });
    let is_dated = async |wanted: bool| {
        for _ in 0..400 {
            let answer = respond(&publisher, &LIMITS, &get("/all.rss", &[]), at(600)).await;
            if answer.headers().contains_key("last-modified") == wanted {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    };
    // The round of second 1 says nothing of what second 0 may have had besides, by a clock that is a second behind.
    assert!(is_dated(false).await, "H-39");
    clock.store(2, std::sync::atomic::Ordering::SeqCst);
    assert!(is_dated(true).await);
    following.abort();
}

/// What a poll gets: the tag and the date.
async fn poll(publisher: &Publisher, path: &str) -> (String, String) {
    let answer = respond(publisher, &LIMITS, &get(path, &[]), at(90_000)).await;
    assert_eq!(answer.status(), 200, "{path}");
    (field(&answer, "etag").to_owned(), field(&answer, "last-modified").to_owned())
}

/// Waits until a feed says something else than `before`, under a date; within the second that is promised, on an idle machine.
async fn changed(publisher: &Publisher, path: &str, before: &(String, String)) -> (String, String) {
    for _ in 0..200 {
        let now = poll(publisher, path).await;
        if now != *before && !now.1.is_empty() {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} did not change");
}

fn seconds(date: &str) -> i64 {
    chrono::DateTime::parse_from_rfc2822(date).unwrap().timestamp()
}

#[tokio::test]
async fn every_kind_of_change_moves_both_validators_forward() {
    let (home, publisher) = home().await;
    let follower = Arc::clone(&publisher);
    let ticks = std::sync::atomic::AtomicI64::new(60_000);
    let clock = move || at(ticks.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    let following = tokio::spawn(async move { follower.follow(clock).await });
    let path = "/category/news.rss";
    let mut before = poll(&publisher, path).await;
    let other = poll(&publisher, "/calm.rss").await;
    let mut edit = submission("article-3", -3);
    edit.story.title = courant::text::Text::new("Corrected");
    home.publish(vec![edit], 100).await;
    let mut dates = vec![seconds(&before.1)];
    before = changed(&publisher, path, &before).await;
    dates.push(seconds(&before.1));
    home.store.withdraw(vec![ArticleId::new("article-0").unwrap()], at(200)).await.unwrap();
    before = changed(&publisher, path, &before).await;
    dates.push(seconds(&before.1));
    let held = courant::article::Submission { embargo: Some(at(60_000)), ..submission("held", 0) };
    home.publish(vec![held], 300).await;
    before = changed(&publisher, path, &before).await;
    dates.push(seconds(&before.1));
    assert!(dates.is_sorted_by(|a, b| a < b), "{dates:?}: H-38");
    assert!(dates[3] >= at(60_000).timestamp(), "the lift of an embargo is the change (M-27)");
    assert_eq!(poll(&publisher, "/calm.rss").await.0.len(), other.0.len());
    following.abort();
}

#[tokio::test]
async fn a_second_start_and_a_second_node_give_the_same_tags() {
    let (home, publisher) = home().await;
    let again = home.publisher(at(5_000)).await;
    let copy = home.folder.path().join("copy.db");
    let original = rusqlite::Connection::open(home.file()).unwrap();
    original.execute("VACUUM INTO ?", [copy.to_str().unwrap()]).unwrap();
    let other: Arc<dyn Store> = crate::fixtures::open(&copy);
    let node =
        Publisher::open(other, crate::fixtures::catalogue(), 1_000_000, at(9_000)).await.unwrap();
    for path in [
        "/all.rss",
        "/all.atom",
        "/all.json",
        "/category/news.rss",
        "/all.html",
        "/",
        "/feeds.opml",
    ] {
        let first = poll(&publisher, path).await;
        assert_eq!(first, poll(&again, path).await, "{path}");
        assert_eq!(first, poll(&node, path).await, "{path}: H-31");
    }
}

#[tokio::test]
async fn a_category_of_articles_has_a_feed_and_an_empty_one_is_valid() {
    let (home, publisher) = home().await;
    let empty = respond(&publisher, &LIMITS, &get("/category/headlines.rss", &[]), at(10)).await;
    assert_eq!(empty.status(), 200, "H-28");
    let path = "/category/%E8%AF%BB%E8%80%85.rss";
    assert_eq!(respond(&publisher, &LIMITS, &get(path, &[]), at(10)).await.status(), 404);
    let index = poll(&publisher, "/").await;
    let mut letter = submission("letter", 0);
    letter.story.categories = vec![courant::category::Category::from_label("读者").unwrap()];
    home.publish(vec![letter], 50).await;
    let follower = Arc::clone(&publisher);
    let following = tokio::spawn(async move { follower.follow(|| at(100)).await });
    assert!(
        changed(&publisher, "/", &index).await.1 > index.1,
        "the list of feeds is a view of the log too (O-6)"
    );
    let answer = respond(&publisher, &LIMITS, &get(path, &[]), at(90_000)).await;
    assert_eq!(answer.status(), 200);
    assert!(body(answer).await.contains("读者"));
    following.abort();
}

#[tokio::test]
async fn a_feed_that_nobody_asks_for_is_not_made_for_ever() {
    let (home, publisher) = home().await;
    for path in ["/all.rss", "/category/news.rss"] {
        assert_eq!(respond(&publisher, &LIMITS, &get(path, &[]), at(0)).await.status(), 200);
    }
    for second in 1..60 {
        home.publish(vec![submission(&format!("new-{second}"), second)], second).await;
        publisher.refresh(at(second)).await.unwrap();
        assert!(publisher.cached("/all.rss").is_some(), "in use");
    }
    assert!(publisher.cached("/category/news.rss").is_none(), "dropped");
    let answer = respond(&publisher, &LIMITS, &get("/category/news.rss", &[]), at(60)).await;
    assert!(body(answer).await.contains("new-59"), "made when it is asked for");
}

#[tokio::test]
async fn misses_at_the_same_time_make_one_edition() {
    let (_home, publisher) = home().await;
    let asked = (0..32).map(|_| {
        let publisher = Arc::clone(&publisher);
        tokio::spawn(
            async move { publisher.edition(&courant::publish::Document::Index).await.unwrap() },
        )
    });
    let mut editions = Vec::new();
    for asked in asked.collect::<Vec<_>>() {
        editions.push(asked.await.unwrap());
    }
    assert!(editions.iter().all(|edition| Arc::ptr_eq(edition, &editions[0])), "H-106");
}

#[tokio::test]
async fn a_server_keeps_its_limits() {
    let (_home, publisher) = home().await;
    let server = Server::start_with(publisher, |settings| {
        settings.header_timeout = Duration::from_millis(300);
    })
    .await;
    let address = server.address;
    let begins = async |request: &str| {
        raw(address, request.as_bytes()).await.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(begins("GET /all.rss HTTP/1.0\r\n\r\n").await, "HTTP/1.0 200 OK", "H-130");
    assert_eq!(begins("GET /all.rss HTTP/1.1\r\n\r\n").await, "HTTP/1.1 400 Bad Request", "H-10");
    assert_eq!(
        begins("GET /all.rss HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await,
        "HTTP/1.1 400 Bad Request",
        "H-10"
    );
    assert_eq!(begins("nonsense\r\n\r\n").await, "HTTP/1.1 400 Bad Request");
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(7_900));
    assert_eq!(begins(&long).await, "HTTP/1.1 404 Not Found", "H-8");
    let longer = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(20_000));
    assert_eq!(begins(&longer).await, "HTTP/1.1 414 URI Too Long", "H-8");
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200));
    assert_eq!(begins(&many).await, "HTTP/1.1 431 Request Header Fields Too Large", "H-9");
    assert_eq!(
        begins("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await,
        "",
        "a header that never ends"
    );
    let body = "GET /all.rss HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    let answers = raw(address, body.as_bytes()).await;
    assert!(answers.starts_with("HTTP/1.1 200 OK"), "{answers:.60}: H-5");
    assert!(
        answers.matches("HTTP/1.1 ").count() == 1 || answers.contains("HTTP/1.1 404"),
        "in step, or closed: H-5"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_client_may_close_its_side_once_it_has_asked() {
    let (_home, publisher) = home().await;
    let server = Server::start(publisher).await;
    // The second is in memory by then.
    for _ in 0..2 {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(b"GET /all.rss HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer:.60}");
        assert!(answer.trim_end().ends_with("</rss>"), "the whole of it");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stop_finishes_what_is_running() {
    let (_home, publisher) = home().await;
    let server = Server::start(publisher).await;
    let mut client = Client::connect(server.address).await;
    let answer = client.ask(get("/all.rss", &[]));
    let (answer, ()) = tokio::join!(answer, async {
        tokio::task::yield_now().await;
        server.stop().await;
    });
    assert_eq!(answer.0, 200);
    let refused = timeout(PATIENCE, client.0.send_request(get("/all.rss", &[]))).await.unwrap();
    assert!(refused.is_err(), "nothing new is begun");
}
