//! What a server answered.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use url::Url;

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// As it came: errors of servers and `304 Not Modified` are answers.
    pub status: StatusCode,
    /// Where it came from, after all moves.
    pub url: Url,
    /// Where the document is from now on: the end of the moves that are for good (301, 308) and come before all others.
    pub moved_to: Option<Url>,
    /// As they came; a coding that was undone is no longer named.
    pub headers: HeaderMap,
    /// Without its coding, and within the limit.
    pub body: Bytes,
}

impl Answer {
    /// What the document is known by, to ask for it again.
    pub fn known(&self) -> Known {
        let field = |name| self.field(name).map(str::to_owned);
        Known { etag: field(header::ETAG), last_modified: field(header::LAST_MODIFIED) }
    }

    /// A field of one line, where it is text.
    pub fn field(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// How long to wait before asking again, RFC 9110 section 10.2.3; `now` is for servers that name a date. Zero at least,
    /// and as much as the server likes at most.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        let wait = self.field(header::RETRY_AFTER)?;
        if let Ok(seconds) = wait.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = DateTime::<Utc>::from(httpdate::parse_http_date(wait).ok()?);
        Some((date - now).to_std().unwrap_or_default())
    }
}

/// What tells one state of a document from another, as its server said it. Opaque, and kept as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The entity tag, with its quotes.
    pub etag: Option<String>,
    /// The date of the last change.
    pub last_modified: Option<String>,
}

impl Known {
    /// Adds the preconditions; what cannot be written in a field is left out.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        let conditions =
            [(header::IF_NONE_MATCH, &self.etag), (header::IF_MODIFIED_SINCE, &self.last_modified)];
        for (name, value) in conditions {
            let value = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok());
            headers.extend(value.map(|value| (name, value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_number_or_a_date() {
        let now = "2026-03-05T12:00:00Z".parse().unwrap();
        for (field, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("Thu, 05 Mar 2026 12:01:00 GMT", Some(60)),
            ("Thu, 05 Mar 2026 11:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = [(header::RETRY_AFTER, HeaderValue::from_static(field))];
            let answer = Answer {
                status: StatusCode::SERVICE_UNAVAILABLE,
                url: Url::parse("https://example.com/").unwrap(),
                moved_to: None,
                headers: headers.into_iter().collect(),
                body: Bytes::new(),
            };
            assert_eq!(answer.retry_after(now), expected.map(Duration::from_secs), "{field}");
        }
    }
}
