//! The signing keys of all replicas: our own private ones, and the public halves of the others.

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::{EncodingKey, Header};
use parking_lot::RwLock;
use serde::Serialize;
use serde_json::Value;

use crate::domain::claims::AccessTokenClaims;
use crate::domain::clock::Timestamp;
use crate::domain::jwk::Algorithm;
use crate::domain::signing_key::{BRIDGE, PublishedKey};
use crate::oauth::{NotOurs, SealError, Sealer};
use crate::signing::{Need, OwnPublicKey, Ring, succession};

use super::jwks::Jwks;
use super::key_folder::{KeyFolder, KeyFolderError};
use super::own_keys::OwnKeys;
use super::strict::Parts;
use super::verifying_key::VerifyingKey;
use super::{ACCESS_TOKEN_TYPE, INTROSPECTION_TYPE, provider};

/// Signs with one key, verifies with all.
pub struct KeyRing {
    own: OwnKeys,
    state: RwLock<Arc<State>>,
}

struct State {
    active: Option<Active>,
    next: Option<(String, Timestamp)>,
    verifying: HashMap<Arc<str>, Published>,
    jwks: Jwks,
}

#[derive(Clone)]
struct Active {
    algorithm: Algorithm,
    kid: String,
    header: Header,
    key: EncodingKey,
    signature_length: usize,
    // What the store was promised: beyond it the others may have forgotten the key.
    until: Timestamp,
}

impl Active {
    fn header(&self, typ: &str) -> Header {
        Header { typ: Some(typ.to_owned()), ..self.header.clone() }
    }
}

struct Published {
    key: VerifyingKey,
    imported: Option<Timestamp>,
}

impl KeyRing {
    /// A ring with private keys, of which nothing is published yet: it signs and verifies nothing.
    pub fn open(folder: KeyFolder) -> Result<Self, KeyFolderError> {
        provider::install();
        let own = OwnKeys::open(folder)?;
        let jwks = Jwks::of(&[]);
        let state = State { active: None, next: None, verifying: HashMap::new(), jwks };
        Ok(Self { own, state: RwLock::new(Arc::new(state)) })
    }

    /// The key that signs from now on. While there is none of the algorithm that tokens are signed
    /// with, the one before goes on for a while; then one of another algorithm has to do.
    fn choose(&self, published: &[PublishedKey], now: Timestamp) -> Option<Active> {
        let (own, wanted) = (self.own.public(), self.own.algorithm());
        let signs = |algorithm| {
            let shown = succession::signer(&own, published, algorithm, now)?;
            self.active(shown)
        };
        signs(wanted)
            .or_else(|| self.before(wanted, published, now))
            .or_else(|| Algorithm::FOR_TOKENS.into_iter().find_map(signs))
    }

    fn next(&self, published: &[PublishedKey], now: Timestamp) -> Option<(String, Timestamp)> {
        let next = succession::next(&self.own.public(), published, self.own.algorithm(), now)?;
        Some((next.jwk.kid.clone(), next.signs_from))
    }

    fn active(&self, shown: &PublishedKey) -> Option<Active> {
        let all = self.own.all();
        let own = all.iter().find(|own| own.key.public().kid == shown.jwk.kid)?;
        let jwk = own.key.public();
        let mut header = Header::new(super::token_algorithm(jwk.algorithm)?);
        header.kid = Some(jwk.kid.clone());
        Some(Active {
            algorithm: jwk.algorithm,
            kid: jwk.kid.clone(),
            header,
            key: own.key.encoding_key(),
            signature_length: jwk.material.signature_length(),
            until: shown.signs_until,
        })
    }

    /// What signed until now, for as long as it takes to have another.
    fn before(
        &self,
        algorithm: Algorithm,
        published: &[PublishedKey],
        now: Timestamp,
    ) -> Option<Active> {
        let mut active = self.state().active.clone()?;
        active.until = active.until.min(now + BRIDGE);
        let verifies = published.iter().any(|shown| shown.jwk.kid == active.kid);
        (verifies && active.algorithm == algorithm && now < active.until).then_some(active)
    }

    /// Whether the files of our own keys could be read when they were looked at last.
    #[must_use]
    pub fn are_files_readable(&self) -> bool {
        self.own.are_files_readable()
    }

    /// Whether tokens can be signed.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.state().active.is_some()
    }

    /// The `kid` that signs now.
    #[must_use]
    pub fn active_kid(&self) -> Option<String> {
        self.state().active.as_ref().map(|active| active.kid.clone())
    }

    /// The `kid` that signs next, and from when on.
    #[must_use]
    pub fn next_kid(&self) -> Option<(String, Timestamp)> {
        self.state().next.clone()
    }

    /// The algorithms that tokens may be signed with, for the metadata.
    #[must_use]
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let state = self.state();
        let mut all: Vec<_> = state.verifying.values().map(|shown| shown.key.algorithm).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The key set.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        self.state().jwks.clone()
    }

    fn state(&self) -> Arc<State> {
        self.state.read().clone()
    }

    /// A JWT of this type, signed with the active key.
    fn sign(
        &self,
        typ: &str,
        claims: &impl Serialize,
        now: Timestamp,
    ) -> Result<String, SealError> {
        let state = self.state();
        let in_time = state.active.as_ref().filter(|active| now < active.until);
        let active = in_time.ok_or(SealError::NoActiveKey)?;
        jsonwebtoken::encode(&active.header(typ), claims, &active.key)
            .map_err(|error| SealError::Signature(error.into()))
    }

    /// Checks the signature by the key that the header names, and the type of the JWT. For a JWT
    /// that another platform signed with an imported key: when that key was taken over.
    pub(super) fn verify(
        &self,
        parts: &Parts<'_>,
    ) -> Result<(Arc<str>, Option<Timestamp>), NotOurs> {
        let state = self.state();
        let kid = parts.header.kid.as_deref().ok_or(NotOurs::Malformed)?;
        let (kid, shown) = state.verifying.get_key_value(kid).ok_or(NotOurs::UnknownKey)?;
        let typ = parts.header.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
        let imported = match (typ.strip_prefix("application/").unwrap_or(&typ), shown.imported) {
            (ACCESS_TOKEN_TYPE, _) => None,
            ("jwt", Some(imported)) => Some(imported),
            _ => return Err(NotOurs::Type),
        };
        if parts.is_signed_by(&shown.key) {
            Ok((kid.clone(), imported))
        } else {
            Err(NotOurs::Signature)
        }
    }
}

impl Ring for KeyRing {
    fn own(&self) -> Vec<OwnPublicKey> {
        self.own.public()
    }

    fn algorithm(&self) -> Algorithm {
        self.own.algorithm()
    }

    fn active_kid(&self) -> Option<String> {
        self.active_kid()
    }

    fn signs_with(&self) -> Option<Algorithm> {
        self.state().active.as_ref().map(|active| active.algorithm)
    }

    fn look_at_files(&self) {
        self.own.look_at_files();
    }

    fn make(&self, algorithm: Algorithm, name: &str, need: Need) {
        self.own.make(algorithm, name, need);
    }

    fn update(&self, published: &[PublishedKey], now: Timestamp) {
        let verifying = published.iter().filter_map(|shown| {
            let key = VerifyingKey::of(&shown.jwk)?;
            Some((shown.jwk.kid.as_str().into(), Published { key, imported: shown.imported }))
        });
        let state = State {
            active: self.choose(published, now),
            next: self.next(published, now),
            verifying: verifying.collect(),
            jwks: Jwks::of(published),
        };
        *self.state.write() = Arc::new(state);
    }
}

impl Sealer for KeyRing {
    fn seal(&self, claims: &AccessTokenClaims) -> Result<String, SealError> {
        self.sign(ACCESS_TOKEN_TYPE, claims, claims.iat)
    }

    fn sealed_length(&self, claims: &AccessTokenClaims) -> Option<usize> {
        let state = self.state();
        let active = state.active.as_ref()?;
        let header = serde_json::to_vec(&active.header(ACCESS_TOKEN_TYPE)).ok()?.len();
        let claims = serde_json::to_vec(claims).ok()?.len();
        // Base64 without padding, and two dots: RFC 7515 §7.1.
        let parts = [header, claims, active.signature_length].map(|part| (part * 4).div_ceil(3));
        Some(parts.iter().sum::<usize>() + 2)
    }

    fn seal_answer(&self, claims: &Value, now: Timestamp) -> Result<String, SealError> {
        self.sign(INTROSPECTION_TYPE, claims, now)
    }
}
