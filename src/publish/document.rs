//! What can be asked for: the documents there are, by their canonical paths.

use crate::{
    article::{ArticleId, Revision, Span, Transcript},
    category::Slug,
    edition::Presentation,
    feed::{Feed, FeedPath, FeedSpec},
    format::Format,
};

/// A document at an address of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Document {
    /// A feed in a format, or its page.
    Feed(FeedPath, Format),
    /// An archive of a feed in a format for programs.
    Archive(FeedPath, Span, Format),
    /// A file that is kept with an article of a show: its chapters or a transcript.
    Episode(ArticleId, EpisodeFile),
    /// The same file of an article that is not for everybody, for a partner.
    Reached(Slug, ArticleId, EpisodeFile),
    /// The page at `/`.
    Index,
    /// All feeds as OPML.
    Opml,
    /// How pages look.
    Style,
    /// What robots may read.
    Robots,
}

/// What is kept with an article of a show.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EpisodeFile {
    /// Its parts, as JSON chapters (P-23).
    Chapters,
    /// A transcript, by its file name (P-22).
    Transcript(String),
}

impl EpisodeFile {
    /// The file of a name that [`Transcript::file_name`](crate::article::Transcript::file_name) gives, or that of chapters.
    pub fn named(name: &str) -> Option<Self> {
        if name == "chapters.json" {
            return Some(Self::Chapters);
        }
        let (number, extension) = name.strip_prefix("transcript-")?.split_once('.')?;
        let is_number = number.parse().is_ok_and(|nth: u32| nth > 0 && nth.to_string() == number);
        let is_ours = is_number && Transcript::EXTENSIONS.contains(&extension);
        is_ours.then(|| Self::Transcript(name.to_owned()))
    }

    fn path(&self, id: &ArticleId) -> String {
        let name = match self {
            Self::Chapters => "chapters.json",
            Self::Transcript(name) => name,
        };
        format!("episodes/{}/{name}", id.segment())
    }
}

impl Document {
    /// Its one path (H-6), percent-encoded.
    pub fn path(&self) -> String {
        match self {
            Self::Feed(path, format) => format!("/{}.{}", path.encoded(), format.extension()),
            Self::Archive(path, span, format) => {
                format!("/{}", path.archive(*span, format.extension()))
            }
            Self::Episode(id, file) => format!("/{}", file.path(id)),
            Self::Reached(partner, id, file) => {
                format!("/partner/{}/{}", partner.encoded(), file.path(id))
            }
            Self::Index => "/".to_owned(),
            Self::Opml => "/feeds.opml".to_owned(),
            Self::Style => "/style.css".to_owned(),
            Self::Robots => "/robots.txt".to_owned(),
        }
    }
}

/// What pages may load: nothing but their own style, and pictures (T-54).
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src https: http:; media-src https: http:; \
                           base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'none'";

/// How long clients keep what seldom changes, in seconds.
const SLOW: u32 = 3_600;

/// How a feed is presented in a format.
pub(super) fn of_feed(spec: &FeedSpec, format: Format) -> Presentation {
    let is_page = format == Format::Html;
    let is_private = spec.terms.is_some();
    let link = |relation, form: Format| link(relation, &spec.address(form.extension()), form);
    let offered = Format::offered(spec);
    let others = Format::FEEDS.into_iter().filter(|form| *form != format && offered.contains(form));
    let mut links: Vec<_> = others.map(|form| link("alternate", form)).collect();
    if !is_page {
        links.push(format!("<{}>; rel=\"alternate\"; type=\"text/html\"", spec.home));
    }
    Presentation {
        content_type: format.content_type(),
        max_age_seconds: u32::from(spec.ttl.get()) * 60,
        own_link: (!is_page).then(|| link("self", format)),
        links,
        is_unlisted: format == Format::Json || is_private,
        security_policy: is_page.then_some(PAGE_POLICY),
        is_private,
        edge: Vec::new(),
    }
}

/// As in the field `Link`.
fn link(relation: &str, address: &str, format: Format) -> String {
    format!("<{address}>; rel=\"{relation}\"; type=\"{}\"", format.media_type())
}

/// How an archive is presented. What was withdrawn has to go from it, so that it is fresh for a day and no longer (H-111).
pub(super) fn of_archive(feed: &Feed, format: Format) -> Presentation {
    let links = format.links(feed).into_iter();
    let mut links = links.map(|(relation, address)| link(relation, &address, format));
    let (own_link, max_age_seconds) = (links.next(), 86_400);
    let links = links.collect();
    Presentation { max_age_seconds, own_link, links, ..of_feed(&feed.spec, format) }
}

/// How the others are presented.
pub(super) fn of_other(content_type: &'static str, max_age_seconds: u32) -> Presentation {
    let is_page = content_type.starts_with("text/html");
    Presentation {
        content_type,
        max_age_seconds,
        own_link: None,
        links: Vec::new(),
        is_unlisted: content_type.starts_with("text/x-opml"),
        security_policy: is_page.then_some(PAGE_POLICY),
        is_private: false,
        edge: Vec::new(),
    }
}

/// For documents that are part of the program.
pub(super) fn of_program(content_type: &'static str) -> (Presentation, Revision) {
    (of_other(content_type, SLOW), Revision(0))
}
