//! How articles are pushed.

use std::{num::NonZeroU32, time::Duration};

use url::Url;

use crate::{
    config::{
        section::{Keys, Section},
        value::{self, Mistake},
    },
    feed::Catalogue,
    push::{Rules, SEGMENTS},
};

pub(super) const PUSH: Keys = Keys {
    required: &[],
    optional: &[
        "listen",
        "base_url",
        "path",
        "max_body_bytes",
        "max_media_bytes",
        "max_records",
        "max_requests",
        "body_timeout_seconds",
        "requests_per_hour",
    ],
};

/// What the section says; `None` without one. `site` is where feeds are reached.
pub(super) fn rules(section: &Section<'_>, site: &Url, catalogue: &Catalogue) -> Option<Rules> {
    const PER_HOUR: NonZeroU32 = NonZeroU32::new(36_000).expect("36,000 is not zero");
    let listen = section.parse("listen", value::listen);
    let base = section.parse("base_url", value::base_url).or_else(|| {
        let listen = listen.filter(|listen| listen.port() != 0)?;
        format!("http://{listen}/").parse().ok()
    });
    let path = section.parse("path", value::path).unwrap_or_default();
    let base = base.unwrap_or_else(|| site.clone());
    let base = base.join(format!("{path}/").trim_start_matches('/'));
    let rules = Rules {
        listen,
        base: base.unwrap_or_else(|_| site.clone()),
        path,
        max_body_bytes: section
            .number("max_body_bytes", 10_000..=1_000_000_000)
            .unwrap_or(8_000_000),
        max_media_bytes: section
            .number("max_media_bytes", 10_000..=4_000_000_000)
            .unwrap_or(20_000_000),
        max_records: section.number("max_records", 1..=10_000).unwrap_or(1_000),
        max_requests: section.number("max_requests", 1..=1_000).unwrap_or(16),
        body_timeout: Duration::from_secs(
            section.number("body_timeout_seconds", 1..=3_600).unwrap_or(30),
        ),
        requests_per_hour: section
            .number("requests_per_hour", 1..=1_000_000)
            .and_then(NonZeroU32::new)
            .unwrap_or(PER_HOUR),
    };
    if !section.is_given() {
        return None;
    }
    // At an address of their own they are in nobody's way.
    if listen.is_none() {
        let below = rules.path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let taken = if below.is_empty() { &SEGMENTS[..] } else { &[below][..] };
        let feeds = catalogue.feeds.iter().chain(&catalogue.private);
        let mut paths = feeds.map(|spec| spec.path.encoded());
        if let Some(name) = paths.find(|path| taken.contains(&path.as_str())) {
            let wrong = format!("articles are pushed to `/{name}`, where there is a feed");
            section.note(Mistake::new(wrong, "write for example `path = \"/push\"`"));
        }
    }
    Some(rules)
}
