//! The text of a post as WordPress shows it: embeds, shortcodes, paragraphs, footnotes.

use quick_xml::escape::escape;
use serde::Deserialize;

use super::{
    Files,
    autop::{RAW, Token, paragraphs, tokens},
    shortcode::{expanded, is_address, player},
};

/// Most footnotes of a post.
const MAX_FOOTNOTES: usize = 1_000;

/// The HTML that WordPress makes of a stored text. `post` is its number, for a gallery of its own pictures.
pub(super) fn html(raw: &str, files: &Files, post: Option<&str>) -> String {
    let text = expanded(&embedded(raw), files, post);
    // WordPress adds no paragraphs to a text of the block editor, which has its own.
    if raw.contains("<!-- wp:") { text } else { paragraphs(&text) }
}

/// Addresses that stand on a line of their own, which WordPress shows as the film or the page that they name, as players and
/// links.
fn embedded(raw: &str) -> String {
    let mut html = String::with_capacity(raw.len());
    // Elements within which an address stays text.
    let mut inside = 0_usize;
    let mut is_line_start = true;
    let mut tokens = tokens(raw).peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) if inside == 0 => {
                let ends_line = tokens.peek().is_none_or(|next| is_block(next));
                embed_lines(text, is_line_start, ends_line, &mut html);
            }
            Token::Text(text) | Token::Comment(text) | Token::Raw(text) => html.push_str(text),
            Token::Tag { text, name, is_end } => {
                if ["a", "code", "kbd", "samp"]
                    .into_iter()
                    .chain(RAW)
                    .any(|element| name.is(element))
                {
                    inside = if is_end { inside.saturating_sub(1) } else { inside + 1 };
                }
                html.push_str(text);
            }
        }
        is_line_start = is_block(&token);
    }
    html
}

/// Whether a line of text ends before this.
fn is_block(token: &Token<'_>) -> bool {
    match token {
        Token::Comment(_) => true,
        Token::Tag { name, .. } => ["p", "div", "figure", "br", "li", "td", "figcaption"]
            .iter()
            .any(|block| name.is(block)),
        Token::Text(_) | Token::Raw(_) => false,
    }
}

fn embed_lines(text: &str, is_line_start: bool, ends_line: bool, html: &mut String) {
    let count = text.split('\n').count();
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            html.push('\n');
        }
        let is_whole =
            (at > 0 || is_line_start || html.is_empty()) && (at + 1 < count || ends_line);
        let address = line.trim();
        if is_whole && is_address(address) {
            let address =
                quick_xml::escape::unescape(address).map_or(address.to_owned(), Into::into);
            html.push_str(&inline_player(&address));
        } else {
            html.push_str(line);
        }
    }
}

/// A player, or a link without a paragraph around it: the address may stand in one.
fn inline_player(address: &str) -> String {
    let player = player(address);
    match player.strip_prefix("<p>").and_then(|link| link.strip_suffix("</p>")) {
        Some(link) => link.to_owned(),
        None => player,
    }
}

/// A footnote of the block editor, as `wp:postmeta` named `footnotes` has it.
#[derive(Deserialize)]
struct Footnote {
    id: String,
    content: String,
}

/// Adds the notes to a text, where its block of footnotes stands or at the end. `notes` is a list in JSON; a list that cannot
/// be read is left out, which the answer says.
pub(super) fn with_footnotes(html: String, notes: &str) -> (String, bool) {
    const BLOCK: &str = "<!-- wp:footnotes";
    let Ok(notes) = serde_json::from_str::<Vec<Footnote>>(notes) else { return (html, false) };
    if notes.is_empty() {
        return (html, true);
    }
    let items = notes.iter().take(MAX_FOOTNOTES).map(|note| {
        let id = escape(note.id.as_str());
        format!("<li id=\"{id}\">{} <a href=\"#{id}-link\">↩︎</a></li>", note.content)
    });
    let list = format!("<ol>{}</ol>", items.collect::<String>());
    match html.find(BLOCK) {
        Some(at) => {
            let after = html[at..].find("-->").map_or(html.len(), |end| at + end + 3);
            (format!("{}{list}{}", &html[..at], &html[after..]), true)
        }
        None => (format!("{html}\n{list}"), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_on_a_line_of_its_own_is_a_link_or_a_player() {
        fn check(raw: &str, expected: &str) {
            assert_eq!(html(raw, &Files::default(), None), expected, "{raw:?}");
        }
        let link = "<a href=\"https://youtu.be/x\">https://youtu.be/x</a>";
        for (raw, expected) in [
            (
                "Look\n\nhttps://youtu.be/x\n\nand on.",
                format!("<p>Look</p>\n<p>{link}</p>\n<p>and on.</p>\n"),
            ),
            ("https://youtu.be/x", format!("<p>{link}</p>\n")),
            ("See https://youtu.be/x now", "<p>See https://youtu.be/x now</p>\n".to_owned()),
            (
                "<a href=\"/x\">\nhttps://youtu.be/x\n</a>",
                "<p><a href=\"/x\"><br>\nhttps://youtu.be/x<br>\n</a></p>\n".to_owned(),
            ),
            (
                "https://a.example/a.mp3?b=1&amp;c=2",
                "<p><audio controls src=\"https://a.example/a.mp3?b=1&amp;c=2\"></audio></p>\n"
                    .to_owned(),
            ),
            (
                "<!-- wp:embed -->\n<figure><div>\nhttps://youtu.be/x\n</div><figcaption>F</figcaption></figure>\n<!-- /wp:embed -->",
                format!(
                    "<!-- wp:embed -->\n<figure><div>\n{link}\n</div><figcaption>F</figcaption></figure>\n<!-- /wp:embed -->"
                ),
            ),
            ("<pre>\nhttps://youtu.be/x\n</pre>", "<pre>\nhttps://youtu.be/x\n</pre>".to_owned()),
        ] {
            check(raw, &expected);
        }
    }

    #[test]
    fn footnotes_stand_where_their_block_does() {
        let notes = r#"[{"id": "n1", "content": "The <b>note</b>."}]"#;
        let list = "<ol><li id=\"n1\">The <b>note</b>. <a href=\"#n1-link\">↩︎</a></li></ol>";
        let html = |text: &str| with_footnotes(text.to_owned(), notes).0;
        assert_eq!(
            html("<p>a</p><!-- wp:footnotes /--><p>b</p>"),
            format!("<p>a</p>{list}<p>b</p>")
        );
        assert_eq!(html("<p>a</p>"), format!("<p>a</p>\n{list}"));
        assert_eq!(with_footnotes("a".to_owned(), "broken"), ("a".to_owned(), false));
        assert_eq!(with_footnotes("a".to_owned(), "[]"), ("a".to_owned(), true));
    }
}
