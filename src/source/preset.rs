//! Ready-made mappings of content systems, as data: a preset is a file of this folder.

use std::{collections::BTreeMap, sync::LazyLock};

use chrono_tz::Tz;
use serde::Deserialize;

use crate::source::{
    field::{Field, List},
    spec::{Link, Rows},
};

/// How one content system keeps its articles.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// As in `feeds.toml`.
    pub name: String,
    /// For people.
    pub title: String,
    /// What its naive times are in; none: as the source says.
    #[serde(default)]
    pub time_zone: Option<Tz>,
    /// What tables are called before their names, unless the source says otherwise.
    #[serde(default)]
    pub prefix: String,
    /// The types of articles that are taken, unless the source says otherwise.
    #[serde(default)]
    pub types: Vec<String>,
    /// Whether addresses are made from the site's.
    #[serde(default)]
    pub needs_home: bool,
    /// One table alone, whose columns a source may map otherwise.
    #[serde(default)]
    table: Option<String>,
    /// What stands behind `FROM`, when there is more than one table.
    #[serde(default)]
    from: Option<String>,
    /// Which rows.
    #[serde(default)]
    filter: Option<String>,
    key: String,
    cursor: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    published: Vec<String>,
    columns: BTreeMap<String, String>,
    #[serde(default)]
    lists: BTreeMap<String, String>,
    #[serde(default)]
    link: LinkData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkData {
    template: Option<String>,
    plain: Option<String>,
    settings: Option<String>,
    #[serde(default)]
    words: BTreeMap<String, String>,
}

/// What a preset makes of what a source says.
#[derive(Debug)]
pub struct Filled {
    /// Which rows.
    pub rows: Rows,
    /// A condition.
    pub filter: Option<String>,
    /// What tells rows apart.
    pub key: String,
    /// What moves when a row changes.
    pub cursor: String,
    /// What says whether a row is published.
    pub status: Option<String>,
    /// The values that mean yes.
    pub published: Vec<String>,
    /// What other tables add.
    pub lists: BTreeMap<List, String>,
    /// Addresses of articles.
    pub link: Link,
}

impl Preset {
    /// Every one.
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Preset>> = LazyLock::new(|| {
            let files = [
                include_str!("preset/wordpress.toml"),
                include_str!("preset/ghost.toml"),
                include_str!("preset/drupal.toml"),
                include_str!("preset/cms-zh.toml"),
            ];
            let read = |file: &str| toml::from_str(file).expect("a test reads every preset");
            files.into_iter().map(read).collect()
        });
        &ALL
    }

    /// The one of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|preset| preset.name == name)
    }

    /// Whether a source may map its columns otherwise.
    pub fn is_plain(&self) -> bool {
        self.table.is_some()
    }

    /// With the prefix of tables, the site's address and the types of articles put in.
    pub fn fill(&self, prefix: &str, home: &str, types: &[String]) -> Filled {
        let quote = |text: &str| text.replace('\'', "''");
        let listed: Vec<_> = types.iter().map(|name| format!("'{}'", quote(name))).collect();
        let home = quote(home.trim_end_matches('/'));
        let put = |sql: &String| {
            sql.replace("{prefix}", prefix)
                .replace("{types}", &listed.join(", "))
                .replace("{home}", &home)
        };
        let columns = self.columns.iter().map(|(name, sql)| (name.clone(), put(sql)));
        let rows = match (&self.table, &self.from) {
            (Some(table), _) => {
                let known =
                    columns.filter_map(|(name, column)| Some((Field::find(&name)?, column)));
                Rows::Table { table: put(table), columns: known.collect() }
            }
            (None, from) => Rows::From {
                from: from.as_ref().map(put).unwrap_or_default(),
                columns: columns.collect(),
            },
        };
        let LinkData { template, plain, settings, words } = &self.link;
        Filled {
            rows,
            filter: self.filter.as_ref().map(put),
            key: put(&self.key),
            cursor: put(&self.cursor),
            status: self.status.as_ref().map(put),
            published: self.published.clone(),
            lists: List::ALL
                .into_iter()
                .filter_map(|list| Some((list, put(self.lists.get(list.key())?))))
                .collect(),
            link: Link {
                template: template.as_ref().map(put),
                plain: plain.as_ref().map(put),
                settings: settings.as_ref().map(put),
                words: words.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_reads_and_names_what_there_is() {
        for preset in Preset::all() {
            assert!(preset.table.is_some() != preset.from.is_some(), "{}", preset.name);
            for name in preset.columns.keys() {
                let is_known = Field::find(name).is_some();
                assert!(is_known || name.starts_with('_'), "{}: {name}", preset.name);
            }
            for name in preset.lists.keys() {
                assert!(List::ALL.iter().any(|list| list.key() == name), "{name}");
            }
            let filled = preset.fill("x_", "https://o'example.com/", &["a'b".to_owned()]);
            let all = format!("{filled:?}");
            for left in ["{prefix}", "{home}", "{types}"] {
                let in_links = left == "{home}" && filled.link.settings.is_some();
                assert!(!all.contains(left) || in_links, "{}: {left}", preset.name);
            }
        }
    }
}
