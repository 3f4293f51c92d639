//! Lists of entity tags, as `If-Match` and `If-None-Match` have them: RFC 9110 sections 8.8.3 and 13.1.

/// What a list of tags has yet to give (H-51).
#[derive(Clone, Debug)]
pub struct TagList<'a>(&'a [u8]);

impl<'a> TagList<'a> {
    /// What a line of a field says.
    pub fn new(line: &'a [u8]) -> Self {
        Self(line)
    }
}

/// A member of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member<'a> {
    /// `*`.
    Everything,
    /// An entity tag.
    Tag {
        /// Whether it begins with `W/`.
        is_weak: bool,
        /// Between the quotes.
        opaque: &'a [u8],
    },
}

/// Not a list of tags, from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Iterator for TagList<'a> {
    type Item = Result<Member<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.0.trim_ascii_start();
        // Empty members are skipped (RFC 9110 section 5.6.1.2).
        while let Some(next) = rest.strip_prefix(b",") {
            rest = next.trim_ascii_start();
        }
        if rest.is_empty() {
            return None;
        }
        let (member, next) = match rest.strip_prefix(b"*") {
            Some(next) => (Some(Member::Everything), next),
            None => tag(rest).map_or((None, rest), |(is_weak, opaque, next)| {
                (Some(Member::Tag { is_weak, opaque }), next)
            }),
        };
        let next = next.trim_ascii_start();
        let is_whole = next.is_empty() || next.starts_with(b",");
        self.0 = if is_whole { next } else { b"" };
        Some(member.filter(|_| is_whole).ok_or(Malformed))
    }
}

/// The first tag of a list: whether it is weak, what is between its quotes, and the rest of the list.
fn tag(list: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (is_weak, quoted) = list.strip_prefix(b"W/").map_or((false, list), |rest| (true, rest));
    let inner = quoted.strip_prefix(b"\"")?;
    let end = inner.iter().position(|byte| *byte == b'"')?;
    let opaque = &inner[..end];
    let is_legal = opaque.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..));
    is_legal.then_some((is_weak, opaque, &inner[end + 1..]))
}

/// A tag without what intermediaries append when they compress (H-58): Apache's `mod_deflate` adds `-gzip` and never
/// takes it off again.
pub fn mended(opaque: &[u8]) -> &[u8] {
    let suffixes: [&[u8]; 4] = [b"-gzip", b"-br", b"-zstd", b"-"];
    suffixes.iter().fold(opaque, |opaque, suffix| opaque.strip_suffix(*suffix).unwrap_or(opaque))
}
