//! Budgets, subscribers, numbers: who is refused, what is counted, and what is never told.

use std::{collections::BTreeSet, net::IpAddr, path::Path, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use courant::{
    config::{self, Overrides},
    http::{Answer, respond_politely},
    publish::Publisher,
    traffic::{FeedReport, OTHER, Policy, Report, Traffic},
};
use http::Request;
use http_body_util::Empty;
use proptest::prelude::*;

use crate::{
    fixtures::{FEEDS, Home, at, catalogue},
    http::{Client, LIMITS, Server, ask, body, field, get, home, size},
};

/// A service, and those who ask it.
struct Service {
    home: Home,
    publisher: Arc<Publisher>,
    traffic: Traffic,
}

impl Service {
    /// With what `feeds.toml` says below [`FEEDS`].
    async fn new(settings: &str) -> Self {
        let (home, publisher) = home().await;
        let traffic = Traffic::new(policy(settings), publisher.catalogue(), at(0));
        Self { home, publisher, traffic }
    }

    async fn answer(
        &self,
        peer: &str,
        request: &Request<Empty<Bytes>>,
        now: DateTime<Utc>,
    ) -> Answer {
        let caller = self.traffic.access().caller(peer.parse().unwrap());
        respond_politely(&self.publisher, &LIMITS, &self.traffic, &caller, request, now).await
    }

    async fn status(&self, peer: &str, path: &str, fields: &[(&str, &str)], second: i64) -> u16 {
        self.answer(peer, &get(path, fields), at(second)).await.status().as_u16()
    }

    async fn tag(&self, path: &str) -> String {
        field(&self.answer("127.0.0.1", &get(path, &[]), at(10)).await, "etag").to_owned()
    }

    fn report(&self, feed: &str) -> FeedReport {
        let report = self.traffic.report(at(20));
        report.feeds.into_iter().find(|report| report.feed == feed).unwrap()
    }
}

fn policy(settings: &str) -> Policy {
    let text = format!("{FEEDS}\n{settings}");
    config::read(&text, Path::new("feeds.toml"), &Overrides::default()).unwrap().politeness
}

const STRICT: &str = "[politeness]\nunconditional_per_hour = 2\nconditional_per_hour = 4";

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let service = Service::new(STRICT).await;
    for _ in 0..2 {
        assert_eq!(service.status("192.0.2.1", "/all.rss", &[], 10).await, 200);
    }
    let refused = service.answer("192.0.2.1", &get("/all.rss", &[]), at(10)).await;
    assert_eq!(refused.status(), 429, "H-24");
    assert_eq!(field(&refused, "retry-after"), "1800", "H-24: in seconds");
    assert_eq!(field(&refused, "cache-control"), "no-store", "H-23");
    assert_eq!(field(&refused, "content-type"), "application/problem+json", "H-27");
    assert_eq!(field(&refused, "access-control-allow-origin"), "*", "H-125");
    assert_eq!(field(&refused, "access-control-expose-headers"), "Retry-After", "H-126");
    assert!(!refused.headers().contains_key("etag"));
    let problem: serde_json::Value = serde_json::from_str(&body(refused).await).unwrap();
    assert_eq!(problem["status"], 429);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("2 times an hour without `If-None-Match`"), "{detail}: H-24");
    assert_eq!(service.status("192.0.2.1", "/all.rss", &[], 1_809).await, 429);
    assert_eq!(service.status("192.0.2.1", "/all.rss", &[], 1_811).await, 200, "as it was told");

    let head = service.answer("192.0.2.1", &ask("HEAD", "/all.rss", &[]), at(1_811)).await;
    assert_eq!(head.status(), 429);
    assert_eq!(body(head).await, "", "H-3");
    assert_eq!(service.status("192.0.2.2", "/all.rss", &[], 10).await, 200, "another client");
    assert_eq!(service.status("192.0.2.1", "/calm.rss", &[], 10).await, 200, "another feed");
    assert_eq!(service.status("192.0.2.1", "/all.atom", &[], 1_811).await, 429, "the same feed");
    assert_eq!(service.status("192.0.2.1", "/all", &[], 1_811).await, 429, "the same feed");
}

#[tokio::test]
async fn polls_with_a_validator_have_a_budget_of_their_own() {
    let service = Service::new(STRICT).await;
    let tag = service.tag("/all.rss").await;
    for _ in 0..4 {
        let held = [("if-none-match", tag.as_str())];
        assert_eq!(service.status("192.0.2.1", "/all.rss", &held, 10).await, 304);
    }
    let dated = [("if-modified-since", "Thu, 05 Mar 2026 12:00:00 GMT")];
    let refused = service.answer("192.0.2.1", &get("/all.rss", &dated), at(10)).await;
    assert_eq!((refused.status().as_u16(), field(&refused, "retry-after")), (429, "900"));
    assert_eq!(service.status("192.0.2.1", "/all.rss", &[], 10).await, 200, "H-25");
    for hour in 1..48 {
        let polite = service.status("192.0.2.9", "/all.rss", &dated, hour * 3_600).await;
        assert_eq!(polite, 304, "C 30: hourly with a validator is never limited");
    }
}

#[tokio::test]
async fn feeds_are_limited_and_nothing_else_is() {
    let service = Service::new("[politeness]\nunconditional_per_hour = 1").await;
    let second = async |path: &str| {
        service.status("192.0.2.1", path, &[], 10).await;
        service.status("192.0.2.1", path, &[], 10).await
    };
    for path in ["/", "/all.html", "/feeds.opml", "/style.css", "/robots.txt", "/healthz"] {
        assert_eq!(second(path).await, 200, "{path}");
    }
    assert_eq!(second("/All.RSS").await, 308, "it leads to the one that is limited");
    for path in ["/calm.json", "/category/news.atom", "/category/headlines", "/category/none.rss"] {
        assert_eq!(second(path).await, 429, "{path}");
    }
    let options = ask("OPTIONS", "/calm.json", &[]);
    assert_eq!(service.answer("192.0.2.1", &options, at(10)).await.status(), 204);
}

#[tokio::test]
async fn loopback_is_not_limited_and_limits_can_be_off() {
    let service = Service::new("[politeness]\nunconditional_per_hour = 1").await;
    for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        for _ in 0..5 {
            assert_eq!(service.status(peer, "/all.rss", &[], 10).await, 200, "{peer}");
        }
    }
    let off = Service::new("[politeness]\nlimits = false\nunconditional_per_hour = 1").await;
    for _ in 0..5 {
        assert_eq!(off.status("192.0.2.1", "/all.rss", &[], 10).await, 200);
    }
    let usual = Service::new("").await;
    for _ in 0..120 {
        assert_eq!(usual.status("192.0.2.1", "/all.rss", &[], 10).await, 200, "as documented");
    }
    assert_eq!(usual.status("192.0.2.1", "/all.rss", &[], 10).await, 429, "as documented");
}

#[tokio::test]
async fn who_is_behind_a_proxy_is_known_only_through_proxies_that_are_named() {
    let service = Service::new(
        "[politeness]\nunconditional_per_hour = 1\ntrusted_proxies = ['127.0.0.1', '10.0.0.0/8']",
    )
    .await;
    let from = |client: &'static str| [("x-forwarded-for", client)];
    assert_eq!(service.status("127.0.0.1", "/all.rss", &from("192.0.2.1"), 10).await, 200);
    assert_eq!(service.status("127.0.0.1", "/all.rss", &from("192.0.2.2"), 10).await, 200);
    assert_eq!(service.status("10.0.0.1", "/all.rss", &from("192.0.2.1"), 10).await, 429);
    let spoofed = from("203.0.113.7, 192.0.2.1, 10.0.0.9");
    assert_eq!(service.status("10.0.0.1", "/all.rss", &spoofed, 10).await, 429, "right-most");
    let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=203.0.113.8")];
    assert_eq!(service.status("10.0.0.1", "/all.rss", &both, 10).await, 429, "one field alone");

    assert_eq!(service.status("198.51.100.1", "/all.rss", &from("127.0.0.1"), 10).await, 200);
    for number in 0..20 {
        let forged = format!("203.0.113.{number}");
        let forged = [("x-forwarded-for", forged.as_str())];
        assert_eq!(service.status("198.51.100.1", "/all.rss", &forged, 10).await, 429, "not named");
    }
}

#[tokio::test]
async fn an_ipv6_network_is_one_client() {
    let service = Service::new("[politeness]\nunconditional_per_hour = 1").await;
    assert_eq!(service.status("2001:db8:0:1::1", "/all.rss", &[], 10).await, 200);
    assert_eq!(service.status("2001:db8:0:1:a:b:c:d", "/all.rss", &[], 10).await, 429);
    assert_eq!(service.status("2001:db8:0:2::1", "/all.rss", &[], 10).await, 200);
}

#[tokio::test]
async fn what_is_answered_is_counted_by_feed_format_and_status() {
    let service = Service::new("[politeness]\nunconditional_per_hour = 2").await;
    let gzip = ("accept-encoding", "gzip");
    let whole = service.answer("192.0.2.1", &get("/all.atom", &[gzip]), at(10)).await;
    let tag = field(&whole, "etag").to_owned();
    let length = size(&whole);
    let held = [gzip, ("if-none-match", tag.as_str())];
    for _ in 0..3 {
        assert_eq!(service.status("192.0.2.1", "/all.atom", &held, 10).await, 304);
    }
    let old = [gzip, ("if-none-match", "\"old\"")];
    assert_eq!(service.status("192.0.2.1", "/all.atom", &old, 10).await, 200);
    let browser = [gzip, ("accept", "application/atom+xml"), ("if-none-match", tag.as_str())];
    assert_eq!(service.status("192.0.2.3", "/all", &browser, 10).await, 304);
    assert_eq!(service.status("192.0.2.3", "/all", &[("accept", "image/png")], 10).await, 406);
    let bare = service.answer("192.0.2.4", &ask("HEAD", "/all.atom", &held), at(10)).await;
    assert_eq!(bare.status(), 304);
    for _ in 0..2 {
        service.status("192.0.2.1", "/all.atom", &[gzip], 10).await;
    }

    let report = service.report("all");
    let [atom, open] = &report.formats[..] else { panic!("{report:?}") };
    let requests = atom.requests;
    assert_eq!((atom.format.as_str(), open.format.as_str()), ("atom", "open"));
    assert_eq!((requests.whole, requests.unchanged, requests.refused), (3, 5, 1));
    assert_eq!((open.requests.other, open.requests.total()), (1, 1));
    assert_eq!(atom.conditional, 6);
    assert_eq!(atom.bytes_saved, 4 * length, "a HEAD would have had no body");
    let refusal = atom.bytes_sent - 3 * length;
    assert!(refusal > 0 && refusal < 400, "{refusal} bytes of a 429");
}

#[tokio::test]
async fn a_delta_saves_what_it_leaves_out() {
    let service = Service::new("").await;
    let before = service.tag("/all.json").await;
    let more = crate::fixtures::submission("more", 60);
    service.home.publish(vec![more], 60).await;
    service.publisher.refresh(at(60)).await.unwrap();
    let asks = [("a-im", "feed"), ("if-none-match", before.as_str())];
    let delta = service.answer("192.0.2.1", &get("/all.json", &asks), at(90)).await;
    assert_eq!(delta.status(), 226);
    let part = size(&delta);
    let whole = service.answer("192.0.2.1", &get("/all.json", &[]), at(90)).await;
    let whole = size(&whole);
    let json = &service.report("all").formats[0];
    assert_eq!((json.requests.delta, json.bytes_saved, json.conditional), (1, whole - part, 1));
}

#[tokio::test]
async fn subscribers_are_counted_once_for_each_reader_and_feed_id() {
    let service = Service::new("").await;
    for hour in 0..5 {
        for (agent, path) in [
            ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 16 subscribers)", "/all.rss"),
            ("Feedbin feed-id:1 - 142 subscribers", "/all.rss"),
            ("Feedbin feed-id:2 - 8 subscribers", "/all.atom"),
            ("Feedbin feed-id:3 - 1 subscriber", "/calm.rss"),
            ("Liar/1.0 (99 subscribers)", "/nowhere.rss"),
            ("curl/8.5.0", "/all.rss"),
        ] {
            let fields = [("user-agent", agent)];
            let peer = format!("192.0.2.{hour}");
            service.status(&peer, path, &fields, hour * 60).await;
        }
    }
    assert_eq!(service.report("all").subscribers, 16 + 142 + 8, "H-134");
    assert_eq!(service.report("calm").subscribers, 1, "H-134");
    let week = service.traffic.report(at(8 * 86_400));
    assert!(week.feeds.iter().all(|feed| feed.subscribers == 0), "rolling seven days");
    let agents = service.traffic.report(at(0)).agents;
    let agents: Vec<_> = agents.iter().map(|a| (a.agent.as_str(), a.requests)).collect();
    assert_eq!(agents, [("Feedbin", 15), ("Feedly", 5), ("curl", 5)]);
}

#[tokio::test]
async fn clients_are_estimated_by_the_day() {
    let service = Service::new("").await;
    for number in 0..300 {
        let peer = IpAddr::from([192, 0, 2, u8::try_from(number % 100).unwrap()]).to_string();
        assert_eq!(service.status(&peer, "/all.rss", &[], number).await, 200);
    }
    let report = service.report("all");
    assert!((90..=110).contains(&report.clients_today), "{}", report.clients_today);
    assert_eq!(report.clients_yesterday, None);
    let next = service.traffic.report(at(86_400)).feeds.remove(0);
    assert_eq!(next.clients_today, 0, "forgotten");
    assert!((90..=110).contains(&next.clients_yesterday.unwrap()), "{next:?}");
    let later = service.traffic.report(at(10 * 86_400)).feeds.remove(0);
    assert_eq!(later.clients_yesterday, None, "nobody knows");
}

/// A line of the text format of Prometheus, taken apart: name, labels, value.
type Sample = (String, Vec<(String, String)>, f64);

fn sample(line: &str) -> Sample {
    let name_end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(name_end);
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        let mut inside = inside;
        while !inside.starts_with('}') {
            let (label, value) = inside.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let mut text = String::new();
            let mut chars = value.char_indices();
            let end = loop {
                match chars.next().expect("a label ends") {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next().unwrap().1 {
                        'n' => text.push('\n'),
                        c @ ('\\' | '"') => text.push(c),
                        c => panic!("{c} is not escaped: {line}"),
                    },
                    (_, c) => text.push(c),
                }
            };
            labels.push((label.to_owned(), text));
            inside = &value[end + 1..];
            inside = inside.strip_prefix(',').unwrap_or(inside);
        }
        rest = &inside[1..];
    }
    let value = rest.strip_prefix(' ').unwrap();
    (name.to_owned(), labels, value.parse().unwrap())
}

/// Every sample of a text, which has to keep the rules of the format.
fn samples(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n'));
    let mut kinds: Vec<(String, String)> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut samples = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(matches!(word, "HELP" | "TYPE"), "{line}");
            if word == "TYPE" {
                let kind = words.next().unwrap();
                assert!(matches!(kind, "counter" | "gauge"), "{line}");
                assert!(kinds.iter().all(|(known, _)| known != name), "{line}: twice");
                kinds.push((name.to_owned(), kind.to_owned()));
            }
            continue;
        }
        let (name, labels, value) = sample(line);
        let (family, kind) = kinds.last().unwrap();
        assert_eq!(*family, name, "a sample stands below its family");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        assert!(name.starts_with("courant_") && value >= 0.0 && value.fract() == 0.0, "{line}");
        assert!(seen.insert(format!("{name} {labels:?}")), "{line}: twice");
        samples.push((name, labels, value));
    }
    samples
}

#[tokio::test]
async fn the_numbers_parse_and_never_hold_an_address() {
    let service = Service::new("[metrics]\nreaders = ['198.51.100.0/24']").await;
    let agents = ["Feedly/1.0 (http://x; 16 subscribers)", "192.0.2.77", "v192.0.2.77/1.0"];
    for agent in agents {
        for path in ["/all.rss", "/category/headlines.atom", "/nowhere/192.0.2.77.rss"] {
            let fields = [("user-agent", agent), ("x-forwarded-for", "192.0.2.77")];
            service.status("192.0.2.77", path, &fields, 10).await;
            service.status("2001:db8:77::1", path, &fields, 10).await;
        }
    }
    let metrics = service.answer("198.51.100.1", &get("/metrics", &[]), at(20)).await;
    assert_eq!(metrics.status(), 200);
    assert_eq!(field(&metrics, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(field(&metrics, "cache-control"), "no-store");
    assert!(!metrics.headers().contains_key("access-control-allow-origin"));
    let text = body(metrics).await;
    let samples = samples(&text);
    let value = |name: &str, wanted: &[(&str, &str)]| {
        let is_meant = |labels: &Vec<(String, String)>| {
            wanted
                .iter()
                .all(|(key, value)| labels.iter().any(|(name, held)| name == key && held == value))
        };
        let found = samples.iter().find(|(held, labels, _)| held == name && is_meant(labels));
        found.map(|(_, _, value)| *value)
    };
    let all = [("feed", "all"), ("format", "rss")];
    assert_eq!(value("courant_requests_total", &[all[0], all[1], ("status", "200")]), Some(6.0));
    assert!(value("courant_sent_bytes_total", &all) > Some(100.0), "{text}");
    assert_eq!(value("courant_saved_bytes_total", &all), Some(0.0));
    assert_eq!(value("courant_conditional_requests_total", &all), Some(0.0));
    assert_eq!(value("courant_subscribers", &[("feed", "category/headlines")]), Some(16.0));
    assert!(value("courant_clients_today", &[("feed", "all")]) >= Some(1.0));
    let others = [("feed", OTHER), ("format", "rss"), ("status", "other")];
    assert_eq!(value("courant_requests_total", &others), Some(6.0));
    assert_eq!(value("courant_agent_requests_total", &[("agent", "Feedly")]), Some(4.0));
    let since = at(0).timestamp().to_string();
    assert!(text.contains(&format!("courant_start_time_seconds {since}\n")), "{text}");

    let json = body(service.answer("198.51.100.1", &get("/metrics.json", &[]), at(20)).await).await;
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), service.traffic.report(at(20)));
    for told in [&text, &json] {
        for hidden in ["192.0.2", "2001:db8", "198.51", "nowhere"] {
            assert!(!told.contains(hidden), "{hidden}: {told}");
        }
    }
}

#[tokio::test]
async fn to_everybody_else_the_numbers_are_nowhere() {
    let service = Service::new("").await;
    for path in ["/metrics", "/metrics.json"] {
        let own = Request::builder().uri(path).header("host", "127.0.0.1:8080");
        let own = own.body(Empty::new()).unwrap();
        assert_eq!(service.answer("127.0.0.1", &own, at(10)).await.status(), 200, "{path}");
        let unknown = service.answer("192.0.2.1", &get("/nothing", &[]), at(10)).await;
        // The second is the public host, as a proxy on this machine passes it on.
        for (peer, fields) in [
            ("192.0.2.1", &[][..]),
            ("127.0.0.1", &[]),
            ("192.0.2.1", &[("x-forwarded-for", "127.0.0.1")]),
        ] {
            let answer = service.answer(peer, &get(path, fields), at(10)).await;
            assert_eq!(answer.status(), 404, "{path} {peer}");
            assert_eq!(answer.headers().len(), unknown.headers().len());
        }
        let post = service.answer("127.0.0.1", &ask("POST", path, &[]), at(10)).await;
        assert_eq!(post.status(), 405, "H-2");
    }
}

#[tokio::test]
async fn a_socket_shows_whose_request_it_is() {
    let (_home, publisher) = home().await;
    let settings = "[politeness]\nunconditional_per_hour = 1\nexempt = []\n";
    let policy = policy(settings);
    let traffic = Arc::new(Traffic::new(policy, publisher.catalogue(), at(0)));
    let shared = Arc::clone(&traffic);
    let server = Server::start_with(publisher, |settings| settings.traffic = shared).await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.ask(get("/all.rss", &[])).await.0, 200);
    let (status, fields, body) = client.ask(get("/all.rss", &[])).await;
    assert_eq!((status, fields["cache-control"].to_str().unwrap()), (429, "no-store"), "H-24");
    assert_eq!(fields["content-length"].to_str().unwrap(), body.len().to_string());
    let other = Client::connect(server.address).await.ask(get("/all.rss", &[])).await;
    assert_eq!(other.0, 429, "the client counts, not the connection");
    assert_eq!(client.ask(get("/all.html", &[])).await.0, 200, "the connection goes on");
    server.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_fields_make_it_panic_or_tell_an_address(
        agent in prop::collection::vec(0x20_u8..=0xff, 0..200),
        hops in prop::collection::vec(0x20_u8..0x7f, 0..200),
        forwarded in "[a-z0-9=\";:.,\\[\\] ]{0,80}",
        peer in any::<[u8; 4]>(),
    ) {
        let settings = "[politeness]\ntrusted_proxies = ['0.0.0.0/0']\nproxy_field = ";
        for field in ["'x-forwarded-for'", "'forwarded'"] {
            let traffic = Traffic::new(policy(&format!("{settings}{field}")), &catalogue(), at(0));
            let mut fields = http::HeaderMap::new();
            let mut add = |name: &'static str, bytes: &[u8]| {
                if let Ok(value) = http::HeaderValue::from_bytes(bytes) {
                    fields.insert(name, value);
                }
            };
            add("user-agent", &agent);
            add("x-forwarded-for", &hops);
            add("forwarded", forwarded.as_bytes());
            let caller = traffic.access().caller(IpAddr::from(peer));
            let client = traffic.access().client(&caller, &fields);
            let asked = traffic.asked("/all.rss");
            let sent = courant::traffic::Sent { status: 200, bytes: 1, ..Default::default() };
            prop_assert!(traffic.admit(client, &asked, false, at(1)).is_ok());
            let agent = fields.get("user-agent").map(http::HeaderValue::as_bytes);
            traffic.count(client, &asked, agent, sent, at(1), None);
            let text = traffic.report(at(2)).prometheus();
            samples(&text);
            prop_assert!(!text.contains(&IpAddr::from(peer).to_string()));
        }
    }
}
