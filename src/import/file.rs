//! Records out of a file: a record a line (NDJSON), an array of them, a JSON Feed, or a single one.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Read},
};

use serde::Deserialize;
use serde_json::value::RawValue;

/// Longest line of NDJSON, in bytes.
const MAX_LINE: usize = 16 << 20;
/// Largest array or JSON Feed, which has to be read as a whole, in bytes. NDJSON has no such bound.
const MAX_DOCUMENT: usize = 512 << 20;

/// A record's text, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it begins, the first line being 1.
    pub line: usize,
    /// JSON of one record.
    pub text: Result<String, String>,
}

/// The records of a file, in its order.
pub struct Items<R> {
    input: R,
    line: usize,
    waiting: std::vec::IntoIter<Item>,
    is_over: bool,
}

impl<R: BufRead> Items<R> {
    /// Looks at the beginning of the input to tell what it is.
    pub fn open(mut input: R) -> io::Result<Self> {
        let mut first = begin_line(&mut input)?;
        let mut line = 1;
        while first.as_deref().is_some_and(is_blank) {
            first = begin_line(&mut input)?;
            line += 1;
        }
        let mut items =
            Self { input, line, waiting: Vec::new().into_iter(), is_over: first.is_none() };
        let Some(mut head) = first else { return Ok(items) };
        if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        let begins = head.trim_ascii_start().first().copied();
        let is_cut = head.len() > MAX_LINE;
        if is_cut && !(begins == Some(b'[') || names_items(&head)) {
            items.input.skip_until(b'\n')?;
            items.waiting = vec![Item { line, text: decode(head) }].into_iter();
            return Ok(items);
        }
        let is_record =
            serde_json::from_slice::<serde_json::Map<_, _>>(&head).is_ok_and(|map| !is_feed(&map));
        // A first line that is broken is a broken record, unless the lines after it go on with it.
        let goes_on = begins == Some(b'[')
            || (begins == Some(b'{') && !is_record && is_unfinished_or_feed(&head));
        if !goes_on {
            items.waiting = vec![Item { line, text: decode(head) }].into_iter();
            return Ok(items);
        }
        if !is_cut {
            head.push(b'\n');
        }
        (&mut items.input).take(MAX_DOCUMENT as u64 + 1).read_to_end(&mut head)?;
        items.is_over = true;
        items.waiting = if head.len() > MAX_DOCUMENT {
            let why = format!("larger than {MAX_DOCUMENT} bytes; write one record a line instead");
            vec![Item { line, text: Err(why) }].into_iter()
        } else {
            document(&head, line).into_iter()
        };
        Ok(items)
    }

    fn read(&mut self) -> io::Result<Option<Item>> {
        if let Some(item) = self.waiting.next() {
            return Ok(Some(item));
        }
        while !self.is_over {
            let Some(text) = read_line(&mut self.input)? else {
                self.is_over = true;
                break;
            };
            self.line += 1;
            if !is_blank(&text) {
                return Ok(Some(Item { line: self.line, text: decode(text) }));
            }
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Items<R> {
    type Item = io::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Whether a line too long for a record begins like a JSON Feed.
fn names_items(head: &[u8]) -> bool {
    memchr::memmem::find(&head[..head.len().min(1 << 16)], b"\"items\"").is_some()
}

/// A line without its end; `None` at the end of the input. A line that is too long is cut, and refused by [`decode`].
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let line = begin_line(input)?;
    if line.as_ref().is_some_and(|line| line.len() > MAX_LINE) {
        input.skip_until(b'\n')?;
    }
    Ok(line)
}

/// The same, without the rest of a line that is too long.
fn begin_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = input.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        line.pop();
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    Ok((read > 0).then_some(line))
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

fn decode(line: Vec<u8>) -> Result<String, String> {
    if line.len() > MAX_LINE {
        return Err(format!("the line is longer than {MAX_LINE} bytes"));
    }
    String::from_utf8(line).map_err(|broken| {
        let at = broken.utf8_error().valid_up_to();
        let byte = broken.as_bytes().get(at).copied().unwrap_or_default();
        format!(
            "broken UTF-8: byte 0x{byte:02x} at byte {} of the line; save the file as UTF-8",
            at + 1
        )
    })
}

fn is_feed(map: &serde_json::Map<String, serde_json::Value>) -> bool {
    map.contains_key("items") && !map.contains_key("id")
}

fn is_unfinished_or_feed(head: &[u8]) -> bool {
    match serde_json::from_slice::<serde_json::Value>(head) {
        Ok(value) => value.as_object().is_some_and(is_feed),
        Err(error) => error.is_eof(),
    }
}

/// A JSON Feed, as far as records go.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    items: Option<&'a RawValue>,
}

/// The records of a document read as a whole. Those before a mistake are taken.
fn document(bytes: &[u8], first_line: usize) -> Vec<Item> {
    let text = String::from_utf8_lossy(bytes);
    let mut places = Places::new(bytes, &text, first_line);
    let start = text.trim_start();
    if start.starts_with('[') {
        return places.array(start);
    }
    match serde_json::from_str::<Document<'_>>(&text) {
        Ok(Document { items: Some(items) }) if items.get().starts_with('[') => {
            places.array(items.get())
        }
        Ok(Document { items: Some(_) }) => {
            vec![Item { line: first_line, text: Err("`items` is not an array".to_owned()) }]
        }
        Ok(Document { items: None }) => vec![places.item(start.trim_end())],
        Err(error) => {
            vec![Item {
                line: first_line + error.line() - 1,
                text: Err(format!("not JSON: {}", reason(&error))),
            }]
        }
    }
}

/// What a JSON error says, without the place, which is said in another way.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.contains("surrogate") || text.contains("hex escape") {
        return "half of a surrogate pair (`\\ud83d` alone); write the pair, or the character"
            .to_owned();
    }
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// Lines of a document, and which of them hold broken UTF-8.
struct Places<'t> {
    text: &'t str,
    broken: BTreeSet<usize>,
    /// How far lines are counted: parts are asked for in their order.
    at: usize,
    line: usize,
}

impl<'t> Places<'t> {
    fn new(bytes: &[u8], text: &'t str, first_line: usize) -> Self {
        let lines = bytes.split(|byte| *byte == b'\n').enumerate();
        let broken =
            lines.filter(|(_, line)| str::from_utf8(line).is_err()).map(|(n, _)| first_line + n);
        Self { text, broken: broken.collect(), at: 0, line: first_line }
    }

    /// The line of a part of the document.
    fn line(&mut self, part: &str) -> usize {
        let at = part.as_ptr().addr() - self.text.as_ptr().addr();
        self.line += self.text[self.at..at].matches('\n').count();
        self.at = at;
        self.line
    }

    fn item(&mut self, part: &str) -> Item {
        let line = self.line(part);
        let last = line + part.matches('\n').count();
        let text = match self.broken.range(line..=last).next() {
            Some(broken) => Err(format!("broken UTF-8 in line {broken}; save the file as UTF-8")),
            None => Ok(part.to_owned()),
        };
        Item { line, text }
    }

    fn array(&mut self, array: &str) -> Vec<Item> {
        let mut items = Vec::new();
        let mut rest = array[1..].trim_start();
        while !rest.starts_with(']') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
            match values.next() {
                Some(Ok(value)) => {
                    items.push(self.item(value.get()));
                    rest = rest[values.byte_offset()..].trim_start();
                }
                Some(Err(error)) => {
                    let line = self.line(rest) + error.line() - 1;
                    items.push(Item { line, text: Err(broken_off(&reason(&error))) });
                    return items;
                }
                None => {
                    items.push(Item {
                        line: self.line(rest),
                        text: Err(broken_off("the array has no end")),
                    });
                    return items;
                }
            }
            match rest.strip_prefix(',') {
                Some(next) => rest = next.trim_start(),
                None if rest.starts_with(']') => {}
                None => {
                    let why = broken_off("a comma or the end of the array is missing");
                    items.push(Item { line: self.line(rest), text: Err(why) });
                    return items;
                }
            }
        }
        items
    }
}

fn broken_off(reason: &str) -> String {
    format!("not JSON: {reason}; the records after this place are not read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[(usize, Result<&str, &str>)]) {
        let items: Vec<_> = Items::open(input).unwrap().map(Result::unwrap).collect();
        let shown = String::from_utf8_lossy(input);
        assert_eq!(items.len(), expected.len(), "{shown}: {items:?}");
        for (item, (line, text)) in items.iter().zip(expected) {
            assert_eq!(item.line, *line, "{shown}");
            match (&item.text, text) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{shown}"),
                (Err(found), Err(part)) => assert!(found.contains(part), "{shown}: {found}"),
                (found, _) => panic!("{shown}: {found:?}"),
            }
        }
    }

    #[test]
    fn every_shape_gives_its_records() {
        let (a, b) = (r#"{"id":"a"}"#, r#"{"id":"b"}"#);
        check(b"", &[]);
        check(b" \n\n", &[]);
        check(format!("{a}\n{b}\n").as_bytes(), &[(1, Ok(a)), (2, Ok(b))]);
        check(format!("\u{feff}{a}\r\n\r\n{b}").as_bytes(), &[(1, Ok(a)), (3, Ok(b))]);
        check(format!("[{a},\n {b}]").as_bytes(), &[(1, Ok(a)), (2, Ok(b))]);
        check(b"[]", &[]);
        check(format!("\n[\n{a}\n,\n{b}\n]\n").as_bytes(), &[(3, Ok(a)), (5, Ok(b))]);
        check(format!("{{\"version\":\"1.1\",\"items\":[{a}]}}").as_bytes(), &[(1, Ok(a))]);
        check(format!("{{\n\"items\": [\n{a},\n{b}]\n}}").as_bytes(), &[(3, Ok(a)), (4, Ok(b))]);
        check(b"{\n\"id\":\n\"a\"}\n", &[(1, Ok("{\n\"id\":\n\"a\"}"))]);
    }

    #[test]
    fn a_broken_record_stops_no_other() {
        let a = r#"{"id":"a"}"#;
        check(b"{\"id\":\"\xff\"}\n{\"id\":\"a\"}", &[(1, Err("0xff")), (2, Ok(a))]);
        check(b"[{\"id\":\"a\"},\n{\"id\":\"\xff\"}]", &[(1, Ok(a)), (2, Err("line 2"))]);
        check(b"[{\"id\":\"a\"},\n{\"id\":]", &[(1, Ok(a)), (2, Err("not JSON"))]);
        check(b"[{\"id\":\"a\"}\n{}", &[(1, Ok(a)), (2, Err("comma"))]);
        check(b"[{\"id\":\"a\"},\n", &[(1, Ok(a)), (2, Err("not JSON"))]);
        check(b"{\"id\":}\n{\"id\":\"a\"}", &[(1, Ok("{\"id\":}")), (2, Ok(a))]);
        check(b"{\"items\":7}", &[(1, Err("not an array"))]);
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_alone() {
        let mut input = vec![b'x'; MAX_LINE + 5];
        input.extend(b"\n{\"id\":\"a\"}");
        check(&input, &[(1, Err("longer")), (2, Ok(r#"{"id":"a"}"#))]);
    }
}
