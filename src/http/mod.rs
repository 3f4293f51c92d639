//! HTTP: one request in, one response out, never an error.
//!
//! [`respond`] reads as the story of a request: bounds, route, edition, codings, preconditions. It takes any body and a
//! given time, so that it can be called without a socket; [`server`] has the sockets and the clock.

mod ahead;
mod answer;
mod conditional;
mod delta;
mod head;
mod media;
mod negotiate;
mod partner;
mod politeness;
mod push;
mod responder;
mod response;
mod route;
pub mod server;
mod timer;

pub use partner::Counter;
pub use politeness::respond_politely;
pub use push::Inbox;
pub use response::Answer;
pub use route::{Route, route};

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use http::{HeaderValue, Method, Request, Uri, Version, header};
use http_body_util::Full;

use crate::{
    feed::FeedPath,
    format::Format,
    publish::{Cached, Document, PublishError, Publisher},
};
use answer::{Look, Step, answer, step};
use head::Head;
use response::Problem;

/// How large a request may be, whom it may address, and how long a replica may go without the store.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest target, in bytes; at least 8,000 (H-8).
    pub target_bytes: usize,
    /// Largest header, in bytes, names and values together (H-9).
    pub header_bytes: usize,
    /// Hosts that are served (H-12); empty: any.
    pub hosts: Vec<String>,
    /// How long the store may be silent until `/readyz` says no.
    pub staleness: Duration,
}

/// Answers a request.
pub async fn respond<B>(
    publisher: &Publisher,
    limits: &Limits,
    request: &Request<B>,
    now: DateTime<Utc>,
) -> Answer {
    weigh(publisher, limits, &Head::of(request), now, &mut 0).await
}

/// The same; `whole` becomes the size of the document that a 226 or a 304 stands for, in bytes.
async fn weigh(
    publisher: &Publisher,
    limits: &Limits,
    head: &Head<'_>,
    now: DateTime<Utc>,
    whole: &mut usize,
) -> Answer {
    match in_memory(publisher, limits, head, now, whole) {
        Some(answer) => answer,
        None => Box::pin(in_time(publisher, limits, head, now, whole)).await,
    }
}

/// The answer, where it is in memory: what [`respond`] says, but without a future, which would be copied about with each
/// request.
pub fn at_once<B>(
    publisher: &Publisher,
    limits: &Limits,
    request: &Request<B>,
    now: DateTime<Utc>,
) -> Option<Answer> {
    in_memory(publisher, limits, &Head::of(request), now, &mut 0)
}

/// An answer that may have to be waited for.
async fn in_time(
    publisher: &Publisher,
    limits: &Limits,
    head: &Head<'_>,
    now: DateTime<Utc>,
    whole: &mut usize,
) -> Answer {
    let mut answer = match read(publisher, limits, head, now, whole).await {
        Ok(answer) => answer,
        Err(problem) => problem.answer(&partner::without_secret(head.uri.path())),
    };
    leave_body_out(head.method, &mut answer);
    answer
}

/// A request by HEAD gets the fields only, `Content-Length` with them (H-3).
fn leave_body_out(method: &Method, answer: &mut Answer) {
    if method == Method::HEAD {
        response::announce_length(answer);
        *answer.body_mut() = Full::default();
    }
}

/// The edition at an address that is for everybody: what is at partners' addresses is for whoever is let in there, and what
/// is at an address of an old system is elsewhere.
fn kept(publisher: &Publisher, uri: &Uri) -> Option<Cached> {
    let is_old = |query| publisher.catalogue().redirects.of_query(uri.path(), query).is_some();
    let is_elsewhere = uri.path().starts_with(partner::PREFIX) || is_old(uri.query());
    if is_elsewhere { None } else { publisher.cached(uri.path()) }
}

/// The answer that nothing has to be waited for: an edition in memory, and no delta to cut. The rest, errors too, is for
/// [`in_time`].
fn in_memory(
    publisher: &Publisher,
    limits: &Limits,
    head: &Head<'_>,
    now: DateTime<Utc>,
    whole: &mut usize,
) -> Option<Answer> {
    if !matches!(*head.method, Method::GET | Method::HEAD) {
        return None;
    }
    check_bounds(limits, head).ok()?;
    let edition = kept(publisher, head.uri)?;
    let step = step(&edition, head, publisher.dates(now), Look::ToCome, whole);
    let Ok(Step::Done(given)) = step else { return None };
    let mut answer = given.answer(&edition);
    leave_body_out(head.method, &mut answer);
    Some(answer)
}

async fn read(
    publisher: &Publisher,
    limits: &Limits,
    head: &Head<'_>,
    now: DateTime<Utc>,
    whole: &mut usize,
) -> Result<Answer, Problem> {
    check_bounds(limits, head)?;
    check_method(head.method)?;
    let path = head.uri.path();
    if head.method == Method::OPTIONS {
        return options(publisher, head);
    }
    let route = route(path);
    if let Route::Document(document) = &route
        && let Some(cached) = kept(publisher, head.uri)
    {
        let mut edition = Arc::clone(&cached);
        return answer(publisher, document, &mut edition, head, now, whole).await;
    }
    let redirects = &publisher.catalogue().redirects;
    if let Some(fate) = redirects.of_query(path, head.uri.query()) {
        return response::fate(fate);
    }
    let exists = match &route {
        Route::Feed(feed)
        | Route::Document(Document::Feed(feed, _) | Document::Archive(feed, ..)) => {
            publisher.find(feed).is_some()
        }
        Route::Document(_) | Route::Moved(_) | Route::Health | Route::Ready => true,
        Route::Unknown => false,
    };
    let Some(canonical) = route.path().filter(|_| exists) else {
        return redirects.of_path(path).map_or(Err(Problem::Unknown), response::fate);
    };
    if canonical != path {
        let base = &publisher.catalogue().site.base;
        return Ok(response::moved(&format!(
            "{}{}",
            base.as_str().trim_end_matches('/'),
            canonical
        )));
    }
    match route {
        Route::Document(document) => match (publisher.edition(&document).await, &document) {
            (Err(PublishError::Unfilled(..)), Document::Archive(feed, _, format)) => {
                let spec = publisher.find(feed).ok_or(Problem::Unknown)?;
                Ok(response::moved_for_now(&spec.address(format.extension())))
            }
            (made, document) => {
                let mut edition = made.map_err(|error| failed(document, &error))?;
                answer(publisher, document, &mut edition, head, now, whole).await
            }
        },
        Route::Feed(feed) => negotiate_format(publisher, feed, head, now, whole).await,
        Route::Health => Ok(response::plain("ok\n")),
        Route::Ready => {
            let freshness = publisher.freshness(now).await;
            let wants_json = negotiate::wants_json(head.fields);
            Ok(response::readiness(freshness, limits.staleness, wants_json))
        }
        Route::Moved(_) | Route::Unknown => Err(Problem::Unknown),
    }
}

fn check_bounds(limits: &Limits, head: &Head<'_>) -> Result<(), Problem> {
    let uri = head.uri;
    let target = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if target > limits.target_bytes {
        return Err(Problem::Target);
    }
    if head.size > limits.header_bytes {
        return Err(Problem::Fields);
    }
    let host = head.host.only();
    if host.is_none() && (head.host.is_there() || head.version == Version::HTTP_11) {
        return Err(Problem::Malformed("A request names its host once (RFC 9112 section 3.2)."));
    }
    if limits.hosts.is_empty() {
        return Ok(());
    }
    let named = uri.host().or_else(|| host.and_then(|host| host.to_str().ok()).map(without_port));
    let is_served = |named: &str| limits.hosts.iter().any(|host| host.eq_ignore_ascii_case(named));
    if named.is_some_and(|named| !is_served(named)) { Err(Problem::Host) } else { Ok(()) }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn check_method(method: &Method) -> Result<(), Problem> {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Ok(()),
        Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::PATCH
        | Method::TRACE
        | Method::CONNECT => Err(Problem::Method),
        _ => Err(Problem::Unimplemented),
    }
}

fn options(publisher: &Publisher, head: &Head<'_>) -> Result<Answer, Problem> {
    let exists = match route(head.uri.path()) {
        Route::Feed(feed)
        | Route::Document(Document::Feed(feed, _) | Document::Archive(feed, ..)) => {
            publisher.find(&feed).is_some()
        }
        Route::Document(_) | Route::Moved(_) | Route::Health | Route::Ready => true,
        Route::Unknown => head.uri.path() == "*",
    };
    let is_preflight = head.fields.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if exists { Ok(response::options(is_preflight)) } else { Err(Problem::Unknown) }
}

/// What clients are told of a failure; the log has the rest where it is ours.
fn failed(document: &Document, error: &PublishError) -> Problem {
    let problem = Problem::of(error);
    // Refused requests are logged once for many of them.
    if problem.status().is_server_error() && !matches!(error, PublishError::Busy { .. }) {
        let error = error as &dyn std::error::Error;
        tracing::error!(error, "no edition of `{}`", document.path());
    }
    problem
}

/// A feed at the address without an extension: a page for browsers, RSS for readers that do not say (H-92 to H-94).
async fn negotiate_format(
    publisher: &Publisher,
    feed: FeedPath,
    head: &Head<'_>,
    now: DateTime<Utc>,
    whole: &mut usize,
) -> Result<Answer, Problem> {
    let offered = [Format::Rss, Format::Atom, Format::Json, Format::Html];
    let Some(format) = negotiate::format(head.fields, &offered) else {
        let address = |format: Format| Document::Feed(feed.clone(), format).path();
        let base = publisher.catalogue().site.base.as_str().trim_end_matches('/');
        return Err(Problem::Format(
            offered.map(|format| format!("{base}{}", address(format))).into(),
        ));
    };
    let document = Document::Feed(feed, format);
    let path = document.path();
    let mut edition = match publisher.cached(&path) {
        Some(cached) => Arc::clone(&cached),
        None => publisher.edition(&document).await.map_err(|error| failed(&document, &error))?,
    };
    let mut answer = answer(publisher, &document, &mut edition, head, now, whole).await?;
    let fields = answer.headers_mut();
    let vary = fields.get(header::VARY).and_then(|vary| vary.to_str().ok()).unwrap_or_default();
    let vary = HeaderValue::try_from(format!("Accept, {vary}")).expect("names of fields");
    fields.insert(header::VARY, vary);
    // As clients see it: a proxy in front may serve this below a path of its own.
    let above = publisher.catalogue().site.base.path().trim_end_matches('/');
    let location = HeaderValue::try_from(format!("{above}{path}"));
    fields.insert(header::CONTENT_LOCATION, location.expect("addresses are percent-encoded"));
    Ok(answer)
}
