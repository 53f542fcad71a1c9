//! A hash that somebody brings from elsewhere: looked at before it is kept, because checking a
//! secret against it costs what its author chose.

use argon2::Params;
use argon2::password_hash::phc;

use super::secret::SecretHash;

/// bcrypt doubles its work with each step; this is about a second.
const DEAREST_BCRYPT: u32 = 14;
/// In KiB.
const MOST_MEMORY: u32 = 128 * 1024;
/// How often argon2 may go over its memory.
const MOST_PASSES: u32 = 10;

/// Why a hash is not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HashFault {
    /// Checking it would cost too much.
    #[error("the hash of a secret costs too much to check: bcrypt up to 14, argon2 up to 128 MiB")]
    Dear,
    /// It is of no kind that we can check.
    #[error("the hash of a secret must be one of bcrypt, or a PHC string of argon2")]
    Kind,
}

impl SecretHash {
    /// Takes a hash that was made elsewhere, if we can check a secret against it in good time.
    pub fn brought(text: &str) -> Result<Self, HashFault> {
        let bearable = if text.starts_with("$2") {
            let parts: bcrypt::HashParts = text.parse().map_err(|_| HashFault::Kind)?;
            parts.get_cost() <= DEAREST_BCRYPT
        } else {
            let hash = phc::PasswordHash::new(text).map_err(|_| HashFault::Kind)?;
            let known = hash.algorithm.as_str().starts_with("argon2") && hash.hash.is_some();
            let params = Params::try_from(&hash).ok().filter(|_| known).ok_or(HashFault::Kind)?;
            params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_PASSES
        };
        if bearable { Ok(Self::stored(text)) } else { Err(HashFault::Dear) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entropy::SystemEntropy;
    use crate::domain::secret::ClientSecret;

    #[test]
    fn only_what_can_be_checked_in_good_time_is_taken() {
        let ours = SecretHash::of(&ClientSecret::from("x".to_owned()), &SystemEntropy).unwrap();
        let bcrypt = bcrypt::hash("x", 4).unwrap();
        for (why, hash, fault) in [
            ("ours", ours.as_str().to_owned(), None),
            ("bcrypt", bcrypt.clone(), None),
            ("cost 14", bcrypt.replace("$04$", "$14$"), None),
            ("cost 15", bcrypt.replace("$04$", "$15$"), Some(HashFault::Dear)),
            ("much memory", ours.as_str().replace("m=19456", "m=131073"), Some(HashFault::Dear)),
            ("many passes", ours.as_str().replace("t=2", "t=11"), Some(HashFault::Dear)),
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
}
