//! A feed that is a show: what podcast directories and apps ask of a channel.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use crate::{
    article::{Location, Participant},
    feed::Contact,
    text::Text,
};

/// What a show says beside what every feed does.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an element of its own in a feed")]
pub struct Show {
    /// Its identity for ever (P-20); `None` until it is settled.
    pub guid: Option<Text>,
    /// Who makes it; never empty.
    pub author: Text,
    /// Whom directories write to.
    pub owner: Option<Contact>,
    /// Square, 1,400 to 3,000 pixels, JPEG or PNG (P-9).
    pub artwork: Url,
    /// The first one counts. Never empty.
    pub categories: Vec<ShowCategory>,
    /// In which order it is heard.
    pub kind: ShowKind,
    /// Whether it is not for children.
    pub is_explicit: bool,
    /// What it is, in the words of P-27.
    pub medium: Text,
    /// Whether other hosts may take it over (P-21).
    pub is_locked: bool,
    /// Where listeners can support it, with what they are told (P-26).
    pub funding: Vec<(Url, Text)>,
    /// What may be done with it: an SPDX identifier or a name, and where it is written.
    pub license: Option<(Text, Option<Url>)>,
    /// What it is about, in a minute.
    pub trailer: Option<Trailer>,
    /// Who takes part, unless an episode says otherwise (P-24).
    pub persons: Vec<Participant>,
    /// What it is about, as a place.
    pub location: Option<Location>,
    /// How often episodes come: for people, and as a rule of RFC 5545 (P-29).
    pub frequency: Option<(Text, Text)>,
    /// Where it has moved to (P-15).
    pub new_feed_url: Option<Url>,
    /// Whether no further episode will come.
    pub is_complete: bool,
    /// Whether directories shall not list it.
    pub is_blocked: bool,
    /// What proves to directories whose it is: a purpose and a text each (P-31).
    pub notes: Vec<(Text, Text)>,
}

impl Show {
    /// The same with its identity.
    #[must_use]
    pub fn with_guid(&self, guid: &str) -> Self {
        Self { guid: Some(Text::new(guid)), ..self.clone() }
    }

    /// The identity of a show whose feed was first found at `address` (P-20).
    pub fn mint_guid(address: &str) -> String {
        /// Of the Podcasting 2.0 namespace.
        const NAMESPACE: Uuid = Uuid::from_u128(0xead4_c236_bf58_58c6_a2c6_a6b2_8d12_8cb6);
        let name = address.split_once("://").map_or(address, |(_, name)| name);
        Uuid::new_v5(&NAMESPACE, name.trim_end_matches('/').as_bytes()).to_string()
    }
}

/// What a show is about, in a minute.
#[derive(Clone, Debug, Serialize)]
pub struct Trailer {
    /// Never empty.
    pub title: Text,
    /// Of the sound.
    pub url: Url,
    /// Its media type.
    pub mime_type: Text,
    /// Its size.
    pub bytes: Option<u64>,
    /// When it was published.
    pub published: DateTime<Utc>,
    /// Which season it is for.
    pub season: Option<u32>,
}

/// In which order a show is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ShowKind {
    /// Newest first.
    Episodic,
    /// From the beginning.
    Serial,
}

impl fmt::Display for ShowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Episodic => "episodic",
            Self::Serial => "serial",
        })
    }
}

/// A category of Apple's list (P-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ShowCategory {
    /// `Society & Culture`.
    pub name: &'static str,
    /// `Documentary`.
    pub part: Option<&'static str>,
}

impl ShowCategory {
    /// Every category, with its parts.
    pub const ALL: [(&str, &[&str]); 19] = [
        (
            "Arts",
            &["Books", "Design", "Fashion & Beauty", "Food", "Performing Arts", "Visual Arts"],
        ),
        (
            "Business",
            &["Careers", "Entrepreneurship", "Investing", "Management", "Marketing", "Non-Profit"],
        ),
        ("Comedy", &["Comedy Interviews", "Improv", "Stand-Up"]),
        ("Education", &["Courses", "How To", "Language Learning", "Self-Improvement"]),
        ("Fiction", &["Comedy Fiction", "Drama", "Science Fiction"]),
        ("Government", &[]),
        ("History", &[]),
        (
            "Health & Fitness",
            &[
                "Alternative Health",
                "Fitness",
                "Medicine",
                "Mental Health",
                "Nutrition",
                "Sexuality",
            ],
        ),
        (
            "Kids & Family",
            &["Education for Kids", "Parenting", "Pets & Animals", "Stories for Kids"],
        ),
        (
            "Leisure",
            &[
                "Animation & Manga",
                "Automotive",
                "Aviation",
                "Crafts",
                "Games",
                "Hobbies",
                "Home & Garden",
                "Video Games",
            ],
        ),
        ("Music", &["Music Commentary", "Music History", "Music Interviews"]),
        (
            "News",
            &[
                "Business News",
                "Daily News",
                "Entertainment News",
                "News Commentary",
                "Politics",
                "Sports News",
                "Tech News",
            ],
        ),
        (
            "Religion & Spirituality",
            &["Buddhism", "Christianity", "Hinduism", "Islam", "Judaism", "Spirituality"],
        ),
        (
            "Science",
            &[
                "Astronomy",
                "Chemistry",
                "Earth Sciences",
                "Life Sciences",
                "Mathematics",
                "Natural Sciences",
                "Nature",
                "Physics",
                "Social Sciences",
            ],
        ),
        (
            "Society & Culture",
            &["Documentary", "Personal Journals", "Philosophy", "Places & Travel", "Relationships"],
        ),
        (
            "Sports",
            &[
                "Baseball",
                "Basketball",
                "Cricket",
                "Fantasy Sports",
                "Football",
                "Golf",
                "Hockey",
                "Rugby",
                "Running",
                "Soccer",
                "Swimming",
                "Tennis",
                "Volleyball",
                "Wilderness",
                "Wrestling",
            ],
        ),
        ("Technology", &[]),
        ("True Crime", &[]),
        (
            "TV & Film",
            &["After Shows", "Film History", "Film Interviews", "Film Reviews", "TV Reviews"],
        ),
    ];

    /// From `News` or `News > Daily News`, whatever the case.
    pub fn find(given: &str) -> Option<Self> {
        let (name, part) = match given.split_once('>') {
            Some((name, part)) => (name.trim(), Some(part.trim())),
            None => (given.trim(), None),
        };
        let (name, parts) =
            Self::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let Some(part) = part else { return Some(Self { name, part: None }) };
        let part = parts.iter().find(|known| known.eq_ignore_ascii_case(part))?;
        Some(Self { name, part: Some(part) })
    }

    /// As `feeds.toml` writes every one of them.
    pub fn names() -> impl Iterator<Item = String> {
        Self::ALL.into_iter().flat_map(|(name, parts)| {
            let parts = parts.iter().map(move |part| format!("{name} > {part}"));
            [name.to_owned()].into_iter().chain(parts)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of P-20.
    #[test]
    fn a_guid_is_minted_by_the_rule() {
        for (address, guid) in [
            ("https://podnews.net/rss", "9b024349-ccf0-5f69-a609-6b82873eab3c"),
            ("https://mp3s.nashownotes.com/pc20rss.xml", "917393e3-1b1e-5cef-ace4-edaa54e1f810"),
            ("https://example.com/feeds/podcast.rss/", "de28acde-a274-56fc-9430-5548f1dbc9e6"),
            ("https://example.com/Feeds/podcast.rss", "4cce9918-bfc3-597e-8923-9950b22eadd9"),
        ] {
            assert_eq!(Show::mint_guid(address), guid, "{address}");
        }
    }

    #[test]
    fn a_category_is_found_by_its_name() {
        let found = |given| ShowCategory::find(given).map(|found| (found.name, found.part));
        assert_eq!(found("news > daily news"), Some(("News", Some("Daily News"))));
        assert_eq!(found("TV & Film"), Some(("TV & Film", None)));
        assert_eq!(found("News > Documentary"), None);
        assert_eq!(found("Daily News"), None);
        assert_eq!(ShowCategory::names().count(), 109);
    }
}
