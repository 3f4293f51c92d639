//! Saved pages of articles: what a page says of its article in words for machines, else in words for people.
//!
//! In the order of trust: selectors of a rules file, `schema.org` as JSON-LD or microdata, Open Graph and other `meta`, the
//! lines under a headline (来源, 编辑), the shape of the page.

mod blocks;
mod body;
mod byline;
mod dating;
mod head;
mod linked;
mod names;
mod outline;
mod printed;
mod rules;
mod title;
mod twin;

pub use rules::{Rules, RulesError};
pub use twin::{key as twin_key, merge};

use std::borrow::Cow;

use outline::Outline;
use scraper::Html;
use url::Url;

use crate::{
    import::{
        charset::{self, CharsetError, Label},
        convert::Fault,
        record::{ImageRecord, Key, PersonRecord, Record, SourceRecord},
    },
    text::{Text, document, web_url},
};

/// Largest page, in bytes.
pub const MAX_PAGE: usize = 16 << 20;

/// An article out of a page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// `id` is its address without what is about the device, or without an address the path of its file.
    pub record: Record,
    /// The file that it stands in.
    pub name: String,
    /// Its own address, if the page says it.
    pub own: Option<Url>,
    /// Whether the page is for small screens.
    pub is_mobile: bool,
    /// The same article for other screens.
    pub others: Vec<Url>,
}

/// What was found of an article, whatever it was found by; the first to say something is right.
#[derive(Clone, Debug, Default)]
struct Facts {
    title: Option<String>,
    summary: Option<String>,
    published: Option<String>,
    modified: Option<String>,
    section: Option<String>,
    tags: Vec<String>,
    authors: Vec<PersonRecord>,
    editors: Vec<PersonRecord>,
    source: Option<SourceRecord>,
    image: Option<String>,
    url: Option<String>,
    language: Option<String>,
    /// As plain text.
    body: Option<String>,
}

impl Facts {
    fn or(self, other: Self) -> Self {
        let list = |a: Vec<_>, b: Vec<_>| if a.is_empty() { b } else { a };
        Self {
            title: self.title.or(other.title),
            summary: self.summary.or(other.summary),
            published: self.published.or(other.published),
            modified: self.modified.or(other.modified),
            section: self.section.or(other.section),
            tags: if self.tags.is_empty() { other.tags } else { self.tags },
            authors: list(self.authors, other.authors),
            editors: list(self.editors, other.editors),
            source: self.source.or(other.source),
            image: self.image.or(other.image),
            url: self.url.or(other.url),
            language: self.language.or(other.language),
            body: self.body.or(other.body),
        }
    }
}

/// Reads a page. `name` is what its file is called in reports; `below` its path below the folder that was given, the key of
/// a page that does not say its address; `rules` are of the publisher.
pub fn read(
    name: &str,
    below: &str,
    bytes: &[u8],
    label: Label<'_>,
    rules: &Rules,
) -> Result<Page, Fault> {
    let fault = |problem: String| Fault { field: String::new(), problem };
    if bytes.len() > MAX_PAGE {
        return Err(fault(format!("larger than {MAX_PAGE} bytes; is it one article?")));
    }
    let (text, damage) = decoded(bytes, label).map_err(|error| fault(error.to_string()))?;
    let tree = document(&text).ok_or_else(|| {
        fault("its elements nest deeper, or are more, than those of any article".to_owned())
    })?;
    let address = head::address(&tree, &text);
    let rule = rules.of(address.own.as_ref(), name);
    let selected = rule.map(|rule| rule.facts(&tree)).unwrap_or_default();
    let meta = head::facts(&tree);
    let titles = head::titles(&tree);
    let addresses: Vec<&Url> = address.own.iter().chain(&address.canonical).collect();
    let linked = linked::facts(&tree, &addresses, &titles);
    let said = selected.or(linked).or(meta);
    let page_address = address.own.as_ref().or(address.canonical.as_ref());
    let headline = title::of(&tree, said.title.as_deref(), page_address);
    let title = headline.title;

    let removed = rule.map(|rule| rule.removed(&tree)).unwrap_or_default();
    let mut outline = Outline::of(&tree, headline.element, &removed);
    let by_rule = rule.and_then(|rule| rule.body(&tree)).and_then(|body| outline.index(body));
    let headline = headline.element.and_then(|element| outline.index(element));
    let roots =
        by_rule.map(|at| vec![at]).or_else(|| body::roots(&outline, headline)).unwrap_or_default();
    let places = body::places(&outline, &roots, headline);
    let leads = body::leads(&mut outline, &roots, headline);
    let body = body::of(&outline, &roots, &leads, title.as_deref(), address.base.as_ref());
    let lines = byline::lines(&outline);
    let mut facts = said.or(byline::facts(&lines, &body, headline));
    let order = head::date_order(facts.language.as_deref());
    let shown =
        places.map(|places| dating::shown(&outline, &lines, places, order)).unwrap_or_default();
    let known = |raw: Option<String>| raw.and_then(|raw| dating::normal(&raw, order));
    // Machines are often told the day, and people the minute.
    facts.published = dating::exact(known(facts.published), shown.published)
        .or_else(|| dating::of_scripts(&tree))
        .or_else(|| page_address.and_then(dating::of_address));
    facts.modified = known(facts.modified).or(shown.modified);
    let is_damaged = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    if let Some(damage) = damage
        && (is_damaged(&body.html) || title.as_deref().is_some_and(is_damaged))
    {
        return Err(fault(damage.to_string()));
    }
    page(name, below, facts, title, body, address).ok_or_else(|| {
        fault(
            "no article is found in it; say where its parts stand in a rules file (--rules)"
                .to_owned(),
        )
    })
}

/// The text of a page. Where few bytes are broken, as they often are in scripts, it is read all the same, with what would
/// be wrong if they were in the article.
fn decoded<'b>(
    bytes: &'b [u8],
    label: Label<'_>,
) -> Result<(Cow<'b, str>, Option<CharsetError>), CharsetError> {
    match charset::decode(bytes, label) {
        Ok(text) => Ok((text, None)),
        Err(damage @ CharsetError::Broken { charset: "UTF-8", .. })
            if !matches!(label, Label::Certain(_)) && charset::is_mostly_utf8(bytes) =>
        {
            Ok((String::from_utf8_lossy(bytes), Some(damage)))
        }
        Err(error) => Err(error),
    }
}

fn page(
    name: &str,
    below: &str,
    facts: Facts,
    title: Option<String>,
    body: body::Body,
    address: head::Address,
) -> Option<Page> {
    let head::Address { own, canonical, others, is_mobile, .. } = address;
    let body::Body { html, pictures, .. } = body;
    let content_text = html.is_empty().then(|| facts.body.clone()).flatten();
    if title.is_none() || (html.is_empty() && content_text.is_none()) {
        return None;
    }
    let stated = facts.url.as_deref().and_then(|raw| web_url(raw, own.as_ref()));
    // Many sites name their front page for each of their articles.
    let is_of_article = |url: &Url| !twin::is_home(url);
    let own = own.filter(is_of_article);
    let main = canonical.filter(is_of_article).or(stated.filter(is_of_article));
    let main = main.or_else(|| own.clone());
    let key = main.as_ref().map_or_else(|| below.to_owned(), twin::key);
    let images: Vec<ImageRecord> = pictures;
    let record = Record {
        id: Some(Key::Text(shortened(key))),
        url: main.as_ref().map(|url| url.as_str().to_owned()),
        title,
        summary: facts.summary.filter(|summary| Text::new(summary).as_str().chars().count() > 20),
        content_html: Some(html).filter(|html| !html.is_empty()),
        content_text,
        date_published: facts.published,
        date_modified: facts.modified,
        authors: Some(facts.authors).filter(|list| !list.is_empty()),
        editors: Some(facts.editors).filter(|list| !list.is_empty()),
        tags: Some(facts.tags).filter(|list| !list.is_empty()),
        categories: facts.section.map(|section| vec![section]),
        language: facts.language,
        source: facts.source,
        image: facts.image.filter(|raw| images.is_empty() && web_url(raw, own.as_ref()).is_some()),
        images: Some(images).filter(|list| !list.is_empty()),
        ..Record::default()
    };
    Some(Page { record, name: name.to_owned(), own: own.or(main), is_mobile, others })
}

/// Keys have at most 512 bytes; what is longer is told apart by its end.
fn shortened(key: String) -> String {
    if key.len() <= 500 {
        return key;
    }
    key[key.ceil_char_boundary(key.len() - 500)..].to_owned()
}

/// The elements of a page that a selector stands for; none for one that is no selector.
fn select<'t>(tree: &'t Html, selector: &str) -> Vec<scraper::ElementRef<'t>> {
    scraper::Selector::parse(selector)
        .map_or_else(|_| Vec::new(), |found| tree.select(&found).collect())
}

fn named(name: &str) -> PersonRecord {
    PersonRecord { name: Some(name.trim().to_owned()), ..PersonRecord::default() }
}
