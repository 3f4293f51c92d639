//! A static edition in a bucket: S3 and what speaks as it does, Google Cloud Storage, Azure.
//!
//! Writing in a bucket is kept to one export by a lease, an object that says until when it holds and is written only in the
//! place of the one that was read.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all};
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult,
    UpdateVersion, path::Path,
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    edition::Coding,
    export::{CODED, Piece, TargetError, Written},
};

/// What the lease is called.
const LEASE: &str = ".courant/lease.json";
/// How long a lease holds; it is prolonged when a third of that is over.
const TERM: TimeDelta = TimeDelta::seconds(60);
/// How long taking it may last, so that most of it is left.
const HASTE: Duration = Duration::from_secs(20);
/// How long ending it may take: it ends by itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// Variables of the environment that are for object stores begin so.
const VARIABLES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// A bucket, or what is below a prefix of one.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    place: String,
    lease: Mutex<Option<Held>>,
}

/// A lease of ours.
#[derive(Clone)]
struct Held {
    version: UpdateVersion,
    until: DateTime<Utc>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Until when an export keeps others away.
#[derive(Serialize, Deserialize)]
struct Lease {
    until: DateTime<Utc>,
}

impl Bucket {
    /// The bucket of an address; credentials and endpoints come from variables.
    pub(super) fn open(
        address: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, TargetError> {
        // Refused where another part of the program has named one already: that one does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let is_for_stores =
            |(name, _): &(String, String)| VARIABLES.iter().any(|start| name.starts_with(start));
        let url = Url::parse(address).map_err(|_| TargetError::Unknown(address.to_owned()))?;
        let opened =
            object_store::parse_url_opts(&url, variables.into_iter().filter(is_for_stores));
        let (store, prefix) = opened.map_err(|source| TargetError::Settings {
            place: address.to_owned(),
            source: source.into(),
        })?;
        Ok(Self::with(store.into(), prefix, address))
    }

    /// What is below a prefix of a store; `place` is what people call it.
    pub fn with(store: Arc<dyn ObjectStore>, prefix: Path, place: &str) -> Self {
        Self { store, prefix, place: place.to_owned(), lease: Mutex::default() }
    }

    fn path(&self, name: &str) -> Result<Path, TargetError> {
        let prefix = self.prefix.as_ref();
        let slash = if prefix.is_empty() { "" } else { "/" };
        Path::parse(format!("{prefix}{slash}{}", name.trim_end_matches('/')))
            .map_err(|_| TargetError::Name(name.to_owned()))
    }

    pub(super) async fn lock(&self, now: DateTime<Utc>) -> Result<(), TargetError> {
        let taken = tokio::time::timeout(HASTE, self.take(now)).await;
        taken.unwrap_or_else(|elapsed| {
            let (name, source) = (LEASE.to_owned(), elapsed.into());
            Err(TargetError::Failed { what: "write", name, source })
        })
    }

    async fn take(&self, now: DateTime<Utc>) -> Result<(), TargetError> {
        let path = self.path(LEASE)?;
        let mode = match self.store.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => PutMode::Create,
            Err(error) => return Err(failed("read", LEASE, error)),
            Ok(found) => {
                let version = UpdateVersion {
                    e_tag: found.meta.e_tag.clone(),
                    version: found.meta.version.clone(),
                };
                let bytes = found.bytes().await.map_err(|error| failed("read", LEASE, error))?;
                // What does not read back keeps nobody away.
                let until = serde_json::from_slice(&bytes).map(|Lease { until }| until).ok();
                if until.is_some_and(|until| until > now) {
                    return Err(TargetError::Busy { place: self.place.clone(), until });
                }
                PutMode::Update(version)
            }
        };
        match self.put_lease(mode, now + TERM).await {
            Ok(()) => Ok(()),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Err(TargetError::Busy { place: self.place.clone(), until: None }),
            Err(error) => Err(failed("write", LEASE, error)),
        }
    }

    /// Prolongs the lease for ever. Where that takes longer than the lease holds, others may have it: stores try for minutes.
    pub(super) async fn keep(&self, clock: impl Fn() -> DateTime<Utc>) -> TargetError {
        let lost = || TargetError::Lost(self.place.clone());
        loop {
            let Some(Held { until, .. }) = self.held() else { return lost() };
            tokio::time::sleep(left(until, clock()) / 3).await;
            let Some(Held { version, .. }) = self.held() else { return lost() };
            let now = clock();
            let put = self.put_lease(PutMode::Update(version), now + TERM);
            match tokio::time::timeout(left(until, now), put).await {
                Ok(Ok(())) => {}
                Err(_)
                | Ok(Err(
                    object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. },
                )) => return lost(),
                // The next time may do, while the lease holds.
                Ok(Err(error)) if clock() >= until => return failed("write", LEASE, error),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "cannot prolong the lease of `{}`", self.place);
                }
            }
        }
    }

    /// Ends the lease, by one that is over: an object that others may have taken meanwhile is not removed.
    pub(super) async fn release(&self) {
        let Some(Held { version, .. }) = self.held() else { return };
        let ended = self.put_lease(PutMode::Update(version), DateTime::UNIX_EPOCH);
        match tokio::time::timeout(PATIENCE, ended).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot end the lease of `{}`", self.place),
            Err(_) => tracing::warn!("cannot end the lease of `{}`", self.place),
        }
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn held(&self) -> Option<Held> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn put_lease(&self, mode: PutMode, until: DateTime<Utc>) -> object_store::Result<()> {
        let bytes = serde_json::to_vec(&Lease { until }).expect("a time");
        let path = self.path(LEASE).map_err(|error| object_store::Error::Generic {
            store: "export",
            source: error.into(),
        })?;
        let options = PutOptions { mode, attributes: private(), ..PutOptions::default() };
        let PutResult { e_tag, version, .. } =
            self.store.put_opts(&path, bytes.into(), options).await?;
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Held { version: UpdateVersion { e_tag, version }, until });
        Ok(())
    }

    pub(super) async fn write(&self, piece: &Piece) -> Result<Written, TargetError> {
        let mut written = Written::default();
        let mut stale = Vec::new();
        let mut puts = Vec::new();
        for (name, coding, body) in piece.codings() {
            let Some(bytes) = body else {
                stale.push(name);
                continue;
            };
            puts.push(self.put(name, bytes.clone(), attributes(piece, coding)));
            written.files += 1;
            written.bytes += bytes.len() as u64;
        }
        try_join_all(puts).await?;
        try_join_all(stale.iter().map(|name| self.delete(name))).await?;
        self.put(piece.name.clone(), piece.plain.clone(), attributes(piece, Coding::Identity))
            .await?;
        written.files += 1;
        written.bytes += piece.plain.len() as u64;
        Ok(written)
    }

    async fn put(
        &self,
        name: String,
        bytes: Bytes,
        attributes: Attributes,
    ) -> Result<(), TargetError> {
        let options = PutOptions { attributes, ..PutOptions::default() };
        let put = self.store.put_opts(&self.path(&name)?, bytes.into(), options).await;
        put.map(drop).map_err(|error| failed("write", &name, error))
    }

    pub(super) async fn remove(&self, name: &str) -> Result<u64, TargetError> {
        let coded = CODED.map(|(_, ending)| format!("{name}{ending}"));
        try_join_all(coded.iter().map(|name| self.delete(name))).await?;
        self.delete(name).await?;
        // Stores do not tell whether there was one.
        Ok(1 + coded.len() as u64)
    }

    async fn delete(&self, name: &str) -> Result<(), TargetError> {
        match self.store.delete(&self.path(name)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("remove", name, error)),
        }
    }

    pub(super) async fn read(&self, name: &str) -> Result<Option<Bytes>, TargetError> {
        match self.store.get(&self.path(name)?).await {
            Ok(found) => found.bytes().await.map(Some).map_err(|error| failed("read", name, error)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", name, error)),
        }
    }

    pub(super) async fn note(&self, name: &str, bytes: Vec<u8>) -> Result<(), TargetError> {
        self.put(name.to_owned(), bytes.into(), private()).await
    }

    pub(super) async fn list(&self, folder: &str) -> Result<Vec<String>, TargetError> {
        let prefix = self.prefix.as_ref();
        let own = |path: Path| {
            let path = path.as_ref().strip_prefix(prefix).unwrap_or(path.as_ref()).to_owned();
            path.trim_start_matches('/').to_owned()
        };
        let found = self.store.list(Some(&self.path(folder)?));
        let names = found.map_ok(|found| own(found.location)).boxed();
        names.try_collect().await.map_err(|error| failed("read", folder, error))
    }
}

fn left(until: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (until - now).to_std().unwrap_or_default()
}

fn failed(what: &'static str, name: &str, error: object_store::Error) -> TargetError {
    TargetError::Failed { what, name: name.to_owned(), source: error.into() }
}

/// The fields with which a store answers.
fn attributes(piece: &Piece, coding: Coding) -> Attributes {
    let mut attributes = Attributes::from_iter([
        (Attribute::ContentType, piece.content_type.clone()),
        (Attribute::CacheControl, piece.cache_control.clone()),
    ]);
    if coding != Coding::Identity {
        attributes.insert(Attribute::ContentEncoding, coding.token().into());
    }
    attributes
}

/// Those of what exports keep for themselves.
fn private() -> Attributes {
    Attributes::from_iter([
        (Attribute::ContentType, "application/json"),
        (Attribute::CacheControl, "no-store"),
    ])
}
