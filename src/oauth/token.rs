//! May this client have this token? RFC 6749 §4.4.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::claims::{self, AccessTokenClaims};
use crate::domain::client::{CLIENT_CREDENTIALS, Client};
use crate::domain::clock::Timestamp;
use crate::domain::free_form;
use crate::domain::lists::ListLimits;
use crate::domain::permission::Permission;
use crate::domain::scope::Scope;
use crate::random;
use crate::revocation::list::Revocations;

use super::Sealer;
use super::authenticate::AuthenticatedClient;
use super::error::OAuthError;
use super::logins::PendingLogins;
use super::quota::Quotas;

/// What is asked for.
#[derive(Debug, Default)]
pub struct TokenRequest {
    /// `scope`; `None`: whatever the client is granted.
    pub scope: Option<Scope>,
    /// `audience`, or `resource`, which says the same; `None`: whatever the client is granted.
    pub audience: Option<Vec<Audience>>,
}

/// What is given: RFC 6749 §5.1.
#[derive(Debug)]
pub struct Issued {
    /// The signed JWT.
    pub access_token: String,
    /// How long it lives.
    pub lifetime: Duration,
    /// The scope, if there is one. RFC 6749 §5.1 makes it optional where it is what was asked for;
    /// several libraries take a missing one for none.
    pub scope: Option<Scope>,
}

/// What an operator may set about tokens.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// The `iss` of every token.
    pub issuer: Arc<str>,
    /// How long a token lives unless its client says otherwise.
    pub lifetime: Duration,
    /// How long a token may live at all.
    pub longest_life: Duration,
    /// The audience of a token whose client has none and asked for none.
    pub default_audience: Vec<Audience>,
    /// Whether an audience must be asked for.
    pub require_audience: bool,
    /// How much may be asked for at once.
    pub lists: ListLimits,
    /// How many bytes a token may have: as many as are taken where tokens are judged.
    pub longest_token: usize,
}

/// Issues access tokens.
pub struct TokenIssuer {
    /// What signs them.
    pub sealer: Arc<dyn Sealer>,
    /// Where it is noted who got one.
    pub logins: Arc<PendingLogins>,
    /// What has ended, so that nothing is issued dead; and where it is noted what may be alive.
    pub revocations: Arc<Revocations>,
    /// How many each client may get.
    pub quota: Arc<Quotas>,
    /// What they obey.
    pub rules: TokenRules,
}

/// Checks the grant before anything else is looked at.
pub fn check_grant(grant_type: Option<&str>) -> Result<(), OAuthError> {
    match grant_type {
        None => Err(OAuthError::Missing("grant_type")),
        Some(CLIENT_CREDENTIALS) => Ok(()),
        Some(_) => Err(OAuthError::UnsupportedGrant),
    }
}

impl TokenIssuer {
    /// Issues a token to a client that has proved its identity.
    pub fn issue(
        &self,
        authenticated: &AuthenticatedClient,
        request: TokenRequest,
        now: Timestamp,
    ) -> Result<Issued, OAuthError> {
        let client = authenticated.client();
        let asserted = authenticated.asserted();
        if !client.may_use_client_credentials() {
            return Err(OAuthError::GrantNotAllowed);
        }
        let custom = allowed_claims(client, &asserted.custom)?;
        let asked = one_list(request.audience, asserted.audiences.clone())?;
        let aud = self.audience(client, asked)?;
        let scope = granted_scope(client, request.scope)?;

        let lifetime = client
            .access_token_lifetime
            .unwrap_or(self.rules.lifetime)
            .min(self.rules.longest_life);
        let claims = AccessTokenClaims {
            iss: self.rules.issuer.clone(),
            sub: client.id.clone(),
            client_id: client.id.clone(),
            aud: aud.into(),
            exp: now + lifetime,
            iat: now,
            jti: URL_SAFE_NO_PAD.encode(random::bytes::<16>()?).into(),
            permissions: client.permissions.as_slice().into(),
            groups: client.groups.as_slice().into(),
            scope: (!scope.is_empty()).then(|| scope.as_str().into()),
            epoch: authenticated.epoch(),
            cred: Some(authenticated.credential().clone()),
            custom: (!custom.is_empty()).then(|| Box::new(custom)),
        };
        // Its tokens were ended since it was looked up: perhaps it is not in use any more.
        if self.revocations.epoch(&client.id) > authenticated.epoch() {
            return Err(OAuthError::Changed);
        }
        self.quota.take(client, now)?;
        let sealed = self.sealer.seal(&claims).map_err(OAuthError::from);
        let sealed = sealed.and_then(|token| self.rules.fitting(token));
        let access_token = sealed.inspect_err(|_| self.quota.give_back(client, now))?;
        self.revocations.note_token(&claims);

        self.logins.note(&client.id, authenticated.credential(), now);
        let scope = (!scope.is_empty()).then_some(scope);
        Ok(Issued { access_token, lifetime, scope })
    }

    fn audience(
        &self,
        client: &Client,
        asked: Option<Vec<Audience>>,
    ) -> Result<Vec<Audience>, OAuthError> {
        let Some(asked) = asked else {
            return match &client.audience {
                granted if granted.is_empty() && administers(client) => Ok(Vec::new()),
                _ if self.rules.require_audience => Err(OAuthError::AudienceRequired),
                granted if granted.is_empty() => Ok(self.rules.default_audience.clone()),
                granted => Ok(granted.clone()),
            };
        };
        if asked.len() > self.rules.lists.audiences {
            return Err(OAuthError::TooManyAudiences(self.rules.lists.audiences));
        }
        let granted: HashSet<&Audience> = client.audience.iter().collect();
        match asked.iter().find(|audience| !granted.contains(audience)) {
            Some(refused) => Err(OAuthError::Audience(refused.clone())),
            None => Ok(asked),
        }
    }
}

impl TokenRules {
    /// The token, unless it would be refused wherever it is shown.
    fn fitting(&self, token: String) -> Result<String, OAuthError> {
        let (size, most) = (token.len(), self.longest_token);
        if size > most { Err(OAuthError::TokenTooLarge { size, most }) } else { Ok(token) }
    }
}

/// Whether its tokens are for this server itself. Without an audience of its own it could ask for
/// none, and where one is required nobody could administer the server.
pub(super) fn administers(client: &Client) -> bool {
    client.permissions.iter().any(Permission::is_ours)
}

/// Audiences may be named in more than one place, if the same are named in each.
pub fn one_list(
    first: Option<Vec<Audience>>,
    second: Option<Vec<Audience>>,
) -> Result<Option<Vec<Audience>>, OAuthError> {
    let first = first.filter(|list| !list.is_empty());
    let second = second.filter(|list| !list.is_empty());
    match (first, second) {
        (Some(first), Some(second)) => {
            let same = HashSet::<&Audience>::from_iter(&first) == HashSet::from_iter(&second);
            if same { Ok(Some(first)) } else { Err(OAuthError::AudiencesDiffer) }
        }
        (first, second) => Ok(first.or(second)),
    }
}

fn granted_scope(client: &Client, asked: Option<Scope>) -> Result<Scope, OAuthError> {
    match asked {
        None => Ok(client.scope.clone()),
        Some(asked) if client.scope.covers(&asked) => Ok(asked),
        Some(_) => Err(OAuthError::Scope),
    }
}

fn allowed_claims(
    client: &Client,
    asserted: &Map<String, Value>,
) -> Result<Map<String, Value>, OAuthError> {
    if asserted.is_empty() {
        return Ok(Map::new());
    }
    let granted: HashSet<&String> = client.allowed_custom_claims.iter().collect();
    let allowed = |name: &String| granted.contains(name) && !claims::is_reserved(name);
    if let Some(refused) = asserted.keys().find(|name| !allowed(name)) {
        return Err(OAuthError::CustomClaim(refused.clone()));
    }
    // The token would be one that nobody can read.
    match asserted.iter().find(|(_, value)| free_form::is_too_deep(value)) {
        Some((deep, _)) => Err(OAuthError::DeepClaim(deep.clone())),
        None => Ok(asserted.clone()),
    }
}
