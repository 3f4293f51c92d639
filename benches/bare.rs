//! The answers of Courant and nothing around them, for `benches/instructions.sh`: plain hyper in front of [`respond`],
//! without time-outs, without a limit to connections, without a log.
//!
//! Serves the store in the folder that it is started in, until its standard input ends.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "the address is for who started it")]

mod support;

use std::{
    convert::Infallible,
    fs,
    future::ready,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};

use courant::{
    clock,
    config::{self, Overrides, StoreUrl},
    http::{Limits, at_once, respond},
    publish::Publisher,
    store::SqliteStore,
};
use futures_util::future::Either;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const LIMITS: Limits = Limits {
    target_bytes: usize::MAX,
    header_bytes: usize::MAX,
    hosts: Vec::new(),
    staleness: Duration::ZERO,
};

fn main() {
    let file = Path::new("feeds.toml");
    let config =
        config::read(&fs::read_to_string(file).unwrap(), file, &Overrides::default()).unwrap();
    let StoreUrl::Sqlite(path) = &config.store else { panic!("it answers from a file") };
    let store = Arc::new(SqliteStore::open(path, &config.authority, clock::now()).unwrap());
    // As many threads as the program has.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let memory = config.server.cache_bytes;
        let publisher = Publisher::open(store, config.catalogue, memory, clock::now()).await;
        tokio::spawn(serve(Arc::new(publisher.unwrap())));
        let end = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
        end.await.unwrap().unwrap();
    });
}

async fn serve(publisher: Arc<Publisher>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("serves http://{}/", listener.local_addr().unwrap());
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let publisher = Arc::clone(&publisher);
        let service = service_fn(move |request: Request<Incoming>| {
            let now = clock::now();
            if let Some(answer) = at_once(&publisher, &LIMITS, &request, now) {
                return Either::Left(ready(Ok::<_, Infallible>(answer)));
            }
            let publisher = Arc::clone(&publisher);
            Either::Right(Box::pin(
                async move { Ok(respond(&publisher, &LIMITS, &request, now).await) },
            ))
        });
        let mut connections = http1::Builder::new();
        connections.half_close(true);
        tokio::spawn(connections.serve_connection(TokioIo::new(socket), service));
    }
}
