//! Service documents, collections and entries.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use url::Url;

use super::{APP, ATOM};
use crate::{
    feed::Catalogue,
    import::summary_of,
    push::{Rules, record},
    store::Stored,
};

/// The head of every document.
const XML: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// A file that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What it is called here.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// Its media type.
    pub media_type: String,
    /// In bytes.
    pub bytes: u64,
    /// When it came.
    pub modified: DateTime<Utc>,
}

fn text(raw: &str) -> String {
    quick_xml::escape::escape(raw).into_owned()
}

/// The service document (RFC 5023 section 8).
pub fn service(catalogue: &Catalogue, rules: &Rules, takes_files: bool) -> String {
    let site = text(catalogue.site.title.as_str());
    let articles = rules.address("atompub/articles", "");
    let mut out = format!(
        "{XML}<service xmlns=\"{APP}\" xmlns:atom=\"{ATOM}\"><workspace><atom:title>{site}</atom:title>\
         <collection href=\"{}\"><atom:title>{site}</atom:title><accept>application/atom+xml;type=entry</accept>\
         <categories fixed=\"no\">",
        text(articles.as_str())
    );
    for (slug, label) in &catalogue.site.labels {
        let (term, label) = (text(slug.as_str()), text(label.as_str()));
        let _ = write!(out, "<atom:category term=\"{term}\" label=\"{label}\"/>");
    }
    out.push_str("</categories></collection>");
    if takes_files {
        let media = rules.address("atompub/media", "");
        let _ = write!(
            out,
            "<collection href=\"{}\"><atom:title>Files</atom:title><accept>image/*</accept><accept>audio/*</accept>\
             <accept>video/*</accept><accept>application/pdf</accept></collection>",
            text(media.as_str())
        );
    }
    out.push_str("</workspace></service>\n");
    out
}

/// A page of articles; `next` is where the ones before them are.
pub fn collection(
    catalogue: &Catalogue,
    rules: &Rules,
    page: &[Stored],
    own: &Url,
    next: Option<&Url>,
) -> String {
    let newest = page.first().map(|stored| stored.edited).unwrap_or_default();
    let first = rules.address("atompub/articles", "");
    let mut out = feed(&first, catalogue.site.title.as_str(), newest, own, next);
    for stored in page {
        one(catalogue, rules, stored, false, &mut out);
    }
    out.push_str("</feed>\n");
    out
}

fn feed(id: &Url, title: &str, updated: DateTime<Utc>, own: &Url, next: Option<&Url>) -> String {
    let id = text(id.as_str());
    let mut out = format!(
        "{XML}<feed xmlns=\"{ATOM}\" xmlns:app=\"{APP}\"><id>{id}</id><title>{title}</title><updated>{}</updated>\
         <author><name>{title}</name></author><link rel=\"first\" href=\"{id}\"/><link rel=\"self\" href=\"{}\"/>",
        record::date(updated),
        text(own.as_str()),
        title = text(title),
    );
    if let Some(next) = next {
        let _ = write!(out, "<link rel=\"next\" href=\"{}\"/>", text(next.as_str()));
    }
    out
}

/// An article as a document of its own.
pub fn entry(catalogue: &Catalogue, rules: &Rules, stored: &Stored) -> String {
    let mut out = XML.to_owned();
    one(catalogue, rules, stored, true, &mut out);
    out.push('\n');
    out
}

fn one(catalogue: &Catalogue, rules: &Rules, stored: &Stored, is_alone: bool, out: &mut String) {
    let names =
        if is_alone { format!(" xmlns=\"{ATOM}\" xmlns:app=\"{APP}\"") } else { String::new() };
    let story = &stored.story;
    let address = rules.address("atompub/articles/", stored.id.as_str());
    // While it waits, its date is not decided.
    let published = if record::is_draft(stored) { stored.edited } else { stored.published };
    let updated = if record::is_draft(stored) { stored.edited } else { stored.updated };
    let _ = write!(
        out,
        "<entry{names}><id>{}</id><title>{}</title><updated>{}</updated><app:edited>{}</app:edited>\
         <link rel=\"edit\" href=\"{}\"/>",
        text(stored.guid.as_str()),
        text(story.title.as_str()),
        record::date(updated),
        record::date(stored.edited),
        text(address.as_str()),
    );
    if stored.state != crate::store::State::Held {
        let _ = write!(out, "<published>{}</published>", record::date(published));
    }
    for author in &story.authors {
        let _ = write!(out, "<author><name>{}</name>", text(author.name.as_str()));
        if let Some(url) = &author.url {
            let _ = write!(out, "<uri>{}</uri>", text(url.as_str()));
        }
        if let Some(email) = &author.email {
            let _ = write!(out, "<email>{}</email>", text(email.as_str()));
        }
        out.push_str("</author>");
    }
    if story.authors.is_empty() {
        let _ =
            write!(out, "<author><name>{}</name></author>", text(catalogue.site.title.as_str()));
    }
    for (relation, url) in [("alternate", &story.url), ("related", &story.external_url)] {
        if let Some(url) = url {
            let _ = write!(out, "<link rel=\"{relation}\" href=\"{}\"/>", text(url.as_str()));
        }
    }
    for file in &story.attachments {
        let (url, kind) = (text(file.url.as_str()), text(file.mime_type.as_str()));
        let _ = write!(out, "<link rel=\"enclosure\" href=\"{url}\" type=\"{kind}\"");
        if let Some(bytes) = file.bytes {
            let _ = write!(out, " length=\"{bytes}\"");
        }
        if !file.title.is_empty() {
            let _ = write!(out, " title=\"{}\"", text(file.title.as_str()));
        }
        out.push_str("/>");
    }
    for category in &story.categories {
        let (term, label) = (text(category.slug.as_str()), text(category.label.as_str()));
        let _ = write!(out, "<category term=\"{term}\" label=\"{label}\"/>");
    }
    for tag in &story.tags {
        let _ = write!(out, "<category term=\"{}\"/>", text(tag.as_str()));
    }
    if let Some(rights) = &story.rights {
        let _ = write!(out, "<rights>{}</rights>", text(rights.as_str()));
    }
    if !story.summary.is_empty() && story.summary != summary_of(&story.content) {
        let _ = write!(out, "<summary>{}</summary>", text(story.summary.as_str()));
    }
    let _ = write!(out, "<content type=\"html\">{}</content>", text(story.content.as_str()));
    if record::is_draft(stored) {
        out.push_str("<app:control><app:draft>yes</app:draft></app:control>");
    }
    out.push_str("</entry>");
}

/// All files.
pub fn files(rules: &Rules, files: &[File]) -> String {
    let own = rules.address("atompub/media", "");
    let newest = files.first().map(|file| file.modified).unwrap_or_default();
    let mut out = feed(&own, "Files", newest, &own, None);
    for file in files {
        one_file(rules, file, false, &mut out);
    }
    out.push_str("</feed>\n");
    out
}

/// The media link entry of a file (section 9.6).
pub fn media_entry(rules: &Rules, file: &File) -> String {
    let mut out = XML.to_owned();
    one_file(rules, file, true, &mut out);
    out.push('\n');
    out
}

fn one_file(rules: &Rules, file: &File, is_alone: bool, out: &mut String) {
    let names =
        if is_alone { format!(" xmlns=\"{ATOM}\" xmlns:app=\"{APP}\"") } else { String::new() };
    let address = text(rules.address("atompub/media/", &file.name).as_str());
    let (url, kind, name) = (text(file.url.as_str()), text(&file.media_type), text(&file.name));
    let date = record::date(file.modified);
    let _ = write!(
        out,
        "<entry{names}><id>{url}</id><title>{name}</title><updated>{date}</updated><app:edited>{date}</app:edited>\
         <author><name>{name}</name></author><summary/><link rel=\"edit\" href=\"{address}\"/>\
         <link rel=\"edit-media\" href=\"{url}\"/><content type=\"{kind}\" src=\"{url}\"/></entry>",
    );
}
