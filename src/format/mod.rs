//! Formats: a feed as RSS, Atom, JSON Feed, or a page for people.
//!
//! No I/O and no clock: equal feeds give equal bytes (H-31, H-32).

mod atom;
mod check;
mod dialect;
mod element;
mod episode;
mod html;
mod index;
mod json;
mod media;
mod opml;
mod page;
mod parts;
mod podcast;
mod rss;
#[cfg(test)]
mod sample;
mod uri;
mod words;
mod xml;

pub use check::Flaw;
pub use episode::{chapters, transcript};
pub use index::render as index;
pub use json::changes;
pub use opml::render as opml;
pub use page::STYLE;

use std::{fmt, ops::Range};

use crate::{
    article::{ArticleId, Part},
    feed::{Entry, Feed, FeedSpec},
};

/// Archived and complete feeds, RFC 5005.
const HISTORY: &str = "http://purl.org/syndication/history/1.0";

/// What a feed can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// RSS 2.0.
    Rss,
    /// Atom 1.0, RFC 4287.
    Atom,
    /// JSON Feed 1.1.
    Json,
    /// A page for people.
    Html,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// One article stands in the way; the feed can be written without it.
    #[error("cannot write article `{article}` as {format}")]
    Article {
        /// Which one.
        article: ArticleId,
        /// As what.
        format: Format,
        /// What is wrong with it.
        source: Flaw,
    },
    /// The head matter stands in the way, or nobody can tell what.
    #[error("cannot write the feed as {format}")]
    Feed {
        /// As what.
        format: Format,
        /// What is wrong with it.
        source: Flaw,
    },
}

impl Format {
    /// Those for programs, as they are offered.
    pub const FEEDS: [Self; 3] = [Self::Rss, Self::Atom, Self::Json];

    /// What a feed is offered as; a page is for everybody, and a partner's dialect may be one of RSS alone.
    pub fn offered(spec: &FeedSpec) -> &'static [Self] {
        if spec.dialect().is_rss_alone() {
            return &[Self::Rss];
        }
        if spec.terms.is_some() {
            return &Self::FEEDS;
        }
        &[Self::Rss, Self::Atom, Self::Json, Self::Html]
    }

    /// The media type without parameters, as in links and `Accept`.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Rss => "application/rss+xml",
            Self::Atom => "application/atom+xml",
            Self::Json => "application/feed+json",
            Self::Html => "text/html",
        }
    }

    /// `Content-Type`, D-2.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Rss => "application/rss+xml; charset=utf-8",
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Json => "application/feed+json",
            Self::Html => "text/html; charset=utf-8",
        }
    }

    /// As addresses end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Rss => "rss",
            Self::Atom => "atom",
            Self::Json => "json",
            Self::Html => "html",
        }
    }

    /// The document of a feed, read back before it is given out: equal feeds, equal bytes.
    pub fn render(self, feed: &Feed) -> Result<Vec<u8>, RenderError> {
        let document = match self {
            Self::Rss => rss::render(feed),
            Self::Atom => atom::render(feed),
            Self::Json => json::render(feed),
            Self::Html => Ok(html::render(feed)),
        };
        document.map_err(|flaw| self.refused(feed, flaw))
    }

    /// Where the entries stand in a document of this format, in bytes and in their order; none in a page.
    ///
    /// What stands between any two is the same, so that a document of fewer entries can be cut from it.
    pub fn entries(self, document: &[u8]) -> Vec<Range<usize>> {
        match self {
            Self::Rss => parts::elements(document, b"\n<item>", b"</item>"),
            Self::Atom => parts::elements(document, b"\n<entry", b"</entry>"),
            Self::Json => parts::items(document),
            Self::Html => Vec::new(),
        }
    }

    /// Where a document says that it is complete, in bytes. One of fewer entries must not say so.
    pub fn completeness(self, document: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::Rss | Self::Atom => parts::element(document, b"\n<fh:complete></fh:complete>"),
            Self::Json | Self::Html => None,
        }
    }

    /// The address of a document in this format, and of those that continue it, each with its relation.
    pub fn links(self, feed: &Feed) -> Vec<(&'static str, String)> {
        let newest = feed.spec.address(self.extension());
        let archive = |span| feed.spec.archive_address(span, self.extension());
        let previous = feed
            .previous()
            .filter(|_| feed.spec.is_archived())
            .map(|span| ("prev-archive", archive(span)));
        match feed.part {
            Part::All | Part::Newest(_) => [("self", newest)].into_iter().chain(previous).collect(),
            Part::Archive(span) => {
                let others = [("current", newest), ("next-archive", archive(span.next()))];
                [("self", archive(span))].into_iter().chain(previous).chain(others).collect()
            }
        }
    }

    fn refused(self, feed: &Feed, source: Flaw) -> RenderError {
        let place = source.entry().and_then(|nth| feed.places().nth(nth));
        match place {
            Some((article, _)) => {
                RenderError::Article { article: article.clone(), format: self, source }
            }
            None => RenderError::Feed { format: self, source },
        }
    }
}

/// What RFC 5005 calls such a document: nothing when it is one of several but no archive. An empty one is not called
/// complete: readers would drop all they have, and a feed is empty by mistake more often than by intent.
fn history(feed: &Feed) -> Option<&'static str> {
    if !feed.spec.is_archived() {
        return None;
    }
    match feed.part {
        Part::All => (feed.entries().len() > 0).then_some("fh:complete"),
        Part::Newest(_) => None,
        Part::Archive(_) => Some("fh:archive"),
    }
}

/// Where this program serves what is kept with an article and belongs to it as an episode.
///
/// What belongs to an article that is not for everybody is out of everybody's reach too.
fn episode_address(spec: &FeedSpec, entry: &Entry<'_>, file: &str) -> String {
    let terms = spec.terms.as_ref().filter(|_| entry.story().clearance.is_private);
    let reach = terms.map_or_else(String::new, |terms| terms.files());
    spec.site.address(&format!("{reach}episodes/{}/{file}", entry.article().id.segment()))
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rss => "RSS",
            Self::Atom => "Atom",
            Self::Json => "JSON Feed",
            Self::Html => "HTML",
        })
    }
}
