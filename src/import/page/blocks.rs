//! The body of a page as a run of paragraphs and pictures, whatever elements they were laid out with.

use scraper::{ElementRef, Node, node::Element};
use url::Url;

use crate::text::{Text, web_url};

/// A piece of a body.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Paragraph(Paragraph),
    Picture(Shown),
    /// A list, a table of data, a quotation: as it is.
    Other(Paragraph),
}

/// Words that belong together.
#[derive(Clone, Debug, Default)]
pub(super) struct Paragraph {
    /// Markup of what is in it.
    pub html: String,
    pub words: String,
    /// 0 for none, else as in `h2`.
    pub heading: u8,
    /// Laid out as what stands under a picture.
    pub looks_like_caption: bool,
    /// Characters that lead elsewhere.
    pub linked: usize,
}

impl Paragraph {
    pub(super) fn length(&self) -> usize {
        self.words.chars().count()
    }

    /// Whether it is there to lead elsewhere.
    pub(super) fn is_links(&self) -> bool {
        self.linked > 0 && self.linked * 5 >= self.length() * 4
    }
}

/// A picture as it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub url: String,
    pub alt: String,
    pub caption: String,
    pub width: Option<u32>,
    pub height: Option<u32>,
}

/// What stands in an element. `is_out` tells of an element that it is no part of the article.
pub(super) fn blocks(
    root: ElementRef<'_>,
    base: Option<&Url>,
    is_out: &dyn Fn(ElementRef<'_>) -> bool,
) -> Vec<Block> {
    let mut walk = Walk { base, is_out, found: Vec::new(), open: Paragraph::default() };
    walk.inside(root);
    walk.close();
    walk.found
}

struct Walk<'a> {
    base: Option<&'a Url>,
    is_out: &'a dyn Fn(ElementRef<'_>) -> bool,
    found: Vec<Block>,
    open: Paragraph,
}

impl Walk<'_> {
    fn inside(&mut self, parent: ElementRef<'_>) {
        for child in parent.children() {
            match child.value() {
                Node::Text(text) => self.text(text),
                Node::Element(_) => {
                    if let Some(element) = ElementRef::wrap(child) {
                        self.element(element);
                    }
                }
                _ => {}
            }
        }
    }

    fn text(&mut self, text: &str) {
        // The indent of a line begins a paragraph where no element does.
        if text.trim_start_matches(['\n', '\r', '\t', ' ']).starts_with("\u{3000}\u{3000}")
            && self.open.html.ends_with("<br>")
        {
            self.close();
        }
        self.open.html.push_str(&quick_xml::escape::escape(text));
        self.open.words.push_str(text);
    }

    fn element(&mut self, element: ElementRef<'_>) {
        let name = element.value().name();
        if matches!(
            name,
            "script"
                | "style"
                | "noscript"
                | "template"
                | "form"
                | "button"
                | "input"
                | "select"
                | "svg"
        ) || (self.is_out)(element)
        {
            return;
        }
        match name {
            "br" if self.open.html.ends_with("<br>") || self.open.words.trim().is_empty() => {
                self.close();
            }
            "br" => self.open.html.push_str("<br>"),
            "img" => {
                if let Some(shown) = shown(element.value(), self.base) {
                    self.close();
                    self.found.push(Block::Picture(shown));
                }
            }
            "figure" | "picture" => self.figure(element),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.close();
                self.open.heading = name.as_bytes()[1] - b'0';
                self.inside(element);
                self.close();
            }
            "ul" | "ol" | "dl" | "pre" | "blockquote" | "video" | "audio" | "iframe" => {
                self.whole(element);
            }
            "table" if is_data(element) => self.whole(element),
            _ if is_inline(name) && !holds_blocks(element) => self.inline(element),
            _ if is_inline(name) => self.inside(element),
            _ => {
                self.close();
                self.open.looks_like_caption = is_caption_style(element.value());
                self.inside(element);
                self.close();
            }
        }
    }

    /// An element of a line, without what is only there for its looks.
    fn inline(&mut self, element: ElementRef<'_>) {
        let name = element.value().name();
        let kept = match name {
            "a" => element.value().attr("href").filter(|href| web_url(href, self.base).is_some()),
            "b" | "strong" | "em" | "i" | "sup" | "sub" | "code" | "u" | "s" | "del" | "ins"
            | "ruby" | "rt" | "q" => Some(""),
            _ => None,
        };
        let before = self.open.words.chars().count();
        if let Some(href) = kept {
            self.open.html.push('<');
            self.open.html.push_str(name);
            if !href.is_empty() {
                let href = quick_xml::escape::escape(href);
                self.open.html.extend([" href=\"", &href, "\""]);
            }
            self.open.html.push('>');
        }
        self.inside(element);
        if kept.is_some() {
            self.open.html.extend(["</", name, ">"]);
        }
        if name == "a" {
            self.open.linked += self.open.words.chars().count().saturating_sub(before);
        }
    }

    fn figure(&mut self, element: ElementRef<'_>) {
        self.close();
        let all = |name: &'static str| {
            element.descendent_elements().filter(move |e| e.value().name() == name)
        };
        let pictures: Vec<_> = all("img").filter_map(|e| shown(e.value(), self.base)).collect();
        let caption = all("figcaption").map(words).next();
        let last = pictures.len().saturating_sub(1);
        for (at, picture) in pictures.into_iter().enumerate() {
            let caption = caption.clone().filter(|_| at == last).unwrap_or_default();
            self.found.push(Block::Picture(Shown { caption, ..picture }));
        }
    }

    fn whole(&mut self, element: ElementRef<'_>) {
        self.close();
        let words = words(element);
        let links = element.descendent_elements().filter(|e| e.value().name() == "a");
        let linked = links.map(|link| self::words(link).chars().count()).sum();
        let is_media = matches!(element.value().name(), "video" | "audio" | "iframe");
        if !words.is_empty() || is_media {
            let html = element.html();
            self.found.push(Block::Other(Paragraph {
                html,
                words,
                linked,
                ..Paragraph::default()
            }));
        }
    }

    fn close(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        open.words = Text::new(&open.words).to_string();
        if open.words.is_empty() {
            return;
        }
        let mut html = open.html.trim_end();
        while let Some(rest) = html.strip_suffix("<br>") {
            html = rest.trim_end();
        }
        let html =
            html.trim_matches(|c: char| c.is_whitespace() || c == '\u{3000}' || c == '\u{a0}');
        let html = html.to_owned();
        self.found.push(Block::Paragraph(Paragraph { html, ..open }));
    }
}

pub(super) fn words(element: ElementRef<'_>) -> String {
    Text::new(&element.text().collect::<Vec<_>>().join("")).as_str().to_owned()
}

fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "b"
            | "big"
            | "cite"
            | "code"
            | "del"
            | "em"
            | "font"
            | "i"
            | "ins"
            | "label"
            | "mark"
            | "o:p"
            | "q"
            | "rt"
            | "ruby"
            | "s"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "time"
            | "u"
            | "var"
    )
}

fn holds_blocks(element: ElementRef<'_>) -> bool {
    element.descendent_elements().skip(1).any(|e| {
        let name = e.value().name();
        name == "img" || (!is_inline(name) && name != "br")
    })
}

/// Whether a table is of data: several cells in most of its rows, and no pictures or paragraphs to speak of.
fn is_data(table: ElementRef<'_>) -> bool {
    let count =
        |name: &str| table.descendent_elements().filter(|e| e.value().name() == name).count();
    let cells = count("td") + count("th");
    count("table") == 1
        && count("img") == 0
        && count("tr") >= 2
        && cells >= 2 * count("tr")
        && count("p") <= cells
}

fn is_caption_style(element: &Element) -> bool {
    let named = |name: &str| element.attr(name).unwrap_or_default().to_ascii_lowercase();
    let (style, class) = (named("style").replace(' ', ""), named("class"));
    style.contains("text-align:center")
        || named("align") == "center"
        || element.name() == "center"
        || [
            "caption",
            "pic-desc",
            "picdesc",
            "img-desc",
            "imgdesc",
            "pic_desc",
            "photo-desc",
            "tuzhu",
            "pictext",
        ]
        .iter()
        .any(|name| class.contains(name))
}

/// A picture with its true address, unless it belongs to the page rather than to the article.
fn shown(element: &Element, base: Option<&Url>) -> Option<Shown> {
    const LATE: [&str; 7] = [
        "data-src",
        "data-original",
        "data-lazy-src",
        "data-actualsrc",
        "data-url",
        "data-echo",
        "original",
    ];
    let late =
        LATE.iter().find_map(|name| element.attr(name)).filter(|late| !late.trim().is_empty());
    let raw = late.or_else(|| element.attr("src"))?.trim();
    if raw.starts_with("data:") || raw.is_empty() {
        return None;
    }
    let number = |name: &str| -> Option<u32> {
        element.attr(name)?.trim().trim_end_matches("px").parse().ok()
    };
    let (width, height) = (number("width"), number("height"));
    let is_small = |size: Option<u32>| size.is_some_and(|size| size < 80);
    let file = raw.rsplit('/').next().unwrap_or(raw).to_ascii_lowercase();
    let class = element.attr("class").unwrap_or_default().to_ascii_lowercase();
    let stem = file.split(['.', '?']).next().unwrap_or_default();
    let is_furniture = stem.split(|c: char| !c.is_ascii_alphabetic()).any(|word| {
        matches!(
            word,
            "logo"
                | "icon"
                | "icons"
                | "qr"
                | "qrcode"
                | "ewm"
                | "erweima"
                | "share"
                | "wechat"
                | "weixin"
                | "weibo"
                | "btn"
                | "button"
                | "spacer"
                | "blank"
                | "loading"
                | "avatar"
                | "arrow"
        )
    });
    if is_small(width) || is_small(height) || is_furniture || class.contains("icon") {
        return None;
    }
    // Without an address of the page, what is relative cannot be found again.
    let url = web_url(raw, base).map_or_else(|| raw.to_owned(), String::from);
    let alt = Text::new(element.attr("alt").unwrap_or_default()).as_str().to_owned();
    Some(Shown { url, alt, caption: String::new(), width, height })
}
