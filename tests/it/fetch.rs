//! Requests to elsewhere: what is sent, what is taken, and where it ends (W-40 to W-43).

use std::time::Duration;

use bytes::Bytes;
use courant::fetch::{
    Answer, Client, FetchError, Known, Limits, MAX_MOVES, Reach, Refusal, Request,
};
use futures_util::stream;
use http::{HeaderValue, Method, Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::support::receiver::{Asked, Body, Receiver, answer};

const LIMITS: Limits =
    Limits { body_bytes: 10_000, connect: Duration::from_secs(10), whole: Duration::from_secs(20) };

fn client() -> Client {
    Client::new(Reach::Anywhere, LIMITS)
}

async fn get(server: &Receiver, path: &str) -> Result<Answer, FetchError> {
    client().send(&Request::get(server.url(path))).await
}

/// So many pieces of so many bytes, without a length in front.
fn pieces(count: usize, piece: usize) -> Body {
    let bytes = std::iter::repeat_n(Bytes::from(vec![b'a'; piece]), count);
    StreamBody::new(stream::iter(bytes.map(|bytes| Ok(Frame::data(bytes))))).boxed()
}

#[tokio::test]
async fn a_server_learns_who_asks_and_what_is_known_already() {
    let server = Receiver::new(|asked: &Asked| {
        let fields = [("etag", "\"7\""), ("last-modified", "Thu, 05 Mar 2026 12:00:00 GMT")];
        let is_known = asked.headers.contains_key(header::IF_NONE_MATCH);
        answer(if is_known { 304 } else { 200 }, &fields, if is_known { "" } else { "news" })
    })
    .await;
    let first = get(&server, "/feed").await.unwrap();
    assert_eq!((first.status.as_u16(), &*first.body), (200, &b"news"[..]));
    let known = first.known();
    assert_eq!(known.etag.as_deref(), Some("\"7\""));
    let again = Request { known: known.clone(), ..Request::get(server.url("/feed")) };
    let second = client().send(&again).await.unwrap();
    assert_eq!((second.status.as_u16(), second.body.len()), (304, 0));
    assert_eq!(second.known(), known);

    let asked = server.asked();
    let field =
        |nth: usize, name| asked[nth].headers.get(name).map(|value| value.to_str().unwrap());
    let agent = concat!("Courant/", env!("CARGO_PKG_VERSION"));
    assert_eq!(field(0, header::USER_AGENT), Some(agent));
    assert_eq!(field(0, header::IF_NONE_MATCH), None);
    assert_eq!(field(1, header::IF_NONE_MATCH), Some("\"7\""));
    assert_eq!(field(1, header::IF_MODIFIED_SINCE), Some("Thu, 05 Mar 2026 12:00:00 GMT"));

    // What cannot stand in a field is not sent, and what is kept comes back as it was.
    let odd = Known { etag: Some("\"a\"\r\nX: y".to_owned()), last_modified: None };
    client().send(&Request { known: odd, ..again }).await.unwrap();
    assert!(!server.asked()[2].headers.contains_key("x"));
    let kept: Known = serde_json::from_str(&serde_json::to_string(&known).unwrap()).unwrap();
    assert_eq!(kept, known);
}

#[tokio::test]
async fn a_body_ends_at_the_limit() {
    let server = Receiver::new(|asked: &Asked| match asked.uri.path() {
        "/fits" => Response::new(pieces(10, 1_000)),
        "/over" => Response::new(pieces(10_001, 1)),
        "/endless" => Response::new(pieces(usize::MAX, 1_000)),
        "/declared" => answer(200, &[], vec![0; 10_001]),
        "/bomb" => answer(200, &[("content-encoding", "gzip")], packed(50_000_000)),
        "/packed" => answer(200, &[("content-encoding", "gzip")], packed(10_000)),
        _ => answer(200, &[("content-encoding", "gzip")], "no gzip"),
    })
    .await;
    for (path, expected) in [
        ("/fits", true),
        ("/over", false),
        ("/endless", false),
        ("/declared", false),
        ("/bomb", false),
    ] {
        let outcome = get(&server, path).await;
        let is_over = matches!(outcome, Err(FetchError::TooLarge(10_000)));
        assert_eq!((outcome.is_ok(), is_over), (expected, !expected), "{path}: {outcome:?}");
    }
    let packed = get(&server, "/packed").await.unwrap();
    assert_eq!(packed.body, vec![0; 10_000]);
    assert_eq!(packed.field(header::CONTENT_ENCODING), None);
    assert!(matches!(get(&server, "/broken").await, Err(FetchError::Failed(_))));
}

fn packed(bytes: usize) -> Vec<u8> {
    let mut coder = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut packed = vec![0; coder.gzip_compress_bound(bytes)];
    let length = coder.gzip_compress(&vec![0; bytes], &mut packed).unwrap();
    packed.truncate(length);
    packed
}

#[tokio::test]
async fn moves_are_followed_and_those_for_good_are_told() {
    let server = Receiver::new(|asked: &Asked| {
        let to = |status, to| answer(status, &[("location", to)], "");
        match asked.uri.path() {
            "/old" => to(301, "/older"),
            "/older" => to(308, "/now"),
            "/now" => to(307, "today?a=b"),
            "/round" => to(301, "/round"),
            "/bad" => to(302, "http://"),
            "/away" => answer(302, &[], "nowhere"),
            "/steps/5" => to(302, "/steps/4"),
            "/steps/4" => to(302, "/steps/3"),
            "/steps/3" => to(302, "/steps/2"),
            "/steps/2" => to(302, "/steps/1"),
            "/steps/1" => to(302, "/steps/0"),
            _ => answer(200, &[], "here"),
        }
    })
    .await;
    let moved = get(&server, "/old").await.unwrap();
    assert_eq!((moved.status.as_u16(), &*moved.body), (200, &b"here"[..]));
    assert_eq!(moved.url, server.url("/today?a=b"));
    assert_eq!(moved.moved_to, Some(server.url("/now")), "the last move is for now only");
    assert_eq!(get(&server, "/now").await.unwrap().moved_to, None);
    assert_eq!(get(&server, "/steps/5").await.unwrap().body, "here");
    assert_eq!(get(&server, "/away").await.unwrap().status.as_u16(), 302);
    assert!(matches!(get(&server, "/bad").await, Err(FetchError::Nowhere)));
    let before = server.asked().len();
    assert!(matches!(get(&server, "/round").await, Err(FetchError::Moving)));
    assert_eq!(server.asked().len() - before, MAX_MOVES + 1);

    // What changes something is asked once, and where it was meant for.
    let post = Request { body: "keys".into(), ..Request::new(Method::POST, server.url("/old")) };
    assert_eq!(client().send(&post).await.unwrap().status.as_u16(), 301);
    let purge = Method::from_bytes(b"PURGE").unwrap();
    assert_eq!(client().send(&Request::new(purge, server.url("/new"))).await.unwrap().body, "here");
    let asked = server.asked();
    let last: Vec<_> =
        asked.iter().rev().take(2).map(|asked| (asked.method.as_str(), &*asked.body)).collect();
    assert_eq!(last, [("PURGE", &b""[..]), ("POST", &b"keys"[..])]);
}

#[tokio::test]
async fn secrets_stay_with_the_server_they_are_for() {
    let other = Receiver::new(|_: &Asked| answer(200, &[], "other")).await;
    let to = other.url("/b").to_string();
    let server = Receiver::new(move |asked: &Asked| match asked.uri.path() {
        "/a" => answer(302, &[("location", "/b")], ""),
        _ => answer(302, &[("location", &to)], ""),
    })
    .await;
    let mut request = Request::get(server.url("/a"));
    let mut key = HeaderValue::from_static("secret");
    key.set_sensitive(true);
    request.headers.insert("x-key", key);
    request.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer secret"));
    request.headers.insert(header::COOKIE, HeaderValue::from_static("a=secret"));
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/rss+xml"));
    assert_eq!(client().send(&request).await.unwrap().body, "other");
    let secrets = |asked: &Asked| {
        let held =
            asked.headers.values().filter(|value| value.to_str().unwrap().contains("secret"));
        (held.count(), asked.headers[header::ACCEPT].to_str().unwrap().to_owned())
    };
    let asked: Vec<_> = server.asked().iter().chain(&other.asked()).map(secrets).collect();
    let accept = "application/rss+xml".to_owned();
    assert_eq!(asked, [(3, accept.clone()), (3, accept.clone()), (0, accept)]);
}

#[tokio::test]
async fn a_server_that_never_ends_is_left() {
    let server = Receiver::new(|asked: &Asked| match asked.uri.path() {
        "/silent" => Response::new(StreamBody::new(stream::pending()).boxed()),
        _ => answer(200, &[], "soon"),
    })
    .await;
    let hasty = Limits { whole: Duration::from_millis(200), ..LIMITS };
    let client = Client::new(Reach::Anywhere, hasty);
    let outcome = client.send(&Request::get(server.url("/silent"))).await;
    assert!(matches!(outcome, Err(FetchError::TooSlow(_))), "{outcome:?}");
    assert_eq!(client.send(&Request::get(server.url("/soon"))).await.unwrap().body, "soon");
}

#[tokio::test]
async fn the_size_of_a_file_is_asked_for_without_coding() {
    let server = Receiver::new(|_: &Asked| answer(200, &[("content-length", "123456")], "")).await;
    let told = client().send(&Request::head(server.url("/a.mp3"))).await.unwrap();
    assert_eq!(told.field(header::CONTENT_LENGTH), Some("123456"), "a limit is for bodies only");
    assert_eq!(server.asked()[0].headers[header::ACCEPT_ENCODING], "identity");
}

#[tokio::test]
async fn what_comes_with_data_reaches_no_machine_of_ours() {
    let server = Receiver::new(|_: &Asked| answer(200, &[], "secret")).await;
    let client = Client::new(Reach::Public, LIMITS);
    let port = server.address.port();
    for host in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let url = format!("http://{host}:{port}/").parse().unwrap();
        let outcome = client.send(&Request::get(url)).await;
        let is_refused = matches!(outcome, Err(FetchError::Refused(Refusal::Private)));
        assert!(is_refused, "{host}: {outcome:?}");
    }
    assert_eq!(server.asked().len(), 0);
}

/// Addresses are secrets where a purge hook has its key in them.
#[tokio::test]
async fn no_error_tells_the_address() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/secret?key=secret").parse().unwrap();
    let error = client().send(&Request::get(url)).await.unwrap_err();
    let mut told = format!("{error:?}");
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        told += &error.to_string();
        cause = error.source();
    }
    assert!(!told.contains("secret"), "{told}");
}
