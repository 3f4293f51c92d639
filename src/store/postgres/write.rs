//! Writes: each one transaction that takes the row of `store` first.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::{
    article::{Adoption, Amendment, ArticleId, Revision, Story, Submission, When, minted_guid},
    category::Facet,
    store::{
        Intake, Outcome, Receipt, Result, SUSPECT_UNTIL,
        postgres::{
            draft::{Draft, Wanted},
            push, read,
            row::{COLUMNS, decode, times},
            session::{Session, WRITE},
            shift,
        },
        write::{self, Declared, declared},
    },
    told::Told,
};

pub(super) type Writing = write::Writing<Draft>;

/// Takes the row that counts revisions, and finds what is wanted.
pub(super) fn begin(session: &Session, wanted: Wanted, told: Told) -> Result<Writing> {
    let lock = "SELECT FROM store WHERE one = 1 FOR UPDATE";
    let counter = "SELECT head, changed, shelved, authority, (SELECT coalesce(max(key), 0) FROM article) AS last,
           ARRAY(SELECT facet FROM mark WHERE facet >= 'shift/' AND facet < 'shift0' AND fingerprint IS NOT NULL) AS shifts
         FROM store WHERE one = 1";
    // Two questions: one that has waited for the row would see the other tables as they were before.
    let mut asks = vec![(lock, Vec::new()), (counter, Vec::new())];
    asks.extend(wanted.asks());
    let found = session.begin(WRITE, &asks)?;
    let row = found.get(1).and_then(|rows| rows.first()).ok_or_else(read::empty)?;
    let facets: Vec<String> = row.try_get("shifts")?;
    let shifts = facets.into_iter().filter_map(|facet| Facet::stored(facet).as_shift());
    let shifts: Vec<i16> = shifts.collect();
    let mut draft = Draft::new(row.try_get("last")?);
    draft.take(session, &found[2..], wanted.facets, &shifts)?;
    let mut writing = Writing::new(draft, read::counter(row)?, shifts, told);
    writing.fetch_owners(session)?;
    Ok(writing)
}

impl Writing {
    pub(super) fn commit(mut self, session: &Session) -> Result<Revision> {
        let revision = self.settle()?;
        if revision < self.revision {
            if self.keeps() {
                self.tables.commit(session)?;
            } else {
                session.end()?;
            }
            return Ok(revision);
        }
        self.tables.commit(session)?;
        session.heard(revision);
        Ok(revision)
    }

    /// Finds what is wanted only once the row is held.
    pub(super) fn fetch(&mut self, session: &Session, wanted: Wanted) -> Result<()> {
        let (found, shifts) = (session.all(&wanted.asks())?, self.shifts.clone());
        self.tables.take(session, &found, wanted.facets, &shifts)?;
        self.fetch_owners(session)
    }

    /// Finds the articles whose guids were asked for, and that are not among those asked for by id: they may have to give
    /// them up for guids of their own, which belong to others in turn. Hardly ever are there any.
    fn fetch_owners(&mut self, session: &Session) -> Result<()> {
        let shifts = self.shifts.clone();
        for _ in 0..write::MAX_CHAIN {
            let owners = self.tables.owners_unknown();
            if owners.is_empty() {
                return Ok(());
            }
            let own = |id| minted_guid(self.authority(), id).as_str().to_owned();
            let guids = owners.iter().map(own).collect();
            let wanted = Wanted { ids: ids(&owners), guids, ..Wanted::default() };
            let found = session.all(&wanted.asks())?;
            self.tables.take(session, &found, BTreeSet::new(), &shifts)?;
        }
        Ok(())
    }
}

/// What articles that are handed in may meet, `others` besides them, and the facets of `stories`.
pub(super) fn wanted<'a>(
    authority: &str,
    batch: impl Iterator<Item = &'a Submission> + Clone,
    others: Vec<String>,
    stories: impl Iterator<Item = Story>,
) -> Wanted {
    let mut facets: BTreeSet<_> = [Facet::catalogue()].into();
    facets.extend(batch.clone().flat_map(|submission| submission.story.facets()));
    facets.extend(stories.flat_map(|story| story.facets()));
    let guid = |submission: &Submission| match &submission.guid {
        Some(guid) => guid.as_str().to_owned(),
        None => minted_guid(authority, &submission.id).as_str().to_owned(),
    };
    let mut ids = ids(batch.clone().map(|submission| &submission.id));
    ids.extend(others);
    let guids = batch.clone().map(guid).collect();
    let slots = batch.filter_map(|new| new.published.and_then(When::slot)).collect();
    Wanted { ids, guids, slots, facets }
}

fn ids<'a>(ids: impl IntoIterator<Item = &'a ArticleId>) -> Vec<String> {
    ids.into_iter().map(|id| id.as_str().to_owned()).collect()
}

pub(super) fn upsert(
    session: &Session,
    authority: &str,
    batch: Vec<Submission>,
    intake: Intake,
    told: Told,
) -> Result<Receipt> {
    let wanted = wanted(authority, batch.iter(), Vec::new(), std::iter::empty());
    let mut writing = begin(session, wanted, told)?;
    let outcomes = writing.upsert(batch, intake)?;
    if intake.rehearse {
        session.end()?;
        return Ok(Receipt { revision: writing.before(), outcomes });
    }
    Ok(Receipt { revision: writing.commit(session)?, outcomes })
}

pub(super) fn amend(session: &Session, amendments: Vec<Amendment>, told: Told) -> Result<Receipt> {
    let wanted = Wanted {
        ids: ids(amendments.iter().map(|amendment| &amendment.id)),
        facets: amendments.iter().flat_map(|amendment| amendment.story.facets()).collect(),
        ..Wanted::default()
    };
    let mut writing = begin(session, wanted, told)?;
    let outcomes = writing.amend(amendments)?;
    Ok(Receipt { revision: writing.commit(session)?, outcomes })
}

pub(super) fn adopt(session: &Session, adoptions: Vec<Adoption>, told: Told) -> Result<Receipt> {
    let wanted = Wanted {
        ids: ids(adoptions.iter().map(|adoption| &adoption.id)),
        guids: adoptions.iter().map(|adoption| adoption.guid.as_str().to_owned()).collect(),
        facets: adoptions.iter().flat_map(|adoption| adoption.story.facets()).collect(),
        ..Wanted::default()
    };
    let mut writing = begin(session, wanted, told)?;
    let outcomes = writing.adopt(adoptions)?;
    Ok(Receipt { revision: writing.commit(session)?, outcomes })
}

pub(super) fn withdraw(
    session: &Session,
    gone: &[ArticleId],
    told: Told,
) -> Result<Vec<Option<Outcome>>> {
    let wanted = Wanted { ids: ids(gone), ..Wanted::default() };
    let mut writing = begin(session, wanted, told)?;
    let outcomes = writing.withdraw(gone)?;
    push::empty_bin(session, &mut writing, gone)?;
    writing.commit(session)?;
    Ok(outcomes)
}

/// No revision: what is settled is part of no edition by itself.
pub(super) fn settle(session: &Session, name: &str, value: &str) -> Result<String> {
    let insert = "INSERT INTO settled (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    session.execute(insert, &[&name, &value])?;
    let settled = session.one("SELECT value FROM settled WHERE name = $1", &[&name])?;
    Ok(settled.try_get(0)?)
}

pub(super) fn release(session: &Session, told: Told) -> Result<Option<DateTime<Utc>>> {
    let soonest = "SELECT least((SELECT min(due) FROM article WHERE due IS NOT NULL),
         (SELECT min(expires) FROM article WHERE expires IS NOT NULL AND state IN (0, 1)),
         (SELECT min(at) FROM coming)) AS soonest";
    let next = || times(&session.query(soonest, &[])?, "soonest");
    // Most looks find nothing, and need not take the row to do so.
    let due = next()?;
    if due.is_none_or(|due| due.timestamp() > told.now().timestamp()) {
        return Ok(due);
    }
    let mut writing = begin(session, Wanted::default(), told)?;
    let clock = writing.clock.timestamp();
    let select = format!(
        "SELECT {COLUMNS} FROM article WHERE key IN (
           SELECT key FROM article WHERE due <= $1
           UNION SELECT key FROM article WHERE expires <= $1 AND state IN (0, 1))
         ORDER BY id LIMIT $2"
    );
    let found = session.query(&select, &[&clock, &write::RELEASED_AT_ONCE])?;
    let rows = found.iter().map(decode).collect::<Result<Vec<_>>>()?;
    let shifts = writing.shifts.clone();
    let catalogue = [Facet::catalogue()].into();
    writing.tables.fetch_around(session, rows.clone(), catalogue, &shifts)?;
    writing.release(rows)?;
    // Whoever waits for what has just gone waits no more.
    writing.tables.send(session)?;
    let (revision, times) = (writing.revision, (writing.clock, writing.commit));
    for minutes in shift::arrive(session, revision, times, write::RELEASED_AT_ONCE)? {
        writing.move_mark(Facet::shift(minutes), true);
    }
    writing.commit(session)?;
    next()
}

/// Brings the time of the store back to the machine's clock.
pub(super) fn repair_clock(session: &Session, told: Told) -> Result<Option<DateTime<Utc>>> {
    let mut writing = begin(session, Wanted::default(), told)?;
    if !writing.set_back() {
        session.end()?;
        return Ok(None);
    }
    let (clock, last) = (writing.clock.timestamp(), writing.last);
    for table in ["change", "gone", "came", "bin", "pushed"] {
        session.execute(&format!("UPDATE {table} SET at = $1 WHERE at > $1"), &[&clock])?;
    }
    let update = "UPDATE coming SET at = $1::bigint + minutes * 60
         WHERE minutes > 0 AND at > $1::bigint + minutes * 60";
    session.execute(update, &[&clock])?;
    let remember = "INSERT INTO remembered AS known (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value
         WHERE known.value::bigint < excluded.value::bigint";
    session.execute(remember, &[&SUSPECT_UNTIL, &last.timestamp().to_string()])?;
    for row in session.query("SELECT facet FROM mark WHERE changed > $1", &[&clock])? {
        writing.move_mark(Facet::stored(row.try_get(0)?), false);
    }
    writing.commit(session)?;
    Ok(Some(last))
}

pub(super) fn declare(session: &Session, said: Vec<(Facet, u64)>, told: Told) -> Result<Revision> {
    let mut writing = begin(session, Wanted::default(), told)?;
    let select = "SELECT facet, fingerprint FROM mark WHERE fingerprint IS NOT NULL";
    let mut known = HashMap::new();
    for row in session.query(select, &[])? {
        known.insert(Facet::stored(row.try_get(0)?), row.try_get::<_, i64>(1)?.cast_unsigned());
    }
    let Declared { news, forgotten } = declared(known, said);
    let names: Vec<&str> = forgotten.iter().map(Facet::as_str).collect();
    session.execute("UPDATE mark SET fingerprint = NULL WHERE facet = ANY($1)", &[&names])?;
    let names: Vec<&str> = news.iter().map(|(facet, _)| facet.as_str()).collect();
    let fingerprints: Vec<i64> =
        news.iter().map(|(_, fingerprint)| fingerprint.cast_signed()).collect();
    let upsert = "INSERT INTO mark (facet, revision, changed, floor, places, fingerprint)
         SELECT f, 0, 0, 0, 0, p FROM unnest($1::text[], $2::bigint[]) AS said(f, p)
         ON CONFLICT (facet) DO UPDATE SET fingerprint = excluded.fingerprint";
    session.execute(upsert, &[&names, &fingerprints])?;
    for minutes in forgotten.iter().filter_map(Facet::as_shift) {
        shift::end(session, minutes)?;
    }
    for minutes in news.iter().filter_map(|(facet, _)| facet.as_shift()) {
        shift::begin(session, minutes, writing.clock)?;
    }
    // What a delta would tell apart from its base is everything.
    for facet in forgotten.into_iter().chain(news.into_iter().map(|(facet, _)| facet)) {
        writing.move_mark(facet, true);
    }
    writing.commit(session)
}
