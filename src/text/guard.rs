//! The last word on what leaves (T-31): ammonia, with the lists of `allowed`.

use std::{collections::HashMap, sync::LazyLock};

use ammonia::{Builder, UrlRelative};

use super::allowed;

static GUARD: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let own = |element| {
        let names = allowed::own_attributes(element).iter().map(|(name, _)| *name);
        (element, names.collect())
    };
    let mut guard = Builder::empty();
    guard
        .tags(allowed::elements().collect())
        .clean_content_tags(allowed::REMOVED.iter().copied().collect())
        .generic_attributes(allowed::global_attributes().collect())
        .tag_attributes(allowed::elements().map(own).collect::<HashMap<_, _>>())
        .url_schemes(["http", "https", "mailto", "tel"].into())
        .url_relative(UrlRelative::Deny)
        .link_rel(None);
    guard
});

/// How long a text may be in one piece, in bytes.
const PIECE_BYTES: usize = 4096;

/// A comment, which ammonia takes out again.
const SEAM: &str = "<!---->";

/// `markup`, as `rewrite` writes it, as far as ammonia lets it through.
pub(super) fn guarded(markup: &str) -> String {
    // Through a reader: html5ever takes quadratic time for references in one long piece.
    let markup = seamed(markup);
    let document = GUARD.clean_from_reader(markup.as_bytes()).expect("a slice can be read");
    // In UTF-8, the character says what the reference does in a third of the bytes.
    document.to_string().replace("&nbsp;", "\u{A0}")
}

/// `markup` with its texts in pieces: the serialiser of html5ever 0.40 looks through all the rest
/// of a text at each character that it escapes. This may go when that does.
fn seamed(markup: &str) -> String {
    let mut seamed = String::with_capacity(markup.len());
    for part in markup.split_inclusive('<') {
        let text = part.rfind('>').map_or(0, |end| end + 1);
        let (tag, mut text) = part.split_at(text);
        seamed.push_str(tag);
        while text.len() > PIECE_BYTES {
            let middle = text.floor_char_boundary(PIECE_BYTES);
            // Never inside a reference, of which `&quot;` is the longest.
            let reference = text[..middle].rfind('&').filter(|at| at + "&quot;".len() > middle);
            let (piece, rest) = text.split_at(reference.unwrap_or(middle));
            seamed.push_str(piece);
            seamed.push_str(SEAM);
            text = rest;
        }
        seamed.push_str(text);
    }
    seamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_sewn_together_again() {
        fn check(text: &str) {
            let long = format!("<p title=\"&lt;\">{}</p>", text.repeat(5000));
            assert!(seamed(&long).contains(SEAM), "{text}");
            assert_eq!(guarded(&long), long, "{text}");
        }
        for text in ["&amp;", "a&lt;", "文", "\u{A0}", "&gt; x"] {
            check(text);
        }
    }
}
