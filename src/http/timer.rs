//! The timer of one connection.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use tokio::{task::unconstrained, time};

/// For one connection, which waits for one thing at a time: its next request.
///
/// hyper wants an alarm set for each request, looks at it whenever it looks at the connection, and takes it back as soon as
/// the request is there: changes to what threads share, for nothing. So hyper only leaves a note of the time, and the one
/// [`Alarm`] of the connection, once set, stays set. When it rings too early, which it does once in a whole time-out at
/// most, it is put off.
pub(super) struct ConnectionTimer(Arc<Note>);

/// Rings when a [`ConnectionTimer`] has something due.
pub(super) struct Alarm {
    note: Arc<Note>,
    set: Option<Set>,
}

struct Set {
    sleep: Pin<Box<time::Sleep>>,
    /// Who is woken.
    waker: Waker,
}

/// What is waited for, in nanoseconds since `begin`, or one of the other states.
struct Note {
    begin: Instant,
    state: AtomicU64,
}

/// Nothing is waited for.
const NOTHING: u64 = u64::MAX;
/// What was waited for is due.
const DUE: u64 = u64::MAX - 1;

impl ConnectionTimer {
    /// With what has to be asked whenever the connection has nothing to do.
    pub(super) fn new() -> (Self, Alarm) {
        let note = Arc::new(Note { begin: Instant::now(), state: AtomicU64::new(NOTHING) });
        (Self(Arc::clone(&note)), Alarm { note, set: None })
    }
}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let nanos = deadline.saturating_duration_since(self.0.begin).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX).min(DUE - 1);
        self.0.state.store(nanos, Ordering::Relaxed);
        Box::pin(Wait(Arc::clone(&self.0)))
    }
}

/// Until what is noted is due, as the alarm says.
struct Wait(Arc<Note>);

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.state.load(Ordering::Relaxed) == DUE { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.0.state.store(NOTHING, Ordering::Relaxed);
    }
}

impl Alarm {
    /// Ready when what is waited for has become due: whoever waits has to be polled once more.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let nanos = match self.note.state.load(Ordering::Relaxed) {
            NOTHING | DUE => return Poll::Pending,
            nanos => nanos,
        };
        let deadline = time::Instant::from_std(self.note.begin + Duration::from_nanos(nanos));
        if let Some(Set { sleep, waker }) = &self.set {
            let is_set = !sleep.is_elapsed() && sleep.deadline() <= deadline;
            if is_set && waker.will_wake(context.waker()) {
                return Poll::Pending;
            }
        }
        let set = self.set.get_or_insert_with(|| Set {
            sleep: Box::pin(time::sleep_until(deadline)),
            waker: context.waker().clone(),
        });
        set.waker.clone_from(context.waker());
        if set.sleep.deadline() > deadline {
            set.sleep.as_mut().reset(deadline);
        }
        loop {
            // Whatever the task has done before: one that has used up its turn would not be woken.
            ready!(pin!(unconstrained(&mut set.sleep)).poll(context));
            if set.sleep.deadline() >= deadline {
                self.note.state.store(DUE, Ordering::Relaxed);
                return Poll::Ready(());
            }
            set.sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    /// Waits as a connection does.
    async fn until(timer: &ConnectionTimer, alarm: &mut Alarm, deadline: Instant) {
        let mut wait = timer.sleep_until(deadline);
        poll_fn(|context| {
            loop {
                if wait.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                ready!(alarm.poll(context));
            }
        })
        .await;
    }

    #[tokio::test]
    async fn each_wait_ends_at_its_own_time() {
        let (timer, mut alarm) = ConnectionTimer::new();
        let has_passed = |begin: Instant, ticks| timer.now() - begin >= ticks * TICK;
        // Requests that come in time; then none.
        let mut last = timer.now();
        for _ in 0..3 {
            last = timer.now();
            let wait = until(&timer, &mut alarm, last + 5 * TICK);
            assert!(time::timeout(3 * TICK, wait).await.is_err());
        }
        until(&timer, &mut alarm, last + 7 * TICK).await;
        assert!(has_passed(last, 7), "an alarm for an earlier request ended it");
        // One after the alarm has rung, one in the place of a longer one, one that is over already.
        let begin = timer.now();
        until(&timer, &mut alarm, begin + 2 * TICK).await;
        assert!(has_passed(begin, 2));
        let long = until(&timer, &mut alarm, begin + 3_600_000 * TICK);
        assert!(time::timeout(TICK, long).await.is_err());
        let soon = timer.now() + TICK;
        until(&timer, &mut alarm, soon).await;
        until(&timer, &mut alarm, begin).await;
        assert!(has_passed(begin, 4));
    }

    #[tokio::test]
    async fn whoever_polls_last_is_woken() {
        let (timer, mut alarm) = ConnectionTimer::new();
        let deadline = timer.now() + TICK;
        let wait = timer.sleep_until(deadline);
        assert!(alarm.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let rung = time::timeout(100 * TICK, poll_fn(|context| alarm.poll(context))).await;
        assert!(rung.is_ok() && timer.now() >= deadline);
        // It rings once, and not for what nobody waits for any more.
        drop(wait);
        assert!(time::timeout(TICK, poll_fn(|context| alarm.poll(context))).await.is_err());
    }
}
