//! Keeping a static edition current: a pass for every write, at most one a second, and with patience when the store or the
//! target is away.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::export::{ExportError, Exporter, Summary};

/// Least time from one pass to the next.
const ROUND: Duration = Duration::from_secs(1);
/// How often what falls due is looked for, at least.
const LOOK: Duration = Duration::from_secs(1);
/// How long to leave alone what fails: twice as long each time.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_mins(1);

impl Exporter {
    /// Brings the target up to date again and again, until it is to stop; `told` hears of passes that changed something.
    pub async fn watch(&self, told: impl Fn(&Summary)) {
        let mut pause = LEAST_PAUSE;
        let stop = &self.options.stop;
        while !stop.is_cancelled() {
            match self.alone(self.follow(&mut pause, &told)).await {
                Ok(()) | Err(ExportError::Stopped) => break,
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the static edition stays as it is; trying again in {pause:?}"
                ),
            }
            tokio::select! {
                () = sleep(pause) => {},
                () = stop.cancelled() => {},
            }
            pause = (pause * 2).min(MOST_PAUSE);
        }
    }

    async fn follow(
        &self,
        pause: &mut Duration,
        told: impl Fn(&Summary),
    ) -> Result<(), ExportError> {
        loop {
            let begun = Instant::now();
            let summary = self.pass().await?;
            *pause = LEAST_PAUSE;
            let Summary { files_written, files_removed, ref problems, .. } = summary;
            if files_written + files_removed > 0 || !problems.is_empty() {
                told(&summary);
            }
            let news = async {
                sleep_until(begun + ROUND).await;
                self.news(&summary).await
            };
            tokio::select! {
                news = news => news?,
                () = self.options.stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Waits for a write, and publishes what falls due meanwhile.
    async fn news(&self, shown: &Summary) -> Result<(), ExportError> {
        loop {
            let now = self.now();
            let due = self.publisher.refresh(now).await?;
            let left = due.map_or(LOOK, |due| (due - now).to_std().unwrap_or_default().min(LOOK));
            let changed = self.publisher.store().changed(shown.revision);
            if let Ok(changed) = timeout(left, changed).await {
                changed?;
                return Ok(());
            }
        }
    }
}
