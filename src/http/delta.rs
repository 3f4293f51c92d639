//! Who takes a delta, and from where: RFC 3229 with the manipulation `feed`.

use http::{HeaderMap, HeaderName};

use crate::{
    edition::{Edition, EntityTag},
    http::{conditional, negotiate},
};

/// The newest tag of ours that the client holds and a delta can start from, if it takes deltas (H-140).
pub(super) fn base(fields: &HeaderMap, edition: &Edition) -> Option<EntityTag> {
    const A_IM: HeaderName = HeaderName::from_static("a-im");
    let takes_deltas = negotiate::members(fields, A_IM)
        .any(|(token, weight)| token.eq_ignore_ascii_case(b"feed") && weight > Some(0));
    if !takes_deltas {
        return None;
    }
    let held = conditional::listed(fields).filter_map(EntityTag::parse);
    held.filter(|tag| edition.newer(tag.revision).is_some()).max_by_key(|tag| tag.revision)
}
