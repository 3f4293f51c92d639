//! From an edition to an answer: codings, preconditions, a delta or the whole.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;

use super::{
    Answer, ahead,
    conditional::{Outcome, date, evaluate},
    delta,
    head::Head,
    negotiate::codings,
    response::Problem,
};
use crate::{
    article::Revision,
    edition::{Coding, Edition, EntityTag, Validators},
    publish::{Dates, Document, Publisher},
};

/// How far the clocks of replicas may be apart, in seconds.
const SKEW_SECONDS: i64 = 1;

/// The whole edition, word that the client has it, or what is new since the one that it has. `edition` becomes a newer one
/// of its document where the client has seen one.
pub(super) async fn answer(
    publisher: &Publisher,
    document: &Document,
    edition: &mut Arc<Edition>,
    head: &Head<'_>,
    now: DateTime<Utc>,
    whole: &mut usize,
) -> Result<Answer, Problem> {
    let mut look = Look::ToCome;
    loop {
        match step(edition, head, publisher.dates(now), look, whole)? {
            Step::Done(given) => return Ok(given.answer(edition)),
            Step::Delta { base, coding, is_dated } => {
                let news = only_news(publisher, edition, coding, base, is_dated).await;
                let entire = || Given::Whole { coding, is_dated }.answer(edition);
                return Ok(news.unwrap_or_else(entire));
            }
            Step::Ahead(seen) => match publisher.renewed(document, seen).await {
                Some(renewed) => (*edition, look) = (renewed, Look::Taken),
                None => look = Look::Failed,
            },
        }
    }
}

/// Whether the store has been looked at for a client that has seen a newer edition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Not yet.
    ToCome,
    /// The edition is the store's.
    Taken,
    /// It did not answer.
    Failed,
}

/// How far an answer comes without waiting.
pub(super) enum Step {
    /// To its end.
    Done(Given),
    /// A delta from a base may do.
    Delta { base: EntityTag, coding: Coding, is_dated: bool },
    /// The client has seen a newer edition, and the store has not been looked at.
    Ahead(Revision),
}

/// What an edition has ready.
#[derive(Clone, Copy)]
pub(super) enum Given {
    /// The document; without `Last-Modified`, where its second is not over yet (H-39).
    Whole { coding: Coding, is_dated: bool },
    /// Word that the client has it, under the tag of this coding.
    Unchanged(Coding),
    /// The same, under another tag.
    UnchangedAs(Coding, EntityTag),
}

impl Given {
    pub(super) fn answer(self, edition: &Edition) -> Answer {
        let mut answer = Answer::default();
        match self {
            Self::Whole { coding, is_dated } => {
                if let Some((fields, body)) = edition.whole(coding) {
                    *answer.headers_mut() = fields.clone();
                    *answer.body_mut() = Full::new(body.clone());
                }
                if !is_dated {
                    answer.headers_mut().remove(header::LAST_MODIFIED);
                }
            }
            Self::Unchanged(coding) | Self::UnchangedAs(coding, _) => {
                *answer.status_mut() = StatusCode::NOT_MODIFIED;
                *answer.headers_mut() = edition.unchanged(coding).cloned().unwrap_or_default();
            }
        }
        if let Self::UnchangedAs(_, tag) = self {
            let tag = HeaderValue::try_from(format!("\"{tag}\"")).expect("a tag is ASCII");
            answer.headers_mut().insert(header::ETAG, tag);
        }
        answer
    }
}

/// What nothing has to be waited for, or what it takes.
pub(super) fn step(
    edition: &Edition,
    head: &Head<'_>,
    dates: Dates,
    look: Look,
    whole: &mut usize,
) -> Result<Step, Problem> {
    let codings = edition.available(&codings(&head.accept_encoding));
    let Some(preferred) = codings.first() else { return Err(Problem::Coding) };
    *whole = edition.whole(*preferred).map_or(0, |(_, body)| body.len());
    // A date stands for one state only when its second is over (H-39) by every replica's clock, and never lies ahead of
    // `Date` (H-37).
    let is_over =
        |changed: &DateTime<Utc>| changed.timestamp() + SKEW_SECONDS < dates.complete_until;
    let last_modified = edition.changed().filter(is_over);
    // What is coded is of no use to a client that takes no coding: it gets the document in a form it can read (V30).
    let takes_codings = codings.iter().any(|coding| *coding != Coding::Identity);
    let outcome = if head.has_preconditions() {
        let mut tags = [""; Coding::ALL.len()];
        for (tag, coding) in tags.iter_mut().zip(&*codings) {
            *tag = edition.tag(*coding);
        }
        let content = takes_codings.then(|| edition.content());
        // A date that was given out while the store's time was ahead says nothing of the present state.
        let is_suspect =
            || date(&head.if_modified_since).is_some_and(|date| dates.is_suspect(date));
        let last_modified = last_modified.filter(|_| !is_suspect());
        evaluate(head, &Validators { tags: &tags[..codings.len()], last_modified, content })
    } else {
        Outcome::Proceed
    };
    if let Some(seen) = ahead::seen(head, outcome, edition.revision()) {
        match look {
            Look::ToCome => return Ok(Step::Ahead(seen.revision)),
            // Nothing here is news to whoever holds a newer edition.
            Look::Failed if takes_codings || seen.coding == Coding::Identity => {
                return Ok(Step::Done(Given::UnchangedAs(*preferred, seen)));
            }
            Look::Taken | Look::Failed => {}
        }
    }
    Ok(match outcome {
        Outcome::NotModified(nth) => Step::Done(Given::Unchanged(codings[nth])),
        Outcome::NotModifiedAs(tag) => Step::Done(Given::UnchangedAs(*preferred, tag)),
        Outcome::PreconditionFailed => return Err(Problem::Precondition),
        Outcome::Proceed => {
            let (coding, is_dated) = (*preferred, last_modified.is_some());
            match delta::base(head, edition) {
                Some(base) => Step::Delta { base, coding, is_dated },
                None => Step::Done(Given::Whole { coding, is_dated }),
            }
        }
    })
}

/// RFC 3229 section 10.4.1 (H-141); `None` where the whole is no larger (H-146).
async fn only_news(
    publisher: &Publisher,
    edition: &Arc<Edition>,
    coding: Coding,
    base: EntityTag,
    is_dated: bool,
) -> Option<Answer> {
    let body = publisher.delta(edition, coding, base.revision).await?;
    let mut fields = edition.delta_fields(coding, base);
    if !is_dated {
        fields.remove(header::LAST_MODIFIED);
    }
    let mut answer = Answer::new(Full::new(body));
    *answer.status_mut() = StatusCode::IM_USED;
    *answer.headers_mut() = fields;
    Some(answer)
}
