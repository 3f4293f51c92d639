//! A feed as a page for people (T-51): what it is, how to subscribe, what is new.

use chrono::SecondsFormat;
use maud::{Markup, html};

use super::{
    page::{FORMATS, Head, Page},
    words::Words,
};
use crate::{
    article::Picture,
    feed::{Entry, Feed, FeedSpec},
};

/// Most articles on a page: as many as a feed holds by default.
const SHOWN: usize = 40;

/// Longest summary, in characters as readers see them.
const SUMMARY_LENGTH: usize = 240;

/// The page at the address of the feed itself, without the extension of a format.
pub(super) fn render(feed: &Feed) -> Vec<u8> {
    let spec = feed.spec.as_ref();
    let page = Page::new(&spec.site, spec.language.as_ref());
    let words = page.words;
    let (chrome, content) = (page.chrome(), page.content());
    let head = Head {
        title: spec.title.as_str(),
        description: &spec.description,
        address: spec.address(""),
    };
    let body = html! {
        header.bar {
            p.name dir="auto" lang=[content] { a href=(spec.site.url) { (spec.site.title) } }
            nav lang=[chrome] { a href=(page.index()) { (words.all_feeds) } }
        }
        main {
            header.title {
                h1 dir="auto" lang=[content] { (spec.title) }
                p.about dir="auto" lang=[content] { (spec.description) }
                p.facts lang=[chrome] {
                    span { (words.changed) " " (time(words, feed.changed)) }
                    a href=(spec.home) { (words.home) }
                }
            }
            section.subscribe lang=[chrome] {
                h2 { (words.subscribe) }
                p { (words.invitation) }
                (addresses(spec))
                p.advice { (words.advice) }
            }
            section.newest {
                h2 lang=[chrome] { (words.newest) }
                @for entry in feed.entries().take(SHOWN) { (article(&page, &entry)) }
                @if feed.entries().len() == 0 { p lang=[chrome] { (words.nothing) } }
            }
        }
    };
    page.render(&head, [spec], &body)
}

/// One address a line; a single click or tap selects the whole of it.
fn addresses(spec: &FeedSpec) -> Markup {
    html! {
        dl.addresses {
            @for (name, extension, media_type) in FORMATS {
                @let address = spec.address(extension);
                dt { a href=(address) type=(media_type) { (name) } }
                dd { code dir="ltr" { (address) } }
            }
        }
    }
}

fn article(page: &Page<'_>, entry: &Entry<'_>) -> Markup {
    let title = entry.title();
    let summary = entry.story().summary.cut(SUMMARY_LENGTH);
    html! {
        article lang=[page.content()] {
            div.words lang=[entry.foreign_language()] {
                h3 dir="auto" { a href=(entry.page()) { (title) } }
                @if !summary.is_empty() && summary != title { p dir="auto" { (summary) } }
            }
            @if let Some(picture) = entry.pictures().first() { (thumbnail(picture)) }
            p.facts lang=[page.chrome()] { (time(page.words, entry.published())) }
        }
    }
}

/// The frame stays as it is while the picture is on its way, or never comes.
fn thumbnail(picture: &Picture) -> Markup {
    // Many hosts of pictures refuse those who name another site as the place they come from.
    html! {
        img src=(picture.url) alt=(picture.alt) loading="lazy" decoding="async" referrerpolicy="no-referrer";
    }
}

fn time(words: &Words, time: chrono::DateTime<chrono::Utc>) -> Markup {
    let exact = time.to_rfc3339_opts(SecondsFormat::Secs, true);
    html! { time datetime=(exact) { (words.time(time)) } }
}
