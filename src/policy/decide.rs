//! The decision: [`Policy::decide`].

use std::ptr;

use super::expression::Facts;
use super::path::{PathError, RequestPath};
use super::principal::Principal;
use super::rules::{Grant, Method, Part, PathRules, Policy};

/// What a gateway asks about.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, in capitals as it was sent.
    pub method: &'a str,
    /// The path as it was sent; a query behind it is not looked at.
    pub path: &'a str,
    /// What the gateway says of the kind of client.
    pub client_type: Option<&'a str>,
    /// Whether the gateway says that it is a request of the back office.
    pub backoffice: bool,
    /// Whose token it is; `None` without a good one.
    pub principal: Option<Principal<'a>>,
}

/// What is answered, and why.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'p> {
    /// Why; for the log.
    pub reason: Reason,
    /// The path that covers that of the request, as the policy writes it.
    pub path: Option<&'p str>,
    /// What decided there, if it says anything of such a request.
    pub rule: Option<Rule<'p>>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// The request may pass.
    Allowed,
    /// It may not, and a good token is missing.
    NotLoggedIn,
    /// It may not, whoever asks or with this token.
    Forbidden,
    /// The policy has no rule for it.
    UnknownRoute,
}

/// Why a request may pass or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Reason {
    /// The expression is true.
    #[error("the expression is true")]
    Permitted,
    /// There is no good token, and the rule is not public.
    #[error("the rule is not public, and there is no valid token")]
    LoginRequired,
    /// There is no good token, and without one the expression is false.
    #[error("the expression is false, and there is no valid token")]
    AnonymousNotPermitted,
    /// The token is good, and the expression is false.
    #[error("the expression is false")]
    NotPermitted,
    /// Programs behind the gateway would not agree about the path.
    #[error("the path is refused: {0}")]
    Path(PathError),
    /// No rule covers the path.
    #[error("no rule covers the path")]
    UnknownPath,
    /// The rule of the path says nothing of the method.
    #[error("the rule has no entry for this method")]
    UnknownMethod,
    /// The rule is for requests of the back office alone.
    #[error("the rule applies to back-office requests only")]
    BackofficeOnly,
}

/// The rule that decided.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'p> {
    /// The method, or `ALL`.
    pub method: Method,
    /// Which of the two parts of the rule.
    pub part: Part,
    /// What that part says.
    pub grant: &'p Grant,
}

impl Policy {
    /// Whether the request may pass.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision<'_> {
        // The longest path decides alone: a shorter one is not asked for what this one lacks.
        let rules = match self.covering(request.path) {
            Ok(rules) => rules,
            Err(reason) => return Decision { reason, path: None, rule: None },
        };
        let (reason, rule) = match Rule::of(rules, request) {
            Ok(rule) => (rule.judge(request), Some(rule)),
            Err(reason) => (reason, None),
        };
        Decision { reason, path: Some(rules.path()), rule }
    }

    /// The rules of the longest path that covers this one, whichever way it is read.
    fn covering(&self, path: &str) -> Result<&PathRules, Reason> {
        let path = RequestPath::normalise(path).map_err(Reason::Path)?;
        let rules = self.rules_of(&path).ok_or(Reason::UnknownPath)?;
        for reading in path.other_readings() {
            let others = self.rules_of(&reading.map_err(Reason::Path)?);
            if !others.is_some_and(|others| ptr::eq(others, rules)) {
                return Err(Reason::Path(PathError::Ambiguous));
            }
        }
        Ok(rules)
    }
}

impl<'p> Rule<'p> {
    fn of(rules: &'p PathRules, request: &Request<'_>) -> Result<Self, Reason> {
        let found = Method::of(request.method).and_then(|method| rules.of(method));
        let (method, rule) = found.ok_or(Reason::UnknownMethod)?;
        let (part, grant) = rule.part(request.backoffice).ok_or(Reason::BackofficeOnly)?;
        Ok(Self { method, part, grant })
    }

    fn judge(&self, request: &Request<'_>) -> Reason {
        if !self.grant.public && request.principal.is_none() {
            return Reason::LoginRequired;
        }
        // Of a public rule too: public means that no login is needed, not that all may pass.
        match (self.grant.expression.holds(&request.facts()), request.principal) {
            (true, _) => Reason::Permitted,
            (false, None) => Reason::AnonymousNotPermitted,
            (false, Some(_)) => Reason::NotPermitted,
        }
    }
}

impl<'a> Request<'a> {
    /// What an expression may look at.
    #[must_use]
    pub fn facts(&self) -> Facts<'a> {
        Facts {
            principal: self.principal,
            client_type: self.client_type,
            backoffice: self.backoffice,
        }
    }
}

impl Decision<'_> {
    /// What is answered.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.reason.outcome()
    }
}

impl Reason {
    /// What is answered for this reason. The only place where one becomes the other.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Permitted => Outcome::Allowed,
            Self::LoginRequired | Self::AnonymousNotPermitted => Outcome::NotLoggedIn,
            Self::NotPermitted | Self::Path(_) => Outcome::Forbidden,
            Self::UnknownPath | Self::UnknownMethod | Self::BackofficeOnly => Outcome::UnknownRoute,
        }
    }

    /// A name for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::LoginRequired => "login_required",
            Self::AnonymousNotPermitted => "anonymous_not_permitted",
            Self::NotPermitted => "not_permitted",
            Self::Path(_) => "path_refused",
            Self::UnknownPath => "unknown_path",
            Self::UnknownMethod => "unknown_method",
            Self::BackofficeOnly => "backoffice_only",
        }
    }
}

impl Outcome {
    /// A name for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::NotLoggedIn => "not_logged_in",
            Self::Forbidden => "forbidden",
            Self::UnknownRoute => "unknown_route",
        }
    }
}
