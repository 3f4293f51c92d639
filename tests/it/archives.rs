//! Archives (RFC 5005): everything ever published can be reached from any feed, each article once, and what is sealed
//! stays as it is until something in it goes.

use std::collections::BTreeSet;

use courant::{
    article::{ArticleId, Submission},
    category::Category,
    http::Answer,
    publish::Publisher,
    text::Text,
};
use http_body_util::BodyExt;
use roxmltree::{Document, Node};

use crate::{
    delta::{ask, field},
    fixtures::{Home, at, submission},
};

const BASE: &str = "https://feeds.example.com";
const HISTORY: &str = "http://purl.org/syndication/history/1.0";

/// One document of a feed.
#[derive(Debug)]
struct Page {
    path: String,
    tag: String,
    text: String,
    ids: Vec<String>,
    /// Paths by relation.
    links: Vec<(String, String)>,
    /// `archive`, `complete` or nothing.
    history: String,
}

impl Page {
    fn link(&self, relation: &str) -> Option<&str> {
        let found = self.links.iter().find(|(known, _)| known == relation);
        found.map(|(_, path)| path.as_str())
    }
}

async fn body(answer: Answer) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn get(publisher: &Publisher, path: &str) -> Page {
    let answer = ask(publisher, path, &[]).await;
    assert_eq!(answer.status(), 200, "{path}");
    let tag = field(&answer, "etag").to_owned();
    let text = body(answer).await;
    let own = |id: &str| id.rsplit('/').next().unwrap().to_owned();
    let local = |address: &str| address.strip_prefix(BASE).unwrap().to_owned();
    if path.rsplit('.').next() == Some("json") {
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let items = document["items"].as_array().unwrap();
        let ids = items.iter().map(|item| own(item["id"].as_str().unwrap())).collect();
        let links =
            [("prev-archive", "next_url"), ("current", "feed_url")].map(|(name, member)| {
                (name.to_owned(), document[member].as_str().map(local).unwrap_or_default())
            });
        let links = links.into_iter().filter(|(_, path)| !path.is_empty()).collect();
        return Page { path: path.to_owned(), tag, text, ids, links, history: String::new() };
    }
    let document = Document::parse(&text).unwrap();
    let named = |name: &'static str| {
        move |node: &Node<'_, '_>| node.is_element() && node.tag_name().name() == name
    };
    let entries = document.descendants().filter(|node| named("item")(node) || named("entry")(node));
    let id = |entry: Node<'_, '_>| {
        let id = entry.children().find(|node| named("guid")(node) || named("id")(node));
        own(id.unwrap().text().unwrap())
    };
    let ids = entries.map(id).collect();
    let head = document.descendants().filter(|node| {
        named("link")(node)
            && node.has_attribute("rel")
            && node.tag_name().namespace() == Some("http://www.w3.org/2005/Atom")
            && node.parent().is_some_and(|parent| !named("entry")(&parent))
    });
    let links = head
        .filter(|link| link.attribute("rel") != Some("alternate"))
        .map(|link| {
            let of = |name| link.attribute(name).unwrap();
            (of("rel").to_owned(), local(of("href")))
        })
        .collect();
    let history = document.descendants().find(|node| node.tag_name().namespace() == Some(HISTORY));
    let history = history.map(|node| node.tag_name().name().to_owned()).unwrap_or_default();
    Page { path: path.to_owned(), tag, ids, links, history, text: text.clone() }
}

/// A feed and its archives, the newest first.
async fn walk(publisher: &Publisher, path: &str) -> Vec<Page> {
    let mut pages = vec![get(publisher, path).await];
    while let Some(previous) = pages.last().unwrap().link("prev-archive").map(str::to_owned) {
        assert!(pages.iter().all(|page| page.path != previous), "J-8: {previous} comes twice");
        pages.push(get(publisher, &previous).await);
    }
    pages
}

fn ids(pages: &[Page]) -> Vec<&str> {
    pages.iter().flat_map(|page| &page.ids).map(String::as_str).collect()
}

fn filed(id: &str, second: i64, labels: &[&str]) -> Submission {
    let mut submission = submission(id, second);
    submission.story.categories =
        labels.iter().map(|label| Category::from_label(label).unwrap()).collect();
    submission
}

fn edited(id: &str, second: i64, title: &str, is_significant: bool) -> Submission {
    let mut submission = submission(id, second);
    submission.story.title = Text::new(title);
    submission.is_significant = Some(is_significant);
    submission
}

/// So many articles, `a1` the oldest, in batches of seven.
async fn filled(home: Home, count: i64) -> Home {
    let all: Vec<i64> = (1..=count).collect();
    for batch in all.chunks(7) {
        // In any order: those of one batch are put in theirs.
        let batch = batch.iter().rev().map(|n| submission(&format!("a{n}"), *n)).collect();
        home.publish(batch, count).await;
    }
    home
}

pub(crate) async fn every_article_is_reached_once_from_every_feed(home: Home) {
    let home = filled(home, 345).await;
    let publisher = home.publisher(at(400)).await;
    for path in ["/all.rss", "/all.atom", "/all.json", "/category/news.atom"] {
        let pages = walk(&publisher, path).await;
        let sizes: Vec<usize> = pages.iter().map(|page| page.ids.len()).collect();
        assert_eq!(sizes, [40, 5, 100, 100, 100], "{path}");
        let expected: Vec<String> = (1..=345).rev().map(|n| format!("a{n}")).collect();
        assert_eq!(ids(&pages), expected, "{path}: each once, newest first");
    }
}

pub(crate) async fn archives_say_what_they_are_and_how_they_go_on(home: Home) {
    let home = filled(home, 345).await;
    let publisher = home.publisher(at(400)).await;
    for path in ["/all.rss", "/all.atom"] {
        let pages = walk(&publisher, path).await;
        assert_eq!(pages[0].history, "", "A-45: {path}");
        for (nth, page) in pages.iter().enumerate() {
            assert_eq!(page.link("self"), Some(page.path.as_str()));
            if nth > 0 {
                assert_eq!((page.history.as_str(), page.link("current")), ("archive", Some(path)));
            }
        }
        let (stem, extension) = path.split_once('.').unwrap();
        let archive = |span: &str| format!("{stem}/archive/{span}.{extension}");
        assert_eq!(pages[2].path, archive("201-300"), "A-45");
        assert_eq!(pages[2].link("prev-archive"), Some(archive("101-200").as_str()), "A-45");
        assert_eq!(pages[2].link("next-archive"), Some(archive("301-400").as_str()), "A-45");
        assert_eq!(pages[4].link("prev-archive"), None, "A-45");

        let sealed = ask(&publisher, &pages[4].path, &[]).await;
        let freshness = "public, max-age=86400, stale-while-revalidate=60, stale-if-error=86400";
        assert_eq!(field(&sealed, "cache-control"), freshness, "H-111");
        let next = format!("<{BASE}{}>; rel=\"next-archive\"", archive("101-200"));
        assert!(field(&sealed, "link").contains(&next), "H-124");
        let held = ask(&publisher, &pages[4].path, &[("if-none-match", &pages[4].tag)]).await;
        assert_eq!(held.status(), 304);
    }
    let pages = walk(&publisher, "/all.json").await;
    assert!(pages.iter().all(|page| page.link("current") == Some("/all.json")), "J-8");
}

pub(crate) async fn what_is_not_there_yet_is_elsewhere_or_nowhere(home: Home) {
    let home = filled(home, 345).await;
    let publisher = home.publisher(at(400)).await;
    for (path, status, location) in [
        ("/all/archive/301-345.atom", 200, ""),
        ("/all/archive/301-346.atom", 404, ""),
        ("/all/archive/301-400.atom", 307, "/all.atom"),
        ("/category/news/archive/301-400.json", 307, "/category/news.json"),
        ("/none/archive/1-100.atom", 404, ""),
        ("/all/archive/1-100.ATOM", 308, "/all/archive/1-100.atom"),
    ] {
        let answer = ask(&publisher, path, &[]).await;
        assert_eq!(answer.status(), status, "{path}");
        let expected =
            if location.is_empty() { String::new() } else { format!("{BASE}{location}") };
        assert_eq!(field(&answer, "location"), expected, "{path}");
    }
}

pub(crate) async fn what_is_sealed_stays_as_it_is(home: Home) {
    let home = filled(home, 345).await;
    let publisher = home.publisher(at(400)).await;
    let before = walk(&publisher, "/all.atom").await;
    let more = (400..500).map(|n| submission(&format!("b{n}"), n)).collect();
    home.publish(more, 500).await;
    publisher.refresh(at(600)).await.unwrap();
    for page in &before[1..] {
        let after = get(&publisher, &page.path).await;
        assert_eq!((&after.tag, &after.text), (&page.tag, &page.text), "{}", page.path);
    }
    let restarted = home.reopened().await;
    let publisher = restarted.publisher(at(700)).await;
    for page in &before[1..] {
        assert_eq!(get(&publisher, &page.path).await.tag, page.tag, "H-31");
    }
}

pub(crate) async fn a_withdrawal_reaches_the_archive_that_has_the_article_and_no_other(home: Home) {
    let home = filled(home, 345).await;
    let publisher = home.publisher(at(400)).await;
    for path in ["/all.rss", "/all.atom", "/all.json"] {
        walk(&publisher, path).await;
    }
    let before = walk(&publisher, "/all.atom").await;
    home.store.withdraw(vec![ArticleId::new("a150").unwrap()], at(500)).await.unwrap();
    publisher.refresh(at(600)).await.unwrap();
    let after = walk(&publisher, "/all.atom").await;
    for (before, after) in before.iter().zip(&after).skip(1) {
        let is_touched = before.ids.contains(&"a150".to_owned());
        assert_eq!(after.tag != before.tag, is_touched, "M-28: {}", after.path);
    }
    for path in ["/all.rss", "/all.atom", "/all.json"] {
        let pages = walk(&publisher, path).await;
        assert_eq!(ids(&pages).len(), 344, "{path}");
        assert!(!pages.iter().any(|page| page.text.contains("Text of a150.")), "M-28");
    }
    let archive = ask(&publisher, "/all/archive/101-200.atom", &[]).await;
    assert_eq!(field(&archive, "last-modified"), "Thu, 05 Mar 2026 12:08:20 GMT", "M-28");

    // Published again, it is news, and takes no place of the past.
    let tags: Vec<_> = after.iter().skip(1).map(|page| page.tag.clone()).collect();
    let intake = courant::store::Intake { republish: true, rehearse: false };
    home.store.upsert(vec![submission("a150", 150)], intake, at(700)).await.unwrap();
    publisher.refresh(at(800)).await.unwrap();
    let again = walk(&publisher, "/all.atom").await;
    assert_eq!(
        again.iter().skip(1).map(|page| page.tag.clone()).collect::<Vec<_>>()[1..],
        tags[1..]
    );
    let unique: BTreeSet<&str> = ids(&again).into_iter().collect();
    assert!(unique.contains("a150") && unique.len() == 345);
}

pub(crate) async fn corrections_of_old_articles_are_repeated_in_the_newest_document(home: Home) {
    let home = filled(home, 345).await;
    let publisher = home.publisher(at(400)).await;
    home.publish(vec![edited("a7", 7, "Corrected at last", true)], 500).await;
    home.publish(vec![edited("a8", 8, "Spelt right", false)], 501).await;
    publisher.refresh(at(600)).await.unwrap();
    for path in ["/all.rss", "/all.atom", "/all.json", "/category/news.json"] {
        let pages = walk(&publisher, path).await;
        let newest = &pages[0];
        assert_eq!(newest.ids.len(), 41, "A-45: {path}");
        assert_eq!(newest.ids[40], "a7");
        assert!(newest.text.contains("Corrected at last") && !newest.text.contains("Spelt right"));
        let all = ids(&pages);
        assert_eq!(all.len(), 345, "{path}");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 345, "{path}: each once");
        let oldest = pages.last().unwrap();
        assert!(oldest.text.contains("Spelt right") && !oldest.ids.contains(&"a7".to_owned()));
    }
    // A later walk finds it where it came again.
    let more = (500..560).map(|n| submission(&format!("b{n}"), n)).collect();
    home.publish(more, 600).await;
    publisher.refresh(at(700)).await.unwrap();
    let pages = walk(&publisher, "/all.atom").await;
    assert!(!pages[0].ids.contains(&"a7".to_owned()), "it is old news now");
    let all = ids(&pages);
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (405, 405));
}

pub(crate) async fn a_feed_of_several_categories_has_each_article_once(home: Home) {
    let feeds = "[site]\ntitle = \"Example\"\nurl = \"https://www.example.com/\"\n\
                 tag = \"example.com,2026\"\n[server]\nbase_url = \"https://feeds.example.com\"\n\
                 [[category]]\nslug = \"news\"\nlabel = \"News\"\n\
                 [[category]]\nslug = \"sport\"\nlabel = \"Sport\"\n\
                 [[category]]\nslug = \"odd\"\nlabel = \"Odd\"\n\
                 [[feed]]\nname = \"both\"\ntitle = \"Both\"\nany_of = [\"news\", \"sport\"]\n\
                 [[feed]]\nname = \"some\"\ntitle = \"Some\"\nnone_of = [\"odd\"]\n";
    let file = std::path::Path::new("feeds.toml");
    let config = courant::config::read(feeds, file, &courant::config::Overrides::default());
    let store = std::sync::Arc::clone(&home.store);
    let publisher =
        Publisher::open(store, config.unwrap().catalogue, 64_000_000, at(0)).await.unwrap();
    let labels = |n: i64| -> &[&str] {
        match n % 5 {
            0 => &["news", "sport"],
            1 => &["sport", "odd"],
            2 => &["other"],
            _ => &["news"],
        }
    };
    for n in 1..=400 {
        home.publish(vec![filed(&format!("a{n}"), n, labels(n))], n).await;
    }
    // Some come into the other category later, some go.
    for n in (3..=390).step_by(5).take(20) {
        home.publish(vec![filed(&format!("a{n}"), n, &["news", "sport"])], 400 + n).await;
    }
    for n in (5..=390).step_by(5).take(20) {
        home.publish(vec![filed(&format!("a{n}"), n, &["sport"])], 800 + n).await;
    }
    publisher.refresh(at(2_000)).await.unwrap();
    for (path, wanted) in [
        ("/both.atom", &(|n| labels(n) != ["other"]) as &dyn Fn(i64) -> bool),
        ("/some.json", &|n| n % 5 != 1),
    ] {
        let pages = walk(&publisher, path).await;
        let found = ids(&pages);
        let expected: BTreeSet<String> =
            (1..=400).filter(|n| wanted(*n)).map(|n| format!("a{n}")).collect();
        // Articles that were filed otherwise are new in the archives and old in the feed, which is repeated then.
        let archived = ids(&pages[1..]);
        let unique: BTreeSet<&str> = archived.iter().copied().collect();
        assert_eq!(unique.len(), archived.len(), "{path}: an archived article comes twice");
        let found: BTreeSet<String> = found.into_iter().map(str::to_owned).collect();
        assert_eq!(expected.symmetric_difference(&found).collect::<Vec<_>>(), [""; 0], "{path}");
        assert!(pages.iter().all(|page| page.ids.len() <= 100));
    }
}

#[tokio::test]
async fn a_feed_that_holds_everything_says_so() {
    let home = filled(Home::new(), 39).await;
    let publisher = home.publisher(at(100)).await;
    for path in ["/all.rss", "/all.atom"] {
        let page = get(&publisher, path).await;
        assert_eq!((page.history.as_str(), page.link("prev-archive")), ("complete", None), "A-46");
        let held = [("a-im", "feed"), ("if-none-match", page.tag.as_str())];
        home.publish(vec![edited("a1", 1, &format!("New for {path}"), true)], 200).await;
        publisher.refresh(at(300)).await.unwrap();
        let delta = ask(&publisher, path, &held).await;
        assert_eq!(delta.status(), 226);
        let delta = body(delta).await;
        assert!(delta.contains("New for") && !delta.contains("<fh:"), "A-46: a delta is not all");
        Document::parse(&delta).unwrap();
    }
    home.publish((50..54).map(|n| submission(&format!("b{n}"), n)).collect(), 300).await;
    publisher.refresh(at(400)).await.unwrap();
    let page = get(&publisher, "/all.atom").await;
    assert_eq!(page.history, "", "A-46");
    assert_eq!(walk(&publisher, "/all.atom").await.len(), 2);

    let nobody = Home::new();
    let publisher = nobody.publisher(at(0)).await;
    let page = get(&publisher, "/all.atom").await;
    assert_eq!(page.history, "", "an empty feed does not tell readers to drop what they have");
}

crate::cases!(
    every_article_is_reached_once_from_every_feed,
    archives_say_what_they_are_and_how_they_go_on,
    what_is_not_there_yet_is_elsewhere_or_nowhere,
    what_is_sealed_stays_as_it_is,
    a_withdrawal_reaches_the_archive_that_has_the_article_and_no_other,
    corrections_of_old_articles_are_repeated_in_the_newest_document,
    a_feed_of_several_categories_has_each_article_once,
);
