//! What is this token worth, asked by those who may know it of others:
//! [RFC 7662](https://www.rfc-editor.org/rfc/rfc7662), signed as in
//! [RFC 9701](https://www.rfc-editor.org/rfc/rfc9701).

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::domain::audience::Audience;
use crate::domain::claims::{self, AccessTokenClaims};
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::permission::{self, ADMIN, INTROSPECT, Permission};

use super::Sealer;
use super::authenticate::AuthenticatedClient;
use super::error::{OAuthError, TokenFault};
use super::tokeninfo::{LiveToken, TokenJudge};

/// Who asks.
#[derive(Debug)]
pub struct Introspector {
    id: ClientId,
    audience: Vec<Audience>,
    may_ask_of_others: bool,
    is_admin: bool,
}

impl Introspector {
    /// A client that has proved its identity. Without the permission it may ask about its own
    /// tokens.
    #[must_use]
    pub fn client(authenticated: &AuthenticatedClient) -> Self {
        let client = authenticated.client();
        Self::of(&client.id, &client.permissions, &client.audience)
    }

    /// Somebody with a live token, which must hold the permission, as must its client if it is known
    /// how that is now.
    pub fn bearer(live: &LiveToken, now: Option<&Client>) -> Result<Self, OAuthError> {
        let claims = live.claims();
        let mut caller = Self::of(&claims.client_id, &claims.permissions, &claims.aud);
        if let Some(client) = now {
            caller.may_ask_of_others &= permission::allows(&client.permissions, INTROSPECT);
            caller.is_admin &= permission::allows(&client.permissions, ADMIN);
        }
        if caller.may_ask_of_others {
            Ok(caller)
        } else {
            Err(OAuthError::NotPermitted(INTROSPECT))
        }
    }

    fn of(id: &ClientId, permissions: &[Permission], audience: &[Audience]) -> Self {
        Self {
            id: id.clone(),
            audience: audience.to_vec(),
            may_ask_of_others: permission::allows(permissions, INTROSPECT),
            is_admin: permission::allows(permissions, ADMIN),
        }
    }
}

/// Answers about tokens.
pub struct Introspection {
    /// Whether a caller hears only of tokens for an audience of its own.
    pub own_audiences: bool,
    /// The `iss` of signed answers.
    pub issuer: String,
    /// What signs them.
    pub sealer: Arc<dyn Sealer>,
}

impl Introspection {
    /// What the token is worth: RFC 7662 §2.2. Whatever is wrong with it, it is only not active.
    pub async fn answer(
        &self,
        judge: &TokenJudge,
        caller: &Introspector,
        token: &str,
        now: Timestamp,
    ) -> Result<Value, OAuthError> {
        if !caller.may_ask_of_others && !is_own(judge, caller, token).await? {
            return Err(OAuthError::NotPermitted(INTROSPECT));
        }
        match judge.judge(token, now).await {
            Ok(live) if self.concerns(live.claims(), caller) => Ok(active(live.claims())),
            Err(TokenFault::Store(error)) => Err(error.into()),
            Ok(_) | Err(_) => Ok(json!({ "active": false })),
        }
    }

    fn concerns(&self, claims: &AccessTokenClaims, caller: &Introspector) -> bool {
        if !self.own_audiences || caller.is_admin || claims.client_id == caller.id {
            return true;
        }
        let own: HashSet<&Audience> = caller.audience.iter().collect();
        claims.aud.iter().any(|audience| own.contains(audience))
    }

    /// The answer as a signed JWT for this caller: RFC 9701 §5.
    pub fn sealed(
        &self,
        caller: &Introspector,
        answer: &Value,
        now: Timestamp,
    ) -> Result<String, OAuthError> {
        let claims = json!({
            "iss": self.issuer,
            "aud": caller.id,
            "iat": now,
            "token_introspection": answer,
        });
        Ok(self.sealer.seal_answer(&claims, now)?)
    }
}

/// Whether it was issued to the caller, however it stands now.
async fn is_own(
    judge: &TokenJudge,
    caller: &Introspector,
    token: &str,
) -> Result<bool, OAuthError> {
    match judge.open(token).await {
        Ok(opened) => Ok(opened.claims.client_id == caller.id),
        Err(TokenFault::Store(error)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

/// What is told of a live token, and of its bearer no more than the token says itself.
fn active(claims: &AccessTokenClaims) -> Value {
    let custom = claims.custom.iter().flat_map(|custom| custom.iter());
    let custom = custom.filter(|(name, _)| !claims::is_reserved(name));
    let mut told: Map<String, Value> =
        custom.map(|(name, value)| (name.clone(), value.clone())).collect();
    let Value::Object(ours) = json!({
        "active": true,
        "client_id": claims.client_id,
        "exp": claims.exp,
        "iat": claims.iat,
        "iss": claims.iss,
        "jti": claims.jti,
        "permissions": claims.permissions,
        "sub": claims.sub,
        "token_type": "Bearer",
    }) else {
        return Value::Null;
    };
    told.extend(ours);
    if !claims.aud.is_empty() {
        told.insert("aud".to_owned(), json!(claims.aud));
    }
    if let Some(scope) = &claims.scope {
        told.insert("scope".to_owned(), json!(scope));
    }
    Value::Object(told)
}
