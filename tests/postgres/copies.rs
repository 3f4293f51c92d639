//! Moving house between a file and a database: a copy is the same store, however often it was interrupted.

use std::{
    path::Path,
    process::Stdio,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use courant::{
    article::ArticleId,
    store::{
        Intake, PostgresSource, PostgresStore, PostgresTarget, SqliteSource, SqliteStore,
        SqliteTarget, Store, StoreError,
        copy::{Beginning, Copied, CopyError, Progress, Row, Source, TABLES, Target, copy},
    },
    text::DatabaseUrl,
};

use crate::{
    fixtures::{Home, at, open, submission},
    moving::{Weak, answers, lived_in, rows_of},
    support::{
        SETTINGS, Site,
        postgres::{Cluster, DURABLE},
        until,
    },
};

crate::cases!(
    every_table_and_column_of_a_database_is_carried,
    a_copy_there_and_back_is_the_same_store,
    an_interrupted_copy_to_a_database_goes_on,
    a_database_that_holds_something_is_left_alone,
    whoever_copies_to_where_another_does_is_told_so,
    a_copy_of_a_database_is_of_one_moment,
    a_copy_that_is_killed_goes_on_though_the_database_was_killed_too,
);

fn address(url: &str) -> DatabaseUrl {
    DatabaseUrl::new(url).unwrap()
}

async fn source(url: &str) -> PostgresSource {
    PostgresSource::open(&address(url)).await.unwrap()
}

async fn target(url: &str) -> PostgresTarget {
    PostgresTarget::open(&address(url)).await.unwrap()
}

async fn store(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    let opened = PostgresStore::open(&address(url), None, "example.org,2020", at(0)).await;
    opened.map(|store| Arc::new(store) as Arc<dyn Store>)
}

/// An empty database beside that of the case.
async fn empty(home: &Home, name: &str) -> String {
    let url = home.url();
    execute(&url, &format!("CREATE SCHEMA {name}")).await;
    format!("{url}?options=-csearch_path%3D{name}")
}

async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn execute(url: &str, statements: &str) {
    client(url).await.batch_execute(statements).await.unwrap();
}

/// Copies where waiting holds up nobody, and lets go of both.
async fn carry(
    mut from: impl Source + 'static,
    mut to: impl Target + 'static,
) -> Result<Copied, CopyError> {
    let work = move || copy(&mut from, &mut to, &mut |_| {});
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn rows(mut source: impl Source + 'static) -> Vec<(&'static str, Vec<Row>)> {
    tokio::task::spawn_blocking(move || rows_of(&mut source)).await.unwrap()
}

fn file(path: &Path) -> SqliteSource {
    SqliteSource::open(path).unwrap()
}

pub(crate) async fn every_table_and_column_of_a_database_is_carried(home: Home) {
    let client = client(&home.url()).await;
    let columns = "SELECT relname, array_agg(attname::text ORDER BY attname)
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
          AND relname NOT IN ('store', 'courant_layout') GROUP BY relname ORDER BY relname";
    let found = client.query(columns, &[]).await.unwrap();
    let found: Vec<(String, Vec<String>)> =
        found.iter().map(|row| (row.get(0), row.get(1))).collect();
    let known = TABLES.iter().map(|table| {
        let mut columns: Vec<_> = table.columns.iter().map(|c| c.name().to_owned()).collect();
        columns.sort();
        (table.name.to_owned(), columns)
    });
    let mut known: Vec<_> = known.collect();
    known.sort();
    assert_eq!(found, known, "store::copy::TABLES has every table that a migration makes");
}

pub(crate) async fn a_copy_there_and_back_is_the_same_store(home: Home) {
    let lived = lived_in(Home::new()).await;
    let (there, further) = (empty(&home, "there").await, empty(&home, "further").await);
    let back = home.folder.path().join("back.db");
    let before = rows(file(&lived.file())).await;

    let copied = carry(file(&lived.file()), target(&there).await).await.unwrap();
    assert_eq!((copied.beginning, copied.source_went_on_to), (Beginning::New, None));
    assert_eq!(rows(source(&there).await).await, before);
    carry(source(&there).await, target(&further).await).await.unwrap();
    carry(source(&further).await, SqliteTarget::open(&back).unwrap()).await.unwrap();
    assert_eq!(rows(file(&back)).await, before);
    assert_eq!(rows(file(&lived.file())).await, before, "the source has changed");

    // What readers get is the same, and life goes on the same in all of them.
    let all = [
        Arc::clone(&lived.store),
        store(&there).await.unwrap(),
        store(&further).await.unwrap(),
        open(&back) as Arc<dyn Store>,
    ];
    let first = answers(Arc::clone(&all[0])).await;
    for store in &all[1..] {
        assert_eq!(answers(Arc::clone(store)).await, first);
    }
    for store in &all {
        let batch = vec![submission("article-3", 500), submission("one-more", 501)];
        store.upsert(batch, Intake::default(), at(510)).await.unwrap();
        store.release(at(6_000)).await.unwrap();
        store.withdraw(vec![ArticleId::new("article-9").unwrap()], at(6_001)).await.unwrap();
    }
    let first = answers(Arc::clone(&all[0])).await;
    for store in &all[1..] {
        assert_eq!(answers(Arc::clone(store)).await, first);
    }
    let after = rows(file(&lived.file())).await;
    assert!(after != before);
    assert_eq!(rows(source(&there).await).await, after);
    assert_eq!(rows(source(&further).await).await, after);
    assert_eq!(rows(file(&back)).await, after);
}

pub(crate) async fn an_interrupted_copy_to_a_database_goes_on(home: Home) {
    let lived = lived_in(Home::new()).await;
    let url = empty(&home, "parts").await;
    for rows_left in [0, 50, 100, 100, 45] {
        let weak = Weak { target: target(&url).await, rows_left, loses: false };
        let copied = carry(file(&lived.file()), weak).await;
        assert!(matches!(copied, Err(CopyError::Target { .. })), "{copied:?}");
        let opened = store(&url).await.err();
        assert!(matches!(opened, Some(StoreError::Part(_))), "a part opens: {opened:?}");
        let read = PostgresSource::open(&address(&url)).await.err();
        assert!(matches!(read, Some(StoreError::Part(_))), "a part is copied: {read:?}");
    }
    // A part of another store is left alone.
    let other = home.folder.path().join("other.db");
    drop(SqliteStore::open(&other, "example.net,2026", at(0)).unwrap());
    let copied = carry(file(&other), target(&url).await).await;
    assert!(matches!(copied, Err(CopyError::Another { .. })), "{copied:?}");
    // What is remembered changes without a write to tell.
    lived.store.remember(vec![("source/b".to_owned(), Some("8".to_owned()))]).await.unwrap();
    let copied = carry(file(&lived.file()), target(&url).await).await.unwrap();
    assert_eq!(copied.beginning, Beginning::Resumed);
    assert_eq!(rows(source(&url).await).await, rows(file(&lived.file())).await);

    // A source that has changed since is copied anew.
    let url = empty(&home, "anew").await;
    let weak = Weak { target: target(&url).await, rows_left: 150, loses: false };
    carry(file(&lived.file()), weak).await.unwrap_err();
    lived.publish(vec![submission("late", 600)], 600).await;
    let copied = carry(file(&lived.file()), target(&url).await).await.unwrap();
    assert_eq!(copied.beginning, Beginning::Anew);
    assert_eq!(rows(source(&url).await).await, rows(file(&lived.file())).await);

    // What does not arrive is noticed.
    let url = empty(&home, "lossy").await;
    let weak = Weak { target: target(&url).await, rows_left: usize::MAX, loses: true };
    let copied = carry(file(&lived.file()), weak).await;
    assert!(matches!(copied, Err(CopyError::Unequal { table: "filing", .. })), "{copied:?}");
    assert!(matches!(store(&url).await.err(), Some(StoreError::Part(_))));
}

pub(crate) async fn a_database_that_holds_something_is_left_alone(home: Home) {
    let lived = lived_in(Home::new()).await;
    let url = home.url();
    home.publish(vec![submission("own", 0)], 0).await;
    let before = rows(source(&url).await).await;
    let copied = carry(file(&lived.file()), target(&url).await).await;
    assert!(matches!(copied, Err(CopyError::Occupied(_))), "{copied:?}");
    let copied = carry(source(&url).await, target(&url).await).await;
    assert!(matches!(copied, Err(CopyError::Occupied(_))), "{copied:?}");
    assert_eq!(rows(source(&url).await).await, before);

    let theirs = empty(&home, "theirs").await;
    execute(&theirs, "CREATE TABLE article (key int)").await;
    let opened = PostgresTarget::open(&address(&theirs)).await.err();
    assert!(matches!(opened, Some(StoreError::Foreign(_))), "{opened:?}");
    let opened = PostgresSource::open(&address(&theirs)).await.err();
    assert!(matches!(opened, Some(StoreError::Foreign(_))), "{opened:?}");

    // One that was made and never written to holds nothing.
    let made = empty(&home, "made").await;
    drop(store(&made).await.unwrap());
    carry(file(&lived.file()), target(&made).await).await.unwrap();
    assert_eq!(rows(source(&made).await).await, rows(file(&lived.file())).await);
}

pub(crate) async fn whoever_copies_to_where_another_does_is_told_so(home: Home) {
    let to = empty(&home, "filled").await;
    let first = target(&to).await;
    let error = PostgresTarget::open(&address(&to)).await.err().expect("it is refused");
    let cause = std::error::Error::source(&error).expect("there is a reason").to_string();
    assert!(cause.starts_with("another `courant store copy` (process "), "{cause}");
    drop(first);
    drop(target(&to).await);
}

pub(crate) async fn a_copy_of_a_database_is_of_one_moment(home: Home) {
    let home = lived_in(home).await;
    let before = rows(source(&home.url()).await).await;
    let (mut from, new) = (source(&home.url()).await, home.folder.path().join("new.db"));
    let (mut to, writer) = (SqliteTarget::open(&new).unwrap(), Arc::clone(&home.store));
    let runtime = tokio::runtime::Handle::current();
    let work = move || {
        let mut has_written = false;
        copy(&mut from, &mut to, &mut |progress| {
            if let (Progress::Done(_), false) = (progress, has_written) {
                has_written = true;
                let batch = vec![submission("meanwhile", 700)];
                runtime.block_on(writer.upsert(batch, Intake::default(), at(700))).unwrap();
            }
        })
    };
    let copied = tokio::task::spawn_blocking(work).await.unwrap().unwrap();
    assert_eq!(copied.source_went_on_to, Some(copied.revision + 1));
    assert_eq!(rows(file(&new)).await, before);
}

pub(crate) async fn a_copy_that_is_killed_goes_on_though_the_database_was_killed_too(_: Home) {
    tokio::task::spawn_blocking(killed).await.unwrap();
}

fn killed() {
    let mut cluster = Cluster::start(DURABLE);
    let (url, measure) = (cluster.database(), cluster.database());
    let site = Site::new(SETTINGS);
    let record = |n: usize| {
        let text = "All four floors are open to everyone. ".repeat(10);
        format!(
            "{{\"id\": \"{n}\", \"title\": \"Title {n}\", \"content_text\": \"{text}\", \
             \"date_published\": \"2026-03-05\"}}\n"
        )
    };
    site.write("all.ndjson", (0..6_000).map(record).collect::<String>());
    assert!(site.run(&["import", "all.ndjson"]).status.success());
    let command = |to: &str| {
        let mut command = site.command(&["store", "copy", "sqlite:courant.db", to, "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let begun = Instant::now();
    assert!(command(&measure).wait_with_output().unwrap().status.success());
    let usual = begun.elapsed();
    let (mut killed, mut failed, mut tries) = (0, 0, 0_u32);
    let report = loop {
        let mut copying = command(&url);
        // Further each time, so that it comes to its end.
        tries += 1;
        assert!(tries < 40, "it does not come to its end");
        let until = Instant::now() + usual * tries / 12;
        while Instant::now() < until && copying.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        if tries % 3 == 2 {
            cluster.kill();
            let output = copying.wait_with_output().unwrap();
            cluster.restart();
            if output.status.success() {
                break String::from_utf8(output.stdout).unwrap();
            }
            failed += 1;
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("cannot"), "{said}");
            continue;
        }
        copying.kill().unwrap();
        let output = copying.wait_with_output().unwrap();
        if output.status.success() {
            break String::from_utf8(output.stdout).unwrap();
        }
        killed += 1;
    };
    assert!(killed > 0 && failed > 0, "killed {killed} times, the database {failed} times");
    assert!(report.contains("\"article\": 6000"), "{report}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let copied = runtime.block_on(async { rows(source(&url).await).await });
    assert!(copied == rows_of(&mut file(&site.path("courant.db"))), "the copy differs");
    let again = site.run(&["store", "copy", "sqlite:courant.db", &url]);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("holds a store already; name a place"), "{said}");
}
