//! The tables as a write finds and leaves them.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::{
    article::{ArticleId, Change, Revision},
    category::Facet,
    store::{
        Result,
        decide::Row,
        sqlite::row::{find, save},
        stored::{number, time},
        tables::{Counter, Move, Note, Place, Writer},
    },
    text::Text,
};

/// A transaction that holds the lock for writing.
pub(super) struct Tables<'c>(pub(super) Transaction<'c>);

impl Writer for Tables<'_> {
    fn find(&mut self, id: &ArticleId) -> Result<Option<(i64, Row)>> {
        find(&self.0, id)
    }

    fn owner(&mut self, guid: &Text) -> Result<Option<ArticleId>> {
        let mut select = self.0.prepare_cached("SELECT id FROM article WHERE guid = ?")?;
        let id: Option<String> = select.query_row([guid.as_str()], |row| row.get(0)).optional()?;
        Ok(id.as_deref().and_then(ArticleId::new))
    }

    fn last_placed(&mut self, slot: i64) -> Result<Option<DateTime<Utc>>> {
        let mut select = self.0.prepare_cached("SELECT max(placed) FROM article WHERE slot = ?")?;
        let last: Option<i64> = select.query_row([slot], |row| row.get(0))?;
        Ok(last.map(time))
    }

    fn save(&mut self, row: &Row) -> Result<i64> {
        save(&self.0, row)
    }

    fn log(&mut self, change: &Change) -> Result<()> {
        let mut insert = self
            .0
            .prepare_cached("INSERT INTO change (revision, id, kind, at) VALUES (?, ?, ?, ?)")?;
        let Change { revision, article, kind, at } = change;
        insert.execute(params![
            number(*revision),
            article.as_str(),
            kind.name(),
            at.timestamp()
        ])?;
        Ok(())
    }

    fn shelved(&mut self, facet: &Facet, published: i64, id: &str) -> Result<i64> {
        let mut select = self.0.prepare_cached(
            "SELECT shelved FROM filing WHERE facet = ? AND published = ? AND id = ?",
        )?;
        Ok(select.query_row(params![facet.as_str(), published, id], |row| row.get(0))?)
    }

    fn unfile(&mut self, facet: &Facet, published: i64, id: &str) -> Result<i64> {
        let mut delete = self.0.prepare_cached(
            "DELETE FROM filing WHERE facet = ? AND published = ? AND id = ? RETURNING shelved",
        )?;
        Ok(delete.query_row(params![facet.as_str(), published, id], |row| row.get(0))?)
    }

    fn file(
        &mut self,
        facet: &Facet,
        (published, id, key): (i64, &str, i64),
        shelved: i64,
    ) -> Result<()> {
        let mut file = self.0.prepare_cached(
            "INSERT OR REPLACE INTO filing (facet, published, id, article, shelved) VALUES (?, ?, ?, ?, ?)",
        )?;
        file.execute(params![facet.as_str(), published, id, key, shelved])?;
        Ok(())
    }

    fn shelve(&mut self, facet: &Facet, place: i64, taken: &Place) -> Result<()> {
        let mut shelve = self.0.prepare_cached(
            "INSERT INTO shelf (facet, shelved, place, article, again, revision) VALUES (?, ?, ?, ?, ?, ?)",
        )?;
        let Place { shelved, article, again, revision, .. } = taken;
        shelve.execute(params![
            facet.as_str(),
            shelved,
            place,
            article,
            again,
            number(*revision)
        ])?;
        Ok(())
    }

    fn vacate(&mut self, facet: &Facet, shelved: i64, now: Revision) -> Result<()> {
        let mut update = self.0.prepare_cached(
            "UPDATE shelf SET article = NULL, revision = ? WHERE facet = ? AND shelved = ?",
        )?;
        update.execute(params![number(now), facet.as_str(), shelved])?;
        Ok(())
    }

    fn places(&mut self, facet: &Facet) -> Result<Option<i64>> {
        let mut select = self.0.prepare_cached("SELECT places FROM mark WHERE facet = ?")?;
        Ok(select.query_row([facet.as_str()], |row| row.get(0)).optional()?)
    }

    fn move_mark(&mut self, facet: &Facet, to: &Move<'_>) -> Result<()> {
        let mut upsert = self.0.prepare_cached(
            "INSERT INTO mark (facet, revision, changed, floor, places, label)
             VALUES (?1, ?2, ?3, iif(?4, ?2, 0), coalesce(?5, 0), ?6)
             ON CONFLICT (facet) DO UPDATE SET
               revision = ?2, changed = ?3, floor = iif(?4, ?2, floor), places = coalesce(?5, places),
               label = coalesce(label, ?6)",
        )?;
        let Move { revision, changed, raises_floor, places, label } = to;
        let (revision, changed) = (number(*revision), changed.timestamp());
        let label = label.map(Text::as_str);
        upsert.execute(params![facet.as_str(), revision, changed, raises_floor, places, label])?;
        Ok(())
    }

    fn waits_until(&mut self, minutes: i16, key: i64) -> Result<Option<DateTime<Utc>>> {
        let mut select =
            self.0.prepare_cached("SELECT at FROM coming WHERE minutes = ? AND article = ?")?;
        let until = select.query_row(params![minutes, key], |row| row.get(0)).optional()?;
        Ok(until.map(time))
    }

    fn has_come(&mut self, minutes: i16, key: i64) -> Result<bool> {
        let mut select =
            self.0.prepare_cached("SELECT 1 FROM came WHERE minutes = ? AND article = ?")?;
        Ok(select.exists(params![minutes, key])?)
    }

    fn forget(&mut self, minutes: i16, key: i64) -> Result<()> {
        for table in ["coming", "came"] {
            let delete = format!("DELETE FROM {table} WHERE minutes = ? AND article = ?");
            self.0.prepare_cached(&delete)?.execute(params![minutes, key])?;
        }
        Ok(())
    }

    fn wait(&mut self, minutes: i16, key: i64, until: DateTime<Utc>) -> Result<()> {
        let mut insert =
            self.0.prepare_cached("INSERT INTO coming (minutes, article, at) VALUES (?, ?, ?)")?;
        insert.execute(params![minutes, key, until.timestamp()])?;
        Ok(())
    }

    fn come(
        &mut self,
        minutes: i16,
        key: i64,
        id: &ArticleId,
        (revision, at): (Revision, DateTime<Utc>),
    ) -> Result<()> {
        let mut insert = self.0.prepare_cached(
            "INSERT INTO came (minutes, article, revision, id, at) VALUES (?, ?, ?, ?, ?)",
        )?;
        let (id, revision) = (id.as_str(), number(revision));
        insert.execute(params![minutes, key, revision, id, at.timestamp()])?;
        Ok(())
    }

    fn has_noted(&mut self, key: i64, revision: Revision) -> Result<bool> {
        let mut noted =
            self.0.prepare_cached("SELECT 1 FROM gone WHERE revision = ? AND article = ?")?;
        Ok(noted.exists([number(revision), key])?)
    }

    fn note(&mut self, note: &Note<'_>, facets: &[&Facet]) -> Result<()> {
        let Note { key, id, early, late, story, revision, at, published } = note;
        let mut before = self.0.prepare_cached(
            "SELECT revision FROM gone WHERE article = ? AND early = ? AND late = ? AND story = ?",
        )?;
        let before: Option<i64> =
            before.query_row(params![key, early, late, story], |row| row.get(0)).optional()?;
        let mut forget = self
            .0
            .prepare_cached("DELETE FROM sign WHERE facet = ? AND revision = ? AND id = ?")?;
        let mut sign =
            self.0.prepare_cached("INSERT INTO sign (facet, revision, id) VALUES (?, ?, ?)")?;
        let now = number(*revision);
        for facet in facets {
            forget.execute(params![facet.as_str(), before, id.as_str()])?;
            sign.execute(params![facet.as_str(), now, id.as_str()])?;
        }
        let mut insert = self.0.prepare_cached(
            "INSERT OR REPLACE INTO gone (article, early, late, story, revision, at, published) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?;
        let (at, published) = (at.timestamp(), published.timestamp());
        insert.execute(params![key, early, late, story, now, at, published])?;
        Ok(())
    }

    fn count(&mut self, counter: &Counter) -> Result<()> {
        let mut store =
            self.0.prepare_cached("UPDATE store SET head = ?, changed = ?, shelved = ?")?;
        store.execute(params![number(counter.head), counter.changed, counter.shelved])?;
        Ok(())
    }
}
