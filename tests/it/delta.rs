//! Feed deltas (H.11): what is new since the edition a client has, and nothing lost.

use std::sync::Arc;

use bytes::Bytes;
use courant::{
    article::ArticleId,
    category::Category,
    http::{Answer, respond},
    publish::Publisher,
};
use http::Request;
use http_body_util::{BodyExt, Empty};

use crate::{
    fixtures::{Home, at, submission},
    http::LIMITS,
};

pub(crate) async fn ask(publisher: &Publisher, path: &str, fields: &[(&str, &str)]) -> Answer {
    let request = Request::builder().uri(path).header("host", "feeds.example.com");
    let request =
        fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    respond(publisher, &LIMITS, &request.body(Empty::<Bytes>::new()).unwrap(), at(6_000)).await
}

pub(crate) fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn body(answer: Answer) -> Bytes {
    answer.into_body().collect().await.unwrap().to_bytes()
}

/// Ten articles, and a publisher that has made each of these.
async fn filled(home: Home, paths: &[&str]) -> (Home, Arc<Publisher>) {
    home.publish((0..10).map(|n| submission(&format!("old-{n}"), -n)).collect(), 0).await;
    let publisher = home.publisher(at(0)).await;
    for path in paths {
        assert_eq!(ask(&publisher, path, &[]).await.status(), 200);
    }
    (home, publisher)
}

pub(crate) async fn a_delta_has_only_what_is_new_in_every_format_and_coding(home: Home) {
    let paths = ["/all.rss", "/all.atom", "/all.json", "/category/news.atom"];
    let (home, publisher) = filled(home, &paths).await;
    for path in paths {
        for coding in ["identity", "gzip", "br", "zstd"] {
            let accept = ("accept-encoding", coding);
            let before = ask(&publisher, path, &[accept]).await;
            let tag = field(&before, "etag").to_owned();
            let held = [accept, ("a-im", "feed"), ("if-none-match", &tag)];
            assert_eq!(ask(&publisher, path, &held).await.status(), 304, "H-146");

            let id = format!("new-{}-{coding}", path.replace('/', "-"));
            home.publish(vec![submission(&id, 10)], 20).await;
            publisher.refresh(at(30)).await.unwrap();
            let answer = ask(&publisher, path, &held).await;
            assert_eq!(answer.status(), 226, "{path} {coding}: H-141");
            let whole = ask(&publisher, path, &[accept]).await;
            assert_eq!(field(&answer, "etag"), field(&whole, "etag"), "H-141");
            assert_eq!(field(&answer, "delta-base"), tag, "H-142");
            assert_eq!(field(&answer, "im"), "feed", "H-141");
            assert_eq!(field(&answer, "cache-control"), "no-store, im", "H-144");
            assert_eq!(field(&answer, "vary"), "A-IM, If-None-Match, Accept-Encoding", "H-145");
            assert_eq!(field(&whole, "vary"), "Accept-Encoding", "H-145");
            assert_eq!(field(&answer, "content-encoding"), field(&whole, "content-encoding"));
            assert_eq!(field(&answer, "content-type"), field(&whole, "content-type"));
            let delta = body(answer).await;
            if coding == "identity" {
                let read = feed_rs::parser::parse(&delta[..]).unwrap();
                assert_eq!(read.entries.len(), 1, "{path}");
                assert_eq!(
                    read.entries[0].title.as_ref().unwrap().content,
                    format!("Title of {id}")
                );
            }
        }
    }
}

pub(crate) async fn who_did_not_ask_for_a_delta_gets_the_whole(home: Home) {
    let (home, publisher) = filled(home, &["/all.atom"]).await;
    let tag = field(&ask(&publisher, "/all.atom", &[]).await, "etag").to_owned();
    home.publish(vec![submission("new", 10)], 20).await;
    publisher.refresh(at(30)).await.unwrap();
    for (fields, status) in [
        (&[("if-none-match", tag.as_str())][..], 200),
        (&[("a-im", "feed")], 200),
        (&[("a-im", "gzip, vcdiff"), ("if-none-match", &tag)], 200),
        (&[("a-im", "feed;q=0"), ("if-none-match", &tag)], 200),
        (&[("a-im", "feed"), ("if-none-match", "\"n999-0123456789abcdef\"")], 200),
        (&[("a-im", "feed"), ("if-none-match", "\"of somebody else\"")], 200),
        (&[("a-im", "gzip, FEED;q=0.5"), ("if-none-match", &tag)], 226),
        (&[("a-im", "feed"), ("if-none-match", &format!("\"x\", W/{tag}"))], 226),
        (
            &[
                ("a-im", "feed"),
                ("if-none-match", &format!("{}-gzip\"", tag.trim_end_matches('"'))),
            ],
            226,
        ),
    ] {
        assert_eq!(ask(&publisher, "/all.atom", fields).await.status(), status, "{fields:?}");
    }
    let negotiated =
        [("accept", "application/atom+xml"), ("a-im", "feed"), ("if-none-match", &tag)];
    let answer = ask(&publisher, "/all", &negotiated).await;
    assert_eq!((answer.status().as_u16(), field(&answer, "content-location")), (226, "/all.atom"));
    assert_eq!(field(&answer, "vary"), "Accept, A-IM, If-None-Match, Accept-Encoding", "H-145");
}

pub(crate) async fn a_delta_cannot_say_gone(home: Home) {
    let (home, publisher) = filled(home, &["/category/news.rss"]).await;
    let path = "/category/news.rss";
    let poll = async |tag: &str| {
        publisher.refresh(at(3_000)).await.unwrap();
        let answer = ask(&publisher, path, &[("a-im", "feed"), ("if-none-match", tag)]).await;
        (answer.status().as_u16(), field(&answer, "etag").to_owned())
    };
    let tag = poll("").await.1;
    home.store.withdraw(vec![ArticleId::new("old-3").unwrap()], at(100)).await.unwrap();
    let (status, tag) = {
        let (status, next) = poll(&tag).await;
        assert_eq!(status, 200, "a withdrawal: H-147");
        home.publish(vec![submission("new", 10)], 110).await;
        assert_eq!(poll(&tag).await.0, 200, "older than the withdrawal");
        poll(&next).await
    };
    assert_eq!(status, 226, "newer than the withdrawal");
    let mut refiled = submission("old-4", -4);
    refiled.story.categories = vec![Category::from_label("sport").unwrap()];
    home.publish(vec![refiled], 120).await;
    let (status, tag) = poll(&tag).await;
    assert_eq!(status, 200, "a refiling");
    let mut edited = submission("old-5", -5);
    edited.story.title = courant::text::Text::new("A much longer title than it had before");
    home.publish(vec![edited], 130).await;
    assert_eq!(poll(&tag).await.0, 226, "an edit");
}

crate::cases!(
    a_delta_has_only_what_is_new_in_every_format_and_coding,
    who_did_not_ask_for_a_delta_gets_the_whole,
    a_delta_cannot_say_gone,
);
