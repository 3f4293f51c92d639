//! The head of a page: its addresses, Open Graph and other `meta`, its title.

use scraper::Html;
use url::Url;

use super::{Facts, byline, linked::split, named, printed::Order, select};
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
    /// What relative addresses in it are resolved against.
    pub base: Option<Url>,
    pub others: Vec<Url>,
    pub is_mobile: bool,
}

/// Most links of one kind that are looked at.
const MAX_LINKS: usize = 100;
/// Longest summary, in bytes.
const MAX_SUMMARY: usize = 4_000;
/// Longest name of a category, in bytes.
const MAX_SECTION: usize = 100;

pub(super) fn address(tree: &Html, text: &str) -> Address {
    let saved = saved_from(text);
    let linked = |selector: &str| {
        let links = select(tree, selector).into_iter().take(MAX_LINKS);
        links
            .filter_map(|link| web_url(link.value().attr("href")?, saved.as_ref()))
            .collect::<Vec<_>>()
    };
    let canonical = linked("link[rel~='canonical']").into_iter().next();
    let stated = meta(tree, &["og:url"]).and_then(|raw| web_url(&raw, saved.as_ref()));
    let own = saved.clone().or_else(|| stated.clone()).or_else(|| canonical.clone());
    let page = own.as_ref().or(canonical.as_ref());
    let base = select(tree, "base[href]").first().and_then(|base| base.value().attr("href"));
    let base = base.and_then(|raw| web_url(raw, page)).or_else(|| page.cloned());
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
    Address { own, canonical: canonical.or(stated), base, others, is_mobile }
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
        // Some systems write the number or the page of an account.
        let is_names =
            |raw: &String| !raw.starts_with("http") && raw.chars().any(char::is_alphabetic);
        let all = one(names).filter(is_names).map(|raw| byline::names(&raw)).unwrap_or_default();
        all.iter().map(|name| named(name)).collect()
    };
    let source = one(&["source", "mediaid", "article:source", "contentsource", "dc.source"]);
    let source = source.map(|name| byline::source(&name).to_owned());
    let language = select(tree, "html[lang]").first().and_then(|html| html.value().attr("lang"));
    Facts {
        title: one(&["og:title", "articletitle", "twitter:title"]),
        summary: one(&["og:description", "description", "twitter:description"])
            .filter(|summary| summary.len() <= MAX_SUMMARY),
        published: one(&[
            "article:published_time",
            "article:published",
            "og:article:published_time",
            "og:published_time",
            "og:release_date",
            "pubdate",
            "publishdate",
            "publish_date",
            "publish-date",
            "publish_time",
            "publishtime",
            "published_at",
            "published_time",
            "datepublished",
            "article.published",
            "article_date_original",
            "originalpublicationdate",
            "cxenseparse:recs:publishtime",
            "sailthru.date",
            "parsely-pub-date",
            "dcterms.issued",
            "dcterms.created",
            "dcterms.date",
            "dc.date.issued",
            "dc.date.created",
            "dc.date",
            "dc.created",
            "citation_publication_date",
            "citation_date",
            "pubtime",
            "apub:time",
            "og:pubdate",
            "date",
            "datecreated",
            "creation_date",
            "weibo: article:create_at",
            "firstpublishedtime",
            // What Baidu calls so is when an article was put up.
            "dateupdate",
        ]),
        modified: one(&[
            "article:modified_time",
            "og:updated_time",
            "datemodified",
            "weibo: article:update_at",
        ]),
        section: one(&["article:section", "columnname"])
            .filter(|section| section.len() <= MAX_SECTION),
        tags: one(&["keywords", "news_keywords", "article:tag"])
            .map(|raw| split(&raw))
            .unwrap_or_default(),
        authors: people(&["author", "article:author", "dc.creator"]),
        editors: people(&["editor", "article:editor"]),
        source: source.map(|name| SourceRecord { name: Some(name), ..SourceRecord::default() }),
        image: one(&["og:image", "twitter:image"]),
        language: language
            .map(str::trim)
            .filter(|code| code.len() >= 2)
            .map(|code| code.replace('_', "-")),
        ..Facts::default()
    }
}

/// What a page is called in its head and headings, for comparison.
pub(super) fn titles(tree: &Html) -> Vec<String> {
    let said = ["og:title", "twitter:title"].iter().filter_map(|name| meta(tree, &[name]));
    let shown = select(tree, "title, h1").into_iter().take(20);
    let shown = shown.map(|element| element.text().collect::<String>());
    said.chain(shown)
        .map(|raw| Text::new(&raw).to_string())
        .filter(|title| !title.is_empty())
        .collect()
}

/// Which of two numbers in a date is the day, in a language.
pub(super) fn date_order(language: Option<&str>) -> Order {
    let language = language.unwrap_or_default().to_ascii_lowercase();
    let is_american = language == "en" || language.starts_with("en-us");
    if is_american { Order::MonthFirst } else { Order::DayFirst }
}
