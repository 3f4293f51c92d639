//! From the `episode` of a record to an [`Episode`].

use url::Url;

use crate::{
    article::{
        AlternateEnclosure, Chapter, Chapters, Content, Episode, EpisodeKind, Location, Moment,
        Participant, Soundbite, Transcript,
    },
    import::{
        convert::Reader,
        record::{
            AlternateEnclosureRecord, ChapterRecord, ChaptersRecord, DurationRecord, EpisodeRecord,
            LocationRecord, ParticipantRecord, SoundbiteRecord, TranscriptRecord,
        },
    },
    text::Text,
};

/// Longest name, title and so on of the Podcasting 2.0 elements, in characters (P-24, P-25, P-35).
const MAX_NAME: usize = 128;
/// Longest transcript that is kept with an article, in bytes.
const MAX_TRANSCRIPT: usize = 2 << 20;

impl Reader<'_> {
    pub(super) fn episode(&mut self, record: EpisodeRecord, base: &Url) -> Episode {
        let kind = record.r#type.as_deref().map(str::trim).filter(|kind| !kind.is_empty());
        let kind = kind.and_then(|given| {
            let known = EpisodeKind::NAMES.into_iter().find(|(name, _)| *name == given);
            if known.is_none() {
                self.fault("episode.type", "none of `full`, `trailer` and `bonus`");
            }
            known.map(|(_, kind)| kind)
        });
        Episode {
            season: self.count_from_one("episode.season", record.season),
            season_name: self.name("episode.season_name", record.season_name),
            number: self.count_from_one("episode.number", record.number),
            kind: kind.unwrap_or_default(),
            title: self.name("episode.title", record.title),
            is_explicit: record.explicit,
            image: self.url("episode.image", record.image, base),
            seconds: record.duration.and_then(|given| self.seconds("episode.duration", &given)),
            transcripts: self.transcripts(record.transcripts, base),
            chapters: record.chapters.and_then(|chapters| self.chapters(chapters, base)),
            soundbites: self.soundbites(record.soundbites),
            persons: self.participants(record.persons, base),
            location: record.location.and_then(|location| self.location(location)),
            alternate_enclosures: self.alternate_enclosures(record.alternate_enclosures, base),
            is_blocked: record.block.unwrap_or_default(),
        }
    }

    fn count_from_one(&mut self, field: &str, number: Option<i64>) -> Option<u32> {
        let number = number?;
        let counted = u32::try_from(number).ok().filter(|number| *number > 0);
        if counted.is_none() {
            self.fault(field, format!("{number} is no number from 1 on; leave it out"));
        }
        counted
    }

    /// A line that directories cut off when it is longer.
    fn name(&mut self, field: &str, raw: Option<String>) -> Text {
        let name = self.text(field, raw).unwrap_or_default();
        if name.as_str().chars().count() > MAX_NAME {
            self.fault(field, format!("longer than {MAX_NAME} characters"));
        }
        name
    }

    /// A number of seconds, or `1:02:03`.
    fn seconds(&mut self, field: &str, given: &DurationRecord) -> Option<u64> {
        let seconds = match given {
            DurationRecord::Seconds(seconds) => moment(*seconds).map(|Moment(ms)| ms / 1_000),
            DurationRecord::Clock(clock) => from_clock(clock),
        };
        if seconds.is_none() {
            self.fault(field, "no duration; write seconds, or `1:02:03`");
        }
        seconds
    }

    fn moment(&mut self, field: &str, seconds: Option<f64>) -> Option<Moment> {
        let moment = seconds.and_then(moment);
        if moment.is_none() {
            self.fault(field, "missing, or no number of seconds from 0 on");
        }
        moment
    }

    fn transcripts(
        &mut self,
        records: Option<Vec<TranscriptRecord>>,
        base: &Url,
    ) -> Vec<Transcript> {
        let mut found = Vec::new();
        for (field, record) in self.list("episode.transcripts", records) {
            let mime_type = self.required_media_type(&field, record.mime_type.as_deref());
            let inline = record.text.filter(|text| !text.trim().is_empty());
            let content = match (inline, &record.url) {
                (Some(text), _) if text.len() > MAX_TRANSCRIPT => {
                    let most = MAX_TRANSCRIPT;
                    self.fault(
                        format!("{field}.text"),
                        format!("larger than {most} bytes; serve it, and give its `url`"),
                    );
                    None
                }
                (Some(text), _) => {
                    Some(Content::Inline(text.chars().filter(|c| *c != '\0').collect()))
                }
                (None, _) => self.required_url(&field, record.url, base).map(Content::Linked),
            };
            let language = self.language(&format!("{field}.language"), record.language.as_deref());
            let is_captions = record.captions.unwrap_or_default();
            if let (Some(content), Some(mime_type)) = (content, mime_type) {
                found.push(Transcript { content, mime_type, language, is_captions });
            }
        }
        found
    }

    fn chapters(&mut self, record: ChaptersRecord, base: &Url) -> Option<Chapters> {
        let records = match record {
            ChaptersRecord::Linked(url) => {
                return self.url("episode.chapters", Some(url), base).map(Chapters::Linked);
            }
            ChaptersRecord::Inline(records) => records,
        };
        let mut chapters: Vec<Chapter> = Vec::new();
        for (field, record) in self.list("episode.chapters", Some(records)) {
            let ChapterRecord { start, end, title, image, url, hidden } = record;
            let Some(start) = self.moment(&format!("{field}.start"), start) else { continue };
            let end = end.and_then(|end| self.moment(&format!("{field}.end"), Some(end)));
            if end.is_some_and(|end| end <= start) {
                self.fault(format!("{field}.end"), "not after its `start`");
            }
            chapters.push(Chapter {
                start,
                end,
                title: self.name(&format!("{field}.title"), title),
                image: self.url(&format!("{field}.image"), image, base),
                url: self.url(&format!("{field}.url"), url, base),
                is_silent: hidden.unwrap_or_default(),
            });
        }
        chapters.sort_by_key(|chapter| chapter.start);
        (!chapters.is_empty()).then_some(Chapters::Inline(chapters))
    }

    fn soundbites(&mut self, records: Option<Vec<SoundbiteRecord>>) -> Vec<Soundbite> {
        let mut found = Vec::new();
        for (field, record) in self.list("episode.soundbites", records) {
            let start = self.moment(&format!("{field}.start"), record.start);
            let duration = self.moment(&format!("{field}.duration"), record.duration);
            let title = self.name(&format!("{field}.title"), record.title);
            if let (Some(start), Some(duration)) = (start, duration) {
                found.push(Soundbite { start, duration, title });
            }
        }
        found
    }

    fn participants(
        &mut self,
        records: Option<Vec<ParticipantRecord>>,
        base: &Url,
    ) -> Vec<Participant> {
        let mut found = Vec::new();
        for (field, record) in self.list("episode.persons", records) {
            let name = self.name(&format!("{field}.name"), record.name);
            if name.is_empty() {
                self.fault(format!("{field}.name"), "missing; give the name of the person");
                continue;
            }
            found.push(Participant {
                name,
                role: self.name(&format!("{field}.role"), record.role),
                group: self.name(&format!("{field}.group"), record.group),
                image: self.url(&format!("{field}.image"), record.image, base),
                url: self.url(&format!("{field}.url"), record.url, base),
            });
        }
        found
    }

    fn location(&mut self, record: LocationRecord) -> Option<Location> {
        let LocationRecord { name, geo, osm } = record;
        let name = self.name("episode.location.name", name);
        let geo = self.name("episode.location.geo", geo);
        let osm = self.name("episode.location.osm", osm);
        if name.is_empty() {
            self.fault("episode.location.name", "missing; give the name of the place");
        }
        if !geo.is_empty() && !geo.as_str().starts_with("geo:") {
            self.fault("episode.location.geo", "write for example `geo:39.9042,116.4074`");
        }
        (!name.is_empty()).then_some(Location { name, geo, osm })
    }

    fn alternate_enclosures(
        &mut self,
        records: Option<Vec<AlternateEnclosureRecord>>,
        base: &Url,
    ) -> Vec<AlternateEnclosure> {
        let mut found = Vec::new();
        for (field, record) in self.list("episode.alternate_enclosures", records) {
            let mime_type = self.required_media_type(&field, record.mime_type.as_deref());
            let first = self.required_url(&field, record.url, base);
            let mirrors = self.list(&format!("{field}.mirrors"), record.mirrors);
            let mirrors: Vec<_> =
                mirrors.filter_map(|(field, url)| self.url(&field, Some(url), base)).collect();
            let title = self.name(&format!("{field}.title"), record.title);
            let language = self.language(&format!("{field}.language"), record.language.as_deref());
            let integrity = self.name(&format!("{field}.integrity"), record.integrity);
            if let (Some(first), Some(mime_type)) = (first, mime_type) {
                found.push(AlternateEnclosure {
                    sources: [first].into_iter().chain(mirrors).collect(),
                    mime_type,
                    title,
                    bytes: record.size_in_bytes.filter(|bytes| *bytes > 0),
                    bitrate: record.bitrate.filter(|bitrate| *bitrate > 0),
                    height: record.height.filter(|height| *height > 0),
                    language,
                    integrity,
                });
            }
        }
        found
    }
}

/// Seconds as a moment; `None` for what is none, or more than a year.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked, and rounded")]
fn moment(seconds: f64) -> Option<Moment> {
    (0.0..=31_536_000.0).contains(&seconds).then(|| Moment((seconds * 1_000.0).round() as u64))
}

/// `1:02:03`, `62:03` or `3723`, in seconds (P-7).
pub(crate) fn from_clock(clock: &str) -> Option<u64> {
    let mut parts = clock.trim().split(':').map(|part| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u64>().ok().filter(|_| is_number && part.len() <= 8)
    });
    let first = parts.next()??;
    let (seconds, count) = parts.try_fold((first, 1), |(sum, count), part| {
        part.filter(|part| *part < 60).map(|part| (sum * 60 + part, count + 1))
    })?;
    (count <= 3).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_in_its_usual_forms() {
        for (clock, seconds) in [
            ("1832", Some(1_832)),
            ("30:32", Some(1_832)),
            ("1:02:03", Some(3_723)),
            ("00:00:01", Some(1)),
            ("1:60", None),
            ("1:2:3:4", None),
            ("1.5", None),
            ("", None),
            ("-1", None),
            ("999999999999", None),
        ] {
            assert_eq!(from_clock(clock), seconds, "{clock}");
        }
    }
}
