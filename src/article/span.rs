//! Archives: which articles of a feed one holds.
//!
//! An article that comes into a category, or changes significantly there, takes the next place of the category, and no
//! place is given out twice. An archive is a run of places: once they are taken, nothing comes into it any more.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Serialize};

/// A run of places, counted from 1, both ends included: `1201-1300`.
///
/// Full ones hold [`Span::LENGTH`] places, and begin where one ends; any other is the beginning of a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    first: u64,
    last: u64,
}

impl Span {
    /// Places of a full one.
    pub const LENGTH: u64 = 100;
    /// No feed has more places.
    const MAX_PLACES: u64 = 1 << 40;

    /// The one that ends with this place; `None` for 0.
    pub fn ending(last: u64) -> Option<Self> {
        let first = last.checked_sub(1)? / Self::LENGTH * Self::LENGTH + 1;
        Some(Self { first, last })
    }

    /// The places.
    pub fn places(self) -> RangeInclusive<u64> {
        self.first..=self.last
    }

    /// Whether it holds as many places as one can.
    pub fn is_full(self) -> bool {
        self.last.is_multiple_of(Self::LENGTH)
    }

    /// The one before it.
    pub fn previous(self) -> Option<Self> {
        Self::ending(self.first - 1)
    }

    /// The full one with the place after it. It may have places yet to be taken, and is the same for ever, so that what
    /// names it never changes.
    #[must_use]
    pub fn next(self) -> Self {
        let last = (self.last + 1).next_multiple_of(Self::LENGTH);
        Self { first: last + 1 - Self::LENGTH, last }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// Something that is no span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a run of places such as `1201-1300`")]
pub struct SpanError;

impl FromStr for Span {
    type Err = SpanError;

    /// Only as [`Span`] is written: no signs, no zeros in front.
    fn from_str(text: &str) -> Result<Self, SpanError> {
        let (_, last) = text.split_once('-').ok_or(SpanError)?;
        let last = last.parse().ok().filter(|last| *last <= Self::MAX_PLACES);
        last.and_then(Self::ending).filter(|span| span.to_string() == text).ok_or(SpanError)
    }
}

/// How much of a feed there is in one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// The newest; what it leaves out is in archives, of which this is the newest.
    Newest(Span),
    /// An archive.
    Archive(Span),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Span {
        text.parse().unwrap()
    }

    #[test]
    fn only_one_spelling_of_a_span_is_read() {
        for (text, is_span) in [
            ("1-100", true),
            ("1201-1240", true),
            ("1201-1201", true),
            ("01-100", false),
            ("1-+9", false),
            ("2-100", false),
            ("1-101", false),
            ("101-100", false),
            ("0-99", false),
            ("1-0", false),
            ("1", false),
            ("", false),
            ("18446744073709551601-18446744073709551615", false),
            ("1-99999999999999999999", false),
        ] {
            assert_eq!(text.parse::<Span>().is_ok(), is_span, "{text}");
        }
    }

    #[test]
    fn spans_follow_each_other() {
        for (middle, previous, next) in [
            ("1-7", None, "1-100"),
            ("1-100", None, "101-200"),
            ("101-140", Some("1-100"), "101-200"),
            ("101-200", Some("1-100"), "201-300"),
        ] {
            let (middle, previous) = (span(middle), previous.map(span));
            assert_eq!((middle.previous(), middle.next()), (previous, span(next)), "{middle}");
        }
    }
}
