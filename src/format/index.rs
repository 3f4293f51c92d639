//! The page at `/`: which feeds there are.

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Format,
    page::{Head, Page},
};
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
        "\n"
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
                "\n"
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
        "\n"
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
        "\n"
        li lang=[page.part(spec.language.as_ref())] {
            h3 dir="auto" { a href=(spec.address("")) { (spec.label()) } }
            p dir="auto" { (spec.description) }
            p.formats {
                @for format in Format::FEEDS {
                    " "
                    a href=(spec.address(format.extension())) type=(format.media_type()) { (format) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        feed::{FeedPath, Site},
        format::sample::{self, HOSTILE, category, named, site},
        text::Text,
    };

    fn page(site: &Site, paths: Vec<FeedPath>) -> String {
        String::from_utf8(render(&sample::listing(site, paths))).unwrap()
    }

    #[test]
    fn every_feed_is_listed_in_every_format() {
        let page = page(&site("en"), vec![named("news"), category("politics"), category("头条")]);
        for path in ["news", "category/politics", "category/%E5%A4%B4%E6%9D%A1"] {
            for ending in ["", ".rss", ".atom", ".json"] {
                let link = format!("<a href=\"https://feeds.example.com/{path}{ending}\"");
                assert_eq!(page.matches(&link).count(), 1, "{link}");
            }
        }
        assert_eq!(page.matches("rel=\"alternate\"").count(), 3);
    }

    #[test]
    fn no_text_of_a_publisher_is_markup() {
        let mut site = site("en");
        site.title = Text::new(HOSTILE);
        site.description = Text::new(HOSTILE);
        site.rights = Some(Text::new(HOSTILE));
        site.editor = Some(sample::contact(HOSTILE, HOSTILE));
        site.labels = [("politics".parse().unwrap(), Text::new(HOSTILE))].into();
        let page = page(&site, vec![named("news"), category("politics")]);
        assert!(!page.contains("<script") && !page.contains("alert(\"1\")"), "{page}");
    }

    #[test]
    fn a_mailbox_cannot_begin_a_letter() {
        let mut site = site("en");
        site.webmaster = Some(sample::contact("Web", "web+feeds@example.com?subject=a&body=b"));
        let page = page(&site, Vec::new());
        assert!(
            page.contains("\"mailto:web+feeds@example.com%3Fsubject%3Da%26body%3Db\""),
            "{page}"
        );
    }

    #[test]
    fn a_feed_in_another_language_says_so() {
        let mut listing = sample::listing(&site("zh-CN"), vec![named("news"), named("english")]);
        let mut english = FeedSpec::clone(&listing.feeds[1]);
        english.language = "en".parse().ok();
        listing.feeds[1] = english.into();
        let page = String::from_utf8(render(&listing)).unwrap();
        assert!(page.contains("<html lang=\"zh-CN\">") && page.contains("<h2>订阅源"), "{page}");
        assert!(page.contains(
            "<li lang=\"en\"><h3 dir=\"auto\"><a href=\"https://feeds.example.com/english\">"
        ));
        assert!(page.contains("<li><h3 dir=\"auto\"><a href=\"https://feeds.example.com/news\">"));
    }

    #[test]
    fn nothing_to_list_is_said() {
        assert!(page(&site("en"), Vec::new()).contains("No feeds yet."));
    }
}
