//! A request without its body, its fields looked through once: for a handful of them that costs less than to search for each.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{self, GetAll},
};

const A_IM: HeaderName = HeaderName::from_static("a-im");

/// What an answer depends on.
pub(super) struct Head<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) version: Version,
    /// All of them.
    pub(super) fields: &'a HeaderMap,
    /// Of all fields, names and values together, in bytes.
    pub(super) size: usize,
    /// Whether there is `If-Match` or `If-Unmodified-Since`.
    pub(super) has_guards: bool,
    pub(super) host: Lines<'a>,
    pub(super) user_agent: Lines<'a>,
    pub(super) accept_encoding: Lines<'a>,
    pub(super) if_none_match: Lines<'a>,
    pub(super) if_modified_since: Lines<'a>,
    pub(super) a_im: Lines<'a>,
}

impl<'a> Head<'a> {
    pub(super) fn of<B>(request: &'a Request<B>) -> Self {
        Self::new(request.method(), request.uri(), request.version(), request.headers())
    }

    fn new(method: &'a Method, uri: &'a Uri, version: Version, fields: &'a HeaderMap) -> Self {
        let mut head = Self {
            method,
            uri,
            version,
            fields,
            size: 0,
            has_guards: false,
            host: Lines::None,
            user_agent: Lines::None,
            accept_encoding: Lines::None,
            if_none_match: Lines::None,
            if_modified_since: Lines::None,
            a_im: Lines::None,
        };
        for (name, value) in fields {
            head.size += name.as_str().len() + value.len();
            let lines = match *name {
                header::HOST => &mut head.host,
                header::USER_AGENT => &mut head.user_agent,
                header::ACCEPT_ENCODING => &mut head.accept_encoding,
                header::IF_NONE_MATCH => &mut head.if_none_match,
                header::IF_MODIFIED_SINCE => &mut head.if_modified_since,
                header::IF_MATCH | header::IF_UNMODIFIED_SINCE => {
                    head.has_guards = true;
                    continue;
                }
                _ if *name == A_IM => &mut head.a_im,
                _ => continue,
            };
            *lines = match lines {
                Lines::None => Lines::One(value),
                Lines::One(_) | Lines::Several(_) => Lines::Several(fields.get_all(name)),
            };
        }
        head
    }

    /// Whether anything has to be compared before it is answered, RFC 9110 section 13.1.
    pub(super) fn has_preconditions(&self) -> bool {
        self.has_guards || self.is_conditional()
    }

    /// Whether it names what the client has.
    pub(super) fn is_conditional(&self) -> bool {
        self.if_none_match.is_there() || self.if_modified_since.is_there()
    }
}

/// The lines of a field.
pub(super) enum Lines<'a> {
    None,
    One(&'a HeaderValue),
    Several(GetAll<'a, HeaderValue>),
}

impl<'a> Lines<'a> {
    /// Those of one that hardly any request has.
    pub(super) fn of(fields: &'a HeaderMap, name: HeaderName) -> Self {
        let all = fields.get_all(name);
        if all.iter().next().is_some() { Self::Several(all) } else { Self::None }
    }

    pub(super) fn is_there(&self) -> bool {
        !matches!(self, Self::None)
    }

    pub(super) fn first(&self) -> Option<&'a HeaderValue> {
        self.iter().next()
    }

    /// The one line, if there are not several.
    pub(super) fn only(&self) -> Option<&'a HeaderValue> {
        let mut lines = self.iter();
        lines.next().filter(|_| lines.next().is_none())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a HeaderValue> + use<'a> {
        let (one, several) = match self {
            Self::None => (None, None),
            Self::One(value) => (Some(*value), None),
            Self::Several(all) => (None, Some(all.iter())),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_finds_what_a_search_finds() {
        let mut request = Request::new(());
        let lines = [
            ("host", "a"),
            ("a-im", "feed"),
            ("if-none-match", "\"1\""),
            ("accept", "*/*"),
            ("if-none-match", "\"2\", \"3\""),
        ];
        for (name, value) in lines {
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        let head = Head::of(&request);
        let texts = |lines: &Lines<'_>| -> Vec<String> {
            lines.iter().map(|line| line.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(texts(&head.host), ["a"]);
        assert_eq!(texts(&head.a_im), ["feed"]);
        assert_eq!(texts(&head.if_none_match), ["\"1\"", "\"2\", \"3\""]);
        assert_eq!(texts(&head.user_agent), [""; 0]);
        let sizes = lines.iter().map(|(name, value)| name.len() + value.len());
        assert_eq!(head.size, sizes.sum::<usize>());
        assert_eq!(head.host.only().unwrap(), "a");
        assert_eq!((head.if_none_match.only(), head.accept_encoding.only()), (None, None));
        assert!(head.is_conditional() && head.has_preconditions() && !head.has_guards);
        assert!(Lines::of(request.headers(), header::ACCEPT).is_there());
        assert!(!Lines::of(request.headers(), header::IF_MATCH).is_there());
    }
}
