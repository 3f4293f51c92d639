//! What every store does with what is pushed: the same over each engine.

use std::{collections::BTreeSet, num::NonZeroU16, sync::Arc};

use courant::{
    article::{ArticleId, Cursor, Origin, Revision, Story, Submission, When, Window},
    category::{Category, Facet, Selection, Slug},
    store::{
        Effect, Effects, Fate, Grant, Key, Operation, Outcome, Precondition, Push, Pushed, Refused,
        State, Store, Task, Versions,
    },
    text::Text,
};

use crate::fixtures::{Home, at};

crate::cases![
    a_precondition_is_held_against_the_article_as_it_is,
    a_key_is_answered_as_before_and_for_a_day,
    all_or_none_are_taken,
    what_was_withdrawn_for_the_time_being_comes_back,
    a_token_reaches_no_further_than_its_categories,
    articles_are_listed_by_their_last_change,
    tokens_are_known_until_they_are_revoked,
    one_of_many_writers_wins,
];

fn id(id: &str) -> ArticleId {
    ArticleId::new(id).unwrap()
}

fn slug(name: &str) -> Slug {
    name.parse().unwrap()
}

fn submission(name: &str, title: &str, category: &str) -> Submission {
    Submission {
        id: id(name),
        guid: None,
        published: Some(When::exactly(at(0))),
        modified: None,
        embargo: None,
        expires: None,
        is_significant: None,
        story: Story {
            title: Text::new(title),
            categories: vec![Category::from_label(category).unwrap()],
            ..Story::default()
        },
        origin: Origin::default(),
    }
}

fn put(name: &str, title: &str) -> Operation {
    Operation::Put(Box::new(submission(name, title, "news")))
}

fn withdraw(name: &str, is_kept: bool) -> Operation {
    Operation::Withdraw { id: id(name), is_kept }
}

fn only_at(revision: u64) -> Precondition {
    Precondition { is: Some(Versions::Of(vec![Revision(revision)])), is_not: None }
}

fn push(tasks: impl IntoIterator<Item = (Operation, Precondition)>) -> Push {
    let task = |(operation, precondition)| Task { operation, precondition };
    Push {
        tasks: tasks.into_iter().map(task).collect(),
        is_atomic: false,
        republish: false,
        within: None,
        key: None,
        answer: Box::new(|effects: &Effects| format!("at {}", effects.head)),
    }
}

fn always(operations: impl IntoIterator<Item = Operation>) -> Push {
    push(operations.into_iter().map(|operation| (operation, Precondition::default())))
}

async fn done(store: &dyn Store, push: Push, seconds: i64) -> Effects {
    match store.push(push, at(seconds)).await.unwrap() {
        Pushed::Done(effects) => effects,
        other => panic!("{other:?}"),
    }
}

/// What became of the one task.
async fn one(store: &dyn Store, push: Push, seconds: i64) -> (Fate, Option<u64>) {
    let effects = done(store, push, seconds).await;
    let [Effect { fate, revision, .. }] = &effects.each[..] else { panic!("{effects:?}") };
    (fate.clone(), revision.map(|revision| revision.0))
}

async fn title(store: &dyn Store, name: &str) -> String {
    let stored = store.stored(&id(name)).await.unwrap();
    stored.map(|stored| stored.story.title.to_string()).unwrap_or_default()
}

async fn a_precondition_is_held_against_the_article_as_it_is(home: Home) {
    let store = &*home.store;
    let new = Precondition { is: None, is_not: Some(Versions::Any) };
    let effects = done(store, push([(put("a", "One"), new.clone())]), 1).await;
    assert_eq!(effects.head, Revision(1));
    assert!(effects.each[0].is_new && effects.each[0].fate == Fate::Taken(Outcome::Published));
    let refused = Fate::Refused(Refused::Precondition);
    assert_eq!(one(store, push([(put("a", "Two"), new)]), 2).await, (refused.clone(), Some(1)));
    assert_eq!(
        one(store, push([(put("a", "Two"), only_at(7))]), 2).await,
        (refused.clone(), Some(1))
    );
    assert_eq!(one(store, push([(put("b", "B"), only_at(1))]), 2).await, (refused.clone(), None));
    assert_eq!(store.head().await.unwrap(), Revision(1));
    let taken = one(store, push([(put("a", "Two"), only_at(1))]), 2).await;
    assert_eq!(taken, (Fate::Taken(Outcome::Corrected), Some(2)));
    let same = one(store, push([(put("a", "Two"), only_at(2))]), 3).await;
    assert_eq!(same, (Fate::Taken(Outcome::Unchanged), Some(2)));
    assert_eq!(store.head().await.unwrap(), Revision(2), "nothing new is no write");
    assert_eq!(
        one(store, push([(withdraw("a", false), only_at(1))]), 3).await,
        (refused.clone(), Some(2))
    );
    assert_eq!(
        one(store, push([(withdraw("a", false), only_at(2))]), 3).await,
        (Fate::Withdrawn, Some(3))
    );
    assert_eq!(
        one(store, always([withdraw("a", false)]), 3).await,
        (Fate::WithdrawnBefore, Some(3))
    );
    assert_eq!(
        one(store, always([withdraw("b", false)]), 3).await.0,
        Fate::Refused(Refused::Unknown)
    );
    // What is withdrawn is in no state that could be named.
    assert_eq!(one(store, push([(put("a", "Three"), only_at(3))]), 4).await.0, refused);
    assert_eq!(one(store, always([put("a", "Three")]), 4).await.0, Fate::Refused(Refused::Retired));
    let again = Push { republish: true, ..always([put("a", "Three")]) };
    assert_eq!(one(store, again, 4).await, (Fate::Taken(Outcome::Published), Some(4)));
    // Within a batch, each sees what the ones before it did.
    let twice = push([(put("c", "C"), Precondition::default()), (put("c", "C2"), only_at(5))]);
    let effects = done(store, twice, 5).await;
    assert!(effects.each.iter().all(|effect| effect.fate.is_done()), "{effects:?}");
    assert_eq!((effects.head, title(store, "c").await.as_str()), (Revision(5), "C2"));
}

async fn a_key_is_answered_as_before_and_for_a_day(home: Home) {
    let store = &*home.store;
    let keyed = |key: &str, print: &str, push: Push| {
        let key = Key { owner: slug("cms"), key: key.to_owned(), fingerprint: print.to_owned() };
        Push { key: Some(key), ..push }
    };
    let before = store.head().await.unwrap();
    let effects = done(store, keyed("k", "1", always([put("k", "K")])), 10).await;
    let answer = format!("at {}", effects.head);
    assert!(effects.head > before);
    done(store, always([put("k", "K2")]), 11).await;
    for seconds in [12, 80_000] {
        let again = keyed("k", "1", push([(put("k", "K"), only_at(9_999))]));
        assert_eq!(store.push(again, at(seconds)).await.unwrap(), Pushed::Before(answer.clone()));
    }
    let other = keyed("k", "2", always([put("k", "K3")]));
    assert_eq!(store.push(other, at(12)).await.unwrap(), Pushed::KeyTaken);
    assert_eq!(title(store, "k").await, "K2");
    // An answer is kept also where nothing new was said, and none where nothing was done.
    let head = store.head().await.unwrap();
    done(store, keyed("same", "1", always([put("k", "K2")])), 13).await;
    assert_eq!(store.head().await.unwrap(), head);
    let again = keyed("same", "1", always([put("k", "K2")]));
    assert_eq!(store.push(again, at(14)).await.unwrap(), Pushed::Before(format!("at {head}")));
    let refused = keyed("refused", "1", push([(put("k", "K4"), only_at(1))]));
    assert_eq!(one(store, refused, 15).await.0, Fate::Refused(Refused::Precondition));
    done(store, keyed("refused", "2", always([put("k", "K4")])), 16).await;
    assert_eq!(title(store, "k").await, "K4");
    done(store, keyed("k", "2", always([put("k", "K5")])), 86_500).await;
    assert_eq!(title(store, "k").await, "K5", "after a day a key is free");
}

async fn all_or_none_are_taken(home: Home) {
    let store = &*home.store;
    done(store, always([put("k", "K1")]), 1).await;
    done(store, always([put("k", "K")]), 2).await;
    let head = store.head().await.unwrap();
    let all = |tasks: Vec<(Operation, Precondition)>| Push { is_atomic: true, ..push(tasks) };
    let effects = done(
        store,
        all(vec![(put("x", "X"), Precondition::default()), (put("k", "K"), only_at(1))]),
        86_501,
    )
    .await;
    let fates: Vec<_> = effects.each.iter().map(|effect| effect.fate.clone()).collect();
    assert_eq!(fates, [Refused::Undone, Refused::Precondition].map(Fate::Refused));
    assert_eq!((effects.head, store.head().await.unwrap()), (head, head));
    assert_eq!(store.stored(&id("x")).await.unwrap(), None);
    let both = all(vec![
        (put("x", "X"), Precondition::default()),
        (put("y", "Y"), Precondition::default()),
    ]);
    let effects = done(store, both, 86_502).await;
    assert_eq!(effects.head, Revision(head.0 + 1));
}

async fn what_was_withdrawn_for_the_time_being_comes_back(home: Home) {
    let store = &*home.store;
    let mut draft = submission("bin", "Kept", "rare");
    draft.embargo = Some(at(1_000_000));
    done(store, always([Operation::Put(Box::new(draft))]), 86_510).await;
    let first = store.stored(&id("bin")).await.unwrap().unwrap();
    let restore = || always([Operation::Restore(id("bin"))]);
    let there = one(store, restore(), 86_510).await;
    assert_eq!(there.0, Fate::Taken(Outcome::Unchanged));
    done(store, always([withdraw("bin", true)]), 86_511).await;
    assert_eq!(title(store, "bin").await, "");
    assert_eq!(one(store, restore(), 86_512).await.0, Fate::Taken(Outcome::Held));
    let back = store.stored(&id("bin")).await.unwrap().unwrap();
    assert_eq!((&back.story, back.due, &back.guid), (&first.story, first.due, &first.guid));
    done(store, always([Operation::Put(Box::new(submission("bin", "Kept", "rare")))]), 86_513)
        .await;
    done(store, always([withdraw("bin", true)]), 86_514).await;
    done(store, restore(), 86_515).await;
    let selection = Selection { any_of: [slug("rare")].into(), ..Selection::default() };
    let facets = [Facet::category(&slug("rare"))];
    let found = store.snapshot(&facets, &selection, Window::default()).await;
    assert_eq!(found.unwrap().articles.len(), 1);
    // Whatever takes it back for good empties the bin.
    for nth in 0..3 {
        done(store, always([withdraw("bin", true)]), 86_520 + nth).await;
        match nth {
            0 => drop(store.withdraw(vec![id("bin")], at(86_530)).await.unwrap()),
            1 => drop(done(store, always([withdraw("bin", false)]), 86_530).await),
            _ => {}
        }
        let late = if nth == 2 { 86_530 + 31 * 86_400 } else { 86_531 };
        assert_eq!(one(store, restore(), late).await.0, Fate::Refused(Refused::Forgotten), "{nth}");
        let again = Push {
            republish: true,
            ..always([Operation::Put(Box::new(submission("bin", "Kept", "rare")))])
        };
        done(store, again, 86_532).await;
    }
    assert_eq!(
        one(store, always([Operation::Restore(id("nobody"))]), 1).await.0,
        Fate::Refused(Refused::Unknown)
    );
}

async fn a_token_reaches_no_further_than_its_categories(home: Home) {
    let store = &*home.store;
    let within: BTreeSet<_> = [slug("sport")].into();
    let limited = |operation| Push { within: Some(within.clone()), ..always([operation]) };
    done(store, always([put("k", "K")]), 1).await;
    let sport = || Operation::Put(Box::new(submission("s", "S", "sport")));
    assert!(one(store, limited(sport()), 100).await.0.is_done());
    let refused = (Fate::Refused(Refused::OutOfScope), None);
    assert_eq!(one(store, limited(put("s", "S")), 100).await, refused, "filed elsewhere");
    // What is not theirs to see is, for all they are told, not there.
    let unknown = (Fate::Refused(Refused::Unknown), None);
    assert_eq!(one(store, limited(withdraw("k", false)), 100).await, unknown);
    let conditional =
        Push { within: Some(within.clone()), ..push([(withdraw("k", false), only_at(1))]) };
    assert_eq!(one(store, conditional, 100).await, (Fate::Refused(Refused::Precondition), None));
    let over = Operation::Put(Box::new(submission("k", "S", "sport")));
    assert_eq!(one(store, limited(over), 100).await, refused, "written over");
    assert_eq!(one(store, limited(withdraw("s", true)), 100).await.0, Fate::Withdrawn);
    assert!(one(store, limited(Operation::Restore(id("s"))), 100).await.0.is_done());
    done(store, always([withdraw("k", true)]), 100).await;
    assert_eq!(one(store, limited(Operation::Restore(id("k"))), 100).await, unknown);
    assert_eq!(one(store, limited(withdraw("k", false)), 100).await, unknown);
    let again = Operation::Put(Box::new(submission("k", "S", "sport")));
    let again = Push { republish: true, ..limited(again) };
    assert_eq!(one(store, again, 100).await, refused, "of which category it was, nobody knows");
    done(store, always([Operation::Restore(id("k"))]), 100).await;
}

async fn articles_are_listed_by_their_last_change(home: Home) {
    let store = &*home.store;
    done(store, always((0..7).map(|n| put(&format!("n-{n}"), "N"))), 200).await;
    let (mut before, mut seen) = (None, Vec::new());
    for _ in 0..50 {
        let page = store.inventory(before, NonZeroU16::new(3).unwrap()).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(Cursor { revision: last.revision, article: Some(last.id.clone()) });
        assert!(page.iter().all(|stored| stored.state != State::Withdrawn));
        seen.extend(page.into_iter().map(|stored| (stored.revision, stored.id)));
    }
    assert!(seen.is_sorted_by(|a, b| a > b), "last change first, each once: {seen:?}");
    let census = store.census().await.unwrap();
    assert_eq!(i64::try_from(seen.len()).unwrap(), census.published + census.held + census.expired);
    let edited = store.stored(&id("n-0")).await.unwrap().unwrap().edited;
    assert!(edited >= at(200));
}

async fn tokens_are_known_until_they_are_revoked(home: Home) {
    let store = &*home.store;
    let grant = |digest: &str, name: &str, ends| Grant {
        digest: digest.to_owned(),
        name: slug(name),
        scopes: "read write".to_owned(),
        created: at(0),
        ends,
    };
    let grants = [grant("1", "a", None), grant("2", "a", Some(at(5))), grant("3", "b", None)];
    for grant in grants.clone() {
        store.grant(grant).await.unwrap();
    }
    let mut known = store.grants().await.unwrap();
    known.sort_by(|a, b| a.digest.cmp(&b.digest));
    assert_eq!(known, grants);
    assert_eq!(store.retract(&slug("a"), at(6)).await.unwrap(), 1);
    assert_eq!(store.retract(&slug("a"), at(6)).await.unwrap(), 0);
    assert_eq!(store.grants().await.unwrap(), grants[2..]);
}

async fn one_of_many_writers_wins(home: Home) {
    let store = Arc::clone(&home.store);
    done(&*store, always([put("race", "start")]), 300).await;
    for round in 0..10 {
        let base = store.stored(&id("race")).await.unwrap().unwrap().revision.0;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                let title = format!("{round}/{writer}");
                let push = push([(put("race", &title), only_at(base))]);
                (title, one(&*store, push, 301).await)
            });
        }
        let told = writers.join_all().await;
        let (won, lost): (Vec<_>, Vec<_>) =
            told.into_iter().partition(|(_, (fate, _))| fate.is_done());
        let [(winner, (_, revision))] = &won[..] else { panic!("round {round}: {won:?} won") };
        let refused = Fate::Refused(Refused::Precondition);
        assert!(lost.iter().all(|(_, told)| *told == (refused.clone(), *revision)), "{lost:?}");
        assert_eq!(title(&*store, "race").await, *winner);
    }
}
