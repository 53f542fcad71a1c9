//! The language in which a rule says who may pass, such as `groups.admin || permissions["read:x"]`.
//!
//! Parsed once, when the policy is read; evaluated by walking what was parsed.

mod evaluate;
mod malformed;
mod parse;
mod print;
mod tokens;

use std::fmt;
use std::str::FromStr;

use super::request::Request;

pub use evaluate::Deciding;
pub use malformed::MalformedExpression;

/// An expression of a rule: its text, and what it means.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Box<str>,
    condition: Condition,
}

/// What an expression means. [`Display`](fmt::Display) writes it so that parsing gives it back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// `true`, `false`
    Constant(bool),
    /// `isBackoffice`
    IsBackoffice,
    /// `groups.a`, `permissions["a"]`, `["a", "b"] in scope`: whether any of them is in the list.
    Includes(List, Box<[Box<str>]>),
    /// `clientType == "a"`
    Is(Text, Box<str>),
    /// `clientType != "a"`; also true where there is no client type.
    IsNot(Text, Box<str>),
    /// `!a`
    Not(Box<Condition>),
    /// `a == b`, of two conditions.
    Same(Box<[Condition; 2]>),
    /// `a != b`, of two conditions.
    Differ(Box<[Condition; 2]>),
    /// `a && b && …`
    All(Box<[Condition]>),
    /// `a || b || …`
    Any(Box<[Condition]>),
}

/// A list that something may be in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum List {
    /// The groups that an admin put the client in.
    Groups,
    /// The permissions of the token.
    Permissions,
    /// The audience of the token; a token for anyone has none.
    Audience,
    /// The tokens of the scope.
    Scope,
}

/// A text that may be equal to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Text {
    /// What the gateway says of the kind of client.
    ClientType,
    /// The client that the token was issued to.
    ClientId,
}

impl List {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Groups, Self::Permissions, Self::Audience, Self::Scope];

    /// The name in an expression.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Permissions => "permissions",
            Self::Audience => "audience",
            Self::Scope => "scope",
        }
    }
}

impl Text {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ClientType, Self::ClientId];

    /// The name in an expression.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientType => "clientType",
            Self::ClientId => "clientId",
        }
    }
}

impl Expression {
    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it means.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Whether it is true of this request. Allocates nothing.
    #[must_use]
    pub fn holds(&self, request: &Request<'_>) -> bool {
        self.condition.holds(request)
    }
}

impl FromStr for Expression {
    type Err = MalformedExpression;

    fn from_str(text: &str) -> Result<Self, MalformedExpression> {
        Ok(Self { text: text.into(), condition: parse::parse(text)? })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
