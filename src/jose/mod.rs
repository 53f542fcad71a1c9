//! Signed JWTs: the only module that imports `jsonwebtoken`. Implements ports of [`crate::oauth`]
//! and [`crate::signing`].

mod assertion;
mod compact;
mod jwks;
mod key_folder;
mod key_pair;
mod key_proof;
mod opener;
mod own_keys;
mod private_key;
mod provider;
mod ring;
mod strict;
mod verifying_key;

pub use assertion::{Assertion, StrictReader, sign_assertion};
pub use compact::SigningError;
pub use jwks::Jwks;
pub use key_folder::{KeyFolder, KeyFolderError, NamedKey, OwnKey};
pub use key_proof::{KeyProof, sign_key_proof};
pub use opener::CachedOpener;
pub use private_key::{KeyFileError, PrivateKey};
pub use ring::KeyRing;

use crate::domain::jwk::Algorithm;

/// The media type in the header of an access token:
/// [RFC 9068 §2.1](https://www.rfc-editor.org/rfc/rfc9068#section-2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// The same of a signed answer about a token:
/// [RFC 9701 §5](https://www.rfc-editor.org/rfc/rfc9701#section-5).
const INTROSPECTION_TYPE: &str = "token-introspection+jwt";

/// What `jsonwebtoken` calls an algorithm that tokens are signed with.
fn token_algorithm(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    match algorithm {
        Algorithm::RS256 => Some(jsonwebtoken::Algorithm::RS256),
        Algorithm::PS256 => Some(jsonwebtoken::Algorithm::PS256),
        Algorithm::ES256 => Some(jsonwebtoken::Algorithm::ES256),
        Algorithm::EdDSA => Some(jsonwebtoken::Algorithm::EdDSA),
        Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS384
        | Algorithm::PS512
        | Algorithm::ES384
        | Algorithm::ES512 => None,
    }
}
