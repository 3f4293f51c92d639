//! Where partners stand: what they have, what they have not fetched since, and who has seen a change.

use std::num::NonZeroU16;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    article::{ArticleId, Cursor, Latest, Revision, Story},
    feed::{Catalogue, FeedPath, FeedSpec, Partner},
    store::{Delivery, Result, Store},
};

/// What the ledger calls the changes that partners follow (see `GET /partner/{name}/changes`).
pub const CHANGES: &str = "changes";

/// So many articles that a partner has not fetched are named.
const MISSING: NonZeroU16 = NonZeroU16::new(100).expect("100 is not zero");

/// Where a partner stands with one of its feeds.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// The path of the feed as the public has it.
    pub feed: String,
    /// Where the feed stands.
    pub revision: Revision,
    /// Since when.
    pub changed: DateTime<Utc>,
    /// The newest state that each holder of a token has fetched, by holder.
    pub fetched: Vec<Delivery>,
    /// Articles of the feed that have changed or gone since the newest of these, oldest change first; 100 at most.
    pub missing: Vec<Missing>,
}

/// An article that a partner has not fetched as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// The publisher's key.
    pub id: ArticleId,
    /// Its last change.
    pub revision: Revision,
    /// When that was.
    pub at: DateTime<Utc>,
    /// Whether it has gone from the feed.
    pub is_gone: bool,
}

/// Whether somebody has seen the last change of an article.
#[derive(Clone, Debug, Serialize)]
pub struct Witness {
    /// The partner.
    pub partner: String,
    /// To whom the token was given; empty: to the partner as a whole.
    pub holder: String,
    /// The feed that has or had the article, or `changes`.
    pub feed: String,
    /// When they first fetched a state with the change.
    pub seen: Option<DateTime<Utc>>,
    /// The newest state they have fetched, and when they last did.
    pub last: Option<(Revision, DateTime<Utc>)>,
}

/// The last change of an article, and who has seen it.
#[derive(Clone, Debug, Serialize)]
pub struct Testimony {
    /// The publisher's key.
    pub id: ArticleId,
    /// The change.
    pub revision: Revision,
    /// When it was.
    pub at: DateTime<Utc>,
    /// Whether the article can be read now.
    pub is_published: bool,
    /// By partner, feed and holder.
    pub witnesses: Vec<Witness>,
}

/// Where a partner stands with each of its feeds.
pub async fn standings(
    store: &dyn Store,
    catalogue: &Catalogue,
    partner: &Partner,
) -> Result<Vec<Standing>> {
    let deliveries = store.deliveries(&partner.name).await?;
    let mut standings = Vec::new();
    for spec in catalogue.feeds_of(partner) {
        let feed = ledger_name(&spec);
        let mark = store.mark(&spec.marks()).await?;
        let fetched = newest(&deliveries, &feed);
        let has = fetched.iter().map(|delivery| delivery.revision).max();
        let since = Cursor { revision: has.unwrap_or_default(), article: None };
        let mut missing = Vec::new();
        if has.is_none_or(|has| has < mark.revision) {
            let latest = store.latest(since, partner.shift_minutes, MISSING).await?;
            missing.extend(latest.iter().filter_map(|latest| missed(&spec, latest)));
        }
        let (revision, changed) = (mark.revision, mark.changed);
        standings.push(Standing { feed, revision, changed, fetched, missing });
    }
    Ok(standings)
}

fn missed(spec: &FeedSpec, latest: &Latest) -> Option<Missing> {
    let Latest { id, revision, at, article, was, .. } = latest;
    let holds = |story: &Story| story.is_selected(&spec.selection);
    let is_there = article.as_ref().is_some_and(|article| holds(&article.story));
    let is_gone = !is_there && was.iter().any(holds);
    (is_there || is_gone).then(|| Missing { id: id.clone(), revision: *revision, at: *at, is_gone })
}

/// Who of the partners has seen the last change of an article; `None` for an article that nobody knows.
pub async fn testimony(
    store: &dyn Store,
    catalogue: &Catalogue,
    id: &ArticleId,
) -> Result<Option<Testimony>> {
    let Some(latest) = store.last(id).await? else { return Ok(None) };
    let holds = |spec: &FeedSpec, story: &Story| story.is_selected(&spec.selection);
    let is_concerned = |spec: &FeedSpec| {
        latest.article.as_ref().is_some_and(|article| holds(spec, &article.story))
            || latest.was.iter().any(|story| holds(spec, story))
    };
    let mut witnesses = Vec::new();
    for partner in &catalogue.partners {
        let feeds: Vec<_> = catalogue.feeds_of(partner);
        let feeds: Vec<_> = feeds.iter().filter(|spec| is_concerned(spec)).collect();
        if feeds.is_empty() {
            continue;
        }
        let deliveries = store.deliveries(&partner.name).await?;
        let mut holders: Vec<String> = store
            .tokens()
            .await?
            .into_iter()
            .filter(|token| token.partner == partner.name)
            .map(|token| token.holder)
            .collect();
        holders.sort();
        holders.dedup();
        let follows = deliveries.iter().any(|delivery| delivery.feed == CHANGES);
        let names = feeds.iter().map(|spec| ledger_name(spec));
        for feed in names.chain(follows.then(|| CHANGES.to_owned())) {
            for holder in &holders {
                let own = || deliveries.iter().filter(|d| d.feed == feed && d.holder == *holder);
                let seen = own().filter(|delivery| delivery.revision >= latest.revision);
                let last = own().max_by_key(|delivery| delivery.revision);
                witnesses.push(Witness {
                    partner: partner.name.to_string(),
                    holder: holder.clone(),
                    feed: feed.clone(),
                    seen: seen.map(|delivery| delivery.first).min(),
                    last: last.map(|delivery| (delivery.revision, delivery.last)),
                });
            }
        }
    }
    let Latest { id, revision, at, article, .. } = latest;
    Ok(Some(Testimony { id, revision, at, is_published: article.is_some(), witnesses }))
}

/// What the ledger calls a feed.
fn ledger_name(spec: &FeedSpec) -> String {
    match &spec.path {
        FeedPath::Partner(_, public) => public.to_string(),
        path @ (FeedPath::Named(_) | FeedPath::Category(_)) => path.to_string(),
    }
}

/// The newest state of a feed that each holder has.
fn newest(deliveries: &[Delivery], feed: &str) -> Vec<Delivery> {
    let mut newest: Vec<Delivery> = Vec::new();
    for delivery in deliveries.iter().filter(|delivery| delivery.feed == feed) {
        match newest.iter_mut().find(|known| known.holder == delivery.holder) {
            Some(known) if known.revision < delivery.revision => *known = delivery.clone(),
            Some(_) => {}
            None => newest.push(delivery.clone()),
        }
    }
    newest
}
