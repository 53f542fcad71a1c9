//! What became of each client that was brought.

use serde::Serialize;

use crate::clients::error::ClientsError;
use crate::clients::key_admission::SharedKey;
use crate::clients::public_key::LeftOut;
use crate::domain::error_code::ErrorCode;
use crate::domain::printable;
use crate::domain::secret::ClientSecret;
use crate::oauth::token_notice::LargeToken;

/// What became of one client.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A client of this id is here already; it was left alone.
    Exists,
    /// The server could not do it now; try again.
    Failed,
    /// It goes on with the credentials that it has.
    Imported,
    /// It is here, and needs the new secret.
    ImportedWithNewSecret,
    /// It cannot be a client here.
    Refused,
}

/// What became of one client, in the order in which they were brought.
#[derive(Debug)]
pub struct Imported {
    /// Its id; `None` if it has none.
    pub client_id: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Its new secret, shown this once.
    pub secret: Option<ClientSecret>,
    /// Why it was not imported.
    pub reason: Option<String>,
    /// Those of its keys that other clients have too.
    pub shared_keys: Vec<SharedKey>,
    /// Those of its keys that cannot be used.
    pub left_out: Vec<LeftOut>,
    /// What is to be said of the size of its tokens.
    pub large_token: Option<LargeToken>,
    /// Whether one of its secrets is kept as a hash of bcrypt.
    pub has_bcrypt: bool,
}

impl Imported {
    /// One of which there is no more to say.
    pub(super) fn of(outcome: Outcome) -> Self {
        Self {
            client_id: None,
            outcome,
            secret: None,
            reason: None,
            shared_keys: Vec::new(),
            left_out: Vec::new(),
            large_token: None,
            has_bcrypt: false,
        }
    }

    /// The same, told of a client of this id, or why it was not imported.
    pub(super) fn told(client_id: Option<String>, became: Result<Self, ClientsError>) -> Self {
        let error = match became {
            Ok(became) => return Self { client_id, ..became },
            Err(error) => error,
        };
        let outcome = failure(&error);
        if outcome == Outcome::Failed {
            tracing::error!(reason = %error, "a client could not be imported");
        }
        let reason = Some(printable::message(&error.description()));
        Self { client_id, reason, ..Self::of(outcome) }
    }

    /// Whether there is a client now that was not there before.
    #[must_use]
    pub fn is_new(&self) -> bool {
        match self.outcome {
            Outcome::Imported | Outcome::ImportedWithNewSecret => true,
            Outcome::Exists | Outcome::Failed | Outcome::Refused => false,
        }
    }
}

/// Whether the same may go well a moment later.
fn failure(error: &ClientsError) -> Outcome {
    match error.code() {
        ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => Outcome::Failed,
        _ => Outcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::store_error::StoreError;
    use crate::hashing::Busy;

    #[test]
    fn what_may_go_well_a_moment_later_is_no_refusal() {
        for (error, outcome) in [
            (ClientsError::Busy(Busy::default()), Outcome::Failed),
            (ClientsError::Store(StoreError::new("away")), Outcome::Failed),
            (ClientsError::Metadata("no".to_owned()), Outcome::Refused),
        ] {
            let told = Imported::told(Some("svc".to_owned()), Err(error));
            assert_eq!((told.outcome, told.is_new()), (outcome, false));
            assert!(!told.reason.unwrap().contains("away"), "the log is told, the caller is not");
        }
    }
}
