//! Who asks, how often, and what it costs: budgets for each client and feed, and numbers without names.
//!
//! No I/O and no clock. Everything has its size from the start, whoever asks for whatever. A request takes no lock here,
//! but for hosted readers that announce subscribers and programs that are not among the known ones yet. No address is
//! kept: budgets and estimates know a client by a keyed hash, whose key is random and in memory only.

mod agent;
mod agents;
mod budget;
mod client;
mod report;
mod sketch;
mod subscribers;
mod tally;

pub use budget::{Budgets, Rates};
pub use client::{Access, Caller, Client, Networks, ProxyField};
pub use report::{
    AgentReport, FeedReport, FormatReport, HeldReport, PurgeReport, Report, Requests, SourceReport,
};

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::feed::Catalogue;
use agent::{Announcements, Name};
use agents::Agents;
use tally::{Feeds, Form};

/// Buckets, of eight bytes each: 1 MiB.
const BUCKETS: usize = 1 << 17;
/// What everything but the feeds of `feeds.toml` is called: no feed can be.
pub const OTHER: &str = "(other)";
/// Programs that are reported.
const TOP_AGENTS: usize = 20;

/// What `feeds.toml` says of politeness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How often a client may ask for a feed; `None`: as often as it likes.
    pub rates: Option<Rates>,
    /// Who is who.
    pub access: Access,
}

impl Default for Policy {
    fn default() -> Self {
        Self { rates: Some(Rates::default()), access: Access::default() }
    }
}

/// Budgets and numbers.
#[derive(Debug)]
pub struct Traffic {
    policy: Policy,
    budgets: Option<Budgets>,
    feeds: Feeds,
    agents: Agents,
    announcements: Announcements,
    since: DateTime<Utc>,
    /// The key of the budgets.
    key: u64,
    /// Since when clients are told apart as they are now, in days; and by which key.
    day: AtomicI64,
    daily_key: AtomicU64,
    /// How many clients each feed had on the day before.
    yesterday: Mutex<Option<Vec<u64>>>,
    /// Where articles come in from, by name.
    sources: Mutex<BTreeMap<String, SourceReport>>,
}

/// What a path asks for, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    feed: Option<usize>,
    form: Form,
    /// What stands for the feed where budgets are told apart; `None`: not limited.
    budget: Option<u64>,
}

impl Asked {
    /// Whether the address leaves the format open.
    pub fn is_open(&self) -> bool {
        self.form == Form::Open
    }
}

/// What was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The status.
    pub status: u16,
    /// Of the body.
    pub bytes: u64,
    /// Of the document that a 304 or a 226 stands for.
    pub bytes_whole: u64,
    /// Whether the request had a validator.
    pub is_conditional: bool,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// How often the feed may be asked for.
    pub per_hour: NonZeroU32,
    /// With a validator, or without one.
    pub is_conditional: bool,
    /// Until the next request is answered, in seconds (H-24).
    pub retry_after_seconds: u64,
}

impl Traffic {
    /// Begins to count.
    pub fn new(policy: Policy, catalogue: &Catalogue, now: DateTime<Utc>) -> Self {
        Self {
            budgets: policy.rates.map(|_| Budgets::new(BUCKETS)),
            policy,
            feeds: Feeds::of(catalogue),
            agents: Agents::default(),
            announcements: Announcements::default(),
            since: now,
            key: random(),
            day: AtomicI64::new(day(now)),
            daily_key: AtomicU64::new(random()),
            yesterday: Mutex::default(),
            sources: Mutex::default(),
        }
    }

    /// Who is who.
    pub fn access(&self) -> &Access {
        &self.policy.access
    }

    /// What a path asks for. Feeds have budgets, one for all their formats; pages, robots.txt and the like have none.
    pub fn asked(&self, path: &str) -> Asked {
        let (stem, form) = Form::split(path);
        let feed = self.feeds.find(stem);
        let budget = match (feed, form) {
            (_, Form::Html) => None,
            (Some(nth), _) => Some(nth as u64),
            // Archives, and categories that only articles have.
            (None, Form::Open)
                if !path.starts_with("/category/") && !path.ends_with("/changes") =>
            {
                None
            }
            (None, _) if path.starts_with("/episodes/") => None,
            (None, _) => Some(xxh3_64_with_seed(stem.as_bytes(), self.key)),
        };
        Asked { feed, form, budget }
    }

    /// Takes a request, with a validator or without one, out of its client's budget, if there is one.
    pub fn admit(
        &self,
        client: Client,
        asked: &Asked,
        is_conditional: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let (Some(budgets), Some(rates)) = (&self.budgets, &self.policy.rates) else {
            return Ok(());
        };
        let Some(feed) = asked.budget.filter(|_| !client.is_exempt) else { return Ok(()) };
        let per_hour =
            if is_conditional { rates.conditional_per_hour } else { rates.unconditional_per_hour };
        let mut whose = [0; 17];
        whose[..8].copy_from_slice(&client.prefix.to_le_bytes());
        whose[8..16].copy_from_slice(&feed.to_le_bytes());
        whose[16] = u8::from(is_conditional);
        let key = xxh3_64_with_seed(&whose, self.key);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        budgets.spend(key, per_hour, millis).map_err(|wait| Refusal {
            per_hour,
            is_conditional,
            retry_after_seconds: wait.div_ceil(1_000),
        })
    }

    /// Counts an answer to a program that calls itself `agent`. `location` is where the document is whose address was left
    /// open.
    pub fn count(
        &self,
        client: Client,
        asked: &Asked,
        agent: Option<&[u8]>,
        sent: Sent,
        now: DateTime<Utc>,
        location: Option<&str>,
    ) {
        let form = match location {
            Some(path) if asked.form == Form::Open => Form::split(path).1,
            _ => asked.form,
        };
        let tally = self.feeds.tally(asked.feed);
        tally.count(form, &sent);
        if asked.feed.is_none() || !matches!(sent.status, 200 | 226 | 304) {
            return;
        }
        let today = day(now);
        if self.day.load(Ordering::Relaxed) != today {
            self.turn(today);
        }
        let daily_key = self.daily_key.load(Ordering::Relaxed);
        tally.clients.note(xxh3_64_with_seed(&client.prefix.to_le_bytes(), daily_key));
        let Some(agent) = agent else { return };
        let Some(name) = Name::of(agent) else { return };
        self.agents.note(name);
        if let Some(said) = self.announcements.of(agent) {
            tally.subscribers.note(name, said, form as u8, today);
        }
    }

    /// The numbers now.
    pub fn report(&self, now: DateTime<Utc>) -> Report {
        let today = day(now);
        if self.day.load(Ordering::Relaxed) != today {
            self.turn(today);
        }
        let yesterday = self.yesterday.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let feeds = self.feeds.iter().enumerate().map(|(nth, tally)| FeedReport {
            feed: tally.name.clone(),
            subscribers: tally.subscribers.total(today),
            clients_today: tally.clients.estimate(),
            clients_yesterday: yesterday.as_ref().and_then(|all| all.get(nth).copied()),
            formats: tally.report(),
        });
        let agents = self.agents.top(TOP_AGENTS).into_iter();
        Report {
            since: self.since,
            feeds: feeds.collect(),
            agents: agents.map(|(agent, requests)| AgentReport { agent, requests }).collect(),
            held_back: Vec::new(),
            purges: None,
            sources: self
                .sources
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .values()
                .cloned()
                .collect(),
        }
    }

    /// How a source stands now.
    pub fn note_source(&self, report: SourceReport) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.insert(report.source.clone(), report);
    }

    /// A day is over: only how many clients it had is kept. Requests that come meanwhile may count to either day.
    fn turn(&self, today: i64) {
        let mut yesterday = self.yesterday.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.day.swap(today, Ordering::Relaxed);
        if before == today {
            return;
        }
        let counts = self.feeds.iter().map(|tally| tally.clients.estimate()).collect();
        *yesterday = (before + 1 == today).then_some(counts);
        self.daily_key.store(random(), Ordering::Relaxed);
        for tally in self.feeds.iter() {
            tally.clients.clear();
        }
    }
}

/// Days since 1970.
fn day(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(86_400)
}

/// A number that nobody can guess.
fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}
