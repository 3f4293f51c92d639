//! What a source does not have any more.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    num::NonZeroU16,
};

use serde_json::Value;

use crate::{
    article::ArticleId,
    source::{
        SourceError,
        follow::Follower,
        holding::Turn,
        take::{Page, Presence, Round, key_text},
    },
};

/// Keys that are looked for at a time.
const SWEEP: NonZeroU16 = const { NonZeroU16::new(1_000).expect("it is not zero") };
/// So many may have gone, whatever their share is.
const FEW: u64 = 10;
/// More than so many at once are not believed to have gone.
const MAX_GONE: usize = 100_000;

/// How much of what goes is believed, and what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belief {
    /// As much as may well be: the articles are taken back.
    Some,
    /// All of it: somebody says so.
    All,
    /// Their keys are forgotten, and the articles stay.
    Forget,
}

/// Keys that have gone, each with the article that it held.
type Gone = Vec<(String, ArticleId)>;

impl Follower {
    /// Takes back what the source does not have any more, as far as that is believed.
    ///
    /// What it holds is gone through in the order of its names, a page at a time, and the source is asked which of the page
    /// it still has: neither side ever holds more than a page.
    pub(super) async fn sweep(
        &mut self,
        presence: &mut dyn Presence,
        belief: Belief,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        let begun = (self.clock)();
        let before = round.counts.withdrawn;
        let prefix = self.taker.names.keys();
        let mut after = prefix.clone();
        // Of an article that several keys hold, each is a part.
        let (mut gone, mut all, mut keys) = (Gone::new(), 0.0, 0);
        let mut counts = HashMap::new();
        loop {
            let page = self.taker.store.recall_after(&prefix, &after, SWEEP).await?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            let held = page.into_iter().filter_map(|(name, id)| {
                let key: Value = serde_json::from_str(&name[prefix.len()..]).ok()?;
                Some((name, key, ArticleId::new(&id)?))
            });
            let held: Vec<_> = held.collect();
            let asked = held.iter().map(|(_, key, _)| key.clone()).collect();
            let present: HashSet<String> = presence.present(asked).await?.into_iter().collect();
            let mut found = self.found(held.iter().map(|(name, _, id)| (name.clone(), id.clone())));
            self.taker.count(&mut found.holdings).await?;
            let share = |id: &ArticleId| {
                let count = u32::try_from(found.holdings.count(id)).unwrap_or(u32::MAX);
                1.0 / f64::from(count.max(1))
            };
            all += held.iter().map(|(_, _, id)| share(id)).sum::<f64>();
            let here: Gone = held
                .into_iter()
                .filter(|(_, key, _)| !present.contains(&key_text(key)))
                .map(|(name, _, id)| (name, id))
                .collect();
            keys += here.len();
            if belief != Belief::Some {
                self.forget(here, belief, round).await?;
            } else if gone.len() < MAX_GONE {
                let known = |(_, id): &(String, ArticleId)| (id.clone(), found.holdings.count(id));
                counts.extend(here.iter().map(known));
                gone.extend(here);
            }
        }
        self.state.swept = Some(begun);
        self.state.doubted = None;
        let lost = lost(&gone, &counts);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let all = f64::round(all) as u64;
        let is_most = lost > 0 && (lost >= all || (lost > FEW && lost * 2 > all));
        if belief == Belief::Some && (is_most || keys > MAX_GONE) {
            let lost = lost.max(u64::try_from(keys).unwrap_or(lost).min(all));
            (round.doubted, self.state.doubted) = (Some((lost, all)), Some((lost, all)));
            return Ok(());
        }
        for part in gone.chunks(usize::from(SWEEP.get())) {
            self.forget(part.to_vec(), belief, round).await?;
        }
        round.swept = round.counts.withdrawn - before;
        Ok(())
    }

    /// Keys that hold articles.
    fn found(&self, held: impl Iterator<Item = (String, ArticleId)>) -> Page {
        let mut page = Page::new(&self.taker.names);
        page.holdings.keys = held.collect();
        page
    }

    /// Forgets keys, and takes back what none holds any more.
    async fn forget(
        &mut self,
        gone: Gone,
        belief: Belief,
        round: &mut Round,
    ) -> Result<(), SourceError> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut page = self.found(gone.into_iter());
        let names: Vec<String> = page.holdings.keys.keys().cloned().collect();
        page.holdings.turns = names.into_iter().map(|name| (name, Turn::Away)).collect();
        page.holdings.withdraws = belief != Belief::Forget;
        self.taker.count(&mut page.holdings).await?;
        self.write(page, self.state.clone(), round).await
    }
}

/// How many articles no key would hold any more.
fn lost(gone: &Gone, counts: &HashMap<ArticleId, u64>) -> u64 {
    let mut of = BTreeMap::<&ArticleId, u64>::new();
    for (_, id) in gone {
        *of.entry(id).or_default() += 1;
    }
    let lost = of.iter().filter(|(id, gone)| counts.get(**id).is_none_or(|count| *gone >= count));
    lost.count() as u64
}
