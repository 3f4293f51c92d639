//! Where partners stand: what they have, what they have not fetched since, and who has seen a change.

use std::{collections::BTreeSet, num::NonZeroU16};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    article::{ArticleId, Cursor, Latest, Revision, Story},
    category::Slug,
    feed::{Catalogue, FeedPath, FeedSpec, Partner},
    store::{Delivery, Result, Store, Token},
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
    /// Whether a token of theirs is good.
    pub is_let_in: bool,
    /// The write with which the change came to them; `None`: the article waits until they get it, and there is nothing to see.
    pub revision: Option<Revision>,
    /// Whether they have fetched a state with the change, one way or another.
    pub has_seen: bool,
    /// Where they would see it, as far as they ever fetched anything there.
    pub channels: Vec<Channel>,
}

/// How far somebody has come with a feed, or with the changes.
#[derive(Clone, Debug, Serialize)]
pub struct Channel {
    /// The path of the feed as the public has it, or `changes`.
    pub feed: String,
    /// Whether the article breaks a hard rule of the partner's dialect, so that no state has it (see [`Testimony::hold_back`]).
    pub is_held_back: bool,
    /// When they first fetched a state with the change.
    pub seen: Option<DateTime<Utc>>,
    /// The newest state they have fetched.
    pub revision: Revision,
    /// When they last did.
    pub last: DateTime<Utc>,
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
    /// By partner and holder: those who are let in, and those who once were and have fetched where the article is or was.
    pub witnesses: Vec<Witness>,
}

impl Witness {
    /// Whether they can still be told of the change.
    pub fn is_owed(&self) -> bool {
        self.is_let_in && self.revision.is_some() && !self.has_seen
    }

    fn weigh(&mut self) {
        let shows = |channel: &Channel| channel.seen.is_some() && !channel.is_held_back;
        self.has_seen = self.channels.iter().any(shows);
    }
}

impl Testimony {
    /// Takes note that the article is held back from a partner's feed: its states do not show the change.
    pub fn hold_back(&mut self, partner: &Slug, spec: &FeedSpec) {
        let feed = ledger_name(spec);
        for witness in self.witnesses.iter_mut().filter(|one| one.partner == partner.as_str()) {
            for channel in witness.channels.iter_mut().filter(|channel| channel.feed == feed) {
                channel.is_held_back = true;
            }
            witness.weigh();
        }
    }
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
    now: DateTime<Utc>,
) -> Result<Option<Testimony>> {
    let Some(public) = store.last(id, 0).await? else { return Ok(None) };
    let tokens = store.tokens().await?;
    let mut witnesses = Vec::new();
    for partner in &catalogue.partners {
        let Some(own) = store.last(id, partner.shift_minutes).await? else { continue };
        let waits = partner.shift_minutes > 0 && own.article.is_none() && public.article.is_some();
        let article = own.article.as_ref().or(public.article.as_ref());
        let stories = || article.map(|article| &article.story).into_iter().chain(&own.was);
        let feeds = catalogue.feeds_of(partner);
        let concerned: Vec<_> = feeds
            .iter()
            .filter(|spec| stories().any(|story| story.is_selected(&spec.selection)))
            .map(|spec| ledger_name(spec))
            .collect();
        if concerned.is_empty() {
            continue;
        }
        let channels: Vec<_> = concerned.into_iter().chain([CHANGES.to_owned()]).collect();
        let mut deliveries = store.deliveries(&partner.name).await?;
        deliveries.retain(|delivery| channels.contains(&delivery.feed));
        let is_good = |token: &&Token| {
            token.partner == partner.name && token.ends.is_none_or(|ends| ends > now)
        };
        let let_in: BTreeSet<_> =
            tokens.iter().filter(is_good).map(|token| &token.holder).collect();
        let fetched = deliveries.iter().map(|delivery| &delivery.holder);
        let holders: BTreeSet<_> = let_in.iter().copied().chain(fetched).collect();
        let revision = (!waits).then_some(own.revision);
        for holder in holders {
            let channels = channels.iter().filter_map(|feed| {
                let theirs =
                    |delivery: &&Delivery| (&delivery.feed, &delivery.holder) == (feed, holder);
                channel(deliveries.iter().filter(theirs), revision)
            });
            let mut witness = Witness {
                partner: partner.name.to_string(),
                holder: holder.clone(),
                is_let_in: let_in.contains(holder),
                revision,
                has_seen: false,
                channels: channels.collect(),
            };
            witness.weigh();
            witnesses.push(witness);
        }
    }
    let Latest { id, revision, at, article, .. } = public;
    Ok(Some(Testimony { id, revision, at, is_published: article.is_some(), witnesses }))
}

/// How far somebody has come, of whom these are all the deliveries there; `None` for one who never fetched.
fn channel<'d>(
    deliveries: impl Iterator<Item = &'d Delivery> + Clone,
    change: Option<Revision>,
) -> Option<Channel> {
    let newest = deliveries.clone().max_by_key(|delivery| delivery.revision)?;
    let shows = |delivery: &&Delivery| change.is_some_and(|change| delivery.revision >= change);
    Some(Channel {
        feed: newest.feed.clone(),
        is_held_back: false,
        seen: deliveries.filter(shows).map(|delivery| delivery.first).min(),
        revision: newest.revision,
        last: newest.last,
    })
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
