//! The conditional requests V1 to V32 (H.5), each asked of `respond` and over a socket.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use courant::http::respond;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Empty};

use crate::{
    fixtures::{Home, at, submission},
    http::{Client, LIMITS},
};

/// A row: its number, method, path, fields, status. `a1` stands for the opaque part of the identity's tag; `rss` for
/// that of the RSS edition on the page of a negotiated address.
struct Vector(
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    u16,
);

const DATE: &str = "Thu, 05 Mar 2026 12:00:00 GMT";
const FEED: &str = "/category/news.rss";

#[rustfmt::skip]
const VECTORS: &[Vector] = &[
    Vector("V1", "GET", FEED, &[("if-none-match", "\"a1\"")], 304),
    Vector("V2", "GET", FEED, &[("if-none-match", "W/\"a1\"")], 304),
    Vector("V3", "GET", FEED, &[("if-none-match", "\"zz\", W/\"a1\"")], 304),
    Vector("V4", "GET", FEED, &[("if-none-match", "\"zz\",, ,\"a1\"")], 304),
    Vector("V5", "GET", FEED, &[("if-none-match", "\"zz\""), ("if-none-match", "\"a1\"")], 304),
    Vector("V6", "GET", FEED, &[("if-none-match", "*")], 304),
    Vector("V7", "GET", FEED, &[("if-none-match", "w/\"a1\"")], 200),
    Vector("V8", "GET", FEED, &[("if-none-match", "a1")], 200),
    Vector("V9", "GET", FEED, &[("if-none-match", "*, \"a1\"")], 200),
    Vector("V10", "GET", FEED, &[("if-none-match", "\"b,a1\"")], 200),
    Vector("V11", "GET", FEED, &[("if-none-match", "\"zz\""), ("if-modified-since", DATE)], 200),
    Vector("V12", "GET", FEED, &[("if-none-match", "\"a1\""), ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")], 304),
    Vector("V13", "GET", FEED, &[("if-modified-since", DATE)], 304),
    Vector("V14", "GET", FEED, &[("if-modified-since", "Thu, 05 Mar 2026 12:30:00 GMT")], 304),
    Vector("V14b", "GET", FEED, &[("if-modified-since", "Mon, 05 Mar 2096 12:30:00 GMT")], 304),
    Vector("V15", "GET", FEED, &[("if-modified-since", "Thu, 05 Mar 2026 11:59:59 GMT")], 200),
    Vector("V16", "GET", FEED, &[("if-modified-since", "Thursday, 05-Mar-26 12:00:00 GMT")], 304),
    Vector("V17", "GET", FEED, &[("if-modified-since", "Thu Mar  5 12:00:00 2026")], 304),
    Vector("V18", "GET", FEED, &[("if-modified-since", "Thu, 5 Mar 2026 12:00:00 GMT")], 200),
    Vector("V19", "GET", FEED, &[("if-modified-since", "Thu, 05 Mar 2026 12:00:00 +0000")], 200),
    Vector("V20", "GET", FEED, &[("if-modified-since", DATE), ("if-modified-since", DATE)], 200),
    Vector("V21", "GET", FEED, &[("if-none-match", "\"a1-gzip\"")], 304),
    Vector("V22", "GET", FEED, &[("if-match", "W/\"a1\"")], 412),
    Vector("V23", "GET", FEED, &[("if-match", "\"zz\"")], 412),
    Vector("V23b", "GET", FEED, &[("if-match", "\"a1\"")], 200),
    Vector("V24", "GET", FEED, &[("if-unmodified-since", "Thu, 05 Mar 2026 11:59:59 GMT")], 412),
    Vector("V25", "GET", "/category/nowhere.rss", &[("if-none-match", "*")], 404),
    Vector("V26", "HEAD", FEED, &[("if-none-match", "\"a1\"")], 304),
    Vector("V27", "OPTIONS", FEED, &[("if-none-match", "\"a1\"")], 204),
    Vector("V28", "GET", FEED, &[("accept-encoding", "gzip"), ("if-none-match", "\"a1;gzip\"")], 304),
    Vector("V29", "GET", FEED, &[("accept-encoding", "gzip"), ("if-none-match", "\"a1\"")], 304),
    Vector("V30", "GET", FEED, &[("accept-encoding", "identity"), ("if-none-match", "\"a1;gzip\"")], 200),
    Vector("V31", "GET", FEED, &[("a-im", "feed"), ("if-none-match", "\"a1\"")], 304),
    Vector("V32", "GET", "/category/news", &[("accept", "application/atom+xml"), ("if-none-match", "\"a1\"")], 200),
];

/// A store whose feed was last changed at the date of the vectors, large enough to be worth coding.
async fn home() -> Home {
    let home = Home::new();
    home.publish((0..20).map(|n| submission(&format!("article-{n}"), -n)).collect(), 0).await;
    home
}

/// What is asked in a row, with the real tag in it.
fn request(vector: &Vector, tag: &str) -> Request<Empty<Bytes>> {
    let Vector(_, method, path, fields, _) = vector;
    let mut request =
        Request::builder().method(*method).uri(*path).header("host", "feeds.example.com");
    for (name, value) in *fields {
        request = request.header(*name, value.replace("a1", tag));
    }
    request.body(Empty::new()).unwrap()
}

/// The opaque part of a tag, without quotes.
fn opaque(fields: &HeaderMap) -> String {
    fields["etag"].to_str().unwrap().trim_matches('"').to_owned()
}

/// What must hold of every answer of the table.
fn check(vector: &Vector, status: u16, fields: &HeaderMap, body: &[u8], tag: &str) {
    let Vector(name, method, path, _, expected) = vector;
    assert_eq!(status, *expected, "{name}");
    assert_eq!(fields["access-control-allow-origin"], "*", "{name}: H-125");
    assert_eq!(fields["x-content-type-options"], "nosniff", "{name}: H-123");
    if status == 304 {
        assert!(body.is_empty(), "{name}");
        let selected =
            if *name == "V28" { format!("\"{tag};gzip\"") } else { format!("\"{tag}\"") };
        assert_eq!(fields["etag"], selected, "{name}: H-61, H-59");
        assert_eq!(fields["vary"], "Accept-Encoding", "{name}: H-60");
        assert!(
            fields["cache-control"].to_str().unwrap().starts_with("public, max-age=300"),
            "{name}: H-60"
        );
        let link = fields["link"].to_str().unwrap();
        assert!(link.contains(path) && link.contains("rel=\"self\""), "{name}: {link}, H-62");
        assert!(!link.contains("alternate"), "{name}: {link}");
        for absent in ["last-modified", "content-type", "content-encoding", "content-length"] {
            assert!(!fields.contains_key(absent), "{name}: {absent}, H-60");
        }
    }
    if status == 200 && *path == FEED && *method == "GET" {
        assert_eq!(fields["last-modified"], DATE, "{name}");
        assert!(body.starts_with(b"<?xml"), "{name}");
    }
}

#[tokio::test]
async fn every_vector_is_answered() {
    let home = home().await;
    let publisher = home.publisher(at(0)).await;
    let now: DateTime<Utc> = at(7_200);
    let ask = async |request: Request<Empty<Bytes>>| {
        let (head, body) = respond(&publisher, &LIMITS, &request, now).await.into_parts();
        (head.status.as_u16(), head.headers, body.collect().await.unwrap().to_bytes())
    };
    let plain = Vector("plain", "GET", FEED, &[], 200);
    let tag = opaque(&ask(request(&plain, "")).await.1);
    for vector in VECTORS {
        let (status, fields, body) = ask(request(vector, &tag)).await;
        check(vector, status, &fields, &body, &tag);
    }
}

#[tokio::test]
async fn every_vector_is_answered_over_a_socket() {
    let home = home().await;
    let publisher = home.publisher(at(0)).await;
    let server = crate::http::Server::start(Arc::clone(&publisher)).await;
    let address: SocketAddr = server.address;
    let mut client = Client::connect(address).await;
    let plain = Vector("plain", "GET", FEED, &[], 200);
    let tag = opaque(&client.ask(request(&plain, "")).await.1);
    for vector in VECTORS {
        let (status, fields, body) = client.ask(request(vector, &tag)).await;
        assert!(fields.contains_key("date"), "{}: H-120", vector.0);
        check(vector, status, &fields, &body, &tag);
    }
    let head = Vector("HEAD", "HEAD", FEED, &[("accept-encoding", "br")], 200);
    let (status, fields, body) = client.ask(request(&head, "")).await;
    assert_eq!((status, &fields["content-encoding"], body.len()), (200, &"br".parse().unwrap(), 0));
    assert!(fields["content-length"].to_str().unwrap().parse::<u32>().unwrap() > 100, "H-3");
    drop(client);
    server.stop().await;
}
