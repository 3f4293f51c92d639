//! A database as the source or the target of a copy.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio_postgres::{Row as SqlRow, types::ToSql};

use crate::{
    store::{
        Cause, Result, StoreError,
        copy::{Column, Found, Origin, Place, Row, Source, TABLES, Table, Target, Value},
        postgres::{
            pool::pool,
            schema::{self, Layout},
            server::Server,
            session::{READ, Session, WRITE},
        },
    },
    text::DatabaseUrl,
};

/// The advisory lock of whoever fills a database: `Copy`.
const LOCK: i64 = 0x436f_7079;

/// Who has it.
const HOLDER: &str = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid::bigint = $1
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
/// How long to wait for it.
const LETTING_GO: Duration = Duration::from_secs(10);

/// Tables are read as wholes here, and one side waits for the other.
const SETTLE: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";

/// A database that is read, in one transaction. Not to be used within a runtime.
pub struct PostgresSource {
    place: String,
    session: Session,
}

impl PostgresSource {
    /// Opens a store; it is not changed, so it has to have the layout of this program.
    pub async fn open(url: &DatabaseUrl) -> Result<Self> {
        let session = connect(url, false).await?;
        let place = url.to_string();
        on_a_thread(move || {
            session.begin(READ, &[])?;
            let known = schema::known();
            match schema::look(&session, &place)? {
                None => return Err(StoreError::Foreign(place)),
                Some(Layout { version, .. }) if version < known => {
                    return Err(StoreError::Older { path: place, found: version, known });
                }
                Some(Layout { version, .. }) if version > known => {
                    return Err(StoreError::Newer { path: place, found: version, known });
                }
                Some(Layout { is_part: true, .. }) => return Err(StoreError::Part(place)),
                Some(Layout { is_part: false, .. }) => {}
            }
            Ok(Self { place, session })
        })
        .await
    }
}

impl Place for PostgresSource {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn each(
        &mut self,
        table: &Table,
        after: Option<&[Value]>,
        visit: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        each(&self.session, table, after, visit)
    }
}

impl Source for PostgresSource {
    fn origin(&mut self) -> Result<Origin> {
        origin(&self.session)
    }

    fn count(&mut self, table: &Table) -> Result<u64> {
        count(&self.session, table)
    }

    fn afresh(&mut self) -> Result<Origin> {
        self.session.end()?;
        origin(&self.session)
    }
}

/// A database that is filled, by nobody else at the same time. Not to be used within a runtime.
pub struct PostgresTarget {
    place: String,
    session: Session,
    found: Option<Found>,
}

impl PostgresTarget {
    /// Opens a database. One that holds something is left as it is.
    pub async fn open(url: &DatabaseUrl) -> Result<Self> {
        let session = connect(url, true).await?;
        let place = url.to_string();
        on_a_thread(move || {
            keep_others_out(&session, &place)?;
            // What is lost with the power goes with its note.
            session.batch("SET synchronous_commit = off")?;
            let found = match schema::look(&session, &place)? {
                None => Found::Nothing,
                Some(Layout { version, is_part }) => {
                    let is_ours = version == schema::known();
                    match is_part {
                        true if is_ours => Found::Part(notes(&session)?),
                        false if is_ours && is_untouched(&session)? => Found::Nothing,
                        true | false => Found::Something,
                    }
                }
            };
            Ok(Self { place, session, found: Some(found) })
        })
        .await
    }
}

impl Place for PostgresTarget {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn each(
        &mut self,
        table: &Table,
        after: Option<&[Value]>,
        visit: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        each(&self.session, table, after, visit)
    }
}

impl Target for PostgresTarget {
    fn found(&mut self) -> Result<Found> {
        self.found.take().ok_or(StoreError::Closing)
    }

    fn begin(&mut self, name: &str, note: &str) -> Result<()> {
        let session = &self.session;
        session.begin(WRITE, &[])?;
        schema::migrate(session, &self.place)?;
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        session.batch(&format!("TRUNCATE store, {}", names.join(", ")))?;
        session.batch(
            "DROP TABLE IF EXISTS copying;
             CREATE TABLE copying (name TEXT PRIMARY KEY, note TEXT NOT NULL)",
        )?;
        session.execute("INSERT INTO copying (name, note) VALUES ($1, $2)", &[&name, &note])?;
        session.commit(&[])
    }

    fn clear(&mut self, table: &Table) -> Result<()> {
        self.session.batch(&format!("TRUNCATE {}", table.name))
    }

    fn put(&mut self, table: &Table, rows: &[Row], note: &str) -> Result<()> {
        let columns: Vec<_> =
            table.columns.iter().enumerate().map(|(n, c)| column(n, c, rows)).collect();
        let places = table.columns.iter().enumerate().map(|(nth, column)| {
            let kind = match column {
                Column::Integer(_) => "bigint",
                Column::Text(_) => "text",
            };
            format!("${}::{kind}[]", nth + 1)
        });
        let places = places.collect::<Vec<_>>().join(", ");
        let (name, names) = (table.name, table.names());
        let insert = format!("INSERT INTO {name} ({names}) SELECT * FROM unnest({places})");
        let columns = columns.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect();
        self.session.begin(
            WRITE,
            &[
                (&insert, columns),
                (
                    "INSERT INTO copying (name, note) VALUES ($1, $2)
                     ON CONFLICT (name) DO UPDATE SET note = excluded.note",
                    vec![&table.name, &note],
                ),
            ],
        )?;
        self.session.commit(&[])
    }

    fn finish(&mut self, origin: &Origin) -> Result<()> {
        let Origin { head, changed, shelved, authority } = origin;
        let session = &self.session;
        session.batch("SET synchronous_commit = on")?;
        session.begin(
            WRITE,
            &[(
                "INSERT INTO store (one, head, changed, shelved, authority) VALUES (1, $1, $2, $3, $4)",
                vec![head, changed, shelved, authority],
            )],
        )?;
        session.batch("DROP TABLE copying")?;
        session.commit(&[])
    }
}

/// A connection to copy over.
async fn connect(url: &DatabaseUrl, takes_writes: bool) -> Result<Session> {
    let opened = |source: Cause| StoreError::Open { path: url.to_string(), source };
    let server = Server::new(url, takes_writes).map_err(opened)?;
    let pool = pool(server, 1, super::WRITE_WAIT).map_err(opened)?;
    let session = match Session::new(&pool).await {
        Err(StoreError::Failed(source)) => return Err(opened(source)),
        session => session?.patient(),
    };
    on_a_thread(move || session.batch(SETTLE).map(|()| session)).await
}

/// Waits for answers where waiting holds up nobody.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|stopped| StoreError::Failed(stopped.into()))?
}

/// Takes the lock of whoever fills this database. Somebody who was killed may still be about to let go.
fn keep_others_out(session: &Session, place: &str) -> Result<()> {
    let begun = Instant::now();
    while !session.one("SELECT pg_try_advisory_lock($1)", &[&LOCK])?.try_get::<_, bool>(0)? {
        if begun.elapsed() > LETTING_GO {
            let holder = session.query(HOLDER, &[&LOCK])?;
            let process = holder.first().map(|row| row.try_get::<_, i32>(0)).transpose()?;
            let process =
                process.map_or_else(String::new, |id| format!(" (process {id} of the server)"));
            let why =
                format!("another `courant store copy`{process} fills it; let that one end first");
            return Err(StoreError::Open { path: place.to_owned(), source: why.into() });
        }
        std::thread::sleep(LETTING_GO / 100);
    }
    Ok(())
}

fn origin(session: &Session) -> Result<Origin> {
    let row = session.one("SELECT head, changed, shelved, authority FROM store", &[])?;
    Ok(Origin {
        head: row.try_get(0)?,
        changed: row.try_get(1)?,
        shelved: row.try_get(2)?,
        authority: row.try_get(3)?,
    })
}

fn count(session: &Session, table: &Table) -> Result<u64> {
    let row = session.one(&format!("SELECT count(*) FROM {}", table.name), &[])?;
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default())
}

fn each(
    session: &Session,
    table: &Table,
    after: Option<&[Value]>,
    visit: &mut dyn FnMut(Row) -> Result<()>,
) -> Result<()> {
    let given: Vec<&(dyn ToSql + Sync)> = after
        .unwrap_or_default()
        .iter()
        .map(|value| match value {
            Value::Integer(number) => number as _,
            Value::Text(text) => text as _,
            Value::Null => &None::<i64> as _,
        })
        .collect();
    session.each(&table.select(after.is_some()), &given, &mut |row| visit(decode(table, &row)?))
}

fn decode(table: &Table, row: &SqlRow) -> Result<Row> {
    let columns = table.columns.iter().enumerate().map(|(nth, column)| {
        let value = match column {
            Column::Integer(_) => row.try_get::<_, Option<i64>>(nth)?.map(Value::Integer),
            Column::Text(_) => row.try_get::<_, Option<String>>(nth)?.map(Value::Text),
        };
        Ok(value.unwrap_or(Value::Null))
    });
    columns.collect()
}

/// A column of many rows.
fn column<'a>(nth: usize, column: &Column, rows: &'a [Row]) -> Box<dyn ToSql + Sync + 'a> {
    let values = rows.iter().map(|row| &row[nth]);
    match column {
        Column::Integer(_) => Box::new(
            values
                .map(|value| match value {
                    Value::Integer(number) => Some(*number),
                    Value::Text(_) | Value::Null => None,
                })
                .collect::<Vec<_>>(),
        ),
        Column::Text(_) => Box::new(
            values
                .map(|value| match value {
                    Value::Text(text) => Some(text.as_str()),
                    Value::Integer(_) | Value::Null => None,
                })
                .collect::<Vec<_>>(),
        ),
    }
}

fn notes(session: &Session) -> Result<BTreeMap<String, String>> {
    let rows = session.query("SELECT name, note FROM copying", &[])?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Whether nothing was ever written.
fn is_untouched(session: &Session) -> Result<bool> {
    let heads = session.query("SELECT head FROM store", &[])?;
    let mut is_untouched = true;
    for head in &heads {
        is_untouched &= head.try_get::<_, i64>(0)? == 0;
    }
    for table in TABLES {
        is_untouched &= count(session, table)? == 0;
    }
    Ok(is_untouched)
}
