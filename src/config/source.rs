//! `[source.NAME]`: where articles come in from.

use std::{collections::BTreeMap, path::Path, time::Duration};

use encoding_rs::Encoding;

use crate::{
    config::{
        section::{Keys, Section, listed},
        value::{self, Mistake},
    },
    source::{
        FIELDS, Feed, Field, Filled, Folder, Kind, Link, List, Place, Preset, Rows, Secret, Source,
        Sql,
    },
};

pub(super) const SOURCE: Keys = Keys {
    required: &["kind"],
    optional: &[
        "url",
        "password_file",
        "preset",
        "prefix",
        "home",
        "types",
        "query",
        "table",
        "where",
        "columns",
        "key",
        "cursor",
        "status",
        "published",
        "categories_query",
        "tags_query",
        "authors_query",
        "images_query",
        "files_query",
        "link",
        "id_prefix",
        "separator",
        "time_zone",
        "encoding",
        "every_seconds",
        "overlap_seconds",
        "sweep_minutes",
        "reread_hours",
        "path",
        "withdraw_removed",
        "private",
        "own",
    ],
};

pub(super) const COLUMNS: Keys = Keys { required: &[], optional: &FIELDS };

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

/// The sources of a file. Relative paths start at `folder`.
pub(super) fn sources(root: &Section<'_>, folder: &Path) -> Vec<Source> {
    let sections = root.named("source", &SOURCE);
    let mut sources: Vec<Source> = Vec::new();
    for (name, section) in &sections {
        let Some(source) = source(name, section, folder) else { continue };
        if let Some(other) = sources.iter().find(|other| meets(&source, other, section)) {
            let wrong =
                format!("articles of `{}` and `{}` may have one key", other.name, source.name);
            let advice = format!(
                "add for example `id_prefix = \"{}-\"` to one of them, or say that their keys never meet: `id_prefix = \"\"`",
                source.name
            );
            section.note(Mistake::new(wrong, advice));
        }
        sources.push(source);
    }
    sources
}

/// Whether nobody has said how the articles of two sources are told apart: each would overwrite those of the other.
fn meets(source: &Source, other: &Source, section: &Section<'_>) -> bool {
    let is_told = section.has("id_prefix") && source.id_prefix.is_empty();
    source.id_prefix == other.id_prefix && !is_told
}

/// What a source is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Sql,
    Folder,
    Feed,
}

impl Wanted {
    /// Notes keys that are for other kinds.
    fn keeps_to(self, section: &Section<'_>) {
        const COMMON: [&str; 5] = ["kind", "id_prefix", "time_zone", "every_seconds", "own"];
        let (name, own): (_, &[&str]) = match self {
            Self::Sql => ("sql", &[]),
            Self::Folder => ("folder", &["path", "withdraw_removed", "link"]),
            Self::Feed => ("feed", &["url", "path", "private"]),
        };
        let others = ["path", "withdraw_removed", "private"];
        let fits = |key: &str| match self {
            Self::Sql => !others.contains(&key),
            Self::Folder | Self::Feed => COMMON.contains(&key) || own.contains(&key),
        };
        for key in SOURCE.all().filter(|key| section.has(key) && !fits(key)) {
            let wrong = format!("a source of the kind `{name}` has no `{key}`");
            section.note(Mistake::new(wrong, "leave it out"));
        }
    }
}

/// What a section says, key by key; which of it belongs together comes after.
struct Said {
    url: Option<String>,
    preset: Option<&'static Preset>,
    home: Option<url::Url>,
    query: Option<String>,
    table: Option<String>,
    columns: BTreeMap<Field, String>,
    key: Option<String>,
    cursor: Option<String>,
    status: Option<String>,
    published: Vec<String>,
    lists: BTreeMap<List, String>,
    link: Option<String>,
}

impl Said {
    fn read(section: &Section<'_>, kind: Option<Wanted>) -> Self {
        Self {
            url: section.parse("url", |given| match kind {
                Some(Wanted::Feed) => value::url(given).map(|_| given.to_owned()),
                Some(Wanted::Sql | Wanted::Folder) | None => database(given),
            }),
            preset: section.parse("preset", preset),
            home: section.parse("home", value::url),
            query: section.parse("query", some),
            table: section.parse("table", some),
            columns: columns(section),
            key: section.parse("key", some),
            cursor: section.parse("cursor", some),
            status: section.parse("status", some),
            published: section.list("published", some),
            lists: List::ALL
                .into_iter()
                .filter_map(|list| Some((list, section.parse(list.key(), list_query)?)))
                .collect(),
            link: section.parse("link", link),
        }
    }
}

fn source(name: &str, section: &Section<'_>, folder: &Path) -> Option<Source> {
    let kinds = [("sql", Wanted::Sql), ("folder", Wanted::Folder), ("feed", Wanted::Feed)];
    let kind = section.parse("kind", |given| value::choice(given, &kinds));
    let path = section.parse("path", |given| value::file(given, folder));
    let withdraw_removed = section.flag("withdraw_removed").unwrap_or(false);
    let is_private = section.flag("private").unwrap_or(false);
    let is_own = section.flag("own").unwrap_or(false);
    let said = Said::read(section, kind);
    let password_file = section.parse("password_file", |given| value::file(given, folder));
    let prefix = section.parse("prefix", table_prefix);
    let types = section.list("types", some);
    let filter = section.parse("where", some);
    let prefix_said = section.parse("id_prefix", |given| Ok(given.to_owned()));
    let id_prefix = prefix_said.clone().unwrap_or_default();
    let separator = section.parse("separator", separator);
    let time_zone = section.parse("time_zone", value::time_zone);
    let encoding = section.parse("encoding", encoding);
    let every = section.number("every_seconds", 1..=86_400_u64);
    let overlap = section.number("overlap_seconds", 0..=HOUR).unwrap_or(MINUTE);
    let sweep = section.number("sweep_minutes", 0..=43_200_u64).unwrap_or(60);
    let reread = section.number("reread_hours", 0..=8_760_u64).unwrap_or(24);
    let name = section.told(name, value::slug);
    let kind = kind?;
    kind.keeps_to(section);
    let lacks = |key: &str, advice: &str| {
        if !section.has(key) {
            section.note(Mistake::new(format!("`{key}` is missing"), advice));
        }
    };
    let pause = |usual: u64| Duration::from_secs(every.unwrap_or(usual));
    match kind {
        Wanted::Sql => lacks("url", "add `url = \"postgres://…\"`"),
        Wanted::Folder => {
            lacks("path", "add `path = \"articles\"`");
            let kind = Kind::Folder(Folder { path: path?, withdraw_removed, link: said.link });
            let every = pause(5 * MINUTE);
            return Some(Source { name: name?, every, id_prefix, is_own, time_zone, kind });
        }
        Wanted::Feed => {
            if !section.has("path") {
                lacks("url", "add `url = \"https://…\"`, or the `path` of a file");
            }
            let web = || said.url.as_ref().and_then(|url| url.parse().ok()).map(Place::Web);
            let place = path.map(Place::File).or_else(web)?;
            let name = name?;
            // Entries of two feeds may well have the same identity.
            let id_prefix = prefix_said.unwrap_or_else(|| format!("{name}:"));
            let kind = Kind::Feed(Feed { place, is_private });
            return Some(Source {
                name,
                every: pause(15 * MINUTE),
                id_prefix,
                is_own,
                time_zone,
                kind,
            });
        }
    }
    let filled = rows(section, &said, prefix, types)?;
    let default = said.preset;
    let cursor = said.cursor.or(filled.cursor);
    let seconds = |count: u64| Duration::from_secs(count);
    let every = every.unwrap_or(if cursor.is_some() { 10 } else { 5 * MINUTE });
    let mut lists = filled.lists;
    lists.extend(said.lists);
    let conditions: Vec<_> = filled.filter.into_iter().chain(filter).collect();
    Some(Source {
        name: name?,
        every: seconds(every),
        id_prefix,
        is_own,
        time_zone: time_zone.or(default.and_then(|preset| preset.time_zone)),
        kind: Kind::Sql(Box::new(Sql {
            url: Secret::new(said.url?),
            password_file,
            folder: folder.to_owned(),
            rows: filled.rows,
            filter: (!conditions.is_empty()).then(|| format!("({})", conditions.join(") AND ("))),
            key: said.key.unwrap_or(filled.key),
            cursor,
            status: said.status.or(filled.status),
            published: if said.published.is_empty() { filled.published } else { said.published },
            lists,
            link: said.link.map_or(filled.link, |template| Link {
                template: Some(template),
                ..Link::default()
            }),
            encoding,
            separator,
            overlap: seconds(overlap),
            sweep: (sweep > 0).then(|| seconds(sweep * MINUTE)),
            reread: (reread > 0).then(|| seconds(reread * HOUR)),
        })),
    })
}

/// What a source says of its rows, with what its preset does.
struct Told {
    rows: Rows,
    filter: Option<String>,
    key: String,
    cursor: Option<String>,
    status: Option<String>,
    published: Vec<String>,
    lists: BTreeMap<List, String>,
    link: Link,
}

fn rows(
    section: &Section<'_>,
    said: &Said,
    prefix: Option<String>,
    types: Vec<String>,
) -> Option<Told> {
    let Said { preset, home, query, table, columns, .. } = said;
    let asked = ["preset", "query", "table"];
    let given: Vec<_> = asked.into_iter().filter(|key| section.has(key)).collect();
    let misses = |wrong: &str, advice: &str| section.note(Mistake::new(wrong, advice));
    if given.is_empty() {
        misses("nothing says which rows", "add a `query`, a `table` or a `preset`");
        return None;
    }
    let is_preset = preset.is_some();
    if given.len() > 1 && !(is_preset && given == ["preset", "table"]) {
        let wrong = format!("{} are given together", listed(given.iter().copied()));
        misses(&wrong, "leave one of them");
    }
    if section.has("status") && said.published.is_empty() && !section.has("published") {
        let advice = "add for example `published = [\"1\"]`";
        misses("nothing says which `status` means that an article is published", advice);
    }
    if query.is_some() && !columns.is_empty() {
        let advice = "name the columns of the query as the fields: `SELECT headline AS title`";
        misses("a `query` has no `columns`", advice);
    }
    if let Some(preset) = preset {
        if preset.needs_home && home.is_none() {
            let advice = "add the address of the site: `home = \"https://…\"`";
            misses(&format!("`{}` makes addresses from `home`", preset.name), advice);
        }
        let is_other = table.is_some() || !columns.is_empty();
        if is_other && !preset.is_plain() {
            let advice = "leave out `table` and `columns`, or write a `query` of your own";
            misses(&format!("`{}` has more than one table", preset.name), advice);
        }
        let home = home.as_ref().map(url::Url::as_str).unwrap_or_default();
        let types = if types.is_empty() { preset.types.clone() } else { types };
        let prefix = prefix.unwrap_or_else(|| preset.prefix.clone());
        let Filled { rows, filter, key, cursor, status, published, lists, link } =
            preset.fill(&prefix, home, &types);
        return Some(merged(
            rows,
            table.as_ref(),
            columns,
            Told {
                rows: Rows::Query(String::new()),
                filter,
                key,
                cursor: Some(cursor),
                status,
                published,
                lists,
                link,
            },
        ));
    }
    let rows = match (query, table) {
        (Some(query), _) => Rows::Query(query.clone()),
        (None, Some(table)) => {
            if columns.is_empty() {
                let advice = "add `[source.….columns]`, as in `title = \"headline\"`";
                misses("nothing says what the columns of the `table` are", advice);
            }
            Rows::Table { table: table.clone(), columns: columns.clone() }
        }
        (None, None) => return None,
    };
    Some(Told {
        rows,
        filter: None,
        key: columns.get(&Field::ID).cloned().unwrap_or_else(|| "id".to_owned()),
        cursor: None,
        status: None,
        published: Vec::new(),
        lists: BTreeMap::new(),
        link: Link::default(),
    })
}

/// A preset of one table takes another name for it, and other columns.
fn merged(
    rows: Rows,
    table: Option<&String>,
    columns: &BTreeMap<Field, String>,
    told: Told,
) -> Told {
    let Rows::Table { table: usual, columns: mut known } = rows else {
        return Told { rows, ..told };
    };
    let is_moved = |column: &str, field: &str| {
        Field::find(field)
            .and_then(|field| Some((known.get(&field)?, columns.get(&field)?)))
            .and_then(|(usual, now)| (usual == column).then(|| now.clone()))
    };
    // What tells rows apart, and what moves, are columns that are fields as well.
    let key = is_moved(&told.key, "id").unwrap_or_else(|| told.key.clone());
    let cursor = told.cursor.map(|cursor| is_moved(&cursor, "date_modified").unwrap_or(cursor));
    known.extend(columns.iter().map(|(field, column)| (*field, column.clone())));
    let rows = Rows::Table { table: table.unwrap_or(&usual).clone(), columns: known };
    Told { rows, key, cursor, ..told }
}

/// The columns of a table by the fields that they are.
fn columns(section: &Section<'_>) -> BTreeMap<Field, String> {
    let columns = section.section("columns", &COLUMNS);
    let found = FIELDS.iter().filter_map(|name| {
        let column = columns.parse(name, some)?;
        Some((Field::find(name)?, column))
    });
    found.collect()
}

fn some(given: &str) -> Result<String, Mistake> {
    if given.trim().is_empty() {
        return Err(Mistake::new("nothing is written here", ""));
    }
    Ok(given.to_owned())
}

fn separator(given: &str) -> Result<String, Mistake> {
    if given.is_empty() {
        return Err(Mistake::new("nothing is written here", ""));
    }
    Ok(given.to_owned())
}

/// The address of a database. It may hold a password, and is never repeated.
fn database(given: &str) -> Result<String, Mistake> {
    let schemes = ["postgres:", "postgresql:", "mysql:", "mariadb:", "sqlite:"];
    if given.starts_with("${") || schemes.iter().any(|scheme| given.starts_with(scheme)) {
        return Ok(given.to_owned());
    }
    let advice = "write `postgres://…`, `mysql://…`, `sqlite:…`, or `${VARIABLE}`";
    Err(Mistake::new("this is not the address of a database", advice))
}

fn preset(given: &str) -> Result<&'static Preset, Mistake> {
    Preset::find(given).ok_or_else(|| {
        let names = || Preset::all().iter().map(|preset| preset.name.as_str());
        let advice = match value::nearest(given, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", listed(names())),
        };
        Mistake::new("there is no such preset", advice)
    })
}

/// What goes into names of tables as it is.
fn table_prefix(given: &str) -> Result<String, Mistake> {
    if given.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(given.to_owned());
    }
    Err(Mistake::new("names of tables begin otherwise", "write letters, digits and `_` alone"))
}

/// A query for what other tables add.
fn list_query(given: &str) -> Result<String, Mistake> {
    if given.contains("{ids}") {
        return Ok(given.to_owned());
    }
    let advice = "write for example `WHERE article_id IN ({ids})`";
    Err(Mistake::new("the query does not say of which articles", advice))
}

/// An address with columns in it.
fn link(given: &str) -> Result<String, Mistake> {
    if given.contains('{') {
        return Ok(given.to_owned());
    }
    let advice = "write for example `https://www.example.com/news/{id}.html`";
    Err(Mistake::new("every article would have the same address", advice))
}

fn encoding(given: &str) -> Result<&'static Encoding, Mistake> {
    Encoding::for_label(given.as_bytes()).ok_or_else(|| {
        Mistake::new(
            "there is no such encoding",
            "write for example `gbk`, `big5` or `windows-1252`",
        )
    })
}
