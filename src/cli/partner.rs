//! `courant partner`.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use courant::{
    article::ArticleId,
    category::Slug,
    clock,
    config::Config,
    feed::Catalogue,
    partner::{Channel, Missing, Secret, Standing, Testimony, Witness, standings, testimony},
    publish::Publisher,
    store::Token,
};

use crate::cli::{self, feeds};

/// Look after partners: who is let in, and what has reached them
#[derive(Args)]
pub(super) struct Partner {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the partners, their feeds and their tokens
    #[command(after_help = "\
Examples:
  courant partner list
  courant partner list --json")]
    List {
        /// List as JSON
        #[arg(long)]
        json: bool,
    },
    Token(MakeToken),
    /// Say what a partner has fetched, and what it has not fetched since
    #[command(after_help = "\
A running service notes within two seconds who has fetched what. With --article: who has seen its
last change, a correction or a withdrawal, and who has not; without NAME, of all partners.

Examples:
  courant partner status wire
  courant partner status --article 2026-0412
  courant partner status wire --json")]
    Status {
        /// The partner's name in feeds.toml
        #[arg(required_unless_present = "article")]
        name: Option<String>,
        /// Who has seen the last change of this article
        #[arg(long, value_name = "ID")]
        article: Option<String>,
        /// Report as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Make a token that lets a partner in, or end those there are
#[derive(Args)]
#[command(after_help = "\
The token is shown once; the store keeps only its digest. It is accepted as a password (with any user
name), as a bearer token, and as part of the address: /partner/NAME/TOKEN/news.rss.

Examples:
  courant partner token wire                          a token for the partner
  courant partner token members --holder li.ming      one for a person
  courant partner token wire --rotate                 a new one; the old ones end in a week
  courant partner token wire --rotate --overlap-hours 0
  courant partner token members --holder li.ming --revoke
  courant partner token members --revoke --all        nobody is let in any more")]
struct MakeToken {
    /// The partner's name in feeds.toml
    name: String,
    /// Whom it is for, where not for the partner as a whole
    #[arg(long, default_value = "", hide_default_value = true, value_name = "WHO")]
    holder: String,
    /// End the tokens that the same holder has
    #[arg(long, conflicts_with = "revoke")]
    rotate: bool,
    /// How long those are still good
    #[arg(long, value_name = "HOURS", default_value_t = 168, requires = "rotate")]
    overlap_hours: u16,
    /// Make none, and end the tokens that the holder has at once
    #[arg(long)]
    revoke: bool,
    /// End everybody's
    #[arg(long, requires = "revoke", conflicts_with = "holder")]
    all: bool,
}

impl Partner {
    pub(super) async fn run(self, config: Config) -> Result<ExitCode> {
        match self.command {
            Command::List { json } => list(&config, json).await,
            Command::Token(token) => token.run(&config).await,
            Command::Status { name, article, json } => {
                status(config, name.as_deref(), article.as_deref(), json).await
            }
        }
    }
}

async fn list(config: &Config, json: bool) -> Result<ExitCode> {
    let tokens = cli::open(config).await?.tokens().await?;
    let now = clock::now();
    let good = |name: &Slug| -> Vec<&Token> {
        let own = tokens.iter().filter(|token| token.partner == *name);
        own.filter(|token| token.ends.is_none_or(|ends| ends > now)).collect()
    };
    let catalogue = &config.catalogue;
    let past: BTreeSet<_> = tokens
        .iter()
        .map(|token| &token.partner)
        .filter(|name| catalogue.partner(name).is_none() && !good(name).is_empty())
        .collect();
    if json {
        let partners = catalogue.partners.iter().map(|partner| {
            let feeds: Vec<_> =
                catalogue.feeds_of(partner).iter().map(|spec| spec.address("")).collect();
            let tokens: Vec<_> = good(&partner.name).into_iter().map(describe).collect();
            serde_json::json!({
                "name": partner.name, "title": partner.title, "feeds": feeds, "tokens": tokens, "is_configured": true
            })
        });
        let past = past.into_iter().map(|name| {
            let tokens: Vec<_> = good(name).into_iter().map(describe).collect();
            serde_json::json!({
                "name": name, "title": null, "feeds": [], "tokens": tokens, "is_configured": false
            })
        });
        return cli::print_json(&partners.chain(past).collect::<Vec<_>>());
    }
    let mut out = io::stdout().lock();
    if catalogue.partners.is_empty() {
        writeln!(out, "no partners; add a [[partner]] to feeds.toml")?;
    }
    for partner in &catalogue.partners {
        writeln!(out, "{}: {}", partner.name, partner.title)?;
        for spec in catalogue.feeds_of(partner) {
            writeln!(out, "  feed   {}", spec.address("rss"))?;
        }
        for token in good(&partner.name) {
            print_token(&mut out, token)?;
        }
        if good(&partner.name).is_empty() {
            let name = &partner.name;
            writeln!(out, "  nobody is let in; `courant partner token {name}` makes a token")?;
        }
    }
    for name in past {
        let end = format!("`courant partner token {name} --revoke --all` ends its tokens");
        writeln!(out, "{name}: no longer in feeds.toml; {end}")?;
        for token in good(name) {
            print_token(&mut out, token)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_token(out: &mut impl Write, token: &Token) -> io::Result<()> {
    let Token { holder, created, ends, .. } = token;
    let holder = if holder.is_empty() { "the partner" } else { holder };
    write!(out, "  token  of {holder}, made {}", minute(*created))?;
    match ends {
        Some(ends) => writeln!(out, ", good until {}", minute(*ends)),
        None => writeln!(out),
    }
}

fn describe(token: &Token) -> serde_json::Value {
    let Token { holder, created, ends, .. } = token;
    serde_json::json!({"holder": holder, "created": created, "ends": ends})
}

impl MakeToken {
    async fn run(self, config: &Config) -> Result<ExitCode> {
        let Self { name, holder, rotate, overlap_hours, revoke, all } = self;
        let partner = known(&config.catalogue, &name, revoke)?;
        let store = cli::open(config).await?;
        let now = clock::now();
        let mut out = io::stdout().lock();
        if revoke {
            let ended = store.revoke(&partner, (!all).then_some(holder.as_str()), now).await?;
            let lets = if ended == 1 { "lets" } else { "let" };
            writeln!(out, "{} {lets} nobody in any more", cli::counted(ended, "token"))?;
            return Ok(if ended > 0 { ExitCode::SUCCESS } else { ExitCode::from(1) });
        }
        let secret = Secret::new()?;
        let overlap = TimeDelta::hours(overlap_hours.into());
        let others_end = rotate.then_some(now + overlap);
        let digest = secret.digest();
        let token = Token { digest, partner: partner.clone(), holder, created: now, ends: None };
        store.issue(token, others_end).await?;
        writeln!(out, "{}", secret.reveal())?;
        out.flush()?;
        let mut notes = io::stderr().lock();
        writeln!(notes, "This is shown once. Whoever has it gets what `{partner}` may have:")?;
        let partner = config.catalogue.partner(&partner);
        for spec in partner.iter().flat_map(|partner| config.catalogue.feeds_of(partner)) {
            writeln!(notes, "  {}", spec.address("rss"))?;
        }
        match others_end {
            Some(end) if end > now => {
                writeln!(notes, "Tokens that the same holder had are good until {}.", minute(end))?;
            }
            Some(_) => writeln!(notes, "Tokens that the same holder had let nobody in any more.")?,
            None => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn status(
    config: Config,
    name: Option<&str>,
    article: Option<&str>,
    json: bool,
) -> Result<ExitCode> {
    let publisher = feeds::publisher(config).await?;
    let (store, catalogue) = (publisher.store(), publisher.catalogue());
    let partner = name.map(|name| known(catalogue, name, false)).transpose()?;
    if let Some(article) = article {
        let id = ArticleId::new(article);
        let found = match &id {
            Some(id) => testimony(store, catalogue, id, clock::now()).await?,
            None => None,
        };
        let Some(mut found) = found else { bail!("no article `{article}`") };
        if let Some(partner) = &partner {
            found.witnesses.retain(|witness| witness.partner == partner.as_str());
        }
        hold_back(&publisher, &mut found).await?;
        let is_owed = found.witnesses.iter().any(Witness::is_owed);
        if json {
            cli::print_json(&found)?;
        } else {
            print_testimony(&found)?;
        }
        return Ok(if is_owed { ExitCode::from(1) } else { ExitCode::SUCCESS });
    }
    let partner = partner.and_then(|name| catalogue.partner(&name).map(Arc::clone));
    let Some(partner) = partner else { bail!("name a partner") };
    let standings = standings(store, catalogue, &partner).await?;
    if json {
        return cli::print_json(&standings);
    }
    let mut out = io::stdout().lock();
    for Standing { feed, revision, changed, fetched, missing } in &standings {
        writeln!(out, "{feed}: at revision {revision} since {}", minute(*changed))?;
        for delivery in fetched {
            let holder = if delivery.holder.is_empty() {
                String::new()
            } else {
                format!("{}: ", delivery.holder)
            };
            let (state, count) = (delivery.revision, delivery.count);
            let times = cli::counted(count, "time");
            let last = minute(delivery.last);
            writeln!(out, "  {holder}has {state}, fetched {times}, last {last}")?;
        }
        if fetched.is_empty() {
            writeln!(out, "  never fetched")?;
        }
        for Missing { id, revision, at, is_gone } in missing {
            let what = if *is_gone { "gone" } else { "changed" };
            writeln!(out, "  not fetched since: {id} {what} with {revision}, {}", minute(*at))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds out which of the feeds that were fetched do not show the article, because a dialect asks for something else.
async fn hold_back(publisher: &Publisher, found: &mut Testimony) -> Result<()> {
    let catalogue = publisher.catalogue();
    for partner in &catalogue.partners {
        if found.witnesses.iter().all(|witness| witness.partner != partner.name.as_str()) {
            continue;
        }
        for spec in catalogue.feeds_of(partner) {
            let feed = publisher.feed(&spec.path).await?;
            if feed.held().iter().any(|held| held.article.id == found.id) {
                found.hold_back(&partner.name, &spec);
            }
        }
    }
    Ok(())
}

fn print_testimony(found: &Testimony) -> io::Result<()> {
    let Testimony { id, revision, at, is_published, witnesses } = found;
    let what = if *is_published { "changed" } else { "gone" };
    let mut out = io::stdout().lock();
    writeln!(out, "{id}: {what} with revision {revision}, {}", minute(*at))?;
    for witness in witnesses {
        let Witness { partner, holder, is_let_in, revision, has_seen, channels } = witness;
        let who = if holder.is_empty() { partner.clone() } else { format!("{partner}, {holder}") };
        if revision.is_none() {
            writeln!(out, "  {who}: not yet given")?;
            continue;
        }
        if channels.is_empty() {
            writeln!(out, "  {who}: has NOT seen it; never fetched")?;
        }
        for channel in channels {
            let Channel { feed, is_held_back, seen, revision, last } = channel;
            write!(out, "  {who}, {feed}: ")?;
            if *is_held_back {
                writeln!(out, "held back; `courant check --partner {partner}` says why")?;
                continue;
            }
            if let Some(seen) = seen {
                writeln!(out, "has seen it, first {}", minute(*seen))?;
                continue;
            }
            let verdict = if *has_seen { "" } else { "has NOT seen it; " };
            let outlook = if *is_let_in { "" } else { "; is let in no more" };
            writeln!(out, "{verdict}has {revision}, last fetched {}{outlook}", minute(*last))?;
        }
    }
    if witnesses.is_empty() {
        writeln!(out, "  nobody who is let in has or had it")?;
    }
    Ok(())
}

/// A partner of `feeds.toml`; with `is_past`, one that was may be named too.
fn known(catalogue: &Catalogue, name: &str, is_past: bool) -> Result<Slug> {
    let slug: Slug = name.parse()?;
    if !is_past && catalogue.partner(&slug).is_none() {
        let names: Vec<_> =
            catalogue.partners.iter().map(|partner| partner.name.to_string()).collect();
        if names.is_empty() {
            bail!("no partner `{slug}`; feeds.toml has no [[partner]]");
        }
        bail!("no partner `{slug}`; feeds.toml has: {}", names.join(", "));
    }
    Ok(slug)
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
