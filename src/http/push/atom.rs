//! `AtomPub`: articles and files as its clients send them.

use std::num::NonZeroU16;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{
    Asked, Inbox,
    change::lost,
    failed,
    json::{apart, unless_known},
};
use crate::{
    article::{ArticleId, Cursor, Revision},
    category::Slug,
    media::Kept,
    push::{Problem, Reply, Route, Scope, atom, condition, form, tag},
    store::{State, Stored},
};

/// Articles on a page of a collection.
const PAGE: u16 = 20;
/// So many times as many articles are looked at for a page of a token that few of them are for.
const MAX_LOOKS: usize = 1_000;

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
                asked.require(Scope::Withdraw)?;
                // Whose a file is, nobody knows: articles of any category may lead to it.
                if asked.pass.scopes.within.is_some() {
                    return Err(Problem::Category);
                }
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
        let page = self.page(asked, before).await?;
        // An address is read by whoever gets it: it names what is on this page.
        let last = page.last().filter(|_| page.len() == usize::from(PAGE));
        let next = last.map(|last| {
            let mut next = self.rules.address("atompub/articles", "");
            let place = format!("{}-{}", last.revision, last.id.segment());
            next.query_pairs_mut().append_pair("before", &place);
            next
        });
        let mut address = self.rules.address("atompub/articles", "");
        address.set_query(own.strip_prefix('?'));
        let text = atom::collection(&self.catalogue, &self.rules, &page, &address, next.as_ref());
        Ok(Reply::new(StatusCode::OK, atom::FEED, text))
    }

    /// The articles before a place that are for this token, as many as are on a page.
    async fn page(
        &self,
        asked: &Asked<'_>,
        mut before: Option<Cursor>,
    ) -> Result<Vec<Stored>, Problem> {
        let limit = NonZeroU16::new(PAGE).expect("20 is not zero");
        let mut page = Vec::new();
        for _ in 0..MAX_LOOKS {
            let found = self.store.inventory(before, limit).await;
            let found = found.map_err(|error| failed(&error))?;
            let is_end = found.len() < usize::from(PAGE);
            before = found
                .last()
                .map(|last| Cursor { revision: last.revision, article: Some(last.id.clone()) });
            page.extend(found.into_iter().filter(|stored| asked.pass.sees(stored)));
            if is_end || page.len() >= usize::from(PAGE) {
                break;
            }
        }
        page.truncate(usize::from(PAGE));
        Ok(page)
    }

    fn entry(&self, stored: &Stored, status: StatusCode) -> Reply {
        let text = atom::entry(&self.catalogue, &self.rules, stored);
        Reply::new(status, atom::ENTRY, text).tagged(Some(stored.revision))
    }

    async fn atom_create(&self, asked: &Asked<'_>, body: Bytes) -> Result<Reply, Problem> {
        asked.require(Scope::Write)?;
        require_entry(asked)?;
        let entry = read_entry(&body).await?;
        let record = atom::record(&self.catalogue, None, &Map::new(), &entry);
        let wish = header_text(asked, "slug").or_else(|| entry.title().map(str::to_owned));
        let wish = wish.and_then(|wish| Slug::from_label(&wish).ok());
        let reply = self.create(asked, record, wish.as_ref(), "atompub/articles/", &body).await?;
        let location = reply.field(&header::LOCATION).unwrap_or_default().to_owned();
        let name = location.rsplit('/').next().unwrap_or_default();
        let id = percent_decode_str(name).decode_utf8().ok().and_then(|id| ArticleId::new(&id));
        let Some(id) = id else { return Ok(reply) };
        let Some(whole) = self.written(asked, &id, &reply, StatusCode::CREATED).await? else {
            return Ok(reply);
        };
        Ok(whole
            .with(&header::LOCATION, location.as_str())
            .with(&header::CONTENT_LOCATION, location))
    }

    /// The entry that was written, if `reply` speaks of the article as it is: whoever gets another text takes over what
    /// somebody else wrote, and not everybody who writes may read that.
    async fn written(
        &self,
        asked: &Asked<'_>,
        id: &ArticleId,
        reply: &Reply,
        status: StatusCode,
    ) -> Result<Option<Reply>, Problem> {
        let stored = self.store.stored(id).await.map_err(|error| failed(&error))?;
        let stored = stored.filter(|stored| {
            let is_same = reply.field(&header::ETAG) == Some(&tag(stored.revision));
            is_same && stored.state != State::Withdrawn && asked.pass.sees(stored)
        });
        Ok(stored.map(|stored| self.entry(&stored, status)))
    }

    async fn atom_put(
        &self,
        asked: &Asked<'_>,
        id: ArticleId,
        body: Bytes,
    ) -> Result<Reply, Problem> {
        asked.require(Scope::Write)?;
        require_entry(asked)?;
        let entry = read_entry(&body).await?;
        let precondition = condition::precondition(asked.fields)?;
        let change = |stored: &Stored, old: &Map<String, Value>| {
            atom::record(&self.catalogue, Some(stored), old, &entry)
        };
        let reply = self.change(asked, &id, &precondition, &body, change).await?;
        if reply.status >= 400 {
            return Ok(reply);
        }
        Ok(self.written(asked, &id, &reply, StatusCode::OK).await?.unwrap_or(reply))
    }
}

async fn read_entry(body: &Bytes) -> Result<atom::Entry, Problem> {
    let body = body.clone();
    apart(move || atom::read(&body)).await?
}

fn require_entry(asked: &Asked<'_>) -> Result<(), Problem> {
    // Many clients leave out `;type=entry`.
    if asked.media_type() == "application/atom+xml" {
        return Ok(());
    }
    Err(Problem::MediaType("application/atom+xml;type=entry"))
}

fn header_text(asked: &Asked<'_>, name: &str) -> Option<String> {
    let value = asked.fields.get(name)?.to_str().ok()?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned()).filter(|text| !text.is_empty())
}

fn place(text: &str) -> Option<Cursor> {
    let (revision, article) = text.split_once('-')?;
    let article = ArticleId::from_segment(article)?;
    Some(Cursor { revision: Revision(revision.parse().ok()?), article: Some(article) })
}

fn file(kept: Kept) -> atom::File {
    let Kept { name, url, media_type, bytes, modified } = kept;
    atom::File { name, url, media_type: media_type.to_owned(), bytes, modified }
}
