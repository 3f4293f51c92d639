//! Questions to the file. Each runs in one transaction, so that its parts belong together.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
    num::NonZeroU16,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row as SqlRow, Rows, params};

use crate::{
    article::{
        Article, ArticleId, Change, ChangeKind, Cursor, Latest, Mark, Part, Revision, Snapshot,
        Span, Window,
    },
    category::{Category, Facet, Selection},
    store::{
        Census, Moved, Result,
        decide::{Row, State},
        sqlite::{
            row::{COLUMNS, decode, find, number, revision, state, time},
            shelf::{self, Place},
            shift,
        },
    },
    text::Text,
};

/// How many articles are looked at for one feed; a selection that few of its articles fit ends here.
const CANDIDATES: usize = 20_000;

/// How many places, and how many articles there, are looked at to find the newest one that a document does not hold.
const PLACES: i64 = 20_000;
const LOOKS: u16 = 200;

/// The newest document repeats so many changed articles that its window does not hold.
const AGAIN: NonZeroU16 = NonZeroU16::new(10).expect("10 is not zero");

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

/// What a feed is read for.
struct Reading<'c> {
    reader: &'c Connection,
    selection: &'c Selection,
    facets: Vec<Facet>,
}

impl<'c> Reading<'c> {
    fn new(reader: &'c Connection, selection: &'c Selection) -> Self {
        Self { reader, selection, facets: selection.facets() }
    }

    /// The row of an article that the selection holds.
    fn selected(&self, key: i64) -> Result<Option<Row>> {
        let row = self.article(key)?.filter(|row| row.story.is_selected(self.selection));
        if row.is_some() && shift::is_late(self.reader, self.selection, key)? {
            return Ok(None);
        }
        Ok(row)
    }

    /// The row of an article that is shown at a place.
    fn shown(&self, place: &Place, key: i64) -> Result<Option<Row>> {
        let Some(row) = self.article(key)? else { return Ok(None) };
        let is_shown =
            self.shows(place, &row)? && !shift::is_late(self.reader, self.selection, key)?;
        Ok(is_shown.then_some(row))
    }

    fn shows(&self, place: &Place, row: &Row) -> Result<bool> {
        Ok(row.story.is_selected(self.selection)
            && (self.facets.len() == 1 || shelf::shows(self.reader, &self.facets, place, row)?))
    }

    fn article(&self, key: i64) -> Result<Option<Row>> {
        let select = format!("SELECT {COLUMNS} FROM article WHERE key = ?");
        let mut select = self.reader.prepare_cached(&select)?;
        let mut rows = select.query([key])?;
        Ok(rows.next()?.map(decode).transpose()?.map(|(_, row)| row))
    }

    fn finish(self, mark: Mark, part: Part, rows: Vec<Row>) -> Result<Snapshot> {
        let mut store = self.reader.prepare_cached("SELECT head, authority FROM store")?;
        let (head, authority) =
            store.query_row([], |row| Ok((revision(row.get(0)?), row.get(1)?)))?;
        let articles = rows.into_iter().map(|row| Arc::new(Article::from(row))).collect();
        Ok(Snapshot { head, mark, authority, part, articles, gone: Vec::new() })
    }
}

pub(super) fn snapshot(
    reader: &Connection,
    facets: &[Facet],
    selection: &Selection,
    window: Window,
) -> Result<Snapshot> {
    let transaction = reader.unchecked_transaction()?;
    let mark = mark(&transaction, facets)?;
    let reading = Reading::new(&transaction, selection);
    let mut fill = window.fill();
    let mut rows = Vec::new();
    let mut held = HashSet::new();
    for (_, row) in shift::early(&transaction, selection)? {
        if fill.take(row.published, row.bytes) {
            rows.push(row);
        }
    }
    let is_all = reading.for_each_newest(|key| {
        let Some(row) = reading.selected(key)? else { return Ok(true) };
        let takes = fill.take(row.published, row.bytes);
        if takes {
            held.insert(key);
            rows.push(row);
        }
        Ok(takes)
    })?;
    let mut part = Part::All;
    if !is_all {
        let again;
        (again, part) = reading.older(window, held)?;
        rows.extend(again);
    }
    let gone = shift::signs(&transaction, selection, mark)?;
    Ok(Snapshot { gone, ..reading.finish(mark, part, rows)? })
}

impl Reading<'_> {
    /// Visits every article of the facets once, newest first, until `visit` has had enough; whether it has had all.
    fn for_each_newest(&self, mut visit: impl FnMut(i64) -> Result<bool>) -> Result<bool> {
        let select = "SELECT published, id, article FROM filing
                      WHERE facet = ? AND published <= ? ORDER BY published DESC, id";
        let filing = |row: &SqlRow<'_>, _| {
            let (published, id): (i64, String) = (row.get(0)?, row.get(1)?);
            Ok((published, Reverse(id), row.get(2)?))
        };
        let (mut last, mut left) = (None, CANDIDATES);
        merge(self.reader, &self.facets, select, i64::MAX, filing, |(_, _, key)| {
            left -= 1;
            // Filed under two of the facets, it comes twice in a row.
            let is_new = last.replace(key) != Some(key);
            Ok((!is_new || visit(key)?) && left > 0)
        })
    }

    /// What the newest document holds beside the articles of its window: those further back that have changed of late.
    /// And which archive continues it: one that ends with the newest article it does not hold.
    fn older(&self, window: Window, mut held: HashSet<i64>) -> Result<(Vec<Row>, Part)> {
        let mut fill = Window { count: AGAIN, hours: None, ..window }.fill();
        let (mut again, mut is_filled) = (Vec::new(), false);
        let places = shelf::places(self.reader, &self.facets)?;
        let (mut nth, mut looks, mut missing) = (places + 1, 0, None);
        let has_seen_all = shelf::for_each_place(self.reader, &self.facets, i64::MAX, |place| {
            nth -= 1;
            let is_late = places - nth < i64::from(window.count.get());
            let may_come = is_late && place.again && !is_filled;
            let key = place.article.filter(|key| !held.contains(key));
            if let Some(key) = key.filter(|_| may_come || missing.is_none()) {
                looks += 1;
                match self.shown(&place, key)? {
                    Some(row) if may_come && fill.take(row.published, row.bytes) => {
                        held.insert(key);
                        again.push(row);
                    }
                    Some(_) => {
                        is_filled |= may_come;
                        missing = missing.or(Some(nth));
                    }
                    None => {}
                }
            }
            let is_enough = looks == LOOKS || places - nth == PLACES;
            Ok((is_late || missing.is_none()) && !is_enough)
        })?;
        // An archive that begins too early only repeats what the document has.
        missing = missing.or((!has_seen_all).then_some(nth));
        again.sort_by(newest_first);
        let missing = missing.and_then(|place| Span::ending(u64::try_from(place).ok()?));
        Ok((again, missing.map_or(Part::All, Part::Newest)))
    }
}

fn newest_first(a: &Row, b: &Row) -> std::cmp::Ordering {
    (b.published, &a.id).cmp(&(a.published, &b.id))
}

/// An archive: what its places hold, as new as the newest change to any of them.
pub(super) fn archive(
    reader: &Connection,
    settings: &[Facet],
    selection: &Selection,
    span: Span,
) -> Result<Option<Snapshot>> {
    let transaction = reader.unchecked_transaction()?;
    let reading = Reading::new(&transaction, selection);
    let Some(places) = shelf::span(&transaction, &reading.facets, span)? else { return Ok(None) };
    let mut mark = mark(&transaction, settings)?;
    let mut newest = Revision(0);
    let mut rows = Vec::with_capacity(places.len());
    for place in places {
        newest = newest.max(place.revision);
        let Some(key) = place.article else { continue };
        let Some(row) = reading.article(key)? else { continue };
        newest = newest.max(row.revision);
        if reading.shows(&place, &row)? {
            // Nothing comes into an archive: it has to wait for the last of its articles.
            if shift::is_late(&transaction, selection, key)? {
                return Ok(None);
            }
            rows.push(row);
        }
    }
    rows.sort_by(newest_first);
    if newest > mark.revision {
        mark.revision = newest;
        mark.changed = committed(&transaction, newest)?;
    }
    mark.floor = mark.revision;
    reading.finish(mark, Part::Archive(span), rows).map(Some)
}

/// An article that can be read, at its own revision.
pub(super) fn article(reader: &Connection, id: &ArticleId) -> Result<Option<Snapshot>> {
    let transaction = reader.unchecked_transaction()?;
    let everything = Selection::default();
    let reading = Reading::new(&transaction, &everything);
    let Some((_, row)) = find(&transaction, id)?.filter(|(_, row)| row.state == State::Live) else {
        return Ok(None);
    };
    let changed = committed(&transaction, row.revision)?;
    let mark = Mark { revision: row.revision, changed, floor: row.revision };
    reading.finish(mark, Part::All, vec![row]).map(Some)
}

/// When a write was committed.
pub(super) fn committed(reader: &Connection, revision: Revision) -> Result<DateTime<Utc>> {
    let mut select = reader.prepare_cached("SELECT at FROM change WHERE revision = ? LIMIT 1")?;
    Ok(select.query_row([number(revision)], |row| row.get(0).map(time))?)
}

impl From<Row> for Article {
    fn from(row: Row) -> Self {
        let Row { id, guid, published, updated, revision, bytes, story, .. } = row;
        Self { id, guid, published, updated, revision, bytes, story }
    }
}

/// Merges lists, one for each facet and each from the greatest item no greater than `most` down, and visits the items until
/// `visit` has had enough; whether it has had all.
///
/// `select` asks for the list of a facet, its first parameter, from `most` on, its second.
pub(super) fn merge<T: Ord>(
    reader: &Connection,
    facets: &[Facet],
    select: &str,
    most: i64,
    read: impl Fn(&SqlRow<'_>, usize) -> rusqlite::Result<T>,
    mut visit: impl FnMut(T) -> Result<bool>,
) -> Result<bool> {
    let mut statements =
        facets.iter().map(|_| reader.prepare_cached(select)).collect::<Result<Vec<_>, _>>()?;
    let mut lists = Vec::with_capacity(facets.len());
    let mut heads = BinaryHeap::with_capacity(facets.len());
    for (nth, (statement, facet)) in statements.iter_mut().zip(facets).enumerate() {
        let mut list = statement.query(params![facet.as_str(), most])?;
        heads.extend(next(&mut list, nth, &read)?);
        lists.push(list);
    }
    while let Some((item, nth)) = heads.pop() {
        heads.extend(next(&mut lists[nth], nth, &read)?);
        if !visit(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn next<T>(
    list: &mut Rows<'_>,
    nth: usize,
    read: impl Fn(&SqlRow<'_>, usize) -> rusqlite::Result<T>,
) -> Result<Option<(T, usize)>> {
    Ok(list.next()?.map(|row| read(row, nth)).transpose()?.map(|item| (item, nth)))
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
        latest.push(Latest {
            id: row.id.clone(),
            guid: row.guid.clone(),
            revision: position,
            at,
            was_published: row.is_frozen,
            was: shift::was(&transaction, key, shift_minutes)?,
            article: is_readable.then(|| Arc::new(Article::from(row))),
        });
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
    Ok(Some(Latest {
        id: row.id.clone(),
        guid: row.guid.clone(),
        revision: position,
        at,
        was_published: row.is_frozen,
        was: shift::was(&transaction, key, shift_minutes)?,
        article: is_readable.then(|| Arc::new(Article::from(row))),
    }))
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
