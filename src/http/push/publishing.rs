//! `AtomPub` and Micropub: articles and files as the clients of these protocols send them.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{
    Asked, Inbox, failed,
    json::{apart, first, unless_known},
};
use crate::{
    article::{ArticleId, Cursor, Revision},
    category::Slug,
    media::{Intake, Kept},
    push::{Problem, Reply, Route, Scope, articles, atom, condition, form, micropub, record},
    store::{Fate, Operation, Precondition, Refused, State, Stored, Task, Versions},
};

/// Articles on a page of a collection.
const PAGE: u16 = 20;
/// How often an article that somebody else changes at the same time is looked at again.
const MAX_TRIES: usize = 4;
/// Names that are tried for a new article: `opening`, `opening-2`, …
const MAX_NAMES: usize = 20;

impl Inbox {
    pub(super) async fn atom(
        &self,
        asked: &Asked<'_>,
        route: Route,
        body: Bytes,
    ) -> Result<Reply, Problem> {
        let method = asked.method;
        match route {
            Route::AtomService => {
                asked.require(Scope::Read)?;
                let takes_files = self.media.is_some();
                let text = atom::service(&self.catalogue, &self.rules, takes_files);
                Ok(Reply::new(StatusCode::OK, atom::SERVICE, text))
            }
            Route::AtomArticles if *method == Method::POST => self.atom_create(asked, body).await,
            Route::AtomArticles => self.atom_list(asked).await,
            Route::AtomArticle(id) if *method == Method::PUT => {
                self.atom_put(asked, id, body).await
            }
            Route::AtomArticle(id) if *method == Method::DELETE => {
                asked.require(Scope::Withdraw)?;
                self.withdraw(asked, id, false, &body).await
            }
            Route::AtomArticle(id) => {
                asked.require(Scope::Read)?;
                let precondition = condition::precondition(asked.fields)?;
                let stored = self.visible(asked, &id).await?;
                Ok(unless_known(&precondition, &stored, self.entry(&stored, StatusCode::OK)))
            }
            Route::AtomMedia if *method == Method::POST => {
                asked.require(Scope::Media)?;
                let wish = header_text(asked, "slug");
                let kept = self.keep(wish, asked.media_type(), body).await?;
                let address = self.rules.address("atompub/media/", &kept.name);
                let text = atom::media_entry(&self.rules, &file(kept));
                let reply = Reply::new(StatusCode::CREATED, atom::ENTRY, text);
                Ok(reply
                    .with(&header::LOCATION, address.as_str())
                    .with(&header::CONTENT_LOCATION, address))
            }
            Route::AtomMedia => {
                asked.require(Scope::Read)?;
                let media = self.media.clone().ok_or(Problem::Unknown)?;
                let files = apart(move || media.list()).await?.map_err(|error| lost(&error))?;
                let files: Vec<_> = files.into_iter().map(file).collect();
                Ok(Reply::new(StatusCode::OK, atom::FEED, atom::files(&self.rules, &files)))
            }
            Route::AtomFile(name) if *method == Method::DELETE => {
                asked.require(Scope::Media)?;
                let media = self.media.clone().ok_or(Problem::Unknown)?;
                let was =
                    apart(move || media.remove(&name)).await?.map_err(|error| lost(&error))?;
                if was { Ok(Reply::empty(StatusCode::NO_CONTENT)) } else { Err(Problem::Unknown) }
            }
            Route::AtomFile(name) => {
                asked.require(Scope::Read)?;
                let kept = self.media.as_ref().and_then(|media| media.find(&name));
                let kept = kept.ok_or(Problem::Unknown)?;
                let text = atom::media_entry(&self.rules, &file(kept));
                Ok(Reply::new(StatusCode::OK, atom::ENTRY, text))
            }
            _ => Err(Problem::Unknown),
        }
    }

    async fn atom_list(&self, asked: &Asked<'_>) -> Result<Reply, Problem> {
        asked.require(Scope::Read)?;
        let mut before = None;
        for (name, value) in form::pairs(asked.query.as_bytes()) {
            if name == "before" {
                before = Some(place(&value).ok_or_else(|| {
                    Problem::Malformed("Follow the link `next` of the collection.".to_owned())
                })?);
            }
        }
        let own = match asked.query {
            "" => String::new(),
            query => format!("?{query}"),
        };
        let limit = std::num::NonZeroU16::new(PAGE).expect("20 is not zero");
        let page = self.store.inventory(before, limit).await.map_err(|error| failed(&error))?;
        let last = page.last().filter(|_| page.len() == usize::from(PAGE));
        let next = last.map(|last| {
            let mut next = self.rules.address("atompub/articles", "");
            let place = format!("{}-{}", last.revision, last.id.segment());
            next.query_pairs_mut().append_pair("before", &place);
            next
        });
        let mut address = self.rules.address("atompub/articles", "");
        address.set_query(own.strip_prefix('?'));
        let page: Vec<_> = page.into_iter().filter(|stored| asked.pass.sees(stored)).collect();
        let text = atom::collection(&self.catalogue, &self.rules, &page, &address, next.as_ref());
        Ok(Reply::new(StatusCode::OK, atom::FEED, text))
    }

    fn entry(&self, stored: &Stored, status: StatusCode) -> Reply {
        let text = atom::entry(&self.catalogue, &self.rules, stored);
        Reply::new(status, atom::ENTRY, text).tagged(Some(stored.revision))
    }

    /// What is stored of an article that is not withdrawn, and that the token reaches.
    async fn visible(&self, asked: &Asked<'_>, id: &ArticleId) -> Result<Stored, Problem> {
        let stored = self.store.stored(id).await.map_err(|error| failed(&error))?;
        let stored = stored.ok_or(Problem::Unknown)?;
        if stored.state == State::Withdrawn {
            return Err(Problem::Gone(stored.revision));
        }
        if asked.pass.sees(&stored) { Ok(stored) } else { Err(Problem::Category) }
    }

    async fn atom_create(&self, asked: &Asked<'_>, body: Bytes) -> Result<Reply, Problem> {
        asked.require(Scope::Write)?;
        require_entry(asked)?;
        let entry = atom::read(&body)?;
        let record = atom::record(&self.catalogue, None, &Map::new(), &entry);
        let wish = header_text(asked, "slug").or_else(|| entry.title().map(str::to_owned));
        let wish = wish.and_then(|wish| Slug::from_label(&wish).ok());
        let reply = self.create(asked, record, wish.as_ref(), "atompub/articles/", &body).await?;
        // The entry as it is now, whether it was made by this request or by the one before with its key.
        let location = reply.fields.iter().find(|(name, _)| name == header::LOCATION.as_str());
        let Some((_, location)) = location else { return Ok(reply) };
        let name = location.rsplit('/').next().unwrap_or_default();
        let id = percent_decode_str(name).decode_utf8().ok().and_then(|id| ArticleId::new(&id));
        let id = id.ok_or(Problem::Internal)?;
        match self.store.stored(&id).await.map_err(|error| failed(&error))? {
            Some(stored) if stored.state != State::Withdrawn => {
                let whole = self.entry(&stored, StatusCode::CREATED);
                Ok(whole
                    .with(&header::LOCATION, location.as_str())
                    .with(&header::CONTENT_LOCATION, location.as_str()))
            }
            _ => Ok(reply),
        }
    }

    async fn atom_put(
        &self,
        asked: &Asked<'_>,
        id: ArticleId,
        body: Bytes,
    ) -> Result<Reply, Problem> {
        asked.require(Scope::Write)?;
        require_entry(asked)?;
        let entry = atom::read(&body)?;
        let precondition = condition::precondition(asked.fields)?;
        let change = |stored: &Stored, old: &Map<String, Value>| {
            atom::record(&self.catalogue, Some(stored), old, &entry)
        };
        let reply = self.change(asked, &id, precondition, &body, change).await?;
        if reply.status >= 400 {
            return Ok(reply);
        }
        match self.visible(asked, &id).await {
            Ok(stored) => Ok(self.entry(&stored, StatusCode::OK)),
            // Somebody else was quick to take it back: it was done all the same.
            Err(_) => Ok(reply),
        }
    }

    async fn withdraw(
        &self,
        asked: &Asked<'_>,
        id: ArticleId,
        is_kept: bool,
        body: &[u8],
    ) -> Result<Reply, Problem> {
        let precondition = condition::precondition(asked.fields)?;
        let tasks = vec![Task { operation: Operation::Withdraw { id, is_kept }, precondition }];
        let answer = |effects: &_| {
            first(effects, |effect, _| match &effect.fate {
                Fate::Refused(refused) => Problem::of(refused, effect.revision).reply(),
                Fate::Taken(_) | Fate::Withdrawn | Fate::WithdrawnBefore => {
                    Reply::empty(StatusCode::NO_CONTENT)
                }
            })
        };
        self.push(asked, tasks, false, body, answer).await
    }

    /// A new article: under the name that was wished for, unless there is one already.
    async fn create(
        &self,
        asked: &Asked<'_>,
        record: Map<String, Value>,
        wish: Option<&Slug>,
        folder: &'static str,
        body: &[u8],
    ) -> Result<Reply, Problem> {
        // Without a wish: a name that nobody else has at this time.
        let time = asked.now.timestamp_nanos_opt().unwrap_or_default().to_le_bytes();
        let unique = condition::fingerprint(&[body, &time]).to_ascii_lowercase();
        let unique: String = unique.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let names = (1..=MAX_NAMES).filter_map(|nth| match (wish, nth) {
            (Some(wish), 1) => Some(wish.to_string()),
            (Some(wish), MAX_NAMES) => Some(format!("{wish}-{unique}")),
            (Some(wish), nth) => Some(format!("{wish}-{nth}")),
            (None, 1) => Some(unique.clone()),
            (None, _) => None,
        });
        let mut last = Problem::Conflict("Every name for it is taken.".to_owned());
        for name in names {
            let id = ArticleId::new(&name).ok_or(Problem::Internal)?;
            let mut record = record.clone();
            record.insert("id".to_owned(), id.as_str().into());
            let single = self.read(&id, record).await?;
            let precondition =
                Precondition { is_not: Some(Versions::Any), ..Precondition::default() };
            let operation = Operation::Put(Box::new(single.submission));
            let address = self.rules.address(folder, id.as_str());
            let answer = move |effects: &_| {
                first(effects, |effect, _| match &effect.fate {
                    Fate::Refused(Refused::Precondition | Refused::Retired) => Reply::default(),
                    Fate::Refused(refused) => Problem::of(refused, effect.revision).reply(),
                    Fate::Taken(_) | Fate::Withdrawn | Fate::WithdrawnBefore => {
                        micropub::created(address.as_str()).tagged(effect.revision)
                    }
                })
            };
            let tasks = vec![Task { operation, precondition }];
            let reply = self.push(asked, tasks, false, body, answer).await?;
            if reply.status != 0 {
                return Ok(reply);
            }
            last = Problem::Conflict(format!("There is an article `{id}` already."));
        }
        Err(last)
    }

    async fn read(
        &self,
        id: &ArticleId,
        record: Map<String, Value>,
    ) -> Result<articles::Single, Problem> {
        let (catalogue, id) = (Arc::clone(&self.catalogue), id.clone());
        apart(move || {
            let text = serde_json::to_vec(&record).expect("text keys");
            articles::single(&catalogue, &id, &text)
        })
        .await?
    }

    /// Changes a stored article. What is read is what is changed: when somebody else is faster, it is read again.
    async fn change(
        &self,
        asked: &Asked<'_>,
        id: &ArticleId,
        wanted: Precondition,
        body: &[u8],
        change: impl Fn(&Stored, &Map<String, Value>) -> Map<String, Value>,
    ) -> Result<Reply, Problem> {
        if let Some(reply) = self.answered(asked, body).await? {
            return Ok(reply);
        }
        for _ in 0..MAX_TRIES {
            let stored = self.visible(asked, id).await?;
            let old = record::record(&self.catalogue, &stored);
            let single = self.read(id, change(&stored, &old)).await?;
            let base = stored.revision;
            let is_own = wanted == Precondition::default();
            let precondition = if is_own {
                Precondition { is: Some(Versions::Of(vec![base])), is_not: None }
            } else {
                wanted.clone()
            };
            let operation = Operation::Put(Box::new(single.submission));
            let tasks = vec![Task { operation, precondition }];
            let answer = move |effects: &_| {
                first(effects, |effect, _| match &effect.fate {
                    Fate::Refused(Refused::Precondition) if is_own => Reply::default(),
                    Fate::Refused(refused) => Problem::of(refused, effect.revision).reply(),
                    Fate::Taken(_) | Fate::Withdrawn | Fate::WithdrawnBefore => {
                        Reply::empty(StatusCode::NO_CONTENT).tagged(effect.revision)
                    }
                })
            };
            let reply = self.push(asked, tasks, false, body, answer).await?;
            if reply.status != 0 {
                return Ok(reply);
            }
        }
        Err(Problem::Conflict("Others change the article all the time; try again.".to_owned()))
    }

    async fn keep(
        &self,
        wish: Option<String>,
        media_type: String,
        content: Bytes,
    ) -> Result<Kept, Problem> {
        const TAKEN: &str = "image/jpeg, image/png, image/gif, image/webp, image/avif, audio/*, video/*, application/pdf";
        let media = self.media.clone().ok_or(Problem::Unknown)?;
        if !Intake::takes(&media_type) {
            return Err(Problem::MediaType(TAKEN));
        }
        if content.is_empty() {
            return Err(Problem::Malformed("The file is empty.".to_owned()));
        }
        let wish = wish.unwrap_or_default();
        let kept = apart(move || media.keep(&wish, &media_type, &content)).await?;
        kept.map_err(|error| lost(&error))?.ok_or(Problem::MediaType(TAKEN))
    }

    pub(super) async fn micropub(&self, asked: &Asked<'_>, body: Bytes) -> Result<Reply, Problem> {
        if matches!(*asked.method, Method::GET | Method::HEAD) {
            return self.query(asked).await;
        }
        let media_type = asked.media_type();
        match micropub::read(&media_type, &body)? {
            micropub::Request::Create(properties) => {
                asked.require(Scope::Write)?;
                let record = micropub::record(&self.catalogue, &Map::new(), &properties);
                let wish = micropub::slug(&properties);
                self.create(asked, record, wish.as_ref(), "articles/", &body).await
            }
            micropub::Request::Update { url, changes } => {
                asked.require(Scope::Write)?;
                let id = self.named(&url)?;
                let precondition = condition::precondition(asked.fields)?;
                let change = |_: &Stored, old: &Map<String, Value>| {
                    let mut properties = micropub::properties(old);
                    changes.apply(&mut properties);
                    micropub::record(&self.catalogue, old, &properties)
                };
                self.change(asked, &id, precondition, &body, change).await
            }
            micropub::Request::Delete(url) => {
                asked.require(Scope::Withdraw)?;
                self.withdraw(asked, self.named(&url)?, true, &body).await
            }
            micropub::Request::Undelete(url) => {
                asked.require(Scope::Withdraw)?;
                let operation = Operation::Restore(self.named(&url)?);
                let tasks = vec![Task { operation, precondition: Precondition::default() }];
                let answer = |effects: &_| {
                    first(effects, |effect, _: Revision| match &effect.fate {
                        Fate::Refused(refused) => Problem::of(refused, effect.revision).reply(),
                        Fate::Taken(_) | Fate::Withdrawn | Fate::WithdrawnBefore => {
                            Reply::empty(StatusCode::NO_CONTENT)
                        }
                    })
                };
                self.push(asked, tasks, false, &body, answer).await
            }
        }
    }

    fn named(&self, url: &str) -> Result<ArticleId, Problem> {
        self.rules.article_at(url).ok_or_else(|| {
            let example = self.rules.address("articles/", "…");
            Problem::Malformed(format!("`url` is no address of an article here, as in {example}."))
        })
    }

    async fn query(&self, asked: &Asked<'_>) -> Result<Reply, Problem> {
        let (mut wanted, mut url, mut names) = (None, None, Vec::new());
        for (name, value) in form::pairs(asked.query.as_bytes()) {
            match name.as_ref() {
                "q" => wanted = Some(value.into_owned()),
                "url" => url = Some(value.into_owned()),
                "properties" | "properties[]" => names.push(value.into_owned()),
                _ => {}
            }
        }
        let media = self.media.as_ref().map(|_| self.rules.address("micropub/media", ""));
        let answer = match wanted.as_deref() {
            Some("config") => {
                micropub::config(&self.catalogue, media.as_ref().map(url::Url::as_str))
            }
            Some("syndicate-to") => json!({ "syndicate-to": [] }),
            Some("category") => json!({ "categories": micropub::categories(&self.catalogue) }),
            Some("source") => {
                asked.require(Scope::Read)?;
                let url = url.ok_or_else(|| {
                    Problem::Malformed("`url` says which post; it is missing.".to_owned())
                })?;
                let stored = self.visible(asked, &self.named(&url)?).await?;
                let record = record::record(&self.catalogue, &stored);
                micropub::source(micropub::properties(&record), &names)
            }
            _ => {
                let why = "`q` is one of config, source, syndicate-to and category.";
                return Err(Problem::Malformed(why.to_owned()));
            }
        };
        Ok(Reply::json(StatusCode::OK, &answer))
    }

    pub(super) async fn micropub_media(
        &self,
        asked: &Asked<'_>,
        body: Bytes,
    ) -> Result<Reply, Problem> {
        asked.require(Scope::Media)?;
        let parts = form::parts(asked.content_type(), &body)
            .ok_or(Problem::MediaType("multipart/form-data with a part `file`"))?;
        let part = parts
            .into_iter()
            .find(|part| part.name == "file")
            .ok_or_else(|| Problem::Malformed("There is no part `file` in the form.".to_owned()))?;
        let name = part.file.clone().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
        let by_name = crate::media::media_type(&name).map(str::to_owned);
        let media_type =
            part.media_type.filter(|kind| kind != "application/octet-stream").or(by_name);
        let content = body.slice_ref(part.content);
        let kept = self.keep(Some(stem), media_type.unwrap_or_default(), content).await?;
        Ok(Reply::empty(StatusCode::CREATED)
            .with(&header::CONTENT_TYPE, "text/plain")
            .with(&header::LOCATION, kept.url.as_str()))
    }
}

fn require_entry(asked: &Asked<'_>) -> Result<(), Problem> {
    // Many clients leave out `;type=entry`.
    if asked.media_type() == "application/atom+xml" {
        return Ok(());
    }
    Err(Problem::MediaType("application/atom+xml;type=entry"))
}

/// A field as text; percent-encoded, as `Slug` is.
fn header_text(asked: &Asked<'_>, name: &str) -> Option<String> {
    let value = asked.fields.get(name)?.to_str().ok()?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned()).filter(|text| !text.is_empty())
}

/// A place in the collection: revision and article.
fn place(text: &str) -> Option<Cursor> {
    let (revision, article) = text.split_once('-')?;
    let article = ArticleId::from_segment(article)?;
    Some(Cursor { revision: Revision(revision.parse().ok()?), article: Some(article) })
}

fn file(kept: Kept) -> atom::File {
    let Kept { name, url, media_type, bytes, modified } = kept;
    atom::File { name, url, media_type: media_type.to_owned(), bytes, modified }
}

fn lost(error: &std::io::Error) -> Problem {
    tracing::error!(%error, "a file that was pushed cannot be kept");
    Problem::Internal
}
