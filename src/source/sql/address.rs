//! Where a database is, with what nobody is shown.

use std::{fmt, fs, path::PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::source::{SourceError, spec::Sql, sql::query::Engine};

/// Where a database is.
pub(super) struct Address {
    engine: Engine,
    /// With all that is secret: for those who connect.
    pub(super) url: String,
    /// The password, where a file holds it.
    pub(super) password: Option<String>,
    /// The file of an SQLite database.
    pub(super) path: PathBuf,
}

impl Address {
    /// Whose database it is.
    pub(super) fn scheme(&self) -> Engine {
        self.engine
    }
}

impl fmt::Display for Address {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.engine == Engine::Sqlite {
            return write!(f, "sqlite:{}", self.path.display());
        }
        let Ok(url) = Url::parse(&self.url) else { return f.write_str("the database") };
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "{}://{host}{port}{}", url.scheme(), url.path())
    }
}

/// The address of a source's database: `${NAME}` in it is a variable of the environment.
pub(super) fn address(
    sql: &Sql,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Address, SourceError> {
    let url = expand(sql.url.reveal(), variable)?;
    let engine = match url.split(':').next() {
        Some("postgres" | "postgresql") => Engine::Postgres,
        Some("mysql" | "mariadb") => Engine::Mysql,
        Some("sqlite") => Engine::Sqlite,
        _ => return Err(SourceError::Scheme),
    };
    let path = url.strip_prefix("sqlite:").unwrap_or_default();
    let path = sql.folder.join(path.strip_prefix("//").unwrap_or(path));
    let password = sql.password_file.as_ref().map(|file| {
        let text = fs::read_to_string(file);
        let text = text.map_err(|error| SourceError::File(file.display().to_string(), error))?;
        Ok::<_, SourceError>(text.trim_end_matches(['\r', '\n']).to_owned())
    });
    let url = url.replacen("mariadb:", "mysql:", 1);
    Ok(Address { engine, url, password: password.transpose()?, path })
}

/// A variable that is a part of an address is encoded as one; one that is all of it stays as it is.
fn expand(given: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, SourceError> {
    let mut parts = given.split("${");
    let mut expanded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((name, rest)) = part.split_once('}') else { return Err(SourceError::Scheme) };
        let value = variable(name).ok_or_else(|| SourceError::Variable(name.to_owned()))?;
        if expanded.is_empty() && rest.is_empty() {
            expanded.push_str(&value);
        } else {
            expanded.extend(utf8_percent_encode(&value, NON_ALPHANUMERIC));
        }
        expanded.push_str(rest);
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_and_never_shown() {
        let variable = |name: &str| match name {
            "PASSWORD" => Some("p@ss/word".to_owned()),
            "WHOLE" => Some("sqlite:cms.db".to_owned()),
            _ => None,
        };
        assert_eq!(
            expand("mysql://cms:${PASSWORD}@db/cms", variable).unwrap(),
            "mysql://cms:p%40ss%2Fword@db/cms"
        );
        assert_eq!(expand("${WHOLE}", variable).unwrap(), "sqlite:cms.db");
        let missing = expand("mysql://${USER_NAME}@db", variable).unwrap_err().to_string();
        assert!(missing.contains("USER_NAME"), "{missing}");
        let address = Address {
            engine: Engine::Mysql,
            url: "mysql://cms:secret@db.example:3307/cms".to_owned(),
            password: None,
            path: PathBuf::new(),
        };
        assert_eq!(address.to_string(), "mysql://db.example:3307/cms");
    }
}
