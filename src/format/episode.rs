//! What this program serves of an episode beside its feed: chapters and transcripts that are kept with the article.

use serde::Serialize;

use crate::{
    article::{Chapter, Chapters, Content, Episode, Moment},
    format::uri::uri,
};

/// The content type and the bytes of chapters that are kept with an article (P-23).
pub fn chapters(chapters: &Chapters) -> Option<(&'static str, Vec<u8>)> {
    let Chapters::Inline(chapters) = chapters else { return None };
    let document =
        Document { version: "1.2.0", chapters: chapters.iter().map(Part::new).collect() };
    let mut bytes = serde_json::to_vec_pretty(&document).expect("text and numbers");
    bytes.push(b'\n');
    Some(("application/json+chapters", bytes))
}

/// The content type and the bytes of a transcript that is kept with an article, by its file name (P-22).
pub fn transcript(episode: &Episode, name: &str) -> Option<(&'static str, Vec<u8>)> {
    let mut numbered = episode.transcripts.iter().enumerate();
    let (_, transcript) = numbered.find(|(nth, transcript)| transcript.file_name(*nth) == name)?;
    let Content::Inline(text) = &transcript.content else { return None };
    let content_type = match transcript.mime_type.as_str() {
        "text/vtt" => "text/vtt; charset=utf-8",
        "application/x-subrip" | "application/srt" => "application/x-subrip; charset=utf-8",
        "application/json" => "application/json",
        "text/html" => "text/html; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    Some((content_type, text.as_bytes().to_vec()))
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    chapters: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    start_time: serde_json::Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "str::is_empty")]
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    img: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    toc: Option<bool>,
}

impl<'a> Part<'a> {
    fn new(chapter: &'a Chapter) -> Self {
        Self {
            start_time: seconds(chapter.start),
            end_time: chapter.end.map(seconds),
            title: chapter.title.as_str(),
            img: chapter.image.as_ref().map(uri),
            url: chapter.url.as_ref().map(uri),
            toc: chapter.is_silent.then_some(false),
        }
    }
}

/// A whole number where it is one.
fn seconds(moment: Moment) -> serde_json::Number {
    let whole = moment.0 / 1_000;
    if moment.0.is_multiple_of(1_000) {
        return whole.into();
    }
    moment.to_string().parse().expect("digits and a point are a number")
}
