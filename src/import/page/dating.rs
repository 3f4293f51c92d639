//! When an article was published, by what its page shows: elements for times, lines around the headline, the address.
//!
//! Dates within the running text, of other articles and of comments are not considered, and a date that is labelled as that
//! of an update is never taken for that of publication.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use scraper::{Html, node::Element};
use url::Url;

use super::{
    blocks,
    byline::Line,
    outline::Outline,
    printed::{self, Order, Printed},
};
use crate::import::date;

/// Longest text of an element for a time, in characters.
const MAX_TIME: usize = 120;
/// Most elements within one for a time.
const MAX_WITHIN: usize = 16;
/// Most scripts that are looked at.
const MAX_SCRIPTS: usize = 200;
/// How many lines before a headline can be about its article.
const LINES_BEFORE: usize = 8;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dates {
    pub published: Option<String>,
    pub modified: Option<String>,
}

/// Where the parts of an article stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub headline: Option<usize>,
    /// The part that holds the article with its headline, as far as that is known.
    pub home: Option<usize>,
    /// The first part of the running text.
    pub text: usize,
    /// The first part after the text.
    pub end: usize,
}

/// What a label says of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Published,
    Unlabelled,
    Modified,
}

/// A date and how much it is trusted: the least is the best.
struct Candidate {
    rank: (u8, u8, usize),
    iso: String,
    kind: Kind,
}

/// What a page shows of when its article was published and changed.
pub(super) fn shown(outline: &Outline<'_>, lines: &[Line], places: Places, order: Order) -> Dates {
    let mut candidates = Vec::new();
    for (at, part) in outline.parts.iter().enumerate() {
        let value = part.element.value();
        let name = name_of(value);
        if name.is_none() && value.name() != "time" {
            continue;
        }
        let zone = places.zone(at);
        // Directly under the headline, a time is of the article whatever it stands in.
        let is_under = zone == NEAR && (value.name() == "time" || name == Some(Kind::Published));
        if part.is_apart && !is_under {
            continue;
        }
        let said = [
            "datetime",
            "content",
            "title",
            "data-datetime",
            "data-time",
            "data-timestamp",
            "data-date",
        ];
        let mut said = DATED
            .iter()
            .chain(&said)
            .filter_map(|name| value.attr(name))
            .filter_map(|raw| normal(raw, order));
        // What holds many elements is not there for a date alone.
        let is_small = part.end - at <= MAX_WITHIN;
        let words = if is_small { blocks::words(part.element) } else { String::new() };
        let is_short = words.chars().count() <= MAX_TIME;
        let printed =
            || printed::first(&words, order).filter(|_| is_short).map(|printed| printed.iso);
        let Some(iso) = said.next().or_else(printed) else { continue };
        let kind = match (name, is_short.then(|| label(&words)).flatten()) {
            (_, Some(Kind::Modified)) | (Some(Kind::Modified), _) => Kind::Modified,
            (Some(Kind::Published), _) | (_, Some(Kind::Published)) => Kind::Published,
            _ => Kind::Unlabelled,
        };
        let is_date = words.chars().count() <= 40 && is_for_dates(value);
        let is_in_text = zone == TEXT && kind != Kind::Published && !is_date;
        let is_elsewhere = zone == ELSEWHERE && kind == Kind::Unlabelled && value.name() != "time";
        if is_in_text || is_elsewhere {
            continue;
        }
        let trust = match (kind, value.name()) {
            (Kind::Published, _) => 0,
            (_, "time") => 1,
            _ => 2,
        };
        candidates.push(Candidate { rank: (zone, trust, places.distance(at)), iso, kind });
    }
    of_lines(lines, places, order, &mut candidates);
    let best = |is_one: &dyn Fn(Kind) -> bool| {
        let all = candidates.iter().filter(|candidate| is_one(candidate.kind));
        all.min_by_key(|candidate| candidate.rank).map(|best| best.iso.clone())
    };
    let published = best(&|kind| kind != Kind::Modified);
    // The same day with its time elsewhere.
    let published = published.map(|iso| {
        let fuller = candidates.iter().find(|other| {
            other.kind != Kind::Modified
                && iso.len() == 10
                && other.iso.len() > 10
                && other.iso.starts_with(&iso)
        });
        fuller.map_or(iso, |fuller| fuller.iso.clone())
    });
    Dates { published, modified: best(&|kind| kind == Kind::Modified) }
}

const NEAR: u8 = 0;
const BEFORE: u8 = 1;
const AFTER: u8 = 2;
const TEXT: u8 = 3;
const ELSEWHERE: u8 = 4;

impl Places {
    /// How near to the headline a part is.
    fn zone(&self, at: usize) -> u8 {
        let start = self.headline.unwrap_or(0);
        if self.headline.is_some() && at >= start && at < self.text {
            return NEAR;
        }
        if at >= self.text && at < self.end {
            return TEXT;
        }
        if at < self.text {
            let is_home = self.home.is_some_and(|home| at >= home);
            return if is_home || self.headline.is_none() { BEFORE } else { ELSEWHERE };
        }
        if self.home.is_some() { AFTER } else { ELSEWHERE }
    }

    fn distance(&self, at: usize) -> usize {
        at.abs_diff(self.headline.unwrap_or(self.text))
    }
}

/// The dates of lines that are there to date the article.
fn of_lines(lines: &[Line], places: Places, order: Order, candidates: &mut Vec<Candidate>) {
    let headline =
        places.headline.and_then(|headline| lines.iter().position(|line| line.at >= headline));
    let text = lines.iter().position(|line| line.at >= places.text).unwrap_or(lines.len());
    for (nth, line) in lines.iter().enumerate() {
        if line.is_apart {
            continue;
        }
        let is_near = headline.is_some_and(|headline| nth >= headline && nth < text)
            || (headline.is_none() && nth < text && text - nth <= LINES_BEFORE);
        let is_before =
            headline.is_some_and(|headline| nth < headline && headline - nth <= LINES_BEFORE);
        let plain = printed::plain(&line.words);
        for found in printed::all(&plain, order) {
            let before = &plain[..found.start];
            let kind = label(before).unwrap_or(Kind::Unlabelled);
            let is_dateline = is_dateline(&plain, &found);
            let zone = if is_near && (is_dateline || kind == Kind::Modified) {
                NEAR
            } else if is_before && is_dateline {
                BEFORE
            } else if line.at >= places.text && kind != Kind::Unlabelled && is_dateline {
                // At its end, an article says when it was published; within it, it tells of other times.
                if line.at >= places.end { AFTER } else { TEXT }
            } else if line.at >= places.text
                && line.at < places.end
                && is_dateline
                && plain.chars().count() <= 60
            {
                TEXT
            } else if nth == text
                && found.start == 0
                && plain[found.end..].trim_start().starts_with(['-', '|', '/'])
            {
                // `5.3.2026 - The council has …`
                TEXT
            } else {
                continue;
            };
            let trust = if kind == Kind::Published { 2 } else { 3 };
            let rank = (zone, trust, places.distance(line.at));
            candidates.push(Candidate { rank, iso: found.iso, kind });
        }
    }
}

/// Whether a date in a line dates the article: it stands at the beginning, after a label, or apart from the words around it.
pub(super) fn is_dateline(line: &str, date: &Printed) -> bool {
    let before = line[..date.start].trim();
    let after = line[date.end..].trim();
    let is_sentence = after.contains(['。', '，']) || after.split_whitespace().count() > 16;
    if before.is_empty() {
        return !is_sentence;
    }
    if label(before).is_some() {
        return true;
    }
    let is_parted = before.ends_with([
        '|', '·', '•', ',', '/', '-', '—', ':', '(', '[', '>', '»', ')', '】', ']', '，', '&', '@',
    ]);
    let words = before.split_whitespace().count();
    let is_wide = before.chars().any(|c| c >= '\u{2e80}');
    let is_end = after.chars().filter(|c| c.is_alphanumeric()).count() <= 12;
    if is_wide {
        // A name of a paper, a person, a day of the week.
        return !before.contains(['。', '，'])
            && before.chars().count() <= 24
            && (is_parted || is_end);
    }
    let is_byline = {
        let lower = before.to_lowercase();
        [
            "by ",
            "von ",
            "par ",
            "por ",
            "di ",
            "door ",
            "av ",
            "autor",
            "author",
            "text",
            "stand",
            "gespeichert von",
            "submitted by",
            "posted by",
            "eingetragen von",
        ]
        .iter()
        .any(|word| lower.starts_with(word))
    };
    // `Thursday 5 March`, `Berlin, 5. März`, `Ann Lee | 5 March`, `By Ann Lee on 5 March`; not `It was opened on 5 March`.
    !before.contains(". ")
        && ((words <= 1 && is_end) || (is_parted && words <= 8) || (is_byline && words <= 8))
}

/// What the words before a date say of it, up to the nearest label.
fn label(before: &str) -> Option<Kind> {
    const MODIFIED: &[&str] = &[
        "更新",
        "修改",
        "修订",
        "编辑于",
        "änderung",
        "last edited",
        "revision",
        "updated",
        "update",
        "modified",
        "edited",
        "aktualisiert",
        "aktualisierung",
        "geändert",
        "bearbeitet",
        "mis à jour",
        "mise à jour",
        "actualizado",
        "actualización",
        "aggiornato",
        "atualizado",
        "zaktualizowano",
        "bijgewerkt",
        "last change",
    ];
    const PUBLISHED: &[&str] = &[
        "发布",
        "发表",
        "發佈",
        "發布",
        "發表",
        "刊登",
        "时间",
        "時間",
        "日期",
        "published",
        "publish",
        "posted",
        "released",
        "release date",
        "created",
        "date",
        "veröffentlicht",
        "veröffentlichung",
        "erschienen",
        "erstellt",
        "datum",
        "publié",
        "publicado",
        "publicación",
        "pubblicato",
        "opublikowano",
        "gepubliceerd",
        "publicerad",
        "julkaistu",
        "fecha",
        "mis en ligne",
        "pressemitteilung vom",
        "meldung vom",
        "artikel vom",
        "beitrag vom",
        "news vom",
        "nachricht vom",
        "vom",
    ];
    let lower = before.to_lowercase();
    let last = |words: &[&str]| {
        let found = words.iter().filter_map(|word| {
            let at = lower.rfind(word)?;
            // `发布会时间` is no `时间`, and `outdated` no `date`.
            let alone = match lower[..at].chars().next_back() {
                Some(c) if word.is_ascii() => !c.is_alphanumeric(),
                Some(c) => {
                    !c.is_alphanumeric()
                        || c.is_ascii_digit()
                        || "发布表更新日刊稿创建間间".contains(c)
                }
                None => true,
            };
            alone.then_some(at + word.len())
        });
        found.max()
    };
    match (last(MODIFIED), last(PUBLISHED)) {
        (Some(modified), Some(published)) if modified + 8 >= published => Some(Kind::Modified),
        (Some(_), None) => Some(Kind::Modified),
        (_, Some(_)) => Some(Kind::Published),
        (None, None) => None,
    }
}

/// Attributes that only times of publication have.
const DATED: [&str; 5] =
    ["data-ptime", "data-pubtime", "data-publish-time", "data-published", "data-publishdate"];

/// What the names of an element say of a date in it; `None` for an element that is not there for a date.
fn name_of(element: &Element) -> Option<Kind> {
    if DATED.iter().any(|name| element.attr(name).is_some()) {
        return Some(Kind::Published);
    }
    let names = ["class", "id", "itemprop", "property", "data-testid", "pubdate"];
    let names: String = names
        .iter()
        .filter_map(|name| {
            if *name == "pubdate" {
                element.attr(name).map(|_| "published")
            } else {
                element.attr(name)
            }
        })
        .collect::<Vec<_>>()
        .join(" ");
    if names.is_empty() || names.len() > 400 {
        return None;
    }
    let names = names.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| names.contains(word));
    if has(&[
        "modified",
        "updated",
        "dateupdate",
        "update",
        "comment",
        "event",
        "birth",
        "start",
        "copyright",
    ]) {
        let is_update = has(&["modified", "updat"]) && !has(&["publish", "entry-date"]);
        return if is_update { Some(Kind::Modified) } else { None };
    }
    if has(&[
        "publish",
        "pubdate",
        "pub-date",
        "pub_date",
        "pubtime",
        "datepublished",
        "posted",
        "entry-date",
        "post-date",
        "postdate",
        "article-date",
        "article__date",
        "date-created",
        "datecreated",
        "releasetime",
        "release-time",
        "submitted",
    ]) {
        return Some(Kind::Published);
    }
    let is_word = |word: &str| {
        names
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|own| own == word || (word.len() > 4 && own.contains(word)))
    };
    [
        "date",
        "time",
        "datetime",
        "datum",
        "fecha",
        "timestamp",
        "created",
        "dateline",
        "zeit",
        "byline",
        "meta",
        "info",
    ]
    .iter()
    .any(|word| is_word(word))
    .then_some(Kind::Unlabelled)
}

/// Whether an element is named for a date, and not for what is around it.
fn is_for_dates(element: &Element) -> bool {
    let names = [element.attr("class"), element.attr("id")].into_iter().flatten();
    let mut words = names.flat_map(|names| names.split(|c: char| !c.is_ascii_alphabetic()));
    words.any(|word| {
        matches!(
            word.to_ascii_lowercase().as_str(),
            "date" | "datum" | "fecha" | "datetime" | "pubtime"
        )
    })
}

/// A date of a field for machines in ISO 8601; `None` when it cannot be read.
pub(super) fn normal(raw: &str, order: Order) -> Option<String> {
    let raw = raw.trim();
    if raw.len() > 200 {
        return None;
    }
    if DateTime::parse_from_rfc3339(raw).is_ok() {
        return Some(raw.to_owned());
    }
    if let Ok(date) = DateTime::parse_from_rfc2822(raw) {
        return Some(date.to_rfc3339());
    }
    // Seconds or milliseconds since 1970.
    if matches!(raw.len(), 10 | 13) && raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return stamp(raw);
    }
    printed::first(raw, order)
        .map(|printed| printed.iso)
        .or_else(|| date::read(raw, Tz::UTC).is_some().then(|| raw.to_owned()))
}

/// Seconds or milliseconds since 1970 as a date.
fn stamp(digits: &str) -> Option<String> {
    let seconds: i64 = digits.get(..10)?.parse().ok()?;
    let date = DateTime::<Utc>::from_timestamp(seconds, 0)?;
    (1990..2100).contains(&chrono::Datelike::year(&date)).then(|| date.to_rfc3339())
}

/// The date in the path of an address: `/2026/03/05/`, `/2026-03/05/`, `/20260305/`.
pub(super) fn of_address(url: &Url) -> Option<String> {
    let path = url.path();
    path.char_indices().find_map(|(at, _)| {
        let rest = &path[at..];
        let before = path[..at].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric()) {
            return None;
        }
        let digits: String = rest.chars().filter(char::is_ascii_digit).take(8).collect();
        // Year, month and day with nothing but marks between them.
        let length = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '/' | '_')))
            .unwrap_or(rest.len());
        let run = &rest[..length];
        let groups: Vec<&str> =
            run.split(['-', '/', '_']).filter(|group| !group.is_empty()).collect();
        let widths: Vec<usize> = groups.iter().take(3).map(|group| group.len()).collect();
        let date = match widths[..] {
            [8, ..] | [4, 4, ..] | [6, 2, ..] => {
                NaiveDate::parse_from_str(&digits, "%Y%m%d").ok()?
            }
            [2, 2, 4] => NaiveDate::from_ymd_opt(
                groups[2].parse().ok()?,
                groups[1].parse().ok()?,
                groups[0].parse().ok()?,
            )?,
            [4, 1 | 2, 1 | 2] => NaiveDate::from_ymd_opt(
                groups[0].parse().ok()?,
                groups[1].parse().ok()?,
                groups[2].parse().ok()?,
            )?,
            _ => return None,
        };
        (1990..2100)
            .contains(&chrono::Datelike::year(&date))
            .then(|| date.format("%Y-%m-%d").to_string())
    })
}

/// The time of a page whose system writes it into a script only, as that of `WeChat` does.
pub(super) fn of_scripts(tree: &Html) -> Option<String> {
    super::select(tree, "#publish_time, #js_content").first()?;
    let scripts = super::select(tree, "script:not([src])").into_iter().take(MAX_SCRIPTS);
    scripts.map(|script| script.text().collect::<String>()).find_map(|text| of_script(&text))
}

/// The time in a script: `var ct = "1772670600"`.
fn of_script(text: &str) -> Option<String> {
    let quoted = |name: &str| {
        text.match_indices(name).take(8).find_map(|(at, _)| {
            let rest = text[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
            let rest = rest.strip_prefix(['"', '\''])?;
            Some(rest[..rest.find(['"', '\''])?].to_owned())
        })
    };
    let seconds = ["var ct", "ct", "oriCreateTime", "create_time"].iter().find_map(|name| {
        quoted(name).filter(|raw| raw.len() == 10 && raw.bytes().all(|byte| byte.is_ascii_digit()))
    });
    seconds.and_then(|raw| stamp(&raw)).or_else(|| {
        let raw = ["createTime", "publish_time"].iter().find_map(|name| quoted(name))?;
        printed::first(&raw, Order::DayFirst).map(|printed| printed.iso)
    })
}

/// The more exact of a date for machines and one that is printed: pages often give the day alone to machines, or midnight.
pub(super) fn exact(said: Option<String>, printed: Option<String>) -> Option<String> {
    let (Some(said), Some(printed)) = (said.clone(), printed.clone()) else {
        return said.or(printed);
    };
    if said.len() <= 10 {
        let days = |iso: &str| iso.get(..10).and_then(|day| day.parse::<NaiveDate>().ok());
        let is_alike =
            days(&said).zip(days(&printed)).is_some_and(|(a, b)| (a - b).num_days().abs() <= 1);
        return Some(if printed.len() > 10 && is_alike { printed } else { said });
    }
    if let Some(local) = local(&said, &printed) {
        return Some(local);
    }
    let Some((day, is_midnight, offset)) = read(&said) else { return Some(said) };
    let Some(printed_day) = printed.get(..10).and_then(|day| day.parse::<NaiveDate>().ok()) else {
        return Some(said);
    };
    if is_midnight && day == printed_day && printed.len() > 10 && !printed.ends_with("00:00") {
        let is_local =
            offset.is_some_and(|offset| offset.local_minus_utc() != 0) && printed.len() <= 19;
        return Some(match (is_local, offset) {
            (true, Some(offset)) => {
                let clock = &printed[11..];
                let seconds = if clock.len() == 5 { ":00" } else { "" };
                format!("{}T{clock}{seconds}{offset}", &printed[..10])
            }
            _ => printed,
        });
    }
    // Midnight at the publisher's, written in UTC, is the evening before.
    if let Ok(time) = DateTime::parse_from_rfc3339(&said) {
        let is_utc = time.offset().local_minus_utc() == 0;
        let is_evening = time.minute() == 0 && time.second() == 0 && time.hour() >= 11;
        if is_utc && is_evening && printed_day == day + TimeDelta::days(1) {
            return Some(printed);
        }
    }
    Some(said)
}

/// A time in UTC with the offset that the same time has as it is printed.
fn local(said: &str, printed: &str) -> Option<String> {
    let utc = DateTime::parse_from_rfc3339(said)
        .ok()
        .filter(|time| time.offset().local_minus_utc() == 0)?;
    let printed = NaiveDateTime::parse_from_str(printed.get(..16)?, "%Y-%m-%d %H:%M").ok()?;
    let minute = utc.naive_utc().with_second(0)?.with_nanosecond(0)?;
    let minutes = (printed - minute).num_minutes();
    if minutes % 15 != 0 || minutes == 0 || minutes.abs() > 14 * 60 {
        return None;
    }
    let offset = chrono::FixedOffset::east_opt(i32::try_from(minutes * 60).ok()?)?;
    Some(utc.with_timezone(&offset).to_rfc3339())
}

/// The day of a date, whether it is at midnight, and its offset.
fn read(iso: &str) -> Option<(NaiveDate, bool, Option<chrono::FixedOffset>)> {
    let is_midnight = |time: NaiveDateTime| time.num_seconds_from_midnight() == 0;
    if let Ok(time) = DateTime::parse_from_rfc3339(iso) {
        return Some((time.date_naive(), is_midnight(time.naive_local()), Some(*time.offset())));
    }
    let day = iso.get(..10)?.parse().ok()?;
    let is_midnight = iso[10..].trim_start_matches(['T', ' ']).starts_with("00:00")
        && !iso.contains(":00:0")
        || iso.ends_with("00:00:00")
        || iso.ends_with(" 00:00");
    Some((day, is_midnight, None))
}
