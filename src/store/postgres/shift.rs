//! Those who get articles later or earlier than everybody else: whom articles have come to.

use chrono::{DateTime, Utc};

use crate::{
    article::Revision,
    store::{Result, postgres::session::Session, stored::number},
};

/// A shift that is new: embargoed articles wait for those who get them early, and what everybody has had for less than
/// the delay waits for those who get it late.
pub(super) fn begin(session: &Session, minutes: i16, clock: DateTime<Utc>) -> Result<()> {
    let minutes = i64::from(minutes);
    if minutes < 0 {
        let insert = "INSERT INTO coming (minutes, article, at)
             SELECT $1::bigint, key, due + $1::bigint * 60 FROM article WHERE due IS NOT NULL ON CONFLICT DO NOTHING";
        session.execute(insert, &[&minutes])?;
        return Ok(());
    }
    // Times never fall from one revision to the next: the log is read no further back than the delay goes.
    let insert = "INSERT INTO coming (minutes, article, at)
         SELECT $1::bigint, article.key, least(max(change.at), $2::bigint) + $1::bigint * 60 FROM change JOIN article ON article.id = change.id
         WHERE change.kind = 'published' AND article.state = 1 AND change.revision > coalesce(
           (SELECT revision FROM change WHERE at <= $2::bigint - $1::bigint * 60 ORDER BY revision DESC LIMIT 1), 0)
         GROUP BY article.key ON CONFLICT DO NOTHING";
    session.execute(insert, &[&minutes, &clock.timestamp()])?;
    Ok(())
}

/// A shift that nobody has any more.
pub(super) fn end(session: &Session, minutes: i16) -> Result<()> {
    let minutes = i64::from(minutes);
    session.execute("DELETE FROM coming WHERE minutes = $1", &[&minutes])?;
    session.execute("DELETE FROM came WHERE minutes = $1", &[&minutes])?;
    Ok(())
}

/// Delivers articles that are due at `clock` by a write of time `commit`, `limit` at a time; returns the shifts of their
/// readers.
pub(super) fn arrive(
    session: &Session,
    now: Revision,
    (clock, commit): (DateTime<Utc>, DateTime<Utc>),
    limit: i64,
) -> Result<Vec<i16>> {
    // What is forgotten of an earlier coming is written over.
    let arrive = "WITH due AS (SELECT minutes, article FROM coming WHERE at <= $1 ORDER BY at, minutes, article LIMIT $2),
           left_by AS (DELETE FROM coming USING due WHERE coming.minutes = due.minutes AND coming.article = due.article),
           arrived AS (INSERT INTO came (minutes, article, revision, id, at)
             SELECT minutes, key, $3::bigint, id, $4::bigint FROM due JOIN article ON key = article
             ON CONFLICT (minutes, article) DO UPDATE SET
               revision = excluded.revision, id = excluded.id, at = excluded.at)
         SELECT DISTINCT minutes FROM due ORDER BY minutes";
    let rows =
        session.query(arrive, &[&clock.timestamp(), &limit, &number(now), &commit.timestamp()])?;
    let minutes = |row: &tokio_postgres::Row| -> Result<i16> {
        Ok(i16::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default())
    };
    rows.iter().map(minutes).collect()
}
