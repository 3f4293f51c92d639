//! `courant feeds` and `courant render`.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use courant::{
    category::Slug,
    config::Config,
    feed::{FeedPath, FeedSpec},
    format::Format,
    publish::Publisher,
    store::Store,
};

use crate::cli;

/// List the feeds
#[derive(Args)]
#[command(after_help = "\
Examples:
  courant feeds
  courant feeds --json | jq -r '.[].atom'      the address of every Atom feed")]
pub(super) struct Feeds {
    /// List as JSON
    #[arg(long)]
    json: bool,
}

impl Feeds {
    pub(super) async fn run(self, config: Config) -> Result<ExitCode> {
        let publisher = publisher(config).await?;
        let feeds = publisher.feeds();
        if self.json {
            return cli::print_json(&feeds.iter().map(|spec| describe(spec)).collect::<Vec<_>>());
        }
        let mut out = io::stdout().lock();
        for spec in feeds {
            writeln!(out, "{}\n  {}.{{rss,atom,json,html}}", spec.title, spec.address(""))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(spec: &FeedSpec) -> serde_json::Value {
    serde_json::json!({
        "path": spec.path.to_string(),
        "title": spec.title,
        "description": spec.description,
        "rss": spec.address(Format::Rss.extension()),
        "atom": spec.address(Format::Atom.extension()),
        "json": spec.address(Format::Json.extension()),
        "html": spec.address(Format::Html.extension()),
    })
}

/// Write one feed to standard output
#[derive(Args)]
#[command(after_help = "\
Examples:
  courant render all > all.rss
  courant render category/headlines --format atom")]
pub(super) struct Render {
    /// Its path: `all`, `category/headlines`
    feed: String,
    /// What to write it as
    #[arg(long, value_enum, default_value_t = As::Rss)]
    format: As,
}

#[derive(Clone, Copy, ValueEnum)]
enum As {
    Rss,
    Atom,
    Json,
    Html,
}

impl Render {
    pub(super) async fn run(self, config: Config) -> Result<ExitCode> {
        let publisher = look(cli::open_to_publish(&config).await?, config).await?;
        let path = path(&self.feed)?;
        if publisher.find(&path).is_none() {
            bail!("no feed `{path}`; `courant feeds` lists them");
        }
        let format = match self.format {
            As::Rss => Format::Rss,
            As::Atom => Format::Atom,
            As::Json => Format::Json,
            As::Html => Format::Html,
        };
        io::stdout().lock().write_all(&format.render(&publisher.feed(&path).await?)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// `all`, `category/headlines`.
pub(super) fn path(named: &str) -> Result<FeedPath> {
    Ok(match named.strip_prefix("category/") {
        Some(slug) => FeedPath::Category(Slug::from_label(slug)?),
        None => FeedPath::Named(Slug::from_label(named)?),
    })
}

/// The feeds of a configuration and its store, as they would be: a service that runs by another file is not disturbed.
pub(super) async fn publisher(config: Config) -> Result<Publisher> {
    let store = cli::open(&config).await?;
    look(store, config).await
}

pub(super) async fn look(store: Arc<dyn Store>, config: Config) -> Result<Publisher> {
    Ok(Publisher::look(store, config.catalogue, config.server.cache_bytes).await?)
}
