//! Media RSS, for the pictures and files of an entry (M-1 to M-6).

use crate::{
    article::{Attachment, Picture},
    format::{element::Element, uri::uri},
};

/// M-1, with the slash.
pub(super) const NAMESPACE: &str = "http://search.yahoo.com/mrss/";

/// A picture with its caption and who made it. What it shows is in the body, and here only where a dialect asks (M-7).
pub(super) fn picture(picture: &Picture, with_alt: bool) -> Element {
    let Picture { url, caption, credit, alt, width, height, mime_type, bytes } = picture;
    let mut attributes = vec![("url", uri(url)), ("medium", "image".to_owned())];
    attributes.extend(mime_type.iter().map(|mime_type| ("type", mime_type.to_string())));
    let sizes =
        [("width", width.map(u64::from)), ("height", height.map(u64::from)), ("fileSize", *bytes)];
    attributes.extend(sizes.into_iter().filter_map(measured));
    let mut children = Vec::new();
    if !caption.is_empty() {
        let kind = vec![("type", "plain".to_owned())];
        children.push(text("media:description", kind, caption.as_str()));
    }
    if !credit.is_empty() {
        let role = vec![("role", "photographer".to_owned()), ("scheme", "urn:ebu".to_owned())];
        children.push(text("media:credit", role, credit.as_str()));
    }
    if with_alt && !alt.is_empty() {
        children.push(text("media:text", vec![("type", "plain".to_owned())], alt.as_str()));
    }
    Element { name: "media:content", attributes, text: None, children }
}

/// A file beside the enclosure, of which an RSS item has only one.
pub(super) fn attachment(attachment: &Attachment) -> Element {
    let Attachment { url, mime_type, title, bytes, seconds } = attachment;
    let kinds = ["image/", "audio/", "video/"];
    let kind = kinds.into_iter().find(|kind| mime_type.as_str().starts_with(kind));
    let medium = kind.map_or("document", |kind| kind.trim_end_matches('/'));
    let mut attributes =
        vec![("url", uri(url)), ("medium", medium.to_owned()), ("type", mime_type.to_string())];
    attributes
        .extend([("fileSize", *bytes), ("duration", *seconds)].into_iter().filter_map(measured));
    let mut children = Vec::new();
    if !title.is_empty() {
        children.push(text("media:title", vec![("type", "plain".to_owned())], title.as_str()));
    }
    Element { name: "media:content", attributes, text: None, children }
}

fn text(name: &'static str, attributes: Vec<(&'static str, String)>, text: &str) -> Element {
    Element { name, attributes, text: Some(text.to_owned()), children: Vec::new() }
}

/// Zero is not a measure.
fn measured((name, measure): (&'static str, Option<u64>)) -> Option<(&'static str, String)> {
    measure.filter(|measure| *measure > 0).map(|measure| (name, measure.to_string()))
}
