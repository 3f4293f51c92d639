//! How the service is run.

use std::{net::SocketAddr, time::Duration};

use url::Url;

use crate::config::{
    Overrides,
    section::{Keys, Section},
    value,
};

pub(super) const KEYS: Keys = Keys {
    required: &[],
    optional: &[
        "listen",
        "base_url",
        "hosts",
        "access_log",
        "cache_bytes",
        "max_connections",
        "max_target_bytes",
        "max_header_bytes",
        "header_timeout_seconds",
        "write_timeout_seconds",
        "shutdown_grace_seconds",
        "max_stale_seconds",
    ],
};

/// How the service is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Hosts it answers to, lower case, without port; empty: any.
    pub hosts: Vec<String>,
    /// How requests are logged.
    pub access_log: AccessLog,
    /// Editions kept in memory, in bytes.
    pub cache_bytes: u64,
    /// Connections at a time.
    pub max_connections: usize,
    /// Longest request target, in bytes (H-8).
    pub max_target_bytes: usize,
    /// All header fields of a request together, in bytes (H-9).
    pub max_header_bytes: usize,
    /// For the whole header of a request to arrive, and for an idle connection to ask again.
    pub header_timeout: Duration,
    /// Without a byte taken by the client, until its connection is closed.
    pub write_timeout: Duration,
    /// For requests under way when the program is asked to stop.
    pub shutdown_grace: Duration,
    /// How long the store may be silent until the service says that it is not ready.
    pub max_stale: Duration,
}

/// How requests are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// A line for people.
    Text,
    /// An object in a line.
    Json,
    /// Not at all.
    Off,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            hosts: Vec::new(),
            access_log: AccessLog::Text,
            cache_bytes: 64_000_000,
            max_connections: 1_024,
            max_target_bytes: 8_192,
            max_header_bytes: 32_768,
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
            max_stale: Duration::from_hours(1),
        }
    }
}

/// How the service is run, and where it is reached.
pub(super) fn server(section: &Section<'_>, overrides: &Overrides) -> (Server, Url) {
    let usual = Server::default();
    let seconds = |key, range| section.number(key, range).map(Duration::from_secs);
    let logs = [("text", AccessLog::Text), ("json", AccessLog::Json), ("off", AccessLog::Off)];
    let listen = section.parse("listen", value::listen);
    let listen = overrides.listen(section.report).or(listen).unwrap_or(usual.listen);
    let base = section.parse("base_url", value::base_url);
    let base = overrides.base_url(section.report).or(base);
    let base = base.unwrap_or_else(|| local(listen.port()));

    let mut hosts = section.list("hosts", value::host);
    // Whoever names hosts means them besides the one that every address has.
    if !hosts.is_empty() {
        hosts.extend(base.host_str().map(str::to_owned));
    }
    let server = Server {
        listen,
        hosts,
        access_log: section
            .parse("access_log", |given| value::choice(given, &logs))
            .unwrap_or(usual.access_log),
        cache_bytes: section
            .number("cache_bytes", 1_000_000..=1_000_000_000_000)
            .unwrap_or(usual.cache_bytes),
        max_connections: section
            .number("max_connections", 1..=100_000)
            .unwrap_or(usual.max_connections),
        max_target_bytes: section
            .number("max_target_bytes", 8_000..=64_000)
            .unwrap_or(usual.max_target_bytes),
        max_header_bytes: section
            .number("max_header_bytes", 8_000..=1_000_000)
            .unwrap_or(usual.max_header_bytes),
        header_timeout: seconds("header_timeout_seconds", 1..=600).unwrap_or(usual.header_timeout),
        write_timeout: seconds("write_timeout_seconds", 1..=600).unwrap_or(usual.write_timeout),
        shutdown_grace: seconds("shutdown_grace_seconds", 0..=600).unwrap_or(usual.shutdown_grace),
        max_stale: seconds("max_stale_seconds", 1..=604_800).unwrap_or(usual.max_stale),
    };
    (server, base)
}

/// Where a service is reached that nobody has named.
fn local(port: u16) -> Url {
    format!("http://127.0.0.1:{port}/").parse().expect("an address of numbers is an address")
}
