//! What is wrong with a configuration, shown where it stands.

use std::{fmt, ops::Range, path::PathBuf};

use unicode_width::UnicodeWidthStr;

use crate::config::secret;

/// Problems shown in one go; the others are counted.
const SHOWN: usize = 20;

/// Characters shown of a line, before and from the place that is marked.
const REACH: usize = 80;

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Debug)]
pub struct ConfigError {
    /// As the program was told of it.
    pub file: PathBuf,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ConfigError {}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// An earlier line that it contradicts.
    pub earlier: Option<Line>,
    /// What is wrong.
    pub wrong: String,
    /// What to write instead; may be empty.
    pub advice: String,
}

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a variable of the environment.
    Variable(&'static str),
    /// Nowhere in the file, where it should be.
    File,
    /// In a line of the file.
    Line(Line),
}

/// A line of the file, part of it marked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// In characters, from 1.
    pub column: usize,
    /// As it can be shown: no secrets, no control characters, and not all of a very long line.
    pub text: String,
    /// Columns of a terminal before the mark.
    indent: usize,
    /// Columns of a terminal under which the mark runs.
    width: usize,
}

impl Line {
    /// The line of `source` where `span` begins, in bytes.
    pub(super) fn at(source: &str, span: Range<usize>) -> Self {
        let start = source.floor_char_boundary(span.start);
        let begin = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = source[start..].find('\n').map_or(source.len(), |length| start + length);
        let stop = source.floor_char_boundary(span.end.clamp(start, end));

        let column = source[begin..start].chars().count();
        let secrets = secret::secrets(&source[begin..end]);
        let shown = |part: Range<usize>| {
            let at = part.start - begin;
            secret::shown(&source[part], at, &secrets)
        };
        let before = shown(begin..start);
        let reach = before.len().saturating_sub(REACH);
        let cut = if reach > 0 { "…" } else { "" };
        let before = format!("{cut}{}", before[reach..].iter().collect::<String>());
        let marked: String = shown(start..stop).into_iter().take(REACH).collect();
        let after: String = shown(stop..end).into_iter().take(REACH).collect();

        let text = printable(format!("{before}{marked}{after}").trim_end());
        let indent = printable(&before).width();
        let width = printable(&marked).width().max(1);
        let number = source[..begin].matches('\n').count() + 1;
        Self { number, column: column + 1, text, indent, width }
    }

    /// The line, and below it the mark with what there is to say.
    fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        gutter: usize,
        mark: char,
        say: &str,
    ) -> fmt::Result {
        let Self { number, text, indent, width, .. } = self;
        let marks: String = std::iter::repeat_n(mark, *width).collect();
        writeln!(f, "{number:gutter$} | {text}")?;
        write!(f, "{:gutter$} | {:indent$}{}", "", "", format!("{marks} {say}").trim_end())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "the configuration has a problem")?,
            count => write!(f, "the configuration has {count} problems")?,
        }
        for problem in self.problems.iter().take(SHOWN) {
            write!(f, "\n\n")?;
            self.write(f, problem)?;
        }
        match self.problems.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}

impl ConfigError {
    fn write(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        let Problem { place, earlier, wrong, advice } = problem;
        let (file, wrong, advice) = (self.file.display(), printable(wrong), printable(advice));
        let aside = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        match place {
            Place::Variable(name) => write!(f, "{name}: {wrong}{aside}"),
            Place::File => write!(f, "{file}: {wrong}{aside}"),
            Place::Line(line) => {
                let gutter = line.number.to_string().len();
                writeln!(f, "{file}:{}:{}: {wrong}", line.number, line.column)?;
                if let Some(earlier) = earlier {
                    earlier.write(f, gutter, '-', "first here")?;
                    writeln!(f)?;
                }
                line.write(f, gutter, '^', &advice)
            }
        }
    }
}

/// Text of the file as it can be shown in a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stands_under_what_it_marks() {
        let long = format!("{}x{}", "-".repeat(200), "-".repeat(200));
        for (source, span, shown) in [
            ("a = 1\nlable = 2\n", 6..11, "2:1|lable = 2|^^^^^"),
            ("a = 1\r\nb = 2\r\n", 7..8, "2:1|b = 2|^"),
            ("x = \"头条\" # 条", 4..12, "1:5|x = \"头条\" # 条|    ^^^^^^"),
            ("头 = 条", 6..9, "1:5|头 = 条|     ^^"),
            ("\tx\u{1b}y", 1..2, "1:2| x\u{fffd}y| ^"),
            ("open = \"\n", 8..9, "1:9|open = \"|        ^"),
            ("", 0..0, "1:1||^"),
            ("ab", 7..9, "1:3|ab|  ^"),
            (&long, 200..201, &format!("1:201|…{0}x{0}|{1}^", "-".repeat(80), " ".repeat(81))),
        ] {
            let Line { number, column, text, indent, width } = Line::at(source, span);
            let mark = format!("{:indent$}{}", "", "^".repeat(width));
            assert_eq!(format!("{number}:{column}|{text}|{mark}"), shown);
        }
    }
}
