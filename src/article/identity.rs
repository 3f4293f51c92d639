//! Identities of articles: which are kept, which are minted, and which an Atom `id` can hold.
//!
//! Pure: text in, text out.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::{article::ArticleId, text::Text};

/// How a store knows that an article has the guid it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The guid was minted here, or a record, an entry or a request gave it.
    #[default]
    Given,
    /// The guid was adopted from an old feed, or a source with `own = true` gave it.
    Own,
    /// The guid was adopted from an old Atom feed and is no IRI: readers of Atom know it as it is.
    Atom,
}

/// An identity from elsewhere as it is; `None` where feeds cannot carry it so: it is empty, has white space at an end or
/// control characters, or more than 1,000 bytes.
pub fn kept_guid(raw: &str) -> Option<Text> {
    const MAX_BYTES: usize = 1_000;
    Some(Text::new(raw))
        .filter(|guid| !raw.is_empty() && guid.as_str() == raw && raw.len() <= MAX_BYTES)
}

/// The identity that an article gets when it brings none.
pub fn minted_guid(authority: &str, id: &ArticleId) -> Text {
    /// What stays as it is in a `tag:` address: RFC 4151 section 2.1, less what some readers trip over.
    const SPECIFIC: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'/')
        .remove(b':');
    Text::new(&format!("tag:{authority}:article/{}", utf8_percent_encode(id.as_str(), SPECIFIC)))
}

/// Whether a guid lies where this authority mints identities: those of articles, and those that stand for guids which are
/// no IRI ([`derived_iri`]).
pub fn is_reserved_guid(authority: &str, guid: &str) -> bool {
    let own = guid.strip_prefix("tag:").and_then(|rest| rest.strip_prefix(authority));
    own.is_some_and(|own| own.starts_with(":article/") || own.starts_with(":guid/"))
}

/// The IRI that stands for a guid which is none, the same for ever.
pub fn derived_iri(authority: &str, guid: &str) -> String {
    /// RFC 3986 section 2.3.
    const UNRESERVED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    format!("tag:{authority}:guid/{}", utf8_percent_encode(guid, UNRESERVED))
}

/// Whether a text is an IRI with a scheme (RFC 3987), as an Atom `id` has to be. Characters outside ASCII are
/// part of one.
pub fn is_iri(text: &str) -> bool {
    let is_uuid = |uuid: &str| {
        let groups: Vec<_> = uuid.split('-').map(str::len).collect();
        groups == [8, 4, 4, 4, 12] && uuid.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
    };
    text.chars().all(is_iri_character)
        && Url::parse(text).is_ok()
        && text.strip_prefix("urn:uuid:").is_none_or(is_uuid)
}

/// RFC 3987 section 2.2, with the private characters that it allows in queries; without the marks for the direction of
/// writing (section 4.1) and the spaces that software around feeds trims or splits at.
fn is_iri_character(c: char) -> bool {
    match c {
        '!'..='~' => !"<>\"{}|\\^`".contains(c),
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{fff0}'..='\u{ffff}' => false,
        _ => !c.is_whitespace() && !c.is_control() && u32::from(c) & 0xfffe != 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iri_may_have_characters_of_any_script() {
        for (text, expected) in [
            ("http://b.example.org/2024/新馆开放/", true),
            ("HTTP://B.example.org:80/3?q=é#部", true),
            ("https://例え.jp/", true),
            ("tag:example.com,2019:ü", true),
            ("urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a", true),
            ("urn:uuid:1225c695", false),
            ("t3_abc", false),
            ("12345", false),
            ("/2024/新馆/", false),
            ("http://b.example.org/4?a=1|2", false),
            ("http://b.example.org/a b", false),
            ("http://b.example.org/a\u{3000}b", false),
            ("http://b.example.org/\u{202e}cod", false),
            ("http://b.example.org/\u{85}", false),
            ("http://[b/", false),
            ("", false),
        ] {
            assert_eq!(is_iri(text), expected, "{text}");
        }
    }

    #[test]
    fn what_this_authority_mints_is_reserved() {
        let authority = "example.com,2026";
        let id = ArticleId::new("头 7").unwrap();
        for (guid, expected) in [
            (minted_guid(authority, &id).as_str(), true),
            (&derived_iri(authority, "t3_abc"), true),
            ("tag:example.com,2026:article/", true),
            ("tag:example.com,2026:post/7", false),
            ("tag:example.com,2025:article/7", false),
            ("tag:example.com,20261:article/7", false),
            ("https://example.com/article/7", false),
        ] {
            assert_eq!(is_reserved_guid(authority, guid), expected, "{guid}");
        }
    }
}
