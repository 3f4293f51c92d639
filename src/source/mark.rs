//! How far a source has been followed: cursors, in whatever form a database gives them. No I/O and no clock.

use std::{cmp::Ordering, time::Duration};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where a source was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: DateTime<Utc>,
    /// The cursor of the last row.
    pub cursor: Value,
    /// The key of the last row; `None`: rows with this cursor are yet to be read.
    pub key: Option<Value>,
}

impl Mark {
    /// Whether it is after another. Cursors are times or numbers: their order is that of their texts, or their own.
    pub(super) fn is_beyond(&self, other: &Self) -> bool {
        match (order(&self.cursor, &other.cursor), &self.key, &other.key) {
            (Ordering::Equal, Some(key), Some(other)) => order(key, other).is_gt(),
            (Ordering::Equal, key, other) => key.is_some() && other.is_none(),
            (order, ..) => order.is_gt(),
        }
    }

    /// Whether its cursor is a time that has not come yet.
    pub(super) fn is_ahead(&self, now: DateTime<Utc>) -> bool {
        time(&self.cursor).is_some_and(|time| is_ahead(time, now))
    }
}

fn order(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Greater),
        },
        _ => Ordering::Greater,
    }
}

/// Local times are no further from ours.
pub(super) const AHEAD: TimeDelta = TimeDelta::days(1);

/// Whether a time has not come yet, wherever it is local.
pub(super) fn is_ahead(time: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    time - now > AHEAD
}

/// Forms of times without an offset.
const FORMS: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
/// Numbers beyond these are seconds since 1970 (from 1973 on), and milliseconds.
const SECONDS: i64 = 100_000_000;
const MILLISECONDS: i64 = 100_000_000_000;

/// What a cursor stands for, if for a time.
pub(super) fn time(cursor: &Value) -> Option<DateTime<Utc>> {
    if let Some(number) = cursor.as_i64() {
        return match number {
            MILLISECONDS.. => DateTime::from_timestamp_millis(number),
            SECONDS.. => DateTime::from_timestamp(number, 0),
            _ => None,
        };
    }
    let text = cursor.as_str()?;
    let exact = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok();
    let naive = || FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    exact.or_else(|| naive().map(|time| time.and_utc()))
}

/// A cursor as much later, in its own form; one that is no time stays.
pub(super) fn moved(cursor: Value, by: TimeDelta) -> Value {
    if let Some(number) = cursor.as_i64() {
        return match number {
            MILLISECONDS.. => json!(number + by.num_milliseconds()),
            SECONDS.. => json!(number + by.num_seconds()),
            _ => cursor,
        };
    }
    let Some(text) = cursor.as_str() else { return cursor };
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return json!((time + by).to_rfc3339());
    }
    for form in FORMS {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
            return json!((time + by).format(form).to_string());
        }
    }
    cursor
}

/// A cursor that no write which was under way comes before: times go back by the overlap, numbers by a thousand or more.
pub(super) fn earlier(cursor: Value, overlap: Duration) -> Value {
    const SEQUENCE: i64 = 1_000;
    let back = TimeDelta::from_std(overlap).unwrap_or_default();
    match cursor.as_i64() {
        Some(number) if number < MILLISECONDS => json!(number - back.num_seconds().max(SEQUENCE)),
        _ => moved(cursor, -back),
    }
}
