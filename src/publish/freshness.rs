//! How near to the store a replica is, for whoever decides whether it is asked.

use std::{
    sync::{PoisonError, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::{article::Revision, publish::Publisher, store::StoreError};

/// Clocks of machines that write to one store differ by so much without anybody being told.
const TOLERANCE: TimeDelta = TimeDelta::seconds(10);

/// How long a look at the store may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// How near to the store what is served is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Since the store last answered; zero when it answers now.
    pub silence: Duration,
    /// Up to which write the editions in memory are made.
    pub served: Revision,
    /// The newest write known.
    pub head: Revision,
    /// Whether the file of the store was deleted or replaced.
    pub is_lost: bool,
    /// By how much the time of the store is ahead of the machine's clock, if so.
    pub ahead: Option<TimeDelta>,
}

/// Which dates of modification count, at a time.
#[derive(Clone, Copy, Debug)]
pub struct Dates {
    /// Until when every write is known to be in the editions, in seconds since 1970. A second may have more writes than an
    /// edition shows while it is not over, and longer where many editions are made.
    pub complete_until: i64,
    now: i64,
    suspect_until: i64,
}

impl Dates {
    /// Whether a date that a client holds may be one that was given out before the clock of the store was repaired.
    pub fn is_suspect(self, date: DateTime<Utc>) -> bool {
        (self.now + 1..=self.suspect_until).contains(&date.timestamp())
    }
}

/// The last word of the store.
pub(super) struct Heard {
    at: Instant,
    head: Revision,
}

impl Heard {
    pub(super) fn now(head: Revision) -> Self {
        Self { at: Instant::now(), head }
    }
}

impl Publisher {
    /// Notes that the store has answered.
    pub(super) fn hear(&self, head: Revision) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Heard::now(head);
    }

    /// Which dates of modification count now.
    pub fn dates(&self, now: DateTime<Utc>) -> Dates {
        let now = now.timestamp();
        Dates {
            complete_until: now.min(self.complete_until.load(Ordering::Relaxed)),
            now,
            suspect_until: self.suspect_until.load(Ordering::Relaxed),
        }
    }

    /// By how much the time of the store is ahead of a clock, if by more than clocks usually differ.
    pub async fn ahead(&self, now: DateTime<Utc>) -> Result<Option<TimeDelta>, StoreError> {
        let ahead = self.store.time().await? - now;
        Ok(Some(ahead).filter(|ahead| *ahead > TOLERANCE))
    }

    /// Asks the store, and says since when it has not answered if it does not.
    pub async fn freshness(&self, now: DateTime<Utc>) -> Freshness {
        let look = async { Ok((self.store.head().await?, self.ahead(now).await?)) };
        let answer = tokio::time::timeout(PATIENCE, look).await;
        if let Ok(Ok((head, ahead))) = answer {
            self.hear(head);
            let served = Revision(self.served.load(Ordering::Relaxed));
            return Freshness { silence: Duration::ZERO, served, head, is_lost: false, ahead };
        }
        let is_lost = matches!(answer, Ok(Err(StoreError::Replaced(_))));
        let served = Revision(self.served.load(Ordering::Relaxed));
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        Freshness { silence: heard.at.elapsed(), served, head: heard.head, is_lost, ahead: None }
    }
}
