//! What a publisher keeps: articles, and the changes to them.

mod episode;
mod span;
mod submission;
mod window;

pub use episode::{
    AlternateEnclosure, Chapter, Chapters, Content, Episode, EpisodeKind, Location, Moment,
    Participant, Soundbite, Transcript,
};
pub use span::{Part, Span, SpanError};
pub use submission::{Precision, Submission, When, kept_guid};
pub use window::{Fill, Window};

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use url::Url;

use crate::{
    category::{Audience, Category, Facet, Language, Selection, Slug, Territory},
    text::{Html, Text},
};

/// A position in the sequence of committed writes. The first write is 1; 0 is before any.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The publisher's own key of an article, in NFC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ArticleId(String);

impl ArticleId {
    /// Longest key, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// `None` for a key that is empty, too long, or nothing but what no format can carry.
    pub fn new(raw: &str) -> Option<Self> {
        let id: String = Text::new(raw).as_str().nfc().collect();
        (!id.is_empty() && id.len() <= Self::MAX_BYTES).then_some(Self(id))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a segment of an address, in characters that nothing on the way rewrites: `~` and two hexadecimal digits stand
    /// for each byte of any other.
    pub fn segment(&self) -> String {
        let mut segment = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
                segment.push(char::from(byte));
            } else {
                let _ = write!(segment, "~{byte:02X}");
            }
        }
        segment
    }

    /// The key that [`Self::segment`] wrote; `None` for what it never writes.
    pub fn from_segment(segment: &str) -> Option<Self> {
        let mut parts = segment.split('~');
        let mut bytes = parts.next()?.as_bytes().to_vec();
        for part in parts {
            let (code, rest) = part.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(code, 16).ok()?);
            bytes.extend_from_slice(rest.as_bytes());
        }
        let id = Self::new(&String::from_utf8(bytes).ok()?)?;
        (id.segment() == segment).then_some(id)
    }
}

impl fmt::Display for ArticleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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

/// A published article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// The publisher's key.
    pub id: ArticleId,
    /// Minted once, the same in every format for ever (R-47, A-13, J-17).
    pub guid: Text,
    /// First publication; never changes.
    pub published: DateTime<Utc>,
    /// Last change the publisher thinks significant; not before `published`.
    pub updated: DateTime<Utc>,
    /// The write that made it what it is.
    pub revision: Revision,
    /// Size of its text in the store, in bytes, without what feeds do not hold.
    pub bytes: u32,
    /// What it says.
    pub story: Story,
}

/// Articles for a feed, read in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Newest write of the whole store when this was read.
    pub head: Revision,
    /// Where the feed stands.
    pub mark: Mark,
    /// Who mints identities here: `example.com,2026` (RFC 4151).
    pub authority: String,
    /// How much of the feed this is.
    pub part: Part,
    /// Newest first: `published` descending, then `id`. Older articles that changed of late follow in the same order.
    pub articles: Vec<Arc<Article>>,
    /// What has gone, newest write first; only where the selection's audience is told.
    pub gone: Vec<Gone>,
}

/// An article that can no longer be read, or not by those who ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The publisher's key.
    pub id: ArticleId,
    /// Its identity.
    pub guid: Text,
    /// First publication.
    pub published: DateTime<Utc>,
    /// The write that took it.
    pub revision: Revision,
    /// Commit time of that write.
    pub at: DateTime<Utc>,
    /// What is left of it: what it was filed under, and its address.
    pub story: Story,
}

/// Where one or several facets stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Last write that touched them.
    pub revision: Revision,
    /// Its commit time, in whole seconds: `Last-Modified`, `atom:updated`, `lastBuildDate`.
    pub changed: DateTime<Utc>,
    /// Oldest base a delta may start from.
    pub floor: Revision,
}

/// What happened to an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It can be read from now on.
    Published,
    /// It says something else, and readers should look again.
    Edited,
    /// It says something else, and readers need not look again.
    Corrected,
    /// It waits for its time, unseen.
    Held,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Withdrawn,
}

impl ChangeKind {
    const ALL: [Self; 6] = [
        Self::Published,
        Self::Edited,
        Self::Corrected,
        Self::Held,
        Self::Expired,
        Self::Withdrawn,
    ];

    /// As in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Edited => "edited",
            Self::Corrected => "corrected",
            Self::Held => "held",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// What a line of the log says.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where somebody who follows the changes has come to: after this article of this write, or after the whole write.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The write.
    pub revision: Revision,
    /// The last article of it that they have seen; `None`: all.
    pub article: Option<ArticleId>,
}

/// An article at its last change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// The publisher's key.
    pub id: ArticleId,
    /// Its identity.
    pub guid: Text,
    /// The last write that changed it.
    pub revision: Revision,
    /// Commit time of that write.
    pub at: DateTime<Utc>,
    /// Whether it could ever be read.
    pub was_published: bool,
    /// What it is now; `None` when it cannot be read.
    pub article: Option<Arc<Article>>,
    /// What it was filed as, each time that it could be read and then was taken away or filed otherwise. All of them, however
    /// old: whoever goes on from one last change to the next may have missed any.
    pub was: Vec<Story>,
}

/// A quiet change to an article, made by this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Which article.
    pub id: ArticleId,
    /// The write it was read at; when there was another since, nothing is done.
    pub base: Revision,
    /// What it says from now on.
    pub story: Story,
}

/// What an article had in an old feed system, kept so that no reader sees it twice. As quiet as an [`Amendment`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// Which article.
    pub id: ArticleId,
    /// The write it was read at; when there was another since, nothing is done.
    pub base: Revision,
    /// Its identity there.
    pub guid: Text,
    /// When it was published there; `None`: as it is here.
    pub published: Option<DateTime<Utc>>,
    /// What it says from now on.
    pub story: Story,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The write it was part of.
    pub revision: Revision,
    /// Which article.
    pub article: ArticleId,
    /// What happened.
    pub kind: ChangeKind,
    /// Commit time.
    pub at: DateTime<Utc>,
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

    #[test]
    fn a_key_is_a_segment_and_back() {
        for (key, segment) in
            [("2026-0412", "2026-0412"), ("a/b c.d~e", "a~2Fb~20c~2Ed~7Ee"), ("头", "~E5~A4~B4")]
        {
            let id = ArticleId::new(key).unwrap();
            assert_eq!(id.segment(), segment);
            assert_eq!(ArticleId::from_segment(segment), Some(id));
        }
        for odd in ["", "~", "~E5", "~zz", "~61", "a/b", "~e5~a4~b4", "~E5~A4~B"] {
            assert_eq!(ArticleId::from_segment(odd), None, "{odd}");
        }
    }
}
