//! What a write has changed, sent table by table and waited for once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;

use crate::{
    article::{ArticleId, Change, Revision},
    category::Facet,
    store::{
        Result,
        decide::Row,
        postgres::{
            draft::Filed,
            schema,
            session::{Ask, Session},
        },
        stored::{claim_number, number, state_number, text},
        tables::{Counter, Note, Place},
    },
    text::Text,
};

/// What an article was filed as, as far as the rules look at it.
pub(super) struct Gone {
    pub early: i16,
    pub late: i16,
    pub story: String,
    pub revision: Revision,
}

/// A place that was taken: under which facet, and which of its places it is.
pub(super) struct Shelved {
    pub facet: Facet,
    pub nth: i64,
    pub taken: Place,
}

/// By which write an article came, and its time.
pub(super) type Came = (i64, ArticleId, i64);

/// A mark that moves.
pub(super) struct Mark {
    pub facet: Facet,
    pub revision: i64,
    pub changed: i64,
    pub floor: Option<i64>,
    pub places: Option<i64>,
    pub label: Option<String>,
}

/// Of what is in maps, the last word counts; `None`: it goes.
#[derive(Default)]
pub(super) struct Changes {
    /// Articles that are new or other than before, by id.
    pub saved: BTreeSet<String>,
    /// The keys of those that are known by another guid than before.
    pub renamed: BTreeSet<i64>,
    pub log: Vec<Change>,
    pub filed: BTreeMap<Filed, Option<(i64, i64)>>,
    pub shelved: Vec<Shelved>,
    pub vacated: Vec<(Facet, i64, Revision)>,
    pub marks: Vec<Mark>,
    pub coming: BTreeMap<(i16, i64), Option<i64>>,
    pub came: BTreeMap<(i16, i64), Option<Came>>,
    pub gone_forgotten: Vec<(i64, Revision)>,
    pub signs_forgotten: Vec<(Facet, Revision, String)>,
    gone: Vec<Noted>,
    signs: Vec<(Facet, Revision, String)>,
    pub counter: Option<Counter>,
}

struct Noted {
    key: i64,
    gone: Gone,
    at: i64,
    published: i64,
}

impl Changes {
    /// Notes what an article was filed as.
    pub(super) fn note(&mut self, note: &Note<'_>, facets: &[&Facet]) {
        let Note { key, id, early, late, story, revision, at, published } = *note;
        let signs = facets.iter().map(|facet| ((*facet).clone(), revision, id.as_str().to_owned()));
        self.signs.extend(signs);
        self.gone.push(Noted {
            key,
            gone: Gone { early, late, story: story.to_owned(), revision },
            at: at.timestamp(),
            published: published.timestamp(),
        });
    }

    /// Sends all of it.
    pub(super) fn send(self, session: &Session, articles: &Articles) -> Result<()> {
        self.asked(articles, |asks| session.all(asks).map(drop))
    }

    /// Sends all of it and commits.
    pub(super) fn commit(self, session: &Session, articles: &Articles) -> Result<()> {
        self.asked(articles, |asks| session.commit(asks))
    }

    /// What has to be asked for it to be there.
    fn asked(self, articles: &Articles, send: impl FnOnce(&[Ask<'_>]) -> Result<()>) -> Result<()> {
        // In the order of their keys, so that the table grows at its end.
        let mut rows: Vec<_> = self.saved.iter().filter_map(|id| articles.get(id)).collect();
        rows.sort_by_key(|(key, _)| *key);
        let renamed: Vec<_> = self.renamed.iter().collect();
        let (filed, unfiled) = split(&self.filed);
        let (coming, left) = split(&self.coming);
        let (came, uncame) = split(&self.came);
        let counter: Vec<_> = self.counter.iter().collect();
        let parts = [
            make_way(&renamed),
            save(&rows),
            log(&self.log),
            unfile(&unfiled),
            file(&filed),
            vacate(&self.vacated),
            shelve(&self.shelved),
            leave(LEAVE_COMING, &left),
            wait(&coming),
            leave(LEAVE_CAME, &uncame),
            come(&came),
            forget(&self.gone_forgotten),
            note(&self.gone),
            signs(UNSIGN, &self.signs_forgotten),
            signs(SIGN, &self.signs),
            marks(MOVE, &self.marks),
            marks(MARK, &self.marks),
            count(&counter),
            tell(&counter),
        ];
        let asks: Vec<Ask<'_>> = parts
            .iter()
            .filter(|part| !part.is_empty)
            .map(|Sent { sql, columns, .. }| {
                (*sql, columns.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect())
            })
            .collect();
        send(&asks)
    }
}

/// Articles as they are from now on, by id, with their keys.
pub(super) type Articles = HashMap<String, (i64, Row)>;

/// What is sent to one table: rows by columns, as `unnest` takes them.
struct Sent<'a> {
    sql: &'static str,
    columns: Vec<Box<dyn ToSql + Sync + 'a>>,
    is_empty: bool,
}

impl<'a> Sent<'a> {
    fn new<R>(sql: &'static str, rows: &[R], columns: Vec<Box<dyn ToSql + Sync + 'a>>) -> Self {
        Self { sql, columns, is_empty: rows.is_empty() }
    }
}

/// One value of each row.
fn column<'a, R, T: ToSql + Sync + 'a>(
    rows: &'a [R],
    value: impl Fn(&'a R) -> T,
) -> Box<dyn ToSql + Sync + 'a> {
    Box::new(rows.iter().map(value).collect::<Vec<_>>())
}

type Kept<'a, K, V> = Vec<(&'a K, &'a V)>;

/// What there is from now on, and what there is no more.
fn split<K, V>(changes: &BTreeMap<K, Option<V>>) -> (Kept<'_, K, V>, Vec<&K>) {
    let kept = changes.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let gone = changes.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key);
    (kept.collect(), gone.collect())
}

/// Takes away rows that are written anew with another guid: one of them may get what another has until then, and rows are
/// held against each other one by one.
fn make_way<'a>(renamed: &'a [&'a i64]) -> Sent<'a> {
    let keys = column(renamed, |key| **key);
    Sent::new("DELETE FROM article WHERE key = ANY($1::bigint[])", renamed, vec![keys])
}

fn save<'a>(rows: &'a [&'a (i64, Row)]) -> Sent<'a> {
    let seconds = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp());
    let columns = vec![
        column(rows, |(key, _)| *key),
        column(rows, |(_, row)| row.id.as_str()),
        column(rows, |(_, row)| row.guid.as_str()),
        column(rows, |(_, row)| state_number(row.state)),
        column(rows, |(_, row)| row.placed.timestamp()),
        column(rows, |(_, row)| row.published.timestamp()),
        column(rows, |(_, row)| row.updated.timestamp()),
        column(rows, move |(_, row)| seconds(row.modified)),
        column(rows, |(_, row)| row.slot),
        column(rows, move |(_, row)| seconds(row.due)),
        column(rows, move |(_, row)| seconds(row.expires)),
        column(rows, |(_, row)| i64::from(row.is_frozen)),
        column(rows, |(_, row)| number(row.revision)),
        column(rows, |(_, row)| i64::from(row.bytes)),
        column(rows, |(_, row)| text(row)),
        column(rows, |(_, row)| claim_number(row.claim)),
        column(rows, |(_, row)| row.alias.as_ref().map(Text::as_str)),
        column(rows, |(_, row)| i64::from(row.cleaning)),
        column(rows, |(_, row)| row.folder.as_ref().map(Text::as_str)),
    ];
    Sent::new(
        "INSERT INTO article
           (key, id, guid, state, placed, published, updated, modified, slot, due, expires, frozen, revision, bytes, story,
            claim, alias, cleaning, folder)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
           $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
           $14::bigint[], $15::text[], $16::bigint[], $17::text[], $18::bigint[], $19::text[])
         ON CONFLICT (key) DO UPDATE SET
           guid = excluded.guid, state = excluded.state, placed = excluded.placed, published = excluded.published, updated = excluded.updated,
           modified = excluded.modified, slot = excluded.slot, due = excluded.due, expires = excluded.expires,
           frozen = excluded.frozen, revision = excluded.revision, bytes = excluded.bytes, story = excluded.story,
           claim = excluded.claim, alias = excluded.alias, cleaning = excluded.cleaning, folder = excluded.folder",
        rows,
        columns,
    )
}

fn log(changes: &[Change]) -> Sent<'_> {
    let columns = vec![
        column(changes, |change| number(change.revision)),
        column(changes, |change| change.article.as_str()),
        column(changes, |change| change.kind.name()),
        column(changes, |change| change.at.timestamp()),
    ];
    Sent::new(
        "INSERT INTO change (revision, id, kind, at)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[])",
        changes,
        columns,
    )
}

fn unfile<'a>(filed: &'a [&'a Filed]) -> Sent<'a> {
    let columns = vec![
        column(filed, |(facet, _, _)| facet.as_str()),
        column(filed, |(_, published, _)| *published),
        column(filed, |(_, _, id)| id.as_str()),
    ];
    Sent::new(
        "DELETE FROM filing USING unnest($1::text[], $2::bigint[], $3::text[]) AS gone(f, p, i)
         WHERE facet = f AND published = p AND id = i",
        filed,
        columns,
    )
}

fn file<'a>(filed: &'a [(&'a Filed, &'a (i64, i64))]) -> Sent<'a> {
    let columns = vec![
        column(filed, |((facet, _, _), _)| facet.as_str()),
        column(filed, |((_, published, _), _)| *published),
        column(filed, |((_, _, id), _)| id.as_str()),
        column(filed, |(_, (key, _))| *key),
        column(filed, |(_, (_, shelved))| *shelved),
    ];
    Sent::new(
        "INSERT INTO filing (facet, published, id, article, shelved)
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
         ON CONFLICT (facet, published, id) DO UPDATE SET article = excluded.article, shelved = excluded.shelved",
        filed,
        columns,
    )
}

fn vacate(vacated: &[(Facet, i64, Revision)]) -> Sent<'_> {
    let columns = vec![
        column(vacated, |(facet, _, _)| facet.as_str()),
        column(vacated, |(_, shelved, _)| *shelved),
        column(vacated, |(_, _, revision)| number(*revision)),
    ];
    Sent::new(
        "UPDATE shelf SET article = NULL, revision = r
         FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS vacated(f, s, r) WHERE facet = f AND shelved = s",
        vacated,
        columns,
    )
}

fn shelve(shelved: &[Shelved]) -> Sent<'_> {
    let columns = vec![
        column(shelved, |place| place.facet.as_str()),
        column(shelved, |place| place.taken.shelved),
        column(shelved, |place| place.nth),
        column(shelved, |place| place.taken.article),
        column(shelved, |place| i64::from(place.taken.again)),
        column(shelved, |place| number(place.taken.revision)),
    ];
    Sent::new(
        "INSERT INTO shelf (facet, shelved, place, article, again, revision)
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])",
        shelved,
        columns,
    )
}

const LEAVE_COMING: &str =
    "DELETE FROM coming USING unnest($1::bigint[], $2::bigint[]) AS gone(m, a)
     WHERE minutes = m AND article = a";
const LEAVE_CAME: &str = "DELETE FROM came USING unnest($1::bigint[], $2::bigint[]) AS gone(m, a)
     WHERE minutes = m AND article = a";

fn leave<'a>(sql: &'static str, left: &'a [&'a (i16, i64)]) -> Sent<'a> {
    let minutes = column(left, |(minutes, _)| i64::from(*minutes));
    Sent::new(sql, left, vec![minutes, column(left, |(_, key)| *key)])
}

fn wait<'a>(coming: &'a [(&'a (i16, i64), &'a i64)]) -> Sent<'a> {
    let columns = vec![
        column(coming, |((minutes, _), _)| i64::from(*minutes)),
        column(coming, |((_, key), _)| *key),
        column(coming, |(_, at)| **at),
    ];
    Sent::new(
        "INSERT INTO coming (minutes, article, at) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
         ON CONFLICT (minutes, article) DO UPDATE SET at = excluded.at",
        coming,
        columns,
    )
}

fn come<'a>(came: &'a [(&'a (i16, i64), &'a Came)]) -> Sent<'a> {
    let columns = vec![
        column(came, |((minutes, _), _)| i64::from(*minutes)),
        column(came, |((_, key), _)| *key),
        column(came, |(_, (revision, _, _))| *revision),
        column(came, |(_, (_, id, _))| id.as_str()),
        column(came, |(_, (_, _, at))| *at),
    ];
    Sent::new(
        "INSERT INTO came (minutes, article, revision, id, at)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[])
         ON CONFLICT (minutes, article) DO UPDATE SET revision = excluded.revision, id = excluded.id, at = excluded.at",
        came,
        columns,
    )
}

fn forget(gone: &[(i64, Revision)]) -> Sent<'_> {
    let keys = column(gone, |(key, _)| *key);
    Sent::new(
        "DELETE FROM gone USING unnest($1::bigint[], $2::bigint[]) AS before(a, r) WHERE article = a AND revision = r",
        gone,
        vec![keys, column(gone, |(_, revision)| number(*revision))],
    )
}

fn note(gone: &[Noted]) -> Sent<'_> {
    let columns = vec![
        column(gone, |noted| noted.key),
        column(gone, |noted| i64::from(noted.gone.early)),
        column(gone, |noted| i64::from(noted.gone.late)),
        column(gone, |noted| noted.gone.story.as_str()),
        column(gone, |noted| number(noted.gone.revision)),
        column(gone, |noted| noted.at),
        column(gone, |noted| noted.published),
    ];
    Sent::new(
        "INSERT INTO gone (article, early, late, story, revision, at, published)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])",
        gone,
        columns,
    )
}

const UNSIGN: &str =
    "DELETE FROM sign USING unnest($1::text[], $2::bigint[], $3::text[]) AS before(f, r, i)
     WHERE facet = f AND revision = r AND id = i";
const SIGN: &str = "INSERT INTO sign (facet, revision, id) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])";

fn signs<'a>(sql: &'static str, signs: &'a [(Facet, Revision, String)]) -> Sent<'a> {
    let columns = vec![
        column(signs, |(facet, _, _)| facet.as_str()),
        column(signs, |(_, revision, _)| number(*revision)),
        column(signs, |(_, _, id)| id.as_str()),
    ];
    Sent::new(sql, signs, columns)
}

/// Moves the marks that there are; [`MARK`] makes the others.
const MOVE: &str = "UPDATE mark SET revision = r, changed = c, floor = coalesce(fl, floor), places = coalesce(p, places),
       label = coalesce(label, l)
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[]) AS moved(f, r, c, fl, p, l)
     WHERE facet = f";
const MARK: &str = "INSERT INTO mark (facet, revision, changed, floor, places, label)
     SELECT f, r, c, coalesce(fl, 0), coalesce(p, 0), l
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[]) AS moved(f, r, c, fl, p, l)
     ON CONFLICT (facet) DO NOTHING";

fn marks<'a>(sql: &'static str, marks: &'a [Mark]) -> Sent<'a> {
    let columns = vec![
        column(marks, |mark| mark.facet.as_str()),
        column(marks, |mark| mark.revision),
        column(marks, |mark| mark.changed),
        column(marks, |mark| mark.floor),
        column(marks, |mark| mark.places),
        column(marks, |mark| mark.label.as_deref()),
    ];
    Sent::new(sql, marks, columns)
}

/// Tells everybody of the write, once it is committed.
fn tell<'a>(counter: &'a [&'a Counter]) -> Sent<'a> {
    let head = counter.first().map(|counter| counter.head.0.to_string());
    Sent::new(schema::NOTIFY, counter, vec![Box::new(head)])
}

fn count<'a>(counter: &'a [&'a Counter]) -> Sent<'a> {
    let columns = vec![
        column(counter, |counter| number(counter.head)),
        column(counter, |counter| counter.changed),
        column(counter, |counter| counter.shelved),
    ];
    Sent::new(
        "UPDATE store SET head = h, changed = c, shelved = s
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS counted(h, c, s)",
        counter,
        columns,
    )
}
