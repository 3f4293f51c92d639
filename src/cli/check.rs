//! `courant check`.

use std::{
    io::{self, Write},
    num::NonZeroU16,
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Args;
use courant::{
    category::Slug,
    check::{self, Finding, Severity},
    clock,
    config::Config,
    source::{Follower, Source},
    store::Store,
    text::CLEANING_VERSION,
};
use url::Url;

use crate::cli::{self, feeds};

/// Read configuration and store, write every feed, and report what would trouble a reader
#[derive(Args)]
#[command(after_help = "\
Serves nothing. The code in brackets names the rule, to filter by. Ends with 1 if there is an error. With `--partner`, the
feeds of that partner: which articles are held back from it, and what it takes badly; docs/partners.md explains the rules.

Examples:
  courant check
  courant check --partner harbour-daily
  courant check --json | jq '.[] | select(.severity == \"error\")'")]
pub(super) struct Check {
    /// Look at the feeds of this partner instead
    #[arg(long, value_name = "NAME")]
    partner: Option<Slug>,

    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// How many articles are asked about at a time.
const BATCH: NonZeroU16 = NonZeroU16::new(1_000).expect("1,000 is not zero");

impl Check {
    pub(super) async fn run(self, config: Config) -> Result<ExitCode> {
        let mut findings = check::site(&config.catalogue.site);
        let folder = cli::media::folder(&config)?;
        let sources = config.sources.clone();
        let store = cli::open_any(&config).await?;
        let mut store_finding = |severity, rule, problem| {
            findings.push(Finding { severity, place: "store".to_owned(), problem, rule });
        };
        if let Some(problem) = cli::other_tag(&config, &*store).await? {
            store_finding(Severity::Error, "A-11", problem);
        }
        let publisher = feeds::look(store, config).await?;
        if let Some(by) = publisher.ahead(clock::now()).await? {
            store_finding(Severity::Warning, "H-37", cli::ahead(by));
        }
        let specs = match &self.partner {
            None => publisher.feeds(),
            Some(name) => {
                let catalogue = publisher.catalogue();
                let partner = catalogue.partner(name);
                let partner = partner.with_context(|| format!("no partner named `{name}`"))?;
                catalogue.feeds_of(partner)
            }
        };
        if self.partner.is_none() {
            findings.extend(cleaned_before(publisher.store(), &sources).await?);
        }
        let mut held = 0;
        for spec in &specs {
            let feed = publisher.feed(&spec.path).await?;
            held += feed.held().len();
            findings.extend(check::feed(&feed));
            let is_missing = |url: &Url| {
                let at = folder.as_ref().and_then(|folder| Some((folder, folder.at(url)?)));
                // What is for partners only is nowhere for everybody else.
                at.is_some_and(|(folder, file)| {
                    file.is_none_or(|file| spec.terms.is_none() && folder.private(&file).is_some())
                })
            };
            findings.extend(check::files(&feed, is_missing));
        }
        let findings = check::distinct(findings);
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        if self.json {
            cli::print_json(&findings)?;
        } else {
            let mut out = io::stdout().lock();
            for Finding { severity, place, problem, rule } in &findings {
                let severity = match severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                };
                writeln!(out, "{severity}: {place}: {problem} [{rule}]")?;
            }
            let warnings = cli::counted(findings.len() - errors, "warning");
            let (feeds, errors) =
                (cli::counted(specs.len(), "feed"), cli::counted(errors, "error"));
            if self.partner.is_some() {
                writeln!(out, "{feeds}: {held} held back, {errors}, {warnings}")?;
            } else {
                writeln!(out, "{feeds} in 3 formats: {errors}, {warnings}")?;
            }
        }
        Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

/// Articles that older rules cleaned, counted by what renews them.
async fn cleaned_before(store: &dyn Store, sources: &[Source]) -> Result<Vec<Finding>> {
    let mut of_sources = vec![0_usize; sources.len()];
    let (mut others, mut after) = (0_usize, None);
    loop {
        let ids = store.cleaned_before(CLEANING_VERSION, after, BATCH).await?;
        let Some(last) = ids.last() else { break };
        after = Some(last.clone());
        let mut is_held = vec![false; ids.len()];
        for (source, count) in sources.iter().zip(&mut of_sources) {
            let holds = Follower::holds(store, source, &ids).await?;
            *count += holds.iter().filter(|holds| **holds).count();
            is_held.iter_mut().zip(holds).for_each(|(is_held, holds)| *is_held |= holds);
        }
        others += is_held.iter().filter(|is_held| !**is_held).count();
    }
    let of_sources = sources.iter().zip(of_sources).map(|(source, count)| {
        let run = format!("run `courant source run {} --once --all`", source.name);
        (format!("source `{}`", source.name), count, run)
    });
    let others = ("store".to_owned(), others, "import or push them again".to_owned());
    let found = of_sources.chain([others]).filter(|(_, count, _)| *count > 0);
    let finding = |(place, count, renewal): (String, usize, String)| Finding {
        severity: Severity::Warning,
        place,
        problem: format!(
            "older rules cleaned the content of {}; {renewal}, which changes no date and no identity",
            cli::counted(count, "article")
        ),
        rule: "T-30",
    };
    Ok(found.map(finding).collect())
}
