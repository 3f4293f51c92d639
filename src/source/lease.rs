//! Who follows a source: one at a time, whoever else would.
//!
//! A lease is a remembered value that every write of a follower is fenced by: whoever finds another one there has been
//! overtaken, and nothing of that write is done. Time alone lets others take over; it decides nothing else.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, task::JoinHandle};

use crate::{
    article::{ArticleId, Submission},
    source::SourceError,
    store::{Done, Entries, Fence, Fenced, Plan, Store},
};

/// Nobody else takes over for so long after a sign of life.
const TERM: Duration = Duration::from_secs(30);
/// From one sign of life to the next.
pub(super) const BEAT: Duration = Duration::from_secs(10);

/// As it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// Whose it is: a number that each follower draws for itself.
    owner: String,
    /// Others may take over from then on.
    pub(super) until: DateTime<Utc>,
}

impl Ticket {
    pub(super) fn read(value: &str) -> Option<Self> {
        serde_json::from_str(value).ok()
    }

    fn write(owner: &str, now: DateTime<Utc>) -> String {
        let ticket = Self { owner: owner.to_owned(), until: now + TERM };
        serde_json::to_string(&ticket).expect("a text and a time")
    }
}

/// A name for a follower.
pub(super) fn owner() -> String {
    // Without chance, none is told from another, and the fence is what there is.
    format!("{:016x}", getrandom::u64().unwrap_or_default())
}

/// A lease that is held, and kept up until this goes.
pub(super) struct Lease {
    held: Arc<Held>,
    beating: JoinHandle<()>,
}

struct Held {
    store: Arc<dyn Store>,
    name: String,
    owner: String,
    clock: fn() -> DateTime<Utc>,
    /// What is remembered; `None`: it is not known whether it still is.
    value: Mutex<Option<String>>,
}

impl Lease {
    /// Takes it, unless another follower has it and is not to be overtaken.
    pub(super) async fn take(
        store: Arc<dyn Store>,
        name: String,
        owner: &str,
        clock: fn() -> DateTime<Utc>,
        take_over: bool,
    ) -> Result<Self, SourceError> {
        let expected = store.recall(vec![name.clone()]).await?.pop().flatten();
        let now = clock();
        let held = expected.as_deref().and_then(Ticket::read);
        if let Some(Ticket { until, .. }) =
            held.filter(|held| held.until > now && held.owner != owner && !take_over)
        {
            return Err(SourceError::Followed(until));
        }
        let value = Ticket::write(owner, now);
        let fence = Fence { name: name.clone(), expected, next: Some(value.clone()) };
        let plan = Arc::new(Entries::new());
        let write = Fenced { fence, batch: Vec::new(), at_stake: Vec::new(), plan };
        if store.follow(write, now).await?.is_none() {
            // Somebody was faster.
            return Err(SourceError::Followed(now + TERM));
        }
        let value = Mutex::new(Some(value));
        let held = Arc::new(Held { store, name, owner: owner.to_owned(), clock, value });
        let beating = tokio::spawn(beat(Arc::clone(&held)));
        Ok(Self { held, beating })
    }

    /// Writes behind it, and keeps it up.
    pub(super) async fn write(
        &self,
        batch: Vec<(Submission, bool)>,
        at_stake: Vec<ArticleId>,
        plan: Arc<dyn Plan>,
    ) -> Result<Done, SourceError> {
        self.held.write(batch, at_stake, plan, false).await
    }

    /// Writes down something last, and lets others have it.
    pub(super) async fn end(self, entries: Entries) -> Result<(), SourceError> {
        self.held.write(Vec::new(), Vec::new(), Arc::new(entries), true).await.map(drop)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

impl Held {
    async fn write(
        &self,
        batch: Vec<(Submission, bool)>,
        at_stake: Vec<ArticleId>,
        plan: Arc<dyn Plan>,
        is_last: bool,
    ) -> Result<Done, SourceError> {
        let mut value = self.value.lock().await;
        // Until it is known that this was done, it is not known what is remembered.
        let expected = Some(value.take().ok_or(SourceError::Overtaken)?);
        let now = (self.clock)();
        let next = (!is_last).then(|| Ticket::write(&self.owner, now));
        let fence = Fence { name: self.name.clone(), expected, next: next.clone() };
        let done = self.store.follow(Fenced { fence, batch, at_stake, plan }, now).await?;
        let done = done.ok_or(SourceError::Overtaken)?;
        *value = next;
        Ok(done)
    }
}

/// Gives signs of life until the lease is lost.
async fn beat(held: Arc<Held>) {
    loop {
        tokio::time::sleep(BEAT).await;
        let plan = Arc::new(Entries::new());
        if held.write(Vec::new(), Vec::new(), plan, false).await.is_err() {
            return;
        }
    }
}
