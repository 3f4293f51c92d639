//! Programs that people use, against a running service.
//!
//! A program that is missing makes its tests ignored, with the reason beside their names; with
//! `COURANT_TEST_REQUIRE=all` it makes them fail.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "what was measured")]

mod content;
mod database;
mod edge;
mod exported;
mod moved;
mod push;
mod replicas;
mod shows;
#[path = "../support/mod.rs"]
mod support;

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use libtest_mimic::{Arguments, Failed, Trial};
use support::{Running, SETTINGS, Site, get, until, wait};

/// A test, and the program it needs.
struct Client {
    name: &'static str,
    program: &'static str,
    /// Whether the program is there, and can do what the test asks of it.
    is_there: fn() -> bool,
    run: fn() -> Result<(), Failed>,
}

const CLIENTS: [Client; 9] = [
    Client {
        name: "curl_gets_304_with_the_tag_it_saved",
        program: "curl",
        is_there: has_curl,
        run: curl_tag,
    },
    Client {
        name: "curl_decodes_what_it_asked_for",
        program: "curl",
        is_there: has_curl,
        run: curl_codings,
    },
    Client { name: "curl_speaks_http_1_0", program: "curl", is_there: has_curl, run: curl_old },
    Client {
        name: "feedparser_reads_every_feed_and_gets_304",
        program: "feedparser",
        is_there: has_feedparser,
        run: feedparser,
    },
    Client {
        name: "the_parser_of_gpodder_reads_shows",
        program: "podcastparser",
        is_there: has_podcastparser,
        run: podcastparser,
    },
    Client {
        name: "expat_accepts_every_byte",
        program: "python3",
        is_there: has_python,
        run: expat,
    },
    Client {
        name: "libxml2_accepts_every_feed",
        program: "xmllint",
        is_there: has_xmllint,
        run: libxml,
    },
    Client {
        name: "newsboat_subscribes_polls_and_sees_a_new_article",
        program: "newsboat",
        is_there: has_newsboat,
        run: newsboat,
    },
    Client {
        name: "chromium_shows_pages_and_finds_the_feeds",
        program: "chromium",
        is_there: has_chromium,
        run: chromium,
    },
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let requires_all = env::var("COURANT_TEST_REQUIRE").is_ok_and(|value| value == "all");
    let clients = CLIENTS
        .into_iter()
        .chain(shows::CLIENTS)
        .chain(database::CLIENTS)
        .chain(content::CLIENTS)
        .chain(moved::CLIENTS)
        .chain(exported::CLIENTS)
        .chain(push::CLIENTS)
        .chain(edge::CLIENTS)
        .chain(replicas::CLIENTS);
    let trials = clients.map(|Client { name, program, is_there, run }| {
        if is_there() {
            return Trial::test(name, run);
        }
        let reason = format!("{program} is missing");
        if requires_all {
            return Trial::test(name, move || Err(reason.into()));
        }
        Trial::test(name, || Ok(())).with_kind(reason).with_ignored_flag(true)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// What a program prints; a failure when it fails, or takes too long.
fn output(command: &mut Command) -> Result<String, Failed> {
    let folder = tempfile::tempdir()?;
    let (out, error) = (folder.path().join("out"), folder.path().join("error"));
    command.stdin(Stdio::null()).stdout(fs::File::create(&out)?).stderr(fs::File::create(&error)?);
    let mut child = command.spawn()?;
    let status = wait(&mut child);
    let (out, error) = (fs::read(out)?, fs::read(error)?);
    let out = String::from_utf8_lossy(&out).into_owned();
    if !status.success() {
        let error = String::from_utf8_lossy(&error);
        return Err(format!("{command:?} ended with {status}\n{out}\n{error}").into());
    }
    Ok(out)
}

fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn check(holds: bool, what: impl Into<String>) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what.into().into()) }
}

/// The addresses of all feeds of a format, as the program lists them, on the port that it really has.
fn feeds(site: &Site, server: &Running, formats: &[&str]) -> Result<Vec<String>, Failed> {
    let listed: serde_json::Value = serde_json::from_slice(&site.run(&["feeds", "--json"]).stdout)?;
    let listed = listed.as_array().ok_or("no list of feeds")?;
    let here = format!("http://{}/", server.address);
    let addresses: Vec<_> = listed
        .iter()
        .flat_map(|feed| formats.iter().filter_map(|format| feed[*format].as_str()))
        .map(|address| address.replace("https://feeds.example.com/", &here))
        .collect();
    check(addresses.len() > 10, "hardly any feeds")?;
    Ok(addresses)
}

fn has_curl() -> bool {
    works("curl", &["--version"])
}

fn curl_tag() -> Result<(), Failed> {
    let site = Site::shipped();
    let server = site.serve();
    let saved = site.path("tag");
    let poll = |mode: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", mode]).arg(&saved);
        output(curl.arg(format!("http://{}/all.atom", server.address)))
    };
    check(poll("--etag-save")? == "200", "the first poll is not answered")?;
    check(poll("--etag-compare")? == "304", "the second poll is sent everything again")
}

fn curl_codings() -> Result<(), Failed> {
    let site = Site::shipped();
    let server = site.serve();
    let address = format!("http://{}/all.rss", server.address);
    let plain = output(Command::new("curl").args(["-sf", &address]))?;
    let coded = output(Command::new("curl").args(["-sf", "--compressed", &address]))?;
    let field = output(Command::new("curl").args(["-sfI", "--compressed", &address]))?;
    check(
        field.to_ascii_lowercase().contains("content-encoding: "),
        format!("not coded: {field}"),
    )?;
    check(plain == coded && plain.ends_with("</rss>\n"), "the decoded feed differs")
}

fn curl_old() -> Result<(), Failed> {
    let site = Site::shipped();
    let server = site.serve();
    let address = format!("http://{}/feeds.opml", server.address);
    let opml = output(Command::new("curl").args(["-sf", "--http1.0", &address]))?;
    check(opml.contains("<opml version=\"2.0\">"), opml)
}

fn has_podcastparser() -> bool {
    works("python3", &["-c", "import podcastparser"])
}

// It knows the podcast namespace by another address than the one of its standard: those elements pass it by.
const PODCASTPARSER: &str = r#"
import sys, urllib.request, podcastparser
address = sys.argv[1]
show = podcastparser.parse(address, urllib.request.urlopen(address, timeout=20))
assert show["title"] == "慢车道" and show["type"] == "episodic" and not show["explicit"], show
assert show["itunes_author"] and show["itunes_owner"]["email"] == "podcast@example.com", show
assert show["itunes_categories"] == [["Society & Culture", "Places & Travel"], ["News"]], show
assert show["cover_url"].endswith("3000.jpg") and show["language"] == "zh-CN", show
episodes = show["episodes"]
assert len(episodes) == 7 and len({episode["guid"] for episode in episodes}) == 7, episodes
for episode in episodes:
    assert episode["enclosures"][0]["mime_type"] == "audio/mpeg", episode
    assert episode["enclosures"][0]["file_size"] > 0 and episode["total_time"] > 0, episode
    assert len(episode["enclosures"]) == 1 and episode["season"] == 1, episode
assert sorted(episode["number"] for episode in episodes if episode["type"] == "full") == [1, 2, 3, 4, 5, 6]
"#;

fn podcastparser() -> Result<(), Failed> {
    let site = Site::shipped();
    let server = site.serve();
    let address = format!("http://{}/slow-lane.rss", server.address);
    output(Command::new("python3").args(["-c", PODCASTPARSER, &address])).map(drop)
}

fn has_python() -> bool {
    works("python3", &["--version"])
}

fn has_feedparser() -> bool {
    works("python3", &["-c", "import feedparser"])
}

const FEEDPARSER: &str = r#"
import sys, feedparser
for address in sys.argv[1:]:
    first = feedparser.parse(address)
    assert not first.bozo, (address, first.bozo_exception)
    assert first.status == 200 and first.feed.title, address
    assert all(entry.id and entry.title for entry in first.entries), address
    for validators in [{"etag": first.etag}, {"modified": first.modified}, {"etag": first.etag, "modified": first.modified}]:
        again = feedparser.parse(address, **validators)
        assert again.status == 304, (address, validators, again.status)
"#;

fn feedparser() -> Result<(), Failed> {
    let site = Site::shipped();
    let server = site.serve();
    // A date stands for one state only once its second is over.
    until("the feed has a date", || {
        get(server.address, "/all.rss", &[]).1.contains("last-modified: ").then_some(())
    });
    let mut python = Command::new("python3");
    output(python.args(["-c", FEEDPARSER]).args(feeds(&site, &server, &["rss", "atom"])?)).map(drop)
}

const EXPAT: &str = r"
import sys, urllib.request, xml.parsers.expat
for address in sys.argv[1:]:
    document = urllib.request.urlopen(address, timeout=20).read()
    xml.parsers.expat.ParserCreate().Parse(document, True)
";

fn expat() -> Result<(), Failed> {
    let site = Site::shipped();
    let server = site.serve();
    let mut python = Command::new("python3");
    python.args(["-c", EXPAT]).args(feeds(&site, &server, &["rss", "atom"])?);
    output(python.arg(format!("http://{}/feeds.opml", server.address))).map(drop)
}

fn has_xmllint() -> bool {
    works("xmllint", &["--version"])
}

fn libxml() -> Result<(), Failed> {
    let site = Site::shipped();
    let server = site.serve();
    let mut names = Vec::new();
    for (nth, address) in feeds(&site, &server, &["rss", "atom"])?.iter().enumerate() {
        let path = address.splitn(4, '/').last().unwrap();
        let name = format!("{nth}.xml");
        site.write(&name, get(server.address, &format!("/{path}"), &[]).2);
        names.push(site.path(&name));
    }
    output(Command::new("xmllint").args(["--noout", "--nonet"]).args(names)).map(drop)
}

fn has_newsboat() -> bool {
    works("newsboat", &["--version"])
}

fn newsboat() -> Result<(), Failed> {
    let site = Site::new(SETTINGS);
    let import = |id: u8| {
        let record = format!(
            r#"{{"id": {id}, "title": "Title {id}", "content_text": "Text {id}.", "date_published": "2026-03-05"}}"#
        );
        site.write("new.ndjson", record);
        check(site.run(&["import", "new.ndjson"]).status.success(), "the import fails")
    };
    import(1)?;
    let server = site.serve();
    site.write("urls", format!("http://{}/all.atom\n", server.address));
    site.write("config", "");
    let newsboat = |command: &str| {
        let mut newsboat = Command::new("newsboat");
        newsboat.env("HOME", site.path("")).arg("-q");
        for (flag, file) in [("-u", "urls"), ("-C", "config"), ("-c", "cache.db")] {
            newsboat.arg(flag).arg(site.path(file));
        }
        output(newsboat.args(["-x", command]))
    };
    let polls = |status: &str| {
        let log = fs::read_to_string(site.path("log")).unwrap();
        log.lines().filter(|line| line.contains("newsboat") && line.contains(status)).count()
    };
    newsboat("reload")?;
    check(newsboat("print-unread")?.starts_with("1 unread"), "the article did not arrive")?;
    // It keeps the tag of a subscription that it already knew when it polled.
    until("newsboat is told that it has the news", || {
        newsboat("reload").unwrap();
        (polls("status=304") > 0).then_some(())
    });
    import(2)?;
    until("newsboat sees the new article", || {
        newsboat("reload").unwrap();
        newsboat("print-unread").unwrap().starts_with("2 unread").then_some(())
    });
    Ok(())
}

fn has_chromium() -> bool {
    works("chromium", &["--version"])
}

fn chromium() -> Result<(), Failed> {
    let site = Site::shipped();
    let server = site.serve();
    let browse = |path: &str, mode: &str| {
        let mut chromium = Command::new("chromium");
        // Nothing but the page: no sandbox within a container, no calls to other hosts.
        chromium.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ]);
        chromium.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]);
        chromium.arg(format!("--user-data-dir={}", site.path("profile").display()));
        output(chromium.args([mode, &format!("http://{}{path}", server.address)]))
    };
    let index = browse("/", "--dump-dom")?;
    check(index.contains("<h1") && index.contains("feeds.opml"), index)?;
    // The address without an extension is a page for a browser.
    let page = browse("/news", "--dump-dom")?;
    for extension in ["rss", "atom", "json"] {
        let address = format!("https://feeds.example.com/news.{extension}");
        check(page.contains(&address), format!("{address} is not there to copy"))?;
    }
    let link = page.split("<link ").find(|link| link.contains("application/rss+xml"));
    check(link.is_some_and(|link| link.contains("rel=\"alternate\"")), "no autodiscovery")?;
    let picture = site.path("page.png");
    browse("/news", &format!("--screenshot={}", picture.display()))?;
    check(is_picture(&picture), "there is nothing to see")
}

/// A page of one colour makes a very small file.
fn is_picture(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() > 10_000)
}
