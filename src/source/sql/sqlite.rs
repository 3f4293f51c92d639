//! SQLite, opened for reading alone.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use encoding_rs::Encoding;
use rusqlite::{Connection, InterruptHandle, OpenFlags, types::ValueRef};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::source::{
    SourceError,
    sql::{Database, Row, address::Address, decode, query::Statement},
};

/// How long to wait for a writer that empties the log.
const BUSY: Duration = Duration::from_secs(10);

pub(super) struct Sqlite {
    connection: Arc<Mutex<Connection>>,
    interrupt: InterruptHandle,
    encoding: Option<&'static Encoding>,
}

pub(super) async fn open(
    address: &Address,
    encoding: Option<&'static Encoding>,
) -> Result<Sqlite, SourceError> {
    let path = address.path.clone();
    let failed = |error: rusqlite::Error| SourceError::Connect(address.to_string(), error.into());
    let opened = tokio::task::spawn_blocking(move || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "query_only", true)?;
        let interrupt = connection.get_interrupt_handle();
        Ok((connection, interrupt))
    });
    let (connection, interrupt) =
        opened.await.map_err(|_| SourceError::Closing)?.map_err(failed)?;
    Ok(Sqlite { connection: Arc::new(Mutex::new(connection)), interrupt, encoding })
}

impl Drop for Sqlite {
    /// Nobody waits for what is still being read.
    fn drop(&mut self) {
        self.interrupt.interrupt();
    }
}

#[async_trait]
impl Database for Sqlite {
    async fn rows(
        &mut self,
        statement: &Statement,
        max_bytes: usize,
    ) -> Result<Vec<Row>, SourceError> {
        let connection = Arc::clone(&self.connection).lock_owned().await;
        let (statement, encoding) = (statement.clone(), self.encoding);
        let reading =
            tokio::task::spawn_blocking(move || read(&connection, &statement, max_bytes, encoding));
        let rows = reading.await.map_err(|_| SourceError::Closing)?;
        rows.map_err(|error| SourceError::Query(error.into()))
    }
}

fn read(
    connection: &Connection,
    Statement { sql, bound }: &Statement,
    max_bytes: usize,
    encoding: Option<&'static Encoding>,
) -> rusqlite::Result<Vec<Row>> {
    let mut select = connection.prepare_cached(sql)?;
    let names: Vec<String> = select.column_names().map(str::to_owned).collect();
    for (number, value) in bound.iter().enumerate() {
        match (value.as_i64(), value.as_f64(), value.as_str()) {
            (Some(whole), ..) => select.raw_bind_parameter(number + 1, whole)?,
            (_, Some(fraction), _) => select.raw_bind_parameter(number + 1, fraction)?,
            (.., text) => select.raw_bind_parameter(number + 1, text)?,
        }
    }
    let mut found = Vec::new();
    let mut bytes = 0;
    let mut rows = select.raw_query();
    while bytes < max_bytes
        && let Some(row) = rows.next()?
    {
        let mut columns = Map::new();
        let mut fault = None;
        for (at, name) in names.iter().enumerate() {
            let value = match row.get_ref(at)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => json!(number),
                ValueRef::Real(number) => json!(number),
                ValueRef::Text(text) | ValueRef::Blob(text) => {
                    bytes += text.len();
                    decode(text, encoding).map_or_else(
                        |problem| {
                            fault = Some(format!("`{name}` is {problem}"));
                            Value::Null
                        },
                        Value::String,
                    )
                }
            };
            columns.insert(name.clone(), value);
        }
        found.push(Row { columns, fault });
    }
    Ok(found)
}
