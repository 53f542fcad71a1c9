//! What an administrator should hear of the tokens of a client: how large they would be.

use std::fmt;

use serde_json::Value;

use crate::domain::claims::{self, AccessTokenClaims};
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::CredentialId;
use crate::domain::token_size::OF_GATEWAYS;

use super::Sealer;
use super::token::{TokenIssuer, TokenRules, administers};

/// A token with all that its client is granted is large.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LargeToken {
    size: usize,
    most: usize,
    has_own_claims: bool,
}

impl fmt::Display for LargeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, most, .. } = self;
        write!(f, "a token with all that the client is granted has ")?;
        match self.has_own_claims {
            true => write!(f, "at least {size} bytes, and more with what its own claims say; ")?,
            false => write!(f, "{size} bytes; ")?,
        }
        match size > most {
            true => write!(f, "none of more than {most} bytes is issued"),
            false => write!(f, "gateways may refuse one of more than {OF_GATEWAYS} bytes"),
        }
    }
}

impl TokenIssuer {
    /// The notice about a client whose tokens not everybody takes.
    #[must_use]
    pub fn notice(&self, client: &Client) -> Option<LargeToken> {
        self.rules.notice(client, &*self.sealer)
    }
}

impl TokenRules {
    /// The same about tokens that this signs; none while no key does.
    pub fn notice(&self, client: &Client, sealer: &dyn Sealer) -> Option<LargeToken> {
        let (size, most) = (sealer.sealed_length(&self.largest(client))?, self.longest_token);
        let has_own_claims = !client.allowed_custom_claims.is_empty();
        (size > most.min(OF_GATEWAYS)).then_some(LargeToken { size, most, has_own_claims })
    }

    /// The claims of a token with all that the client is granted. What its own claims will say
    /// nobody knows: each says as little as it can.
    fn largest(&self, client: &Client) -> AccessTokenClaims {
        let aud = match client.audience.is_empty() && !administers(client) {
            true => self.default_audience.clone(),
            false => client.audience.clone(),
        };
        let own = client.allowed_custom_claims.iter().filter(|name| !claims::is_reserved(name));
        let scope = client.scope.as_str();
        AccessTokenClaims {
            iss: self.issuer.clone(),
            sub: client.id.clone(),
            client_id: client.id.clone(),
            aud: aud.into(),
            exp: Timestamp(u32::MAX.into()),
            iat: Timestamp(u32::MAX.into()),
            jti: "j".repeat(22).into(),
            permissions: client.permissions.as_slice().into(),
            groups: client.groups.as_slice().into(),
            scope: (!scope.is_empty()).then(|| scope.into()),
            epoch: client.token_epoch,
            cred: Some(longest_credential(client)),
            custom: Some(Box::new(own.map(|name| (name.clone(), Value::from(0))).collect())),
        }
    }
}

/// Where the keys are published, it is part of a thumbprint.
fn longest_credential(client: &Client) -> CredentialId {
    let secrets = client.secrets.iter().map(|secret| &secret.id);
    let held = secrets.chain(client.keys.iter().map(|key| &key.id));
    let longest = held.max_by_key(|id| id.as_str().len()).cloned();
    longest.unwrap_or_else(|| CredentialId::from("c".repeat(CredentialId::KEY_LENGTH).as_str()))
}
