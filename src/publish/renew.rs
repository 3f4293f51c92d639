//! For clients that have seen a newer edition than the one in memory, on another replica: the store is looked at before
//! they are answered.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use tokio::sync::Mutex;

use crate::{
    article::Revision,
    edition::Edition,
    publish::{Document, Publisher},
};

/// How long such a client waits. What was written is in the editions of all replicas within a second.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many looks at the store at a time, one for each document: a tag that somebody made up costs a turn and a small query.
const TURNS: usize = 16;

/// Whose turn it is to look.
#[derive(Default)]
pub(super) struct Turns([Mutex<()>; TURNS]);

impl Turns {
    fn of(&self, path: &str) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let nth = usize::try_from(hasher.finish() % TURNS as u64).unwrap_or_default();
        &self.0[nth]
    }
}

impl Publisher {
    /// The edition of a document as the store has it now, unless the one in memory has come to `seen` meanwhile; `None`
    /// where the store does not answer in time.
    ///
    /// It may still be older than `seen`, when that comes from another history: of a store that was restored from a backup,
    /// or of nobody's.
    pub async fn renewed(&self, document: &Document, seen: Revision) -> Option<Arc<Edition>> {
        let path = document.path();
        let look = async {
            let _turn = self.turns.of(&path).lock().await;
            let Some(kept) = self.cache.peek(&path) else {
                // Dropped, or too large to be kept.
                return self.edition(document).await.ok();
            };
            if kept.edition.revision() >= seen || kept.marks.is_empty() {
                return Some(Arc::clone(&kept.edition));
            }
            // Heard of first: a copy that is read from may be as far behind as this replica.
            self.store.head().await.ok()?;
            let mark = self.store.mark(&kept.marks).await.ok()?;
            if mark.revision <= kept.head {
                return Some(Arc::clone(&kept.edition));
            }
            let made = Arc::new(self.make(document, None).await.ok()?);
            self.keep(Arc::clone(&made));
            self.catch_up(made).await.ok()
        };
        tokio::time::timeout(PATIENCE, look).await.ok().flatten()
    }
}
