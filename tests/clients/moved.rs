//! A blog moves from WordPress to here, under the eyes of somebody who is subscribed to it.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::{
    Client, check,
    content::{Blog, has_wordpress},
    has_newsboat, output,
    support::{SETTINGS, Site, get, postgres::free_port, until},
};

pub(crate) const CLIENTS: [Client; 1] = [Client {
    name: "newsboat_sees_nothing_twice_when_a_wordpress_blog_moves",
    program: "newsboat, WordPress, PHP or MariaDB",
    is_there: || has_newsboat() && has_wordpress(),
    run: moved,
}];

/// A newsboat with one subscription, and what it keeps of it.
struct Reader {
    folder: tempfile::TempDir,
}

impl Reader {
    fn subscribe(address: &str) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("urls"), format!("{address}\n"))?;
        fs::write(folder.path().join("config"), "")?;
        Ok(Self { folder })
    }

    /// Somebody else who has read the same.
    fn twin(&self) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        for name in ["urls", "config", "cache.db"] {
            fs::copy(self.folder.path().join(name), folder.path().join(name))?;
        }
        Ok(Self { folder })
    }

    fn database(&self) -> Result<rusqlite::Connection, Failed> {
        Ok(rusqlite::Connection::open(self.folder.path().join("cache.db"))?)
    }

    /// Asks once, and tells which entries are unread.
    fn polls(&self) -> Result<Vec<String>, Failed> {
        let mut newsboat = Command::new("newsboat");
        newsboat.env("HOME", self.folder.path()).arg("-q");
        for (flag, file) in [("-u", "urls"), ("-C", "config"), ("-c", "cache.db")] {
            newsboat.arg(flag).arg(self.folder.path().join(file));
        }
        output(newsboat.args(["-x", "reload"]))?;
        let database = self.database()?;
        let select = "SELECT title FROM rss_item WHERE unread = 1 AND deleted = 0 ORDER BY title";
        let mut rows = database.prepare(select)?;
        let titles = rows.query_map([], |row| row.get::<_, String>(0))?;
        Ok(titles.collect::<Result<_, _>>()?)
    }

    fn reads_all(&self) -> Result<(), Failed> {
        self.database()?.execute("UPDATE rss_item SET unread = 0", [])?;
        Ok(())
    }
}

/// The old server.
struct Old(Child);

impl Old {
    fn serve(blog: &Blog, port: u16) -> Result<Self, Failed> {
        let mut php = Command::new("php");
        php.args(["-d", "sendmail_path=/bin/true", "-S", &format!("127.0.0.1:{port}")]);
        php.arg(Blog::script("serve.php")).envs(blog.environment());
        let child = php.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let old = Self(child);
        until("the old server listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Ok(old)
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn moved() -> Result<(), Failed> {
    let (blog, _) = Blog::filled()?;
    let port = free_port();
    let old = Old::serve(&blog, port)?;
    let address = format!("http://127.0.0.1:{port}/feed/");
    let newsboat = Reader::subscribe(&address)?;
    let had = newsboat.polls()?;
    check(had.len() == 4, format!("{had:?}"))?;
    newsboat.reads_all()?;

    let here = format!("http://127.0.0.1:{port}/");
    let settings = SETTINGS
        .replace("127.0.0.1:0", &format!("127.0.0.1:{port}"))
        .replace("https://feeds.example.com/", &here);
    // Whoever follows the blog's own tables has its identities: side by side, nothing differs.
    let url = blog.database.url("wordpress");
    let source = format!("[source.cms]\nkind = \"sql\"\npreset = \"wordpress\"\nurl = \"{url}\"\n");
    let follows = Site::new(&format!("{settings}{source}"));
    let run = follows.run(&["source", "run", "cms", "--once"]);
    check(run.status.code() == Some(0), String::from_utf8_lossy(&run.stderr))?;
    for feed in [address.as_str(), &format!("{here}?feed=rss2"), &format!("{here}feed/atom/")] {
        let (code, told) = diff(&follows, feed)?;
        check(code == Some(0) && told["reappearing"] == json!([]), format!("{feed}: {told}"))?;
        let vanishing = &told["vanishing"];
        check(vanishing[0]["title"] == "Protected: For few", format!("{feed}: {told}"))?;
        check(vanishing[1].is_null() && told["same"] == 3, format!("{feed}: {told}"))?;
    }

    // Whoever took the articles through another system, which gave them keys and some addresses of its own, has not.
    let feed: Value =
        serde_json::from_slice(&follows.run(&["render", "all", "--format", "json"]).stdout)?;
    let items = feed["items"].as_array().ok_or("no items")?;
    let records = items.iter().enumerate().map(|(nth, item)| {
        let own = json!(format!("https://www.example.com/stories/{nth}"));
        let url = if nth == 0 { &item["url"] } else { &own };
        let [title, text, date] = ["title", "content_html", "date_published"].map(|key| &item[key]);
        json!({"id": nth, "url": url, "title": title, "content_html": text, "date_published": date})
    });
    let records = records.map(|record| record.to_string() + "\n").collect::<String>();
    let by_hand = "[[redirect]]\nfrom = \"/feed/\"\nto = \"/all.rss\"\n";
    let [careless, careful] = [format!("{settings}{by_hand}"), settings].map(|settings| {
        let site = Site::new(&settings);
        site.write("new.ndjson", &records);
        assert!(site.run(&["import", "new.ndjson"]).status.success());
        site
    });
    let (code, told) = diff(&careful, &address)?;
    let reappearing = told["reappearing"].as_array().map(Vec::len);
    check(code == Some(1) && reappearing == Some(3), told.to_string())?;
    let sources =
        [&address, &format!("{here}?feed=rss2"), &format!("{here}category/news-views/city/feed/")];
    let adopt = careful.run(&["adopt", "--write", sources[0], sources[1], sources[2]]);
    let said = String::from_utf8_lossy(&adopt.stdout);
    check(adopt.status.success(), String::from_utf8_lossy(&adopt.stderr))?;
    check(said.contains("3 articles adopted"), said.clone())?;
    check(said.contains("from = \"/?feed=rss2\"\nto = \"/all.rss\""), said)?;
    let (code, told) = diff(&careful, &address)?;
    check(code == Some(0) && told["reappearing"] == json!([]), told.to_string())?;
    drop(old);

    // Without adopting, everybody who reads the blog is shown all of it again.
    let twin = newsboat.twin()?;
    let server = careless.serve();
    let shown = twin.polls()?;
    check(shown.len() == 3, format!("nothing would have reappeared: {shown:?}"))?;
    server.stop();

    let server = careful.serve();
    let shown = newsboat.polls()?;
    check(shown.is_empty(), format!("shown again: {shown:?}"))?;
    for path in ["/feed/", "/feed", "/?feed=rss2", "/category/news-views/city/feed/"] {
        let (status, fields, _) = get(server.address, path, &[]);
        let leads = fields.contains(&format!("location: {here}all.rss"));
        check(status == 301 && leads, format!("{path}: {fields}"))?;
    }
    careful.write(
        "new.ndjson",
        r#"{"id": "n", "title": "After the move", "content_text": "We have moved."}"#,
    );
    check(careful.run(&["import", "new.ndjson"]).status.success(), "the import fails")?;
    until("newsboat sees what is new", || {
        let shown = newsboat.polls().unwrap();
        assert!(shown.len() < 2, "shown again: {shown:?}");
        (shown == ["After the move"]).then_some(())
    });
    Ok(())
}

fn diff(site: &Site, address: &str) -> Result<(Option<i32>, Value), Failed> {
    let run = site.run(&["adopt", "--diff", "--json", address]);
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    let told = serde_json::from_slice(&run.stdout).map_err(|_| error)?;
    Ok((run.status.code(), told))
}
