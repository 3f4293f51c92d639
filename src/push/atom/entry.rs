//! An entry that was sent, and the record that it stands for.

use quick_xml::events::Event;
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value, json};

use super::ATOM;
use crate::{
    category::Slug,
    feed::Catalogue,
    import::visibility::{Visibility, app_draft},
    push::{micropub::file_under, record, reply::Problem},
    store::Stored,
    text::Text,
};

/// Most nodes of an entry.
const MAX_NODES: u32 = 200_000;
/// Most attributes of an element: the parser compares each with all before it.
const MAX_ATTRIBUTES: usize = 256;
/// How deep XHTML goes.
const MAX_DEPTH: usize = 100;

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// What an entry says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    title: Option<String>,
    summary: Option<String>,
    /// The field of a record, and what it says.
    content: Option<(&'static str, String)>,
    authors: Vec<Value>,
    categories: Vec<Filed>,
    published: Option<String>,
    updated: Option<String>,
    rights: Option<String>,
    /// By relation: address, media type, title, length.
    links: Vec<Link>,
    is_draft: Option<bool>,
}

/// A category, of which an entry says the term and may say a label.
#[derive(Clone, Debug, Default, PartialEq)]
struct Filed {
    term: Option<String>,
    label: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Link {
    relation: String,
    address: String,
    media_type: Option<String>,
    title: Option<String>,
    length: Option<u64>,
}

impl Filed {
    /// What a record calls it. A term that is known outranks the label, which may be one that `feeds.toml` has no more.
    fn name(&self, catalogue: &Catalogue, stored: Option<&Stored>) -> Option<String> {
        let own = || {
            let categories = &stored?.story.categories;
            let known = categories
                .iter()
                .find(|category| self.term.as_deref() == Some(category.slug.as_str()));
            Some(record::name(catalogue, known?).to_owned())
        };
        let known = || {
            let slug = self.term.as_deref()?.parse::<Slug>().ok()?;
            catalogue.site.labels.contains_key(&slug).then(|| slug.to_string())
        };
        own().or_else(known).or_else(|| self.label.clone()).or_else(|| self.term.clone())
    }
}

impl Entry {
    /// Its title, if it has one.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }
}

/// Reads an entry. Document types are refused, and with them all entities but those of XML itself.
pub fn read(body: &[u8]) -> Result<Entry, Problem> {
    let malformed = |why: String| Problem::Malformed(format!("The body is no Atom entry: {why}."));
    let text = str::from_utf8(body).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
    check_attributes(text).map_err(malformed)?;
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)
        .map_err(|error| malformed(error.to_string()))?;
    let root = document.root_element();
    if !root.has_tag_name((ATOM, "entry")) {
        return Err(malformed("its element is another one".to_owned()));
    }
    let mut entry = Entry::default();
    for node in root.children().filter(Node::is_element) {
        match (node.tag_name().namespace(), node.tag_name().name()) {
            (Some(ATOM), "title") => entry.title = Some(line(node)),
            (Some(ATOM), "summary") => entry.summary = Some(line(node)),
            (Some(ATOM), "rights") => entry.rights = Some(line(node)),
            (Some(ATOM), "content") => content(node, &mut entry),
            (Some(ATOM), "published") => entry.published = Some(plain(node)),
            (Some(ATOM), "updated") => entry.updated = Some(plain(node)),
            (Some(ATOM), "author") => entry.authors.extend(person(node)),
            (Some(ATOM), "category") => entry.categories.push(Filed {
                term: node.attribute("term").map(str::to_owned),
                label: node.attribute("label").map(str::to_owned),
            }),
            (Some(ATOM), "link") => entry.links.extend(link(node)),
            // The namespace of drafts of the standard, which old clients use, counts as well.
            (_, "control") => {
                for draft in node.children().filter(|node| node.tag_name().name() == "draft") {
                    let is_draft = match app_draft(&plain(draft)) {
                        Visibility::Public => false,
                        Visibility::NotPublic => true,
                        Visibility::Unknown => {
                            return Err(malformed("`app:draft` is `yes` or `no`".to_owned()));
                        }
                    };
                    entry.is_draft = Some(entry.is_draft == Some(true) || is_draft);
                }
            }
            _ => {}
        }
    }
    // Section 9.2 of RFC 5023: without the element, it is no draft.
    entry.is_draft = entry.is_draft.or(Some(false));
    Ok(entry)
}

/// Refuses an element with too many attributes before the parser sees it.
fn check_attributes(text: &str) -> Result<(), String> {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start) | Event::Empty(start)) => {
                if start.attributes().with_checks(false).take(MAX_ATTRIBUTES + 1).count()
                    > MAX_ATTRIBUTES
                {
                    return Err(format!("an element has more than {MAX_ATTRIBUTES} attributes"));
                }
            }
            // What is no XML, the parser says better.
            Ok(Event::Eof) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
    }
}

fn plain(node: Node<'_, '_>) -> String {
    let text: String =
        node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect();
    text.trim().to_owned()
}

/// A text construct (RFC 4287 section 3.1) as plain text.
fn line(node: Node<'_, '_>) -> String {
    match node.attribute("type") {
        Some("html") => Text::from_markup(&plain(node)).to_string(),
        _ => plain(node),
    }
}

fn content(node: Node<'_, '_>, entry: &mut Entry) {
    let kind = node.attribute("type").unwrap_or("text");
    if let Some(address) = node.attribute("src") {
        entry.links.push(Link {
            relation: "enclosure".to_owned(),
            address: address.to_owned(),
            media_type: Some(kind.to_owned()).filter(|kind| kind.contains('/')),
            ..Link::default()
        });
        return;
    }
    entry.content = Some(match kind {
        "html" | "text/html" => ("content_html", plain(node)),
        "xhtml" => {
            let mut markup = String::new();
            let inside =
                node.children().find(|node| node.has_tag_name((XHTML, "div"))).unwrap_or(node);
            inside.children().for_each(|child| xhtml(child, &mut markup, 0));
            ("content_html", markup)
        }
        _ => ("content_text", plain(node)),
    });
}

/// XHTML as HTML: names without prefixes. What it says is cleaned like any other HTML.
fn xhtml(node: Node<'_, '_>, out: &mut String, depth: usize) {
    if let Some(text) = node.text().filter(|_| node.is_text()) {
        escape(text, out);
        return;
    }
    if !node.is_element() {
        return;
    }
    let name = node.tag_name().name();
    out.push('<');
    out.push_str(name);
    for attribute in node.attributes().filter(|attribute| attribute.namespace().is_none()) {
        out.push(' ');
        out.push_str(attribute.name());
        out.push_str("=\"");
        escape(attribute.value(), out);
        out.push('"');
    }
    out.push('>');
    if ["br", "img", "hr", "wbr", "source", "track", "col"].contains(&name) {
        return;
    }
    if depth < MAX_DEPTH {
        node.children().for_each(|child| xhtml(child, out, depth + 1));
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn escape(text: &str, out: &mut String) {
    out.push_str(&quick_xml::escape::escape(text));
}

fn person(node: Node<'_, '_>) -> Option<Value> {
    let part = |name| node.children().find(|node| node.has_tag_name((ATOM, name))).map(plain);
    let mut person = json!({ "name": part("name")? });
    for (field, value) in [("url", part("uri")), ("email", part("email"))] {
        if let Some(value) = value {
            person[field] = value.into();
        }
    }
    Some(person)
}

fn link(node: Node<'_, '_>) -> Option<Link> {
    Some(Link {
        relation: node.attribute("rel").unwrap_or("alternate").to_owned(),
        address: node.attribute("href")?.to_owned(),
        media_type: node.attribute("type").map(str::to_owned),
        title: node.attribute("title").map(str::to_owned),
        length: node.attribute("length").and_then(|length| length.parse().ok()),
    })
}

/// The record of an entry: that of the stored article, if there is one, with what the entry says instead of what an
/// entry could say of it. Whatever an entry has no words for stays.
pub fn record(
    catalogue: &Catalogue,
    stored: Option<&Stored>,
    old: &Map<String, Value>,
    entry: &Entry,
) -> Map<String, Value> {
    let mut new = old.clone();
    for field in
        ["title", "summary", "content_html", "content_text", "rights", "url", "external_url"]
    {
        new.remove(field);
    }
    let mut set = |field: &str, value: Option<&String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            new.insert(field.to_owned(), value.as_str().into());
        }
    };
    set("title", entry.title.as_ref());
    set("summary", entry.summary.as_ref());
    set("rights", entry.rights.as_ref());
    set("date_published", entry.published.as_ref());
    // What a client sends back as it got it is no news.
    let is_news = stored.is_none_or(|stored| entry.updated != Some(record::date(stored.updated)));
    set("date_modified", entry.updated.as_ref().filter(|_| is_news && stored.is_some()));
    if let Some((field, text)) = &entry.content {
        set(field, Some(text));
    }
    let of =
        |relation: &'static str| entry.links.iter().filter(move |link| link.relation == relation);
    set("url", of("alternate").next().map(|link| &link.address));
    set("external_url", of("related").next().map(|link| &link.address));
    let names: Vec<_> =
        entry.categories.iter().filter_map(|filed| filed.name(catalogue, stored)).collect();
    file_under(catalogue, old, names.iter().map(String::as_str), &mut new);
    // An entry has to have an author: the site is nobody.
    let site = catalogue.site.title.as_str();
    let authors: Vec<_> =
        entry.authors.iter().filter(|author| author["name"] != site).cloned().collect();
    new.remove("authors");
    if !authors.is_empty() {
        new.insert("authors".to_owned(), authors.into());
    }
    let known = old.get("attachments").and_then(Value::as_array);
    let files: Vec<_> = of("enclosure")
        .map(|link| {
            let known = known
                .and_then(|known| known.iter().find(|file| file["url"] == link.address.as_str()));
            known.cloned().unwrap_or_else(|| attachment(link))
        })
        .collect();
    new.remove("attachments");
    if !files.is_empty() {
        new.insert("attachments".to_owned(), files.into());
    }
    if entry.is_draft == Some(true) {
        new.insert("embargo".to_owned(), record::date(record::never()).into());
    } else if stored.is_some_and(record::is_draft) {
        new.remove("embargo");
    }
    new
}

fn attachment(link: &Link) -> Value {
    let mut file = json!({ "url": link.address });
    if let Some(media_type) = &link.media_type {
        file["mime_type"] = media_type.as_str().into();
    }
    if let Some(title) = &link.title {
        file["title"] = title.as_str().into();
    }
    if let Some(length) = link.length {
        file["size_in_bytes"] = length.into();
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: &str, field: &str, expected: &str) {
        let text = format!("<entry xmlns='{ATOM}' xmlns:x='{XHTML}'>{entry}</entry>");
        let content = read(text.as_bytes()).unwrap().content.unwrap();
        assert_eq!(content, (field, expected.to_owned()), "{entry}");
    }

    #[test]
    fn content_is_read_in_each_of_its_kinds() {
        check("<content>a &lt; b</content>", "content_text", "a < b");
        check("<content type='html'>&lt;p>a&lt;/p></content>", "content_html", "<p>a</p>");
        check(
            "<content type='xhtml'><x:div>a &amp; <x:b class='&quot;'>b</x:b><x:br/></x:div></content>",
            "content_html",
            "a &amp; <b class=\"&quot;\">b</b><br>",
        );
        check("<content type='html'><![CDATA[<p>a</p>]]></content>", "content_html", "<p>a</p>");
    }

    #[test]
    fn what_is_no_entry_or_wants_entities_is_refused() {
        let bomb = format!(
            "<!DOCTYPE e [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><entry xmlns='{ATOM}'><title>&b;</title></entry>"
        );
        let file = format!(
            "<!DOCTYPE e [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><entry xmlns='{ATOM}'><title>&f;</title></entry>"
        );
        let deep = format!("<entry xmlns='{ATOM}'>{}", "<a>".repeat(300_000));
        for wrong in [
            "",
            "<entry/>",
            "<feed xmlns='http://www.w3.org/2005/Atom'/>",
            &bomb,
            &file,
            &deep,
            "\u{0}",
        ] {
            assert!(matches!(read(wrong.as_bytes()), Err(Problem::Malformed(_))), "{wrong:.60}");
        }
        assert!(matches!(read(b"\xff"), Err(Problem::Malformed(_))));
    }

    #[test]
    fn a_draft_is_one_in_either_namespace_and_any_spelling() {
        let entry = |namespace: &str, word: &str| {
            let control =
                format!("<a:control xmlns:a='{namespace}'><a:draft>{word}</a:draft></a:control>");
            read(format!("<entry xmlns='{ATOM}'>{control}</entry>").as_bytes())
        };
        for namespace in ["http://www.w3.org/2007/app", "http://purl.org/atom/app#"] {
            for word in ["yes", " Yes ", "YES", "true", "1"] {
                assert_eq!(
                    entry(namespace, word).unwrap().is_draft,
                    Some(true),
                    "{namespace} {word}"
                );
            }
            for word in ["no", "No", "false"] {
                assert_eq!(
                    entry(namespace, word).unwrap().is_draft,
                    Some(false),
                    "{namespace} {word}"
                );
            }
            for word in ["", "perhaps"] {
                assert!(matches!(entry(namespace, word), Err(Problem::Malformed(_))), "{word}");
            }
        }
    }

    #[test]
    fn an_element_has_a_limited_number_of_attributes() {
        let entry = |count: usize| {
            let attributes = (0..count).map(|n| format!(" a{n}=''")).collect::<Vec<_>>().concat();
            read(format!("<entry xmlns='{ATOM}'><title{attributes}>a</title></entry>").as_bytes())
        };
        assert!(entry(MAX_ATTRIBUTES).is_ok());
        assert!(matches!(entry(100_000), Err(Problem::Malformed(_))));
    }

    #[test]
    fn deep_markup_does_no_harm() {
        let text = format!(
            "<entry xmlns='{ATOM}'><content type='xhtml'><div xmlns='{XHTML}'>{}{}</div></content></entry>",
            "<b>".repeat(1_000),
            "</b>".repeat(1_000)
        );
        let (_, markup) = read(text.as_bytes()).unwrap().content.unwrap();
        assert!(markup.len() < 1_000);
    }
}
