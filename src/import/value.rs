//! What single values of a record mean, whatever their field.

use crate::text::Text;

/// A line that is meant as plain text. One with an end tag was written by a program that means HTML (T-21); without one,
/// it may well talk about HTML: `Why <br> & &amp; matter`.
pub(super) fn plain(raw: &str) -> Text {
    const ELEMENTS: [&str; 16] = [
        "a", "abbr", "b", "code", "div", "em", "font", "i", "p", "s", "script", "span", "strong",
        "style", "sub", "sup",
    ];
    let ends_one = |rest: &str| {
        rest.split_once('>').is_some_and(|(name, _)| {
            ELEMENTS.iter().any(|element| name.trim_end().eq_ignore_ascii_case(element))
        })
    };
    if raw.split("</").skip(1).any(ends_one) {
        return Text::from_markup(raw);
    }
    Text::new(raw)
}

/// Whether a text is an address of mail, as far as one can tell without sending one.
pub(super) fn is_mail(text: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && name.chars().all(is_name)
            && host.contains('.')
            && host.split('.').all(is_label)
    })
}

/// As much of a value as a message needs.
pub(super) fn shorten(raw: &str) -> Text {
    Text::new(raw).cut(60)
}

/// A media type without its parameters, in lower case.
pub(super) fn media_type(raw: &str) -> Option<Text> {
    let essence = raw.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let (kind, rest) = essence.split_once('/')?;
    (is_token(kind) && is_token(rest)).then(|| Text::new(&essence))
}
