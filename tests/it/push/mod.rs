//! What is pushed from outside: by JSON, `AtomPub` and Micropub.

mod edits;
mod guards;

use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    num::NonZeroU32,
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use courant::{
    article::ArticleId,
    category::Slug,
    config::{self, Overrides},
    feed::Catalogue,
    http::Inbox,
    media::Intake,
    partner::Secret,
    push::{Rules, Scope, Scopes},
    store::{Grant, Intake as How, State, Store},
    traffic::Access,
};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};

use crate::{
    fixtures::{FEEDS, Home, at, catalogue},
    http::LIMITS,
    support::{PATIENCE, SETTINGS, Site, get, until},
};

const RECORD: &str =
    r#"{"title": "Library opens", "content_text": "All four floors.", "categories": ["news"]}"#;

pub(crate) fn rules() -> Rules {
    let file = format!("{FEEDS}\n[push]\n");
    config::read(&file, Path::new("feeds.toml"), &Overrides::default()).unwrap().push.unwrap()
}

/// Somebody who takes in what is pushed, and somebody who pushes.
struct Desk {
    inbox: Inbox,
    store: Arc<dyn Store>,
    token: String,
}

/// An answer.
struct Told {
    status: u16,
    fields: HeaderMap,
    text: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}", self.text))
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn client() -> courant::traffic::Client {
    let access = Access::default();
    let caller = access.caller(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
    access.client(&caller, &HeaderMap::new())
}

async fn token(
    store: &dyn Store,
    name: &str,
    scopes: Scopes,
    ends: Option<DateTime<Utc>>,
) -> String {
    let secret = Secret::new().unwrap();
    let grant = Grant {
        digest: secret.digest(),
        name: name.parse().unwrap(),
        scopes: scopes.to_string(),
        created: at(0),
        ends,
    };
    store.grant(grant).await.unwrap();
    secret.reveal().to_owned()
}

fn everything() -> Scopes {
    Scopes { may: Scope::ALL.into(), within: None }
}

impl Desk {
    async fn new(home: &Home) -> Self {
        Self::with(home, rules(), catalogue(), None).await
    }

    async fn with(
        home: &Home,
        rules: Rules,
        catalogue: Arc<Catalogue>,
        media: Option<Intake>,
    ) -> Self {
        let store: Arc<dyn Store> = Arc::clone(&home.store);
        let token = token(&*home.store, "cms", everything(), None).await;
        let inbox = Inbox::new(store, catalogue, rules, LIMITS, media);
        Self { inbox, store: Arc::clone(&home.store), token }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Told {
        let bearer = format!("Bearer {}", self.token);
        let fields: Vec<_> =
            [("authorization", bearer.as_str())].iter().chain(fields).copied().collect();
        self.ask_as(method, path, &fields, body, at(10)).await
    }

    async fn ask_as(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
        now: DateTime<Utc>,
    ) -> Told {
        let mut request =
            Request::builder().method(method).uri(path).header("host", "feeds.example.com");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let body = Full::new(body.into());
        let answer = self.inbox.respond(&request, body, client(), now).await;
        let (head, body) = answer.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
        Told { status: head.status.as_u16(), fields: head.headers, text }
    }

    async fn put(&self, id: &str, fields: &[(&str, &str)], record: &str) -> Told {
        let fields: Vec<_> =
            [("content-type", "application/json")].iter().chain(fields).copied().collect();
        self.ask("PUT", &format!("/articles/{id}"), &fields, record.to_owned()).await
    }

    async fn title(&self, id: &str) -> String {
        let stored = self.store.stored(&ArticleId::new(id).unwrap()).await.unwrap();
        stored.map(|stored| stored.story.title.to_string()).unwrap_or_default()
    }
}

#[tokio::test]
async fn an_article_is_put_read_and_withdrawn() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    let new = desk.put("a%2F1", &[], RECORD).await;
    assert_eq!((new.status, new.field("etag")), (201, "\"r1\""), "{}", new.text);
    assert_eq!(new.field("location"), "https://feeds.example.com/articles/a%2F1");
    assert_eq!(new.json(), json!({"id": "a/1", "result": "published", "revision": 1, "head": 1}));
    let same = desk.put("a%2F1", &[], RECORD).await;
    assert_eq!((same.status, same.json()["result"].as_str()), (200, Some("unchanged")));

    let read = desk.ask("GET", "/articles/a%2F1", &[], "").await;
    assert_eq!(
        (read.status, read.field("etag"), read.field("cache-control")),
        (200, "\"r1\"", "private, no-store")
    );
    assert_eq!(read.json()["record"]["content_html"], "<p>All four floors.</p>");
    let known = desk.ask("GET", "/articles/a%2F1", &[("if-none-match", "\"r1\"")], "").await;
    assert_eq!((known.status, known.text.as_str()), (304, ""));
    let head = desk.ask("HEAD", "/articles/a%2F1", &[], "").await;
    assert_eq!((head.status, head.text.as_str(), head.field("etag")), (200, "", "\"r1\""));

    let mistaken = desk.put("a%2F1", &[], r#"{"id": "b", "title": "x"}"#).await;
    assert_eq!((mistaken.status, &mistaken.json()["errors"][0]["field"]), (422, &json!("id")));
    let wrong =
        desk.put("a%2F1", &[], r#"{"title": "x", "url": "ftp://x", "expires": "soon"}"#).await;
    let fields: Vec<_> =
        wrong.json()["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!((wrong.status, fields), (422, vec![json!("url"), json!("expires")]));
    assert_eq!(wrong.field("content-type"), "application/problem+json");

    let gone = desk.ask("DELETE", "/articles/a%2F1", &[], "").await;
    assert_eq!((gone.status, &gone.json()["result"]), (200, &json!("withdrawn")));
    assert_eq!(desk.ask("DELETE", "/articles/a%2F1", &[], "").await.json()["result"], "unchanged");
    assert_eq!(desk.ask("GET", "/articles/a%2F1", &[], "").await.status, 410);
    assert_eq!(desk.ask("GET", "/articles/b", &[], "").await.status, 404);
    assert_eq!(desk.ask("DELETE", "/articles/b", &[], "").await.status, 404);
    // A nightly export does not undo a takedown.
    assert_eq!(desk.put("a%2F1", &[], RECORD).await.status, 409);
    assert_eq!(desk.put("a%2F1?republish=true", &[], RECORD).await.json()["result"], "published");
    for (method, path, status) in [
        ("PATCH", "/articles/a", 405),
        ("GET", "/articles", 405),
        ("GET", "/articles/a/b", 404),
        ("OPTIONS", "/articles", 204),
    ] {
        assert_eq!(desk.ask(method, path, &[], "").await.status, status, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_with_one_tag_one_wins_and_the_others_are_told() {
    let home = Home::new();
    let rules = Rules { max_requests: 100, ..rules() };
    let desk = Arc::new(Desk::with(&home, rules, catalogue(), None).await);
    assert_eq!(desk.put("a", &[], RECORD).await.status, 201);
    let mut base = 1;
    for round in 0..10 {
        let tag = format!("\"r{base}\"");
        let writers = (0..8).map(|writer| {
            let (desk, tag) = (Arc::clone(&desk), tag.clone());
            tokio::spawn(async move {
                let record =
                    json!({"title": format!("round {round}, writer {writer}")}).to_string();
                (writer, desk.put("a", &[("if-match", &tag)], &record).await)
            })
        });
        let (mut won, mut told) = (Vec::new(), Vec::new());
        for writer in writers.collect::<Vec<_>>() {
            let (writer, answer) = writer.await.unwrap();
            match answer.status {
                200 => won.push((writer, answer.json()["revision"].as_u64().unwrap())),
                412 => told.push((
                    answer.json()["revision"].as_u64().unwrap(),
                    answer.field("etag").to_owned(),
                )),
                other => panic!("{other}: {}", answer.text),
            }
        }
        let [(winner, revision)] = won[..] else { panic!("round {round}: {won:?} won") };
        assert!(
            told.iter().all(|told| *told == (revision, format!("\"r{revision}\""))),
            "{told:?}"
        );
        assert_eq!(desk.title("a").await, format!("round {round}, writer {winner}"));
        base = revision;
    }
    for (field, tag, status) in [
        ("if-none-match", "*", 412),
        ("if-match", "*", 200),
        ("if-match", "\"r1\"", 412),
        ("if-match", "W/\"r1\"", 412),
        ("if-match", "r1", 400),
    ] {
        assert_eq!(desk.put("a", &[(field, tag)], RECORD).await.status, status, "{field}: {tag}");
    }
    assert_eq!(desk.put("new", &[("if-match", "*")], RECORD).await.status, 412);
    assert_eq!(desk.put("new", &[("if-none-match", "*")], RECORD).await.status, 201);
    let gone = desk.ask("DELETE", "/articles/new", &[("if-match", "\"r1\"")], "").await;
    assert_eq!((gone.status, desk.title("new").await.is_empty()), (412, false));
}

#[tokio::test]
async fn a_request_with_a_key_is_answered_as_before_also_after_a_restart() {
    let mut home = Home::new();
    let secret;
    let first = {
        let desk = Desk::new(&home).await;
        secret = desk.token.clone();
        let key = ("idempotency-key", "\"k1\"");
        let first = desk.put("a", &[key, ("if-none-match", "*")], RECORD).await;
        assert_eq!(first.status, 201);
        desk.put("a", &[], r#"{"title": "Another"}"#).await;
        // The precondition does not hold any more, and nothing is written again.
        let again = desk.put("a", &[key, ("if-none-match", "*")], RECORD).await;
        assert_eq!((again.status, &again.text, &again.fields), (201, &first.text, &first.fields));
        assert_eq!(desk.title("a").await, "Another");
        let other = desk.put("a", &[key], r#"{"title": "A third"}"#).await;
        assert_eq!((other.status, desk.title("a").await.as_str()), (422, "Another"));
        assert_eq!(
            desk.put("b", &[key], RECORD).await.status,
            422,
            "another address is another request"
        );
        // What was refused may be mended under the same key.
        let key = ("idempotency-key", "\"k2\"");
        assert_eq!(
            desk.put("a", &[key, ("if-match", "\"r9\"")], r#"{"title": "A third"}"#).await.status,
            412
        );
        assert_eq!(desk.put("a", &[key], r#"{"title": "A third"}"#).await.status, 200);
        for wrong in ["k", "\"\"", "\"a b\""] {
            assert_eq!(
                desk.put("a", &[("idempotency-key", wrong)], RECORD).await.status,
                400,
                "{wrong}"
            );
        }
        first
    };
    home = home.reopened().await;
    let mut desk = Desk::new(&home).await;
    desk.token = secret;
    let again = desk.put("a", &[("idempotency-key", "\"k1\"")], RECORD).await;
    assert_eq!((again.status, again.text), (201, first.text));
    assert_eq!(desk.title("a").await, "A third");
    // Whoever else uses the same key is somebody else.
    desk.token = token(&*home.store, "other", everything(), None).await;
    assert_eq!(desk.put("a", &[("idempotency-key", "\"k1\"")], RECORD).await.status, 200);
    // After a day it is forgotten.
    let bearer = format!("Bearer {}", desk.token);
    let fields = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "\"k1\""),
    ];
    let later = at(10) + TimeDelta::hours(25);
    let fresh =
        desk.ask_as("PUT", "/articles/a", &fields, r#"{"title": "A day later"}"#, later).await;
    assert_eq!((fresh.status, desk.title("a").await.as_str()), (200, "A day later"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_is_worked_on_is_refused_for_now() {
    let home = Home::new();
    let desk = Arc::new(Desk::new(&home).await);
    let other = rusqlite::Connection::open(home.folder.path().join("courant.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let key = ("idempotency-key", "\"k\"");
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let desk = Arc::clone(&desk);
        requests.spawn(async move { desk.put("a", &[key], RECORD).await });
    }
    // One of the two waits for the store; the other is sent away.
    let refused = tokio::time::timeout(PATIENCE, requests.join_next()).await;
    let refused = refused.unwrap().unwrap().unwrap();
    assert_eq!((refused.status, refused.field("retry-after")), (409, "1"));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(requests.join_next().await.unwrap().unwrap().status, 201);
    assert_eq!(desk.put("a", &[key], RECORD).await.status, 201);
}

#[tokio::test]
async fn a_token_is_good_for_what_it_was_made_for() {
    let home = Home::new();
    let mut desk = Desk::new(&home).await;
    desk.put("news", &[], RECORD).await;
    let news: Slug = "news".parse().unwrap();
    let headlines: Slug = "headlines".parse().unwrap();
    let only = |scope: Scope| Scopes { may: [scope].into(), within: None };
    for (scope, put, read, delete) in [
        (Scope::Read, 403, 200, 403),
        (Scope::Write, 200, 403, 403),
        (Scope::Media, 403, 403, 403),
        (Scope::Withdraw, 403, 403, 200),
    ] {
        desk.token = token(&*home.store, scope.name(), only(scope), None).await;
        assert_eq!(desk.put("news", &[], RECORD).await.status, put, "{scope:?}");
        assert_eq!(desk.ask("GET", "/articles/news", &[], "").await.status, read, "{scope:?}");
        assert_eq!(desk.ask("DELETE", "/articles/news", &[], "").await.status, delete, "{scope:?}");
    }
    desk.token = token(&*home.store, "write", only(Scope::Write), None).await;
    let refused = desk.put("news?republish=true", &[], RECORD).await;
    assert!(
        refused.field("www-authenticate").contains("insufficient_scope"),
        "{:?}",
        refused.fields
    );

    // Categories: what is not theirs can be neither seen, nor written over, nor taken away, nor filed elsewhere.
    let within =
        |slug: &Slug| Scopes { may: Scope::ALL.into(), within: Some([slug.clone()].into()) };
    desk.token = token(&*home.store, "desk-news", within(&news), None).await;
    assert_eq!(desk.put("theirs", &[], RECORD).await.status, 201);
    let theirs = desk.token.clone();
    desk.token = token(&*home.store, "desk-headlines", within(&headlines), None).await;
    let own = r#"{"title": "x", "categories": ["headlines"]}"#;
    assert_eq!(desk.put("theirs", &[], own).await.status, 403);
    assert_eq!(desk.ask("GET", "/articles/theirs", &[], "").await.status, 404);
    let refused = desk.ask("DELETE", "/articles/theirs", &[], "").await;
    assert_eq!((refused.status, refused.text.contains("revision")), (404, false));
    assert_eq!(desk.put("ours", &[], own).await.status, 201);
    assert_eq!(desk.put("ours", &[], r#"{"title": "x"}"#).await.status, 403);
    assert_eq!(
        desk.put("ours", &[], r#"{"title": "x", "categories": ["headlines", "news"]}"#)
            .await
            .status,
        403
    );
    let list = desk.ask("GET", "/atompub/articles", &[], "").await;
    assert_eq!(list.text.matches("<entry>").count(), 1, "{}", list.text);
    desk.token = theirs;
    assert_eq!(desk.ask("DELETE", "/articles/theirs", &[], "").await.status, 200);

    // Ended, revoked, wrong, none.
    let ended = token(&*home.store, "ended", everything(), Some(at(10))).await;
    let revoked = token(&*home.store, "revoked", everything(), None).await;
    desk.token = revoked.clone();
    assert_eq!(desk.ask("GET", "/articles/ours", &[], "").await.status, 200);
    assert_eq!(home.store.retract(&"revoked".parse().unwrap(), at(11)).await.unwrap(), 1);
    for token in [ended.as_str(), &revoked, "courant_x", "", "é"] {
        desk.token = token.to_owned();
        let refused = desk.ask("GET", "/articles/ours", &[], "").await;
        assert_eq!(refused.status, 401, "{token}");
        let schemes: Vec<_> = refused.fields.get_all("www-authenticate").iter().collect();
        assert_eq!(schemes, ["Bearer realm=\"articles\"", "Basic realm=\"articles\""]);
    }
    let bytes = fs::read(home.folder.path().join("courant.db")).unwrap();
    assert!(!bytes.windows(8).any(|bytes| bytes == b"courant_"), "a secret is in the store");
    let mut refused = 0;
    for _ in 0..200 {
        refused = desk.ask_as("GET", "/articles/ours", &[], "", at(12)).await.status;
    }
    assert_eq!(refused, 429, "who guesses is sent away");
}

#[tokio::test]
async fn a_token_of_one_category_cannot_claim_the_identity_of_an_article_to_come() {
    let home = Home::new();
    let mut desk = Desk::new(&home).await;
    let cms = desk.token.clone();
    let within = Some(["sport".parse().unwrap()].into());
    let scopes = Scopes { may: Scope::ALL.into(), within };
    desk.token = token(&*home.store, "sport", scopes, None).await;
    let squat =
        |guid: &str| json!({"title": "x", "categories": ["sport"], "guid": guid}).to_string();
    for guid in ["tag:example.com,2026:article/future-1", "tag:example.com,2026:guid/t3_abc"] {
        let answer = desk.put("sp3", &[], &squat(guid)).await;
        assert_eq!(answer.status, 409, "{}", answer.text);
        assert!(answer.text.contains("identities are minted here"), "{}", answer.text);
    }
    let own = desk.put("sp3", &[], &squat("tag:example.com,2026:article/sp3")).await;
    assert_eq!(own.status, 201, "{}", own.text);
    let other = desk.put("sp3", &[], &squat("another")).await;
    assert_eq!(other.status, 409, "{}", other.text);
    assert!(other.text.contains("article/sp3") && other.text.contains("another"), "{}", other.text);
    desk.token = cms;
    let ours = desk.put("future-1", &[], r#"{"title": "Breaking", "categories": ["news"]}"#).await;
    assert_eq!(ours.status, 201, "{}", ours.text);
}

#[tokio::test]
async fn a_batch_says_what_became_of_each_record() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    let lines = "{\"id\": \"a\", \"title\": \"A\", \"guid\": \"g\", \"hits\": 3}\n{\"id\": \"b\"}\n\n\
        {\"id\": \"c\", \"title\": \"C\", \"guid\": \"g\"}\n{\"id\": \"d\", \"title\": \"D\"}\nnonsense\n";
    let post = async |path: &str, kind: &str, body: &str| {
        desk.ask("POST", path, &[("content-type", kind)], body.to_owned()).await
    };
    let partly = post("/articles", "application/x-ndjson", lines).await;
    assert_eq!(partly.status, 207, "{}", partly.text);
    let told = partly.json();
    assert_eq!(
        (&told["taken"], &told["refused"], &told["head"]),
        (&json!(2), &json!(3), &json!(1))
    );
    let lines_told: Vec<_> = told["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            (
                line["line"].as_u64().unwrap(),
                line["result"].as_str().unwrap(),
                line["errors"][0]["field"].as_str().unwrap_or("-"),
            )
        })
        .collect();
    assert_eq!(
        lines_told,
        [
            (1, "published", "-"),
            (2, "refused", "title"),
            (4, "refused", "guid"),
            (5, "published", "-"),
            (6, "refused", "")
        ]
    );
    assert_eq!(told["results"][0]["unknown"], json!(["hits"]));
    let all = "[{\"id\": \"a\", \"title\": \"A2\"}, {\"id\": \"d\", \"title\": \"D2\"}]";
    let whole = post("/articles", "application/json", all).await;
    assert_eq!((whole.status, &whole.json()["head"]), (200, &json!(2)), "one revision for all");
    // All or none: also where the store refuses.
    let half = r#"[{"id": "a", "title": "A3"}, {"id": "e", "title": "E", "guid": "g"}]"#;
    let none = post("/articles?atomic=true", "application/json", half).await;
    assert_eq!(
        (none.status, &none.json()["taken"], desk.title("a").await.as_str()),
        (422, &json!(0), "A2")
    );
    let unread = r#"[{"id": "a", "title": "A3"}, {"id": "e"}]"#;
    let none = post("/articles?atomic=true", "application/json", unread).await;
    assert_eq!(
        (none.status, &none.json()["head"], desk.title("a").await.as_str()),
        (422, &json!(2), "A2")
    );
    assert_eq!(post("/articles?atomic=true", "application/json", all).await.status, 200);
    for (path, kind, body, status) in [
        ("/articles", "text/csv", "a", 415),
        ("/articles", "application/json", "", 400),
        ("/articles", "application/json", "[]", 400),
        ("/articles", "application/json", "{", 422),
        ("/articles", "application/json", "\u{0}", 422),
        ("/articles?atomic=1", "application/json", all, 400),
    ] {
        assert_eq!(post(path, kind, body).await.status, status, "{path} {body:?}");
    }
    assert_eq!(
        desk.ask(
            "POST",
            "/articles",
            &[("content-type", "application/json"), ("if-match", "*")],
            all
        )
        .await
        .status,
        400
    );
}

#[tokio::test]
async fn nobody_sends_more_than_there_is_room_for() {
    let home = Home::new();
    let rules = Rules {
        max_body_bytes: 10_000,
        max_records: 3,
        max_requests: 1,
        body_timeout: Duration::from_millis(100),
        requests_per_hour: NonZeroU32::new(1_000_000).unwrap(),
        ..rules()
    };
    let desk = Arc::new(Desk::with(&home, rules, catalogue(), None).await);
    let large = format!("{{\"title\": \"{}\"}}", "x".repeat(10_000));
    assert_eq!(desk.put("a", &[], &large).await.status, 413);
    let many = "{\"id\": 1, \"title\": \"x\"}\n".repeat(4);
    assert_eq!(
        desk.ask("POST", "/articles", &[("content-type", "application/x-ndjson")], many)
            .await
            .status,
        400
    );
    assert_eq!(desk.put("a", &[("content-encoding", "gzip")], RECORD).await.status, 415);
    // A body that does not come; meanwhile there is no place for anybody else.
    let slow = {
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let request = Request::put("/articles/a")
                .header("host", "feeds.example.com")
                .header("authorization", format!("Bearer {}", desk.token))
                .header("content-type", "application/json")
                .body(())
                .unwrap();
            loop {
                let never = futures_util::stream::pending::<
                    Result<hyper::body::Frame<Bytes>, std::io::Error>,
                >();
                let body = StreamBody::new(never);
                let status = desk.inbox.respond(&request, body, client(), at(10)).await.status();
                // Somebody else may be first.
                if status != 503 {
                    break status.as_u16();
                }
            }
        })
    };
    let mut busy = 0;
    while !slow.is_finished() {
        busy += u32::from(desk.ask("GET", "/articles/a", &[], "").await.status == 503);
        tokio::task::yield_now().await;
    }
    assert_eq!(slow.await.unwrap(), 408);
    assert!(busy > 0, "there was always a place");
    let few = Rules { requests_per_hour: NonZeroU32::new(20).unwrap(), ..self::rules() };
    let desk = Desk::with(&home, few, catalogue(), None).await;
    let mut last = desk.put("a", &[], RECORD).await;
    for _ in 0..20 {
        last = desk.put("a", &[], RECORD).await;
    }
    assert_eq!(last.status, 429);
    assert!(last.field("retry-after").parse::<u32>().unwrap() > 100);
}

#[tokio::test]
async fn what_is_read_and_put_back_changes_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("feeds.toml")).unwrap();
    let config = config::read(&text, &root.join("feeds.toml"), &Overrides::default()).unwrap();
    let lines = fs::read_to_string(root.join("examples/articles.ndjson")).unwrap();
    let mut submissions: Vec<_> = lines
        .lines()
        .map(|line| courant::import::read(&config.catalogue, line).submission.unwrap())
        .collect();
    let more = r#"{"id": "full", "title": "x", "summary": "Own.", "categories": ["一个新的", "headlines"], "tags": ["t"],
        "language": "en", "rights": "r", "external_url": "https://example.org/", "expires": "2100-01-01",
        "source": {"name": "s", "url": "https://example.org/"}, "editors": [{"name": "e", "email": "e@example.org"}],
        "images": [{"url": "https://example.org/1.jpg", "caption": "c", "credit": "d", "alt": "a", "width": 3, "height": 4,
          "mime_type": "image/jpeg", "size_in_bytes": 5}],
        "attachments": [{"url": "https://example.org/1.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 5, "duration_in_seconds": 6}],
        "clearance": {"public": false, "partners": ["wire"], "not_territories": ["JP"]},
        "episode": {"season": 1, "number": 2, "type": "bonus", "title": "t", "explicit": true, "duration": "1:02",
          "transcripts": [{"mime_type": "text/vtt", "text": "WEBVTT", "captions": true}, {"mime_type": "text/html", "url": "https://example.org/t"}],
          "chapters": [{"start": 0, "title": "a"}, {"start": 94.5, "end": 95, "hidden": true}],
          "soundbites": [{"start": 1.5, "duration": 30}], "persons": [{"name": "p", "role": "guest"}],
          "location": {"name": "l", "geo": "geo:1,2"}, "block": true,
          "alternate_enclosures": [{"url": "https://example.org/2.mp3", "mirrors": ["https://example.org/3.mp3"], "mime_type": "audio/mpeg", "bitrate": 9}]}}"#;
    submissions.push(courant::import::read(&config.catalogue, more).submission.unwrap());
    let held = r#"{"id": "held", "title": "x", "embargo": "2100-01-01T00:00:00Z"}"#;
    submissions.push(courant::import::read(&config.catalogue, held).submission.unwrap());
    let home = Home::new();
    let ids: Vec<_> = submissions.iter().map(|submission| submission.id.clone()).collect();
    home.store.upsert(submissions, How::default(), at(0)).await.unwrap();
    let desk = Desk::with(&home, rules(), config.catalogue, None).await;
    for id in ids {
        let stored = home.store.stored(&id).await.unwrap().unwrap();
        let path = format!(
            "/articles/{}",
            percent_encoding::utf8_percent_encode(id.as_str(), percent_encoding::NON_ALPHANUMERIC)
        );
        let read = desk.ask("GET", &path, &[], "").await;
        assert_eq!(read.status, 200, "{id}: {}", read.text);
        let record = read.json()["record"].to_string();
        let same =
            desk.ask("PUT", &path, &[("content-type", "application/json")], record.clone()).await;
        assert_eq!(same.json()["result"], "unchanged", "{id}: {record}");
        assert_eq!(same.json().get("unknown"), None, "{id}: {record}");
        assert_eq!(home.store.stored(&id).await.unwrap().unwrap(), stored);
    }
}

/// A form.
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
/// An entry.
const ENTRY: (&str, &str) = ("content-type", "application/atom+xml;type=entry");

/// A request of Micropub, as JSON.
async fn micropub(desk: &Desk, body: Value) -> Told {
    desk.ask("POST", "/micropub", &[("content-type", "application/json")], body.to_string()).await
}

#[tokio::test]
async fn micropub_creates_changes_takes_back_and_restores() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    // The examples of section 3.2 of the Recommendation, as far as they are posts.
    let note = desk
        .ask(
            "POST",
            "/micropub",
            &[FORM],
            "h=entry&content=hello+world&category[]=foo&category[]=news",
        )
        .await;
    assert_eq!(note.status, 201, "{}", note.text);
    let address = note.field("location").to_owned();
    let id = ArticleId::new(address.rsplit('/').next().unwrap()).unwrap();
    let stored = home.store.stored(&id).await.unwrap().unwrap().story;
    assert_eq!(stored.content.as_str(), "<p>hello world</p>");
    assert_eq!((stored.categories.len(), stored.tags[0].as_str()), (1, "foo"));
    let own = format!("h=entry&name=An+opening&content=x&access_token={}", desk.token);
    let named = desk.ask_as("POST", "/micropub", &[FORM], own.clone(), at(10)).await;
    assert_eq!(
        (named.status, named.field("location")),
        (201, "https://feeds.example.com/articles/an-opening")
    );
    let again = desk.ask_as("POST", "/micropub", &[FORM], own, at(10)).await;
    assert_eq!(again.field("location"), "https://feeds.example.com/articles/an-opening-2");
    let stranger = desk.ask_as("POST", "/micropub", &[FORM], "h=entry&content=x", at(10)).await;
    assert_eq!((stranger.status, &stranger.json()["error"]), (401, &json!("unauthorized")));

    let made = micropub(&desk, json!({"type": ["h-entry"], "properties": {
        "name": ["Itching: h-event to iCal converter"], "mp-slug": ["itching"], "post-status": ["draft"],
        "content": [{"html": "Now that I've been <a href=\"https://aaronparecki.com/events\">creating</a>"}],
        "photo": [{"value": "https://photos.example.com/globe.gif", "alt": "Spinning globe animation"}],
        "category": ["indieweb", "头条"]}})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let url = made.field("location").to_owned();
    let source = async |properties: &str| {
        let path = format!("/micropub?q=source&url={url}{properties}");
        desk.ask("GET", &path, &[], "").await.json()
    };
    let whole = source("").await;
    assert_eq!(whole["properties"]["post-status"], json!(["draft"]));
    assert_eq!(whole["properties"]["photo"][0]["alt"], "Spinning globe animation");
    assert_eq!(whole["properties"]["category"], json!(["头条", "indieweb"]));
    let id = ArticleId::new("itching").unwrap();
    assert_eq!(home.store.stored(&id).await.unwrap().unwrap().state, State::Held);
    let update = micropub(
        &desk,
        json!({"action": "update", "url": url,
        "replace": {"content": ["hello moon"], "post-status": ["published"]},
        "add": {"category": ["news"], "syndication": ["https://example.org/"]},
        "delete": {"category": ["indieweb"]}}),
    )
    .await;
    assert_eq!(update.status, 204, "{}", update.text);
    let some = source("&properties[]=content&properties[]=category").await;
    assert_eq!(
        some,
        json!({"properties": {"content": ["hello moon"], "category": ["头条", "news"]}})
    );
    assert_eq!(home.store.stored(&id).await.unwrap().unwrap().state, State::Live);
    assert_eq!(
        micropub(&desk, json!({"action": "update", "url": url, "delete": ["photo"]})).await.status,
        204
    );
    assert_eq!(source("").await["properties"].get("photo"), None);

    let form = |action: &str| format!("action={action}&url={url}");
    assert_eq!(desk.ask("POST", "/micropub", &[FORM], form("delete")).await.status, 204);
    assert_eq!(desk.ask("GET", "/articles/itching", &[], "").await.status, 410);
    assert_eq!(desk.ask("POST", "/micropub", &[FORM], form("undelete")).await.status, 204);
    assert_eq!(source("&properties=content").await["properties"]["content"], json!(["hello moon"]));
    // What is taken back for good stays so.
    assert_eq!(desk.ask("POST", "/micropub", &[FORM], form("delete")).await.status, 204);
    home.store.withdraw(vec![id.clone()], at(20)).await.unwrap();
    assert_eq!(desk.ask("POST", "/micropub", &[FORM], form("undelete")).await.status, 409);

    for wrong in [
        json!({"type": ["h-event"], "properties": {"name": ["x"]}}),
        json!({"type": ["h-entry"], "properties": {"content": "no list"}}),
        json!({"type": ["h-entry"]}),
        json!({"action": "update", "url": url}),
        json!({"action": "update", "url": url, "replace": {"content": "no list"}}),
        json!({"action": "update", "url": "https://elsewhere.example/a", "replace": {"content": ["x"]}}),
        json!({"action": "burn", "url": url}),
        json!({"type": ["h-entry"], "properties": {"name": ["x"], "published": ["soon"]}}),
        json!([]),
    ] {
        let refused = micropub(&desk, wrong.clone()).await;
        assert_eq!(
            (refused.status, &refused.json()["error"]),
            (400, &json!("invalid_request")),
            "{wrong}"
        );
    }
    let config = desk.ask("GET", "/micropub?q=config", &[], "").await.json();
    assert_eq!((config.get("media-endpoint"), &config["syndicate-to"]), (None, &json!([])));
}

#[tokio::test]
async fn a_draft_that_was_deleted_comes_back_as_one() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    let draft =
        json!({"type": ["h-entry"], "properties": {"name": ["x"], "post-status": ["draft"]}});
    let url = micropub(&desk, draft).await.field("location").to_owned();
    for action in ["delete", "undelete"] {
        assert_eq!(micropub(&desk, json!({"action": action, "url": url})).await.status, 204);
    }
    assert_eq!(desk.ask("GET", "/articles/x", &[], "").await.json()["state"], "draft");
    // An update that is sent again is answered as before, also when the article has gone.
    let update = json!({"action": "update", "url": url, "replace": {"name": ["y"]}}).to_string();
    let fields = [("content-type", "application/json"), ("idempotency-key", "\"k\"")];
    let first = desk.ask("POST", "/micropub", &fields, update.clone()).await;
    assert_eq!((first.status, desk.title("x").await.as_str()), (204, "y"));
    assert_eq!(desk.ask("DELETE", "/articles/x", &[], "").await.status, 200);
    let again = desk.ask("POST", "/micropub", &fields, update).await;
    assert_eq!((again.status, again.field("etag")), (204, first.field("etag")));
}

#[tokio::test]
async fn atompub_posts_edits_lists_and_deletes() {
    let home = Home::new();
    let media = Intake::new(home.folder.path(), &rules().base).unwrap();
    let desk = Desk::with(&home, rules(), catalogue(), Some(media)).await;
    let service = desk.ask("GET", "/atompub", &[], "").await;
    assert_eq!(service.field("content-type"), "application/atomsvc+xml;charset=utf-8");
    let document = roxmltree::Document::parse(&service.text).unwrap();
    let hrefs: Vec<_> = document.descendants().filter_map(|node| node.attribute("href")).collect();
    assert_eq!(
        hrefs,
        ["https://feeds.example.com/atompub/articles", "https://feeds.example.com/atompub/media"]
    );

    // RFC 5023 section 9.2.1.
    let sent = "<?xml version=\"1.0\"?><entry xmlns=\"http://www.w3.org/2005/Atom\"><title>Atom-Powered Robots Run Amok</title>\
        <id>urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a</id><updated>2003-12-13T18:30:02Z</updated>\
        <author><name>John Doe</name></author><category term=\"news\"/><category term=\"robots\"/>\
        <content>Some text.</content></entry>";
    let made =
        desk.ask("POST", "/atompub/articles", &[ENTRY, ("slug", "First%20Post")], sent).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (location, tag) = (made.field("location").to_owned(), made.field("etag").to_owned());
    assert_eq!(location, "https://feeds.example.com/atompub/articles/first-post");
    assert_eq!(made.field("content-location"), location);
    let document = roxmltree::Document::parse(&made.text).unwrap();
    let edited = document.descendants().find(|node| node.tag_name().name() == "edited");
    assert_eq!(edited.and_then(|node| node.text()), Some("2026-03-05T12:00:10Z"));
    // What an entry cannot say stays: the article is cleared for one partner.
    let record = desk.ask("GET", "/articles/first-post", &[], "").await.json()["record"].clone();
    assert_eq!((&record["categories"], &record["tags"]), (&json!(["news"]), &json!(["robots"])));
    let mut cleared = record.clone();
    cleared["clearance"] = json!({"partners": ["wire"]});
    let cleared = desk.put("first-post", &[("if-match", &tag)], &cleared.to_string()).await;
    assert_eq!(cleared.status, 200, "{}", cleared.text);

    let path = "/atompub/articles/first-post";
    let stale = desk.ask("PUT", path, &[ENTRY, ("if-match", &tag)], made.text.clone()).await;
    assert_eq!((stale.status, stale.field("etag")), (412, cleared.field("etag")));
    let text = made
        .text
        .replace("Amok", "amok &amp; away")
        .replace("</entry>", "<app:control><app:draft>yes</app:draft></app:control></entry>");
    let put = desk.ask("PUT", path, &[ENTRY, ("if-match", cleared.field("etag"))], text).await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert!(
        put.text.contains("amok &amp; away</title>")
            && put.text.contains("<app:draft>yes</app:draft>")
    );
    let stored = desk.ask("GET", "/articles/first-post", &[], "").await.json();
    assert_eq!(
        (&stored["state"], &stored["record"]["clearance"]),
        (&json!("draft"), &json!({"partners": ["wire"]}))
    );
    let public = put.text.replace("<app:draft>yes", "<app:draft>no");
    assert_eq!(desk.ask("PUT", path, &[ENTRY], public).await.status, 200);
    assert_eq!(desk.ask("GET", "/articles/first-post", &[], "").await.json()["state"], "published");

    for n in 0..44 {
        desk.put(&format!("n-{n}"), &[], RECORD).await;
    }
    let (mut page, mut ids, mut pages) = ("/atompub/articles".to_owned(), Vec::new(), 0);
    while !page.is_empty() && pages < 10 {
        let text = desk.ask("GET", &page, &[], "").await.text;
        let document = roxmltree::Document::parse(&text).unwrap();
        let links: Vec<_> =
            document.descendants().filter(|node| node.tag_name().name() == "link").collect();
        let of = |relation: &'static str| {
            links
                .iter()
                .filter(move |link| link.attribute("rel") == Some(relation))
                .filter_map(|link| link.attribute("href"))
        };
        ids.extend(of("edit").map(|href| href.rsplit('/').next().unwrap().to_owned()));
        page = of("next").next().unwrap_or_default().replace("https://feeds.example.com", "");
        pages += 1;
    }
    assert_eq!(
        (ids.len(), pages, ids[0].as_str(), ids[44].as_str()),
        (45, 3, "n-43", "first-post")
    );

    assert_eq!(desk.ask("DELETE", path, &[], "").await.status, 204);
    assert_eq!(desk.ask("GET", path, &[], "").await.status, 410);
    let bomb = "<!DOCTYPE e [<!ENTITY a \"aaaa\">]><entry xmlns=\"http://www.w3.org/2005/Atom\"><title>&a;</title></entry>";
    assert_eq!(desk.ask("POST", "/atompub/articles", &[ENTRY], bomb).await.status, 400);
}

#[tokio::test]
async fn atompub_takes_files() {
    let home = Home::new();
    let media = Intake::new(home.folder.path(), &rules().base).unwrap();
    let desk = Desk::with(&home, rules(), catalogue(), Some(media)).await;
    let photo = desk
        .ask(
            "POST",
            "/atompub/media",
            &[("content-type", "image/png"), ("slug", "The%20Beach")],
            "png",
        )
        .await;
    assert_eq!(photo.status, 201, "{}", photo.text);
    let name = photo.field("location").rsplit('/').next().unwrap().to_owned();
    assert!(
        photo.text.contains(&format!("src=\"https://feeds.example.com/media/pushed/{name}\"")),
        "{}",
        photo.text
    );
    assert_eq!(fs::read(home.folder.path().join("pushed").join(&name)).unwrap(), b"png");
    assert!(desk.ask("GET", "/atompub/media", &[], "").await.text.contains(&name));
    assert_eq!(
        desk.ask("POST", "/atompub/media", &[("content-type", "text/html")], "x").await.status,
        415
    );
    assert_eq!(desk.ask("DELETE", &format!("/atompub/media/{name}"), &[], "").await.status, 204);
    assert_eq!(desk.ask("GET", &format!("/atompub/media/{name}"), &[], "").await.status, 404);
}

/// A request with a body, whose answer may never come.
fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    fields: &str,
    body: &str,
) -> Option<(u16, String)> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    );
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_once() {
    let site = Site::new(&format!("{SETTINGS}\n[push]\n"));
    let made = site.run(&["token", "create", "cms"]);
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(token.starts_with("courant_"));
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let mut posts = Vec::new();
    let mut answered = 0;
    for round in 0..6_u32 {
        let server = site.serve();
        let address = server.address;
        let senders: Vec<_> = (0..3_u32)
            .map(|sender| {
                let bearer = bearer.clone();
                std::thread::spawn(move || {
                    let mut posts = Vec::new();
                    for nth in 0..200_u32 {
                        // Without a name of its own: sent twice without a key, it would be there twice.
                        let key = format!("k-{round}-{sender}-{nth}");
                        let fields = format!("{bearer}Idempotency-Key: \"{key}\"\r\nContent-Type: application/x-www-form-urlencoded\r\n");
                        let answer = send(address, "POST", "/micropub", &fields, &format!("h=entry&content={key}"));
                        let is_over = answer.is_none();
                        posts.push((key, answer));
                        if is_over {
                            break;
                        }
                    }
                    posts
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(120 + 70 * u64::from(round)));
        server.signal("KILL");
        for sender in senders {
            posts.extend(sender.join().unwrap());
        }
        drop(server);
    }
    let server = site.serve();
    let location = |answer: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix("location: "));
        line.unwrap_or_else(|| panic!("{answer}")).to_owned()
    };
    let mut articles = std::collections::BTreeSet::new();
    for (key, before) in &posts {
        let fields = format!(
            "{bearer}Idempotency-Key: \"{key}\"\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        );
        let (status, again) =
            send(server.address, "POST", "/micropub", &fields, &format!("h=entry&content={key}"))
                .unwrap();
        assert_eq!(status, 201, "{again}");
        if let Some((status, before)) = before {
            assert_eq!(
                (*status, location(before)),
                (201, location(&again)),
                "{key}: told something else"
            );
            answered += 1;
        }
        articles.insert(location(&again));
    }
    assert_eq!(articles.len(), posts.len());
    assert!(answered > 10, "hardly anything was answered before the kills");
    let feed = until("the feed has them", || {
        let feed: Value = serde_json::from_slice(&get(server.address, "/all.json", &[]).2).unwrap();
        let count = feed["items"].as_array().unwrap().len();
        (count >= posts.len().min(1_000)).then_some(feed)
    });
    let mut texts: Vec<_> = feed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["content_html"].to_string())
        .collect();
    let count = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!((texts.len(), count), (count, posts.len().min(1_000)), "published twice");
    let log = fs::read_to_string(site.path("log")).unwrap();
    assert!(log.contains("/micropub") && !log.contains(&token), "the token is in the log");
}

#[test]
fn pushing_has_an_address_of_its_own_if_wanted() {
    let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = own.local_addr().unwrap();
    drop(own);
    let site = Site::new(&format!("{SETTINGS}\n[push]\nlisten = \"{address}\"\npath = \"/in\"\n"));
    let token = String::from_utf8(site.run(&["token", "create", "cms"]).stdout).unwrap();
    let server = site.serve();
    let fields =
        format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", token.trim());
    let (status, answer) = send(address, "PUT", "/in/articles/a", &fields, RECORD).unwrap();
    assert!(
        status == 201 && answer.contains(&format!("location: http://{address}/in/articles/a")),
        "{answer}"
    );
    assert_eq!(send(address, "GET", "/all.rss", "", "").unwrap().0, 404);
    assert_eq!(send(server.address, "GET", "/in/articles/a", &fields, "").unwrap().0, 404);
    let feed = until("the feed has it", || {
        let (_, _, feed) = get(server.address, "/all.json", &[]);
        String::from_utf8(feed).ok().filter(|feed| feed.contains("Library opens"))
    });
    assert!(!feed.contains("/in/articles"));
    let listed = String::from_utf8(site.run(&["token", "list"]).stdout).unwrap();
    assert!(
        listed.starts_with("cms: read write withdraw media, made ")
            && !listed.contains(token.trim()),
        "{listed}"
    );
    assert!(site.run(&["token", "revoke", "cms"]).status.success());
    assert_eq!(send(address, "GET", "/in/articles/a", &fields, "").unwrap().0, 401);
    assert!(!site.run(&["token", "revoke", "cms"]).status.success());
    assert!(!site.run(&["token", "create", "cms", "--scope", "burn"]).status.success());
    let (status, _) = server.stop();
    assert!(status.success());
}

#[test]
fn without_configuration_nothing_can_be_pushed() {
    let site = Site::new(SETTINGS);
    let token = String::from_utf8(site.run(&["token", "create", "cms"]).stdout).unwrap();
    let server = site.serve();
    let fields =
        format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", token.trim());
    for path in ["/articles/a", "/articles", "/micropub", "/atompub"] {
        let (status, _) = send(server.address, "PUT", path, &fields, RECORD).unwrap();
        assert_eq!(status, 405, "{path}: as any other address");
        assert_eq!(send(server.address, "GET", path, &fields, "").unwrap().0, 404, "{path}");
    }
}
