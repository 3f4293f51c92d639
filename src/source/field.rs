//! From the columns of a row to the JSON of a record.
//!
//! Types only: what databases have as numbers, separated texts or JSON becomes what a record has. Whether it makes sense is
//! for `import` to say, as for every record.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use crate::{
    import::{wordpress_excerpt, wordpress_html},
    text::Text,
};

/// What a column may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field(&'static str);

/// The fields that columns may be, by name.
pub const FIELDS: [&str; 44] = [
    "id",
    "guid",
    "url",
    "external_url",
    "mobile_url",
    "title",
    "title_html",
    "summary",
    "summary_html",
    "summary_wordpress",
    "content_html",
    "content_text",
    "content_wordpress",
    "date_published",
    "date_modified",
    "author",
    "author_url",
    "author_email",
    "authors",
    "editors",
    "tags",
    "categories",
    "language",
    "rights",
    "source",
    "source_url",
    "source_feed_url",
    "source_title",
    "source_author",
    "image",
    "image_caption",
    "image_credit",
    "image_alt",
    "images",
    "file",
    "file_type",
    "file_bytes",
    "file_seconds",
    "file_title",
    "attachments",
    "episode",
    "clearance",
    "embargo",
    "expires",
];

impl Field {
    /// The key of an article.
    pub const ID: Self = Self("id");
    /// Its address.
    pub const URL: Self = Self("url");

    /// `None` for a name that no field has.
    pub fn find(name: &str) -> Option<Self> {
        FIELDS.iter().find(|field| **field == name).map(|field| Self(field))
    }

    /// As in `feeds.toml`.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// What rows of other tables may add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Texts.
    Categories,
    /// Texts.
    Tags,
    /// `name`, `url`, `email`.
    Authors,
    /// As the `images` of a record.
    Images,
    /// As the `attachments` of a record.
    Files,
}

impl List {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Categories, Self::Tags, Self::Authors, Self::Images, Self::Files];

    /// Its key in `feeds.toml`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Categories => "categories_query",
            Self::Tags => "tags_query",
            Self::Authors => "authors_query",
            Self::Images => "images_query",
            Self::Files => "files_query",
        }
    }

    /// The field of a record that it fills.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Categories => "categories",
            Self::Tags => "tags",
            Self::Authors => "authors",
            Self::Images => "images",
            Self::Files => "attachments",
        }
    }

    /// What one row adds: its columns but `id`, which says whose it is.
    pub(super) fn item(self, mut columns: Map<String, Value>) -> Option<Value> {
        columns.retain(|name, value| name != "id" && !is_nothing(value));
        match self {
            Self::Categories | Self::Tags => {
                let name = columns.remove("name");
                let only = name.or_else(|| columns.into_iter().next().map(|(_, value)| value));
                only.map(|value| json!(text(value)))
            }
            Self::Authors | Self::Images | Self::Files => {
                let is_number =
                    |name: &str| ["width", "height"].contains(&name) || name.contains("_in_");
                let typed = columns.into_iter().map(|(name, value)| {
                    let value = if is_number(&name) { number(value) } else { json!(text(value)) };
                    (name, value)
                });
                let fields: Map<_, _> = typed.collect();
                (!fields.is_empty()).then_some(Value::Object(fields))
            }
        }
    }
}

/// Columns whose HTML is taken otherwise than as it is: column, field of a record, what is made of it.
const TRANSFORMS: [(&str, &str, Transform); 4] = [
    ("title_html", "title", plain),
    ("summary_html", "summary", plain),
    ("summary_wordpress", "summary", wordpress_excerpt),
    ("content_wordpress", "content_html", wordpress_html),
];
type Transform = fn(&str) -> String;

fn plain(html: &str) -> String {
    Text::from_markup(html).as_str().to_owned()
}

/// The record that columns make, with what other tables add. Columns that are no fields are left out.
pub(super) fn record(
    mut columns: Map<String, Value>,
    lists: BTreeMap<List, Vec<Value>>,
    separator: Option<&str>,
) -> Map<String, Value> {
    columns.retain(|name, value| !name.starts_with('_') && !is_nothing(value));
    let mut record = Map::new();
    let mut take = |name: &str| columns.remove(name);
    for name in [
        "guid",
        "url",
        "external_url",
        "mobile_url",
        "title",
        "summary",
        "content_html",
        "content_text",
        "language",
        "rights",
        "image",
    ] {
        if let Some(value) = take(name) {
            record.insert(name.to_owned(), json!(text(value)));
        }
    }
    for (column, name, transform) in TRANSFORMS {
        if let Some(value) = take(column) {
            record.insert(name.to_owned(), json!(transform(&text(value))));
        }
    }
    for name in ["date_published", "date_modified", "embargo", "expires"] {
        if let Some(value) = take(name) {
            record.insert(name.to_owned(), json!(date(value)));
        }
    }
    for name in ["attachments", "episode", "clearance"] {
        if let Some(value) = take(name) {
            record.insert(name.to_owned(), parsed(value));
        }
    }
    for name in ["tags", "categories"] {
        if let Some(value) = take(name) {
            let texts = separated(value, separator).into_iter().map(|value| json!(text(value)));
            record.insert(name.to_owned(), texts.collect());
        }
    }
    for name in ["authors", "editors"] {
        if let Some(value) = take(name) {
            let people = separated(value, separator).into_iter().map(|value| named("name", value));
            record.insert(name.to_owned(), people.collect());
        }
    }
    let mut group = |fields: &[(&str, &str)]| {
        let found = fields.iter().filter_map(|(name, field)| {
            let value = take(name)?;
            let is_number = field.contains("_in_");
            Some(((*field).to_owned(), if is_number { number(value) } else { json!(text(value)) }))
        });
        let found: Map<_, _> = found.collect();
        (!found.is_empty()).then_some(Value::Object(found))
    };
    let author = group(&[("author", "name"), ("author_url", "url"), ("author_email", "email")]);
    let source = group(&[
        ("source", "name"),
        ("source_url", "url"),
        ("source_feed_url", "feed_url"),
        ("source_title", "title"),
        ("source_author", "author"),
    ]);
    let file = group(&[
        ("file", "url"),
        ("file_type", "mime_type"),
        ("file_bytes", "size_in_bytes"),
        ("file_seconds", "duration_in_seconds"),
        ("file_title", "title"),
    ]);
    let caption =
        group(&[("image_caption", "caption"), ("image_credit", "credit"), ("image_alt", "alt")]);
    if let Some(value) = take("images") {
        let images = separated(value, separator).into_iter().map(|value| named("url", value));
        record.insert("images".to_owned(), images.collect());
    }
    if let (Some(Value::Object(mut picture)), Some(url)) = (caption, record.get("image")) {
        picture.insert("url".to_owned(), url.clone());
        push_front(&mut record, "images", Value::Object(picture));
    }
    if let Some(author) = author {
        push_front(&mut record, "authors", author);
    }
    // An address alone says where a file would be, if there were one.
    if let Some(file) = file.filter(|file| file.get("url").is_some()) {
        push_front(&mut record, "attachments", file);
    }
    if let Some(source) = source.filter(|source| source.get("name").is_some()) {
        record.insert("source".to_owned(), source);
    }
    for (list, items) in lists {
        if let Value::Array(known) = record.entry(list.field()).or_insert_with(|| json!([])) {
            known.extend(items);
        }
    }
    record
}

fn push_front(record: &mut Map<String, Value>, name: &str, item: Value) {
    if let Value::Array(known) = record.entry(name).or_insert_with(|| json!([])) {
        known.insert(0, item);
    }
}

/// Whether a column says nothing.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Any value as text.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A number, which some columns have as text.
fn number(value: Value) -> Value {
    let Value::String(text) = &value else { return value };
    let whole = text.trim().parse::<i64>().map(|number| json!(number));
    whole.or_else(|_| text.trim().parse::<f64>().map(|number| json!(number))).unwrap_or(value)
}

/// JSON, which some databases have as text.
fn parsed(value: Value) -> Value {
    let Value::String(text) = &value else { return value };
    serde_json::from_str(text).unwrap_or(value)
}

/// Somebody or something of which there may be no more than a name or an address.
fn named(field: &str, value: Value) -> Value {
    if value.is_object() { value } else { json!({ field: text(value) }) }
}

/// The values of a column that holds several: an array, JSON of one, or a text with something between them.
fn separated(value: Value, separator: Option<&str>) -> Vec<Value> {
    let text = match value {
        Value::Array(values) => return values,
        Value::String(text) => text,
        other => return vec![other],
    };
    if text.trim_start().starts_with('[')
        && let Ok(Value::Array(values)) = serde_json::from_str(&text)
    {
        return values;
    }
    let parts: Vec<&str> = match separator {
        Some(separator) => text.split(separator).collect(),
        None => text.split([',', '，', '、', ';', '；', '|', '\n']).collect(),
    };
    let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| json!(part)).collect()
}

/// A date as records have it: seconds or milliseconds since 1970, or a text as it is.
fn date(value: Value) -> String {
    /// Seconds beyond the year 5000 are milliseconds of this age.
    const MILLISECONDS: i64 = 100_000_000_000;
    let raw = text(value);
    let trimmed = raw.trim();
    // 14 digits are a date and a time (MediaWiki, old MySQL timestamps), and never milliseconds.
    if trimmed.len() >= 9
        && trimmed.len() != 14
        && let Ok(number) = trimmed.parse::<i64>()
    {
        let seconds = if number >= MILLISECONDS { number / 1_000 } else { number };
        if let Some(time) = DateTime::from_timestamp(seconds, 0) {
            return time.to_rfc3339_opts(SecondsFormat::Secs, true);
        }
    }
    trimmed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(columns: Value, separator: Option<&str>, expected: Value) {
        let (Value::Object(columns), expected) = (columns, expected) else {
            panic!("a row has columns")
        };
        assert_eq!(Value::Object(record(columns, BTreeMap::new(), separator)), expected);
    }

    #[test]
    fn columns_become_what_records_have() {
        check(
            json!({"title": 7, "_hidden": 1, "summary": " ", "url": null, "title_html": "A &amp; <b>B</b>"}),
            None,
            json!({"title": "A & B"}),
        );
        check(
            json!({"tags": "a, b，c、", "categories": "[\"x\", 5]", "authors": "张三 李四、王五"}),
            None,
            json!({"tags": ["a", "b", "c"], "categories": ["x", "5"],
                   "authors": [{"name": "张三 李四"}, {"name": "王五"}]}),
        );
        check(
            json!({"categories": "Arts, Music|City", "editors": [{"name": "Li"}]}),
            Some("|"),
            json!({"categories": ["Arts, Music", "City"], "editors": [{"name": "Li"}]}),
        );
        check(
            json!({"author": "Li", "author_email": "li@example.com", "source": "Wire", "source_title": "T"}),
            None,
            json!({"authors": [{"name": "Li", "email": "li@example.com"}],
                   "source": {"name": "Wire", "title": "T"}}),
        );
        check(
            json!({"image": "a.jpg", "image_caption": "C", "images": "b.jpg|c.jpg",
                   "file": "a.mp3", "file_bytes": "12", "file_seconds": 1.5}),
            None,
            json!({"image": "a.jpg",
                   "images": [{"caption": "C", "url": "a.jpg"}, {"url": "b.jpg"}, {"url": "c.jpg"}],
                   "attachments": [{"url": "a.mp3", "size_in_bytes": 12, "duration_in_seconds": 1.5}]}),
        );
        // Columns about nothing.
        check(
            json!({"file_bytes": 0, "source_url": "https://a.example/", "image_alt": "x"}),
            None,
            json!({}),
        );
        check(
            json!({"clearance": "{\"public\": false}"}),
            None,
            json!({"clearance": {"public": false}}),
        );
    }

    #[test]
    fn dates_are_numbers_or_texts() {
        for (given, expected) in [
            (json!(1_772_670_600), "2026-03-05T00:30:00Z"),
            (json!("1772670600"), "2026-03-05T00:30:00Z"),
            (json!(1_772_670_600_123_i64), "2026-03-05T00:30:00Z"),
            (json!("2026-03-05 08:30:15.123456"), "2026-03-05 08:30:15.123456"),
            (json!("20260305083000"), "20260305083000"),
            (json!(20_260_305_083_000_i64), "20260305083000"),
            (json!("2026/03/05 08:30"), "2026/03/05 08:30"),
            (json!("20260305"), "20260305"),
            (json!("2026-03-05"), "2026-03-05"),
        ] {
            assert_eq!(date(given), expected);
        }
    }

    #[test]
    fn other_tables_add_texts_and_objects() {
        let Value::Object(row) = json!({"id": 1, "url": "a.jpg", "width": "640", "alt": ""}) else {
            panic!("a row has columns")
        };
        assert_eq!(List::Images.item(row), Some(json!({"url": "a.jpg", "width": 640})));
        let Value::Object(row) = json!({"id": 1, "name": "news"}) else {
            panic!("a row has columns")
        };
        assert_eq!(List::Categories.item(row), Some(json!("news")));
    }
}
