//! How near to the store a replica is, for whoever decides whether it is asked.

use std::{
    sync::{PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::{article::Revision, publish::Publisher};

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

    /// Asks the store, and says since when it has not answered if it does not.
    pub async fn freshness(&self) -> Freshness {
        let answer = tokio::time::timeout(PATIENCE, self.store.head()).await;
        if let Ok(Ok(head)) = answer {
            self.hear(head);
            let served = Revision(self.served.load(Ordering::Relaxed));
            return Freshness { silence: Duration::ZERO, served, head };
        }
        let served = Revision(self.served.load(Ordering::Relaxed));
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        Freshness { silence: heard.at.elapsed(), served, head: heard.head }
    }
}
