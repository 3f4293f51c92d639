//! Tokens, and the ledger of what partners have fetched.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::{
    category::{Facet, Slug},
    store::{
        Delivery, MEMORY, Result, STATES, StoreError, Token,
        postgres::{
            draft::Wanted,
            row::revision,
            session::{Session, WRITE},
            write::begin,
        },
        stored::{number, time},
    },
    told::Told,
};

pub(super) fn tokens(session: &Session) -> Result<Vec<Token>> {
    let select = "SELECT digest, partner, holder, created, ends FROM token ORDER BY partner, holder, created";
    let mut tokens = Vec::new();
    for row in session.query(select, &[])? {
        tokens.push(Token {
            digest: row.try_get(0)?,
            partner: slug(row.try_get(1)?)?,
            holder: row.try_get(2)?,
            created: time(row.try_get(3)?),
            ends: row.try_get::<_, Option<i64>>(4)?.map(time),
        });
    }
    Ok(tokens)
}

pub(super) fn issue(
    session: &Session,
    token: &Token,
    others_end: Option<DateTime<Utc>>,
) -> Result<()> {
    let Token { digest, partner, holder, created, ends } = token;
    let mut writing = begin(session, Wanted::default(), Told::from(*created))?;
    match others_end {
        Some(end) if end > *created => {
            // No token of the holder's is good for longer than until then.
            let update = "UPDATE token SET ends = $1
                 WHERE partner = $2 AND holder = $3 AND (ends IS NULL OR ends > $1)";
            session.execute(update, &[&end.timestamp(), &partner.as_str(), holder])?;
        }
        Some(_) => {
            forget(session, partner, Some(holder))?;
        }
        None => {}
    }
    let long_ago = (*created - MEMORY).timestamp();
    session.execute("DELETE FROM token WHERE ends < $1", &[&long_ago])?;
    let insert =
        "INSERT INTO token (digest, partner, holder, created, ends) VALUES ($1, $2, $3, $4, $5)";
    let ends = ends.map(|ends| ends.timestamp());
    session.execute(insert, &[digest, &partner.as_str(), holder, &created.timestamp(), &ends])?;
    writing.move_mark(Facet::access(), false);
    writing.commit(session)?;
    Ok(())
}

pub(super) fn revoke(
    session: &Session,
    partner: &Slug,
    holder: Option<&str>,
    told: Told,
) -> Result<usize> {
    let mut writing = begin(session, Wanted::default(), told)?;
    let select = "SELECT count(*) FROM token
         WHERE partner = $1 AND ($2::text IS NULL OR holder = $2) AND (ends IS NULL OR ends > $3)";
    let count: i64 =
        session.one(select, &[&partner.as_str(), &holder, &told.now().timestamp()])?.try_get(0)?;
    if forget(session, partner, holder)? > 0 {
        writing.move_mark(Facet::access(), false);
    }
    writing.commit(session)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Tokens that have ended for good: one that only ended at some time would be good again once the clock goes back.
fn forget(session: &Session, partner: &Slug, holder: Option<&str>) -> Result<u64> {
    let delete = "DELETE FROM token WHERE partner = $1 AND ($2::text IS NULL OR holder = $2)";
    session.execute(delete, &[&partner.as_str(), &holder])
}

/// No revision: who has fetched what is part of no feed.
pub(super) fn deliver(session: &Session, deliveries: &[Delivery]) -> Result<()> {
    // One statement touches each row once.
    let mut merged: BTreeMap<_, (i64, i64, i64)> = BTreeMap::new();
    for Delivery { partner, holder, feed, revision, first, last, count } in deliveries {
        let (first, last) = (first.timestamp(), last.timestamp());
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        let key = (partner.as_str(), feed.as_str(), holder.as_str(), number(*revision));
        let known = merged.entry(key).or_insert((first, last, 0));
        *known = (known.0.min(first), known.1.max(last), known.2.saturating_add(count));
    }
    let upsert = "INSERT INTO delivery AS known (partner, feed, holder, revision, first, last, count)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
         ON CONFLICT (partner, feed, holder, revision) DO UPDATE SET
           first = least(known.first, excluded.first), last = greatest(known.last, excluded.last),
           count = known.count + excluded.count";
    // The states of a feed that a holder had before those that are kept.
    let prune = "DELETE FROM delivery USING (
           SELECT p, f, h, (SELECT revision FROM delivery WHERE partner = p AND feed = f AND holder = h
                            ORDER BY revision DESC LIMIT 1 OFFSET $4) AS oldest
           FROM unnest($1::text[], $2::text[], $3::text[]) AS had(p, f, h)) AS had
         WHERE partner = p AND feed = f AND holder = h AND revision <= oldest";
    let keys = merged.keys();
    let partners: Vec<_> = keys.clone().map(|key| key.0).collect();
    let feeds: Vec<_> = keys.clone().map(|key| key.1).collect();
    let holders: Vec<_> = keys.clone().map(|key| key.2).collect();
    let revisions: Vec<_> = keys.clone().map(|key| key.3).collect();
    let firsts: Vec<_> = merged.values().map(|times| times.0).collect();
    let lasts: Vec<_> = merged.values().map(|times| times.1).collect();
    let counts: Vec<_> = merged.values().map(|times| times.2).collect();
    let had: BTreeSet<_> = keys.map(|key| (key.0, key.1, key.2)).collect();
    let had_by: Vec<_> = had.iter().map(|had| had.0).collect();
    let had_of: Vec<_> = had.iter().map(|had| had.1).collect();
    let held_by: Vec<_> = had.iter().map(|had| had.2).collect();
    session.begin(
        WRITE,
        &[
            (upsert, vec![&partners, &feeds, &holders, &revisions, &firsts, &lasts, &counts]),
            (prune, vec![&had_by, &had_of, &held_by, &STATES]),
        ],
    )?;
    session.commit(&[])
}

pub(super) fn deliveries(session: &Session, partner: &Slug) -> Result<Vec<Delivery>> {
    let select =
        "SELECT feed, revision, holder, first, last, count FROM delivery WHERE partner = $1
         ORDER BY feed, holder, revision";
    let mut deliveries = Vec::new();
    for row in session.query(select, &[&partner.as_str()])? {
        deliveries.push(Delivery {
            partner: partner.clone(),
            feed: row.try_get(0)?,
            revision: revision(&row, "revision")?,
            holder: row.try_get(2)?,
            first: time(row.try_get(3)?),
            last: time(row.try_get(4)?),
            count: u64::try_from(row.try_get::<_, i64>(5)?).unwrap_or_default(),
        });
    }
    Ok(deliveries)
}

fn slug(stored: &str) -> Result<Slug> {
    stored.parse().map_err(|_| StoreError::Failed(format!("`{stored}` is no partner").into()))
}
