//! What the readers take of whole servers' processor time: some days of the month over sockets, with a connection for
//! each poll, as most readers have it.
//!
//! Two of the program itself, with readers that ask for deltas and without, and nginx with files; all at the same time,
//! a quarter of an hour of each in turn. Days here pass in seconds, so nothing stays long enough to be coded with more effort.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use courant::{
    clock,
    edition::{Coding, Effort},
    store::Store,
};
use tokio::runtime::Runtime;

use super::{DAY, DAYS, KINDS, Kind, Newsroom, READERS, Reader, readers, request};

const DAYS_HERE: u32 = 3;
const READERS_HERE: u32 = 1_000;

/// A server, and its readers.
struct Server {
    name: &'static str,
    address: String,
    process: Child,
    readers: Vec<Reader>,
    takes_deltas: bool,
    polls: u32,
    /// For answers, and for making what is answered.
    answering: Duration,
    making: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
        let _ = self.process.wait();
    }
}

impl Server {
    fn new(name: &'static str, address: String, process: Child, takes_deltas: bool) -> Self {
        let readers = readers(READERS_HERE);
        let (answering, making) = (Duration::ZERO, Duration::ZERO);
        Self { name, address, process, readers, takes_deltas, polls: 0, answering, making }
    }

    fn courant(name: &'static str, folder: &Path, takes_deltas: bool) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_courant"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut addresses = lines.filter_map(|line| {
            let (_, rest) = line.split_once("serves  http://")?;
            Some(rest.split('/').next()?.to_owned())
        });
        let address = addresses.next().expect("it serves");
        // Else it could not print that it has stopped.
        thread::spawn(move || addresses.count());
        Self::new(name, address, process, takes_deltas)
    }

    /// `None` where there is no nginx.
    fn nginx(folder: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = folder.display();
        let settings = format!(
            "worker_processes 1;\ndaemon off;\npid {home}/nginx.pid;\nerror_log {home}/error.log;\n\
             events {{ worker_connections 1024; }}\nhttp {{\n access_log off;\n types {{ application/rss+xml rss; }}\n\
             sendfile on;\n tcp_nopush on;\n gzip_static on;\n gzip_vary on;\n client_body_temp_path {home}/a;\n\
             proxy_temp_path {home}/b;\n fastcgi_temp_path {home}/c;\n uwsgi_temp_path {home}/d;\n scgi_temp_path {home}/e;\n\
             server {{ listen 127.0.0.1:{port}; root {home}/files; add_header Cache-Control \"public, max-age=300\"; }}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, settings).unwrap();
        let log = folder.join("error.log");
        let process = Command::new("nginx").arg("-e").arg(log).arg("-c").arg(file).spawn().ok()?;
        Some(Self::new("files behind nginx", format!("127.0.0.1:{port}"), process, false))
    }

    /// What it has taken so far, and its children.
    fn cpu(&self) -> Duration {
        let mut family = vec![self.process.id().to_string()];
        let mut ticks = 0;
        for nth in 0..8 {
            let Some(id) = family.get(nth).cloned() else { break };
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
            family.extend(children.unwrap_or_default().split_whitespace().map(str::to_owned));
            let figures = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // The name of a process, in parentheses, may hold anything.
            let figures = figures.rsplit(')').next().unwrap_or_default().split_whitespace();
            ticks += figures.skip(11).take(2).map(|text| text.parse::<u64>().unwrap()).sum::<u64>();
        }
        Duration::from_millis(ticks * 10)
    }

    /// Those whose turn it is ask.
    fn poll(&mut self, quarter: u32) {
        let before = self.cpu();
        for nth in 0..self.readers.len() {
            let reader = &mut self.readers[nth];
            let kind = &KINDS[reader.kind];
            if !(quarter + reader.offset).is_multiple_of(kind.period) {
                continue;
            }
            let (status, head, _) = ask(&self.address, kind, reader, self.takes_deltas);
            if matches!(status, 200 | 226) {
                (reader.tag, reader.date) = (field(&head, "etag"), field(&head, "last-modified"));
            }
            self.polls += 1;
        }
        self.answering += self.cpu().saturating_sub(before);
    }
}

/// Status, header and body of an answer on a connection of its own.
fn ask(address: &str, kind: &Kind, reader: &Reader, takes_deltas: bool) -> (u16, String, Vec<u8>) {
    let request = request(kind, reader, takes_deltas);
    let mut text = format!("GET {} HTTP/1.1\r\nconnection: close\r\n", request.uri());
    for (name, value) in request.headers() {
        text.push_str(&[name.as_str(), ": ", value.to_str().unwrap(), "\r\n"].concat());
    }
    text.push_str("\r\n");
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
}

fn field(head: &str, name: &str) -> Option<String> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
}

/// The document as it is now, once it stands at this revision or nothing has come of it for a while.
fn document(address: &str, revision: u64) -> Vec<u8> {
    let (plain, nobody) =
        (KINDS.iter().find(|kind| kind.codings.is_empty()).unwrap(), Reader::default());
    let tag = format!("\"n{revision}-");
    for _ in 0..40 {
        let (_, head, _) = ask(address, plain, &nobody, false);
        if field(&head, "etag").is_some_and(|other| other.starts_with(&tag)) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    ask(address, plain, &nobody, false).2
}

pub(super) fn measure(runtime: &Runtime) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(folder.join("files")).unwrap();
    let settings = include_str!("../../feeds.toml").replace("127.0.0.1:8080", "127.0.0.1:0");
    let settings = settings.replace("access_log = \"text\"", "access_log = \"off\"");
    let settings: Vec<&str> =
        settings.lines().filter(|line| !line.starts_with("import =")).collect();
    fs::write(folder.join("feeds.toml"), settings.join("\n")).unwrap();
    let mut newsroom = runtime.block_on(Newsroom::open(folder, clock::now()));
    let mut servers = vec![
        Server::courant("Courant", folder, true),
        Server::courant("Courant without deltas", folder, false),
    ];
    if let Some(nginx) = Server::nginx(folder) {
        servers.push(nginx);
    } else {
        println!("SKIPPED: files behind nginx, because nginx is missing");
    }
    let mut seen = 0;
    for quarter in 0..DAYS_HERE * DAY {
        let before: Vec<Duration> = servers.iter().map(Server::cpu).collect();
        runtime.block_on(newsroom.work(quarter, clock::now()));
        let head = runtime.block_on(newsroom.store.head()).unwrap().0;
        if head > seen {
            seen = head;
            let plain = document(&servers[0].address, head);
            document(&servers[1].address, head);
            let coded = Coding::Gzip.encode(&plain, Effort::Quick);
            fs::write(folder.join("files/all.rss"), &plain).unwrap();
            fs::write(folder.join("files/all.rss.gz"), coded).unwrap();
        }
        for (server, before) in servers.iter_mut().zip(before) {
            server.making += server.cpu().saturating_sub(before);
        }
        for server in &mut servers {
            server.poll(quarter);
        }
    }
    println!(
        "\n| servers, {READERS} readers | a poll, µs | a reader and month, ms | of it, making feeds |"
    );
    println!("|---|---:|---:|---:|");
    for server in &servers {
        let polls = f64::from(server.polls);
        let months = f64::from(DAYS) / f64::from(DAYS_HERE);
        let answering = server.answering.as_secs_f64() * months / f64::from(READERS_HERE);
        let making = server.making.as_secs_f64() * months / f64::from(READERS);
        println!(
            "| {} | {:.1} | {:.1} | {:.1} |",
            server.name,
            server.answering.as_secs_f64() * 1e6 / polls,
            (answering + making) * 1e3,
            making * 1e3,
        );
    }
}
