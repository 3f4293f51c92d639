//! Plain text with paragraphs, as HTML.

use super::{characters, rewrite::push_escaped};

/// `raw`, which is plain text, as paragraphs.
///
/// Blank lines part paragraphs, and so does the indent of a line. Where there is no blank line,
/// every line is a paragraph. Other line ends become `<br>`.
pub(super) fn paragraphs(raw: &str) -> String {
    let raw = characters::clean(raw);
    let raw = raw.trim_end_matches(characters::blank).trim_start_matches('\n');
    let lines: Vec<&str> = raw.split('\n').collect();
    let empty = |line: &str| line.chars().all(characters::blank);
    let gaps = lines.iter().any(|line| empty(line));
    let mut out = String::with_capacity(raw.len() + 7 * lines.len());
    let mut open = false;
    for line in lines {
        let starts = !gaps || indented(line);
        let words = line.trim_matches(characters::blank);
        if open && (starts || words.is_empty()) {
            out.push_str("</p>");
            open = false;
        }
        if words.is_empty() {
            continue;
        }
        out.push_str(if open { "<br>" } else { "<p>" });
        open = true;
        push_escaped(&mut out, words);
    }
    if open {
        out.push_str("</p>");
    }
    out
}

/// Whether `line` begins as Chinese and Japanese paragraphs do, or as typed ones.
fn indented(line: &str) -> bool {
    line.starts_with(['\u{3000}', '\u{2003}', '\t'])
        || line.starts_with("  ")
        || line.starts_with("\u{A0}\u{A0}")
}

#[cfg(test)]
mod tests {
    use crate::text::{Html, html::tests::sanitize};

    #[test]
    fn plain_text_gets_its_paragraphs() {
        fn check(raw: &str, expected: &str) {
            let html = Html::from_text(raw);
            assert_eq!(html.as_str(), expected, "{raw:?}");
            assert_eq!(sanitize(html.as_str()), html, "T-39: {raw:?}");
        }
        for (raw, expected) in [
            ("", ""),
            (" \n ", ""),
            ("a < b & \"c\" https://x.example/", "<p>a &lt; b &amp; \"c\" https://x.example/</p>"),
            ("a\r\nb\r\n\r\nc", "<p>a<br>b</p><p>c</p>"),
            ("一\n二\n", "<p>一</p><p>二</p>"),
            (
                "\u{3000}\u{3000}一\n续\n\u{3000}\u{3000}二\n\n三",
                "<p>一<br>续</p><p>二</p><p>三</p>",
            ),
            ("a\u{2029}b\0", "<p>a</p><p>b</p>"),
        ] {
            check(raw, expected);
        }
    }
}
