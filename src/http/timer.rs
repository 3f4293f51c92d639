//! The timer of one connection.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use tokio::time;

/// For one connection, which waits for one thing at a time: its next request.
///
/// hyper wants an alarm set for each request, and takes it back as soon as the request is there: two changes to the
/// runtime's wheel of timers, for nothing. So an alarm that is set stays set. When it rings too early, which it does once
/// in a whole time-out at most, it is put off.
#[derive(Default)]
pub(super) struct ConnectionTimer(Arc<Alarm>);

type Alarm = Mutex<Option<Pin<Box<time::Sleep>>>>;

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait { alarm: Arc::clone(&self.0), deadline: deadline.into() })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into()
    }
}

/// Until a time.
struct Wait {
    alarm: Arc<Alarm>,
    deadline: time::Instant,
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let alarm = alarm.get_or_insert_with(|| Box::pin(time::sleep_until(self.deadline)));
        if alarm.deadline() > self.deadline {
            alarm.as_mut().reset(self.deadline);
        }
        loop {
            ready!(alarm.as_mut().poll(context));
            if alarm.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(self.deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn each_wait_ends_at_its_own_time() {
        let timer = ConnectionTimer::default();
        let has_passed = |begin: Instant, ticks| timer.now() - begin >= ticks * TICK;
        // Requests that come in time; then none.
        let mut last = timer.now();
        for _ in 0..3 {
            last = timer.now();
            let wait = timer.sleep_until(last + 5 * TICK);
            assert!(time::timeout(3 * TICK, wait).await.is_err());
        }
        timer.sleep_until(last + 7 * TICK).await;
        assert!(has_passed(last, 7), "an alarm for an earlier request ended it");
        // One after the alarm has rung, one in the place of a longer one, one that is over already.
        let begin = timer.now();
        timer.sleep(2 * TICK).await;
        assert!(has_passed(begin, 2));
        assert!(time::timeout(TICK, timer.sleep(3_600_000 * TICK)).await.is_err());
        timer.sleep(TICK).await;
        timer.sleep_until(begin).await;
        assert!(has_passed(begin, 4));
    }
}
