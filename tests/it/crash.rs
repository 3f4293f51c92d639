//! A process killed at any instant of an import loses nothing acknowledged, shows nothing half-done, and leaves a store
//! that opens.

use std::{
    num::{NonZeroU16, NonZeroU32},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use courant::{
    article::{Revision, Window},
    category::{Facet, Selection},
    store::Store,
};
use rusqlite::Connection;

use crate::{
    fixtures::open,
    support::{
        SETTINGS, Site,
        dice::{self, Dice},
        takes_its_time, wait,
    },
};

/// Records of the first batch, which edits what every round edits; then come the new ones of the second.
const EDITED: usize = 4_000;
const NEW: usize = 100;

fn records(round: u64) -> String {
    let text = "All four floors are open to everyone. ".repeat(8);
    let record = |id: String, date: &str| {
        format!(
            "{{\"id\": \"{id}\", \"title\": \"round {round}\", \"content_text\": \"{text}\", \
             \"date_published\": \"{date}\"}}\n"
        )
    };
    let edited = (0..EDITED).map(|n| record(format!("edited-{n}"), "2026-03-06"));
    let new = (0..NEW).map(|n| record(format!("new-{round}-{n}"), "2020-03-05T00:00:00Z"));
    edited.chain(new).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_import_loses_nothing_acknowledged() {
    let rounds = if takes_its_time() { 200 } else { 25 };
    let mut dice = Dice(dice::seed(0x5eed_c0de));
    let site = Site::new(SETTINGS);
    let mut usual = Duration::ZERO;
    let mut killed_while_writing = 0;
    let mut before = Revision(0);
    for round in 0..=rounds {
        site.write("batch.ndjson", records(round));
        let begun = Instant::now();
        let mut import = site
            .command(&["import", "batch.ndjson"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let is_first = round == 0;
        if !is_first {
            thread::sleep(usual * dice.roll(1_000_u32) / 900);
            import.kill().unwrap();
        }
        let is_acknowledged = wait(&mut import).success();
        if is_first {
            assert!(is_acknowledged);
            usual = begun.elapsed();
        }

        let store = open(&site.path("courant.db"));
        let head = store.head().await.unwrap();
        let batches = head.0 - before.0;
        assert!(batches <= 2, "round {round}: {batches} revisions of two batches");
        assert!(!is_acknowledged || batches == 2, "round {round}: acknowledged, and not there");
        killed_while_writing += u32::from(batches == 1);

        let limit = NonZeroU16::new(5_000).unwrap();
        let log = store.log(before, limit).await.unwrap();
        let expected = [0, EDITED, EDITED + NEW][usize::try_from(batches).unwrap()];
        assert_eq!(log.len(), expected, "round {round}: the log holds half a batch");

        let everything = Selection::default();
        let window =
            Window { count: NonZeroU16::new(2_000).unwrap(), bytes: NonZeroU32::MAX, hours: None };
        let snapshot = store.snapshot(&[Facet::all()], &everything, window).await.unwrap();
        assert_eq!(snapshot.mark.revision, head, "round {round}: marks and log differ");
        let titles: std::collections::BTreeSet<_> =
            snapshot.articles.iter().map(|article| article.story.title.to_string()).collect();
        let shown = titles.iter().next().unwrap();
        assert_eq!(titles.len(), 1, "round {round}: half a batch shows: {titles:?}");
        assert_eq!(*shown == format!("round {round}"), batches > 0, "round {round}");
        drop(store);
        before = head;
    }
    let file = Connection::open(site.path("courant.db")).unwrap();
    let verdict: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    eprintln!("{killed_while_writing} of {rounds} imports were killed between their two batches");
}
