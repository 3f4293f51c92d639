//! Questions to the server. Each is asked within one transaction that sees one state.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::{BTreeSet, HashMap, VecDeque},
    num::NonZeroU16,
};

use chrono::{DateTime, Utc};
use tokio_postgres::{Row as SqlRow, types::ToSql};

use crate::{
    article::{ArticleId, Change, ChangeKind, Cursor, Latest, Mark, Revision, Story},
    category::{Category, Facet},
    store::{
        Census, Moved, Result, StoreError,
        decide::{Row, State},
        postgres::{
            row::{COLUMNS, article, decode, revision, times},
            session::{READ, Session},
        },
        read::{self, merge},
        stored::{self, number, time},
        tables::{Counter, Filed, Left, Place, Reader, Sign},
    },
    text::Text,
};

/// The row that counts.
pub(super) const COUNTER: &str =
    "SELECT head, changed, shelved, authority FROM store WHERE one = 1";

/// So many rows of a list are fetched at a time, and so many articles that are next in it, up to so many bytes; those
/// beyond are fetched one by one.
const ROWS: i64 = 256;
const AHEAD: usize = 64;
const AHEAD_BYTES: i64 = 8_000_000;

/// The row of [`COUNTER`].
pub(super) fn counter(row: &SqlRow) -> Result<Counter> {
    Ok(Counter {
        head: revision(row, "head")?,
        changed: row.try_get("changed")?,
        shelved: row.try_get("shelved")?,
        authority: row.try_get("authority")?,
    })
}

/// Somebody has emptied the table `store`.
pub(super) fn empty() -> StoreError {
    StoreError::Failed("its table `store` is empty".into())
}

/// One state of the store.
pub(super) struct View<'s> {
    session: &'s Session,
    counter: Counter,
    /// Articles that will be asked for next.
    expected: RefCell<HashMap<i64, Row>>,
}

impl<'s> View<'s> {
    pub(super) fn new(session: &'s Session) -> Result<Self> {
        let found = session.begin(READ, &[(COUNTER, Vec::new())])?;
        let counter = counter(found.iter().flatten().next().ok_or_else(empty)?)?;
        session.heard(counter.head);
        Ok(Self { session, counter, expected: RefCell::default() })
    }

    /// The newest write that it holds.
    pub(super) fn head(&self) -> Revision {
        self.counter.head
    }

    pub(super) fn session(&self) -> &Session {
        self.session
    }

    /// Rows of lists, one for each facet, merged, until `visit` has had enough. `select` asks for the next rows of the list
    /// of a facet, its first parameter; `after` says from where on, by the last one that was read.
    fn each<T: Ord + Clone>(
        &self,
        facets: &[Facet],
        select: &str,
        after: impl Fn(Option<&T>) -> Vec<Box<dyn ToSql + Sync>>,
        read: impl Fn(&SqlRow, usize) -> Result<T>,
        visit: impl FnMut(T) -> Result<bool>,
    ) -> Result<bool> {
        let mut lists = Vec::with_capacity(facets.len());
        for (nth, facet) in facets.iter().enumerate() {
            let (mut rows, mut last, mut is_over) = (VecDeque::new(), None, false);
            let (read, after) = (&read, &after);
            lists.push(move || {
                if rows.is_empty() && !is_over {
                    let name = facet.as_str();
                    let from = after(last.as_ref());
                    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&name, &ROWS];
                    parameters.extend(from.iter().map(|value| &**value));
                    for row in self.session.query(select, &parameters)? {
                        rows.push_back(read(&row, nth)?);
                    }
                    is_over = i64::try_from(rows.len()).is_ok_and(|count| count < ROWS);
                    last = rows.back().cloned();
                }
                Ok(rows.pop_front())
            });
        }
        merge(lists, visit)
    }
}

impl Reader for View<'_> {
    fn counter(&self) -> Result<Counter> {
        Ok(self.counter.clone())
    }

    fn mark(&self, facets: &[Facet]) -> Result<Mark> {
        let facets: Vec<&str> = facets.iter().map(Facet::as_str).collect();
        let select =
            "SELECT max(revision) AS revision, max(changed) AS changed, max(floor) AS floor
             FROM mark WHERE facet = ANY($1)";
        let row = self.session.one(select, &[&facets])?;
        let most = |column| row.try_get::<_, Option<i64>>(column).map(Option::unwrap_or_default);
        Ok(Mark {
            revision: stored::revision(most("revision")?),
            changed: time(most("changed")?),
            floor: stored::revision(most("floor")?),
        })
    }

    fn places(&self, facets: &[Facet]) -> Result<i64> {
        let facets: Vec<&str> = facets.iter().map(Facet::as_str).collect();
        let select = "SELECT coalesce(sum(places), 0)::bigint FROM unnest($1::text[]) AS f JOIN mark ON facet = f";
        Ok(self.session.one(select, &[&facets])?.try_get(0)?)
    }

    fn taken(&self, facets: &[Facet], shelved: &[i64]) -> Result<Vec<i64>> {
        let facets: Vec<&str> = facets.iter().map(Facet::as_str).collect();
        let select = "SELECT (SELECT coalesce(sum(place), 0)::bigint FROM unnest($1::text[]) AS f CROSS JOIN LATERAL
               (SELECT place FROM shelf WHERE facet = f AND shelved <= s ORDER BY shelved DESC LIMIT 1) AS last)
             FROM unnest($2::bigint[]) WITH ORDINALITY AS asked(s, nth) ORDER BY nth";
        let rows = self.session.query(select, &[&facets, &shelved])?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    fn disturbed(
        &self,
        facets: &[Facet],
        since: Revision,
        limit: usize,
    ) -> Result<Option<BTreeSet<i64>>> {
        let facets: Vec<&str> = facets.iter().map(Facet::as_str).collect();
        let (since, most) = (number(since), i64::try_from(limit).unwrap_or(i64::MAX));
        let emptied = "SELECT DISTINCT shelved FROM shelf
             WHERE facet = ANY($1) AND article IS NULL AND revision > $2 LIMIT $3";
        let changed = "SELECT DISTINCT filing.shelved FROM article CROSS JOIN unnest($1::text[]) AS f
             JOIN filing ON facet = f AND filing.published = article.published AND filing.id = article.id
             WHERE revision > $2 LIMIT $3";
        let asked = |select| (select, vec![&facets as &(dyn ToSql + Sync), &since, &most]);
        let rows = self.session.all(&[asked(emptied), asked(changed)])?;
        let found = rows.iter().flatten().map(|row| Ok(row.try_get(0)?));
        let found = found.collect::<Result<BTreeSet<i64>>>()?;
        Ok((found.len() < limit).then_some(found))
    }

    fn article(&self, key: i64) -> Result<Option<Row>> {
        if let Some(row) = self.expected.borrow_mut().remove(&key) {
            return Ok(Some(row));
        }
        let select = format!("SELECT {COLUMNS} FROM article WHERE key = $1");
        let rows = self.session.query(&select, &[&key])?;
        Ok(rows.first().map(decode).transpose()?.map(|(_, row)| row))
    }

    fn expect(&self, keys: &[i64]) -> Result<()> {
        let select = format!(
            "SELECT {COLUMNS} FROM (
               SELECT k, sum(bytes) OVER (ORDER BY nth) AS so_far
               FROM unnest($1::bigint[]) WITH ORDINALITY AS asked(k, nth) JOIN article ON key = k) AS ahead
             JOIN article ON key = k WHERE so_far <= $2::bigint"
        );
        let mut expected = self.expected.borrow_mut();
        expected.clear();
        for row in self.session.query(&select, &[&keys, &AHEAD_BYTES])? {
            let (key, row) = decode(&row)?;
            expected.insert(key, row);
        }
        Ok(())
    }

    fn find(&self, id: &ArticleId) -> Result<Option<(i64, Row)>> {
        let select = format!("SELECT {COLUMNS} FROM article WHERE id = $1");
        self.session.query(&select, &[&id.as_str()])?.first().map(decode).transpose()
    }

    fn shelved(&self, facet: &Facet, row: &Row) -> Result<Option<i64>> {
        let select = "SELECT shelved FROM filing WHERE facet = $1 AND published = $2 AND id = $3";
        let filed: [&(dyn ToSql + Sync); 3] =
            [&facet.as_str(), &row.published.timestamp(), &row.id.as_str()];
        let rows = self.session.query(select, &filed)?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
    }

    fn waits(&self, minutes: i16, key: i64) -> Result<bool> {
        let select = "SELECT FROM coming WHERE minutes = $1 AND article = $2";
        Ok(!self.session.query(select, &[&i64::from(minutes), &key])?.is_empty())
    }

    fn has_come(&self, minutes: i16, key: i64) -> Result<bool> {
        let select = "SELECT FROM came WHERE minutes = $1 AND article = $2";
        Ok(!self.session.query(select, &[&i64::from(minutes), &key])?.is_empty())
    }

    fn early(&self, minutes: i16, limit: i64) -> Result<Vec<Row>> {
        let select = format!(
            "SELECT {COLUMNS} FROM came JOIN article ON article.key = came.article
             WHERE minutes = $1 AND state = 0 ORDER BY published DESC, article.id LIMIT $2"
        );
        let rows = self.session.query(&select, &[&i64::from(minutes), &limit])?;
        rows.iter().map(|row| decode(row).map(|(_, row)| row)).collect()
    }

    fn committed(&self, revision: Revision) -> Result<DateTime<Utc>> {
        let select = "SELECT at FROM change WHERE revision = $1 LIMIT 1";
        Ok(time(self.session.one(select, &[&number(revision)])?.try_get(0)?))
    }

    fn for_each_filed(
        &self,
        facets: &[Facet],
        mut visit: impl FnMut(Filed) -> Result<bool>,
    ) -> Result<bool> {
        let select = "SELECT published, id, article FROM filing
             WHERE facet = $1 AND published <= $3 AND (published < $3 OR id > $4)
             ORDER BY published DESC, id LIMIT $2";
        let after = |last: Option<&Filed>| -> Vec<Box<dyn ToSql + Sync>> {
            let (published, id) = last
                .map_or((i64::MAX, String::new()), |(published, Reverse(id), _)| {
                    (*published, id.clone())
                });
            vec![Box::new(published), Box::new(id)]
        };
        let filed =
            |row: &SqlRow, _| Ok((row.try_get(0)?, Reverse(row.try_get(1)?), row.try_get(2)?));
        // Articles are fetched some way ahead, so that not each of them is asked for.
        let mut ahead: Vec<Filed> = Vec::with_capacity(AHEAD);
        let mut reach = |ahead: &mut Vec<Filed>| -> Result<bool> {
            let keys: Vec<i64> = ahead.iter().map(|(_, _, key)| *key).collect();
            self.expect(&keys)?;
            for filed in ahead.drain(..) {
                if !visit(filed)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let is_all = self.each(facets, select, after, filed, |filed| {
            ahead.push(filed);
            Ok(ahead.len() < AHEAD || reach(&mut ahead)?)
        })?;
        Ok(is_all && reach(&mut ahead)?)
    }

    fn for_each_place(
        &self,
        facets: &[Facet],
        newest: i64,
        visit: impl FnMut(Place) -> Result<bool>,
    ) -> Result<bool> {
        let select = "SELECT shelved, article, again, revision FROM shelf
             WHERE facet = $1 AND shelved < $3 ORDER BY shelved DESC LIMIT $2";
        let after = |last: Option<&Place>| -> Vec<Box<dyn ToSql + Sync>> {
            vec![Box::new(last.map_or(newest.saturating_add(1), |place| place.shelved))]
        };
        let place = |row: &SqlRow, facet| {
            Ok(Place {
                shelved: row.try_get(0)?,
                facet: Reverse(facet),
                article: row.try_get(1)?,
                again: row.try_get::<_, i64>(2)? != 0,
                revision: revision(row, "revision")?,
            })
        };
        self.each(facets, select, after, place, visit)
    }

    fn for_each_sign(
        &self,
        facets: &[Facet],
        newest: Revision,
        mut visit: impl FnMut(Revision, Option<Sign>) -> Result<bool>,
    ) -> Result<bool> {
        let select = format!(
            "SELECT sign.revision AS went, sign.id AS named, gone.at, gone.early, gone.late, gone.published AS began,
               gone.story AS remnant, {COLUMNS}
             FROM (SELECT revision, id FROM sign WHERE facet = $1 AND revision <= $3 AND (revision < $3 OR id > $4)
                   ORDER BY revision DESC, id LIMIT $2) AS sign
             LEFT JOIN (article JOIN gone ON gone.article = article.key)
               ON article.id = sign.id AND gone.revision = sign.revision
             ORDER BY went DESC, named"
        );
        let after = |last: Option<&Signed>| -> Vec<Box<dyn ToSql + Sync>> {
            let (revision, id) = last.map_or(
                (number(newest), String::new()),
                |Signed { at: (revision, Reverse(id)), .. }| (*revision, id.clone()),
            );
            vec![Box::new(revision), Box::new(id)]
        };
        let signed = |row: &SqlRow, _| {
            let at = (row.try_get("went")?, Reverse(row.try_get("named")?));
            Ok(Signed { at, sign: sign(row)? })
        };
        self.each(facets, &select, after, signed, |Signed { at: (went, _), sign }| {
            visit(stored::revision(went), sign)
        })
    }
}

/// A sign in the order of its list.
#[derive(Clone)]
struct Signed {
    at: (i64, Reverse<String>),
    sign: Option<Sign>,
}

impl Ord for Signed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl PartialOrd for Signed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Signed {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Signed {}

fn sign(row: &SqlRow) -> Result<Option<Sign>> {
    let Some(remnant) = row.try_get::<_, Option<&str>>("remnant")? else { return Ok(None) };
    let minutes = |column| -> Result<i16> {
        Ok(i16::try_from(row.try_get::<_, i64>(column)?).unwrap_or_default())
    };
    let left = Left {
        early: minutes("early")?,
        late: minutes("late")?,
        story: stored::story("gone", remnant)?,
        at: time(row.try_get("at")?),
        published: time(row.try_get("began")?),
    };
    let (key, now) = decode(row)?;
    Ok(Some((left, key, now)))
}

impl View<'_> {
    pub(super) fn moved(&self, seen: Revision) -> Result<Moved> {
        let select = "SELECT facet FROM mark WHERE revision > $1";
        let rows = self.session.query(select, &[&number(seen)])?;
        let facets = rows.iter().map(|row| Ok(Facet::stored(row.try_get(0)?)));
        Ok(Moved { head: self.counter.head, facets: facets.collect::<Result<_>>()? })
    }

    pub(super) fn log(&self, since: Revision, limit: NonZeroU16) -> Result<Vec<Change>> {
        let select = "SELECT revision, id, kind, at FROM change WHERE revision > $1 ORDER BY revision, id LIMIT $2";
        let rows = self.session.query(select, &[&number(since), &i64::from(limit.get())])?;
        let change = |row: &SqlRow| {
            let kind: &str = row.try_get("kind")?;
            let unknown = || StoreError::Failed(format!("`{kind}` is no change").into());
            Ok(Change {
                revision: revision(row, "revision")?,
                article: article(row.try_get("id")?)?,
                kind: ChangeKind::from_name(kind).ok_or_else(unknown)?,
                at: time(row.try_get("at")?),
            })
        };
        rows.iter().map(change).collect()
    }

    pub(super) fn latest(
        &self,
        since: &Cursor,
        shift_minutes: i16,
        limit: NonZeroU16,
    ) -> Result<Vec<Latest>> {
        // The whole of a write comes before the first article of the next.
        let (first, after) = match &since.article {
            Some(article) => (since.revision, article.as_str()),
            None => (Revision(since.revision.0 + 1), ""),
        };
        // Articles in the order of their last changes, and those that came by themselves to some, in one list.
        let select = format!(
            "SELECT position, came_at, {TOLD}, {COLUMNS} FROM (
               (SELECT revision AS position, id AS named, NULL::bigint AS came_at FROM article
                WHERE (revision, id) > ($1, $3)
                  AND NOT EXISTS (SELECT FROM came WHERE minutes = $2 AND came.article = article.key)
                ORDER BY revision, id LIMIT $4)
               UNION ALL
               (SELECT revision, id, at FROM came WHERE minutes = $2 AND (revision, id) > ($1, $3)
                ORDER BY revision, id LIMIT $4)
               ORDER BY position, named LIMIT $4
             ) AS listed JOIN article ON article.id = named ORDER BY position, named"
        );
        let rows = self.session.query(
            &select,
            &[&number(first), &i64::from(shift_minutes), &after, &i64::from(limit.get())],
        )?;
        rows.iter().map(told).collect()
    }

    pub(super) fn last(&self, id: &ArticleId, shift_minutes: i16) -> Result<Option<Latest>> {
        let select = format!(
            "SELECT coalesce(came.revision, article.revision) AS position, came.at AS came_at, {TOLD}, {COLUMNS}
             FROM article LEFT JOIN came ON came.minutes = $2 AND came.article = article.key WHERE article.id = $1"
        );
        let rows = self.session.query(&select, &[&id.as_str(), &i64::from(shift_minutes)])?;
        rows.first().map(told).transpose()
    }
}

pub(super) fn categories(session: &Session) -> Result<Vec<Category>> {
    let select = "SELECT facet, label FROM mark WHERE facet >= 'category/' AND facet < 'category0' ORDER BY facet";
    let mut categories = Vec::new();
    for row in session.query(select, &[])? {
        if let Some(slug) = Facet::stored(row.try_get(0)?).as_category() {
            let label = row.try_get::<_, Option<String>>(1)?;
            let label = label.unwrap_or_else(|| slug.to_string());
            categories.push(Category { slug, label: Text::new(&label) });
        }
    }
    Ok(categories)
}

pub(super) fn census(session: &Session) -> Result<Census> {
    let mut census = Census::default();
    let select = "SELECT state, count(*) FROM article GROUP BY state";
    for row in session.query(select, &[])? {
        let count = match stored::state(row.try_get(0)?) {
            State::Held => &mut census.held,
            State::Live => &mut census.published,
            State::Expired => &mut census.expired,
            State::Withdrawn => &mut census.withdrawn,
        };
        *count = row.try_get(1)?;
    }
    Ok(census)
}

/// Keys of articles, held or live, that older rules cleaned.
pub(super) fn cleaned_before(
    session: &Session,
    version: u32,
    after: Option<&ArticleId>,
    limit: NonZeroU16,
) -> Result<Vec<ArticleId>> {
    let select = "SELECT id FROM article WHERE id > $1 AND cleaning < $2 AND state IN (0, 1)
         ORDER BY id LIMIT $3";
    let after = after.map_or("", ArticleId::as_str);
    let found = session.query(select, &[&after, &i64::from(version), &i64::from(limit.get())])?;
    found.iter().map(|row| article(row.try_get(0)?)).collect()
}

/// What is told of an article beside what it is, to those of the shift that is the second parameter: when it changed, whether
/// they wait for it, and what it was filed as before.
const TOLD: &str = "
   (SELECT at FROM change WHERE change.revision = article.revision AND change.id = article.id) AS changed_at,
   EXISTS (SELECT FROM coming WHERE coming.minutes = $2 AND coming.article = article.key) AS waits,
   ARRAY(SELECT gone.story FROM gone WHERE gone.article = article.key
         AND (gone.early = 0 OR $2 <= gone.early) AND (gone.late = 0 OR $2 < gone.late) ORDER BY gone.revision) AS was";

/// A row of a question for [`TOLD`].
fn told(row: &SqlRow) -> Result<Latest> {
    let came_at = row.try_get::<_, Option<i64>>("came_at")?.map(time);
    let changed_at = times(std::slice::from_ref(row), "changed_at")?;
    let at = came_at
        .or(changed_at)
        .ok_or_else(|| StoreError::Failed("a change is not in the log".into()))?;
    let waits: bool = row.try_get("waits")?;
    let was: Vec<&str> = row.try_get("was")?;
    let was = was.into_iter().map(|story| stored::story("gone", story));
    let was = was.collect::<Result<Vec<Story>>>()?;
    let position = revision(row, "position")?;
    let (_, row) = decode(row)?;
    let is_readable = came_at.is_some() || row.state == State::Live && !waits;
    Ok(read::latest(row, (position, at), is_readable, was))
}
