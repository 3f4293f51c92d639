//! The one clock. Everything else is told the time.

use std::time::Instant;

use chrono::{DateTime, Utc};

/// The present time, in UTC.
#[expect(clippy::disallowed_methods, reason = "somebody has to look at the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

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
