//! What feeds are made of, read from whatever tables there are.
//!
//! The rules of every store; each is asked within one transaction, so that its parts belong together.

use std::{
    collections::{BinaryHeap, HashSet},
    num::NonZeroU16,
    sync::Arc,
};

use chrono::{DateTime, Utc};

use crate::{
    article::{
        Article, ArticleId, Claim, Latest, Mark, Part, Revision, Snapshot, Span, Story, Window,
    },
    category::{Facet, Selection},
    store::{
        Result,
        decide::{Row, State},
        shelf, shift,
        tables::{Counter, Place, Reader},
    },
};

/// How many articles are looked at for one feed; a selection that few of its articles fit ends here.
const CANDIDATES: usize = 20_000;

/// How many places, and how many articles there, are looked at to find the newest one that a document does not hold.
const PLACES: i64 = 20_000;
const LOOKS: u16 = 200;

/// The newest document repeats so many changed articles that its window does not hold.
const AGAIN: NonZeroU16 = NonZeroU16::new(10).expect("10 is not zero");

/// What a feed is read for.
struct Reading<'a, R> {
    reader: &'a R,
    selection: &'a Selection,
    facets: Vec<Facet>,
}

impl<'a, R: Reader> Reading<'a, R> {
    fn new(reader: &'a R, selection: &'a Selection) -> Self {
        Self { reader, selection, facets: selection.facets() }
    }

    /// The row of an article that the selection holds.
    fn selected(&self, key: i64) -> Result<Option<Row>> {
        let row = self.reader.article(key)?.filter(|row| row.story.is_selected(self.selection));
        if row.is_some() && shift::is_late(self.reader, self.selection, key)? {
            return Ok(None);
        }
        Ok(row)
    }

    /// The row of an article that is shown at a place.
    fn shown(&self, place: &Place, key: i64) -> Result<Option<Row>> {
        let Some(row) = self.reader.article(key)? else { return Ok(None) };
        let is_shown =
            self.shows(place, &row)? && !shift::is_late(self.reader, self.selection, key)?;
        Ok(is_shown.then_some(row))
    }

    fn shows(&self, place: &Place, row: &Row) -> Result<bool> {
        Ok(row.story.is_selected(self.selection)
            && (self.facets.len() == 1 || shelf::shows(self.reader, &self.facets, place, row)?))
    }

    fn finish(self, mark: Mark, part: Part, rows: Vec<Row>) -> Result<Snapshot> {
        let Counter { head, authority, .. } = self.reader.counter()?;
        let articles = rows.into_iter().map(|row| Arc::new(Article::from(row))).collect();
        Ok(Snapshot { head, mark, authority, part, articles, gone: Vec::new() })
    }
}

pub(super) fn snapshot(
    reader: &impl Reader,
    facets: &[Facet],
    selection: &Selection,
    window: Window,
) -> Result<Snapshot> {
    let mark = reader.mark(facets)?;
    let reading = Reading::new(reader, selection);
    let mut fill = window.fill();
    let mut rows = Vec::new();
    let mut held = HashSet::new();
    for row in shift::early(reader, selection)? {
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
    let gone = shift::signs(reader, selection, mark)?;
    Ok(Snapshot { gone, ..reading.finish(mark, part, rows)? })
}

impl<R: Reader> Reading<'_, R> {
    /// Visits every article of the facets once, newest first, until `visit` has had enough; whether it has had all.
    fn for_each_newest(&self, mut visit: impl FnMut(i64) -> Result<bool>) -> Result<bool> {
        let (mut last, mut left) = (None, CANDIDATES);
        self.reader.for_each_filed(&self.facets, |(_, _, key)| {
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
        let places = self.reader.places(&self.facets)?;
        let (mut nth, mut looks, mut missing) = (places + 1, 0, None);
        let has_seen_all = self.reader.for_each_place(&self.facets, i64::MAX, |place| {
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
    reader: &impl Reader,
    settings: &[Facet],
    selection: &Selection,
    span: Span,
) -> Result<Option<Snapshot>> {
    let reading = Reading::new(reader, selection);
    let Some(places) = shelf::span(reader, &reading.facets, span)? else { return Ok(None) };
    let mut mark = reader.mark(settings)?;
    let mut newest = Revision(0);
    let mut rows = Vec::with_capacity(places.len());
    reader.expect(&places.iter().filter_map(|place| place.article).collect::<Vec<_>>())?;
    for place in places {
        newest = newest.max(place.revision);
        let Some(key) = place.article else { continue };
        let Some(row) = reader.article(key)? else { continue };
        newest = newest.max(row.revision);
        if reading.shows(&place, &row)? {
            // Nothing comes into an archive: it has to wait for the last of its articles.
            if shift::is_late(reader, selection, key)? {
                return Ok(None);
            }
            rows.push(row);
        }
    }
    rows.sort_by(newest_first);
    if newest > mark.revision {
        mark.revision = newest;
        mark.changed = reader.committed(newest)?;
    }
    mark.floor = mark.revision;
    reading.finish(mark, Part::Archive(span), rows).map(Some)
}

/// An article that can be read, at its own revision.
pub(super) fn article(reader: &impl Reader, id: &ArticleId) -> Result<Option<Snapshot>> {
    let everything = Selection::default();
    let reading = Reading::new(reader, &everything);
    let Some((_, row)) = reader.find(id)?.filter(|(_, row)| row.state == State::Live) else {
        return Ok(None);
    };
    let changed = reader.committed(row.revision)?;
    let mark = Mark { revision: row.revision, changed, floor: row.revision };
    reading.finish(mark, Part::All, vec![row]).map(Some)
}

impl From<Row> for Article {
    fn from(row: Row) -> Self {
        let is_atom_id = row.claim == Claim::Atom;
        let Row { id, guid, published, updated, revision, bytes, story, .. } = row;
        Self { id, guid, is_atom_id, published, updated, revision, bytes, story }
    }
}

/// Merges lists, each from its greatest item down, and visits the items until `visit` has had enough; whether it has had
/// all.
pub(super) fn merge<T: Ord>(
    mut lists: Vec<impl FnMut() -> Result<Option<T>>>,
    mut visit: impl FnMut(T) -> Result<bool>,
) -> Result<bool> {
    let mut heads = BinaryHeap::with_capacity(lists.len());
    for (nth, next) in lists.iter_mut().enumerate() {
        heads.extend(next()?.map(|item| (item, nth)));
    }
    while let Some((item, nth)) = heads.pop() {
        heads.extend(lists[nth]()?.map(|item| (item, nth)));
        if !visit(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An article at its last change, a write and its time, for those to whom it can be read or not.
pub(super) fn latest(
    row: Row,
    (revision, at): (Revision, DateTime<Utc>),
    is_readable: bool,
    was: Vec<Story>,
) -> Latest {
    Latest {
        id: row.id.clone(),
        guid: row.guid.clone(),
        revision,
        at,
        was_published: row.is_frozen,
        was,
        article: is_readable.then(|| Arc::new(Article::from(row))),
    }
}
