//! `[[redirect]]`: addresses of an old feed system.

use std::collections::HashMap;

use toml::Spanned;
use url::Url;

use crate::{
    category::Slug,
    config::{
        RESERVED,
        section::{Keys, Section},
        value::{self, Mistake},
    },
    feed::{Catalogue, Fate, FeedPath, Redirects},
};

pub(super) const REDIRECT: Keys = Keys { required: &["from"], optional: &["to", "status"] };

/// The redirects of a file. One that nobody would ever be sent along is a mistake.
pub(super) fn redirects(root: &Section<'_>, catalogue: &Catalogue) -> Redirects {
    let mut redirects = Redirects::default();
    let sections = root.sections("redirect", &REDIRECT);
    let mut from: HashMap<String, Spanned<String>> = HashMap::new();
    let mut targets = Vec::new();
    for section in &sections {
        let given = section.parse_spanned("from", |given| path(given, catalogue));
        let to = section.parse_spanned("to", |given| target(given, catalogue));
        let status = section.number("status", 301..=410_u16).unwrap_or(if section.has("to") {
            301
        } else {
            410
        });
        let Some(given) = given else { continue };
        let fate = match (status, to) {
            (301, Some(to)) => Some((Fate::Moved(to.get_ref().clone()), Some(to))),
            (308, Some(to)) => Some((Fate::MovedStrictly(to.get_ref().clone()), Some(to))),
            (410, None) => Some((Fate::Gone, None)),
            // What is wrong with it was said.
            (301 | 308, None) if section.has("to") => None,
            (410, _) => {
                section.note(Mistake::new(
                    "what is gone leads nowhere",
                    "leave out `to`, or write `status = 301`",
                ));
                None
            }
            (301 | 308, None) => {
                section.note(Mistake::new(
                    "a redirect without `to`",
                    "say where it leads, or write `status = 410`",
                ));
                None
            }
            _ => {
                section.note(Mistake::new(
                    format!("`status` {status} is none of a redirect"),
                    "write 301, 308 or 410",
                ));
                None
            }
        };
        let Some((fate, to)) = fate else { continue };
        if !redirects.insert(given.get_ref(), fate) {
            let wrong = format!("there is a redirect from `{}` already", given.get_ref());
            let mistake = Mistake::new(wrong, "write one of them");
            match from.get(given.get_ref()) {
                Some(other) => root.report.note_twice([other.span(), given.span()], mistake),
                None => root.report.note(given.span(), mistake),
            }
        }
        targets.extend(to);
        from.insert(given.get_ref().clone(), given);
    }
    for to in targets {
        let base = catalogue.site.base.as_str().trim_end_matches('/');
        let own = to.get_ref().as_str().strip_prefix(base).filter(|rest| rest.starts_with('/'));
        let Some(own) = own else { continue };
        let (path, query) =
            own.split_once('?').map_or((own, None), |(path, query)| (path, Some(query)));
        if redirects.of_query(path, query).or_else(|| redirects.of_path(path)).is_some() {
            let wrong = format!("`{own}` is itself an old address");
            root.report.note(to.span(), Mistake::new(wrong, "write where it leads in the end"));
        }
    }
    redirects
}

/// An old address as a path with or without a query, percent-encoded; an address of any host means its path.
fn path(given: &str, catalogue: &Catalogue) -> Result<String, Mistake> {
    let advice = "write `/feed/`, or `/?feed=rss2`";
    let base = Url::parse("http://old.invalid/").map_err(|_| Mistake::new("no address", advice))?;
    let is_path = given.starts_with('/') && !given.starts_with("//");
    let is_address = given.starts_with("http://") || given.starts_with("https://");
    let url = base.join(given).ok().filter(|_| is_path || is_address);
    let url = url.ok_or_else(|| Mistake::new(format!("`{given}` is not a path"), advice))?;
    if url.fragment().is_some() {
        return Err(Mistake::new("no server is told what follows `#`", "leave it out"));
    }
    let path = url.path().to_owned();
    match url.query() {
        Some(query) => Ok(format!("{path}?{query}")),
        None if is_served(&path, catalogue) => {
            let wrong = format!("`{path}` is served, so nobody would be sent on from there");
            Err(Mistake::new(wrong, "leave the redirect out, or name the feed otherwise"))
        }
        None => Ok(path),
    }
}

/// Whether something of ours is at a path, or is kept free for it.
fn is_served(path: &str, catalogue: &Catalogue) -> bool {
    let mut segments = path.trim_matches('/').split('/');
    let first = segments.next().unwrap_or_default();
    let stem = first.split('.').next().unwrap_or_default();
    let rest: Vec<&str> = segments.collect();
    match (first, &rest[..]) {
        ("", _) => true,
        // Pages of categories of an old system are elsewhere below `category/` than feeds of ours.
        ("category", [slug]) => {
            let slug = slug.split('.').next().unwrap_or_default();
            Slug::from_label(slug)
                .is_ok_and(|slug| catalogue.find(&FeedPath::Category(slug)).is_some())
        }
        ("category", _) => false,
        (_, []) => {
            RESERVED.contains(&stem)
                || Slug::from_label(stem)
                    .is_ok_and(|slug| catalogue.any(&FeedPath::Named(slug)).is_some())
        }
        _ => RESERVED.contains(&first),
    }
}

/// Where a redirect leads: a path of this service, or an address elsewhere.
fn target(given: &str, catalogue: &Catalogue) -> Result<Url, Mistake> {
    if given.starts_with('/') && !given.starts_with("//") {
        let base = catalogue.site.base.as_str().trim_end_matches('/');
        return value::url(&format!("{base}{given}"));
    }
    value::url(given)
}
