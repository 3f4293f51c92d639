//! Addresses as the formats want them.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::{Position, Url};

/// What the URL standard leaves as it is in a path or query, and RFC 3986 does not allow there.
const OUTSIDE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// An address in the characters of RFC 3986 alone (R-42, T-14).
pub(super) fn uri(url: &Url) -> String {
    let (authority, rest) = url.as_str().split_at(url[..Position::BeforePath].len());
    match Cow::from(utf8_percent_encode(rest, OUTSIDE)) {
        Cow::Borrowed(_) => url.as_str().to_owned(),
        Cow::Owned(rest) => format!("{authority}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_uri() {
        for (given, expected) in [
            (
                "https://例え.jp/新闻?q=a|b#[1]",
                "https://xn--r8jz45g.jp/%E6%96%B0%E9%97%BB?q=a%7Cb#%5B1%5D",
            ),
            (
                "https://www.example.com/a?b=c&d=%E4%B8%AD",
                "https://www.example.com/a?b=c&d=%E4%B8%AD",
            ),
            ("http://[::1]:80/[a]", "http://[::1]/%5Ba%5D"),
        ] {
            assert_eq!(uri(&given.parse().unwrap()), expected);
        }
    }
}
