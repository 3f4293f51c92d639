//! Leaving an old feed system without a reader seeing anything twice.
//!
//! No I/O: entries of the old feeds and articles in, what articles take over and what readers would see out.

mod compare;
mod index;

pub use compare::{Comparison, Reappearing, compare};
pub use index::{Index, Match, Rank};

use chrono::{DateTime, Utc};
use serde::Serialize;
use url::Url;

use crate::import::{Key, Record, feed::date, page::twin_key};

/// An entry of a feed, as a reader knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Its identity; readers fall back on the address where a feed gives none, and so does this.
    pub guid: String,
    /// Its address.
    pub url: Option<String>,
    /// Plain text.
    pub title: String,
    /// First publication.
    pub published: Option<DateTime<Utc>>,
    /// Whether an Atom feed has it.
    #[serde(skip)]
    pub is_in_atom: bool,
}

impl Known {
    /// What a record out of a feed says.
    pub fn of(record: &Record) -> Option<Self> {
        let id = match &record.id {
            Some(Key::Text(id)) => Some(id.clone()),
            Some(Key::Number(number)) => Some(number.to_string()),
            None => None,
        };
        Some(Self {
            guid: record.guid.clone().or(id)?,
            url: record.url.clone(),
            title: record.title.clone().unwrap_or_default(),
            published: record.date_published.as_deref().and_then(date),
            is_in_atom: false,
        })
    }
}

/// An address as far as it tells articles apart: without scheme, `www.`, what is about the device, and a slash at the end.
fn address_key(raw: &str) -> Option<String> {
    let url = Url::parse(raw).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(twin_key(&url).trim_end_matches('/').to_owned())
}

/// A title as far as two systems write the same: without white space, signs and case.
fn title_key(title: &str) -> String {
    title.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
