//! The bearer token of a request: RFC 6750 §2.1, and no other place.

use memchr::memchr;

use super::NotOurs;
use super::error::TokenFault;

/// The token in the `Authorization` lines of a request. Two lines are refused: which one would count?
pub fn token<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<&'a str, TokenFault> {
    let mut lines = lines.into_iter();
    let line = lines.next().ok_or(TokenFault::Missing)?;
    if lines.next().is_some() {
        return Err(TokenFault::Repeated);
    }
    let (scheme, token) = line.split_at_checked(7).ok_or(TokenFault::Missing)?;
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.is_empty() {
        return Err(TokenFault::Missing);
    }
    std::str::from_utf8(token).map_err(|_| NotOurs::Malformed.into())
}

/// The same, where lines may have been joined by a comma, as some gateways join those of their
/// clients: two credentials in one line are refused too, whatever their schemes.
pub fn sole_token<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<&'a str, TokenFault> {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some_and(|line| is_joined(line)) {
        return Err(TokenFault::Repeated);
    }
    token(lines)
}

/// No bearer token holds a comma. Other credentials may: it stands between their parameters.
fn is_joined(line: &[u8]) -> bool {
    if memchr(b',', line).is_none() {
        return false; // soon known of a long token
    }
    let mut items = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let is_bearer = items.next().and_then(|item| item.get(..7));
    let is_bearer = is_bearer.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    items.any(|item| is_bearer || begins_with_scheme(item))
}

/// `Bearer x`, and not `realm="x"`, `realm = "x"` or nothing.
fn begins_with_scheme(item: &[u8]) -> bool {
    let Some(end) = item.iter().position(|byte| b" \t=".contains(byte)) else { return false };
    let (_, rest) = item.split_at(end);
    !rest.trim_ascii_start().starts_with(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6750_s2_1_one_token_and_no_other_credential() {
        let missing = Err("no bearer token");
        let repeated = Err("more than one Authorization header");
        #[rustfmt::skip]
        let cases = [
            // why                          lines                                          token
            ("a token",                     &["Bearer a.b.c"][..],                         Ok("a.b.c")),
            ("in small letters",            &["bearer  a.b.c "],                           Ok("a.b.c")),
            ("none",                        &[],                                           missing),
            ("empty",                       &[""],                                         missing),
            ("scheme alone",                &["Bearer "],                                  missing),
            ("another scheme",              &["Basic YTpi"],                               missing),
            ("two lines",                   &["Bearer a", "Bearer a"],                     repeated),
            ("two schemes",                 &["Basic YTpi", "Bearer a"],                   repeated),
            ("joined",                      &["Bearer a,Bearer b"],                        repeated),
            ("joined, other order",         &["Basic YTpi, Bearer b"],                     repeated),
            ("joined, neither is ours",     &["Basic YTpi,Basic YTpi"],                    repeated),
            ("joined behind parameters",    &[r#"Digest realm="a", uri="/",Bearer b"#],    repeated),
            ("a token holds no comma",      &["Bearer a,b"],                               repeated),
            ("nor at its end",              &["Bearer a,"],                                repeated),
            ("joined with an empty line",   &[",Bearer a"],                                repeated),
            ("joined by a tab",             &["Basic YTpi,Bearer\tb"],                     repeated),
            ("parameters of one",           &[r#"Digest realm="a", uri = "/""#],           missing),
        ];
        for (why, lines, expected) in cases {
            let found = sole_token(lines.iter().map(|line| line.as_bytes()));
            assert_eq!(
                found.map_err(|fault| fault.to_string()),
                expected.map_err(str::to_owned),
                "{why}"
            );
        }
        assert!(sole_token([&b"Bearer \xff"[..]]).is_err(), "not UTF-8");
    }
}
