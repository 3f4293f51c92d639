//! Who may be asked (W-40, W-41).
//!
//! Names are looked up here and nowhere else: a connection goes to the very address that was checked.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    vec,
};

use ip_network::IpNetwork;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// How far requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To the public Internet, at the usual ports: for addresses that come with data. They could name any machine that only
    /// we can reach.
    Public,
    /// Wherever an address leads: for addresses that the operator wrote.
    Anywhere,
    /// To one machine: tests have no public ones.
    #[cfg(test)]
    Only(IpAddr),
}

/// Why something is not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not the Web.
    #[error("only http and https are spoken, not `{0}`")]
    Scheme(String),
    /// Addresses turn up in logs; what is secret has no place in them.
    #[error("there is a user or a password in the address")]
    Credentials,
    /// Not where Web servers are.
    #[error("port {0} is not asked, only 80 and 443")]
    Port(u16),
    /// Loopback, link-local, private, shared, or of no single machine.
    #[error("it is on a private network")]
    Private,
}

impl Reach {
    /// Whether an address may be asked, as far as it says by itself. What its name leads to is seen when a connection is made.
    pub fn check(self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) | None => None,
        };
        if ip.is_some_and(|ip| !self.includes(ip)) {
            return Err(Refusal::Private);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if self == Self::Public && !matches!(port, 80 | 443) {
            return Err(Refusal::Port(port));
        }
        Ok(())
    }

    fn includes(self, ip: IpAddr) -> bool {
        match self {
            Self::Public => is_public(ip),
            Self::Anywhere => true,
            #[cfg(test)]
            Self::Only(known) => ip == known,
        }
    }
}

/// Looks names up, and knows of no address that may not be asked.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            // The port of the address that is asked takes the place of this one.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.filter(|found| reach.includes(found.ip())).collect();
            if found.is_empty() {
                return Err(Refusal::Private.into());
            }
            let found: vec::IntoIter<SocketAddr> = found.into_iter();
            Ok(Box::new(found) as Addrs)
        })
    }
}

/// Whether anybody on the Internet finds the same machine there.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpNetwork::from(ip).is_global() && !ip.is_multicast(),
        IpAddr::V6(ip) => match translated(ip) {
            Some(ip) => is_public(ip.into()),
            None => IpNetwork::from(ip).is_global() && is_assigned(ip),
        },
    }
}

/// What lies behind a translator at its well-known prefix, RFC 6052 section 2.1.
fn translated(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = ip.segments() else { return None };
    Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

/// Global unicast without what leads through a tunnel to any address at all: Teredo, and others of `2001::/23` that no Web
/// server has; 6to4; and without documentation.
fn is_assigned(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let is_unicast = first & 0xe000 == 0x2000;
    let is_special = first == 0x2001 && second < 0x200;
    let is_documentation =
        (first, second) == (0x2001, 0xdb8) || (first, second & 0xf000) == (0x3fff, 0);
    is_unicast && !is_special && !is_documentation && first != 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_asked() {
        for (address, expected) in [
            ("93.184.216.34", true),
            ("1.1.1.1", true),
            ("2606:2800:220:1::1", true),
            ("2a00:1450:4001::1", true),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("127.0.0.1", false),
            ("127.255.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.1", false),
            ("192.0.2.1", false),
            ("192.168.0.1", false),
            ("198.18.0.1", false),
            ("198.51.100.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("239.255.255.255", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::7f00:1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:93.184.216.34", true),
            ("64:ff9b::5db8:d822", true),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("64:ff9b:1::5db8:d822", false),
            ("100::1", false),
            ("2001::7f00:1", false),
            ("2001:20::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("2002:5db8:d822::1", false),
            ("3fff:1000::1", true),
            ("3fff::1", false),
            ("5f00::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
            ("ff0e::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn an_address_is_refused_by_what_it_says() {
        let scheme = |scheme: &str| Err(Refusal::Scheme(scheme.to_owned()));
        for (url, expected) in [
            ("https://example.com/a", Ok(())),
            ("http://example.com:80/", Ok(())),
            ("http://example.com:443/", Ok(())),
            ("https://example.com:8443/", Err(Refusal::Port(8443))),
            ("https://example.com:22/", Err(Refusal::Port(22))),
            ("https://user@example.com/", Err(Refusal::Credentials)),
            ("https://:password@example.com/", Err(Refusal::Credentials)),
            ("ftp://example.com/", scheme("ftp")),
            ("file:///etc/passwd", scheme("file")),
            ("data:text/plain,a", scheme("data")),
            ("http://93.184.216.34/", Ok(())),
            // Each a way to write 127.0.0.1.
            ("http://127.0.0.1/", Err(Refusal::Private)),
            ("http://2130706433/", Err(Refusal::Private)),
            ("http://0x7f.1/", Err(Refusal::Private)),
            ("http://0177.0.0.1/", Err(Refusal::Private)),
            ("http://127.0.0.1:6379/", Err(Refusal::Private)),
            ("http://[::1]/", Err(Refusal::Private)),
            ("http://[::ffff:7f00:1]/", Err(Refusal::Private)),
        ] {
            assert_eq!(Reach::Public.check(&Url::parse(url).unwrap()), expected, "{url}");
        }
        for (url, expected) in [
            ("http://127.0.0.1:6082/", Ok(())),
            ("https://cache.internal:8443/", Ok(())),
            ("https://user:password@example.com/", Err(Refusal::Credentials)),
            ("gopher://example.com/", scheme("gopher")),
        ] {
            assert_eq!(Reach::Anywhere.check(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
