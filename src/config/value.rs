//! What a single value of the file stands for.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use ip_network::IpNetwork;
use toml::de::DeValue;
use url::{Host, Url};

use crate::{
    category::{Language, LanguageError, Slug, SlugError},
    config::{StoreUrl, secret::masked, section::listed},
    text::{DatabaseUrl, Text},
};

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// What is wrong.
    pub(super) wrong: String,
    /// What to write instead; may be empty.
    pub(super) advice: String,
}

impl Mistake {
    pub(super) fn new(wrong: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), advice: advice.into() }
    }

    /// An error of `category` or `text`, which says what to write after a semicolon.
    fn told(message: &str) -> Self {
        let (wrong, advice) = message.split_once("; ").unwrap_or((message, ""));
        Self::new(wrong, advice)
    }

    /// A value of another kind than the key takes.
    pub(super) fn kind(key: &str, expected: &str, found: &DeValue<'_>) -> Self {
        let found = match found {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a section",
        };
        Self::new(format!("`{key}` takes {expected}, not {found}"), "")
    }
}

/// Plain text with something in it.
pub(super) fn text(given: &str) -> Result<Text, Mistake> {
    let text = Text::new(given);
    if text.is_empty() {
        return Err(Mistake::new("nothing is written here", ""));
    }
    Ok(text)
}

/// A slug, in the spelling of addresses.
pub(super) fn slug(given: &str) -> Result<Slug, Mistake> {
    given.parse().map_err(|error: SlugError| Mistake::told(&error.to_string()))
}

/// A language tag.
pub(super) fn language(given: &str) -> Result<Language, Mistake> {
    given.parse().map_err(|error: LanguageError| Mistake::told(&error.to_string()))
}

/// An address on the web.
pub(super) fn url(given: &str) -> Result<Url, Mistake> {
    let url = Url::parse(given).map_err(|_| {
        let advice = "write it in full, as in `https://www.example.com/`";
        Mistake::new(format!("`{}` is not an address", brief(given)), advice)
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let advice = "write an address that begins with `https://`";
        return Err(Mistake::new(format!("`{}` is not on the web", brief(given)), advice));
    }
    Ok(url)
}

/// The address under which this service is reached, ending in `/`.
pub(super) fn base_url(given: &str) -> Result<Url, Mistake> {
    let mut base = url(given)?;
    if base.query().is_some() || base.fragment().is_some() {
        return Err(Mistake::new(
            "addresses of feeds are built on this one",
            "leave out `?` and `#`",
        ));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(Mistake::new(
            "every reader would see the password",
            "leave out all before `@`",
        ));
    }
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    Ok(base)
}

/// What paths begin with.
pub(super) fn path(given: &str) -> Result<String, Mistake> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_segment = |segment: &str| {
        segment.chars().all(is_plain) && segment.contains(|c: char| c.is_ascii_alphanumeric())
    };
    if given.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment)) {
        return Ok(given.to_owned());
    }
    let wrong = format!("`{}` is not the beginning of a path", brief(given));
    Err(Mistake::new(wrong, "write for example `/push`"))
}

/// The address of a picture that RSS readers can show.
pub(super) fn picture(given: &str) -> Result<Url, Mistake> {
    let picture = url(given)?;
    let file = picture.path().to_ascii_lowercase();
    if [".svg", ".webp", ".avif", ".ico"].iter().any(|ending| file.ends_with(ending)) {
        let wrong = "readers of RSS do not show pictures of this kind";
        return Err(Mistake::new(wrong, "use a GIF, JPEG or PNG"));
    }
    Ok(picture)
}

/// An address of mail.
pub(super) fn email(given: &str) -> Result<Text, Mistake> {
    let plausible = |(user, domain): (&str, &str)| {
        let forbidden =
            |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"@".contains(c);
        !user.is_empty() && !user.contains(forbidden) && is_domain(domain)
    };
    if !given.split_once('@').is_some_and(plausible) {
        let wrong = format!("`{}` is not an address of mail", brief(given));
        return Err(Mistake::new(wrong, "write for example `editor@example.com`"));
    }
    Ok(Text::new(given))
}

/// The name of a time zone.
pub(super) fn time_zone(given: &str) -> Result<Tz, Mistake> {
    given.parse().map_err(|_| {
        // Cities only: `Etc/GMT+8` is eight hours west of Greenwich, which nobody means.
        let is_place = |name: &&str| name.contains('/') && !name.starts_with("Etc/");
        let names = || TZ_VARIANTS.iter().map(|zone| zone.name()).filter(is_place);
        let is_city = |name: &&str| {
            name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(given))
        };
        let near = names().find(is_city).or_else(|| nearest(given, names()));
        let advice = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a name such as `Asia/Shanghai`, or `UTC`".to_owned(),
        };
        Mistake::new(format!("`{}` is not a time zone", brief(given)), advice)
    })
}

/// Who mints identities: a domain or an address of mail, and a date on which it was the publisher's (RFC 4151).
pub(super) fn authority(given: &str) -> Result<String, Mistake> {
    let is_minted = |(name, date): (&str, &str)| {
        let is_name = is_domain(name) || email(name).is_ok();
        let day = match date.len() {
            4 => format!("{date}-01-01"),
            7 => format!("{date}-01"),
            _ => date.to_owned(),
        };
        let is_date = date.is_ascii() && NaiveDate::parse_from_str(&day, "%Y-%m-%d").is_ok();
        is_name
            && is_date
            && day.len() == 10
            && name == name.to_ascii_lowercase()
            && name.is_ascii()
    };
    if !given.split_once(',').is_some_and(is_minted) {
        let wrong = format!("`{}` is not a domain and a date on which it was yours", brief(given));
        return Err(Mistake::new(wrong, "write for example `example.com,2026`"));
    }
    Ok(given.to_owned())
}

/// A time to the second, with its offset.
pub(super) fn instant(given: &str) -> Result<DateTime<Utc>, Mistake> {
    let instant = DateTime::parse_from_rfc3339(given).map(|instant| instant.to_utc());
    instant.map_err(|_| {
        let wrong = format!("`{}` is not a time with its offset", brief(given));
        Mistake::new(wrong, "write for example `2026-03-05T08:30:00+08:00`")
    })
}

/// Where to listen.
pub(super) fn listen(given: &str) -> Result<SocketAddr, Mistake> {
    given.parse().map_err(|_| {
        let port = given.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(8080_u16);
        let advice =
            format!("write `127.0.0.1:{port}`, or `0.0.0.0:{port}` to be reached from outside");
        Mistake::new(format!("`{}` is not an address and a port", brief(given)), advice)
    })
}

/// The name of a host.
pub(super) fn host(given: &str) -> Result<String, Mistake> {
    let parsed = Host::parse(given).map(|host| host.to_string());
    parsed.map_err(|_| {
        let advice = "write the name alone, as in `feeds.example.com`";
        Mistake::new(format!("`{}` is not the name of a host", brief(given)), advice)
    })
}

/// A network, or one address.
pub(super) fn network(given: &str) -> Result<IpNetwork, Mistake> {
    if let Ok(address) = given.parse::<IpAddr>() {
        return Ok(IpNetwork::from(address));
    }
    given.parse().map_err(|_| {
        let wrong = format!("`{}` is not a network", brief(given));
        match IpNetwork::from_str_truncate(given) {
            Ok(network) => Mistake::new(wrong, format!("did you mean `{network}`?")),
            Err(_) => Mistake::new(wrong, "write for example `10.0.0.0/8` or `2001:db8::/32`"),
        }
    })
}

/// Where articles are kept; relative to `folder`.
pub(super) fn store(given: &str, folder: &Path) -> Result<StoreUrl, Mistake> {
    if is_postgres(given) {
        return Ok(StoreUrl::Postgres { url: database(given)?, replica: None });
    }
    let path = given.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    match path {
        Some(path) if !path.is_empty() && !path.starts_with(':') => {
            Ok(StoreUrl::Sqlite(folder.join(path)))
        }
        _ => {
            let advice =
                "write for example `sqlite:courant.db` or `postgres://courant@localhost/news`";
            Err(Mistake::new(format!("`{}` is not a place for articles", brief(given)), advice))
        }
    }
}

/// A copy of the database where articles are kept.
pub(super) fn replica(given: &str, store: &StoreUrl) -> Result<DatabaseUrl, Mistake> {
    if matches!(store, StoreUrl::Sqlite(_)) {
        let wrong = "articles in a file are read from that file";
        return Err(Mistake::new(wrong, "leave this out, or keep them in PostgreSQL"));
    }
    if is_postgres(given) {
        return database(given);
    }
    let wrong = "this is no copy of a PostgreSQL database";
    Err(Mistake::new(wrong, "write for example `postgres://courant@replica/news`"))
}

fn is_postgres(given: &str) -> bool {
    given.starts_with("postgres:") || given.starts_with("postgresql:")
}

/// The address of a database. What it says may hold a password, and is not repeated.
fn database(given: &str) -> Result<DatabaseUrl, Mistake> {
    DatabaseUrl::new(given).map_err(|error| Mistake::told(&error.to_string()))
}

/// The path of a file; relative to `folder`.
pub(super) fn file(given: &str, folder: &Path) -> Result<PathBuf, Mistake> {
    if given.is_empty() {
        return Err(Mistake::new("nothing is written here", ""));
    }
    Ok(folder.join(given))
}

/// The name of a folder, as it stands in addresses.
pub(super) fn folder_name(given: &str) -> Result<Text, Mistake> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if given.is_empty() || given.starts_with('.') || !given.chars().all(is_plain) {
        let wrong = format!("`{}` is not the name of a folder", brief(given));
        return Err(Mistake::new(wrong, "write a name of letters, digits, `-`, `_` and `.` alone"));
    }
    Ok(Text::new(given))
}

/// One of a few words.
pub(super) fn choice<T: Copy>(given: &str, choices: &[(&str, T)]) -> Result<T, Mistake> {
    let words = || choices.iter().map(|(word, _)| *word);
    choices.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let advice = format!("write one of {}", listed(words()));
        Mistake::new(format!("`{}` is no choice here", brief(given)), advice)
    })
}

/// The word that was probably meant.
pub(super) fn nearest<'a>(given: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if given.len() > Slug::MAX_BYTES {
        return None;
    }
    let given = given.to_lowercase();
    let distance = |word: &str| {
        // `ttl` stands for `ttl_minutes`.
        if word.strip_prefix(&given).is_some_and(|rest| rest.starts_with('_')) {
            return Some(0);
        }
        let distance = strsim::osa_distance(&given, &word.to_lowercase());
        let length = given.chars().count().max(word.chars().count());
        (distance <= (length / 3).max(1) && distance < length).then_some(distance)
    };
    let near = words.filter_map(|word| Some((distance(word)?, word)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

fn is_domain(name: &str) -> bool {
    name.contains('.') && matches!(Host::parse(name), Ok(Host::Domain(_)))
}

/// The beginning of a value, for messages; what is secret is left out.
fn brief(given: &str) -> String {
    let mut shown = masked(given);
    shown.truncate(shown.floor_char_boundary(Slug::MAX_BYTES));
    shown
}
