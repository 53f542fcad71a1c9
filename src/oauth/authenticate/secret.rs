//! `client_secret_basic` and `client_secret_post`: RFC 6749 §2.3.1.

use std::time::Duration;

use aws_lc_rs::hmac;
use quick_cache::sync::Cache;

use crate::domain::auth_method::AuthMethod;
use crate::domain::client::{Client, StoredSecret};
use crate::domain::clock::Timestamp;
use crate::domain::credential::Credential;
use crate::domain::secret::{ClientSecret, Form};
use crate::hashing::{Busy, SlowHashes};
use crate::random::{self, NoEntropy};

use super::{Asserted, AuthFailure, AuthenticatedClient, Authenticator, OAuthError, published};

/// Proven secrets that are remembered.
const REMEMBERED: usize = 100_000;

/// How long a secret without a checksum may wait to be checked. Anybody can invent such a secret, so
/// they have a short queue of their own and keep nobody else waiting.
const FOREIGN_PATIENCE: Duration = Duration::from_secs(2);

/// Checks secrets against their hashes. Secrets that were right are remembered, and not hashed again
/// in this process.
#[derive(Debug)]
pub struct SecretChecks {
    ours: SlowHashes,
    foreign: SlowHashes,
    // Proven pairs of hash and secret, as a digest under a key that dies with the process.
    proven: Cache<[u8; 32], ()>,
    key: hmac::Key,
}

impl SecretChecks {
    /// With nothing proven yet.
    pub fn new(hashes: SlowHashes) -> Result<Self, NoEntropy> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()?);
        Ok(Self {
            foreign: hashes.beside(FOREIGN_PATIENCE),
            ours: hashes,
            proven: Cache::new(REMEMBERED),
            key,
        })
    }

    async fn matches(
        &self,
        stored: &Credential<StoredSecret>,
        presented: &ClientSecret,
    ) -> Result<bool, Busy> {
        let digest = self.digest(stored, presented);
        if self.proven.get(&digest).is_some() {
            return Ok(true);
        }
        if stored.verifier.hash.is_light() {
            let matched = stored.verifier.hash.matches(presented);
            if matched {
                self.proven.insert(digest, ());
            }
            return Ok(matched);
        }
        let queue = if stored.verifier.checksummed { &self.ours } else { &self.foreign };
        let turn = queue.turn().await?;
        // Of several that came at once with the same secret, the first has computed for all.
        if self.proven.get(&digest).is_some() {
            return Ok(true);
        }
        let matched = turn.matches(&stored.verifier.hash, presented).await?;
        if matched {
            self.proven.insert(digest, ());
        }
        Ok(matched)
    }

    fn digest(&self, stored: &Credential<StoredSecret>, presented: &ClientSecret) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(stored.verifier.hash.as_str().as_bytes());
        context.update(b"\0");
        context.update(presented.reveal().as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

impl Authenticator {
    pub(super) async fn by_secret(
        &self,
        client_id: &str,
        secret: &ClientSecret,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, OAuthError> {
        let found = self.find(client_id).await?;
        let client = &found.client;
        if client.auth_method == AuthMethod::PrivateKeyJwt {
            return Err(AuthFailure::Method.into());
        }

        let mut proved = None;
        for candidate in self.candidates(client, secret, now)? {
            if self.secrets.matches(candidate, secret).await? {
                proved = Some(candidate);
                break;
            }
        }

        let stored = proved.ok_or(AuthFailure::WrongSecret)?;
        published(client)?;
        if stored.verifier.hash.is_outdated(stored.verifier.profile()) {
            self.upgrade.upgrade(&client.id, stored, secret);
        }
        let credential = stored.id.clone();
        Ok(AuthenticatedClient::proved(found, credential, Asserted::default()))
    }

    /// The stored secrets that the presented one may be: at most one if it is ours, and none at all
    /// if its checksum is wrong, so that guessing costs us nothing.
    fn candidates<'a>(
        &self,
        client: &'a Client,
        presented: &ClientSecret,
        now: Timestamp,
    ) -> Result<Vec<&'a Credential<StoredSecret>>, AuthFailure> {
        let live = client.secrets.iter().filter(|secret| secret.is_live_at(now));
        match presented.form(&client.id, &self.pepper) {
            Form::Ours(id) => live
                .filter(|secret| secret.verifier.checksummed)
                .find(|secret| secret.id == id)
                .map(|secret| vec![secret])
                .ok_or(AuthFailure::Ended),
            Form::Forged => Err(AuthFailure::Checksum),
            Form::Foreign => Ok(live.filter(|secret| !secret.verifier.checksummed).collect()),
        }
    }
}
