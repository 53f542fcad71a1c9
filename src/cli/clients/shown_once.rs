//! What is shown once: to standard output, or into a file.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use super::Failure;
use crate::cli::{Outcome, print};
use crate::files::write_private;

/// The members of an answer that nobody can read a second time.
const SECRET: [&str; 2] = ["client_secret", "registration_access_token"];

/// Where secrets go.
#[derive(Args)]
pub(super) struct SecretOut {
    /// Write secrets to this file, for you alone to read, and not to the output
    #[arg(long = "secret-out", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl SecretOut {
    /// Refuses a file that is there: before a secret is made that could not be put down.
    pub(super) fn check(&self) -> Outcome {
        match &self.file {
            Some(file) if file.exists() => {
                Err(format!("`{}` exists and is not replaced", file.display()).into())
            }
            _ => Ok(()),
        }
    }

    /// Prints the answer; what is secret in it goes to the file, if there is to be one.
    pub(super) fn deliver(&self, answer: &Value) -> Outcome {
        let Some(file) = &self.file else { return print(&answer.to_string()) };
        let (secret, public) = parted(answer);
        let written = write_private(file, format!("{:#}\n", Value::Object(secret)).as_bytes());
        if let Err(error) = written {
            // Better here than nowhere: nobody can ask for it again.
            print(&answer.to_string())?;
            let why = format!("`{}` cannot be written, so all is printed: {error}", file.display());
            return Err(Failure::from(why));
        }
        print(&Value::Object(public).to_string())
    }
}

/// What is secret, with the id that it belongs to; and the rest.
fn parted(answer: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let members = answer.as_object().cloned().unwrap_or_default();
    let (mut secret, public): (Map<_, _>, Map<_, _>) =
        members.into_iter().partition(|(name, _)| SECRET.contains(&name.as_str()));
    if let Some(id) = public.get("client_id") {
        secret.shift_insert(0, "client_id".to_owned(), id.clone());
    }
    (secret, public)
}
