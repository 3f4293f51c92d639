//! `If-Match`, `If-None-Match` and `Idempotency-Key` of a write.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, header};
use sha2::{Digest, Sha256};

use crate::{
    article::Revision,
    category::Slug,
    push::reply::Problem,
    store::{Key, Precondition, Versions},
};

/// draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest key of a client, in bytes.
const MAX_KEY: usize = 255;

/// The precondition of a request.
pub fn precondition(fields: &HeaderMap) -> Result<Precondition, Problem> {
    Ok(Precondition {
        is: versions(fields, &header::IF_MATCH)?,
        is_not: versions(fields, &header::IF_NONE_MATCH)?,
    })
}

/// What a field with entity tags names. Tags that are not ours are of no state of an article.
fn versions(fields: &HeaderMap, name: &HeaderName) -> Result<Option<Versions>, Problem> {
    let mut revisions = Vec::new();
    let mut is_given = false;
    for line in fields.get_all(name) {
        is_given = true;
        let wrong = || Problem::Malformed(format!("`{name}` takes `*` or tags, as in `\"r17\"`."));
        let line = line.to_str().map_err(|_| wrong())?.trim();
        if line == "*" {
            return Ok(Some(Versions::Any));
        }
        if line.is_empty() {
            return Err(wrong());
        }
        for listed in line.split(',').map(str::trim).filter(|listed| !listed.is_empty()) {
            // A weak tag is of a strong comparison's none (RFC 9110 section 8.8.3.2).
            let is_weak = listed.starts_with("W/");
            let opaque = listed.trim_start_matches("W/").strip_prefix('"');
            let opaque = opaque.and_then(|rest| rest.strip_suffix('"'));
            let opaque = opaque.filter(|opaque| !opaque.contains('"')).ok_or_else(wrong)?;
            let revision = opaque.strip_prefix('r').and_then(|digits| digits.parse().ok());
            revisions.extend(revision.filter(|_| !is_weak).map(Revision));
        }
    }
    Ok(is_given.then_some(Versions::Of(revisions)))
}

/// The key of a request, if it has one.
pub fn key(fields: &HeaderMap, owner: &Slug, fingerprint: String) -> Result<Option<Key>, Problem> {
    let mut lines = fields.get_all(IDEMPOTENCY_KEY).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let wrong = || {
        let most = MAX_KEY;
        Problem::Malformed(format!(
            "`Idempotency-Key` takes one text of up to {most} ASCII characters in quotes, as in `\"8e03978e\"`."
        ))
    };
    let line = line.to_str().map_err(|_| wrong())?.trim();
    let key = line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(wrong)?;
    let is_key = !key.is_empty()
        && key.len() <= MAX_KEY
        && key.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b'"');
    if !is_key || lines.next().is_some() {
        return Err(wrong());
    }
    Ok(Some(Key { owner: owner.clone(), key: key.to_owned(), fingerprint }))
}

/// What stands for a request: where one differs, so does it.
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or_default().to_le_bytes());
        digest.update(part);
    }
    BASE64_URL_SAFE_NO_PAD.encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_listed_or_any() {
        let of = |revisions: &[u64]| {
            Some(Versions::Of(revisions.iter().copied().map(Revision).collect()))
        };
        for (field, expected) in [
            ("*", Some(Versions::Any)),
            ("\"r17\"", of(&[17])),
            ("\"r17\", \"r18\"", of(&[17, 18])),
            ("\"n17-abc\"", of(&[])),
            ("W/\"r17\"", of(&[])),
        ] {
            let fields = [(header::IF_MATCH, field.parse().unwrap())].into_iter().collect();
            assert_eq!(precondition(&fields).unwrap().is, expected, "{field}");
        }
        for field in ["", "r17", "17", "\"r17", "\"r17\" \"r18\""] {
            let fields = [(header::IF_MATCH, field.parse().unwrap())].into_iter().collect();
            assert!(matches!(precondition(&fields), Err(Problem::Malformed(_))), "{field}");
        }
        assert_eq!(precondition(&HeaderMap::new()), Ok(Precondition::default()));
    }

    #[test]
    fn a_key_is_in_quotes() {
        let owner: Slug = "cms".parse().unwrap();
        let read = |field: &str| {
            let fields = [(IDEMPOTENCY_KEY, field.parse().unwrap())].into_iter().collect();
            key(&fields, &owner, String::new()).map(|key| key.map(|key| key.key))
        };
        assert_eq!(read("\"8e03-97\""), Ok(Some("8e03-97".to_owned())));
        for wrong in [
            "",
            "8e03-97",
            "\"",
            "\"\"",
            "\"a b\"",
            "\"a\"b\"",
            &format!("\"{}\"", "x".repeat(256)),
        ] {
            assert!(matches!(read(wrong), Err(Problem::Malformed(_))), "{wrong}");
        }
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
    }
}
