//! Markup as a tree, and the words in it.
//!
//! html5ever's own tree is for its tests, and finds siblings by search; `scraper` brings the same
//! parser with a flat arena, which neither grows quadratic nor drops recursively.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};

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

/// How much is parsed between two looks at the tree, in bytes.
const CHUNK_BYTES: usize = 512;

/// Most nodes of a tree. A node takes some 250 bytes here and as much again in ammonia; articles have a few thousand, the
/// largest pages of the web a hundred thousand.
pub(super) const MAX_NODES: usize = 250_000;

/// Nodes that any markup may have. Beyond them, a tree has at most one node for each byte of markup: the parser opens
/// formatting elements again in each paragraph, so that 4 bytes can become hundreds of nodes.
const FREE_NODES: usize = 10_000;

/// Most attributes of a tag; the parser compares each with all before it. What a tag has beyond is left out.
const MAX_ATTRIBUTES: usize = 256;

/// The tree of `markup`; `None` when it nests deeper, or has more nodes, than any article.
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

/// The tree of a whole page; `None` when it nests deeper, or has more nodes, than any page of an article.
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
    let markup = with_few_attributes(markup);
    let mut bytes = 0;
    for chunk in chunks(&markup) {
        parser.process(chunk.into());
        bytes += chunk.len();
        if is_too_large(&parser, bytes) || is_too_deep(&parser) {
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

/// Whether there are more nodes than so many bytes of an article give.
fn is_too_large(parser: &Parser<HtmlTreeSink>, bytes: usize) -> bool {
    let nodes = parser.tokenizer.sink.sink.0.borrow().tree.nodes().len();
    nodes > MAX_NODES || nodes > FREE_NODES + bytes
}

/// `markup` without the attributes that a tag has beyond [`MAX_ATTRIBUTES`].
fn with_few_attributes(markup: &str) -> Cow<'_, str> {
    let bytes = markup.as_bytes();
    // A tag of so few bytes has fewer.
    let is_long = |tag: &[u8]| tag.len() > 2 * MAX_ATTRIBUTES;
    if !bytes.split(|byte| *byte == b'>').any(is_long) {
        return Cow::Borrowed(markup);
    }
    let mut kept = String::with_capacity(markup.len());
    let mut from = 0;
    let mut at = 0;
    while let Some(start) = memchr::memchr(b'<', &bytes[at..]).map(|start| at + start) {
        at = start + 1;
        if !bytes.get(at).is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        let (end, last) = tag_end(bytes, at);
        if let Some(last) = last {
            kept.push_str(&markup[from..last]);
            from = end;
        }
        at = end;
    }
    kept.push_str(&markup[from..]);
    Cow::Owned(kept)
}

/// Where the `>` of the tag whose name begins at `at` stands, and where its first attribute that is too many begins, if there
/// is one. Tags end as in HTML section 13.2.5: a `>` in quotes, after a `=`, is part of a value.
fn tag_end(bytes: &[u8], mut at: usize) -> (usize, Option<usize>) {
    let is_space = |byte: u8| byte.is_ascii_whitespace() || byte == b'/';
    let skip = |from: usize, is_part: &dyn Fn(u8) -> bool| {
        from + bytes[from..].iter().take_while(|byte| is_part(**byte)).count()
    };
    at = skip(at, &|byte| !is_space(byte) && byte != b'>');
    let (mut attributes, mut last) = (0, None);
    loop {
        at = skip(at, &is_space);
        match bytes.get(at) {
            None | Some(b'>') => return (at, last),
            Some(_) => {}
        }
        attributes += 1;
        if attributes > MAX_ATTRIBUTES {
            last.get_or_insert(at);
        }
        // A name may begin with a `=`.
        at = skip(at + 1, &|byte| !is_space(byte) && byte != b'>' && byte != b'=');
        let equals = skip(at, &|byte| byte.is_ascii_whitespace());
        if bytes.get(equals) != Some(&b'=') {
            continue;
        }
        at = skip(equals + 1, &|byte| byte.is_ascii_whitespace());
        at = match bytes.get(at) {
            Some(quote @ (b'"' | b'\'')) => {
                let end = memchr::memchr(*quote, &bytes[at + 1..]);
                end.map_or(bytes.len(), |end| at + 1 + end + 1)
            }
            _ => skip(at, &|byte| !byte.is_ascii_whitespace() && byte != b'>'),
        };
    }
}

/// Whether the newest node, which is where the parser stands, lies too deep.
fn is_too_deep(parser: &Parser<HtmlTreeSink>) -> bool {
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
    let markup = with_few_attributes(markup);
    for chunk in chunks(&markup) {
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
    use super::*;
    use crate::text::{html::tests::sanitize, rewrite};

    /// Markup of `repeats` paragraphs, in each of which the parser opens 200 elements again.
    fn amplified(element: &str, repeats: usize) -> String {
        let open: Vec<_> = (0..200).map(|n| format!("<{element} id={n} href=/{n}>")).collect();
        open.concat() + &"<p>x".repeat(repeats)
    }

    #[test]
    fn small_markup_never_becomes_a_large_tree() {
        for element in ["b", "font", "nobr", "code", "a"] {
            for repeats in [10, 100, 10_000] {
                let markup = amplified(element, repeats);
                let nodes = parse(&markup).map_or(0, |tree| tree.tree.nodes().len());
                assert!(nodes <= FREE_NODES + markup.len(), "{element} × {repeats}: {nodes} nodes");
                let html = sanitize(&markup);
                assert_eq!(html.to_text().as_str().matches('x').count(), repeats, "{element}");
                assert!(html.as_str().len() <= FREE_NODES * 20 + markup.len() * 20, "{element}");
            }
        }
        // Each element of the text itself, however many there are, stays within the absolute bound.
        for piece in
            ["<p>x", "<br>", "<b>x</b>", "<table><td>x</table>", "<svg><g></svg>", "<option>"]
        {
            let nodes = |tree: Html| tree.tree.nodes().len();
            let markup = piece.repeat(MAX_NODES);
            assert!(parse(&markup).map_or(0, nodes) <= MAX_NODES + CHUNK_BYTES, "{piece}");
            assert!(document(&markup).map_or(0, nodes) <= MAX_NODES + CHUNK_BYTES, "{piece}");
        }
    }

    #[test]
    fn an_address_that_is_repeated_ends_at_the_limit_of_a_fragment() {
        let address = "a".repeat(4_000);
        let markup = format!("<a href=/{address}>{}</a>", "<p>x".repeat(2_000));
        assert!(parse(&markup).is_some());
        let html = sanitize(&markup);
        assert!(html.as_str().len() <= rewrite::MAX_BYTES, "{}", html.as_str().len());
        assert_eq!(html.to_text().as_str().matches('x').count(), 2_000);
    }

    #[test]
    fn a_tag_keeps_its_first_attributes() {
        let attributes = |from: usize, to: usize, value: &str| -> String {
            (from..to).map(|n| format!(" a{n}{value}")).collect::<Vec<_>>().concat()
        };
        for value in ["", "=1", "='>'", "=\">\"", " = x", "=", "=>"] {
            let tag = format!("<p{}>x</p>", attributes(0, MAX_ATTRIBUTES, value));
            let tag = if value == "=>" { "<p a=>x</p>".to_owned() } else { tag };
            let padding = " ".repeat(2 * MAX_ATTRIBUTES);
            let whole = format!("{tag}<i{padding}>y</i>");
            assert_eq!(with_few_attributes(&whole), whole, "{value}");
        }
        let many = format!("<p{}>x</p> a < b <i>y</i>", attributes(0, 100_000, "=1"));
        let few = format!("<p{} >x</p> a < b <i>y</i>", attributes(0, MAX_ATTRIBUTES, "=1"));
        assert_eq!(with_few_attributes(&many), few);
        assert_eq!(flat_words(&many).trim(), "x\n a < b y");
        let unended = format!("x<p{}", attributes(0, 100_000, ""));
        assert!(with_few_attributes(&unended).len() < 3_000);
        assert_eq!(sanitize(&unended).as_str(), "x");
    }

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
