//! What a partner's dialect asks for and a feed or an article does not have.
//!
//! An article that breaks a hard rule is held back from that partner alone (M-41).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use url::Url;

use crate::{
    article::{Article, Picture},
    dialect::{Rule, Subject},
    feed::{Entry, Feed, FeedSpec},
    text::counted,
};

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which one.
    pub rule: &'static Rule,
    /// What is wrong and what to do.
    pub problem: String,
}

/// An article that is not in a partner's feed, and why.
#[derive(Clone, Debug)]
pub struct Held {
    /// As the public have it.
    pub article: Arc<Article>,
    /// The hard rules that it breaks; at least one.
    pub breaches: Vec<Breach>,
}

impl Feed {
    /// The rules on feeds that this one breaks in a document of so many bytes.
    pub fn breaches(&self, document_bytes: usize) -> Vec<Breach> {
        let rules = self.spec.dialect().rules.iter().filter(|rule| rule.of.is_of_feed());
        rules
            .filter_map(|rule| {
                let problem = self.problem(rule, document_bytes)?;
                Some(Breach { rule, problem })
            })
            .collect()
    }

    fn problem(&self, rule: &Rule, document_bytes: usize) -> Option<String> {
        let spec = &*self.spec;
        let language = spec.language.as_ref().map(ToString::to_string);
        let outside = |measure: usize| {
            let measure = i64::try_from(measure).unwrap_or(i64::MAX);
            (!rule.admits(measure)).then_some(measure)
        };
        match rule.of {
            Subject::Items => outside(self.entries().len()).map(|items| {
                format!(
                    "{}, {}; raise `newest` or `hours`",
                    counted(items, "article"),
                    bounds(rule)
                )
            }),
            Subject::FileBytes => outside(document_bytes).map(|bytes| {
                format!(
                    "{}, {}; lower `newest`, `hours` or `bytes`",
                    counted(bytes, "byte"),
                    bounds(rule)
                )
            }),
            Subject::TtlMinutes => outside(spec.ttl.get().into()).map(|minutes| {
                format!(
                    "it is fresh for {}, {}; lower `ttl_minutes`",
                    counted(minutes, "minute"),
                    bounds(rule)
                )
            }),
            Subject::Description => {
                let most = spec.description_characters()?;
                let length = spec.description.as_str().chars().count();
                (length > most).then(|| {
                    format!("its description has {length} characters and is cut after {most}; write a shorter one")
                })
            }
            Subject::FeedLanguage => {
                language.is_none().then(|| "it says no language; write a `language`".to_owned())
            }
            Subject::FeedRegion => {
                let has_region = language.as_ref().is_some_and(|tag| {
                    let parts = tag.split('-').skip(1);
                    parts.into_iter().any(|part| part.len() == 2)
                });
                (!has_region).then(|| {
                    "its language has no region; write for example `en-GB` or `zh-CN`".to_owned()
                })
            }
            Subject::Logo => {
                let has_logo = spec.terms.as_ref().is_some_and(|terms| terms.logo.is_some());
                (!has_logo).then(|| "there is no logo; give the partner a `logo`".to_owned())
            }
            Subject::TitleCharacters
            | Subject::AgeDays
            | Subject::TextCharacters
            | Subject::PictureWidth
            | Subject::PictureSide
            | Subject::PictureBytes
            | Subject::Page
            | Subject::OwnSite
            | Subject::WholeText
            | Subject::PlainTitle
            | Subject::Https
            | Subject::OneLanguage
            | Subject::Picture
            | Subject::Author
            | Subject::Category => None,
        }
    }
}

impl Entry<'_> {
    /// The rules on articles that this one breaks in a feed that last changed at `changed`: no clock is asked.
    pub fn breaches(&self, changed: DateTime<Utc>) -> Vec<Breach> {
        let rules = self.spec.dialect().rules.iter().filter(|rule| !rule.of.is_of_feed());
        rules
            .filter_map(|rule| {
                let problem = self.problem(rule, changed)?;
                Some(Breach { rule, problem })
            })
            .collect()
    }

    fn problem(&self, rule: &Rule, changed: DateTime<Utc>) -> Option<String> {
        let story = self.story();
        let has_text = self.spec.full_text && !story.content.is_empty();
        match rule.of {
            Subject::TitleCharacters => {
                let length = self.title().as_str().chars().count();
                let is_outside = !rule.admits(i64::try_from(length).unwrap_or(i64::MAX));
                is_outside.then(|| {
                    format!("its title has {}, {}; write another title", counted(length, "character"), bounds(rule))
                })
            }
            Subject::AgeDays => {
                let age = (changed - self.published()).num_seconds().div_euclid(86_400);
                (!rule.admits(age)).then(|| match age {
                    ..0 => "its publication is yet to come; it will be given then".to_owned(),
                    _ => format!("it is {} old, {}; shorten the window", counted(age, "day"), bounds(rule)),
                })
            }
            Subject::TextCharacters => {
                let length = self.text().as_str().chars().count();
                let is_outside = !has_text && !rule.admits(i64::try_from(length).unwrap_or(i64::MAX));
                is_outside.then(|| {
                    format!(
                        "it has no whole text, and a summary of {}, {}; give its text",
                        counted(length, "character"),
                        bounds(rule)
                    )
                })
            }
            Subject::PictureWidth => {
                self.measured(rule, |picture| picture.width.map(i64::from), "pixels wide")
            }
            Subject::PictureSide => {
                let side = |picture: &Picture| {
                    Some(i64::from(picture.width?.min(picture.height?)))
                };
                self.measured(rule, side, "pixels on its shorter side")
            }
            Subject::PictureBytes => {
                let bytes = |picture: &Picture| {
                    picture.bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
                };
                self.measured(rule, bytes, "bytes large")
            }
            Subject::Page => story
                .url
                .is_none()
                .then(|| "it has no page of its own; give its record a `url`".to_owned()),
            Subject::OwnSite => {
                let is_own = own_site(self.page(), &self.spec.site.url);
                (!is_own).then(|| {
                    format!("its page `{}` is not on the publication's site", self.page())
                })
            }
            Subject::WholeText => (!has_text).then(|| {
                let advice = if self.spec.full_text { "give its text" } else { "set `text = \"full\"`" };
                format!("it has no whole text; {advice}")
            }),
            Subject::PlainTitle => {
                let title = self.title();
                let signs = ["</", "<br", "<b>", "<i>", "&amp;", "&lt;", "&#", "&nbsp;"];
                let holds = signs.iter().any(|sign| title.as_str().contains(sign));
                holds.then(|| "its title seems to hold HTML; write plain text".to_owned())
            }
            Subject::Https => {
                let addresses = story.url.iter().chain(self.pictures().iter().map(|p| &p.url));
                let insecure = addresses.into_iter().find(|url| url.scheme() == "http");
                insecure.map(|url| format!("`{url}` is not an https address"))
            }
            Subject::OneLanguage => self.foreign_language().map(|language| {
                format!("it is in `{language}`, another language than the feed's; give it a feed of its own")
            }),
            Subject::Picture => {
                self.pictures().is_empty().then(|| "it has no picture; give it one".to_owned())
            }
            Subject::Author => {
                self.authors().is_empty().then(|| "nobody is said to have written it".to_owned())
            }
            Subject::Category => self.name_at_partner().is_none().then(|| {
                "none of its categories has a name at the partner; add one to its `category`"
                    .to_owned()
            }),
            Subject::Items
            | Subject::FileBytes
            | Subject::TtlMinutes
            | Subject::Description
            | Subject::FeedLanguage
            | Subject::FeedRegion
            | Subject::Logo => None,
        }
    }

    /// The first picture whose measure is known and outside the bounds.
    fn measured(
        &self,
        rule: &Rule,
        measure: impl Fn(&Picture) -> Option<i64>,
        what: &str,
    ) -> Option<String> {
        let mut pictures = self.pictures().iter();
        let (picture, measure) = pictures.find_map(|picture| {
            let measure = measure(picture).filter(|measure| !rule.admits(*measure))?;
            Some((picture, measure))
        })?;
        let bounds = bounds(rule);
        Some(format!("its picture `{}` is {measure} {what}, {bounds}; give another", picture.url))
    }
}

/// What is asked, after what is there.
fn bounds(rule: &Rule) -> String {
    match (rule.least, rule.most) {
        (Some(least), Some(most)) => format!("not from {least} to {most}"),
        (Some(least), None) => format!("less than {least}"),
        (None, Some(most)) => format!("more than {most}"),
        (None, None) => String::new(),
    }
}

/// Whether a page is on the host of a site or below its domain.
fn own_site(page: &Url, site: &Url) -> bool {
    let host = |url: &Url| {
        let host = url.host_str().unwrap_or_default();
        host.strip_prefix("www.").unwrap_or(host).to_owned()
    };
    let (page, site) = (host(page), host(site));
    page == site || page.strip_suffix(&site).is_some_and(|below| below.ends_with('.'))
}

impl FeedSpec {
    /// How long its description may be, in characters.
    pub fn description_characters(&self) -> Option<usize> {
        let dialect = self.dialect();
        let is_japanese =
            self.language.as_ref().is_some_and(|tag| tag.to_string().starts_with("ja"));
        let japanese = dialect.description_characters_japanese.filter(|_| is_japanese);
        japanese.or(dialect.description_characters)
    }
}
