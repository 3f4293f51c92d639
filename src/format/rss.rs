//! RSS 2.0.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use quick_xml::escape::partial_escape;
use rss::{
    Category, Channel, Enclosure, Guid, Image, Item, Source,
    extension::{
        Extension, ExtensionMap,
        atom::{AtomExtension, Link},
        dublincore::DublinCoreExtension,
    },
};

use crate::{
    feed::{Contact, Entry, Feed, FeedSpec, Logo, TEMPLATE},
    format::{
        Flaw, Format, HISTORY, check, history,
        media::{self, Element},
        uri::uri,
        xml::{self, Dialect},
    },
};

const DCTERMS: &str = "http://purl.org/dc/terms/";

pub(super) fn render(feed: &Feed) -> Result<Vec<u8>, Flaw> {
    let written = channel(feed).write_to(Vec::new()).expect("memory takes what is written to it");
    let document = xml::rewrite(&written, Dialect::Rss)?;
    check::rss(&document)?;
    Ok(document)
}

///
fn channel(feed: &Feed) -> Channel {
    let spec = &*feed.spec;
    let site = &*spec.site;
    let extensions: ExtensionMap = history(feed).into_iter().map(history_extension).collect();
    let items: Vec<Item> = feed.entries().map(|entry| item(spec, &entry)).collect();
    Channel {
        title: spec.title.to_string(),
        link: uri(&spec.home),
        description: spec.description.to_string(),
        language: spec.language.as_ref().map(ToString::to_string),
        copyright: site.rights.as_ref().map(ToString::to_string),
        managing_editor: site.editor.as_ref().map(mailbox),
        webmaster: site.webmaster.as_ref().map(mailbox),
        last_build_date: Some(rfc822(feed.changed)),
        generator: Some(format!("Courant/{TEMPLATE}")),
        docs: Some("https://www.rssboard.org/rss-specification".to_owned()),
        ttl: Some(spec.ttl.to_string()),
        image: site.image.as_ref().map(|logo| image(spec, logo)),
        atom_ext: Some(AtomExtension { links: links(feed) }),
        namespaces: namespaces(&items, &extensions),
        extensions,
        items,
        ..Channel::default()
    }
}

/// those in use. The crate itself declares `atom`, `content` and `dc`.
fn namespaces(items: &[Item], extensions: &ExtensionMap) -> BTreeMap<String, String> {
    [("dcterms", DCTERMS), ("fh", HISTORY), ("media", media::NAMESPACE)]
        .into_iter()
        .filter(|(prefix, _)| {
            extensions.contains_key(*prefix)
                || items.iter().any(|item| item.extensions.contains_key(*prefix))
        })
        .map(|(prefix, uri)| (prefix.to_owned(), uri.to_owned()))
        .collect()
}

///
fn mailbox(contact: &Contact) -> String {
    format!("{} ({})", contact.email, contact.name)
}

/// title and link are the channel's.
fn image(spec: &FeedSpec, logo: &Logo) -> Image {
    Image {
        url: uri(&logo.url),
        title: spec.title.to_string(),
        link: uri(&spec.home),
        width: logo.width.map(|width| width.to_string()),
        height: logo.height.map(|height| height.to_string()),
        description: None,
    }
}

///
fn links(feed: &Feed) -> Vec<Link> {
    let link = |(rel, href): (&str, String)| Link {
        href,
        rel: rel.to_owned(),
        mime_type: Some(Format::Rss.media_type().to_owned()),
        ..Link::default()
    };
    Format::Rss.links(feed).into_iter().map(link).collect()
}

///
fn item(spec: &FeedSpec, entry: &Entry<'_>) -> Item {
    let story = entry.story();
    let (description, content) = texts(entry);
    let enclosure = story.attachments.first().map(|attachment| Enclosure {
        url: uri(&attachment.url),
        length: attachment.bytes.unwrap_or(0).to_string(),
        mime_type: attachment.mime_type.to_string(),
    });
    let guid = Guid { value: entry.article().guid.to_string(), permalink: false };
    Item {
        title: Some(entry.title().to_string()),
        link: Some(uri(entry.page())),
        description: Some(description),
        content,
        categories: categories(spec, entry),
        enclosure,
        guid: Some(guid),
        pub_date: Some(rfc822(entry.published())),
        source: source(entry),
        dublin_core_ext: dublin_core(entry),
        extensions: extensions(entry),
        ..Item::default()
    }
}

/// summary and body; a text that is alone is the description. A description is HTML, also where it is plain.
fn texts(entry: &Entry<'_>) -> (String, Option<String>) {
    match (entry.summary(), entry.body()) {
        (Some(summary), Some(body)) => (partial_escape(summary.as_str()).into_owned(), Some(body)),
        (None, Some(body)) => (body, None),
        (_, None) => (partial_escape(entry.text().as_str()).into_owned(), None),
    }
}

///
fn categories(spec: &FeedSpec, entry: &Entry<'_>) -> Vec<Category> {
    let scheme = spec.site.scheme();
    let filed = entry.story().categories.iter().map(|category| Category {
        name: entry.label(category).to_string(),
        domain: Some(scheme.clone()),
    });
    let tagged =
        entry.tags().into_iter().map(|tag| Category { name: tag.to_string(), domain: None });
    filed.chain(tagged).collect()
}

/// `source` asks for the address of a feed; where none is known, `dc:source` names the origin (M-21).
fn source(entry: &Entry<'_>) -> Option<Source> {
    let source = entry.story().source.as_ref()?;
    let url = uri(source.feed_url.as_ref()?);
    Some(Source { url, title: Some(source.name.to_string()) })
}

/// Never `author`, which asks for an address of mail.
fn dublin_core(entry: &Entry<'_>) -> Option<DublinCoreExtension> {
    let story = entry.story();
    let origin = story.source.iter().filter(|source| source.feed_url.is_none());
    let dublin_core = DublinCoreExtension {
        creators: entry.authors().iter().map(|author| author.name.to_string()).collect(),
        contributors: story.editors.iter().map(|editor| editor.name.to_string()).collect(),
        languages: entry.foreign_language().iter().map(ToString::to_string).collect(),
        rights: entry.rights().iter().map(ToString::to_string).collect(),
        sources: origin.map(|source| source.name.to_string()).collect(),
        ..DublinCoreExtension::default()
    };
    (dublin_core != DublinCoreExtension::default()).then_some(dublin_core)
}

/// The date of an edit (M-22), pictures, and files beside the enclosure.
fn extensions(entry: &Entry<'_>) -> ExtensionMap {
    let mut extensions = ExtensionMap::new();
    let pictures = entry.pictures().iter().map(media::picture);
    let files = entry.story().attachments.iter().skip(1).map(media::attachment);
    let media: Vec<_> = pictures.chain(files).map(extension).collect();
    if !media.is_empty() {
        extensions.insert("media".to_owned(), [("content".to_owned(), media)].into());
    }
    if entry.updated() != entry.published() {
        let modified = Extension {
            name: "dcterms:modified".to_owned(),
            value: Some(entry.updated().format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ..Extension::default()
        };
        extensions.insert("dcterms".to_owned(), [("modified".to_owned(), vec![modified])].into());
    }
    extensions
}

fn extension(element: Element) -> Extension {
    let Element { name, attributes, text, children } = element;
    Extension {
        name: name.to_owned(),
        value: text,
        attrs: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        children: children
            .into_iter()
            .map(|child| (child.name.to_owned(), vec![extension(child)]))
            .collect(),
    }
}

///
fn history_extension(name: &str) -> (String, BTreeMap<String, Vec<Extension>>) {
    let element = Extension { name: format!("fh:{name}"), ..Extension::default() };
    ("fh".to_owned(), [(name.to_owned(), vec![element])].into())
}

/// the day in two digits, the zone as `+0000`.
fn rfc822(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_two_digits_for_the_day() {
        let at = DateTime::from_timestamp(1_772_699_400, 999_999_999).unwrap();
        assert_eq!(rfc822(at), "Thu, 05 Mar 2026 08:30:00 +0000");
    }
}
