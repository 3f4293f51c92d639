//! `courant export`.

use std::{
    env,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use anyhow::Result;
use clap::Args;
use courant::{
    clock,
    config::Config,
    export::{ExportError, Exporter, Options, Summary, Target},
    publish::Publisher,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{self, log};

/// Memory for editions, in bytes: an export keeps none.
const MEMORY: u64 = 1 << 20;

/// Write everything that is public as files, for a web server or a CDN
#[derive(Args)]
#[command(after_help = "\
Every feed in every format, archives, pages, chapters and transcripts, each beside copies in gzip, br
and zstd. What partners and members get is never written. Later exports write what changed since.

Buckets take their credentials from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT and AWS_ALLOW_HTTP for other servers than Amazon's; GOOGLE_…, AZURE_….
docs/export.md has nginx and Caddy for a folder, and what a bucket needs in front.

Examples:
  courant export /var/www/feeds
  courant export s3://feeds.example.com --watch      and keep it current
  courant export --dry-run --json /var/www/feeds     count what would be written")]
pub(super) struct Export {
    /// A folder, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`
    #[arg(value_name = "TARGET")]
    target: String,
    /// Go on: every change is written within seconds, until SIGTERM or Ctrl-C
    #[arg(long, conflicts_with = "dry_run")]
    watch: bool,
    /// Count what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Report as JSON; with --watch, a line for each time that something was written
    #[arg(long)]
    json: bool,
}

impl Export {
    pub(super) async fn run(self, config: Config) -> Result<ExitCode> {
        let _log = log::start(config.server.access_log);
        let target = Target::open(&self.target, variables())?;
        let store = cli::open_to_publish(&config).await?;
        let catalogue = Arc::clone(&config.catalogue);
        let publisher = if self.dry_run {
            Publisher::look(store, catalogue, MEMORY).await?
        } else {
            Publisher::open(store, catalogue, MEMORY, clock::now()).await?
        };
        let progress = progress();
        let bar = progress.clone();
        let stop = CancellationToken::new();
        let options = Options {
            rehearse: self.dry_run,
            clock: Box::new(clock::now),
            progress: Box::new(move |done, count| {
                bar.set_length(count as u64);
                bar.set_position(done as u64);
            }),
            stop: stop.clone(),
        };
        stop_at_signal(stop)?;
        let exporter = Exporter::new(Arc::new(publisher), target, options);
        if self.watch {
            exporter
                .watch(|summary| {
                    progress.reset();
                    self.tell(summary);
                })
                .await;
            return Ok(ExitCode::SUCCESS);
        }
        let begun = Instant::now();
        let done = exporter.run().await;
        progress.finish_and_clear();
        let summary = match done {
            Err(ExportError::Stopped) => {
                writeln!(io::stderr(), "courant: {}", ExportError::Stopped)?;
                return Ok(ExitCode::from(1));
            }
            done => done?,
        };
        self.print(&summary, begun.elapsed().as_secs_f64())?;
        Ok(if summary.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn print(&self, summary: &Summary, seconds: f64) -> Result<()> {
        let Summary { revision, feeds, files_written, bytes_written, files_removed, problems } =
            summary;
        if self.json {
            let mut report = serde_json::to_value(summary)?;
            report["seconds"] = serde_json::json!(seconds);
            return cli::print_json(&report).map(drop);
        }
        let mut errors = io::stderr().lock();
        for problem in problems {
            writeln!(errors, "{problem}")?;
        }
        let would = if self.dry_run { "would be " } else { "" };
        let (feeds, files) = (cli::counted(*feeds, "feed"), cli::counted(*files_written, "file"));
        writeln!(
            io::stdout(),
            "{feeds}: {files} {would}written ({bytes_written} bytes), {files_removed} {would}removed; \
             {seconds:.2} s, revision {revision}"
        )?;
        Ok(())
    }

    /// A line for each time that something was written; nobody is left to be told when there is no output.
    fn tell(&self, summary: &Summary) {
        for problem in &summary.problems {
            tracing::error!("{problem}");
        }
        let mut out = io::stdout().lock();
        let _ = if self.json {
            serde_json::to_writer(&mut out, summary)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out))
        } else {
            let Summary { revision, feeds, files_written, files_removed, .. } = *summary;
            let (feeds, files) = (cli::counted(feeds, "feed"), cli::counted(files_written, "file"));
            writeln!(out, "revision {revision}: {feeds}, {files} written, {files_removed} removed")
        };
    }
}

/// Those of the environment that are text.
fn variables() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    env::vars_os().filter_map(text).collect()
}

fn stop_at_signal(stop: CancellationToken) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {},
            _ = terminate.recv() => {},
        }
        stop.cancel();
    });
    Ok(())
}

/// A bar for people who wait; scripts see none.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} feeds {eta}");
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
