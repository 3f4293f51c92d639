//! Writes from outside: preconditions and the answers of keys, in the transaction of the write itself.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    article::{ArticleId, Cursor, Revision, Submission, When},
    category::Slug,
    store::{
        BIN, Effect, Effects, Fate, Grant, KEPT, KEPT_ANSWERS, Key, Operation, Push, Pushed,
        Refused, Result, Stored, Task,
        decide::{Row, State},
        push::{objection, reaches},
        sqlite::{
            read::committed,
            row::{COLUMNS, decode, find, number, story, time},
            write::Writing,
        },
    },
};

pub(super) fn push(writer: &mut Connection, push: &Push, now: DateTime<Utc>) -> Result<Pushed> {
    let mut writing = Writing::begin(writer, now)?;
    if let Some(key) = &push.key
        && let Some(pushed) = before(&writing, key, now)?
    {
        return Ok(pushed);
    }
    let is_undated = |task: &Task| matches!(&task.operation, Operation::Put(submission) if submission.published.is_none());
    // As in an import: articles without a date are new in the order given, the last of them now.
    let mut undated = push.tasks.iter().filter(|task| is_undated(task)).count();
    let mut each = Vec::with_capacity(push.tasks.len());
    for task in &push.tasks {
        undated -= usize::from(is_undated(task));
        let behind = TimeDelta::seconds(i64::try_from(undated).unwrap_or_default());
        let unstated = writing.commit_time() - behind;
        each.push(writing.carry_out(task, push, unstated)?);
    }
    let mut effects = Effects { head: writing.head(), each };
    if push.is_atomic && !effects.each.iter().all(|effect| effect.fate.is_done()) {
        effects.undo(Revision(writing.revision().0 - 1));
        return Ok(Pushed::Done(effects));
    }
    if effects.each.iter().any(|effect| effect.fate.is_done())
        && let Some(key) = &push.key
    {
        keep(&mut writing, key, &(push.answer)(&effects), now)?;
    }
    writing.commit()?;
    Ok(Pushed::Done(effects))
}

/// What was answered to the key before.
fn before(writing: &Writing<'_>, key: &Key, now: DateTime<Utc>) -> Result<Option<Pushed>> {
    let select = "SELECT fingerprint, answer FROM pushed WHERE owner = ? AND key = ? AND at > ?";
    let since = (now - KEPT).timestamp();
    let known: Option<(String, String)> = writing
        .transaction
        .prepare_cached(select)?
        .query_row(params![key.owner.as_str(), key.key, since], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(known.map(|(fingerprint, answer)| {
        if fingerprint == key.fingerprint { Pushed::Before(answer) } else { Pushed::KeyTaken }
    }))
}

fn keep(writing: &mut Writing<'_>, key: &Key, answer: &str, now: DateTime<Utc>) -> Result<()> {
    let Key { owner, key, fingerprint } = key;
    let owner = owner.as_str();
    let transaction = &writing.transaction;
    transaction
        .prepare_cached("DELETE FROM pushed WHERE at <= ?")?
        .execute([(now - KEPT).timestamp()])?;
    transaction
        .prepare_cached(
            "INSERT INTO pushed (owner, key, fingerprint, answer, at) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![owner, key, fingerprint, answer, now.timestamp()])?;
    transaction
        .prepare_cached(
            "DELETE FROM pushed WHERE owner = ?1 AND at <
             (SELECT at FROM pushed WHERE owner = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![owner, KEPT_ANSWERS])?;
    writing.keep();
    Ok(())
}

impl Writing<'_> {
    fn carry_out(&mut self, task: &Task, push: &Push, unstated: DateTime<Utc>) -> Result<Effect> {
        let id = task.operation.id().clone();
        let old = find(&self.transaction, &id)?.map(|(_, row)| row);
        let refuse = |reason: Refused| {
            let is_told = reason != Refused::OutOfScope;
            let revision = old.as_ref().filter(|_| is_told).map(|row| row.revision);
            Effect { id: id.clone(), fate: Fate::Refused(reason), revision, is_new: false }
        };
        if let Some(reason) = objection(task, old.as_ref(), push.within.as_ref()) {
            return Ok(refuse(reason));
        }
        let fate = match &task.operation {
            Operation::Put(submission) => {
                self.empty_bin(&id)?;
                self.submit(Submission::clone(submission), push.republish, unstated)?.into()
            }
            Operation::Withdraw { is_kept, .. } => match &old {
                None => return Ok(refuse(Refused::Unknown)),
                Some(row) if row.state == State::Withdrawn => {
                    if !is_kept {
                        self.empty_bin(&id)?;
                    }
                    Fate::WithdrawnBefore
                }
                Some(row) => {
                    if *is_kept {
                        self.fill_bin(row)?;
                    }
                    self.withdraw(&id)?;
                    Fate::Withdrawn
                }
            },
            Operation::Restore(_) => match &old {
                None => return Ok(refuse(Refused::Unknown)),
                // It is there: nothing is to be done.
                Some(row) if row.state != State::Withdrawn => {
                    Fate::Taken(crate::store::Outcome::Unchanged)
                }
                Some(row) => {
                    let Some(submission) = self.in_bin(row)? else {
                        return Ok(refuse(Refused::Forgotten));
                    };
                    let story = &submission.story;
                    if push.within.as_ref().is_some_and(|within| !reaches(within, story)) {
                        return Ok(refuse(Refused::OutOfScope));
                    }
                    self.empty_bin(&id)?;
                    self.submit(submission, true, unstated)?.into()
                }
            },
        };
        let now = find(&self.transaction, &id)?.map(|(_, row)| row.revision);
        Ok(Effect { id, fate, revision: now, is_new: old.is_none() })
    }

    fn fill_bin(&mut self, row: &Row) -> Result<()> {
        let text = serde_json::to_string(&row.story).expect("a story has text keys only");
        let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp());
        let at = self.commit_time();
        let transaction = &self.transaction;
        transaction
            .prepare_cached("DELETE FROM bin WHERE at <= ?")?
            .execute([(at - BIN).timestamp()])?;
        let (id, due, expires) = (row.id.as_str(), seconds(row.due), seconds(row.expires));
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO bin (id, story, due, expires, at) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![id, text, due, expires, at.timestamp()])?;
        Ok(())
    }

    /// What a withdrawn article said, to be handed in again.
    fn in_bin(&self, row: &Row) -> Result<Option<Submission>> {
        let since = (self.commit_time() - BIN).timestamp();
        let select = "SELECT story, due, expires FROM bin WHERE id = ? AND at > ?";
        let mut select = self.transaction.prepare_cached(select)?;
        let kept: Option<(String, Option<i64>, Option<i64>)> = select
            .query_row(params![row.id.as_str(), since], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((text, due, expires)) = kept else { return Ok(None) };
        Ok(Some(Submission {
            id: row.id.clone(),
            guid: None,
            published: Some(When::exactly(row.placed)),
            modified: row.modified,
            embargo: due.map(time),
            expires: expires.map(time),
            is_significant: None,
            story: story(row.id.as_str(), &text)?,
        }))
    }
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
    let transaction = writer.transaction()?;
    let count: i64 = transaction.query_row(
        "SELECT count(*) FROM writer WHERE name = ? AND (ends IS NULL OR ends > ?)",
        params![name.as_str(), now.timestamp()],
        |row| row.get(0),
    )?;
    transaction.execute("DELETE FROM writer WHERE name = ?", [name.as_str()])?;
    transaction.commit()?;
    Ok(usize::try_from(count).unwrap_or_default())
}
