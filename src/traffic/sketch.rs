//! How many clients there are, without knowing any of them.
//!
//! `HyperLogLog`: of each client only how rare its hash is reaches a register. The key of the hash is random, in memory
//! only, and forgotten with the day. The crates for it cannot be emptied in place, and so would need a lock.

use std::sync::atomic::{AtomicU8, Ordering};

/// Registers take a byte each; the error is about 1.04 / √2048, which is 2.3 %.
const INDEX_BITS: u32 = 11;
const REGISTERS: usize = 1 << INDEX_BITS;

/// The clients of one feed on one day.
#[derive(Debug)]
pub(super) struct Sketch(Box<[AtomicU8]>);

impl Default for Sketch {
    fn default() -> Self {
        Self(std::iter::repeat_with(AtomicU8::default).take(REGISTERS).collect())
    }
}

impl Sketch {
    /// Notes that a client was here, by the hash that stands for it today.
    pub(super) fn note(&self, hash: u64) {
        let index = usize::try_from(hash >> (64 - INDEX_BITS)).unwrap_or_default();
        let rest = (hash << INDEX_BITS) | (1 << (INDEX_BITS - 1));
        let rank = u8::try_from(rest.leading_zeros() + 1).unwrap_or(u8::MAX);
        let register = &self.0[index];
        if register.load(Ordering::Relaxed) < rank {
            register.fetch_max(rank, Ordering::Relaxed);
        }
    }

    /// How many there were.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, of far less than 2^52"
    )]
    pub(super) fn estimate(&self) -> u64 {
        let count = REGISTERS as f64;
        let ranks = || self.0.iter().map(|register| register.load(Ordering::Relaxed));
        let sum: f64 = ranks().map(|rank| 0.5_f64.powi(i32::from(rank))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / sum;
        let empty = ranks().filter(|rank| *rank == 0).count();
        let is_small = raw <= 2.5 * count && empty > 0;
        let estimate = if is_small { count * (count / empty as f64).ln() } else { raw };
        estimate.round() as u64
    }

    /// Forgets the day.
    pub(super) fn clear(&self) {
        for register in &self.0 {
            register.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64_with_seed;

    use super::*;

    #[test]
    fn each_client_counts_once() {
        let sketch = Sketch::default();
        for clients in [1_u64, 10, 100, 1_000, 6_000, 50_000] {
            sketch.clear();
            for _ in 0..3 {
                for client in 0..clients {
                    sketch.note(xxh3_64_with_seed(&client.to_le_bytes(), 7));
                }
            }
            let estimate = sketch.estimate();
            assert!(estimate.abs_diff(clients) <= clients / 12, "{estimate} of {clients}");
        }
        sketch.clear();
        assert_eq!(sketch.estimate(), 0);
    }
}
