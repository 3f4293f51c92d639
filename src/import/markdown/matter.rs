//! The fields of front matter, in the words of Hugo, Jekyll, Zola, Hexo and Pelican.

use serde_json::{Map, Value};

use super::Page;
use crate::import::{
    convert::Fault,
    date,
    record::{ImageRecord, Key, PersonRecord, Record},
    visibility::{self, Visibility, truth},
};

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

    /// A list, or a text with commas or, as Jekyll has it, blanks. A list in a list, as Hexo has it, is part of the list.
    fn list(&self, names: &[&str], parts: &[char]) -> Vec<String> {
        match self.find(names) {
            Some(Value::Array(list)) => {
                let inner = |value: &'a Value| match value {
                    Value::Array(list) => list.iter().collect(),
                    value => vec![value],
                };
                list.iter().flat_map(inner).filter_map(word).collect()
            }
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
            // `authors` of Hugo may be a table of people by their keys.
            Some(Value::Object(people)) if people.values().all(Value::is_object) => {
                people.values().filter_map(person).collect()
            }
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

/// The same of a title or a tag, for which YAML may have a truth value.
fn word(value: &Value) -> Option<String> {
    value.as_bool().map(|claim| claim.to_string()).or_else(|| text(value))
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

type Decide = fn(&Value) -> Visibility;

/// Fields that decide whether the article is public, and what reads their values.
const DECIDING: [(&[&str], Decide); 6] = [
    (&["draft"], visibility::withheld),
    (&["private"], visibility::withheld),
    (&["hidden"], visibility::withheld),
    (&["status"], visibility::status),
    (&["visibility"], visibility::visibility),
    (
        &["build.list", "_build.list", "build.render", "_build.render", "cascade.build.list"],
        visibility::build,
    ),
];
/// Fields of themes that keep an article from the public where they are true, and mean nothing otherwise.
const WITHHOLDING: [&str; 5] =
    ["headless", "unlisted", "eleventyExcludeFromCollections", "exclude_from_feed", "isDraft"];
/// Fields of themes that keep an article from the public where they are false, and mean nothing otherwise.
const RELEASING: [&str; 3] = ["public", "visible", "listed"];

/// Whether the article is not meant for the public; an unknown value of a deciding field is a fault.
fn is_withheld(fields: &Fields<'_>) -> Result<bool, Fault> {
    let mut is_withheld = false;
    let mut decide = |name: &str, value: &Value, visibility: Visibility| match visibility {
        Visibility::Public => Ok(()),
        Visibility::NotPublic => {
            is_withheld = true;
            Ok(())
        }
        Visibility::Unknown => Err(Fault {
            field: name.to_owned(),
            problem: format!(
                "`{value}` does not say whether the article is public; write one of the values that docs/import.md lists"
            ),
        }),
    };
    for (names, visibility) in DECIDING {
        for name in names {
            if let Some(value) = fields.find(&[name]) {
                decide(name, value, visibility(value))?;
            }
        }
    }
    if let Some(value) = fields.find(&["published"]) {
        decide("published", value, visibility::published(value, is_date))?;
    }
    let is = |name: &&str, claim: bool| fields.find(&[name]).and_then(truth) == Some(claim);
    let by_theme = WITHHOLDING.iter().any(|name| is(name, true))
        || RELEASING.iter().any(|name| is(name, false));
    // A post of Hexo with a password is encrypted.
    Ok(is_withheld || by_theme || fields.text(&["password"]).is_some())
}

fn is_date(text: &str) -> bool {
    date::read(text, chrono_tz::UTC).is_some()
}

/// What the fields say; the name of the file and the body are not in it.
pub(super) fn page(fields: &Map<String, Value>) -> Result<Page, Fault> {
    let fields = Fields(fields);
    let date = |names: &[&str]| fields.text(names);
    let mut categories = fields.list(&["categories", "taxonomies.categories"], &[',', ' ']);
    categories.extend(fields.list(&["category"], &[',']));
    let is_draft = is_withheld(&fields)?;
    let published_on = fields.text(&["published"]).filter(|text| is_date(text));
    let record = Record {
        id: fields.text(&["id"]).map(Key::Text),
        guid: fields.text(&["guid"]),
        url: fields.text(&["url", "permalink", "path"]),
        external_url: fields.text(&["external_url", "externalurl", "link"]),
        title: fields.find(&["title"]).and_then(word),
        summary: fields.text(&["summary", "description", "excerpt"]),
        date_published: date(&["date"]).or(published_on).or_else(|| {
            date(&[
                "pubDate",
                "publishDate",
                "date_published",
                "datePublished",
                "published_at",
                "publishedAt",
                "publish_date",
                "created",
                "created_at",
                "createdAt",
            ])
        }),
        date_modified: date(&["lastmod", "updated", "last_modified_at", "modified", "updatedDate"]),
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
    Ok(Page {
        record,
        slug: fields.text(&["slug"]).unwrap_or_default(),
        is_draft,
        aliases: fields.list(&["aliases", "redirect_from"], &[]),
        excerpt_separator: fields.text(&["excerpt_separator"]),
    })
}
