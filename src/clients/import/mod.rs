//! An admin brings in the clients of another platform: each keeps its id, and as much of its
//! credentials as can be kept.

mod credentials;
mod document;
pub mod extended;
pub mod foreign;
mod imported;
mod members;
mod values;

use std::collections::HashSet;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::audit::Action;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::Client;
use crate::domain::secret::{ClientSecret, Form};
use crate::hashing::Busy;
use crate::oauth::token::TokenIssuer;
use crate::oauth::token_notice::LargeToken;

use super::change::By;
use super::error::{ClientsError, refused};
use super::{Clients, Inserted};

use document::Brought;

pub use imported::{Imported, Outcome};

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

impl Clients {
    /// Brings in clients. Each is a write of its own: what becomes of one is no matter to the
    /// others, and to bring the same again does no harm.
    pub async fn import(
        &self,
        by: By<'_>,
        documents: Vec<Value>,
        mode: Mode,
        issuer: &TokenIssuer,
    ) -> Result<Vec<Imported>, ClientsError> {
        let (limits, now) = (self.limits, by.now);
        let (rules, sealer) = (issuer.rules.clone(), issuer.sealer.clone());
        let judge = move |document| {
            let brought = document::read(document, &limits, now)?;
            Ok((rules.notice(&brought.client, &*sealer), brought))
        };
        // Judging a batch takes a while, in which others want to be served.
        let judging = tokio::task::spawn_blocking(move || judged(documents, judge));
        let judged = judging.await.map_err(|_| Busy::default())?;
        let each = judged.into_iter().map(|(id, judged)| async move {
            let done = match judged {
                Some(judged) => self.import_one(by, judged, mode).await,
                None => Ok(Imported::of(Outcome::Exists)),
            };
            Imported::told(id, done)
        });
        Ok(stream::iter(each.collect::<Vec<_>>()).buffered(WORKED_ON).collect().await)
    }

    async fn import_one(
        &self,
        by: By<'_>,
        judged: Judged,
        mode: Mode,
    ) -> Result<Imported, ClientsError> {
        let (large_token, mut brought) = judged?;
        let left_out = std::mem::take(&mut brought.left_out);
        // Before a slow hash is computed for nothing.
        if self.repository.read(&brought.client.id).await?.is_some() {
            return Ok(Imported::of(Outcome::Exists));
        }
        let needs_secret = brought.needs_secret();
        let outcome = if needs_secret { Outcome::ImportedWithNewSecret } else { Outcome::Imported };
        let has_bcrypt =
            brought.client.secrets.iter().any(|secret| secret.verifier.hash.is_bcrypt());
        self.refuse_forged(&brought)?;
        let shared_keys = self.keys.admit_shared(&brought.client.id, &brought.client.keys).await?;
        let imported =
            Imported { shared_keys, left_out, large_token, has_bcrypt, ..Imported::of(outcome) };
        if mode == Mode::Try {
            return Ok(imported);
        }
        let (client, secret) = self.with_secrets(by, brought, needs_secret).await?;
        let (author, pair) = (by.authority.author(), (None, Some(&client)));
        let record = self.recorder.change(author, Action::ClientImported, pair, by.now)?;
        match self.repository.insert(&client, &record).await? {
            Inserted::Yes => Ok(Imported { secret, ..imported }),
            Inserted::Duplicate => Ok(Imported::of(Outcome::Exists)),
        }
    }

    /// A secret that would be refused at every use.
    fn refuse_forged(&self, brought: &Brought) -> Result<(), ClientsError> {
        match brought
            .secret
            .as_ref()
            .map(|secret| secret.form(&brought.client.id, &self.secrets.pepper))
        {
            Some(Form::Forged) => refused(
                "its secret has a control character in it, or begins with `lk_` and was not made \
                 for this client on this store",
            ),
            None | Some(Form::Foreign | Form::Ours(_)) => Ok(()),
        }
    }

    async fn with_secrets(
        &self,
        By { authority, now }: By<'_>,
        brought: Brought,
        needs_secret: bool,
    ) -> Result<(Client, Option<ClientSecret>), ClientsError> {
        let Brought { mut client, secret, .. } = brought;
        // One that was here before may have ended tokens: they stay dead, the next ones live.
        client.token_epoch = client.token_epoch.max(self.revoker.revocations.epoch(&client.id));
        if client.creator.is_empty() {
            client.creator = authority.author().actor.to_string();
        }
        client.updater = authority.author().actor.to_string();
        if let Some(secret) = secret {
            client.secrets.push(self.secrets.kept(&secret, &client.id, now).await?);
        }
        if !needs_secret {
            return Ok((client, None));
        }
        let (secret, stored) = self.secrets.make(&client.id, now)?;
        client.secrets.push(stored);
        Ok((client, Some(secret)))
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
type Judged = Result<(Option<LargeToken>, Brought), ClientsError>;

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
