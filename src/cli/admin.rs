//! `latchkey admin reset`: a new secret for the administrator.

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;

use crate::assembly::{StartError, open_existing_store, reset_admin};
use crate::domain::clock::SystemClock;
use crate::domain::id::ClientId;

use super::{Outcome, print, settings, wait_for};

pub(super) fn reset_command() -> Command {
    let client_id = Arg::new("client_id")
        .long("client-id")
        .value_name("ID")
        .value_parser(value_parser!(ClientId))
        .help("Which [default: admin_client_id, else the one in admin.json, else a new one]");
    Command::new("reset")
        .about("Give the administrator a new secret; the old one ends")
        .long_about(
            "Give the administrator a new secret; the old one ends.\n\n\
             On an embedded store, stop the server first; the secret goes to admin.json in the \
             folder of the store. Otherwise it is printed. If this is cut off, run it again.",
        )
        .after_help("Example:  latchkey admin reset --store file:./data")
        .arg(client_id)
}

pub(super) fn reset(matches: &ArgMatches) -> Outcome {
    let settings = settings(matches)?.settings;
    let configured = settings.admin.client_id.as_deref().map(str::parse).transpose();
    let configured: Option<ClientId> =
        configured.map_err(|error| format!("admin_client_id: {error}"))?;
    if settings.admin.secret.is_some() || settings.admin.secret_file.is_some() {
        eprintln!(
            "latchkey: the secret of the administrator is configured (admin_secret), and a server \
             that starts sets it again"
        );
    }
    let client_id = matches.get_one::<ClientId>("client_id").cloned().or(configured);
    wait_for(async {
        let store = open_existing_store(&settings.storage.store).map_err(StartError::from)?;
        let reset = reset_admin(&store, &SystemClock, client_id).await?;
        let client_id = &reset.credentials.client_id;
        if let Some(file) = reset.file {
            let file = file.display();
            return print(&format!(
                "the administrator is {client_id}; its new secret is in {file}"
            ));
        }
        let client_secret = reset.credentials.secret.reveal();
        print(&json!({ "client_id": client_id, "client_secret": client_secret }).to_string())
    })
}
