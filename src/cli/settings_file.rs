//! Adding to `feeds.toml`, which stays what it is: who owns it, who may read it, whether it is a link.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, Result};
use courant::config::{self, Overrides};

/// Adds sections to a file, which then still has to be right. After a power cut it is the old file or the new one.
pub(super) fn append(file: &Path, text: &str) -> Result<()> {
    let name = file.display();
    let before = fs::read_to_string(file).with_context(|| format!("cannot read `{name}`"))?;
    let after = format!("{}\n{text}", before.trim_end());
    config::read(&after, file, &Overrides::default())
        .context("feeds.toml is left as it is: the redirects do not fit it")?;
    replace(file, after.as_bytes()).with_context(|| format!("cannot write `{name}`"))
}

fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = fs::canonicalize(file)?;
    let known = fs::metadata(&file)?;
    let beside = file.with_extension(format!("toml.{}.new", std::process::id()));
    let placed = put(&beside, bytes, &known).and_then(|()| fs::rename(&beside, &file));
    if placed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    placed?;
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A file that is for the same people as another; never for more of them, since there may be passwords in it.
fn put(path: &Path, bytes: &[u8], known: &Metadata) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (known.uid(), known.gid()) {
            fchown(&file, Some(known.uid()), Some(known.gid()))?;
        }
    }
    file.set_permissions(known.permissions())?;
    file.sync_all()
}
