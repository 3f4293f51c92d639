//! Clients that are ahead: they have seen an edition, on another replica, that is newer than the one here.
//!
//! No I/O and no clock.

use crate::{
    article::Revision,
    edition::EntityTag,
    http::{
        conditional::{self, Outcome},
        head::Head,
    },
};

/// The newest tag of ours that the client holds, where that is newer than `revision` and counts: preconditions that fail
/// come first, and a single tag that is current is not ahead.
pub(super) fn seen(head: &Head<'_>, outcome: Outcome, revision: Revision) -> Option<EntityTag> {
    let may_be = match outcome {
        Outcome::Proceed => true,
        Outcome::NotModified(_) | Outcome::NotModifiedAs(_) => lists_several(head),
        Outcome::PreconditionFailed => false,
    };
    if !may_be {
        return None;
    }
    let tags = conditional::listed(head).filter_map(EntityTag::parse);
    tags.max_by_key(|tag| tag.revision).filter(|tag| tag.revision > revision)
}

fn lists_several(head: &Head<'_>) -> bool {
    let lines = &head.if_none_match;
    lines.is_there() && lines.only().is_none_or(|line| line.as_bytes().contains(&b','))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request, header};

    use super::*;

    #[test]
    fn the_newest_tag_of_ours_counts() {
        let (proceed, held) = (Outcome::Proceed, Outcome::NotModified(0));
        for (list, outcome, ahead) in [
            ("", proceed, None),
            ("\"n7-0000000000000000\"", proceed, None),
            ("\"n8-0000000000000000\"", proceed, Some(8)),
            ("W/\"n8-0000000000000000;gzip\"", proceed, Some(8)),
            ("\"n8-0000000000000000\", \"n9-0000000000000000;br\"", proceed, Some(9)),
            ("\"n7-0000000000000000\", \"n9-0000000000000000;br\"", held, Some(9)),
            ("\"n7-0000000000000000\"", held, None),
            ("\"n9-0000000000000000\"", Outcome::PreconditionFailed, None),
            ("\"somebody-else-s\"", proceed, None),
            ("*", held, None),
        ] {
            let mut request = Request::new(());
            let list_of = HeaderValue::from_str(list).unwrap();
            request.headers_mut().insert(header::IF_NONE_MATCH, list_of);
            let found = seen(&Head::of(&request), outcome, Revision(7)).map(|tag| tag.revision.0);
            assert_eq!(found, ahead, "{list}");
        }
    }
}
