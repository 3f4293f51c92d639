//! Whether text reads like what people write, or like bytes that were read in the wrong charset.

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, SHIFT_JIS};

/// How many characters beyond ASCII are looked at.
const LOOKED_AT: usize = 20_000;

/// Share of everyday characters among those that are peculiar to a charset, 0 to 1; `None` when there are none.
///
/// Every one of these charsets has its everyday characters in a block of their own: level 1 of GB 2312, Big5 and JIS X 0208.
pub(super) fn share(charset: &'static Encoding, text: &str) -> Option<f64> {
    let is_japanese = charset == SHIFT_JIS || charset == EUC_JP;
    let (mut everyday, mut rare) = (0_u32, 0_u32);
    let mut bytes = [0; 4];
    for c in text.chars().filter(|c| !c.is_ascii()).take(LOOKED_AT) {
        let is_everyday = match c {
            '\u{3041}'..='\u{30ff}' if is_japanese => true,
            // Hanzi and hangul.
            '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => {
                let (encoded, _, is_lossy) = charset.encode(c.encode_utf8(&mut bytes));
                !is_lossy && is_level_one(charset, &encoded)
            }
            // Half-width katakana, what no standard gives a meaning, boxes, and controls: signs of the wrong charset.
            '\u{ff61}'..='\u{ff9f}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{2500}'..='\u{257f}'
            | '\u{80}'..='\u{9f}'
            | '\u{3400}'..='\u{4dff}' => false,
            // Punctuation, and letters that all of them have.
            _ => continue,
        };
        if is_everyday {
            everyday += 1;
        } else {
            rare += 1;
        }
    }
    (everyday + rare > 0).then(|| f64::from(everyday) / f64::from(everyday + rare))
}

fn is_level_one(charset: &'static Encoding, encoded: &[u8]) -> bool {
    let [lead, trail] = encoded else { return false };
    let levels = if charset == BIG5 {
        0xa4..=0xc6
    } else if charset == SHIFT_JIS {
        0x88..=0x98
    } else if charset == EUC_JP {
        0xb0..=0xcf
    } else if charset == EUC_KR {
        0xb0..=0xc8
    } else {
        0xb0..=0xd7
    };
    let first_trail = if charset == BIG5 || charset == SHIFT_JIS { 0x40 } else { 0xa1 };
    levels.contains(lead) && *trail >= first_trail
}

/// Whether text that was read as windows-1252 is of letters and signs that western languages have, mostly one at a time.
pub(super) fn is_western(text: &str) -> bool {
    let (mut alone, mut together) = (0_u32, 0_u32);
    let mut was_beyond = false;
    for c in text.chars() {
        if ('\u{80}'..'\u{a0}').contains(&c) {
            return false;
        }
        if !c.is_ascii() {
            if was_beyond { together += 1 } else { alone += 1 }
        }
        was_beyond = !c.is_ascii();
    }
    alone > 4 * together
}
