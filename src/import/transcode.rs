//! A stream in any charset as a stream of UTF-8, in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::charset::{self, CharsetError, Label, SAMPLE_BYTES};

/// How much is decoded at once, in bytes.
const CHUNK_BYTES: usize = 1 << 16;

/// A stream of UTF-8.
pub type Utf8<'a> = BufReader<Box<dyn Read + Send + 'a>>;

/// The input as UTF-8. Its beginning is looked at to find what it is in; what does not fit later is an error that names the
/// place, of kind [`io::ErrorKind::InvalidData`].
pub fn utf8<'a>(mut input: impl BufRead + Send + 'a, label: Label<'_>) -> io::Result<Utf8<'a>> {
    let mut head = Vec::new();
    (&mut input).take(SAMPLE_BYTES as u64 + 1).read_to_end(&mut head)?;
    let found = charset::find(&head, label).map_err(invalid)?;
    let mark = Encoding::for_bom(&head).map_or(0, |(_, length)| length);
    let whole = io::Cursor::new(head.split_off(mark)).chain(input);
    if found == UTF_8 {
        return Ok(BufReader::with_capacity(CHUNK_BYTES, Box::new(whole)));
    }
    let decoder = found.new_decoder_without_bom_handling();
    let decoding = Decoding {
        input: BufReader::with_capacity(CHUNK_BYTES, whole),
        decoder,
        name: found.name(),
        text: String::with_capacity(4 * CHUNK_BYTES),
        given: 0,
        at: 0,
        line: 1,
        is_over: false,
    };
    Ok(BufReader::with_capacity(CHUNK_BYTES, Box::new(decoding)))
}

fn invalid(error: CharsetError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

struct Decoding<R> {
    input: R,
    decoder: Decoder,
    name: &'static str,
    text: String,
    given: usize,
    /// Bytes and lines decoded so far.
    at: usize,
    line: usize,
    is_over: bool,
}

impl<R: BufRead> Decoding<R> {
    fn refill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.given = 0;
        while self.text.is_empty() && !self.is_over {
            let bytes = self.input.fill_buf()?;
            let is_last = bytes.is_empty();
            let first = bytes.first().copied();
            let (result, read) =
                self.decoder.decode_to_string_without_replacement(bytes, &mut self.text, is_last);
            let broken = bytes.get(read.saturating_sub(1)).copied().or(first);
            self.input.consume(read);
            self.at += read;
            self.line += memchr::memchr_iter(b'\n', self.text.as_bytes()).count();
            match result {
                DecoderResult::InputEmpty => self.is_over = is_last,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    return Err(invalid(CharsetError::Broken {
                        charset: self.name,
                        byte: broken.unwrap_or_default(),
                        line: self.line,
                        at: self.at.max(1),
                    }));
                }
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Decoding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.text.len() {
            self.refill()?;
        }
        let rest = &self.text.as_bytes()[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_any_charset_reads_as_it_was_written() {
        let text = "城东新图书馆周六开放，馆内共有四层。\n".repeat(40_000);
        for charset in [encoding_rs::GB18030, UTF_8] {
            let (bytes, _, _) = charset.encode(&text);
            let mut read = String::new();
            utf8(&bytes[..], Label::None).unwrap().read_to_string(&mut read).unwrap();
            assert!(read == text, "{}", charset.name());
        }
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_line() {
        let text = "城东新图书馆周六开放，馆内共有四层。\n".repeat(20_000);
        let mut bytes = encoding_rs::GB18030.encode(&text).0.into_owned();
        let last = bytes.len() - 2;
        bytes[last] = 0xff;
        let mut read = String::new();
        let error = utf8(&bytes[..], Label::None).unwrap().read_to_string(&mut read).unwrap_err();
        assert!(
            error.to_string().contains("gb18030") && error.to_string().contains("line 20000"),
            "{error}"
        );
    }
}
