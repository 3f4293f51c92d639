//! The feeds there are, for those who look for one.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    article::Revision,
    feed::{FeedPath, FeedSpec, Site},
};

/// Which feeds there are, at one revision.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What they have in common.
    pub site: Arc<Site>,
    /// Named ones, then categories, in the publisher's order.
    pub feeds: Vec<Arc<FeedSpec>>,
    /// The last write that added, changed or removed one.
    pub revision: Revision,
    /// When that was, in whole seconds.
    pub changed: DateTime<Utc>,
}

impl Listing {
    /// Those the publisher made up.
    pub fn named(&self) -> Vec<&FeedSpec> {
        self.feeds.iter().map(Arc::as_ref).filter(|spec| !spec.is_category()).collect()
    }

    /// Those of one category each.
    pub fn categories(&self) -> Vec<&FeedSpec> {
        self.feeds.iter().map(Arc::as_ref).filter(|spec| spec.is_category()).collect()
    }
}

impl FeedSpec {
    /// What people call it where the publication has been named: its category, or its title without the publication's.
    pub fn label(&self) -> &str {
        let known = match &self.path {
            FeedPath::Category(slug) => self.site.labels.get(slug),
            FeedPath::Named(_) => None,
        };
        let title = known.unwrap_or(&self.title).as_str();
        let short =
            title.strip_prefix(self.site.title.as_str()).and_then(|t| t.strip_prefix(" - "));
        short.filter(|short| !short.is_empty()).unwrap_or(title)
    }

    fn is_category(&self) -> bool {
        matches!(self.path, FeedPath::Category(_))
    }
}
