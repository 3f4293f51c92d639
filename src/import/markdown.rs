//! Markdown files with front matter, as Hugo, Jekyll and Zola have them.
//!
//! YAML between `---`, TOML between `+++`, or a JSON object; then CommonMark with tables, footnotes and what else these
//! three write. Shortcodes are programs of the old site: `figure` becomes a figure, others go and leave what they enclose.

use pulldown_cmark::{Options, Parser, html::push_html};
use serde_json::{Map, Value};

use crate::import::{
    convert::Fault,
    matter::{self, Matter},
    record::Record,
};

/// An article in Markdown.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// `id` is that of the front matter, else the name of the file without its ending.
    pub record: Record,
    /// As in addresses: `slug` of the front matter, else from the name of the file.
    pub slug: String,
    /// Not to be published: `draft: true` of Hugo and Zola, `published: false` of Jekyll, a file below `_drafts/`.
    pub is_draft: bool,
    /// Where it was before: `aliases` of Hugo and Zola, `redirect_from` of Jekyll. Paths or addresses.
    pub aliases: Vec<String>,
}

/// Reads a file. `name` is its path below the folder of the site's articles, with `/`: `news/2026-03-05-opening.md`. `None`
/// for a file that is about a list of others (`_index.md`).
pub fn read(name: &str, text: &str) -> Result<Option<Page>, Fault> {
    let file = Name::of(name);
    if file.stem == "_index" {
        return Ok(None);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (Matter { fields, .. }, body) = matter::split(text)?;
    let is_hidden = name.split('/').any(|part| part == "_drafts");
    let mut page = matter::page(&fields);
    page.is_draft |= is_hidden;
    if page.slug.is_empty() {
        file.slug.clone_into(&mut page.slug);
    }
    let record = &mut page.record;
    if record.id.is_none() {
        record.id = Some(crate::import::record::Key::Text(file.id));
    }
    record.date_published = record.date_published.take().or(file.date);
    record.language = record.language.take().or(file.language);
    if let Some(pattern) = record.url.take() {
        record.url = Some(placed(&pattern, &page.slug, record.date_published.as_deref(), &fields));
    }
    let Body { html, excerpt } = body_of(body);
    let record = &mut page.record;
    record.summary = record.summary.take().or(excerpt);
    record.content_html = Some(html).filter(|html| !html.trim().is_empty());
    Ok(Some(page))
}

/// What the name of a file says.
struct Name {
    id: String,
    stem: String,
    slug: String,
    date: Option<String>,
    language: Option<String>,
}

impl Name {
    /// `2026-03-05-opening.md` of Jekyll and Zola; `opening/index.md` and `opening.en.md` of Hugo.
    fn of(name: &str) -> Self {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let whole = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let is_language = |code: &&str| {
            let (first, rest) = code.split_once('-').unwrap_or((code, ""));
            first.len() == 2
                && first.bytes().all(|byte| byte.is_ascii_lowercase())
                && rest.len() <= 4
                && rest.bytes().all(|byte| byte.is_ascii_alphabetic())
        };
        let parted = whole.rsplit_once('.').filter(|(_, code)| is_language(code));
        let (stem, language) =
            parted.map_or((whole, None), |(stem, code)| (stem, Some(code.to_owned())));
        // A bundle is named by its folder.
        let named = if stem == "index" && !folder.is_empty() {
            folder.rsplit('/').next().unwrap_or(folder)
        } else {
            stem
        };
        let (date, slug) = dated(named);
        let id = name.rsplit_once('.').map_or(name, |(id, _)| id);
        let id = id.strip_suffix("/index").unwrap_or(id);
        Self { id: id.to_owned(), stem: stem.to_owned(), slug, date, language }
    }
}

/// `2026-03-05-opening` or `2026-03-05_opening`: the date, and the rest.
fn dated(stem: &str) -> (Option<String>, String) {
    let is_date = |date: &str| {
        date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    };
    match (stem.get(..10), stem.get(10..)) {
        (Some(date), Some(rest)) if is_date(date) && rest.starts_with(['-', '_']) => {
            (Some(date.to_owned()), rest[1..].to_owned())
        }
        _ => (None, stem.to_owned()),
    }
}

/// An address whose words with a colon are replaced, as in `permalink` of Jekyll and Hugo.
fn placed(pattern: &str, slug: &str, date: Option<&str>, fields: &Map<String, Value>) -> String {
    if !pattern.contains("/:") {
        return pattern.to_owned();
    }
    let part = |at: std::ops::Range<usize>| date.and_then(|date| date.get(at)).unwrap_or_default();
    let category = fields.get("categories").and_then(|list| list.get(0).or(Some(list)));
    let category = category.and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let short = |number: &str| number.trim_start_matches('0').to_owned();
    let words = pattern.split('/').map(|segment| match segment {
        ":year" => part(0..4).to_owned(),
        ":month" | ":i_month" => part(5..7).to_owned(),
        ":day" => part(8..10).to_owned(),
        ":i_day" => short(part(8..10)),
        ":title" | ":slug" | ":filename" | ":slugorfilename" => slug.to_owned(),
        ":title.html" | ":slug.html" => format!("{slug}.html"),
        ":categories" | ":section" => category.clone(),
        other => other.to_owned(),
    });
    let joined = words.collect::<Vec<_>>().join("/");
    if pattern.contains("://") { joined } else { joined.replace("//", "/") }
}

struct Body {
    html: String,
    /// What stands before `<!-- more -->`.
    excerpt: Option<String>,
}

fn body_of(markdown: &str) -> Body {
    let markdown = without_shortcodes(markdown);
    let cut = ["<!--more-->", "<!-- more -->"].iter().find_map(|mark| markdown.find(mark));
    let excerpt = cut.map(|at| crate::text::Text::from_markup(&html_of(&markdown[..at])));
    let excerpt = excerpt.map(|text| text.as_str().to_owned()).filter(|text| !text.is_empty());
    Body { html: html_of(&markdown), excerpt }
}

fn html_of(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM;
    let mut html = String::with_capacity(markdown.len() * 3 / 2);
    push_html(&mut html, Parser::new_ext(markdown, options));
    html
}

/// `{{< name … >}}` and `{{% name … %}}` of Hugo, `{{ name(…) }}` of Zola, `{% name … %}` and `{{ name }}` of Jekyll.
fn without_shortcodes(markdown: &str) -> String {
    const MARKS: [(&str, &str); 4] = [("{{<", ">}}"), ("{{%", "%}}"), ("{%", "%}"), ("{{", "}}")];
    let mut kept = String::with_capacity(markdown.len());
    let mut is_code = false;
    for line in markdown.split_inclusive('\n') {
        let begins = line.trim_start();
        if begins.starts_with("```") || begins.starts_with("~~~") {
            is_code = !is_code;
        }
        let mut rest = line;
        while !is_code && let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
            let (before, marked) = rest.split_at(at);
            let Some((open, close)) = MARKS.iter().find(|(open, _)| marked.starts_with(open))
            else {
                break;
            };
            // Code in a line, and what does not end in the line, is text.
            let is_inline_code = before.matches('`').count() % 2 == 1;
            let Some(end) = marked.find(close).filter(|_| !is_inline_code) else { break };
            kept.push_str(before);
            kept.push_str(&shortcode(marked[open.len()..end].trim()));
            rest = &marked[end + close.len()..];
        }
        kept.push_str(rest);
    }
    kept
}

/// What a shortcode leaves.
fn shortcode(call: &str) -> String {
    let call = call.trim_end_matches('/').trim();
    let end = call.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(call.len());
    let (name, arguments) = call.split_at(end);
    let given = |name: &str| {
        let after = arguments.split(&format!("{name}=")).nth(1)?;
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
        after[1..].split(quote).next().map(str::to_owned)
    };
    match name {
        "figure" | "image" | "img" => {
            let Some(src) = given("src") else { return String::new() };
            let escape = |text: String| quick_xml::escape::escape(text).into_owned();
            let alt = given("alt").map(escape).unwrap_or_default();
            let caption = given("caption").or_else(|| given("title")).map(escape);
            let caption = caption.map(|text| format!("<figcaption>{text}</figcaption>"));
            let caption = caption.unwrap_or_default();
            format!("<figure><img src=\"{}\" alt=\"{alt}\">{caption}</figure>", escape(src))
        }
        "highlight" => {
            format!("\n```{}\n", arguments.split_whitespace().next().unwrap_or_default())
        }
        "/highlight" | "endhighlight" => "\n```\n".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::record::Key;

    fn page(name: &str, text: &str) -> Page {
        read(name, text).unwrap().unwrap()
    }

    #[test]
    fn hugo_jekyll_and_zola_say_the_same_in_their_ways() {
        let hugo = "+++\ntitle = \"新馆开放\"\ndate = 2026-03-05T08:30:00+08:00\ndraft = true\nslug = \"opening\"\n\
                    tags = [\"读书\"]\ncategories = [\"文化\"]\naliases = [\"/old/1\"]\n+++\nBody.\n";
        let jekyll = "---\ntitle: 新馆开放\ndate: 2026-03-05 08:30:00 +0800\npublished: false\ntags: 读书\n\
                      category: 文化\nredirect_from: [/old/1]\n---\nBody.\n";
        let zola = "+++\ntitle = \"新馆开放\"\ndate = \"2026-03-05T08:30:00+08:00\"\ndraft = true\naliases = [\"/old/1\"]\n\
                    [taxonomies]\ntags = [\"读书\"]\ncategories = [\"文化\"]\n+++\nBody.\n";
        let files = [
            ("news/2.md", hugo),
            ("_posts/2026-03-05-opening.md", jekyll),
            ("news/2026-03-05_opening.md", zola),
        ];
        for (name, text) in files {
            let page = page(name, text);
            assert_eq!(page.slug, "opening", "{name}");
            assert!(page.is_draft, "{name}");
            assert_eq!(page.aliases, ["/old/1"], "{name}");
            let record = page.record;
            assert_eq!(record.title.as_deref(), Some("新馆开放"), "{name}");
            assert_eq!(
                record.date_published.as_deref(),
                Some("2026-03-05T08:30:00+08:00"),
                "{name}"
            );
            assert_eq!(record.tags.unwrap(), ["读书"], "{name}");
            assert_eq!(record.categories.unwrap(), ["文化"], "{name}");
            assert_eq!(record.content_html.as_deref(), Some("<p>Body.</p>\n"), "{name}");
        }
    }

    #[test]
    fn the_name_of_the_file_says_the_rest() {
        let bare = page("posts/2026-03-05-opening.en.md", "# Opening\n");
        assert_eq!(bare.slug, "opening");
        assert_eq!(bare.record.date_published.as_deref(), Some("2026-03-05"));
        assert_eq!(bare.record.language.as_deref(), Some("en"));
        assert!(
            matches!(bare.record.id, Some(Key::Text(id)) if id == "posts/2026-03-05-opening.en")
        );
        let bundle = page("posts/opening/index.md", "{\"title\": \"Opening\", \"id\": 7}\n\nBody");
        assert_eq!(bundle.slug, "opening");
        assert!(matches!(bundle.record.id, Some(Key::Text(id)) if id == "7"));
        assert!(read("posts/_index.md", "---\ntitle: All\n---\n").unwrap().is_none());
        let placed = page(
            "_posts/2026-03-05-opening.md",
            "---\npermalink: /:categories/:year/:title.html\n---\n",
        );
        assert_eq!(placed.record.url.as_deref(), Some("/2026/opening.html"));
    }

    #[test]
    fn shortcodes_leave_what_they_enclose() {
        let text = "A {{< b c=\"d\" >}}E{{< /b >}} `{{ f }}`\n\n{{< figure src=\"/a.jpg\" caption=\"Die & das\" >}}\n\
                    <!--more-->\n{% include x.html %}G {{ unfinished\n```\n{{ code }}\n```\n";
        let record = page("a.md", text).record;
        let html = record.content_html.unwrap();
        assert!(html.contains("<p>A E <code>{{ f }}</code></p>"), "{html}");
        assert!(html.contains("<figcaption>Die &amp; das</figcaption>"), "{html}");
        assert!(html.contains("G {{ unfinished"), "{html}");
        assert!(html.contains("{{ code }}"), "{html}");
        assert_eq!(record.summary.as_deref(), Some("A E {{ f }} Die & das"));
    }

    #[test]
    fn front_matter_that_cannot_be_read_is_refused_by_name() {
        let mut bomb = "---\na0: &a0 [x,x]\n".to_owned();
        for n in 1..40 {
            let last = format!("*a{}", n - 1);
            bomb +=
                &["a", &n.to_string(), ": &a", &n.to_string(), " [", &[&*last; 4].join(","), "]\n"]
                    .concat();
        }
        bomb += "---\n";
        for (text, part) in [
            ("---\ntitle: x\n", "no end"),
            ("---\ntitle: [x\n---\n", "not YAML"),
            ("+++\ntitle\n+++\n", "not TOML"),
            ("---\n- a\n---\n", "no fields"),
            ("{\"title\": }\n", "not JSON"),
            (bomb.as_str(), "not YAML"),
        ] {
            let fault = read("a.md", text).unwrap_err();
            assert!(fault.problem.contains(part), "{}", fault.problem);
        }
    }
}
