//! Signing with keys that are parsed once.
//!
//! `jsonwebtoken`'s own provider parses the private key again for every signature, which takes
//! longer than the signature itself. This one keeps what it parsed; verification is left as it is.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Once, PoisonError, RwLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, aws_lc};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, EncodingKey};
use signature::Signer;

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

enum KeyPair {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// Parsed keys, by their DER. A process has few, and for its whole life.
static HELD: LazyLock<RwLock<HashMap<Vec<u8>, Arc<KeyPair>>>> = LazyLock::new(RwLock::default);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that the library calls")]
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    let der = key.as_bytes();
    let held = HELD.read().unwrap_or_else(PoisonError::into_inner).get(der).cloned();
    let pair = match held {
        Some(pair) => pair,
        None => {
            let pair = Arc::new(parse(*algorithm, der)?);
            let mut held = HELD.write().unwrap_or_else(PoisonError::into_inner);
            held.entry(der.to_vec()).or_insert(pair).clone()
        }
    };
    Ok(Box::new(HeldSigner { pair, algorithm: *algorithm }))
}

fn parse(algorithm: Algorithm, der: &[u8]) -> Result<KeyPair, Error> {
    let pair = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => RsaKeyPair::from_pkcs8(der).map(KeyPair::Rsa),
        Algorithm::ES256 => {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(KeyPair::Ec)
        }
        Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(KeyPair::Ed25519),
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    pair.map_err(|_| ErrorKind::InvalidKeyFormat.into())
}

struct HeldSigner {
    pair: Arc<KeyPair>,
    algorithm: Algorithm,
}

impl JwtSigner for HeldSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Signer<Vec<u8>> for HeldSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let rsa = |pair: &RsaKeyPair, padding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; pair.public_modulus_len()];
            let signed = pair.sign(padding, &SystemRandom::new(), message, &mut signature);
            signed.map(|()| signature).map_err(signature::Error::from_source)
        };
        match (&*self.pair, self.algorithm) {
            (KeyPair::Rsa(pair), Algorithm::RS256) => rsa(pair, &RSA_PKCS1_SHA256),
            (KeyPair::Rsa(pair), Algorithm::PS256) => rsa(pair, &RSA_PSS_SHA256),
            (KeyPair::Ec(pair), Algorithm::ES256) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(signature::Error::from_source),
            (KeyPair::Ed25519(pair), Algorithm::EdDSA) => Ok(pair.sign(message).as_ref().to_vec()),
            _ => Err(signature::Error::new()),
        }
    }
}
