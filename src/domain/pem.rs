//! PEM, in the lax form of [RFC 7468 §3](https://www.rfc-editor.org/rfc/rfc7468#section-3): web
//! pages and YAML put blanks at the ends of lines, and break them elsewhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Why a text cannot be read as PEM.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PemFault {
    /// It begins with a byte order mark.
    #[error("the PEM begins with a byte order mark: save it as UTF-8 without one")]
    ByteOrderMark,
    /// Its line breaks are escape sequences.
    // Without the character itself: an `error_description` has none (RFC 6749 §5.2).
    #[error(
        "the PEM has its line breaks written out, as a backslash and an n: put real ones there"
    )]
    EscapedLineBreaks,
    /// It is not PEM.
    #[error("this is not PEM")]
    Malformed,
}

/// The label and the content of the one thing in the text. What is before it is explanatory text.
pub fn decode(text: &str) -> Result<(&str, Zeroizing<Vec<u8>>), PemFault> {
    if text.starts_with('\u{feff}') {
        return Err(PemFault::ByteOrderMark);
    }
    let escaped = text.contains("\\n") || text.contains("\\r");
    let fault = if escaped { PemFault::EscapedLineBreaks } else { PemFault::Malformed };
    read(text).ok_or(fault)
}

fn read(text: &str) -> Option<(&str, Zeroizing<Vec<u8>>)> {
    let (_, text) = text.split_once("-----BEGIN ")?;
    let (label, text) = text.split_once("-----")?;
    let (body, text) = text.split_once("-----END ")?;
    let behind = text.strip_prefix(label)?.strip_prefix("-----")?;
    if !behind.trim().is_empty() {
        return None;
    }
    // As large as it can become, so that no part of a private key is left behind.
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.split_ascii_whitespace());
    let mut content = Zeroizing::new(Vec::with_capacity(body.len()));
    STANDARD.decode_vec(base64.as_bytes(), &mut content).ok()?;
    (!content.is_empty()).then_some((label, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7468_s3_the_lax_form() {
        let malformed = Err(PemFault::Malformed);
        let escaped = Err(PemFault::EscapedLineBreaks);
        #[rustfmt::skip]
        let cases = [
            ("strict",                  "-----BEGIN X-----\nAQID\n-----END X-----\n",              Ok("X")),
            ("two words",               "-----BEGIN RSA KEY-----\nAQID\n-----END RSA KEY-----",    Ok("RSA KEY")),
            ("other line ends",         "-----BEGIN X-----\r\nAQID\r\n-----END X-----\r\n",        Ok("X")),
            ("blanks at line ends",     "-----BEGIN X----- \t\nAQ \nID  \n-----END X-----  \n \n",  Ok("X")),
            ("blanks at line starts",   "  -----BEGIN X-----\n  AQID\n  -----END X-----",          Ok("X")),
            ("empty lines",             "\n\n-----BEGIN X-----\n\nAQID\n\n-----END X-----\n\n",    Ok("X")),
            ("on one line",             "-----BEGIN X----- AQID -----END X-----",                  Ok("X")),
            ("short lines",             "-----BEGIN X-----\nA\nQ\nI\nD\n-----END X-----",          Ok("X")),
            ("text before it",          "Bag Attributes\n-----BEGIN X-----\nAQID\n-----END X-----", Ok("X")),
            ("text behind it",          "-----BEGIN X-----\nAQID\n-----END X-----\nx",             malformed),
            ("two",                     "-----BEGIN X-----\nAQID\n-----END X-----\n-----BEGIN X-----\nAQID\n-----END X-----", malformed),
            ("another label",           "-----BEGIN X-----\nAQID\n-----END Y-----",                malformed),
            ("no end",                  "-----BEGIN X-----\nAQID",                                 malformed),
            ("nothing in it",           "-----BEGIN X-----\n-----END X-----",                      malformed),
            ("not base64",              "-----BEGIN X-----\nAQ*D\n-----END X-----",                malformed),
            ("base64url",               "-----BEGIN X-----\n-_-_\n-----END X-----",                malformed),
            ("no padding",              "-----BEGIN X-----\nAQI\n-----END X-----",                 malformed),
            ("a header",                "-----BEGIN X-----\nA: b\n\nAQID\n-----END X-----",        malformed),
            ("empty",                   "",                                                        malformed),
            ("a byte order mark",       "\u{feff}-----BEGIN X-----\nAQID\n-----END X-----",        Err(PemFault::ByteOrderMark)),
            ("escaped line feeds",      "-----BEGIN X-----\\nAQID\\n-----END X-----\\n",           escaped),
            ("other escaped ends",      "-----BEGIN X-----\\r\\nAQID\\r\\n-----END X-----",        escaped),
        ];
        for (why, text, label) in cases {
            let decoded = decode(text);
            assert_eq!(
                decoded.as_ref().map(|(label, _)| *label).map_err(|fault| *fault),
                label,
                "{why}"
            );
            assert!(decoded.is_err() || *decoded.unwrap().1 == [1, 2, 3], "{why}");
        }
    }
}
