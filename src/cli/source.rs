//! `courant source`.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use courant::{
    article::Submission,
    clock,
    config::Config,
    import::Fault,
    source::{Follower, How, Preview, Refusal, Round, Source as Spec, Standing, State, preview},
    store::Store,
};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use crate::cli::{self, log};

/// Take articles in from where they live: databases, folders, feeds
#[derive(Args)]
#[command(after_help = "\
A source is a section `[source.NAME]` of feeds.toml: docs/sources.md. `courant serve` follows all of
them; these commands are for setting one up, and for a look by hand.")]
pub(super) struct Source {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say where each source stands
    #[command(after_help = "\
Examples:
  courant source list
  courant source list --json")]
    List {
        /// List as JSON
        #[arg(long)]
        json: bool,
    },
    Check(Check),
    Run(Run),
}

/// Show what a source would give, and every row that would be refused, and take nothing
#[derive(Args)]
#[command(after_help = "\
Reads all rows, however many there are, unless --rows says otherwise. Ends with 1 if one would be refused.

Examples:
  courant source check cms
  courant source check cms --rows 1000 --show 3
  courant source check cms --json | jq .refused")]
struct Check {
    /// The source's name in feeds.toml
    name: String,
    /// Read so many at most
    #[arg(long, value_name = "NUMBER")]
    rows: Option<usize>,
    /// Show so many articles
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    show: usize,
    /// Report as JSON, with at most 10,000 refusals
    #[arg(long)]
    json: bool,
}

/// Take in what has changed in a source, once or until it is stopped
#[derive(Args)]
#[command(after_help = "\
The first look reads everything; the next ones go on from there, also after a crash. One process at a
time follows a source: while `courant serve` or another does, this ends with 2 and says until when, or
takes over, after which the other stands by.

Examples:
  courant source run cms --once
  courant source run cms --once --all                 read every row again
  courant source run cms --once --sweep               look for deleted rows now
  courant source run cms --once --withdraw-all        it is true that so many have gone
  courant source run cms --once --take-over           whoever follows it now")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Run {
    /// The source's name in feeds.toml
    name: String,
    /// Look once, then end
    #[arg(long)]
    once: bool,
    /// Read everything again
    #[arg(long, requires = "once")]
    all: bool,
    /// Look for what was deleted, whenever that was last done
    #[arg(long, requires = "once")]
    sweep: bool,
    /// Take back whatever has gone, however much it is
    #[arg(long, requires = "once")]
    withdraw_all: bool,
    /// Follow it whoever else does, who stands by from then on
    #[arg(long)]
    take_over: bool,
    /// Report as JSON
    #[arg(long, requires = "once")]
    json: bool,
}

impl Source {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode> {
        match self.command {
            Command::List { json } => list(config, json).await,
            Command::Check(check) => check.run(config).await,
            Command::Run(run) => run.run(config).await,
        }
    }
}

fn find(config: &Config, name: &str) -> Result<Arc<Spec>> {
    let found = config.sources.iter().find(|source| source.name.as_str() == name);
    found.map(|source| Arc::new(source.clone())).with_context(|| {
        let known: Vec<_> = config.sources.iter().map(|source| source.name.as_str()).collect();
        let known =
            if known.is_empty() { "feeds.toml has none".to_owned() } else { known.join(", ") };
        format!("no source named `{name}`; known: {known}")
    })
}

async fn list(config: &Config, json: bool) -> Result<ExitCode> {
    let store = cli::open(config).await?;
    let mut rows = Vec::new();
    for source in &config.sources {
        let state = Follower::state(&*store, source).await?;
        let followed = Follower::followed(&*store, source, clock::now()).await?;
        rows.push((source, state, followed));
    }
    if json {
        let rows = rows.iter();
        let rows: Vec<_> = rows
            .map(|(source, state, followed)| describe(source, state.as_ref(), *followed))
            .collect();
        return cli::print_json(&rows);
    }
    let mut out = io::stdout().lock();
    if rows.is_empty() {
        writeln!(out, "no sources; docs/sources.md says how to name one")?;
    }
    for (source, state, followed) in rows {
        let Some(State { standing, load, .. }) = state else {
            writeln!(out, "{} ({}): not read yet", source.name, source.kind.name())?;
            continue;
        };
        let Standing { looked, failures, error, counts, refusals } = standing;
        let looked = looked.map_or_else(|| "never".to_owned(), shown);
        writeln!(out, "{} ({}): last read {looked}", source.name, source.kind.name())?;
        let counts = counts.all();
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<_> = counts.map(|(what, count)| format!("{count} {what}")).collect();
        if !counts.is_empty() {
            writeln!(out, "  so far   {}", counts.join(", "))?;
        }
        if let Some(until) = followed {
            writeln!(
                out,
                "  followed by a process that gave a sign of life; until {} without another",
                shown(until)
            )?;
        }
        if load.is_some() {
            writeln!(out, "  now      reading all rows")?;
        }
        if let Some(error) = error {
            let tries = if failures > 0 { format!(" ({failures} tries)") } else { String::new() };
            writeln!(out, "  trouble  {error}{tries}")?;
        }
        for Refusal { key, field, problem } in refusals.iter().rev().take(5) {
            writeln!(out, "  refused  {key}: {}", said(field, problem))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(source: &Spec, state: Option<&State>, followed: Option<DateTime<Utc>>) -> Value {
    json!({
        "name": source.name,
        "kind": source.kind.name(),
        "standing": state.map(|state| &state.standing),
        "reads_all": state.is_some_and(|state| state.load.is_some()),
        "read_all": state.and_then(|state| state.loaded),
        "swept": state.and_then(|state| state.swept),
        "followed_until": followed,
    })
}

impl Run {
    async fn run(self, config: &Config) -> Result<ExitCode> {
        let source = find(config, &self.name)?;
        let store = cli::open_to_publish(config).await?;
        let open = Follower::open(source, store, &config.catalogue, clock::now);
        let mut follower = open.await?;
        if !self.once {
            let _log = log::start(config.server.access_log);
            follower.hold(self.take_over).await?;
            let stopped = tokio::signal::ctrl_c();
            tokio::select! {
                () = follower.follow(|_, _, _| {}) => {}
                _ = stopped => {}
            }
            follower.let_go().await?;
            return Ok(ExitCode::SUCCESS);
        }
        let Self { all, sweep, withdraw_all, take_over, .. } = self;
        let how = How { all, sweep, withdraw_all, take_over };
        let round = follower.look(how).await?;
        let Round { counts, refusals, unknown, doubted, without_cursor, .. } = &round;
        if self.json {
            let counts: serde_json::Map<_, _> = counts
                .all()
                .iter()
                .map(|(what, count)| ((*what).to_owned(), json!(count)))
                .collect();
            cli::print_json(&json!({
                "counts": counts, "refusals": refusals, "unknown": unknown,
                "without_cursor": without_cursor,
                "doubted": doubted.map(|(gone, all)| json!({"gone": gone, "of": all})),
            }))?;
        } else {
            let mut errors = io::stderr().lock();
            for Refusal { key, field, problem } in refusals {
                writeln!(errors, "{key}: {}", said(field, problem))?;
            }
            drop(errors);
            let mut out = io::stdout().lock();
            for (what, count) in counts.all().iter().filter(|(_, count)| *count > 0) {
                writeln!(out, "{count:>9} {what}")?;
            }
            if counts.rows == 0 {
                writeln!(out, "nothing has changed")?;
            }
            if !unknown.is_empty() {
                writeln!(out, "not part of a record: {}", unknown.join(", "))?;
            }
            note_cursors(&mut out, *without_cursor)?;
            if let Some((gone, all)) = doubted {
                writeln!(
                    out,
                    "{gone} of {all} articles have gone at once, which is not believed; if it is true, add --withdraw-all"
                )?;
            }
        }
        let is_complete = counts.refused == 0 && doubted.is_none();
        Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

fn note_cursors(out: &mut impl Write, without: u64) -> io::Result<()> {
    if without == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "{without} rows have no `cursor`, and are read with all rows only (`reread_hours`); \
         write a `query` with for example `coalesce(updated_at, created_at)`"
    )
}

/// What `courant source check` has found so far.
#[derive(Default)]
struct Found {
    rows: u64,
    unpublished: u64,
    good: u64,
    refused: u64,
    unknown: Vec<String>,
    articles: Vec<Value>,
    refusals: Vec<Refusal>,
}

/// Refusals that are kept for a report as JSON; as text, each is printed when it is found.
const MAX_REFUSALS: usize = 10_000;

impl Check {
    async fn run(self, config: &Config) -> Result<ExitCode> {
        let source = find(config, &self.name)?;
        let mut found = Found::default();
        let most = self.rows.unwrap_or(usize::MAX);
        let mut failed = None;
        let is_watched = io::stderr().is_terminal();
        let looked = preview(&source, &config.catalogue, most, |preview| {
            if let Err(error) = self.note(&mut found, preview) {
                failed = failed.take().or(Some(error));
            }
            if is_watched && found.rows.is_multiple_of(1_000) {
                // For people who wait; nobody misses it.
                let _ = write!(io::stderr(), "\r{} rows", found.rows);
            }
        });
        let without_cursor = looked.await?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let Found { rows, unpublished, good, refused, unknown, articles, refusals } = &found;
        if self.json {
            cli::print_json(&json!({
                "rows": rows, "unpublished": unpublished, "good": good, "refused_count": refused,
                "articles": articles, "refused": refusals, "unknown": unknown,
                "without_cursor": without_cursor,
            }))?;
        } else {
            let mut out = io::stdout().lock();
            if is_watched {
                write!(io::stderr(), "\r")?;
            }
            writeln!(
                out,
                "{}: {good} would be articles, {unpublished} are not published, {refused} would be refused",
                cli::counted(*rows, "row")
            )?;
            if !unknown.is_empty() {
                writeln!(out, "not part of a record: {}", unknown.join(", "))?;
            }
            note_cursors(&mut out, without_cursor)?;
        }
        Ok(if *refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn note(&self, found: &mut Found, preview: Preview) -> io::Result<()> {
        let Preview { key, reading, unknown } = preview;
        found.rows += 1;
        found.unknown = unknown;
        match reading {
            None => found.unpublished += 1,
            Some(Ok(article)) => {
                found.good += 1;
                if found.good > self.show as u64 {
                    return Ok(());
                }
                if self.json {
                    found.articles.push(as_json(&article));
                } else {
                    print(&article)?;
                }
            }
            Some(Err(faults)) => {
                found.refused += 1;
                for Fault { field, problem } in faults {
                    if !self.json {
                        writeln!(io::stdout(), "refused  {key}: {}", said(&field, &problem))?;
                    } else if found.refusals.len() < MAX_REFUSALS {
                        found.refusals.push(Refusal { key: key.clone(), field, problem });
                    }
                }
            }
        }
        Ok(())
    }
}

fn print(article: &Submission) -> io::Result<()> {
    let Submission { id, guid, published, embargo, story, .. } = article;
    let mut out = io::stdout().lock();
    writeln!(out, "{id}")?;
    let listed = |texts: Vec<&str>| texts.join(", ");
    let lines = [
        ("title", story.title.to_string()),
        ("published", published.map(|when| shown(when.start)).unwrap_or_default()),
        ("embargo", embargo.map(shown).unwrap_or_default()),
        ("url", story.url.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("guid", guid.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("authors", listed(story.authors.iter().map(|person| person.name.as_str()).collect())),
        ("editors", listed(story.editors.iter().map(|person| person.name.as_str()).collect())),
        ("source", story.source.as_ref().map(|source| source.name.to_string()).unwrap_or_default()),
        ("filed under", listed(story.categories.iter().map(|one| one.label.as_str()).collect())),
        ("tags", listed(story.tags.iter().map(courant::text::Text::as_str).collect())),
        ("pictures", listed(story.pictures.iter().map(|picture| picture.url.as_str()).collect())),
        ("files", listed(story.attachments.iter().map(|file| file.url.as_str()).collect())),
        ("summary", story.summary.cut(100).to_string()),
    ];
    for (what, text) in lines.iter().filter(|(_, text)| !text.is_empty()) {
        writeln!(out, "  {what:<11} {text}")?;
    }
    Ok(())
}

fn as_json(article: &Submission) -> Value {
    let Submission { id, guid, published, modified, embargo, expires, story, .. } = article;
    json!({
        "id": id, "guid": guid, "published": published.map(|when| shown(when.start)),
        "modified": modified.map(shown), "embargo": embargo.map(shown), "expires": expires.map(shown),
        "story": story,
    })
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn said(field: &str, problem: &str) -> String {
    if field.is_empty() { problem.to_owned() } else { format!("{field}: {problem}") }
}

/// Sources that are followed.
pub(super) struct Following {
    stopping: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// So long a follower may take to let others have its source.
const GRACE: Duration = Duration::from_secs(5);

impl Following {
    /// Stops, and lets others follow at once.
    pub(super) async fn stop(mut self) {
        self.stopping.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        // Those that take longer are cut off: others follow once they give no sign of life.
        let _ = tokio::time::timeout(GRACE, ended).await;
    }
}

/// Follows every source until they are stopped, each on its own: one that is away holds up no other.
pub(super) async fn follow(
    config: &Config,
    store: &Arc<dyn Store>,
    note: impl Fn(&str, &Standing, bool) + Clone + Send + Sync + 'static,
) -> Result<Following> {
    let mut tasks = JoinSet::new();
    let (stopping, stopped) = watch::channel(false);
    for source in &config.sources {
        let (source, store, note) = (Arc::new(source.clone()), Arc::clone(store), note.clone());
        let mut stopped = stopped.clone();
        let mut follower = Follower::open(source, store, &config.catalogue, clock::now).await?;
        tasks.spawn(async move {
            tokio::select! {
                () = follower.follow(note) => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
            // A lease that is not given back runs out.
            let _ = follower.let_go().await;
        });
    }
    Ok(Following { stopping, tasks })
}
