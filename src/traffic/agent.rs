//! What a `User-Agent` says: which program asks, and for how many subscribers (H-134).

use memchr::memmem::Finder;

/// Longest name of a program, in bytes; longer ones are cut.
pub(super) const MAX_NAME: usize = 24;
/// More digits than a name has, and fewer than any address.
const MAX_DIGITS: usize = 3;
/// `1 subscriber`, in bytes.
const LEAST: usize = 12;
/// More than anybody has; larger numbers are made up.
const MAX_SUBSCRIBERS: u32 = 100_000_000;

/// What a byte is to a name: 0 ends it, 1 is a part, 2 is a digit.
const PARTS: [u8; 256] = {
    let mut parts = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let is_part = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        parts[byte as usize] = is_part as u8 + byte.is_ascii_digit() as u8;
        byte += 1;
    }
    parts
};

/// The name of a program, in printable ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// The first word of a `User-Agent` up to its version. A crawler that calls itself a browser has its own name in
    /// brackets (`Mozilla/5.0 (compatible; inoreader.com; …)`). `None` for what is no name: a name has few digits, so
    /// that it can be no address, and no `@`.
    pub(super) fn of(agent: &'a [u8]) -> Option<Self> {
        const COMPATIBLE: &[u8] = b"Mozilla/5.0 (compatible; ";
        let agent = agent.strip_prefix(COMPATIBLE).unwrap_or(agent);
        let (mut length, mut digits) = (0, 0);
        for byte in agent.iter().take(MAX_NAME) {
            match PARTS[usize::from(*byte)] {
                0 => break,
                part => digits += usize::from(part - 1),
            }
            length += 1;
        }
        let is_name = agent.first().is_some_and(u8::is_ascii_alphabetic)
            && digits <= MAX_DIGITS
            && agent.get(length) != Some(&b'@');
        is_name.then_some(Self(&agent[..length]))
    }

    pub(super) fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

/// What a hosted reader announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announcement<'a> {
    /// How many people read the feed there.
    pub(super) subscribers: u32,
    /// Which of its groups of readers this is; empty when it has one alone.
    pub(super) feed_id: &'a [u8],
}

/// Finds announcements; made once, as the search is prepared.
#[derive(Debug)]
pub(super) struct Announcements {
    word: Finder<'static>,
}

impl Default for Announcements {
    fn default() -> Self {
        Self { word: Finder::new(b" subscriber") }
    }
}

impl Announcements {
    /// `12 subscribers`, and `feed-id=…` wherever it stands.
    pub(super) fn of<'a>(&self, agent: &'a [u8]) -> Option<Announcement<'a>> {
        if agent.len() < LEAST {
            return None;
        }
        let end = self.word.find(agent)?;
        let digits = agent[..end].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&agent[end - digits..end]).ok()?;
        let subscribers = number.parse().ok().filter(|number| *number <= MAX_SUBSCRIBERS)?;
        Some(Announcement { subscribers, feed_id: feed_id(agent) })
    }
}

/// `feed-id=1`, `feed-id:1`, `feedid: 1`; and of a reader that says it in an address only, `newsblur.com/site/1`.
fn feed_id(agent: &[u8]) -> &[u8] {
    let agent_text = std::str::from_utf8(agent).unwrap_or_default();
    let lower = agent_text.to_ascii_lowercase();
    let begin = ["feed-id", "feedid"].iter().find_map(|key| {
        let after = lower.find(key)? + key.len();
        let rest = lower[after..].strip_prefix(['=', ':'])?;
        Some(lower.len() - rest.trim_start().len())
    });
    let begin = begin.or_else(|| Some(lower.find("newsblur.com/site/")? + 18));
    let Some(begin) = begin else { return &[] };
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let length = agent[begin..].iter().take(64).take_while(is_part).count();
    &agent[begin..begin + length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_name_and_by_nothing_personal() {
        for (agent, name) in [
            ("NetNewsWire (RSS Reader; https://netnewswire.com/)", "NetNewsWire"),
            ("FreshRSS/1.24.1 (Linux; https://freshrss.org)", "FreshRSS"),
            ("Mozilla/5.0 (compatible; inoreader.com; 2 subscribers)", "inoreader.com"),
            ("Mozilla/5.0 (compatible; Miniflux/2.1.0; +https://miniflux.app)", "Miniflux"),
            ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "Mozilla"),
            ("Feedfetcher-Google; (+http://www.google.com/feedfetcher.html)", "Feedfetcher-Google"),
            ("curl/8.5.0", "curl"),
            ("python-requests", "python-requests"),
            ("feed4j", "feed4j"),
            ("john@example.com reader", ""),
            ("192.0.2.1", ""),
            ("v192.0.2.1", ""),
            ("client-192-0-2-1", ""),
            ("2001:db8::1", ""),
            ("头条", ""),
            ("", ""),
            ("A-name-that-does-not-end-before-twenty-four", "A-name-that-does-not-end"),
        ] {
            let found = Name::of(agent.as_bytes()).map_or(&[][..], Name::as_bytes);
            assert_eq!(String::from_utf8_lossy(found), name, "{agent}");
        }
    }

    #[test]
    fn hosted_readers_say_for_how_many_they_ask() {
        let announcements = Announcements::default();
        for (agent, subscribers, feed_id) in [
            ("NewsBlur Feed Fetcher - 59 subscribers - http://www.newsblur.com/site/6/x", 59, "6"),
            ("Feedbin feed-id:1373711 - 142 subscribers", 142, "1373711"),
            ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 16 subscribers; )", 16, ""),
            ("Feedfetcher-Google; (+http://x; 1 subscriber; feed-id=10139523)", 1, "10139523"),
            ("Netvibes (http://www.netvibes.com/; 5 subscribers; feedId: 123456)", 5, "123456"),
            ("Reader (0 subscribers)", 0, ""),
        ] {
            let found = announcements.of(agent.as_bytes());
            let expected = Announcement { subscribers, feed_id: feed_id.as_bytes() };
            assert_eq!(found, Some(expected), "{agent}: H-134");
        }
        for agent in
            ["curl/8", "many subscribers", "999999999999 subscribers", " subscribers", "subscriber"]
        {
            assert_eq!(announcements.of(agent.as_bytes()), None, "{agent}");
        }
    }
}
