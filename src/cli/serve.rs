//! `courant serve`.

use std::{
    env, fs,
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result};
use courant::{
    clock,
    config::{AccessLog, Config, PurgeSettings, Server},
    edge::{Purge, Retry, Secret},
    http::{
        Inbox, Limits,
        server::{self, Settings},
    },
    media::{Folder, Intake},
    partner::Desk,
    publish::Publisher,
    source::Standing,
    store::{Census, Store},
    traffic::{SourceReport, Traffic},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::cli::{self, log, source::Following};

pub(super) async fn run(config: Config) -> Result<ExitCode> {
    let log = log::start(config.server.access_log).context("cannot start the log")?;
    let store = cli::open_to_publish(&config).await?;
    if store.census().await? == Census::default() && !config.import.is_empty() {
        cli::import::first(&config, &*store).await?;
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let Server { listen, cache_bytes, .. } = config.server;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen at {listen}; set COURANT_LISTEN to a free address")
    })?;
    let address = listener.local_addr()?;
    let media = cli::media::folder(&config)?;
    let purge = config.purge.as_ref().map(purge).transpose()?;
    let inbox = inbox(&config, &store)?;
    let pushed = match config.push.as_ref().and_then(|rules| rules.listen) {
        Some(own) => Some(TcpListener::bind(own).await.with_context(|| {
            format!("cannot listen at {own}; write another address under `[push]`")
        })?),
        None => None,
    };
    let catalogue = Arc::clone(&config.catalogue);
    let publisher =
        Publisher::open(Arc::clone(&store), catalogue, cache_bytes, clock::now()).await?;
    if let Some(by) = publisher.ahead(clock::now()).await? {
        tracing::warn!("{}", cli::ahead(by));
    }
    let publisher = Arc::new(publisher.behind(config.edge.clone(), purge.clone()));
    // Ended when this is.
    let mut tasks = JoinSet::new();
    if let Some(purge) = purge {
        tasks.spawn(async move { purge.follow().await });
    }
    if config.purge.as_ref().is_some_and(|purge| purge.at_start) {
        publisher.purge_everything().await;
    }
    let follower = Arc::clone(&publisher);
    tasks.spawn(async move { follower.follow(clock::now).await });
    let desk = if config.catalogue.partners.is_empty() {
        None
    } else {
        Some(Arc::new(Desk::open(Arc::clone(&store)).await?))
    };
    if let Some(desk) = desk.clone() {
        tasks.spawn(async move { desk.follow().await });
    }

    let takes = pushed.as_ref().map_or(Ok(address), TcpListener::local_addr)?;
    announce(&config, &publisher, store.census().await?, address, takes)?;
    let traffic = Traffic::new(config.politeness.clone(), publisher.catalogue(), clock::now());
    let traffic = Arc::new(traffic);
    let sources = follow(&config, &store, &traffic).await?;
    let mut settings = settings(&config.server, media, desk.clone(), traffic);
    let (stopping, stopped) = watch::channel(false);
    // Tasks: connections are taken in where they are answered, on the threads of the runtime, and not on this one.
    let mut servers = JoinSet::new();
    let mut serve = |listener, settings| {
        let (publisher, mut stopped) = (Arc::clone(&publisher), stopped.clone());
        servers.spawn(async move {
            let stop = async { drop(stopped.wait_for(|stopped| *stopped).await) };
            server::serve(listener, publisher, Arc::new(settings), stop).await;
        });
    };
    match (inbox, pushed) {
        (Some(inbox), Some(listener)) => {
            let own = Settings { inbox: Some(inbox), is_inbox_only: true, ..settings.clone() };
            serve(listener, own);
        }
        (inbox, _) => settings.inbox = inbox,
    }
    serve(listener, settings);
    tokio::select! {
        _ = interrupt.recv() => {},
        _ = terminate.recv() => {},
        Some(ended) = servers.join_next() => ended.context("a server broke")?,
        // They go on for ever: without them nothing new would be seen.
        Some(ended) = tasks.join_next() => ended.context("what follows the store broke")?,
    }
    stopping.send_replace(true);
    // Each ends by itself, within the same grace.
    while let Some(ended) = servers.join_next().await {
        ended.context("a server broke")?;
    }
    // Waited for: whoever is the last to have the store closes it, and its file is whole then.
    sources.stop().await;
    tasks.shutdown().await;
    if let Some(desk) = desk {
        desk.flush().await;
    }
    log.finish("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Says on standard output what is served, and where.
fn announce(
    config: &Config,
    publisher: &Publisher,
    census: Census,
    address: SocketAddr,
    takes: SocketAddr,
) -> io::Result<()> {
    let feeds = publisher.feeds();
    let base = &config.catalogue.site.base;
    let first =
        feeds.first().map(|spec| format!("{}.rss", spec.path.encoded())).unwrap_or_default();
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {}", config.catalogue.site.title, describe(census, feeds.len()))?;
    writeln!(out, "  store   {}", config.store)?;
    writeln!(out, "  serves  http://{address}/  (public address {base})")?;
    if let Some(rules) = &config.push {
        writeln!(
            out,
            "  takes   http://{takes}{}/articles  (public address {})",
            rules.path, rules.base
        )?;
    }
    writeln!(out, "  try     curl -i http://{address}/{first}")?;
    writeln!(out, "  stop    Ctrl-C")?;
    out.flush()
}

/// The hook with its secrets, which are in the environment or in files.
fn purge(settings: &PurgeSettings) -> Result<Arc<Purge>> {
    let secrets = settings.hook.secrets().map(|secret| {
        let found = match secret {
            Secret::Variable(name) => env::var(name).with_context(|| {
                format!("[purge] needs a secret in the variable `{name}` of the environment")
            })?,
            Secret::File(path) => fs::read_to_string(path).with_context(|| {
                format!("[purge] needs a secret in `{}`, which cannot be read", path.display())
            })?,
        };
        Ok((secret.clone(), found.trim_end_matches(['\r', '\n']).to_owned()))
    });
    let secrets = secrets.collect::<Result<_>>()?;
    Ok(Arc::new(Purge::new(settings.hook.clone(), secrets, Retry::default())))
}

/// Follows every source, and counts how they stand.
async fn follow(
    config: &Config,
    store: &Arc<dyn Store>,
    traffic: &Arc<Traffic>,
) -> Result<Following> {
    let traffic = Arc::clone(traffic);
    let note = move |source: &str, standing: &Standing, follows: bool| {
        let counts = standing.counts.all();
        traffic.note_source(SourceReport {
            source: source.to_owned(),
            looked: standing.looked,
            failures: standing.failures,
            follows,
            outcomes: counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        });
    };
    cli::source::follow(config, store, note).await
}

fn describe(census: Census, feeds: usize) -> String {
    let Census { published, held, expired, withdrawn } = census;
    let others = [(held, "held back"), (expired, "expired"), (withdrawn, "withdrawn")];
    let others = others
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {count} {what}"));
    let (articles, feeds) = (cli::counted(published, "article"), cli::counted(feeds, "feed"));
    format!("{articles}{}, in {feeds}", others.collect::<String>())
}

/// Who takes in what is pushed, where `feeds.toml` says so.
fn inbox(config: &Config, store: &Arc<dyn Store>) -> Result<Option<Arc<Inbox>>> {
    let Some(rules) = config.push.clone() else { return Ok(None) };
    let base = &config.catalogue.site.base;
    let intake = |folder: &PathBuf| {
        Intake::new(folder, base)
            .with_context(|| format!("cannot keep files that are pushed in `{}`", folder.display()))
    };
    let media = config.media.as_ref().map(intake).transpose()?;
    // At an address of its own, it goes by another name.
    let hosts = if rules.listen.is_some() { Vec::new() } else { config.server.hosts.clone() };
    let limits = limits(&config.server, hosts);
    let catalogue = Arc::clone(&config.catalogue);
    Ok(Some(Arc::new(Inbox::new(Arc::clone(store), catalogue, rules, limits, media))))
}

fn limits(server: &Server, hosts: Vec<String>) -> Limits {
    Limits {
        target_bytes: server.max_target_bytes,
        header_bytes: server.max_header_bytes,
        hosts,
        staleness: server.max_stale,
    }
}

fn settings(
    server: &Server,
    media: Option<Folder>,
    desk: Option<Arc<Desk>>,
    traffic: Arc<Traffic>,
) -> Settings {
    Settings {
        limits: limits(server, server.hosts.clone()),
        max_connections: server.max_connections,
        header_timeout: server.header_timeout,
        write_timeout: server.write_timeout,
        shutdown_grace: server.shutdown_grace,
        logs_access: server.access_log != AccessLog::Off,
        media,
        desk,
        traffic,
        inbox: None,
        is_inbox_only: false,
    }
}
