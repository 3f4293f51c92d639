//! Requests to elsewhere: the one HTTP client of the crate, bounded in every way, and asking nobody it should not.
//!
//! HTTP/1.1 without proxies and without cookies. What may be asked is decided in `reach.rs`.

mod answer;
mod reach;

use std::{error::Error as _, iter, sync::Arc, time::Duration};

pub use answer::{Answer, Known};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use reach::{Reach, Refusal};
use reqwest::{Response, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;
use url::Url;

/// How often one request may be sent on to another address.
pub const MAX_MOVES: usize = 5;
/// What every server is told that it is asked by.
pub const USER_AGENT: &str = concat!("Courant/", env!("CARGO_PKG_VERSION"));
/// An unused connection is closed after so long.
const IDLE: Duration = Duration::from_secs(30);
/// Unused connections that are kept to one server.
const IDLE_CONNECTIONS: usize = 4;

/// How much of a server is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body, in bytes after its coding is undone.
    pub body_bytes: usize,
    /// For a connection, with TLS.
    pub connect: Duration,
    /// For everything: names, connections, moves, the last byte of the body.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            connect: Duration::from_secs(10),
            whole: Duration::from_secs(20),
        }
    }
}

/// What is asked of a server.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET and HEAD go where they are sent on to; an answer to anything else is final.
    pub method: Method,
    /// Without user and password; those belong into `headers`.
    pub url: Url,
    /// Of these, credentials and whatever is marked as sensitive are for the first server only.
    pub headers: HeaderMap,
    /// Small: it is sent in one piece.
    pub body: Bytes,
    /// What an earlier answer was known by; such a request may be answered `304 Not Modified`.
    pub known: Known,
}

impl Request {
    /// One without body and without anything special.
    pub fn new(method: Method, url: Url) -> Self {
        let (headers, body, known) = Default::default();
        Self { method, url, headers, body, known }
    }

    /// A request for a document.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A request for what is said of a document.
    pub fn head(url: Url) -> Self {
        Self::new(Method::HEAD, url)
    }
}

/// Why there is no answer. No message contains an address: they can be secrets.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is not asked (W-40, W-41), or it was moved to what is not asked (W-42).
    #[error("it is not asked")]
    Refused(#[from] Refusal),
    /// It leads on and on.
    #[error("it was moved more than {MAX_MOVES} times")]
    Moving,
    /// It leads nowhere.
    #[error("it was moved to what is no address")]
    Nowhere,
    /// No secure connection can be made from here.
    #[error("this machine knows no certificate authorities; install its `ca-certificates`")]
    NoAuthorities,
    /// The body is larger than the limit, in bytes.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// It takes longer than the limit.
    #[error("no whole answer within {} s", .0.as_secs_f32())]
    TooSlow(Duration),
    /// There is no connection, or what comes over it is not HTTP.
    #[error("no answer")]
    Failed(#[source] reqwest::Error),
}

/// Asks servers.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    reach: Reach,
    limits: Limits,
    /// Whether this machine knows anybody to trust.
    has_authorities: bool,
}

impl Client {
    /// One with connections of its own. Reads the certificates of this machine.
    pub fn new(reach: Reach, limits: Limits) -> Self {
        let provider = Arc::new(ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has what TLS 1.2 and 1.3 ask for");
        let trusting = tls.clone().with_platform_verifier();
        let has_authorities = trusting.is_ok();
        // Plain connections, to a cache beside this one, are possible all the same.
        let tls = trusting.unwrap_or_else(|_| tls.with_root_certificates(RootCertStore::empty()));
        let tls = tls.with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(reach::Resolver(reach))
            .user_agent(USER_AGENT)
            .connect_timeout(limits.connect)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build()
            .expect("these settings agree, whatever the limits are");
        Self { http, reach, limits, has_authorities }
    }

    /// Asks, follows where GET and HEAD are sent on to, and reads the answer. Every status is an answer.
    pub async fn send(&self, request: &Request) -> Result<Answer, FetchError> {
        let limit = self.limits.whole;
        timeout(limit, self.follow(request)).await.unwrap_or(Err(FetchError::TooSlow(limit)))
    }

    async fn follow(&self, request: &Request) -> Result<Answer, FetchError> {
        let mut url = request.url.clone();
        let mut moved_to = None;
        let mut for_good = true;
        for _ in 0..=MAX_MOVES {
            let response = self.once(request, &url).await?;
            let Some(next) = moved(&request.method, &url, &response)? else {
                return self.read(response, url, moved_to).await;
            };
            for_good &= matches!(
                response.status(),
                StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT
            );
            if for_good {
                moved_to = Some(next.clone());
            }
            url = next;
        }
        Err(FetchError::Moving)
    }

    async fn once(&self, request: &Request, url: &Url) -> Result<Response, FetchError> {
        self.reach.check(url)?;
        if url.scheme() == "https" && !self.has_authorities {
            return Err(FetchError::NoAuthorities);
        }
        let is_first_server = url.origin() == request.url.origin();
        let given = request.headers.iter();
        let mut headers: HeaderMap = given
            .filter(|(name, value)| is_first_server || !is_secret(name, value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        request.known.ask(&mut headers);
        if request.method == Method::HEAD {
            // The size of the document itself is asked for.
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let asked = self.http.request(request.method.clone(), url.clone());
        let asked = asked.headers(headers);
        let asked = if request.body.is_empty() { asked } else { asked.body(request.body.clone()) };
        asked.send().await.map_err(failed)
    }

    async fn read(
        &self,
        mut response: Response,
        url: Url,
        moved_to: Option<Url>,
    ) -> Result<Answer, FetchError> {
        let limit = self.limits.body_bytes;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > limit {
                return Err(FetchError::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, url, moved_to, headers, body: body.freeze() })
    }
}

/// Where an answer sends the request on to.
fn moved(method: &Method, from: &Url, response: &Response) -> Result<Option<Url>, FetchError> {
    let leads_on = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    if !leads_on || !matches!(*method, Method::GET | Method::HEAD) {
        return Ok(None);
    }
    let Some(to) = response.headers().get(header::LOCATION) else { return Ok(None) };
    let to = str::from_utf8(to.as_bytes()).map_err(|_| FetchError::Nowhere)?;
    from.join(to).map(Some).map_err(|_| FetchError::Nowhere)
}

fn is_secret(name: &HeaderName, value: &HeaderValue) -> bool {
    let credentials = [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];
    value.is_sensitive() || credentials.contains(name)
}

fn failed(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut causes = iter::successors(error.source(), |cause| (**cause).source());
    match causes.find_map(|cause| cause.downcast_ref::<Refusal>()) {
        Some(refusal) => FetchError::Refused(refusal.clone()),
        None => FetchError::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Gives one answer to whoever comes.
    async fn server(ip: Ipv4Addr, answer: String) -> SocketAddr {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 4096];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn every_move_is_checked_again() {
        let here = Ipv4Addr::LOCALHOST;
        let elsewhere = Ipv4Addr::new(127, 0, 0, 2);
        let secret = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret";
        let inner = server(elsewhere, secret.to_owned()).await;
        let client = Client::new(Reach::Only(here.into()), Limits::default());
        for to in [
            format!("http://{inner}/"),
            format!("http://user:password@{inner}/"),
            "ftp://127.0.0.1/".to_owned(),
            // A name that leads to what may be asked, and is asked on a port where nobody is: it gets that far.
            "http://localhost:1/".to_owned(),
        ] {
            let moved = format!(
                "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let outer = server(here, moved).await;
            let url = Url::parse(&format!("http://{outer}/")).unwrap();
            let outcome = client.send(&Request::get(url)).await;
            let is_refused = matches!(outcome, Err(FetchError::Refused(_)));
            assert_eq!(is_refused, !to.contains("localhost"), "{to}: {outcome:?}");
            assert!(outcome.is_err(), "{to}");
        }
        let open = Client::new(Reach::Only(elsewhere.into()), Limits::default());
        let url = Url::parse(&format!("http://{inner}/")).unwrap();
        assert_eq!(open.send(&Request::get(url)).await.unwrap().body, "secret");
    }

    /// What a name leads to is looked at where the connection is made: there is no second look that could see another.
    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused() {
        let client = Client::new(Reach::Public, Limits::default());
        let outcome = client.send(&Request::get(Url::parse("http://localhost/").unwrap())).await;
        assert!(matches!(outcome, Err(FetchError::Refused(Refusal::Private))), "{outcome:?}");
    }
}
