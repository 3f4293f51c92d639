//! The one clock. Everything else is told the time.

use chrono::{DateTime, Utc};

/// The present time, in UTC.
#[expect(clippy::disallowed_methods, reason = "somebody has to look at the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
