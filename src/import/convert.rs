//! From a record to a submission: every field checked, every mistake of a record found at once.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use url::Url;

use crate::{
    article::{
        ArticleId, Attachment, Clearance, Origin, Person, Picture, Source, Story, Submission, When,
        kept_guid,
    },
    category::{Category, Language, Slug, Territory},
    feed::Catalogue,
    import::{
        date, parse,
        record::{
            AttachmentRecord, ClearanceRecord, ImageRecord, Key, PersonRecord, Record, SourceRecord,
        },
        value::{self, is_mail, plain, shorten},
    },
    media,
    text::{Html, MAX_HTML_BYTES, Text, dropped, web_url},
};

/// Longest summary made from a content, in characters as readers see them.
const SUMMARY_LENGTH: usize = 160;
/// Largest content, in bytes before it is cleaned.
const MAX_CONTENT: usize = 4 << 20;
/// Longest title or other line, in bytes.
const MAX_LINE: usize = 4_000;
/// Most authors, pictures, tags and so on of one article.
const MAX_LIST: usize = 200;

/// A mistake in a field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// As in the record: `images[2].url`; empty when the record is not one.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// What a record says.
#[derive(Debug)]
pub struct Reading {
    /// What it stands for, or everything that is wrong with it.
    pub submission: Result<Submission, Vec<Fault>>,
    /// Fields that are not part of a record.
    pub unknown: Vec<String>,
    /// Characters left out because no format can carry them.
    pub dropped: u64,
    /// Fields of foreign material that could not be read and were left out, one entry each time.
    pub left_out: Vec<String>,
}

/// Reads a record's JSON. The catalogue knows the labels of categories; its site is where addresses without a host and
/// dates without an offset belong.
pub fn read(catalogue: &Catalogue, json: &str) -> Reading {
    let (record, unknown) = match parse::record(json) {
        Ok(read) => read,
        Err(fault) => {
            let unknown = Vec::new();
            return Reading {
                submission: Err(vec![fault]),
                unknown,
                dropped: 0,
                left_out: Vec::new(),
            };
        }
    };
    Reading { unknown, ..read_as(catalogue, record, Strictness::Own) }
}

/// Reads a record of foreign material: a feed, an export, a file of another system. A field that cannot be read is left out,
/// and never the article; but for its identity, its text, and what decides whether it is public.
pub fn read_record(catalogue: &Catalogue, record: Record) -> Reading {
    read_as(catalogue, record, Strictness::Foreign)
}

/// Whose mistake a field that cannot be read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strictness {
    /// The publisher's own record: any mistake refuses it, so that it can be mended.
    Own,
    /// Material of another system: fields are left out.
    Foreign,
}

/// Fields that refuse a record of foreign material as well.
const NEEDED: [&str; 8] =
    ["id", "guid", "title", "content_html", "content_text", "embargo", "expires", "clearance"];

fn read_as(catalogue: &Catalogue, record: Record, strictness: Strictness) -> Reading {
    let mut reader =
        Reader { catalogue, strictness, dropped: 0, faults: Vec::new(), left_out: Vec::new() };
    let submission = reader.submission(record);
    let Reader { dropped, faults, left_out, .. } = reader;
    let submission = submission.filter(|_| faults.is_empty()).ok_or(faults);
    Reading { submission, unknown: Vec::new(), dropped, left_out }
}

/// The summary of an article whose publisher gave none.
pub fn summary_of(content: &Html) -> Text {
    cut(&content.to_text())
}

fn cut(whole: &Text) -> Text {
    whole.cut(SUMMARY_LENGTH)
}

/// A record that is being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    catalogue: &'a Catalogue,
    strictness: Strictness,
    dropped: u64,
    faults: Vec<Fault>,
    left_out: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        let field = field.into();
        let name = field.split(['[', '.']).next().unwrap_or_default();
        if self.strictness == Strictness::Foreign && !NEEDED.contains(&name) {
            self.left_out.push(name.to_owned());
            return;
        }
        self.faults.push(Fault { field, problem: problem.into() });
    }

    fn submission(&mut self, record: Record) -> Option<Submission> {
        let id = self.id(record.id);
        let site = self.catalogue.site.url.clone();
        let url = self.url("url", record.url, &site);
        let base = url.clone().unwrap_or(site);
        let content = self.content(record.content_html, record.content_text, &base);
        let whole = content.to_text();
        let given = self.text("summary", record.summary).filter(|summary| !summary.is_empty());
        let summary = given.unwrap_or_else(|| cut(&whole));
        let title = self.text("title", record.title).unwrap_or_default();
        let pictures = self.pictures(record.image, record.images, &base);
        if title.is_empty() && content.is_empty() && summary.is_empty() {
            self.fault("title", "there is neither a title nor a text; give `title`, `content_html` or `content_text`");
        }
        let story = Story {
            external_url: self.url("external_url", record.external_url, &base),
            mobile_url: self.url("mobile_url", record.mobile_url, &base),
            url,
            is_brief: summary == whole,
            title,
            summary,
            content,
            authors: self.people("authors", record.authors, &base),
            editors: self.people("editors", record.editors, &base),
            tags: self.tags(record.tags),
            categories: self.categories(record.categories),
            language: self.language("language", record.language.as_deref()),
            rights: self.text("rights", record.rights).filter(|rights| !rights.is_empty()),
            source: record.source.and_then(|source| self.source(source, &base)),
            pictures,
            attachments: self.attachments(record.attachments, &base),
            clearance: self.clearance(record.clearance.unwrap_or_default()),
            episode: record.episode.map(|episode| Box::new(self.episode(episode, &base))),
        };
        let embargo = self.when("embargo", record.embargo.as_deref()).map(|when| when.start);
        let expires = self
            .when("expires", record.expires.as_deref())
            .map(|when| date::end(when, self.catalogue.site.time_zone));
        if let (Some(embargo), Some(expires)) = (embargo, expires)
            && expires <= embargo
        {
            self.fault("expires", "it ends before its `embargo` does; mend one of the two");
        }
        Some(Submission {
            id: id?,
            guid: self.guid(record.guid),
            published: self.when("date_published", record.date_published.as_deref()),
            modified: self.modified(record.date_modified.as_deref()),
            embargo,
            expires,
            is_significant: record.significant,
            story,
            origin: Origin::default(),
        })
    }

    fn id(&mut self, key: Option<Key>) -> Option<ArticleId> {
        let raw = match key {
            Some(Key::Text(raw)) => raw,
            Some(Key::Number(number)) => number.to_string(),
            None => {
                self.fault("id", "missing; give the key that your database has for the article");
                return None;
            }
        };
        let id = ArticleId::new(&raw);
        if id.is_none() {
            self.fault("id", format!("not a key of 1 to {} bytes", ArticleId::MAX_BYTES));
        }
        id
    }

    fn guid(&mut self, raw: Option<String>) -> Option<Text> {
        let raw = raw?;
        let guid = kept_guid(&raw);
        if guid.is_none() {
            self.fault(
                "guid",
                "cannot be kept as it is: it is empty, too long, or has white space or control characters that feeds \
                 cannot carry; leave it out to get a new one",
            );
        }
        guid
    }

    /// A line of plain text.
    pub(super) fn text(&mut self, field: &str, raw: Option<String>) -> Option<Text> {
        let raw = raw?;
        if raw.len() > MAX_LINE {
            self.fault(field, format!("longer than {MAX_LINE} bytes; is it in the right field?"));
            return None;
        }
        self.count(&raw);
        Some(plain(&raw))
    }

    fn count(&mut self, raw: &str) {
        self.dropped += u64::try_from(dropped(raw)).unwrap_or_default();
    }

    fn content(&mut self, html: Option<String>, text: Option<String>, base: &Url) -> Html {
        let (field, raw) = match (html, text) {
            (Some(html), _) if !html.trim().is_empty() => ("content_html", html),
            (_, Some(text)) => ("content_text", text),
            (_, None) => return Html::default(),
        };
        if raw.len() > MAX_CONTENT {
            self.fault(
                field,
                format!("larger than {MAX_CONTENT} bytes; put what is in it into `attachments`"),
            );
            return Html::default();
        }
        self.count(&raw);
        let html = if field == "content_html" {
            Html::sanitize(&raw, Some(base))
        } else {
            Html::from_text(&raw)
        };
        if html.as_str().len() > MAX_HTML_BYTES {
            self.fault(
                field,
                format!("larger than {MAX_HTML_BYTES} bytes once it is cleaned; shorten it"),
            );
            return Html::default();
        }
        html
    }

    pub(super) fn url(&mut self, field: &str, raw: Option<String>, base: &Url) -> Option<Url> {
        let raw = raw.filter(|raw| !raw.trim().is_empty())?;
        let url = web_url(&raw, Some(base));
        if url.is_none() {
            self.fault(
                field,
                format!("`{}` is not a web address; write `https://…`", shorten(&raw)),
            );
        }
        url
    }

    fn when(&mut self, field: &str, raw: Option<&str>) -> Option<When> {
        let raw = raw.filter(|raw| !raw.trim().is_empty())?;
        let when = date::read(raw, self.catalogue.site.time_zone);
        if when.is_none() {
            let forms = "`2026-03-05T08:30:00+08:00`, `2026-03-05 08:30` or `2026-03-05`";
            self.fault(field, format!("`{}` is not a date; write {forms}", shorten(raw)));
        }
        when
    }

    fn modified(&mut self, raw: Option<&str>) -> Option<DateTime<Utc>> {
        self.when("date_modified", raw).map(|when| when.start)
    }

    /// A list, cut where it is too long to be meant.
    pub(super) fn list<T>(
        &mut self,
        field: &str,
        list: Option<Vec<T>>,
    ) -> impl Iterator<Item = (String, T)> + use<T> {
        let mut list = list.unwrap_or_default();
        if list.len() > MAX_LIST {
            self.fault(field, format!("more than {MAX_LIST}"));
            list.truncate(MAX_LIST);
        }
        let field = field.to_owned();
        list.into_iter().enumerate().map(move |(n, value)| (format!("{field}[{n}]"), value))
    }

    fn people(
        &mut self,
        field: &str,
        people: Option<Vec<PersonRecord>>,
        base: &Url,
    ) -> Vec<Person> {
        let mut found: Vec<Person> = Vec::new();
        for (field, PersonRecord { name, url, email }) in self.list(field, people) {
            let name = self.text(&format!("{field}.name"), name).unwrap_or_default();
            let email =
                self.text(&format!("{field}.email"), email).filter(|email| !email.is_empty());
            if email.as_ref().is_some_and(|email| !is_mail(email.as_str())) {
                self.fault(
                    format!("{field}.email"),
                    "not an address of mail in ASCII; write `name@example.com`",
                );
            }
            let url = self.url(&format!("{field}.url"), url, base);
            // A name that is an address of mail is the address, and its first part the name.
            let (name, email) = match name.as_str().split_once('@') {
                Some((first, _)) if is_mail(name.as_str()) => {
                    (Text::new(first), email.or(Some(name.clone())))
                }
                _ => (name, email),
            };
            if name.is_empty() {
                self.fault(
                    format!("{field}.name"),
                    "missing; give the name of the person or the desk",
                );
            } else if found.iter().all(|person| person.name != name) {
                found.push(Person { name, url, email });
            }
        }
        found
    }

    fn tags(&mut self, tags: Option<Vec<String>>) -> Vec<Text> {
        let mut found = Vec::new();
        for (field, tag) in self.list("tags", tags) {
            if let Some(tag) =
                self.text(&field, Some(tag)).filter(|tag| !tag.is_empty() && !found.contains(tag))
            {
                found.push(tag);
            }
        }
        found
    }

    fn categories(&mut self, categories: Option<Vec<String>>) -> Vec<Category> {
        let mut found: Vec<Category> = Vec::new();
        for (field, label) in self.list("categories", categories) {
            let Some(label) = self.text(&field, Some(label)).filter(|label| !label.is_empty())
            else {
                continue;
            };
            let known = self.catalogue.slug_of(&label).cloned();
            match known.map_or_else(|| Slug::from_label(label.as_str()), Ok) {
                Ok(slug) if found.iter().all(|category| category.slug != slug) => {
                    found.push(Category { slug, label });
                }
                Ok(_) => {}
                Err(error) => self.fault(field, error.to_string()),
            }
        }
        found
    }

    pub(super) fn language(&mut self, field: &str, raw: Option<&str>) -> Option<Language> {
        let raw = raw.filter(|raw| !raw.trim().is_empty())?;
        match raw.trim().parse() {
            Ok(language) => Some(language),
            Err(error) => {
                self.fault(field, format!("{error}"));
                None
            }
        }
    }

    fn clearance(&mut self, record: ClearanceRecord) -> Clearance {
        let ClearanceRecord { public, partners, not_partners, territories, not_territories } =
            record;
        Clearance {
            is_private: public == Some(false),
            partners: self.partners("clearance.partners", partners),
            not_partners: self.partners("clearance.not_partners", not_partners),
            territories: self.territories("clearance.territories", territories),
            not_territories: self.territories("clearance.not_territories", not_territories),
        }
    }

    /// Names that nobody has yet are no mistake: a partner may come later.
    fn partners(&mut self, field: &str, names: Option<Vec<String>>) -> BTreeSet<Slug> {
        let mut found = BTreeSet::new();
        for (field, name) in self.list(field, names) {
            match name.trim().parse() {
                Ok(name) => drop(found.insert(name)),
                Err(error) => self.fault(field, format!("{error}")),
            }
        }
        found
    }

    fn territories(&mut self, field: &str, codes: Option<Vec<String>>) -> BTreeSet<Territory> {
        let mut found = BTreeSet::new();
        for (field, code) in self.list(field, codes) {
            match code.trim().parse() {
                Ok(territory) => drop(found.insert(territory)),
                Err(error) => self.fault(field, format!("{error}")),
            }
        }
        found
    }

    fn source(&mut self, source: SourceRecord, base: &Url) -> Option<Source> {
        let SourceRecord { name, url, feed_url, title, author } = source;
        let url = self.url("source.url", url, base);
        let feed_url = self.url("source.feed_url", feed_url, base);
        let name = self.text("source.name", name).filter(|name| !name.is_empty());
        let host = || url.as_ref().or(feed_url.as_ref()).and_then(Url::host_str).map(Text::new);
        let Some(name) = name.or_else(host) else {
            self.fault("source.name", "missing; give the name of who published it first");
            return None;
        };
        let title = self.text("source.title", title).filter(|title| !title.is_empty());
        let author = self.text("source.author", author).filter(|author| !author.is_empty());
        Some(Source { name, url, feed_url, title, author })
    }

    fn pictures(
        &mut self,
        image: Option<String>,
        images: Option<Vec<ImageRecord>>,
        base: &Url,
    ) -> Vec<Picture> {
        let mut pictures: Vec<Picture> = Vec::new();
        for (field, image) in self.list("images", images) {
            let Some(url) = self.required_url(&field, image.url, base) else { continue };
            let picture = Picture {
                url,
                caption: self.text(&format!("{field}.caption"), image.caption).unwrap_or_default(),
                credit: self.text(&format!("{field}.credit"), image.credit).unwrap_or_default(),
                alt: self.text(&format!("{field}.alt"), image.alt).unwrap_or_default(),
                width: image.width.filter(|width| *width > 0),
                height: image.height.filter(|height| *height > 0),
                mime_type: image
                    .mime_type
                    .and_then(|raw| self.media_type(&format!("{field}.mime_type"), &raw)),
                bytes: image.size_in_bytes.filter(|bytes| *bytes > 0),
            };
            if pictures.iter().all(|known| known.url != picture.url) {
                pictures.push(picture);
            }
        }
        if let Some(main) = self.url("image", image, base) {
            let known = pictures.iter().position(|picture| picture.url == main);
            let picture = known.map_or_else(|| Picture::bare(main), |at| pictures.remove(at));
            pictures.insert(0, picture);
        }
        pictures
    }

    fn attachments(
        &mut self,
        attachments: Option<Vec<AttachmentRecord>>,
        base: &Url,
    ) -> Vec<Attachment> {
        let mut found = Vec::new();
        for (field, attachment) in self.list("attachments", attachments) {
            let AttachmentRecord { url, mime_type, title, size_in_bytes, duration_in_seconds } =
                attachment;
            let url = self.required_url(&field, url, base);
            // Where the record does not say, the name of the file may.
            let by_name = url.as_ref().and_then(|url| media::media_type(url.path()));
            let by_name = by_name.map(|kind| kind.split(';').next().unwrap_or(kind));
            let mime_type = self.required_media_type(&field, mime_type.as_deref().or(by_name));
            let title = self.text(&format!("{field}.title"), title).unwrap_or_default();
            let seconds =
                duration_in_seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked, and cut on purpose"
            )]
            let seconds = seconds.map(|seconds| seconds as u64);
            if let (Some(url), Some(mime_type)) = (url, mime_type) {
                found.push(Attachment { url, mime_type, title, bytes: size_in_bytes, seconds });
            }
        }
        found
    }

    pub(super) fn required_url(
        &mut self,
        field: &str,
        raw: Option<String>,
        base: &Url,
    ) -> Option<Url> {
        let field = format!("{field}.url");
        if raw.as_deref().is_none_or(|raw| raw.trim().is_empty()) {
            self.fault(field, "missing; write `https://…`");
            return None;
        }
        self.url(&field, raw, base)
    }

    pub(super) fn required_media_type(&mut self, field: &str, raw: Option<&str>) -> Option<Text> {
        let field = format!("{field}.mime_type");
        let Some(raw) = raw else {
            self.fault(field, "missing; write for example `audio/mpeg` or `application/pdf`");
            return None;
        };
        self.media_type(&field, raw)
    }

    fn media_type(&mut self, field: &str, raw: &str) -> Option<Text> {
        let essence = value::media_type(raw);
        if essence.is_none() {
            self.fault(
                field,
                format!("`{}` is not a media type; write for example `image/jpeg`", shorten(raw)),
            );
        }
        essence
    }
}
