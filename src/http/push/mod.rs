//! What is pushed from outside: how much, and into the store with it.
//!
//! Whoever has no token has nothing read of theirs but fields, and a form that may hold one.

mod atom;
mod body;
mod change;
mod guard;
mod json;
mod micropub;

use std::{
    collections::HashSet,
    fmt,
    hash::RandomState,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;
use tokio::sync::Semaphore;

use super::{Answer, Limits, check_bounds, head::Head, leave_body_out, partner};
use crate::{
    article::Revision,
    feed::Catalogue,
    media::Intake,
    push::{
        Pass, Problem, Reply, Route, Rules, Scope, condition, form, micropub::refusal, openapi,
    },
    store::{Effects, Key, Push, Pushed, Store, StoreError, Task},
    told::Told,
    traffic::{Budgets, Client},
};
use guard::is_of_another_site;

/// Forms that are read at the same time of clients that show their token in them.
const STRANGERS: usize = 4;
/// Buckets: for tokens, and for clients without.
const BUCKETS: usize = 4_096;

/// Takes in what is pushed.
pub struct Inbox {
    store: Arc<dyn Store>,
    catalogue: Arc<Catalogue>,
    rules: Rules,
    limits: Limits,
    media: Option<Intake>,
    places: Semaphore,
    /// For those who have not shown yet who they are.
    strangers: Semaphore,
    budgets: Budgets,
    hasher: RandomState,
    /// Keys of requests that are being worked on.
    busy: Mutex<HashSet<(String, String)>>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// How tasks are done.
#[derive(Clone, Copy, Default)]
struct How {
    /// All or none of them.
    is_atomic: bool,
    /// Publish again what was withdrawn; only for those who may withdraw.
    republish: bool,
}

/// A request, and who makes it.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    fields: &'a HeaderMap,
    pass: Pass,
    /// When it came: a body may take long to arrive, and a write is of the time at which it is made.
    told: Told,
}

impl Asked<'_> {
    fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.pass.scopes.may.contains(&scope) { Ok(()) } else { Err(Problem::Scope(scope)) }
    }

    /// Whether the query says `name=true`; what it says otherwise has to be `false`.
    fn says(&self, name: &str) -> Result<bool, Problem> {
        let mut says = false;
        for (_, value) in form::pairs(self.query.as_bytes()).filter(|(key, _)| key == name) {
            says = match value.as_ref() {
                "true" => true,
                "false" => false,
                _ => return Err(Problem::Malformed(format!("`{name}` is `true` or `false`."))),
            };
        }
        Ok(says)
    }

    fn content_type(&self) -> &str {
        let field = self.fields.get(header::CONTENT_TYPE);
        field.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The media type without its parameters, in lower case.
    fn media_type(&self) -> String {
        let essence = self.content_type().split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    }
}

impl Inbox {
    /// For a store, as `rules` say; `media` takes files.
    pub fn new(
        store: Arc<dyn Store>,
        catalogue: Arc<Catalogue>,
        rules: Rules,
        limits: Limits,
        media: Option<Intake>,
    ) -> Self {
        let places = Semaphore::new(rules.max_requests);
        Self {
            store,
            catalogue,
            rules,
            limits,
            media,
            places,
            strangers: Semaphore::new(STRANGERS),
            budgets: Budgets::new(BUCKETS),
            hasher: RandomState::new(),
            busy: Mutex::default(),
        }
    }

    /// Whether a path is one of these.
    pub fn covers(&self, path: &str) -> bool {
        self.rules.covers(path)
    }

    /// Answers a request of `client`.
    pub async fn respond<B>(
        &self,
        request: &Request<()>,
        body: B,
        client: Client,
        now: DateTime<Utc>,
    ) -> Answer
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut answer = match check_bounds(&self.limits, &Head::of(request)) {
            Ok(()) => {
                let route = self.rules.route(request.uri().path());
                let is_micropub = matches!(route, Some(Route::Micropub | Route::MicropubMedia));
                answer(&match self.work(route, request, body, client, now).await {
                    Ok(reply) => reply,
                    Err(problem) if is_micropub => refusal(&problem),
                    Err(problem) => problem.reply(),
                })
            }
            Err(problem) => problem.answer(""),
        };
        leave_body_out(request.method(), &mut answer);
        answer
    }

    async fn work<B>(
        &self,
        route: Option<Route>,
        request: &Request<()>,
        body: B,
        client: Client,
        now: DateTime<Utc>,
    ) -> Result<Reply, Problem>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let told = Told::from(now);
        let route = route.ok_or(Problem::Unknown)?;
        let (method, uri) = (request.method(), request.uri());
        let allowed = self.allowed(&route);
        if method == Method::OPTIONS {
            return Ok(Reply::empty(StatusCode::NO_CONTENT).with(&header::ALLOW, allowed));
        }
        if !allowed.split(", ").any(|known| known == method.as_str()) {
            return Err(Problem::Method(allowed));
        }
        if route == Route::OpenApi {
            return Ok(Reply::json(StatusCode::OK, &openapi::document(&self.rules)));
        }
        let fields = request.headers();
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        if !is_read && is_of_another_site(fields, &self.rules.base) {
            return Err(Problem::OtherSite);
        }
        let mut shown = partner::credentials(fields).map(std::borrow::Cow::into_owned);
        let is_form = fields
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        // A form may hold the token itself (Micropub section 3.1), and is read before anybody is known.
        let (mut form, mut body) = (None, Some(body));
        // A client that shows a token is judged by it: others of its address do not lock it out.
        if shown.is_none() {
            self.look(client, now)?;
        }
        if shown.is_none()
            && is_form
            && route == Route::Micropub
            && let Some(body) = body.take()
        {
            let _place = self.strangers.try_acquire().map_err(|_| Problem::Busy)?;
            let most = self.rules.max_body_bytes.min(body::STRANGERS_FORM);
            let read = match body::read(body, fields, most, self.rules.body_timeout).await {
                Ok(read) => read,
                // A place was taken all the same, for nothing.
                Err(problem) => return self.strange(client, now).and(Err(problem)),
            };
            let token = form::pairs(&read).find(|(key, _)| key == "access_token");
            shown = token.map(|(_, token)| token.into_owned());
            form = Some(read);
        }
        let pass = self.admit(shown.as_deref(), client, now).await?;
        let _place = self.places.try_acquire().map_err(|_| Problem::Busy)?;
        let asked = Asked {
            method,
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            fields,
            pass,
            told,
        };
        let body = match (form, body) {
            (Some(read), _) => read,
            (None, Some(body)) if !is_read => {
                let is_file = matches!(route, Route::AtomMedia | Route::MicropubMedia);
                let rules = &self.rules;
                let most = if is_file { rules.max_media_bytes } else { rules.max_body_bytes };
                body::read(body, fields, most, rules.body_timeout).await?
            }
            (None, _) => Bytes::new(),
        };
        match route {
            Route::Articles if is_read => Err(Problem::Unknown),
            Route::Articles => self.batch(&asked, body).await,
            Route::Article(id) => self.article(&asked, id, body).await,
            Route::OpenApi => Err(Problem::Unknown),
            Route::AtomService
            | Route::AtomArticles
            | Route::AtomArticle(_)
            | Route::AtomMedia
            | Route::AtomFile(_) => self.atom(&asked, route, body).await,
            Route::Micropub => self.micropub(&asked, body).await,
            Route::MicropubMedia => self.micropub_media(&asked, body).await,
        }
    }

    /// The methods of a route.
    fn allowed(&self, route: &Route) -> &'static str {
        match route {
            Route::Articles => "POST, OPTIONS",
            Route::Article(_) | Route::AtomArticle(_) => "GET, HEAD, PUT, DELETE, OPTIONS",
            Route::OpenApi | Route::AtomService => "GET, HEAD, OPTIONS",
            Route::AtomArticles | Route::Micropub => "GET, HEAD, POST, OPTIONS",
            Route::AtomMedia if self.media.is_some() => "GET, HEAD, POST, OPTIONS",
            Route::AtomFile(_) if self.media.is_some() => "GET, HEAD, DELETE, OPTIONS",
            Route::MicropubMedia if self.media.is_some() => "POST, OPTIONS",
            Route::AtomMedia | Route::AtomFile(_) | Route::MicropubMedia => "OPTIONS",
        }
    }

    /// Does tasks in one transaction; what is answered under a key is kept with it.
    async fn push(
        &self,
        asked: &Asked<'_>,
        tasks: Vec<Task>,
        how: How,
        body: &[u8],
        answer: impl Fn(&Effects) -> Reply + Send + Sync + 'static,
    ) -> Result<Reply, Problem> {
        let answer = Arc::new(answer);
        let key = Self::key(asked, body)?;
        let _work = key.as_ref().map(|key| Working::begin(&self.busy, key)).transpose()?;
        let kept = Arc::clone(&answer);
        let push = Push {
            tasks,
            is_atomic: how.is_atomic,
            republish: how.republish,
            within: asked.pass.scopes.within.clone(),
            key,
            answer: Box::new(move |effects| kept(effects).to_text()),
        };
        match self.store.push(push, asked.told.now()).await.map_err(|error| failed(&error))? {
            Pushed::Done(effects) => Ok(answer(&effects)),
            Pushed::Before(text) => Reply::from_text(&text).ok_or(Problem::Internal),
            Pushed::KeyTaken => Err(Problem::KeyTaken),
        }
    }

    /// What was answered to a request with this key before, whatever the articles are by now.
    async fn answered(&self, asked: &Asked<'_>, body: &[u8]) -> Result<Option<Reply>, Problem> {
        let key = Self::key(asked, body)?;
        if key.is_none() {
            return Ok(None);
        }
        let push = Push {
            tasks: Vec::new(),
            is_atomic: false,
            republish: false,
            within: None,
            key,
            answer: Box::new(|_| String::new()),
        };
        match self.store.push(push, asked.told.now()).await.map_err(|error| failed(&error))? {
            // Nothing was to be done, so nothing is kept.
            Pushed::Done(_) => Ok(None),
            Pushed::Before(text) => Reply::from_text(&text).ok_or(Problem::Internal).map(Some),
            Pushed::KeyTaken => Err(Problem::KeyTaken),
        }
    }

    fn key(asked: &Asked<'_>, body: &[u8]) -> Result<Option<Key>, Problem> {
        // Two tokens of one name with other scopes never get each other's answers.
        let scopes = asked.pass.scopes.to_string();
        let parts: [&[u8]; 6] = [
            scopes.as_bytes(),
            asked.method.as_str().as_bytes(),
            asked.path.as_bytes(),
            asked.query.as_bytes(),
            asked.content_type().as_bytes(),
            body,
        ];
        condition::key(asked.fields, &asked.pass.name, condition::fingerprint(&parts))
    }

    async fn head(&self) -> Result<Revision, Problem> {
        self.store.head().await.map_err(|error| failed(&error))
    }
}

/// A key while its request is worked on.
struct Working<'a> {
    busy: &'a Mutex<HashSet<(String, String)>>,
    key: (String, String),
}

impl<'a> Working<'a> {
    fn begin(busy: &'a Mutex<HashSet<(String, String)>>, key: &Key) -> Result<Self, Problem> {
        let key = (key.owner.to_string(), key.key.clone());
        let mut keys = busy.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.insert(key.clone()) {
            return Err(Problem::KeyBusy);
        }
        Ok(Self { busy, key })
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// What clients are told of a failure; the log has the rest.
fn failed(error: &StoreError) -> Problem {
    let problem = Problem::from(error);
    let error = error as &dyn std::error::Error;
    tracing::error!(error, "what was pushed is not taken");
    problem
}

fn answer(reply: &Reply) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(reply.body.clone())));
    *answer.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let fields = answer.headers_mut();
    *fields = reply.header();
    // What a token opens is for nobody's cache.
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    answer
}
