//! What RSS of a dialect has beside what RSS has: the elements that its file names.

use chrono::{DateTime, Utc};
use rss::{Enclosure, Guid, Item};

use crate::{
    article::Picture,
    dialect::{ChannelElement, ItemElement, Sign},
    feed::{Entry, Feed, FeedSpec},
    format::{
        element::Element,
        media,
        rss::{date, extension_map},
        uri::uri,
    },
    text::Text,
};

/// Of the ingestion of Microsoft.
pub(super) const MI: &str = "http://schemas.ingestion.microsoft.com/common/";
/// Of `SmartNews`.
pub(super) const SNF: &str = "http://www.smartnews.be/snf";
/// Of Gunosy.
pub(super) const GNF: &str = "http://assets.gunosy.com/media/gnf";
/// Of LINE.
pub(super) const OA: &str = "http://news.line.me/rss/1.0/oa";

/// How many keywords are written (M-8).
const KEYWORDS: usize = 10;

/// What the channel has.
pub(super) fn channel(feed: &Feed) -> Vec<Element> {
    let spec = &*feed.spec;
    let elements = spec.dialect().channel.iter().flat_map(|element| match element {
        // RSS has it.
        ChannelElement::PubDate => Vec::new(),
        ChannelElement::SnfLogo => logos(spec),
        ChannelElement::OaLastPubDate => {
            vec![Element::text("oa:lastPubDate", date(spec, feed.changed))]
        }
    });
    elements.collect()
}

/// Each picture in an element that is not of the namespace.
fn logos(spec: &FeedSpec) -> Vec<Element> {
    let terms = spec.terms.iter();
    let logos =
        terms.flat_map(|terms| [("snf:logo", &terms.logo), ("snf:darkModeLogo", &terms.dark_logo)]);
    logos
        .filter_map(|(name, logo)| {
            Some(Element::holding(name, vec![Element::text("url", uri(logo.as_ref()?))]))
        })
        .collect()
}

/// What an item has.
pub(super) fn item(spec: &FeedSpec, entry: &Entry<'_>) -> Vec<Element> {
    let dialect = spec.dialect();
    let lead = || entry.pictures().first();
    let elements = dialect.item.iter().flat_map(|element| match element {
        // The enclosure, or part of another element.
        ItemElement::PictureEnclosure
        | ItemElement::UnmeasuredPictureEnclosure
        | ItemElement::MediaText => Vec::new(),
        ItemElement::File => {
            entry.story().attachments.iter().skip(1).map(media::attachment).collect()
        }
        ItemElement::MediaContent => {
            let with_alt = dialect.has(ItemElement::MediaText);
            entry.pictures().iter().map(|picture| media::picture(picture, with_alt)).collect()
        }
        ItemElement::MediaThumbnail => lead()
            .map(|picture| Element::empty("media:thumbnail", [("url", uri(&picture.url))]))
            .into_iter()
            .collect(),
        ItemElement::MediaKeywords => keywords("media:keywords", entry),
        ItemElement::MediaStatus => {
            vec![Element::empty("media:status", [("state", "active".to_owned())])]
        }
        ItemElement::MiHasSyndicationRights => {
            vec![Element::text("mi:hasSyndicationRights", 1)]
        }
        ItemElement::GnfCategory => {
            let name = entry.name_at_partner();
            name.map(|name| Element::text("gnf:category", name)).into_iter().collect()
        }
        ItemElement::GnfKeyword => keywords("gnf:keyword", entry),
        ItemElement::GnfModified => {
            vec![Element::text("gnf:modified", date(spec, entry.updated()))]
        }
        ItemElement::OaDelStatus => vec![Element::text("oa:delStatus", 0)],
    });
    elements.collect()
}

/// Tags that hold a comma would be taken for several.
fn keywords(name: &'static str, entry: &Entry<'_>) -> Vec<Element> {
    let tags = entry.tags().into_iter().map(Text::as_str).filter(|tag| !tag.contains(','));
    let tags: Vec<_> = tags.take(KEYWORDS).collect();
    if tags.is_empty() { Vec::new() } else { vec![Element::text(name, tags.join(","))] }
}

/// The file or the picture that stands beside the text (R-50, M-12).
pub(super) fn enclosure(spec: &FeedSpec, entry: &Entry<'_>) -> Option<Enclosure> {
    let dialect = spec.dialect();
    let picture = |length: u64| {
        let picture = entry.pictures().first()?;
        let mime_type = picture_type(picture);
        Some(Enclosure { url: uri(&picture.url), length: length.to_string(), mime_type })
    };
    if dialect.has(ItemElement::File) {
        return entry.enclosure().map(|attachment| Enclosure {
            url: uri(&attachment.url),
            length: attachment.bytes.unwrap_or(0).to_string(),
            mime_type: attachment.mime_type.to_string(),
        });
    }
    if dialect.has(ItemElement::PictureEnclosure) {
        return picture(entry.pictures().first()?.bytes.unwrap_or(0));
    }
    if dialect.has(ItemElement::UnmeasuredPictureEnclosure) {
        return picture(0);
    }
    None
}

/// By the ending of its address, where the record does not say.
fn picture_type(picture: &Picture) -> String {
    if let Some(known) = &picture.mime_type {
        return known.to_string();
    }
    let path = picture.url.path().to_ascii_lowercase();
    let types = [
        (".png", "image/png"),
        (".gif", "image/gif"),
        (".webp", "image/webp"),
        (".avif", "image/avif"),
    ];
    let known = types.into_iter().find(|(ending, _)| path.ends_with(ending));
    known.map_or("image/jpeg", |(_, kind)| kind).to_owned()
}

/// What has gone, as items that say so and little else: old identity, old address, old date (M-42). A title is there
/// because RSS asks for one; it is the article's key, since what was taken back shall not be read.
pub(super) fn signs(feed: &Feed) -> Vec<Item> {
    let spec = &*feed.spec;
    let sign = |gone: DateTime<Utc>| match spec.dialect().sign {
        Sign::None | Sign::Tombstone => None,
        Sign::MediaStatusText => Some(vec![Element::text("media:status", "deleted")]),
        Sign::MediaStatusState => Some(vec![
            Element::empty("media:status", [("state", "deleted".to_owned())]),
            Element::text("gnf:modified", date(spec, gone)),
        ]),
        Sign::OaDelStatus => Some(vec![Element::text("oa:delStatus", 1)]),
    };
    let signs = feed.remnants().filter_map(|entry| {
        let elements = sign(entry.updated())?;
        Some(Item {
            title: Some(entry.article().id.to_string()),
            link: Some(uri(entry.page())),
            guid: Some(Guid { value: entry.article().guid.to_string(), permalink: false }),
            pub_date: Some(date(spec, entry.published())),
            extensions: extension_map(elements),
            ..Item::default()
        })
    });
    signs.collect()
}
