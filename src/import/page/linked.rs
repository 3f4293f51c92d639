//! `schema.org` in a page: JSON-LD and microdata.

use std::collections::HashMap;

use scraper::{ElementRef, Html};
use serde_json::Value;
use url::Url;

use super::{Facts, byline, named, select, twin::key};
use crate::{
    import::record::{PersonRecord, SourceRecord},
    text::{Text, web_url},
};

/// Most scripts that are read.
const MAX_SCRIPTS: usize = 50;
/// Most objects that are looked at.
const MAX_OBJECTS: usize = 2_000;
/// Most people of one field.
const MAX_PEOPLE: usize = 50;
/// Deepest that an article stands within lists and graphs.
const MAX_DEPTH: usize = 8;
/// Most JSON-LD of a page that is read, in bytes. Real pages have a few hundred kilobytes.
const MAX_BYTES: usize = 2 << 20;

/// What `schema.org` says of the article of a page. `addresses` are those of the page, and `titles` what it is called in
/// other places: a page may describe other articles as well.
pub(super) fn facts(tree: &Html, addresses: &[&Url], titles: &[String]) -> Facts {
    let scripts = select(tree, "script[type='application/ld+json']");
    let mut rest = MAX_BYTES;
    let mut values: Vec<Value> = Vec::new();
    for script in scripts.iter().take(MAX_SCRIPTS) {
        let text = script.text().collect::<String>();
        if text.len() <= rest {
            rest -= text.len();
            values.extend(parsed(&text));
        }
    }
    let mut graph = Graph::default();
    for value in &values {
        graph.collect(value, 0, false);
    }
    let of_page = graph.article(addresses, titles).map(|value| of_json(value, &graph));
    let mut facts = of_page.unwrap_or_default();
    // A page without an article may be dated as a page, a film, a recipe.
    if facts.published.is_none() {
        facts.published = graph.works.iter().find_map(|work| dated(work, PUBLISHED));
    }
    facts.or(microdata(tree))
}

/// Names of when something was published, the most exact first.
const PUBLISHED: &[&str] = &["datePublished", "dateCreated", "uploadDate"];

fn parsed(text: &str) -> Option<Value> {
    let text = text.trim().trim_start_matches("<!--").trim_end_matches("-->").trim();
    let text = text
        .trim_start_matches("//<![CDATA[")
        .trim_end_matches("//]]>")
        .trim()
        .trim_end_matches(';');
    // Line ends within strings are no JSON, and common.
    let parsed = serde_json::from_str::<Value>(text);
    parsed.or_else(|_| serde_json::from_str(&text.replace(['\n', '\r', '\t'], " "))).ok()
}

fn dated(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| words(value.get(*name)?))
}

/// The objects of all JSON-LD of a page.
#[derive(Default)]
struct Graph<'v> {
    /// Articles, and whether each is an item of a list.
    articles: Vec<(&'v Value, bool)>,
    /// Pages, films and other works that have a date.
    works: Vec<&'v Value>,
    /// Objects with a name, by their `@id`.
    named: HashMap<&'v str, &'v Value>,
}

impl<'v> Graph<'v> {
    fn collect(&mut self, value: &'v Value, depth: usize, is_item: bool) {
        if depth > MAX_DEPTH
            || self.articles.len() + self.works.len() + self.named.len() > MAX_OBJECTS
        {
            return;
        }
        match value {
            Value::Array(list) => {
                for value in list {
                    self.collect(value, depth + 1, is_item);
                }
            }
            Value::Object(fields) => {
                let is_of = |test: fn(&str) -> bool| match fields.get("@type") {
                    Some(Value::String(kind)) => test(kind),
                    Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).any(test),
                    _ => false,
                };
                if is_of(is_article) {
                    self.articles.push((value, is_item));
                } else if is_of(is_work) {
                    self.works.push(value);
                }
                if let Some(id) = fields.get("@id").and_then(Value::as_str)
                    && fields.contains_key("name")
                {
                    self.named.entry(id).or_insert(value);
                }
                for (name, value) in fields {
                    let is_list = matches!(
                        name.as_str(),
                        "itemListElement"
                            | "hasPart"
                            | "relatedLink"
                            | "blogPost"
                            | "comment"
                            | "review"
                            | "isPartOf"
                    );
                    if value.is_object() || value.is_array() {
                        self.collect(value, depth + 1, is_item || is_list);
                    }
                }
            }
            _ => {}
        }
    }

    /// The article that the page is of.
    fn article(&self, addresses: &[&Url], titles: &[String]) -> Option<&'v Value> {
        let is_here = |value: &Value| {
            let page = value.get("mainEntityOfPage");
            let page = page.map(|page| page.get("@id").unwrap_or(page));
            let own = [value.get("url"), page, value.get("@id")];
            own.into_iter().flatten().filter_map(Value::as_str).any(|raw| {
                web_url(raw, None)
                    .is_some_and(|url| addresses.iter().any(|own| key(own) == key(&url)))
            })
        };
        let is_titled = |value: &Value| {
            let headline = value.get("headline").or(value.get("name")).and_then(words);
            headline.is_some_and(|headline| titles.iter().any(|title| title.contains(&headline)))
        };
        let all = || self.articles.iter();
        let found = all().find(|(value, _)| is_here(value) && is_titled(value));
        let found = found.or_else(|| {
            all().find(|(value, is_item)| !is_item && (is_here(value) || is_titled(value)))
        });
        let found = found.or_else(|| all().find(|(_, is_item)| !is_item));
        found.map(|(value, _)| *value)
    }

    /// What stands for an object that is named only by its `@id`.
    fn whole(&self, value: &'v Value) -> &'v Value {
        let id = value.get("@id").and_then(Value::as_str).filter(|_| value.get("name").is_none());
        id.and_then(|id| self.named.get(id)).copied().unwrap_or(value)
    }
}

fn is_article(kind: &str) -> bool {
    let kind = kind.rsplit(['/', ':']).next().unwrap_or(kind);
    kind.ends_with("Article") || kind.ends_with("Posting") || kind == "Report"
}

/// Works that are dated like articles.
fn is_work(kind: &str) -> bool {
    let kind = kind.rsplit(['/', ':']).next().unwrap_or(kind);
    matches!(
        kind,
        "WebPage"
            | "ItemPage"
            | "CreativeWork"
            | "Recipe"
            | "PodcastEpisode"
            | "VideoObject"
            | "Review"
            | "HowTo"
            | "MediaObject"
            | "AudioObject"
            | "Episode"
            | "LiveBlog"
            | "FAQPage"
            | "QAPage"
            | "AboutPage"
            | "Course"
            | "Dataset"
    )
}

fn of_json<'v>(value: &'v Value, graph: &Graph<'v>) -> Facts {
    let text = |name: &str| words(value.get(name)?);
    let people = |name: &str| value.get(name).map(|value| people(value, graph)).unwrap_or_default();
    let origin = ["sourceOrganization", "isBasedOn", "provider", "copyrightHolder"];
    let origin = origin.iter().find_map(|name| {
        let origin = graph.whole(value.get(*name)?);
        let url = |field: &Value| words(field).filter(|url| url.starts_with("http"));
        Some(SourceRecord {
            name: Some(words(origin.get("name")?)?),
            url: origin.get("url").and_then(url),
            ..SourceRecord::default()
        })
    });
    let tags = match value.get("keywords") {
        Some(Value::String(text)) => split(text),
        Some(Value::Array(list)) => list.iter().filter_map(words).collect(),
        _ => Vec::new(),
    };
    let page = value.get("mainEntityOfPage");
    let page = page.and_then(|page| page.get("@id").or(Some(page))).and_then(words);
    Facts {
        title: text("headline").or_else(|| text("name")),
        summary: text("description"),
        published: dated(value, PUBLISHED),
        modified: text("dateModified"),
        section: value.get("articleSection").and_then(words),
        tags,
        authors: people("author"),
        editors: people("editor"),
        source: origin,
        image: value.get("image").or(value.get("thumbnailUrl")).and_then(address),
        url: text("url").or(page).filter(|url| url.starts_with("http")),
        language: text("inLanguage"),
        body: text_of_body(value),
    }
}

fn text_of_body(value: &Value) -> Option<String> {
    let body = value.get("articleBody")?.as_str()?;
    let is_markup = body.contains("</") || body.contains("<br");
    let body =
        if is_markup { Text::from_markup(body).as_str().to_owned() } else { body.to_owned() };
    Some(body).filter(|body| !body.trim().is_empty())
}

/// The first text in it.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let text = Text::from_markup(text);
            (!text.is_empty()).then(|| text.as_str().to_owned())
        }
        Value::Array(list) => list.iter().find_map(words),
        Value::Object(fields) => words(fields.get("name").or(fields.get("@value"))?),
        _ => None,
    }
}

fn address(value: &Value) -> Option<String> {
    match value {
        Value::String(url) => Some(url.trim().to_owned()).filter(|url| !url.is_empty()),
        Value::Array(list) => list.iter().find_map(address),
        Value::Object(fields) => address(fields.get("url").or(fields.get("contentUrl"))?),
        _ => None,
    }
}

/// Persons; an organisation that published it is none.
fn people<'v>(value: &'v Value, graph: &Graph<'v>) -> Vec<PersonRecord> {
    match value {
        Value::Array(list) => {
            list.iter().take(MAX_PEOPLE).flat_map(|value| people(value, graph)).collect()
        }
        Value::Object(_) => {
            let value = graph.whole(value);
            let is_person = value.get("@type").and_then(Value::as_str) != Some("Organization");
            let url =
                value.get("url").and_then(Value::as_str).filter(|url| url.starts_with("http"));
            let name = value.get("name").filter(|_| is_person);
            let names = match name {
                Some(Value::Array(names)) => names.iter().filter_map(words).collect(),
                Some(name) => words(name).into_iter().collect(),
                None => Vec::new(),
            };
            let names: Vec<String> = names.iter().flat_map(|name| byline::names(name)).collect();
            let url = url.filter(|_| names.len() == 1).map(str::to_owned);
            names.iter().map(|name| PersonRecord { url: url.clone(), ..named(name) }).collect()
        }
        Value::String(names) => byline::names(names).iter().map(|name| named(name)).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn split(text: &str) -> Vec<String> {
    let words = text.split([',', '，', '、', ';', '；']).map(str::trim);
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn microdata(tree: &Html) -> Facts {
    let scopes = select(tree, "[itemscope][itemtype]");
    let is_one = |scope: &&ElementRef<'_>| {
        scope
            .value()
            .attr("itemtype")
            .is_some_and(|kind| kind.contains("schema.org") && is_article(kind))
    };
    let Some(scope) = scopes.iter().find(is_one) else { return Facts::default() };
    let all = |name: &str| -> Vec<ElementRef<'_>> {
        let selector = scraper::Selector::parse(&format!("[itemprop~='{name}']"));
        selector.map_or_else(|_| Vec::new(), |selector| scope.select(&selector).collect())
    };
    let value = |element: ElementRef<'_>| {
        let given = ["content", "datetime", "title", "href", "src"];
        let given = given.iter().find_map(|name| element.value().attr(name)).map(str::to_owned);
        let text = given
            .unwrap_or_else(|| Text::new(&element.text().collect::<String>()).as_str().to_owned());
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    };
    let first = |name: &str| all(name).into_iter().find_map(value);
    let names = |name: &str| {
        let spoken = |element: ElementRef<'_>| {
            Text::new(&element.text().collect::<String>()).as_str().to_owned()
        };
        // A `name` within it says it without what is around.
        let inner = all(name).into_iter().map(|element| {
            element
                .descendent_elements()
                .skip(1)
                .find(|e| e.value().attr("itemprop") == Some("name"))
                .unwrap_or(element)
        });
        let names = inner.take(MAX_PEOPLE).map(spoken).filter(|name| name.chars().count() <= 80);
        names.flat_map(|name| byline::names(&name)).map(|name| named(&name)).collect()
    };
    Facts {
        title: first("headline"),
        summary: first("description"),
        published: first("datePublished"),
        modified: first("dateModified"),
        section: first("articleSection"),
        authors: names("author"),
        editors: names("editor"),
        image: first("image"),
        ..Facts::default()
    }
}
