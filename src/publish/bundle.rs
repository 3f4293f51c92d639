//! Documents for those who keep them elsewhere: all of a feed from one reading of the store, and nothing left in memory.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    article::{Revision, Span},
    edition::Edition,
    feed::{Feed, FeedPath},
    format::{Format, RenderError},
    publish::{
        Document, PublishError, Publisher, blocking,
        make::{edition_of_archive, edition_of_feed},
    },
};

/// What there is of a feed, or of one archive of it, in each format.
pub struct Bundle {
    /// As formats are offered.
    pub editions: Vec<(Document, Edition)>,
    /// The archive that continues it.
    pub previous: Option<Span>,
    /// The head of the store at which it was read.
    pub head: Revision,
    /// When it last changed, in whole seconds.
    pub changed: DateTime<Utc>,
}

impl Publisher {
    /// A feed in every format.
    pub async fn bundle(&self, path: &FeedPath) -> Result<Bundle, PublishError> {
        let spec = self.find(path).ok_or_else(|| PublishError::UnknownFeed(path.clone()))?;
        let snapshot = self.store.snapshot(&spec.marks(), &spec.selection, spec.window).await?;
        let head = snapshot.head;
        let of = path.clone();
        let render = move || {
            let feed = Feed::assemble(spec, snapshot);
            let document = |format: &Format| {
                let document = Document::Feed(of.clone(), *format);
                Ok((document, edition_of_feed(&feed, *format, Vec::new())?))
            };
            let editions = Format::offered(&feed.spec).iter().map(document);
            let (previous, changed) = (feed.previous(), feed.changed);
            Ok(Bundle { editions: editions.collect::<Result<_, _>>()?, previous, head, changed })
        };
        let refused = |source: RenderError| PublishError::Render { path: path.to_string(), source };
        blocking(render).await.map_err(refused)
    }

    /// An archive in every format; `None` while not all of its places are taken.
    pub async fn archive(
        &self,
        path: &FeedPath,
        span: Span,
    ) -> Result<Option<Bundle>, PublishError> {
        let spec = self.find(path).ok_or_else(|| PublishError::UnknownFeed(path.clone()))?;
        let _turn = self.archivist.lock().await;
        let snapshot = self.store.archive(&spec.settings(), &spec.selection, span).await?;
        let Some(snapshot) = snapshot else { return Ok(None) };
        let head = snapshot.head;
        let of = path.clone();
        let render = move || {
            let feed = Feed::assemble(spec, snapshot);
            let document = |format: Format| {
                let document = Document::Archive(of.clone(), span, format);
                Ok((document, edition_of_archive(&feed, format, Vec::new())?))
            };
            let editions = Format::FEEDS.into_iter().map(document);
            let (previous, changed) = (feed.previous(), feed.changed);
            Ok(Bundle { editions: editions.collect::<Result<_, _>>()?, previous, head, changed })
        };
        let refused =
            |source: RenderError| PublishError::Render { path: format!("{path}, {span}"), source };
        blocking(render).await.map(Some).map_err(refused)
    }

    /// A document as the store has it now.
    pub async fn fresh(&self, document: &Document) -> Result<Arc<Edition>, PublishError> {
        self.make(document, None).await.map(|kept| kept.edition)
    }
}
