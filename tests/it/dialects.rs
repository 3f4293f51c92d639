//! What partners get: each dialect against its rules, what has gone, what is held back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta};
use courant::{
    article::{
        Article, ArticleId, Attachment, Gone, Mark, Part, Person, Picture, Revision, Snapshot,
        Story,
    },
    category::{Category, Language},
    dialect::{Dialect, Sign, Subject},
    feed::{Feed, FeedPath, FeedSpec, Partner, Terms},
    format::Format,
    text::{Html, Text},
};
use proptest::prelude::*;
use roxmltree::{Document, Node};
use scraper::{ElementRef, Html as Tree};
use serde_json::Value;

use crate::{
    formats::{any_articles, check_golden},
    samples::{article, articles, noon, spec, text, url},
    support,
};

const CONTENT: &str = "http://purl.org/rss/1.0/modules/content/";
const MEDIA: &str = "http://search.yahoo.com/mrss/";
const GNF: &str = "http://assets.gunosy.com/media/gnf";
const OA: &str = "http://news.line.me/rss/1.0/oa";
const TOMBSTONES: &str = "http://purl.org/atompub/tombstones/1.0";

fn dialect(name: &str) -> &'static Dialect {
    Dialect::find(name).unwrap()
}

/// The feed `news` as somebody gets it who asks for a dialect.
fn partner_spec(name: &str, public: &FeedSpec) -> FeedSpec {
    let partner: courant::category::Slug = "harbour".parse().unwrap();
    let logo =
        |file: &str| (name == "smartnews").then(|| url(&format!("https://www.example.com/{file}")));
    let names = [("world".parse().unwrap(), text("economy"))];
    let terms = Terms {
        dialect: dialect(name),
        logo: logo("logo.png"),
        dark_logo: logo("logo-dark.png"),
        categories: if name == "gunosy" { names.into() } else { BTreeMap::new() },
        ..Terms::plain(partner.clone())
    };
    let partner = Partner {
        name: partner,
        title: text("Harbour Daily"),
        feeds: vec![public.path.clone()],
        territories: BTreeSet::new(),
        takes_republished: true,
        full_text: None,
        pictures: None,
        window: None,
        shift_minutes: 0,
        signs_days: 30,
        terms: Arc::new(terms),
    };
    partner.variant(public)
}

fn assemble(spec: FeedSpec, articles: Vec<Article>, gone: Vec<Gone>) -> Feed {
    let mark = Mark { revision: Revision(9), changed: noon(), floor: Revision(0) };
    let articles = articles.into_iter().map(Arc::new).collect();
    let (head, authority, part) = (Revision(9), "example.com,2026".to_owned(), Part::All);
    Feed::assemble(Arc::new(spec), Snapshot { head, mark, authority, part, articles, gone })
}

/// Two that were taken back: one of ours, and one with an identity from another program and no page.
fn gone() -> Vec<Gone> {
    let gone = |nth: i32, guid: &str, page: Option<&str>, minutes| Gone {
        id: ArticleId::new(&format!("g-{nth}")).unwrap(),
        guid: text(guid),
        is_atom_id: false,
        published: noon() - TimeDelta::hours(30) - TimeDelta::minutes(nth.into()),
        revision: Revision(9),
        at: noon() - TimeDelta::minutes(minutes),
        story: Story { url: page.map(url), ..Story::default() },
    };
    vec![
        gone(
            1,
            "tag:example.com,2026:article/g-1",
            Some("https://www.example.com/news/g-1?a=1&b=2"),
            0,
        ),
        gone(2, "旧 #12 <b>", None, 45),
    ]
}

/// Within every rule of every dialect.
fn good() -> Story {
    let picture = Picture {
        caption: text("The bridge"),
        credit: text("Li Hua"),
        alt: text("A bridge in the fog"),
        width: Some(1600),
        height: Some(900),
        mime_type: Some(text("image/jpeg")),
        bytes: Some(284_113),
        ..Picture::bare(url("https://media.example.com/i/bridge.jpg"))
    };
    Story {
        url: Some(url("https://www.example.com/news/bridge")),
        title: text("The old bridge is open again after three years"),
        summary: text("It was closed for repairs & more."),
        content: Html::stored(format!("<p>{}</p>", "The old bridge is open again. ".repeat(20))),
        authors: vec![Person { name: text("Jane Roe"), ..Person::default() }],
        tags: vec![text("bridges"), text("a, b"), text("harbour")],
        categories: vec![Category::from_label("world").unwrap()],
        pictures: vec![picture],
        ..Story::default()
    }
}

/// Everything that HTML may have in an article, deeper than some take.
fn rich() -> Story {
    let deep = format!(
        "{}<b>deep</b><img src=https://media.example.com/i/d.png>{}",
        "<div>".repeat(12),
        "</div>".repeat(12)
    );
    let content = format!(
        "<section><h2>一</h2><p>会议<b>5日</b>上午<mark>在北京</mark>开幕。<code>x</code></p>\
         <dl><dt>时间</dt><dd>5日</dd></dl><hr><pre>a\nb</pre>\
         <figure><img src=https://media.example.com/i/3.jpg alt=图><figcaption>图</figcaption></figure>\
         <table><caption>表</caption><tr><th>甲<td>乙</table>\
         <ruby>漢<rt>かん</rt></ruby><video src=https://media.example.com/v.mp4>录像</video></section>{deep}"
    );
    Story {
        title: text("全国会议五日上午在北京开幕，各地代表就今年的工作展开讨论"),
        content: Html::sanitize(&content, None),
        ..good()
    }
}

fn all_articles() -> Vec<Article> {
    let mut articles = articles();
    articles.insert(0, article(0, rich()));
    articles.push(article(6, good()));
    articles
}

fn news(name: &str) -> Feed {
    assemble(partner_spec(name, &spec("news")), all_articles(), gone())
}

fn rendered(format: Format, feed: &Feed) -> String {
    String::from_utf8(format.render(feed).unwrap()).unwrap()
}

fn items<'a>(document: &'a Document<'a>) -> Vec<Node<'a, 'a>> {
    document.descendants().filter(|node| node.has_tag_name("item")).collect()
}

fn child<'a>(item: Node<'a, 'a>, name: (&'a str, &'a str)) -> Option<Node<'a, 'a>> {
    item.children().find(|child| child.has_tag_name(name))
}

fn plain<'a>(item: Node<'a, 'a>, name: &str) -> Option<&'a str> {
    let child = item
        .children()
        .find(|child| child.tag_name().name() == name && child.tag_name().namespace().is_none())?;
    Some(child.text().unwrap_or_default())
}

/// a short text, which is its own summary, went without one.
#[test]
fn a_description_precedes_the_whole_text_in_every_item() {
    let mut brief = good();
    brief.summary = text("The bridge is open.");
    brief.content = Html::stored("<p>The bridge is open.</p>".to_owned());
    brief.is_brief = true;
    for dialect in Dialect::all() {
        let articles = vec![article(0, good()), article(1, brief.clone())];
        let feed = assemble(partner_spec(&dialect.name, &spec("news")), articles, Vec::new());
        let document = rendered(Format::Rss, &feed);
        let document = Document::parse(&document).unwrap();
        assert_eq!(items(&document).len(), 2, "{}", dialect.name);
        for item in items(&document) {
            let mut children = item.children();
            let description = children.position(|node| node.has_tag_name("description"));
            assert!(description.is_some(), "{}", dialect.name);
            let mut children = item.children();
            let content = children.position(|node| node.has_tag_name((CONTENT, "encoded")));
            assert!(content.is_none_or(|content| description < Some(content)), "{}", dialect.name);
        }
    }
}

/// M-40.
#[test]
fn documents_of_dialects_are_what_they_were() {
    for dialect in Dialect::all() {
        check_golden(&format!("partner-{}", dialect.name), &news(&dialect.name));
    }
}

/// M-40: RSS alone, or what public feeds are but for a page.
#[test]
fn a_dialect_says_which_formats_there_are() {
    for dialect in Dialect::all() {
        let spec = partner_spec(&dialect.name, &spec("news"));
        let expected = if dialect.name == "plain" { 3 } else { 1 };
        assert_eq!(Format::offered(&spec).len(), expected, "{}", dialect.name);
        assert_eq!(spec.is_archived(), dialect.name == "plain");
    }
    assert_eq!(Format::offered(&spec("news")).len(), 4);
}

/// M-30: variants select and decorate.
#[test]
fn identities_dates_and_links_are_the_public_ones() {
    let read = |document: &str| -> BTreeMap<String, (DateTime<chrono::FixedOffset>, String)> {
        let document = Document::parse(document).unwrap();
        let items = items(&document).into_iter().map(|item| {
            let date = DateTime::parse_from_rfc2822(plain(item, "pubDate").unwrap()).unwrap();
            let link = plain(item, "link").unwrap().to_owned();
            (plain(item, "guid").unwrap().to_owned(), (date, link))
        });
        items.collect()
    };
    let public = read(&rendered(Format::Rss, &assemble(spec("news"), all_articles(), Vec::new())));
    for dialect in Dialect::all() {
        let feed = assemble(partner_spec(&dialect.name, &spec("news")), all_articles(), Vec::new());
        let partner = read(&rendered(Format::Rss, &feed));
        assert_eq!(partner.len() + feed.held().len(), public.len());
        for (guid, (date, link)) in partner {
            assert_eq!((&public[&guid].0, &public[&guid].1), (&date, &link), "{}", dialect.name);
        }
    }
}

/// M-40: the instants are the same, as clocks at the partner show them.
#[test]
fn dates_are_in_the_zone_of_the_dialect() {
    for (name, zone) in
        [("msn", "+0000"), ("smartnews", "+0000"), ("line", "+0900"), ("gunosy", "+0900")]
    {
        let document = rendered(Format::Rss, &news(name));
        let document = Document::parse(&document).unwrap();
        for date in document.descendants().filter(|node| {
            matches!(node.tag_name().name(), "pubDate" | "lastBuildDate" | "lastPubDate")
                || node.has_tag_name((GNF, "modified"))
        }) {
            assert!(date.text().unwrap().ends_with(zone), "{name}: {:?}", date.text());
        }
    }
}

/// M-42: an item with the old identity and address, and nothing of what it said.
#[test]
fn what_has_gone_leaves_the_sign_of_the_dialect() {
    for dialect in Dialect::all() {
        let name = &dialect.name;
        let document = rendered(Format::Rss, &news(name));
        let document = Document::parse(&document).unwrap();
        let items = items(&document);
        let of = |guid: &str| items.iter().copied().find(|item| plain(*item, "guid") == Some(guid));
        for gone in gone() {
            let item = of(gone.guid.as_str());
            assert_eq!(item.is_some(), dialect.sign.is_item(), "{name}");
            let Some(item) = item else { continue };
            let date = DateTime::parse_from_rfc2822(plain(item, "pubDate").unwrap()).unwrap();
            assert_eq!(date, gone.published);
            let page = gone.story.url.unwrap_or(url("https://www.example.com/news/"));
            assert_eq!(plain(item, "link"), Some(page.as_str()));
            assert_eq!(plain(item, "description"), None);
            let status = child(item, (MEDIA, "status"));
            match dialect.sign {
                Sign::MediaStatusText => assert_eq!(status.unwrap().text(), Some("deleted")),
                Sign::MediaStatusState => {
                    assert_eq!(status.unwrap().attribute("state"), Some("deleted"));
                    assert!(child(item, (GNF, "modified")).is_some());
                }
                Sign::OaDelStatus => {
                    assert_eq!(child(item, (OA, "delStatus")).unwrap().text(), Some("1"));
                }
                Sign::None | Sign::Tombstone => unreachable!("{name} has no items for that"),
            }
        }
        let live = items.iter().filter(|item| match dialect.sign {
            Sign::MediaStatusState => child(**item, (MEDIA, "status"))
                .is_some_and(|status| status.attribute("state") == Some("active")),
            Sign::OaDelStatus => {
                child(**item, (OA, "delStatus")).is_some_and(|status| status.text() == Some("0"))
            }
            Sign::None | Sign::Tombstone | Sign::MediaStatusText => false,
        });
        if matches!(dialect.sign, Sign::MediaStatusState | Sign::OaDelStatus) {
            assert_eq!(live.count(), items.len() - gone().len(), "{name}");
        }
    }
}

///
#[test]
fn tombstones_stand_before_the_entries_each_once() {
    let mut twice = gone();
    twice.extend(gone());
    // Published again: it is there.
    let back = &all_articles()[0];
    twice.push(Gone { guid: back.guid.clone(), ..gone().remove(0) });
    let feed = assemble(partner_spec("plain", &spec("news")), all_articles(), twice);
    let document = rendered(Format::Atom, &feed);
    let xml = Document::parse(&document).unwrap();
    let names: Vec<_> = xml.root_element().children().filter(Node::is_element).collect();
    let is_entry = |node: &Node<'_, '_>| node.tag_name().name() == "entry";
    let first = names.iter().position(is_entry).unwrap();
    let signs: Vec<_> = names
        .iter()
        .enumerate()
        .filter(|(_, node)| node.has_tag_name((TOMBSTONES, "deleted-entry")))
        .collect();
    assert_eq!(signs.len(), 2);
    let expected = [
        ("tag:example.com,2026:article/g-1", "2026-03-05T08:30:00Z"),
        ("tag:example.com,2026:guid/%E6%97%A7%20%2312%20%3Cb%3E", "2026-03-05T07:45:00Z"),
    ];
    for ((at, sign), (iri, when)) in signs.into_iter().zip(expected) {
        assert!(at < first);
        assert_eq!((sign.attribute("ref"), sign.attribute("when")), (Some(iri), Some(when)));
    }
    let json: Value = serde_json::from_str(&rendered(Format::Json, &feed)).unwrap();
    let withdrawn = &json["_courant"]["removed"];
    assert_eq!(withdrawn[1]["id"], "旧 #12 <b>");
    assert_eq!(withdrawn[1]["date_removed"], "2026-03-05T07:45:00Z");
    assert_eq!(withdrawn.as_array().unwrap().len(), 2);
    assert_eq!(json["items"].as_array().unwrap().len(), feed.entries().len());

    // Nothing but what has gone.
    let empty = assemble(partner_spec("plain", &spec("news")), Vec::new(), gone());
    assert!(rendered(Format::Atom, &empty).contains("<at:deleted-entry "));
    for format in Format::FEEDS {
        assert!(format.entries(rendered(format, &empty).as_bytes()).is_empty());
    }
}

/// What is cut for a delta, and what an error names, goes by places.
#[test]
fn places_are_those_of_the_document() {
    for dialect in Dialect::all() {
        let feed = news(&dialect.name);
        let public = all_articles();
        let guid = |id: &ArticleId| {
            let article = public.iter().find(|article| article.id == *id);
            let gone = gone().into_iter().find(|gone| gone.id == *id);
            article.map(|article| article.guid.clone()).or(gone.map(|gone| gone.guid)).unwrap()
        };
        let document = rendered(Format::Rss, &feed);
        let expected: Vec<_> = feed.places().map(|(id, _)| guid(id).to_string()).collect();
        let xml = Document::parse(&document).unwrap();
        let read: Vec<_> =
            items(&xml).iter().map(|item| plain(*item, "guid").unwrap().to_owned()).collect();
        assert_eq!(read, expected, "{}", dialect.name);
        assert_eq!(Format::Rss.entries(document.as_bytes()).len(), expected.len());
    }
}

/// An article that was yet to come at the partner's last poll is older than that poll when it comes.
#[test]
fn a_dialect_that_goes_by_time_has_no_deltas() {
    for dialect in Dialect::all() {
        let feed = news(&dialect.name);
        let expected = if dialect.name == "msn" { feed.revision } else { Revision(0) };
        assert_eq!(feed.floor, expected, "{}", dialect.name);
    }
}

/// M-41: absent from that partner, named, and everything else stands.
#[test]
fn what_a_partner_would_refuse_is_held_back_and_named() {
    let public = assemble(spec("news"), all_articles(), Vec::new());
    assert!(public.held().is_empty() && public.entries().len() == 7);
    let feed = news("msn");
    let held: BTreeMap<&str, Vec<&str>> = feed
        .held()
        .iter()
        .map(|held| {
            let rules = held.breaches.iter().map(|breach| breach.rule.id.as_str());
            (held.article.id.as_str(), rules.collect())
        })
        .collect();
    let expected = [
        ("a-1", vec!["msn-1"]),
        ("a-4", vec!["msn-1", "msn-3", "msn-4"]),
        ("a-5", vec!["msn-1", "msn-3", "msn-4"]),
    ];
    assert_eq!(held, expected.into());
    assert_eq!(feed.entries().len(), 4);
    let document = rendered(Format::Rss, &feed);
    assert!(!document.contains("article/a-1<") && document.contains("article/a-0<"));

    let findings = courant::check::feed(&feed);
    let finding = findings.iter().find(|finding| finding.place.contains("`a-1`")).unwrap();
    assert_eq!((finding.rule, finding.severity), ("msn-1", courant::check::Severity::Error));
    assert!(finding.problem.starts_with("held back: its title has 20 "), "{}", finding.problem);
    assert!(finding.problem.contains("not from 21 to 150"), "{}", finding.problem);
    assert!(findings.iter().any(|finding| finding.rule == "msn-9"), "an English article");
}

/// M.3, rule by rule: what is at the bound passes, what is beyond it does not.
#[test]
fn every_rule_on_articles_holds_at_its_bounds() {
    type Change = fn(&mut Article);
    fn titled(article: &mut Article, title: &str, length: usize) {
        article.story.title = Text::new(&title.repeat(length));
    }
    fn picture(article: &mut Article) -> &mut Picture {
        &mut article.story.pictures[0]
    }
    let rows: &[(&str, Change, bool)] = &[
        ("msn-1", |a| titled(a, "题", 20), true),
        ("msn-1", |a| titled(a, "题", 21), false),
        ("msn-1", |a| titled(a, "题", 150), false),
        ("msn-1", |a| titled(a, "题", 151), true),
        ("msn-2", |a| a.published = noon() - TimeDelta::days(365) + TimeDelta::seconds(1), false),
        ("msn-2", |a| a.published = noon() - TimeDelta::days(365), true),
        ("msn-2", |a| a.published = noon(), false),
        ("msn-2", |a| a.published = noon() + TimeDelta::seconds(1), true),
        ("msn-3", |a| a.story.url = None, true),
        ("msn-4", |a| a.story.content = Html::default(), true),
        ("msn-5", |a| a.story.title = text("A title with <b>markup</b> in it"), true),
        ("msn-5", |a| a.story.title = text("A title where 1 < 2 and AT&T"), false),
        ("msn-6", |a| picture(a).url = url("http://media.example.com/a.jpg"), true),
        ("msn-6", |a| a.story.url = Some(url("http://www.example.com/a")), true),
        ("msn-7", |a| picture(a).width = Some(149), true),
        ("msn-7", |a| picture(a).width = Some(150), false),
        ("msn-7", |a| picture(a).width = None, false),
        ("msn-8", |a| picture(a).bytes = Some(15_000_001), true),
        ("msn-8", |a| picture(a).bytes = Some(15_000_000), false),
        ("msn-9", |a| a.story.language = Some("en".parse().unwrap()), true),
        ("smartnews-1", |a| a.story.url = None, true),
        ("smartnews-2", |a| a.story.content = Html::default(), true),
        ("flipboard-1", |a| a.story.url = None, true),
        ("flipboard-2", |a| a.story.content = Html::default(), true),
        (
            "flipboard-2",
            |a| {
                a.story.content = Html::default();
                a.story.summary = Text::new(&"摘".repeat(300));
            },
            false,
        ),
        (
            "flipboard-2",
            |a| {
                a.story.content = Html::default();
                a.story.summary = Text::new(&"摘".repeat(299));
            },
            true,
        ),
        ("flipboard-3", |a| a.story.url = Some(url("https://elsewhere.example.net/a")), true),
        ("flipboard-3", |a| a.story.url = Some(url("https://notexample.com/a")), true),
        ("flipboard-3", |a| a.story.url = Some(url("https://m.example.com/a")), false),
        ("flipboard-4", |a| picture(a).height = Some(499), true),
        ("flipboard-4", |a| picture(a).height = Some(500), false),
        ("flipboard-5", |a| a.story.pictures.clear(), true),
        ("flipboard-7", |a| a.story.authors.clear(), true),
        ("apple-news-1", |a| a.story.url = None, true),
        ("apple-news-2", |a| titled(a, "题", 14), true),
        ("apple-news-2", |a| titled(a, "题", 15), false),
        ("apple-news-2", |a| titled(a, "题", 60), false),
        ("apple-news-2", |a| titled(a, "题", 61), true),
        ("apple-news-3", |a| a.story.title = text("Fish &amp; chips for everybody"), true),
        ("apple-news-5", |a| a.story.content = Html::default(), true),
        ("apple-news-6", |a| a.story.url = Some(url("http://www.example.com/a")), true),
        ("line-1", |a| a.story.url = None, true),
        ("line-2", |a| a.story.content = Html::default(), true),
        ("gunosy-1", |a| a.story.url = None, true),
        ("gunosy-2", |a| a.story.categories.clear(), true),
        ("gunosy-3", |a| a.story.pictures.clear(), true),
        ("gunosy-4", |a| a.story.content = Html::default(), true),
    ];
    for (id, change, is_broken) in rows {
        let (name, _) = id.rsplit_once('-').unwrap();
        let mut changed = article(1, good());
        change(&mut changed);
        let feed = assemble(partner_spec(name, &spec("news")), vec![changed], Vec::new());
        let held = feed.held().iter().flat_map(|held| held.breaches.clone());
        let soft =
            feed.entries().flat_map(|entry| entry.breaches(feed.changed)).collect::<Vec<_>>();
        let ids: Vec<_> = held.chain(soft).map(|breach| breach.rule.id.as_str()).collect();
        assert_eq!(ids.contains(id), *is_broken, "{id}: {ids:?}");
        let rule = dialect(name).rules.iter().find(|rule| rule.id == *id).unwrap();
        assert_eq!(feed.held().len() == 1, *is_broken && rule.is_hard, "{id}");
    }
    for dialect in Dialect::all() {
        let feed = assemble(
            partner_spec(&dialect.name, &spec("news")),
            vec![article(1, good())],
            Vec::new(),
        );
        assert!(feed.held().is_empty(), "{}", dialect.name);
        assert!(feed.entries().all(|entry| entry.breaches(feed.changed).is_empty()));
        for rule in dialect.rules.iter().filter(|rule| !rule.of.is_of_feed()) {
            assert!(rows.iter().any(|(id, ..)| *id == rule.id), "{} is not tried", rule.id);
        }
    }
}

#[test]
fn every_rule_on_feeds_holds_at_its_bounds() {
    let language = |tag: &str| -> Option<Language> { tag.parse().ok() };
    let of = |change: &dyn Fn(&mut FeedSpec), name: &str, bytes: usize, articles: i32| {
        let mut spec = partner_spec(name, &spec("news"));
        change(&mut spec);
        let articles = (0..articles).map(|nth| article(nth, good())).collect();
        let feed = assemble(spec, articles, Vec::new());
        feed.breaches(bytes).into_iter().map(|breach| breach.rule.id.as_str()).collect::<Vec<_>>()
    };
    let described = |length: usize| {
        move |spec: &mut FeedSpec| spec.description = Text::new(&"字".repeat(length))
    };
    let spoken = |tag: &'static str| move |spec: &mut FeedSpec| spec.language = language(tag);
    let nothing = |_: &mut FeedSpec| {};
    assert_eq!(of(&described(30), "smartnews", 1_000_000, 1), [""; 0]);
    assert_eq!(of(&described(31), "smartnews", 1_000_000, 1), ["smartnews-3"]);
    let japanese = |length: usize| {
        move |spec: &mut FeedSpec| {
            spec.language = "ja".parse().ok();
            spec.description = Text::new(&"字".repeat(length));
        }
    };
    assert_eq!(of(&japanese(15), "smartnews", 1, 1), [""; 0]);
    assert_eq!(of(&japanese(16), "smartnews", 1, 1), ["smartnews-3"]);
    assert_eq!(of(&nothing, "smartnews", 1_000_001, 1), ["smartnews-4"]);
    let slow = |spec: &mut FeedSpec| spec.ttl = 6.try_into().unwrap();
    assert_eq!(of(&slow, "smartnews", 1, 1), ["smartnews-5"]);
    assert_eq!(of(&spoken(""), "smartnews", 1, 1), ["smartnews-6"]);
    let unmarked = |spec: &mut FeedSpec| {
        let terms = Terms { logo: None, ..Terms::clone(spec.terms.as_ref().unwrap()) };
        spec.terms = Some(Arc::new(terms));
    };
    assert_eq!(of(&unmarked, "smartnews", 1, 1), ["smartnews-7"]);
    assert_eq!(of(&nothing, "flipboard", 1, 19), ["flipboard-6"]);
    assert_eq!(of(&nothing, "flipboard", 1, 20), [""; 0]);
    assert_eq!(of(&spoken(""), "flipboard", 1, 20), ["flipboard-8"]);
    assert_eq!(of(&spoken("en"), "apple-news", 1, 1), ["apple-news-4"]);
    assert_eq!(of(&spoken("zh-Hans"), "apple-news", 1, 1), ["apple-news-4"]);
    assert_eq!(of(&spoken("zh-Hans-CN"), "apple-news", 1, 1), [""; 0]);

    // SmartNews: cut where it is too long.
    let mut spec = partner_spec("smartnews", &spec("news"));
    described(40)(&mut spec);
    let document = rendered(Format::Rss, &assemble(spec, Vec::new(), Vec::new()));
    let xml = Document::parse(&document).unwrap();
    let channel = xml.root_element().first_element_child().unwrap();
    assert!(plain(channel, "description").unwrap().chars().count() <= 30);
}

/// Every body of a document, as its readers take it apart.
fn check_bodies(dialect: &Dialect, document: &str) {
    let Some(limits) = &dialect.html else { return };
    let xml = Document::parse(document).unwrap();
    for item in items(&xml) {
        let content = child(item, (CONTENT, "encoded"));
        let body = match content {
            Some(content) => content.text().unwrap_or_default(),
            None => plain(item, "description").unwrap_or_default(),
        };
        let tree = Tree::parse_fragment(body);
        for node in tree.root_element().descendants().skip(1) {
            let Some(element) = ElementRef::wrap(node) else { continue };
            let name = element.value().name();
            assert!(limits.admits(name), "{}: <{name}> in {body}", dialect.name);
            let around = node.ancestors().filter_map(ElementRef::wrap).count();
            // Among those around is the root that the parser makes.
            assert!(dialect.name != "msn" || around < 10, "{around} deep: {body}");
        }
    }
}

/// M.3: MSN's list and depth; the others' lists.
#[test]
fn bodies_hold_what_the_dialect_takes() {
    for dialect in Dialect::all() {
        let document = rendered(Format::Rss, &news(&dialect.name));
        check_bodies(dialect, &document);
        assert!(document.contains("deep"), "{}: words stay", dialect.name);
    }
}

/// M-11, M-12: the main picture is shown once.
#[test]
fn the_main_picture_is_where_the_dialect_wants_it() {
    for (name, in_body, enclosure) in [
        ("plain", true, None),
        ("msn", false, None),
        ("smartnews", true, None),
        ("flipboard", true, Some("284113")),
        ("apple-news", true, None),
        ("line", true, Some("284113")),
        ("gunosy", false, Some("0")),
    ] {
        let mut sound = good();
        sound.attachments.push(Attachment {
            url: url("https://media.example.com/a.mp3"),
            mime_type: text("audio/mpeg"),
            title: Text::default(),
            bytes: Some(1),
            seconds: None,
        });
        let feed = assemble(partner_spec(name, &spec("news")), vec![article(1, sound)], Vec::new());
        let document = rendered(Format::Rss, &feed);
        assert_eq!(document.contains("&lt;img "), in_body, "{name}: {document}");
        let xml = Document::parse(&document).unwrap();
        let item = items(&xml)[0];
        let found = item.children().find(|child| child.has_tag_name("enclosure")).unwrap_or(item);
        let length =
            found.attribute("length").filter(|_| found.attribute("type") == Some("image/jpeg"));
        assert_eq!(length, enclosure, "{name}");
        assert_eq!(document.contains("a.mp3"), name == "plain", "{name}");
        assert_eq!(
            child(item, (CONTENT, "encoded")).is_some(),
            name != "line",
            "{name}: where the text is"
        );
    }
}

/// what readers do not know stays out of public feeds, and out of the plain feeds of partners.
#[test]
fn public_feeds_know_nothing_of_dialects() {
    let public = assemble(spec("news"), all_articles(), Vec::new());
    let plain = assemble(partner_spec("plain", &spec("news")), all_articles(), Vec::new());
    for format in Format::FEEDS {
        let address = "https://feeds.example.com/partner/harbour/news";
        let id = "feed/partner/harbour/news";
        let public = rendered(format, &public);
        let plain = rendered(format, &plain)
            .replace(address, "https://feeds.example.com/news")
            .replace(id, "feed/news");
        assert_eq!(plain, public);
    }
    for dialect in Dialect::all() {
        let public_path = FeedPath::Named("news".parse().unwrap());
        let spec = partner_spec(&dialect.name, &spec("news"));
        assert_ne!(spec.path, public_path);
        let others = Dialect::all().iter().filter(|other| other.name != dialect.name);
        for other in others {
            let other = partner_spec(&other.name, &self::spec("news"));
            assert_ne!(spec.fingerprint(), other.fingerprint());
        }
    }
}

#[test]
fn the_documentation_names_every_rule() {
    let page = include_str!("../../docs/partners.md");
    for dialect in Dialect::all() {
        assert!(page.contains(&format!("`{}`", dialect.name)), "{}", dialect.name);
        for rule in &dialect.rules {
            let row = format!("| {} |", rule.id);
            let line = page.lines().find(|line| line.starts_with(&row));
            let line = line.unwrap_or_else(|| panic!("{} is not documented", rule.id));
            assert_eq!(line.contains("held back"), rule.is_hard, "{line}");
            for bound in [rule.least, rule.most].into_iter().flatten().filter(|bound| *bound > 0) {
                // 364 whole days are less than 365 days.
                let bound = if rule.of == Subject::AgeDays { bound + 1 } else { bound };
                let digits = line.replace(',', "");
                assert!(digits.contains(&bound.to_string()), "{bound} in {line}");
            }
        }
    }
}

#[test]
fn check_names_what_is_held_back_from_a_partner() {
    let partner = "[[partner]]\nname = \"portal\"\nfeeds = [\"all\"]\ndialect = \"msn\"\n";
    let site = support::Site::new(&format!("{}\n{partner}", support::SETTINGS));
    let record = |id: &str, title: &str| {
        format!(
            "{{\"id\": \"{id}\", \"title\": \"{title}\", \"url\": \"https://www.example.com/{id}\", \
             \"content_text\": \"On Saturday.\", \"date_published\": \"2026-03-0{id}\"}}\n"
        )
    };
    site.write(
        "new.ndjson",
        record("1", "Library opens") + &record("2", "The library opens on Saturday"),
    );
    assert!(site.run(&["import", "new.ndjson"]).status.success());

    let output = site.run(&["check", "--partner", "portal"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = "error: article `1` in `partner/portal/all`: held back: its title has 13 characters, \
                not from 21 to 150; write another title [msn-1]";
    assert!(said.contains(line), "{said}");
    assert!(said.contains("1 feed: 1 held back, 1 error,"), "{said}");

    let output = site.run(&["check", "--json", "--partner", "portal"]);
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let errors =
        findings.as_array().unwrap().iter().filter(|finding| finding["severity"] == "error");
    assert_eq!(errors.map(|finding| &finding["rule"]).collect::<Vec<_>>(), ["msn-1"]);

    let output = site.run(&["check", "--partner", "nobody"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("no partner named `nobody`"));
    let output = site.run(&["check"]);
    assert!(!String::from_utf8(output.stdout).unwrap().contains("msn-1"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_articles_give_documents_within_every_dialect(articles in any_articles()) {
        for dialect in Dialect::all() {
            let feed = assemble(partner_spec(&dialect.name, &spec("news")), articles.clone(), gone());
            for format in Format::offered(&feed.spec).iter().filter(|format| **format != Format::Html) {
                let document = rendered(*format, &feed);
                let read = feed_rs::parser::parse(document.as_bytes()).unwrap();
                let signs = if dialect.sign.is_item() { gone().len() } else { 0 };
                prop_assert_eq!(read.entries.len(), feed.entries().len() + signs);
                let guids = read.entries.iter().map(|entry| entry.id.clone());
                let written = feed.entries().chain(feed.remnants()).map(|entry| entry.article().guid.to_string());
                let written: Vec<_> = written.take(read.entries.len()).collect();
                prop_assert_eq!(guids.collect::<Vec<_>>(), written);
                prop_assert_eq!(format.entries(document.as_bytes()).len(), feed.places().count());
            }
            prop_assert_eq!(feed.entries().len() + feed.held().len(), articles.len());
            check_bodies(dialect, &rendered(Format::Rss, &feed));
        }
    }
}
