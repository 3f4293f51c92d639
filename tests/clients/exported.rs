//! Static editions behind the web servers of `docs/export.md`, configured as it says, and in an S3 server.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
};

use libtest_mimic::Failed;

use super::{Client, FEEDPARSER, check, edge::Process, has_feedparser, output, works};
use crate::support::{Site, get, request, until, wait};

pub(super) const CLIENTS: [Client; 3] = [
    Client {
        name: "nginx_serves_an_export",
        program: "nginx with gzip_static, or feedparser",
        is_there: has_nginx,
        run: nginx,
    },
    Client {
        name: "caddy_serves_an_export",
        program: "caddy, or feedparser",
        is_there: has_caddy,
        run: caddy,
    },
    Client {
        name: "an_s3_server_gets_an_export",
        program: "moto (python3 -m pip install 'moto[server]')",
        is_there: has_moto,
        run: s3,
    },
];

/// A server that stops when it is dropped.
pub(super) struct Server {
    child: Process,
    pub(super) address: SocketAddr,
}

/// The configuration of a language in the documentation.
fn documented(language: &str) -> Result<String, Failed> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export.md");
    let docs = fs::read_to_string(docs)?;
    let block = docs.split(&format!("\n```{language}\n")).nth(1).ok_or("no such configuration")?;
    Ok(block.split("\n```").next().unwrap_or_default().to_owned())
}

/// Starts a server at a port that was free a moment ago; again at another one if it was taken meanwhile.
pub(super) fn start(
    mut command: impl FnMut(SocketAddr) -> Result<Command, Failed>,
) -> Result<Server, Failed> {
    for _ in 0..5 {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = command(address)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Server { child: Process(child.spawn()?), address };
        let is_up = until("a server answers or ends", || {
            if TcpStream::connect(address).is_ok() {
                return Some(true);
            }
            server.child.0.try_wait().unwrap().map(|_| false)
        });
        if is_up {
            return Ok(server);
        }
    }
    Err("it does not start".into())
}

fn has_nginx() -> bool {
    let version = Command::new("nginx").arg("-V").output();
    version.is_ok_and(|version| String::from_utf8_lossy(&version.stderr).contains("gzip_static"))
        && has_feedparser()
}

fn nginx() -> Result<(), Failed> {
    let site = exported()?;
    let documented = documented("nginx")?;
    let server = start(|address| {
        let root = site.path("out").display().to_string();
        let block = documented
            .replace("listen 80;", &format!("listen {address};"))
            .replace("root /var/www/feeds;", &format!("root {root};"));
        check(block.contains(&root) && block.contains(&address.to_string()), "nothing replaced")?;
        let folder = site.path("nginx");
        fs::create_dir_all(&folder)?;
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/error.log;\n\
             events {{}}\nhttp {{\naccess_log off;\n{1}\n{block}\n}}\n",
            folder.display(),
            temporary(&folder),
        );
        site.write("nginx.conf", whole);
        let mut command = Command::new("nginx");
        command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(site.path("nginx.conf"));
        Ok(command)
    })?;
    answers_as_the_service(&site, server.address)
}

/// Where nginx keeps what it cannot hold: its own folders are for whom it was installed.
pub(super) fn temporary(folder: &Path) -> String {
    let names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    names.map(|name| format!("{name}_temp_path {}/{name};", folder.display())).join("\n")
}

fn has_caddy() -> bool {
    works("caddy", &["version"]) && has_feedparser()
}

fn caddy() -> Result<(), Failed> {
    let site = exported()?;
    let documented = documented("caddyfile")?;
    let server = start(|address| {
        let root = site.path("out").display().to_string();
        let block = documented
            .replace("http://feeds.example.com", &format!("http://{address}"))
            .replace("/var/www/feeds", &root);
        check(block.contains(&root) && block.contains(&address.to_string()), "nothing replaced")?;
        site.write("Caddyfile", format!("{{\n\tadmin off\n\tauto_https off\n}}\n\n{block}\n"));
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(site.path("Caddyfile"));
        command.env("HOME", site.path("home")).env("XDG_DATA_HOME", site.path("home"));
        command.env("XDG_CONFIG_HOME", site.path("home"));
        Ok(command)
    })?;
    answers_as_the_service(&site, server.address)
}

/// The publication that is shipped, in a folder.
fn exported() -> Result<Site, Failed> {
    let site = Site::shipped();
    output(&mut site.command(&["import", "examples/articles.ndjson"]))?;
    output(&mut site.command(&["export", "out"]))?;
    Ok(site)
}

/// A field of an answer; several of one name are one list.
fn field(head: &str, name: &str) -> String {
    let values = head.lines().filter_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim())
    });
    values.collect::<Vec<_>>().join(", ")
}

fn answers_as_the_service(site: &Site, server: SocketAddr) -> Result<(), Failed> {
    let service = site.serve();
    for path in documents(site)? {
        same_document(server, service.address, &path)?;
    }
    for accept in [
        "",
        "*/*",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/atom+xml, application/rss+xml;q=0.9, text/html;q=0.1",
        "application/rss+xml, application/atom+xml, text/html;q=0.5",
        "application/feed+json, application/json;q=0.9",
    ] {
        let fields: Vec<_> =
            [("Accept", accept)].into_iter().filter(|(_, value)| !value.is_empty()).collect();
        for path in ["/all", "/category/headlines"] {
            let (expected, given) =
                (get(service.address, path, &fields), get(server, path, &fields));
            let is_same = expected.0 == 200 && given.0 == 200 && expected.2 == given.2;
            check(is_same, format!("{path} for `{accept}`: {} {}", given.0, given.1))?;
            let vary = field(&given.1, "vary");
            check(vary.split(", ").any(|name| name == "Accept"), format!("{path}: Vary: {vary}"))?;
            let kind = (field(&given.1, "content-type"), field(&expected.1, "content-type"));
            check(kind.0 == kind.1, format!("{path} for `{accept}`: {kind:?}"))?;
        }
    }
    for path in ["/none", "/none.rss", "/.courant/export.json", "/all/archive/1-7.rss", "/category"]
    {
        let (status, _, _) = get(server, path, &[]);
        check(status == 404, format!("{path}: {status}"))?;
    }
    for (path, statuses, location) in [
        ("/.well-known/feeds", [308, 308], "/feeds.opml"),
        ("/all/", [301, 308], "/all"),
        ("/all.xml", [301, 308], "/all.rss"),
    ] {
        let (status, head, _) = get(server, path, &[]);
        let leads = statuses.contains(&status) && field(&head, "location") == location;
        check(leads, format!("{path}: {head}"))?;
    }
    let (status, _, _) = request(server, "POST", "/all.rss", &[]);
    check(status == 405, format!("POST: {status}"))?;

    // Readers get 304 with what they were given.
    let feeds: Vec<_> = documents(site)?
        .into_iter()
        .filter(|path| [".rss", ".atom"].iter().any(|ending| path.ends_with(ending)))
        .map(|path| format!("http://{server}{path}"))
        .collect();
    check(feeds.len() > 10, "hardly any feeds")?;
    output(Command::new("python3").args(["-c", FEEDPARSER]).args(&feeds))?;

    // And news as soon as there are any.
    let (_, before, _) = get(server, "/all.atom", &[]);
    let (tag, date) = (field(&before, "etag"), field(&before, "last-modified"));
    site.write("new.ndjson", r#"{"id": "fresh", "title": "Fresh", "content_text": "New."}"#);
    output(&mut site.command(&["import", "new.ndjson"]))?;
    output(&mut site.command(&["export", "out"]))?;
    for (name, value) in [("If-None-Match", tag.as_str()), ("If-Modified-Since", date.as_str())] {
        let (status, head, body) = get(server, "/all.atom", &[(name, value)]);
        let has_news = status == 200 && String::from_utf8_lossy(&body).contains("Fresh");
        check(has_news, format!("{name}: {value}: {head}"))?;
    }
    Ok(())
}

/// The paths of everything in the export, as addresses have them.
fn documents(site: &Site) -> Result<Vec<String>, Failed> {
    let out = site.path("out");
    let (mut folders, mut found) = (vec![out.clone()], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name =
                path.strip_prefix(&out)?.to_str().ok_or("a name that is no text")?.to_owned();
            if name.starts_with(".courant")
                || [".gz", ".br", ".zst"].iter().any(|coded| name.ends_with(coded))
            {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if name == "index.html" {
                found.insert("/".to_owned());
            } else {
                let encode = percent_encoding::utf8_percent_encode;
                let path = encode(&name, percent_encoding::CONTROLS).to_string();
                found.insert(format!("/{path}"));
            }
        }
    }
    let count = found.len();
    check(count > 40 && found.iter().any(|path| path.ends_with("chapters.json")), "too few files")?;
    Ok(found.into_iter().collect())
}

/// The same bytes with fields that say the same of them, whole and on condition, plain and coded.
fn same_document(server: SocketAddr, service: SocketAddr, path: &str) -> Result<(), Failed> {
    let (expected_status, expected, expected_body) = get(service, path, &[]);
    let (status, head, body) = get(server, path, &[]);
    // Where an archive is to come, the service leads to the feed.
    if expected_status == 307 {
        return check(status == 200, format!("{path}: {head}"));
    }
    check(expected_status == 200 && status == 200, format!("{path}: {expected} {head}"))?;
    check(expected_body == body, format!("{path} is not what the service has"))?;
    for name in [
        "content-type",
        "content-length",
        "x-content-type-options",
        "access-control-allow-origin",
        "content-security-policy",
    ] {
        let (given, expected) = (field(&head, name), field(&expected, name));
        check(given == expected, format!("{path}: {name}: `{given}`, not `{expected}`"))?;
    }
    let date = field(&head, "last-modified");
    let expected_date = field(&expected, "last-modified");
    check(expected_date.is_empty() || date == expected_date, format!("{path}: {date}"))?;
    let freshness = field(&head, "cache-control");
    check(freshness.starts_with("public, max-age="), format!("{path}: {freshness}"))?;

    let (head_status, head_only, nothing) = request(server, "HEAD", path, &[]);
    let is_head = head_status == 200 && nothing.is_empty();
    check(is_head && field(&head_only, "content-length") == body.len().to_string(), head_only)?;

    let (_, expected_coded, _) = get(service, path, &[("Accept-Encoding", "gzip")]);
    let (_, coded, coded_body) = get(server, path, &[("Accept-Encoding", "gzip")]);
    let coded_body = match field(&coded, "transfer-encoding").as_str() {
        "chunked" => without_chunks(&coded_body)?,
        _ => coded_body,
    };
    let coding = field(&coded, "content-encoding");
    check(coding == field(&expected_coded, "content-encoding"), format!("{path}: {coded}"))?;
    if coding == "gzip" {
        let mut whole = vec![0; body.len()];
        let decoded = libdeflater::Decompressor::new().gzip_decompress(&coded_body, &mut whole);
        check(decoded == Ok(body.len()) && whole == body, format!("{path}: gzip differs"))?;
        for head in [&head, &coded] {
            let vary = field(head, "vary");
            check(vary.contains("Accept-Encoding"), format!("{path}: Vary: {vary}"))?;
        }
    }
    for (fields, from) in [([].as_slice(), &head), (&[("Accept-Encoding", "gzip")], &coded)] {
        let (tag, date) = (field(from, "etag"), field(from, "last-modified"));
        check(tag.starts_with('"') && !date.is_empty(), format!("{path}: {from}"))?;
        for (condition, value, expected) in [
            ("If-None-Match", tag.as_str(), 304),
            ("If-Modified-Since", date.as_str(), 304),
            ("If-None-Match", "\"another\"", 200),
            ("If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", 200),
        ] {
            let fields: Vec<_> = fields.iter().copied().chain([(condition, value)]).collect();
            let (status, head, body) = get(server, path, &fields);
            let is_right = status == expected && (status == 200 || body.is_empty());
            check(is_right, format!("{path}: {condition}: {value}: {head}"))?;
        }
    }
    check(
        field(&head, "etag") != field(&coded, "etag") || coding.is_empty(),
        format!("{path}: one tag for two codings"),
    )
}

/// A body that came in chunks, RFC 9112 section 7.1.
fn without_chunks(mut body: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").ok_or("no size of a chunk")?;
        let size = usize::from_str_radix(str::from_utf8(&body[..end])?, 16)?;
        if size == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(body.get(end + 2..end + 2 + size).ok_or("half a chunk")?);
        body = body.get(end + 4 + size..).ok_or("half a chunk")?;
    }
}

fn has_moto() -> bool {
    works("python3", &["-c", "import moto.server"])
}

const MOTO: &str = r#"
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"#;

/// Whatever is signed with: the server does not look.
const SIGNED: (&str, &str) = (
    "Authorization",
    "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
);

fn s3() -> Result<(), Failed> {
    let mut python = Command::new("python3");
    python.args(["-c", MOTO]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = python.spawn()?;
    // It says something of its own first.
    let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let mut addresses =
        lines.map_while(Result::ok).filter_map(|line| line.replace(' ', ":").parse().ok());
    let address = addresses.next().ok_or("it does not start")?;
    let server = Server { child: Process(child), address };
    let (status, head, _) =
        request(server.address, "PUT", "/bucket", &[SIGNED, ("Content-Length", "0")]);
    check(status == 200, head)?;

    let site = Site::shipped();
    output(&mut site.command(&["import", "examples/articles.ndjson"]))?;
    let export = |arguments: &[&str]| {
        let mut command = site.command(&["export", "s3://bucket/site"]);
        command.args(arguments).envs([
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ALLOW_HTTP", "true"),
            ("NO_PROXY", "127.0.0.1"),
        ]);
        command.env("AWS_ENDPOINT", format!("http://{}", server.address));
        command
    };
    let report = |command: &mut Command| -> Result<serde_json::Value, Failed> {
        Ok(serde_json::from_str(&output(command)?)?)
    };
    let object = |name: &str, fields: &[(&str, &str)]| {
        let fields: Vec<_> = fields.iter().copied().chain([SIGNED]).collect();
        get(server.address, &format!("/bucket/site/{name}"), &fields)
    };
    let first = report(&mut export(&["--json"]))?;
    check(first["files_written"].as_u64() > Some(100), first.to_string())?;

    let service = site.serve();
    for (name, path) in [
        ("all.rss", "/all.rss"),
        ("all.json", "/all.json"),
        ("category/headlines.atom", "/category/headlines.atom"),
        ("index.html", "/"),
        ("feeds.opml", "/feeds.opml"),
        (".well-known/feeds", "/feeds.opml"),
        ("all", "/all.html"),
    ] {
        let (_, expected, expected_body) = get(service.address, path, &[]);
        let (status, head, body) = object(name, &[]);
        check(status == 200 && body == expected_body, format!("{name}: {head}"))?;
        for of in ["content-type", "cache-control", "content-encoding"] {
            let (given, expected) = (field(&head, of), field(&expected, of));
            check(given == expected, format!("{name}: {of}: `{given}`, not `{expected}`"))?;
        }
        let tag = field(&head, "etag");
        let (status, head, _) = object(name, &[("If-None-Match", &tag)]);
        check(status == 304, format!("{name}: {head}"))?;
    }
    for (ending, coding) in [(".gz", "gzip"), (".br", "br"), (".zst", "zstd")] {
        let (_, _, expected) = get(service.address, "/all.rss", &[("Accept-Encoding", coding)]);
        let (status, head, body) = object(&format!("all.rss{ending}"), &[]);
        let is_right =
            status == 200 && body == expected && field(&head, "content-encoding") == coding;
        check(is_right, format!("all.rss{ending}: {head}"))?;
        check(field(&head, "content-type").starts_with("application/rss+xml"), head)?;
    }
    drop(service);

    let again = report(&mut export(&["--json"]))?;
    check(again["files_written"] == 0 && again["feeds"] == 0, again.to_string())?;
    site.write(
        "new.ndjson",
        r#"{"id": "fresh", "title": "Fresh", "content_text": "New.", "categories": ["Fresh"]}"#,
    );
    output(&mut site.command(&["import", "new.ndjson"]))?;
    let news = report(&mut export(&["--json"]))?;
    let count = |report: &serde_json::Value| report["files_written"].as_u64().unwrap_or_default();
    check(news["feeds"] == 3 && count(&news) * 2 < count(&first), news.to_string())?;
    let (_, _, body) = object("category/fresh.rss", &[]);
    check(String::from_utf8_lossy(&body).contains("Fresh"), "the new category is not there")?;

    // One at a time; one that was killed keeps others away until its lease is over.
    let mut watching = export(&["--watch"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    until("the lease is taken", || {
        let refused = export(&[]).output().unwrap();
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        (refused.status.code() == Some(2) && error.contains("or until 20")).then_some(())
    });
    watching.kill()?;
    wait(&mut watching);
    let refused = export(&[]).output()?;
    check(refused.status.code() == Some(2), "a lease does not hold")
}
