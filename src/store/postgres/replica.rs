//! A copy to read from, which may be behind, and what tells whether it is one.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    article::Revision,
    store::{
        Result, StoreError,
        postgres::{pool::Pool, read::View, row::revision},
        stored::number,
        tables::Reader,
    },
};

/// One that failed is not asked again for so long.
const RESPITE: Duration = Duration::from_secs(5);

/// A read replica.
pub(super) struct Replica {
    /// For people: its address without the password.
    pub shown: String,
    pub readers: Pool,
    /// Whether it was found to be a copy since it last failed.
    is_known: AtomicBool,
    /// When it is asked again, after it failed.
    rests_until: Mutex<Option<Instant>>,
}

impl Replica {
    pub(super) fn new(shown: String, readers: Pool) -> Self {
        Self { shown, readers, is_known: AtomicBool::new(false), rests_until: Mutex::new(None) }
    }

    pub(super) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    pub(super) fn know(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    pub(super) fn rests(&self) -> bool {
        let mut until = self.rests_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *until = until.filter(|until| *until > Instant::now());
        until.is_some()
    }

    /// Leaves it alone for a while. Whatever is there then may be something else.
    pub(super) fn rest(&self) {
        self.is_known.store(false, Ordering::Relaxed);
        let mut until = self.rests_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *until = Some(Instant::now() + RESPITE);
    }
}

/// How far a store has come, and its last line of the log: one that has the same line later has the same history.
///
/// Two stores that mint identities under one authority and have no line yet are taken for the same.
#[derive(Clone)]
pub(super) struct Witness {
    authority: String,
    head: Revision,
    last: Option<(Revision, String, String, i64)>,
}

impl Witness {
    pub(super) fn of(view: &View<'_>) -> Result<Self> {
        let last =
            "SELECT revision, id, kind, at FROM change ORDER BY revision DESC, id DESC LIMIT 1";
        let last = view.session().query(last, &[])?;
        let line = last.first().map(|row| {
            Ok::<_, StoreError>((
                revision(row, "revision")?,
                row.try_get(1)?,
                row.try_get(2)?,
                row.try_get(3)?,
            ))
        });
        let counter = view.counter()?;
        Ok(Self { authority: counter.authority, head: counter.head, last: line.transpose()? })
    }

    /// Whether this store, which is looked at after the other, has been where the other is.
    pub(super) fn is_of(&self, view: &View<'_>) -> Result<bool> {
        let counter = view.counter()?;
        if counter.authority != self.authority || counter.head < self.head {
            return Ok(false);
        }
        let Some((revision, id, kind, at)) = &self.last else { return Ok(true) };
        let line = "SELECT FROM change WHERE revision = $1 AND id = $2 AND kind = $3 AND at = $4";
        let found = view.session().query(line, &[&number(*revision), id, kind, at])?;
        Ok(!found.is_empty())
    }
}
