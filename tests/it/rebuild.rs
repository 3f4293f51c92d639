//! Rebuilding off the path: few editions however many writes; better codings later, which cost nobody a download.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use courant::publish::{Publisher, Recoding};
use http_body_util::BodyExt;

use crate::{
    delta::{ask, field},
    fixtures::{Home, at, submission},
    http::size,
};

const PATH: &str = "/all.rss";
const CODINGS: [&str; 3] = ["br", "zstd", "gzip"];

async fn tag(publisher: &Publisher, coding: &str) -> String {
    let answer = ask(publisher, PATH, &[("accept-encoding", coding)]).await;
    field(&answer, "etag").to_owned()
}

/// A feed that has lived, and has been asked for.
async fn home() -> (Home, std::sync::Arc<Publisher>) {
    let home = Home::new();
    home.publish((0..50).map(|n| submission(&format!("a{n}"), -n)).collect(), 0).await;
    let publisher = home.publisher(at(0)).await;
    for _ in 0..40 {
        tag(&publisher, "gzip").await;
    }
    (home, publisher)
}

async fn rounds(publisher: &Publisher, count: i64) {
    for second in 1..=count {
        publisher.refresh(at(second)).await.unwrap();
    }
}

/// Until nothing more is to be done.
async fn recode(publisher: &Publisher) {
    let mut recoding = Recoding::default();
    for _ in 0..1_000 {
        publisher.recode(&mut recoding);
        if recoding.is_idle() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("coding a small feed takes more than 20 s");
}

#[tokio::test]
async fn a_feed_that_lives_and_is_asked_for_is_coded_better() {
    let (home, publisher) = home().await;
    let whole = ask(&publisher, PATH, &[]).await.into_body().collect().await.unwrap().to_bytes();
    recode(&publisher).await;
    let quick = tag(&publisher, "gzip").await;
    assert!(quick.ends_with(";gzip\""), "too young: {quick}");

    let mut before = Vec::new();
    for coding in CODINGS {
        let answer = ask(&publisher, PATH, &[("accept-encoding", coding)]).await;
        before.push((coding, field(&answer, "etag").to_owned(), size(&answer)));
    }
    rounds(&publisher, 100).await;
    recode(&publisher).await;
    for (coding, quick, length) in &before {
        let accept = ("accept-encoding", *coding);
        let answer = ask(&publisher, PATH, &[accept]).await;
        assert_eq!(answer.status(), 200);
        let (better, smaller) = (field(&answer, "etag").to_owned(), size(&answer));
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(better, quick.replace(coding, &format!("{coding}+")), "H-33");
        assert!(smaller < *length, "{coding}: {smaller} bytes, before {length}");
        let fields = [("content-encoding".parse().unwrap(), coding.parse().unwrap())];
        let fields = http::HeaderMap::from_iter(fields);
        assert_eq!(crate::histories::decoded(&fields, &body), whole, "{coding}");
        for held in [quick, &better] {
            let answer = ask(&publisher, PATH, &[accept, ("if-none-match", held)]).await;
            assert_eq!((answer.status().as_u16(), field(&answer, "etag")), (304, held.as_str()));
        }
    }
    // A client that has it in one coding has it, whatever it takes now.
    for (accepted, status) in [("zstd", 304), ("identity", 200)] {
        let held = [("accept-encoding", accepted), ("if-none-match", before[0].1.as_str())];
        assert_eq!(ask(&publisher, PATH, &held).await.status(), status, "V30, {accepted}");
    }

    // A change is coded quickly again, and the tag of the better coding is as good a base as any.
    let better = tag(&publisher, "gzip").await;
    home.publish(vec![submission("new", 10)], 200).await;
    publisher.refresh(at(300)).await.unwrap();
    assert!(tag(&publisher, "gzip").await.ends_with(";gzip\""));
    let held = [("accept-encoding", "gzip"), ("a-im", "feed"), ("if-none-match", better.as_str())];
    let delta = ask(&publisher, PATH, &held).await;
    assert_eq!((delta.status().as_u16(), field(&delta, "delta-base")), (226, better.as_str()));
}

#[tokio::test]
async fn a_change_that_comes_meanwhile_wins() {
    let (home, publisher) = home().await;
    rounds(&publisher, 100).await;
    let mut recoding = Recoding::default();
    publisher.recode(&mut recoding);
    assert!(!recoding.is_idle());
    home.publish(vec![submission("new", 10)], 200).await;
    publisher.refresh(at(300)).await.unwrap();
    let newer = tag(&publisher, "gzip").await;
    for _ in 0..1_000 {
        publisher.recode(&mut recoding);
        if recoding.is_idle() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(recoding.is_idle());
    assert_eq!(tag(&publisher, "gzip").await, newer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_writes_makes_an_edition_a_second() {
    let (home, publisher) = home().await;
    let follower = tokio::spawn({
        let publisher = std::sync::Arc::clone(&publisher);
        async move { publisher.follow(|| at(100)).await }
    });
    let begun = Instant::now();
    let (mut tags, mut count) = (BTreeSet::new(), 0);
    // Until a second edition was made; a write of a burst never waits for one.
    while begun.elapsed() < Duration::from_millis(2_500) || tags.len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "a burst keeps new editions away");
        count += 1;
        home.publish(vec![submission(&format!("b{count}"), 1)], 10).await;
        tags.insert(publisher.cached(PATH).unwrap().revision());
    }
    // The one before the burst, one at once, and one for each second that passed.
    let most = 2 + usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(tags.len() <= most, "{count} writes, {} editions", tags.len());
    let newest = home.store.head().await.unwrap();
    let deadline = begun + Duration::from_secs(30);
    while publisher.cached(PATH).unwrap().revision() < newest {
        assert!(Instant::now() < deadline, "the last write of a burst is not published");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    follower.abort();
}

#[tokio::test]
async fn an_article_that_cannot_be_read_keeps_no_other_feed_old() {
    let home = Home::new();
    home.publish(vec![submission("good", 0), submission("bad", 0)], 0).await;
    let publisher = home.publisher(at(0)).await;
    // The most used feed is the first to be made again.
    for path in ["/category/news.rss", "/category/news.rss", "/all.rss"] {
        ask(&publisher, path, &[]).await;
    }
    let file = rusqlite::Connection::open(home.file()).unwrap();
    let spoil = "UPDATE article SET story = '{' WHERE id = 'bad'";
    assert_eq!(file.execute(spoil, []).unwrap(), 1);
    let listing = ask(&publisher, "/", &[]).await;
    let before = field(&listing, "etag").to_owned();
    let mut letter = submission("letter", 0);
    letter.story.categories = vec![courant::category::Category::from_label("读者").unwrap()];
    home.publish(vec![letter], 50).await;
    publisher.refresh(at(50)).await.unwrap();
    assert_ne!(field(&ask(&publisher, "/", &[]).await, "etag"), before);
    let kept = ask(&publisher, "/all.rss", &[]).await;
    assert_eq!(kept.status(), 200, "the last good edition");
}
