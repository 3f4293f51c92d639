//! From JSON to a record, with the place of what is wrong and the names of what is unknown.

use crate::import::{convert::Fault, file::reason, record::Record};

/// The record, and each field that is not part of one.
pub(super) fn record(json: &str) -> Result<(Record, Vec<String>), Fault> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut parser, &mut track);
    let mut unknown = Vec::new();
    let record =
        serde_ignored::deserialize(tracked, |path| unknown.push(general(&path.to_string())))
            .and_then(|record| parser.end().map(|()| record));
    match record {
        Ok(record) => Ok((record, unknown)),
        Err(error) if error.is_data() => {
            Err(Fault { field: place(&track.path().to_string()), problem: reason(&error) })
        }
        Err(error) => {
            Err(Fault { field: String::new(), problem: format!("not JSON: {}", reason(&error)) })
        }
    }
}

/// `images.0.foo`, `images.?.foo` as `images[].foo`: one name for all places of a list.
fn general(path: &str) -> String {
    let parts = path.split('.').filter(|part| *part != "?");
    parts.fold(String::new(), |name, part| match part.parse::<usize>() {
        Ok(_) => name + "[]",
        Err(_) if name.is_empty() => part.to_owned(),
        Err(_) => format!("{name}.{part}"),
    })
}

/// What `serde_path_to_error` calls a place, without what it says of none.
fn place(path: &str) -> String {
    let path = path.trim_end_matches(".?").trim_end_matches('?');
    if path == "." { String::new() } else { path.to_owned() }
}
