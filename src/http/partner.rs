//! What partners get, at addresses of their own: who asks is found out before anything else.
//!
//! Whatever is wrong looks the same from outside: an unknown partner, a wrong or an ended token, a feed that is not theirs.

use std::{borrow::Cow, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{Either, Full};
use percent_encoding::percent_decode_str;

use super::{
    Answer, Limits, answer, check_bounds, check_method,
    conditional::listed,
    failed,
    head::Head,
    media::{self as files, Wanted},
    negotiate::codings,
    response::{self, Problem},
    route::{Route, below_feeds, episode_file, segments},
};
use crate::{
    article::{ArticleId, Cursor, Revision},
    category::Slug,
    edition::Coding,
    feed::{FeedPath, FeedSpec, Partner, Terms},
    format::Format,
    media::Folder,
    partner::{CHANGES, Desk, Guest, holds_secret, is_like_secret, is_same},
    publish::{Document, PublishError, Publisher, Restart},
};

/// Where partners' addresses begin.
pub(super) const PREFIX: &str = "/partner/";

/// What is needed to answer partners.
#[derive(Clone, Copy)]
pub struct Counter<'a> {
    /// Who is let in, and what they have fetched.
    pub desk: &'a Desk,
    /// What they get.
    pub publisher: &'a Publisher,
    /// The files that come with it.
    pub folder: Option<&'a Folder>,
    /// How large a request may be.
    pub limits: &'a Limits,
}

impl Counter<'_> {
    /// Whether this is where a request is answered.
    pub(super) fn is_for(path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    /// Answers a request of a partner, or of whoever claims to be one.
    pub async fn respond<B>(
        self,
        request: &Request<B>,
        now: DateTime<Utc>,
    ) -> http::Response<files::Body> {
        self.serve(&Head::of(request), now).await
    }

    pub(super) async fn serve(
        self,
        head: &Head<'_>,
        now: DateTime<Utc>,
    ) -> http::Response<files::Body> {
        let mut answer = match read(self, head, now).await {
            Ok(answer) => answer,
            // Its `instance` would repeat a token (P-42).
            Err(problem) => problem.answer("").map(Either::Left),
        };
        let fields = answer.headers_mut();
        // A page of another origin has no business here (H-125), nor has a shared cache (H-109).
        fields.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        fields.insert("x-robots-tag", HeaderValue::from_static("noindex"));
        if fields
            .get(header::CACHE_CONTROL)
            .is_some_and(|value| value.as_bytes().starts_with(b"public"))
        {
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if head.method == Method::HEAD {
            response::announce_length(&mut answer);
            answer.map(|_| Either::Left(Full::default()))
        } else {
            answer
        }
    }
}

/// A path below [`PREFIX`], taken apart.
struct Asked<'a> {
    partner: Slug,
    /// A token that was part of it.
    secret: Option<&'a str>,
    /// What opens files.
    reach: Option<&'a str>,
    /// What is left of it, percent-encoded.
    rest: &'a str,
}

impl<'a> Asked<'a> {
    fn read(path: &'a str) -> Option<Self> {
        let (name, mut rest) = path.strip_prefix(PREFIX)?.split_once('/')?;
        let partner = percent_decode_str(name).decode_utf8().ok()?.parse().ok()?;
        let (mut secret, mut reach) = (None, None);
        if let Some((first, others)) = rest.split_once('/') {
            if is_like_secret(first) {
                (secret, rest) = (Some(first), others);
            } else if first.starts_with(Terms::REACH) {
                (reach, rest) = (Some(first), others);
            }
        }
        Some(Self { partner, secret, reach, rest })
    }
}

async fn read(
    counter: Counter<'_>,
    head: &Head<'_>,
    now: DateTime<Utc>,
) -> Result<http::Response<files::Body>, Problem> {
    let Counter { desk, publisher, folder, limits } = counter;
    check_bounds(limits, head)?;
    check_method(head.method)?;
    let asked = Asked::read(head.uri.path()).ok_or(Problem::Stranger)?;
    let Asked { partner: name, secret, reach, rest } = asked;
    let partner = publisher.catalogue().partner(&name);
    if let Some(reach) = reach {
        let partner = partner
            .filter(|partner| is_same(partner.terms.reach.as_str(), reach))
            .filter(|_| desk.is_open(&name, now))
            .ok_or(Problem::Unknown)?;
        if head.method == Method::OPTIONS {
            return Ok(response::options(false).map(Either::Left));
        }
        return reached(publisher, folder, limits, head, partner, rest, now).await;
    }
    let shown = secret.map(Cow::Borrowed).or_else(|| credentials(head.fields));
    // A partner that is no longer in `feeds.toml` may still have tokens.
    let guest = desk.admit(&name, shown.as_deref().unwrap_or_default(), now);
    let (Some(guest), Some(partner)) = (guest, partner) else { return Err(Problem::Stranger) };
    if head.method == Method::OPTIONS {
        return Ok(response::options(false).map(Either::Left));
    }
    let answer = if rest == "changes" {
        changes(desk, publisher, head, partner, &guest, now).await
    } else {
        feed(desk, publisher, head, partner, &guest, (rest, secret), now).await
    };
    answer.map(|answer| answer.map(Either::Left))
}

/// What `Authorization` shows: a bearer token, or the password of whatever user.
pub(super) fn credentials(fields: &HeaderMap) -> Option<Cow<'_, str>> {
    let (scheme, shown) = fields.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let shown = shown.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Cow::Borrowed(shown));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(shown).ok()?).ok()?;
    let (_, password) = pair.split_once(':')?;
    Some(Cow::Owned(password.to_owned()))
}

/// A feed or an archive of one. Only its own spelling of an address is answered.
async fn feed(
    desk: &Desk,
    publisher: &Publisher,
    head: &Head<'_>,
    partner: &Partner,
    guest: &Guest,
    (rest, secret): (&str, Option<&str>),
    now: DateTime<Utc>,
) -> Result<Answer, Problem> {
    let path = format!("/{rest}");
    let segments = segments(&path).ok_or(Problem::Stranger)?;
    let segments: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
    let of_partner = |path| FeedPath::Partner(partner.name.clone(), Box::new(path));
    let Route::Document(document) = below_feeds(&segments, of_partner) else {
        return Err(Problem::Stranger);
    };
    let (Document::Feed(path, format) | Document::Archive(path, _, format)) = &document else {
        return Err(Problem::Stranger);
    };
    let is_offered = |spec: &Arc<FeedSpec>| {
        Format::offered(spec).contains(format)
            && (spec.is_archived() || matches!(document, Document::Feed(..)))
    };
    let spec = publisher.find(path).filter(is_offered);
    let canonical = format!("{PREFIX}{}/{rest}", partner.name.encoded());
    let spec = spec.filter(|_| document.path() == canonical).ok_or(Problem::Stranger)?;
    let mut edition = match publisher.cached(&canonical) {
        Some(cached) => Arc::clone(&cached),
        None => match publisher.edition(&document).await {
            Ok(edition) => edition,
            Err(PublishError::Unfilled(..)) => {
                let address = spec.address(format.extension());
                return Ok(response::moved_for_now(&with_token(&address, partner, secret)));
            }
            Err(error) => return Err(failed(&document, &error)),
        },
    };
    let answer = answer(publisher, &document, &mut edition, head, now, &mut 0).await?;
    let has_it = match answer.status() {
        StatusCode::OK | StatusCode::IM_USED => true,
        // Where tags are listed, one of them was ours; `*` and a date are said by those who have nothing, too.
        StatusCode::NOT_MODIFIED => listed(head).next().is_some(),
        _ => false,
    };
    if let (FeedPath::Partner(_, feed), Document::Feed(..), true) =
        (path, &document, has_it && head.method == Method::GET)
    {
        desk.note(guest, &feed.to_string(), edition.revision(), now);
    }
    Ok(answer)
}

/// An address of a partner's for somebody whose token is part of it.
fn with_token(address: &str, partner: &Partner, secret: Option<&str>) -> String {
    let Some(secret) = secret else { return address.to_owned() };
    let own = format!("partner/{}/", partner.name.encoded());
    address.replacen(&own, &format!("{own}{secret}/"), 1)
}

/// What has changed since a write (see [`Publisher::changes`]).
async fn changes(
    desk: &Desk,
    publisher: &Publisher,
    head: &Head<'_>,
    partner: &Arc<Partner>,
    guest: &Guest,
    now: DateTime<Utc>,
) -> Result<Answer, Problem> {
    const WRONG: Problem = Problem::Malformed(
        "Write `since=` and the number that the last answer gave, or follow its `next_url`.",
    );
    let (mut since, mut terms) = (Cursor::default(), None);
    let query = head.uri.query().unwrap_or_default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let number = || value.parse().map(Revision).map_err(|_| WRONG);
        match name.as_ref() {
            "since" => since.revision = number()?,
            "after" => since.article = Some(ArticleId::from_segment(&value).ok_or(WRONG)?),
            "terms" => terms = Some(number()?),
            _ => {}
        }
    }
    let changes = publisher.changes(partner, since, terms).await.map_err(|error| match error {
        Restart::Needed => Problem::Restart,
        Restart::Failed(error) => failed(&Document::Index, &error),
    })?;
    let codings = codings(&head.accept_encoding);
    let coding = codings.first().copied().ok_or(Problem::Coding)?;
    let Cursor { revision, article } = changes.until.clone();
    let body = publisher.document(changes, coding).await;
    if head.method == Method::GET {
        // Of a write that goes on after this page, the rest has not been given out.
        let is_whole = article.is_none();
        let seen = if is_whole { revision } else { Revision(revision.0.saturating_sub(1)) };
        desk.note(guest, CHANGES, seen, now);
    }
    let mut answer = response::bare(StatusCode::OK);
    let fields = answer.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/feed+json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    fields.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if coding != Coding::Identity {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    *answer.body_mut() = Full::new(body);
    Ok(answer)
}

/// A file that a partner's feeds lead to. Its address says by itself that whoever asks was let in once.
async fn reached(
    publisher: &Publisher,
    folder: Option<&Folder>,
    limits: &Limits,
    head: &Head<'_>,
    partner: &Partner,
    rest: &str,
    now: DateTime<Utc>,
) -> Result<http::Response<files::Body>, Problem> {
    if let Some(path) = rest.strip_prefix("media/") {
        let folder = folder.ok_or(Problem::Unknown)?;
        return Ok(files::respond(
            folder,
            limits,
            head,
            Wanted::ByPartner(path, &partner.terms.private_media),
            now,
        )
        .await);
    }
    let (id, file) = rest
        .strip_prefix("episodes/")
        .and_then(|rest| rest.split_once('/'))
        .and_then(|(id, file)| episode_file(id, file))
        .ok_or(Problem::Unknown)?;
    let document = Document::Reached(partner.name.clone(), id, file);
    let made = publisher.edition(&document).await;
    let mut edition = made.map_err(|error| failed(&document, &error))?;
    let answer = answer(publisher, &document, &mut edition, head, now, &mut 0).await?;
    Ok(answer.map(Either::Left))
}

/// A path as it may be written down or repeated: without what lets somebody in (P-42), however the rest is written.
pub(super) fn without_secret(path: &str) -> Cow<'_, str> {
    // Every secret has an underscore, as it is or percent-encoded.
    if !path.bytes().any(|byte| matches!(byte, b'_' | b'%')) {
        return Cow::Borrowed(path);
    }
    let is_secret = |segment: &str| {
        let decoded = percent_decode_str(segment).decode_utf8_lossy().to_ascii_lowercase();
        holds_secret(&decoded) || decoded.contains(Terms::REACH)
    };
    if !path.split('/').any(is_secret) {
        return Cow::Borrowed(path);
    }
    let shown = path.split('/').map(|segment| if is_secret(segment) { "…" } else { segment });
    Cow::Owned(shown.collect::<Vec<_>>().join("/"))
}
