//! TLS to the server: each `sslmode` as docs/store.md has it, over certificates that are made for the test.

use std::{
    error::Error,
    fs, iter,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use courant::store::Store;

use crate::{
    fixtures::Home,
    server::{client, open},
    support::{
        SETTINGS, Site, get,
        postgres::{Cluster, FAST, stand_in},
        until,
    },
};

crate::cases!(
    each_sslmode_encrypts_and_looks_as_documented,
    a_server_without_tls_is_refused_where_it_is_demanded,
    an_authority_is_no_server_but_what_else_signed_itself_may_be_trusted,
    files_without_certificates_are_named,
    a_publication_and_a_poll_go_through_it,
    authorities_of_the_system_are_asked_unless_a_file_is_named,
    whoever_does_not_look_is_told_at_every_start,
);

/// For whom certificates of servers are.
const HOST: &str = "db.example.com";

pub(crate) fn has_openssl() -> bool {
    let mut openssl = Command::new("openssl");
    openssl.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
    openssl.status().is_ok_and(|status| status.success())
}

/// What is in the certificates, whatever this machine's own settings for `openssl` are.
const CONTENTS: &str = "
[req]
distinguished_name = name
prompt = no
[name]
CN = NAME
[authority]
basicConstraints = critical, CA:TRUE
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:db.example.com
";

/// Somebody who signs certificates, in a folder; and a certificate of the server at [`HOST`].
struct Authority(tempfile::TempDir);

impl Authority {
    fn new(name: &str) -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        fs::write(authority.path("contents"), CONTENTS.replace("NAME", name)).unwrap();
        authority.signs_itself("ca", "authority");
        authority.openssl("req -new -config contents -keyout server.key -out server.csr", KEY);
        let sign =
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt";
        authority.openssl(sign, "-days 2 -extfile contents -extensions server");
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a key and a certificate of a kind that no other has signed.
    fn signs_itself(&self, name: &str, kind: &str) {
        let make = format!("req -x509 -days 2 -keyout {name}.key -out {name}.crt");
        self.openssl(&format!("{make} -config contents -extensions {kind}"), KEY);
    }

    fn openssl(&self, words: &str, more: &str) {
        let mut openssl = Command::new("openssl");
        openssl.args(words.split(' ')).args(more.split(' ')).current_dir(self.0.path());
        let made = openssl.output().unwrap();
        assert!(made.status.success(), "{words}: {}", String::from_utf8_lossy(&made.stderr));
    }

    /// A server that has a certificate of this folder.
    fn cluster(&self, name: &str) -> Cluster {
        let [certificate, key] = ["crt", "key"].map(|kind| self.path(&format!("{name}.{kind}")));
        if let Some((user, group)) = stand_in() {
            for path in [self.0.path(), &certificate, &key] {
                chown(path, Some(user), Some(group)).unwrap();
            }
        }
        let [certificate, key] = [&certificate, &key].map(|path| path.to_str().unwrap());
        let tls = [("ssl", "on"), ("ssl_cert_file", certificate), ("ssl_key_file", key)];
        Cluster::start(&[FAST, &tls].concat())
    }

    /// The parameter that names a certificate of this folder as trusted.
    fn trusted(&self, name: &str) -> String {
        format!("sslrootcert={}", self.path(&format!("{name}.crt")).display())
    }
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// The address of a database by the name of its host, whatever that leads to elsewhere.
fn at(host: &str, database: &str, parameters: &[&str]) -> String {
    let url = database.replace("@127.0.0.1:", &format!("@{host}:"));
    let parameters = ["hostaddr=127.0.0.1"].iter().chain(parameters).copied();
    format!("{url}?{}", parameters.collect::<Vec<_>>().join("&"))
}

/// Whether the connections of Courant to a database are encrypted: all of them, or none.
async fn is_encrypted(database: &str) -> bool {
    let select =
        "SELECT bool_and(ssl), bool_or(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE datname = current_database() AND application_name = 'courant'";
    let row = client(database).await.query_one(select, &[]).await.unwrap();
    let (all, any): (bool, bool) = (row.get(0), row.get(1));
    assert_eq!(all, any, "some are, and some are not");
    all
}

/// Whether an opened store is reached by TLS, or all that is said of why it is not opened.
async fn reached(url: &str, database: &str) -> Result<bool, String> {
    match open(url).await {
        Ok(store) => {
            store.head().await.unwrap();
            Ok(is_encrypted(database).await)
        }
        Err(error) => {
            let causes = iter::successors(Some(&error as &dyn Error), |error| (**error).source());
            Err(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
        }
    }
}

pub(crate) async fn each_sslmode_encrypts_and_looks_as_documented(_: Home) {
    let (authority, other) = (Authority::new("Ours"), Authority::new("Theirs"));
    let cluster = authority.cluster("server");
    let database = cluster.database();
    // Of the name that the right one has.
    let before = Authority::new("Ours");
    let [trusted, strange, former] = [&authority, &other, &before].map(|it| it.trusted("ca"));
    let [trusted, strange, former] = [&trusted, &strange, &former].map(String::as_str);
    let (require, full) = ("sslmode=require", "sslmode=verify-full");
    let elsewhere = "elsewhere.example.com";
    let unknown = Err("name the certificate of the authority that signed it in `sslrootcert`");
    let misnamed = Err("name the server in the address as the certificate's `subjectAltName` does");
    for (host, parameters, expected) in [
        (HOST, &["sslmode=disable"][..], Ok(false)),
        (HOST, &[], Ok(true)),
        (HOST, &["sslmode=prefer", strange], Ok(true)),
        (HOST, &[require], Ok(true)),
        (elsewhere, &[require], Ok(true)),
        (HOST, &[require, trusted], Ok(true)),
        (HOST, &[require, strange], unknown),
        (HOST, &[require, former], unknown),
        (elsewhere, &[require, trusted], misnamed),
        (HOST, &[full, trusted], Ok(true)),
        (HOST, &[full, strange], unknown),
        (elsewhere, &[full, trusted], misnamed),
    ] {
        let found = reached(&at(host, &database, parameters), &database).await;
        match expected {
            Ok(encrypted) => assert_eq!(found, Ok(encrypted), "{host} {parameters:?}"),
            Err(part) => {
                let said = found.expect_err("it is refused");
                assert!(said.contains(part), "{host} {parameters:?}: {said}");
            }
        }
    }
}

pub(crate) async fn a_server_without_tls_is_refused_where_it_is_demanded(home: Home) {
    let authority = Authority::new("Ours");
    let database = home.url();
    assert_eq!(reached(&at(HOST, &database, &["sslmode=prefer"]), &database).await, Ok(false));
    let trusted = authority.trusted("ca");
    for parameters in [&["sslmode=require"][..], &["sslmode=verify-full", &trusted]] {
        let said = reached(&at(HOST, &database, parameters), &database).await.unwrap_err();
        assert!(said.ends_with("server does not support TLS"), "{parameters:?}: {said}");
    }
}

pub(crate) async fn an_authority_is_no_server_but_what_else_signed_itself_may_be_trusted(_: Home) {
    let authority = Authority::new("Ours");
    for (kind, is_taken) in [("authority", false), ("server", true)] {
        authority.signs_itself("lone", kind);
        let cluster = authority.cluster("lone");
        let database = cluster.database();
        let url = at(HOST, &database, &["sslmode=verify-full", &authority.trusted("lone")]);
        match reached(&url, &database).await {
            Ok(encrypted) => assert!(is_taken && encrypted, "{kind}"),
            Err(said) => {
                assert!(!is_taken, "{said}");
                assert!(said.contains("have the authority sign another"), "{said}");
            }
        }
    }
}

pub(crate) async fn files_without_certificates_are_named(home: Home) {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let broken = folder.path().join("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for file in [empty, broken, folder.path().join("none.pem")] {
        let file = file.display();
        let root = format!("sslrootcert={file}");
        let url = at(HOST, &home.url(), &["sslmode=verify-full", &root]);
        let said = reached(&url, &home.url()).await.unwrap_err();
        assert!(said.contains(&format!(": cannot trust `{file}`")), "{said}");
    }
}

/// A publication in a database.
fn site(url: &str) -> Site {
    let site = Site::new(&format!("{SETTINGS}\n[store]\nurl = \"{url}\"\n"));
    for (name, title) in [("one", "Library opens"), ("two", "Bridge closed")] {
        let record = format!(r#"{{"id": "{name}", "title": "{title}", "content_text": "Text."}}"#);
        site.write(&format!("{name}.ndjson"), record);
    }
    site
}

pub(crate) async fn a_publication_and_a_poll_go_through_it(_: Home) {
    let authority = Authority::new("Ours");
    let cluster = authority.cluster("server");
    let database = cluster.database();
    let site = site(&at(HOST, &database, &["sslmode=verify-full", &authority.trusted("ca")]));
    let import = |name: &str| {
        let run = site.run(&["import", name]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    import("one.ndjson");
    let server = site.serve();
    let (status, head, body) = get(server.address, "/all.rss", &[]);
    assert_eq!(status, 200, "{head}");
    assert!(String::from_utf8_lossy(&body).contains("Library opens"));
    let tag = crate::support::tag(server.address, "/all.rss");
    let poll = || get(server.address, "/all.rss", &[("If-None-Match", &tag)]);
    assert_eq!(poll().0, 304);
    import("two.ndjson");
    let news = until("what was published is polled", || Some(poll()).filter(|it| it.0 != 304));
    assert!(String::from_utf8_lossy(&news.2).contains("Bridge closed"), "{}", news.1);
    assert!(is_encrypted(&database).await, "some connection is not encrypted");
}

pub(crate) async fn authorities_of_the_system_are_asked_unless_a_file_is_named(_: Home) {
    let (authority, other) = (Authority::new("Ours"), Authority::new("Theirs"));
    let cluster = authority.cluster("server");
    let database = cluster.database();
    let import = |parameters: &[&str], system: &Path| {
        let site = site(&at(HOST, &database, parameters));
        let mut import = site.command(&["import", "one.ndjson"]);
        let run = import.env("SSL_CERT_FILE", system).env_remove("SSL_CERT_DIR").output().unwrap();
        (run.status.code(), String::from_utf8_lossy(&run.stderr).into_owned())
    };
    let (ours, theirs) = (authority.path("ca.crt"), other.path("ca.crt"));
    for parameters in [&["sslmode=verify-full"][..], &["sslmode=require", "sslrootcert=system"]] {
        let (code, said) = import(parameters, &theirs);
        assert_eq!(code, Some(2), "{parameters:?}: {said}");
        assert!(said.contains("in `sslrootcert`"), "{parameters:?}: {said}");
        let (code, said) = import(parameters, &ours);
        assert_eq!(code, Some(0), "{parameters:?}: {said}");
    }
    let (code, said) = import(&["sslmode=verify-full", &other.trusted("ca")], &ours);
    assert_eq!(code, Some(2), "{said}");
}

pub(crate) async fn whoever_does_not_look_is_told_at_every_start(_: Home) {
    let authority = Authority::new("Ours");
    let cluster = authority.cluster("server");
    let database = cluster.database();
    let trusted = authority.trusted("ca");
    for (parameters, is_told) in
        [(&["sslmode=require"][..], true), (&["sslmode=require", &trusted], false)]
    {
        let site = site(&at(HOST, &database, parameters));
        for _ in 0..2 {
            site.serve().stop();
            let log = fs::read_to_string(site.path("log")).unwrap();
            assert_eq!(log.contains("is encrypted but may be anybody"), is_told, "{log}");
        }
    }
}
