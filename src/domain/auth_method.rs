//! How clients authenticate.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

/// How a client proves its identity at the token endpoint: the `token_endpoint_auth_method` of
/// [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownAuthMethod, parse_err_fn = unknown)]
pub enum AuthMethod {
    /// A secret in the `Authorization` header (or in the body: the two are one method here).
    #[default]
    ClientSecretBasic,
    /// A secret in the body (or in the header).
    ClientSecretPost,
    /// An assertion signed with a registered key: RFC 7523, RFC 10070.
    PrivateKeyJwt,
}

impl AuthMethod {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The name is of no authentication method that we know.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "`token_endpoint_auth_method` must be client_secret_basic, client_secret_post or private_key_jwt"
)]
pub struct UnknownAuthMethod;

fn unknown(_: &str) -> UnknownAuthMethod {
    UnknownAuthMethod
}
