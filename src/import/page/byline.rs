//! Lines for people: `2026年03月05日 08:30　来源：城东日报　作者：林小雨　责任编辑：周明`.

use scraper::{ElementRef, Node};

use super::{
    Facts, blocks,
    body::Body,
    named,
    outline::{Outline, is_inline, is_unseen},
    printed::{self, Order},
};
use crate::{
    import::record::{PersonRecord, SourceRecord},
    text::{Text, web_url},
};

/// Longest line that is looked at, in characters.
const MAX_LINE: usize = 200;
/// Longest line while it is read, in bytes, with the spaces around its elements.
const MAX_OPEN: usize = 8 * MAX_LINE;
/// Most lines that are looked at.
const MAX_LINES: usize = 8_000;
/// Most links of a line.
const MAX_LINKS: usize = 50;
/// Most names of a line.
const MAX_NAMES: usize = 20;

const SOURCES: [&str; 9] =
    ["来源", "來源", "稿源", "稿件来源", "信息来源", "文章来源", "新闻来源", "出处", "Source"];
const AUTHORS: [&str; 8] = ["作者", "记者", "記者", "撰文", "通讯员", "文", "文字", "By"];
const EDITORS: [&str; 9] =
    ["责任编辑", "責任編輯", "责编", "编辑", "編輯", "本文编辑", "值班编辑", "网络编辑", "Editor"];
const TIMES: [&str; 7] =
    ["发布时间", "发表时间", "发布日期", "时间", "日期", "更新时间", "發佈時間"];

/// What the lines of a page say. `from` is the part that holds the headline: before it, a page talks about itself.
pub(super) fn facts(all: &[Line], body: &Body, from: Option<usize>) -> Facts {
    let own = all.iter().filter(|line| from.is_none_or(|from| line.at >= from)).cloned();
    let left_out = body.lines.iter().map(|words| Line { words: words.clone(), ..Line::default() });
    let lines: Vec<Line> = own.chain(left_out).collect();
    let source = lines.iter().find_map(|line| {
        let name = value(&line.words, &SOURCES, false)?;
        let url = line.links.iter().find(|(words, _)| *words == name).map(|(_, href)| href.clone());
        let url = url.filter(|url| url.starts_with("http") && web_url(url, None).is_some());
        Some(SourceRecord { name: Some(name), url, ..SourceRecord::default() })
    });
    let people = |labels: &[&str]| -> Vec<PersonRecord> {
        let found = lines.iter().find_map(|line| value(&line.words, labels, true));
        found
            .map(|found| names(&found).iter().map(|name| named(name)).collect())
            .unwrap_or_default()
    };
    Facts { source, authors: people(&AUTHORS), editors: people(&EDITORS), ..Facts::default() }
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
        && printed::first(words, Order::DayFirst).is_some_and(|date| date.has_time())
}

/// Words of a page that no edge of a block parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// The part in which it begins.
    pub at: usize,
    pub words: String,
    /// Words and addresses of its links.
    links: Vec<(String, String)>,
    /// Whether it is in a part of the page that is about something else.
    pub is_apart: bool,
}

/// The lines of a page. Elements of a line are set apart by a wide space.
pub(super) fn lines(outline: &Outline<'_>) -> Vec<Line> {
    let mut walk = Lines { outline, found: Vec::new(), open: Line::default() };
    if let Some(root) = outline.parts.first() {
        walk.inside(root.element);
        walk.end();
    }
    walk.found
}

struct Lines<'a, 't> {
    outline: &'a Outline<'t>,
    found: Vec<Line>,
    open: Line,
}

impl Lines<'_, '_> {
    fn inside(&mut self, element: ElementRef<'_>) {
        let at = self.outline.index(element).unwrap_or_default();
        for child in element.children() {
            if self.found.len() >= MAX_LINES {
                return;
            }
            if let Node::Text(text) = child.value() {
                self.text(text, at);
            }
            let Some(child) = ElementRef::wrap(child) else { continue };
            let name = child.value().name();
            if is_unseen(name) {
                continue;
            }
            if is_inline(name) && name != "img" {
                self.gap();
                self.inside(child);
                self.gap();
                if let Some(href) = child.value().attr("href")
                    && self.open.links.len() < MAX_LINKS
                {
                    self.open.links.push((blocks::words(child), href.to_owned()));
                }
            } else {
                self.end();
                self.inside(child);
                self.end();
            }
        }
    }

    fn text(&mut self, text: &str, at: usize) {
        // What is too long for a line is not looked at.
        if self.open.words.len() > MAX_OPEN {
            return;
        }
        if self.open.words.trim().is_empty() {
            self.open.at = at;
            self.open.is_apart = self.outline.parts[at].is_apart;
        }
        let text = &text[..text.floor_char_boundary(MAX_OPEN)];
        self.open.words.push_str(&text.replace('\u{3000}', "\u{2003}").replace('\u{a0}', " "));
    }

    /// The wide space around an element of a line.
    fn gap(&mut self) {
        if self.open.words.len() <= MAX_OPEN {
            self.open.words.push('\u{2003}');
        }
    }

    fn end(&mut self) {
        let mut line = std::mem::take(&mut self.open);
        if line.words.len() > MAX_OPEN {
            return;
        }
        let words = line.words.trim().to_owned();
        line.words = words;
        if !line.words.is_empty() && line.words.chars().count() <= MAX_LINE {
            self.found.push(line);
        }
    }
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

/// The names in a line of names: `林小雨、何青`, `By Ann Lee and Bo Chen`.
pub(super) fn names(line: &str) -> Vec<String> {
    let is_han = line.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let spaced = format!(" {} ", line.split_whitespace().collect::<Vec<_>>().join(" "));
    let parted = [
        " and ", " und ", " et ", " y ", " e ", " & ", " with ", " mit ", " And ", " AND ", " i ",
        " en ", " och ",
    ];
    let parted = parted.iter().fold(spaced, |line, word| line.replace(word, ", "));
    let parts = parted.split(['、', '，', ',', '/', ';', '；', '|', '·']).flat_map(|part| {
        // Spaces part Chinese names, and are within others. A name of two characters may be set wide: `周 明`.
        let words: Vec<&str> = part.split_whitespace().collect();
        let is_wide = words.len() == 2 && words.iter().all(|word| word.chars().count() == 1);
        if is_wide {
            vec![words.concat()]
        } else if is_han {
            words.iter().map(|word| (*word).to_owned()).collect()
        } else {
            vec![words.join(" ")]
        }
    });
    let bare = parts.map(|name| {
        let begins = [
            "本报记者",
            "记者",
            "通讯员",
            "编辑",
            "By ",
            "by ",
            "BY ",
            "Von ",
            "von ",
            "Par ",
            "par ",
            "Por ",
            "por ",
            "Di ",
            "Text: ",
            "Author: ",
            "Autor: ",
            "Written by ",
            "Posted by ",
        ];
        let bare = begins.iter().find_map(|title| name.strip_prefix(title)).unwrap_or(&name).trim();
        bare.trim_matches(['(', ')', '（', '）', '.', ':', '：', '-', ' ']).to_owned()
    });
    let is_name = |name: &String| {
        let lower = name.to_lowercase();
        (1..=40).contains(&name.chars().count())
            && name.chars().any(char::is_alphabetic)
            && !name.starts_with("http")
            && ![
                "name",
                "admin",
                "author",
                "autor",
                "editor",
                "redaktion",
                "staff",
                "null",
                "undefined",
                "unknown",
                "none",
            ]
            .contains(&lower.as_str())
    };
    bare.filter(is_name).take(MAX_NAMES).collect()
}
