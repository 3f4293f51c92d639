//! Documents: their bytes, and what readers find in them.

use std::{env, fs, path::Path};

use courant::{
    article::{
        Article, Attachment, Mark, Part, Person, Picture, Revision, Snapshot, Source, Story,
    },
    category::Category,
    feed::{Feed, FeedSpec},
    format::{Format, RenderError},
    text::Html,
};
use proptest::prelude::*;
use roxmltree::{Document, Node};

use crate::samples::{article, articles, feed, noon, spec, text, url};

pub(crate) fn check_golden(name: &str, feed: &Feed) {
    for format in Format::FEEDS.into_iter().filter(|f| Format::offered(&feed.spec).contains(f)) {
        let file = format!("{name}.{}", format.extension());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(&file);
        let document = String::from_utf8(format.render(feed).unwrap()).unwrap();
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path, document).unwrap();
        } else {
            let golden = fs::read_to_string(path).unwrap();
            assert!(document == golden, "{file} has changed; look at it with UPDATE_GOLDEN=1");
        }
    }
}

fn rendered(format: Format, feed: &Feed) -> String {
    String::from_utf8(format.render(feed).unwrap()).unwrap()
}

#[test]
fn documents_are_what_they_were() {
    check_golden("news", &feed(spec("news"), articles()));
    check_golden("empty", &feed(spec("empty"), Vec::new()));
    let summaries = FeedSpec { full_text: false, pictures: false, ..spec("summaries") };
    check_golden("summaries", &feed(summaries, articles()));
    let plain = article(1, Story { title: text("a"), ..Story::default() });
    let mut archive = feed(spec("archive"), vec![plain]);
    archive.part = Part::Archive("101-200".parse().unwrap());
    check_golden("archive", &archive);
}

#[test]
fn a_title_may_talk_about_markup() {
    let feed = feed(spec("news"), articles());
    for (format, title) in [
        (Format::Rss, "<title>Why &#x3C;br&#x3E; &#x26; &#x26;amp; matter</title>"),
        (Format::Atom, ">Why &lt;br&gt; &amp; &amp;amp; matter</title>"),
        (Format::Json, "\"title\": \"Why <br> & &amp; matter\""),
    ] {
        assert!(rendered(format, &feed).contains(title), "{format}");
    }
}

#[test]
fn only_prefixes_in_use_are_declared() {
    let empty = feed(spec("news"), Vec::new());
    let mut plain =
        feed(spec("news"), vec![article(1, Story { title: text("a"), ..Story::default() })]);
    plain.part = Part::Newest("1-9".parse().unwrap());
    for feed in [&empty, &plain] {
        let rss = rendered(Format::Rss, feed);
        assert!(rss.contains("<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\">"));
        assert!(!rendered(Format::Atom, feed).contains("xmlns:"));
    }
}

#[test]
fn what_cannot_be_carried_is_named() {
    let mut articles = articles();
    articles[1].guid = text("");
    let refused = Format::Json.render(&feed(spec("news"), articles)).unwrap_err();
    assert_eq!(refused.to_string(), "cannot write article `a-2` as JSON Feed");

    let mark = Mark { revision: Revision(1), changed: noon(), floor: Revision(0) };
    let authority = "\u{1}".to_owned();
    let (part, articles) = (Part::All, Vec::new());
    let snapshot =
        Snapshot { head: Revision(1), mark, authority, part, articles, gone: Vec::new() };
    let feed = Feed::assemble(spec("news").into(), snapshot);
    assert!(matches!(Format::Atom.render(&feed), Err(RenderError::Feed { .. })));
}

#[test]
fn absent_members_are_left_out() {
    let document = rendered(Format::Json, &feed(spec("news"), articles()));
    assert!(document.starts_with("{\n\"version\": \"https://jsonfeed.org/version/1.1\","));
    assert!(!document.contains("null"));
}

/// Texts that have broken feeds before.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let known = proptest::sample::select(vec![
        "]]>",
        "<![CDATA[",
        "&nbsp;",
        "&amp;",
        "&#x1;",
        "&#xD800;",
        "<",
        ">",
        "\"",
        "'",
        "&",
        "\r\n",
        "\r",
        "\t",
        " ",
        "\0",
        "\u{8}",
        "\u{b}",
        "\u{85}",
        "\u{a0}",
        "\u{3000}",
        "\u{202e}",
        "\u{2028}",
        "\u{feff}",
        "\u{fdd0}",
        "\u{fffd}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{1fffe}",
        "👨‍👩‍👧",
        "e\u{301}",
        "中文。",
        "<br>",
        "</item>",
        "<item>",
        "</p>",
        "<script>a</script>",
        "-->",
        "<!--",
        "<?php ?>",
        "<!DOCTYPE a>",
        "%",
        "word",
    ]);
    let part = prop_oneof![3 => known.prop_map(str::to_owned), 1 => any::<String>()];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

prop_compose! {
    fn any_story()(
        texts in proptest::collection::vec(hostile(), 12),
        content in hostile(),
        path in hostile(),
        is_brief in any::<bool>(),
        labels in proptest::collection::vec(hostile(), 0..3),
    ) -> Story {
        let mut address = url("https://www.example.com/a");
        address.set_path(&path);
        address.set_query(Some(&path));
        let mut texts = texts.iter().map(|raw| text(raw));
        let mut next = || texts.next().unwrap();
        let some = |text: courant::text::Text| (!text.is_empty()).then_some(text);
        let person = |name| Person { name, url: Some(address.clone()), email: None };
        let picture = Picture { caption: next(), credit: next(), alt: next(), ..Picture::bare(address.clone()) };
        let attachment = Attachment {
            url: address.clone(),
            mime_type: next(),
            title: next(),
            bytes: Some(0),
            seconds: None,
        };
        Story {
            url: Some(address.clone()),
            title: next(),
            summary: next(),
            is_brief,
            content: Html::sanitize(&content, None),
            authors: some(next()).map(person).into_iter().collect(),
            tags: vec![next(), next()],
            categories: labels.iter().filter_map(|label| Category::from_label(label).ok()).collect(),
            rights: some(next()),
            source: some(next()).map(|name| Source { name, feed_url: Some(address), ..Source::default() }),
            pictures: vec![picture],
            attachments: vec![attachment.clone(), attachment],
            ..Story::default()
        }
    }
}

prop_compose! {
    pub(crate) fn any_articles()(stories in proptest::collection::vec(any_story(), 1..3)) -> Vec<Article> {
        (1..).zip(stories).map(|(nth, story)| article(nth, story)).collect()
    }
}

fn child<'a>(entry: Node<'a, '_>, name: &str) -> &'a str {
    let child = entry.children().find(|child| child.tag_name().name() == name).unwrap();
    child.text().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_article_reads_back_as_it_was(articles in any_articles(), full_text in any::<bool>()) {
        let spec = FeedSpec { full_text, ..spec("news") };
        let feed = feed(spec, articles);
        for (format, entry, id) in [(Format::Rss, "item", "guid"), (Format::Atom, "entry", "id")] {
            let document = rendered(format, &feed);
            let xml = Document::parse(&document).unwrap();
            let read: Vec<_> = xml
                .descendants()
                .filter(|node| node.tag_name().name() == entry)
                .map(|node| (child(node, id).to_owned(), child(node, "title").to_owned()))
                .collect();
            let written: Vec<_> =
                feed.entries().map(|entry| (entry.iri(), entry.title().to_string())).collect();
            prop_assert_eq!(read, written);
        }
        for format in Format::FEEDS {
            let document = format.render(&feed).unwrap();
            let read = feed_rs::parser::parse(&document[..]).unwrap();
            prop_assert_eq!(read.entries.len(), feed.entries().len());
            for (read, written) in read.entries.iter().zip(feed.entries()) {
                prop_assert_eq!(&read.id, written.article().guid.as_str());
                let expected = written.title();
                let title = read.title.as_ref().map(|title| title.content.as_str());
                prop_assert_eq!(title, Some(expected.as_str()));
            }
        }
    }
}
