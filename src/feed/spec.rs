//! What the publisher says of a feed.

use std::{collections::BTreeMap, fmt, num::NonZeroU16, sync::Arc};

use chrono_tz::Tz;
use serde::Serialize;
use url::Url;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    article::{Span, Window},
    category::{Category, Language, Selection, Slug},
    dialect::Dialect,
    feed::{Show, Terms},
    text::Text,
};

/// The version of the documents this program writes: raised when equal stores would give other bytes than before.
///
/// Part of every fingerprint, so that a new way of writing moves both validators (T-40, H-38); the generator's version
/// too, rather than the program's: an upgrade that writes the same bytes costs no reader a download.
pub const TEMPLATE: &str = "1";

/// Somebody to write to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// Never empty.
    pub name: Text,
    /// An address of mail.
    pub email: Text,
}

/// The picture of the publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logo {
    /// GIF, JPEG or PNG.
    pub url: Url,
    /// In pixels, at most 144.
    pub width: Option<u16>,
    /// In pixels, at most 400.
    pub height: Option<u16>,
}

/// What all feeds have in common.
#[derive(Clone, Debug, Serialize)]
pub struct Site {
    /// The publication's name.
    pub title: Text,
    /// Its home page.
    pub url: Url,
    /// What it is about; may be empty.
    pub description: Text,
    /// What articles are written in, unless they say otherwise.
    pub language: Option<Language>,
    /// For dates of articles that name none, and for times on pages.
    pub time_zone: Tz,
    /// Plain text.
    pub rights: Option<Text>,
    /// Answers for what is written.
    pub editor: Option<Contact>,
    /// Answers for how it is served.
    pub webmaster: Option<Contact>,
    /// The RSS channel's `image`, the Atom `logo`.
    pub image: Option<Logo>,
    /// A square picture (A-6, J-7).
    pub icon: Option<Url>,
    /// Where this service is reached, ending in `/`; every address of a feed starts so (H-11).
    pub base: Url,
    /// What the categories of `feeds.toml` are called.
    pub labels: BTreeMap<Slug, Text>,
}

impl Site {
    /// The absolute address of a path on this service, which is percent-encoded already.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What people call a category: as `feeds.toml` has it, or else as the article does.
    pub fn label<'a>(&'a self, category: &'a Category) -> &'a Text {
        self.labels.get(&category.slug).unwrap_or(&category.label)
    }

    /// Where the articles of a category are found as a scheme of categories.
    pub fn scheme(&self) -> String {
        self.address("category/")
    }
}

/// Where a feed is found, without the extension of a format.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum FeedPath {
    /// `/{name}`, from a `[[feed]]`.
    Named(Slug),
    /// `/category/{slug}`.
    Category(Slug),
    /// `/partner/{name}/…`, a feed as a partner gets it.
    Partner(Slug, Box<FeedPath>),
}

impl FeedPath {
    /// As in an address, percent-encoded, without a slash in front.
    pub fn encoded(&self) -> String {
        match self {
            Self::Named(name) => name.encoded(),
            Self::Category(slug) => format!("category/{}", slug.encoded()),
            Self::Partner(name, feed) => format!("partner/{}/{}", name.encoded(), feed.encoded()),
        }
    }

    /// Where an archive of the feed is found, percent-encoded, without a slash in front.
    pub fn archive(&self, span: Span, extension: &str) -> String {
        format!("{}/archive/{span}.{extension}", self.encoded())
    }
}

impl fmt::Display for FeedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => name.fmt(f),
            Self::Category(slug) => write!(f, "category/{slug}"),
            Self::Partner(name, feed) => write!(f, "partner/{name}/{feed}"),
        }
    }
}

/// What the publisher says of a feed, every default filled in.
#[derive(Clone, Debug, Serialize)]
pub struct FeedSpec {
    /// What all feeds have in common; its fingerprint is its own.
    #[serde(skip)]
    pub site: Arc<Site>,
    /// Where it is found.
    pub path: FeedPath,
    /// Plain text, never empty.
    pub title: Text,
    /// Plain text, never empty.
    pub description: Text,
    /// The page of the same articles for people.
    pub home: Url,
    /// What its articles are written in, unless they say otherwise.
    pub language: Option<Language>,
    /// Which articles.
    pub selection: Selection,
    /// How far back.
    pub window: Window,
    /// Whether entries carry the whole text or a summary only.
    pub full_text: bool,
    /// Whether entries carry pictures.
    pub pictures: bool,
    /// How long readers may wait before they ask again, in minutes; `max-age` says the same in seconds (H-115).
    pub ttl: NonZeroU16,
    /// Whether it is a show, and what it says as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show: Option<Arc<Show>>,
    /// The terms of the partner whose feed it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<Arc<Terms>>,
}

impl FeedSpec {
    /// The absolute address in the format with this extension; with an empty one, the negotiated address.
    pub fn address(&self, extension: &str) -> String {
        let dot = if extension.is_empty() { "" } else { "." };
        self.site.address(&format!("{}{dot}{extension}", self.path.encoded()))
    }

    /// The absolute address of an archive in the format with this extension.
    pub fn archive_address(&self, span: Span, extension: &str) -> String {
        self.site.address(&self.path.archive(span, extension))
    }

    /// What its readers ask for beyond the standards.
    pub fn dialect(&self) -> &'static Dialect {
        self.terms.as_ref().map_or(Dialect::plain(), |terms| terms.dialect)
    }

    /// Whether it leads to archives of all it ever held.
    pub fn is_archived(&self) -> bool {
        !self.dialect().is_rss_alone()
    }

    /// A digest of all that can change the bytes of this feed and is not shared by all.
    pub fn fingerprint(&self) -> u64 {
        fingerprint(self)
    }
}

/// A digest of settings, the same on every machine.
pub(super) fn fingerprint(settings: &impl Serialize) -> u64 {
    let canonical =
        serde_json::to_vec(&(TEMPLATE, settings)).expect("settings have text keys only");
    xxh3_64(&canonical)
}
