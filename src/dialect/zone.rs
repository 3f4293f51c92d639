//! What dates are written in.

use chrono::{DateTime, FixedOffset, Offset as _, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// What dates are written in; the instants are the same (M-30).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Zone {
    /// `utc`.
    Utc,
    /// `site`: the time zone of the publication.
    Site,
    /// An offset, as in `+09:00`.
    Fixed(FixedOffset),
}

/// Why a word is no zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither `utc` nor `site` nor an offset such as `+09:00`")]
pub struct ZoneError(String);

impl Zone {
    /// An instant, as the clocks of this zone show it.
    pub fn local(self, at: DateTime<Utc>, site: Tz) -> DateTime<FixedOffset> {
        match self {
            Self::Utc => at.fixed_offset(),
            Self::Site => at.with_timezone(&site).fixed_offset(),
            Self::Fixed(offset) => at.with_timezone(&offset.fix()),
        }
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;

    fn try_from(word: String) -> Result<Self, ZoneError> {
        match word.as_str() {
            "utc" => Ok(Self::Utc),
            "site" => Ok(Self::Site),
            _ => word.parse().map(Self::Fixed).map_err(|_| ZoneError(word)),
        }
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        match zone {
            Zone::Utc => "utc".to_owned(),
            Zone::Site => "site".to_owned(),
            Zone::Fixed(offset) => offset.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_shows_the_same_instant() {
        let at = DateTime::from_timestamp(1_772_699_400, 0).unwrap();
        for (word, expected) in [
            ("utc", "2026-03-05T08:30:00+00:00"),
            ("site", "2026-03-05T16:30:00+08:00"),
            ("+09:00", "2026-03-05T17:30:00+09:00"),
        ] {
            let zone = Zone::try_from(word.to_owned()).unwrap();
            assert_eq!(String::from(zone), word);
            let local = zone.local(at, Tz::Asia__Shanghai);
            assert_eq!((local.to_rfc3339().as_str(), local.to_utc()), (expected, at));
        }
        assert!(Zone::try_from("Tokyo".to_owned()).is_err());
    }
}
