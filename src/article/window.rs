//! How far back a feed reaches.
//!
//! No clock: hours are counted back from the newest article, so that a window moves only when an article does.

use std::num::{NonZeroU16, NonZeroU32};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The newest `count` articles, or all of the last `hours` where those are more, within `bytes` of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// At least so many, when there are.
    pub count: NonZeroU16,
    /// Further back, to so many hours before the newest.
    pub hours: Option<NonZeroU16>,
    /// Stop where the texts would be larger together, in bytes; the first always fits.
    pub bytes: NonZeroU32,
}

impl Window {
    /// No feed holds more articles, whatever its hours.
    pub const MAX_COUNT: u16 = 2_000;

    /// Begins to fill it, newest first.
    pub fn fill(self) -> Fill {
        Fill { window: self, taken: 0, bytes: 0, newest: None }
    }
}

impl Default for Window {
    fn default() -> Self {
        let count = const { NonZeroU16::new(40).expect("40 is not zero") };
        let bytes = const { NonZeroU32::new(1_000_000).expect("a million is not zero") };
        Self { count, hours: None, bytes }
    }
}

/// A window that is being filled.
#[derive(Clone, Debug)]
pub struct Fill {
    window: Window,
    taken: u16,
    bytes: u64,
    newest: Option<DateTime<Utc>>,
}

impl Fill {
    /// Takes the next article, newest first, or says that the window is full.
    pub fn take(&mut self, published: DateTime<Utc>, bytes: u32) -> bool {
        let newest = *self.newest.get_or_insert(published);
        let recent = |hours: NonZeroU16| newest - published <= TimeDelta::hours(hours.get().into());
        let counted = self.taken < self.window.count.get() || self.window.hours.is_some_and(recent);
        let total = self.bytes + u64::from(bytes);
        let fits = self.taken == 0 || total <= self.window.bytes.get().into();
        if !counted || !fits || self.taken >= Window::MAX_COUNT {
            return false;
        }
        self.taken += 1;
        self.bytes = total;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these articles, given as (hours before the newest, bytes), a window holds.
    fn check(count: u16, hours: u16, bytes: u32, articles: &[(i64, u32)], expected: usize) {
        let window = Window {
            count: NonZeroU16::new(count).unwrap(),
            hours: NonZeroU16::new(hours),
            bytes: NonZeroU32::new(bytes).unwrap(),
        };
        let newest = DateTime::from_timestamp(1_772_699_400, 0).unwrap();
        let mut fill = window.fill();
        let held = articles
            .iter()
            .take_while(|(ago, size)| fill.take(newest - TimeDelta::hours(*ago), *size));
        assert_eq!(held.count(), expected, "{window:?} {articles:?}");
    }

    #[test]
    fn a_window_ends_by_count_hours_and_bytes() {
        let day = [(0, 10), (5, 10), (23, 10), (24, 10), (25, 10), (400, 10)];
        check(2, 0, 1_000, &day, 2);
        check(2, 24, 1_000, &day, 4);
        check(5, 24, 1_000, &day, 5);
        check(9, 0, 1_000, &day, 6);
        check(9, 0, 30, &day, 3);
        check(9, 0, 29, &day, 2);
        check(9, 0, 1, &day, 1);
        check(1, 1, 1_000, &[], 0);
    }
}
