//! Caches in front: what they are told with each document, and which of them a write makes stale.
//!
//! A document carries a key for each thing that it reads from; a write names the things that it moved. So whatever a cache
//! holds is found, whether this process has it in memory or not: feeds in every format, pages, archives, lists.

mod hook;
mod purge;
mod template;

pub use hook::{Hook, HookError, Subject};
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
pub use purge::{Counts, Purge, Retry};
pub use template::{Secret, Template, TemplateError};
use xxhash_rust::xxh3::xxh3_64;

use crate::category::Facet;

/// Caches take groups of so many characters at least, RFC 9875 section 2.
const MAX_KEY: usize = 32;
/// What may stand in a key: no blank, comma, quote, or anything else that one of the fields gives a meaning to.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'/');

/// The field that keys are told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyField {
    /// `Surrogate-Key`: Fastly, and Varnish by a ban; separated by blanks.
    SurrogateKey,
    /// `Cache-Tag`: Cloudflare, Google, Akamai; separated by commas.
    CacheTag,
    /// `Cache-Groups`, RFC 9875: a list of strings.
    CacheGroups,
}

/// The field that tells only caches in front how long a document is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgeField {
    /// `CDN-Cache-Control`, RFC 9213.
    CdnCacheControl,
    /// `Surrogate-Control`, which is older: Fastly, and Varnish by its rules.
    SurrogateControl,
}

/// What caches in front are told with every public document that is made from articles or settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// In which fields the keys are.
    pub keys: Vec<KeyField>,
    /// For how long, in seconds, and in which field; `None`: as long as everybody else.
    pub max_age: Option<(u32, AgeField)>,
}

impl Edge {
    /// The fields of a document that reads from these, the site among them. Worked out once for an edition.
    pub fn fields(&self, marks: &[Facet]) -> Vec<(HeaderName, HeaderValue)> {
        let mut keys = vec![everything()];
        keys.extend(marks.iter().filter_map(key).filter(|key| *key != everything()));
        let field = |field: &KeyField| {
            let name = match field {
                KeyField::SurrogateKey => "surrogate-key",
                KeyField::CacheTag => "cache-tag",
                KeyField::CacheGroups => "cache-groups",
            };
            let value = match field {
                KeyField::SurrogateKey => keys.join(" "),
                KeyField::CacheTag => keys.join(","),
                KeyField::CacheGroups => format!("\"{}\"", keys.join("\", \"")),
            };
            (HeaderName::from_static(name), value)
        };
        let age = self.max_age.map(|(seconds, field)| {
            let name = match field {
                AgeField::CdnCacheControl => "cdn-cache-control",
                AgeField::SurrogateControl => "surrogate-control",
            };
            // As long as the field for everybody lets them (H-101).
            let value =
                format!("max-age={seconds}, stale-while-revalidate=60, stale-if-error=86400");
            (HeaderName::from_static(name), value)
        });
        let fields = self.keys.iter().map(field).chain(age);
        let value = |value: String| HeaderValue::try_from(value).expect("keys are ASCII");
        fields.map(|(name, text)| (name, value(text))).collect()
    }
}

/// The key of everything that is told any.
pub fn everything() -> String {
    "site".to_owned()
}

/// The key of what reads from a facet; `None` for what no shared cache holds. At most 32 characters: `category/news`,
/// `feed/all`, `author/Ana%20Li`; of a longer name a digest.
pub fn key(facet: &Facet) -> Option<String> {
    let name = match facet.as_str() {
        "*" => "articles",
        name => name,
    };
    let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
    let is_public = match kind {
        "articles" | "site" | "catalogue" | "episodes" | "category" | "author" | "language" => true,
        // The settings of a partner's feed.
        "feed" => !rest.starts_with("partner/"),
        _ => false,
    };
    let key = utf8_percent_encode(name, KEY).to_string();
    let short = || if key.len() <= MAX_KEY { key.clone() } else { digest(kind, name) };
    is_public.then(short)
}

fn digest(kind: &str, name: &str) -> String {
    format!("{kind}/{:016x}", xxh3_64(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_fits_every_field() {
        for (facet, expected) in [
            ("*", Some("articles")),
            ("site", Some("site")),
            ("category/news", Some("category/news")),
            ("author/Ana Li, \"AL\"", Some("author/Ana%20Li%2C%20%22AL%22")),
            ("category/头条", Some("category/%E5%A4%B4%E6%9D%A1")),
            ("feed/category/news", Some("feed/category/news")),
            ("feed/partner/wire/all", None),
            ("partner/wire", None),
            ("private/category/news", None),
            ("private/*", None),
            ("shift/-60", None),
            ("access", None),
        ] {
            let key = key(&Facet::stored(facet.to_owned()));
            if let Some(key) = &key {
                assert!(key.len() <= MAX_KEY && key.is_ascii(), "{key}");
            }
            assert_eq!(key.as_deref(), expected, "{facet}");
        }
        let long = |name: &str| key(&Facet::stored(format!("category/{}", name.repeat(30))));
        assert_eq!(long("条").map(|key| key.len()), Some("category/".len() + 16));
        assert_ne!(long("a"), long("b"));
    }

    #[test]
    fn each_cache_is_told_in_its_words() {
        let marks = ["site", "feed/news", "category/news"];
        let marks = marks.map(|name| Facet::stored(name.to_owned()));
        let all = [KeyField::SurrogateKey, KeyField::CacheTag, KeyField::CacheGroups];
        let edge = Edge { keys: all.into(), max_age: Some((3_600, AgeField::CdnCacheControl)) };
        let fields = edge.fields(&marks);
        let lines: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(
            lines,
            [
                "surrogate-key: site feed/news category/news",
                "cache-tag: site,feed/news,category/news",
                "cache-groups: \"site\", \"feed/news\", \"category/news\"",
                "cdn-cache-control: max-age=3600, stale-while-revalidate=60, stale-if-error=86400",
            ]
        );
    }
}
