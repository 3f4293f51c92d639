//! Who takes a delta, and from where: RFC 3229 with the manipulation `feed`.

use crate::{
    edition::{Edition, EntityTag},
    http::{conditional, head::Head, negotiate},
};

/// The newest tag of ours that the client holds and a delta can start from, if it takes deltas (H-140).
pub(super) fn base(head: &Head<'_>, edition: &Edition) -> Option<EntityTag> {
    let takes_deltas = negotiate::members(head.a_im.iter())
        .any(|(token, weight)| token.eq_ignore_ascii_case(b"feed") && weight > Some(0));
    if !takes_deltas {
        return None;
    }
    let tags = conditional::listed(head).filter_map(EntityTag::parse);
    tags.filter(|tag| edition.newer(tag.revision).is_some()).max_by_key(|tag| tag.revision)
}
