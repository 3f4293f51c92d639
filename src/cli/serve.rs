//! `courant serve`.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result};
use courant::{
    clock,
    config::{AccessLog, Config, Server, StoreUrl},
    http::{
        Limits,
        server::{self, Settings},
    },
    media::Folder,
    partner::Desk,
    publish::Publisher,
    store::Census,
    traffic::Traffic,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::cli::{self, log};

pub(super) async fn run(config: Config) -> Result<ExitCode> {
    let StoreUrl::Sqlite(path) = &config.store;
    let _log = log::start(config.server.access_log);
    let store = cli::open(&config)?;
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
    let catalogue = Arc::clone(&config.catalogue);
    let publisher =
        Publisher::open(Arc::clone(&store), catalogue, cache_bytes, clock::now()).await?;
    let publisher = Arc::new(publisher);
    let follower = Arc::clone(&publisher);
    let following = tokio::spawn(async move { follower.follow(clock::now).await });
    let desk = if config.catalogue.partners.is_empty() {
        None
    } else {
        Some(Arc::new(Desk::open(Arc::clone(&store)).await?))
    };
    let keeper = desk.clone();
    let keeping = tokio::spawn(async move {
        if let Some(desk) = keeper {
            desk.follow().await;
        }
    });

    let census = store.census().await?;
    let feeds = publisher.feeds();
    let base = &config.catalogue.site.base;
    let first =
        feeds.first().map(|spec| format!("{}.rss", spec.path.encoded())).unwrap_or_default();
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {}", config.catalogue.site.title, describe(census, feeds.len()))?;
    writeln!(out, "  store   {}", path.display())?;
    writeln!(out, "  serves  http://{address}/  (public address {base})")?;
    writeln!(out, "  try     curl -i http://{address}/{first}")?;
    writeln!(out, "  stop    Ctrl-C")?;
    out.flush()?;
    drop(out);

    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {},
            _ = terminate.recv() => {},
        }
    };
    let traffic = Traffic::new(config.politeness, publisher.catalogue(), clock::now());
    let settings = settings(config.server, media, desk.clone(), traffic);
    server::serve(listener, publisher, Arc::new(settings), stop).await;
    following.abort();
    keeping.abort();
    if let Some(desk) = desk {
        desk.flush().await;
    }
    writeln!(io::stdout(), "stopped")?;
    Ok(ExitCode::SUCCESS)
}

fn describe(census: Census, feeds: usize) -> String {
    let Census { published, held, expired, withdrawn } = census;
    let others = [(held, "held back"), (expired, "expired"), (withdrawn, "withdrawn")];
    let others = others
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {count} {what}"));
    format!("{published} articles{}, in {feeds} feeds", others.collect::<String>())
}

fn settings(
    server: Server,
    media: Option<Folder>,
    desk: Option<Arc<Desk>>,
    traffic: Traffic,
) -> Settings {
    Settings {
        limits: Limits {
            target_bytes: server.max_target_bytes,
            header_bytes: server.max_header_bytes,
            hosts: server.hosts,
            staleness: server.max_stale,
        },
        max_connections: server.max_connections,
        header_timeout: server.header_timeout,
        write_timeout: server.write_timeout,
        shutdown_grace: server.shutdown_grace,
        logs_access: server.access_log != AccessLog::Off,
        media,
        desk,
        traffic: Arc::new(traffic),
    }
}
