//! The log: to standard error, so that what the program prints stays apart. `RUST_LOG` chooses what.

use std::{
    cell::RefCell,
    fmt::{self, Debug, Write as _},
    io::{self, BufWriter, IsTerminal, Stderr, Write as _},
    sync::{LazyLock, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use courant::{clock, config::AccessLog};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::{Format, JsonFields, Writer},
    },
    registry::LookupSpan,
};

/// What is written together: when there is so much of it, and when so much time has passed.
const BYTES: usize = 64 << 10;
const DELAY: Duration = Duration::from_millis(200);

/// Lines on their way to standard error. None is dropped: whoever has one to say waits while others are written.
static LINES: LazyLock<Mutex<BufWriter<Stderr>>> =
    LazyLock::new(|| Mutex::new(BufWriter::with_capacity(BYTES, io::stderr())));

/// Whoever holds it sees to it that the last lines are written.
pub(super) struct Log;

impl Drop for Log {
    fn drop(&mut self) {
        flush();
    }
}

/// Starts it.
pub(super) fn start(access: AccessLog) -> Log {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| LINES.make_writer());
    match access {
        AccessLog::Json => {
            let others = Format::default().json().flatten_event(true);
            builder
                .fmt_fields(JsonFields::new())
                .event_format(Requests { others, shape: Shape::Json })
                .init();
        }
        AccessLog::Text | AccessLog::Off if io::stderr().is_terminal() => builder.init(),
        AccessLog::Text | AccessLog::Off => {
            let others = Format::default();
            builder.with_ansi(false).event_format(Requests { others, shape: Shape::Text }).init();
        }
    }
    tokio::spawn(async {
        loop {
            tokio::time::sleep(DELAY).await;
            flush();
        }
    });
    Log
}

fn flush() {
    if let Ok(mut lines) = LINES.lock() {
        // Nobody is left to be told when standard error is gone.
        let _ = lines.flush();
    }
}

/// Writes as `tracing-subscriber` does, but requests, of which there are many, for a third of the work.
struct Requests<F> {
    others: F,
    shape: Shape,
}

#[derive(Clone, Copy)]
enum Shape {
    Text,
    /// An object a line.
    Json,
}

impl<S, N, F> FormatEvent<S, N> for Requests<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() != "courant::access" {
            return self.others.format_event(context, writer, event);
        }
        let (begin, middle, end) = match self.shape {
            Shape::Text => ("", "  INFO courant::access:", "\n"),
            Shape::Json => {
                ("{\"timestamp\":\"", "\",\"level\":\"INFO\"", ",\"target\":\"courant::access\"}\n")
            }
        };
        let mut line = Line { text: String::with_capacity(384), shape: self.shape };
        line.text.push_str(begin);
        line.time(clock::now());
        line.text.push_str(middle);
        event.record(&mut line);
        line.text.push_str(end);
        writer.write_str(&line.text)
    }
}

/// A line of the log, as far as it goes.
struct Line {
    text: String,
    shape: Shape,
}

impl Line {
    /// RFC 3339, to the microsecond. Most lines are of the second of the line before.
    fn time(&mut self, now: DateTime<Utc>) {
        thread_local! {
            static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
        }
        SECOND.with_borrow_mut(|(second, text)| {
            if *second != now.timestamp() {
                *second = now.timestamp();
                *text = now.format("%Y-%m-%dT%H:%M:%S.").to_string();
            }
            self.text.push_str(text);
        });
        // Six digits after a one, which makes way.
        let micros = (1_000_000 + now.timestamp_subsec_micros()).to_string();
        self.text.push_str(&micros[1..]);
        self.text.push('Z');
    }

    fn name(&mut self, field: &Field) {
        let (before, after) = match self.shape {
            Shape::Text => (" ", "="),
            Shape::Json => (",\"", "\":"),
        };
        self.text.push_str(before);
        self.text.push_str(field.name());
        self.text.push_str(after);
    }

    /// What reads the same in both shapes: a number, `true`.
    fn bare(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.text.push_str(value);
    }
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, if value { "true" } else { "false" });
    }

    fn record_str(&mut self, field: &Field, text: &str) {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if text.bytes().all(is_plain) {
            self.name(field);
            self.text.push('"');
            self.text.push_str(text);
            return self.text.push('"');
        }
        match self.shape {
            Shape::Text => self.record_debug(field, &text),
            Shape::Json => self.bare(field, &serde_json::Value::from(text).to_string()),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match self.shape {
            Shape::Text => {
                self.name(field);
                write!(self.text, "{value:?}").expect("a string takes everything");
            }
            Shape::Json => self.record_str(field, &format!("{value:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn times_are_written_as_chrono_writes_them() {
        let first = DateTime::from_timestamp(1_772_699_400, 0).unwrap();
        for micros in [0, 1, 999_999, 1_000_000, 1_000_001, 61_500_000, -1, 12_345] {
            let now = first + TimeDelta::microseconds(micros);
            let mut line = Line { text: String::new(), shape: Shape::Text };
            line.time(now);
            assert_eq!(line.text, now.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        }
    }
}
