//! Layouts of the tables, and the way from one to the next.

use chrono::{DateTime, Utc};

use crate::store::{
    Result, StoreError,
    postgres::session::{Session, WRITE},
};

/// The advisory lock of whoever looks after the layout: `Cour`, so that no other program waits for it.
const LOCK: i64 = 0x436f_7572;

/// Each brings the tables from the layout of its index to the next. Never changed once released.
const MIGRATIONS: &[&str] =
    &[include_str!("schema.sql"), include_str!("push.sql"), include_str!("identity.sql")];

/// Which layout there is.
const LAYOUT: &str = "CREATE TABLE courant_layout (
   one     BIGINT PRIMARY KEY CHECK (one = 1),
   version BIGINT NOT NULL
 )";

/// Tables in the schema that is written to, less those that an extension has brought along.
const TABLES: &str = "SELECT count(*) AS tables, count(*) FILTER (WHERE relname = 'courant_layout') AS ours,
   count(*) FILTER (WHERE relname = 'copying') AS copying, current_setting('server_encoding') AS encoding
 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
   AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')";

/// Where news of these very tables travels: other schemas of the database may have stores of their own.
const CHANNEL: &str = "SELECT 'courant_' || 'store'::regclass::oid";
/// Tells it when the transaction is committed: the newest write.
pub(super) const NOTIFY: &str = "SELECT pg_notify('courant_' || 'store'::regclass::oid, $1)";

/// What there is.
pub(super) struct Layout {
    /// Its number.
    pub version: i64,
    /// Whether a copy to it has not come to its end.
    pub is_part: bool,
}

/// The layout of this program.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("a handful")
}

/// Brings the tables to the layout of this program, or makes them; the name of the channel on which news of them travels.
///
/// However many programs begin at once, one does it, and the others wait.
pub(super) fn prepare(
    session: &Session,
    shown: &str,
    authority: &str,
    now: DateTime<Utc>,
) -> Result<String> {
    let refuse_part = |found: &Option<Layout>| match found {
        Some(Layout { is_part: true, .. }) => Err(StoreError::Part(shown.to_owned())),
        Some(Layout { is_part: false, .. }) | None => Ok(()),
    };
    let found = look(session, shown)?;
    refuse_part(&found)?;
    if found.is_none_or(|found| found.version != known()) {
        session.begin(WRITE, &[])?;
        let found = migrate(session, shown)?;
        refuse_part(&found)?;
        if found.is_none() {
            session.execute(
                "INSERT INTO store (one, head, changed, shelved, authority) VALUES (1, 0, $1, 0, $2)",
                &[&now.timestamp(), &authority],
            )?;
        }
        session.commit(&[])?;
    }
    Ok(session.one(CHANNEL, &[])?.try_get(0)?)
}

/// Does so within a transaction; what there was when nobody else did the same any more.
pub(super) fn migrate(session: &Session, shown: &str) -> Result<Option<Layout>> {
    let known = known();
    session.query("SELECT pg_advisory_xact_lock($1)", &[&LOCK])?;
    // The one before may have done it meanwhile.
    let found = look(session, shown)?;
    let before = found.as_ref().map_or(0, |found| found.version);
    if before > known {
        return Err(StoreError::Newer { path: shown.to_owned(), found: before, known });
    }
    if found.is_none() {
        session.batch(LAYOUT)?;
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(before).unwrap_or_default()) {
        session.batch(migration)?;
    }
    session.execute(
        "INSERT INTO courant_layout (one, version) VALUES (1, $1)
         ON CONFLICT (one) DO UPDATE SET version = excluded.version",
        &[&known],
    )?;
    Ok(found)
}

/// Which layout there is; `None`: nothing is there.
pub(super) fn look(session: &Session, shown: &str) -> Result<Option<Layout>> {
    let row = session.one(TABLES, &[])?;
    let (tables, ours): (i64, i64) = (row.try_get("tables")?, row.try_get("ours")?);
    let is_part = row.try_get::<_, i64>("copying")? > 0;
    let encoding: &str = row.try_get("encoding")?;
    if encoding != "UTF8" {
        let why = format!("the database is in {encoding}; make one with ENCODING 'UTF8'");
        return Err(StoreError::Failed(why.into()));
    }
    if ours > 0 {
        let row = session.one("SELECT version FROM courant_layout WHERE one = 1", &[])?;
        return Ok(Some(Layout { version: row.try_get(0)?, is_part }));
    }
    if tables > 0 { Err(StoreError::Foreign(shown.to_owned())) } else { Ok(None) }
}
