//! `latchkey clients`: what an administrator does with clients, over HTTP.

mod api;
mod create;
mod delete;
mod import;
mod key;
mod list;
mod lists;
mod regenerate;
mod registration_token;
mod secret;
mod show;
mod shown_once;
mod state;
mod update;

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};

use super::{Outcome, remote, wait_for};

type Failure = Box<dyn std::error::Error>;

#[derive(Subcommand)]
enum Verb {
    /// Register a client, and print it; its secret is shown this once
    #[command(
        after_help = "Example:  latchkey clients create --name 'my app' --permission read:orders"
    )]
    Create(Box<create::Arguments>),
    /// Remove a client for good, with its tokens
    #[command(after_help = "Example:  latchkey clients delete \"$ID\"")]
    Delete(Box<delete::Arguments>),
    /// Import clients from another platform
    #[command(
        after_help = "Example:  latchkey clients import clients.json --secrets new-secrets.jsonl",
        long_about = import::ABOUT
    )]
    Import(Box<import::Arguments>),
    /// Add and remove the keys of a client
    #[command(subcommand)]
    #[command(
        after_help = "Example:  latchkey clients key add \"$ID\" --public-key new.pem --overlap 7d"
    )]
    Key(key::Verb),
    /// List clients
    #[command(
        after_help = "Example:  latchkey clients list --unused-since 90d --json | jq -r .client_id"
    )]
    List(Box<list::Arguments>),
    /// Give a client a new id and new credentials; the old ones end, with their tokens
    #[command(after_help = "Example:  latchkey clients regenerate \"$ID\"")]
    Regenerate(Box<regenerate::Arguments>),
    /// Remove a registration access token of a client
    #[command(subcommand)]
    #[command(
        after_help = "Example:  latchkey clients registration-token delete \"$ID\" \"$TOKEN_ID\""
    )]
    RegistrationToken(registration_token::Verb),
    /// Add and remove the secrets of a client
    #[command(subcommand)]
    #[command(after_help = "Example:  latchkey clients secret add \"$ID\" --overlap 7d")]
    Secret(secret::Verb),
    /// Print one client: as JSON, unless it is a person who reads
    #[command(after_help = "Example:  latchkey clients show \"$ID\"")]
    Show(Box<show::Arguments>),
    /// Change the state of a client
    #[command(after_help = "Example:  latchkey clients state \"$ID\" DRAFT")]
    State(Box<state::Arguments>),
    /// Change what a client is and what it is granted, and print it
    #[command(
        after_help = "Example:  latchkey clients update \"$ID\" --add-permission read:orders --lifetime 12h"
    )]
    Update(Box<update::Arguments>),
}

pub(super) fn command() -> Command {
    Verb::augment_subcommands(Command::new("clients"))
        .about("Register and manage clients, as an administrator")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(format!("Example:  latchkey clients list\n\n{}", remote::NOTE))
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    wait_for(async {
        match Verb::from_arg_matches(matches)? {
            Verb::Create(arguments) => create::run(&arguments).await,
            Verb::Delete(arguments) => delete::run(&arguments).await,
            Verb::Import(arguments) => import::run(&arguments).await,
            Verb::Key(verb) => key::run(&verb).await,
            Verb::List(arguments) => list::run(&arguments).await,
            Verb::Regenerate(arguments) => regenerate::run(&arguments).await,
            Verb::RegistrationToken(verb) => registration_token::run(&verb).await,
            Verb::Secret(verb) => secret::run(&verb).await,
            Verb::Show(arguments) => show::run(&arguments).await,
            Verb::State(arguments) => state::run(&arguments).await,
            Verb::Update(arguments) => update::run(&arguments).await,
        }
    })
}
