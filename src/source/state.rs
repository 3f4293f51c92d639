//! Where a source stands. No I/O and no clock: it is kept in the store as JSON.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::source::mark::{Mark, ahead, earlier, moved};

/// Refusals that are kept, newest last.
const MAX_REFUSALS: usize = 20;

/// Where a source stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Fingerprint of what `feeds.toml` says of it: once that changes, everything is read again.
    pub says: String,
    /// All rows are being read; `None`: they have been.
    pub load: Option<Load>,
    /// Where it was at which time, newest last: as far back as a write may be late.
    pub marks: Vec<Mark>,
    /// The greatest key of all, where keys are numbers.
    #[serde(default)]
    pub last_key: Option<Value>,
    /// What a source of another kind keeps of its own.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub own: Value,
    /// When all rows had been read.
    pub loaded: Option<DateTime<Utc>>,
    /// When deleted rows were looked for.
    pub swept: Option<DateTime<Utc>>,
    /// So many of so many had gone when they were last looked for, which was not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<(u64, u64)>,
    /// What it came to so far.
    pub standing: Standing,
}

/// A reading of all rows that is under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// When it began.
    pub begun: DateTime<Utc>,
    /// Up to which key it has come.
    pub after: Option<Value>,
    /// The newest cursor when it began; from there on changes are followed.
    pub from: Option<Value>,
}

/// What a source came to so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// When a look last ended well.
    pub looked: Option<DateTime<Utc>>,
    /// Looks that failed since.
    pub failures: u32,
    /// Why the last of them did.
    pub error: Option<String>,
    /// What was read.
    pub counts: Counts,
    /// The newest refusals.
    pub refusals: Vec<Refusal>,
}

/// What became of the articles of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows, files or entries that were read, each time.
    pub rows: u64,
    /// New, or there again.
    pub published: u64,
    /// Wait for their time.
    pub held: u64,
    /// Changed, readers are told.
    pub edited: u64,
    /// Changed quietly.
    pub corrected: u64,
    /// Nothing new in them.
    pub unchanged: u64,
    /// Their time was over.
    pub expired: u64,
    /// Taken back.
    pub withdrawn: u64,
    /// Taken back by somebody before, and left so.
    pub retired: u64,
    /// Not taken.
    pub refused: u64,
}

impl Counts {
    /// Adds what a look came to.
    pub fn add(&mut self, more: &Self) {
        for (sum, more) in self.all_mut().into_iter().zip(more.all()) {
            *sum += more.1;
        }
    }

    /// Each, with its name.
    pub fn all(&self) -> [(&'static str, u64); 10] {
        [
            ("rows", self.rows),
            ("published", self.published),
            ("held", self.held),
            ("edited", self.edited),
            ("corrected", self.corrected),
            ("unchanged", self.unchanged),
            ("expired", self.expired),
            ("withdrawn", self.withdrawn),
            ("retired", self.retired),
            ("refused", self.refused),
        ]
    }

    fn all_mut(&mut self) -> [&mut u64; 10] {
        let Self {
            rows,
            published,
            held,
            edited,
            corrected,
            unchanged,
            expired,
            withdrawn,
            retired,
            refused,
        } = self;
        [rows, published, held, edited, corrected, unchanged, expired, withdrawn, retired, refused]
    }

    /// Whether anything came of it.
    pub fn is_news(&self) -> bool {
        self.all().iter().any(|(name, count)| !["rows", "unchanged"].contains(name) && *count > 0)
    }
}

/// Something that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The key of the row, or the name of the file.
    pub key: String,
    /// Which field; empty for the whole.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Standing {
    /// Adds what was refused, and forgets the oldest.
    pub fn refuse(&mut self, refusals: &[Refusal]) {
        for refusal in refusals {
            // What is read again each time is refused again each time.
            self.refusals.retain(|known| known != refusal);
            self.refusals.push(refusal.clone());
        }
        let excess = self.refusals.len().saturating_sub(MAX_REFUSALS);
        self.refusals.drain(..excess);
    }
}

impl State {
    /// As it is remembered.
    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers")
    }

    /// From where changes are to be read, so that no write is missed that became visible up to `overlap` after others that
    /// have a later cursor.
    ///
    /// Such a write was passed by at some mark, at the earliest when others with its cursor or a later one were visible, and
    /// was visible itself `overlap` later. The first look after that starts from before that mark.
    pub fn start(&self, overlap: Duration) -> Option<&Mark> {
        let last = self.marks.last()?.at;
        let settled = last - TimeDelta::from_std(overlap).unwrap_or_default();
        self.marks.iter().rev().find(|mark| mark.at <= settled).or(self.marks.first())
    }

    /// It has come here; `is_end`: and there is no more. What is read again is no news until there is no more, since a look
    /// that breaks off has not seen all of what came late. Marks that no look will start from are forgotten, and so are
    /// those that stand close together.
    pub fn pass(&mut self, mut mark: Mark, is_end: bool, overlap: Duration) {
        let newest = self.marks.last();
        if let Some(newest) = newest.filter(|newest| !mark.is_beyond(newest)) {
            if !is_end {
                return;
            }
            mark = Mark { at: mark.at, ..newest.clone() };
        }
        let apart = TimeDelta::from_std(overlap / 8).unwrap_or_default();
        if let [.., before, _] = &self.marks[..]
            && mark.at - before.at < apart
        {
            self.marks.pop();
        }
        self.marks.push(mark);
        if let Some(start) = self.start(overlap) {
            let start = start.at;
            self.marks.retain(|mark| mark.at >= start);
        }
        // A clock that went back makes marks look too young to be forgotten.
        let excess = self.marks.len().saturating_sub(64);
        self.marks.drain(1..=excess);
    }

    /// All rows have been read: from now on, what has changed since that began. `zone`: whose local times cursors are.
    pub fn end_load(&mut self, now: DateTime<Utc>, overlap: Duration, zone: Option<Tz>) {
        let Some(Load { begun, from, .. }) = self.load.take() else { return };
        self.loaded = Some(now);
        if let Some(cursor) = from {
            // From a time that lies ahead, nothing would be followed.
            let cursor = match ahead(&cursor, begun, zone) {
                Some(back) => moved(cursor, -back),
                None => cursor,
            };
            self.marks = vec![Mark { at: begun, cursor: earlier(cursor, overlap), key: None }];
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_670_600 + seconds, 0).unwrap()
    }

    fn mark(seconds: i64, cursor: i64) -> Mark {
        Mark { at: at(seconds), cursor: json!(cursor), key: Some(json!(cursor)) }
    }

    const OVERLAP: Duration = Duration::from_mins(1);

    #[test]
    fn a_look_starts_where_no_late_write_can_have_been_passed_by() {
        let mut state = State::default();
        assert_eq!(state.start(OVERLAP), None);
        // (seconds, cursor reached, cursor from which the next look starts)
        let steps = [
            (0, 10, 10),
            (5, 11, 10),
            (10, 12, 10),
            (59, 13, 10),
            (60, 14, 10),
            (69, 15, 11),
            (70, 16, 12),
            (200, 16, 16),
            (201, 17, 16),
        ];
        for (seconds, cursor, expected) in steps {
            state.pass(mark(seconds, cursor), true, OVERLAP);
            assert_eq!(state.start(OVERLAP).unwrap().cursor, json!(expected), "after {seconds} s");
        }
    }

    #[test]
    fn marks_are_few_however_often_it_looks() {
        let mut state = State::default();
        for second in 0..10_000 {
            state.pass(mark(second, second), false, OVERLAP);
            let start = state.start(OVERLAP).unwrap().at;
            assert!(second < 60 || (60..75).contains(&(at(second) - start).num_seconds()));
        }
        assert!(state.marks.len() < 12, "{}", state.marks.len());
        for second in 0..1_000 {
            state.pass(mark(-second, 10_000 + second), false, OVERLAP);
        }
        assert!(state.marks.len() <= 64);
    }

    #[test]
    fn what_is_read_again_moves_nothing_until_there_is_no_more() {
        let mut state = State::default();
        for second in 0..100 {
            state.pass(mark(second, second), false, OVERLAP);
        }
        let before = state.clone();
        state.pass(mark(100, 50), false, OVERLAP);
        assert_eq!(state, before);
        state.pass(mark(160, 50), true, OVERLAP);
        assert_eq!(state.marks.last().unwrap().cursor, json!(99));
        assert_eq!(state.start(OVERLAP).unwrap().cursor, json!(99));
        let keyed = |key: &str| Mark { key: Some(json!(key)), ..mark(200, 99) };
        state.pass(keyed("x"), false, OVERLAP);
        assert_eq!(state.marks.last().unwrap().key, Some(json!("x")));
    }

    #[test]
    fn a_load_is_followed_from_before_it_began() {
        let load = |from: Value| Load { begun: at(0), after: None, from: Some(from) };
        for (from, expected) in [
            (json!("2026-03-05 08:30:00.5"), json!("2026-03-05 08:29:00.500")),
            (json!("2026-03-05T08:30:00+08:00"), json!("2026-03-05T08:29:00+08:00")),
            (json!(1_772_670_600), json!(1_772_669_600)),
            (json!(1_772_670_600_000_i64), json!(1_772_670_540_000_i64)),
            (json!("ab"), json!("ab")),
        ] {
            let mut state = State { load: Some(load(from)), ..State::default() };
            state.end_load(at(100), OVERLAP, None);
            let start = state.start(OVERLAP).unwrap();
            assert_eq!((&start.cursor, start.key.as_ref()), (&expected, None));
            assert_eq!(state.loaded, Some(at(100)));
        }
    }

    #[test]
    fn nobody_stands_at_a_time_that_lies_ahead() {
        let ahead = json!("2035-12-31 16:00:00");
        assert!(Mark { at: at(0), cursor: ahead.clone(), key: None }.is_ahead(at(0), None));
        // Local times may be hours ahead of ours.
        let local = json!("2026-03-05 14:30:00");
        assert!(!Mark { at: at(0), cursor: local, key: None }.is_ahead(at(0), None));
        assert!(!mark(0, 2_099_999).is_ahead(at(0), None));
        let load = Load { begun: at(0), after: None, from: Some(ahead) };
        let mut state = State { load: Some(load), ..State::default() };
        state.end_load(at(10), OVERLAP, None);
        assert_eq!(state.marks[0].cursor, json!("2026-03-04 10:24:00"));
    }

    #[test]
    fn refusals_are_few_and_each_is_there_once() {
        let refusal = |n: usize| Refusal {
            key: n.to_string(),
            field: String::new(),
            problem: "wrong".to_owned(),
        };
        let mut standing = Standing::default();
        for n in 0..50 {
            standing.refuse(&[refusal(n), refusal(49)]);
        }
        assert_eq!(standing.refusals.len(), MAX_REFUSALS);
        assert_eq!(standing.refusals.iter().filter(|known| known.key == "49").count(), 1);
    }
}
