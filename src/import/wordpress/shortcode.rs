//! Shortcodes of WordPress and its plugins: `[name attributes]`, some with an end `[/name]`.
//!
//! A known shortcode becomes the HTML that it stands for. Of an unknown one the tags are removed and the content stays; a name
//! in brackets counts as an unknown shortcode only with attributes or an end, so `[1]` and `[sic]` stay text. Code keeps its
//! text. Linear in the length of the text.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use quick_xml::escape::escape;

use super::{
    Files,
    autop::{Token, tokens},
};
use crate::{import::record::ImageRecord, text::Text};

/// Longest tag of a shortcode, in bytes.
const MAX_TAG: usize = 4_096;
/// Most pictures or sounds that a gallery or a playlist gives.
const MAX_FILES: usize = 200;

/// Shortcodes whose content is source code: those of `SyntaxHighlighter` and similar plugins.
const CODE: [&str; 50] = [
    "actionscript3",
    "as3",
    "bash",
    "c",
    "cc",
    "cfm",
    "clojure",
    "code",
    "codeblock",
    "coffeescript",
    "coldfusion",
    "cpp",
    "crayon",
    "csharp",
    "css",
    "delphi",
    "diff",
    "erlang",
    "fsharp",
    "go",
    "golang",
    "groovy",
    "haskell",
    "html",
    "java",
    "javafx",
    "javascript",
    "js",
    "jscript",
    "matlab",
    "objc",
    "pascal",
    "perl",
    "php",
    "plain",
    "powershell",
    "py",
    "python",
    "rails",
    "ruby",
    "rust",
    "scala",
    "shell",
    "source",
    "sourcecode",
    "sql",
    "swift",
    "typescript",
    "vb",
    "xml",
];

/// Providers whose shortcode names a film or a post by its number.
const NUMBERED: [(&str, &str); 9] = [
    ("youtube", "https://www.youtube.com/watch?v="),
    ("vimeo", "https://vimeo.com/"),
    ("dailymotion", "https://www.dailymotion.com/video/"),
    ("videopress", "https://videopress.com/v/"),
    ("wpvideo", "https://videopress.com/v/"),
    ("ted", "https://www.ted.com/talks/"),
    ("tweet", "https://twitter.com/i/status/"),
    ("instagram", "https://www.instagram.com/p/"),
    ("gist", "https://gist.github.com/"),
];

/// Shortcodes that stand for a page elsewhere, named by its address.
const LINKED: [&str; 18] = [
    "embed",
    "embedyt",
    "facebook",
    "fb",
    "flickr",
    "giphy",
    "googlemaps",
    "kickstarter",
    "mixcloud",
    "pinterest",
    "reddit",
    "scribd",
    "slideshare",
    "soundcloud",
    "spotify",
    "tiktok",
    "twitter",
    "wp_embed",
];

/// Attributes of `audio` and `video` that name a file.
const SOUNDS: [&str; 8] = ["src", "mp3", "m4a", "ogg", "oga", "opus", "wav", "flac"];
const FILMS: [&str; 8] = ["src", "mp4", "m4v", "webm", "ogv", "mov", "wmv", "flv"];

/// `[name attributes]` or `[/name]`, as written.
struct Tag<'t> {
    name: &'t str,
    attributes: &'t str,
    is_end: bool,
    /// `[name /]`.
    is_closed: bool,
    /// Length in bytes, brackets included.
    length: usize,
}

impl<'t> Tag<'t> {
    /// The tag that `text`, which begins with `[`, begins with.
    fn read(text: &'t str) -> Option<Self> {
        let bracket =
            text.bytes().skip(1).take(MAX_TAG).position(|byte| matches!(byte, b'[' | b']'))?;
        let end = bracket + 1;
        if text.as_bytes()[end] == b'[' {
            return None;
        }
        let inner = &text[1..end];
        let (is_end, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let length = inner.bytes().take_while(|byte| is_name(byte)).count();
        let (name, rest) = inner.split_at(length);
        let is_closed = rest.ends_with('/') && !rest.trim_end_matches('/').ends_with(':');
        let attributes = if is_closed { rest.trim_end_matches('/') } else { rest };
        let begins_well =
            attributes.is_empty() || attributes.starts_with([' ', '\n', '\t', '\r', '=', '\u{a0}']);
        let is_tag = name.starts_with(|c: char| c.is_ascii_alphabetic()) && begins_well;
        is_tag.then_some(Self { name, attributes, is_end, is_closed, length: end + 1 })
    }

    fn is_known(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        let name = name.as_str();
        matches!(
            name,
            "caption"
                | "wp_caption"
                | "gallery"
                | "playlist"
                | "audio"
                | "video"
                | "vc_raw_html"
                | "vc_raw_js"
        ) || NUMBERED.iter().any(|(known, _)| *known == name)
            || LINKED.contains(&name)
            || (CODE.contains(&name) && (self.attributes.is_empty() || self.has_named_attributes()))
    }

    fn has_named_attributes(&self) -> bool {
        attributes(self.attributes).iter().any(|(name, _)| !name.is_empty())
    }
}

/// Names and values; a value without a name has an empty one.
fn attributes(raw: &str) -> Vec<(String, String)> {
    // The visual editor writes the typographic quotes that people paste.
    let raw = raw
        .replace("&quot;", "\"")
        .replace("&#8221;", "\"")
        .replace("&#8243;", "\"")
        .replace(['“', '”', '″'], "\"");
    let mut found = Vec::new();
    let mut rest = raw.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
    while !rest.is_empty() {
        let length = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':'))
            .count();
        let (name, after) =
            match rest.get(length..).and_then(|after| after.trim_start().strip_prefix('=')) {
                Some(after) if length > 0 => (&rest[..length], after.trim_start()),
                _ => ("", rest),
            };
        let (value, after) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => match after[1..].split_once(quote) {
                Some((value, after)) => (value, after),
                None => (&after[1..], ""),
            },
            _ => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        found.push((name.to_ascii_lowercase(), unescaped(value)));
        rest = after.trim_start();
    }
    found
}

fn unescaped(text: &str) -> String {
    quick_xml::escape::unescape(text)
        .map_or_else(|_| text.to_owned(), |text| text.trim().to_owned())
}

/// Where the tags of each name begin, in order: start tags by name, end tags by `/name`. Collected in one pass, so that a text
/// of many brackets is not searched again for each of them.
struct Places<'t>(HashMap<&'t str, Vec<usize>>);

impl<'t> Places<'t> {
    fn of(text: &'t str) -> Self {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, _) in text.match_indices('[') {
            let inner = &text[at + 1..];
            let is_name =
                |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/');
            let length = inner.bytes().take(MAX_TAG).take_while(is_name).count();
            let is_end = inner.starts_with('/');
            if length > 0 && (!is_end || inner[length..].starts_with(']')) {
                places.entry(&inner[..length]).or_default().push(at);
            }
        }
        Self(places)
    }

    fn after(&self, name: &str, from: usize) -> Option<usize> {
        let places = self.0.get(name)?;
        places.get(places.partition_point(|at| *at < from)).copied()
    }

    /// The next `[/name]` at or after `from`.
    fn end(&self, name: &str, from: usize) -> Option<usize> {
        self.after(&format!("/{name}"), from)
    }
}

/// Replaces the shortcodes of a text of WordPress. `post` is the number of the post, for a gallery of its own pictures.
pub(super) fn expanded(text: &str, files: &Files, post: Option<&str>) -> String {
    let html = String::with_capacity(text.len());
    let mut expansion = Expansion {
        text,
        files,
        post,
        places: Places::of(text),
        open: HashMap::new(),
        at: 0,
        html,
    };
    let mut tokens = tokens(text);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(part) => {
                let until = expansion.at + part.len();
                expansion.expand(until);
                if expansion.at > until {
                    // A shortcode reached beyond this piece of text, over tags of HTML.
                    tokens.go_on_at(&text[expansion.at..]);
                }
            }
            Token::Comment(markup) | Token::Raw(markup) | Token::Tag { text: markup, .. } => {
                expansion.keep(markup.len());
            }
        }
    }
    expansion.html
}

/// A text whose shortcodes are being replaced.
struct Expansion<'t> {
    text: &'t str,
    files: &'t Files,
    post: Option<&'t str>,
    places: Places<'t>,
    /// How many unknown shortcodes of a name are open.
    open: HashMap<&'t str, usize>,
    /// What comes before this place is in `html`.
    at: usize,
    html: String,
}

impl<'t> Expansion<'t> {
    /// Copies so many bytes.
    fn keep(&mut self, length: usize) {
        self.html.push_str(&self.text[self.at..self.at + length]);
        self.at += length;
    }

    /// Goes through a piece of text that has no tags of HTML.
    fn expand(&mut self, until: usize) {
        while self.at < until {
            let bracket = self.text[self.at..until].find('[');
            self.keep(bracket.unwrap_or(until - self.at));
            if bracket.is_none() {
                return;
            }
            let rest = &self.text[self.at..];
            // `[[name]]` is how WordPress writes about shortcodes.
            if rest.starts_with("[[")
                && let Some(tag) = Tag::read(&rest[1..])
                && rest[1 + tag.length..].starts_with(']')
            {
                self.html.push_str(&rest[1..=tag.length]);
                self.at += tag.length + 2;
                continue;
            }
            match Tag::read(rest) {
                Some(tag) if tag.is_end => self.end(&tag),
                Some(tag) if tag.is_known() => self.known(&tag),
                Some(tag) => self.unknown(&tag),
                None => self.keep(1),
            }
        }
    }

    fn end(&mut self, tag: &Tag<'t>) {
        match self.open.get_mut(tag.name) {
            Some(count) if *count > 0 => *count -= 1,
            // What it ends was replaced before.
            _ if tag.is_known() => {}
            _ => return self.keep(tag.length),
        }
        self.at += tag.length;
    }

    fn known(&mut self, tag: &Tag<'t>) {
        let inside = self.at + tag.length;
        let end = if tag.is_closed { None } else { self.places.end(tag.name, inside) };
        // An end belongs to the last start before it; code may mention its own name.
        let is_code = CODE.contains(&tag.name.to_ascii_lowercase().as_str());
        let next_start = self.places.after(tag.name, inside).unwrap_or(usize::MAX);
        let end = end.filter(|end| is_code || *end < next_start);
        let content = end.map(|end| &self.text[inside..end]);
        let length = end.map_or(tag.length, |end| end + "[/]".len() + tag.name.len() - self.at);
        match known(tag, content, self.files, self.post) {
            Some(known) => {
                self.html.push_str(&known);
                self.at += length;
            }
            None => self.keep(length),
        }
    }

    fn unknown(&mut self, tag: &Tag<'t>) {
        let has_end = self.places.end(tag.name, self.at).is_some();
        if has_end {
            *self.open.entry(tag.name).or_default() += 1;
        }
        if has_end || tag.is_closed || tag.has_named_attributes() {
            self.at += tag.length;
        } else {
            self.keep(tag.length);
        }
    }
}

/// What a known shortcode stands for; `None` where it is text after all.
fn known(
    tag: &Tag<'_>,
    content: Option<&str>,
    files: &Files,
    post: Option<&str>,
) -> Option<String> {
    let name = tag.name.to_ascii_lowercase();
    let attributes = attributes(tag.attributes);
    let is_bare = attributes.is_empty() && content.is_none() && !tag.is_closed;
    if is_bare && !matches!(name.as_str(), "gallery" | "playlist" | "vc_raw_js") {
        // `[video]` in a text is a word.
        return None;
    }
    let value = |wanted: &str| {
        attributes
            .iter()
            .find(|(name, value)| name == wanted && !value.is_empty())
            .map(|(_, v)| v.as_str())
    };
    Some(match name.as_str() {
        "caption" | "wp_caption" => caption(content?, value("caption")),
        "gallery" => {
            let ids = value("ids").or_else(|| value("include"));
            let pictures: Vec<_> = match ids {
                Some(ids) => ids
                    .split(',')
                    .filter_map(|id| files.by_number(id.trim()))
                    .take(MAX_FILES)
                    .collect(),
                None => files.of_post(value("id").or(post)).take(MAX_FILES).collect(),
            };
            pictures.into_iter().map(figure).collect()
        }
        "playlist" => {
            let ids = value("ids").unwrap_or_default().split(',');
            let addresses =
                ids.filter_map(|id| files.by_number(id.trim())?.url.as_deref()).take(MAX_FILES);
            let players: Vec<_> = addresses.map(player).collect();
            format!("\n\n{}\n\n", players.join("\n\n"))
        }
        "audio" | "video" => {
            let names = if name == "audio" { SOUNDS } else { FILMS };
            let address = names.iter().find_map(|name| value(name));
            let positional =
                attributes.iter().map(|(_, value)| value.as_str()).find(|value| is_address(value));
            match address.or(positional) {
                Some(url) => {
                    let poster = value("poster")
                        .map(|url| format!(" poster=\"{}\"", escape(url)))
                        .unwrap_or_default();
                    format!("\n\n<{name} controls src=\"{}\"{poster}></{name}>\n\n", escape(url))
                }
                None => content.map(|content| linked(content.trim())).unwrap_or_default(),
            }
        }
        "vc_raw_html" => raw_html(content?),
        "vc_raw_js" => String::new(),
        _ if CODE.contains(&name.as_str()) => code(content?),
        _ => {
            let content = content.map(|content| unescaped(Text::from_markup(content).as_str()));
            let positional = attributes
                .iter()
                .filter(|(name, _)| name.is_empty())
                .map(|(_, value)| value.trim_matches('"'));
            let mut candidates: Vec<&str> = content.as_deref().into_iter().collect();
            candidates.extend(["url", "src", "href", "link", "id"].into_iter().filter_map(value));
            candidates.extend(positional);
            if let Some(url) = candidates.iter().find(|candidate| is_address(candidate)) {
                return Some(linked(url));
            }
            let base = NUMBERED.iter().find(|(known, _)| *known == name).map(|(_, base)| base);
            let is_number = |text: &&&str| {
                !text.is_empty()
                    && text.bytes().all(|byte| {
                        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/')
                    })
            };
            match (base, candidates.iter().find(is_number)) {
                (Some(base), Some(number)) => linked(&format!("{base}{number}")),
                _ => String::new(),
            }
        }
    })
}

pub(super) fn is_address(text: &str) -> bool {
    let address = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    address.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"'))
    })
}

/// A file with its player, anything else as a link.
pub(super) fn linked(url: &str) -> String {
    if is_address(url) { format!("\n\n{}\n\n", player(url)) } else { escape(url).into_owned() }
}

/// A player for a sound or a film, by the ending of its name; a link for anything else.
pub(super) fn player(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let ending =
        path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let url = escape(url);
    if SOUNDS[1..].contains(&ending.as_str()) {
        format!("<audio controls src=\"{url}\"></audio>")
    } else if FILMS[1..5].contains(&ending.as_str()) {
        format!("<video controls src=\"{url}\"></video>")
    } else {
        format!("<p><a href=\"{url}\">{url}</a></p>")
    }
}

fn figure(picture: &ImageRecord) -> String {
    let Some(url) = &picture.url else { return String::new() };
    let alt = picture.alt.as_deref().unwrap_or_default();
    let caption = picture.caption.as_deref().filter(|caption| !caption.is_empty());
    let caption = caption
        .map(|caption| format!("<figcaption>{}</figcaption>", escape(caption)))
        .unwrap_or_default();
    format!(
        "\n\n<figure><img src=\"{}\" alt=\"{}\">{caption}</figure>\n\n",
        escape(url.as_str()),
        escape(alt)
    )
}

/// `<img …> words`, or the words as an attribute.
fn caption(content: &str, words: Option<&str>) -> String {
    let end = content.rfind("</a>").map(|at| at + 4);
    let end = end.or_else(|| {
        let picture = content.find("<img")?;
        content[picture..].find('>').map(|at| picture + at + 1)
    });
    let (picture, rest) = content.split_at(end.unwrap_or(content.len()));
    let rest = rest.trim();
    let words = words.map(|words| escape(words).into_owned());
    let words = if rest.is_empty() { words.unwrap_or_default() } else { rest.to_owned() };
    let words = if words.is_empty() { words } else { format!("<figcaption>{words}</figcaption>") };
    format!("\n\n<figure>{}{words}</figure>\n\n", picture.trim())
}

/// Code, which exports have with its angle brackets or with references for them.
fn code(content: &str) -> String {
    let content = content.replace("\r\n", "\n");
    // The visual editor puts its own line ends into code.
    let plain =
        ["<br />", "<br/>", "<br>", "<p>", "</p>"].iter().fold(content.clone(), |text, tag| {
            text.replace(&format!("{tag}\n"), "\n").replace(tag, "\n")
        });
    let content = if plain.contains('<') { content } else { plain };
    let content = content.trim_matches('\n');
    let is_escaped = !content.contains(['<', '>']) && content.contains('&');
    let content = if is_escaped { content.to_owned() } else { escape(content).into_owned() };
    format!("\n\n<pre><code>{content}</code></pre>\n\n")
}

/// `vc_raw_html` of `WPBakery`: HTML, percent-encoded within base64.
fn raw_html(content: &str) -> String {
    let decoded =
        STANDARD.decode(content.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded
        .map(|text| percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned());
    decoded.map(|html| format!("\n\n{html}\n\n")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let mut files = Files::default();
        for (number, ending) in [("11", "jpg"), ("12", "jpg"), ("13", "mp3")] {
            let url = Some(format!("https://old.example.com/{number}.{ending}"));
            let record = ImageRecord {
                url,
                caption: Some(format!("No {number}")),
                ..ImageRecord::default()
            };
            files.add(number, Some("7"), record);
        }
        files
    }

    fn check(text: &str, expected: &str) {
        let html = expanded(text, &files(), Some("7"));
        assert_eq!(html.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{text:?}");
    }

    #[test]
    fn known_shortcodes_become_what_they_stand_for() {
        let gallery = "<figure><img src=\"https://old.example.com/12.jpg\" alt=\"\"><figcaption>No 12</figcaption></figure>";
        for (text, expected) in [
            ("[gallery ids=\"12\" columns=\"2\"]", gallery),
            ("[gallery ids=&#8221;12&#8243;]", gallery),
            (
                "[audio mp3=\"https://a.example/a.mp3\"][/audio]",
                "<audio controls src=\"https://a.example/a.mp3\"></audio>",
            ),
            (
                "[audio https://a.example/a.mp3]",
                "<audio controls src=\"https://a.example/a.mp3\"></audio>",
            ),
            (
                "[video src='https://a.example/a.mp4' poster='/p.jpg' /]x",
                "<video controls src=\"https://a.example/a.mp4\" poster=\"/p.jpg\"></video> x",
            ),
            (
                "[playlist ids=\"13\"]",
                "<audio controls src=\"https://old.example.com/13.mp3\"></audio>",
            ),
            (
                "[embed]https://vimeo.com/1?a=1&amp;b=2[/embed]",
                "<p><a href=\"https://vimeo.com/1?a=1&amp;b=2\">https://vimeo.com/1?a=1&amp;b=2</a></p>",
            ),
            (
                "[youtube https://youtu.be/x]",
                "<p><a href=\"https://youtu.be/x\">https://youtu.be/x</a></p>",
            ),
            (
                "[youtube=https://youtu.be/x]",
                "<p><a href=\"https://youtu.be/x\">https://youtu.be/x</a></p>",
            ),
            (
                "[vimeo 123 w=500]",
                "<p><a href=\"https://vimeo.com/123\">https://vimeo.com/123</a></p>",
            ),
            (
                "[caption id=\"x\"]<img src=\"/a.jpg\" /> Door[/caption]",
                "<figure><img src=\"/a.jpg\" /><figcaption>Door</figcaption></figure>",
            ),
            (
                "[caption caption=\"Door\"]<img src=\"/a.jpg\">[/caption]",
                "<figure><img src=\"/a.jpg\"><figcaption>Door</figcaption></figure>",
            ),
            ("[vc_raw_html]JTNDYiUzRXglM0MlMkZiJTNF[/vc_raw_html]", "<b>x</b>"),
            ("a [spotify /] b [Video] c", "a b [Video] c"),
        ] {
            check(text, expected);
        }
        assert_eq!(expanded("[gallery]", &files(), Some("7")).matches("<img").count(), 2);
        assert_eq!(expanded("[gallery]", &files(), Some("8")), "");
    }

    #[test]
    fn code_keeps_its_text() {
        fn check(text: &str, expected: &str) {
            assert_eq!(expanded(text, &Files::default(), None).trim(), expected, "{text:?}");
        }
        for (text, expected) in [
            (
                "[sourcecode language=\"c\"]\n#include <stdio.h>\n\n  a[0] = [b];\n[/sourcecode]",
                "<pre><code>#include &lt;stdio.h&gt;\n\n  a[0] = [b];</code></pre>",
            ),
            ("[php]&lt;?php echo 1;[/php]", "<pre><code>&lt;?php echo 1;</code></pre>"),
            ("[code]a &amp;&amp; b<br />\nc[/code]", "<pre><code>a &amp;&amp; b\nc</code></pre>"),
            ("<pre>[gallery]</pre><code>x</code>", "<pre>[gallery]</pre><code>x</code>"),
            ("the [code] of [c] and [go now]", "the [code] of [c] and [go now]"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn an_unknown_name_counts_only_with_attributes_or_an_end() {
        for (text, expected) in [
            (
                "array[0], [1], [sic], [see below], [Anm. d. Red.]",
                "array[0], [1], [sic], [see below], [Anm. d. Red.]",
            ),
            ("[vc_row][vc_column width=\"1/2\"]Words[/vc_column][/vc_row]", "Words"),
            ("[b]bold[/b] and [i]more[/i]", "bold and more"),
            ("[contact-form-7 id=\"1\" title=\"x\"]", ""),
            ("[spacer /]", ""),
            ("[/sic] and [a", "[/sic] and [a"),
            ("[[gallery]] shows pictures", "[gallery] shows pictures"),
            ("<a href=\"/[x y=1]\">a</a>", "<a href=\"/[x y=1]\">a</a>"),
            ("[list][li]a[/li][li]b[/li][/list]", "ab"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn many_brackets_take_linear_time() {
        // Each of these would take minutes, in a large text, if every bracket looked through the rest of the text.
        for piece in ["[a b=1]", "[code]", "[x]", "[", "[[a]", "[/x]", "[embed]<b>"] {
            let text = piece.repeat(20_000);
            assert!(expanded(&text, &Files::default(), None).len() <= text.len());
        }
    }
}
