//! What becomes of an article that several change, and of what an edit does not speak of.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use courant::{
    article::ArticleId,
    config::{self, Overrides},
    push::{Rules, Scope, Scopes},
    store::Stored,
};
use serde_json::{Value, json};

use super::{Desk, ENTRY, RECORD, everything, micropub, rules, token};
use crate::fixtures::{FEEDS, Home, catalogue};

async fn stored(home: &Home, id: &str) -> Stored {
    home.store.stored(&ArticleId::new(id).unwrap()).await.unwrap().unwrap()
}

fn update(changes: &Value) -> String {
    let mut body = json!({"action": "update", "url": "https://feeds.example.com/articles/a"});
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_update_of_any_version_undoes_nothing_that_others_write_meanwhile() {
    let home = Home::new();
    let rules = Rules { max_requests: 100, ..rules() };
    let desk = Arc::new(Desk::with(&home, rules, catalogue(), None).await);
    assert_eq!(desk.put("a", &[], RECORD).await.status, 201);
    let mut told = BTreeSet::new();
    for round in 0..6 {
        let mut writers = tokio::task::JoinSet::new();
        for (nth, (field, value)) in [
            ("if-match", "*"),
            ("if-none-match", "\"r9999\""),
            ("if-match", "*"),
            ("accept", "*/*"),
        ]
        .into_iter()
        .enumerate()
        {
            let (desk, tag) = (Arc::clone(&desk), format!("w-{round}-{nth}"));
            writers.spawn(async move {
                let fields = [("content-type", "application/json"), (field, value)];
                let body = update(&json!({"add": {"category": [tag]}}));
                let answer = desk.ask("POST", "/micropub", &fields, body).await;
                assert!([204, 409].contains(&answer.status), "{}", answer.text);
                (answer.status == 204).then_some(tag)
            });
        }
        told.extend(writers.join_all().await.into_iter().flatten());
    }
    assert!(told.len() >= 6, "hardly anything was done");
    let tags: BTreeSet<_> =
        stored(&home, "a").await.story.tags.iter().map(ToString::to_string).collect();
    assert_eq!(tags, told);
}

#[tokio::test]
async fn an_update_is_held_against_what_it_was_made_from() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    desk.put("a", &[], RECORD).await;
    let body = update(&json!({"replace": {"name": ["x"]}}));
    for (field, value, status) in [
        ("if-match", "\"r9\"", 412),
        ("if-none-match", "*", 412),
        ("if-none-match", "\"r1\"", 412),
        ("if-match", "\"r9\", \"r1\"", 204),
        ("if-match", "\"r1\"", 412),
        ("if-none-match", "\"r1\"", 204),
    ] {
        let fields = [("content-type", "application/json"), (field, value)];
        let told = desk.ask("POST", "/micropub", &fields, body.clone()).await;
        assert_eq!(told.status, status, "{field}: {value}: {}", told.text);
    }
}

#[tokio::test]
async fn an_entry_comes_with_its_own_tag_or_not_at_all() {
    let entry = "<entry xmlns=\"http://www.w3.org/2005/Atom\"><title>Market day</title></entry>";
    let home = Home::new();
    let mut desk = Desk::new(&home).await;
    let cms = desk.token.clone();
    let writer = Scopes { may: [Scope::Write].into(), within: None };
    let writer = token(&*home.store, "writer", writer, None).await;
    for (method, path, status, again) in
        [("POST", "/atompub/articles", 201, 201), ("PUT", "/atompub/articles/market-day", 200, 204)]
    {
        desk.token.clone_from(&writer);
        let key = format!("\"{method}\"");
        let fields = [ENTRY, ("idempotency-key", &key)];
        let first = desk.ask(method, path, &fields, entry).await;
        assert_eq!(first.status, status, "{}", first.text);
        assert!(first.text.contains("Market day") && first.text.contains("<app:edited>"));
        desk.token.clone_from(&cms);
        let secret = format!(r#"{{"title": "Secret of {method}"}}"#);
        assert_eq!(desk.put("market-day", &[], &secret).await.status, 200);
        desk.token.clone_from(&writer);
        let replayed = desk.ask(method, path, &fields, entry).await;
        assert_eq!(replayed.status, again, "{}", replayed.text);
        assert_eq!(replayed.field("etag"), first.field("etag"));
        assert_eq!(replayed.field("location"), first.field("location"));
        assert!(!replayed.text.contains("Secret"), "{}", replayed.text);
    }
}

#[tokio::test]
async fn an_edit_by_atompub_after_a_label_has_changed_stays_in_the_category() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    let record = r#"{"title": "x", "categories": ["头条", "市场"], "tags": ["t"]}"#;
    desk.put("a", &[], record).await;
    let before = stored(&home, "a").await.story;
    let feeds = format!("{}\n[push]\n", FEEDS.replace("label = \"头条\"", "label = \"要闻\""));
    let changed = config::read(&feeds, Path::new("feeds.toml"), &Overrides::default()).unwrap();
    let token = token(&*home.store, "other", everything(), None).await;
    let desk = Desk { token, ..Desk::with(&home, rules(), changed.catalogue, None).await };
    let path = "/atompub/articles/a";
    let entry = desk.ask("GET", path, &[], "").await.text;
    let edited = entry.replace("<title>x</title>", "<title>y</title>");
    assert_eq!(desk.ask("PUT", path, &[ENTRY], edited).await.status, 200);
    let after = stored(&home, "a").await.story;
    let slugs = |story: &courant::article::Story| -> Vec<_> {
        story.categories.iter().map(|category| category.slug.to_string()).collect()
    };
    assert_eq!((after.title.as_str(), slugs(&after)), ("y", slugs(&before)));
    assert_eq!(after.tags, before.tags);
    // What feeds.toml has is a category by its slug as well, whatever the label beside it says.
    let other = entry.replace("</entry>", "<category term=\"news\" label=\"Nouvelles\"/></entry>");
    assert_eq!(desk.ask("PUT", path, &[ENTRY], other).await.status, 200);
    let after = stored(&home, "a").await.story;
    assert_eq!(slugs(&after).last().map(String::as_str), Some("news"));
}

#[tokio::test]
async fn an_update_by_micropub_leaves_files_in_their_places() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    let files = ["a.pdf", "b.mp3", "c.mp4", "d.mp3"].map(|name| {
        let kind = match name.rsplit_once('.').unwrap().1 {
            "pdf" => "application/pdf",
            "mp3" => "audio/mpeg",
            _ => "video/mp4",
        };
        json!({"url": format!("https://www.example.com/{name}"), "mime_type": kind})
    });
    let record = json!({"title": "x", "attachments": files});
    desk.put("a", &[], &record.to_string()).await;
    let names = async |changes: Value| {
        let body = serde_json::from_str(&update(&changes)).unwrap();
        assert_eq!(micropub(&desk, body).await.status, 204);
        let files = stored(&home, "a").await.story.attachments;
        let name = |file: &courant::article::Attachment| {
            file.url.as_str().rsplit('/').next().unwrap().to_owned()
        };
        files.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    let url = |name: &str| format!("https://www.example.com/{name}");
    assert_eq!(names(json!({"replace": {"name": ["y"]}})).await, "a.pdf b.mp3 c.mp4 d.mp3");
    let more = json!({"add": {"audio": [url("e.mp3")], "video": [url("f.mp4")]}});
    assert_eq!(names(more).await, "a.pdf b.mp3 c.mp4 d.mp3 f.mp4 e.mp3");
    let fewer = json!({"delete": {"audio": [url("b.mp3")]}});
    assert_eq!(names(fewer).await, "a.pdf c.mp4 d.mp3 f.mp4 e.mp3");
    assert_eq!(names(json!({"delete": ["video", "audio"]})).await, "a.pdf");
}

/// H-51, H-54, H-55, H-60.
#[tokio::test]
async fn if_none_match_is_compared_weakly() {
    let home = Home::new();
    let desk = Desk::new(&home).await;
    desk.put("a", &[], RECORD).await;
    for (value, status) in [
        ("W/\"r1\"", 304),
        ("\"r1\"", 304),
        ("*", 304),
        ("\"x,y\", , \"r1\"", 304),
        ("\"r1-gzip\"", 304),
        ("\"r2\"", 200),
        ("\"x,y\"", 200),
        ("r1", 400),
    ] {
        let told = desk.ask("GET", "/articles/a", &[("if-none-match", value)], "").await;
        assert_eq!(told.status, status, "{value}: {}", told.text);
        let told = desk.ask("HEAD", "/articles/a", &[("if-none-match", value)], "").await;
        let has_length = told.fields.contains_key("content-length");
        assert_eq!(has_length, status != 304, "{value}: of no body but of the document's");
    }
    for (field, value, status) in [
        ("if-none-match", "W/\"r1\"", 412),
        ("if-match", "W/\"r1\"", 412),
        ("if-match", "\"r1-gzip\"", 412),
        ("if-match", "\"a,b\", \"r1\"", 200),
    ] {
        assert_eq!(desk.put("a", &[(field, value)], RECORD).await.status, status, "{value}");
    }
}
