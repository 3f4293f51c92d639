//! What `feeds.toml` may say, and what is said of mistakes in it.

use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::{
    category::Category,
    feed::FeedPath,
    traffic::{Networks, ProxyField},
};

const SHIPPED: &str = include_str!("../../feeds.toml");
const REFERENCE: &str = include_str!("../../docs/feeds.toml.md");

/// Each section: how the file and the reference head it, and its keys.
const SECTIONS: [(&str, &str, &Keys); 30] = [
    ("", "`feeds.toml`", &ROOT),
    ("[site]", "`[site]`", &catalogue::SITE),
    ("[site.editor]", "`[site]`", &catalogue::CONTACT),
    ("[site.webmaster]", "`[site]`", &catalogue::CONTACT),
    ("[site.image]", "`[site]`", &catalogue::IMAGE),
    ("[server]", "`[server]`", &server::KEYS),
    ("[store]", "`[store]`", &STORE),
    ("[media]", "`[media]`", &MEDIA),
    ("[politeness]", "`[politeness]`", &politeness::POLITENESS),
    ("[metrics]", "`[metrics]`", &politeness::METRICS),
    ("[cdn]", "`[cdn]`", &edge::CDN),
    ("[purge]", "`[purge]`", &edge::PURGE),
    ("[push]", "`[push]`", &push::PUSH),
    ("[defaults]", "`[defaults]`", &catalogue::DEFAULTS),
    ("[[category]]", "`[[category]]`", &catalogue::CATEGORY),
    ("[[feed]]", "`[[feed]]`", &catalogue::FEED),
    ("[[partner]]", "`[[partner]]`", &partner::PARTNER),
    ("[[redirect]]", "`[[redirect]]`", &redirect::REDIRECT),
    ("[[partner]]\n[[partner.category]]", "`[[partner]]`", &partner::CATEGORY_NAME),
    ("[source.x]", "`[source.NAME]`", &source::SOURCE),
    ("[source.x]\n[source.x.columns]", "`[source.NAME]`", &source::COLUMNS),
    ("[[feed]]\n[feed.show]", "`[feed.show]`", &show::SHOW),
    ("[[feed]]\n[feed.show.owner]", "`[feed.show]`", &catalogue::CONTACT),
    ("[[feed]]\n[[feed.show.funding]]", "`[feed.show]`", &show::FUNDING),
    ("[[feed]]\n[feed.show.license]", "`[feed.show]`", &show::LICENSE),
    ("[[feed]]\n[feed.show.trailer]", "`[feed.show]`", &show::TRAILER),
    ("[[feed]]\n[[feed.show.person]]", "`[feed.show]`", &show::PERSON),
    ("[[feed]]\n[feed.show.location]", "`[feed.show]`", &show::LOCATION),
    ("[[feed]]\n[feed.show.frequency]", "`[feed.show]`", &show::FREQUENCY),
    ("[[feed]]\n[[feed.show.note]]", "`[feed.show]`", &show::NOTE),
];

/// Lines 2 to 7 of a file.
const CATEGORIES: &str = "[[category]]\nslug = 'sport'\nlabel = '体育'\n\
    [[category]]\nslug = 'tech'\nlabel = 'Tech'\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    read(text, Path::new("site/feeds.toml"), &Overrides::default())
}

/// A file with this after a sound first line.
fn parse_rest(rest: &str) -> Result<Config, ConfigError> {
    let site = r#"site = { title = "t", url = "https://example.com", tag = "example.com,2026" }"#;
    parse(&format!("{site}\n{rest}"))
}

/// The fenced blocks of the reference with these words behind the fence.
fn blocks(info: &str) -> impl Iterator<Item = &'static str> {
    let fence = format!("\n```{info}\n");
    let begins: Vec<_> = REFERENCE.match_indices(&fence).map(|(at, _)| at + fence.len()).collect();
    begins.into_iter().map(|begin| REFERENCE[begin..].split("```").next().unwrap())
}

#[test]
fn the_shipped_file_reads() {
    let config = parse(SHIPPED).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.catalogue.site.time_zone, Tz::Asia__Shanghai);
    assert_eq!(config.authority, "example.com,2026");
    assert_eq!(config.server, Server::default());
    assert_eq!(config.politeness, Policy::default());
    assert_eq!(config.store, StoreUrl::Sqlite("site/courant.db".into()));
    assert_eq!(config.import, [PathBuf::from("site/examples/articles.ndjson")]);

    let catalogue = config.catalogue;
    assert_eq!(catalogue.site.base.as_str(), "http://127.0.0.1:8080/");
    let paths: Vec<_> = catalogue.feeds.iter().map(|spec| spec.path.to_string()).collect();
    assert_eq!(paths[..4], ["all", "news", "briefs", "slow-lane"]);
    assert_eq!(paths.len(), 13);

    let find = |path| catalogue.find(&path).unwrap();
    let headlines = find(FeedPath::Category("headlines".parse().unwrap()));
    assert_eq!(headlines.title.as_str(), "示例媒体中心 - 头条");
    assert_eq!(headlines.window.hours.map(Into::into), Some(24_u16));
    let briefs = find(FeedPath::Named("briefs".parse().unwrap()));
    assert!(!briefs.full_text && !briefs.pictures && briefs.window.count.get() == 20);
    assert_eq!(briefs.ttl, headlines.ttl);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = parse_rest("").unwrap();
    assert_eq!((config.catalogue.site.time_zone, config.server), (Tz::UTC, Server::default()));
    assert!(config.import.is_empty() && config.catalogue.feeds.is_empty());
    let category = Category::from_label("Tech").unwrap();
    let spec = config.catalogue.category(&category);
    assert_eq!((spec.title.as_str(), spec.ttl.get()), ("t - Tech", 5));
}

#[test]
fn a_feed_says_what_it_does_not_leave_to_the_site() {
    let rest = "[[category]]\nslug = 'a'\nlabel = 'A'\nhome = 'https://example.com/a'\n\
        [[feed]]\nname = 'en'\ntitle = 'E'\nlanguage = 'EN'\nany_of = ['a', 'a']\nauthors = ['Li']\n\
        [defaults]\nhours = 6\n[server]\nhosts = ['Localhost']\nbase_url = 'https://EXAMPLE.com/x'";
    let config = parse_rest(rest).unwrap();
    assert_eq!(config.server.hosts, ["localhost", "example.com"]);
    assert_eq!(config.catalogue.site.base.as_str(), "https://example.com/x/");
    let [en, a] = &config.catalogue.feeds[..] else { panic!("two feeds") };
    assert_eq!(en.description.as_str(), "E");
    assert_eq!(en.language, Some("en".parse().unwrap()));
    assert_eq!(en.selection.any_of.len(), 1);
    assert!(en.selection.authors.contains(&Text::new("Li")));
    assert_eq!(a.home.path(), "/a");
    assert_eq!(a.window.hours.map(Into::into), Some(6_u16));
}

#[test]
fn who_is_limited_and_who_is_trusted_is_up_to_the_publisher() {
    let says = |rest: &str| parse_rest(rest).unwrap().politeness;
    assert_eq!(says("[politeness]\nlimits = false").rates, None);
    let rates = says("[politeness]\nconditional_per_hour = 60").rates.unwrap();
    assert_eq!((rates.conditional_per_hour.get(), rates.unconditional_per_hour.get()), (60, 120));
    let access = says(
        "[politeness]\nexempt = []\ntrusted_proxies = ['10.0.0.0/8', '2001:db8::1']\n\
         proxy_field = 'forwarded'\n[metrics]\nreaders = ['192.0.2.7']",
    )
    .access;
    let shown = |networks: &Networks| {
        networks.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown(&access.exempt), "");
    assert_eq!(shown(&access.trusted_proxies), "10.0.0.0/8 2001:db8::1/128");
    assert_eq!(
        (shown(&access.readers).as_str(), access.proxy_field),
        ("192.0.2.7/32", ProxyField::Forwarded)
    );
    let access = says("[server]\nlisten = '192.0.2.1:8080'").access;
    assert_eq!(shown(&access.readers), "127.0.0.0/8 ::1/128 192.0.2.1/32");
}

#[test]
fn the_environment_outranks_the_file() {
    let given = |value: &str| Some(value.to_owned());
    let overrides = Overrides {
        listen: given("0.0.0.0:9000"),
        base_url: given("https://feeds.example.com"),
        store: given("sqlite:///tmp/a.db"),
        store_read: None,
    };
    let config = read(SHIPPED, Path::new("feeds.toml"), &overrides).unwrap();
    assert_eq!(config.server.listen.port(), 9000);
    assert_eq!(config.catalogue.site.base.as_str(), "https://feeds.example.com/");
    assert_eq!(config.store, StoreUrl::Sqlite("/tmp/a.db".into()));
    let overrides = Overrides {
        store: given("postgres://u:secret@h/d"),
        store_read: given("postgres://u:secret@r/d"),
        ..Overrides::default()
    };
    let config = read(SHIPPED, Path::new("feeds.toml"), &overrides).unwrap();
    assert_eq!(config.store.to_string(), "postgres://u@h/d, read from postgres://u@r/d");
    assert!(!format!("{config:?}").contains("secret"));

    let only_port = Overrides { listen: given("[::1]:9000"), ..Overrides::default() };
    let config = read(SHIPPED, Path::new("feeds.toml"), &only_port).unwrap();
    assert_eq!(config.catalogue.site.base.as_str(), "http://127.0.0.1:9000/");

    let wrong = Overrides {
        listen: given(":9000"),
        base_url: given("x"),
        store: given("mysql:x"),
        ..Overrides::default()
    };
    let error = read(SHIPPED, Path::new("feeds.toml"), &wrong).unwrap_err();
    let places: Vec<_> = error.problems.iter().map(|problem| &problem.place).collect();
    let variables = ["COURANT_BASE_URL", "COURANT_LISTEN", "COURANT_STORE"];
    assert_eq!(places, variables.map(Place::Variable).each_ref());
    let message = "COURANT_LISTEN: `:9000` is not an address and a port; write `127.0.0.1:9000`";
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn the_reference_is_true() {
    let example: String = blocks("toml").collect();
    if let Err(error) = parse(&example) {
        panic!("{error}");
    }
    let wrong = blocks("toml wrong").next().unwrap();
    let error = read(wrong, Path::new("feeds.toml"), &Overrides::default()).unwrap_err();
    assert_eq!(format!("{error}\n"), blocks("text").next().unwrap());

    for (header, title, keys) in SECTIONS {
        let chapter = REFERENCE.split("# ").find(|chapter| chapter.starts_with(title)).unwrap();
        for key in keys.all() {
            let words = [format!("`{key}`"), format!("[{key}]")];
            let is_row =
                |line: &str| line.starts_with('|') && words.iter().any(|word| line.contains(word));
            assert!(chapter.lines().any(is_row), "{key} of {header} is not in the reference");
            let given = |line: &str| line.starts_with(&format!("{key} = "));
            let nested = ["[site.", "[[partner.", ".show.", ".columns"]
                .iter()
                .any(|part| header.contains(part))
                || header.is_empty();
            assert!(nested || chapter.lines().any(given), "{key} of {header} has no example");
        }
    }
    let reserved = REFERENCE.lines().find(|line| line.starts_with("| `name` | [slug]")).unwrap();
    for name in RESERVED {
        assert!(reserved.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn every_key_is_read() {
    for (header, _, keys) in SECTIONS {
        for key in keys.all() {
            let error = parse(&format!("{header}\n{key} = 2026-01-31")).unwrap_err().to_string();
            let wrong = format!("`{key}` takes ");
            assert!(error.contains(&wrong) && error.contains("not a date"), "{key}: {error}");
        }
    }
}

/// A file with this after a sound first line has one problem, at `line:column`.
fn check(rest: &str, place: &str, wrong: &str, advice: &str) {
    let error = parse_rest(rest).unwrap_err();
    let [problem] = &error.problems[..] else { panic!("{rest}: {error}") };
    let Place::Line(line) = &problem.place else { panic!("{error}") };
    assert_eq!(format!("{}:{}", line.number, line.column), place, "{error}");
    assert!(problem.wrong.contains(wrong) && problem.advice.contains(advice), "{error}");
}

#[test]
fn a_problem_of_shape_is_shown_where_it_stands() {
    for (rest, place, wrong, advice) in [
        ("[[category]\n", "2:12", "unclosed array table", ""),
        ("a = \"", "2:6", "invalid basic string", ""),
        ("[server]\nlisten = 1\nlisten = 2", "4:1", "duplicate key", ""),
        ("[servers]", "2:2", "unknown key `servers`", "did you mean `server`?"),
        ("[colours]", "2:2", "unknown key", "known here: `site`, `server`, `store`"),
        ("[category]", "2:1", "there can be more than one `category`", "write `[[category]]`"),
        ("[[server]]", "2:1", "there can be only one `server`", "write `[server]`"),
        ("server = 1", "2:10", "`server` takes a section, not a number", ""),
        ("feed = [1]", "2:9", "`feed` takes sections, not a number", ""),
        (
            "[[category]]\nslug = 'a'\nlable = 'A'",
            "4:1",
            "unknown key `lable`",
            "did you mean `label`?",
        ),
        ("[[category]]\nslug = 'a'", "2:1", "`label` is missing", "add `label = …`"),
        ("[defaults]\nttl = 5", "3:1", "unknown key `ttl`", "did you mean `ttl_minutes`?"),
        ("[server]\nlisten = 8080", "3:10", "`listen` takes text in quotes, not a number", ""),
        ("[server]\ncache_bytes = '1 MB'", "3:15", "not text", "1 MB is `1_000_000`"),
        ("[defaults]\npictures = 'no'", "3:12", "`pictures` takes `true` or `false`", ""),
        (
            "[store]\nimport = 'a'",
            "3:10",
            "`import` takes a list, as in `[\"…\", \"…\"]`, not text",
            "",
        ),
        ("[store]\nimport = ['a', 2]", "3:16", "`import` takes text in quotes, not a number", ""),
        ("[defaults]\nnewest = 0", "3:10", "`newest` is out of range", "a number from 1 to 2000"),
        ("[defaults]\nnewest = 2_001", "3:10", "`newest` is out of range", ""),
        (
            "[defaults]\nnewest = 1e1",
            "3:10",
            "`newest` takes a whole number without quotes, not a fraction",
            "",
        ),
        ("[defaults]\nhours = -1", "3:9", "`hours` is out of range", ""),
        ("[defaults]\nttl_minutes = 1441", "3:15", "`ttl_minutes` is out of range", "to 1440"),
        ("[server]\nmax_connections = 99999999999999999999", "3:19", "out of range", ""),
    ] {
        check(rest, place, wrong, advice);
    }
}

#[test]
fn a_problem_of_a_value_is_shown_where_it_stands() {
    for (rest, place, wrong, advice) in [
        (
            "[server]\nlisten = 'localhost:80'",
            "3:10",
            "is not an address and a port",
            "write `127.0.0.1:80`",
        ),
        ("[server]\nbase_url = 'feeds'", "3:12", "`feeds` is not an address", "in full"),
        ("[server]\nbase_url = 'ftp://a.example/'", "3:12", "is not on the web", "`https://`"),
        (
            "[server]\nbase_url = 'https://a.example/?a'",
            "3:12",
            "are built on this one",
            "leave out `?`",
        ),
        ("[server]\nbase_url = 'https://a:b@c.example'", "3:12", "the password", "before `@`"),
        (
            "[server]\nhosts = ['https://a']",
            "3:10",
            "is not the name of a host",
            "`feeds.example.com`",
        ),
        (
            "[server]\naccess_log = 'jsn'",
            "3:14",
            "`jsn` is no choice here",
            "`text`, `json`, `off`",
        ),
        (
            "[politeness]\ntrusted_proxies = ['10.0.0.1/8']",
            "3:20",
            "`10.0.0.1/8` is not a network",
            "did you mean `10.0.0.0/8`?",
        ),
        (
            "[metrics]\nreaders = ['localhost']",
            "3:12",
            "`localhost` is not a network",
            "`10.0.0.0/8`",
        ),
        (
            "[politeness]\nproxy_field = 'x-real-ip'",
            "3:15",
            "`x-real-ip` is no choice here",
            "`x-forwarded-for`, `forwarded`",
        ),
        (
            "[politeness]\nunconditional_per_hour = 0",
            "3:26",
            "`unconditional_per_hour` is out of range",
            "from 1 to 100000",
        ),
        ("[store]\nurl = 'mysql://h/d'", "3:7", "not a place", "`sqlite:courant.db`"),
        ("[store]\nurl = 'postgres:x'", "3:7", "not the address of a database", "postgres://"),
        ("[store]\nurl = 'postgres://h/d?sslmode=on'", "3:7", "`sslmode=on`", "`verify-full`"),
        ("[store]\nread = 'postgres://h/d'", "3:8", "read from that file", "leave this out"),
        (
            "[store]\nurl = 'courant.db'",
            "3:7",
            "`courant.db` is not a place for articles",
            "`sqlite:",
        ),
        ("[[category]]\nslug = 'Tech News'\nlabel = 'a'", "3:8", "addresses", "write `tech-news`"),
        ("[[category]]\nslug = '/'\nlabel = 'a'", "3:8", "has no letter or digit", ""),
        ("[[category]]\nslug = 'a'\nlabel = ' '", "4:9", "nothing is written here", ""),
        (
            "[[feed]]\nname = 'healthz'\ntitle = 'a'",
            "3:8",
            "keeps `healthz` for itself",
            "another name",
        ),
        (
            "[[feed]]\nname = 'a'\ntitle = 'a'\nlanguage = 'english'",
            "5:12",
            "not a language tag",
            "`zh-CN`",
        ),
        (
            "[[feed]]\nname = 'a'\ntitle = 'a'\nany_of = ['b']",
            "5:11",
            "no category has",
            "add a `[[category]]`",
        ),
    ] {
        check(rest, place, wrong, advice);
    }
}

#[test]
fn a_site_says_who_it_is() {
    for (key, value, wrong, advice) in [
        ("title", "", "nothing is written here", ""),
        ("url", "example.com", "`example.com` is not an address", "`https://www.example.com/`"),
        ("tag", "example.com", "a date on which it was yours", "`example.com,2026`"),
        ("tag", "example,2026", "a date on which", ""),
        ("tag", "Example.com,2026", "a date on which", ""),
        ("tag", "example.com,2026-13", "a date on which", ""),
        ("tag", "example.com,26", "a date on which", ""),
        ("language", "中文", "`中文` is not a language tag", "`zh-CN`"),
        ("time_zone", "Asia/Shangai", "is not a time zone", "did you mean `Asia/Shanghai`?"),
        ("time_zone", "shanghai", "is not a time zone", "did you mean `Asia/Shanghai`?"),
        ("time_zone", "GMT+8", "is not a time zone", "such as `Asia/Shanghai`"),
        ("editor.email", "a@b", "`a@b` is not an address of mail", "`editor@example.com`"),
        ("editor.email", "a b@c.example", "is not an address of mail", ""),
        ("image.url", "https://a.example/a.SVG", "do not show pictures", "GIF, JPEG or PNG"),
        ("icon", "data:image/png,", "is not on the web", ""),
    ] {
        let mut lines =
            vec![("title", "t"), ("url", "https://a.example"), ("tag", "a.example,2026-01")];
        lines.push(("editor.name", "e"));
        lines.push(("editor.email", "e@e.example"));
        lines.retain(|(other, _)| *other != key);
        lines.push((key, value));
        let lines: Vec<_> = lines.iter().map(|(key, value)| format!("{key} = '{value}'")).collect();
        let error = parse(&format!("[site]\n{}", lines.join("\n"))).unwrap_err();
        let [problem] = &error.problems[..] else { panic!("{error}") };
        assert!(problem.wrong.contains(wrong) && problem.advice.contains(advice), "{error}");
    }
    let error = parse("").unwrap_err();
    assert_eq!(error.problems[0].place, Place::File);
    assert!(error.to_string().ends_with("site/feeds.toml: `[site]` is missing"));
}

#[test]
fn a_clash_shows_both_lines() {
    for (rest, earlier, later, wrong) in [
        ("[[category]]\nslug = 'sport'\nlabel = 'a'", 3, 9, "there is a category `sport` already"),
        ("[[category]]\nslug = 'a'\nlabel = '体育'", 4, 10, "another category is called `体育`"),
        (
            "[[category]]\nslug = 'a'\nlabel = 'Sport'",
            3,
            10,
            "`Sport` is the slug of another category",
        ),
        (
            "[[category]]\nslug = '体育'\nlabel = 'a'",
            4,
            9,
            "`体育` is the label of another category",
        ),
        (
            "[[feed]]\nname = 'a'\ntitle = 'a'\n[[feed]]\ntitle = 'b'\nname = 'a'",
            9,
            13,
            "there is a feed `a` already",
        ),
        (
            "[[feed]]\nname = 'a'\ntitle = 'a'\nnone_of = ['tech']\nany_of = ['tech']",
            11,
            12,
            "both wanted",
        ),
    ] {
        let error = parse_rest(&format!("{CATEGORIES}{rest}")).unwrap_err();
        let [problem] = &error.problems[..] else { panic!("{error}") };
        let Place::Line(line) = &problem.place else { panic!("{error}") };
        assert_eq!(
            (problem.earlier.as_ref().unwrap().number, line.number),
            (earlier, later),
            "{error}"
        );
        assert!(problem.wrong.contains(wrong), "{error}");
    }
}

#[test]
fn a_category_is_named_by_its_slug() {
    for (given, advice) in [
        ("sports", "did you mean `sport`?"),
        ("体育", "write its slug, `sport`"),
        ("weather", "known here: `sport`, `tech`"),
    ] {
        let rest = format!("{CATEGORIES}[[feed]]\nname = 'a'\ntitle = 'a'\nnone_of = ['{given}']");
        let error = parse_rest(&rest).unwrap_err();
        assert_eq!(error.problems[0].advice, advice, "{error}");
    }
}

#[test]
fn the_terms_of_a_partner_are_checked_where_they_stand() {
    let feeds = "[[feed]]\nname = 'a'\ntitle = 'a'\n[[feed]]\nname = 'b'\ntitle = 'b'\npublic = false\n\
        [[partner]]\nname = 'p'\n";
    for (rest, place, wrong, advice) in [
        ("feeds = ['c']", "17:10", "there is no feed `c`", "known here: `a`, `category/sport`"),
        (
            "feeds = ['sport']",
            "17:10",
            "there is no feed `sport`",
            "did you mean `category/sport`?",
        ),
        ("feeds = []", "17:9", "a partner without feeds", "name those"),
        ("", "15:1", "`feeds` is missing", "add `feeds = …`"),
        (
            "feeds = ['a']\nterritories = ['Japan']",
            "18:16",
            "is not the code of a country",
            "write for example `JP`",
        ),
        (
            "feeds = ['a']\ndelay_minutes = 5\nhead_start_minutes = 5",
            "15:1",
            "both late and early",
            "leave out `delay_minutes` or `head_start_minutes`",
        ),
        ("feeds = ['a']\ndelay_minutes = 0", "18:17", "out of range", "1 to 10080"),
        ("feeds = ['a']\nsigns_days = 366", "18:14", "out of range", "0 to 365"),
        ("feeds = ['a']\ntoken = 'x'", "18:1", "unknown key `token`", "known here"),
        (
            "feeds = ['a']\n[[partner]]\nname = 'p'\nfeeds = ['b']",
            "19:8",
            "a partner `p` already",
            "another name",
        ),
        (
            "feeds = ['a']\n[media]\nfolder = 'm'\nprivate = ['../x']",
            "20:12",
            "is not the name of a folder",
            "letters",
        ),
    ] {
        check(&format!("{CATEGORIES}{feeds}{rest}"), place, wrong, advice);
    }
    let config =
        parse_rest(&format!("{CATEGORIES}{feeds}feeds = ['a', 'b', 'category/tech']")).unwrap();
    let catalogue = config.catalogue;
    assert_eq!((catalogue.feeds.len(), catalogue.private.len()), (3, 1));
    let partner = &catalogue.partners[0];
    let paths: Vec<_> =
        catalogue.feeds_of(partner).iter().map(|spec| spec.path.to_string()).collect();
    assert_eq!(paths, ["partner/p/a", "partner/p/b", "partner/p/category/tech"]);
}

#[test]
fn a_source_says_which_rows_and_what_they_are() {
    let sql = "[source.cms]\nkind = 'sql'\n";
    for (rest, place, wrong, advice) in [
        ("[source]\ncms = 1", "3:7", "`cms` takes a section, not a number", ""),
        (
            "[source.Cms]\nkind = 'feed'\nurl = 'https://a.example/'",
            "2:1",
            "addresses",
            "write `cms`",
        ),
        (
            "[source.cms]\nkind = 'sqlite'",
            "3:8",
            "`sqlite` is no choice",
            "`sql`, `folder`, `feed`",
        ),
        (
            &format!("{sql}url = 'oracle://a'\nquery = 'q'"),
            "4:7",
            "not the address of a database",
            "`mysql://…`",
        ),
        (&format!("{sql}query = 'q'"), "2:1", "`url` is missing", "postgres"),
        (&format!("{sql}url = 'sqlite:a'"), "2:1", "nothing says which rows", "`preset`"),
        (
            &format!("{sql}url = 'sqlite:a'\nquery = 'q'\ntable = 't'"),
            "2:1",
            "`query`, `table` are given together",
            "leave one",
        ),
        (
            &format!("{sql}url = 'sqlite:a'\npreset = 'wordpres'"),
            "5:10",
            "no such preset",
            "did you mean `wordpress`?",
        ),
        (
            &format!("{sql}url = 'sqlite:a'\npreset = 'ghost'"),
            "2:1",
            "makes addresses from `home`",
            "home",
        ),
        (
            &format!("{sql}url = 'sqlite:a'\nquery = 'q'\nstatus = 's'"),
            "2:1",
            "which `status` means",
            "`published = [\"1\"]`",
        ),
        (
            &format!("{sql}url = 'sqlite:a'\nquery = 'q'\ntags_query = 'SELECT 1'"),
            "6:14",
            "of which articles",
            "{ids}",
        ),
        (
            &format!("{sql}url = 'sqlite:a'\ntable = 't'\n[source.cms.columns]\nheadline = 'x'"),
            "7:1",
            "unknown key `headline`",
            "",
        ),
        (
            "[source.cms]\nkind = 'folder'\npath = 'a'\nquery = 'q'",
            "2:1",
            "of the kind `folder` has no `query`",
            "leave it out",
        ),
        (
            "[source.a]\nkind = 'folder'\npath = 'a'\n[source.b]\nkind = 'folder'\npath = 'b'",
            "5:1",
            "articles of `a` and `b` may have one key",
            "`id_prefix = \"b-\"`",
        ),
        (
            &format!(
                "[source.a]\nkind = 'feed'\nurl = 'https://a.example/'\nid_prefix = 'c-'\n{sql}url = 'sqlite:a'\nquery = 'q'\nid_prefix = 'c-'"
            ),
            "6:1",
            "articles of `a` and `cms` may have one key",
            "`id_prefix = \"\"`",
        ),
    ] {
        let error = parse_rest(rest).unwrap_err();
        let problem = error.problems.iter().find(|problem| problem.wrong.contains(wrong));
        let problem = problem.unwrap_or_else(|| panic!("{rest}: {error}"));
        let Place::Line(line) = &problem.place else { panic!("{error}") };
        assert_eq!(format!("{}:{}", line.number, line.column), place, "{error}");
        assert!(problem.advice.contains(advice), "{error}");
    }
    let told = "[source.a]\nkind = 'folder'\npath = 'a'\n[source.b]\nkind = 'folder'\npath = 'b'\nid_prefix = ''\n\
        [source.c]\nkind = 'folder'\npath = 'c'\nid_prefix = 'c-'\n[source.d]\nkind = 'feed'\nurl = 'https://a.example/'";
    parse_rest(told).unwrap();
    let secret = parse_rest(&format!("{sql}url = 'mysql://a:geheim@b/c'\nquery = 'q'")).unwrap();
    assert!(!format!("{secret:?}").contains("geheim"));
}

#[test]
fn a_partner_is_told_what_its_dialect_takes() {
    let feeds = "[[feed]]\nname = 'a'\ntitle = 'a'\n[[feed]]\nname = 'b'\ntitle = 'b'\ntext = 'summary'\n\
        [[partner]]\nname = 'p'\n";
    for (rest, place, wrong, advice) in [
        (
            "feeds = ['a']\ndialect = 'xml'",
            "18:11",
            "there is no dialect `xml`",
            "known here: `plain`, `msn`, `smartnews`, `flipboard`, `apple-news`, `line`, `gunosy`",
        ),
        (
            "feeds = ['a']\ndialect = 'smart-news'",
            "18:11",
            "`smart-news`",
            "did you mean `smartnews`?",
        ),
        ("dialect = 'msn'\nfeeds = ['a', 'b']", "18:15", "`b` has summaries", "`text = \"full\"`"),
        (
            "feeds = ['a']\nlogo = 'logo.png'\ndialect = 'smartnews'",
            "18:8",
            "is not an address",
            "",
        ),
        (
            "feeds = ['a']\ndialect = 'msn'\nlogo = 'https://example.com/l.png'",
            "15:1",
            "`msn` has no place for a `logo`",
            "it is for `smartnews`",
        ),
        (
            "feeds = ['a']\n[[partner.category]]\nslug = 'sport'\nname = 'sports'",
            "15:1",
            "`plain` has no place for a `category`",
            "it is for `gunosy`",
        ),
        (
            "feeds = ['a']\ndialect = 'gunosy'\n[[partner.category]]\nslug = 'sports'\nname = 'x'",
            "20:8",
            "no category has the slug `sports`",
            "did you mean `sport`?",
        ),
    ] {
        check(&format!("{CATEGORIES}{feeds}{rest}"), place, wrong, advice);
    }
    let rest = "feeds = ['a', 'b']\ntext = 'full'\ndialect = 'gunosy'\n\
        [[partner.category]]\nslug = 'sport'\nname = 'sports'";
    let partner =
        parse_rest(&format!("{CATEGORIES}{feeds}{rest}")).unwrap().catalogue.partners[0].clone();
    assert_eq!(partner.terms.dialect.name, "gunosy");
    assert_eq!(partner.terms.categories.len(), 1);
    let show = "feeds = ['s']\ndialect = 'line'\n[[feed]]\nname = 's'\ntitle = 's'\nlanguage = 'en'\n\
        [feed.show]\nauthor = 'a'\nartwork = 'https://example.com/a.png'\ncategories = ['News']";
    check(
        &format!("[[partner]]\nname = 'p'\n{show}"),
        "4:10",
        "`s` is a show",
        "without a `dialect`",
    );
}

#[test]
fn every_problem_is_found_at_once() {
    let rest = "x = 1\n[server]\nlisten = 1\n[defaults]\nnewest = 0\n[[feed]]\n[[feed]]\ntitle = ''\ny = 2";
    let error = parse_rest(rest).unwrap_err();
    let lines: Vec<_> = error
        .problems
        .iter()
        .map(|problem| match &problem.place {
            Place::Line(line) => line.number,
            Place::File | Place::Variable(_) => 0,
        })
        .collect();
    assert_eq!(lines, [2, 4, 6, 7, 7, 8, 9, 10], "{error}");
}

#[test]
fn no_mistake_shows_a_password() {
    for rest in [
        "[store]\nurl = \"pgsql://u:SECRET@db/x\"",
        "[store]\nurl = \"postgres://u:SECRET@db/x?sslmode=some\"",
        "[store]\nurl = \"postgres:/u:SECRET@db/x\"",
        "[store]\nurl = \"postgres://u:SECRET@db/x",
        "[store]\nurl = \"postgres://u:SECRET\"S@db/x\"",
        "[store]\nurl = postgres://u:SECRET@db/x",
        "[store]\nread = \"postgres://u:SECRET@db/x\"",
        "[source.a]\nkind = \"sql\"\nurl = \"pgsql://u:SECRET@db/x\"",
        "[source.a]\nkind = \"feed\"\nurl = \"postgres://u:SECRET@db/x\"",
        "[source.a]\nkind = \"sql\"\npassword = \"SECRET\"",
        "[purge]\nurl = \"https://cdn/\"\nheaders = [\"Authorization: Bearer SECRET",
        "[[redirect]]\nfrom = \"https//u:SECRET@host/\"\nto = \"/all.rss\"",
    ] {
        let error = parse_rest(rest).unwrap_err().to_string();
        assert!(!error.contains("SECRET") && error.contains('…'), "{rest}: {error}");
    }
    let long = format!("postgres:u:{}SECRET@db", "SECRET".repeat(40));
    let store = Some(long.clone());
    let error = read("", Path::new("f"), &Overrides { store, ..Overrides::default() });
    assert!(!error.unwrap_err().to_string().contains("SECRET"));
    let error = long.replacen("postgres", "pgsql", 1).parse::<StoreUrl>().unwrap_err();
    assert!(!error.to_string().contains("SECRET"), "{error}");
}

#[test]
fn depth_and_length_do_no_harm() {
    for text in
        ["a = [", "a = {b=", "a.", "[a.", "[[a]]\n", "[[feed]]\n", "a", "\u{feff}", "\"", "\r"]
    {
        let error = parse(&text.repeat(2_000)).unwrap_err();
        assert!(error.to_string().len() < 20_000, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_text_gives_an_answer(text in "(\\PC|[\\[\\]{}=\"'#.\\r\\n\\t\\x00])*") {
        prop_assert!(!parse(&text).unwrap_err().to_string().is_empty());
    }

    #[test]
    fn any_change_to_a_file_gives_an_answer(
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        with in "[\\[\\]{}=\"'#.\\n 0-9a-z-头]{0,8}",
    ) {
        let begin = SHIPPED.floor_char_boundary(at.index(SHIPPED.len()));
        let end = SHIPPED.floor_char_boundary((begin + length).min(SHIPPED.len()));
        if let Err(error) = parse(&format!("{}{with}{}", &SHIPPED[..begin], &SHIPPED[end..])) {
            prop_assert!(!error.problems.is_empty() && !error.to_string().is_empty());
        }
    }
}
