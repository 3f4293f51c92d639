//! Tables of a database, which are only read.
//!
//! All rows once, by their keys; from then on those that changed, by a cursor. Every page is one query of its own, so that no
//! transaction stays open, and what a page holds is bounded in rows and bytes.

mod address;
mod mysql;
mod postgres;
mod query;
mod sqlite;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Map, Value};

use self::address::Address;
use self::query::{CURSOR, Engine, KEY, Relation, STATUS, Statement};
use crate::source::{
    SourceError,
    field::{self, List},
    mark::Mark,
    spec::{Link, Rows, Sql},
    take::{Entry, Given, Presence, key_text},
};

/// Most rows of a page.
pub(super) const PAGE_ROWS: usize = 2_000;
/// Most bytes of a page, as far as rows are that small.
const PAGE_BYTES: usize = 8 << 20;

/// A row: its columns by name, or why they cannot be read.
struct Row {
    columns: Map<String, Value>,
    fault: Option<String>,
}

/// For a connection, with all that is asked of it first.
const CONNECT: Duration = Duration::from_secs(30);
/// For the whole answer to one statement: longer than what servers allow themselves, for one that is cut off.
const ANSWER: Duration = Duration::from_mins(11);
/// A connection that says nothing is asked after so long whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What comes within a limit.
async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(SourceError::Silent(limit)))
}

/// A connection that only reads.
#[async_trait]
trait Database: Send + Sync {
    /// The rows of a statement, as many as these bytes hold, and one at least.
    async fn rows(
        &mut self,
        statement: &Statement,
        max_bytes: usize,
    ) -> Result<Vec<Row>, SourceError>;
}

/// A database that a source reads.
pub(super) struct Reader<'a> {
    sql: &'a Sql,
    database: Box<dyn Database>,
    relation: Relation,
    link: Option<String>,
}

#[async_trait]
impl Presence for Reader<'_> {
    async fn present(&mut self, keys: Vec<Value>) -> Result<Vec<String>, SourceError> {
        let statement = self.relation.present(keys);
        let rows = self.rows(&statement, usize::MAX).await?;
        let keys = rows.into_iter().filter_map(|mut row| row.columns.remove(KEY));
        Ok(keys.map(|key| key_text(&key)).collect())
    }
}

/// Some rows, in their order.
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    /// Where the last row stands.
    pub(super) last: Option<(Value, Value)>,
    /// The names of the columns.
    pub(super) columns: Vec<String>,
    /// So many rows that are published have nothing where their cursor should be.
    pub(super) without_cursor: u64,
}

async fn connect(address: &Address, sql: &Sql) -> Result<Box<dyn Database>, SourceError> {
    Ok(match address.scheme() {
        Engine::Postgres => Box::new(postgres::open(address).await?),
        Engine::Mysql => Box::new(mysql::open(address, sql.encoding).await?),
        Engine::Sqlite => Box::new(sqlite::open(address, sql.encoding).await?),
    })
}

impl<'a> Reader<'a> {
    pub(super) async fn open(sql: &'a Sql) -> Result<Self, SourceError> {
        let address = address::address(sql, |name| std::env::var(name).ok())?;
        let database = within(CONNECT, connect(&address, sql)).await?;
        let engine = address.scheme();
        let relation = Relation::new(sql, engine);
        let mut reader = Self { sql, database, relation, link: None };
        reader.link = reader.template().await?;
        Ok(reader)
    }

    /// Whether changes are followed, rather than all rows read each time.
    pub(super) fn follows(&self) -> bool {
        self.sql.cursor.is_some()
    }

    /// Whether rows without a cursor are a mistake; presets know what they do.
    fn needs_cursor(&self) -> bool {
        self.follows() && !matches!(self.sql.rows, Rows::From { .. })
    }

    async fn rows(
        &mut self,
        statement: &Statement,
        max_bytes: usize,
    ) -> Result<Vec<Row>, SourceError> {
        within(ANSWER, self.database.rows(statement, max_bytes)).await
    }

    /// The newest cursor there is.
    pub(super) async fn newest(&mut self) -> Result<Option<Value>, SourceError> {
        let Some(statement) = self.relation.newest() else { return Ok(None) };
        let rows = self.rows(&statement, PAGE_BYTES).await?;
        let newest = rows.into_iter().next().and_then(|mut row| row.columns.remove(CURSOR));
        Ok(newest.filter(|value| !value.is_null()))
    }

    /// A page of all rows.
    pub(super) async fn load(
        &mut self,
        after: Option<&Value>,
        limit: usize,
    ) -> Result<Page, SourceError> {
        let statement = self.relation.load(after, limit);
        self.page(&statement).await
    }

    /// A page of the rows that changed.
    pub(super) async fn follow(&mut self, mark: &Mark) -> Result<Page, SourceError> {
        let statement = self.relation.follow(mark, PAGE_ROWS);
        self.page(&statement.ok_or(SourceError::NoCursor)?).await
    }

    async fn page(&mut self, statement: &Statement) -> Result<Page, SourceError> {
        let rows = self.rows(statement, PAGE_BYTES).await?;
        let columns = rows.first().map(|row| row.columns.keys().cloned().collect());
        let keys: Vec<Value> =
            rows.iter().filter_map(|row| row.columns.get(KEY).cloned()).collect();
        let mut lists = self.lists(&keys).await?;
        let (mut last, mut without_cursor) = (None, 0);
        let mut entries = Vec::with_capacity(rows.len());
        for Row { mut columns, fault } in rows {
            let key = columns.remove(KEY).filter(|key| !key.is_null()).ok_or(SourceError::NoKey)?;
            let cursor = columns.remove(CURSOR).unwrap_or_default();
            let has_cursor = !cursor.is_null();
            let status = columns.remove(STATUS);
            last = Some((cursor, key.clone()));
            let is_published = self.is_published(status.as_ref());
            without_cursor += u64::from(self.needs_cursor() && is_published && !has_cursor);
            let id = columns.get("id").filter(|id| !id.is_null()).unwrap_or(&key).clone();
            let added = lists.remove(&key_text(&key)).unwrap_or_default();
            let link = self.link.as_ref().map(|link| put(link, &columns));
            let mut record = field::record(columns, added, self.sql.separator.as_deref());
            record.insert("id".to_owned(), id);
            if let Some(link) = link {
                record.insert("url".to_owned(), Value::String(link));
            }
            let record = fault.map_or(Ok(Given::Json(record)), Err);
            entries.push(Entry { key, record, is_published });
        }
        Ok(Page { entries, last, columns: columns.unwrap_or_default(), without_cursor })
    }

    fn is_published(&self, status: Option<&Value>) -> bool {
        let Some(status) = status else { return self.sql.status.is_none() };
        let words = match status {
            Value::Bool(true) => vec!["true".to_owned(), "1".to_owned()],
            Value::Bool(false) => vec!["false".to_owned(), "0".to_owned()],
            other => vec![field::text(other.clone())],
        };
        self.sql.published.iter().any(|published| words.contains(published))
    }

    /// What other tables add to these rows, by their keys.
    async fn lists(
        &mut self,
        keys: &[Value],
    ) -> Result<HashMap<String, BTreeMap<List, Vec<Value>>>, SourceError> {
        let mut found: HashMap<String, BTreeMap<List, Vec<Value>>> = HashMap::new();
        if keys.is_empty() {
            return Ok(found);
        }
        for (list, query) in &self.sql.lists {
            let statement = self.relation.list(query, keys);
            for row in self.rows(&statement, usize::MAX).await? {
                let key = row.columns.get("id").ok_or(SourceError::NoId(list.key()))?;
                let key = key_text(key);
                if let Some(item) = list.item(row.columns) {
                    found.entry(key).or_default().entry(*list).or_default().push(item);
                }
            }
        }
        Ok(found)
    }

    /// How addresses are made, with the settings put in.
    async fn template(&mut self) -> Result<Option<String>, SourceError> {
        let Link { template, plain, settings, words } = &self.sql.link;
        let Some(template) = template else { return Ok(None) };
        let Some(query) = settings else { return Ok(Some(template.clone())) };
        let statement = Statement { sql: query.clone(), bound: Vec::new() };
        let rows = self.rows(&statement, PAGE_BYTES).await?;
        let mut known = BTreeMap::new();
        for Row { mut columns, .. } in rows {
            let mut take = |name: &str| columns.remove(name).map(field::text).unwrap_or_default();
            known.insert(take("name"), take("value"));
        }
        let fill = |template: &str| {
            let mut filled = template.to_owned();
            for (name, value) in &known {
                let value = words
                    .iter()
                    .fold(value.clone(), |value, (word, column)| value.replace(word, column));
                filled = filled.replace(&format!("{{setting:{name}}}"), &value);
            }
            filled
        };
        let is_empty = |(name, value): (&String, &String)| {
            value.is_empty() && template.contains(&format!("{{setting:{name}}}"))
        };
        let template =
            if known.iter().any(is_empty) { plain.as_ref().unwrap_or(template) } else { template };
        Ok(Some(fill(template)))
    }
}

/// A template with the values of columns in the places of their names.
fn put(template: &str, columns: &Map<String, Value>) -> String {
    let mut parts = template.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            Some((name, rest)) => {
                let value = columns.get(name).filter(|value| !value.is_null()).cloned();
                filled.push_str(&value.map(field::text).unwrap_or_default());
                filled.push_str(rest);
            }
            None => filled.push_str(part),
        }
    }
    filled
}

/// Text out of bytes that are in an encoding; `None`: UTF-8.
fn decode(
    bytes: &[u8],
    encoding: Option<&'static encoding_rs::Encoding>,
) -> Result<String, String> {
    let encoding = encoding.unwrap_or(encoding_rs::UTF_8);
    match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        Some(text) => Ok(text.into_owned()),
        None => Err(format!(
            "a text that is not {}; name the encoding that it is in with `encoding`",
            encoding.name()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::spec::Secret;

    #[tokio::test]
    async fn a_database_that_says_nothing_is_not_waited_for() {
        let silent = within(Duration::from_millis(10), std::future::pending::<Result<(), _>>());
        let error = silent.await.unwrap_err();
        assert!(matches!(error, SourceError::Silent(_)), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_takes_no_greeting_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for scheme in ["mysql", "postgres"] {
            let url = Secret::new(format!("{scheme}://a:b@127.0.0.1:{port}/c"));
            let sql = Sql { url, ..query::tests::sql(Rows::Query("SELECT 1".to_owned())) };
            let address = address::address(&sql, |_| None).unwrap();
            let limit = Duration::from_millis(50);
            let error = within(limit, connect(&address, &sql)).await.err().unwrap();
            assert!(matches!(error, SourceError::Silent(_)), "{error}");
        }
    }
}
