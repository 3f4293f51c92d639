//! Characters that XML 1.0, and so every format, can carry: T-1 to T-6.

use std::borrow::Cow;

/// What windows-1252 means by the bytes 0x80 to 0x9F (T-3); NEL keeps its own meaning (T-4).
const WINDOWS_1252: [Option<char>; 32] = [
    Some('€'),
    None,
    Some('‚'),
    Some('ƒ'),
    Some('„'),
    Some('\n'),
    Some('†'),
    Some('‡'),
    Some('ˆ'),
    Some('‰'),
    Some('Š'),
    Some('‹'),
    Some('Œ'),
    None,
    Some('Ž'),
    None,
    None,
    Some('‘'),
    Some('’'),
    Some('“'),
    Some('”'),
    Some('•'),
    Some('–'),
    Some('—'),
    Some('˜'),
    Some('™'),
    Some('š'),
    Some('›'),
    Some('œ'),
    None,
    Some('ž'),
    Some('Ÿ'),
];

/// Whether XML 1.0 allows `c` (T-1) and we let it out (T-2, T-3, T-6).
pub fn carried(c: char) -> bool {
    let noncharacter = matches!(c, '\u{FDD0}'..='\u{FDEF}') || u32::from(c) & 0xFFFE == 0xFFFE;
    match c {
        '\t' | '\n' | ' '..='~' => true,
        '\0'..='\u{9F}' | '\u{FFFD}' => false,
        _ => !noncharacter,
    }
}

/// How many characters of `raw` are lost, because no format can carry them and nothing stands in
/// for them (T-2).
pub fn dropped(raw: &str) -> usize {
    if is_plain(raw) { 0 } else { raw.chars().filter(|&c| carriable(c).is_none()).count() }
}

/// `raw` with only carried characters; every kind of line end is LF.
pub(super) fn clean(raw: &str) -> Cow<'_, str> {
    if is_plain(raw) || raw.chars().all(|c| carriable(c) == Some(c)) {
        return Cow::Borrowed(raw);
    }
    raw.replace("\r\n", "\n").chars().filter_map(carriable).collect::<String>().into()
}

/// Whether there is nothing but ASCII, and of that only what is carried as it is: quickly said of most texts.
fn is_plain(raw: &str) -> bool {
    raw.bytes().all(|byte| matches!(byte, b'\t' | b'\n' | b' '..=b'~'))
}

/// What stands for `c`; `None` when it is dropped.
fn carriable(c: char) -> Option<char> {
    match c {
        '\u{B}' | '\u{C}' => Some(' '),
        '\r' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\u{80}'..='\u{9F}' => WINDOWS_1252[c as usize - 0x80],
        _ => carried(c).then_some(c),
    }
}

/// Whether `c` shows nothing at the edge of a line: white space, U+3000, U+00A0, U+FEFF, U+200B (T-9).
pub(super) fn blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200B}' | '\u{FEFF}')
}

/// Whether `c` belongs to a script that sets no spaces between words: Chinese or Japanese,
/// their punctuation, full-width forms. Korean does set them.
pub(super) fn unspaced(c: char) -> bool {
    matches!(c,
        '\u{2E80}'..='\u{303F}'
        | '\u{3040}'..='\u{312F}'
        | '\u{31A0}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE4F}'
        | '\u{FF00}'..='\u{FFEF}'
        | '\u{20000}'..='\u{3FFFD}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_xml_characters_that_are_not_discouraged_are_carried() {
        fn check(c: char, expected: bool) {
            assert_eq!(carried(c), expected, "U+{:04X}", u32::from(c));
        }
        for (c, expected) in [
            ('\0', false),
            ('\t', true),
            ('\n', true),
            ('\r', false), // T-6
            ('\u{1F}', false),
            ('~', true),
            ('\u{7F}', false),
            ('\u{85}', false),
            ('\u{92}', false),
            ('\u{A0}', true),
            ('\u{200D}', true),
            ('\u{2028}', true),
            ('\u{D7FF}', true),
            ('\u{E000}', true),
            ('\u{FDD0}', false),
            ('\u{FEFF}', true),
            ('\u{FFFD}', false), // T-2
            ('\u{FFFE}', false),
            ('\u{FFFF}', false),
            ('\u{1F600}', true),
            ('\u{1FFFE}', false),
            ('\u{10FFFD}', true),
            ('\u{10FFFF}', false),
        ] {
            check(c, expected);
        }
    }

    #[test]
    fn cleaning_mends_what_it_can_and_drops_the_rest() {
        fn check(raw: &str, expected: &str, lost: usize) {
            assert_eq!(clean(raw), expected, "{raw:?}");
            assert_eq!(dropped(raw), lost, "{raw:?}");
        }
        for (raw, expected, lost) in [
            ("新闻 news", "新闻 news", 0),
            ("a\0b\u{8}c", "abc", 2),
            ("a\u{B}b\u{C}c", "a b c", 0),                     // T-2
            ("It\u{92}s \u{80}5", "It’s €5", 0),               // T-3
            ("a\u{81}b\u{7F}c", "abc", 2),                     // T-3
            ("a\u{FFFD}\u{FFFF}b", "ab", 2),                   // T-2
            ("a\r\nb\rc\u{85}d\u{2028}e", "a\nb\nc\nd\ne", 0), // T-4, T-6
            ("👨\u{200D}👩", "👨\u{200D}👩", 0),               // T-13
        ] {
            check(raw, expected, lost);
        }
    }
}
