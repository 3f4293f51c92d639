//! What partners ask of a feed, as data: a dialect is a file of this folder.
//!
//! No I/O: the files are part of the program, and a test finds every mistake in them. Here is what they may say;
//! `feed` and `format` do it.

mod zone;

pub use zone::Zone;

use std::{collections::BTreeSet, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::text::Limits;

/// How one kind of partners wants its feeds (M-40).
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// As in `feeds.toml`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Who reads it.
    pub for_whom: String,
    /// What it is written as.
    pub formats: Formats,
    /// Where it is said.
    pub sources: Vec<String>,
    /// What those who ask for it have published.
    pub verified: String,
    /// What nobody could check, and what is not written.
    pub unverified: Vec<String>,
    /// What dates are written in.
    pub zone: Zone,
    /// Where the texts of an article stand.
    pub texts: Texts,
    /// What the channel has beside what RSS has.
    pub channel: Vec<ChannelElement>,
    /// What items have beside what RSS has.
    pub item: Vec<ItemElement>,
    /// Whether the main picture is put into a text that does not show it (M-11).
    pub lead_in_body: bool,
    /// What is said of articles that have gone (M-42).
    pub sign: Sign,
    /// How long the description of a feed may be, in characters; it is cut there.
    #[serde(default)]
    pub description_characters: Option<usize>,
    /// The same for a feed in Japanese.
    #[serde(default)]
    pub description_characters_japanese: Option<usize>,
    /// Which HTML is taken; `None`: all that is ever written.
    #[serde(default)]
    pub html: Option<Limits>,
    /// What is asked of feeds and articles.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// What a dialect is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Formats {
    /// Whatever public feeds are.
    All,
    /// RSS alone.
    Rss,
}

/// Where the texts of an article stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Texts {
    /// As in public feeds: a text that is alone is the description.
    Public,
    /// The whole text in `content:encoded`, the summary in `description`.
    Content,
    /// The same, with the summary as plain text that is not HTML.
    ContentPlainSummary,
    /// The whole text in `description`.
    Description,
}

/// What a channel may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelElement {
    /// When the feed changed.
    #[serde(rename = "pubDate")]
    PubDate,
    /// The publisher's logos, for light and dark.
    #[serde(rename = "snf:logo")]
    SnfLogo,
    /// When the feed changed.
    #[serde(rename = "oa:lastPubDate")]
    OaLastPubDate,
}

/// What an item may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemElement {
    /// The first file as the enclosure, others as `media:content`.
    #[serde(rename = "file")]
    File,
    /// The main picture as the enclosure.
    #[serde(rename = "picture enclosure")]
    PictureEnclosure,
    /// The same, called 0 bytes long.
    #[serde(rename = "unmeasured picture enclosure")]
    UnmeasuredPictureEnclosure,
    /// Every picture, with its caption and who made it.
    #[serde(rename = "media:content")]
    MediaContent,
    /// The main picture.
    #[serde(rename = "media:thumbnail")]
    MediaThumbnail,
    /// In `media:content`: what a picture shows (M-7).
    #[serde(rename = "media:text")]
    MediaText,
    /// Ten tags.
    #[serde(rename = "media:keywords")]
    MediaKeywords,
    /// That it is live.
    #[serde(rename = "media:status")]
    MediaStatus,
    /// 1: what the partner is not cleared for is not in its feeds (M-26).
    #[serde(rename = "mi:hasSyndicationRights")]
    MiHasSyndicationRights,
    /// The partner's name for the first category that has one.
    #[serde(rename = "gnf:category")]
    GnfCategory,
    /// Ten tags.
    #[serde(rename = "gnf:keyword")]
    GnfKeyword,
    /// The last significant change.
    #[serde(rename = "gnf:modified")]
    GnfModified,
    /// 0: that it is live.
    #[serde(rename = "oa:delStatus")]
    OaDelStatus,
}

/// What is said of an article that has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sign {
    /// Nothing: it is not in the feed any more.
    #[serde(rename = "none")]
    None,
    /// RFC 6721 in Atom, a list in JSON Feed; RSS has no word for it.
    #[serde(rename = "tombstone")]
    Tombstone,
    /// An item with `<media:status>deleted</media:status>`.
    #[serde(rename = "media:status text")]
    MediaStatusText,
    /// An item with `<media:status state="deleted"/>`.
    #[serde(rename = "media:status state")]
    MediaStatusState,
    /// An item with `<oa:delStatus>1</oa:delStatus>`.
    #[serde(rename = "oa:delStatus")]
    OaDelStatus,
}

/// Something that is asked of a feed or of its articles.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// In the documentation, and in what `courant check` says.
    pub id: String,
    /// What it is about.
    pub of: Subject,
    /// No less than this.
    #[serde(default)]
    pub least: Option<i64>,
    /// No more than this.
    #[serde(default)]
    pub most: Option<i64>,
    /// An article that breaks it is held back from the partner (M-41); others are warned of.
    #[serde(default)]
    pub is_hard: bool,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Length of an article's title.
    TitleCharacters,
    /// From its publication to the feed's last change: no clock is asked.
    AgeDays,
    /// Length of the summary of an article without a whole text.
    TextCharacters,
    /// Width of each picture, where it is known.
    PictureWidth,
    /// The shorter side of each picture, where it is known.
    PictureSide,
    /// Size of each picture, where it is known.
    PictureBytes,
    /// An article has a page of its own.
    Page,
    /// Its page is on the publication's site.
    OwnSite,
    /// It has its whole text.
    WholeText,
    /// Its title has no markup.
    PlainTitle,
    /// Its page and its pictures are at https addresses.
    Https,
    /// It is in the language of the feed.
    OneLanguage,
    /// It has a picture.
    Picture,
    /// It says who wrote it.
    Author,
    /// One of its categories has a name at the partner.
    Category,
    /// How many articles a feed has.
    Items,
    /// Size of the document.
    FileBytes,
    /// How long readers may wait.
    TtlMinutes,
    /// The description of a feed is short enough not to be cut.
    Description,
    /// A feed says its language.
    FeedLanguage,
    /// It says it with a region.
    FeedRegion,
    /// The partner is given a logo.
    Logo,
}

/// Why a file is no dialect.
#[derive(Debug, thiserror::Error)]
pub enum DialectError {
    /// It says what no dialect can say, or not what each has to.
    #[error("cannot read the dialect")]
    Toml(#[from] toml::de::Error),
    /// A rule makes no sense.
    #[error("rule `{0}` {1}")]
    Rule(String, &'static str),
    /// The parts do not go together.
    #[error("{0}")]
    Whole(&'static str),
}

const FILES: [&str; 7] = [
    include_str!("plain.toml"),
    include_str!("msn.toml"),
    include_str!("smartnews.toml"),
    include_str!("flipboard.toml"),
    include_str!("apple-news.toml"),
    include_str!("line.toml"),
    include_str!("gunosy.toml"),
];

static ALL: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let read = |file: &&str| Dialect::read(file).expect("a test reads the files of this folder");
    FILES.iter().map(read).collect()
});

impl Dialect {
    /// Those there are, the plain one first.
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// The one of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|dialect| dialect.name == name)
    }

    /// That of public feeds.
    pub fn plain() -> &'static Self {
        &ALL[0]
    }

    /// Whether it is written as RSS alone: without archives too, which are chained by elements that are not asked for.
    pub fn is_rss_alone(&self) -> bool {
        self.formats == Formats::Rss
    }

    /// Whether articles of it have this.
    pub fn has(&self, element: ItemElement) -> bool {
        self.item.contains(&element)
    }

    /// Whether one of its rules is about this.
    pub fn rules_on(&self, subject: Subject) -> bool {
        self.rules.iter().any(|rule| rule.of == subject)
    }

    /// Whether an article without its whole text is held back.
    pub fn needs_whole_texts(&self) -> bool {
        self.rules.iter().any(|rule| rule.of == Subject::WholeText && rule.is_hard)
    }

    /// Whether an article may come into a feed or leave it because the feed's time goes on. No delta can tell of that.
    pub fn goes_by_time(&self) -> bool {
        self.rules.iter().any(|rule| rule.of == Subject::AgeDays && rule.is_hard)
    }

    /// Reads a file.
    fn read(file: &str) -> Result<Self, DialectError> {
        let dialect: Self = toml::from_str(file)?;
        let mut ids = BTreeSet::new();
        for rule in &dialect.rules {
            let wrong = |why| Err(DialectError::Rule(rule.id.clone(), why));
            let number = rule.id.strip_prefix(&dialect.name).and_then(|id| id.strip_prefix('-'));
            if number.is_none_or(|number| number.parse::<u8>().is_err()) {
                return wrong("is not named by the dialect and a number");
            }
            if !ids.insert(&rule.id) {
                return wrong("is there twice");
            }
            if rule.of.is_measured() != (rule.least.is_some() || rule.most.is_some()) {
                return wrong("has bounds for what is not measured, or none for what is");
            }
            if rule.least.zip(rule.most).is_some_and(|(least, most)| least > most) {
                return wrong("has a least that is more than its most");
            }
            if rule.is_hard && rule.of.is_of_feed() {
                return wrong("is hard, and no article can break it");
            }
        }
        if dialect.formats == Formats::Rss && dialect.html.is_none() {
            return Err(DialectError::Whole("which HTML is taken is not said"));
        }
        if (dialect.formats == Formats::All) != (dialect.sign == Sign::Tombstone) {
            return Err(DialectError::Whole("tombstones are for dialects that have Atom"));
        }
        Ok(dialect)
    }
}

impl Sign {
    /// Whether it is an item among the others.
    pub fn is_item(self) -> bool {
        match self {
            Self::None | Self::Tombstone => false,
            Self::MediaStatusText | Self::MediaStatusState | Self::OaDelStatus => true,
        }
    }
}

impl Subject {
    /// Whether rules on it have bounds.
    fn is_measured(self) -> bool {
        matches!(
            self,
            Self::TitleCharacters
                | Self::AgeDays
                | Self::TextCharacters
                | Self::PictureWidth
                | Self::PictureSide
                | Self::PictureBytes
                | Self::Items
                | Self::FileBytes
                | Self::TtlMinutes
        )
    }

    /// Whether it is asked of the feed and not of an article.
    pub fn is_of_feed(self) -> bool {
        matches!(
            self,
            Self::Items
                | Self::FileBytes
                | Self::TtlMinutes
                | Self::Description
                | Self::FeedLanguage
                | Self::FeedRegion
                | Self::Logo
        )
    }
}

impl Rule {
    /// Whether a measure is within the bounds.
    pub fn admits(&self, measure: i64) -> bool {
        self.least.is_none_or(|least| least <= measure)
            && self.most.is_none_or(|most| measure <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_dialect() {
        let names: BTreeSet<String> = FILES
            .iter()
            .map(|file| {
                Dialect::read(file).unwrap_or_else(|error| panic!("{error:?}\n{file}")).name
            })
            .collect();
        assert_eq!(names.len(), FILES.len());
        assert_eq!(Dialect::plain().name, "plain");
        // No article is held back for what nobody could check.
        for name in ["line", "gunosy", "apple-news"] {
            let hard = Dialect::find(name).unwrap().rules.iter().filter(|rule| rule.is_hard);
            assert!(hard.map(|rule| rule.of).all(|of| of == Subject::Page), "{name}");
        }
    }

    #[test]
    fn every_mistake_in_a_file_is_found() {
        let msn = FILES[1];
        assert!(Dialect::read(msn).is_ok());
        for (from, to) in [
            ("name = \"msn\"", "name = \"msn2\""),
            ("name = \"msn\"", "nmae = \"msn\""),
            ("zone = \"utc\"", "zone = \"Tokyo\""),
            ("texts = \"content-plain-summary\"", "texts = \"all\""),
            ("\"media:text\"", "\"media:txt\""),
            ("sign = \"none\"", "sign = \"tombstone\""),
            ("sign = \"none\"\n", ""),
            ("[html]", "[htm]"),
            ("\"blockquote\"", "\"h1\""),
            ("\"tbody\", ", ""),
            ("deepest = 8", "deepest = 1"),
            ("least = 21\n", "least = 151\n"),
            ("least = 21\nmost = 150\n", ""),
            ("of = \"page\"", "of = \"page\"\nleast = 1"),
            ("of = \"page\"", "of = \"pages\""),
            ("of = \"page\"", "of = \"logo\""),
            ("id = \"msn-2\"", "id = \"msn-1\""),
            ("id = \"msn-2\"", "id = \"line-2\""),
            ("is_hard", "hard"),
        ] {
            assert!(msn.contains(from), "{from}");
            assert!(Dialect::read(&msn.replacen(from, to, 1)).is_err(), "{from} as {to}");
        }
        let without_html = msn.split("[html]").next().unwrap();
        assert!(Dialect::read(without_html).is_err());
    }
}
