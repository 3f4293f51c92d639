//! What a source would give, without taking anything.

use crate::{
    article::Submission,
    feed::Catalogue,
    import::Fault,
    source::{
        FIELDS, SourceError, feed, folder,
        follow::catalogue_of,
        spec::{Kind, Source},
        sql::{PAGE_ROWS, Reader},
        take::{Entry, read},
    },
};

/// What would become of a row.
#[derive(Debug)]
pub struct Preview {
    /// Its key.
    pub key: String,
    /// What it would be, or everything that is wrong with it; `None`: it is not to be read.
    pub reading: Option<Result<Submission, Vec<Fault>>>,
    /// Columns that are no fields, `_` left out.
    pub unknown: Vec<String>,
}

/// Reads all rows, or the first of them, and tells of each; how many have nothing in their `cursor`.
pub async fn preview(
    source: &Source,
    catalogue: &Catalogue,
    most: usize,
    mut tell: impl FnMut(Preview),
) -> Result<u64, SourceError> {
    let mut without_cursor = 0;
    let catalogue = catalogue_of(source, catalogue);
    let mut told = 0;
    let mut each = |entries: Vec<Entry>, unknown: &[String]| {
        for Entry { key, record, is_published } in entries {
            told += 1;
            let reading = is_published.then(|| read(&catalogue, &source.id_prefix, record));
            let key = key.as_str().map_or_else(|| key.to_string(), |key| key.replace('\t', " "));
            tell(Preview { key, reading, unknown: unknown.to_vec() });
        }
        told < most
    };
    match &source.kind {
        Kind::Sql(sql) => {
            let mut reader = Reader::open(sql).await?;
            let mut after = None;
            loop {
                let page = reader.load(after.as_ref(), PAGE_ROWS.min(most)).await?;
                let Some((_, last)) = page.last else { break };
                after = Some(last);
                without_cursor += page.without_cursor;
                if !each(page.entries, &unknown(&page.columns)) {
                    break;
                }
            }
        }
        Kind::Folder(folder) => {
            for entries in folder::preview(folder)? {
                if !each(entries, &[]) {
                    break;
                }
            }
        }
        Kind::Feed(spec) => {
            each(feed::preview(spec).await?, &[]);
        }
    }
    Ok(without_cursor)
}

/// Columns that are no fields.
pub(super) fn unknown(columns: &[String]) -> Vec<String> {
    let is_unknown = |name: &&String| !name.starts_with('_') && !FIELDS.contains(&name.as_str());
    columns.iter().filter(is_unknown).cloned().collect()
}
