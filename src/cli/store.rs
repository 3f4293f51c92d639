//! `courant store`.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use courant::{
    clock,
    config::{Config, StoreUrl},
    store::{
        PostgresSource, PostgresTarget, SqliteSource, SqliteTarget,
        copy::{self, Beginning, Copied, CopyError, Progress, Source, Target},
    },
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli;

/// Move articles to another place
#[derive(Args)]
pub(super) struct Store {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Copy(Copy),
    /// Bring the time of the store back to this machine's clock, after a clock was ahead
    #[command(after_help = "\
The time of a store never falls: once it was written to while a clock was ahead, it stays ahead, and feeds have no
`Last-Modified`. `courant check`, the start of the service and `/readyz` report it. Check the clock of this machine first
(`date`). The repair is one revision; a running service follows it. Dates of articles stay as they are.

Examples:
  courant store repair-clock")]
    RepairClock,
}

/// Copy a store as it is, with revisions, identities, dates, tokens and the ledger
#[derive(Args)]
#[command(after_help = "\
The source is only read, as it is at one moment: stop what writes there first, or you are told that
it has gone on. The target holds nothing before, and is no store until all of it is there and has
been compared; then it gives the same tags. Interrupted, it goes on when the same is run again.
feeds.toml is not read; name the new place there afterwards.

Examples:
  courant store copy sqlite:courant.db sqlite:/mnt/new/courant.db
  courant store copy sqlite:courant.db postgres://courant@db.example.com/courant")]
struct Copy {
    /// What to copy
    #[arg(value_name = "FROM")]
    from: StoreUrl,
    /// Where to
    #[arg(value_name = "TO")]
    to: StoreUrl,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl Store {
    pub(super) fn run(self, settings: cli::Settings) -> Result<ExitCode> {
        match self.command {
            Command::Copy(copy) => copy.run(),
            Command::RepairClock => {
                let config = settings.read()?;
                cli::runtime()?.block_on(repair_clock(&config))
            }
        }
    }
}

async fn repair_clock(config: &Config) -> Result<ExitCode> {
    let store = cli::open(config).await?;
    let now = clock::now();
    let mut out = io::stdout().lock();
    match store.repair_clock(now).await? {
        Some(before) => writeln!(
            out,
            "time of the store: {before}, now {}; revision {}",
            store.time().await?,
            store.head().await?
        )?,
        None => writeln!(out, "the time of the store is not ahead of this machine's clock, {now}")?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Copy {
    fn run(self) -> Result<ExitCode> {
        let begun = Instant::now();
        // Connections live in it; the copying itself waits for one side, then the other.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let mut from = runtime.block_on(source(&self.from)).context("cannot read the source")?;
        let mut to = runtime.block_on(target(&self.to)).context("cannot fill the target")?;
        let bar = bar();
        let copied = copy::copy(&mut *from, &mut *to, &mut |progress| match progress {
            // Each is read and compared.
            Progress::Begun { how, rows } => {
                bar.set_length(rows * 2);
                if let (Some(words), false) = (beginning(how), self.json) {
                    bar.suspend(|| writeln!(io::stderr(), "{words}")).ok();
                }
            }
            Progress::Done(rows) => bar.inc(rows),
        });
        bar.finish_and_clear();
        let copied = match copied {
            Ok(copied) => copied,
            Err(error @ CopyError::Unequal { .. }) => {
                cli::complain(&error.into());
                return Ok(ExitCode::from(1));
            }
            Err(error) => return Err(error.into()),
        };
        let code = u8::from(copied.source_went_on_to.is_some());
        if self.json {
            cli::print_json(&copied)?;
        } else {
            print(&copied, &from.place(), &to.place(), begun.elapsed())?;
        }
        Ok(ExitCode::from(code))
    }
}

async fn source(url: &StoreUrl) -> Result<Box<dyn Source>> {
    Ok(match url {
        StoreUrl::Sqlite(path) => Box::new(SqliteSource::open(path)?),
        StoreUrl::Postgres { url, .. } => Box::new(PostgresSource::open(url).await?),
    })
}

async fn target(url: &StoreUrl) -> Result<Box<dyn Target>> {
    Ok(match url {
        StoreUrl::Sqlite(path) => Box::new(SqliteTarget::open(path)?),
        StoreUrl::Postgres { url, .. } => Box::new(PostgresTarget::open(url).await?),
    })
}

fn beginning(how: Beginning) -> Option<&'static str> {
    match how {
        Beginning::New => None,
        Beginning::Resumed => Some("going on where it was interrupted"),
        Beginning::Anew => Some("the source has changed since it was interrupted: beginning anew"),
    }
}

/// A bar for people who wait; scripts see none.
fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:40} {percent}% {eta}");
    let bar = ProgressBar::new(0);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

fn print(copied: &Copied, from: &str, to: &str, time: Duration) -> Result<()> {
    let mut out = io::stdout().lock();
    let rows: u64 = copied.rows.values().sum();
    let count = |table| copied.rows.get(table).copied().unwrap_or_default();
    writeln!(out, "copied {from} to {to}")?;
    writeln!(
        out,
        "  {}, {} of the log, {}, {} of the ledger",
        cli::counted(count("article"), "article"),
        cli::counted(count("change"), "line"),
        cli::counted(count("token"), "token"),
        cli::counted(count("delivery"), "line"),
    )?;
    let (rows, tables) = (cli::counted(rows, "row"), copied.rows.len());
    writeln!(out, "  {rows} in {tables} tables, each compared")?;
    let seconds = time.as_secs_f64();
    writeln!(out, "  revision {}, {seconds:.1} s", copied.revision)?;
    if let Some(head) = copied.source_went_on_to {
        writeln!(
            out,
            "the source has gone on to revision {head}; what was written since {} is not in the copy. \
             Stop what writes there, remove the copy, and copy again",
            copied.revision
        )?;
    }
    Ok(())
}
