//! Programs that push: a client of each protocol, and a fuzzer that reads the `OpenAPI` document.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;

use crate::{
    Client, check, output,
    support::{
        Running, SETTINGS, Site, get,
        postgres::{Cluster, DURABLE},
        until,
    },
    works,
};

pub(crate) const CLIENTS: [Client; 4] = [
    Client {
        name: "a_request_is_answered_as_before_after_postgresql_was_killed",
        program: "a PostgreSQL server",
        is_there: Cluster::is_there,
        run: killed,
    },
    Client {
        name: "atompub_client_posts_edits_and_deletes",
        program: "Atompub::Client (libatompub-perl)",
        is_there: has_atompub,
        run: atompub,
    },
    Client {
        name: "entries_posts_edits_and_deletes_by_micropub",
        program: "entries (PyPI)",
        is_there: has_entries,
        run: entries,
    },
    Client {
        name: "schemathesis_finds_the_openapi_document_to_be_true",
        program: "schemathesis (PyPI)",
        is_there: has_schemathesis,
        run: schemathesis,
    },
];

/// Long enough for a few thousand requests on a busy machine.
const FUZZING: Duration = Duration::from_secs(400);

/// A service to which articles can be pushed, at an address that it knows itself.
struct Service {
    site: Site,
    server: Running,
    address: SocketAddr,
    token: String,
}

impl Service {
    fn new() -> Result<Self, Failed> {
        let free = TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?;
        drop(free);
        let more = "[media]\nfolder = \"media\"\n[[category]]\nslug = \"news\"\nlabel = \"News\"\n";
        let site = Site::new(&format!("{SETTINGS}\n[push]\nlisten = \"{address}\"\n{more}"));
        fs::create_dir(site.path("media"))?;
        let token = String::from_utf8(site.run(&["token", "create", "client"]).stdout)?;
        let token = token.trim().to_owned();
        let server = site.serve();
        Ok(Self { site, server, address, token })
    }

    /// Waits until the feed says it, or does not any more.
    fn shows(&self, text: &str, is_shown: bool) {
        until("the feed follows", || {
            let (_, _, feed) = get(self.server.address, "/all.json", &[]);
            (String::from_utf8_lossy(&feed).contains(text) == is_shown).then_some(())
        });
    }
}

/// Two copies over one database, which is killed while articles are pushed to both.
fn killed() -> Result<(), Failed> {
    let mut cluster = Cluster::start(DURABLE);
    let settings = format!("{SETTINGS}\n[push]\n[store]\nurl = \"{}\"\n", cluster.database());
    let sites = [Site::new(&settings), Site::new(&settings)];
    let token = String::from_utf8(sites[0].run(&["token", "create", "client"]).stdout)?;
    let copies = sites.each_ref().map(Site::serve);
    let push = |copy: usize, key: &str| -> Option<String> {
        let mut curl = Command::new("curl");
        let address = format!("http://{}/micropub", copies[copy].address);
        curl.args(["-s", "-m", "20", "-D", "-", "-H", &format!("Idempotency-Key: \"{key}\"")]);
        curl.args(["-H", &format!("Authorization: Bearer {}", token.trim())]);
        let text = output(curl.args(["-d", &format!("h=entry&content={key}"), &address])).ok()?;
        let location = text.lines().find_map(|line| line.strip_prefix("location: "))?;
        text.starts_with("HTTP/1.1 201").then(|| location.trim().to_owned())
    };
    let (mut told, mut keys) = (BTreeMap::new(), Vec::new());
    for round in 0..3 {
        for nth in 0..20 {
            let key = format!("{round}-{nth}");
            if nth == 10 {
                cluster.kill();
            }
            if nth == 13 {
                cluster.restart();
            }
            told.extend(push(nth % 2, &key).map(|location| (key.clone(), location)));
            keys.push(key);
        }
    }
    check(told.len() >= 30, format!("hardly anything was taken: {told:?}"))?;
    let mut articles = BTreeSet::new();
    for (nth, key) in keys.iter().enumerate() {
        // At the other copy than before.
        let location = until("it is taken", || push((nth + 1) % 2, key));
        let known = told.get(key);
        check(
            known.is_none_or(|known| *known == location),
            format!("{key}: {known:?} {location}"),
        )?;
        articles.insert(location);
    }
    check(articles.len() == keys.len(), "two requests made one article")?;
    for copy in &copies {
        until("each copy shows each article once", || {
            let (_, _, feed) = get(copy.address, "/all.json", &[]);
            let feed: serde_json::Value = serde_json::from_slice(&feed).ok()?;
            (feed["items"].as_array()?.len() == keys.len()).then_some(())
        });
    }
    Ok(())
}

fn has_atompub() -> bool {
    works("perl", &["-MAtompub::Client", "-e", "1"])
}

const ATOMPUB: &str = r#"
use strict; use warnings FATAL => 'all';
use Atompub::Client; use XML::Atom::Entry;
my ($base, $token, $step, $uri) = @ARGV;
my $client = Atompub::Client->new; $client->username('client'); $client->password($token);
my $service = $client->getService("$base/atompub") or die $client->errstr;
my ($workspace) = $service->workspaces; my ($articles, $media) = $workspace->collections;
if ($step eq 'create') {
  my $entry = XML::Atom::Entry->new; $entry->title('Library opens'); $entry->content('<p>All <b>four</b> floors.</p>');
  print $client->createEntry($articles->href, $entry, 'library-opens') || die $client->errstr;
}
if ($step eq 'edit') {
  my $entry = $client->getEntry($uri) or die $client->errstr;
  die $entry->content->body unless $entry->content->body =~ m{All <b>four</b> floors};
  $entry->title('Library opened'); $client->updateEntry($uri, $entry) or die $client->errstr;
  # It sends the tag of what it got last: a second client that knows an older one is refused.
  my $feed = $client->getFeed($articles->href) or die $client->errstr;
  die 'one entry is expected' unless ($feed->entries)[0]->title eq 'Library opened';
}
if ($step eq 'media') {
  my $picture = "\xff\xd8\xff\xe0picture";
  my $entry = $client->createMedia($media->href, \$picture, 'image/jpeg', 'hall') or die $client->errstr;
  print $client->getEntry($entry)->content->get_attr('src');
}
if ($step eq 'delete') {
  $client->deleteEntry($uri) or die $client->errstr;
  die 'it is still there' if defined $client->getEntry($uri);
}
"#;

fn atompub() -> Result<(), Failed> {
    let service = Service::new()?;
    let base = format!("http://{}", service.address);
    let run = |step: &str, uri: &str| {
        output(Command::new("perl").args(["-e", ATOMPUB, &base, &service.token, step, uri]))
    };
    let uri = run("create", "")?;
    check(uri == format!("{base}/atompub/articles/library-opens"), uri.as_str())?;
    service.shows("Library opens", true);
    run("edit", &uri)?;
    service.shows("Library opened", true);
    let picture = run("media", "")?;
    let path =
        picture.strip_prefix("https://feeds.example.com").ok_or("no address of a picture")?;
    let (status, _, bytes) = get(service.server.address, path, &[]);
    check((status, &bytes[..]) == (200, b"\xff\xd8\xff\xe0picture"), "the picture is another one")?;
    run("delete", &uri)?;
    service.shows("Library", false);
    Ok(())
}

fn has_entries() -> bool {
    works("python3", &["-c", "import cli; cli.micropub_create"])
}

// Its commands sign in through a browser first: what follows that is called here.
const ENTRIES: &str = r#"
import sys, webbrowser
opened = []
webbrowser.open_new_tab = opened.append
import cli
endpoint, token, step = sys.argv[1:4]
if step == "create":
    cli.micropub_create(endpoint, token, "hello world", {"name": "First", "category": ["news", "odd"], "mp-slug": "first"})
    sys.stdout.write(opened.pop())
    sys.exit()
url = sys.argv[4]
if step == "update":
    source = cli.micropub_source(endpoint, token, url)
    assert source["properties"]["category"] == ["news", "odd"], source
    text = source["properties"]["content"][0] + " and moon"
    cli.micropub_update(endpoint, token, url, text, {"name": "Second", "category": ["news"], "mp-extra-head": None, "mp-extra-body": None})
if step == "delete":
    cli.micropub_delete(endpoint, token, url)
"#;

fn entries() -> Result<(), Failed> {
    let service = Service::new()?;
    let endpoint = format!("http://{}/micropub", service.address);
    let run = |step: &str, url: &str| {
        output(Command::new("python3").args(["-c", ENTRIES, &endpoint, &service.token, step, url]))
    };
    let url = run("create", "")?;
    check(url == format!("http://{}/articles/first", service.address), url.as_str())?;
    service.shows("hello world", true);
    run("update", &url)?;
    service.shows("hello world and moon", true);
    run("delete", &url)?;
    service.shows("hello world", false);
    Ok(())
}

fn has_schemathesis() -> bool {
    works("schemathesis", &["--version"])
}

/// A batch of which a part was refused is answered with 207, which names what was.
const SCHEMATHESIS: &str = "\
[checks.negative_data_rejection]
expected-statuses = [207, 400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
";

/// Its keys are simple, so that two requests get one by chance: the second is then answered as the first was, and nothing
/// is done, which it takes for a deleted article that comes back.
const HOOKS: &str = r#"
import re, uuid, schemathesis

@schemathesis.hook
def before_call(context, case, **others):
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch(r'"[!#-~]{1,255}"', key):
        case.headers["Idempotency-Key"] = f'"{uuid.uuid4()}"'
"#;

/// What a record says is checked more strictly than a schema can say: that every text of the schema is taken is not asked.
fn schemathesis() -> Result<(), Failed> {
    let service = Service::new()?;
    let bearer = format!("Authorization: Bearer {}", service.token);
    let document = format!("http://{}/articles/openapi.json", service.address);
    let said = service.site.path("said");
    service.site.write("schemathesis.toml", SCHEMATHESIS);
    service.site.write("hooks.py", HOOKS);
    let mut command = Command::new("schemathesis");
    command.current_dir(service.site.path("")).env("SCHEMATHESIS_HOOKS", "hooks").args([
        "--no-color",
        "run",
        &document,
        "-H",
        &bearer,
    ]);
    command.args(["--exclude-checks", "positive_data_acceptance", "--max-examples", "15"]);
    // The same requests each time, unless others are asked for.
    let seed = env::var("COURANT_TEST_SEED").unwrap_or_else(|_| "1".to_owned());
    command.args(["--seed", &seed]);
    command.args(["--request-timeout", "30", "--generation-database", "none"]);
    command.stdin(Stdio::null()).stdout(fs::File::create(&said)?).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > FUZZING {
            child.kill()?;
            child.wait()?;
            return Err("it takes too long".into());
        }
        thread::sleep(Duration::from_millis(50));
    };
    let said = fs::read_to_string(said)?;
    check(status.success() && said.contains("Tested: 4"), said.as_str())?;
    let log = fs::read_to_string(service.site.path("log"))?;
    check(!log.contains("ERROR"), log.as_str())
}
