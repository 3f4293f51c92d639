//! A feed as a page for people (T-51): what it is, how to subscribe, what is new.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Format,
    page::{Head, Page},
};
use crate::{
    article::{Attachment, Picture},
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
        "\n"
        main {
            header.title {
                @if let Some(show) = &spec.show {
                    img.artwork src=(show.artwork) alt="" width="240" height="240" decoding="async" referrerpolicy="no-referrer";
                }
                h1 dir="auto" lang=[content] { (spec.short_title()) }
                p.about dir="auto" lang=[content] { (spec.description) }
                p.facts lang=[chrome] {
                    span { (words.changed) " " (page.time(feed.changed)) }
                    " "
                    a href=(spec.home) { (words.home) }
                }
            }
            "\n"
            section.subscribe lang=[chrome] {
                h2 { (words.subscribe) }
                p { (words.invitation) }
                @if spec.show.is_some() { (apps(&page, spec)) }
                (addresses(spec))
                p.advice { (words.advice) }
            }
            "\n"
            section.newest {
                h2 lang=[chrome] {
                    @if spec.show.is_some() { (words.episodes) } @else { (words.newest) }
                }
                @for entry in feed.entries().take(SHOWN) { (article(&page, &entry)) }
                @if feed.entries().len() == 0 { p lang=[chrome] { (words.nothing) } }
            }
        }
    };
    page.render(&head, [spec], &body)
}

/// One address a line; a click or a long press selects the whole of it.
fn addresses(spec: &FeedSpec) -> Markup {
    html! {
        dl.addresses {
            @for format in Format::FEEDS {
                @let address = spec.address(format.extension());
                "\n"
                dt { a href=(address) type=(format.media_type()) { (format) } }
                dd { code dir="ltr" { (address) } }
            }
        }
    }
}

/// The same show in the apps that many listeners have.
fn apps(page: &Page<'_>, spec: &FeedSpec) -> Markup {
    let feed = spec.address(Format::Rss.extension());
    let bare = feed.split_once("://").map_or(feed.as_str(), |(_, bare)| bare);
    let encoded = utf8_percent_encode(&feed, NON_ALPHANUMERIC);
    let links = [
        ("Apple Podcasts", format!("podcast://{bare}")),
        ("Overcast", format!("overcast://x-callback-url/add?url={encoded}")),
        ("Pocket Casts", format!("pktc://subscribe/{bare}")),
        ("AntennaPod", format!("https://antennapod.org/deeplink/subscribe?url={encoded}")),
    ];
    html! {
        p.apps {
            (page.words.listen)
            @for (app, link) in links { " " a href=(link) { (app) } }
        }
    }
}

/// Plain controls of the browser: no script, and nothing is loaded before somebody asks.
fn player(media: &Attachment) -> Markup {
    html! {
        @if media.mime_type.as_str().starts_with("video/") {
            video controls preload="none" src=(media.url) {}
        } @else {
            audio controls preload="none" src=(media.url) {}
        }
    }
}

fn article(page: &Page<'_>, entry: &Entry<'_>) -> Markup {
    let title = entry.title();
    let summary = entry.story().summary.cut(SUMMARY_LENGTH);
    html! {
        "\n"
        article lang=[page.content()] {
            div.words lang=[entry.foreign_language()] {
                h3 dir="auto" { a href=(entry.page()) { (title) } }
                @if !summary.is_empty() && summary != title { p dir="auto" { (summary) } }
                @if let Some(media) = entry.story().media() { (player(media)) }
            }
            @if let Some(picture) = entry.pictures().first() { (thumbnail(picture)) }
            p.facts lang=[page.chrome()] { (page.time(entry.published())) }
        }
    }
}

/// The frame stays as it is while the picture is on its way, or never comes.
fn thumbnail(picture: &Picture) -> Markup {
    html! {
        // Many hosts of pictures refuse those who come from another site, and say so.
        img src=(picture.url) alt=(picture.alt) loading="lazy" decoding="async" referrerpolicy="no-referrer";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        article::Story,
        format::sample::{HOSTILE, category, feed, named, site, spec},
        text::Text,
    };

    fn story(title: &str, summary: &str) -> Story {
        Story { title: Text::new(title), summary: Text::new(summary), ..Story::default() }
    }

    fn page(language: &str, stories: Vec<Story>) -> String {
        let feed = feed(spec(site(language), category("politics")), stories);
        String::from_utf8(render(&feed)).unwrap()
    }

    #[test]
    fn no_text_of_a_publisher_is_markup() {
        let mut hostile = site("en");
        hostile.title = Text::new(HOSTILE);
        hostile.rights = Some(Text::new(HOSTILE));
        let mut told = story(HOSTILE, &HOSTILE.repeat(2));
        let mut picture =
            Picture::bare("https://img.example.com/a.jpg?a=1&b=\"><p>".parse().unwrap());
        picture.alt = Text::new(HOSTILE);
        told.pictures = vec![picture];
        let mut own = spec(hostile, named("news"));
        own.title = Text::new(HOSTILE);
        own.description = Text::new(HOSTILE);
        let page = String::from_utf8(render(&feed(own, vec![told]))).unwrap();
        assert!(!page.contains("<script") && !page.contains("alert(\"1\")"), "{page}");
        assert!(!page.contains("b=\">") && page.contains("?a=1&amp;b="), "{page}");
    }

    #[test]
    fn a_page_speaks_the_language_of_its_feed() {
        let mut foreign = story("Bonjour", "");
        foreign.language = "fr".parse().ok();
        let stories = vec![story("News", ""), foreign];
        for (language, expected) in [
            (
                "en-GB",
                ["<html lang=\"en-GB\">", "<h2>Subscribe", "<article><div class=\"words\"><h3"],
            ),
            ("zh-CN", ["<html lang=\"zh-CN\">", "<h2>订阅<", "<h2>最新文章"]),
            (
                "zh-TW",
                ["<html lang=\"zh-TW\">", "<h2>訂閱<", "<time datetime=\"2026-03-05T08:30:00Z\">"],
            ),
            (
                "de",
                [
                    "<html lang=\"de\">",
                    "<section class=\"subscribe\" lang=\"en\">",
                    "<h2 lang=\"en\">Newest",
                ],
            ),
            ("", ["<html lang=\"en\">", "<h1 dir=\"auto\" lang=\"\">", "<article lang=\"\">"]),
        ] {
            let page = page(language, stories.clone());
            let every = ["<div class=\"words\" lang=\"fr\">"].into_iter().chain(expected);
            for piece in every {
                assert!(page.contains(piece), "{language}: {piece} in {page}");
            }
        }
    }

    #[test]
    fn a_summary_is_shown_once() {
        for (title, summary, times) in [
            ("Title", "What it says", 1),
            ("Title", "", 0),
            ("The same", "The same", 0),
            ("", "Alone", 0),
        ] {
            let mut story = story(title, summary);
            story.is_brief = true;
            let shown = page("en", vec![story]).matches("</h3><p dir").count();
            assert_eq!(shown, times, "{title}: {summary}");
        }
    }

    #[test]
    fn a_feed_without_pictures_has_a_page_without() {
        let mut told = story("Title", "");
        told.pictures = vec![Picture::bare("https://img.example.com/a.jpg".parse().unwrap())];
        assert!(page("en", vec![told.clone()]).contains("<img"));
        let mut plain = spec(site("en"), named("news"));
        plain.pictures = false;
        let page = String::from_utf8(render(&feed(plain, vec![told]))).unwrap();
        assert!(!page.contains("<img"));
    }

    #[test]
    fn an_empty_feed_says_so() {
        assert!(page("en", Vec::new()).contains("No articles yet."));
        assert!(page("zh", Vec::new()).contains("暂无文章。"));
    }

    #[test]
    fn a_page_is_no_longer_than_a_usual_feed() {
        let page = page("en", vec![story("Title", ""); SHOWN + 1]);
        assert_eq!(page.matches("<article").count(), SHOWN);
    }

    #[test]
    fn addresses_are_there_to_copy() {
        let page = page("en", Vec::new());
        for extension in Format::FEEDS.map(Format::extension) {
            let address = format!(
                "<code dir=\"ltr\">https://feeds.example.com/category/politics.{extension}</code>"
            );
            assert!(page.contains(&address), "{address}");
        }
        assert_eq!(page.matches("rel=\"alternate\"").count(), 1);
    }

    #[test]
    fn times_are_those_of_the_feed() {
        let shown = "<time datetime=\"2026-03-05T08:30:00Z\">5 March 2026, 08:30 UTC</time>";
        assert_eq!(page("en", vec![story("Title", "")]).matches(shown).count(), 2);
    }
}
