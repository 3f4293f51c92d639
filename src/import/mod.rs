//! Articles in: records are read, checked, and taken into the store in batches.

mod convert;
mod date;
mod file;
mod parse;
mod record;
mod value;

pub use convert::{Fault, Reader};
pub use file::{Item, Items};
pub use record::{Record, schema};

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    article::{ArticleId, Revision, Submission},
    feed::Catalogue,
    store::{Intake, Outcome, Store, StoreError},
};

/// Most records of one batch, which is one revision.
const BATCH_RECORDS: usize = 1_000;
/// Most bytes of records in one batch.
const BATCH_BYTES: usize = 8 << 20;
/// Most refusals that a report keeps; the rest is counted.
const MAX_REFUSALS: usize = 1_000;

/// Why an import stopped. What was acknowledged before is kept.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input failed.
    #[error("cannot read `{0}`")]
    Read(String, #[source] io::Error),
    /// The store failed.
    #[error("cannot write to the store")]
    Store(#[from] StoreError),
}

/// A record that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Of which file.
    pub file: String,
    /// Where the record begins, the first line being 1.
    pub line: usize,
    /// Which field; empty for the whole record.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// What an import came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Records seen, good and bad.
    pub records: u64,
    /// New and to be read.
    pub published: u64,
    /// Waiting for their time.
    pub held: u64,
    /// Over already.
    pub expired: u64,
    /// Changed, readers are told.
    pub edited: u64,
    /// Changed quietly.
    pub corrected: u64,
    /// Nothing new in them.
    pub unchanged: u64,
    /// Withdrawn before, and left so.
    pub retired: Vec<ArticleId>,
    /// Records refused.
    pub refused: u64,
    /// Why, the first of them.
    pub refusals: Vec<Refusal>,
    /// Fields that are not part of a record, and how often each came.
    pub unknown: BTreeMap<String, u64>,
    /// Characters left out because no format can carry them.
    pub dropped: u64,
    /// The newest revision afterwards.
    pub revision: Revision,
}

impl Report {
    fn refuse(&mut self, file: &str, line: usize, faults: Vec<Fault>) {
        self.refused += 1;
        for Fault { field, problem } in faults {
            if self.refusals.len() < MAX_REFUSALS {
                self.refusals.push(Refusal { file: file.to_owned(), line, field, problem });
            }
        }
    }

    fn count(&mut self, file: &str, line: usize, id: ArticleId, outcome: Outcome) {
        match outcome {
            Outcome::Published => self.published += 1,
            Outcome::Held => self.held += 1,
            Outcome::Expired => self.expired += 1,
            Outcome::Edited => self.edited += 1,
            Outcome::Corrected => self.corrected += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Retired => self.retired.push(id),
            Outcome::GuidTaken { by } => {
                let problem = format!(
                    "belongs to the article `{by}` already; give each article a guid of its own"
                );
                self.refuse(file, line, vec![Fault { field: "guid".to_owned(), problem }]);
            }
        }
    }
}

/// Takes the records of one input after another into a store.
pub struct Importer<'a> {
    store: &'a dyn Store,
    reader: Reader<'a>,
    intake: Intake,
    batch: Vec<Submission>,
    lines: Vec<usize>,
    report: Report,
}

impl<'a> Importer<'a> {
    /// Nothing taken yet.
    pub fn new(store: &'a dyn Store, catalogue: &'a Catalogue, intake: Intake) -> Self {
        let reader = Reader::new(catalogue);
        Self {
            store,
            reader,
            intake,
            batch: Vec::new(),
            lines: Vec::new(),
            report: Report::default(),
        }
    }

    /// Takes in the records of an input. `clock` tells the time of each batch; `progress` is told the bytes read.
    pub async fn take(
        &mut self,
        file: &str,
        input: impl BufRead,
        clock: impl Fn() -> DateTime<Utc>,
        mut progress: impl FnMut(u64),
    ) -> Result<(), ImportError> {
        let failed = |error| ImportError::Read(file.to_owned(), error);
        let mut bytes = 0;
        for item in Items::open(input).map_err(failed)? {
            let Item { line, text } = item.map_err(failed)?;
            self.report.records += 1;
            let text = text.map_err(|problem| vec![Fault { field: String::new(), problem }]);
            let length = text.as_ref().map_or(0, String::len);
            match text.and_then(|text| self.reader.read(&text)) {
                Ok(submission) => {
                    self.batch.push(submission);
                    self.lines.push(line);
                }
                Err(faults) => self.report.refuse(file, line, faults),
            }
            bytes += length;
            progress(u64::try_from(length).unwrap_or_default());
            if self.batch.len() >= BATCH_RECORDS || bytes >= BATCH_BYTES {
                bytes = 0;
                self.flush(file, clock()).await?;
            }
        }
        self.flush(file, clock()).await
    }

    async fn flush(&mut self, file: &str, now: DateTime<Utc>) -> Result<(), ImportError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let ids: Vec<_> = batch.iter().map(|submission| submission.id.clone()).collect();
        let receipt = self.store.upsert(batch, self.intake, now).await?;
        self.report.revision = receipt.revision;
        let lines = std::mem::take(&mut self.lines);
        for ((line, id), outcome) in lines.into_iter().zip(ids).zip(receipt.outcomes) {
            self.report.count(file, line, id, outcome);
        }
        Ok(())
    }

    /// What it came to.
    pub fn finish(self) -> Report {
        Report { unknown: self.reader.unknown, dropped: self.reader.dropped, ..self.report }
    }
}
