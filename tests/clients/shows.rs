//! Programs that listen: the shipped show with sounds of its own, and a show for members.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use chrono::DateTime;
use libtest_mimic::Failed;
use roxmltree::Document;

use crate::{
    Client, check, has_curl, has_feedparser, has_newsboat, has_podcastparser, output,
    support::{Running, Site, get, until},
};

pub(crate) const CLIENTS: [Client; 9] = [
    Client {
        name: "feedparser_sees_every_episode",
        program: "feedparser",
        is_there: has_feedparser,
        run: feedparser,
    },
    Client {
        name: "podcastparser_sees_every_episode",
        program: "podcastparser",
        is_there: has_podcastparser,
        run: podcastparser,
    },
    Client {
        name: "gpodder_sees_every_episode_and_gets_304",
        program: "gpo",
        is_there: has_gpodder,
        run: gpodder,
    },
    Client {
        name: "gpodder_lets_members_listen",
        program: "gpo",
        is_there: has_gpodder,
        run: gpodder_of_a_member,
    },
    Client {
        name: "podget_fetches_every_episode",
        program: "podget",
        is_there: has_podget,
        run: podget,
    },
    Client {
        name: "podget_fetches_what_members_may_have",
        program: "podget",
        is_there: has_podget,
        run: podget_of_a_member,
    },
    Client {
        name: "newsboat_reads_what_a_partner_may_have",
        program: "newsboat",
        is_there: has_newsboat,
        run: newsboat_of_a_partner,
    },
    Client {
        name: "curl_goes_on_with_a_sound_it_was_torn_from",
        program: "curl",
        is_there: has_curl,
        run: curl_torn_off,
    },
    Client { name: "mpv_plays_from_the_middle", program: "mpv", is_there: has_mpv, run: mpv },
];

/// In a second of [`sound`].
const SAMPLES: u32 = 8000;

/// A minute of sound, no part of which is like another: a WAV file of one channel of 16 bits.
fn sound() -> Vec<u8> {
    let samples = (0..60 * SAMPLES).flat_map(|nth| {
        let [low, high, ..] = (nth.wrapping_mul(2_654_435_761) >> 18).to_le_bytes();
        [low, high]
    });
    let size = 60 * SAMPLES * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + size).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(SAMPLES.to_le_bytes());
    file.extend((2 * SAMPLES).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend(samples);
    file
}

/// So many frames of silence: an MP3 file of 128 kbit/s.
fn silence(frames: usize) -> Vec<u8> {
    let frame: Vec<u8> = [0xff, 0xfb, 0x90, 0x64].into_iter().chain([0; 413]).collect();
    frame.repeat(frames)
}

/// The shipped publication, whose sounds are in its own folder, and a member with one more.
struct Radio {
    site: Site,
    server: Running,
    /// The public address, which leads here.
    base: String,
    token: String,
}

impl Radio {
    fn on_air() -> Result<Self, Failed> {
        let site = Site::shipped();
        // Programs follow the links of the feed: the port has to be known before they are written.
        let here = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let base = format!("http://{here}");
        let settings = fs::read_to_string(site.path("feeds.toml"))?
            .replace("127.0.0.1:0", &here.to_string())
            .replace("https://feeds.example.com", &base);
        site.write("feeds.toml", settings + MEMBERS);

        fs::create_dir_all(site.path("media/podcast"))?;
        fs::create_dir_all(site.path("media/members"))?;
        let articles = fs::read_to_string(site.path("examples/articles.ndjson"))?
            .replace("https://media.example.com/", &format!("{base}/media/"));
        for (nth, name) in SOUNDS.iter().enumerate() {
            check(articles.contains(name), format!("{name} is in no article"))?;
            site.write(&format!("media/podcast/{name}"), silence(100 + nth));
        }
        site.write("media/tone.wav", sound());
        site.write("media/members/bonus.wav", sound());
        let bonus = BONUS.replace("BASE", &base);
        site.write("examples/articles.ndjson", format!("{articles}\n{bonus}\n"));

        let server = site.serve();
        let probe = site.run(&["media", "probe"]);
        check(probe.status.success(), format!("the sounds are not measured: {probe:?}"))?;
        let said = site.run(&["partner", "token", "circle", "--holder", "li.ming"]).stdout;
        let token = String::from_utf8(said)?.lines().next().ok_or("no token")?.to_owned();
        let radio = Self { site, server, base, token };
        until("the member is let in and the bonus is measured", || {
            let (status, _, document) = get(radio.server.address, &radio.path("members.rss"), &[]);
            (status == 200 && String::from_utf8_lossy(&document).contains("length=\"960044\""))
                .then_some(())
        });
        Ok(radio)
    }

    /// A feed of the member, opened by its path.
    fn path(&self, feed: &str) -> String {
        format!("/partner/circle/{}/{feed}", self.token)
    }

    /// A feed of the member, for programs that send what is before `@` as Basic credentials.
    fn basic(&self, feed: &str) -> String {
        let host = self.server.address;
        format!("http://li.ming:{}@{host}/partner/circle/{feed}", self.token)
    }

    /// Where the member's own episode is.
    fn bonus(&self) -> Result<String, Failed> {
        let (_, _, document) = get(self.server.address, &self.path("members.rss"), &[]);
        let episodes = episodes(&document)?;
        let bonus = episodes.into_iter().find(|episode| episode.1.ends_with("bonus.wav"));
        let address = bonus.ok_or("the member has no bonus")?.1;
        let reach = format!("{}/partner/circle/reach_", self.base);
        check(address.starts_with(&reach), format!("{address} is not the member's own"))?;
        Ok(address)
    }

    /// Whether a request like this was logged; never with the token.
    fn logged(&self, parts: &[&str]) -> Result<(), Failed> {
        let log = || fs::read_to_string(self.site.path("log")).unwrap();
        until(&format!("the log has {parts:?}"), || {
            let is_it = |line: &str| parts.iter().all(|part| line.contains(part));
            log().lines().any(is_it).then_some(())
        });
        check(!log().contains(&self.token), "the log has the token")
    }
}

const SOUNDS: [&str; 7] = [
    "slow-lane-01.mp3",
    "slow-lane-02.mp3",
    "slow-lane-03.mp3",
    "slow-lane-04.mp3",
    "slow-lane-05.mp3",
    "slow-lane-06.mp3",
    "year-in-twelve-sounds.mp3",
];

const MEMBERS: &str = r#"
[[feed]]
name = "members"
title = "Members"
any_of = ["podcast"]
public = false

[feed.show]
author = "Example"
owner = { name = "Example", email = "podcast@example.com" }
artwork = "https://media.example.com/podcast/members-3000.jpg"
categories = ["News"]
explicit = false

[[partner]]
name = "circle"
feeds = ["members", "news"]
media = ["members"]

[media]
folder = "media"
private = ["members"]
"#;

const BONUS: &str = r#"{"id": "bonus", "title": "Bonus", "content_text": "For members.", "categories": ["podcast"], "date_published": "2026-03-05T08:00:00Z", "clearance": {"public": false}, "attachments": [{"url": "BASE/media/members/bonus.wav", "mime_type": "audio/x-wav"}]}"#;

/// Identity, address, size, type and date: what a program must have right.
type Episode = (String, String, i64, String, i64);

/// As the document has them.
fn episodes(document: &[u8]) -> Result<BTreeSet<Episode>, Failed> {
    let document = std::str::from_utf8(document)?;
    let document = Document::parse(document)?;
    let items = document.descendants().filter(|node| node.has_tag_name("item"));
    let episode = |item: roxmltree::Node<'_, '_>| {
        let child = |name| item.children().find(|node| node.has_tag_name(name));
        let enclosure = child("enclosure")?;
        Some((
            child("guid")?.text()?.to_owned(),
            enclosure.attribute("url")?.to_owned(),
            enclosure.attribute("length")?.parse().ok()?,
            enclosure.attribute("type")?.to_owned(),
            DateTime::parse_from_rfc2822(child("pubDate")?.text()?).ok()?.timestamp(),
        ))
    };
    items.map(episode).collect::<Option<_>>().ok_or_else(|| "an episode lacks something".into())
}

/// What a program saw is what the document has.
fn same(seen: &BTreeSet<Episode>, document: &[u8], number: usize) -> Result<(), Failed> {
    let there = episodes(document)?;
    check(there.len() == number, format!("{} episodes, not {number}", there.len()))?;
    check(*seen == there, format!("saw {seen:#?}\nwhere {there:#?} is"))
}

const FEEDPARSER: &str = r#"
import sys, json, calendar, feedparser
show = feedparser.parse(sys.argv[1])
assert not show.bozo and show.feed.title == "慢车道", show
print(json.dumps([
    [entry.id, file.href, int(file.length), file.type, calendar.timegm(entry.published_parsed)]
    for entry in show.entries for file in entry.enclosures
]))
"#;

const PODCASTPARSER: &str = r#"
import sys, json, urllib.request, podcastparser
show = podcastparser.parse(sys.argv[1], urllib.request.urlopen(sys.argv[1], timeout=20))
print(json.dumps([
    [episode["guid"], file["url"], file["file_size"], file["mime_type"], episode["published"]]
    for episode in show["episodes"] for file in episode["enclosures"]
]))
"#;

fn feedparser() -> Result<(), Failed> {
    parse(FEEDPARSER)
}

fn podcastparser() -> Result<(), Failed> {
    parse(PODCASTPARSER)
}

fn parse(script: &str) -> Result<(), Failed> {
    let site = Site::shipped();
    let server = site.serve();
    let address = format!("http://{}/slow-lane.rss", server.address);
    let said = output(Command::new("python3").args(["-c", script, &address]))?;
    let (_, _, document) = get(server.address, "/slow-lane.rss", &[]);
    same(&serde_json::from_str(&said)?, &document, 7)
}

/// The command line of gPodder, with everything it keeps in a folder.
fn gpo(home: &Path, arguments: &[&str]) -> Command {
    let mut gpo = Command::new("gpo");
    gpo.env("HOME", home).env("GPODDER_HOME", home).env("LC_ALL", "C.UTF-8").arg("-q");
    gpo.args(arguments);
    gpo
}

fn has_gpodder() -> bool {
    let home = tempfile::tempdir().unwrap();
    output(&mut gpo(home.path(), &["help"])).is_ok()
}

/// The episodes of a subscription, as gPodder keeps them.
fn kept(home: &Path, address: &str) -> Result<BTreeSet<Episode>, Failed> {
    let database = rusqlite::Connection::open(home.join("Database"))?;
    let mut kept = database.prepare(
        "SELECT episode.guid, episode.url, file_size, mime_type, published FROM episode \
         JOIN podcast ON podcast.id = podcast_id WHERE podcast.url = ?",
    )?;
    let rows = kept.query_map([address], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn gpodder() -> Result<(), Failed> {
    let radio = Radio::on_air()?;
    let home = tempfile::tempdir()?;
    let address = format!("{}/slow-lane.rss", radio.base);
    output(&mut gpo(home.path(), &["subscribe", &address]))?;
    let (_, _, document) = get(radio.server.address, "/slow-lane.rss", &[]);
    same(&kept(home.path(), &address)?, &document, 7)?;
    output(&mut gpo(home.path(), &["update"]))?;
    radio.logged(&["/slow-lane.rss", "status=304", "gPodder"])?;
    output(&mut gpo(home.path(), &["download", &address]))?;
    let expected = SOUNDS.iter().enumerate().map(|(nth, _)| silence(100 + nth)).collect();
    check(files(&home.path().join("Downloads"))? == expected, "the sounds differ")
}

fn gpodder_of_a_member() -> Result<(), Failed> {
    let radio = Radio::on_air()?;
    let opened = format!("{}{}", radio.base, radio.path("members.rss"));
    let (_, _, document) = get(radio.server.address, &radio.path("members.rss"), &[]);
    check(!String::from_utf8_lossy(&document).contains(&radio.token), "it holds the token")?;
    let guid = "tag:example.com,2026:article/bonus";
    radio.bonus()?;
    for address in [opened, radio.basic("members.rss")] {
        let home = tempfile::tempdir()?;
        output(&mut gpo(home.path(), &["subscribe", &address]))?;
        same(&kept(home.path(), &address)?, &document, 8)?;
        output(&mut gpo(home.path(), &["download", &address, guid]))?;
        let downloads = files(&home.path().join("Downloads"))?;
        check(downloads == BTreeSet::from([sound()]), "the bonus differs")?;
    }
    let wrong = format!("{}/partner/circle/courant_wrong/members.rss", radio.base);
    let home = tempfile::tempdir()?;
    // It says what went wrong, and may end well all the same.
    let _ = output(&mut gpo(home.path(), &["subscribe", &wrong]));
    check(kept(home.path(), &wrong)?.is_empty(), "a stranger sees episodes")?;
    radio.logged(&["status=200", "members/bonus.wav", "gPodder"])
}

/// What every sound beneath a folder holds.
fn files(folder: &Path) -> Result<BTreeSet<Vec<u8>>, Failed> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "mp3" || extension == "wav")
        {
            found.insert(fs::read(path)?);
        }
    }
    Ok(found)
}

/// The program with everything it keeps in a folder.
fn podget_at(home: &Path, arguments: &[&str]) -> Command {
    let mut podget = Command::new("podget");
    podget.env("HOME", home).env("LC_ALL", "C.UTF-8").env_remove("XDG_CONFIG_HOME");
    // Where it looks for others of its kind, which it does not run beside.
    podget.env("TMPDIR", home);
    podget.args(arguments);
    podget
}

fn has_podget() -> bool {
    let home = tempfile::tempdir().unwrap();
    output(&mut podget_at(home.path(), &["--help"])).is_ok()
}

/// What it fetches from a feed.
fn fetched(address: &str) -> Result<BTreeSet<Vec<u8>>, Failed> {
    let home = tempfile::tempdir()?;
    let settings = home.path().join("settings");
    let place = settings.display().to_string();
    output(&mut podget_at(home.path(), &["-d", &place, "--create-config", "podgetrc"]))?;
    // It asks for more room on the disk than a test has to have.
    let written = fs::read_to_string(settings.join("podgetrc"))?;
    fs::write(settings.join("podgetrc"), written.replace("MIN_SPACE=614400", "MIN_SPACE=1"))?;
    fs::write(settings.join("serverlist"), format!("{address} Sounds Show\n"))?;
    let library = home.path().join("library");
    fs::create_dir(&library)?;
    output(&mut podget_at(home.path(), &["-d", &place, "-l", &library.display().to_string()]))?;
    files(&library)
}

fn podget() -> Result<(), Failed> {
    let radio = Radio::on_air()?;
    let expected = SOUNDS.iter().enumerate().map(|(nth, _)| silence(100 + nth)).collect();
    let fetched = fetched(&format!("{}/slow-lane.rss", radio.base))?;
    check(fetched == expected, format!("{} sounds, or others", fetched.len()))
}

fn podget_of_a_member() -> Result<(), Failed> {
    let radio = Radio::on_air()?;
    let expected = SOUNDS.iter().enumerate().map(|(nth, _)| silence(100 + nth));
    let expected = expected.chain([sound()]).collect();
    let fetched = fetched(&format!("{}{}", radio.base, radio.path("members.rss")))?;
    check(fetched == expected, format!("{} sounds, or others", fetched.len()))?;
    radio.logged(&["status=200", "/partner/circle/", "members/bonus.wav", "Wget"])
}

fn newsboat_of_a_partner() -> Result<(), Failed> {
    let radio = Radio::on_air()?;
    let opened = |feed| format!("{}{}", radio.base, radio.path(feed));
    let (_, _, document) = get(radio.server.address, &radio.path("news.rss"), &[]);
    let number = String::from_utf8(document)?.matches("<item>").count();
    check(number > 10, "hardly any news")?;
    for (address, number) in [
        (opened("news.rss"), number),
        (opened("members.atom"), 8),
        (radio.basic("news.rss"), number),
        (radio.basic("members.atom"), 8),
    ] {
        let home = tempfile::tempdir()?;
        fs::write(home.path().join("urls"), format!("{address}\n"))?;
        fs::write(home.path().join("config"), "")?;
        let newsboat = |command: &str| {
            let mut newsboat = Command::new("newsboat");
            newsboat.env("HOME", home.path()).arg("-q");
            for (flag, file) in [("-u", "urls"), ("-C", "config"), ("-c", "cache.db")] {
                newsboat.arg(flag).arg(home.path().join(file));
            }
            output(newsboat.args(["-x", command]))
        };
        newsboat("reload")?;
        let said = newsboat("print-unread")?;
        check(said.starts_with(&format!("{number} unread")), format!("{said}, not {number}"))?;
    }
    radio.logged(&["/partner/circle/news.rss", "status=200", "newsboat"])?;
    radio.logged(&["/partner/circle/…/news.rss", "status=200", "newsboat"])
}

fn curl_torn_off() -> Result<(), Failed> {
    let radio = Radio::on_air()?;
    let sound = sound();
    for address in [format!("{}/media/tone.wav", radio.base), radio.bonus()?] {
        let part = radio.site.path("part.wav");
        let mut curl = Command::new("curl");
        curl.args(["-sf", &address]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut torn = curl.spawn()?;
        let mut begun = vec![0; 200_001];
        torn.stdout.take().ok_or("curl says nothing")?.read_exact(&mut begun)?;
        torn.kill()?;
        torn.wait()?;
        fs::write(&part, &begun)?;
        let rest = sound.len() - begun.len();
        let mut curl = Command::new("curl");
        curl.args(["-sf", "-C", "-", "-w", "%{http_code} %{size_download}", "-o"]).arg(&part);
        let said = output(curl.arg(&address))?;
        check(said == format!("206 {rest}"), format!("{said}, not {rest}"))?;
        check(fs::read(&part)? == sound, "what curl has put together differs")?;
    }
    Ok(())
}

fn has_mpv() -> bool {
    crate::works("mpv", &["--no-config", "--version"])
}

fn mpv() -> Result<(), Failed> {
    let radio = Radio::on_air()?;
    let sound = sound();
    let second = 2 * SAMPLES as usize;
    // It may stop a sample early.
    let expected = &sound[44 + 40 * second..44 + 41 * second - 100];
    for address in [format!("{}/media/tone.wav", radio.base), radio.bonus()?] {
        let played = radio.site.path("played.wav");
        let mut mpv = Command::new("mpv");
        mpv.args(["--no-config", "--no-ytdl", "--no-video", "--really-quiet", "--ao=pcm"]);
        mpv.arg(format!("--ao-pcm-file={}", played.display()));
        output(mpv.args(["--start=40", "--length=1", &address]))?;
        let played = fs::read(played)?;
        let is_it = played.windows(expected.len()).any(|part| part == expected);
        check(is_it, "what was played is not the second at 40 s")?;
    }
    radio.logged(&["/media/tone.wav", "status=206", "mpv"])?;
    radio.logged(&["/partner/circle/…/media/members/bonus.wav", "status=206", "mpv"])
}
