//! Articles as JSON.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::{Asked, How, Inbox};
use crate::{
    article::{ArticleId, Revision},
    push::{
        Problem, Reply, Scope,
        articles::{self, Batch},
        condition,
    },
    store::{Effect, Effects, Operation, Precondition, Stored, Task},
};

/// What the body of a PUT is.
const RECORD: &str = "application/json";
/// What the body of a batch is.
const RECORDS: &str = "application/json, application/x-ndjson, application/feed+json";

impl Inbox {
    pub(super) async fn article(
        &self,
        asked: &Asked<'_>,
        id: ArticleId,
        body: Bytes,
    ) -> Result<Reply, Problem> {
        let address = self.rules.address("articles/", id.as_str());
        if *asked.method == Method::PUT {
            asked.require(Scope::Write)?;
            let how = How { republish: Self::republish(asked)?, ..How::default() };
            if asked.media_type() != "application/json" {
                return Err(Problem::MediaType(RECORD));
            }
            let precondition = condition::precondition(asked.fields)?;
            let single = {
                let (catalogue, id, body) = (Arc::clone(&self.catalogue), id, body.clone());
                apart(move || articles::single(&catalogue, &id, &body)).await??
            };
            let operation = Operation::Put(Box::new(single.submission.clone()));
            let tasks = vec![Task { operation, precondition }];
            let answer = move |effects: &_| {
                first(effects, |effect, head| single.answer(effect, head, &address))
            };
            return self.push(asked, tasks, how, &body, answer).await;
        }
        if *asked.method == Method::DELETE {
            asked.require(Scope::Withdraw)?;
            let precondition = condition::precondition(asked.fields)?;
            let operation = Operation::Withdraw { id, is_kept: false };
            let tasks = vec![Task { operation, precondition }];
            let answer = move |effects: &_| {
                first(effects, |effect, head| articles::withdrawn(effect, head, &address))
            };
            return self.push(asked, tasks, How::default(), &body, answer).await;
        }
        asked.require(Scope::Read)?;
        let precondition = condition::precondition(asked.fields)?;
        let stored = self.visible(asked, &id).await?;
        Ok(unless_known(&precondition, &stored, articles::show(&self.catalogue, &stored)))
    }

    pub(super) async fn batch(&self, asked: &Asked<'_>, body: Bytes) -> Result<Reply, Problem> {
        asked.require(Scope::Write)?;
        let republish = Self::republish(asked)?;
        let known = [
            "application/json",
            "application/feed+json",
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
        ];
        if !known.contains(&asked.media_type().as_str()) {
            return Err(Problem::MediaType(RECORDS));
        }
        if condition::precondition(asked.fields)? != Precondition::default() {
            let why = "`If-Match` and `If-None-Match` are for one article; PUT it by itself.";
            return Err(Problem::Malformed(why.to_owned()));
        }
        let mut batch = {
            let (catalogue, most, body) =
                (Arc::clone(&self.catalogue), self.rules.max_records, body.clone());
            apart(move || Batch::read(&catalogue, &body, most)).await??
        };
        let is_atomic = asked.says("atomic")?;
        let is_in_vain = batch.submissions.is_empty() || is_atomic && !batch.is_whole();
        if is_in_vain {
            return Ok(batch.answer(None, self.head().await?));
        }
        let tasks = batch.tasks();
        let answer = move |effects: &Effects| batch.answer(Some(effects), effects.head);
        self.push(asked, tasks, How { is_atomic, republish }, &body, answer).await
    }

    /// Whether what was withdrawn is to be published again, for those who may.
    fn republish(asked: &Asked<'_>) -> Result<bool, Problem> {
        let republish = asked.says("republish")?;
        if republish {
            asked.require(Scope::Withdraw)?;
        }
        Ok(republish)
    }
}

/// What is answered for the one task there was.
pub(super) fn first(effects: &Effects, answer: impl Fn(&Effect, Revision) -> Reply) -> Reply {
    match effects.each.first() {
        Some(effect) => answer(effect, effects.head),
        None => Problem::Internal.reply(),
    }
}

/// 304 for whoever has it already, 412 for whoever asks for another one.
pub(super) fn unless_known(precondition: &Precondition, stored: &Stored, reply: Reply) -> Reply {
    if reply.status != StatusCode::OK.as_u16() || precondition.holds(Some(stored.revision)) {
        return reply;
    }
    let is_other = Precondition { is_not: None, ..precondition.clone() };
    if !is_other.holds(Some(stored.revision)) {
        return Problem::Precondition(Some(stored.revision)).reply();
    }
    Reply::empty(StatusCode::NOT_MODIFIED).tagged(Some(stored.revision))
}

/// Reading a large body is work: others are served meanwhile.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "what was pushed cannot be read");
        Problem::Internal
    })
}
