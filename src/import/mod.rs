//! Articles in: records are read, checked, and taken into the store in batches.

pub mod charset;
mod convert;
mod date;
mod entry;
mod episode;
pub mod feed;
mod file;
mod input;
mod kind;
pub mod markdown;
mod opml;
pub mod page;
mod parse;
mod plausible;
mod record;
mod transcode;
mod value;
pub mod visibility;
mod wordpress;
mod xml;

pub use convert::{Fault, Reading, read, read_record, summary_of};
pub use file::{Item, Items};
pub(crate) use input::guarded;
pub use input::{Open, Piece, Reading as HowToRead, Source, Sources};
pub use kind::Kind;
pub use opml::{Followed, read as read_opml, sections};
pub use record::{Key, PersonRecord, Record, SourceRecord, schema};
pub use transcode::{Utf8, utf8};
pub use wordpress::{
    Index as WordPressIndex, Posts, Wanted, content_html as wordpress_html,
    excerpt as wordpress_excerpt,
};

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use serde::Serialize;

use crate::{
    article::{ArticleId, Revision, Submission},
    feed::Catalogue,
    import::input::Content,
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
    /// Passed over because nobody was meant to read it, by what it is: drafts, say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub passed: BTreeMap<String, u64>,
    /// Fields of foreign material that could not be read and were left out, and how often.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, u64>,
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

    fn refuse(&mut self, (file, line): &Place, faults: Vec<Fault>) {
        self.refused += 1;
        for Fault { field, problem } in faults {
            if self.refusals.len() < MAX_REFUSALS {
                let (file, line) = (file.as_ref().to_owned(), *line);
                self.refusals.push(Refusal { file, line, field, problem });
            }
        }
    }

    fn count(&mut self, place: &Place, id: ArticleId, outcome: &Outcome) {
        if let Some((field, problem)) = outcome.refusal(&id) {
            self.refuse(place, vec![Fault { field: field.to_owned(), problem }]);
        }
        match outcome {
            Outcome::Published => self.published += 1,
            Outcome::Held => self.held += 1,
            Outcome::Expired => self.expired += 1,
            Outcome::Edited => self.edited += 1,
            Outcome::Corrected => self.corrected += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Retired => self.retired.push(id),
            Outcome::GuidTaken { .. }
            | Outcome::GuidReserved
            | Outcome::OtherGuid { .. }
            | Outcome::OtherFile { .. } => {}
        }
    }
}

/// Records that have been read: where each stands, and what it says.
struct Batch {
    readings: Vec<(Place, Result<Reading, Fault>)>,
    /// Their size as text.
    bytes: u64,
}

/// A file, and a line of it.
type Place = (Arc<str>, usize);

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

    /// Takes in records wherever they stand; see [`Sources`]. `clock` tells the time of each batch; `progress` is told the
    /// bytes read. Where it ends with an error of the store, what was acknowledged before is kept.
    pub async fn take(
        &mut self,
        mut pieces: impl Iterator<Item = Piece>,
        clock: impl Fn() -> DateTime<Utc>,
        mut progress: impl FnMut(u64),
    ) -> Result<(), StoreError> {
        let mut next = self.read_batch(&mut pieces);
        while let Some(batch) = next {
            let (places, submissions) = self.look_through(batch.readings);
            let writing = async {
                if submissions.is_empty() {
                    return Ok(None);
                }
                self.store.upsert(submissions, self.intake, clock()).await.map(Some)
            };
            // The store works on threads of its own: meanwhile, the next batch is read.
            let (written, read) = tokio::join!(writing, async { self.read_batch(&mut pieces) });
            if let Some(receipt) = written? {
                self.report.revision = receipt.revision;
                for ((place, id), outcome) in places.into_iter().zip(receipt.outcomes) {
                    self.report.count(&place, id, &outcome);
                }
            }
            progress(batch.bytes);
            next = read;
        }
        Ok(())
    }

    fn read_batch(&self, pieces: &mut impl Iterator<Item = Piece>) -> Option<Batch> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
            let Some(piece) = pieces.next() else { break };
            bytes += piece.bytes();
            taken.push(piece);
        }
        if taken.is_empty() {
            return None;
        }
        // Cleaning HTML is most of the work, and records know nothing of each other.
        let read = |Piece { file, line, content, folder }: Piece| {
            let unread = |problem| Fault { field: String::new(), problem };
            let reading = match content {
                Content::Json(Ok(text)) => guarded(|| read(self.catalogue, &text)).map_err(unread),
                Content::Json(Err(problem)) => Err(unread(problem)),
                Content::Record(record) => record.and_then(|record| {
                    guarded(|| read_record(self.catalogue, record)).map_err(unread)
                }),
            };
            let reading = reading.map(|mut reading| {
                if let Ok(submission) = &mut reading.submission {
                    submission.origin.folder = folder;
                }
                reading
            });
            ((file, line), reading)
        };
        let readings = taken.into_par_iter().map(read).collect();
        Some(Batch { readings, bytes: u64::try_from(bytes).unwrap_or_default() })
    }

    /// Notes what there is to say of the records, and gives the good ones, with the place of each.
    fn look_through(
        &mut self,
        readings: Vec<(Place, Result<Reading, Fault>)>,
    ) -> (Vec<(Place, ArticleId)>, Vec<Submission>) {
        self.report.records += u64::try_from(readings.len()).unwrap_or_default();
        let (mut places, mut submissions) = (Vec::new(), Vec::new());
        for (place, reading) in readings {
            let submission = match reading {
                Ok(Reading { submission, unknown, dropped, left_out }) => {
                    self.report.note(unknown, dropped);
                    for field in left_out {
                        *self.report.left_out.entry(field).or_default() += 1;
                    }
                    submission
                }
                Err(fault) => Err(vec![fault]),
            };
            match submission {
                Ok(submission) => {
                    places.push((place, submission.id.clone()));
                    submissions.push(submission);
                }
                Err(faults) => self.report.refuse(&place, faults),
            }
        }
        (places, submissions)
    }

    /// Notes what was passed over, by what it is.
    pub fn pass_over(&mut self, passed: BTreeMap<String, u64>) {
        self.report.passed = passed;
    }

    /// What it came to.
    pub fn finish(self) -> Report {
        self.report
    }
}
