//! The databases of content systems, as servers: WordPress by its own functions, others by their documented tables, and
//! many rows that change while they are followed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use serde_json::Value;

use super::{Client, check, output, works};
use crate::support::{
    SETTINGS, Site,
    mariadb::MariaDb,
    postgres::{Cluster, FAST},
    takes_its_time, wait,
};

pub(super) const CLIENTS: [Client; 5] = [
    Client {
        name: "wordpress_is_followed_and_its_feed_is_ours",
        program: "WordPress, PHP or MariaDB",
        is_there: has_wordpress,
        run: wordpress,
    },
    Client {
        name: "tables_of_content_systems_in_mariadb",
        program: "a MariaDB server",
        is_there: MariaDb::is_there,
        run: in_mariadb,
    },
    Client {
        name: "tables_of_drupal_in_postgresql",
        program: "a PostgreSQL server",
        is_there: Cluster::is_there,
        run: in_postgresql,
    },
    Client {
        name: "many_rows_of_postgresql_are_followed_through_restarts",
        program: "a PostgreSQL server",
        is_there: Cluster::is_there,
        run: many_of_postgresql,
    },
    Client {
        name: "many_rows_of_mariadb_are_followed_through_restarts",
        program: "a MariaDB server",
        is_there: MariaDb::is_there,
        run: many_of_mariadb,
    },
];

fn source(rest: &str) -> Site {
    Site::new(&format!("{SETTINGS}[source.cms]\nkind = \"sql\"\n{rest}"))
}

fn look(site: &Site, arguments: &[&str]) -> Result<Value, Failed> {
    let all: Vec<_> =
        ["source", "run", "cms", "--once", "--json"].iter().chain(arguments).copied().collect();
    let run = site.run(&all);
    let error = String::from_utf8_lossy(&run.stderr);
    check(run.status.code().is_some_and(|code| code < 2), error.clone())?;
    Ok(serde_json::from_slice(&run.stdout)?)
}

pub(super) fn has_wordpress() -> bool {
    let has_php = works("php", &["-r", "exit(extension_loaded('mysqli') ? 0 : 1);"]);
    has_php && MariaDb::is_there() && Path::new("/usr/share/wordpress/wp-settings.php").is_file()
}

/// A blog of its own, and the database that it is in.
pub(super) struct Blog {
    pub(super) database: MariaDb,
}

impl Blog {
    /// With posts, and their numbers by name.
    pub(super) fn filled() -> Result<(Self, Value), Failed> {
        let blog = Self { database: MariaDb::start() };
        blog.database.database("wordpress", "utf8mb4");
        fs::create_dir(blog.database.path("content"))?;
        let ids = serde_json::from_str(&blog.php("fill.php", &[])?)?;
        Ok((blog, ids))
    }

    pub(super) fn script(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/wordpress").join(name)
    }

    /// Where its database and its files are, for `serve.php`.
    pub(super) fn environment(&self) -> [(&'static str, String); 2] {
        let content = self.database.path("content").display().to_string();
        [("DATABASE", format!("127.0.0.1:{}", self.database.port)), ("CONTENT", content)]
    }

    fn php(&self, script: &str, arguments: &[&str]) -> Result<String, Failed> {
        let mut php = Command::new("php");
        php.args(["-d", "sendmail_path=/bin/true"]).arg(Self::script(script));
        php.args(self.environment().map(|(_, value)| value));
        output(php.args(arguments))
    }
}

/// What readers know each item by, and when it is of: guid, link, date.
fn items(rss: &str) -> Result<Vec<[String; 3]>, Failed> {
    let document = roxmltree::Document::parse(rss)?;
    let items = document.descendants().filter(|node| node.has_tag_name("item"));
    let text = |item: &roxmltree::Node<'_, '_>, name: &str| {
        let child = item.children().find(|child| child.has_tag_name(name));
        child.and_then(|child| child.text().map(str::to_owned)).unwrap_or_default()
    };
    Ok(items.map(|item| ["guid", "link", "pubDate"].map(|name| text(&item, name))).collect())
}

fn ours(site: &Site) -> Result<(String, Vec<[String; 3]>), Failed> {
    let rss = String::from_utf8(site.run(&["render", "all", "--format", "rss"]).stdout)?;
    let items = items(&rss)?;
    Ok((rss, items))
}

fn wordpress() -> Result<(), Failed> {
    let (blog, ids) = Blog::filled()?;
    let site =
        source(&format!("preset = \"wordpress\"\nurl = \"{}\"", blog.database.url("wordpress")));
    let told = look(&site, &[])?;
    check(told["counts"]["published"] == 3 && told["counts"]["held"] == 1, told.to_string())?;

    let theirs = items(&blog.php("feed.php", &[])?)?;
    let (rss, mine) = ours(&site)?;
    // A post with a password is in theirs without its text; here it is not.
    let open: Vec<_> = theirs.iter().filter(|item| !item[1].contains("for-few")).cloned().collect();
    check(theirs.len() == 4 && mine == open, format!("{mine:#?}\n{open:#?}"))?;
    for part in [
        "<title>Library opens &#x26; stays open</title>",
        "News &#x26; Views</category>",
        "<category>读书</category>",
        "https://blog.example.com/wp-content/uploads/2026/03/room.jpg",
        "The reading room",
        "<enclosure url=\"https://media.example.com/a.mp3\" length=\"1234\" type=\"audio/mpeg\"/>",
        "&lt;p&gt;第一段。&lt;/p&gt;",
        "Li Ming",
    ] {
        check(rss.contains(part), format!("{part} is not in {rss}"))?;
    }
    for part in ["Secret", "A mistake", "Not yet", "A page", "wp:paragraph", "Later"] {
        check(!rss.contains(part), format!("{part} is in {rss}"))?;
    }

    let id = |name: &str| ids[name].to_string();
    blog.php("do.php", &["edit", &id("plain")])?;
    blog.php("do.php", &["trash", &id("sound")])?;
    blog.php("do.php", &["untrash", &id("trashed")])?;
    let told = look(&site, &[])?;
    let (rss, mine) = ours(&site)?;
    check(rss.contains("<title>Edited</title>") && !rss.contains("An episode"), rss.clone())?;
    check(rss.contains("A mistake"), told.to_string())?;
    let theirs = items(&blog.php("feed.php", &[])?)?;
    check(mine.iter().all(|item| theirs.contains(item)), format!("{mine:#?}\n{theirs:#?}"))?;

    blog.php("do.php", &["delete", &id("picture")])?;
    let told = look(&site, &["--sweep"])?;
    check(told["counts"]["withdrawn"] == 1, told.to_string())?;
    check(!ours(&site)?.0.contains("图书馆开放"), "a deleted post is still there")
}

fn in_mariadb() -> Result<(), Failed> {
    let server = MariaDb::start();
    let content = |name: &str| {
        fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/content").join(name),
        )
    };
    server.database("ghost", "utf8mb4");
    server.execute("ghost", content("ghost.sql")?);
    let home = "home = \"https://www.example.com/\"";
    let site = source(&format!("preset = \"ghost\"\n{home}\nurl = \"{}\"", server.url("ghost")));
    let told = look(&site, &[])?;
    check(told["counts"]["published"] == 1 && told["counts"]["held"] == 1, told.to_string())?;
    let (rss, _) = ours(&site)?;
    for part in [
        "<guid isPermaLink=\"false\">65e6c0000000000000000001</guid>",
        "<link>https://www.example.com/library-opens/</link>",
        "href=\"https://www.example.com/floors/\"",
        "Thu, 05 Mar 2026 00:30:00",
        "Wang Fang",
    ] {
        check(rss.contains(part), format!("{part} is not in {rss}"))?;
    }

    server.database("drupal", "utf8mb4");
    server.execute("drupal", content("drupal.sql")?);
    drupal(&server.url("drupal"))?;

    // A table in GBK, which the server itself translates.
    let table = content("cms-zh.sql")?;
    server.database("gbk", "gbk");
    server.execute("gbk", &table);
    chinese(&server.url("gbk"), "")?;
    // The same bytes in a table that takes itself for Latin.
    server.database("latin", "latin1");
    let (schema, rows) = table.split_once("INSERT").ok_or("no rows")?;
    server.execute("latin", schema);
    let (gbk, ..) = encoding_rs::GBK.encode(rows);
    server.execute("latin", [b"SET NAMES latin1; INSERT".as_slice(), &gbk].concat());
    chinese(&server.url("latin"), "encoding = \"gbk\"\n")
}

fn chinese(url: &str, rest: &str) -> Result<(), Failed> {
    let site = source(&format!(
        "preset = \"cms-zh\"\ntime_zone = \"Asia/Shanghai\"\n{rest}url = \"{url}\""
    ));
    let told = look(&site, &[])?;
    check(told["counts"]["published"] == 2, told.to_string())?;
    let (rss, _) = ours(&site)?;
    for part in [
        "图书馆四层全部开放",
        "新华社",
        "张三 李四",
        "王五",
        "头条",
        "市图书馆今日开放",
        "05 Mar 2026 00:30:00",
    ] {
        check(rss.contains(part), format!("{part} is not in {rss}"))?;
    }
    check(!rss.contains("10293") && !rss.contains("草稿"), rss)
}

fn drupal(url: &str) -> Result<(), Failed> {
    let home = "home = \"https://www.example.com/\"";
    let site = source(&format!("preset = \"drupal\"\n{home}\nurl = \"{url}\""));
    let told = look(&site, &[])?;
    check(told["counts"]["published"] == 2, told.to_string())?;
    let (rss, _) = ours(&site)?;
    for part in [
        "<guid isPermaLink=\"false\">1 at https://www.example.com</guid>",
        "<link>https://www.example.com/news/library-opens</link>",
        "<link>https://www.example.com/node/4</link>",
        "https://www.example.com/sites/default/files/2026-03/room.jpg",
        "It is open.",
        "Culture</category>",
        "Li Ming",
    ] {
        check(rss.contains(part), format!("{part} is not in {rss}"))?;
    }
    Ok(())
}

fn in_postgresql() -> Result<(), Failed> {
    let cluster = Cluster::start(FAST);
    let url = cluster.database();
    let name = url.rsplit('/').next().unwrap_or_default().to_owned();
    let content = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/content/drupal.sql");
    cluster.execute(&name, &fs::read_to_string(content)?);
    drupal(&url)?;
    // Types that only PostgreSQL has, and times of a zone.
    cluster.execute(
        &name,
        "CREATE TABLE story (id uuid PRIMARY KEY, doc jsonb, tags text[], live boolean, at timestamptz, moved timestamptz);
         INSERT INTO story VALUES ('00000000-0000-4000-8000-000000000001', '{\"public\": true}', '{a,\"b, c\"}', true,
           '2026-03-05 08:30:00.25+08', '2026-03-05 08:31:00.123456+08'),
           ('00000000-0000-4000-8000-000000000002', '{}', '{}', false, now(), '2026-03-05 08:31:00.123456+08')",
    );
    let site = source(&format!(
        "url = \"{url}\"\ncursor = \"moved\"\nstatus = \"live\"\npublished = [\"true\"]\n\
         query = \"SELECT id, 'Story' AS title, doc AS clearance, tags, at AS date_published, moved, live FROM story\""
    ));
    let told = look(&site, &[])?;
    check(told["counts"]["published"] == 1, told.to_string())?;
    cluster.execute(
        &name,
        "UPDATE story SET live = NOT live, moved = moved + interval '1 microsecond'",
    );
    let told = look(&site, &[])?;
    check(told["counts"]["published"] == 1 && told["counts"]["withdrawn"] == 1, told.to_string())?;
    // It is only read.
    let site = source(&format!("url = \"{url}\"\nquery = \"DELETE FROM story RETURNING id\""));
    let run = site.run(&["source", "run", "cms", "--once"]);
    check(run.status.code() == Some(2), "a query that writes was run")
}

const MANY: &str = "url = \"{url}\"\ntable = \"article\"\ncursor = \"moved\"\noverlap_seconds = 5\n[source.cms.columns]\n\
    id = \"id\"\ntitle = \"title\"\ncontent_text = \"body\"\ndate_published = \"written\"\ndate_modified = \"moved\"\n";

fn rows() -> u64 {
    if takes_its_time() { 1_000_000 } else { 20_000 }
}

fn many_of_postgresql() -> Result<(), Failed> {
    let cluster = Cluster::start(FAST);
    let url = cluster.database();
    let name = url.rsplit('/').next().unwrap_or_default().to_owned();
    cluster.execute(
        &name,
        &format!(
            "CREATE TABLE article (id bigint PRIMARY KEY, title text, body text, written timestamptz, moved timestamptz);
             INSERT INTO article SELECT n, 'News ' || n, repeat('All four floors are open. ', 20),
               '2020-01-01'::timestamptz + n * interval '1 minute', '2026-01-01'::timestamptz + n / 50 * interval '1 second'
               FROM generate_series(1, {}) AS n;
             CREATE INDEX ON article (moved, id)",
            rows()
        ),
    );
    let edit = |n: u64| {
        format!(
            "UPDATE article SET title = 'Edit {n} of ' || id, moved = clock_timestamp() WHERE id % 97 = {n}"
        )
    };
    many(&url, |n| cluster.execute(&name, &edit(n)))
}

fn many_of_mariadb() -> Result<(), Failed> {
    let server = MariaDb::start();
    server.database("cms", "utf8mb4");
    server.execute(
        "cms",
        format!(
            "CREATE TABLE article (id bigint PRIMARY KEY, title text, body text, written datetime, moved datetime(6), KEY (moved, id));
             INSERT INTO article SELECT seq, CONCAT('News ', seq), REPEAT('All four floors are open. ', 20),
               '2020-01-01' + INTERVAL seq MINUTE, '2026-01-01' + INTERVAL seq DIV 50 SECOND FROM seq_1_to_{}",
            rows()
        ),
    );
    let edit = |n: u64| {
        format!(
            "UPDATE article SET title = CONCAT('Edit {n} of ', id), moved = NOW(6) WHERE id % 97 = {n}"
        )
    };
    many(&server.url("cms"), |n| server.execute("cms", edit(n)))
}

/// Everything is taken while it changes and the follower is killed again and again: each article once, as it was last, and
/// each of its states once in the log.
fn many(url: &str, edit: impl Fn(u64) + Sync) -> Result<(), Failed> {
    let site = source(&MANY.replace("{url}", url));
    let is_over = AtomicBool::new(false);
    let begun = Instant::now();
    let (kills, peak) = thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..10 {
                edit(n);
                thread::sleep(Duration::from_millis(300));
            }
            is_over.store(true, Ordering::SeqCst);
        });
        let (mut kills, mut peak) = (0_u64, 0);
        let mut patience = Duration::from_millis(700);
        while !is_over.load(Ordering::SeqCst) || kills < 5 {
            let mut follower =
                site.command(&["source", "run", "cms", "--once", "--take-over"]).spawn()?;
            let started = Instant::now();
            while started.elapsed() < patience && follower.try_wait()?.is_none() {
                peak = peak.max(resident(follower.id()));
                thread::sleep(Duration::from_millis(20));
            }
            follower.kill()?;
            wait(&mut follower);
            kills += 1;
            patience += Duration::from_millis(200);
        }
        Ok::<_, Failed>((kills, peak))
    })?;
    let mut follower = site.command(&["source", "run", "cms", "--once", "--json", "--take-over"]);
    let mut follower = follower.stdout(fs::File::create(site.path("told"))?).spawn()?;
    let mut most = peak;
    while follower.try_wait()?.is_none() {
        most = most.max(resident(follower.id()));
        thread::sleep(Duration::from_millis(20));
    }
    let all = rows();
    eprintln!(
        "{all} rows, {kills} kills, {} s, at most {} MB",
        begun.elapsed().as_secs(),
        most >> 10
    );
    check(most < 400 << 10, format!("{} MB of memory", most >> 10))?;

    let database = rusqlite::Connection::open(site.path("courant.db"))?;
    let count =
        |select: &str| database.query_row(select, [], |row| row.get::<_, u32>(0)).map(u64::from);
    let taken = count("SELECT count(*) FROM article WHERE state = 1")?;
    check(taken == all, format!("{taken} of {all} articles"))?;
    let edited = count("SELECT count(*) FROM article WHERE story LIKE '%\"title\":\"Edit %'")?;
    let expected = (1..=all).filter(|id| id % 97 < 10).count() as u64;
    check(edited == expected, format!("{edited} of {expected} edits"))?;
    // Published once; edited once, unless the edit was there when the row was first read.
    let twice = count(
        "SELECT count(*) FROM (SELECT id FROM change WHERE kind = 'published' GROUP BY id HAVING count(*) > 1)",
    )?;
    let edits = count(
        "SELECT count(*) FROM (SELECT id FROM change WHERE kind <> 'published' GROUP BY id HAVING count(*) > 1)",
    )?;
    check((twice, edits) == (0, 0), format!("{twice} published twice, {edits} edited twice"))
}

/// Memory of a process, in KiB.
fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}
