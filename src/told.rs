//! The time, for those who are told it.

use std::time::Instant;

use chrono::{DateTime, Utc};

/// A time as somebody was told it, and what has passed since: whoever has to wait acts later than that.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    time: DateTime<Utc>,
    at: Instant,
}

impl Told {
    /// The time by now.
    pub fn now(self) -> DateTime<Utc> {
        self.time + self.at.elapsed()
    }
}

impl From<DateTime<Utc>> for Told {
    fn from(time: DateTime<Utc>) -> Self {
        Self { time, at: Instant::now() }
    }
}
