//! Forms: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578).

use std::borrow::Cow;

use memchr::memmem;

use crate::push::reply::Problem;

/// Most parts of a form.
const MAX_PARTS: usize = 100;

/// Names and values of a form or a query, in their order.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(text)
}

/// The text of a field; a field that is not UTF-8 is refused rather than stored with replacement characters.
pub fn utf8(field: &[u8]) -> Result<&str, Problem> {
    str::from_utf8(field).map_err(|_| Problem::Malformed("The form is not UTF-8.".to_owned()))
}

/// Names and values of a form, in their order; a form that is not UTF-8 is refused.
pub fn checked_pairs(text: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    let decoded = |field: &[u8]| {
        let spaced: Vec<u8> =
            field.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
        utf8(&bytes).map(str::to_owned)
    };
    let fields = text.split(|byte| *byte == b'&').filter(|field| !field.is_empty());
    fields
        .map(|field| {
            let at = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
            let value = field.get(at + 1..).unwrap_or_default();
            Ok((decoded(&field[..at])?, decoded(value)?))
        })
        .collect()
}

/// A part of a multipart form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The name of its field.
    pub name: String,
    /// What the file is called, if it is one.
    pub file: Option<String>,
    /// Its media type, if it says one; in lower case, without parameters.
    pub media_type: Option<String>,
    /// What it holds.
    pub content: &'a [u8],
}

/// The parts of a multipart form; `None` for what is none.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let boundary =
        parameter(content_type, "boundary").filter(|text| (1..=70).contains(&text.len()))?;
    let delimiter = format!("\r\n--{boundary}");
    // The first one has no line before it.
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..]).or_else(|| {
        let at = memmem::find(body, delimiter.as_bytes())?;
        Some(&body[at + delimiter.len()..])
    })?;
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        let line = memmem::find(rest, b"\r\n")?;
        // Nothing but white space may follow a boundary.
        if !rest[..line].iter().all(|byte| matches!(byte, b' ' | b'\t')) || parts.len() >= MAX_PARTS
        {
            return None;
        }
        let end = memmem::find(&rest[line..], delimiter.as_bytes())? + line;
        parts.push(part(rest.get(line + 2..end).unwrap_or_default())?);
        rest = &rest[end + delimiter.len()..];
    }
}

fn part(text: &[u8]) -> Option<Part<'_>> {
    let (head, content) = match memmem::find(text, b"\r\n\r\n") {
        Some(end) => (&text[..end], &text[end + 4..]),
        None => return None,
    };
    let head = String::from_utf8_lossy(head);
    let (mut name, mut file, mut media_type) = (None, None, None);
    for line in head.split("\r\n") {
        let Some((field, value)) = line.split_once(':') else { continue };
        if field.eq_ignore_ascii_case("content-disposition") {
            name = parameter(value, "name");
            file = parameter(value, "filename");
        } else if field.eq_ignore_ascii_case("content-type") {
            let essence = value.split(';').next().unwrap_or_default();
            media_type = Some(essence.trim().to_ascii_lowercase());
        }
    }
    Some(Part { name: name?, file, media_type, content })
}

/// A parameter of a field, quoted or not.
pub fn parameter(field: &str, name: &str) -> Option<String> {
    let mut rest = field;
    loop {
        rest = rest[rest.find(';')? + 1..].trim_start();
        let (key, value) = rest.split_once('=')?;
        let quoted = value.strip_prefix('"');
        let end = match quoted {
            Some(text) => text.find('"')?,
            None => value.find(';').unwrap_or(value.len()),
        };
        let text = quoted.unwrap_or(value);
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(text[..end].trim().to_owned());
        }
        rest = &text[end..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_between_boundaries() {
        let body = b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--X \r\n\
            content-disposition: form-data; filename=\"p;q.jpg\"; name=file\r\nContent-Type: Image/JPEG; q=1\r\n\r\n\
            \x00\r\n--\r\n--X--\r\n";
        let read = parts("multipart/form-data; charset=utf-8; boundary=\"X\"", body).unwrap();
        assert_eq!((read[0].name.as_str(), read[0].content), ("a", &b"one"[..]));
        assert_eq!((read[1].name.as_str(), read[1].content), ("file", &b"\x00\r\n--"[..]));
        assert_eq!(read[1].file.as_deref(), Some("p;q.jpg"));
        assert_eq!(read[1].media_type.as_deref(), Some("image/jpeg"));
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn a_form_is_utf8_or_refused() {
        let pairs = checked_pairs(b"a=caf%C3%A9+x&b&&c=1=2").unwrap();
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "café x"), ("b", ""), ("c", "1=2")]);
        assert!(matches!(checked_pairs(b"content=caf%E9"), Err(Problem::Malformed(_))));
        assert!(matches!(checked_pairs(b"content=caf\xe9"), Err(Problem::Malformed(_))));
    }

    #[test]
    fn what_is_no_form_is_nothing() {
        for (kind, body) in [
            ("multipart/form-data", &b"--X--"[..]),
            ("multipart/form-data; boundary=", b"--X--"),
            ("multipart/form-data; boundary=X", b""),
            ("multipart/form-data; boundary=X", b"--X"),
            ("multipart/form-data; boundary=X", b"--X\r\n"),
            ("multipart/form-data; boundary=X", b"--X\r\n\r\n--X"),
            ("multipart/form-data; boundary=X", b"--XY\r\n\r\n\r\n--X--"),
            ("multipart/form-data; boundary=X", b"--X\r\nA: b\r\n\r\n\r\n--X--"),
        ] {
            assert_eq!(parts(kind, body), None, "{kind} {body:?}");
        }
        assert_eq!(parts("multipart/form-data; boundary=X", b"--X--"), Some(Vec::new()));
    }
}
