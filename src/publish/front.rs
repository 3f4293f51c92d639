//! Caches in front: what they are told with a document, and what a write makes stale in them.

use std::{collections::HashSet, sync::Arc};

use http::{HeaderName, HeaderValue};

use crate::{
    category::Facet,
    edge::{self, Counts, Edge, Purge, Subject},
    feed::FeedSpec,
    format::Format,
    publish::{Document, Publisher, blocking},
};

impl Publisher {
    /// One behind caches. Comes before anything is made.
    #[must_use]
    pub fn behind(self, edge: Option<Edge>, purge: Option<Arc<Purge>>) -> Self {
        Self { edge, purge, ..self }
    }

    /// What became of requests to caches; `None` where there are none to tell.
    pub fn purges(&self) -> Option<Counts> {
        self.purge.as_ref().map(|purge| purge.counts())
    }

    /// Nothing that caches have may stand: what was written while nobody told them is not known.
    pub async fn purge_everything(&self) {
        self.purge(vec![Facet::site()]).await;
    }

    /// What only caches in front are told with a document that reads from these.
    pub(super) fn told(&self, marks: &[Facet]) -> Vec<(HeaderName, HeaderValue)> {
        self.edge.as_ref().map(|edge| edge.fields(marks)).unwrap_or_default()
    }

    /// Tells caches what reads from these, also what is not in memory here: they may have it all the same.
    pub(super) async fn purge(&self, moved: Vec<Facet>) {
        let Some(purge) = self.purge.as_ref().filter(|_| !moved.is_empty()) else { return };
        match purge.subject() {
            Subject::Keys => purge.add(moved.iter().filter_map(edge::key)),
            Subject::Addresses => {
                let (feeds, base) = (self.feeds(), self.catalogue.site.base.clone());
                let addresses = blocking(move || {
                    let moved: HashSet<Facet> = moved.into_iter().collect();
                    let lists = [Facet::site(), Facet::catalogue()];
                    let lists = [Document::Index, Document::Opml]
                        .into_iter()
                        .filter(|_| lists.iter().any(|mark| moved.contains(mark)))
                        .map(|list| format!("{}{}", base, &list.path()[1..]));
                    let is_stale = |spec: &&Arc<FeedSpec>| {
                        spec.marks().iter().any(|mark| moved.contains(mark))
                    };
                    let stale = feeds.iter().filter(is_stale);
                    lists.chain(stale.flat_map(|spec| addresses(spec))).collect::<Vec<_>>()
                });
                purge.add(addresses.await);
            }
        }
    }
}

/// Where a feed is, in each format and in whichever suits.
fn addresses(spec: &FeedSpec) -> Vec<String> {
    let formats = Format::offered(spec).iter().map(|format| format.extension());
    formats.chain([""]).map(|extension| spec.address(extension)).collect()
}
