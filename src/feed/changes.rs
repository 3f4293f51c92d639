//! What has changed for a partner since a write.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    article::{Article, Cursor, Revision},
    feed::{Entry, FeedSpec, Partner, Site},
    text::Text,
};

/// Articles as they are now, each once, in the order of their last changes, and word of those that have gone.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Who asks.
    pub partner: Arc<Partner>,
    /// What all feeds have in common.
    pub site: Arc<Site>,
    /// The partner's.
    pub feeds: Vec<Arc<FeedSpec>>,
    /// Articles, each with the first of the partner's feeds that holds it.
    pub articles: Vec<(Arc<FeedSpec>, Arc<Article>)>,
    /// Articles that none of the feeds holds any more.
    pub gone: Vec<Departure>,
    /// Up to where this goes.
    pub until: Cursor,
    /// The write with which the terms came that all of this is by.
    pub terms: Revision,
    /// Whether there are further changes already.
    pub has_more: bool,
}

/// An article that has gone from all of a partner's feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Its identity.
    pub guid: Text,
    /// Commit time of the write that took it.
    pub at: DateTime<Utc>,
}

impl Changes {
    /// The articles, as the feeds show them.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        // Nothing is minted for them here.
        self.articles.iter().map(|(spec, article)| Entry::new(spec, "", article))
    }

    /// Where partners ask for changes; with `goes_on`, for those that follow these.
    pub fn address(&self, goes_on: bool) -> String {
        let own = self.site.address(&format!("partner/{}/changes", self.partner.name.encoded()));
        if !goes_on {
            return own;
        }
        let Cursor { revision, article } = &self.until;
        let after = article.as_ref().map(|id| format!("&after={}", id.segment()));
        format!("{own}?since={}{}&terms={}", revision.0, after.unwrap_or_default(), self.terms.0)
    }
}
