//! Log lines to standard error, apart from what a command prints. `RUST_LOG` selects them.
//!
//! A thread of its own writes the lines, so that a request never waits for whoever reads standard error.

use std::{
    cell::RefCell,
    fmt::{self, Debug, Write as _},
    fs::File,
    io::{self, IsTerminal, Write},
    mem,
    os::fd::AsFd,
    panic,
    sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use courant::{clock, config::AccessLog};
use tracing::{
    Event, Metadata, Subscriber,
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

/// Target of the lines about requests.
const ACCESS: &str = "courant::access";
/// Lines are written together: this many bytes, or what was logged within this time.
const BATCH_BYTES: usize = 64 << 10;
const DELAY: Duration = Duration::from_millis(200);
/// Most bytes that wait to be written. Lines about requests are dropped above the first limit, others above the second.
const ACCESS_LIMIT: usize = 1 << 20;
const LIMIT: usize = 2 << 20;
/// How long the end of the process waits for the last lines.
const GRACE: Duration = Duration::from_millis(400);

/// The lines of this process.
static QUEUE: Queue = Queue::new();
/// Shape of the lines of this process.
static SHAPE: OnceLock<Shape> = OnceLock::new();

/// The running log. Dropping it writes the last lines, unless standard error takes none.
pub(super) struct Log;

impl Log {
    /// Prints a last line to standard output and writes the lines that wait. Both are given up when nothing reads them.
    pub(super) fn finish(self, farewell: &'static str) {
        let (done, printed) = mpsc::channel();
        let deadline = Instant::now() + GRACE;
        thread::spawn(move || {
            // Nothing is left to report to when standard output is closed.
            let _ = writeln!(io::stdout(), "{farewell}");
            let _ = done.send(());
        });
        drop(self);
        let _ = printed.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        QUEUE.drain(GRACE);
    }
}

/// Starts the log.
pub(super) fn start(access: AccessLog) -> io::Result<Log> {
    // A duplicate: the lock of `io::stderr` would be held for as long as a write takes.
    let out = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    thread::Builder::new().name("log".to_owned()).spawn(move || QUEUE.write_to(out))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines);
    let shape = if access == AccessLog::Json { Shape::Json } else { Shape::Text };
    SHAPE.get_or_init(|| shape);
    match access {
        AccessLog::Json => {
            let others = Format::default().json().flatten_event(true);
            builder.fmt_fields(JsonFields::new()).event_format(Requests { others, shape }).init();
        }
        AccessLog::Text | AccessLog::Off if io::stderr().is_terminal() => builder.init(),
        AccessLog::Text | AccessLog::Off => {
            let others = Format::default();
            builder.with_ansi(false).event_format(Requests { others, shape }).init();
        }
    }
    // The default hook writes to standard error on the thread that panicked.
    panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(Log)
}

/// Lines that wait to be written.
struct Queue {
    waiting: Mutex<Waiting>,
    /// Notified when there is something to write.
    filled: Condvar,
    /// Notified when everything is written.
    emptied: Condvar,
}

struct Waiting {
    lines: Vec<u8>,
    /// Lines that were dropped since the last time that this was logged.
    dropped: u64,
    /// Whether the thread has taken lines and not written them yet.
    is_writing: bool,
    is_closing: bool,
}

impl Queue {
    const fn new() -> Self {
        let waiting =
            Waiting { lines: Vec::new(), dropped: 0, is_writing: false, is_closing: false };
        Self { waiting: Mutex::new(waiting), filled: Condvar::new(), emptied: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a line, or drops it if too many bytes wait.
    fn push(&self, line: &[u8], is_access: bool) {
        let limit = if is_access { ACCESS_LIMIT } else { LIMIT };
        let mut waiting = self.lock();
        let before = waiting.lines.len();
        if before + line.len() > limit {
            waiting.dropped += 1;
            return;
        }
        waiting.lines.extend_from_slice(line);
        let after = waiting.lines.len();
        drop(waiting);
        if before == 0 || (before < BATCH_BYTES && after >= BATCH_BYTES) {
            self.filled.notify_one();
        }
    }

    /// Takes the lines that wait, with one about those that were dropped.
    fn take(waiting: &mut Waiting, shape: Shape) -> Vec<u8> {
        let mut lines = mem::take(&mut waiting.lines);
        if waiting.dropped > 0 {
            lines.extend_from_slice(dropped(waiting.dropped, shape, clock::now()).as_bytes());
            waiting.dropped = 0;
        }
        lines
    }

    /// Writes the lines for as long as the process lives.
    fn write_to(&self, mut out: impl Write) {
        loop {
            let waiting = self.lock();
            let filled = self.filled.wait_while(waiting, |waiting| waiting.lines.is_empty());
            let is_small =
                |waiting: &mut Waiting| waiting.lines.len() < BATCH_BYTES && !waiting.is_closing;
            let waiting = filled.unwrap_or_else(PoisonError::into_inner);
            let batch = self.filled.wait_timeout_while(waiting, DELAY, is_small);
            let (mut waiting, _) = batch.unwrap_or_else(PoisonError::into_inner);
            waiting.is_writing = true;
            let lines = Self::take(&mut waiting, SHAPE.get().copied().unwrap_or(Shape::Text));
            drop(waiting);
            write_all(&mut out, &lines);
            self.lock().is_writing = false;
            self.emptied.notify_all();
        }
    }

    /// Waits until all lines are written, at most for `grace`.
    fn drain(&self, grace: Duration) {
        let mut waiting = self.lock();
        waiting.is_closing = true;
        self.filled.notify_one();
        let is_unwritten = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        let _ = self.emptied.wait_timeout_while(waiting, grace, is_unwritten);
    }
}

/// Writes all bytes; gives up on an error, since a broken log is no reason to end the service.
fn write_all(out: &mut impl Write, mut bytes: &[u8]) {
    const PAUSE: Duration = Duration::from_millis(20);
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Standard error can be shared with a program that made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => return,
        }
    }
}

/// The line about lines that were dropped.
fn dropped(count: u64, shape: Shape, now: DateTime<Utc>) -> String {
    let mut line = Line { text: String::new(), shape };
    let message = "standard error was read too slowly; log lines were dropped";
    match shape {
        Shape::Text => {
            line.time(now);
            writeln!(line.text, "  WARN courant::log: {message} lines={count}")
        }
        Shape::Json => {
            line.text.push_str("{\"timestamp\":\"");
            line.time(now);
            let rest = "\",\"level\":\"WARN\",\"message\":";
            writeln!(
                line.text,
                "{rest}\"{message}\",\"lines\":{count},\"target\":\"courant::log\"}}"
            )
        }
    }
    .expect("a string takes everything");
    line.text
}

/// Makes a writer for each event.
struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Enqueue;

    fn make_writer(&'a self) -> Enqueue {
        Enqueue { is_access: false }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Enqueue {
        Enqueue { is_access: metadata.target() == ACCESS }
    }
}

/// Hands each write, which is a whole line, to the queue.
struct Enqueue {
    is_access: bool,
}

impl Write for Enqueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        QUEUE.push(line, self.is_access);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
        if event.metadata().target() != ACCESS {
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
    fn bytes_that_wait_are_bounded_while_nothing_is_written() {
        let queue = Queue::new();
        let line = [b'x'; 1 << 10];
        for _ in 0..3 << 10 {
            queue.push(&line, true);
        }
        queue.push(b"an error\n", false);
        let waiting = queue.lock();
        assert_eq!((waiting.lines.len(), waiting.dropped), (ACCESS_LIMIT + 9, 2 << 10));
        drop(waiting);
        for _ in 0..3 << 10 {
            queue.push(&line, false);
        }
        assert!(queue.lock().lines.len() <= LIMIT);
    }

    #[test]
    fn dropped_lines_are_counted_in_the_log() {
        let queue = Queue::new();
        queue.push(&vec![b'x'; ACCESS_LIMIT], true);
        queue.push(b"one more\n", true);
        queue.push(b"and another\n", true);
        let lines = Queue::take(&mut queue.lock(), Shape::Text);
        let text = String::from_utf8(lines).unwrap();
        assert!(text.ends_with("log lines were dropped lines=2\n"), "{text:.200}");
        assert_eq!(queue.lock().dropped, 0);
        let json = dropped(3, Shape::Json, DateTime::UNIX_EPOCH);
        let line: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&line["lines"], &line["level"]), (&3.into(), &"WARN".into()));
    }

    #[test]
    fn a_write_that_stands_still_holds_up_neither_lines_nor_the_end() {
        /// Says that a write began, and never ends it.
        struct Stalled(mpsc::Sender<()>);
        impl Write for Stalled {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0.send(()).unwrap();
                loop {
                    thread::park();
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        static STALLED: Queue = Queue::new();
        let (start, started) = mpsc::channel();
        thread::spawn(move || STALLED.write_to(Stalled(start)));
        STALLED.push(&vec![b'x'; BATCH_BYTES], true);
        started.recv().unwrap();
        STALLED.push(b"a line\n", true);
        assert_eq!(STALLED.lock().lines, b"a line\n");
        STALLED.drain(Duration::ZERO);
        assert!(STALLED.lock().is_writing);
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
