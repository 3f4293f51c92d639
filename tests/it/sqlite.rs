//! What is the embedded store's own: files.

use courant::{
    category::Selection,
    store::{Intake, SqliteStore, StoreError},
};

use crate::{
    fixtures::{Home, at, open, submission},
    outage::ask,
};

fn refused(path: &std::path::Path) -> StoreError {
    match SqliteStore::open(path, "example.com,2026", at(0)) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[test]
fn files_of_others_and_of_the_future_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(
        &text,
        "This is no database, but it is long enough to have had a header.".repeat(40),
    )
    .unwrap();
    assert!(matches!(refused(&text), StoreError::Foreign(_)));
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("This"), "and left as they are");

    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(matches!(refused(&foreign), StoreError::Foreign(_)));

    let newer = folder.path().join("newer.db");
    drop(open(&newer));
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = refused(&newer);
    assert!(matches!(error, StoreError::Newer { found: 99, .. }));
    assert!(error.to_string().contains("newer program"), "{error}");

    assert!(matches!(refused(&folder.path().join("no/such/folder.db")), StoreError::Open { .. }));
}

#[tokio::test]
async fn a_guid_that_was_claimed_goes_back_to_the_article_that_it_is_minted_for() {
    let home = Home::new();
    let file = home.file();
    let claim = async |id: &str, guid: &str| {
        let file = rusqlite::Connection::open(&file).unwrap();
        file.execute("UPDATE article SET guid = ? WHERE id = ?", [guid, id]).unwrap();
    };
    crate::store::claimed_guids_go_back_to_their_articles(home, claim).await;
}

#[test]
fn a_file_may_be_made_by_several_at_once() {
    for _ in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("courant.db");
        let begin = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    begin.wait();
                    SqliteStore::open(&path, "example.com,2026", at(0)).map(drop).unwrap();
                });
            }
        });
    }
}

/// H-38: the date of a write is that of the moment from which it can be seen.
#[tokio::test]
async fn a_write_that_waited_for_another_process_has_the_date_of_its_end() {
    let home = Home::new();
    let other = rusqlite::Connection::open(home.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let store = std::sync::Arc::clone(&home.store);
    let batch = vec![submission("a", 0)];
    let begun = at(11) - chrono::TimeDelta::milliseconds(10);
    let write = tokio::spawn(async move { store.upsert(batch, Intake::default(), begun).await });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert!(!write.is_finished());
    other.execute_batch("ROLLBACK").unwrap();
    write.await.unwrap().unwrap();
    let mark = home.store.mark(&Selection::default().facets()).await.unwrap();
    assert!(mark.changed >= at(11), "{}", mark.changed);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_replaced_or_deleted_takes_no_writes() {
    for replaces in [true, false] {
        let home = Home::new();
        home.publish(vec![submission("a", 0)], 1).await;
        let publisher = home.publisher(at(2)).await;
        let aside = home.file().with_extension("aside");
        std::fs::rename(home.file(), &aside).unwrap();
        if replaces {
            std::fs::copy(&aside, home.file()).unwrap();
        }
        let write = |id| home.store.upsert(vec![submission(id, 1)], Intake::default(), at(20));
        let error = write("b").await.unwrap_err();
        assert!(matches!(error, StoreError::Replaced(_)), "{error:?}");
        assert!(matches!(home.store.head().await, Err(StoreError::Replaced(_))));
        assert!(publisher.freshness(at(20)).await.is_lost);
        assert_eq!(ask(&publisher, "/readyz").await.0, 503);
        // The right file is back.
        std::fs::rename(&aside, home.file()).unwrap();
        write("b").await.unwrap();
        home.store.head().await.unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.publish(vec![submission("a", 0)], 1).await;
    for ending in ["", "-wal", "-shm"] {
        let mut file = home.file().into_os_string();
        file.push(ending);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", file.display());
    }
}
