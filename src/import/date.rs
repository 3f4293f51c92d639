//! Dates as publishers write them.

use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::article::{Precision, When};

/// RFC 3339; a date and a time, or a date alone, in `zone`. `None` for anything else, and for years outside 1970–9999
/// (D-10).
pub(super) fn read(raw: &str, zone: Tz) -> Option<When> {
    let raw = raw.trim();
    if let Ok(exact) = DateTime::parse_from_rfc3339(raw) {
        return in_range(When::exactly(whole(exact.to_utc())));
    }
    let local = raw.replacen('T', " ", 1);
    let (naive, precision) = if let Ok(date) = NaiveDate::parse_from_str(&local, "%Y-%m-%d") {
        (date.and_hms_opt(0, 0, 0)?, Precision::Day)
    } else if let Ok(minute) = NaiveDateTime::parse_from_str(&local, "%Y-%m-%d %H:%M") {
        (minute, Precision::Minute)
    } else {
        (NaiveDateTime::parse_from_str(&local, "%Y-%m-%d %H:%M:%S").ok()?, Precision::Second)
    };
    in_range(When { start: whole(resolve(naive, zone)?), precision })
}

/// The end of what was given: of the day for a date alone, else the time itself.
pub(super) fn end(when: When, zone: Tz) -> DateTime<Utc> {
    if when.precision != Precision::Day {
        return when.start;
    }
    let next = when.start.with_timezone(&zone).date_naive().checked_add_days(Days::new(1));
    next.and_then(|day| resolve(day.and_hms_opt(0, 0, 0)?, zone)).map_or(when.start, whole)
}

/// A local time that comes twice is the first; one that clocks jump over is as much after the jump.
fn resolve(naive: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&naive) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.to_utc()),
        LocalResult::None => {
            let before = zone.from_local_datetime(&(naive - TimeDelta::hours(3))).earliest()?;
            Some((before + TimeDelta::hours(3)).to_utc())
        }
    }
}

/// Cut to the second, never rounded up (D-10).
fn whole(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(time.timestamp(), 0).unwrap_or(time)
}

fn in_range(when: When) -> Option<When> {
    (0..253_402_300_800).contains(&when.start.timestamp()).then_some(when)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: Option<(&str, Precision)>) {
        let when = read(raw, chrono_tz::Asia::Shanghai);
        let shown =
            when.map(|when| (when.start.format("%Y-%m-%dT%H:%M:%SZ").to_string(), when.precision));
        assert_eq!(
            shown.as_ref().map(|(time, precision)| (time.as_str(), *precision)),
            expected,
            "{raw}"
        );
    }

    #[test]
    fn dates_are_read_in_the_publications_time_zone() {
        use Precision::{Day, Minute, Second};
        check("2026-03-05", Some(("2026-03-04T16:00:00Z", Day)));
        check("2026-03-05 08:30", Some(("2026-03-05T00:30:00Z", Minute)));
        check(" 2026-03-05 08:30:15 ", Some(("2026-03-05T00:30:15Z", Second)));
        check("2026-03-05T08:30:15", Some(("2026-03-05T00:30:15Z", Second)));
        check("2026-03-05T08:30:15Z", Some(("2026-03-05T08:30:15Z", Second)));
        check("2026-03-05T08:30:15.999+01:00", Some(("2026-03-05T07:30:15Z", Second)));
        check("2016-12-31T23:59:60Z", Some(("2016-12-31T23:59:59Z", Second)));
        // China had summer time until 1991.
        check("1988-07-01 12:00:00", Some(("1988-07-01T03:00:00Z", Second)));
        for refused in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "05/03/2026",
            "1969-12-31T00:00:00Z",
            "+12026-01-01T00:00:00Z",
        ] {
            check(refused, None);
        }
    }

    #[test]
    fn an_hour_that_does_not_exist_is_after_the_jump() {
        let when = read("2026-03-29 02:30:00", chrono_tz::Europe::Berlin).unwrap();
        assert_eq!(when.start.to_rfc3339(), "2026-03-29T01:30:00+00:00");
        let day = read("2026-03-29", chrono_tz::Europe::Berlin).unwrap();
        assert_eq!(end(day, chrono_tz::Europe::Berlin) - day.start, TimeDelta::hours(23));
    }
}
