//! Every answer, by status; the one place where errors get a status.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;
use serde::Serialize;

use crate::{
    feed::Fate,
    publish::{Freshness, PublishError},
    store::StoreError,
    traffic::Refusal,
};

/// What clients get.
pub type Answer = Response<Full<Bytes>>;

/// The methods that feeds take (H-2).
pub(super) const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// Why there is nothing else to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The request breaks a rule of HTTP.
    Malformed(&'static str),
    /// Nothing is at this address.
    Unknown,
    /// What was here is gone for good.
    Gone,
    /// Nothing can be done with it but reading.
    Method,
    /// Nobody knows this method.
    Unimplemented,
    /// No format suits.
    Format(Vec<String>),
    /// No coding suits.
    Coding,
    /// `If-Match` or `If-Unmodified-Since` does not hold.
    Precondition,
    /// The address is too long.
    Target,
    /// The fields are too long or too many.
    Fields,
    /// Another host.
    Host,
    /// Nobody who is let in, or nothing that they may have (P-42).
    Stranger,
    /// What the client knows is of no use any more.
    Restart,
    /// This client asks too often.
    TooOften(Refusal),
    /// Too many feeds are being made; after how many seconds to ask again.
    Busy(u32),
    /// Out of reach for now.
    Unavailable,
    /// Our fault.
    Internal,
}

/// RFC 9457.
#[derive(Serialize)]
struct Details<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    instance: &'a str,
}

impl Problem {
    /// What a failure to publish is to clients; they get no more of it than this.
    pub(super) fn of(error: &PublishError) -> Self {
        match error {
            PublishError::UnknownFeed(_)
            | PublishError::UnknownArchive(..)
            | PublishError::UnknownFile(_)
            | PublishError::Unfilled(..) => Self::Unknown,
            PublishError::Store(
                StoreError::Newer { .. }
                | StoreError::Older { .. }
                | StoreError::Part(_)
                | StoreError::Foreign(_)
                | StoreError::Article { .. }
                | StoreError::ReadOnly,
            )
            | PublishError::Render { .. } => Self::Internal,
            PublishError::Store(
                StoreError::Open { .. }
                | StoreError::Failed(_)
                | StoreError::Unknown(_)
                | StoreError::Replaced(_)
                | StoreError::Closing,
            )
            | PublishError::Slow(_) => Self::Unavailable,
            PublishError::Busy { retry_after_seconds } => Self::Busy(*retry_after_seconds),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Format(_) | Self::Coding => StatusCode::NOT_ACCEPTABLE,
            Self::Precondition => StatusCode::PRECONDITION_FAILED,
            Self::Target => StatusCode::URI_TOO_LONG,
            Self::Fields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Stranger => StatusCode::UNAUTHORIZED,
            Self::Restart | Self::Gone => StatusCode::GONE,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy(_) | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Malformed(why) => (*why).to_owned(),
            Self::Unknown => {
                "There is nothing at this address; all feeds are listed at `/`, and each names its archives."
                    .to_owned()
            }
            Self::Gone => "What was at this address is gone for good; all feeds are listed at `/`.".to_owned(),
            Self::Method => "Feeds can be read with GET and HEAD.".to_owned(),
            Self::Unimplemented => "This method is not known here.".to_owned(),
            Self::Format(addresses) => format!("There are these: {}", addresses.join(" ")),
            Self::Coding => "There are gzip, br, zstd and identity.".to_owned(),
            Self::Precondition => {
                "The feed is not the one that `If-Match` or `If-Unmodified-Since` asks for."
                    .to_owned()
            }
            Self::Target => "The address is too long.".to_owned(),
            Self::Fields => "The header is too large.".to_owned(),
            Self::Host => "This host is not served here.".to_owned(),
            Self::Stranger => "Show the token that was given to you, as a bearer token, as a password, or in the address.".to_owned(),
            Self::Restart => "What you may have is not what it was. Begin without `since`, and drop what is not there.".to_owned(),
            Self::TooOften(refusal) => {
                let how = if refusal.is_conditional {
                    ""
                } else {
                    " without `If-None-Match` or `If-Modified-Since`"
                };
                format!("A client may ask for this feed {} times an hour{how}.", refusal.per_hour)
            }
            Self::Busy(_) => "Many feeds are being made at the moment; ask again later.".to_owned(),
            Self::Unavailable => "The articles cannot be read at the moment.".to_owned(),
            Self::Internal => "The feed cannot be made; the log says why.".to_owned(),
        }
    }

    /// The answer (H-27), with what its status asks for (H-2, H-22 to H-24, H-97).
    pub(super) fn answer(&self, instance: &str) -> Answer {
        let status = self.status();
        let body = Details {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.detail(),
            instance,
        };
        let body = serde_json::to_vec(&body).expect("text and a number");
        let mut response = bare(status);
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let freshness = match self {
            Self::Unknown => "public, max-age=60",
            Self::Gone => "public, max-age=86400",
            _ => "no-store",
        };
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(freshness));
        let mut set = |name, value| {
            fields.insert(name, value);
        };
        match self {
            Self::Method => set(header::ALLOW, ALLOW),
            Self::Coding => set(header::VARY, HeaderValue::from_static("Accept-Encoding")),
            Self::Format(addresses) => {
                set(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
                let link = |address| format!("<{address}>; rel=\"alternate\"");
                let links = addresses.iter().map(link).collect::<Vec<_>>().join(", ");
                set(
                    header::LINK,
                    HeaderValue::try_from(links).expect("addresses are percent-encoded"),
                );
            }
            Self::Stranger => {
                // No charset: what a client shows is ASCII.
                let schemes = "Basic realm=\"partners\", Bearer realm=\"partners\"";
                set(header::WWW_AUTHENTICATE, HeaderValue::from_static(schemes));
            }
            Self::TooOften(refusal) => {
                set(header::RETRY_AFTER, refusal.retry_after_seconds.into());
                // Scripts may not read it otherwise (H-126).
                let exposed = HeaderValue::from_static("Retry-After");
                set(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
            }
            Self::Busy(seconds) => set(header::RETRY_AFTER, (*seconds).into()),
            Self::Unavailable => set(header::RETRY_AFTER, HeaderValue::from_static("30")),
            Self::Malformed(_) | Self::Target | Self::Fields => {
                set(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Unknown
            | Self::Gone
            | Self::Unimplemented
            | Self::Precondition
            | Self::Host
            | Self::Restart
            | Self::Internal => {}
        }
        *response.body_mut() = Full::new(Bytes::from(body));
        response
    }
}

/// Says how long the body is, where the body itself will not tell: to a request by HEAD, which leaves it out. A 304 would say
/// that the document is of no length (H-60).
pub(super) fn announce_length<B: Body>(answer: &mut Response<B>) {
    let has_body = !matches!(answer.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(length) = answer.body().size_hint().exact().filter(|_| has_body) {
        answer.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
    }
}

/// An answer without a body, with what every answer has (H-123, H-125).
pub(super) fn bare(status: StatusCode) -> Answer {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The way to the one address (H-6).
pub(super) fn moved(location: &str) -> Answer {
    elsewhere(StatusCode::PERMANENT_REDIRECT, location, "public, max-age=86400")
}

/// What became of an old address.
pub(super) fn fate(fate: &Fate) -> Result<Answer, Problem> {
    let (status, to) = match fate {
        Fate::Moved(to) => (StatusCode::MOVED_PERMANENTLY, to),
        Fate::MovedStrictly(to) => (StatusCode::PERMANENT_REDIRECT, to),
        Fate::Gone => return Err(Problem::Gone),
    };
    Ok(elsewhere(status, to.as_str(), "public, max-age=86400"))
}

/// The way to where something is today, and tomorrow may not be.
pub(super) fn moved_for_now(location: &str) -> Answer {
    elsewhere(StatusCode::TEMPORARY_REDIRECT, location, "public, max-age=60")
}

fn elsewhere(status: StatusCode, location: &str, freshness: &'static str) -> Answer {
    let mut response = bare(status);
    let fields = response.headers_mut();
    let location = HeaderValue::from_str(location).expect("addresses are percent-encoded");
    fields.insert(header::LOCATION, location);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(freshness));
    response
}

/// What may be done here (H-4), and from where (H-127).
pub(super) fn options(is_preflight: bool) -> Answer {
    let mut response = bare(StatusCode::NO_CONTENT);
    let fields = response.headers_mut();
    fields.insert(header::ALLOW, ALLOW);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_preflight {
        fields.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOW);
        let asked = HeaderValue::from_static("If-None-Match, If-Modified-Since, A-IM, Range");
        fields.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        fields.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        let vary = HeaderValue::from_static(
            "Access-Control-Request-Method, Access-Control-Request-Headers",
        );
        fields.insert(header::VARY, vary);
    }
    response
}

/// For those who watch the program.
pub(super) fn plain(text: &'static str) -> Answer {
    let mut response = bare(StatusCode::OK);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    *response.body_mut() = Full::new(Bytes::from_static(text.as_bytes()));
    response
}

/// Whether a replica may be asked, and how near to the store it is.
pub(super) fn readiness(freshness: Freshness, most: Duration, wants_json: bool) -> Answer {
    #[derive(Serialize)]
    struct Readiness {
        ready: bool,
        stale_seconds: u64,
        revision: u64,
        head: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        store_ahead_seconds: Option<i64>,
    }
    let Freshness { silence, is_lost, served, head, ahead } = freshness;
    let is_ready = silence <= most && !is_lost;
    let stale_seconds = silence.as_secs() + u64::from(silence.subsec_nanos() > 0);
    let (revision, head) = (served.0, head.0);
    let (content_type, body) = if wants_json {
        let readiness = Readiness {
            ready: is_ready,
            stale_seconds,
            revision,
            head,
            store_ahead_seconds: ahead.map(|ahead| ahead.num_seconds()),
        };
        ("application/json", serde_json::to_string(&readiness).expect("numbers"))
    } else {
        let word = match (is_ready, is_lost) {
            (true, _) => "ready",
            (false, true) => "lost",
            (false, false) => "stale",
        };
        let ahead = ahead.map(|ahead| format!("store_ahead_seconds {}\n", ahead.num_seconds()));
        let body = format!(
            "{word}\nstale_seconds {stale_seconds}\nrevision {revision}\nhead {head}\n{}",
            ahead.unwrap_or_default()
        );
        ("text/plain; charset=utf-8", body)
    };
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = bare(status);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::VARY, HeaderValue::from_static("Accept"));
    if !is_ready {
        fields.insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    }
    *response.body_mut() = Full::new(Bytes::from(body));
    response
}
