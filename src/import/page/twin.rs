//! One article for large screens and small: pages that say the same become one.

use std::collections::HashMap;

use url::Url;

use super::Page;
use crate::import::record::{Key, Record};

/// What begins the hosts of pages for small screens.
const HOSTS: [&str; 6] = ["m.", "wap.", "3g.", "mobile.", "h5.", "touch."];
/// The same as a segment of a path.
const SEGMENTS: [&str; 5] = ["m", "wap", "mobile", "3g", "amp"];

pub(super) fn is_for_small_screens(url: &Url) -> bool {
    url.host_str().is_some_and(|host| HOSTS.iter().any(|begin| host.starts_with(begin)))
        || url
            .path_segments()
            .is_some_and(|mut path| path.any(|segment| SEGMENTS.contains(&segment)))
}

/// An address without what is about the device or the visit: the same for all pages of an article that differ in no more.
pub fn key(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let bare =
        HOSTS.iter().find_map(|begin| host.strip_prefix(begin)).filter(|rest| rest.contains('.'));
    let bare = bare.unwrap_or(host);
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    let path = url.path_segments().map(|segments| {
        segments.filter(|segment| !SEGMENTS.contains(segment)).collect::<Vec<_>>().join("/")
    });
    let path = path.unwrap_or_default();
    let path = path.trim_end_matches('/');
    let is_about_the_visit = |name: &str| {
        name.starts_with("utm_")
            || ["from", "spm", "fr", "isappinstalled", "share", "wfr", "fbclid", "gclid"]
                .contains(&name)
    };
    let query: Vec<String> = url
        .query_pairs()
        .filter(|(name, _)| !is_about_the_visit(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if query.is_empty() {
        format!("{bare}/{path}")
    } else {
        format!("{bare}/{path}?{}", query.join("&"))
    }
}

/// Joins the pages of one article: those that name each other, have addresses that differ by the device alone, or the same
/// title and minute, and no two sources. In the order in which the articles first came.
pub fn merge(pages: Vec<Page>) -> Vec<Page> {
    let mut merged: Vec<Page> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for page in pages {
        let (signs, told) = (signs(&page), told(&page));
        let same = signs.iter().find_map(|sign| known.get(sign).copied());
        let alike = || {
            let at = known.get(told.as_ref()?).copied()?;
            merged.get(at).is_some_and(|other| agree(&page.record, &other.record)).then_some(at)
        };
        let same = same.or_else(alike);
        let at = if let Some((at, first)) = same.and_then(|at| Some((at, merged.get_mut(at)?))) {
            let other = std::mem::take(first);
            // Pages for large screens say more.
            *first = if other.is_mobile && !page.is_mobile {
                joined(page, other)
            } else {
                joined(other, page)
            };
            at
        } else {
            merged.push(page);
            merged.len() - 1
        };
        for sign in signs.into_iter().chain(told) {
            known.entry(sign).or_insert(at);
        }
    }
    merged
}

fn signs(page: &Page) -> Vec<String> {
    let Page { record, own, others, .. } = page;
    let id = match &record.id {
        Some(Key::Text(id)) => Some(id.clone()),
        _ => None,
    };
    own.iter().chain(others).map(key).chain(id).collect()
}

/// Title and minute: pages differ in whether they have seconds.
fn told(page: &Page) -> Option<String> {
    let Record { title, date_published, .. } = &page.record;
    let date = date_published.as_ref().filter(|date| date.len() > 10)?;
    let minute = date.get(..16).unwrap_or(date).replace('T', " ");
    Some(format!("{}\n{minute}", title.as_ref()?))
}

/// Whether two pages name no two sources: `城东网－城东日报` is `城东日报`.
fn agree(a: &Record, b: &Record) -> bool {
    let name = |record: &Record| record.source.as_ref().and_then(|source| source.name.clone());
    let (Some(a), Some(b)) = (name(a), name(b)) else { return true };
    a.contains(&b) || b.contains(&a)
}

fn joined(main: Page, other: Page) -> Page {
    let mobile = if other.is_mobile { other.own.clone() } else { None };
    let own = main.own.clone();
    let same = |url: &Url| Some(url) == own.as_ref();
    let mobile = mobile.filter(|url| !same(url));
    let captioned = |record: &Record| {
        let images = record.images.as_deref().unwrap_or_default();
        images.iter().filter(|image| image.caption.is_some()).count()
    };
    let (a, b) = (main.record, other.record);
    let is_fuller = captioned(&b) > captioned(&a);
    let text = |record: &Record| record.content_html.as_ref().map_or(0, String::len);
    // The one with more captions has the better body, unless it is cut.
    let takes_other = is_fuller && text(&b) * 2 > text(&a);
    let (content_html, images) = if takes_other {
        (b.content_html.or(a.content_html), b.images.or(a.images))
    } else {
        (a.content_html.or(b.content_html), a.images.or(b.images))
    };
    let record = Record {
        mobile_url: mobile.map(String::from).or(a.mobile_url),
        url: own.map(String::from).or(a.url),
        content_html,
        images,
        summary: a.summary.or(b.summary),
        date_published: longer(a.date_published, b.date_published),
        date_modified: a.date_modified.or(b.date_modified),
        authors: a.authors.or(b.authors),
        editors: a.editors.or(b.editors),
        source: a.source.or(b.source),
        tags: a.tags.or(b.tags),
        categories: a.categories.or(b.categories),
        ..a
    };
    Page {
        record,
        name: main.name,
        own: main.own,
        is_mobile: main.is_mobile,
        others: [main.others, other.others].concat(),
    }
}

/// The date that says more.
pub(super) fn longer(a: Option<String>, b: Option<String>) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b))
            if b.len() > a.len() && b.starts_with(a.get(..10).unwrap_or(&a)) && a.len() <= 10 =>
        {
            Some(b)
        }
        (a, b) => a.or(b),
    }
}
