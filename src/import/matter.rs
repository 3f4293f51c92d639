//! Front matter: what a Markdown file says of its article, in the words of Hugo, Jekyll and Zola.

use serde_json::{Map, Value};

use crate::import::{
    convert::Fault,
    markdown::Page,
    record::{ImageRecord, Key, PersonRecord, Record},
};

/// Largest front matter, in bytes.
const MAX_BYTES: usize = 256 << 10;

/// The fields of a file.
#[derive(Debug, Default)]
pub(super) struct Matter {
    pub fields: Map<String, Value>,
}

/// Parts a file into its front matter, which may be missing, and its body.
pub(super) fn split(text: &str) -> Result<(Matter, &str), Fault> {
    let (kind, rest) = match text.split_once('\n') {
        Some((first, rest)) if first.trim_end() == "---" => (Kind::Yaml, rest),
        Some((first, rest)) if first.trim_end() == "+++" => (Kind::Toml, rest),
        _ if text.starts_with('{') && !text.starts_with("{{") && !text.starts_with("{%") => {
            return json(text);
        }
        _ => return Ok((Matter::default(), text)),
    };
    let fence = if kind == Kind::Yaml { "---" } else { "+++" };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        let is_end = line.trim_end() == fence || (kind == Kind::Yaml && line.trim_end() == "...");
        if is_end {
            let fields = kind.fields(limited(&rest[..at])?)?;
            return Ok((Matter { fields }, &rest[at + line.len()..]));
        }
        at += line.len();
    }
    Err(fault(&format!(
        "the front matter has no end; write `{fence}` on a line of its own after it"
    )))
}

fn fault(problem: &str) -> Fault {
    Fault { field: String::new(), problem: problem.to_owned() }
}

fn limited(text: &str) -> Result<&str, Fault> {
    if text.len() > MAX_BYTES {
        return Err(fault(&format!("the front matter is larger than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

fn json(text: &str) -> Result<(Matter, &str), Fault> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Map<String, Value>>();
    match values.next() {
        Some(Ok(fields)) => Ok((Matter { fields }, &text[values.byte_offset()..])),
        Some(Err(error)) => Err(fault(&format!("the front matter is not JSON: {error}"))),
        None => Ok((Matter::default(), text)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Yaml,
    Toml,
}

impl Kind {
    fn fields(self, text: &str) -> Result<Map<String, Value>, Fault> {
        let value = match self {
            Self::Yaml => serde_norway::from_str::<Option<Value>>(text)
                .map(Option::unwrap_or_default)
                .map_err(|error| fault(&format!("the front matter is not YAML: {error}")))?,
            Self::Toml => toml::from_str::<toml::Table>(text)
                .map(|table| of_toml(toml::Value::Table(table)))
                .map_err(|error| {
                    fault(&format!("the front matter is not TOML: {}", error.message()))
                })?,
        };
        match value {
            Value::Object(fields) => Ok(fields),
            Value::Null => Ok(Map::new()),
            _ => Err(fault("the front matter has no fields; write `title: …`")),
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

/// Looks fields up by their names in any case, at the top and in the tables of Zola and Hugo.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn find(&self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| {
            if let Some((table, name)) = name.split_once('.') {
                return Fields(self.find(&[table])?.as_object()?).find(&[name]);
            }
            let same = |(key, _): &(&'a String, &'a Value)| key.eq_ignore_ascii_case(name);
            self.0.iter().find(same).map(|(_, value)| value).filter(|value| !value.is_null())
        })
    }

    fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| text(self.find(&[name])?))
    }

    fn flag(&self, names: &[&str]) -> Option<bool> {
        self.find(names)?.as_bool()
    }

    /// A list, or a text with commas or, as Jekyll has it, blanks.
    fn list(&self, names: &[&str], parts: &[char]) -> Vec<String> {
        match self.find(names) {
            Some(Value::Array(list)) => list.iter().filter_map(text).collect(),
            Some(value) => {
                let whole = text(value).unwrap_or_default();
                let words = whole.split(parts).map(str::trim).filter(|word| !word.is_empty());
                words.map(str::to_owned).collect()
            }
            None => Vec::new(),
        }
    }

    fn people(&self) -> Vec<PersonRecord> {
        let named = |name: String| PersonRecord { name: Some(name), ..PersonRecord::default() };
        let person = |value: &Value| match value {
            Value::Object(fields) => {
                let fields = Fields(fields);
                Some(PersonRecord {
                    name: Some(fields.text(&["name"])?),
                    url: fields.text(&["url", "link"]),
                    email: fields.text(&["email"]),
                })
            }
            value => text(value).map(named),
        };
        match self.find(&[
            "authors",
            "author",
            "taxonomies.authors",
            "extra.author",
            "params.author",
        ]) {
            Some(Value::Array(list)) => list.iter().filter_map(person).collect(),
            Some(value) => person(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    fn images(&self) -> Vec<ImageRecord> {
        let names = [
            "image",
            "cover",
            "featured_image",
            "images",
            "thumbnail",
            "extra.image",
            "params.image",
        ];
        let image = |value: &Value| {
            let record = match value {
                Value::Object(fields) => {
                    let fields = Fields(fields);
                    ImageRecord {
                        url: fields.text(&["url", "image", "src", "path"]),
                        caption: fields.text(&["caption", "title"]),
                        credit: fields.text(&["credit"]),
                        alt: fields.text(&["alt"]),
                        ..ImageRecord::default()
                    }
                }
                value => ImageRecord { url: text(value), ..ImageRecord::default() },
            };
            record.url.is_some().then_some(record)
        };
        match self.find(&names) {
            Some(Value::Array(list)) => list.iter().filter_map(image).collect(),
            Some(value) => image(value).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// What the fields say; the name of the file and the body are not in it.
pub(super) fn page(fields: &Map<String, Value>) -> Page {
    let fields = Fields(fields);
    let date = |names: &[&str]| fields.text(names).map(|raw| whole_date(&raw));
    let mut categories = fields.list(&["categories", "taxonomies.categories"], &[',', ' ']);
    categories.extend(fields.list(&["category"], &[',']));
    let record = Record {
        id: fields.text(&["id"]).map(Key::Text),
        guid: fields.text(&["guid"]),
        url: fields.text(&["url", "permalink", "path"]),
        external_url: fields.text(&["external_url", "externalurl", "link"]),
        title: fields.text(&["title"]),
        summary: fields.text(&["summary", "description", "excerpt"]),
        date_published: date(&["date", "publishdate"]),
        date_modified: date(&["lastmod", "updated", "last_modified_at", "modified"]),
        // Hugo builds no page before its `publishDate`.
        embargo: date(&["publishdate"]),
        expires: date(&["expirydate"]),
        authors: some(fields.people()),
        tags: some(fields.list(&["tags", "taxonomies.tags", "keywords"], &[',', ' '])),
        categories: some(categories),
        language: fields.text(&["language", "lang"]),
        rights: fields.text(&["rights", "copyright"]),
        images: some(fields.images()),
        ..Record::default()
    };
    Page {
        record,
        slug: fields.text(&["slug"]).unwrap_or_default(),
        is_draft: fields.flag(&["draft"]) == Some(true)
            || fields.flag(&["published"]) == Some(false),
        aliases: fields.list(&["aliases", "redirect_from"], &[]),
    }
}

/// `2026-03-05 08:30:00 +0800`, as Jekyll and Ruby write it, in the form of RFC 3339; others as they are.
fn whole_date(raw: &str) -> String {
    let forms = ["%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M %z", "%Y-%m-%dT%H:%M:%S%z"];
    let time = forms.iter().find_map(|form| chrono::DateTime::parse_from_str(raw, form).ok());
    time.map_or_else(|| raw.to_owned(), |time| time.to_rfc3339())
}
