//! An article's place in a feed: what every format says of it, worked out once.

use std::{borrow::Cow, collections::BTreeSet};

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization as _;
use url::Url;

use crate::{
    article::{Article, Attachment, Person, Picture, Source, Story, derived_iri, is_iri},
    category::{Category, Language},
    feed::FeedSpec,
    text::{Html, Text},
};

/// Longest title made from a text, in characters as readers see them.
const TITLE_LENGTH: usize = 60;

/// An article, as one feed shows it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub(super) spec: &'a FeedSpec,
    authority: &'a str,
    article: &'a Article,
}

impl<'a> Entry<'a> {
    pub(super) fn new(spec: &'a FeedSpec, authority: &'a str, article: &'a Article) -> Self {
        Self { spec, authority, article }
    }

    /// The article itself.
    pub fn article(&self) -> &'a Article {
        self.article
    }

    /// What it says.
    pub fn story(&self) -> &'a Story {
        &self.article.story
    }

    /// The identity for formats that ask for an IRI: the guid itself if it is one, or if readers know it from an
    /// adopted Atom feed; otherwise a `tag:` address that holds the guid, the same for ever.
    pub fn iri(&self) -> String {
        let Article { guid, is_atom_id, .. } = self.article;
        if *is_atom_id || is_iri(guid.as_str()) {
            return guid.as_str().to_owned();
        }
        derived_iri(self.authority, guid.as_str())
    }

    /// An identity for an origin whose feed nobody knows, whatever the normal form of its name.
    pub fn origin_iri(&self, name: &Text) -> String {
        let name = name.as_str().nfc().collect::<String>();
        format!("tag:{}:source/{}", self.authority, utf8_percent_encode(&name, UNRESERVED))
    }

    /// First publication.
    pub fn published(&self) -> DateTime<Utc> {
        self.article.published
    }

    /// Last significant change.
    pub fn updated(&self) -> DateTime<Utc> {
        self.article.updated
    }

    /// Never empty: an article without a title lends the beginning of its text.
    pub fn title(&self) -> Text {
        let story = self.story();
        if !story.title.is_empty() {
            return story.title.clone();
        }
        let title = story.summary.cut(TITLE_LENGTH);
        if title.is_empty() { Text::new(self.article.id.as_str()) } else { title }
    }

    /// Where to read it: its page, or the nearest thing to one.
    pub fn page(&self) -> &'a Url {
        let story = self.story();
        let pages = [&story.url, &story.mobile_url, &story.external_url];
        pages.into_iter().find_map(Option::as_ref).unwrap_or(&self.spec.home)
    }

    /// A shorter text beside the whole one; `None` when it would only repeat that or the title.
    pub fn summary(&self) -> Option<&'a Text> {
        let story = self.story();
        let repeats = story.summary == story.title || (self.spec.full_text && story.is_brief);
        (!story.summary.is_empty() && !repeats).then_some(&story.summary)
    }

    /// What it is written in, when that is not what the feed says (T-12).
    pub fn foreign_language(&self) -> Option<&'a Language> {
        self.story().language.as_ref().filter(|own| Some(*own) != self.spec.language.as_ref())
    }

    /// Who wrote it: a republished piece that names nobody has the original's author.
    pub fn authors(&self) -> Cow<'a, [Person]> {
        let story = self.story();
        let original = story.source.as_ref().and_then(|source| source.author.as_ref());
        match original {
            Some(name) if story.authors.is_empty() => {
                Cow::Owned(vec![Person { name: name.clone(), ..Person::default() }])
            }
            _ => Cow::Borrowed(&story.authors),
        }
    }

    /// What may be done with it, when that is not what the site says.
    pub fn rights(&self) -> Option<&'a Text> {
        self.story().rights.as_ref().filter(|own| Some(*own) != self.spec.site.rights.as_ref())
    }

    /// Tags, each once, without those that a category says already.
    pub fn tags(&self) -> Vec<&'a Text> {
        let story = self.story();
        let mut said: BTreeSet<_> = story.categories.iter().map(|c| self.label(c)).collect();
        story.tags.iter().filter(|tag| !tag.is_empty() && said.insert(tag)).collect()
    }

    /// The one text of an entry without a body: its summary, or else its title (R-40, J-15).
    pub fn text(&self) -> Text {
        let summary = &self.story().summary;
        if summary.is_empty() { self.title() } else { summary.clone() }
    }

    /// What people call a category.
    pub fn label(&self, category: &'a Category) -> &'a Text {
        self.spec.site.label(category)
    }

    /// The partner's name for the first category that has one.
    pub fn name_at_partner(&self) -> Option<&'a Text> {
        let names = &self.spec.terms.as_ref()?.categories;
        self.story().categories.iter().find_map(|category| names.get(&category.slug))
    }

    /// The pictures, main one first; none in a feed without pictures.
    pub fn pictures(&self) -> &'a [Picture] {
        if self.spec.pictures { &self.story().pictures } else { &[] }
    }

    /// The file an RSS item has as its enclosure: in a show, the one that plays.
    pub fn enclosure(&self) -> Option<&'a Attachment> {
        let story = self.story();
        let plays = || story.media().filter(|_| self.spec.show.is_some());
        plays().or_else(|| story.attachments.first())
    }

    /// Every file, for formats that take several: the attachments, then the same episode in other files.
    pub fn files(&self) -> Cow<'a, [Attachment]> {
        let story = self.story();
        let others = story.episode.iter().flat_map(|episode| &episode.alternate_enclosures);
        let mut others = others.filter_map(|other| {
            let (mime_type, title) = (other.mime_type.clone(), other.title.clone());
            let url = other.sources.first()?.clone();
            Some(Attachment { url, mime_type, title, bytes: other.bytes, seconds: None })
        });
        let Some(first) = others.next() else { return Cow::Borrowed(&story.attachments) };
        Cow::Owned(story.attachments.iter().cloned().chain([first]).chain(others).collect())
    }

    /// The whole text as an HTML fragment: main picture (M-11), content, other pictures, origin (M-20), as far as the
    /// dialect takes it. `None` in a feed of summaries, or when there is nothing to show.
    pub fn body(&self) -> Option<String> {
        let story = self.story();
        if !self.spec.full_text {
            return None;
        }
        let missing = |picture: &&Picture| !story.content.shows(&picture.url);
        let dialect = self.spec.dialect();
        let main = self.pictures().first().filter(|_| dialect.lead_in_body).filter(missing);
        let others = self.pictures().iter().skip(1).filter(missing);
        let body = html! {
            @if let Some(picture) = main { (self.figure(picture)) }
            (maud::PreEscaped(story.content.as_str()))
            @for picture in others { (self.figure(picture)) }
            @if let Some(source) = &story.source { (self.origin(source)) }
        };
        let body = body.into_string();
        let body = match &dialect.html {
            Some(limits) => Html::narrowed(&body, limits),
            None => body,
        };
        (!body.is_empty()).then_some(body)
    }

    fn figure(&self, picture: &Picture) -> Markup {
        let (open, close) =
            if self.is_chinese() || self.speaks("ja") { ("（", "）") } else { (" (", ")") };
        let Picture { url, caption, credit, alt, width, height, .. } = picture;
        let shown = if alt.is_empty() { caption } else { alt };
        html! {
            figure {
                img src=(url) alt=(shown) width=[width] height=[height];
                @match (caption.is_empty(), credit.is_empty()) {
                    (true, true) => {}
                    (true, false) => figcaption { (credit) },
                    (false, true) => figcaption { (caption) },
                    (false, false) => figcaption { (caption) (open) (credit) (close) },
                }
            }
        }
    }

    /// The law for Chinese news asks for source, original author and title of a republished piece.
    fn origin(&self, source: &Source) -> Markup {
        let (from, by) = match () {
            () if self.speaks("zh-Hant") => ("來源：", "，作者："),
            () if self.is_chinese() => ("来源：", "，作者："),
            () if self.speaks("ja") => ("出典：", "、"),
            () => ("Source: ", ", by "),
        };
        html! {
            p {
                (from)
                @match &source.url {
                    Some(url) => a href=(url) { (source.name) },
                    None => (source.name),
                }
                @if let Some(title) = &source.title {
                    @if self.is_chinese() { "《" (title) "》" } @else { ", “" (title) "”" }
                }
                @if let Some(author) = &source.author { (by) (author) }
            }
        }
    }

    fn is_chinese(&self) -> bool {
        self.speaks("zh")
    }

    fn speaks(&self, language: &str) -> bool {
        let own = self.story().language.as_ref().or(self.spec.language.as_ref());
        let wanted =
            language.parse::<Language>().expect("a language of this file is a language tag");
        own.is_some_and(|own| wanted.covers(own))
    }
}

/// What stays as it is in an address that holds any text (RFC 3986 section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
