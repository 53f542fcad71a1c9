//! What an administrator wants revoked.

use crate::domain::clock::Timestamp;
use crate::domain::id::{ClientId, CredentialId};

/// Which tokens shall end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// Those of a client, or a part of them.
    Client(ClientId, Part),
    /// Every token that was issued at or before a moment.
    Everything(Timestamp),
    /// Those signed with a key of the server, which signs no more.
    SigningKey(String),
    /// One token, and when it expires if that is known.
    Token(String, Option<Timestamp>),
}

/// An order as it is given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instruction {
    /// Which tokens.
    pub order: Order,
    /// Why; it is kept in the audit record.
    pub reason: Option<String>,
    /// Whether it is meant although there is no such client or key: one that is gone may still have
    /// tokens.
    pub force: bool,
}

/// Which tokens of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    /// All, issued so far.
    All,
    /// Those that were issued at or before a moment.
    Before(Timestamp),
    /// Those obtained with a credential.
    Of(CredentialId),
}

/// The end of the year 9999: no store keeps a later date.
pub const LATEST: Timestamp = Timestamp(253_402_300_799);
