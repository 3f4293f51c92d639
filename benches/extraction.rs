//! Scores what `courant import` finds in saved pages against an evaluation set in a folder.
//!
//! The folder has an `evaldata.json` in the format of trafilatura's evaluation (address → `file`, `with`, `without`, `title`,
//! `date`) and the pages in `cache/`, `eval/` or beside it. Precision, recall and F are computed from the phrases that a text
//! must and must not have, as that project's own script does; a refused page counts as an empty text. Every second page, in
//! the order of addresses, belongs to the half on which thresholds are chosen; the other half only measures.
//!
//! `cargo bench --bench extraction -- FOLDER [--pages]`; `--pages` also prints a line for each page.

#![allow(clippy::print_stdout, reason = "the figures are for whoever started it")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use courant::{
    import::{
        Record,
        charset::Label,
        page::{self, Rules},
    },
    text::Html,
};
use serde::Deserialize;

/// What a page is expected to give.
#[derive(Debug, Deserialize)]
struct Expected {
    file: String,
    with: Vec<String>,
    without: Vec<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    date: Option<String>,
}

/// Counts of a set of pages.
#[derive(Debug, Default)]
struct Score {
    pages: u32,
    refused: u32,
    /// Pages that were taken although no phrase of their text is in what was taken.
    wrong: u32,
    wanted_found: u32,
    wanted_missing: u32,
    unwanted_found: u32,
    titles: u32,
    titles_right: u32,
    dates: u32,
    dates_right: u32,
    /// Pages without a known date for which one was found, and pages for which a wrong one was found.
    dates_wrong: u32,
    slowest: Duration,
}

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        println!("usage: cargo bench --bench extraction -- FOLDER [--pages]");
        return;
    };
    let prints_pages = arguments.next().is_some();
    let set = fs::read(folder.join("evaldata.json")).unwrap();
    let set: BTreeMap<String, Expected> = serde_json::from_slice(&set).unwrap();
    let mut halves = [Score::default(), Score::default()];
    for (nth, expected) in set.values().enumerate() {
        let bytes = page_bytes(&folder, &expected.file);
        let start = Instant::now();
        let page =
            page::read(&expected.file, &expected.file, &bytes, Label::None, &Rules::default());
        let spent = start.elapsed();
        let record = page.map(|page| page.record).map_err(|fault| fault.problem);
        let score = &mut halves[nth % 2];
        let line = score.count(expected, record.as_ref());
        score.slowest = score.slowest.max(spent);
        if prints_pages {
            println!("{}\t{}\t{line}", nth % 2, expected.file);
        }
    }
    let [chosen, other] = &halves;
    println!("thresholds chosen on: {chosen}");
    println!("other half:           {other}");
}

fn page_bytes(folder: &Path, file: &str) -> Vec<u8> {
    let places = ["cache", "eval", "."];
    let path = places.iter().map(|place| folder.join(place).join(file)).find(|path| path.is_file());
    fs::read(path.unwrap_or_else(|| panic!("no page `{file}`"))).unwrap()
}

impl Score {
    /// Counts a page, and describes it on a line.
    fn count(&mut self, expected: &Expected, record: Result<&Record, &String>) -> String {
        self.pages += 1;
        self.refused += u32::from(record.is_err());
        let text = record.map_or_else(|_| String::new(), text);
        let count = |phrases: &[String]| {
            let found = phrases.iter().filter(|phrase| text.contains(&spaced(phrase)));
            u32::try_from(found.count()).unwrap()
        };
        let (found, unwanted) = (count(&expected.with), count(&expected.without));
        let all = u32::try_from(expected.with.len()).unwrap();
        self.wanted_found += found;
        self.wanted_missing += all - found;
        self.unwanted_found += unwanted;
        self.wrong += u32::from(record.is_ok() && found == 0);
        let title = record.ok().and_then(|record| record.title.clone()).unwrap_or_default();
        let date = record.ok().and_then(|record| record.date_published.clone()).unwrap_or_default();
        let known = |field: &Option<String>| field.clone().filter(|text| !text.trim().is_empty());
        if let Some(known) = known(&expected.title) {
            self.titles += 1;
            self.titles_right += u32::from(spaced(&title) == spaced(&known));
        }
        if let Some(known) = known(&expected.date) {
            self.dates += 1;
            self.dates_right += u32::from(date.starts_with(known.trim()));
            self.dates_wrong += u32::from(!date.is_empty() && !date.starts_with(known.trim()));
        }
        format!(
            "{found}/{all}\t{unwanted}/{}\t{}\t{date} ({})\t{title} ({})\t{}",
            expected.without.len(),
            text.chars().count(),
            expected.date.as_deref().unwrap_or_default(),
            expected.title.as_deref().unwrap_or_default(),
            record.err().map(String::as_str).unwrap_or_default()
        )
    }
}

/// The text of an article as readers get it.
fn text(record: &Record) -> String {
    let html = record.content_html.as_deref().map(|html| Html::sanitize(html, None).to_text());
    let text = html.map_or_else(
        || record.content_text.clone().unwrap_or_default(),
        |text| text.as_str().to_owned(),
    );
    spaced(&text)
}

/// A text with one space for each run of white space.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ratio = |part: u32, whole: u32| f64::from(part) / f64::from(whole.max(1));
        let precision = ratio(self.wanted_found, self.wanted_found + self.unwanted_found);
        let recall = ratio(self.wanted_found, self.wanted_found + self.wanted_missing);
        let f1 = ratio(
            2 * self.wanted_found,
            2 * self.wanted_found + self.unwanted_found + self.wanted_missing,
        );
        write!(
            f,
            "{} pages; F {f1:.3} (precision {precision:.3}, recall {recall:.3}); {} refused, {} without any wanted phrase; \
             dates right {} of {} ({:.0} %), wrong {}; titles equal {} of {}; slowest {} ms",
            self.pages,
            self.refused,
            self.wrong,
            self.dates_right,
            self.dates,
            100.0 * ratio(self.dates_right, self.dates),
            self.dates_wrong,
            self.titles_right,
            self.titles,
            self.slowest.as_millis()
        )
    }
}
