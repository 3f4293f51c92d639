//! Validators, RFC 9110 section 8.8.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    article::Revision,
    edition::{Coding, Effort},
};

/// A strong entity tag, as it stands between quotes: `n4812-9f86d081884c7d65;gzip`.
///
/// The revision finds the base of a delta (H-36); the digest keeps two programs, or two settings, from sharing a tag for
/// different bytes; each coding has a tag of its own (H-33), and so has what was coded again with more effort:
/// `n4812-9f86d081884c7d65;gzip+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityTag {
    /// The write it shows.
    pub revision: Revision,
    /// Of the document before coding.
    pub digest: u64,
    /// Of the body.
    pub coding: Coding,
    /// How it was coded.
    pub effort: Effort,
}

impl EntityTag {
    /// A tag of ours from what stands between its quotes.
    pub fn parse(opaque: &[u8]) -> Option<Self> {
        let text = str::from_utf8(opaque).ok()?;
        let (document, coding, effort) = match text.split_once(';') {
            Some((document, token)) => {
                let (token, effort) = token
                    .strip_suffix('+')
                    .map_or((token, Effort::Quick), |token| (token, Effort::Thorough));
                let coding = Coding::ALL.into_iter().find(|coding| coding.token() == token)?;
                (document, Some(coding).filter(|coding| *coding != Coding::Identity)?, effort)
            }
            None => (text, Coding::Identity, Effort::Quick),
        };
        let (revision, digest) = document.strip_prefix('n')?.split_once('-')?;
        let is_decimal = revision.bytes().all(|byte| byte.is_ascii_digit());
        let is_hexadecimal = digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_ours = is_decimal
            && is_hexadecimal
            && digest.len() == 16
            && (revision == "0" || !revision.starts_with('0'));
        let revision = Revision(revision.parse().ok().filter(|_| is_ours)?);
        Some(Self { revision, digest: u64::from_str_radix(digest, 16).ok()?, coding, effort })
    }

    /// Whether two tags stand for the same document, however it is coded.
    pub fn is_same_content(&self, other: &Self) -> bool {
        (self.revision, self.digest) == (other.revision, other.digest)
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, digest, coding, effort } = self;
        match coding {
            Coding::Identity => write!(f, "n{revision}-{digest:016x}"),
            Coding::Brotli | Coding::Zstd | Coding::Gzip => {
                let mark = if *effort == Effort::Thorough { "+" } else { "" };
                write!(f, "n{revision}-{digest:016x};{}{mark}", coding.token())
            }
        }
    }
}

/// What a request's conditions are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// Those of the codings that the request accepts, the preferred one first; without their quotes.
    pub tags: &'a [&'a str],
    /// In whole seconds; `None` while it would not be a strong one (H-39).
    pub last_modified: Option<DateTime<Utc>>,
    /// The tag of the document as it is: a client that holds it in any coding, of any effort, holds this document.
    pub content: Option<EntityTag>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_our_own_spelling_is_read() {
        for (opaque, is_ours) in [
            ("n4812-9f86d081884c7d65", true),
            ("n4812-9f86d081884c7d65;gzip", true),
            ("n0-0000000000000000;zstd", true),
            ("n4812-9f86d081884c7d65;br+", true),
            ("n4812-9f86d081884c7d65;+", false),
            ("n4812-9f86d081884c7d65;br++", false),
            ("n4812-9f86d081884c7d65+", false),
            ("n4812-9f86d081884c7d65;identity", false),
            ("n4812-9f86d081884c7d65;GZIP", false),
            ("n04812-9f86d081884c7d65", false),
            ("n+4812-9f86d081884c7d65", false),
            ("n4812-9F86D081884C7D65", false),
            ("n4812-9f86", false),
            ("4812-9f86d081884c7d65", false),
            ("", false),
        ] {
            assert_eq!(EntityTag::parse(opaque.as_bytes()).is_some(), is_ours, "{opaque}");
        }
    }

    proptest! {
        #[test]
        fn a_tag_that_is_printed_reads_back(
            revision: u64, digest: u64, coding in 0_usize..4, is_thorough: bool,
        ) {
            let coding = Coding::ALL[coding];
            let is_thorough = is_thorough && coding != Coding::Identity;
            let effort = if is_thorough { Effort::Thorough } else { Effort::Quick };
            let tag = EntityTag { revision: Revision(revision), digest, coding, effort };
            let printed = tag.to_string();
            prop_assert_eq!(EntityTag::parse(printed.as_bytes()), Some(tag));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            EntityTag::parse(&bytes);
        }
    }
}
