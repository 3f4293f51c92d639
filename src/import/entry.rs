//! One entry of a feed as a record: RSS with the modules that matter, and Atom.

use url::Url;

use crate::{
    article::kept_guid,
    import::{
        convert::Fault,
        date,
        record::{
            AlternateEnclosureRecord, AttachmentRecord, ChaptersRecord, DurationRecord,
            EpisodeRecord, ImageRecord, Key, LocationRecord, ParticipantRecord, PersonRecord,
            Record, SoundbiteRecord, SourceRecord, TranscriptRecord,
        },
        visibility::{Visibility, app_draft},
        xml::Element,
    },
    text::{Text, web_url},
};

/// Most pictures, files and so on of an entry, as of a record: each is compared with all before it.
const MAX_LIST: usize = 200;

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
    let published = first_date(
        item,
        &[
            "pubDate",
            "dc:date",
            "atom:published",
            "dcterms:issued",
            "dcterms:created",
            "dcterms:date",
        ],
    );
    let updated = first_date(item, &["atom:updated", "dcterms:modified"]);
    let record = Record {
        title: item.text_of("title").map(|title| decoded(&title)),
        summary,
        content_html: encoded.or(description),
        // An item with nothing but the time of its last change was published then at the latest.
        date_modified: updated.clone().filter(|_| published.is_some()),
        date_published: published.or(updated),
        authors: some(rss_authors(item)),
        categories: some(
            item.elements().filter(|e| is_category(e)).map(|e| decoded(&e.text())).collect(),
        ),
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
                .filter(|e| local(e) == "category" && e.attribute("scheme") != Some(BLOGGER_KIND))
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

/// The scheme by which Blogger says what an entry is.
const BLOGGER_KIND: &str = "http://schemas.google.com/g/2005#kind";

/// What keeps an entry from the public: a draft of Atom, or what a Blogger backup has beside its posts. `None`: nothing.
pub(super) fn withheld(entry: &Element) -> Result<Option<&'static str>, Fault> {
    let named = |element: &Element, name: &str| element.name.rsplit(':').next() == Some(name);
    let unknown = |field: &str, value: &str| Fault {
        field: field.to_owned(),
        problem: format!(
            "`{value}` does not say whether the entry is public; docs/import.md lists the values"
        ),
    };
    let decide = |field: &str, value: &str, visibility: Visibility| match visibility {
        Visibility::Public => Ok(None),
        Visibility::NotPublic => Ok(Some("draft")),
        Visibility::Unknown => Err(unknown(field, value)),
    };
    for kind in entry.elements().filter(|element| local(element) == "category") {
        let term = kind.attribute("term").unwrap_or_default();
        if kind.attribute("scheme") == Some(BLOGGER_KIND) && !term.ends_with("#post") {
            return Ok(Some("no post of a Blogger backup"));
        }
    }
    if entry.text_of("blogger:type").is_some_and(|kind| kind != "POST") {
        return Ok(Some("no post of a Blogger backup"));
    }
    if let Some(status) = entry.text_of("blogger:status") {
        let visibility = match status.as_str() {
            "LIVE" => Visibility::Public,
            "DRAFT" | "SCHEDULED" | "SOFT_TRASHED" => Visibility::NotPublic,
            _ => Visibility::Unknown,
        };
        if let Some(what) = decide("blogger:status", &status, visibility)? {
            return Ok(Some(what));
        }
    }
    for control in entry.elements().filter(|element| named(element, "control")) {
        for draft in control.elements().filter(|element| named(element, "draft")) {
            let value = draft.text();
            if let Some(what) = decide("app:draft", &value, app_draft(&value))? {
                return Ok(Some(what));
            }
        }
    }
    Ok(None)
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

/// A title or name whose references were escaped twice, as WordPress writes them (`Tom &amp; Jerry&#8217;s`), decoded once
/// more; any other as it is.
fn decoded(text: &str) -> String {
    let is_reference = |part: &str| {
        let name = part.split(';').next().unwrap_or_default();
        let is_name = name.len() < part.len() && (2..=10).contains(&name.len());
        is_name && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#')
    };
    if text.split('&').skip(1).any(is_reference) { plain(text) } else { text.to_owned() }
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
            if images.len() < MAX_LIST
                && images.iter().all(|known| known.url.as_deref() != Some(&url))
            {
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
        } else if attachments.len() < MAX_LIST
            && attachments.iter().all(|known| known.url.as_deref() != Some(&url))
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
    let says = |name: &str| item.text_of(name).map(|word| word.to_ascii_lowercase());
    let is_yes = |word: String| ["true", "yes", "explicit"].contains(&word.as_str());
    let duration = item.text_of("itunes:duration").filter(|raw| is_clock(raw));
    let first = |name: &'static str| item.all(name).next();
    let season = first("podcast:season");
    let number =
        |element: Option<&Element>| element?.text().parse().ok().filter(|number: &i64| *number > 0);
    let seconds =
        |element: &Element, name: &str| element.attribute(name)?.trim().parse::<f64>().ok();
    let persons = item.all("podcast:person").take(MAX_LIST).map(|person| ParticipantRecord {
        name: owned(Some(&person.text())),
        role: owned(person.attribute("role")).map(|role| role.to_lowercase()),
        group: owned(person.attribute("group")).map(|group| group.to_lowercase()),
        image: person.attribute("img").and_then(|raw| absolute(raw, base)),
        url: person.attribute("href").and_then(|raw| absolute(raw, base)),
    });
    let soundbites = item.all("podcast:soundbite").take(MAX_LIST).filter_map(|bite| {
        Some(SoundbiteRecord {
            start: Some(seconds(bite, "startTime")?),
            duration: Some(seconds(bite, "duration")?),
            title: owned(Some(&bite.text())),
        })
    });
    let alternates = item.all("podcast:alternateEnclosure").take(MAX_LIST);
    let record = EpisodeRecord {
        season: whole("itunes:season").or_else(|| number(season)),
        season_name: season.and_then(|season| owned(season.attribute("name"))),
        number: whole("itunes:episode").or_else(|| number(first("podcast:episode"))),
        r#type: kind.filter(|kind| ["full", "trailer", "bonus"].contains(&kind.as_str())),
        title: item.text_of("itunes:title"),
        explicit: says("itunes:explicit").map(is_yes),
        block: says("itunes:block").filter(|word| is_yes(word.clone())).map(|_| true),
        image: linked("itunes:image", "href"),
        duration: duration.map(DurationRecord::Clock),
        transcripts: some(transcripts.collect()),
        chapters: linked("podcast:chapters", "url").map(ChaptersRecord::Linked),
        persons: some(persons.filter(|person| person.name.is_some()).collect()),
        soundbites: some(soundbites.collect()),
        location: first("podcast:location").and_then(|place| {
            Some(LocationRecord {
                name: Some(owned(Some(&place.text()))?),
                geo: owned(place.attribute("geo")),
                osm: owned(place.attribute("osm")),
            })
        }),
        alternate_enclosures: some(
            alternates.filter_map(|file| alternate_enclosure(file, base)).collect(),
        ),
    };
    let says_something = record.season.is_some()
        || record.number.is_some()
        || record.r#type.is_some()
        || record.title.is_some()
        || record.explicit.is_some()
        || record.block.is_some()
        || record.image.is_some()
        || record.duration.is_some()
        || record.transcripts.is_some()
        || record.chapters.is_some()
        || record.persons.is_some()
        || record.soundbites.is_some()
        || record.location.is_some()
        || record.alternate_enclosures.is_some();
    says_something.then_some(record)
}

fn alternate_enclosure(file: &Element, base: Option<&Url>) -> Option<AlternateEnclosureRecord> {
    let mut sources = file.all("podcast:source").take(MAX_LIST);
    let mut sources =
        sources.by_ref().filter_map(|source| absolute(source.attribute("uri")?, base));
    let url = sources.next()?;
    let integrity =
        file.all("podcast:integrity").find(|found| found.attribute("type") == Some("sri"));
    Some(AlternateEnclosureRecord {
        url: Some(url),
        mirrors: some(sources.collect()),
        mime_type: owned(file.attribute("type")),
        title: owned(file.attribute("title")),
        size_in_bytes: number(file.attribute("length")),
        bitrate: file
            .attribute("bitrate")
            .and_then(|rate| rate.trim().split('.').next()?.parse().ok()),
        height: pixels(file.attribute("height")),
        language: owned(file.attribute("lang")),
        integrity: integrity.and_then(|found| owned(found.attribute("value"))),
    })
}

/// `3723`, `62:03` or `1:02:03`.
fn is_clock(raw: &str) -> bool {
    let parts: Vec<&str> = raw.split(':').collect();
    parts.len() <= 3
        && parts.iter().all(|part| {
            (1..=6).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// The first date of these names that can be read; where none can, the first.
fn first_date(item: &Element, names: &[&str]) -> Option<String> {
    let found = names.iter().flat_map(|name| item.all(name)).map(Element::text);
    readable_date(found.collect())
}

fn date_of(element: Option<&Element>) -> Option<String> {
    readable_date(element.map(Element::text).into_iter().collect())
}

fn readable_date(mut found: Vec<String>) -> Option<String> {
    found.retain(|raw| !raw.is_empty());
    let readable = found.iter().find(|raw| date::read(raw, chrono_tz::UTC).is_some());
    readable.or(found.first()).map(|raw| date::normal(raw))
}
