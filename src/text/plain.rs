//! Titles, names and other single lines: T-1 to T-11, T-20, T-21.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::{characters, tree};

/// What ends a sentence wherever it stands.
const SENTENCE_ENDS: &str = "。！？；…｡";
/// What ends a sentence before white space.
const SPACED_SENTENCE_ENDS: &str = ".!?";
/// What may follow the end of a sentence and belongs to it.
const CLOSERS: &str = "」』”’）】》〉)\"'»";
/// Most bytes of a grapheme cluster that a cut counts with; a letter under thousands of accents is one cluster.
const CLUSTER_BYTES: usize = 16;
/// What a cut does not leave in front of its `…`.
const LOOSE_ENDS: &str = ",;:-–—，、：；（(「『“‘《";

/// One line of plain text that every format can carry.
///
/// It holds no markup: `<b>` and `&amp;` mean themselves (T-20). It is not normalised (T-8).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Text(String);

impl Text {
    /// Makes a line of `raw`, which is plain text: carried characters only (T-1 to T-4), white
    /// space trimmed and collapsed (T-9), bidi controls in pairs (T-11).
    pub fn new(raw: &str) -> Self {
        let cleaned = characters::clean(raw);
        let paired = pair_bidi_controls(&cleaned);
        Self(collapse(paired.trim_matches(characters::blank)))
    }

    /// Makes a line of `raw`, which is HTML: tags go, references are decoded once (T-21).
    pub fn from_markup(raw: &str) -> Self {
        Self::new(&tree::words(&characters::clean(raw)))
    }

    /// The line as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most `limit` grapheme clusters (T-10), and 16 bytes for each of them.
    ///
    /// The cut follows the end of a sentence when one lies in the second half. Otherwise `…`
    /// marks it, between words where the script has spaces.
    #[must_use]
    pub fn cut(&self, limit: usize) -> Self {
        if self.0.len() <= limit {
            return self.clone();
        }
        let most = self.0.floor_char_boundary(limit.max(1) * CLUSTER_BYTES);
        let graphemes = self.0[..most].grapheme_indices(true).map(|(at, _)| at);
        let starts: Vec<usize> = graphemes.take(limit + 1).collect();
        let Some(&end) = starts.get(limit) else {
            let is_whole = most == self.0.len();
            return if is_whole {
                self.clone()
            } else {
                Self::new(&format!("{}…", &self.0[..most]))
            };
        };
        let half = starts[limit / 2];
        if let Some(sentence) = sentence_end(&self.0, half, end) {
            return Self::new(&self.0[..sentence]);
        }
        let Some(last) = limit.checked_sub(1).map(|last| starts[last]) else {
            return Self::default();
        };
        let words = &self.0[..word_end(&self.0, half, last)];
        let words = words.trim_end_matches(|c| characters::blank(c) || LOOSE_ENDS.contains(c));
        Self::new(&format!("{words}…"))
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs of ASCII white space as one space, or as nothing where a line end parts two characters
/// that are written without spaces.
fn collapse(raw: &str) -> String {
    let is_line = !raw.contains(['\t', '\n', '\x0C', '\r']) && !raw.contains("  ");
    if is_line {
        return raw.to_owned();
    }
    let mut line = String::with_capacity(raw.len());
    let mut gap: Option<bool> = None;
    for c in raw.chars() {
        if c.is_ascii_whitespace() {
            gap = Some(gap.unwrap_or(false) || c == '\n');
            continue;
        }
        let joins = || {
            line.chars().next_back().is_some_and(characters::unspaced) && characters::unspaced(c)
        };
        match gap.take() {
            Some(line_end) if !(line_end && joins()) => line.push(' '),
            Some(_) | None => {}
        }
        line.push(c);
    }
    line
}

/// `raw` without bidi controls that open or close nothing (T-11); pairs nest as in UAX #9.
fn pair_bidi_controls(raw: &str) -> Cow<'_, str> {
    if raw.is_ascii() {
        return Cow::Borrowed(raw);
    }
    // Where controls wait for their end, and which of these are isolates.
    let mut open: Vec<usize> = Vec::new();
    let mut isolates: Vec<usize> = Vec::new();
    let mut unpaired: Vec<usize> = Vec::new();
    for (at, c) in raw.char_indices() {
        match c {
            '\u{202A}' | '\u{202B}' | '\u{202D}' | '\u{202E}' => open.push(at),
            '\u{2066}'..='\u{2068}' => {
                isolates.push(open.len());
                open.push(at);
            }
            '\u{202C}' => {
                // It closes nothing outside of the isolate it stands in.
                let outside = isolates.last().map_or(0, |isolate| isolate + 1);
                let closes = open.len() > outside;
                if closes { open.truncate(open.len() - 1) } else { unpaired.push(at) }
            }
            '\u{2069}' => match isolates.pop() {
                Some(isolate) => unpaired.extend(open.drain(isolate..).skip(1)),
                None => unpaired.push(at),
            },
            _ => {}
        }
    }
    unpaired.extend(open);
    if unpaired.is_empty() {
        return Cow::Borrowed(raw);
    }
    unpaired.sort_unstable();
    let kept = |at: &usize| unpaired.binary_search(at).is_err();
    raw.char_indices().filter(|(at, _)| kept(at)).map(|(_, c)| c).collect()
}

/// Where the last sentence of `text` ends that does so after `from` and not after `to`.
fn sentence_end(text: &str, from: usize, to: usize) -> Option<usize> {
    let mut ends = text[..to].char_indices().filter_map(|(at, c)| {
        let after = &text[at + c.len_utf8()..];
        let rest = after.trim_start_matches(|c| CLOSERS.contains(c) || SENTENCE_ENDS.contains(c));
        let spaced = SPACED_SENTENCE_ENDS.contains(c) && rest.starts_with(char::is_whitespace);
        (spaced || SENTENCE_ENDS.contains(c)).then_some(text.len() - rest.len())
    });
    ends.rfind(|end| (from + 1..=to).contains(end))
}

/// Where to cut `text` at or before `end`, so that no word is cut that began after `from`.
fn word_end(text: &str, from: usize, end: usize) -> usize {
    let before = |&(start, _): &(usize, &str)| start < end;
    match text.split_word_bound_indices().take_while(before).last() {
        Some((start, word))
            if start > from && start + word.len() > end && !word.contains(characters::unspaced) =>
        {
            start
        }
        Some(_) | None => end,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_holds_carried_characters_and_single_spaces() {
        fn check(raw: &str, expected: &str) {
            assert_eq!(Text::new(raw).as_str(), expected, "{raw:?}");
        }
        for (raw, expected) in [
            ("", ""),
            ("  a \t b\r\nc ", "a b c"), // T-9
            ("\u{3000}\u{A0}\u{FEFF}标题\u{200B}\u{3000} ", "标题"), // T-9
            ("首相\u{3000}辞任", "首相\u{3000}辞任"), // T-9
            ("一行\n二行", "一行二行"),  // FIELD 3.2
            ("한국\n뉴스", "한국 뉴스"),
            ("一 二", "一 二"),
            ("a\u{B}b\u{85}c\u{2028}d", "a b c d"), // T-2, T-4
            ("It\u{92}s\0\u{FFFE}\u{FFFD}", "It’s"), // T-2, T-3
            ("<b>R&amp;D</b>", "<b>R&amp;D</b>"),   // T-20
            ("e\u{301}", "e\u{301}"),               // T-8
            ("\u{202E}abc", "abc"),                 // T-11
            ("abc\u{202C}\u{2069}", "abc"),         // T-11
            ("\u{202B}abc\u{202C}", "\u{202B}abc\u{202C}"), // T-11
            ("\u{2067}a\u{202A}b\u{2069}c\u{202C}", "\u{2067}ab\u{2069}c"), // T-11
            ("\u{202A}a\u{2066}b\u{202C}c", "abc"),
        ] {
            check(raw, expected);
        }
    }

    #[test]
    fn markup_becomes_the_words_it_shows() {
        fn check(markup: &str, expected: &str) {
            assert_eq!(Text::from_markup(markup).as_str(), expected, "{markup:?}");
        }
        for (markup, expected) in [
            ("Why &lt;br&gt; &amp; &amp;amp; matter", "Why <br> & &amp; matter"), // T-21
            ("<b>Bold</b> move", "Bold move"),
            ("a<br>b", "a b"),
            ("标题<br>正文", "标题正文"),
            ("x<script>alert(1)</script>y", "xy"), // T-32
            ("1 < 2", "1 < 2"),
            ("&nbsp;&#x3000;题&#0;&#x1;", "题"), // T-1
            ("<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>字", "漢字"),
        ] {
            check(markup, expected);
        }
    }

    #[test]
    fn a_cut_counts_a_cluster_of_many_bytes_as_several() {
        let zalgo = format!("a{}", "\u{301}".repeat(2_000_000));
        let cut = Text::new(&zalgo).cut(160);
        assert!(cut.as_str().len() <= 160 * CLUSTER_BYTES + '…'.len_utf8());
        assert!(cut.as_str().ends_with('…'));
        let family = "👨‍👩‍👧".repeat(10);
        assert!(Text::new(&family).cut(20).as_str().starts_with("👨‍👩‍👧"));
    }

    #[test]
    fn a_cut_falls_after_a_sentence_or_between_graphemes() {
        fn check(raw: &str, limit: usize, expected: &str) {
            assert_eq!(Text::new(raw).cut(limit).as_str(), expected, "{raw:?} at {limit}");
        }
        for (raw, limit, expected) in [
            ("short", 5, "short"),
            ("short", 0, ""),
            ("short", 1, "…"),
            ("One. Two three four", 19, "One. Two three four"),
            ("It is done. Then more came", 16, "It is done."), // T-10
            ("One. Two three four five", 15, "One. Two three…"),
            ("One. Two three four five", 17, "One. Two three…"),
            ("Version 3.14159 is out now", 14, "Version…"),
            ("今天下雨。明天晴，后天多云", 8, "今天下雨。"), // FIELD 3.3
            ("他说：「走吧。」然后离开了这里", 10, "他说：「走吧。」"),
            ("今天，明天，后天都下雨", 4, "今天…"),
            ("👨\u{200D}👩\u{200D}👧🇨🇳e\u{301}xy", 4, "👨\u{200D}👩\u{200D}👧🇨🇳e\u{301}…"), // T-10
            ("\u{202B}abcdefgh\u{202C}", 6, "abcd…"),                                       // T-11
            ("abcdefghijkl", 5, "abcd…"),
        ] {
            check(raw, limit, expected);
        }
    }

    #[test]
    fn serde_goes_through_the_constructor() {
        let text: Text = serde_json::from_str("\" a\\u0001\\n\"").unwrap();
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"a\"");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_line_of_a_line_is_the_same_line(raw in "(\\PC|[ \t\r\n\u{0}-\u{9F}\u{3000}\u{200B}\u{202A}-\u{202E}\u{2066}-\u{2069}文a.]){0,40}") {
            let text = Text::new(&raw);
            prop_assert_eq!(Text::new(text.as_str()), text.clone());
            prop_assert!(text.as_str().chars().all(|c| characters::carried(c) && c != '\n'));
        }

        #[test]
        fn a_cut_keeps_its_limit(raw in "(\\PC|[ \u{202A}-\u{202E}\u{300}\u{200D}🇨👩文a.。]){0,40}", limit in 0_usize..30) {
            let cut = Text::new(&raw).cut(limit);
            prop_assert!(cut.as_str().graphemes(true).count() <= limit);
        }
    }
}
