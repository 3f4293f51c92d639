//! The media folder: what is served from it, and what is found out of it.

use std::{
    fs,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::support::{SETTINGS, Site, request};

/// A sound of two seconds, as a WAV file.
fn sound() -> Vec<u8> {
    let (rate, seconds) = (8_000_u32, 2_u32);
    let length = rate * seconds;
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + length).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(b"\x01\0\x08\0data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend((0..length).map(|nth| u8::try_from(nth % 251).unwrap()));
    file
}

fn site() -> Site {
    let site = Site::new(&format!("{SETTINGS}\n[media]\nfolder = \"media\"\n"));
    fs::create_dir_all(site.path("media/2026")).unwrap();
    site.write("media/2026/a.wav", sound());
    site
}

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn ask(address: SocketAddr, method: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
    let (status, head, body) = request(address, method, path, fields);
    Reply { status, head, body }
}

/// P-12, H-70 to H-76.
#[test]
fn a_file_is_served_whole_in_part_and_not_again() {
    let site = site();
    let running = site.serve();
    let sound = sound();
    let ask = |method: &str, fields: &[(&str, &str)]| {
        ask(running.address, method, "/media/2026/a.wav", fields)
    };

    let whole = ask("GET", &[]);
    assert_eq!((whole.status, &whole.body), (200, &sound), "{}", whole.head);
    assert_eq!(whole.field("content-type"), Some("audio/wav"));
    assert_eq!(whole.field("accept-ranges"), Some("bytes"));
    assert_eq!(whole.field("content-length"), Some("16044"));
    assert_eq!(whole.field("access-control-allow-origin"), Some("*"));
    let tag = whole.field("etag").unwrap().to_owned();
    assert!(tag.starts_with("\"m"), "strong");

    let head = ask("HEAD", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.field("content-length"), Some("16044"));

    let part = ask("GET", &[("Range", "bytes=0-1")]);
    assert_eq!((part.status, &part.body[..]), (206, &sound[..2]));
    assert_eq!(part.field("content-range"), Some("bytes 0-1/16044"));
    assert_eq!(part.field("content-length"), Some("2"));
    assert_eq!(part.field("etag"), Some(&*tag));
    let end = ask("GET", &[("Range", "bytes=-44")]);
    assert_eq!((end.status, &end.body[..]), (206, &sound[16_000..]));

    let parts = ask("GET", &[("Range", "bytes=0-3, 100-109")]);
    assert_eq!(parts.status, 206);
    let kind = parts.field("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let text = String::from_utf8_lossy(&parts.body);
    assert_eq!(text.matches(&format!("--{boundary}")).count(), 3, "{text}");
    assert!(text.contains("Content-Range: bytes 0-3/16044\r\n\r\nRIFF\r\n"), "{text}");
    assert_eq!(parts.field("content-length"), Some(&*parts.body.len().to_string()));

    let beyond = ask("GET", &[("Range", "bytes=99999-")]);
    assert_eq!((beyond.status, beyond.field("content-range")), (416, Some("bytes */16044")));
    let unchanged = ask("GET", &[("If-None-Match", &tag), ("Range", "bytes=0-1")]);
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "304 wins (H-73)");
    let resumed = ask("GET", &[("Range", "bytes=10-"), ("If-Range", &tag)]);
    assert_eq!(resumed.status, 206);
    let changed = ask("GET", &[("Range", "bytes=10-"), ("If-Range", "\"other\"")]);
    assert_eq!((changed.status, changed.body.len()), (200, sound.len()));
    assert_eq!(ask("HEAD", &[("Range", "bytes=0-1")]).status, 200);
    assert_eq!(ask("POST", &[]).status, 405);

    site.write("media/2026/a.wav", &sound[..100]);
    let other = ask("GET", &[("If-None-Match", &tag)]);
    assert_eq!((other.status, other.body.len()), (200, 100));
}

#[test]
fn a_file_that_is_replaced_meanwhile_goes_out_under_no_tag_of_another() {
    let site = site();
    let (file, draft) = (site.path("media/a.wav"), site.path("media/.draft"));
    // The length is part of the tag.
    let kinds = [(b'a', 2_000), (b'b', 3_000)];
    let masters = kinds.map(|(letter, length)| {
        let master = site.path(&format!("media/.{}", char::from(letter)));
        fs::write(&master, vec![letter; length]).unwrap();
        master
    });
    fs::hard_link(&masters[1], &file).unwrap();
    let running = site.serve();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Bounded, should a request fail.
            for master in masters.iter().cycle().take(1_000_000) {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                fs::hard_link(master, &draft).unwrap();
                fs::rename(&draft, &file).unwrap();
            }
        });
        let mut wrong = Vec::new();
        for nth in 0..300 {
            let ranges = "bytes=0-9,1000-1009,1900-1909";
            let fields = [("Range", ranges)];
            let fields = if nth % 2 == 0 { &fields[..] } else { &[] };
            let reply = ask(running.address, "GET", "/media/a.wav", fields);
            let tag = reply.field("etag").unwrap_or_default();
            let found =
                kinds.iter().find(|(_, length)| tag.starts_with(&format!("\"m{length:x}-")));
            let text = String::from_utf8_lossy(&reply.body);
            let is_right = found.is_some_and(|(letter, length)| {
                let letter = char::from(*letter);
                let is_whole = reply.status == 200
                    && (text.len(), text.matches(letter).count()) == (*length, *length);
                let run = letter.to_string().repeat(10);
                let run = format!("/{length}\r\n\r\n{run}\r\n");
                is_whole || reply.status == 206 && text.matches(&run).count() == 3
            });
            if !is_right {
                wrong.push(format!("{} {}", reply.status, reply.head));
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(wrong.len(), 0, "{:?}", wrong.first());
    });
}

#[test]
fn the_log_says_how_much_of_a_file_was_sent() {
    let site = site();
    let running = site.serve();
    for (method, range) in [("GET", "bytes=0-"), ("GET", "bytes=10-19"), ("HEAD", "bytes=0-")] {
        ask(running.address, method, "/media/2026/a.wav", &[("Range", range)]);
    }
    assert!(running.stop().0.success());
    let log = fs::read_to_string(site.path("log")).unwrap();
    for line in [
        r#"method="GET" path="/media/2026/a.wav" status=206 bytes=16044 "#,
        r#"method="GET" path="/media/2026/a.wav" status=206 bytes=10 "#,
        r#"method="HEAD" path="/media/2026/a.wav" status=200 bytes=0 "#,
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
}

#[test]
fn nothing_outside_the_folder_is_served() {
    let site = site();
    let running = site.serve();
    for path in [
        "/media/",
        "/media/2026",
        "/media/../feeds.toml",
        "/media/%2e%2e/feeds.toml",
        "/media/..%2Ffeeds.toml",
        "/media/2026/../../courant.db",
        "/media/b.wav",
    ] {
        assert_eq!(ask(running.address, "GET", path, &[]).status, 404, "{path}");
    }
}

#[test]
fn a_probe_fills_in_what_records_do_not_say_and_it_stays() {
    let site = site();
    let record = |id: &str, file: &str| {
        format!(
            r#"{{"id":"{id}","title":"t","attachments":[{{"url":"https://feeds.example.com/media/{file}"}}]}}"#
        )
    };
    let records = format!("{}\n{}\n", record("a", "2026/a.wav"), record("b", "2026/b.wav"));
    site.write("episodes.ndjson", &records);
    assert!(site.run(&["import", "episodes.ndjson"]).status.success());

    let probe = site.run(&["media", "probe", "--json"]);
    assert_eq!(probe.status.code(), Some(1), "one file is missing");
    let report: serde_json::Value = serde_json::from_slice(&probe.stdout).unwrap();
    assert_eq!((&report["looked_at"], &report["corrected"]), (&2.into(), &1.into()), "{report}");
    assert_eq!(report["problems"][0]["article"], "b");
    let rendered = |format| {
        let out = site.run(&["render", "all", "--format", format]).stdout;
        String::from_utf8(out).unwrap()
    };
    let expected = "<enclosure url=\"https://feeds.example.com/media/2026/a.wav\" length=\"16044\" type=\"audio/wav\"";
    assert!(rendered("rss").contains(expected), "{}", rendered("rss"));
    assert!(rendered("json").contains("\"duration_in_seconds\": 2"));

    // Again: nothing more to find. The same record again: what was found out stays.
    let again = site.run(&["media", "probe"]);
    let said = String::from_utf8(again.stdout).unwrap();
    assert_eq!(said, "1 file looked at: 0 measured, 1 not; 0 articles corrected\n");
    let import = site.run(&["import", "episodes.ndjson"]);
    assert!(String::from_utf8(import.stdout).unwrap().contains("2 unchanged"));
    assert!(rendered("rss").contains(expected));

    let check = site.run(&["check"]);
    let said = String::from_utf8(check.stdout).unwrap();
    assert!(said.contains("error: article `b`: `https://feeds.example.com/media/2026/b.wav` is not in the media folder"), "{said}");
    assert_eq!(check.status.code(), Some(1));
}

/// An address in a record comes from outside.
#[test]
fn a_probe_asks_no_machine_of_our_own_network_unless_told() {
    let site = site();
    let running = site.serve();
    let url = format!("http://{}/media/2026/a.wav", running.address);
    site.write(
        "e.ndjson",
        format!(
            r#"{{"id":"a","title":"t","attachments":[{{"url":"{url}","mime_type":"audio/wav"}}]}}"#
        ),
    );
    assert!(site.run(&["import", "e.ndjson"]).status.success());
    let refused = site.run(&["media", "probe"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("private network"), "{said}");
    let told = site.run(&["media", "probe", "--allow-private", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&report["measured"], &report["corrected"]), (&1.into(), &1.into()), "{report}");
}

#[test]
fn a_media_folder_that_is_not_there_is_named() {
    let site = Site::new(&format!("{SETTINGS}\n[media]\nfolder = \"sounds\"\n"));
    let output = site.run(&["serve"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot open the media folder") && said.contains("sounds"), "{said}");
}
