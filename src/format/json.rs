//! JSON Feed 1.1.
//!
//! Members in the order of the specification, absent ones left out (J-25).

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Serializer, ser::PrettyFormatter};

use crate::{
    article::{Attachment, Person, Picture, Source},
    category::Language,
    feed::{Changes, Departure, Entry, Feed},
    format::{Flaw, Format, check, uri::uri},
    text::Text,
};

/// J-2.
pub(super) const VERSION: &str = "https://jsonfeed.org/version/1.1";

pub(super) fn render(feed: &Feed) -> Result<Vec<u8>, Flaw> {
    let mut document = Vec::new();
    // A member on each line, for those who read it raw.
    let lines = PrettyFormatter::with_indent(b"");
    let mut serializer = Serializer::with_formatter(&mut document, lines);
    Document::new(feed).serialize(&mut serializer).expect("every member has a text for a name");
    document.push(b'\n');
    check::json(&document)?;
    Ok(document)
}

/// What has changed for a partner, in the shape of a feed whose pages follow each other (J-8).
pub fn changes(changes: &Changes) -> Vec<u8> {
    let site = &changes.site;
    let gone = changes.gone.iter();
    let gone = gone.map(|Departure { guid, at }| Removed { id: guid, date_removed: rfc3339(*at) });
    let document = ChangesDocument {
        version: VERSION,
        title: &changes.partner.title,
        home_page_url: uri(&site.url),
        feed_url: changes.address(false),
        next_url: changes.has_more.then(|| changes.address(true)),
        progress: Progress {
            about: site.address(""),
            since: (!changes.has_more).then_some(changes.until.revision.0),
            removed: gone.collect(),
        },
        items: changes.entries().map(Item::new).collect(),
    };
    let mut bytes = serde_json::to_vec(&document).expect("every member has a text for a name");
    bytes.push(b'\n');
    bytes
}

#[derive(Serialize)]
struct ChangesDocument<'a> {
    version: &'static str,
    title: &'a Text,
    home_page_url: String,
    feed_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    #[serde(rename = "_courant")]
    progress: Progress<'a>,
    items: Vec<Item<'a>>,
}

/// Where to go on, and what is no longer there.
#[derive(Serialize)]
struct Progress<'a> {
    about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    removed: Vec<Removed<'a>>,
}

/// J-2 to J-9. The archives are its further pages (J-8).
#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    title: &'a Text,
    home_page_url: String,
    feed_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    description: &'a Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a Language>,
    authors: [Author; 1],
    #[serde(rename = "_courant")]
    publication: Publication<'a>,
    items: Vec<Item<'a>>,
}

/// Ours at its first use, where it says what it is (J-24): our index page, which always answers.
#[derive(Serialize)]
struct Publication<'a> {
    about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rights: Option<&'a Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<Removed<'a>>,
}

/// What has gone: JSON Feed has no word for it.
#[derive(Serialize)]
struct Removed<'a> {
    id: &'a Text,
    date_removed: String,
}

/// J-15 to J-23.
#[derive(Serialize)]
struct Item<'a> {
    id: &'a Text,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_url: Option<String>,
    title: Text,
    #[serde(flatten)]
    content: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    date_published: String,
    date_modified: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a Language>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<File>,
    #[serde(rename = "_courant", skip_serializing_if = "Option::is_none")]
    news: Option<News<'a>>,
}

/// HTML, or the only text there is (J-15).
#[derive(Serialize)]
enum Content {
    #[serde(rename = "content_html")]
    Html(String),
    #[serde(rename = "content_text")]
    Text(Text),
}

/// J-9.
#[derive(Serialize)]
struct Author {
    name: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// J-23.
#[derive(Serialize)]
struct File {
    url: String,
    mime_type: Text,
    #[serde(skip_serializing_if = "Text::is_empty")]
    title: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_in_seconds: Option<u64>,
}

/// What JSON Feed has no member for (J-24, M-20).
#[derive(Serialize)]
struct News<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Origin<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    editors: Vec<Author>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rights: Option<&'a Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pictures: Vec<Shown<'a>>,
}

/// Where a republished piece comes from.
#[derive(Serialize)]
struct Origin<'a> {
    name: &'a Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a Text>,
}

/// A picture with what stands under it.
#[derive(Serialize)]
struct Shown<'a> {
    url: String,
    #[serde(skip_serializing_if = "Text::is_empty")]
    caption: &'a Text,
    #[serde(skip_serializing_if = "Text::is_empty")]
    credit: &'a Text,
    #[serde(skip_serializing_if = "Text::is_empty")]
    alt: &'a Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
}

impl<'a> Document<'a> {
    fn new(feed: &'a Feed) -> Self {
        let spec = &*feed.spec;
        let site = &*spec.site;
        Self {
            version: VERSION,
            title: &spec.title,
            home_page_url: uri(&spec.home),
            feed_url: spec.address(Format::Json.extension()),
            next_url: feed
                .previous()
                .map(|span| spec.archive_address(span, Format::Json.extension())),
            description: &spec.description,
            icon: site.icon.as_ref().map(uri),
            language: spec.language.as_ref(),
            authors: [Author { name: site.title.clone(), url: Some(uri(&site.url)) }],
            publication: Publication {
                about: site.address(""),
                rights: site.rights.as_ref(),
                removed: feed.remnants().map(Removed::new).collect(),
            },
            items: feed.entries().map(Item::new).collect(),
        }
    }
}

impl<'a> Item<'a> {
    fn new(entry: Entry<'a>) -> Self {
        let story = entry.story();
        let body = entry.body();
        let labels = story.categories.iter().map(|category| entry.label(category));
        Self {
            id: &entry.article().guid,
            url: uri(entry.page()),
            external_url: story.external_url.as_ref().map(uri),
            title: entry.title(),
            summary: entry.summary().filter(|_| body.is_some()),
            content: body.map_or_else(|| Content::Text(entry.text()), Content::Html),
            image: entry.pictures().first().map(|picture| uri(&picture.url)),
            date_published: rfc3339(entry.published()),
            date_modified: rfc3339(entry.updated()),
            authors: entry.authors().iter().map(Author::new).collect(),
            tags: labels.chain(entry.tags()).collect(),
            language: entry.foreign_language(),
            attachments: entry.files().iter().map(File::new).collect(),
            news: News::new(&entry),
        }
    }
}

impl<'a> Removed<'a> {
    fn new(entry: Entry<'a>) -> Self {
        Self { id: &entry.article().guid, date_removed: rfc3339(entry.updated()) }
    }
}

impl Author {
    fn new(person: &Person) -> Self {
        Self { name: person.name.clone(), url: person.url.as_ref().map(uri) }
    }
}

impl File {
    fn new(attachment: &Attachment) -> Self {
        let Attachment { url, mime_type, title, bytes, seconds } = attachment;
        Self {
            url: uri(url),
            mime_type: mime_type.clone(),
            title: title.clone(),
            size_in_bytes: *bytes,
            duration_in_seconds: *seconds,
        }
    }
}

impl<'a> News<'a> {
    /// `None` when there is nothing to say.
    fn new(entry: &Entry<'a>) -> Option<Self> {
        let story = entry.story();
        let news = Self {
            source: story.source.as_ref().map(Origin::new),
            editors: story.editors.iter().map(Author::new).collect(),
            mobile_url: story.mobile_url.as_ref().map(uri),
            rights: entry.rights(),
            pictures: entry.pictures().iter().map(Shown::new).collect(),
        };
        let speaks = news.source.is_some()
            || !news.editors.is_empty()
            || news.mobile_url.is_some()
            || news.rights.is_some()
            || !news.pictures.is_empty();
        speaks.then_some(news)
    }
}

impl<'a> Origin<'a> {
    fn new(source: &'a Source) -> Self {
        let Source { name, url, feed_url, title, author } = source;
        Self {
            name,
            url: url.as_ref().map(uri),
            feed_url: feed_url.as_ref().map(uri),
            title: title.as_ref(),
            author: author.as_ref(),
        }
    }
}

impl<'a> Shown<'a> {
    fn new(picture: &'a Picture) -> Self {
        let Picture { url, caption, credit, alt, width, height, mime_type, bytes } = picture;
        Self {
            url: uri(url),
            caption,
            credit,
            alt,
            mime_type: mime_type.as_ref(),
            width: *width,
            height: *height,
            size_in_bytes: *bytes,
        }
    }
}

/// In whole seconds (J-21).
fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
