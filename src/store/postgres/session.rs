//! One conversation with the server: a transaction, or a single question.
//!
//! The rules are plain code without waiting, so a conversation runs on a thread of its own and waits there.

use std::{cell::Cell, pin::pin, time::Duration};

use deadpool::managed::PoolError;
use futures_util::{
    StreamExt,
    future::{try_join, try_join_all},
};
use tokio::runtime::Handle;
use tokio_postgres::{Error, Row, Statement, error::DbError, types::ToSql};

use crate::{
    article::Revision,
    store::{
        Result, StoreError,
        postgres::pool::{Object, Pool},
    },
};

/// The longest wait for one answer: longer than the server's own limits, for one that does not keep them.
const PATIENCE: Duration = Duration::from_secs(40);
/// The same where whole tables are asked for.
const LONG_PATIENCE: Duration = Duration::from_hours(1);

/// So many rows that have arrived are looked at together at most.
const ROWS_AT_ONCE: usize = 256;

/// What is asked, and what goes in its places.
pub(super) type Ask<'a> = (&'a str, Vec<&'a (dyn ToSql + Sync)>);

/// How a transaction begins that sees one state.
pub(super) const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// How one begins that takes the row of `store` first, and sees what was committed before it got it.
pub(super) const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// A connection, given back when what was begun is over, and closed when it was left open: so the server takes back what
/// was half done, and nobody meets it again.
pub(super) struct Session {
    client: Option<Object>,
    runtime: Handle,
    patience: Duration,
    is_open: Cell<bool>,
    is_lost: Cell<bool>,
    /// The newest write that was seen or made.
    head: Cell<Revision>,
}

impl Session {
    /// Takes a connection from a pool.
    pub(super) async fn new(pool: &Pool) -> Result<Self> {
        let client = pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            error => StoreError::Failed(error.into()),
        })?;
        Ok(Self {
            client: Some(client),
            runtime: Handle::current(),
            patience: PATIENCE,
            is_open: Cell::new(false),
            is_lost: Cell::new(false),
            head: Cell::new(Revision(0)),
        })
    }

    /// The same, for what takes long.
    pub(super) fn patient(mut self) -> Self {
        self.patience = LONG_PATIENCE;
        self
    }

    /// Notes the newest write.
    pub(super) fn heard(&self, head: Revision) {
        self.head.set(self.head.get().max(head));
    }

    /// The newest write that was noted.
    pub(super) fn head(&self) -> Revision {
        self.head.get()
    }

    fn client(&self) -> &Object {
        self.client.as_ref().expect("a session has its connection until it ends")
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T> {
        let answer =
            self.runtime.block_on(async { tokio::time::timeout(self.patience, work).await });
        let error = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => {
                self.is_lost.set(error.is_closed() || error.as_db_error().is_some_and(ends));
                error.into()
            }
            Err(late) => StoreError::Failed(late.into()),
        };
        self.is_open.set(true);
        Err(error)
    }

    /// Whether the last question failed because the connection is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.get()
    }

    /// Asks one thing.
    pub(super) fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.wait(async {
            let statement = self.client().prepare_cached(sql).await?;
            self.client().query(&statement, parameters).await
        })
    }

    /// Asks one thing that has one row for an answer.
    pub(super) fn one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.wait(async {
            let statement = self.client().prepare_cached(sql).await?;
            self.client().query_one(&statement, parameters).await
        })
    }

    /// Asks one thing, and visits the rows of the answer as they arrive.
    pub(super) fn each(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        visit: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        let rows = self.wait(async {
            let statement = self.client().prepare_cached(sql).await?;
            self.client().query_raw(&statement, parameters.iter().copied()).await
        })?;
        let mut rows = pin!(rows.ready_chunks(ROWS_AT_ONCE));
        while let Some(arrived) = self.wait(async { Ok(rows.next().await) })? {
            for row in arrived {
                visit(row?)?;
            }
        }
        Ok(())
    }

    /// Does one thing; how many rows it touched.
    pub(super) fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.wait(async {
            let statement = self.client().prepare_cached(sql).await?;
            self.client().execute(&statement, parameters).await
        })
    }

    /// Does what a text of several statements says.
    pub(super) fn batch(&self, sql: &str) -> Result<()> {
        self.wait(self.client().batch_execute(sql))
    }

    /// Asks several things, one after the other, and waits once.
    pub(super) fn all(&self, asks: &[Ask<'_>]) -> Result<Vec<Vec<Row>>> {
        self.wait(async { self.ask(&self.prepare(asks).await?, asks).await })
    }

    /// Begins a transaction, and asks several things in it.
    pub(super) fn begin(&self, how: &str, asks: &[Ask<'_>]) -> Result<Vec<Vec<Row>>> {
        self.wait(async {
            let statements = self.prepare(asks).await?;
            self.is_open.set(true);
            let begins = self.client().batch_execute(how);
            let ((), rows) = try_join(begins, self.ask(&statements, asks)).await?;
            Ok(rows)
        })
    }

    async fn prepare(&self, asks: &[Ask<'_>]) -> Result<Vec<Statement>, Error> {
        let mut statements = Vec::with_capacity(asks.len());
        for (sql, _) in asks {
            statements.push(self.client().prepare_cached(sql).await?);
        }
        Ok(statements)
    }

    async fn ask(
        &self,
        statements: &[Statement],
        asks: &[Ask<'_>],
    ) -> Result<Vec<Vec<Row>>, Error> {
        // Each is sent when it is first looked at, which is in their order.
        let asks = statements.iter().zip(asks);
        try_join_all(asks.map(|(statement, (_, given))| self.client().query(statement, given)))
            .await
    }

    /// Ends a transaction that has changed nothing.
    pub(super) fn end(&self) -> Result<()> {
        self.wait(self.client().batch_execute("ROLLBACK"))?;
        self.is_open.set(false);
        Ok(())
    }

    /// Asks the last things and commits: from here on it is on the server's disk, or the error says that nobody knows.
    /// Where one of them fails, nothing is committed.
    pub(super) fn commit(&self, asks: &[Ask<'_>]) -> Result<()> {
        let statements = self.wait(self.prepare(asks))?;
        let commits = async {
            let commit = self.client().batch_execute("COMMIT");
            try_join(self.ask(&statements, asks), commit).await
        };
        let answer =
            self.runtime.block_on(async { tokio::time::timeout(self.patience, commits).await });
        match answer {
            Ok(Ok(_)) => {
                self.is_open.set(false);
                Ok(())
            }
            Ok(Err(error)) if is_refusal(&error) => Err(error.into()),
            Ok(Err(error)) => Err(StoreError::Unknown(error.into())),
            Err(late) => Err(StoreError::Unknown(late.into())),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(client) = self.client.take_if(|_| self.is_open.get()) {
            drop(Object::take(client));
        }
    }
}

/// Whether the server itself said no, and lives on: what was to be committed was not.
fn is_refusal(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| !ends(error))
}

/// Whether the server ends the connection with this: an operator intervened (class 57P), by a shutdown for one.
fn ends(error: &DbError) -> bool {
    error.code().code().starts_with("57P")
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}
