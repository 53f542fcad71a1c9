//! Signing with keys that are parsed once.
//!
//! `jsonwebtoken`'s own provider parses the private key again for every signature, which takes
//! longer than the signature itself. This one keeps what it parsed; verification is left as it is.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Once};

use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, aws_lc};
use jsonwebtoken::errors::{Error, ErrorKind};
use parking_lot::RwLock;
use signature::Signer;

use crate::domain::jwk::Algorithm;

use super::key_pair::KeyPair;

/// Makes every signature in this process use held keys.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    // A second provider would be somebody else's; then tokens are signed all the same, slower.
    ONCE.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

static PROVIDER: LazyLock<CryptoProvider> =
    LazyLock::new(|| CryptoProvider { signer_factory: signer, ..aws_lc::DEFAULT_PROVIDER.clone() });

/// Parsed keys, by their DER. A process has few, and for its whole life.
static HELD: LazyLock<RwLock<HashMap<Vec<u8>, Arc<KeyPair>>>> = LazyLock::new(RwLock::default);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that the library calls")]
fn signer(named: &jsonwebtoken::Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    let is_it = |ours: &Algorithm| super::token_algorithm(*ours) == Some(*named);
    let algorithm = Algorithm::FOR_TOKENS.into_iter().find(is_it);
    let algorithm = algorithm.ok_or(ErrorKind::InvalidAlgorithm)?;
    let der = key.as_bytes();
    let held = HELD.read().get(der).cloned();
    let pair = match held {
        Some(pair) => pair,
        None => {
            let pair = KeyPair::parse(algorithm, der).ok_or(ErrorKind::InvalidKeyFormat)?;
            let mut held = HELD.write();
            held.entry(der.to_vec()).or_insert(Arc::new(pair)).clone()
        }
    };
    Ok(Box::new(HeldSigner { pair, algorithm, named: *named }))
}

struct HeldSigner {
    pair: Arc<KeyPair>,
    algorithm: Algorithm,
    named: jsonwebtoken::Algorithm,
}

impl JwtSigner for HeldSigner {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        self.named
    }
}

impl Signer<Vec<u8>> for HeldSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        self.pair.sign(self.algorithm, message).map_err(signature::Error::from_source)
    }
}
