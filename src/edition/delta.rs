//! Feed deltas, RFC 3229 and its instance manipulation `feed`: only what is new or changed since an edition that the
//! client has.
//!
//! Cut from the whole document, by the revision of each entry: nothing of the client is remembered, nothing is read or
//! written again, and every node cuts the same bytes.

use std::ops::Range;

use crate::article::Revision;

/// Where the entries of a document stand, and how far back a delta may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// How many articles are not among them, because whoever it is for would refuse them.
    pub held_back: u64,
    /// Oldest base a delta may start from.
    pub floor: Revision,
    /// The write that made each entry what it is, and its place in the document; in the document's order, and what
    /// stands between any two is the same.
    pub places: Vec<(Revision, Range<usize>)>,
    /// Where the document says that its entries are all there are, which a delta must not say. Not among the
    /// entries.
    pub completeness: Option<Range<usize>>,
}

impl Entries {
    /// How many entries a delta from `base` has; `None` where the whole document has to be sent: the base is too old, it
    /// is no older than `current`, or every entry is new.
    pub(super) fn newer(&self, base: Revision, current: Revision) -> Option<usize> {
        let count = self.places.iter().filter(|(revision, _)| *revision > base).count();
        (self.floor <= base && base < current && count < self.places.len()).then_some(count)
    }

    /// The document with those entries alone that are newer than `base`.
    pub(super) fn cut(&self, document: &[u8], base: Revision) -> Vec<u8> {
        let place = |nth: usize| self.places.get(nth).map(|(_, place)| place.clone());
        let (Some(first), Some(last)) = (place(0), self.places.last()) else {
            return document.to_vec();
        };
        let between = place(1).map_or(&[][..], |second| &document[first.end..second.start]);
        let newer = self.places.iter().filter(|(revision, _)| *revision > base);
        let newer: Vec<_> = newer.map(|(_, place)| &document[place.clone()]).collect();
        let cut = |part: Range<usize>| match &self.completeness {
            Some(claim) if part.start <= claim.start && claim.end <= part.end => {
                [&document[part.start..claim.start], &document[claim.end..part.end]].concat()
            }
            _ => document[part].to_vec(),
        };
        [cut(0..first.start), newer.join(between), cut(last.1.end..document.len())].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(floor: u64, places: &[(u64, Range<usize>)]) -> Entries {
        let places = places.iter().map(|(revision, place)| (Revision(*revision), place.clone()));
        Entries { floor: Revision(floor), places: places.collect(), ..Entries::default() }
    }

    #[test]
    fn a_delta_holds_what_is_newer_than_its_base() {
        let three = entries(2, &[(7, 2..4), (3, 5..7), (5, 8..10)]);
        for (base, count, delta) in [
            (1, None, "<:>"),
            (2, None, "<:aa,bb,cc:>"),
            (3, Some(2), "<:aa,cc:>"),
            (5, Some(1), "<:aa:>"),
            (7, Some(0), "<::>"),
            (8, Some(0), "<::>"),
            (9, None, "<::>"),
        ] {
            assert_eq!(three.newer(Revision(base), Revision(9)), count, "{base}");
            if count.is_some() {
                assert_eq!(three.cut(b"<:aa,bb,cc:>", Revision(base)), delta.as_bytes(), "{base}");
            }
        }
        let one = entries(0, &[(1, 2..4)]);
        assert_eq!(one.newer(Revision(0), Revision(9)), None);
        assert_eq!(one.cut(b"<:aa:>", Revision(1)), b"<::>");
        assert_eq!(entries(0, &[]).newer(Revision(0), Revision(9)), None);
    }

    #[test]
    fn a_delta_does_not_claim_to_be_complete() {
        let entries = entries(0, &[(7, 3..5), (3, 6..8)]);
        for (document, claim, delta) in
            [(b"<!:aa,bb:>", 1..2, "<:aa:>"), (b"<<:aa,bb!>", 8..9, "<<:aa>")]
        {
            let entries = Entries { completeness: Some(claim), ..entries.clone() };
            assert_eq!(entries.cut(document, Revision(3)), delta.as_bytes());
        }
    }
}
