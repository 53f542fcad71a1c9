//! `latchkey store copy`: moves from one store to another.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use secrecy::ExposeSecret;

use crate::assembly::{copy_store, open_existing_store, open_store};
use crate::config::StoreUrl;

use super::{Outcome, wait_for};

#[derive(Args)]
struct Arguments {
    /// The store to read: file:FOLDER, or mongodb://…/DATABASE
    from: StoreUrl,

    /// The store to write; clients that it has already are left alone
    to: StoreUrl,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("copy"))
        .about("Copy a store, so that secrets and tokens stay good on the new one")
        .long_about(
            "Copy a store, so that secrets and tokens stay good on the new one.\n\n\
             Stop the servers on both first, and start the next one with the same keys folder. If \
             this is cut off, run it again.",
        )
        .after_help("Example:  latchkey store copy file:./data mongodb://db.internal/latchkey")
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { from, to } = Arguments::from_arg_matches(matches)?;
    if is_same(&from, &to) {
        return Err("these are the same store".into());
    }
    wait_for(async {
        let from = open_existing_store(&from)?;
        let to = open_store(&to)?;
        let copied = copy_store(&from, &to, |clients| eprintln!("{clients} clients …")).await?;
        eprintln!(
            "copied {} clients ({} were there already), {} signing keys, {} used assertions, \
             {} revocations, {} audit records",
            copied.clients,
            copied.known,
            copied.signing_keys,
            copied.used_assertions,
            copied.revocations,
            copied.audit_records
        );
        if let Some(file) = copied.admin_file {
            eprintln!("the administrator's credentials are in {} too", file.display());
        }
        if !copied.left_out.is_empty() {
            let left_out = copied.left_out.join(", ");
            return Err(format!(
                "the documents of these clients cannot be copied as they stand: {left_out}"
            )
            .into());
        }
        Ok(())
    })
}

fn is_same(from: &StoreUrl, to: &StoreUrl) -> bool {
    match (from, to) {
        (StoreUrl::Folder(from), StoreUrl::Folder(to)) => {
            from == to
                || matches!((from.canonicalize(), to.canonicalize()), (Ok(a), Ok(b)) if a == b)
        }
        (StoreUrl::Mongo(from), StoreUrl::Mongo(to)) => from.expose_secret() == to.expose_secret(),
        _ => false,
    }
}
