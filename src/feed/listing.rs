//! The feeds there are, for those who look for one.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    article::Revision,
    feed::{FeedPath, FeedSpec, Site},
    text::Text,
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
    /// What people call it among other feeds: its category, or else its short title.
    pub fn label(&self) -> &str {
        let known = match &self.path {
            FeedPath::Category(slug) => self.site.labels.get(slug),
            FeedPath::Named(_) | FeedPath::Partner(..) => None,
        };
        known.map_or_else(|| self.short_title(), Text::as_str)
    }

    /// The title, for places that name the publication already: `Example News - Politics` is `Politics` there.
    pub fn short_title(&self) -> &str {
        let title = self.title.as_str();
        let short =
            title.strip_prefix(self.site.title.as_str()).and_then(|rest| rest.strip_prefix(" - "));
        short.filter(|short| !short.is_empty()).unwrap_or(title)
    }

    fn is_category(&self) -> bool {
        matches!(self.path, FeedPath::Category(_))
    }
}
