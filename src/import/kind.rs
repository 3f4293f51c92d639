//! What a file is, by its beginning and its name.

use std::{fmt, path::Path, str::FromStr};

/// A kind of file that articles, or feeds to follow, come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A record a line, an array of records, or a JSON Feed.
    Records,
    /// RSS or Atom.
    Feed,
    /// An export of WordPress.
    WordPress,
    /// A list of feeds.
    Opml,
    /// Markdown with front matter.
    Markdown,
    /// A page with an article.
    Page,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Records, Self::Feed, Self::WordPress, Self::Opml, Self::Markdown, Self::Page];

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Feed => "feed",
            Self::WordPress => "wordpress",
            Self::Opml => "opml",
            Self::Markdown => "markdown",
            Self::Page => "page",
        }
    }

    /// Whether a folder is looked through for files that end so.
    pub fn is_of_folders(path: &Path) -> bool {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ["md", "markdown", "html", "htm", "shtml", "xhtml"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    }

    /// What a file is, as far as its first bytes and its name tell. Records, when nothing does.
    pub fn of(name: &str, head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(&head[..head.len().min(16_384)]).to_ascii_lowercase();
        let head = head.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        let ends =
            |endings: &[&str]| endings.iter().any(|end| name.to_ascii_lowercase().ends_with(end));
        if ends(&[".md", ".markdown"])
            || head.starts_with("---\n")
            || head.starts_with("---\r")
            || head.starts_with("+++")
        {
            return Self::Markdown;
        }
        if !head.starts_with('<') {
            // UTF-16 has a zero after each letter.
            return if ends(&[".html", ".htm", ".shtml", ".xhtml"]) {
                Self::Page
            } else {
                Self::Records
            };
        }
        let has_root = |root: &str| {
            head.match_indices(root).any(|(at, _)| {
                head[at + root.len()..].starts_with(|c: char| c.is_ascii_whitespace() || c == '>')
            })
        };
        if has_root("<html") || head.starts_with("<!doctype html") {
            Self::Page
        } else if has_root("<opml") {
            Self::Opml
        } else if head.contains("wordpress.org/export/") {
            Self::WordPress
        } else if has_root("<rss")
            || has_root("<rdf:rdf")
            || has_root("<feed")
            || has_root("<atom:feed")
            || head.starts_with("<?xml")
        {
            Self::Feed
        } else {
            Self::Page
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join("`, `");
            format!("`{name}` is no kind of file; write `{names}`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_beginning_and_name() {
        for (name, head, expected) in [
            ("a.ndjson", "{\"id\":1}", Kind::Records),
            ("a", "[", Kind::Records),
            ("a.txt", "---\ntitle: x\n---\n", Kind::Markdown),
            ("2026/a.md", "# x", Kind::Markdown),
            ("a.xml", "<?xml version=\"1.0\"?>\n<rss version=\"2.0\">", Kind::Feed),
            (
                "a.xml",
                "<?xml version=\"1.0\"?>\n<rss xmlns:wp=\"http://wordpress.org/export/1.2/\">",
                Kind::WordPress,
            ),
            ("a", "<feed xmlns=\"http://www.w3.org/2005/Atom\">", Kind::Feed),
            ("a", "\u{feff}<?xml version=\"1.0\"?><opml version=\"2.0\">", Kind::Opml),
            ("a", "<!DOCTYPE html><html>", Kind::Page),
            ("a", "<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC><html>", Kind::Page),
            ("a.shtml", "", Kind::Page),
        ] {
            assert_eq!(Kind::of(name, head.as_bytes()), expected, "{name} {head}");
        }
    }
}
