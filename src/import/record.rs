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

/// The JSON Schema of a record.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Record)
}
