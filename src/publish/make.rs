//! Making editions: what is read from the store, written as a document, and coded.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::{HeaderName, HeaderValue};

use crate::{
    article::{ArticleId, Revision, Snapshot, Span, Story},
    category::{Facet, Slug},
    edition::{Edition, Entries, Presentation},
    feed::{Feed, FeedPath, Listing},
    format::{self, Format, RenderError},
    publish::{
        Document, EpisodeFile, Kept, PublishError, Publisher, blocking,
        document::{of_archive, of_feed, of_other, of_program},
        turn::Turn,
    },
};

impl Publisher {
    /// Makes an edition.
    pub(super) async fn make(
        &self,
        document: &Document,
        turn: Option<Turn>,
    ) -> Result<Kept, PublishError> {
        let (edition, marks, head) = match document {
            Document::Feed(path, format) => self.make_feed(path, *format, turn).await?,
            Document::Archive(path, span, format) => {
                self.make_archive(path, *span, *format, turn).await?
            }
            Document::Episode(id, file) => self.make_episode(document, None, id, file).await?,
            Document::Reached(name, id, file) => {
                self.make_episode(document, Some(name), id, file).await?
            }
            Document::Index => {
                self.make_listing("text/html; charset=utf-8", format::index, turn).await?
            }
            Document::Opml => {
                self.make_listing("text/x-opml; charset=utf-8", format::opml, turn).await?
            }
            Document::Style => {
                (self.fixed("text/css; charset=utf-8", format::STYLE), Vec::new(), Revision(0))
            }
            Document::Robots => {
                (self.fixed("text/plain; charset=utf-8", ROBOTS), Vec::new(), Revision(0))
            }
        };
        let document = document.clone();
        let edition = Arc::new(edition);
        Ok(Kept {
            document,
            marks,
            edition,
            head,
            uses: AtomicU64::new(0),
            idle: 0,
            made: self.rounds.load(Ordering::Relaxed),
            is_recoded: false,
        })
    }

    async fn make_feed(
        &self,
        path: &FeedPath,
        format: Format,
        turn: Option<Turn>,
    ) -> Result<(Edition, Vec<Facet>, Revision), PublishError> {
        let spec = self.find(path).ok_or_else(|| PublishError::UnknownFeed(path.clone()))?;
        let marks = spec.marks();
        let snapshot = self.store.snapshot(&marks, &spec.selection, spec.window).await?;
        let head = snapshot.head;
        let edge = self.told(&marks);
        let edition =
            working(turn, move || edition_of_feed(&Feed::assemble(spec, snapshot), format, edge));
        let edition = edition
            .await
            .map_err(|source| PublishError::Render { path: path.to_string(), source })?;
        Ok((edition, marks, head))
    }

    async fn make_archive(
        &self,
        path: &FeedPath,
        span: Span,
        format: Format,
        turn: Option<Turn>,
    ) -> Result<(Edition, Vec<Facet>, Revision), PublishError> {
        let spec = self.find(path).ok_or_else(|| PublishError::UnknownFeed(path.clone()))?;
        // One at a time: an archive may hold a hundred long texts.
        let _turn = self.archivist.lock().await;
        let marks = spec.marks();
        let snapshot = self.store.archive(&spec.settings(), &spec.selection, span).await?;
        let Some(snapshot) = snapshot else {
            let (path, is_to_come) = (path.clone(), span.is_full());
            let error =
                if is_to_come { PublishError::Unfilled } else { PublishError::UnknownArchive };
            return Err(error(path, span));
        };
        let head = snapshot.head;
        let edge = self.told(&marks);
        let edition = working(turn, move || {
            edition_of_archive(&Feed::assemble(spec, snapshot), format, edge)
        });
        let edition = edition
            .await
            .map_err(|source| PublishError::Render { path: format!("{path}, {span}"), source })?;
        Ok((edition, marks, head))
    }

    async fn make_episode(
        &self,
        document: &Document,
        reader: Option<&Slug>,
        id: &ArticleId,
        file: &EpisodeFile,
    ) -> Result<(Edition, Vec<Facet>, Revision), PublishError> {
        let unknown = || PublishError::UnknownFile(document.path());
        let snapshot = self.store.article(id).await?.ok_or_else(unknown)?;
        let Snapshot { head, mark, articles, .. } = snapshot;
        let partner =
            reader.map(|name| self.catalogue.partner(name).ok_or_else(unknown)).transpose()?;
        let feeds = partner.map(|partner| self.catalogue.feeds_of(partner));
        let is_cleared = |story: &Story| match &feeds {
            None => !story.clearance.is_private,
            Some(feeds) => feeds.iter().any(|spec| story.is_selected(&spec.selection)),
        };
        if let Some(partner) = partner {
            // It may be for them, and not have come yet.
            let last = self.store.last(id, partner.shift_minutes).await?;
            last.and_then(|last| last.article).ok_or_else(unknown)?;
        }
        let article = articles.first().filter(|article| is_cleared(&article.story));
        let episode = article.and_then(|article| article.story.episode.as_deref());
        let found = episode.and_then(|episode| match file {
            EpisodeFile::Chapters => format::chapters(episode.chapters.as_ref()?),
            EpisodeFile::Transcript(name) => format::transcript(episode, name),
        });
        let (content_type, bytes) = found.ok_or_else(unknown)?;
        let max_age = u32::from(self.catalogue.defaults.ttl.get()) * 60;
        let is_private = reader.is_some();
        let marks = vec![Facet::episodes(), Facet::episodes().private()];
        let edge = self.told(&marks);
        let presentation = Presentation { is_private, edge, ..of_other(content_type, max_age) };
        let edition = Edition::new(bytes, &presentation, mark.revision, Some(mark.changed));
        Ok((edition, marks, head))
    }

    async fn make_listing(
        &self,
        content_type: &'static str,
        render: fn(&Listing) -> Vec<u8>,
        turn: Option<Turn>,
    ) -> Result<(Edition, Vec<Facet>, Revision), PublishError> {
        let marks = vec![Facet::site(), Facet::catalogue()];
        let head = self.store.head().await?;
        // Before the categories: one that comes in between is shown too early, and not under a date that it never had.
        let mark = self.store.mark(&marks).await?;
        self.learn().await?;
        let (revision, changed) = (mark.revision, mark.changed);
        let listing = Listing {
            site: Arc::clone(&self.catalogue.site),
            feeds: self.feeds(),
            revision,
            changed,
        };
        let max_age = u32::from(self.catalogue.defaults.ttl.get()) * 60;
        let edge = self.told(&marks);
        let presentation = Presentation { edge, ..of_other(content_type, max_age) };
        let edition = working(turn, move || {
            Edition::new(render(&listing), &presentation, revision, Some(changed))
        });
        Ok((edition.await, marks, head))
    }

    fn fixed(&self, content_type: &'static str, text: &str) -> Edition {
        let (presentation, revision) = of_program(content_type);
        let presentation = Presentation { edge: self.told(&[]), ..presentation };
        Edition::new(text.as_bytes().to_vec(), &presentation, revision, None)
    }
}

/// The newest document of a feed in a format; `edge` is what caches in front are told with it.
pub(super) fn edition_of_feed(
    feed: &Feed,
    format: Format,
    edge: Vec<(HeaderName, HeaderValue)>,
) -> Result<Edition, RenderError> {
    let document = format.render(feed)?;
    let places = format.entries(&document);
    let revisions = feed.places().map(|(_, revision)| revision);
    let entries = Entries {
        held_back: feed.held().len() as u64,
        floor: feed.floor,
        places: revisions.zip(places).collect(),
        completeness: format.completeness(&document),
    };
    let presentation = Presentation { edge, ..of_feed(&feed.spec, format) };
    let edition = Edition::new(document, &presentation, feed.revision, Some(feed.changed));
    Ok(edition.with_entries(entries))
}

/// An archive of a feed in a format, likewise.
pub(super) fn edition_of_archive(
    feed: &Feed,
    format: Format,
    edge: Vec<(HeaderName, HeaderValue)>,
) -> Result<Edition, RenderError> {
    let document = format.render(feed)?;
    let presentation = Presentation { edge, ..of_archive(feed, format) };
    Ok(Edition::new(document, &presentation, feed.revision, Some(feed.changed)))
}

/// Everything here is for everybody (O-20).
const ROBOTS: &str = "User-agent: *\nAllow: /\n";

/// Renders and codes while a turn is held; the turn ends with the work, also when nobody waits for it any longer.
async fn working<T: Send + 'static>(
    turn: Option<Turn>,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    blocking(move || {
        let _turn = turn;
        work()
    })
    .await
}
