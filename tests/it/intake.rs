//! What comes in from files of other systems.

use std::{fs, path::Path};

use courant::import::{
    Key, Record,
    charset::Label,
    page::{self, Page, Rules},
};

fn bytes(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages").join(name)).unwrap()
}

fn page(name: &str) -> Page {
    page::read(name, &bytes(name), Label::None, &Rules::default()).unwrap()
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
