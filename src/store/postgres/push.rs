//! Writes from outside: preconditions and the answers of keys, in the transaction of the write itself.

use chrono::{DateTime, Utc};

use crate::{
    article::{ArticleId, Cursor},
    category::Slug,
    store::{
        BIN, Grant, KEPT, KEPT_ANSWERS, Key, Operation, Push, Pushed, Result, StoreError, Stored,
        postgres::{
            draft::Wanted,
            read::View,
            row::{COLUMNS, decode},
            session::{Session, WRITE},
            write::{Writing, begin, wanted},
        },
        pushed::{Bin, Binned},
        stored::{number, time},
        tables::Reader,
    },
    told::Told,
};

pub(super) fn push(session: &Session, push: &Push, told: Told) -> Result<Pushed> {
    let mut writing = begin(session, Wanted::default(), told)?;
    if let Some(key) = &push.key
        && let Some(pushed) = before(session, key, told.now())?
    {
        session.end()?;
        return Ok(pushed);
    }
    let operations = push.tasks.iter().map(|task| &task.operation);
    let put = operations.clone().filter_map(|operation| match operation {
        Operation::Put(submission) => Some(&**submission),
        Operation::Withdraw { .. } | Operation::Restore(_) => None,
    });
    let others = operations.filter(|operation| !matches!(operation, Operation::Put(_)));
    let others = others.map(|operation| operation.id().as_str().to_owned()).collect();
    let mut bin = kept(session, push, writing.commit)?;
    // What comes back is filed as it was.
    let restored = bin.kept.values().filter_map(|binned| serde_json::from_str(&binned.story).ok());
    let wanted = wanted(writing.authority(), put, others, restored);
    writing.fetch(session, wanted)?;
    let effects = writing.push(push, &mut bin)?;
    if !effects.is_anything_done() {
        session.end()?;
        return Ok(Pushed::Done(effects));
    }
    fill_bin(session, &mut writing, bin)?;
    if let Some(key) = &push.key {
        keep(session, &mut writing, key, &(push.answer)(&effects), told.now())?;
    }
    writing.commit(session)?;
    Ok(Pushed::Done(effects))
}

/// What was answered to the key before.
fn before(session: &Session, key: &Key, now: DateTime<Utc>) -> Result<Option<Pushed>> {
    let select = "SELECT fingerprint, answer FROM pushed WHERE owner = $1 AND key = $2 AND at > $3";
    let since = (now - KEPT).timestamp();
    let rows = session.query(select, &[&key.owner.as_str(), &key.key, &since])?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(key.meets(row.try_get(0)?, row.try_get(1)?)))
}

fn keep(
    session: &Session,
    writing: &mut Writing,
    key: &Key,
    answer: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let Key { owner, key, fingerprint } = key;
    let (owner, at, since) = (owner.as_str(), now.timestamp(), (now - KEPT).timestamp());
    let insert =
        "INSERT INTO pushed (owner, key, fingerprint, answer, at) VALUES ($1, $2, $3, $4, $5)";
    let many = "DELETE FROM pushed WHERE owner = $1 AND at <
         (SELECT at FROM pushed WHERE owner = $1 ORDER BY at DESC LIMIT 1 OFFSET $2)";
    session.all(&[
        ("DELETE FROM pushed WHERE at <= $1", vec![&since]),
        (insert, vec![&owner, key, fingerprint, &answer, &at]),
        (many, vec![&owner, &KEPT_ANSWERS]),
    ])?;
    writing.keep();
    Ok(())
}

/// What is kept of the articles that a push would have back.
fn kept(session: &Session, push: &Push, now: DateTime<Utc>) -> Result<Bin> {
    let (mut bin, restored) = (Bin::default(), push.restored());
    if restored.is_empty() {
        return Ok(bin);
    }
    let select = "SELECT id, story, due, expires FROM bin WHERE id = ANY($1) AND at > $2";
    for row in session.query(select, &[&restored, &(now - BIN).timestamp()])? {
        let binned =
            Binned { story: row.try_get(1)?, due: row.try_get(2)?, expires: row.try_get(3)? };
        bin.kept.extend(ArticleId::new(row.try_get(0)?).map(|id| (id, binned)));
    }
    Ok(bin)
}

fn fill_bin(session: &Session, writing: &mut Writing, bin: Bin) -> Result<()> {
    let emptied = bin.changes.iter().filter(|(_, binned)| binned.is_none());
    let emptied: Vec<_> = emptied.map(|(id, _)| id.clone()).collect();
    empty_bin(session, writing, &emptied)?;
    let at = writing.commit;
    for (id, binned) in bin.changes {
        let Some(Binned { story, due, expires }) = binned else { continue };
        session.execute("DELETE FROM bin WHERE at <= $1", &[&(at - BIN).timestamp()])?;
        let insert = "INSERT INTO bin (id, story, due, expires, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (id) DO UPDATE SET
               story = excluded.story, due = excluded.due, expires = excluded.expires, at = excluded.at";
        session.execute(insert, &[&id.as_str(), &story, &due, &expires, &at.timestamp()])?;
        writing.keep();
    }
    Ok(())
}

/// Forgets what articles said that are withdrawn for good, or are there again.
pub(super) fn empty_bin(session: &Session, writing: &mut Writing, ids: &[ArticleId]) -> Result<()> {
    let ids: Vec<&str> = ids.iter().map(ArticleId::as_str).collect();
    if !ids.is_empty() && session.execute("DELETE FROM bin WHERE id = ANY($1)", &[&ids])? > 0 {
        writing.keep();
    }
    Ok(())
}

/// An article as it is kept.
pub(super) fn stored(view: &View<'_>, id: &ArticleId) -> Result<Option<Stored>> {
    let Some((_, row)) = view.find(id)? else { return Ok(None) };
    let edited = view.committed(row.revision)?;
    Ok(Some(Stored::new(row, edited)))
}

/// Articles that are not withdrawn, last change first, from before a place on.
pub(super) fn inventory(
    view: &View<'_>,
    before: Option<&Cursor>,
    limit: u16,
) -> Result<Vec<Stored>> {
    let (revision, after) = match before {
        Some(Cursor { revision, article }) => {
            (number(*revision), article.as_ref().map_or("", ArticleId::as_str))
        }
        None => (i64::MAX, ""),
    };
    let select = format!(
        "SELECT {COLUMNS} FROM article WHERE state <> 3 AND (revision, id) < ($1, $2)
         ORDER BY revision DESC, id DESC LIMIT $3"
    );
    let mut found: Vec<Stored> = Vec::new();
    for row in view.session().query(&select, &[&revision, &after, &i64::from(limit)])? {
        let (_, row) = decode(&row)?;
        let known = found.last().filter(|last| last.revision == row.revision);
        let edited = match known {
            Some(last) => last.edited,
            None => view.committed(row.revision)?,
        };
        found.push(Stored::new(row, edited));
    }
    Ok(found)
}

pub(super) fn grants(session: &Session) -> Result<Vec<Grant>> {
    let select = "SELECT digest, name, scopes, created, ends FROM writer ORDER BY name, created";
    let mut grants = Vec::new();
    for row in session.query(select, &[])? {
        let name: &str = row.try_get(1)?;
        let damaged = |_| StoreError::Failed(format!("`{name}` is no name").into());
        grants.push(Grant {
            digest: row.try_get(0)?,
            name: name.parse().map_err(damaged)?,
            scopes: row.try_get(2)?,
            created: time(row.try_get(3)?),
            ends: row.try_get::<_, Option<i64>>(4)?.map(time),
        });
    }
    Ok(grants)
}

/// No revision: who may write is part of no feed.
pub(super) fn grant(session: &Session, grant: &Grant) -> Result<()> {
    let Grant { digest, name, scopes, created, ends } = grant;
    let insert =
        "INSERT INTO writer (digest, name, scopes, created, ends) VALUES ($1, $2, $3, $4, $5)";
    let ends = ends.map(|ends| ends.timestamp());
    session.execute(insert, &[digest, &name.as_str(), scopes, &created.timestamp(), &ends])?;
    Ok(())
}

/// Forgets every token of a name; how many were good until then.
pub(super) fn retract(session: &Session, name: &Slug, now: DateTime<Utc>) -> Result<usize> {
    let name = name.as_str();
    let count = "SELECT count(*) FROM writer WHERE name = $1 AND (ends IS NULL OR ends > $2)";
    let found = session.begin(WRITE, &[(count, vec![&name, &now.timestamp()])])?;
    let count: i64 = match found.first().and_then(|rows| rows.first()) {
        Some(row) => row.try_get(0)?,
        None => 0,
    };
    session.execute("DELETE FROM writer WHERE name = $1", &[&name])?;
    session.commit(&[])?;
    Ok(usize::try_from(count).unwrap_or_default())
}
