//! Writes: each one transaction, one revision, lines in the log and moved marks.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::{
    article::{Adoption, Amendment, ArticleId, ChangeKind, Revision, Story, Submission},
    category::{Category, Facet},
    store::{
        Intake, Outcome, Receipt, Result,
        decide::{self, Circumstances, Row, State, Touch, place, submit, touch, weight},
        mint,
        sqlite::{
            row::{COLUMNS, decode, find, number, revision, save, time},
            shelf::{self, Arrivals},
            shift::{self, Step},
        },
    },
    text::Text,
};

/// A transaction that holds the row which counts revisions.
pub(super) struct Writing<'c> {
    pub(super) transaction: Transaction<'c>,
    authority: String,
    /// The revision this write will be, if it changes anything.
    revision: Revision,
    /// Its time: never before an earlier write's, whatever the clock does.
    commit: DateTime<Utc>,
    changes: bool,
    /// What moves, and whether its floor rises.
    touched: HashMap<Facet, bool>,
    labels: HashMap<Facet, Text>,
    arrivals: Arrivals,
    /// How many articles have ever been shelved.
    shelved: i64,
    /// How much later or earlier some get articles, in minutes.
    shifts: Vec<i16>,
}

impl<'c> Writing<'c> {
    pub(super) fn begin(writer: &'c mut Connection, now: DateTime<Utc>) -> Result<Self> {
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let select = "SELECT head, changed, shelved, authority FROM store";
        let (head, changed, shelved, authority): (i64, i64, i64, String) =
            transaction.query_row(select, [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
        let shifts = shift::known(&transaction)?;
        Ok(Self {
            transaction,
            shifts,
            authority,
            revision: Revision(revision(head).0 + 1),
            commit: time(commit(now.timestamp(), changed)),
            changes: false,
            touched: HashMap::new(),
            labels: HashMap::new(),
            arrivals: Arrivals::default(),
            shelved,
        })
    }

    fn log(&mut self, id: &ArticleId, kind: ChangeKind) -> Result<()> {
        self.changes = true;
        let mut insert = self.transaction.prepare_cached(
            // What is published and edited by one write is published: whoever waits, waits from there.
            "INSERT INTO change (revision, id, kind, at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (revision, id) DO UPDATE SET
               kind = iif(kind = 'published' AND ?3 IN ('edited', 'corrected'), kind, ?3)",
        )?;
        insert.execute(params![
            number(self.revision),
            id.as_str(),
            kind.name(),
            self.commit.timestamp()
        ])?;
        Ok(())
    }

    fn touch(&mut self, Touch { facets, raises_floor }: Touch) {
        for facet in facets {
            *self.touched.entry(facet).or_default() |= raises_floor;
        }
    }

    /// Moves a mark, whatever happens to articles.
    pub(super) fn move_mark(&mut self, facet: Facet, raises_floor: bool) {
        self.changes = true;
        *self.touched.entry(facet).or_default() |= raises_floor;
    }

    /// Puts `row` in the place of `old`: the article, what it is filed under, the log, the marks.
    fn put(&mut self, old: Option<(i64, &Row)>, row: &Row, kind: ChangeKind) -> Result<()> {
        let key = save(&self.transaction, row)?;
        let before = old.map(|(_, old)| old.facets()).unwrap_or_default();
        let after = row.facets();
        for facet in after.difference(&before) {
            self.arrivals.come(key, row, facet.clone());
        }
        let is_seen_again = kind == ChangeKind::Edited;
        if is_seen_again || old.is_some_and(|(_, old)| !row.is_filed_as(old)) {
            for facet in after.intersection(&before) {
                self.arrivals.come_again(key, row, facet.clone(), is_seen_again);
            }
        }
        if let Some(old) = old {
            for facet in before.difference(&after) {
                self.arrivals.leave(&self.transaction, old, facet, self.revision)?;
            }
        }
        if row.state == State::Live && !row.story.clearance.is_private {
            for Category { slug, label } in &row.story.categories {
                self.labels.insert(Facet::category(slug), label.clone());
            }
        }
        let old = old.map(|(_, old)| old);
        let Self { revision, commit, .. } = *self;
        let step = Step { key, old, row, revision, commit };
        for minutes in step.take(&self.transaction, &self.shifts)? {
            self.move_mark(Facet::shift(minutes), true);
        }
        self.touch(touch(old, row));
        self.log(&row.id, kind)
    }

    /// Moves the marks and commits. Nothing changed: nothing is written, and no revision is used up.
    pub(super) fn commit(mut self) -> Result<Revision> {
        if !self.changes {
            return Ok(Revision(self.revision.0 - 1));
        }
        let is_new_category = {
            let mut known =
                self.transaction.prepare_cached("SELECT 1 FROM mark WHERE facet = ?")?;
            let mut is_new = false;
            for facet in self.labels.keys() {
                is_new |= !known.exists([facet.as_str()])?;
            }
            is_new
        };
        if is_new_category {
            self.touched.entry(Facet::catalogue()).or_default();
        }
        let arrivals = std::mem::take(&mut self.arrivals);
        let places = arrivals.settle(&self.transaction, &mut self.shelved, self.revision)?;
        {
            let mut upsert = self.transaction.prepare_cached(
                "INSERT INTO mark (facet, revision, changed, floor, places, label)
                 VALUES (?1, ?2, ?3, iif(?4, ?2, 0), coalesce(?5, 0), ?6)
                 ON CONFLICT (facet) DO UPDATE SET
                   revision = ?2, changed = ?3, floor = iif(?4, ?2, floor), places = coalesce(?5, places),
                   label = coalesce(label, ?6)",
            )?;
            for (facet, raises_floor) in &self.touched {
                let (places, label) = (places.get(facet), self.labels.get(facet));
                let (revision, commit) = (number(self.revision), self.commit.timestamp());
                let label = label.map(Text::as_str);
                let name = facet.as_str();
                upsert.execute(params![name, revision, commit, raises_floor, places, label])?;
            }
            let mut store = self
                .transaction
                .prepare_cached("UPDATE store SET head = ?, changed = ?, shelved = ?")?;
            let (head, changed) = (number(self.revision), self.commit.timestamp());
            store.execute(params![head, changed, self.shelved])?;
        }
        self.transaction.commit()?;
        Ok(self.revision)
    }
}

/// The time of a write that comes after one at `last`, in seconds. A clock that is behind may have shown the second of
/// `last` to be over before, and readers may hold its date: then that second is not used again.
fn commit(now: i64, last: i64) -> i64 {
    if now < last { last + 1 } else { now }
}

pub(super) fn upsert(
    writer: &mut Connection,
    batch: Vec<Submission>,
    intake: Intake,
    now: DateTime<Utc>,
) -> Result<Receipt> {
    let mut writing = Writing::begin(writer, now)?;
    // Articles without a date are new in the order given: the last of them now, each a second after the one before.
    let mut undated = batch.iter().filter(|submission| submission.published.is_none()).count();
    let mut outcomes = Vec::with_capacity(batch.len());
    for submission in batch {
        if submission.published.is_none() {
            undated -= 1;
        }
        let behind = TimeDelta::seconds(i64::try_from(undated).unwrap_or_default());
        let unstated = writing.commit - behind;
        outcomes.push(writing.submit(submission, intake.republish, unstated)?);
    }
    if intake.rehearse {
        let revision = Revision(writing.revision.0 - 1);
        return Ok(Receipt { revision, outcomes });
    }
    Ok(Receipt { revision: writing.commit()?, outcomes })
}

impl Writing<'_> {
    fn submit(
        &mut self,
        submission: Submission,
        republish: bool,
        unstated: DateTime<Utc>,
    ) -> Result<Outcome> {
        let old = find(&self.transaction, &submission.id)?;
        let minted = mint(&self.authority, &submission.id);
        if old.is_none() {
            let guid = submission.guid.as_ref().unwrap_or(&minted);
            if let Some(by) = self.owner(guid)? {
                return Ok(Outcome::GuidTaken { by });
            }
        }
        let placed = self.place(&submission, old.as_ref().map(|(_, row)| row), unstated)?;
        let given = Circumstances {
            commit: self.commit,
            revision: self.revision,
            minted: &minted,
            placed,
            republish,
        };
        let decision = submit(old.as_ref().map(|(_, row)| row), submission, &given);
        if let Some((row, kind)) = decision.write {
            self.put(old.as_ref().map(|(key, row)| (*key, row)), &row, kind)?;
        }
        Ok(decision.outcome)
    }

    /// Whose guid it is.
    fn owner(&self, guid: &Text) -> Result<Option<ArticleId>> {
        let mut select =
            self.transaction.prepare_cached("SELECT id FROM article WHERE guid = ?")?;
        let id: Option<String> = select.query_row([guid.as_str()], |row| row.get(0)).optional()?;
        Ok(id.as_deref().and_then(ArticleId::new))
    }

    /// The article's date among others given the same day or minute: those that came first stay first.
    fn place(
        &self,
        submission: &Submission,
        old: Option<&Row>,
        unstated: DateTime<Utc>,
    ) -> Result<DateTime<Utc>> {
        let Some(when) = submission.published else {
            return Ok(old.map_or(unstated, |old| old.placed));
        };
        let Some(slot) = when.slot() else { return Ok(when.start) };
        if let Some(old) = old.filter(|old| old.slot == Some(slot)) {
            return Ok(old.placed);
        }
        let mut select =
            self.transaction.prepare_cached("SELECT max(placed) FROM article WHERE slot = ?")?;
        let last: Option<i64> = select.query_row([slot], |row| row.get(0))?;
        Ok(place(when.start, when.room(), last.map(time)))
    }
}

pub(super) fn amend(
    writer: &mut Connection,
    amendments: Vec<Amendment>,
    now: DateTime<Utc>,
) -> Result<Receipt> {
    let mut writing = Writing::begin(writer, now)?;
    let mut outcomes = Vec::with_capacity(amendments.len());
    for Amendment { id, base, story } in amendments {
        let found = find(&writing.transaction, &id)?;
        let found = found.filter(|(_, old)| old.revision == base && old.state == State::Live);
        let Some((key, old)) = found.filter(|(_, old)| old.story != story) else {
            outcomes.push(Outcome::Unchanged);
            continue;
        };
        let (revision, bytes) = (writing.revision, weight(&story));
        let row = Row { revision, story, bytes, ..old.clone() };
        writing.put(Some((key, &old)), &row, ChangeKind::Corrected)?;
        outcomes.push(Outcome::Corrected);
    }
    Ok(Receipt { revision: writing.commit()?, outcomes })
}

/// The articles keep their places in archives, whatever their dates become.
pub(super) fn adopt(
    writer: &mut Connection,
    adoptions: Vec<Adoption>,
    now: DateTime<Utc>,
) -> Result<Receipt> {
    let mut writing = Writing::begin(writer, now)?;
    let mut outcomes = Vec::with_capacity(adoptions.len());
    for adoption in adoptions {
        let found = find(&writing.transaction, &adoption.id)?;
        let next =
            found.as_ref().and_then(|(_, old)| decide::adopt(old, &adoption, writing.revision));
        let (Some((key, old)), Some(row)) = (found, next) else {
            outcomes.push(Outcome::Unchanged);
            continue;
        };
        if let Some(by) = writing.owner(&row.guid)?.filter(|by| *by != row.id) {
            outcomes.push(Outcome::GuidTaken { by });
            continue;
        }
        let rename = "UPDATE article SET guid = ? WHERE key = ?";
        writing.transaction.execute(rename, params![row.guid.as_str(), key])?;
        shelf::redate(&writing.transaction, &old, row.published)?;
        let old = Row { published: row.published, ..old };
        writing.put(Some((key, &old)), &row, ChangeKind::Corrected)?;
        // Readers know it by another name from now on, at another place: no delta tells that.
        writing.touch(Touch { facets: row.facets(), raises_floor: true });
        outcomes.push(Outcome::Corrected);
    }
    Ok(Receipt { revision: writing.commit()?, outcomes })
}

pub(super) fn withdraw(
    writer: &mut Connection,
    ids: &[ArticleId],
    now: DateTime<Utc>,
) -> Result<Vec<Option<Outcome>>> {
    let mut writing = Writing::begin(writer, now)?;
    let mut outcomes = Vec::with_capacity(ids.len());
    for id in ids {
        let found = find(&writing.transaction, id)?;
        outcomes.push(found.as_ref().map(|(_, old)| match old.state {
            State::Withdrawn => Outcome::Unchanged,
            State::Held | State::Live | State::Expired => Outcome::Retired,
        }));
        if let Some((key, old)) = found.filter(|(_, old)| old.state != State::Withdrawn) {
            let row = Row {
                state: State::Withdrawn,
                due: None,
                expires: None,
                revision: writing.revision,
                story: Story::default(),
                bytes: 0,
                ..old.clone()
            };
            writing.put(Some((key, &old)), &row, ChangeKind::Withdrawn)?;
        }
    }
    writing.commit()?;
    Ok(outcomes)
}

/// No revision: what is settled is part of no edition by itself.
pub(super) fn settle(writer: &mut Connection, name: &str, value: &str) -> Result<String> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .execute("INSERT OR IGNORE INTO settled (name, value) VALUES (?, ?)", [name, value])?;
    let select = "SELECT value FROM settled WHERE name = ?";
    let settled = transaction.query_row(select, [name], |row| row.get(0))?;
    transaction.commit()?;
    Ok(settled)
}

pub(super) fn release(
    writer: &mut Connection,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    /// So many at a time, so that other writers get their turn; the rest is due at once.
    const BATCH: i64 = 1_000;
    // Left to itself, SQLite goes through all articles of these states.
    let soonest =
        "SELECT min(least) FROM (SELECT min(due) AS least FROM article WHERE due IS NOT NULL
                   UNION ALL SELECT min(expires) FROM article INDEXED BY article_expires
                             WHERE expires IS NOT NULL AND state IN (0, 1))";
    let next = |connection: &Connection| -> Result<Option<i64>> {
        let due: Option<i64> =
            connection.prepare_cached(soonest)?.query_row([], |row| row.get(0))?;
        let coming = shift::next(connection)?;
        Ok(due.into_iter().chain(coming).min())
    };
    // Most looks find nothing, and need no write lock to do so.
    let due = next(writer)?;
    if due.is_none_or(|due| due > now.timestamp()) {
        return Ok(due.map(time));
    }
    let mut writing = Writing::begin(writer, now)?;
    let rows = {
        let mut select = writing.transaction.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM article WHERE key IN (
               SELECT key FROM article INDEXED BY article_due WHERE due <= ?1
               UNION SELECT key FROM article INDEXED BY article_expires
                     WHERE expires <= ?1 AND state IN (0, 1))
             ORDER BY id LIMIT {BATCH}"
        ))?;
        let mut found = select.query([writing.commit.timestamp()])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(decode(row)?);
        }
        rows
    };
    for (key, old) in rows {
        let is_over = old.expires.is_some_and(|end| end <= writing.commit);
        let (state, kind) = if is_over {
            (State::Expired, ChangeKind::Expired)
        } else {
            (State::Live, ChangeKind::Published)
        };
        let is_frozen = old.is_frozen || state == State::Live;
        let row = Row { state, due: None, is_frozen, revision: writing.revision, ..old.clone() };
        writing.put(Some((key, &old)), &row, kind)?;
    }
    for minutes in shift::arrive(&writing.transaction, writing.revision, writing.commit, BATCH)? {
        writing.move_mark(Facet::shift(minutes), true);
    }
    writing.commit()?;
    Ok(next(writer)?.map(time))
}

pub(super) fn declare(
    writer: &mut Connection,
    fingerprints: &[(Facet, u64)],
    now: DateTime<Utc>,
) -> Result<Revision> {
    let mut writing = Writing::begin(writer, now)?;
    let mut is_old = Vec::with_capacity(fingerprints.len());
    {
        let mut select =
            writing.transaction.prepare_cached("SELECT fingerprint FROM mark WHERE facet = ?")?;
        for (facet, fingerprint) in fingerprints {
            let known: Option<Option<i64>> =
                select.query_row([facet.as_str()], |row| row.get(0)).optional()?;
            is_old.push(known.flatten() == Some(fingerprint.cast_signed()));
        }
    }
    let forgotten = {
        let mut select = writing
            .transaction
            .prepare_cached("SELECT facet FROM mark WHERE fingerprint IS NOT NULL")?;
        let known = select.query_map([], |row| row.get(0).map(Facet::stored))?;
        let known = known.collect::<Result<Vec<_>, _>>()?;
        let said: HashSet<_> = fingerprints.iter().map(|(facet, _)| facet).collect();
        known.into_iter().filter(|facet| !said.contains(facet)).collect::<Vec<_>>()
    };
    for facet in forgotten {
        let mut forget = writing
            .transaction
            .prepare_cached("UPDATE mark SET fingerprint = NULL WHERE facet = ?")?;
        forget.execute([facet.as_str()])?;
        drop(forget);
        if let Some(minutes) = facet.as_shift() {
            shift::end(&writing.transaction, minutes)?;
        }
        writing.touched.insert(facet, true);
        writing.changes = true;
    }
    for ((facet, fingerprint), _) in fingerprints.iter().zip(is_old).filter(|(_, is_old)| !is_old) {
        // What a delta would tell apart from its base is everything.
        writing.touched.insert(facet.clone(), true);
        writing.changes = true;
        let mut upsert = writing.transaction.prepare_cached(
            "INSERT INTO mark (facet, revision, changed, floor, places, fingerprint) VALUES (?1, 0, 0, 0, 0, ?2)
             ON CONFLICT (facet) DO UPDATE SET fingerprint = ?2",
        )?;
        upsert.execute(params![facet.as_str(), fingerprint.cast_signed()])?;
        drop(upsert);
        if let Some(minutes) = facet.as_shift() {
            shift::begin(&writing.transaction, minutes, writing.commit)?;
        }
    }
    writing.commit()
}
