//! Secrets that partners show.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::feed::Terms;

/// So much of a secret nobody can guess, in bytes.
const LENGTH: usize = 32;

/// How a secret begins, so that programs that look for secrets in the wrong places find it.
const PREFIX: &str = "courant_";

/// A secret that was just made. It is shown once, and kept nowhere.
pub struct Secret(String);

/// The system has no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct TokenError(#[source] getrandom::Error);

impl Secret {
    /// A new one.
    pub fn new() -> Result<Self, TokenError> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).map_err(TokenError)?;
        Ok(Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// To be shown to whom it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn digest(&self) -> String {
        digest(&self.0)
    }
}

/// A new segment of addresses that nobody can guess, for files that come with a partner's feeds (P-40).
pub fn reach() -> Result<String, TokenError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(TokenError)?;
    Ok(format!("{}{}", Terms::REACH, BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// Whether a text, in lower case, has something in it that reads like a secret.
pub fn holds_secret(text: &str) -> bool {
    text.contains(PREFIX)
}

/// Whether a segment of a path reads like a secret.
pub fn is_like_secret(segment: &str) -> bool {
    segment.starts_with(PREFIX)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// SHA-256, in base64. A secret of 256 random bits needs no slower one: nobody can try them all.
fn digest(secret: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// The one of these tokens that a secret opens, if it is still good. `of` gives the digest of one and its end; every
/// one is compared, each in constant time.
pub fn opened<'t, T>(
    tokens: impl IntoIterator<Item = &'t T>,
    secret: &str,
    now: DateTime<Utc>,
    of: impl Fn(&T) -> (&str, Option<DateTime<Utc>>),
) -> Option<&'t T> {
    let digest = digest(secret);
    let mut found = None;
    for token in tokens {
        let (known, ends) = of(token);
        let is_good = ends.is_none_or(|ends| ends > now);
        if is_same(known, &digest) & is_good {
            found = Some(token);
        }
    }
    found
}

/// Compares without telling by the time it takes how much is the same.
pub(crate) fn is_same(known: &str, shown: &str) -> bool {
    known.as_bytes().ct_eq(shown.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_its_own_and_is_not_printed() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), PREFIX.len() + 43);
        assert!(is_same(&one.digest(), &digest(one.reveal())));
        assert!(!is_same(&one.digest(), &other.digest()));
        assert!(!format!("{one:?}").contains(one.reveal()));
        // FIPS 180-2, appendix B.1.
        let abc = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
        assert_eq!(digest("abc"), abc);
    }
}
