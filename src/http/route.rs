//! From a path to what it asks for.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::{
    article::ArticleId,
    category::Slug,
    feed::FeedPath,
    format::Format,
    publish::{Document, EpisodeFile},
};

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A document at its own address.
    Document(Document),
    /// A feed, in the format that suits the client best (H-92).
    Feed(FeedPath),
    /// Whether the program runs.
    Health,
    /// Whether it can serve what is not in memory.
    Ready,
    /// Another address stands for it (O-13).
    Moved(Document),
    /// Nothing that could be here.
    Unknown,
}

impl Route {
    /// The one path for it (H-6), percent-encoded; `None` for nothing.
    pub fn path(&self) -> Option<String> {
        match self {
            Self::Document(document) | Self::Moved(document) => Some(document.path()),
            Self::Feed(path) => Some(format!("/{}", path.encoded())),
            Self::Health => Some("/healthz".to_owned()),
            Self::Ready => Some("/readyz".to_owned()),
            Self::Unknown => None,
        }
    }
}

/// What a path asks for, in whatever spelling; only that of [`Route::path`] is answered, others are sent there.
pub fn route(path: &str) -> Route {
    let Some(segments) = segments(path) else { return Route::Unknown };
    let segments: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
    match segments[..] {
        [] => Route::Document(Document::Index),
        ["feeds.opml"] => Route::Document(Document::Opml),
        ["style.css"] => Route::Document(Document::Style),
        ["robots.txt"] => Route::Document(Document::Robots),
        ["healthz"] => Route::Health,
        ["readyz"] => Route::Ready,
        [".well-known", "feeds"] => Route::Moved(Document::Opml),
        ["episodes", id, file] => episode_file(id, file)
            .map_or(Route::Unknown, |(id, file)| Route::Document(Document::Episode(id, file))),
        _ => below_feeds(&segments, |path| path),
    }
}

/// A feed or an archive of one, of whom `whose` says.
pub(super) fn below_feeds(segments: &[&str], whose: impl Fn(FeedPath) -> FeedPath) -> Route {
    match segments {
        [last] => feed(last, |slug| whose(FeedPath::Named(slug))),
        ["category", last] => feed(last, |slug| whose(FeedPath::Category(slug))),
        [name, "archive", last] => archive(name, last, |slug| whose(FeedPath::Named(slug))),
        ["category", slug, "archive", last] => {
            archive(slug, last, |slug| whose(FeedPath::Category(slug)))
        }
        _ => Route::Unknown,
    }
}

/// The decoded segments, without what other servers are asked for: a slash or an `index` at the end. `None` where one
/// cannot be a name (H-13).
pub(super) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut segments = Vec::new();
    for raw in path.strip_prefix('/')?.split('/') {
        let segment = percent_decode_str(raw).decode_utf8().ok()?;
        if segment.contains(['/', '\0']) {
            return None;
        }
        segments.push(segment);
    }
    while segments.last().is_some_and(|last| matches!(last.as_ref(), "" | "index" | "index.html")) {
        segments.pop();
    }
    Some(segments)
}

fn feed(segment: &str, path: impl FnOnce(Slug) -> FeedPath) -> Route {
    let (name, extension) =
        segment.rsplit_once('.').map_or((segment, None), |(name, ext)| (name, Some(ext)));
    let Ok(slug) = Slug::from_label(name) else { return Route::Unknown };
    match extension.map(format) {
        None => Route::Feed(path(slug)),
        Some(Some(format)) => Route::Document(Document::Feed(path(slug), format)),
        Some(None) => Route::Unknown,
    }
}

fn archive(name: &str, segment: &str, path: impl FnOnce(Slug) -> FeedPath) -> Route {
    let parts = segment.rsplit_once('.').and_then(|(span, extension)| {
        let format = format(extension).filter(|format| Format::FEEDS.contains(format))?;
        Some(Document::Archive(path(Slug::from_label(name).ok()?), span.parse().ok()?, format))
    });
    parts.map_or(Route::Unknown, Route::Document)
}

/// What is kept with an episode.
pub(super) fn episode_file(id: &str, file: &str) -> Option<(ArticleId, EpisodeFile)> {
    Some((ArticleId::from_segment(id)?, EpisodeFile::named(file)?))
}

fn format(extension: &str) -> Option<Format> {
    match extension.to_ascii_lowercase().as_str() {
        "rss" | "xml" => Some(Format::Rss),
        "atom" => Some(Format::Atom),
        "json" => Some(Format::Json),
        "html" => Some(Format::Html),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The canonical path of what `path` asks for; empty for nothing.
    fn check(path: &str, canonical: &str) {
        assert_eq!(route(path).path().unwrap_or_default(), canonical, "{path}");
    }

    #[test]
    fn every_spelling_leads_to_one_path() {
        for path in [
            "/",
            "/news.rss",
            "/news",
            "/category/news.json",
            "/feeds.opml",
            "/healthz",
            "/style.css",
            "/news.html",
            "/news/archive/1-100.atom",
            "/category/news/archive/101-140.json",
            "/episodes/2026~2F3/chapters.json",
            "/episodes/a/transcript-1.vtt",
        ] {
            check(path, path);
        }
        check("/News.RSS", "/news.rss");
        check("/news.xml", "/news.rss");
        check("/news/", "/news");
        check("/news/index.html", "/news");
        check("/index", "/");
        check("/%6eews.rss", "/news.rss");
        check("/category/头条", "/category/%E5%A4%B4%E6%9D%A1");
        check("/category/%E5%A4%B4%E6%9D%A1.atom", "/category/%E5%A4%B4%E6%9D%A1.atom");
        check("/category/%e5%a4%b4%e6%9d%a1.atom", "/category/%E5%A4%B4%E6%9D%A1.atom");
        check("/category/Cafe%CC%81.rss", "/category/caf%C3%A9.rss");
        check("/.well-known/feeds", "/feeds.opml");
        check("/News/archive/1-100.XML", "/news/archive/1-100.rss");
    }

    #[test]
    fn what_cannot_be_a_name_is_nothing() {
        for path in [
            "",
            "*",
            "/a/b",
            "/category/a/b",
            "/a%00b",
            "/a%2Fb",
            "/category/%FF.rss",
            "/news.exe",
            "/news/archive",
            "/news/archive/1-100",
            "/news/archive/1-100.html",
            "/news/archive/01-100.rss",
            "/news/archive/2-100.rss",
            "/news/archives/1-100.rss",
            "/a/news/archive/1-100.rss",
            "/episodes/a",
            "/episodes/~61/chapters.json",
            "/episodes/a/chapters",
            "/episodes/a/transcript-<.vtt",
            "/.rss",
            "/..",
            "//",
        ] {
            check(path, if path == "//" { "/" } else { "" });
        }
    }
}
