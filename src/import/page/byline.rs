//! Lines for people: `2026年03月05日 08:30　来源：城东日报　作者：林小雨　责任编辑：周明`.

use scraper::{ElementRef, Html, Node};

use super::{Facts, blocks, body::Body, named};
use crate::{
    import::record::{PersonRecord, SourceRecord},
    text::Text,
};

/// Longest line that is looked at, in characters.
const MAX_LINE: usize = 200;
/// Most lines that are looked at.
const MAX_LINES: usize = 4_000;

const SOURCES: [&str; 9] =
    ["来源", "來源", "稿源", "稿件来源", "信息来源", "文章来源", "新闻来源", "出处", "Source"];
const AUTHORS: [&str; 8] = ["作者", "记者", "記者", "撰文", "通讯员", "文", "文字", "By"];
const EDITORS: [&str; 9] =
    ["责任编辑", "責任編輯", "责编", "编辑", "編輯", "本文编辑", "值班编辑", "网络编辑", "Editor"];
const TIMES: [&str; 7] =
    ["发布时间", "发表时间", "发布日期", "时间", "日期", "更新时间", "發佈時間"];

/// What the lines of a page say.
pub(super) fn facts(tree: &Html, body: &Body, title: Option<&str>) -> Facts {
    let mut lines = Vec::new();
    collect(tree.root_element(), &mut lines);
    let from = title.and_then(|title| lines.iter().position(|line| line.words.contains(title)));
    // Before its headline, a page talks about itself.
    let own = lines.into_iter().skip(from.unwrap_or_default());
    let left_out = body.lines.iter().map(|words| Line { words: words.clone(), links: Vec::new() });
    let lines: Vec<Line> = own.chain(left_out).collect();
    let source = lines.iter().find_map(|line| {
        let name = value(&line.words, &SOURCES, false)?;
        let url = line.links.iter().find(|(words, _)| *words == name).map(|(_, href)| href.clone());
        Some(SourceRecord {
            name: Some(name),
            url: url.filter(|url| url.starts_with("http")),
            ..SourceRecord::default()
        })
    });
    let people = |labels: &[&str]| -> Vec<PersonRecord> {
        let found = lines.iter().find_map(|line| value(&line.words, labels, true));
        found.map(|names| people(&names)).unwrap_or_default()
    };
    let labelled = lines.iter().find_map(|line| date(after(&line.words, &TIMES)?));
    let plain = || lines.iter().take(60).find_map(|line| date(&line.words));
    Facts {
        published: labelled.or_else(plain),
        source,
        authors: people(&AUTHORS),
        editors: people(&EDITORS),
        ..Facts::default()
    }
}

/// The name of a source, where its label stands before it: `来源：城东日报`.
pub(super) fn source(name: &str) -> &str {
    after(name, &SOURCES).unwrap_or(name)
}

/// Whether a line is nothing but what stands under a headline.
pub(super) fn is_one(words: &str) -> bool {
    let labels = SOURCES.iter().chain(&EDITORS).chain(&TIMES);
    let has_label = labels.clone().any(|label| after(words, &[label]).is_some());
    words.chars().count() <= 80 && !words.contains('。') && (has_label || starts_with_time(words))
}

fn starts_with_time(words: &str) -> bool {
    words.starts_with(|c: char| c.is_ascii_digit())
        && date(words).is_some_and(|date| date.len() > 10)
}

struct Line {
    words: String,
    links: Vec<(String, String)>,
}

/// The lines of a page: words that no element of a block parts. Elements of a line are set apart by a wide space.
fn collect(element: ElementRef<'_>, lines: &mut Vec<Line>) {
    fn walk(element: ElementRef<'_>, line: &mut Line, lines: &mut Vec<Line>) {
        for child in element.children() {
            if let Node::Text(text) = child.value() {
                line.words.push_str(&text.replace('\u{3000}', "\u{2003}").replace('\u{a0}', " "));
            }
            let Some(child) = ElementRef::wrap(child) else { continue };
            match child.value().name() {
                "script" | "style" | "noscript" | "template" | "head" | "title" => {}
                "a" | "span" | "b" | "strong" | "em" | "i" | "font" | "time" | "label" | "u" => {
                    line.words.push('\u{2003}');
                    walk(child, line, lines);
                    line.words.push('\u{2003}');
                    if let Some(href) = child.value().attr("href") {
                        line.links.push((blocks::words(child), href.to_owned()));
                    }
                }
                _ => {
                    end(line, lines);
                    walk(child, line, lines);
                    end(line, lines);
                }
            }
        }
    }
    fn end(line: &mut Line, lines: &mut Vec<Line>) {
        let Line { words, links } =
            std::mem::replace(line, Line { words: String::new(), links: Vec::new() });
        let words = words.trim().to_owned();
        if !words.is_empty() && words.chars().count() <= MAX_LINE && lines.len() < MAX_LINES {
            lines.push(Line { words, links });
        }
    }
    let mut line = Line { words: String::new(), links: Vec::new() };
    walk(element, &mut line, lines);
    end(&mut line, lines);
}

/// What follows one of the labels and its colon.
fn after<'l>(line: &'l str, labels: &[&str]) -> Option<&'l str> {
    labels.iter().find_map(|label| {
        line.match_indices(label).find_map(|(at, _)| {
            // `文章来源` is no `来源`, and `图文` no `文`.
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() && !c.is_ascii_digit()) {
                return None;
            }
            let rest = line[at + label.len()..].trim_start();
            rest.strip_prefix(['：', ':']).map(str::trim_start)
        })
    })
}

/// The name, or names, after a label: up to what stands apart, another label, or a date.
fn value(line: &str, labels: &[&str], is_people: bool) -> Option<String> {
    let rest = after(line, labels)?;
    let all = SOURCES.iter().chain(&AUTHORS).chain(&EDITORS).chain(&TIMES);
    let other = all
        .filter_map(|label| {
            rest.match_indices(label)
                .map(|(at, _)| (at, label.len()))
                .find(|(at, length)| rest[at + length..].trim_start().starts_with(['：', ':']))
        })
        .map(|(at, _)| at)
        .min();
    let rest = &rest[..other.unwrap_or(rest.len())];
    let end = rest.char_indices().find(|(at, c)| match c {
        '|' | '\u{2003}' | ']' | '】' | '）' | ')' | '\t' | '\n' | '｜' => true,
        // A name in Latin letters has spaces; between Chinese characters a space ends it, except between people.
        ' ' => {
            let before = rest[..*at].chars().next_back();
            let next = rest[at + 1..].chars().next();
            let is_han =
                |c: Option<char>| c.is_some_and(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            next.is_none_or(|c| c == ' ' || c.is_ascii_digit())
                || (is_han(before) && !(is_people && is_han(next)))
        }
        _ => false,
    });
    let name = Text::new(&rest[..end.map_or(rest.len(), |(at, _)| at)]);
    let name = name
        .as_str()
        .trim_matches(['[', '【', '（', '(', '《', '》', ' ', '/', '、', '-'])
        .to_owned();
    (1..=60).contains(&name.chars().count()).then_some(name)
}

fn people(names: &str) -> Vec<PersonRecord> {
    let is_han = names.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let parts = names.split(['、', '，', ',', '/', ';', '；']).flat_map(|part| {
        // Spaces part Chinese names, and are within others. A name of two characters may be set wide: `周 明`.
        let words: Vec<&str> = part.split_whitespace().collect();
        let is_wide = words.len() == 2 && words.iter().all(|word| word.chars().count() == 1);
        if is_wide {
            vec![words.concat()]
        } else if is_han {
            words.iter().map(|word| (*word).to_owned()).collect()
        } else {
            vec![part.trim().to_owned()]
        }
    });
    let bare = parts.map(|name| {
        ["本报记者", "记者", "通讯员", "编辑"]
            .iter()
            .find_map(|title| name.strip_prefix(title))
            .unwrap_or(&name)
            .to_owned()
    });
    bare.filter(|name| (1..=40).contains(&name.chars().count())).map(|name| named(&name)).collect()
}

/// The first date in a text, with its time when it has one: `2026-03-05 08:30:00`. Digits may be of full width.
pub(super) fn date(text: &str) -> Option<String> {
    let text: String = text
        .chars()
        .take(MAX_LINE)
        .map(|c| match c {
            '０'..='９' => {
                char::from(b'0' + u8::try_from(u32::from(c) - u32::from('０')).unwrap_or_default())
            }
            '：' => ':',
            '\u{3000}' | '\u{2003}' | '\u{a0}' => ' ',
            other => other,
        })
        .collect();
    let starts = text.char_indices().filter(|(at, c)| {
        c.is_ascii_digit() && !text[..*at].ends_with(|c: char| c.is_ascii_digit())
    });
    starts.map(|(at, _)| &text[at..]).find_map(date_at)
}

fn date_at(text: &str) -> Option<String> {
    let mut rest = text;
    let year = number(&mut rest, 4..=4)?;
    let mark = rest.chars().next().filter(|c| matches!(c, '年' | '-' | '/' | '.'))?;
    rest = rest[mark.len_utf8()..].trim_start();
    let month = number(&mut rest, 1..=2)?;
    let mark = rest.chars().next().filter(|c| matches!(c, '月' | '-' | '/' | '.'))?;
    rest = rest[mark.len_utf8()..].trim_start();
    let day = number(&mut rest, 1..=2)?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    let mut rest = rest.trim_start_matches(['日', ' ', 'T']);
    let clock = |rest: &mut &str| {
        let hour = number(rest, 1..=2).filter(|hour| *hour < 24)?;
        *rest = rest.strip_prefix([':', '时'])?;
        let minute = number(rest, 2..=2).filter(|minute| *minute < 60)?;
        Some((hour, minute))
    };
    let Some((hour, minute)) = clock(&mut rest) else { return Some(date) };
    let second = rest
        .strip_prefix(':')
        .and_then(|mut rest| number(&mut rest, 2..=2))
        .filter(|second| *second < 60);
    let second = second.map(|second| format!(":{second:02}")).unwrap_or_default();
    Some(format!("{date} {hour:02}:{minute:02}{second}"))
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
