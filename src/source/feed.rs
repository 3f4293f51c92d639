//! A feed of somebody else, by its address or in a file.
//!
//! Asked no more often than its server likes, and never again once that says that it is gone. What comes in says where it
//! comes from.

use std::{fs, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;
use url::Url;

use crate::{
    fetch::{Answer, Client, Known, Limits, Reach, Request},
    import::{
        Fault, Found, Key,
        charset::Label,
        feed::{self, FeedHead},
        guarded,
    },
    source::{
        SourceError,
        follow::{Follower, How},
        spec::{Feed, Place},
        take::{Entry, Given, Round},
    },
};

/// The largest feed, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// A server may ask for so much patience.
const MAX_WAIT: Duration = Duration::from_hours(24);

/// What is remembered between looks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// What its last state is known by.
    known: Known,
    /// Not to be asked before.
    wait: Option<DateTime<Utc>>,
    /// Where it is from now on.
    moved: Option<Url>,
    /// It said that it is gone.
    is_gone: bool,
}

impl Follower {
    pub(super) async fn look_at_feed(
        &mut self,
        spec: &Feed,
        how: How,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        let address = match &spec.place {
            Place::File(path) => {
                let failed = |error| SourceError::File(path.display().to_string(), error);
                let bytes = tokio::fs::read(path).await.map_err(failed)?;
                let Read { entries, broken_off } =
                    apart(move || read(&bytes, Label::None, None)).await??;
                self.take(entries, self.state.clone(), round).await?;
                return Read::end(broken_off);
            }
            Place::Web(address) => address,
        };
        let mut memory: Memory = serde_json::from_value(self.state.own.clone()).unwrap_or_default();
        let now = (self.clock)();
        if how.all {
            memory = Memory::default();
        }
        if memory.is_gone {
            return Err(SourceError::Gone);
        }
        if memory.wait.is_some_and(|wait| now < wait) {
            return Ok(());
        }
        let url = memory.moved.as_ref().unwrap_or(address).clone();
        let answer = Arc::new(ask(spec, url, memory.known.clone()).await?);
        let read = match answer.status {
            StatusCode::OK => {
                let answer = Arc::clone(&answer);
                apart(move || of(&answer)).await?
            }
            StatusCode::NOT_MODIFIED => Ok(Read::default()),
            StatusCode::GONE => {
                memory.is_gone = true;
                Err(SourceError::Gone)
            }
            status => Err(SourceError::Status(status.as_u16())),
        };
        // What is no feed, or half of one, is asked for again, and where it was found before.
        let is_whole = read.as_ref().is_ok_and(|read| read.broken_off.is_none());
        memory.wait = wait(&answer, now, is_whole).map(|wait| now + wait);
        if is_whole && answer.status == StatusCode::OK {
            memory.known = answer.known();
            if let Some(moved) = &answer.moved_to
                && memory.moved.as_ref() != Some(moved)
            {
                warn!("source `{}`: the feed has moved to {moved}", self.source.name);
                memory.moved = Some(moved.clone());
            }
        }
        let mut next = self.state.clone();
        next.own = serde_json::to_value(&memory).unwrap_or_default();
        match read {
            Ok(Read { entries, broken_off }) => {
                self.take(entries, next, round).await?;
                Read::end(broken_off)
            }
            Err(error) => {
                // When to come again holds for errors above all.
                self.state = next;
                Err(error)
            }
        }
    }
}

/// Parses on a thread that answers no requests.
async fn apart<T: Send + 'static>(
    parse: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SourceError> {
    let parsed = tokio::task::spawn_blocking(move || guarded(parse)).await;
    parsed.map_err(|_| SourceError::Closing)?.map_err(SourceError::Foreign)
}

/// What the feed of an answer says.
fn of(answer: &Answer) -> Result<Read, SourceError> {
    let kind = answer.field(header::CONTENT_TYPE).unwrap_or_default();
    let charset = kind.split("charset=").nth(1).map(|name| name.trim_matches('"'));
    let label = charset.map_or(Label::None, Label::Claimed);
    read(&answer.body, label, Some(&answer.url))
}

async fn ask(spec: &Feed, url: Url, known: Known) -> Result<Answer, SourceError> {
    let reach = if spec.is_private { Reach::Anywhere } else { Reach::Public };
    let client = Client::new(reach, Limits { body_bytes: MAX_BYTES, ..Limits::default() });
    Ok(client.send(&Request { known, ..Request::get(url) }).await?)
}

/// What a feed would give now.
pub(super) async fn preview(spec: &Feed) -> Result<Vec<Entry>, SourceError> {
    match &spec.place {
        Place::File(path) => {
            let failed = |error| SourceError::File(path.display().to_string(), error);
            let bytes = fs::read(path).map_err(failed)?;
            Ok(apart(move || read(&bytes, Label::None, None)).await??.entries)
        }
        Place::Web(address) => {
            let answer = ask(spec, address.clone(), Known::default()).await?;
            if answer.status != StatusCode::OK {
                return Err(SourceError::Status(answer.status.as_u16()));
            }
            Ok(apart(move || of(&answer)).await??.entries)
        }
    }
}

/// How long a server wants to be left alone: as it says itself, or as long as its answer is fresh, if it is what was asked
/// for.
fn wait(answer: &Answer, now: DateTime<Utc>, is_whole: bool) -> Option<Duration> {
    let fresh = answer.field(header::CACHE_CONTROL).filter(|_| is_whole).and_then(|field| {
        let mut ages = field.split(',').filter_map(|part| part.trim().strip_prefix("max-age="));
        ages.find_map(|age| age.parse().ok()).map(Duration::from_secs)
    });
    let wait = answer.retry_after(now).or(fresh)?;
    Some(wait.min(MAX_WAIT)).filter(|wait| TimeDelta::from_std(*wait).is_ok())
}

/// A feed, as far as it goes.
#[derive(Default)]
struct Read {
    entries: Vec<Entry>,
    broken_off: Option<Fault>,
}

impl Read {
    /// What is wrong with it once its entries are taken.
    fn end(broken_off: Option<Fault>) -> Result<(), SourceError> {
        broken_off.map_or(Ok(()), |fault| Err(SourceError::BrokenOff(fault.problem)))
    }
}

/// The entries of a feed, each with where it comes from.
fn read(bytes: &[u8], label: Label<'_>, address: Option<&Url>) -> Result<Read, SourceError> {
    let file = feed::read(bytes, label, address)
        .map_err(|error| SourceError::Foreign(error.to_string()))?;
    let FeedHead { rights, language, .. } = file.head.clone();
    let origin = file.head.origin();
    let mut entries = Vec::with_capacity(file.entries.len());
    for Found { line, record } in file.entries {
        let record = record.map(|mut record| {
            let mut source = record.source.take().unwrap_or_else(|| origin.clone());
            source.url = source.url.or_else(|| record.url.clone());
            source.feed_url = source.feed_url.or_else(|| address.map(Url::to_string));
            record.source = Some(source);
            record.rights = record.rights.or_else(|| rights.clone());
            record.language = record.language.or_else(|| language.clone());
            record
        });
        let key = match record.as_ref().ok().and_then(|record| record.id.as_ref()) {
            Some(Key::Text(id)) => Value::String(id.clone()),
            Some(Key::Number(id)) => Value::from(*id),
            None => Value::String(format!("line {line}")),
        };
        let record = record.map(|record| Given::Record(Box::new(record)));
        let record = record.map_err(|fault| format!("{} {}", fault.field, fault.problem));
        entries.push(Entry { key, record, is_published: true });
    }
    Ok(Read { entries, broken_off: file.broken_off })
}
