//! Which feeds there are, and what they look like.

use std::{
    collections::BTreeMap,
    num::{NonZeroU16, NonZeroU32},
    sync::Arc,
};

use chrono_tz::Tz;
use toml::Spanned;
use url::Url;

use crate::{
    article::Window,
    category::{Category, Selection, Slug},
    config::{
        partner, redirect,
        section::{Keys, Section, Span, listed},
        show,
        value::{self, Mistake},
    },
    feed::{Catalogue, Contact, Defaults, FeedPath, FeedSpec, Logo, Redirects, Site},
    text::Text,
};

/// Names that no feed can have: the service answers there itself, or will one day.
pub const RESERVED: &[&str] = &[
    "category", "episodes", "favicon", "feeds", "healthz", "icon", "index", "log", "media",
    "metrics", "partner", "readyz", "robots", "sitemap", "style", "websub",
];

/// How far back a show goes, unless it says otherwise.
const WHOLE_SHOW: Window = Window {
    count: NonZeroU16::new(1_000).expect("1,000 is not zero"),
    hours: None,
    bytes: NonZeroU32::new(4_000_000).expect("4,000,000 is not zero"),
};

pub(super) const SITE: Keys = Keys {
    required: &["title", "url", "tag"],
    optional: &[
        "description",
        "language",
        "time_zone",
        "rights",
        "editor",
        "webmaster",
        "image",
        "icon",
    ],
};

pub(super) const CONTACT: Keys = Keys { required: &["name", "email"], optional: &[] };

pub(super) const IMAGE: Keys = Keys { required: &["url"], optional: &["width", "height"] };

pub(super) const DEFAULTS: Keys = Keys {
    required: &[],
    optional: &["newest", "hours", "bytes", "text", "pictures", "ttl_minutes"],
};

pub(super) const CATEGORY: Keys = Keys {
    required: &["slug", "label"],
    optional: &[
        "description",
        "home",
        "newest",
        "hours",
        "bytes",
        "text",
        "pictures",
        "ttl_minutes",
    ],
};

pub(super) const FEED: Keys = Keys {
    required: &["name", "title"],
    optional: &[
        "description",
        "home",
        "any_of",
        "none_of",
        "authors",
        "language",
        "newest",
        "hours",
        "bytes",
        "text",
        "pictures",
        "ttl_minutes",
        "public",
        "show",
    ],
};

/// The catalogue of a file, for a service that is reached at `base`.
///
/// `private_media` are the names of folders from which partners alone may read.
pub(super) fn catalogue(
    root: &Section<'_>,
    site: &Section<'_>,
    base: Url,
    private_media: &[Text],
) -> Catalogue {
    let defaults = look(&root.section("defaults", &DEFAULTS), &Defaults::default());
    let sections = root.sections("category", &CATEGORY);
    let listings: Vec<_> =
        sections.iter().filter_map(|section| Listing::read(section, &defaults)).collect();
    for (listing, above) in with_those_above(&listings) {
        if let Some((spans, wrong)) = above.iter().find_map(|other| other.clash(listing)) {
            root.report.note_twice(spans, Mistake::new(wrong, "write another one"));
        }
    }

    let labels = listings.iter().map(|listing| (listing.slug().clone(), listing.label().clone()));
    let site = Arc::new(common(site, base, labels.collect()));
    let catalogue = Catalogue {
        site,
        defaults,
        feeds: Vec::new(),
        private: Vec::new(),
        partners: Vec::new(),
        redirects: Redirects::default(),
    };

    let sections = root.sections("feed", &FEED);
    let named: Vec<_> =
        sections.iter().filter_map(|section| named_feed(section, &catalogue)).collect();
    for (feed, above) in with_those_above(&named) {
        let path = &feed.get_ref().spec.path;
        if let Some(other) = above.iter().find(|other| other.get_ref().spec.path == *path) {
            let mistake =
                Mistake::new(format!("there is a feed `{path}` already"), "write another name");
            root.report.note_twice([other.span(), feed.span()], mistake);
        }
    }
    let mut public = Vec::new();
    let mut private = Vec::new();
    for named in named {
        let Named { spec, is_public } = named.into_inner();
        if is_public { &mut public } else { &mut private }.push(Arc::new(spec));
    }
    public.extend(listings.into_iter().map(|listing| Arc::new(listing.feed(&catalogue))));
    let catalogue = Catalogue { feeds: public, private, ..catalogue };
    let partners = partner::partners(root, &catalogue, private_media);
    let redirects = redirect::redirects(root, &catalogue);
    Catalogue { partners, redirects, ..catalogue }
}

/// What all feeds have in common.
fn common(section: &Section<'_>, base: Url, labels: BTreeMap<Slug, Text>) -> Site {
    Site {
        title: section.parse("title", value::text).unwrap_or_default(),
        url: section.parse("url", value::url).unwrap_or_else(|| base.clone()),
        description: section.parse("description", value::text).unwrap_or_default(),
        language: section.parse("language", value::language),
        time_zone: section.parse("time_zone", value::time_zone).unwrap_or(Tz::UTC),
        rights: section.parse("rights", value::text),
        editor: contact(&section.section("editor", &CONTACT)),
        webmaster: contact(&section.section("webmaster", &CONTACT)),
        image: image(&section.section("image", &IMAGE)),
        icon: section.parse("icon", value::url),
        base,
        labels,
    }
}

pub(super) fn contact(section: &Section<'_>) -> Option<Contact> {
    let name = section.parse("name", value::text);
    let email = section.parse("email", value::email);
    Some(Contact { name: name?, email: email? })
}

fn image(section: &Section<'_>) -> Option<Logo> {
    let width = section.number("width", 1..=144);
    let height = section.number("height", 1..=400);
    section.parse("url", value::picture).map(|url| Logo { url, width, height })
}

/// What a section says of the look of its feeds, upon what is usual.
fn look(section: &Section<'_>, usual: &Defaults) -> Defaults {
    let count = section.number("newest", 1..=Window::MAX_COUNT).and_then(NonZeroU16::new);
    let hours = section.number("hours", 1..=8_760).and_then(NonZeroU16::new);
    let bytes = section.number("bytes", 10_000..=5_000_000).and_then(NonZeroU32::new);
    let text =
        section.parse("text", |given| value::choice(given, &[("full", true), ("summary", false)]));
    let ttl = section.number("ttl_minutes", 1..=1_440).and_then(NonZeroU16::new);
    Defaults {
        window: Window {
            count: count.unwrap_or(usual.window.count),
            hours: hours.or(usual.window.hours),
            bytes: bytes.unwrap_or(usual.window.bytes),
        },
        full_text: text.unwrap_or(usual.full_text),
        pictures: section.flag("pictures").unwrap_or(usual.pictures),
        ttl: ttl.unwrap_or(usual.ttl),
    }
}

/// What a `[[category]]` says, and where.
struct Listing {
    slug: Spanned<Slug>,
    label: Spanned<Text>,
    description: Option<Text>,
    home: Option<Url>,
    look: Defaults,
}

impl Listing {
    fn read(section: &Section<'_>, defaults: &Defaults) -> Option<Self> {
        let slug = section.parse_spanned("slug", value::slug);
        let label = section.parse_spanned("label", value::text);
        let description = section.parse("description", value::text);
        let home = section.parse("home", value::url);
        let look = look(section, defaults);

        let slug = slug?;
        let unnamed = || Spanned::new(slug.span(), Text::new(slug.get_ref().as_str()));
        let label = label.unwrap_or_else(unnamed);
        Some(Self { slug, label, description, home, look })
    }

    fn slug(&self) -> &Slug {
        self.slug.get_ref()
    }

    fn label(&self) -> &Text {
        self.label.get_ref()
    }

    /// What a later listing shares with this one: articles name a category by its slug or its label.
    fn clash(&self, later: &Self) -> Option<([Span; 2], String)> {
        let is_slug_of = |slug: &Slug, label: &Text| {
            Slug::from_label(label.as_str()).is_ok_and(|other| other == *slug)
        };
        let (slug, label) = (later.slug(), later.label());
        let (earlier, place, wrong) = if self.slug() == slug {
            (self.slug.span(), later.slug.span(), format!("there is a category `{slug}` already"))
        } else if self.label() == label {
            (self.label.span(), later.label.span(), format!("another category is called `{label}`"))
        } else if is_slug_of(self.slug(), label) {
            (
                self.slug.span(),
                later.label.span(),
                format!("`{label}` is the slug of another category"),
            )
        } else if is_slug_of(slug, self.label()) {
            (
                self.label.span(),
                later.slug.span(),
                format!("`{slug}` is the label of another category"),
            )
        } else {
            return None;
        };
        Some(([earlier, place], wrong))
    }

    fn feed(self, catalogue: &Catalogue) -> FeedSpec {
        let Self { slug, label, description, home, look } = self;
        let category = Category { slug: slug.into_inner(), label: label.into_inner() };
        let usual = catalogue.unlisted(&category);
        FeedSpec {
            description: description.unwrap_or(usual.description),
            home: home.unwrap_or(usual.home),
            window: look.window,
            full_text: look.full_text,
            pictures: look.pictures,
            ttl: look.ttl,
            ..usual
        }
    }
}

/// What a `[[feed]]` says.
struct Named {
    spec: FeedSpec,
    is_public: bool,
}

/// A `[[feed]]`, with the place of its name.
fn named_feed(section: &Section<'_>, catalogue: &Catalogue) -> Option<Spanned<Named>> {
    let site = &catalogue.site;
    let name = section.parse_spanned("name", feed_name);
    let title = section.parse("title", value::text).unwrap_or_default();
    let description = section.parse("description", value::text);
    let home = section.parse("home", value::url);
    let mut selection = selection(section, catalogue);
    let show = show::show(&section.section("show", &show::SHOW), &site.base);
    selection.only_episodes = show.is_some();
    let is_public = section.flag("public").unwrap_or(true);
    let usual = &catalogue.defaults;
    let look = match &show {
        // Podcast apps follow no archives: a show is given whole (P-14).
        Some(_) => look(section, &Defaults { window: WHOLE_SHOW, ..usual.clone() }),
        None => look(section, usual),
    };
    if let (Some(_), None, None) = (&show, &selection.language, &site.language) {
        let advice = "add `language = …` here or under `[site]`; directories ask for it";
        section.note(Mistake::new("a show without a language", advice));
    }

    let name = name?;
    let span = name.span();
    let spec = FeedSpec {
        site: Arc::clone(site),
        path: FeedPath::Named(name.into_inner()),
        description: description.unwrap_or_else(|| title.clone()),
        title,
        home: home.unwrap_or_else(|| site.url.clone()),
        language: selection.language.clone().or_else(|| site.language.clone()),
        selection,
        window: look.window,
        full_text: look.full_text,
        pictures: look.pictures,
        ttl: look.ttl,
        show: show.map(Arc::new),
        terms: None,
    };
    Some(Spanned::new(span, Named { spec, is_public }))
}

fn feed_name(given: &str) -> Result<Slug, Mistake> {
    if RESERVED.contains(&given) {
        let wrong = format!("the service keeps `{given}` for itself");
        return Err(Mistake::new(wrong, "write another name"));
    }
    value::slug(given)
}

fn selection(section: &Section<'_>, catalogue: &Catalogue) -> Selection {
    let known = |given: &str| known_category(given, catalogue);
    let any_of = section.list_spanned("any_of", known);
    let none_of = section.list_spanned("none_of", known);
    for unwanted in &none_of {
        if let Some(wanted) = any_of.iter().find(|slug| slug.get_ref() == unwanted.get_ref()) {
            let wrong = format!("`{}` is both wanted and not wanted", unwanted.get_ref());
            let mut spans: [Span; 2] = [wanted.span(), unwanted.span()];
            spans.sort_by_key(|span| span.start);
            section.report.note_twice(spans, Mistake::new(wrong, "leave it out of one list"));
        }
    }
    let slugs = |list: Vec<Spanned<Slug>>| list.into_iter().map(Spanned::into_inner).collect();
    Selection {
        any_of: slugs(any_of),
        none_of: slugs(none_of),
        authors: section.list("authors", value::text).into_iter().collect(),
        language: section.parse("language", value::language),
        only_episodes: false,
        audience: None,
    }
}

/// A category that the file lists, by its slug.
pub(super) fn known_category(given: &str, catalogue: &Catalogue) -> Result<Slug, Mistake> {
    let labels = &catalogue.site.labels;
    let slugs = || labels.keys().map(Slug::as_str);
    if let Some(slug) = labels.keys().find(|slug| slug.as_str() == given) {
        return Ok(slug.clone());
    }
    let advice = match catalogue.slug_of(&Text::new(given)) {
        Some(slug) => format!("write its slug, `{slug}`"),
        None => match value::nearest(given, slugs()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if labels.is_empty() => "add a `[[category]]` for it".to_owned(),
            None => format!("known here: {}", listed(slugs())),
        },
    };
    Err(Mistake::new(format!("no category has the slug `{given}`"), advice))
}

/// Each item, and those before it.
pub(super) fn with_those_above<T>(items: &[T]) -> impl Iterator<Item = (&T, &[T])> {
    items.iter().enumerate().map(|(index, item)| (item, &items[..index]))
}
