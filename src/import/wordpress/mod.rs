//! WordPress exports (WXR 1.0 to 1.2): posts, and pages where they are asked for.
//!
//! WordPress writes items by number, and the featured picture of a post usually has a larger number than the post. So an
//! export is read twice: once for its authors, pictures and identities ([`Index`]), once for its posts.

mod autop;
mod content;
mod index;
mod shortcode;

use std::{
    collections::BTreeMap,
    io::BufRead,
    sync::{Arc, Mutex},
};

use self::index::Files;
pub use self::index::Index;
use crate::{
    import::{
        Found,
        convert::Fault,
        record::{AttachmentRecord, Key, PersonRecord, Record},
        xml::{Element, Elements, Given, XmlError},
    },
    text::Text,
};

/// Most authors of one post.
const MAX_AUTHORS: usize = 200;

/// What of an export is taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Pages that are no posts: imprint, contact.
    pub pages: bool,
}

/// The HTML that WordPress shows for a stored text (`post_content`), without the pictures of galleries, which only an export
/// has.
pub fn content_html(raw: &str) -> String {
    content::html(raw, &Files::default(), None)
}

/// An excerpt as plain text: shortcodes are expanded first, so that none is read out.
pub fn excerpt(raw: &str) -> String {
    plain(&shortcode::expanded(raw, &Files::default(), None))
}

/// Enters the `channel` of an export.
fn enter_channel<R: BufRead>(elements: &mut Elements<R>) -> Result<(), XmlError> {
    loop {
        match elements.enter()? {
            Some(element) if element.name == "channel" => return Ok(()),
            Some(_) => {}
            None => {
                let problem = "there is no `channel` in it; is it a WordPress export?".to_owned();
                return Err(XmlError::Broken(problem));
            }
        }
    }
}

/// The articles of an export. Items that were never published (drafts, revisions, trash, menus) are passed over and counted.
pub struct Posts<R> {
    elements: Elements<R>,
    index: Index,
    wanted: Wanted,
    is_inside: bool,
    is_over: bool,
    /// How many items were passed over, by what they are: `draft`, `revision`.
    passed: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl<R: BufRead> Posts<R> {
    /// Nothing read yet. `input` is the same UTF-8 that `index` was read from; items that are passed over are counted in
    /// `passed` by what they are: `draft`, `page`.
    pub fn open(
        input: R,
        index: Index,
        wanted: Wanted,
        passed: Arc<Mutex<BTreeMap<String, u64>>>,
    ) -> Self {
        let elements = Elements::new(input);
        Self { elements, index, wanted, is_inside: false, is_over: false, passed }
    }

    fn look(&mut self) -> Result<Option<Found>, XmlError> {
        if !self.is_inside {
            enter_channel(&mut self.elements)?;
            self.is_inside = true;
        }
        while let Some(Given { line, element }) = self.elements.next()? {
            if element.name == "item"
                && let Some(record) = self.item(&element)
            {
                return Ok(Some(Found { line, record }));
            }
        }
        Ok(None)
    }

    /// The article of an item; `None` for an item that is passed over.
    fn item(&mut self, item: &Element) -> Option<Result<Record, Fault>> {
        let kind = item.text_of("wp:post_type").unwrap_or_else(|| "post".to_owned());
        // Without a status WordPress makes a draft.
        let status = item.text_of("wp:status").unwrap_or_else(|| "draft".to_owned());
        let is_wanted = kind == "post" || (kind == "page" && self.wanted.pages);
        let is_locked = item.text_of("wp:post_password").is_some();
        let what = match status.as_str() {
            _ if !is_wanted => kind,
            _ if is_locked => "password".to_owned(),
            "publish" | "future" => return Some(self.post(item)),
            "draft" | "auto-draft" | "pending" | "private" | "trash" | "inherit" => status,
            _ => {
                let problem = format!(
                    "`{status}` is a status that a plugin added, so nothing says whether the post is public; publish it in \
                     WordPress, or change the status in the export to `publish` or `draft`"
                );
                return Some(Err(Fault { field: "wp:status".to_owned(), problem }));
            }
        };
        if what != "attachment"
            && let Ok(mut passed) = self.passed.lock()
        {
            *passed.entry(what).or_default() += 1;
        }
        None
    }

    fn post(&mut self, item: &Element) -> Result<Record, Fault> {
        let number = item.text_of("wp:post_id");
        let guid = item.text_of("guid");
        let Some(id) = self.index.key(number.as_deref(), guid.as_deref()) else {
            let problem = "the post has neither a number nor a guid".to_owned();
            return Err(Fault { field: "id".to_owned(), problem });
        };
        let is_shared = guid.as_deref().is_some_and(|guid| self.index.is_of_another(guid, &id));
        if is_shared && let Ok(mut passed) = self.passed.lock() {
            *passed
                .entry("guid of another post (replaced by a new one)".to_owned())
                .or_default() += 1;
        }
        let files = &self.index.files;
        let mut content = item
            .text_of("content:encoded")
            .map(|raw| content::html(&raw, files, number.as_deref()));
        if let Some(notes) = meta(item, "footnotes") {
            let (html, is_whole) = content::with_footnotes(content.unwrap_or_default(), &notes);
            content = Some(html);
            if !is_whole && let Ok(mut passed) = self.passed.lock() {
                *passed.entry("footnotes that cannot be read".to_owned()).or_default() += 1;
            }
        }
        let featured = meta(item, "_thumbnail_id");
        let featured = featured.and_then(|number| files.by_number(&number).cloned());
        let excerpt = item.text_of("excerpt:encoded").map(|raw| excerpt(&raw));
        Ok(Record {
            id: Some(Key::Text(id)),
            guid: guid.filter(|_| !is_shared),
            url: item.text_of("link"),
            title: item.text_of("title").map(|title| plain(&title)),
            summary: excerpt.filter(|excerpt| !excerpt.is_empty()),
            content_html: content,
            date_published: date(item, "wp:post_date_gmt", "wp:post_date")
                .or_else(|| item.text_of("pubDate")),
            date_modified: date(item, "wp:post_modified_gmt", "wp:post_modified"),
            authors: self.authors(item),
            categories: terms(item, &["category"]),
            tags: terms(item, &["post_tag", "tag"]),
            images: featured.map(|image| vec![image]),
            attachments: enclosures(item),
            ..Record::default()
        })
    }

    /// The authors that Co-Authors Plus names, or the one of WordPress.
    fn authors(&self, item: &Element) -> Option<Vec<PersonRecord>> {
        let coauthors = terms_of(item, |domain| domain == Some("author"));
        let names = if coauthors.is_empty() {
            item.text_of("dc:creator").into_iter().collect()
        } else {
            coauthors
        };
        // The mail addresses of an export are not meant for readers.
        let person = |name: &String| {
            let name = self.index.display_name(name).unwrap_or(name).to_owned();
            PersonRecord { name: Some(name), ..PersonRecord::default() }
        };
        let people: Vec<_> = names.iter().take(MAX_AUTHORS).map(person).collect();
        (!people.is_empty()).then_some(people)
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
            Err(error) => {
                self.is_over = true;
                let line = self.elements.line();
                let fault = Fault { field: String::new(), problem: error.to_string() };
                Some(Found { line, record: Err(fault) })
            }
        }
    }
}

/// Titles, terms and names are stored as HTML: `News &amp; Views`.
fn plain(html: &str) -> String {
    Text::from_markup(html).as_str().trim().to_owned()
}

/// The terms of the first taxonomy that the item has, each once.
fn terms(item: &Element, domains: &[&str]) -> Option<Vec<String>> {
    let mut names = terms_of(item, |domain| domain.is_some_and(|domain| domains.contains(&domain)));
    // WXR 1.0 repeats each category without its taxonomy; other programs write only that.
    if names.is_empty() && domains.contains(&"category") {
        names = terms_of(item, |domain| domain.is_none());
    }
    (!names.is_empty()).then_some(names)
}

fn terms_of(item: &Element, is_wanted: impl Fn(Option<&str>) -> bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for term in item.all("category").filter(|term| is_wanted(term.attribute("domain"))) {
        let name = plain(&term.text());
        if !name.is_empty() && !names.contains(&name) && names.len() < MAX_AUTHORS {
            names.push(name);
        }
    }
    names
}

/// A value of `wp:postmeta`.
fn meta(item: &Element, key: &str) -> Option<String> {
    let found =
        item.all("wp:postmeta").find(|meta| meta.text_of("wp:meta_key").as_deref() == Some(key));
    found?.text_of("wp:meta_value")
}

/// A date in UTC, or in the time zone of the site; WordPress writes zeros for none.
fn date(item: &Element, utc: &str, local: &str) -> Option<String> {
    let is_date = |raw: &String| !raw.starts_with("0000");
    let in_utc = item.text_of(utc).filter(is_date).map(|raw| {
        let is_zoned = raw.ends_with('Z') || raw.get(19..).is_some_and(|rest| !rest.is_empty());
        if is_zoned { raw } else { format!("{}Z", raw.replacen(' ', "T", 1)) }
    });
    in_utc.or_else(|| item.text_of(local).filter(is_date))
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

    type Passed = Arc<Mutex<BTreeMap<String, u64>>>;

    fn posts<'e>(export: &'e str, wanted: Wanted, passed: &Passed) -> Posts<&'e [u8]> {
        Posts::open(export.as_bytes(), Index::read(export.as_bytes()), wanted, Arc::clone(passed))
    }

    /// An export of one site with these items.
    fn export(items: &str) -> String {
        let start = EXPORT.split("<wp:author>").next().unwrap();
        let link = "<link>https://one.example.org/</link>";
        format!("{start}{link}{items}</channel></rss>")
    }

    fn item(number: u32, rest: &str) -> String {
        let published = "<wp:post_type>post</wp:post_type><wp:post_date_gmt>2024-01-02 00:00:00</wp:post_date_gmt>";
        let status =
            if rest.contains("<wp:status>") { "" } else { "<wp:status>publish</wp:status>" };
        format!("<item><wp:post_id>{number}</wp:post_id>{published}{status}{rest}</item>")
    }

    fn records(items: &str) -> Vec<Result<Record, Fault>> {
        let export = export(items);
        posts(&export, Wanted::default(), &Arc::default()).map(|found| found.record).collect()
    }

    #[test]
    fn a_featured_picture_may_stand_after_its_post() {
        let picture = "<item><wp:post_id>9</wp:post_id><wp:post_parent>8</wp:post_parent><wp:post_type>attachment</wp:post_type>\
            <wp:attachment_url>https://one.example.org/9.jpg</wp:attachment_url></item>";
        let meta = "<wp:postmeta><wp:meta_key>_thumbnail_id</wp:meta_key><wp:meta_value>9</wp:meta_value></wp:postmeta>\
            <content:encoded><![CDATA[[gallery]]]></content:encoded>";
        let record = records(&(item(8, meta) + picture)).remove(0).unwrap();
        assert_eq!(record.images.unwrap()[0].url.as_deref(), Some("https://one.example.org/9.jpg"));
        assert!(
            record.content_html.unwrap().contains("<img src=\"https://one.example.org/9.jpg\"")
        );
    }

    #[test]
    fn titles_terms_and_names_are_html() {
        let rest = "<title><![CDATA[Tom &amp; Jerry&#8217;s <em>day</em>]]></title><dc:creator>lin</dc:creator>\
            <category domain=\"category\"><![CDATA[News &amp; Views]]></category><category>News &amp;amp; Views</category>\
            <category domain=\"tag\">a</category><category domain=\"tag\" nicename=\"a\">a</category>";
        let author = "<wp:author><wp:author_login>lin</wp:author_login>\
            <wp:author_display_name><![CDATA[Lin &amp; Co]]></wp:author_display_name></wp:author>";
        let record = records(&(item(1, rest) + author)).remove(0).unwrap();
        assert_eq!(record.title.as_deref(), Some("Tom & Jerry’s day"));
        assert_eq!(record.categories.unwrap(), ["News & Views"]);
        assert_eq!(record.tags.unwrap(), ["a"]);
        assert_eq!(record.authors.unwrap()[0].name.as_deref(), Some("Lin & Co"));
    }

    #[test]
    fn all_authors_of_co_authors_plus_are_named() {
        let rest = "<dc:creator>admin</dc:creator><category domain=\"author\" nicename=\"cap-bo\">bo</category>\
            <category domain=\"author\" nicename=\"cap-ann\">Ann Lee</category>";
        let guest = "<item><wp:post_id>5</wp:post_id><wp:post_type>guest-author</wp:post_type><wp:status>publish</wp:status>\
            <wp:postmeta><wp:meta_key>cap-user_login</wp:meta_key><wp:meta_value>bo</wp:meta_value></wp:postmeta>\
            <wp:postmeta><wp:meta_key>cap-display_name</wp:meta_key><wp:meta_value>Bo Chen</wp:meta_value></wp:postmeta></item>";
        let record = records(&(item(1, rest) + guest)).remove(0).unwrap();
        let names: Vec<_> =
            record.authors.unwrap().into_iter().filter_map(|person| person.name).collect();
        assert_eq!(names, ["Bo Chen", "Ann Lee"]);
    }

    #[test]
    fn posts_that_share_a_number_or_a_guid_stay_two_articles() {
        let guid = |guid: &str| {
            format!("<guid isPermaLink=\"false\">https://one.example.org/?p={guid}</guid>")
        };
        let all = records(
            &[item(4, &guid("4")), item(5, &guid("4")), item(6, &guid("6")), item(6, &guid("7"))]
                .concat(),
        );
        let known: Vec<_> = all
            .into_iter()
            .map(|record| {
                let Record { id, guid, .. } = record.unwrap();
                let Some(Key::Text(id)) = id else { panic!("a text") };
                (id, guid.unwrap_or_default())
            })
            .collect();
        let known: Vec<_> = known.iter().map(|(id, guid)| (id.as_str(), guid.as_str())).collect();
        assert_eq!(
            known,
            [
                ("one.example.org/4", "https://one.example.org/?p=4"),
                ("one.example.org/5", ""),
                ("one.example.org/6", "https://one.example.org/?p=6"),
                ("https://one.example.org/?p=7", "https://one.example.org/?p=7"),
            ]
        );
    }

    #[test]
    fn only_published_posts_are_taken_and_unknown_statuses_are_named() {
        for (status, expected) in [
            ("publish", Some(true)),
            ("future", Some(true)),
            ("draft", None),
            ("pending", None),
            ("private", None),
            ("trash", None),
            ("", None),
            ("in-progress", Some(false)),
        ] {
            let rest = format!("<wp:status>{status}</wp:status><title>a</title>");
            let all = records(&item(1, &rest));
            assert_eq!(all.first().map(Result::is_ok), expected, "{status}");
        }
    }

    #[test]
    fn a_date_is_found_wherever_it_stands() {
        for (rest, expected) in [
            (
                "<pubDate>Fri, 07 Jun 2013 03:00:44 +0000</pubDate>",
                "Fri, 07 Jun 2013 03:00:44 +0000",
            ),
            ("<wp:post_date_gmt>2024-01-08T00:00:00Z</wp:post_date_gmt>", "2024-01-08T00:00:00Z"),
            (
                "<wp:post_date_gmt>0000-00-00 00:00:00</wp:post_date_gmt><wp:post_date>2024-01-08 08:00:00</wp:post_date>",
                "2024-01-08 08:00:00",
            ),
        ] {
            let one = item(1, rest).replacen(
                "<wp:post_date_gmt>2024-01-02 00:00:00</wp:post_date_gmt>",
                "",
                1,
            );
            assert_eq!(records(&one).remove(0).unwrap().date_published.as_deref(), Some(expected));
        }
    }

    #[test]
    fn posts_come_with_what_belongs_to_them() {
        let passed = Arc::default();
        let mut export_posts = posts(EXPORT, Wanted::default(), &passed);
        let record = export_posts.next().unwrap().record.unwrap();
        assert!(export_posts.next().is_none());
        let passed = passed.lock().unwrap().clone();
        assert_eq!((passed["draft"], passed["page"]), (1, 1));
        assert!(matches!(&record.id, Some(Key::Text(id)) if id == "old.example.com/7"));
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
                "<p>One</p>\n<figure><img src=\"/a.jpg\" /><figcaption>Door</figcaption></figure><p>Two<br>\nlines</p>\n"
            )
        );
        let pages = posts(EXPORT, Wanted { pages: true }, &Arc::default());
        assert_eq!(pages.count(), 2);
    }

    #[test]
    fn an_export_that_breaks_off_names_the_place() {
        let cut = &EXPORT[..EXPORT.find("<wp:status>draft").unwrap()];
        let found: Vec<_> = posts(cut, Wanted::default(), &Arc::default()).collect();
        assert!(found[0].record.is_ok());
        assert!(found[1].record.as_ref().unwrap_err().problem.contains("`item` has no end"));
        assert!(found[1].line > 10, "{}", found[1].line);
    }
}
