//! What becomes of an article that several change, and of what an edit does not speak of.

use std::{collections::BTreeSet, sync::Arc};

use courant::{
    article::ArticleId,
    push::{Rules, Scope, Scopes},
    store::Stored,
};
use serde_json::{Value, json};

use super::{Desk, ENTRY, RECORD, rules, token};
use crate::fixtures::{Home, catalogue};

async fn stored(home: &Home, id: &str) -> Stored {
    home.store.stored(&ArticleId::new(id).unwrap()).await.unwrap().unwrap()
}

fn update(changes: &Value) -> String {
    let mut body = json!({"action": "update", "url": "https://feeds.example.com/articles/a"});
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_update_of_any_version_undid_what_others_wrote_meanwhile() {
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
async fn an_entry_came_with_the_tag_and_the_text_of_a_later_write() {
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
