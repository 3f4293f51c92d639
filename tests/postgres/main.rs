//! What every store keeps to, over PostgreSQL: the cases of `tests/it`, each in a database of its own, and what is this
//! engine's own.
//!
//! Where no server is installed they are ignored, with the reason beside their names; with `COURANT_TEST_REQUIRE=all` they
//! fail.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(dead_code, unused_imports, reason = "tests of files alone are not called here")]

/// The cases of a file, by name.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(crate) const CASES: &[(&str, crate::Case)] =
            &[$((stringify!($name), |home| Box::pin($name(home)))),*];
    };
}
pub(crate) use cases;

#[path = "../it/archives.rs"]
mod archives;
mod copies;
#[path = "../it/delta.rs"]
mod delta;
#[path = "../it/fixtures.rs"]
mod fixtures;
#[path = "../it/histories.rs"]
mod histories;
#[path = "../it/http.rs"]
mod http;
#[path = "../it/moving.rs"]
mod moving;
#[path = "../it/outage.rs"]
mod outage;
#[path = "../it/partners.rs"]
mod partners;
#[path = "../it/pushed.rs"]
mod pushed;
mod server;
#[path = "../it/store.rs"]
mod store;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod twins;

use std::{env, pin::Pin, process::ExitCode, sync::Arc};

use fixtures::Home;
use libtest_mimic::{Arguments, Failed, Trial};
use support::postgres::{Cluster, FAST};

/// A case, which takes a store of its own.
type Case = fn(Home) -> Pin<Box<dyn Future<Output = ()>>>;

const FILES: &[(&str, &[(&str, Case)])] = &[
    ("archives", archives::CASES),
    ("copies", copies::CASES),
    ("delta", delta::CASES),
    ("partners", partners::CASES),
    ("pushed", pushed::CASES),
    ("store", store::CASES),
    ("server", server::CASES),
    ("tls", tls::CASES),
    ("twins", twins::CASES),
];

/// What a machine has to have for the cases of a file, and has not.
fn missing(file: &str) -> Option<&'static str> {
    match file {
        _ if !Cluster::is_there() => Some("a PostgreSQL server"),
        "tls" if !tls::has_openssl() => Some("openssl"),
        _ => None,
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_required = env::var("COURANT_TEST_REQUIRE").is_ok_and(|what| what == "all");
    let cluster = (Cluster::is_there() && !arguments.list).then(|| Arc::new(Cluster::start(FAST)));
    let mut trials = Vec::new();
    for (file, cases) in FILES {
        let missing = missing(file);
        for (name, case) in *cases {
            let (cluster, case) = (cluster.clone(), *case);
            let run = move || match (cluster, missing) {
                (Some(cluster), None) => over(&cluster, case),
                (_, missing) => {
                    let what = missing.unwrap_or("a PostgreSQL server");
                    Err(format!("{what} is missing; install it, as .ci/run does").into())
                }
            };
            let trial = Trial::test(format!("{file}::{name}"), run);
            trials.push(match missing {
                Some(what) => {
                    trial.with_kind(format!("needs {what}")).with_ignored_flag(!is_required)
                }
                None => trial,
            });
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

#[expect(clippy::unnecessary_wraps, reason = "a trial says how it went; this one panics")]
fn over(cluster: &Cluster, case: Case) -> Result<(), Failed> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all();
    let url = cluster.database();
    runtime.build().unwrap().block_on(async { case(Home::within(&url).await).await });
    Ok(())
}
