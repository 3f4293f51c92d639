//! Tokens, and the ledger of what partners have fetched.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::{
    category::{Facet, Slug},
    store::{
        Delivery, MEMORY, Result, STATES, Token,
        sqlite::write::{Writing, begin},
        stored::{number, revision, time},
    },
    told::Told,
};

/// The states of a feed that a holder had before those that are kept.
const PRUNE: &str =
    "DELETE FROM delivery WHERE partner = ?1 AND feed = ?2 AND holder = ?3 AND revision <=
    (SELECT revision FROM delivery WHERE partner = ?1 AND feed = ?2 AND holder = ?3
     ORDER BY revision DESC LIMIT 1 OFFSET ?4)";

pub(super) fn tokens(reader: &Connection) -> Result<Vec<Token>> {
    let mut select = reader.prepare_cached(
        "SELECT digest, partner, holder, created, ends FROM token ORDER BY partner, holder, created",
    )?;
    let mut rows = select.query([])?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        tokens.push(Token {
            digest: row.get(0)?,
            partner: slug(&row.get::<_, String>(1)?)?,
            holder: row.get(2)?,
            created: time(row.get(3)?),
            ends: row.get::<_, Option<i64>>(4)?.map(time),
        });
    }
    Ok(tokens)
}

pub(super) fn issue(
    writer: &mut Connection,
    token: &Token,
    others_end: Option<DateTime<Utc>>,
) -> Result<()> {
    let Token { digest, partner, holder, created, ends } = token;
    let mut writing = begin(writer, Told::from(*created))?;
    match others_end {
        Some(end) if end > *created => cut_short(&writing, partner, holder, end)?,
        Some(_) => {
            forget(&writing, partner, Some(holder))?;
        }
        None => {}
    }
    let long_ago = (*created - MEMORY).timestamp();
    writing.tables.0.execute("DELETE FROM token WHERE ends < ?", [long_ago])?;
    writing.tables.0.execute(
        "INSERT INTO token (digest, partner, holder, created, ends) VALUES (?, ?, ?, ?, ?)",
        params![
            digest,
            partner.as_str(),
            holder,
            created.timestamp(),
            ends.map(|ends| ends.timestamp())
        ],
    )?;
    writing.move_mark(Facet::access(), false);
    writing.commit()?;
    Ok(())
}

pub(super) fn revoke(
    writer: &mut Connection,
    partner: &Slug,
    holder: Option<&str>,
    told: Told,
) -> Result<usize> {
    let mut writing = begin(writer, told)?;
    let count = writing.tables.0.query_row(
        "SELECT count(*) FROM token
         WHERE partner = ?1 AND (?2 IS NULL OR holder = ?2) AND (ends IS NULL OR ends > ?3)",
        params![partner.as_str(), holder, told.now().timestamp()],
        |row| row.get::<_, i64>(0),
    )?;
    if forget(&writing, partner, holder)? > 0 {
        writing.move_mark(Facet::access(), false);
    }
    writing.commit()?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Tokens that have ended for good: one that only ended at some time would be good again once the clock goes back.
fn forget(writing: &Writing<'_>, partner: &Slug, holder: Option<&str>) -> Result<usize> {
    let delete = "DELETE FROM token WHERE partner = ?1 AND (?2 IS NULL OR holder = ?2)";
    Ok(writing.tables.0.execute(delete, params![partner.as_str(), holder])?)
}

/// No token of a holder's is good for longer than until `end`.
fn cut_short(
    writing: &Writing<'_>,
    partner: &Slug,
    holder: &str,
    end: DateTime<Utc>,
) -> Result<()> {
    let update = "UPDATE token SET ends = ?1
                  WHERE partner = ?2 AND holder = ?3 AND (ends IS NULL OR ends > ?1)";
    writing.tables.0.execute(update, params![end.timestamp(), partner.as_str(), holder])?;
    Ok(())
}

/// No revision: who has fetched what is part of no feed.
pub(super) fn deliver(writer: &mut Connection, deliveries: &[Delivery]) -> Result<()> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut upsert = transaction.prepare_cached(
            "INSERT INTO delivery (partner, feed, holder, revision, first, last, count) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (partner, feed, holder, revision) DO UPDATE SET
               first = min(first, excluded.first), last = max(last, excluded.last), count = count + excluded.count",
        )?;
        let mut prune = transaction.prepare_cached(PRUNE)?;
        for delivery in deliveries {
            let Delivery { partner, holder, feed, revision, first, last, count } = delivery;
            let (first, last) = (first.timestamp(), last.timestamp());
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            let partner = partner.as_str();
            upsert.execute(params![
                partner,
                feed,
                holder,
                number(*revision),
                first,
                last,
                count
            ])?;
            prune.execute(params![partner, feed, holder, STATES])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

pub(super) fn deliveries(reader: &Connection, partner: &Slug) -> Result<Vec<Delivery>> {
    let mut select = reader.prepare_cached(
        "SELECT feed, revision, holder, first, last, count FROM delivery WHERE partner = ?
         ORDER BY feed, holder, revision",
    )?;
    let mut rows = select.query([partner.as_str()])?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(Delivery {
            partner: partner.clone(),
            feed: row.get(0)?,
            revision: revision(row.get(1)?),
            holder: row.get(2)?,
            first: time(row.get(3)?),
            last: time(row.get(4)?),
            count: u64::try_from(row.get::<_, i64>(5)?).unwrap_or_default(),
        });
    }
    Ok(deliveries)
}

fn slug(stored: &str) -> Result<Slug> {
    Ok(stored.parse().map_err(|_| rusqlite::Error::InvalidQuery)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_are_not_kept_are_found_without_reading_those_that_are() {
        let store = Connection::open_in_memory().unwrap();
        store.execute_batch(include_str!("partners.sql").split_once(';').unwrap().1).unwrap();
        let mut plan = store.prepare(&format!("EXPLAIN QUERY PLAN {PRUNE}")).unwrap();
        let steps = plan.query_map(params!["wire", "all", "", STATES], |row| row.get(3)).unwrap();
        let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        let within = "SEARCH delivery USING PRIMARY KEY (partner=? AND feed=? AND holder=?";
        assert_eq!(steps[0], format!("{within} AND revision<?)"));
        assert!(steps.contains(&format!("{within})")), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP")), "{steps:?}");
    }
}
