//! `courant import`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;
use courant::{
    clock,
    config::Config,
    import::{Importer, Refusal, Report},
    store::{Intake, Store},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli;

/// Take articles in
#[derive(Args)]
#[command(after_help = "\
A file holds one record a line (NDJSON), an array of records, or a JSON Feed; `-` is standard input.
docs/records.md describes a record; `courant schema` prints its JSON Schema.

A record that is already known changes its article, or nothing. Good records are taken whatever is
wrong with others. A withdrawn article stays withdrawn unless --republish is given.

Examples:
  courant import articles.ndjson
  courant import --dry-run export.json         see what that would do
  courant import --probe episodes.ndjson       and find out what files of episodes are like
  export-articles | courant import --json -    from a program, for a program")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Import {
    /// What to read
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Publish withdrawn articles again
    #[arg(long)]
    republish: bool,
    /// Then find out size and duration of files where the records do not say
    #[arg(long, conflicts_with = "dry_run")]
    probe: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode> {
        let store = cli::open(config).await?;
        let intake = Intake { republish: self.republish, rehearse: self.dry_run };
        let begun = Instant::now();
        let report = take(config, &*store, &self.files, intake).await?;
        let code = if report.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) };
        if self.json {
            cli::print_json(&report)?;
        } else {
            print(&report, begun.elapsed(), self.dry_run)?;
        }
        if self.probe {
            let found = cli::media::Look::after_import(false).probe(config, &*store).await?;
            if !self.json {
                found.print(false)?;
            }
        }
        Ok(code)
    }
}

/// Takes in the files that `feeds.toml` names for an empty store.
pub(super) async fn first(config: &Config, store: &dyn Store) -> Result<()> {
    let begun = Instant::now();
    writeln!(io::stdout(), "the store is empty; taking in {}", list(&config.import))?;
    let report = take(config, store, &config.import, Intake::default()).await?;
    print(&report, begun.elapsed(), false)
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

async fn take(
    config: &Config,
    store: &dyn Store,
    files: &[PathBuf],
    intake: Intake,
) -> Result<Report> {
    let mut importer = Importer::new(store, &config.catalogue, intake);
    let progress = progress(files);
    for file in files {
        let name = file.display().to_string();
        let input = open(file).with_context(|| format!("cannot open `{name}`"))?;
        importer.take(&name, input, clock::now, |bytes| progress.inc(bytes)).await?;
    }
    progress.finish_and_clear();
    Ok(importer.finish())
}

fn open(file: &Path) -> io::Result<Box<dyn BufRead>> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 20, File::open(file)?)))
}

/// A bar for people who wait; scripts see none.
fn progress(files: &[PathBuf]) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let bytes = files.iter().map(|file| file.metadata().map_or(0, |data| data.len())).sum();
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}");
    let bar = ProgressBar::new(bytes);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

fn print(report: &Report, time: Duration, is_rehearsal: bool) -> Result<()> {
    let mut errors = io::stderr().lock();
    for Refusal { file, line, field, problem } in &report.refusals {
        let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
        writeln!(errors, "{file}:{line}: {field}{problem}")?;
    }
    drop(errors);
    let mut out = io::stdout().lock();
    let counts = [
        (report.published, "published"),
        (report.edited, "edited"),
        (report.corrected, "corrected"),
        (report.held, "held back"),
        (report.expired, "expired"),
        (report.unchanged, "unchanged"),
        (u64::try_from(report.retired.len())?, "still withdrawn"),
        (report.refused, "refused"),
    ];
    let counts = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let would = if is_rehearsal { "would be: " } else { "" };
    writeln!(out, "{} records: {would}{counts}", report.records)?;
    if !report.unknown.is_empty() {
        let names = report.unknown.iter().map(|(name, count)| format!("{name} ({count})"));
        writeln!(out, "left out, not part of a record: {}", names.collect::<Vec<_>>().join(", "))?;
    }
    if report.dropped > 0 {
        writeln!(out, "left out, {} characters that no feed can carry", report.dropped)?;
    }
    if let [first, ..] = &report.retired[..] {
        writeln!(
            out,
            "withdrawn articles stay withdrawn (`{first}` …); --republish publishes them again"
        )?;
    }
    let seconds = time.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = report.records as f64 / seconds;
    writeln!(out, "{seconds:.2} s, {rate:.0} records/s, revision {}", report.revision)?;
    Ok(())
}
