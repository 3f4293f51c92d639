//! WordPress exports (WXR 1.0 to 1.2): posts, and pages where wanted, as a stream.
//!
//! A picture that is attached to a post stands after it or before it, far away: pictures are found in the text, and the
//! featured one by its number, when it stood before the post.

use std::{
    collections::{BTreeMap, HashMap},
    io::BufRead,
    sync::{Arc, Mutex},
};

use crate::import::{
    Found,
    convert::Fault,
    record::{AttachmentRecord, ImageRecord, Key, PersonRecord, Record},
    xml::{Element, Elements, Given},
};

/// Most pictures and authors that are remembered; an export of more has them in its texts.
const MAX_REMEMBERED: usize = 200_000;

/// What of an export is taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Pages that are no posts: imprint, contact.
    pub pages: bool,
}

/// The articles of an export. What was never published (drafts, revisions, trash, menus) is passed over and counted.
pub struct Posts<R> {
    elements: Elements<R>,
    wanted: Wanted,
    is_inside: bool,
    is_over: bool,
    /// Names by login.
    authors: HashMap<String, PersonRecord>,
    /// Files by number.
    files: HashMap<String, ImageRecord>,
    /// How many items were passed over, by what they are: `draft`, `revision`.
    passed: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl<R: BufRead> Posts<R> {
    /// Nothing read yet. The input is UTF-8; what is passed over is counted in `passed`, by what it is: `draft`, `page`.
    pub fn open(input: R, wanted: Wanted, passed: Arc<Mutex<BTreeMap<String, u64>>>) -> Self {
        Self {
            elements: Elements::new(input),
            wanted,
            is_inside: false,
            is_over: false,
            authors: HashMap::new(),
            files: HashMap::new(),
            passed,
        }
    }

    fn look(&mut self) -> Result<Option<Found>, (usize, String)> {
        let failed = |line: usize, error: crate::import::xml::XmlError| (line, error.to_string());
        while !self.is_inside {
            let entered = self.elements.enter().map_err(|e| failed(self.elements.line(), e))?;
            match entered {
                Some(element) if element.name == "channel" => self.is_inside = true,
                Some(_) => {}
                None => {
                    return Err((
                        1,
                        "there is no `channel` in it; is it a WordPress export?".to_owned(),
                    ));
                }
            }
        }
        loop {
            let next = self.elements.next();
            let Some(Given { line, element }) =
                next.map_err(|e| failed(self.elements.line(), e))?
            else {
                return Ok(None);
            };
            match element.name.as_str() {
                "wp:author" => self.note_author(&element),
                "item" => {
                    if let Some(record) = self.item(&element) {
                        return Ok(Some(Found { line, record }));
                    }
                }
                _ => {}
            }
        }
    }

    fn note_author(&mut self, author: &Element) {
        let Some(login) = author.text_of("wp:author_login") else { return };
        let name = author.text_of("wp:author_display_name").unwrap_or_else(|| login.clone());
        if self.authors.len() < MAX_REMEMBERED {
            let email = author.text_of("wp:author_email");
            self.authors.insert(login, PersonRecord { name: Some(name), url: None, email });
        }
    }

    fn item(&mut self, item: &Element) -> Option<Result<Record, Fault>> {
        let kind = item.text_of("wp:post_type").unwrap_or_else(|| "post".to_owned());
        let status = item.text_of("wp:status").unwrap_or_else(|| "publish".to_owned());
        let number = item.text_of("wp:post_id");
        if kind == "attachment" {
            self.note_file(number, item);
            return None;
        }
        let is_wanted = kind == "post" || (kind == "page" && self.wanted.pages);
        let is_public = matches!(status.as_str(), "publish" | "future");
        let is_locked = item.text_of("wp:post_password").is_some();
        if !is_wanted || !is_public || is_locked {
            let what = match () {
                () if !is_wanted => kind,
                () if is_locked => "password".to_owned(),
                () => status,
            };
            if let Ok(mut passed) = self.passed.lock() {
                *passed.entry(what).or_default() += 1;
            }
            return None;
        }
        Some(self.post(number.as_ref(), item))
    }

    fn note_file(&mut self, number: Option<String>, item: &Element) {
        let url = item.text_of("wp:attachment_url");
        if let (Some(number), Some(url)) = (number, url)
            && self.files.len() < MAX_REMEMBERED
        {
            let caption =
                item.text_of("excerpt:encoded").or_else(|| item.text_of("content:encoded"));
            let alt = meta(item, "_wp_attachment_image_alt");
            let record = ImageRecord { url: Some(url), caption, alt, ..ImageRecord::default() };
            self.files.insert(number, record);
        }
    }

    fn post(&self, number: Option<&String>, item: &Element) -> Result<Record, Fault> {
        let guid = item.text_of("guid");
        let Some(id) = number.or(guid.as_ref()).cloned() else {
            let problem = "the post has neither a number nor a guid".to_owned();
            return Err(Fault { field: "id".to_owned(), problem });
        };
        let filed = |domain: &str| {
            let all = item.all("category").filter(|e| e.attribute("domain") == Some(domain));
            let names: Vec<_> = all.map(Element::text).filter(|name| !name.is_empty()).collect();
            (!names.is_empty()).then_some(names)
        };
        let login = item.text_of("dc:creator");
        let author = login.map(|login| {
            let known = self.authors.get(&login).cloned();
            // Addresses of mail of an export are not meant for readers.
            known.map_or(PersonRecord { name: Some(login), ..PersonRecord::default() }, |known| {
                PersonRecord { email: None, ..known }
            })
        });
        let featured = meta(item, "_thumbnail_id").and_then(|id| self.files.get(&id).cloned());
        let content = item.text_of("content:encoded").map(|raw| paragraphs(&raw));
        Ok(Record {
            id: Some(Key::Text(id)),
            guid,
            url: item.text_of("link"),
            title: item.text_of("title"),
            summary: item
                .text_of("excerpt:encoded")
                .map(|raw| crate::text::Text::from_markup(&raw).as_str().to_owned()),
            content_html: content,
            date_published: gmt(item, "wp:post_date_gmt").or_else(|| item.text_of("wp:post_date")),
            date_modified: gmt(item, "wp:post_modified_gmt"),
            authors: author.map(|author| vec![author]),
            categories: filed("category"),
            tags: filed("post_tag"),
            images: featured.map(|image| vec![image]),
            attachments: enclosures(item),
            ..Record::default()
        })
    }
}

impl<R: BufRead> Iterator for Posts<R> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.is_over {
            return None;
        }
        match self.look() {
            Ok(Some(found)) => Some(found),
            Ok(None) => {
                self.is_over = true;
                None
            }
            Err((line, problem)) => {
                self.is_over = true;
                Some(Found { line, record: Err(Fault { field: String::new(), problem }) })
            }
        }
    }
}

/// A value of `wp:postmeta`.
fn meta(item: &Element, key: &str) -> Option<String> {
    let found =
        item.all("wp:postmeta").find(|meta| meta.text_of("wp:meta_key").as_deref() == Some(key));
    found?.text_of("wp:meta_value")
}

/// `2026-03-05 00:30:00`, which is UTC; WordPress writes zeros for none.
fn gmt(item: &Element, name: &str) -> Option<String> {
    let raw = item.text_of(name).filter(|raw| !raw.starts_with("0000"))?;
    Some(format!("{}Z", raw.replacen(' ', "T", 1)))
}

/// `enclosure` of `wp:postmeta`: address, size and media type, a line each.
fn enclosures(item: &Element) -> Option<Vec<AttachmentRecord>> {
    let all = item
        .all("wp:postmeta")
        .filter(|e| e.text_of("wp:meta_key").as_deref() == Some("enclosure"));
    let found = all.filter_map(|meta| {
        let value = meta.text_of("wp:meta_value")?;
        let mut lines = value.lines().map(str::trim);
        Some(AttachmentRecord {
            url: Some(lines.next()?.to_owned()),
            size_in_bytes: lines.next().and_then(|size| size.parse().ok()).filter(|size| *size > 0),
            mime_type: lines.next().filter(|kind| !kind.is_empty()).map(str::to_owned),
            ..AttachmentRecord::default()
        })
    });
    let found: Vec<_> = found.collect();
    (!found.is_empty()).then_some(found)
}

/// What WordPress does with a text before it shows it: blank lines part paragraphs, `[caption]` is a figure.
pub fn paragraphs(raw: &str) -> String {
    let text = captions(raw);
    // Texts of the block editor have their paragraphs.
    if text.contains("<!-- wp:") || text.contains("<p>") || text.contains("<p ") {
        return text;
    }
    let text = text.replace("\r\n", "\n");
    let pieces = text.split("\n\n").map(str::trim).filter(|piece| !piece.is_empty());
    let is_block = |piece: &str| {
        ["<h", "<ul", "<ol", "<blockquote", "<figure", "<table", "<pre", "<div", "<hr"]
            .iter()
            .any(|tag| piece.starts_with(tag))
    };
    let marked = pieces.map(|piece| {
        if is_block(piece) {
            piece.to_owned()
        } else {
            format!("<p>{}</p>", piece.replace('\n', "<br>"))
        }
    });
    marked.collect::<Vec<_>>().join("\n")
}

/// `[caption …]<img …> words[/caption]` as a figure; other shortcodes stay as they are.
fn captions(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find("[caption") {
        let (before, marked) = rest.split_at(at);
        let (Some(open), Some(close)) = (marked.find(']'), marked.find("[/caption]")) else {
            break;
        };
        if open > close {
            break;
        }
        let inner = &marked[open + 1..close];
        let end = inner.rfind("/>").map(|at| at + 2).or_else(|| inner.find('>').map(|at| at + 1));
        let end = inner.rfind("</a>").map(|at| at + 4).or(end).unwrap_or(inner.len());
        let (picture, words) = inner.split_at(end);
        out.push_str(before);
        out.extend([
            "<figure>",
            picture,
            "<figcaption>",
            words.trim(),
            "</figcaption></figure>\n\n",
        ]);
        rest = &marked[close + "[/caption]".len()..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: &str = r#"<?xml version="1.0"?><rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
        xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/">
        <channel><title>Old</title><wp:author><wp:author_login>lin</wp:author_login><wp:author_display_name>林小雨</wp:author_display_name></wp:author>
        <item><title>hall</title><wp:post_id>5</wp:post_id><wp:post_type>attachment</wp:post_type><wp:status>inherit</wp:status>
          <excerpt:encoded>The hall</excerpt:encoded><wp:attachment_url>https://old.example.com/hall.jpg</wp:attachment_url></item>
        <item><title>新馆</title><link>https://old.example.com/?p=7</link><guid isPermaLink="false">https://old.example.com/?p=7</guid><dc:creator>lin</dc:creator>
          <content:encoded><![CDATA[One

[caption id="x" width="3"]<img src="/a.jpg" /> Door[/caption]

Two
lines]]></content:encoded><wp:post_id>7</wp:post_id><wp:post_date>2026-03-05 08:30:00</wp:post_date>
          <wp:post_date_gmt>2026-03-05 00:30:00</wp:post_date_gmt><wp:post_type>post</wp:post_type><wp:status>publish</wp:status>
          <category domain="category" nicename="c">城事</category><category domain="post_tag" nicename="t">读书</category>
          <wp:postmeta><wp:meta_key>_thumbnail_id</wp:meta_key><wp:meta_value>5</wp:meta_value></wp:postmeta>
          <wp:postmeta><wp:meta_key>enclosure</wp:meta_key><wp:meta_value>https://old.example.com/a.mp3
1200
audio/mpeg</wp:meta_value></wp:postmeta></item>
        <item><wp:post_id>8</wp:post_id><wp:post_type>post</wp:post_type><wp:status>draft</wp:status></item>
        <item><title>About</title><wp:post_id>9</wp:post_id><wp:post_type>page</wp:post_type><wp:status>publish</wp:status></item>
        </channel></rss>"#;

    #[test]
    fn posts_come_with_what_belongs_to_them() {
        let passed = Arc::default();
        let mut posts = Posts::open(EXPORT.as_bytes(), Wanted::default(), Arc::clone(&passed));
        let record = posts.next().unwrap().record.unwrap();
        assert!(posts.next().is_none());
        let passed = passed.lock().unwrap().clone();
        assert_eq!((passed["draft"], passed["page"]), (1, 1));
        assert!(matches!(&record.id, Some(Key::Text(id)) if id == "7"));
        assert_eq!(record.guid.as_deref(), Some("https://old.example.com/?p=7"));
        assert_eq!(record.date_published.as_deref(), Some("2026-03-05T00:30:00Z"));
        assert_eq!(record.authors.unwrap()[0].name.as_deref(), Some("林小雨"));
        assert_eq!(
            (record.categories.unwrap(), record.tags.unwrap()),
            (vec!["城事".to_owned()], vec!["读书".to_owned()])
        );
        assert_eq!(record.images.unwrap()[0].caption.as_deref(), Some("The hall"));
        assert_eq!(record.attachments.unwrap()[0].size_in_bytes, Some(1_200));
        assert_eq!(
            record.content_html.as_deref(),
            Some(
                "<p>One</p>\n<figure><img src=\"/a.jpg\" /><figcaption>Door</figcaption></figure>\n<p>Two<br>lines</p>"
            )
        );
        let pages = Posts::open(EXPORT.as_bytes(), Wanted { pages: true }, Arc::default());
        assert_eq!(pages.count(), 2);
    }

    #[test]
    fn an_export_that_breaks_off_names_the_place() {
        let cut = &EXPORT[..EXPORT.find("<wp:status>draft").unwrap()];
        let found: Vec<_> =
            Posts::open(cut.as_bytes(), Wanted::default(), Arc::default()).collect();
        assert!(found[0].record.is_ok());
        assert!(found[1].record.as_ref().unwrap_err().problem.contains("`item` has no end"));
        assert!(found[1].line > 10, "{}", found[1].line);
    }
}
