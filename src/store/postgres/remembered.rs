//! What is remembered under a name, without a revision.

use std::{collections::BTreeMap, num::NonZeroU16};

use crate::store::{
    Done, Fenced, Result,
    postgres::{
        push,
        session::{Ask, Session, WRITE},
        write::{begin, wanted},
    },
};
use crate::told::Told;

const UPSERT: &str =
    "INSERT INTO remembered AS known (name, value) SELECT * FROM unnest($1::text[], $2::text[])
     ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE known.value <> excluded.value";
const DELETE: &str = "DELETE FROM remembered WHERE name = ANY($1)";

/// What is kept under which names, and the names of what is forgotten.
struct Sorted<'a> {
    names: Vec<&'a str>,
    values: Vec<&'a str>,
    forgotten: Vec<&'a str>,
}

impl<'a> Sorted<'a> {
    fn new(entries: &'a [(String, Option<String>)]) -> Self {
        // Of one name, the last word counts.
        let last: BTreeMap<_, _> = entries.iter().map(|(name, value)| (name, value)).collect();
        let kept = last.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)));
        let (names, values) = kept.unzip();
        let forgotten = last.iter().filter(|(_, value)| value.is_none());
        let forgotten = forgotten.map(|(name, _)| name.as_str()).collect();
        Self { names, values, forgotten }
    }

    fn asks(&self) -> [Ask<'_>; 2] {
        let Self { names, values, forgotten } = self;
        [(UPSERT, vec![names, values]), (DELETE, vec![forgotten])]
    }
}

pub(super) fn remember(session: &Session, entries: &[(String, Option<String>)]) -> Result<()> {
    session.begin(WRITE, &Sorted::new(entries).asks())?;
    session.commit(&[])
}

pub(super) fn follow(
    session: &Session,
    authority: &str,
    Fenced { fence, batch, at_stake, plan }: Fenced,
    told: Told,
) -> Result<Option<Done>> {
    let others = at_stake.iter().map(|id| id.as_str().to_owned()).collect();
    let new = batch.iter().map(|(new, _)| new);
    let mut writing = begin(session, wanted(authority, new, others, std::iter::empty()), told)?;
    let found = recall(session, std::slice::from_ref(&fence.name))?;
    if found != [fence.expected] {
        session.end()?;
        return Ok(None);
    }
    let (done, gone) = writing.follow(batch, &*plan)?;
    push::empty_bin(session, &mut writing, &gone)?;
    let mut entries = plan.entries(&done);
    entries.push((fence.name, fence.next));
    session.all(&Sorted::new(&entries).asks())?;
    writing.keep();
    writing.commit(session)?;
    Ok(Some(done))
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
