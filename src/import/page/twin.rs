//! One article for large screens and small: pages that say the same become one.

use std::collections::{HashMap, HashSet};

use url::Url;

use super::Page;
use crate::{
    import::record::{Key, Record},
    text::Text,
};

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

/// Whether an address is that of a site, where no article is.
pub(super) fn is_home(url: &Url) -> bool {
    key(url).split_once('/').is_some_and(|(_, rest)| rest.is_empty())
}

/// Joins the pages of one article: those of which one names the other, that have addresses which differ by the device alone,
/// or the same title, minute and parts of the text, and no two sources. An article has one page for each kind of screen: two whose addresses
/// differ are of two, whatever they name. In the order in which the articles first came.
pub fn merge(pages: Vec<Page>) -> Vec<Page> {
    let shared = shared(&pages);
    let small = named_for_small_screens(&pages);
    let mut merged: Vec<Joined> = Vec::new();
    let (mut own, mut named, mut titled) = (Index::new(), Index::new(), Index::new());
    for mut page in pages {
        let keys = keys(&page);
        page.is_mobile |= keys.iter().any(|key| small.contains(key) && !shared.contains(key));
        let others: Vec<String> = page.others.iter().map(key).collect();
        let others: Vec<_> = others.into_iter().filter(|other| !shared.contains(other)).collect();
        let told = told(&page);
        let same = keys.iter().flat_map(|key| [own.get(key), named.get(key)]);
        let same = same.chain(others.iter().map(|other| own.get(other))).flatten().copied();
        let alike = told.as_ref().and_then(|told| titled.get(told).copied());
        let alike = alike.filter(|at| {
            let known = &merged[*at].page.record;
            agree(&page.record, known) && is_same_text(&page.record, known)
        });
        let at = same.chain(alike).find(|at| merged[*at].takes(&page)).unwrap_or(merged.len());
        match merged.get_mut(at) {
            Some(known) => known.add(page),
            None => merged.push(Joined::new(page)),
        }
        for (index, signs) in
            [(&mut own, keys), (&mut named, others), (&mut titled, told.into_iter().collect())]
        {
            for sign in signs {
                index.entry(sign).or_insert(at);
            }
        }
    }
    merged.into_iter().map(|joined| joined.page).collect()
}

/// Articles by a sign of their pages.
type Index = HashMap<String, usize>;

/// The pages of an article.
struct Joined {
    page: Page,
    /// The keys of the page for large screens, and of that for small ones.
    keys: [Option<String>; 2],
}

impl Joined {
    fn new(page: Page) -> Self {
        let mut keys = [None, None];
        keys[usize::from(page.is_mobile)] = address_key(&page);
        Self { page, keys }
    }

    /// Whether a page can be of this article.
    fn takes(&self, page: &Page) -> bool {
        let (known, key) = (&self.keys[usize::from(page.is_mobile)], address_key(page));
        known.is_none() || key.is_none() || *known == key
    }

    fn add(&mut self, page: Page) {
        let known = &mut self.keys[usize::from(page.is_mobile)];
        *known = known.take().or_else(|| address_key(&page));
        let other = std::mem::take(&mut self.page);
        // Pages for large screens say more.
        self.page = if other.is_mobile && !page.is_mobile {
            joined(page, other)
        } else {
            joined(other, page)
        };
    }
}

/// What a page is known by: the keys of its address, and of the one that it says is the article's.
fn keys(page: &Page) -> Vec<String> {
    page.own.as_ref().map(key).into_iter().chain(id(page).map(str::to_owned)).collect()
}

fn id(page: &Page) -> Option<&str> {
    match &page.record.id {
        Some(Key::Text(id)) => Some(id),
        Some(Key::Number(_)) | None => None,
    }
}

/// The key of a page that says an address.
fn address_key(page: &Page) -> Option<String> {
    page.own.as_ref().and_then(|_| id(page)).map(str::to_owned)
}

/// What pages for large screens name as the page for small ones, which need not look like one.
fn named_for_small_screens(pages: &[Page]) -> HashSet<String> {
    let large = pages.iter().filter(|page| !page.is_mobile);
    let others = large.flat_map(|page| {
        let own = keys(page);
        page.others.iter().map(key).filter(move |other| !own.contains(other))
    });
    others.collect()
}

/// Addresses that name no article: those of sites, and those that the pages of more than two articles name.
fn shared(pages: &[Page]) -> HashSet<String> {
    let mut namers: HashMap<String, HashSet<Option<&str>>> = HashMap::new();
    let mut homes = HashSet::new();
    for page in pages {
        for other in &page.others {
            if is_home(other) {
                homes.insert(key(other));
            }
            namers.entry(key(other)).or_default().insert(id(page));
        }
    }
    let crowded = namers.into_iter().filter(|(_, namers)| namers.len() > 2);
    crowded.map(|(key, _)| key).chain(homes).collect()
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

/// How many pieces of a text are looked for in another, and of how many characters.
const PIECES: usize = 12;
const PIECE: usize = 8;

/// Whether two pages have parts of their texts in common: a title of a column and a minute alone make no article.
fn is_same_text(a: &Record, b: &Record) -> bool {
    let letters = |record: &Record| -> Vec<char> {
        let html = record.content_html.as_deref().unwrap_or_default();
        let text = record.content_text.as_deref().unwrap_or_default();
        let words = Text::from_markup(html);
        words.as_str().chars().chain(text.chars()).filter(|c| c.is_alphanumeric()).collect()
    };
    let (a, b) = (letters(a), letters(b));
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() < PIECE {
        return short.is_empty() || long.starts_with(&short);
    }
    let long: String = long.into_iter().collect();
    let last = short.len() - PIECE;
    let shared = (0..PIECES).filter(|nth| {
        let from = last * nth / (PIECES - 1);
        let piece: String = short[from..from + PIECE].iter().collect();
        long.contains(&piece)
    });
    shared.count() * 3 >= PIECES
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
