//! Laws of the whole way, from any bytes handed in to any request sent.

use std::{collections::BTreeMap, io::Cursor, sync::Arc};

use bytes::Bytes;
use courant::{
    edition::Coding,
    feed::FeedPath,
    format::Format,
    http::respond,
    import::{HowToRead, Importer, Kind, Report, Source, Sources},
    publish::{Document, Publisher},
    store::Intake,
    text::{Html, Text},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Empty};
use proptest::{
    collection::{hash_map, vec},
    option::of,
    prelude::*,
    sample::select,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{
    fixtures::{Home, at, catalogue, submission},
    formats::hostile,
    http::LIMITS,
    support::takes_its_time,
};

fn cases(usual: u32) -> ProptestConfig {
    let cases = if takes_its_time() { usual * 50 } else { usual };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn import(home: &Home, records: &[u8], second: i64) -> Report {
    let catalogue = catalogue();
    let mut importer = Importer::new(&*home.store, &catalogue, Intake::default());
    let records = Cursor::new(records.to_vec());
    let source = Source { kind: Some(Kind::Records), ..Source::new("records", records) };
    let sources = Sources::new(vec![source], HowToRead::default());
    importer.take(sources, || at(second), |_| {}).await.unwrap();
    importer.finish()
}

/// Any value that a program may write into a field, right or wrong.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => hostile().prop_map(Value::String),
        1 => select(vec![json!(null), json!(true), json!(-1), json!(1e300), json!([]), json!({})]),
        1 => select(vec![json!("2026-03-05"), json!("1970-01-01 00:00"), json!("9999-12-31T23:59:59Z")]),
        1 => vec(hostile(), 0..4).prop_map(|texts| json!(texts)),
        1 => (hostile(), hostile()).prop_map(|(a, b)| json!([{"name": a, "url": b, "mime_type": "a/b"}])),
    ]
}

/// A record with an id and a title, and anything in other fields.
fn record() -> impl Strategy<Value = String> {
    const FIELDS: [&str; 16] = [
        "url",
        "mobile_url",
        "summary",
        "content_html",
        "content_text",
        "date_published",
        "date_modified",
        "authors",
        "tags",
        "categories",
        "language",
        "source",
        "images",
        "attachments",
        "expires",
        "hits",
    ];
    let fields = hash_map(select(FIELDS.to_vec()), value(), 0..5);
    (0..20_u8, hostile(), fields).prop_map(|(id, title, fields)| {
        let mut record = json!(fields);
        record["id"] = json!(format!("article-{id}"));
        record["title"] = json!(format!("T{title}"));
        record.to_string()
    })
}

/// Every document, in every coding: its tag and its bytes.
async fn documents(publisher: &Publisher) -> BTreeMap<String, Bytes> {
    let mut found = BTreeMap::new();
    let formats = [Format::Rss, Format::Atom, Format::Json, Format::Html];
    for spec in publisher.feeds() {
        for format in formats {
            let document = Document::Feed(spec.path.clone(), format);
            let edition = publisher.edition(&document).await.unwrap();
            for coding in Coding::ALL {
                if let Some((fields, body)) = edition.whole(coding) {
                    let tag = fields["etag"].to_str().unwrap();
                    found.insert(format!("{} {tag}", document.path()), body.clone());
                }
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn any_records_that_are_taken_give_feeds_that_read_back(records in vec(record(), 1..8)) {
        runtime().block_on(async {
            let home = Home::new();
            let report = import(&home, records.join("\n").as_bytes(), 0).await;
            assert_eq!(report.records, u64::try_from(records.len()).unwrap());
            let publisher = home.publisher(at(1)).await;
            let published = home.store.census().await.unwrap().published;
            for format in Format::FEEDS {
                let all = Document::Feed("all".parse().map(FeedPath::Named).unwrap(), format);
                let edition = publisher.edition(&all).await.unwrap();
                let (_, body) = edition.whole(Coding::Identity).unwrap();
                let read = feed_rs::parser::parse(&body[..]).unwrap();
                assert_eq!(read.entries.len(), usize::try_from(published).unwrap());
                if format != Format::Json {
                    roxmltree::Document::parse(str::from_utf8(body).unwrap()).unwrap();
                }
            }
        });
    }

    #[test]
    fn equal_stores_give_equal_bytes_and_tags(
        batches in vec(vec(record(), 1..5), 1..4),
        restart in 0..4_usize,
    ) {
        runtime().block_on(async {
            let (one, mut other) = (Home::new(), Home::new());
            for (n, batch) in batches.iter().enumerate() {
                let second = i64::try_from(n).unwrap() * 10;
                let records = batch.join("\n");
                import(&one, records.as_bytes(), second).await;
                import(&other, records.as_bytes(), second).await;
                if n == restart {
                    other = other.reopened().await;
                }
            }
            let (first, second) = (one.publisher(at(100)).await, other.publisher(at(100)).await);
            assert_eq!(documents(&first).await, documents(&second).await, "H-31, H-32");
        });
    }

    #[test]
    fn any_bytes_can_be_imported_and_what_is_good_is_kept(
        rubbish in vec(vec(any::<u8>(), 0..60), 0..6),
        texts in vec(hostile(), 0..4),
    ) {
        runtime().block_on(async {
            let home = Home::new();
            let mut records = b"{\"id\": \"first\", \"title\": \"a\"}\n".to_vec();
            for line in rubbish.iter().map(Vec::as_slice).chain(texts.iter().map(String::as_bytes)) {
                records.extend(line.iter().filter(|byte| **byte != b'\n'));
                records.push(b'\n');
            }
            records.extend(b"{\"id\": \"last\", \"title\": \"b\"}");
            let report = import(&home, &records, 0).await;
            assert_eq!(report.published, 2, "{report:?}");
            assert_eq!(report.records, report.refused + 2);
        });
    }

    #[test]
    fn cleaning_what_is_clean_changes_nothing(raw in hostile()) {
        let text = Text::new(&raw);
        prop_assert_eq!(&Text::new(text.as_str()), &text);
        let html = Html::sanitize(&raw, None);
        prop_assert_eq!(&Html::sanitize(html.as_str(), None), &html);
    }
}

/// Requests as they come from the open: known fields with odd values, odd fields, odd targets.
fn fields() -> impl Strategy<Value = HeaderMap> {
    const NAMES: [&str; 14] = [
        "host",
        "accept",
        "accept-encoding",
        "if-none-match",
        "if-modified-since",
        "if-match",
        "if-unmodified-since",
        "range",
        "a-im",
        "origin",
        "access-control-request-method",
        "te",
        "cache-control",
        "user-agent",
    ];
    let known = select(vec![
        "gzip;q=0.5, br;q=1, *;q=0",
        "identity;q=0",
        ";q=",
        "*",
        "\"n1-0000000000000000\"",
        "W/\"",
        "\"",
        "Thu, 05 Mar 2026 12:00:00 GMT",
        "text/html,*/*;q=0.8",
        "application/atom+xml",
        "bytes=0-1",
        "feed",
        ",,,",
    ]);
    let value =
        prop_oneof![known.prop_map(|known| known.as_bytes().to_vec()), vec(any::<u8>(), 0..40),];
    vec((select(NAMES.to_vec()), value), 0..8).prop_map(|fields| {
        let pairs = fields.iter().filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?))
        });
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        map
    })
}

fn target() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        select(vec![
            "/",
            "all",
            ".rss",
            ".atom",
            ".json",
            ".html",
            "category",
            "news",
            "%E5%A4%B4",
            "%",
            "%00",
            "..",
            "?a=b",
            "*",
            "feeds.opml",
            "healthz",
            "readyz"
        ])
        .prop_map(str::to_owned),
        "[!-~]{0,6}",
    ];
    vec(part, 0..6).prop_map(|parts| format!("/{}", parts.concat()))
}

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn no_request_is_our_fault(
        requests in vec((select(vec!["GET", "HEAD", "OPTIONS", "POST"]), target(), of(fields())), 1..40)
    ) {
        runtime().block_on(async {
            let home = Home::new();
            home.publish(vec![submission("a", 0)], 0).await;
            let publisher: Arc<Publisher> = home.publisher(at(0)).await;
            for (method, target, fields) in requests {
                let Ok(uri) = target.parse::<http::Uri>() else { continue };
                let mut request = Request::new(Empty::<Bytes>::new());
                *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
                *request.uri_mut() = uri;
                *request.headers_mut() = fields.unwrap_or_default();
                let answer = respond(&publisher, &LIMITS, &request, at(60)).await;
                let status = answer.status().as_u16();
                assert!(status < 500, "{status} to {request:?}");
                if request.method() == Method::HEAD {
                    let length = answer.headers().get("content-length").cloned();
                    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
                    *request.method_mut() = Method::GET;
                    let answer = respond(&publisher, &LIMITS, &request, at(60)).await;
                    let body = answer.into_body().collect().await.unwrap().to_bytes();
                    let is_told = |length: HeaderValue| length == *body.len().to_string();
                    assert!(status == 304 || length.is_some_and(is_told), "H-3: {request:?}");
                }
            }
        });
    }
}
