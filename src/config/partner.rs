//! `[[partner]]`: who takes feeds under terms.

use std::{
    collections::BTreeMap,
    num::{NonZeroU16, NonZeroU32},
    sync::Arc,
};

use toml::Spanned;
use url::Url;

use crate::{
    article::Window,
    category::{Slug, Territory, TerritoryError},
    config::{
        catalogue::{known_category, with_those_above},
        section::{Keys, Section, listed},
        value::{self, Mistake},
    },
    dialect::{ChannelElement, Dialect, ItemElement},
    feed::{Catalogue, FeedPath, Partner, Terms},
    text::Text,
};

pub(super) const PARTNER: Keys = Keys {
    required: &["name", "feeds"],
    optional: &[
        "title",
        "territories",
        "republished",
        "text",
        "pictures",
        "newest",
        "hours",
        "bytes",
        "delay_minutes",
        "head_start_minutes",
        "signs_days",
        "media",
        "dialect",
        "logo",
        "dark_logo",
        "category",
    ],
};

pub(super) const CATEGORY_NAME: Keys = Keys { required: &["slug", "name"], optional: &[] };

/// The partners of a file, each with the feeds it may take.
pub(super) fn partners(
    root: &Section<'_>,
    catalogue: &Catalogue,
    private_media: &[Text],
) -> Vec<Arc<Partner>> {
    let sections = root.sections("partner", &PARTNER);
    let partners: Vec<_> =
        sections.iter().filter_map(|section| partner(section, catalogue, private_media)).collect();
    for (partner, above) in with_those_above(&partners) {
        let name = &partner.get_ref().name;
        if let Some(other) = above.iter().find(|other| other.get_ref().name == *name) {
            let wrong = format!("there is a partner `{name}` already");
            let spans = [other.span(), partner.span()];
            root.report.note_twice(spans, Mistake::new(wrong, "write another name"));
        }
    }
    partners.into_iter().map(|partner| Arc::new(partner.into_inner())).collect()
}

fn partner(
    section: &Section<'_>,
    catalogue: &Catalogue,
    private_media: &[Text],
) -> Option<Spanned<Partner>> {
    let name = section.parse_spanned("name", value::slug);
    let title = section.parse("title", value::text);
    let dialect = section.parse("dialect", dialect).unwrap_or(Dialect::plain());
    let given_feeds = section.list_spanned("feeds", |given| known_feed(given, catalogue));
    let full_text =
        section.parse("text", |given| value::choice(given, &[("full", true), ("summary", false)]));
    let signs_days = section.number("signs_days", 0..=365).unwrap_or(30);
    let shift_minutes = shift(section);
    let territories = section.list("territories", territory).into_iter().collect();
    let takes_republished = section.flag("republished").unwrap_or(true);
    let pictures = section.flag("pictures");
    let window = window(section);
    if let Some(span) = section.empty_list("feeds") {
        let advice = "name those that it may take, as in `[\"news\"]`";
        section.report.note(span, Mistake::new("a partner without feeds", advice));
    }
    for feed in &given_feeds {
        if let Some(mistake) = unfit(feed.get_ref(), catalogue, dialect, full_text) {
            section.report.note(feed.span(), mistake);
        }
    }
    let media = section.list("media", |given| private_folder(given, private_media));
    let (logo, dark_logo, categories) = for_dialect(section, dialect, catalogue);

    let name = name?;
    let span = name.span();
    let name = name.into_inner();
    let partner = Partner {
        title: title.unwrap_or_else(|| Text::new(name.as_str())),
        feeds: given_feeds.into_iter().map(Spanned::into_inner).collect(),
        territories,
        takes_republished,
        full_text,
        pictures,
        window,
        shift_minutes,
        signs_days,
        terms: Arc::new(Terms {
            dialect,
            logo,
            dark_logo,
            categories,
            private_media: media,
            ..Terms::plain(name.clone())
        }),
        name,
    };
    Some(Spanned::new(span, partner))
}

fn dialect(given: &str) -> Result<&'static Dialect, Mistake> {
    Dialect::find(given).ok_or_else(|| {
        let names = || Dialect::all().iter().map(|dialect| dialect.name.as_str());
        let advice = match value::nearest(given, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", listed(names())),
        };
        Mistake::new(format!("there is no dialect `{}`", brief(given)), advice)
    })
}

/// Why a feed cannot be written in a dialect.
fn unfit(
    path: &FeedPath,
    catalogue: &Catalogue,
    dialect: &Dialect,
    full_text: Option<bool>,
) -> Option<Mistake> {
    let feed = catalogue.find(path)?;
    if feed.show.is_some() && dialect.is_rss_alone() {
        let wrong = format!("`{path}` is a show, and `{}` has no episodes", dialect.name);
        return Some(Mistake::new(wrong, "give it to a partner without a `dialect`"));
    }
    let is_short = !full_text.unwrap_or(feed.full_text) && dialect.needs_whole_texts();
    is_short.then(|| {
        let wrong = format!("`{}` takes whole texts, and `{path}` has summaries", dialect.name);
        Mistake::new(wrong, "write `text = \"full\"`")
    })
}

/// What only some dialects ask for: logos, and names of categories.
fn for_dialect(
    section: &Section<'_>,
    dialect: &Dialect,
    catalogue: &Catalogue,
) -> (Option<Url>, Option<Url>, BTreeMap<Slug, Text>) {
    let asked = |key: &str, is_given: bool, is_asked: fn(&Dialect) -> bool| {
        if is_given && !is_asked(dialect) {
            let wrong = format!("`{}` has no place for a `{key}`", dialect.name);
            let takers = Dialect::all().iter().filter(|dialect| is_asked(dialect));
            let takers = listed(takers.map(|dialect| dialect.name.as_str()));
            section.note(Mistake::new(wrong, format!("leave it out; it is for {takers}")));
        }
    };
    let shows_logo = |dialect: &Dialect| dialect.channel.contains(&ChannelElement::SnfLogo);
    let logo = section.parse("logo", value::url);
    let dark_logo = section.parse("dark_logo", value::url);
    asked("logo", logo.is_some(), shows_logo);
    asked("dark_logo", dark_logo.is_some(), shows_logo);
    let sections = section.sections("category", &CATEGORY_NAME);
    let names = sections.iter().filter_map(|section| {
        let slug = section.parse("slug", |given| known_category(given, catalogue));
        let name = section.parse("name", value::text);
        Some((slug?, name?))
    });
    let names: BTreeMap<_, _> = names.collect();
    asked("category", !names.is_empty(), |dialect| dialect.has(ItemElement::GnfCategory));
    (logo, dark_logo, names)
}

/// How much later than everybody else, or earlier.
fn shift(section: &Section<'_>) -> i16 {
    /// A week.
    const MOST: i16 = 7 * 24 * 60;
    let delay = section.number("delay_minutes", 1..=MOST);
    let head_start = section.number("head_start_minutes", 1..=MOST);
    if let (Some(_), Some(_)) = (delay, head_start) {
        let advice = "leave out `delay_minutes` or `head_start_minutes`";
        section.note(Mistake::new("a partner that is both late and early", advice));
    }
    delay.or(head_start.map(|minutes| -minutes)).unwrap_or(0)
}

/// What the section says of the window; the rest is as usual.
fn window(section: &Section<'_>) -> Option<Window> {
    let count = section.number("newest", 1..=Window::MAX_COUNT).and_then(NonZeroU16::new);
    let hours = section.number("hours", 1..=8_760).and_then(NonZeroU16::new);
    let bytes = section.number("bytes", 10_000..=5_000_000).and_then(NonZeroU32::new);
    let usual = Window::default();
    let is_given = count.is_some() || hours.is_some() || bytes.is_some();
    is_given.then(|| Window {
        count: count.unwrap_or(usual.count),
        hours,
        bytes: bytes.unwrap_or(usual.bytes),
    })
}

/// A feed that the file lists, as addresses have it: `news`, `category/headlines`.
fn known_feed(given: &str, catalogue: &Catalogue) -> Result<FeedPath, Mistake> {
    let all = || catalogue.feeds.iter().chain(&catalogue.private);
    if let Some(spec) = all().find(|spec| spec.path.to_string() == given) {
        return Ok(spec.path.clone());
    }
    let known: Vec<String> = all().map(|spec| spec.path.to_string()).collect();
    let known = || known.iter().map(String::as_str);
    let in_category = format!("category/{given}");
    let near = known().find(|path| *path == in_category);
    let advice = match near.or_else(|| value::nearest(given, known())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", listed(known())),
    };
    Err(Mistake::new(format!("there is no feed `{}`", brief(given)), advice))
}

/// A folder that `[media]` has under `private`.
fn private_folder(given: &str, private_media: &[Text]) -> Result<Text, Mistake> {
    let known = || private_media.iter().map(Text::as_str);
    private_media.iter().find(|name| name.as_str() == given).cloned().ok_or_else(|| {
        let advice = match value::nearest(given, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if private_media.is_empty() => "name it under `private` of `[media]`".to_owned(),
            None => format!("known there: {}", listed(known())),
        };
        let wrong = format!("`{}` is not among the `private` folders of `[media]`", brief(given));
        Mistake::new(wrong, advice)
    })
}

fn territory(given: &str) -> Result<Territory, Mistake> {
    given.parse().map_err(|error: TerritoryError| {
        let wrong = format!("`{}` is not the code of a country", brief(given));
        let advice = match error {
            TerritoryError::Meant { meant, .. } => format!("did you mean `{meant}`?"),
            TerritoryError::Unknown(_) => "write for example `JP`".to_owned(),
        };
        Mistake::new(wrong, advice)
    })
}

fn brief(given: &str) -> &str {
    &given[..given.floor_char_boundary(Slug::MAX_BYTES)]
}
