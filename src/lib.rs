//! Courant publishes stored articles as RSS, Atom and JSON feeds.
//!
//! `ARCHITECTURE.md` is the map: a snapshot of the [`store`] becomes a [`feed`], in a [`format`](mod@format) a document, with its
//! codings and tags an [`edition`], which [`publish`] keeps and [`http`] answers with.

pub mod adopt;
pub mod article;
pub mod category;
pub mod check;
pub mod clock;
pub mod config;
pub mod dialect;
pub mod edge;
pub mod edition;
pub mod export;
pub mod feed;
pub mod fetch;
pub mod format;
pub mod http;
pub mod import;
mod iso3166;
pub mod media;
pub mod partner;
pub mod publish;
pub mod push;
pub mod source;
pub mod store;
pub mod text;
pub mod told;
pub mod traffic;
