//! A feed, before it takes the shape of a format.

mod breach;
mod catalogue;
mod changes;
mod entry;
mod listing;
mod partner;
mod redirect;
mod show;
mod spec;

pub use breach::{Breach, Held};
pub use catalogue::{Catalogue, Defaults};
pub use changes::{Changes, Departure};
pub use entry::Entry;
pub use listing::Listing;
pub use partner::{Partner, Terms};
pub use redirect::{Fate, Redirects};
pub use show::{Show, ShowCategory, ShowKind, Trailer};
pub use spec::{Contact, FeedPath, FeedSpec, Logo, Site, TEMPLATE};

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};

use crate::article::{Article, ArticleId, Gone, Part, Revision, Snapshot, Span};

/// Head matter and entries of one feed, at one revision.
#[derive(Clone, Debug)]
pub struct Feed {
    /// What the publisher says of it.
    pub spec: Arc<FeedSpec>,
    /// Its identity, another than any entry's; the same in every format.
    pub id: String,
    /// The write it shows.
    pub revision: Revision,
    /// When that was, in whole seconds.
    pub changed: DateTime<Utc>,
    /// Oldest base a delta may start from.
    pub floor: Revision,
    /// How much of the feed this is.
    pub part: Part,
    articles: Vec<Arc<Article>>,
    held: Vec<Held>,
    gone: Vec<Gone>,
    remnants: Vec<Article>,
    authority: String,
}

impl Feed {
    /// What a snapshot is to the readers of this feed: without the articles that break a hard rule of its dialect.
    pub fn assemble(spec: Arc<FeedSpec>, snapshot: Snapshot) -> Self {
        let Snapshot { head: _, mark, authority, part, mut articles, gone } = snapshot;
        for article in &mut articles {
            *article = spec.reached(article);
        }
        let mut feed = Self {
            id: format!("tag:{authority}:feed/{}", spec.path.encoded()),
            spec,
            revision: mark.revision,
            changed: mark.changed,
            floor: mark.floor,
            part,
            articles,
            held: Vec::new(),
            gone: Vec::new(),
            remnants: Vec::new(),
            authority,
        };
        if feed.spec.dialect().goes_by_time() {
            feed.floor = feed.revision;
        }
        feed.tell(gone);
        feed.hold_back();
        feed
    }

    /// Takes in what has gone; each identity once, and none that is there.
    fn tell(&mut self, gone: Vec<Gone>) {
        let mut told: BTreeSet<_> =
            self.articles.iter().map(|article| article.guid.clone()).collect();
        self.gone = gone.into_iter().filter(|gone| told.insert(gone.guid.clone())).collect();
        let remnant = |gone: &Gone| Article {
            id: gone.id.clone(),
            guid: gone.guid.clone(),
            is_atom_id: gone.is_atom_id,
            published: gone.published,
            updated: gone.at,
            revision: gone.revision,
            bytes: 0,
            story: gone.story.clone(),
        };
        self.remnants = self.gone.iter().map(remnant).collect();
    }

    fn hold_back(&mut self) {
        if self.spec.dialect().rules.iter().all(|rule| !rule.is_hard) {
            return;
        }
        let articles = std::mem::take(&mut self.articles);
        for article in articles {
            let mut breaches =
                Entry::new(&self.spec, &self.authority, &article).breaches(self.changed);
            breaches.retain(|breach| breach.rule.is_hard);
            if breaches.is_empty() {
                self.articles.push(article);
            } else {
                self.held.push(Held { article, breaches });
            }
        }
    }

    /// The archive that continues this document.
    pub fn previous(&self) -> Option<Span> {
        match self.part {
            Part::All => None,
            Part::Newest(span) => Some(span),
            Part::Archive(span) => span.previous(),
        }
    }

    /// What has gone, newest write first; only in feeds whose readers are told.
    pub fn signs(&self) -> &[Gone] {
        &self.gone
    }

    /// The same as entries of which little is left; they were last updated when they went.
    pub fn remnants(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.remnants.iter().map(|article| Entry::new(&self.spec, &self.authority, article))
    }

    /// What the partner would refuse, and is not among the entries (M-41).
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// The articles that stand in a document one after another, each with the write that made it what it is: the entries,
    /// then what has gone, where the dialect has items for that.
    pub fn places(&self) -> impl Iterator<Item = (&ArticleId, Revision)> {
        let remnants = self.remnants.iter().filter(|_| self.spec.dialect().sign.is_item());
        let articles = self.articles.iter().map(|article| &**article).chain(remnants);
        articles.map(|article| (&article.id, article.revision))
    }

    /// Newest first; in the newest document, older ones that changed of late follow.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.articles.iter().map(|article| Entry::new(&self.spec, &self.authority, article))
    }
}
