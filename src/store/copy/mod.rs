//! Moving house: a store as it is, from one place to another, whatever engines they are of.
//!
//! Rows are carried as they are, some at a time, with a note of how far it has come in the same transaction: whoever is
//! interrupted goes on from there. Until all of it is there and has been compared, the target is no store that opens.

mod table;

pub use table::{Column, Key, Row, TABLES, Table, Tally, Value};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::{Result, StoreError};

/// So many rows are carried together at most.
const MAX_ROWS: usize = 2_000;
/// And so many bytes, unless a single row has more.
const MAX_BYTES: usize = 4 << 20;

/// Why a store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source fails.
    #[error("cannot read `{place}`")]
    Source {
        /// Which one.
        place: String,
        /// Why.
        source: StoreError,
    },
    /// The target fails.
    #[error("cannot copy to `{place}`")]
    Target {
        /// Which one.
        place: String,
        /// Why.
        source: StoreError,
    },
    /// Something is there.
    #[error("`{0}` holds a store already; name a place that holds nothing")]
    Occupied(String),
    /// A part of something else is there.
    #[error(
        "`{place}` holds a part of another store, `{authority}`; name a place that holds nothing"
    )]
    Another {
        /// Which place.
        place: String,
        /// Whose store.
        authority: String,
    },
    /// What arrived is not what was sent.
    #[error(
        "table `{table}` of `{place}` is not what was read: {found} rows, of {read}; \
         remove what is there and copy again"
    )]
    Unequal {
        /// Which table.
        table: &'static str,
        /// Where.
        place: String,
        /// How many rows are there.
        found: u64,
        /// How many should be.
        read: u64,
    },
}

/// The one row of `store`: while no write comes, nothing that is numbered changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The newest write.
    pub head: i64,
    /// When that was.
    pub changed: i64,
    /// How many articles have ever been shelved.
    pub shelved: i64,
    /// Who mints identities.
    pub authority: String,
}

/// Where rows are.
pub trait Place: Send {
    /// What it is called, without what is secret.
    fn place(&self) -> String;

    /// Visits the rows of a table in the order of its key, those after a key if one is given.
    fn each(
        &mut self,
        table: &Table,
        after: Option<&[Value]>,
        visit: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()>;
}

/// A place that is read, as it was at one moment.
pub trait Source: Place {
    /// The one row.
    fn origin(&mut self) -> Result<Origin>;

    /// How many rows a table has.
    fn count(&mut self, table: &Table) -> Result<u64>;

    /// The one row as it is at present; the moment before is over.
    fn afresh(&mut self) -> Result<Origin>;
}

/// What a target holds.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A store, or anything else.
    Something,
    /// A part of a store, with what was noted of it, by name.
    Part(BTreeMap<String, String>),
}

/// A place that is filled.
pub trait Target: Place {
    /// What it holds.
    fn found(&mut self) -> Result<Found>;

    /// Empties it, and makes the tables; from here on it holds a part. What is noted comes with it.
    fn begin(&mut self, name: &str, note: &str) -> Result<()>;

    /// Empties a table.
    fn clear(&mut self, table: &Table) -> Result<()>;

    /// Adds rows to a table, and notes that under its name, in one transaction.
    fn put(&mut self, table: &Table, rows: &[Row], note: &str) -> Result<()>;

    /// Makes a store of it.
    fn finish(&mut self, origin: &Origin) -> Result<()>;
}

/// How it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Beginning {
    /// With nothing.
    New,
    /// Where it was interrupted before.
    Resumed,
    /// With nothing again: the source has had a write since it was interrupted.
    Anew,
}

/// How far it has come.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// So many rows will be carried, and then compared.
    Begun {
        /// How it began.
        how: Beginning,
        /// Of all tables.
        rows: u64,
    },
    /// So many rows more have been carried, or compared.
    Done(u64),
}

/// What was copied.
#[derive(Clone, Debug, Serialize)]
pub struct Copied {
    /// How it began.
    pub beginning: Beginning,
    /// The newest write of it.
    pub revision: i64,
    /// How many rows each table has.
    pub rows: BTreeMap<&'static str, u64>,
    /// The newest write of the source by now, if that is newer.
    pub source_went_on_to: Option<i64>,
}

/// The name under which the origin is noted; no table has it.
const ORIGIN: &str = "store";

/// Copies a store. The source is only read.
pub fn copy(
    from: &mut dyn Source,
    to: &mut dyn Target,
    progress: &mut dyn FnMut(Progress),
) -> Result<Copied, CopyError> {
    let places = (from.place(), to.place());
    let reading = |source| CopyError::Source { place: places.0.clone(), source };
    let writing = |source| CopyError::Target { place: places.1.clone(), source };

    let origin = from.origin().map_err(reading)?;
    let (beginning, notes) = begin(to, &origin, &places.1)?;
    let mut counts = BTreeMap::new();
    for table in TABLES {
        counts.insert(table.name, from.count(table).map_err(reading)?);
    }
    progress(Progress::Begun { how: beginning, rows: counts.values().sum() });
    let mut tallies = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let before = notes.get(table.name).and_then(|note| serde_json::from_str(note).ok());
        let tally = if table.is_numbered {
            before.unwrap_or_default()
        } else {
            // It may have changed since without a write to tell.
            to.clear(table).map_err(writing)?;
            Tally::default()
        };
        progress(Progress::Done(tally.rows));
        let tally = carry(table, from, to, tally, progress).map_err(|failed| match failed {
            Failed::Reading(error) => reading(error),
            Failed::Writing(error) => writing(error),
        })?;
        tallies.push((table, tally));
    }
    for (table, carried) in &tallies {
        let read = counts.get(table.name).copied().unwrap_or_default();
        let carried = match beginning {
            Beginning::New | Beginning::Anew => carried,
            // Not all of it was read in this one state.
            Beginning::Resumed => &tally(table, from, &mut || {}).map_err(reading)?,
        };
        let mut step = || progress(Progress::Done(1));
        let found = tally(table, to, &mut step).map_err(writing)?;
        if !found.is_equal(carried) || found.rows != read {
            let place = places.1.clone();
            return Err(CopyError::Unequal { table: table.name, place, found: found.rows, read });
        }
    }
    to.finish(&origin).map_err(writing)?;
    let now = from.afresh().map_err(reading)?;
    let source_went_on_to = Some(now.head).filter(|_| now != origin);
    Ok(Copied { beginning, revision: origin.head, rows: counts, source_went_on_to })
}

/// What a table amounts to.
fn tally<P: Place + ?Sized>(table: &Table, place: &mut P, step: &mut dyn FnMut()) -> Result<Tally> {
    let mut tally = Tally::default();
    place.each(table, None, &mut |row| {
        tally.add(&row);
        step();
        Ok(())
    })?;
    Ok(tally)
}

/// Finds out where to go on, or empties the target.
fn begin(
    to: &mut dyn Target,
    origin: &Origin,
    place: &str,
) -> Result<(Beginning, BTreeMap<String, String>), CopyError> {
    let writing = |source| CopyError::Target { place: place.to_owned(), source };
    let beginning = match to.found().map_err(writing)? {
        Found::Something => return Err(CopyError::Occupied(place.to_owned())),
        Found::Nothing => Beginning::New,
        Found::Part(notes) => {
            let begun: Option<Origin> =
                notes.get(ORIGIN).and_then(|note| serde_json::from_str(note).ok());
            match begun {
                Some(begun) if begun == *origin => return Ok((Beginning::Resumed, notes)),
                Some(begun) if begun.authority != origin.authority => {
                    let (place, authority) = (place.to_owned(), begun.authority);
                    return Err(CopyError::Another { place, authority });
                }
                Some(_) | None => Beginning::Anew,
            }
        }
    };
    let note = serde_json::to_string(origin).expect("an origin is numbers and text");
    to.begin(ORIGIN, &note).map_err(writing)?;
    Ok((beginning, BTreeMap::new()))
}

/// Whose fault it was.
enum Failed {
    Reading(StoreError),
    Writing(StoreError),
}

/// Carries what is left of a table.
fn carry(
    table: &Table,
    from: &mut dyn Source,
    to: &mut dyn Target,
    mut tally: Tally,
    progress: &mut dyn FnMut(Progress),
) -> Result<Tally, Failed> {
    if tally.is_whole {
        return Ok(tally);
    }
    let after = tally.after.clone();
    let (mut rows, mut bytes, mut failed) = (Vec::new(), 0, None);
    let mut put = |rows: &[Row], tally: &Tally| {
        let note = serde_json::to_string(tally).expect("a tally is numbers and text");
        let put = to.put(table, rows, &note).map(|()| progress(Progress::Done(rows.len() as u64)));
        put.map_err(|error| failed = Some(error)).is_ok()
    };
    let read = from.each(table, after.as_deref(), &mut |row| {
        tally.add(&row);
        bytes += row.iter().map(weight).sum::<usize>();
        rows.push(row);
        if rows.len() < MAX_ROWS && bytes < MAX_BYTES {
            return Ok(());
        }
        tally.after = rows.last().map(|row| table.key_of(row));
        bytes = 0;
        let is_put = put(&rows, &tally);
        rows.clear();
        // The reader stops; what went wrong has been kept.
        if is_put { Ok(()) } else { Err(StoreError::Closing) }
    });
    if read.is_ok() {
        tally.is_whole = true;
        tally.after = None;
        put(&rows, &tally);
    }
    match (failed, read) {
        (Some(error), _) => Err(Failed::Writing(error)),
        (None, Err(error)) => Err(Failed::Reading(error)),
        (None, Ok(())) => Ok(tally),
    }
}

fn weight(value: &Value) -> usize {
    match value {
        Value::Integer(_) | Value::Null => size_of::<Value>(),
        Value::Text(text) => size_of::<Value>() + text.len(),
    }
}
