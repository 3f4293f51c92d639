//! Content negotiation, RFC 9110 section 12.

use http::{HeaderMap, HeaderValue, header};

use crate::{
    edition::{Coding, Codings},
    format::Format,
    http::head::Lines,
};

/// A weight in thousandths: 0 is refused.
type Weight = u16;

/// What most programs say they accept, word for word, and what that comes to.
const USUAL: [(&[u8], &[Coding]); 4] = [
    (b"gzip", &[Coding::Gzip, Coding::Identity]),
    (b"gzip, deflate", &[Coding::Gzip, Coding::Identity]),
    (b"gzip, deflate, br", &[Coding::Brotli, Coding::Gzip, Coding::Identity]),
    (b"gzip, deflate, br, zstd", &[Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity]),
];

/// The codings that `Accept-Encoding` accepts (H-81, H-82). None: it refuses all there are (H-83).
pub(super) fn codings(lines: &Lines<'_>) -> Codings {
    if let Some(line) = lines.only()
        && let Some((_, usual)) = USUAL.iter().find(|(words, _)| *words == line.as_bytes())
    {
        return usual.iter().copied().collect();
    }
    weighed(lines)
}

/// The same, read as the grammar has it.
fn weighed(lines: &Lines<'_>) -> Codings {
    let mut weights: [Option<Weight>; Coding::ALL.len()] = [None; Coding::ALL.len()];
    let mut others = None;
    let mut is_given = false;
    for (token, weight) in members(lines.iter()) {
        is_given = true;
        let Some(weight) = weight else { continue };
        match Coding::from_token(token) {
            Some(coding) => weights[coding as usize] = Some(weight),
            None if token == b"*" => others = Some(weight),
            None => {}
        }
    }
    if !is_given {
        // Anything is allowed; but old clients that say nothing understand nothing.
        return Codings::from_iter([Coding::Identity]);
    }
    // Identity is refused only by name or by `*`; unnamed, it is better than nothing.
    let weigh = |coding: Coding| match (weights[coding as usize].or(others), coding) {
        (Some(weight), _) => weight.saturating_mul(2),
        (None, Coding::Identity) => 1,
        (None, Coding::Brotli | Coding::Zstd | Coding::Gzip) => 0,
    };
    let mut list = Coding::ALL.map(|coding| (weigh(coding), coding));
    list.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    list.into_iter().filter(|(weight, _)| *weight > 0).map(|(_, coding)| coding).collect()
}

/// The format that `Accept` likes best of those offered, the first at equal liking; `None` when it takes none (H-93).
///
/// A page has to be liked better than every feed, so that browsers get it and readers do not (H-94).
pub(super) fn format(fields: &HeaderMap, offered: &[Format]) -> Option<Format> {
    let ranges: Vec<(&[u8], Weight)> = members(fields.get_all(header::ACCEPT))
        .filter_map(|(range, weight)| Some((range, weight?)))
        .collect();
    if ranges.is_empty() {
        return offered.first().copied();
    }
    let weigh = |format: Format| format_weight(&ranges, format);
    let mut best: Option<(Format, Weight)> = None;
    for format in offered {
        let weight = weigh(*format);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((*format, weight));
        }
    }
    best.map(|(format, _)| format)
}

/// Whether `Accept` names JSON.
pub(super) fn wants_json(fields: &HeaderMap) -> bool {
    members(fields.get_all(header::ACCEPT))
        .any(|(range, weight)| range.eq_ignore_ascii_case(b"application/json") && weight > Some(0))
}

/// The names under which clients ask for a format, its own first.
fn names(format: Format) -> &'static [&'static str] {
    match format {
        Format::Rss => &["application/rss+xml", "application/xml", "text/xml"],
        Format::Atom => &["application/atom+xml"],
        Format::Json => &["application/feed+json", "application/json"],
        Format::Html => &["text/html", "application/xhtml+xml"],
    }
}

/// The weight of the most specific range: the format's own name, another of its names, `type/*`, `*/*`.
fn format_weight(ranges: &[(&[u8], Weight)], format: Format) -> Weight {
    let find = |wanted: &str| {
        let is_wanted = |range: &[u8]| range.eq_ignore_ascii_case(wanted.as_bytes());
        ranges.iter().find(|(range, _)| is_wanted(range)).map(|(_, weight)| *weight)
    };
    let names = names(format);
    let (kind, _) = names[0].split_once('/').unwrap_or_default();
    find(names[0])
        .or_else(|| names[1..].iter().filter_map(|name| find(name)).max())
        .or_else(|| find(&format!("{kind}/*")))
        .or_else(|| find("*/*"))
        .unwrap_or(0)
}

/// The members of a list with weights; a member whose weight is malformed has none (H-82).
pub(super) fn members<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = (&'a [u8], Option<Weight>)> {
    let lines = lines.into_iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let members = members.map(|member| {
        let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let token = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            let at = part.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (part[..at].trim_ascii(), part[at + 1..].trim_ascii());
            name.eq_ignore_ascii_case(b"q").then(|| weight(value))
        });
        (token, weight.unwrap_or(Some(1_000)))
    });
    members.filter(|(token, _)| !token.is_empty())
}

/// `0` to `1` with at most three decimals, in thousandths (RFC 9110 section 12.4.2).
fn weight(text: &[u8]) -> Option<Weight> {
    let (whole, decimals) = match text {
        [whole] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] => (whole, decimals),
        _ => return None,
    };
    if decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |nth: usize| Weight::from(decimals.get(nth).map_or(0, |digit| digit - b'0'));
    match (whole, digit(0) * 100 + digit(1) * 10 + digit(2)) {
        (b'0', thousandths) => Some(thousandths),
        (b'1', 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn given(name: &header::HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect()
    }

    /// H-82.
    #[test]
    fn the_best_accepted_coding_is_first() {
        use Coding::{Brotli, Gzip, Identity, Zstd};
        let rows: &[(&[&str], &[Coding])] = &[
            (&[], &[Identity]),
            (&[""], &[Identity]),
            (&["gzip"], &[Gzip, Identity]),
            (&["gzip;q=0"], &[Identity]),
            (&["br;q=0.5, gzip"], &[Gzip, Brotli, Identity]),
            (&["gzip;q=0.1, identity"], &[Identity, Gzip]),
            (&["*"], &[Brotli, Zstd, Gzip, Identity]),
            (&["*;q=0"], &[]),
            (&["identity;q=0"], &[]),
            (&["identity;q=0, *"], &[Brotli, Zstd, Gzip]),
            (&["gzip, *;q=0"], &[Gzip]),
            (&["identity, *;q=0"], &[Identity]),
            (&["compress, foo"], &[Identity]),
            (&["GZIP;Q=1.0"], &[Gzip, Identity]),
            (&["gzip;q=1.5"], &[Identity]),
            (&["gzip;q=abc, br"], &[Brotli, Identity]),
            (&["gzip;q=0.0001"], &[Identity]),
            (&["gzip; q=0.001"], &[Gzip, Identity]),
            (&["x-gzip"], &[Gzip, Identity]),
            (&["gzip", "br"], &[Brotli, Gzip, Identity]),
            (&["gzip, deflate, br, zstd"], &[Brotli, Zstd, Gzip, Identity]),
        ];
        for (lines, expected) in rows {
            let fields = given(&header::ACCEPT_ENCODING, lines);
            let found = codings(&Lines::of(&fields, header::ACCEPT_ENCODING));
            assert_eq!(&*found, *expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_usual_is_read_as_everything_else() {
        for (words, usual) in USUAL {
            let value = HeaderValue::from_bytes(words).unwrap();
            let fields = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value)]);
            let lines = Lines::of(&fields, header::ACCEPT_ENCODING);
            assert_eq!(*weighed(&lines), *usual);
            assert_eq!(*codings(&lines), *usual);
        }
    }

    /// H-92 to H-94; the service test has more.
    #[test]
    fn the_most_specific_range_decides() {
        let offered = [Format::Rss, Format::Atom, Format::Json, Format::Html];
        for (accept, expected) in [
            ("", Some(Format::Rss)),
            ("*/*", Some(Format::Rss)),
            ("*/*, application/rss+xml;q=0", Some(Format::Atom)),
            ("application/*;q=0.2, application/atom+xml;q=0.1", Some(Format::Rss)),
            ("text/html;q=0.9, application/atom+xml;q=0.9", Some(Format::Atom)),
            ("text/html, */*;q=0.1", Some(Format::Html)),
            ("text/*", Some(Format::Html)),
            ("text/xml", Some(Format::Rss)),
            ("APPLICATION/JSON", Some(Format::Json)),
            ("application/atom+xml;type=feed;q=0.5, application/rss+xml;q=0.4", Some(Format::Atom)),
            ("image/*", None),
            ("*/*;q=0", None),
        ] {
            assert_eq!(format(&given(&header::ACCEPT, &[accept]), &offered), expected, "{accept}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(0x20_u8.., 0..200)) {
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
            codings(&Lines::One(&value));
            format(&HeaderMap::from_iter([(header::ACCEPT, value)]), &[Format::Rss, Format::Html]);
        }
    }
}
