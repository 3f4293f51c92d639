//! A server: how it is reached, and the connections to it.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Metrics, Pool, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::{
    Config,
    config::{Host, SslMode as Tls, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    store::{Cause, postgres::tls},
    text::{DatabaseUrl, SslMode},
};

/// How long to try to connect.
const CONNECT: Duration = Duration::from_secs(3);
/// When nothing is heard: how long until it is asked whether the other side is there, how long between questions, and how
/// many; and how long what was sent may stay without a receipt.
const IDLE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(3);
const RETRIES: u32 = 3;
const UNHEARD: Duration = Duration::from_secs(10);

/// One that was not used for so long is asked first whether it is still there.
const RESTED: Duration = Duration::from_millis(500);

/// What each connection is told first. Every question of ours goes by an index, and is planned once: what the planner believes of
/// tables that have grown since it last looked does no harm. What was acknowledged is on disk, whatever is the default there.
const SETTLE: &str = "
    SET statement_timeout = '30s'; SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '60s';
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET plan_cache_mode = force_generic_plan; SET jit = off; SET timezone = 'UTC';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// How a server is reached.
#[derive(Clone)]
pub(super) struct Server {
    pub config: Config,
    pub tls: MakeRustlsConnect,
    /// For people: without the password.
    pub shown: String,
}

impl Server {
    pub(super) fn new(url: &DatabaseUrl, takes_writes: bool) -> Result<Self, Cause> {
        let mut config: Config = url.without(&["sslmode", "sslrootcert"]).parse()?;
        config.ssl_mode(match url.ssl_mode()? {
            SslMode::Disable => Tls::Disable,
            SslMode::Prefer => Tls::Prefer,
            SslMode::Require | SslMode::VerifyFull => Tls::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name("courant");
        }
        if takes_writes {
            // Of several hosts, the one that takes writes.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.keepalives_idle(IDLE).keepalives_interval(INTERVAL).keepalives_retries(RETRIES);
        config.tcp_user_timeout(UNHEARD);
        let is_near = config.get_hosts().iter().all(|host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        });
        if url.ssl_mode()? == SslMode::Require && url.parameter("sslrootcert").is_none() && !is_near
        {
            tracing::warn!(
                "`{url}` is encrypted but may be anybody: `sslmode=require` does not look at certificates; `verify-full` does"
            );
        }
        Ok(Self { config, tls: tls::connector(url)?, shown: url.to_string() })
    }

    /// Connections, so many at most; `wait`: how long to wait for one while all are in use.
    pub(super) fn pool(&self, size: usize, wait: Duration) -> Result<Pool, Cause> {
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        // One that was idle may be gone without anybody having noticed.
        let ask = Hook::async_fn(|client, metrics: &Metrics| {
            let has_rested = metrics.last_used() > RESTED;
            Box::pin(async move {
                if has_rested {
                    client.batch_execute("").await.map_err(HookError::Backend)?;
                }
                Ok(())
            })
        });
        let settle = Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(SETTLE).await.map_err(HookError::Backend) })
        });
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), manager);
        let timeouts =
            Timeouts { wait: Some(wait), create: Some(CONNECT * 2), recycle: Some(CONNECT) };
        let pool = Pool::builder(manager)
            .max_size(size)
            .timeouts(timeouts)
            .post_create(settle)
            .pre_recycle(ask);
        Ok(pool.runtime(Runtime::Tokio1).build()?)
    }
}
