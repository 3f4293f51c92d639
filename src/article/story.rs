//! What an article says, and for whom it is cleared.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    article::Episode,
    category::{Audience, Category, Facet, Language, Selection, Slug, Territory},
    text::{Html, Text},
};

/// Somebody who wrote or edited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Never empty, never an address of mail.
    pub name: Text,
    /// A page about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// An address of mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Text>,
}

/// Where a republished article comes from (M-20).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Who published it first.
    pub name: Text,
    /// The original's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// The feed it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed_url: Option<Url>,
    /// The original's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// The original's author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Text>,
}

/// A picture of an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Absolute.
    pub url: Url,
    /// What stands under it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub caption: Text,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub credit: Text,
    /// What it shows, for those who do not see it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub alt: Text,
    /// In pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// In pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Its media type, `image/…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<Text>,
    /// Its size, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Picture {
    /// A picture of which only the address is known.
    pub fn bare(url: Url) -> Self {
        Self {
            url,
            caption: Text::default(),
            credit: Text::default(),
            alt: Text::default(),
            width: None,
            height: None,
            mime_type: None,
            bytes: None,
        }
    }
}

/// A file that comes with an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Absolute.
    pub url: Url,
    /// Its media type.
    pub mime_type: Text,
    /// What it is.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub title: Text,
    /// Its size, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How long it plays, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl Attachment {
    /// Whether it can be heard or seen.
    pub fn plays(&self) -> bool {
        ["audio/", "video/"].iter().any(|kind| self.mime_type.as_str().starts_with(kind))
    }
}

/// What an article says, apart from who it is and when it was published. Equal stories give equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The article's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// The page it talks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_url: Option<Url>,
    /// The same page for small screens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile_url: Option<Url>,
    /// Plain text; may be empty.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub title: Text,
    /// Plain text, made from the content when the publisher gave none; may be empty.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub summary: Text,
    /// The summary says as much as the content: no reader needs both.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_brief: bool,
    /// The whole text; may be empty.
    #[serde(default, skip_serializing_if = "Html::is_empty")]
    pub content: Html,
    /// In the publisher's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<Person>,
    /// In the publisher's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub editors: Vec<Person>,
    /// In the publisher's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Text>,
    /// In the publisher's order, each slug once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// `None`: the publication's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<Text>,
    /// For a republished piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Main picture first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<Picture>,
    /// In the publisher's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// What it says of itself as an episode of a show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<Box<Episode>>,
    /// For whom it is cleared; everybody, unless it says otherwise.
    #[serde(default, skip_serializing_if = "Clearance::is_open")]
    pub clearance: Clearance,
}

/// For whom an article is cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clearance {
    /// Not for public feeds.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_private: bool,
    /// These partners only; empty: any.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub partners: BTreeSet<Slug>,
    /// Not these partners.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub not_partners: BTreeSet<Slug>,
    /// These territories only, as ISO 3166 codes; empty: any.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub territories: BTreeSet<Territory>,
    /// Not these territories.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub not_territories: BTreeSet<Territory>,
}

impl Clearance {
    fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is cleared for a partner in every territory where that publishes. Nobody knows where a partner without
    /// territories publishes: what is not cleared for all of them is not cleared for it.
    fn admits(&self, audience: &Audience) -> bool {
        let Audience { partner, territories, .. } = audience;
        let is_limited = !self.territories.is_empty() || !self.not_territories.is_empty();
        (self.partners.is_empty() || self.partners.contains(partner))
            && !self.not_partners.contains(partner)
            && (self.territories.is_empty() || territories.is_subset(&self.territories))
            && territories.is_disjoint(&self.not_territories)
            && !(is_limited && territories.is_empty())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(claim: &bool) -> bool {
    !claim
}

impl Story {
    /// What it is filed under, each once.
    pub fn facets(&self) -> BTreeSet<Facet> {
        let categories = self.categories.iter().map(|category| Facet::category(&category.slug));
        let authors = self.authors.iter().map(|author| Facet::author(&author.name));
        let language = self.language.iter().map(Facet::language);
        let episodes = self.media().is_some().then(Facet::episodes);
        let own = [Facet::all()].into_iter().chain(categories);
        let all = own.chain(authors).chain(language).chain(episodes);
        if self.clearance.is_private {
            all.map(|facet| facet.private()).collect()
        } else {
            all.collect()
        }
    }

    /// What is left of it when it has gone: what it was filed under, and its address.
    #[must_use]
    pub fn remnant(&self) -> Self {
        let Self { url, categories, authors, language, source, clearance, .. } = self;
        let source = source.as_ref();
        let source =
            source.map(|Source { name, .. }| Source { name: name.clone(), ..Source::default() });
        Self {
            url: url.clone(),
            categories: categories.clone(),
            authors: authors.clone(),
            language: language.clone(),
            source,
            attachments: self.media().cloned().into_iter().collect(),
            clearance: clearance.clone(),
            ..Self::default()
        }
    }

    /// Whether it may be among what is given to these.
    pub fn is_cleared_for(&self, audience: &Audience) -> bool {
        self.clearance.admits(audience) && (audience.takes_republished || self.source.is_none())
    }

    /// The file that makes it an episode: the first that can be heard or seen.
    pub fn media(&self) -> Option<&Attachment> {
        self.attachments.iter().find(|attachment| attachment.plays())
    }

    /// Size of what is kept with it but not part of a feed, in bytes.
    pub fn inline_bytes(&self) -> usize {
        self.episode.as_ref().map_or(0, |episode| episode.inline_bytes())
    }

    /// The addresses of its files, pictures and what comes with it as an episode.
    pub fn file_urls_mut(&mut self) -> Vec<&mut Url> {
        let Self { pictures, attachments, episode, .. } = self;
        let pictures = pictures.iter_mut().map(|picture| &mut picture.url);
        let attachments = attachments.iter_mut().map(|attachment| &mut attachment.url);
        let own = pictures.chain(attachments);
        own.chain(episode.iter_mut().flat_map(|episode| episode.file_urls_mut())).collect()
    }

    /// Whether a feed that makes this selection holds it.
    pub fn is_selected(&self, selection: &Selection) -> bool {
        let filed = |slugs: &BTreeSet<_>| self.categories.iter().any(|c| slugs.contains(&c.slug));
        let written = || self.authors.iter().any(|a| selection.authors.contains(&a.name));
        let speaks = |wanted: &Language| self.language.as_ref().is_some_and(|l| wanted.covers(l));
        (selection.any_of.is_empty() || filed(&selection.any_of))
            && !filed(&selection.none_of)
            && (selection.authors.is_empty() || written())
            && selection.language.as_ref().is_none_or(speaks)
            && (!selection.only_episodes || self.media().is_some())
            && match &selection.audience {
                Some(audience) => self.is_cleared_for(audience),
                None => !self.clearance.is_private,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearance_is_for_every_territory_of_a_partner() {
        let set = |codes: &[&str]| -> BTreeSet<Territory> {
            codes.iter().map(|code| code.parse().unwrap()).collect()
        };
        let slugs = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let limited = |partners: &[&str], not: &[&str], only: &[&str], never: &[&str]| Clearance {
            is_private: false,
            partners: slugs(partners),
            not_partners: slugs(not),
            territories: set(only),
            not_territories: set(never),
        };
        for (clearance, territories, expected) in [
            (Clearance::default(), &["JP"][..], true),
            (Clearance::default(), &[], true),
            (limited(&["msn"], &[], &[], &[]), &[], true),
            (limited(&["line"], &[], &[], &[]), &[], false),
            (limited(&[], &["msn"], &[], &[]), &[], false),
            (limited(&[], &[], &["JP", "TW"], &[]), &["JP"], true),
            (limited(&[], &[], &["JP", "TW"], &[]), &["JP", "US"], false),
            (limited(&[], &[], &["JP"], &[]), &[], false),
            (limited(&[], &[], &[], &["CN"]), &["JP"], true),
            (limited(&[], &[], &[], &["CN"]), &["CN", "JP"], false),
            (limited(&[], &[], &[], &["CN"]), &[], false),
        ] {
            let audience = Audience {
                partner: "msn".parse().unwrap(),
                territories: set(territories),
                takes_republished: true,
                shift_minutes: 0,
                signs_days: 0,
            };
            assert_eq!(clearance.admits(&audience), expected, "{clearance:?} {territories:?}");
        }
    }
}
