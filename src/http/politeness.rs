//! A request of somebody: within a budget, counted; and the numbers, for those who may read them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::Body;

use super::{
    Answer, Limits,
    head::Head,
    leave_body_out,
    response::{self, Problem},
    weigh,
};
use crate::{
    edge::Counts,
    publish::Publisher,
    traffic::{Asked, Caller, Client, HeldReport, PurgeReport, Report, Sent, Traffic},
};

/// For Prometheus.
const METRICS: &str = "/metrics";
/// The same for `courant stats`.
const METRICS_JSON: &str = "/metrics.json";

/// Answers a request of a caller, unless it asks too often.
pub async fn respond_politely<B>(
    publisher: &Publisher,
    limits: &Limits,
    traffic: &Traffic,
    caller: &Caller,
    request: &Request<B>,
    now: DateTime<Utc>,
) -> Answer {
    let head = Head::of(request);
    match Visit::begin(publisher, traffic, caller, &head, now) {
        Err(answer) => answer,
        Ok(visit) => {
            let mut whole = 0;
            let answer = weigh(publisher, limits, &head, now, &mut whole).await;
            visit.end(traffic, &head, &answer, whole, now);
            answer
        }
    }
}

/// A request between its two ends. [`respond_politely`] is both; the server has them apart, and answers most requests
/// in between without a future, which would be copied about with each of them.
pub(super) struct Visit {
    client: Client,
    asked: Asked,
}

impl Visit {
    /// Lets a request in, or answers it: with the numbers, or with when to come again.
    #[expect(clippy::result_large_err, reason = "an answer is no error, and goes out as it is")]
    pub(super) fn begin(
        publisher: &Publisher,
        traffic: &Traffic,
        caller: &Caller,
        head: &Head<'_>,
        now: DateTime<Utc>,
    ) -> Result<Self, Answer> {
        let (path, fields) = (head.uri.path(), head.fields);
        let client = traffic.access().client(caller, fields);
        // To everybody else, this is an address like any other where nothing is.
        if path.starts_with(METRICS)
            && is_read(head)
            && traffic.access().reads(caller, client, fields)
            && let Some(mut answer) = numbers(publisher, traffic, path, now)
        {
            leave_body_out(head.method, &mut answer);
            return Err(answer);
        }
        let visit = Self { client, asked: traffic.asked(path) };
        if is_read(head)
            && let Err(refusal) = traffic.admit(client, &visit.asked, head.is_conditional(), now)
        {
            // Its path may hold what is nobody else's business, and is not repeated.
            let mut answer = Problem::TooOften(refusal).answer("");
            leave_body_out(head.method, &mut answer);
            visit.end(traffic, head, &answer, 0, now);
            return Err(answer);
        }
        Ok(visit)
    }

    /// Counts the answer; `whole` is the size of the document that a 226 or a 304 stands for.
    pub(super) fn end(
        &self,
        traffic: &Traffic,
        head: &Head<'_>,
        answer: &Response<impl Body>,
        whole: usize,
        now: DateTime<Utc>,
    ) {
        if !is_read(head) {
            return;
        }
        let sent = Sent {
            status: answer.status().as_u16(),
            bytes: answer.body().size_hint().lower(),
            // The whole answer to HEAD has no body either.
            bytes_whole: if head.method == Method::HEAD { 0 } else { whole as u64 },
            is_conditional: head.is_conditional(),
        };
        let location = self.asked.is_open().then(|| answer.headers().get(header::CONTENT_LOCATION));
        let location = location.flatten().and_then(|location| location.to_str().ok());
        let agent = head.user_agent.first().map(HeaderValue::as_bytes);
        traffic.count(self.client, &self.asked, agent, sent, now, location);
    }
}

fn is_read(head: &Head<'_>) -> bool {
    matches!(*head.method, Method::GET | Method::HEAD)
}

fn numbers(
    publisher: &Publisher,
    traffic: &Traffic,
    path: &str,
    now: DateTime<Utc>,
) -> Option<Answer> {
    let report = || {
        let held = publisher.held_back().into_iter();
        let held = held.map(|(feed, articles)| HeldReport { feed, articles });
        let purges = publisher.purges().map(|counts| {
            let Counts { done, retried, given_up, waiting } = counts;
            PurgeReport { done, retried, given_up, waiting }
        });
        Report { held_back: held.collect(), purges, ..traffic.report(now) }
    };
    let (content_type, text) = match path {
        METRICS => ("text/plain; version=0.0.4; charset=utf-8", report().prometheus()),
        METRICS_JSON => {
            let text = serde_json::to_string(&report()).expect("text and numbers");
            ("application/json", text)
        }
        _ => return None,
    };
    let mut answer = response::plain("");
    let fields = answer.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // For no page that somebody at this machine happens to look at.
    fields.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    *answer.body_mut() = Full::new(Bytes::from(text));
    Some(answer)
}
