//! May this request pass? The policy that is in force, asked about the token that came with it, or
//! about whom somebody names.

use std::sync::Arc;

use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::oauth::ClientStore;
use crate::oauth::error::TokenFault;
use crate::oauth::tokeninfo::{LiveToken, TokenJudge};

use super::file::PolicyFile;
use super::{Outcome, Policy, Principal, Reason, Request};

/// Answers gateways, in whichever way they ask.
pub struct Gatekeeper {
    /// What judges tokens.
    pub judge: Arc<TokenJudge>,
    /// Where clients are looked up that are named.
    pub clients: Arc<dyn ClientStore>,
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

/// Whom a question is about that somebody else asks. Not `Debug`: there may be a token in it.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// A client, by its id.
    Client(&'a str),
    /// The bearer of a token.
    Bearer {
        /// The token.
        token: &'a str,
        /// The client that it is said to be of, if that is said.
        client_id: Option<&'a str>,
    },
}

/// What is answered, and why.
#[derive(Debug)]
pub struct Verdict {
    /// Why; for the log.
    pub why: Why,
    /// What was wrong with the token, if one came with the request and it is not good.
    pub fault: Option<TokenFault>,
    /// The path whose rules say no, as the policy writes it; for the log.
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
    #[error("the original request is ambiguous")]
    Unclear,
    /// No published client has this id, or nothing is known of this kind of subject.
    #[error("unknown subject")]
    UnknownSubject,
    /// The policy is about routes.
    #[error("the resource is not a route")]
    UnknownResource,
    /// The token of the subject is dead, or none.
    #[error("the token is invalid or has expired")]
    BadToken,
    /// The token of the subject is another client's.
    #[error("the token was issued to another client")]
    OtherClient,
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
        let principal = token.as_ref().map(|live| Principal::from(live.claims()));
        let (why, rule) = match &fault {
            Some(TokenFault::Repeated) => (Why::TwoCredentials, None),
            _ => self.decide(question, principal),
        };
        Ok(Verdict { why, fault, rule, token })
    }

    /// What the policy says, and the path whose rules say no.
    fn decide(
        &self,
        question: &Question<'_>,
        principal: Option<Principal<'_>>,
    ) -> (Why, Option<Box<str>>) {
        let Some(policy) = self.policy() else { return (Why::NoPolicy, None) };
        let decision = policy.decide(&question.by(principal));
        let denying = decision.path.filter(|_| decision.outcome() != Outcome::Allowed);
        (Why::Policy(decision.reason), denying.map(Into::into))
    }

    /// Whether the subject may do what is asked about. Fails only if that cannot be said now.
    pub async fn judge_subject(
        &self,
        question: &Question<'_>,
        subject: Subject<'_>,
        now: Timestamp,
    ) -> Result<Verdict, StoreError> {
        match subject {
            Subject::Client(id) => self.judge_client(question, id).await,
            Subject::Bearer { token, client_id } => {
                let mut verdict = self.judge(question, Ok(token), now).await?;
                // A request passes without a token where it may pass with a dead one; a subject is its token.
                match &verdict.token {
                    None => verdict.why = Why::BadToken,
                    Some(live) => {
                        let is_other = |id: &str| id != live.claims().client_id.as_str();
                        if client_id.is_some_and(is_other) {
                            verdict.why = Why::OtherClient;
                        }
                    }
                }
                Ok(verdict)
            }
        }
    }

    /// By its grants as they are stored. One that is not published is as one that is not there.
    async fn judge_client(&self, question: &Question<'_>, id: &str) -> Result<Verdict, StoreError> {
        let found = match id.parse() {
            Ok(id) => self.clients.find(&id).await?,
            Err(_) => None,
        };
        let client = found.filter(|client| client.is_in_use());
        let (why, rule) = match &client {
            None => (Why::UnknownSubject, None),
            Some(client) => self.decide(question, Some(Principal::from(client.as_ref()))),
        };
        Ok(Verdict { rule, ..Verdict::at_once(why) })
    }
}

impl<'a> Question<'a> {
    /// The question, if this is who asks.
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

impl<'a> Subject<'a> {
    /// The client that it is said to be.
    #[must_use]
    pub fn client_id(self) -> Option<&'a str> {
        match self {
            Self::Client(id) => Some(id),
            Self::Bearer { client_id, .. } => client_id,
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
            Self::BadToken | Self::TwoCredentials => Answer::Unauthorized,
            Self::NoPolicy
            | Self::OtherClient
            | Self::Unclear
            | Self::UnknownResource
            | Self::UnknownSubject => Answer::Forbidden,
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
            Self::UnknownSubject => "unknown_subject",
            Self::UnknownResource => "unknown_resource",
            Self::BadToken => "invalid_token",
            Self::OtherClient => "other_client",
        }
    }
}
