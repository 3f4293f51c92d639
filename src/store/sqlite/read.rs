//! Questions to the file. Each runs in one transaction, so that its parts belong together.

use std::{cmp::Reverse, collections::BTreeSet, num::NonZeroU16};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

use crate::{
    article::{ArticleId, Change, ChangeKind, Cursor, Latest, Mark, Revision},
    category::{Category, Facet},
    store::{
        Census, Moved, Result,
        decide::{Row, State},
        read::{self, merge},
        sqlite::{
            row::{COLUMNS, decode, find},
            shift,
        },
        stored::{number, revision, state, time},
        tables::{Counter, Filed, Left, Place, Reader, Sign},
    },
    text::Text,
};

pub(super) fn counter(reader: &Connection) -> Result<Counter> {
    let mut select =
        reader.prepare_cached("SELECT head, changed, shelved, authority FROM store")?;
    Ok(select.query_row([], |row| {
        Ok(Counter {
            head: revision(row.get(0)?),
            changed: row.get(1)?,
            shelved: row.get(2)?,
            authority: row.get(3)?,
        })
    })?)
}

pub(super) fn head(reader: &Connection) -> Result<Revision> {
    let mut select = reader.prepare_cached("SELECT head FROM store")?;
    Ok(select.query_row([], |row| row.get(0).map(revision))?)
}

pub(super) fn moved(reader: &Connection, seen: Revision) -> Result<Moved> {
    let transaction = reader.unchecked_transaction()?;
    let head = head(&transaction)?;
    let mut select = transaction.prepare_cached("SELECT facet FROM mark WHERE revision > ?")?;
    let facets = select.query_map([number(seen)], |row| row.get(0).map(Facet::stored))?;
    Ok(Moved { head, facets: facets.collect::<Result<_, _>>()? })
}

pub(super) fn mark(reader: &Connection, facets: &[Facet]) -> Result<Mark> {
    let mut select =
        reader.prepare_cached("SELECT revision, changed, floor FROM mark WHERE facet = ?")?;
    let mut mark = Mark { revision: Revision(0), changed: time(0), floor: Revision(0) };
    for facet in facets {
        let mut rows = select.query([facet.as_str()])?;
        if let Some(row) = rows.next()? {
            mark.revision = mark.revision.max(revision(row.get(0)?));
            mark.changed = mark.changed.max(time(row.get(1)?));
            mark.floor = mark.floor.max(revision(row.get(2)?));
        }
    }
    Ok(mark)
}

impl Reader for Connection {
    fn counter(&self) -> Result<Counter> {
        counter(self)
    }

    fn mark(&self, facets: &[Facet]) -> Result<Mark> {
        mark(self, facets)
    }

    fn places(&self, facets: &[Facet]) -> Result<i64> {
        let mut select = self.prepare_cached("SELECT places FROM mark WHERE facet = ?")?;
        let mut sum = 0;
        for facet in facets {
            sum += select.query([facet.as_str()])?.next()?.map_or(Ok(0), |row| row.get(0))?;
        }
        Ok(sum)
    }

    fn taken(&self, facets: &[Facet], shelved: &[i64]) -> Result<Vec<i64>> {
        let mut select = self.prepare_cached(
            "SELECT place FROM shelf WHERE facet = ? AND shelved <= ? ORDER BY shelved DESC LIMIT 1",
        )?;
        let mut taken = |shelved: &i64| -> Result<i64> {
            let mut sum = 0;
            for facet in facets {
                let mut rows = select.query(params![facet.as_str(), shelved])?;
                sum += rows.next()?.map_or(Ok(0), |row| row.get::<_, i64>(0))?;
            }
            Ok(sum)
        };
        shelved.iter().map(&mut taken).collect()
    }

    fn disturbed(
        &self,
        facets: &[Facet],
        since: Revision,
        limit: usize,
    ) -> Result<Option<BTreeSet<i64>>> {
        let mut found = BTreeSet::new();
        for select in [
            "SELECT shelved FROM shelf WHERE facet = ?1 AND article IS NULL AND revision > ?2 LIMIT ?3",
            "SELECT filing.shelved FROM article
               CROSS JOIN filing ON facet = ?1 AND filing.published = article.published AND filing.id = article.id
             WHERE revision > ?2 LIMIT ?3",
        ] {
            let mut select = self.prepare_cached(select)?;
            for facet in facets {
                let most = i64::try_from(limit).unwrap_or(i64::MAX);
                let mut rows = select.query(params![facet.as_str(), number(since), most])?;
                while let Some(row) = rows.next()? {
                    found.insert(row.get::<_, i64>(0)?);
                }
            }
            if found.len() >= limit {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    fn article(&self, key: i64) -> Result<Option<Row>> {
        let select = format!("SELECT {COLUMNS} FROM article WHERE key = ?");
        let mut select = self.prepare_cached(&select)?;
        let mut rows = select.query([key])?;
        Ok(rows.next()?.map(decode).transpose()?.map(|(_, row)| row))
    }

    fn find(&self, id: &ArticleId) -> Result<Option<(i64, Row)>> {
        find(self, id)
    }

    fn shelved(&self, facet: &Facet, row: &Row) -> Result<Option<i64>> {
        let mut select = self.prepare_cached(
            "SELECT shelved FROM filing WHERE facet = ? AND published = ? AND id = ?",
        )?;
        let filed = params![facet.as_str(), row.published.timestamp(), row.id.as_str()];
        Ok(select.query_row(filed, |row| row.get(0)).optional()?)
    }

    fn waits(&self, minutes: i16, key: i64) -> Result<bool> {
        shift::waits(self, minutes, key)
    }

    fn has_come(&self, minutes: i16, key: i64) -> Result<bool> {
        Ok(shift::came(self, minutes, key)?.is_some())
    }

    fn early(&self, minutes: i16, limit: i64) -> Result<Vec<Row>> {
        let mut select = self.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM article WHERE state = 0 AND key IN (SELECT article FROM came WHERE minutes = ?)
             ORDER BY published DESC, id LIMIT ?",
        ))?;
        let mut rows = select.query(params![minutes, limit])?;
        let mut early = Vec::new();
        while let Some(row) = rows.next()? {
            early.push(decode(row)?.1);
        }
        Ok(early)
    }

    fn committed(&self, revision: Revision) -> Result<DateTime<Utc>> {
        committed(self, revision)
    }

    fn for_each_filed(
        &self,
        facets: &[Facet],
        visit: impl FnMut(Filed) -> Result<bool>,
    ) -> Result<bool> {
        let select = "SELECT published, id, article FROM filing
                      WHERE facet = ? AND published <= ? ORDER BY published DESC, id";
        let filed = |row: &SqlRow<'_>, _| Ok((row.get(0)?, Reverse(row.get(1)?), row.get(2)?));
        each(self, facets, select, i64::MAX, filed, visit)
    }

    fn for_each_place(
        &self,
        facets: &[Facet],
        newest: i64,
        visit: impl FnMut(Place) -> Result<bool>,
    ) -> Result<bool> {
        let select = "SELECT shelved, article, again, revision FROM shelf
                      WHERE facet = ? AND shelved <= ? ORDER BY shelved DESC";
        let place = |row: &SqlRow<'_>, facet| {
            Ok(Place {
                shelved: row.get(0)?,
                facet: Reverse(facet),
                article: row.get(1)?,
                again: row.get(2)?,
                revision: revision(row.get(3)?),
            })
        };
        each(self, facets, select, newest, place, visit)
    }

    fn for_each_sign(
        &self,
        facets: &[Facet],
        newest: Revision,
        mut visit: impl FnMut(Revision, Option<Sign>) -> Result<bool>,
    ) -> Result<bool> {
        let select = "SELECT revision, id FROM sign WHERE facet = ? AND revision <= ?
                      ORDER BY revision DESC, id";
        let sign = |row: &SqlRow<'_>, _| Ok((row.get(0)?, Reverse(row.get(1)?)));
        let columns: Vec<_> =
            COLUMNS.split(", ").map(|column| format!("article.{column}")).collect();
        let mut select_gone = self.prepare_cached(&format!(
            "SELECT gone.at, gone.early, gone.late, gone.published AS began, gone.story AS remnant, {}
             FROM article JOIN gone ON gone.article = article.key WHERE article.id = ? AND gone.revision = ?",
            columns.join(", ")
        ))?;
        each(
            self,
            facets,
            select,
            number(newest),
            sign,
            |(went, Reverse(id)): (i64, Reverse<String>)| {
                let mut rows = select_gone.query(params![id, went])?;
                let sign: Option<Result<Sign>> = rows.next()?.map(|row| {
                    let left = Left {
                        early: row.get("early")?,
                        late: row.get("late")?,
                        story: shift::remnant(row, "remnant")?,
                        at: time(row.get("at")?),
                        published: time(row.get("began")?),
                    };
                    let (key, now) = decode(row)?;
                    Ok((left, key, now))
                });
                visit(revision(went), sign.transpose()?)
            },
        )
    }
}

/// Visits what is under each of these facets, merged. `select` asks for the list of a facet, its first parameter, from
/// `most` on, its second, down.
fn each<T: Ord>(
    reader: &Connection,
    facets: &[Facet],
    select: &str,
    most: i64,
    read: impl Fn(&SqlRow<'_>, usize) -> rusqlite::Result<T>,
    visit: impl FnMut(T) -> Result<bool>,
) -> Result<bool> {
    let mut statements =
        facets.iter().map(|_| reader.prepare_cached(select)).collect::<Result<Vec<_>, _>>()?;
    let mut lists = Vec::with_capacity(facets.len());
    for (nth, (statement, facet)) in statements.iter_mut().zip(facets).enumerate() {
        let mut rows = statement.query(params![facet.as_str(), most])?;
        let read = &read;
        lists.push(move || Ok(rows.next()?.map(|row| read(row, nth)).transpose()?));
    }
    merge(lists, visit)
}

/// When a write was committed.
pub(super) fn committed(reader: &Connection, revision: Revision) -> Result<DateTime<Utc>> {
    let mut select = reader.prepare_cached("SELECT at FROM change WHERE revision = ? LIMIT 1")?;
    Ok(select.query_row([number(revision)], |row| row.get(0).map(time))?)
}

pub(super) fn log(reader: &Connection, since: Revision, limit: NonZeroU16) -> Result<Vec<Change>> {
    let mut select = reader.prepare_cached(
        "SELECT revision, id, kind, at FROM change WHERE revision > ? ORDER BY revision, id LIMIT ?",
    )?;
    let mut rows = select.query(params![number(since), limit.get()])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.push(Change {
            revision: revision(row.get(0)?),
            article: ArticleId::new(&row.get::<_, String>(1)?)
                .ok_or(rusqlite::Error::InvalidQuery)?,
            kind: ChangeKind::from_name(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)
                .ok_or(rusqlite::Error::InvalidQuery)?,
            at: time(row.get(3)?),
        });
    }
    Ok(changes)
}

pub(super) fn latest(
    reader: &Connection,
    since: &Cursor,
    shift_minutes: i16,
    limit: NonZeroU16,
) -> Result<Vec<Latest>> {
    let transaction = reader.unchecked_transaction()?;
    // The whole of a write comes before the first article of the next.
    let (first, after) = match &since.article {
        Some(article) => (since.revision, article.as_str()),
        None => (Revision(since.revision.0 + 1), ""),
    };
    // Articles in the order of their last changes, and those that came by themselves to some, in one list.
    let mut select = transaction.prepare_cached(&format!(
        "SELECT position, came_at, {COLUMNS} FROM (
           SELECT revision AS position, id AS named, NULL AS came_at FROM article
           WHERE (revision, id) > (?1, ?2)
             AND NOT EXISTS (SELECT 1 FROM came WHERE minutes = ?3 AND came.article = article.key)
           UNION ALL
           SELECT revision, id, at FROM came WHERE minutes = ?3 AND (revision, id) > (?1, ?2)
           ORDER BY 1, 2 LIMIT ?4
         ) JOIN article ON article.id = named ORDER BY position, named"
    ))?;
    let mut rows = select.query(params![number(first), after, shift_minutes, limit.get()])?;
    let mut latest = Vec::new();
    let mut committed_at = None;
    while let Some(row) = rows.next()? {
        let position = revision(row.get("position")?);
        let came_at: Option<i64> = row.get("came_at")?;
        let (key, row) = decode(row)?;
        let at = match (came_at, committed_at) {
            (Some(at), _) => time(at),
            (None, Some((revision, at))) if revision == position => at,
            (None, _) => committed(&transaction, position)?,
        };
        committed_at = Some((position, at));
        let is_readable = match came_at {
            Some(_) => true,
            None => row.state == State::Live && !shift::waits(&transaction, shift_minutes, key)?,
        };
        let was = shift::was(&transaction, key, shift_minutes)?;
        latest.push(read::latest(row, (position, at), is_readable, was));
    }
    Ok(latest)
}

/// One article of [`latest`].
pub(super) fn last(
    reader: &Connection,
    id: &ArticleId,
    shift_minutes: i16,
) -> Result<Option<Latest>> {
    let transaction = reader.unchecked_transaction()?;
    let Some((key, row)) = find(&transaction, id)? else { return Ok(None) };
    let came = shift::came(&transaction, shift_minutes, key)?;
    let (position, at) = match came {
        Some(came) => came,
        None => (row.revision, committed(&transaction, row.revision)?),
    };
    let is_readable = came.is_some()
        || row.state == State::Live && !shift::waits(&transaction, shift_minutes, key)?;
    let was = shift::was(&transaction, key, shift_minutes)?;
    Ok(Some(read::latest(row, (position, at), is_readable, was)))
}

pub(super) fn categories(reader: &Connection) -> Result<Vec<Category>> {
    let mut select = reader
        .prepare_cached("SELECT facet, label FROM mark WHERE facet >= 'category/' AND facet < 'category0' ORDER BY facet")?;
    let mut rows = select.query([])?;
    let mut categories = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(slug) = Facet::stored(row.get(0)?).as_category() {
            let label = row.get::<_, Option<String>>(1)?.unwrap_or_else(|| slug.to_string());
            categories.push(Category { slug, label: Text::new(&label) });
        }
    }
    Ok(categories)
}

pub(super) fn census(reader: &Connection) -> Result<Census> {
    let mut select = reader.prepare_cached("SELECT state, count(*) FROM article GROUP BY state")?;
    let mut rows = select.query([])?;
    let mut census = Census::default();
    while let Some(row) = rows.next()? {
        let count = match state(row.get(0)?) {
            State::Held => &mut census.held,
            State::Live => &mut census.published,
            State::Expired => &mut census.expired,
            State::Withdrawn => &mut census.withdrawn,
        };
        *count = row.get(1)?;
    }
    Ok(census)
}

/// Keys of articles, held or live, that older rules cleaned.
pub(super) fn cleaned_before(
    reader: &Connection,
    version: u32,
    after: Option<&ArticleId>,
    limit: NonZeroU16,
) -> Result<Vec<ArticleId>> {
    let mut select = reader.prepare_cached(
        "SELECT id FROM article WHERE id > ? AND cleaning < ? AND state IN (0, 1) ORDER BY id LIMIT ?",
    )?;
    let after = after.map_or("", ArticleId::as_str);
    let found = select.query_map(params![after, version, limit.get()], |row| row.get(0))?;
    let ids = found.collect::<Result<Vec<String>, _>>()?;
    Ok(ids.iter().filter_map(|id| ArticleId::new(id)).collect())
}
