//! Private keys in PEM files.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair, RsaPublicKeyComponents,
};
use jsonwebtoken::EncodingKey;
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncryptedPrivateKeyInfo, LineEnding, SecretDocument};
use secrecy::{ExposeSecret, SecretString};
use strum::VariantArray;
use zeroize::Zeroizing;

use crate::domain::algorithm::UnknownTokenAlgorithm;
use crate::domain::jwk::{Algorithm, PublicJwk};
use crate::domain::key_fault::KeyFault;
use crate::domain::key_material::{Curve, Material};
use crate::domain::pem::{self, PemFault};

use super::key_pair::{KeyPair, ecdsa};

/// A signature of a larger RSA key takes too long for what it is worth.
const LARGEST: usize = 4096;

/// Why a private key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is encrypted and no password was given.
    #[error("the key is encrypted: set the password (LATCHKEY_SIGNING_KEY_PASSWORD)")]
    PasswordMissing,
    /// The password does not decrypt it.
    #[error("the password does not decrypt the key, or its encryption is not supported")]
    PasswordWrong,
    /// OpenSSL's encryption from before PKCS#8.
    #[error(
        "the key is encrypted in OpenSSL's old format (`Proc-Type: 4,ENCRYPTED`): convert it with \
         `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD.pem -out NEW.pem`"
    )]
    OldEncryption,
    /// No key that we read.
    #[error(
        "the file must hold one private key in PEM: PKCS#8 (RSA, EC P-256, P-384 or P-521, or \
         Ed25519) or PKCS#1"
    )]
    Format,
    /// A key of another algorithm than tokens are signed with.
    #[error("the algorithm of a key that signs tokens {0}")]
    Algorithm(#[from] UnknownTokenAlgorithm),
    /// A key that is too large to sign tokens.
    #[error("an RSA key that signs tokens has 2048 to 4096 bits")]
    Large,
    /// The text was changed on its way.
    #[error("{0}")]
    Text(PemFault),
    /// A key that is too weak.
    #[error("{0}")]
    Weak(#[from] KeyFault),
    /// No key could be made.
    #[error("no key could be made")]
    Generation,
}

impl From<PemFault> for KeyFileError {
    fn from(fault: PemFault) -> Self {
        match fault {
            PemFault::Malformed => Self::Format,
            PemFault::ByteOrderMark | PemFault::EscapedLineBreaks => Self::Text(fault),
        }
    }
}

/// A private key, never shown. What is held here is wiped on drop; a key that signs is also held
/// by the signer, for as long as the process lives.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicJwk,
}

impl PrivateKey {
    /// Makes a key by the algorithm: RSA of 2048 bits, on the curve that goes with it, or Ed25519.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyFileError> {
        let failed = |_| KeyFileError::Generation;
        let random = SystemRandom::new();
        let on = |curve| {
            let made = EcdsaKeyPair::generate_pkcs8(ecdsa(curve), &random).map_err(failed)?;
            Ok::<_, KeyFileError>(made.as_ref().to_vec())
        };
        let pkcs8 = match algorithm {
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => {
                let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048)
                    .map_err(|_| KeyFileError::Generation)?;
                key.to_pkcs8_der().map_err(|_| KeyFileError::Generation)?.as_bytes().to_vec()
            }
            Algorithm::ES256 => on(Curve::P256)?,
            Algorithm::ES384 => on(Curve::P384)?,
            Algorithm::ES512 => on(Curve::P521)?,
            Algorithm::EdDSA => {
                // Version 1 of PKCS#8: the one that OpenSSL reads.
                Ed25519KeyPair::generate_pkcs8v1(&random).map_err(failed)?.as_ref().to_vec()
            }
        };
        Self::from_pkcs8(pkcs8)?.with_algorithm(algorithm)
    }

    /// Reads a PEM file: PKCS#8, encrypted or not, or PKCS#1.
    pub fn from_pem(text: &str, password: Option<&SecretString>) -> Result<Self, KeyFileError> {
        if text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(KeyFileError::OldEncryption);
        }
        let (label, der) = pem::decode(text)?;
        match label {
            "PRIVATE KEY" => Self::from_pkcs8(der.to_vec()),
            "ENCRYPTED PRIVATE KEY" => {
                let password = password.ok_or(KeyFileError::PasswordMissing)?;
                let encrypted = EncryptedPrivateKeyInfo::try_from(der.as_slice())
                    .map_err(|_| KeyFileError::Format)?;
                let plain = encrypted
                    .decrypt(password.expose_secret())
                    .map_err(|_| KeyFileError::PasswordWrong)?;
                Self::from_pkcs8(plain.as_bytes().to_vec())
            }
            "RSA PRIVATE KEY" => {
                let key = RsaPrivateKey::from_pkcs1_der(&der).map_err(|_| KeyFileError::Format)?;
                let pkcs8 = key.to_pkcs8_der().map_err(|_| KeyFileError::Format)?;
                Self::from_pkcs8(pkcs8.as_bytes().to_vec())
            }
            _ => Err(KeyFileError::Format),
        }
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, KeyFileError> {
        let pkcs8 = Zeroizing::new(pkcs8);
        let public = PublicJwk::of(public_half(&pkcs8).ok_or(KeyFileError::Format)?)?;
        Ok(Self { pkcs8, public })
    }

    /// The same RSA key for another algorithm than RS256, under a name of its own: a `kid` has one
    /// algorithm.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Result<Self, KeyFileError> {
        match self.public.algorithm {
            same if same == algorithm => Ok(self),
            Algorithm::RS256 if self.public.material.fits(algorithm) => {
                self.public.algorithm = algorithm;
                self.public.kid = format!("{}-{algorithm}", self.public.kid);
                Ok(self)
            }
            _ => Err(KeyFault::Algorithm.into()),
        }
    }

    /// The same key, if it may sign tokens.
    pub fn for_tokens(self) -> Result<Self, KeyFileError> {
        Algorithm::for_tokens(self.public.algorithm.as_str())?;
        if self.public.bits() > LARGEST { Err(KeyFileError::Large) } else { Ok(self) }
    }

    /// The same key under another name.
    #[must_use]
    pub fn named(mut self, kid: &str) -> Self {
        kid.clone_into(&mut self.public.kid);
        self
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicJwk {
        &self.public
    }

    /// The key as PKCS#8 PEM, for a file that nobody else can read.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyFileError> {
        let document =
            SecretDocument::try_from(self.pkcs8.as_slice()).map_err(|_| KeyFileError::Format)?;
        document.to_pem("PRIVATE KEY", LineEnding::LF).map_err(|_| KeyFileError::Format)
    }

    pub(super) fn encoding_key(&self) -> EncodingKey {
        match self.public.material {
            Material::Ec { .. } => EncodingKey::from_ec_der(&self.pkcs8),
            Material::Ed25519 { .. } => EncodingKey::from_ed_der(&self.pkcs8),
            Material::Rsa { .. } => EncodingKey::from_rsa_der(&self.pkcs8),
        }
    }

    /// A signature with the algorithm of the key. The key is parsed each time: for commands alone.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let algorithm = self.public.algorithm;
        KeyPair::parse(algorithm, &self.pkcs8)?.sign(algorithm, message).ok()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.public.kid).finish()
    }
}

/// The public half of whichever kind of key this is.
fn public_half(pkcs8: &[u8]) -> Option<Material> {
    if let Ok(pair) = RsaKeyPair::from_pkcs8(pkcs8) {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        return Some(Material::Rsa { n: public.n, e: public.e });
    }
    for &curve in Curve::VARIANTS {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(ecdsa(curve), pkcs8) {
            let point = pair.public_key().as_ref().get(1..)?;
            let (x, y) = point.split_at_checked(curve.coordinate())?;
            return Some(Material::Ec { curve, x: x.to_vec(), y: y.to_vec() });
        }
    }
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok()?;
    Some(Material::Ed25519 { x: pair.public_key().as_ref().to_vec() })
}
