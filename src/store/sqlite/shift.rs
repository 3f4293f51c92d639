//! Those who get articles later or earlier than everybody else: whom articles have come to.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::{
    article::{Revision, Story},
    category::Facet,
    store::{
        Result,
        stored::{number, revision, story, time},
    },
};

/// The shifts of `feeds.toml`, in minutes.
pub(super) fn known(reader: &Connection) -> Result<Vec<i16>> {
    let mut select = reader.prepare_cached(
        "SELECT facet FROM mark WHERE facet >= 'shift/' AND facet < 'shift0' AND fingerprint IS NOT NULL",
    )?;
    let facets = select.query_map([], |row| row.get(0).map(Facet::stored))?;
    let facets = facets.collect::<Result<Vec<_>, _>>()?;
    Ok(facets.iter().filter_map(Facet::as_shift).collect())
}

/// A shift that is new: embargoed articles wait for those who get them early, and what everybody has had for less than
/// the delay waits for those who get it late.
pub(super) fn begin(
    transaction: &Transaction<'_>,
    minutes: i16,
    clock: DateTime<Utc>,
) -> Result<()> {
    if minutes < 0 {
        transaction.execute(
            "INSERT OR IGNORE INTO coming (minutes, article, at)
             SELECT ?1, key, due + ?1 * 60 FROM article WHERE due IS NOT NULL",
            [minutes],
        )?;
        return Ok(());
    }
    // Times never fall from one revision to the next: the log is read no further back than the delay goes.
    transaction.execute(
        "INSERT OR IGNORE INTO coming (minutes, article, at)
         SELECT ?1, article.key, min(max(change.at), ?2) + ?1 * 60 FROM change JOIN article ON article.id = change.id
         WHERE change.kind = 'published' AND article.state = 1 AND change.revision > coalesce(
           (SELECT revision FROM change WHERE at <= ?2 - ?1 * 60 ORDER BY revision DESC LIMIT 1), 0)
         GROUP BY article.key",
        params![minutes, clock.timestamp()],
    )?;
    Ok(())
}

/// A shift that nobody has any more.
pub(super) fn end(transaction: &Transaction<'_>, minutes: i16) -> Result<()> {
    transaction.execute("DELETE FROM coming WHERE minutes = ?", [minutes])?;
    transaction.execute("DELETE FROM came WHERE minutes = ?", [minutes])?;
    Ok(())
}

/// The write by which an article came to those of a shift, where that did not change it, and its time.
pub(super) fn came(
    reader: &Connection,
    minutes: i16,
    key: i64,
) -> Result<Option<(Revision, DateTime<Utc>)>> {
    let mut select =
        reader.prepare_cached("SELECT revision, at FROM came WHERE minutes = ? AND article = ?")?;
    let read = |row: &rusqlite::Row<'_>| Ok((revision(row.get(0)?), time(row.get(1)?)));
    Ok(select.query_row(params![minutes, key], read).optional()?)
}

/// Whether those of a shift wait for an article.
pub(super) fn waits(reader: &Connection, minutes: i16, key: i64) -> Result<bool> {
    let mut select =
        reader.prepare_cached("SELECT 1 FROM coming WHERE minutes = ? AND article = ?")?;
    Ok(select.exists(params![minutes, key])?)
}

fn forget(transaction: &Transaction<'_>, minutes: i16, key: i64) -> Result<()> {
    for table in ["coming", "came"] {
        let delete = format!("DELETE FROM {table} WHERE minutes = ? AND article = ?");
        transaction.prepare_cached(&delete)?.execute(params![minutes, key])?;
    }
    Ok(())
}

/// When the next article comes to those of some shift, in seconds.
pub(super) fn next(reader: &Connection) -> Result<Option<i64>> {
    let mut select = reader.prepare_cached("SELECT min(at) FROM coming")?;
    Ok(select.query_row([], |row| row.get(0))?)
}

/// Delivers articles that are due at `clock` by a write of time `commit`, `limit` at a time; returns the shifts of their
/// readers.
pub(super) fn arrive(
    transaction: &Transaction<'_>,
    now: Revision,
    (clock, commit): (DateTime<Utc>, DateTime<Utc>),
    limit: i64,
) -> Result<Vec<i16>> {
    let due: Vec<(i16, i64)> = {
        let mut select = transaction.prepare_cached(
            "SELECT minutes, article FROM coming WHERE at <= ? ORDER BY at, minutes, article LIMIT ?",
        )?;
        let due =
            select.query_map([clock.timestamp(), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        due.collect::<Result<_, _>>()?
    };
    let mut touched = Vec::new();
    for (minutes, key) in due {
        forget(transaction, minutes, key)?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO came (minutes, article, revision, id, at) SELECT ?1, key, ?3, id, ?4 FROM article WHERE key = ?2",
        )?;
        insert.execute(params![minutes, key, number(now), commit.timestamp()])?;
        touched.push(minutes);
    }
    touched.sort_unstable();
    touched.dedup();
    Ok(touched)
}

/// What an article was filed as, each time that it was taken from those of a shift or filed otherwise.
pub(super) fn was(reader: &Connection, key: i64, minutes: i16) -> Result<Vec<Story>> {
    let mut select = reader.prepare_cached(
        "SELECT story FROM gone WHERE article = ?1 AND (early = 0 OR ?2 <= early) AND (late = 0 OR ?2 < late)
         ORDER BY revision",
    )?;
    let mut rows = select.query(params![key, minutes])?;
    let mut was = Vec::new();
    while let Some(row) = rows.next()? {
        was.push(remnant(row, "story")?);
    }
    Ok(was)
}

/// A stored story of what has gone.
pub(super) fn remnant(row: &rusqlite::Row<'_>, column: &str) -> Result<Story> {
    let text = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
    story("gone", text)
}
