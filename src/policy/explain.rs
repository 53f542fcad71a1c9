//! Why a decision came out as it did, for people.

use std::fmt;

use super::decide::Rule;
use super::decision::Decision;
use super::expression::Deciding;
use super::path::RequestPath;
use super::request::Request;
use super::rules::{PathRules, Policy};

/// A decision with what it rests on.
#[derive(Debug)]
pub struct Explanation<'p> {
    /// The path as it was matched; `None` if it was refused.
    pub path: Option<String>,
    /// The decision.
    pub decision: Decision,
    /// The path that covers that of the request, as the policy writes it.
    pub covered_by: Option<&'p str>,
    /// What decides there, if it says anything of such a request.
    pub rule: Option<Rule<'p>>,
    /// The terms of the expression that decided; none if it was not asked.
    pub deciding: Vec<Deciding<'p>>,
}

impl Policy {
    /// Decides, and says by what.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Explanation<'_> {
        let path = RequestPath::normalise(request.path).ok().map(|path| path.to_string());
        let rules: Option<&PathRules> = self.covering(request.path).ok();
        let rule = rules.and_then(|rules| Rule::of(rules, request).ok());
        let asked = rule.filter(|rule| rule.grant.public || request.principal.is_some());
        let deciding = asked.map(|rule| rule.grant.expression.condition().deciding(request));
        Explanation {
            path,
            decision: self.decide(request),
            covered_by: rules.map(|rules| &**rules.path()),
            rule,
            deciding: deciding.unwrap_or_default(),
        }
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.decision.reason;
        write!(f, "{}: {reason}", reason.outcome().as_str())?;
        if let Some(path) = &self.path {
            write!(f, "\npath        {path}")?;
        }
        let Some(path) = self.covered_by else { return Ok(()) };
        write!(f, "\nrule        {path}")?;
        let Some(rule) = self.rule else { return Ok(()) };
        write!(f, " {} {}", rule.method.as_str(), rule.part.as_str())?;
        write!(f, "\npublic      {}", rule.grant.public)?;
        write!(f, "\nexpression  {}", rule.grant.expression)?;
        for (index, Deciding { term, value }) in self.deciding.iter().enumerate() {
            let label = if index == 0 { "decided by" } else { "" };
            write!(f, "\n{label:<11} {term} is {value}")?;
        }
        Ok(())
    }
}
