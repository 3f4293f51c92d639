//! Micropub: posts and files as its clients send them.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Asked, How, Inbox,
    json::{apart, first},
};
use crate::{
    article::{ArticleId, Revision},
    media::{Kept, media_type},
    push::{Problem, Reply, Scope, condition, form, micropub, record},
    store::{Fate, Operation, Precondition, Stored, Task},
};

impl Inbox {
    pub(super) async fn micropub(&self, asked: &Asked<'_>, body: Bytes) -> Result<Reply, Problem> {
        if matches!(*asked.method, Method::GET | Method::HEAD) {
            return self.query(asked).await;
        }
        match self.read_post(asked, &body).await? {
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
                self.change(asked, &id, &precondition, &body, change).await
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
                self.push(asked, tasks, How::default(), &body, answer).await
            }
        }
    }

    /// What a request asks for. Files that come with a form are kept in the media folder, and their addresses stand in the post.
    async fn read_post(
        &self,
        asked: &Asked<'_>,
        body: &Bytes,
    ) -> Result<micropub::Request, Problem> {
        let media_type = asked.media_type();
        if media_type != "multipart/form-data" {
            let body = body.clone();
            return apart(move || micropub::read(&media_type, &body)).await?;
        }
        let parts = form::parts(asked.content_type(), body)
            .ok_or_else(|| Problem::Malformed("The body is no multipart form.".to_owned()))?;
        let mut pairs = Vec::new();
        for part in parts {
            if part.file.as_deref().is_none_or(str::is_empty) {
                let value = form::utf8(part.content)?;
                pairs.push((part.name, value.to_owned()));
            } else if !part.content.is_empty() {
                asked.require(Scope::Media)?;
                let name = part.name.clone();
                pairs.push((name, self.keep_part(part, body).await?.url.to_string()));
            }
        }
        micropub::of_pairs(pairs)
    }

    /// Keeps a file that came with a form.
    async fn keep_part(&self, part: form::Part<'_>, body: &Bytes) -> Result<Kept, Problem> {
        let name = part.file.unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
        let by_name = media_type(&name).map(str::to_owned);
        let kind = part.media_type.filter(|kind| kind != "application/octet-stream").or(by_name);
        self.keep(Some(stem), kind.unwrap_or_default(), body.slice_ref(part.content)).await
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
            Some("config") => micropub::config(&self.catalogue, media.as_ref().map(Url::as_str)),
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
        let kept = self.keep_part(part, &body).await?;
        Ok(Reply::empty(StatusCode::CREATED)
            .with(&header::CONTENT_TYPE, "text/plain")
            .with(&header::LOCATION, kept.url.as_str()))
    }
}
