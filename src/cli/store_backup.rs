//! `latchkey store backup`: copies an embedded store while a server runs.

use std::cell::Cell;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::assembly::{Existing, back_up_store};
use crate::domain::clock::{Clock, SystemClock};

use super::{Outcome, settings};

pub(super) fn command() -> Command {
    Command::new("backup")
        .about("Copy an embedded store into a file, while a server may run on it")
        .long_about(
            "Copy an embedded store into a file, while a server may run on it.\n\n\
             What was answered before is in the copy. The file is for its owner alone: it holds the \
             hashes of all secrets. The signing keys are elsewhere: keep a copy of the keys folder \
             too.\n\n\
             To restore it, stop the server, remove latchkey.db, latchkey.db-wal and latchkey.db-shm \
             from the folder of the store, put the file there as latchkey.db, start the server, and \
             end the tokens of which it does not know whether they were revoked: latchkey revoke \
             --all --before NOW.",
        )
        .after_help("Example:  latchkey store backup latchkey-backup.db --store file:./data")
        .arg(
            Arg::new("file")
                .required(true)
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("The file to write"),
        )
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help("Replace the file if it is there"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let store = settings(matches)?.settings.storage.store;
    let file = matches.get_one::<PathBuf>("file").ok_or("FILE is missing")?;
    let existing = if matches.get_flag("force") { Existing::Replace } else { Existing::Keep };
    let moment = SystemClock.now().to_rfc3339().unwrap_or_default();
    let told = Cell::new(0);
    let done = back_up_store(&store, file, existing, |percent| {
        if percent >= told.get() + 10 {
            told.set(percent);
            eprintln!("{percent} % …");
        }
    })?;
    eprintln!(
        "{} holds {} clients as they stood at {moment}, in {} bytes",
        file.display(),
        done.clients,
        done.bytes
    );
    Ok(())
}
