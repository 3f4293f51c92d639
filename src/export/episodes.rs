//! What is kept with episodes beside the feeds: chapters and transcripts.

use std::{
    collections::{BTreeSet, HashSet},
    num::NonZeroU16,
};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    article::{Article, Chapters, Content, Cursor, Latest, Revision},
    category::Facet,
    export::{
        ExportError, Exporter, Failure, Piece,
        piece::{self, EPISODES},
    },
    publish::{Document, EpisodeFile, PublishError},
};

/// So many articles are read at a time.
const BATCH: NonZeroU16 = NonZeroU16::new(500).expect("500 is not zero");

impl Exporter {
    /// Writes the files of episodes that changed after `base`; returned are those that are to go, once nothing leads to them.
    pub(super) async fn episodes(
        &self,
        moved: &HashSet<&Facet>,
        base: Revision,
    ) -> Result<Vec<String>, ExportError> {
        let facets = [Facet::episodes(), Facet::episodes().private()];
        let is_moved = facets.iter().any(|facet| moved.contains(facet));
        let store = self.publisher.store();
        let since = match (is_moved, moved.contains(&Facet::site())) {
            _ if store.mark(&facets).await?.revision == Revision(0) => return Ok(Vec::new()),
            (_, true) => Revision(0),
            (true, false) => base,
            (false, false) => return Ok(Vec::new()),
        };
        let mut present = BTreeSet::new();
        let mut stale = BTreeSet::new();
        let mut cursor = Cursor { revision: since, article: None };
        loop {
            let latest = store.latest(cursor.clone(), 0, BATCH).await?;
            let Some(last) = latest.last() else { break };
            cursor = Cursor { revision: last.revision, article: Some(last.id.clone()) };
            if self.options.stop.is_cancelled() {
                return Err(ExportError::Stopped);
            }
            let written = stream::iter(latest.iter().map(|latest| self.episode(latest, since)));
            let written = written.buffer_unordered(self.target.together());
            let written: Vec<(Vec<String>, Vec<String>)> = written.try_collect().await?;
            for (names, was) in written {
                present.extend(names);
                stale.extend(was);
            }
        }
        if since == Revision(0) {
            stale.extend(self.plain(EPISODES).await?);
        }
        let gone = stale.difference(&present).filter(|name| piece::is_of_episode(name));
        Ok(gone.cloned().collect())
    }

    /// Writes the files of an article. Their names, and those of all that there are of it; the latter when it is looked
    /// at by itself.
    async fn episode(
        &self,
        latest: &Latest,
        since: Revision,
    ) -> Result<(Vec<String>, Vec<String>), ExportError> {
        let documents = latest.article.as_deref().map(documents).unwrap_or_default();
        let mut names = Vec::new();
        for document in documents {
            let make = || self.publisher.fresh(&document);
            let edition = match self.settled(make, |made| made.changed()).await {
                Ok(edition) => edition,
                // It went meanwhile.
                Err(PublishError::UnknownFile(_)) => continue,
                Err(error) => {
                    self.forgive(error.into())?;
                    continue;
                }
            };
            let piece = Piece::new(piece::name(&document), &edition);
            if let Err(error) = self.write(&piece).await {
                self.forgive(Failure::from(error))?;
            }
            names.push(piece.name);
        }
        if since == Revision(0) {
            return Ok((names, Vec::new()));
        }
        let was = self.plain(&format!("{EPISODES}{}/", latest.id.segment())).await?;
        Ok((names, was))
    }
}

/// What there is of an article that everybody may read.
fn documents(article: &Article) -> Vec<Document> {
    let is_public = !article.story.clearance.is_private;
    let Some(episode) = article.story.episode.as_ref().filter(|_| is_public) else {
        return Vec::new();
    };
    let chapters = matches!(episode.chapters, Some(Chapters::Inline(_)));
    let chapters = chapters.then_some(EpisodeFile::Chapters);
    let transcripts = episode.transcripts.iter().enumerate();
    let transcripts = transcripts
        .filter(|(_, transcript)| matches!(transcript.content, Content::Inline(_)))
        .map(|(nth, transcript)| EpisodeFile::Transcript(transcript.file_name(nth)));
    let files = chapters.into_iter().chain(transcripts);
    files.map(|file| Document::Episode(article.id.clone(), file)).collect()
}
