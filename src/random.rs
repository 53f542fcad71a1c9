//! Randomness of the operating system.

/// The ASCII letters: the alphabet of client ids.
pub const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The ASCII letters and digits: the alphabet of secrets, safe in every encoding.
pub const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The system could give no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct NoEntropy;

/// `N` random bytes.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
pub fn bytes<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(bytes)
}

/// `length` characters, each drawn evenly from `alphabet`.
pub fn text(alphabet: &[u8], length: usize) -> Result<String, NoEntropy> {
    // A byte beyond the last whole multiple of the alphabet would favour its first characters.
    let fair = 256 - 256 % alphabet.len().max(1);
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let drawn = bytes::<64>()?;
        let characters = drawn
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < fair)
            .filter_map(|byte| alphabet.get(byte % alphabet.len()))
            .map(|byte| char::from(*byte));
        text.extend(characters.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_to_its_alphabet_and_length() {
        for length in [0, 1, 32, 200] {
            let text = text(LETTERS, length).unwrap();
            assert_eq!(text.len(), length);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphabetic()), "{text}");
        }
    }
}
