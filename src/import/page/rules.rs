//! A small file of a publisher that says where the parts of an article stand in its pages.

use scraper::{ElementRef, Html, Selector};
use serde::Deserialize;
use url::Url;

use super::{Facts, byline, dating, head::meta, named, printed::Order};
use crate::{import::record::SourceRecord, text::Text};

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is not TOML, or has keys that nobody knows.
    #[error("the rules cannot be read")]
    Toml(#[from] toml::de::Error),
    /// A selector is none.
    #[error("`{selector}` of `{key}` is not a CSS selector")]
    Selector {
        /// Which key.
        key: &'static str,
        /// What it says.
        selector: String,
    },
}

/// The rules of a publisher: none, unless a file is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    #[serde(default)]
    page: Vec<Rule>,
}

/// Where parts stand, as CSS selectors; what it does not say is found as in pages without rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rule {
    /// Pages whose address, or name of a file, holds this; empty: all.
    at: String,
    title: Option<String>,
    time: Option<String>,
    source: Option<String>,
    author: Option<String>,
    editor: Option<String>,
    body: Option<String>,
    /// What of the body is not the article.
    remove: Vec<String>,
    /// The category of these articles, as a label; no selector.
    category: Option<String>,
}

impl Rules {
    /// Reads a file.
    pub fn read(text: &str) -> Result<Self, RulesError> {
        let rules: Self = toml::from_str(text)?;
        for rule in &rules.page {
            let one = [
                ("title", &rule.title),
                ("time", &rule.time),
                ("source", &rule.source),
                ("author", &rule.author),
                ("editor", &rule.editor),
                ("body", &rule.body),
            ];
            let all = one.iter().filter_map(|(key, selector)| Some((*key, selector.as_ref()?)));
            for (key, selector) in
                all.chain(rule.remove.iter().map(|selector| ("remove", selector)))
            {
                if Selector::parse(selector).is_err() {
                    return Err(RulesError::Selector { key, selector: selector.clone() });
                }
            }
        }
        Ok(rules)
    }

    /// The first rule for a page.
    pub(super) fn of(&self, address: Option<&Url>, name: &str) -> Option<&Rule> {
        self.page.iter().find(|rule| {
            rule.at.is_empty()
                || name.contains(&rule.at)
                || address.is_some_and(|address| address.as_str().contains(&rule.at))
        })
    }
}

impl Rule {
    pub(super) fn facts(&self, tree: &Html) -> Facts {
        let text = |selector: &Option<String>| {
            let element = first(tree, selector.as_deref()?)?;
            let content = element.value().attr("content").map(str::to_owned);
            let text = Text::new(&content.unwrap_or_else(|| element.text().collect()));
            (!text.is_empty()).then(|| text.as_str().to_owned())
        };
        // Selectors often get the label as well.
        let bare = |text: String| match text.split_once(['：', ':']) {
            Some((label, rest)) if label.chars().count() <= 6 => rest.trim().to_owned(),
            _ => text,
        };
        let people = |selector: &Option<String>| {
            let names = text(selector).map(bare).unwrap_or_default();
            byline::names(&names).iter().map(|name| named(name)).collect()
        };
        let source = text(&self.source).map(bare);
        let date = |text: String| dating::normal(&text, Order::DayFirst).unwrap_or(text);
        Facts {
            title: text(&self.title),
            published: text(&self.time).map(date).or_else(|| meta(tree, &[self.time.as_deref()?])),
            source: source.map(|name| SourceRecord { name: Some(name), ..SourceRecord::default() }),
            authors: people(&self.author),
            editors: people(&self.editor),
            section: self.category.clone(),
            ..Facts::default()
        }
    }

    pub(super) fn body<'t>(&self, tree: &'t Html) -> Option<ElementRef<'t>> {
        first(tree, self.body.as_deref()?)
    }

    pub(super) fn removed<'t>(&self, tree: &'t Html) -> Vec<ElementRef<'t>> {
        self.remove.iter().flat_map(|selector| super::select(tree, selector)).collect()
    }
}

fn first<'t>(tree: &'t Html, selector: &str) -> Option<ElementRef<'t>> {
    let selector = Selector::parse(selector).ok()?;
    tree.select(&selector).next()
}
