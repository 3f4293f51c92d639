//! Connections: how many, how long, how slow; and an end that finishes what was begun.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::Either;
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::TokioIo,
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_io_timeout::TimeoutStream;

use crate::{
    clock,
    http::{
        Counter, Inbox, Limits,
        head::Head,
        media::{self as files, Wanted},
        partner,
        politeness::Visit,
        timer::ConnectionTimer,
        weigh,
    },
    media,
    partner::Desk,
    publish::Publisher,
    traffic::{Caller, Traffic},
};

/// The reading buffer of a connection, and so the longest header that gets an answer of ours, in bytes.
const MAX_HEADER: usize = 64 << 10;
/// How long to wait when the system has no sockets left.
const RESPITE: Duration = Duration::from_millis(100);

/// What a server allows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is asked of a request.
    pub limits: Limits,
    /// At once; further ones wait to be accepted.
    pub max_connections: usize,
    /// For a whole request header to arrive, and for an idle connection to ask again.
    pub header_timeout: Duration,
    /// For a client to take some of what it asked for.
    pub write_timeout: Duration,
    /// For running requests to finish once the server stops.
    pub shutdown_grace: Duration,
    /// Whether each request leaves a line in the log.
    pub logs_access: bool,
    /// Whose files are served below [`media::PREFIX`].
    pub media: Option<media::Folder>,
    /// Who lets partners in; `None` where there are none.
    pub desk: Option<Arc<Desk>>,
    /// Budgets and numbers.
    pub traffic: Arc<Traffic>,
    /// Who takes in what is pushed.
    pub inbox: Option<Arc<Inbox>>,
    /// Whether nothing else is answered here.
    pub is_inbox_only: bool,
}

/// Answers what comes in at a listener until `stop` is ready; then finishes what is running.
pub async fn serve(
    listener: TcpListener,
    publisher: Arc<Publisher>,
    settings: Arc<Settings>,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accept => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((socket, peer)) => {
                let connection = connection(
                    socket,
                    peer,
                    Arc::clone(&publisher),
                    Arc::clone(&settings),
                    graceful.watcher(),
                );
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            // One client's failure, or no sockets left for a while: others are still served.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(RESPITE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(settings.shutdown_grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish within {:?}", settings.shutdown_grace);
    }
}

fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    publisher: Arc<Publisher>,
    settings: Arc<Settings>,
    watcher: Watcher,
) -> impl Future<Output = ()> + Send {
    // An answer is one write; waiting for more to send would only delay it.
    let _ = socket.set_nodelay(true);
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(settings.write_timeout));
    let header_timeout = settings.header_timeout;
    let caller = settings.traffic.access().caller(peer.ip());
    let logged = settings.logs_access.then(|| peer.ip().to_string());
    // One count of holders to keep for each request, and little to carry.
    let shared = Arc::new((publisher, settings, caller, logged));
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            let (publisher, settings, caller, logged) = &*shared;
            let logged = logged.as_deref();
            if let Some(inbox) = &settings.inbox
                && (settings.is_inbox_only || inbox.covers(request.uri().path()))
            {
                return Ok(Box::pin(take(inbox, settings, caller, request, logged)).await);
            }
            let head = Head::of(&request);
            let answer = answer(publisher, settings, caller, &head).await;
            if let Some(peer) = logged {
                log(&head, &answer, peer);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    // A request may have 100 fields: hyper's own bound.
    let connection = http1::Builder::new()
        .timer(ConnectionTimer::default())
        .header_read_timeout(header_timeout)
        .max_buf_size(MAX_HEADER)
        .serve_connection(TokioIo::new(Box::pin(socket)), service);
    // Large, and moved many times on its way into a task.
    let connection = Box::pin(watcher.watch(connection));
    async move {
        if let Err(error) = connection.await {
            // Clients go away, are slow, or speak something else: nothing to mend here.
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}

/// Answers somebody who pushes articles; `logged` is whose line it leaves in the log, if it leaves one.
async fn take(
    inbox: &Inbox,
    settings: &Settings,
    caller: &Caller,
    request: Request<Incoming>,
    logged: Option<&str>,
) -> Response<files::Body> {
    let (head, body) = request.into_parts();
    let request = Request::from_parts(head, ());
    let client = settings.traffic.access().client(caller, request.headers());
    let answer = inbox.respond(&request, body, client, clock::now()).await.map(Either::Left);
    if let Some(peer) = logged {
        log(&Head::of(&request), &answer, peer);
    }
    answer
}

async fn answer(
    publisher: &Publisher,
    settings: &Settings,
    caller: &Caller,
    head: &Head<'_>,
) -> Response<files::Body> {
    let (limits, now) = (&settings.limits, clock::now());
    let (path, folder) = (head.uri.path(), settings.media.as_ref());
    if let (Some(folder), Some(file)) = (folder, path.strip_prefix(media::PREFIX)) {
        let wanted = Wanted::ByAnybody(file);
        return Box::pin(files::respond(folder, limits, head, wanted, now)).await;
    }
    let traffic = &settings.traffic;
    let visit = match Visit::begin(publisher, traffic, caller, head, now) {
        Ok(visit) => visit,
        Err(answer) => return answer.map(Either::Left),
    };
    let mut whole = 0;
    if let Some(desk) = settings.desk.as_ref().filter(|_| Counter::is_for(path)) {
        let counter = Counter { desk, publisher, folder, limits };
        let answer = Box::pin(counter.serve(head, now)).await;
        visit.end(traffic, head, &answer, whole, now);
        return answer;
    }
    let answer = weigh(publisher, limits, head, now, &mut whole).await;
    visit.end(traffic, head, &answer, whole, now);
    answer.map(Either::Left)
}

/// A line for each request, as fields.
fn log(head: &Head<'_>, answer: &Response<files::Body>, peer: &str) {
    fn text(value: Option<&HeaderValue>) -> &str {
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
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
