//! Atom 1.0, RFC 4287.

use std::collections::BTreeMap;

use atom_syndication::{
    Category, Content, Entry as AtomEntry, Feed as AtomFeed, FixedDateTime, Generator, Link,
    Person as AtomPerson, Source as AtomSource, Text as AtomText, WriteConfig,
    extension::{Extension, ExtensionMap},
};
use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use quick_xml::escape::escape;
use url::Url;

use crate::{
    article::{Person, Source},
    category::Language,
    dialect::Sign,
    feed::{Entry, Feed, FeedSpec, TEMPLATE},
    format::{
        Flaw, Format, HISTORY, check,
        element::Element,
        history, media, parts,
        uri::uri,
        xml::{self, Syntax},
    },
    text::Text,
};

/// Entries that have gone, RFC 6721.
const TOMBSTONES: &str = "http://purl.org/atompub/tombstones/1.0";

const DC: &str = "http://purl.org/dc/elements/1.1/";

pub(super) fn render(feed: &Feed) -> Result<Vec<u8>, Flaw> {
    let config = WriteConfig { write_document_declaration: false, indent_size: None };
    let written = atom_feed(feed)
        .write_with_config(Vec::new(), config)
        .expect("memory takes what is written to it");
    let document = with_signs_first(xml::rewrite(&written, Syntax::Atom)?);
    check::atom(&document)?;
    Ok(document)
}

///
fn atom_feed(feed: &Feed) -> AtomFeed {
    let spec = &*feed.spec;
    let site = &*spec.site;
    let entries: Vec<AtomEntry> = feed.entries().map(|entry| atom_entry(spec, &entry)).collect();
    let mut extensions: ExtensionMap = history(feed).into_iter().map(history_extension).collect();
    extensions.extend(signs(feed));
    let publisher = AtomPerson {
        name: site.title.to_string(),
        uri: Some(uri(&site.url)),
        ..AtomPerson::default()
    };
    let generator = Generator {
        value: "Courant".to_owned(),
        version: Some(TEMPLATE.to_owned()),
        ..Generator::default()
    };
    AtomFeed {
        title: plain(&spec.title, None),
        id: feed.id.clone(),
        updated: fixed(feed.changed),
        authors: vec![publisher],
        generator: Some(generator),
        icon: site.icon.as_ref().map(uri),
        links: links_of_feed(feed),
        logo: site.image.as_ref().map(|logo| uri(&logo.url)),
        rights: site.rights.as_ref().map(|rights| plain(rights, None)),
        subtitle: Some(plain(&spec.description, None)),
        namespaces: [("at", TOMBSTONES), ("dc", DC), ("fh", HISTORY), ("media", media::NAMESPACE)]
            .into_iter()
            .filter(|(prefix, _)| {
                extensions.contains_key(*prefix)
                    || entries.iter().any(|entry| entry.extensions.contains_key(*prefix))
            })
            .map(|(prefix, uri)| (prefix.to_owned(), uri.to_owned()))
            .collect(),
        entries,
        extensions,
        lang: spec.language.as_ref().map(ToString::to_string),
        ..AtomFeed::default()
    }
}

/// The crate has no `xml:lang` on an entry: the texts in another language say so themselves.
fn atom_entry(spec: &FeedSpec, entry: &Entry<'_>) -> AtomEntry {
    let story = entry.story();
    let language = entry.foreign_language();
    let body = entry.body();
    let summary = match &body {
        Some(_) => entry.summary().cloned(),
        None => Some(entry.text()),
    };
    let content = body.map(|body| Content {
        value: Some(body),
        content_type: Some("html".to_owned()),
        lang: language.map(ToString::to_string),
        ..Content::default()
    });
    AtomEntry {
        title: plain(&entry.title(), language),
        id: entry.iri(),
        updated: fixed(entry.updated()),
        authors: entry.authors().iter().map(person).collect(),
        categories: categories(spec, entry),
        contributors: story.editors.iter().map(person).collect(),
        links: links(entry),
        published: Some(fixed(entry.published())),
        rights: entry.rights().map(|rights| plain(rights, None)),
        source: story.source.as_ref().map(|origin| source(entry, origin)),
        summary: summary.map(|summary| plain(&summary, language)),
        content,
        extensions: extensions(entry),
        ..AtomEntry::default()
    }
}

/// Never markup.
fn plain(text: &Text, language: Option<&Language>) -> AtomText {
    AtomText { lang: language.map(ToString::to_string), ..AtomText::plain(text.as_str()) }
}

///
fn person(person: &Person) -> AtomPerson {
    AtomPerson {
        name: person.name.to_string(),
        email: person.email.as_ref().map(ToString::to_string),
        uri: person.url.as_ref().map(uri),
        ..AtomPerson::default()
    }
}

///
fn categories(spec: &FeedSpec, entry: &Entry<'_>) -> Vec<Category> {
    let scheme = spec.site.scheme();
    let filed = entry.story().categories.iter().map(|category| Category {
        term: category.slug.as_str().to_owned(),
        scheme: Some(scheme.clone()),
        label: Some(entry.label(category).to_string()),
    });
    let tagged = entry
        .tags()
        .into_iter()
        .map(|tag| Category { term: tag.to_string(), ..Category::default() });
    filed.chain(tagged).collect()
}

/// The other formats are not linked here: Newsboat takes the last alternate for the page, whatever its type.
fn links_of_feed(feed: &Feed) -> Vec<Link> {
    let link = |(rel, href): (&str, String)| Link {
        href,
        rel: rel.to_owned(),
        mime_type: Some(Format::Atom.media_type().to_owned()),
        ..Link::default()
    };
    let alternate = page("alternate", &feed.spec.home);
    Format::Atom.links(feed).into_iter().map(link).chain([alternate]).collect()
}

fn page(rel: &str, url: &Url) -> Link {
    Link {
        href: uri(url),
        rel: rel.to_owned(),
        mime_type: Some(Format::Html.media_type().to_owned()),
        ..Link::default()
    }
}

/// What pages for small screens were first written in.
const SMALL_PAGE: &str = "application/vnd.wap.xhtml+xml";

/// The page, what it is about, where it comes from (M-20), and its files.
///
/// The page for small screens is a second `alternate`, which needs a type of its own. It comes after the first and
/// is not called HTML, because Miniflux and `FreshRSS` take the first alternate for the article's link, and feedparser
/// the last that is HTML or has no type.
fn links(entry: &Entry<'_>) -> Vec<Link> {
    let story = entry.story();
    let mobile = story.mobile_url.iter().filter(|mobile| *mobile != entry.page());
    let mobile = mobile.map(|url| Link {
        mime_type: Some(SMALL_PAGE.to_owned()),
        title: Some("mobile".to_owned()),
        ..page("alternate", url)
    });
    let subject = story.external_url.iter().map(|url| page("related", url));
    let origin = story.source.iter().filter_map(|source| {
        Some(Link { title: Some(source.name.to_string()), ..page("via", source.url.as_ref()?) })
    });
    let files = entry.files();
    let files = files.iter().map(|attachment| Link {
        href: uri(&attachment.url),
        rel: "enclosure".to_owned(),
        mime_type: Some(attachment.mime_type.to_string()),
        title: Some(attachment.title.to_string()).filter(|title| !title.is_empty()),
        length: attachment.bytes.map(|bytes| bytes.to_string()),
        ..Link::default()
    });
    let alternate = page("alternate", entry.page());
    [alternate].into_iter().chain(mobile).chain(subject).chain(origin).chain(files).collect()
}

/// The feed it came in. Where nobody knows that, its identity is made of the name.
fn source(entry: &Entry<'_>, source: &Source) -> AtomSource {
    let feed = source.feed_url.as_ref().map(uri);
    let link =
        |href: &String| Link { href: href.clone(), rel: "self".to_owned(), ..Link::default() };
    let author = source.author.iter();
    AtomSource {
        title: plain(&source.name, None),
        links: feed.iter().map(link).collect(),
        id: feed.unwrap_or_else(|| entry.origin_iri(&source.name)),
        // Nobody noted how old that feed was; it is no newer than what was taken from it.
        updated: fixed(entry.published()),
        authors: author
            .map(|name| AtomPerson { name: name.to_string(), ..AtomPerson::default() })
            .collect(),
        ..AtomSource::default()
    }
}

fn extensions(entry: &Entry<'_>) -> ExtensionMap {
    let mut extensions = ExtensionMap::new();
    let pictures: Vec<_> =
        entry.pictures().iter().map(|picture| extension(media::picture(picture, false))).collect();
    if !pictures.is_empty() {
        extensions.insert("media".to_owned(), [("content".to_owned(), pictures)].into());
    }
    extensions
}

/// The crate writes values of these attributes as they are, until it escapes them as the `rss` crate does.
fn extension(element: Element) -> Extension {
    let Element { name, attributes, text, children } = element;
    let escaped = |(name, value): (&str, String)| (name.to_owned(), escape(value).into_owned());
    Extension {
        name: name.to_owned(),
        value: text,
        attrs: attributes.into_iter().map(escaped).collect(),
        children: children
            .into_iter()
            .map(|child| (child.name.to_owned(), vec![extension(child)]))
            .collect(),
    }
}

///
fn history_extension(name: &'static str) -> (String, BTreeMap<String, Vec<Extension>>) {
    let element = Element::empty(name, []);
    (element.prefix().to_owned(), [(name.to_owned(), vec![extension(element)])].into())
}

/// What has gone, where readers are told so. This feed is the entries' own, and no entry names another, so that no
/// tombstone names one either.
fn signs(feed: &Feed) -> Option<(String, BTreeMap<String, Vec<Extension>>)> {
    if feed.spec.dialect().sign != Sign::Tombstone {
        return None;
    }
    let sign = |entry: Entry<'_>| {
        let when = entry.updated().to_rfc3339_opts(SecondsFormat::Secs, true);
        extension(Element::empty("at:deleted-entry", [("ref", entry.iri()), ("when", when)]))
    };
    let signs: Vec<_> = feed.remnants().map(sign).collect();
    (!signs.is_empty()).then(|| ("at".to_owned(), [("at:deleted-entry".to_owned(), signs)].into()))
}

/// The document with its tombstones before the entries: the crate writes extensions behind them.
fn with_signs_first(document: Vec<u8>) -> Vec<u8> {
    let signs = parts::elements(&document, b"\n<at:deleted-entry", b"</at:deleted-entry>");
    let entry = parts::elements(&document, b"\n<entry>", b"</entry>").into_iter().next();
    let (Some(first), Some(last), Some(entry)) = (signs.first(), signs.last(), entry) else {
        return document;
    };
    // Each with the line break before it.
    let (place, signs) = (entry.start - 1, first.start - 1..last.end);
    [
        &document[..place],
        &document[signs.clone()],
        &document[place..signs.start],
        &document[signs.end..],
    ]
    .concat()
}

/// In whole seconds.
fn fixed(at: DateTime<Utc>) -> FixedDateTime {
    at.trunc_subsecs(0).fixed_offset()
}
