//! How a cache is told what is stale: a request with places in it.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Method};
use url::Url;

use crate::{
    edge::template::{Form, Secret, Template},
    fetch::{Reach, Refusal, Request},
};

/// So many at a time, where the request takes more than one: what the caches that were looked at take.
const USUAL_BATCH: usize = 100;

/// What is named to a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The keys of what has changed: whatever reads from it is found.
    Keys,
    /// The addresses of feeds that have changed.
    Addresses,
}

/// Why a request cannot be made of what is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It would say the same whatever is stale.
    #[error("nothing in it says what is stale; put for example `{{keys_json}}` into its body")]
    Constant,
    /// It names two things.
    #[error(
        "it names keys and addresses; write one request with keys alone, or with addresses alone"
    )]
    Mixed,
    /// It names one at a time, and says that it takes several.
    #[error("`{{key}}`, `{{url}}` and `{{path}}` stand for one thing; leave out `batch`")]
    Single,
    /// A place that the address goes through would learn it.
    #[error("a secret has no place in an address; send it in a header")]
    OpenSecret,
    /// It leads nowhere.
    #[error("it is not an address once it is filled")]
    Address,
    /// It is never asked.
    #[error("such an address is not asked")]
    Refused(#[source] Refusal),
}

/// A request that tells a cache what is stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    method: Method,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Template,
    batch: usize,
    subject: Subject,
}

impl Hook {
    /// One of its parts, which have to agree. `batch` is how many things one request names at most; left out, one or 100.
    pub fn new(
        method: Method,
        url: Template,
        headers: Vec<(HeaderName, Template)>,
        body: Template,
        batch: Option<usize>,
    ) -> Result<Self, HookError> {
        let others = headers.iter().map(|(_, value)| value).chain([&body]);
        let forms: Vec<Form> = [&url].into_iter().chain(others).flat_map(Template::forms).collect();
        let first = forms.first().ok_or(HookError::Constant)?;
        if forms.iter().any(|form| form.is_key() != first.is_key()) {
            return Err(HookError::Mixed);
        }
        let is_single = forms.iter().any(|form| form.is_single());
        if is_single && batch.is_some_and(|batch| batch != 1) {
            return Err(HookError::Single);
        }
        if url.secrets().next().is_some() {
            return Err(HookError::OpenSecret);
        }
        let subject = if first.is_key() { Subject::Keys } else { Subject::Addresses };
        let batch = batch.unwrap_or(if is_single { 1 } else { USUAL_BATCH });
        let hook = Self { method, url, headers, body, batch, subject };
        let sample = hook.url(&["https://example.com/a".to_owned()]).ok_or(HookError::Address)?;
        Reach::Anywhere.check(&sample).map_err(HookError::Refused)?;
        Ok(hook)
    }

    /// What it names.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// How many things it names at a time, at most.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Where what it keeps to itself is found.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let headers = self.headers.iter().map(|(_, value)| value);
        headers.chain([&self.body]).flat_map(Template::secrets)
    }

    /// The request for what is stale; `None` where a secret or a key fits into no header, or the address leads nowhere.
    pub(super) fn request(
        &self,
        stale: &[String],
        secrets: &BTreeMap<Secret, String>,
    ) -> Option<Request> {
        let secret = |name: &Secret| secrets.get(name).map_or("", String::as_str);
        let mut request = Request::new(self.method.clone(), self.url(stale)?);
        for (name, template) in &self.headers {
            let mut value = HeaderValue::try_from(template.fill(stale, false, secret)).ok()?;
            value.set_sensitive(template.secrets().next().is_some());
            request.headers.append(name, value);
        }
        request.body = self.body.fill(stale, false, secret).into();
        Some(request)
    }

    fn url(&self, stale: &[String]) -> Option<Url> {
        Url::parse(&self.url.fill(stale, true, |_| "")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(url: &str, header: &str, body: &str, batch: Option<usize>) -> Result<Hook, HookError> {
        let parse = |text| Template::parse(text).unwrap();
        let headers = vec![(HeaderName::from_static("x-keys"), parse(header))];
        Hook::new(Method::POST, parse(url), headers, parse(body), batch)
    }

    #[test]
    fn the_parts_of_a_hook_agree() {
        let here = "http://127.0.0.1:6081/";
        for (url, header, body, batch, expected) in [
            (here, "{keys_spaces}", "", None, Ok((Subject::Keys, 100))),
            (here, "{keys_spaces}", "", Some(256), Ok((Subject::Keys, 256))),
            (here, "", "{urls_json}", None, Ok((Subject::Addresses, 100))),
            ("{url}", "", "", None, Ok((Subject::Addresses, 1))),
            ("http://a/{key}", "", "", Some(1), Ok((Subject::Keys, 1))),
            ("http://a/{key}", "", "", Some(2), Err(HookError::Single)),
            (here, "x", "y", None, Err(HookError::Constant)),
            (here, "{keys_spaces}", "{urls_json}", None, Err(HookError::Mixed)),
            ("http://a/{env:KEY}", "{key}", "", None, Err(HookError::OpenSecret)),
            ("a/{key}", "", "", None, Err(HookError::Address)),
            ("ftp://a/{key}", "", "", None, Err(HookError::Refused(Refusal::Scheme("ftp".into())))),
            ("http://a:b@c/{key}", "", "", None, Err(HookError::Refused(Refusal::Credentials))),
        ] {
            let made = hook(url, header, body, batch).map(|hook| (hook.subject(), hook.batch()));
            assert_eq!(made, expected, "{url} {header} {body}");
        }
    }

    #[test]
    fn a_secret_is_seen_by_its_server_alone() {
        let hook = hook("http://127.0.0.1/", "{env:KEY}", "{keys_json}", None).unwrap();
        assert!(!format!("{hook:?}").contains("hidden"));
        let secrets = [(Secret::Variable("KEY".to_owned()), "hidden".to_owned())];
        let request = hook.request(&["a".to_owned()], &secrets.into()).unwrap();
        assert_eq!(request.headers["x-keys"], "hidden");
        assert_eq!(request.body, r#"["a"]"#);
        assert!(!format!("{request:?}").contains("hidden"), "{request:?}");
        let broken = [(Secret::Variable("KEY".to_owned()), "a\nb".to_owned())];
        assert!(hook.request(&["a".to_owned()], &broken.into()).is_none());
    }
}
