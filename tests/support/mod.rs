//! The program itself, run as a publisher runs it: in a folder of its own, on a port that the system picks.

#![allow(dead_code, reason = "each test program needs a part of it")]

pub(crate) mod dice;
pub(crate) mod mariadb;
pub(crate) mod postgres;
pub(crate) mod receiver;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Long enough for anything that does not hang, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A small publication that takes in nothing by itself.
pub(crate) const SETTINGS: &str = r#"
[site]
title = "Example"
url = "https://www.example.com/"
tag = "example.com,2026"
language = "en"

[server]
listen = "127.0.0.1:0"
base_url = "https://feeds.example.com/"

[[feed]]
name = "all"
title = "Everything"
newest = 1000
bytes = 5_000_000
"#;

/// A folder with `feeds.toml` and, once something was taken in, a store.
pub(crate) struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new(settings: &str) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        site.write("feeds.toml", settings);
        site
    }

    /// The publication that is shipped, with its articles taken in at the first start.
    pub(crate) fn shipped() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let settings = fs::read_to_string(root.join("feeds.toml")).unwrap();
        let anywhere = "listen = \"127.0.0.1:0\"\nbase_url = \"https://feeds.example.com/\"";
        let site = Self::new(&settings.replace("listen = \"127.0.0.1:8080\"", anywhere));
        fs::create_dir(site.path("examples")).unwrap();
        let articles = "examples/articles.ndjson";
        fs::copy(root.join(articles), site.path(articles)).unwrap();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_courant"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["CONFIG", "LISTEN", "BASE_URL", "STORE", "STORE_READ"] {
            command.env_remove(format!("COURANT_{name}"));
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Serves until it is stopped, or dropped.
    pub(crate) fn serve(&self) -> Running {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut command = self.command(&[]);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                let log = fs::read_to_string(self.path("log")).unwrap_or_default();
                panic!("it does not serve: {said:?} {log}");
            };
            let address = line
                .trim()
                .strip_prefix("serves  http://")
                .and_then(|rest| rest.split('/').next())
                .map(|address| address.parse().unwrap());
            said.push(line);
            if let Some(address) = address {
                break address;
            }
        };
        let rest = thread::spawn(move || lines.map_while(Result::ok).collect());
        Running { address, said, rest: Some(rest), child }
    }
}

/// A service.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// What it printed until it served.
    pub(crate) said: Vec<String>,
    rest: Option<thread::JoinHandle<Vec<String>>>,
    child: Child,
}

impl Running {
    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> (ExitStatus, Vec<String>) {
        self.signal("TERM");
        let status = wait(&mut self.child);
        (status, self.rest.take().unwrap().join().unwrap())
    }

    /// Sends a signal to this process and no other.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the end of a process, but not for ever.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    until("a process ends", || child.try_wait().unwrap())
}

/// Looks again and again, but not for ever.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether tests take their time: `COURANT_TEST_LONG=1`.
pub(crate) fn takes_its_time() -> bool {
    std::env::var_os("COURANT_TEST_LONG").is_some_and(|value| !value.is_empty() && value != "0")
}

/// What a service answers to a request of HTTP/1.0 fashion: status, header, body.
pub(crate) fn get(
    address: SocketAddr,
    path: &str,
    fields: &[(&str, &str)],
) -> (u16, String, Vec<u8>) {
    request(address, "GET", path, fields)
}

/// The same with any method.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> (u16, String, Vec<u8>) {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in fields {
        request.push_str(&[name, ": ", value, "\r\n"].concat());
    }
    request.push_str("\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end =
        answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a header");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

/// The tag of a document.
pub(crate) fn tag(address: SocketAddr, path: &str) -> String {
    let (status, head, _) = get(address, path, &[]);
    assert_eq!(status, 200, "{head}");
    let field = head.lines().find_map(|line| line.strip_prefix("etag: "));
    field.expect("a document has a tag").to_owned()
}
