//! The record: an article as publishers write it down. `docs/records.md` says the same for people.

use schemars::JsonSchema;
use serde::Deserialize;

/// One article. Field names are those of JSON Feed items where it has them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(title = "Courant article record")]
pub struct Record {
    /// The publisher's own key of the article; whatever else changes, this does not.
    #[schemars(required)]
    pub id: Option<Key>,
    /// An identity the article already has in the publisher's old feed, kept verbatim.
    pub guid: Option<String>,
    /// The article's page.
    pub url: Option<String>,
    /// A page elsewhere that the article is about.
    pub external_url: Option<String>,
    /// The article's page for small screens.
    pub mobile_url: Option<String>,
    /// Plain text.
    pub title: Option<String>,
    /// Plain text; made from the content when missing.
    pub summary: Option<String>,
    /// The text, as HTML.
    pub content_html: Option<String>,
    /// The text, as plain text; taken when there is no `content_html`.
    pub content_text: Option<String>,
    /// RFC 3339, or `2026-03-05 08:30[:00]`, or `2026-03-05` in the publication's time zone.
    pub date_published: Option<String>,
    /// The same forms.
    pub date_modified: Option<String>,
    /// Who wrote it.
    pub authors: Option<Vec<PersonRecord>>,
    /// Who edited it.
    pub editors: Option<Vec<PersonRecord>>,
    /// Plain text each.
    pub tags: Option<Vec<String>>,
    /// Slugs or labels.
    pub categories: Option<Vec<String>>,
    /// BCP 47, when other than the publication's.
    pub language: Option<String>,
    /// Plain text.
    pub rights: Option<String>,
    /// Where a republished piece comes from.
    pub source: Option<SourceRecord>,
    /// Address of the main picture.
    pub image: Option<String>,
    /// Pictures, with what belongs to them.
    pub images: Option<Vec<ImageRecord>>,
    /// Files that come with it.
    pub attachments: Option<Vec<AttachmentRecord>>,
    /// What the article says of itself as an episode of a show.
    pub episode: Option<EpisodeRecord>,
    /// For which partners and territories it is cleared; when missing: for all.
    pub clearance: Option<ClearanceRecord>,
    /// Not to be seen before; the same forms as `date_published`.
    pub embargo: Option<String>,
    /// Not to be seen after; the same forms, a date alone meaning the end of that day.
    pub expires: Option<String>,
    /// Whether readers should look at this edit; when missing: if `date_modified` moved.
    pub significant: Option<bool>,
}

/// A key, which some databases have as a number.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a text or a whole number")]
pub enum Key {
    /// As it is.
    Text(String),
    /// Written in decimal.
    Number(i64),
}

/// Somebody.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct PersonRecord {
    /// Plain text.
    #[schemars(required)]
    pub name: Option<String>,
    /// A page about them.
    pub url: Option<String>,
    /// An address of mail.
    pub email: Option<String>,
}

/// Where a republished piece comes from.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct SourceRecord {
    /// Who published it first.
    pub name: Option<String>,
    /// The original's page.
    pub url: Option<String>,
    /// The feed it came in.
    pub feed_url: Option<String>,
    /// The original's title.
    pub title: Option<String>,
    /// The original's author.
    pub author: Option<String>,
}

/// A picture.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct ImageRecord {
    /// Its address.
    #[schemars(required)]
    pub url: Option<String>,
    /// What stands under it.
    pub caption: Option<String>,
    /// Who made it.
    pub credit: Option<String>,
    /// What it shows, for those who do not see it.
    pub alt: Option<String>,
    /// In pixels.
    pub width: Option<u32>,
    /// In pixels.
    pub height: Option<u32>,
    /// Media type, `image/…`.
    pub mime_type: Option<String>,
    /// In bytes.
    pub size_in_bytes: Option<u64>,
}

/// A file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct AttachmentRecord {
    /// Its address.
    #[schemars(required)]
    pub url: Option<String>,
    /// Media type.
    #[schemars(required)]
    pub mime_type: Option<String>,
    /// What it is.
    pub title: Option<String>,
    /// In bytes.
    pub size_in_bytes: Option<u64>,
    /// In seconds.
    pub duration_in_seconds: Option<f64>,
}

/// For whom an article is cleared.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct ClearanceRecord {
    /// Whether it is in public feeds; when missing: yes.
    pub public: Option<bool>,
    /// These partners only.
    pub partners: Option<Vec<String>>,
    /// Not these partners.
    pub not_partners: Option<Vec<String>>,
    /// These territories only, as ISO 3166 codes: `JP`.
    pub territories: Option<Vec<String>>,
    /// Not these territories.
    pub not_territories: Option<Vec<String>>,
}

/// An episode of a show.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct EpisodeRecord {
    /// From 1.
    pub season: Option<i64>,
    /// What the season is called.
    pub season_name: Option<String>,
    /// Within its season, from 1.
    pub number: Option<i64>,
    /// `full`, `trailer` or `bonus`.
    pub r#type: Option<String>,
    /// The title without season and number, where it differs from the article's.
    pub title: Option<String>,
    /// When missing: as the show.
    pub explicit: Option<bool>,
    /// Address of square artwork.
    pub image: Option<String>,
    /// When missing: that of the attachment.
    pub duration: Option<DurationRecord>,
    /// What is said, to be read.
    pub transcripts: Option<Vec<TranscriptRecord>>,
    /// An address of JSON chapters, or the chapters themselves.
    pub chapters: Option<ChaptersRecord>,
    /// Pieces that speak for the whole.
    pub soundbites: Option<Vec<SoundbiteRecord>>,
    /// Who takes part.
    pub persons: Option<Vec<ParticipantRecord>>,
    /// What it is about, as a place.
    pub location: Option<LocationRecord>,
    /// The same episode in other files.
    pub alternate_enclosures: Option<Vec<AlternateEnclosureRecord>>,
    /// Not to be listed by directories.
    pub block: Option<bool>,
}

/// How long something plays.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a number of seconds, or a text as in `1:02:03`")]
pub enum DurationRecord {
    /// In seconds.
    Seconds(f64),
    /// `1:02:03`.
    Clock(String),
}

/// What is said, to be read.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct TranscriptRecord {
    /// Its address.
    pub url: Option<String>,
    /// The transcript itself, instead of an address.
    pub text: Option<String>,
    /// `text/vtt`, `application/x-subrip`, `application/json` or `text/html`.
    #[schemars(required)]
    pub mime_type: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// Whether it is timed, to be shown with what is said.
    pub captions: Option<bool>,
}

/// The parts of an episode.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "an address, or a list of chapters")]
pub enum ChaptersRecord {
    /// The address of JSON chapters.
    Linked(String),
    /// The chapters themselves.
    Inline(Vec<ChapterRecord>),
}

/// A part of an episode.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct ChapterRecord {
    /// In seconds.
    #[schemars(required)]
    pub start: Option<f64>,
    /// In seconds, when not with the next one.
    pub end: Option<f64>,
    /// Plain text.
    pub title: Option<String>,
    /// Address of a picture.
    pub image: Option<String>,
    /// What it is about.
    pub url: Option<String>,
    /// Whether it is left out of the table of contents.
    pub hidden: Option<bool>,
}

/// A piece that speaks for the whole.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct SoundbiteRecord {
    /// In seconds.
    #[schemars(required)]
    pub start: Option<f64>,
    /// In seconds.
    #[schemars(required)]
    pub duration: Option<f64>,
    /// Plain text.
    pub title: Option<String>,
}

/// Somebody who takes part.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct ParticipantRecord {
    /// Plain text.
    #[schemars(required)]
    pub name: Option<String>,
    /// `host`, `guest`, `editor` and so on.
    pub role: Option<String>,
    /// `cast`, `writing` and so on.
    pub group: Option<String>,
    /// Address of a picture.
    pub image: Option<String>,
    /// A page about them.
    pub url: Option<String>,
}

/// A place.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct LocationRecord {
    /// Plain text.
    #[schemars(required)]
    pub name: Option<String>,
    /// RFC 5870.
    pub geo: Option<String>,
    /// An object of OpenStreetMap.
    pub osm: Option<String>,
}

/// The same episode in another file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct AlternateEnclosureRecord {
    /// Its address.
    #[schemars(required)]
    pub url: Option<String>,
    /// Where else it is.
    pub mirrors: Option<Vec<String>>,
    /// Media type.
    #[schemars(required)]
    pub mime_type: Option<String>,
    /// What it is.
    pub title: Option<String>,
    /// In bytes.
    pub size_in_bytes: Option<u64>,
    /// In bits a second.
    pub bitrate: Option<u64>,
    /// Of the picture, in pixels.
    pub height: Option<u32>,
    /// BCP 47, when other than the episode's.
    pub language: Option<String>,
    /// As in Subresource Integrity: `sha256-…`.
    pub integrity: Option<String>,
}

/// The JSON Schema of a record.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Record)
}
