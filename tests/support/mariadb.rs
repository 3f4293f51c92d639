//! A MariaDB of a test's own: a server over a temporary folder, on a port of 127.0.0.1, gone when it is dropped.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mysql_async::{Conn, Opts, prelude::Queryable};

use super::{
    PATIENCE,
    postgres::{free_port, stand_in},
};

/// A server.
pub(crate) struct MariaDb {
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl MariaDb {
    /// Whether the programs are there.
    pub(crate) fn is_there() -> bool {
        program("mariadbd").is_some() && program("mariadb-install-db").is_some()
    }

    /// Makes one and starts it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = stand_in() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let run = |name: &str| {
            let mut command = Command::new(program(name).expect("a MariaDB server is installed"));
            command.current_dir(folder.path()).arg("--no-defaults");
            if let Some((user, group)) = stand_in() {
                command.uid(user).gid(group);
            }
            command
        };
        let place = folder.path().display().to_string();
        let made = run("mariadb-install-db")
            .args([&format!("--datadir={place}/data"), "--auth-root-authentication-method=normal"])
            .args(["--skip-test-db", "--skip-name-resolve"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        for _ in 0..20 {
            let port = free_port();
            let log = fs::File::create(folder.path().join("log")).unwrap();
            let child = run("mariadbd")
                .args([format!("--datadir={place}/data"), format!("--port={port}")])
                .args([format!("--socket={place}/s"), format!("--pid-file={place}/pid")])
                .args(["--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0"])
                .args(["--innodb-buffer-pool-size=64M", "--skip-log-bin", "--skip-name-resolve"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            let mut child = child;
            let begun = Instant::now();
            while child.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE {
                let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                if log.contains("ready for connections") {
                    let server = Self { folder, port, child };
                    let user =
                        "CREATE USER cms@'%' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO cms@'%'";
                    server.execute_as("root", "mysql", user);
                    return server;
                }
                thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        panic!("MariaDB does not start: {log}");
    }

    /// The address of one of its databases, for feeds.toml.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("mysql://cms:secret@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database.
    pub(crate) fn database(&self, name: &str, charset: &str) {
        self.execute("mysql", format!("CREATE DATABASE {name} CHARACTER SET {charset}"));
    }

    /// Runs statements in one of its databases, also from within a runtime.
    pub(crate) fn execute(&self, database: &str, statements: impl AsRef<[u8]>) {
        self.execute_as("cms:secret", database, statements);
    }

    fn execute_as(&self, user: &str, database: &str, statements: impl AsRef<[u8]>) {
        let url = format!("mysql://{user}@127.0.0.1:{}/{database}?prefer_socket=false", self.port);
        let statements = statements.as_ref().to_vec();
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let mut connection = Conn::new(Opts::from_url(&url).unwrap()).await.unwrap();
                connection.query_drop(statements).await.unwrap();
                connection.disconnect().await.unwrap();
            });
        };
        thread::scope(|scope| scope.spawn(run).join()).unwrap();
    }

    /// A folder that goes away with the server.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a program is; Debian keeps the server off the path.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    let mut folders = env::split_paths(&path).chain(usual);
    folders.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
}
