//! Shows: what directories and apps find in them (P.1 to P.3).

use std::{path::Path, sync::Arc};

use courant::{
    article::{ArticleId, Submission},
    config::{self, Overrides},
    feed::{FeedPath, Show},
    format::Format,
    import::read,
    publish::{Document, EpisodeFile, PublishError, Publisher},
    store::{SqliteStore, Store},
};
use roxmltree::{Document as Xml, Node};

use crate::fixtures::{Home, at, open, submission};

const ITUNES: &str = "http://www.itunes.com/dtds/podcast-1.0.dtd";
const PODCAST: &str = "https://podcastindex.org/namespace/1.0";

const FEEDS: &str = r#"
[site]
title = "Example"
url = "https://www.example.com/"
tag = "example.com,2026"
language = "en-GB"
rights = "Example News Ltd"

[server]
base_url = "https://feeds.example.com"

[[category]]
slug = "news"
label = "News"

[[feed]]
name = "daily"
title = "Example Daily"
description = "The day's news in ten minutes."
home = "https://www.example.com/podcast/"
any_of = ["news"]

[feed.show]
author = "Example News"
owner = { name = "Example News", email = "podcast@example.com" }
artwork = "https://www.example.com/podcast/cover-3000.jpg"
categories = ["News > Daily News", "Society & Culture"]
funding = [{ url = "https://www.example.com/support", text = "Support the show" }]
license = { name = "cc-by-4.0" }
trailer = { title = "What it is", url = "https://media.example.com/t.mp3", mime_type = "audio/mpeg", published = "2026-03-01T08:00:00Z", size_in_bytes = 9, season = 1 }
person = [{ name = "Jane Roe", role = "host" }]
location = { name = "London", geo = "geo:51.5,-0.1" }
frequency = { text = "Every weekday", rule = "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR" }
note = [{ purpose = "verify", text = "a1b2" }]
"#;

const EPISODE: &str = r#"{
  "id": "2026/1", "url": "https://www.example.com/podcast/1", "title": "5 March: the budget",
  "content_html": "<p>What the budget <b>means</b> & costs.</p>",
  "categories": ["news"], "date_published": "2026-03-05T05:00:00Z",
  "attachments": [
    {"url": "https://media.example.com/1.pdf", "mime_type": "application/pdf", "size_in_bytes": 10},
    {"url": "https://media.example.com/1.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 9612288, "duration_in_seconds": 601.7},
    {"url": "https://media.example.com/1.mp4", "mime_type": "video/mp4", "size_in_bytes": 96122880}
  ],
  "episode": {
    "season": 3, "season_name": "Season three", "number": 45, "title": "The budget", "explicit": true,
    "image": "https://media.example.com/1.jpg",
    "transcripts": [
      {"url": "https://media.example.com/1.srt", "mime_type": "application/x-subrip"},
      {"text": "WEBVTT\n\n00:00.000 --> 00:02.000\nGood morning.\n", "mime_type": "text/vtt", "language": "en", "captions": true}
    ],
    "chapters": [{"start": 94.5, "title": "Budget", "url": "https://www.example.com/b"}, {"start": 0, "title": "Headlines", "hidden": true}],
    "soundbites": [{"start": 73.25, "duration": 60, "title": "The sum"}],
    "persons": [{"name": "John Doe", "role": "guest", "url": "https://www.example.com/john"}],
    "location": {"name": "Westminster"},
    "alternate_enclosures": [{"url": "https://media.example.com/1.opus", "mirrors": ["https://mirror.example.com/1.opus"],
      "mime_type": "audio/opus", "size_in_bytes": 5000, "bitrate": 64000, "integrity": "sha256-abc="}]
  }
}"#;

/// An article of a record.
fn article(record: &str) -> Submission {
    let config = config::read(FEEDS, Path::new("feeds.toml"), &Overrides::default()).unwrap();
    read(&config.catalogue, record).submission.unwrap()
}

/// A publisher of [`FEEDS`], reached at an address.
async fn publisher(home: &Home, base: &str) -> Arc<Publisher> {
    let overrides = Overrides { base_url: Some(base.to_owned()), ..Overrides::default() };
    let config = config::read(FEEDS, Path::new("feeds.toml"), &overrides).unwrap();
    let store: Arc<dyn Store> = Arc::clone(&home.store);
    Arc::new(Publisher::open(store, config.catalogue, 64_000_000, at(0)).await.unwrap())
}

async fn rendered(publisher: &Publisher, format: Format) -> String {
    let daily = FeedPath::Named("daily".parse().unwrap());
    let feed = publisher.feed(&daily).await.unwrap();
    String::from_utf8(format.render(&feed).unwrap()).unwrap()
}

/// The children of a node with this name.
fn all<'a>(node: Node<'a, 'a>, namespace: &str, name: &str) -> Vec<Node<'a, 'a>> {
    let is_it = |child: &Node<'_, '_>| {
        child.tag_name().namespace().unwrap_or_default() == namespace
            && child.tag_name().name() == name
    };
    node.children().filter(is_it).collect()
}

/// The text of the one child with this name.
fn one<'a>(node: Node<'a, 'a>, namespace: &str, name: &str) -> &'a str {
    let found = all(node, namespace, name);
    assert_eq!(found.len(), 1, "{name}");
    found[0].text().unwrap_or_default()
}

#[tokio::test]
async fn a_show_has_what_directories_require_and_recommend() {
    let home = Home::new();
    home.publish(vec![article(EPISODE), submission("text", 5)], 10).await;
    let publisher = publisher(&home, "https://feeds.example.com").await;
    let rss = rendered(&publisher, Format::Rss).await;
    let document = Xml::parse(&rss).unwrap();
    let channel = document.root_element().first_element_child().unwrap();

    // PSP-1, required: atom:link self, title, description, link, language, category, explicit, image.
    let own = all(channel, "http://www.w3.org/2005/Atom", "link");
    let is_self = |link: &Node<'_, '_>| link.attribute("rel") == Some("self");
    let own = own.iter().find(|link| is_self(link)).unwrap();
    assert_eq!(own.attribute("href"), Some("https://feeds.example.com/daily.rss"));
    assert_eq!(one(channel, "", "title"), "Example Daily");
    assert_eq!(one(channel, "", "description"), "The day's news in ten minutes.");
    assert_eq!(one(channel, "", "link"), "https://www.example.com/podcast/");
    assert_eq!(one(channel, "", "language"), "en-GB");
    assert_eq!(one(channel, ITUNES, "explicit"), "false");
    let categories = all(channel, ITUNES, "category");
    let name = |node: &Node<'_, '_>| node.attribute("text").unwrap_or_default().to_owned();
    assert_eq!(categories.iter().map(name).collect::<Vec<_>>(), ["News", "Society & Culture"]);
    assert_eq!(name(&categories[0].first_element_child().unwrap()), "Daily News");
    let image = all(channel, ITUNES, "image");
    let cover = "https://www.example.com/podcast/cover-3000.jpg";
    assert_eq!(image[0].attribute("href"), Some(cover));

    // Recommended: author, locked, guid; and what else the show says.
    assert_eq!(one(channel, ITUNES, "author"), "Example News");
    assert_eq!(one(channel, ITUNES, "type"), "episodic");
    assert_eq!(one(all(channel, ITUNES, "owner")[0], ITUNES, "email"), "podcast@example.com");
    let guid = Show::mint_guid("https://feeds.example.com/daily.rss");
    assert_eq!(one(channel, PODCAST, "guid"), guid);
    assert_eq!(one(channel, PODCAST, "locked"), "yes");
    assert_eq!(one(channel, PODCAST, "medium"), "podcast");
    for (name, text, attribute, value) in [
        ("funding", "Support the show", "url", "https://www.example.com/support"),
        ("person", "Jane Roe", "role", "host"),
        ("location", "London", "geo", "geo:51.5,-0.1"),
        ("updateFrequency", "Every weekday", "rrule", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR"),
        ("txt", "a1b2", "purpose", "verify"),
        ("trailer", "What it is", "pubdate", "Sun, 01 Mar 2026 08:00:00 +0000"),
        ("locked", "yes", "owner", "podcast@example.com"),
    ] {
        assert_eq!(one(channel, PODCAST, name), text);
        assert_eq!(all(channel, PODCAST, name)[0].attribute(attribute), Some(value), "{name}");
    }
    assert_eq!(one(channel, PODCAST, "license"), "cc-by-4.0");
    assert!(
        all(channel, ITUNES, "block").is_empty() && all(channel, ITUNES, "complete").is_empty()
    );
}

#[tokio::test]
async fn an_episode_says_what_apps_show() {
    let home = Home::new();
    home.publish(vec![article(EPISODE), submission("text", 5)], 10).await;
    let publisher = publisher(&home, "https://feeds.example.com").await;
    let rss = rendered(&publisher, Format::Rss).await;
    let document = Xml::parse(&rss).unwrap();
    let channel = document.root_element().first_element_child().unwrap();
    let items = all(channel, "", "item");
    let [item] = items[..] else { panic!("an article without a sound is no episode: {rss}") };

    // P-4, R-50: one enclosure, the one that plays.
    let enclosures = all(item, "", "enclosure");
    let [enclosure] = enclosures[..] else { panic!("one enclosure") };
    assert_eq!(enclosure.attribute("url"), Some("https://media.example.com/1.mp3"));
    assert_eq!(enclosure.attribute("length"), Some("9612288"));
    assert_eq!(enclosure.attribute("type"), Some("audio/mpeg"));
    for (name, text) in [
        ("duration", "601"),
        ("explicit", "true"),
        ("episodeType", "full"),
        ("season", "3"),
        ("episode", "45"),
        ("title", "The budget"),
    ] {
        assert_eq!(one(item, ITUNES, name), text);
    }
    assert_eq!(one(item, "", "description"), "What the budget means &amp; costs.");
    assert_eq!(all(item, PODCAST, "season")[0].attribute("name"), Some("Season three"));
    assert_eq!(one(item, PODCAST, "person"), "John Doe");
    let bite = all(item, PODCAST, "soundbite")[0];
    assert_eq!((bite.attribute("startTime"), bite.text()), (Some("73.25"), Some("The sum")));
    let base = "https://feeds.example.com/episodes/2026~2F1";
    let transcripts = all(item, PODCAST, "transcript");
    let at = |node: &Node<'_, '_>| node.attribute("url").unwrap_or_default().to_owned();
    let addresses: Vec<_> = transcripts.iter().map(at).collect();
    assert_eq!(
        addresses,
        ["https://media.example.com/1.srt".to_owned(), format!("{base}/transcript-2.vtt")]
    );
    assert_eq!(transcripts[1].attribute("rel"), Some("captions"));
    let chapters = all(item, PODCAST, "chapters")[0];
    assert_eq!(at(&chapters), format!("{base}/chapters.json"));
    assert_eq!(chapters.attribute("type"), Some("application/json+chapters"));
    let others = all(item, PODCAST, "alternateEnclosure");
    let kinds: Vec<_> = others.iter().filter_map(|other| other.attribute("type")).collect();
    assert_eq!(kinds, ["video/mp4", "audio/opus"]);
    assert_eq!(all(others[1], PODCAST, "source").len(), 2);

    // All files in the other formats.
    let json = rendered(&publisher, Format::Json).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["items"][0]["attachments"].as_array().map(Vec::len), Some(4));
    let atom = rendered(&publisher, Format::Atom).await;
    assert_eq!(atom.matches("rel=\"enclosure\"").count(), 4, "{atom}");
    let page = rendered(&publisher, Format::Html).await;
    assert!(
        page.contains("<audio controls preload=\"none\" src=\"https://media.example.com/1.mp3\">")
    );
    assert!(page.contains("podcast://feeds.example.com/daily.rss"), "{page}");
}

#[tokio::test]
async fn what_is_kept_with_an_episode_is_served() {
    let home = Home::new();
    home.publish(vec![article(EPISODE)], 10).await;
    let publisher = publisher(&home, "https://feeds.example.com").await;
    let id = ArticleId::new("2026/1").unwrap();
    let chapters = Document::Episode(id.clone(), EpisodeFile::Chapters);
    let edition = publisher.edition(&chapters).await.unwrap();
    let (fields, body) = edition.whole(courant::edition::Coding::Identity).unwrap();
    assert_eq!(fields["content-type"], "application/json+chapters");
    let read: serde_json::Value = serde_json::from_slice(body).unwrap();
    let expected = serde_json::json!({"version": "1.2.0", "chapters": [
        {"startTime": 0, "title": "Headlines", "toc": false},
        {"startTime": 94.5, "title": "Budget", "url": "https://www.example.com/b"}]});
    assert_eq!(read, expected);

    let file = |name: &str| Document::Episode(id.clone(), EpisodeFile::Transcript(name.to_owned()));
    let edition = publisher.edition(&file("transcript-2.vtt")).await.unwrap();
    let (fields, body) = edition.whole(courant::edition::Coding::Identity).unwrap();
    assert_eq!(fields["content-type"], "text/vtt; charset=utf-8");
    assert!(body.starts_with(b"WEBVTT\n"));
    // One that is elsewhere, one that is not there, one of an article that has gone.
    for name in ["transcript-1.srt", "transcript-3.vtt", "transcript-2.srt"] {
        let missing = publisher.edition(&file(name)).await;
        assert!(matches!(missing, Err(PublishError::UnknownFile(_))), "{name}");
    }
    home.store.withdraw(vec![id], at(20)).await.unwrap();
    publisher.refresh(at(21)).await.unwrap();
    let gone = publisher.edition(&chapters).await;
    assert!(matches!(gone, Err(PublishError::UnknownFile(_))), "a withdrawn article keeps nothing");
}

/// P-20: computed once in the show's life.
#[tokio::test]
async fn a_show_that_moves_stays_the_same_show() {
    let home = Home::new();
    let guid = |rss: String| {
        let begin = rss.find("<podcast:guid>").unwrap();
        rss[begin..].lines().next().unwrap().to_owned()
    };
    let here =
        guid(rendered(&*publisher(&home, "https://feeds.example.com").await, Format::Rss).await);
    let there = publisher(&home, "https://elsewhere.example.org").await;
    let rss = rendered(&there, Format::Rss).await;
    assert!(rss.contains("https://elsewhere.example.org/daily.rss"));
    assert_eq!(guid(rss), here);
}

#[tokio::test]
async fn long_transcripts_do_not_shorten_a_show() {
    let home = Home::new();
    let long = "WEBVTT\\n".repeat(100_000);
    let batch = (0..8).map(|nth| {
        article(&format!(
            r#"{{"id": {nth}, "title": "t", "categories": ["news"], "date_published": "2026-03-05T0{nth}:00:00Z",
              "attachments": [{{"url": "https://media.example.com/{nth}.mp3", "mime_type": "audio/mpeg"}}],
              "episode": {{"transcripts": [{{"text": "{long}", "mime_type": "text/vtt"}}]}}}}"#
        ))
    });
    home.publish(batch.collect(), 10).await;
    let publisher = publisher(&home, "https://feeds.example.com").await;
    let rss = rendered(&publisher, Format::Rss).await;
    assert_eq!(rss.matches("<item>").count(), 8);
}

#[test]
fn a_wrong_episode_is_refused_by_field() {
    let config = config::read(FEEDS, Path::new("feeds.toml"), &Overrides::default()).unwrap();
    for (episode, field) in [
        (r#"{"season": 0}"#, "episode.season"),
        (r#"{"number": -1}"#, "episode.number"),
        (r#"{"type": "Full"}"#, "episode.type"),
        (r#"{"duration": "1:75"}"#, "episode.duration"),
        (r#"{"image": "ftp://x"}"#, "episode.image"),
        (
            r#"{"transcripts": [{"url": "https://x.example/a"}]}"#,
            "episode.transcripts[0].mime_type",
        ),
        (r#"{"transcripts": [{"mime_type": "text/vtt"}]}"#, "episode.transcripts[0].url"),
        (r#"{"chapters": [{"title": "a"}]}"#, "episode.chapters[0].start"),
        (r#"{"chapters": [{"start": 5, "end": 5}]}"#, "episode.chapters[0].end"),
        (r#"{"soundbites": [{"start": 5}]}"#, "episode.soundbites[0].duration"),
        (r#"{"persons": [{"role": "host"}]}"#, "episode.persons[0].name"),
        (r#"{"location": {"name": "a", "geo": "51,0"}}"#, "episode.location.geo"),
        (
            r#"{"alternate_enclosures": [{"mime_type": "audio/opus"}]}"#,
            "episode.alternate_enclosures[0].url",
        ),
        (r#"{"season": "one"}"#, "episode.season"),
    ] {
        let record = format!(r#"{{"id": "a", "title": "t", "episode": {episode}}}"#);
        let faults = read(&config.catalogue, &record).submission.unwrap_err();
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, [field], "{episode}: {faults:?}");
    }
}

/// A store of the first layout has articles with sounds, and no facet for them.
#[tokio::test]
async fn an_older_store_learns_which_articles_are_episodes() {
    let home = Home::new();
    home.publish(vec![article(EPISODE), submission("text", 5)], 10).await;
    let path = home.folder.path().join("courant.db");
    let Home { folder, store, .. } = home;
    drop(store);
    let rows = |file: &rusqlite::Connection| -> (i64, i64, i64) {
        let count = |select: &str| file.query_row(select, [], |row| row.get(0)).unwrap();
        (
            count("SELECT count(*) FROM filing WHERE facet = 'episodes'"),
            count(
                "SELECT count(*) FROM shelf WHERE facet = 'episodes' AND place = 1 AND article IS NOT NULL",
            ),
            count("SELECT places FROM mark WHERE facet = 'episodes'"),
        )
    };
    {
        let file = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(rows(&file), (1, 1, 1));
        file.execute_batch(
            "DELETE FROM filing WHERE facet = 'episodes'; DELETE FROM shelf WHERE facet = 'episodes';
             DELETE FROM mark WHERE facet = 'episodes'; DROP TABLE settled; DROP INDEX article_revision; DROP INDEX shelf_emptied;
             DROP TABLE token; DROP TABLE delivery; DROP TABLE gone; DROP TABLE sign; DROP TABLE coming; DROP TABLE came;
             DROP TABLE remembered; DROP TABLE writer; DROP TABLE pushed; DROP TABLE bin;
             ALTER TABLE article DROP COLUMN claim; ALTER TABLE article DROP COLUMN alias;
             ALTER TABLE article DROP COLUMN cleaning; ALTER TABLE article DROP COLUMN folder; PRAGMA user_version = 1;",
        )
        .unwrap();
    }
    let store: Arc<SqliteStore> = open(&path);
    assert_eq!(rows(&rusqlite::Connection::open(&path).unwrap()), (1, 1, 1));
    drop((store, folder));
}

#[tokio::test]
async fn what_directories_would_refuse_is_found() {
    let home = Home::new();
    let episode = |id: &str, file: &str, rest: &str| {
        article(&format!(
            r#"{{"id": "{id}", "title": "{id}", "categories": ["news"], "date_published": "2026-03-05T05:00:00Z",
              "attachments": [{{"url": "{file}", "mime_type": "audio/mpeg"{rest}}}]}}"#
        ))
    };
    let whole = r#", "size_in_bytes": 5, "duration_in_seconds": 9"#;
    let batch = vec![
        episode("good", "https://media.example.com/good.mp3", whole),
        episode("again", "https://media.example.com/good.mp3", whole),
        episode("bare", "http://media.example.com/bare.mp3", ""),
    ];
    home.publish(batch, 10).await;
    let publisher = publisher(&home, "https://feeds.example.com").await;
    let feed = publisher.feed(&FeedPath::Named("daily".parse().unwrap())).await.unwrap();
    let findings = courant::check::feed(&feed);
    let found = |rule| findings.iter().filter(|finding| finding.rule == rule).count();
    assert_eq!(
        (found("P-4"), found("P-11"), found("P-7"), found("P-12")),
        (1, 1, 1, 1),
        "{findings:?}"
    );
}
