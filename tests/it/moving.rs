//! Moving house: a copy of a store is the same store, however often it was interrupted.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use courant::{
    article::{ArticleId, Revision, Submission},
    category::Slug,
    http::respond,
    publish::Publisher,
    store::{
        Delivery, Effects, Grant, Intake, Key, Operation, Precondition, Push, Result, SqliteSource,
        SqliteStore, SqliteTarget, Store, StoreError, Task, Token,
        copy::{
            Beginning, CopyError, Found, Origin, Place, Progress, Row, Source, TABLES, Table,
            Target, Value, copy,
        },
    },
};
use rusqlite::Connection;

use crate::{
    fixtures::{Home, at, catalogue, open, submission},
    http::{LIMITS, body, field, get},
    support::{SETTINGS, Site, wait},
};

/// A store in which everything has happened once.
pub(crate) async fn lived_in(home: Home) -> Home {
    home.publisher(at(0)).await;
    let article = |n: i64| Submission {
        embargo: (n == 7).then(|| at(5_000)),
        expires: (n == 8).then(|| at(100)),
        ..submission(&format!("article-{n}"), -n)
    };
    home.publish((0..40).map(article).collect(), 1).await;
    let mut edited = article(3);
    edited.story.content = courant::text::Html::from_text("Another text.");
    let mut refiled = article(4);
    refiled.story.categories.clear();
    home.publish(vec![edited, refiled], 10).await;
    let id = ArticleId::new("article-5").unwrap();
    home.store.withdraw(vec![id], at(20)).await.unwrap();
    home.store.release(at(200)).await.unwrap();
    home.store.settle("podcast:guid/all", "one for ever").await.unwrap();
    let partner: Slug = "wire".parse().unwrap();
    let token = Token {
        digest: "digest".to_owned(),
        partner: partner.clone(),
        holder: String::new(),
        created: at(300),
        ends: None,
    };
    home.store.issue(token, None).await.unwrap();
    let delivery = Delivery {
        partner,
        holder: String::new(),
        feed: "all".to_owned(),
        revision: Revision(3),
        first: at(310),
        last: at(320),
        count: 2,
    };
    home.store.deliver(vec![delivery]).await.unwrap();
    let grant = Grant {
        digest: "another digest".to_owned(),
        name: "desk".parse().unwrap(),
        scopes: "write".to_owned(),
        created: at(330),
        ends: Some(at(9_000)),
    };
    home.store.grant(grant).await.unwrap();
    home.store.remember(vec![("source/a".to_owned(), Some("7".to_owned()))]).await.unwrap();
    let id = ArticleId::new("article-6").unwrap();
    let withdrawal = Task {
        operation: Operation::Withdraw { id, is_kept: true },
        precondition: Precondition::default(),
    };
    let push = Push {
        tasks: vec![withdrawal],
        is_atomic: false,
        republish: false,
        within: None,
        key: Some(Key {
            owner: "desk".parse().unwrap(),
            key: "key-1".to_owned(),
            fingerprint: "f".to_owned(),
        }),
        answer: Box::new(|effects: &Effects| format!("at {}", effects.head)),
    };
    home.store.push(push, at(340)).await.unwrap();
    home
}

fn place(home: &Home, name: &str) -> PathBuf {
    home.folder.path().join(name)
}

fn source(home: &Home) -> SqliteSource {
    SqliteSource::open(&place(home, "courant.db")).unwrap()
}

fn target(path: &Path) -> SqliteTarget {
    SqliteTarget::open(path).unwrap()
}

/// Every row of every table.
pub(crate) fn rows_of(source: &mut dyn Source) -> Vec<(&'static str, Vec<Row>)> {
    let mut all = Vec::new();
    for table in TABLES {
        let mut rows = Vec::new();
        let mut keep = |row| {
            rows.push(row);
            Ok(())
        };
        source.each(table, None, &mut keep).unwrap();
        all.push((table.name, rows));
    }
    let origin = source.origin().unwrap();
    all.push(("store", vec![vec![Value::Integer(origin.head), Value::Text(origin.authority)]]));
    all
}

fn rows(path: &Path) -> Vec<(&'static str, Vec<Row>)> {
    rows_of(&mut SqliteSource::open(path).unwrap())
}

/// What readers get: tags, dates, bytes.
pub(crate) async fn answers(store: Arc<dyn Store>) -> Vec<(String, String, String)> {
    let publisher = Publisher::open(store, catalogue(), 64_000_000, at(400)).await.unwrap();
    let mut answers = Vec::new();
    for path in ["/all.atom", "/all.rss", "/calm.json", "/category/news.atom", "/", "/feeds.opml"] {
        let answer = respond(&publisher, &LIMITS, &get(path, &[]), at(4_000)).await;
        let tag = field(&answer, "etag").to_owned();
        let date = field(&answer, "last-modified").to_owned();
        answers.push((tag, date, body(answer).await));
    }
    answers
}

#[test]
fn every_table_and_column_of_a_store_is_carried() {
    let home = Home::new();
    let file = Connection::open(place(&home, "courant.db")).unwrap();
    let list = |sql: &str| -> Vec<String> {
        let mut select = file.prepare(sql).unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut tables = list("SELECT name FROM sqlite_schema WHERE type = 'table'");
    tables.retain(|name| name != "store");
    tables.sort();
    let mut known: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    known.sort_unstable();
    assert_eq!(tables, known, "store::copy::TABLES has every table that a migration makes");
    for table in TABLES {
        let mut columns = list(&format!("SELECT name FROM pragma_table_info('{}')", table.name));
        columns.sort();
        let mut known: Vec<_> =
            table.columns.iter().map(courant::store::copy::Column::name).collect();
        known.sort_unstable();
        assert_eq!(columns, known, "{}", table.name);
    }
}

#[tokio::test]
async fn a_copy_is_the_same_store() {
    let home = lived_in(Home::new()).await;
    let new = place(&home, "new.db");
    let before = rows(&place(&home, "courant.db"));
    let copied = copy(&mut source(&home), &mut target(&new), &mut |_| {}).unwrap();
    assert_eq!((copied.beginning, copied.source_went_on_to), (Beginning::New, None));
    assert_eq!(copied.rows["article"], 40);
    assert_eq!(rows(&place(&home, "courant.db")), before, "the source has changed");
    assert_eq!(rows(&new), before);
    for table in TABLES.iter().map(|table| table.name) {
        // Nobody gets articles later or earlier than others here.
        let may_be_empty = ["coming", "came"].contains(&table);
        assert!(may_be_empty || copied.rows[table] > 0, "{table} is empty");
    }

    let moved: Arc<dyn Store> = open(&new);
    assert_eq!(answers(Arc::clone(&home.store)).await, answers(Arc::clone(&moved)).await);
    // Life goes on the same in both.
    for store in [&home.store, &moved] {
        let batch = vec![submission("article-3", 500), submission("one-more", 501)];
        store.upsert(batch, Intake::default(), at(510)).await.unwrap();
        store.release(at(6_000)).await.unwrap();
    }
    assert_eq!(answers(Arc::clone(&home.store)).await, answers(moved).await);
    assert_eq!(rows(&new), rows(&place(&home, "courant.db")));
}

/// A target that fails after so many rows, or loses one.
pub(crate) struct Weak<T> {
    pub(crate) target: T,
    pub(crate) rows_left: usize,
    pub(crate) loses: bool,
}

impl<T: Target> Place for Weak<T> {
    fn place(&self) -> String {
        self.target.place()
    }

    fn each(
        &mut self,
        table: &Table,
        after: Option<&[Value]>,
        visit: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        self.target.each(table, after, visit)
    }
}

impl<T: Target> Target for Weak<T> {
    fn found(&mut self) -> Result<Found> {
        self.target.found()
    }

    fn begin(&mut self, name: &str, note: &str) -> Result<()> {
        self.target.begin(name, note)
    }

    fn clear(&mut self, table: &Table) -> Result<()> {
        self.target.clear(table)
    }

    fn put(&mut self, table: &Table, rows: &[Row], note: &str) -> Result<()> {
        let Some(left) = self.rows_left.checked_sub(rows.len()) else {
            return Err(StoreError::Closing);
        };
        self.rows_left = left;
        let lost = usize::from(self.loses && table.name == "filing" && !rows.is_empty());
        self.target.put(table, &rows[lost..], note)
    }

    fn finish(&mut self, origin: &Origin) -> Result<()> {
        self.target.finish(origin)
    }
}

fn weak(path: &Path, rows_left: usize) -> Weak<SqliteTarget> {
    Weak { target: target(path), rows_left, loses: false }
}

#[tokio::test]
async fn an_interrupted_copy_goes_on() {
    let home = lived_in(Home::new()).await;
    let new = place(&home, "new.db");
    let mut beginnings = Vec::new();
    // Small tables are carried whole: each time, one or two of them more.
    for rows_left in [0, 50, 100, 100, 45] {
        let mut progress = |progress| {
            if let Progress::Begun { how, .. } = progress {
                beginnings.push(how);
            }
        };
        let copied = copy(&mut source(&home), &mut weak(&new, rows_left), &mut progress);
        assert!(matches!(copied, Err(CopyError::Target { .. })), "{copied:?}");
        let opened = SqliteStore::open(&new, "example.com,2026", at(0)).err();
        assert!(matches!(opened, Some(StoreError::Part(_))), "a part opens: {opened:?}");
        let read = SqliteSource::open(&new).err();
        assert!(matches!(read, Some(StoreError::Part(_))), "a part is copied: {read:?}");
    }
    // The ledger changes without a write to tell.
    let delivery = Delivery {
        partner: "wire".parse().unwrap(),
        holder: String::new(),
        feed: "all".to_owned(),
        revision: Revision(4),
        first: at(330),
        last: at(330),
        count: 1,
    };
    home.store.deliver(vec![delivery]).await.unwrap();
    let copied = copy(&mut source(&home), &mut target(&new), &mut |_| {}).unwrap();
    assert_eq!(copied.beginning, Beginning::Resumed);
    assert_eq!(beginnings[0], Beginning::New);
    assert!(beginnings[1..].iter().all(|how| *how == Beginning::Resumed), "{beginnings:?}");
    assert_eq!(rows(&new), rows(&place(&home, "courant.db")));
}

#[tokio::test]
async fn a_copy_of_a_source_that_has_changed_since_begins_anew() {
    let home = lived_in(Home::new()).await;
    let new = place(&home, "new.db");
    copy(&mut source(&home), &mut weak(&new, 150), &mut |_| {}).unwrap_err();
    home.publish(vec![submission("late", 600)], 600).await;
    let copied = copy(&mut source(&home), &mut target(&new), &mut |_| {}).unwrap();
    assert_eq!(copied.beginning, Beginning::Anew);
    assert_eq!(rows(&new), rows(&place(&home, "courant.db")));
}

#[tokio::test]
async fn a_part_of_another_store_is_left_alone() {
    let home = lived_in(Home::new()).await;
    let new = place(&home, "new.db");
    copy(&mut source(&home), &mut weak(&new, 150), &mut |_| {}).unwrap_err();
    let other = place(&home, "other.db");
    drop(SqliteStore::open(&other, "example.org,2026", at(0)).unwrap());
    let mut other = SqliteSource::open(&other).unwrap();
    let copied = copy(&mut other, &mut target(&new), &mut |_| {});
    assert!(matches!(copied, Err(CopyError::Another { .. })), "{copied:?}");
    let copied = copy(&mut source(&home), &mut target(&new), &mut |_| {}).unwrap();
    assert_eq!(copied.beginning, Beginning::Resumed);
}

#[tokio::test]
async fn a_target_that_holds_something_is_left_alone() {
    let home = lived_in(Home::new()).await;
    let store = place(&home, "store.db");
    open(&store).upsert(vec![submission("own", 0)], Intake::default(), at(0)).await.unwrap();
    let before = rows(&store);
    let copied = copy(&mut source(&home), &mut target(&store), &mut |_| {});
    assert!(matches!(copied, Err(CopyError::Occupied(_))), "{copied:?}");
    assert_eq!(rows(&store), before);

    let itself = place(&home, "courant.db");
    let copied = copy(&mut source(&home), &mut target(&itself), &mut |_| {});
    assert!(matches!(copied, Err(CopyError::Occupied(_))), "{copied:?}");

    let text = place(&home, "notes.txt");
    fs::write(&text, "Not a database at all, but somebody's notes.\n".repeat(100)).unwrap();
    assert!(matches!(SqliteTarget::open(&text).err(), Some(StoreError::Foreign(_))));
    let database = place(&home, "theirs.db");
    let theirs = Connection::open(&database).unwrap();
    theirs.execute_batch("CREATE TABLE article (key INTEGER)").unwrap();
    assert!(matches!(SqliteTarget::open(&database).err(), Some(StoreError::Foreign(_))));
    assert!(matches!(SqliteSource::open(&database).err(), Some(StoreError::Foreign(_))));

    // One that was made and never written to holds nothing.
    let empty = place(&home, "empty.db");
    drop(SqliteStore::open(&empty, "example.org,2026", at(0)).unwrap());
    copy(&mut source(&home), &mut target(&empty), &mut |_| {}).unwrap();
    assert_eq!(rows(&empty), rows(&place(&home, "courant.db")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_of_one_moment_and_says_what_came_after() {
    let home = lived_in(Home::new()).await;
    let new = place(&home, "new.db");
    let before = rows(&place(&home, "courant.db"));
    let (mut from, mut to) = (source(&home), target(&new));
    let (mut has_written, runtime) = (false, tokio::runtime::Handle::current());
    let mut write = |progress| {
        if let (Progress::Done(_), false) = (progress, has_written) {
            has_written = true;
            let batch = vec![submission("meanwhile", 700)];
            let written = home.store.upsert(batch, Intake::default(), at(700));
            runtime.block_on(written).unwrap();
        }
    };
    let copied = tokio::task::block_in_place(|| copy(&mut from, &mut to, &mut write)).unwrap();
    assert_eq!(copied.source_went_on_to, Some(copied.revision + 1));
    drop(to);
    assert_eq!(rows(&new), before);
}

#[tokio::test]
async fn what_did_not_arrive_is_noticed() {
    let home = lived_in(Home::new()).await;
    let new = place(&home, "new.db");
    let mut loses = Weak { target: target(&new), rows_left: usize::MAX, loses: true };
    let copied = copy(&mut source(&home), &mut loses, &mut |_| {});
    assert!(
        matches!(copied, Err(CopyError::Unequal { table: "filing", .. })),
        "a row was lost: {copied:?}"
    );
    drop(loses);
    assert!(matches!(
        SqliteStore::open(&new, "example.com,2026", at(0)).err(),
        Some(StoreError::Part(_))
    ));
}

#[test]
fn a_killed_copy_goes_on() {
    let site = Site::new(SETTINGS);
    let record = |n: usize| {
        let text = "All four floors are open to everyone. ".repeat(20);
        format!(
            "{{\"id\": \"{n}\", \"title\": \"Title {n}\", \"content_text\": \"{text}\", \
             \"date_published\": \"2026-03-05\"}}\n"
        )
    };
    site.write("all.ndjson", (0..6_000).map(record).collect::<String>());
    assert!(site.run(&["import", "all.ndjson"]).status.success());
    let command = |to: &str| {
        let mut command = site.command(&["store", "copy", "sqlite:courant.db", to, "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let begun = Instant::now();
    assert!(wait(&mut command("sqlite:measure.db")).success());
    let usual = begun.elapsed();
    let (mut killed, mut tries) = (0, 0_u32);
    loop {
        let mut copying = command("sqlite:new.db");
        // Further each time, so that it comes to its end.
        tries += 1;
        assert!(tries < 40, "it does not come to its end");
        let until = Instant::now() + usual * tries / 8;
        while Instant::now() < until && copying.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        copying.kill().unwrap();
        let output = copying.wait_with_output().unwrap();
        match output.status.code() {
            Some(0) => {
                let report = String::from_utf8(output.stdout).unwrap();
                assert!(report.contains("\"article\": 6000"), "{report}");
                break;
            }
            // Killed when all was done, and before it could say so: now the place is taken.
            Some(2) if killed > 0 => break,
            Some(code) => panic!("it ends with {code}"),
            None => killed += 1,
        }
    }
    assert!(killed > 0, "it was never killed");
    let digest = |name: &str| rows(&site.path(name));
    assert!(digest("new.db") == digest("courant.db"), "the copy differs");
    // Once more, to a place that is taken now.
    let again = site.run(&["store", "copy", "sqlite:courant.db", "sqlite:new.db"]);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("`new.db` holds a store already; name a place"), "{said}");
}
