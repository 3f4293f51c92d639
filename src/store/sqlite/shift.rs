//! Those who get articles later or earlier than everybody else, and word of what has gone.
//!
//! Whom an article has come to is written down when it comes: no clock is asked when a feed is read.

use std::{cmp::Reverse, collections::BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::{
    article::{Gone, Mark, Revision, Story},
    category::{Audience, Facet, Selection},
    store::{
        Result,
        decide::{Row, State},
        sqlite::{
            read::merge,
            row::{COLUMNS, decode, number, revision, story, time},
        },
    },
};

/// So many signs of what has gone are looked at for a document, and so many are in it.
const LOOKS: u16 = 5_000;
const SIGNS: usize = 200;
/// So many embargoed articles are in a document at most.
const EARLY: i64 = 200;

/// What a write does to an article, when and by whom it can be read.
pub(super) struct Step<'a> {
    pub key: i64,
    pub old: Option<&'a Row>,
    pub row: &'a Row,
    pub revision: Revision,
    pub commit: DateTime<Utc>,
}

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
    commit: DateTime<Utc>,
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
         SELECT ?1, article.key, max(change.at) + ?1 * 60 FROM change JOIN article ON article.id = change.id
         WHERE change.kind = 'published' AND article.state = 1 AND change.revision > coalesce(
           (SELECT revision FROM change WHERE at <= ?2 - ?1 * 60 ORDER BY revision DESC LIMIT 1), 0)
         GROUP BY article.key",
        params![minutes, commit.timestamp()],
    )?;
    Ok(())
}

/// A shift that nobody has any more.
pub(super) fn end(transaction: &Transaction<'_>, minutes: i16) -> Result<()> {
    transaction.execute("DELETE FROM coming WHERE minutes = ?", [minutes])?;
    transaction.execute("DELETE FROM came WHERE minutes = ?", [minutes])?;
    Ok(())
}

impl Step<'_> {
    /// Sets down when the article comes to those of each shift; gives the shifts whose feeds may change with this write.
    pub(super) fn take(&self, transaction: &Transaction<'_>, shifts: &[i16]) -> Result<Vec<i16>> {
        let mut least_head_start = None;
        let mut least_delay = None;
        let mut touched = Vec::new();
        for &minutes in shifts {
            let waited = if minutes > 0 { until(transaction, minutes, self.key)? } else { None };
            if waited.is_some() {
                least_delay = Some(least_delay.map_or(minutes, |least: i16| least.min(minutes)));
            }
            let was_early = minutes < 0 && has_come(transaction, minutes, self.key)?;
            if was_early {
                least_head_start = least_head_start.max(Some(minutes));
            }
            let was_live = self.old.is_some_and(|old| old.state == State::Live);
            let length = TimeDelta::minutes(minutes.into());
            let at = match self.row.state {
                // Whoever waits goes on waiting, whatever is corrected meanwhile.
                State::Live if minutes > 0 && was_live => waited,
                State::Live if minutes > 0 => Some(self.commit + length),
                State::Held if minutes < 0 => self.row.due.map(|due| due + length),
                State::Held | State::Live | State::Expired | State::Withdrawn => None,
            };
            forget(transaction, minutes, self.key)?;
            let is_early = minutes < 0 && at.is_some_and(|at| at <= self.commit);
            match at {
                Some(_) if is_early => come(transaction, minutes, self)?,
                Some(at) => {
                    let mut insert = transaction.prepare_cached(
                        "INSERT INTO coming (minutes, article, at) VALUES (?, ?, ?)",
                    )?;
                    insert.execute(params![minutes, self.key, at.timestamp()])?;
                }
                None => {}
            }
            if is_early {
                touched.push(minutes);
            }
        }
        // Whoever gets things earlier still had it too.
        let early = shifts.iter().filter(|minutes| Some(**minutes) <= least_head_start);
        let early: Vec<_> = early.copied().collect();
        let facets = early.iter().copied().map(Facet::shift).collect();
        touched.extend(early);
        self.note_gone(transaction, least_head_start, least_delay.unwrap_or_default(), facets)?;
        Ok(touched)
    }

    /// Keeps what the article was filed as, where somebody could read it who may not be able to now. `early_facets` are
    /// those that it left where not everybody could read it.
    fn note_gone(
        &self,
        transaction: &Transaction<'_>,
        head_start: Option<i16>,
        late: i16,
        early_facets: BTreeSet<Facet>,
    ) -> Result<()> {
        let Some(old) = self.old else { return Ok(()) };
        let is_same = self.row.state == State::Live && self.row.is_selected_as(old);
        let was_live = old.state == State::Live;
        let early = if was_live { Some(0) } else { head_start };
        let Some(early) = early.filter(|_| !is_same) else { return Ok(()) };
        let (now, at) = (number(self.revision), self.commit.timestamp());
        // Of one write, only what was there before it could be read.
        let mut noted =
            transaction.prepare_cached("SELECT 1 FROM gone WHERE revision = ? AND article = ?")?;
        if noted.exists([now, self.key])? {
            return Ok(());
        }
        let left = serde_json::to_string(&old.story.remnant()).expect("a story has text keys only");
        // The same again stands in the place of the one before: both moved the same feeds.
        let mut before = transaction.prepare_cached(
            "SELECT revision FROM gone WHERE article = ? AND early = ? AND late = ? AND story = ?",
        )?;
        let before: Option<i64> =
            before.query_row(params![self.key, early, late, left], |row| row.get(0)).optional()?;
        let mut forget = transaction
            .prepare_cached("DELETE FROM sign WHERE facet = ? AND revision = ? AND id = ?")?;
        let mut sign = transaction
            .prepare_cached("INSERT INTO sign (facet, revision, id) VALUES (?, ?, ?)")?;
        for facet in if was_live { old.story.facets() } else { early_facets } {
            forget.execute(params![facet.as_str(), before, old.id.as_str()])?;
            sign.execute(params![facet.as_str(), now, old.id.as_str()])?;
        }
        let mut insert = transaction.prepare_cached(
            "INSERT OR REPLACE INTO gone (article, early, late, story, revision, at, published) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?;
        let published = old.published.timestamp();
        insert.execute(params![self.key, early, late, left, now, at, published])?;
        Ok(())
    }
}

/// Whether an article has come to those of a shift by a write that did not change it, or before everybody else can read it.
pub(super) fn has_come(reader: &Connection, minutes: i16, key: i64) -> Result<bool> {
    let mut select =
        reader.prepare_cached("SELECT 1 FROM came WHERE minutes = ? AND article = ?")?;
    Ok(select.exists(params![minutes, key])?)
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
    Ok(until(reader, minutes, key)?.is_some())
}

/// Until when those of a shift wait for an article.
fn until(reader: &Connection, minutes: i16, key: i64) -> Result<Option<DateTime<Utc>>> {
    let mut select =
        reader.prepare_cached("SELECT at FROM coming WHERE minutes = ? AND article = ?")?;
    Ok(select.query_row(params![minutes, key], |row| row.get(0)).optional()?.map(time))
}

fn forget(transaction: &Transaction<'_>, minutes: i16, key: i64) -> Result<()> {
    for table in ["coming", "came"] {
        let delete = format!("DELETE FROM {table} WHERE minutes = ? AND article = ?");
        transaction.prepare_cached(&delete)?.execute(params![minutes, key])?;
    }
    Ok(())
}

fn come(transaction: &Transaction<'_>, minutes: i16, step: &Step<'_>) -> Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO came (minutes, article, revision, id, at) VALUES (?, ?, ?, ?, ?)",
    )?;
    let (id, now) = (step.row.id.as_str(), number(step.revision));
    insert.execute(params![minutes, step.key, now, id, step.commit.timestamp()])?;
    Ok(())
}

/// When the next article comes to those of some shift, in seconds.
pub(super) fn next(reader: &Connection) -> Result<Option<i64>> {
    let mut select = reader.prepare_cached("SELECT min(at) FROM coming")?;
    Ok(select.query_row([], |row| row.get(0))?)
}

/// Lets articles come whose time it is, `limit` at a time; gives the shifts to whose readers some came.
pub(super) fn arrive(
    transaction: &Transaction<'_>,
    now: Revision,
    commit: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<i16>> {
    let due: Vec<(i16, i64)> = {
        let mut select = transaction.prepare_cached(
            "SELECT minutes, article FROM coming WHERE at <= ? ORDER BY at, minutes, article LIMIT ?",
        )?;
        let due =
            select.query_map([commit.timestamp(), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
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

/// Whether an article that everybody can read has not come yet to those who make a selection.
pub(super) fn is_late(reader: &Connection, selection: &Selection, key: i64) -> Result<bool> {
    let minutes = selection.shift_minutes();
    Ok(minutes > 0 && waits(reader, minutes, key)?)
}

/// Articles under embargo that those who make a selection have already, newest first, with their keys.
pub(super) fn early(reader: &Connection, selection: &Selection) -> Result<Vec<(i64, Row)>> {
    let minutes = selection.shift_minutes();
    if minutes >= 0 {
        return Ok(Vec::new());
    }
    let mut select = reader.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM article WHERE state = 0 AND key IN (SELECT article FROM came WHERE minutes = ?)
         ORDER BY published DESC, id LIMIT ?",
    ))?;
    let mut rows = select.query(params![minutes, EARLY])?;
    let mut early = Vec::new();
    while let Some(row) = rows.next()? {
        let (key, row) = decode(row)?;
        if row.story.is_selected(selection) {
            early.push((key, row));
        }
    }
    Ok(early)
}

/// What a feed had and has no more, as far back as it tells from where it stands.
///
/// All of it follows from writes that moved the feed: those that took an article from under one of its facets, and those
/// that brought it back there.
pub(super) fn signs(reader: &Connection, selection: &Selection, mark: Mark) -> Result<Vec<Gone>> {
    let Some(audience) = selection.audience.as_ref().filter(|audience| audience.signs_days > 0)
    else {
        return Ok(Vec::new());
    };
    let oldest = mark.changed - TimeDelta::days(audience.signs_days.into());
    let mut facets = selection.facets();
    if audience.shift_minutes < 0 {
        facets.push(Facet::shift(audience.shift_minutes));
    }
    let select = "SELECT revision, id FROM sign WHERE facet = ? AND revision <= ?
                  ORDER BY revision DESC, id";
    let sign = |row: &rusqlite::Row<'_>, _| Ok((row.get(0)?, Reverse(row.get(1)?)));
    let mut select_gone = reader.prepare_cached(&format!(
        "SELECT gone.at, gone.early, gone.late, gone.published AS began, gone.story AS remnant, {}
         FROM article JOIN gone ON gone.article = article.key WHERE article.id = ? AND gone.revision = ?",
        qualified()
    ))?;
    let mut signs: Vec<Gone> = Vec::new();
    let mut looks = 0;
    let most = number(mark.revision);
    merge(reader, &facets, select, most, sign, |(went, Reverse(id)): (i64, Reverse<String>)| {
        looks += 1;
        let mut rows = select_gone.query(params![id, went])?;
        let Some(row) = rows.next()? else { return Ok(looks < LOOKS) };
        let (left, at) = (remnant(row, "remnant")?, time(row.get("at")?));
        if at < oldest {
            return Ok(false);
        }
        let published = time(row.get("began")?);
        let saw = left.is_selected(selection)
            && could_read(audience, row.get("early")?, row.get("late")?);
        let (key, now) = decode(row)?;
        let is_told = signs.iter().any(|sign| sign.id == now.id);
        if saw && !is_told && !has(reader, selection, key, &now)? {
            let (Row { id, guid, .. }, revision) = (now, revision(went));
            signs.push(Gone { id, guid, published, revision, at, story: left });
        }
        Ok(looks < LOOKS && signs.len() < SIGNS)
    })?;
    Ok(signs)
}

/// Whether a selection has an article now, in or out of its window.
fn has(reader: &Connection, selection: &Selection, key: i64, row: &Row) -> Result<bool> {
    let is_readable = match row.state {
        State::Live => !is_late(reader, selection, key)?,
        State::Held => has_come(reader, selection.shift_minutes(), key)?,
        State::Expired | State::Withdrawn => false,
    };
    Ok(is_readable && row.story.is_selected(selection))
}

/// Whether those of an audience could read an article with this head start, 0: everybody could, and for which so long a
/// delay was not over, 0: none.
fn could_read(audience: &Audience, early: i16, late: i16) -> bool {
    let minutes = audience.shift_minutes;
    (early == 0 || minutes <= early) && (late == 0 || minutes < late)
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

fn remnant(row: &rusqlite::Row<'_>, column: &str) -> Result<Story> {
    let text = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
    story("gone", text)
}

/// [`COLUMNS`] of a query that joins other tables.
fn qualified() -> String {
    COLUMNS.split(", ").map(|column| format!("article.{column}")).collect::<Vec<_>>().join(", ")
}
