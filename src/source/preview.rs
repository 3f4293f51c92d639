//! What a source would give, without taking anything.

use crate::{
    article::Submission,
    feed::Catalogue,
    import::Fault,
    source::{
        SourceError,
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

/// Reads all rows, or the first of them, and tells of each.
pub async fn preview(
    source: &Source,
    catalogue: &Catalogue,
    most: usize,
    mut tell: impl FnMut(Preview),
) -> Result<(), SourceError> {
    let catalogue = catalogue_of(source, catalogue);
    let Kind::Sql(sql) = &source.kind;
    let mut reader = Reader::open(sql).await?;
    let (mut after, mut told) = (None, 0);
    while told < most {
        let page = reader.load(after.as_ref(), PAGE_ROWS.min(most - told)).await?;
        let Some((_, last)) = page.last else { break };
        after = Some(last);
        let unknown: Vec<String> = page
            .columns
            .iter()
            .filter(|name| !name.starts_with('_') && !super::FIELDS.contains(&name.as_str()))
            .cloned()
            .collect();
        for Entry { key, record, is_published } in page.entries {
            told += 1;
            let reading = is_published.then(|| read(&catalogue, &source.id_prefix, record));
            let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            tell(Preview { key, reading, unknown: unknown.clone() });
        }
    }
    Ok(())
}
