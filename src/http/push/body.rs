//! The body of a request, within bounds of size and time.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;

use crate::push::Problem;

/// Largest form that is read of somebody who has not shown a token yet, in bytes.
pub(super) const STRANGERS_FORM: u64 = 256 << 10;

/// A body of `most` bytes at most, all of which has to come in time.
pub(super) async fn read<B>(
    body: B,
    fields: &HeaderMap,
    most: u64,
    time: Duration,
) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let coding = fields.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::MediaType("a body without `Content-Encoding`"));
    }
    if body.size_hint().lower() > most {
        return Err(Problem::Large(most));
    }
    let body = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX));
    match tokio::time::timeout(time, Box::pin(body.collect())).await {
        Err(_) => Err(Problem::Slow),
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::Large(most)),
        Ok(Err(_)) => Err(Problem::Malformed("The body broke off.".to_owned())),
    }
}
