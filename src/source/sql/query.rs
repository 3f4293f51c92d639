//! What a source asks of its database. No I/O: text of SQL and what is bound to it.

use serde_json::Value;

use crate::source::{
    mark::Mark,
    spec::{Rows, Sql},
};

/// Names of columns that say where a row stands.
pub(super) const KEY: &str = "_key";
pub(super) const CURSOR: &str = "_cursor";
pub(super) const STATUS: &str = "_status";

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Postgres,
    Mysql,
    Sqlite,
}

/// Text of SQL, and what is bound to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) bound: Vec<Value>,
}

impl Engine {
    /// The name of a column, or of a table with its schema.
    fn quote(self, name: &str) -> String {
        let (mark, doubled) = if self == Self::Mysql { ("`", "``") } else { ("\"", "\"\"") };
        let parts =
            name.split('.').map(|part| format!("{mark}{}{mark}", part.replace(mark, doubled)));
        parts.collect::<Vec<_>>().join(".")
    }

    /// The place of a value, from 1.
    fn place(self, number: usize) -> String {
        if self == Self::Postgres { format!("${number}") } else { "?".to_owned() }
    }

    /// The places of a list of values.
    fn places(self, first: usize, count: usize) -> String {
        let places = (first..first + count).map(|number| self.place(number));
        places.collect::<Vec<_>>().join(", ")
    }
}

/// The rows of a source, in the words of its database.
#[derive(Debug)]
pub(super) struct Relation {
    engine: Engine,
    select: String,
    from: String,
    filter: String,
    key: String,
    cursor: Option<String>,
}

impl Relation {
    pub(super) fn new(sql: &Sql, engine: Engine) -> Self {
        let column = |name: &str| match sql.rows {
            Rows::From { .. } => name.to_owned(),
            Rows::Query(_) | Rows::Table { .. } => format!("q.{}", engine.quote(name)),
        };
        let name = |expression: &str, name: &str| format!("{expression} AS {}", engine.quote(name));
        let (mut select, from) = match &sql.rows {
            Rows::Query(query) => {
                let query = query.trim().trim_end_matches(';').trim_end();
                (vec!["q.*".to_owned()], format!("({query}) AS q"))
            }
            Rows::Table { table, columns } => {
                let columns =
                    columns.iter().map(|(field, found)| name(&column(found), field.name()));
                (columns.collect(), format!("{} AS q", engine.quote(table)))
            }
            Rows::From { from, columns } => {
                let columns = columns.iter().map(|(field, found)| name(found, field));
                (columns.collect(), from.clone())
            }
        };
        let key = column(&sql.key);
        let cursor = sql.cursor.as_deref().map(column);
        select.push(name(&key, KEY));
        select.extend(cursor.iter().map(|cursor| name(cursor, CURSOR)));
        select.extend(sql.status.iter().map(|status| name(&column(status), STATUS)));
        let filter =
            sql.filter.as_deref().map_or_else(|| "1 = 1".to_owned(), |sql| format!("({sql})"));
        Self { engine, select: select.join(", "), from, filter, key, cursor }
    }

    /// A page of all rows by their keys.
    pub(super) fn load(&self, after: Option<&Value>, limit: usize) -> Statement {
        let Self { engine, select, from, filter, key, .. } = self;
        let beyond = after.map(|_| format!(" AND {key} > {}", engine.place(1))).unwrap_or_default();
        Statement {
            sql: format!(
                "SELECT {select} FROM {from} WHERE {filter}{beyond} ORDER BY {key} LIMIT {limit}"
            ),
            bound: after.into_iter().cloned().collect(),
        }
    }

    /// A page of the rows that changed, by their cursors and, among equal ones, by their keys.
    pub(super) fn follow(&self, mark: &Mark, limit: usize) -> Option<Statement> {
        let Self { engine, select, from, filter, key, .. } = self;
        let cursor = self.cursor.as_ref()?;
        let mut beyond = format!("{cursor} >= {}", engine.place(1));
        let mut bound = vec![mark.cursor.clone()];
        if let Some(last) = &mark.key {
            let (again, key_place) = (engine.place(2), engine.place(3));
            beyond = format!("{beyond} AND ({cursor} > {again} OR {key} > {key_place})");
            bound.extend([mark.cursor.clone(), last.clone()]);
        }
        let sql = format!(
            "SELECT {select} FROM {from} WHERE {filter} AND {beyond} ORDER BY {cursor}, {key} LIMIT {limit}"
        );
        Some(Statement { sql, bound })
    }

    /// The newest cursor.
    pub(super) fn newest(&self) -> Option<Statement> {
        let Self { engine, from, filter, .. } = self;
        let cursor = self.cursor.as_ref()?;
        let name = engine.quote(CURSOR);
        let sql = format!("SELECT MAX({cursor}) AS {name} FROM {from} WHERE {filter}");
        Some(Statement { sql, bound: Vec::new() })
    }

    /// Those of these keys that have a row.
    pub(super) fn present(&self, keys: Vec<Value>) -> Statement {
        let Self { engine, from, filter, key, .. } = self;
        let (name, places) = (engine.quote(KEY), engine.places(1, keys.len()));
        let sql =
            format!("SELECT {key} AS {name} FROM {from} WHERE {filter} AND {key} IN ({places})");
        Statement { sql, bound: keys }
    }

    /// What other tables add to these rows.
    pub(super) fn list(&self, query: &str, keys: &[Value]) -> Statement {
        let query = query.trim().trim_end_matches(';').trim_end();
        let mut parts = query.split("{ids}");
        let mut sql = parts.next().unwrap_or_default().to_owned();
        let mut bound = Vec::new();
        for part in parts {
            sql.push_str(&self.engine.places(bound.len() + 1, keys.len()));
            sql.push_str(part);
            bound.extend(keys.iter().cloned());
        }
        Statement { sql, bound }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::source::{field::Field, preset::Preset, spec};

    pub(in crate::source::sql) fn sql(rows: Rows) -> Sql {
        Sql {
            url: spec::Secret::new("sqlite:x"),
            password_file: None,
            folder: std::path::PathBuf::new(),
            rows,
            filter: Some("kind = 'news'".to_owned()),
            key: "no".to_owned(),
            cursor: Some("moved".to_owned()),
            status: None,
            published: Vec::new(),
            lists: BTreeMap::new(),
            link: spec::Link::default(),
            encoding: None,
            separator: None,
            overlap: std::time::Duration::ZERO,
            sweep: None,
            reread: None,
        }
    }

    #[test]
    fn pages_go_on_where_the_last_one_ended() {
        let columns = BTreeMap::from([(Field::ID, "no".to_owned())]);
        let table = sql(Rows::Table { table: "cms.article".to_owned(), columns });
        let at = DateTime::UNIX_EPOCH;
        let mark = Mark { at, cursor: json!("2026"), key: Some(json!(7)) };
        let relation = Relation::new(&table, Engine::Postgres);
        let statement = relation.follow(&mark, 100).unwrap();
        assert_eq!(
            statement.sql,
            "SELECT q.\"no\" AS \"id\", q.\"no\" AS \"_key\", q.\"moved\" AS \"_cursor\" \
             FROM \"cms\".\"article\" AS q WHERE (kind = 'news') AND q.\"moved\" >= $1 \
             AND (q.\"moved\" > $2 OR q.\"no\" > $3) ORDER BY q.\"moved\", q.\"no\" LIMIT 100"
        );
        assert_eq!(statement.bound, [json!("2026"), json!("2026"), json!(7)]);
        let relation = Relation::new(&table, Engine::Mysql);
        assert_eq!(
            relation.load(Some(&json!(7)), 5).sql,
            "SELECT q.`no` AS `id`, q.`no` AS `_key`, q.`moved` AS `_cursor` FROM `cms`.`article` AS q \
             WHERE (kind = 'news') AND q.`no` > ? ORDER BY q.`no` LIMIT 5"
        );
        let query = sql(Rows::Query("SELECT 1 AS no ;".to_owned()));
        let relation = Relation::new(&query, Engine::Sqlite);
        assert_eq!(
            relation.present(vec![json!(1), json!("b")]).sql,
            "SELECT q.\"no\" AS \"_key\" FROM (SELECT 1 AS no) AS q WHERE (kind = 'news') AND q.\"no\" IN (?, ?)"
        );
    }

    #[test]
    fn keys_are_put_wherever_a_list_asks_for_them() {
        let filled = Preset::find("ghost").unwrap().fill("", "https://example.com", &[]);
        let relation = Relation::new(&sql(filled.rows), Engine::Postgres);
        let statement = relation.list("a IN ({ids}) OR b IN ({ids})", &[json!(1), json!(2)]);
        assert_eq!(statement.sql, "a IN ($1, $2) OR b IN ($3, $4)");
        assert_eq!(statement.bound.len(), 4);
    }
}
