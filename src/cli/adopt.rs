//! `courant adopt`.

use std::{
    collections::HashMap,
    io::{self, Write},
    num::NonZeroU16,
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use courant::{
    adopt::{Comparison, Index, Known, Rank, Reappearing, compare},
    article::{Adoption, Article, Cursor, Revision, is_iri, kept_guid},
    clock,
    config::Config,
    feed::{Entry, Feed, FeedPath},
    format::Format,
    import::{charset::Label, feed},
    store::{Outcome, Store},
    text::{Text, web_url},
};
use serde::Serialize;
use url::Url;

use crate::cli::{
    self,
    old_feeds::{self, OldFeed},
    settings_file,
};

/// How many articles are read from the store at a time.
const BATCH: NonZeroU16 = NonZeroU16::new(1_000).expect("1,000 is not zero");
/// How many of a list people are shown.
const SHOWN: usize = 20;

/// Take over identities, dates and addresses from the feeds of an old system
#[derive(Args)]
#[command(after_help = "\
A source is the address of an old feed, whose archives are followed (RFC 5005), or a saved copy. Its
entries are matched with articles by identity, address, or title and day. Each article takes over the
identity and date that readers know, quietly, so that nobody sees it twice. What feeds.toml needs to
answer the old addresses is printed, or added with --write.

With --diff, nothing is changed: the old feed and the new one are compared as a reader sees them.

Examples:
  courant adopt --diff https://www.example.com/feed/   what would reappear as unread
  courant adopt https://www.example.com/feed/ old/*.xml
  courant adopt --to category/news --write https://www.example.com/news/feed/

Compared is what is served, in the format of the old feed: the one that its readers are sent to.

Exit codes with --diff:
  0  nothing reappears
  1  something does, or entries of the old feed have neither an identity nor an address
  2  a feed cannot be read, or none of its entries has an identity or an address")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Adopt {
    /// Old feeds: addresses or files
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// The feed here that takes their place [default: the first in feeds.toml]
    #[arg(long, value_name = "FEED")]
    to: Option<String>,
    /// Compare, and change nothing
    #[arg(long, conflicts_with_all = ["dry_run", "write", "articles"])]
    diff: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Send old addresses of articles on as well, for a service that takes the place of the old site
    #[arg(long)]
    articles: bool,
    /// Add what is printed for feeds.toml to it
    #[arg(long)]
    write: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// What an adoption came to.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Entries of the old feeds, each identity once.
    entries: usize,
    /// Those that are articles, by how they were found.
    by_guid: usize,
    by_link: usize,
    by_title: usize,
    /// Articles that took something over.
    adopted: usize,
    /// Articles that have all that already.
    unchanged: usize,
    /// Those whose identity belongs to another article here, or cannot be kept.
    taken: Vec<String>,
    /// Entries of articles that are withdrawn or expired here.
    gone: Vec<Known>,
    /// Entries that no article is.
    unmatched: Vec<Known>,
    /// Entries with neither an identity nor an address, which nothing can be matched with.
    unidentified: usize,
    /// What `feeds.toml` needs.
    redirects: Vec<Redirect>,
    /// The newest revision afterwards.
    revision: Revision,
}

/// A `[[redirect]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Redirect {
    from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    status: u16,
}

impl Adopt {
    pub(super) async fn run(self, config: Config, file: &Path) -> Result<ExitCode> {
        let to = self.path(&config)?;
        let old = old_feeds::gather(&self.sources).await?;
        if self.diff {
            return self.compare(config, &to, &old).await;
        }
        let store = cli::open(&config).await?;
        let mut index = Index::default();
        old.iter().flat_map(|feed| &feed.entries).for_each(|entry| index.add(entry.clone()));
        let found = look(&*store, &index).await?;
        let unidentified = old.iter().map(|feed| feed.unidentified).sum();
        let mut report =
            Report { entries: index.entries().len(), unidentified, ..Report::default() };
        let (adoptions, articles) = found.adoptions(&index, &mut report);
        let feeds = old.iter().flat_map(|feed| of_feed(feed, &to, &config));
        report.redirects = feeds.chain(articles.into_iter().filter(|_| self.articles)).collect();
        without_known(&mut report.redirects, &config);
        let text = sections(&report.redirects);
        // Before all that cannot be taken back: where the redirects do not fit, nothing has happened.
        if self.write && !self.dry_run && !text.is_empty() {
            settings_file::append(file, &text)?;
        }
        self.write_down(&*store, adoptions, &mut report).await?;
        if self.json {
            cli::print_json(&report)?;
        } else {
            self.print(&report, &text)?;
        }
        Ok(if report.taken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn path(&self, config: &Config) -> Result<FeedPath> {
        let Some(named) = &self.to else {
            let first = config.catalogue.feeds.first().context("feeds.toml has no feed")?;
            return Ok(first.path.clone());
        };
        cli::feeds::path(named)
    }

    async fn write_down(
        &self,
        store: &dyn Store,
        adoptions: Vec<Adoption>,
        report: &mut Report,
    ) -> Result<()> {
        if self.dry_run || adoptions.is_empty() {
            report.adopted = adoptions.len();
            report.revision = store.head().await?;
            return Ok(());
        }
        let ids: Vec<_> = adoptions.iter().map(|adoption| adoption.id.clone()).collect();
        let receipt = store.adopt(adoptions, clock::now()).await?;
        report.revision = receipt.revision;
        for (id, outcome) in ids.into_iter().zip(receipt.outcomes) {
            match outcome {
                Outcome::GuidTaken { by } => {
                    report.taken.push(format!("{id}: its identity is that of `{by}`"));
                }
                Outcome::Corrected => report.adopted += 1,
                _ => report.unchanged += 1,
            }
        }
        Ok(())
    }

    fn print(&self, report: &Report, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        let Report { entries, by_guid, by_link, by_title, adopted, unchanged, .. } = report;
        let entries = cli::counted(*entries, "entry");
        writeln!(
            out,
            "{entries}: {by_guid} matched by identity, {by_link} by address, {by_title} by title"
        )?;
        let would = if self.dry_run { "would be: " } else { "" };
        writeln!(
            out,
            "{would}{} adopted, {unchanged} unchanged, revision {}",
            cli::counted(*adopted, "article"),
            report.revision
        )?;
        for taken in &report.taken {
            writeln!(out, "  {taken}")?;
        }
        list(&mut out, "withdrawn or expired here", &report.gone)?;
        list(&mut out, "no article here", &report.unmatched)?;
        if report.unidentified > 0 {
            let entries = cli::counted(report.unidentified, "entry");
            writeln!(out, "{entries} with neither an identity nor an address")?;
        }
        if !text.is_empty() {
            let what = if self.write && !self.dry_run {
                "added to feeds.toml"
            } else {
                "for feeds.toml; --write adds it"
            };
            writeln!(out, "\n# {what}\n{}", text.trim_end())?;
        }
        Ok(())
    }

    /// Compares the old feeds of each format with what is served in that format.
    async fn compare(&self, config: Config, to: &FeedPath, old: &[OldFeed]) -> Result<ExitCode> {
        let publisher = cli::feeds::publisher(config).await?;
        if publisher.find(to).is_none() {
            bail!("no feed `{to}`; `courant feeds` lists them");
        }
        let unidentified: usize = old.iter().map(|feed| feed.unidentified).sum();
        if unidentified > 0 && old.iter().all(|feed| feed.entries.is_empty()) {
            bail!(
                "no entry of the old feed has an identity or an address, so that each reader makes up identities of its \
                 own: nothing can be compared; give a feed with `guid`, `id` or `link`"
            );
        }
        let feed = publisher.feed(to).await?;
        let mut all = Comparison { unidentified, ..Comparison::default() };
        for format in Format::FEEDS {
            let mut had = Index::default();
            let of_format = old.iter().filter(|feed| feed.format == format);
            of_format.flat_map(|feed| &feed.entries).for_each(|entry| had.add(entry.clone()));
            if had.entries().is_empty() {
                continue;
            }
            let found = look(publisher.store(), &had).await?;
            let document = format.render(&feed)?;
            let new = served(&document, &feed, format, &found)?;
            let comparison = compare(had.entries(), &new);
            if !self.json {
                let document = format!("{to}.{}", format.extension());
                show(&comparison, (had.entries().len(), new.len()), &document)?;
            }
            all.add(comparison);
        }
        if self.json {
            cli::print_json(&all)?;
        } else if unidentified > 0 {
            let entries = cli::counted(unidentified, "entry");
            writeln!(
                io::stdout(),
                "{entries} of the old feed with neither an identity nor an address: not compared"
            )?;
        }
        Ok(if all.is_seamless() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

/// The entries of a document as a reader has them, each with the place of the old entry that its article is.
fn served(
    document: &[u8],
    feed: &Feed,
    format: Format,
    found: &Found,
) -> Result<Vec<(Known, Option<usize>)>> {
    let places: HashMap<_, _> =
        found.articles.iter().map(|(at, (_, article))| (&article.id, *at)).collect();
    let identity = |entry: Entry<'_>| match format {
        Format::Atom => entry.iri(),
        _ => entry.article().guid.to_string(),
    };
    let matched = feed
        .entries()
        .filter_map(|entry| Some((identity(entry), *places.get(&entry.article().id)?)));
    let matched: HashMap<_, _> = matched.collect();
    let read = feed::read(document, Label::Certain("utf-8"), None)?;
    let known = read.entries.iter().filter_map(|found| Known::of(found.record.as_ref().ok()?));
    Ok(known.map(|known| (known.clone(), matched.get(&known.guid).copied())).collect())
}

/// What the store has of the entries.
#[derive(Default)]
struct Found {
    articles: HashMap<usize, (Rank, Article)>,
    gone: Vec<usize>,
}

/// Goes through all articles once.
async fn look(store: &dyn Store, index: &Index) -> Result<Found> {
    let mut found = Found::default();
    let mut since = Cursor::default();
    loop {
        let batch = store.latest(since.clone(), 0, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(found) };
        since = Cursor { revision: last.revision, article: Some(last.id.clone()) };
        for latest in batch {
            let Some(article) = latest.article else {
                if latest.was_published {
                    let was = latest.was.into_iter().map(|story| Article {
                        id: latest.id.clone(),
                        guid: latest.guid.clone(),
                        is_atom_id: false,
                        published: latest.at,
                        updated: latest.at,
                        revision: latest.revision,
                        bytes: 0,
                        story,
                    });
                    found
                        .gone
                        .extend(was.filter_map(|was| index.find(&was)).map(|found| found.entry));
                }
                continue;
            };
            let Some(hit) = index.find(&article) else { continue };
            let known = found.articles.get(&hit.entry);
            if known.is_none_or(|(rank, _)| hit.rank < *rank) {
                found.articles.insert(hit.entry, (hit.rank, Article::clone(&article)));
            }
        }
    }
}

impl Found {
    /// What each article takes over, and where old addresses of articles lead.
    fn adoptions(self, index: &Index, report: &mut Report) -> (Vec<Adoption>, Vec<Redirect>) {
        let Self { articles, gone } = self;
        let (mut adoptions, mut redirects) = (Vec::new(), Vec::new());
        for (at, entry) in index.entries().iter().enumerate() {
            let Some((rank, article)) = articles.get(&at) else {
                let is_gone = gone.contains(&at);
                if is_gone {
                    redirects.extend(entry.url.as_deref().and_then(target).map(|from| Redirect {
                        from,
                        to: None,
                        status: 410,
                    }));
                }
                if is_gone { &mut report.gone } else { &mut report.unmatched }.push(entry.clone());
                continue;
            };
            match rank {
                Rank::Guid => report.by_guid += 1,
                Rank::Link => report.by_link += 1,
                Rank::Title => report.by_title += 1,
            }
            redirects.extend(of_article(entry, article));
            if kept_guid(&entry.guid).is_none() {
                let problem = format!("{}: no feed can carry its identity as it is", article.id);
                report.taken.push(problem);
                continue;
            }
            match adoption(entry, article) {
                Some(adoption) => adoptions.push(adoption),
                None => report.unchanged += 1,
            }
        }
        (adoptions, redirects)
    }
}

fn adoption(entry: &Known, article: &Article) -> Option<Adoption> {
    // What no feed can carry as it is was never what readers know.
    let guid = kept_guid(&entry.guid)?;
    let published =
        entry.published.filter(|time| time.timestamp() != article.published.timestamp());
    let mut story = article.story.clone();
    if story.url.is_none() {
        story.url = entry.url.as_deref().and_then(|url| web_url(url, None));
    }
    // An IRI is the same in every format; any other identity is known in Atom as Atom had it.
    let is_atom_id = entry.is_in_atom && !is_iri(guid.as_str());
    let is_known = guid == article.guid && (article.is_atom_id || !is_atom_id);
    if is_known && published.is_none() && story == article.story {
        return None;
    }
    let (id, base) = (article.id.clone(), article.revision);
    Some(Adoption { id, base, guid, is_atom_id, published, story })
}

/// The path and query of an address.
fn target(address: &str) -> Option<String> {
    let url = web_url(address, None)?;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{}{query}", url.path()))
}

fn of_article(entry: &Known, article: &Article) -> Option<Redirect> {
    let to = article.story.url.as_ref()?;
    let from = entry.url.as_deref().filter(|url| *url != to.as_str())?;
    Some(Redirect { from: target(from)?, to: Some(to.to_string()), status: 301 })
}

/// Where an old feed leads, in the format that its readers have.
fn of_feed(old: &OldFeed, to: &FeedPath, config: &Config) -> Vec<Redirect> {
    let base = config.catalogue.site.base.as_str().trim_end_matches('/');
    let own = format!("{}.{}", to.encoded(), old.format.extension());
    let to = format!("/{}", own.trim_start_matches('/'));
    let outside = |address: &&Url| !address.as_str().starts_with(&format!("{base}{to}"));
    let addresses = old.addresses.iter().filter(outside);
    addresses
        .filter_map(|address| target(address.as_str()))
        .map(|from| Redirect { from, to: Some(to.clone()), status: 301 })
        .collect()
}

/// Each address once, and none that `feeds.toml` has, nor that leads to itself: with the scheme, the host or a slash of today.
fn without_known(redirects: &mut Vec<Redirect>, config: &Config) {
    let known = &config.catalogue.redirects;
    let base = bare(config.catalogue.site.base.as_str()).trim_end_matches('/');
    let mut seen = std::collections::HashSet::new();
    redirects.retain(|redirect| {
        let (path, query) = parted(&redirect.from);
        let is_known =
            if query.is_some() { known.of_query(path, query) } else { known.of_path(path) }
                .is_some();
        let is_root = path.is_empty() && query.is_none();
        let to = redirect.to.as_deref().map(bare);
        let own = to.map(|to| to.strip_prefix(base).unwrap_or(to));
        let is_itself = own
            .filter(|own| own.starts_with('/'))
            .map(parted)
            .is_some_and(|own| own == (path, query) || (own.0 == path && query.is_none()));
        !is_known
            && !is_root
            && !is_itself
            && seen.insert((path.to_owned(), query.map(str::to_owned)))
    });
}

/// An address without its scheme.
fn bare(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest)
}

/// Path and query, as redirects tell them apart.
fn parted(address: &str) -> (&str, Option<&str>) {
    let (path, query) =
        address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
    (path.trim_end_matches('/'), query)
}

fn sections(redirects: &[Redirect]) -> String {
    let mut text = String::new();
    for Redirect { from, to, status } in redirects {
        text.extend(["\n[[redirect]]\nfrom = \"", from, "\"\n"]);
        if let Some(to) = to {
            text.extend(["to = \"", to, "\"\n"]);
        }
        text.extend(["status = ", &status.to_string(), "\n"]);
    }
    text
}

fn list(out: &mut impl Write, what: &str, entries: &[Known]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "{} {what}:", entries.len())?;
    for entry in entries.iter().take(SHOWN) {
        writeln!(out, "  {}", describe(entry))?;
    }
    more(out, entries.len())
}

fn more(out: &mut impl Write, count: usize) -> Result<()> {
    if count > SHOWN {
        writeln!(out, "  and {} more; --json has all", count - SHOWN)?;
    }
    Ok(())
}

fn describe(entry: &Known) -> String {
    let day = entry.published.map(|time| time.format("%Y-%m-%d ").to_string()).unwrap_or_default();
    format!("{day}{}  {}", Text::new(&entry.title).cut(60), entry.guid)
}

fn show(comparison: &Comparison, (old, new): (usize, usize), document: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let Comparison { same, changed, reappearing, vanishing, surfacing, coming, .. } = comparison;
    writeln!(out, "old feed: {}; `{document}` here: {new}", cli::counted(old, "entry"))?;
    writeln!(
        out,
        "  {:>6} reappear as unread{}",
        reappearing.len(),
        if reappearing.is_empty() { "" } else { "  <- run `courant adopt` without --diff" }
    )?;
    writeln!(out, "  {same:>6} the same")?;
    writeln!(out, "  {:>6} the same, shown changed and as read", changed.len())?;
    writeln!(out, "  {:>6} in the old feed only; readers keep them as they are", vanishing.len())?;
    writeln!(
        out,
        "  {:>6} older, which the old feed did not have: shown as unread",
        surfacing.len()
    )?;
    writeln!(out, "  {coming:>6} newer than the old feed")?;
    let pairs = |out: &mut io::StdoutLock<'_>, what: &str, pairs: &[Reappearing]| -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        writeln!(out, "{what}:")?;
        for Reappearing { old, new } in pairs.iter().take(SHOWN) {
            writeln!(out, "  {}", Text::new(&old.title).cut(60))?;
            let date =
                |entry: &Known| entry.published.map(|time| time.to_rfc3339()).unwrap_or_default();
            let fields = [
                ("guid", old.guid.clone(), new.guid.clone()),
                ("link", old.url.clone().unwrap_or_default(), new.url.clone().unwrap_or_default()),
                ("title", old.title.clone(), new.title.clone()),
                ("date", date(old), date(new)),
            ];
            for (name, before, after) in fields.iter().filter(|(_, before, after)| before != after)
            {
                writeln!(out, "    {name:5} {before}\n       -> {after}")?;
            }
        }
        more(out, pairs.len())
    };
    pairs(&mut out, "reappear as unread", reappearing)?;
    pairs(&mut out, "shown changed", changed)?;
    list(&mut out, "vanish", vanishing)?;
    list(&mut out, "old, and shown as unread", surfacing)
}
