//! `latchkey store check`: reads everything that a store keeps.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::assembly::{Inspection, Problem, check_store};

use super::{Outcome, print, settings, wait_for};

/// How often it is said how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);

pub(super) fn command() -> Command {
    Command::new("check")
        .about("Read everything that a store keeps, and say what is wrong and what to do")
        .long_about(
            "Read everything that a store keeps, as a server reads it, and say what is wrong and \
             what to do.\n\n\
             Nothing is written, and servers may run meanwhile. Of an embedded store the file itself \
             is checked too. The exit code is 0 if nothing is wrong.",
        )
        .after_help("Example:  latchkey store check --store file:./data")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print what was found as JSON"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let store = settings(matches)?.settings.storage.store;
    let found = wait_for_inspection(&store)?;
    if matches.get_flag("json") {
        print(&to_json(&found).to_string())?;
    } else {
        for problem in &found.problems {
            print(&to_line(problem))?;
        }
        eprintln!("{}", summary(&found));
    }
    match found.problems.len() {
        0 => Ok(()),
        1 => Err("there is one problem".into()),
        more => Err(format!("there are {more} problems").into()),
    }
}

fn wait_for_inspection(
    store: &crate::config::StoreUrl,
) -> Result<Inspection, Box<dyn std::error::Error>> {
    let mut found = Inspection::default();
    wait_for(async {
        let mut told = Instant::now();
        found = check_store(store, move |found| {
            if told.elapsed() >= TOLD_EVERY {
                told = Instant::now();
                eprintln!("{} …", summary(found));
            }
        })
        .await?;
        Ok(())
    })?;
    Ok(found)
}

fn summary(found: &Inspection) -> String {
    format!(
        "{} clients, {} audit records, {} revocations and {} records of signing keys were read",
        found.clients, found.audit_records, found.revocations, found.signing_keys
    )
}

fn to_line(problem: &Problem) -> String {
    let Problem { kind, name, what, advice } = problem;
    format!("{} {name}: {what}; {advice}", kind.replace('_', " "))
}

fn to_json(found: &Inspection) -> Value {
    let problems: Vec<Value> = found.problems.iter().map(problem_to_json).collect();
    json!({
        "clients": found.clients,
        "audit_records": found.audit_records,
        "revocations": found.revocations,
        "signing_keys": found.signing_keys,
        "problems": problems,
    })
}

fn problem_to_json(problem: &Problem) -> Value {
    let Problem { kind, name, what, advice } = problem;
    json!({ "kind": kind, "name": name, "problem": what, "advice": advice })
}
