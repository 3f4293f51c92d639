//! Who may push what: scopes, categories, pages of other sites, and how often.

use std::{num::NonZeroU32, time::Duration};

use bytes::Bytes;
use courant::{
    article::ArticleId,
    category::Selection,
    media::Intake,
    push::{Rules, Scope, Scopes},
    store::State,
};
use futures_util::{StreamExt as _, stream};
use http::Request;
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::json;

use super::{Desk, ENTRY, FORM, RECORD, client, everything, micropub, rules, token};
use crate::fixtures::{Home, at, catalogue};

/// Everything, of one category.
fn within(category: &str) -> Scopes {
    Scopes { within: Some([category.parse().unwrap()].into()), ..everything() }
}

fn only(scope: Scope) -> Scopes {
    Scopes { may: [scope].into(), within: None }
}

fn entry(title: &str) -> String {
    format!("<entry xmlns=\"http://www.w3.org/2005/Atom\"><title>{title}</title></entry>")
}

async fn state(home: &Home, id: &str) -> State {
    home.store.stored(&ArticleId::new(id).unwrap()).await.unwrap().unwrap().state
}

#[tokio::test]
async fn what_is_withdrawn_comes_back_only_for_those_who_may_withdraw() {
    let home = Home::new();
    let mut desk = Desk::new(&home).await;
    desk.put("a", &[], RECORD).await;
    assert_eq!(desk.ask("DELETE", "/articles/a", &[], "").await.status, 200);
    desk.token = token(&*home.store, "writer", only(Scope::Write), None).await;
    let form = "h=entry&content=x&mp-slug=a";
    let made = desk.ask("POST", "/micropub?republish=true", &[FORM], form).await;
    assert_eq!(made.field("location"), "https://feeds.example.com/articles/a-2");
    let fields = [ENTRY, ("slug", "a")];
    let made = desk.ask("POST", "/atompub/articles?republish=true", &fields, entry("x")).await;
    assert_eq!(made.field("location"), "https://feeds.example.com/atompub/articles/a-3");
    assert_eq!(state(&home, "a").await, State::Withdrawn);
    // Nobody knows any more whether it was of their category.
    desk.token = token(&*home.store, "news", within("news"), None).await;
    assert_eq!(desk.put("a?republish=true", &[], RECORD).await.status, 403);
    assert_eq!(state(&home, "a").await, State::Withdrawn);
}

#[tokio::test]
async fn a_name_that_another_category_has_may_be_wished_for() {
    let home = Home::new();
    let mut desk = Desk::new(&home).await;
    desk.put("a", &[], RECORD).await;
    desk.token = token(&*home.store, "headlines", within("headlines"), None).await;
    let post = async |category: &str| {
        let form = format!("h=entry&content=x&mp-slug=a&category[]={category}");
        desk.ask("POST", "/micropub", &[FORM], form).await
    };
    let made = post("headlines").await;
    assert_eq!(made.field("location"), "https://feeds.example.com/articles/a-2", "{}", made.text);
    assert_eq!(post("news").await.status, 403);
}

#[tokio::test]
async fn a_token_for_a_category_learns_nothing_of_articles_of_others() {
    let home = Home::new();
    let mut desk = Desk::new(&home).await;
    for id in ["theirs", "gone"] {
        desk.put(id, &[], RECORD).await;
    }
    assert_eq!(desk.ask("DELETE", "/articles/gone", &[], "").await.status, 200);
    let own = r#"{"title": "x", "categories": ["headlines"]}"#;
    for n in 0..30 {
        desk.put(&format!("own-{n}"), &[], own).await;
        desk.put(&format!("other-{n}"), &[], RECORD).await;
    }
    desk.token = token(&*home.store, "headlines", within("headlines"), None).await;
    let about = async |id: &str| {
        let mut told = Vec::new();
        for folder in ["/articles", "/atompub/articles"] {
            let path = format!("{folder}/{id}");
            for (method, fields) in [
                ("GET", &[][..]),
                ("GET", &[("if-none-match", "*")]),
                ("DELETE", &[]),
                ("DELETE", &[("if-match", "*")]),
                ("DELETE", &[("if-none-match", "*")]),
            ] {
                told.push(desk.ask(method, &path, fields, "").await);
            }
        }
        told.push(desk.ask("PUT", &format!("/atompub/articles/{id}"), &[ENTRY], entry("x")).await);
        let url = format!("https://feeds.example.com/articles/{id}");
        told.push(desk.ask("GET", &format!("/micropub?q=source&url={url}"), &[], "").await);
        for action in ["update", "delete", "undelete"] {
            let body = json!({"action": action, "url": url, "replace": {"name": ["x"]}});
            told.push(micropub(&desk, body).await);
        }
        told.into_iter().map(|told| (told.status, told.text)).collect::<Vec<_>>()
    };
    let nothing = about("never").await;
    assert!(nothing.iter().all(|(status, _)| [400, 404, 412].contains(status)), "{nothing:?}");
    for id in ["theirs", "gone"] {
        assert_eq!(about(id).await, nothing, "{id}");
    }

    let (mut page, mut found, mut pages) = ("/atompub/articles".to_owned(), 0, 0);
    while !page.is_empty() && pages < 10 {
        let text = desk.ask("GET", &page, &[], "").await.text;
        assert!(!text.contains("other-"), "{text}");
        found += text.matches("<entry>").count();
        let next = text.split("rel=\"next\" href=\"https://feeds.example.com").nth(1);
        page = next.map_or("", |next| next.split('"').next().unwrap()).to_owned();
        pages += 1;
    }
    assert_eq!((found, pages), (30, 2));
}

#[tokio::test]
async fn a_page_of_another_site_cannot_push_with_the_password_of_a_browser() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 201),
        ("sec-fetch-site", "none", 201),
        ("origin", "https://elsewhere.example", 403),
        ("origin", "http://feeds.example.com", 403),
        ("origin", "null", 403),
        ("origin", "https://feeds.example.com", 201),
        ("accept", "*/*", 201),
    ] {
        let told = desk.ask("POST", "/micropub", &[FORM, (name, value)], "h=entry&name=x").await;
        assert_eq!(told.status, status, "{name}: {value}: {}", told.text);
    }
    let fields = [("sec-fetch-site", "cross-site"), ("origin", "null")];
    assert_eq!(desk.put("x", &fields, RECORD).await.status, 403);
    assert_eq!(desk.ask("DELETE", "/articles/x", &fields, "").await.status, 403);
    assert_eq!(desk.ask("GET", "/articles/x", &fields, "").await.status, 200);
}

#[tokio::test]
async fn guessers_are_limited_and_never_lock_out_a_good_token_of_their_address() {
    let home = Home::new();
    let requests_per_hour = NonZeroU32::new(1_000).unwrap();
    let rules = Rules { body_timeout: Duration::from_millis(1), requests_per_hour, ..rules() };
    let desk = Desk::with(&home, rules, catalogue(), None).await;
    let post = async |is_slow: bool| {
        let request = Request::post("/micropub")
            .header("host", "feeds.example.com")
            .header(FORM.0, FORM.1)
            .body(())
            .unwrap();
        let start = stream::iter([Ok(Frame::data(Bytes::from_static(b"h=entry")))]);
        let broken = stream::iter([Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]);
        let end = if is_slow { stream::pending().boxed() } else { broken.boxed() };
        let body = StreamBody::new(start.chain(end));
        desk.inbox.respond(&request, body, client(), at(10)).await.status()
    };
    assert_eq!(desk.ask("GET", "/articles/a", &[], "").await.status, 404);
    for nth in 0..120 {
        let is_slow = nth % 2 == 0;
        assert_eq!(post(is_slow).await, if is_slow { 408 } else { 400 }, "{nth}");
    }
    assert_eq!(post(false).await, 429);
    // A bad token is refused by the limit, a good one by nothing.
    let bad = [("authorization", "Bearer courant_guessed")];
    assert_eq!(desk.ask_as("GET", "/articles/a", &bad, "", at(10)).await.status, 429);
    assert_eq!(desk.ask("GET", "/articles/a", &[], "").await.status, 404);
    let bearer = format!("Bearer {}", desk.token);
    let later = desk.ask_as("GET", "/articles/a", &[("authorization", &bearer)], "", at(50)).await;
    assert_eq!(later.status, 404);
}

#[tokio::test]
async fn files_are_deleted_by_those_who_may_withdraw_anything() {
    let home = Home::new();
    let media = Intake::new(home.folder.path(), &rules().base).unwrap();
    let mut desk = Desk::with(&home, rules(), catalogue(), Some(media)).await;
    let png = [("content-type", "image/png")];
    let made = desk.ask("POST", "/atompub/media", &png, "png").await;
    let name = made.field("location").rsplit('/').next().unwrap().to_owned();
    let path = format!("/atompub/media/{name}");
    for (who, scopes, status) in [
        ("media", only(Scope::Media), 403),
        ("news", within("news"), 403),
        ("withdraw", only(Scope::Withdraw), 204),
    ] {
        desk.token = token(&*home.store, who, scopes, None).await;
        assert_eq!(desk.ask("DELETE", &path, &[], "").await.status, status, "{who}");
    }
}

/// H-38: readers were given a date for what was there while the body was on its way.
#[tokio::test]
async fn what_took_long_to_arrive_is_of_the_time_at_which_it_was_written() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    let request = Request::put("/articles/a")
        .header("host", "feeds.example.com")
        .header("authorization", format!("Bearer {}", desk.token))
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let record = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(RECORD.as_bytes())))
    };
    let body = StreamBody::new(stream::once(record).boxed());
    let begun = at(11) - chrono::TimeDelta::milliseconds(10);
    assert_eq!(desk.inbox.respond(&request, body, client(), begun).await.status(), 201);
    let mark = home.store.mark(&Selection::default().facets()).await.unwrap();
    assert!(mark.changed >= at(11), "{}", mark.changed);
}
