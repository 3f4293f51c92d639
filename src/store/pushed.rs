//! Carrying out what is pushed: the rules of every store.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    article::{ArticleId, Origin, Revision, Submission, When},
    store::{
        Effect, Effects, Fate, Operation, Outcome, Push, Refused, Result, Task,
        decide::{Row, State},
        stored::story,
        tables::Writer,
        write::Writing,
    },
};

/// What a withdrawn article said, for whoever may want it back.
#[derive(Clone, Debug)]
pub(super) struct Binned {
    /// As JSON.
    pub story: String,
    /// In seconds, while it waited.
    pub due: Option<i64>,
    /// In seconds.
    pub expires: Option<i64>,
}

/// What is kept of withdrawn articles, and what is to be kept from now on.
#[derive(Debug, Default)]
pub(super) struct Bin {
    /// What was kept of those that the push would have back.
    pub kept: HashMap<ArticleId, Binned>,
    /// What is kept from now on; `None`: nothing.
    pub changes: BTreeMap<ArticleId, Option<Binned>>,
}

impl Push {
    /// The articles that it would have back.
    pub(super) fn restored(&self) -> Vec<&str> {
        let operations = self.tasks.iter().map(|task| &task.operation);
        let restored = operations.filter(|operation| matches!(operation, Operation::Restore(_)));
        restored.map(|operation| operation.id().as_str()).collect()
    }
}

impl<W: Writer> Writing<W> {
    /// Does each task as far as it may be done. Where nothing is to be written after all, the effects say so.
    pub(super) fn push(&mut self, push: &Push, bin: &mut Bin) -> Result<Effects> {
        let is_undated = |task: &Task| matches!(&task.operation, Operation::Put(submission) if submission.published.is_none());
        // As in an import: articles without a date are new in the order given, the last of them now.
        let mut undated = push.tasks.iter().filter(|task| is_undated(task)).count();
        let mut each = Vec::with_capacity(push.tasks.len());
        for task in &push.tasks {
            undated -= usize::from(is_undated(task));
            let behind = TimeDelta::seconds(i64::try_from(undated).unwrap_or_default());
            each.push(self.carry_out(task, push, bin, self.clock - behind)?);
        }
        let mut effects = Effects { head: self.head(), each };
        if push.is_atomic && !effects.each.iter().all(|effect| effect.fate.is_done()) {
            effects.undo(self.before());
        }
        Ok(effects)
    }

    fn carry_out(
        &mut self,
        task: &Task,
        push: &Push,
        bin: &mut Bin,
        unstated: DateTime<Utc>,
    ) -> Result<Effect> {
        let id = task.operation.id().clone();
        let old = self.tables.find(&id)?.map(|(_, row)| row);
        let refuse = |reason: Refused| {
            let is_told = |row: &&Row| reason != Refused::OutOfScope && push.sees(row);
            let revision = old.as_ref().filter(is_told).map(|row| row.revision);
            Effect { id: id.clone(), fate: Fate::Refused(reason), revision, is_new: false }
        };
        if let Some(reason) = push.objection(task, old.as_ref()) {
            return Ok(refuse(reason));
        }
        let fate = match (&task.operation, &old) {
            (Operation::Put(submission), _) => {
                let fate =
                    self.submit(Submission::clone(submission), push.republish, unstated)?.into();
                if matches!(fate, Fate::Taken(_)) {
                    bin.changes.insert(id.clone(), None);
                }
                fate
            }
            (Operation::Withdraw { .. } | Operation::Restore(_), None) => {
                return Ok(refuse(Refused::Unknown));
            }
            (Operation::Withdraw { is_kept, .. }, Some(row)) => {
                let is_gone = row.state == State::Withdrawn;
                // What is withdrawn for good is withdrawn for good, whatever was before.
                if !is_gone || !is_kept {
                    bin.changes.insert(id.clone(), is_kept.then(|| Binned::new(row)));
                }
                self.withdraw(std::slice::from_ref(&id))?;
                if is_gone { Fate::WithdrawnBefore } else { Fate::Withdrawn }
            }
            // It is there: nothing is to be done.
            (Operation::Restore(_), Some(row)) if row.state != State::Withdrawn => {
                Fate::Taken(Outcome::Unchanged)
            }
            (Operation::Restore(_), Some(row)) => {
                let binned = bin.kept.get(&id).map(|binned| binned.submission(row)).transpose()?;
                let Some(submission) = binned.filter(|binned| push.reaches(&binned.story)) else {
                    let is_told = push.within.is_none();
                    return Ok(refuse(if is_told { Refused::Forgotten } else { Refused::Unknown }));
                };
                bin.changes.insert(id.clone(), None);
                self.submit(submission, true, unstated)?.into()
            }
        };
        let revision = self.tables.find(&id)?.map(|(_, row)| row.revision);
        Ok(Effect { id, fate, revision, is_new: old.is_none() })
    }
}

impl Binned {
    fn new(row: &Row) -> Self {
        let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp());
        Self {
            story: serde_json::to_string(&row.story).expect("a story has text keys only"),
            due: seconds(row.due),
            expires: seconds(row.expires),
        }
    }

    /// To be handed in again.
    fn submission(&self, row: &Row) -> Result<Submission> {
        let time = |seconds: Option<i64>| seconds.map(crate::store::stored::time);
        Ok(Submission {
            id: row.id.clone(),
            guid: None,
            published: Some(When::exactly(row.placed)),
            modified: row.modified,
            embargo: time(self.due),
            expires: time(self.expires),
            is_significant: None,
            story: story(row.id.as_str(), &self.story)?,
            origin: Origin { cleaning: row.cleaning, ..Origin::default() },
        })
    }
}

impl Effects {
    /// Whether anything is to be written.
    pub(super) fn is_anything_done(&self) -> bool {
        self.each.iter().any(|effect| effect.fate.is_done())
    }

    /// Takes back what was done to each, because not all was.
    fn undo(&mut self, head: Revision) {
        self.head = head;
        for effect in &mut self.each {
            if effect.fate.is_done() {
                effect.fate = Fate::Refused(Refused::Undone);
                effect.revision = None;
            }
        }
    }
}
