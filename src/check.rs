//! What would trouble a reader of a feed: the thirty common mistakes, as far as a document shows them.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use crate::{
    feed::{Breach, Entry, Feed, Show, ShowKind, Site},
    format::Format,
};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Readers lose something.
    Error,
    /// Some readers, or partners, take it badly.
    Warning,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where: a feed, or an article.
    pub place: String,
    /// What is wrong and what to do.
    pub problem: String,
    /// The requirement behind it.
    pub rule: &'static str,
}

/// What is wrong with the publication as a whole.
pub fn site(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut warn = |rule, problem: &str| {
        findings.push(Finding {
            severity: Severity::Warning,
            place: "feeds.toml".to_owned(),
            problem: problem.to_owned(),
            rule,
        });
    };
    if site.base.scheme() != "https" {
        warn(
            "H-128",
            "`base_url` is not https: browsers and partners refuse such feeds; put a proxy with a certificate in front",
        );
    }
    if site.language.is_none() {
        warn(
            "T-12",
            "the site has no `language`: Chinese, Japanese and Korean share characters that look different",
        );
    }
    if site.editor.is_none() && site.webmaster.is_none() {
        warn("R-13", "neither `editor` nor `webmaster`: nobody can be told of a fault");
    }
    findings
}

/// What is wrong with a feed. Everything that its documents hold is looked at.
pub fn feed(feed: &Feed) -> Vec<Finding> {
    /// A burden for readers from here on, in bytes (J-26, H-129).
    const LARGE: usize = 1_000_000;
    let place = feed.spec.path.to_string();
    let mut findings = Vec::new();
    let offered =
        Format::FEEDS.into_iter().filter(|format| Format::offered(&feed.spec).contains(format));
    for format in offered {
        let document = format.render(feed);
        if let (Format::Rss, Ok(document)) = (format, &document) {
            findings.extend(partner(feed, document.len()));
        }
        match document {
            Ok(document) if document.len() > LARGE => findings.push(Finding {
                severity: Severity::Warning,
                place: place.clone(),
                problem: format!(
                    "{} bytes as {}; lower `newest`, `hours` or `bytes`, or serve summaries",
                    document.len(),
                    format.extension()
                ),
                rule: "J-26",
            }),
            Ok(_) => {}
            Err(error) => findings.push(Finding {
                severity: Severity::Error,
                place: place.clone(),
                problem: format!("cannot be written as {}: {error}", format.extension()),
                rule: "T-1",
            }),
        }
    }
    if feed.entries().len() == 0 && feed.held().is_empty() {
        findings.push(Finding {
            severity: Severity::Warning,
            place,
            problem: "no article; is a category misspelt in `feeds.toml` or in the records?"
                .to_owned(),
            rule: "H-28",
        });
    }
    findings.extend(repeated_updates(feed));
    if let Some(show) = &feed.spec.show {
        findings.extend(self::show(feed, show));
    }
    findings.extend(feed.entries().flat_map(|entry| article(&entry)));
    findings
}

/// What the partner whose feed it is would refuse, and is held back for that; and what it takes badly.
fn partner(feed: &Feed, document_bytes: usize) -> Vec<Finding> {
    let held = feed.held().iter().flat_map(|held| {
        let place = format!("article `{}` in `{}`", held.article.id, feed.spec.path);
        held.breaches.iter().map(move |breach| Finding {
            severity: Severity::Error,
            place: place.clone(),
            problem: format!("held back: {}", breach.problem),
            rule: &breach.rule.id,
        })
    });
    let warning = |place: &str, breach: Breach| Finding {
        severity: Severity::Warning,
        place: place.to_owned(),
        problem: breach.problem,
        rule: &breach.rule.id,
    };
    let of_feed = feed.breaches(document_bytes).into_iter();
    let of_feed = of_feed.map(|breach| warning(&feed.spec.path.to_string(), breach));
    let of_articles = feed.entries().flat_map(|entry| {
        let place = format!("article `{}`", entry.article().id);
        let breaches = entry.breaches(feed.changed).into_iter();
        breaches.map(move |breach| warning(&place, breach)).collect::<Vec<_>>()
    });
    held.chain(of_feed).chain(of_articles).collect()
}

/// What podcast directories would refuse, or warn of.
fn show(feed: &Feed, show: &Show) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |severity, place: String, rule, problem: String| {
        findings.push(Finding { severity, place, problem, rule });
    };
    let place = feed.spec.path.to_string();
    if show.categories.is_empty() {
        let problem = "a show without a category; directories refuse it".to_owned();
        note(Severity::Error, place.clone(), "P-8", problem);
    }
    if show.owner.is_none() {
        let problem = "a show without an `owner`: Apple and Spotify ask by mail whose it is";
        note(Severity::Warning, place.clone(), "P-2", problem.to_owned());
    }
    let address = feed.spec.address(Format::Rss.extension());
    if !address.is_ascii() || address.contains('%') {
        let problem = "directories want addresses in ASCII; give the show another `name`";
        note(Severity::Warning, place, "P-4", problem.to_owned());
    }
    let mut known = HashMap::new();
    for entry in feed.entries() {
        let Some(media) = entry.story().media() else { continue };
        let article = &entry.article().id;
        let mut note = |severity, rule, problem: String| {
            note(severity, format!("article `{article}`"), rule, problem);
        };
        if let Some(other) = known.insert(media.url.clone(), article) {
            let problem = format!("the same sound as article `{other}`; apps leave one out");
            note(Severity::Error, "P-4", problem);
        }
        if media.bytes.is_none_or(|bytes| bytes == 0) {
            let problem = "an episode without `size_in_bytes`; `courant media probe` finds it out";
            note(Severity::Error, "P-11", problem.to_owned());
        }
        let episode = entry.story().episode.as_deref();
        let seconds = episode.and_then(|episode| episode.seconds).or(media.seconds);
        if seconds.is_none() {
            let problem = "an episode without a duration; `courant media probe` finds it out";
            note(Severity::Warning, "P-7", problem.to_owned());
        }
        if media.url.scheme() != "https" {
            let problem = "a sound at an http address; apps do not load it";
            note(Severity::Warning, "P-12", problem.to_owned());
        }
        if show.kind == ShowKind::Serial && episode.and_then(|e| e.number).is_none() {
            let problem = "an episode of a serial without a `number`";
            note(Severity::Error, "P-2", problem.to_owned());
        }
        if !TAKEN.contains(&media.mime_type.as_str()) {
            let problem = format!("`{}` is a type that Apple does not take", media.mime_type);
            note(Severity::Warning, "P-10", problem);
        }
    }
    findings
}

/// P-10.
const TAKEN: [&str; 7] = [
    "audio/mpeg",
    "audio/x-m4a",
    "audio/m4a",
    "audio/mp4",
    "video/mp4",
    "video/x-m4v",
    "video/quicktime",
];

/// Readers that sort by date cannot.
fn repeated_updates(feed: &Feed) -> Option<Finding> {
    let mut counts = BTreeMap::new();
    for entry in feed.entries() {
        *counts.entry(entry.updated()).or_insert(0_u32) += 1;
    }
    let (time, count) =
        counts.into_iter().filter(|(_, count)| *count > 1).max_by_key(|(_, count)| *count)?;
    Some(Finding {
        severity: Severity::Warning,
        place: feed.spec.path.to_string(),
        problem: format!(
            "{count} articles of the same second, {time}; give real times, or dates alone"
        ),
        rule: "A-19",
    })
}

fn article(entry: &Entry<'_>) -> Vec<Finding> {
    let story = entry.story();
    let mut found: Vec<(&'static str, String)> = Vec::new();
    let mut warn = |rule, problem: &str| found.push((rule, problem.to_owned()));
    let title = story.title.as_str();
    if title.is_empty() {
        warn("R-40", "no title; the beginning of the text stands in for it");
    }
    if ["</", "&amp;", "&lt;", "&#", "&nbsp;"].iter().any(|sign| title.contains(sign)) {
        warn("T-21", "the title seems to hold HTML; titles are plain text");
    }
    if story.url.is_none() {
        warn("R-42", "no `url`; readers are sent to the site instead");
    }
    if entry.published().timestamp() < 631_152_000 {
        warn("R-44", "published before 1990; is the date right?");
    }
    let guid = entry.article().guid.as_str();
    if guid.len() < 9 && guid.bytes().all(|byte| byte.is_ascii_digit()) {
        warn("R-47", "its guid is a small number, which other feeds use too");
    }
    if entry.article().is_atom_id {
        warn(
            "A-12",
            "its guid is no IRI; Atom has it as it is, because readers know it from an adopted Atom feed",
        );
    }
    if story.content.is_empty() {
        warn("A-34", "no text");
    }
    if story.attachments.iter().any(|attachment| attachment.bytes.is_none()) {
        warn("R-50", "an attachment without `size_in_bytes`");
    }
    let insecure = |url: &url::Url| url.scheme() == "http";
    if story.pictures.iter().any(|picture| insecure(&picture.url)) {
        warn("M-10", "a picture at an http address, which browsers do not show on https pages");
    }
    let place = format!("article `{}`", entry.article().id);
    let finding = |(rule, problem)| Finding {
        severity: Severity::Warning,
        place: place.clone(),
        problem,
        rule,
    };
    found.into_iter().map(finding).collect()
}

/// The files of a feed's articles that are to be in the media folder and are not.
pub fn files(feed: &Feed, is_missing: impl Fn(&url::Url) -> bool) -> Vec<Finding> {
    let missing = feed.entries().flat_map(|entry| {
        let article = &entry.article().id;
        let files = entry.story().attachments.iter().map(|file| &file.url);
        let pictures = entry.story().pictures.iter().map(|picture| &picture.url);
        let missing = files.chain(pictures).filter(|url| is_missing(url));
        let findings = missing.map(|url| Finding {
            severity: Severity::Error,
            place: format!("article `{article}`"),
            problem: format!("`{url}` is not in the media folder; readers get 404"),
            rule: "P-12",
        });
        findings.collect::<Vec<_>>()
    });
    missing.collect()
}

/// Each finding once: an article is in several feeds.
pub fn distinct(findings: Vec<Finding>) -> Vec<Finding> {
    let mut seen = HashSet::new();
    findings
        .into_iter()
        .filter(|finding| seen.insert((finding.place.clone(), finding.problem.clone())))
        .collect()
}
