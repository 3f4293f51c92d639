//! A document as files: what they are called, and what is known of each.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, header};
use percent_encoding::percent_decode_str;

use crate::{
    article::{ArticleId, Span},
    edition::{Coding, Edition},
    format::Format,
    publish::{Document, EpisodeFile},
};

/// Where files of episodes are.
pub(super) const EPISODES: &str = "episodes/";

/// The codings that lie next to a file, each with the ending of its name.
pub const CODED: [(Coding, &str); 3] =
    [(Coding::Gzip, ".gz"), (Coding::Brotli, ".br"), (Coding::Zstd, ".zst")];

/// A document, ready to be written.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Below the target, without a slash in front; not percent-encoded.
    pub name: String,
    /// When the document last changed; `None` for one that is part of the program.
    pub changed: Option<DateTime<Utc>>,
    /// `Content-Type`.
    pub content_type: String,
    /// `Cache-Control`.
    pub cache_control: String,
    /// The document as it is.
    pub plain: Bytes,
    /// For each of [`CODED`] the document so coded, where that is smaller.
    pub coded: [Option<Bytes>; 3],
    /// Tells documents apart, as the tag of the service does.
    pub tag: String,
}

impl Piece {
    /// An edition under a name.
    pub fn new(name: String, edition: &Edition) -> Self {
        let body = |coding| edition.whole(coding).map(|(_, body)| body.clone());
        let fields = edition.whole(Coding::Identity).map(|(fields, _)| fields);
        let field = |name| fields.and_then(|fields| text(fields, &name)).unwrap_or_default();
        Self {
            name,
            changed: edition.changed(),
            content_type: field(header::CONTENT_TYPE),
            cache_control: field(header::CACHE_CONTROL),
            plain: body(Coding::Identity).unwrap_or_default(),
            coded: CODED.map(|(coding, _)| body(coding)),
            tag: edition.tag(Coding::Identity).to_owned(),
        }
    }

    /// The files of the codings: what each is called, in which coding, its bytes where there are any.
    pub fn codings(&self) -> impl Iterator<Item = (String, Coding, Option<&Bytes>)> {
        let names = CODED.iter().zip(&self.coded);
        names.map(|((coding, ending), body)| {
            (format!("{}{ending}", self.name), *coding, body.as_ref())
        })
    }
}

fn text(fields: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(fields.get(name)?.to_str().ok()?.to_owned())
}

/// What the file of a document is called: its path, as file systems and stores have it.
pub(super) fn name(document: &Document) -> String {
    if *document == Document::Index {
        return "index.html".to_owned();
    }
    decoded(&document.path())
}

/// Further names under which a store that answers by names alone has the document: where the service has an address for
/// which it chooses, or from which it leads on.
pub(super) fn aliases(document: &Document) -> Option<String> {
    match document {
        Document::Feed(path, Format::Html) => Some(decoded(&path.encoded())),
        Document::Opml => Some(".well-known/feeds".to_owned()),
        Document::Feed(..)
        | Document::Archive(..)
        | Document::Episode(..)
        | Document::Reached(..)
        | Document::Index
        | Document::Style
        | Document::Robots => None,
    }
}

/// A path, percent-encoded by this program, as it is.
pub(super) fn decoded(path: &str) -> String {
    percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy().into_owned()
}

/// The places of an archive, by what its file is called in the folder of a feed's archives; `None` for a file of others.
pub(super) fn archive(file: &str) -> Option<Span> {
    let (span, extension) = file.split_once('.')?;
    let is_ours = Format::FEEDS.iter().any(|format| format.extension() == extension);
    span.parse().ok().filter(|_| is_ours)
}

/// Whether a name is that of a file kept with an episode; others may have theirs in the same folder.
pub(super) fn is_of_episode(name: &str) -> bool {
    let file = name.strip_prefix(EPISODES).and_then(|rest| rest.split_once('/'));
    file.is_some_and(|(id, file)| {
        ArticleId::from_segment(id).is_some() && EpisodeFile::named(file).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::FeedPath;

    #[test]
    fn files_of_others_are_not_taken_for_those_of_exports() {
        for (name, is_ours) in [
            ("episodes/2026~2F3/chapters.json", true),
            ("episodes/e1/transcript-12.vtt", true),
            ("episodes/e1.mp3", false),
            ("episodes/chapters.json", false),
            ("episodes/e1/cover.jpg", false),
            ("episodes/e1/transcript-1.vtt.bak", false),
            ("episodes/e1/transcript-0.vtt", false),
            ("episodes/e1/transcript-01.vtt", false),
            ("episodes/e 1/chapters.json", false),
            ("episodes/e1/old/chapters.json", false),
        ] {
            assert_eq!(is_of_episode(name), is_ours, "{name}");
        }
        for (file, is_ours) in [
            ("1-100.rss", true),
            ("101-107.json", true),
            ("1-100.html", false),
            ("1-100.tar.gz", false),
            ("2020-2021.rss", false),
            ("2020/1-100.rss", false),
            ("readme.txt", false),
        ] {
            assert_eq!(archive(file).is_some(), is_ours, "{file}");
        }
    }

    #[test]
    fn files_are_called_as_the_service_calls_documents() {
        let headlines = FeedPath::Category("头条".parse().unwrap());
        let id = ArticleId::new("2026/3").unwrap();
        for (document, file, alias) in [
            (Document::Index, "index.html", None),
            (Document::Opml, "feeds.opml", Some(".well-known/feeds")),
            (
                Document::Feed(headlines.clone(), Format::Html),
                "category/头条.html",
                Some("category/头条"),
            ),
            (Document::Feed(headlines.clone(), Format::Rss), "category/头条.rss", None),
            (
                Document::Archive(headlines, "1-100".parse().unwrap(), Format::Json),
                "category/头条/archive/1-100.json",
                None,
            ),
            (Document::Episode(id, EpisodeFile::Chapters), "episodes/2026~2F3/chapters.json", None),
        ] {
            assert_eq!((name(&document).as_str(), aliases(&document).as_deref()), (file, alias));
        }
    }
}
