//! Every test that needs more than one file of the crate, as one binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "what a test that failed was doing")]

mod adopt;
mod archives;
mod cli;
mod crash;
mod delta;
mod dialects;
mod export;
mod fetch;
mod fixtures;
mod formats;
mod histories;
mod http;
mod intake;
mod layers;
mod media;
mod outage;
mod pages;
mod partners;
mod podcasts;
mod politeness;
mod property;
mod rebuild;
mod replicas;
mod samples;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod vectors;
