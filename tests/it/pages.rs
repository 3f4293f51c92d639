//! Pages for people and the OPML list, as whole documents and as laws.

use std::{collections::BTreeMap, env, fs, path::Path, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use courant::{
    article::{Article, ArticleId, Mark, Part, Picture, Revision, Snapshot, Story},
    category::Category,
    feed::{Catalogue, Contact, Defaults, Feed, FeedPath, FeedSpec, Listing, Redirects, Site},
    format::{self, Format},
    text::Text,
};

fn noon() -> DateTime<Utc> {
    "2026-03-05T12:00:00Z".parse().unwrap()
}

fn text(raw: &str) -> Text {
    Text::new(raw)
}

fn contact(name: &str, email: &str) -> Contact {
    Contact { name: text(name), email: text(email) }
}

fn daily() -> Site {
    let labels = [("tech", "科技"), ("business", "财经"), ("culture", "文化"), ("sports", "体育")];
    let labels = labels.map(|(slug, label)| (slug.parse().unwrap(), text(label)));
    Site {
        title: text("江畔日报"),
        url: "https://www.jiangpan.example/".parse().unwrap(),
        description: text("一座城市的清晨：新闻、评论与生活，每日更新。"),
        language: "zh-CN".parse().ok(),
        time_zone: Tz::Asia__Shanghai,
        rights: Some(text("© 2026 江畔日报社。转载请注明出处。")),
        editor: Some(contact("陈晓岚", "editor@jiangpan.example")),
        webmaster: Some(contact("技术部", "web@jiangpan.example")),
        image: None,
        icon: Some("https://www.jiangpan.example/icon.png".parse().unwrap()),
        base: "https://feeds.jiangpan.example/".parse().unwrap(),
        labels: BTreeMap::from(labels),
    }
}

fn courier() -> Site {
    let labels = [("politics", "Politics"), ("science", "Science"), ("arts-books", "Arts & Books")];
    let labels = labels.map(|(slug, label)| (slug.parse().unwrap(), text(label)));
    Site {
        title: text("The Harbour Courier"),
        url: "https://www.harbour.example/".parse().unwrap(),
        description: text("Independent reporting from the coast, every morning."),
        language: "en-GB".parse().ok(),
        time_zone: Tz::UTC,
        rights: Some(text("© 2026 The Harbour Courier Ltd")),
        editor: None,
        webmaster: None,
        image: None,
        icon: None,
        base: "https://www.harbour.example/feeds/".parse().unwrap(),
        labels: BTreeMap::from(labels),
    }
}

fn catalogue(site: Site) -> Catalogue {
    Catalogue {
        site: Arc::new(site),
        defaults: Defaults::default(),
        feeds: Vec::new(),
        private: Vec::new(),
        partners: Vec::new(),
        redirects: Redirects::default(),
    }
}

fn of_category(catalogue: &Catalogue, label: &str) -> FeedSpec {
    FeedSpec::clone(&catalogue.category(&Category::from_label(label).unwrap()))
}

/// Newest first, 95 minutes apart.
fn feed(spec: FeedSpec, stories: Vec<Story>) -> Feed {
    let article = |(number, mut story): (usize, Story)| {
        let ago = TimeDelta::minutes(95) * i32::try_from(number).unwrap();
        let id = ArticleId::new(&format!("{}", 4800 - number)).unwrap();
        story.url = spec.site.url.join(&format!("2026/{id}")).ok();
        let (published, updated) = (noon() - ago, noon() - ago);
        let guid = text(&format!("tag:example.com,2026:{id}"));
        let (is_atom_id, revision) = (false, Revision(1));
        Arc::new(Article { id, guid, is_atom_id, published, updated, revision, bytes: 0, story })
    };
    let snapshot = Snapshot {
        head: Revision(4812),
        mark: Mark { revision: Revision(4812), changed: noon(), floor: Revision(0) },
        authority: "example.com,2026".to_owned(),
        part: Part::All,
        articles: stories.into_iter().enumerate().map(article).collect(),
        gone: Vec::new(),
    };
    Feed::assemble(Arc::new(spec), snapshot)
}

fn story(title: &str, summary: &str, pictures: &[&str]) -> Story {
    let picture =
        |name: &&str| Picture::bare(format!("https://img.example.com/{name}.jpg").parse().unwrap());
    Story {
        title: text(title),
        summary: text(summary),
        pictures: pictures.iter().map(picture).collect(),
        ..Story::default()
    }
}

fn headlines() -> Feed {
    let mut described = story(
        "老城区百年码头今日重新开放，市民可免费登船游览",
        "修缮历时三年，码头保留了1926年的木构候船厅。首周每天上午九点至下午五点开放，无需预约，遇大雾天气停航。",
        &["pier"],
    );
    described.pictures[0].alt = text("清晨的木构候船厅，几位老人正在等船");
    let mut foreign = story(
        "Shipping lines return to the river as the spring tariffs fall away",
        "Four carriers have announced weekly calls from April, the first regular service in six years; the port \
         expects 40,000 containers by the end of the summer.",
        &["ship"],
    );
    foreign.language = "en".parse().ok();
    let mut japanese = story(
        "桜前線、今年は平年より五日早く北上",
        "気象会社の予想では、川沿いの並木は三月二十日ごろに満開を迎える。",
        &[],
    );
    japanese.language = "ja".parse().ok();
    let stories = vec![
        described,
        story(
            "全市中小学生近视率连续三年下降：每天两小时户外活动如何做到，专家、校长与家长这样说，我们走访了十二所学校",
            "从“课间必须出教室”到“体育课不得占用”，十二所学校的经验并不复杂，难在坚持。",
            &["school"],
        ),
        foreign,
        story("气象台发布大风蓝色预警：今夜到明天阵风可达8级", "", &[]),
        story(
            "地铁7号线（二期）开始空载试运行——全程38分钟",
            "全线设站21座，其中换乘站6座。运营方表示，载客运营时间将视试运行结果确定，预计不晚于今年9月。",
            &["metro"],
        ),
        story(
            "",
            "编辑部更正：昨日第三版《春耕》一文中，“六百亩”应为“六千亩”，特此更正并致歉。",
            &[],
        ),
        story(
            "《论语》里的“学而时习之”，究竟是“复习”还是“实习”？",
            "两位学者在市图书馆的对谈吸引了三百多名听众。争论没有结论，但书架上的《论语》当天借空了。",
            &["library"],
        ),
        japanese,
        story(
            "AI 辅助诊断进社区：42 家卫生服务中心接入 CT 影像平台",
            "基层医生拍片，三甲医院复核，平均出报告时间由 26 小时缩短到 40 分钟。",
            &["clinic"],
        ),
        story(
            "R&D 投入首次突破 3% <市统计局>",
            "“研发强度”是指研究与试验发展经费占 GDP 的比重。",
            &[],
        ),
        story(
            "马拉松周日鸣枪，这些路段将分时管制",
            "起点江畔广场，终点体育中心。沿线 17 条公交线路临时调整，建议市民乘地铁出行。",
            &["run"],
        ),
        story("评论｜把江岸还给行人", "一条路让给车，是效率；一条路让给人，是城市。", &[]),
        story(
            "城市书房夜间延时开放",
            "即日起至六月底，二十四家城市书房周五、周六开放至零点。",
            &["night"],
        ),
        story("菜价回落：青菜每斤便宜八毛", "批发市场日到货量已恢复到节前水平。", &[]),
    ];
    feed(of_category(&catalogue(daily()), "头条"), stories)
}

fn science() -> Feed {
    let mut chinese = story(
        "中国科学家在南海发现新的冷泉生态系统",
        "“深海勇士”号在1,150米深处拍到大片贻贝床与管虫群落。",
        &["seep"],
    );
    chinese.language = "zh-CN".parse().ok();
    let stories = vec![
        story(
            "Tide gauges agree: the estuary is rising twice as fast as the models said it would",
            "Nine of eleven stations now show more than six millimetres a year. “We checked the instruments first, \
             and then we checked them again,” says the survey’s director.",
            &["gauge"],
        ),
        story(
            "Early daffodils, late swallows: what a hundred years of parish diaries tell us",
            "",
            &["daffodil"],
        ),
        chinese,
        story(
            "The 14-year-old who found a comet with a borrowed telescope",
            "Her first message to the observatory went to the spam folder.",
            &[],
        ),
        story(
            "Vaccine <b>trial</b> & error: a reader’s guide to “95% effective”",
            "It does not mean what you think.",
            &[],
        ),
        story(
            "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch gets a seismometer",
            "The village with the longest name in Britain joins a network of 900 stations.",
            &["seismo"],
        ),
        story(
            "Can a battery be made of rust? A pilot plant on the old dockyard intends to find out by autumn",
            "Iron-air cells are heavy, slow and cheap; for a grid that is no insult.",
            &["battery"],
        ),
        story("Correction: Monday’s eclipse chart", "", &[]),
        story(
            "Sleep, and the teenagers who do not get any",
            "Starting school an hour later gave pupils 34 minutes more of it, and fewer accidents on the coast road.",
            &["sleep"],
        ),
        story(
            "Whale song charts drift south with the herring",
            "Hydrophones off the point tell of a slow migration.",
            &[],
        ),
        story(
            "Book review: ‘The Unreasonable Sea’ by Ada Fenwick",
            "A history of oceanography that reads like a letter from somebody who has been away for a long time.",
            &["book"],
        ),
        story(
            "Museum asks public for help with 3,000 unlabelled beetles",
            "Patience required; tweezers provided.",
            &[],
        ),
    ];
    feed(of_category(&catalogue(courier()), "Science"), stories)
}

fn listing() -> Listing {
    let catalogue = catalogue(daily());
    let named = |name: &str, title: &str, description: &str| FeedSpec {
        path: FeedPath::Named(name.parse().unwrap()),
        title: text(title),
        description: text(description),
        ..of_category(&catalogue, "all")
    };
    let mut english = named(
        "english",
        "江畔日报 - In English",
        "The city in brief, for those who are new to it.",
    );
    english.language = "en".parse().ok();
    let about = |label, description| {
        let mut spec = of_category(&catalogue, label);
        spec.description = text(description);
        spec
    };
    let feeds = vec![
        named("news", "江畔日报", "全部文章，最新的在最前面。"),
        named("editors-pick", "江畔日报 - 编辑推荐", "每天三到五篇，值得慢慢读的报道与评论。"),
        english,
        about("头条", "今天最重要的事。"),
        about("tech", "科技、互联网，以及它们怎样改变日常生活。"),
        about("business", "市场、企业与钱包。"),
        about("culture", "书、戏、展览，和城里正在发生的故事。"),
        about("sports", "赛场内外。"),
        of_category(&catalogue, "天气"),
    ];
    Listing {
        site: Arc::clone(&catalogue.site),
        feeds: feeds.into_iter().map(Arc::new).collect(),
        revision: Revision(4790),
        changed: noon(),
    }
}

fn page(feed: &Feed) -> Vec<u8> {
    Format::Html.render(feed).unwrap()
}

/// Compares with a document in `tests/golden`; `UPDATE_GOLDEN=1` writes it instead.
fn check(name: &str, document: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, document).unwrap();
    }
    let expected = fs::read(&path).unwrap_or_default();
    let same = expected == document;
    assert!(same, "{name} differs; look at the change, then UPDATE_GOLDEN=1 cargo test");
}

#[test]
fn pages_are_as_expected() {
    check("feed-page.html", &page(&headlines()));
    check("feed-page-en.html", &page(&science()));
    check("index.html", &format::index(&listing()));
    check("feeds.opml", &format::opml(&listing()));
}

#[test]
fn equal_feeds_give_equal_pages() {
    assert_eq!(page(&headlines()), page(&headlines()));
    assert_eq!(format::index(&listing()), format::index(&listing()));
    assert_eq!(format::opml(&listing()), format::opml(&listing()));
}

/// The values of the attributes of this name, in order.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    page.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn every_address_on_a_page_is_absolute() {
    for page in [page(&headlines()), page(&science()), format::index(&listing())] {
        let page = String::from_utf8(page).unwrap();
        for address in [values(&page, "href"), values(&page, "src")].concat() {
            let absolute = address.starts_with("https://") || address.starts_with("mailto:");
            // The style sheet goes by path, see `format/page.rs`.
            assert!(absolute || address.ends_with("/style.css"), "{address}");
        }
    }
}

#[test]
fn a_page_announces_each_feed_once() {
    let announced =
        |page: Vec<u8>| String::from_utf8(page).unwrap().matches("rel=\"alternate\"").count();
    assert_eq!(announced(page(&headlines())), 1);
    assert_eq!(announced(format::index(&listing())), listing().feeds.len());
}

#[test]
fn pages_run_nothing() {
    for page in [page(&headlines()), page(&science()), format::index(&listing())] {
        let page = String::from_utf8(page).unwrap();
        for refused in ["<script", "<style", " style=", " onclick=", "<iframe", "<form", "<base"] {
            assert!(!page.contains(refused), "{refused}");
        }
    }
}

#[test]
fn style_asks_for_nothing_elsewhere() {
    for refused in ["url(", "@import", "@font-face", "image-set("] {
        assert!(!format::STYLE.contains(refused), "{refused}");
    }
}

#[test]
fn a_label_does_not_repeat_the_publication() {
    let labels: Vec<_> = listing().feeds.iter().map(|spec| spec.label().to_owned()).collect();
    let expected =
        ["江畔日报", "编辑推荐", "In English", "头条", "科技", "财经", "文化", "体育", "天气"];
    assert_eq!(labels, expected);
}
