//! The page at `/`: which feeds there are.

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::page::{FORMATS, Head, Page};
use crate::feed::{Contact, FeedSpec, Listing};

/// What an address of mail cannot hold in a `mailto:` link; `?` would begin a subject (RFC 6068 section 2).
const MAILBOX: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'@').remove(b'.').remove(b'-').remove(b'_').remove(b'+');

/// The page that names all feeds: equal listings, equal bytes.
pub fn render(listing: &Listing) -> Vec<u8> {
    let site = listing.site.as_ref();
    let page = Page::new(site, site.language.as_ref());
    let words = page.words;
    let (chrome, content) = (page.chrome(), page.content());
    let head = Head {
        title: &format!("{} - {}", site.title, words.all_feeds),
        description: &site.description,
        address: page.index(),
    };
    let (named, categories) = (listing.named(), listing.categories());
    let body = html! {
        header.nameplate lang=[content] {
            h1 dir="auto" { a href=(site.url) { (site.title) } }
            @if !site.description.is_empty() { p.about dir="auto" { (site.description) } }
        }
        main {
            section.subscribe lang=[chrome] {
                h2 { (words.subscribe) }
                p { (words.directions) }
                p.advice { a href=(page.opml()) type="text/x-opml" { (words.opml) } }
            }
            @if !named.is_empty() { (group(&page, words.feeds, &named)) }
            @if !categories.is_empty() { (group(&page, words.categories, &categories)) }
            @if listing.feeds.is_empty() { p lang=[chrome] { (words.no_feeds) } }
            @if site.editor.is_some() || site.webmaster.is_some() {
                section.contact {
                    h2 lang=[chrome] { (words.contact) }
                    dl {
                        @if let Some(editor) = &site.editor { (contact(&page, words.editor, editor)) }
                        @if let Some(master) = &site.webmaster { (contact(&page, words.webmaster, master)) }
                    }
                }
            }
        }
    };
    page.render(&head, listing.feeds.iter().map(AsRef::as_ref), &body)
}

fn group(page: &Page<'_>, heading: &str, feeds: &[&FeedSpec]) -> Markup {
    html! {
        section.feeds {
            h2 lang=[page.chrome()] { (heading) }
            ul lang=[page.content()] {
                @for spec in feeds { (item(page, spec)) }
            }
        }
    }
}

fn item(page: &Page<'_>, spec: &FeedSpec) -> Markup {
    html! {
        li lang=[page.part(spec.language.as_ref())] {
            h3 dir="auto" { a href=(spec.address("")) { (spec.label()) } }
            p dir="auto" { (spec.description) }
            p.formats lang="en" {
                @for (name, extension, media_type) in FORMATS {
                    a href=(spec.address(extension)) type=(media_type) { (name) }
                }
            }
        }
    }
}

fn contact(page: &Page<'_>, role: &str, contact: &Contact) -> Markup {
    let mailbox = utf8_percent_encode(contact.email.as_str(), MAILBOX);
    html! {
        dt lang=[page.chrome()] { (role) }
        dd lang=[page.content()] { a href={ "mailto:" (mailbox) } { (contact.name) } }
    }
}
