//! `courant import`.

use std::{
    fs::{self, File},
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
    import::{HowToRead, Importer, Kind, Refusal, Report, Source, Sources, Wanted, page::Rules},
    store::{Intake, Store},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli;

/// Take articles in
#[derive(Args)]
#[command(after_help = "\
A file holds one record a line (NDJSON), an array of records, or a JSON Feed; `-` is standard input.
docs/records.md describes a record; `courant schema` prints its JSON Schema.

Files of other systems are known by their beginning and name, in any charset (docs/import.md): RSS and
Atom, WordPress exports (WXR), Markdown with front matter, saved pages of articles. A folder is looked
through for Markdown and pages. Of an OPML list, what feeds.toml needs to follow its feeds is printed.

A record that is already known changes its article, or nothing. Good records are taken whatever is
wrong with others. A withdrawn article stays withdrawn unless --republish is given.

Examples:
  courant import articles.ndjson
  courant import --dry-run export.json         see what that would do
  courant import --probe episodes.ndjson       and find out what files of episodes are like
  export-articles | courant import --json -    from a program, for a program
  courant import wordpress.xml content/ pages/ from other systems
  courant import --rules rules.toml pages/     with a file that says where parts of pages stand
  courant import --as feed --charset gbk old.xml")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Import {
    /// What to read
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the files are, instead of what they look like: records, feed, wordpress, opml, markdown or page
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<Kind>,
    /// What the files are in, instead of what they say and look like
    #[arg(long, value_name = "NAME")]
    charset: Option<String>,
    /// Where the parts of an article stand in saved pages
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Take pages of a WordPress export as well as posts
    #[arg(long)]
    pages: bool,
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
        let store = cli::open_to_publish(config).await?;
        let intake = Intake { republish: self.republish, rehearse: self.dry_run };
        let begun = Instant::now();
        let how = self.how()?;
        let (report, follow) = take(config, &*store, &self.files, self.kind, how, intake).await?;
        if !follow.is_empty() {
            write!(io::stdout(), "{follow}")?;
            if report.records == 0 {
                return Ok(ExitCode::SUCCESS);
            }
        }
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

impl Import {
    fn how(&self) -> Result<HowToRead> {
        let rules = match &self.rules {
            Some(file) => {
                let name = file.display();
                let text =
                    fs::read_to_string(file).with_context(|| format!("cannot open `{name}`"))?;
                Rules::read(&text).with_context(|| format!("in `{name}`"))?
            }
            None => Rules::default(),
        };
        let wanted = Wanted { pages: self.pages };
        Ok(HowToRead { charset: self.charset.clone(), rules, wanted, base: None })
    }
}

/// Takes in the files that `feeds.toml` names for an empty store.
pub(super) async fn first(config: &Config, store: &dyn Store) -> Result<()> {
    let begun = Instant::now();
    writeln!(io::stdout(), "the store is empty; taking in {}", list(&config.import))?;
    let how = HowToRead::default();
    let (report, _) = take(config, store, &config.import, None, how, Intake::default()).await?;
    print(&report, begun.elapsed(), false)
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// What became of the files, and the sections of `feeds.toml` that follow the feeds of lists among them.
async fn take(
    config: &Config,
    store: &dyn Store,
    files: &[PathBuf],
    kind: Option<Kind>,
    how: HowToRead,
    intake: Intake,
) -> Result<(Report, String)> {
    let mut importer = Importer::new(store, &config.catalogue, intake);
    let mut all = Vec::new();
    for file in files {
        find(file, file, &mut all)?;
    }
    let progress = progress(&all);
    let sources = all.into_iter().map(|(path, below)| Source {
        name: path.display().to_string(),
        folder: folder(&path, &below),
        below,
        kind,
        open: Box::new(move || open(&path)),
    });
    let mut sources = Sources::new(sources.collect(), how);
    importer
        .take(&mut sources, clock::now, |bytes| progress.inc(bytes))
        .await
        .context("cannot write to the store")?;
    progress.finish_and_clear();
    importer.pass_over(sources.passed());
    Ok((importer.finish(), sources.follow))
}

/// The file, or those of the folder that may hold an article, in the order of their names; each with its path below `root`,
/// or its name. Only what was named itself has to be there: of the others it is said when their turn comes.
fn find(root: &Path, path: &Path, found: &mut Vec<(PathBuf, String)>) -> Result<()> {
    let is_named = path == root;
    let below = || {
        let name = || path.file_name().map_or(path, Path::new);
        let below = if is_named { name() } else { path.strip_prefix(root).unwrap_or(path) };
        below.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
    };
    if is_named && path.as_os_str() != "-" {
        fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    }
    if !path.is_dir() {
        if is_named || Kind::is_of_folders(path) {
            found.push((path.to_owned(), below()));
        }
        return Ok(());
    }
    let listed = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
        let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        Ok(entries)
    };
    let entries = match listed() {
        Ok(entries) => entries,
        Err(error) if is_named => {
            return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
        }
        // It will be refused like a file.
        Err(_) => {
            found.push((path.to_owned(), below()));
            return Ok(());
        }
    };
    for entry in entries {
        let is_hidden =
            entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // A link may lead around in circles.
        if !(is_hidden || (entry.is_symlink() && entry.is_dir())) {
            find(root, &entry, found)?;
        }
    }
    Ok(())
}

/// The folder that `below` starts at, whatever the working folder is.
fn folder(path: &Path, below: &str) -> Option<String> {
    let levels = below.split('/').count();
    let path = fs::canonicalize(path).ok()?;
    path.ancestors().nth(levels).map(|folder| folder.display().to_string())
}

fn open(file: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 20, File::open(file)?)))
}

/// A bar for people who wait; scripts see none.
fn progress(files: &[(PathBuf, String)]) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let bytes = files.iter().map(|(file, _)| file.metadata().map_or(0, |data| data.len())).sum();
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
    writeln!(out, "{}: {would}{counts}", cli::counted(report.records, "record"))?;
    if !report.unknown.is_empty() {
        let names = report.unknown.iter().map(|(name, count)| format!("{name} ({count})"));
        writeln!(out, "left out, not part of a record: {}", names.collect::<Vec<_>>().join(", "))?;
    }
    if !report.left_out.is_empty() {
        let names = report.left_out.iter().map(|(name, count)| format!("{name} ({count})"));
        writeln!(
            out,
            "left out, because it cannot be read: {}",
            names.collect::<Vec<_>>().join(", ")
        )?;
    }
    if !report.passed.is_empty() {
        let names = report.passed.iter().map(|(what, count)| format!("{count} {what}"));
        writeln!(out, "passed over: {}", names.collect::<Vec<_>>().join(", "))?;
    }
    if report.dropped > 0 {
        let characters = cli::counted(report.dropped, "character");
        writeln!(out, "left out, {characters} that no feed can carry")?;
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
