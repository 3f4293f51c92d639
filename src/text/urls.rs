//! Addresses as feeds write them: absolute, ASCII, without user info.

use url::Url;

use super::characters;

/// How long an address may be; RFC 9110 section 4.1 asks for 8,000 octets at least.
const LONGEST_BYTES: usize = 8192;

/// How long a `srcset` may be.
const LONGEST_SET_BYTES: usize = 65_536;

/// The http or https address that `raw` means, resolved against `base`: IDN as punycode, the rest
/// percent-encoded (T-14). `None` when there is none, or when it holds user info.
pub fn web_url(raw: &str, base: Option<&Url>) -> Option<Url> {
    let url = absolute(raw, base)?;
    let web = matches!(url.scheme(), "http" | "https");
    (web && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// The address that a link with `raw` leads to: http, https, mailto or tel (T-35).
pub(super) fn link_url(raw: &str, base: Option<&Url>) -> Option<Url> {
    let contact = absolute(raw, base).filter(|url| matches!(url.scheme(), "mailto" | "tel"));
    contact.or_else(|| web_url(raw, base))
}

/// A `srcset` with every address absolute; candidates that have none are dropped (T-30).
pub(super) fn srcset(raw: &str, base: Option<&Url>) -> Vec<(Url, String)> {
    if raw.len() > LONGEST_SET_BYTES {
        return Vec::new();
    }
    let address =
        |(address, descriptor): (&str, String)| Some((web_url(address, base)?, descriptor));
    candidates(raw).into_iter().filter_map(address).collect()
}

fn absolute(raw: &str, base: Option<&Url>) -> Option<Url> {
    let raw = raw.trim_matches(|c: char| characters::blank(c) || c.is_control());
    if raw.is_empty() || raw.len() > LONGEST_BYTES {
        return None;
    }
    let url = match base {
        Some(base) => base.join(raw),
        None if raw.starts_with("//") => Url::parse(&format!("https:{raw}")),
        None => Url::parse(raw),
    };
    let mut url = url.ok()?;
    // The WHATWG rules leave characters as they are that RFC 3986 does not allow.
    let path = encode(url.path());
    if path != url.path() {
        url.set_path(&path);
    }
    let query = url.query().map(encode);
    if query.as_deref() != url.query() {
        url.set_query(query.as_deref());
    }
    let fragment = url.fragment().map(encode);
    if fragment.as_deref() != url.fragment() {
        url.set_fragment(fragment.as_deref());
    }
    Some(url)
}

/// Percent-encodes what may stand in no part of a URI (RFC 3986 section 2), a stray `%` included.
fn encode(part: &str) -> String {
    let mut encoded = String::with_capacity(part.len());
    for (at, c) in part.char_indices() {
        let escape = || {
            part.as_bytes()
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
        };
        match c {
            '%' if !escape() => encoded.push_str("%25"),
            ' ' => encoded.push_str("%20"),
            '"' => encoded.push_str("%22"),
            '<' => encoded.push_str("%3C"),
            '>' => encoded.push_str("%3E"),
            '[' => encoded.push_str("%5B"),
            '\\' => encoded.push_str("%5C"),
            ']' => encoded.push_str("%5D"),
            '^' => encoded.push_str("%5E"),
            '`' => encoded.push_str("%60"),
            '{' => encoded.push_str("%7B"),
            '|' => encoded.push_str("%7C"),
            '}' => encoded.push_str("%7D"),
            _ => encoded.push(c),
        }
    }
    encoded
}

/// The candidates of a `srcset`, as the HTML standard parses them: an address may hold commas, and
/// ends at white space or with a comma.
fn candidates(raw: &str) -> Vec<(&str, String)> {
    let mut candidates = Vec::new();
    let mut rest = raw;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return candidates;
        }
        let (address, tail) =
            rest.split_at(rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len()));
        let alone = address.trim_end_matches(',');
        if alone != address {
            candidates.push((alone, String::new()));
            rest = tail;
            continue;
        }
        let (descriptor, tail) = tail.split_once(',').unwrap_or((tail, ""));
        rest = tail;
        if let Some(descriptor) = size(descriptor.trim()) {
            candidates.push((address, descriptor));
        }
    }
}

/// A descriptor, `640w` or `2x`, as it is written; `None` when it is no descriptor.
fn size(descriptor: &str) -> Option<String> {
    if descriptor.is_empty() {
        return Some(String::new());
    }
    let number = descriptor.strip_suffix(['w', 'x'])?;
    let positive = number.parse::<f64>().is_ok_and(|number| number.is_finite() && number > 0.0);
    let whole = descriptor.ends_with('x') || number.bytes().all(|b| b.is_ascii_digit());
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (positive && whole && plain).then(|| descriptor.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://example.com/news/1.html?x=1";

    #[test]
    fn only_absolute_web_addresses_come_out() {
        fn check(raw: &str, expected: Option<&str>, without_base: Option<&str>) {
            let base = Url::parse(BASE).unwrap();
            assert_eq!(web_url(raw, Some(&base)).as_ref().map(Url::as_str), expected, "{raw:?}");
            assert_eq!(web_url(raw, None).as_ref().map(Url::as_str), without_base, "{raw:?}");
        }
        for (raw, expected) in [
            ("https://a.example/b", "https://a.example/b"),
            (" \u{3000}HTTP://A.example/b\u{200B}\n", "http://a.example/b"),
            (
                "https://例子.测试/图 片.jpg?词=一#节",
                "https://xn--fsqu00a.xn--0zwm56d/%E5%9B%BE%20%E7%89%87.jpg?%E8%AF%8D=%E4%B8%80#%E8%8A%82",
            ), // T-14
            (
                "https://a.example/100%/a|b[1].jpg?q[]={x}&p=50%25",
                "https://a.example/100%25/a%7Cb%5B1%5D.jpg?q%5B%5D=%7Bx%7D&p=50%25",
            ), // T-14
            ("//a.example/b", "https://a.example/b"), // T-30
            ("ht\ntps://a.example/\tb", "https://a.example/b"),
        ] {
            check(raw, Some(expected), Some(expected));
        }
        for (raw, expected) in [
            ("/b", "https://example.com/b"),
            ("b.jpg", "https://example.com/news/b.jpg"),
            ("../b", "https://example.com/b"),
            ("?y", "https://example.com/news/1.html?y"),
            ("#z", "https://example.com/news/1.html?x=1#z"), // T-30
        ] {
            check(raw, Some(expected), None);
        }
        for raw in [
            "",
            " \u{3000}",
            "javascript:alert(1)", // T-35
            "\u{1}java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "ftp://a.example/",
            "https://u:p@a.example/",
            "https://u@a.example/",
            "https://",
            "https://a b.example/",
        ] {
            check(raw, None, None);
        }
    }

    #[test]
    fn links_may_lead_to_people() {
        fn check(raw: &str, expected: Option<&str>) {
            assert_eq!(link_url(raw, None).as_ref().map(Url::as_str), expected, "{raw:?}");
        }
        for (raw, expected) in [
            ("mailto:a@b.example", Some("mailto:a@b.example")),
            ("tel:+86 10 1234", Some("tel:+86%2010%201234")),
            ("https://a.example", Some("https://a.example/")),
            ("sms:1", None),
            ("javascript:1", None),
        ] {
            check(raw, expected);
        }
    }

    #[test]
    fn a_srcset_keeps_the_candidates_that_have_an_address() {
        fn check(raw: &str, expected: &str) {
            let base = Url::parse(BASE).unwrap();
            let kept = srcset(raw, Some(&base));
            let kept: Vec<_> = kept.iter().map(|(url, size)| format!("{url} {size}")).collect();
            assert_eq!(kept.join("|"), expected, "{raw:?}");
        }
        for (raw, expected) in [
            ("", ""),
            ("a.jpg", "https://example.com/news/a.jpg "),
            (
                "/a.jpg 1x,/b.jpg 2.5x",
                "https://example.com/a.jpg 1x|https://example.com/b.jpg 2.5x",
            ),
            (
                "/w_3,h_2/a.jpg 300w, /w_6,h_4/a.jpg 600w",
                "https://example.com/w_3,h_2/a.jpg 300w|https://example.com/w_6,h_4/a.jpg 600w",
            ),
            ("data:image/gif;base64,R0lG 1x, /b.jpg 2x", "https://example.com/b.jpg 2x"),
            ("/a.jpg, ,/b.jpg 2x", "https://example.com/a.jpg |https://example.com/b.jpg 2x"),
            ("/a.jpg -1x, /b.jpg big, /c.jpg 1.5w, /d.jpg 1e3x", ""),
        ] {
            check(raw, expected);
        }
    }
}
