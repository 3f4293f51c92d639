//! Renders one feed of the example articles to standard output, without serving.
//!
//! `cargo run --example render -- all atom`

#![allow(clippy::print_stderr, reason = "an example talks to who runs it")]

use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufReader, Write},
    path::Path,
    sync::Arc,
};

use courant::{
    clock,
    config::{self, Overrides},
    feed::{Feed, FeedPath},
    format::Format,
    import::{HowToRead, Importer, Source, Sources},
    publish::Publisher,
    store::{Intake, SqliteStore},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "all".to_owned());
    let format = match arguments.next().as_deref() {
        None | Some("rss") => Format::Rss,
        Some("atom") => Format::Atom,
        Some("json") => Format::Json,
        Some("html") => Format::Html,
        Some(other) => return Err(format!("`{other}` is none of rss, atom, json, html").into()),
    };

    // What feeds.toml says, and a store for as long as this runs.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = root.join("feeds.toml");
    let config = config::read(&fs::read_to_string(&settings)?, &settings, &Overrides::default())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("courant.db");
    let store = Arc::new(SqliteStore::open(&path, &config.authority, clock::now())?);

    // Records in …
    let articles = "examples/articles.ndjson";
    let records = BufReader::new(File::open(root.join(articles))?);
    let mut importer = Importer::new(&*store, &config.catalogue, Intake::default());
    let sources = Sources::new(vec![Source::new(articles, records)], HowToRead::default());
    importer.take(sources, clock::now, |_| {}).await?;
    eprintln!("{} articles", importer.finish().published);

    // … and a feed out. A `Feed` is a plain value: look at its entries, or write it in any format.
    let publisher = Publisher::open(store, config.catalogue, 1_000_000, clock::now()).await?;
    let feed: Feed = publisher.feed(&FeedPath::Named(name.parse()?)).await?;
    eprintln!("{} entries at revision {}", feed.entries().len(), feed.revision.0);
    io::stdout().write_all(&format.render(&feed)?)?;
    Ok(())
}
