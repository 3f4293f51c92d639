//! The command line.

mod adopt;
mod check;
mod export;
mod feeds;
mod import;
mod log;
mod media;
mod old_feeds;
mod partner;
mod serve;
mod settings_file;
mod source;
mod stats;
mod store;
mod token;
mod withdraw;

use std::{
    fs,
    io::{self, Write},
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    thread,
};

use anyhow::{Context, Result, bail};
use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand};
use courant::{
    clock,
    config::{self, Config, Overrides, StoreUrl},
    store::{PostgresStore, SqliteStore, Store},
    text::counted,
};
use tokio::runtime::{self, Runtime};

const EXAMPLES: &str = "\
Examples:
  courant                                     serve what feeds.toml describes
  courant import articles.ndjson              take articles in
  courant import --dry-run export.json        see what that would do
  courant withdraw 2026-0412                  take an article back
  courant check                               look for what would trouble readers
  courant export /var/www/feeds               write everything as files
  courant stats                               see who reads what
  courant render category/headlines --format atom

Exit codes:
  0  done
  1  done in part: a record was refused, an id is unknown, or a check found a mistake
  2  not begun: the command line, feeds.toml, the store, the address to listen at, no service to ask";

/// Publishes stored articles as RSS, Atom and JSON feeds.
#[derive(Parser)]
#[command(version, about, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the environment may say as well.
#[derive(Args)]
struct Settings {
    /// The publication and its feeds
    #[arg(
        long,
        global = true,
        env = "COURANT_CONFIG",
        default_value = "feeds.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// Address to listen at, instead of the file's [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = "COURANT_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// Public address of the service, instead of the file's
    #[arg(long, global = true, env = "COURANT_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// Where articles are kept, instead of the file's [default: sqlite:courant.db]
    #[arg(long, global = true, env = "COURANT_STORE", hide_env_values = true, value_name = "URL")]
    store: Option<String>,
    /// A read replica of a store in PostgreSQL, instead of the file's
    #[arg(
        long,
        global = true,
        env = "COURANT_STORE_READ",
        hide_env_values = true,
        value_name = "URL"
    )]
    store_read: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve feeds; this is what happens without a command
    #[command(after_help = "\
Takes in what feeds.toml names under `import` if the store is empty. SIGTERM and Ctrl-C finish what is under way.

Examples:
  courant serve --listen 0.0.0.0:8080          reached from outside
  courant serve --base-url https://feeds.example.com
  RUST_LOG=warn courant serve                  log nothing but trouble")]
    Serve,
    Import(import::Import),
    Adopt(adopt::Adopt),
    Withdraw(withdraw::Withdraw),
    Check(check::Check),
    Export(export::Export),
    Feeds(feeds::Feeds),
    Render(feeds::Render),
    Media(media::Media),
    Partner(partner::Partner),
    Source(source::Source),
    Stats(stats::Stats),
    Store(store::Store),
    Token(token::Token),
    /// Print the JSON Schema of an article record
    #[command(after_help = "\
Examples:
  courant schema > article.schema.json")]
    Schema,
}

/// Does what the command line asks for.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { settings, command } = arguments;
    let command = command.unwrap_or(Command::Serve);
    let command = match command {
        Command::Schema => return print_json(&courant::import::schema()),
        Command::Store(store) => return store.run(settings),
        others => others,
    };
    let file = settings.config.clone();
    let config = settings.read()?;
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        match command {
            Command::Serve => serve::run(config).await,
            Command::Import(import) => import.run(&config).await,
            Command::Adopt(adopt) => adopt.run(config, &file).await,
            Command::Withdraw(withdraw) => withdraw.run(&config).await,
            Command::Check(check) => check.run(config).await,
            Command::Export(export) => export.run(config).await,
            Command::Feeds(feeds) => feeds.run(config).await,
            Command::Render(render) => render.run(config).await,
            Command::Media(media) => media.run(&config).await,
            Command::Partner(partner) => partner.run(config).await,
            Command::Source(source) => source.run(&config).await,
            Command::Stats(stats) => stats.run(&config).await,
            Command::Token(token) => token.run(&config).await,
            Command::Store(_) | Command::Schema => Ok(ExitCode::SUCCESS),
        }
    });
    // A look at the store that still waits for its answer keeps nobody here.
    runtime.shutdown_background();
    code
}

/// A thread for each processor; where there is one, this one, which has nobody to hand anything over to.
fn runtime() -> io::Result<Runtime> {
    let mut builder = match thread::available_parallelism() {
        Ok(NonZeroUsize::MIN) => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

impl Settings {
    fn read(self) -> Result<Config> {
        let Self { config: file, listen, base_url, store, store_read } = self;
        let text = fs::read_to_string(&file).with_context(|| {
            format!(
                "cannot read `{}`; name the file with --config, or start in its folder",
                file.display()
            )
        })?;
        Ok(config::read(&text, &file, &Overrides { listen, base_url, store, store_read })?)
    }
}

/// Opens the store that the configuration names, or makes it. Warns if it mints other identities than `feeds.toml` says.
async fn open(config: &Config) -> Result<Arc<dyn Store>> {
    let store = open_any(config).await?;
    if let Some(problem) = other_tag(config, &*store).await? {
        // Nothing is left to report to when standard error is closed.
        let _ = writeln!(io::stderr(), "courant: warning: {problem}");
    }
    Ok(store)
}

/// Opens the store for a command that serves or mints identities: `tag` in `feeds.toml` has to be that of the store.
async fn open_to_publish(config: &Config) -> Result<Arc<dyn Store>> {
    let store = open_any(config).await?;
    match other_tag(config, &*store).await? {
        Some(problem) => bail!(problem),
        None => Ok(store),
    }
}

async fn open_any(config: &Config) -> Result<Arc<dyn Store>> {
    let (authority, now) = (&config.authority, clock::now());
    Ok(match &config.store {
        StoreUrl::Sqlite(path) => Arc::new(SqliteStore::open(path, authority, now)?),
        StoreUrl::Postgres { url, replica } => {
            Arc::new(PostgresStore::open(url, replica.as_ref(), authority, now).await?)
        }
    })
}

/// What is wrong where the store mints identities under another `tag` than `feeds.toml` has.
async fn other_tag(config: &Config, store: &dyn Store) -> Result<Option<String>> {
    let (stored, written) = (store.authority().await?, &config.authority);
    if stored.is_empty() || stored == *written {
        return Ok(None);
    }
    Ok(Some(format!(
        "feeds.toml has `tag = \"{written}\"`, but the store `{}` mints identities under `{stored}`, which readers know its \
         articles by; restore `tag = \"{stored}\"`, or, if nothing of this store was ever served, name a new store in `url` \
         under `[store]`",
        config.store
    )))
}

/// What is wrong where the time of the store is ahead of this machine's clock.
fn ahead(by: TimeDelta) -> String {
    let (days, minutes) = (by.num_days(), by.num_minutes());
    let by = match (days, minutes) {
        (0, 0) => counted(by.num_seconds(), "second"),
        (0, _) => counted(minutes, "minute"),
        (..) => counted(days, "day"),
    };
    format!(
        "the time of the store is {by} ahead of this machine's clock: feeds that changed since then have no `Last-Modified`; \
         check the clock, and run `courant store repair-clock` if it is right"
    )
}

/// For scripts.
fn print_json(value: &impl serde::Serialize) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}

/// Says why the program could not begin, with the chain of causes.
pub(crate) fn complain(error: &anyhow::Error) {
    // Nobody is left to be told when standard error is gone.
    let _ = writeln!(io::stderr(), "courant: {error:#}");
}
