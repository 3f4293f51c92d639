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

pub(super) async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&DatabaseUrl::new(url).unwrap(), None, AUTHORITY, at(0)).await
}

pub(super) async fn client(url: &str) -> tokio_postgres::Client {
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

pub(crate) async fn a_guid_that_was_claimed_goes_back_to_the_article_that_it_is_minted_for(
    home: Home,
) {
    let url = home.url();
    let claim = async |id: &str, guid: &str| {
        let sql = "UPDATE article SET guid = $2 WHERE id = $1";
        client(&url).await.execute(sql, &[&id, &guid]).await.unwrap();
    };
    crate::store::claimed_guids_go_back_to_their_articles(home, claim).await;
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

pub(crate) async fn a_write_is_notified_without_a_poll(home: Home) {
    let other = home.again().await;
    let mut seen = Revision(0);
    for nth in 0..20 {
        let receipt = home.publish(vec![submission(&format!("a{nth}"), nth)], nth).await;
        // A call that is given up after so short a time never polls.
        seen = told(&*other, seen, Duration::from_millis(200)).await;
        assert_eq!(seen, receipt.revision);
    }
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
    silence(&admin, name).await;
    for nth in 0..3 {
        let receipt = home.publish(vec![submission(&format!("unheard{nth}"), nth)], nth).await;
        // A publisher waits for a second and begins anew.
        seen = told(&*other, seen, Duration::from_secs(1)).await;
        assert_eq!(seen, receipt.revision);
    }
}

pub(crate) async fn news_that_came_while_nobody_listened_are_told(home: Home) {
    let other = home.again().await;
    let url = home.url();
    let (server, name) = url.rsplit_once('/').unwrap();
    let admin = client(&format!("{server}/postgres")).await;
    home.publish(vec![submission("first", 0)], 0).await;
    let seen = other.head().await.unwrap();
    let lets_in = |whether: bool| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {whether}");
    admin.batch_execute(&lets_in(false)).await.unwrap();
    silence(&admin, name).await;
    let receipt = home.publish(vec![submission("unheard", 1)], 1).await;
    admin.batch_execute(&lets_in(true)).await.unwrap();
    // Whoever waits for so short a time never looks.
    assert_eq!(told(&*other, seen, Duration::from_millis(200)).await, receipt.revision);
}

/// Ends the connections of those who listen, who have to be two.
async fn silence(admin: &tokio_postgres::Client, name: &str) {
    let listeners = "FROM pg_stat_activity WHERE datname = $1 AND query = 'SELECT head FROM store'";
    let count = format!("SELECT count(*) {listeners}");
    let listen = async {
        while admin.query_one(&count, &[&name]).await.unwrap().get::<_, i64>(0) < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(15), listen).await.expect("both listen");
    let end = format!("SELECT pg_terminate_backend(pid) {listeners}");
    admin.query(&end, &[&name]).await.unwrap();
}

/// The next write, as somebody finds it who waits for so long and begins anew.
async fn told(store: &dyn Store, seen: Revision, wait: Duration) -> Revision {
    let told = async {
        loop {
            if let Ok(told) = timeout(wait, store.changed(seen)).await {
                return told.unwrap();
            }
        }
    };
    timeout(Duration::from_secs(20), told).await.expect("the write is found")
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

pub(crate) async fn a_host_that_takes_connections_and_stays_silent_is_passed_over(home: Home) {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let takes = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((connection, _)) = silent.accept().await {
            taken.push(connection);
        }
    });
    let url = home.url().replace("@127.0.0.1", &format!("@127.0.0.1:{port},127.0.0.1"));
    let url = format!("{url}?connect_timeout=1");
    let store = timeout(Duration::from_secs(30), open(&url)).await.unwrap().unwrap();
    let receipt = store.upsert(vec![submission("a", 0)], Intake::default(), at(1)).await.unwrap();
    assert_eq!(store.head().await.unwrap(), receipt.revision);
    // Nor does it keep anybody from listening: what listens is its third connection.
    let name = url.rsplit_once('/').unwrap().1.split('?').next().unwrap().to_owned();
    let client = client(&home.url()).await;
    let listeners = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND query = 'SELECT head FROM store'";
    let listens = async {
        while client.query_one(listeners, &[&name]).await.unwrap().get::<_, i64>(0) < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(15), listens).await.expect("both stores listen");
    takes.abort();

    // One that nobody answers says so, and soon.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let alone = format!("postgres://courant@127.0.0.1:{port}/test?connect_timeout=1");
    let error = timeout(Duration::from_secs(15), open(&alone)).await.unwrap().err().unwrap();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, format!("`127.0.0.1:{port}` did not answer within 1s"));
}

/// A database that holds what that of the case does at present.
async fn copied(home: &Home, name: &str) -> String {
    let url = empty(home, name).await;
    drop(open(&url).await.unwrap());
    let client = client(&url).await;
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    for table in client.query(tables, &[]).await.unwrap() {
        let table: &str = table.get(0);
        let copy = format!(
            "TRUNCATE {name}.{table}; INSERT INTO {name}.{table} SELECT * FROM public.{table}"
        );
        client.batch_execute(&copy).await.unwrap();
    }
    url
}

async fn beside(home: &Home, replica: &str) -> Result<PostgresStore, StoreError> {
    let (url, replica) = (DatabaseUrl::new(&home.url()), DatabaseUrl::new(replica));
    PostgresStore::open(&url.unwrap(), Some(&replica.unwrap()), AUTHORITY, at(0)).await
}

async fn reads(store: &PostgresStore, id: &str) -> bool {
    let (all, everything) = ([Facet::all()], Selection::default());
    let read = store.snapshot(&all, &everything, Window::default()).await.unwrap();
    let head = store.head().await.unwrap();
    assert_eq!(store.moved(Revision(0)).await.unwrap().head, head, "never of a copy");
    read.articles.iter().any(|article| article.id.as_str() == id)
}

/// Says that a database has writes of a later time than any.
async fn set_ahead(url: &str) {
    client(url).await.batch_execute("UPDATE store SET head = 1000").await.unwrap();
}

pub(crate) async fn a_replica_is_read_unless_it_is_behind_or_away(home: Home) {
    home.publish(vec![submission("first", 0)], 0).await;
    // A copy that stands still; how far it says it is decides.
    let behind = copied(&home, "behind").await;
    let store = beside(&home, &behind).await.unwrap();
    store.upsert(vec![submission("a", 0)], Intake::default(), at(1)).await.unwrap();
    let away = "postgres://courant@127.0.0.1:1/nowhere";
    for replica in [&*behind, away] {
        let store = beside(&home, replica).await.unwrap();
        for _ in 0..3 {
            assert!(reads(&store, "a").await, "{replica}");
        }
    }
    set_ahead(&behind).await;
    for _ in 0..3 {
        assert!(!reads(&store, "a").await, "it is read");
    }
}

pub(crate) async fn another_store_is_never_read_as_a_replica(home: Home) {
    home.publish(vec![submission("a", 0)], 1).await;
    let other_history = async |url: &str| {
        let other = open(url).await.unwrap();
        other.upsert(vec![submission("theirs", 0)], Intake::default(), at(1)).await.unwrap();
    };
    // Of another publisher, of a history of its own, and ahead of the store that it should follow.
    let theirs = empty(&home, "theirs").await;
    let url = DatabaseUrl::new(&theirs).unwrap();
    drop(PostgresStore::open(&url, None, "example.org,2026", at(0)).await.unwrap());
    let forked = empty(&home, "forked").await;
    other_history(&forked).await;
    let ahead = copied(&home, "ahead").await;
    set_ahead(&ahead).await;
    for replica in [theirs, forked, ahead] {
        let error = beside(&home, &replica).await.err().expect("it is refused");
        assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.starts_with("it is another store than `postgres://"), "{cause}");
    }

    // One that comes only later has nobody to refuse it, and is not asked.
    let late = empty(&home, "late").await;
    let store = beside(&home, &late).await.unwrap();
    other_history(&late).await;
    set_ahead(&late).await;
    for _ in 0..3 {
        assert!(reads(&store, "a").await);
    }
    assert_eq!(store.head().await.unwrap(), Revision(1));
}

crate::cases!(
    a_guid_that_was_claimed_goes_back_to_the_article_that_it_is_minted_for,
    ten_may_open_an_empty_database_at_once,
    databases_of_others_and_of_the_future_are_refused,
    no_error_has_the_password_in_it,
    stores_in_two_schemas_hear_nothing_of_each_other,
    a_write_is_notified_without_a_poll,
    writers_wait_for_each_other_and_no_revision_is_lost,
    a_copy_of_the_version_before_goes_on_beside_newer_tables,
    news_that_nobody_tells_are_found_by_looking,
    a_server_that_is_killed_is_found_again,
    a_host_that_takes_connections_and_stays_silent_is_passed_over,
    news_that_came_while_nobody_listened_are_told,
    a_replica_is_read_unless_it_is_behind_or_away,
    another_store_is_never_read_as_a_replica,
);
