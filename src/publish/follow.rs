//! What a write sets in motion: editions in memory are made anew, and caches in front are told.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::{
    article::Revision,
    category::Facet,
    publish::{Document, Kept, PublishError, Publisher, Recoding},
    store::StoreError,
};

/// How long to leave a failing store alone.
const RESPITE: Duration = Duration::from_secs(1);
/// An edition that has been made anew so often without being asked for is dropped instead.
const MAX_IDLE: u32 = 30;
/// A store releases some at a time; so often in one round.
const MAX_RELEASES: usize = 100;
/// Least time from one round of making editions anew to the next: a burst of writes makes one edition a second, and a
/// write after a quiet second is seen at once.
const ROUND: Duration = Duration::from_secs(1);
/// The same, whatever the store says.
const LEAST: Duration = Duration::from_millis(100);

impl Publisher {
    /// Follows the store for ever: publishes what falls due, makes editions anew that a write has touched, and codes
    /// those again that stay.
    pub async fn follow(&self, clock: impl Fn() -> DateTime<Utc>) {
        let mut recoding = Recoding::default();
        loop {
            self.recode(&mut recoding);
            if let Err(error) = self.round(&clock).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the store does not answer; serving what is in memory"
                );
                tokio::time::sleep(RESPITE).await;
            }
        }
    }

    async fn round(&self, clock: &impl Fn() -> DateTime<Utc>) -> Result<(), StoreError> {
        let now = clock();
        let begun = tokio::time::Instant::now();
        let before = self.seen.load(Ordering::SeqCst);
        let due = self.refresh(now).await?;
        self.complete_until.store(now.timestamp(), Ordering::Relaxed);
        let seen = self.seen.load(Ordering::SeqCst);
        if seen != before {
            tokio::time::sleep_until(begun + ROUND).await;
        }
        // Capped: a clock that is set, or a machine that slept, moves the time that is left.
        let left = due.map_or(RESPITE, |due| (due - now).to_std().unwrap_or_default().min(RESPITE));
        let changed = tokio::time::timeout(left, self.store.changed(Revision(seen)));
        let changed = changed.await;
        tokio::time::sleep_until(begun + LEAST).await;
        changed.map_or(Ok(()), |changed| changed.map(|head| self.hear(head)))
    }

    /// One round: publishes what is due, then makes those editions in memory anew that writes have touched since the
    /// last round, the most used first. Says when the next article falls due, if one does.
    pub async fn refresh(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        let due = match self.release(now).await {
            Err(error @ StoreError::Article { .. }) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "what is due waits");
                None
            }
            due => due?,
        };
        let seen = Revision(self.seen.load(Ordering::SeqCst));
        let moved = self.store.moved(seen).await?;
        self.hear(moved.head);
        if moved.head < seen {
            self.start_again(moved.head).await?;
            return Ok(due);
        }
        let touched: HashSet<&Facet> = moved.facets.iter().collect();
        if touched.contains(&Facet::catalogue()) {
            self.learn().await?;
        }
        // From here on, an edition that is kept without this write knows that it has to catch up.
        self.seen.store(moved.head.0, Ordering::SeqCst);
        let is_touched = |kept: &Kept| kept.marks.iter().any(|mark| touched.contains(mark));
        let kept = self.cache.iter().map(|(_, kept)| kept);
        let mut stale: Vec<_> = kept
            .filter(|kept| is_touched(kept))
            .map(|kept| (kept.uses.load(Ordering::Relaxed), kept))
            .collect();
        stale.sort_by_key(|(uses, _)| std::cmp::Reverse(*uses));
        for (uses, old) in stale {
            let idle = if uses == 0 { old.idle + 1 } else { 0 };
            // An archive seldom changes, and is made again when somebody asks for it.
            let is_archive = matches!(old.document, Document::Archive(..));
            if is_archive || idle > MAX_IDLE {
                self.cache.remove(&old.document.path());
                continue;
            }
            match self.make(&old.document, None).await {
                Ok(kept) => self.keep(Arc::new(Kept { idle, ..kept })),
                Err(PublishError::Store(error)) if !matches!(error, StoreError::Article { .. }) => {
                    // The next round does all of this again.
                    self.seen.store(seen.0, Ordering::SeqCst);
                    return Err(error);
                }
                // What it showed has been taken back.
                Err(PublishError::UnknownFile(path)) => drop(self.cache.remove(&path)),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "keeping the last good edition of `{}`",
                    old.document.path()
                ),
            }
        }
        self.served.store(moved.head.0, Ordering::Relaxed);
        // Not before the editions are there: a cache that asked now for what is old would keep it.
        self.purge(moved.facets).await;
        Ok(due)
    }

    /// Publishes what is due, and says when the next article falls due.
    async fn release(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut due = self.store.release(now).await?;
        for _ in 0..MAX_RELEASES {
            if due.is_none_or(|due| due > now) {
                break;
            }
            due = self.store.release(now).await?;
        }
        Ok(due)
    }

    /// Forgets every edition: the store went back to a state before them, by a fail-over that lost writes, or from a backup.
    async fn start_again(&self, head: Revision) -> Result<(), StoreError> {
        self.learn().await?;
        self.cache.clear();
        self.deltas.clear();
        self.seen.store(head.0, Ordering::SeqCst);
        self.served.store(head.0, Ordering::Relaxed);
        tracing::warn!("the store went back to revision {head}; everything is made again");
        self.purge_everything().await;
        Ok(())
    }
}
