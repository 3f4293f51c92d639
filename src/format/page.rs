//! What all pages for people have in common: head matter, language, foot.
//!
//! No script, and nothing from elsewhere but pictures (T-54).

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{DOCTYPE, Markup, html};

use super::{Format, words::Words};
use crate::{
    category::Language,
    feed::{FeedSpec, Site},
    text::Text,
};

/// How pages look; served at `/style.css`.
pub const STYLE: &str = include_str!("style.css");

/// The format that pages advise.
pub(super) const ADVISED: Format = Format::Rss;

/// A page, apart from what it shows.
///
/// Its language is that of what it shows. Its own words may be in another, and then say so: see [`Page::chrome`].
pub(super) struct Page<'a> {
    site: &'a Site,
    language: Option<&'a Language>,
    /// What the page itself says.
    pub(super) words: &'static Words,
}

impl<'a> Page<'a> {
    pub(super) fn new(site: &'a Site, language: Option<&'a Language>) -> Self {
        Self { site, language, words: Words::near(language) }
    }

    /// The `lang` of an element that holds the page's own words.
    pub(super) fn chrome(&self) -> Option<&'static str> {
        let is_other = self.language.is_none_or(|own| own.primary() != self.words.primary());
        is_other.then_some(self.words.tag)
    }

    /// The `lang` of an element that holds text of the publisher.
    pub(super) fn content(&self) -> Option<&'static str> {
        // Empty: nobody knows. Otherwise a reader's voice would take the page's own words as a sign.
        self.language.is_none().then_some("")
    }

    /// The `lang` of an element within the publisher's text that is written in `language`.
    pub(super) fn part(&self, language: Option<&'a Language>) -> Option<&'a str> {
        (language != self.language).then(|| language.map_or("", Language::as_str))
    }

    /// A time in the publication's zone.
    pub(super) fn time(&self, time: DateTime<Utc>) -> Markup {
        let exact = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        html! { time datetime=(exact) { (self.words.time(time, self.site.time_zone)) } }
    }

    /// The address of the list of all feeds for programs.
    pub(super) fn opml(&self) -> String {
        self.site.address("feeds.opml")
    }

    /// The address of the list of all feeds for people.
    pub(super) fn index(&self) -> String {
        self.site.address("")
    }

    /// The whole document. `announced` are the feeds that programs may find on it, the main one first.
    pub(super) fn render<'f>(
        &self,
        head: &Head<'_>,
        announced: impl IntoIterator<Item = &'f FeedSpec>,
        body: &Markup,
    ) -> Vec<u8> {
        let (extension, media_type) = (ADVISED.extension(), ADVISED.media_type());
        let own = self.language.map_or(self.words.tag, Language::as_str);
        html! {
            (DOCTYPE)
            html lang=(own) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title lang=[self.content()] { (head.title) }
                    @if !head.description.is_empty() {
                        meta name="description" content=(head.description);
                    }
                    link rel="canonical" href=(head.address);
                    // Each link another feed, and none in two formats (O-10, O-11): readers ask people to choose among
                    // links, and the choice should be about what to read.
                    @for spec in announced {
                        "\n"
                        link rel="alternate" type=(media_type) title=(spec.title) href=(spec.address(extension));
                    }
                    "\n"
                    link rel="outline" type="text/x-opml" href=(self.opml());
                    @if let Some(icon) = &self.site.icon { link rel="icon" href=(icon); }
                    // By path: the policy asks for our own origin, under whatever name somebody came here.
                    link rel="stylesheet" href={ (self.site.base.path()) "style.css" };
                }
                "\n"
                body {
                    (body)
                    "\n"
                    (self.foot())
                }
            }
        }
        .into_string()
        .into_bytes()
    }

    fn foot(&self) -> Markup {
        html! {
            footer {
                nav {
                    a href=(self.site.url) lang=[self.content()] { (self.site.title) }
                    " "
                    a href=(self.index()) lang=[self.chrome()] { (self.words.all_feeds) }
                    " "
                    a href=(self.opml()) type="text/x-opml" lang=[self.chrome()] { (self.words.opml) }
                }
                @if let Some(rights) = &self.site.rights {
                    p.rights dir="auto" lang=[self.content()] { (rights) }
                }
            }
        }
    }
}

/// What a page is called, and where it is.
pub(super) struct Head<'a> {
    pub(super) title: &'a str,
    pub(super) description: &'a Text,
    pub(super) address: String,
}
