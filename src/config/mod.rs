//! `feeds.toml`, and the variables of the environment that outrank it.
//!
//! No I/O: the text of the file comes in, types or everything that is wrong with it come out.

mod catalogue;
mod edge;
mod error;
mod partner;
mod politeness;
mod push;
mod redirect;
mod secret;
mod section;
mod server;
mod show;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod value;

pub use catalogue::RESERVED;
pub use edge::PurgeSettings;
pub use error::{ConfigError, Line, Place, Problem};
pub use server::{AccessLog, Server};
pub use store::{NotAPlace, StoreUrl};

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::de::DeTable;
use url::Url;

use crate::{
    config::{
        section::{Keys, Report, Section},
        value::Mistake,
    },
    edge::Edge,
    feed::Catalogue,
    push::Rules,
    source::Source,
    text::{DatabaseUrl, Text},
    traffic::Policy,
};

/// How the program is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which feeds there are.
    pub catalogue: Arc<Catalogue>,
    /// Who mints identities: `example.com,2026` (RFC 4151).
    pub authority: String,
    /// How the service is run.
    pub server: Server,
    /// How often clients may ask, and who may read the numbers.
    pub politeness: Policy,
    /// How articles are pushed; `None`: not at all.
    pub push: Option<Rules>,
    /// Where articles are kept.
    pub store: StoreUrl,
    /// Files to take in when the store is empty.
    pub import: Vec<PathBuf>,
    /// Where articles come in from by themselves.
    pub sources: Vec<Source>,
    /// The folder whose files are served.
    pub media: Option<PathBuf>,
    /// Folders in it from which partners alone may read.
    pub private_media: Vec<Text>,
    /// What caches in front are told.
    pub edge: Option<Edge>,
    /// How they are told what is stale.
    pub purge: Option<PurgeSettings>,
}

/// What the environment says, which outranks the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `COURANT_LISTEN`.
    pub listen: Option<String>,
    /// `COURANT_BASE_URL`.
    pub base_url: Option<String>,
    /// `COURANT_STORE`; relative to the working directory.
    pub store: Option<String>,
    /// `COURANT_STORE_READ`.
    pub store_read: Option<String>,
}

const ROOT: Keys = Keys {
    required: &["site"],
    optional: &[
        "server",
        "store",
        "media",
        "politeness",
        "push",
        "metrics",
        "cdn",
        "purge",
        "defaults",
        "category",
        "feed",
        "partner",
        "redirect",
        "source",
    ],
};

const STORE: Keys = Keys { required: &[], optional: &["url", "read", "import"] };

const MEDIA: Keys = Keys { required: &["folder"], optional: &["private"] };

/// Reads the text of a configuration. Relative paths in it start at the folder of `file`.
pub fn read(text: &str, file: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
    let report = Report::new(text);
    let (table, mistakes) = DeTable::parse_recoverable(text);
    for mistake in &mistakes {
        let wrong = mistake.message().lines().collect::<Vec<_>>().join(", ");
        report.note(mistake.span().unwrap_or_default(), Mistake::new(wrong, ""));
    }
    // Of a file that is not TOML, half the keys may be lost: what is missing then means nothing.
    let config = mistakes.is_empty().then(|| {
        let folder = file.parent().unwrap_or(Path::new(""));
        config(&Section::root(&report, table.get_ref(), &ROOT), folder, overrides)
    });
    let problems = report.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigError { file: file.to_owned(), problems }),
    }
}

/// Every part; where one is wrong, that is noted, and something stands in for it.
fn config(root: &Section<'_>, folder: &Path, overrides: &Overrides) -> Config {
    let site = root.section("site", &catalogue::SITE);
    let (server, base) = server::server(&root.section("server", &server::KEYS), overrides);
    let store = root.section("store", &STORE);
    let media = root.section("media", &MEDIA);
    let url = store.parse("url", |given| value::store(given, folder));
    let url = overrides.store(root.report).or(url);
    let url = url.unwrap_or_else(|| StoreUrl::Sqlite(folder.join("courant.db")));
    let replica = store.parse("read", |given| value::replica(given, &url));
    let replica = overrides.store_read(root.report, &url).or(replica);
    let private_media = media.list("private", value::folder_name);
    let politeness = politeness::policy(
        &root.section("politeness", &politeness::POLITENESS),
        &root.section("metrics", &politeness::METRICS),
        server.listen.ip(),
    );
    let catalogue = Arc::new(catalogue::catalogue(root, &site, base, &private_media));
    let push = push::rules(&root.section("push", &push::PUSH), &catalogue.site.base, &catalogue);
    Config {
        catalogue,
        authority: site.parse("tag", value::authority).unwrap_or_default(),
        server,
        politeness,
        push,
        store: url.read_from(replica),
        import: store.list("import", |given| value::file(given, folder)),
        sources: source::sources(root, folder),
        media: media.parse("folder", |given| value::file(given, folder)),
        private_media,
        edge: edge::edge(&root.section("cdn", &edge::CDN)),
        purge: edge::purge(&root.section("purge", &edge::PURGE)),
    }
}

impl Overrides {
    fn listen(&self, report: &Report<'_>) -> Option<SocketAddr> {
        report.variable("COURANT_LISTEN", self.listen.as_deref(), value::listen)
    }

    fn base_url(&self, report: &Report<'_>) -> Option<Url> {
        report.variable("COURANT_BASE_URL", self.base_url.as_deref(), value::base_url)
    }

    fn store(&self, report: &Report<'_>) -> Option<StoreUrl> {
        let relative = |given: &str| value::store(given, Path::new(""));
        report.variable("COURANT_STORE", self.store.as_deref(), relative)
    }

    fn store_read(&self, report: &Report<'_>, store: &StoreUrl) -> Option<DatabaseUrl> {
        let replica = |given: &str| value::replica(given, store);
        report.variable("COURANT_STORE_READ", self.store_read.as_deref(), replica)
    }
}
