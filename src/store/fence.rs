//! Writes that are done only while a lease is theirs who ask for them: the rules of every store.
//!
//! A lease is a remembered value. It is held against what the writer takes it to be once the row that all writers take is
//! held, so that two who both think that they hold it never both write.

use std::{fmt, sync::Arc};

use crate::{
    article::{ArticleId, Submission},
    store::{Outcome, Result, tables::Writer, write::Writing},
};

/// Names, each with what is to be remembered under it; `None`: nothing any more.
pub type Entries = Vec<(String, Option<String>)>;

/// What has to be remembered for a write to be done, and what is remembered there once it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The name.
    pub name: String,
    /// What it has; `None`: nothing.
    pub expected: Option<String>,
    /// What it has afterwards.
    pub next: Option<String>,
}

/// A write behind a fence: one transaction, one revision.
#[derive(Clone)]
pub struct Fenced {
    /// What has to be so.
    pub fence: Fence,
    /// Articles that are handed in, in this order; whether each is published again should it be withdrawn.
    pub batch: Vec<(Submission, bool)>,
    /// Articles that the plan may take back.
    pub at_stake: Vec<ArticleId>,
    /// What comes of it.
    pub plan: Arc<dyn Plan>,
}

impl fmt::Debug for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fence, batch, at_stake, .. } = self;
        f.debug_struct("Fenced")
            .field("fence", fence)
            .field("batch", batch)
            .field("at_stake", at_stake)
            .finish_non_exhaustive()
    }
}

/// What follows from what became of a batch, decided within its transaction. The same outcomes always give the same.
pub trait Plan: Send + Sync {
    /// What is taken back after the batch, of what is at stake.
    fn withdrawals(&self, taken: &[Outcome]) -> Vec<ArticleId>;

    /// What is remembered in the same transaction.
    fn entries(&self, done: &Done) -> Entries;
}

/// Nothing is taken back, and this is remembered whatever happens.
impl Plan for Entries {
    fn withdrawals(&self, _: &[Outcome]) -> Vec<ArticleId> {
        Vec::new()
    }

    fn entries(&self, _: &Done) -> Entries {
        self.clone()
    }
}

/// What became of a write behind a fence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// One for each of the batch.
    pub taken: Vec<Outcome>,
    /// One for each withdrawal of the plan; `None` for an id that nobody knows.
    pub withdrawn: Vec<Option<Outcome>>,
}

impl<W: Writer> Writing<W> {
    /// Takes the batch in, and back what the plan says; what is taken back is named too.
    pub(super) fn follow(
        &mut self,
        batch: Vec<(Submission, bool)>,
        plan: &dyn Plan,
    ) -> Result<(Done, Vec<ArticleId>)> {
        let taken = self.submit_all(batch)?;
        let gone = plan.withdrawals(&taken);
        let withdrawn = self.withdraw(&gone)?;
        Ok((Done { taken, withdrawn }, gone))
    }
}
