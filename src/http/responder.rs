//! Who answers the requests of a connection, whatever they are for.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    net::IpAddr,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, Either};
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::Either as EitherBody;
use hyper::body::{Body, Incoming};

use super::{
    Answer, Counter, Inbox,
    head::Head,
    in_memory, in_time,
    media::{self as files, Wanted},
    partner,
    politeness::Visit,
    server::Settings,
};
use crate::{
    media::{self, Folder},
    publish::Publisher,
    traffic::Caller,
};

type Answered = Result<Response<files::Body>, Infallible>;
/// What is in memory is answered without a future, which would be copied about with each request.
type Answering = Either<Ready<Answered>, BoxFuture<'static, Answered>>;

/// Has one holder for each request that is being answered.
pub(super) struct Responder {
    publisher: Arc<Publisher>,
    settings: Arc<Settings>,
    caller: Caller,
    /// Whose lines requests leave in the log, if they leave any.
    logged: Option<String>,
}

impl Responder {
    /// For a connection from there.
    pub(super) fn new(publisher: Arc<Publisher>, settings: Arc<Settings>, peer: IpAddr) -> Self {
        let caller = settings.traffic.access().caller(peer);
        let logged = settings.logs_access.then(|| peer.to_string());
        Self { publisher, settings, caller, logged }
    }

    /// Answers a request, to the last of them.
    pub(super) fn respond(
        self: &Arc<Self>,
        request: Request<Incoming>,
        now: DateTime<Utc>,
    ) -> Answering {
        let (settings, path) = (&self.settings, request.uri().path());
        let covers = |inbox: &&Arc<Inbox>| settings.is_inbox_only || inbox.covers(path);
        if let Some(inbox) = settings.inbox.as_ref().filter(covers) {
            let (this, inbox) = (Arc::clone(self), Arc::clone(inbox));
            return waiting(async move { this.take_in(&inbox, request, now).await });
        }
        if let (Some(folder), Some(file)) = (&settings.media, path.strip_prefix(media::PREFIX)) {
            let (this, folder, file) = (Arc::clone(self), folder.clone(), file.to_owned());
            return waiting(async move { this.hand_out(&folder, &file, request, now).await });
        }
        match self.at_once(&request, now) {
            Ok(answer) => Either::Left(ready(Ok(answer.map(EitherBody::Left)))),
            Err(visit) => {
                let this = Arc::clone(self);
                waiting(async move { this.in_time(request, visit, now).await })
            }
        }
    }

    /// An edition in memory, or why this client gets none; else the visit that has begun.
    fn at_once(&self, request: &Request<Incoming>, now: DateTime<Utc>) -> Result<Answer, Visit> {
        let Self { publisher, settings, caller, .. } = self;
        let (head, mut whole) = (Head::of(request), 0);
        let answer = match Visit::begin(publisher, &settings.traffic, caller, &head, now) {
            Err(answer) => answer,
            Ok(visit) => {
                let Some(answer) = in_memory(publisher, &settings.limits, &head, now, &mut whole)
                else {
                    return Err(visit);
                };
                visit.end(&settings.traffic, &head, &answer, whole, now);
                answer
            }
        };
        self.log(&head, &answer);
        Ok(answer)
    }

    /// An edition that has to be made, a delta, what is for a partner, what is not there.
    async fn in_time(
        &self,
        request: Request<Incoming>,
        visit: Visit,
        now: DateTime<Utc>,
    ) -> Response<files::Body> {
        let Self { publisher, settings, .. } = self;
        let Settings { limits, traffic, .. } = &**settings;
        let (head, mut whole) = (Head::of(&request), 0);
        let desk = settings.desk.as_ref().filter(|_| Counter::is_for(head.uri.path()));
        let answer = if let Some(desk) = desk {
            let folder = settings.media.as_ref();
            Counter { desk, publisher, folder, limits }.serve(&head, now).await
        } else {
            let answer = in_time(publisher, limits, &head, now, &mut whole).await;
            answer.map(EitherBody::Left)
        };
        visit.end(traffic, &head, &answer, whole, now);
        self.log(&head, &answer);
        answer
    }

    /// A file.
    async fn hand_out(
        &self,
        folder: &Folder,
        file: &str,
        request: Request<Incoming>,
        now: DateTime<Utc>,
    ) -> Response<files::Body> {
        let (head, wanted) = (Head::of(&request), Wanted::ByAnybody(file));
        let answer = files::respond(folder, &self.settings.limits, &head, wanted, now).await;
        self.log(&head, &answer);
        answer
    }

    /// What somebody pushes.
    async fn take_in(
        &self,
        inbox: &Inbox,
        request: Request<Incoming>,
        now: DateTime<Utc>,
    ) -> Response<files::Body> {
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, ());
        let client = self.settings.traffic.access().client(&self.caller, request.headers());
        let answer = inbox.respond(&request, body, client, now).await;
        self.log(&Head::of(&request), &answer);
        answer.map(EitherBody::Left)
    }

    /// A line for each request, as fields.
    fn log<B: Body>(&self, head: &Head<'_>, answer: &Response<B>) {
        fn text(value: Option<&HeaderValue>) -> &str {
            value.and_then(|value| value.to_str().ok()).unwrap_or_default()
        }
        let Some(peer) = &self.logged else { return };
        let answered = |name: HeaderName| text(answer.headers().get(name));
        // A file is read while it is sent: only its header knows how much that is.
        let announced = || answered(header::CONTENT_LENGTH).parse().ok();
        let bytes: u64 = answer.body().size_hint().exact().or_else(announced).unwrap_or_default();
        tracing::info!(
            target: "courant::access",
            method = head.method.as_str(),
            path = &*partner::without_secret(head.uri.path()),
            status = answer.status().as_u16(),
            bytes,
            coding = answered(header::CONTENT_ENCODING),
            conditional = head.is_conditional(),
            agent = text(head.user_agent.first()),
            peer = %peer,
        );
    }
}

fn waiting(answer: impl Future<Output = Response<files::Body>> + Send + 'static) -> Answering {
    Either::Right(Box::pin(async move { Ok(answer.await) }))
}
