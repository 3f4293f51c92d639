//! The elements of a page in the order of the document, each with what its subtree holds, so that a question about a subtree
//! costs no walk.

use std::{
    collections::{HashMap, HashSet},
    ptr,
};

use scraper::{ElementRef, Html, Node};

use super::names::{self, Furniture, Standing};

/// Shortest run of text that counts as running text without a sign of a sentence, in Latin letters.
const LONG: f64 = 80.0;
/// Shortest run of text that counts as running text with one.
const SENTENCE: f64 = 20.0;
/// Share of linked characters from which a run is there to lead elsewhere.
const LINKED: f64 = 0.6;
/// Least worth of a part that has running text of its own.
const RUNNING: f64 = 60.0;
/// What a run of links takes from the worth of the elements around it, at most.
const LINK_COST: f64 = 20.0;
/// Most parts between a headline and the first sentences of its article.
const MAX_BEFORE: usize = 80;
/// Most paragraphs of those.
const MAX_LEADS: usize = 3;
/// Largest share of the running text of a page that furniture has.
const COMMENTS_SHARE: f64 = 0.95;
const STRONG_SHARE: f64 = 0.4;
const WEAK_SHARE: f64 = 0.15;

/// An element of a page.
#[derive(Debug)]
pub(super) struct Part<'t> {
    pub element: ElementRef<'t>,
    pub parent: Option<usize>,
    /// Index of the first part after its subtree.
    pub end: usize,
    /// Whether no browser shows it, or it is there for the page and not for the article; so are the parts within it.
    pub is_out: bool,
    /// Whether it is out, and not only by a word that is also used around articles: what stands in it is about something else.
    pub is_apart: bool,
    /// Whether it has no words that a browser shows.
    is_unseen: bool,
    /// How clearly its name, class or id says that it holds the text of the article.
    pub standing: Option<Standing>,
}

/// What a subtree holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Characters, in Latin letters: an ideograph counts as two.
    pub length: f64,
    pub linked: f64,
    /// How much like the running text of an article it is, in the same unit; links count against it.
    pub worth: f64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.length += other.length;
        self.linked += other.linked;
        self.worth += other.worth;
    }

    fn minus(self, other: Self) -> Self {
        Self {
            length: self.length - other.length,
            linked: self.linked - other.linked,
            worth: self.worth - other.worth,
        }
    }
}

/// The elements of a page.
#[derive(Debug)]
pub(super) struct Outline<'t> {
    pub parts: Vec<Part<'t>>,
    at: HashMap<usize, usize>,
    /// What stands directly in each part.
    own: Vec<Tally>,
    /// Sums of [`Self::own`] of the parts before each that are not out.
    kept: Vec<Tally>,
    /// Numbers of blocks before each part.
    blocks: Vec<u32>,
}

impl<'t> Outline<'t> {
    /// The outline of a page. `headline` is the element that shows it; `removed` are no part of the article, whatever they
    /// look like.
    pub(super) fn of(
        tree: &'t Html,
        headline: Option<ElementRef<'t>>,
        removed: &[ElementRef<'t>],
    ) -> Self {
        let mut walk = Walk { parts: Vec::new(), own: Vec::new(), run: Run::default() };
        walk.element(tree.root_element(), None);
        walk.flush(0);
        let Walk { parts, own, .. } = walk;
        let at = parts.iter().enumerate().map(|(at, part)| (key(part.element), at)).collect();
        let mut count = 0;
        let mut blocks = vec![0];
        blocks.extend(parts.iter().map(|part: &Part<'_>| {
            let name = part.element.value().name();
            count += u32::from(!is_inline(name) || name == "img");
            count
        }));
        let mut outline = Self { parts, at, own, kept: Vec::new(), blocks };
        outline.sum();
        let removed: HashSet<usize> = removed.iter().map(|element| key(*element)).collect();
        outline.mark_furniture(headline, &removed);
        outline.sum();
        outline
    }

    /// The index of an element.
    pub(super) fn index(&self, element: ElementRef<'_>) -> Option<usize> {
        self.at.get(&key(element)).copied()
    }

    /// What the subtree of a part holds, without what is out.
    pub(super) fn tally(&self, at: usize) -> Tally {
        self.kept[self.parts[at].end].minus(self.kept[at])
    }

    /// What stands in a part and in the paragraphs directly below it.
    pub(super) fn paragraphs_worth(&self, at: usize) -> f64 {
        let mut worth = self.own[at].worth;
        let mut child = at + 1;
        while child < self.parts[at].end {
            let part = &self.parts[child];
            if !part.is_out && matches!(part.element.value().name(), "p" | "blockquote" | "pre") {
                worth += self.own[child].worth;
            }
            child = part.end;
        }
        worth
    }

    /// The first part from an index on that has running text of its own.
    pub(super) fn running(&self, from: usize, end: usize) -> Option<usize> {
        (from..end).find(|at| !self.parts[*at].is_out && self.own[*at].worth >= RUNNING)
    }

    /// The first sentences of an article where they stand apart from its text: running text between the headline and that
    /// text, which either is kept or is named for it.
    pub(super) fn leads(&self, headline: usize, text: usize) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let from = self.parts[headline].end;
        for at in from..text.min(from + MAX_BEFORE) {
            let own = self.own[at];
            let is_in_lead = found.last().is_some_and(|last| self.holds(*last, at));
            if own.worth < RUNNING
                || own.linked > 0.3 * own.length
                || is_in_lead
                || self.parts[at].is_unseen
            {
                continue;
            }
            let around = std::iter::once(at).chain(self.around(at));
            let around: Vec<usize> = around.take_while(|at| !self.holds(*at, headline)).collect();
            let is_elsewhere = around.iter().any(|at| {
                let element = self.parts[*at].element.value();
                matches!(
                    element.name(),
                    "a" | "li" | "figure" | "figcaption" | "nav" | "aside" | "form" | "footer"
                ) || names::is_hidden(element)
            });
            let is_lead =
                || around.iter().any(|at| names::is_lead(self.parts[*at].element.value()));
            if !is_elsewhere && (!self.parts[at].is_out || is_lead()) {
                found.push(at);
            }
            if found.len() == MAX_LEADS {
                break;
            }
        }
        found
    }

    /// Whether a part around a part is out.
    pub(super) fn is_hidden_by_others(&self, at: usize) -> bool {
        self.around(at).any(|around| self.parts[around].is_out)
    }

    /// Takes a part and what is in it back into the article.
    pub(super) fn restore(&mut self, at: usize) {
        let end = self.parts[at].end;
        for part in &mut self.parts[at..end] {
            part.is_out = part.is_unseen;
        }
    }

    /// Whether blocks or pictures are within a part.
    pub(super) fn holds_blocks(&self, at: usize) -> bool {
        self.blocks[self.parts[at].end] > self.blocks[at + 1]
    }

    /// Whether an element is no part of the article.
    pub(super) fn is_out(&self, element: ElementRef<'_>) -> bool {
        self.index(element).is_none_or(|at| self.parts[at].is_out)
    }

    /// Whether a part, or one around it that does not hold the headline, is called like furniture: it was kept only because
    /// it has most of the text of the page.
    pub(super) fn is_called_furniture(&self, at: usize, headline: Option<usize>) -> bool {
        let around = std::iter::once(at).chain(self.around(at));
        let apart =
            around.take_while(|at| headline.is_none_or(|headline| !self.holds(*at, headline)));
        headline.is_some()
            && apart
                .map(|at| self.parts[at].element.value())
                .any(|element| names::furniture(element) >= Some(Furniture::Strong))
    }

    /// How much running text stands in the parts from one to another.
    pub(super) fn worth_between(&self, from: usize, to: usize) -> f64 {
        self.kept[to].minus(self.kept[from]).worth
    }

    /// Whether a part is in the subtree of another, or is it.
    pub(super) fn holds(&self, outer: usize, inner: usize) -> bool {
        outer <= inner && inner < self.parts[outer].end
    }

    /// The parts around a part, innermost first.
    pub(super) fn around(&self, at: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.parts[at].parent, |at| self.parts[*at].parent)
    }

    fn sum(&mut self) {
        let mut sum = Tally::default();
        self.kept = Vec::with_capacity(self.parts.len() + 1);
        for (part, own) in self.parts.iter().zip(&self.own) {
            self.kept.push(sum);
            if !part.is_out {
                sum.add(*own);
            }
        }
        self.kept.push(sum);
    }

    /// Takes out what no browser shows and what is there for the page. What holds the headline or most of the text is no
    /// furniture, whatever it is called.
    fn mark_furniture(&mut self, headline: Option<ElementRef<'t>>, removed: &HashSet<usize>) {
        let headline = headline.and_then(|element| self.index(element));
        let whole = self.own.iter().map(|own| own.worth.max(0.0)).sum::<f64>().max(1.0);
        let bodies: Vec<usize> = self
            .parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.standing == Some(Standing::Body))
            .map(|(at, _)| at)
            .collect();
        let mut at = 0;
        while at < self.parts.len() {
            let part = &self.parts[at];
            let value = part.element.value();
            let share = self.tally(at).worth / whole;
            let next_body = bodies.partition_point(|body| *body < at);
            let holds_article = headline.is_some_and(|headline| self.holds(at, headline))
                || bodies.get(next_body).is_some_and(|body| self.holds(at, *body));
            let is_furniture = match names::furniture(value) {
                Some(Furniture::Comments) => share <= COMMENTS_SHARE,
                Some(Furniture::Strong) => share <= STRONG_SHARE,
                Some(Furniture::Weak) => share <= WEAK_SHARE,
                None => false,
            };
            let is_gone = is_unseen(value.name())
                || removed.contains(&key(part.element))
                || names::is_hidden(value)
                || (is_furniture && !holds_article);
            let end = part.end;
            // The end of an article says who wrote it, and when.
            let is_of_article = value.name() == "footer"
                && self
                    .around(at)
                    .any(|around| self.parts[around].element.value().name() == "article");
            let is_apart =
                is_gone && !is_of_article && names::furniture(value) != Some(Furniture::Weak);
            if is_gone {
                for part in &mut self.parts[at..end] {
                    part.is_out = true;
                    part.is_apart |= is_apart;
                }
                // Within what is only out by a weak word, there may be what is about something else.
                at = if is_apart { end } else { at + 1 };
            } else {
                at += 1;
            }
        }
    }
}

fn key(element: ElementRef<'_>) -> usize {
    ptr::from_ref(element.value()).addr()
}

/// Text that no edge of a block parts.
#[derive(Debug, Default)]
struct Run {
    length: f64,
    linked: f64,
    marks: u32,
    is_blank: bool,
}

struct Walk<'t> {
    parts: Vec<Part<'t>>,
    own: Vec<Tally>,
    run: Run,
}

impl<'t> Walk<'t> {
    fn element(&mut self, element: ElementRef<'t>, parent: Option<usize>) -> usize {
        let at = self.parts.len();
        let value = element.value();
        self.parts.push(Part {
            element,
            parent,
            end: at + 1,
            is_out: is_unseen(value.name()),
            is_apart: is_unseen(value.name()),
            is_unseen: is_unseen(value.name()),
            standing: names::standing(value),
        });
        self.own.push(Tally::default());
        if !self.parts[at].is_out {
            self.inside(element, at);
        }
        self.parts[at].end = self.parts.len();
        at
    }

    fn inside(&mut self, element: ElementRef<'t>, at: usize) {
        for child in element.children() {
            if let Node::Text(text) = child.value() {
                self.run.text(text);
            }
            let Some(child) = ElementRef::wrap(child) else { continue };
            let name = child.value().name();
            if name == "br" {
                self.run.is_blank = true;
                continue;
            }
            if is_inline(name) {
                let before = self.run.length;
                self.element(child, Some(at));
                if name == "a" {
                    self.run.linked += (self.run.length - before).max(0.0);
                }
            } else {
                self.flush(at);
                let child = self.element(child, Some(at));
                self.flush(child);
            }
        }
    }

    /// Ends a run, which stands in a part.
    fn flush(&mut self, at: usize) {
        let run = std::mem::take(&mut self.run);
        if run.length > 0.0 {
            let name = self.parts[at].element.value().name();
            self.own[at].add(run.tally(name));
        }
    }
}

impl Run {
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_whitespace() {
                self.is_blank = true;
                continue;
            }
            if self.is_blank && self.length > 0.0 {
                self.length += 1.0;
            }
            self.is_blank = false;
            self.length += if c >= '\u{2e80}' { 2.0 } else { 1.0 };
            self.marks += u32::from("，。！？；：、,.!?;".contains(c));
        }
    }

    fn tally(&self, name: &str) -> Tally {
        let Self { length, linked, marks, .. } = *self;
        let is_heading = matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6");
        let worth = if linked >= LINKED * length {
            -length.min(LINK_COST)
        } else if is_heading || (length < LONG && (marks == 0 || length < SENTENCE)) {
            0.0
        } else {
            length - linked + 10.0 * f64::from(marks)
        };
        Tally { length, linked, worth }
    }
}

/// Elements whose words no browser shows, or which are no words.
pub(super) fn is_unseen(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "noscript"
            | "template"
            | "head"
            | "title"
            | "button"
            | "input"
            | "select"
            | "textarea"
            | "option"
            | "svg"
            | "math"
            | "iframe"
            | "object"
            | "embed"
            | "canvas"
            | "audio"
            | "video"
            | "map"
    )
}

/// Elements that do not end a line.
pub(super) fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "acronym"
            | "b"
            | "bdi"
            | "bdo"
            | "big"
            | "cite"
            | "code"
            | "data"
            | "del"
            | "dfn"
            | "em"
            | "font"
            | "i"
            | "img"
            | "ins"
            | "kbd"
            | "label"
            | "mark"
            | "nobr"
            | "o:p"
            | "q"
            | "rp"
            | "rt"
            | "ruby"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "time"
            | "tt"
            | "u"
            | "var"
            | "wbr"
    )
}
