//! From what a source has to the store: the same checks as for every import, and what came from where.
//!
//! What a source has given is remembered under its key, so that it takes back only what it gave, and brings back only what
//! it took back itself.

use std::{collections::HashSet, num::NonZeroU16, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rayon::prelude::*;
use serde_json::{Map, Value};

use crate::{
    article::{ArticleId, Submission},
    category::Slug,
    feed::Catalogue,
    import::{self, Fault, Piece, Record},
    source::{
        SourceError,
        state::{Counts, Refusal},
    },
    store::{Intake, Outcome, Store},
};

/// Refusals that one look keeps; the rest is counted.
const MAX_REFUSALS: usize = 1_000;
/// Keys that are looked for at a time.
const SWEEP: NonZeroU16 = const { NonZeroU16::new(1_000).expect("it is not zero") };
/// So many may have gone, whatever their share is.
const FEW: u64 = 10;
/// More than so many at once are not believed to have gone.
const MAX_GONE: usize = 100_000;

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

/// What is remembered of something that was taken.
struct Holding {
    id: ArticleId,
    /// The source took it back.
    is_gone: bool,
}

impl Holding {
    fn read(value: &str) -> Option<Self> {
        let (word, id) = value.split_once(' ')?;
        Some(Self { id: ArticleId::new(id)?, is_gone: word == "gone" })
    }

    fn write(&self) -> String {
        format!("{} {}", if self.is_gone { "gone" } else { "here" }, self.id)
    }
}

/// What is to be remembered: names and values.
pub(super) type Entries = Vec<(String, Option<String>)>;

/// Takes what a source has into the store.
pub(super) struct Taker {
    pub(super) store: Arc<dyn Store>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) name: Slug,
    pub(super) id_prefix: String,
}

impl Taker {
    /// Where what it has given is remembered.
    pub(super) fn prefix(&self) -> String {
        format!("source/{}/held/", self.name)
    }

    fn held_as(&self, key: &Value) -> String {
        format!("{}{}", self.prefix(), key_text(key))
    }

    /// Takes entries in, or back; what is to be remembered of them.
    pub(super) async fn take(
        &self,
        entries: Vec<Entry>,
        round: &mut Round,
        now: DateTime<Utc>,
    ) -> Result<Entries, SourceError> {
        let names: Vec<String> = entries.iter().map(|entry| self.held_as(&entry.key)).collect();
        let known = self.store.recall(names.clone()).await?;
        let known: Vec<_> = known.into_iter().map(|value| Holding::read(&value?)).collect();
        round.counts.rows += entries.len() as u64;
        let readings = self.read(entries).await?;
        let (mut new, mut again, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for ((name, known), (key, reading)) in names.into_iter().zip(known).zip(readings) {
            match (reading, known) {
                (None, Some(Holding { id, is_gone: false })) => gone.push((name, id)),
                (None, _) => {}
                (Some(Err(faults)), _) => refuse(round, &key, faults),
                (Some(Ok(submission)), Some(Holding { is_gone: true, .. })) => {
                    again.push((name, key, submission));
                }
                (Some(Ok(submission)), known) => {
                    // Its row has another name for it now.
                    if let Some(other) = known.filter(|known| known.id != submission.id) {
                        gone.push((String::new(), other.id));
                    }
                    new.push((name, key, submission));
                }
            }
        }
        let mut entries = self.withdraw(gone, round, now).await?;
        for (batch, republish) in [(new, false), (again, true)] {
            let intake = Intake { republish, rehearse: false };
            entries.extend(self.upsert(batch, intake, round, now).await?);
        }
        Ok(entries)
    }

    /// What entries say; `None` for one that is not to be read.
    async fn read(
        &self,
        entries: Vec<Entry>,
    ) -> Result<Vec<(Value, Option<Result<Submission, Vec<Fault>>>)>, SourceError> {
        let catalogue = Arc::clone(&self.catalogue);
        let prefix = self.id_prefix.clone();
        let read = move |Entry { key, record, is_published }: Entry| {
            let reading = is_published.then(|| read(&catalogue, &prefix, record));
            (key, reading)
        };
        // Cleaning HTML is most of the work.
        let reading =
            tokio::task::spawn_blocking(move || entries.into_par_iter().map(read).collect());
        reading.await.map_err(|_| SourceError::Closing)
    }

    async fn upsert(
        &self,
        batch: Vec<(String, Value, Submission)>,
        intake: Intake,
        round: &mut Round,
        now: DateTime<Utc>,
    ) -> Result<Entries, SourceError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut submissions = Vec::with_capacity(batch.len());
        let mut names = Vec::with_capacity(batch.len());
        for (name, key, submission) in batch {
            names.push((name, key, submission.id.clone()));
            submissions.push(submission);
        }
        let receipt = self.store.upsert(submissions, intake, now).await?;
        let mut entries = Vec::new();
        for ((name, key, id), outcome) in names.into_iter().zip(receipt.outcomes) {
            if let Some(problem) = count(&mut round.counts, &outcome) {
                refuse(round, &key, vec![Fault { field: "guid".to_owned(), problem }]);
                continue;
            }
            entries.push((name, Some(Holding { id, is_gone: false }.write())));
        }
        Ok(entries)
    }

    /// Takes articles back, each with the name under which it is remembered.
    async fn withdraw(
        &self,
        gone: Vec<(String, ArticleId)>,
        round: &mut Round,
        now: DateTime<Utc>,
    ) -> Result<Entries, SourceError> {
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let ids = gone.iter().map(|(_, id)| id.clone()).collect();
        let outcomes = self.store.withdraw(ids, now).await?;
        let is_withdrawn = |outcome: &&Option<Outcome>| matches!(outcome, Some(Outcome::Retired));
        round.counts.withdrawn += outcomes.iter().filter(is_withdrawn).count() as u64;
        let named = gone.into_iter().filter(|(name, _)| !name.is_empty());
        let entries = named.map(|(name, id)| (name, Some(Holding { id, is_gone: true }.write())));
        Ok(entries.collect())
    }

    /// Takes back what the source does not have any more. More than is believed is left, unless `is_told`.
    ///
    /// What was taken is gone through in the order of its names, a page at a time, and the source is asked which of the page
    /// it still has: neither side ever holds more than a page.
    pub(super) async fn sweep(
        &self,
        presence: &mut dyn Presence,
        is_told: bool,
        round: &mut Round,
        now: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        let prefix = self.prefix();
        let before = round.counts.withdrawn;
        let mut after = prefix.clone();
        let (mut gone, mut all, mut count) = (Vec::new(), 0_u64, 0_u64);
        loop {
            let page = self.store.recall_after(&prefix, &after, SWEEP).await?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            let mut here = Vec::new();
            for (name, value) in page {
                let key = serde_json::from_str::<Value>(&name[prefix.len()..]);
                if let (Ok(key), Some(Holding { id, is_gone: false })) =
                    (key, Holding::read(&value))
                {
                    here.push((name, key, id));
                }
            }
            if here.is_empty() {
                continue;
            }
            all += here.len() as u64;
            let keys = here.iter().map(|(_, key, _)| key.clone()).collect();
            let present: HashSet<String> = presence.present(keys).await?.into_iter().collect();
            here.retain(|(_, key, _)| !present.contains(&key_text(key)));
            count += here.len() as u64;
            let here: Vec<_> = here.into_iter().map(|(name, _, id)| (name, id)).collect();
            if is_told {
                let entries = self.withdraw(here, round, now).await?;
                self.store.remember(entries).await?;
            } else if gone.len() < MAX_GONE {
                gone.extend(here);
            }
        }
        let is_doubtful = count > 0
            && (count == all || (count > FEW && count * 2 > all) || count > MAX_GONE as u64);
        if is_doubtful && !is_told {
            round.doubted = Some((count, all));
            return Ok(());
        }
        for part in gone.chunks(usize::from(SWEEP.get())) {
            let entries = self.withdraw(part.to_vec(), round, now).await?;
            self.store.remember(entries).await?;
        }
        round.swept = round.counts.withdrawn - before;
        Ok(())
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

/// Counts an outcome; why the article was not taken, if so.
fn count(counts: &mut Counts, outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Published => counts.published += 1,
        Outcome::Held => counts.held += 1,
        Outcome::Expired => counts.expired += 1,
        Outcome::Edited => counts.edited += 1,
        Outcome::Corrected => counts.corrected += 1,
        Outcome::Unchanged => counts.unchanged += 1,
        Outcome::Retired => counts.retired += 1,
        Outcome::GuidTaken { by } => {
            return Some(format!(
                "belongs to the article `{by}` already; give each article a guid of its own"
            ));
        }
    }
    None
}

fn refuse(round: &mut Round, key: &Value, faults: Vec<Fault>) {
    round.counts.refused += 1;
    for Fault { field, problem } in faults {
        if round.refusals.len() < MAX_REFUSALS {
            let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            round.refusals.push(Refusal { key, field, problem });
        }
    }
}
