//! May this request pass? The policy that is in force, asked about the token that came with it.

use std::sync::Arc;

use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::gateway::{Outcome, Policy, Principal, Reason, Request};
use crate::oauth::error::TokenFault;
use crate::oauth::tokeninfo::{LiveToken, TokenJudge};
use crate::tasks::policy_file::PolicyFile;

/// Answers gateways, in whichever way they ask.
pub struct Gatekeeper {
    /// What judges tokens.
    pub judge: Arc<TokenJudge>,
    /// Where the policy comes from; `None`: there is none, and nothing passes.
    pub policy: Option<Arc<PolicyFile>>,
}

/// What a gateway asks about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Its path as it was sent; a query behind it is not looked at.
    pub path: &'a str,
    /// What the gateway says of the kind of client.
    pub client_type: Option<&'a str>,
    /// Whether the gateway says that it is a request of the back office.
    pub backoffice: bool,
}

/// What is answered, and why.
#[derive(Debug)]
pub struct Verdict {
    /// Why; for the log.
    pub why: Why,
    /// What was wrong with the token, if one came with the request and it is not good.
    pub fault: Option<TokenFault>,
    /// The path of the rule that says no, as the policy writes it; for the log.
    pub rule: Option<Box<str>>,
    /// The token, if it is good.
    pub token: Option<LiveToken>,
}

/// Why a request may pass or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Why {
    /// The policy says so.
    #[error(transparent)]
    Policy(#[from] Reason),
    /// There is none.
    #[error("no policy is loaded")]
    NoPolicy,
    /// Who asks is not to choose which of them counts.
    #[error("more than one credential was sent")]
    TwoCredentials,
    /// The gateway passed on what its caller invented, or is not set up as we are told.
    #[error("it is not clear what the original request was")]
    Unclear,
}

/// What is answered.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Answer {
    /// The request may pass.
    Yes,
    /// Not without another credential.
    Unauthorized,
    /// Not at all.
    Forbidden,
}

impl Gatekeeper {
    /// The policy that is in force.
    #[must_use]
    pub fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.as_ref().map(|file| file.policy())
    }

    /// Whether the request may pass that came with this token, or with none
    /// ([`TokenFault::Missing`]). Fails only if that cannot be said now.
    pub async fn judge(
        &self,
        question: &Question<'_>,
        token: Result<&str, TokenFault>,
        now: Timestamp,
    ) -> Result<Verdict, StoreError> {
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
        let mut rule = None;
        let why = match (self.policy(), &fault) {
            (_, Some(TokenFault::Repeated)) => Why::TwoCredentials,
            (None, _) => Why::NoPolicy,
            (Some(policy), _) => {
                let principal = token.as_ref().map(|live| Principal::from(live.claims()));
                let decision = policy.decide(&question.by(principal));
                let denying = decision.rule.filter(|_| decision.outcome() != Outcome::Allowed);
                rule = denying.map(|rule| rule.path.into());
                Why::Policy(decision.reason)
            }
        };
        Ok(Verdict { why, fault, rule, token })
    }
}

impl<'a> Question<'a> {
    /// What the policy says, if this is who asks.
    #[must_use]
    pub fn put(&self, policy: &Policy, principal: Option<Principal<'_>>) -> Why {
        Why::Policy(policy.decide(&self.by(principal)).reason)
    }

    fn by<'b>(&self, principal: Option<Principal<'b>>) -> Request<'b>
    where
        'a: 'b,
    {
        Request {
            method: self.method,
            path: self.path,
            client_type: self.client_type,
            backoffice: self.backoffice,
            principal,
        }
    }
}

impl Verdict {
    /// One for which no token was looked at.
    #[must_use]
    pub fn at_once(why: Why) -> Self {
        Self { why, fault: None, rule: None, token: None }
    }
}

impl Answer {
    /// A name for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
        }
    }
}

impl Why {
    /// What is answered for this reason. The only place where one becomes the other.
    #[must_use]
    pub fn answer(self) -> Answer {
        match self {
            Self::Policy(reason) => match reason.outcome() {
                Outcome::Allowed => Answer::Yes,
                Outcome::NotLoggedIn | Outcome::UnknownRoute => Answer::Unauthorized,
                Outcome::Forbidden => Answer::Forbidden,
            },
            Self::TwoCredentials => Answer::Unauthorized,
            Self::NoPolicy | Self::Unclear => Answer::Forbidden,
        }
    }

    /// A name for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy(reason) => reason.as_str(),
            Self::NoPolicy => "no_policy",
            Self::TwoCredentials => "two_credentials",
            Self::Unclear => "unclear_request",
        }
    }
}
