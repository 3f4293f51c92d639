//! RSS 2.0.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use quick_xml::escape::partial_escape;
use rss::{
    Category, Channel, Guid, Image, Item, Source,
    extension::{
        Extension, ExtensionMap,
        atom::{AtomExtension, Link},
        dublincore::DublinCoreExtension,
    },
};

use crate::{
    dialect::{ChannelElement, Texts},
    feed::{Contact, Entry, Feed, FeedSpec, Logo, TEMPLATE},
    format::{
        Flaw, Format, HISTORY, check, dialect,
        element::Element,
        history, media, podcast,
        uri::uri,
        xml::{self, Syntax},
    },
    text::Text,
};

const DCTERMS: &str = "http://purl.org/dc/terms/";

pub(super) fn render(feed: &Feed) -> Result<Vec<u8>, Flaw> {
    let written = channel(feed).write_to(Vec::new()).expect("memory takes what is written to it");
    let document = xml::rewrite(&written, Syntax::Rss)?;
    check::rss(&document)?;
    Ok(document)
}

///
fn channel(feed: &Feed) -> Channel {
    let spec = &*feed.spec;
    let site = &*spec.site;
    let history = history(feed).into_iter().map(|name| Element::empty(name, []));
    let show = spec.show.iter().flat_map(|show| podcast::channel(show));
    let extensions = extension_map(history.chain(show).chain(dialect::channel(feed)));
    let items = feed.entries().map(|entry| item(spec, &entry)).chain(dialect::signs(feed));
    let items: Vec<Item> = items.collect();
    let has_date = spec.dialect().channel.contains(&ChannelElement::PubDate);
    let description = match spec.description_characters() {
        Some(most) => spec.description.cut(most).to_string(),
        None => spec.description.to_string(),
    };
    Channel {
        title: spec.title.to_string(),
        link: uri(&spec.home),
        description,
        language: spec.language.as_ref().map(ToString::to_string),
        copyright: site.rights.as_ref().map(ToString::to_string),
        managing_editor: site.editor.as_ref().map(mailbox),
        webmaster: site.webmaster.as_ref().map(mailbox),
        pub_date: has_date.then(|| date(spec, feed.changed)),
        last_build_date: Some(date(spec, feed.changed)),
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
    let known = [
        ("dcterms", DCTERMS),
        ("fh", HISTORY),
        ("gnf", dialect::GNF),
        ("itunes", podcast::ITUNES),
        ("media", media::NAMESPACE),
        ("mi", dialect::MI),
        ("oa", dialect::OA),
        ("podcast", podcast::PODCAST),
        ("snf", dialect::SNF),
    ];
    known
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
    let (description, content) = texts(spec, entry);
    let guid = Guid { value: entry.article().guid.to_string(), permalink: false };
    Item {
        title: Some(entry.title().to_string()),
        link: Some(uri(entry.page())),
        description,
        content,
        categories: categories(spec, entry),
        enclosure: dialect::enclosure(spec, entry),
        guid: Some(guid),
        pub_date: Some(date(spec, entry.published())),
        source: source(entry),
        dublin_core_ext: dublin_core(entry),
        extensions: extensions(spec, entry),
        ..Item::default()
    }
}

/// summary and body; a text that is alone is the description. A description is HTML, also where it is plain.
///
/// In a show it is never more than directories take. Dialects may want each text in one place only.
fn texts(spec: &FeedSpec, entry: &Entry<'_>) -> (Option<String>, Option<String>) {
    let html = |text: &str| partial_escape(text).into_owned();
    if spec.show.is_some() {
        return (Some(html(podcast::notes(&entry.text()))), entry.body());
    }
    let texts = spec.dialect().texts;
    let written = |text: &Text| match texts {
        Texts::Public | Texts::Content | Texts::Description => html(text.as_str()),
        Texts::ContentPlainSummary => text.to_string(),
    };
    let Some(body) = entry.body() else { return (Some(written(&entry.text())), None) };
    match texts {
        Texts::Public => match entry.summary() {
            Some(summary) => (Some(written(summary)), Some(body)),
            None => (Some(body), None),
        },
        // Here it stays, even when it repeats a short text: some programs want both.
        Texts::Content | Texts::ContentPlainSummary => (Some(written(&entry.text())), Some(body)),
        Texts::Description => (Some(body), None),
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

/// The date of an edit (M-22), and what the dialect has: pictures and files beside the enclosure. In a show, what makes an episode instead:
/// podcast apps take any `media:content` for something to play.
fn extensions(spec: &FeedSpec, entry: &Entry<'_>) -> ExtensionMap {
    let edited = (entry.updated() != entry.published())
        .then(|| Element::text("dcterms:modified", entry.updated().format("%Y-%m-%dT%H:%M:%SZ")));
    let others = if let Some(show) = &spec.show {
        podcast::item(spec, show, entry)
    } else {
        dialect::item(spec, entry)
    };
    extension_map(edited.into_iter().chain(others))
}

pub(super) fn extension_map(elements: impl IntoIterator<Item = Element>) -> ExtensionMap {
    let mut map = ExtensionMap::new();
    for element in elements {
        let of_prefix = map.entry(element.prefix().to_owned()).or_default();
        of_prefix.entry(local(&element).to_owned()).or_default().push(extension(element));
    }
    map
}

fn local(element: &Element) -> &'static str {
    element.name.split_once(':').map_or(element.name, |(_, local)| local)
}

fn extension(element: Element) -> Extension {
    let Element { name, attributes, text, children } = element;
    let mut grouped = BTreeMap::<_, Vec<_>>::new();
    for child in children {
        grouped.entry(child.name.to_owned()).or_default().push(extension(child));
    }
    Extension {
        name: name.to_owned(),
        value: text,
        attrs: attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        children: grouped,
    }
}

/// R-43, in the zone of the dialect.
pub(super) fn date(spec: &FeedSpec, at: DateTime<Utc>) -> String {
    let local = spec.dialect().zone.local(at, spec.site.time_zone);
    local.format("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// the day in two digits, the zone as `+0000`.
pub(super) fn rfc822(at: DateTime<Utc>) -> String {
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
