//! Who may push: tokens, and how often one may come without.

use std::{hash::BuildHasher, num::NonZeroU32};

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::{Inbox, failed};
use crate::{
    push::{Pass, Problem},
    traffic::Client,
};

/// How often a client may show what lets nobody in.
const STRANGERS_PER_HOUR: NonZeroU32 = NonZeroU32::new(120).expect("120 is not zero");

impl Inbox {
    /// Who shows this. The store is asked each time: a token that was revoked is good for nothing from then on.
    pub(super) async fn admit(
        &self,
        shown: Option<&str>,
        client: Client,
        now: DateTime<Utc>,
    ) -> Result<Pass, Problem> {
        let pass = match shown {
            Some(secret) => {
                let grants = self.store.grants().await.map_err(|error| failed(&error))?;
                Pass::of(&grants, secret, now)
            }
            None => None,
        };
        let Some(pass) = pass else {
            return self.strange(client, now).and(Err(Problem::Stranger));
        };
        let key = self.hasher.hash_one(&pass.name);
        self.budgets.spend(key, self.rules.requests_per_hour, milliseconds(now)).map_err(wait)?;
        Ok(pass)
    }

    /// Whether a client may yet show what lets nobody in. Asked before the store is, and before anything is read.
    pub(super) fn look(&self, client: Client, now: DateTime<Utc>) -> Result<(), Problem> {
        let key = self.hasher.hash_one(client.prefix());
        self.budgets.look(key, STRANGERS_PER_HOUR, milliseconds(now)).map_err(wait)
    }

    /// A client has shown what lets nobody in.
    pub(super) fn strange(&self, client: Client, now: DateTime<Utc>) -> Result<(), Problem> {
        let key = self.hasher.hash_one(client.prefix());
        self.budgets.spend(key, STRANGERS_PER_HOUR, milliseconds(now)).map_err(wait)
    }
}

fn milliseconds(now: DateTime<Utc>) -> u64 {
    u64::try_from(now.timestamp_millis()).unwrap_or_default()
}

/// One second at least, and no less than it takes; from milliseconds.
fn wait(milliseconds: u64) -> Problem {
    Problem::TooOften(milliseconds.div_ceil(1_000).max(1))
}

/// Whether a page of another site makes a browser send this, and with it a password that the browser keeps. Programs
/// send neither field (Fetch Metadata section 2.1, RFC 6454 section 7).
pub(super) fn is_of_another_site(fields: &HeaderMap, base: &Url) -> bool {
    let is_from = |value: &HeaderValue| matches!(value.as_bytes(), b"cross-site" | b"same-site");
    let own = base.origin().ascii_serialization();
    fields.get_all("sec-fetch-site").iter().any(is_from)
        || fields.get_all(header::ORIGIN).iter().any(|origin| origin.as_bytes() != own.as_bytes())
}
