//! Rows of the table `article`, in and out.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row as SqlRow, Transaction, named_params};

use crate::{
    article::{ArticleId, Story},
    store::{
        Result,
        decide::Row,
        stored::{self, claim, claim_number, number, revision, state, state_number, story, time},
    },
    text::Text,
};

/// The columns of [`decode`], in its order.
pub(super) const COLUMNS: &str = "key, id, guid, state, placed, published, updated, modified, slot, due, expires, frozen, revision, bytes, story, claim, alias, cleaning, folder";

/// An article by its id, with its key.
pub(super) fn find(reader: &Connection, id: &ArticleId) -> Result<Option<(i64, Row)>> {
    let mut select =
        reader.prepare_cached(&format!("SELECT {COLUMNS} FROM article WHERE id = ?"))?;
    let mut rows = select.query([id.as_str()])?;
    rows.next()?.map(decode).transpose()
}

/// One row of a query for [`COLUMNS`].
pub(super) fn decode(row: &SqlRow<'_>) -> Result<(i64, Row)> {
    let id: String = row.get("id")?;
    let text = row.get_ref("story")?.as_str().map_err(rusqlite::Error::from)?;
    // A withdrawn article keeps its identity, and nothing of what it said.
    let story = if text.is_empty() { Story::default() } else { story(&id, text)? };
    let instant = |column| row.get(column).map(time);
    let instants = |column| row.get::<_, Option<i64>>(column).map(|seconds| seconds.map(time));
    let decoded = Row {
        id: ArticleId::new(&id).ok_or(rusqlite::Error::InvalidQuery)?,
        guid: Text::new(&row.get::<_, String>("guid")?),
        state: state(row.get("state")?),
        placed: instant("placed")?,
        published: instant("published")?,
        updated: instant("updated")?,
        modified: instants("modified")?,
        slot: row.get("slot")?,
        due: instants("due")?,
        expires: instants("expires")?,
        is_frozen: row.get("frozen")?,
        revision: revision(row.get("revision")?),
        story,
        bytes: row.get("bytes")?,
        claim: claim(row.get("claim")?),
        alias: row.get::<_, Option<String>>("alias")?.as_deref().map(Text::new),
        cleaning: row.get("cleaning")?,
        folder: row.get::<_, Option<String>>("folder")?.as_deref().map(Text::new),
    };
    Ok((row.get("key")?, decoded))
}

/// Writes a row, new or changed, and gives its key.
pub(super) fn save(transaction: &Transaction<'_>, row: &Row) -> Result<i64> {
    let text = stored::text(row);
    let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp());
    let mut insert = transaction.prepare_cached(
        "INSERT INTO article
           (id, guid, state, placed, published, updated, modified, slot, due, expires, frozen, revision, bytes, story,
            claim, alias, cleaning, folder)
         VALUES
           (:id, :guid, :state, :placed, :published, :updated, :modified, :slot, :due, :expires, :frozen, :revision,
            :bytes, :story, :claim, :alias, :cleaning, :folder)
         ON CONFLICT (id) DO UPDATE SET
           guid = :guid, state = :state, placed = :placed, published = :published, updated = :updated, modified = :modified,
           slot = :slot, due = :due, expires = :expires, frozen = :frozen, revision = :revision, bytes = :bytes,
           story = :story, claim = :claim, alias = :alias, cleaning = :cleaning, folder = :folder
         RETURNING key",
    )?;
    let key = insert.query_row(
        named_params! {
            ":id": row.id.as_str(),
            ":guid": row.guid.as_str(),
            ":state": state_number(row.state),
            ":placed": row.placed.timestamp(),
            ":published": row.published.timestamp(),
            ":updated": row.updated.timestamp(),
            ":modified": seconds(row.modified),
            ":slot": row.slot,
            ":due": seconds(row.due),
            ":expires": seconds(row.expires),
            ":frozen": row.is_frozen,
            ":revision": number(row.revision),
            ":bytes": row.bytes,
            ":story": text,
            ":claim": claim_number(row.claim),
            ":alias": row.alias.as_ref().map(Text::as_str),
            ":cleaning": row.cleaning,
            ":folder": row.folder.as_ref().map(Text::as_str),
        },
        |row| row.get(0),
    )?;
    Ok(key)
}
