//! Where the text of an article stands in its page, and what of it is the article.

use std::collections::{HashMap, HashSet};

use scraper::{ElementRef, Html, Node};
use url::Url;

use super::{
    blocks::{self, Block, Paragraph, Shown, blocks},
    rules::Rule,
    select,
};
use crate::import::record::ImageRecord;

/// The text of an article, without what the page has around it.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub html: String,
    pub pictures: Vec<ImageRecord>,
    /// What was left out at its end, or stood around it: there, names of editors are found.
    pub lines: Vec<String>,
}

/// Longest line that is taken for a caption, in characters.
const MAX_CAPTION: usize = 160;
/// Longest line that is taken for furniture, in characters.
const MAX_FURNITURE: usize = 140;

/// The words in class names and ids of what is no part of an article.
const FURNITURE: [&str; 38] = [
    "share",
    "social",
    "related",
    "relation",
    "recommend",
    "copyright",
    "statement",
    "footer",
    "foot",
    "toolbar",
    "comment",
    "comments",
    "qrcode",
    "qr",
    "ewm",
    "erweima",
    "pager",
    "pagination",
    "breadcrumb",
    "crumb",
    "ad",
    "ads",
    "advert",
    "adv",
    "download",
    "openapp",
    "hot",
    "fontsize",
    "print",
    "sidebar",
    "nav",
    "xgxw",
    "disclaimer",
    "like",
    "zan",
    "report",
    "hidden",
    "follow",
];

/// How lines begin, or what they hold, that pages put around articles.
const BEGINS: [&str; 34] = [
    "责任编辑",
    "責任編輯",
    "责编",
    "编辑：",
    "编辑:",
    "编审",
    "校对",
    "审核",
    "监制",
    "来源：",
    "来源:",
    "稿源",
    "分享到",
    "分享：",
    "分享让",
    "扫一扫",
    "扫描二维码",
    "扫码",
    "长按",
    "返回首页",
    "上一篇",
    "下一篇",
    "打开APP",
    "打开app",
    "点击下载",
    "下载客户端",
    "关闭窗口",
    "打印本页",
    "【打印",
    "【纠错",
    "声明：",
    "免责声明",
    "版权声明",
    "Copyright",
];
const HOLDS: [&str; 18] = [
    "版权所有",
    "未经授权",
    "许可证",
    "ICP备",
    "ICP证",
    "京ICP",
    "公网安备",
    "视听节目",
    "违法和不良信息",
    "举报电话",
    "网站地图",
    "All Rights Reserved",
    "all rights reserved",
    "责任编辑：",
    "责任编辑:",
    "责编：",
    "我要纠错",
    "字号：",
];
/// What stands above links to other articles.
const RELATED: [&str; 12] = [
    "相关阅读",
    "相关新闻",
    "相关文章",
    "相关链接",
    "相关报道",
    "延伸阅读",
    "推荐阅读",
    "热门推荐",
    "更多新闻",
    "猜你喜欢",
    "精彩推荐",
    "Related",
];

pub(super) fn of(
    tree: &Html,
    rule: Option<&Rule>,
    title: Option<&str>,
    base: Option<&Url>,
) -> Body {
    let removed = rule.map(|rule| rule.removed(tree)).unwrap_or_default();
    let removed: HashSet<_> = removed.iter().map(|element| element.id()).collect();
    let by_rule = rule.and_then(|rule| rule.body(tree));
    let stated = || {
        let all = select(tree, "[itemprop~='articleBody']");
        all.into_iter().max_by_key(|element| blocks::words(*element).len())
    };
    let Some(root) = by_rule.or_else(stated).or_else(|| densest(tree)) else {
        return Body::default();
    };
    let all = blocks::words(root).chars().count();
    let is_out = |element: ElementRef<'_>| {
        removed.contains(&element.id()) || (is_furniture(element) && is_small_part(element, all))
    };
    let found = blocks(root, base, &is_out);
    let mut lines = Vec::new();
    let found = without_furniture(found, title, &mut lines);
    written(captioned(found), lines)
}

/// What holds more than a third of the words is no furniture, whatever it is called.
fn is_small_part(element: ElementRef<'_>, all: usize) -> bool {
    blocks::words(element).chars().count() * 3 <= all
}

fn is_furniture(element: ElementRef<'_>) -> bool {
    let value = element.value();
    if matches!(value.name(), "nav" | "aside" | "footer" | "header" | "form")
        || value.attr("hidden").is_some()
    {
        return true;
    }
    let style = value.attr("style").unwrap_or_default().replace(' ', "").to_ascii_lowercase();
    let names = [value.attr("class"), value.attr("id")].into_iter().flatten();
    style.contains("display:none")
        || names.flat_map(words_of_name).any(|word| FURNITURE.contains(&word.as_str()))
}

/// `relatedNews hot-list`: `related`, `news`, `hot`, `list`.
fn words_of_name(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if c.is_ascii_alphabetic() {
            if c.is_ascii_uppercase() && was_small {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(c.to_ascii_lowercase());
            }
        } else {
            words.push(String::new());
        }
        was_small = c.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The element that holds the most running text, by paragraphs of its own and half of those of its children.
fn densest(tree: &Html) -> Option<ElementRef<'_>> {
    let mut scores = HashMap::new();
    let mut note = |element: Option<ElementRef<'_>>, score: f64| {
        if let Some(element) = element {
            *scores.entry(element.id()).or_insert(0.0) += score;
        }
    };
    for element in tree.root_element().descendent_elements() {
        let is_hidden = matches!(
            element.value().name(),
            "script" | "style" | "noscript" | "nav" | "footer" | "aside" | "head"
        );
        if is_hidden
            || element.ancestors().filter_map(ElementRef::wrap).any(|around| {
                matches!(
                    around.value().name(),
                    "nav" | "footer" | "aside" | "head" | "script" | "style" | "noscript"
                )
            })
        {
            continue;
        }
        // Text that stands in an element, not in one of a line within it.
        let own: String = element
            .children()
            .filter_map(|child| match child.value() {
                Node::Text(text) => Some(text.to_string()),
                Node::Element(inner)
                    if matches!(inner.name(), "span" | "strong" | "b" | "font" | "em" | "i") =>
                {
                    ElementRef::wrap(child).map(blocks::words)
                }
                _ => None,
            })
            .collect();
        let worth = worth(&own);
        if worth <= 0.0 {
            continue;
        }
        match element.value().name() {
            "a" | "li" | "button" | "option" | "h1" | "title" | "span" | "strong" | "b"
            | "font" | "em" | "i" => {}
            "p" | "blockquote" | "h2" | "h3" | "figcaption" | "section" => {
                let parent = element.parent().and_then(ElementRef::wrap);
                note(parent, worth);
                note(
                    parent.and_then(|parent| parent.parent()).and_then(ElementRef::wrap),
                    worth / 2.0,
                );
            }
            _ => {
                note(Some(element), worth);
                note(element.parent().and_then(ElementRef::wrap), worth / 2.0);
            }
        }
    }
    let elements = tree.root_element().descendent_elements();
    let rated = elements.filter_map(|element| Some((element, *scores.get(&element.id())?)));
    let best = rated.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (best.1 >= 30.0).then_some(best.0)
}

/// How much like running text it is: its length, and more for what ends sentences.
fn worth(text: &str) -> f64 {
    let text = text.trim();
    let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    if length < 8 {
        return 0.0;
    }
    let signs = text.chars().filter(|c| "，。！？；：、“”,.!?;".contains(*c)).count();
    let signs = u32::try_from(signs).unwrap_or(u32::MAX);
    if HOLDS.iter().any(|sign| text.contains(sign)) {
        return 0.0;
    }
    f64::from(length) + 10.0 * f64::from(signs)
}

/// Leaves out what pages put before and after articles.
fn without_furniture(
    found: Vec<Block>,
    title: Option<&str>,
    lines: &mut Vec<String>,
) -> Vec<Block> {
    let mut kept: Vec<Block> = Vec::new();
    for block in found {
        let paragraph = match &block {
            Block::Picture(_) => {
                kept.push(block);
                continue;
            }
            Block::Paragraph(paragraph) | Block::Other(paragraph) => paragraph,
        };
        let words = paragraph.words.trim_matches(['[', ']', '【', '】', '(', ')', '（', '）', ' ']);
        let is_short = paragraph.length() <= MAX_FURNITURE;
        if is_short
            && paragraph.length() <= 20
            && RELATED.iter().any(|sign| words.starts_with(sign))
        {
            // From here on the page leads elsewhere.
            break;
        }
        let is_title = title.is_some_and(|title| title == paragraph.words);
        let begins = BEGINS.iter().any(|sign| words.starts_with(sign));
        let holds = HOLDS.iter().any(|sign| words.contains(sign));
        let is_byline = kept.is_empty() && super::byline::is_one(words);
        // `《城东日报》（2026年03月05日 第07版）`
        let is_issue = words.starts_with('《') && words.ends_with('版') && words.contains('年');
        if is_title || (is_short && (begins || holds || is_byline || is_issue)) {
            lines.push(paragraph.words.clone());
            continue;
        }
        if paragraph.is_links() && matches!(block, Block::Other(_)) {
            continue;
        }
        kept.push(block);
    }
    // Links at the end lead elsewhere, and so do headings with nothing under them.
    while let Some(Block::Paragraph(last) | Block::Other(last)) = kept.last() {
        if !last.is_links() && last.heading == 0 {
            break;
        }
        kept.pop();
    }
    kept
}

/// Puts lines under pictures into the pictures.
fn captioned(found: Vec<Block>) -> Vec<Block> {
    let mut kept: Vec<Block> = Vec::new();
    for block in found {
        if let Block::Paragraph(paragraph) = &block
            && let Some(Block::Picture(picture)) = kept.last_mut()
            && picture.caption.is_empty()
            && is_caption(paragraph, picture)
        {
            picture.caption.clone_from(&paragraph.words);
            continue;
        }
        // Who took it may stand in a line of its own.
        if let Block::Paragraph(paragraph) = &block
            && let Some(Block::Picture(picture)) = kept.last_mut()
            && !picture.caption.is_empty()
            && paragraph.length() <= 24
            && credit(&paragraph.words).is_some()
            && credit(&picture.caption).is_none()
        {
            picture.caption.extend([" ", &paragraph.words]);
            continue;
        }
        kept.push(block);
    }
    kept
}

fn is_caption(paragraph: &Paragraph, picture: &Shown) -> bool {
    let words = paragraph.words.as_str();
    let length = paragraph.length();
    let marked =
        ["▲", "△", "▼", "↑", "图：", "图为", "图片说明", "资料图", "上图", "下图", "Photo"];
    let ends = words.trim_end_matches(['）', ')', '。', '】', ' ']);
    let is_credited =
        ["摄", "攝", "供图", "图片", "发", "/图"].iter().any(|sign| ends.ends_with(sign))
            && length <= 100;
    length <= MAX_CAPTION
        && paragraph.heading == 0
        && !paragraph.is_links()
        && (paragraph.looks_like_caption
            || is_credited
            || marked.iter().any(|sign| words.starts_with(sign))
            || (!picture.alt.is_empty() && picture.alt == words))
}

fn written(found: Vec<Block>, lines: Vec<String>) -> Body {
    let mut body = Body { lines, ..Body::default() };
    let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
    for block in found {
        match block {
            Block::Paragraph(Paragraph { html, heading: 0, .. }) => {
                body.html.extend(["<p>", &html, "</p>\n"]);
            }
            Block::Paragraph(Paragraph { html, heading, .. }) => {
                let name = format!("h{}", heading.max(2));
                body.html.extend(["<", &name, ">", &html, "</", &name, ">\n"]);
            }
            Block::Other(Paragraph { html, .. }) => body.html.extend([&html, "\n"]),
            Block::Picture(shown) => {
                let Shown { url, alt, caption, width, height } = shown;
                if body.pictures.iter().any(|known| known.url.as_deref() == Some(&url)) {
                    continue;
                }
                let under = if caption.is_empty() {
                    String::new()
                } else {
                    format!("<figcaption>{}</figcaption>", escape(&caption))
                };
                let picture = format!(
                    "<figure><img src=\"{}\" alt=\"{}\">{under}</figure>\n",
                    escape(&url),
                    escape(&alt)
                );
                body.html.push_str(&picture);
                body.pictures.push(ImageRecord {
                    url: Some(url),
                    credit: credit(&caption),
                    caption: Some(caption).filter(|text| !text.is_empty()),
                    alt: Some(alt).filter(|text| !text.is_empty()),
                    width,
                    height,
                    ..ImageRecord::default()
                });
            }
        }
    }
    body
}

/// Who made a picture, as its caption ends: `新馆正门。（林小雨 摄）`, `新华社记者 林小雨摄`.
fn credit(caption: &str) -> Option<String> {
    let end = caption.trim_end_matches(['）', ')', '。', '】', ' ']);
    let is_credit = ["摄", "攝", "供图"].iter().any(|sign| end.ends_with(sign));
    let last = end.rsplit(['（', '(', '。', '，', '【', '；']).next()?.trim();
    (is_credit && last.chars().count() <= 24)
        .then(|| last.to_owned())
        .filter(|last| last.chars().count() > 1)
}
