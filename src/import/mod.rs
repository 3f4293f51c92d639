//! Articles in: records are read, checked, and taken into the store in batches.

pub mod charset;
mod convert;
mod date;
mod entry;
mod episode;
pub mod feed;
mod file;
pub mod markdown;
mod matter;
mod parse;
mod plausible;
mod record;
mod value;
mod xml;

pub use convert::{Fault, Reading, read, read_record, summary_of};
pub use file::{Item, Items};
pub use record::{Key, PersonRecord, Record, SourceRecord, schema};

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
};

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use serde::Serialize;

use crate::{
    article::{ArticleId, Revision, Submission},
    feed::Catalogue,
    store::{Intake, Outcome, Store, StoreError},
};

/// Most records of one batch, which is one revision.
const BATCH_RECORDS: usize = 4_000;
/// Most bytes of records in one batch.
const BATCH_BYTES: usize = 8 << 20;
/// Most refusals that a report keeps; the rest is counted.
const MAX_REFUSALS: usize = 1_000;

/// Most names of fields that are not part of a record.
const MAX_UNKNOWN: usize = 1_000;

/// A record out of a file of another kind than records, or why there is none.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it begins, the first line being 1.
    pub line: usize,
    /// What [`read_record`] takes.
    pub record: Result<Record, Fault>,
}

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
    fn note(&mut self, unknown: Vec<String>, dropped: u64) {
        self.dropped += dropped;
        for field in unknown {
            // A hostile file has as many names as it likes.
            if self.unknown.len() < MAX_UNKNOWN || self.unknown.contains_key(&field) {
                *self.unknown.entry(field).or_default() += 1;
            }
        }
    }

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

/// Records that have been read: the line of each, and what it says.
struct Batch {
    readings: Vec<(usize, Result<Reading, String>)>,
    /// Their size as text.
    bytes: u64,
}

/// Takes the records of one input after another into a store.
pub struct Importer<'a> {
    store: &'a dyn Store,
    catalogue: &'a Catalogue,
    intake: Intake,
    report: Report,
}

impl<'a> Importer<'a> {
    /// Nothing taken yet.
    pub fn new(store: &'a dyn Store, catalogue: &'a Catalogue, intake: Intake) -> Self {
        Self { store, catalogue, intake, report: Report::default() }
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
        let mut items = Items::open(input).map_err(failed)?;
        let mut next = self.read_batch(&mut items).map_err(failed)?;
        while let Some(batch) = next {
            let (lines, submissions) = self.look_through(file, batch.readings);
            let writing = async {
                if submissions.is_empty() {
                    return Ok(None);
                }
                self.store.upsert(submissions, self.intake, clock()).await.map(Some)
            };
            // The store works on threads of its own: meanwhile, the next batch is read.
            let (written, read) = tokio::join!(writing, async { self.read_batch(&mut items) });
            if let Some(receipt) = written? {
                self.report.revision = receipt.revision;
                for ((line, id), outcome) in lines.into_iter().zip(receipt.outcomes) {
                    self.report.count(file, line, id, outcome);
                }
            }
            progress(batch.bytes);
            next = read.map_err(failed)?;
        }
        Ok(())
    }

    fn read_batch(&self, items: &mut Items<impl BufRead>) -> io::Result<Option<Batch>> {
        let (mut texts, mut bytes) = (Vec::new(), 0);
        while texts.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
            let Some(item) = items.next().transpose()? else { break };
            bytes += item.text.as_ref().map_or(0, String::len);
            texts.push(item);
        }
        if texts.is_empty() {
            return Ok(None);
        }
        // Cleaning HTML is most of the work, and records know nothing of each other.
        let read = |Item { line, text }: Item| (line, text.map(|text| read(self.catalogue, &text)));
        let readings = texts.into_par_iter().map(read).collect();
        Ok(Some(Batch { readings, bytes: u64::try_from(bytes).unwrap_or_default() }))
    }

    /// Notes what there is to say of the records, and gives the good ones, with the line of each.
    fn look_through(
        &mut self,
        file: &str,
        readings: Vec<(usize, Result<Reading, String>)>,
    ) -> (Vec<(usize, ArticleId)>, Vec<Submission>) {
        self.report.records += u64::try_from(readings.len()).unwrap_or_default();
        let (mut lines, mut submissions) = (Vec::new(), Vec::new());
        for (line, reading) in readings {
            let submission = match reading {
                Ok(Reading { submission, unknown, dropped }) => {
                    self.report.note(unknown, dropped);
                    submission
                }
                Err(problem) => Err(vec![Fault { field: String::new(), problem }]),
            };
            match submission {
                Ok(submission) => {
                    lines.push((line, submission.id.clone()));
                    submissions.push(submission);
                }
                Err(faults) => self.report.refuse(file, line, faults),
            }
        }
        (lines, submissions)
    }

    /// What it came to.
    pub fn finish(self) -> Report {
        self.report
    }
}
