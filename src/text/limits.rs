//! Less than everything: the elements that some reader takes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::allowed::{self, Kind};

/// Which of the elements that may be in a fragment are in one, and how deep they nest.
///
/// A block that is not among them becomes a `div`, any other element is replaced by what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Limits {
    elements: Option<BTreeSet<String>>,
    pub(super) deepest: usize,
}

/// Why such limits cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// No fragment ever holds this.
    #[error("`{0}` is no element that is ever written")]
    Unknown(String),
    /// Fragments that make no sense are written as paragraphs of words.
    #[error("`{0}` is missing, which words are written with")]
    Missing(&'static str),
    /// A table is written with its parts or not at all.
    #[error("some of `table`, `tbody`, `tr`, `td` and `th` are missing")]
    TornTable,
    /// Too few to hold a table, or more than are ever written.
    #[error("{0} is no depth from 6 to 64")]
    Depth(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    elements: BTreeSet<String>,
    #[serde(default = "deepest")]
    deepest: usize,
}

/// How many elements are open at most; below that, only the words are kept.
const DEEPEST: usize = 64;

const fn deepest() -> usize {
    DEEPEST
}

/// What a table needs to hold a word.
const TABLE_DEPTH: usize = 8;

impl Limits {
    /// All that is ever written.
    pub(super) const ALL: &'static Self = &Self { elements: None, deepest: DEEPEST };

    /// Whether this element is within the limits.
    pub fn admits(&self, element: &str) -> bool {
        match &self.elements {
            None => allowed::kind(element).is_some(),
            Some(elements) => elements.contains(element),
        }
    }

    /// How many elements may be open around a table.
    pub(super) fn deepest_around_table(&self) -> usize {
        self.deepest - TABLE_DEPTH.min(self.deepest / 2)
    }

    /// What is written for `element`.
    pub(super) fn name<'a>(&self, element: &'a str) -> &'a str {
        let is_block = || matches!(allowed::kind(element), Some((_, Kind::Block)));
        if !self.admits(element) && self.admits("div") && is_block() { "div" } else { element }
    }
}

impl TryFrom<Raw> for Limits {
    type Error = LimitsError;

    fn try_from(Raw { elements, deepest }: Raw) -> Result<Self, LimitsError> {
        let has = |element: &&str| elements.contains(*element);
        if let Some(unknown) = elements.iter().find(|element| allowed::kind(element).is_none()) {
            return Err(LimitsError::Unknown(unknown.clone()));
        }
        if let Some(missing) = ["p", "br"].into_iter().find(|element| !has(element)) {
            return Err(LimitsError::Missing(missing));
        }
        let table = ["table", "tbody", "tr", "td", "th"];
        if table.iter().any(has) && !table.iter().all(has) {
            return Err(LimitsError::TornTable);
        }
        if !(6..=DEEPEST).contains(&deepest) {
            return Err(LimitsError::Depth(deepest));
        }
        Ok(Self { elements: Some(elements), deepest })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scraper::{ElementRef, Node};

    use super::*;
    use crate::text::{
        Html,
        html::tests::{hostile, sanitize},
        tree,
    };

    fn limits(json: &str) -> Result<Limits, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    const FEW: &str = r#"{"elements": ["p", "br", "b", "a", "img", "div", "ul", "li", "table", "tbody", "tr", "td", "th"],
                          "deepest": 8}"#;

    #[test]
    fn only_what_is_within_the_limits_leaves() {
        for (raw, expected) in [
            ("<p>a <code>b</code> <b>c</b></p>", "<p>a b <b>c</b></p>"),
            (
                "<figure><img src=/i alt=x><figcaption>c</figcaption></figure>d",
                "<div><img alt=\"x\" src=\"https://example.com/i\"><div>c</div></div>d",
            ),
            ("<h2>a</h2><pre>b</pre>", "<div>a</div><div>b</div>"),
            ("a<hr>b<br>c", "a<br>b<br>c"),
            ("<dl><dt>a</dt><dd>b</dd></dl>", "<div><div>a</div><div>b</div></div>"),
            ("<video src=/v>words</video>", "words"),
            (
                "<picture><source srcset=/s><img src=/i></picture>",
                "<img alt=\"\" src=\"https://example.com/i\">",
            ),
            ("<table><tr><td>a</table>", "<table><tbody><tr><td>a</td></tr></tbody></table>"),
        ] {
            let narrowed = Html::narrowed(sanitize(raw).as_str(), &limits(FEW).unwrap());
            assert_eq!(narrowed, expected, "{raw}");
        }
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        for (json, expected) in [
            (r#"{"elements": ["p", "br", "h1"]}"#, "`h1` is no element"),
            (r#"{"elements": ["p", "script"]}"#, "`script` is no element"),
            (r#"{"elements": ["p"]}"#, "`br` is missing"),
            (r#"{"elements": ["p", "br", "table"]}"#, "`tbody`"),
            (r#"{"elements": ["p", "br"], "deepest": 5}"#, "5 is no depth"),
            (r#"{"elements": ["p", "br"], "deep": 8}"#, "unknown field"),
        ] {
            let error = limits(json).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_markup_gets_past_the_limits(raw in hostile()) {
            let limits = limits(FEW).unwrap();
            let narrowed = Html::narrowed(sanitize(&raw).as_str(), &limits);
            prop_assert_eq!(&Html::narrowed(&narrowed, &limits), &narrowed);
            let tree = tree::parse(&narrowed).unwrap();
            for node in tree.root_element().descendants().skip(1) {
                let Some(element) = ElementRef::wrap(node) else { continue };
                prop_assert!(limits.admits(element.value().name()), "{}", narrowed);
                let depth = node.ancestors().filter(|node| matches!(node.value(), Node::Element(_))).count();
                // The parser's own root is one of them.
                prop_assert!(depth <= limits.deepest + 1, "{}", narrowed);
            }
        }
    }
}
