//! What is answered: a status, fields, a text; and every error with its status, in one place.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    article::Revision,
    import::Fault,
    push::scope::Scope,
    store::{Refused, StoreError},
};

/// An answer. The text of one can be kept, and sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// As in HTTP.
    pub status: u16,
    /// Names in lower case, with their values.
    pub fields: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Reply {
    /// With a body of this type.
    pub fn new(status: StatusCode, media_type: &str, body: String) -> Self {
        Self { status: status.as_u16(), fields: Vec::new(), body }
            .with(&header::CONTENT_TYPE, media_type)
    }

    /// With a body of JSON.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_string(body).expect("text keys and numbers");
        Self::new(status, "application/json", body)
    }

    /// Without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status: status.as_u16(), ..Self::default() }
    }

    /// With one field more.
    #[must_use]
    pub fn with(mut self, name: &HeaderName, value: impl Into<String>) -> Self {
        self.fields.push((name.as_str().to_owned(), value.into()));
        self
    }

    /// With the tag of an article in the state that a write gave it.
    #[must_use]
    pub fn tagged(self, revision: Option<Revision>) -> Self {
        match revision {
            Some(revision) => self.with(&header::ETAG, tag(revision)),
            None => self,
        }
    }

    /// What a field of it says.
    pub fn field(&self, name: &HeaderName) -> Option<&str> {
        let known = self.fields.iter().find(|(known, _)| known == name.as_str());
        known.map(|(_, value)| value.as_str())
    }

    /// To be kept.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("text and a number")
    }

    /// What was kept; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Its fields; one that HTTP cannot carry is left out.
    pub fn header(&self) -> HeaderMap {
        let field = |(name, value): &(String, String)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
        };
        self.fields.iter().filter_map(field).collect()
    }
}

/// The entity tag of an article in the state that a write gave it.
pub fn tag(revision: Revision) -> String {
    format!("\"r{revision}\"")
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not as it should be; in a sentence.
    Malformed(String),
    /// Nobody who is let in.
    Stranger,
    /// The token is not good for this.
    Scope(Scope),
    /// The token is for articles of some categories, and this is none of them.
    Category,
    /// A page of another site makes a browser send it.
    OtherSite,
    /// There is no article, or no file.
    Unknown,
    /// The article was withdrawn by this write.
    Gone(Revision),
    /// Other methods can be used here.
    Method(&'static str),
    /// The body did not come in time.
    Slow,
    /// The store has something that this would contradict; in a sentence.
    Conflict(String),
    /// The article is in another state than the precondition asks for; in none, when there is no article.
    Precondition(Option<Revision>),
    /// The body is larger than so many bytes.
    Large(u64),
    /// The body is of another type than these.
    MediaType(&'static str),
    /// A record cannot be taken.
    Record(Vec<FieldError>),
    /// The key of this request belongs to another one.
    KeyTaken,
    /// A request with this key is being worked on.
    KeyBusy,
    /// Too many requests; come again after so many seconds.
    TooOften(u64),
    /// As many requests as there can be are being worked on.
    Busy,
    /// The store cannot be reached.
    Unavailable,
    /// Our fault.
    Internal,
}

/// A mistake in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// As in the record: `images[2].url`; empty when the record is not one.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl From<Fault> for FieldError {
    fn from(Fault { field, problem }: Fault) -> Self {
        Self { field, problem }
    }
}

/// RFC 9457.
#[derive(Serialize, JsonSchema)]
pub struct ProblemBody {
    r#type: String,
    title: String,
    /// As in the answer.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    /// The write that gave the article the state it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// What is wrong with a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
}

impl Problem {
    /// What a refusal of the store is.
    pub fn of(refused: &Refused, revision: Option<Revision>) -> Self {
        match refused {
            Refused::Precondition => Self::Precondition(revision),
            Refused::Retired => Self::Conflict(
                "The article was withdrawn and stays so; `?republish=true` publishes it again."
                    .to_owned(),
            ),
            // Which article it is may be none of the token's business.
            Refused::GuidTaken { .. } => Self::Conflict(
                "The guid belongs to another article; give each article a guid of its own."
                    .to_owned(),
            ),
            Refused::GuidReserved => Self::Conflict(
                "The guid lies where identities are minted here, and is not that of this article; leave it out."
                    .to_owned(),
            ),
            Refused::OtherGuid { given, stored } => Self::Conflict(format!(
                "The article of this id has the guid `{stored}`, and the record has `{given}`: it is another article; \
                 give it another id, or leave out `guid` if it is the same article."
            )),
            Refused::KeyTaken => {
                Self::Conflict("The id belongs to another article; give it another id.".to_owned())
            }
            Refused::Unknown => Self::Unknown,
            Refused::OutOfScope => Self::Category,
            Refused::Forgotten => Self::Conflict(
                "What the article said is not kept any more; hand it in again.".to_owned(),
            ),
            Refused::Undone => Self::Conflict(
                "Another record was refused, and all or none were asked for.".to_owned(),
            ),
        }
    }

    /// As in HTTP.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Stranger => StatusCode::UNAUTHORIZED,
            Self::Scope(_) | Self::Category | Self::OtherSite => StatusCode::FORBIDDEN,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Gone(_) => StatusCode::GONE,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict(_) | Self::KeyBusy => StatusCode::CONFLICT,
            Self::Precondition(_) => StatusCode::PRECONDITION_FAILED,
            Self::Large(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Record(_) | Self::KeyTaken => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// For people.
    pub fn detail(&self) -> String {
        match self {
            Self::Malformed(why) | Self::Conflict(why) => why.clone(),
            Self::Stranger => {
                "Show a token that `courant token create` made, as a bearer token.".to_owned()
            }
            Self::Scope(scope) => format!("This token is not good for `{}`.", scope.name()),
            Self::Category => {
                "This token is for articles of some categories, and this is none of them."
                    .to_owned()
            }
            Self::OtherSite => {
                "A page of another site cannot push; send it from a program, without `Origin`."
                    .to_owned()
            }
            Self::Unknown => "Nothing is here.".to_owned(),
            Self::Gone(_) => "The article was withdrawn.".to_owned(),
            Self::Method(allow) => format!("What can be done here: {allow}."),
            Self::Slow => "The body took too long.".to_owned(),
            Self::Precondition(Some(revision)) => format!(
                "The article is at revision {revision}; look at it, and try again with `If-Match: {}`.",
                tag(*revision)
            ),
            Self::Precondition(None) => "There is no such article.".to_owned(),
            Self::Large(most) => format!("A body may have {most} bytes; send less at a time."),
            Self::MediaType(types) => format!("The body is of another type than these: {types}."),
            Self::Record(_) => "The record is refused; `errors` says why.".to_owned(),
            Self::KeyTaken => {
                "This `Idempotency-Key` was used for another request; make up a new one.".to_owned()
            }
            Self::KeyBusy => {
                "A request with this `Idempotency-Key` is being worked on; try again in a while."
                    .to_owned()
            }
            Self::TooOften(_) => "Too many requests.".to_owned(),
            Self::Busy => "Too many requests are being worked on.".to_owned(),
            Self::Unavailable => "The articles cannot be written at the moment.".to_owned(),
            Self::Internal => "It cannot be done; the log says why.".to_owned(),
        }
    }

    /// The fields that its status asks for.
    pub fn fields(&self) -> Vec<(HeaderName, String)> {
        match self {
            // Clients that know nothing but passwords show the token as one. A field each: some read the first scheme only.
            Self::Stranger => {
                let schemes = ["Bearer realm=\"articles\"", "Basic realm=\"articles\""];
                schemes.map(|scheme| (header::WWW_AUTHENTICATE, scheme.to_owned())).into()
            }
            Self::Scope(scope) => {
                // RFC 6750 section 3.
                let name = scope.name();
                let challenge = format!(
                    "Bearer realm=\"articles\", error=\"insufficient_scope\", scope=\"{name}\""
                );
                vec![(header::WWW_AUTHENTICATE, challenge)]
            }
            Self::Method(allow) => vec![(header::ALLOW, (*allow).to_owned())],
            Self::Precondition(Some(revision)) => {
                vec![(header::ETAG, tag(*revision))]
            }
            Self::TooOften(seconds) => vec![(header::RETRY_AFTER, seconds.to_string())],
            Self::KeyBusy | Self::Busy => vec![(header::RETRY_AFTER, "1".to_owned())],
            Self::Unavailable => vec![(header::RETRY_AFTER, "30".to_owned())],
            // The rest of the body is not read.
            Self::Large(_) | Self::Slow => vec![(header::CONNECTION, "close".to_owned())],
            _ => Vec::new(),
        }
    }

    /// The answer.
    pub fn reply(&self) -> Reply {
        let status = self.status();
        let body = ProblemBody {
            r#type: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: self.detail(),
            revision: match self {
                Self::Precondition(revision) => revision.map(|revision| revision.0),
                Self::Gone(revision) => Some(revision.0),
                _ => None,
            },
            errors: match self {
                Self::Record(errors) => Some(errors.clone()),
                _ => None,
            },
        };
        let body = serde_json::to_string(&body).expect("text and numbers");
        let reply = Reply::new(status, "application/problem+json", body);
        self.fields().into_iter().fold(reply, |reply, (name, value)| reply.with(&name, value))
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Open { .. }
            | StoreError::Failed(_)
            | StoreError::Unknown(_)
            | StoreError::Replaced(_)
            | StoreError::Closing => Self::Unavailable,
            StoreError::Newer { .. }
            | StoreError::Older { .. }
            | StoreError::Part(_)
            | StoreError::Foreign(_)
            | StoreError::ReadOnly
            | StoreError::Article { .. } => Self::Internal,
        }
    }
}
