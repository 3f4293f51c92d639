//! Those who take feeds under terms of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;
use url::Url;

use crate::{
    article::{Article, Window},
    category::{Audience, Slug, Territory},
    dialect::Dialect,
    feed::{FeedPath, FeedSpec, Show},
    text::Text,
};

/// Somebody who takes feeds under terms, and what those say.
#[derive(Clone, Debug, Serialize)]
pub struct Partner {
    /// In addresses, records and commands.
    pub name: Slug,
    /// For people.
    pub title: Text,
    /// The feeds it may take, in the order of `feeds.toml`.
    pub feeds: Vec<FeedPath>,
    /// Where it publishes, as ISO 3166 codes.
    pub territories: BTreeSet<Territory>,
    /// Whether it may have pieces that come from others.
    pub takes_republished: bool,
    /// Whole texts or summaries; `None`: as the feed.
    pub full_text: Option<bool>,
    /// Whether pictures are cleared for it; `None`: as the feed.
    pub pictures: Option<bool>,
    /// How far back; `None`: as the feed.
    pub window: Option<Window>,
    /// So many minutes after everybody else; before everybody else where it is negative.
    pub shift_minutes: i16,
    /// For so many days a piece that has gone leaves a sign; 0: none.
    pub signs_days: u16,
    /// What its feeds say that public ones do not.
    pub terms: Arc<Terms>,
}

/// What a partner's feeds say that public ones do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// Whose they are.
    pub partner: Slug,
    /// How they are written.
    pub dialect: &'static Dialect,
    /// The publisher's logo, for dialects that show one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<Url>,
    /// The same on dark ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dark_logo: Option<Url>,
    /// What the partner calls our categories, for dialects that ask.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub categories: BTreeMap<Slug, Text>,
    /// Private folders of `[media]` that are open to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub private_media: Vec<Text>,
    /// What opens those folders to this partner, as a segment of addresses; settled once for each store.
    pub reach: Text,
}

impl Terms {
    /// How a reach begins.
    pub const REACH: &str = "reach_";

    /// Those of a partner who asks for nothing more.
    pub fn plain(partner: Slug) -> Self {
        Self {
            partner,
            dialect: Dialect::plain(),
            logo: None,
            dark_logo: None,
            categories: BTreeMap::new(),
            private_media: Vec::new(),
            reach: Text::default(),
        }
    }

    /// Where this partner's addresses of files begin, below the address of the service.
    pub fn files(&self) -> String {
        format!("partner/{}/{}/", self.partner.encoded(), self.reach)
    }

    /// The address under which this partner reaches a private file; `None` for any other.
    fn reached(&self, base: &Url, url: &Url) -> Option<Url> {
        let path = url.as_str().strip_prefix(base.as_str())?;
        let folder = path.strip_prefix("media/")?.split('/').next()?;
        let is_private = self.private_media.iter().any(|name| name.as_str() == folder);
        is_private.then(|| base.join(&format!("{}{path}", self.files())).ok())?
    }
}

impl FeedSpec {
    /// An article as the readers of this feed reach its files.
    pub fn reached(&self, article: &Arc<Article>) -> Arc<Article> {
        let terms = self.terms.as_ref().filter(|terms| !terms.private_media.is_empty());
        let Some(terms) = terms else { return Arc::clone(article) };
        let mut story = article.story.clone();
        let mut is_changed = false;
        for url in story.file_urls_mut() {
            if let Some(reached) = terms.reached(&self.site.base, url) {
                *url = reached;
                is_changed = true;
            }
        }
        if is_changed {
            Arc::new(Article { story, ..Article::clone(article) })
        } else {
            Arc::clone(article)
        }
    }
}

impl Partner {
    /// For whom articles have to be cleared, and when they come.
    pub fn audience(&self) -> Audience {
        Audience {
            partner: self.name.clone(),
            territories: self.territories.clone(),
            takes_republished: self.takes_republished,
            shift_minutes: self.shift_minutes,
            signs_days: self.signs_days,
        }
    }

    /// The same partner, whose private files are found at addresses with this segment.
    #[must_use]
    pub fn with_reach(&self, reach: &str) -> Self {
        let terms = Terms { reach: Text::new(reach), ..Terms::clone(&self.terms) };
        Self { terms: Arc::new(terms), ..self.clone() }
    }

    /// A feed as this partner gets it: the same articles with the same identities, dates and links (M-30), selected and
    /// shown by its terms.
    pub fn variant(&self, public: &FeedSpec) -> FeedSpec {
        let mut selection = public.selection.clone();
        selection.audience = Some(self.audience());
        let show = public.show.as_ref();
        FeedSpec {
            path: FeedPath::Partner(self.name.clone(), Box::new(public.path.clone())),
            selection,
            window: self.window.unwrap_or(public.window),
            full_text: self.full_text.unwrap_or(public.full_text),
            pictures: self.pictures.unwrap_or(public.pictures),
            // No directory lists what not everybody may have (P-40).
            show: show.map(|show| Arc::new(Show { is_blocked: true, ..Show::clone(show) })),
            terms: Some(Arc::clone(&self.terms)),
            ..public.clone()
        }
    }
}
