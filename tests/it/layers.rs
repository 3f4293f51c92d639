//! Who imports whom: the table of `ARCHITECTURE.md`, held against the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Where crates for databases, sockets and formats may be named.
const CRATES: [(&str, &[&str]); 11] = [
    (
        "tokio",
        &[
            "fetch",
            "media/probe.rs",
            "edge/purge.rs",
            "store",
            "import",
            "source",
            "partner",
            "publish",
            "export",
            "http/media.rs",
            "http/push",
            "http/server.rs",
            "http/timer.rs",
            "cli",
        ],
    ),
    ("reqwest", &["fetch"]),
    ("rusqlite", &["store", "source/sql/sqlite.rs"]),
    ("deadpool", &["store"]),
    ("deadpool_postgres", &["store"]),
    ("object_store", &["export"]),
    ("rss", &["format"]),
    ("atom_syndication", &["format"]),
    ("ammonia", &["text"]),
    // The files of dialects and presets are part of the program.
    ("toml", &["config", "dialect", "import", "source/preset.rs"]),
    ("clap", &["cli", "main.rs"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Each module and what it may import; `None` for one that may import all.
fn table() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let table = map.split("## Who may import whom").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.take_while(|row| row.starts_with('|'))
        .flat_map(|row| {
            let mut cells = row.trim_matches('|').split('|').map(str::trim);
            let names = cells.next().unwrap().replace('`', "");
            let imports = cells.next().unwrap();
            let words = imports.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let allowed = (imports != "all")
                .then(|| words.filter(|word| !word.is_empty()).map(str::to_owned).collect());
            let names: Vec<_> = names.split(", ").map(str::to_owned).collect();
            names.into_iter().map(move |name| (name, allowed.clone()))
        })
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source below `src/`, without comments and tests.
fn code() -> Vec<(String, String)> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let name = path.strip_prefix(root().join("src")).unwrap().display().to_string();
            (name, lines.collect::<Vec<_>>().join("\n"))
        })
        // Made for tests alone.
        .filter(|(name, _)| name != "format/sample.rs")
        .collect()
}

/// The modules a text names after `crate::`, alone or in braces.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let word = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        text[..end.unwrap_or(text.len())].to_owned()
    };
    for after in code.split("crate::").skip(1) {
        let Some(group) = after.strip_prefix('{') else {
            found.insert(word(after));
            continue;
        };
        let mut depth = 1_u32;
        let mut begins = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => begins = true,
                c if begins && c.is_ascii_alphanumeric() => {
                    found.insert(word(&group[at..]));
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn modules_import_downwards_only() {
    let table = table();
    let modules: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for (file, code) in code() {
        let module = file.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let allowed = table.get(module).unwrap_or_else(|| panic!("{module} is not in the table"));
        let Some(allowed) = allowed else { continue };
        for import in imports(&code) {
            let is_module = modules.contains(import.as_str()) && import != module;
            let is_held =
                allowed.contains(&import) || (file == "http/server.rs" && import == "clock");
            if is_module && !is_held {
                wrong.push(format!("src/{file} imports `{import}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "against the table of ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn crates_of_the_shell_stay_in_the_shell() {
    for (file, code) in code() {
        for (name, places) in CRATES {
            let is_named = code.contains(&format!("use {name}::"))
                || code.contains(&format!(" {name}::"))
                || code.contains(&format!("({name}::"));
            let is_own = format!("format/{name}.rs") == file;
            let is_allowed = places.iter().any(|place| file.starts_with(place));
            assert!(!is_named || is_allowed || is_own, "src/{file} names the crate `{name}`");
        }
    }
}

#[test]
fn imports_are_found_alone_and_in_braces() {
    let code =
        "use crate::{\n a::{B, c::D},\n e,\n};\nfn f() { crate::g::h() } use crate::i::{j, k};";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["a", "e", "g", "i"]);
}
