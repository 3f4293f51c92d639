//! `courant stats`.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use courant::{
    config::Config,
    fetch::{Client, Limits, Reach, Request},
    traffic::{FormatReport, Report},
};
use http::StatusCode;
use unicode_width::UnicodeWidthStr;
use url::Url;

use crate::cli;

/// A service on this machine answers soon, and with far less than this, whatever its catalogue.
const LIMITS: Limits = Limits {
    body_bytes: 64 << 20,
    connect: Duration::from_secs(5),
    whole: Duration::from_secs(10),
};
/// Agents that are shown.
const AGENTS: usize = 10;

/// Ask the running service who reads what
#[derive(Args)]
#[command(after_help = "\
Numbers begin with the start of the service. `subscribers` is what hosted readers announced in the last seven days;
`clients` are different addresses since midnight UTC, estimated; `conditional` is the share of requests with a validator;
`saved` is what `304 Not Modified` and deltas did not send.

Examples:
  courant stats
  courant stats --listen 127.0.0.1:9000        of a service that listens elsewhere
  courant stats --json | jq '.feeds[] | {feed, subscribers}'")]
pub(super) struct Stats {
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode> {
        let address = reachable(config.server.listen);
        let report = ask(address).await?;
        if self.json {
            return cli::print_json(&report);
        }
        io::stdout().lock().write_all(describe(&report).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where a service is found that listens at an address, or at all of them.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        named => named,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr) -> Result<Report> {
    let client = Client::new(Reach::Anywhere, LIMITS);
    let url = Url::parse(&format!("http://{address}/metrics.json"))?;
    let answer = client.send(&Request::get(url)).await.with_context(|| {
        format!("no service answers at {address}; start it with `courant serve`, or say with --listen where it is")
    })?;
    if answer.status == StatusCode::NOT_FOUND {
        bail!(
            "the service at {address} does not show its numbers here; add this machine to `readers` of [metrics] in \
             feeds.toml"
        );
    }
    serde_json::from_slice(&answer.body)
        .with_context(|| format!("what answers at {address} is not this version of Courant"))
}

/// For people: feeds by subscribers, then by requests; those that nobody asked for are left out.
fn describe(report: &Report) -> String {
    let mut feeds: Vec<_> = report
        .feeds
        .iter()
        .map(|feed| (feed, sum(&feed.formats)))
        .filter(|(feed, sum)| sum.requests.total() > 0 || feed.subscribers > 0)
        .collect();
    feeds.sort_by_key(|(feed, sum)| std::cmp::Reverse((feed.subscribers, sum.requests.total())));
    let mut table = vec![
        ["feed", "subscribers", "clients", "requests", "conditional", "refused", "sent", "saved"]
            .map(str::to_owned),
    ];
    table.extend(feeds.iter().map(|(feed, sum)| {
        [
            feed.feed.clone(),
            grouped(feed.subscribers),
            grouped(feed.clients_today),
            grouped(sum.requests.total()),
            share(sum.conditional, sum.requests.answered()),
            grouped(sum.requests.refused),
            bytes(sum.bytes_sent),
            bytes(sum.bytes_saved),
        ]
    }));
    let mut text = format!("since {}\n\n", report.since.format("%Y-%m-%d %H:%M UTC"));
    if feeds.is_empty() {
        text.push_str("nobody has asked for a feed yet\n");
        return text;
    }
    text.push_str(&aligned(&table));
    if !report.agents.is_empty() {
        let mut table = vec![["agent", "requests"].map(str::to_owned)];
        let agents = report.agents.iter().take(AGENTS);
        table.extend(agents.map(|agent| [agent.agent.clone(), grouped(agent.requests)]));
        text.push('\n');
        text.push_str(&aligned(&table));
    }
    if !report.held_back.is_empty() {
        let mut table = vec![["feed of a partner", "held back"].map(str::to_owned)];
        let held = report.held_back.iter();
        table.extend(held.map(|held| [held.feed.clone(), grouped(held.articles)]));
        text.push('\n');
        text.push_str(&aligned(&table));
    }
    if let Some(purges) = &report.purges {
        let mut table = vec![["caches in front", "requests"].map(str::to_owned)];
        let counts =
            [("told", purges.done), ("told again", purges.retried), ("given up", purges.given_up)];
        table.extend(counts.map(|(what, count)| [what.to_owned(), grouped(count)]));
        text.push('\n');
        text.push_str(&aligned(&table));
    }
    text
}

fn sum(formats: &[FormatReport]) -> FormatReport {
    formats.iter().fold(FormatReport::default(), |mut sum, format| {
        sum.requests.whole += format.requests.whole;
        sum.requests.delta += format.requests.delta;
        sum.requests.unchanged += format.requests.unchanged;
        sum.requests.refused += format.requests.refused;
        sum.requests.other += format.requests.other;
        sum.conditional += format.conditional;
        sum.bytes_sent += format.bytes_sent;
        sum.bytes_saved += format.bytes_saved;
        sum
    })
}

/// Columns as wide as what is in them: the first to the left, numbers to the right.
fn aligned<const N: usize>(table: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        table.iter().map(|row| row[column].width()).max().unwrap_or_default()
    });
    let mut text = String::new();
    for row in table {
        for (column, cell) in row.iter().enumerate() {
            let room = " ".repeat(widths[column] - cell.width());
            if column == 0 {
                text.extend([cell, room.as_str()]);
            } else {
                text.extend(["  ", &room, cell]);
            }
        }
        text.push('\n');
    }
    text
}

/// `1204567` as `1,204,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In per cent, rounded down: 100 % is all of them.
fn share(part: u64, all: u64) -> String {
    part.saturating_mul(100).checked_div(all).map_or("-".to_owned(), |share| format!("{share} %"))
}

/// With three digits at most before the unit.
fn bytes(number: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut tenths = u128::from(number) * 10;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < units.len() {
        tenths = (tenths + 500) / 1_000;
        unit += 1;
    }
    let mut text = (tenths / 10).to_string();
    if unit > 0 && tenths < 1_000 {
        let _ = write!(text, ".{}", tenths % 10);
    }
    text + " " + units[unit]
}

#[cfg(test)]
mod tests {
    use courant::traffic::{AgentReport, FeedReport, HeldReport, PurgeReport, Requests};

    use super::*;

    #[test]
    fn numbers_are_for_people() {
        for (number, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (54_321, "54.3 kB"),
            (999_950, "1.0 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(number), expected, "{number}");
        }
        assert_eq!([0, 999, 1_000, 1_204_567].map(grouped), ["0", "999", "1,000", "1,204,567"]);
        assert_eq!([share(0, 0), share(1, 3), share(2, 2)], ["-", "33 %", "100 %"]);
    }

    #[test]
    fn a_table_is_aligned_in_every_script() {
        let feed = |feed: &str, subscribers, whole, unchanged| FeedReport {
            feed: feed.to_owned(),
            subscribers,
            clients_today: 12,
            clients_yesterday: None,
            formats: vec![FormatReport {
                format: "rss".to_owned(),
                requests: Requests { whole, unchanged, ..Requests::default() },
                conditional: unchanged,
                bytes_sent: whole * 50_000,
                bytes_saved: unchanged * 50_000,
            }],
        };
        let report = Report {
            since: "2026-03-05T12:00:00Z".parse().unwrap(),
            feeds: vec![
                feed("all", 0, 10, 0),
                feed("category/头条", 1_200, 100, 1_900),
                feed("briefs", 0, 0, 0),
            ],
            agents: vec![AgentReport { agent: "Feedly".to_owned(), requests: 2_000 }],
            held_back: vec![HeldReport { feed: "partner/wire/all".to_owned(), articles: 3 }],
            purges: Some(PurgeReport { done: 12_345, retried: 2, given_up: 1, waiting: 0 }),
            sources: Vec::new(),
        };
        let expected = "\
since 2026-03-05 12:00 UTC

feed           subscribers  clients  requests  conditional  refused    sent    saved
category/头条        1,200       12     2,000         95 %        0  5.0 MB  95.0 MB
all                      0       12        10          0 %        0  500 kB      0 B

agent   requests
Feedly     2,000

feed of a partner  held back
partner/wire/all           3

caches in front  requests
told               12,345
told again              2
given up                1
";
        assert_eq!(describe(&report), expected);
    }

    #[test]
    fn a_service_that_listens_everywhere_is_found_here() {
        for (listen, address) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), address);
        }
    }
}
