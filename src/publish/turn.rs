//! Turns for making editions that clients ask for.
//!
//! An edition takes memory and processor time while it is made. Few are made at a time; other requests wait, and a request that
//! would wait too long is refused at once, so that neither memory nor waiting grows with the number of clients.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A request that would wait longer than this for its turn is refused.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Most requests that wait, whatever their turns take.
const MAX_WAITING: usize = 1_024;
/// Least time between two lines of the log about refused requests.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Weight of the latest turn in the average, as a part of so many.
const SMOOTHING: u64 = 8;

/// Turns of one publisher.
#[derive(Debug)]
pub(super) struct Turns {
    places: Arc<Semaphore>,
    count: usize,
    waiting: AtomicUsize,
    /// Moving average of what a turn takes, in microseconds.
    average: AtomicU64,
    refused: Mutex<Refused>,
}

/// Requests that were refused since the last line of the log.
#[derive(Debug, Default)]
struct Refused {
    count: u64,
    logged: Option<Instant>,
}

/// The right to make one edition, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    begun: Instant,
    _place: OwnedSemaphorePermit,
}

/// Why there is no turn: the time after which to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full(pub Duration);

impl Default for Turns {
    /// A turn at a time for each processor, two at least: one slow edition holds up no other.
    fn default() -> Self {
        Self::of(thread::available_parallelism().map_or(2, usize::from).max(2))
    }
}

impl Turns {
    fn of(count: usize) -> Self {
        let places = Arc::new(Semaphore::new(count));
        Self {
            places,
            count,
            waiting: AtomicUsize::new(0),
            average: AtomicU64::new(0),
            refused: Mutex::default(),
        }
    }

    /// Waits for a turn; refused at once when too many wait already.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Turn, Full> {
        let _waiter = self.queue()?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        Ok(Turn { turns: Arc::clone(self), begun: Instant::now(), _place: place })
    }

    fn queue(&self) -> Result<Waiter<'_>, Full> {
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst);
        let waiter = Waiter(&self.waiting);
        let average = Duration::from_micros(self.average.load(Ordering::Relaxed));
        let wait = expected_wait(waiting, average, self.count);
        if waiting >= MAX_WAITING || wait > MAX_WAIT {
            self.log_refusal(waiting);
            return Err(Full(wait));
        }
        Ok(waiter)
    }

    fn log_refusal(&self, waiting: usize) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        if refused.logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL) {
            let count = std::mem::take(&mut refused.count);
            tracing::warn!(count, waiting, "requests refused: too many editions are being made");
            refused.logged = Some(Instant::now());
        }
    }
}

/// How long a request waits that so many others wait before.
fn expected_wait(waiting: usize, average: Duration, places: usize) -> Duration {
    average.saturating_mul(u32::try_from(waiting / places).unwrap_or(u32::MAX))
}

/// One that waits, until it is dropped.
struct Waiter<'a>(&'a AtomicUsize);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let took = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        // Two turns that end at the same moment may lose one of their times.
        let average = self.turns.average.load(Ordering::Relaxed);
        let next = (average * (SMOOTHING - 1) + took.min(1 << 40)) / SMOOTHING;
        self.turns.average.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_those_who_wait_and_what_a_turn_takes() {
        let milliseconds = Duration::from_millis;
        for (waiting, average, places, expected) in
            [(0, 100, 2, 0), (1, 100, 2, 0), (2, 100, 2, 100), (100, 100, 2, 5_000), (100, 0, 2, 0)]
        {
            let wait = expected_wait(waiting, milliseconds(average), places);
            assert_eq!(wait, milliseconds(expected), "{waiting} × {average} / {places}");
        }
    }

    #[tokio::test]
    async fn a_turn_waits_for_another_and_is_refused_where_too_many_wait() {
        let turns = Arc::new(Turns::of(2));
        let held = [turns.take().await.unwrap(), turns.take().await.unwrap()];
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move { turns.take().await.map(drop) })
            })
            .collect();
        while turns.waiting.load(Ordering::SeqCst) < MAX_WAITING {
            tokio::task::yield_now().await;
        }
        assert!(turns.take().await.is_err());
        drop(held);
        for taken in waiting {
            taken.await.unwrap().unwrap();
        }
        assert_eq!(turns.waiting.load(Ordering::SeqCst), 0);
        assert_eq!(turns.places.available_permits(), 2);
    }

    #[tokio::test]
    async fn slow_turns_shorten_the_queue() {
        let turns = Arc::new(Turns::of(2));
        turns.average.store(1_000_000, Ordering::Relaxed);
        let _held = [turns.take().await.unwrap(), turns.take().await.unwrap()];
        turns.waiting.store(12, Ordering::SeqCst);
        assert_eq!(turns.take().await.unwrap_err(), Full(Duration::from_secs(6)));
        turns.waiting.store(0, Ordering::SeqCst);
        assert!(turns.queue().is_ok());
    }
}
