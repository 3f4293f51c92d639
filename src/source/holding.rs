//! Which articles a source holds, and by which of its keys. No I/O: it is remembered in the store.
//!
//! An article may go from one key to another: a file is renamed, a newer version takes the place of an older one, another
//! column becomes the key. It is taken back when none holds it any more, and what a source took back itself may come again.

use std::collections::{BTreeMap, HashMap};

use crate::{
    article::ArticleId,
    category::Slug,
    store::{Done, Entries, Outcome},
};

/// What became of an article of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// So many keys hold it.
    By(u64),
    /// None does, and the source took it back.
    Gone,
}

impl Hold {
    pub(super) fn read(value: &str) -> Option<Self> {
        if value == GONE { Some(Self::Gone) } else { value.parse().ok().map(Self::By) }
    }
}

/// As [`Hold::Gone`] is remembered.
const GONE: &str = "gone";

/// Names under which a source remembers.
#[derive(Clone, Debug)]
pub(super) struct Names {
    source: Slug,
}

impl Names {
    pub(super) fn new(source: &Slug) -> Self {
        Self { source: source.clone() }
    }

    /// Where it stands.
    pub(super) fn state(&self) -> String {
        format!("source/{}/state", self.source)
    }

    /// Who follows it.
    pub(super) fn lease(&self) -> String {
        format!("source/{}/lease", self.source)
    }

    /// Keys come after this.
    pub(super) fn keys(&self) -> String {
        format!("source/{}/held/", self.source)
    }

    /// The article that a key holds.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{}{key}", self.keys())
    }

    /// How many keys hold an article.
    pub(super) fn article(&self, id: &ArticleId) -> String {
        format!("source/{}/article/{id}", self.source)
    }
}

/// What a key holds from now on.
#[derive(Debug)]
pub(super) enum Turn {
    /// The article that is the so many-th of the batch, if that is taken.
    To(ArticleId, usize),
    /// None.
    Away,
}

/// What some keys hold, and what they will.
#[derive(Debug)]
pub(super) struct Holdings {
    pub(super) names: Names,
    /// The articles that keys hold, each by the name that it is remembered under.
    pub(super) keys: HashMap<String, ArticleId>,
    /// Of all articles that a turn is about.
    pub(super) articles: HashMap<ArticleId, Hold>,
    /// In their order, by the same names.
    pub(super) turns: Vec<(String, Turn)>,
    /// Whether what no key holds any more is taken back.
    pub(super) withdraws: bool,
}

/// What keys hold afterwards, and by how many each article is held.
struct Settled<'a> {
    keys: BTreeMap<&'a str, Option<&'a ArticleId>>,
    articles: BTreeMap<&'a ArticleId, u64>,
}

impl Settled<'_> {
    fn gone(&self) -> impl Iterator<Item = &ArticleId> {
        self.articles.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id)
    }
}

impl Holdings {
    pub(super) fn new(names: &Names) -> Self {
        Self {
            names: names.clone(),
            keys: HashMap::new(),
            articles: HashMap::new(),
            turns: Vec::new(),
            withdraws: true,
        }
    }

    /// Whether the source itself took an article back.
    pub(super) fn took_back(&self, id: &ArticleId) -> bool {
        self.articles.get(id) == Some(&Hold::Gone)
    }

    /// How many keys hold an article.
    pub(super) fn count(&self, id: &ArticleId) -> u64 {
        match self.articles.get(id) {
            Some(Hold::By(count)) => *count,
            Some(Hold::Gone) | None => 0,
        }
    }

    fn settle(&self, taken: &[Outcome]) -> Settled<'_> {
        let (mut keys, mut articles) = (BTreeMap::<&str, _>::new(), BTreeMap::new());
        for (name, turn) in &self.turns {
            let before = keys.get(name.as_str()).copied().unwrap_or_else(|| self.keys.get(name));
            let after = match turn {
                // What was refused changes nothing.
                Turn::To(id, nth)
                    if taken.get(*nth).is_some_and(|outcome| outcome.refusal(id).is_some()) =>
                {
                    continue;
                }
                Turn::To(id, _) => Some(id),
                Turn::Away => None,
            };
            if before == after {
                continue;
            }
            if let Some(id) = before {
                let count = articles.entry(id).or_insert_with(|| self.count(id));
                *count = u64::saturating_sub(*count, 1);
            }
            if let Some(id) = after {
                *articles.entry(id).or_insert_with(|| self.count(id)) += 1;
            }
            keys.insert(name, after);
        }
        Settled { keys, articles }
    }

    /// What is taken back, once it is known what became of the batch.
    pub(super) fn withdrawals(&self, taken: &[Outcome]) -> Vec<ArticleId> {
        if !self.withdraws {
            return Vec::new();
        }
        self.settle(taken).gone().cloned().collect()
    }

    /// What is remembered afterwards.
    pub(super) fn entries(&self, Done { taken, withdrawn }: &Done) -> Entries {
        let settled = self.settle(taken);
        // What was away already, somebody else took back: it is not for the source to bring it again.
        let took_back: HashMap<_, _> = settled.gone().zip(withdrawn).collect();
        let keys = settled.keys.iter();
        let keys = keys.map(|(name, id)| ((*name).to_owned(), id.map(ToString::to_string)));
        let articles = settled.articles.iter().map(|(id, count)| {
            let value = match (count, took_back.get(id)) {
                (0, Some(Some(Outcome::Retired))) => Some(GONE.to_owned()),
                (0, _) => None,
                (count, _) => Some(count.to_string()),
            };
            (self.names.article(id), value)
        });
        keys.chain(articles).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: &str) -> ArticleId {
        ArticleId::new(id).unwrap()
    }

    /// Keys as they are, turns, and the outcome of each of the batch; what is taken back, and what is remembered.
    fn check(
        keys: &[(&str, &str)],
        turns: &[(&str, Option<&str>)],
        refused: Option<usize>,
        (gone, entries): (&[&str], &[(&str, Option<&str>)]),
    ) {
        let names = Names::new(&"s".parse().unwrap());
        let mut holdings = Holdings::new(&names);
        for (key, article) in keys {
            holdings.keys.insert(names.key(key), id(article));
            let count = holdings.count(&id(article)) + 1;
            holdings.articles.insert(id(article), Hold::By(count));
        }
        for (nth, (key, article)) in turns.iter().enumerate() {
            let turn = article.map_or(Turn::Away, |article| Turn::To(id(article), nth));
            holdings.turns.push((names.key(key), turn));
        }
        let by = id("other");
        let outcome = |nth| match refused {
            Some(refused) if refused == nth => Outcome::GuidTaken { by: by.clone() },
            _ => Outcome::Published,
        };
        let taken: Vec<_> = (0..turns.len()).map(outcome).collect();
        let withdrawn = holdings.withdrawals(&taken);
        assert_eq!(withdrawn, gone.iter().map(|one| id(one)).collect::<Vec<_>>(), "{turns:?}");
        let withdrawn = vec![Some(Outcome::Retired); withdrawn.len()];
        let mut found = holdings.entries(&Done { taken, withdrawn });
        for (name, _) in &mut found {
            *name = name.trim_start_matches("source/s/").to_owned();
        }
        let own =
            |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
        assert_eq!(found, entries.iter().map(own).collect::<Vec<_>>(), "{turns:?}");
    }

    #[test]
    fn an_article_goes_when_its_last_key_does() {
        let (a, gone) = (Some("a"), Some("gone"));
        check(
            &[("1", "a")],
            &[("1", None)],
            None,
            (&["a"], &[("held/1", None), ("article/a", gone)]),
        );
        // It has another key by now, in either order.
        let moved = [("held/1", None), ("held/2", a), ("article/a", Some("1"))];
        check(&[("1", "a")], &[("1", None), ("2", a)], None, (&[], &moved));
        check(&[("1", "a")], &[("2", a), ("1", None)], None, (&[], &moved));
        let left = [("held/1", None), ("article/a", Some("1"))];
        check(&[("1", "a"), ("2", "a")], &[("1", None)], None, (&[], &left));
        // All of a file moves on by one.
        let pushed = [
            ("held/0", Some("n")),
            ("held/1", a),
            ("held/2", Some("b")),
            ("article/a", Some("1")),
            ("article/b", Some("1")),
            ("article/n", Some("1")),
        ];
        let turns = [("0", Some("n")), ("1", a), ("2", Some("b"))];
        check(&[("0", "a"), ("1", "b")], &turns, None, (&[], &pushed));
    }

    #[test]
    fn what_is_refused_leaves_its_key_as_it_was() {
        check(&[("1", "a")], &[("1", Some("b"))], Some(0), (&[], &[]));
    }
}
