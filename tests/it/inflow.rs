//! Articles that come in from folders and from feeds of others, and the presets over SQLite.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, SystemTime},
};

use courant::{
    article::{ArticleId, Story},
    config::{self, Overrides},
    source::{Follower, How, Round, SourceError},
    store::Store,
};
use rusqlite::Connection;

use crate::{
    fixtures::Home,
    support::{
        SETTINGS, Site, get,
        receiver::{Receiver, answer},
        until,
    },
};

async fn follower(home: &Home, source: &str) -> Follower {
    let settings = format!("{SETTINGS}{source}");
    let file = home.folder.path().join("feeds.toml");
    let config = config::read(&settings, &file, &Overrides::default());
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let store: Arc<dyn Store> = home.store.clone();
    let source = Arc::new(config.sources[0].clone());
    Follower::open(source, store, &config.catalogue, courant::clock::now).await.unwrap()
}

async fn look(follower: &mut Follower) -> Round {
    follower.look(How::default()).await.unwrap()
}

async fn story(home: &Home, id: &str) -> Option<Story> {
    let snapshot = home.store.article(&ArticleId::new(id).unwrap()).await.unwrap()?;
    Some(snapshot.articles[0].story.clone())
}

/// Writes a file that was left alone for a while.
fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let before = SystemTime::from(courant::clock::now()) - Duration::from_secs(5);
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
}

const FOLDER: &str = "[source.notes]\nkind = 'folder'\npath = 'notes'\nwithdraw_removed = true\n\
    link = 'https://www.example.com/{year}/{slug}/'\n";

#[tokio::test]
async fn files_of_a_folder_are_articles() {
    let home = Home::new();
    let folder = home.folder.path().join("notes");
    write(
        &folder,
        "2026-03-05-opening.md",
        "---\ntitle: Opening\ncategories: [City]\ntags: [books]\n---\nAll *four* floors.\n",
    );
    write(
        &folder,
        "news/sport.md",
        "+++\ntitle = \"Sport\"\ndate = 2026-03-06\nslug = \"match\"\ndraft = true\n+++\nText.\n",
    );
    write(
        &folder,
        "more.ndjson",
        "{\"id\": \"a\", \"title\": \"A\"}\n{\"id\": \"b\", \"title\": \"B\"}\n{\"id\": 1.5}\n",
    );
    write(&folder, ".hidden.md", "---\ntitle: Hidden\n---\n");
    write(&folder, "picture.jpg", "no article");
    let mut notes = follower(&home, FOLDER).await;
    let round = look(&mut notes).await;
    assert_eq!((round.counts.published, round.counts.refused), (3, 1), "{round:?}");
    let opening = story(&home, "2026-03-05-opening").await.unwrap();
    assert_eq!(opening.title.as_str(), "Opening");
    assert_eq!(opening.url.unwrap().as_str(), "https://www.example.com/2026/opening/");
    assert_eq!(look(&mut notes).await.counts.rows, 0, "what did not change is not read again");

    // A draft that is one no more, an edit, a record that has left its file, a file that is removed.
    write(
        &folder,
        "news/sport.md",
        "+++\ntitle = \"Sport\"\ndate = 2026-03-06\nslug = \"match\"\n+++\nText.\n",
    );
    write(&folder, "more.ndjson", "{\"id\": \"a\", \"title\": \"A, edited\"}\n");
    let round = look(&mut notes).await;
    assert_eq!(
        (round.counts.published, round.counts.corrected, round.counts.withdrawn),
        (1, 1, 1),
        "{round:?}"
    );
    fs::remove_file(folder.join("2026-03-05-opening.md")).unwrap();
    assert_eq!(look(&mut notes).await.counts.withdrawn, 1);
    assert!(story(&home, "2026-03-05-opening").await.is_none());
    // And comes back, to somebody who was started anew.
    write(&folder, "2026-03-05-opening.md", "---\ntitle: Opening again\n---\nText.\n");
    let mut notes = follower(&home, FOLDER).await;
    assert_eq!(look(&mut notes).await.counts.published, 1);
    assert_eq!(story(&home, "2026-03-05-opening").await.unwrap().title.as_str(), "Opening again");

    // A folder that is not there is no reason to take everything back.
    fs::rename(&folder, home.folder.path().join("away")).unwrap();
    assert!(matches!(notes.look(How::default()).await, Err(SourceError::File(..))));
    assert_eq!(home.store.census().await.unwrap().published, 3);
    fs::create_dir(&folder).unwrap();
    assert_eq!(look(&mut notes).await.doubted, Some((3, 3)));
    assert_eq!(home.store.census().await.unwrap().published, 3);
}

#[tokio::test]
async fn a_record_that_moves_in_its_file_and_a_file_that_is_renamed_stay_articles() {
    let home = Home::new();
    let folder = home.folder.path().join("notes");
    let records = |range: std::ops::Range<u32>| {
        let record = |n| format!("{{\"id\": \"r{n}\", \"title\": \"Record {n}\"}}\n");
        range.rev().map(record).collect::<String>()
    };
    // More than are taken in together.
    write(&folder, "all.ndjson", &records(0..1_100));
    write(&folder, "one.md", "---\nid: one\ntitle: One\n---\nText.\n");
    write(&folder, "two.md", "---\nid: two\ntitle: Two\n---\nText.\n");
    let mut notes = follower(&home, FOLDER).await;
    assert_eq!(look(&mut notes).await.counts.published, 1_102);
    write(&folder, "all.ndjson", &records(1..1_101));
    fs::rename(folder.join("one.md"), folder.join("three.md")).unwrap();
    let round = look(&mut notes).await;
    assert_eq!((round.counts.published, round.counts.withdrawn), (1, 1), "{round:?}");
    assert!(story(&home, "r0").await.is_none() && story(&home, "one").await.is_some());
    // Only its new name holds it.
    write(&folder, "three.md", "---\nid: one\ntitle: One\ndraft: true\n---\nText.\n");
    assert_eq!(look(&mut notes).await.counts.withdrawn, 1);
    // Where removed files stay articles, renamed ones can be taken back all the same.
    let kept = FOLDER.replace("withdraw_removed = true\n", "");
    let mut notes = follower(&home, &kept).await;
    look(&mut notes).await;
    fs::rename(folder.join("two.md"), folder.join("four.md")).unwrap();
    assert_eq!(look(&mut notes).await.counts.withdrawn, 0);
    write(&folder, "four.md", "---\nid: two\ntitle: Two\ndraft: true\n---\nText.\n");
    assert_eq!(look(&mut notes).await.counts.withdrawn, 1);
    fs::remove_file(folder.join("all.ndjson")).unwrap();
    assert_eq!(look(&mut notes).await.counts.withdrawn, 0);
    assert_eq!(home.store.census().await.unwrap().published, 1_100);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_by_its_name_and_stops_no_other() {
    use std::{
        ffi::OsStr,
        os::unix::{
            ffi::OsStrExt,
            fs::{PermissionsExt, symlink},
        },
    };

    let home = Home::new();
    let folder = home.folder.path().join("notes");
    write(&folder, "a.md", "---\ntitle: A\n---\nText.\n");
    write(&folder, "z.md", "---\ntitle: Z\n---\nText.\n");
    let large = format!("---\ntitle: Large\n---\n{}", "Text and text.\n\n".repeat(1_100_000));
    write(&folder, "large.md", &large);
    let gbk = folder.join(OsStr::from_bytes(b"\xb1\xb1.md"));
    fs::copy(folder.join("a.md"), &gbk).unwrap();
    let before = SystemTime::from(courant::clock::now()) - Duration::from_secs(5);
    fs::File::options().write(true).open(&gbk).unwrap().set_modified(before).unwrap();
    symlink("nowhere.md", folder.join("dangling.md")).unwrap();
    let mut notes = follower(&home, FOLDER).await;
    let round = look(&mut notes).await;
    assert_eq!((round.counts.published, round.counts.refused), (2, 2), "{round:?}");
    let mut told: Vec<_> =
        round.refusals.iter().map(|one| format!("{}: {}", one.key, one.problem)).collect();
    told.sort();
    assert!(told[0].starts_with("large.md: larger than 16 MiB"), "{told:?}");
    assert!(told[1].contains(".md: its name is not UTF-8"), "{told:?}");
    assert_eq!(look(&mut notes).await.counts.rows, 0, "each is told once");
    // Nobody but the superuser reads this.
    let mode =
        |mode| fs::set_permissions(folder.join("locked.md"), fs::Permissions::from_mode(mode));
    write(&folder, "locked.md", "---\ntitle: Locked\n---\nText.\n");
    mode(0o000).unwrap();
    if fs::File::open(folder.join("locked.md")).is_err() {
        assert_eq!(look(&mut notes).await.counts.refused, 1);
        mode(0o600).unwrap();
    }
    assert_eq!(look(&mut notes).await.counts.published, 1);
    // One that is no more readable takes nothing back.
    write(&folder, "z.md", "---\ntitle: [Z\n---\nText.\n");
    let round = look(&mut notes).await;
    assert_eq!((round.counts.refused, round.counts.withdrawn), (1, 0), "{round:?}");
    assert!(story(&home, "z").await.is_some());
}

#[test]
fn a_folder_is_watched_and_half_a_file_is_not_read() {
    let site = Site::new(&format!("{SETTINGS}{FOLDER}"));
    fs::create_dir(site.path("notes")).unwrap();
    let server = site.serve();
    let has = |part: &'static str| {
        move || {
            let (_, _, body) = get(server.address, "/all.json", &[]);
            String::from_utf8_lossy(&body).contains(part).then_some(())
        }
    };
    site.write("notes/new.md", "---\ntitle: Half a");
    site.write("notes/new.md", "---\ntitle: Whole\n---\nText.\n");
    until("a new file is an article", has("Whole"));
    let none = "courant_source_articles_total{source=\"notes\",outcome=\"refused\"} 0";
    until("nothing was refused", || {
        let (_, _, metrics) = get(server.address, "/metrics", &[]);
        String::from_utf8(metrics).unwrap().contains(none).then_some(())
    });
}

const RSS: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Wire</title><link>https://wire.example/</link>
  <copyright>© Wire</copyright><item><guid isPermaLink="false">wire-1</guid><title>One</title><link>https://wire.example/1</link>
  <description>Text.</description><pubDate>Thu, 05 Mar 2026 00:30:00 GMT</pubDate></item></channel></rss>"#;

#[tokio::test]
async fn a_feed_is_asked_politely_and_says_where_it_comes_from() {
    let home = Home::new();
    let status = Arc::new(AtomicU16::new(200));
    let answers = Arc::clone(&status);
    let server = Receiver::new(move |asked| {
        let is_known = asked.headers.contains_key("if-none-match");
        match answers.load(Ordering::SeqCst) {
            200 if is_known => answer(304, &[], ""),
            200 => answer(200, &[("etag", "\"a\"")], RSS),
            503 => answer(503, &[("retry-after", "3600")], ""),
            status => answer(status, &[], ""),
        }
    })
    .await;
    let source = format!("[source.wire]\nkind = 'feed'\nurl = 'http://{}/rss'\n", server.address);
    // On a private network only when somebody says so.
    let mut strict = follower(&home, &source).await;
    assert!(matches!(strict.look(How::default()).await, Err(SourceError::Fetch(_))));
    assert_eq!(server.asked().len(), 0);

    let source = format!("{source}private = true\n");
    let mut wire = follower(&home, &source).await;
    assert_eq!(look(&mut wire).await.counts.published, 1);
    let one = story(&home, "wire:wire-1").await.unwrap();
    let origin = one.source.unwrap();
    assert_eq!((origin.name.as_str(), one.rights.unwrap().as_str()), ("Wire", "© Wire"));
    assert_eq!(origin.url.unwrap().as_str(), "https://wire.example/1");
    // What is known is remembered through restarts.
    let mut wire = follower(&home, &source).await;
    assert_eq!(look(&mut wire).await.counts.rows, 0);
    assert_eq!(server.asked().len(), 2);

    status.store(503, Ordering::SeqCst);
    assert!(matches!(wire.look(How::default()).await, Err(SourceError::Status(503))));
    status.store(200, Ordering::SeqCst);
    look(&mut wire).await;
    assert_eq!(server.asked().len(), 3, "it asked to be left alone for an hour");
    let mut wire = follower(&home, &source).await;
    look(&mut wire).await;
    assert_eq!(server.asked().len(), 3, "also after a restart");

    status.store(410, Ordering::SeqCst);
    let again = How { all: true, ..How::default() };
    assert!(matches!(wire.look(again).await, Err(SourceError::Gone)));
    assert!(matches!(wire.look(How::default()).await, Err(SourceError::Gone)));
    assert_eq!(server.asked().len(), 4, "what is gone is not asked for again");
}

#[tokio::test]
async fn an_answer_that_is_no_whole_feed_is_not_remembered() {
    let home = Home::new();
    let turn = Arc::new(AtomicU16::new(0));
    let turns = Arc::clone(&turn);
    let first = "<item><guid isPermaLink=\"false\">wire-0</guid><title>First</title></item><item>";
    let two = RSS.replacen("<item>", first, 1);
    let server = Receiver::new(move |asked| {
        let is_known = asked.headers.contains_key("if-none-match");
        match (turns.load(Ordering::SeqCst), asked.uri.path()) {
            (_, "/login") => {
                answer(200, &[("etag", "\"login\"")], "<html><p>Please log in</p></html>")
            }
            (0, _) => answer(301, &[("location", "/login")], ""),
            // Broken until it is mended, under the same tag.
            (_, _) if is_known => answer(304, &[], ""),
            (1, _) => answer(200, &[("etag", "\"a\"")], two[..two.len() - 40].to_owned()),
            (_, _) => answer(200, &[("etag", "\"a\"")], two.clone()),
        }
    })
    .await;
    let source = format!(
        "[source.wire]\nkind = 'feed'\nurl = 'http://{}/rss'\nprivate = true\n",
        server.address
    );
    let mut wire = follower(&home, &source).await;
    let error = wire.look(How::default()).await.unwrap_err();
    assert!(matches!(error, SourceError::Foreign(_)), "{error}");
    turn.store(1, Ordering::SeqCst);
    let error = wire.look(How::default()).await.unwrap_err();
    assert!(matches!(error, SourceError::BrokenOff(_)), "{error}");
    assert!(story(&home, "wire:wire-0").await.is_some(), "what stands before is whole");
    turn.store(2, Ordering::SeqCst);
    assert_eq!(look(&mut wire).await.counts.published, 1);
    assert_eq!(look(&mut wire).await.counts.rows, 0);
}

#[tokio::test]
async fn a_feed_may_be_a_file() {
    let home = Home::new();
    fs::write(home.folder.path().join("wire.xml"), RSS).unwrap();
    let mut wire = follower(&home, "[source.wire]\nkind = 'feed'\npath = 'wire.xml'\n").await;
    assert_eq!(look(&mut wire).await.counts.published, 1);
}

/// A preset over the tables of a content system, in SQLite.
async fn preset(home: &Home, schema: &str, settings: &str) -> Round {
    let database = Connection::open(home.folder.path().join("cms.db")).unwrap();
    database.execute_batch(schema).unwrap();
    let source = format!("[source.cms]\nkind = 'sql'\nurl = 'sqlite:cms.db'\n{settings}\n");
    look(&mut follower(home, &source).await).await
}

#[tokio::test]
async fn ghost_in_sqlite() {
    let home = Home::new();
    let schema = include_str!("../support/content/ghost.sql");
    let round = preset(&home, schema, "preset = 'ghost'\nhome = 'https://www.example.com'").await;
    assert_eq!((round.counts.published, round.counts.held), (1, 1), "{round:?}");
    let one = story(&home, "65e6c0000000000000000001").await.unwrap();
    assert_eq!(one.url.unwrap().as_str(), "https://www.example.com/library-opens/");
    assert!(one.content.as_str().contains("https://www.example.com/floors/"));
    let names: Vec<_> = one.authors.iter().map(|author| author.name.as_str()).collect();
    let filed: Vec<_> = one.categories.iter().map(|category| category.label.as_str()).collect();
    assert_eq!((names, filed), (vec!["Wang Fang", "Li Ming"], vec!["Culture", "City"]));
    assert_eq!(one.pictures[0].caption.as_str(), "The reading room");
    assert_eq!(one.summary.as_str(), "It is open.");
}

#[tokio::test]
async fn drupal_in_sqlite() {
    let home = Home::new();
    let schema = include_str!("../support/content/drupal.sql");
    let round = preset(&home, schema, "preset = 'drupal'\nhome = 'https://www.example.com/'").await;
    assert_eq!(round.counts.published, 2, "{round:?}");
    let one = story(&home, "1").await.unwrap();
    assert_eq!(one.url.unwrap().as_str(), "https://www.example.com/news/library-opens");
    assert_eq!(one.summary.as_str(), "It is open.");
    let picture = &one.pictures[0];
    assert_eq!(
        (picture.width, picture.alt.as_str(), picture.bytes),
        (Some(640), "A room", Some(12_345))
    );
}

#[tokio::test]
async fn a_chinese_table_with_other_columns() {
    let home = Home::new();
    let schema = include_str!("../support/content/cms-zh.sql")
        .replace("column_name", "lanmu")
        .replace("update_time", "gengxin");
    let settings = "preset = 'cms-zh'\ntime_zone = 'Asia/Shanghai'\n[source.cms.columns]\ncategories = 'lanmu'\ndate_modified = 'gengxin'";
    let round = preset(&home, &schema, settings).await;
    assert_eq!(round.counts.published, 2, "{round:?}");
    let one = story(&home, "1").await.unwrap();
    assert_eq!(one.source.unwrap().name.as_str(), "新华社");
    assert_eq!((one.categories[0].label.as_str(), one.editors[0].name.as_str()), ("头条", "王五"));
    assert!(!serde_json::to_string(&one.content).unwrap().contains("10293"));
}
