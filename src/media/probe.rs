//! Finds out what a file is: from the folder, or by asking the server that has it.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ip_network::IpNetwork;
use lofty::{file::AudioFile, probe::Probe as TagProbe};
use ureq::{
    Agent,
    config::Config,
    http::{Uri, header},
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};
use url::Url;

use crate::media::{Folder, media_type};

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a file may have moved.
const MAX_REDIRECTS: u32 = 5;

/// What was found out of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Its media type, where it is known.
    pub mime_type: Option<String>,
    /// Its size, where it is known.
    pub bytes: Option<u64>,
    /// How long it plays; known of files in the folder only.
    pub seconds: Option<u64>,
}

/// Why nothing was found out.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The folder has no such file.
    #[error("no such file in the media folder")]
    Missing,
    /// The file cannot be read.
    #[error("cannot read `{0}`")]
    File(PathBuf, #[source] io::Error),
    /// The server does not answer, or answers otherwise.
    #[error("the server does not say")]
    Server(#[source] Box<ureq::Error>),
}

/// Looks at files.
#[derive(Debug)]
pub struct Probe {
    folder: Option<Folder>,
    agent: Agent,
}

impl Probe {
    /// One that knows a folder. Servers of this network are asked only if `asks_private`: an address in a record comes
    /// from outside, and could name any machine that only we can reach.
    pub fn new(folder: Option<Folder>, asks_private: bool) -> Self {
        let config = Config::builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(MAX_REDIRECTS)
            .user_agent(concat!("Courant/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = DefaultConnector::default();
        let agent = if asks_private {
            Agent::with_parts(config, connector, DefaultResolver::default())
        } else {
            Agent::with_parts(config, connector, PublicResolver::default())
        };
        Self { folder, agent }
    }

    /// What there is to know of the file at an address. Waits for disk and network.
    pub fn measure(&self, url: &Url) -> Result<Measure, ProbeError> {
        match self.folder.as_ref().and_then(|folder| folder.at(url)) {
            Some(Some(file)) => local(&file),
            Some(None) => Err(ProbeError::Missing),
            None => self.remote(url),
        }
    }

    fn remote(&self, url: &Url) -> Result<Measure, ProbeError> {
        let answer = self.agent.head(url.as_str()).call();
        let answer = answer.map_err(|error| ProbeError::Server(Box::new(error)))?;
        let field = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let kind = field(header::CONTENT_TYPE).and_then(|kind| kind.split(';').next());
        // What a server says of a file it does not know is nothing.
        let kind = kind.map(str::trim).filter(|kind| *kind != "application/octet-stream");
        Ok(Measure {
            mime_type: kind.filter(|kind| !kind.is_empty()).map(str::to_ascii_lowercase),
            bytes: field(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            seconds: None,
        })
    }
}

fn local(file: &Path) -> Result<Measure, ProbeError> {
    let unreadable = |error| ProbeError::File(file.to_owned(), error);
    let bytes = fs::metadata(file).map_err(unreadable)?.len();
    let name = file.to_string_lossy();
    let mime_type = media_type(&name).map(|kind| kind.split(';').next().unwrap_or(kind).to_owned());
    // A file that no tag library knows has its size all the same.
    let tagged = TagProbe::open(file).and_then(|probe| probe.guess_file_type()?.read());
    let seconds = tagged.ok().map(|tagged| tagged.properties().duration().as_secs());
    Ok(Measure { mime_type, bytes: Some(bytes), seconds: seconds.filter(|seconds| *seconds > 0) })
}

/// Knows no address but those of the public Internet, whatever name leads there, and after every redirection.
#[derive(Debug, Default)]
struct PublicResolver(DefaultResolver);

impl Resolver for PublicResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        let mut public = self.empty();
        for address in found.iter().filter(|address| is_public(address.ip())) {
            public.push(*address);
        }
        if public.is_empty() {
            return Err(ureq::Error::Other(
                "it is on a private network; --allow-private asks all the same".into(),
            ));
        }
        Ok(public)
    }
}

fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    IpNetwork::from(address).is_global() && !address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_asked() {
        for (address, expected) in [
            ("93.184.216.34", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("169.254.169.254", false),
            ("192.168.0.1", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("::ffff:127.0.0.1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }
}
