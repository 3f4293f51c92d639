//! Writes: each one transaction, one revision, lines in the log and moved marks.
//!
//! The rules of every store; its tables are an engine's own.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::{
    article::{
        Adoption, Amendment, ArticleId, Change, ChangeKind, Claim, Revision, Story, Submission,
        is_reserved_guid, minted_guid,
    },
    category::{Category, Facet},
    store::{
        Intake, Outcome, Result,
        decide::{self, Circumstances, Row, State, Touch, place, submit, touch, weight},
        shelf::Arrivals,
        shift::Step,
        tables::{Counter, Move, Writer},
    },
    text::Text,
    told::Told,
};

/// Most articles that give up a guid, one after another, for the one that it is minted for.
pub(super) const MAX_CHAIN: usize = 16;

/// So many articles are released at a time, so that other writers get their turn; the rest is due at once.
pub(super) const RELEASED_AT_ONCE: i64 = 1_000;

/// A transaction that holds the row which counts revisions.
pub(super) struct Writing<W> {
    pub(super) tables: W,
    authority: String,
    /// The revision this write will be, if it changes anything.
    pub(super) revision: Revision,
    /// Its time as it begins: never before an earlier write's, whatever the clock does.
    pub(super) commit: DateTime<Utc>,
    /// Time at which embargoes end and by which new articles are dated: the machine's, also where the store's is ahead of
    /// it because a clock once was.
    pub(super) clock: DateTime<Utc>,
    /// Time of the last write.
    pub(super) last: DateTime<Utc>,
    told: Told,
    changes: bool,
    /// Whether something was written that is part of no revision.
    keeps: bool,
    log: BTreeMap<ArticleId, ChangeKind>,
    /// What moves, and whether its floor rises.
    touched: HashMap<Facet, bool>,
    labels: HashMap<Facet, Text>,
    arrivals: Arrivals,
    /// How many articles have ever been shelved.
    shelved: i64,
    /// How much later or earlier some get articles, in minutes.
    pub(super) shifts: Vec<i16>,
}

impl<W: Writer> Writing<W> {
    pub(super) fn new(tables: W, counter: Counter, shifts: Vec<i16>, told: Told) -> Self {
        let Counter { head, changed, shelved, authority } = counter;
        let now = told.now().timestamp();
        let commit = commit(now, changed);
        Self {
            clock: DateTime::from_timestamp(now.min(commit), 0).unwrap_or_default(),
            last: DateTime::from_timestamp(changed, 0).unwrap_or_default(),
            tables,
            shifts,
            authority,
            told,
            revision: Revision(head.0 + 1),
            commit: DateTime::from_timestamp(commit, 0).unwrap_or_default(),
            changes: false,
            keeps: false,
            log: BTreeMap::new(),
            touched: HashMap::new(),
            labels: HashMap::new(),
            arrivals: Arrivals::default(),
            shelved,
        }
    }

    /// Whether the time of the last write is ahead of the machine's clock; if so, this write brings the store's time back to
    /// that clock. The engine changes the times of its rows.
    pub(super) fn set_back(&mut self) -> bool {
        let is_ahead = self.last > self.clock;
        if is_ahead {
            self.commit = self.clock;
            // Publishers learn by this mark that dates which were served before do not count any more.
            self.move_mark(Facet::catalogue(), false);
        }
        is_ahead
    }

    /// Who mints identities here.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// The newest write before this one.
    pub(super) fn before(&self) -> Revision {
        Revision(self.revision.0 - 1)
    }

    /// The newest write once this is committed.
    pub(super) fn head(&self) -> Revision {
        if self.changes { self.revision } else { self.before() }
    }

    /// Notes that there is something to commit, whether or not there is a new revision.
    pub(super) fn keep(&mut self) {
        self.keeps = true;
    }

    /// Whether there is.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    fn log(&mut self, id: &ArticleId, kind: ChangeKind) {
        self.changes = true;
        // What is published and edited by one write is published: whoever waits, waits from there.
        let is_quieter = matches!(kind, ChangeKind::Edited | ChangeKind::Corrected);
        let logged = self.log.entry(id.clone()).or_insert(kind);
        if *logged != ChangeKind::Published || !is_quieter {
            *logged = kind;
        }
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
        let key = self.tables.save(row)?;
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
                self.arrivals.leave(&mut self.tables, old, facet, self.revision)?;
            }
        }
        if row.state == State::Live && !row.story.clearance.is_private {
            for Category { slug, label } in &row.story.categories {
                self.labels.insert(Facet::category(slug), label.clone());
            }
        }
        let old = old.map(|(_, old)| old);
        let Self { revision, commit, clock, .. } = *self;
        let step = Step { key, old, row, revision, commit, clock };
        for minutes in step.take(&mut self.tables, &self.shifts)? {
            self.move_mark(Facet::shift(minutes), true);
        }
        self.touch(touch(old, row));
        self.log(&row.id, kind);
        Ok(())
    }

    /// Gives out the places, adds to the log and moves the marks: what is left is to commit. Nothing changed: nothing is
    /// written, and no revision is used up.
    pub(super) fn settle(&mut self) -> Result<Revision> {
        if !self.changes {
            return Ok(self.before());
        }
        let mut is_new_category = false;
        for facet in self.labels.keys() {
            is_new_category |= self.tables.places(facet)?.is_none();
        }
        if is_new_category {
            self.touched.entry(Facet::catalogue()).or_default();
        }
        // As late as can be: before it is committed nobody sees it, and by then readers may hold the date at which it began
        // for the state before (H-38).
        let commit = self.told.now().trunc_subsecs(0).max(self.commit);
        let revision = self.revision;
        let arrivals = std::mem::take(&mut self.arrivals);
        let places = arrivals.settle(&mut self.tables, &mut self.shelved, revision)?;
        for (article, kind) in std::mem::take(&mut self.log) {
            self.tables.log(&Change { revision, article, kind, at: commit })?;
        }
        for (facet, raises_floor) in &self.touched {
            let to = Move {
                revision,
                changed: commit,
                raises_floor: *raises_floor,
                places: places.get(facet).copied(),
                label: self.labels.get(facet),
            };
            self.tables.move_mark(facet, &to)?;
        }
        self.tables.count(&Counter {
            head: revision,
            changed: commit.timestamp(),
            shelved: self.shelved,
            authority: self.authority.clone(),
        })?;
        Ok(revision)
    }
}

/// The time of a write that comes after one at `last`, in seconds. A clock that is behind may have shown the second of
/// `last` to be over before, and readers may hold its date: then that second is not used again.
fn commit(now: i64, last: i64) -> i64 {
    if now < last { last + 1 } else { now }
}

impl<W: Writer> Writing<W> {
    pub(super) fn upsert(
        &mut self,
        batch: Vec<Submission>,
        intake: Intake,
    ) -> Result<Vec<Outcome>> {
        self.submit_all(batch.into_iter().map(|new| (new, intake.republish)).collect())
    }

    /// Takes articles in, each published again or not should it be withdrawn.
    pub(super) fn submit_all(&mut self, batch: Vec<(Submission, bool)>) -> Result<Vec<Outcome>> {
        // Articles without a date are new in the order given: the last of them now, each a second after the one before.
        let mut undated = batch.iter().filter(|(new, _)| new.published.is_none()).count();
        let mut outcomes = Vec::with_capacity(batch.len());
        for (submission, republish) in batch {
            if submission.published.is_none() {
                undated -= 1;
            }
            let behind = TimeDelta::seconds(i64::try_from(undated).unwrap_or_default());
            let unstated = self.clock - behind;
            outcomes.push(self.submit(submission, republish, unstated)?);
        }
        Ok(outcomes)
    }

    pub(super) fn submit(
        &mut self,
        submission: Submission,
        republish: bool,
        unstated: DateTime<Utc>,
    ) -> Result<Outcome> {
        let old = self.tables.find(&submission.id)?;
        let minted = minted_guid(&self.authority, &submission.id);
        let refusal = match &old {
            Some((_, old)) => decide::contradiction(old, &submission),
            None => self.conflict(&submission, &minted)?,
        };
        if let Some(refusal) = refusal {
            return Ok(refusal);
        }
        let placed = self.place(&submission, old.as_ref().map(|(_, row)| row), unstated)?;
        let given = Circumstances {
            clock: self.clock,
            revision: self.revision,
            minted: &minted,
            placed,
            republish,
        };
        let decision = submit(old.as_ref().map(|(_, row)| row), submission, &given);
        if let Some((row, kind)) = decision.write {
            self.put(old.as_ref().map(|(key, row)| (*key, row)), &row, kind)?;
        }
        if let Some(row) = decision.note {
            self.tables.save(&row)?;
            self.keep();
        }
        Ok(decision.outcome)
    }

    /// Why a new article cannot have its guid, if so. One that is minted for it is taken from an article that only claimed
    /// it.
    fn conflict(&mut self, new: &Submission, minted: &Text) -> Result<Option<Outcome>> {
        let guid = new.guid.as_ref().unwrap_or(minted);
        let is_minted = guid == minted;
        if !is_minted && !new.origin.is_own && is_reserved_guid(&self.authority, guid.as_str()) {
            return Ok(Some(Outcome::GuidReserved));
        }
        let Some(by) = self.tables.owner(guid)? else { return Ok(None) };
        let is_free = is_minted && self.give_up(&by)?;
        Ok((!is_free).then_some(Outcome::GuidTaken { by }))
    }

    /// Has an article give up a guid that is minted for another one, and gives it its own; whether that could be done. Its
    /// own may be claimed by a third article, which then gives it up in the same way.
    fn give_up(&mut self, id: &ArticleId) -> Result<bool> {
        let mut chain: Vec<(i64, Row)> = Vec::new();
        let mut next = Some(id.clone());
        while let Some(id) = next {
            let Some((key, row)) = self.tables.find(&id)? else { return Ok(false) };
            let own = minted_guid(&self.authority, &id);
            let is_claimed = row.claim == Claim::Given && row.guid != own;
            if !is_claimed || chain.len() == MAX_CHAIN {
                return Ok(false);
            }
            chain.push((key, row));
            next = self.tables.owner(&own)?;
        }
        for (key, old) in chain.into_iter().rev() {
            let guid = minted_guid(&self.authority, &old.id);
            let alias = Some(old.alias.clone().unwrap_or_else(|| old.guid.clone()));
            let row = Row { guid, alias, revision: self.revision, ..old.clone() };
            self.put(Some((key, &old)), &row, decide::kept(row.state))?;
            // As in an adoption: no delta says that an article has another identity.
            self.touch(Touch { facets: row.facets(), raises_floor: true });
        }
        Ok(true)
    }

    /// The article's date among others given the same day or minute: those that came first stay first.
    fn place(
        &mut self,
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
        Ok(place(when.start, when.room(), self.tables.last_placed(slot)?))
    }

    pub(super) fn amend(&mut self, amendments: Vec<Amendment>) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(amendments.len());
        for Amendment { id, base, story } in amendments {
            let found = self.tables.find(&id)?;
            let found = found.filter(|(_, old)| old.revision == base && old.state == State::Live);
            let Some((key, old)) = found.filter(|(_, old)| old.story != story) else {
                outcomes.push(Outcome::Unchanged);
                continue;
            };
            let (revision, bytes) = (self.revision, weight(&story));
            let row = Row { revision, story, bytes, ..old.clone() };
            self.put(Some((key, &old)), &row, ChangeKind::Corrected)?;
            outcomes.push(Outcome::Corrected);
        }
        Ok(outcomes)
    }

    /// The articles keep their places in archives, whatever their dates become.
    pub(super) fn adopt(&mut self, adoptions: Vec<Adoption>) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(adoptions.len());
        for adoption in adoptions {
            let found = self.tables.find(&adoption.id)?;
            let next =
                found.as_ref().and_then(|(_, old)| decide::adopt(old, &adoption, self.revision));
            let (Some((key, old)), Some(row)) = (found, next) else {
                outcomes.push(Outcome::Unchanged);
                continue;
            };
            if let Some(by) = self.tables.owner(&row.guid)?.filter(|by| *by != row.id) {
                outcomes.push(Outcome::GuidTaken { by });
                continue;
            }
            let (then, now) = (old.published.timestamp(), row.published.timestamp());
            if then != now {
                for facet in old.facets() {
                    let shelved = self.tables.unfile(&facet, then, row.id.as_str())?;
                    self.tables.file(&facet, (now, row.id.as_str(), key), shelved)?;
                }
            }
            let old = Row { published: row.published, ..old };
            self.put(Some((key, &old)), &row, ChangeKind::Corrected)?;
            // Readers know it by another name from now on, at another place: no delta tells that.
            self.touch(Touch { facets: row.facets(), raises_floor: true });
            outcomes.push(Outcome::Corrected);
        }
        Ok(outcomes)
    }

    pub(super) fn withdraw(&mut self, ids: &[ArticleId]) -> Result<Vec<Option<Outcome>>> {
        let mut outcomes = Vec::with_capacity(ids.len());
        for id in ids {
            let found = self.tables.find(id)?;
            outcomes.push(found.as_ref().map(|(_, old)| match old.state {
                State::Withdrawn => Outcome::Unchanged,
                State::Held | State::Live | State::Expired => Outcome::Retired,
            }));
            if let Some((key, old)) = found.filter(|(_, old)| old.state != State::Withdrawn) {
                let row = Row {
                    state: State::Withdrawn,
                    due: None,
                    expires: None,
                    revision: self.revision,
                    story: Story::default(),
                    bytes: 0,
                    ..old.clone()
                };
                self.put(Some((key, &old)), &row, ChangeKind::Withdrawn)?;
            }
        }
        Ok(outcomes)
    }

    /// Publishes articles that are due, and ends those whose time is over.
    pub(super) fn release(&mut self, due: Vec<(i64, Row)>) -> Result<()> {
        for (key, old) in due {
            let is_over = old.expires.is_some_and(|end| end <= self.clock);
            let (state, kind) = if is_over {
                (State::Expired, ChangeKind::Expired)
            } else {
                (State::Live, ChangeKind::Published)
            };
            let is_frozen = old.is_frozen || state == State::Live;
            let row = Row { state, due: None, is_frozen, revision: self.revision, ..old.clone() };
            self.put(Some((key, &old)), &row, kind)?;
        }
        Ok(())
    }
}

/// What `feeds.toml` says other than before, and what it says no more.
pub(super) struct Declared {
    pub news: Vec<(Facet, u64)>,
    pub forgotten: Vec<Facet>,
}

/// Holds what `feeds.toml` says against what is known.
pub(super) fn declared(known: HashMap<Facet, u64>, said: Vec<(Facet, u64)>) -> Declared {
    let mut forgotten = known;
    let is_news =
        |(facet, fingerprint): &(Facet, u64)| forgotten.remove(facet) != Some(*fingerprint);
    let news = said.into_iter().filter(is_news).collect();
    Declared { news, forgotten: forgotten.into_keys().collect() }
}
