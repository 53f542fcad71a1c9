//! A hash that somebody brings from elsewhere: looked at before it is kept, because checking a
//! secret against it costs what its author chose.

use argon2::password_hash::phc;
use argon2::{Algorithm, Params, Version};

/// The least work of bcrypt; it knows nothing below.
const CHEAPEST_BCRYPT: u32 = 4;
/// bcrypt doubles its work with each step; this is about a second.
const DEAREST_BCRYPT: u32 = 14;
/// In KiB.
const MOST_MEMORY: u32 = 256 * 1024;
/// How often argon2 may go over its memory.
const MOST_PASSES: u32 = 10;
/// In how many lanes argon2 may do so.
const MOST_LANES: u32 = 16;
/// How many octets of a secret bcrypt looks at.
pub(super) const BCRYPT_OCTETS: usize = 72;

/// Why a hash is not kept, and not checked either.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HashFault {
    /// Checking it would cost too much, or its cost is none.
    #[error(
        "the cost of a secret's hash is out of bounds: bcrypt from 04 to 14; argon2 up to 256 MiB, 16 lanes and 10 passes"
    )]
    Cost,
    /// It is of no kind that we can check.
    #[error("the hash of a secret must be one of bcrypt, or a PHC string of argon2")]
    Kind,
}

/// A hash against which a secret can be checked in good time.
pub(super) enum Checkable {
    Argon2(Box<phc::PasswordHash>),
    Bcrypt,
}

impl Checkable {
    /// Whoever wrote it: one that costs more than we can bear is not computed.
    pub(super) fn read(text: &str) -> Result<Self, HashFault> {
        if text.starts_with("$2") {
            let parts: bcrypt::HashParts = text.parse().map_err(|_| HashFault::Kind)?;
            let is_bearable = (CHEAPEST_BCRYPT..=DEAREST_BCRYPT).contains(&parts.get_cost());
            return if is_bearable { Ok(Self::Bcrypt) } else { Err(HashFault::Cost) };
        }
        let mut hash = phc::PasswordHash::new(text).map_err(|_| HashFault::Kind)?;
        // Without a version it is of the first one that had none.
        let version = *hash.version.get_or_insert(Version::V0x10.into());
        let is_known = Algorithm::try_from(hash.algorithm.as_str()).is_ok()
            && Version::try_from(version).is_ok()
            && hash.salt.is_some()
            && hash.hash.is_some();
        let params = Params::try_from(&hash).ok().filter(|params| {
            // A key that we do not have went into it.
            is_known && params.keyid().is_empty() && params.data().is_empty()
        });
        let params = params.ok_or(HashFault::Kind)?;
        let is_bearable = params.m_cost() <= MOST_MEMORY
            && params.t_cost() <= MOST_PASSES
            && params.p_cost() <= MOST_LANES;
        if is_bearable { Ok(Self::Argon2(Box::new(hash))) } else { Err(HashFault::Cost) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use crate::domain::secret::ClientSecret;
    use crate::domain::secret_hash::{Profile, SecretHash};

    #[test]
    fn only_what_can_be_checked_in_good_time_is_taken() {
        let secret = ClientSecret::from("x".to_owned());
        let ours = SecretHash::of(&secret, Profile::Slow).unwrap();
        let bcrypt = bcrypt::hash("x", 4).unwrap();
        for (why, hash, fault) in [
            ("ours", ours.as_str().to_owned(), None),
            ("bcrypt", bcrypt.clone(), None),
            ("cost 14", bcrypt.replace("$04$", "$14$"), None),
            ("cost 15", bcrypt.replace("$04$", "$15$"), Some(HashFault::Cost)),
            ("cost 31", bcrypt.replace("$04$", "$31$"), Some(HashFault::Cost)),
            ("cost 3", bcrypt.replace("$04$", "$03$"), Some(HashFault::Cost)),
            ("cost 0", bcrypt.replace("$04$", "$00$"), Some(HashFault::Cost)),
            ("256 MiB", ours.as_str().replace("m=19456", "m=262144"), None),
            ("much memory", ours.as_str().replace("m=19456", "m=262145"), Some(HashFault::Cost)),
            ("many passes", ours.as_str().replace("t=2", "t=11"), Some(HashFault::Cost)),
            ("16 lanes", ours.as_str().replace("p=1", "p=16"), None),
            ("many lanes", ours.as_str().replace("p=1", "p=17"), Some(HashFault::Cost)),
            ("no version", ours.as_str().replace("v=19$", ""), None),
            ("no such version", ours.as_str().replace("v=19", "v=18"), Some(HashFault::Kind)),
            ("no such argon2", ours.as_str().replace("argon2id", "argon2x"), Some(HashFault::Kind)),
            ("with a key", ours.as_str().replace("p=1", "p=1,keyid=YQ"), Some(HashFault::Kind)),
            ("cut off", bcrypt[..40].to_owned(), Some(HashFault::Kind)),
            ("no hash in it", "$argon2id$v=19$m=19456,t=2,p=1".to_owned(), Some(HashFault::Kind)),
            (
                "another kind",
                "$pbkdf2-sha256$i=1$c2FsdHNhbHQ$aGFzaA".to_owned(),
                Some(HashFault::Kind),
            ),
            ("the secret itself", "hunter2".to_owned(), Some(HashFault::Kind)),
            ("nothing", String::new(), Some(HashFault::Kind)),
        ] {
            assert_eq!(SecretHash::brought(&hash).err(), fault, "{why}");
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_never_computed() {
        let secret = ClientSecret::from("x".to_owned());
        // Each of these would take hours, or all of the memory.
        let bcrypt = bcrypt::hash("x", 4).unwrap();
        let ours = SecretHash::of(&secret, Profile::Slow).unwrap();
        for hash in [
            bcrypt.replace("$04$", "$31$"),
            ours.as_str().replace("m=19456", "m=4294967295"),
            ours.as_str().replace("t=2", "t=4294967295"),
        ] {
            assert!(!SecretHash::stored(&hash).matches(&secret), "{hash}");
        }
    }

    /// Of the reference implementation's `argon2 somesalt` with version 1.0, which names none.
    #[test]
    fn argon2_without_a_version_is_of_the_first() {
        let first = argon2::Argon2::new(
            Algorithm::Argon2i,
            Version::V0x10,
            Params::new(64, 2, 1, Some(32)).unwrap(),
        );
        let mut output = [0; 32];
        first.hash_password_into(b"password", b"somesalt", &mut output).unwrap();
        let [salt, output] = [&b"somesalt"[..], &output].map(|it| STANDARD_NO_PAD.encode(it));
        let hash = SecretHash::brought(&format!("$argon2i$m=64,t=2,p=1${salt}${output}")).unwrap();
        assert!(hash.matches(&ClientSecret::from("password".to_owned())));
        assert!(!hash.matches(&ClientSecret::from("passwore".to_owned())));
        assert!(hash.is_outdated(Profile::Slow));
    }
}
