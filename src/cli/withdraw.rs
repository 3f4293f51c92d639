//! `courant withdraw`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;
use courant::{article::ArticleId, clock, config::Config, store::Outcome};

use crate::cli;

/// Take articles back, until they are imported with --republish
#[derive(Args)]
#[command(after_help = "\
A withdrawn article leaves every feed within a second, and both validators move. Imports leave it
withdrawn; --republish brings it back under its old identity.

Examples:
  courant withdraw 2026-0412
  courant withdraw --json 2026-0412 2026-0413")]
pub(super) struct Withdraw {
    /// The publisher's keys of the articles
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl Withdraw {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode> {
        let store = cli::open(config).await?;
        let known: Vec<ArticleId> = self.ids.iter().filter_map(|id| ArticleId::new(id)).collect();
        let outcomes = store.withdraw(known.clone(), clock::now()).await?;
        let find = |id: &String| {
            let id = ArticleId::new(id)?;
            let at = known.iter().position(|known| *known == id)?;
            outcomes.get(at)?.as_ref()
        };
        let answers: Vec<(&String, &str)> = self
            .ids
            .iter()
            .map(|id| match find(id) {
                Some(Outcome::Unchanged) => (id, "already withdrawn"),
                Some(_) => (id, "withdrawn"),
                None => (id, "unknown"),
            })
            .collect();
        let is_complete = answers.iter().all(|(_, answer)| *answer != "unknown");
        if self.json {
            let answers: Vec<_> = answers
                .iter()
                .map(|(id, answer)| serde_json::json!({"id": id, "outcome": answer}))
                .collect();
            cli::print_json(&answers)?;
        } else {
            let mut out = io::stdout().lock();
            for (id, answer) in answers {
                writeln!(out, "{id}: {answer}")?;
            }
        }
        Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
