//! What every store keeps to, whatever is behind it.

use std::{collections::BTreeSet, num::NonZeroU16, sync::Arc};

use courant::{
    article::{
        Adoption, Article, ArticleId, ChangeKind, Precision, Revision, Snapshot, Span, Submission,
        When, Window,
    },
    category::{Category, Facet, Selection, Slug},
    store::{Done, Entries, Fence, Fenced, Intake, Outcome, Plan, SUSPECT_UNTIL, Store},
    text::Text,
};

use crate::fixtures::{Home, at, submission};

fn slug(slug: &str) -> Slug {
    slug.parse().unwrap()
}

fn of(category: &str) -> Selection {
    Selection { any_of: [slug(category)].into(), ..Selection::default() }
}

async fn snapshot(store: &dyn Store, selection: &Selection) -> Snapshot {
    store.snapshot(&selection.facets(), selection, Window::default()).await.unwrap()
}

async fn ids(store: &dyn Store, selection: &Selection) -> Vec<String> {
    snapshot(store, selection).await.articles.iter().map(|article| article.id.to_string()).collect()
}

async fn article(home: &Home, id: &str) -> Article {
    let all = snapshot(&*home.store, &Selection::default()).await;
    all.articles.iter().find(|article| article.id.as_str() == id).unwrap().as_ref().clone()
}

async fn kinds(home: &Home) -> Vec<(u64, String, ChangeKind)> {
    let limit = NonZeroU16::new(1_000).unwrap();
    let log = home.store.log(Revision(0), limit).await.unwrap();
    log.into_iter()
        .map(|change| (change.revision.0, change.article.to_string(), change.kind))
        .collect()
}

fn outcome(receipt: &courant::store::Receipt) -> &Outcome {
    &receipt.outcomes[0]
}

pub(crate) async fn a_batch_is_one_revision_newest_first(home: Home) {
    let receipt =
        home.publish(vec![submission("a", 0), submission("c", 9), submission("b", 9)], 10).await;
    assert_eq!(receipt.revision, Revision(1));
    assert_eq!(ids(&*home.store, &of("news")).await, ["b", "c", "a"]);
    assert_eq!(snapshot(&*home.store, &of("news")).await.mark.changed, at(10));
    assert_eq!(kinds(&home).await.len(), 3);
}

pub(crate) async fn a_record_that_says_nothing_new_is_no_write(home: Home) {
    home.publish(vec![submission("a", 0)], 1).await;
    let again = home.publish(vec![submission("a", 0)], 2).await;
    assert_eq!((again.revision, outcome(&again)), (Revision(1), &Outcome::Unchanged));
    assert_eq!(snapshot(&*home.store, &of("news")).await.mark.changed, at(1));
}

pub(crate) async fn identity_and_publication_never_change(home: Home) {
    home.publish(vec![submission("a", 0)], 1).await;
    let before = article(&home, "a").await;
    assert_eq!(before.guid.as_str(), "tag:example.com,2026:article/a");
    let mut edit = submission("a", 500);
    edit.story.title = Text::new("Another title");
    edit.story.url = Some("https://elsewhere.example.org/".parse().unwrap());
    home.publish(vec![edit], 2).await;
    let after = article(&home, "a").await;
    assert_eq!((&after.guid, after.published), (&before.guid, before.published));
    assert_eq!(after.story.title.as_str(), "Another title");
}

pub(crate) async fn an_imported_guid_is_kept_and_belongs_to_one_article(home: Home) {
    let with = |id: &str| Submission {
        guid: Some(Text::new("https://old.example.com/?p=7")),
        ..submission(id, 0)
    };
    home.publish(vec![with("a")], 1).await;
    assert_eq!(article(&home, "a").await.guid.as_str(), "https://old.example.com/?p=7");
    let receipt = home.publish(vec![with("b"), submission("c", 0)], 2).await;
    assert_eq!(
        receipt.outcomes,
        [Outcome::GuidTaken { by: ArticleId::new("a").unwrap() }, Outcome::Published]
    );
}

pub(crate) async fn a_record_with_another_guid_is_another_article(home: Home) {
    let with =
        |id: &str, guid: &str| Submission { guid: Some(Text::new(guid)), ..submission(id, 0) };
    home.publish(vec![with("7", "https://one.example.org/?p=7"), submission("8", 1)], 1).await;
    let before = (article(&home, "7").await, article(&home, "8").await);
    let mut other = with("7", "https://two.example.org/?p=7");
    other.story.title = Text::new("Of another site");
    let receipt = home.publish(vec![other, with("8", "https://two.example.org/?p=8")], 2).await;
    let refused = |given: &str, stored: &str| Outcome::OtherGuid {
        given: Text::new(given),
        stored: Text::new(stored),
    };
    let minted = "tag:example.com,2026:article/8";
    let expected = [
        refused("https://two.example.org/?p=7", "https://one.example.org/?p=7"),
        refused("https://two.example.org/?p=8", minted),
    ];
    assert_eq!((receipt.revision, receipt.outcomes), (Revision(1), expected.to_vec()));
    assert_eq!((article(&home, "7").await, article(&home, "8").await), before);
    // The one that it has, or none, is the same article.
    let receipt = home.publish(vec![with("8", minted), submission("7", 0)], 3).await;
    assert_eq!(receipt.outcomes, [Outcome::Unchanged, Outcome::Unchanged]);
    // A withdrawn article keeps its key.
    home.store.withdraw(vec![ArticleId::new("7").unwrap()], at(4)).await.unwrap();
    let again = Intake { republish: true, ..Intake::default() };
    let batch = vec![with("7", "https://two.example.org/?p=7")];
    let receipt = home.store.upsert(batch, again, at(5)).await.unwrap();
    assert!(matches!(outcome(&receipt), Outcome::OtherGuid { .. }));
}

pub(crate) async fn a_record_of_an_adopted_article_goes_on_to_be_that_article(home: Home) {
    let mut record = submission("7", 0);
    record.guid = Some(Text::new("https://new.example.org/?p=7"));
    home.publish(vec![record.clone()], 1).await;
    let known = article(&home, "7").await;
    let old = adoption("7", known.revision, "https://old.example.org/?p=7", 0, known.story);
    home.store.adopt(vec![old], at(2)).await.unwrap();
    record.story.title = Text::new("Edited");
    let receipt = home.publish(vec![record], 3).await;
    assert_eq!(receipt.outcomes, [Outcome::Corrected]);
    assert_eq!(article(&home, "7").await.guid.as_str(), "https://old.example.org/?p=7");
}

pub(crate) async fn a_minted_guid_is_accepted_for_its_own_article_alone(home: Home) {
    let minted = |id: &str| format!("tag:example.com,2026:article/{id}");
    let with =
        |id: &str, guid: &str| Submission { guid: Some(Text::new(guid)), ..submission(id, 0) };
    let batch = vec![
        with("squatter", &minted("future")),
        with("squatter", "tag:example.com,2026:guid/t3_abc"),
        with("a", &minted("a")),
        with("elsewhere", "tag:example.org,2026:article/future"),
        submission("future", 1),
    ];
    let receipt = home.publish(batch, 1).await;
    let (reserved, published) = (Outcome::GuidReserved, Outcome::Published);
    let expected =
        [reserved.clone(), reserved, published.clone(), published.clone(), published.clone()];
    assert_eq!(receipt.outcomes, expected);
    assert_eq!(article(&home, "future").await.guid.as_str(), minted("future"));
    // From a source of the publisher's own, another key may have it.
    let mut own = with("own:9", &minted("9"));
    own.origin.is_own = true;
    let receipt = home.publish(vec![own, submission("9", 2)], 2).await;
    let by = ArticleId::new("own:9").unwrap();
    assert_eq!(receipt.outcomes, [published, Outcome::GuidTaken { by }]);
}

/// Guids that were claimed before they were reserved: each article holds the one that is minted for the next.
pub(crate) async fn claimed_guids_go_back_to_their_articles(
    home: Home,
    claim: impl AsyncFn(&str, &str),
) {
    let minted = |id: &str| format!("tag:example.com,2026:article/{id}");
    home.publish(vec![submission("one", 0), submission("two", 1), submission("gone", 2)], 1).await;
    claim("one", &minted("future")).await;
    claim("two", &minted("one")).await;
    claim("gone", &minted("later")).await;
    home.store.withdraw(vec![ArticleId::new("gone").unwrap()], at(2)).await.unwrap();
    let receipt = home.publish(vec![submission("future", 3), submission("later", 4)], 10).await;
    assert_eq!(receipt.outcomes, [Outcome::Published, Outcome::Published]);
    for id in ["future", "later", "one", "two"] {
        assert_eq!(article(&home, id).await.guid.as_str(), minted(id), "{id}");
    }
    // The claimant stays the article that it was, by the guid that it comes with.
    let again = Submission { guid: Some(Text::new(&minted("future"))), ..submission("one", 0) };
    let receipt = home.publish(vec![again], 11).await;
    assert_eq!(receipt.outcomes, [Outcome::Unchanged]);
    // What was adopted is no claim: readers know it.
    let known = article(&home, "two").await;
    let old = adoption("two", known.revision, &minted("third"), 1, known.story);
    home.store.adopt(vec![old], at(12)).await.unwrap();
    let receipt = home.publish(vec![submission("third", 5)], 13).await;
    let by = ArticleId::new("two").unwrap();
    assert_eq!(receipt.outcomes, [Outcome::GuidTaken { by }]);
}

pub(crate) async fn records_of_two_folders_with_one_name_are_two_articles(home: Home) {
    let of = |folder: &str, title: &str| {
        let mut new = submission("1", 0);
        new.story.title = Text::new(title);
        new.origin.folder = Some(Text::new(folder));
        new
    };
    let one = home.publish(vec![of("/one", "Library opens")], 1).await;
    assert_eq!(one.outcomes, [Outcome::Published]);
    let two = home.publish(vec![of("/two", "Bridge closed")], 2).await;
    let expected =
        Outcome::OtherFile { title: Text::new("Library opens"), folder: Some(Text::new("/one")) };
    assert_eq!(two.outcomes, [expected]);
    assert_eq!(article(&home, "1").await.story.title.as_str(), "Library opens");
    // In its own folder it may become anything; a folder that was moved has the same articles.
    let edited = home.publish(vec![of("/one", "Library opens on Saturday")], 3).await;
    assert_eq!(edited.outcomes, [Outcome::Corrected]);
    let moved = home.publish(vec![of("/moved", "Library opens on Saturday")], 4).await;
    assert_eq!((moved.revision, moved.outcomes), (edited.revision, vec![Outcome::Unchanged]));
    let there = home.publish(vec![of("/moved", "Library is open")], 5).await;
    assert_eq!(there.outcomes, [Outcome::Corrected]);
}

pub(crate) async fn cleaning_by_newer_rules_changes_no_date(home: Home) {
    let cleaned = |text: &str, version| {
        let mut new = submission("a", 0);
        new.is_significant = Some(true);
        new.modified = Some(at(10));
        new.story.content = courant::text::Html::from_text(text);
        new.origin.cleaning = version;
        new
    };
    let stale = async |version| {
        let ten = 10.try_into().unwrap();
        let ids = home.store.cleaned_before(version, None, ten).await.unwrap();
        ids.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    home.publish(vec![cleaned("Text.", 1), submission("b", 0)], 20).await;
    let before = article(&home, "a").await;
    assert_eq!(stale(2).await, ["a", "b"]);
    let renewed = home.publish(vec![cleaned("Text, kept whole.", 2)], 30).await;
    assert_eq!(renewed.outcomes, [Outcome::Corrected]);
    let after = article(&home, "a").await;
    assert_ne!(after.story.content, before.story.content);
    assert_eq!(
        (after.guid, after.published, after.updated),
        (before.guid, before.published, before.updated)
    );
    assert_eq!(stale(2).await, ["b"]);
    // One that reads the same as before is noted, and no revision is used up.
    let mut same = submission("b", 0);
    same.origin.cleaning = 2;
    let receipt = home.publish(vec![same], 40).await;
    assert_eq!((receipt.revision, outcome(&receipt)), (renewed.revision, &Outcome::Unchanged));
    assert!(stale(2).await.is_empty());
    // The same rules again: what is said to be significant is.
    let edit = home.publish(vec![cleaned("Other text.", 2)], 50).await;
    assert_eq!(edit.outcomes, [Outcome::Edited]);
}

pub(crate) async fn an_atom_id_that_is_no_iri_is_remembered(home: Home) {
    let mut record = submission("7", 0);
    record.guid = Some(Text::new("t3_abc"));
    home.publish(vec![record], 1).await;
    let known = article(&home, "7").await;
    assert!(!known.is_atom_id);
    let mut adopted = adoption("7", known.revision, "t3_abc", 0, known.story);
    adopted.is_atom_id = true;
    let receipt = home.store.adopt(vec![adopted.clone()], at(2)).await.unwrap();
    assert_eq!(receipt.outcomes, [Outcome::Corrected]);
    let home = home.reopened().await;
    assert!(article(&home, "7").await.is_atom_id);
    adopted.base = receipt.revision;
    let again = home.store.adopt(vec![adopted], at(3)).await.unwrap();
    assert_eq!(again.outcomes, [Outcome::Unchanged]);
}

pub(crate) async fn only_a_significant_edit_moves_updated(home: Home) {
    home.publish(vec![submission("a", 0)], 1).await;
    let edit = |text: &str, modified: Option<i64>, is_significant| {
        let mut edit =
            Submission { modified: modified.map(at), is_significant, ..submission("a", 0) };
        edit.story.title = Text::new(text);
        edit
    };
    // (edit, committed at, what it is, updated)
    let rows = [
        (edit("typo", None, None), 10, Outcome::Corrected, 0),
        (edit("news", Some(20), None), 21, Outcome::Edited, 20),
        (edit("news", Some(20), None), 22, Outcome::Unchanged, 20),
        (edit("quiet", Some(30), Some(false)), 31, Outcome::Corrected, 20),
        (edit("loud", Some(30), Some(true)), 41, Outcome::Edited, 41),
        (edit("loud", Some(30), Some(true)), 42, Outcome::Unchanged, 41),
        (edit("ahead", Some(9_999), None), 51, Outcome::Edited, 51),
    ];
    for (edit, committed, expected, updated) in rows {
        let title = edit.story.title.clone();
        let receipt = home.publish(vec![edit], committed).await;
        assert_eq!(outcome(&receipt), &expected, "{title}");
        assert_eq!(article(&home, "a").await.updated, at(updated), "{title}");
    }
}

pub(crate) async fn dates_alone_stay_in_the_order_of_arrival(home: Home) {
    let day = When { start: at(-43_200), precision: Precision::Day };
    let dated = |id: &str| Submission { published: Some(day), ..submission(id, 0) };
    home.publish(vec![dated("first"), dated("second")], 1).await;
    home.publish(vec![dated("third"), dated("first")], 2).await;
    assert_eq!(ids(&*home.store, &of("news")).await, ["third", "second", "first"]);
    let times: BTreeSet<_> =
        snapshot(&*home.store, &of("news")).await.articles.iter().map(|a| a.published).collect();
    assert_eq!(times.len(), 3);
    assert!(times.iter().all(|time| (*time - day.start).num_seconds() < 86_400));
}

pub(crate) async fn articles_without_a_date_are_of_now_and_apart(home: Home) {
    let undated = |id: &str| Submission { published: None, ..submission(id, 0) };
    home.publish(vec![undated("a"), undated("b")], 100).await;
    assert_eq!(article(&home, "b").await.published, at(100));
    assert_eq!(article(&home, "a").await.published, at(99));
    home.publish(vec![undated("a")], 500).await;
    assert_eq!(article(&home, "a").await.published, at(99));
}

pub(crate) async fn an_embargo_hides_an_article_until_it_is_released(home: Home) {
    home.publish(vec![submission("seen", 0)], 1).await;
    let held = Submission { embargo: Some(at(100)), ..submission("held", 0) };
    let receipt = home.publish(vec![held, submission("ahead", 200)], 2).await;
    assert_eq!(receipt.outcomes, [Outcome::Held, Outcome::Held]);
    // M-27: not in the articles, nor in what readers validate with.
    let before = snapshot(&*home.store, &of("news")).await;
    assert_eq!(
        (before.articles.len(), before.mark.revision, before.mark.changed),
        (1, Revision(1), at(1))
    );
    assert_eq!(home.store.release(at(99)).await.unwrap(), Some(at(100)));
    assert_eq!(ids(&*home.store, &of("news")).await, ["seen"]);
    assert_eq!(home.store.release(at(100)).await.unwrap(), Some(at(200)));
    assert_eq!(ids(&*home.store, &of("news")).await, ["held", "seen"]);
    let after = snapshot(&*home.store, &of("news")).await;
    assert_eq!((after.mark.changed, article(&home, "held").await.published), (at(100), at(100)));
    assert_eq!(home.store.release(at(300)).await.unwrap(), None);
    assert_eq!(ids(&*home.store, &of("news")).await, ["ahead", "held", "seen"]);
}

pub(crate) async fn an_article_expires_and_the_date_moves_forward(home: Home) {
    let expiring = Submission { expires: Some(at(50)), ..submission("a", 0) };
    let over = Submission { expires: Some(at(-1)), ..submission("b", 0) };
    let receipt = home.publish(vec![expiring, over], 1).await;
    assert_eq!(receipt.outcomes, [Outcome::Published, Outcome::Expired]);
    let before = snapshot(&*home.store, &of("news")).await;
    assert_eq!(home.store.release(at(50)).await.unwrap(), None);
    let after = snapshot(&*home.store, &of("news")).await;
    assert!(after.articles.is_empty());
    assert!(after.mark.revision > before.mark.revision && after.mark.changed > before.mark.changed);
    assert!(after.mark.floor > before.mark.revision, "no earlier base will do");
}

pub(crate) async fn a_withdrawn_article_stays_away_until_it_is_published_again(home: Home) {
    home.publish(vec![submission("a", 0), submission("b", 1)], 1).await;
    let id = ArticleId::new("a").unwrap();
    let unknown = ArticleId::new("?").unwrap();
    let outcomes = home.store.withdraw(vec![id.clone(), unknown], at(10)).await.unwrap();
    assert_eq!(outcomes, [Some(Outcome::Retired), None]);
    let after = snapshot(&*home.store, &of("news")).await;
    assert_eq!(
        (after.articles.len(), after.mark.changed, after.mark.floor),
        (1, at(10), Revision(2))
    );
    assert_eq!(outcome(&home.publish(vec![submission("a", 0)], 11).await), &Outcome::Retired);
    assert_eq!(home.store.withdraw(vec![id], at(12)).await.unwrap(), [Some(Outcome::Unchanged)]);
    assert_eq!(ids(&*home.store, &of("news")).await, ["b"]);
    let again = Intake { republish: true, ..Intake::default() };
    home.store.upsert(vec![submission("a", 0)], again, at(20)).await.unwrap();
    let a = article(&home, "a").await;
    assert_eq!(
        (a.guid.as_str(), a.published, a.updated),
        ("tag:example.com,2026:article/a", at(0), at(20))
    );
}

pub(crate) async fn commit_times_never_fall(home: Home) {
    home.publish(vec![submission("a", 0)], 1_000).await;
    home.publish(vec![submission("b", 0)], 1_000).await;
    assert_eq!(snapshot(&*home.store, &of("news")).await.mark.changed, at(1_000));
    // A clock that was set back may have shown that second to be over.
    home.publish(vec![submission("c", 0)], 10).await;
    assert_eq!(snapshot(&*home.store, &of("news")).await.mark.changed, at(1_001));
}

/// Three years, in seconds.
const LONG: i64 = 3 * 365 * 86_400;

pub(crate) async fn an_embargo_holds_until_the_clock_has_passed_it_too(home: Home) {
    home.publish(vec![submission("ahead", 0)], LONG).await;
    let held = Submission { embargo: Some(at(500)), ..submission("held", 0) };
    let dated = submission("dated", 400);
    let over = Submission { expires: Some(at(450)), ..submission("over", 0) };
    let receipt = home.publish(vec![held, dated, over], 100).await;
    assert_eq!(receipt.outcomes, [Outcome::Held, Outcome::Held, Outcome::Published]);
    assert_eq!(home.store.release(at(399)).await.unwrap(), Some(at(400)));
    assert_eq!(ids(&*home.store, &of("news")).await, ["ahead", "over"]);
    home.store.release(at(450)).await.unwrap();
    assert_eq!(ids(&*home.store, &of("news")).await, ["dated", "ahead"]);
    home.store.release(at(500)).await.unwrap();
    assert_eq!(ids(&*home.store, &of("news")).await, ["held", "dated", "ahead"]);
}

pub(crate) async fn articles_are_dated_by_the_clock_while_the_store_is_ahead_of_it(home: Home) {
    home.publish(vec![submission("a", 0)], LONG).await;
    let undated = Submission { published: None, ..submission("b", 0) };
    let mut edit = Submission { is_significant: Some(true), ..submission("a", 0) };
    edit.story.title = Text::new("Edited");
    home.publish(vec![undated, edit], 100).await;
    assert_eq!(article(&home, "b").await.published, at(100));
    assert_eq!(article(&home, "a").await.updated, at(100));
    assert_eq!(home.store.time().await.unwrap(), at(LONG + 1), "commit times never fall");
}

pub(crate) async fn a_repair_of_the_clock_is_one_revision_and_changes_no_article(home: Home) {
    home.publish(vec![submission("a", 0)], 10).await;
    let sport = |id: &str| {
        let mut made = submission(id, 0);
        made.story.categories = vec![Category::from_label("sport").unwrap()];
        made
    };
    home.publish(vec![sport("b")], LONG).await;
    let before = home.store.head().await.unwrap();
    let articles = snapshot(&*home.store, &of("sport")).await.articles;
    assert_eq!(home.store.repair_clock(at(100)).await.unwrap(), Some(at(LONG)));
    assert_eq!(home.store.head().await.unwrap(), Revision(before.0 + 1));
    assert_eq!(home.store.time().await.unwrap(), at(100));
    let after = snapshot(&*home.store, &of("sport")).await;
    assert_eq!((after.articles, after.mark.changed), (articles, at(100)));
    assert_eq!(after.mark.revision, Revision(before.0 + 1));
    assert!(after.mark.floor <= before, "deltas from before the repair are still good");
    // What never moved ahead keeps its mark.
    assert_eq!(snapshot(&*home.store, &of("news")).await.mark.changed, at(10));
    let limit = NonZeroU16::new(10).unwrap();
    let log = home.store.log(Revision(0), limit).await.unwrap();
    assert!(log.iter().all(|change| change.at <= at(100)), "{log:?}");
    let suspect = home.store.recall(vec![SUSPECT_UNTIL.to_owned()]).await.unwrap();
    assert_eq!(suspect, [Some(at(LONG).timestamp().to_string())]);

    assert_eq!(home.store.repair_clock(at(100)).await.unwrap(), None);
    home.publish(vec![sport("c")], 200).await;
    assert_eq!(snapshot(&*home.store, &of("sport")).await.mark.changed, at(200));
}

pub(crate) async fn a_write_moves_the_marks_it_touches_and_no_others(home: Home) {
    let filed = |id: &str, category: &str| {
        let mut filed = submission(id, 0);
        filed.story.categories = vec![Category::from_label(category).unwrap()];
        filed
    };
    home.publish(vec![filed("a", "news"), filed("b", "sport")], 1).await;
    home.publish(vec![filed("c", "sport")], 2).await;
    assert_eq!(snapshot(&*home.store, &of("news")).await.mark.revision, Revision(1));
    let moved = home.store.moved(Revision(1)).await.unwrap();
    assert_eq!(
        BTreeSet::from_iter(moved.facets),
        [Facet::all(), Facet::category(&slug("sport"))].into()
    );
    // Refiled: both the old and the new category move, and neither can be told from an earlier base.
    home.publish(vec![filed("a", "sport")], 3).await;
    let news = snapshot(&*home.store, &of("news")).await;
    assert_eq!(
        (news.articles.len(), news.mark.revision, news.mark.floor),
        (0, Revision(3), Revision(3))
    );
    assert_eq!(snapshot(&*home.store, &of("sport")).await.mark.floor, Revision(3));
}

pub(crate) async fn a_selection_reads_what_it_says(home: Home) {
    let make = |id: &str, seconds, categories: &[&str], author: &str, language: &str| {
        let mut made = submission(id, seconds);
        made.story.categories =
            categories.iter().map(|label| Category::from_label(label).unwrap()).collect();
        made.story.authors =
            vec![courant::article::Person { name: Text::new(author), ..Default::default() }];
        made.story.language = Some(language.parse().unwrap());
        made
    };
    home.publish(
        vec![
            make("a", 1, &["x"], "Ann", "zh-CN"),
            make("b", 2, &["x", "y"], "Bob", "en"),
            make("c", 3, &["y"], "Ann", "zh-Hant"),
            make("d", 4, &["z"], "Bob", "en"),
        ],
        10,
    )
    .await;
    let set = |slugs: &[&str]| slugs.iter().map(|name| slug(name)).collect::<BTreeSet<_>>();
    let rows = [
        (Selection::default(), "d c b a"),
        (Selection { any_of: set(&["x", "y"]), ..Default::default() }, "c b a"),
        (Selection { none_of: set(&["y"]), ..Default::default() }, "d a"),
        (Selection { any_of: set(&["x", "z"]), none_of: set(&["y"]), ..Default::default() }, "d a"),
        (Selection { authors: [Text::new("Ann")].into(), ..Default::default() }, "c a"),
        (
            Selection {
                authors: [Text::new("Ann")].into(),
                any_of: set(&["x"]),
                ..Default::default()
            },
            "a",
        ),
        (Selection { language: Some("zh".parse().unwrap()), ..Default::default() }, "c a"),
        (Selection { language: Some("zh-Hant".parse().unwrap()), ..Default::default() }, "c"),
        (Selection { any_of: set(&["nothing"]), ..Default::default() }, ""),
    ];
    for (selection, expected) in rows {
        assert_eq!(ids(&*home.store, &selection).await.join(" "), expected, "{selection:?}");
    }
}

pub(crate) async fn settings_are_writes(home: Home) {
    let declare = |fingerprint| vec![(Facet::site(), fingerprint), (Facet::feed("all"), 7)];
    assert_eq!(home.store.declare(declare(1), at(1)).await.unwrap(), Revision(1));
    assert_eq!(home.store.declare(declare(1), at(2)).await.unwrap(), Revision(1));
    assert_eq!(home.store.declare(declare(u64::MAX), at(3)).await.unwrap(), Revision(2));
    let mark = home.store.mark(&[Facet::feed("all")]).await.unwrap();
    assert_eq!((mark.revision, mark.changed), (Revision(1), at(1)));
    assert_eq!(home.store.mark(&[Facet::site()]).await.unwrap().floor, Revision(2));
    let without = vec![(Facet::site(), u64::MAX)];
    assert_eq!(home.store.declare(without.clone(), at(4)).await.unwrap(), Revision(3));
    assert_eq!(home.store.declare(without, at(5)).await.unwrap(), Revision(3));
    let mark = home.store.mark(&[Facet::feed("all")]).await.unwrap();
    assert_eq!((mark.revision, mark.floor), (Revision(3), Revision(3)));
}

pub(crate) async fn a_rehearsal_changes_nothing(home: Home) {
    let rehearse = Intake { rehearse: true, ..Intake::default() };
    let receipt = home.store.upsert(vec![submission("a", 0)], rehearse, at(1)).await.unwrap();
    assert_eq!((outcome(&receipt), receipt.revision), (&Outcome::Published, Revision(0)));
    assert_eq!(home.store.head().await.unwrap(), Revision(0));
    assert!(ids(&*home.store, &Selection::default()).await.is_empty());
}

pub(crate) async fn news_from_another_process_is_seen(home: Home) {
    let other = home.again().await;
    let waiting = tokio::spawn({
        let store = Arc::clone(&home.store);
        async move { store.changed(Revision(0)).await.unwrap() }
    });
    other.upsert(vec![submission("a", 0)], Intake::default(), at(1)).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Revision(1));
    assert_eq!(ids(&*home.store, &of("news")).await, ["a"]);
}

pub(crate) async fn a_store_that_is_opened_again_is_the_same(home: Home) {
    home.publish(vec![submission("a", 0)], 1).await;
    let before = snapshot(&*home.store, &of("news")).await;
    let again = home.again().await;
    assert_eq!(snapshot(&*again, &of("news")).await, before);
}

pub(crate) async fn what_is_remembered_is_known_again_and_is_no_revision(home: Home) {
    let entry = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let first = vec![
        entry("a/2", Some("two")),
        entry("a/10", Some("ten")),
        entry("a", Some("itself")),
        entry("b/1", Some("other")),
        entry("a/文", Some("text")),
    ];
    home.store.remember(first).await.unwrap();
    home.store.remember(vec![entry("a/2", Some("2")), entry("a/10", None)]).await.unwrap();
    let home = home.reopened().await;
    let recalled = home.store.recall(names(&["a/2", "a/10", "b/1"])).await.unwrap();
    assert_eq!(recalled, [Some("2".to_owned()), None, Some("other".to_owned())]);
    let two = NonZeroU16::new(2).unwrap();
    let page = home.store.recall_after("a/", "", two).await.unwrap();
    let pairs = |page: &[(String, String)]| {
        page.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(pairs(&page), ["a/2=2", "a/文=text"]);
    assert_eq!(pairs(&home.store.recall_after("a/", "a/2", two).await.unwrap()), ["a/文=text"]);
    assert_eq!(home.store.head().await.unwrap(), Revision(0));
}

/// Takes `a` back once the batch is taken, and remembers how that went.
struct TakesBack;

impl Plan for TakesBack {
    fn withdrawals(&self, taken: &[Outcome]) -> Vec<ArticleId> {
        assert_eq!(taken.len(), 2);
        ["a", "nobody"].map(|id| ArticleId::new(id).unwrap()).to_vec()
    }

    fn entries(&self, done: &Done) -> Entries {
        vec![("told".to_owned(), Some(format!("{:?}", done.withdrawn)))]
    }
}

pub(crate) async fn a_write_behind_a_fence_is_done_whole_or_not_at_all(home: Home) {
    home.publish(vec![submission("a", 0), submission("gone", 1)], 1).await;
    home.store.withdraw(vec![ArticleId::new("gone").unwrap()], at(2)).await.unwrap();
    let before = home.store.head().await.unwrap();
    let write = |expected: Option<&str>, next: Option<&str>| Fenced {
        fence: Fence {
            name: "lease".to_owned(),
            expected: expected.map(str::to_owned),
            next: next.map(str::to_owned),
        },
        batch: vec![(submission("b", 3), false), (submission("gone", 1), true)],
        at_stake: ["a", "nobody"].map(|id| ArticleId::new(id).unwrap()).to_vec(),
        plan: Arc::new(TakesBack),
    };
    let names = || vec!["lease".to_owned(), "told".to_owned()];
    assert_eq!(home.store.follow(write(Some("mine"), Some("next")), at(3)).await.unwrap(), None);
    assert_eq!(home.store.head().await.unwrap(), before);
    assert_eq!(home.store.recall(names()).await.unwrap(), [None, None]);
    // Nobody has it.
    let done = home.store.follow(write(None, Some("mine")), at(4)).await.unwrap().unwrap();
    assert_eq!(done.taken, [Outcome::Published, Outcome::Published]);
    assert_eq!(done.withdrawn, [Some(Outcome::Retired), None]);
    assert_eq!(home.store.head().await.unwrap(), Revision(before.0 + 1));
    assert_eq!(ids(&*home.store, &Selection::default()).await, ["b", "gone"]);
    let told = Some(format!("{:?}", done.withdrawn));
    assert_eq!(home.store.recall(names()).await.unwrap(), [Some("mine".to_owned()), told]);
    assert_eq!(home.store.follow(write(None, Some("other")), at(5)).await.unwrap(), None);
    // Nothing new: no revision, and remembered all the same.
    let done = home.store.follow(write(Some("mine"), None), at(6)).await.unwrap().unwrap();
    assert_eq!(done.taken, [Outcome::Unchanged, Outcome::Unchanged]);
    assert_eq!(home.store.head().await.unwrap(), Revision(before.0 + 1));
    assert_eq!(home.store.recall(names()).await.unwrap()[0], None);
}

pub(crate) async fn the_places_that_writes_disturb_are_named(home: Home) {
    home.publish((1..=9).map(|n| submission(&format!("a{n}"), n)).collect(), 10).await;
    let news = of("news");
    let disturbed = async |since| -> Option<Vec<u64>> {
        let places = home.store.disturbed(&news, since).await.unwrap();
        places.map(|places| places.into_iter().collect())
    };
    let head = async || home.store.head().await.unwrap();
    assert_eq!(disturbed(Revision(0)).await, Some((1..=9).collect()), "taken");
    let since = head().await;
    home.store.withdraw(vec![ArticleId::new("a3").unwrap()], at(11)).await.unwrap();
    assert_eq!(disturbed(since).await.unwrap(), [3], "emptied");
    let since = head().await;
    let edited = |is_significant| {
        let mut edited = submission("a5", 5);
        edited.story.title = Text::new(&format!("Significant: {is_significant}"));
        edited.is_significant = Some(is_significant);
        vec![edited]
    };
    home.publish(edited(false), 12).await;
    assert_eq!(disturbed(since).await.unwrap(), [5], "changed");
    let since = head().await;
    home.publish(edited(true), 13).await;
    assert_eq!(disturbed(since).await.unwrap(), [5, 10], "emptied, and taken");
    assert_eq!(disturbed(head().await).await.unwrap(), [0_u64; 0]);
    let elsewhere = home.store.disturbed(&of("sport"), Revision(0)).await.unwrap();
    assert_eq!(elsewhere, Some(BTreeSet::new()));
}

crate::cases!(
    an_adoption_is_one_quiet_revision_and_moves_the_article_to_its_old_date,
    a_batch_is_one_revision_newest_first,
    a_record_that_says_nothing_new_is_no_write,
    identity_and_publication_never_change,
    an_imported_guid_is_kept_and_belongs_to_one_article,
    only_a_significant_edit_moves_updated,
    dates_alone_stay_in_the_order_of_arrival,
    articles_without_a_date_are_of_now_and_apart,
    an_embargo_hides_an_article_until_it_is_released,
    an_article_expires_and_the_date_moves_forward,
    a_withdrawn_article_stays_away_until_it_is_published_again,
    commit_times_never_fall,
    an_embargo_holds_until_the_clock_has_passed_it_too,
    articles_are_dated_by_the_clock_while_the_store_is_ahead_of_it,
    a_repair_of_the_clock_is_one_revision_and_changes_no_article,
    a_write_moves_the_marks_it_touches_and_no_others,
    a_selection_reads_what_it_says,
    settings_are_writes,
    a_rehearsal_changes_nothing,
    news_from_another_process_is_seen,
    a_store_that_is_opened_again_is_the_same,
    what_is_remembered_is_known_again_and_is_no_revision,
    a_write_behind_a_fence_is_done_whole_or_not_at_all,
    the_places_that_writes_disturb_are_named,
    a_record_with_another_guid_is_another_article,
    a_record_of_an_adopted_article_goes_on_to_be_that_article,
    a_minted_guid_is_accepted_for_its_own_article_alone,
    records_of_two_folders_with_one_name_are_two_articles,
    cleaning_by_newer_rules_changes_no_date,
    an_atom_id_that_is_no_iri_is_remembered,
    the_longest_name_has_its_feed,
    an_identity_that_was_given_up_is_free_within_the_batch,
);

/// No two characters in a row that a database could make shorter.
fn long_name(bytes: usize) -> Text {
    let mut state = 1_u32;
    let name = (0..bytes).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + u8::try_from((state >> 16) % 26).unwrap())
    });
    Text::new(&name.collect::<String>())
}

pub(crate) async fn the_longest_name_has_its_feed(home: Home) {
    let name = long_name(4_000);
    let mut long = submission("long", 0);
    long.story.authors =
        vec![courant::article::Person { name: name.clone(), ..Default::default() }];
    let receipt = home.publish(vec![long, submission("other", 1)], 2).await;
    assert_eq!(receipt.outcomes, [Outcome::Published, Outcome::Published]);
    let theirs = Selection { authors: [name].into(), ..Selection::default() };
    assert_eq!(ids(&*home.store, &theirs).await, ["long"]);
    let begin = Selection { authors: [long_name(3_999)].into(), ..Selection::default() };
    assert!(ids(&*home.store, &begin).await.is_empty());
    home.store.withdraw(vec![ArticleId::new("long").unwrap()], at(3)).await.unwrap();
    assert!(ids(&*home.store, &theirs).await.is_empty());
}

/// A chain of adoptions, with the keys of the articles in either order.
pub(crate) async fn an_identity_that_was_given_up_is_free_within_the_batch(home: Home) {
    home.publish(vec![submission("a", 0), submission("b", 10), submission("c", 20)], 30).await;
    let minted = |id: &str| format!("tag:example.com,2026:article/{id}");
    let adopt = async |steps: &[(&str, &str)], seconds| {
        let mut batch = Vec::new();
        for (id, guid) in steps {
            let article = article(&home, id).await;
            let published = article.published.timestamp() - at(0).timestamp();
            batch.push(adoption(id, article.revision, guid, published, article.story));
        }
        home.store.adopt(batch, at(seconds)).await.unwrap().outcomes
    };
    let both = [Outcome::Corrected, Outcome::Corrected];
    assert_eq!(adopt(&[("a", "old:a"), ("b", &minted("a"))], 40).await, both);
    assert_eq!(adopt(&[("c", "old:c"), ("a", &minted("c"))], 50).await, both);
    let taken = adopt(&[("b", &minted("c")), ("c", "old:a")], 60).await;
    let by = ArticleId::new("a").unwrap();
    assert_eq!(taken, [Outcome::GuidTaken { by }, Outcome::Corrected]);
    for (id, guid) in [("a", minted("c")), ("b", minted("a")), ("c", "old:a".to_owned())] {
        assert_eq!(article(&home, id).await.guid.as_str(), guid, "{id}");
    }
}

fn adoption(
    id: &str,
    base: Revision,
    guid: &str,
    seconds: i64,
    story: courant::article::Story,
) -> Adoption {
    let id = ArticleId::new(id).unwrap();
    let (guid, published) = (Text::new(guid), Some(at(seconds)));
    Adoption { id, base, guid, is_atom_id: false, published, story }
}

async fn an_adoption_is_one_quiet_revision_and_moves_the_article_to_its_old_date(home: Home) {
    home.publish(vec![submission("a", 0), submission("b", 10), submission("c", 20)], 30).await;
    let selection = Selection::default();
    let read = async |store: &dyn Store| {
        store.snapshot(&selection.facets(), &selection, Window::default()).await.unwrap()
    };
    let before = read(&*home.store).await;
    let story = |id: &str| {
        let found = before.articles.iter().find(|article| article.id.as_str() == id);
        found.unwrap().story.clone()
    };
    let batch = vec![
        adoption("a", before.head, "old:a", 15, story("a")),
        adoption("b", before.head, "old:a", 10, story("b")),
        adoption("c", Revision(0), "old:c", 20, story("c")),
        adoption("nobody", before.head, "old:d", 20, story("c")),
    ];
    let receipt = home.store.adopt(batch, at(40)).await.unwrap();
    let by = ArticleId::new("a").unwrap();
    let expected =
        [Outcome::Corrected, Outcome::GuidTaken { by }, Outcome::Unchanged, Outcome::Unchanged];
    assert_eq!(receipt.outcomes, expected);
    assert_eq!(receipt.revision.0, before.head.0 + 1);

    let home = home.reopened().await;
    let after = read(&*home.store).await;
    let order: Vec<_> = after.articles.iter().map(|article| article.id.to_string()).collect();
    assert_eq!(order, ["c", "a", "b"]);
    let a = &after.articles[1];
    assert_eq!((a.guid.as_str(), a.published, a.updated), ("old:a", at(15), at(15)));
    // No delta tells that an entry has another name.
    assert_eq!(after.mark.floor, receipt.revision);
    let log = home.store.log(before.head, 10.try_into().unwrap()).await.unwrap();
    assert_eq!(log.iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Corrected]);
    // Its place in archives stays, and an import says no more than before.
    let span = Span::ending(3).unwrap();
    let archive = home.store.archive(&[], &selection, span).await.unwrap().unwrap();
    assert_eq!(archive.articles.len(), 3);
    let again = home.publish(vec![submission("a", 0)], 50).await;
    assert_eq!(again.outcomes, [Outcome::Unchanged]);
    assert_eq!(again.revision, receipt.revision);
    // Taken back, it leaves nothing behind.
    home.store.withdraw(vec![ArticleId::new("a").unwrap()], at(60)).await.unwrap();
    assert_eq!(read(&*home.store).await.articles.len(), 2);
}
