//! Whether an article is meant for the public: the fields of other systems that decide it, and the values they may have.
//!
//! Fails closed: a value that is not in these lists is [`Visibility::Unknown`], and an article with an unknown value is refused by name.
//! `docs/import.md` has the same lists as a table, which a test compares with this code.

use serde_json::Value;

/// What a deciding field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// It does not keep the article from the public.
    Public,
    /// It keeps the article from the public.
    NotPublic,
    /// Nothing is known of this value.
    Unknown,
}

impl Visibility {
    fn public_if(claim: Option<bool>) -> Self {
        match claim {
            Some(true) => Self::Public,
            Some(false) => Self::NotPublic,
            None => Self::Unknown,
        }
    }
}

/// Values of `status` that say how far a text is, not who may read it: those of digital gardens, decision records and
/// editorial tools.
const UNDECIDED_STATUSES: [&str; 40] = [
    "abandoned",
    "accepted",
    "active",
    "archived",
    "budding",
    "complete",
    "completed",
    "current",
    "deprecated",
    "done",
    "evergreen",
    "featured",
    "final",
    "finished",
    "growing",
    "links",
    "maintained",
    "new",
    "notes",
    "obsolete",
    "ongoing",
    "open",
    "proposed",
    "rejected",
    "reviewed",
    "seed",
    "seedling",
    "sprout",
    "stable",
    "stub",
    "superseded",
    "tree",
    "updated",
    "verified",
    "closed",
    "resolved",
    "approved",
    "mature",
    "perennial",
    "fruiting",
];

/// A truth value as YAML 1.1, TOML, JSON, Go (`cast.ToBool`) and Ruby read it; `None` for any other value.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(claim) => Some(*claim),
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "t" | "1" => Some(true),
            "false" | "no" | "off" | "n" | "f" | "0" => Some(false),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(|text| text.trim().to_ascii_lowercase())
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// `draft`, `private`, `hidden`, `unlisted` and `headless`: true keeps the article from the public; empty is false.
pub fn withheld(value: &Value) -> Visibility {
    if is_empty(value) {
        Visibility::Public
    } else {
        Visibility::public_if(truth(value).map(|claim| !claim))
    }
}

/// `published` of Jekyll and Hexo: false keeps the article from the public; empty is true. `is_date` tells whether a text is
/// a date, which says when the article was published.
pub fn published(value: &Value, is_date: impl Fn(&str) -> bool) -> Visibility {
    let claim = truth(value);
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    if is_empty(value) || (claim.is_none() && is_date(&text)) {
        return Visibility::Public;
    }
    Visibility::public_if(claim)
}

/// `status` of Pelican and others. Empty is public.
pub fn status(value: &Value) -> Visibility {
    if is_empty(value) {
        return Visibility::Public;
    }
    match word(value).as_deref() {
        Some("published" | "publish" | "public" | "live" | "future" | "scheduled") => {
            Visibility::Public
        }
        Some(
            "draft" | "drafts" | "hidden" | "private" | "pending" | "unlisted" | "unpublished"
            | "trash" | "deleted" | "internal" | "protected" | "review" | "in review" | "in-review"
            | "skip",
        ) => Visibility::NotPublic,
        Some(text) if UNDECIDED_STATUSES.contains(&text) => Visibility::Public,
        _ => Visibility::Unknown,
    }
}

/// `visibility` of Micropub, Ghost and others. Empty is public.
pub fn visibility(value: &Value) -> Visibility {
    if is_empty(value) {
        return Visibility::Public;
    }
    match word(value).as_deref() {
        Some("public") => Visibility::Public,
        Some(
            "private" | "hidden" | "unlisted" | "protected" | "draft" | "internal" | "members"
            | "paid" | "tiers" | "followers" | "password" | "contacts" | "none",
        ) => Visibility::NotPublic,
        _ => Visibility::Unknown,
    }
}

/// `build.list` and `build.render` of Hugo: only `always` puts a page into the feeds of its site. Empty is `always`.
pub fn build(value: &Value) -> Visibility {
    if is_empty(value) {
        return Visibility::Public;
    }
    match word(value).as_deref() {
        Some("always") => Visibility::Public,
        Some("never" | "local" | "link") => Visibility::NotPublic,
        _ => Visibility::public_if(truth(value)),
    }
}

/// The text of `app:draft` of `AtomPub` (RFC 5023 section 13.1.1), in the old namespace and the new one.
pub fn app_draft(text: &str) -> Visibility {
    Visibility::public_if(truth(&Value::from(text)).map(|claim| !claim))
}

/// `post-status` of Micropub. Empty is `published`.
pub fn post_status(text: &str) -> Visibility {
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "published" | "publish" => Visibility::Public,
        "draft" | "private" | "pending" | "trash" => Visibility::NotPublic,
        _ => Visibility::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The field of a row of the table in `docs/import.md`, for a value of it.
    fn decide(field: &str, value: &str) -> Visibility {
        let value = match value {
            "empty" => Value::Null,
            number if number.parse::<i64>().is_ok() => Value::from(number.parse::<i64>().unwrap()),
            text => Value::from(text),
        };
        let text =
            value.as_str().map_or_else(|| value.to_string().replace("null", ""), str::to_owned);
        match field {
            "draft" | "private" | "hidden" | "headless" | "unlisted" => withheld(&value),
            "published" => published(&value, |text| text.starts_with("20")),
            "status" => status(&value),
            "visibility" => visibility(&value),
            "build.list" | "build.render" => build(&value),
            "app:draft" => app_draft(&text),
            "post-status" => post_status(&text),
            other => panic!("`{other}` is no deciding field"),
        }
    }

    #[test]
    fn the_table_of_the_docs_is_what_the_code_does() {
        let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/import.md"))
            .unwrap();
        let table = docs.split("### What decides whether an article is public").nth(1).unwrap();
        let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        let quoted = |cell: &str| -> Vec<String> {
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let mut values = 0;
        for row in rows.iter().take_while(|row| row.contains('`')) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
            for field in quoted(cells[1]) {
                for (cell, expected) in
                    [(cells[2], Visibility::Public), (cells[3], Visibility::NotPublic)]
                {
                    for value in quoted(cell) {
                        values += 1;
                        assert_eq!(decide(&field, &value), expected, "{field}: {value}");
                    }
                }
                assert_eq!(decide(&field, "vielleicht"), Visibility::Unknown, "{field}");
            }
        }
        assert!(values > 100, "{values}");
        for status in UNDECIDED_STATUSES {
            assert!(
                docs.contains(&format!("`{status}`")),
                "docs/import.md does not list `{status}`"
            );
        }
    }

    #[test]
    fn a_list_is_no_value_of_a_deciding_field() {
        for value in
            [serde_json::json!([]), serde_json::json!(["draft"]), serde_json::json!({"a": 1})]
        {
            for decide in [withheld, status, visibility, build] {
                assert_eq!(decide(&value), Visibility::Unknown, "{value}");
            }
        }
    }
}
