//! Micropub (W3C Recommendation of 2017): posts as microformats, in forms and as JSON.

use std::fmt::Write as _;

use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use crate::{
    category::{Category, Slug},
    feed::Catalogue,
    media,
    push::{
        form, record,
        reply::{Problem, Reply},
        scope::Scope,
    },
    text::{Html, Text},
};

/// A post, by property; each has a list of values.
pub type Properties = Map<String, Value>;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// A new post.
    Create(Properties),
    /// Another text for an old one.
    Update {
        /// Where it is.
        url: String,
        /// What is to be done to it.
        changes: Changes,
    },
    /// Take it back.
    Delete(String),
    /// Publish it again.
    Undelete(String),
}

/// What an update does, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Properties that get these values instead of theirs.
    pub replace: Properties,
    /// Properties that get these values besides theirs.
    pub add: Properties,
    /// Properties that lose these values.
    pub delete_values: Properties,
    /// Properties that go.
    pub delete: Vec<String>,
}

fn malformed(why: &str) -> Problem {
    Problem::Malformed(why.to_owned())
}

/// What a body asks for.
pub fn read(media_type: &str, body: &[u8]) -> Result<Request, Problem> {
    match media_type {
        "application/x-www-form-urlencoded" => of_form(form::pairs(body)),
        "application/json" => {
            let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
                Problem::Malformed(format!("The body is no JSON object: {error}."))
            })?;
            of_json(body)
        }
        _ => Err(Problem::MediaType("application/json, application/x-www-form-urlencoded")),
    }
}

fn of_form<'a>(
    pairs: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
) -> Result<Request, Problem> {
    let (mut action, mut url, mut kind) = (None, None, None);
    let mut properties = Properties::new();
    for (name, value) in pairs {
        let value = value.into_owned();
        match name.as_ref() {
            "action" => action = Some(value),
            "url" => url = Some(value),
            "h" => kind = Some(value),
            "access_token" => {}
            name => {
                let (name, value) =
                    match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
                        Some((name, "")) => (name, Value::from(value)),
                        Some((name, part)) => (name, json!({ part: value })),
                        None => (name, Value::from(value)),
                    };
                list(&mut properties, name).push(value);
            }
        }
    }
    match (action.as_deref(), url) {
        (None | Some("create"), _) => create(kind.as_deref().unwrap_or("entry"), properties),
        (Some("delete"), Some(url)) => Ok(Request::Delete(url)),
        (Some("undelete"), Some(url)) => Ok(Request::Undelete(url)),
        (Some("update"), _) => Err(malformed("An update is sent as JSON.")),
        (Some(_), None) => Err(malformed("`url` says which post; it is missing.")),
        (Some(_), Some(_)) => {
            Err(malformed("`action` is none of create, update, delete and undelete."))
        }
    }
}

fn of_json(mut body: Map<String, Value>) -> Result<Request, Problem> {
    let action = body.get("action").map(|action| action.as_str().unwrap_or_default().to_owned());
    let url = body.get("url").and_then(Value::as_str).map(str::to_owned);
    let no_url = || malformed("`url` says which post; it is missing.");
    match action.as_deref() {
        None | Some("create") => {
            let kind = body.get("type").and_then(|kind| kind.get(0)).and_then(Value::as_str);
            let kind = kind.unwrap_or_default().trim_start_matches("h-").to_owned();
            match body.remove("properties") {
                Some(Value::Object(properties)) => {
                    let is_list = |value: &Value| value.is_array();
                    if !properties.values().all(is_list) {
                        return Err(malformed("Each of `properties` is a list of values."));
                    }
                    create(&kind, properties)
                }
                _ => Err(malformed("`properties` is missing, or no object.")),
            }
        }
        Some("delete") => url.map(Request::Delete).ok_or_else(no_url),
        Some("undelete") => url.map(Request::Undelete).ok_or_else(no_url),
        Some("update") => {
            Ok(Request::Update { url: url.ok_or_else(no_url)?, changes: changes(body)? })
        }
        Some(_) => Err(malformed("`action` is none of create, update, delete and undelete.")),
    }
}

fn create(kind: &str, properties: Properties) -> Result<Request, Problem> {
    if kind != "entry" {
        return Err(malformed("Only posts of the type `h-entry` are taken."));
    }
    if properties.is_empty() {
        return Err(malformed("A post without a property says nothing."));
    }
    Ok(Request::Create(properties))
}

fn changes(mut body: Map<String, Value>) -> Result<Changes, Problem> {
    let mut lists = |name: &str| match body.remove(name) {
        None => Ok(Properties::new()),
        Some(Value::Object(lists)) if lists.values().all(Value::is_array) => Ok(lists),
        Some(_) => Err(Problem::Malformed(format!("`{name}` is an object of lists of values."))),
    };
    let (replace, add) = (lists("replace")?, lists("add")?);
    let mut changes = Changes { replace, add, ..Changes::default() };
    match body.remove("delete") {
        None => {}
        Some(Value::Array(names)) => {
            let names = names.into_iter().map(|name| name.as_str().map(str::to_owned));
            let names = names.collect::<Option<_>>();
            changes.delete =
                names.ok_or_else(|| malformed("`delete` lists names of properties."))?;
        }
        Some(Value::Object(lists)) if lists.values().all(Value::is_array) => {
            changes.delete_values = lists;
        }
        Some(_) => return Err(malformed("`delete` lists properties, or values of properties.")),
    }
    if changes == Changes::default() {
        return Err(malformed("An update has `replace`, `add` or `delete`."));
    }
    Ok(changes)
}

impl Changes {
    /// Does them to a post.
    pub fn apply(&self, properties: &mut Properties) {
        for (name, values) in &self.replace {
            properties.insert(name.clone(), values.clone());
        }
        for (name, values) in &self.add {
            let known = list(properties, name);
            for value in values.as_array().into_iter().flatten() {
                if !known.contains(value) {
                    known.push(value.clone());
                }
            }
        }
        for (name, values) in &self.delete_values {
            list(properties, name)
                .retain(|value| !values.as_array().is_some_and(|values| values.contains(value)));
        }
        for name in &self.delete {
            properties.remove(name);
        }
    }
}

/// The values of a property, which may be none yet.
fn list<'a>(properties: &'a mut Properties, name: &str) -> &'a mut Vec<Value> {
    let values = properties.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    if !values.is_array() {
        *values = Value::Array(vec![values.take()]);
    }
    let Value::Array(values) = values else { unreachable!("it was made one") };
    values
}

/// The first value of a property, as text.
fn text<'a>(properties: &'a Properties, name: &str) -> Option<&'a str> {
    let value = properties.get(name)?.get(0)?;
    value.as_str().or_else(|| value.get("value").and_then(Value::as_str))
}

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
    match text(properties, "post-status") {
        Some("draft") => {
            new.insert("embargo".to_owned(), record::date(record::never()).into());
        }
        Some(_) if old.get("embargo") == Some(&record::date(record::never()).into()) => {
            new.remove("embargo");
        }
        _ => {}
    }
    match text(properties, "visibility") {
        Some("private") => set_public(&mut new, false),
        Some("public") => set_public(&mut new, true),
        _ => {}
    }
    new
}

/// A name that `feeds.toml` or the article itself has for a category is one; others are tags.
pub(super) fn file_under<'a>(
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
    let images: Vec<_> = photos
        .filter_map(|photo| {
            let url = photo.as_str().or_else(|| photo.get("value").and_then(Value::as_str))?;
            let before = known.and_then(|known| {
                known.iter().find(|image| image.get("url").and_then(Value::as_str) == Some(url))
            });
            let mut image = before.cloned().unwrap_or_else(|| json!({ "url": url }));
            if let Some(alt) = photo.get("alt") {
                image["alt"] = alt.clone();
            }
            Some(image)
        })
        .collect();
    if !images.is_empty() {
        new.insert("images".to_owned(), images.into());
    }
}

/// Sounds and films; other files stay as they are.
fn attachments(properties: &Properties, new: &mut Map<String, Value>) {
    let before = match new.remove("attachments") {
        Some(Value::Array(files)) => files,
        _ => Vec::new(),
    };
    let mut files: Vec<_> = Vec::new();
    for (kind, usual) in [("video", "video/mp4"), ("audio", "audio/mpeg")] {
        for file in properties.get(kind).and_then(Value::as_array).into_iter().flatten() {
            let Some(url) = file.as_str().or_else(|| file.get("value").and_then(Value::as_str))
            else {
                continue;
            };
            let known =
                before.iter().find(|file| file.get("url").and_then(Value::as_str) == Some(url));
            let by_name = media::media_type(url.split(['?', '#']).next().unwrap_or_default());
            let media_type = by_name.unwrap_or(usual);
            let fresh = || json!({ "url": url, "mime_type": media_type });
            files.push(known.cloned().unwrap_or_else(fresh));
        }
    }
    let others = before.into_iter().filter(|file| !is_of(file, "audio") && !is_of(file, "video"));
    files.extend(others);
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

/// The answer to `q=config`; `media` is where files go.
pub fn config(catalogue: &Catalogue, media: Option<&str>) -> Value {
    let mut config = json!({
        "q": ["config", "source", "syndicate-to", "category"],
        "syndicate-to": [],
        "categories": categories(catalogue),
        "post-types": [
            { "type": "article", "name": "Article" },
            { "type": "note", "name": "Note" },
            { "type": "photo", "name": "Photo" },
        ],
    });
    if let Some(media) = media {
        config["media-endpoint"] = media.into();
    }
    config
}

/// The answer to `q=category`.
pub fn categories(catalogue: &Catalogue) -> Vec<&str> {
    catalogue.site.labels.values().map(Text::as_str).collect()
}

/// The answer to `q=source`: all properties with the type, or those asked for.
pub fn source(properties: Properties, wanted: &[String]) -> Value {
    if wanted.is_empty() {
        return json!({ "type": ["h-entry"], "properties": properties });
    }
    let some: Properties =
        properties.into_iter().filter(|(name, _)| wanted.contains(name)).collect();
    json!({ "properties": some })
}

/// What a problem is to a client of Micropub (section 3.8).
pub fn refusal(problem: &Problem) -> Reply {
    let scope = match problem {
        Problem::Scope(Scope::Write) => Some("create update"),
        Problem::Scope(Scope::Withdraw) => Some("delete undelete"),
        Problem::Scope(Scope::Media) => Some("media"),
        Problem::Scope(Scope::Read) => Some("read"),
        _ => None,
    };
    let error = match problem.status() {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN if scope.is_some() => "insufficient_scope",
        StatusCode::FORBIDDEN => "forbidden",
        status if status.is_server_error() => "temporarily_unavailable",
        _ => "invalid_request",
    };
    let mut detail = problem.detail();
    if let Problem::Record(errors) = problem {
        for error in errors {
            let _ = write!(detail, " {}: {}.", error.field, error.problem);
        }
    }
    let mut body = json!({ "error": error, "error_description": detail });
    if let Some(scope) = scope {
        body["scope"] = scope.into();
    }
    // Section 3.8 has 400 for all that is wrong with a request, and clients look for it.
    let status = match problem {
        Problem::Record(_) | Problem::Unknown => StatusCode::BAD_REQUEST,
        other => other.status(),
    };
    let reply = Reply::json(status, &body);
    problem.fields().into_iter().fold(reply, |reply, (name, value)| reply.with(&name, value))
}

/// The answer to a post that was created.
pub fn created(address: &str) -> Reply {
    Reply::json(StatusCode::CREATED, &json!({ "url": address })).with(&header::LOCATION, address)
}
