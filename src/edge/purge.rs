//! Telling a cache what is stale: what waits, what is on its way, what failed.
//!
//! Here is I/O. What is told twice does no harm, and what is told too early does: the publisher adds what is stale once the
//! newer editions are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use http::StatusCode;
use tokio::sync::Notify;

use crate::{
    edge::{Hook, Secret, Subject, everything},
    fetch::{Client, FetchError, Limits, Reach},
};

/// So many things wait at most: keys, or the addresses of some 40,000 feeds.
const MAX_WAITING: usize = 200_000;
/// So many requests are on their way at a time.
const TOGETHER: usize = 4;
/// A cache that asks for more patience than this is asked earlier.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// What a cache answers is not needed.
const LIMITS: Limits = Limits {
    body_bytes: 64 << 10,
    connect: Duration::from_secs(5),
    whole: Duration::from_secs(20),
};

/// How often something is tried, and how long after it failed the first time; after that, twice as long each time, up to a
/// minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// At least one.
    pub attempts: u32,
    /// Before the second.
    pub first_wait: Duration,
}

impl Default for Retry {
    /// For two minutes.
    fn default() -> Self {
        Self { attempts: 8, first_wait: Duration::from_secs(1) }
    }
}

/// What became of requests to a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// That were taken.
    pub done: u64,
    /// That were tried again.
    pub retried: u64,
    /// That were given up: the cache serves what is old until that is no longer fresh.
    pub given_up: u64,
    /// Things that are not on their way yet.
    pub waiting: u64,
}

/// Tells a cache what is stale.
pub struct Purge {
    hook: Hook,
    secrets: BTreeMap<Secret, String>,
    retry: Retry,
    client: Client,
    waiting: Mutex<BTreeSet<String>>,
    more: Notify,
    done: AtomicU64,
    retried: AtomicU64,
    given_up: AtomicU64,
}

/// What came of one attempt.
enum Outcome {
    Done,
    /// Later it may go well.
    Later(String, Option<Duration>),
    Never(String),
}

impl Purge {
    /// One for a hook whose secrets are known.
    pub fn new(hook: Hook, secrets: BTreeMap<Secret, String>, retry: Retry) -> Self {
        Self {
            hook,
            secrets,
            retry,
            client: Client::new(Reach::Anywhere, LIMITS),
            waiting: Mutex::default(),
            more: Notify::new(),
            done: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        }
    }

    /// What it names to the cache.
    pub fn subject(&self) -> Subject {
        self.hook.subject()
    }

    /// Lets these wait for their turn. What waits already waits once; too many keys become the one of everything.
    pub fn add(&self, stale: impl IntoIterator<Item = String>) {
        let mut waiting = self.waiting();
        for stale in stale {
            if waiting.len() < MAX_WAITING || waiting.contains(&stale) {
                waiting.insert(stale);
                continue;
            }
            match self.subject() {
                Subject::Keys => *waiting = BTreeSet::from([everything()]),
                Subject::Addresses => {
                    self.given_up.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        "too much is stale at once; the cache is not told of some of it"
                    );
                    break;
                }
            }
        }
        let is_empty = waiting.is_empty();
        drop(waiting);
        if !is_empty {
            self.more.notify_one();
        }
    }

    /// What became of it so far.
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            done: read(&self.done),
            retried: read(&self.retried),
            given_up: read(&self.given_up),
            waiting: self.waiting().len() as u64,
        }
    }

    /// Sends for ever, some requests at a time. What fails waits by itself, and keeps one place only.
    pub async fn follow(&self) {
        let batches = stream::unfold((), |()| async { Some((self.next().await, ())) });
        batches.for_each_concurrent(TOGETHER, |batch| async move { self.tell(batch).await }).await;
    }

    async fn next(&self) -> Vec<String> {
        loop {
            let more = self.more.notified();
            let batch: Vec<_> = {
                let mut waiting = self.waiting();
                std::iter::from_fn(|| waiting.pop_first()).take(self.hook.batch()).collect()
            };
            if !batch.is_empty() {
                return batch;
            }
            more.await;
        }
    }

    async fn tell(&self, batch: Vec<String>) {
        let mut wait = self.retry.first_wait;
        for attempt in 1..=self.retry.attempts {
            let (why, asked) = match self.attempt(&batch).await {
                Outcome::Done => {
                    self.done.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(stale = batch.len(), "the cache was told");
                    return;
                }
                Outcome::Later(why, asked) if attempt < self.retry.attempts => (why, asked),
                Outcome::Later(why, _) | Outcome::Never(why) => return self.give_up(&batch, &why),
            };
            self.retried.fetch_add(1, Ordering::Relaxed);
            let pause = asked.unwrap_or(wait).min(MAX_WAIT);
            tracing::warn!(why, attempt, "the cache was not told; trying again in {pause:?}");
            tokio::time::sleep(pause).await;
            wait = wait.saturating_mul(2).min(MAX_WAIT);
        }
    }

    fn give_up(&self, batch: &[String], why: &str) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
        let first = batch.first().map_or("", String::as_str);
        tracing::error!(
            why,
            first,
            stale = batch.len(),
            "the cache was not told what is stale; it serves that until it is no longer fresh"
        );
    }

    async fn attempt(&self, batch: &[String]) -> Outcome {
        let Some(request) = self.hook.request(batch, &self.secrets) else {
            return Outcome::Never("a secret or a key does not fit into the request".to_owned());
        };
        let answer = match self.client.send(&request).await {
            Ok(answer) => answer,
            Err(error @ (FetchError::Refused(_) | FetchError::NoAuthorities)) => {
                return Outcome::Never(error.to_string());
            }
            // It was taken; what the cache says of it at such length does not matter.
            Err(FetchError::TooLarge(_)) => return Outcome::Done,
            Err(error) => return Outcome::Later(error.to_string(), None),
        };
        let status = answer.status;
        let has_nothing = matches!(
            status,
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::PRECONDITION_FAILED
        );
        let may_pass =
            matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if status.is_success() || (has_nothing && self.subject() == Subject::Addresses) {
            Outcome::Done
        } else if status.is_server_error() || may_pass {
            // A date would need a clock; caches name seconds.
            let asked = answer.field(http::header::RETRY_AFTER).and_then(|wait| wait.parse().ok());
            Outcome::Later(format!("it answers {status}"), asked.map(Duration::from_secs))
        } else {
            Outcome::Never(format!("it answers {status}"))
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
