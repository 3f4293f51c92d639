//! What the rules ask of an engine: its tables, a row or a run of rows at a time.
//!
//! The rules are the same for every engine and are written once, in [`read`](super::read) and [`write`](super::write); what
//! is an engine's own is how its tables are asked and filled.

use std::{cmp::Reverse, collections::BTreeSet};

use chrono::{DateTime, Utc};

use crate::{
    article::{ArticleId, Change, Mark, Revision, Story},
    category::Facet,
    store::{Result, decide::Row},
    text::Text,
};

/// The one row of `store`.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    pub head: Revision,
    /// When it was last written, in seconds.
    pub changed: i64,
    /// How many articles have ever been shelved.
    pub shelved: i64,
    pub authority: String,
}

/// An article under a facet: newest first, and of the same second by id.
pub(super) type Filed = (i64, Reverse<String>, i64);

/// A place among those of several facets, which come in the order they were taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// When it was taken; articles in several facets take theirs together.
    pub shelved: i64,
    /// Which of the facets; the first of them has the later place.
    pub facet: Reverse<usize>,
    /// `None` when it has gone.
    pub article: Option<i64>,
    /// Whether the article had a place before, and is to be seen again.
    pub again: bool,
    /// The write that took it, or emptied it.
    pub revision: Revision,
}

/// What an article was filed as before it went, or was filed otherwise.
#[derive(Clone, Debug)]
pub(super) struct Left {
    /// 0: everybody could read it; otherwise the least head start with which it could be read, negative.
    pub early: i16,
    /// The least delay that was not over, in minutes; 0: none.
    pub late: i16,
    pub story: Story,
    pub at: DateTime<Utc>,
    pub published: DateTime<Utc>,
}

/// A sign, with what it stands for and the article as it is, while both are known.
pub(super) type Sign = (Left, i64, Row);

/// Questions, within one transaction that sees one state.
pub(super) trait Reader {
    /// The newest write, and who mints identities here.
    fn counter(&self) -> Result<Counter>;

    /// Where these facets stand together.
    fn mark(&self, facets: &[Facet]) -> Result<Mark>;

    /// How many places these facets have together. Each keeps its own: an article under two of them has two.
    fn places(&self, facets: &[Facet]) -> Result<i64>;

    /// How many places these facets have taken together up to each of these numbers of `shelved`.
    fn taken(&self, facets: &[Facet], shelved: &[i64]) -> Result<Vec<i64>>;

    /// When the places under these facets were taken, as numbers of `shelved`, that writes after `since` have taken,
    /// emptied, or changed the article of; `None`: there are so many.
    fn disturbed(
        &self,
        facets: &[Facet],
        since: Revision,
        limit: usize,
    ) -> Result<Option<BTreeSet<i64>>>;

    fn article(&self, key: i64) -> Result<Option<Row>>;

    /// Says which articles will be asked for next, so that they can be fetched together.
    fn expect(&self, keys: &[i64]) -> Result<()> {
        let _ = keys;
        Ok(())
    }

    fn find(&self, id: &ArticleId) -> Result<Option<(i64, Row)>>;

    /// The place that an article has under a facet.
    fn shelved(&self, facet: &Facet, row: &Row) -> Result<Option<i64>>;

    /// Whether those of a shift wait for an article.
    fn waits(&self, minutes: i16, key: i64) -> Result<bool>;

    /// Whether an article has come to those of a shift by a write that did not change it, or before everybody else can read
    /// it.
    fn has_come(&self, minutes: i16, key: i64) -> Result<bool>;

    /// Articles under embargo that have come to those of a shift, newest first.
    fn early(&self, minutes: i16, limit: i64) -> Result<Vec<Row>>;

    /// When a write was committed.
    fn committed(&self, revision: Revision) -> Result<DateTime<Utc>>;

    /// Visits what is filed under these facets, newest first, until `visit` has had enough; whether it has had all.
    fn for_each_filed(
        &self,
        facets: &[Facet],
        visit: impl FnMut(Filed) -> Result<bool>,
    ) -> Result<bool>;

    /// Visits the places of these facets, from a number of `shelved` down, until `visit` has had enough.
    fn for_each_place(
        &self,
        facets: &[Facet],
        newest: i64,
        visit: impl FnMut(Place) -> Result<bool>,
    ) -> Result<bool>;

    /// Visits the signs under these facets, from a revision down, until `visit` has had enough.
    fn for_each_sign(
        &self,
        facets: &[Facet],
        newest: Revision,
        visit: impl FnMut(Revision, Option<Sign>) -> Result<bool>,
    ) -> Result<bool>;
}

/// What a write notes of an article that was taken away or filed otherwise.
pub(super) struct Note<'a> {
    pub key: i64,
    pub id: &'a ArticleId,
    pub early: i16,
    pub late: i16,
    /// As JSON.
    pub story: &'a str,
    pub revision: Revision,
    pub at: DateTime<Utc>,
    pub published: DateTime<Utc>,
}

/// How a mark moves.
pub(super) struct Move<'a> {
    pub revision: Revision,
    pub changed: DateTime<Utc>,
    pub raises_floor: bool,
    /// How many places the facet has now, where that is new.
    pub places: Option<i64>,
    /// What a category is called, unless that is known.
    pub label: Option<&'a Text>,
}

/// Questions and changes, within one transaction that holds the row of `store`. What was changed is what is found.
pub(super) trait Writer {
    fn find(&mut self, id: &ArticleId) -> Result<Option<(i64, Row)>>;

    /// Whose guid it is.
    fn owner(&mut self, guid: &Text) -> Result<Option<ArticleId>>;

    /// The last date given to an article of a day or minute.
    fn last_placed(&mut self, slot: i64) -> Result<Option<DateTime<Utc>>>;

    /// Writes a row, new or changed, and gives its key.
    fn save(&mut self, row: &Row) -> Result<i64>;

    /// Adds to the log: for each article one line of a write.
    fn log(&mut self, change: &Change) -> Result<()>;

    /// The place that an article has under a facet.
    fn shelved(&mut self, facet: &Facet, published: i64, id: &str) -> Result<i64>;

    /// Takes an article from under a facet, and gives the place that it had.
    fn unfile(&mut self, facet: &Facet, published: i64, id: &str) -> Result<i64>;

    /// Puts an article under a facet, or gives it another place there.
    fn file(&mut self, facet: &Facet, filed: (i64, &str, i64), shelved: i64) -> Result<()>;

    /// Takes a place.
    fn shelve(&mut self, facet: &Facet, place: i64, taken: &Place) -> Result<()>;

    /// Empties a place.
    fn vacate(&mut self, facet: &Facet, shelved: i64, now: Revision) -> Result<()>;

    /// How many places a facet has; `None` for one that has no mark yet.
    fn places(&mut self, facet: &Facet) -> Result<Option<i64>>;

    /// Moves a mark, or makes it.
    fn move_mark(&mut self, facet: &Facet, to: &Move<'_>) -> Result<()>;

    /// Until when those of a shift wait for an article.
    fn waits_until(&mut self, minutes: i16, key: i64) -> Result<Option<DateTime<Utc>>>;

    fn has_come(&mut self, minutes: i16, key: i64) -> Result<bool>;

    /// Forgets that those of a shift wait for an article, or that it has come to them.
    fn forget(&mut self, minutes: i16, key: i64) -> Result<()>;

    /// Those of a shift wait for an article.
    fn wait(&mut self, minutes: i16, key: i64, until: DateTime<Utc>) -> Result<()>;

    /// An article comes to those of a shift, by a write and at its time.
    fn come(
        &mut self,
        minutes: i16,
        key: i64,
        id: &ArticleId,
        by: (Revision, DateTime<Utc>),
    ) -> Result<()>;

    /// Whether a write has noted already what an article was filed as.
    fn has_noted(&mut self, key: i64, revision: Revision) -> Result<bool>;

    /// Notes what an article was filed as, under the facets that it left. The same again stands in the place of the one
    /// before: both moved the same feeds.
    fn note(&mut self, note: &Note<'_>, facets: &[&Facet]) -> Result<()>;

    /// Writes the one row.
    fn count(&mut self, counter: &Counter) -> Result<()>;
}
