//! Where a database is, as `postgres://user:password@host/name?sslmode=…` (RFC 3986 section 3.1).

use std::fmt;

/// The address of a database. It may hold a password, which nothing but [`reveal`](DatabaseUrl::reveal) gives away.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// Why something is not the address of a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// There is no `://`.
    #[error(
        "this is not the address of a database; write for example `postgres://courant@localhost/news`"
    )]
    Form,
    /// It asks for a protection that nobody knows.
    #[error(
        "`sslmode={0}` is not known; write one of `disable`, `prefer`, `require` and `verify-full`"
    )]
    Mode(String),
}

/// How the way to a database is kept from others, in the words of libpq.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Not at all.
    Disable,
    /// By TLS where the server has it; whoever it is.
    #[default]
    Prefer,
    /// By TLS; whoever the server is, unless the address says whose certificates to trust.
    Require,
    /// By TLS with the very host that was named.
    VerifyFull,
}

impl DatabaseUrl {
    /// Checks the form, not whether anybody is there.
    pub fn new(url: &str) -> Result<Self, DatabaseUrlError> {
        let url = Self(url.trim().to_owned());
        if !url.0.contains("://") {
            return Err(DatabaseUrlError::Form);
        }
        url.ssl_mode()?;
        Ok(url)
    }

    /// All of it, with the password.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What it says of TLS; `prefer` where it says nothing.
    pub fn ssl_mode(&self) -> Result<SslMode, DatabaseUrlError> {
        match self.parameter("sslmode") {
            None => Ok(SslMode::default()),
            Some("disable") => Ok(SslMode::Disable),
            Some("prefer") => Ok(SslMode::Prefer),
            Some("require") => Ok(SslMode::Require),
            Some("verify-full") => Ok(SslMode::VerifyFull),
            Some(other) => Err(DatabaseUrlError::Mode(other.to_owned())),
        }
    }

    /// A parameter, as it is written.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters();
        parameters.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The address without some of its parameters, and with its password.
    pub fn without(&self, names: &[&str]) -> String {
        self.keeping(&self.0[..self.query_start()], |name| !names.contains(&name))
    }

    fn keeping(&self, base: &str, keeps: impl Fn(&str) -> bool) -> String {
        let kept = self.parameters().filter(|(name, _)| keeps(name));
        let kept: Vec<_> = kept.map(|(name, value)| format!("{name}={value}")).collect();
        if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) }
    }

    /// After what is before `@`: a password may hold a `?` that should have been written as `%3F`.
    fn query_start(&self) -> usize {
        let host = self.0.find('@').unwrap_or_default();
        self.0[host..].find('?').map_or(self.0.len(), |at| host + at)
    }

    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let query = self.0.get(self.query_start() + 1..).unwrap_or_default();
        query.split('&').filter_map(|pair| pair.split_once('='))
    }
}

/// Without the password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = &self.0[..self.query_start()];
        let (scheme, rest) = base.split_once("://").unwrap_or(("", base));
        let shown = match rest.rsplit_once('@') {
            Some((user, hosts)) => {
                let user = user.split([':', '/', '?']).next().unwrap_or_default();
                format!("{scheme}://{user}@{hosts}")
            }
            None => base.to_owned(),
        };
        f.write_str(&self.keeping(&shown, |name| !name.ends_with("password")))
    }
}

/// Without the password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_shown_to_nobody() {
        let check = |url: &str, shown: &str| {
            let url = DatabaseUrl::new(url).unwrap();
            assert_eq!(
                (url.to_string(), format!("{url:?}")),
                (shown.to_owned(), format!("DatabaseUrl({shown})"))
            );
        };
        check("postgres://host/db", "postgres://host/db");
        check("postgres://user:secret@host:5433/db", "postgres://user@host:5433/db");
        check(
            "postgres://user:sec@ret@a:1,b:2/db?sslmode=require",
            "postgres://user@a:1,b:2/db?sslmode=require",
        );
        check(
            "postgresql:///db?host=/run/pg&password=secret&user=me",
            "postgresql:///db?host=/run/pg&user=me",
        );
        check("postgres://user:sec?ret@host/db", "postgres://user@host/db");
        check("postgres://user:sec/re@t@host/db?a=b", "postgres://user@host/db?a=b");
    }

    #[test]
    fn modes_are_those_of_libpq() {
        let mode = |query: &str| {
            DatabaseUrl::new(&format!("postgres://h/d{query}")).map(|url| url.ssl_mode())
        };
        assert_eq!(mode(""), Ok(Ok(SslMode::Prefer)));
        assert_eq!(mode("?application_name=x&sslmode=verify-full"), Ok(Ok(SslMode::VerifyFull)));
        assert_eq!(mode("?sslmode=verify"), Err(DatabaseUrlError::Mode("verify".to_owned())));
        let url =
            DatabaseUrl::new("postgres://u:p@h/d?sslmode=require&application_name=x").unwrap();
        assert_eq!(url.without(&["sslmode"]), "postgres://u:p@h/d?application_name=x");
    }
}
