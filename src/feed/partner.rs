//! Those who take feeds under terms of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;
use url::Url;

use crate::{
    article::Window,
    category::{Audience, Slug},
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
    pub territories: BTreeSet<Text>,
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
}

impl Terms {
    /// Those of a partner who asks for nothing more.
    pub fn plain(partner: Slug) -> Self {
        let (dialect, categories) = (Dialect::plain(), BTreeMap::new());
        Self { partner, dialect, logo: None, dark_logo: None, categories }
    }
}

impl Partner {
    /// A feed as this partner gets it: the same articles with the same identities, dates and links (M-30), selected and
    /// shown by its terms.
    pub fn variant(&self, public: &FeedSpec) -> FeedSpec {
        let mut selection = public.selection.clone();
        selection.audience = Some(Audience {
            partner: self.name.clone(),
            territories: self.territories.clone(),
            takes_republished: self.takes_republished,
            shift_minutes: self.shift_minutes,
            signs_days: self.signs_days,
        });
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
