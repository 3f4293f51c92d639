//! What a token is good for.

use std::{collections::BTreeSet, fmt, str::FromStr};

use chrono::{DateTime, Utc};

use crate::{
    article::Story,
    category::Slug,
    partner::opened,
    store::{Grant, State, Stored, reaches},
};

/// One thing that may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See what is stored.
    Read,
    /// Hand articles in.
    Write,
    /// Take articles and files back, and publish again what was taken back.
    Withdraw,
    /// Hand in pictures and other files.
    Media,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Withdraw, Self::Media];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Withdraw => "withdraw",
            Self::Media => "media",
        }
    }
}

/// No scope has this name.
#[derive(Debug, thiserror::Error)]
#[error("there is no scope `{0}`; there are `read`, `write`, `withdraw` and `media`")]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.into_iter().find(|scope| scope.name() == name);
        known.ok_or_else(|| UnknownScope(name.to_owned()))
    }
}

/// What somebody may do, and to which articles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// These things.
    pub may: BTreeSet<Scope>,
    /// To articles that have one of these categories, and no other; `None`: to all.
    pub within: Option<BTreeSet<Slug>>,
}

/// How a category is told from a scope where they are stored.
const CATEGORY: &str = "category:";

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes = self.may.iter().map(|scope| scope.name().to_owned());
        let within = self.within.iter().flatten().map(|slug| format!("{CATEGORY}{slug}"));
        f.write_str(&scopes.chain(within).collect::<Vec<_>>().join(" "))
    }
}

impl Scopes {
    /// What [`fmt::Display`] wrote. What a newer program wrote and this one does not know, nobody may do.
    pub fn stored(text: &str) -> Self {
        let mut scopes = Self::default();
        for word in text.split(' ') {
            if let Some(slug) = word.strip_prefix(CATEGORY) {
                scopes.within.get_or_insert_default().extend(slug.parse::<Slug>().ok());
            } else {
                scopes.may.extend(word.parse::<Scope>().ok());
            }
        }
        scopes
    }
}

/// Somebody who has been let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// To whom the token was given.
    pub name: Slug,
    /// What they may do.
    pub scopes: Scopes,
}

impl Pass {
    /// Who shows this secret, if it is good.
    pub fn of(grants: &[Grant], secret: &str, now: DateTime<Utc>) -> Option<Self> {
        let grant = opened(grants, secret, now, |grant| (&grant.digest, grant.ends))?;
        Some(Self { name: grant.name.clone(), scopes: Scopes::stored(&grant.scopes) })
    }

    /// Whether they may know of an article. What a withdrawn one was filed under, nobody knows any more.
    pub fn sees(&self, stored: &Stored) -> bool {
        self.scopes.within.is_none()
            || stored.state != State::Withdrawn && self.reaches(&stored.story)
    }

    /// Whether what an article says is theirs to say.
    pub fn reaches(&self, story: &Story) -> bool {
        self.scopes.within.as_ref().is_none_or(|within| reaches(within, story))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_written_down_and_read_again() {
        let sport: Slug = "sport".parse().unwrap();
        let scopes = Scopes {
            may: [Scope::Withdraw, Scope::Read].into(),
            within: Some([sport.clone()].into()),
        };
        assert_eq!(scopes.to_string(), "read withdraw category:sport");
        assert_eq!(Scopes::stored(&scopes.to_string()), scopes);
        // A scope or a category that is not known widens nothing.
        let narrow = Scopes::stored("read burn category:");
        assert_eq!(narrow, Scopes { may: [Scope::Read].into(), within: Some(BTreeSet::new()) });
    }
}
