//! What is in the columns of every store.

use chrono::{DateTime, Utc};

use crate::{
    article::{Claim, Revision, Story},
    store::{
        Result, StoreError,
        decide::{Row, State},
    },
};

/// Seconds since 1970 as a time. A time that no calendar has, which only a damaged file holds, is 1970.
pub(super) fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// A revision as it is stored.
pub(super) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// A stored revision.
pub(super) fn revision(number: i64) -> Revision {
    Revision(u64::try_from(number).unwrap_or_default())
}

/// A stored story.
pub(super) fn story(id: &str, text: &str) -> Result<Story> {
    serde_json::from_str(text).map_err(|source| StoreError::Article { id: id.to_owned(), source })
}

/// A stored state.
pub(super) fn state(number: i64) -> State {
    match number {
        0 => State::Held,
        1 => State::Live,
        2 => State::Expired,
        _ => State::Withdrawn,
    }
}

/// A state as it is stored.
pub(super) fn state_number(state: State) -> i64 {
    match state {
        State::Held => 0,
        State::Live => 1,
        State::Expired => 2,
        State::Withdrawn => 3,
    }
}

/// A stored claim.
pub(super) fn claim(number: i64) -> Claim {
    match number {
        0 => Claim::Given,
        1 => Claim::Own,
        _ => Claim::Atom,
    }
}

/// A claim as it is stored.
pub(super) fn claim_number(claim: Claim) -> i64 {
    match claim {
        Claim::Given => 0,
        Claim::Own => 1,
        Claim::Atom => 2,
    }
}

/// The story of a row as it is stored: a withdrawn article keeps its identity, and nothing of what it said.
pub(super) fn text(row: &Row) -> String {
    match row.state {
        State::Withdrawn => String::new(),
        State::Held | State::Live | State::Expired => {
            serde_json::to_string(&row.story).expect("a story has text keys only")
        }
    }
}
