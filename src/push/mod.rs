//! Articles that are pushed from outside: what requests ask for, and what is answered, in each of the protocols.
//!
//! No I/O and no clock: bodies and stored articles in, tasks for the store and answers out. `http/push` has the rest.

pub mod articles;
pub mod atom;
pub mod condition;
pub mod form;
pub mod micropub;
pub mod openapi;
pub mod record;
mod reply;
mod scope;

pub use reply::{FieldError, Problem, ProblemBody, Reply, tag};
pub use scope::{Pass, Scope, Scopes, UnknownScope};

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::article::ArticleId;

/// How articles are pushed, as `feeds.toml` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// An address of its own; `None`: the one where feeds are.
    pub listen: Option<SocketAddr>,
    /// The public address of what is below [`Self::path`], ending in `/`.
    pub base: Url,
    /// What paths begin with; empty, or a slash and segments without one at the end.
    pub path: String,
    /// Largest body that is no file, in bytes.
    pub max_body_bytes: u64,
    /// Largest file, in bytes.
    pub max_media_bytes: u64,
    /// Most records of a batch.
    pub max_records: usize,
    /// Most requests that are worked on at the same time.
    pub max_requests: usize,
    /// For a whole body to arrive.
    pub body_timeout: Duration,
    /// For each token, and each hour.
    pub requests_per_hour: NonZeroU32,
}

/// What an address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// All articles, as JSON.
    Articles,
    /// One of them.
    Article(ArticleId),
    /// What can be done here.
    OpenApi,
    /// The service document of `AtomPub`.
    AtomService,
    /// All articles, as entries.
    AtomArticles,
    /// One of them.
    AtomArticle(ArticleId),
    /// All files.
    AtomMedia,
    /// The entry of a file.
    AtomFile(String),
    /// The endpoint of Micropub.
    Micropub,
    /// Its media endpoint.
    MicropubMedia,
}

/// What stays as it is in a segment of an address: RFC 3986 section 2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The first segments of what is below [`Rules::path`].
pub const SEGMENTS: [&str; 3] = ["articles", "atompub", "micropub"];

impl Rules {
    /// Whether a path is below this one.
    pub fn covers(&self, path: &str) -> bool {
        let Some(rest) =
            path.strip_prefix(self.path.as_str()).and_then(|rest| rest.strip_prefix('/'))
        else {
            return false;
        };
        SEGMENTS.contains(&rest.split('/').next().unwrap_or_default())
    }

    /// What a path asks for.
    pub fn route(&self, path: &str) -> Option<Route> {
        let rest = path.strip_prefix(self.path.as_str())?.strip_prefix('/')?;
        let segments: Vec<_> = rest.split('/').collect();
        Some(match segments[..] {
            ["articles"] => Route::Articles,
            ["articles", "openapi.json"] => Route::OpenApi,
            ["articles", id] => Route::Article(article(id)?),
            ["atompub"] => Route::AtomService,
            ["atompub", "articles"] => Route::AtomArticles,
            ["atompub", "articles", id] => Route::AtomArticle(article(id)?),
            ["atompub", "media"] => Route::AtomMedia,
            ["atompub", "media", name] => {
                Route::AtomFile(percent_decode_str(name).decode_utf8().ok()?.into_owned())
            }
            ["micropub"] => Route::Micropub,
            ["micropub", "media"] => Route::MicropubMedia,
            _ => return None,
        })
    }

    /// The address of something below this one; the last part is percent-encoded. An article whose id is `.` or `..` has
    /// none: no client keeps these apart.
    pub fn address(&self, folder: &str, name: &str) -> Url {
        let name = utf8_percent_encode(name, SEGMENT);
        let joined = self.base.join(&format!("{folder}{name}"));
        joined.expect("a base with a host, and percent-encoded segments")
    }

    /// The article at an address.
    pub fn article_at(&self, address: &str) -> Option<ArticleId> {
        let rest = address.trim().strip_prefix(self.base.as_str())?.strip_prefix("articles/")?;
        article(rest.split(['?', '#']).next().unwrap_or_default())
    }
}

/// The id that a segment says: only one that is written as it is kept, so that no article has two addresses.
fn article(segment: &str) -> Option<ArticleId> {
    let raw = percent_decode_str(segment).decode_utf8().ok()?;
    ArticleId::new(&raw).filter(|id| id.as_str() == raw)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn rules() -> Rules {
        Rules {
            listen: None,
            base: "https://feeds.example.com/in/".parse().unwrap(),
            path: "/in".to_owned(),
            max_body_bytes: 1_000,
            max_media_bytes: 1_000,
            max_records: 10,
            max_requests: 2,
            body_timeout: Duration::from_secs(1),
            requests_per_hour: NonZeroU32::MIN,
        }
    }

    #[test]
    fn every_address_leads_back() {
        let rules = rules();
        for id in ["2026-0412", "a/b c.d~e", "头条/1?x#y%", "a\\b"] {
            let id = ArticleId::new(id).unwrap();
            let address = rules.address("articles/", id.as_str());
            assert_eq!(rules.article_at(address.as_str()), Some(id.clone()), "{address}");
            assert!(rules.covers(address.path()));
            assert_eq!(rules.route(address.path()), Some(Route::Article(id)), "{address}");
        }
        for nothing in
            ["/articles/a", "/in", "/in/", "/inarticles/a", "/in/articles/a/b", "/in/articles/%FF"]
        {
            assert_eq!(rules.route(nothing), None, "{nothing}");
        }
        assert!(!rules.covers("/articles/a") && !rules.covers("/in/feeds.opml"));
    }
}
