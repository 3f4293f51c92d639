//! A PostgreSQL of a test's own: a cluster in a temporary folder, on a port of 127.0.0.1, gone when it is dropped.
//!
//! Its port stays the same through restarts, so it is taken from below the range that systems give out by themselves: there,
//! another test's socket could take it while the database is away, or a client could even connect to itself.

use std::{
    env, fs, iter,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::PATIENCE;

/// Settings for tests that never kill it: nothing waits for a disk.
pub(crate) const FAST: &[(&str, &str)] =
    &[("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];

/// Settings for tests that kill it: what it acknowledges is on disk.
pub(crate) const DURABLE: &[(&str, &str)] = &[("fsync", "on"), ("synchronous_commit", "on")];

/// Who owns every database of a cluster; nobody is asked for a password.
const OWNER: &str = "courant";

/// How many ports are tried before a start is given up.
const TRIES: usize = 20;

/// Below what Linux, macOS and the BSDs give out to sockets that ask for any port.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// A cluster, running or killed.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    programs: PathBuf,
    settings: Vec<(String, String)>,
    port: u16,
    databases: AtomicU16,
    running: Option<Postmaster>,
}

impl Cluster {
    /// Whether the programs are there.
    pub(crate) fn is_there() -> bool {
        programs().is_some()
    }

    /// Makes a cluster and starts it.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let programs = programs().expect("a PostgreSQL server is installed");
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = stand_in() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut cluster = Self {
            settings: settings.collect(),
            folder,
            programs,
            port: 0,
            databases: AtomicU16::new(0),
            running: None,
        };
        let mut initdb = cluster.program("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        let made = initdb.args(["--username", OWNER, "--pgdata", "data"]).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        for _ in 0..TRIES {
            cluster.port = free_port();
            cluster.running = cluster.launch();
            if cluster.running.is_some() {
                return cluster;
            }
        }
        panic!("PostgreSQL does not start: {}", cluster.log());
    }

    /// The address of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{OWNER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The address of a new, empty database.
    pub(crate) fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Runs statements in one of its databases, also from within a runtime.
    pub(crate) fn execute(&self, database: &str, statements: &str) {
        let url = self.url(database);
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let (client, connection) =
                    tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
                let connection = tokio::spawn(connection);
                client.batch_execute(statements).await.unwrap();
                drop(client);
                connection.await.unwrap().unwrap();
            });
        };
        thread::scope(|scope| scope.spawn(run).join()).unwrap();
    }

    /// `kill -9`: it closes nothing and says goodbye to nobody.
    pub(crate) fn kill(&mut self) {
        drop(self.running.take());
    }

    /// Ends it in order: whoever is connected is told.
    pub(crate) fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.signal("INT");
            running.ends();
        }
    }

    /// Starts it again after it was killed or stopped, on the same port and over the same data.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let begun = Instant::now();
        // Processes of the one that was killed may still be about to notice.
        while self.running.is_none() {
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL does not come back: {}", self.log());
            self.running = self.launch();
        }
    }

    /// Where it keeps its files: `data/`, `log`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Starts it, unless its port is taken or what it left behind is still in use.
    fn launch(&self) -> Option<Postmaster> {
        let mut log = fs::OpenOptions::new();
        let log = log.create(true).append(true).open(self.path("log")).unwrap();
        let mut postgres = self.program("postgres");
        postgres.args(["-D", "data", "-p", &self.port.to_string()]);
        let own = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("shared_buffers", "32MB"),
            ("max_connections", "200"),
        ];
        let settings = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.into_iter().chain(settings) {
            postgres.args(["-c", &format!("{name}={value}")]);
        }
        let child = postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut postmaster = Postmaster::new(child.unwrap());
        let begun = Instant::now();
        while !postmaster.accepts(&self.path("data/postmaster.pid")) {
            let ended = postmaster.child.try_wait().unwrap().is_some();
            if ended || begun.elapsed() > PATIENCE {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
        Some(postmaster)
    }

    /// One of its programs, as somebody who may run it, untouched by what the environment says of other clusters.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path()).env_clear().env("LC_ALL", "C");
        if let Some((user, group)) = stand_in() {
            command.uid(user).gid(group);
        }
        command
    }
}

/// The process that all others of a cluster belong to; they end when it does.
struct Postmaster {
    child: Child,
    /// Ends it should this process come to an end without doing so, as when a test is killed.
    watch: Child,
}

impl Postmaster {
    fn new(child: Child) -> Self {
        let watch = Command::new("sh")
            .args(["-c", "read -r line; kill -QUIT \"$0\"", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self { child, watch: watch.unwrap() }
    }

    /// What it writes down once it lets clients in: its number is the first line, its state the eighth.
    fn accepts(&self, file: &Path) -> bool {
        let written = fs::read_to_string(file).unwrap_or_default();
        let mut lines = written.lines();
        lines.next().is_some_and(|id| id == self.child.id().to_string())
            && lines.nth(6).is_some_and(|state| state.trim_end() == "ready")
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    fn ends(&mut self) {
        super::wait(&mut self.child);
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        // The watch first: the number may be another's once the process has been waited for.
        for child in [&mut self.watch, &mut self.child] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Where `initdb` and `postgres` are.
fn programs() -> Option<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.map(|told| PathBuf::from(String::from_utf8_lossy(&told.stdout).trim()));
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = [
        ("/usr/lib/postgresql", "bin"),
        ("/usr", "bin"),
        ("/usr/local", "bin"),
        ("/opt/homebrew/opt", "bin"),
    ];
    let usual = usual.into_iter().flat_map(|(folder, below)| {
        let mut found: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
        // The newest first.
        found.sort_by_key(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let digits = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
            std::cmp::Reverse(digits.parse::<u16>().unwrap_or_default())
        });
        found.into_iter().map(move |entry| entry.path().join(below))
    });
    let mut folders = told.into_iter().chain(env::split_paths(&path)).chain(usual);
    folders.find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()))
}

/// Whom the programs run as when the test runs as root, which they refuse.
pub(crate) fn stand_in() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    // A file of this process is owned by whom it runs as.
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let users = is_root.then(|| fs::read_to_string("/etc/passwd").ok()).flatten()?;
    ["postgres", "nobody"].into_iter().find_map(|wanted| {
        let user = users.lines().find(|line| line.split(':').next() == Some(wanted))?;
        let mut numbers = user.split(':').skip(2).map_while(|number| number.parse().ok());
        Some((numbers.next()?, numbers.next()?))
    })
}

/// A port that nobody listens on at present.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = process::id().wrapping_mul(7919);
    iter::repeat_with(|| begin + u32::from(NEXT.fetch_add(1, Ordering::SeqCst)))
        .take(1000)
        .filter_map(|number| u16::try_from(number % u32::try_from(PORTS.len()).ok()?).ok())
        .map(|offset| PORTS.start + offset)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port is free")
}
