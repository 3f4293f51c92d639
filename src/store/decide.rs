//! What a submission does to an article: the rules every store follows.
//!
//! No I/O: the row as it is, the submission and the commit time in, the row as it will be out.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    article::{Adoption, ArticleId, ChangeKind, Claim, Revision, Story, Submission},
    category::Facet,
    store::Outcome,
    text::Text,
};

/// Whether an article can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not yet.
    Held,
    /// Yes.
    Live,
    /// No more.
    Expired,
    /// Taken back.
    Withdrawn,
}

/// An article as stores keep it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub id: ArticleId,
    pub guid: Text,
    /// How the store knows the guid.
    pub claim: Claim,
    /// The guid that submissions have for it, where it got another one since, by an adoption for example.
    pub alias: Option<Text>,
    pub state: State,
    /// The publisher's date, set apart from others of the same day or minute.
    pub placed: DateTime<Utc>,
    /// What readers see; from the first time in `Live` on it never changes.
    pub published: DateTime<Utc>,
    pub updated: DateTime<Utc>,
    /// The publisher's `date_modified` as last seen.
    pub modified: Option<DateTime<Utc>>,
    /// The day or minute of `placed`, where the publisher gave no more.
    pub slot: Option<i64>,
    /// When a held article becomes readable.
    pub due: Option<DateTime<Utc>>,
    pub expires: Option<DateTime<Utc>>,
    /// Whether it has ever been live.
    pub is_frozen: bool,
    pub revision: Revision,
    pub story: Story,
    /// The story as stored text, in bytes.
    pub bytes: u32,
    /// Version of the rules that cleaned its content.
    pub cleaning: u32,
    /// Folder of the file whose name is the key.
    pub folder: Option<Text>,
}

impl Row {
    /// What it is filed under, while it can be read.
    pub(super) fn facets(&self) -> BTreeSet<Facet> {
        if self.state == State::Live { self.story.facets() } else { BTreeSet::new() }
    }

    /// Whether no selection tells the two apart. A facet stands for all varieties of a language, a selection may not.
    pub(super) fn is_filed_as(&self, other: &Self) -> bool {
        self.facets() == other.facets() && self.is_selected_as(other)
    }

    /// Whether no selection tells their stories apart, whoever can read them.
    pub(super) fn is_selected_as(&self, other: &Self) -> bool {
        let Story { language, clearance, source, .. } = &self.story;
        self.story.facets() == other.story.facets()
            && *language == other.story.language
            && *clearance == other.story.clearance
            && source.is_some() == other.story.source.is_some()
    }
}

/// What has to be written.
#[derive(Debug)]
pub(super) struct Decision {
    pub outcome: Outcome,
    /// Nothing is written without it.
    pub write: Option<(Row, ChangeKind)>,
    /// What is noted of an article that says nothing new: no feed holds it, and no revision counts it.
    pub note: Option<Row>,
}

impl Decision {
    fn write(outcome: Outcome, row: Row, kind: ChangeKind) -> Self {
        Self { outcome, write: Some((row, kind)), note: None }
    }

    fn nothing(outcome: Outcome) -> Self {
        Self { outcome, write: None, note: None }
    }
}

/// What else the rules need to know.
pub(super) struct Circumstances<'a> {
    /// Time in whole seconds by which embargoes end and edits are dated; never after the commit time.
    pub clock: DateTime<Utc>,
    /// The revision this write will be.
    pub revision: Revision,
    /// Identity for an article seen for the first time.
    pub minted: &'a Text,
    /// Where the publisher's date is placed among others of its day or minute.
    pub placed: DateTime<Utc>,
    /// Publish withdrawn articles again.
    pub republish: bool,
}

/// What a submission does to an article that is known (`old`) or not.
pub(super) fn submit(old: Option<&Row>, new: Submission, given: &Circumstances<'_>) -> Decision {
    let mut new = new;
    if let Some(old) = old {
        inherit(&mut new.story, &old.story);
    }
    let bytes = weight(&new.story);
    let frozen = old.filter(|row| row.is_frozen);
    // A publication begins when its embargo ends, so that no reader takes it for old news.
    let begins = new.embargo.map_or(given.placed, |embargo| embargo.max(given.placed));
    let published = frozen.map_or(begins, |row| row.published);
    let due = new.embargo.map_or(published, |embargo| embargo.max(published));
    let state = match new.expires {
        Some(end) if end <= given.clock => State::Expired,
        _ if due > given.clock => State::Held,
        _ => State::Live,
    };
    let is_claimed = new.origin.is_own && new.guid.is_some();
    let known_claim = old.map(|row| row.claim).unwrap_or_default();
    let mut row = Row {
        id: new.id,
        guid: old.map_or_else(
            || new.guid.unwrap_or_else(|| given.minted.clone()),
            |row| row.guid.clone(),
        ),
        claim: if is_claimed { known_claim.max(Claim::Own) } else { known_claim },
        alias: old.and_then(|row| row.alias.clone()),
        state,
        placed: given.placed,
        published,
        updated: published,
        modified: new.modified.or(old.and_then(|row| row.modified)),
        slot: new.published.and_then(crate::article::When::slot),
        due: (state == State::Held).then_some(due),
        expires: new.expires,
        is_frozen: frozen.is_some() || state == State::Live,
        revision: given.revision,
        story: new.story,
        bytes,
        cleaning: new.origin.cleaning,
        folder: new.origin.folder.or_else(|| old.and_then(|row| row.folder.clone())),
    };
    // A date that lies ahead would stay ahead of the next edit's.
    let stated = new.modified.map(|modified| modified.min(given.clock.max(published)));
    let Some(old) = old else {
        row.updated = stated.unwrap_or(published).max(published);
        let (outcome, kind) = seen(state);
        return Decision::write(outcome, row, kind);
    };
    if old.state == State::Withdrawn {
        if !given.republish {
            return Decision::nothing(Outcome::Retired);
        }
        row.updated = given.clock.max(published);
        let (outcome, kind) = seen(state);
        return Decision::write(outcome, row, kind);
    }
    let says_other = row.story != old.story;
    let moved_on =
        new.modified.is_some_and(|modified| modified > old.modified.unwrap_or(old.updated));
    // Newer rules of cleaning may have made the whole difference: only a later date shows an edit then.
    let is_renewal = old.cleaning < row.cleaning;
    let is_stated = new.is_significant.filter(|stated| !(*stated && is_renewal));
    let is_significant = is_stated.unwrap_or(moved_on) && (says_other || moved_on);
    row.updated = match (is_significant, frozen.is_some()) {
        (true, _) if moved_on => stated.unwrap_or(given.clock).max(old.updated).max(published),
        (true, _) => given.clock.max(old.updated).max(published),
        (false, true) => old.updated,
        (false, false) => stated.unwrap_or(published).max(published),
    };
    let same_times = (row.state, row.published, row.updated, row.due, row.expires)
        == (old.state, old.published, old.updated, old.due, old.expires);
    if !says_other && same_times {
        let is_noted = (row.claim, &row.folder) == (old.claim, &old.folder) && !is_renewal;
        let Row { claim, folder, .. } = row;
        let cleaning = row.cleaning.max(old.cleaning);
        let note = (!is_noted).then(|| Row { claim, cleaning, folder, ..old.clone() });
        return Decision { note, ..Decision::nothing(Outcome::Unchanged) };
    }
    let (outcome, kind) = match (old.state, state) {
        (State::Live, State::Live) if is_significant => (Outcome::Edited, ChangeKind::Edited),
        (State::Live, State::Live) => (Outcome::Corrected, ChangeKind::Corrected),
        _ => seen(state),
    };
    Decision::write(outcome, row, kind)
}

/// Why a submission under the key of a known article is another article, if it is.
pub(super) fn contradiction(old: &Row, new: &Submission) -> Option<Outcome> {
    if let Some(given) = &new.guid
        && *given != old.guid
        && old.alias.as_ref() != Some(given)
    {
        return Some(Outcome::OtherGuid { given: given.clone(), stored: old.guid.clone() });
    }
    // The name of a file is a key in its folder alone. A folder that was moved or copied has the same articles.
    let folder = new.origin.folder.as_ref()?;
    let is_known = old.state == State::Withdrawn
        || old.folder.as_ref() == Some(folder)
        || (old.story.title == new.story.title && !old.story.title.is_empty())
        || (old.story.url == new.story.url && old.story.url.is_some());
    let stored =
        || Outcome::OtherFile { title: old.story.title.clone(), folder: old.folder.clone() };
    (!is_known).then(stored)
}

/// What a change to an article that leaves its state is to the log.
pub(super) fn kept(state: State) -> ChangeKind {
    match state {
        State::Live => ChangeKind::Corrected,
        State::Held | State::Expired | State::Withdrawn => seen(state).1,
    }
}

/// What a story counts for in a window, in bytes.
pub(super) fn weight(story: &Story) -> u32 {
    let bytes = serde_json::to_vec(story).map_or(0, |text| text.len());
    u32::try_from(bytes.saturating_sub(story.inline_bytes())).unwrap_or(u32::MAX)
}

/// What was measured of a file stays known when the publisher hands the article in again without it.
fn inherit(new: &mut Story, old: &Story) {
    for file in &mut new.attachments {
        if let Some(known) = old.attachments.iter().find(|known| known.url == file.url) {
            file.bytes = file.bytes.or(known.bytes);
            file.seconds = file.seconds.or(known.seconds);
        }
    }
}

/// What an article that comes into a state is to the log.
fn seen(state: State) -> (Outcome, ChangeKind) {
    match state {
        State::Live => (Outcome::Published, ChangeKind::Published),
        State::Held => (Outcome::Held, ChangeKind::Held),
        State::Expired => (Outcome::Expired, ChangeKind::Expired),
        State::Withdrawn => (Outcome::Retired, ChangeKind::Withdrawn),
    }
}

/// Where the date of the next article of a day or minute goes: a second after the last one there.
pub(super) fn place(
    start: DateTime<Utc>,
    room: TimeDelta,
    last: Option<DateTime<Utc>>,
) -> DateTime<Utc> {
    let end = start + room;
    last.map_or(start, |last| (last + TimeDelta::seconds(1)).min(end))
}

/// What an adoption makes of an article; `None` when there is nothing to do.
pub(super) fn adopt(old: &Row, adoption: &Adoption, revision: Revision) -> Option<Row> {
    let Adoption { base, guid, is_atom_id, published, story, .. } = adoption;
    let published = published.unwrap_or(old.published);
    let claim = match (is_atom_id, *guid == old.guid) {
        (true, _) => Claim::Atom,
        (false, true) => old.claim,
        (false, false) => Claim::Own,
    };
    let is_same = (guid, claim) == (&old.guid, old.claim)
        && published == old.published
        && *story == old.story;
    if old.state != State::Live || old.revision != *base || is_same {
        return None;
    }
    // One that was never edited is as new as its publication.
    let is_untouched = old.updated == old.published;
    let updated = if is_untouched { published } else { old.updated.max(published) };
    // Records go on to come with the guid that they had.
    let before = || old.alias.clone().unwrap_or_else(|| old.guid.clone());
    let alias = if *guid == old.guid { old.alias.clone() } else { Some(before()) };
    let (guid, story) = (guid.clone(), story.clone());
    let bytes = weight(&story);
    Some(Row { guid, claim, alias, published, updated, revision, story, bytes, ..old.clone() })
}

/// The marks a change of a row touches.
pub(super) struct Touch {
    /// What it was or will be filed under, while readable.
    pub facets: BTreeSet<Facet>,
    /// Whether a window may now hold an older article than before, so that no earlier base will do for a delta.
    pub raises_floor: bool,
}

/// Which marks move when `old` becomes `new`.
pub(super) fn touch(old: Option<&Row>, new: &Row) -> Touch {
    let before = old.map(Row::facets).unwrap_or_default();
    let after = new.facets();
    let shrinks = old.is_some_and(|old| new.published < old.published || new.bytes < old.bytes);
    let is_refiled = old.is_some_and(|old| !new.is_filed_as(old));
    let raises_floor = !before.is_empty() && (is_refiled || shrinks);
    Touch { facets: &before | &after, raises_floor }
}
