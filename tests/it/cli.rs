//! The commands, as somebody at a terminal or a script meets them.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Output,
    time::Instant,
};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{PATIENCE, SETTINGS, Site, get, tag, until};

const LIBRARY: &str = r#"{"id": "1", "title": "Library opens", "content_text": "On Saturday.", "date_published": "2026-03-05", "categories": ["city"]}"#;
const BRIDGE: &str = r#"{"id": "2", "title": "Bridge closed", "content_text": "Until Monday.", "date_published": "2026-03-06", "categories": ["city"]}"#;

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_command_teaches_by_example() {
    let site = Site::new(SETTINGS);
    for command in
        ["", "serve", "import", "withdraw", "check", "feeds", "render", "stats", "schema"]
    {
        let arguments: Vec<_> = [command, "--help"].into_iter().filter(|a| !a.is_empty()).collect();
        let (code, out, _) = said(&site.run(&arguments));
        assert_eq!(code, Some(0), "{command}");
        assert!(out.contains("Examples:\n  courant") || command == "import", "{command}: {out}");
        assert!(out.contains("Examples:") && out.contains("COURANT_CONFIG"), "{command}: {out}");
    }
}

#[test]
fn refused_records_are_named_by_file_line_and_field_and_the_good_are_kept() {
    let site = Site::new(SETTINGS);
    let broken = [
        LIBRARY.as_bytes(),
        b"\n{\"id\": \"3\", \"title\": \"x\", \"date_published\": \"soon\", \"hits\": 3}\n",
        b"{\"id\": \"4\", \"title\": \"\xff\"}\n",
        BRIDGE.as_bytes(),
    ]
    .concat();
    site.write("new.ndjson", broken);
    let (code, out, error) = said(&site.run(&["import", "new.ndjson"]));
    assert_eq!(code, Some(1));
    assert!(error.contains("new.ndjson:2: date_published: `soon` is not a date"), "{error}");
    assert!(error.contains("new.ndjson:3: ") && error.contains("UTF-8"), "{error}");
    assert!(out.contains("4 records: 2 published, 2 refused"), "{out}");

    let report = site.run(&["import", "--json", "new.ndjson"]);
    assert_eq!(report.status.code(), Some(1));
    let report = json(&report);
    assert_eq!(report["unchanged"], 2);
    assert_eq!(report["refusals"][0]["line"], 2);
    assert_eq!(report["refusals"][0]["field"], "date_published");
    assert_eq!(report["unknown"]["hits"], 1);
}

#[test]
fn a_dry_run_changes_nothing() {
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", LIBRARY);
    for _ in 0..2 {
        let (code, out, _) = said(&site.run(&["import", "--dry-run", "new.ndjson"]));
        assert_eq!(code, Some(0));
        assert!(out.contains("1 published"), "{out}");
    }
    let render = site.run(&["render", "all", "--format", "json"]);
    assert_eq!(json(&render)["items"].as_array().unwrap().len(), 0);
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let site = Site::new(SETTINGS);
    let mut command = site.command(&["import", "-"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(LIBRARY.as_bytes()).unwrap();
    let (code, out, _) = said(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(0));
    assert!(out.contains("1 published"), "{out}");
}

#[test]
fn mistakes_in_the_settings_are_shown_where_they_are() {
    let site = Site::new(&SETTINGS.replace("language = \"en\"", "langauge = \"en\""));
    for command in [&["check"][..], &["feeds"], &["serve"], &["import", "new.ndjson"]] {
        let (code, _, error) = said(&site.run(command));
        assert_eq!(code, Some(2), "{command:?}");
        assert!(error.contains("feeds.toml:6:1: unknown key `langauge`"), "{error}");
        assert!(error.contains("did you mean `language`?"), "{error}");
    }
    let (code, _, error) = said(&site.run(&["feeds", "--config", "elsewhere.toml"]));
    assert_eq!(code, Some(2));
    assert!(error.contains("cannot read `elsewhere.toml`; name the file with --config"), "{error}");
    assert_eq!(site.run(&["improt"]).status.code(), Some(2));
}

#[test]
fn lists_are_json_for_scripts() {
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", LIBRARY);
    assert!(site.run(&["import", "new.ndjson"]).status.success());
    let feeds = json(&site.run(&["feeds", "--json"]));
    let paths: Vec<_> = feeds.as_array().unwrap().iter().map(|feed| &feed["path"]).collect();
    assert_eq!(paths, ["all", "category/city"]);
    assert!(json(&site.run(&["check", "--json"])).is_array());
    let withdrawal = site.run(&["withdraw", "--json", "1", "9"]);
    assert_eq!(withdrawal.status.code(), Some(1));
    let outcomes = json(&withdrawal);
    assert_eq!(
        (&outcomes[0]["outcome"], &outcomes[1]["outcome"]),
        (&"withdrawn".into(), &"unknown".into())
    );
    assert_eq!(
        json(&site.run(&["schema"]))["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
}

#[test]
fn a_withdrawn_article_stays_away_until_it_is_published_again() {
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", LIBRARY);
    let items = || {
        let feed = json(&site.run(&["render", "category/city", "--format", "json"]));
        feed["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    assert!(site.run(&["import", "new.ndjson"]).status.success());
    let before = items();
    assert_eq!(before.len(), 1);
    assert!(site.run(&["withdraw", "1"]).status.success());
    assert!(items().is_empty());
    let (_, out, _) = said(&site.run(&["import", "new.ndjson"]));
    assert!(items().is_empty(), "{out}");
    assert!(site.run(&["import", "--republish", "new.ndjson"]).status.success());
    assert_eq!(items(), before);
}

#[test]
fn a_second_start_takes_nothing_in_and_gives_the_same_tags() {
    let site = Site::shipped();
    let paths = ["/all.rss", "/news.atom", "/category/podcast.json", "/", "/feeds.opml"];
    let first = site.serve();
    assert!(first.said[0].contains("the store is empty; taking in examples/articles.ndjson"));
    let tags = paths.map(|path| tag(first.address, path));
    let (status, rest) = first.stop();
    assert_eq!((status.code(), rest.last().map(String::as_str)), (Some(0), Some("stopped")));
    assert!(!site.path("courant.db-wal").exists(), "everything is in the one file, to be copied");
    let second = site.serve();
    assert!(!second.said.iter().any(|line| line.contains("taking in")), "{:?}", second.said);
    assert_eq!(paths.map(|path| tag(second.address, path)), tags);
}

#[test]
fn sigterm_and_sigint_finish_what_is_under_way() {
    for signal in ["TERM", "INT"] {
        let site = Site::shipped();
        let server = site.serve();
        let mut slow = TcpStream::connect(server.address).unwrap();
        slow.set_read_timeout(Some(PATIENCE)).unwrap();
        slow.write_all(b"GET /all.rss HTTP/1.1\r\nHost: localhost\r\n").unwrap();
        // Another answer says that the first half of this request has been read.
        tag(server.address, "/all.rss");
        server.signal(signal);
        slow.write_all(b"\r\n").unwrap();
        let mut answer = Vec::new();
        slow.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
        assert!(answer.ends_with(b"</rss>\n"));
        assert_eq!(server.stop().0.code(), Some(0), "{signal}");
    }
}

#[test]
fn what_another_process_imports_is_served_soon() {
    let site = Site::new(SETTINGS);
    site.write("one.ndjson", LIBRARY);
    assert!(site.run(&["import", "one.ndjson"]).status.success());
    let server = site.serve();
    let before = tag(server.address, "/category/city.rss");
    assert_eq!(get(server.address, "/category/city.rss", &[("If-None-Match", &before)]).0, 304);
    site.write("two.ndjson", BRIDGE);
    assert!(site.run(&["import", "two.ndjson"]).status.success());
    let begun = Instant::now();
    until("the new article is served", || {
        let answer = get(server.address, "/category/city.rss", &[("If-None-Match", &before)]);
        (answer.0 == 200).then_some(answer)
    });
    eprintln!("served {:?} after the import ended", begun.elapsed());
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", LIBRARY);
    assert!(site.run(&["import", "new.ndjson"]).status.success());
    let version = |write: bool| -> i64 {
        let file = Connection::open(site.path("courant.db")).unwrap();
        if write {
            file.pragma_update(None, "user_version", 1_000).unwrap();
        }
        file.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    };
    version(true);
    let (code, _, error) = said(&site.run(&["import", "new.ndjson"]));
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("newer"), "{error}");
    assert_eq!(version(false), 1_000);
}

#[test]
fn every_request_is_in_the_log_once_the_program_has_stopped() {
    for (setting, field) in [("text", "agent=\"reader\""), ("json", "\"agent\":\"reader\"")] {
        let log = format!("[server]\naccess_log = \"{setting}\"");
        let site = Site::new(&SETTINGS.replace("[server]", &log));
        let server = site.serve();
        for _ in 0..300 {
            assert_eq!(get(server.address, "/all.rss", &[("User-Agent", "reader")]).0, 200);
        }
        assert!(server.stop().0.success());
        let log = fs::read_to_string(site.path("log")).unwrap();
        let lines = log.lines().filter(|line| line.contains("courant::access"));
        assert_eq!(lines.filter(|line| line.contains(field)).count(), 300, "{log}");
    }
}

#[test]
fn a_client_writes_nothing_of_its_own_into_the_log() {
    let logs = |setting: &str| {
        let log = format!("[server]\naccess_log = \"{setting}\"");
        let site = Site::new(&SETTINGS.replace("[server]", &log));
        let server = site.serve();
        get(server.address, "/all.rss", &[("User-Agent", r#"a" status=500 \"#)]);
        assert!(server.stop().0.success());
        fs::read_to_string(site.path("log")).unwrap()
    };
    let log = logs("text");
    assert!(log.contains(r#" agent="a\" status=500 \\" peer="#), "{log}");
    let log = logs("json");
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let line = lines.iter().find(|line| line["target"] == "courant::access").unwrap();
    assert_eq!(line["agent"], r#"a" status=500 \"#);
    assert_eq!((&line["status"], &line["peer"]), (&Value::from(200), &Value::from("127.0.0.1")));
    assert_eq!((&line["conditional"], &line["level"]), (&Value::from(false), &Value::from("INFO")));
}

#[test]
fn a_request_with_more_than_a_hundred_fields_is_refused() {
    let site = Site::new(SETTINGS);
    let server = site.serve();
    let names: Vec<String> = (0..99).map(|nth| format!("X-{nth}")).collect();
    // `Host` and `Connection` are there already.
    let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(get(server.address, "/all.rss", &fields[..98]).0, 200);
    assert_eq!(get(server.address, "/all.rss", &fields).0, 431);
}

#[test]
fn stats_tell_who_reads_what() {
    let site = Site::shipped();
    let (code, _, error) = said(&site.run(&["stats", "--listen", "127.0.0.1:1"]));
    assert_eq!(code, Some(2));
    assert!(error.contains("no service answers at 127.0.0.1:1; start it with"), "{error}");

    let server = site.serve();
    let address = server.address.to_string();
    let stats = |more: &[&str]| {
        let arguments: Vec<_> =
            ["stats", "--listen", &address].iter().chain(more).copied().collect();
        site.run(&arguments)
    };
    let (code, out, _) = said(&stats(&[]));
    assert_eq!(code, Some(0));
    assert!(out.ends_with("nobody has asked for a feed yet\n"), "{out}");

    let held = tag(server.address, "/category/headlines.rss");
    let agent = ("User-Agent", "Feedbin feed-id:7 - 142 subscribers");
    for path in ["/all.atom", "/category/headlines.rss", "/category/headlines.rss"] {
        get(server.address, path, &[agent, ("If-None-Match", &held)]);
    }
    let (code, out, _) = said(&stats(&[]));
    assert_eq!(code, Some(0));
    let lines: Vec<Vec<_>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[2][..3], ["feed", "subscribers", "clients"], "{out}");
    assert_eq!(lines[3][..6], ["category/headlines", "142", "1", "3", "66", "%"], "{out}");
    assert_eq!(lines[4][..4], ["all", "142", "1", "1"], "{out}");
    assert!(lines.contains(&vec!["Feedbin", "3"]), "{out}");
    let report = json(&stats(&["--json"]));
    let headlines = report["feeds"].as_array().unwrap().iter();
    let headlines = headlines.clone().find(|feed| feed["feed"] == "category/headlines").unwrap();
    assert_eq!(headlines["formats"][0]["requests"]["304"], 2);

    let settings = SETTINGS.to_owned() + "\n[metrics]\nreaders = []\n";
    let closed = Site::new(&settings);
    let server = closed.serve();
    assert_eq!(get(server.address, "/metrics", &[]).0, 404);
    let (code, _, error) = said(&closed.run(&["stats", "--listen", &server.address.to_string()]));
    assert_eq!(code, Some(2));
    assert!(error.contains("add this machine to `readers` of [metrics]"), "{error}");
}

/// A store whose `tag` was changed in `feeds.toml` after its first article.
fn with_another_tag() -> Site {
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", LIBRARY);
    assert_eq!(said(&site.run(&["import", "new.ndjson"])).0, Some(0));
    site.write("feeds.toml", SETTINGS.replace("example.com,2026", "harbournews.org,2019"));
    site
}

#[test]
fn commands_that_mint_or_serve_identities_refuse_another_tag() {
    let site = with_another_tag();
    for command in
        [&["import", "new.ndjson"][..], &["render", "all"], &["export", "out"], &["serve"]]
    {
        let (code, out, error) = said(&site.run(command));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{command:?}");
        assert!(error.contains("restore `tag = \"example.com,2026\"`"), "{command:?}: {error}");
        assert!(error.contains("name a new store") && !error.contains("rm "), "{error}");
    }
    let (code, out, _) = said(&site.run(&["check"]));
    assert_eq!(code, Some(1));
    assert!(out.contains("error: store: feeds.toml has `tag = \"harbournews.org,2019\"`"), "{out}");
}

#[test]
fn articles_can_be_withdrawn_and_stores_copied_whatever_the_tag_is() {
    let site = with_another_tag();
    let (code, out, error) = said(&site.run(&["withdraw", "1"]));
    assert_eq!((code, out.as_str()), (Some(0), "1: withdrawn\n"));
    assert!(error.contains("warning: feeds.toml has `tag"), "{error}");
    let (code, ..) = said(&site.run(&["store", "copy", "sqlite:courant.db", "sqlite:copy.db"]));
    assert_eq!(code, Some(0));
}

#[test]
fn a_store_that_is_ahead_of_the_clock_is_reported_and_repaired() {
    let site = Site::new(SETTINGS);
    site.write("new.ndjson", LIBRARY);
    site.run(&["import", "new.ndjson"]);
    let file = Connection::open(site.path("courant.db")).unwrap();
    let moved = "UPDATE store SET changed = changed + 94608000; UPDATE mark SET changed = changed + 94608000";
    file.execute_batch(moved).unwrap();
    drop(file);
    let (_, out, _) = said(&site.run(&["check"]));
    assert!(out.contains("warning: store: the time of the store is 1094 days ahead"), "{out}");
    let (code, out, _) = said(&site.run(&["store", "repair-clock"]));
    assert_eq!(code, Some(0));
    assert!(out.contains("revision 2"), "{out}");
    let (_, out, _) = said(&site.run(&["check"]));
    assert!(!out.contains("ahead"), "{out}");
    let (code, out, _) = said(&site.run(&["store", "repair-clock"]));
    assert!(code == Some(0) && out.contains("is not ahead"), "{out}");
}
