//! The log: to standard error, so that what the program prints stays apart. `RUST_LOG` chooses what.

use std::{
    cell::RefCell,
    fmt::{self, Debug, Write as _},
    io::{self, IsTerminal},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
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
        FmtContext, FormatEvent, FormatFields,
        format::{Format, JsonFields, Writer},
    },
    registry::LookupSpan,
};

/// Bytes that are written together, and the longest time that a line waits for others.
const BATCH_BYTES: usize = 64 << 10;
const DELAY: Duration = Duration::from_millis(200);
/// Most bytes that wait to be written; further lines are dropped and counted. A log that nobody reads must not stop requests.
const MAX_WAITING_BYTES: usize = 4 << 20;
/// How long the end of the program waits for the last lines.
const MAX_WAIT_AT_END: Duration = Duration::from_secs(1);

static QUEUE: Queue = Queue::new();

/// Lines on their way to standard error. Adding one takes no I/O: a thread of its own writes them.
struct Queue {
    state: Mutex<State>,
    /// There is much to write, or the program ends.
    wake: Condvar,
    /// All is written.
    written: Condvar,
}

struct State {
    lines: Vec<u8>,
    dropped: u64,
    is_writing: bool,
    is_closing: bool,
}

impl Queue {
    const fn new() -> Self {
        let state = State { lines: Vec::new(), dropped: 0, is_writing: false, is_closing: false };
        Self { state: Mutex::new(state), wake: Condvar::new(), written: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.lines.len() + line.len() > MAX_WAITING_BYTES {
            state.dropped += 1;
            return;
        }
        let was_below = state.lines.len() < BATCH_BYTES;
        state.lines.extend_from_slice(line);
        if was_below && state.lines.len() >= BATCH_BYTES {
            self.wake.notify_one();
        }
    }

    /// Writes lines until [`Queue::close`].
    fn write_to(&self, mut output: impl io::Write) {
        let mut state = self.lock();
        loop {
            if state.lines.is_empty() && state.dropped == 0 {
                self.written.notify_all();
                if state.is_closing {
                    return;
                }
            }
            if !state.is_closing && state.lines.len() < BATCH_BYTES {
                let waited = self.wake.wait_timeout(state, DELAY);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            let lines = std::mem::take(&mut state.lines);
            let dropped = std::mem::take(&mut state.dropped);
            state.is_writing = true;
            drop(state);
            // When standard error is closed, there is nobody to tell.
            let _ = output.write_all(&lines);
            if dropped > 0 {
                let _ = writeln!(
                    output,
                    "{dropped} lines of the log were dropped: it is not read fast enough"
                );
            }
            let _ = output.flush();
            state = self.lock();
            state.is_writing = false;
        }
    }

    /// Waits until all is written, but not long: whoever reads the log may have stopped.
    fn close(&self, most: Duration) {
        let mut state = self.lock();
        state.is_closing = true;
        self.wake.notify_one();
        let is_open = |state: &mut State| state.is_writing || !state.lines.is_empty();
        let _ = self.written.wait_timeout_while(state, most, is_open);
    }
}

/// Adds what `tracing` writes, a line at a time.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        QUEUE.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the last lines when it is dropped.
pub(super) struct Log;

impl Drop for Log {
    fn drop(&mut self) {
        QUEUE.close(MAX_WAIT_AT_END);
    }
}

/// Starts the log.
pub(super) fn start(access: AccessLog) -> Log {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lines);
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
    thread::spawn(|| QUEUE.write_to(io::stderr()));
    Log
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
    use std::sync::{Arc, mpsc};

    use chrono::TimeDelta;

    use super::*;

    /// An output whose reader takes each piece when the test says so.
    struct Slow {
        allowed: mpsc::Receiver<()>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.allowed.recv();
            self.taken.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_is_not_read_drops_lines_and_holds_up_nobody() {
        let queue = Queue::new();
        let (allow, allowed) = mpsc::channel();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let output = Slow { allowed, taken: Arc::clone(&taken) };
        thread::scope(|scope| {
            scope.spawn(|| queue.write_to(output));
            let line = [b'x'; 1_024];
            let count = 3 * MAX_WAITING_BYTES / line.len();
            (0..count).for_each(|_| queue.add(&line));
            assert!(queue.lock().lines.len() <= MAX_WAITING_BYTES);
            // The end of the program does not wait for a reader that has stopped.
            queue.close(Duration::ZERO);
            assert!(!queue.lock().lines.is_empty() || queue.lock().is_writing);
            drop(allow);
        });
        let taken = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
        assert!(taken.contains(" lines of the log were dropped"), "{}", taken.len());
        assert!(queue.lock().lines.is_empty());
    }

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
