//! The list of all feeds for programs: OPML 2.0.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::{page::ADVISED, words::Words};
use crate::feed::{FeedSpec, Listing};

/// As in RFC 822, with a year of four digits (O-5).
const TIME: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// The subscription list: equal listings, equal bytes.
#[expect(clippy::missing_panics_doc, reason = "a vector takes every byte")]
pub fn render(listing: &Listing) -> Vec<u8> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(&mut xml, listing).expect("a vector takes every byte");
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    bytes
}

fn write(xml: &mut Writer<Vec<u8>>, listing: &Listing) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    xml.create_element("opml").with_attribute(("version", "2.0")).write_inner_content(|xml| {
        xml.create_element("head").write_inner_content(|xml| head(xml, listing))?;
        xml.create_element("body").write_inner_content(|xml| body(xml, listing))?;
        Ok(())
    })?;
    Ok(())
}

/// Each at most once, and no `docs`, which the validator does not know (O-5).
fn head(xml: &mut Writer<Vec<u8>>, listing: &Listing) -> io::Result<()> {
    let site = &listing.site;
    let mut element = |name, text: &str| {
        xml.create_element(name).write_text_content(BytesText::new(text)).map(|_| ())
    };
    element("title", site.title.as_str())?;
    element("dateModified", &listing.changed.format(TIME).to_string())?;
    if let Some(editor) = &site.editor {
        element("ownerName", editor.name.as_str())?;
        element("ownerEmail", editor.email.as_str())?;
    }
    Ok(())
}

/// Named feeds, then the categories in a folder of their own: readers that take folders over keep them together.
fn body(xml: &mut Writer<Vec<u8>>, listing: &Listing) -> io::Result<()> {
    let site = &listing.site;
    let (named, categories) = (listing.named(), listing.categories());
    for spec in named {
        feed(xml, spec)?;
    }
    if !categories.is_empty() {
        // Among a reader's other folders `Categories` alone would say nothing.
        let words = Words::near(site.language.as_ref());
        let name = format!("{} - {}", site.title, words.categories);
        xml.create_element("outline")
            .with_attributes([("text", name.as_str()), ("title", name.as_str())])
            .write_inner_content(|xml| {
                categories.into_iter().try_for_each(|spec| feed(xml, spec))
            })?;
    }
    if listing.feeds.is_empty() {
        // A body has one outline at least (O-1).
        xml.create_element("outline")
            .with_attributes([
                ("type", "link"),
                ("text", site.title.as_str()),
                ("url", site.url.as_str()),
            ])
            .write_empty()?;
    }
    Ok(())
}

/// In one format: who imports the list wants each feed once. RSS is the one that `version` has a word for (O-3).
fn feed(xml: &mut Writer<Vec<u8>>, spec: &FeedSpec) -> io::Result<()> {
    let extension = ADVISED.extension();
    let address = spec.address(extension);
    let title = spec.title.as_str();
    let language = spec.language.as_ref().map(|language| ("language", language.as_str()));
    xml.create_element("outline")
        .with_attributes([
            ("type", "rss"),
            ("version", "RSS"),
            ("text", title),
            ("title", title),
            ("description", spec.description.as_str()),
            ("xmlUrl", address.as_str()),
            ("htmlUrl", spec.home.as_str()),
        ])
        .with_attributes(language)
        .write_empty()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, Node};

    use super::*;
    use crate::{
        feed::{FeedPath, Site},
        format::sample::{self, HOSTILE, category, named, site},
        text::Text,
    };

    fn document(site: &Site, paths: Vec<FeedPath>) -> String {
        String::from_utf8(render(&sample::listing(site, paths))).unwrap()
    }

    fn children<'a>(node: Node<'a, 'a>, name: &'a str) -> Vec<Node<'a, 'a>> {
        node.children().filter(|child| child.has_tag_name(name)).collect()
    }

    #[test]
    fn the_list_reads_back() {
        let document =
            document(&site("en-GB"), vec![named("news"), category("头条"), category("tech")]);
        let document = Document::parse(&document).unwrap();
        let opml = document.root_element();
        assert_eq!((opml.tag_name().name(), opml.attribute("version")), ("opml", Some("2.0")));
        let parts: Vec<_> = opml.children().filter(Node::is_element).collect();
        assert_eq!(
            parts.iter().map(|part| part.tag_name().name()).collect::<Vec<_>>(),
            ["head", "body"]
        );
        let modified = children(parts[0], "dateModified")[0];
        assert_eq!(modified.text(), Some("Thu, 05 Mar 2026 08:30:00 GMT"));

        let outlines = children(parts[1], "outline");
        let (first, folder) = (outlines[0], outlines[1]);
        for (name, value) in [
            ("type", "rss"),
            ("version", "RSS"),
            ("text", "Example News - news"),
            ("title", "Example News - news"),
            ("description", "All of news"),
            ("xmlUrl", "https://feeds.example.com/news.rss"),
            ("htmlUrl", "https://www.example.com/"),
            ("language", "en-GB"),
        ] {
            assert_eq!(first.attribute(name), Some(value), "{name}");
        }
        assert_eq!(folder.attribute("text"), Some("Example News - Categories"));
        assert_eq!(folder.attribute("xmlUrl"), None);
        let addresses =
            children(folder, "outline").into_iter().map(|feed| feed.attribute("xmlUrl"));
        let expected = ["%E5%A4%B4%E6%9D%A1", "tech"]
            .map(|slug| format!("https://feeds.example.com/category/{slug}.rss"));
        assert!(addresses.eq(expected.iter().map(|address| Some(address.as_str()))));
    }

    #[test]
    fn hostile_texts_come_back_as_they_were() {
        let mut site = site("en");
        site.title = Text::new(HOSTILE);
        site.editor = Some(sample::contact(HOSTILE, HOSTILE));
        let mut listing = sample::listing(&site, vec![named("news")]);
        let mut spec = FeedSpec::clone(&listing.feeds[0]);
        spec.description = Text::new(HOSTILE);
        listing.feeds[0] = spec.into();
        let document = String::from_utf8(render(&listing)).unwrap();
        let document = Document::parse(&document).unwrap();
        let text =
            |name| document.descendants().find(|node| node.has_tag_name(name)).unwrap().text();
        for name in ["title", "ownerName", "ownerEmail"] {
            assert_eq!(text(name), Some(HOSTILE), "{name}");
        }
        let outline = document.descendants().find(|node| node.has_tag_name("outline")).unwrap();
        assert_eq!(outline.attribute("description"), Some(HOSTILE));
    }

    #[test]
    fn a_feed_of_unknown_language_names_none() {
        assert!(!document(&site(""), vec![named("news")]).contains("language"));
    }

    #[test]
    fn a_body_is_never_empty() {
        let document = document(&site("en"), Vec::new());
        let document = Document::parse(&document).unwrap();
        let outline = document.descendants().find(|node| node.has_tag_name("outline")).unwrap();
        assert_eq!(outline.attribute("type"), Some("link"));
        assert_eq!(outline.attribute("url"), Some("https://www.example.com/"));
    }
}
