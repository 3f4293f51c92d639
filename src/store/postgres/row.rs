//! Rows of the table `article`, in and out.

use chrono::{DateTime, Utc};
use tokio_postgres::Row as SqlRow;

use crate::{
    article::{ArticleId, Revision, Story},
    store::{Result, StoreError, decide::Row, stored},
    text::Text,
};

/// The columns by their names: a newer version may have added others, and a plan of `*` fails once that is done.
macro_rules! columns {
    () => { "article.key, article.id, article.guid, article.state, article.placed, article.published, article.updated, article.modified, article.slot, article.due, article.expires, article.frozen, article.revision, article.bytes, article.story, article.claim, article.alias, article.cleaning, article.folder"
    };
}

/// The columns of [`decode`].
pub(super) const COLUMNS: &str = columns!();

/// Articles by their ids.
pub(super) const FIND: &str = concat!("SELECT ", columns!(), " FROM article WHERE id = ANY($1)");

/// One row of a query for [`COLUMNS`].
pub(super) fn decode(row: &SqlRow) -> Result<(i64, Row)> {
    let id: &str = row.try_get("id")?;
    let text: &str = row.try_get("story")?;
    // A withdrawn article keeps its identity, and nothing of what it said.
    let story = if text.is_empty() { Story::default() } else { stored::story(id, text)? };
    let instant = |column| row.try_get(column).map(stored::time);
    let instants =
        |column| row.try_get::<_, Option<i64>>(column).map(|seconds| seconds.map(stored::time));
    let decoded = Row {
        id: article(id)?,
        guid: Text::new(row.try_get("guid")?),
        state: stored::state(row.try_get("state")?),
        placed: instant("placed")?,
        published: instant("published")?,
        updated: instant("updated")?,
        modified: instants("modified")?,
        slot: row.try_get("slot")?,
        due: instants("due")?,
        expires: instants("expires")?,
        is_frozen: row.try_get::<_, i64>("frozen")? != 0,
        revision: stored::revision(row.try_get("revision")?),
        story,
        bytes: u32::try_from(row.try_get::<_, i64>("bytes")?).unwrap_or(u32::MAX),
        claim: stored::claim(row.try_get("claim")?),
        alias: row.try_get::<_, Option<&str>>("alias")?.map(Text::new),
        cleaning: u32::try_from(row.try_get::<_, i64>("cleaning")?).unwrap_or_default(),
        folder: row.try_get::<_, Option<&str>>("folder")?.map(Text::new),
    };
    Ok((row.try_get("key")?, decoded))
}

/// A stored id.
pub(super) fn article(id: &str) -> Result<ArticleId> {
    ArticleId::new(id).ok_or_else(|| StoreError::Failed(format!("`{id}` is no id").into()))
}

/// A time in a column of the first row, if there is one.
pub(super) fn times(rows: &[SqlRow], column: &str) -> Result<Option<DateTime<Utc>>> {
    let time = rows.first().map(|row| row.try_get::<_, Option<i64>>(column)).transpose()?;
    Ok(time.flatten().map(stored::time))
}

/// A stored revision.
pub(super) fn revision(row: &SqlRow, column: &str) -> Result<Revision> {
    Ok(stored::revision(row.try_get(column)?))
}
