//! Rewrites what the `rss` and `atom_syndication` crates write: the one place where bytes of XML are decided.
//!
//! The crates escape with named references everywhere, put the HTML of RSS into CDATA sections, let carriage returns
//! through, and set everything on one line.

use quick_xml::{Reader, events::Event};

use crate::format::Flaw;

/// R-1, T-5.
pub(super) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Plain text with `&#x26;`: the form that reads right in the most readers.
    Rss,
    /// Plain text with `&amp;`, and called `text`: Newsboat shows references in a summary that does not say so.
    Atom,
}

impl Syntax {
    fn reference(self, entity: &[u8]) -> Option<&'static [u8]> {
        match (entity, self) {
            (b"amp", Self::Rss) => Some(b"&#x26;"),
            (b"amp", Self::Atom) => Some(b"&amp;"),
            (b"lt", Self::Rss) => Some(b"&#x3C;"),
            (b"lt", Self::Atom) => Some(b"&lt;"),
            (b"gt", Self::Rss) => Some(b"&#x3E;"),
            (b"gt", Self::Atom) => Some(b"&gt;"),
            (b"quot", _) => Some(b"\""),
            (b"apos", _) => Some(b"'"),
            _ => None,
        }
    }

    /// What the crate leaves out of a start tag: `text` is the default of RFC 4287.
    fn missing(self, name: &[u8]) -> &'static [u8] {
        match (self, name) {
            (Self::Atom, b"title" | b"subtitle" | b"summary" | b"rights") => b" type=\"text\"",
            _ => b"",
        }
    }
}

/// The document: declaration, an element on each line, HTML escaped once.
pub(super) fn rewrite(written: &[u8], syntax: Syntax) -> Result<Vec<u8>, Flaw> {
    let mut reader = Reader::from_reader(written);
    let mut document = Vec::with_capacity(written.len() + written.len() / 4);
    document.extend_from_slice(DECLARATION.as_bytes());
    let mut holds_elements = false;
    loop {
        match reader.read_event().map_err(|error| Flaw::new(error.to_string(), None))? {
            Event::Start(tag) => {
                push_tag(&mut document, b"<", &tag, syntax.missing(tag.name().as_ref()));
                document.push(b'>');
                holds_elements = false;
            }
            Event::Empty(tag) => {
                push_tag(&mut document, b"<", &tag, b"/>");
                holds_elements = true;
            }
            Event::End(tag) => {
                if holds_elements {
                    push_tag(&mut document, b"</", &tag, b">");
                } else {
                    document.extend_from_slice(b"</");
                    document.extend_from_slice(&tag);
                    document.push(b'>');
                }
                holds_elements = true;
            }
            Event::Text(text) => push(&mut document, &text, in_text),
            Event::CData(html) => push(&mut document, &html, in_html),
            Event::GeneralRef(entity) => {
                let reference = syntax.reference(&entity).ok_or_else(|| {
                    Flaw::new("it holds a reference no crate writes".to_owned(), None)
                })?;
                document.extend_from_slice(reference);
            }
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    document.push(b'\n');
    Ok(document)
}

/// The first tag follows the declaration, any other begins a line.
fn push_tag(document: &mut Vec<u8>, open: &[u8], tag: &[u8], close: &[u8]) {
    if document.len() > DECLARATION.len() {
        document.push(b'\n');
    }
    document.extend_from_slice(open);
    push(document, tag, in_tag);
    document.extend_from_slice(close);
}

fn push(document: &mut Vec<u8>, raw: &[u8], escape: impl Fn(u8) -> Option<&'static [u8]>) {
    let mut done = 0;
    for (at, byte) in raw.iter().enumerate() {
        if let Some(reference) = escape(*byte) {
            document.extend_from_slice(&raw[done..at]);
            document.extend_from_slice(reference);
            done = at + 1;
        }
    }
    document.extend_from_slice(&raw[done..]);
}

/// The rest is escaped; parsers would take a carriage return for a line feed (T-6).
fn in_text(byte: u8) -> Option<&'static [u8]> {
    (byte == b'\r').then_some(b"&#xD;")
}

/// Between names and values the crates write spaces, so that any other white space belongs to a value (T-6).
fn in_tag(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'\t' => Some(b"&#x9;"),
        b'\n' => Some(b"&#xA;"),
        b'\r' => Some(b"&#xD;"),
        _ => None,
    }
}

/// `>` always, which guards `]]>` (R-33, T-7).
fn in_html(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'&' => Some(b"&amp;"),
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'\r' => Some(b"&#xD;"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_crates_write_is_written_our_way() {
        let (rss, atom) = (Syntax::Rss, Syntax::Atom);
        for (written, syntax, expected) in [
            ("<a>&lt;b&gt; &amp; &quot;c&apos;</a>", atom, "<a>&lt;b&gt; &amp; \"c'</a>"),
            ("<a>&lt;b&gt; &amp;</a>", rss, "<a>&#x3C;b&#x3E; &#x26;</a>"),
            ("<a><![CDATA[<b>&amp;]]]]><![CDATA[>]]></a>", rss, "<a>&lt;b&gt;&amp;amp;]]&gt;</a>"),
            ("<a>1\r\n2</a>", atom, "<a>1&#xD;\n2</a>"),
            ("<a b=\"1\t2\n3\"/>", atom, "<a b=\"1&#x9;2&#xA;3\"/>"),
            ("<?xml version=\"1.0\"?><a/>", atom, "<a/>"),
            ("<title>a</title>", rss, "<title>a</title>"),
            (
                "<title xml:lang=\"en\">a</title>",
                atom,
                "<title xml:lang=\"en\" type=\"text\">a</title>",
            ),
            ("<a><b>c</b><d></d><e/></a>", atom, "<a>\n<b>c</b>\n<d></d>\n<e/>\n</a>"),
        ] {
            let document = rewrite(written.as_bytes(), syntax).unwrap();
            assert_eq!(String::from_utf8(document).unwrap(), format!("{DECLARATION}{expected}\n"));
        }
    }
}
