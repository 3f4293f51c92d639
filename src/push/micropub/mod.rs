//! Micropub (W3C Recommendation of 2017): posts as microformats, in forms and as JSON.

mod post;

pub(super) use post::file_under;
pub use post::{properties, record, slug};

use std::{collections::HashSet, fmt::Write as _};

use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use crate::{
    feed::Catalogue,
    import::visibility::{self, Visibility},
    push::{
        form,
        reply::{Problem, Reply},
        scope::Scope,
    },
    text::Text,
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
        "application/x-www-form-urlencoded" => of_pairs(form::checked_pairs(body)?),
        "application/json" => {
            let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
                Problem::Malformed(format!("The body is no JSON object: {error}."))
            })?;
            of_json(body)
        }
        _ => Err(Problem::MediaType(
            "application/json, application/x-www-form-urlencoded, multipart/form-data",
        )),
    }
}

/// What the fields of a form ask for.
pub fn of_pairs(pairs: Vec<(String, String)>) -> Result<Request, Problem> {
    let (mut action, mut url, mut kind) = (None, None, None);
    let mut properties = Properties::new();
    for (name, value) in pairs {
        match name.as_str() {
            "action" => action = Some(value),
            "url" => url = Some(value),
            "h" => kind = Some(value),
            "access_token" => {}
            name => {
                let (name, value) =
                    match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
                        // `category[]` and `category[0]` of PHP.
                        Some((name, part)) if part.bytes().all(|byte| byte.is_ascii_digit()) => {
                            (name, Value::from(value))
                        }
                        Some((name, part)) => (name, json!({ part: value })),
                        None => (name, Value::from(value)),
                    };
                // An empty field of a form says nothing.
                if value.as_str().is_none_or(|text| !text.is_empty()) {
                    list(&mut properties, name).push(value);
                }
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
                    let properties = without_brackets(properties);
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

/// `category[]` of clients that write JSON as they write forms.
fn without_brackets(properties: Properties) -> Properties {
    let named = |(name, value): (String, Value)| (name.trim_end_matches("[]").to_owned(), value);
    properties.into_iter().map(named).collect()
}

/// Refuses a post whose deciding properties nobody can read: it could be published against the will of its author.
fn check_deciding(properties: &Properties) -> Result<(), Problem> {
    let by_visibility = |text: &str| visibility::visibility(&Value::from(text));
    let by_status = visibility::post_status;
    for name in ["post-status", "visibility"] {
        for value in properties.get(name).and_then(Value::as_array).into_iter().flatten() {
            let text = value.as_str().or_else(|| value.get("value").and_then(Value::as_str));
            let decided =
                text.map(
                    |text| if name == "visibility" { by_visibility(text) } else { by_status(text) },
                );
            if decided.is_none_or(|decided| decided == Visibility::Unknown) {
                return Err(Problem::Malformed(format!(
                    "`{name}` is {value}, which does not say whether the post is public; docs/import.md lists the values."
                )));
            }
        }
    }
    Ok(())
}

fn create(kind: &str, properties: Properties) -> Result<Request, Problem> {
    check_deciding(&properties)?;
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
    check_deciding(&replace)?;
    check_deciding(&add)?;
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
        // A set of what is there: a client sends as many values as it likes.
        for (name, values) in &self.add {
            let values = values.as_array().into_iter().flatten();
            let known = list(properties, name);
            let mut set: HashSet<String> = known.iter().map(Value::to_string).collect();
            known.extend(values.filter(|value| set.insert(value.to_string())).cloned());
        }
        for (name, values) in &self.delete_values {
            let values = values.as_array().into_iter().flatten();
            let set: HashSet<String> = values.map(Value::to_string).collect();
            list(properties, name).retain(|value| !set.contains(&value.to_string()));
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
