//! From what a source has to the store: the same checks as for every import.

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use rayon::prelude::*;
use serde_json::{Map, Value};

use crate::{
    article::{ArticleId, Submission},
    feed::Catalogue,
    import::{self, Fault, Piece, Record, guarded},
    source::{
        Source, SourceError,
        holding::{Hold, Holdings, Names, Turn},
        state::{Counts, Refusal, State},
    },
    store::{Done, Entries, Outcome, Plan, Store},
};

/// Refusals that one look keeps; the rest is counted.
pub(super) const MAX_REFUSALS: usize = 1_000;

/// What a source has under a key.
#[derive(Debug)]
pub(super) struct Entry {
    /// A number or a text.
    pub(super) key: Value,
    /// A record, or why there is none.
    pub(super) record: Result<Given, String>,
    /// Whether it is to be read.
    pub(super) is_published: bool,
}

/// A record in one of the forms that it comes in.
#[derive(Debug)]
pub(super) enum Given {
    /// JSON, made from columns.
    Json(Map<String, Value>),
    /// Read already.
    Record(Box<Record>),
    /// Out of a file.
    Piece(Box<Piece>),
}

/// What one look came to.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// What was read.
    pub counts: Counts,
    /// What was not taken, the first of it.
    pub refusals: Vec<Refusal>,
    /// Columns that are no fields.
    pub unknown: Vec<String>,
    /// So many of all published rows have nothing in their `cursor`: they are seen only when all rows are read.
    pub without_cursor: u64,
    /// So many were taken back because they have gone.
    pub swept: u64,
    /// So many of so many have gone, and were not taken back: that is more than is believed.
    pub doubted: Option<(u64, u64)>,
}

/// Tells which keys are still there.
#[async_trait]
pub(super) trait Presence: Send {
    /// Those of these keys that are, as texts.
    async fn present(&mut self, keys: Vec<Value>) -> Result<Vec<String>, SourceError>;
}

/// A key as text, which tells numbers and texts apart.
pub(super) fn key_text(key: &Value) -> String {
    key.to_string()
}

/// Reads what a source has, and finds out what is to be written.
pub(super) struct Taker {
    pub(super) store: Arc<dyn Store>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) names: Names,
    pub(super) id_prefix: String,
    /// Whether the guids of its entries may lie where the store mints identities.
    pub(super) is_own: bool,
}

/// What is to be written together.
#[derive(Debug)]
pub(super) struct Page {
    /// Articles that are handed in; whether each is published again should it be withdrawn.
    pub(super) batch: Vec<(Submission, bool)>,
    /// The key of each, and of its article.
    keys: Vec<(Value, ArticleId)>,
    pub(super) holdings: Holdings,
    /// What is known of it before it is written.
    round: Round,
}

/// What is to be written, and where the source stands afterwards.
pub(super) struct Step {
    keys: Vec<(Value, ArticleId)>,
    holdings: Holdings,
    round: Round,
    next: State,
}

impl Taker {
    pub(super) fn new(store: Arc<dyn Store>, catalogue: Catalogue, source: &Source) -> Self {
        let (catalogue, names) = (Arc::new(catalogue), Names::new(&source.name));
        let (id_prefix, is_own) = (source.id_prefix.clone(), source.is_own);
        Self { store, catalogue, names, id_prefix, is_own }
    }

    /// What is to be done with entries.
    pub(super) async fn page(&self, entries: Vec<Entry>) -> Result<Page, SourceError> {
        let mut page = Page::new(&self.names);
        page.round.counts.rows = entries.len() as u64;
        let key = |entry: &Entry| self.names.key(&key_text(&entry.key));
        let names: Vec<String> = entries.iter().map(key).collect();
        let known = self.store.recall(names.clone()).await?;
        let held = names.iter().cloned().zip(known);
        let held = held.filter_map(|(name, id)| Some((name, ArticleId::new(&id?)?)));
        page.holdings.keys = held.collect();
        for (name, (key, reading)) in names.into_iter().zip(self.read(entries).await?) {
            let turn = match reading {
                None => Turn::Away,
                Some(Ok(submission)) => {
                    let turn = Turn::To(submission.id.clone(), page.batch.len());
                    page.keys.push((key, submission.id.clone()));
                    page.batch.push((submission, false));
                    turn
                }
                Some(Err(faults)) => {
                    page.round.refuse(&key, faults);
                    continue;
                }
            };
            page.holdings.turns.push((name, turn));
        }
        self.count(&mut page.holdings).await?;
        for (submission, republish) in &mut page.batch {
            *republish = page.holdings.took_back(&submission.id);
        }
        Ok(page)
    }

    /// Finds out how the articles are held that something is to be done with.
    pub(super) async fn count(&self, holdings: &mut Holdings) -> Result<(), SourceError> {
        let coming = holdings.turns.iter().filter_map(|(_, turn)| match turn {
            Turn::To(id, _) => Some(id),
            Turn::Away => None,
        });
        let ids: HashSet<&ArticleId> = holdings.keys.values().chain(coming).collect();
        let ids: Vec<ArticleId> = ids.into_iter().cloned().collect();
        let names = ids.iter().map(|id| self.names.article(id)).collect();
        let known = self.store.recall(names).await?;
        let known = ids.into_iter().zip(known);
        let known = known.filter_map(|(id, value)| Some((id, Hold::read(&value?)?)));
        holdings.articles = known.collect();
        Ok(())
    }

    /// What entries say; `None` for one that is not to be read.
    async fn read(
        &self,
        entries: Vec<Entry>,
    ) -> Result<Vec<(Value, Option<Result<Submission, Vec<Fault>>>)>, SourceError> {
        let catalogue = Arc::clone(&self.catalogue);
        let (prefix, is_own) = (self.id_prefix.clone(), self.is_own);
        let read = move |Entry { key, record, is_published }: Entry| {
            let reading = is_published.then(|| {
                let unread = |problem| vec![Fault { field: String::new(), problem }];
                let read = guarded(|| read(&catalogue, &prefix, record)).map_err(unread)?;
                let mut submission = read?;
                submission.origin.is_own = is_own;
                Ok(submission)
            });
            (key, reading)
        };
        // Cleaning HTML is most of the work.
        let reading =
            tokio::task::spawn_blocking(move || entries.into_par_iter().map(read).collect());
        reading.await.map_err(|_| SourceError::Closing)
    }
}

impl Page {
    /// Nothing.
    pub(super) fn new(names: &Names) -> Self {
        Self {
            batch: Vec::new(),
            keys: Vec::new(),
            holdings: Holdings::new(names),
            round: Round::default(),
        }
    }

    /// Articles that may be taken back.
    pub(super) fn at_stake(&self) -> Vec<ArticleId> {
        let ids: HashSet<&ArticleId> = self.holdings.keys.values().collect();
        ids.into_iter().cloned().collect()
    }

    /// The batch, and what comes of it: the source stands at `next`.
    pub(super) fn step(self, next: State) -> (Vec<(Submission, bool)>, Step) {
        let Self { batch, keys, holdings, round } = self;
        (batch, Step { keys, holdings, round, next })
    }
}

impl Step {
    /// What became of it, and where the source stands.
    pub(super) fn conclude(&self, done: &Done) -> (Round, State) {
        let (mut round, mut next) = (self.round.clone(), self.next.clone());
        for ((key, id), outcome) in self.keys.iter().zip(&done.taken) {
            count(&mut round.counts, outcome);
            if let Some((field, problem)) = outcome.refusal(id) {
                round.refuse(key, vec![Fault { field: field.to_owned(), problem }]);
            }
        }
        let is_withdrawn = |outcome: &&Option<Outcome>| matches!(outcome, Some(Outcome::Retired));
        round.counts.withdrawn = done.withdrawn.iter().filter(is_withdrawn).count() as u64;
        next.standing.counts.add(&round.counts);
        next.standing.refuse(&round.refusals);
        (round, next)
    }
}

impl Plan for Step {
    fn withdrawals(&self, taken: &[Outcome]) -> Vec<ArticleId> {
        self.holdings.withdrawals(taken)
    }

    fn entries(&self, done: &Done) -> Entries {
        let mut entries = self.holdings.entries(done);
        entries.push((self.holdings.names.state(), Some(self.conclude(done).1.write())));
        entries
    }
}

impl Round {
    /// Adds what a page came to.
    pub(super) fn add(&mut self, page: Self) {
        self.counts.add(&page.counts);
        let room = MAX_REFUSALS.saturating_sub(self.refusals.len());
        self.refusals.extend(page.refusals.into_iter().take(room));
    }

    fn refuse(&mut self, key: &Value, faults: Vec<Fault>) {
        self.counts.refused += 1;
        for Fault { field, problem } in faults {
            if self.refusals.len() < MAX_REFUSALS {
                let key =
                    key.as_str().map_or_else(|| key.to_string(), |key| key.replace('\t', " "));
                self.refusals.push(Refusal { key, field, problem });
            }
        }
    }
}

/// What a record says, under a key that no other source has.
pub(super) fn read(
    catalogue: &Catalogue,
    id_prefix: &str,
    record: Result<Given, String>,
) -> Result<Submission, Vec<Fault>> {
    let fault = |field: &str, problem: String| vec![Fault { field: field.to_owned(), problem }];
    let mut submission = match record.map_err(|problem| fault("", problem))? {
        Given::Json(record) => import::read(catalogue, &Value::Object(record).to_string()),
        Given::Record(record) => import::read_record(catalogue, *record),
        Given::Piece(piece) => piece.read(catalogue).map_err(|problem| fault("", problem))?,
    }
    .submission?;
    if !id_prefix.is_empty() {
        let id = ArticleId::new(&format!("{id_prefix}{}", submission.id));
        submission.id =
            id.ok_or_else(|| fault("id", "too long with its `id_prefix`".to_owned()))?;
    }
    Ok(submission)
}

/// Counts an outcome; refusals are counted with their reasons.
fn count(counts: &mut Counts, outcome: &Outcome) {
    match outcome {
        Outcome::Published => counts.published += 1,
        Outcome::Held => counts.held += 1,
        Outcome::Expired => counts.expired += 1,
        Outcome::Edited => counts.edited += 1,
        Outcome::Corrected => counts.corrected += 1,
        Outcome::Unchanged => counts.unchanged += 1,
        Outcome::Retired => counts.retired += 1,
        Outcome::GuidTaken { .. }
        | Outcome::GuidReserved
        | Outcome::OtherGuid { .. }
        | Outcome::OtherFile { .. } => {}
    }
}
