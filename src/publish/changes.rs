//! What has changed for a partner: the log, seen through its terms.

use std::{num::NonZeroU16, sync::Arc};

use bytes::Bytes;

use crate::{
    article::{Cursor, Latest, Revision, Story},
    category::Facet,
    edition::{Coding, Effort},
    feed::{Changes, Departure, Partner},
    format,
    publish::{PublishError, Publisher, blocking},
    store::StoreError,
};

/// So many articles are read from the store at a time, and so many are in an answer at least where there are more.
const BATCH: NonZeroU16 = NonZeroU16::new(100).expect("100 is not zero");
/// So often for one answer; most articles may be none of the partner's.
const MAX_BATCHES: usize = 20;
/// An answer has no further article once its texts have come to so many bytes.
const BYTES: u64 = 1_000_000;

/// Why there are no changes to tell.
#[derive(Debug, thiserror::Error)]
pub enum Restart {
    /// The partner's terms are others now, or the store is another: only the beginning will do.
    #[error("changes can only be told from the beginning")]
    Needed,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] PublishError),
}

impl From<StoreError> for Restart {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Publisher {
    /// What has changed for a partner after a cursor: each article once, as it is now, in the order of the last changes.
    ///
    /// Whoever goes on from [`Changes::until`] holds, once there is no more, what the partner's feeds together would hold
    /// if they reached back for ever. `terms` is where the terms stood when the cursor was given out; without it, the
    /// cursor's own revision.
    pub async fn changes(
        &self,
        partner: &Arc<Partner>,
        since: Cursor,
        terms: Option<Revision>,
    ) -> Result<Changes, Restart> {
        // Read before the articles: terms that come meanwhile are newer than what is told.
        let standing = self.store.mark(&[Facet::partner(&partner.name)]).await?.revision;
        let is_beginning = since == Cursor::default();
        let is_current = terms.unwrap_or(since.revision) >= standing
            && since.revision <= self.store.head().await?;
        if !is_beginning && !is_current {
            return Err(Restart::Needed);
        }
        let feeds = self.catalogue.feeds_of(partner);
        let mut changes = Changes {
            partner: Arc::clone(partner),
            site: Arc::clone(&self.catalogue.site),
            feeds,
            articles: Vec::new(),
            gone: Vec::new(),
            until: since,
            terms: standing,
            has_more: true,
        };
        let mut bytes = 0;
        for _ in 0..MAX_BATCHES {
            let since = changes.until.clone();
            let batch = self.store.latest(since, partner.shift_minutes, BATCH).await?;
            let is_last = batch.len() < usize::from(BATCH.get());
            let mut is_full = false;
            for latest in batch {
                bytes += add(&mut changes, latest);
                is_full = bytes >= BYTES;
                if is_full {
                    break;
                }
            }
            if is_full {
                break;
            }
            if is_last {
                let revision = changes.until.revision.max(standing);
                changes.until = Cursor { revision, article: None };
                changes.has_more = false;
                break;
            }
            if changes.articles.len() + changes.gone.len() >= BATCH.get().into() {
                break;
            }
        }
        Ok(changes)
    }

    /// Changes as a document in a coding. Texts may be long: away from the threads that answer requests.
    pub async fn document(&self, changes: Changes, coding: Coding) -> Bytes {
        let work = move || {
            let document = format::changes(&changes);
            match coding {
                Coding::Identity => document.into(),
                Coding::Brotli | Coding::Zstd | Coding::Gzip => {
                    coding.encode(&document, Effort::Quick).into()
                }
            }
        };
        blocking(work).await
    }
}

/// Takes an article in; how many bytes it counts for.
fn add(changes: &mut Changes, latest: Latest) -> u64 {
    let Latest { id, guid, revision, at, article, was, .. } = latest;
    let holder = |story: &Story| {
        changes.feeds.iter().find(|spec| story.is_selected(&spec.selection)).cloned()
    };
    let mut bytes = 0;
    let held = article.and_then(|article| Some((holder(&article.story)?, article)));
    if let Some((spec, article)) = held {
        let article = spec.reached(&article);
        bytes = article.bytes.into();
        changes.articles.push((spec, article));
    } else if was.iter().any(|story| holder(story).is_some()) {
        changes.gone.push(Departure { guid, at });
    }
    changes.until = Cursor { revision, article: Some(id) };
    bytes
}
