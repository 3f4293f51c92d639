//! Paragraphs of WordPress's classic editor, which stores a blank line between paragraphs and no `<p>`.
//!
//! Gives what `wpautop` of WordPress gives, except that the first paragraph within a `div` or a list item gets its `<p>` as
//! well. One pass over the text, linear in its length.

use std::fmt::Write;

/// Elements that end a paragraph, as `wpautop` lists them.
const BLOCKS: [&str; 47] = [
    "address",
    "area",
    "article",
    "aside",
    "blockquote",
    "caption",
    "col",
    "colgroup",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "legend",
    "li",
    "map",
    "menu",
    "nav",
    "ol",
    "p",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
    "style",
    "main",
    "center",
];
/// Blocks without an end tag.
const VOID: [&str; 3] = ["area", "col", "hr"];
/// Elements whose text is kept as it is.
pub(super) const RAW: [&str; 5] = ["pre", "script", "style", "textarea", "svg"];
/// How deep blocks are followed; a text deeper than this is taken for one in a `div`.
const MAX_DEPTH: usize = 100;

/// What blank lines and line ends mean within an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// Each run of text is a paragraph.
    Paragraphs,
    /// Runs of text are paragraphs where there are several.
    Several,
    /// Text is one line of text; line ends are breaks.
    Line,
    /// White space between children means nothing.
    Structure,
}

impl Flow {
    fn of(element: &str) -> Self {
        match element {
            "blockquote" => Self::Paragraphs,
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "figcaption" | "caption" | "dt"
            | "summary" | "legend" | "address" => Self::Line,
            "table" | "thead" | "tbody" | "tfoot" | "tr" | "ul" | "ol" | "dl" | "colgroup"
            | "menu" | "map" | "area" | "col" | "hr" => Self::Structure,
            _ => Self::Several,
        }
    }
}

/// A piece of HTML.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token<'t> {
    Text(&'t str),
    Comment(&'t str),
    /// A tag, its name in lower case, and whether it is an end tag.
    Tag {
        text: &'t str,
        name: Name<'t>,
        is_end: bool,
    },
    /// An element of [`RAW`], from its start tag to its end tag.
    Raw(&'t str),
}

/// A tag name as written; compares without regard to case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'t>(&'t str);

impl Name<'_> {
    pub(super) fn is(self, name: &str) -> bool {
        self.0.eq_ignore_ascii_case(name)
    }

    fn block(self) -> Option<&'static str> {
        BLOCKS.into_iter().find(|block| self.is(block))
    }
}

/// The tokens of an HTML text, which together are the text.
pub(super) struct Tokens<'t> {
    rest: &'t str,
    // Once an end is missing, it is not searched again: the search stays linear.
    has_comment_end: bool,
    has_tag_end: bool,
    missing_raw_ends: Vec<&'static str>,
}

/// The tokens of `html`.
pub(super) fn tokens(html: &str) -> Tokens<'_> {
    Tokens { rest: html, has_comment_end: true, has_tag_end: true, missing_raw_ends: Vec::new() }
}

impl<'t> Tokens<'t> {
    /// Goes on at another, later place of the same text.
    pub(super) fn go_on_at(&mut self, rest: &'t str) {
        self.rest = rest;
    }

    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn comment(&mut self) -> Option<Token<'t>> {
        if !self.has_comment_end || !self.rest.starts_with("<!--") {
            return None;
        }
        let end = self.rest.find("-->");
        self.has_comment_end = end.is_some();
        Some(Token::Comment(self.take(end? + 3)))
    }

    fn tag(&mut self) -> Option<Token<'t>> {
        if !self.has_tag_end || !starts_tag(self.rest) {
            return None;
        }
        let end = self.rest.find('>');
        self.has_tag_end = end.is_some();
        let length = end? + 1;
        let inner = self.rest[1..length].strip_prefix('/');
        let is_end = inner.is_some();
        let inner = inner.unwrap_or(&self.rest[1..length]);
        let name = Name(&inner[..inner.bytes().take_while(u8::is_ascii_alphanumeric).count()]);
        let raw = RAW.into_iter().find(|raw| name.is(raw));
        if let Some(raw) = raw.filter(|raw| !is_end && !self.missing_raw_ends.contains(raw)) {
            if let Some(content) = raw_length(&self.rest[length..], raw) {
                return Some(Token::Raw(self.take(length + content)));
            }
            self.missing_raw_ends.push(raw);
        }
        Some(Token::Tag { text: self.take(length), name, is_end })
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let start = markup_start(self.rest);
        if start > 0 {
            return Some(Token::Text(self.take(start)));
        }
        let markup = self.comment().or_else(|| self.tag());
        // A `<` that begins nothing is text.
        markup.or_else(|| {
            let length = 1 + markup_start(&self.rest[1..]);
            Some(Token::Text(self.take(length)))
        })
    }
}

/// Where the next tag or comment begins, or the end of the text.
fn markup_start(text: &str) -> usize {
    let mut candidates = text.match_indices('<').map(|(at, _)| at);
    let is_markup = |at: &usize| starts_tag(&text[*at..]) || text[*at..].starts_with("<!--");
    candidates.find(is_markup).unwrap_or(text.len())
}

fn starts_tag(text: &str) -> bool {
    let mut bytes = text.bytes().skip(1);
    match bytes.next() {
        Some(b'/') => bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic()),
        Some(byte) => byte.is_ascii_alphabetic() && text.starts_with('<'),
        None => false,
    }
}

/// How long the rest of a raw element is, with its end tag.
fn raw_length(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].find("</").map(|at| from + at) {
        let after = at + 2;
        let is_end = text
            .get(after..after + name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name));
        if is_end {
            return text[after..].find('>').map(|end| after + end + 1);
        }
        from = after;
    }
    None
}

/// Adds the paragraphs to a text of the classic editor.
pub(super) fn paragraphs(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut writer = Writer {
        html: String::with_capacity(text.len() * 5 / 4),
        open: Vec::new(),
        run: String::new(),
    };
    let mut breaks = 0;
    for token in tokens(&text) {
        if let Token::Tag { name, is_end: false, .. } = token
            && name.is("br")
        {
            breaks += 1;
            // Two breaks are a blank line to WordPress.
            writer.run.push_str(if breaks == 2 { "\n\n" } else { "<br>" });
            continue;
        }
        match token {
            Token::Text(text) if text.trim().is_empty() => {
                writer.run.push_str(text);
                continue;
            }
            Token::Text(text) => writer.run.push_str(text),
            Token::Comment(comment) => writer.run.push_str(comment),
            Token::Raw(element) if element[1..].to_ascii_lowercase().starts_with("pre") => {
                writer.block(|html| html.push_str(element));
            }
            Token::Raw(element) => writer.raw_inline(element),
            Token::Tag { text, name, is_end } => match name.block() {
                Some(block) => writer.tag(text, block, is_end),
                // A line end within a tag is white space.
                None => writer.run.push_str(&text.replace('\n', " ")),
            },
        }
        breaks = 0;
    }
    writer.flush();
    writer.html
}

struct Writer {
    html: String,
    open: Vec<&'static str>,
    /// Text and inline elements since the last block.
    run: String,
}

impl Writer {
    fn block(&mut self, write: impl FnOnce(&mut String)) {
        self.flush();
        write(&mut self.html);
    }

    /// A script or the like within a run: its line ends stay.
    fn raw_inline(&mut self, element: &str) {
        // A line end within it does not part a paragraph.
        if element.contains('\n') {
            self.block(|html| html.push_str(element));
        } else {
            self.run.push_str(element);
        }
    }

    fn tag(&mut self, text: &str, block: &'static str, is_end: bool) {
        self.flush();
        if is_end {
            if let Some(at) = self.open.iter().rposition(|open| *open == block) {
                self.open.truncate(at);
            }
        } else {
            // A block ends a paragraph that has no end tag.
            if self.open.last() == Some(&"p") {
                self.open.pop();
            }
            if !VOID.contains(&block) && self.open.len() < MAX_DEPTH {
                self.open.push(block);
            }
        }
        self.html.push_str(text);
    }

    /// Writes the run as the element around it asks.
    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        let flow = self.open.last().map_or(Flow::Paragraphs, |element| Flow::of(element));
        let pieces = pieces(&run);
        match flow {
            Flow::Structure => self.html.extend(pieces),
            Flow::Line => {
                let lines: Vec<String> = pieces.iter().map(|piece| with_breaks(piece)).collect();
                let is_paragraph = self.open.last() == Some(&"p");
                self.html.push_str(&lines.join(if is_paragraph {
                    "</p>\n<p>"
                } else {
                    "<br><br>"
                }));
            }
            Flow::Several if pieces.len() < 2 => {
                self.html.extend(pieces.into_iter().map(with_breaks));
            }
            Flow::Paragraphs | Flow::Several => {
                for piece in pieces {
                    if is_visible(piece) {
                        let _ = writeln!(self.html, "<p>{}</p>", with_breaks(piece));
                    } else {
                        self.html.push_str(piece);
                    }
                }
            }
        }
    }
}

/// The parts of a run between blank lines, trimmed, without empty ones.
fn pieces(run: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut begin, mut blank_from) = (0, None);
    let mut at = 0;
    for line in run.split_inclusive('\n') {
        if line.trim().is_empty() && line.ends_with('\n') && at > begin {
            blank_from.get_or_insert(at);
        } else if let Some(end) = blank_from.take() {
            found.push(run[begin..end].trim());
            begin = at;
        }
        at += line.len();
    }
    found.push(run[begin..].trim());
    found.retain(|piece| !piece.is_empty());
    found
}

/// Whether a piece shows something: text, or an element other than an anchor that is only opened or closed.
fn is_visible(piece: &str) -> bool {
    const SHOWN: [&str; 8] =
        ["img", "iframe", "video", "audio", "object", "embed", "input", "picture"];
    tokens(piece).any(|token| match token {
        Token::Text(text) => !text.trim().is_empty(),
        Token::Tag { name, .. } => SHOWN.into_iter().any(|shown| name.is(shown)),
        Token::Raw(element) => element.starts_with("<svg"),
        Token::Comment(_) => false,
    })
}

/// Line ends as breaks, where there is none yet.
fn with_breaks(piece: &str) -> String {
    let piece = piece.trim().trim_end_matches("<br>").trim_end();
    let mut html = String::with_capacity(piece.len() + 16);
    let mut lines = piece.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_end();
        html.push_str(line);
        if lines.peek().is_some() {
            html.push_str(if line.ends_with("<br>") { "\n" } else { "<br>\n" });
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_part_paragraphs_and_blocks_stay() {
        fn check(text: &str, expected: &str) {
            assert_eq!(
                paragraphs(text).replace('\n', "␤"),
                expected.replace('\n', "␤"),
                "{text:?}"
            );
        }
        for (text, expected) in [
            ("One.\n\nTwo.", "<p>One.</p>\n<p>Two.</p>\n"),
            ("One,\ntwo.\r\n\r\nThree.", "<p>One,<br>\ntwo.</p>\n<p>Three.</p>\n"),
            (
                "One.\n\n<p style=\"text-align:center\">C</p>\n\nFour.\n\nFive.",
                "<p>One.</p>\n<p style=\"text-align:center\">C</p><p>Four.</p>\n<p>Five.</p>\n",
            ),
            (
                "Code\n\n<pre>a {\n\n  b\n}</pre>\n\nEnd",
                "<p>Code</p>\n<pre>a {\n\n  b\n}</pre><p>End</p>\n",
            ),
            ("<pre><code>a\n\nb</code></pre>", "<pre><code>a\n\nb</code></pre>"),
            ("One.\n<h2>H</h2>\nTwo.", "<p>One.</p>\n<h2>H</h2><p>Two.</p>\n"),
            ("<ul>\n<li>a</li>\n\n<li>b</li>\n</ul>", "<ul><li>a</li><li>b</li></ul>"),
            ("<blockquote>Q\n\nR</blockquote>", "<blockquote><p>Q</p>\n<p>R</p>\n</blockquote>"),
            ("<blockquote>Q</blockquote>", "<blockquote><p>Q</p>\n</blockquote>"),
            (
                "<div class=\"box\">In.\n\nTwo.</div>",
                "<div class=\"box\"><p>In.</p>\n<p>Two.</p>\n</div>",
            ),
            ("<div>In</div>", "<div>In</div>"),
            (
                "<table>\n<tr><td>a\n\nb</td></tr>\n</table>",
                "<table><tr><td><p>a</p>\n<p>b</p>\n</td></tr></table>",
            ),
            ("Text\n\n<!--more-->\n\nMore", "<p>Text</p>\n<!--more--><p>More</p>\n"),
            ("a<br />\n<br>b", "<p>a</p>\n<p>b</p>\n"),
            ("a<br>\nb", "<p>a<br>\nb</p>\n"),
            ("<a\nhref='x'>y</a>", "<p><a href='x'>y</a></p>\n"),
            ("1 < 2 and <3\n\nb", "<p>1 < 2 and <3</p>\n<p>b</p>\n"),
            ("a <!-- b", "<p>a <!-- b</p>\n"),
            ("a <b", "<p>a <b</p>\n"),
            ("<hr />\nText", "<hr /><p>Text</p>\n"),
            (
                "<script>var a;\n\nvar b;</script>\n\nend",
                "<script>var a;\n\nvar b;</script><p>end</p>\n",
            ),
            ("<p>open\n\nnext", "<p>open</p>\n<p>next"),
            ("<h2>a\n\nb</h2>", "<h2>a<br><br>b</h2>"),
            ("<img src=a>\n\ntext", "<p><img src=a></p>\n<p>text</p>\n"),
            ("", ""),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn tokens_are_the_text() {
        for text in [
            "a<b>c</b><!-- d --><pre>x</pre",
            "<",
            "<<a>",
            "</",
            "<!-- <!-- -->-->",
            "<pre><pre></pre>",
        ] {
            let joined: String = tokens(text)
                .map(|token| match token {
                    Token::Text(text)
                    | Token::Comment(text)
                    | Token::Raw(text)
                    | Token::Tag { text, .. } => text,
                })
                .collect();
            assert_eq!(joined, text);
        }
    }
}
