//! An admin brings in the clients of another platform: each keeps its id, and as much of its
//! credentials as can be kept.

mod credentials;
mod document;
pub mod extended;
pub mod foreign;
mod hydra;
mod keycloak;
mod values;

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use crate::domain::audit::Action;
use crate::domain::client::{AuthMethod, Client, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::printable;
use crate::domain::secret::{ClientSecret, Form};
use crate::hashing::Busy;

use crate::oauth::token::TokenRules;
use crate::oauth::token_notice::LargeToken;

use super::Inserted;
use super::actor::Actor;
use super::draft::Enrolment;
use super::error::RegistryError;
use super::key_admission::{KeyAdmission, SharedKey};
use super::public_key::LeftOut;
use document::Brought;

/// How many clients may be brought at once.
pub const MOST_AT_ONCE: usize = 200;

/// How many of them are worked on at the same time.
const WORKED_ON: usize = 8;

/// Whether it is done, or only said what would be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It is done.
    Do,
    /// Nothing is changed.
    Try,
}

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
    /// When it last got a token where it comes from.
    pub last_login: Option<Timestamp>,
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
    /// Whether there is a client now that was not there before.
    #[must_use]
    pub fn is_new(&self) -> bool {
        match self.outcome {
            Outcome::Imported | Outcome::ImportedWithNewSecret => true,
            Outcome::Exists | Outcome::Failed | Outcome::Refused => false,
        }
    }
}

/// What an import needs to know beside the documents.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// What lets keys in.
    pub keys: &'a KeyAdmission,
    /// What their tokens will obey.
    pub rules: &'a TokenRules,
    /// Who brings them.
    pub actor: &'a Actor,
    /// How long tokens live at the most.
    pub longest_life: Duration,
    /// Whether it is done.
    pub mode: Mode,
    /// The time.
    pub now: Timestamp,
}

impl Enrolment {
    /// Brings in clients. Each is a write of its own: what becomes of one is no matter to the
    /// others, and to bring the same again does no harm.
    pub async fn import(
        &self,
        documents: Vec<Value>,
        terms: Terms<'_>,
    ) -> Result<Vec<Imported>, RegistryError> {
        let Terms { longest_life, now, .. } = terms;
        let (limits, rules) = (self.limits, terms.rules.clone());
        let judge = move |document| {
            let brought = document::read(document, longest_life, &limits, now)?;
            Ok((rules.notice(&brought.client), brought))
        };
        // Judging a batch takes a while, in which others want to be served.
        let judging = tokio::task::spawn_blocking(move || judged(documents, judge));
        let judged = judging.await.map_err(|_| Busy)?;
        let each = judged.into_iter().map(|(id, judged)| async move {
            let done = match judged {
                Some(judged) => self.import_one(judged, terms).await,
                None => Ok(Done { outcome: Outcome::Exists, ..Done::default() }),
            };
            reported(id, done)
        });
        Ok(stream::iter(each.collect::<Vec<_>>()).buffered(WORKED_ON).collect().await)
    }

    async fn import_one(&self, judged: Judged, terms: Terms<'_>) -> Result<Done, RegistryError> {
        let (large_token, mut brought) = judged?;
        let left_out = std::mem::take(&mut brought.left_out);
        // Before a slow hash is computed for nothing.
        if self.registry.read(&brought.client.id).await?.is_some() {
            return Ok(Done { outcome: Outcome::Exists, ..Done::default() });
        }
        let needs_secret = brought.needs_secret();
        let outcome = if needs_secret { Outcome::ImportedWithNewSecret } else { Outcome::Imported };
        let last_login = brought.last_login;
        let has_bcrypt = brought.client.secrets.iter().any(|secret| secret.hash.is_bcrypt());
        self.refuse_forged(&brought)?;
        let shared_keys = terms.keys.admit_shared(&brought.client.id, &brought.client.keys).await?;
        if terms.mode == Mode::Try {
            let done =
                Done { outcome, shared_keys, left_out, large_token, has_bcrypt, ..Done::default() };
            return Ok(done);
        }
        let (client, secret) = self.with_secrets(brought, needs_secret, terms).await?;
        let (actor, pair) = (terms.actor, (None, Some(&client)));
        let record =
            self.recorder.change(actor.origin(), Action::ClientImported, pair, terms.now)?;
        match self.registry.insert(&client, &record).await? {
            Inserted::Yes => Ok(Done {
                outcome,
                secret,
                last_login,
                shared_keys,
                left_out,
                large_token,
                has_bcrypt,
            }),
            Inserted::Duplicate => Ok(Done { outcome: Outcome::Exists, ..Done::default() }),
        }
    }

    /// A secret that would be refused at every use.
    fn refuse_forged(&self, brought: &Brought) -> Result<(), RegistryError> {
        match brought.secret.as_ref().map(|secret| secret.form(&brought.client.id, &self.pepper)) {
            Some(Form::Forged) => refused(
                "its secret has a control character in it, or begins with `lk_` and was not made \
                 for this client on this store",
            ),
            None | Some(Form::Foreign | Form::Ours(_)) => Ok(()),
        }
    }

    async fn with_secrets(
        &self,
        brought: Brought,
        needs_secret: bool,
        terms: Terms<'_>,
    ) -> Result<(Client, Option<ClientSecret>), RegistryError> {
        let Brought { mut client, secret, .. } = brought;
        // One that was here before may have ended tokens: they stay dead, the next ones live.
        client.token_epoch = client.token_epoch.max(self.revoker.revocations.epoch(&client.id));
        if client.creator.is_empty() {
            client.creator = terms.actor.id().to_string();
        }
        client.updater = terms.actor.id().to_string();
        if let Some(secret) = secret {
            client.secrets.push(self.kept(&secret, &client.id, terms.now).await?);
        }
        if !needs_secret {
            return Ok((client, None));
        }
        let (secret, stored) = self.make_secret(&client.id, terms.now).await?;
        client.secrets.push(stored);
        Ok((client, Some(secret)))
    }

    /// What is kept of a secret that was brought in plain.
    async fn kept(
        &self,
        secret: &ClientSecret,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<StoredSecret, RegistryError> {
        let (id, checksummed) = match secret.form(client, &self.pepper) {
            Form::Ours(id) => (id, true),
            Form::Forged | Form::Foreign => (CredentialId::random(&*self.entropy)?, false),
        };
        let hash = self.hashes.hash(secret, &self.entropy).await??;
        Ok(StoredSecret { id, hash, checksummed, created: now, expires: None, last_used: None })
    }
}

impl Brought {
    /// Whether it authenticates with a secret and brings none.
    fn needs_secret(&self) -> bool {
        self.client.auth_method != AuthMethod::PrivateKeyJwt
            && self.client.secrets.is_empty()
            && self.secret.is_none()
    }
}

/// A client that can be one here, with what is to be said of the size of its tokens; or why it
/// cannot.
type Judged = Result<(Option<LargeToken>, Brought), RegistryError>;

/// Each document with its id; nothing more if one of the same id came before it.
fn judged(
    documents: Vec<Value>,
    judge: impl Fn(Value) -> Judged,
) -> Vec<(Option<String>, Option<Judged>)> {
    let mut seen = HashSet::new();
    let each = documents.into_iter().map(|document| {
        let id = document.get("clientId").and_then(Value::as_str).map(str::to_owned);
        let is_first = id.as_ref().is_none_or(|id| seen.insert(id.clone()));
        (id, is_first.then(|| judge(document)))
    });
    each.collect()
}

/// What became of a client that was not refused.
struct Done {
    outcome: Outcome,
    secret: Option<ClientSecret>,
    last_login: Option<Timestamp>,
    shared_keys: Vec<SharedKey>,
    left_out: Vec<LeftOut>,
    large_token: Option<LargeToken>,
    has_bcrypt: bool,
}

impl Default for Done {
    fn default() -> Self {
        Self {
            outcome: Outcome::Imported,
            secret: None,
            last_login: None,
            shared_keys: Vec::new(),
            left_out: Vec::new(),
            large_token: None,
            has_bcrypt: false,
        }
    }
}

fn reported(client_id: Option<String>, done: Result<Done, RegistryError>) -> Imported {
    match done {
        Ok(Done {
            outcome,
            secret,
            last_login,
            shared_keys,
            left_out,
            large_token,
            has_bcrypt,
        }) => Imported {
            client_id,
            outcome,
            secret,
            reason: None,
            last_login,
            shared_keys,
            left_out,
            large_token,
            has_bcrypt,
        },
        Err(error) => {
            let outcome = failure(&error);
            if outcome == Outcome::Failed {
                tracing::error!(reason = %error, "a client could not be imported");
            }
            let reason = Some(printable::message(&error.description()));
            Imported {
                client_id,
                outcome,
                secret: None,
                reason,
                last_login: None,
                shared_keys: Vec::new(),
                left_out: Vec::new(),
                large_token: None,
                has_bcrypt: false,
            }
        }
    }
}

/// Whether the same may go well a moment later.
fn failure(error: &RegistryError) -> Outcome {
    use crate::domain::error_code::ErrorCode;

    match error.code() {
        ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => Outcome::Failed,
        _ => Outcome::Refused,
    }
}

fn refused<T>(why: &str) -> Result<T, RegistryError> {
    Err(RegistryError::Metadata(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::store_error::StoreError;

    #[test]
    fn what_may_go_well_a_moment_later_is_no_refusal() {
        for (error, outcome) in [
            (RegistryError::Busy(Busy), Outcome::Failed),
            (RegistryError::Store(StoreError::new("away")), Outcome::Failed),
            (RegistryError::Metadata("no".to_owned()), Outcome::Refused),
        ] {
            let told = reported(Some("svc".to_owned()), Err(error));
            assert_eq!((told.outcome, told.is_new()), (outcome, false));
            assert!(!told.reason.unwrap().contains("away"), "the log is told, the caller is not");
        }
    }
}
