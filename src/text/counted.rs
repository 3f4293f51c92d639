//! Numbers of things, for people.

use std::fmt;

/// A number and what it counts: `1 feed`, `2 entries`.
pub fn counted<N: fmt::Display + Copy + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let is_one = count == N::from(1);
    let stem = what.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match stem {
        _ if is_one => format!("{count} {what}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        for (count, what, said) in [
            (0_u8, "feed", "0 feeds"),
            (1, "feed", "1 feed"),
            (2, "feed", "2 feeds"),
            (1, "entry", "1 entry"),
            (2, "entry", "2 entries"),
            (2, "day", "2 days"),
        ] {
            assert_eq!(counted(count, what), said);
        }
    }
}
