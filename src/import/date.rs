//! Dates as publishers and other systems write them: one reader for all ways in.
//!
//! Takes every form that can be meant in one way only: ISO 8601 and RFC 3339 with their variants, RFC 822 with named zones, what Ruby,
//! Python, PostgreSQL, JavaScript and Unix print, `年月日`, and months by their English names. `05/03/2026` could be two days, and is
//! none.

use chrono::{
    DateTime, Days, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat,
    TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;

use crate::article::{Precision, When};

/// Longest text that is read, in bytes.
const MAX_BYTES: usize = 100;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Zones by name, in minutes east of Greenwich. `IST` is three zones, and so none; `CST` is that of RFC 822.
const ZONES: [(&str, i32); 42] = [
    ("z", 0),
    ("ut", 0),
    ("utc", 0),
    ("gmt", 0),
    ("wet", 0),
    ("west", 60),
    ("bst", 60),
    ("cet", 60),
    ("met", 60),
    ("cest", 120),
    ("mest", 120),
    ("eet", 120),
    ("sast", 120),
    ("eest", 180),
    ("msk", 180),
    ("hkt", 480),
    ("sgt", 480),
    ("awst", 480),
    ("pht", 480),
    ("jst", 540),
    ("kst", 540),
    ("acst", 570),
    ("acdt", 630),
    ("aest", 600),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
    ("nst", -210),
    ("ndt", -150),
    ("ast", -240),
    ("adt", -180),
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
    ("akst", -540),
    ("akdt", -480),
    ("hst", -600),
];
/// Zones by their long names, as some programs print them.
const LONG_ZONES: [(&str, &str); 16] = [
    ("eastern standard time", "est"),
    ("eastern daylight time", "edt"),
    ("central standard time", "cst"),
    ("central daylight time", "cdt"),
    ("mountain standard time", "mst"),
    ("mountain daylight time", "mdt"),
    ("pacific standard time", "pst"),
    ("pacific daylight time", "pdt"),
    ("greenwich mean time", "gmt"),
    ("coordinated universal time", "utc"),
    ("british summer time", "bst"),
    ("central european time", "cet"),
    ("central european standard time", "cet"),
    ("central european summer time", "cest"),
    ("china standard time", "hkt"),
    ("japan standard time", "jst"),
];

/// The time that a text means; a date without a zone is one of `zone`. `None` for a text that means none or several, and for
/// years outside 1970–9999 (D-10).
pub(super) fn read(raw: &str, zone: Tz) -> Option<When> {
    let raw = raw.trim();
    if raw.is_empty() || raw.len() > MAX_BYTES {
        return None;
    }
    if let Ok(exact) = DateTime::parse_from_rfc3339(raw) {
        return in_range(When::exactly(whole(exact.to_utc())));
    }
    let text = in_ascii(raw)?;
    let mut written = Written::default();
    let text = written.take_long_zone(&text);
    for word in text.split_whitespace() {
        written.take(word)?;
    }
    written.when(zone)
}

/// A date and time, as far as it was read.
#[derive(Debug, Default)]
struct Written {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    time: Option<NaiveTime>,
    has_seconds: bool,
    /// `24:00`, the end of the day.
    is_end_of_day: bool,
    is_afternoon: Option<bool>,
    zone: Option<Zone>,
}

#[derive(Debug, Clone, Copy)]
enum Zone {
    Fixed(FixedOffset),
    Named(Tz),
}

/// `2024年1月5日 8时30分` as `2024-1-5 8:30`, lower case, without commas and remarks in brackets.
fn in_ascii(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut is_remark = false;
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        let is_before_digit = chars.peek().is_some_and(char::is_ascii_digit);
        match c {
            // Fractions of a second may have a comma.
            ',' if text.contains(':')
                && text.ends_with(|c: char| c.is_ascii_digit())
                && is_before_digit =>
            {
                text.push('.');
            }
            '(' => is_remark = true,
            ')' => is_remark = false,
            _ if is_remark => {}
            '年' | '月' | '－' | '–' => text.push('-'),
            '时' | '時' | '点' | '點' | '分' | '：' => text.push(':'),
            '日' | '号' | '秒' | ',' | '，' | '\u{a0}' | '\u{3000}' | '\u{202f}' => {
                text.push(' ');
            }
            c if c.is_ascii() => text.push(c.to_ascii_lowercase()),
            _ => return None,
        }
    }
    // `8时30分` leaves a colon at its end.
    Some(
        text.split_whitespace()
            .map(|word| word.trim_end_matches(':'))
            .collect::<Vec<_>>()
            .join(" "),
    )
}

impl Written {
    /// Takes a zone of several words away from the end of a text.
    fn take_long_zone<'t>(&mut self, text: &'t str) -> &'t str {
        for (name, short) in LONG_ZONES {
            if let Some(rest) = text.strip_suffix(name) {
                self.zone = named(short);
                return rest;
            }
        }
        text
    }

    /// Takes a word; `None` for one that has no place in a date.
    fn take(&mut self, word: &str) -> Option<()> {
        if let Some((date, time)) = word.split_once('t').filter(|(date, _)| starts_iso(date)) {
            let is_plain = date.bytes().all(|byte| byte.is_ascii_digit());
            if is_plain {
                self.number(date)?;
            } else {
                self.date(date)?;
            }
            return self.clock(time);
        }
        if matches!(word, "at" | "on" | "of" | "the") {
            return Some(());
        }
        if matches!(word, "am" | "pm" | "a.m." | "p.m.") {
            self.is_afternoon = Some(word.starts_with('p'));
            return Some(());
        }
        let letters = word.trim_end_matches('.');
        if letters.len() >= 3 && letters.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            if let Some(month) = month(letters) {
                return set(&mut self.month, month);
            }
            if DAYS.iter().any(|day| letters.starts_with(day)) && is_day_name(letters) {
                return Some(());
            }
        }
        if word.contains(':')
            && !word.starts_with(['+', '-'])
            && !word.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            return self.clock(word);
        }
        if let Some(zone) = zone_of(word).filter(|_| self.time.is_some() || self.year.is_some()) {
            return set(&mut self.zone, zone);
        }
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.number(word);
        }
        let ordinal = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end));
        if let Some(day) = ordinal.and_then(|day| day.parse().ok()) {
            return set(&mut self.day, day);
        }
        self.date(word)
    }

    /// A number alone: a day, a year, or a date and time without signs.
    fn number(&mut self, digits: &str) -> Option<()> {
        let part = |at: std::ops::Range<usize>| digits.get(at)?.parse::<u32>().ok();
        match digits.len() {
            1 | 2 if self.day.is_none() => set(&mut self.day, part(0..digits.len())?),
            // RFC 822 has two digits; RFC 2822 section 4.3 says which century.
            2 => set(
                &mut self.year,
                if part(0..2)? < 50 { 2_000 } else { 1_900 } + i32::try_from(part(0..2)?).ok()?,
            ),
            4 => set(&mut self.year, i32::try_from(part(0..4)?).ok()?),
            8 | 12 | 14 => {
                set(&mut self.year, i32::try_from(part(0..4)?).ok()?)?;
                set(&mut self.month, part(4..6)?)?;
                set(&mut self.day, part(6..8)?)?;
                if digits.len() > 8 {
                    let seconds = if digits.len() == 14 { part(12..14)? } else { 0 };
                    self.has_seconds = digits.len() == 14;
                    return set(
                        &mut self.time,
                        NaiveTime::from_hms_opt(part(8..10)?, part(10..12)?, seconds)?,
                    );
                }
                Some(())
            }
            _ => None,
        }
    }

    /// `2026-03-05`, `2026/3/5`, `05.03.2026`, `5-Mar-2026`; with slashes only where one of two numbers is no month.
    fn date(&mut self, word: &str) -> Option<()> {
        let sign = ['-', '/', '.'].into_iter().find(|sign| word.contains(*sign))?;
        let parts: Vec<&str> = word.trim_end_matches(sign).split(sign).collect();
        let [first, second, third] = parts[..] else { return None };
        let number = |text: &str| {
            let is_number =
                (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse::<u32>().ok()).flatten()
        };
        let (year, month_number, day) = match (first.len(), month(second)) {
            (4, None) => (number(first)?, number(second)?, number(third)?),
            (1 | 2, Some(month)) if third.len() == 4 => (number(third)?, month, number(first)?),
            (1 | 2, None) if third.len() == 4 => match (sign, number(first)?, number(second)?) {
                ('.', day, month) | (_, day @ 13.., month) | (_, month, day @ 13..) => {
                    (number(third)?, month, day)
                }
                (_, day, month) if day == month => (number(third)?, month, day),
                _ => return None,
            },
            _ => return None,
        };
        set(&mut self.year, i32::try_from(year).ok()?)?;
        set(&mut self.month, month_number)?;
        set(&mut self.day, day)
    }

    /// `8:30`, `08:30:15.123`, with a zone behind it or not.
    fn clock(&mut self, word: &str) -> Option<()> {
        let end = word
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.' | ','))
            .unwrap_or(word.len());
        let (clock, rest) = word.split_at(end);
        match rest {
            "" => {}
            "am" | "pm" => self.is_afternoon = Some(rest == "pm"),
            zone => set(&mut self.zone, zone_of(zone)?)?,
        }
        let clock = clock.split(['.', ',']).next().unwrap_or_default();
        // `083015` of the basic format of ISO 8601.
        let basic = (matches!(clock.len(), 4 | 6) && !clock.contains(':'))
            .then(|| [0..2, 2..4, 4..6].map(|at| clock.get(at).unwrap_or_default()).join(":"));
        let clock = basic.as_deref().unwrap_or(clock).trim_end_matches(':');
        let parts: Vec<u32> =
            clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let (hour, minute, second) = match parts[..] {
            [hour, minute] => (hour, minute, 0),
            [hour, minute, second] => (hour, minute, second),
            _ => return None,
        };
        self.has_seconds = parts.len() == 3;
        if (hour, minute, second) == (24, 0, 0) {
            self.is_end_of_day = true;
            return set(&mut self.time, NaiveTime::MIN);
        }
        // A leap second is the one before it.
        set(
            &mut self.time,
            NaiveTime::from_hms_opt(hour, minute, second.min(59)).filter(|_| second <= 60)?,
        )
    }

    fn when(self, zone: Tz) -> Option<When> {
        let date = NaiveDate::from_ymd_opt(self.year?, self.month?, self.day?)?;
        let precision = match self.time {
            None => Precision::Day,
            Some(_) if self.has_seconds => Precision::Second,
            Some(_) => Precision::Minute,
        };
        let mut local = date.and_time(self.time.unwrap_or(NaiveTime::MIN));
        if self.is_end_of_day {
            local = local.checked_add_days(Days::new(1))?;
        }
        if let Some(is_afternoon) = self.is_afternoon {
            let hour = chrono::Timelike::hour(&local);
            if !(1..=12).contains(&hour) {
                return None;
            }
            let shift = match (is_afternoon, hour) {
                (true, 1..=11) => 12,
                (false, 12) => -12,
                _ => 0,
            };
            local += TimeDelta::hours(shift);
        }
        let start = match self.zone {
            Some(Zone::Fixed(offset)) => offset.from_local_datetime(&local).single()?.to_utc(),
            Some(Zone::Named(zone)) => resolve(local, zone)?,
            None => resolve(local, zone)?,
        };
        in_range(When { start: whole(start), precision })
    }
}

/// Sets what was not set before; `None` where a text says it twice.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = Some(value);
    Some(())
}

fn starts_iso(date: &str) -> bool {
    date.len() >= 8 && date.bytes().take(4).all(|byte| byte.is_ascii_digit())
}

/// A month by its English name, its first three letters, or `sept`.
fn month(name: &str) -> Option<u32> {
    const FULL: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let at = FULL
        .iter()
        .position(|full| *full == name)
        .or_else(|| MONTHS.iter().position(|short| *short == name));
    let at = at.or_else(|| (name == "sept").then_some(8))?;
    u32::try_from(at + 1).ok()
}

fn is_day_name(name: &str) -> bool {
    ["", "day", "sday", "nesday", "rsday", "urday", "s", "r", "rs"].contains(&&name[3..])
}

/// `+0800`, `+08:00`, `gmt+8`, `cest`, `america/new_york`.
fn zone_of(word: &str) -> Option<Zone> {
    let offset = ["gmt", "utc", "ut"]
        .iter()
        .find_map(|name| word.strip_prefix(name))
        .filter(|rest| !rest.is_empty());
    let offset = offset.unwrap_or(word);
    if let Some(east) = offset
        .strip_prefix('+')
        .map(|rest| (rest, 1))
        .or_else(|| offset.strip_prefix('-').map(|rest| (rest, -1)))
    {
        let (digits, sign) = east;
        let (hours, minutes) = match digits.split_once(':') {
            Some((hours, minutes)) => (hours, minutes),
            None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
            None => (digits, "0"),
        };
        let number = |text: &str| {
            text.parse::<i32>()
                .ok()
                .filter(|_| text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()))
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        if hours > 15 || minutes > 59 {
            return None;
        }
        return FixedOffset::east_opt(sign * (hours * 60 + minutes) * 60).map(Zone::Fixed);
    }
    named(word).or_else(|| {
        let is_place = word.contains('/');
        let is_meant = |zone: &&Tz| is_place && zone.name().eq_ignore_ascii_case(word);
        chrono_tz::TZ_VARIANTS.iter().find(is_meant).copied().map(Zone::Named)
    })
}

fn named(name: &str) -> Option<Zone> {
    let (_, minutes) = ZONES.iter().find(|(known, _)| *known == name)?;
    FixedOffset::east_opt(minutes * 60).map(Zone::Fixed)
}

/// The same for a text that says its zone itself; as it is for any other, whose zone is that of the publication.
pub(super) fn normal(raw: &str) -> String {
    let zones = [chrono_tz::UTC, chrono_tz::Asia::Shanghai].map(|zone| read(raw, zone));
    match zones {
        [Some(one), Some(other)] if one == other => {
            one.start.to_rfc3339_opts(SecondsFormat::Secs, true)
        }
        _ => raw.trim().to_owned(),
    }
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
        check("2026-03-05T08:30Z", Some(("2026-03-05T08:30:00Z", Minute)));
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
    fn every_form_that_means_one_time_is_read() {
        for (raw, expected) in [
            ("2006-03-05T08:30+09:00", "2006-03-04T23:30:00Z"),
            ("2024-01-05T08:30:00+0100", "2024-01-05T07:30:00Z"),
            ("2024-01-05T08:30:00.123456", "2024-01-05T00:30:00Z"),
            ("2024-01-05 08:30:00,5", "2024-01-05T00:30:00Z"),
            ("2024-01-04 15:17:59.000000000 +00:00", "2024-01-04T15:17:59Z"),
            ("2024-01-15 10:00:00 UTC", "2024-01-15T10:00:00Z"),
            ("2026-03-05 00:30:00+00", "2026-03-05T00:30:00Z"),
            ("2024-01-17 1:05:00 +0800", "2024-01-16T17:05:00Z"),
            ("2024-01-16 10:00:00 America/New_York", "2024-01-16T15:00:00Z"),
            ("2024/01/05", "2024-01-04T16:00:00Z"),
            ("2024/1/5 8:30", "2024-01-05T00:30:00Z"),
            ("2024-1-6", "2024-01-05T16:00:00Z"),
            ("2024.01.05", "2024-01-04T16:00:00Z"),
            ("20260305083000", "2026-03-05T00:30:00Z"),
            ("202603050830", "2026-03-05T00:30:00Z"),
            ("20260305", "2026-03-04T16:00:00Z"),
            ("20260305T083000", "2026-03-05T00:30:00Z"),
            ("2024年01月05日 08:30", "2024-01-05T00:30:00Z"),
            ("2024年1月5日8时30分", "2024-01-05T00:30:00Z"),
            ("2024年1月5日", "2024-01-04T16:00:00Z"),
            ("05.01.2024", "2024-01-04T16:00:00Z"),
            ("25/11/2026", "2026-11-24T16:00:00Z"),
            ("11/25/2026", "2026-11-24T16:00:00Z"),
            ("Thu, 05 Mar 2026 08:30:00 GMT", "2026-03-05T08:30:00Z"),
            ("Thu, 5 Mar 2026 08:30 +0100", "2026-03-05T07:30:00Z"),
            ("05 Mar 26 08:30:00 EST", "2026-03-05T13:30:00Z"),
            ("Thu 05 March 2026 08:30:00 CEST", "2026-03-05T06:30:00Z"),
            ("Thu, 05 Mar 2026 08:30:00 Eastern Daylight Time", "2026-03-05T12:30:00Z"),
            ("Thu, 05 Mar 2026 08:30:00 GMT+0800", "2026-03-05T00:30:00Z"),
            ("Thu, 05 Mar 2026 08:30:00", "2026-03-05T00:30:00Z"),
            ("Tues, 05 Sept 2023 08:30:00 BST", "2023-09-05T07:30:00Z"),
            ("5 January 2024", "2024-01-04T16:00:00Z"),
            ("January 5th, 2024 at 8:30 pm", "2024-01-05T12:30:00Z"),
            ("Jul 08 2022", "2022-07-07T16:00:00Z"),
            ("Jan 5, 2024 12:05 AM", "2024-01-04T16:05:00Z"),
            ("5-Mar-2026 08:30", "2026-03-05T00:30:00Z"),
            ("Thu Jan 18 2024 10:00:00 GMT+0800 (China Standard Time)", "2024-01-18T02:00:00Z"),
            ("Thu Jan 18 10:00:00 UTC 2024", "2024-01-18T10:00:00Z"),
            ("2026-03-05T24:00:00Z", "2026-03-06T00:00:00Z"),
        ] {
            let when = read(raw, chrono_tz::Asia::Shanghai);
            let shown = when.map(|when| when.start.format("%Y-%m-%dT%H:%M:%SZ").to_string());
            assert_eq!(shown.as_deref(), Some(expected), "{raw}");
        }
    }

    #[test]
    fn a_text_that_means_no_time_or_several_is_refused() {
        for raw in [
            "05/03/2026",
            "tomorrow",
            "2026",
            "March 2026",
            "2026-03",
            "1772699400000",
            "2026-03-05 25:00",
            "2026-02-30",
            "5 March 2026 6 April",
            "2026-03-05 IST",
            "Thu",
            "08:30",
            "2026-03-05T08:30:00+99:00",
            "abcd-ef-gh",
            "-----",
            "::::",
            "2026-03-05 13:00 pm",
            "99999999999999",
            "32 Jan 2024",
            "١٢٣",
            "2026-03-05 08:30 08:31",
            "marching 5 2026",
            "+08:00",
        ] {
            assert_eq!(read(raw, chrono_tz::UTC), None, "{raw}");
        }
        assert_eq!(read(&"1".repeat(1_000_000), chrono_tz::UTC), None);
    }

    #[test]
    fn an_hour_that_does_not_exist_is_after_the_jump() {
        let when = read("2026-03-29 02:30:00", chrono_tz::Europe::Berlin).unwrap();
        assert_eq!(when.start.to_rfc3339(), "2026-03-29T01:30:00+00:00");
        let day = read("2026-03-29", chrono_tz::Europe::Berlin).unwrap();
        assert_eq!(end(day, chrono_tz::Europe::Berlin) - day.start, TimeDelta::hours(23));
    }
}
