//! Markdown files with front matter, as Hugo, Jekyll, Zola, Hexo and Pelican have them.
//!
//! The text is CommonMark with tables, footnotes and what else these systems write.

mod fence;
mod matter;
mod shortcode;

use std::collections::HashSet;

use pulldown_cmark::{
    CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream, html::push_html,
};
use serde_json::{Map, Value};

use crate::{
    import::{
        convert::Fault,
        record::{Key, Record},
    },
    text::{Text, web_url},
};

/// Longest summary that is taken from before a mark in the text, in bytes; a mark that stands late makes none.
const MAX_EXCERPT: usize = 2_000;
/// Marks that end the summary: of Hugo, Jekyll, WordPress and Zola, and of Docusaurus.
const EXCERPT_MARKS: [&str; 4] =
    ["<!--more-->", "<!-- more -->", "<!-- truncate -->", "<!--truncate-->"];
/// Files that are about the folder, when they have no front matter.
const ABOUT_FOLDER: [&str; 9] = [
    "readme",
    "license",
    "licence",
    "changelog",
    "contributing",
    "code_of_conduct",
    "security",
    "authors",
    "summary",
];

/// An article in Markdown.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// `id` is that of the front matter, else the name of the file without its ending.
    pub record: Record,
    /// As in addresses: `slug` of the front matter, else from the name of the file.
    pub slug: String,
    /// Not to be published: a field of the front matter says so, or the file is below `_drafts/`.
    pub is_draft: bool,
    /// Where it was before: `aliases` of Hugo and Zola, `redirect_from` of Jekyll. Paths or addresses.
    pub aliases: Vec<String>,
    /// What ends the summary within the text, where the front matter says it.
    excerpt_separator: Option<String>,
}

/// Reads a file. `name` is its path below the folder of the site's articles, with `/`: `news/2026-03-05-opening.md`. `None`
/// for a file that is about a list of others (`_index.md`) or about its folder (`README.md`).
pub fn read(name: &str, text: &str) -> Result<Option<Page>, Fault> {
    let file = Name::of(name);
    if file.stem == "_index" || file.stem == "404" {
        return Ok(None);
    }
    let (fields, body) = fence::split(text)?;
    if fields.is_empty() && ABOUT_FOLDER.contains(&file.stem.to_ascii_lowercase().as_str()) {
        return Ok(None);
    }
    let mut page = matter::page(&fields)?;
    page.is_draft |= name.split('/').any(|part| part == "_drafts");
    if page.slug.is_empty() {
        file.slug.clone_into(&mut page.slug);
    }
    let record = &mut page.record;
    if record.id.is_none() {
        record.id = Some(Key::Text(file.id));
    }
    record.date_published = record.date_published.take().or(file.date);
    record.language = record.language.take().or(file.language);
    if let Some(pattern) = record.url.take() {
        record.url = Some(placed(&pattern, &page.slug, record.date_published.as_deref(), &fields));
    }
    let Body { html, excerpt } = body_of(body, page.excerpt_separator.as_deref());
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

/// `2026-03-05-opening`, `2026-3-5-opening` or `2026-03-05_opening`: the date, and the rest.
fn dated(stem: &str) -> (Option<String>, String) {
    let undated = || (None, stem.to_owned());
    let mut parts = stem.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return undated();
    };
    let Some((day, slug)) = rest.split_once(['-', '_']) else { return undated() };
    let is_number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if is_number(year, 4..=4) && is_number(month, 1..=2) && is_number(day, 1..=2) {
        (Some(format!("{year}-{month:0>2}-{day:0>2}")), slug.to_owned())
    } else {
        undated()
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

fn body_of(markdown: &str, separator: Option<&str>) -> Body {
    let markdown = shortcode::expanded(markdown);
    let marks = separator.into_iter().chain(EXCERPT_MARKS);
    let cut =
        marks.into_iter().find_map(|mark| markdown.find(mark)).filter(|at| *at <= 4 * MAX_EXCERPT);
    let excerpt = cut.map(|at| Text::from_markup(&html_of(&markdown[..at])));
    let excerpt = excerpt.filter(|text| !text.is_empty() && text.as_str().len() <= MAX_EXCERPT);
    Body { html: html_of(&markdown), excerpt: excerpt.map(|text| text.as_str().to_owned()) }
}

fn html_of(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM;
    let events: Vec<Event<'_>> = TextMergeStream::new(Parser::new_ext(markdown, options)).collect();
    let mut html = String::with_capacity(markdown.len() * 3 / 2);
    push_html(&mut html, with_links(with_used_footnotes(events).into_iter()));
    html
}

/// Without the footnotes that nothing refers to.
fn with_used_footnotes(events: Vec<Event<'_>>) -> Vec<Event<'_>> {
    let used: HashSet<CowStr<'_>> = events
        .iter()
        .filter_map(|event| match event {
            Event::FootnoteReference(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let mut is_inside_unused = false;
    let is_kept = |event: &Event<'_>| {
        if let Event::Start(Tag::FootnoteDefinition(name)) = event {
            is_inside_unused = !used.contains(name);
        }
        let is_kept = !is_inside_unused;
        if matches!(event, Event::End(TagEnd::FootnoteDefinition)) {
            is_inside_unused = false;
        }
        is_kept
    };
    let mut is_kept = is_kept;
    events.into_iter().filter(|event| is_kept(event)).collect()
}

/// Addresses in the text as links, as on GitHub and in Hugo.
fn with_links<'e>(events: impl Iterator<Item = Event<'e>>) -> impl Iterator<Item = Event<'e>> {
    // Within links, pictures and code, an address is text.
    let mut inside = 0_usize;
    events.flat_map(move |event| {
        match &event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::CodeBlock(_)) => inside += 1,
            Event::End(TagEnd::Link | TagEnd::Image | TagEnd::CodeBlock) => {
                inside = inside.saturating_sub(1);
            }
            Event::Text(text) if inside == 0 && text.contains("://") => return linked(text),
            _ => {}
        }
        vec![event]
    })
}

fn linked<'e>(text: &str) -> Vec<Event<'e>> {
    let mut events = Vec::new();
    let (mut written, mut from) = (0, 0);
    while let Some(at) = text[from..].find("http").map(|at| from + at) {
        from = at + "http".len();
        let is_apart = text[..at]
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_ascii_alphanumeric() && c != '/' && c != '@');
        let length = address_length(&text[at..]);
        let address = &text[at..at + length];
        if !is_apart || web_url(address, None).is_none() {
            continue;
        }
        let owned = |text: &str| CowStr::from(text.to_owned());
        if written < at {
            events.push(Event::Text(owned(&text[written..at])));
        }
        let link = Tag::Link {
            link_type: LinkType::Autolink,
            dest_url: owned(address),
            title: owned(""),
            id: owned(""),
        };
        events.extend([Event::Start(link), Event::Text(owned(address)), Event::End(TagEnd::Link)]);
        (written, from) = (at + length, at + length);
    }
    if written < text.len() {
        events.push(Event::Text(CowStr::from(text[written..].to_owned())));
    }
    events
}

/// How long the address at the beginning of a text is: up to white space, a bracket or CJK punctuation, without the punctuation
/// of the sentence around it; 0 where there is none.
fn address_length(text: &str) -> usize {
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return 0;
    }
    let ends = |c: char| c.is_whitespace() || "<>\"“”‘’（）《》「」【】，。；：！？、…".contains(c);
    let mut address = &text[..text.find(ends).unwrap_or(text.len())];
    loop {
        let trimmed = address.trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_', '~', '\'']);
        let is_unbalanced =
            trimmed.ends_with(')') && trimmed.matches(')').count() > trimmed.matches('(').count();
        let trimmed = if is_unbalanced { &trimmed[..trimmed.len() - 1] } else { trimmed };
        if trimmed.len() == address.len() {
            return address.len();
        }
        address = trimmed;
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
                Some(if name.starts_with("_posts") {
                    "2026-03-05 08:30:00 +0800"
                } else {
                    "2026-03-05T08:30:00+08:00"
                }),
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
    fn what_is_not_public_is_never_an_article() {
        for matter in [
            "draft: yes",
            "draft: \"true\"",
            "draft: 1",
            "DRAFT: on",
            "published: no",
            "published: 'false'",
            "hidden: true",
            "private: true",
            "status: draft",
            "status: Hidden",
            "visibility: unlisted",
            "build:\n  list: never",
            "_build:\n  list: false",
            "headless: true",
            "password: x",
            "public: false",
        ] {
            let text = format!("---\ntitle: Secret\n{matter}\n---\nText\n");
            assert!(page("a.md", &text).is_draft, "{matter}");
        }
        for matter in [
            "draft:",
            "draft: no",
            "published: 2026-03-05",
            "published: yes",
            "status: evergreen",
            "status: published",
            "visibility: public",
            "build:\n  list: always",
            "hidden: ''",
            "password: ''",
            "public: soon",
        ] {
            let text = format!("---\ntitle: News\n{matter}\n---\nText\n");
            assert!(!page("a.md", &text).is_draft, "{matter}");
        }
        for (matter, field) in [
            ("draft: maybe", "draft"),
            ("draft: [true]", "draft"),
            ("published: later", "published"),
            ("status: embargoed", "status"),
            ("visibility: friends", "visibility"),
            ("build:\n  list: some", "build.list"),
        ] {
            let fault = read("a.md", &format!("---\n{matter}\n---\nText\n")).unwrap_err();
            assert_eq!(fault.field, field, "{matter}");
        }
        let dated = page("a.md", "---\npublished: 2026-03-05 08:30\n---\n").record;
        assert_eq!(dated.date_published.as_deref(), Some("2026-03-05 08:30"));
    }

    #[test]
    fn addresses_in_the_text_are_links() {
        let html = |markdown: &str| page("a.md", markdown).record.content_html.unwrap();
        let link = "<a href=\"https://example.com/a_b\">https://example.com/a_b</a>";
        for (markdown, expected) in [
            ("See https://example.com/a_b.", format!("<p>See {link}.</p>\n")),
            ("见https://example.com/a_b。", format!("<p>见{link}。</p>\n")),
            ("(https://example.com/a_b)", format!("<p>({link})</p>\n")),
            ("<https://example.com/a_b>", format!("<p>{link}</p>\n")),
            (
                "`https://example.com/a_b`",
                "<p><code>https://example.com/a_b</code></p>\n".to_owned(),
            ),
            (
                "[x https://example.com](https://example.com/a_b)",
                "<p><a href=\"https://example.com/a_b\">x https://example.com</a></p>\n".to_owned(),
            ),
            ("http and xhttps://example.com", "<p>http and xhttps://example.com</p>\n".to_owned()),
        ] {
            assert_eq!(html(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn a_footnote_that_nothing_refers_to_is_left_out() {
        let html =
            page("a.md", "One[^1].\n\n[^1]: Note.\n\n[^2]: Unused.\n").record.content_html.unwrap();
        assert!(html.contains("Note.") && !html.contains("Unused"), "{html}");
    }

    #[test]
    fn files_about_their_folder_are_no_articles() {
        assert!(read("README.md", "# Posts\n").unwrap().is_none());
        assert!(read("404.md", "---\ntitle: Lost\n---\n").unwrap().is_none());
        assert!(read("readme.md", "---\ntitle: Read me\n---\nText\n").unwrap().is_some());
        assert_eq!(
            page("_posts/2026-3-5-a.md", "Text\n").record.date_published.as_deref(),
            Some("2026-03-05")
        );
        assert_eq!(page("2026-report.md", "Text\n").record.date_published, None);
    }

    #[test]
    fn a_summary_ends_at_a_mark_that_stands_early() {
        let summary = |text: &str| page("a.md", text).record.summary;
        assert_eq!(summary("First.\n\n<!-- truncate -->\n\nRest.").as_deref(), Some("First."));
        assert_eq!(
            summary("---\nexcerpt_separator: <!--end-->\n---\nFirst.\n<!--end-->\nRest.")
                .as_deref(),
            Some("First.")
        );
        assert_eq!(summary(&format!("{}<!-- more -->", "A sentence. ".repeat(500))), None);
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
