//! Markup as a tree, and the words in it.
//!
//! html5ever's own tree is for its tests, and finds siblings by search; `scraper` brings the same
//! parser with a flat arena, which neither grows quadratic nor drops recursively.

use std::cell::{Cell, RefCell};

use html5ever::{
    Parser, QualName, TokenizerResult,
    driver::{ParseOpts, parse_document, parse_fragment},
    local_name, ns,
    tendril::TendrilSink,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
    tree_builder::TreeBuilderOpts,
};
use scraper::{ElementRef, Html, HtmlTreeSink, Node};

use super::allowed;

/// How deep markup may nest and still be parsed; articles stay below 50. The parser walks up the
/// open elements at every tag, and we walk down the tree by recursion.
const DEEPEST: usize = 256;

/// How much is parsed between two looks at the depth, in bytes.
const CHUNK_BYTES: usize = 512;

/// The tree of `markup`; `None` when it nests deeper than any article does.
pub(super) fn parse(markup: &str) -> Option<Html> {
    let parser = parse_fragment(
        HtmlTreeSink::new(Html::new_fragment()),
        options(),
        QualName::new(None, ns!(html), local_name!("div")),
        Vec::new(),
        false,
    );
    fed(parser, markup)
}

/// The tree of a whole page; `None` when it nests deeper than any page of an article does.
pub fn document(markup: &str) -> Option<Html> {
    fed(parse_document(HtmlTreeSink::new(Html::new_document()), options()), markup)
}

fn options() -> ParseOpts {
    ParseOpts {
        // So `noscript` holds elements.
        tree_builder: TreeBuilderOpts { scripting_enabled: false, ..Default::default() },
        ..Default::default()
    }
}

fn fed(mut parser: Parser<HtmlTreeSink>, markup: &str) -> Option<Html> {
    for chunk in chunks(markup) {
        parser.process(chunk.into());
        if too_deep(&parser) {
            return None;
        }
    }
    Some(parser.finish())
}

/// `markup` in pieces; in one long piece, references would also take html5ever quadratic time.
fn chunks(markup: &str) -> impl Iterator<Item = &str> {
    let mut rest = markup;
    std::iter::from_fn(move || {
        let (chunk, tail) = rest.split_at(rest.floor_char_boundary(CHUNK_BYTES));
        rest = tail;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Whether the newest node, which is where the parser stands, lies too deep.
fn too_deep(parser: &Parser<HtmlTreeSink>) -> bool {
    let html = parser.tokenizer.sink.sink.0.borrow();
    html.tree.nodes().next_back().is_some_and(|newest| newest.ancestors().nth(DEEPEST).is_some())
}

/// The words in `markup`, with a line end at every edge of a block.
pub(super) fn words(markup: &str) -> String {
    let Some(tree) = parse(markup) else {
        return flat_words(markup);
    };
    let mut words = String::new();
    push_words(tree.root_element(), &mut words);
    words
}

fn push_words(parent: ElementRef<'_>, words: &mut String) {
    for child in parent.children() {
        if let Node::Text(text) = child.value() {
            words.push_str(text);
        }
        let Some(element) = ElementRef::wrap(child) else {
            continue;
        };
        let name = element.value().name();
        if allowed::removed(name) || matches!(name, "rt" | "rp" | "rtc") {
            continue;
        }
        let edge = if allowed::breaks(name) { "\n" } else { "" };
        words.push_str(edge);
        push_words(element, words);
        words.push_str(edge);
    }
}

/// The words between tags, whatever the tags; for markup that is too deep to be parsed.
pub(super) fn flat_words(markup: &str) -> String {
    let tokenizer = Tokenizer::new(FlatWords::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    for chunk in chunks(markup) {
        input.push_back(chunk.into());
        while !matches!(tokenizer.feed(&input), TokenizerResult::Done) {}
    }
    tokenizer.end();
    tokenizer.sink.words.into_inner()
}

/// Collects characters, and line ends for the edges of blocks.
#[derive(Default)]
struct FlatWords {
    words: RefCell<String>,
    hidden: Cell<bool>,
}

impl FlatWords {
    fn tag(&self, tag: &Tag) -> TokenSinkResult<()> {
        if allowed::breaks(&tag.name) {
            self.words.borrow_mut().push('\n');
        }
        let raw = match &*tag.name {
            "script" => RawKind::ScriptData,
            "style" | "iframe" | "noembed" | "noframes" => RawKind::Rawtext,
            "title" => RawKind::Rcdata,
            _ => return TokenSinkResult::Continue,
        };
        self.hidden.set(tag.kind == TagKind::StartTag);
        if self.hidden.get() { TokenSinkResult::RawData(raw) } else { TokenSinkResult::Continue }
    }
}

impl TokenSink for FlatWords {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => return self.tag(&tag),
            Token::CharacterTokens(text) if !self.hidden.get() => {
                self.words.borrow_mut().push_str(&text);
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use crate::text::html::tests::sanitize;

    #[test]
    fn deep_nesting_costs_neither_stack_nor_time() {
        fn check(open: &str, close: &str, depth: usize) {
            let html = sanitize(&format!("{}文{}", open.repeat(depth), close.repeat(depth)));
            assert_eq!(html.to_text().as_str(), "文", "{depth} {open}");
            assert!(html.as_str().matches("</").count() <= 64, "{depth} {open}");
            assert_eq!(sanitize(html.as_str()), html, "{depth} {open}");
        }
        for (open, close) in [
            ("<div>", "</div>"),
            ("<b>", ""),
            ("<table><tr><td>", ""),
            ("<ul><li>", "</ul>"),
            ("<p><b><i>", ""),
            ("<svg><foreignObject>", ""),
        ] {
            for depth in [10, 100, 300, 100_000] {
                check(open, close, depth);
            }
        }
    }

    #[test]
    fn the_words_are_what_is_read() {
        fn check(raw: &str, expected: &str) {
            assert_eq!(sanitize(raw).to_text().as_str(), expected, "{raw:?}");
        }
        for (raw, expected) in [
            ("<p>Hello</p><p>world</p>", "Hello world"),
            ("<p>标题</p><p>正文</p>", "标题正文"),
            ("a<br>b&amp;amp;<b>c</b>d", "a b&amp;cd"),
            ("<ruby>漢<rt>かん</rt></ruby>字", "漢字"),
            ("<ul><li>a<li>b</ul><table><tr><td>c<td>d</table>", "a b c d"),
            ("<img src=/a alt=x>", ""),
        ] {
            check(raw, expected);
        }
    }
}
