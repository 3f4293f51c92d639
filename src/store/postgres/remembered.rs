//! What is remembered under a name, without a revision.

use std::{collections::BTreeMap, num::NonZeroU16};

use crate::store::{
    Result,
    postgres::session::{Session, WRITE},
};

pub(super) fn remember(session: &Session, entries: &[(String, Option<String>)]) -> Result<()> {
    // Of one name, the last word counts.
    let last: BTreeMap<_, _> = entries.iter().map(|(name, value)| (name, value)).collect();
    let kept = last.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)));
    let (names, values): (Vec<&str>, Vec<&str>) = kept.unzip();
    let forgotten = last.iter().filter(|(_, value)| value.is_none());
    let forgotten: Vec<&str> = forgotten.map(|(name, _)| name.as_str()).collect();
    let upsert = "INSERT INTO remembered AS known (name, value) SELECT * FROM unnest($1::text[], $2::text[])
         ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE known.value <> excluded.value";
    let delete = "DELETE FROM remembered WHERE name = ANY($1)";
    session.begin(WRITE, &[(upsert, vec![&names, &values]), (delete, vec![&forgotten])])?;
    session.commit(&[])
}

pub(super) fn recall(session: &Session, names: &[String]) -> Result<Vec<Option<String>>> {
    let select = "SELECT value FROM unnest($1::text[]) WITH ORDINALITY AS asked(n, nth)
         LEFT JOIN remembered ON name = n ORDER BY nth";
    let rows = session.query(select, &[&names])?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) fn recall_after(
    session: &Session,
    prefix: &str,
    after: &str,
    limit: NonZeroU16,
) -> Result<Vec<(String, String)>> {
    // No name has a character beyond the last one of Unicode.
    let (first, end) = (prefix.max(after), format!("{prefix}\u{10ffff}"));
    let select =
        "SELECT name, value FROM remembered WHERE name > $1 AND name < $2 ORDER BY name LIMIT $3";
    let rows = session.query(select, &[&first, &end, &i64::from(limit.get())])?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
