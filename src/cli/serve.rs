//! `courant serve`.

use std::{
    io::{self, IsTerminal, Write},
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
    publish::Publisher,
    store::Census,
    traffic::Traffic,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

use crate::cli;

pub(super) async fn run(config: Config) -> Result<ExitCode> {
    let StoreUrl::Sqlite(path) = &config.store;
    log(config.server.access_log);
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
    let settings = settings(config.server, media, traffic);
    server::serve(listener, publisher, Arc::new(settings), stop).await;
    following.abort();
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

fn settings(server: Server, media: Option<Folder>, traffic: Traffic) -> Settings {
    Settings {
        limits: Limits {
            target_bytes: server.max_target_bytes,
            header_bytes: server.max_header_bytes,
            hosts: server.hosts,
        },
        max_connections: server.max_connections,
        header_timeout: server.header_timeout,
        write_timeout: server.write_timeout,
        shutdown_grace: server.shutdown_grace,
        logs_access: server.access_log != AccessLog::Off,
        media,
        traffic: Arc::new(traffic),
    }
}

/// To standard error, so that what the program prints stays apart. `RUST_LOG` chooses what.
fn log(access: AccessLog) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match access {
        AccessLog::Json => builder.json().flatten_event(true).init(),
        AccessLog::Text | AccessLog::Off => builder.with_ansi(io::stderr().is_terminal()).init(),
    }
}
