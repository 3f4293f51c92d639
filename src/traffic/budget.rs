//! Budgets: how often a client may ask for a feed.
//!
//! Token buckets of a size that is fixed from the start, whoever asks: a flood of addresses makes them forget, not grow.
//! A bucket is one word, so that nobody waits for anybody.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

/// A bucket that was emptied is full again after this long, in milliseconds.
const HOUR: u64 = 3_600_000;
/// How many buckets a key may be in.
const WAYS: usize = 4;
/// How often to try again when another request changes the same bucket at the same time; then it is let through.
const MAX_RACES: usize = 8;
/// The part of a word that is a time, in milliseconds since 1970: until the year 2109.
const TIME_BITS: u32 = 42;
const TIME: u64 = (1 << TIME_BITS) - 1;

/// How often a client may ask for a feed. A bucket holds an hour's requests, and fills evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Without a validator.
    pub unconditional_per_hour: NonZeroU32,
    /// With one.
    pub conditional_per_hour: NonZeroU32,
}

impl Default for Rates {
    fn default() -> Self {
        // Twice a minute and twenty times a minute: an office behind one address, all of whose readers poll.
        const UNCONDITIONAL: NonZeroU32 = NonZeroU32::new(120).expect("120 is not zero");
        const CONDITIONAL: NonZeroU32 = NonZeroU32::new(1_200).expect("1,200 is not zero");
        Self { unconditional_per_hour: UNCONDITIONAL, conditional_per_hour: CONDITIONAL }
    }
}

/// The buckets. Each word says whose it is (a few bits of its key) and when it will be full: the theoretical arrival
/// time of the generic cell rate algorithm. One whose time has come is as good as none, and the first to make room.
#[derive(Debug)]
pub struct Budgets {
    slots: Box<[AtomicU64]>,
}

impl Budgets {
    /// Room for this many keys, a power of two: eight bytes each.
    pub fn new(slots: usize) -> Self {
        debug_assert!(slots.is_power_of_two() && slots >= WAYS, "an index is a part of a key");
        Self { slots: std::iter::repeat_with(AtomicU64::default).take(slots).collect() }
    }

    /// Takes one request out of a bucket, or says how many milliseconds to wait for the next. All bits of `key` have to
    /// be mixed well.
    pub fn spend(&self, key: u64, per_hour: NonZeroU32, now: u64) -> Result<(), u64> {
        let (now, owner, set) = (now & TIME, key & !TIME, self.set(key));
        for _ in 0..MAX_RACES {
            let (slot, word) = find(set, owner);
            let next = next(word, owner, per_hour, now)?;
            let swapped =
                slot.compare_exchange(word, owner | next, Ordering::Relaxed, Ordering::Relaxed);
            if swapped.is_ok() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What [`Self::spend`] would say, with nothing taken.
    pub fn look(&self, key: u64, per_hour: NonZeroU32, now: u64) -> Result<(), u64> {
        let (_, word) = find(self.set(key), key & !TIME);
        next(word, key & !TIME, per_hour, now & TIME).map(drop)
    }

    /// The buckets that may be a key's. The low bits choose, the high ones tell apart.
    fn set(&self, key: u64) -> &[AtomicU64] {
        let first = usize::try_from(key & TIME).unwrap_or_default() & (self.slots.len() - WAYS);
        &self.slots[first..first + WAYS]
    }
}

/// When the bucket of an owner will be full once another request was taken, or how long to wait before that can be.
fn next(word: u64, owner: u64, per_hour: NonZeroU32, now: u64) -> Result<u64, u64> {
    let full = if word & !TIME == owner { word & TIME } else { 0 };
    // Further ahead than an empty bucket: the clock was set back.
    let full = if full > now + HOUR { now } else { full.max(now) };
    let next = full + HOUR / u64::from(per_hour.get());
    if next > now + HOUR { Err(next - now - HOUR) } else { Ok(next) }
}

/// The bucket of an owner, or else the one that is missed least: the first to be full.
fn find(set: &[AtomicU64], owner: u64) -> (&AtomicU64, u64) {
    let mut best = (&set[0], set[0].load(Ordering::Relaxed));
    for slot in set {
        let word = slot.load(Ordering::Relaxed);
        if word & !TIME == owner {
            return (slot, word);
        }
        if word & TIME < best.1 & TIME {
            best = (slot, word);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    const NOON: u64 = 1_772_712_000_000;

    fn rate(per_hour: u32) -> NonZeroU32 {
        NonZeroU32::new(per_hour).unwrap()
    }

    fn key(number: u64) -> u64 {
        xxh3_64(&number.to_le_bytes())
    }

    #[test]
    fn an_hours_requests_may_come_at_once_and_come_back_evenly() {
        let budgets = Budgets::new(64);
        for _ in 0..120 {
            assert_eq!(budgets.look(key(1), rate(120), NOON), Ok(()), "nothing is taken");
            assert_eq!(budgets.spend(key(1), rate(120), NOON), Ok(()));
        }
        assert_eq!(budgets.look(key(1), rate(120), NOON), Err(30_000));
        assert_eq!(budgets.spend(key(1), rate(120), NOON), Err(30_000), "H-24");
        assert_eq!(budgets.spend(key(1), rate(120), NOON + 29_999), Err(1));
        assert_eq!(budgets.spend(key(1), rate(120), NOON + 30_000), Ok(()));
        assert_eq!(budgets.spend(key(1), rate(120), NOON + 30_000), Err(30_000));
        assert_eq!(budgets.spend(key(2), rate(120), NOON), Ok(()), "another client");
        for _ in 0..120 {
            assert_eq!(budgets.spend(key(1), rate(120), NOON + 30_000 + HOUR), Ok(()), "full");
        }
    }

    #[test]
    fn who_polls_once_an_hour_is_never_refused() {
        let budgets = Budgets::new(64);
        for hour in 0..1_000 {
            assert_eq!(budgets.spend(key(1), rate(1), NOON + hour * HOUR), Ok(()), "H-25");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let budgets = Budgets::new(64);
        for _ in 0..10 {
            assert_eq!(budgets.spend(key(1), rate(10), NOON + 100 * HOUR), Ok(()));
        }
        assert_eq!(budgets.spend(key(1), rate(10), NOON), Ok(()));
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_room_and_spares_who_is_in_debt() {
        let budgets = Budgets::new(1_024);
        for _ in 0..120 {
            assert_eq!(budgets.spend(key(0), rate(120), NOON), Ok(()));
        }
        for number in 1..100_000 {
            assert_eq!(budgets.spend(key(number), rate(120), NOON), Ok(()));
        }
        assert_eq!(budgets.slots.len(), 1_024);
        assert!(budgets.spend(key(0), rate(120), NOON).is_err(), "those who asked once make room");
    }

    proptest! {
        #[test]
        fn no_client_gets_more_than_its_rate(
            per_hour in 1_u32..5_000,
            gaps in prop::collection::vec(0_u64..120_000, 1..400),
        ) {
            let budgets = Budgets::new(64);
            let mut now = NOON;
            let mut taken = 0_u64;
            for gap in gaps {
                now += gap;
                match budgets.spend(key(7), rate(per_hour), now) {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        prop_assert!(wait <= HOUR / u64::from(per_hour));
                        prop_assert!(budgets.spend(key(7), rate(per_hour), now + wait).is_ok());
                        now += wait;
                        taken += 1;
                    }
                }
                let most = u64::from(per_hour) + 1 + (now - NOON) / (HOUR / u64::from(per_hour));
                prop_assert!(taken <= most, "{taken} of {most}");
            }
        }
    }
}
