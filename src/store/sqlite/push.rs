//! Writes from outside: preconditions and the answers of keys, in the transaction of the write itself.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::{
    article::{ArticleId, Cursor},
    category::Slug,
    store::{
        BIN, Grant, KEPT, KEPT_ANSWERS, Key, Push, Pushed, Result, Stored,
        pushed::{Bin, Binned},
        sqlite::{
            read::committed,
            row::{COLUMNS, decode, find},
            write::{Writing, begin},
        },
        stored::{number, time},
    },
    told::Told,
};

pub(super) fn push(writer: &mut Connection, push: &Push, told: Told) -> Result<Pushed> {
    let mut writing = begin(writer, told)?;
    if let Some(key) = &push.key
        && let Some(pushed) = before(&writing, key, told.now())?
    {
        return Ok(pushed);
    }
    let mut bin = Bin::default();
    let since = (writing.commit - BIN).timestamp();
    for id in push.restored() {
        let select = "SELECT story, due, expires FROM bin WHERE id = ? AND at > ?";
        let mut select = writing.tables.0.prepare_cached(select)?;
        let kept = select.query_row(params![id, since], |row| {
            Ok(Binned { story: row.get(0)?, due: row.get(1)?, expires: row.get(2)? })
        });
        bin.kept.extend(ArticleId::new(id).zip(kept.optional()?));
    }
    let effects = writing.push(push, &mut bin)?;
    if !effects.is_anything_done() {
        return Ok(Pushed::Done(effects));
    }
    fill_bin(&mut writing, bin)?;
    if let Some(key) = &push.key {
        keep(&mut writing, key, &(push.answer)(&effects), told.now())?;
    }
    writing.commit()?;
    Ok(Pushed::Done(effects))
}

/// What was answered to the key before.
fn before(writing: &Writing<'_>, key: &Key, now: DateTime<Utc>) -> Result<Option<Pushed>> {
    let select = "SELECT fingerprint, answer FROM pushed WHERE owner = ? AND key = ? AND at > ?";
    let given = params![key.owner.as_str(), key.key, (now - KEPT).timestamp()];
    let mut select = writing.tables.0.prepare_cached(select)?;
    let known = select.query_row(given, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(known.map(|(fingerprint, answer): (String, String)| key.meets(&fingerprint, answer)))
}

fn keep(writing: &mut Writing<'_>, key: &Key, answer: &str, now: DateTime<Utc>) -> Result<()> {
    let Key { owner, key, fingerprint } = key;
    let owner = owner.as_str();
    let transaction = &writing.tables.0;
    let old = "DELETE FROM pushed WHERE at <= ?";
    transaction.prepare_cached(old)?.execute([(now - KEPT).timestamp()])?;
    let insert = "INSERT INTO pushed (owner, key, fingerprint, answer, at) VALUES (?, ?, ?, ?, ?)";
    let given = params![owner, key, fingerprint, answer, now.timestamp()];
    transaction.prepare_cached(insert)?.execute(given)?;
    let many = "DELETE FROM pushed WHERE owner = ?1 AND at <
         (SELECT at FROM pushed WHERE owner = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)";
    transaction.prepare_cached(many)?.execute(params![owner, KEPT_ANSWERS])?;
    writing.keep();
    Ok(())
}

fn fill_bin(writing: &mut Writing<'_>, bin: Bin) -> Result<()> {
    let emptied = bin.changes.iter().filter(|(_, binned)| binned.is_none());
    let emptied: Vec<_> = emptied.map(|(id, _)| id.clone()).collect();
    empty_bin(writing, &emptied)?;
    let at = writing.commit;
    for (id, binned) in bin.changes {
        let Some(Binned { story, due, expires }) = binned else { continue };
        let transaction = &writing.tables.0;
        let old = "DELETE FROM bin WHERE at <= ?";
        transaction.prepare_cached(old)?.execute([(at - BIN).timestamp()])?;
        let insert =
            "INSERT OR REPLACE INTO bin (id, story, due, expires, at) VALUES (?, ?, ?, ?, ?)";
        let given = params![id.as_str(), story, due, expires, at.timestamp()];
        transaction.prepare_cached(insert)?.execute(given)?;
        writing.keep();
    }
    Ok(())
}

/// Forgets what articles said that are withdrawn for good, or are there again.
pub(super) fn empty_bin(writing: &mut Writing<'_>, ids: &[ArticleId]) -> Result<()> {
    for id in ids {
        let delete = "DELETE FROM bin WHERE id = ?";
        if writing.tables.0.prepare_cached(delete)?.execute([id.as_str()])? > 0 {
            writing.keep();
        }
    }
    Ok(())
}

/// An article as it is kept.
pub(super) fn stored(reader: &Connection, id: &ArticleId) -> Result<Option<Stored>> {
    let transaction = reader.unchecked_transaction()?;
    let Some((_, row)) = find(&transaction, id)? else { return Ok(None) };
    let edited = committed(&transaction, row.revision)?;
    Ok(Some(Stored::new(row, edited)))
}

/// Articles that are not withdrawn, last change first, from before a place on.
pub(super) fn inventory(
    reader: &Connection,
    before: Option<&Cursor>,
    limit: u16,
) -> Result<Vec<Stored>> {
    let transaction = reader.unchecked_transaction()?;
    let (revision, after) = match before {
        Some(Cursor { revision, article }) => {
            (number(*revision), article.as_ref().map_or("", ArticleId::as_str))
        }
        None => (i64::MAX, ""),
    };
    let mut select = transaction.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM article WHERE state <> 3 AND (revision, id) < (?1, ?2)
         ORDER BY revision DESC, id DESC LIMIT ?3"
    ))?;
    let mut rows = select.query(params![revision, after, limit])?;
    let mut found: Vec<Stored> = Vec::new();
    while let Some(row) = rows.next()? {
        let (_, row) = decode(row)?;
        let known = found.last().filter(|last| last.revision == row.revision);
        let edited = match known {
            Some(last) => last.edited,
            None => committed(&transaction, row.revision)?,
        };
        found.push(Stored::new(row, edited));
    }
    Ok(found)
}

pub(super) fn grants(reader: &Connection) -> Result<Vec<Grant>> {
    let mut select = reader.prepare_cached(
        "SELECT digest, name, scopes, created, ends FROM writer ORDER BY name, created",
    )?;
    let mut rows = select.query([])?;
    let mut grants = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(1)?;
        grants.push(Grant {
            digest: row.get(0)?,
            name: name.parse().map_err(|_| rusqlite::Error::InvalidQuery)?,
            scopes: row.get(2)?,
            created: time(row.get(3)?),
            ends: row.get::<_, Option<i64>>(4)?.map(time),
        });
    }
    Ok(grants)
}

/// No revision: who may write is part of no feed.
pub(super) fn grant(writer: &mut Connection, grant: &Grant) -> Result<()> {
    let Grant { digest, name, scopes, created, ends } = grant;
    let ends = ends.map(|ends| ends.timestamp());
    writer.execute(
        "INSERT INTO writer (digest, name, scopes, created, ends) VALUES (?, ?, ?, ?, ?)",
        params![digest, name.as_str(), scopes, created.timestamp(), ends],
    )?;
    Ok(())
}

/// Forgets every token of a name; how many were good until then.
pub(super) fn retract(writer: &mut Connection, name: &Slug, now: DateTime<Utc>) -> Result<usize> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let count: i64 = transaction.query_row(
        "SELECT count(*) FROM writer WHERE name = ? AND (ends IS NULL OR ends > ?)",
        params![name.as_str(), now.timestamp()],
        |row| row.get(0),
    )?;
    transaction.execute("DELETE FROM writer WHERE name = ?", [name.as_str()])?;
    transaction.commit()?;
    Ok(usize::try_from(count).unwrap_or_default())
}
