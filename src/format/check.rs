//! Reads a document back, strictly: what does not parse never becomes an edition (T-1).
//!
//! Stricter than the standards where we never write what they allow: no comments, CDATA sections or processing
//! instructions, every prefix declared on the root (R-3).

use std::{borrow::Cow, str};

use quick_xml::{
    Reader,
    escape::unescape,
    events::{BytesRef, BytesStart, Event},
    name::QName,
};
use serde::Deserialize;

use crate::format::{json, xml::DECLARATION};

/// Why a document is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Flaw {
    what: String,
    entry: Option<usize>,
}

impl Flaw {
    pub(super) fn new(what: String, entry: Option<usize>) -> Self {
        Self { what, entry }
    }

    /// Which entry it is in, counted from 0; `None` where nobody can tell.
    pub fn entry(&self) -> Option<usize> {
        self.entry
    }
}

/// An RSS document (R-1 to R-3).
pub(super) fn rss(document: &[u8]) -> Result<(), Flaw> {
    xml(document, &Root { name: "rss", attribute: ("version", "2.0"), entry: "<item>" })
}

/// An Atom document (A-1).
pub(super) fn atom(document: &[u8]) -> Result<(), Flaw> {
    let attribute = ("xmlns", "http://www.w3.org/2005/Atom");
    xml(document, &Root { name: "feed", attribute, entry: "<entry>" })
}

/// A JSON Feed (J-1, J-2, J-15, J-16).
pub(super) fn json(document: &[u8]) -> Result<(), Flaw> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        version: Cow<'a, str>,
        #[serde(borrow)]
        items: Vec<Item<'a>>,
    }
    #[derive(Deserialize)]
    struct Item<'a> {
        #[serde(borrow, default)]
        id: Cow<'a, str>,
        content_html: Option<String>,
        content_text: Option<String>,
    }

    let read: Document<'_> = serde_json::from_slice(document)
        .map_err(|error| Flaw::new(format!("not a JSON Feed: {error}"), None))?;
    if read.version != json::VERSION {
        return Err(Flaw::new(format!("`{}` is no version of JSON Feed", read.version), None));
    }
    for (nth, item) in read.items.iter().enumerate() {
        if item.id.trim().is_empty() {
            return Err(Flaw::new("an item has no id".to_owned(), Some(nth)));
        }
        if item.content_html.is_none() && item.content_text.is_none() {
            return Err(Flaw::new("an item has no content".to_owned(), Some(nth)));
        }
    }
    Ok(())
}

/// What a document is known by.
struct Root {
    name: &'static str,
    attribute: (&'static str, &'static str),
    /// How an entry begins; nothing else reads so, since `<` is escaped.
    entry: &'static str,
}

impl Root {
    fn flaw(&self, text: &str, at: usize, what: &str) -> Flaw {
        let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
        let entries = String::from_utf8_lossy(before).matches(self.entry).count();
        Flaw::new(format!("{what}, at byte {at}"), entries.checked_sub(1))
    }
}

fn xml(document: &[u8], root: &Root) -> Result<(), Flaw> {
    let text = str::from_utf8(document)
        .map_err(|error| Flaw::new(format!("it is not UTF-8: {error}"), None))?;
    if let Some(at) = forbidden(text) {
        return Err(root.flaw(text, at, "it holds a character that XML forbids"));
    }
    let body = text.strip_prefix(DECLARATION).filter(|body| body.starts_with('<'));
    let Some(body) = body else {
        return Err(root.flaw(text, 0, "it does not begin with the XML declaration"));
    };
    let mut reader = Reader::from_str(body);
    let read = read(&mut reader, root);
    let at = usize::try_from(reader.buffer_position()).expect("a document fits in memory");
    read.map_err(|what| root.flaw(text, DECLARATION.len() + at, &what))?;
    if !body[at..].trim_ascii().is_empty() {
        return Err(root.flaw(text, DECLARATION.len() + at, "it goes on after its root"));
    }
    Ok(())
}

/// XML 1.0 section 2.2.
fn forbidden(text: &str) -> Option<usize> {
    let is_control = |byte| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    let control = text.bytes().position(is_control);
    control.or_else(|| text.find('\u{FFFE}')).or_else(|| text.find('\u{FFFF}'))
}

/// From the root's start tag to its end tag.
fn read(reader: &mut Reader<&[u8]>, root: &Root) -> Result<(), String> {
    let mut next =
        || reader.read_event().map_err(|error| format!("it is not well-formed: {error}"));
    let Event::Start(tag) = next()? else {
        return Err(format!("its root is not `{}`", root.name));
    };
    let prefixes = declared(&tag, root)?;
    let mut depth = 1_usize;
    while depth > 0 {
        match next()? {
            Event::Start(tag) => {
                open(&tag, &prefixes)?;
                depth += 1;
            }
            Event::Empty(tag) => open(&tag, &prefixes)?,
            Event::End(_) => depth -= 1,
            Event::Text(text) if text.contains(&b'>') => {
                return Err("its text holds `>` unescaped".to_owned());
            }
            Event::Text(_) => {}
            Event::GeneralRef(reference) => resolve(&reference)?,
            Event::Eof => return Err("it ends inside an element".to_owned()),
            Event::Decl(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::PI(_)
            | Event::DocType(_) => {
                return Err("it holds markup that we never write".to_owned());
            }
        }
    }
    Ok(())
}

/// The prefixes that the root declares.
fn declared(tag: &BytesStart<'_>, root: &Root) -> Result<Vec<Vec<u8>>, String> {
    let (name, value) = root.attribute;
    let is_known = tag.try_get_attribute(name).ok().flatten();
    let is_known = is_known.is_some_and(|known| *known.value == *value.as_bytes());
    if tag.name().as_ref() != root.name.as_bytes() || !is_known {
        return Err(format!("its root is not `{}` with {name}=\"{value}\"", root.name));
    }
    let mut prefixes = vec![b"xml".to_vec(), b"xmlns".to_vec()];
    for attribute in tag.attributes().flatten() {
        prefixes.extend(attribute.key.as_ref().strip_prefix(b"xmlns:").map(<[u8]>::to_vec));
    }
    open(tag, &prefixes)?;
    prefixes.retain(|prefix| prefix != b"xmlns");
    Ok(prefixes)
}

fn open(tag: &BytesStart<'_>, prefixes: &[Vec<u8>]) -> Result<(), String> {
    declares(prefixes, tag.name())?;
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| format!("it is not well-formed: {error}"))?;
        declares(prefixes, attribute.key)?;
        let value = str::from_utf8(&attribute.value).map_err(|error| error.to_string())?;
        if value.contains('<') {
            return Err("an attribute holds `<` unescaped".to_owned());
        }
        let value = unescape(value).map_err(|error| error.to_string())?;
        if forbidden(&value).is_some() {
            return Err("it refers to a character that XML forbids".to_owned());
        }
    }
    Ok(())
}

fn declares(prefixes: &[Vec<u8>], name: QName<'_>) -> Result<(), String> {
    match name.prefix() {
        Some(prefix) if !prefixes.iter().any(|declared| declared == prefix.as_ref()) => Err(
            format!("the prefix of `{}` is not declared", String::from_utf8_lossy(name.as_ref())),
        ),
        _ => Ok(()),
    }
}

/// The five entities of XML, and characters it allows.
fn resolve(reference: &BytesRef<'_>) -> Result<(), String> {
    if matches!(&**reference, b"amp" | b"lt" | b"gt" | b"quot" | b"apos") {
        return Ok(());
    }
    match reference.resolve_char_ref() {
        Ok(Some(character)) if forbidden(character.encode_utf8(&mut [0; 4])).is_none() => Ok(()),
        _ => Err(format!("XML does not know `&{};`", String::from_utf8_lossy(reference))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rss_of(item: &str) -> String {
        let root = "<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">";
        format!(
            "{DECLARATION}{root}<channel><item><guid>a</guid></item><item>{item}</item></channel></rss>\n"
        )
    }

    #[test]
    fn what_is_well_formed_passes() {
        for item in [
            "",
            "<title>a &#x26;amp; &lt;b&gt; &#13;&#x1F600; 中</title>",
            "<dc:creator xml:lang=\"zh\" a=\"&amp;&#x9;>\"/>",
        ] {
            assert_eq!(rss(rss_of(item).as_bytes()), Ok(()), "{item}");
        }
    }

    #[test]
    fn a_flaw_names_its_entry() {
        for item in [
            "<title>a & b</title>",
            "<title>&nbsp;</title>",
            "<title>&#1;</title>",
            "<title>&#xFFFF;</title>",
            "<title>&#xD83D;&#xDE00;</title>",
            "<title>\u{1}</title>",
            "<title>\u{FFFE}</title>",
            "<title>]]></title>",
            "<title><![CDATA[a]]></title>",
            "<!-- a -->",
            "<?php ?>",
            "<title>",
            "</title>",
            "<title a=\"1\" a=\"2\"/>",
            "<title a=\"<\"/>",
            "<title a=\"&nbsp;\"/>",
            "<title a=\"&#8;\"/>",
            "<title a/>",
            "<media:content/>",
            "<title media:type=\"a\"/>",
            "<title xmlns:media=\"http://search.yahoo.com/mrss/\"/>",
        ] {
            let flaw = rss(rss_of(item).as_bytes()).unwrap_err();
            assert_eq!(flaw.entry(), Some(1), "{item}: {flaw}");
        }
    }

    #[test]
    fn a_document_is_refused_as_a_whole() {
        let good = rss_of("");
        for bad in [
            String::new(),
            format!("\u{FEFF}{good}"),
            format!(" {good}"),
            good.replace("utf-8", "gbk"),
            good.replace(DECLARATION, ""),
            good.replace("<rss", "\u{FEFF}<rss"),
            good.replace("<rss", "<!DOCTYPE rss><rss"),
            good.replace("2.0", "0.91"),
            good.replace("rss", "feed"),
            good.replace("</rss>", ""),
            good.replace("</rss>", "</rss><rss/>"),
            good.replace("</rss>", "</rss>&amp;"),
        ] {
            assert!(rss(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(rss(b"\xff").is_err());
        assert!(atom(good.as_bytes()).is_err());
        assert_eq!(
            atom(
                format!("{DECLARATION}<feed xmlns=\"http://www.w3.org/2005/Atom\"></feed>")
                    .as_bytes()
            ),
            Ok(())
        );
    }

    #[test]
    fn a_json_feed_has_a_version_and_items_with_ids() {
        let document =
            |items: &str| format!("{{\"version\":\"{}\",\"items\":[{items}]}}", json::VERSION);
        for (items, expected) in [
            ("", Ok(())),
            (r#"{"id":"a","content_text":""}"#, Ok(())),
            (r#"{"id":"a","content_html":"b"},{"content_html":"b"}"#, Err(Some(1))),
            (r#"{"id":" ","content_html":"b"}"#, Err(Some(0))),
            (r#"{"id":"a","content_html":null}"#, Err(Some(0))),
            (r#"{"id":1,"content_html":"b"}"#, Err(None)),
            (r#"{"id":"a","content_html":"\ud800"}"#, Err(None)),
            ("}", Err(None)),
        ] {
            let read = json(document(items).as_bytes());
            assert_eq!(read.map_err(|flaw| flaw.entry()), expected, "{items}");
        }
        assert!(json(br#"{"version":"https://jsonfeed.org/version/1","items":[]}"#).is_err());
        assert!(json("\u{FEFF}{}".as_bytes()).is_err());
    }
}
