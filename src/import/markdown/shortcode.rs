//! Shortcodes of Hugo and Zola, and tags of Jekyll, in Markdown. They are programs of the old site: a figure becomes a figure, a film a
//! link, code keeps its text; of others the marks are removed and the content stays. Linear in the length of the text.

use std::fmt::Write;

use quick_xml::escape::escape;

/// What opens and what closes a shortcode: `{{< name … >}}` and `{{% name … %}}` of Hugo, `{% name … %}` and `{{ name }}` of Zola and
/// Jekyll.
const MARKS: [(&str, &str); 4] = [("{{<", ">}}"), ("{{%", "%}}"), ("{%", "%}"), ("{{", "}}")];
/// Longest shortcode, in bytes.
const MAX_LENGTH: usize = 4 << 10;
/// Services whose shortcode names a page by its number.
const NUMBERED: [(&str, &str); 6] = [
    ("youtube", "https://www.youtube.com/watch?v="),
    ("youtubelite", "https://www.youtube.com/watch?v="),
    ("vimeo", "https://vimeo.com/"),
    ("vimeo_simple", "https://vimeo.com/"),
    ("bilibili", "https://www.bilibili.com/video/"),
    ("instagram", "https://www.instagram.com/p/"),
];

/// `markdown` without its shortcodes.
pub(super) fn expanded(markdown: &str) -> String {
    let mut kept = String::with_capacity(markdown.len());
    let mut fence: Option<&str> = None;
    let mut at = 0;
    while at < markdown.len() {
        let line_end = memchr::memchr(b'\n', &markdown.as_bytes()[at..])
            .map_or(markdown.len(), |end| at + end + 1);
        let line = &markdown[at..line_end];
        let begins = line.trim_start();
        let marked = ["```", "~~~"].into_iter().find(|mark| begins.starts_with(mark));
        match (fence, marked) {
            (None, Some(_)) => fence = marked,
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        if fence.is_some() || marked.is_some() || !line.contains('{') {
            kept.push_str(line);
            at = line_end;
            continue;
        }
        at = expand_line(markdown, at, line_end, &mut kept);
    }
    kept
}

/// Goes through a line, and through the further lines of a shortcode that begins in it; gives where it came to.
fn expand_line(markdown: &str, begin: usize, line_end: usize, kept: &mut String) -> usize {
    let mut at = begin;
    let mut is_code = false;
    while at < line_end {
        let line = &markdown[at..line_end];
        let Some(next) = memchr::memchr2(b'{', b'`', line.as_bytes()) else {
            kept.push_str(line);
            return line_end;
        };
        kept.push_str(&line[..next]);
        at += next;
        let rest = &markdown[at..];
        if rest.starts_with('`') {
            let ticks = rest.bytes().take_while(|byte| *byte == b'`').count();
            is_code = !is_code;
            kept.push_str(&rest[..ticks]);
            at += ticks;
            continue;
        }
        let mark = MARKS.iter().position(|(open, _)| rest.starts_with(open)).filter(|_| !is_code);
        let Some(mark) = mark else {
            if let Some(length) = attribute_list(rest).filter(|_| !is_code) {
                at += length;
            } else {
                kept.push('{');
                at += 1;
            }
            continue;
        };
        let (open, close) = MARKS[mark];
        let inner = &rest[open.len()..rest.floor_char_boundary(MAX_LENGTH)];
        // Jekyll's tags end in their line; calls of Hugo and Zola may go on over several, up to a blank line or a code block.
        let ends: &[&str] = if open == "{%" { &["\n"] } else { &["\n\n", "\n```", "\n~~~", "{{"] };
        let length = ends.iter().filter_map(|end| inner.find(end)).min().unwrap_or(inner.len());
        let call = inner[..length].find(close).map(|end| &inner[..end]);
        let Some(call) = call.filter(|call| is_call(call)) else {
            kept.push_str(open);
            at += open.len();
            continue;
        };
        // How Hugo writes about shortcodes.
        match call.trim().strip_prefix("/*").and_then(|call| call.strip_suffix("*/")) {
            Some(literal) => kept.extend([open, literal, close]),
            None => kept.push_str(&replacement(call.trim())),
        }
        at += open.len() + call.len() + close.len();
    }
    at
}

/// Whether a call begins with a name.
fn is_call(call: &str) -> bool {
    let name = call.trim_start_matches('-').trim_start();
    name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '_' | '"' | '\'' | '.'))
}

/// The length of `{: .class}` of kramdown, which gives attributes to what stands before.
fn attribute_list(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix("{:")?;
    let line = &inner[..inner.find('\n').unwrap_or(inner.len())];
    let end = line.find('}')?;
    let is_list =
        line[..end].chars().all(|c| c.is_alphanumeric() || " .#:=\"'-_/;%,()".contains(c));
    is_list.then_some("{:".len() + end + 1)
}

/// What a shortcode leaves.
fn replacement(call: &str) -> String {
    let call = call.trim_end_matches('/').trim().trim_matches('-').trim();
    let end = call.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(call.len());
    let (name, arguments) = call.split_at(end);
    let value = |wanted: &str| -> Option<String> {
        let mut from = 0;
        while let Some(found) = arguments[from..].find(wanted) {
            let at = from + found;
            from = at + wanted.len();
            let is_whole = arguments[..at]
                .chars()
                .next_back()
                .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ','));
            let Some(rest) = arguments[from..].trim_start().strip_prefix('=').filter(|_| is_whole)
            else {
                continue;
            };
            let rest = rest.trim_start();
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
            let end = |c: char| c.is_whitespace() || matches!(c, ',' | ')');
            return match quote {
                Some(quote) => rest[1..].split(quote).next().map(str::to_owned),
                None => rest.split(end).next().filter(|text| !text.is_empty()).map(str::to_owned),
            };
        }
        None
    };
    let first = || {
        let word = arguments.split_whitespace().next().unwrap_or_default();
        word.trim_matches(['"', '\'', '`', '(', ')', ',']).to_owned()
    };
    match name.to_ascii_lowercase().as_str() {
        "figure" | "image" | "img" => {
            let Some(src) = value("src").or_else(|| value("path")) else { return String::new() };
            let alt = value("alt").unwrap_or_default();
            let caption = value("caption").or_else(|| value("title"));
            let mut html = format!("<figure><img src=\"{}\" alt=\"{}\">", escape(src), escape(alt));
            if let Some(caption) = caption {
                let _ = write!(html, "<figcaption>{}</figcaption>", escape(caption));
            }
            html + "</figure>"
        }
        "audio" | "video" => {
            let name = name.to_ascii_lowercase();
            let src = value("src")
                .or_else(|| value("url"))
                .or_else(|| value("mp4"))
                .unwrap_or_else(first);
            if src.is_empty() {
                src
            } else {
                format!("<{name} controls src=\"{}\"></{name}>", escape(src))
            }
        }
        "highlight" => format!("\n```{}\n", first()),
        "/highlight" | "endhighlight" => "\n```\n".to_owned(),
        "gist" => {
            let words: Vec<&str> =
                arguments.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
            link(&format!("https://gist.github.com/{}", words[..words.len().min(2)].join("/")))
        }
        "tweet" | "x" | "twitter" => {
            let user = value("user").unwrap_or_else(|| "i".to_owned());
            let id = value("id").unwrap_or_else(first);
            if id.is_empty() {
                id
            } else {
                link(&format!("https://twitter.com/{user}/status/{id}"))
            }
        }
        name => match NUMBERED.iter().find(|(known, _)| *known == name) {
            Some((_, base)) => {
                let id = value("id").unwrap_or_else(first);
                if id.is_empty() { id } else { link(&format!("{base}{id}")) }
            }
            None => String::new(),
        },
    }
}

fn link(url: &str) -> String {
    let url = escape(url);
    format!("<a href=\"{url}\">{url}</a>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcodes_leave_what_they_stand_for_or_enclose() {
        fn check(markdown: &str, expected: &str) {
            assert_eq!(expanded(markdown), expected, "{markdown:?}");
        }
        let film = "<a href=\"https://www.youtube.com/watch?v=abc\">https://www.youtube.com/watch?v=abc</a>";
        for (markdown, expected) in [
            ("A {{< b c=\"d\" >}}E{{< /b >}} `{{ f }}`", "A E `{{ f }}`"),
            (
                "{{< figure\n  src=\"/a.jpg\"\n  caption=\"Die & das\" >}}\nx",
                "<figure><img src=\"/a.jpg\" alt=\"\"><figcaption>Die &amp; das</figcaption></figure>\nx",
            ),
            ("{{< youtube abc >}}", film),
            ("{{< youtube id=\"abc\" >}}", film),
            ("{{ youtube(id=\"abc\", autoplay=true) }}", film),
            ("[a]({{< ref \"b.md\" >}})", "[a]()"),
            (
                "{{< highlight go\n\"linenos=table\" >}}\nx := 1\n{{< /highlight >}}",
                "\n```go\n\nx := 1\n\n```\n",
            ),
            ("{%- include x.html -%}G", "G"),
            ("Use {%} and {{%}} as placeholders {{", "Use {%} and {{%}} as placeholders {{"),
            (
                "```\n{{ code }}\n```\n~~~\n{% a %}\n~~~\n",
                "```\n{{ code }}\n```\n~~~\n{% a %}\n~~~\n",
            ),
            ("Text\n{: .lead}\n*a*{: #b}", "Text\n\n*a*"),
            ("a {b} {:x| y}", "a {b} {:x| y}"),
            ("{% a\n%}", "{% a\n%}"),
            ("{{</* youtube x */>}}", "{{< youtube x >}}"),
            ("G {{ unfinished\n```\n{{ code }}\n```\n", "G {{ unfinished\n```\n{{ code }}\n```\n"),
            ("{{< audio src=\"/a.mp3\" >}}", "<audio controls src=\"/a.mp3\"></audio>"),
        ] {
            check(markdown, expected);
        }
    }

    #[test]
    fn many_marks_take_linear_time() {
        // Each of these would take minutes, in a large text, if every mark looked through the rest of the text.
        for piece in
            ["{% raw %}", "{{< figure src=\"a\" >}}", "{{", "{%", "{{<", "`{{", "{:", "{%}"]
        {
            let text = piece.repeat(20_000);
            assert!(expanded(&text).len() <= 20 * text.len(), "{piece}");
        }
    }
}
