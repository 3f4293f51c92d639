//! Leaving an old feed system: what articles take over, where old addresses lead, what readers see.

use std::{collections::BTreeMap, fs, process::Output};

use serde_json::Value;

use crate::support::{
    SETTINGS, Site, get,
    receiver::{Asked, Receiver, answer},
};

/// An old feed as WordPress writes it: two posts that come along, one that does not.
const OLD: &str = r#"<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom">
<channel><title>Old</title><atom:link href="https://www.example.com/feed/" rel="self" type="application/rss+xml"/>
<item><title>Bridge closed</title><link>https://www.example.com/?p=8</link><guid isPermaLink="false">https://www.example.com/?p=8</guid><pubDate>Fri, 06 Mar 2026 07:30:00 +0000</pubDate></item>
<item><title>Library opens</title><link>https://www.example.com/2026/library/</link><guid isPermaLink="false">https://www.example.com/?p=7</guid><pubDate>Thu, 05 Mar 2026 00:30:00 +0000</pubDate></item>
<item><title>Lost</title><link>https://www.example.com/?p=1</link><guid isPermaLink="false">https://www.example.com/?p=1</guid><pubDate>Mon, 02 Mar 2026 00:30:00 +0000</pubDate></item>
</channel></rss>"#;

const RECORDS: &str = r#"{"id": "7", "title": "Library opens", "url": "https://m.example.com/2026/library", "content_text": "On Saturday.", "date_published": "2026-03-05T08:00:00Z"}
{"id": "8", "title": "Bridge closed!", "content_text": "Until Monday.", "date_published": "2026-03-06"}
"#;

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn nothing_reappears_after_an_adoption() {
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", RECORDS);
    site.write("old.xml", OLD);
    assert_eq!(site.run(&["import", "new.ndjson"]).status.code(), Some(0));
    let (code, out, _) = said(&site.run(&["adopt", "--diff", "old.xml"]));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("2 reappear as unread"), "{out}");
    assert!(out.contains("guid  https://www.example.com/?p=7"), "{out}");

    let dry: Value =
        serde_json::from_slice(&site.run(&["adopt", "--dry-run", "--json", "old.xml"]).stdout)
            .unwrap();
    assert_eq!(
        (&dry["by_link"], &dry["by_title"], &dry["adopted"]),
        (&1.into(), &1.into(), &2.into())
    );
    let (code, out, error) = said(&site.run(&["adopt", "--write", "--articles", "old.xml"]));
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("2 articles adopted") && out.contains("1 no article here"), "{out}");
    assert!(out.contains("from = \"/feed/\"\nto = \"/all.rss\"\nstatus = 301"), "{out}");

    let (code, out, _) = said(&site.run(&["adopt", "--diff", "old.xml"]));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("0 reappear as unread"), "{out}");
    let (_, out, _) = said(&site.run(&["adopt", "--write", "--articles", "old.xml"]));
    assert!(
        out.contains("0 articles adopted, 2 unchanged") && !out.contains("[[redirect]]"),
        "{out}"
    );
    let diff: Value =
        serde_json::from_slice(&site.run(&["adopt", "--diff", "--json", "old.xml"]).stdout)
            .unwrap();
    assert_eq!(diff["vanishing"][0]["title"], "Lost");

    let running = site.serve();
    let (status, head, _) = get(running.address, "/feed", &[]);
    assert_eq!(status, 301, "{head}");
    assert!(head.contains("location: https://feeds.example.com/all.rss"), "{head}");
    let (_, _, feed) = get(running.address, "/all.rss", &[]);
    let feed = String::from_utf8(feed).unwrap();
    assert!(
        feed.contains("<guid isPermaLink=\"false\">https://www.example.com/?p=7</guid>"),
        "{feed}"
    );
    assert!(feed.contains("Thu, 05 Mar 2026 00:30:00"), "{feed}");
    running.stop();
}

/// An old feed as a server has it: the newest entries, and two archives that it leads to (RFC 5005 section 4).
fn documents(kind: &str) -> [(&'static str, String); 3] {
    // An article that was edited is in an archive as it was before.
    let entries = |numbers: &[u32], was: &str| {
        let entry = |number: &u32| {
            let id = format!("tag:old.example.com,2019:{number}");
            let link = format!("https://www.example.com/stories/{number}");
            let title = format!("Story {number}{was}");
            if kind == "rss" {
                let date = format!("0{number} Mar 2026 01:02:03 +0000");
                return format!(
                    "<item><title>{title}</title><link>{link}</link><guid isPermaLink=\"false\">{id}</guid><pubDate>{date}</pubDate></item>"
                );
            }
            let date = format!("2026-03-0{number}T01:02:03Z");
            format!(
                "<entry><title>{title}</title><link href=\"{link}\"/><id>{id}</id><published>{date}</published><updated>{date}</updated></entry>"
            )
        };
        numbers.iter().map(entry).collect::<String>()
    };
    let document = |links: &[(&str, &str)], entries: String| {
        let links = links.iter().map(|(rel, to)| format!("<a:link rel=\"{rel}\" href=\"{to}\"/>"));
        let head = format!("<title>Old</title>{}", links.collect::<String>());
        let spaces = "xmlns:a=\"http://www.w3.org/2005/Atom\"";
        if kind == "rss" {
            return format!(
                "<rss version=\"2.0\" {spaces}><channel>{head}{entries}</channel></rss>"
            );
        }
        format!("<feed xmlns=\"http://www.w3.org/2005/Atom\" {spaces}>{head}{entries}</feed>")
    };
    let live = [("self", "http://HERE/feed"), ("prev-archive", "/archive/2")];
    let second = [("current", "/feed"), ("prev-archive", "http://HERE/archive/1")];
    [
        ("/feed", document(&live, entries(&[6, 5], ""))),
        ("/archive/2", document(&second, entries(&[5], ", as it was") + &entries(&[4, 3], ""))),
        ("/archive/1", document(&[("next-archive", "/archive/2")], entries(&[2, 1], ""))),
    ]
}

/// Serves documents by their path; what is not among them is not there.
async fn old_server(documents: impl IntoIterator<Item = (&'static str, String)>) -> Receiver {
    let documents: BTreeMap<_, _> = documents.into_iter().collect();
    Receiver::new(move |asked: &Asked| {
        let here = asked.headers["host"].to_str().unwrap();
        match documents.get(asked.uri.path()) {
            Some(document) => {
                answer(200, &[("content-type", "text/xml")], document.replace("HERE", here))
            }
            None => answer(404, &[], "not here"),
        }
    })
    .await
}

/// The articles of [`documents`], imported with identities and dates of their own.
fn imported_anew() -> Site {
    let site = Site::new(SETTINGS);
    let records = (1..7).map(|number| {
        format!(r#"{{"id": "{number}", "title": "Number {number}", "url": "https://www.example.com/stories/{number}", "content_text": "x", "date_published": "2026-04-0{number}"}}"#) + "\n"
    });
    site.write("new.ndjson", records.collect::<String>());
    assert_eq!(site.run(&["import", "new.ndjson"]).status.code(), Some(0));
    site
}

/// What readers would know the articles by: number, identity, second.
fn known_by(site: &Site) -> Vec<(String, String, String)> {
    let feed = site.run(&["render", "all", "--format", "json"]);
    let feed: Value = serde_json::from_slice(&feed.stdout).unwrap();
    let items = feed["items"].as_array().unwrap().iter();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let number = |item: &Value| text(item, "url").rsplit('/').next().unwrap().to_owned();
    items.map(|item| (number(item), text(item, "id"), text(item, "date_published"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_only_archives_have_are_adopted() {
    for kind in ["rss", "atom"] {
        let server = old_server(documents(kind)).await;
        let address = server.url("/feed").to_string();
        let site = imported_anew();
        let diff = || {
            let output = site.run(&["adopt", "--diff", "--json", &address]);
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            (output.status.code(), found["reappearing"].as_array().unwrap().len())
        };
        assert_eq!(diff(), (Some(1), 6), "{kind}");
        let (code, out, error) = said(&site.run(&["adopt", "--write", &address]));
        assert_eq!(code, Some(0), "{kind}: {error}");
        assert!(out.starts_with("6 entries: 0 matched by identity, 6 by address"), "{kind}: {out}");
        assert!(out.contains("6 articles adopted, 0 unchanged, revision 2"), "{kind}: {out}");
        assert!(out.contains(&format!("from = \"/feed\"\nto = \"/all.{kind}\"")), "{kind}: {out}");
        assert!(!out.contains("archive"), "readers ask for the feed alone: {out}");
        let expected = (1..7).rev().map(|number| {
            let id = format!("tag:old.example.com,2019:{number}");
            (number.to_string(), id, format!("2026-03-0{number}T01:02:03Z"))
        });
        assert_eq!(known_by(&site), expected.collect::<Vec<_>>(), "{kind}");
        assert_eq!(diff(), (Some(0), 0), "{kind}");
        let (_, out, _) = said(&site.run(&["adopt", "--write", &address]));
        assert!(out.contains("0 articles adopted, 6 unchanged, revision 2"), "{kind}: {out}");
        // Each document once a run, the newest first.
        let asked = server.asked();
        let paths: Vec<_> = asked.iter().map(|asked| asked.uri.path()).collect();
        assert_eq!(paths, ["/feed", "/archive/2", "/archive/1"].repeat(4), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_cannot_be_read_stops_an_adoption_before_it_begins() {
    let [live, second, first] = documents("atom");
    let cut = (first.0, first.1[..first.1.len() / 2].to_owned());
    let page = (first.0, "<!DOCTYPE html><title>Sorry</title>".to_owned());
    for (oldest, problem) in [
        (None, "404 Not Found"),
        (Some(cut), "`atom:entry` has no end"),
        (Some(page), "not a feed"),
    ] {
        let server = old_server([live.clone(), second.clone()].into_iter().chain(oldest)).await;
        let site = imported_anew();
        let before = known_by(&site);
        let address = server.url("/feed").to_string();
        for how in ["--write", "--diff"] {
            let (code, out, error) = said(&site.run(&["adopt", how, &address]));
            assert_eq!((code, out.as_str()), (Some(2), ""), "{problem}: {error}");
            let archive = format!("cannot read its archive `{}`", server.url("/archive/1"));
            assert!(error.contains(&archive), "{problem}: {error}");
            assert!(error.contains(problem), "{problem}: {error}");
        }
        assert_eq!(known_by(&site), before, "{problem}");
        assert_eq!(fs::read_to_string(site.path("feeds.toml")).unwrap(), SETTINGS);

        // Saved copies lead nowhere: what there is can be had without the rest.
        for (nth, (_, document)) in [&live, &second].into_iter().enumerate() {
            let here = server.address.to_string();
            site.write(&format!("{nth}.xml"), document.replace("HERE", &here));
        }
        let (code, out, error) = said(&site.run(&["adopt", "0.xml", "1.xml"]));
        assert_eq!(code, Some(0), "{problem}: {error}");
        assert!(out.contains("4 articles adopted"), "{problem}: {out}");
        let adopted =
            known_by(&site).iter().filter(|known| known.1.starts_with("tag:old.")).count();
        assert_eq!(adopted, 4, "{problem}");
    }
}

#[test]
fn what_reappears_is_what_an_adoption_takes_over() {
    let item = |guid: &str, title: &str, date: &str| {
        format!(
            "<item><title>{title}</title><guid isPermaLink=\"false\">{guid}</guid><pubDate>{date}</pubDate></item>"
        )
    };
    let feed = |items: &str| {
        format!("<rss version=\"2.0\"><channel><title>Old</title>{items}</channel></rss>")
    };
    let site = Site::new(SETTINGS);
    // One moment in two time zones; two of one title and day, of which one has its identity already.
    let late = item("g1", "Bridge closed", "Fri, 06 Mar 2026 00:10:00 +0000");
    let noon = item("g2", "Weather", "Thu, 05 Mar 2026 12:00:00 +0000");
    site.write("old.xml", feed(&(late + &noon)));
    site.write(
        "new.ndjson",
        r#"{"id": "1", "title": "Bridge closed", "content_text": "x", "date_published": "2026-03-05T23:50:00Z"}
{"id": "2", "guid": "g2", "title": "Weather", "content_text": "x", "date_published": "2026-03-05T12:00:00Z"}
{"id": "3", "title": "Weather", "content_text": "x", "date_published": "2026-03-05T18:00:00Z"}
"#,
    );
    assert_eq!(site.run(&["import", "new.ndjson"]).status.code(), Some(0));
    let diff = |expected: &[&str]| {
        let output = site.run(&["adopt", "--diff", "--json", "old.xml"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let guids: Vec<_> = found["reappearing"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| &pair["old"]["guid"])
            .collect();
        assert_eq!(guids, expected, "{found:#}");
        assert_eq!(output.status.code(), Some(i32::from(!expected.is_empty())));
    };
    diff(&["g1"]);
    assert_eq!(site.run(&["adopt", "old.xml"]).status.code(), Some(0));
    diff(&[]);
}

#[test]
fn an_address_that_stays_is_no_redirect() {
    let settings = SETTINGS.replace("https://feeds.example.com/", "https://www.example.com/");
    let site = Site::new(&settings);
    // Then without TLS, and another with a slash; what is at `/all.rss` is served here.
    site.write(
        "old.xml",
        OLD.replace("https://www.example.com/2026", "http://www.example.com/2026"),
    );
    site.write("new.ndjson", RECORDS.replace("https://m.example.com", "https://www.example.com"));
    assert_eq!(site.run(&["import", "new.ndjson"]).status.code(), Some(0));
    let (code, out, error) = said(&site.run(&["adopt", "--articles", "--write", "old.xml"]));
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("2 articles adopted") && out.contains("from = \"/feed/\""), "{out}");
    assert!(!out.contains("from = \"/2026"), "{out}");
}

#[test]
fn redirects_that_do_not_fit_stop_an_adoption_before_it_begins() {
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", RECORDS);
    site.write(
        "old.xml",
        OLD.replace("https://www.example.com/feed/", "https://www.example.com/feeds.opml"),
    );
    assert_eq!(site.run(&["import", "new.ndjson"]).status.code(), Some(0));
    let (code, out, error) = said(&site.run(&["adopt", "--write", "old.xml"]));
    assert_eq!((code, out.as_str()), (Some(2), ""), "{error}");
    assert!(error.contains("the redirects do not fit it"), "{error}");
    assert_eq!(fs::read_to_string(site.path("feeds.toml")).unwrap(), SETTINGS);
    let dry = site.run(&["adopt", "--dry-run", "--json", "old.xml"]);
    let dry: Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert_eq!((&dry["adopted"], &dry["unchanged"]), (&2.into(), &0.into()), "{dry:#}");
}

#[cfg(unix)]
#[test]
fn what_is_added_to_leaves_the_file_for_whom_it_was() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", RECORDS);
    site.write("old.xml", OLD);
    let real = site.path("private.toml");
    fs::rename(site.path("feeds.toml"), &real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("private.toml", site.path("feeds.toml")).unwrap();
    assert_eq!(site.run(&["import", "new.ndjson"]).status.code(), Some(0));
    assert_eq!(site.run(&["adopt", "--write", "old.xml"]).status.code(), Some(0));
    assert!(fs::symlink_metadata(site.path("feeds.toml")).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&real).unwrap().contains("[[redirect]]"));
    let left = fs::read_dir(site.path(".")).unwrap();
    assert!(
        !left.into_iter().any(|entry| entry
            .unwrap()
            .path()
            .extension()
            .is_some_and(|ending| ending == "new"))
    );
}

#[test]
fn old_addresses_lead_on_and_what_is_gone_says_so() {
    let redirects = r#"
[[redirect]]
from = "/?feed=rss2"
to = "/all.rss"
[[redirect]]
from = "https://www.example.com/comments/feed/"
[[redirect]]
from = "/about"
to = "https://www.example.com/about.html"
status = 308
"#;
    let site = Site::new(&format!("{SETTINGS}{redirects}"));
    let running = site.serve();
    for _ in 0..2 {
        for (path, status, location) in [
            ("/?feed=rss2", 301, "https://feeds.example.com/all.rss"),
            ("/?feed=atom", 200, ""),
            ("/", 200, ""),
            ("/comments/feed", 410, ""),
            ("/about/", 308, "https://www.example.com/about.html"),
            ("/about/us", 404, ""),
            ("/all.rss?x=1", 200, ""),
        ] {
            let (found, head, _) = get(running.address, path, &[]);
            assert_eq!(found, status, "{path} {head}");
            assert!(
                location.is_empty() || head.contains(&format!("location: {location}")),
                "{path} {head}"
            );
        }
    }
    running.stop();
}

#[test]
fn redirects_that_lead_nowhere_or_around_are_refused() {
    for (redirect, problem) in [
        ("from = '/all.rss'\nto = '/x'", "`/all.rss` is served"),
        ("from = '/category/none'\nstatus = 301", "without `to`"),
        (
            "from = '/a'\nto = '/b'\n[[redirect]]\nfrom = '/b'\nto = '/a'",
            "`/b` is itself an old address",
        ),
        ("from = '/a'\nto = '/a/'", "`/a/` is itself an old address"),
        ("from = '/a'\nto = '/b'\n[[redirect]]\nfrom = '/a'\nto = '/c'", "from `/a` already"),
        ("from = '/a'\nto = '/b'\nstatus = 302", "302 is none of a redirect"),
        ("from = '/a'\nto = '/b'\nstatus = 410", "leads nowhere"),
        ("from = 'a'\nto = '/b'", "`a` is not a path"),
    ] {
        let site = Site::new(&format!("{SETTINGS}\n[[redirect]]\n{redirect}\n"));
        let (code, _, error) = said(&site.run(&["feeds"]));
        assert_eq!(code, Some(2), "{redirect}");
        assert!(error.contains(problem), "{redirect}: {error}");
    }
}

/// An old Atom feed: an IRI with characters outside ASCII, one in capitals, and two identities that are no IRI.
const ATOM: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>博客</title><id>http://b.example.org/</id><updated>2024-01-04T00:00:00Z</updated>
<link rel="self" href="http://b.example.org/atom.xml"/><link href="http://b.example.org/"/>
<entry><id>http://b.example.org/2024/新馆开放/</id><title>新馆开放</title><link href="http://b.example.org/2024/新馆开放/"/><published>2024-01-01T00:00:00Z</published><updated>2024-01-01T00:00:00Z</updated><content type="html">&lt;p>甲&lt;/p></content></entry>
<entry><id>t3_abc</id><title>A number of a forum</title><link href="http://b.example.org/2"/><published>2024-01-02T00:00:00Z</published><updated>2024-01-02T00:00:00Z</updated><content type="html">&lt;p>x&lt;/p></content></entry>
<entry><id>HTTP://B.example.org:80/3</id><title>Capitals</title><link href="http://b.example.org/3"/><published>2024-01-03T00:00:00Z</published><updated>2024-01-03T00:00:00Z</updated><content type="html">&lt;p>x&lt;/p></content></entry>
<entry><id>http://b.example.org/4?a=1|2</id><title>A bar</title><link href="http://b.example.org/4"/><published>2024-01-04T00:00:00Z</published><updated>2024-01-04T00:00:00Z</updated><content type="html">&lt;p>x&lt;/p></content></entry>
</feed>"#;

#[test]
fn what_reappears_is_told_by_the_format_that_readers_are_sent_to() {
    let site = Site::new(SETTINGS);
    site.write("old.atom", ATOM);
    assert_eq!(site.run(&["import", "old.atom"]).status.code(), Some(0));
    let render = |format| {
        String::from_utf8(site.run(&["render", "all", "--format", format]).stdout).unwrap()
    };
    let ids = ["http://b.example.org/2024/新馆开放/", "HTTP://B.example.org:80/3"];
    let others = ["t3_abc", "http://b.example.org/4?a=1|2"];
    for id in ids.iter().chain(&others) {
        assert!(render("rss").contains(&format!(">{id}</guid>")), "{id}");
        assert!(render("json").contains(&format!("\"{id}\"")), "{id}");
        assert_eq!(render("atom").contains(&format!("<id>{id}</id>")), ids.contains(id), "{id}");
    }
    let (code, out, _) = said(&site.run(&["adopt", "--diff", "old.atom"]));
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("`all.atom` here: 4"), "{out}");
    assert!(out.contains("2 reappear as unread"), "{out}");
    assert!(out.contains("guid  t3_abc\n       -> tag:example.com,2026:guid/t3_abc"), "{out}");

    let (code, out, error) = said(&site.run(&["adopt", "old.atom"]));
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("2 articles adopted, 2 unchanged"), "{out}");
    assert!(out.contains("to = \"/all.atom\""), "{out}");
    let atom = render("atom");
    for id in ids.iter().chain(&others) {
        assert!(atom.contains(&format!("<id>{id}</id>")), "{id}: {atom}");
    }
    let (code, out, _) = said(&site.run(&["adopt", "--diff", "old.atom"]));
    assert_eq!((code, out.contains("0 reappear as unread")), (Some(0), true), "{out}");
    let (_, out, _) = said(&site.run(&["adopt", "old.atom"]));
    assert!(out.contains("0 articles adopted, 4 unchanged"), "{out}");
    let (_, out, _) = said(&site.run(&["check"]));
    assert_eq!(out.matches("its guid is no IRI").count(), 2, "{out}");
    // The file brings the articles again, with the identities that they have.
    let (code, out, error) = said(&site.run(&["import", "old.atom"]));
    assert_eq!((code, out.contains("4 unchanged")), (Some(0), true), "{out}{error}");
}

#[test]
fn an_old_feed_without_identities_is_not_called_the_same() {
    let item = |rest: &str, title: &str| {
        format!(
            "<item><title>{title}</title><description>Text of {title}.</description>{rest}</item>"
        )
    };
    let feed = |items: String| {
        format!("<rss version=\"2.0\"><channel><title>Old</title>{items}</channel></rss>")
    };
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", RECORDS);
    assert_eq!(site.run(&["import", "new.ndjson"]).status.code(), Some(0));
    site.write("none.xml", feed(item("", "One") + &item("", "Two")));
    let (code, out, error) = said(&site.run(&["adopt", "--diff", "none.xml"]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(error.contains("no entry of the old feed has an identity or an address"), "{error}");
    let guid = "<guid isPermaLink=\"false\">old:1</guid>";
    site.write("some.xml", feed(item(guid, "One") + &item("", "Two")));
    let (code, out, _) = said(&site.run(&["adopt", "--diff", "some.xml"]));
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("1 entry of the old feed with neither an identity nor an address"),
        "{out}"
    );
}

#[test]
fn check_counts_what_older_rules_cleaned_and_an_import_renews_it() {
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", RECORDS);
    assert_eq!(site.run(&["import", "new.ndjson"]).status.code(), Some(0));
    let check = || said(&site.run(&["check"])).1;
    assert!(!check().contains("older rules"), "{}", check());
    let before = known_by_format(&site);
    rusqlite::Connection::open(site.path("courant.db"))
        .unwrap()
        .execute_batch("UPDATE article SET cleaning = 0")
        .unwrap();
    let out = check();
    assert!(
        out.contains("older rules cleaned the content of 2 articles; import or push them again"),
        "{out}"
    );
    let (_, out, _) = said(&site.run(&["import", "new.ndjson"]));
    assert!(out.contains("2 unchanged") && out.contains("revision 1"), "{out}");
    assert!(!check().contains("older rules"), "{}", check());
    assert_eq!(known_by_format(&site), before);
}

/// Every format of the feed of everything.
fn known_by_format(site: &Site) -> Vec<Vec<u8>> {
    let render = |format| site.run(&["render", "all", "--format", format]).stdout;
    ["rss", "atom", "json"].map(render).to_vec()
}

#[test]
fn a_link_that_stands_for_a_guid_is_kept_as_it_is_written() {
    let links = [
        "http://s.example.org/新闻/1",
        "http://WWW.Example.org/2",
        "http://three.example.org",
        "http://s.example.org:80/4",
        "http://s.example.org/5?a=1|2",
    ];
    let item = |link: &str| {
        format!(
            "<item><title>At {link}</title><link>{link}</link><pubDate>Thu, 05 Mar 2026 00:30:00 +0000</pubDate></item>"
        )
    };
    let items: String = links.iter().map(|link| item(link)).collect();
    let site = Site::new(SETTINGS);
    site.write(
        "old.xml",
        format!("<rss version=\"2.0\"><channel><title>Old</title>{items}</channel></rss>"),
    );
    assert_eq!(site.run(&["import", "old.xml"]).status.code(), Some(0));
    let feed = String::from_utf8(site.run(&["render", "all"]).stdout).unwrap();
    for link in links {
        assert!(
            feed.contains(&format!("<guid isPermaLink=\"false\">{link}</guid>")),
            "{link}: {feed}"
        );
    }
    let (code, out, _) = said(&site.run(&["adopt", "--diff", "old.xml"]));
    assert_eq!((code, out.contains("0 reappear")), (Some(0), true), "{out}");
    // Articles that have another writing of the link for a guid do reappear.
    let other = Site::new(SETTINGS);
    let record = r#"{"id": "1", "guid": "http://www.example.org/2", "url": "http://www.example.org/2", "title": "At", "date_published": "2026-03-05"}"#;
    other.write("new.ndjson", record);
    other.write(
        "old.xml",
        format!("<rss version=\"2.0\"><channel><title>Old</title>{items}</channel></rss>"),
    );
    assert_eq!(other.run(&["import", "new.ndjson"]).status.code(), Some(0));
    let (code, out, _) = said(&other.run(&["adopt", "--diff", "old.xml"]));
    assert_eq!((code, out.contains("1 reappear")), (Some(1), true), "{out}");
}
