//! What is remembered under a name, without a revision.

use std::num::NonZeroU16;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::store::{
    Done, Fenced, Result,
    sqlite::{push, write::begin},
};
use crate::told::Told;

pub(super) fn remember(
    writer: &mut Connection,
    entries: &[(String, Option<String>)],
) -> Result<()> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    write(&transaction, entries)?;
    transaction.commit()?;
    Ok(())
}

/// Does so within a transaction.
fn write(transaction: &Connection, entries: &[(String, Option<String>)]) -> Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO remembered (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = ?2 WHERE value <> ?2",
    )?;
    let mut delete = transaction.prepare_cached("DELETE FROM remembered WHERE name = ?")?;
    for (name, value) in entries {
        match value {
            Some(value) => upsert.execute([name, value])?,
            None => delete.execute([name])?,
        };
    }
    Ok(())
}

pub(super) fn follow(
    writer: &mut Connection,
    Fenced { fence, batch, plan, .. }: Fenced,
    told: Told,
) -> Result<Option<Done>> {
    let mut writing = begin(writer, told)?;
    let found = recall(&writing.tables.0, std::slice::from_ref(&fence.name))?;
    if found != [fence.expected] {
        return Ok(None);
    }
    let (done, gone) = writing.follow(batch, &*plan)?;
    push::empty_bin(&mut writing, &gone)?;
    let mut entries = plan.entries(&done);
    entries.push((fence.name, fence.next));
    write(&writing.tables.0, &entries)?;
    writing.keep();
    writing.commit()?;
    Ok(Some(done))
}

pub(super) fn recall(reader: &Connection, names: &[String]) -> Result<Vec<Option<String>>> {
    let mut select = reader.prepare_cached("SELECT value FROM remembered WHERE name = ?")?;
    let mut one = |name: &String| Ok(select.query_row([name], |row| row.get(0)).optional()?);
    names.iter().map(&mut one).collect()
}

pub(super) fn recall_after(
    reader: &Connection,
    prefix: &str,
    after: &str,
    limit: NonZeroU16,
) -> Result<Vec<(String, String)>> {
    // No name has a character beyond the last one of Unicode.
    let end = format!("{prefix}\u{10ffff}");
    let mut select = reader.prepare_cached(
        "SELECT name, value FROM remembered
         WHERE name > max(?1, ?2) AND name < ?3 ORDER BY name LIMIT ?4",
    )?;
    let rows = select.query_map(params![prefix, after, end, limit.get()], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
