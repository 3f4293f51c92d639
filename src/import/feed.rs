//! Feeds as records: RSS 0.9 to 2.0, RSS 1.0 (RDF), Atom, JSON Feed.
//!
//! By our own reading rather than `feed-rs`: that loses where an item comes from (`source`) and its rights, takes one empty
//! Atom content for the end of a feed, and panics at a long duration.

use std::{
    collections::BTreeMap,
    io::BufRead,
    sync::{Arc, Mutex},
};

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use chrono::{DateTime, Utc};

use crate::{
    import::{
        Found,
        charset::{self, CharsetError, Label},
        convert::Fault,
        date, entry, parse,
        record::{Key, Record, SourceRecord},
        xml::{Element, Elements, Given, XmlError},
    },
    text::web_url,
};

/// A date as feeds write it; without a zone, in UTC.
pub fn date(raw: &str) -> Option<DateTime<Utc>> {
    date::read(raw, chrono_tz::UTC).map(|when| when.start)
}

/// Most entries of a feed that is read as a whole.
const MAX_ENTRIES: usize = 100_000;

/// Why a document is not read as a feed.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Its bytes are no text.
    #[error(transparent)]
    Charset(#[from] CharsetError),
    /// It is something else.
    #[error("not a feed: {0}")]
    Foreign(String),
}

/// What a feed says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedHead {
    /// Plain text.
    pub title: Option<String>,
    /// The site that it belongs to.
    pub url: Option<String>,
    /// Its own address.
    pub feed_url: Option<String>,
    /// BCP 47, as it stands there.
    pub language: Option<String>,
    /// Of all that is in it.
    pub rights: Option<String>,
    /// The archive of what is older (RFC 5005 section 4).
    pub prev_archive: Option<String>,
    /// The next page of it (RFC 5005 section 3; `next_url` of JSON Feed).
    pub next: Option<String>,
    /// Nothing is missing from it (RFC 5005 section 2).
    pub is_complete: bool,
}

impl FeedHead {
    /// Where its entries come from, for those that do not say it themselves.
    pub fn origin(&self) -> SourceRecord {
        SourceRecord {
            name: self.title.clone(),
            feed_url: self.feed_url.clone(),
            ..SourceRecord::default()
        }
    }
}

/// A feed that was read as a whole.
#[derive(Debug, Default)]
pub struct FeedFile {
    /// What it says of itself.
    pub head: FeedHead,
    /// Its entries, in its order, each with the `guid` and the address that readers know it by; `id` is the guid, or the
    /// address where there is none.
    pub entries: Vec<Found>,
    /// Where it breaks off, if it does: what stands before is there.
    pub broken_off: Option<Fault>,
}

/// Reads a feed. `address` is where it was got from: relative addresses belong to it.
pub fn read(bytes: &[u8], label: Label<'_>, address: Option<&Url>) -> Result<FeedFile, FeedError> {
    let text = charset::decode(bytes, label)?;
    if text.trim_start().starts_with('{') {
        return json(&text, address);
    }
    let mut feed = FeedFile::default();
    let mut entries = Entries::open(text.as_bytes(), address.cloned())?;
    while feed.entries.len() < MAX_ENTRIES {
        let Some(found) = entries.next() else { break };
        feed.entries.push(found);
    }
    feed.head = entries.head;
    feed.broken_off = entries.broken_off;
    Ok(feed)
}

/// The entries of a feed in XML, as a stream of UTF-8; see [`utf8`](crate::import::utf8) for others.
pub struct Entries<R> {
    elements: Elements<R>,
    address: Option<Url>,
    is_atom: bool,
    is_over: bool,
    /// As much as the feed has said of itself so far; Atom may say more after its entries.
    pub head: FeedHead,
    /// Where it broke off, if it did.
    pub broken_off: Option<Fault>,
    /// How many entries were passed over because they are not public, by what they are.
    pub passed: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl<R: BufRead> Entries<R> {
    /// Looks for the root element.
    pub fn open(input: R, address: Option<Url>) -> Result<Self, FeedError> {
        let mut elements = Elements::new(input);
        let foreign = |error: XmlError| FeedError::Foreign(error.to_string());
        let root = elements.enter().map_err(foreign)?.unwrap_or_default();
        let is_atom = match root.name.as_str() {
            "rss" => {
                // Whatever stands before it is not ours.
                let channel = elements.enter().map_err(foreign)?;
                if channel.is_none_or(|channel| channel.name != "channel") {
                    return Err(FeedError::Foreign("an `rss` without a `channel`".to_owned()));
                }
                false
            }
            "rdf:RDF" | "RDF" => false,
            "atom:feed" | "feed" => true,
            "" => return Err(FeedError::Foreign("there is no element in it".to_owned())),
            name => {
                let problem = format!("`{name}` instead of `rss`, `rdf:RDF` or `feed`");
                return Err(FeedError::Foreign(problem));
            }
        };
        let head = FeedHead { language: owned(root.attribute("xml:lang")), ..FeedHead::default() };
        let passed = Arc::default();
        Ok(Self { elements, address, is_atom, is_over: false, head, broken_off: None, passed })
    }

    fn entry(&self, line: usize, element: &Element) -> Found {
        let record = if self.is_atom {
            entry::atom(element, self.address.as_ref())
        } else {
            entry::rss(element, self.address.as_ref())
        };
        Found { line, record }
    }

    fn note(&mut self, element: &Element) {
        let head = &mut self.head;
        let name = element.name.strip_prefix("atom:").unwrap_or(&element.name);
        match name {
            "channel" => {
                // RSS 1.0: the channel stands beside its items.
                let inner: Vec<_> = element.elements().cloned().collect();
                for element in inner {
                    self.note(&element);
                }
            }
            "title" => head.title = Some(entry::words(element)),
            "language" | "dc:language" => head.language = Some(element.text()),
            "copyright" | "rights" | "dc:rights" => head.rights = Some(entry::words(element)),
            "fh:complete" => head.is_complete = true,
            "link" => {
                let href = element.attribute("href").map_or_else(|| element.text(), str::to_owned);
                let href = web_url(&href, self.address.as_ref()).map(String::from);
                match element.attribute("rel") {
                    None | Some("alternate") => head.url = head.url.take().or(href),
                    Some("self") => head.feed_url = href,
                    Some("prev-archive") => head.prev_archive = href,
                    Some("next") => head.next = href,
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }
}

impl<R: BufRead> Iterator for Entries<R> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while !self.is_over {
            let line = self.elements.line();
            match self.elements.next() {
                Ok(Some(Given { line, element })) => match element.name.as_str() {
                    "item" | "entry" | "atom:entry" => match entry::withheld(&element) {
                        Ok(None) => return Some(self.entry(line, &element)),
                        Ok(Some(what)) => {
                            if let Ok(mut passed) = self.passed.lock() {
                                *passed.entry(what.to_owned()).or_default() += 1;
                            }
                        }
                        Err(fault) => return Some(Found { line, record: Err(fault) }),
                    },
                    _ => self.note(&element),
                },
                Ok(None) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    let fault = Fault { field: String::new(), problem: error.to_string() };
                    self.broken_off = Some(fault.clone());
                    return Some(Found {
                        line: line.max(self.elements.line()),
                        record: Err(fault),
                    });
                }
            }
        }
        None
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A JSON Feed as far as records go.
#[derive(Deserialize)]
struct JsonFeed<'a> {
    title: Option<String>,
    home_page_url: Option<String>,
    feed_url: Option<String>,
    next_url: Option<String>,
    language: Option<String>,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

fn json(text: &str, address: Option<&Url>) -> Result<FeedFile, FeedError> {
    let feed: JsonFeed<'_> =
        serde_json::from_str(text).map_err(|error| FeedError::Foreign(error.to_string()))?;
    let absolute =
        |raw: Option<String>| raw.and_then(|raw| web_url(&raw, address)).map(String::from);
    let head = FeedHead {
        title: feed.title,
        url: absolute(feed.home_page_url),
        feed_url: absolute(feed.feed_url),
        next: absolute(feed.next_url),
        language: feed.language,
        ..FeedHead::default()
    };
    let (mut line, mut seen) = (1, 0);
    let entries = feed.items.into_iter().take(MAX_ENTRIES).map(|item| {
        let at = item.get().as_ptr().addr() - text.as_ptr().addr();
        line += memchr::memchr_iter(b'\n', &text.as_bytes()[seen..at]).count();
        seen = at;
        Found { line, record: parse::record(item.get()).map(|(record, _)| known(record)) }
    });
    Ok(FeedFile { head, entries: entries.collect(), broken_off: None })
}

/// Readers of a JSON Feed know an item by its `id`.
fn known(record: Record) -> Record {
    let id = match &record.id {
        Some(Key::Text(id)) => Some(id.clone()),
        Some(Key::Number(number)) => Some(number.to_string()),
        None => None,
    };
    Record { guid: record.guid.or(id), ..record }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_and_what_is_no_post_are_passed_over() {
        let kind = |kind: &str| {
            format!(
                "<category scheme='http://schemas.google.com/g/2005#kind' term='http://schemas.google.com/blogger/2008/kind#{kind}'/>"
            )
        };
        let control = |namespace: &str, word: &str| {
            format!("<x:control xmlns:x='{namespace}'><x:draft>{word}</x:draft></x:control>")
        };
        let (old, new) = ("http://purl.org/atom/app#", "http://www.w3.org/2007/app");
        for (inner, expected) in [
            (String::new(), "public"),
            (kind("post"), "public"),
            (kind("comment"), "passed"),
            (kind("settings"), "passed"),
            (kind("template"), "passed"),
            (kind("page"), "passed"),
            (control(old, "yes"), "passed"),
            (control(new, "Yes"), "passed"),
            (control(new, "no"), "public"),
            (control(new, "later"), "refused"),
            (
                "<b:type xmlns:b='x'>POST</b:type>"
                    .replace("b:", "blogger:")
                    .replace("xmlns:b=", "xmlns:blogger="),
                "public",
            ),
            ("<blogger:type xmlns:blogger='x'>COMMENT</blogger:type>".to_owned(), "passed"),
            ("<blogger:status xmlns:blogger='x'>DRAFT</blogger:status>".to_owned(), "passed"),
        ] {
            let text = format!(
                "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>a:1</id><title>T</title>{inner}</entry></feed>"
            );
            let found = whole(&text).entries;
            let outcome = match found.first().map(|found| found.record.as_ref()) {
                None => "passed",
                Some(Ok(record)) => {
                    assert_eq!(record.categories, None, "{inner}");
                    "public"
                }
                Some(Err(_)) => "refused",
            };
            assert_eq!(outcome, expected, "{inner}");
        }
    }

    #[test]
    fn podcasts_keep_all_that_records_have() {
        let item = |inner: &str| {
            let spaces = "xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd' xmlns:podcast='https://podcastindex.org/namespace/1.0'";
            let text = format!(
                "<rss {spaces}><channel><item><guid>1</guid><title>T</title>{inner}</item></channel></rss>"
            );
            records(whole(&text)).remove(0).episode
        };
        assert_eq!(item("<itunes:explicit>yes</itunes:explicit>").unwrap().explicit, Some(true));
        assert_eq!(item("<itunes:block>Yes</itunes:block>").unwrap().block, Some(true));
        assert!(item("<itunes:block>no</itunes:block>").is_none());
        let all = item(
            "<podcast:season name='Old'>2</podcast:season><podcast:episode>204</podcast:episode><podcast:chapters url='/c.json' type='x'/>\
             <podcast:person role='Guest' href='/p'>Ann</podcast:person><podcast:soundbite startTime='1.5' duration='30'>Best</podcast:soundbite>\
             <podcast:location geo='geo:1,2'>Hall</podcast:location><podcast:alternateEnclosure type='audio/opus' length='9' bitrate='64000.0'>\
             <podcast:source uri='/a.opus'/><podcast:source uri='/b.opus'/></podcast:alternateEnclosure>",
        )
        .unwrap();
        assert_eq!(
            (all.season, all.season_name.as_deref(), all.number),
            (Some(2), Some("Old"), Some(204))
        );
        assert!(all.chapters.is_some() && all.location.is_some());
        assert_eq!(all.persons.unwrap()[0].role.as_deref(), Some("guest"));
        assert_eq!(all.soundbites.unwrap()[0].duration, Some(30.0));
        let file = &all.alternate_enclosures.unwrap()[0];
        assert_eq!((file.bitrate, file.mirrors.as_ref().unwrap().len()), (Some(64_000), 1));
    }

    #[test]
    fn references_in_titles_are_decoded_once_more_and_lists_end() {
        let title = |raw: &str| {
            let text = format!(
                "<rss><channel><item><guid>1</guid><title><![CDATA[{raw}]]></title></item></channel></rss>"
            );
            records(whole(&text)).remove(0).title.unwrap()
        };
        assert_eq!(title("Tom &amp; Jerry&#8217;s day"), "Tom & Jerry’s day");
        assert_eq!(title("AT&T; a & b"), "AT&T; a & b".to_owned());
        assert_eq!(title("1 < 2"), "1 < 2");
        let files: String =
            (0..5_000).map(|n| format!("<enclosure url='/{n}.mp3'/>")).collect::<Vec<_>>().concat();
        let text = format!("<rss><channel><item><guid>1</guid>{files}</item></channel></rss>");
        assert_eq!(records(whole(&text)).remove(0).attachments.unwrap().len(), 200);
    }

    fn whole(text: &str) -> FeedFile {
        let address = Url::parse("https://old.example.com/feed/").unwrap();
        read(text.as_bytes(), Label::None, Some(&address)).unwrap()
    }

    fn records(feed: FeedFile) -> Vec<Record> {
        feed.entries.into_iter().map(|found| found.record.unwrap()).collect()
    }

    #[test]
    fn rss_gives_identity_dates_origin_and_files() {
        let feed = whole(
            r#"<?xml version="1.0"?><rss version="2.0" xmlns:c="http://purl.org/rss/1.0/modules/content/"
            xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:a="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/">
            <channel><title>Old &amp; good</title><link>/</link><a:link rel="prev-archive" href="/feed/?page=2"/>
            <item><title>A &lt; B</title><link>/?p=7</link><guid isPermaLink="false">https://old.example.com/?p=7</guid>
            <pubDate>Thu, 05 Mar 2026 00:30:00 +0000</pubDate><dc:creator><![CDATA[Lin]]></dc:creator><category>City</category>
            <description>Short &amp;amp; sweet</description><c:encoded><![CDATA[<p>Long&nbsp;text</p>]]></c:encoded>
            <source url="https://daily.example.org/feed">Daily</source><dc:rights>CC BY</dc:rights>
            <enclosure url="/a.mp3" length="1200" type="audio/mpeg"/>
            <media:content url="/b.jpg" medium="image" width="800"><media:description>Hall</media:description></media:content></item>
            <item><guid>https://old.example.com/8</guid><description>Only</description></item>
            <item><title>Nobody</title></item></channel></rss>"#,
        );
        assert_eq!(feed.head.title.as_deref(), Some("Old & good"));
        assert_eq!(feed.head.prev_archive.as_deref(), Some("https://old.example.com/feed/?page=2"));
        let [first, second, third] = &feed.entries[..] else { panic!("{feed:?}") };
        let record = first.record.clone().unwrap();
        assert_eq!(record.title.as_deref(), Some("A < B"));
        assert_eq!(record.guid.as_deref(), Some("https://old.example.com/?p=7"));
        assert_eq!(record.url.as_deref(), Some("https://old.example.com/?p=7"));
        assert_eq!(record.date_published.as_deref(), Some("2026-03-05T00:30:00Z"));
        assert_eq!(record.summary.as_deref(), Some("Short & sweet"));
        assert_eq!(record.content_html.as_deref(), Some("<p>Long&nbsp;text</p>"));
        assert_eq!(record.rights.as_deref(), Some("CC BY"));
        let source = record.source.unwrap();
        assert_eq!(source.name.as_deref(), Some("Daily"));
        assert_eq!(source.feed_url.as_deref(), Some("https://daily.example.org/feed"));
        assert_eq!(record.attachments.unwrap()[0].size_in_bytes, Some(1_200));
        let image = &record.images.unwrap()[0];
        assert_eq!((image.caption.as_deref(), image.width), (Some("Hall"), Some(800)));
        let record = second.record.clone().unwrap();
        assert_eq!(record.url.as_deref(), Some("https://old.example.com/8"));
        assert_eq!(record.content_html.as_deref(), Some("Only"));
        assert_eq!(third.record.clone().unwrap_err().field, "guid");
        assert_eq!(third.line, 11);
    }

    #[test]
    fn atom_gives_its_texts_as_they_are_meant() {
        let feed = whole(
            r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title type="html">Old &amp;amp; good</title>
            <link rel="self" href="/feed/atom"/><entry><id>tag:x,2026:1</id><title type="html">A &lt;b&gt;B&lt;/b&gt;</title>
            <link href="/1"/><published>2026-03-05T00:30:00Z</published><updated>2026-03-06T00:00:00Z</updated>
            <author><name>Lin</name></author><category term="city" label="City"/>
            <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>X &amp; Y<br/></p><script></script></div></content>
            <source><title>Daily</title><link rel="self" href="https://daily.example.org/feed"/></source></entry>
            <entry><id>2</id><updated>2026-03-06T00:00:00Z</updated><content/></entry></feed>"#,
        );
        assert_eq!(feed.head.title.as_deref(), Some("Old & good"));
        assert_eq!(feed.head.language.as_deref(), Some("en"));
        let records = records(feed);
        let [first, second] = &records[..] else { panic!("{records:?}") };
        assert_eq!(first.title.as_deref(), Some("A B"));
        assert_eq!(first.url.as_deref(), Some("https://old.example.com/1"));
        assert_eq!(first.date_modified.as_deref(), Some("2026-03-06T00:00:00Z"));
        let html = first.content_html.as_deref().unwrap();
        assert!(html.contains("<p>X &amp; Y<br></p><script></script></div>"), "{html}");
        assert_eq!(first.source.as_ref().unwrap().name.as_deref(), Some("Daily"));
        assert_eq!(first.categories.as_deref().unwrap(), ["City"]);
        assert_eq!(second.date_published.as_deref(), Some("2026-03-06T00:00:00Z"));
        assert_eq!(second.content_html, None);
    }

    #[test]
    fn json_feed_and_rdf_are_feeds_too() {
        let feed = whole(
            "{\"title\":\"T\",\"next_url\":\"/2\",\"items\":[{\"id\":\"1\",\"content_text\":\"x\"},\n{\"id\":2}]}",
        );
        assert_eq!(feed.head.next.as_deref(), Some("https://old.example.com/2"));
        assert_eq!(feed.entries[1].line, 2);
        assert_eq!(records(feed)[1].guid.as_deref(), Some("2"));
        let feed = whole(
            r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
            <channel><title>T</title></channel><item><title>A</title><link>/a</link></item></rdf:RDF>"#,
        );
        assert_eq!(feed.head.title.as_deref(), Some("T"));
        assert_eq!(records(feed)[0].guid.as_deref(), Some("https://old.example.com/a"));
    }

    #[test]
    fn what_stands_before_a_break_is_read() {
        let text = "<rss><channel><item><guid>1</guid></item>\n<item><guid>2</guid>";
        let feed = whole(text);
        assert_eq!(feed.entries.len(), 2);
        assert!(feed.broken_off.unwrap().problem.contains("`item` has no end"));
        let wrong =
            "<rss><channel><item><guid>1</guid></item>\n<item><a></b></item></channel></rss>";
        assert!(whole(wrong).broken_off.is_some());
        let foreign = read(b"<html><p>x</html>", Label::None, None).unwrap_err().to_string();
        assert!(foreign.contains("`html` instead of"), "{foreign}");
        assert!(read(b"", Label::None, None).is_err());
    }

    #[test]
    fn entities_of_a_document_are_not_expanded_and_depth_has_a_bound() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>\
                    <rss><channel><item><guid>1</guid><title>&b;&eacute;</title></item></channel></rss>";
        assert_eq!(records(whole(bomb))[0].title.as_deref(), Some("&b;é"));
        let deep = format!(
            "<rss><channel><item>{}{}</item></channel></rss>",
            "<a>".repeat(100_000),
            "</a>".repeat(100_000)
        );
        let problem = whole(&deep).broken_off.unwrap().problem;
        assert!(problem.contains("deeper"), "{problem}");
    }
}
