//! Which feeds there are.

use std::{collections::BTreeSet, num::NonZeroU16, sync::Arc};

use serde::Serialize;

use crate::{
    article::Window,
    category::{Category, Facet, Selection, Slug},
    feed::{FeedPath, FeedSpec, Partner, Redirects, Site, spec::fingerprint},
    text::Text,
};

/// What a feed is like where `feeds.toml` does not say.
#[derive(Clone, Debug, Serialize)]
pub struct Defaults {
    /// How far back.
    pub window: Window,
    /// The whole text, or a summary only.
    pub full_text: bool,
    /// With pictures.
    pub pictures: bool,
    /// In minutes.
    pub ttl: NonZeroU16,
}

impl Default for Defaults {
    fn default() -> Self {
        let ttl = const { NonZeroU16::new(5).expect("5 is not zero") };
        Self { window: Window::default(), full_text: true, pictures: true, ttl }
    }
}

/// The feeds of `feeds.toml`, and what others look like.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// What all feeds have in common.
    pub site: Arc<Site>,
    /// For categories that `feeds.toml` does not list.
    pub defaults: Defaults,
    /// As listed: named ones, then categories, in the publisher's order.
    pub feeds: Vec<Arc<FeedSpec>>,
    /// Those that partners alone may take, as listed.
    pub private: Vec<Arc<FeedSpec>>,
    /// Those who take feeds under terms, as listed.
    pub partners: Vec<Arc<Partner>>,
    /// Old addresses.
    pub redirects: Redirects,
}

impl Catalogue {
    /// The listed feed at this path.
    pub fn find(&self, path: &FeedPath) -> Option<Arc<FeedSpec>> {
        if let FeedPath::Partner(name, public) = path {
            let partner = self.partner(name).filter(|partner| partner.feeds.contains(public))?;
            return self.any(public).map(|public| Arc::new(partner.variant(public)));
        }
        self.feeds.iter().find(|spec| spec.path == *path).cloned()
    }

    /// The feed at this path before anybody's terms, public or not.
    pub fn any(&self, path: &FeedPath) -> Option<&Arc<FeedSpec>> {
        self.feeds.iter().chain(&self.private).find(|spec| spec.path == *path)
    }

    /// The partner of this name.
    pub fn partner(&self, name: &Slug) -> Option<&Arc<Partner>> {
        self.partners.iter().find(|partner| partner.name == *name)
    }

    /// A partner's feeds, in the order of `feeds.toml`.
    pub fn feeds_of(&self, partner: &Partner) -> Vec<Arc<FeedSpec>> {
        let feeds = partner.feeds.iter().filter_map(|path| self.any(path));
        feeds.map(|spec| Arc::new(partner.variant(spec))).collect()
    }

    /// The feed of a category, listed or not.
    pub fn category(&self, category: &Category) -> Arc<FeedSpec> {
        let path = FeedPath::Category(category.slug.clone());
        self.find(&path).unwrap_or_else(|| Arc::new(self.unlisted(category)))
    }

    /// The feed that a category has when nothing more is said of it.
    pub fn unlisted(&self, category: &Category) -> FeedSpec {
        let site = &self.site;
        let label = site.label(category);
        let selection =
            Selection { any_of: [category.slug.clone()].into(), ..Selection::default() };
        FeedSpec {
            site: Arc::clone(site),
            path: FeedPath::Category(category.slug.clone()),
            title: Text::new(&format!("{} - {label}", site.title)),
            description: Text::new(&format!("{label} - {}", site.title)),
            home: site.url.clone(),
            language: site.language.clone(),
            selection,
            window: self.defaults.window,
            full_text: self.defaults.full_text,
            pictures: self.defaults.pictures,
            ttl: self.defaults.ttl,
            show: None,
            terms: None,
        }
    }

    /// What an article calls a category, by the slug or the label of `feeds.toml`.
    pub fn slug_of(&self, label: &Text) -> Option<&Slug> {
        self.site.labels.iter().find(|(_, known)| *known == label).map(|(slug, _)| slug)
    }

    /// What `feeds.toml` says, as writes: each a mark and its fingerprint.
    pub fn fingerprints(&self) -> Vec<(Facet, u64)> {
        let variants = self.partners.iter().flat_map(|partner| self.feeds_of(partner));
        let feeds = self.feeds.iter().cloned().chain(variants);
        let feeds = feeds.map(|spec| (Facet::feed(&spec.path.to_string()), spec.fingerprint()));
        let partners = self.partners.iter().map(|partner| {
            let variants: Vec<_> = self.feeds_of(partner);
            (Facet::partner(&partner.name), fingerprint(&variants))
        });
        let shifts: BTreeSet<i16> =
            self.partners.iter().map(|partner| partner.shift_minutes).collect();
        let shifts = shifts.into_iter().filter(|minutes| *minutes != 0);
        let shifts = shifts.map(|minutes| (Facet::shift(minutes), fingerprint(&minutes)));
        let shared = [
            (Facet::site(), fingerprint(&(&*self.site, &self.defaults))),
            (Facet::catalogue(), fingerprint(&self.feeds)),
        ];
        shared.into_iter().chain(feeds).chain(partners).chain(shifts).collect()
    }
}

impl FeedSpec {
    /// The marks this feed stands at: the articles', its own, and what all feeds share.
    pub fn marks(&self) -> Vec<Facet> {
        let shift = Some(self.selection.shift_minutes()).filter(|minutes| *minutes != 0);
        let settings = self.settings().into_iter().chain(shift.map(Facet::shift));
        settings.chain(self.selection.facets()).collect()
    }

    /// The marks of what `feeds.toml` says of it.
    pub fn settings(&self) -> [Facet; 2] {
        [Facet::site(), Facet::feed(&self.path.to_string())]
    }
}
