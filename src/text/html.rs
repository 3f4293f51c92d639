//! Fragments of HTML: T-30 to T-40.

use std::{borrow::Cow, fmt};

use scraper::Node;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Limits, Text, characters, guard, prose, rewrite, tree, urls};

/// How often markup is rewritten until it no longer changes; twice is the rule.
const ROUNDS: usize = 6;

/// A sanitised HTML fragment, every address in it absolute.
///
/// Deserialised as out of the store: see [`Html::stored`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Html(String);

impl Html {
    /// Makes a fragment of `raw`, which anybody may have written; addresses are resolved against
    /// `base`, and those that stay relative go (T-30 to T-39).
    pub fn sanitize(raw: &str, base: Option<&Url>) -> Self {
        Self(settled(raw, base, Limits::ALL))
    }

    /// What is left of `markup`, which was sanitised, within `limits`.
    pub fn narrowed(markup: &str, limits: &Limits) -> String {
        settled(markup, None, limits)
    }

    /// Makes paragraphs of `raw`, which is plain text.
    ///
    /// Blank lines part paragraphs, and so does the indent of a line. Where there is no blank
    /// line, every line is a paragraph.
    pub fn from_text(raw: &str) -> Self {
        Self(prose::paragraphs(raw))
    }

    /// Takes `markup` out of the store: it was sanitised, only its characters are checked again
    /// (T-1).
    pub fn stored(markup: String) -> Self {
        match characters::clean(&markup) {
            Cow::Borrowed(_) => Self(markup),
            Cow::Owned(clean) => Self(clean),
        }
    }

    /// The words in it, on one line, without ruby.
    pub fn to_text(&self) -> Text {
        Text::from_markup(&self.0)
    }

    /// The fragment as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has neither words nor media.
    pub fn is_empty(&self) -> bool {
        let media = ["<img", "<video", "<audio"].iter().any(|tag| self.0.contains(tag));
        // Our serialiser escapes `<` and `>` wherever they are not a tag's.
        let mut outside = self.0.split('<').filter_map(|part| part.rsplit('>').next());
        !media && outside.all(|words| words.chars().all(characters::blank))
    }

    /// Whether it shows the picture at this address.
    pub fn shows(&self, picture: &Url) -> bool {
        let mut written = String::new();
        rewrite::push_escaped(&mut written, picture.as_str());
        if !self.0.contains(&written) {
            return false;
        }
        let Some(tree) = tree::parse(&self.0) else {
            return false;
        };
        let elements = tree.tree.values().filter_map(Node::as_element);
        elements.filter(|element| matches!(element.name(), "img" | "source")).any(|element| {
            let set = element.attr("srcset").map(|set| urls::srcset(set, None));
            element.attr("src") == Some(picture.as_str())
                || set.unwrap_or_default().iter().any(|(url, _)| url == picture)
        })
    }
}

/// `raw` within `limits`, rewritten until it stays as it is.
fn settled(raw: &str, base: Option<&Url>, limits: &Limits) -> String {
    let mut markup = characters::clean(raw).into_owned();
    for _ in 0..ROUNDS {
        let Some(rewritten) = rewrite::rewrite(&markup, base, limits) else {
            break;
        };
        let next = guard::guarded(&rewritten);
        if next == markup {
            return next;
        }
        markup = next;
    }
    // Nested like no article, or never twice parsed alike: no author wrote this.
    prose::paragraphs(&tree::flat_words(&markup))
}

impl From<String> for Html {
    fn from(markup: String) -> Self {
        Self::stored(markup)
    }
}

impl AsRef<str> for Html {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::allowed;

    const BASE: &str = "https://example.com/news/1.html";

    pub(crate) fn sanitize(raw: &str) -> Html {
        Html::sanitize(raw, Some(&Url::parse(BASE).unwrap()))
    }

    /// Against the laws that hold for every fragment, too.
    pub(crate) fn check(raw: &str, expected: &str) {
        let html = sanitize(raw);
        assert_eq!(html.as_str(), expected, "{raw:?}");
        assert_eq!(sanitize(html.as_str()), html, "T-39: {raw:?}");
        assert_eq!(Html::sanitize(html.as_str(), None), html, "T-30: {raw:?}");
    }

    #[test]
    fn only_allowed_elements_and_attributes_leave() {
        for (raw, expected) in [
            ("", ""),
            ("text", "text"),
            ("a & b < c > d \u{A0}\"e\"", "a &amp; b &lt; c &gt; d \u{A0}\"e\""),
            ("<p>a&nbsp;b</p>", "<p>a\u{A0}b</p>"),
            ("<b><i>x</b></i>", "<b><i>x</i></b>"), // T-31
            ("<p>a<p>b", "<p>a</p><p>b</p>"),
            ("<h1 id=x class=y style='color:red'>标题</h1>", "<h2>标题</h2>"),
            (
                "<p onclick=x() data-x=1 lang=zh-CN dir=RTL title=' a  b '>x</p>",
                "<p dir=\"rtl\" lang=\"zh-CN\" title=\"a b\">x</p>",
            ),
            ("a<script>x</script><style>y</style><title>z</title><template>t</template>b", "ab"), // T-32
            ("<form><p>a</p><input value=x></form><my-tag>b</my-tag><font>c</font>", "<p>a</p>bc"), // T-32
            ("a<form>b</form>c", "a<br>b<br>c"),
            ("<noscript><p>a</p></noscript>", "<p>a</p>"),
            ("<svg><title>i</title><text>y</text><a xlink:href='javascript:x'>z</a></svg>", "yz"),
            (
                "<svg><style><img src=x onerror=alert(1)></style></svg>",
                "<img alt=\"\" src=\"https://example.com/news/x\">",
            ),
            ("<math><mi>x</mi><annotation>y</annotation></math>", "x"),
            (
                "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
                "",
            ),
            ("<!-- c --><?import x?><![CDATA[d]]>", ""),
            ("<body onload=x><p>a</p></body>", "<p>a</p>"),
            (
                "<html><head><title>t</title><base href='https://evil.example/'></head><body><a href=x>a</a>",
                "<a href=\"https://example.com/news/x\">a</a>",
            ),
            (
                "<a href=/x target=_blank rel='opener NOFOLLOW ugc' name=n>a</a>",
                "<a href=\"https://example.com/x\" rel=\"nofollow ugc\">a</a>",
            ), // T-38
            (
                "<table><tr><td colspan=2 width=9 rowspan=x>a<th scope=col>b</table>",
                "<table><tbody><tr><td colspan=\"2\">a</td><th scope=\"col\">b</th></tr></tbody></table>",
            ),
            (
                "<ol start=-3 reversed type=a><li value=2>a<li></ol>",
                "<ol reversed=\"\" start=\"-3\" type=\"a\"><li value=\"2\">a</li></ol>",
            ),
            (
                "<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>",
                "<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>",
            ),
            ("<pre>\n\n a\n  b</pre>", "<pre> a\n  b</pre>"),
            ("a\0b\r\nc&#13;d&#x1;e&#x92;\u{FFFE}", "ab\nc\nde’"), // T-1, T-3, T-6
            ("<p>👨\u{200D}👩</p>", "<p>👨\u{200D}👩</p>"),
            (
                "<a href=/1>a<table><tr><td><a href=/2>b</a></td></tr></table></a>",
                "<a href=\"https://example.com/1\">a<table><tbody><tr><td>b</td></tr></tbody></table></a>",
            ),
            ("<p><button><p>x</p></button></p>", "<p>x</p>"),
            ("<xmp><b>x</b></xmp>", "<pre>&lt;b&gt;x&lt;/b&gt;</pre>"),
        ] {
            check(raw, expected);
        }
    }

    #[test]
    fn every_address_is_absolute_and_harmless() {
        for (raw, expected) in [
            ("<a href='#x'>a</a>", "<a href=\"https://example.com/news/1.html#x\">a</a>"), // T-30
            (
                "<a href='//cdn.example/x?a=1&b=2'>a</a>",
                "<a href=\"https://cdn.example/x?a=1&amp;b=2\">a</a>",
            ),
            (
                "<a href='mailto:a@b.example'>a</a><a href='tel:+86'>b</a>",
                "<a href=\"mailto:a@b.example\">a</a><a href=\"tel:+86\">b</a>",
            ),
            ("<a>a</a><a href=''>b</a><a href='https://u:p@x.example/'>c</a>", "abc"),
            ("<a href='javascript:x'>a</a>", "a"), // T-35
            ("<a href=' &#1; java&#10;script&colon;x'>a</a>", "a"),
            (
                "<a href='JaVaScRiPt:x'>a</a><a href='data:text/html,x'>b</a><a href='vbscript:x'>c</a>",
                "abc",
            ),
            ("<a href='java\0script:x'>a</a>", "a"),
            (
                "<img src='javascript:x'><img src='data:image/png;base64,AA'><img src=mailto:x><img>",
                "",
            ),
            (
                "<blockquote cite=/q>a</blockquote><q cite='javascript:x'>b</q>",
                "<blockquote cite=\"https://example.com/q\">a</blockquote><q>b</q>",
            ),
            (
                "<img src=a.jpg srcset='a,b.jpg 1x, javascript:x 2x, //c.example/c.jpg 2x' sizes='(min-width: 9px) 50vw'>",
                "<img alt=\"\" sizes=\"(min-width: 9px) 50vw\" src=\"https://example.com/news/a.jpg\" srcset=\"https://example.com/news/a,b.jpg 1x, https://c.example/c.jpg 2x\">",
            ),
            (
                "<video src=v.mp4 poster='data:x' autoplay controls width=9>x</video>",
                "<video controls=\"\" src=\"https://example.com/news/v.mp4\">x</video>",
            ),
            (
                "<audio><source src=a.mp3 type=audio/mpeg></audio>",
                "<audio><source src=\"https://example.com/news/a.mp3\" type=\"audio/mpeg\"></audio>",
            ),
            ("<video><source src='javascript:x'>none</video>", "none"),
            (
                "<img src='x\" onerror=\"alert(1)' alt='\"><script>'>",
                "<img alt=\"&quot;&gt;&lt;script&gt;\" src=\"https://example.com/news/x%22%20onerror=%22alert(1)\">",
            ),
        ] {
            check(raw, expected);
        }
        let lost = Html::sanitize(
            "<a href='#x'>a</a><a href=b>b</a><img src=c><blockquote cite=d>d</blockquote><img src=//e.example/e>",
            None,
        );
        assert_eq!(
            lost.as_str(),
            "ab<blockquote>d</blockquote><img alt=\"\" src=\"https://e.example/e\">"
        );
    }

    #[test]
    fn a_fragment_without_words_and_media_is_empty() {
        fn check(raw: &str, expected: bool) {
            assert_eq!(sanitize(raw).is_empty(), expected, "{raw:?}");
        }
        for (raw, expected) in [
            ("", true),
            ("<table><tr><td>&nbsp;</table><hr>", true),
            ("<img src=/a>", false),
            ("<td>x", false),
            ("&lt;", false),
        ] {
            check(raw, expected);
        }
    }

    #[test]
    fn a_picture_is_shown_by_img_and_source_only() {
        fn check(raw: &str, expected: bool) {
            let picture = Url::parse("https://example.com/a,b.jpg?x=1&y=2").unwrap();
            assert_eq!(sanitize(raw).shows(&picture), expected, "{raw:?}");
        }
        for (raw, expected) in [
            ("<img src='/a,b.jpg?x=1&amp;y=2'>", true),
            ("<img src=/c srcset='/a,b.jpg?x=1&y=2 2x'>", true),
            ("<picture><source srcset='/a,b.jpg?x=1&y=2'><img src=/c></picture>", true),
            ("<a href='/a,b.jpg?x=1&y=2'>x</a>", false),
            ("<img src='/a,b.jpg?x=1&y=23'>", false),
        ] {
            check(raw, expected);
        }
    }

    #[test]
    fn stored_markup_is_only_filtered() {
        assert_eq!(Html::stored("<p>a\u{1}</p>\r\n".to_owned()).as_str(), "<p>a</p>\n");
        let html: Html = serde_json::from_str("\"<p>\\u0000a</p>\"").unwrap();
        assert_eq!(serde_json::to_string(&html).unwrap(), "\"<p>a</p>\"");
    }

    /// Pieces that parsers, sanitisers and feeds have stumbled over.
    pub(crate) fn hostile() -> impl Strategy<Value = String> {
        let names = "a|b|p|h1|h3|div|li|ul|dl|dt|dd|table|tbody|tr|td|caption|colgroup|col|pre|ruby|rt|span|form|button|select|option|svg|math|mtext|foreignObject|style|script|title|textarea|noscript|iframe|object|template|img|br|hr|video|source|picture|xmp|nobr|marquee|details|summary|frameset|head|body|html|annotation-xml|desc|plaintext";
        let attributes = " href=\"(x|#y|//z|javascript:1|java\u{9}script:1|data:,)\"| src=\"(x|data:,|//z|javascript:1)\"| srcset=\"(a,b 1x, c 2x|javascript:1)\"| data-src=/r| onload=1| style=\"background:url(x)\"| title=\"--><img src=1>\"| width=1| encoding=text/html";
        let pieces = |regex: &str| prop::string::string_regex(regex).unwrap();
        let piece = prop_oneof![
            6 => pieces(&format!("<({names})({attributes}){{0,2}}>")),
            4 => pieces(&format!("</({names})>")),
            3 => pieces("[ \n\u{3000}\u{A0}a文<>&\"']{1,3}"),
            1 => pieces("<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?x|&#0;|&#x92;|&nbsp;|&lt;script&gt;|\0|\r"),
            1 => pieces("\\PC{0,3}"),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn whatever_comes_in_harmless_markup_goes_out(raw in hostile(), based: bool) {
            let base = Url::parse(BASE).unwrap();
            let html = Html::sanitize(&raw, based.then_some(&base));
            prop_assert_eq!(&sanitize(html.as_str()), &html); // T-39
            prop_assert!(html.as_str().chars().all(characters::carried)); // T-1
            let tree = tree::parse(html.as_str()).unwrap();
            for element in tree.tree.values().filter_map(Node::as_element).skip(1) {
                if element.name() != "html" {
                    prop_assert!(allowed::kind(element.name()).is_some(), "{}", element.name());
                }
                for (name, value) in element.attrs() {
                    let allowed = allowed::attribute(element.name(), name, value, None);
                    match name {
                        "src" => prop_assert!(urls::web_url(value, None).is_some(), "{}", value),
                        "srcset" => prop_assert!(!urls::srcset(value, None).is_empty(), "{}", value),
                        _ => prop_assert!(allowed.is_some() || name == "alt", "{} {}", name, value),
                    }
                }
            }
        }

        #[test]
        fn plain_text_is_already_sanitised(raw in "(\\PC|[ \r\n\t\u{3000}\u{A0}\u{2028}<&文a\u{0}-\u{9F}]){0,40}") {
            let html = Html::from_text(&raw);
            prop_assert_eq!(sanitize(html.as_str()), html);
        }
    }
}
