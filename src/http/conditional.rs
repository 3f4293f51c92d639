//! Conditional requests, RFC 9110 section 13.
//!
//! No I/O and no clock: fields and validators in, verdict out.

use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue, Method, header};

use crate::{
    edition::{EntityTag, Malformed, Member, TagList, Validators, mended},
    http::head::{Head, Lines},
};

/// What the preconditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Do what is asked.
    Proceed,
    /// The client has it already, under the tag at this place among the current ones.
    NotModified(usize),
    /// The client has it already, in another coding, under this tag.
    NotModifiedAs(EntityTag),
    /// The client asked for nothing to be done.
    PreconditionFailed,
}

/// Evaluates preconditions in the order of RFC 9110 section 13.2.2 (H-50).
///
/// `current` has at least one tag.
pub(super) fn evaluate(head: &Head<'_>, current: &Validators<'_>) -> Outcome {
    if head.has_guards && !is_as_expected(head, current) {
        return Outcome::PreconditionFailed;
    }
    if !head.is_conditional() {
        return Outcome::Proceed;
    }
    let is_read = matches!(*head.method, Method::GET | Method::HEAD);
    let known = match compare(&head.if_none_match, current, Comparison::Weak) {
        Listed::Nothing => {
            let date = date(&head.if_modified_since).filter(|_| is_read);
            let is_held = date
                .is_some_and(|date| current.last_modified.is_some() && !is_newer(current, date));
            is_held.then_some(Outcome::NotModified(0))
        }
        Listed::Everything => Some(Outcome::NotModified(0)),
        Listed::Current(nth) => Some(Outcome::NotModified(nth)),
        Listed::SameContent(tag) => Some(Outcome::NotModifiedAs(tag)),
        Listed::Others => None,
    };
    match known {
        Some(outcome) if is_read => outcome,
        Some(_) => Outcome::PreconditionFailed,
        None => Outcome::Proceed,
    }
}

/// Whether `If-Match`, or else `If-Unmodified-Since`, holds.
fn is_as_expected(head: &Head<'_>, current: &Validators<'_>) -> bool {
    let lines = |name: HeaderName| Lines::of(head.fields, name);
    match compare(&lines(header::IF_MATCH), current, Comparison::Strong) {
        Listed::Nothing => {
            let date = date(&lines(header::IF_UNMODIFIED_SINCE));
            !date.is_some_and(|date| is_newer(current, date))
        }
        Listed::Everything | Listed::Current(_) => true,
        Listed::SameContent(_) | Listed::Others => false,
    }
}

fn is_newer(current: &Validators<'_>, date: DateTime<Utc>) -> bool {
    current.last_modified.is_some_and(|modified| modified > date)
}

/// The date of a field that is there once and holds one (H-52, H-57).
pub(super) fn date(lines: &Lines<'_>) -> Option<DateTime<Utc>> {
    let value = lines.only()?.to_str().ok()?;
    // A leap second is legal, and is the second before it to a clock that has none.
    let value = value.replace(":60 ", ":59 ");
    httpdate::parse_http_date(&value).ok().map(DateTime::from)
}

/// How tags are compared, RFC 9110 section 8.8.3.2.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// What a list of tags says of the current ones.
enum Listed {
    /// There is no list.
    Nothing,
    /// `*`.
    Everything,
    /// It has the one at this place, the most preferred of those it has.
    Current(usize),
    /// It has none of them, but this one of the same document.
    SameContent(EntityTag),
    /// It has none of them, or is no list: a condition that cannot be read is not fulfilled (V7 to V9).
    Others,
}

fn compare(lines: &Lines<'_>, current: &Validators<'_>, comparison: Comparison) -> Listed {
    if !lines.is_there() {
        return Listed::Nothing;
    }
    let find = |opaque| current.tags.iter().position(|known| known.as_bytes() == opaque);
    // Most clients send the one tag that they got, as they got it; the tags compared with hold no quotes.
    let quoted = lines.only().map(HeaderValue::as_bytes).and_then(|line| {
        let opaque = line.strip_prefix(b"\"")?;
        opaque.strip_suffix(b"\"")
    });
    if let Some(nth) = quoted.and_then(find) {
        return Listed::Current(nth);
    }
    let mut best: Option<usize> = None;
    let mut same = None;
    let (mut has_star, mut members) = (false, 0_usize);
    for line in lines.iter() {
        for member in TagList::new(line.as_bytes()) {
            members += 1;
            let mut find_weakly = |opaque| {
                let found = find(opaque).or_else(|| find(mended(opaque)));
                if found.is_none() {
                    same = same.or_else(|| same_content(current, mended(opaque)));
                }
                found
            };
            let found = match (member, comparison) {
                (Ok(Member::Everything), _) => {
                    has_star = true;
                    None
                }
                (Ok(Member::Tag { is_weak: true, .. }), Comparison::Strong) => None,
                (Ok(Member::Tag { opaque, .. }), Comparison::Strong) => find(opaque),
                (Ok(Member::Tag { opaque, .. }), Comparison::Weak) => find_weakly(opaque),
                (Err(Malformed), _) => return Listed::Others,
            };
            best = best.into_iter().chain(found).min();
        }
    }
    match best {
        _ if has_star => {
            if members == 1 {
                Listed::Everything
            } else {
                Listed::Others
            }
        }
        Some(best) => Listed::Current(best),
        None => same.map_or(Listed::Others, Listed::SameContent),
    }
}

fn same_content(current: &Validators<'_>, opaque: &[u8]) -> Option<EntityTag> {
    let content = current.content?;
    EntityTag::parse(opaque).filter(|tag| tag.is_same_content(&content))
}

/// The tags that `If-None-Match` lists, each without its quotes.
pub(super) fn listed<'a>(head: &Head<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let lines = head.if_none_match.iter();
    lines.flat_map(|line| TagList::new(line.as_bytes())).filter_map(|member| match member {
        Ok(Member::Tag { opaque, .. }) => Some(mended(opaque)),
        Ok(Member::Everything) | Err(Malformed) => None,
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Request};
    use proptest::prelude::*;

    use super::*;

    const TAGS: [&str; 2] = ["a1;gzip", "a1"];
    const GZIP: usize = 0;
    const PLAIN: usize = 1;

    fn outcome(method: &Method, fields: HeaderMap, current: &Validators<'_>) -> Outcome {
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        *request.headers_mut() = fields;
        evaluate(&Head::of(&request), current)
    }

    fn check(method: &Method, given: &[(HeaderName, &str)], expected: Outcome) {
        let modified = DateTime::from_timestamp(1_772_699_400, 0);
        let mut fields = HeaderMap::new();
        for (name, value) in given {
            fields.append(name, value.parse().unwrap());
        }
        let current = Validators { tags: &TAGS, last_modified: modified, content: None };
        assert_eq!(outcome(method, fields, &current), expected, "{method} {given:?}");
    }

    /// V1 to V32 as a whole are rows of `tests/it/vectors.rs`; these are the corners that they leave.
    #[test]
    fn preconditions_are_evaluated_in_order() {
        use Outcome::{NotModified, PreconditionFailed, Proceed};
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
        let (get, put) = (&Method::GET, &Method::PUT);
        let (on, before) = ("Thu, 05 Mar 2026 08:30:00 GMT", "Thu, 05 Mar 2026 08:29:59 GMT");
        check(get, &[], Proceed);
        check(get, &[(IF_NONE_MATCH, "\"a1;gzip\", \"a1\"")], NotModified(GZIP));
        check(get, &[(IF_NONE_MATCH, "\"a1\", \"a1;gzip\"")], NotModified(GZIP));
        check(get, &[(IF_NONE_MATCH, "\"a1\"")], NotModified(PLAIN));
        check(get, &[(IF_NONE_MATCH, "*")], NotModified(GZIP));
        check(put, &[(IF_NONE_MATCH, "*")], PreconditionFailed);
        check(put, &[(IF_NONE_MATCH, "\"a1\"")], PreconditionFailed);
        check(put, &[(IF_MODIFIED_SINCE, on)], Proceed);
        check(get, &[(IF_NONE_MATCH, "")], Proceed);
        check(get, &[(IF_NONE_MATCH, ""), (IF_MODIFIED_SINCE, on)], Proceed);
        check(get, &[(IF_NONE_MATCH, "\"a1")], Proceed);
        check(get, &[(IF_NONE_MATCH, "\"a1\"x")], Proceed);
        check(get, &[(IF_NONE_MATCH, "\"a 1\", \"a1\"")], Proceed);
        check(get, &[(IF_NONE_MATCH, "W/\"a1;gzip-gzip\"")], NotModified(GZIP));
        check(get, &[(IF_NONE_MATCH, "\"a1--gzip\"")], NotModified(PLAIN));
        check(get, &[(IF_MATCH, "*")], Proceed);
        check(get, &[(IF_MATCH, "\"zz\", \"a1\"")], Proceed);
        check(get, &[(IF_MATCH, "\"a1-gzip\"")], PreconditionFailed);
        check(get, &[(IF_MATCH, "\"a1\""), (IF_UNMODIFIED_SINCE, before)], Proceed);
        check(get, &[(IF_MATCH, "\"a1\""), (IF_NONE_MATCH, "\"a1\"")], NotModified(PLAIN));
        check(get, &[(IF_UNMODIFIED_SINCE, on)], Proceed);
        check(get, &[(IF_UNMODIFIED_SINCE, "nonsense")], Proceed);
        check(get, &[(IF_MODIFIED_SINCE, "Thu, 05 Mar 2026 08:30:60 GMT")], NotModified(GZIP));
        check(get, &[(IF_MODIFIED_SINCE, "thu, 05 mar 2026 08:30:00 gmt")], Proceed);
    }

    #[test]
    fn without_a_date_no_date_holds() {
        let mut fields = HeaderMap::new();
        fields.insert(header::IF_MODIFIED_SINCE, "Thu, 05 Mar 2026 08:30:00 GMT".parse().unwrap());
        let current = Validators { tags: &TAGS, last_modified: None, content: None };
        assert_eq!(outcome(&Method::GET, fields, &current), Outcome::Proceed);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(0x20_u8.., 0..200)) {
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
            let names = [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE];
            for name in names {
                let fields = HeaderMap::from_iter([(name, value.clone())]);
                outcome(&Method::GET, fields, &Validators { tags: &TAGS, last_modified: None, content: None });
            }
        }
    }
}
