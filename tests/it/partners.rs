//! Partners: who is let in, what they get and when, and what is known of it afterwards (P.4, M.2).

use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU16, NonZeroU32},
    path::Path,
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use courant::{
    article::{ArticleId, Clearance, Source, Submission, Window},
    config::{self, Config, Overrides},
    edge::{AgeField, Edge, KeyField},
    http::{Counter, respond},
    media::Folder,
    partner::{CHANGES, Desk, Secret, Witness, standings, testimony},
    publish::Publisher,
    store::{Intake, Store, Token},
    text::Text,
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use serde_json::Value;

use crate::{
    fixtures::{Home, at, submission},
    http::LIMITS,
    support::{SETTINGS, Site, dice::Dice, get, request, takes_its_time, until},
};

const FEEDS: &str = r#"
[site]
title = "Example"
url = "https://www.example.com/"
tag = "example.com,2026"
language = "en"

[server]
base_url = "https://feeds.example.com"

[[category]]
slug = "news"
label = "News"

[[category]]
slug = "sport"
label = "Sport"

[[feed]]
name = "all"
title = "Everything"

[[feed]]
name = "members"
title = "Members"
any_of = ["sport"]
public = false
"#;

const PARTNERS: &str = r#"
[[partner]]
name = "wire"
feeds = ["all", "category/news"]
territories = ["JP"]

[[partner]]
name = "club"
feeds = ["members", "all"]
signs_days = 0
media = ["members"]

[[partner]]
name = "late"
feeds = ["all"]
delay_minutes = 60

[[partner]]
name = "early"
feeds = ["all"]
head_start_minutes = 30
republished = false
"#;

fn configured(partners: &str) -> Config {
    let media = "[media]\nfolder = 'media'\nprivate = ['members']\n";
    let text = format!("{FEEDS}{partners}{media}");
    config::read(&text, Path::new("feeds.toml"), &Overrides::default()).unwrap()
}

/// A service with partners.
struct Service {
    publisher: Publisher,
    desk: Desk,
    folder: Option<Folder>,
}

impl Service {
    async fn open(store: &Arc<dyn Store>, partners: &str, now: DateTime<Utc>) -> Self {
        let store = Arc::clone(store);
        let catalogue = configured(partners).catalogue;
        let publisher =
            Publisher::open(Arc::clone(&store), catalogue, 64_000_000, now).await.unwrap();
        Self { publisher, desk: Desk::open(store).await.unwrap(), folder: None }
    }

    async fn ask(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        now: DateTime<Utc>,
    ) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = Request::get(path).header("host", "feeds.example.com");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        self.answer(&request, now).await
    }

    async fn answer(
        &self,
        request: &Request<Empty<Bytes>>,
        now: DateTime<Utc>,
    ) -> (StatusCode, HeaderMap, Bytes) {
        let Self { publisher, desk, folder } = self;
        let counter = Counter { desk, publisher, folder: folder.as_ref(), limits: &LIMITS };
        let (head, body) = counter.respond(request, now).await.into_parts();
        (head.status, head.headers, body.collect().await.unwrap().to_bytes())
    }

    async fn json(&self, path: &str, secret: &Secret, now: DateTime<Utc>) -> Value {
        let bearer = format!("Bearer {}", secret.reveal());
        let (status, _, body) = self.ask(path, &[("authorization", &bearer)], now).await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }
}

/// Lets somebody in.
async fn token(
    store: &dyn Store,
    partner: &str,
    holder: &str,
    now: DateTime<Utc>,
    others_end: Option<DateTime<Utc>>,
) -> Secret {
    let secret = Secret::new().unwrap();
    let token = Token {
        digest: secret.digest(),
        partner: partner.parse().unwrap(),
        holder: holder.to_owned(),
        created: now,
        ends: None,
    };
    store.issue(token, others_end).await.unwrap();
    secret
}

/// Who has seen the last change of an article.
async fn witnesses(
    store: &dyn Store,
    partners: &str,
    id: &str,
    now: DateTime<Utc>,
) -> Vec<Witness> {
    let (id, catalogue) = (ArticleId::new(id).unwrap(), configured(partners).catalogue);
    testimony(store, &catalogue, &id, now).await.unwrap().unwrap().witnesses
}

fn ids(feed: &Value) -> Vec<String> {
    let items = feed["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}

fn cleared(id: &str, seconds: i64, clearance: Clearance) -> Submission {
    let mut submission = submission(id, seconds);
    submission.story.clearance = clearance;
    submission
}

fn only_in(territory: &str) -> Clearance {
    Clearance { territories: [territory.parse().unwrap()].into(), ..Clearance::default() }
}

pub(crate) async fn a_token_is_taken_in_each_of_three_places_and_nothing_else_is(home: Home) {
    home.publish(vec![submission("a", 0)], 10).await;
    let secret = token(&*home.store, "wire", "", at(20), None).await;
    let other = token(&*home.store, "club", "li.ming", at(20), None).await;
    let service = Service::open(&home.store, PARTNERS, at(30)).await;
    // A cache in front is told nothing of what is theirs.
    let age = Some((60, AgeField::CdnCacheControl));
    let edge = Edge { keys: vec![KeyField::SurrogateKey], max_age: age };
    let service = Service { publisher: service.publisher.behind(Some(edge), None), ..service };
    let (secret, other) = (secret.reveal(), other.reveal());
    let basic =
        |password: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("anybody:{password}")));
    for (path, shown) in [
        ("/partner/wire/all.rss".to_owned(), format!("Bearer {secret}")),
        ("/partner/wire/all.rss".to_owned(), format!("bearer {secret}")),
        ("/partner/wire/category/news.atom".to_owned(), basic(secret)),
        (format!("/partner/wire/{secret}/all.json"), String::new()),
        (format!("/partner/wire/{secret}/changes"), String::new()),
    ] {
        let (status, fields, body) = service.ask(&path, &[("authorization", &shown)], at(40)).await;
        assert_eq!(status, 200, "{path}");
        let freshness = fields["cache-control"].to_str().unwrap();
        assert!(freshness.starts_with("private"), "H-109, P-40: {freshness}");
        assert_eq!(fields["x-robots-tag"], "noindex", "P-40");
        assert!(!fields.contains_key("access-control-allow-origin"), "H-125");
        assert!(!fields.contains_key("surrogate-key") && !fields.contains_key("cdn-cache-control"));
        assert!(!String::from_utf8_lossy(&body).contains(secret), "P-42");
    }
    // Whatever is wrong looks the same.
    let mut answers = BTreeSet::new();
    for (path, shown) in [
        ("/partner/wire/all.rss".to_owned(), String::new()),
        ("/partner/wire/all.rss".to_owned(), "Bearer courant_wrong".to_owned()),
        ("/partner/wire/all.rss".to_owned(), format!("Bearer {other}")),
        ("/partner/wire/all.rss".to_owned(), basic(other)),
        ("/partner/wire/all.rss".to_owned(), "Basic %%%".to_owned()),
        ("/partner/wire/all.rss".to_owned(), format!("Digest {secret}")),
        (format!("/partner/wire/{other}/all.rss"), String::new()),
        ("/partner/nobody/all.rss".to_owned(), format!("Bearer {secret}")),
        ("/partner/wire/members.rss".to_owned(), format!("Bearer {secret}")),
        ("/partner/wire/nothing.rss".to_owned(), format!("Bearer {secret}")),
        ("/partner/wire/all.html".to_owned(), format!("Bearer {secret}")),
        ("/partner/wire/all".to_owned(), format!("Bearer {secret}")),
        ("/partner/wire/ALL.rss".to_owned(), format!("Bearer {secret}")),
        ("/partner/wire/".to_owned(), format!("Bearer {secret}")),
        ("/partner/wire".to_owned(), format!("Bearer {secret}")),
    ] {
        let (status, fields, body) = service.ask(&path, &[("authorization", &shown)], at(40)).await;
        assert_eq!(status, 401, "{path}");
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(!text.contains(secret) && !text.contains(other), "P-42: {text}");
        answers.insert((format!("{fields:?}"), text));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    // The public service knows nothing of it, whatever is in memory.
    let shown = format!("Bearer {secret}");
    let request =
        Request::get("/partner/wire/all.rss").header("host", "a").header("authorization", shown);
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(respond(&service.publisher, &LIMITS, &request, at(40)).await.status(), 404);
    let hidden =
        Request::get("/members.rss").header("host", "a").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(respond(&service.publisher, &LIMITS, &hidden, at(40)).await.status(), 404);
}

pub(crate) async fn a_token_that_is_rotated_or_revoked_ends_when_it_should(home: Home) {
    home.publish(vec![submission("a", 0)], 10).await;
    let first = token(&*home.store, "wire", "", at(20), None).await;
    let person = token(&*home.store, "wire", "li.ming", at(20), None).await;
    let second = token(&*home.store, "wire", "", at(100), Some(at(200))).await;
    let is_let_in = async |secret: &Secret, seconds: i64| {
        let service = Service::open(&home.store, PARTNERS, at(30)).await;
        let bearer = format!("Bearer {}", secret.reveal());
        let fields = [("authorization", &*bearer)];
        service.ask("/partner/wire/all.rss", &fields, at(seconds)).await.0 == 200
    };
    assert!(is_let_in(&first, 199).await && !is_let_in(&first, 200).await, "the overlap");
    assert!(is_let_in(&second, 199).await && is_let_in(&second, 100_000).await);
    assert!(is_let_in(&person, 100_000).await, "another holder's is not rotated");

    let wire = "wire".parse().unwrap();
    assert_eq!(home.store.revoke(&wire, Some("li.ming"), at(300)).await.unwrap(), 1);
    assert!(!is_let_in(&person, 300).await && is_let_in(&second, 300).await);
    assert_eq!(home.store.revoke(&wire, None, at(400)).await.unwrap(), 1);
    assert!(!is_let_in(&second, 400).await);
    assert_eq!(home.store.revoke(&wire, None, at(500)).await.unwrap(), 0);

    // A time that lies ahead is no time of a write: nothing public is dated by it.
    let mark = home.store.mark(&[courant::category::Facet::access()]).await.unwrap();
    assert_eq!(mark.changed, at(400));
}

pub(crate) async fn a_revoked_token_came_back_when_the_clock_went_back(home: Home) {
    home.publish(vec![submission("a", 0)], 10).await;
    let wire = "wire".parse().unwrap();
    let is_let_in = async |secret: &Secret, seconds: i64| {
        let service = Service::open(&home.store, PARTNERS, at(30)).await;
        let bearer = format!("Bearer {}", secret.reveal());
        let fields = [("authorization", &*bearer)];
        service.ask("/partner/wire/all.rss", &fields, at(seconds)).await.0 == 200
    };
    let revoked = token(&*home.store, "wire", "", at(20), None).await;
    assert_eq!(home.store.revoke(&wire, None, at(300)).await.unwrap(), 1);
    assert!(!is_let_in(&revoked, 250).await);

    let first = token(&*home.store, "wire", "", at(310), None).await;
    let other = token(&*home.store, "wire", "li.ming", at(310), None).await;
    let second = token(&*home.store, "wire", "", at(400), Some(at(400))).await;
    assert!(!is_let_in(&first, 350).await, "no overlap");
    assert!(is_let_in(&second, 350).await && is_let_in(&other, 350).await);

    // What ended more than a day ago is forgotten with the next token, whoever had it.
    let holders = async || -> Vec<String> {
        let tokens = home.store.tokens().await.unwrap().into_iter();
        tokens.map(|token| format!("{} {}", token.partner, token.holder)).collect()
    };
    token(&*home.store, "wire", "li.ming", at(500), Some(at(600))).await;
    token(&*home.store, "club", "", at(600 + 86_400), None).await;
    assert_eq!(holders().await, ["club ", "wire ", "wire li.ming", "wire li.ming"]);
    token(&*home.store, "club", "x", at(601 + 86_400), None).await;
    assert_eq!(holders().await, ["club ", "club x", "wire ", "wire li.ming"]);
}

pub(crate) async fn public_feeds_are_the_same_with_and_without_partners(home: Home) {
    let mut source = submission("taken", 5);
    source.story.source = Some(Source { name: Text::new("Wire"), ..Source::default() });
    let batch = vec![submission("a", 0), cleared("b", 1, only_in("JP")), source];
    home.publish(batch, 10).await;
    home.store.withdraw(vec![ArticleId::new("a").unwrap()], at(20)).await.unwrap();
    let paths = ["/all.rss", "/all.atom", "/all.json", "/category/news.rss", "/feeds.opml", "/"];
    let documents = async |partners: &str, seconds: i64| {
        let service = Service::open(&home.store, partners, at(seconds)).await;
        let mut documents = Vec::new();
        for path in paths {
            let request =
                Request::get(path).header("host", "a").body(Empty::<Bytes>::new()).unwrap();
            let (head, body) =
                respond(&service.publisher, &LIMITS, &request, at(9_000)).await.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            documents.push((
                path,
                head.headers["etag"].clone(),
                head.headers.get("last-modified").cloned(),
                body,
            ));
        }
        documents
    };
    let without = documents("", 30).await;
    assert_eq!(without, documents(PARTNERS, 40).await);
    assert_eq!(without, documents("", 50).await);
}

pub(crate) async fn a_partner_gets_what_it_is_cleared_for_under_the_same_identities(home: Home) {
    let not = |partner: &str| Clearance {
        not_partners: [partner.parse().unwrap()].into(),
        ..Clearance::default()
    };
    let mut sport = cleared("member", 5, Clearance { is_private: true, ..Clearance::default() });
    sport.story.categories = vec![courant::category::Category::from_label("sport").unwrap()];
    let mut taken = submission("taken", 6);
    taken.story.source = Some(Source { name: Text::new("Agency"), ..Source::default() });
    let batch = vec![
        submission("a", 0),
        cleared("japan", 1, only_in("JP")),
        cleared("taiwan", 2, only_in("TW")),
        cleared("not-wire", 3, not("wire")),
        sport,
        taken,
    ];
    home.publish(batch, 10).await;
    let mut secrets = BTreeMap::new();
    for partner in ["wire", "club", "early"] {
        secrets.insert(partner, token(&*home.store, partner, "", at(20), None).await);
    }
    let service = Service::open(&home.store, PARTNERS, at(30)).await;
    let feed = async |partner: &str, feed: &str| {
        service.json(&format!("/partner/{partner}/{feed}.json"), &secrets[partner], at(40)).await
    };
    let wire = feed("wire", "all").await;
    assert_eq!(ids(&wire), ["taken", "member", "japan", "a"]);
    assert_eq!(
        ids(&feed("club", "all").await),
        ["taken", "member", "not-wire", "a"],
        "no territory"
    );
    assert_eq!(ids(&feed("club", "members").await), ["member"]);
    assert_eq!(
        ids(&feed("early", "all").await),
        ["member", "not-wire", "a"],
        "nothing republished"
    );

    let request =
        Request::get("/all.json").header("host", "a").body(Empty::<Bytes>::new()).unwrap();
    let public = respond(&service.publisher, &LIMITS, &request, at(40)).await;
    let public: Value =
        serde_json::from_slice(&public.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(ids(&public), ["taken", "not-wire", "taiwan", "japan", "a"]);
    // M-30: the same piece is the same piece.
    let same = |feed: &Value, id: &str| {
        let mut items = feed["items"].as_array().unwrap().iter();
        items
            .find(|item| item["id"].as_str().unwrap().ends_with(&format!("/{id}")))
            .unwrap()
            .clone()
    };
    assert_eq!(same(&public, "japan"), same(&wire, "japan"));
}

pub(crate) async fn what_is_private_moves_nothing_that_is_public(home: Home) {
    home.publish(vec![submission("a", 0)], 10).await;
    let service = Service::open(&home.store, PARTNERS, at(20)).await;
    let look = async || {
        let mut seen = Vec::new();
        for path in ["/all.rss", "/category/news.atom", "/feeds.opml", "/"] {
            let request =
                Request::get(path).header("host", "a").body(Empty::<Bytes>::new()).unwrap();
            let answer = respond(&service.publisher, &LIMITS, &request, at(900)).await;
            seen.push((
                answer.headers()["etag"].clone(),
                answer.headers()["last-modified"].clone(),
            ));
        }
        seen
    };
    let before = look().await;
    let mut private = cleared("b", 1, Clearance { is_private: true, ..Clearance::default() });
    private.story.categories.push(courant::category::Category::from_label("Secret club").unwrap());
    home.publish(vec![private], 100).await;
    service.publisher.refresh(at(100)).await.unwrap();
    assert_eq!(look().await, before);
    home.store.withdraw(vec![ArticleId::new("b").unwrap()], at(200)).await.unwrap();
    service.publisher.refresh(at(200)).await.unwrap();
    assert_eq!(look().await, before);
}

pub(crate) async fn what_has_gone_leaves_a_sign_for_those_who_had_it_and_for_so_long(home: Home) {
    let secret = token(&*home.store, "wire", "", at(0), None).await;
    let batch = vec![
        submission("a", 0),
        cleared("other", 1, only_in("TW")),
        submission("narrowed", 2),
        submission("refiled", 3),
    ];
    home.publish(batch, 10).await;
    let service = Service::open(&home.store, PARTNERS, at(20)).await;
    let path = "all".parse().map(courant::feed::FeedPath::Named).unwrap();
    let path = courant::feed::FeedPath::Partner("wire".parse().unwrap(), Box::new(path));
    let signs = async || -> Vec<String> {
        let feed = service.publisher.feed(&path).await.unwrap();
        feed.signs().iter().map(|gone| gone.id.to_string()).collect()
    };
    assert!(signs().await.is_empty());
    let id = |id: &str| ArticleId::new(id).unwrap();
    home.store.withdraw(vec![id("a"), id("other")], at(100)).await.unwrap();
    home.publish(vec![cleared("narrowed", 2, only_in("TW"))], 200).await;
    let mut refiled = submission("refiled", 3);
    refiled.story.categories = vec![courant::category::Category::from_label("sport").unwrap()];
    home.publish(vec![refiled], 300).await;
    assert_eq!(signs().await, ["narrowed", "a"], "never what a partner was not cleared for");
    assert_eq!(ids(&service.json("/partner/wire/all.json", &secret, at(400)).await), ["refiled"]);

    // It can be read again.
    let intake = Intake { republish: true, ..Intake::default() };
    home.store.upsert(vec![submission("a", 0)], intake, at(500)).await.unwrap();
    assert_eq!(signs().await, ["narrowed"]);
    // As old as the feed's own time, not as some clock says: 30 days after it went, with the next change.
    home.publish(vec![submission("new", 0)], 200 + 30 * 86_400).await;
    assert_eq!(signs().await, ["narrowed"]);
    home.publish(vec![submission("newer", 0)], 201 + 30 * 86_400).await;
    assert!(signs().await.is_empty());
}

/// The signs of a partner's feed.
async fn signs(service: &Service, partner: &str, feed: &str) -> Vec<String> {
    let feed: courant::feed::FeedPath = match feed.strip_prefix("category/") {
        Some(slug) => courant::feed::FeedPath::Category(slug.parse().unwrap()),
        None => courant::feed::FeedPath::Named(feed.parse().unwrap()),
    };
    let path = courant::feed::FeedPath::Partner(partner.parse().unwrap(), Box::new(feed));
    let feed = service.publisher.feed(&path).await.unwrap();
    feed.signs().iter().map(|gone| gone.id.to_string()).collect()
}

fn filed(id: &str, seconds: i64, label: &str) -> Submission {
    let mut submission = submission(id, seconds);
    submission.story.categories = vec![courant::category::Category::from_label(label).unwrap()];
    submission
}

async fn republish(store: &dyn Store, submission: Submission, seconds: i64) {
    let intake = Intake { republish: true, ..Intake::default() };
    store.upsert(vec![submission], intake, at(seconds)).await.unwrap();
}

async fn withdraw(store: &dyn Store, id: &str, seconds: i64) {
    store.withdraw(vec![ArticleId::new(id).unwrap()], at(seconds)).await.unwrap();
}

pub(crate) async fn a_sign_stays_when_its_article_comes_back_where_the_feed_does_not_read(
    home: Home,
) {
    let secret = token(&*home.store, "wire", "", at(0), None).await;
    home.publish(vec![filed("a", 0, "news"), filed("b", 1, "news")], 10).await;
    let service = Service::open(&home.store, PARTNERS, at(20)).await;
    withdraw(&*home.store, "a", 100).await;
    service.publisher.refresh(at(100)).await.unwrap();
    let bearer = format!("Bearer {}", secret.reveal());
    let ask = async |service: &Service| {
        let path = "/partner/wire/category/news.atom";
        let (status, fields, body) =
            service.ask(path, &[("authorization", &bearer)], at(9_000)).await;
        assert!(status == 200 && String::from_utf8_lossy(&body).contains("deleted-entry"));
        (fields["etag"].clone(), fields["last-modified"].clone(), body)
    };
    let before = ask(&service).await;
    republish(&*home.store, filed("a", 0, "sport"), 200).await;
    service.publisher.refresh(at(200)).await.unwrap();
    assert_eq!(ask(&service).await, before);
    let restarted = Service::open(&home.store, PARTNERS, at(300)).await;
    assert_eq!(ask(&restarted).await, before, "equal stores give equal bytes");
    assert!(signs(&restarted, "wire", "all").await.is_empty(), "it came back there");
    republish(&*home.store, filed("a", 0, "news"), 400).await;
    assert!(signs(&restarted, "wire", "category/news").await.is_empty());
}

pub(crate) async fn what_is_filed_otherwise_leaves_a_sign_in_the_feed_that_it_left(home: Home) {
    home.publish(vec![filed("a", 0, "news")], 10).await;
    let service = Service::open(&home.store, PARTNERS, at(20)).await;
    home.publish(vec![filed("a", 0, "sport")], 100).await;
    assert_eq!(signs(&service, "wire", "category/news").await, ["a"]);
    assert!(signs(&service, "wire", "all").await.is_empty());
}

pub(crate) async fn a_sign_stays_while_its_article_waits_to_come_back(home: Home) {
    let service = Service::open(&home.store, PARTNERS, at(0)).await;
    home.publish(vec![submission("a", 0)], 10).await;
    home.store.release(at(4_000)).await.unwrap();
    withdraw(&*home.store, "a", 5_000).await;
    assert_eq!(signs(&service, "late", "all").await, ["a"]);
    republish(&*home.store, submission("a", 0), 6_000).await;
    assert_eq!(signs(&service, "late", "all").await, ["a"]);
    home.store.release(at(9_599)).await.unwrap();
    assert_eq!(signs(&service, "late", "all").await, ["a"]);
    home.store.release(at(9_600)).await.unwrap();
    assert!(signs(&service, "late", "all").await.is_empty());
}

#[tokio::test]
async fn what_is_filed_otherwise_again_and_again_is_noted_once() {
    let home = Home::new();
    let service = Service::open(&home.store, PARTNERS, at(0)).await;
    for second in 0..20 {
        let label = if second % 2 == 0 { "news" } else { "sport" };
        home.publish(vec![filed("a", 0, label), filed("b", 0, "news")], 10 + second).await;
    }
    withdraw(&*home.store, "b", 100).await;
    assert_eq!(signs(&service, "wire", "category/news").await, ["b", "a"], "the last goes first");
    let file = rusqlite::Connection::open(home.file()).unwrap();
    let count = |table: &str| -> i64 {
        let select = format!("SELECT count(*) FROM {table}");
        file.query_row(&select, [], |row| row.get(0)).unwrap()
    };
    // Under everything and under its category, each time that it was filed there.
    assert_eq!((count("gone"), count("sign")), (3, 6));
}

pub(crate) async fn who_never_got_an_article_is_not_told_that_it_went(home: Home) {
    let late = token(&*home.store, "late", "", at(0), None).await;
    let service = Service::open(&home.store, PARTNERS, at(0)).await;
    home.publish(vec![submission("short", 0), submission("long", 1)], 10).await;
    withdraw(&*home.store, "short", 100).await;
    assert!(signs(&service, "late", "all").await.is_empty());
    assert_eq!(signs(&service, "wire", "all").await, ["short"]);
    let changes = service.json("/partner/late/changes", &late, at(200)).await;
    assert!(!changes.to_string().contains("short"), "{changes}");
    home.store.release(at(4_000)).await.unwrap();
    withdraw(&*home.store, "long", 5_000).await;
    assert_eq!(signs(&service, "late", "all").await, ["long"]);
}

pub(crate) async fn what_waits_goes_on_waiting_when_delays_are_others(home: Home) {
    let late = token(&*home.store, "late", "", at(0), None).await;
    Service::open(&home.store, PARTNERS, at(0)).await;
    home.publish(vec![submission("old", 0)], 10).await;
    // Twice in one write, so that the log has one line for both.
    home.publish(vec![submission("a", 8_000), filed("a", 8_000, "sport")], 8_000).await;
    let longer = PARTNERS.replace("delay_minutes = 60", "delay_minutes = 120");
    let look = async |partners: &str, seconds: i64| {
        let service = Service::open(&home.store, partners, at(seconds)).await;
        home.store.release(at(seconds)).await.unwrap();
        ids(&service.json("/partner/late/all.json", &late, at(seconds)).await).join(" ")
    };
    assert_eq!(look(PARTNERS, 8_100).await, "old");
    assert_eq!(look(&longer, 8_200).await, "old");
    assert_eq!(look(&longer, 15_199).await, "old", "not yet two hours");
    let without = PARTNERS.replace("delay_minutes = 60", "");
    Service::open(&home.store, &without, at(15_199)).await;
    assert_eq!(look(&longer, 15_199).await, "old", "taken out and in again");
    assert_eq!(look(&longer, 15_200).await, "a old");
}

pub(crate) async fn some_get_articles_later_and_some_before_an_embargo_ends(home: Home) {
    let late = token(&*home.store, "late", "", at(0), None).await;
    let early = token(&*home.store, "early", "", at(0), None).await;
    let service = Service::open(&home.store, PARTNERS, at(0)).await;
    home.publish(vec![submission("a", 10)], 10).await;
    let mut held = submission("held", 0);
    held.embargo = Some(at(7_200));
    home.publish(vec![held], 20).await;
    let look = async |seconds: i64| {
        service.publisher.refresh(at(seconds)).await.unwrap();
        let late = service.json("/partner/late/all.json", &late, at(seconds)).await;
        let early = service.json("/partner/early/all.json", &early, at(seconds)).await;
        (ids(&late).join(" "), ids(&early).join(" "))
    };
    let pair = |late: &str, early: &str| (late.to_owned(), early.to_owned());
    assert_eq!(look(30).await, pair("", "a"));
    assert_eq!(look(3_609).await, pair("", "a"));
    assert_eq!(look(3_610).await, pair("a", "a"), "an hour after everybody else");
    assert_eq!(look(5_399).await, pair("a", "a"));
    assert_eq!(look(5_400).await, pair("a", "held a"), "half an hour before the embargo ends");
    assert_eq!(look(7_200).await, pair("a", "held a"));
    assert_eq!(look(10_800).await, pair("held a", "held a"));
    // What is taken back goes at once, also from those to whom it has come early.
    let mut secret = submission("secret", 0);
    secret.embargo = Some(at(12_000));
    home.publish(vec![secret, submission("b", 10_900)], 10_900).await;
    assert_eq!(look(10_901).await, pair("held a", "secret b held a"));
    let gone = ["secret", "b"].map(|id| ArticleId::new(id).unwrap());
    home.store.withdraw(gone.into(), at(11_000)).await.unwrap();
    assert_eq!(look(11_001).await, pair("held a", "held a"));
    let signs = async |partner: &str| -> Vec<String> {
        let path = courant::feed::FeedPath::Named("all".parse().unwrap());
        let path = courant::feed::FeedPath::Partner(partner.parse().unwrap(), Box::new(path));
        let feed = service.publisher.feed(&path).await.unwrap();
        feed.signs().iter().map(|gone| gone.id.to_string()).collect()
    };
    assert_eq!(signs("early").await, ["b", "secret"]);
    assert_eq!(signs("wire").await, ["b"], "nobody else hears of what was under embargo");
}

pub(crate) async fn private_files_are_reached_through_the_feed_as_long_as_anybody_is_let_in(
    home: Home,
) {
    let media = home.folder.path().join("media");
    std::fs::create_dir_all(media.join("members")).unwrap();
    std::fs::write(media.join("members/1.mp3"), b"sound").unwrap();
    std::fs::write(media.join("open.mp3"), b"open").unwrap();
    std::fs::create_dir_all(media.join("other")).unwrap();
    std::fs::write(media.join("other/2.mp3"), b"other").unwrap();
    let record = r#"{"id": "1", "title": "One", "categories": ["sport"], "date_published": "2026-03-05T05:00:00Z",
        "clearance": {"public": false},
        "attachments": [{"url": "https://feeds.example.com/media/members/1.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 5},
                        {"url": "https://feeds.example.com/media/open.mp3", "mime_type": "audio/mpeg"}],
        "episode": {"chapters": [{"start": 0, "title": "Begin"}]}}"#;
    let catalogue = configured(PARTNERS).catalogue;
    let article = courant::import::read(&catalogue, record).submission.unwrap();
    // Another's episode: of no feed that the partner takes.
    let mut other = article.clone();
    other.id = ArticleId::new("2").unwrap();
    other.story.clearance.partners = ["wire".parse().unwrap()].into();
    home.publish(vec![article, other], 10).await;
    let secret = token(&*home.store, "club", "li.ming", at(20), None).await;
    let mut service = Service::open(&home.store, PARTNERS, at(30)).await;
    let base = "https://feeds.example.com/".parse().unwrap();
    service.folder =
        Some(Folder::open(&media, &base, vec!["members".to_owned(), "other".to_owned()]).unwrap());
    let missing = Folder::open(&media, &base, vec!["membrs".to_owned()]).unwrap_err();
    assert!(missing.to_string().contains("`membrs`"));

    let feed = service.json("/partner/club/members.json", &secret, at(40)).await;
    let files = feed["items"][0]["attachments"].as_array().unwrap();
    let address = files[0]["url"].as_str().unwrap();
    let path = address.strip_prefix("https://feeds.example.com").unwrap();
    assert!(path.starts_with("/partner/club/reach_") && !path.contains(secret.reveal()), "{path}");
    assert_eq!(files[1]["url"], "https://feeds.example.com/media/open.mp3", "M-30");
    let (status, fields, body) = service.ask(path, &[("range", "bytes=1-2")], at(50)).await;
    assert_eq!((status.as_u16(), &body[..]), (206, &b"ou"[..]), "P-12");
    assert_eq!(fields["cache-control"], "private, max-age=86400");
    assert!(!fields.contains_key("access-control-allow-origin"));
    let chapters = path.replace("media/members/1.mp3", "episodes/1/chapters.json");
    assert_eq!(service.ask(&chapters, &[], at(50)).await.0, 200);

    // Another's reach, none, or a guess opens nothing; nor does the public address.
    for wrong in [
        path.replace("/club/", "/wire/"),
        path.replace("reach_", "reach_x"),
        "/partner/club/reach_/media/members/1.mp3".to_owned(),
        path.replace("1.mp3", "../../courant.db"),
        path.replace("members/1.mp3", "open.mp3"),
        path.replace("members/1.mp3", "other/2.mp3"),
        path.replace("media/members/1.mp3", "episodes/2/chapters.json"),
    ] {
        let (status, fields, _) = service.ask(&wrong, &[], at(50)).await;
        assert_eq!(status, 404, "{wrong}");
        assert_eq!(fields["cache-control"], "no-store");
    }
    let public = Request::get("/episodes/1/chapters.json").header("host", "a");
    let public = public.body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(respond(&service.publisher, &LIMITS, &public, at(50)).await.status(), 404);

    // The bytes of the feed stay, and what they lead to ends with the last token.
    let club = "club".parse().unwrap();
    home.store.revoke(&club, None, at(60)).await.unwrap();
    let service =
        Service { folder: service.folder, ..Service::open(&home.store, PARTNERS, at(70)).await };
    assert_eq!(service.ask(path, &[], at(70)).await.0, 404);
    let again = token(&*home.store, "club", "", at(80), None).await;
    let service =
        Service { folder: service.folder, ..Service::open(&home.store, PARTNERS, at(90)).await };
    assert_eq!(service.json("/partner/club/members.json", &again, at(90)).await, feed);
    assert_eq!(service.ask(path, &[], at(90)).await.0, 200);
}

pub(crate) async fn the_ledger_says_what_was_fetched_and_who_has_seen_a_change(home: Home) {
    home.publish(vec![submission("a", 0), submission("b", 1)], 10).await;
    let wire = token(&*home.store, "wire", "", at(20), None).await;
    let person = token(&*home.store, "wire", "li.ming", at(20), None).await;
    let service = Service::open(&home.store, PARTNERS, at(30)).await;
    let fetch = async |secret: &Secret, tag: &str, seconds: i64| {
        let bearer = format!("Bearer {}", secret.reveal());
        let fields = [("authorization", &*bearer), ("if-none-match", tag)];
        let (status, fields, _) = service.ask("/partner/wire/all.rss", &fields, at(seconds)).await;
        (status.as_u16(), fields["etag"].to_str().unwrap().to_owned())
    };
    let (status, tag) = fetch(&wire, "\"none\"", 100).await;
    assert_eq!(status, 200);
    assert_eq!(fetch(&person, "\"none\"", 150).await.0, 200);
    assert_eq!(fetch(&wire, &tag, 200).await.0, 304);
    home.store.withdraw(vec![ArticleId::new("a").unwrap()], at(300)).await.unwrap();
    service.publisher.refresh(at(300)).await.unwrap();
    assert_eq!(fetch(&wire, &tag, 400).await.0, 200);
    service.desk.flush().await;
    let Home { folder, store, .. } = home.reopened().await;

    let partner: courant::category::Slug = "wire".parse().unwrap();
    let deliveries = store.deliveries(&partner).await.unwrap();
    let lines: Vec<_> = deliveries
        .iter()
        .map(|line| {
            (
                line.holder.as_str(),
                line.feed.as_str(),
                line.revision.0,
                line.first,
                line.last,
                line.count,
            )
        })
        .collect();
    let (before, after) = (lines[0].2, lines[1].2);
    let expected = [
        ("", "all", before, at(100), at(200), 2),
        ("li.ming", "all", before, at(150), at(150), 1),
        ("", "all", after, at(400), at(400), 1),
    ];
    assert!(before < after);
    assert_eq!(BTreeSet::from_iter(lines), BTreeSet::from(expected));

    let catalogue = configured(PARTNERS).catalogue;
    let id = ArticleId::new("a").unwrap();
    let found = testimony(&*store, &catalogue, &id, at(500)).await.unwrap().unwrap();
    assert!(!found.is_published && found.at == at(300));
    let witnesses: BTreeMap<_, _> = found
        .witnesses
        .iter()
        .inspect(|witness| assert_eq!(witness.partner, "wire", "no other has a token"))
        .map(|witness| {
            let [channel] = &witness.channels[..] else { panic!("{witness:?}") };
            assert_eq!((&*channel.feed, channel.seen.is_some()), ("all", witness.has_seen));
            (witness.holder.as_str(), channel.seen)
        })
        .collect();
    assert_eq!(witnesses, BTreeMap::from([("", Some(at(400))), ("li.ming", None)]));
    let standings =
        standings(&*store, &catalogue, catalogue.partner(&partner).unwrap()).await.unwrap();
    assert_eq!(standings[0].feed, "all");
    assert!(standings[0].missing.is_empty());
    assert_eq!((standings[1].feed.as_str(), standings[1].fetched.len()), ("category/news", 0));
    assert_eq!(standings[1].missing.len(), 2, "one to be read, one that has gone");
    drop(folder);
}

pub(crate) async fn a_page_that_ends_within_a_write_was_noted_as_all_of_it(home: Home) {
    home.publish((0..250).map(|nth| submission(&format!("{nth:03}"), -nth)).collect(), 10).await;
    let secret = token(&*home.store, "wire", "", at(20), None).await;
    let service = Service::open(&home.store, PARTNERS, at(30)).await;
    let has_seen = async |id: &str| {
        service.desk.flush().await;
        let found = witnesses(&*home.store, PARTNERS, id, at(50)).await;
        found.iter().find(|witness| witness.partner == "wire").unwrap().has_seen
    };
    let mut next = "/partner/wire/changes".to_owned();
    for _ in 0..2 {
        let page = service.json(&next, &secret, at(40)).await;
        next = page["next_url"].as_str().unwrap().replace("https://feeds.example.com", "");
        assert!(!has_seen("249").await && !has_seen("000").await, "a write is seen as a whole");
    }
    assert!(service.json(&next, &secret, at(40)).await.get("next_url").is_none());
    assert!(has_seen("249").await && has_seen("000").await);
}

pub(crate) async fn not_modified_was_noted_where_no_tag_was_shown(home: Home) {
    home.publish(vec![submission("a", 0)], 10).await;
    let secret = token(&*home.store, "wire", "", at(20), None).await;
    let service = Service::open(&home.store, PARTNERS, at(30)).await;
    let bearer = format!("Bearer {}", secret.reveal());
    let ask = async |name: &str, value: &str| {
        let fields = [("authorization", &*bearer), (name, value)];
        let (status, fields, _) = service.ask("/partner/wire/all.rss", &fields, at(9_000)).await;
        service.desk.flush().await;
        let lines = home.store.deliveries(&"wire".parse().unwrap()).await.unwrap();
        let count: u64 = lines.iter().map(|line| line.count).sum();
        (status.as_u16(), count, fields["etag"].to_str().unwrap().to_owned())
    };
    let (status, count, tag) = ask("if-none-match", "*").await;
    assert_eq!((status, count), (304, 0));
    let (status, count, _) = ask("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT").await;
    assert_eq!((status, count), (304, 0));
    let (status, count, _) = ask("if-none-match", &format!("\"other\", W/{tag}")).await;
    assert_eq!((status, count), (304, 1));
    let (status, count, _) = ask("if-none-match", "\"other\"").await;
    assert_eq!((status, count), (200, 2));
}

pub(crate) async fn a_partner_that_waits_for_an_article_was_said_to_have_seen_it(home: Home) {
    let secret = token(&*home.store, "late", "", at(0), None).await;
    let service = Service::open(&home.store, PARTNERS, at(0)).await;
    home.publish(vec![submission("a", 10)], 10).await;
    let poll = async |seconds: i64| {
        service.publisher.refresh(at(seconds)).await.unwrap();
        let feed = service.json("/partner/late/all.json", &secret, at(seconds)).await;
        service.json("/partner/late/changes", &secret, at(seconds)).await;
        service.desk.flush().await;
        ids(&feed)
    };
    let look = async |seconds: i64| {
        let found = witnesses(&*home.store, PARTNERS, "a", at(seconds)).await;
        let [late] = &found[..] else { panic!("{found:?}") };
        (late.revision.is_some(), late.has_seen, late.is_owed())
    };
    assert!(poll(30).await.is_empty());
    assert_eq!(look(40).await, (false, false, false), "not yet given");
    // Corrected while it waits; then it comes, by a write of its own.
    let mut mended = submission("a", 10);
    mended.story.title = Text::new("Mended");
    home.publish(vec![mended], 50).await;
    assert!(poll(60).await.is_empty());
    assert_eq!(look(60).await, (false, false, false));
    home.store.release(at(3_610)).await.unwrap();
    assert_eq!(look(3_620).await, (true, false, true), "given, and not fetched");
    assert_eq!(poll(3_630).await, ["a"]);
    assert_eq!(look(3_640).await, (true, true, false));
    home.store.withdraw(vec![ArticleId::new("a").unwrap()], at(3_700)).await.unwrap();
    assert_eq!(look(3_710).await, (true, false, true), "what is taken back is taken back at once");
    assert!(poll(3_720).await.is_empty());
    assert_eq!(look(3_730).await, (true, true, false));
}

pub(crate) async fn some_could_never_see_a_change_and_were_waited_for(home: Home) {
    home.publish(vec![submission("a", 0)], 10).await;
    let wire: courant::category::Slug = "wire".parse().unwrap();
    let mut secrets = BTreeMap::new();
    for holder in ["", "past", "ended", "idle"] {
        secrets.insert(holder, token(&*home.store, "wire", holder, at(20), None).await);
    }
    let service = Service::open(&home.store, PARTNERS, at(30)).await;
    let fetch = async |holder: &str, path: &str, seconds: i64| {
        let path = format!("/partner/wire/{path}");
        service.publisher.refresh(at(seconds)).await.unwrap();
        service.json(&path, &secrets[holder], at(seconds)).await;
        service.desk.flush().await;
    };
    fetch("", "all.json", 40).await;
    fetch("", "category/news.json", 40).await;
    fetch("past", "all.json", 40).await;
    home.store.revoke(&wire, Some("past"), at(50)).await.unwrap();
    home.store.revoke(&wire, Some("ended"), at(50)).await.unwrap();
    home.store.withdraw(vec![ArticleId::new("a").unwrap()], at(60)).await.unwrap();
    let look = async || {
        let found = witnesses(&*home.store, PARTNERS, "a", at(100)).await.into_iter();
        let look = |one: Witness| (one.is_owed(), one.has_seen, one.channels.len());
        found.map(|one| (one.holder.clone(), look(one))).collect::<BTreeMap<_, _>>()
    };
    let expected = |partner: (bool, bool, usize), idle: (bool, bool, usize)| {
        let past = (false, false, 1);
        BTreeMap::from(
            [("", partner), ("idle", idle), ("past", past)]
                .map(|(holder, look)| (holder.to_owned(), look)),
        )
    };
    assert_eq!(look().await, expected((true, false, 2), (true, false, 0)));
    // One channel is enough.
    fetch("", "category/news.json", 70).await;
    assert_eq!(look().await, expected((false, true, 2), (true, false, 0)));
    fetch("idle", "changes", 70).await;
    assert_eq!(look().await, expected((false, true, 2), (false, true, 1)));
}

#[tokio::test]
async fn changes_that_were_not_sent_counted_as_fetched() {
    let home = Home::new();
    home.publish(vec![submission("a", 0)], 10).await;
    let secret = token(&*home.store, "wire", "", at(20), None).await;
    let service = Service::open(&home.store, PARTNERS, at(30)).await;
    let bearer = format!("Bearer {}", secret.reveal());
    for (coding, status, lines) in [("identity;q=0, *;q=0", 406, 0), ("gzip", 200, 1)] {
        let fields = [("authorization", &*bearer), ("accept-encoding", coding)];
        assert_eq!(service.ask("/partner/wire/changes", &fields, at(40)).await.0, status);
        service.desk.flush().await;
        let told = home.store.deliveries(&"wire".parse().unwrap()).await.unwrap();
        assert_eq!(told.len(), lines, "{told:?}");
    }
}

#[test]
fn an_article_that_is_held_back_counted_as_seen() {
    let site = Site::new(&format!(
        "{SETTINGS}\n[[partner]]\nname = \"portal\"\nfeeds = [\"all\"]\ndialect = \"msn\"\n"
    ));
    let record = |id: &str, title: &str| {
        serde_json::json!({
            "id": id, "title": title, "content_text": "Text.", "date_published": "2026-03-05",
            "url": format!("https://www.example.com/{id}")
        })
    };
    let long = "A title of more than twenty characters";
    site.write("a.ndjson", format!("{}\n{}\n", record("1", long), record("2", "Short")));
    assert!(site.run(&["import", "a.ndjson"]).status.success());
    let made = site.run(&["partner", "token", "portal"]);
    let secret = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let running = site.serve();
    let (status, _, body) = get(running.address, &format!("/partner/portal/{secret}/all.rss"), &[]);
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(status == 200 && body.contains(long) && !body.contains("Short"), "{body}");
    let status = |id: &str| {
        let said = site.run(&["partner", "status", "--article", id]);
        let code = said.status.code();
        (code, String::from_utf8(said.stdout).unwrap())
    };
    let seen =
        until("the ledger is written", || Some(status("1")).filter(|said| said.0 == Some(0)));
    assert!(seen.1.contains("  portal, all: has seen it, first "), "{}", seen.1);
    let (code, said) = status("2");
    let why = "  portal, all: held back; `courant check --partner portal` says why\n";
    assert!(code == Some(1) && said.ends_with(why), "{said}");
    assert!(running.stop().0.success());
}

#[test]
fn tokens_of_a_partner_that_feeds_toml_has_no_more_were_not_listed() {
    let partner = "\n[[partner]]\nname = \"wire\"\nfeeds = [\"all\"]\n";
    let site = Site::new(&format!("{SETTINGS}{partner}"));
    assert!(site.run(&["partner", "token", "wire", "--holder", "li.ming"]).status.success());
    site.write("feeds.toml", SETTINGS);
    let list = |more: &[&str]| {
        let said = site.run(&[&["partner", "list"], more].concat());
        String::from_utf8(said.stdout).unwrap()
    };
    let said = list(&[]);
    let end = "`courant partner token wire --revoke --all` ends its tokens";
    assert!(said.contains(&format!("wire: no longer in feeds.toml; {end}\n")), "{said}");
    assert!(said.contains("  token  of li.ming, made "), "{said}");
    let listed: Value = serde_json::from_str(&list(&["--json"])).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["is_configured"]), (&"wire".into(), &false.into()));
    assert_eq!(listed[0]["tokens"][0]["holder"], "li.ming");
    assert!(site.run(&["partner", "token", "wire", "--revoke", "--all"]).status.success());
    assert!(!list(&[]).contains("wire"));
}

/// Identities and titles.
type Held = BTreeMap<String, String>;

/// Somebody who follows the changes, and polls a feed beside.
struct Follower {
    partner: &'static str,
    secret: Secret,
    held: Held,
    next: String,
    tag: String,
    /// What the ledger should say: feed, state.
    fetched: BTreeSet<(String, u64)>,
    seen: u64,
}

impl Follower {
    fn new(partner: &'static str, secret: Secret) -> Self {
        let next = format!("/partner/{partner}/changes");
        let (held, fetched) = (BTreeMap::new(), BTreeSet::new());
        Self { partner, secret, held, next, tag: "\"none\"".to_owned(), fetched, seen: 0 }
    }

    /// Follows to the end, and holds what the store has for it.
    async fn catch_up(&mut self, service: &Service, store: &dyn Store, now: DateTime<Utc>) {
        for round in 0.. {
            assert!(round < 1_000, "changes have no end");
            let answer = service.json(&self.next, &self.secret, now).await;
            for item in answer["items"].as_array().unwrap() {
                let id = item["id"].as_str().unwrap().to_owned();
                let title = item["title"].as_str().unwrap().to_owned();
                self.held.insert(id, title);
            }
            for gone in answer["_courant"]["removed"].as_array().unwrap() {
                self.held.remove(gone["id"].as_str().unwrap());
            }
            let Some(next) = answer.get("next_url") else {
                let since = answer["_courant"]["since"].as_u64().unwrap();
                assert!(since >= self.seen);
                self.seen = since;
                self.next = format!("/partner/{}/changes?since={since}", self.partner);
                break;
            };
            self.next = next.as_str().unwrap().replace("https://feeds.example.com", "");
        }
        let mut expected = BTreeMap::new();
        let catalogue = service.publisher.catalogue();
        let partner = catalogue.partner(&self.partner.parse().unwrap()).unwrap();
        let window = Window {
            count: NonZeroU16::new(Window::MAX_COUNT).unwrap(),
            hours: None,
            bytes: NonZeroU32::new(5_000_000).unwrap(),
        };
        for spec in catalogue.feeds_of(partner) {
            let snapshot = store.snapshot(&spec.marks(), &spec.selection, window).await.unwrap();
            for article in snapshot.articles {
                expected.insert(article.guid.to_string(), article.story.title.to_string());
            }
        }
        let differ = |one: &Held, other: &Held| -> Vec<String> {
            let others = one.iter().filter(|(id, title)| other.get(*id) != Some(*title));
            others.map(|(id, title)| format!("{id}: {title}")).collect()
        };
        let (more, less) = (differ(&self.held, &expected), differ(&expected, &self.held));
        assert!(
            more.is_empty() && less.is_empty(),
            "{} at {now}: holds {more:?} and not {less:?}",
            self.partner
        );
    }

    /// Polls a feed as readers do.
    async fn poll(&mut self, service: &Service, now: DateTime<Utc>) {
        let bearer = format!("Bearer {}", self.secret.reveal());
        let fields = [("authorization", &*bearer), ("if-none-match", &*self.tag)];
        let path = format!("/partner/{}/all.atom", self.partner);
        let (status, fields, _) = service.ask(&path, &fields, now).await;
        assert!(status == 200 || status == 304);
        let tag = fields["etag"].to_str().unwrap().to_owned();
        let state = tag.trim_start_matches("\"n").split('-').next().unwrap().parse().unwrap();
        self.tag = tag;
        self.fetched.insert(("all".to_owned(), state));
    }
}

/// One write of a newsroom, whatever comes to its mind.
async fn write(store: &dyn Store, dice: &mut Dice, second: i64) {
    let id = format!("{}", dice.roll(120));
    if dice.roll(8) == 0 {
        store.withdraw(vec![ArticleId::new(&id).unwrap()], at(second)).await.unwrap();
        return;
    }
    let mut new = submission(&id, dice.roll(second + 1));
    new.story.title = Text::new(&format!("Title {}", dice.roll(1_000)));
    new.is_significant = Some(dice.roll(2) == 0);
    let label = if dice.roll(3) == 0 { "sport" } else { "news" };
    new.story.categories = vec![courant::category::Category::from_label(label).unwrap()];
    new.embargo = (dice.roll(4) == 0).then(|| at(second + dice.roll(5_000)));
    new.expires = (dice.roll(6) == 0).then(|| at(second + dice.roll(9_000)));
    new.story.source =
        (dice.roll(5) == 0).then(|| Source { name: Text::new("Agency"), ..Source::default() });
    new.story.clearance = match dice.roll(8) {
        0 => only_in("JP"),
        1 => only_in("TW"),
        2 => Clearance { partners: ["late".parse().unwrap()].into(), ..Clearance::default() },
        3 => Clearance { is_private: true, ..Clearance::default() },
        _ => Clearance::default(),
    };
    let intake = Intake { republish: dice.roll(3) == 0, ..Intake::default() };
    store.upsert(vec![new], intake, at(second)).await.unwrap();
}

#[tokio::test]
async fn whoever_follows_the_changes_holds_what_the_store_has() {
    follow(Home::new(), if takes_its_time() { 10_000 } else { 2_000 }).await;
}

/// Partners of every kind follow so many writes.
pub(crate) async fn follow(home: Home, writes: u32) {
    let mut followers = Vec::new();
    for partner in ["wire", "club", "late", "early"] {
        followers.push(Follower::new(partner, token(&*home.store, partner, "", at(0), None).await));
    }
    let service = Service::open(&home.store, PARTNERS, at(0)).await;
    let mut dice = Dice(0x5eed);
    let mut second = 10;
    for _ in 0..writes {
        second += dice.roll(60);
        write(&*home.store, &mut dice, second).await;
        if dice.roll(3) == 0 {
            home.store.release(at(second)).await.unwrap();
        }
        // Each comes when it likes, after one write or a thousand.
        for follower in &mut followers {
            if dice.roll(150) == 0 {
                follower.catch_up(&service, &*home.store, at(second)).await;
            }
            if dice.roll(150) == 0 {
                service.publisher.refresh(at(second)).await.unwrap();
                follower.poll(&service, at(second)).await;
            }
        }
    }
    second += 100_000;
    service.publisher.refresh(at(second)).await.unwrap();
    service.desk.flush().await;
    for follower in &mut followers {
        follower.catch_up(&service, &*home.store, at(second)).await;
        let partner = follower.partner.parse().unwrap();
        let lines = home.store.deliveries(&partner).await.unwrap();
        let lines = lines.into_iter().filter(|line| line.feed != CHANGES);
        let noted: BTreeSet<_> = lines.map(|line| (line.feed, line.revision.0)).collect();
        // The ledger keeps the newest hundred states.
        let newest: BTreeSet<_> = follower.fetched.iter().rev().take(100).cloned().collect();
        assert_eq!(noted, newest, "{}", follower.partner);
    }
}

pub(crate) async fn what_is_held_back_from_a_partner_is_counted(home: Home) {
    let mut long = submission("long", 1);
    long.story.title = Text::new("A title of more than twenty characters");
    long.story.url = "https://www.example.com/long".parse().ok();
    let mut short = submission("short", 2);
    short.story.url = "https://www.example.com/short".parse().ok();
    home.publish(vec![long, short], 10).await;
    let secret = token(&*home.store, "portal", "", at(20), None).await;
    let portal = "[[partner]]\nname = 'portal'\nfeeds = ['all']\ndialect = 'msn'\n";
    let service = Service::open(&home.store, portal, at(30)).await;
    assert!(service.publisher.held_back().is_empty());
    let bearer = format!("Bearer {}", secret.reveal());
    let ask = async |path: &str| service.ask(path, &[("authorization", &*bearer)], at(40)).await;
    let (status, _, body) = ask("/partner/portal/all.rss").await;
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(status == 200 && body.contains("/long") && !body.contains("/short"), "M-41: {body}");
    assert_eq!(service.publisher.held_back(), [("partner/portal/all".to_owned(), 1)]);
    assert_eq!(ask("/partner/portal/all.atom").await.0, 401, "it is RSS alone");
    assert_eq!(ask("/partner/portal/all/archive/1-100.rss").await.0, 401);
}

pub(crate) async fn a_look_at_other_terms_disturbs_no_service_that_runs(home: Home) {
    let late = token(&*home.store, "late", "", at(0), None).await;
    let service = Service::open(&home.store, PARTNERS, at(0)).await;
    home.publish(vec![submission("a", 10)], 10).await;
    let before = (
        home.store.head().await.unwrap(),
        service.json("/partner/late/all.json", &late, at(20)).await,
    );
    let store: Arc<dyn Store> = Arc::clone(&home.store);
    let looked = Publisher::look(store, configured("").catalogue, 64_000_000).await.unwrap();
    assert!(looked.find(&courant::feed::FeedPath::Named("all".parse().unwrap())).is_some());
    service.publisher.refresh(at(30)).await.unwrap();
    let after = (
        home.store.head().await.unwrap(),
        service.json("/partner/late/all.json", &late, at(30)).await,
    );
    assert_eq!(before, after);
    assert!(ids(&after.1).is_empty(), "it still waits");
}

pub(crate) async fn changes_begin_anew_where_the_terms_are_others(home: Home) {
    home.publish((0..250).map(|nth| submission(&nth.to_string(), -nth)).collect(), 10).await;
    let secret = token(&*home.store, "wire", "", at(20), None).await;
    let service = Service::open(&home.store, PARTNERS, at(30)).await;
    let first = service.json("/partner/wire/changes", &secret, at(40)).await;
    let next = first["next_url"].as_str().unwrap();
    let next = next.strip_prefix("https://feeds.example.com").unwrap();
    assert_eq!(first["items"].as_array().unwrap().len(), 100);
    let second = service.json(next, &secret, at(40)).await;
    assert_ne!(first["items"], second["items"]);

    let narrower = PARTNERS.replace("territories = [\"JP\"]", "territories = [\"JP\", \"US\"]");
    let service = Service::open(&home.store, &narrower, at(50)).await;
    let bearer = format!("Bearer {}", secret.reveal());
    let ask = async |path: &str| service.ask(path, &[("authorization", &bearer)], at(60)).await.0;
    assert_eq!(ask(next).await, 410);
    assert_eq!(ask("/partner/wire/changes?since=1").await, 410);
    assert_eq!(ask("/partner/wire/changes?since=999999").await, 410, "of another store");
    assert_eq!(ask("/partner/wire/changes").await, 200);
    for wrong in ["since=x", "since=-1", "since=1&after=%2F..", "since=1&terms=y"] {
        assert_eq!(ask(&format!("/partner/wire/changes?{wrong}")).await, 400, "{wrong}");
    }
}

pub(crate) async fn partners_are_asked_for_with_the_methods_of_feeds(home: Home) {
    home.publish(vec![submission("a", 0)], 10).await;
    let secret = token(&*home.store, "wire", "", at(20), None).await;
    let service = Service::open(&home.store, PARTNERS, at(30)).await;
    let bearer = format!("Bearer {}", secret.reveal());
    let ask = async |method: Method| {
        let request = Request::builder().method(method).uri("/partner/wire/all.rss");
        let request = request.header("host", "a").header("authorization", &bearer);
        service.answer(&request.body(Empty::<Bytes>::new()).unwrap(), at(40)).await
    };
    let (mut whole, head) = (ask(Method::GET).await, ask(Method::HEAD).await);
    whole.1.insert("content-length", whole.2.len().into());
    assert_eq!((head.0, &head.1, head.2.len()), (StatusCode::OK, &whole.1, 0), "H-3");
    assert_eq!(ask(Method::OPTIONS).await.0, 204, "H-4");
    assert_eq!(ask(Method::POST).await.0, 405, "H-2");
    service.desk.flush().await;
    let lines = home.store.deliveries(&"wire".parse().unwrap()).await.unwrap();
    assert_eq!(
        lines.iter().map(|line| line.count).sum::<u64>(),
        1,
        "whoever asks for the head has not got it"
    );
}

#[test]
fn no_token_is_in_the_log_the_store_or_an_answer() {
    let site = Site::new(&format!("{SETTINGS}\n[[partner]]\nname = \"wire\"\nfeeds = [\"all\"]\n"));
    site.write("a.ndjson", r#"{"id": "1", "title": "One", "date_published": "2026-03-05"}"#);
    assert!(site.run(&["import", "a.ndjson"]).status.success());
    let made = site.run(&["partner", "token", "wire"]);
    assert!(made.status.success());
    let secret = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(secret.starts_with("courant_") && secret.len() == 51, "{secret}");

    let running = site.serve();
    let address = running.address;
    let bearer = format!("Bearer {secret}");
    let mut answers = Vec::new();
    for (path, shown) in [
        ("/partner/wire/all.rss".to_owned(), &*bearer),
        (format!("/partner/wire/{secret}/all.rss"), ""),
        (format!("/partner/wire/{}/all.rss", secret.replace('_', "%5F")), ""),
        (format!("/partner/wire/{secret}/nothing.rss"), ""),
        (format!("/partner/other/{secret}/all.rss"), ""),
        ("/partner/wire/changes".to_owned(), &*bearer),
        ("/metrics".to_owned(), ""),
        // Slips of the pen.
        (format!("/Partner/wire/{secret}/all.rss"), ""),
        (format!("//partner/wire/{secret}/all.rss"), ""),
        (format!("/wire/{secret}/all.rss"), ""),
        (format!("/media/{secret}"), ""),
        (format!("/x{secret}.rss"), ""),
    ] {
        let (_, head, body) = get(address, &path, &[("Authorization", shown)]);
        answers.push(format!("{head}\n{}", String::from_utf8_lossy(&body)));
    }
    assert!(answers[0].starts_with("HTTP/1.1 200") && answers[1].starts_with("HTTP/1.1 200"));
    let (status, head, _) =
        request(address, "POST", &format!("/partner/wire/{secret}/all.rss"), &[]);
    assert_eq!(status, 405, "{head}");
    // A token that is made or revoked while the service runs counts within a second.
    let rotated = site.run(&["partner", "token", "wire", "--rotate", "--overlap-hours", "0"]);
    let new = String::from_utf8(rotated.stdout).unwrap().trim().to_owned();
    let is_let_in =
        |secret: &str| get(address, &format!("/partner/wire/{secret}/all.rss"), &[]).0 == 200;
    until("the new token counts", || is_let_in(&new).then_some(()));
    assert!(!is_let_in(&secret));
    let status = || {
        let said = site.run(&["partner", "status", "wire"]);
        let said = String::from_utf8(said.stdout).unwrap();
        (said.contains("fetched") && said.contains("  has ")).then_some(said)
    };
    until("the ledger is written", status);
    let (ended, said) = running.stop();
    assert!(ended.success());
    answers.extend(said);

    let mut kept = answers.join("\n").into_bytes();
    for file in std::fs::read_dir(site.path(".")).unwrap() {
        kept.extend(std::fs::read(file.unwrap().path()).unwrap_or_default());
    }
    for secret in [&secret, &new] {
        let body = secret.strip_prefix("courant_").unwrap();
        let found = kept.windows(body.len()).any(|window| window == body.as_bytes());
        assert!(!found, "a token is somewhere");
    }
    let log = std::fs::read_to_string(site.path("log")).unwrap();
    assert!(log.contains("/partner/wire/…/all.rss"), "{log}");
}

crate::cases!(
    a_token_is_taken_in_each_of_three_places_and_nothing_else_is,
    a_token_that_is_rotated_or_revoked_ends_when_it_should,
    a_revoked_token_came_back_when_the_clock_went_back,
    public_feeds_are_the_same_with_and_without_partners,
    a_partner_gets_what_it_is_cleared_for_under_the_same_identities,
    what_is_private_moves_nothing_that_is_public,
    what_has_gone_leaves_a_sign_for_those_who_had_it_and_for_so_long,
    a_sign_stays_when_its_article_comes_back_where_the_feed_does_not_read,
    what_is_filed_otherwise_leaves_a_sign_in_the_feed_that_it_left,
    a_sign_stays_while_its_article_waits_to_come_back,
    who_never_got_an_article_is_not_told_that_it_went,
    what_waits_goes_on_waiting_when_delays_are_others,
    some_get_articles_later_and_some_before_an_embargo_ends,
    private_files_are_reached_through_the_feed_as_long_as_anybody_is_let_in,
    the_ledger_says_what_was_fetched_and_who_has_seen_a_change,
    a_page_that_ends_within_a_write_was_noted_as_all_of_it,
    not_modified_was_noted_where_no_tag_was_shown,
    a_partner_that_waits_for_an_article_was_said_to_have_seen_it,
    some_could_never_see_a_change_and_were_waited_for,
    what_is_held_back_from_a_partner_is_counted,
    a_look_at_other_terms_disturbs_no_service_that_runs,
    changes_begin_anew_where_the_terms_are_others,
    partners_are_asked_for_with_the_methods_of_feeds,
);
