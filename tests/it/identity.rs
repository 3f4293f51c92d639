//! Identities, through every way in: none of them is claimed for another article, and no two articles become one.

use std::fs;

use serde_json::{Value, json};

use crate::{
    fixtures::{Home, submission},
    support::{SETTINGS, Site},
};

/// A feed of somebody else that claims identities which this store mints.
const UPSTREAM: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Upstream</title><link>https://up.example/</link>
<item><title>Honest</title><guid isPermaLink="false">up-1</guid><link>https://up.example/1</link><description>x</description><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item>
<item><title>Foreseen</title><guid isPermaLink="false">tag:example.com,2026:article/mc-9</guid><link>https://up.example/2</link><description>x</description><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item>
<item><title>Derived</title><guid isPermaLink="false">tag:example.com,2026:guid/t3_abc</guid><link>https://up.example/3</link><description>x</description><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item>
<item><title>Elsewhere</title><guid isPermaLink="false">tag:up.example,2026:article/mc-9</guid><link>https://up.example/4</link><description>x</description><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item>
</channel></rss>"#;

const RECORD: &str = r#"{"id": "mc-9", "title": "Ours", "content_text": "On Saturday.", "date_published": "2026-03-05T08:00:00Z"}"#;

/// Titles and identities of the feed of everything, by title.
fn shown(site: &Site) -> Vec<(String, String)> {
    let feed: Value =
        serde_json::from_slice(&site.run(&["render", "all", "--format", "json"]).stdout).unwrap();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = feed["items"].as_array().unwrap().iter();
    let mut shown: Vec<_> = items.map(|item| (text(item, "title"), text(item, "id"))).collect();
    shown.sort();
    shown
}

#[test]
fn a_feed_of_somebody_else_cannot_claim_what_this_store_mints() {
    let ours = ("Ours".to_owned(), "tag:example.com,2026:article/mc-9".to_owned());
    for way in ["source", "import"] {
        let site =
            Site::new(&format!("{SETTINGS}\n[source.wire]\nkind = \"feed\"\npath = \"up.xml\"\n"));
        site.write("up.xml", UPSTREAM);
        site.write("ours.ndjson", RECORD);
        let run = match way {
            "source" => site.run(&["source", "run", "wire", "--once"]),
            _ => site.run(&["import", "up.xml"]),
        };
        let said = String::from_utf8(run.stdout).unwrap() + &String::from_utf8(run.stderr).unwrap();
        assert!(said.contains("2 refused"), "{way}: {said}");
        let taken: Vec<_> = shown(&site).into_iter().map(|(title, _)| title).collect();
        assert_eq!(taken, ["Elsewhere", "Honest"], "{way}: {said}");
        let import = site.run(&["import", "ours.ndjson"]);
        assert_eq!(import.status.code(), Some(0), "{way}");
        assert!(shown(&site).contains(&ours), "{way}: {:?}", shown(&site));
    }
}

#[test]
fn a_source_of_the_publications_own_keeps_what_its_store_minted() {
    let site = Site::new(&format!(
        "{SETTINGS}\n[source.old]\nkind = \"feed\"\npath = \"up.xml\"\nown = true\n"
    ));
    site.write("up.xml", UPSTREAM);
    assert_eq!(site.run(&["source", "run", "old", "--once"]).status.code(), Some(0));
    let foreseen = ("Foreseen".to_owned(), "tag:example.com,2026:article/mc-9".to_owned());
    assert_eq!(shown(&site).len(), 4);
    assert!(shown(&site).contains(&foreseen), "{:?}", shown(&site));
    // Readers know that article by it now.
    site.write("ours.ndjson", RECORD);
    let refused = site.run(&["import", "ours.ndjson"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(error.contains("guid: belongs to the article `old:tag:example.com"), "{error}");
}

#[test]
fn a_record_whose_guid_is_not_the_stored_one_is_refused_with_both_named() {
    let site = Site::new(SETTINGS);
    let record = |guid: &str, title: &str| {
        json!({"id": 7, "guid": guid, "title": title, "date_published": "2026-03-05"}).to_string()
    };
    site.write("one.ndjson", record("https://one.example.org/?p=7", "Of blog one"));
    site.write("two.ndjson", record("https://two.example.org/?p=7", "Of blog two"));
    assert_eq!(site.run(&["import", "one.ndjson"]).status.code(), Some(0));
    let before = shown(&site);
    let refused = site.run(&["import", "two.ndjson"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    for name in [
        "two.ndjson:1: guid",
        "`https://two.example.org/?p=7`",
        "`7`",
        "`https://one.example.org/?p=7`",
    ] {
        assert!(error.contains(name), "{name}: {error}");
    }
    assert_eq!(shown(&site), before);
    assert_eq!(site.run(&["import", "one.ndjson"]).status.code(), Some(0));
}

#[test]
fn pages_of_two_folders_with_one_name_are_not_one_article() {
    let site = Site::new(SETTINGS);
    for (folder, title) in
        [("one", "Library opens on Saturday"), ("two", "Bridge closed until Monday")]
    {
        fs::create_dir(site.path(folder)).unwrap();
        let text =
            "All four floors are open to everyone, and the reading room as well. ".repeat(12);
        let page = format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta property=\"article:published_time\" content=\"2026-03-05T08:00:00Z\"></head>\
             <body><article><h1>{title}</h1><p>{text}</p><p>{text}</p></article></body></html>"
        );
        site.write(&format!("{folder}/1.html"), page);
    }
    let first = site.run(&["import", "one/1.html"]);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let second = site.run(&["import", "two/1.html"]);
    let error = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains("`Library opens on Saturday`"), "{error}");
    let titles: Vec<_> = shown(&site).into_iter().map(|(title, _)| title).collect();
    assert_eq!(titles, ["Library opens on Saturday"]);
    // The same folder again, by another way to it.
    assert_eq!(site.run(&["import", "./two/../one"]).status.code(), Some(0));
}

#[tokio::test]
async fn what_is_known_of_an_identity_outlives_a_restart() {
    let home = Home::new();
    let mut new = submission("own", 0);
    new.guid = Some(courant::text::Text::new("tag:example.com,2026:article/9"));
    new.origin.is_own = true;
    home.publish(vec![new], 1).await;
    let home = home.reopened().await;
    let receipt = home.publish(vec![submission("9", 2)], 3).await;
    let by = courant::article::ArticleId::new("own").unwrap();
    assert_eq!(receipt.outcomes, [courant::store::Outcome::GuidTaken { by }]);
}
