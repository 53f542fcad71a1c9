//! What an expression is worth.

use crate::policy::request::Request;

use super::{Condition, List, Text};

/// A term that decided, and its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Deciding<'a> {
    /// The term.
    pub term: &'a Condition,
    /// What it was worth.
    pub value: bool,
}

impl Condition {
    pub(super) fn holds(&self, request: &Request<'_>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::IsBackoffice => request.backoffice,
            Self::Includes(list, names) => names.iter().any(|name| request.include(*list, name)),
            Self::Is(text, value) => request.text(*text) == Some(value),
            Self::IsNot(text, value) => request.text(*text) != Some(value),
            Self::Not(inner) => !inner.holds(request),
            Self::Same(sides) => {
                let [left, right] = &**sides;
                left.holds(request) == right.holds(request)
            }
            Self::Differ(sides) => {
                let [left, right] = &**sides;
                left.holds(request) != right.holds(request)
            }
            Self::All(parts) => parts.iter().all(|part| part.holds(request)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(request)),
        }
    }

    /// The terms that the value rests on: with the same values of these, the others do not matter.
    #[must_use]
    pub fn deciding(&self, request: &Request<'_>) -> Vec<Deciding<'_>> {
        let mut found = Vec::new();
        self.collect(request, &mut found);
        found
    }

    fn collect<'a>(&'a self, request: &Request<'_>, found: &mut Vec<Deciding<'a>>) {
        let all = |parts: &'a [Self], found: &mut Vec<Deciding<'a>>| {
            for part in parts {
                part.collect(request, found);
            }
        };
        // The first part of this value settles it; if there is none, all parts together do.
        let first = |parts: &'a [Self], settles: bool, found: &mut Vec<Deciding<'a>>| match parts
            .iter()
            .find(|part| part.holds(request) == settles)
        {
            Some(part) => part.collect(request, found),
            None => all(parts, found),
        };
        match self {
            Self::Constant(_)
            | Self::IsBackoffice
            | Self::Includes(..)
            | Self::Is(..)
            | Self::IsNot(..) => found.push(Deciding { term: self, value: self.holds(request) }),
            Self::Not(inner) => inner.collect(request, found),
            Self::Same(sides) | Self::Differ(sides) => all(&**sides, found),
            Self::All(parts) => first(parts, false, found),
            Self::Any(parts) => first(parts, true, found),
        }
    }
}

impl Request<'_> {
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
