//! `courant media`.

use std::{
    io::{self, IsTerminal, Write},
    num::NonZeroU16,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use courant::{
    article::{Amendment, Attachment, Cursor, Latest},
    clock,
    config::Config,
    media::{Folder, Measure, Probe, ProbeError},
    store::{Outcome, Store},
};
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde::Serialize;

use crate::cli;

/// So many files are looked at at a time.
const TOGETHER: usize = 8;
/// So many articles are changed at a time.
const BATCH: NonZeroU16 = NonZeroU16::new(200).expect("200 is not zero");

/// Look after sounds, films and what else comes with articles
#[derive(Args)]
pub(super) struct Media {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find out size and duration of files where the records do not say
    #[command(after_help = "\
Files in the folder of [media] are read; of others their servers are asked (HEAD), which tells the
size only. What is found out is a quiet correction: readers are not told of it as news, and it stays
when the record is imported again without it.

Examples:
  courant media probe
  courant media probe --dry-run --json")]
    Probe(Look),
}

/// How to look.
#[derive(Args)]
pub(super) struct Look {
    /// Ask servers of private networks too
    #[arg(long)]
    pub(super) allow_private: bool,
    /// Say what is found out, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Files of which something was missing.
    looked_at: usize,
    /// Files of which something was found out.
    measured: usize,
    /// Articles that say more now.
    corrected: usize,
    problems: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    article: String,
    url: String,
    problem: String,
}

impl Media {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode> {
        let Command::Probe(look) = self.command;
        let store = cli::open(config).await?;
        let report = look.probe(config, &*store).await?;
        if look.json {
            cli::print_json(&report)?;
        } else {
            report.print(look.dry_run)?;
        }
        Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

/// The folder that the configuration names.
pub(super) fn folder(config: &Config) -> Result<Option<Folder>> {
    let Some(path) = &config.media else { return Ok(None) };
    let private = config.private_media.iter().map(ToString::to_string).collect();
    let folder = Folder::open(path, &config.catalogue.site.base, private);
    let folder = folder.with_context(|| {
        format!("cannot open the media folder `{}`; make it, or leave out [media]", path.display())
    })?;
    Ok(Some(folder))
}

impl Look {
    /// After an import.
    pub(super) fn after_import(allow_private: bool) -> Self {
        Self { allow_private, dry_run: false, json: false }
    }

    pub(super) async fn probe(&self, config: &Config, store: &dyn Store) -> Result<Report> {
        let probe = Arc::new(Probe::new(folder(config)?, self.allow_private));
        let progress = progress();
        let mut report = Report::default();
        // What this changes comes last among the changes: it is not looked at again.
        let head = store.head().await?;
        let mut cursor = Cursor::default();
        loop {
            let latest = store.latest(cursor.clone(), 0, BATCH).await?;
            let Some(last) = latest.last().filter(|last| last.revision <= head) else { break };
            cursor = Cursor { revision: last.revision, article: Some(last.id.clone()) };
            let amendments = self.look(&probe, latest, &progress, &mut report).await;
            if !self.dry_run && !amendments.is_empty() {
                let receipt = store.amend(amendments, clock::now()).await?;
                let is_done = |outcome: &&Outcome| **outcome == Outcome::Corrected;
                report.corrected += receipt.outcomes.iter().filter(is_done).count();
            }
        }
        progress.finish_and_clear();
        Ok(report)
    }

    async fn look(
        &self,
        probe: &Arc<Probe>,
        latest: Vec<Latest>,
        progress: &ProgressBar,
        report: &mut Report,
    ) -> Vec<Amendment> {
        let articles = latest.into_iter().filter_map(|latest| latest.article);
        let mut amendments = Vec::new();
        let wanted = articles.flat_map(|article| {
            let files = article.story.attachments.clone().into_iter().enumerate();
            let files = files.filter(|(_, file)| lacks(file));
            files.map(move |(nth, file)| (Arc::clone(&article), nth, file)).collect::<Vec<_>>()
        });
        let looks = wanted.map(|(article, nth, file)| {
            let probe = Arc::clone(probe);
            async move {
                let look = probe.measure(&file.url).await;
                (article, nth, file, look)
            }
        });
        let mut looks = stream::iter(looks).buffered(TOGETHER);
        while let Some((article, nth, file, look)) = looks.next().await {
            progress.inc(1);
            report.looked_at += 1;
            let problem = match look {
                Ok(measure) => {
                    let measured = filled(&file, &measure);
                    if measured == file {
                        continue;
                    }
                    report.measured += 1;
                    let is_same = |known: &&mut Amendment| known.id == article.id;
                    let known = amendments.iter_mut().rev().find(is_same);
                    if let Some(Amendment { story, .. }) = known {
                        story.attachments[nth] = measured;
                        continue;
                    }
                    let mut story = article.story.clone();
                    story.attachments[nth] = measured;
                    amendments.push(Amendment {
                        id: article.id.clone(),
                        base: article.revision,
                        story,
                    });
                    continue;
                }
                Err(error) => describe(&error),
            };
            let (article, url) = (article.id.to_string(), file.url.to_string());
            report.problems.push(Failure { article, url, problem });
        }
        amendments
    }
}

/// With its causes.
fn describe(error: &ProbeError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let all = [error.to_string()].into_iter().chain(causes.map(ToString::to_string));
    all.collect::<Vec<_>>().join(": ")
}

fn lacks(file: &Attachment) -> bool {
    file.bytes.is_none_or(|bytes| bytes == 0) || (file.plays() && file.seconds.is_none())
}

/// What the record says stands; what it does not say is filled in.
fn filled(file: &Attachment, measure: &Measure) -> Attachment {
    let known = file.bytes.filter(|bytes| *bytes > 0);
    Attachment {
        bytes: known.or(measure.bytes).or(file.bytes),
        seconds: file.seconds.or(measure.seconds),
        ..file.clone()
    }
}

/// A count for people who wait; scripts see none.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::new_spinner();
    bar.set_message("looking at files");
    bar
}

impl Report {
    pub(super) fn print(&self, is_rehearsal: bool) -> Result<()> {
        let mut errors = io::stderr().lock();
        for Failure { article, url, problem } in &self.problems {
            writeln!(errors, "article `{article}`: {url}: {problem}")?;
        }
        drop(errors);
        let Self { looked_at, measured, corrected, problems } = self;
        let would = if is_rehearsal { ", nothing changed" } else { "" };
        writeln!(
            io::stdout(),
            "{} looked at: {measured} measured, {} not; {} corrected{would}",
            cli::counted(*looked_at, "file"),
            problems.len(),
            cli::counted(*corrected, "article"),
        )?;
        Ok(())
    }
}
