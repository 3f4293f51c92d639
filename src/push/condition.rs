//! `If-Match`, `If-None-Match` and `Idempotency-Key` of a write.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, header};
use sha2::{Digest, Sha256};

use crate::{
    article::Revision,
    category::Slug,
    edition::{Malformed, Member, TagList, mended},
    push::reply::Problem,
    store::{Key, Precondition, Versions},
};

/// draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest key of a client, in bytes.
const MAX_KEY: usize = 255;

/// The precondition of a request. `If-None-Match` is compared weakly (H-51), `If-Match` strongly (H-55).
pub fn precondition(fields: &HeaderMap) -> Result<Precondition, Problem> {
    Ok(Precondition {
        is: versions(fields, &header::IF_MATCH, |is_weak, tag| Some(tag).filter(|_| !is_weak))?,
        is_not: versions(fields, &header::IF_NONE_MATCH, |_, tag| Some(mended(tag)))?,
    })
}

/// What a field with entity tags names; `opaque` is what of a tag is compared. Tags that are not ours are of no state of
/// an article.
fn versions(
    fields: &HeaderMap,
    name: &HeaderName,
    opaque: impl for<'a> Fn(bool, &'a [u8]) -> Option<&'a [u8]>,
) -> Result<Option<Versions>, Problem> {
    let wrong = || Problem::Malformed(format!("`{name}` takes `*` or tags, as in `\"r17\"`."));
    let lines = fields.get_all(name).into_iter();
    let members: Vec<_> = lines.flat_map(|line| TagList::new(line.as_bytes())).collect();
    if members.is_empty() {
        return if fields.contains_key(name) { Err(wrong()) } else { Ok(None) };
    }
    if members == [Ok(Member::Everything)] {
        return Ok(Some(Versions::Any));
    }
    let mut revisions = Vec::new();
    for member in members {
        match member {
            Ok(Member::Tag { is_weak, opaque: tag }) => {
                revisions.extend(opaque(is_weak, tag).and_then(revision));
            }
            Ok(Member::Everything) | Err(Malformed) => return Err(wrong()),
        }
    }
    Ok(Some(Versions::Of(revisions)))
}

/// The write that made the state whose tag this is.
fn revision(opaque: &[u8]) -> Option<Revision> {
    str::from_utf8(opaque).ok()?.strip_prefix('r')?.parse().ok().map(Revision)
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
            ("\"r1,7\", , \"r17\"", of(&[17])),
            ("W/\"r17\"", of(&[])),
            ("\"r17-gzip\"", of(&[])),
        ] {
            let fields = [(header::IF_MATCH, field.parse().unwrap())].into_iter().collect();
            assert_eq!(precondition(&fields).unwrap().is, expected, "{field}");
        }
        for (field, expected) in [
            ("*", Some(Versions::Any)),
            ("W/\"r17\", \"r18\"", of(&[17, 18])),
            ("W/\"r17-gzip\"", of(&[17])),
            ("\"n17-abc\"", of(&[])),
        ] {
            let fields = [(header::IF_NONE_MATCH, field.parse().unwrap())].into_iter().collect();
            assert_eq!(precondition(&fields).unwrap().is_not, expected, "{field}");
        }
        for field in ["", "r17", "17", "\"r17", "\"r17\" \"r18\"", "*, \"r17\""] {
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
