//! Whose request it is: the client behind the proxies that `feeds.toml` names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderName, header};
use ip_network::{IpNetwork, Ipv4Network, Ipv6Network};

/// A request that came further than this has lost its way.
const MAX_HOPS: usize = 32;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Addresses, by network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNetwork>);

impl Networks {
    /// None.
    pub const NONE: Self = Self(Vec::new());

    /// This machine as it reaches itself.
    pub fn loopback() -> Self {
        let v4 = Ipv4Network::new_truncate(Ipv4Addr::LOCALHOST, 8);
        let v6 = Ipv6Network::new_truncate(Ipv6Addr::LOCALHOST, 128);
        let networks = [v4.ok().map(IpNetwork::V4), v6.ok().map(IpNetwork::V6)];
        Self(networks.into_iter().flatten().collect())
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The field in which trusted proxies say for whom they ask. One alone: a client can write the other itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyField {
    /// What nearly all of them write.
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// Who is who.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who is never refused for asking too often.
    pub exempt: Networks,
    /// Proxies that are believed.
    pub trusted_proxies: Networks,
    /// Where they say for whom they ask.
    pub proxy_field: ProxyField,
    /// Who may read the numbers.
    pub readers: Networks,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            exempt: Networks::loopback(),
            trusted_proxies: Networks::NONE,
            proxy_field: ProxyField::XForwardedFor,
            readers: Networks::loopback(),
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    is_trusted: bool,
    itself: Client,
}

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    address: IpAddr,
    /// What stands for the client where clients are told apart: the address, or of IPv6 the network of one household.
    pub(super) prefix: u64,
    pub(super) is_exempt: bool,
}

impl Client {
    /// What stands for it where clients are told apart; not to be kept.
    pub fn prefix(self) -> u64 {
        self.prefix
    }
}

impl Access {
    /// Worked out once for each connection.
    pub fn caller(&self, peer: IpAddr) -> Caller {
        let peer = peer.to_canonical();
        Caller { is_trusted: self.trusted_proxies.contain(peer), itself: self.of(peer) }
    }

    /// The client of one request: the right-most hop that is no trusted proxy. What is written left of it, or by
    /// somebody who is not trusted, counts for nothing.
    pub fn client(&self, caller: &Caller, fields: &HeaderMap) -> Client {
        if !caller.is_trusted {
            return caller.itself;
        }
        let name = match self.proxy_field {
            ProxyField::XForwardedFor => X_FORWARDED_FOR,
            ProxyField::Forwarded => header::FORWARDED,
        };
        let lines = fields.get_all(name).into_iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut nearest = caller.itself.address;
        for hop in hops.take(MAX_HOPS) {
            let address = match self.proxy_field {
                ProxyField::XForwardedFor => address(hop.trim()),
                ProxyField::Forwarded => forwarded_for(hop).and_then(address),
            };
            let Some(address) = address else {
                // A hop that keeps its client to itself stands for all of them.
                return Client { is_exempt: false, ..self.of(nearest) };
            };
            nearest = address;
            if !self.trusted_proxies.contain(address) {
                break;
            }
        }
        self.of(nearest)
    }

    /// Whether the numbers are for this client. Behind a proxy that `feeds.toml` does not name, everybody comes from the
    /// proxy's address: so a request that was passed on, or that names the public host, is none of this machine's own.
    pub fn reads(&self, caller: &Caller, client: Client, fields: &HeaderMap) -> bool {
        let passed_on = [X_FORWARDED_FOR, header::FORWARDED, X_REAL_IP, header::VIA];
        let is_hidden =
            !caller.is_trusted && passed_on.iter().any(|name| fields.contains_key(name));
        let host = fields.get(header::HOST).and_then(|host| host.to_str().ok());
        let is_aimed = !client.address.is_loopback() || host.is_none_or(is_own_name);
        self.readers.contain(client.address) && !is_hidden && is_aimed
    }

    fn of(&self, address: IpAddr) -> Client {
        let prefix = match address {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            // A /64: what one household or one server is given.
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        };
        Client { address, prefix, is_exempt: self.exempt.contain(address) }
    }
}

/// Whether a `Host` is what somebody on this machine would write.
fn is_own_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || address(name).is_some()
}

/// The address of a hop, which may have a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(hop: &str) -> Option<IpAddr> {
    let address = match hop.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match hop.split_once(':') {
            Some((v4, port)) if !port.contains(':') => v4,
            _ => hop,
        },
    };
    address.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// The node of a `for=` (RFC 7239 section 4).
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    Some(nodes.next()?.1.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn networks(networks: &[&str]) -> Networks {
        Networks(networks.iter().map(|network| network.parse().unwrap()).collect())
    }

    fn access() -> Access {
        let trusted_proxies = networks(&["127.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48"]);
        Access { trusted_proxies, ..Access::default() }
    }

    /// The client of a request of `peer` with these lines of the field.
    fn check(access: &Access, peer: &str, lines: &[&str], client: &str) {
        let mut fields = HeaderMap::new();
        let name = match access.proxy_field {
            ProxyField::XForwardedFor => X_FORWARDED_FOR,
            ProxyField::Forwarded => header::FORWARDED,
        };
        for line in lines {
            fields.append(name.clone(), HeaderValue::from_str(line).unwrap());
        }
        let caller = access.caller(peer.parse().unwrap());
        let found = access.client(&caller, &fields).address;
        assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
    }

    #[test]
    fn the_client_is_the_right_most_hop_that_is_not_trusted() {
        for (peer, lines, client) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.1"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.1 , 10.2.3.4"], "198.51.100.1"),
            ("10.0.0.1", &["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("2001:db8:1::1", &["2001:db8:2::1"], "2001:db8:2::1"),
            ("10.0.0.1", &["[2001:db8:2::1]:80"], "2001:db8:2::1"),
            ("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.2.3.4"], "10.2.3.4"),
            ("10.0.0.1", &[","], "10.0.0.1"),
        ] {
            check(&access(), peer, lines, client);
        }
        let many = vec!["10.1.1.1"; 40].join(",");
        check(&access(), "10.0.0.1", &[&format!("198.51.100.1,{many}")], "10.1.1.1");
    }

    #[test]
    fn forwarded_is_read_where_it_is_asked_for_and_nowhere_else() {
        let forwarded = Access { proxy_field: ProxyField::Forwarded, ..access() };
        for (lines, client) in [
            (&["for=198.51.100.1;proto=https;by=10.0.0.1"][..], "198.51.100.1"),
            (&["proto=https; For=\"[2001:db8:2::1]:4711\""], "2001:db8:2::1"),
            (&["for=203.0.113.9, for=198.51.100.1"], "198.51.100.1"),
            (&["for=\"x, for=198.51.100.1"], "198.51.100.1"),
            (&["for=198.51.100.1, for=_hidden"], "10.0.0.1"),
            (&["proto=https"], "10.0.0.1"),
        ] {
            check(&forwarded, "10.0.0.1", lines, client);
        }
        let mut fields = HeaderMap::new();
        fields.insert(header::FORWARDED, HeaderValue::from_static("for=203.0.113.9"));
        let caller = access().caller("10.0.0.1".parse().unwrap());
        let client = access().client(&caller, &fields);
        assert_eq!(client.address, "10.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_household_is_one_client() {
        let of = |address: &str| access().of(address.parse().unwrap()).prefix;
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn the_numbers_are_for_this_machine_and_not_for_who_comes_through_it() {
        let reads = |access: &Access, peer: &str, fields: &[(&'static str, &str)]| {
            let fields: HeaderMap = fields
                .iter()
                .map(|(name, value)| {
                    (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
                })
                .collect();
            let caller = access.caller(peer.parse().unwrap());
            access.reads(&caller, access.client(&caller, &fields), &fields)
        };
        let alone = Access::default();
        for (peer, fields, expected) in [
            ("127.0.0.1", &[("host", "127.0.0.1:8080")][..], true),
            ("127.0.0.1", &[("host", "localhost")], true),
            ("::1", &[("host", "[::1]:8080")], true),
            ("127.0.0.1", &[], true),
            ("127.0.0.1", &[("host", "feeds.example.com")], false),
            ("127.0.0.1", &[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")], false),
            ("127.0.0.1", &[("host", "localhost"), ("via", "1.1 cache")], false),
            ("192.0.2.1", &[("host", "localhost")], false),
        ] {
            assert_eq!(reads(&alone, peer, fields), expected, "{peer} {fields:?}");
        }
        let named = Access { readers: networks(&["192.0.2.0/24"]), ..access() };
        assert!(reads(&named, "192.0.2.7", &[("host", "feeds.example.com")]));
        assert!(reads(&named, "10.0.0.1", &[("host", "a"), ("x-forwarded-for", "192.0.2.7")]));
        assert!(!reads(&named, "10.0.0.1", &[("host", "a"), ("x-forwarded-for", "192.0.3.7")]));
        assert!(!reads(&named, "127.0.0.1", &[("host", "localhost")]));
    }
}
