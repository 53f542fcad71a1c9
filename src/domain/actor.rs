//! Who acts: the identity that audit records and client documents name.

use std::fmt;
use std::sync::Arc;

use super::id::{ClientId, PREFIX};

/// Someone, or something, that changes what this server keeps.
///
/// A client is spelled as its client id. Every other actor is spelled with the prefix `latchkey:`,
/// which no client id can have, so that no client can pass for one.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Actor {
    /// A client that shows an access token.
    Client(ClientId),
    /// A client that shows its registration access token: [RFC 7592](https://www.rfc-editor.org/rfc/rfc7592).
    Owner(ClientId),
    /// A person with an account here; the text is the id of the account.
    Person(Arc<str>),
    /// Whoever runs commands on the server's own machine, past the API.
    Operator,
    /// This server, without being asked.
    Server,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) | Self::Owner(id) => id.fmt(f),
            Self::Person(account) => write!(f, "{PREFIX}person:{account}"),
            Self::Operator => write!(f, "{PREFIX}operator"),
            Self::Server => write!(f, "{PREFIX}server"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_can_pass_for_another_actor() {
        let id: ClientId = "svc".parse().unwrap();
        for (actor, spelling, is_client) in [
            (Actor::Client(id.clone()), "svc", true),
            (Actor::Owner(id), "svc", true),
            (Actor::Person("7".into()), "latchkey:person:7", false),
            (Actor::Operator, "latchkey:operator", false),
            (Actor::Server, "latchkey:server", false),
        ] {
            assert_eq!(actor.to_string(), spelling);
            assert_eq!(spelling.parse::<ClientId>().is_ok(), is_client, "{spelling}");
        }
    }
}
