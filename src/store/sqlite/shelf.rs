//! The shelf: the places that articles take under each facet, one after the other, and that archives are runs of.
//!
//! Places only ever grow. An article that goes leaves its place empty, and one that is filed otherwise or
//! changes significantly leaves it for the next free one, so that an archive loses what goes and nothing ever comes into it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row as SqlRow, Transaction, params};

use crate::{
    article::{Revision, Span},
    category::Facet,
    store::{
        Result,
        decide::Row,
        sqlite::{
            read,
            row::{number, revision},
        },
    },
};

/// Articles that take places with this write.
#[derive(Default)]
pub(super) struct Arrivals(HashMap<i64, Arrival>);

struct Arrival {
    published: i64,
    id: String,
    facets: BTreeMap<Facet, Coming>,
}

/// Why an article takes a place under a facet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Coming {
    /// It was under it already, and is filed otherwise now: a feed that left it out may hold it from now on.
    Refiled,
    /// It was under it already, and readers should see it again.
    Again,
    /// It was not under it.
    New,
}

/// Gives an article another date wherever it is filed. Its places stay.
pub(super) fn redate(
    transaction: &Transaction<'_>,
    row: &Row,
    published: DateTime<Utc>,
) -> Result<()> {
    if published == row.published {
        return Ok(());
    }
    let mut update = transaction.prepare_cached(
        "UPDATE filing SET published = ?1 WHERE facet = ?2 AND published = ?3 AND id = ?4",
    )?;
    for facet in row.facets() {
        let (then, now) = (row.published.timestamp(), published.timestamp());
        update.execute(params![now, facet.as_str(), then, row.id.as_str()])?;
    }
    Ok(())
}

impl Arrivals {
    /// An article comes under a facet.
    pub(super) fn come(&mut self, key: i64, row: &Row, facet: Facet) {
        self.arrival(key, row).facets.insert(facet, Coming::New);
    }

    /// An article under a facet is filed otherwise, or has changed so much that readers should see it again.
    pub(super) fn come_again(&mut self, key: i64, row: &Row, facet: Facet, is_seen_again: bool) {
        let coming = if is_seen_again { Coming::Again } else { Coming::Refiled };
        let known = self.arrival(key, row).facets.entry(facet).or_insert(coming);
        *known = coming.max(*known);
    }

    fn arrival(&mut self, key: i64, row: &Row) -> &mut Arrival {
        self.0.entry(key).or_insert_with(|| Arrival {
            published: row.published.timestamp(),
            id: row.id.as_str().to_owned(),
            facets: BTreeMap::new(),
        })
    }

    /// An article goes from a facet.
    pub(super) fn leave(
        &mut self,
        transaction: &Transaction<'_>,
        (key, row): (i64, &Row),
        facet: &Facet,
        now: Revision,
    ) -> Result<()> {
        let came = self.0.get_mut(&key).and_then(|arrival| arrival.facets.remove(facet));
        if came == Some(Coming::New) {
            return Ok(());
        }
        let mut delete = transaction.prepare_cached(
            "DELETE FROM filing WHERE facet = ? AND published = ? AND id = ? RETURNING shelved",
        )?;
        let filed = params![facet.as_str(), row.published.timestamp(), row.id.as_str()];
        let shelved = delete.query_row(filed, |row| row.get(0))?;
        vacate(transaction, facet, shelved, now)
    }

    /// Gives out the places: oldest first, so that the batches of an import in any order are in order each.
    ///
    /// `shelved` counts on; returned are the places that the facets have now.
    pub(super) fn settle(
        self,
        transaction: &Transaction<'_>,
        shelved: &mut i64,
        now: Revision,
    ) -> Result<HashMap<Facet, i64>> {
        let mut arrivals: Vec<_> = self.0.into_iter().collect();
        arrivals.sort_by(|(_, a), (_, b)| (a.published, &b.id).cmp(&(b.published, &a.id)));
        let mut counts = HashMap::new();
        for (key, Arrival { published, id, facets }) in arrivals {
            *shelved += 1;
            for (facet, coming) in facets {
                let count = match counts.get(&facet) {
                    Some(count) => *count,
                    None => places(transaction, std::slice::from_ref(&facet))?,
                };
                let place = count + 1;
                if coming != Coming::New {
                    let mut select = transaction.prepare_cached(
                        "SELECT shelved FROM filing WHERE facet = ? AND published = ? AND id = ?",
                    )?;
                    let filed = params![facet.as_str(), published, id];
                    vacate(transaction, &facet, select.query_row(filed, |row| row.get(0))?, now)?;
                }
                let mut file = transaction.prepare_cached(
                    "INSERT OR REPLACE INTO filing (facet, published, id, article, shelved) VALUES (?, ?, ?, ?, ?)",
                )?;
                file.execute(params![facet.as_str(), published, id, key, *shelved])?;
                let mut shelve = transaction.prepare_cached(
                    "INSERT INTO shelf (facet, shelved, place, article, again, revision) VALUES (?, ?, ?, ?, ?, ?)",
                )?;
                let (facet_name, again) = (facet.as_str(), coming == Coming::Again);
                shelve.execute(params![facet_name, *shelved, place, key, again, number(now)])?;
                counts.insert(facet, place);
            }
        }
        Ok(counts)
    }
}

/// Empties a place.
fn vacate(transaction: &Transaction<'_>, facet: &Facet, shelved: i64, now: Revision) -> Result<()> {
    let mut update = transaction.prepare_cached(
        "UPDATE shelf SET article = NULL, revision = ? WHERE facet = ? AND shelved = ?",
    )?;
    update.execute(params![number(now), facet.as_str(), shelved])?;
    Ok(())
}

/// How many places these facets have together. Each keeps its own: an article under two of them has two.
pub(super) fn places(reader: &Connection, facets: &[Facet]) -> Result<i64> {
    let mut select = reader.prepare_cached("SELECT places FROM mark WHERE facet = ?")?;
    let mut sum = 0;
    for facet in facets {
        sum += select.query([facet.as_str()])?.next()?.map_or(Ok(0), |row| row.get(0))?;
    }
    Ok(sum)
}

/// A place among those of several facets, which come in the order they were taken.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// When it was taken; articles in several facets take theirs together.
    pub shelved: i64,
    /// Which of the facets; the first of them has the later place.
    pub facet: Reverse<usize>,
    /// `None` when it has gone.
    pub article: Option<i64>,
    /// Whether the article had a place before, and is to be seen again.
    pub again: bool,
    /// The write that took it, or emptied it.
    pub revision: Revision,
}

/// Visits the places of these facets, the newest first, until `visit` has had enough.
pub(super) fn for_each_place(
    reader: &Connection,
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
    read::merge(reader, facets, select, newest, place, visit)
}

/// The places of a span among those of several facets; `None` where not all of them are taken yet.
pub(super) fn span(
    reader: &Connection,
    facets: &[Facet],
    span: Span,
) -> Result<Option<Vec<Place>>> {
    let (first, last) = span.places().into_inner();
    let (first, last) = (number(Revision(first)), number(Revision(last)));
    if last > places(reader, facets)? {
        return Ok(None);
    }
    // Where the last place was taken: the least that leaves no fewer behind it.
    let (mut low, mut high) =
        (1, reader.query_row("SELECT shelved FROM store", [], |row| row.get::<_, i64>(0))?);
    while low < high {
        let middle = i64::midpoint(low, high);
        if taken(reader, facets, middle)? < last { low = middle + 1 } else { high = middle }
    }
    let mut rank = taken(reader, facets, low)?;
    let mut found = Vec::new();
    for_each_place(reader, facets, low, |place| {
        if rank <= last {
            found.push(place);
        }
        rank -= 1;
        Ok(rank >= first)
    })?;
    Ok(Some(found))
}

/// How many places of these facets were taken up to a moment.
fn taken(reader: &Connection, facets: &[Facet], shelved: i64) -> Result<i64> {
    let mut select = reader.prepare_cached(
        "SELECT place FROM shelf WHERE facet = ? AND shelved <= ? ORDER BY shelved DESC LIMIT 1",
    )?;
    let mut sum = 0;
    for facet in facets {
        let mut rows = select.query(params![facet.as_str(), shelved])?;
        sum += rows.next()?.map_or(Ok(0), |row| row.get::<_, i64>(0))?;
    }
    Ok(sum)
}

/// More changes than this are not told apart.
const MAX_DISTURBED: usize = 10_000;

/// The places among those of these facets that writes after `since` have taken, emptied, or changed the article of.
pub(super) fn disturbed(
    reader: &Connection,
    facets: &[Facet],
    since: Revision,
) -> Result<Option<BTreeSet<u64>>> {
    let transaction = reader.unchecked_transaction()?;
    let mut found = BTreeSet::new();
    for select in [
        "SELECT shelved FROM shelf WHERE facet = ?1 AND article IS NULL AND revision > ?2 LIMIT ?3",
        "SELECT filing.shelved FROM article
           CROSS JOIN filing ON facet = ?1 AND filing.published = article.published AND filing.id = article.id
         WHERE revision > ?2 LIMIT ?3",
    ] {
        let mut select = transaction.prepare_cached(select)?;
        for facet in facets {
            let (since, limit) = (number(since), i64::try_from(MAX_DISTURBED).unwrap_or(i64::MAX));
            let mut rows = select.query(params![facet.as_str(), since, limit])?;
            while let Some(row) = rows.next()? {
                found.insert(row.get::<_, i64>(0)?);
            }
        }
        if found.len() >= MAX_DISTURBED {
            return Ok(None);
        }
    }
    let mut places = BTreeSet::new();
    for shelved in found {
        let last = u64::try_from(taken(&transaction, facets, shelved)?).unwrap_or_default();
        // An article under several of them has as many places, one after the other.
        let together = facets.len() as u64;
        places.extend(last.saturating_sub(together - 1).max(1)..=last);
    }
    Ok(Some(places))
}

/// Whether an article under several of these facets is shown at this place: of all it has, at the first one taken.
pub(super) fn shows(
    reader: &Connection,
    facets: &[Facet],
    place: &Place,
    row: &Row,
) -> Result<bool> {
    let mut select = reader.prepare_cached(
        "SELECT shelved FROM filing WHERE facet = ? AND published = ? AND id = ?",
    )?;
    for (other, facet) in facets.iter().enumerate() {
        let filed = params![facet.as_str(), row.published.timestamp(), row.id.as_str()];
        let mut rows = select.query(filed)?;
        let Some(shelved) = rows.next()?.map(|row| row.get(0)).transpose()? else { continue };
        if (shelved, Reverse(other)) < (place.shelved, place.facet) {
            return Ok(false);
        }
    }
    Ok(true)
}
