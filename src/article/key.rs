//! The publisher's key of an article, and how it stands in addresses.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::text::Text;

/// The publisher's own key of an article, in NFC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ArticleId(String);

impl ArticleId {
    /// Longest key, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// `None` for a key that is empty, too long, or nothing but what no format can carry.
    pub fn new(raw: &str) -> Option<Self> {
        let id: String = Text::new(raw).as_str().nfc().collect();
        (!id.is_empty() && id.len() <= Self::MAX_BYTES).then_some(Self(id))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a segment of an address, in characters that nothing on the way rewrites: `~` and two hexadecimal digits stand
    /// for each byte of any other.
    pub fn segment(&self) -> String {
        let mut segment = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
                segment.push(char::from(byte));
            } else {
                let _ = write!(segment, "~{byte:02X}");
            }
        }
        segment
    }

    /// The key that [`Self::segment`] wrote; `None` for what it never writes.
    pub fn from_segment(segment: &str) -> Option<Self> {
        let mut parts = segment.split('~');
        let mut bytes = parts.next()?.as_bytes().to_vec();
        for part in parts {
            let (code, rest) = part.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(code, 16).ok()?);
            bytes.extend_from_slice(rest.as_bytes());
        }
        let id = Self::new(&String::from_utf8(bytes).ok()?)?;
        (id.segment() == segment).then_some(id)
    }
}

impl fmt::Display for ArticleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_segment_and_back() {
        for (key, segment) in
            [("2026-0412", "2026-0412"), ("a/b c.d~e", "a~2Fb~20c~2Ed~7Ee"), ("头", "~E5~A4~B4")]
        {
            let id = ArticleId::new(key).unwrap();
            assert_eq!(id.segment(), segment);
            assert_eq!(ArticleId::from_segment(segment), Some(id));
        }
        for odd in ["", "~", "~E5", "~zz", "~61", "a/b", "~e5~a4~b4", "~E5~A4~B"] {
            assert_eq!(ArticleId::from_segment(odd), None, "{odd}");
        }
    }
}
