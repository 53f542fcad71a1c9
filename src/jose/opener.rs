//! What an access token says, remembered for those that were seen before.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Value, json};

use crate::domain::claims::AccessTokenClaims;
use crate::domain::clock::Timestamp;
use crate::oauth::{NotOurs, TokenOpener};
use crate::revocation::OpenedToken;
use crate::revocation::list::{Revocations, TokenName};

use super::ring::KeyRing;
use super::strict::Parts;

/// Verifies each token once, as long as there is room to remember it.
pub struct CachedOpener {
    ring: Arc<KeyRing>,
    issuer: Arc<str>,
    revocations: Arc<Revocations>,
    // Keyed by the whole token, signature and all: what differs in one character is another token.
    opened: Cache<Box<str>, Arc<OpenedToken>, Bytewise>,
}

#[derive(Clone)]
struct Bytewise;

impl Weighter<Box<str>, Arc<OpenedToken>> for Bytewise {
    fn weight(&self, token: &Box<str>, opened: &Arc<OpenedToken>) -> u64 {
        (BOOKKEEPING + token.len() + size_of::<OpenedToken>() + size_of_parts(&opened.claims))
            as u64
    }
}

/// What an entry of the cache takes beside the token and what it says.
const BOOKKEEPING: usize = 96;
/// What a piece of memory takes beside its content: counters of owners, and rounding.
const PIECE: usize = 16;

/// What claims have elsewhere than in their own structure.
fn size_of_parts(claims: &AccessTokenClaims) -> usize {
    let text = |length: usize| length + PIECE;
    let item = |length: usize| size_of::<String>() + text(length);
    let mut size = text(claims.client_id.as_str().len()) + text(claims.jti.len());
    size += claims.cred.as_ref().map_or(0, |cred| text(cred.as_str().len()));
    size += claims.scope.as_ref().map_or(0, |scope| text(scope.len()));
    size += claims.aud.iter().map(|it| item(it.as_str().len())).sum::<usize>();
    size += claims.permissions.iter().map(|it| item(it.as_str().len())).sum::<usize>();
    size += claims.groups.iter().map(|it| item(it.len())).sum::<usize>();
    // As a structure JSON takes several times what it takes as text.
    size + claims.custom.as_ref().map_or(0, |own| 8 * json!(own).to_string().len())
}

impl CachedOpener {
    /// Remembers tokens in at most `capacity` bytes.
    #[must_use]
    pub fn new(
        ring: Arc<KeyRing>,
        issuer: Arc<str>,
        revocations: Arc<Revocations>,
        capacity: u64,
    ) -> Self {
        let expected = usize::try_from(capacity / 1024).unwrap_or(usize::MAX).max(16);
        let opened = Cache::with_weighter(expected, capacity, Bytewise);
        Self { ring, issuer, revocations, opened }
    }

    fn verify(&self, token: &str) -> Result<OpenedToken, NotOurs> {
        let parts = Parts::of(token).ok_or(NotOurs::Malformed)?;
        let named = parts.header.kid.as_deref().unwrap_or_default();
        // It is not waited for, as for a key that nobody here has seen.
        if self.revocations.is_key_revoked(named) {
            return Err(NotOurs::RevokedKey);
        }
        let (kid, imported) = self.ring.verify(&parts)?;
        let mut claims: AccessTokenClaims = match imported {
            None => serde_json::from_slice(&parts.payload).map_err(|_| NotOurs::Claims)?,
            Some(taken_over) => imported_claims(token, &parts, taken_over)?,
        };
        if claims.iss != self.issuer {
            return Err(NotOurs::Issuer);
        }
        if claims.sub != claims.client_id {
            return Err(NotOurs::Claims);
        }
        // Once in memory is enough.
        claims.iss = self.issuer.clone();
        claims.sub = claims.client_id.clone();
        claims.custom = claims.custom.filter(|own| !own.is_empty());
        self.revocations.note_token(&claims);
        let name = TokenName::of(&claims.jti);
        Ok(OpenedToken { claims, kid, name })
    }
}

impl TokenOpener for CachedOpener {
    fn open(&self, token: &str) -> Result<Arc<OpenedToken>, NotOurs> {
        if let Some(opened) = self.opened.get(token) {
            return Ok(opened);
        }
        let opened = Arc::new(self.verify(token)?);
        self.opened.insert(token.into(), opened.clone());
        Ok(opened)
    }
}

/// A token that the platform before us signed says less; it is good if it is older than the move.
fn imported_claims(
    token: &str,
    parts: &Parts<'_>,
    taken_over: Timestamp,
) -> Result<AccessTokenClaims, NotOurs> {
    let mut claims = parts.claims().ok_or(NotOurs::Claims)?;
    let subject = claims.get("sub").cloned().ok_or(NotOurs::Claims)?;
    claims.entry("client_id").or_insert(subject);
    // There its bearer may have chosen them; groups are what an admin gave.
    claims.remove("groups");
    // A name of its own, so that it can be revoked, and nothing else with it.
    claims.entry("jti").or_insert_with(|| name_of(token).into());
    if let Some(aud) = claims.get_mut("aud").filter(|aud| aud.is_string()) {
        *aud = Value::Array(vec![aud.take()]);
    }
    let claims: AccessTokenClaims =
        serde_json::from_value(Value::Object(claims)).map_err(|_| NotOurs::Claims)?;
    if claims.iat < taken_over { Ok(claims) } else { Err(NotOurs::Type) }
}

/// A name for a token that has none.
fn name_of(token: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    format!("sha256:{}", URL_SAFE_NO_PAD.encode(digest))
}
