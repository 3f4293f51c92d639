//! What of a configuration is shown to nobody, however broken it is: passwords in addresses, and what follows a name for secrets.
//!
//! In doubt too much is left out: a line that cannot be read may end anywhere.

use std::ops::Range;

/// What stands for a secret.
pub(super) const MASK: char = '…';
/// What names of secrets have in them.
const NAMES: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "credential",
    "apikey",
    "api_key",
    "-key",
];

/// The parts of a line that are secret, in bytes; they may overlap.
pub(super) fn secrets(line: &str) -> Vec<Range<usize>> {
    // `https//` is an address as well, for whoever wrote it. Nobody knows which `@` is the right one of several.
    let begins = line.match_indices(':').chain(line.match_indices("//"));
    let passwords = begins.filter_map(|(at, sign)| password(line, at + sign.len()));
    let begin = passwords.min();
    let end = line.rfind('@').unwrap_or_default();
    let in_address = begin.filter(|begin| *begin < end).map(|begin| begin..end);
    let mut equals = line.match_indices(['=', ':']);
    let value = equals.find(|(at, _)| is_of_secret(name_before(line, *at)));
    in_address.into_iter().chain(value.map(|(at, _)| at + 1..line.len())).collect()
}

/// A text without what is secret in it.
pub(super) fn masked(text: &str) -> String {
    let secrets = secrets(text);
    shown(text, 0, &secrets).into_iter().collect()
}

/// The characters of a part of a line, which begins at a byte of it; for each secret one that stands for it.
pub(super) fn shown(part: &str, begin: usize, secrets: &[Range<usize>]) -> Vec<char> {
    let mut shown = Vec::new();
    let mut was_secret = false;
    for (at, c) in part.char_indices() {
        let is_secret = secrets.iter().any(|secret| secret.contains(&(begin + at)));
        match (is_secret, was_secret) {
            (true, true) => {}
            (true, false) => shown.push(MASK),
            (false, _) => shown.push(c),
        }
        was_secret = is_secret;
    }
    shown
}

/// Where a password may begin, after the sign that ends a scheme: at a colon behind the name of a user.
fn password(line: &str, after_scheme: usize) -> Option<usize> {
    let rest = line[after_scheme..].trim_start_matches('/');
    let end = rest.find(|c: char| ":/@\"'".contains(c) || c.is_whitespace())?;
    let after_name = rest[end..].strip_prefix(':')?;
    Some(line.len() - after_name.len())
}

/// The key, parameter or field whose value begins here.
fn name_before(line: &str, at: usize) -> &str {
    let before = line[..at].trim_end_matches([' ', '\t', '"', '\'']);
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    &before[before.trim_end_matches(is_of_name).len()..]
}

fn is_of_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.ends_with("_file") && NAMES.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out_and_nothing_else() {
        for (text, expected) in [
            ("url = \"postgres://u:SECRET@db/x\"", "url = \"postgres://u:…@db/x\""),
            ("url = \"pgsql://u:SEC/R\"E@T@db:1/x", "url = \"pgsql://u:…@db:1/x"),
            ("postgres:/u:SECRET@db", "postgres:/u:…@db"),
            ("postgres:u:SECRET@db", "postgres:u:…@db"),
            ("https//u:SECRET@host/", "https//u:…@host/"),
            ("redis://:SECRET@db", "redis://:…@db"),
            ("postgresql:///db?user=me&password=SECRET", "postgresql:///db?user=me&password=…"),
            ("password = \"SECRET\" # mine", "password =…"),
            ("\"password\" = 'SECRET'", "\"password\" =…"),
            ("headers = [\"Authorization: Bearer SECRET\"]", "headers = [\"Authorization:…"),
            ("\"Fastly-Key: SECRET\",", "\"Fastly-Key:…"),
            ("password_file = \"/run/x\"", "password_file = \"/run/x\""),
            ("key = \"id\"", "key = \"id\""),
            ("url = \"https://h:8080/\"", "url = \"https://h:8080/\""),
            ("url = \"postgres://u@db:5432/x\"", "url = \"postgres://u@db:5432/x\""),
            ("email = \"mailto:a@example.com\"", "email = \"mailto:a@example.com\""),
            (
                "x = { url = \"https://e.com\", email = \"a@e.com\" }",
                "x = { url = \"https://e.com\", email = \"a@e.com\" }",
            ),
        ] {
            assert_eq!(masked(text), expected);
            assert_eq!(masked(expected), expected, "twice is as once");
        }
    }
}
