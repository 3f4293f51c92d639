//! Connections: how many, how long, how slow; and an end that finishes what was begun.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use futures_util::future::poll_immediate;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::unconstrained,
};
use tokio_io_timeout::TimeoutStream;

use crate::{
    clock,
    http::{Inbox, Limits, responder::Responder, timer::ConnectionTimer},
    media,
    partner::Desk,
    publish::Publisher,
    traffic::Traffic,
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
    // Held by every connection: it is over when nobody holds it any more.
    let (stopping, running) = watch::channel(());
    let mut stop = pin!(stop);
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
                    running.clone(),
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
    drop((listener, running));
    stopping.send_replace(());
    if tokio::time::timeout(settings.shutdown_grace, stopping.closed()).await.is_err() {
        tracing::warn!("some requests did not finish within {:?}", settings.shutdown_grace);
    }
}

fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    publisher: Arc<Publisher>,
    settings: Arc<Settings>,
    mut stopping: watch::Receiver<()>,
) -> impl Future<Output = ()> + Send {
    // An answer is one write; waiting for more to send would only delay it.
    let _ = socket.set_nodelay(true);
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(settings.write_timeout));
    let header_timeout = settings.header_timeout;
    let responder = Arc::new(Responder::new(publisher, settings, peer.ip()));
    let service = service_fn(move |request| responder.respond(request, clock::now()));
    let (timer, mut alarm) = ConnectionTimer::new();
    // A request may have 100 fields: hyper's own bound.
    let connection = http1::Builder::new()
        .timer(timer)
        .header_read_timeout(header_timeout)
        // A client that has asked may close its side; to look for that would cost more with each request.
        .half_close(true)
        .max_buf_size(MAX_HEADER)
        .serve_connection(TokioIo::new(Box::pin(socket)), service);
    // Large, and moved many times on its way into a task.
    let mut connection = Box::pin(connection);
    async move {
        let stop = stopping.clone();
        // To be woken it is enough to have asked once; after that, a look costs less.
        let stopped = pin!(unconstrained(stopping.changed()));
        let _ = poll_immediate(stopped).await;
        let mut is_stopping = false;
        let ended = poll_fn(|context| {
            if !is_stopping && stop.has_changed().unwrap_or(true) {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            loop {
                if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                    return Poll::Ready(ended);
                }
                ready!(alarm.poll(context));
            }
        });
        if let Err(error) = ended.await {
            // Clients go away, are slow, or speak something else: nothing to mend here.
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}
