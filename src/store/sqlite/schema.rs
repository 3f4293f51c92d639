//! Layouts of the file, and the way from one to the next.

use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior, params};

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
];

/// Settles the connection, and brings the file to the layout of this program.
pub(super) fn prepare(
    writer: &mut Connection,
    path: &Path,
    authority: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let opened = |source: rusqlite::Error| StoreError::Open {
        path: path.display().to_string(),
        source: source.into(),
    };
    writer.busy_timeout(super::BUSY).map_err(opened)?;
    let foreign = || StoreError::Foreign(path.display().to_string());
    let known = i64::try_from(MIGRATIONS.len()).expect("a handful");
    let application: i64 = match writer.pragma_query_value(None, "application_id", |row| row.get(0))
    {
        Err(rusqlite::Error::SqliteFailure(failure, _))
            if failure.code == rusqlite::ErrorCode::NotADatabase =>
        {
            return Err(foreign());
        }
        answer => answer.map_err(opened)?,
    };
    let tables: i64 = writer
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(opened)?;
    if application != APPLICATION && tables > 0 {
        return Err(foreign());
    }
    writer.pragma_update(None, "journal_mode", "wal").map_err(opened)?;
    writer.pragma_update(None, "synchronous", "full")?;
    writer.pragma_update(None, "cache_size", WRITER_CACHE)?;
    writer.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    writer.set_prepared_statement_cache_capacity(64);
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { path: path.display().to_string(), found, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(migration)?;
    }
    if found == 0 {
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
