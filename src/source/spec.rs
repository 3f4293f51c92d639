//! What `feeds.toml` says of a source. No I/O.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use chrono_tz::Tz;
use encoding_rs::Encoding;
use url::Url;

use crate::{
    category::Slug,
    source::field::{Field, List},
};

/// A place that articles come in from.
#[derive(Clone, Debug)]
pub struct Source {
    /// As in `[source.NAME]`.
    pub name: Slug,
    /// From the end of one look to the next.
    pub every: Duration,
    /// Put before each key, so that the keys of two sources never meet.
    pub id_prefix: String,
    /// Whether the guids that it gives may lie where the store mints identities.
    pub is_own: bool,
    /// For dates without an offset; `None`: the site's.
    pub time_zone: Option<Tz>,
    /// What it is.
    pub kind: Kind,
}

impl Source {
    /// What decides which articles come of it: once that changes, everything is to be read again.
    pub(super) fn meaning(&self) -> String {
        let Self { id_prefix, time_zone, kind, .. } = self;
        // What was refused from a source of somebody else is read again once it is the publication's own.
        let own = if self.is_own { "own " } else { "" };
        let meaning = match kind {
            Kind::Sql(sql) => {
                let Sql { rows, filter, key, cursor, status, published, lists, .. } = &**sql;
                let Sql { link, encoding, separator, .. } = &**sql;
                let encoding = encoding.map(Encoding::name);
                let rows = (rows, filter, key, cursor, status, published, lists);
                format!("{id_prefix:?} {time_zone:?} {rows:?} {link:?} {encoding:?} {separator:?}")
            }
            Kind::Folder(Folder { path, link, .. }) => {
                format!("{id_prefix:?} {time_zone:?} {} {link:?}", path.display())
            }
            Kind::Feed(Feed { place, .. }) => format!("{id_prefix:?} {time_zone:?} {place:?}"),
        };
        format!("{own}{meaning}")
    }
}

/// What a source is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Tables of a database.
    Sql(Box<Sql>),
    /// Files of a folder.
    Folder(Folder),
    /// A feed of somebody else.
    Feed(Feed),
}

impl Kind {
    /// As in `feeds.toml`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sql(_) => "sql",
            Self::Folder(_) => "folder",
            Self::Feed(_) => "feed",
        }
    }
}

/// Tables of a database.
#[derive(Clone, Debug)]
pub struct Sql {
    /// `postgres://…`, `mysql://…` or `sqlite:…`, perhaps with `${NAME}` in it.
    pub url: Secret,
    /// A file that holds the password alone.
    pub password_file: Option<PathBuf>,
    /// Where relative paths start.
    pub folder: PathBuf,
    /// Which rows.
    pub rows: Rows,
    /// A condition of SQL that rows have to meet.
    pub filter: Option<String>,
    /// What tells rows apart: a column, or in a preset an expression.
    pub key: String,
    /// What moves when a row changes, written as `key` is; without it, every look reads all rows.
    pub cursor: Option<String>,
    /// What says whether a row is published, written as `key` is.
    pub status: Option<String>,
    /// The values of `status` that mean yes.
    pub published: Vec<String>,
    /// What rows of other tables add: `{ids}` in a query stands for the keys of a page.
    pub lists: BTreeMap<List, String>,
    /// The address of an article, with the names of columns in braces.
    pub link: Link,
    /// What texts are really written in; `None`: what the database says.
    pub encoding: Option<&'static Encoding>,
    /// What stands between the values of a column that holds several.
    pub separator: Option<String>,
    /// How late a write may become visible: so far back each look reads again.
    pub overlap: Duration,
    /// From one search for deleted rows to the next; `None`: never.
    pub sweep: Option<Duration>,
    /// From one reading of all rows to the next; `None`: once.
    pub reread: Option<Duration>,
}

/// Which rows, and what their columns mean.
#[derive(Clone, Debug)]
pub enum Rows {
    /// Columns are named as the fields they are.
    Query(String),
    /// A table or a view.
    Table {
        /// Perhaps with its schema: `cms.article`.
        table: String,
        /// The column that each field is in.
        columns: BTreeMap<Field, String>,
    },
    /// What a preset says.
    From {
        /// What stands behind `FROM`.
        from: String,
        /// An expression for each field; names that begin with `_` are for links alone.
        columns: BTreeMap<String, String>,
    },
}

/// How the address of an article is made.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// With the names of columns in braces, and those of settings; `None`: it is in a column.
    pub template: Option<String>,
    /// The same, where a setting that the template names is empty.
    pub plain: Option<String>,
    /// A query for settings, each a name and a value.
    pub settings: Option<String>,
    /// What words in the values of settings stand for.
    pub words: BTreeMap<String, String>,
}

/// Files of a folder.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Whether what is not there any more is taken back.
    pub withdraw_removed: bool,
    /// The address of an article whose file does not say it, with `{slug}`, `{id}`, `{year}`, `{month}` and `{day}`.
    pub link: Option<String>,
}

/// A feed of somebody else.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Where it is.
    pub place: Place,
    /// Whether its server may be on a private network.
    pub is_private: bool,
}

/// Where a feed is.
#[derive(Clone, Debug)]
pub enum Place {
    /// On the Web.
    Web(Url),
    /// In a file.
    File(PathBuf),
}

/// Text that nobody is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes it in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for those who connect with it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
