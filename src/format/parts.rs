//! Where the entries stand in a document, so that one of fewer entries is cut from it rather than written again.

use std::ops::Range;

use memchr::memmem::find;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Elements that begin a line and are never within each other. Text cannot read like a tag: `<` is escaped in it.
pub(super) fn elements(document: &[u8], open: &[u8], close: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = find(&document[from..], open) {
        let start = from + at + 1;
        let Some(length) = find(&document[start..], close) else { break };
        from = start + length + close.len();
        found.push(start..from);
    }
    found
}

/// The one element that is written so, with the line break before it.
pub(super) fn element(document: &[u8], element: &[u8]) -> Option<Range<usize>> {
    find(document, element).map(|start| start..start + element.len())
}

/// The items of a JSON Feed.
pub(super) fn items(document: &[u8]) -> Vec<Range<usize>> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }
    let read: Result<Document<'_>, _> = serde_json::from_slice(document);
    let items = read.map(|document| document.items).unwrap_or_default();
    let begin = document.as_ptr().addr();
    let place = |item: &RawValue| {
        let start = item.get().as_ptr().addr() - begin;
        start..start + item.get().len()
    };
    items.into_iter().map(place).collect()
}
