//! Text with places in it: for keys or addresses of what is stale, and for secrets.

use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// What need not be escaped in one segment of an address.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a secret is found; the secret itself is in no configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secret {
    /// In a variable of the environment.
    Variable(String),
    /// In a file, whose last line end does not count.
    File(PathBuf),
}

/// How what is stale is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One key.
    Key,
    /// Keys, separated by blanks.
    Spaces,
    /// Keys, separated by commas.
    Commas,
    /// Keys, as a list in JSON.
    KeysJson,
    /// Keys, as a regular expression that finds any of them among others.
    Pattern,
    /// One address, in full.
    Url,
    /// The path and query of one address.
    Path,
    /// Addresses, as a list in JSON.
    UrlsJson,
}

/// What can be written between braces.
const FORMS: [(&str, Form); 8] = [
    ("key", Form::Key),
    ("keys_spaces", Form::Spaces),
    ("keys_commas", Form::Commas),
    ("keys_json", Form::KeysJson),
    ("keys_pattern", Form::Pattern),
    ("url", Form::Url),
    ("path", Form::Path),
    ("urls_json", Form::UrlsJson),
];

impl Form {
    /// Whether it names one thing only.
    pub(super) fn is_single(self) -> bool {
        matches!(self, Self::Key | Self::Url | Self::Path)
    }

    /// Whether it names keys, and not addresses.
    pub(super) fn is_key(self) -> bool {
        !matches!(self, Self::Url | Self::Path | Self::UrlsJson)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Stale(Form),
    Secret(Secret),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// What stands between braces means nothing.
    #[error(
        "`{{{0}}}` means nothing here; there are `{{key}}`, `{{keys_spaces}}`, `{{keys_commas}}`, `{{keys_json}}`, \
         `{{keys_pattern}}`, `{{url}}`, `{{path}}`, `{{urls_json}}`, `{{env:NAME}}` and `{{file:PATH}}`"
    )]
    Unknown(String),
}

/// Text with places in it. Braces around anything but a word stand for themselves, as JSON needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut plain = String::new();
        while let Some(at) = rest.find('{') {
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            plain.push_str(before);
            let word = after.split_once('}').map(|(word, _)| word).filter(|word| is_word(word));
            let Some(word) = word else {
                plain.push('{');
                rest = after;
                continue;
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece(word)?);
            rest = &after[word.len() + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    pub(super) fn forms(&self) -> impl Iterator<Item = Form> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Stale(form) => Some(*form),
            Piece::Text(_) | Piece::Secret(_) => None,
        })
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Secret(secret) => Some(secret),
            Piece::Text(_) | Piece::Stale(_) => None,
        })
    }

    /// The text for what is stale. In an address, a key is one segment.
    pub(super) fn fill<'a>(
        &self,
        stale: &[String],
        is_address: bool,
        secret: impl Fn(&Secret) -> &'a str,
    ) -> String {
        let one = || stale.first().map_or("", String::as_str);
        let fill = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Secret(name) => secret(name).to_owned(),
            Piece::Stale(Form::Key) if is_address => {
                utf8_percent_encode(one(), SEGMENT).to_string()
            }
            Piece::Stale(Form::Key | Form::Url) => one().to_owned(),
            Piece::Stale(Form::Path) => Url::parse(one())
                .map(|url| url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
                .unwrap_or_default(),
            Piece::Stale(Form::Spaces) => stale.join(" "),
            Piece::Stale(Form::Commas) => stale.join(","),
            Piece::Stale(Form::KeysJson | Form::UrlsJson) => {
                serde_json::to_string(stale).expect("a list of texts")
            }
            Piece::Stale(Form::Pattern) => {
                let escaped: Vec<_> = stale.iter().map(|key| key.replace('.', "[.]")).collect();
                // No blank: Varnish takes what it is told apart there.
                format!(r"(^|\s)({})(\s|$)", escaped.join("|"))
            }
        };
        self.0.iter().map(fill).collect()
    }
}

fn is_word(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or_default();
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn piece(word: &str) -> Result<Piece, TemplateError> {
    let known = FORMS.iter().find(|(name, _)| *name == word);
    if let Some((_, form)) = known {
        return Ok(Piece::Stale(*form));
    }
    match word.split_once(':') {
        Some(("env", name)) if !name.is_empty() => {
            Ok(Piece::Secret(Secret::Variable(name.to_owned())))
        }
        Some(("file", path)) if !path.is_empty() => Ok(Piece::Secret(Secret::File(path.into()))),
        _ => Err(TemplateError::Unknown(word.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled() {
        let keys = ["category/a.b".to_owned(), "feed/c".to_owned()];
        let fill = |template: &str| {
            let template = Template::parse(template).unwrap();
            template.fill(&keys, false, |secret| match secret {
                Secret::Variable(_) => "hidden",
                Secret::File(_) => "deep",
            })
        };
        for (template, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{keys_spaces}", "category/a.b feed/c"),
            ("a{keys_commas}b", "acategory/a.b,feed/cb"),
            (r#"{"tags": {keys_json}}"#, r#"{"tags": ["category/a.b","feed/c"]}"#),
            ("obj ~ {keys_pattern}", r"obj ~ (^|\s)(category/a[.]b|feed/c)(\s|$)"),
            ("Bearer {env:TOKEN}", "Bearer hidden"),
            ("{file:/run/secrets/key}", "deep"),
            ("{ a } {} {{", "{ a } {} {{"),
            ("{key}", "category/a.b"),
        ] {
            assert_eq!(fill(template), expected, "{template}");
        }
        for unknown in ["{keys}", "{env:}", "{file:}", "{secret:x}"] {
            assert!(Template::parse(unknown).is_err(), "{unknown}");
        }
        let address = |template: &str, stale: &str| {
            Template::parse(template).unwrap().fill(&[stale.to_owned()], true, |_| "")
        };
        assert_eq!(address("/purge/{key}", "category/%E5"), "/purge/category%2F%25E5");
        assert_eq!(address("http://a{path}", "https://b.example/c?d#e"), "http://a/c?d");
        assert_eq!(address("{url}", "https://b.example/c"), "https://b.example/c");
    }
}
