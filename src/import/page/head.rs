//! The head of a page: its addresses, Open Graph and other `meta`, its title.

use scraper::Html;
use url::Url;

use super::{Facts, byline, linked::split, named, select};
use crate::{
    import::record::SourceRecord,
    text::{Text, web_url},
};

/// Where a page is, and where the same article is for other screens.
#[derive(Debug, Default)]
pub(super) struct Address {
    /// Where this page was.
    pub own: Option<Url>,
    /// The article's page, as this one says.
    pub canonical: Option<Url>,
    pub others: Vec<Url>,
    pub is_mobile: bool,
}

pub(super) fn address(tree: &Html, text: &str) -> Address {
    let linked = |selector: &str| {
        let links = select(tree, selector).into_iter();
        links.filter_map(|link| web_url(link.value().attr("href")?, None)).collect::<Vec<_>>()
    };
    let canonical = linked("link[rel~='canonical']").into_iter().next();
    let stated = meta(tree, &["og:url"]).and_then(|raw| web_url(&raw, None));
    let own = saved_from(text).or_else(|| stated.clone()).or_else(|| canonical.clone());
    let mut others = linked("link[rel~='alternate'][media], link[rel~='amphtml']");
    // `<meta name="mobile-agent" content="format=html5;url=…">`
    let agents = select(tree, "meta[name='mobile-agent' i]").into_iter();
    let agents = agents.filter_map(|element| element.value().attr("content"));
    others.extend(agents.filter_map(|content| web_url(content.split("url=").nth(1)?, None)));
    let device = meta(tree, &["applicable-device"]).unwrap_or_default();
    let is_mobile = own.as_ref().is_some_and(super::twin::is_for_small_screens)
        || device.trim().eq_ignore_ascii_case("mobile");
    if is_mobile {
        others.extend(canonical.clone());
    }
    others.retain(|other| Some(other) != own.as_ref());
    Address { own, canonical: canonical.or(stated), others, is_mobile }
}

/// What is noted when a page is saved, by browsers or by `SingleFile`. Other comments have addresses as well.
fn saved_from(text: &str) -> Option<Url> {
    let head = &text[..text.floor_char_boundary(8_192)];
    head.split("<!--").skip(1).find_map(|comment| {
        let comment = comment.split("-->").next()?.trim();
        let address = noted_by_browser(comment).or_else(|| noted_by_single_file(comment))?;
        web_url(address.split_whitespace().next()?, None)
    })
}

/// `saved from url=(0042)https://…`, with the length of the address.
fn noted_by_browser(comment: &str) -> Option<&str> {
    let (length, address) = comment.strip_prefix("saved from url=(")?.split_once(')')?;
    let is_length = length.len() == 4 && length.bytes().all(|byte| byte.is_ascii_digit());
    is_length.then_some(address)
}

/// `Page saved with SingleFile`, and on the next line `url: https://…`.
fn noted_by_single_file(comment: &str) -> Option<&str> {
    let mut lines = comment.lines().map(str::trim);
    lines.next().filter(|first| first.ends_with("SingleFile"))?;
    lines.next()?.strip_prefix("url: ")
}

/// The first `meta` of these names, or properties, that says something.
pub(super) fn meta(tree: &Html, names: &[&str]) -> Option<String> {
    let all = select(tree, "meta[content]");
    names.iter().find_map(|name| {
        let found = all.iter().find(|element| {
            let is_named = |key| {
                element.value().attr(key).is_some_and(|own| own.trim().eq_ignore_ascii_case(name))
            };
            (is_named("name") || is_named("property") || is_named("itemprop"))
                && element.value().attr("content").is_some_and(|content| !content.trim().is_empty())
        });
        Some(found?.value().attr("content")?.trim().to_owned())
    })
}

pub(super) fn facts(tree: &Html) -> Facts {
    let one = |names: &[&str]| meta(tree, names).map(|raw| Text::new(&raw).as_str().to_owned());
    let people = |names: &[&str]| {
        let all = one(names).map(|raw| split(&raw)).unwrap_or_default();
        // Some systems write the number of an account.
        let is_name = |name: &&String| {
            !name.starts_with("http")
                && name.chars().count() <= 40
                && name.chars().any(char::is_alphabetic)
        };
        all.iter().filter(is_name).map(|name| named(name)).collect()
    };
    let source = one(&["source", "mediaid", "article:source", "contentsource", "dc.source"]);
    let source = source.map(|name| byline::source(&name).to_owned());
    let language = select(tree, "html[lang]").first().and_then(|html| html.value().attr("lang"));
    Facts {
        title: one(&["og:title", "articletitle", "twitter:title"]),
        summary: one(&["og:description", "description", "twitter:description"]),
        published: one(&[
            "article:published_time",
            "og:release_date",
            "pubdate",
            "publishdate",
            "publish_time",
            "datepublished",
            "dc.date.issued",
            "weibo: article:create_at",
        ]),
        modified: one(&[
            "article:modified_time",
            "og:updated_time",
            "datemodified",
            "weibo: article:update_at",
        ]),
        section: one(&["article:section", "columnname"]),
        tags: one(&["keywords", "news_keywords", "article:tag"])
            .map(|raw| split(&raw))
            .unwrap_or_default(),
        authors: people(&["author", "article:author", "dc.creator"]),
        editors: people(&["editor", "article:editor"]),
        source: source.map(|name| SourceRecord { name: Some(name), ..SourceRecord::default() }),
        image: one(&["og:image", "twitter:image"]),
        language: language.map(str::trim).filter(|code| code.len() >= 2).map(str::to_owned),
        is_article: one(&["og:type"])
            .is_some_and(|kind| kind.contains("article") || kind == "news"),
        ..Facts::default()
    }
}

/// The headline of a page that says it to people only.
pub(super) fn title(tree: &Html) -> Option<String> {
    let words = |selector: &str| {
        let found = select(tree, selector).into_iter();
        let texts =
            found.map(|element| Text::new(&element.text().collect::<String>()).as_str().to_owned());
        texts.max_by_key(|text| text.chars().count()).filter(|text| text.chars().count() >= 4)
    };
    words("h1").or_else(|| words("head > title")).or_else(|| words("title"))
}

/// A title without the name of the site at its end: `新馆开放_城东网`.
pub(super) fn without_site(title: Option<String>, tree: &Html) -> Option<String> {
    let title = title?;
    let heading = self::title(tree).filter(|heading| heading.chars().count() >= 4);
    // What stands in the page as its headline has no name of a site.
    if let Some(heading) = heading.filter(|heading| title.starts_with(heading.as_str())) {
        return Some(heading);
    }
    let site = meta(tree, &["og:site_name"]);
    let shown = |part: &str| {
        let headings = select(tree, "h1, h2, h3");
        headings.iter().any(|h| Text::new(&h.text().collect::<String>()).as_str() == part)
    };
    for mark in ["_", " - ", " | ", "-", "|", "——", "--"] {
        if let Some((first, rest)) = title.split_once(mark)
            && first.trim().chars().count() >= 4
            && (shown(first.trim())
                || site.as_deref().is_some_and(|site| rest.contains(site))
                || mark == "_")
        {
            return Some(first.trim().to_owned());
        }
    }
    Some(title)
}
