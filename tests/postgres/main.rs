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
#[path = "../it/delta.rs"]
mod delta;
#[path = "../it/fixtures.rs"]
mod fixtures;
#[path = "../it/histories.rs"]
mod histories;
#[path = "../it/http.rs"]
mod http;
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
mod twins;

use std::{env, pin::Pin, process::ExitCode, sync::Arc};

use fixtures::Home;
use libtest_mimic::{Arguments, Failed, Trial};
use support::postgres::{Cluster, FAST};

/// A case, which takes a store of its own.
type Case = fn(Home) -> Pin<Box<dyn Future<Output = ()>>>;

const FILES: &[(&str, &[(&str, Case)])] = &[
    ("archives", archives::CASES),
    ("delta", delta::CASES),
    ("partners", partners::CASES),
    ("pushed", pushed::CASES),
    ("store", store::CASES),
    ("server", server::CASES),
    ("twins", twins::CASES),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_required = env::var("COURANT_TEST_REQUIRE").is_ok_and(|what| what == "all");
    let is_there = Cluster::is_there();
    let cluster = (is_there && !arguments.list).then(|| Arc::new(Cluster::start(FAST)));
    let cases = FILES.iter().flat_map(|(file, cases)| {
        cases.iter().map(move |(name, case)| (format!("{file}::{name}"), *case))
    });
    let trials = cases.map(|(name, case)| {
        let cluster = cluster.clone();
        let run = move || match cluster {
            Some(cluster) => over(&cluster, case),
            None => Err(Failed::from("a PostgreSQL server is missing")),
        };
        let trial = Trial::test(name, run);
        if is_there {
            trial
        } else {
            trial.with_kind("needs a PostgreSQL server").with_ignored_flag(!is_required)
        }
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

#[expect(clippy::unnecessary_wraps, reason = "a trial says how it went; this one panics")]
fn over(cluster: &Cluster, case: Case) -> Result<(), Failed> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all();
    let url = cluster.database();
    runtime.build().unwrap().block_on(async { case(Home::within(&url).await).await });
    Ok(())
}
