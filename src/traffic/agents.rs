//! Which programs ask most: a bounded list (space-saving, Metwally 2005), of which the heads are right.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use xxhash_rust::xxh3::xxh3_64;

use super::agent::{MAX_NAME, Name};

/// Names that are kept.
const SLOTS: usize = 256;
/// How many places a name may be in: so many are looked at, and the least of them makes room.
const WAYS: usize = 4;

/// One name and how often it asked, too many by what the names before it had.
#[derive(Debug, Default)]
struct Slot {
    hash: AtomicU64,
    count: AtomicU64,
}

/// The list.
#[derive(Debug)]
pub(super) struct Agents {
    slots: [Slot; SLOTS],
    /// Written when a name takes a place, which is seldom.
    names: Mutex<Box<[[u8; MAX_NAME]; SLOTS]>>,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            slots: std::array::from_fn(|_| Slot::default()),
            names: Mutex::new(Box::new([[0; MAX_NAME]; SLOTS])),
        }
    }
}

impl Agents {
    /// Counts a request.
    pub(super) fn note(&self, name: Name<'_>) {
        let hash = xxh3_64(name.as_bytes());
        let first = usize::try_from(hash >> 32).unwrap_or_default() % (SLOTS / WAYS) * WAYS;
        let set = &self.slots[first..first + WAYS];
        if let Some(slot) = set.iter().find(|slot| slot.hash.load(Ordering::Relaxed) == hash) {
            slot.count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Whoever finds others at it is not counted: better than to wait.
        let Ok(mut names) = self.names.try_lock() else { return };
        let known = set.iter().find(|slot| slot.hash.load(Ordering::Relaxed) == hash);
        if let Some(slot) = known {
            slot.count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let least =
            set.iter().enumerate().min_by_key(|(_, slot)| slot.count.load(Ordering::Relaxed));
        let Some((way, slot)) = least else { return };
        let mut bytes = [0; MAX_NAME];
        bytes[..name.as_bytes().len()].copy_from_slice(name.as_bytes());
        names[first + way] = bytes;
        slot.hash.store(hash, Ordering::Relaxed);
        slot.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Those that asked most, and how often.
    pub(super) fn top(&self, most: usize) -> Vec<(String, u64)> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = self.slots.iter().map(|slot| slot.count.load(Ordering::Relaxed));
        let mut all: Vec<_> = names
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| {
                (String::from_utf8_lossy(name).trim_end_matches('\0').to_owned(), count)
            })
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(most);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_ask_most_stay_whoever_else_comes() {
        let agents = Agents::default();
        let name = |text: &str| agents.note(Name::of(text.as_bytes()).unwrap());
        let letters = |mut number: u32| {
            let mut text = "x".to_owned();
            while number > 0 {
                text.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
                number /= 26;
            }
            text
        };
        for round in 0..20_000 {
            name("Feedly/1.0");
            name(if round % 2 == 0 { "curl/8" } else { "Feedbin feed-id:1" });
            name(&letters(round));
        }
        let top = agents.top(3);
        let names: Vec<_> = top.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Feedly", "Feedbin", "curl"], "{top:?}");
        assert!(top[0].1 >= 20_000 && top[0].1 < 21_000, "{top:?}");
        assert!(agents.top(1_000).len() <= SLOTS);
    }
}
