//! How often clients may ask, and who may read the numbers.

use ip_network::IpNetwork;

use crate::{
    config::{
        section::{Keys, Section},
        value,
    },
    traffic::{Access, Networks, Policy, ProxyField, Rates},
};

pub(super) const POLITENESS: Keys = Keys {
    required: &[],
    optional: &[
        "limits",
        "unconditional_per_hour",
        "conditional_per_hour",
        "exempt",
        "trusted_proxies",
        "proxy_field",
    ],
};

pub(super) const METRICS: Keys = Keys { required: &[], optional: &["readers"] };

/// What both sections say; `listen` is where the service is reached by its own machine.
pub(super) fn policy(
    politeness: &Section<'_>,
    metrics: &Section<'_>,
    listen: std::net::IpAddr,
) -> Policy {
    let usual = Rates::default();
    let per_hour =
        |key| politeness.number(key, 1..=100_000_u32).and_then(std::num::NonZeroU32::new);
    let rates = Rates {
        unconditional_per_hour: per_hour("unconditional_per_hour")
            .unwrap_or(usual.unconditional_per_hour),
        conditional_per_hour: per_hour("conditional_per_hour")
            .unwrap_or(usual.conditional_per_hour),
    };
    let fields =
        [("x-forwarded-for", ProxyField::XForwardedFor), ("forwarded", ProxyField::Forwarded)];
    // A machine that calls itself by the address it listens at comes from there.
    let mut own = Networks::loopback();
    own.0.extend(
        (!listen.is_unspecified() && !listen.is_loopback()).then(|| IpNetwork::from(listen)),
    );
    let networks = |section: &Section<'_>, key, usual: &Networks| {
        let given = Networks(section.list(key, value::network));
        if section.has(key) { given } else { usual.clone() }
    };
    let limits = politeness.flag("limits").unwrap_or(true);
    Policy {
        rates: limits.then_some(rates),
        access: Access {
            exempt: networks(politeness, "exempt", &own),
            trusted_proxies: networks(politeness, "trusted_proxies", &Networks::NONE),
            proxy_field: politeness
                .parse("proxy_field", |given| value::choice(given, &fields))
                .unwrap_or(ProxyField::XForwardedFor),
            readers: networks(metrics, "readers", &own),
        },
    }
}
