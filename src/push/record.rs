//! A stored article as a record: what could be handed in to make it what it is.

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use serde_json::{Map, Value};

use crate::{
    article::Story,
    category::{Category, Slug},
    feed::Catalogue,
    import::summary_of,
    store::{State, Stored},
};

/// An embargo that never ends: an article that waits for it is a draft.
pub fn never() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(9999, 12, 31, 0, 0, 0).single().expect("a day of the calendar")
}

/// Whether an article is a draft.
pub fn is_draft(stored: &Stored) -> bool {
    stored.state == State::Held && stored.due.is_some_and(|due| due >= never())
}

/// What a state is called outside.
pub fn state(stored: &Stored) -> &'static str {
    match stored.state {
        State::Held if is_draft(stored) => "draft",
        State::Held => "held",
        State::Live => "published",
        State::Expired => "expired",
        State::Withdrawn => "withdrawn",
    }
}

/// A time as records have it.
pub fn date(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The record of an article. Handed in again, it changes nothing.
pub fn record(catalogue: &Catalogue, stored: &Stored) -> Map<String, Value> {
    let mut record = story(catalogue, &stored.story);
    record.insert("id".to_owned(), stored.id.as_str().into());
    record.insert("guid".to_owned(), stored.guid.as_str().into());
    // While it waits, this is the end of the embargo, which may yet change.
    if stored.state != State::Held {
        record.insert("date_published".to_owned(), date(stored.published).into());
    }
    let dates =
        [("date_modified", stored.modified), ("embargo", stored.due), ("expires", stored.expires)];
    for (field, time) in dates {
        if let Some(time) = time {
            record.insert(field.to_owned(), date(time).into());
        }
    }
    record
}

fn story(catalogue: &Catalogue, story: &Story) -> Map<String, Value> {
    let Ok(Value::Object(mut record)) = serde_json::to_value(story) else { return Map::new() };
    record.remove("is_brief");
    rename(&mut record, &[("content", "content_html"), ("pictures", "images")]);
    if story.summary == summary_of(&story.content) {
        record.remove("summary");
    }
    if !story.categories.is_empty() {
        let names =
            story.categories.iter().map(|category| name(catalogue, category).into()).collect();
        record.insert("categories".to_owned(), Value::Array(names));
    }
    each(&mut record, "images", |image| rename(image, &[("bytes", "size_in_bytes")]));
    each(&mut record, "attachments", |file| {
        rename(file, &[("bytes", "size_in_bytes"), ("seconds", "duration_in_seconds")]);
    });
    if let Some(Value::Object(clearance)) = record.get_mut("clearance")
        && clearance.remove("is_private").is_some()
    {
        clearance.insert("public".to_owned(), false.into());
    }
    if let Some(Value::Object(known)) = record.get_mut("episode") {
        episode(known);
    }
    record
}

/// A category by its label, if that leads back to it.
pub(super) fn name<'a>(catalogue: &Catalogue, category: &'a Category) -> &'a str {
    let known = catalogue.slug_of(&category.label).cloned();
    let slug = known.or_else(|| Slug::from_label(category.label.as_str()).ok());
    let leads_back = slug.is_some_and(|slug| slug == category.slug);
    if leads_back { category.label.as_str() } else { category.slug.as_str() }
}

fn episode(episode: &mut Map<String, Value>) {
    rename(
        episode,
        &[
            ("kind", "type"),
            ("is_explicit", "explicit"),
            ("seconds", "duration"),
            ("is_blocked", "block"),
        ],
    );
    each(episode, "transcripts", |transcript| {
        rename(transcript, &[("is_captions", "captions")]);
        if let Some(Value::Object(content)) = transcript.remove("content") {
            for (kind, content) in content {
                let field = if kind == "linked" { "url" } else { "text" };
                transcript.insert(field.to_owned(), content);
            }
        }
    });
    if let Some(Value::Object(chapters)) = episode.remove("chapters") {
        episode.extend(chapters.into_values().map(|inner| ("chapters".to_owned(), inner)));
    }
    each(episode, "chapters", |chapter| {
        rename(chapter, &[("is_silent", "hidden")]);
        seconds(chapter, &["start", "end"]);
    });
    each(episode, "soundbites", |soundbite| seconds(soundbite, &["start", "duration"]));
    each(episode, "alternate_enclosures", |other| {
        rename(other, &[("bytes", "size_in_bytes")]);
        if let Some(Value::Array(mut sources)) = other.remove("sources")
            && !sources.is_empty()
        {
            other.insert("url".to_owned(), sources.remove(0));
            if !sources.is_empty() {
                other.insert("mirrors".to_owned(), sources.into());
            }
        }
    });
}

fn rename(map: &mut Map<String, Value>, names: &[(&str, &str)]) {
    for (old, new) in names {
        if let Some(value) = map.remove(*old) {
            map.insert((*new).to_owned(), value);
        }
    }
}

/// Does it to every object of a list.
fn each(map: &mut Map<String, Value>, list: &str, change: impl Fn(&mut Map<String, Value>)) {
    if let Some(Value::Array(items)) = map.get_mut(list) {
        items.iter_mut().filter_map(Value::as_object_mut).for_each(change);
    }
}

/// Milliseconds as seconds.
fn seconds(map: &mut Map<String, Value>, fields: &[&str]) {
    for field in fields {
        if let Some(value) = map.get_mut(*field)
            && let Some(milliseconds) = value.as_f64()
        {
            *value = (milliseconds / 1_000.0).into();
        }
    }
}
