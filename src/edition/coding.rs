//! Content codings, RFC 9110 section 8.4.1: the same bytes in, the same bytes out.

use std::{io, ops::Deref};

use brotli::enc::BrotliEncoderParams;
use libdeflater::{CompressionLvl, Compressor};

/// A content coding, in the order in which the server prefers them at equal weight (H-82).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coding {
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
    /// No coding.
    Identity,
}

/// Some codings, the best first, each at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codings {
    list: [Coding; Coding::ALL.len()],
    length: usize,
}

impl FromIterator<Coding> for Codings {
    /// Takes as many as there are codings at all.
    fn from_iter<T: IntoIterator<Item = Coding>>(codings: T) -> Self {
        let mut list = Coding::ALL;
        let mut length = 0;
        for (slot, coding) in list.iter_mut().zip(codings) {
            *slot = coding;
            length += 1;
        }
        Self { list, length }
    }
}

impl Deref for Codings {
    type Target = [Coding];

    fn deref(&self) -> &[Coding] {
        &self.list[..self.length]
    }
}

/// How much time a coding may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// Milliseconds: beyond these levels, brotli and gzip take twice the time for two or three per cent less.
    Quick,
    /// Twenty times that for gzip, fifty for brotli, a hundred for zstd: five, eleven and fifteen per cent less.
    Thorough,
}

impl Effort {
    fn brotli_quality(self) -> i32 {
        match self {
            Self::Quick => 5,
            Self::Thorough => 11,
        }
    }

    fn zstd_level(self) -> i32 {
        match self {
            Self::Quick => 3,
            Self::Thorough => 19,
        }
    }

    fn gzip_level(self) -> i32 {
        match self {
            Self::Quick => 6,
            Self::Thorough => 12,
        }
    }
}

impl Coding {
    /// All, by preference; `deflate` is not among them, as clients disagree on what it is (H-80).
    pub const ALL: [Self; 4] = [Self::Brotli, Self::Zstd, Self::Gzip, Self::Identity];

    /// Its name in fields.
    pub fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }

    /// The coding of a name in a field, in any case; `x-gzip` is gzip (H-81).
    pub fn from_token(token: &[u8]) -> Option<Self> {
        let is = |name: &str| token.eq_ignore_ascii_case(name.as_bytes());
        if is("x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL.into_iter().find(|coding| is(coding.token()))
    }

    /// The bytes in this coding.
    pub fn encode(self, bytes: &[u8], effort: Effort) -> Vec<u8> {
        match self {
            Self::Brotli => brotli(bytes, effort),
            Self::Zstd => zstd::bulk::compress(bytes, effort.zstd_level())
                .expect("memory suffices for a bounded document"),
            Self::Gzip => gzip(bytes, effort),
            Self::Identity => bytes.to_vec(),
        }
    }
}

fn gzip(bytes: &[u8], effort: Effort) -> Vec<u8> {
    let level = CompressionLvl::new(effort.gzip_level()).expect("gzip has this level");
    let mut compressor = Compressor::new(level);
    let mut coded = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(bytes, &mut coded).expect("the bound is large enough");
    coded.truncate(length);
    coded
}

fn brotli(bytes: &[u8], effort: Effort) -> Vec<u8> {
    let parameters = BrotliEncoderParams {
        quality: effort.brotli_quality(),
        lgwin: window_bits(bytes.len()),
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut coded = io::Cursor::new(Vec::with_capacity(bytes.len() / 4));
    brotli::BrotliCompress(&mut io::Cursor::new(bytes), &mut coded, &parameters)
        .expect("memory does not fail");
    coded.into_inner()
}

/// The smallest window of brotli that holds so many bytes (RFC 7932 section 9.1): the encoder's tables are several times
/// as large as the window, however small the document.
fn window_bits(length: usize) -> i32 {
    let least = (length + 16).next_power_of_two().ilog2();
    i32::try_from(least.clamp(10, 22)).expect("at most 22")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn decode(coding: Coding, coded: &[u8], length: usize) -> Vec<u8> {
        let mut decoded = vec![0; length];
        match coding {
            Coding::Brotli => {
                brotli::Decompressor::new(coded, 4_096).read_exact(&mut decoded).unwrap();
            }
            Coding::Zstd => decoded = zstd::bulk::decompress(coded, length).unwrap(),
            Coding::Gzip => {
                libdeflater::Decompressor::new().gzip_decompress(coded, &mut decoded).unwrap();
            }
            Coding::Identity => decoded.copy_from_slice(coded),
        }
        decoded
    }

    #[test]
    fn what_is_coded_decodes_and_is_the_same_every_time() {
        for text in ["", "a", &"新闻 news ".repeat(5_000)] {
            for (coding, effort) in Coding::ALL
                .into_iter()
                .flat_map(|coding| [(coding, Effort::Quick), (coding, Effort::Thorough)])
            {
                let coded = coding.encode(text.as_bytes(), effort);
                assert_eq!(decode(coding, &coded, text.len()), text.as_bytes(), "{coding:?}");
                assert_eq!(coded, coding.encode(text.as_bytes(), effort), "{coding:?} {effort:?}");
            }
        }
    }

    #[test]
    fn names_are_read_in_any_case() {
        for (token, coding) in [
            ("GZIP", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("Br", Some(Coding::Brotli)),
            ("deflate", None),
        ] {
            assert_eq!(Coding::from_token(token.as_bytes()), coding, "{token}");
        }
    }
}
