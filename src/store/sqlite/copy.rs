//! A file as the source or the target of a copy.

use std::{collections::BTreeMap, path::Path};

use chrono::DateTime;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, ToSql, params, params_from_iter,
    types::{Null, ToSqlOutput, ValueRef},
};

use crate::store::{
    Result, StoreError,
    copy::{Found, Origin, Place, Row, Source, TABLES, Table, Target, Value},
    sqlite::{self, identity, schema},
};

/// A file that is read, in one transaction.
pub struct SqliteSource {
    place: String,
    file: Connection,
}

impl SqliteSource {
    /// Opens a store; it is not changed, so it has to have the layout of this program.
    pub fn open(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(path, flags)
            .map_err(|source| StoreError::Open { path: place.clone(), source: source.into() })?;
        file.busy_timeout(sqlite::BUSY)?;
        match schema::look(&file, path)? {
            schema::Layout::Nothing => return Err(StoreError::Foreign(place)),
            schema::Layout::Of { found, known } if found < known => {
                return Err(StoreError::Older { path: place, found, known });
            }
            schema::Layout::Of { found, known } if found > known => {
                return Err(StoreError::Newer { path: place, found, known });
            }
            schema::Layout::Of { .. } => schema::refuse_part(&file, path)?,
        }
        file.execute_batch("BEGIN")?;
        Ok(Self { place, file })
    }
}

impl Place for SqliteSource {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn each(
        &mut self,
        table: &Table,
        after: Option<&[Value]>,
        visit: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        each(&self.file, table, after, visit)
    }
}

impl Source for SqliteSource {
    fn origin(&mut self) -> Result<Origin> {
        origin(&self.file)
    }

    fn count(&mut self, table: &Table) -> Result<u64> {
        count(&self.file, table)
    }

    fn afresh(&mut self) -> Result<Origin> {
        self.file.execute_batch("ROLLBACK")?;
        origin(&self.file)
    }
}

/// A file that is filled, by nobody else at the same time.
pub struct SqliteTarget {
    place: String,
    file: Connection,
    found: Option<Found>,
}

impl SqliteTarget {
    /// Opens a file, or makes it. One that holds something is left as it is.
    pub fn open(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // A failure is reported by SQLite, which opens the file next.
        let _ = identity::create_private(path);
        let mut file = Connection::open_with_flags(path, flags)
            .map_err(|source| StoreError::Open { path: place.clone(), source: source.into() })?;
        file.busy_timeout(sqlite::BUSY)?;
        let found = match schema::look(&file, path)? {
            schema::Layout::Nothing => {
                schema::prepare(&mut file, path, None, DateTime::UNIX_EPOCH)?;
                Found::Nothing
            }
            schema::Layout::Of { found, known } => {
                let is_ours = found == known;
                match schema::is_part(&file)? {
                    true if is_ours => Found::Part(notes(&file)?),
                    false if is_ours && is_untouched(&file)? => Found::Nothing,
                    true | false => Found::Something,
                }
            }
        };
        if !matches!(found, Found::Something) {
            schema::make_room(&file)?;
            file.pragma_update(None, "locking_mode", "exclusive")?;
        }
        // A power cut may take the last rows with it, and their note as well.
        file.pragma_update(None, "synchronous", "normal")?;
        Ok(Self { place, file, found: Some(found) })
    }
}

impl Place for SqliteTarget {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn each(
        &mut self,
        table: &Table,
        after: Option<&[Value]>,
        visit: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        each(&self.file, table, after, visit)
    }
}

impl Target for SqliteTarget {
    fn found(&mut self) -> Result<Found> {
        self.found.take().ok_or(StoreError::Closing)
    }

    fn begin(&mut self, name: &str, note: &str) -> Result<()> {
        let transaction = self.file.transaction()?;
        for table in TABLES {
            transaction.execute(&format!("DELETE FROM {}", table.name), [])?;
        }
        transaction.execute_batch(
            "DELETE FROM store;
             DROP TABLE IF EXISTS copying;
             CREATE TABLE copying (name TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT;",
        )?;
        transaction.execute("INSERT INTO copying (name, note) VALUES (?, ?)", [name, note])?;
        Ok(transaction.commit()?)
    }

    fn clear(&mut self, table: &Table) -> Result<()> {
        self.file.execute(&format!("DELETE FROM {}", table.name), [])?;
        Ok(())
    }

    fn put(&mut self, table: &Table, rows: &[Row], note: &str) -> Result<()> {
        let transaction = self.file.transaction()?;
        {
            let places = vec!["?"; table.columns.len()].join(", ");
            let (name, columns) = (table.name, table.names());
            let mut insert = transaction
                .prepare_cached(&format!("INSERT INTO {name} ({columns}) VALUES ({places})"))?;
            for row in rows {
                insert.execute(params_from_iter(row))?;
            }
        }
        transaction.execute(
            "INSERT OR REPLACE INTO copying (name, note) VALUES (?, ?)",
            [table.name, note],
        )?;
        Ok(transaction.commit()?)
    }

    fn finish(&mut self, origin: &Origin) -> Result<()> {
        let Origin { head, changed, shelved, authority } = origin;
        self.file.pragma_update(None, "synchronous", "full")?;
        let transaction = self.file.transaction()?;
        transaction.execute(
            "INSERT INTO store (one, head, changed, shelved, authority) VALUES (1, ?, ?, ?, ?)",
            params![head, changed, shelved, authority],
        )?;
        transaction.execute("DROP TABLE copying", [])?;
        Ok(transaction.commit()?)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Integer(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Null => ToSqlOutput::Owned(Null.into()),
        })
    }
}

fn origin(file: &Connection) -> Result<Origin> {
    let select = "SELECT head, changed, shelved, authority FROM store";
    Ok(file.query_row(select, [], |row| {
        Ok(Origin {
            head: row.get(0)?,
            changed: row.get(1)?,
            shelved: row.get(2)?,
            authority: row.get(3)?,
        })
    })?)
}

fn count(file: &Connection, table: &Table) -> Result<u64> {
    let rows: i64 =
        file.query_row(&format!("SELECT count(*) FROM {}", table.name), [], |row| row.get(0))?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

fn each(
    file: &Connection,
    table: &Table,
    after: Option<&[Value]>,
    visit: &mut dyn FnMut(Row) -> Result<()>,
) -> Result<()> {
    let mut select = file.prepare(&table.select(after.is_some()).replace('$', "?"))?;
    let mut rows = select.query(params_from_iter(after.unwrap_or_default()))?;
    while let Some(row) = rows.next()? {
        let read = |column| match row.get_ref(column)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(number) => Ok(Value::Integer(number)),
            text => Ok(Value::Text(text.as_str()?.to_owned())),
        };
        let row = (0..table.columns.len()).map(read).collect::<rusqlite::Result<Row>>();
        visit(row?)?;
    }
    Ok(())
}

fn notes(file: &Connection) -> Result<BTreeMap<String, String>> {
    let mut select = file.prepare("SELECT name, note FROM copying")?;
    let notes = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(notes.collect::<rusqlite::Result<_>>()?)
}

/// Whether nothing was ever written.
fn is_untouched(file: &Connection) -> Result<bool> {
    let head: Option<i64> =
        file.query_row("SELECT head FROM store", [], |row| row.get(0)).optional()?;
    let mut is_untouched = head.is_none_or(|head| head == 0);
    for table in TABLES {
        is_untouched &= count(file, table)? == 0;
    }
    Ok(is_untouched)
}
