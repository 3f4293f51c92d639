//! What makes an article an episode of a show: the fields that podcast directories and apps know.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{category::Language, text::Text};

/// What an article with something to hear or see says of itself as an episode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Episode {
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub season: Option<u32>,
    /// What the season is called.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub season_name: Text,
    /// Within its season, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Whether it is an episode proper.
    #[serde(skip_serializing_if = "EpisodeKind::is_full")]
    pub kind: EpisodeKind,
    /// The title without season and number, where it differs from the article's.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub title: Text,
    /// `None`: as the show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_explicit: Option<bool>,
    /// Square artwork.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Url>,
    /// How long it plays, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// In the publisher's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transcripts: Vec<Transcript>,
    /// Its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chapters: Option<Chapters>,
    /// Pieces that speak for the whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub soundbites: Vec<Soundbite>,
    /// Who is heard or seen, and who made it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub persons: Vec<Participant>,
    /// What it is about, as a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The same episode in other files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternate_enclosures: Vec<AlternateEnclosure>,
    /// Not to be listed by directories.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_blocked: bool,
}

impl Episode {
    /// The addresses of its files.
    pub fn file_urls_mut(&mut self) -> impl Iterator<Item = &mut Url> {
        let Self { image, transcripts, chapters, alternate_enclosures, .. } = self;
        let transcripts =
            transcripts.iter_mut().filter_map(|transcript| match &mut transcript.content {
                Content::Linked(url) => Some(url),
                Content::Inline(_) => None,
            });
        let chapters = chapters.iter_mut().filter_map(|chapters| match chapters {
            Chapters::Linked(url) => Some(url),
            Chapters::Inline(_) => None,
        });
        let others = alternate_enclosures.iter_mut().flat_map(|other| &mut other.sources);
        image.iter_mut().chain(transcripts).chain(chapters).chain(others)
    }

    /// Size of what is kept with the article but not part of a feed, in bytes.
    pub fn inline_bytes(&self) -> usize {
        let text = |transcript: &Transcript| match &transcript.content {
            Content::Linked(_) => 0,
            Content::Inline(text) => text.len(),
        };
        let chapters = match &self.chapters {
            Some(Chapters::Inline(chapters)) => {
                chapters.iter().map(|chapter| chapter.title.as_str().len() + 100).sum()
            }
            Some(Chapters::Linked(_)) | None => 0,
        };
        self.transcripts.iter().map(text).sum::<usize>() + chapters
    }
}

/// Whether an episode is one proper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EpisodeKind {
    /// It is.
    #[default]
    Full,
    /// It promotes the show, a season or an episode.
    Trailer,
    /// It comes beside the others.
    Bonus,
}

impl EpisodeKind {
    /// As in `itunes:episodeType`.
    pub const NAMES: [(&str, Self); 3] =
        [("full", Self::Full), ("trailer", Self::Trailer), ("bonus", Self::Bonus)];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

impl fmt::Display for EpisodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Trailer => "trailer",
            Self::Bonus => "bonus",
        })
    }
}

/// What is said, to be read (P-22).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// Where it is.
    pub content: Content,
    /// Its media type.
    pub mime_type: Text,
    /// What it is written in, where that is not what is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Timed, to be shown with what is said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_captions: bool,
}

impl Transcript {
    /// What names of transcripts end in.
    pub const EXTENSIONS: [&str; 5] = ["vtt", "srt", "json", "html", "txt"];

    /// What the `nth` one of an episode, from 0, is called where this program serves it.
    pub fn file_name(&self, nth: usize) -> String {
        let extension = match self.mime_type.as_str() {
            "text/vtt" => "vtt",
            "application/x-subrip" | "application/srt" => "srt",
            "application/json" => "json",
            "text/html" => "html",
            _ => "txt",
        };
        format!("transcript-{}.{extension}", nth + 1)
    }
}

/// A text that belongs to an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// At an address of the publisher's.
    Linked(Url),
    /// Kept with the article, and served by this program.
    Inline(String),
}

/// The parts of an episode (P-23).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chapters {
    /// At an address of the publisher's, as JSON chapters.
    Linked(Url),
    /// Kept with the article, and served by this program; in the order of their starts.
    Inline(Vec<Chapter>),
}

/// A part of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// Where it begins.
    pub start: Moment,
    /// Where it ends, when not with the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Moment>,
    /// Plain text; may be empty.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub title: Text,
    /// Shown while it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Url>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// Left out of the table of contents.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_silent: bool,
}

/// A time within an episode, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment(pub u64);

impl fmt::Display for Moment {
    /// In seconds, with as many places as it needs: `94.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.0 / 1_000, self.0 % 1_000);
        if rest == 0 {
            return write!(f, "{seconds}");
        }
        write!(f, "{seconds}.{}", format!("{rest:03}").trim_end_matches('0'))
    }
}

/// A piece that speaks for the whole (P-35).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Soundbite {
    /// Where it begins.
    pub start: Moment,
    /// How long it is.
    pub duration: Moment,
    /// At most 128 characters; may be empty.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub title: Text,
}

/// Somebody who takes part (P-24).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// At most 128 characters, never empty.
    pub name: Text,
    /// `host`, `guest`, `editor` and so on; empty: a host.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub role: Text,
    /// `cast`, `writing` and so on; empty: the cast.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub group: Text,
    /// A picture of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Url>,
    /// A page about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
}

/// A place (P-35).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// At most 128 characters, never empty.
    pub name: Text,
    /// RFC 5870: `geo:30.2672,-97.7431`.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub geo: Text,
    /// An object of OpenStreetMap: `R113314`.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub osm: Text,
}

/// The same episode in another file (P-34).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlternateEnclosure {
    /// Where it is; the first is the best. Never empty.
    pub sources: Vec<Url>,
    /// Its media type.
    pub mime_type: Text,
    /// What it is; may be empty.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub title: Text,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// In bits a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
    /// Of the picture, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// What is spoken in it, where that is another language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// A digest of the file: `sha256-…`, as in Subresource Integrity; may be empty.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub integrity: Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_seconds() {
        for (moment, expected) in
            [(0, "0"), (94_500, "94.5"), (1_001, "1.001"), (60_000, "60"), (10, "0.01")]
        {
            assert_eq!(Moment(moment).to_string(), expected);
        }
    }
}
