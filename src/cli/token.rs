//! `courant token`.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Result, bail};
use chrono::TimeDelta;
use clap::{Args, Subcommand};
use courant::{
    category::Slug,
    clock,
    config::Config,
    partner::Secret,
    push::{Scope, Scopes},
    store::Grant,
};

use crate::cli;

/// Look after the tokens of programs that push articles
#[derive(Args)]
pub(super) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(Create),
    /// List the tokens that are good
    #[command(after_help = "\
Examples:
  courant token list
  courant token list --json")]
    List {
        /// List as JSON
        #[arg(long)]
        json: bool,
    },
    /// End the tokens of a name at once
    #[command(after_help = "\
Examples:
  courant token revoke cms")]
    Revoke {
        /// The name it was made for
        name: String,
    },
}

/// Make a token for a program that pushes articles
#[derive(Args)]
#[command(after_help = "\
The token is shown once; the store keeps only its digest. What is shown goes to standard output alone:
TOKEN=$(courant token create cms). To change a token without a gap, make the next one under another name,
and revoke the old name once nobody uses it.

Examples:
  courant token create cms                                everything
  courant token create ticker --scope write               hand articles in, and nothing else
  courant token create sports-desk --category sport       articles of this category only
  courant token create intern --days 30")]
struct Create {
    /// What it is for, as a slug
    name: String,
    /// What it is good for [default: all four]
    #[arg(long = "scope", value_name = "read|write|withdraw|media")]
    scopes: Vec<String>,
    /// Articles of these categories only, by slug
    #[arg(long = "category", value_name = "SLUG")]
    categories: Vec<String>,
    /// How long it is good [default: until it is revoked]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: Option<u16>,
}

impl Token {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode> {
        match self.command {
            Command::Create(create) => create.run(config).await,
            Command::List { json } => list(config, json).await,
            Command::Revoke { name } => revoke(config, &name).await,
        }
    }
}

impl Create {
    async fn run(self, config: &Config) -> Result<ExitCode> {
        let name: Slug = self.name.parse()?;
        let mut may =
            self.scopes.iter().map(|scope| scope.parse()).collect::<Result<BTreeSet<_>, _>>()?;
        if may.is_empty() {
            may.extend(Scope::ALL);
        }
        let categories = self.categories.iter().map(|slug| slug.parse());
        let categories = categories.collect::<Result<BTreeSet<Slug>, _>>()?;
        let within = (!categories.is_empty()).then_some(categories);
        let scopes = Scopes { may, within };
        let store = cli::open(config).await?;
        let secret = Secret::new()?;
        let created = clock::now();
        let ends = self.days.map(|days| created + TimeDelta::days(days.into()));
        let grant = Grant {
            digest: secret.digest(),
            name: name.clone(),
            scopes: scopes.to_string(),
            created,
            ends,
        };
        store.grant(grant).await?;
        writeln!(io::stdout(), "{}", secret.reveal())?;
        let mut notes = io::stderr().lock();
        writeln!(notes, "This is shown once. Whoever has it is `{name}`, and may: {scopes}")?;
        if let Some(ends) = ends {
            writeln!(notes, "It is good until {}.", ends.format("%Y-%m-%d %H:%M UTC"))?;
        }
        match &config.push {
            Some(rules) => writeln!(notes, "Articles go to {}articles", rules.base)?,
            None => writeln!(notes, "Nothing can be pushed yet: feeds.toml has no [push].")?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(config: &Config, json: bool) -> Result<ExitCode> {
    let now = clock::now();
    let mut grants = cli::open(config).await?.grants().await?;
    grants.retain(|grant| grant.ends.is_none_or(|ends| ends > now));
    if json {
        let grants: Vec<_> = grants
            .iter()
            .map(|Grant { name, scopes, created, ends, .. }| {
                serde_json::json!({"name": name, "scopes": scopes, "created": created, "ends": ends})
            })
            .collect();
        return cli::print_json(&grants);
    }
    let mut out = io::stdout().lock();
    if grants.is_empty() {
        writeln!(out, "no tokens; `courant token create NAME` makes one")?;
    }
    for Grant { name, scopes, created, ends, .. } in grants {
        write!(out, "{name}: {scopes}, made {}", created.format("%Y-%m-%d %H:%M UTC"))?;
        match ends {
            Some(ends) => writeln!(out, ", good until {}", ends.format("%Y-%m-%d %H:%M UTC"))?,
            None => writeln!(out)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn revoke(config: &Config, name: &str) -> Result<ExitCode> {
    let name: Slug = name.parse()?;
    let ended = cli::open(config).await?.retract(&name, clock::now()).await?;
    if ended == 0 {
        bail!("no token of `{name}` is good; `courant token list` shows those that are");
    }
    let lets = if ended == 1 { "lets" } else { "let" };
    writeln!(io::stdout(), "{} {lets} nobody in any more", cli::counted(ended, "token"))?;
    Ok(ExitCode::SUCCESS)
}
