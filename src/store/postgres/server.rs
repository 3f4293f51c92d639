//! A server: how it is reached, of several hosts the first one that answers and will do.

use std::{net::IpAddr, time::Duration};

use tokio::time;
use tokio_postgres::{
    Client, Config, Connection, Error, Socket,
    config::{Host, LoadBalanceHosts, SslMode as Tls, TargetSessionAttrs},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    store::{
        Cause,
        postgres::tls::{self, Trust},
    },
    text::{DatabaseUrl, SslMode},
};

/// How long to try to connect to one host, unless the address says so.
const CONNECT: Duration = Duration::from_secs(3);
/// When nothing is heard: how long until it is asked whether the other side is there, how long between questions, and how
/// many; and how long what was sent may stay without a receipt.
const IDLE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(3);
const RETRIES: u32 = 3;
const UNHEARD: Duration = Duration::from_secs(10);

/// A connection, and what has to be polled for it to go on.
pub(super) type Reached =
    (Client, Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>);

/// How a server is reached.
#[derive(Clone)]
pub(super) struct Server {
    /// All but where it is.
    config: Config,
    hosts: Vec<Place>,
    tls: MakeRustlsConnect,
    /// How long one host may take to answer: until it is connected, encrypted and let in, and the first questions after that.
    pub patience: Duration,
    /// For people: without the password.
    pub shown: String,
}

/// Where a server may be.
#[derive(Clone, Debug)]
struct Place {
    host: Option<Host>,
    address: Option<IpAddr>,
    port: u16,
}

impl Server {
    pub(super) fn new(url: &DatabaseUrl, takes_writes: bool) -> Result<Self, Cause> {
        let given: Config = url.without(&["sslmode", "sslrootcert"]).parse()?;
        let mut config = without_hosts(&given);
        config.ssl_mode(match url.ssl_mode()? {
            SslMode::Disable => Tls::Disable,
            SslMode::Prefer => Tls::Prefer,
            SslMode::Require | SslMode::VerifyFull => Tls::Require,
        });
        let patience = given.get_connect_timeout().copied().unwrap_or(CONNECT);
        config.connect_timeout(patience);
        config.application_name(given.get_application_name().unwrap_or("courant"));
        if takes_writes {
            // Of several hosts, the one that takes writes.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.keepalives_idle(IDLE).keepalives_interval(INTERVAL).keepalives_retries(RETRIES);
        config.tcp_user_timeout(UNHEARD);
        let is_near = given.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        });
        if url.ssl_mode()? == SslMode::Require && Trust::of(url)? == Trust::Anybody && !is_near {
            tracing::warn!(
                "`{url}` is encrypted but may be anybody: `sslmode=require` does not look at certificates; `verify-full` does"
            );
        }
        let (hosts, tls) = (places(&given)?, tls::connector(url)?);
        Ok(Self { config, hosts, tls, patience, shown: url.to_string() })
    }

    /// Connects to the first host that answers in time and is one of those that are wanted; the error is that of the last.
    ///
    /// Each address has a limit of its own: one that takes connections and stays silent keeps nobody from the next.
    pub(super) async fn reach(&self) -> Result<Reached, Cause> {
        let mut failed = Cause::from("the address names no host");
        for place in self.in_turn(&self.hosts) {
            let addresses = match self.resolve(place).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    failed = error;
                    continue;
                }
            };
            for address in self.in_turn(&addresses) {
                let config = self.at(place, *address);
                // What waits for a connection would carry all of a handshake in it.
                let connected = Box::pin(config.connect(self.tls.clone()));
                match time::timeout(self.patience, connected).await {
                    Ok(Ok(reached)) => return Ok(reached),
                    Ok(Err(error)) => failed = tls::explained(error),
                    Err(_) => failed = self.silent(place),
                }
            }
        }
        Err(failed)
    }

    /// The first questions to a server that was reached, which may be silent as well.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Cause> {
        match time::timeout(self.patience, work).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(format!("no answer within {:?}", self.patience).into()),
        }
    }

    /// The addresses of a host; `None`: as it is named.
    async fn resolve(&self, place: &Place) -> Result<Vec<Option<IpAddr>>, Cause> {
        let (Some(Host::Tcp(name)), None) = (&place.host, place.address) else {
            return Ok(vec![place.address]);
        };
        let found = tokio::net::lookup_host((name.as_str(), place.port));
        match time::timeout(self.patience, found).await {
            Ok(Ok(found)) => Ok(found.map(|address| Some(address.ip())).collect()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(self.silent(place)),
        }
    }

    fn at(&self, place: &Place, address: Option<IpAddr>) -> Config {
        let mut config = self.config.clone();
        match &place.host {
            Some(Host::Tcp(name)) => {
                config.host(name);
            }
            Some(Host::Unix(folder)) => {
                config.host_path(folder);
            }
            None => {}
        }
        if let Some(address) = address {
            config.hostaddr(address);
        }
        config.port(place.port);
        config
    }

    /// In their order, or from any of them on where the address asks for `load_balance_hosts=random`.
    fn in_turn<'a, T>(&self, all: &'a [T]) -> impl Iterator<Item = &'a T> {
        let first = match self.config.get_load_balance_hosts() {
            LoadBalanceHosts::Random => getrandom::u32().unwrap_or_default() as usize,
            _ => 0,
        };
        let (before, after) = all.split_at(first.checked_rem(all.len()).unwrap_or_default());
        after.iter().chain(before)
    }

    fn silent(&self, place: &Place) -> Cause {
        let Place { host, address, port } = place;
        let name = match (host, address) {
            (Some(Host::Tcp(name)), _) => name.clone(),
            (Some(Host::Unix(folder)), _) => folder.display().to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => String::new(),
        };
        format!("`{name}:{port}` did not answer within {:?}", self.patience).into()
    }
}

/// All that an address says, but for where the server is.
fn without_hosts(given: &Config) -> Config {
    let mut config = Config::new();
    if let Some(user) = given.get_user() {
        config.user(user);
    }
    if let Some(password) = given.get_password() {
        config.password(password);
    }
    if let Some(name) = given.get_dbname() {
        config.dbname(name);
    }
    if let Some(options) = given.get_options() {
        config.options(options);
    }
    config
        .ssl_negotiation(given.get_ssl_negotiation())
        .channel_binding(given.get_channel_binding())
        .target_session_attrs(given.get_target_session_attrs())
        .load_balance_hosts(given.get_load_balance_hosts())
        .keepalives(given.get_keepalives());
    config
}

/// Where the server may be, host by host.
fn places(given: &Config) -> Result<Vec<Place>, Cause> {
    let (hosts, addresses, ports) = (given.get_hosts(), given.get_hostaddrs(), given.get_ports());
    let count = hosts.len().max(addresses.len());
    if ![0, count].contains(&addresses.len()) || ![0, count].contains(&hosts.len()) {
        return Err("`hostaddr` has to name as many addresses as there are hosts".into());
    }
    if ports.len() > 1 && ports.len() != count {
        return Err("there have to be as many ports as hosts, or one for all".into());
    }
    let port = |nth| ports.get(nth).or(ports.first()).copied().unwrap_or(5432);
    let place = |nth| Place {
        host: hosts.get(nth).cloned(),
        address: addresses.get(nth).copied(),
        port: port(nth),
    };
    Ok((0..count).map(place).collect())
}
