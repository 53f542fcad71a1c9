//! The policy file: who may do what, by path and method. JSON or YAML, the same members.

mod error;
mod read;

use std::path::Path;
use std::sync::Arc;

use super::expression::Expression;
use super::path::RequestPath;
use super::routes::Routes;

pub use error::PolicyError;

/// What the file of a policy is written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// As the platform writes it.
    Json,
    /// As people prefer it.
    Yaml,
}

/// A policy that was read and found good.
#[derive(Debug, Default)]
pub struct Policy {
    routes: Routes<PathRules>,
    paths: usize,
    rules: usize,
}

/// What a policy says of one path and what is below it.
#[derive(Debug)]
pub struct PathRules {
    path: Arc<str>,
    rules: Box<[(Method, MethodRule)]>,
}

/// A method, or all of them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
    /// Each of the others that has no rule of its own.
    All,
}

/// What a policy says of one method of a path.
#[derive(Debug)]
pub struct MethodRule {
    authorization: Option<Grant>,
    backoffice: Option<Grant>,
}

/// One of the two parts of a rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// `authorization`
    Authorization,
    /// `backofficeAuthorization`
    BackofficeAuthorization,
}

/// To whom something is granted.
#[derive(Debug)]
pub struct Grant {
    /// What must be true.
    pub expression: Expression,
    /// Whether it may be true without a good token.
    pub public: bool,
}

impl Format {
    /// By the name of the file, or, if that does not say, by how the text begins.
    #[must_use]
    pub fn of(file: &Path, text: &str) -> Self {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            _ if text.trim_start().starts_with('{') => Self::Json,
            _ => Self::Yaml,
        }
    }
}

impl Policy {
    /// Reads a policy from what is in this file.
    pub fn of_file(file: &Path, content: &[u8]) -> Result<Self, PolicyError> {
        let text = std::str::from_utf8(content);
        let text = text.map_err(|error| PolicyError::of_bytes(error, content))?;
        Self::read(text, Format::of(file, text))
    }

    /// Reads a policy; refuses it whole if anything in it is not understood.
    pub fn read(text: &str, format: Format) -> Result<Self, PolicyError> {
        read::read(text, format)
    }

    /// How many paths it has.
    #[must_use]
    pub fn paths(&self) -> usize {
        self.paths
    }

    /// How many rules it has: one for each method of a path.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules
    }

    pub(super) fn rules_of(&self, path: &RequestPath<'_>) -> Option<&PathRules> {
        self.routes.find(path.as_str())
    }
}

impl PathRules {
    pub(super) fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// The rule of this very method, else the one of all.
    pub(super) fn of(&self, method: Method) -> Option<(Method, &MethodRule)> {
        let named = |wanted: Method| self.rules.iter().find(|(method, _)| *method == wanted);
        named(method).or_else(|| named(Method::All)).map(|(method, rule)| (*method, rule))
    }
}

impl MethodRule {
    /// The part for this kind of request. What the back office has no part of its own for is
    /// judged like anybody's.
    pub(super) fn part(&self, backoffice: bool) -> Option<(Part, &Grant)> {
        let own = self.backoffice.as_ref().filter(|_| backoffice);
        let own = own.map(|grant| (Part::BackofficeAuthorization, grant));
        own.or_else(|| self.authorization.as_ref().map(|grant| (Part::Authorization, grant)))
    }
}

impl Method {
    /// Every method, and `ALL` at the end.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Head,
        Self::Options,
        Self::All,
    ];

    /// The method of a request; `None` for one that no rule can be about.
    #[must_use]
    pub fn of(request: &str) -> Option<Self> {
        Self::named(request).filter(|method| *method != Self::All)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// The name in a policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::All => "ALL",
        }
    }
}

impl Part {
    /// The name in a policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::BackofficeAuthorization => "backofficeAuthorization",
        }
    }
}
