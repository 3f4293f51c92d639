//! What every format can carry: lines of plain text, fragments of HTML, addresses.
//!
//! No I/O and no settings. What leaves here needs no more than the escaping of its format.

/// Version of the rules that clean content. Raised whenever a rule changes what is kept of an article, and stored with each
/// article, so that `courant check` can name those that were cleaned by older rules.
pub const CLEANING_VERSION: u32 = 1;

mod allowed;
mod characters;
mod counted;
mod database;
mod guard;
mod html;
mod limits;
mod pictures;
mod plain;
mod prose;
mod rewrite;
mod tree;
mod urls;

pub use characters::{carried, dropped};
pub use counted::counted;
pub use database::{DatabaseUrl, DatabaseUrlError, SslMode};
pub use html::Html;
pub use limits::{Limits, LimitsError};
pub use plain::Text;
pub use rewrite::MAX_BYTES as MAX_HTML_BYTES;
pub use tree::document;
pub use urls::web_url;
