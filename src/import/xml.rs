//! XML element by element, as a stream: of RSS, Atom, WordPress exports and OPML.
//!
//! An element is a small tree of bounded size and depth. Entities that a document defines are not expanded, so a small
//! document stays small.

use std::io::{self, BufRead, Read};

use quick_xml::{
    NsReader,
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};

use crate::text::Text;

/// Largest element that is read, in bytes of the file.
pub(super) const MAX_ELEMENT: usize = 32 << 20;
/// How deep elements may nest.
const MAX_DEPTH: usize = 256;

/// Namespaces by the prefixes that everybody knows; an address that begins so is meant.
const NAMESPACES: [(&str, &str); 13] = [
    ("http://www.w3.org/2005/Atom", "atom"),
    ("http://purl.org/atom/", "atom"),
    ("http://purl.org/rss/1.0/modules/content/", "content"),
    ("http://purl.org/rss/1.0/", ""),
    ("http://purl.org/dc/elements/", "dc"),
    ("http://purl.org/dc/terms/", "dcterms"),
    ("http://search.yahoo.com/mrss", "media"),
    ("http://www.itunes.com/dtds/podcast", "itunes"),
    ("http://purl.org/syndication/history/", "fh"),
    ("https://podcastindex.org/namespace/", "podcast"),
    ("http://rssnamespace.org/feedburner/", "feedburner"),
    ("http://www.w3.org/1999/xhtml", "xhtml"),
    ("http://www.w3.org/1999/02/22-rdf-syntax-ns#", "rdf"),
];

/// An element and all that is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// With the prefix that everybody knows, whatever the document calls it: `dc:creator`.
    pub name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Child>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Child {
    Text(String),
    Element(Element),
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        })
    }

    pub(super) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.elements().filter(move |element| element.name == name)
    }

    /// The words in the first child of this name, without white space around them; `None` when there are none.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        self.all(name).map(Self::text).find(|text| !text.is_empty())
    }

    /// The words in it, without white space around them.
    pub(super) fn text(&self) -> String {
        let mut words = String::new();
        self.push_words(&mut words);
        words.trim().to_owned()
    }

    fn push_words(&self, words: &mut String) {
        for child in &self.children {
            match child {
                Child::Text(text) => words.push_str(text),
                Child::Element(element) => element.push_words(words),
            }
        }
    }

    /// What is in it, as markup of HTML.
    pub(super) fn markup(&self) -> String {
        let mut markup = String::new();
        self.push_markup(&mut markup);
        markup
    }

    fn push_markup(&self, markup: &mut String) {
        for child in &self.children {
            match child {
                Child::Text(text) => markup.push_str(&quick_xml::escape::escape(text.as_str())),
                Child::Element(element) => {
                    let name = element.name.rsplit(':').next().unwrap_or_default();
                    markup.push('<');
                    markup.push_str(name);
                    for (key, value) in &element.attributes {
                        let value = quick_xml::escape::escape(value.as_str());
                        markup.extend([" ", key, "=\"", &value, "\""]);
                    }
                    markup.push('>');
                    element.push_markup(markup);
                    // What is empty in XML and not in HTML would swallow what follows.
                    if !(element.children.is_empty() && is_void(name)) {
                        markup.extend(["</", name, ">"]);
                    }
                }
            }
        }
    }
}

fn is_void(name: &str) -> bool {
    ["area", "br", "col", "embed", "hr", "img", "input", "source", "track", "wbr"].contains(&name)
}

/// Why a document breaks off.
#[derive(Debug, thiserror::Error)]
pub(super) enum XmlError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is no XML from here on.
    #[error("not XML: {0}; what comes after this place is not read")]
    Broken(String),
}

/// The elements within an element, one after the other.
pub(super) struct Elements<R> {
    reader: NsReader<Measured<R>>,
    event: Vec<u8>,
    /// The elements around those that are given.
    around: Vec<String>,
}

/// An element, and where it begins, the first line being 1.
#[derive(Debug)]
pub(super) struct Given {
    pub line: usize,
    pub element: Element,
}

enum Step {
    Start(Element, bool),
    End,
    Text(String),
    Over,
}

impl<R: BufRead> Elements<R> {
    pub(super) fn new(input: R) -> Self {
        let mut reader = NsReader::from_reader(Measured::new(input));
        reader.config_mut().check_end_names = true;
        Self { reader, event: Vec::new(), around: Vec::new() }
    }

    /// Where it has come to, the first line being 1.
    pub(super) fn line(&self) -> usize {
        self.reader.get_ref().line
    }

    /// Goes into the next element and gives it without what is in it; `None` at the end of the element around it.
    pub(super) fn enter(&mut self) -> Result<Option<Element>, XmlError> {
        loop {
            match self.step()? {
                Step::Start(element, false) => {
                    self.around.push(element.name.clone());
                    return Ok(Some(element));
                }
                Step::Text(_) | Step::Start(_, true) => {}
                Step::End => {
                    self.around.pop();
                    return Ok(None);
                }
                Step::Over => return self.over(),
            }
        }
    }

    /// The next element with all that is in it; `None` at the end of the element around it.
    pub(super) fn next(&mut self) -> Result<Option<Given>, XmlError> {
        loop {
            self.reader.get_mut().since = 0;
            let line = self.line();
            match self.step()? {
                Step::Start(element, is_empty) => {
                    let element = if is_empty { element } else { self.build(element)? };
                    return Ok(Some(Given { line, element }));
                }
                Step::Text(_) => {}
                Step::End => {
                    self.around.pop();
                    return Ok(None);
                }
                Step::Over => return self.over(),
            }
        }
    }

    fn over<T>(&self) -> Result<Option<T>, XmlError> {
        match self.around.last() {
            Some(name) => Err(XmlError::Broken(format!("`{name}` has no end"))),
            None => Ok(None),
        }
    }

    /// Reads to the end of an element that has begun.
    fn build(&mut self, first: Element) -> Result<Element, XmlError> {
        let mut open = vec![first];
        loop {
            match self.step()? {
                Step::Start(element, true) => push(&mut open, Child::Element(element)),
                // The reader of namespaces counts no further than 65,535.
                Step::Start(..) if open.len() >= MAX_DEPTH => {
                    let problem = format!("elements nest deeper than {MAX_DEPTH}");
                    return Err(XmlError::Broken(problem));
                }
                Step::Start(element, false) => open.push(element),
                Step::Text(text) => push(&mut open, Child::Text(text)),
                Step::End => {
                    let Some(done) = open.pop() else {
                        return Err(XmlError::Broken("an end without a start".to_owned()));
                    };
                    if open.is_empty() {
                        return Ok(done);
                    }
                    push(&mut open, Child::Element(done));
                }
                Step::Over => {
                    let name = open.first().map(|element| element.name.clone());
                    let name = name.unwrap_or_default();
                    return Err(XmlError::Broken(format!("`{name}` has no end")));
                }
            }
        }
    }

    fn step(&mut self) -> Result<Step, XmlError> {
        loop {
            self.event.clear();
            let (namespace, event) = match self.reader.read_resolved_event_into(&mut self.event) {
                Ok(read) => read,
                Err(quick_xml::Error::Io(error)) => {
                    return Err(XmlError::Read(io::Error::new(error.kind(), error.to_string())));
                }
                Err(error) => return Err(XmlError::Broken(error.to_string())),
            };
            return Ok(match event {
                Event::Start(start) => Step::Start(element(&namespace, &start), false),
                Event::Empty(start) => Step::Start(element(&namespace, &start), true),
                Event::End(_) => Step::End,
                Event::Text(text) => Step::Text(lossless(&text)),
                Event::CData(text) => Step::Text(lossless(&text)),
                Event::GeneralRef(reference) => Step::Text(referred(&reference)),
                Event::Eof => Step::Over,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => continue,
            });
        }
    }
}

fn push(open: &mut [Element], child: Child) {
    let Some(element) = open.last_mut() else { return };
    match (element.children.last_mut(), child) {
        (Some(Child::Text(before)), Child::Text(text)) => before.push_str(&text),
        (_, child) => element.children.push(child),
    }
}

fn lossless(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn element(namespace: &ResolveResult<'_>, start: &BytesStart<'_>) -> Element {
    let local = lossless(start.local_name().as_ref());
    let known = match namespace {
        ResolveResult::Bound(namespace) => {
            let address = lossless(namespace.as_ref());
            let known = NAMESPACES.iter().find(|(begin, _)| address.starts_with(begin));
            known.map(|(_, prefix)| *prefix)
        }
        ResolveResult::Unbound | ResolveResult::Unknown(_) => None,
    };
    let name = match known {
        Some("") => local,
        Some(prefix) => format!("{prefix}:{local}"),
        None => lossless(start.name().as_ref()),
    };
    let mut attributes = start.attributes();
    let attributes = attributes.with_checks(false).flatten().map(|attribute| {
        let value = lossless(&attribute.value);
        let value = quick_xml::escape::unescape(&value).map_or(value.clone(), Into::into);
        (lossless(attribute.key.as_ref()), value)
    });
    Element { name, attributes: attributes.collect(), children: Vec::new() }
}

/// What `&name;` stands for: the characters that XML and HTML have names for; else itself.
fn referred(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return c.to_string();
    }
    let name = lossless(reference);
    match name.as_str() {
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "nbsp" => "\u{a0}".to_owned(),
        _ => {
            let written = format!("&{name};");
            Text::from_markup(&written).as_str().to_owned()
        }
    }
}

/// Counts lines, and ends what takes too many bytes for one element.
struct Measured<R> {
    input: R,
    line: usize,
    since: usize,
}

impl<R: BufRead> Measured<R> {
    fn new(input: R) -> Self {
        Self { input, line: 1, since: 0 }
    }
}

impl<R: BufRead> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Measured<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > MAX_ELEMENT {
            let problem = format!("an element is larger than {MAX_ELEMENT} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Ok(buffer) = self.input.fill_buf() {
            let used = &buffer[..amount.min(buffer.len())];
            self.line += memchr::memchr_iter(b'\n', used).count();
        }
        self.since += amount;
        self.input.consume(amount);
    }
}
