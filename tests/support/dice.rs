//! Random numbers that can be repeated.

use std::{env, fmt::Debug};

/// Seed of a random test: `COURANT_TEST_SEED` mixed with the test's own, or the test's own. Printed, so that a run that
/// failed can be repeated.
#[allow(clippy::print_stderr, reason = "libtest shows it when the test fails")]
pub(crate) fn seed(own: u64) -> u64 {
    let asked = env::var("COURANT_TEST_SEED")
        .ok()
        .map(|value| value.parse::<u64>().expect("COURANT_TEST_SEED is a whole number"));
    eprintln!("COURANT_TEST_SEED={}", asked.unwrap_or_default());
    // Xorshift never leaves zero.
    (own ^ asked.unwrap_or_default()).max(1)
}

/// Xorshift: the same rolls for the same seed, which is not 0.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll<N>(&mut self, sides: N) -> N
    where
        N: TryInto<u64, Error: Debug> + TryFrom<u64, Error: Debug>,
    {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        N::try_from(self.0 % sides.try_into().unwrap()).unwrap()
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.roll(list.len())]
    }
}
