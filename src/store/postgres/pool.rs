//! Connections to a server that are used again.

use std::time::Duration;

use deadpool::{
    Runtime,
    managed::{self, Metrics, RecycleError, RecycleResult, Timeouts},
};
use deadpool_postgres::ClientWrapper;

use crate::store::{Cause, Result, StoreError, postgres::server::Server};

/// One that was not used for so long is asked first whether it is still there.
const RESTED: Duration = Duration::from_millis(500);

/// What each connection is told first. Every question of ours goes by an index, and is planned once: what the planner believes of
/// tables that have grown since it last looked does no harm. What was acknowledged is on disk, whatever is the default there.
const SETTLE: &str = "
    SET statement_timeout = '30s'; SET lock_timeout = '20s'; SET idle_in_transaction_session_timeout = '60s';
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET plan_cache_mode = force_generic_plan; SET jit = off; SET timezone = 'UTC';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Makes connections and looks after them. No step of it waits for ever.
pub(super) struct Connections(Server);

/// Connections, in use or waiting for it.
pub(super) type Pool = managed::Pool<Connections>;
/// One that is in use.
pub(super) type Object = managed::Object<Connections>;

impl managed::Manager for Connections {
    type Type = ClientWrapper;
    type Error = StoreError;

    async fn create(&self) -> Result<ClientWrapper> {
        let (client, connection) = self.0.reach().await.map_err(StoreError::Failed)?;
        let goes_on = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection is lost");
            }
        });
        let client = ClientWrapper::new(client, goes_on);
        let settled = self.0.within(client.batch_execute(SETTLE)).await;
        settled.map_err(StoreError::Failed)?;
        Ok(client)
    }

    async fn recycle(
        &self,
        client: &mut ClientWrapper,
        metrics: &Metrics,
    ) -> RecycleResult<StoreError> {
        if client.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        // One that was idle may be gone without anybody having noticed.
        if metrics.last_used() > RESTED {
            let answer = self.0.within(client.batch_execute("")).await;
            answer.map_err(|error| RecycleError::Backend(StoreError::Failed(error)))?;
        }
        Ok(())
    }
}

/// Connections, so many at most; `wait`: how long to wait for one while all are in use.
pub(super) fn pool(server: Server, size: usize, wait: Duration) -> Result<Pool, Cause> {
    let timeouts = Timeouts { wait: Some(wait), ..Timeouts::default() };
    let pool = Pool::builder(Connections(server)).max_size(size).timeouts(timeouts);
    Ok(pool.runtime(Runtime::Tokio1).build()?)
}
