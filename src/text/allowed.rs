//! The elements and attributes that may leave (T-32 to T-36).

use super::{plain::Text, urls};
use url::Url;

/// Elements that hold text within a line.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "i", "ins", "kbd", "mark",
    "picture", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strong", "sub", "sup",
    "time", "u", "var",
];

/// Elements that make a block, and go when nothing is left in them.
const BLOCKS: &[&str] = &[
    "article",
    "aside",
    "blockquote",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "li",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "tr",
    "ul",
];

/// Elements that mean something even when empty.
const STRUCTURE: &[&str] = &["audio", "caption", "colgroup", "td", "th", "video"];

/// Elements without content. `track`, which T-34 allows, is missing: it allows no `src` for it.
const VOID: &[&str] = &["br", "col", "hr", "img", "source", "wbr"];

/// Elements that go with all they hold: T-32, and those whose content is markup as text.
pub(super) const REMOVED: &[&str] = &[
    "annotation",
    "annotation-xml",
    "applet",
    "desc",
    "embed",
    "frameset",
    "head",
    "iframe",
    "metadata",
    "noembed",
    "noframes",
    "object",
    "script",
    "style",
    "template",
    "title",
];

/// Elements that are not allowed but begin a line all the same.
const BREAKING: &[&str] = &[
    "address", "body", "br", "caption", "center", "dialog", "dir", "fieldset", "form", "h1",
    "hgroup", "hr", "legend", "listing", "main", "menu", "nav", "option", "search", "td", "th",
    "video", "xmp",
];

/// How an allowed element is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Inline,
    Block,
    Structure,
    Void,
}

/// What an attribute may hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// A line of text.
    Line,
    /// An address that people follow.
    Link,
    /// An address that readers fetch.
    Web,
    /// Only made from several attributes together; see `pictures`.
    Picture,
    /// A language tag, by its characters.
    Language,
    /// Digits, with a sign where `true`.
    Number(bool),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Several of these words.
    Words(&'static [&'static str]),
    /// Present or absent.
    Flag,
    /// ASCII letters, digits and these.
    Letters(&'static str),
}

/// How long the value of an attribute may be, apart from a `srcset`.
const LONGEST_VALUE_BYTES: usize = 8192;

const GLOBAL: &[(&str, Value)] = &[
    ("dir", Value::Word(&["ltr", "rtl", "auto"])),
    ("lang", Value::Language),
    ("title", Value::Line),
];

/// The allowed elements.
pub(super) fn elements() -> impl Iterator<Item = &'static str> {
    [INLINE, BLOCKS, STRUCTURE, VOID].into_iter().flatten().copied()
}

/// How `element` is written, with its name as a constant; `None` when it is not allowed.
pub(super) fn kind(element: &str) -> Option<(&'static str, Kind)> {
    let kinds = [
        (INLINE, Kind::Inline),
        (BLOCKS, Kind::Block),
        (STRUCTURE, Kind::Structure),
        (VOID, Kind::Void),
    ];
    kinds
        .into_iter()
        .find_map(|(names, kind)| Some((*names.iter().find(|name| **name == element)?, kind)))
}

/// The allowed name for what `element` means.
pub(super) fn renamed(element: &str) -> &str {
    match element {
        "h1" => "h2",
        "strike" => "s",
        "tt" => "code",
        "listing" | "xmp" | "plaintext" => "pre",
        "dir" | "menu" => "ul",
        "address" | "center" | "hgroup" | "main" => "div",
        _ => element,
    }
}

/// Whether `element` goes with all it holds.
pub(super) fn removed(element: &str) -> bool {
    REMOVED.contains(&element)
}

/// Whether a line ends where `element` begins or ends.
pub(super) fn breaks(element: &str) -> bool {
    BLOCKS.contains(&element) || BREAKING.contains(&element)
}

/// The attributes that any element may have.
pub(super) fn global_attributes() -> impl Iterator<Item = &'static str> {
    GLOBAL.iter().map(|(name, _)| *name)
}

/// The attributes that only `element` may have.
pub(super) fn own_attributes(element: &str) -> &'static [(&'static str, Value)] {
    use Value::{Flag, Language, Letters, Line, Link, Number, Picture, Web, Word, Words};
    match element {
        "a" => &[("href", Link), ("hreflang", Language), ("rel", Words(RELATIONS))],
        "img" => &[
            ("alt", Line),
            ("height", Number(false)),
            ("loading", Word(&["lazy", "eager"])),
            ("sizes", Letters(" .,:;()%+*/-")),
            ("src", Picture),
            ("srcset", Picture),
            ("width", Number(false)),
        ],
        "source" => &[
            ("sizes", Letters(" .,:;()%+*/-")),
            ("src", Picture),
            ("srcset", Picture),
            ("type", Letters(" .,;=/+\"'-")),
        ],
        "audio" => &[("controls", Flag), ("preload", Word(PRELOAD)), ("src", Picture)],
        "video" => {
            &[("controls", Flag), ("poster", Web), ("preload", Word(PRELOAD)), ("src", Picture)]
        }
        "td" | "th" => &[
            ("colspan", Number(false)),
            ("rowspan", Number(false)),
            ("scope", Word(&["row", "col", "rowgroup", "colgroup"])),
        ],
        "ol" => &[
            ("reversed", Flag),
            ("start", Number(true)),
            ("type", Word(&["1", "a", "A", "i", "I"])),
        ],
        "ul" => &[("type", Word(&["disc", "circle", "square"]))],
        "li" => &[("value", Number(true))],
        "blockquote" | "q" => &[("cite", Web)],
        "ins" | "del" => &[("cite", Web), ("datetime", Letters(" .:+-"))],
        "time" => &[("datetime", Letters(" .:+-"))],
        _ => &[],
    }
}

const PRELOAD: &[&str] = &["none", "metadata", "auto"];

const RELATIONS: &[&str] =
    &["author", "bookmark", "external", "license", "nofollow", "sponsored", "tag", "ugc"];

/// What is left of `raw` in the attribute `name` of `element`; `None` when nothing is.
pub(super) fn attribute(
    element: &str,
    name: &str,
    raw: &str,
    base: Option<&Url>,
) -> Option<String> {
    if raw.len() > LONGEST_VALUE_BYTES {
        return None;
    }
    let own = own_attributes(element).iter();
    let (_, value) = own.chain(GLOBAL).find(|(allowed, _)| *allowed == name)?;
    match value {
        Value::Line => Some(Text::new(raw).to_string()).filter(|line| !line.is_empty()),
        Value::Link => urls::link_url(raw, base).map(String::from),
        Value::Web => urls::web_url(raw, base).map(String::from),
        Value::Picture => None,
        Value::Language => written(raw, "-").filter(|tag| tag.len() <= 35),
        Value::Number(signed) => number(raw, *signed),
        Value::Word(words) => word(raw, words).map(str::to_owned),
        Value::Words(words) => {
            let kept = words.iter().filter(|kept| {
                raw.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(kept))
            });
            Some(kept.copied().collect::<Vec<_>>().join(" ")).filter(|words| !words.is_empty())
        }
        Value::Flag => Some(String::new()),
        Value::Letters(others) => written(raw, others),
    }
}

/// `raw` when it holds only ASCII letters, digits and `others`.
fn written(raw: &str, others: &str) -> Option<String> {
    let raw = raw.trim();
    let fits = raw.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c));
    (fits && !raw.is_empty()).then(|| raw.to_owned())
}

fn number(raw: &str, signed: bool) -> Option<String> {
    let raw = raw.trim().trim_end_matches("px");
    let digits = if signed { raw.strip_prefix('-').unwrap_or(raw) } else { raw };
    let fits = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| raw.to_owned())
}

/// Exactly, then in any case: `type="A"` is not `type="a"`.
fn word(raw: &str, words: &[&'static str]) -> Option<&'static str> {
    let raw = raw.trim();
    let exact = words.iter().find(|word| **word == raw);
    exact.or_else(|| words.iter().find(|word| word.eq_ignore_ascii_case(raw))).copied()
}
