//! `AtomPub` (RFC 5023): articles as entries of a collection, files as media link entries.

mod entry;
mod write;

pub use entry::{Entry, read, record};
pub use write::{File, collection, entry, files, media_entry, service};

/// The media type of an entry.
pub const ENTRY: &str = "application/atom+xml;type=entry;charset=utf-8";
/// The media type of a collection.
pub const FEED: &str = "application/atom+xml;type=feed;charset=utf-8";
/// The media type of a service document.
pub const SERVICE: &str = "application/atomsvc+xml;charset=utf-8";

/// RFC 4287.
const ATOM: &str = "http://www.w3.org/2005/Atom";
/// RFC 5023.
const APP: &str = "http://www.w3.org/2007/app";
