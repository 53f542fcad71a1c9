//! What an expression is worth.

use crate::policy::principal::Principal;

use super::{Condition, List, Text};

/// What is known of a request beside its method and path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Who asks; `None` without a good token.
    pub principal: Option<Principal<'a>>,
    /// What the gateway says of the kind of client.
    pub client_type: Option<&'a str>,
    /// Whether the gateway says that it is a request of the back office.
    pub backoffice: bool,
}

/// A term that decided, and its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Deciding<'a> {
    /// The term.
    pub term: &'a Condition,
    /// What it was worth.
    pub value: bool,
}

impl Condition {
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::IsBackoffice => facts.backoffice,
            Self::Includes(list, names) => names.iter().any(|name| facts.include(*list, name)),
            Self::Is(text, value) => facts.text(*text) == Some(value),
            Self::IsNot(text, value) => facts.text(*text) != Some(value),
            Self::Not(inner) => !inner.holds(facts),
            Self::Same(sides) => {
                let [left, right] = &**sides;
                left.holds(facts) == right.holds(facts)
            }
            Self::Differ(sides) => {
                let [left, right] = &**sides;
                left.holds(facts) != right.holds(facts)
            }
            Self::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts)),
        }
    }

    /// The terms that the value rests on: with the same values of these, the others do not matter.
    #[must_use]
    pub fn deciding(&self, facts: &Facts<'_>) -> Vec<Deciding<'_>> {
        let mut found = Vec::new();
        self.collect(facts, &mut found);
        found
    }

    fn collect<'a>(&'a self, facts: &Facts<'_>, found: &mut Vec<Deciding<'a>>) {
        let all = |parts: &'a [Self], found: &mut Vec<Deciding<'a>>| {
            for part in parts {
                part.collect(facts, found);
            }
        };
        // The first part of this value settles it; if there is none, all parts together do.
        let first = |parts: &'a [Self], settles: bool, found: &mut Vec<Deciding<'a>>| match parts
            .iter()
            .find(|part| part.holds(facts) == settles)
        {
            Some(part) => part.collect(facts, found),
            None => all(parts, found),
        };
        match self {
            Self::Constant(_)
            | Self::IsBackoffice
            | Self::Includes(..)
            | Self::Is(..)
            | Self::IsNot(..) => found.push(Deciding { term: self, value: self.holds(facts) }),
            Self::Not(inner) => inner.collect(facts, found),
            Self::Same(sides) | Self::Differ(sides) => all(&**sides, found),
            Self::All(parts) => first(parts, false, found),
            Self::Any(parts) => first(parts, true, found),
        }
    }
}

impl Facts<'_> {
    fn include(&self, list: List, name: &str) -> bool {
        self.principal.is_some_and(|principal| match list {
            List::Groups => principal.groups.iter().any(|group| group == name),
            List::Permissions => principal.permissions.iter().any(|p| p.as_str() == name),
            List::Audience => principal.audience.iter().any(|audience| audience.as_str() == name),
            List::Scope => {
                let mut tokens = principal.scope.unwrap_or_default().split(' ');
                !name.is_empty() && tokens.any(|token| token == name)
            }
        })
    }

    fn text(&self, text: Text) -> Option<&str> {
        match text {
            Text::ClientType => self.client_type,
            Text::ClientId => self.principal.map(|principal| principal.client_id),
        }
    }
}
