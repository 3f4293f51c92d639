//! `PUT`, `POST`, `GET` and `DELETE` of articles as JSON: what is asked for, and what is answered.

use std::io;

use http::{StatusCode, header};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    article::{ArticleId, Revision, Submission},
    feed::Catalogue,
    import::{self, Fault, Items, Reading},
    push::{
        record,
        reply::{FieldError, Problem, Reply},
    },
    store::{Effect, Effects, Fate, Operation, Outcome, Precondition, Refused, Stored, Task},
};

/// What became of an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It can be read from now on.
    Published,
    /// It waits for its time.
    Held,
    /// Its time is over.
    Expired,
    /// Changed, and readers are told.
    Edited,
    /// Changed quietly.
    Corrected,
    /// Nothing new.
    Unchanged,
    /// Taken back.
    Withdrawn,
    /// Nothing was done.
    Refused,
}

impl From<&Fate> for Became {
    fn from(fate: &Fate) -> Self {
        match fate {
            Fate::Taken(Outcome::Published) => Self::Published,
            Fate::Taken(Outcome::Held) => Self::Held,
            Fate::Taken(Outcome::Expired) => Self::Expired,
            Fate::Taken(Outcome::Edited) => Self::Edited,
            Fate::Taken(Outcome::Corrected) => Self::Corrected,
            Fate::Taken(Outcome::Unchanged) | Fate::WithdrawnBefore => Self::Unchanged,
            Fate::Withdrawn => Self::Withdrawn,
            Fate::Taken(
                Outcome::Retired
                | Outcome::GuidTaken { .. }
                | Outcome::GuidReserved
                | Outcome::OtherGuid { .. }
                | Outcome::OtherFile { .. },
            )
            | Fate::Refused(_) => Self::Refused,
        }
    }
}

/// The answer to a write of one article.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Written {
    /// The publisher's key.
    pub id: String,
    /// What became of it.
    pub result: Became,
    /// The write that gave the article its state; its tag is `"r…"` with this number.
    pub revision: u64,
    /// The newest write of the store.
    pub head: u64,
    /// Fields that are not part of a record, and were left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub unknown: Vec<String>,
    /// Characters that no feed can carry, and were left out.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(default)]
    pub dropped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The answer to a batch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BatchWritten {
    /// The newest write of the store.
    pub head: u64,
    /// How many records the store now has as they are here.
    pub taken: usize,
    /// How many were refused.
    pub refused: usize,
    /// One for each record, in their order.
    pub results: Vec<LineWritten>,
}

/// What became of a record of a batch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LineWritten {
    /// Where the record begins, the first line of the body being 1.
    pub line: usize,
    /// The publisher's key, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What became of it.
    pub result: Became,
    /// The write that gave the article its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub errors: Vec<FieldError>,
    /// Fields that are not part of a record, and were left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub unknown: Vec<String>,
    /// Characters that no feed can carry, and were left out.
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(default)]
    pub dropped: u64,
}

/// The answer to GET.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StoredBody {
    /// The write that gave the article its state; its tag is `"r…"` with this number.
    pub revision: u64,
    /// `published`, `draft`, `held` or `expired`.
    pub state: &'static str,
    /// When readers first could read it, or will.
    pub published: String,
    /// Its last significant change.
    pub updated: String,
    /// Its last change.
    pub edited: String,
    /// What could be handed in to make it what it is.
    #[schemars(with = "import::Record")]
    pub record: Map<String, Value>,
}

/// A record that was read.
#[derive(Debug)]
pub struct Single {
    /// What it stands for.
    pub submission: Submission,
    unknown: Vec<String>,
    dropped: u64,
}

/// Reads the body of a PUT. The path says the id; the record may say it too.
pub fn single(catalogue: &Catalogue, id: &ArticleId, body: &[u8]) -> Result<Single, Problem> {
    let wrong = |problem: &str| {
        Problem::Record(vec![FieldError { field: String::new(), problem: problem.to_owned() }])
    };
    let text = str::from_utf8(body).map_err(|_| wrong("broken UTF-8; send the record as UTF-8"))?;
    let mut text = text.trim_start_matches('\u{feff}').to_owned();
    if let Ok(mut record) = serde_json::from_str::<Map<String, Value>>(&text)
        && record.get("id").is_none_or(Value::is_null)
    {
        record.insert("id".to_owned(), id.as_str().into());
        text = serde_json::to_string(&record).expect("text keys");
    }
    let Reading { submission, unknown, dropped, .. } = import::read(catalogue, &text);
    let submission = submission.map_err(refused)?;
    if submission.id != *id {
        return Err(Problem::Record(vec![FieldError {
            field: "id".to_owned(),
            problem: format!("the address says `{id}`; leave it out, or write the same"),
        }]));
    }
    Ok(Single { submission, unknown, dropped })
}

fn refused(faults: Vec<Fault>) -> Problem {
    Problem::Record(faults.into_iter().map(FieldError::from).collect())
}

impl Single {
    /// What is answered once it was done; `address` is where the article is.
    pub fn answer(&self, effect: &Effect, head: Revision, address: &Url) -> Reply {
        written(effect, head, address, self.unknown.clone(), self.dropped)
    }
}

/// What is answered to a DELETE.
pub fn withdrawn(effect: &Effect, head: Revision, address: &Url) -> Reply {
    written(effect, head, address, Vec::new(), 0)
}

fn written(
    effect: &Effect,
    head: Revision,
    address: &Url,
    unknown: Vec<String>,
    dropped: u64,
) -> Reply {
    if let Fate::Refused(refused) = &effect.fate {
        return Problem::of(refused, effect.revision).reply();
    }
    let is_gone = matches!(effect.fate, Fate::Withdrawn | Fate::WithdrawnBefore);
    let status = if effect.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = Written {
        id: effect.id.to_string(),
        result: Became::from(&effect.fate),
        revision: effect.revision.unwrap_or_default().0,
        head: head.0,
        unknown,
        dropped,
    };
    let reply = Reply::json(status, &body);
    // What is gone has no representation, and no tag.
    let reply = reply.tagged(effect.revision.filter(|_| !is_gone));
    if effect.is_new { reply.with(&header::LOCATION, address.as_str()) } else { reply }
}

/// A record of a batch, as far as it could be read.
#[derive(Debug)]
struct Line {
    begins: usize,
    id: Option<ArticleId>,
    errors: Vec<FieldError>,
    unknown: Vec<String>,
    dropped: u64,
}

/// The records of a body.
#[derive(Debug)]
pub struct Batch {
    lines: Vec<Line>,
    /// The good ones, in their order.
    pub submissions: Vec<Submission>,
}

impl Batch {
    /// Reads NDJSON, an array, a JSON Feed or a single record, of `most` records at most.
    pub fn read(catalogue: &Catalogue, body: &[u8], most: usize) -> Result<Self, Problem> {
        let items = Items::open(body).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let items = items.map_err(|_| Problem::Malformed("The body cannot be read.".to_owned()))?;
        if items.is_empty() {
            return Err(Problem::Malformed("There is no record in the body.".to_owned()));
        }
        if items.len() > most {
            let why = format!("A batch may have {most} records, and here are {}.", items.len());
            return Err(Problem::Malformed(why));
        }
        let readings: Vec<_> = items
            .into_par_iter()
            .map(|item| (item.line, item.text.map(|text| import::read(catalogue, &text))))
            .collect();
        let mut batch = Self { lines: Vec::with_capacity(readings.len()), submissions: Vec::new() };
        for (line, reading) in readings {
            let unread = |problem| Reading {
                submission: Err(vec![Fault { field: String::new(), problem }]),
                unknown: Vec::new(),
                dropped: 0,
                left_out: Vec::new(),
            };
            let Reading { submission, unknown, dropped, .. } = reading.unwrap_or_else(unread);
            let (id, errors) = match submission {
                Ok(submission) => {
                    let id = submission.id.clone();
                    batch.submissions.push(submission);
                    (Some(id), Vec::new())
                }
                Err(faults) => (None, faults.into_iter().map(FieldError::from).collect()),
            };
            batch.lines.push(Line { begins: line, id, errors, unknown, dropped });
        }
        Ok(batch)
    }

    /// Whether every record could be read.
    pub fn is_whole(&self) -> bool {
        self.submissions.len() == self.lines.len()
    }

    /// What the store is to do.
    pub fn tasks(&mut self) -> Vec<Task> {
        let put = |submission| Task {
            operation: Operation::Put(Box::new(submission)),
            precondition: Precondition::default(),
        };
        std::mem::take(&mut self.submissions).into_iter().map(put).collect()
    }

    /// What is answered; without `effects`, nothing was done because not all could be.
    pub fn answer(&self, effects: Option<&Effects>, head: Revision) -> Reply {
        let mut each = effects.into_iter().flat_map(|effects| &effects.each);
        let results: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                let effect = line.id.as_ref().and_then(|_| each.next());
                let undone = Fate::Refused(Refused::Undone);
                let fate = line.id.as_ref().map(|_| effect.map_or(&undone, |effect| &effect.fate));
                let mut errors = line.errors.clone();
                if let Some(Fate::Refused(refused)) = fate {
                    let problem = Problem::of(refused, effect.and_then(|effect| effect.revision));
                    let is_guid = matches!(
                        refused,
                        Refused::GuidTaken { .. }
                            | Refused::GuidReserved
                            | Refused::OtherGuid { .. }
                    );
                    let field = if is_guid { "guid".to_owned() } else { String::new() };
                    errors.push(FieldError { field, problem: problem.detail() });
                }
                LineWritten {
                    line: line.begins,
                    id: line.id.as_ref().map(ArticleId::to_string),
                    result: fate.map_or(Became::Refused, Became::from),
                    revision: effect.and_then(|effect| effect.revision).map(|revision| revision.0),
                    errors,
                    unknown: line.unknown.clone(),
                    dropped: line.dropped,
                }
            })
            .collect();
        let refused = results.iter().filter(|line| line.result == Became::Refused).count();
        let taken = results.len() - refused;
        // A client that looks at nothing but the status shall not take a part for the whole.
        let status = match (taken, refused) {
            (_, 0) => StatusCode::OK,
            (0, _) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::MULTI_STATUS,
        };
        let head = effects.map_or(head, |effects| effects.head);
        Reply::json(status, &BatchWritten { head: head.0, taken, refused, results })
    }
}

/// What is answered to a GET of an article that is not withdrawn.
pub fn show(catalogue: &Catalogue, stored: &Stored) -> Reply {
    let body = StoredBody {
        revision: stored.revision.0,
        state: record::state(stored),
        published: record::date(stored.published),
        updated: record::date(stored.updated),
        edited: record::date(stored.edited),
        record: record::record(catalogue, stored),
    };
    Reply::json(StatusCode::OK, &body).tagged(Some(stored.revision))
}
