//! What is the embedded store's own: files.

use courant::store::{SqliteStore, StoreError};

use crate::fixtures::{at, open};

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
