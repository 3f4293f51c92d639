//! The body of a page as a run of paragraphs and pictures, whatever elements they were laid out with.

use scraper::{ElementRef, Node, node::Element};
use url::Url;

use super::outline::{Outline, is_inline, is_unseen};
use crate::text::{Text, web_url};

/// Most pictures of an article.
pub(super) const MAX_PICTURES: usize = 200;

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

    /// Whether it is like the running text of an article.
    pub(super) fn is_running(&self) -> bool {
        let length = self.length();
        let signs = self.words.chars().filter(|c| "，。！？；：、,.!?;".contains(*c)).count();
        let is_wide = self.words.chars().any(|c| c >= '\u{2e80}');
        self.heading == 0
            && self.linked * 2 < length.max(1)
            && (length >= if is_wide { 25 } else { 80 } || (signs >= 2 && length >= 40))
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

/// Most pieces of a body.
const MAX_BLOCKS: usize = 20_000;

/// What stands in a part of a page that is not out.
pub(super) fn blocks(outline: &Outline<'_>, root: usize, base: Option<&Url>) -> Vec<Block> {
    let mut walk = Walk { outline, base, found: Vec::new(), open: Paragraph::default() };
    walk.inside(outline.parts[root].element);
    walk.close();
    walk.found
}

struct Walk<'a, 't> {
    outline: &'a Outline<'t>,
    base: Option<&'a Url>,
    found: Vec<Block>,
    open: Paragraph,
}

impl Walk<'_, '_> {
    fn inside(&mut self, parent: ElementRef<'_>) {
        for child in parent.children() {
            if self.found.len() >= MAX_BLOCKS {
                return;
            }
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
        match name {
            "video" | "audio" | "iframe" => return self.whole(element),
            "br" if self.open.html.ends_with("<br>") || self.open.words.trim().is_empty() => {
                return self.close();
            }
            "br" => {
                self.open.html.push_str("<br>");
                self.open.words.push(' ');
                return;
            }
            _ => {}
        }
        let Some(at) = self.outline.index(element).filter(|at| !self.outline.parts[*at].is_out)
        else {
            return;
        };
        match name {
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
            "ul" | "ol" | "dl" | "pre" | "blockquote" => self.whole(element),
            "table" if is_data(element) => self.whole(element),
            _ if is_inline(name) && !self.outline.holds_blocks(at) => self.inline(element),
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
        let before = self.open.words.len();
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
            // Without what a paragraph within it has ended.
            let linked = self.open.words.get(before..).unwrap_or_default();
            self.open.linked += linked.chars().count();
        }
    }

    fn figure(&mut self, element: ElementRef<'_>) {
        self.close();
        let all = |name: &'static str| {
            element.descendent_elements().filter(move |e| e.value().name() == name)
        };
        let pictures: Vec<_> =
            all("img").take(MAX_PICTURES).filter_map(|e| shown(e.value(), self.base)).collect();
        if pictures.is_empty() && element.value().name() == "figure" {
            // A table, a quotation, a film.
            self.inside(element);
            return self.close();
        }
        let caption = all("figcaption").map(words).next();
        let last = pictures.len().saturating_sub(1);
        for (at, picture) in pictures.into_iter().enumerate() {
            let caption = caption.clone().filter(|_| at == last).unwrap_or_default();
            self.found.push(Block::Picture(Shown { caption, ..picture }));
        }
    }

    fn whole(&mut self, element: ElementRef<'_>) {
        self.close();
        let mut whole = Paragraph::default();
        self.copy(element, &mut whole);
        whole.words = Text::new(&whole.words).to_string();
        let is_media = matches!(element.value().name(), "video" | "audio" | "iframe");
        if !whole.words.is_empty() || is_media {
            self.found.push(Block::Other(whole));
        }
    }

    /// The markup of an element, and its words, without what is out.
    fn copy(&self, element: ElementRef<'_>, to: &mut Paragraph) {
        let name = element.value().name();
        to.html.extend(["<", name]);
        for (attribute, value) in element.value().attrs() {
            if !matches!(attribute, "class" | "style" | "id") && !attribute.starts_with("on") {
                to.html.extend([" ", attribute, "=\"", &quick_xml::escape::escape(value), "\""]);
            }
        }
        to.html.push('>');
        if matches!(name, "br" | "img" | "hr" | "source" | "track" | "wbr" | "col") {
            to.words.push(' ');
            return;
        }
        if !is_inline(name) {
            to.words.push('\n');
        }
        let before = to.words.len();
        for child in element.children() {
            if let Node::Text(text) = child.value() {
                to.html.push_str(&quick_xml::escape::escape(&**text));
                to.words.push_str(text);
            }
            let Some(child) = ElementRef::wrap(child) else { continue };
            let is_kept = matches!(child.value().name(), "video" | "audio" | "iframe" | "br");
            if is_kept || !self.outline.is_out(child) {
                self.copy(child, to);
            }
        }
        if name == "a" {
            to.linked += to.words[before..].chars().count();
        }
        if !is_inline(name) {
            to.words.push('\n');
        }
        to.html.extend(["</", name, ">"]);
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

/// Longest text of an element that is read as a line, in bytes.
const MAX_WORDS: usize = 8_192;

/// The words of an element on one line, without those of scripts and the like; cut where no line is that long.
pub(super) fn words(element: ElementRef<'_>) -> String {
    fn push(element: ElementRef<'_>, to: &mut String) {
        for child in element.children() {
            if to.len() > MAX_WORDS {
                return;
            }
            if let Node::Text(text) = child.value() {
                to.push_str(&text[..text.floor_char_boundary(MAX_WORDS)]);
            }
            let Some(child) = ElementRef::wrap(child) else { continue };
            let name = child.value().name();
            if name == "br" {
                to.push(' ');
            } else if !is_unseen(name) {
                push(child, to);
            }
        }
    }
    let mut words = String::new();
    push(element, &mut words);
    Text::new(&words).to_string()
}

/// Most elements of a table that are looked at.
const MAX_CELLS: usize = 2_000;

/// Whether a table is of data: several cells in most of its rows, and no pictures or paragraphs to speak of.
fn is_data(table: ElementRef<'_>) -> bool {
    let elements: Vec<_> =
        table.descendent_elements().take(MAX_CELLS).map(|e| e.value().name()).collect();
    let count = |name: &str| elements.iter().filter(|own| **own == name).count();
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

/// The address of a picture: of one that is shown late, not that of what stands in for it until then.
fn address(element: &Element) -> Option<&str> {
    const LATE: [&str; 12] = [
        "data-src",
        "data-original",
        "data-lazy-src",
        "data-actualsrc",
        "data-url",
        "data-echo",
        "data-lazyload",
        "data-ks-lazyload",
        "zoomfile",
        "real_src",
        "file",
        "original",
    ];
    let src = element.attr("src").map(str::trim).unwrap_or_default();
    let is_address = |raw: &&str| !raw.is_empty() && !raw.starts_with("data:") && !is_saved(raw);
    let late = LATE.iter().filter_map(|name| element.attr(name)).map(str::trim).find(is_address);
    let is_stand_in = src.is_empty() || src.starts_with("data:") || is_saved(src) || {
        let name = src.rsplit('/').next().unwrap_or(src).to_ascii_lowercase();
        [
            "blank",
            "spacer",
            "loading",
            "placeholder",
            "lazy",
            "transparent",
            "pixel",
            "grey.",
            "gray.",
        ]
        .iter()
        .any(|word| name.contains(word))
    };
    let other = || {
        let set = element.attrs().filter(|(name, _)| name.contains("srcset"));
        let first = set.filter_map(|(_, set)| set.split(',').next()?.split_whitespace().next());
        let named =
            element.attrs().filter(|(name, _)| !matches!(*name, "src" | "alt" | "title" | "style"));
        let named = named.map(|(_, value)| value.trim()).filter(|value| is_picture(value));
        first.chain(named).find(is_address)
    };
    late.or_else(|| if is_stand_in { other() } else { None }).or(Some(src)).filter(is_address)
}

/// Whether an address is that of a copy beside a saved page, `./page_files/1.jpg`, which is nowhere else.
fn is_saved(address: &str) -> bool {
    let folder =
        address.strip_prefix("./").unwrap_or(address).split('/').next().unwrap_or_default();
    address.contains('/') && ["_files", ".files"].iter().any(|end| folder.ends_with(end))
}

/// Whether a value is the address of a picture and nothing else.
fn is_picture(value: &str) -> bool {
    let path = value.split(['?', '#']).next().unwrap_or(value).to_ascii_lowercase();
    let is_named =
        [".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif"].iter().any(|end| path.ends_with(end));
    is_named && value.len() <= 2_000 && !value.contains([' ', ',', '{', '"', '('])
}

/// A picture with its true address, unless it belongs to the page rather than to the article.
fn shown(element: &Element, base: Option<&Url>) -> Option<Shown> {
    let raw = address(element)?;
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
