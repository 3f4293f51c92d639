//! The feeds of an old system, from addresses and files, with their archives.

use std::{collections::HashSet, fs::File, io::Read, time::Duration};

use anyhow::{Context, Result, bail};
use courant::{
    adopt::Known,
    fetch::{Answer, Client, Limits, Reach, Request},
    format::Format,
    import::{
        charset::Label,
        feed::{self, FeedFile},
    },
};
use url::Url;

/// Most documents of one feed: it and its archives.
const MAX_DOCUMENTS: usize = 2_000;
/// Largest document, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// An old feed with all that could be had of it.
pub(super) struct OldFeed {
    /// Where its readers ask for it: as given, and as it calls itself.
    pub addresses: Vec<Url>,
    /// Format that its readers have, and are sent to.
    pub format: Format,
    /// Newest document first.
    pub entries: Vec<Known>,
    /// Number of entries without an identity and without an address.
    pub unidentified: usize,
}

impl OldFeed {
    fn new(addresses: Vec<Url>, format: Format) -> Self {
        Self { addresses, format, entries: Vec::new(), unidentified: 0 }
    }

    /// Takes the entries of a document in.
    fn add(&mut self, file: &FeedFile) {
        for found in &file.entries {
            match found.record.as_ref().ok().and_then(Known::of) {
                Some(known) => {
                    let is_in_atom = self.format == Format::Atom;
                    self.entries.push(Known { is_in_atom, ..known });
                }
                None => self.unidentified += 1,
            }
        }
    }
}

/// Reads every source. One that cannot be read ends it: half of the old feeds would leave the rest to reappear.
pub(super) async fn gather(sources: &[String]) -> Result<Vec<OldFeed>> {
    let limits =
        Limits { body_bytes: MAX_BYTES, whole: Duration::from_mins(1), ..Limits::default() };
    let client = Client::new(Reach::Anywhere, limits);
    let mut feeds = Vec::new();
    for source in sources {
        let address =
            Url::parse(source).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let feed = match address {
            Some(address) => fetch(&client, address).await,
            None => read(source),
        };
        feeds.push(feed.with_context(|| format!("cannot read the old feed `{source}`"))?);
    }
    Ok(feeds)
}

fn read(name: &str) -> Result<OldFeed> {
    let mut bytes = Vec::new();
    File::open(name)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        bail!("larger than {MAX_BYTES} bytes");
    }
    let file = whole(feed::read(&bytes, Label::None, None)?)?;
    let addresses = file.head.feed_url.as_deref().and_then(|url| Url::parse(url).ok());
    let mut feed = OldFeed::new(addresses.into_iter().collect(), format(&bytes));
    feed.add(&file);
    Ok(feed)
}

/// The feed, and what it names as its archives or further pages (RFC 5005).
async fn fetch(client: &Client, address: Url) -> Result<OldFeed> {
    let (answer, file) = document(client, &address).await?;
    let own = file.head.feed_url.as_deref().and_then(|own| Url::parse(own).ok());
    let addresses = [address.clone(), answer.url].into_iter().chain(own).collect();
    let mut feed = OldFeed::new(addresses, format(&answer.body));
    feed.add(&file);
    feed.addresses.dedup();
    let mut seen = HashSet::from([address]);
    let mut next = older(&file);
    while let Some(url) = next.take().filter(|url| seen.insert(url.clone())) {
        if seen.len() > MAX_DOCUMENTS {
            bail!("more than {MAX_DOCUMENTS} archives; give saved copies of them");
        }
        let (_, file) = document(client, &url).await.with_context(|| {
            format!("cannot read its archive `{url}`; give saved copies to go on without it")
        })?;
        feed.add(&file);
        next = older(&file);
    }
    Ok(feed)
}

async fn document(client: &Client, url: &Url) -> Result<(Answer, FeedFile)> {
    let answer = client.send(&Request::get(url.clone())).await?;
    if !answer.status.is_success() {
        bail!("the server answered {}", answer.status);
    }
    let kind = answer.field(http::header::CONTENT_TYPE).unwrap_or_default();
    let charset = kind.split("charset=").nth(1).map(|name| name.trim_matches(['"', ' ', ';']));
    let label = charset.map_or(Label::None, Label::Claimed);
    let file = whole(feed::read(&answer.body, label, Some(&answer.url))?)?;
    Ok((answer, file))
}

fn older(file: &FeedFile) -> Option<Url> {
    let older = file.head.prev_archive.as_ref().or(file.head.next.as_ref());
    older.and_then(|older| Url::parse(older).ok())
}

fn whole(file: FeedFile) -> Result<FeedFile> {
    match &file.broken_off {
        Some(fault) => bail!("{}", fault.problem),
        None => Ok(file),
    }
}

/// The format of a document, by how it begins.
fn format(bytes: &[u8]) -> Format {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4_096)]);
    let head = head.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    if head.starts_with('{') {
        Format::Json
    } else if head.contains("<feed")
        || head.contains("http://www.w3.org/2005/Atom\">") && !head.contains("<rss")
    {
        Format::Atom
    } else {
        Format::Rss
    }
}
