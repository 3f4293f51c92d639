//! Writes: each one transaction that takes the lock first.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::{
    article::{Adoption, Amendment, ArticleId, Revision, Submission},
    category::Facet,
    store::{
        Intake, Outcome, Receipt, Result, SUSPECT_UNTIL,
        sqlite::{
            push, read,
            row::{COLUMNS, decode},
            shift,
            tables::Tables,
        },
        stored::time,
        write::{self, Declared, declared},
    },
    told::Told,
};

pub(super) type Writing<'c> = write::Writing<Tables<'c>>;

/// Takes the lock.
pub(super) fn begin(writer: &mut Connection, told: Told) -> Result<Writing<'_>> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let counter = read::counter(&transaction)?;
    let shifts = shift::known(&transaction)?;
    Ok(Writing::new(Tables(transaction), counter, shifts, told))
}

impl Writing<'_> {
    pub(super) fn commit(mut self) -> Result<Revision> {
        let revision = self.settle()?;
        if revision == self.revision || self.keeps() {
            self.tables.0.commit()?;
        }
        Ok(revision)
    }
}

pub(super) fn upsert(
    writer: &mut Connection,
    batch: Vec<Submission>,
    intake: Intake,
    told: Told,
) -> Result<Receipt> {
    let mut writing = begin(writer, told)?;
    let outcomes = writing.upsert(batch, intake)?;
    if intake.rehearse {
        return Ok(Receipt { revision: writing.before(), outcomes });
    }
    Ok(Receipt { revision: writing.commit()?, outcomes })
}

pub(super) fn amend(
    writer: &mut Connection,
    amendments: Vec<Amendment>,
    told: Told,
) -> Result<Receipt> {
    let mut writing = begin(writer, told)?;
    let outcomes = writing.amend(amendments)?;
    Ok(Receipt { revision: writing.commit()?, outcomes })
}

pub(super) fn adopt(
    writer: &mut Connection,
    adoptions: Vec<Adoption>,
    told: Told,
) -> Result<Receipt> {
    let mut writing = begin(writer, told)?;
    let outcomes = writing.adopt(adoptions)?;
    Ok(Receipt { revision: writing.commit()?, outcomes })
}

pub(super) fn withdraw(
    writer: &mut Connection,
    ids: &[ArticleId],
    told: Told,
) -> Result<Vec<Option<Outcome>>> {
    let mut writing = begin(writer, told)?;
    let outcomes = writing.withdraw(ids)?;
    push::empty_bin(&mut writing, ids)?;
    writing.commit()?;
    Ok(outcomes)
}

/// No revision: what is settled is part of no edition by itself.
pub(super) fn settle(writer: &mut Connection, name: &str, value: &str) -> Result<String> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .execute("INSERT OR IGNORE INTO settled (name, value) VALUES (?, ?)", [name, value])?;
    let select = "SELECT value FROM settled WHERE name = ?";
    let settled = transaction.query_row(select, [name], |row| row.get(0))?;
    transaction.commit()?;
    Ok(settled)
}

pub(super) fn release(writer: &mut Connection, told: Told) -> Result<Option<DateTime<Utc>>> {
    // Left to itself, SQLite goes through all articles of these states.
    let soonest =
        "SELECT min(least) FROM (SELECT min(due) AS least FROM article WHERE due IS NOT NULL
                   UNION ALL SELECT min(expires) FROM article INDEXED BY article_expires
                             WHERE expires IS NOT NULL AND state IN (0, 1))";
    let next = |connection: &Connection| -> Result<Option<i64>> {
        let due: Option<i64> =
            connection.prepare_cached(soonest)?.query_row([], |row| row.get(0))?;
        let coming = shift::next(connection)?;
        Ok(due.into_iter().chain(coming).min())
    };
    // Most looks find nothing, and need no write lock to do so.
    let due = next(writer)?;
    if due.is_none_or(|due| due > told.now().timestamp()) {
        return Ok(due.map(time));
    }
    let mut writing = begin(writer, told)?;
    let rows = {
        let mut select = writing.tables.0.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM article WHERE key IN (
               SELECT key FROM article INDEXED BY article_due WHERE due <= ?1
               UNION SELECT key FROM article INDEXED BY article_expires
                     WHERE expires <= ?1 AND state IN (0, 1))
             ORDER BY id LIMIT ?2"
        ))?;
        let mut found =
            select.query(params![writing.clock.timestamp(), write::RELEASED_AT_ONCE])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(decode(row)?);
        }
        rows
    };
    writing.release(rows)?;
    let (revision, times) = (writing.revision, (writing.clock, writing.commit));
    let arrived = shift::arrive(&writing.tables.0, revision, times, write::RELEASED_AT_ONCE)?;
    for minutes in arrived {
        writing.move_mark(Facet::shift(minutes), true);
    }
    writing.commit()?;
    Ok(next(writer)?.map(time))
}

/// Brings the time of the store back to the machine's clock.
pub(super) fn repair_clock(writer: &mut Connection, told: Told) -> Result<Option<DateTime<Utc>>> {
    let mut writing = begin(writer, told)?;
    if !writing.set_back() {
        return Ok(None);
    }
    let (clock, last) = (writing.clock.timestamp(), writing.last);
    let facets = {
        let transaction = &writing.tables.0;
        for table in ["change", "gone", "came", "bin", "pushed"] {
            let update = format!("UPDATE {table} SET at = ?1 WHERE at > ?1");
            transaction.execute(&update, [clock])?;
        }
        transaction.execute(
            "UPDATE coming SET at = ?1 + minutes * 60 WHERE minutes > 0 AND at > ?1 + minutes * 60",
            [clock],
        )?;
        transaction.execute(
            "INSERT INTO remembered (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE
             SET value = ?2 WHERE CAST(value AS INTEGER) < CAST(?2 AS INTEGER)",
            [SUSPECT_UNTIL, &last.timestamp().to_string()],
        )?;
        let mut select = transaction.prepare("SELECT facet FROM mark WHERE changed > ?")?;
        let facets = select.query_map([clock], |row| row.get(0).map(Facet::stored))?;
        facets.collect::<Result<Vec<_>, _>>()?
    };
    for facet in facets {
        writing.move_mark(facet, false);
    }
    writing.commit()?;
    Ok(Some(last))
}

pub(super) fn declare(
    writer: &mut Connection,
    said: Vec<(Facet, u64)>,
    told: Told,
) -> Result<Revision> {
    let mut writing = begin(writer, told)?;
    let known = {
        let mut select = writing
            .tables
            .0
            .prepare_cached("SELECT facet, fingerprint FROM mark WHERE fingerprint IS NOT NULL")?;
        let known = select.query_map([], |row| {
            Ok((Facet::stored(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        known.collect::<Result<HashMap<_, _>, _>>()?
    };
    let Declared { news, forgotten } = declared(known, said);
    for facet in forgotten {
        let transaction = &writing.tables.0;
        let forget = "UPDATE mark SET fingerprint = NULL WHERE facet = ?";
        transaction.prepare_cached(forget)?.execute([facet.as_str()])?;
        if let Some(minutes) = facet.as_shift() {
            shift::end(transaction, minutes)?;
        }
        writing.move_mark(facet, true);
    }
    for (facet, fingerprint) in news {
        let transaction = &writing.tables.0;
        let mut upsert = transaction.prepare_cached(
            "INSERT INTO mark (facet, revision, changed, floor, places, fingerprint) VALUES (?1, 0, 0, 0, 0, ?2)
             ON CONFLICT (facet) DO UPDATE SET fingerprint = ?2",
        )?;
        upsert.execute(params![facet.as_str(), fingerprint.cast_signed()])?;
        drop(upsert);
        if let Some(minutes) = facet.as_shift() {
            shift::begin(transaction, minutes, writing.clock)?;
        }
        // What a delta would tell apart from its base is everything.
        writing.move_mark(facet, true);
    }
    writing.commit()
}
