//! Partners at work: who is let in, and who has fetched what.
//!
//! A token is known by its digest alone; whoever reads the store cannot make one.

mod ledger;
mod standing;
mod token;

pub use ledger::Ledger;
pub use standing::{CHANGES, Channel, Missing, Standing, Testimony, Witness, standings, testimony};
pub(crate) use token::is_same;
pub use token::{Secret, TokenError, holds_secret, is_like_secret, opened, reach};

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::{
    article::Revision,
    category::{Facet, Slug},
    store::{Store, StoreError, Token},
};

/// How often the ledger is written, and a failing store left alone.
const ROUND: Duration = Duration::from_secs(2);
/// Least time from one look for tokens to the next: one that was revoked is refused within a second.
const LEAST: Duration = Duration::from_millis(200);

/// Lets partners in, and notes what they fetch.
pub struct Desk {
    store: Arc<dyn Store>,
    tokens: RwLock<HashMap<Slug, Vec<Token>>>,
    ledger: Ledger,
}

/// Somebody who has been let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The partner.
    pub partner: Slug,
    /// To whom the token was given; empty: to the partner as a whole.
    pub holder: String,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// Learns which tokens there are.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let desk = Self { store, tokens: RwLock::default(), ledger: Ledger::default() };
        desk.learn().await?;
        Ok(desk)
    }

    /// Who shows this secret, if it is one of the partner's and still good.
    ///
    /// Every token of the partner is compared, each in constant time.
    pub fn admit(&self, partner: &Slug, secret: &str, now: DateTime<Utc>) -> Option<Guest> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let own = tokens.get(partner).into_iter().flatten();
        let found = opened(own, secret, now, |token| (&token.digest, token.ends));
        found.map(|token| Guest { partner: partner.clone(), holder: token.holder.clone() })
    }

    /// Whether anybody of the partner is let in at all: what its feeds lead to is out of reach without.
    pub fn is_open(&self, partner: &Slug, now: DateTime<Utc>) -> bool {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut tokens = tokens.get(partner).into_iter().flatten();
        tokens.any(|token| token.ends.is_none_or(|ends| ends > now))
    }

    /// Notes that somebody has a state of a feed. Never waits for the store.
    pub fn note(&self, guest: &Guest, feed: &str, revision: Revision, now: DateTime<Utc>) {
        self.ledger.note(guest, feed, revision, now);
    }

    /// Follows the store for ever: learns of tokens, and writes down what was noted.
    pub async fn follow(&self) {
        let mut seen = Revision(0);
        loop {
            let begun = tokio::time::Instant::now();
            match tokio::time::timeout(ROUND, self.news(seen)).await {
                Ok(Ok(head)) => seen = head,
                Ok(Err(error)) => complain(&error),
                // Nothing was written.
                Err(_) => {}
            }
            self.flush().await;
            // A burst of writes is one piece of news.
            tokio::time::sleep_until(begun + LEAST).await;
        }
    }

    /// Waits for writes after one, and learns of the tokens among them; of all, where the store went back.
    async fn news(&self, seen: Revision) -> Result<Revision, StoreError> {
        self.store.changed(seen).await?;
        let moved = self.store.moved(seen).await?;
        if moved.head < seen || moved.facets.contains(&Facet::access()) {
            self.learn().await?;
        }
        Ok(moved.head)
    }

    /// Writes down what was noted. What cannot be written waits for the next time.
    pub async fn flush(&self) {
        let noted = self.ledger.take();
        if noted.is_empty() {
            return;
        }
        if let Err(error) = self.store.deliver(noted.clone()).await {
            complain(&error);
            self.ledger.put_back(noted);
        }
    }

    async fn learn(&self) -> Result<(), StoreError> {
        let mut tokens = HashMap::<_, Vec<_>>::new();
        for token in self.store.tokens().await? {
            tokens.entry(token.partner.clone()).or_default().push(token);
        }
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(())
    }
}

fn complain(error: &StoreError) {
    let error = error as &dyn std::error::Error;
    tracing::error!(error, "the store does not answer; tokens and the ledger are as they were");
}
