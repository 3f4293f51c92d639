//! `[feed.show]`: what a feed says as a show.

use url::Url;

use crate::{
    article::{Location, Participant},
    config::{
        catalogue::{CONTACT, contact},
        section::{Keys, Section},
        value::{self, Mistake},
    },
    feed::{Show, ShowCategory, ShowKind, Trailer},
    text::Text,
};

pub(super) const SHOW: Keys = Keys {
    required: &["author", "artwork", "categories"],
    optional: &[
        "owner",
        "guid",
        "type",
        "explicit",
        "medium",
        "locked",
        "funding",
        "license",
        "trailer",
        "person",
        "location",
        "frequency",
        "new_feed_url",
        "complete",
        "block",
        "note",
    ],
};

pub(super) const FUNDING: Keys = Keys { required: &["url", "text"], optional: &[] };

pub(super) const LICENSE: Keys = Keys { required: &["name"], optional: &["url"] };

pub(super) const TRAILER: Keys = Keys {
    required: &["title", "url", "mime_type", "published"],
    optional: &["size_in_bytes", "season"],
};

pub(super) const PERSON: Keys =
    Keys { required: &["name"], optional: &["role", "group", "image", "url"] };

pub(super) const LOCATION: Keys = Keys { required: &["name"], optional: &["geo", "osm"] };

pub(super) const FREQUENCY: Keys = Keys { required: &["text"], optional: &["rule"] };

pub(super) const NOTE: Keys = Keys { required: &["text"], optional: &["purpose"] };

/// What `podcast:medium` may be (P-27).
const MEDIA: [(&str, &str); 10] = [
    ("podcast", "podcast"),
    ("music", "music"),
    ("video", "video"),
    ("film", "film"),
    ("audiobook", "audiobook"),
    ("newsletter", "newsletter"),
    ("blog", "blog"),
    ("publisher", "publisher"),
    ("course", "course"),
    ("mixed", "mixed"),
];

/// `None` when the section is not there. Where its artwork is wrong, which is noted, `base` stands in for it.
pub(super) fn show(section: &Section<'_>, base: &Url) -> Option<Show> {
    if !section.is_given() {
        return None;
    }
    let kinds = [("episodic", ShowKind::Episodic), ("serial", ShowKind::Serial)];
    let categories = section.list("categories", category);
    let artwork = section.parse("artwork", artwork);
    let funding = section.sections("funding", &FUNDING);
    let funding = funding.iter().filter_map(|section| {
        let (url, text) = (section.parse("url", value::url), section.parse("text", short));
        Some((url?, text?))
    });
    let persons = section.sections("person", &PERSON);
    let notes = section.sections("note", &NOTE);
    let notes = notes.iter().filter_map(|section| {
        let purpose = section.parse("purpose", short).unwrap_or_default();
        Some((purpose, section.parse("text", value::text)?))
    });
    Some(Show {
        guid: section.parse("guid", guid),
        author: section.parse("author", value::text).unwrap_or_default(),
        owner: contact(&section.section("owner", &CONTACT)),
        artwork: artwork.unwrap_or_else(|| base.clone()),
        categories,
        kind: section
            .parse("type", |given| value::choice(given, &kinds))
            .unwrap_or(ShowKind::Episodic),
        is_explicit: section.flag("explicit").unwrap_or_default(),
        medium: Text::new(
            section.parse("medium", |given| value::choice(given, &MEDIA)).unwrap_or("podcast"),
        ),
        is_locked: section.flag("locked").unwrap_or(true),
        funding: funding.collect(),
        license: license(&section.section("license", &LICENSE)),
        trailer: trailer(&section.section("trailer", &TRAILER)),
        persons: persons.iter().filter_map(person).collect(),
        location: location(&section.section("location", &LOCATION)),
        frequency: frequency(&section.section("frequency", &FREQUENCY)),
        new_feed_url: section.parse("new_feed_url", value::url),
        is_complete: section.flag("complete").unwrap_or_default(),
        is_blocked: section.flag("block").unwrap_or_default(),
        notes: notes.collect(),
    })
}

/// P-8.
fn category(given: &str) -> Result<ShowCategory, Mistake> {
    ShowCategory::find(given).ok_or_else(|| {
        let names: Vec<String> = ShowCategory::names().collect();
        let is_part = |name: &&String| {
            name.split_once(" > ").is_some_and(|(_, part)| part.eq_ignore_ascii_case(given.trim()))
        };
        let near = names.iter().find(is_part).map(String::as_str);
        let near = near.or_else(|| value::nearest(given, names.iter().map(String::as_str)));
        let advice = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "write for example `News > Daily News`; docs/podcasts.md lists them all".to_owned()
            }
        };
        Mistake::new(format!("`{given}` is no category of podcasts"), advice)
    })
}

/// P-9.
fn artwork(given: &str) -> Result<Url, Mistake> {
    let url = value::url(given)?;
    let path = url.path().to_ascii_lowercase();
    if [".jpg", ".jpeg", ".png"].iter().any(|ending| path.ends_with(ending)) {
        return Ok(url);
    }
    let advice = "directories take square JPEG and PNG of 1,400 to 3,000 pixels, by the ending of the address";
    Err(Mistake::new(format!("`{given}` is neither a JPEG nor a PNG"), advice))
}

fn guid(given: &str) -> Result<Text, Mistake> {
    match uuid::Uuid::try_parse(given) {
        Ok(guid) if guid.to_string() == given => Ok(Text::new(given)),
        _ => {
            let advice = "write the `podcast:guid` of the show's old feed, or leave it out";
            Err(Mistake::new(format!("`{given}` is no identity of a show"), advice))
        }
    }
}

/// A line of at most 128 characters.
fn short(given: &str) -> Result<Text, Mistake> {
    let text = value::text(given)?;
    if text.as_str().chars().count() > 128 {
        return Err(Mistake::new("longer than 128 characters", "directories cut it there"));
    }
    Ok(text)
}

fn license(section: &Section<'_>) -> Option<(Text, Option<Url>)> {
    let url = section.parse("url", value::url);
    Some((section.parse("name", short)?, url))
}

fn trailer(section: &Section<'_>) -> Option<Trailer> {
    let title = section.parse("title", short);
    let url = section.parse("url", value::url);
    let mime_type = section.parse("mime_type", value::text);
    let published = section.parse("published", value::instant);
    let bytes = section.number("size_in_bytes", 1..=u64::MAX);
    let season = section.number("season", 1..=10_000);
    Some(Trailer {
        title: title?,
        url: url?,
        mime_type: mime_type?,
        bytes,
        published: published?,
        season,
    })
}

fn person(section: &Section<'_>) -> Option<Participant> {
    let role = section.parse("role", short).unwrap_or_default();
    let group = section.parse("group", short).unwrap_or_default();
    let (image, url) = (section.parse("image", value::url), section.parse("url", value::url));
    let name = section.parse("name", short)?;
    Some(Participant { name, role, group, image, url })
}

fn location(section: &Section<'_>) -> Option<Location> {
    let geo = section.parse("geo", short).unwrap_or_default();
    let osm = section.parse("osm", short).unwrap_or_default();
    Some(Location { name: section.parse("name", short)?, geo, osm })
}

fn frequency(section: &Section<'_>) -> Option<(Text, Text)> {
    let rule = section.parse("rule", value::text).unwrap_or_default();
    Some((section.parse("text", short)?, rule))
}
