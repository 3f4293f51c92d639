//! A source that is followed: look after look, further apart while it is away.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::sync::Notify;
use tracing::{info, warn};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    article::ArticleId,
    feed::{Catalogue, Site},
    source::{
        SourceError,
        folder::{self, Seen},
        holding::{Hold, Names},
        lease::{self, Lease, Ticket},
        mark::Mark,
        preview,
        spec::{Kind, Source, Sql},
        sql::{PAGE_ROWS, Reader},
        state::{Load, Standing, State},
        sweep::Belief,
        take::{Entry, Page, Round, Taker},
    },
    store::{Plan, Store},
};

/// The longest time between two looks at a source that is away.
const MAX_PAUSE: Duration = Duration::from_mins(10);
/// What changes within so long is looked at together.
const GATHER: Duration = Duration::from_millis(300);
/// So often what happened is written down where nothing happened.
const NOTE: TimeDelta = TimeDelta::seconds(60);

/// How to look.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct How {
    /// At all rows, not only at those that changed.
    pub all: bool,
    /// For what was deleted, whenever that was last done.
    pub sweep: bool,
    /// Take back whatever has gone, however much it is.
    pub withdraw_all: bool,
    /// Even while another process follows the source, which stands by from then on.
    pub take_over: bool,
}

/// Somebody who follows a source: one at a time, others stand by.
pub struct Follower {
    pub(super) source: Arc<Source>,
    pub(super) taker: Taker,
    pub(super) clock: fn() -> DateTime<Utc>,
    pub(super) state: State,
    noted: Option<DateTime<Utc>>,
    /// Who it is to others.
    owner: String,
    /// While nobody else follows.
    lease: Option<Lease>,
    /// The files of a folder as they were when they were read.
    pub(super) seen: Seen,
}

impl Follower {
    /// Goes on where the last one ended.
    pub async fn open(
        source: Arc<Source>,
        store: Arc<dyn Store>,
        catalogue: &Catalogue,
        clock: fn() -> DateTime<Utc>,
    ) -> Result<Self, SourceError> {
        let catalogue = catalogue_of(&source, catalogue);
        let taker = Taker::new(store, catalogue, &source);
        let (owner, seen) = (lease::owner(), Seen::new());
        let state = State::default();
        let mut follower =
            Self { source, taker, clock, state, noted: None, owner, lease: None, seen };
        follower.recall().await?;
        Ok(follower)
    }

    /// Where a source stands; `None`: nobody has looked yet.
    pub async fn state(store: &dyn Store, source: &Source) -> Result<Option<State>, SourceError> {
        let known = store.recall(vec![Names::new(&source.name).state()]).await?.pop().flatten();
        Ok(known.and_then(|json| serde_json::from_str(&json).ok()))
    }

    /// Until when somebody follows a source, going by their last sign of life; `None`: nobody does.
    pub async fn followed(
        store: &dyn Store,
        source: &Source,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, SourceError> {
        let known = store.recall(vec![Names::new(&source.name).lease()]).await?.pop().flatten();
        let until = known.as_deref().and_then(Ticket::read).map(|ticket| ticket.until);
        Ok(until.filter(|until| *until > now))
    }

    /// Whether a source holds each of these articles, in their order.
    pub async fn holds(
        store: &dyn Store,
        source: &Source,
        ids: &[ArticleId],
    ) -> Result<Vec<bool>, SourceError> {
        let names = Names::new(&source.name);
        let known = store.recall(ids.iter().map(|id| names.article(id)).collect()).await?;
        let is_held = |value: Option<String>| match value.as_deref().and_then(Hold::read) {
            Some(Hold::By(count)) => count > 0,
            Some(Hold::Gone) | None => false,
        };
        Ok(known.into_iter().map(is_held).collect())
    }

    /// Where it stands by now, whoever looked last.
    async fn recall(&mut self) -> Result<(), SourceError> {
        let known = Self::state(&*self.taker.store, &self.source).await?;
        let mut state = known.unwrap_or_default();
        let says = format!("{:016x}", xxh3_64(self.source.meaning().as_bytes()));
        if state.says != says {
            state = State { says, standing: state.standing, ..State::default() };
        }
        if state != self.state {
            self.state = state;
            // What others have read meanwhile may have been another state of the same file.
            self.seen.clear();
        }
        Ok(())
    }

    /// Sees to it that nobody else follows the source, and goes on from where they stopped.
    pub async fn hold(&mut self, take_over: bool) -> Result<(), SourceError> {
        if self.lease.is_some() {
            return Ok(());
        }
        let (store, name) = (Arc::clone(&self.taker.store), self.taker.names.lease());
        let lease = Lease::take(store, name, &self.owner, self.clock, take_over).await?;
        self.recall().await?;
        self.lease = Some(lease);
        Ok(())
    }

    /// Lets others follow, and writes down where it stands for them.
    pub async fn let_go(&mut self) -> Result<(), SourceError> {
        let Some(lease) = self.lease.take() else { return Ok(()) };
        lease.end(vec![(self.taker.names.state(), Some(self.state.write()))]).await
    }

    /// What it came to so far.
    pub fn standing(&self) -> &Standing {
        &self.state.standing
    }

    /// Looks again and again until it is dropped, and tells how it stands after each look, and whether it follows or stands
    /// by while somebody else does.
    pub async fn follow(&mut self, note: impl Fn(&str, &Standing, bool)) {
        let wake = Arc::new(Notify::new());
        let _watcher = match &self.source.kind {
            Kind::Folder(folder) => folder::watch(&folder.path, Arc::clone(&wake)),
            Kind::Sql(_) | Kind::Feed(_) => None,
        };
        let name = &self.source.name.clone();
        let mut stands_by = false;
        loop {
            let pause = match self.turn().await {
                Ok(round) => {
                    report(name.as_str(), &round);
                    stands_by = false;
                    self.pause()
                }
                // Whether somebody else follows by now, or the store was away for a moment, the next turn finds out.
                Err(SourceError::Overtaken) => Duration::ZERO,
                Err(SourceError::Followed(_)) => {
                    if !std::mem::replace(&mut stands_by, true) {
                        info!("source `{name}`: another process follows it; this one stands by");
                    }
                    lease::BEAT
                }
                Err(error) => {
                    warn!("source `{name}`: {}", chain(&error));
                    self.pause()
                }
            };
            note(name.as_str(), &self.state.standing, self.lease.is_some());
            let _ = tokio::time::timeout(pause, wake.notified()).await;
            tokio::time::sleep(GATHER).await;
        }
    }

    /// A look, unless somebody else follows.
    async fn turn(&mut self) -> Result<Round, SourceError> {
        match self.hold(false).await {
            Ok(()) => self.look_on(How::default()).await,
            Err(error) => {
                if matches!(error, SourceError::Followed(_)) {
                    self.recall().await?;
                } else {
                    let standing = &mut self.state.standing;
                    standing.failures = standing.failures.saturating_add(1);
                }
                Err(error)
            }
        }
    }

    /// Looks once, and lets others look then.
    pub async fn look(&mut self, how: How) -> Result<Round, SourceError> {
        self.hold(how.take_over).await?;
        let looked = self.look_on(how).await;
        let ended = self.let_go().await;
        let round = looked?;
        ended?;
        Ok(round)
    }

    /// Looks once, and stays.
    async fn look_on(&mut self, how: How) -> Result<Round, SourceError> {
        let mut round = Round::default();
        let source = Arc::clone(&self.source);
        let looked = match &source.kind {
            Kind::Sql(sql) => self.look_at_tables(sql, how, &mut round).await,
            Kind::Folder(folder) => self.look_at_folder(folder, how, &mut round).await,
            Kind::Feed(feed) => self.look_at_feed(feed, how, &mut round).await,
        };
        let now = (self.clock)();
        let standing = &mut self.state.standing;
        let was_well = standing.failures == 0 && standing.error.is_none();
        match &looked {
            Ok(()) => {
                standing.looked = Some(now);
                standing.failures = 0;
                standing.error = self.state.doubted.map(|(gone, all)| {
                    format!(
                        "{gone} of {all} articles have gone at once, which is not believed; if it is true, run \
                         `courant source run {} --once --withdraw-all`",
                        source.name
                    )
                });
            }
            // It is with others now, who count for themselves.
            Err(SourceError::Overtaken) => {}
            Err(error) => {
                standing.failures = standing.failures.saturating_add(1);
                standing.error = Some(chain(error));
            }
        }
        let is_well = standing.failures == 0 && standing.error.is_none();
        let is_due = self.noted.is_none_or(|noted| now - noted >= NOTE || now < noted);
        let is_news = is_due || !was_well || !is_well || round.counts.is_news();
        if is_news && self.lease.is_some() {
            let nothing = Page::new(&self.taker.names);
            self.write(nothing, self.state.clone(), &mut Round::default()).await?;
            self.noted = Some(now);
        }
        looked.map(|()| round)
    }

    async fn look_at_tables(
        &mut self,
        sql: &Sql,
        how: How,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        let mut reader = Reader::open(sql).await?;
        let begun = (self.clock)();
        let since = |time: Option<DateTime<Utc>>| {
            time.map_or(Duration::MAX, |time| (begun - time).to_std().unwrap_or_default())
        };
        let is_due = how.all
            || sql.cursor.is_none()
            || self.state.marks.is_empty()
            || sql.reread.is_some_and(|reread| since(self.state.loaded) >= reread);
        if is_due && (self.state.load.is_none() || how.all) {
            self.state.load = Some(Load { begun, after: None, from: reader.newest().await? });
        }
        let loading = self.state.load.as_ref().map(|load| load.begun);
        self.load(&mut reader, sql, round).await?;
        let since_load = loading.and_then(|begun| ((self.clock)() - begun).to_std().ok());
        // What changed while all was read for a moment comes with the next look.
        if since_load.is_none_or(|time| time >= sql.overlap) {
            self.read_new(&mut reader, round).await?;
            self.read_changes(&mut reader, sql, round).await?;
        }
        let belief = if how.withdraw_all { Belief::All } else { Belief::Some };
        let is_told = how.withdraw_all;
        let is_due = sql.sweep.is_some_and(|sweep| since(self.state.swept) >= sweep);
        // Nothing can have gone of what has just come.
        if self.state.swept.is_none() && !how.sweep && !is_told {
            self.state.swept = Some(begun);
        } else if is_due || how.sweep || is_told {
            self.sweep(&mut reader, belief, round).await?;
        }
        Ok(())
    }

    /// Reads all rows, as far as that is still to be done.
    async fn load(
        &mut self,
        reader: &mut Reader<'_>,
        sql: &Sql,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        let zone = self.source.time_zone;
        while let Some(load) = &self.state.load {
            let page = reader.load(load.after.as_ref(), PAGE_ROWS).await?;
            note_columns(round, &page.columns);
            round.without_cursor += page.without_cursor;
            let mut next = self.state.clone();
            match page.last {
                None => next.end_load((self.clock)(), sql.overlap, zone),
                Some((_, key)) => {
                    next.last_key = Some(key.clone()).filter(Value::is_number);
                    next.load = Some(Load { after: Some(key), ..load.clone() });
                }
            }
            self.take(page.entries, next, round).await?;
        }
        Ok(())
    }

    /// Reads rows with keys beyond all that were seen, where keys are numbers: a row that is written with an older date is
    /// not found by its cursor.
    async fn read_new(
        &mut self,
        reader: &mut Reader<'_>,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        while let Some(last) = self.state.last_key.clone().filter(|_| reader.follows()) {
            let page = reader.load(Some(&last), PAGE_ROWS).await?;
            let Some((_, key)) = page.last else { break };
            let next = State { last_key: Some(key), ..self.state.clone() };
            self.take(page.entries, next, round).await?;
        }
        Ok(())
    }

    /// Reads what has changed.
    async fn read_changes(
        &mut self,
        reader: &mut Reader<'_>,
        sql: &Sql,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        let Some(mut mark) = self.state.start(sql.overlap).map(Mark::again) else { return Ok(()) };
        let mut reached = mark.clone();
        loop {
            let at = (self.clock)();
            let page = reader.follow(&mark).await?;
            let mut next = self.state.clone();
            let Some((cursor, key)) = page.last else {
                next.pass(Mark { at, ..reached }, true, sql.overlap);
                self.state = next;
                return Ok(());
            };
            mark = Mark { at, cursor, key: Some(key) };
            // Whoever stood at a time that lies ahead would see nothing until then.
            if !mark.is_ahead(at, self.source.time_zone) {
                reached = mark.clone();
                next.pass(mark.clone(), false, sql.overlap);
            }
            self.take(page.entries, next, round).await?;
        }
    }

    /// Takes entries in, and stands at `next` once that is done.
    pub(super) async fn take(
        &mut self,
        entries: Vec<Entry>,
        next: State,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        let page = self.taker.page(entries).await?;
        self.write(page, next, round).await
    }

    /// Writes a page and where the source stands, in one transaction, if nobody else follows.
    pub(super) async fn write(
        &mut self,
        page: Page,
        next: State,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        let lease = self.lease.as_ref().ok_or(SourceError::Overtaken)?;
        let at_stake = page.at_stake();
        let (batch, step) = page.step(next);
        let step = Arc::new(step);
        let done = match lease.write(batch, at_stake, Arc::clone(&step) as Arc<dyn Plan>).await {
            Ok(done) => done,
            Err(error) => {
                self.lease = None;
                return Err(error);
            }
        };
        let (page, state) = step.conclude(&done);
        self.state = state;
        round.add(page);
        Ok(())
    }

    /// How long to wait: a little more or less each time, so that not all ask at once.
    fn pause(&self) -> Duration {
        let failures = self.state.standing.failures.min(16);
        let pause = self.source.every.saturating_mul(1 << failures);
        let pause = if failures == 0 { pause } else { pause.min(MAX_PAUSE.max(self.source.every)) };
        let mut byte = [0_u8; 1];
        // Without chance, it is the middle.
        let byte = getrandom::fill(&mut byte).map_or(128, |()| byte[0]);
        pause.mul_f64(0.8 + 0.4 * f64::from(byte) / 255.0)
    }
}

/// What records of a source are read by: as those of a file, with the source's own time zone.
pub(super) fn catalogue_of(source: &Source, catalogue: &Catalogue) -> Catalogue {
    let site = &*catalogue.site;
    let time_zone = source.time_zone.unwrap_or(site.time_zone);
    Catalogue { site: Arc::new(Site { time_zone, ..site.clone() }), ..catalogue.clone() }
}

fn note_columns(round: &mut Round, columns: &[String]) {
    if round.unknown.is_empty() {
        round.unknown = preview::unknown(columns);
    }
}

fn report(name: &str, round: &Round) {
    if let Some((gone, all)) = round.doubted {
        warn!("source `{name}`: {gone} of {all} articles have gone at once; they are left");
    }
    if round.without_cursor > 0 {
        let count = round.without_cursor;
        warn!(
            "source `{name}`: {count} rows have no `cursor`; they are read with all rows only (`reread_hours`)"
        );
    }
    if !round.counts.is_news() {
        return;
    }
    let counts = round.counts.all();
    let counts = counts.iter().filter(|(_, count)| *count > 0);
    let counts: Vec<_> = counts.map(|(name, count)| format!("{count} {name}")).collect();
    info!("source `{name}`: {}", counts.join(", "));
    for refusal in round.refusals.iter().take(5) {
        warn!("source `{name}`: {}: {} {}", refusal.key, refusal.field, refusal.problem);
    }
}

/// An error with its causes.
pub(super) fn chain(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
