//! The example of docs/scale.md, worked out again.

use std::collections::HashMap;

const SCALE: &str = include_str!("../../docs/scale.md");

/// The rows of the table that begins with these words.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let rows = SCALE.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// A sum of products: `a × b ÷ 2 + c`.
fn work_out(formula: &str, known: &HashMap<&str, f64>) -> f64 {
    let value = |word: &str| {
        known.get(word).copied().unwrap_or_else(|| word.parse().expect("a symbol or a number"))
    };
    let product = |words: &str| {
        let mut words = words.split_whitespace();
        let mut result = value(words.next().unwrap());
        while let (Some(sign), Some(word)) = (words.next(), words.next()) {
            match sign {
                "×" => result *= value(word),
                "÷" => result /= value(word),
                _ => panic!("`{sign}` in `{formula}`"),
            }
        }
        result
    };
    formula.split(" + ").map(product).sum()
}

#[test]
fn the_example_is_worked_out_right() {
    let given = table("| symbol |");
    let known: HashMap<&str, f64> =
        given.iter().map(|row| (row[0].trim_matches('`'), row[1].parse().unwrap())).collect();
    assert_eq!(known.len(), 17);
    let results = table("| what | formula |");
    assert_eq!(results.len(), 11);
    for row in results {
        let (found, said) = (work_out(row[1], &known), row[2].parse::<f64>().unwrap());
        // To the figures that are given.
        assert!((found - said).abs() <= said.abs() * 0.005, "{}: {found}, not {said}", row[0]);
    }
}

/// What is shipped to run this with is read, and names what the program knows.
#[test]
fn what_is_shipped_to_run_it_names_what_there_is() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deploy");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let known = ["COURANT_CONFIG", "COURANT_LISTEN", "COURANT_BASE_URL", "COURANT_STORE"];
    let mut documents = 0;
    for name in ["compose.yaml", "kubernetes.yaml"] {
        for document in serde_norway::Deserializer::from_str(&read(name)) {
            let value = <serde_norway::Value as serde::Deserialize>::deserialize(document);
            assert!(value.unwrap().is_mapping(), "{name}");
            documents += 1;
        }
    }
    assert!(documents > 4, "a Deployment, a Service and what they need");
    for name in ["compose.yaml", "kubernetes.yaml", "Containerfile", "courant.service"] {
        let text = read(name);
        let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        for word in words.filter(|word| word.starts_with("COURANT_")) {
            assert!(known.contains(&word), "{name}: {word}");
        }
    }
    let probed = read("kubernetes.yaml");
    assert!(probed.contains("path: /readyz") && probed.contains("path: /healthz"));
}
