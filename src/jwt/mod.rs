//! Signed JWTs: the only module that imports `jsonwebtoken`. Behind the ports of [`crate::oauth`].

mod assertion;
mod key_folder;
mod key_proof;
mod opener;
mod own_keys;
mod private_key;
mod provider;
mod ring;
mod strict;

pub use assertion::{Assertion, StrictReader, sign_assertion};
pub use key_folder::{KeyFolder, KeyFolderError, NamedKey, OwnKey};
pub use key_proof::{KeyProof, sign_key_proof};
pub use opener::CachedOpener;
pub use private_key::{KeyFileError, PrivateKey};
pub use ring::{Jwks, KeyRing};

/// The media type in the header of an access token:
/// [RFC 9068 §2.1](https://www.rfc-editor.org/rfc/rfc9068#section-2.1).
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// The same of a signed answer about a token:
/// [RFC 9701 §5](https://www.rfc-editor.org/rfc/rfc9701#section-5).
const INTROSPECTION_TYPE: &str = "token-introspection+jwt";

fn algorithm(algorithm: crate::domain::jwk::Algorithm) -> jsonwebtoken::Algorithm {
    use crate::domain::jwk::Algorithm;
    match algorithm {
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
    }
}
