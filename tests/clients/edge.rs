//! Caches that are put in front: as `examples/deploy/` has them, told what is stale.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;

use crate::{
    Client, check,
    exported::{Server, start, temporary},
    output,
    support::{PATIENCE, SETTINGS, Site, get, postgres::free_port, request, until},
    works,
};

pub(crate) const CLIENTS: [Client; 2] = [
    Client {
        name: "varnish_keeps_feeds_until_it_is_told",
        program: "varnishd",
        is_there: has_varnish,
        run: varnish,
    },
    Client {
        name: "nginx_takes_the_shipped_configuration",
        program: "nginx",
        is_there: has_nginx,
        run: nginx,
    },
];

fn has_varnish() -> bool {
    works("varnishd", &["-V"]) && works("varnishadm", &["-h"])
}

pub(crate) fn has_nginx() -> bool {
    works("nginx", &["-v"])
}

/// What is shipped for whoever runs this.
fn shipped(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("examples/deploy").join(name)).unwrap()
}

/// A process that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Varnish and nginx end the processes that serve when the one that minds them is asked to stop.
        let id = self.0.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
        let begun = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn varnish() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("varnish").display().to_string();
    let log = fs::File::create(folder.path().join("log"))?;
    let mut varnishd = Command::new("varnishd");
    varnishd.args(["-F", "-j", "none", "-n", &state, "-b", "none", "-a", "127.0.0.1:0"]);
    varnishd.args(["-s", "malloc,32m"]).stdin(Stdio::null()).stdout(Stdio::null());
    let _varnishd = Process(varnishd.stderr(log).spawn()?);
    let tell = |words: &[&str]| {
        let told = Command::new("varnishadm").args(["-n", &state]).args(words).output().unwrap();
        told.status.success().then(|| String::from_utf8_lossy(&told.stdout).into_owned())
    };
    until("varnishd listens to its operator", || tell(&["ping"]));

    // Courant has to know where Varnish is, and Varnish where Courant is: it learns that last.
    let site = Site::new(SETTINGS);
    site.write("varnish.vcl", "vcl 4.1; backend none none;");
    let none = site.path("varnish.vcl").display().to_string();
    check(tell(&["vcl.load", "none", &none]).is_some(), "it takes no rules")?;
    check(tell(&["vcl.use", "none"]).is_some(), "it takes no rules")?;
    // It may have started by itself.
    tell(&["start"]);
    let address = until("varnishd serves", || {
        let listens = tell(&["debug.listen_address"])?;
        let mut words = listens.split_whitespace().skip(1);
        format!("{}:{}", words.next()?, words.next()?).parse().ok()
    });
    site.write(
        "feeds.toml",
        format!(
            "{SETTINGS}\n[cdn]\nkeys = ['surrogate-key']\nmax_age_seconds = 86_400\n\
             [purge]\nurl = 'http://{address}/'\nmethod = 'BAN'\nheaders = ['X-Ban-Keys: {{keys_pattern}}']\n"
        ),
    );
    let import = |id: &str, category: &str| {
        let date = "2026-03-05T08:00:00Z";
        let record = format!(
            r#"{{"id":"{id}","title":"Title of {id}","published_at":"{date}","categories":["{category}"]}}"#
        );
        site.write("a.ndjson", record);
        let done = site.run(&["import", "a.ndjson"]);
        check(done.status.success(), String::from_utf8_lossy(&done.stderr))
    };
    import("first", "news.today")?;
    import("other", "sport")?;
    let courant = site.serve();
    let rules = shipped("varnish.vcl");
    let here = rules.replace("\"8080\"", &format!("\"{}\"", courant.address.port()));
    check(here != rules, "the port of Courant is not where it was")?;
    site.write("courant.vcl", here);
    let rules = site.path("courant.vcl").display().to_string();
    let loaded = tell(&["vcl.load", "courant", &rules]);
    check(loaded.is_some() && tell(&["vcl.use", "courant"]).is_some(), "it takes no rules")?;

    let ask = |path: &str| {
        let (status, head, body) = get(address, path, &[("Accept-Encoding", "identity")]);
        // Two numbers: the answer was made for somebody before.
        let served = head.lines().find_map(|line| line.strip_prefix("X-Varnish: "));
        let is_kept = served.is_some_and(|served| served.split_whitespace().count() == 2);
        assert!(!head.to_ascii_lowercase().contains("surrogate"), "{head}");
        (status, is_kept, String::from_utf8_lossy(&body).into_owned())
    };
    until("varnishd sees that Courant is well", || (ask("/all.rss").0 == 200).then_some(()));
    until("nothing of before the start is kept", || {
        let (_, _, numbers) = get(courant.address, "/metrics.json", &[]);
        let numbers: serde_json::Value = serde_json::from_slice(&numbers).ok()?;
        (numbers["purges"]["waiting"] == 0 && numbers["purges"]["done"] != 0).then_some(())
    });
    for path in ["/all.rss", "/category/news-today.rss", "/category/sport.rss"] {
        ask(path);
        until("the feed is kept", || ask(path).1.then_some(()));
    }
    import("second", "news.today")?;
    for path in ["/all.rss", "/category/news-today.rss"] {
        until("news arrive through the cache", || {
            ask(path).2.contains("Title of second").then_some(())
        });
        check(ask(path).1, "what is new is kept as well")?;
    }
    let (_, is_kept, sport) = ask("/category/sport.rss");
    check(is_kept && sport.contains("Title of other"), "what is not stale went as well")?;
    let withdrawn = site.run(&["withdraw", "other"]);
    check(withdrawn.status.success(), "it is not taken back")?;
    until("what is taken back goes from the cache", || {
        (!ask("/category/sport.rss").2.contains("Title of other")).then_some(())
    });
    // Not everybody may say what is stale, and nothing is stale for nobody.
    let (status, ..) = request(address, "BAN", "/", &[]);
    check(status == 400, format!("a ban of nothing is answered {status}"))
}

fn nginx() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let copies = ["127.0.0.1:8080", "127.0.0.2:8080"].map(|copy| copy.parse().unwrap());
    let address = ([127, 0, 0, 1], free_port()).into();
    let file = rules(folder.path(), address, copies)?;
    output(Command::new("nginx").args(["-t", "-q", "-c", &file])).map(drop)
}

/// nginx as it is shipped, before two copies; what it keeps is in a folder.
pub(crate) fn before(folder: &Path, copies: [SocketAddr; 2]) -> Result<Server, Failed> {
    start(|address| {
        let file = rules(folder, address, copies)?;
        let mut nginx = Command::new("nginx");
        nginx.args(["-c", &file, "-e"]).arg(folder.join("error"));
        // Whoever may choose a user is one for whom the folder is.
        nginx.args(["-g", "daemon off; user root;"]);
        Ok(nginx)
    })
}

/// A file with the settings for nginx that are shipped, but for addresses and paths.
fn rules(folder: &Path, address: SocketAddr, copies: [SocketAddr; 2]) -> Result<String, Failed> {
    let mut rules = shipped("nginx.conf");
    let path = folder.display();
    for (ours, here) in [
        ("/run/nginx.pid", format!("{path}/pid")),
        ("/dev/stderr", format!("{path}/error")),
        ("listen 8000;", format!("listen {address};")),
        ("server courant-1:8080", format!("server {}", copies[0])),
        ("server courant-2:8080", format!("server {}", copies[1])),
        ("http {", format!("http {{\n{}", temporary(folder))),
    ] {
        check(rules.matches(ours).count() == 1, format!("`{ours}` is not where it was"))?;
        rules = rules.replace(ours, &here);
    }
    let file = folder.join("nginx.conf");
    fs::write(&file, rules)?;
    Ok(file.display().to_string())
}
