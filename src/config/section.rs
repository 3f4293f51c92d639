//! Reading a table of the file key by key, noting every problem on the way.

use std::{cell::RefCell, fmt, ops::RangeInclusive};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::config::{
    error::{Line, Place, Problem},
    secret::masked,
    value::{Mistake, nearest},
};

/// Part of the file, in bytes.
pub(super) type Span = std::ops::Range<usize>;

/// The keys a section may have.
#[derive(Debug)]
pub(super) struct Keys {
    /// Without these it makes no sense.
    pub(super) required: &'static [&'static str],
    /// These may be left out.
    pub(super) optional: &'static [&'static str],
}

impl Keys {
    /// Every key.
    pub(super) fn all(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }
}

/// The problems found so far.
#[derive(Debug)]
pub(super) struct Report<'a> {
    source: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, problems: RefCell::default() }
    }

    /// Something is wrong here.
    pub(super) fn note(&self, span: Span, Mistake { wrong, advice }: Mistake) {
        let place = Place::Line(Line::at(self.source, span));
        self.push(Problem { place, earlier: None, wrong, advice });
    }

    /// Something here contradicts what stands above.
    pub(super) fn note_twice(&self, spans: [Span; 2], Mistake { wrong, advice }: Mistake) {
        let [earlier, place] = spans.map(|span| Line::at(self.source, span));
        self.push(Problem { place: Place::Line(place), earlier: Some(earlier), wrong, advice });
    }

    /// What a variable of the environment says, noting when it is wrong.
    pub(super) fn variable<T>(
        &self,
        name: &'static str,
        value: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        let note = |Mistake { wrong, advice }| {
            self.push(Problem { place: Place::Variable(name), earlier: None, wrong, advice });
        };
        parse(value?).map_err(note).ok()
    }

    /// Every problem, in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        problems
    }

    fn push(&self, problem: Problem) {
        let wrong = masked(&problem.wrong);
        self.problems.borrow_mut().push(Problem { wrong, ..problem });
    }
}

/// A table of the file. Reading a key gives `None` when it is absent, or wrong, which is then noted.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) report: &'a Report<'a>,
    keys: &'static Keys,
    table: Option<&'a DeTable<'a>>,
    span: Span,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(
        report: &'a Report<'a>,
        table: &'a DeTable<'a>,
        keys: &'static Keys,
    ) -> Self {
        let root = Self { report, keys, table: Some(table), span: 0..0 };
        for key in root.missing() {
            let place = Place::File;
            let (wrong, advice) = (format!("`[{key}]` is missing"), String::new());
            report.push(Problem { place, earlier: None, wrong, advice });
        }
        root
    }

    fn new(report: &'a Report<'a>, value: &'a Spanned<DeValue<'a>>, keys: &'static Keys) -> Self {
        let section = Self { report, keys, table: value.get_ref().as_table(), span: value.span() };
        for key in section.missing() {
            let advice = format!("add `{key} = …`");
            report.note(value.span(), Mistake::new(format!("`{key}` is missing"), advice));
        }
        section
    }

    /// Notes the keys that are unknown, and gives those that are required, absent, and not just misspelled.
    fn missing(&self) -> Vec<&'static str> {
        let Some(table) = self.table else { return Vec::new() };
        let mut absent: Vec<_> = self.keys.all().filter(|key| !table.contains_key(*key)).collect();
        for key in table.keys().filter(|key| self.keys.all().all(|known| known != key.get_ref())) {
            let near = nearest(key.get_ref(), absent.iter().copied());
            let near = near.or_else(|| nearest(key.get_ref(), self.keys.all()));
            let advice = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", listed(self.keys.all())),
            };
            let wrong = format!("unknown key `{}`", key.get_ref());
            self.report.note(key.span(), Mistake::new(wrong, advice));
            absent.retain(|key| Some(*key) != near);
        }
        absent.retain(|key| self.keys.required.contains(key));
        absent
    }

    /// The table under a key, an empty one when there is none.
    pub(super) fn section(&self, key: &str, keys: &'static Keys) -> Section<'a> {
        let none = Self { report: self.report, keys, table: None, span: 0..0 };
        let Some(value) = self.value(key) else { return none };
        match value.get_ref() {
            DeValue::Table(_) => return Self::new(self.report, value, keys),
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                let wrong = format!("there can be only one `{key}`");
                let advice = format!("write `[{key}]`");
                self.report.note(value.span(), Mistake::new(wrong, advice));
            }
            other => self.report.note(value.span(), Mistake::kind(key, "a section", other)),
        }
        none
    }

    /// The tables under a key, in the order of the file.
    pub(super) fn sections(&self, key: &str, keys: &'static Keys) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let mut sections = Vec::new();
        match value.get_ref() {
            DeValue::Array(items) => {
                for item in items {
                    match item.get_ref() {
                        DeValue::Table(_) => sections.push(Self::new(self.report, item, keys)),
                        other => {
                            let mistake = Mistake::kind(key, "sections", other);
                            self.report.note(item.span(), mistake);
                        }
                    }
                }
            }
            DeValue::Table(_) => {
                let wrong = format!("there can be more than one `{key}`");
                let advice = format!("write `[[{key}]]`");
                self.report.note(value.span(), Mistake::new(wrong, advice));
            }
            other => self.report.note(value.span(), Mistake::kind(key, "sections", other)),
        }
        sections
    }

    /// The tables under a key by their names, as in `[source.NAME]`.
    pub(super) fn named(&self, key: &str, keys: &'static Keys) -> Vec<(&'a str, Section<'a>)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            let expected = format!("sections with names, as in `[{key}.NAME]`");
            self.report.note(value.span(), Mistake::kind(key, &expected, value.get_ref()));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (name, value) in table {
            let name: &str = name.get_ref();
            if value.get_ref().is_table() {
                sections.push((name, Self::new(self.report, value, keys)));
            } else {
                self.report.note(value.span(), Mistake::kind(name, "a section", value.get_ref()));
            }
        }
        sections
    }

    /// What the name of this section stands for.
    pub(super) fn told<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        parse(name).map_err(|mistake| self.note(mistake)).ok()
    }

    /// Whether the file has it.
    pub(super) fn is_given(&self) -> bool {
        self.table.is_some()
    }

    /// Whether it says anything under a key, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Something is wrong with the section as a whole.
    pub(super) fn note(&self, mistake: Mistake) {
        self.report.note(self.span.clone(), mistake);
    }

    /// What the text under a key stands for.
    pub(super) fn parse<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        self.parse_spanned(key, parse).map(Spanned::into_inner)
    }

    /// The same, with its place.
    pub(super) fn parse_spanned<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<Spanned<T>> {
        self.parse_value(key, self.value(key)?, parse)
    }

    /// What the texts of a list stand for.
    pub(super) fn list<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, Mistake>) -> Vec<T> {
        self.list_spanned(key, parse).into_iter().map(Spanned::into_inner).collect()
    }

    /// The same, with their places.
    pub(super) fn list_spanned<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Mistake>,
    ) -> Vec<Spanned<T>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(items) => {
                items.iter().filter_map(|item| self.parse_value(key, item, &parse)).collect()
            }
            other => {
                let expected = "a list, as in `[\"…\", \"…\"]`";
                self.report.note(value.span(), Mistake::kind(key, expected, other));
                Vec::new()
            }
        }
    }

    /// Where a list without anything in it stands under a key.
    pub(super) fn empty_list(&self, key: &str) -> Option<Span> {
        let value = self.value(key)?;
        value.get_ref().as_array().filter(|items| items.is_empty()).map(|_| value.span())
    }

    /// The number under a key.
    pub(super) fn number<T>(&self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<u64> + PartialOrd + fmt::Display,
    {
        let value = self.value(key)?;
        let Some(digits) = value.get_ref().as_integer() else {
            let advice = if key.ends_with("bytes") { "1 MB is `1_000_000`" } else { "" };
            let mistake = Mistake::kind(key, "a whole number without quotes", value.get_ref());
            self.report.note(value.span(), Mistake { advice: advice.to_owned(), ..mistake });
            return None;
        };
        let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok();
        let number = number.and_then(|number| T::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let advice = format!("write a number from {} to {}", range.start(), range.end());
            self.report
                .note(value.span(), Mistake::new(format!("`{key}` is out of range"), advice));
        }
        number
    }

    /// The claim under a key.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            let mistake = Mistake::kind(key, "`true` or `false`, without quotes", value.get_ref());
            self.report.note(value.span(), mistake);
        }
        flag
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        debug_assert!(self.keys.all().any(|known| known == key), "`{key}` is not among the keys");
        self.table?.get(key)
    }

    fn parse_value<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        parse: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<Spanned<T>> {
        let text = value.get_ref().as_str();
        let text = text.ok_or_else(|| Mistake::kind(key, "text in quotes", value.get_ref()));
        match text.and_then(parse) {
            Ok(parsed) => Some(Spanned::new(value.span(), parsed)),
            Err(mistake) => {
                self.report.note(value.span(), mistake);
                None
            }
        }
    }
}

/// Words in a row, each in backticks.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
