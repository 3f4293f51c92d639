//! `schema.org` in a page: JSON-LD and microdata.

use scraper::{ElementRef, Html};
use serde_json::Value;

use super::{Facts, named, select};
use crate::{
    import::record::{PersonRecord, SourceRecord},
    text::Text,
};

/// Deepest that an article stands within lists and graphs.
const MAX_DEPTH: usize = 8;
/// Largest piece of JSON-LD that is read, in bytes.
const MAX_BYTES: usize = 4 << 20;

pub(super) fn facts(tree: &Html) -> Facts {
    let scripts = select(tree, "script[type='application/ld+json']");
    let texts = scripts.iter().map(|script| script.text().collect::<String>());
    let found = texts.filter(|text| text.len() <= MAX_BYTES).find_map(|text| {
        let text = text.trim().trim_start_matches("<!--").trim_end_matches("-->").trim();
        // Line ends within strings are no JSON, and common.
        let parsed = serde_json::from_str::<Value>(text);
        let value =
            parsed.or_else(|_| serde_json::from_str(&text.replace(['\n', '\r', '\t'], " ")));
        article(&value.ok()?, 0).map(of_json)
    });
    found.unwrap_or_default().or(microdata(tree))
}

fn is_article(kind: &str) -> bool {
    let kind = kind.rsplit('/').next().unwrap_or(kind);
    kind.ends_with("Article") || kind.ends_with("Posting") || kind == "Report"
}

fn article(value: &Value, depth: usize) -> Option<&Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    match value {
        Value::Array(list) => list.iter().find_map(|value| article(value, depth + 1)),
        Value::Object(fields) => {
            let is_one = match fields.get("@type") {
                Some(Value::String(kind)) => is_article(kind),
                Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).any(is_article),
                _ => false,
            };
            let inner = || {
                let parts = ["@graph", "mainEntity", "mainEntityOfPage", "itemListElement"];
                parts.iter().find_map(|part| article(fields.get(*part)?, depth + 1))
            };
            if is_one { Some(value) } else { inner() }
        }
        _ => None,
    }
}

fn of_json(value: &Value) -> Facts {
    let text = |name: &str| words(value.get(name)?);
    let people = |name: &str| value.get(name).map(people).unwrap_or_default();
    let origin = ["sourceOrganization", "isBasedOn", "provider", "copyrightHolder"];
    let origin = origin.iter().find_map(|name| {
        let origin = value.get(*name)?;
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
        published: text("datePublished").or_else(|| text("dateCreated")),
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
        is_article: true,
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
fn people(value: &Value) -> Vec<PersonRecord> {
    match value {
        Value::Array(list) => list.iter().flat_map(people).collect(),
        Value::Object(fields) => {
            let is_person = fields.get("@type").and_then(Value::as_str) != Some("Organization");
            let name = fields.get("name").and_then(words).filter(|_| is_person);
            let url =
                fields.get("url").and_then(Value::as_str).filter(|url| url.starts_with("http"));
            name.map(|name| PersonRecord { url: url.map(str::to_owned), ..named(&name) })
                .into_iter()
                .collect()
        }
        Value::String(name) => split(name).iter().map(|name| named(name)).collect(),
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
        let given = ["content", "datetime", "href", "src"];
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
        let names = all(name).into_iter().map(spoken).filter(|name| !name.is_empty());
        names.map(|name| named(&name)).collect()
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
        is_article: true,
        ..Facts::default()
    }
}
