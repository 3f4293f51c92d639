//! What `AtomPub` and Micropub have in common: new articles without an id, changes to what is stored, files.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    Asked, How, Inbox, failed,
    json::{apart, first},
};
use crate::{
    article::ArticleId,
    category::Slug,
    media::{Intake, Kept},
    push::{Problem, Reply, articles, condition, micropub, record},
    store::{Fate, Operation, Precondition, Refused, State, Stored, Task, Versions},
};

/// How often an article that somebody else changes at the same time is looked at again.
const MAX_TRIES: usize = 4;
/// Names that are tried for a new article: `opening`, `opening-2`, …
const MAX_NAMES: usize = 20;

impl Inbox {
    /// What is stored of an article that is not withdrawn, and that the token reaches.
    pub(super) async fn visible(
        &self,
        asked: &Asked<'_>,
        id: &ArticleId,
    ) -> Result<Stored, Problem> {
        let stored = self.store.stored(id).await.map_err(|error| failed(&error))?;
        // Whether there is what is not theirs, they are not told.
        let stored = stored.filter(|stored| asked.pass.sees(stored)).ok_or(Problem::Unknown)?;
        if stored.state == State::Withdrawn {
            return Err(Problem::Gone(stored.revision));
        }
        Ok(stored)
    }

    /// A new article: under the name that was wished for, unless there is one already.
    pub(super) async fn create(
        &self,
        asked: &Asked<'_>,
        record: Map<String, Value>,
        wish: Option<&Slug>,
        folder: &'static str,
        body: &[u8],
    ) -> Result<Reply, Problem> {
        // Without a wish: a name that nobody else has at this time.
        let time = asked.told.now().timestamp_nanos_opt().unwrap_or_default().to_le_bytes();
        let unique = condition::fingerprint(&[body, &time]).to_ascii_lowercase();
        let unique: String = unique.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let names = (1..=MAX_NAMES).filter_map(|nth| match (wish, nth) {
            (Some(wish), 1) => Some(wish.to_string()),
            (Some(wish), MAX_NAMES) => Some(format!("{wish}-{unique}")),
            (Some(wish), nth) => Some(format!("{wish}-{nth}")),
            (None, 1) => Some(unique.clone()),
            (None, _) => None,
        });
        let mut last = Problem::Conflict("Every name for it is taken.".to_owned());
        for name in names {
            let id = ArticleId::new(&name).ok_or(Problem::Internal)?;
            let mut record = record.clone();
            record.insert("id".to_owned(), id.as_str().into());
            let single = self.read(&id, record).await?;
            if !asked.pass.reaches(&single.submission.story) {
                return Err(Problem::Category);
            }
            let precondition =
                Precondition { is_not: Some(Versions::Any), ..Precondition::default() };
            let operation = Operation::Put(Box::new(single.submission));
            let address = self.rules.address(folder, id.as_str());
            let answer = move |effects: &_| {
                first(effects, |effect, _| match &effect.fate {
                    // Whoever has the name, and whether anybody may know.
                    Fate::Refused(
                        Refused::Precondition | Refused::Retired | Refused::OutOfScope,
                    ) => Reply::default(),
                    Fate::Refused(refused) => Problem::of(refused, effect.revision).reply(),
                    Fate::Taken(_) | Fate::Withdrawn | Fate::WithdrawnBefore => {
                        micropub::created(address.as_str()).tagged(effect.revision)
                    }
                })
            };
            let tasks = vec![Task { operation, precondition }];
            let reply = self.push(asked, tasks, How::default(), body, answer).await?;
            if reply.status != 0 {
                return Ok(reply);
            }
            last = Problem::Conflict(format!("There is an article `{id}` already."));
        }
        Err(last)
    }

    async fn read(
        &self,
        id: &ArticleId,
        record: Map<String, Value>,
    ) -> Result<articles::Single, Problem> {
        let (catalogue, id) = (Arc::clone(&self.catalogue), id.clone());
        apart(move || {
            let text = serde_json::to_vec(&record).expect("text keys");
            articles::single(&catalogue, &id, &text)
        })
        .await?
    }

    /// Changes a stored article. What is read is what is changed: when somebody else is faster, it is read again.
    pub(super) async fn change(
        &self,
        asked: &Asked<'_>,
        id: &ArticleId,
        wanted: &Precondition,
        body: &[u8],
        change: impl Fn(&Stored, &Map<String, Value>) -> Map<String, Value>,
    ) -> Result<Reply, Problem> {
        if let Some(reply) = self.answered(asked, body).await? {
            return Ok(reply);
        }
        for _ in 0..MAX_TRIES {
            let stored = self.visible(asked, id).await?;
            let base = stored.revision;
            if !wanted.holds(Some(base)) {
                return Err(Problem::Precondition(Some(base)));
            }
            let old = record::record(&self.catalogue, &stored);
            let single = self.read(id, change(&stored, &old)).await?;
            // What was changed is this state and no other, whichever ones the client would have taken.
            let precondition =
                Precondition { is: Some(Versions::Of(vec![base])), ..Precondition::default() };
            let operation = Operation::Put(Box::new(single.submission));
            let tasks = vec![Task { operation, precondition }];
            let answer = move |effects: &_| {
                first(effects, |effect, _| match &effect.fate {
                    Fate::Refused(Refused::Precondition) => Reply::default(),
                    Fate::Refused(refused) => Problem::of(refused, effect.revision).reply(),
                    Fate::Taken(_) | Fate::Withdrawn | Fate::WithdrawnBefore => {
                        Reply::empty(StatusCode::NO_CONTENT).tagged(effect.revision)
                    }
                })
            };
            let reply = self.push(asked, tasks, How::default(), body, answer).await?;
            if reply.status != 0 {
                return Ok(reply);
            }
        }
        Err(Problem::Conflict("Others change the article all the time; try again.".to_owned()))
    }

    pub(super) async fn withdraw(
        &self,
        asked: &Asked<'_>,
        id: ArticleId,
        is_kept: bool,
        body: &[u8],
    ) -> Result<Reply, Problem> {
        let precondition = condition::precondition(asked.fields)?;
        let tasks = vec![Task { operation: Operation::Withdraw { id, is_kept }, precondition }];
        let answer = |effects: &_| {
            first(effects, |effect, _| match &effect.fate {
                Fate::Refused(refused) => Problem::of(refused, effect.revision).reply(),
                Fate::Taken(_) | Fate::Withdrawn | Fate::WithdrawnBefore => {
                    Reply::empty(StatusCode::NO_CONTENT)
                }
            })
        };
        self.push(asked, tasks, How::default(), body, answer).await
    }

    pub(super) async fn keep(
        &self,
        wish: Option<String>,
        media_type: String,
        content: Bytes,
    ) -> Result<Kept, Problem> {
        const TAKEN: &str = "image/jpeg, image/png, image/gif, image/webp, image/avif, audio/*, video/*, application/pdf";
        let media = self.media.clone().ok_or(Problem::Unknown)?;
        if !Intake::takes(&media_type) {
            return Err(Problem::MediaType(TAKEN));
        }
        if content.is_empty() {
            return Err(Problem::Malformed("The file is empty.".to_owned()));
        }
        let wish = wish.unwrap_or_default();
        let kept = apart(move || media.keep(&wish, &media_type, &content)).await?;
        kept.map_err(|error| lost(&error))?.ok_or(Problem::MediaType(TAKEN))
    }
}

pub(super) fn lost(error: &std::io::Error) -> Problem {
    tracing::error!(%error, "a file that was pushed cannot be kept");
    Problem::Internal
}
