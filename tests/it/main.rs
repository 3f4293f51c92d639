//! Every test that needs more than one file of the crate, as one binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "what a test that failed was doing")]

/// Runs each case, which takes a store of its own, over files; `tests/postgres` runs the same over PostgreSQL.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        mod over_files {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(crate::fixtures::Home::new()).await;
                }
            )*
        }
    };
}
pub(crate) use cases;

mod adopt;
mod archives;
mod cli;
mod crash;
mod delta;
mod dialects;
mod edge;
mod export;
mod extraction;
mod fetch;
mod fixtures;
mod formats;
mod histories;
mod http;
mod identity;
mod inflow;
mod intake;
mod layers;
mod media;
mod moving;
mod outage;
mod pages;
mod partners;
mod podcasts;
mod politeness;
mod property;
mod push;
mod pushed;
mod rebuild;
mod replicas;
mod samples;
mod scale;
mod sources;
mod sqlite;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod vectors;
