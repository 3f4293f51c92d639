//! The numbers as others read them: JSON for `courant stats`, and for Prometheus.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, prometheus_text},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};
use serde::{Deserialize, Serialize};

/// Everything that was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When counting began.
    pub since: DateTime<Utc>,
    /// In the order of `feeds.toml`; last, as [`OTHER`](super::OTHER), everything else that was asked for.
    pub feeds: Vec<FeedReport>,
    /// The programs that ask most, most first; what is far down may be too many.
    pub agents: Vec<AgentReport>,
    /// The feeds of partners from which articles are held back, as far as they are in memory (M-41).
    #[serde(default)]
    pub held_back: Vec<HeldReport>,
    /// What became of requests to caches in front; `None` where none are told.
    #[serde(default)]
    pub purges: Option<PurgeReport>,
    /// Where articles come in from, by name.
    #[serde(default)]
    pub sources: Vec<SourceReport>,
}

/// What became of requests that tell caches what is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeReport {
    /// That were taken.
    pub done: u64,
    /// That failed and were sent again.
    pub retried: u64,
    /// That were given up: something stale is served until it is no longer fresh.
    pub given_up: u64,
    /// Keys or addresses that are not on their way yet.
    pub waiting: u64,
}

/// A source that is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// As in `feeds.toml`.
    pub source: String,
    /// When it was last read.
    pub looked: Option<DateTime<Utc>>,
    /// How often that failed since.
    pub failures: u32,
    /// Whether this process follows it; otherwise it stands by while another does.
    pub follows: bool,
    /// What became of what was read, so far.
    pub outcomes: BTreeMap<String, u64>,
}

/// A partner's feed from which articles are held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldReport {
    /// `partner/wire/news`.
    pub feed: String,
    /// How many.
    pub articles: u64,
}

/// One feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedReport {
    /// As in `feeds.toml`: `all`, `category/news`.
    pub feed: String,
    /// As hosted readers announced them in the last seven days (H-134).
    pub subscribers: u64,
    /// Different clients since midnight UTC, estimated.
    pub clients_today: u64,
    /// The day before, if the service ran.
    pub clients_yesterday: Option<u64>,
    /// Those that were asked for.
    pub formats: Vec<FormatReport>,
}

/// One feed in one format.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FormatReport {
    /// `rss`, `atom`, `json`, `html`; `open` where a request left it open and got none.
    pub format: String,
    /// By status.
    pub requests: Requests,
    /// With a validator, of those with 200, 226 and 304.
    pub conditional: u64,
    /// Of bodies.
    pub bytes_sent: u64,
    /// What 304 and 226 left out.
    pub bytes_saved: u64,
}

/// Requests by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// The whole feed.
    #[serde(rename = "200")]
    pub whole: u64,
    /// Only what is new.
    #[serde(rename = "226")]
    pub delta: u64,
    /// Nothing new.
    #[serde(rename = "304")]
    pub unchanged: u64,
    /// Asked too often.
    #[serde(rename = "429")]
    pub refused: u64,
    /// Anything else.
    pub other: u64,
}

impl Requests {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.answered() + self.refused + self.other
    }

    /// Those that a feed was the answer to.
    pub fn answered(&self) -> u64 {
        self.whole + self.delta + self.unchanged
    }
}

/// A program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentReport {
    /// The name that it gives itself, without its version.
    pub agent: String,
    /// How often it asked for a feed of `feeds.toml`.
    pub requests: u64,
}

impl Report {
    /// In the text format of Prometheus.
    pub fn prometheus(self) -> String {
        let mut registry = Registry::with_prefix("courant");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).expect("a string takes any text");
        text
    }
}

type Labels<'a> = [(&'static str, &'a str); 2];

impl Report {
    /// A family with a value for each feed and format.
    fn formats(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help, unit): (&str, &str, Option<&Unit>),
        value: impl Fn(&FormatReport) -> u64,
    ) -> fmt::Result {
        let kind = ConstCounter::new(0_u64).metric_type();
        let mut family = encoder.encode_descriptor(name, help, unit, kind)?;
        for feed in &self.feeds {
            for format in &feed.formats {
                let labels: Labels<'_> = [("feed", &feed.feed), ("format", &format.format)];
                let counter = ConstCounter::new(value(format));
                counter.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    /// A family with a value for each feed.
    fn feeds(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help): (&str, &str),
        value: impl Fn(&FeedReport) -> Option<u64>,
    ) -> fmt::Result {
        let kind = ConstGauge::new(0_u64).metric_type();
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        // What is not a feed of `feeds.toml` has neither.
        let named = self.feeds.split_last().map_or(&[][..], |(_, named)| named);
        for (feed, value) in named.iter().filter_map(|feed| Some((feed, value(feed)?))) {
            let labels = [("feed", feed.feed.as_str())];
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for Report {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let help = "When counting began";
        let gauge = ConstGauge::new(self.since.timestamp());
        let kind = gauge.metric_type();
        gauge.encode(encoder.encode_descriptor(
            "start_time",
            help,
            Some(&Unit::Seconds),
            kind,
        )?)?;

        let kind = ConstCounter::new(0_u64).metric_type();
        let help = "Requests for feeds by status";
        let mut family = encoder.encode_descriptor("requests", help, None, kind)?;
        for feed in &self.feeds {
            for FormatReport { format, requests, .. } in &feed.formats {
                let Requests { whole, delta, unchanged, refused, other } = *requests;
                let all = [
                    ("200", whole),
                    ("226", delta),
                    ("304", unchanged),
                    ("429", refused),
                    ("other", other),
                ];
                for (status, number) in all {
                    let labels =
                        [("feed", feed.feed.as_str()), ("format", format), ("status", status)];
                    ConstCounter::new(number).encode(family.encode_family(&labels)?)?;
                }
            }
        }

        let help = "Requests with a validator, of those with status 200, 226 and 304";
        self.formats(encoder, ("conditional_requests", help, None), |format| format.conditional)?;
        let bytes = Some(&Unit::Bytes);
        let help = "Bodies sent";
        self.formats(encoder, ("sent", help, bytes), |format| format.bytes_sent)?;
        let help = "Bodies left out by 304 and 226";
        self.formats(encoder, ("saved", help, bytes), |format| format.bytes_saved)?;

        let help = "Subscribers that hosted readers announced in the last seven days";
        self.feeds(encoder, ("subscribers", help), |feed| Some(feed.subscribers))?;
        let help = "Different clients since midnight UTC (estimate)";
        self.feeds(encoder, ("clients_today", help), |feed| Some(feed.clients_today))?;
        let help = "Different clients on the day before (estimate)";
        self.feeds(encoder, ("clients_yesterday", help), |feed| feed.clients_yesterday)?;

        let kind = ConstCounter::new(0_u64).metric_type();
        let help = "Requests for feeds by the programs that ask most";
        let mut family = encoder.encode_descriptor("agent_requests", help, None, kind)?;
        for AgentReport { agent, requests } in &self.agents {
            let labels = [("agent", agent.as_str())];
            ConstCounter::new(*requests).encode(family.encode_family(&labels)?)?;
        }

        let kind = ConstGauge::new(0_u64).metric_type();
        let help = "Articles that a partner would refuse, of feeds in memory";
        let mut family = encoder.encode_descriptor("held_back_articles", help, None, kind)?;
        for HeldReport { feed, articles } in &self.held_back {
            let labels = [("feed", feed.as_str())];
            ConstGauge::new(*articles).encode(family.encode_family(&labels)?)?;
        }
        if let Some(PurgeReport { done, retried, given_up, waiting }) = self.purges {
            let kind = ConstCounter::new(0_u64).metric_type();
            let help = "Requests that tell caches in front what is stale, by what became of them";
            let mut family = encoder.encode_descriptor("purges", help, None, kind)?;
            for (outcome, count) in [("done", done), ("retried", retried), ("given_up", given_up)] {
                let labels = [("outcome", outcome)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
            let kind = ConstGauge::new(0_u64).metric_type();
            let help = "Keys or addresses that caches in front are not told of yet";
            let waits = encoder.encode_descriptor("purges_waiting", help, None, kind)?;
            ConstGauge::new(waiting).encode(waits)?;
        }
        self.sources(encoder)
    }
}

impl Report {
    fn sources(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = ConstGauge::new(0_i64).metric_type();
        let help = "When a source was last read";
        let seconds = Some(&Unit::Seconds);
        let mut family = encoder.encode_descriptor("source_read_time", help, seconds, gauge)?;
        for SourceReport { source, looked, .. } in &self.sources {
            if let Some(looked) = looked {
                let labels = [("source", source.as_str())];
                ConstGauge::new(looked.timestamp()).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Looks at a source that failed since then";
        let mut family = encoder.encode_descriptor("source_failures", help, None, gauge)?;
        for SourceReport { source, failures, .. } in &self.sources {
            let labels = [("source", source.as_str())];
            ConstGauge::new(i64::from(*failures)).encode(family.encode_family(&labels)?)?;
        }
        let help = "1 where this process follows the source, 0 where it stands by";
        let mut family = encoder.encode_descriptor("source_followed", help, None, gauge)?;
        for SourceReport { source, follows, .. } in &self.sources {
            let labels = [("source", source.as_str())];
            ConstGauge::new(i64::from(*follows)).encode(family.encode_family(&labels)?)?;
        }
        let kind = ConstCounter::new(0_u64).metric_type();
        let help = "What became of what a source gave";
        let mut family = encoder.encode_descriptor("source_articles", help, None, kind)?;
        for SourceReport { source, outcomes, .. } in &self.sources {
            for (outcome, count) in outcomes {
                let labels = [("source", source.as_str()), ("outcome", outcome)];
                ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
