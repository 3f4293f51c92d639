//! The shelf: the places that articles take under each facet, one after the other, and that archives are runs of.
//!
//! Places only ever grow. An article that goes leaves its place empty, and one that is filed otherwise or
//! changes significantly leaves it for the next free one, so that an archive loses what goes and nothing ever comes into it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use crate::{
    article::{Revision, Span},
    category::Facet,
    store::{
        Result,
        decide::Row,
        tables::{Place, Reader, Writer},
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
        tables: &mut impl Writer,
        (key, row): (i64, &Row),
        facet: &Facet,
        now: Revision,
    ) -> Result<()> {
        let came = self.0.get_mut(&key).and_then(|arrival| arrival.facets.remove(facet));
        if came == Some(Coming::New) {
            return Ok(());
        }
        let shelved = tables.unfile(facet, row.published.timestamp(), row.id.as_str())?;
        tables.vacate(facet, shelved, now)
    }

    /// Gives out the places: oldest first, so that the batches of an import in any order are in order each.
    ///
    /// `shelved` counts on; returned are the places that the facets have now.
    pub(super) fn settle(
        self,
        tables: &mut impl Writer,
        shelved: &mut i64,
        revision: Revision,
    ) -> Result<HashMap<Facet, i64>> {
        let mut arrivals: Vec<_> = self.0.into_iter().collect();
        arrivals.sort_by(|(_, a), (_, b)| (a.published, &b.id).cmp(&(b.published, &a.id)));
        let mut counts = HashMap::new();
        for (key, Arrival { published, id, facets }) in arrivals {
            *shelved += 1;
            for (facet, coming) in facets {
                let count = match counts.get(&facet) {
                    Some(count) => *count,
                    None => tables.places(&facet)?.unwrap_or_default(),
                };
                let place = count + 1;
                if coming != Coming::New {
                    let before = tables.shelved(&facet, published, &id)?;
                    tables.vacate(&facet, before, revision)?;
                }
                tables.file(&facet, (published, &id, key), *shelved)?;
                let taken = Place {
                    shelved: *shelved,
                    facet: Reverse(0),
                    article: Some(key),
                    again: coming == Coming::Again,
                    revision,
                };
                tables.shelve(&facet, place, &taken)?;
                counts.insert(facet, place);
            }
        }
        Ok(counts)
    }
}

/// The places of a span among those of several facets; `None` where not all of them are taken yet.
pub(super) fn span(
    reader: &impl Reader,
    facets: &[Facet],
    span: Span,
) -> Result<Option<Vec<Place>>> {
    let (first, last) = span.places().into_inner();
    let number = |place| i64::try_from(place).unwrap_or(i64::MAX);
    let (first, last) = (number(first), number(last));
    if last > reader.places(facets)? {
        return Ok(None);
    }
    // Where the last place was taken: the least that leaves no fewer behind it.
    let (mut low, mut high) = (1, reader.counter()?.shelved);
    while low < high {
        let middle = i64::midpoint(low, high);
        if taken(reader, facets, middle)? < last { low = middle + 1 } else { high = middle }
    }
    let mut rank = taken(reader, facets, low)?;
    let mut found = Vec::new();
    reader.for_each_place(facets, low, |place| {
        if rank <= last {
            found.push(place);
        }
        rank -= 1;
        Ok(rank >= first)
    })?;
    Ok(Some(found))
}

fn taken(reader: &impl Reader, facets: &[Facet], shelved: i64) -> Result<i64> {
    Ok(reader.taken(facets, &[shelved])?.into_iter().sum())
}

/// More changes than this are not told apart.
const MAX_DISTURBED: usize = 10_000;

/// The places among those of these facets that writes after `since` have taken, emptied, or changed the article of.
pub(super) fn disturbed(
    reader: &impl Reader,
    facets: &[Facet],
    since: Revision,
) -> Result<Option<BTreeSet<u64>>> {
    let Some(found) = reader.disturbed(facets, since, MAX_DISTURBED)? else { return Ok(None) };
    let found: Vec<i64> = found.into_iter().collect();
    let mut places = BTreeSet::new();
    for last in reader.taken(facets, &found)? {
        let last = u64::try_from(last).unwrap_or_default();
        // An article under several of them has as many places, one after the other.
        let together = facets.len() as u64;
        places.extend(last.saturating_sub(together - 1).max(1)..=last);
    }
    Ok(Some(places))
}

/// Whether an article under several of these facets is shown at this place: of all it has, at the first one taken.
pub(super) fn shows(
    reader: &impl Reader,
    facets: &[Facet],
    place: &Place,
    row: &Row,
) -> Result<bool> {
    for (other, facet) in facets.iter().enumerate() {
        let Some(shelved) = reader.shelved(facet, row)? else { continue };
        if (shelved, Reverse(other)) < (place.shelved, place.facet) {
            return Ok(false);
        }
    }
    Ok(true)
}
