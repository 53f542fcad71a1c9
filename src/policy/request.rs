//! What is decided about: a request that a gateway got, and who it is from.

use super::principal::Principal;

/// A request that a gateway asks about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The method, in capitals as it was sent.
    pub method: &'a str,
    /// The path as it was sent; a query behind it is not looked at.
    pub path: &'a str,
    /// What the gateway says of the kind of client.
    pub client_type: Option<&'a str>,
    /// Whether the gateway says that it is a request of the back office.
    pub backoffice: bool,
    /// Whose token it is; `None` without a good one. No gateway says this: the gatekeeper finds out.
    pub principal: Option<Principal<'a>>,
}

/// Who a request is from, where somebody else asks. Not `Debug`: there may be a token in it.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// The bearer of a token.
    Bearer {
        /// The token.
        token: &'a str,
        /// The client that it is said to be of, if that is said.
        client_id: Option<&'a str>,
    },
    /// A client, by its id.
    Client(&'a str),
}

impl<'a> Request<'a> {
    /// A request about which the gateway says nothing else.
    #[must_use]
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, ..Self::default() }
    }
}

impl<'a> Subject<'a> {
    /// The client that it is said to be.
    #[must_use]
    pub fn client_id(self) -> Option<&'a str> {
        match self {
            Self::Bearer { client_id, .. } => client_id,
            Self::Client(id) => Some(id),
        }
    }
}
