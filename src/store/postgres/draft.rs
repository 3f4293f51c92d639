//! A write in memory: what it found, what it changes, and both at once for whoever asks while it goes on.
//!
//! The server is asked a few times for a whole batch, not for each article: what the rules may want to know is fetched
//! before they run, and what they have changed is sent when they are done.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use tokio_postgres::Row as SqlRow;

use crate::{
    article::{ArticleId, Change, Revision},
    category::Facet,
    store::{
        Result, StoreError,
        decide::Row,
        postgres::{
            changes::{Articles, Changes, Gone, Mark, Shelved},
            read,
            row::{FIND, article, decode, revision},
            session::{Ask, Session},
        },
        stored::{number, time},
        tables::{Counter, Move, Note, Place, Writer},
    },
    text::Text,
};

/// An article under a facet.
pub(super) type Filed = (Facet, i64, String);

/// What was found, with what has changed since.
#[derive(Default)]
pub(super) struct Draft {
    /// The greatest key given to an article.
    last_key: i64,
    articles: Articles,
    owners: HashMap<String, ArticleId>,
    /// Dates of articles given the same day or minute: the last one of others, and those of articles here.
    slots: HashMap<i64, BTreeSet<(i64, i64)>>,
    places: HashMap<Facet, i64>,
    filed: HashMap<Filed, i64>,
    waiting: HashMap<(i16, i64), i64>,
    came: HashSet<(i16, i64)>,
    gone: HashMap<i64, Vec<Gone>>,
    changes: Changes,
}

/// What a write has to know before it begins.
#[derive(Default)]
pub(super) struct Wanted {
    pub ids: Vec<String>,
    pub guids: Vec<String>,
    pub slots: Vec<i64>,
    pub facets: BTreeSet<Facet>,
}

impl Wanted {
    /// Articles, whose guids they are, and the last one of each day or minute but for these.
    pub(super) fn asks(&self) -> [Ask<'_>; 3] {
        let Self { ids, guids, slots, .. } = self;
        let owners = "SELECT guid, id FROM article WHERE guid = ANY($1)";
        let last =
            "SELECT slot, placed, key FROM unnest($1::bigint[]) AS wanted(slot) CROSS JOIN LATERAL
             (SELECT placed, key FROM article WHERE article.slot = wanted.slot AND id <> ALL($2)
              ORDER BY placed DESC LIMIT 1) AS last";
        [(FIND, vec![ids]), (owners, vec![guids]), (last, vec![slots, ids])]
    }
}

impl Draft {
    /// With the greatest key given to an article.
    pub(super) fn new(last_key: i64) -> Self {
        Self { last_key, ..Self::default() }
    }

    /// Takes what was found of articles, by [`Wanted::asks`], and fetches what goes with them.
    pub(super) fn take(
        &mut self,
        session: &Session,
        found: &[Vec<SqlRow>],
        facets: BTreeSet<Facet>,
        shifts: &[i16],
    ) -> Result<()> {
        let [articles, owners, slots] = found else { return Err(read::empty()) };
        for row in owners {
            self.owners.insert(row.try_get(0)?, article(row.try_get(1)?)?);
        }
        for row in slots {
            let placed = (row.try_get(1)?, row.try_get(2)?);
            self.slots.entry(row.try_get(0)?).or_default().insert(placed);
        }
        let rows = articles.iter().map(decode).collect::<Result<Vec<_>>>()?;
        if rows.is_empty() && facets.is_empty() {
            return Ok(());
        }
        self.fetch_around(session, rows, facets, shifts)
    }

    /// Fetches what goes with articles that were found: their places, marks and whom they have come to.
    pub(super) fn fetch_around(
        &mut self,
        session: &Session,
        rows: Vec<(i64, Row)>,
        facets: BTreeSet<Facet>,
        shifts: &[i16],
    ) -> Result<()> {
        let mut facets = facets;
        let keys: Vec<i64> = rows.iter().map(|(key, _)| *key).collect();
        let (mut names, mut published, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for (_, row) in &rows {
            for facet in row.facets() {
                names.push(facet.as_str().to_owned());
                published.push(row.published.timestamp());
                ids.push(row.id.as_str());
            }
            facets.extend(row.story.facets());
        }
        let facets: Vec<&str> = facets.iter().map(Facet::as_str).collect();
        let minutes: Vec<i64> = shifts.iter().copied().map(i64::from).collect();
        let marks = "SELECT facet, places FROM mark WHERE facet = ANY($1)";
        let filed = "SELECT facet, published, id, shelved FROM filing
             JOIN unnest($1::text[], $2::bigint[], $3::text[]) AS wanted(f, p, i) ON facet = f AND published = p AND id = i";
        let coming =
            "SELECT minutes, article, at FROM coming WHERE minutes = ANY($1) AND article = ANY($2)";
        let came =
            "SELECT minutes, article FROM came WHERE minutes = ANY($1) AND article = ANY($2)";
        let gone = "SELECT article, early, late, story, revision FROM gone WHERE article = ANY($1)";
        let found = session.all(&[
            (marks, vec![&facets]),
            (filed, vec![&names, &published, &ids]),
            (coming, vec![&minutes, &keys]),
            (came, vec![&minutes, &keys]),
            (gone, vec![&keys]),
        ])?;
        for row in &found[0] {
            self.places.insert(Facet::stored(row.try_get(0)?), row.try_get(1)?);
        }
        for row in &found[1] {
            let filed = (Facet::stored(row.try_get(0)?), row.try_get(1)?, row.try_get(2)?);
            self.filed.insert(filed, row.try_get(3)?);
        }
        for row in &found[2] {
            let key = (minute(row.try_get(0)?), row.try_get(1)?);
            self.waiting.insert(key, row.try_get(2)?);
        }
        for row in &found[3] {
            self.came.insert((minute(row.try_get(0)?), row.try_get(1)?));
        }
        for row in &found[4] {
            let gone = Gone {
                early: minute(row.try_get(1)?),
                late: minute(row.try_get(2)?),
                story: row.try_get(3)?,
                revision: revision(row, "revision")?,
            };
            self.gone.entry(row.try_get(0)?).or_default().push(gone);
        }
        for (key, row) in rows {
            self.keep(key, &row);
        }
        Ok(())
    }

    /// The articles that are known to own a guid, and of which nothing else is known.
    pub(super) fn owners_unknown(&self) -> Vec<ArticleId> {
        let is_unknown = |id: &&ArticleId| !self.articles.contains_key(id.as_str());
        let owners: BTreeSet<_> = self.owners.values().filter(is_unknown).collect();
        owners.into_iter().cloned().collect()
    }

    /// Sends what has changed, and begins anew.
    pub(super) fn send(&mut self, session: &Session) -> Result<()> {
        std::mem::take(&mut self.changes).send(session, &self.articles)
    }

    /// Sends what has changed, and commits.
    pub(super) fn commit(&mut self, session: &Session) -> Result<()> {
        std::mem::take(&mut self.changes).commit(session, &self.articles)
    }

    fn keep(&mut self, key: i64, row: &Row) {
        if let Some(slot) = row.slot {
            self.slots.entry(slot).or_default().insert((row.placed.timestamp(), key));
        }
        self.owners.insert(row.guid.as_str().to_owned(), row.id.clone());
        self.articles.insert(row.id.as_str().to_owned(), (key, row.clone()));
    }
}

/// A stored number of minutes.
fn minute(number: i64) -> i16 {
    i16::try_from(number).unwrap_or_default()
}

/// What the rules ask for was not fetched, or was damaged by somebody else.
fn missing(what: &str) -> StoreError {
    StoreError::Failed(format!("`{what}` is not filed where it should be").into())
}

impl Writer for Draft {
    fn find(&mut self, id: &ArticleId) -> Result<Option<(i64, Row)>> {
        Ok(self.articles.get(id.as_str()).cloned())
    }

    fn owner(&mut self, guid: &Text) -> Result<Option<ArticleId>> {
        Ok(self.owners.get(guid.as_str()).cloned())
    }

    fn last_placed(&mut self, slot: i64) -> Result<Option<DateTime<Utc>>> {
        let last = self.slots.get(&slot).and_then(BTreeSet::last);
        Ok(last.map(|(placed, _)| time(*placed)))
    }

    fn save(&mut self, row: &Row) -> Result<i64> {
        let key = if let Some((key, before)) = self.articles.get(row.id.as_str()) {
            if let Some(slot) = before.slot {
                let placed = (before.placed.timestamp(), *key);
                self.slots.entry(slot).or_default().remove(&placed);
            }
            if before.guid != row.guid {
                self.owners.remove(before.guid.as_str());
                self.changes.renamed.insert(*key);
            }
            *key
        } else {
            self.last_key += 1;
            self.last_key
        };
        self.keep(key, row);
        self.changes.saved.insert(row.id.as_str().to_owned());
        Ok(key)
    }

    fn log(&mut self, change: &Change) -> Result<()> {
        self.changes.log.push(change.clone());
        Ok(())
    }

    fn shelved(&mut self, facet: &Facet, published: i64, id: &str) -> Result<i64> {
        let filed = (facet.clone(), published, id.to_owned());
        self.filed.get(&filed).copied().ok_or_else(|| missing(id))
    }

    fn unfile(&mut self, facet: &Facet, published: i64, id: &str) -> Result<i64> {
        let filed = (facet.clone(), published, id.to_owned());
        let shelved = self.filed.remove(&filed).ok_or_else(|| missing(id))?;
        self.changes.filed.insert(filed, None);
        Ok(shelved)
    }

    fn file(
        &mut self,
        facet: &Facet,
        (published, id, key): (i64, &str, i64),
        shelved: i64,
    ) -> Result<()> {
        let filed = (facet.clone(), published, id.to_owned());
        self.filed.insert(filed.clone(), shelved);
        self.changes.filed.insert(filed, Some((key, shelved)));
        Ok(())
    }

    fn shelve(&mut self, facet: &Facet, place: i64, taken: &Place) -> Result<()> {
        let (facet, taken) = (facet.clone(), taken.clone());
        self.changes.shelved.push(Shelved { facet, nth: place, taken });
        Ok(())
    }

    fn vacate(&mut self, facet: &Facet, shelved: i64, now: Revision) -> Result<()> {
        self.changes.vacated.push((facet.clone(), shelved, now));
        Ok(())
    }

    fn places(&mut self, facet: &Facet) -> Result<Option<i64>> {
        Ok(self.places.get(facet).copied())
    }

    fn move_mark(&mut self, facet: &Facet, to: &Move<'_>) -> Result<()> {
        let Move { revision, changed, raises_floor, places, label } = to;
        let before = self.places.entry(facet.clone()).or_default();
        *before = places.unwrap_or(*before);
        self.changes.marks.push(Mark {
            facet: facet.clone(),
            revision: number(*revision),
            changed: changed.timestamp(),
            floor: raises_floor.then(|| number(*revision)),
            places: *places,
            label: label.map(|label| label.as_str().to_owned()),
        });
        Ok(())
    }

    fn waits_until(&mut self, minutes: i16, key: i64) -> Result<Option<DateTime<Utc>>> {
        Ok(self.waiting.get(&(minutes, key)).copied().map(time))
    }

    fn has_come(&mut self, minutes: i16, key: i64) -> Result<bool> {
        Ok(self.came.contains(&(minutes, key)))
    }

    fn forget(&mut self, minutes: i16, key: i64) -> Result<()> {
        let at = (minutes, key);
        if self.waiting.remove(&at).is_some() {
            self.changes.coming.insert(at, None);
        }
        if self.came.remove(&at) {
            self.changes.came.insert(at, None);
        }
        Ok(())
    }

    fn wait(&mut self, minutes: i16, key: i64, until: DateTime<Utc>) -> Result<()> {
        self.waiting.insert((minutes, key), until.timestamp());
        self.changes.coming.insert((minutes, key), Some(until.timestamp()));
        Ok(())
    }

    fn come(
        &mut self,
        minutes: i16,
        key: i64,
        id: &ArticleId,
        (revision, at): (Revision, DateTime<Utc>),
    ) -> Result<()> {
        self.came.insert((minutes, key));
        let came = (number(revision), id.clone(), at.timestamp());
        self.changes.came.insert((minutes, key), Some(came));
        Ok(())
    }

    fn has_noted(&mut self, key: i64, revision: Revision) -> Result<bool> {
        let gone = self.gone.get(&key).map(Vec::as_slice).unwrap_or_default();
        Ok(gone.iter().any(|gone| gone.revision == revision))
    }

    fn note(&mut self, note: &Note<'_>, facets: &[&Facet]) -> Result<()> {
        let Note { key, early, late, story, revision, .. } = *note;
        let known = self.gone.entry(key).or_default();
        let is_same = |gone: &Gone| gone.early == early && gone.late == late && gone.story == story;
        if let Some(before) = known.iter_mut().find(|gone| is_same(gone)) {
            for facet in facets {
                let id = note.id.as_str().to_owned();
                self.changes.signs_forgotten.push(((*facet).clone(), before.revision, id));
            }
            self.changes.gone_forgotten.push((key, before.revision));
            before.revision = revision;
        } else {
            known.push(Gone { early, late, story: story.to_owned(), revision });
        }
        self.changes.note(note, facets);
        Ok(())
    }

    fn count(&mut self, counter: &Counter) -> Result<()> {
        self.changes.counter = Some(counter.clone());
        Ok(())
    }
}
