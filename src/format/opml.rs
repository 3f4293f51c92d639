//! The list of all feeds for programs: OPML 2.0.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::{page::FORMATS, words::Words};
use crate::feed::{FeedSpec, Listing};

/// As in RFC 822, with a year of four digits (O-5).
const TIME: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// The subscription list: equal listings, equal bytes.
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
    let (_, extension, _) = FORMATS[0];
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
