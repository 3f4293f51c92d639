//! Markup, rewritten for feeds: what ammonia's filters, which see one attribute at a time, cannot do.
//!
//! Embeds become links (T-36), pictures get their true address (T-37), indents and empty
//! paragraphs go. It writes only what `allowed` lists; ammonia checks that afterwards.

use html5ever::ns;
use scraper::{ElementRef, Node, node::Element};
use url::Url;

use super::{
    allowed::{self, Kind},
    characters,
    limits::Limits,
    pictures,
    plain::Text,
    tree, urls,
};

/// Most bytes of a fragment. An element that the parser opens in each paragraph repeats its address, so that markup can grow.
pub const MAX_BYTES: usize = 4 << 20;

/// `markup` with elements within `limits` only, every address absolute; `None` when it cannot be parsed, because it nests too
/// deep or has too many nodes, and when more than [`MAX_BYTES`] would be left.
pub(super) fn rewrite(markup: &str, base: Option<&Url>, limits: &Limits) -> Option<String> {
    let tree = tree::parse(markup)?;
    let mut writer = Writer {
        limits,
        base,
        out: String::with_capacity(markup.len()),
        open: Vec::new(),
        at_line_start: true,
        owes_break: false,
        pre_start: 0,
        in_noscript: false,
        latest_picture: None,
    };
    writer.children(tree.root_element(), false);
    writer.trim_end();
    (writer.out.len() <= MAX_BYTES).then_some(writer.out)
}

struct Writer<'a> {
    limits: &'a Limits,
    base: Option<&'a Url>,
    out: String,
    open: Vec<&'static str>,
    /// Nothing shows yet on this line, so that white space is an indent.
    at_line_start: bool,
    /// A block was left out here: the next word starts a line.
    owes_break: bool,
    /// Where the content of the latest `pre` starts.
    pre_start: usize,
    in_noscript: bool,
    latest_picture: Option<Url>,
}

impl Writer<'_> {
    /// Writes what `parent` holds; when `flat`, without any element that holds others.
    fn children(&mut self, parent: ElementRef<'_>, flat: bool) {
        for child in parent.children() {
            if self.out.len() > MAX_BYTES {
                return;
            }
            if let Node::Text(text) = child.value() {
                self.text(text);
            } else if let Some(element) = ElementRef::wrap(child) {
                self.element(element, flat);
            }
        }
    }

    fn text(&mut self, raw: &str) {
        let raw = characters::clean(raw);
        let text = if self.open.contains(&"pre") {
            // The parser drops a line end that follows `<pre>`, so it would not survive.
            let first = self.out.len() == self.pre_start;
            if first { raw.trim_start_matches('\n') } else { &raw }
        } else if self.at_line_start || self.owes_break {
            raw.trim_start_matches(characters::blank)
        } else {
            &raw
        };
        if text.is_empty() {
            return;
        }
        self.pay_break();
        self.at_line_start = false;
        push_escaped(&mut self.out, text);
    }

    fn element(&mut self, element: ElementRef<'_>, flat: bool) {
        let name = allowed::renamed(element.value().name());
        if matches!(name, "iframe" | "embed" | "object") {
            return self.embed(element, flat);
        }
        if allowed::removed(name) {
            return;
        }
        let html = element.value().name.ns == ns!(html);
        match allowed::kind(self.limits.name(name)).filter(|_| html) {
            Some((name, _)) if !self.limits.admits(name) => self.unwrap(name, element, flat),
            Some((name, Kind::Void)) => self.void(name, element.value(), flat),
            Some((name, kind)) if !flat && self.admits(name, element) => {
                self.container(name, kind, element);
            }
            Some(_) | None => self.unwrap(name, element, flat),
        }
    }

    /// Whether `name` makes sense here; otherwise it is unwrapped.
    fn admits(&self, name: &str, element: ElementRef<'_>) -> bool {
        let media =
            |element: ElementRef<'_>| pictures::source(element.value(), self.base).src.is_some();
        let limits = self.limits;
        let deepest = if name == "table" { limits.deepest_around_table() } else { limits.deepest };
        self.open.len() < deepest
            && match name {
                "a" => {
                    let href =
                        element.attr("href").and_then(|href| urls::link_url(href, self.base));
                    href.is_some() && !self.open.contains(&"a")
                }
                "audio" | "video" => {
                    media(element)
                        || element
                            .child_elements()
                            .any(|child| child.value().name() == "source" && media(child))
                }
                _ => true,
            }
    }

    fn unwrap(&mut self, name: &str, element: ElementRef<'_>, flat: bool) {
        // A table without its rows would spill its words around itself.
        let flat = flat || name == "table" || self.open.len() >= self.limits.deepest;
        let breaks = allowed::breaks(name);
        let was_in_noscript = self.in_noscript;
        self.in_noscript |= name == "noscript";
        self.owes_break |= breaks && !self.at_line_start;
        self.children(element, flat);
        self.owes_break |= breaks && !self.at_line_start;
        self.in_noscript = was_in_noscript;
    }

    fn container(&mut self, name: &'static str, kind: Kind, element: ElementRef<'_>) {
        let before = (self.out.len(), self.at_line_start, self.owes_break);
        let breaks = allowed::breaks(name);
        if breaks {
            self.start_line();
        }
        let mut attributes = attributes(name, element.value(), self.base);
        if matches!(name, "audio" | "video") {
            let src = pictures::source(element.value(), self.base).src;
            attributes.extend(src.map(|src| ("src", src.into())));
        }
        self.start_tag(name, attributes);
        let content = self.out.len();
        if name == "pre" {
            self.pre_start = content;
        }
        self.open.push(name);
        self.children(element, false);
        self.open.pop();

        if name == "picture" && !self.out[content..].contains("<img") {
            self.out.truncate(before.0);
            return;
        }
        let blank = shows_nothing(&self.out[content..]);
        if blank && kind == Kind::Inline {
            self.out.replace_range(before.0..content, "");
            return;
        }
        if blank && kind == Kind::Block {
            self.out.truncate(before.0);
            self.at_line_start = before.1;
            self.owes_break = before.2 || !before.1;
            return;
        }
        if breaks && name != "pre" {
            self.trim_end();
        }
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
        if breaks {
            self.start_line();
        }
    }

    fn void(&mut self, name: &'static str, element: &Element, flat: bool) {
        match name {
            "img" => return self.picture(element),
            "source" => return self.alternative(element),
            "col" if flat => return,
            "br" | "hr" => self.start_line(),
            _ => {}
        }
        self.start_tag(name, attributes(name, element, self.base));
    }

    fn picture(&mut self, element: &Element) {
        let source = pictures::source(element, self.base);
        let Some(src) = source.src.filter(|_| !pictures::counts_readers(element)) else {
            return;
        };
        // What `noscript` shows instead of the picture before it.
        if self.in_noscript && self.latest_picture.as_ref() == Some(&src) {
            return;
        }
        let mut attributes = attributes("img", element, self.base);
        if attributes.iter().all(|(name, _)| *name != "alt") {
            attributes.push(("alt", String::new()));
        }
        attributes.push(("src", src.as_str().to_owned()));
        if !source.srcset.is_empty() {
            attributes.push(("srcset", source.srcset));
        }
        self.latest_picture = Some(src);
        self.pay_break();
        self.start_tag("img", attributes);
        self.at_line_start = false;
    }

    /// A `source`. One with `media` goes, since that attribute does and it would always win.
    fn alternative(&mut self, element: &Element) {
        let source = pictures::source(element, self.base);
        let addresses = match self.open.last() {
            Some(&"picture") if element.attr("media").is_none() && !source.srcset.is_empty() => {
                ("srcset", source.srcset)
            }
            Some(&("audio" | "video")) => match source.src {
                Some(src) => ("src", src.into()),
                None => return,
            },
            _ => return,
        };
        let mut attributes = attributes("source", element, self.base);
        attributes.push(addresses);
        self.start_tag("source", attributes);
    }

    /// A link to what is embedded, named by its title or host.
    fn embed(&mut self, element: ElementRef<'_>, flat: bool) {
        let inside = element.descendants().filter_map(ElementRef::wrap);
        let address = inside.into_iter().find_map(|element| {
            let mut addresses =
                ["src", "data-src", "data"].into_iter().filter_map(|name| element.attr(name));
            addresses.find_map(|address| urls::web_url(address, self.base))
        });
        let Some(address) = address.filter(|_| !pictures::counts_readers(element.value())) else {
            return;
        };
        let title = Text::new(element.attr("title").unwrap_or_default());
        let host = address.host_str().unwrap_or_default();
        let words = if title.is_empty() { host } else { title.as_str() };
        let holds_blocks = |name: &str| {
            let phrase =
                matches!(name, "p" | "pre" | "dt" | "summary" | "h2" | "h3" | "h4" | "h5" | "h6");
            allowed::breaks(name) && !phrase
        };
        let paragraph = !flat && self.open.iter().all(|name| holds_blocks(name));
        if self.open.contains(&"a") {
            return self.text(words);
        }
        if paragraph {
            self.start_line();
            self.out.push_str("<p>");
        }
        self.pay_break();
        self.start_tag("a", vec![("href", address.as_str().to_owned())]);
        push_escaped(&mut self.out, words);
        self.out.push_str("</a>");
        self.at_line_start = false;
        if paragraph {
            self.out.push_str("</p>");
            self.start_line();
        }
    }

    /// Attributes stand in the order of their names, so that equal elements are equal bytes.
    fn start_tag(&mut self, name: &str, mut attributes: Vec<(&str, String)>) {
        attributes.sort_unstable();
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            for (at, part) in value.split('"').enumerate() {
                self.out.push_str(if at == 0 { "" } else { "&quot;" });
                push_escaped(&mut self.out, part);
            }
            self.out.push('"');
        }
        self.out.push('>');
    }

    fn start_line(&mut self) {
        self.at_line_start = true;
        self.owes_break = false;
    }

    fn pay_break(&mut self) {
        if self.owes_break {
            self.out.push_str("<br>");
            self.owes_break = false;
        }
    }

    fn trim_end(&mut self) {
        self.out.truncate(self.out.trim_end_matches(characters::blank).len());
    }
}

fn attributes<'e>(name: &str, element: &'e Element, base: Option<&Url>) -> Vec<(&'e str, String)> {
    let kept = |(key, raw): (&'e str, &str)| Some((key, allowed::attribute(name, key, raw, base)?));
    element.attrs().filter_map(kept).collect()
}

/// Whether `markup`, which we wrote, is white space and line breaks only.
fn shows_nothing(mut markup: &str) -> bool {
    loop {
        markup = markup.trim_start_matches(characters::blank);
        match markup.strip_prefix("<br>") {
            Some(rest) => markup = rest,
            None => return markup.is_empty(),
        }
    }
}

/// `text` as it stands between tags (T-7), just as ammonia writes it.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    let mut done = 0;
    for at in memchr::memchr3_iter(b'&', b'<', b'>', text.as_bytes()) {
        out.push_str(&text[done..at]);
        out.push_str(match text.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            _ => "&gt;",
        });
        done = at + 1;
    }
    out.push_str(&text[done..]);
}

#[cfg(test)]
mod tests {
    use crate::text::html::tests::check;

    #[test]
    fn embeds_become_links() {
        for (raw, expected) in [
            (
                "<iframe src=//v.example/1 title=' 视频 '></iframe>",
                "<p><a href=\"https://v.example/1\">视频</a></p>",
            ), // T-36
            (
                "<p>a <iframe data-src=https://v.example/1>x</iframe></p>",
                "<p>a <a href=\"https://v.example/1\">v.example</a></p>",
            ),
            (
                "<object><param name=movie value=x><embed src=https://v.example/1></object>",
                "<p><a href=\"https://v.example/1\">v.example</a></p>",
            ),
            (
                "<iframe src=about:blank></iframe><iframe srcdoc='<b>x'></iframe><iframe src=/x width=0 height=0></iframe>",
                "",
            ),
            (
                "<a href=/x><iframe src=/y title=t></iframe></a>",
                "<a href=\"https://example.com/x\">t</a>",
            ),
        ] {
            check(raw, expected);
        }
    }

    #[test]
    fn indents_and_empty_paragraphs_go() {
        for (raw, expected) in [
            (
                "<p>\u{3000}\u{3000}一</p>\n<p>&emsp;&emsp;二</p><p>&nbsp; &nbsp;three </p>",
                "<p>一</p><p>二</p><p>three</p>",
            ), // FIELD 3.2
            ("<p><b>\u{3000}\u{3000}一</b></p>", "<p><b>一</b></p>"),
            ("一<br>\u{3000}\u{3000}二", "一<br>二"),
            (
                "<p>&nbsp;</p><p><br></p><p> <span>\u{3000}</span></p><div></div><p>x</p>",
                "<p>x</p>",
            ),
            ("<p>一\n二</p>", "<p>一\n二</p>"),
            ("<p>一，\u{3000}二</p>", "<p>一，\u{3000}二</p>"),
            ("a<b> </b>b", "a b"),
            ("a<p></p>b", "a<br>b"),
            ("a<div><br></div><p>b</p>", "a<p>b</p>"),
        ] {
            check(raw, expected);
        }
    }
}
