//! What an administrator should hear of the tokens of a client: how large they would be.

use std::fmt;

use serde_json::Map;

use crate::domain::claims::AccessTokenClaims;
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::CredentialId;
use crate::domain::token_size::OF_GATEWAYS;

use super::token::TokenRules;

/// About what a token has beside its claims: its header, and a signature by an RSA key of 2048 bits.
const FRAME: usize = 460;

/// A token with all that its client is granted is large.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LargeToken {
    size: usize,
    most: usize,
}

impl fmt::Display for LargeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, most } = self;
        write!(f, "a token with all that the client is granted has about {size} bytes; ")?;
        match size > most {
            true => write!(f, "none of more than {most} bytes is issued"),
            false => write!(f, "gateways may refuse one of more than {OF_GATEWAYS} bytes"),
        }
    }
}

impl TokenRules {
    /// The notice about a client whose tokens not everybody takes.
    #[must_use]
    pub fn notice(&self, client: &Client) -> Option<LargeToken> {
        let (size, most) = (self.size_of(client), self.longest_token);
        (size > most.min(OF_GATEWAYS)).then_some(LargeToken { size, most })
    }

    /// About how many bytes a token with all that the client is granted has.
    fn size_of(&self, client: &Client) -> usize {
        let aud = match client.audience.is_empty() {
            true => self.default_audience.clone(),
            false => client.audience.clone(),
        };
        let scope = client.scope.as_str();
        let claims = AccessTokenClaims {
            iss: self.issuer.clone(),
            sub: client.id.clone(),
            client_id: client.id.clone(),
            aud,
            exp: Timestamp(u32::MAX.into()),
            iat: Timestamp(u32::MAX.into()),
            jti: "j".repeat(22),
            permissions: client.permissions.clone(),
            groups: client.groups.clone(),
            scope: (!scope.is_empty()).then(|| scope.to_owned()),
            epoch: client.token_epoch,
            cred: Some(CredentialId::from("c".repeat(12).as_str())),
            custom: Map::new(),
        };
        // It cannot fail: every name of a claim is text.
        let json = serde_json::to_vec(&claims).map_or(0, |json| json.len());
        (json * 4).div_ceil(3) + FRAME
    }
}
