//! Layouts of the file, and the way from one to the next.

use std::{path::Path, thread, time::Duration};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};

use crate::store::{Result, StoreError};

/// `PRAGMA application_id`: `Cour`, so that no other program's file is taken for a store.
const APPLICATION: i64 = 0x436f_7572;

/// `PRAGMA cache_size` of the writer, in KiB as SQLite wants it: the pages of indexes that a large import goes back to.
const WRITER_CACHE: i64 = -32_768;
/// `PRAGMA wal_autocheckpoint`, in pages: so many are written before they are put in their places, each once.
const CHECKPOINT: i64 = 8_192;

/// Each brings the file from the layout of its index to the next. Never changed once released.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("episodes.sql"),
    include_str!("partners.sql"),
    include_str!("remembered.sql"),
    include_str!("emptied.sql"),
    include_str!("push.sql"),
    include_str!("identity.sql"),
];

/// Settles the connection, and brings the file to the layout of this program. One that is made without an authority is no
/// store yet.
pub(super) fn prepare(
    writer: &mut Connection,
    path: &Path,
    authority: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let opened = opened(path);
    writer.busy_timeout(super::BUSY).map_err(&opened)?;
    let layout = look(writer, path)?;
    if let Layout::Of { .. } = layout {
        refuse_part(writer, path)?;
    }
    let known = known();
    write_ahead(writer).map_err(&opened)?;
    writer.pragma_update(None, "synchronous", "full")?;
    make_room(writer)?;
    if matches!(layout, Layout::Of { found, known } if found == known) {
        // Nothing to write, and nobody who writes to wait for.
        return Ok(());
    }
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { path: path.display().to_string(), found, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(migration)?;
    }
    if let (0, Some(authority)) = (found, authority) {
        transaction.execute(
            "INSERT INTO store (one, head, changed, shelved, authority) VALUES (1, 0, ?, 0, ?)",
            params![now.timestamp(), authority],
        )?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// Begins to write ahead. SQLite does not wait here for others that make the same file, so this does.
fn write_ahead(writer: &Connection) -> rusqlite::Result<()> {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        match writer.pragma_update(None, "journal_mode", "wal") {
            Err(rusqlite::Error::SqliteFailure(failure, _))
                if failure.code == ErrorCode::DatabaseBusy && waited < super::BUSY =>
            {
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
            answer => return answer,
        }
    }
}

/// For large writes.
pub(super) fn make_room(writer: &Connection) -> Result<()> {
    writer.pragma_update(None, "cache_size", WRITER_CACHE)?;
    writer.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    writer.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// What a file is.
pub(super) enum Layout {
    /// Nothing yet.
    Nothing,
    /// A store, or a part of one.
    Of {
        /// Its layout.
        found: i64,
        /// That of this program.
        known: i64,
    },
}

/// Finds out what a file is; one that is something else is an error.
pub(super) fn look(file: &Connection, path: &Path) -> Result<Layout> {
    let opened = opened(path);
    let foreign = || StoreError::Foreign(path.display().to_string());
    // One view: another process may be making the store meanwhile.
    let file = file.unchecked_transaction().map_err(&opened)?;
    let application: i64 = match file.pragma_query_value(None, "application_id", |row| row.get(0)) {
        Err(rusqlite::Error::SqliteFailure(failure, _))
            if failure.code == ErrorCode::NotADatabase =>
        {
            return Err(foreign());
        }
        answer => answer.map_err(&opened)?,
    };
    let tables: i64 = file
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(&opened)?;
    match (application, tables) {
        (APPLICATION, _) => {
            let found = file.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok(Layout::Of { found, known: known() })
        }
        (_, 0) => Ok(Layout::Nothing),
        (_, _) => Err(foreign()),
    }
}

/// Whether a copy to it has not come to its end.
pub(super) fn is_part(file: &Connection) -> Result<bool> {
    Ok(file.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'copying'")?.exists([])?)
}

/// A part of a store is none.
pub(super) fn refuse_part(file: &Connection, path: &Path) -> Result<()> {
    if is_part(file)? { Err(StoreError::Part(path.display().to_string())) } else { Ok(()) }
}

/// The layout of this program.
fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("a handful")
}

fn opened(path: &Path) -> impl Fn(rusqlite::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Open { path: path.clone(), source: source.into() }
}
