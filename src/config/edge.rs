//! Caches in front: what they are told, and how they are told what is stale.

use http::{HeaderName, Method};

use crate::{
    config::{
        section::{Keys, Section},
        value::{self, Mistake},
    },
    edge::{AgeField, Edge, Hook, KeyField, Template},
};

pub(super) const CDN: Keys =
    Keys { required: &[], optional: &["keys", "max_age_seconds", "max_age_field"] };

pub(super) const PURGE: Keys =
    Keys { required: &["url"], optional: &["method", "headers", "body", "batch", "at_start"] };

/// How caches are told what is stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeSettings {
    /// The request.
    pub hook: Hook,
    /// Whether everything is stale when the service starts.
    pub at_start: bool,
}

/// What caches are told; `None` where there are none.
pub(super) fn edge(section: &Section<'_>) -> Option<Edge> {
    let fields = [
        ("surrogate-key", KeyField::SurrogateKey),
        ("cache-tag", KeyField::CacheTag),
        ("cache-groups", KeyField::CacheGroups),
    ];
    let ages = [
        ("cdn-cache-control", AgeField::CdnCacheControl),
        ("surrogate-control", AgeField::SurrogateControl),
    ];
    let mut keys = section.list("keys", |given| value::choice(given, &fields));
    keys.dedup();
    let field = section.parse("max_age_field", |given| value::choice(given, &ages));
    let seconds = section.number("max_age_seconds", 1..=31_536_000_u32);
    let max_age = seconds.map(|seconds| (seconds, field.unwrap_or(AgeField::CdnCacheControl)));
    section.is_given().then_some(Edge { keys, max_age })
}

/// How they are told what is stale; `None` where they are not.
pub(super) fn purge(section: &Section<'_>) -> Option<PurgeSettings> {
    let method = section.parse("method", method).unwrap_or(Method::POST);
    let url = section.parse("url", template);
    let headers = section.list("headers", field);
    let body = section.parse("body", template).unwrap_or_default();
    let batch = section.number("batch", 1..=1_000);
    let at_start = section.flag("at_start").unwrap_or(true);
    match Hook::new(method, url?, headers, body, batch) {
        Ok(hook) => Some(PurgeSettings { hook, at_start }),
        Err(error) => {
            let cause = std::error::Error::source(&error);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            section.note(Mistake::new(format!("{error}{cause}"), ""));
            None
        }
    }
}

fn method(given: &str) -> Result<Method, Mistake> {
    let is_word = given.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let method = Method::from_bytes(given.as_bytes()).ok().filter(|_| is_word);
    method.ok_or_else(|| {
        Mistake::new(format!("`{given}` is not a method"), "write for example `POST` or `PURGE`")
    })
}

fn template(given: &str) -> Result<Template, Mistake> {
    Template::parse(given).map_err(|error| Mistake::new(error.to_string(), ""))
}

/// `Name: value`.
fn field(given: &str) -> Result<(HeaderName, Template), Mistake> {
    let parsed = given.split_once(':').and_then(|(name, value)| {
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        let is_sound = value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
        is_sound.then(|| (name, value.trim()))
    });
    let Some((name, value)) = parsed else {
        // What it says may be a secret.
        let advice = "write for example `Authorization: Bearer {env:CDN_TOKEN}`";
        return Err(Mistake::new("this is not a name and a value", advice));
    };
    Ok((name, template(value)?))
}
