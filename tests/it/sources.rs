//! Articles that come in from tables: here SQLite; `tests/clients/content.rs` has the databases that are servers.

use std::path::Path;

use chrono::{DateTime, Utc};
use courant::{
    article::Window,
    category::{Facet, Selection},
    config::{self, Config, Overrides},
    source::{Follower, How, Round, Source, SourceError},
    store::Store,
};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    fixtures::{Home, open},
    support::{
        SETTINGS, Site,
        dice::{self, Dice},
        get, until, wait,
    },
};

const TABLE: &str = "CREATE TABLE article (
    no INTEGER PRIMARY KEY, headline TEXT, body TEXT, source TEXT, editor TEXT, channel TEXT, clicks INTEGER,
    written TEXT, moved TEXT, state TEXT);
  CREATE TABLE channel (article INTEGER, label TEXT);";

const SOURCE: &str = r#"
[source.cms]
kind = "sql"
url = "sqlite:cms.db"
table = "article"
cursor = "moved"
status = "state"
published = ["live"]
time_zone = "Asia/Shanghai"
link = "https://www.example.com/news/{id}.html"
categories_query = "SELECT article AS id, label FROM channel WHERE article IN ({ids}) ORDER BY label"

[source.cms.columns]
id = "no"
title = "headline"
content_text = "body"
source = "source"
editors = "editor"
date_published = "written"
date_modified = "moved"
"#;

/// A store, and a database beside it.
struct Newsroom {
    home: Home,
    database: Connection,
    settings: String,
}

impl Newsroom {
    fn new() -> Self {
        let home = Home::new();
        let database = Connection::open(home.folder.path().join("cms.db")).unwrap();
        database.execute_batch(TABLE).unwrap();
        Self { home, database, settings: format!("{SETTINGS}{SOURCE}") }
    }

    fn write(&self, no: i64, headline: &str, moved: &str, state: &str) {
        self.database
            .execute(
                "INSERT OR REPLACE INTO article (no, headline, body, written, moved, state, clicks)
                 VALUES (?, ?, 'Text.', '2026-03-05 08:30:00', ?, ?, abs(random() % 1000))",
                (no, headline, moved, state),
            )
            .unwrap();
    }

    fn config(&self) -> Config {
        let file = self.home.folder.path().join("feeds.toml");
        let config = config::read(&self.settings, &file, &Overrides::default());
        config.unwrap_or_else(|error| panic!("{error}"))
    }

    fn source(&self) -> Source {
        self.config().sources[0].clone()
    }

    /// A follower as it is after a start of the program.
    async fn follower(&self) -> Follower {
        self.follower_at(now).await
    }

    async fn follower_at(&self, clock: fn() -> DateTime<Utc>) -> Follower {
        let config = self.config();
        let store: std::sync::Arc<dyn Store> = self.home.store.clone();
        let source = std::sync::Arc::new(config.sources[0].clone());
        Follower::open(source, store, &config.catalogue, clock).await.unwrap()
    }

    async fn look(&self, how: How) -> Round {
        self.follower().await.look(how).await.unwrap()
    }

    async fn shown(&self) -> Vec<String> {
        shown(&*self.home.store).await
    }
}

fn now() -> DateTime<Utc> {
    courant::clock::now()
}

async fn shown(store: &dyn Store) -> Vec<String> {
    let window = Window { count: 2_000.try_into().unwrap(), ..Window::default() };
    let snapshot = store.snapshot(&[Facet::all()], &Selection::default(), window).await.unwrap();
    let mut shown: Vec<_> = snapshot
        .articles
        .iter()
        .map(|article| format!("{} {}", article.id, article.story.title))
        .collect();
    shown.sort();
    shown
}

fn counts(round: &Round) -> Vec<(&'static str, u64)> {
    round.counts.all().into_iter().filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn rows_become_articles_and_changes_follow() {
    let room = Newsroom::new();
    room.write(1, "One", "2026-03-05 09:00:00", "live");
    room.write(2, "Two", "2026-03-05 09:00:00", "draft");
    room.write(3, "Three", "2026-03-05 09:00:00", "live");
    room.database.execute_batch("INSERT INTO channel VALUES (1, '头条'), (1, 'City')").unwrap();
    let round = room.look(How::default()).await;
    assert_eq!(counts(&round)[..2], [("rows", 3), ("published", 2)]);
    assert_eq!(room.shown().await, ["1 One", "3 Three"]);
    let snapshot = room
        .home
        .store
        .snapshot(&[Facet::all()], &Selection::default(), Window::default())
        .await
        .unwrap();
    let one = snapshot.articles.iter().find(|article| article.id.as_str() == "1").unwrap();
    assert_eq!(one.published, "2026-03-05T00:30:00Z".parse::<DateTime<Utc>>().unwrap());
    assert_eq!(one.story.url.as_ref().unwrap().as_str(), "https://www.example.com/news/1.html");
    let labels: Vec<_> = one.story.categories.iter().map(|one| one.label.as_str()).collect();
    assert_eq!(labels, ["City", "头条"]);

    // A new one, an edit, one that is not to be read any more.
    room.write(4, "Four", "2026-03-05 09:01:00", "live");
    room.write(3, "Three, corrected", "2026-03-05 09:02:00", "live");
    room.write(1, "One", "2026-03-05 09:03:00", "trash");
    let round = room.look(How::default()).await;
    assert_eq!(
        (round.counts.published, round.counts.edited, round.counts.withdrawn),
        (1, 1, 1),
        "{round:?}"
    );
    assert_eq!(room.shown().await, ["3 Three, corrected", "4 Four"]);
    // And is to be read again.
    room.write(1, "One again", "2026-03-05 09:04:00", "live");
    assert_eq!(room.look(How::default()).await.counts.published, 1);
    assert_eq!(room.shown().await, ["1 One again", "3 Three, corrected", "4 Four"]);
}

#[tokio::test]
async fn what_somebody_took_back_by_hand_stays_away() {
    let room = Newsroom::new();
    room.write(1, "One", "2026-03-05 09:00:00", "live");
    room.look(How::default()).await;
    let id = courant::article::ArticleId::new("1").unwrap();
    room.home.store.withdraw(vec![id], now()).await.unwrap();
    room.write(1, "One, edited", "2026-03-05 10:00:00", "live");
    let round = room.look(How::default()).await;
    assert!(round.counts.retired > 0, "{round:?}");
    assert!(room.shown().await.is_empty());
    // Also when its row goes, and comes again.
    room.write(1, "One", "2026-03-05 10:01:00", "trash");
    assert_eq!(room.look(How::default()).await.counts.withdrawn, 0);
    room.write(1, "One", "2026-03-05 10:02:00", "live");
    room.look(How::default()).await;
    assert!(room.shown().await.is_empty());
}

#[tokio::test]
async fn an_article_stays_while_another_row_holds_it() {
    let mut room = Newsroom::new();
    room.settings = room.settings.replace("id = \"no\"", "id = \"source\"");
    room.settings = room.settings.replace("status =", "key = \"no\"\nstatus =");
    let version = |no: i64, state: &str, moved: &str| {
        room.write(no, &format!("Version {no}"), moved, state);
        room.database.execute("UPDATE article SET source = 'a' WHERE no = ?", [no]).unwrap();
    };
    version(2, "live", "2026-03-05 09:00:00");
    room.look(How::default()).await;
    // A newer version takes the place of an older one, whichever is read first.
    version(2, "old", "2026-03-05 09:01:00");
    version(3, "live", "2026-03-05 09:01:00");
    assert_eq!(room.look(How::default()).await.counts.withdrawn, 0);
    assert_eq!(room.shown().await, ["a Version 3"]);
    version(3, "old", "2026-03-05 09:02:00");
    version(1, "live", "2026-03-05 09:02:00");
    assert_eq!(room.look(How::default()).await.counts.withdrawn, 0);
    assert_eq!(room.shown().await, ["a Version 1"]);
    version(1, "old", "2026-03-05 09:03:00");
    assert_eq!(room.look(How::default()).await.counts.withdrawn, 1);
    version(1, "live", "2026-03-05 09:04:00");
    room.look(How::default()).await;
    assert_eq!(room.shown().await, ["a Version 1"]);
}

#[tokio::test]
async fn other_keys_for_the_same_articles_take_none_of_them_back() {
    let mut room = Newsroom::new();
    for no in 1..=3 {
        room.write(no, "News", "2026-03-05 09:00:00", "live");
    }
    room.database.execute("UPDATE article SET channel = 'key ' || no", []).unwrap();
    room.look(How::default()).await;
    let before = room.shown().await;
    let by_number = room.settings.clone();
    room.settings = by_number.replace("status =", "key = \"channel\"\nstatus =");
    let sweep = How { sweep: true, ..How::default() };
    let round = room.look(sweep).await;
    assert_eq!((round.counts.withdrawn, round.doubted), (0, None));
    assert_eq!(room.shown().await, before);
    // Their new keys are what holds them now.
    room.database.execute("DELETE FROM article WHERE no = 1", []).unwrap();
    assert_eq!(room.look(sweep).await.counts.withdrawn, 1);

    // Another prefix, and then none again.
    room.settings.clone_from(&by_number);
    assert_eq!(room.look(sweep).await.counts.withdrawn, 0);
    room.settings = by_number.replace("status =", "id_prefix = \"p-\"\nstatus =");
    room.look(How::default()).await;
    assert_eq!(room.shown().await, ["p-2 News", "p-3 News"]);
    room.settings = by_number;
    room.look(How::default()).await;
    assert_eq!(room.shown().await, ["2 News", "3 News"]);
}

#[tokio::test]
async fn one_at_a_time_follows_and_whoever_is_overtaken_writes_nothing() {
    let room = Newsroom::new();
    room.write(1, "One", "2026-03-05 09:00:00", "live");
    let (mut one, mut other) = (room.follower().await, room.follower().await);
    one.hold(false).await.unwrap();
    let refused = other.look(How::default()).await.unwrap_err();
    assert!(matches!(refused, SourceError::Followed(_)), "{refused}");
    assert!(refused.to_string().contains("--take-over"), "{refused}");
    assert!(room.shown().await.is_empty());
    let followed = Follower::followed(&*room.home.store, &room.source(), now()).await.unwrap();
    assert!(followed.is_some());

    let over = How { take_over: true, ..How::default() };
    assert_eq!(other.look(over).await.unwrap().counts.published, 1);
    room.write(2, "Two", "2026-03-05 09:01:00", "live");
    let overtaken = one.look(How::default()).await.unwrap_err();
    assert!(matches!(overtaken, SourceError::Overtaken), "{overtaken}");
    assert_eq!(room.shown().await, ["1 One"], "it knew nothing of what was read meanwhile");
    // It goes on from where the other has come to.
    let round = one.look(How::default()).await.unwrap();
    assert_eq!((round.counts.published, round.counts.edited), (1, 0), "{round:?}");
    assert_eq!(one.standing().counts.published, 2);
    let followed = Follower::followed(&*room.home.store, &room.source(), now()).await.unwrap();
    assert_eq!(followed, None);
}

#[tokio::test]
async fn a_row_that_is_committed_late_is_not_passed_by() {
    let room = Newsroom::new();
    room.write(1, "One", "2026-03-05 09:00:00", "live");
    room.look(How::default()).await;
    room.write(5, "Five", "2026-03-05 09:00:30", "live");
    assert_eq!(room.look(How::default()).await.counts.published, 1);
    // Written before the last one, seen after it; and one with a time that others have had for long.
    room.write(4, "Four", "2026-03-05 09:00:20", "live");
    room.write(2, "Two", "2026-03-05 09:00:30", "live");
    assert_eq!(room.look(How::default()).await.counts.published, 2);
    assert_eq!(room.shown().await, ["1 One", "2 Two", "4 Four", "5 Five"]);
}

#[tokio::test]
async fn rows_of_long_ago_and_of_times_to_come_are_seen() {
    let mut room = Newsroom::new();
    // Without an overlap, the first look ends with all that is there.
    room.settings = room.settings.replace("cursor =", "overlap_seconds = 0\ncursor =");
    room.write(1, "One", "2026-03-05 09:00:00", "live");
    room.write(2, "Ahead", "2199-01-01 00:00:00", "live");
    room.look(How::default()).await;
    // Written with an old date, as imports of content systems do.
    room.write(3, "Old", "2001-01-01 00:00:00", "live");
    room.look(How::default()).await;
    // A row whose time lies ahead does not hide others.
    let moved = courant::clock::now().format("%Y-%m-%d %H:%M:%S").to_string();
    room.write(1, "One, edited", &moved, "live");
    room.look(How::default()).await;
    assert_eq!(room.shown().await, ["1 One, edited", "2 Ahead", "3 Old"]);
}

#[tokio::test]
async fn a_row_that_is_some_hours_ahead_hides_no_edit() {
    let mut room = Newsroom::new();
    room.settings = room.settings.replace("cursor =", "overlap_seconds = 0\ncursor =");
    let shanghai = |hours: i64| {
        let local = now() + chrono::TimeDelta::hours(8 + hours);
        local.format("%Y-%m-%d %H:%M:%S").to_string()
    };
    room.write(1, "One", &shanghai(-3), "live");
    room.look(How::default()).await;
    room.write(2, "Ahead", &shanghai(10), "live");
    room.look(How::default()).await;
    room.write(1, "One, edited", &shanghai(-1), "live");
    room.look(How::default()).await;
    assert_eq!(room.shown().await, ["1 One, edited", "2 Ahead"]);
}

#[tokio::test]
async fn a_second_edit_of_the_same_day_is_seen_where_the_cursor_is_a_day() {
    let room = Newsroom::new();
    room.write(1, "One", "2026-03-05", "live");
    room.write(2, "Two", "2026-03-05", "live");
    room.look(How::default()).await;
    for title in ["Edited", "Edited again"] {
        room.write(1, title, "2026-03-06", "live");
        room.write(2, title, "2026-03-06", "live");
        room.look(How::default()).await;
        room.look(How::default()).await;
        assert_eq!(room.shown().await, [format!("1 {title}"), format!("2 {title}")]);
    }
}

#[tokio::test]
async fn rows_without_a_cursor_are_counted_and_read_once_a_day() {
    let mut room = Newsroom::new();
    room.settings = room.settings.replace("status =", "key = \"channel\"\nstatus =");
    room.write(1, "One", "2026-03-05 09:00:00", "live");
    room.write(2, "Two", "2026-03-05 09:00:00", "live");
    room.database.execute("UPDATE article SET channel = 'key ' || no", []).unwrap();
    assert_eq!(room.look(How::default()).await.without_cursor, 0);
    let edit = "UPDATE article SET headline = 'Edited', moved = NULL WHERE no = 2";
    room.database.execute(edit, []).unwrap();
    room.look(How::default()).await;
    assert_eq!(room.shown().await, ["1 One", "2 Two"]);
    let mut tomorrow = room.follower_at(|| now() + chrono::TimeDelta::hours(25)).await;
    assert_eq!(tomorrow.look(How::default()).await.unwrap().without_cursor, 1);
    assert_eq!(room.shown().await, ["1 One", "2 Edited"]);
}

#[tokio::test]
async fn a_row_that_is_refused_stops_no_other() {
    let mut room = Newsroom::new();
    room.settings =
        room.settings.replace("date_published = \"written\"", "date_published = \"channel\"");
    room.write(1, "One", "2026-03-05 09:00:00", "live");
    room.write(2, "Two", "2026-03-05 09:00:01", "live");
    room.database.execute("UPDATE article SET channel = 'soon' WHERE no = 1", []).unwrap();
    let round = room.look(How::default()).await;
    assert_eq!(room.shown().await, ["2 Two"]);
    assert_eq!(
        (round.refusals[0].key.as_str(), round.refusals[0].field.as_str()),
        ("1", "date_published")
    );
    // It is written down, for `courant source list`.
    let follower = room.follower().await;
    assert_eq!(follower.standing().refusals.len(), 1);
    // A blob that is no text.
    room.database
        .execute("UPDATE article SET channel = NULL, moved = '2026-03-05 09:10:00', body = x'cdb7ff' WHERE no = 1", [])
        .unwrap();
    let round = room.look(How::default()).await;
    assert!(round.refusals[0].problem.contains("not UTF-8"), "{round:?}");
}

#[tokio::test]
async fn what_was_deleted_is_found_and_too_much_is_not_believed() {
    let room = Newsroom::new();
    for no in 1..=2_500 {
        room.write(no, "News", "2026-03-05 09:00:00", "live");
    }
    room.look(How::default()).await;
    let sweep = How { sweep: true, ..How::default() };
    assert_eq!(room.look(sweep).await.counts.withdrawn, 0);
    room.database.execute("DELETE FROM article WHERE no % 500 = 0", []).unwrap();
    assert_eq!(room.look(How::default()).await.counts.withdrawn, 0, "it is not time yet");
    assert_eq!(room.look(sweep).await.counts.withdrawn, 5);
    room.database.execute("DELETE FROM article WHERE no > 1000", []).unwrap();
    let round = room.look(sweep).await;
    assert_eq!((round.counts.withdrawn, round.doubted), (0, Some((1_497, 2_495))));
    // Until it is looked for again, whatever else is looked at.
    for _ in 0..2 {
        let error = room.follower().await.standing().error.clone().unwrap();
        assert!(error.contains("--withdraw-all"), "{error}");
        room.look(How::default()).await;
    }
    assert_eq!(room.home.store.census().await.unwrap().published, 2_495);
    let told = How { withdraw_all: true, ..How::default() };
    assert_eq!(room.look(told).await.counts.withdrawn, 1_497);
    assert_eq!(room.home.store.census().await.unwrap().published, 998);
    assert_eq!(room.follower().await.standing().error, None);
    // An empty table is a mistake of somebody's until they say otherwise.
    room.database.execute("DELETE FROM article", []).unwrap();
    assert_eq!(room.look(sweep).await.doubted, Some((998, 998)));
    // What another way brought in is never swept.
    let count = room.home.store.census().await.unwrap().published;
    room.home.publish(vec![crate::fixtures::submission("by-hand", 0)], 1).await;
    room.look(told).await;
    assert_eq!((count, room.shown().await), (998, vec!["by-hand Title of by-hand".to_owned()]));
}

#[tokio::test]
async fn another_mapping_reads_everything_again() {
    let mut room = Newsroom::new();
    room.write(1, "One", "2026-03-05 09:00:00", "live");
    room.look(How::default()).await;
    room.settings = room.settings.replace("title = \"headline\"", "title = \"body\"");
    room.look(How::default()).await;
    assert_eq!(room.shown().await, ["1 Text."]);
}

#[tokio::test]
async fn a_query_names_its_columns_as_the_fields() {
    let mut room = Newsroom::new();
    room.settings = format!(
        "{SETTINGS}[source.cms]\nkind = 'sql'\nurl = 'sqlite:cms.db'\nid_prefix = 'cms:'\ncursor = 'moved'\n\
         encoding = 'gbk'\nquery = '''SELECT no AS id, upper(headline) AS title, body AS content_text, \
         'a|b' AS tags, moved, written AS date_published, clicks FROM article WHERE state = 'live';'''"
    );
    room.write(1, "One", "2026-03-05 09:00:00", "live");
    room.database.execute("UPDATE article SET headline = x'cdb7ccf5' WHERE no = 1", []).unwrap();
    room.database.execute("UPDATE article SET headline = CAST(x'cdb7ccf5' AS TEXT)", []).unwrap();
    let round = room.look(How::default()).await;
    assert_eq!(round.unknown, ["clicks", "moved"]);
    assert_eq!(room.shown().await, ["cms:1 头条"]);
}

#[tokio::test]
async fn a_look_that_breaks_off_is_gone_on_with() {
    let room = Newsroom::new();
    for no in 1..=5_000 {
        room.write(no, "News", "2026-03-05 09:00:00", "live");
    }
    // The third page cannot be read.
    room.database.execute("UPDATE article SET headline = 7 WHERE no = 4500", []).unwrap();
    let broken = "ALTER TABLE article RENAME TO away; CREATE VIEW article AS SELECT *, \
         CASE WHEN no = 4500 THEN json('broken') END AS x FROM away";
    room.database.execute_batch(broken).unwrap();
    let mut room = room;
    room.settings =
        room.settings.replace("[source.cms.columns]", "[source.cms.columns]\nrights = \"x\"");
    let mut follower = room.follower().await;
    let error = follower.look(How::default()).await.unwrap_err();
    assert!(error.to_string().contains("cannot read"), "{error}");
    assert_eq!(follower.standing().failures, 1);
    let taken = room.home.store.census().await.unwrap().published;
    assert!((2_000..5_000).contains(&taken), "{taken}");
    room.database.execute("UPDATE away SET no = 9999 WHERE no = 4500", []).unwrap();
    let round = room.look(How::default()).await;
    assert_eq!(i64::try_from(round.counts.published).unwrap(), 5_000 - taken, "{round:?}");
}

fn write_rows(file: &Path, rows: std::ops::Range<i64>, moved: &str) {
    let mut database = Connection::open(file).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let transaction = database.transaction().unwrap();
    for no in rows {
        transaction
            .execute(
                "INSERT OR REPLACE INTO article (no, headline, body, written, moved, state)
                 VALUES (?1, 'News ' || ?1, 'Text.', '2026-03-05 08:30:00', ?2, 'live')",
                (no, moved),
            )
            .unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_follower_loses_nothing_and_takes_nothing_twice() {
    let site = Site::new(&format!("{SETTINGS}{SOURCE}"));
    let file = site.path("cms.db");
    Connection::open(&file)
        .unwrap()
        .execute_batch(&format!("PRAGMA journal_mode = wal; {TABLE}"))
        .unwrap();
    let mut dice = Dice(dice::seed(0x5eed));
    let (rounds, rows) = (12, 1_500);
    for round in 0..rounds {
        write_rows(
            &file,
            round * rows..(round + 1) * rows,
            &format!("2026-03-05 09:{round:02}:00"),
        );
        let mut follower = site.command(&["source", "run", "cms", "--once", "--take-over"]);
        let mut follower = follower
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(dice.roll(400)));
        follower.kill().unwrap();
        wait(&mut follower);
    }
    let last = site.run(&["source", "run", "cms", "--once", "--take-over"]);
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));
    let store = open(&site.path("courant.db"));
    assert_eq!(store.census().await.unwrap().published, rounds * rows);
    let limit = std::num::NonZeroU16::MAX;
    let log = store.log(courant::article::Revision(0), limit).await.unwrap();
    assert_eq!(i64::try_from(log.len()).unwrap(), rounds * rows, "each change is in the log once");
}

#[test]
fn a_service_follows_and_a_check_shows_what_would_come() {
    let site = Site::new(&format!(
        "{SETTINGS}{}",
        SOURCE.replace("cursor =", "every_seconds = 1\ncursor =")
    ));
    let database = Connection::open(site.path("cms.db")).unwrap();
    database.execute_batch(TABLE).unwrap();
    write_rows(&site.path("cms.db"), 1..4, "2026-03-05 09:00:00");
    database.execute("UPDATE article SET written = 'soon' WHERE no = 2", []).unwrap();
    database.execute("UPDATE article SET state = 'draft' WHERE no = 3", []).unwrap();

    let check = site.run(&["source", "check", "cms"]);
    let text = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(1), "{text}");
    for part in [
        "1\n  title       News 1\n  published   2026-03-05T00:30:00Z\n",
        "refused  2: date_published: `soon` is not a date",
        "3 rows: 1 would be articles, 1 are not published, 1 would be refused",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let check = site.run(&["source", "check", "cms", "--json"]);
    let told: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(told["refused"][0]["key"], json!("2"));
    assert_eq!(told["articles"][0]["story"]["title"], json!("News 1"));
    let list = String::from_utf8(site.run(&["source", "list"]).stdout).unwrap();
    assert_eq!(list, "cms (sql): not read yet\n");

    let server = site.serve();
    let has = |part: &'static str| {
        move || {
            let (_, _, body) = get(server.address, "/all.json", &[]);
            String::from_utf8_lossy(&body).contains(part).then_some(())
        }
    };
    until("the first article comes in", has("News 1"));
    write_rows(&site.path("cms.db"), 7..8, "2026-03-05 09:01:00");
    until("another follows", has("News 7"));
    // The numbers are those of a look that is over.
    for part in [
        "courant_source_failures{source=\"cms\"} 0",
        "courant_source_articles_total{source=\"cms\",outcome=\"published\"} 2",
    ] {
        until(part, || {
            let (_, _, metrics) = get(server.address, "/metrics", &[]);
            String::from_utf8_lossy(&metrics).contains(part).then_some(())
        });
    }
    let run = site.run(&["source", "run", "cms", "--once"]);
    let told = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{told}");
    assert!(told.contains("another process follows the source") && told.contains("--take-over"));
    until("it follows, and says so", || {
        let list = String::from_utf8(site.run(&["source", "list"]).stdout).unwrap();
        let (_, _, metrics) = get(server.address, "/metrics", &[]);
        let gauge = "courant_source_followed{source=\"cms\"} 1";
        (list.contains("followed by") && String::from_utf8_lossy(&metrics).contains(gauge))
            .then_some(())
    });
    until("what was refused is listed", || {
        let list = String::from_utf8(site.run(&["source", "list"]).stdout).unwrap();
        list.contains("refused  2: date_published").then_some(())
    });
}

#[test]
fn a_database_that_is_away_is_told_without_its_password() {
    let settings = format!(
        "{SETTINGS}[source.cms]\nkind = 'sql'\nurl = 'postgres://cms:geheim@127.0.0.1:1/cms'\nquery = 'SELECT 1 AS id'"
    );
    let site = Site::new(&settings);
    let run = site.run(&["source", "run", "cms", "--once"]);
    assert_eq!(run.status.code(), Some(2));
    let told = String::from_utf8(run.stderr).unwrap();
    assert!(told.contains("cannot connect to `postgres://127.0.0.1:1/cms`"), "{told}");
    let list = site.run(&["source", "list", "--json"]);
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("cannot connect") && !list.contains("geheim"), "{list}");
}
