//! One feed: its archives before what leads to them, and those that nothing leads to any more last.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::{
    article::{Revision, Span},
    export::{
        Exporter, Failure, Pass, Piece, TargetError, piece,
        record::{Leaving, Record, hundred},
    },
    feed::FeedSpec,
    format::Format,
    publish::{Bundle, Document},
};

/// Archives that nothing leads to any more stay for as long as copies of the feed do, and so much longer.
const GRACE: TimeDelta = TimeDelta::hours(1);
/// After so many archives it is noted how far they have come.
const STRETCH: u64 = 20;

impl Exporter {
    pub(super) async fn feed(&self, spec: &FeedSpec, pass: &Pass) -> Result<(), Failure> {
        let name = Record::name(&spec.path);
        let mut record = self.record(&name).await?;
        let store = self.publisher.store();
        let is_known = record.generation == pass.generation && !record.files.is_empty();
        if is_known && pass.skips && record.is_complete() {
            // An export that did not come to its end has been here.
            let mark = store.mark(&spec.marks()).await?;
            if mark.revision <= record.head {
                return Ok(());
            }
        }
        let is_anew = !is_known || store.mark(&spec.settings()).await?.revision > record.head;
        let make = || self.publisher.bundle(&spec.path);
        let newest = self.settled(make, |made| Some(made.changed)).await?;
        let tail = match newest.previous.filter(|span| !span.is_full()) {
            Some(span) => self.archive(spec, span).await?,
            None => None,
        };
        let (newest_pieces, tail) = (self.pieces(&newest), tail.map(|tail| self.pieces(&tail)));
        let tail = tail.unwrap_or_default();

        let since = record.head;
        record.path = spec.path.encoded();
        if is_anew {
            record.begin_anew(pass.generation, pass.head);
        }
        let names = || newest_pieces.iter().chain(&tail).map(|piece| &piece.name);
        if record.expect(names()) || is_anew {
            self.note(&name, &record).await?;
        }
        let disturbed = if is_anew { None } else { self.disturbed(spec, &record, since).await? };
        self.renew(&tail, &mut record).await?;
        let mut present: BTreeSet<&String> = names().collect();
        let aliases = if newest.previous.is_some() || record.sealed > 0 {
            self.archives(spec, &newest, disturbed.as_ref(), &mut record).await?
        } else {
            Vec::new()
        };
        present.extend(&aliases);
        self.renew(&newest_pieces, &mut record).await?;
        self.part(spec, &present, disturbed.as_ref(), &mut record).await?;
        record.head = pass.head;
        Ok(self.note(&name, &record).await?)
    }

    /// The places of a feed that are not what they were; `None` where nobody can tell.
    async fn disturbed(
        &self,
        spec: &FeedSpec,
        record: &Record,
        since: Revision,
    ) -> Result<Option<BTreeSet<u64>>, Failure> {
        if record.sealed == 0 && record.leaving.is_empty() {
            return Ok(Some(BTreeSet::new()));
        }
        Ok(self.publisher.store().disturbed(&spec.selection, since).await?)
    }

    /// Archives of a hundred: those that have changed, then those that are full by now, the oldest first. Beside the newest
    /// one there is a copy of the feed, for `next-archive`: the service would lead from there to the feed. Returned is what
    /// that is called.
    async fn archives(
        &self,
        spec: &FeedSpec,
        newest: &Bundle,
        disturbed: Option<&BTreeSet<u64>>,
        record: &mut Record,
    ) -> Result<Vec<String>, Failure> {
        let known = record.sealed;
        let touched: BTreeSet<Span> = match disturbed {
            Some(places) => places
                .iter()
                .filter(|place| **place <= known)
                .copied()
                .filter_map(hundred)
                .collect(),
            None => (1..=known).step_by(100).filter_map(hundred).collect(),
        };
        for span in touched {
            if let Some(made) = self.archive(spec, span).await? {
                self.write_all(&self.pieces(&made)).await?;
            }
        }
        let first = hundred(1).expect("1 is a place");
        let mut next = Span::ending(known).map_or(first, Span::next);
        while let Some(made) = self.archive(spec, next).await? {
            if self.options.stop.is_cancelled() {
                self.note(&Record::name(&spec.path), record).await?;
                return Err(Failure::Stopped);
            }
            if known > 0 {
                // What this one names as the next has to be there.
                self.renew(&copies(newest, spec, next.next()), record).await?;
            }
            let pieces = self.pieces(&made);
            self.write_all(&pieces).await?;
            for piece in &pieces {
                record.files.remove(&piece.name);
            }
            record.sealed = *next.places().end();
            if record.sealed.is_multiple_of(STRETCH * Span::LENGTH) {
                self.note(&Record::name(&spec.path), record).await?;
            }
            next = next.next();
        }
        let copies = copies(newest, spec, next);
        self.renew(&copies, record).await?;
        Ok(copies.into_iter().map(|piece| piece.name).collect())
    }

    async fn archive(&self, spec: &FeedSpec, span: Span) -> Result<Option<Bundle>, Failure> {
        let make = || self.publisher.archive(&spec.path, span);
        let changed = |made: &Option<Bundle>| made.as_ref().map(|made| made.changed);
        Ok(self.settled(make, changed).await?)
    }

    /// Everything that was there and nothing leads to now: not at once, as copies of the feed may still lead there, unless
    /// something has gone from it.
    async fn part(
        &self,
        spec: &FeedSpec,
        present: &BTreeSet<&String>,
        disturbed: Option<&BTreeSet<u64>>,
        record: &mut Record,
    ) -> Result<(), TargetError> {
        let now = self.now();
        let gone = record.files.keys().filter(|name| !present.contains(name));
        for name in gone.cloned().collect::<Vec<_>>() {
            record.files.remove(&name);
            match span(&name) {
                Some(span) => drop(record.leaving.insert(name, Leaving { span, since: now })),
                None => self.remove(&name).await?,
            }
        }
        let stay = TimeDelta::minutes(spec.ttl.get().into()) + GRACE;
        let over = record.parting(|leaving| {
            let is_true = disturbed
                .is_some_and(|places| places.range(leaving.span.places()).next().is_none());
            !is_true || now - leaving.since > stay
        });
        for name in over {
            self.remove(&name).await?;
        }
        Ok(())
    }

    fn pieces(&self, bundle: &Bundle) -> Vec<Piece> {
        let named = |(document, edition)| {
            let names = self.names(document).into_iter();
            names.map(|name| Piece::new(name, edition)).collect::<Vec<_>>()
        };
        bundle
            .editions
            .iter()
            .map(|(document, edition)| (document, edition))
            .flat_map(named)
            .collect()
    }

    /// Writes what is not there as it should be.
    async fn renew(&self, pieces: &[Piece], record: &mut Record) -> Result<(), TargetError> {
        for piece in pieces {
            if record.files.get(&piece.name) != Some(&piece.tag) {
                self.write(piece).await?;
                record.files.insert(piece.name.clone(), piece.tag.clone());
            }
        }
        Ok(())
    }

    async fn write_all(&self, pieces: &[Piece]) -> Result<(), TargetError> {
        for piece in pieces {
            self.write(piece).await?;
        }
        Ok(())
    }
}

/// The feed under the names of an archive that is to come.
fn copies(newest: &Bundle, spec: &FeedSpec, span: Span) -> Vec<Piece> {
    let copy = |format: &Format| {
        let of = Document::Feed(spec.path.clone(), *format);
        let (_, edition) = newest.editions.iter().find(|(document, _)| *document == of)?;
        let archive = Document::Archive(spec.path.clone(), span, *format);
        Some(Piece::new(piece::name(&archive), edition))
    };
    Format::FEEDS.iter().filter_map(copy).collect()
}

/// The places of an archive, by its name.
fn span(name: &str) -> Option<Span> {
    let (rest, file) = name.rsplit_once('/')?;
    piece::archive(file).filter(|_| rest.ends_with("/archive"))
}
