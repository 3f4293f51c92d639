//! Questions to the file. Each runs in one transaction, so that its parts belong together.

use std::{collections::BinaryHeap, num::NonZeroU16, sync::Arc};

use rusqlite::{Connection, Rows, params};

use crate::{
    article::{Article, ArticleId, Change, ChangeKind, Mark, Revision, Snapshot, Window},
    category::{Category, Facet, Selection},
    store::{
        Census, Moved, Result,
        decide::{Row, State},
        sqlite::row::{COLUMNS, decode, number, revision, state, time},
    },
    text::Text,
};

/// How many articles are looked at for one feed; a selection that few of its articles fit ends here.
const CANDIDATES: usize = 20_000;

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

pub(super) fn snapshot(
    reader: &Connection,
    facets: &[Facet],
    selection: &Selection,
    window: Window,
) -> Result<Snapshot> {
    let transaction = reader.unchecked_transaction()?;
    let head = head(&transaction)?;
    let mark = mark(&transaction, facets)?;
    let authority = transaction.query_row("SELECT authority FROM store", [], |row| row.get(0))?;
    let mut article =
        transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM article WHERE key = ?"))?;
    let mut fill = window.fill();
    let mut articles = Vec::new();
    for_each_newest(&transaction, &selection.facets(), |key| {
        let Some(row) = article.query([key])?.next()?.map(decode).transpose()?.map(|(_, row)| row)
        else {
            return Ok(true);
        };
        if !row.story.is_selected(selection) {
            return Ok(true);
        }
        let takes = fill.take(row.published, row.bytes);
        if takes {
            articles.push(Arc::new(Article::from(row)));
        }
        Ok(takes)
    })?;
    Ok(Snapshot { head, mark, authority, articles })
}

impl From<Row> for Article {
    fn from(row: Row) -> Self {
        let Row { id, guid, published, updated, revision, bytes, story, .. } = row;
        Self { id, guid, published, updated, revision, bytes, story }
    }
}

/// The next article of one facet; the greatest is the newest, then the smallest id.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    published: i64,
    id: std::cmp::Reverse<String>,
    key: i64,
    facet: usize,
}

/// Merges the facets, each read newest first, and visits every article once until `visit` has had enough.
fn for_each_newest(
    reader: &Connection,
    facets: &[Facet],
    mut visit: impl FnMut(i64) -> Result<bool>,
) -> Result<()> {
    let select =
        "SELECT published, id, article FROM filing WHERE facet = ? ORDER BY published DESC, id";
    let mut statements =
        facets.iter().map(|_| reader.prepare_cached(select)).collect::<Result<Vec<_>, _>>()?;
    let mut lists = Vec::with_capacity(facets.len());
    let mut heads = BinaryHeap::with_capacity(facets.len());
    for (facet, (statement, name)) in statements.iter_mut().zip(facets).enumerate() {
        let mut list = statement.query([name.as_str()])?;
        heads.extend(next(&mut list, facet)?);
        lists.push(list);
    }
    let mut last = None;
    for _ in 0..CANDIDATES {
        let Some(newest) = heads.pop() else { break };
        heads.extend(next(&mut lists[newest.facet], newest.facet)?);
        // Filed under two of the facets, it comes twice in a row.
        if last.replace(newest.key) != Some(newest.key) && !visit(newest.key)? {
            break;
        }
    }
    Ok(())
}

fn next(list: &mut Rows<'_>, facet: usize) -> Result<Option<Next>> {
    let Some(row) = list.next()? else { return Ok(None) };
    Ok(Some(Next {
        published: row.get(0)?,
        id: std::cmp::Reverse(row.get(1)?),
        key: row.get(2)?,
        facet,
    }))
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
