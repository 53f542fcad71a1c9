//! Which tokens have ended before their time: the whole list, in memory, asked at every use of a
//! token.
//!
//! It is sized by what was revoked, never by what was issued, and each entry goes when the last
//! token that it can concern has expired of itself.

mod clients;
mod in_use;
mod tokens;

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::domain::claims::AccessTokenClaims;
use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::revocation::{Revocation, Revoked};
use crate::domain::state::State;

use super::OpenedToken;

use clients::ClientRules;
use in_use::InUse;
use tokens::TokenSet;

pub use tokens::TokenName;

/// How long after a revocation a replica that has not heard of it may still issue tokens.
const UNHEARD: Duration = Duration::from_secs(60);

/// Everything that is revoked.
pub struct Revocations {
    tokens: TokenSet,
    clients: RwLock<ClientRules>,
    rare: RwLock<Rare>,
    in_use: InUse,
    longest_life: Duration,
    skew: Duration,
}

/// What there is little of.
#[derive(Debug, Default)]
struct Rare {
    credentials: HashMap<(ClientId, CredentialId), Rule>,
    signing_keys: HashMap<String, Timestamp>,
    everything: Option<Rule>,
}

/// Tokens issued at or before a moment have ended; the rule itself is needed until another.
#[derive(Clone, Copy, Debug)]
struct Rule {
    before: Timestamp,
    until: Timestamp,
}

impl Rule {
    /// The stricter of two, kept as long as either.
    fn and(self, other: Self) -> Self {
        Self { before: self.before.max(other.before), until: self.until.max(other.until) }
    }
}

impl Revocations {
    /// Nothing revoked yet. `longest_life` is that of any token; `skew` is how far the clocks of
    /// two replicas may be apart.
    #[must_use]
    pub fn new(longest_life: Duration, skew: Duration) -> Self {
        Self {
            tokens: TokenSet::default(),
            clients: RwLock::default(),
            rare: RwLock::default(),
            in_use: InUse::default(),
            longest_life,
            skew,
        }
    }

    /// When the last token that is issued now, here or by a replica that has not heard the news
    /// yet, will have expired.
    #[must_use]
    pub fn horizon(&self, now: Timestamp) -> Timestamp {
        now + self.longest_life + self.skew + UNHEARD
    }

    /// For how long what happened to a client matters to tokens.
    #[must_use]
    pub fn memory(&self) -> Duration {
        self.longest_life + self.skew + UNHEARD
    }

    /// Takes in a revocation; again is no harm.
    pub fn add(&self, revocation: &Revocation) {
        let until = revocation.until;
        match &revocation.revoked {
            Revoked::ClientBefore { client_id, before } => {
                self.clients_mut().end_before(client_id, Rule { before: *before, until });
            }
            Revoked::ClientEpoch { client_id, epoch } => {
                self.clients_mut().raise(client_id, *epoch, until);
            }
            Revoked::Credential { client_id, credential, before } => {
                let rule = Rule { before: *before, until };
                let name = (client_id.clone(), credential.clone());
                let mut rare = self.rare_mut();
                let stands = rare.credentials.entry(name).or_insert(rule);
                *stands = stands.and(rule);
            }
            Revoked::Everything { before } => {
                let rule = Rule { before: *before, until };
                let mut rare = self.rare_mut();
                rare.everything = Some(rare.everything.map_or(rule, |stands| stands.and(rule)));
            }
            Revoked::SigningKey { kid } => {
                self.rare_mut().signing_keys.insert(kid.clone(), until);
            }
            Revoked::Token { jti } => self.tokens.insert(TokenName::of(jti), until),
        }
    }

    /// Takes in how a client stands. While it is not `PUBLIC` its tokens are dead, and so they stay
    /// when it comes back; below its epoch they are dead anyway.
    pub fn see_client(&self, id: &ClientId, state: State, epoch: u64, now: Timestamp) {
        let first_good = match state {
            State::Public => epoch,
            State::Deleted | State::Draft | State::Trash => epoch.saturating_add(1),
        };
        if first_good > 0 {
            self.clients_mut().raise(id, first_good, self.horizon(now));
        }
    }

    /// The least epoch that a token of this client must have.
    #[must_use]
    pub fn epoch(&self, id: &ClientId) -> u64 {
        self.clients().epoch(id)
    }

    /// The least epoch above those of all its tokens that are known of. `written` is the one that the
    /// client itself holds, which another tool may have set back.
    #[must_use]
    pub fn next_epoch(&self, id: &ClientId, written: u64) -> u64 {
        let in_use = self.epoch_in_use(id).unwrap_or_default();
        written.max(self.epoch(id)).max(in_use).saturating_add(1)
    }

    /// Whether this signing key was revoked.
    #[must_use]
    pub fn is_key_revoked(&self, kid: &str) -> bool {
        self.rare().signing_keys.contains_key(kid)
    }

    /// Whether everything that was issued at this time was revoked.
    #[must_use]
    pub fn has_ended_everything_of(&self, issued: Timestamp) -> bool {
        self.rare().everything.is_some_and(|rule| issued <= rule.before)
    }

    /// Whether the token has ended before its time.
    #[must_use]
    pub fn has_ended(&self, token: &OpenedToken) -> bool {
        self.tokens.contains(token.name)
            || self.clients().has_ended(&token.claims, self.skew)
            || self.rare().has_ended(&token.claims, &token.kid, self.skew)
    }

    /// Notes that a token was issued, or seen for the first time.
    pub fn note_token(&self, claims: &AccessTokenClaims) {
        self.in_use.note(claims);
    }

    /// The clients of the tokens that were noted and may be alive, each with the highest epoch.
    #[must_use]
    pub fn clients_in_use(&self) -> Vec<(ClientId, u64)> {
        self.in_use.all()
    }

    /// The highest epoch of the tokens of a client that were noted and may be alive.
    #[must_use]
    pub fn epoch_in_use(&self, id: &ClientId) -> Option<u64> {
        self.in_use.epoch(id)
    }

    /// Drops what concerns no living token any more.
    pub fn forget_expired(&self, now: Timestamp) {
        self.in_use.forget_expired(now);
        self.tokens.forget_expired(now);
        self.clients_mut().forget_expired(now);
        let mut rare = self.rare_mut();
        rare.credentials.retain(|_, rule| now < rule.until);
        rare.signing_keys.retain(|_, until| now < *until);
        rare.everything = rare.everything.filter(|rule| now < rule.until);
    }

    /// How many revocations are held.
    #[must_use]
    pub fn len(&self) -> usize {
        let rare = self.rare();
        let few = rare.credentials.len() + rare.signing_keys.len();
        self.tokens.len() + self.clients().len() + few + usize::from(rare.everything.is_some())
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn clients(&self) -> RwLockReadGuard<'_, ClientRules> {
        self.clients.read()
    }

    fn clients_mut(&self) -> RwLockWriteGuard<'_, ClientRules> {
        self.clients.write()
    }

    fn rare(&self) -> RwLockReadGuard<'_, Rare> {
        self.rare.read()
    }

    fn rare_mut(&self) -> RwLockWriteGuard<'_, Rare> {
        self.rare.write()
    }
}

impl Rare {
    fn has_ended(&self, claims: &AccessTokenClaims, kid: &str, skew: Duration) -> bool {
        let ends = |rule: &Rule| claims.iat.0 <= rule.before.0.saturating_add(skew.as_secs());
        self.everything.as_ref().is_some_and(ends)
            || (!self.signing_keys.is_empty() && self.signing_keys.contains_key(kid))
            || (!self.credentials.is_empty() && {
                let name = claims.cred.clone().map(|cred| (claims.client_id.clone(), cred));
                name.and_then(|name| self.credentials.get(&name)).is_some_and(ends)
            })
    }
}
