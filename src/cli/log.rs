//! The log: to standard error, so that what the program prints stays apart. `RUST_LOG` chooses what.

use std::{
    fmt::{self, Debug, Write as _},
    io::{self, BufWriter, IsTerminal, Stderr, Write as _},
    sync::{LazyLock, Mutex},
    time::Duration,
};

use chrono::SecondsFormat;
use courant::{clock, config::AccessLog};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::{Format, Writer},
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
        AccessLog::Json => builder.json().flatten_event(true).init(),
        AccessLog::Text | AccessLog::Off if io::stderr().is_terminal() => builder.init(),
        AccessLog::Text | AccessLog::Off => {
            builder.with_ansi(false).event_format(Plain::default()).init();
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
#[derive(Default)]
struct Plain {
    others: Format,
}

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
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
        let mut line = Line(String::with_capacity(256));
        line.0.push_str(&clock::now().to_rfc3339_opts(SecondsFormat::Micros, true));
        line.0.push_str("  INFO courant::access:");
        event.record(&mut line);
        line.0.push('\n');
        writer.write_str(&line.0)
    }
}

/// A line of the log, as far as it goes.
struct Line(String);

impl Line {
    fn name(&mut self, field: &Field) {
        for part in [" ", field.name(), "="] {
            self.0.push_str(part);
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, text: &str) {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if !text.bytes().all(is_plain) {
            return self.record_debug(field, &text);
        }
        self.name(field);
        for part in ["\"", text, "\""] {
            self.0.push_str(part);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.name(field);
        write!(self.0, "{value:?}").expect("a string takes everything");
    }
}
