//! What is PostgreSQL's own: schemas, many who open it at once, a server that goes away, read replicas.

use std::{sync::Arc, time::Duration};

use courant::{
    article::{Revision, Window},
    category::{Facet, Selection},
    store::{Intake, PostgresStore, Store, StoreError},
    text::DatabaseUrl,
};
use tokio::time::timeout;

use crate::{
    fixtures::{Home, at, submission},
    support::postgres::{Cluster, DURABLE},
};

const AUTHORITY: &str = "example.com,2026";

async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&DatabaseUrl::new(url).unwrap(), None, AUTHORITY, at(0)).await
}

async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// An empty database beside that of the case.
async fn empty(home: &Home, name: &str) -> String {
    let url = home.url();
    client(&url).await.batch_execute(&format!("CREATE SCHEMA {name}")).await.unwrap();
    format!("{url}?options=-csearch_path%3D{name}")
}

pub(crate) async fn ten_may_open_an_empty_database_at_once(home: Home) {
    let url = empty(&home, "crowd").await;
    let opened = (0..10).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url).await.unwrap().head().await.unwrap() })
    });
    for head in opened.collect::<Vec<_>>() {
        assert_eq!(head.await.unwrap(), Revision(0));
    }
}

pub(crate) async fn databases_of_others_and_of_the_future_are_refused(home: Home) {
    let theirs = empty(&home, "theirs").await;
    client(&theirs).await.batch_execute("CREATE TABLE theirs (a int)").await.unwrap();
    assert!(matches!(open(&theirs).await.err(), Some(StoreError::Foreign(_))));

    let newer = empty(&home, "newer").await;
    drop(open(&newer).await.unwrap());
    client(&newer).await.batch_execute("UPDATE courant_layout SET version = 99").await.unwrap();
    let error = open(&newer).await.err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("newer program"), "{error}");
}

pub(crate) async fn no_error_has_the_password_in_it(home: Home) {
    let url = home.url().replace("courant@", "courant:open-sesame@");
    let nowhere =
        url.replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:2,127.0.0.1:").replace("/test", "/no");
    for url in
        [nowhere, url.replace("postgres://", "postgres://x").replace("127.0.0.1", "no.invalid")]
    {
        let error = open(&url).await.err().unwrap();
        let told = format!("{error:?} {error} {:?}", std::error::Error::source(&error));
        assert!(matches!(error, StoreError::Open { .. }), "{told}");
        assert!(!told.contains("open-sesame"), "{told}");
    }
}

pub(crate) async fn stores_in_two_schemas_hear_nothing_of_each_other(home: Home) {
    let (one, other) = (empty(&home, "one").await, empty(&home, "other").await);
    let (one, other) = (open(&one).await.unwrap(), open(&other).await.unwrap());
    one.upsert(vec![submission("a", 0)], Intake::default(), at(1)).await.unwrap();
    let heard = timeout(Duration::from_millis(1_500), other.changed(Revision(0))).await;
    assert!(heard.is_err(), "{heard:?}");
    assert_eq!(other.head().await.unwrap(), Revision(0));
}

pub(crate) async fn news_come_long_before_anybody_looks(home: Home) {
    let other = home.again().await;
    // What listens has been connected once news of one write have come.
    let mut seen = Revision(0);
    let mut quickest = Duration::MAX;
    for nth in 0..20 {
        let store = Arc::clone(&other);
        let waiting = tokio::spawn(async move {
            store.changed(seen).await.unwrap();
            std::time::Instant::now()
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let written = std::time::Instant::now();
        seen = home.publish(vec![submission(&format!("a{nth}"), nth)], nth).await.revision;
        quickest = quickest.min(waiting.await.unwrap().saturating_duration_since(written));
    }
    assert!(quickest < Duration::from_millis(200), "{quickest:?}");
}

pub(crate) async fn writers_wait_for_each_other_and_no_revision_is_lost(home: Home) {
    let stores = [Arc::clone(&home.store), home.again().await, home.again().await];
    let writers = stores.map(|store| {
        tokio::spawn(async move {
            let mut revisions = Vec::new();
            for nth in 0..20 {
                // All of them write the same articles.
                let mut submission = submission(&format!("a{}", nth % 5), nth);
                submission.story.title = courant::text::Text::new(&uuid());
                let receipt = store.upsert(vec![submission], Intake::default(), at(nth)).await;
                revisions.push(receipt.unwrap().revision);
            }
            revisions
        })
    });
    let mut all = Vec::new();
    for writer in writers {
        let revisions = writer.await.unwrap();
        assert!(revisions.is_sorted());
        all.extend(revisions);
    }
    all.sort();
    assert_eq!(all, (1..=60).map(Revision).collect::<Vec<_>>());
}

pub(crate) async fn news_that_nobody_tells_are_found_by_looking(home: Home) {
    let other = home.again().await;
    let url = home.url();
    let (server, name) = url.rsplit_once('/').unwrap();
    let admin = client(&format!("{server}/postgres")).await;
    let mut seen = other.head().await.unwrap();
    home.publish(vec![submission("first", 0)], 0).await;
    seen = timeout(Duration::from_secs(15), other.changed(seen)).await.unwrap().unwrap();
    // Nobody gets in again; those who are in stay, but for those who listen.
    let deaf = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    admin.batch_execute(&deaf).await.unwrap();
    let silence = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = $1 AND query LIKE 'LISTEN%'";
    let silenced = admin.query(silence, &[&name]).await.unwrap();
    assert_eq!(silenced.len(), 2, "both listen");
    for nth in 0..3 {
        let receipt = home.publish(vec![submission(&format!("unheard{nth}"), nth)], nth).await;
        let found = timeout(Duration::from_secs(15), other.changed(seen)).await.unwrap();
        seen = found.unwrap();
        assert_eq!(seen, receipt.revision);
    }
}

pub(crate) async fn a_copy_of_the_version_before_goes_on_beside_newer_tables(home: Home) {
    // What is asked for has been planned before the tables change.
    let write = async |nth: i64| {
        let mut again = submission("a", nth);
        again.story.title = courant::text::Text::new(&uuid());
        home.publish(vec![again, submission(&format!("b{nth}"), nth)], nth).await;
        let (all, everything) = ([Facet::all()], Selection::default());
        home.store.snapshot(&all, &everything, Window::default()).await.unwrap();
        home.store.withdraw(vec![courant::article::ArticleId::new("a").unwrap()], at(nth)).await
    };
    write(1).await.unwrap();
    let client = client(&home.url()).await;
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    for table in client.query(tables, &[]).await.unwrap() {
        let table: &str = table.get(0);
        let add = format!("ALTER TABLE {table} ADD COLUMN newer BIGINT NOT NULL DEFAULT 0");
        client.batch_execute(&add).await.unwrap();
    }
    write(2).await.unwrap();
}

/// Something that was not there before.
fn uuid() -> String {
    format!("Title {:?}", courant::partner::Secret::new().unwrap().digest())
}

pub(crate) async fn a_server_that_is_killed_is_found_again(_: Home) {
    let mut cluster = tokio::task::spawn_blocking(|| Cluster::start(DURABLE)).await.unwrap();
    let store = Arc::new(open(&cluster.database()).await.unwrap());
    let mut kept = 0;
    for round in 0..3 {
        let writer = Arc::clone(&store);
        let writing = tokio::spawn(async move {
            let mut acknowledged = 0;
            for nth in 0.. {
                let id = format!("r{round}-{nth}");
                let written = writer.upsert(vec![submission(&id, nth)], Intake::default(), at(nth));
                match written.await {
                    Ok(_) => acknowledged += 1,
                    Err(error) => {
                        let is_typed =
                            matches!(error, StoreError::Failed(_) | StoreError::Unknown(_));
                        assert!(is_typed, "{error:?}");
                        break;
                    }
                }
            }
            acknowledged
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster = tokio::task::spawn_blocking(move || {
            cluster.kill();
            cluster
        })
        .await
        .unwrap();
        // Whoever asks meanwhile is told soon.
        let asked = timeout(Duration::from_secs(15), store.head()).await.unwrap();
        assert!(matches!(asked, Err(StoreError::Failed(_))), "{asked:?}");
        kept += timeout(Duration::from_mins(1), writing).await.unwrap().unwrap();
        cluster = tokio::task::spawn_blocking(move || {
            cluster.restart();
            cluster
        })
        .await
        .unwrap();
        let census = timeout(Duration::from_secs(15), store.census()).await.unwrap().unwrap();
        let published = i64::from(kept);
        // What nobody could say was kept, or not.
        assert!(
            (published..=published + i64::from(round) + 1).contains(&census.published),
            "{census:?} {kept}"
        );
        kept = i32::try_from(census.published).unwrap();
        // News come again as well.
        let (other, seen) = (Arc::clone(&store), store.head().await.unwrap());
        let news = tokio::spawn(async move { other.changed(seen).await });
        let receipt = store
            .upsert(vec![submission(&format!("after-{round}"), 0)], Intake::default(), at(9_000))
            .await
            .unwrap();
        assert_eq!(
            timeout(Duration::from_secs(15), news).await.unwrap().unwrap().unwrap(),
            receipt.revision
        );
        kept += 1;
    }
}

pub(crate) async fn a_replica_is_read_unless_it_is_behind_or_away(home: Home) {
    // Databases that are no copies stand for those that are: what matters is how far they say they are.
    let (behind, ahead) = (empty(&home, "behind").await, empty(&home, "ahead").await);
    for url in [&behind, &ahead] {
        drop(open(url).await.unwrap());
    }
    client(&ahead).await.batch_execute("UPDATE store SET head = 1000").await.unwrap();
    let away = "postgres://courant@127.0.0.1:1/nowhere".to_owned();
    let url = DatabaseUrl::new(&home.url()).unwrap();
    for (id, replica, is_read) in [("a", behind, false), ("b", away, false), ("c", ahead, true)] {
        let replica = DatabaseUrl::new(&replica).unwrap();
        let store = PostgresStore::open(&url, Some(&replica), AUTHORITY, at(0)).await.unwrap();
        store.upsert(vec![submission(id, 0)], Intake::default(), at(1)).await.unwrap();
        for _ in 0..3 {
            let (all, everything) = ([Facet::all()], Selection::default());
            let read = store.snapshot(&all, &everything, Window::default()).await.unwrap();
            let has_it = read.articles.iter().any(|article| article.id.as_str() == id);
            assert_eq!(has_it, !is_read, "{replica}");
            assert_eq!(store.moved(Revision(0)).await.unwrap().head, read.head, "{replica}");
        }
    }
}

crate::cases!(
    ten_may_open_an_empty_database_at_once,
    databases_of_others_and_of_the_future_are_refused,
    no_error_has_the_password_in_it,
    stores_in_two_schemas_hear_nothing_of_each_other,
    news_come_long_before_anybody_looks,
    writers_wait_for_each_other_and_no_revision_is_lost,
    a_copy_of_the_version_before_goes_on_beside_newer_tables,
    news_that_nobody_tells_are_found_by_looking,
    a_server_that_is_killed_is_found_again,
    a_replica_is_read_unless_it_is_behind_or_away,
);
