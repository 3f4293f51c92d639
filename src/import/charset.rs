//! Bytes in any charset as text. What bytes say of themselves, what is said of them, and what they look like are compared;
//! when these do not agree, the text is refused rather than guessed into `锟斤拷`.
//!
//! Names of charsets are those of the Encoding Standard: `gb2312` means GB18030, `iso-8859-1` means windows-1252.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    BIG5, DecoderResult, EUC_JP, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS, UTF_8, UTF_16BE,
    UTF_16LE, WINDOWS_1252,
};

use super::plausible::{is_western, share};

/// How much is looked at to find what a text is in, in bytes.
pub const SAMPLE_BYTES: usize = 1 << 18;
/// Where a document says what it is in, in bytes from its start. Browsers look at the first 1,024; saved pages have notes of
/// the program that saved them before.
const PROLOGUE_BYTES: usize = 65_536;
/// Fewest characters beyond ASCII that say anything without a label.
const FEWEST: usize = 6;
/// Share of everyday characters in text that was read as what it is; newspapers have more than 0.97.
const EVERYDAY: f64 = 0.8;
/// The same without a label.
const CERTAIN: f64 = 0.9;
/// How far the next best charset has to be below.
const APART: f64 = 0.1;

/// Charsets whose characters take several bytes, so that wrong ones show.
const MULTIBYTE: [&Encoding; 5] = [GB18030, BIG5, SHIFT_JIS, EUC_JP, EUC_KR];

/// What is known of a text's charset beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Label<'a> {
    /// Nothing.
    #[default]
    None,
    /// Somebody says so who may be wrong: a server in `Content-Type`.
    Claimed(&'a str),
    /// Somebody says so who has looked: it is read as this, or refused.
    Certain(&'a str),
}

/// Why bytes are not read as text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CharsetError {
    /// Nothing is called that.
    #[error("`{0}` is no charset; write for example `gbk`, `big5`, `shift_jis` or `windows-1252`")]
    Unknown(String),
    /// It is something else, or broken off.
    #[error("broken {charset}: byte 0x{byte:02x} in line {line} (byte {at} of the file)")]
    Broken {
        /// As what it was read.
        charset: &'static str,
        /// The first byte that does not fit.
        byte: u8,
        /// Its line, the first being 1.
        line: usize,
        /// Its place in the file, the first being 1.
        at: usize,
    },
    /// It says one thing and looks like another.
    #[error("it is said to be {said}, but does not read like that{}; name the charset that it is in",
            .looks.map(|looks| format!(" and looks like {looks}")).unwrap_or_default())]
    Contradiction {
        /// What is said.
        said: &'static str,
        /// What the bytes look like, if like anything.
        looks: Option<&'static str>,
    },
    /// It says nothing, and could be several things.
    #[error("it does not say which charset it is in, and its bytes do not tell; name the charset")]
    Doubtful,
    /// Characters were lost before.
    #[error(
        "characters were lost before it came here (`{sign}` in line {line}); take it from where it was whole"
    )]
    Damaged {
        /// What is there instead of them.
        sign: &'static str,
        /// Its line, the first being 1.
        line: usize,
    },
}

/// The text of a whole file, without a byte order mark.
pub fn decode<'b>(bytes: &'b [u8], label: Label<'_>) -> Result<Cow<'b, str>, CharsetError> {
    let charset = find(bytes, label)?;
    let bytes = match Encoding::for_bom(bytes) {
        Some((_, mark)) => &bytes[mark..],
        None => bytes,
    };
    let text = strictly(charset, bytes).ok_or_else(|| broken(charset, bytes))?;
    match damage(charset, &text) {
        Some(damaged) => Err(damaged),
        None => Ok(text),
    }
}

/// The charset of a file, by its first [`SAMPLE_BYTES`] or all of it.
pub fn find(bytes: &[u8], label: Label<'_>) -> Result<&'static Encoding, CharsetError> {
    let known = |name: &str| {
        let found = Encoding::for_label(name.trim().as_bytes());
        found.map(widest).ok_or_else(|| CharsetError::Unknown(name.trim().to_owned()))
    };
    if let Some((marked, _)) = Encoding::for_bom(bytes) {
        return Ok(marked);
    }
    if let (Some(wide), Label::None | Label::Claimed(_)) = (wide(bytes), label) {
        return Ok(wide);
    }
    let bytes = sample(bytes);
    let claimed = match label {
        Label::Certain(name) => return known(name),
        // A server with a broken label may still send a good document.
        Label::Claimed(name) => known(name).ok(),
        Label::None => None,
    };
    let declared = declared(bytes).and_then(|name| known(&name).ok());
    let said = [claimed, declared];
    if let Some(text) = strictly(UTF_8, bytes) {
        let other = said.into_iter().flatten().find(|said| *said != UTF_8);
        let is_other = other.is_some_and(|other| {
            // Text of two bytes a character may be Chinese as well as Latin; three bytes are no accident.
            MULTIBYTE.contains(&other)
                && text.chars().all(|c| c < '\u{800}')
                && !text.is_ascii()
                && strictly(other, bytes).and_then(|text| share(other, &text)) >= Some(EVERYDAY)
        });
        return Ok(other.filter(|_| is_other).unwrap_or(UTF_8));
    }
    if is_mostly_utf8(bytes) {
        return Err(broken(UTF_8, bytes));
    }
    let looks = guess(bytes);
    if let Some(charset) = said.into_iter().flatten().find(|said| holds(said, bytes, looks)) {
        return Ok(charset);
    }
    match (said.into_iter().flatten().next(), looks) {
        (Some(said), _) if said == UTF_8 => Err(broken(UTF_8, bytes)),
        (Some(said), _) => {
            if MULTIBYTE.contains(&said) && strictly(said, bytes).is_none() && looks.is_none() {
                return Err(broken(said, bytes));
            }
            Err(CharsetError::Contradiction {
                said: said.name(),
                looks: looks.filter(|looks| *looks != said).map(Encoding::name),
            })
        }
        (None, Some(looks)) => Ok(looks),
        (None, None) => Err(CharsetError::Doubtful),
    }
}

/// UTF-16 without a byte order mark, by the zeros of markup in ASCII.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [b'<', 0, second, 0, ..] if *second != 0 => Some(UTF_16LE),
        [0, b'<', 0, second, ..] if *second != 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// GB18030 has all that GBK and GB2312 have.
fn widest(charset: &'static Encoding) -> &'static Encoding {
    if charset == GBK { GB18030 } else { charset }
}

/// As much as is looked at, up to the end of a line, so that no character is cut.
fn sample(bytes: &[u8]) -> &[u8] {
    let Some(head) = bytes.get(..SAMPLE_BYTES) else { return bytes };
    let end = head.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // A line that long is cut where ASCII begins, which no character of these charsets spans.
    let ascii = || head.windows(2).rposition(|pair| pair.iter().all(|b| *b < 0x30));
    let end = if end > 0 { end } else { ascii().map_or(head.len(), |at| at + 1) };
    &head[..end]
}

pub(super) fn strictly<'b>(charset: &'static Encoding, bytes: &'b [u8]) -> Option<Cow<'b, str>> {
    charset.decode_without_bom_handling_and_without_replacement(bytes)
}

/// Whether the bytes bear out that they are in this charset.
fn holds(said: &'static Encoding, bytes: &[u8], looks: Option<&'static Encoding>) -> bool {
    let Some(text) = strictly(said, bytes) else { return false };
    if MULTIBYTE.contains(&said) {
        return looks == Some(said) || share(said, &text).is_none_or(|share| share >= EVERYDAY);
    }
    let is_multibyte = looks.is_some_and(|looks| MULTIBYTE.contains(&looks));
    !is_multibyte && !text.chars().any(|c| ('\u{80}'..'\u{a0}').contains(&c))
}

/// What the bytes look like, when they look like one thing alone.
fn guess(bytes: &[u8]) -> Option<&'static Encoding> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    let likely = widest(detector.guess(None, Utf8Detection::Deny));
    let mut shares: Vec<(f64, &Encoding)> = Vec::new();
    for charset in MULTIBYTE {
        let Some(text) = strictly(charset, bytes) else { continue };
        if text.chars().filter(|c| !c.is_ascii()).count() >= FEWEST
            && let Some(share) = share(charset, &text)
        {
            shares.push((share, charset));
        }
    }
    shares.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    match shares[..] {
        [(best, charset), ref rest @ ..]
            if best >= CERTAIN && rest.first().is_none_or(|(next, _)| next + APART <= best) =>
        {
            (likely == charset || best >= 0.97).then_some(charset)
        }
        [(best, _), ..] if best >= 0.5 => None,
        _ => (likely == WINDOWS_1252 && is_western(&strictly(WINDOWS_1252, bytes)?))
            .then_some(WINDOWS_1252),
    }
}

/// Whether most of what is beyond ASCII is UTF-8, so that the rest is a fault and not another charset.
pub(super) fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut whole, mut broken) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| *c >= '\u{800}').count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    whole > 10 * broken
}

/// What a document says of itself: in its XML declaration, or in a `meta` of HTML.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(PROLOGUE_BYTES)];
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let head = head.trim_start();
    if let Some(xml) = head.strip_prefix("<?xml") {
        let declaration = xml.split("?>").next()?;
        return value(declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?);
    }
    if !head.starts_with('<') {
        return None;
    }
    let found = without_unseen(head).split("<meta").skip(1).find_map(|rest| {
        let tag = rest.split('>').next()?;
        value(tag.split("charset").nth(1)?.trim_start().strip_prefix('=')?)
    });
    // What reads as ASCII so far is not in UTF-16, whatever it says.
    found.filter(|name| !name.starts_with("utf-16") && !name.starts_with("utf16"))
}

/// The beginning of a page without its comments and scripts, where a `meta` means nothing.
fn without_unseen(head: &str) -> String {
    const UNSEEN: [(&str, &str); 3] =
        [("<!--", "-->"), ("<script", "</script"), ("<style", "</style")];
    let mut kept = String::new();
    let mut rest = head;
    loop {
        let next =
            UNSEEN.iter().filter_map(|(open, close)| Some((rest.find(open)?, *open, *close))).min();
        let Some((at, open, close)) = next else {
            kept.push_str(rest);
            return kept;
        };
        kept.push_str(&rest[..at]);
        let inside = &rest[at + open.len()..];
        let Some(end) = inside.find(close) else { return kept };
        rest = &inside[end + close.len()..];
    }
}

/// The word after `=`, in quotes or not.
fn value(rest: &str) -> Option<String> {
    let rest = rest.trim_start().trim_start_matches(['"', '\'']);
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c)));
    let word = &rest[..end.unwrap_or(rest.len())];
    (!word.is_empty()).then(|| word.to_owned())
}

/// Where the bytes are not of this charset.
fn broken(charset: &'static Encoding, bytes: &[u8]) -> CharsetError {
    let mut decoder = charset.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(
        decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or_default(),
    );
    let (result, read) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
    let at = match result {
        DecoderResult::Malformed(length, after) => read - usize::from(length) - usize::from(after),
        DecoderResult::InputEmpty | DecoderResult::OutputFull => read.saturating_sub(1),
    };
    CharsetError::Broken {
        charset: charset.name(),
        byte: bytes.get(at).copied().unwrap_or_default(),
        line: 1 + memchr::memchr_iter(b'\n', &bytes[..at.min(bytes.len())]).count(),
        at: at + 1,
    }
}

/// What is left where characters were lost before: replacement characters, alone or read as GBK.
fn damage(charset: &'static Encoding, text: &str) -> Option<CharsetError> {
    let damaged = |sign: &'static str| {
        let before = &text[..text.find(sign)?];
        Some(CharsetError::Damaged { sign, line: 1 + before.matches('\n').count() })
    };
    if charset != UTF_8 {
        return damaged("锟斤拷");
    }
    let lost = text.matches('\u{fffd}').count();
    let all = || text.chars().filter(|c| !c.is_ascii()).count();
    (lost >= 2 && lost * 100 > all()).then(|| damaged("\u{fffd}")).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMPLIFIED: &str = "城东新图书馆周六开放，馆内共有四层，读者可以免费借书。";
    const TRADITIONAL: &str = "城東新圖書館週六開放，館內共有四層，讀者可以免費借書。";
    const JAPANESE: &str = "城東の新しい図書館は土曜日に開館します。入場は無料です。";
    const FRENCH: &str =
        "La bibliothèque du quartier ouvre samedi, et l’entrée sera gratuite dès l’été.";

    fn encoded(charset: &'static Encoding, text: &str) -> Vec<u8> {
        charset.encode(text).0.into_owned()
    }

    fn check(bytes: &[u8], label: Label<'_>, expected: Result<&str, &str>) {
        match (decode(bytes, label), expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected),
            (Err(error), Err(part)) => {
                let shown = error.to_string();
                assert!(shown.contains(part), "{shown}");
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn bytes_alone_tell_when_they_are_like_one_charset_only() {
        check(SIMPLIFIED.as_bytes(), Label::None, Ok(SIMPLIFIED));
        check(&encoded(GBK, SIMPLIFIED), Label::None, Ok(SIMPLIFIED));
        check(&encoded(BIG5, TRADITIONAL), Label::None, Ok(TRADITIONAL));
        check(&encoded(SHIFT_JIS, JAPANESE), Label::None, Ok(JAPANESE));
        check(&encoded(WINDOWS_1252, FRENCH), Label::None, Ok(FRENCH));
        check(b"plain", Label::None, Ok("plain"));
    }

    #[test]
    fn a_byte_order_mark_outranks_what_is_said() {
        let marked = format!("\u{feff}{SIMPLIFIED}");
        check(marked.as_bytes(), Label::Claimed("gbk"), Ok(SIMPLIFIED));
        let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        check(&wide, Label::None, Ok(SIMPLIFIED));
    }

    #[test]
    fn documents_are_believed_where_their_bytes_bear_them_out() {
        let page =
            |charset: &str| format!("<html><head><meta charset={charset}></head>{SIMPLIFIED}");
        check(&encoded(GBK, &page("gb2312")), Label::None, Ok(&page("gb2312")));
        let meta = "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=big5\">";
        let page = format!("<html>{meta}{TRADITIONAL}");
        check(&encoded(BIG5, &page), Label::None, Ok(&page));
        let feed = format!("<?xml version='1.0' encoding='GBK'?><rss>{SIMPLIFIED}</rss>");
        check(&encoded(GBK, &feed), Label::Claimed("gbk"), Ok(&feed));
        // The server is wrong, the document is right.
        check(&encoded(GBK, &feed), Label::Claimed("big5"), Ok(&feed));
        check(feed.as_bytes(), Label::Claimed("gbk"), Ok(&feed));
        // Few characters, and a label.
        check(&encoded(GBK, "模"), Label::Claimed("gb2312"), Ok("模"));
        check("café".as_bytes(), Label::Claimed("iso-8859-1"), Ok("café"));
    }

    #[test]
    fn a_charset_in_a_comment_or_a_script_is_not_that_of_the_page() {
        for unseen in [
            "<!-- <meta charset=\"utf-8\"> -->".to_owned(),
            "<script>var x = '<meta charset=\"utf-8\">';</script>".to_owned(),
            "<style>/* <meta charset=utf-8> */</style>".to_owned(),
            format!("<!-- {} <meta charset=utf-8> -->", "x".repeat(9_000)),
        ] {
            let page = format!("{unseen}<html><head><meta charset=gbk></head>{SIMPLIFIED}");
            check(&encoded(GBK, &page), Label::None, Ok(&page));
        }
        // An open comment hides all that follows.
        let page = format!("<html><!-- <meta charset=big5>{SIMPLIFIED}");
        check(&encoded(GBK, &page), Label::None, Ok(&page));
    }

    #[test]
    fn utf_16_is_read_with_and_without_a_mark_and_not_where_only_ascii_says_so() {
        let page = format!("<html><head><meta charset=\"utf-16\"></head>{SIMPLIFIED}");
        let little: Vec<u8> = page.encode_utf16().flat_map(u16::to_le_bytes).collect();
        check(&little, Label::None, Ok(&page));
        let big: Vec<u8> = page.encode_utf16().flat_map(u16::to_be_bytes).collect();
        check(&big, Label::None, Ok(&page));
        check(page.as_bytes(), Label::None, Ok(&page));
        check(&encoded(GBK, &page), Label::None, Ok(&page));
    }

    #[test]
    fn doubtful_text_is_refused() {
        let gbk = encoded(GBK, SIMPLIFIED);
        check(&gbk, Label::Claimed("windows-1252"), Err("looks like gb18030"));
        check(&gbk, Label::Claimed("utf-8"), Err("broken UTF-8"));
        check(&encoded(GBK, "模样"), Label::None, Err("does not say"));
        check(&gbk, Label::Certain("klingon"), Err("no charset"));
        check(&gbk, Label::Certain("utf-8"), Err("line 1 (byte 1 of the file)"));
        let mut cut = SIMPLIFIED.repeat(3).into_bytes();
        cut.truncate(cut.len() - 1);
        check(&cut, Label::None, Err("broken UTF-8: byte 0xe3"));
        let mut broken = encoded(GBK, &format!("一\n{SIMPLIFIED}"));
        broken[5] = 0xff;
        check(&broken, Label::Certain("gbk"), Err("in line 2"));
    }

    #[test]
    fn text_that_was_damaged_before_is_refused() {
        let lossy = String::from_utf8_lossy(&encoded(GBK, SIMPLIFIED)).into_owned();
        check(lossy.as_bytes(), Label::None, Err("characters were lost"));
        let twice = encoded(GBK, &format!("{SIMPLIFIED}\n锟斤拷锟斤拷"));
        check(&twice, Label::Certain("gbk"), Err("`锟斤拷` in line 2"));
    }
}
