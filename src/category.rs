//! Categories, and what a feed selects.

use std::{collections::BTreeSet, fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use oxilangtag::LanguageTag;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::{iso3166, text::Text};

/// What a path segment cannot hold as it is (RFC 3986 section 3.3), and `.`, which begins an extension.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Longest name that is part of a facet as it is, in bytes.
const MAX_NAME_BYTES: usize = 200;

/// The name of a category or feed in addresses: lower case, NFC, without white space or punctuation of paths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// Why something is no slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlugError {
    /// Nothing is left of it.
    #[error("`{0}` has no letter or digit to name it by")]
    Empty(String),
    /// Longer than [`Slug::MAX_BYTES`].
    #[error("`{0}…` is longer than {max} bytes", max = Slug::MAX_BYTES)]
    Long(String),
    /// It would be written otherwise in an address.
    #[error("`{given}` is not written as addresses have it; write `{canonical}`")]
    Spelling {
        /// As given.
        given: String,
        /// As it has to be.
        canonical: String,
    },
}

impl Slug {
    /// Longest slug, in bytes.
    pub const MAX_BYTES: usize = 120;

    /// The slug of a label: `Tech News` gives `tech-news`, `头条` gives `头条`.
    pub fn from_label(label: &str) -> Result<Self, SlugError> {
        let mut slug = String::with_capacity(label.len());
        for c in label.nfc().flat_map(char::to_lowercase) {
            if c.is_alphanumeric() || c == '_' || is_mark(c) {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        let slug: String = slug.trim_end_matches('-').nfc().collect();
        if !slug.contains(char::is_alphanumeric) {
            return Err(SlugError::Empty(label.to_owned()));
        }
        if slug.len() > Self::MAX_BYTES {
            return Err(SlugError::Long(slug.chars().take(20).collect()));
        }
        Ok(Self(slug))
    }

    /// As in NFC.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As in an address: percent-encoded UTF-8.
    pub fn encoded(&self) -> String {
        utf8_percent_encode(&self.0, SEGMENT).to_string()
    }
}

/// Combining marks belong to the letter before them (Devanagari vowel signs, Thai tone marks).
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

impl FromStr for Slug {
    type Err = SlugError;

    fn from_str(given: &str) -> Result<Self, SlugError> {
        let slug = Self::from_label(given)?;
        if slug.0 == given {
            return Ok(slug);
        }
        Err(SlugError::Spelling { given: given.to_owned(), canonical: slug.0 })
    }
}

impl TryFrom<String> for Slug {
    type Error = SlugError;

    fn try_from(given: String) -> Result<Self, SlugError> {
        given.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A category: how addresses name it and how people do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Category {
    /// In addresses, and the Atom `term`.
    pub slug: Slug,
    /// For people, and the Atom `label`.
    pub label: Text,
}

impl Category {
    /// A category that only a label names.
    pub fn from_label(label: &str) -> Result<Self, SlugError> {
        Ok(Self { slug: Slug::from_label(label)?, label: Text::new(label) })
    }
}

/// A language tag, BCP 47, in its usual case: `zh-CN`, `en`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(LanguageTag<String>);

/// Something that is no language tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a language tag; write for example `zh-CN`, `en` or `pt-BR`")]
pub struct LanguageError(String);

impl Language {
    /// The tag, hyphens inside.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The language without script or region: `zh`.
    pub fn primary(&self) -> &str {
        self.0.primary_language()
    }

    /// Whether `other` is this language or a variety of it: `zh` covers `zh-CN` (RFC 4647 section 3.3.1).
    pub fn covers(&self, other: &Self) -> bool {
        other
            .as_str()
            .strip_prefix(self.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(given: &str) -> Result<Self, LanguageError> {
        let refused = || LanguageError(given.chars().take(40).collect());
        let tag = LanguageTag::parse_and_normalize(given).map_err(|_| refused())?;
        // `english` is well formed in BCP 47, but no registered language has more than three letters.
        if tag.primary_language().len() > 3 {
            return Err(refused());
        }
        Ok(Self(tag))
    }
}

impl TryFrom<String> for Language {
    type Error = LanguageError;

    fn try_from(given: String) -> Result<Self, LanguageError> {
        given.parse()
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.0.into_inner()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing whose changes are counted: everything, a category, an author, a language, or a feed's own settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Facet(String);

impl Facet {
    /// Every article.
    pub fn all() -> Self {
        Self("*".to_owned())
    }

    /// The articles of a category.
    pub fn category(slug: &Slug) -> Self {
        Self(format!("category/{slug}"))
    }

    /// The articles of an author. A long name is known by its digest: keys of indexes have to be short, in PostgreSQL 2,704
    /// bytes with all that goes with them.
    pub fn author(name: &Text) -> Self {
        let name = name.as_str();
        if name.len() <= MAX_NAME_BYTES {
            return Self(format!("author/{name}"));
        }
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(name));
        Self(format!("author/sha256:{digest}"))
    }

    /// The articles in a language, whatever the script or region.
    pub fn language(language: &Language) -> Self {
        Self(format!("language/{}", language.primary()))
    }

    /// The articles with something to hear or see.
    pub fn episodes() -> Self {
        Self("episodes".to_owned())
    }

    /// The articles of a facet that are not for everybody: public feeds are not moved by them.
    #[must_use]
    pub fn private(&self) -> Self {
        Self(format!("private/{}", self.0))
    }

    /// Who may come in.
    pub fn access() -> Self {
        Self("access".to_owned())
    }

    /// What comes to those who get articles so many minutes after everybody else.
    pub fn shift(minutes: i16) -> Self {
        Self(format!("shift/{minutes}"))
    }

    /// The terms of a partner.
    pub fn partner(name: &Slug) -> Self {
        Self(format!("partner/{name}"))
    }

    /// What `feeds.toml` says of the feed at this path.
    pub fn feed(path: &str) -> Self {
        Self(format!("feed/{path}"))
    }

    /// What `feeds.toml` says of every feed, and how this program writes them.
    pub fn site() -> Self {
        Self("site".to_owned())
    }

    /// Which feeds there are.
    pub fn catalogue() -> Self {
        Self("catalogue".to_owned())
    }

    /// As the store keeps it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A facet as the store kept it.
    pub fn stored(name: String) -> Self {
        Self(name)
    }

    /// How many minutes it stands for, if it stands for what comes later or earlier.
    pub fn as_shift(&self) -> Option<i16> {
        self.0.strip_prefix("shift/")?.parse().ok()
    }

    /// The category it stands for, if it stands for one.
    pub fn as_category(&self) -> Option<Slug> {
        self.0.strip_prefix("category/")?.parse().ok()
    }
}

/// What a feed reads: articles of any of these categories, of none of those, by these authors, in this language.
///
/// Canonical by being sets: equal selections compare equal. An empty `any_of` or `authors` asks for nothing special.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// At least one of these; empty: any.
    pub any_of: BTreeSet<Slug>,
    /// Not one of these.
    pub none_of: BTreeSet<Slug>,
    /// At least one of these wrote it; empty: anybody.
    pub authors: BTreeSet<Text>,
    /// In this language or a variety of it.
    pub language: Option<Language>,
    /// With something to hear or see.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_episodes: bool,
    /// Cleared for these; `None`: for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
}

/// A country or territory, by its code of two letters (ISO 3166-1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Territory(String);

/// Something that is no country.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TerritoryError {
    /// Something else is meant.
    #[error("`{given}` is not the code of a country; did you mean `{meant}`?")]
    Meant {
        /// As given.
        given: String,
        /// What it is called in ISO 3166.
        meant: &'static str,
    },
    /// Nobody knows what is meant.
    #[error("`{0}` is not the code of a country; write for example `JP`")]
    Unknown(String),
}

impl FromStr for Territory {
    type Err = TerritoryError;

    fn from_str(given: &str) -> Result<Self, TerritoryError> {
        if given.len() == 2 && iso3166::alpha_2(given).is_some() {
            return Ok(Self(given.to_owned()));
        }
        let upper = given.to_ascii_uppercase();
        let meant = match upper.as_str() {
            "UK" => "GB",
            "EL" => "GR",
            upper => iso3166::alpha_2(upper).unwrap_or_default(),
        };
        let given = given.chars().take(40).collect();
        Err(match meant {
            "" => TerritoryError::Unknown(given),
            meant => TerritoryError::Meant { given, meant },
        })
    }
}

impl TryFrom<String> for Territory {
    type Error = TerritoryError;

    fn try_from(given: String) -> Result<Self, TerritoryError> {
        given.parse()
    }
}

impl From<Territory> for String {
    fn from(territory: Territory) -> Self {
        territory.0
    }
}

/// For whom articles have to be cleared, and when they get them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// Who takes them.
    pub partner: Slug,
    /// Where they are published, as ISO 3166 codes.
    pub territories: BTreeSet<Territory>,
    /// Whether pieces that come from others may be among them.
    pub takes_republished: bool,
    /// So many minutes after everybody else; before everybody else where it is negative.
    pub shift_minutes: i16,
    /// For so many days they are told of what has gone; 0: not at all.
    pub signs_days: u16,
}

impl Selection {
    /// How many minutes after everybody else its articles come.
    pub fn shift_minutes(&self) -> i16 {
        self.audience.as_ref().map_or(0, |audience| audience.shift_minutes)
    }

    /// The facets an article must be in to be selected, one of them at least: where to read, and whose marks to watch.
    pub fn facets(&self) -> Vec<Facet> {
        let public = self.public_facets();
        if self.audience.is_none() {
            return public;
        }
        let private: Vec<_> = public.iter().map(Facet::private).collect();
        public.into_iter().chain(private).collect()
    }

    fn public_facets(&self) -> Vec<Facet> {
        if !self.authors.is_empty() {
            return self.authors.iter().map(Facet::author).collect();
        }
        if !self.any_of.is_empty() {
            return self.any_of.iter().map(Facet::category).collect();
        }
        if self.only_episodes {
            return vec![Facet::episodes()];
        }
        match &self.language {
            Some(language) => vec![Facet::language(language)],
            None => vec![Facet::all()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_gives_its_slug() {
        for (label, slug) in [
            ("头条", "头条"),
            ("Tech News", "tech-news"),
            (" Politics / Economy ", "politics-economy"),
            ("ＮＥＷＳ", "ｎｅｗｓ"),
            ("Cafe\u{301}", "caf\u{e9}"),
            ("v1.0", "v1-0"),
            ("科技·互联网", "科技-互联网"),
            ("हिन्दी", "हिन्दी"),
            ("../../etc", "etc"),
        ] {
            assert_eq!(Slug::from_label(label).unwrap().as_str(), slug, "{label}");
            assert!(slug.parse::<Slug>().is_ok(), "{slug} is canonical");
        }
    }

    #[test]
    fn a_slug_is_refused_with_what_to_write() {
        assert!(
            matches!("Tech News".parse::<Slug>(), Err(SlugError::Spelling { canonical, .. }) if canonical == "tech-news")
        );
        assert!(matches!("//".parse::<Slug>(), Err(SlugError::Empty(_))));
        assert!(matches!(Slug::from_label(&"字".repeat(60)), Err(SlugError::Long(_))));
    }

    #[test]
    fn a_territory_is_a_country_of_the_standard() {
        for (given, advice) in [
            ("UK", "did you mean `GB`?"),
            ("jp", "did you mean `JP`?"),
            ("TWN", "did you mean `TW`?"),
            ("Japan", "write for example"),
            ("XX", "write for example"),
            ("", "write for example"),
        ] {
            let refused = given.parse::<Territory>().unwrap_err().to_string();
            assert!(refused.contains(advice), "{refused}");
        }
        assert!("GB".parse::<Territory>().is_ok() && "TW".parse::<Territory>().is_ok());
    }

    #[test]
    fn the_facet_of_an_author_is_short() {
        let facet = |name: &str| Facet::author(&Text::new(name)).as_str().to_owned();
        assert_eq!(facet("Ana Li"), "author/Ana Li");
        assert_eq!(facet(&"a".repeat(200)).len(), "author/".len() + 200);
        let long = facet(&"a".repeat(201));
        assert!(long.starts_with("author/sha256:") && long.len() < 60, "{long}");
        assert_ne!(long, facet(&"a".repeat(202)));
    }

    #[test]
    fn languages_have_their_usual_case() {
        for (given, tag) in [("zh-cn", "zh-CN"), ("EN", "en"), ("zh-hant-tw", "zh-Hant-TW")] {
            assert_eq!(given.parse::<Language>().unwrap().as_str(), tag);
        }
        for given in ["english", "en_GB", "", "中文"] {
            assert!(given.parse::<Language>().is_err(), "{given}");
        }
        let zh: Language = "zh".parse().unwrap();
        assert!(zh.covers(&"zh-Hant".parse().unwrap()) && !zh.covers(&"zha".parse().unwrap()));
    }
}
