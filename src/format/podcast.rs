//! Shows and episodes in RSS: the `itunes` and `podcast` elements (P.2, P.3).

use crate::{
    article::{
        AlternateEnclosure, Attachment, Chapters, Content, Episode, Location, Participant,
        Transcript,
    },
    feed::{Entry, FeedSpec, Show, ShowCategory, Trailer},
    format::{element::Element, episode_address, rss::rfc822, uri::uri},
    text::Text,
};

pub(super) const ITUNES: &str = "http://www.itunes.com/dtds/podcast-1.0.dtd";
pub(super) const PODCAST: &str = "https://podcastindex.org/namespace/1.0";

/// Longest description that Apple takes, in bytes (P-2).
const MAX_NOTES: usize = 4_000;

/// What a show says of itself.
pub(super) fn channel(show: &Show) -> Vec<Element> {
    let mut elements = vec![
        Element::text("itunes:author", &show.author),
        Element::text("itunes:explicit", show.is_explicit),
        Element::empty("itunes:image", [("href", uri(&show.artwork))]),
        Element::text("itunes:type", show.kind),
        Element::text("podcast:medium", &show.medium),
    ];
    elements.extend(show.categories.iter().map(category));
    if show.is_blocked {
        elements.extend(blocked());
    }
    if show.is_complete {
        elements.push(Element::text("itunes:complete", "Yes"));
    }
    elements
        .extend(show.new_feed_url.iter().map(|url| Element::text("itunes:new-feed-url", uri(url))));
    if let Some(owner) = &show.owner {
        let name = Element::text("itunes:name", &owner.name);
        let email = Element::text("itunes:email", &owner.email);
        elements.push(Element::holding("itunes:owner", vec![name, email]));
    }
    elements.extend(show.guid.iter().map(|guid| Element::text("podcast:guid", guid)));
    let owner = show.owner.as_ref().map(|owner| owner.email.to_string());
    let locked = if show.is_locked { "yes" } else { "no" };
    elements.push(Element::text("podcast:locked", locked).with([("owner", owner)]));
    elements.extend(
        show.funding.iter().map(|(url, text)| {
            Element::text("podcast:funding", text).with([("url", Some(uri(url)))])
        }),
    );
    elements.extend(show.license.iter().map(|(name, url)| {
        Element::text("podcast:license", name).with([("url", url.as_ref().map(uri))])
    }));
    elements.extend(show.trailer.iter().map(trailer));
    elements.extend(show.persons.iter().map(participant));
    elements.extend(show.location.iter().map(location));
    elements.extend(show.frequency.iter().map(|(text, rule)| {
        Element::text("podcast:updateFrequency", text).with([("rrule", written(rule))])
    }));
    elements.extend(show.notes.iter().map(|(purpose, text)| {
        Element::text("podcast:txt", text).with([("purpose", written(purpose))])
    }));
    elements
}

/// Not to be listed (P-40).
fn blocked() -> [Element; 2] {
    [Element::text("itunes:block", "Yes"), Element::text("podcast:block", "yes")]
}

/// P-8.
fn category(category: &ShowCategory) -> Element {
    let element = |name: &str| Element::empty("itunes:category", [("text", name.to_owned())]);
    let children = category.part.into_iter().map(element).collect();
    Element { children, ..element(category.name) }
}

fn trailer(trailer: &Trailer) -> Element {
    Element::text("podcast:trailer", &trailer.title).with([
        ("url", Some(uri(&trailer.url))),
        ("pubdate", Some(rfc822(trailer.published))),
        ("length", trailer.bytes.map(|bytes| bytes.to_string())),
        ("type", written(&trailer.mime_type)),
        ("season", trailer.season.map(|season| season.to_string())),
    ])
}

/// What an article of a show says of itself as an episode.
pub(super) fn item(spec: &FeedSpec, show: &Show, entry: &Entry<'_>) -> Vec<Element> {
    let none = Episode::default();
    let story = entry.story();
    let episode = story.episode.as_deref().unwrap_or(&none);
    let media = story.media();
    let is_explicit = episode.is_explicit.unwrap_or(show.is_explicit);
    let mut elements = vec![
        Element::text("itunes:episodeType", episode.kind),
        Element::text("itunes:explicit", is_explicit),
    ];
    let seconds = episode.seconds.or(media.and_then(|media| media.seconds));
    elements.extend(seconds.map(|seconds| Element::text("itunes:duration", seconds)));
    elements.extend(episode.number.map(|number| Element::text("itunes:episode", number)));
    elements.extend(episode.season.map(|season| Element::text("itunes:season", season)));
    let image = episode.image.as_ref();
    elements.extend(image.map(|url| Element::empty("itunes:image", [("href", uri(url))])));
    if !episode.title.is_empty() {
        elements.push(Element::text("itunes:title", &episode.title));
    }
    if episode.is_blocked {
        elements.extend(blocked());
    }
    elements.extend(episode.season.map(|season| {
        Element::text("podcast:season", season).with([("name", written(&episode.season_name))])
    }));
    elements.extend(episode.number.map(|number| Element::text("podcast:episode", number)));
    elements.extend(episode.persons.iter().map(participant));
    elements.extend(episode.location.iter().map(location));
    elements.extend(transcripts(spec, entry, &episode.transcripts));
    elements.extend(episode.chapters.as_ref().map(|chapters| {
        let url = match chapters {
            Chapters::Linked(url) => uri(url),
            Chapters::Inline(_) => episode_address(spec, entry, "chapters.json"),
        };
        let mime_type = "application/json+chapters".to_owned();
        Element::empty("podcast:chapters", [("url", url), ("type", mime_type)])
    }));
    elements.extend(episode.soundbites.iter().map(|bite| {
        let text = (!bite.title.is_empty()).then(|| bite.title.to_string());
        let times =
            [("startTime", bite.start.to_string()), ("duration", bite.duration.to_string())];
        Element { text, ..Element::empty("podcast:soundbite", times) }
    }));
    let others = story.attachments.iter().filter(|other| other.plays() && Some(*other) != media);
    elements.extend(others.map(other_file));
    elements.extend(episode.alternate_enclosures.iter().map(alternate_enclosure));
    elements
}

fn transcripts(
    spec: &FeedSpec,
    entry: &Entry<'_>,
    transcripts: &[Transcript],
) -> impl Iterator<Item = Element> {
    transcripts.iter().enumerate().map(move |(nth, transcript)| {
        let url = match &transcript.content {
            Content::Linked(url) => uri(url),
            Content::Inline(_) => episode_address(spec, entry, &transcript.file_name(nth)),
        };
        let mime_type = transcript.mime_type.to_string();
        Element::empty("podcast:transcript", [("url", url), ("type", mime_type)]).with([
            ("language", transcript.language.as_ref().map(ToString::to_string)),
            ("rel", transcript.is_captions.then(|| "captions".to_owned())),
        ])
    })
}

/// P-24.
fn participant(person: &Participant) -> Element {
    Element::text("podcast:person", &person.name).with([
        ("role", written(&person.role)),
        ("group", written(&person.group)),
        ("img", person.image.as_ref().map(uri)),
        ("href", person.url.as_ref().map(uri)),
    ])
}

fn location(location: &Location) -> Element {
    Element::text("podcast:location", &location.name)
        .with([("geo", written(&location.geo)), ("osm", written(&location.osm))])
}

/// P-34.
fn alternate_enclosure(other: &AlternateEnclosure) -> Element {
    let integrity = (!other.integrity.is_empty()).then(|| {
        let kind = ("type", "sri".to_owned());
        Element::empty("podcast:integrity", [kind, ("value", other.integrity.to_string())])
    });
    let sources = other.sources.iter();
    let sources = sources.map(|url| Element::empty("podcast:source", [("uri", uri(url))]));
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    Element::holding("podcast:alternateEnclosure", integrity.into_iter().chain(sources).collect())
        .with([
            ("type", written(&other.mime_type)),
            ("length", number(other.bytes)),
            ("bitrate", number(other.bitrate)),
            ("height", number(other.height.map(u64::from))),
            ("lang", other.language.as_ref().map(ToString::to_string)),
            ("title", written(&other.title)),
        ])
}

/// A further file of the article, of which an item has only one enclosure.
fn other_file(file: &Attachment) -> Element {
    let source = Element::empty("podcast:source", [("uri", uri(&file.url))]);
    Element::holding("podcast:alternateEnclosure", vec![source]).with([
        ("type", written(&file.mime_type)),
        ("length", file.bytes.map(|bytes| bytes.to_string())),
        ("title", written(&file.title)),
    ])
}

fn written(text: &Text) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

/// As much of a text as directories take for notes (P-2).
pub(super) fn notes(text: &Text) -> &str {
    let text = text.as_str();
    text[..text.floor_char_boundary(MAX_NOTES)].trim_end()
}
