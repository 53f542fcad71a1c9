//! The decision: [`Policy::decide`].

use std::ptr;

use super::decision::{Decision, Reason};
use super::path::{PathError, RequestPath};
use super::request::Request;
use super::rules::{Grant, Method, Part, PathRules, Policy};

/// The rule that decides.
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
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        // The longest path decides alone: a shorter one is not asked for what this one lacks.
        let rules = match self.covering(request.path) {
            Ok(rules) => rules,
            Err(reason) => return reason.into(),
        };
        let reason = match Rule::of(rules, request) {
            Ok(rule) => rule.judge(request),
            Err(reason) => reason,
        };
        let denying = (reason != Reason::Permitted).then(|| rules.path().clone());
        Decision { rule: denying, ..reason.into() }
    }

    /// The rules of the longest path that covers this one, whichever way it is read.
    pub(super) fn covering(&self, path: &str) -> Result<&PathRules, Reason> {
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
    pub(super) fn of(rules: &'p PathRules, request: &Request<'_>) -> Result<Self, Reason> {
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
        match (self.grant.expression.holds(request), request.principal) {
            (true, _) => Reason::Permitted,
            (false, None) => Reason::AnonymousNotPermitted,
            (false, Some(_)) => Reason::NotPermitted,
        }
    }
}
