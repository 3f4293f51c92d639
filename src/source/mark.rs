//! How far a source has been followed: cursors, in whatever form a database gives them. No I/O and no clock.

use std::{cmp::Ordering, time::Duration};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
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

    /// Whether its cursor is a time that has not come yet; `zone`: whose local times are, where they are.
    pub(super) fn is_ahead(&self, now: DateTime<Utc>, zone: Option<Tz>) -> bool {
        ahead(&self.cursor, now, zone).is_some()
    }

    /// From where to read so that no change is missed: rows of the same day change without moving a cursor that is but a
    /// day, and are all read again.
    pub(super) fn again(&self) -> Self {
        let is_day = self.cursor.as_str().is_some_and(|text| day(text).is_some());
        Self { key: self.key.clone().filter(|_| !is_day), ..self.clone() }
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

/// Clocks agree so far.
const CLOCKS: TimeDelta = TimeDelta::minutes(5);
/// No local time is further from UTC.
const LOCAL: TimeDelta = TimeDelta::hours(14);

/// How far back a cursor has to go to be a time that has come for sure; `None`: it is one, or no time. Local times of a zone
/// that is not known may be hours ahead, and hours behind.
pub(super) fn ahead(cursor: &Value, now: DateTime<Utc>, zone: Option<Tz>) -> Option<TimeDelta> {
    let (time, leeway) = match time(cursor)? {
        Time::Exact(time) => (time, CLOCKS),
        Time::Local(time) => {
            let known = zone.and_then(|zone| zone.from_local_datetime(&time).earliest());
            known.map_or((time.and_utc(), LOCAL + CLOCKS), |time| (time.to_utc(), CLOCKS))
        }
    };
    (time - now > leeway).then(|| time - now + LOCAL + CLOCKS)
}

/// Forms of times without an offset.
const FORMS: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
/// The form of a day.
const DAY: &str = "%Y-%m-%d";
/// Numbers beyond these are seconds since 1970 (from 1973 on), and milliseconds.
const SECONDS: i64 = 100_000_000;
const MILLISECONDS: i64 = 100_000_000_000;

/// What a cursor stands for.
enum Time {
    Exact(DateTime<Utc>),
    /// Somewhere.
    Local(NaiveDateTime),
}

fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, DAY).ok()
}

/// What a cursor stands for, if for a time.
fn time(cursor: &Value) -> Option<Time> {
    if let Some(number) = cursor.as_i64() {
        let time = match number {
            MILLISECONDS.. => DateTime::from_timestamp_millis(number),
            SECONDS.. => DateTime::from_timestamp(number, 0),
            _ => None,
        };
        return time.map(Time::Exact);
    }
    let text = cursor.as_str()?;
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(Time::Exact(time.to_utc()));
    }
    let local = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    local.or_else(|| day(text).map(|day| day.and_time(NaiveTime::MIN))).map(Time::Local)
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
    if let Some(day) = day(text) {
        return json!((day.and_time(NaiveTime::MIN) + by).format(DAY).to_string());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_now_is_no_time_ahead() {
        let now = "2026-03-05T12:00:00Z".parse().unwrap();
        let shanghai = Some(Tz::Asia__Shanghai);
        for (cursor, zone, expected) in [
            (json!("2026-03-05T12:04:00+00:00"), None, false),
            (json!("2026-03-05T20:06:00+08:00"), None, true),
            (json!(1_772_712_000 + 301), None, true),
            (json!("2026-03-06 02:00:00"), None, false),
            (json!("2026-03-06 02:06:00"), None, true),
            (json!("2026-03-05 20:04:00"), shanghai, false),
            (json!("2026-03-05 20:06:00"), shanghai, true),
            (json!("2026-03-06"), shanghai, true),
            (json!("2026-03-06"), None, false),
            (json!("2199-01-01"), None, true),
            (json!(7), None, false),
            (json!("b"), None, false),
        ] {
            let found = ahead(&cursor, now, zone);
            assert_eq!(found.is_some(), expected, "{cursor}");
            let Some(back) = found else { continue };
            assert_eq!(ahead(&moved(cursor.clone(), -back), now, zone), None, "{cursor}");
        }
    }

    #[test]
    fn days_go_back_by_days() {
        let minute = Duration::from_mins(1);
        assert_eq!(earlier(json!("2026-03-05"), minute), json!("2026-03-04"));
    }
}
