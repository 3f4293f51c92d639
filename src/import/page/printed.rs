//! Dates as pages print them for people: `2026年03月05日 08:30`, `5 March 2026, 8.30 Uhr`, `March 5th, 2026 8:30 am`.
//!
//! Pure. A result is written as ISO 8601 without an offset unless the text has one; dates that are no days of the calendar
//! are passed over.

use chrono::NaiveDate;

/// Longest text in which a date is looked for, in characters.
const MAX_TEXT: usize = 400;
/// Years that a published article can have.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2099;

/// Which of two numbers in `03/05/2026` is the day, where both could be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// As in most of the world.
    #[default]
    DayFirst,
    /// As in the United States.
    MonthFirst,
}

/// A date in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Printed {
    /// `2026-03-05`, `2026-03-05 08:30`, `2026-03-05 08:30:15` or `2026-03-05T08:30:15+08:00`.
    pub iso: String,
    /// Where it begins, in bytes of the text as [`plain`] gives it.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Printed {
    pub(super) fn has_time(&self) -> bool {
        self.iso.len() > 10
    }
}

/// The text as dates are looked for in it: digits and colons of full width as ASCII, all blanks as spaces, and no more than
/// the first few hundred characters.
pub(super) fn plain(text: &str) -> String {
    let narrow = |c: char| match c {
        '０'..='９' => {
            char::from(b'0' + u8::try_from(u32::from(c) - u32::from('０')).unwrap_or_default())
        }
        '：' => ':',
        '／' => '/',
        '－' | '‐' | '‑' | '–' => '-',
        c if c.is_whitespace() => ' ',
        other => other,
    };
    text.chars().take(MAX_TEXT).map(narrow).collect()
}

/// The first date in a text.
pub(super) fn first(text: &str, order: Order) -> Option<Printed> {
    all(&plain(text), order).into_iter().next()
}

/// All dates in a text that [`plain`] gave.
pub(super) fn all(text: &str, order: Order) -> Vec<Printed> {
    let mut found = Vec::new();
    let mut end = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let starts_number = c.is_ascii_digit() && !before.is_ascii_digit();
        let starts_word = c.is_alphabetic() && !before.is_alphabetic();
        // `1.2026-03-05` and `v2026.03.05` are no dates, and neither is the end of `12-2026-03-05`.
        let is_part = matches!(before, '.' | '-' | '/' | '_')
            && at >= 2
            && text[..at - 1].ends_with(|c: char| c.is_ascii_alphanumeric());
        before = c;
        if at < end || !(starts_number || starts_word) || (starts_number && is_part) {
            continue;
        }
        let rest = &text[at..];
        let date = if starts_number { numeric(rest, order) } else { month_first(rest) };
        let Some((date, length)) = date else { continue };
        let mut tail = &rest[length..];
        let mut iso = date.format("%Y-%m-%d").to_string();
        if let Some((clock, length)) = clock(tail) {
            iso.push_str(&clock);
            tail = &tail[length..];
        }
        end = text.len() - tail.len();
        found.push(Printed { iso, start: at, end });
    }
    found
}

/// A date that begins with a number, and its length.
fn numeric(text: &str, order: Order) -> Option<(NaiveDate, usize)> {
    let mut rest = text;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 8 {
        // `20260305`, as in addresses and old systems.
        let date = NaiveDate::parse_from_str(&rest[..8], "%Y%m%d").ok()?;
        return in_range(date).map(|date| (date, 8));
    }
    let first = number(&mut rest, 1..=4)?;
    let date = if digits == 4 {
        let mark = ['年', '-', '/', '.'].into_iter().find(|mark| rest.starts_with(*mark))?;
        rest = rest[mark.len_utf8()..].trim_start();
        let month = number(&mut rest, 1..=2)?;
        let mark = if mark == '年' { '月' } else { mark };
        rest = rest.trim_start().strip_prefix(mark)?.trim_start();
        let day = number(&mut rest, 1..=2)?;
        // `5日08:30` has no blank between.
        if let Some(after) = rest.trim_start_matches([' ']).strip_prefix('日') {
            let date = NaiveDate::from_ymd_opt(i32::try_from(first).ok()?, month, day)?;
            return in_range(date).map(|date| (date, text.len() - after.len()));
        }
        NaiveDate::from_ymd_opt(i32::try_from(first).ok()?, month, day)?
    } else if let Some(mark) = ['.', '/', '-'].into_iter().find(|mark| rest.starts_with(*mark))
        && let Some(date) = day_month_year(first, mark, &mut rest, order)
    {
        date
    } else {
        // `5 March 2026`, `5. März 2026`, `5th of March, 2026`, `5 de marzo de 2026`.
        let ordinals = ["st", "nd", "rd", "th", "er", "º", "ª", "."];
        rest = ordinals.iter().find_map(|end| rest.strip_prefix(end)).unwrap_or(rest);
        rest = skip_words(rest);
        let (month, length) = month(rest)?;
        rest = skip_words(rest[length..].trim_start_matches(['.', ',']));
        let year = year(&mut rest)?;
        NaiveDate::from_ymd_opt(year, month, first)?
    };
    // `2026-03-05` is no date where more digits follow.
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    in_range(date).map(|date| (date, text.len() - rest.len()))
}

/// `05.03.2026`, `5/3/26`; `None` leaves the text as it was.
fn day_month_year(first: u32, mark: char, text: &mut &str, order: Order) -> Option<NaiveDate> {
    let mut rest = text[mark.len_utf8()..].trim_start_matches(' ');
    let second = number(&mut rest, 1..=2)?;
    rest = rest.strip_prefix(mark)?.trim_start_matches(' ');
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let year = i32::try_from(number(&mut rest, 2..=4)?).ok()?;
    let year = match digits {
        4 => year,
        2 => 2000 + year,
        _ => return None,
    };
    let is_month_first = second > 12 || (order == Order::MonthFirst && first <= 12 && mark == '/');
    let (day, month) = if is_month_first { (second, first) } else { (first, second) };
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    *text = rest;
    Some(date)
}

/// `March 5, 2026`, `Mar. 5th 2026`.
fn month_first(text: &str) -> Option<(NaiveDate, usize)> {
    let (month, length) = month(text)?;
    let mut rest = text[length..].trim_start_matches(['.']).trim_start();
    let day = number(&mut rest, 1..=2)?;
    rest = ["st", "nd", "rd", "th"].iter().find_map(|end| rest.strip_prefix(end)).unwrap_or(rest);
    rest = rest.trim_start_matches([',', '.', ' ']);
    let year = year(&mut rest)?;
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    in_range(date).map(|date| (date, text.len() - rest.len()))
}

fn in_range(date: NaiveDate) -> Option<NaiveDate> {
    use chrono::Datelike;
    YEARS.contains(&date.year()).then_some(date)
}

fn year(rest: &mut &str) -> Option<i32> {
    let year = i32::try_from(number(rest, 4..=4)?).ok()?;
    YEARS.contains(&year).then_some(year)
}

/// Skips blanks and the small words within dates.
fn skip_words(text: &str) -> &str {
    let rest = text.trim_start_matches([' ', ',', '/', '-']);
    let words = ["de ", "del ", "of ", "d'", "do "];
    words.iter().find_map(|word| rest.strip_prefix(word)).unwrap_or(rest).trim_start()
}

fn number(rest: &mut &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    if !digits.contains(&count) {
        return None;
    }
    let (number, tail) = rest.split_at(count);
    *rest = tail;
    number.parse().ok()
}

/// Names of months in the languages of Europe, as they stand in dates; beginnings of three letters or more count as well.
const MONTHS: [&str; 12] = [
    "january januar jänner janvier enero gennaio janeiro januari stycznia styczeń ledna января januára ocak ianuarie tammikuuta",
    "february februar feber février fevrier febrero febbraio fevereiro februari lutego luty února февраля şubat februarie helmikuuta",
    "march märz maerz mrz mars marzo março maart marca marzec března марта mart martie maaliskuuta",
    "april avril abril aprile kwietnia kwiecień dubna апреля nisan aprilie huhtikuuta",
    "may mai mayo maggio maio mei maja maj května мая mayıs toukokuuta",
    "june juni juin junio giugno junho czerwca czerwiec června июня haziran iunie kesäkuuta",
    "july juli juillet julio luglio julho lipca lipiec července июля temmuz iulie heinäkuuta",
    "august août aout agosto augustus augusti sierpnia sierpień srpna августа ağustos elokuuta",
    "september septembre septiembre settembre setembro września wrzesień září сентября eylül septembrie syyskuuta",
    "october oktober octobre octubre ottobre outubro października październik října октября ekim octombrie lokakuuta",
    "november novembre noviembre novembro listopada listopad ноября kasım noiembrie marraskuuta",
    "december dezember décembre decembre diciembre dicembre dezembro grudnia grudzień prosince декабря aralık decembrie joulukuuta",
];

/// The month that a text begins with, and the length of its name.
fn month(text: &str) -> Option<(u32, usize)> {
    let length = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let name = text[..length].to_lowercase();
    if !(3..=14).contains(&name.chars().count()) {
        return None;
    }
    // A whole name first: `mart` is March, and no beginning of another.
    let is_name = |names: &str| names.split(' ').any(|whole| whole == name);
    let is_beginning = |names: &str| names.split(' ').any(|whole| whole.starts_with(&name));
    let at = MONTHS.iter().position(|names| is_name(names));
    let at = at.or_else(|| MONTHS.iter().position(|names| is_beginning(names)))?;
    Some((u32::try_from(at).ok()? + 1, length))
}

/// A time of day that follows a date, as ` 08:30:15` or `T08:30:15+08:00`, and the length of what was read.
fn clock(text: &str) -> Option<(String, usize)> {
    let mut rest =
        text.trim_start_matches(['日', ' ', ',', '-', '|', '·', '@', '(', '•', '—', '/']);
    if let Some(after) = rest.strip_prefix('T') {
        rest = after;
    }
    for word in ["um ", "at ", "à ", "a las ", "alle ", "kl. ", "kl ", "o ", "om ", "ore ", "às "]
    {
        rest = rest.strip_prefix(word).unwrap_or(rest).trim_start();
    }
    let is_afternoon = rest.strip_prefix("下午").or_else(|| rest.strip_prefix("晚上"));
    let is_morning = rest.strip_prefix("上午").or_else(|| rest.strip_prefix("早上"));
    rest = is_afternoon.or(is_morning).unwrap_or(rest).trim_start();
    let mut hour = number(&mut rest, 1..=2).filter(|hour| *hour < 24)?;
    let mark =
        [':', '时', '時', '点', 'h', '.'].into_iter().find(|mark| rest.starts_with(*mark))?;
    rest = rest[mark.len_utf8()..].trim_start();
    let minute = number(&mut rest, 2..=2).filter(|minute| *minute < 60)?;
    // `8.30` is a time where it says so.
    let is_hour = |rest: &str| {
        let rest = rest.trim_start().to_lowercase();
        ["uhr", "am", "pm", "a.m", "p.m", "h"].iter().any(|word| rest.starts_with(word))
    };
    if mark == '.' && !is_hour(rest) {
        return None;
    }
    rest = rest.strip_prefix('分').unwrap_or(rest);
    let mut second = None;
    if let Some(mut after) = rest.strip_prefix(':').or_else(|| rest.strip_prefix(' ')) {
        let is_second =
            rest.starts_with(':') || after.get(2..).is_some_and(|tail| tail.starts_with('秒'));
        if is_second && let Some(value) = number(&mut after, 2..=2).filter(|second| *second < 60) {
            second = Some(value);
            rest = after.strip_prefix('秒').unwrap_or(after);
        }
    }
    if let Some(mut after) = rest.strip_prefix('.')
        && second.is_some()
        && number(&mut after, 1..=9).is_some()
    {
        rest = after;
    }
    let lower: String = rest.trim_start().chars().take(4).collect::<String>().to_lowercase();
    if is_afternoon.is_some() || lower.starts_with("pm") || lower.starts_with("p.m") {
        hour = if hour < 12 { hour + 12 } else { hour };
    } else if (lower.starts_with("am") || lower.starts_with("a.m")) && hour == 12 {
        hour = 0;
    }
    let offset = offset(&mut rest);
    let written = match (offset, second) {
        (Some(offset), second) => {
            format!("T{hour:02}:{minute:02}:{:02}{offset}", second.unwrap_or_default())
        }
        (None, Some(second)) => format!(" {hour:02}:{minute:02}:{second:02}"),
        (None, None) => format!(" {hour:02}:{minute:02}"),
    };
    Some((written, text.len() - rest.len()))
}

/// `Z`, `+08:00` or `+0800` directly after a time.
fn offset(rest: &mut &str) -> Option<String> {
    if let Some(after) = rest.strip_prefix('Z') {
        *rest = after;
        return Some("Z".to_owned());
    }
    let sign = rest.chars().next().filter(|sign| matches!(sign, '+' | '-'))?;
    let mut after = &rest[1..];
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let (hours, minutes) = if digits == 4 {
        let both = number(&mut after, 4..=4)?;
        (both / 100, both % 100)
    } else {
        let hours = number(&mut after, 2..=2)?;
        after = after.strip_prefix(':')?;
        (hours, number(&mut after, 2..=2)?)
    };
    if hours > 14 || minutes > 59 {
        return None;
    }
    *rest = after;
    Some(format!("{sign}{hours:02}:{minutes:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let found = first(text, Order::DayFirst).map(|printed| printed.iso);
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn dates_are_found_as_pages_print_them() {
        for (text, expected) in [
            ("2026年3月5日 08:30　来源：城东日报", "2026-03-05 08:30"),
            ("２０２６－０３－０５ ０８：３０：１５", "2026-03-05 08:30:15"),
            ("2026年03月05日08:30 | 来源", "2026-03-05 08:30"),
            ("2026/03/05 下午 3:05", "2026-03-05 15:05"),
            ("2026.3.5", "2026-03-05"),
            ("2026年3月5日8时30分", "2026-03-05 08:30"),
            ("Veröffentlicht am 05.03.2026, 08:30 Uhr", "2026-03-05 08:30"),
            ("Stand: 5. März 2026 um 8.30 Uhr", "2026-03-05 08:30"),
            ("Thursday, March 5th, 2026 at 8:30 pm", "2026-03-05 20:30"),
            ("Mar. 5, 2026", "2026-03-05"),
            ("5th of March, 2026", "2026-03-05"),
            ("Publié le 5 février 2026 à 08h30", "2026-02-05 08:30"),
            ("5 de marzo de 2026", "2026-03-05"),
            ("12 sierpnia 2026", "2026-08-12"),
            ("31/03/26", "2026-03-31"),
            ("03/31/2026", "2026-03-31"),
            ("2026-03-05T08:30:15.123+0800", "2026-03-05T08:30:15+08:00"),
            ("2026-03-05T08:30Z", "2026-03-05T08:30:00Z"),
        ] {
            check(text, Some(expected));
        }
    }

    #[test]
    fn numbers_that_are_no_dates_are_passed_over() {
        for text in [
            "2026年02月30日",
            "2026-13-01",
            "编号 202603051234",
            "10.1016/2026.03.0512",
            "Mark 5, 2026 seats",
            "5 Maple 2026",
            "1889-03-05",
            "3 von 5",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn the_order_of_day_and_month_counts_only_where_both_are_possible() {
        let iso = |text| first(text, Order::MonthFirst).map(|printed| printed.iso);
        assert_eq!(iso("03/05/2026").as_deref(), Some("2026-03-05"));
        assert_eq!(iso("31/03/2026").as_deref(), Some("2026-03-31"));
        assert_eq!(iso("05.03.2026").as_deref(), Some("2026-03-05"));
    }
}
