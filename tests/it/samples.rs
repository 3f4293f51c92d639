//! Feeds to test with.

use std::{num::NonZeroU16, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use courant::{
    article::{
        Article, ArticleId, Attachment, Mark, Part, Person, Picture, Revision, Snapshot, Source,
        Story, Window,
    },
    category::{Category, Selection},
    feed::{Contact, Feed, FeedPath, FeedSpec, Logo, Site},
    text::{Html, Text},
};
use url::Url;

pub(crate) fn url(url: &str) -> Url {
    url.parse().unwrap()
}

pub(crate) fn text(text: &str) -> Text {
    Text::new(text)
}

/// Thursday, 5 March 2026, 08:30 UTC.
pub(crate) fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_699_400, 0).unwrap()
}

pub(crate) fn site() -> Site {
    Site {
        title: text("示例新闻 & Co"),
        url: url("https://www.example.com/"),
        description: text("News from here and there"),
        language: Some("zh-CN".parse().unwrap()),
        rights: Some(text("© 2026 示例新闻 & Co")),
        editor: Some(Contact { name: text("编辑部"), email: text("desk@example.com") }),
        webmaster: Some(Contact { name: text("Jane Roe"), email: text("web@example.com") }),
        image: Some(Logo {
            url: url("https://www.example.com/logo-144.png"),
            width: Some(144),
            height: Some(36),
        }),
        icon: Some(url("https://www.example.com/icon-512.png")),
        time_zone: Tz::Asia__Shanghai,
        base: url("https://feeds.example.com/"),
        labels: [("world".parse().unwrap(), text("国际"))].into(),
    }
}

pub(crate) fn spec(name: &str) -> FeedSpec {
    let site = site();
    FeedSpec {
        path: FeedPath::Named(name.parse().unwrap()),
        title: text("示例新闻：要闻 & 公告"),
        description: text("今日要闻 < 公告"),
        home: url("https://www.example.com/news/"),
        language: site.language.clone(),
        selection: Selection::default(),
        window: Window::default(),
        full_text: true,
        pictures: true,
        ttl: NonZeroU16::new(5).unwrap(),
        show: None,
        terms: None,
        site: Arc::new(site),
    }
}

pub(crate) fn feed(spec: FeedSpec, articles: Vec<Article>) -> Feed {
    let mark = Mark { revision: Revision(7), changed: noon(), floor: Revision(0) };
    let articles = articles.into_iter().map(Arc::new).collect();
    let authority = "example.com,2026".to_owned();
    Feed::assemble(
        Arc::new(spec),
        Snapshot {
            head: Revision(7),
            mark,
            authority,
            part: Part::All,
            articles,
            gone: Vec::new(),
        },
    )
}

/// The nth article, an hour older than the one before.
pub(crate) fn article(nth: i32, story: Story) -> Article {
    let published = noon() - TimeDelta::hours(nth.into()) - TimeDelta::seconds(17);
    let key = format!("a-{nth}");
    Article {
        id: ArticleId::new(&key).unwrap(),
        guid: text(&format!("tag:example.com,2026:article/{key}")),
        is_atom_id: false,
        published,
        updated: published,
        revision: Revision(7),
        bytes: 1_000,
        story,
    }
}

/// The kinds of articles there are, one of each.
pub(crate) fn articles() -> Vec<Article> {
    let mut republished = article(1, republished());
    republished.updated += TimeDelta::minutes(25);
    let mut inherited = article(5, inherited());
    inherited.guid = text("新闻 #4711 <a>");
    let others = [podcast(), hostile(), bare()];
    let mut articles: Vec<_> = (2..).zip(others).map(|(nth, story)| article(nth, story)).collect();
    articles.insert(0, republished);
    articles.push(inherited);
    articles
}

/// The record of a Chinese news site, with everything in it.
fn republished() -> Story {
    let person = |name: &str| Person { name: text(name), ..Person::default() };
    let lead = Picture {
        caption: text("图为3月5日上午的会场 <主席台>"),
        credit: text("新华社记者 张三 摄"),
        alt: text("会场全景"),
        width: Some(1600),
        height: Some(900),
        mime_type: Some(text("image/jpeg")),
        bytes: Some(284_113),
        ..Picture::bare(url("https://media.example.com/i/1.jpg?w=1600&h=900"))
    };
    let second = Picture {
        caption: text("会场外"),
        ..Picture::bare(url("https://media.example.com/i/2.jpg"))
    };
    Story {
        url: Some(url("https://www.example.com/news/会议-1.html?id=1|2")),
        mobile_url: Some(url("https://m.example.com/news/1")),
        title: text("全国会议\u{3000}在京开幕 👨‍👩‍👧 AT&T"),
        summary: text("会议5日上午在北京开幕。A & B < C。"),
        content: Html::stored(
            "<p>会议<b>5日</b>上午在北京开幕。</p><p><a href=\"https://www.example.com/a?b=1&amp;c=2\">更多</a> 1 &lt; 2 ]]&gt;</p>"
                .to_owned(),
        ),
        authors: vec![person("李四"), person("王五")],
        editors: vec![person("赵六")],
        tags: vec![text("会议"), text("国际"), text("会议"), text("Q&A")],
        categories: vec![
            Category { slug: "world".parse().unwrap(), label: text("World") },
            Category::from_label("头条").unwrap(),
        ],
        rights: Some(text("© 新华社")),
        source: Some(Source {
            name: text("新华社 & 伙伴"),
            url: Some(url("https://partner.example.org/story/77?a=1&b=2")),
            feed_url: Some(url("https://partner.example.org/feed.rss")),
            title: Some(text("会议在京开幕")),
            author: Some(text("钱七")),
        }),
        pictures: vec![lead, second],
        ..Story::default()
    }
}

/// In another language, with two files and an author who has a page.
fn podcast() -> Story {
    let jane = Person {
        name: text("Jane Roe"),
        url: Some(url("https://www.example.com/people/jane")),
        email: Some(text("jane@example.com")),
    };
    let sound = Attachment {
        url: url("https://media.example.com/a/2.mp3?a=1&b=2"),
        mime_type: text("audio/mpeg"),
        title: text("The talk & more"),
        bytes: Some(24_986_239),
        seconds: Some(1_832),
    };
    let paper = Attachment {
        url: url("https://media.example.com/a/2.pdf"),
        mime_type: text("application/pdf"),
        title: text("Paper"),
        bytes: None,
        seconds: None,
    };
    Story {
        url: Some(url("https://www.example.com/news/2")),
        external_url: Some(url("https://elsewhere.example.net/talk")),
        title: text("Why feeds still matter"),
        summary: text("A talk of half an hour."),
        is_brief: true,
        content: Html::stored("<p>A talk of half an hour.</p>".to_owned()),
        authors: vec![jane],
        language: Some("en".parse().unwrap()),
        attachments: vec![sound, paper],
        ..Story::default()
    }
}

/// Text that talks about markup, and an origin without a feed.
fn hostile() -> Story {
    Story {
        url: Some(url("https://www.example.com/news/3")),
        title: text("Why <br> & &amp; matter"),
        summary: text("Write <br> or ]]> and \"quote\" it's safe"),
        content: Html::stored("<pre>&amp;lt;br&gt; ]]&gt; \"'</pre>\n<p>a</p>".to_owned()),
        language: Some("en".parse().unwrap()),
        source: Some(Source {
            name: text("Partner \"Wire\" <1>"),
            author: Some(text("John Doe")),
            ..Source::default()
        }),
        ..Story::default()
    }
}

/// Nothing but a title.
fn bare() -> Story {
    Story { title: text("停水通知 🚰"), ..Story::default() }
}

/// Without a title, and with an identity from another program.
fn inherited() -> Story {
    Story { summary: text("一句话新闻。"), ..Story::default() }
}
