//! An edition: one document, at one revision, as the bytes and fields that clients get.
//!
//! Everything that can be worked out before a request is worked out here, once.

mod coding;
mod delta;
mod tags;
mod validators;

pub use coding::{Coding, Codings, Effort};
pub use delta::Entries;
pub use tags::{Malformed, Member, TagList, mended};
pub use validators::{EntityTag, Validators};

use std::ops::Range;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use xxhash_rust::xxh3::xxh3_64;

use crate::article::Revision;

/// Smaller documents are not worth coding (H-86), in bytes.
const LEAST_CODED: usize = 1_024;

/// Fields that clients may read across origins (H-126).
const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, Link, Retry-After, Date, Age, Cache-Status, IM, Delta-Base");

/// How a document is presented, whatever its bytes.
#[derive(Clone, Debug)]
pub struct Presentation {
    /// Media type with charset (D-2).
    pub content_type: &'static str,
    /// How long a copy stays fresh, in seconds.
    pub max_age_seconds: u32,
    /// The link to itself, as in the field `Link`. A 304 repeats it: it is what WebSub looks for (H-62).
    pub own_link: Option<String>,
    /// Links to its other forms (H-124).
    pub links: Vec<String>,
    /// Whether search engines should leave it out (O-21).
    pub is_unlisted: bool,
    /// For pages.
    pub security_policy: Option<&'static str>,
    /// Whether it is for some only: no shared cache keeps it (H-109), and no page of another origin reads it (H-125).
    pub is_private: bool,
    /// What only caches in front are told; nothing of what is private.
    pub edge: Vec<(HeaderName, HeaderValue)>,
}

/// A document in each coding. It never changes; a newer one takes its place.
#[derive(Debug)]
pub struct Edition {
    revision: Revision,
    changed: Option<DateTime<Utc>>,
    digest: u64,
    entries: Entries,
    /// The fields for caches in front, which keep no delta.
    edge: Vec<HeaderName>,
    /// In the order of [`Coding::ALL`]; identity is always there.
    codings: [Option<Coded>; Coding::ALL.len()],
}

/// One coding of an edition.
#[derive(Clone, Debug)]
struct Coded {
    /// Between its quotes.
    tag: String,
    body: Bytes,
    /// Fields of a 200.
    whole: HeaderMap,
    /// Fields of a 304 (H-60).
    unchanged: HeaderMap,
}

impl Edition {
    /// Codes a document. `changed` is the time of its revision; `None` for one that is part of the program.
    pub fn new(
        document: Vec<u8>,
        presentation: &Presentation,
        revision: Revision,
        changed: Option<DateTime<Utc>>,
    ) -> Self {
        let digest = xxh3_64(&document);
        let document = exactly(document);
        let code = |coding: Coding| {
            let body = match coding {
                Coding::Identity => document.clone(),
                Coding::Brotli | Coding::Zstd | Coding::Gzip => {
                    if document.len() < LEAST_CODED {
                        return None;
                    }
                    let coded = coding.encode(&document, Effort::Quick);
                    (coded.len() < document.len()).then(|| exactly(coded))?
                }
            };
            let effort = Effort::Quick;
            let tag = EntityTag { revision, digest, coding, effort }.to_string();
            let unchanged = unchanged_fields(&tag, presentation);
            let whole = whole_fields(unchanged.clone(), coding, presentation, changed);
            // A copy has no room to spare, which is most of what a map of fields takes.
            let (whole, unchanged) = (whole.clone(), unchanged.clone());
            Some(Coded { tag, body, whole, unchanged })
        };
        Self {
            revision,
            changed,
            digest,
            entries: Entries::default(),
            edge: presentation.edge.iter().map(|(name, _)| name.clone()).collect(),
            codings: Coding::ALL.map(code),
        }
    }

    /// The same edition, of which deltas can be cut (H-140).
    #[must_use]
    pub fn with_entries(self, entries: Entries) -> Self {
        Self { entries, ..self }
    }

    /// The same document, coded again with more effort: where that is smaller, under a tag of its own.
    #[must_use]
    pub fn recoded(&self) -> Self {
        let document = self.coded(Coding::Identity).map_or(&[][..], |coded| &coded.body);
        let recode = |coding: Coding| {
            let Coded { mut tag, mut body, mut whole, mut unchanged } = self.coded(coding)?.clone();
            if coding != Coding::Identity {
                let better = coding.encode(document, Effort::Thorough);
                if better.len() < body.len() {
                    tag = EntityTag { coding, effort: Effort::Thorough, ..self.content() }
                        .to_string();
                    body = exactly(better);
                    let quoted = value(&format!("\"{tag}\""));
                    whole.insert(header::ETAG, quoted.clone());
                    unchanged.insert(header::ETAG, quoted);
                }
            }
            Some(Coded { tag, body, whole, unchanged })
        };
        let codings = Coding::ALL.map(recode);
        let Self { revision, changed, digest, ref entries, ref edge, .. } = *self;
        Self { revision, changed, digest, entries: entries.clone(), edge: edge.clone(), codings }
    }

    /// The tag of the document as it is.
    pub fn content(&self) -> EntityTag {
        let Self { revision, digest, .. } = *self;
        EntityTag { revision, digest, coding: Coding::Identity, effort: Effort::Quick }
    }

    /// How many entries are newer than `base`, if a delta from there is true and worth its while (H-146).
    pub fn newer(&self, base: Revision) -> Option<usize> {
        self.entries.newer(base, self.revision)
    }

    /// The document with only those entries, in a coding; for a base of which [`Edition::newer`] tells a number.
    pub fn since(&self, base: Revision, coding: Coding) -> Bytes {
        let whole = self.coded(Coding::Identity).map_or(&[][..], |coded| &coded.body);
        let delta = self.entries.cut(whole, base);
        if coding == Coding::Identity {
            delta.into()
        } else {
            coding.encode(&delta, Effort::Quick).into()
        }
    }

    /// The fields of a 226 whose body is that delta: those of the whole document (H-141), but for what is about the body
    /// and how long it lasts (H-142 to H-145).
    pub fn delta_fields(&self, coding: Coding, base: EntityTag) -> HeaderMap {
        let mut fields = self.coded(coding).map(|coded| coded.whole.clone()).unwrap_or_default();
        for name in &self.edge {
            fields.remove(name);
        }
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, im"));
        fields
            .insert(header::VARY, HeaderValue::from_static("A-IM, If-None-Match, Accept-Encoding"));
        fields.insert("im", HeaderValue::from_static("feed"));
        fields.insert("delta-base", value(&format!("\"{base}\"")));
        fields
    }

    /// How many articles are held back from it.
    pub fn held_back(&self) -> u64 {
        self.entries.held_back
    }

    /// The write it shows.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// When that was.
    pub fn changed(&self) -> Option<DateTime<Utc>> {
        self.changed
    }

    /// A digest of the document before coding.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// What it takes of memory, in bytes, with its place in a cache: bodies, fields, places of entries.
    pub fn weight(&self) -> u64 {
        /// Its name, what it depends on.
        const FIXED: usize = 512;
        /// A field in a map, whose names and most of whose values are shared.
        const FIELD: usize = 128;
        let coded =
            self.codings.iter().flatten().map(|coded| {
                coded.body.len() + FIELD * (coded.whole.len() + coded.unchanged.len())
            });
        let entries = self.entries.places.len() * size_of::<(Revision, Range<usize>)>();
        u64::try_from(coded.sum::<usize>() + entries + size_of::<Self>() + FIXED)
            .unwrap_or(u64::MAX)
    }

    /// Those of `accepted` that there are, in that order. Where only codings are accepted that a document is too small
    /// for, it is served as it is (H-83 allows it).
    pub fn available(&self, accepted: &Codings) -> Codings {
        let is_there = |coding: &Coding| self.coded(*coding).is_some();
        let available: Codings = accepted.iter().copied().filter(is_there).collect();
        if available.is_empty() && !accepted.is_empty() {
            return Codings::from_iter([Coding::Identity]);
        }
        available
    }

    /// The tag of the document in a coding, without its quotes; empty where there is no such coding.
    pub fn tag(&self, coding: Coding) -> &str {
        self.coded(coding).map_or("", |coded| &coded.tag)
    }

    /// The document in a coding, with the fields of a 200.
    pub fn whole(&self, coding: Coding) -> Option<(&HeaderMap, &Bytes)> {
        self.coded(coding).map(|coded| (&coded.whole, &coded.body))
    }

    /// The fields of a 304.
    pub fn unchanged(&self, coding: Coding) -> Option<&HeaderMap> {
        self.coded(coding).map(|coded| &coded.unchanged)
    }

    fn coded(&self, coding: Coding) -> Option<&Coded> {
        self.codings[coding as usize].as_ref()
    }
}

/// Bytes without room to spare.
fn exactly(bytes: Vec<u8>) -> Bytes {
    bytes.into_boxed_slice().into()
}

/// The fields that every answer with an edition has (H-60, H-62): all that a 304 has. Most polls end with one, and cost
/// its bytes.
fn unchanged_fields(tag: &str, presentation: &Presentation) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(16);
    fields.insert(header::ETAG, value(&format!("\"{tag}\"")));
    let age = presentation.max_age_seconds;
    let freshness = if presentation.is_private {
        format!("private, max-age={age}")
    } else {
        format!("public, max-age={age}, stale-while-revalidate=60, stale-if-error=86400")
    };
    fields.insert(header::CACHE_CONTROL, value(&freshness));
    fields.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if !presentation.is_private {
        fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        fields.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        fields.extend(presentation.edge.iter().cloned());
    }
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(own_link) = &presentation.own_link {
        fields.insert(header::LINK, value(own_link));
    }
    fields
}

fn whole_fields(
    mut fields: HeaderMap,
    coding: Coding,
    presentation: &Presentation,
    changed: Option<DateTime<Utc>>,
) -> HeaderMap {
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(presentation.content_type));
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    let links: Vec<_> = presentation.own_link.iter().chain(&presentation.links).cloned().collect();
    if !links.is_empty() {
        fields.insert(header::LINK, value(&links.join(", ")));
    }
    if coding != Coding::Identity {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    if let Some(changed) = changed {
        fields.insert(header::LAST_MODIFIED, value(&httpdate::fmt_http_date(changed.into())));
    }
    if presentation.is_unlisted {
        fields.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    }
    if let Some(policy) = presentation.security_policy {
        fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    fields
}

/// A value made of addresses, which are percent-encoded, and of our own words.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("only visible ASCII is put into fields")
}
