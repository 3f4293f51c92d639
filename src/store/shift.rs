//! Those who get articles later or earlier than everybody else, and word of what has gone.
//!
//! Whom an article has come to is written down when it comes: no clock is asked when a feed is read.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    article::{Claim, Gone, Mark, Revision},
    category::{Audience, Facet, Selection},
    store::{
        Result,
        decide::{Row, State},
        tables::{Left, Note, Reader, Writer},
    },
};

/// So many signs of what has gone are looked at for a document, and so many are in it.
const LOOKS: u16 = 5_000;
const SIGNS: usize = 200;
/// So many embargoed articles are in a document at most.
const EARLY: i64 = 200;

/// What a write does to an article, when and by whom it can be read.
pub(super) struct Step<'a> {
    pub key: i64,
    pub old: Option<&'a Row>,
    pub row: &'a Row,
    pub revision: Revision,
    pub commit: DateTime<Utc>,
    /// Time at which delays begin and head starts end.
    pub clock: DateTime<Utc>,
}

impl Step<'_> {
    /// Sets down when the article comes to those of each shift; gives the shifts whose feeds may change with this write.
    pub(super) fn take(&self, tables: &mut impl Writer, shifts: &[i16]) -> Result<Vec<i16>> {
        let mut least_head_start = None;
        let mut least_delay = None;
        let mut touched = Vec::new();
        for &minutes in shifts {
            let waited = if minutes > 0 { tables.waits_until(minutes, self.key)? } else { None };
            if waited.is_some() {
                least_delay = Some(least_delay.map_or(minutes, |least: i16| least.min(minutes)));
            }
            let was_early = minutes < 0 && tables.has_come(minutes, self.key)?;
            if was_early {
                least_head_start = least_head_start.max(Some(minutes));
            }
            let was_live = self.old.is_some_and(|old| old.state == State::Live);
            let length = TimeDelta::minutes(minutes.into());
            let at = match self.row.state {
                // Whoever waits goes on waiting, whatever is corrected meanwhile.
                State::Live if minutes > 0 && was_live => waited,
                State::Live if minutes > 0 => Some(self.clock + length),
                State::Held if minutes < 0 => self.row.due.map(|due| due + length),
                State::Held | State::Live | State::Expired | State::Withdrawn => None,
            };
            tables.forget(minutes, self.key)?;
            let is_early = minutes < 0 && at.is_some_and(|at| at <= self.clock);
            match at {
                Some(_) if is_early => {
                    tables.come(minutes, self.key, &self.row.id, (self.revision, self.commit))?;
                }
                Some(at) => tables.wait(minutes, self.key, at)?,
                None => {}
            }
            if is_early {
                touched.push(minutes);
            }
        }
        // Whoever gets things earlier still had it too.
        let early = shifts.iter().filter(|minutes| Some(**minutes) <= least_head_start);
        let early: Vec<_> = early.copied().collect();
        let facets = early.iter().copied().map(Facet::shift).collect();
        touched.extend(early);
        self.note_gone(tables, least_head_start, least_delay.unwrap_or_default(), facets)?;
        Ok(touched)
    }

    /// Keeps what the article was filed as, where somebody could read it who may not be able to now. `early_facets` are
    /// those that it left where not everybody could read it.
    fn note_gone(
        &self,
        tables: &mut impl Writer,
        head_start: Option<i16>,
        late: i16,
        early_facets: BTreeSet<Facet>,
    ) -> Result<()> {
        let Some(old) = self.old else { return Ok(()) };
        let is_same = self.row.state == State::Live && self.row.is_selected_as(old);
        let was_live = old.state == State::Live;
        let early = if was_live { Some(0) } else { head_start };
        let Some(early) = early.filter(|_| !is_same) else { return Ok(()) };
        // Of one write, only what was there before it could be read.
        if tables.has_noted(self.key, self.revision)? {
            return Ok(());
        }
        let story =
            serde_json::to_string(&old.story.remnant()).expect("a story has text keys only");
        let facets = if was_live { old.story.facets() } else { early_facets };
        let note = Note {
            key: self.key,
            id: &old.id,
            early,
            late,
            story: &story,
            revision: self.revision,
            at: self.commit,
            published: old.published,
        };
        tables.note(&note, &facets.iter().collect::<Vec<_>>())
    }
}

/// Whether an article that everybody can read has not come yet to those who make a selection.
pub(super) fn is_late(reader: &impl Reader, selection: &Selection, key: i64) -> Result<bool> {
    let minutes = selection.shift_minutes();
    Ok(minutes > 0 && reader.waits(minutes, key)?)
}

/// Articles under embargo that those who make a selection have already, newest first.
pub(super) fn early(reader: &impl Reader, selection: &Selection) -> Result<Vec<Row>> {
    let minutes = selection.shift_minutes();
    if minutes >= 0 {
        return Ok(Vec::new());
    }
    let mut early = reader.early(minutes, EARLY)?;
    early.retain(|row| row.story.is_selected(selection));
    Ok(early)
}

/// What a feed had and has no more, as far back as it tells from where it stands.
///
/// All of it follows from writes that moved the feed: those that took an article from under one of its facets, and those
/// that brought it back there.
pub(super) fn signs(reader: &impl Reader, selection: &Selection, mark: Mark) -> Result<Vec<Gone>> {
    let Some(audience) = selection.audience.as_ref().filter(|audience| audience.signs_days > 0)
    else {
        return Ok(Vec::new());
    };
    let oldest = mark.changed - TimeDelta::days(audience.signs_days.into());
    let mut facets = selection.facets();
    if audience.shift_minutes < 0 {
        facets.push(Facet::shift(audience.shift_minutes));
    }
    let mut signs: Vec<Gone> = Vec::new();
    let mut looks = 0;
    reader.for_each_sign(&facets, mark.revision, |revision, sign| {
        looks += 1;
        let Some((left, key, now)) = sign else { return Ok(looks < LOOKS) };
        if left.at < oldest {
            return Ok(false);
        }
        let saw = left.story.is_selected(selection) && could_read(audience, left.early, left.late);
        let is_told = signs.iter().any(|sign| sign.id == now.id);
        if saw && !is_told && !has(reader, selection, key, &now)? {
            let is_atom_id = now.claim == Claim::Atom;
            let Row { id, guid, .. } = now;
            let Left { at, published, story, .. } = left;
            signs.push(Gone { id, guid, is_atom_id, published, revision, at, story });
        }
        Ok(looks < LOOKS && signs.len() < SIGNS)
    })?;
    Ok(signs)
}

/// Whether a selection has an article now, in or out of its window.
fn has(reader: &impl Reader, selection: &Selection, key: i64, row: &Row) -> Result<bool> {
    let is_readable = match row.state {
        State::Live => !is_late(reader, selection, key)?,
        State::Held => reader.has_come(selection.shift_minutes(), key)?,
        State::Expired | State::Withdrawn => false,
    };
    Ok(is_readable && row.story.is_selected(selection))
}

/// Whether those of an audience could read an article with this head start, 0: everybody could, and for which so long a
/// delay was not over, 0: none.
fn could_read(audience: &Audience, early: i16, late: i16) -> bool {
    let minutes = audience.shift_minutes;
    (early == 0 || minutes <= early) && (late == 0 || minutes < late)
}
