//! One entry of a feed as a record: RSS with the modules that matter, and Atom.

use chrono::{DateTime, Utc};
use url::Url;

use crate::{
    article::kept_guid,
    import::{
        convert::Fault,
        record::{
            AttachmentRecord, DurationRecord, EpisodeRecord, ImageRecord, Key, PersonRecord,
            Record, SourceRecord, TranscriptRecord,
        },
        xml::Element,
    },
    text::{Text, web_url},
};

/// An `item` of RSS. Relative addresses belong to `base`.
pub(super) fn rss(item: &Element, base: Option<&Url>) -> Result<Record, Fault> {
    let guid = item.text_of("guid");
    let is_address = item.all("guid").all(|guid| guid.attribute("isPermaLink") != Some("false"));
    let linked = item.text_of("feedburner:origLink").or_else(|| item.text_of("link"));
    let linked = linked.or_else(|| alternate(item).and_then(href));
    let by_guid = || guid.clone().filter(|guid| is_address && guid.starts_with("http"));
    let url = linked.or_else(by_guid).and_then(|raw| absolute(&raw, base));
    let description = item.text_of("description").or_else(|| item.text_of("itunes:summary"));
    let encoded = item.text_of("content:encoded");
    let summary = encoded.is_some().then(|| description.as_deref().map(plain)).flatten();
    let Media { images, attachments } = media(item, base);
    let record = Record {
        title: item.text_of("title"),
        summary,
        content_html: encoded.or(description),
        date_published: first_date(item, &["pubDate", "dc:date", "dcterms:created"]),
        date_modified: first_date(item, &["atom:updated", "dcterms:modified"]),
        authors: some(rss_authors(item)),
        categories: some(item.elements().filter(|e| is_category(e)).map(Element::text).collect()),
        language: item.text_of("dc:language"),
        rights: item.text_of("dc:rights").or_else(|| item.text_of("media:copyright")),
        source: item.all("source").next().map(|source| SourceRecord {
            name: Some(source.text()).filter(|name| !name.is_empty()),
            feed_url: source.attribute("url").and_then(|raw| absolute(raw, base)),
            ..SourceRecord::default()
        }),
        images,
        attachments,
        episode: episode(item, base),
        ..Record::default()
    };
    identified(record, guid.or_else(|| item.text_of("link").filter(is_identity)), url)
}

/// An `entry` of Atom. Relative addresses belong to `base`, unless it says otherwise.
pub(super) fn atom(entry: &Element, base: Option<&Url>) -> Result<Record, Fault> {
    let own = entry.attribute("xml:base").and_then(|raw| web_url(raw, base));
    let base = own.as_ref().or(base);
    let part = |name: &str| entry.elements().find(|e| local(e) == name);
    let guid = part("id").map(Element::text).filter(|id| !id.is_empty());
    let url = alternate(entry).and_then(|link| absolute(&href(link)?, base));
    let published = date_of(part("published").or_else(|| part("issued")));
    let updated = date_of(part("updated").or_else(|| part("modified")));
    let content = part("content").map(html).filter(|content| !content.trim().is_empty());
    let summary = part("summary").map(words).filter(|summary| !summary.is_empty());
    let Media { images, mut attachments } = media(entry, base);
    for link in links(entry, "enclosure") {
        let Some(url) = href(link).and_then(|raw| absolute(&raw, base)) else { continue };
        attachments.get_or_insert_default().push(AttachmentRecord {
            url: Some(url),
            mime_type: owned(link.attribute("type")),
            title: owned(link.attribute("title")),
            size_in_bytes: number(link.attribute("length")),
            duration_in_seconds: None,
        });
    }
    let record = Record {
        title: part("title").map(words),
        summary: content.is_some().then_some(summary.clone()).flatten(),
        content_html: content.or_else(|| part("summary").map(html)),
        date_modified: updated.clone().filter(|_| published.is_some()),
        date_published: published.or(updated),
        authors: some(people(entry, "author")),
        categories: some(
            entry
                .elements()
                .filter(|e| local(e) == "category")
                .filter_map(|e| owned(e.attribute("label")).or_else(|| owned(e.attribute("term"))))
                .collect(),
        ),
        language: owned(entry.attribute("xml:lang")),
        rights: part("rights").map(words).filter(|rights| !rights.is_empty()),
        source: part("source").map(|source| source_of(source, base)),
        external_url: links(entry, "related").next().and_then(|link| absolute(&href(link)?, base)),
        images,
        attachments,
        ..Record::default()
    };
    let link = || alternate(entry).and_then(href).filter(is_identity);
    identified(record, guid.or_else(link), url)
}

/// Whether readers know an entry without guid by this link as it is written: it is a whole address. A relative one they
/// resolve.
#[expect(clippy::ptr_arg, reason = "what `Option::filter` gives")]
fn is_identity(link: &String) -> bool {
    Url::parse(link).is_ok() && kept_guid(link).is_some()
}

/// With what readers know it by. An entry without guid is known by its address, and gets that as its guid.
fn identified(record: Record, guid: Option<String>, url: Option<String>) -> Result<Record, Fault> {
    let Some(guid) = guid.or_else(|| url.clone()) else {
        let problem =
            "the entry has neither an identity nor an address; nobody could know it again";
        return Err(Fault { field: "guid".to_owned(), problem: problem.to_owned() });
    };
    Ok(Record { id: Some(Key::Text(guid.clone())), guid: Some(guid), url, ..record })
}

/// A name without the prefix of Atom, which in RSS it has and in Atom may lack.
fn local(element: &Element) -> &str {
    element.name.strip_prefix("atom:").unwrap_or(&element.name)
}

fn is_category(element: &Element) -> bool {
    matches!(element.name.as_str(), "category" | "dc:subject") && !element.text().is_empty()
}

fn links<'e>(entry: &'e Element, rel: &'e str) -> impl Iterator<Item = &'e Element> {
    entry.elements().filter(move |e| {
        local(e) == "link"
            && e.attribute("href").is_some()
            && e.attribute("rel").unwrap_or("alternate") == rel
    })
}

/// The page of an entry: HTML before anything else.
fn alternate(entry: &Element) -> Option<&Element> {
    let is_page = |e: &&Element| e.attribute("type").is_none_or(|kind| kind.contains("html"));
    links(entry, "alternate").find(is_page).or_else(|| links(entry, "alternate").next())
}

fn href(link: &Element) -> Option<String> {
    owned(link.attribute("href"))
}

fn absolute(raw: &str, base: Option<&Url>) -> Option<String> {
    web_url(raw, base).map(String::from)
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn number(raw: Option<&str>) -> Option<u64> {
    raw?.trim().parse().ok().filter(|number| *number > 0)
}

fn plain(markup: &str) -> String {
    Text::from_markup(markup).as_str().to_owned()
}

/// A text construct of Atom as plain text (RFC 4287 section 3.1); in RSS, what stands there.
pub(super) fn words(element: &Element) -> String {
    match element.attribute("type") {
        Some("html" | "text/html") => plain(&element.text()),
        _ => element.text(),
    }
}

/// A text construct or content of Atom as HTML (RFC 4287 sections 3.1 and 4.1.3).
fn html(element: &Element) -> String {
    match element.attribute("type") {
        Some("html" | "text/html") => element.text(),
        Some("xhtml" | "application/xhtml+xml") => element.markup(),
        None | Some("text" | "text/plain") => {
            let text = element.text();
            // Those who mean HTML and do not say so are many.
            if text.contains("</") { text } else { quick_xml::escape::escape(text).into_owned() }
        }
        // Base64, SVG and the like are no text.
        Some(_) => String::new(),
    }
}

fn people(entry: &Element, role: &str) -> Vec<PersonRecord> {
    let part = |person: &Element, name: &str| {
        person.elements().find(|e| local(e) == name).map(Element::text).filter(|t| !t.is_empty())
    };
    let people = entry.elements().filter(|e| local(e) == role);
    let people = people.map(|person| PersonRecord {
        name: part(person, "name").or_else(|| part(person, "email")),
        url: part(person, "uri").filter(|url| web_url(url, None).is_some()),
        email: part(person, "email"),
    });
    people.filter(|person| person.name.is_some()).collect()
}

/// `dc:creator` is a name; `author` is `mail (name)`, and often a name all the same.
fn rss_authors(item: &Element) -> Vec<PersonRecord> {
    let named = |name: String| PersonRecord { name: Some(name), ..PersonRecord::default() };
    let mut found = people(item, "author");
    found.retain(|person| person.name.as_deref() != Some(""));
    let creators = item.all("dc:creator").chain(item.all("itunes:author")).map(Element::text);
    found.extend(creators.filter(|name| !name.is_empty()).map(named));
    if found.is_empty() {
        let authors = item.all("author").map(Element::text).filter(|text| !text.is_empty());
        found.extend(authors.map(|text| match text.split_once('(') {
            Some((_, name)) if name.ends_with(')') => {
                named(name.trim_end_matches(')').trim().to_owned())
            }
            _ => named(text),
        }));
    }
    found
}

fn source_of(source: &Element, base: Option<&Url>) -> SourceRecord {
    let title = source.elements().find(|e| local(e) == "title").map(words);
    let own = links(source, "self").next().and_then(|link| absolute(&href(link)?, base));
    let id = || source.elements().find(|e| local(e) == "id").map(Element::text);
    SourceRecord {
        name: title.filter(|title| !title.is_empty()),
        url: alternate(source).and_then(|link| absolute(&href(link)?, base)),
        feed_url: own.or_else(|| id().filter(|id| id.starts_with("http"))),
        title: None,
        author: people(source, "author").into_iter().next().and_then(|person| person.name),
    }
}

struct Media {
    images: Option<Vec<ImageRecord>>,
    attachments: Option<Vec<AttachmentRecord>>,
}

/// Enclosures and Media RSS, in groups or not.
fn media(item: &Element, base: Option<&Url>) -> Media {
    let (mut images, mut attachments): (Vec<ImageRecord>, Vec<AttachmentRecord>) =
        Default::default();
    let mut take = |element: &Element, around: Option<&Element>| {
        let Some(url) = element.attribute("url").and_then(|raw| absolute(raw, base)) else {
            return;
        };
        let kind = owned(element.attribute("type")).map(|kind| kind.to_ascii_lowercase());
        let said = |name: &str| {
            element.text_of(name).or_else(|| around.and_then(|group| group.text_of(name)))
        };
        let is_image = kind.as_deref().is_some_and(|kind| kind.starts_with("image/"))
            || element.attribute("medium") == Some("image")
            || element.name == "media:thumbnail";
        if is_image {
            if images.iter().all(|known| known.url.as_deref() != Some(&url)) {
                images.push(ImageRecord {
                    url: Some(url),
                    caption: said("media:description").map(|text| plain(&text)),
                    credit: said("media:credit"),
                    alt: None,
                    width: pixels(element.attribute("width")),
                    height: pixels(element.attribute("height")),
                    mime_type: kind.filter(|kind| kind.starts_with("image/")),
                    size_in_bytes: number(
                        element.attribute("fileSize").or(element.attribute("length")),
                    ),
                });
            }
        } else if attachments.iter().all(|known| known.url.as_deref() != Some(&url))
            && (element.name == "enclosure" || kind.is_some())
        {
            attachments.push(AttachmentRecord {
                url: Some(url),
                mime_type: kind,
                title: said("media:title"),
                size_in_bytes: number(
                    element.attribute("length").or(element.attribute("fileSize")),
                ),
                duration_in_seconds: element
                    .attribute("duration")
                    .and_then(|raw| raw.trim().parse().ok()),
            });
        }
    };
    for enclosure in item.all("enclosure") {
        take(enclosure, None);
    }
    for group in item.all("media:group") {
        group.all("media:content").for_each(|content| take(content, Some(group)));
    }
    item.all("media:content").for_each(|content| take(content, Some(item)));
    // Thumbnails are small; they stand for the picture only where nothing better is named.
    let nested = item.all("media:group").chain(item.all("media:content"));
    let thumbnails: Vec<_> = item
        .all("media:thumbnail")
        .chain(nested.flat_map(|element| element.all("media:thumbnail")))
        .collect();
    if images.is_empty()
        && let [first, ..] = thumbnails[..]
    {
        let url = first.attribute("url").and_then(|raw| absolute(raw, base));
        images.extend(url.map(|url| ImageRecord {
            url: Some(url),
            width: pixels(first.attribute("width")),
            height: pixels(first.attribute("height")),
            ..ImageRecord::default()
        }));
    }
    Media { images: some(images), attachments: some(attachments) }
}

fn pixels(raw: Option<&str>) -> Option<u32> {
    raw?.trim().trim_end_matches("px").parse().ok().filter(|pixels| *pixels > 0)
}

/// What podcasts say of an episode.
fn episode(item: &Element, base: Option<&Url>) -> Option<EpisodeRecord> {
    let whole = |name: &str| item.text_of(name)?.parse().ok().filter(|number: &i64| *number > 0);
    let linked = |name: &str, attribute: &str| {
        let raw = item.all(name).find_map(|element| element.attribute(attribute));
        raw.and_then(|raw| absolute(raw, base))
    };
    let transcripts = item.all("podcast:transcript").filter_map(|element| {
        Some(TranscriptRecord {
            url: Some(absolute(element.attribute("url")?, base)?),
            mime_type: owned(element.attribute("type")),
            language: owned(element.attribute("language")),
            captions: element.attribute("rel").map(|rel| rel == "captions"),
            text: None,
        })
    });
    let kind = item.text_of("itunes:episodeType").map(|kind| kind.to_ascii_lowercase());
    let explicit = item.text_of("itunes:explicit").map(|word| word.to_ascii_lowercase());
    let duration = item.text_of("itunes:duration").filter(|raw| is_clock(raw));
    let record = EpisodeRecord {
        season: whole("itunes:season"),
        number: whole("itunes:episode"),
        r#type: kind.filter(|kind| ["full", "trailer", "bonus"].contains(&kind.as_str())),
        title: item.text_of("itunes:title"),
        explicit: explicit.map(|word| ["true", "yes", "explicit"].contains(&word.as_str())),
        image: linked("itunes:image", "href"),
        duration: duration.map(DurationRecord::Clock),
        transcripts: some(transcripts.collect()),
        ..EpisodeRecord::default()
    };
    let says_something = record.season.is_some()
        || record.number.is_some()
        || record.r#type.is_some()
        || record.image.is_some()
        || record.duration.is_some()
        || record.transcripts.is_some();
    says_something.then_some(record)
}

/// `3723`, `62:03` or `1:02:03`.
fn is_clock(raw: &str) -> bool {
    let parts: Vec<&str> = raw.split(':').collect();
    parts.len() <= 3
        && parts.iter().all(|part| {
            (1..=6).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
}

fn first_date(item: &Element, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| date_of(item.all(name).next()))
}

fn date_of(element: Option<&Element>) -> Option<String> {
    let raw = element?.text();
    let date = date(&raw).map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    // What cannot be read stays, so that it is refused by name.
    date.or(Some(raw)).filter(|raw| !raw.is_empty())
}

/// Dates as feeds write them: RFC 3339, RFC 2822, and what is often written for them.
pub(super) fn date(raw: &str) -> Option<DateTime<Utc>> {
    let raw = raw.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(raw) {
        return Some(time.to_utc());
    }
    // The name of the day is often wrong or in another language, and says nothing new.
    let without_day = raw.split_once(", ").map_or(raw, |(_, rest)| rest).trim();
    let zone = |end: &str, offset: &str| {
        without_day.strip_suffix(end).map(|rest| format!("{} {offset}", rest.trim_end()))
    };
    let with_zone = zone("UTC", "+0000").or_else(|| zone(" Z", "+0000"));
    let with_zone = with_zone.unwrap_or_else(|| without_day.to_owned());
    DateTime::parse_from_rfc2822(&with_zone)
        .or_else(|_| DateTime::parse_from_str(&with_zone, "%d %B %Y %H:%M:%S %z"))
        .or_else(|_| DateTime::parse_from_str(&with_zone, "%Y-%m-%d %H:%M:%S %z"))
        .or_else(|_| DateTime::parse_from_str(&with_zone, "%Y-%m-%dT%H:%M:%S%z"))
        .ok()
        .map(|time| time.to_utc())
}
