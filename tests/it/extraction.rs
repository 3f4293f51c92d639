//! What is found in saved pages: the whole text and nothing else, the time of publication and no other, the bare headline.

use courant::import::{
    Record,
    charset::Label,
    page::{self, Rules},
};

const SENTENCE: &str = "The ferry company said on Friday, after months of talks, that the evening boat will sail again. ";
const SATZ: &str = "轮渡公司周五表示，经过数月商谈，夜间航班将恢复，市民可以凭证乘船。";

fn read(html: &str) -> Result<Record, String> {
    let page = page::read("a.html", "a.html", html.as_bytes(), Label::None, &Rules::default());
    page.map(|page| page.record).map_err(|fault| fault.problem)
}

fn found(html: &str) -> Record {
    read(html).unwrap_or_else(|problem| panic!("{problem}: {html}"))
}

/// A page with this in its head and its body.
fn page(head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html><head><meta charset=utf-8>{head}</head><body>\
         <ul class=menu><li><a href=/a>News</a><li><a href=/b>Sport</a></ul>{body}</body></html>"
    )
}

/// A page of an article with lines between its headline and its text.
fn article(head: &str, lines: &str) -> String {
    let text = format!("<p>{}</p>", SENTENCE.repeat(3)).repeat(2);
    page(head, &format!("<article><h1>Evening boat sails again</h1>{lines}{text}</article>"))
}

fn html(record: &Record) -> &str {
    record.content_html.as_deref().unwrap_or_default()
}

/// Whether the text of a page has all of the marks, and none of the others.
fn check_text(body: &str, marks: &[&str], others: &[&str]) {
    let record = found(&page("<title>Evening boat sails again</title>", body));
    for mark in marks {
        assert!(html(&record).contains(mark), "{mark} is missing: {}", html(&record));
    }
    for other in others {
        assert!(!html(&record).contains(other), "{other}: {}", html(&record));
    }
}

#[test]
fn a_text_in_several_wrappers_is_taken_whole() {
    let part = |mark: &str| format!("<p>{mark} {}</p>", SENTENCE.repeat(3));
    let all = ["FIRST", "SECOND", "THIRD"];
    let [first, second, third] = all.map(part);
    let head = "<h1>Evening boat sails again</h1>";
    for body in [
        format!(
            "<article>{head}<section>{first}{first}</section><h2>Why</h2><section>{second}</section><section>{third}</section></article>"
        ),
        format!(
            "<main>{head}<div class=row><div class=col>{first}</div></div><div class=row><div class=col>{second}</div></div><div class=row><div class=col>{third}</div></div></main>"
        ),
        format!(
            "{head}<div class=txt>{first}</div><figure><img src=https://e.example/a.jpg></figure><div class=txt>{second}</div><div class=txt>{third}</div>"
        ),
        format!(
            "{head}<div class=story-text>{first}</div><div class=ad>Buy</div><div class=story-text>{second}{third}</div>"
        ),
        // A page builder calls each of its parts a widget.
        format!(
            "<div class=elementor>{head}<div class='elementor-widget'>{first}</div><div class='elementor-widget'>{second}{third}</div></div>"
        ),
        // Pages of old systems stand in a form.
        format!("<form id=aspnetForm>{head}<div>{first}{second}{third}</div></form>"),
        // The first sentences stand apart.
        format!(
            "{head}<header class=intro><p>{}</p></header><div class=article-body>{second}{third}</div>",
            first.replace("<p>", "").replace("</p>", "")
        ),
    ] {
        check_text(&body, &all, &["Buy"]);
    }
}

#[test]
fn a_longer_text_elsewhere_is_not_the_article() {
    let promotion = format!("OTHER {}", SENTENCE.repeat(12));
    let short = "<h1>Evening boat sails again</h1><div class=article-body><p>The boat sails again, from May.</p><p>OWN tickets are on sale, and cost three euros.</p></div>";
    for body in [
        format!("{short}<div class=promo><p>{promotion}</p></div>"),
        format!("{short}<div id=cmp-box><div><p>{promotion}</p></div></div>"),
        format!("{short}<div class=statement>{promotion}</div>"),
        format!("{short}<div id=comments><div><p>{promotion}</p><p>{promotion}</p></div></div>"),
        format!("<aside><p>{promotion}</p></aside>{short}"),
    ] {
        check_text(&body, &["OWN"], &["OTHER"]);
    }
    let chinese = "<div class=post_main><h1>夜航恢复</h1><div class=post_body><p>周五恢复。</p><p>请凭证乘船。</p></div>";
    let body = format!("{chinese}<div class=statement>特别声明：{}</div></div>", SATZ.repeat(4));
    check_text(&body, &["请凭证乘船"], &["特别声明"]);
}

#[test]
fn a_few_words_far_from_the_headline_are_refused() {
    let between = format!("<div class=a><p>{}</p></div>", SENTENCE.repeat(2));
    for body in [
        // Nothing but a notice.
        "<div id=notice><p>Please update your browser, and try again.</p></div>".to_owned(),
        format!("<h1>Evening boat sails again</h1><div class=comments>{between}</div>"),
        "<h1>Evening boat sails again</h1><ul><li><a href=/1>One</a><li><a href=/2>Two</a></ul>"
            .to_owned(),
    ] {
        let read = read(&page("<title>Evening boat sails again</title>", &body));
        assert!(read.is_err(), "{read:?}");
    }
}

#[test]
fn scripts_and_hidden_parts_have_no_words() {
    let script = "var a = 1, b = 2; call(a, b); ".repeat(60);
    let body = format!(
        "<article><h1>Evening boat sails again</h1><p>{0}</p><p>{0}</p></article>\
         <div id=tags><span><script>{script}</script></span></div>\
         <p style='display: none'>HIDDEN {0}</p><div hidden>HIDDEN {0}</div>",
        SENTENCE.repeat(3)
    );
    check_text(&body, &["evening boat will sail"], &["var a", "HIDDEN"]);
    // In a list as well, which is taken as it is.
    let list = format!(
        "<article><h1>Evening boat sails again</h1><p>{}</p><ul><li>One boat.<script>{script}</script><li>Two.</ul></article>",
        SENTENCE.repeat(3)
    );
    check_text(&list, &["One boat."], &["var a"]);
}

#[test]
fn links_to_other_articles_are_left_out() {
    let text = format!("<p>FIRST {}</p>", SENTENCE.repeat(3));
    let body = format!(
        "<div class=breadcrumb><a href=/>Home</a> &gt; City</div><article><h1>Evening boat sails again</h1>{text}\
         <p>Read more: <a href=/x>OTHER boat sinks</a></p><p><strong><a href=/y>Lea también: OTHER puerto</a></strong></p>{text}\
         <h3>Related articles</h3><ul><li><a href=/1>OTHER one</a><li><a href=/2>OTHER two</a></ul></article>\
         <div class=related-posts><p>OTHER {0}</p></div>",
        SENTENCE.repeat(2)
    );
    check_text(&body, &["FIRST"], &["OTHER", "Home"]);
}

/// When a page says that its article was published and changed.
fn check_dates(page: &str, published: Option<&str>, modified: Option<&str>) {
    let record = found(page);
    let dates = (record.date_published.as_deref(), record.date_modified.as_deref());
    assert_eq!(dates, (published, modified), "{page}");
}

#[test]
fn the_time_of_publication_is_found_wherever_a_page_says_it() {
    let ld = |json: &str| format!("<script type=application/ld+json>{json}</script>");
    let meta = |date: &str| format!("<meta property=article:published_time content='{date}'>");
    for (head, lines, expected) in [
        (meta("2024-01-05T08:30:00+0100"), "", "2024-01-05T08:30:00+01:00"),
        (meta("2024-01-05T08:30+01:00"), "", "2024-01-05T08:30:00+01:00"),
        (meta("Fri, 05 Jan 2024 08:30:00 GMT"), "", "2024-01-05T08:30:00+00:00"),
        (meta("2024年01月05日 08:30"), "", "2024-01-05 08:30"),
        // A date that cannot be read does not hide one that can.
        (
            meta("yesterday"),
            "<time datetime=2024-01-05T08:30:00Z>5 Jan</time>",
            "2024-01-05T08:30:00Z",
        ),
        (
            String::new(),
            "<p class=meta>By Ann Lee, <time datetime=2024-01-05T08:30:00+01:00>5 January</time></p>",
            "2024-01-05T08:30:00+01:00",
        ),
        (String::new(), "<p>By Ann Lee, 5 January 2024</p>", "2024-01-05"),
        (String::new(), "<p>Veröffentlicht am 05.01.2024, 08:30 Uhr</p>", "2024-01-05 08:30"),
        (String::new(), "<p>Publié le 5 février 2024 à 8h30</p>", "2024-02-05 08:30"),
        (
            String::new(),
            "<abbr class=published title=2024-01-05T08:30:00+01:00>8:30</abbr>",
            "2024-01-05T08:30:00+01:00",
        ),
        (
            String::new(),
            "<div class=info><span>2024-01-05 08:30:15</span><span>来源：城东日报</span></div>",
            "2024-01-05 08:30:15",
        ),
        (
            "<meta itemprop=dateUpdate content='2024-01-05 08:30:15'>".to_owned(),
            "",
            "2024-01-05 08:30:15",
        ),
        (
            "<link rel=canonical href=https://e.example/2024/01/05/boat>".to_owned(),
            "",
            "2024-01-05",
        ),
        (
            ld(r#"{"@type":"WebPage","datePublished":"2024-01-05T08:30:00Z"}"#),
            "",
            "2024-01-05T08:30:00Z",
        ),
        (
            ld(
                r#"{"@graph":[{"@type":"WebSite"},{"@type":"BlogPosting","headline":"Evening boat sails again","datePublished":"2024-01-05T08:30:00Z"}]}"#,
            ),
            "",
            "2024-01-05T08:30:00Z",
        ),
        // The article of the page, not one of a list in it.
        (
            ld(
                r#"[{"@type":"ItemList","itemListElement":[{"@type":"NewsArticle","headline":"Other","datePublished":"2020-01-01"}]},{"@type":"NewsArticle","headline":"Evening boat sails again","datePublished":"2024-01-05"}]"#,
            ),
            "",
            "2024-01-05",
        ),
        // Midnight, or the day alone, for machines; the minute for people.
        (
            meta("2024-01-05T00:00:00+08:00"),
            "<div>2024-01-05 08:30</div>",
            "2024-01-05T08:30:00+08:00",
        ),
        (meta("2024-01-05"), "<div>2024-01-05 08:30 来源：城东日报</div>", "2024-01-05 08:30"),
        // One instant, in UTC for machines and as it is at the publisher's for people.
        (meta("2024-01-05T23:30:00Z"), "<div>2024-01-06 07:30</div>", "2024-01-06T07:30:00+08:00"),
    ] {
        check_dates(&article(&head, lines), Some(expected), None);
    }
    let script = "<div id=publish_time></div><script>var a = 1; var ct = \"1704443400\";</script>";
    check_dates(&article("", script), Some("2024-01-05T08:30:00+00:00"), None);
}

#[test]
fn an_update_is_never_a_publication() {
    let text = format!("<p>{}</p>", SATZ.repeat(4)).repeat(2);
    let with = |before: &str, after: &str| {
        page(
            "<title>夜航恢复</title>",
            &format!(
                "<div class=main><h1>夜航恢复了</h1>{before}<div id=text>{text}</div>{after}</div>"
            ),
        )
    };
    let shown = "<div class=info>2024-01-05 08:30 来源：城东日报</div>";
    check_dates(
        &with(shown, "<div class=foot>更新时间：2024-06-01 10:00</div>"),
        Some("2024-01-05 08:30"),
        Some("2024-06-01 10:00"),
    );
    check_dates(&with("<div>更新时间：2024-06-01 10:00</div>", ""), None, Some("2024-06-01 10:00"));
    check_dates(
        &with("<p>Published 5 January 2024, updated 7 January 2024</p>", ""),
        Some("2024-01-05"),
        Some("2024-01-07"),
    );
    check_dates(
        &with("<time class=updated datetime=2024-06-01>1 June</time>", ""),
        None,
        Some("2024-06-01"),
    );
}

#[test]
fn dates_of_other_things_are_not_that_of_the_article() {
    for lines in [
        "<p>The pier was opened on 2009-05-14.</p>",
        "<p>2009年5月14日，轮渡公司在码头举行了开航仪式，当天有三千人乘船，市长也到场祝贺。</p>",
    ] {
        check_dates(&article("", lines), None, None);
    }
    let shown = "<div class=info>2024-01-05 08:30</div>";
    for other in [
        "<ul class=related><li>旧闻 <span>发布时间：2020-04-01 09:00</span></li></ul>",
        "<div class=comments><p>网友 发布于：2024-04-01 09:00</p></div>",
        "<div class=foot>本站发布时间：2020-06-01 10:00</div>",
        "<aside><time datetime=2020-01-01>1 Jan</time></aside>",
    ] {
        let page = article("", shown).replace("</article>", &format!("{other}</article>"));
        check_dates(&page, Some("2024-01-05 08:30"), None);
    }
    let page = article("", &format!("{shown}<p>发布会时间：2024-02-01 10:00，地点在码头。</p>"));
    check_dates(&page, Some("2024-01-05 08:30"), None);
}

#[test]
fn titles_lose_the_name_of_the_site_and_nothing_else() {
    let text = format!("<p>{}</p>", SATZ.repeat(4)).repeat(2);
    for (head, body, expected) in [
        (
            "<title>夜航周五恢复-城东网</title>",
            "<div class=head-title>夜航周五恢复</div>",
            "夜航周五恢复",
        ),
        ("<title>夜航周五恢复_城事_城东网</title>", "", "夜航周五恢复"),
        ("<title>夜航_周五恢复 :: 城东网</title>", "<h1>夜航_周五恢复</h1>", "夜航_周五恢复"),
        ("<meta property=og:title content='新竹尖石_夜航'><title>x</title>", "", "新竹尖石_夜航"),
        (
            "<title>夜航周五恢复 城东轮渡公司</title>",
            "<div>夜航周五恢复了吗</div>",
            "夜航周五恢复 城东轮渡公司",
        ),
        (
            "<title>夜航周五恢复正常运营 城东轮渡</title>",
            "<div class=t>夜航周五恢复正常运营</div>",
            "夜航周五恢复正常运营",
        ),
        ("<title>夜航周五恢复__2024年第3号公报_城东网</title>", "", "夜航周五恢复"),
        (
            "<title>Night-boat sails | The Courier</title><meta property=og:site_name content='The Courier'>",
            "",
            "Night-boat sails",
        ),
        (
            "<title>The Courier - Night boat sails</title><meta property=og:site_name content='The Courier'>",
            "",
            "Night boat sails",
        ),
        ("<title>Night boat sails - again</title>", "", "Night boat sails - again"),
        // A quotation mark ends the attribute.
        (
            "<meta property=og:title content=\"船长喊\"开船\"之后\"><title>船长喊\"开船\"之后_城东网</title>",
            "<h1>船长喊\"开船\"之后</h1>",
            "船长喊\"开船\"之后",
        ),
        // A heading of what a site wants to be found by.
        (
            "<title>夜航周五恢复</title>",
            "<h1>轮渡_船票_轮渡时间_船票查询 - 城东网</h1>",
            "夜航周五恢复",
        ),
    ] {
        let record = found(&page(head, &format!("{body}<div id=c>{text}</div>")));
        assert_eq!(record.title.as_deref(), Some(expected), "{head}");
    }
}

#[test]
fn people_are_named_one_by_one() {
    let ld = |author: &str| {
        format!(
            "<script type=application/ld+json>{{\"@graph\":[{{\"@type\":\"Article\",\"headline\":\"Evening boat sails again\",\"author\":{author}}},\
             {{\"@type\":\"Person\",\"@id\":\"#ann\",\"name\":\"Ann Lee\"}}]}}</script>"
        )
    };
    for (head, expected) in [
        (
            "<meta name=author content='By Ann Lee and Bo Chen'>".to_owned(),
            &["Ann Lee", "Bo Chen"][..],
        ),
        ("<meta name=author content=15000>".to_owned(), &[]),
        (ld("{\"@id\":\"#ann\"}"), &["Ann Lee"]),
        (
            ld("[{\"@id\":\"#ann\"},{\"@type\":\"Person\",\"name\":\"Bo Chen\"}]"),
            &["Ann Lee", "Bo Chen"],
        ),
        (ld("{\"@type\":\"Organization\",\"name\":\"The Courier\"}"), &[]),
    ] {
        let record = found(&article(&head, ""));
        let names: Vec<_> =
            record.authors.iter().flatten().filter_map(|person| person.name.as_deref()).collect();
        assert_eq!(names, expected, "{head}");
    }
}

#[test]
fn what_is_wrong_beside_an_article_is_left_out() {
    let head = format!(
        "<meta property=og:description content='{}'><meta property=article:section content='{}'>\
         <meta property=og:image content='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
        SENTENCE.repeat(60),
        "x".repeat(200)
    );
    let record = found(&article(&head, "<div>来源：<a href='http://#'>城东日报</a></div>"));
    assert_eq!((record.summary, record.image, record.categories), (None, None, None));
    let source = record.source.unwrap();
    assert_eq!((source.name.as_deref(), source.url), (Some("城东日报"), None));
    let swiss = article("", "").replace("<html>", "<html lang=de_CH>");
    assert_eq!(found(&swiss).language.as_deref(), Some("de-CH"));
}

#[test]
fn pictures_have_the_address_that_a_browser_would_load() {
    let head = "<base href=https://img.example.org/2024/><link rel=canonical href=https://news.example.org/7.html>";
    for (picture, expected) in [
        ("<img src=pic.jpg>", Some("https://img.example.org/2024/pic.jpg")),
        (
            "<img src=data:image/gif;base64,x data-lazyload=/b.jpg>",
            Some("https://img.example.org/b.jpg"),
        ),
        (
            "<img src=/blank.gif data-large-file=https://a.example/c.png>",
            Some("https://a.example/c.png"),
        ),
        (
            "<img src=/placeholder.png data-srcset='https://a.example/d.webp 2x'>",
            Some("https://a.example/d.webp"),
        ),
        // A copy beside the page that a browser saved is nowhere else.
        ("<img src=./boat_files/e.jpg>", None),
        (
            "<img src=boat_files/f.jpg data-original=https://a.example/f.jpg>",
            Some("https://a.example/f.jpg"),
        ),
    ] {
        let record =
            found(&article(head, "").replace("</article>", &format!("<p>{picture}</p></article>")));
        let urls: Vec<_> =
            record.images.iter().flatten().filter_map(|image| image.url.as_deref()).collect();
        assert_eq!(urls, expected.into_iter().collect::<Vec<_>>(), "{picture}");
    }
}

#[test]
fn a_broken_byte_refuses_the_page_only_where_it_is_in_the_article() {
    let broken = |html: &str| {
        let mut bytes = html.replace('\u{1}', "\u{e9}").into_bytes();
        // The first byte of two, without the second.
        bytes.retain(|byte| *byte != 0xa9);
        page::read("a.html", "a.html", &bytes, Label::None, &Rules::default())
    };
    let long = format!("<p>{}</p>", SATZ.repeat(30));
    let page = article("", &long);
    let in_script = page.replace("</body>", "<script>var a = '\u{1}';</script></body>");
    assert!(broken(&in_script).is_ok());
    let in_text = page.replace("evening boat will", "evening b\u{1}at will");
    let problem = broken(&in_text).unwrap_err().problem;
    assert!(problem.contains("broken UTF-8"), "{problem}");
}

#[test]
fn pages_of_one_title_and_minute_are_one_article_only_with_one_text() {
    let saved = |name: &str, text: &str| {
        let html = page(
            "<title>每日天气</title><meta property=article:published_time content='2024-01-05 08:30'>",
            &format!("<article><h1>每日天气</h1><p>{text}</p></article>"),
        );
        page::read(name, name, html.as_bytes(), Label::None, &Rules::default()).unwrap()
    };
    let sun = "城东今天晴，最高气温二十二度，最低气温十一度，北风三级，适宜出行，傍晚起云量增多。";
    let rain = "河沿明天有小到中雨，请市民带伞，轮渡夜航可能停航，具体以码头公告为准，后天转多云。";
    let merged = |texts: [&str; 2]| {
        page::merge(vec![saved("a.html", texts[0]), saved("b.html", texts[1])]).len()
    };
    assert_eq!(merged([sun, rain]), 2);
    assert_eq!(merged([sun, sun]), 1);
    assert_eq!(
        merged([&format!("{sun}编辑：周明。"), &format!("<b>城东</b>{}", &sun["城东".len()..])]),
        1
    );
}

#[test]
fn lists_are_bounded_where_they_are_made() {
    let pictures = (0..3_000).map(|n| format!("<img src=/{n}.jpg>")).collect::<Vec<_>>().concat();
    let people = (0..3_000).map(|n| format!("Ann{n} Lee, ")).collect::<Vec<_>>().concat();
    let head = format!(
        "<meta name=author content='{people}'><link rel=alternate media=handheld href=https://m.e.example/>\
         <script type=application/ld+json>[{}1]</script>",
        "1,".repeat(2_000_000)
    );
    let record = found(&article(&head, "").replace("</article>", &format!("{pictures}</article>")));
    assert_eq!(record.images.unwrap().len(), 200);
    assert!(html(&found(&article("", &pictures))).matches("<img").count() <= 200);
    assert!(record.authors.unwrap().len() <= 20);
}
