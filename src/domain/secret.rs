//! Client secrets: how they are made, recognised and kept.
//!
//! A secret of ours reads `lk_` + the id of the secret (8) + 256 random bits (43) + a checksum (10),
//! all but the prefix from `[A-Za-z0-9]`. The checksum is a MAC bound to the client under the
//! server's pepper: one that was never issued is known for false without a slow hash.

use std::fmt;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::id::{ClientId, CredentialId};
use crate::random::{self, ALPHANUMERIC, NoEntropy};

const PREFIX: &str = "lk_";
const RANDOM_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 10;

/// A secret as a client presents it. Never stored, never printed, wiped on drop.
#[derive(Clone, Debug)] // secrecy prints `[REDACTED]`
pub struct ClientSecret(SecretString);

/// What a presented secret looks like, before any slow hash is computed.
#[derive(Debug)]
pub enum Form {
    /// Made by us, for this client: its checksum is right. Under this id its hash is kept.
    Ours(CredentialId),
    /// Dressed as one of ours, and not: the checksum is wrong. Or no secret at all: it holds a
    /// control character, and bcrypt would take a secret that is repeated behind a NUL for itself.
    Forged,
    /// Not made by us: an operator's, or another platform's.
    Foreign,
}

impl ClientSecret {
    /// Makes a secret for `client`, under `id`.
    pub fn generate(
        client: &ClientId,
        id: &CredentialId,
        pepper: &Pepper,
    ) -> Result<Self, NoEntropy> {
        let random = Zeroizing::new(random::text(ALPHANUMERIC, RANDOM_LENGTH)?);
        let body = Zeroizing::new(format!("{PREFIX}{}{}", id.as_str(), *random));
        let checksum = pepper.checksum(client, &body);
        Ok(Self(SecretString::from(format!("{}{checksum}", *body))))
    }

    /// The text, for the one answer that shows it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Looks at the form alone; whether the secret is right is for its hash to say.
    #[must_use]
    pub fn form(&self, client: &ClientId, pepper: &Pepper) -> Form {
        let text = self.reveal();
        if text.chars().any(char::is_control) {
            return Form::Forged;
        }
        let Some(rest) = text.strip_prefix(PREFIX) else { return Form::Foreign };
        let whole = CredentialId::SECRET_LENGTH + RANDOM_LENGTH + CHECKSUM_LENGTH;
        if rest.len() != whole || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Form::Forged;
        }
        let (body, checksum) = text.split_at(text.len() - CHECKSUM_LENGTH);
        let (id, _) = rest.split_at(CredentialId::SECRET_LENGTH);
        let right = pepper.checksum(client, body);
        if bool::from(right.as_bytes().ct_eq(checksum.as_bytes())) {
            Form::Ours(CredentialId::from(id))
        } else {
            Form::Forged
        }
    }
}

impl From<String> for ClientSecret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// The server's part of every secret's checksum; one for all replicas, made at the first start.
#[derive(Clone)]
pub struct Pepper(hmac::Key);

impl Pepper {
    /// How many bytes a pepper has.
    pub const LENGTH: usize = 32;

    fn checksum(&self, client: &ClientId, body: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(client.as_str().as_bytes());
        context.update(b"\0"); // no client id holds one, so no two pairs read the same
        context.update(body.as_bytes());
        let tag = context.sign();
        // 256 is no multiple of 62: a little uneven, which a checksum may be.
        tag.as_ref()
            .iter()
            .take(CHECKSUM_LENGTH)
            .filter_map(|byte| ALPHANUMERIC.get(usize::from(*byte) % ALPHANUMERIC.len()))
            .map(|byte| char::from(*byte))
            .collect()
    }
}

impl From<[u8; Pepper::LENGTH]> for Pepper {
    fn from(bytes: [u8; Self::LENGTH]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret_hash::SecretHash;

    #[test]
    fn only_what_we_made_for_this_client_has_our_form() {
        let (svc, other): (ClientId, ClientId) = ("svc".parse().unwrap(), "other".parse().unwrap());
        let pepper = Pepper::from([7; 32]);
        let id = CredentialId::random().unwrap();
        let secret = ClientSecret::generate(&svc, &id, &pepper).unwrap();
        let text = secret.reveal().to_owned();
        assert_eq!(text.len(), 64);
        assert!(matches!(secret.form(&svc, &pepper), Form::Ours(found) if found == id));

        let flipped = if text.ends_with('x') { "y" } else { "x" };
        for (why, text, client, pepper) in [
            ("another client", text.clone(), &other, &pepper),
            ("another pepper", text.clone(), &svc, &Pepper::from([8; 32])),
            ("last character", format!("{}{flipped}", &text[..63]), &svc, &pepper),
            ("too short", text[..63].to_owned(), &svc, &pepper),
            ("not ASCII", format!("{}é", &text[..62]), &svc, &pepper),
            ("control character", "hunter2\0hunter2".to_owned(), &svc, &pepper),
        ] {
            let form = ClientSecret::from(text).form(client, pepper);
            assert!(matches!(form, Form::Forged), "{why}");
        }
        let foreign = ClientSecret::from("hunter2".to_owned());
        assert!(matches!(foreign.form(&svc, &pepper), Form::Foreign));
    }

    #[test]
    fn nothing_secret_is_in_debug() {
        let secret = ClientSecret::from("hunter2".to_owned());
        let shown =
            format!("{secret:?} {:?} {:?}", Pepper::from([7; 32]), SecretHash::stored("$2"));
        assert!(!shown.contains("hunter2") && !shown.contains('$') && !shown.contains('7'));
    }
}
