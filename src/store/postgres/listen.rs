//! News of writes, as they are committed: `LISTEN` on a connection of its own, made again whenever it is lost.

use std::{future::poll_fn, time::Duration};

use tokio::{sync::watch, time};
use tokio_postgres::AsyncMessage;

use crate::{
    article::Revision,
    store::{Cause, news::announce, postgres::server::Server, stored},
};

/// How long to wait before connecting again: twice as long each time, up to a limit.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Which write is the newest.
const HEAD: &str = "SELECT head FROM store";

/// Listens for as long as it is polled.
pub(super) async fn follow(server: Server, channel: String, news: watch::Sender<Revision>) {
    let mut pause = FIRST;
    loop {
        let begun = time::Instant::now();
        match listen(&server, &channel, &news).await {
            Ok(()) => tracing::warn!("the database has closed the connection that news come by"),
            Err(error) => {
                tracing::warn!(error = &*error, "news from the database do not come; trying again");
            }
        }
        if begun.elapsed() > LONGEST {
            pause = FIRST;
        }
        // Replicas that lost the same server do not all come back in the same moment.
        time::sleep(pause.mul_f64(jitter())).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// From a half to one and a half.
fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    0.5 + f64::from(random) / f64::from(u32::MAX)
}

async fn listen(
    server: &Server,
    channel: &str,
    news: &watch::Sender<Revision>,
) -> Result<(), Cause> {
    let (client, mut connection) = server.reach().await?;
    let heard = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message?
                && let Ok(head) = notification.payload().parse()
            {
                announce(news, Revision(head));
            }
        }
        Ok(())
    };
    let asked = async {
        server.within(client.batch_execute(&format!("LISTEN {channel}"))).await?;
        // What was told while nobody listened comes no more.
        let newest = server.within(client.query_one(HEAD, &[])).await?;
        announce(news, stored::revision(newest.try_get(0)?));
        // As long as the client lives, the connection does.
        std::future::pending::<Result<(), Cause>>().await
    };
    tokio::select! {
        heard = heard => heard,
        asked = asked => asked,
    }
}
