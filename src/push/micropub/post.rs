//! A post as a record, and a record as a post.

use serde_json::{Map, Value, json};

use super::Properties;
use crate::{
    category::{Category, Slug},
    feed::Catalogue,
    import::visibility::{self, Visibility},
    media,
    push::record,
    text::{Html, Text},
};

/// What a post would like to be called in addresses.
pub fn slug(properties: &Properties) -> Option<Slug> {
    let given = ["mp-slug", "slug", "name"].iter().find_map(|name| text(properties, name))?;
    Slug::from_label(given).ok()
}

/// The post that a record is.
pub fn properties(record: &Map<String, Value>) -> Properties {
    let mut properties = Properties::new();
    let names = [
        ("name", "title"),
        ("summary", "summary"),
        ("published", "date_published"),
        ("updated", "date_modified"),
        ("in-reply-to", "external_url"),
    ];
    for (property, field) in names {
        if let Some(value) = record.get(field) {
            properties.insert(property.to_owned(), json!([value]));
        }
    }
    if let Some(markup) = record.get("content_html").and_then(Value::as_str) {
        properties.insert("content".to_owned(), json!([content(markup)]));
    }
    let names = ["categories", "tags"].iter().filter_map(|field| record.get(*field)?.as_array());
    let names: Vec<_> = names.flatten().cloned().collect();
    if !names.is_empty() {
        properties.insert("category".to_owned(), names.into());
    }
    let photos = record.get("images").and_then(Value::as_array).into_iter().flatten();
    let photos: Vec<_> = photos
        .filter_map(|image| {
            let url = image.get("url")?;
            let alt = image.get("alt");
            Some(alt.map_or_else(|| url.clone(), |alt| json!({ "value": url, "alt": alt })))
        })
        .collect();
    if !photos.is_empty() {
        properties.insert("photo".to_owned(), photos.into());
    }
    for kind in ["audio", "video"] {
        let files = record.get("attachments").and_then(Value::as_array).into_iter().flatten();
        let files: Vec<_> = files
            .filter(|file| is_of(file, kind))
            .filter_map(|file| file.get("url").cloned())
            .collect();
        if !files.is_empty() {
            properties.insert(kind.to_owned(), files.into());
        }
    }
    let draft = record::date(record::never());
    let is_draft = record.get("embargo").and_then(Value::as_str) == Some(draft.as_str());
    let status = if is_draft { "draft" } else { "published" };
    properties.insert("post-status".to_owned(), json!([status]));
    let is_private = record.get("clearance").and_then(|clearance| clearance.get("public"))
        == Some(&false.into());
    if is_private {
        properties.insert("visibility".to_owned(), json!(["private"]));
    }
    properties
}

/// A text that is nothing but paragraphs was plain once, and can be edited as such.
fn content(markup: &str) -> Value {
    let html = Html::stored(markup.to_owned());
    let plain = html.to_text();
    let is_plain = Html::from_text(plain.as_str()) == html;
    if is_plain { plain.as_str().into() } else { json!({ "html": markup }) }
}

fn is_of(file: &Value, kind: &str) -> bool {
    let media_type = file.get("mime_type").and_then(Value::as_str).unwrap_or_default();
    media_type.split('/').next() == Some(kind)
}

/// The record of a post: that of the stored article (`old`, empty for a new one), with what the post says instead of
/// what it says there.
pub fn record(
    catalogue: &Catalogue,
    old: &Map<String, Value>,
    properties: &Properties,
) -> Map<String, Value> {
    let mut new = old.clone();
    for field in [
        "title",
        "summary",
        "content_html",
        "content_text",
        "external_url",
        "categories",
        "tags",
        "images",
    ] {
        new.remove(field);
    }
    for (field, property) in [
        ("title", "name"),
        ("summary", "summary"),
        ("date_published", "published"),
        ("date_modified", "updated"),
    ] {
        if let Some(value) = text(properties, property) {
            new.insert(field.to_owned(), value.into());
        }
    }
    if let Some(content) = properties.get("content").and_then(|content| content.get(0)) {
        let html = content.get("html").and_then(Value::as_str);
        let plain = content.as_str().or_else(|| content.get("value").and_then(Value::as_str));
        match (html, plain) {
            (Some(html), _) => drop(new.insert("content_html".to_owned(), html.into())),
            (None, Some(plain)) => drop(new.insert("content_text".to_owned(), plain.into())),
            (None, None) => {}
        }
    }
    let about = ["in-reply-to", "bookmark-of", "repost-of", "like-of"];
    if let Some(url) = about.iter().find_map(|property| text(properties, property)) {
        new.insert("external_url".to_owned(), url.into());
    }
    let names = properties.get("category").and_then(Value::as_array).into_iter().flatten();
    file_under(catalogue, old, names.filter_map(Value::as_str), &mut new);
    images(old, properties, &mut new);
    attachments(properties, &mut new);
    match text(properties, "post-status").map(visibility::post_status) {
        Some(Visibility::NotPublic | Visibility::Unknown) => {
            new.insert("embargo".to_owned(), record::date(record::never()).into());
        }
        Some(Visibility::Public)
            if old.get("embargo") == Some(&record::date(record::never()).into()) =>
        {
            new.remove("embargo");
        }
        Some(Visibility::Public) | None => {}
    }
    // All of the values have to say so: one that is not public decides.
    let values = properties.get("visibility").and_then(Value::as_array).into_iter().flatten();
    let mut values = values.map(visibility::visibility).peekable();
    if values.peek().is_some() {
        set_public(&mut new, values.all(|visibility| visibility == Visibility::Public));
    }
    new
}

/// A name that `feeds.toml` or the article itself has for a category is one; others are tags.
pub(in crate::push) fn file_under<'a>(
    catalogue: &Catalogue,
    old: &Map<String, Value>,
    names: impl Iterator<Item = &'a str>,
    new: &mut Map<String, Value>,
) {
    let before = old.get("categories").and_then(Value::as_array);
    let is_category = |name: &str| {
        let known = Category::from_label(name).ok().is_some_and(|category| {
            catalogue.site.labels.iter().any(|(slug, _)| *slug == category.slug)
        });
        known
            || catalogue.slug_of(&Text::new(name)).is_some()
            || before.is_some_and(|before| before.iter().any(|known| known == name))
    };
    let (categories, tags): (Vec<_>, Vec<_>) = names.partition(|name| is_category(name));
    for (field, names) in [("categories", categories), ("tags", tags)] {
        if names.is_empty() {
            new.remove(field);
        } else {
            new.insert(field.to_owned(), names.into());
        }
    }
}

/// Pictures, each with what was known of it.
fn images(old: &Map<String, Value>, properties: &Properties, new: &mut Map<String, Value>) {
    let known = old.get("images").and_then(Value::as_array);
    let photos = properties.get("photo").and_then(Value::as_array).into_iter().flatten();
    // The alternative texts of `mp-photo-alt` stand in the order of the pictures.
    let alts = properties.get("mp-photo-alt").and_then(Value::as_array);
    let images: Vec<_> = photos
        .enumerate()
        .filter_map(|(nth, photo)| {
            let url = photo.as_str().or_else(|| photo.get("value").and_then(Value::as_str))?;
            let before = known.and_then(|known| {
                known.iter().find(|image| image.get("url").and_then(Value::as_str) == Some(url))
            });
            let mut image = before.cloned().unwrap_or_else(|| json!({ "url": url }));
            let by_order = alts
                .and_then(|alts| alts.get(nth))
                .filter(|alt| alt.as_str().is_some_and(|alt| !alt.is_empty()));
            if let Some(alt) = photo.get("alt").or(by_order) {
                image["alt"] = alt.clone();
            }
            Some(image)
        })
        .collect();
    if !images.is_empty() {
        new.insert("images".to_owned(), images.into());
    }
}

/// Sounds and films; other files stay as they are. What is known keeps its place, for the first is what RSS encloses.
fn attachments(properties: &Properties, new: &mut Map<String, Value>) {
    let mut files = match new.remove("attachments") {
        Some(Value::Array(files)) => files,
        _ => Vec::new(),
    };
    let kinds = [("video", "video/mp4"), ("audio", "audio/mpeg")];
    let listed = kinds.into_iter().flat_map(|(kind, usual)| {
        let values = properties.get(kind).and_then(Value::as_array).into_iter().flatten();
        let urls = values.filter_map(|file| file.as_str().or_else(|| file.get("value")?.as_str()));
        urls.map(move |url| (url, usual))
    });
    let listed: Vec<_> = listed.collect();
    let is_at = |file: &Value, url: &str| file.get("url").and_then(Value::as_str) == Some(url);
    files.retain(|file| {
        let is_ours = is_of(file, "audio") || is_of(file, "video");
        !is_ours || listed.iter().any(|(url, _)| is_at(file, url))
    });
    for (url, usual) in listed {
        if !files.iter().any(|file| is_at(file, url)) {
            let by_name = media::media_type(url.split(['?', '#']).next().unwrap_or_default());
            files.push(json!({ "url": url, "mime_type": by_name.unwrap_or(usual) }));
        }
    }
    if !files.is_empty() {
        new.insert("attachments".to_owned(), files.into());
    }
}

fn set_public(record: &mut Map<String, Value>, is_public: bool) {
    let clearance = record.entry("clearance").or_insert_with(|| json!({}));
    if let Some(clearance) = clearance.as_object_mut() {
        clearance.insert("public".to_owned(), is_public.into());
    }
}

/// The first value of a property, as text.
fn text<'a>(properties: &'a Properties, name: &str) -> Option<&'a str> {
    let value = properties.get(name)?.get(0)?;
    value.as_str().or_else(|| value.get("value").and_then(Value::as_str))
}
