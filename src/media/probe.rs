//! Finds out what a file is: from the folder, or by asking the server that has it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use http::{StatusCode, header};
use lofty::{file::AudioFile, probe::Probe as TagProbe};
use tokio::task;
use url::Url;

use crate::{
    fetch::{Client, FetchError, Limits, Reach, Request},
    media::{Folder, media_type},
};

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
    /// It is not looked for outside the public Internet.
    #[error("--allow-private asks all the same")]
    NotAsked(#[source] FetchError),
    /// There is no answer.
    #[error("the server does not say")]
    Server(#[source] FetchError),
    /// The server has no such file, or does not tell.
    #[error("the server answers {0}")]
    Status(StatusCode),
    /// The file is being looked at no longer.
    #[error("stopped")]
    Stopped,
}

/// Looks at files.
#[derive(Debug)]
pub struct Probe {
    folder: Option<Folder>,
    client: Client,
}

impl Probe {
    /// One that knows a folder. Servers of this network are asked only if `asks_private`: an address in a record comes
    /// from outside, and could name any machine that only we can reach.
    pub fn new(folder: Option<Folder>, asks_private: bool) -> Self {
        let reach = if asks_private { Reach::Anywhere } else { Reach::Public };
        Self { folder, client: Client::new(reach, Limits::default()) }
    }

    /// What there is to know of the file at an address.
    pub async fn measure(&self, url: &Url) -> Result<Measure, ProbeError> {
        match self.folder.as_ref().and_then(|folder| folder.at(url)) {
            Some(Some(file)) => {
                let look = task::spawn_blocking(move || local(&file)).await;
                look.unwrap_or(Err(ProbeError::Stopped))
            }
            Some(None) => Err(ProbeError::Missing),
            None => self.remote(url).await,
        }
    }

    async fn remote(&self, url: &Url) -> Result<Measure, ProbeError> {
        let answer = self.client.send(&Request::head(url.clone())).await;
        let answer = answer.map_err(|error| match error {
            FetchError::Refused(_) => ProbeError::NotAsked(error),
            _ => ProbeError::Server(error),
        })?;
        if !answer.status.is_success() {
            return Err(ProbeError::Status(answer.status));
        }
        let kind = answer.field(header::CONTENT_TYPE).and_then(|kind| kind.split(';').next());
        // What a server says of a file it does not know is nothing.
        let kind = kind.map(str::trim).filter(|kind| *kind != "application/octet-stream");
        let length = answer.field(header::CONTENT_LENGTH);
        Ok(Measure {
            mime_type: kind.filter(|kind| !kind.is_empty()).map(str::to_ascii_lowercase),
            bytes: length.and_then(|length| length.parse().ok()),
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
