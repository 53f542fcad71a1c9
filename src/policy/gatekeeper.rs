//! May this request pass? The policy that is in force, asked about the token that came with it, or
//! about a subject that somebody names.

use std::sync::Arc;

use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::oauth::ClientStore;
use crate::oauth::error::TokenFault;
use crate::oauth::tokeninfo::TokenJudge;

use super::file::PolicyFile;
use super::{Decision, Policy, Principal, Reason, Request, Subject};

/// Decides for gateways, in whichever way they ask.
pub struct Gatekeeper {
    /// What judges tokens.
    pub judge: Arc<TokenJudge>,
    /// Where clients are looked up that are named.
    pub clients: Arc<dyn ClientStore>,
    /// Where the policy comes from; `None`: there is none, and nothing passes.
    pub policy: Option<Arc<PolicyFile>>,
}

impl Gatekeeper {
    /// The policy that is in force.
    #[must_use]
    pub fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.as_ref().map(|file| file.policy())
    }

    /// Whether the request may pass that came with this token, or with none
    /// ([`TokenFault::Missing`]). Fails only if that cannot be said now.
    pub async fn decide(
        &self,
        request: &Request<'_>,
        token: Result<&str, TokenFault>,
        now: Timestamp,
    ) -> Result<Decision, StoreError> {
        let judged = match token {
            Ok(token) => self.judge.judge(token, now).await,
            Err(fault) => Err(fault),
        };
        let (token, fault) = match judged {
            Ok(live) => (Some(live), None),
            Err(TokenFault::Store(error)) => return Err(error),
            Err(TokenFault::Missing) => (None, None),
            Err(fault) => (None, Some(fault)),
        };
        let principal = token.as_ref().map(|live| Principal::from(live.claims()));
        let decision = match &fault {
            Some(TokenFault::Repeated) => Reason::TwoCredentials.into(),
            _ => self.ask(request, principal),
        };
        Ok(Decision { token, fault, ..decision })
    }

    /// Whether the subject may do what is asked about. Fails only if that cannot be said now.
    pub async fn decide_for(
        &self,
        subject: Subject<'_>,
        request: &Request<'_>,
        now: Timestamp,
    ) -> Result<Decision, StoreError> {
        match subject {
            Subject::Client(id) => self.decide_for_client(id, request).await,
            Subject::Bearer { token, client_id } => {
                let mut decision = self.decide(request, Ok(token), now).await?;
                // A request passes without a token where it may pass with a dead one; a subject is its token.
                match &decision.token {
                    None => decision.reason = Reason::BadToken,
                    Some(live) => {
                        let is_other = |id: &str| id != live.claims().client_id.as_str();
                        if client_id.is_some_and(is_other) {
                            decision.reason = Reason::OtherClient;
                        }
                    }
                }
                Ok(decision)
            }
        }
    }

    /// By its grants as they are stored. One that is not published is as one that is not there.
    async fn decide_for_client(
        &self,
        id: &str,
        request: &Request<'_>,
    ) -> Result<Decision, StoreError> {
        let found = match id.parse() {
            Ok(id) => self.clients.find(&id).await?,
            Err(_) => None,
        };
        let client = found.filter(|client| client.is_in_use());
        Ok(match &client {
            None => Reason::UnknownSubject.into(),
            Some(client) => self.ask(request, Some(Principal::from(client.as_ref()))),
        })
    }

    /// What the policy says of the request, if it is from this principal.
    fn ask(&self, request: &Request<'_>, principal: Option<Principal<'_>>) -> Decision {
        match self.policy() {
            None => Reason::NoPolicy.into(),
            Some(policy) => policy.decide(&Request { principal, ..*request }),
        }
    }
}
