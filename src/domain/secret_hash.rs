//! What is kept of a secret: a hash, as costly as the secret needs it.

use std::fmt;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use argon2::{Algorithm, Argon2, Params, Version};

use super::brought_hash::{BCRYPT_OCTETS, Checkable, HashFault};
use super::secret::ClientSecret;
use crate::random::{self, NoEntropy};

/// What argon2id is computed with. Which one, is decided by where the entropy of the secret is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    /// For what this server made: 256 random bits, which nobody guesses. From 112 bits on any one-way
    /// function will do (NIST SP 800-63B §5.1.2.2), so this one costs next to nothing: a few µs.
    Light,
    /// For what people chose or brought, who may have chosen badly. What OWASP's Password Storage
    /// Cheat Sheet asks for, on purpose slow: about 12 ms and 19 MiB.
    Slow,
}

/// The least that argon2 takes, in KiB.
const LIGHT_MEMORY: u32 = Params::MIN_M_COST;
/// What may be filled before a caller is made to wait, in KiB.
const LIGHT_ENOUGH: u64 = 256;
/// How every light hash of ours begins. It is looked at each time that a secret is shown.
const LIGHT: &str = "$argon2id$v=19$m=8,t=1,p=1$";
/// The least of OWASP's choices, which it takes for equal: 7 MiB, five times.
const SLOW_ENOUGH: u64 = 7168 * 5;

impl Profile {
    /// `ours`: this server made the secret.
    #[must_use]
    pub fn of_secret(ours: bool) -> Self {
        if ours { Self::Light } else { Self::Slow }
    }

    fn argon2(self) -> Result<Argon2<'static>, NoEntropy> {
        let params = match self {
            Self::Light => Params::new(LIGHT_MEMORY, 1, 1, None).map_err(|_| NoEntropy)?,
            Self::Slow => Params::DEFAULT,
        };
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// The hash of a secret: what the store keeps. An argon2id PHC string, or a hash that came from
/// elsewhere.
#[derive(Clone, Eq, PartialEq)]
pub struct SecretHash(Box<str>);

impl SecretHash {
    /// Hashes a secret with argon2id.
    pub fn of(secret: &ClientSecret, profile: Profile) -> Result<Self, NoEntropy> {
        let salt = random::bytes::<16>()?;
        let hash: phc::PasswordHash = profile
            .argon2()?
            .hash_password_with_salt(secret.reveal().as_bytes(), &salt)
            .map_err(|_| NoEntropy)?;
        Ok(Self(hash.to_string().into()))
    }

    /// Takes a hash as a store keeps it.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }

    /// Takes a hash that was made elsewhere, if we can check a secret against it in good time.
    pub fn brought(text: &str) -> Result<Self, HashFault> {
        Checkable::read(text).map(|_| Self::stored(text))
    }

    /// Whether it is one of bcrypt, which knows only so much of a secret.
    #[must_use]
    pub fn is_bcrypt(&self) -> bool {
        self.as_str().starts_with("$2")
    }

    /// The hash, for the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if it is not what we would store today for such a secret: of another kind, weaker, or
    /// costly for nothing.
    #[must_use]
    pub fn is_outdated(&self, profile: Profile) -> bool {
        match profile {
            Profile::Light => !self.0.starts_with(LIGHT),
            Profile::Slow => {
                let is_argon2id = self.0.starts_with("$argon2id$v=19$");
                !is_argon2id || self.work().is_none_or(|work| work < SLOW_ENOUGH)
            }
        }
    }

    /// Whether a secret can be checked against it at once, and wherever that is asked.
    #[must_use]
    pub fn is_light(&self) -> bool {
        self.work().is_some_and(|work| work <= LIGHT_ENOUGH)
    }

    /// How many KiB of memory argon2 fills, each pass counted.
    fn work(&self) -> Option<u64> {
        let Ok(Checkable::Argon2(hash)) = Checkable::read(&self.0) else { return None };
        let params = Params::try_from(&*hash).ok()?;
        Some(u64::from(params.m_cost()) * u64::from(params.t_cost()))
    }

    /// Whether `presented` has this hash. If it is not [light](Self::is_light) this is slow on
    /// purpose: call it off the async threads.
    #[must_use]
    pub fn matches(&self, presented: &ClientSecret) -> bool {
        let password = presented.reveal().as_bytes();
        // An empty secret proves nothing, also where somebody stored the hash of one.
        if password.is_empty() {
            return false;
        }
        match Checkable::read(&self.0) {
            Ok(Checkable::Argon2(hash)) => {
                Argon2::default().verify_password(password, &*hash).is_ok()
            }
            // It would take anything for the same that differs behind them.
            Ok(Checkable::Bcrypt) if password.len() > BCRYPT_OCTETS => false,
            Ok(Checkable::Bcrypt) => bcrypt::verify(password, &self.0).unwrap_or(false),
            Err(_) => false,
        }
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunter(number: u8) -> ClientSecret {
        ClientSecret::from(format!("hunter{number}"))
    }

    #[test]
    fn argon2id_and_bcrypt_verify() {
        let light = SecretHash::of(&hunter(2), Profile::Light).unwrap();
        let slow = SecretHash::of(&hunter(2), Profile::Slow).unwrap();
        let theirs = SecretHash::stored(&bcrypt::hash("hunter2", 4).unwrap());
        for hash in [&light, &slow, &theirs] {
            assert!(hash.matches(&hunter(2)) && !hash.matches(&hunter(3)));
        }
        assert!(!SecretHash::stored("").matches(&hunter(2)));
    }

    #[test]
    fn each_secret_has_the_hash_that_it_needs() {
        let of = |profile| SecretHash::of(&hunter(2), profile).unwrap();
        let slow = of(Profile::Slow).as_str().to_owned();
        let with = |params: &str| slow.replace("m=19456,t=2,p=1", params);
        #[rustfmt::skip]
        let cases = [
            // hash                                       light   outdated for ours, for others
            (of(Profile::Light).as_str().to_owned(),      true,   false, true),
            (slow.clone(),                                false,  true,  false),
            (with("m=8,t=1,p=1"),                         true,   false, true),
            (with("m=8,t=2,p=1"),                         true,   true,  true),
            (with("m=64,t=1,p=1"),                        true,   true,  true),
            (with("m=256,t=1,p=1"),                       true,   true,  true),
            (with("m=256,t=2,p=1"),                       false,  true,  true),
            (with("m=19456,t=1,p=1"),                     false,  true,  true),
            (with("m=7168,t=5,p=1"),                      false,  true,  false),
            (with("m=65536,t=3,p=4"),                     false,  true,  false),
            (slow.replace("argon2id", "argon2i"),         false,  true,  true),
            (slow.replace("v=19", "v=16"),                false,  true,  true),
            (bcrypt::hash("hunter2", 4).unwrap(),         false,  true,  true),
            (String::new(),                               false,  true,  true),
        ];
        for (text, light, for_ours, for_others) in cases {
            let hash = SecretHash::stored(&text);
            assert_eq!(hash.is_light(), light, "{text}");
            assert_eq!(hash.is_outdated(Profile::Light), for_ours, "{text}");
            assert_eq!(hash.is_outdated(Profile::Slow), for_others, "{text}");
        }
    }

    #[test]
    fn bcrypt_never_takes_the_first_72_octets_for_the_whole() {
        let [whole, longer] = [72, 73].map(|length| "x".repeat(length));
        for made_of in [&whole, &longer] {
            let hash = SecretHash::stored(&bcrypt::hash(made_of, 4).unwrap());
            assert!(hash.matches(&ClientSecret::from(whole.clone())));
            for presented in [longer.clone(), format!("{whole}y"), format!("{}\u{e9}", &whole[1..])]
            {
                assert!(!hash.matches(&ClientSecret::from(presented)));
            }
        }
    }

    #[test]
    fn an_empty_secret_matches_nothing() {
        let hash = SecretHash::stored(&bcrypt::hash("", 4).unwrap());
        assert!(!hash.matches(&ClientSecret::from(String::new())));
    }
}
