//! What a store consists of, the same in every engine: its tables, their columns, and the order they are read in.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// What is in a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number, or a time in seconds.
    Integer(i64),
    /// Text.
    Text(String),
    /// Nothing.
    Null,
}

/// A row, in the order of [`Table::columns`].
pub type Row = Vec<Value>;

/// A table of a store.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What its rows are told apart by, and read in the order of: no column of it is ever empty.
    pub key: &'static [Key],
    /// Every column.
    pub columns: &'static [Column],
    /// Whether each change to it is a write with a number.
    pub is_numbered: bool,
}

/// A part of a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Key {
    /// The least first.
    Up(&'static str),
    /// The greatest first.
    Down(&'static str),
}

/// A column.
#[derive(Debug, PartialEq, Eq)]
pub enum Column {
    /// Of numbers.
    Integer(&'static str),
    /// Of text.
    Text(&'static str),
}

use Column::{Integer as I, Text as T};
use Key::{Down, Up};

const fn numbered(name: &'static str, key: &'static [Key], columns: &'static [Column]) -> Table {
    Table { name, key, columns, is_numbered: true }
}

const fn quiet(name: &'static str, key: &'static [Key], columns: &'static [Column]) -> Table {
    Table { name, key, columns, is_numbered: false }
}

/// All of them but the one row of `store`, which is written last. What no write counts comes at the end, so that as little
/// of it as possible is copied twice.
pub const TABLES: &[Table] = &[
    numbered(
        "article",
        &[Up("key")],
        &[
            I("key"),
            T("id"),
            T("guid"),
            I("state"),
            I("placed"),
            I("published"),
            I("updated"),
            I("modified"),
            I("slot"),
            I("due"),
            I("expires"),
            I("frozen"),
            I("revision"),
            I("bytes"),
            T("story"),
            I("claim"),
            T("alias"),
            I("cleaning"),
            T("folder"),
        ],
    ),
    numbered(
        "filing",
        &[Up("facet"), Down("published"), Up("id")],
        &[T("facet"), I("published"), T("id"), I("article"), I("shelved")],
    ),
    numbered(
        "shelf",
        &[Up("facet"), Up("shelved")],
        &[T("facet"), I("shelved"), I("place"), I("article"), I("again"), I("revision")],
    ),
    numbered(
        "mark",
        &[Up("facet")],
        &[
            T("facet"),
            I("revision"),
            I("changed"),
            I("floor"),
            I("places"),
            I("fingerprint"),
            T("label"),
        ],
    ),
    numbered("change", &[Up("revision"), Up("id")], &[I("revision"), T("id"), T("kind"), I("at")]),
    numbered(
        "token",
        &[Up("digest")],
        &[T("digest"), T("partner"), T("holder"), I("created"), I("ends")],
    ),
    numbered(
        "gone",
        &[Up("article"), Up("revision")],
        &[I("article"), I("early"), I("late"), T("story"), I("revision"), I("at"), I("published")],
    ),
    numbered(
        "sign",
        &[Up("facet"), Down("revision"), Up("id")],
        &[T("facet"), I("revision"), T("id")],
    ),
    numbered("coming", &[Up("minutes"), Up("article")], &[I("minutes"), I("article"), I("at")]),
    numbered(
        "came",
        &[Up("minutes"), Up("article")],
        &[I("minutes"), I("article"), I("revision"), T("id"), I("at")],
    ),
    quiet("bin", &[Up("id")], &[T("id"), T("story"), I("due"), I("expires"), I("at")]),
    quiet("settled", &[Up("name")], &[T("name"), T("value")]),
    quiet("remembered", &[Up("name")], &[T("name"), T("value")]),
    quiet(
        "writer",
        &[Up("digest")],
        &[T("digest"), T("name"), T("scopes"), I("created"), I("ends")],
    ),
    quiet(
        "pushed",
        &[Up("owner"), Up("key")],
        &[T("owner"), T("key"), T("fingerprint"), T("answer"), I("at")],
    ),
    quiet(
        "delivery",
        &[Up("partner"), Up("feed"), Up("holder"), Up("revision")],
        &[T("partner"), T("feed"), T("holder"), I("revision"), I("first"), I("last"), I("count")],
    ),
];

impl Key {
    /// The column.
    pub fn name(&self) -> &'static str {
        match self {
            Up(name) | Down(name) => name,
        }
    }

    fn order(&self) -> &'static str {
        match self {
            Up(_) => "",
            Down(_) => " DESC",
        }
    }

    fn beyond(&self) -> char {
        match self {
            Up(_) => '>',
            Down(_) => '<',
        }
    }
}

impl Column {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            I(name) | T(name) => name,
        }
    }
}

impl Table {
    /// The names of its columns, in order, as in a statement.
    pub fn names(&self) -> String {
        self.columns.iter().map(Column::name).collect::<Vec<_>>().join(", ")
    }

    /// The statement that reads it in the order of its key; `after` a key, whose values take the places `$1`, `$2` ….
    pub fn select(&self, after: bool) -> String {
        let keys = self.key.iter().map(|key| format!("{}{}", key.name(), key.order()));
        let order = keys.collect::<Vec<_>>().join(", ");
        let beyond = if after { format!(" WHERE {}", self.beyond()) } else { String::new() };
        format!("SELECT {} FROM {}{beyond} ORDER BY {order}", self.names(), self.name)
    }

    /// The rows after a key. Its first column alone bounds them, so that an index leads there.
    fn beyond(&self) -> String {
        let mut condition = String::new();
        for (nth, key) in self.key.iter().enumerate().rev() {
            let (name, beyond, place) = (key.name(), key.beyond(), nth + 1);
            let rest = match &*condition {
                "" => String::new(),
                rest => format!(" OR ({name} = ${place} AND ({rest}))"),
            };
            condition = format!("{name} {beyond} ${place}{rest}");
        }
        match self.key {
            [first, _, ..] => {
                format!("{} {}= $1 AND ({condition})", first.name(), first.beyond())
            }
            _ => condition,
        }
    }

    /// The key of a row.
    pub fn key_of(&self, row: &[Value]) -> Vec<Value> {
        let place = |key: &Key| self.columns.iter().position(|column| column.name() == key.name());
        let places = self.key.iter().filter_map(place);
        places.filter_map(|place| row.get(place).cloned()).collect()
    }
}

/// Rows that were carried over: how many, and a digest of them in whatever order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub rows: u64,
    /// The digests of all of them, added up.
    sum: (u64, u64),
    /// The key of the last one.
    pub after: Option<Vec<Value>>,
    /// Whether there are no more.
    pub is_whole: bool,
}

impl Tally {
    /// Adds a row.
    pub fn add(&mut self, row: &[Value]) {
        let mut bytes = Vec::with_capacity(64);
        for value in row {
            match value {
                Value::Null => bytes.push(0),
                Value::Integer(number) => {
                    bytes.push(1);
                    bytes.extend(number.to_le_bytes());
                }
                Value::Text(text) => {
                    bytes.push(2);
                    bytes.extend((text.len() as u64).to_le_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
        }
        let (high, low) = self.sum;
        let sum = u128::from(high) << 64 | u128::from(low);
        let sum = sum.wrapping_add(xxh3_128(&bytes));
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        self.sum = (half(sum >> 64), half(sum));
        self.rows += 1;
    }

    /// Whether it was of the same rows.
    pub fn is_equal(&self, other: &Self) -> bool {
        (self.rows, self.sum) == (other.rows, other.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_on_after_a_key() {
        let filing = TABLES.iter().find(|table| table.name == "filing").unwrap();
        assert_eq!(
            filing.select(true),
            "SELECT facet, published, id, article, shelved FROM filing \
             WHERE facet >= $1 AND (facet > $1 OR (facet = $1 AND (published < $2 OR (published = $2 AND (id > $3))))) \
             ORDER BY facet, published DESC, id"
        );
        let row = ["a", "b"].map(|text| Value::Text(text.to_owned()));
        let row = [row[0].clone(), Value::Integer(7), row[1].clone(), Value::Null, Value::Null];
        assert_eq!(filing.key_of(&row), row[..3]);
    }

    #[test]
    fn a_tally_tells_rows_apart_in_any_order() {
        let rows = [
            vec![Value::Text("a".to_owned()), Value::Text("bc".to_owned())],
            vec![Value::Text("ab".to_owned()), Value::Text("c".to_owned())],
            vec![Value::Integer(1), Value::Null],
        ];
        let tally = |order: &[usize]| {
            let mut tally = Tally::default();
            for nth in order {
                tally.add(&rows[*nth]);
            }
            tally
        };
        assert!(tally(&[0, 1, 2]).is_equal(&tally(&[2, 0, 1])));
        for other in [&[0, 0, 2][..], &[0, 1], &[0, 1, 2, 2]] {
            assert!(!tally(&[0, 1, 2]).is_equal(&tally(other)));
        }
        let written = serde_json::to_string(&tally(&[0, 1])).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&written).unwrap(), tally(&[0, 1]));
    }
}
