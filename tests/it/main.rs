//! Every test that needs more than one file of the crate, as one binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cli;
mod crash;
mod fixtures;
mod formats;
mod http;
mod pages;
mod samples;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod vectors;
