//! Where the front matter of a Markdown file begins and ends, and what it says.
//!
//! Found behind a byte order mark, white space and HTML comments, in the forms of Hugo and Zola (`---`, `+++`, a JSON object), Jekyll
//! (`---`), Hexo (no opening fence; JSON that ends with `;;;`), Pelican (`Title: …`), Pandoc (`% Title`) and Org (`#+title:`).
//! Text that looks like front matter and cannot be read is refused: it never becomes text of the article.

use std::fmt;

use serde::de::{
    Deserialize, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Value};

use crate::import::convert::Fault;

/// Largest front matter, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// How deep lists and tables may nest; readers of YAML take quadratic time for deeper ones.
const MAX_DEPTH: usize = 64;

/// Names of fields by which front matter without an opening fence is known.
const NAMES: [&str; 34] = [
    "title",
    "date",
    "modified",
    "category",
    "categories",
    "tags",
    "tag",
    "slug",
    "author",
    "authors",
    "summary",
    "description",
    "status",
    "lang",
    "language",
    "translation",
    "template",
    "layout",
    "permalink",
    "url",
    "save_as",
    "keywords",
    "draft",
    "published",
    "updated",
    "comments",
    "lastmod",
    "image",
    "cover",
    "thumbnail",
    "visibility",
    "private",
    "hidden",
    "excerpt",
];
/// Those of them that decide whether the article is public.
const DECIDING: [&str; 6] = ["draft", "published", "status", "visibility", "private", "hidden"];

/// Splits a file into the fields of its front matter, which may be missing, and its body.
pub(super) fn split(text: &str) -> Result<(Map<String, Value>, &str), Fault> {
    let start = behind_comments(text);
    let (head, first) = (&text[start..], line_of(text, start));
    let fenced = Fenced { text, start };
    match first.trim() {
        line if is_fence(line, '-') => fenced.between(Kind::Yaml),
        line if is_fence(line, '+') => fenced.between(Kind::Toml),
        line if is_fence(line, ';') => fenced.between(Kind::JsonFields),
        _ if head.starts_with('{')
            && !["{{", "{%", "{#", "{:"].iter().any(|mark| head.starts_with(mark)) =>
        {
            fenced.json()
        }
        line if line.starts_with("% ") => Ok(pandoc(head)),
        line if line.starts_with("#+") && line.contains(':') => Ok(org(head)),
        line if starts_json_field(line) => fenced.until(Kind::JsonFields, ';'),
        line if is_known_field(line, '=') => fenced.until(Kind::Toml, '+'),
        line if field_name(line, ':').is_some() => fenced.fields(),
        _ => Ok((Map::new(), text)),
    }
}

/// Where the first line that is neither blank nor part of an HTML comment begins.
fn behind_comments(text: &str) -> usize {
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        match text[at..].strip_prefix("<!--").and_then(|comment| comment.find("-->")) {
            // `<!--more-->` is a mark of the text.
            Some(end) if !text[at + 4..at + 4 + end].trim().eq_ignore_ascii_case("more") => {
                at += 4 + end + 3;
            }
            _ => return at,
        }
    }
}

fn line_of(text: &str, at: usize) -> &str {
    text[at..].lines().next().unwrap_or_default()
}

/// Three or more of a sign, and nothing else.
fn is_fence(line: &str, sign: char) -> bool {
    line.len() >= 3 && line.chars().all(|c| c == sign)
}

/// The name of a field at the beginning of a line: `title: …`.
fn field_name(line: &str, sign: char) -> Option<&str> {
    let (name, rest) = line.split_once(sign)?;
    let name = name.trim();
    let is_name = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let is_apart = rest.is_empty() || rest.starts_with(char::is_whitespace) || sign == '=';
    (is_name && is_apart).then_some(name)
}

fn is_known_field(line: &str, sign: char) -> bool {
    field_name(line, sign).is_some_and(|name| is_one_of(&NAMES, name))
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// `"title": "…",` of Hexo.
fn starts_json_field(line: &str) -> bool {
    let name = line.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    name.is_some_and(|(name, rest)| is_one_of(&NAMES, name) && rest.trim_start().starts_with(':'))
}

fn fault(problem: String) -> Fault {
    Fault { field: String::new(), problem }
}

/// A file whose front matter begins at a place.
struct Fenced<'t> {
    text: &'t str,
    start: usize,
}

type Split<'t> = Result<(Map<String, Value>, &'t str), Fault>;

impl<'t> Fenced<'t> {
    /// Front matter between two fences.
    fn between(&self, kind: Kind) -> Split<'t> {
        let first = line_of(self.text, self.start);
        let sign = first.trim().chars().next().unwrap_or('-');
        let begin = (self.start + first.len() + 1).min(self.text.len());
        match self.end(begin, sign) {
            Some((end, after)) => {
                let block = &self.text[begin..end];
                if kind == Kind::Yaml && !has_fields(block) {
                    // A rule, not a fence: the text between two rules is text.
                    return Ok((Map::new(), self.text));
                }
                Ok((self.read(kind, begin, end)?, &self.text[after..]))
            }
            None if has_fields(line_behind(self.text, begin)) || kind != Kind::Yaml => {
                Err(fault(format!(
                    "the front matter has no end; write `{}` on a line of its own after it",
                    first.trim()
                )))
            }
            None => Ok((Map::new(), self.text)),
        }
    }

    /// Front matter that begins without a fence and ends with one. Without an end, or without fields in it, it is text.
    fn until(&self, kind: Kind, sign: char) -> Split<'t> {
        match self.end(self.start, sign) {
            Some((end, after)) => Ok((self.read(kind, self.start, end)?, &self.text[after..])),
            None => Err(fault(format!(
                "the front matter has no end; write `{}` on a line of its own after it",
                sign.to_string().repeat(3)
            ))),
        }
    }

    /// `title: …` without an opening fence: YAML up to a fence (Hexo), or lines up to the first that is none (Pelican).
    fn fields(&self) -> Split<'t> {
        let mut fields = Map::new();
        let mut at = self.start;
        let mut latest: Option<String> = None;
        for line in self.text[self.start..].split_inclusive('\n') {
            let continues = line.starts_with("    ") || line.starts_with('\t');
            let words = line.trim();
            if is_fence(words, '-') && is_front_matter(&fields) {
                return Ok((self.read(Kind::Yaml, self.start, at)?, &self.text[at + line.len()..]));
            }
            match field_name(words, ':').filter(|_| !continues || latest.is_none()) {
                Some(name) if !words.is_empty() => {
                    let value = words.split_once(':').map_or("", |(_, value)| value.trim());
                    latest = Some(name.to_ascii_lowercase());
                    fields.insert(name.to_ascii_lowercase(), Value::from(value));
                }
                _ if words.is_empty() => break,
                // YAML: a list below its field.
                _ if latest.is_some()
                    && (continues || words.starts_with("- ") || line.starts_with(' ')) =>
                {
                    if let Some(Value::String(value)) =
                        latest.as_ref().and_then(|name| fields.get_mut(name))
                    {
                        if !value.is_empty() {
                            value.push(' ');
                        }
                        value.push_str(words);
                    }
                }
                _ => break,
            }
            at += line.len();
        }
        let rest = &self.text[at..];
        // Hexo allows blank lines before the fence.
        let fence = rest.lines().find(|line| !line.trim().is_empty());
        if fence.is_some_and(|line| is_fence(line.trim(), '-')) && is_front_matter(&fields) {
            return self.until(Kind::Yaml, '-');
        }
        if is_front_matter(&fields) { Ok((fields, rest)) } else { Ok((Map::new(), self.text)) }
    }

    /// Where the first fence at or after `begin` stands, and where the text behind it begins.
    fn end(&self, begin: usize, sign: char) -> Option<(usize, usize)> {
        let mut at = begin;
        for line in self.text[begin..].split_inclusive('\n') {
            let words = line.trim();
            if is_fence(words, sign) || (sign == '-' && words == "..." && line.starts_with('.')) {
                return Some((at, at + line.len()));
            }
            at += line.len();
        }
        None
    }

    fn json(&self) -> Split<'t> {
        let head = &self.text[self.start..];
        check_size(head.len().min(MAX_BYTES))?;
        let mut values = serde_json::Deserializer::from_str(head).into_iter::<Map<String, Value>>();
        match values.next() {
            Some(Ok(fields)) => {
                let body = &head[values.byte_offset()..];
                let fence = body.trim_start();
                Ok((
                    fields,
                    if fence.starts_with(";;;") { fence.trim_start_matches(';') } else { body },
                ))
            }
            Some(Err(error)) => Err(fault(format!("the front matter is not JSON: {error}"))),
            None => Ok((Map::new(), self.text)),
        }
    }

    fn read(&self, kind: Kind, begin: usize, end: usize) -> Result<Map<String, Value>, Fault> {
        let block = &self.text[begin..end];
        check_size(block.len())?;
        check_depth(block)?;
        let line = self.text[..begin].matches('\n').count();
        kind.fields(block).map_err(|(at, problem)| {
            let place = at.map(|at| format!(" (line {})", line + at)).unwrap_or_default();
            fault(format!("the front matter is not {}{place}: {problem}", kind.name()))
        })
    }
}

/// The first line at or after a place that is not blank.
fn line_behind(text: &str, at: usize) -> &str {
    text[at..].lines().find(|line| !line.trim().is_empty()).unwrap_or_default()
}

/// Whether a block has a line that begins like a field, or is empty: then it is front matter, and no text between two rules.
fn has_fields(block: &str) -> bool {
    let mut lines = block
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .peekable();
    let is_field = |line: &str| {
        let name =
            line.trim_start_matches("- ").split_once(':').map(|(name, rest)| (name.trim(), rest));
        name.is_some_and(|(name, rest)| {
            !name.is_empty()
                && !name.contains(char::is_whitespace)
                && (rest.is_empty() || rest.starts_with(char::is_whitespace))
        })
    };
    let Some(first) = lines.peek() else { return true };
    // A list or a flow mapping is a mistake in front matter rather than a text.
    is_field(first)
        || first.starts_with(['{', '[', '?', '"', '\''])
        || first.starts_with("- ")
        || lines.any(|line| is_known_field(line, ':'))
}

/// Whether lines of the form `name: value` are front matter, and no text: a title, two known names, or a deciding one.
fn is_front_matter(fields: &Map<String, Value>) -> bool {
    let known = fields.keys().filter(|name| is_one_of(&NAMES, name)).count();
    known >= 2
        || fields.contains_key("title")
        || fields.keys().any(|name| is_one_of(&DECIDING, name))
}

fn check_size(bytes: usize) -> Result<(), Fault> {
    if bytes > MAX_BYTES {
        return Err(fault(format!(
            "the front matter is larger than {MAX_BYTES} bytes; shorten it"
        )));
    }
    Ok(())
}

/// Refuses lists and tables that nest too deep, before a reader of YAML or TOML sees them.
fn check_depth(block: &str) -> Result<(), Fault> {
    let mut depth = 0_usize;
    for line in block.lines() {
        let nested =
            line.split_whitespace().take_while(|word| matches!(*word, "-" | "?" | ":")).count();
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        let indent = line.len() - line.trim_start().len();
        if depth > MAX_DEPTH || nested > MAX_DEPTH || indent > MAX_DEPTH * 16 {
            return Err(fault(format!(
                "the front matter nests deeper than {MAX_DEPTH} lists or tables"
            )));
        }
    }
    Ok(())
}

/// `% Title`, `% Author; Author`, `% Date` of Pandoc, a line each.
fn pandoc(head: &str) -> (Map<String, Value>, &str) {
    let (mut fields, mut at) = (Map::new(), 0);
    for (name, line) in ["title", "author", "date"].iter().zip(head.split_inclusive('\n')) {
        let Some(value) = line.strip_prefix('%').map(str::trim) else { break };
        if !value.is_empty() {
            fields.insert((*name).to_owned(), Value::from(value.replace("; ", ", ")));
        }
        at += line.len();
    }
    (fields, &head[at..])
}

/// `#+title: …` of Org, a line each.
fn org(head: &str) -> (Map<String, Value>, &str) {
    let (mut fields, mut at) = (Map::new(), 0);
    for line in head.split_inclusive('\n') {
        let Some((name, value)) = line.strip_prefix("#+").and_then(|rest| rest.split_once(':'))
        else {
            break;
        };
        fields.insert(name.trim().to_ascii_lowercase(), Value::from(value.trim()));
        at += line.len();
    }
    (fields, &head[at..])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Yaml,
    Toml,
    /// Fields of a JSON object, without its braces.
    JsonFields,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Yaml => "YAML",
            Self::Toml => "TOML",
            Self::JsonFields => "JSON",
        }
    }

    /// The fields; where they cannot be read, the line within `text`, the first being 1, and the problem.
    fn fields(self, text: &str) -> Result<Map<String, Value>, (Option<usize>, String)> {
        let value = match self {
            Self::Yaml => serde_norway::from_str::<Option<Untagged>>(text)
                .map(|value| value.map_or(Value::Null, |Untagged(value)| value))
                .map_err(|error| {
                    let message = error.to_string();
                    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
                    (error.location().map(|place| place.line()), message)
                })?,
            Self::Toml => toml::from_str::<toml::Table>(text)
                .map(|table| of_toml(toml::Value::Table(table)))
                .map_err(|error| {
                    let line =
                        error.span().map(|span| text[..span.start].matches('\n').count() + 1);
                    (line, error.message().to_owned())
                })?,
            Self::JsonFields => {
                let object = format!("{{{}}}", text.trim().trim_end_matches(','));
                serde_json::from_str(&object)
                    .map_err(|error| (Some(error.line()), error.to_string()))?
            }
        };
        match value {
            Value::Object(fields) => Ok(fields),
            Value::Null => Ok(Map::new()),
            _ => Err((None, "it has no fields; write `title: …`".to_owned())),
        }
    }
}

/// Dates of TOML as text.
fn of_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(claim) => Value::Bool(claim),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(list) => Value::Array(list.into_iter().map(of_toml).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, of_toml(value))).collect())
        }
    }
}

/// A value of YAML without its tags (`! 'text'`, `!ruby/array`). Of two fields of one name, the last counts, as in Jekyll.
struct Untagged(Value);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UntaggedVisitor).map(Self)
    }
}

struct UntaggedVisitor;

impl<'de> Visitor<'de> for UntaggedVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of YAML")
    }

    fn visit_bool<E>(self, claim: bool) -> Result<Value, E> {
        Ok(Value::from(claim))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Untagged(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((Untagged(name), Untagged(value))) = map.next_entry()? {
            let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Value, A::Error> {
        let (_, content) = tagged.variant::<String>()?;
        content.newtype_variant::<Untagged>().map(|Untagged(value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_found_in_the_forms_of_each_system() {
        let marks = "\u{feff}\n \n<!-- lint -->\n<!-- two\nlines -->\n";
        for (text, title) in [
            ("---\ntitle: A\n---\nBody\n", "A"),
            ("---\r\ntitle: A\r\n---\r\nBody\n", "A"),
            (" ---\ntitle: A\n---\nBody\n", "A"),
            ("------\ntitle: A\n------\nBody\n", "A"),
            ("---\ntitle: A\n...\nBody\n", "A"),
            ("+++\ntitle = \"A\"\n+++\nBody\n", "A"),
            ("++++++\ntitle = \"A\"\n++++++\nBody\n", "A"),
            ("{\"title\": \"A\"}\nBody\n", "A"),
            ("{\"title\": \"A\"}\n;;;\nBody\n", "A"),
            ("\"title\": \"A\",\n\"date\": \"2020-01-01\"\n;;;\n\nBody\n", "A"),
            (";;;\n\"title\": \"A\"\n;;;\nBody\n", "A"),
            ("title: A\ndate: 2020-01-01\ntags:\n- b\n---\nBody\n", "A"),
            ("title: A\n\n---\nBody\n", "A"),
            ("title = \"A\"\n+++\nBody\n", "A"),
            ("Title: A\nDate: 2020-01-01\nSummary: long\n    and longer\n\nBody\n", "A"),
            ("% A\n% Lin; Bo\n% 2020-01-01\n\nBody\n", "A"),
            ("#+title: A\n#+date: 2020-01-01\n\nBody\n", "A"),
        ] {
            for text in [text.to_owned(), format!("{marks}{text}")] {
                let (fields, body) = split(&text).unwrap();
                assert_eq!(fields["title"], title, "{text:?}");
                assert_eq!(body.trim(), "Body", "{text:?}");
            }
        }
    }

    #[test]
    fn a_text_that_begins_with_a_rule_or_a_colon_stays_text() {
        for text in [
            "---\n\nA paragraph.\n\n---\n\nAnother.\n",
            "---\nA paragraph.\n",
            "***\nA\n",
            "Note: read this first.\n\nBody\n",
            "Warning: wet paint\n---\nText\n",
            "See https://example.com/: a page\n",
            "{{< figure src=\"a.jpg\" >}}\n",
            "{% include a %}\n",
            "<!--more-->\nText",
            "%not a title\n",
            "#+ no key\n",
            "",
        ] {
            let (fields, body) = split(text).unwrap();
            assert!(fields.is_empty(), "{text:?}: {fields:?}");
            assert_eq!(body, text);
        }
    }

    #[test]
    fn front_matter_that_cannot_be_read_is_refused_with_its_line() {
        let nested = format!("---\na: {}\n---\n", "[".repeat(100_000));
        let listed = format!("---\n{}a\n---\n", "- ".repeat(100_000));
        for (text, part) in [
            ("---\ntitle: x\n", "no end"),
            ("\n---\na: 1\ntitle: [x\n---\n", "not YAML (line "),
            ("+++\na = 1\ntitle\n+++\n", "not TOML (line 3)"),
            ("+++\ntitle = 1\n", "no end"),
            ("---\n- a\n---\n", "no fields"),
            ("{\"title\": }\n", "not JSON"),
            ("\"title\": \"a\"\nBody\n", "no end"),
            (nested.as_str(), "nests deeper"),
            (listed.as_str(), "nests deeper"),
        ] {
            let fault = split(text).unwrap_err();
            assert!(fault.problem.contains(part), "{:.40}: {}", text, fault.problem);
        }
    }

    #[test]
    fn tags_of_yaml_are_left_out() {
        let text =
            "---\ntitle: ! 'A: b'\nlist: !ruby/array [a, !!str 2013]\ntitle2: !!binary SGk=\n---\n";
        let (fields, _) = split(text).unwrap();
        assert_eq!(fields["title"], "A: b");
        assert_eq!(fields["list"], serde_json::json!(["a", "2013"]));
        let (fields, _) = split("---\ntitle: a\ntitle: b\n1: x\n---\n").unwrap();
        assert_eq!((&fields["title"], &fields["1"]), (&Value::from("b"), &Value::from("x")));
    }
}
