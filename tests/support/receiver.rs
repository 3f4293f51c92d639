//! A server elsewhere: remembers what it is asked, and answers as a test says.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};
use url::Url;

pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// What the server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The server; gone when dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    count: watch::Receiver<usize>,
    serving: AbortHandle,
}

impl Receiver {
    pub(crate) async fn new(
        answer: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (counter, count) = watch::channel(0);
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, log, counter) =
                    (Arc::clone(&answer), Arc::clone(&log), counter.clone());
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (answer, log, counter) =
                        (Arc::clone(&answer), Arc::clone(&log), counter.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
                        let asked = Asked { method, uri, headers, body };
                        let response = answer(&asked);
                        log.lock().unwrap().push(asked);
                        counter.send_modify(|count| *count += 1);
                        Ok::<_, Infallible>(response)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, asked, count, serving: serving.abort_handle() }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// Everything that was asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The same, as soon as so many requests have come.
    pub(crate) async fn asked_times(&self, count: usize) -> Vec<Asked> {
        let mut seen = self.count.clone();
        let come = seen.wait_for(|seen| *seen >= count);
        let come = tokio::time::timeout(Duration::from_secs(30), come).await;
        assert!(come.is_ok(), "{} of {count} requests: {:?}", self.asked().len(), self.asked());
        self.asked()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(crate) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

/// An answer with fields.
pub(crate) fn answer(
    status: u16,
    fields: &[(&str, &str)],
    bytes: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(body(bytes)).unwrap()
}
