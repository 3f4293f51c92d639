//! Files of the media folder: whole, in part, or word that the client has them (P-12, H.6).

use std::{
    io::{self, SeekFrom},
    ops::RangeInclusive,
    path::PathBuf,
    time::UNIX_EPOCH,
};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::{TryStreamExt as _, stream::try_unfold};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full, StreamBody, combinators::BoxBody};
use http_range_header::{RangeUnsatisfiableError, parse_range_header_with_max_ranges};
use hyper::body::Frame;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use xxhash_rust::xxh3::xxh3_128;

use super::{
    Limits, check_bounds, check_method,
    conditional::{Outcome, evaluate},
    head::Head,
    leave_body_out, partner,
    response::{self, Problem},
};
use crate::{
    edition::Validators,
    media::{self, Folder},
    text::Text,
};

/// Whole in memory, or a file as it is read.
pub(super) type Body = Either<Full<Bytes>, BoxBody<Bytes, io::Error>>;

/// Most parts of a file that one request gets (H-75).
const MAX_RANGES: std::num::NonZeroUsize = std::num::NonZeroUsize::new(16).expect("16 is not zero");
/// So much of a file is in memory for each client, in bytes.
const CHUNK: usize = 64 << 10;
/// Files keep their names only as long as they keep their bytes.
const FRESHNESS: HeaderValue = HeaderValue::from_static("public, max-age=86400");
const PRIVATE_FRESHNESS: HeaderValue = HeaderValue::from_static("private, max-age=86400");

/// Which file is asked for, by its path below [`media::PREFIX`].
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// By whoever comes.
    ByAnybody(&'a str),
    /// By somebody who reaches what is in these folders, which are not for everybody.
    ByPartner(&'a str, &'a [Text]),
}

/// Answers a request for a file.
pub(super) async fn respond(
    folder: &Folder,
    limits: &Limits,
    head: &Head<'_>,
    wanted: Wanted<'_>,
    now: DateTime<Utc>,
) -> Response<Body> {
    let answered = read(folder, limits, head, wanted, now).await;
    let is_head = *head.method == Method::HEAD;
    match answered {
        Ok(answer) if is_head => answer.map(|_| Either::Left(Full::default())),
        Ok(answer) => answer,
        Err(problem) => {
            let mut answer = problem.answer(&partner::without_secret(head.uri.path()));
            leave_body_out(head.method, &mut answer);
            answer.map(Either::Left)
        }
    }
}

async fn read(
    folder: &Folder,
    limits: &Limits,
    head: &Head<'_>,
    wanted: Wanted<'_>,
    now: DateTime<Utc>,
) -> Result<Response<Body>, Problem> {
    check_bounds(limits, head)?;
    check_method(head.method)?;
    if head.method == Method::OPTIONS {
        let is_preflight = head.fields.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        return Ok(response::options(is_preflight).map(Either::Left));
    }
    let (path, opened) = match wanted {
        Wanted::ByAnybody(path) => (path.to_owned(), None),
        Wanted::ByPartner(path, folders) => (path.to_owned(), Some(folders)),
    };
    let is_private = opened.is_some();
    let found = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || Media::find(&folder, &path)).await
    };
    let may_have = |media: &Media| match (folder.private(&media.path), opened) {
        (None, None) => true,
        (Some(name), Some(folders)) => folders.iter().any(|folder| folder.as_str() == name),
        (None, Some(_)) | (Some(_), None) => false,
    };
    let media = found.ok().flatten().filter(may_have).ok_or(Problem::Unknown)?;
    let method = head.method;
    let tag = media.tag();
    let last_modified = media.modified.filter(|modified| modified.timestamp() < now.timestamp());
    let current = Validators { tags: &[&tag], last_modified, content: None };
    let mut fields = fields(&tag, last_modified);
    if is_private {
        fields.insert(header::CACHE_CONTROL, PRIVATE_FRESHNESS);
        fields.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    }
    match evaluate(head, &current) {
        Outcome::NotModified(_) | Outcome::NotModifiedAs(_) => {
            Ok(with(StatusCode::NOT_MODIFIED, fields, Either::Left(Full::default())))
        }
        Outcome::PreconditionFailed => Err(Problem::Precondition),
        Outcome::Proceed => {
            let ranges = match *method {
                Method::GET => ranges(head.fields, &tag, last_modified, media.length),
                _ => Ranges::Whole,
            };
            Ok(media.send(ranges, fields, &tag))
        }
    }
}

fn with(status: StatusCode, fields: HeaderMap, body: Body) -> Response<Body> {
    let mut answer = response::bare(status).map(|_| body);
    answer.headers_mut().extend(fields);
    answer
}

/// Which parts of a file are asked for.
#[derive(Debug, PartialEq, Eq)]
enum Ranges {
    Whole,
    Parts(Vec<RangeInclusive<u64>>),
    /// Beyond its end.
    Unsatisfiable,
}

/// H-71 to H-75. What cannot be read as a range, or asks for too much, is left out of account.
fn ranges(
    fields: &HeaderMap,
    tag: &str,
    last_modified: Option<DateTime<Utc>>,
    length: u64,
) -> Ranges {
    let mut all = fields.get_all(header::RANGE).iter();
    let (Some(range), None) = (all.next(), all.next()) else { return Ranges::Whole };
    let Ok(range) = range.to_str() else { return Ranges::Whole };
    if fields.get(header::IF_RANGE).is_some_and(|value| !is_current(value, tag, last_modified)) {
        return Ranges::Whole;
    }
    let parsed = parse_range_header_with_max_ranges(range.trim(), MAX_RANGES);
    match parsed.and_then(|parsed| parsed.validate(length)) {
        Ok(parts) if parts.is_empty() => Ranges::Whole,
        Ok(parts) => Ranges::Parts(parts),
        Err(RangeUnsatisfiableError::Unsatisfiable) => Ranges::Unsatisfiable,
        Err(_) => Ranges::Whole,
    }
}

/// H-74.
fn is_current(value: &HeaderValue, tag: &str, last_modified: Option<DateTime<Utc>>) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let value = value.trim();
    if value.chars().take(3).any(|c| c == '"') {
        return value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) == Some(tag);
    }
    let date = httpdate::parse_http_date(value).ok().map(DateTime::<Utc>::from);
    date.is_some() && date == last_modified
}

/// A file as it was found: what it is called may be another one's name by now.
struct Media {
    path: PathBuf,
    file: File,
    length: u64,
    /// In whole seconds.
    modified: Option<DateTime<Utc>>,
    /// To tell one content from the next, in nanoseconds.
    stamp: u128,
}

impl Media {
    fn find(folder: &Folder, path: &str) -> Option<Self> {
        let path = folder.find(path)?;
        let file = std::fs::File::open(&path).ok()?;
        let data = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let age = data.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified = DateTime::from_timestamp(i64::try_from(age.as_secs()).ok()?, 0);
        let (file, length) = (File::from_std(file), data.len());
        Some(Self { path, file, length, modified, stamp: age.as_nanos() })
    }

    /// Strong: a file that is written anew has another time or another size.
    fn tag(&self) -> String {
        format!("m{:x}-{:x}", self.length, self.stamp)
    }

    fn content_type(&self) -> &'static str {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        media::media_type(&name).unwrap_or("application/octet-stream")
    }

    fn send(self, ranges: Ranges, mut fields: HeaderMap, tag: &str) -> Response<Body> {
        let kind = HeaderValue::from_static(self.content_type());
        // Nothing here is meant to run, whatever it holds.
        let policy = HeaderValue::from_static("default-src 'none'; sandbox");
        fields.insert(header::CONTENT_SECURITY_POLICY, policy);
        let text = |text: String| HeaderValue::try_from(text).expect("numbers and ASCII");
        let (status, pieces) = match ranges {
            Ranges::Unsatisfiable => {
                fields.insert(header::CONTENT_RANGE, text(format!("bytes */{}", self.length)));
                let nothing = Either::Left(Full::default());
                return with(StatusCode::RANGE_NOT_SATISFIABLE, fields, nothing);
            }
            Ranges::Whole => {
                fields.insert(header::CONTENT_TYPE, kind);
                (StatusCode::OK, vec![Piece::Part(0, self.length)])
            }
            Ranges::Parts(parts) if parts.len() == 1 => {
                let (start, end) = (*parts[0].start(), *parts[0].end());
                let range = format!("bytes {start}-{end}/{}", self.length);
                fields.insert(header::CONTENT_TYPE, kind);
                fields.insert(header::CONTENT_RANGE, text(range));
                (StatusCode::PARTIAL_CONTENT, vec![Piece::Part(start, end - start + 1)])
            }
            Ranges::Parts(parts) => {
                let boundary = format!("courant-{:032x}", xxh3_128(tag.as_bytes()));
                let multipart = text(format!("multipart/byteranges; boundary={boundary}"));
                fields.insert(header::CONTENT_TYPE, multipart);
                (StatusCode::PARTIAL_CONTENT, self.pieces(&parts, &boundary))
            }
        };
        let length: u64 = pieces.iter().map(Piece::length).sum();
        fields.insert(header::CONTENT_LENGTH, length.into());
        with(status, fields, body(self.file, pieces))
    }

    /// The body of several parts (RFC 9110 section 14.6).
    fn pieces(&self, parts: &[RangeInclusive<u64>], boundary: &str) -> Vec<Piece> {
        let (kind, whole) = (self.content_type(), self.length);
        let mut pieces = Vec::new();
        for range in parts {
            let (start, end) = (*range.start(), *range.end());
            let head = format!(
                "\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes {start}-{end}/{whole}\r\n\r\n"
            );
            pieces.extend([Piece::Text(head.into()), Piece::Part(start, end - start + 1)]);
        }
        pieces.push(Piece::Text(format!("\r\n--{boundary}--\r\n").into()));
        pieces
    }
}

/// What a body is made of.
enum Piece {
    /// What stands between parts.
    Text(Bytes),
    /// So many bytes of the file, from a place on.
    Part(u64, u64),
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::Text(text) => u64::try_from(text.len()).unwrap_or_default(),
            Self::Part(_, length) => *length,
        }
    }
}

/// What every answer about it has.
fn fields(tag: &str, last_modified: Option<DateTime<Utc>>) -> HeaderMap {
    let mut fields = HeaderMap::new();
    let tag = HeaderValue::try_from(format!("\"{tag}\"")).expect("hexadecimal");
    fields.insert(header::ETAG, tag);
    if let Some(modified) = last_modified {
        let date = HeaderValue::try_from(httpdate::fmt_http_date(modified.into()));
        fields.insert(header::LAST_MODIFIED, date.expect("a date is ASCII"));
    }
    fields.insert(header::CACHE_CONTROL, FRESHNESS);
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields
}

/// Reads all of it from the one file that is open, chunk by chunk as it is sent.
fn body(file: File, pieces: Vec<Piece>) -> Body {
    let begun = (file, pieces.into_iter(), 0);
    let chunks = try_unfold(begun, async |(mut file, mut pieces, mut left)| {
        while left == 0 {
            match pieces.next() {
                None => return Ok(None),
                Some(Piece::Text(text)) => return Ok(Some((text, (file, pieces, 0)))),
                Some(Piece::Part(start, length)) => {
                    file.seek(SeekFrom::Start(start)).await?;
                    left = length;
                }
            }
        }
        let mut chunk = BytesMut::with_capacity(CHUNK.min(usize::try_from(left).unwrap_or(CHUNK)));
        let read = (&mut file).take(left).read_buf(&mut chunk).await?;
        if read == 0 {
            // Somebody has cut it short.
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let left = left - u64::try_from(read).unwrap_or_default();
        Ok(Some((chunk.freeze(), (file, pieces, left))))
    });
    Either::Right(BodyExt::boxed(StreamBody::new(chunks.map_ok(Frame::data))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_rules() {
        let modified = DateTime::from_timestamp(1_772_699_400, 0);
        let parts = |parts: &[(u64, u64)]| {
            Ranges::Parts(parts.iter().map(|(start, end)| *start..=*end).collect())
        };
        let many: Vec<_> = (0..17).map(|nth| format!("{}-{}", nth * 4, nth * 4 + 1)).collect();
        let many = format!("bytes={}", many.join(","));
        for (range, if_range, expected) in [
            ("bytes=0-1", None, parts(&[(0, 1)])),
            ("bytes=-5", None, parts(&[(95, 99)])),
            ("bytes=-500", None, parts(&[(0, 99)])),
            ("bytes=90-", None, parts(&[(90, 99)])),
            ("bytes=90-1000", None, parts(&[(90, 99)])),
            ("bytes=0-0, 50-59", None, parts(&[(0, 0), (50, 59)])),
            ("bytes=0-0,100-", None, parts(&[(0, 0)])),
            ("bytes=100-", None, Ranges::Unsatisfiable),
            ("bytes=-0", None, Ranges::Unsatisfiable),
            ("bytes=5-1", None, Ranges::Whole),
            ("bytes=a-b", None, Ranges::Whole),
            ("items=0-1", None, Ranges::Whole),
            ("bytes=0-50,10-60,20-70,30-80", None, Ranges::Whole),
            (&many, None, Ranges::Whole),
            ("bytes=0-1", Some("\"m1\""), parts(&[(0, 1)])),
            ("bytes=0-1", Some("\"m2\""), Ranges::Whole),
            ("bytes=0-1", Some("W/\"m1\""), Ranges::Whole),
            ("bytes=0-1", Some("Thu, 05 Mar 2026 08:30:00 GMT"), parts(&[(0, 1)])),
            ("bytes=0-1", Some("Thu, 05 Mar 2026 08:30:01 GMT"), Ranges::Whole),
            ("bytes=0-1", Some("yesterday"), Ranges::Whole),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(header::RANGE, range.parse().unwrap());
            if let Some(value) = if_range {
                fields.insert(header::IF_RANGE, value.parse().unwrap());
            }
            assert_eq!(ranges(&fields, "m1", modified, 100), expected, "{range} {if_range:?}");
        }
        let mut twice = HeaderMap::new();
        twice.append(header::RANGE, "bytes=0-1".parse().unwrap());
        twice.append(header::RANGE, "bytes=2-3".parse().unwrap());
        assert_eq!(ranges(&twice, "m1", modified, 100), Ranges::Whole);
        let mut undated = HeaderMap::new();
        undated.insert(header::RANGE, "bytes=0-1".parse().unwrap());
        undated.insert(header::IF_RANGE, "nonsense".parse().unwrap());
        assert_eq!(ranges(&undated, "m1", None, 100), Ranges::Whole);
    }
}
