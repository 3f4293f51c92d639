//! What comes in from files of other systems.

use std::{fs, path::Path};

use crate::support::{SETTINGS, Site};
use courant::import::{
    Key, Record,
    charset::Label,
    page::{self, Page, Rules},
};

fn bytes(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages").join(name)).unwrap()
}

fn page(name: &str) -> Page {
    page::read(name, name, &bytes(name), Label::None, &Rules::default()).unwrap()
}

/// Title, time, source, authors, editors.
fn byline(record: &Record) -> [String; 5] {
    let names = |people: &Option<Vec<courant::import::PersonRecord>>| {
        let people = people.iter().flatten();
        people.filter_map(|person| person.name.clone()).collect::<Vec<_>>().join(", ")
    };
    [
        record.title.clone().unwrap_or_default(),
        record.date_published.clone().unwrap_or_default(),
        record.source.as_ref().and_then(|source| source.name.clone()).unwrap_or_default(),
        names(&record.authors),
        names(&record.editors),
    ]
}

fn captions(record: &Record) -> Vec<String> {
    record.images.iter().flatten().map(|image| image.caption.clone().unwrap_or_default()).collect()
}

#[test]
fn pages_for_large_and_small_screens_become_one_article() {
    for names in [
        ["desktop-table.gbk.html", "mobile-lazy.html"],
        ["mobile-lazy.html", "desktop-table.gbk.html"],
    ] {
        let merged = page::merge(names.iter().map(|name| page(name)).collect());
        let [one] = &merged[..] else { panic!("{merged:#?}") };
        let record = &one.record;
        assert_eq!(
            byline(record),
            [
                "城东新图书馆开馆首日迎来八千读者",
                "2026-03-05 18:26",
                "城东日报",
                "林小雨, 何青",
                "周明, 吴桐"
            ]
        );
        assert_eq!(
            record.url.as_deref(),
            Some("https://www.example.com/city/2026/0305/c7-1042.html")
        );
        assert_eq!(
            record.mobile_url.as_deref(),
            Some("https://m.example.com/city/2026/0305/c7-1042.html?from=timeline")
        );
        assert!(
            matches!(&record.id, Some(Key::Text(id)) if id == "example.com/city/2026/0305/c7-1042.html")
        );
        assert_eq!(
            captions(record),
            [
                "读者走进城东新图书馆正门。（林小雨 摄）",
                "图为四层阅览区。林小雨 摄",
                "孩子们在儿童区看绘本。（何青 供图）",
                "中庭的天窗与书架。（林小雨 摄）"
            ]
        );
        let images = record.images.as_ref().unwrap();
        assert_eq!(
            images[0].url.as_deref(),
            Some("https://www.example.com/res/2026/0305/door.jpg")
        );
        assert_eq!(images[0].credit.as_deref(), Some("林小雨 摄"));
        assert_eq!(images[2].credit.as_deref(), Some("何青 供图"));
        let html = record.content_html.as_deref().unwrap();
        assert_eq!(html.matches("<p>").count(), 5, "{html}");
        assert_eq!(html.matches("<figcaption>").count(), 4, "{html}");
        assert!(html.starts_with("<p>3月5日上午"), "{html}");
        for furniture in ["责任编辑", "扫一扫", "相关", "许可证", "打印", "热门", "qr.png", "首页"]
        {
            assert!(!html.contains(furniture), "{furniture}: {html}");
        }
    }
}

#[test]
fn pages_that_say_little_to_machines_become_one_article_with_all_its_pictures() {
    for names in [
        ["desktop-paper.gbk.html", "mobile-paper.html"],
        ["mobile-paper.html", "desktop-paper.gbk.html"],
    ] {
        let merged = page::merge(names.iter().map(|name| page(name)).collect());
        let [one] = &merged[..] else { panic!("{merged:#?}") };
        let record = &one.record;
        let [title, time, source, _, editors] = byline(record);
        assert_eq!(title, "城东新图书馆开馆 首日迎客八千");
        // What the head of the page has is the day alone.
        assert!(time.starts_with("2026-03-05 18:26"), "{time}");
        assert_eq!((source.as_str(), editors.as_str()), ("城东网－城东日报", "周明, 吴桐"));
        assert_eq!(
            captions(record),
            [
                "读者走进新馆。林小雨摄",
                "四层阅览区。林小雨摄",
                "孩子们在儿童区看绘本。何青摄",
                "中庭的天窗与书架。林小雨摄"
            ]
        );
        let html = record.content_html.as_deref().unwrap();
        assert_eq!(html.matches("<p>").count(), 4, "{html}");
        for furniture in ["第 07 版", "责编", "分享", "相关", "许可证", "记者", "客户端"]
        {
            assert!(!html.contains(furniture), "{furniture}: {html}");
        }
    }
    let agency = page("agency.html").record;
    assert_eq!(
        byline(&agency),
        ["城东新图书馆：一座建在家门口的书房", "2026-03-05 18:26:40", "河沿网", "", "周明"]
    );
    assert_eq!(
        captions(&agency),
        [
            "3月5日，读者走进城东新图书馆。 河沿社记者 林小雨 摄",
            "这是四层阅览区。河沿社发（何青 摄）"
        ]
    );
}

/// A page of an article as a site writes it, with `head` in its head.
fn small(name: &str, head: &str, text: &str) -> Page {
    let html = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=utf-8>{head}<meta property=\"og:title\" content=\"天气预报\">\
         <meta property=\"article:published_time\" content=\"2026-03-05 18:26\"><meta name=source content=\"城东日报\">\
         </head><body><h1>天气预报</h1><div class=article><p>{0}</p><p>{0}</p><p>{0}</p></div></body></html>",
        text.repeat(12)
    );
    page::read(name, name, html.as_bytes(), Label::None, &Rules::default()).unwrap()
}

/// The articles of pages: of each its id, and whether its text has 晴 or 雨.
fn articles(pages: Vec<Page>) -> Vec<(String, bool, bool)> {
    let article = |page: Page| {
        let Some(Key::Text(id)) = page.record.id else { panic!("no id") };
        let html = page.record.content_html.unwrap();
        (id, html.contains('晴'), html.contains('雨'))
    };
    page::merge(pages).into_iter().map(article).collect()
}

#[test]
fn different_articles_that_name_one_address_stay_two() {
    let canonical = |address: &str| format!("<link rel=canonical href=\"{address}\">");
    let agent =
        |address: &str| format!("<meta name=mobile-agent content=\"format=html5;url={address}\">");
    let large = |n: u8, other: &str, text: &str| {
        let head = canonical(&format!("https://www.example.com/{n}.html")) + &agent(other);
        small(&format!("{n}.html"), &head, text)
    };
    let two = [
        ("example.com/1.html".to_owned(), true, false),
        ("example.com/2.html".to_owned(), false, true),
    ];
    // The front page for small screens, which all name; nothing but the text tells them apart.
    for home in ["https://m.example.com/", "https://m.example.com/wap/", "https://m.example.com"] {
        assert_eq!(articles(vec![large(1, home, "晴。"), large(2, home, "雨。")]), two, "{home}");
    }
    // A page of the section, which is there as well.
    let section = "https://m.example.com/weather";
    let titled = "<meta property=og:title content=天气频道>".to_owned() + &canonical(section);
    let listed = small("m.html", &titled, "云。");
    let (a, b) = (large(1, section, "晴。"), large(2, section, "雨。"));
    for pages in [[a.clone(), b.clone(), listed.clone()], [listed, a, b]] {
        let found = articles(pages.into());
        let (ids, texts): (Vec<_>, Vec<_>) =
            found.into_iter().map(|(id, sun, rain)| (id, (sun, rain))).unzip();
        assert!(ids.contains(&two[0].0) && ids.contains(&two[1].0), "{ids:?}");
        assert!(texts.contains(&(true, false)) && texts.contains(&(false, true)), "{texts:?}");
    }
    // More than two articles name it: it is of none of them.
    let mut pages: Vec<_> = (1..=3).map(|n| large(n, section, "晴。")).collect();
    pages.push(small("m.html", &titled, "雨。"));
    assert_eq!(articles(pages).len(), 4);
    // Every page says that the front page is the article's.
    let homeless = |n: u8, text: &str| {
        let saved = format!("<!-- saved from url=(0030)https://www.example.com/{n}.html -->");
        small(&format!("{n}.html"), &(saved + &canonical("https://www.example.com/")), text)
    };
    assert_eq!(articles(vec![homeless(1, "晴。"), homeless(2, "雨。")]), two);
    // The page for small screens of one article, elsewhere: one article.
    let mobile = small("m1.html", &canonical("https://m.example.com/city/c7"), "晴。");
    let pages = vec![large(1, "https://m.example.com/city/c7", "晴。"), mobile];
    assert_eq!(articles(pages), two[..1]);
    // Nothing but its name in the other page says that it is for small screens.
    let plain = "https://www.example.com/read.php?c=7";
    let mobile = || small("m1.html", &canonical(plain), "晴。");
    for pages in [vec![large(1, plain, "晴。"), mobile()], vec![mobile(), large(1, plain, "晴。")]]
    {
        assert_eq!(page::merge(pages.clone())[0].record.mobile_url.as_deref(), Some(plain));
        assert_eq!(articles(pages), two[..1]);
    }
}

#[test]
fn a_page_is_where_it_was_saved_and_not_where_a_comment_says() {
    for (comment, address) in [
        ("saved from url=(0034)https://www.example.com/a/1.html ", Some("example.com/a/1.html")),
        (
            "\n Page saved with SingleFile \n url: https://www.example.com/a/1.html \n saved date: x\n",
            Some("example.com/a/1.html"),
        ),
        (
            "\n Archive processed by SingleFile \n url: https://www.example.com/a/1.html \n",
            Some("example.com/a/1.html"),
        ),
        (" template: news url: https://static.example.com/t/7 ", None),
        (" url: https://static.example.com/t/7", None),
        (" not saved from url=(0030)https://static.example.com/t/7", None),
        ("saved from url=(x)https://static.example.com/t/7", None),
    ] {
        let page = small("a.html", &format!("<!--{comment}-->"), "晴。");
        let expected = address.unwrap_or("a.html");
        assert!(
            matches!(&page.record.id, Some(Key::Text(id)) if id == expected),
            "{comment}: {page:?}"
        );
    }
}

#[test]
fn every_layout_gives_its_article() {
    let schema = page("schema-org.html").record;
    assert_eq!(
        byline(&schema),
        ["河沿街步道建成通行", "2026-04-01T09:00:00+08:00", "城东日报", "陈一帆", "周明"]
    );
    assert_eq!(schema.categories.as_deref().unwrap(), ["城事"]);
    assert_eq!(captions(&schema), ["清晨的步道。陈一帆 摄"]);
    let html = schema.content_html.unwrap();
    assert!(html.contains("<h2>六处凉亭，两座桥</h2>") && html.contains("<blockquote>"), "{html}");

    let graph = page("open-graph.html").record;
    assert_eq!(
        byline(&graph),
        ["River walk opens", "2026-04-01T09:00:00+08:00", "", "Yifan Chen", ""]
    );
    let html = graph.content_html.unwrap();
    assert_eq!(html.matches("<p>").count(), 2, "{html}");
    assert!(!html.contains("Share"), "{html}");

    let bare = page("bare.big5.html").record;
    assert_eq!(
        byline(&bare),
        ["城東小學新校舍啟用", "2026-09-01 08:05:10", "城東新聞", "", "周明"]
    );
    assert_eq!(captions(&bare), ["△ 新校舍的操場。"]);
    let html = bare.content_html.unwrap();
    assert_eq!(html.matches("<p>").count(), 3, "{html}");
}

/// Runs an import of a file in a memory of 900 MB.
fn bounded(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_courant");
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg("ulimit -v 900000; exec \"$0\" \"$@\"").arg(program).args(arguments);
    let output = command.current_dir(site.path(".")).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn hostile_files_are_refused_by_name_in_bounded_memory() {
    let site = Site::new(SETTINGS);
    let long = |name: &str, before: &str, after: &str| {
        use std::io::Write;
        let mut file = std::io::BufWriter::new(fs::File::create(site.path(name)).unwrap());
        file.write_all(before.as_bytes()).unwrap();
        // A gigabyte on one line.
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..1024 {
            file.write_all(&piece).unwrap();
        }
        file.write_all(after.as_bytes()).unwrap();
    };
    long("line.ndjson", "{\"id\":\"1\",\"title\":\"", "\"}\n{\"id\":\"2\",\"title\":\"x\"}\n");
    let (code, said) = bounded(&site, &["import", "line.ndjson"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("line.ndjson:1: ") && said.contains("1 published, 1 refused"), "{said}");
    fs::remove_file(site.path("line.ndjson")).unwrap();

    long(
        "long.xml",
        "<rss version=\"2.0\"><channel>\n<item><guid>1</guid><title>",
        "</title></item></channel></rss>",
    );
    let (code, said) = bounded(&site, &["import", "long.xml"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("long.xml:2: ") && said.contains("larger than"), "{said}");
    fs::rename(site.path("long.xml"), site.path("long.html")).unwrap();
    let (code, said) = bounded(&site, &["import", "--as", "page", "long.html"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("long.html:1: ") && said.contains("larger than"), "{said}");
    fs::remove_file(site.path("long.html")).unwrap();

    let deep = format!("<html><body>{}x", "<div>".repeat(200_000));
    let gbk = [
        b"<html><head><meta charset=windows-1252></head><body><p>".to_vec(),
        encoding_rs::GBK.encode(&"城东新图书馆周六开放。".repeat(9)).0.into_owned(),
    ]
    .concat();
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY a \"aaaaaaaaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>\n<rss version=\"2.0\"><channel><item><guid>&c;</guid></channel></rss>";
    for (name, bytes, problem) in [
        ("deep.html", deep.into_bytes(), "nest deeper"),
        ("said.html", gbk, "looks like gb18030"),
        ("bomb.xml", bomb.as_bytes().to_vec(), "not XML"),
        (
            "cut.xml",
            b"<rss version=\"2.0\"><channel><item><guid>1</guid><title>x".to_vec(),
            "has no end",
        ),
        ("empty.html", Vec::new(), "no article"),
        ("cut.md", b"---\ntitle: x\n".to_vec(), "no end"),
    ] {
        site.write(name, bytes);
        let (code, said) = bounded(&site, &["import", name]);
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.contains(problem) && said.contains(name), "{name}: {said}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn no_reader_panics(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "<rss><channel>", "<item>", "</item>", "<guid>", "&lt;", "&#0;", "&#xd800;", "<![CDATA[", "]]>", "<feed>", "<entry>",
            "<itunes:duration>99999999999999999999:1:1</itunes:duration>", "---\n", "+++\n", "title: x\n", "{{< figure src=\"",
            "<table><td>", "<p>来源：", "2026年3月5日", "</p>", "<img data-src=x>", "责任编辑：", "<script type=\"application/ld+json\">{\"@type\":\"Article\"",
            "</script>", "：", "[caption", "]", "[code]", "[/code]", "[[a]", "[embed]", "[/embed", "[x y=1]", "<pre>", "<!--", "\n\n", "https://a.example/b.mp3", "<a href=", "城东", "\u{3000}\u{3000}", "<br>", "99999年13月", "<opml><body><outline xmlUrl='x'>",
        ]), 0..40),
    ) {
        use courant::import::{feed, markdown, read_opml, utf8, wordpress_html, Posts, Wanted, WordPressIndex};
        let text = parts.concat();
        for bytes in [&bytes[..], text.as_bytes()] {
            let _ = feed::read(bytes, Label::None, None);
            let _ = page::read("a/b.html", "b.html", bytes, Label::None, &Rules::default());
            let index = WordPressIndex::read(bytes);
            let _ = Posts::open(bytes, index, Wanted::default(), std::sync::Arc::default()).count();
            let _ = utf8(bytes, Label::None).map(|mut read| std::io::Read::read_to_end(&mut read, &mut Vec::new()));
        }
        let _ = markdown::read("a/2026-01-01-b.md", &text);
        let _ = wordpress_html(&text);
        let _ = read_opml(&text);
    }
}

#[test]
fn files_of_other_systems_are_known_by_their_looks() {
    let site = Site::new(SETTINGS);
    fs::create_dir_all(site.path("content/posts")).unwrap();
    site.write("content/posts/2026-03-05-opening.md", "---\ntitle: Opening\n---\nText.\n");
    site.write("content/posts/later.md", "---\ntitle: Later\ndraft: true\n---\nText.\n");
    site.write("content/desk.html", bytes("desktop-table.gbk.html"));
    site.write("content/hand.html", bytes("mobile-lazy.html"));
    site.write("list.opml", "<opml version=\"2.0\"><body><outline text=\"D\" xmlUrl=\"https://daily.example.org/feed\"/></body></opml>");
    let (code, said) = bounded(&site, &["import", "content", "list.opml"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("2 records: 2 published") && said.contains("passed over: 1 draft"),
        "{said}"
    );
    assert!(said.contains("[source.d] # D\nkind = \"feed\""), "{said}");
    let (_, said) = bounded(&site, &["render", "all", "--format", "json"]);
    assert!(said.contains("城东新图书馆开馆首日迎来八千读者"), "{said}");
}

#[test]
fn a_file_that_cannot_be_read_stops_no_other() {
    let site = Site::new(SETTINGS);
    fs::create_dir_all(site.path("content/more")).unwrap();
    site.write("content/a.md", "---\ntitle: A\n---\nText.\n");
    site.write("content/more/z.md", "---\ntitle: Z\n---\nText.\n");
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        std::os::unix::fs::symlink("nowhere.html", site.path("content/b.html")).unwrap();
        // 新 in GBK.
        let name = std::ffi::OsStr::from_bytes(b"content/\xd0\xc2.md");
        fs::write(site.path(".").join(name), "---\ntitle: H\n---\nText.\n").unwrap();
    }
    let (code, said) = bounded(&site, &["import", "content"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("content/b.html:1: it cannot be read: "), "{said}");
    assert!(said.contains("its name cannot be the key of an article"), "{said}");
    assert!(said.contains("4 records: 2 published, 2 refused"), "{said}");

    let record = |id: u8| format!("{{\"id\": \"{id}\", \"title\": \"x\"}}\n").into_bytes();
    site.write(
        "bad.ndjson",
        [record(1), b"{\"id\": \"2\", \"title\": \"\xff\"}\n".to_vec()].concat(),
    );
    site.write("good.ndjson", record(3));
    let (code, said) = bounded(&site, &["import", "--charset", "gbk", "bad.ndjson", "good.ndjson"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("bad.ndjson:1: ") && said.contains("1 refused"), "{said}");
    assert!(
        bounded(&site, &["render", "all", "--format", "json"]).1.contains("article/3"),
        "{said}"
    );

    // One that was named and is not there: nothing is begun.
    site.write("four.ndjson", record(4));
    let (code, said) = bounded(&site, &["import", "four.ndjson", "nowhere.ndjson"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("cannot read `nowhere.ndjson`"), "{said}");
    assert!(
        !bounded(&site, &["render", "all", "--format", "json"]).1.contains("article/4"),
        "{said}"
    );
}

#[test]
fn the_key_of_a_file_is_its_path_below_the_folder_that_was_named() {
    let site = Site::new(SETTINGS);
    for (folder, name) in [("saved/1", "bare.big5.html"), ("saved/2", "agency.html")] {
        fs::create_dir_all(site.path(folder)).unwrap();
        site.write(&format!("{folder}/index.html"), bytes(name));
        assert!(page(name).own.is_none(), "{name} says an address");
    }
    let whole = site.path("saved");
    for folder in ["saved", "./saved/", whole.to_str().unwrap()] {
        let (code, said) = bounded(&site, &["import", "--json", folder]);
        assert_eq!(code, Some(0), "{said}");
        let expected = if folder == "saved" { "\"published\": 2" } else { "\"unchanged\": 2" };
        assert!(said.contains(expected), "{folder}: {said}");
    }
    // Named one by one, both have one key: the second is not taken for the first.
    let (code, said) = bounded(&site, &["import", "saved/1/index.html", "saved/2/index.html"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("saved/2/index.html:1: `index.html` would be the key of another"),
        "{said}"
    );
    let (code, said) = bounded(&site, &["import", whole.join("1/index.html").to_str().unwrap()]);
    assert!(code == Some(0) && said.contains("1 unchanged"), "{said}");
}

#[test]
fn files_of_two_folders_with_one_name_are_not_one_article() {
    let site = Site::new(SETTINGS);
    for (file, title) in [("one/a.md", "Library opens"), ("two/a.md", "Bridge closed")] {
        let text =
            format!("---\ntitle: {title}\ndate: 2026-03-05T08:00:00Z\n---\n\nText of {title}.\n");
        fs::create_dir_all(site.path(file).parent().unwrap()).unwrap();
        site.write(file, text);
    }
    assert_eq!(site.run(&["import", "one"]).status.code(), Some(0));
    let refused = site.run(&["import", "two/a.md"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(
        error.contains("two/a.md:1: id: `a` is the key of the stored article `Library opens`"),
        "{error}"
    );
    assert!(error.contains("/one`"), "{error}");
    // The same file again is the same article, whatever it says by now.
    site.write(
        "one/a.md",
        "---\ntitle: Library open\ndate: 2026-03-06T08:00:00Z\n---\n\nCome in.\n",
    );
    let again = site.run(&["import", "--json", "one/a.md"]);
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&report["corrected"], &report["refused"]), (&1.into(), &0.into()), "{report}");
}
