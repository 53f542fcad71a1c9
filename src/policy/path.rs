//! One spelling for each path, so that a policy and a back end mean the same.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

/// The path of a request, normalised: decoded, without `.`, `..`, empty segments and a slash at the
/// end. A `/`, `%`, `?` or `#` that was encoded stays so.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RequestPath<'a>(Cow<'a, str>);

/// The path is refused: programs behind a gateway would not agree about what it names.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PathError {
    /// An absolute URL, `*` or nothing.
    #[error("the path must begin with `/`")]
    NotAbsolute,
    /// A `#`, which no client sends.
    #[error("a fragment is not part of a request")]
    Fragment,
    /// A `%` without two hexadecimal digits behind it.
    #[error("a `%` must have two hexadecimal digits behind it")]
    BadEncoding,
    /// Something like `%2541`, which a second decoding would change.
    #[error("the path is encoded twice")]
    EncodedTwice,
    /// Bytes such as `%C0%AF`.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// NUL, a line break and their like.
    #[error("the path holds a control character")]
    ControlCharacter,
    /// Some servers take it for a slash.
    #[error("the path holds a backslash")]
    Backslash,
    /// `.;x` or `..;x`: some servers drop what follows the semicolon.
    #[error("a `.` or `..` has a parameter")]
    DotWithParameter,
    /// `..` beside an encoded slash: some servers decode that first.
    #[error("a `.` or `..` stands beside an encoded slash")]
    DotBesideEncodedSlash,
    /// `//..` or `/;x/..`: some servers merge the slashes first, others go up first.
    #[error("a `..` follows an empty segment")]
    UpFromEmpty,
    /// A `;` or an encoded slash: some servers cut off what follows the one, or take the other for a
    /// slash, and the policy has another rule for that path.
    #[error("the path can be read in two ways, which have different rules")]
    Ambiguous,
}

impl<'a> RequestPath<'a> {
    /// Normalises the path of a request target; what follows the first `?` is not looked at.
    pub fn normalise(target: &'a str) -> Result<Self, PathError> {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let Some(segments) = path.strip_prefix('/') else { return Err(PathError::NotAbsolute) };
        if is_normal(path) {
            return Ok(Self(Cow::Borrowed(path)));
        }
        if path.contains('#') {
            return Err(PathError::Fragment);
        }
        resolve(segments).map(|path| Self(Cow::Owned(path)))
    }

    /// What other programs may take the path for: without the parameters of its segments, with
    /// encoded slashes as slashes, or both. None for most paths.
    pub(super) fn other_readings(
        &self,
    ) -> impl Iterator<Item = Result<RequestPath<'static>, PathError>> {
        let cut = self.0.contains(';').then(|| without_parameters(&self.0));
        let split = |path: &str| path.contains("%2F").then(|| path.replace("%2F", "/"));
        let both = cut.as_deref().and_then(split);
        let readings = [split(&self.0), both, cut].into_iter().flatten();
        readings.map(|path| RequestPath::normalise(&path).map(RequestPath::into_owned))
    }

    fn into_owned(self) -> RequestPath<'static> {
        RequestPath(Cow::Owned(self.0.into_owned()))
    }

    /// The path as text; it begins with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// True of most paths, which then need no copy. May be false of a normal one.
fn is_normal(path: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'%' | b'\\' | b'#');
    let bytes = path.as_bytes();
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    bytes.iter().all(|byte| plain(*byte))
        && pairs.into_iter().all(|pair| !matches!(pair, (b'/', b'/' | b'.')))
        && (path == "/" || !path.ends_with('/'))
}

fn resolve(segments: &str) -> Result<String, PathError> {
    let mut stack: Vec<String> = Vec::new();
    for raw in segments.split('/') {
        let segment = decode(raw)?;
        match segment.as_str() {
            "." => {}
            ".." => match stack.pop() {
                Some(left) if name(&left).is_empty() => return Err(PathError::UpFromEmpty),
                Some(left) if left.contains('/') => return Err(PathError::DotBesideEncodedSlash),
                // Above the root is the root: RFC 3986 §5.2.4.
                Some(_) | None => {}
            },
            _ => stack.push(segment),
        }
    }
    let mut path = String::with_capacity(segments.len() + 1);
    for segment in stack.iter().filter(|segment| !segment.is_empty()) {
        path.push('/');
        encode(segment, &mut path);
    }
    if path.is_empty() {
        path.push('/');
    }
    Ok(path)
}

/// One segment as a rule of a policy writes it, in the spelling of [`RequestPath`].
pub(super) fn literal(raw: &str) -> Result<String, PathError> {
    let mut path = String::new();
    encode(&decode(raw)?, &mut path);
    Ok(path)
}

/// A segment without its encoding. A slash in it was encoded: the others separate segments.
fn decode(raw: &str) -> Result<String, PathError> {
    if count_encoded(raw) != raw.matches('%').count() {
        return Err(PathError::BadEncoding);
    }
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| PathError::NotUtf8)?;
    if count_encoded(&decoded) > 0 {
        return Err(PathError::EncodedTwice);
    }
    if decoded.contains(char::is_control) {
        return Err(PathError::ControlCharacter);
    }
    if decoded.contains('\\') {
        return Err(PathError::Backslash);
    }
    for piece in decoded.split('/') {
        if matches!(name(piece), "." | "..") && name(piece) != piece {
            return Err(PathError::DotWithParameter);
        }
        if matches!(piece, "." | "..") && piece != decoded {
            return Err(PathError::DotBesideEncodedSlash);
        }
    }
    Ok(decoded.into_owned())
}

/// A segment without its parameters.
fn name(segment: &str) -> &str {
    segment.split_once(';').map_or(segment, |(name, _)| name)
}

fn without_parameters(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').map(name).collect();
    segments.join("/")
}

/// How many `%XX` there are.
fn count_encoded(text: &str) -> usize {
    let follows = |rest: &str| {
        let mut digits = rest.bytes().take(2).filter(u8::is_ascii_hexdigit);
        digits.next().is_some() && digits.next().is_some()
    };
    text.split('%').skip(1).filter(|rest| follows(rest)).count()
}

fn encode(segment: &str, path: &mut String) {
    for character in segment.chars() {
        match character {
            '/' => path.push_str("%2F"),
            '%' => path.push_str("%25"),
            '?' => path.push_str("%3F"),
            '#' => path.push_str("%23"),
            plain => path.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        #[rustfmt::skip]
        let cases = [
            // why                            target                  path
            ("as it is",                      "/orders/7",            Ok("/orders/7")),
            ("root",                          "/",                    Ok("/")),
            ("query is no path",              "/orders?x=/../1%zz",   Ok("/orders")),
            ("encoded letter",                "/%6Frders",            Ok("/orders")),
            ("duplicate slashes",             "//orders///7",         Ok("/orders/7")),
            ("slash at the end",              "/orders/",             Ok("/orders")),
            ("dot",                           "/a/./b/.",             Ok("/a/b")),
            ("two dots",                      "/a/b/../c",            Ok("/a/c")),
            ("encoded dots",                  "/a/%2e%2E/b",          Ok("/b")),
            ("above the root",                "/../../a",             Ok("/a")),
            ("hidden file",                   "/a/.env",              Ok("/a/.env")),
            ("three dots",                    "/a/...",               Ok("/a/...")),
            ("encoded slash stays",           "/a%2fb/c",             Ok("/a%2Fb/c")),
            ("encoded question mark stays",   "/a%3Fb",               Ok("/a%3Fb")),
            ("encoded percent stays",         "/100%25",              Ok("/100%25")),
            ("not ASCII",                     "/caf%C3%A9",           Ok("/café")),
            ("not ASCII, not encoded",        "/café",                Ok("/café")),
            ("parameter of a name",           "/a;v=1/b",             Ok("/a;v=1/b")),
            ("up from a name with one",       "/a;v=1/../b",          Ok("/b")),
            ("up from a parameter alone",     "/a/;v=1/../b",         Err(PathError::UpFromEmpty)),
            ("plus is a plus",                "/a+b",                 Ok("/a+b")),
            ("nothing",                       "",                     Err(PathError::NotAbsolute)),
            ("asterisk",                      "*",                    Err(PathError::NotAbsolute)),
            ("absolute URL",                  "http://h/a",           Err(PathError::NotAbsolute)),
            ("encoded first slash",           "%2Fa",                 Err(PathError::NotAbsolute)),
            ("fragment",                      "/a#b",                 Err(PathError::Fragment)),
            ("one digit",                     "/a%2",                 Err(PathError::BadEncoding)),
            ("no digits",                     "/a%zz",                Err(PathError::BadEncoding)),
            ("percent before percent",        "/%%32%65",             Err(PathError::BadEncoding)),
            ("encoded twice",                 "/%252e%252e/a",        Err(PathError::EncodedTwice)),
            ("slash encoded twice",           "/a%252Fb",             Err(PathError::EncodedTwice)),
            ("overlong slash",                "/a%C0%AFb",            Err(PathError::NotUtf8)),
            ("NUL",                           "/a%00",                Err(PathError::ControlCharacter)),
            ("line break",                    "/a%0d%0ab",            Err(PathError::ControlCharacter)),
            ("control of ISO 8859",           "/a%C2%85",             Err(PathError::ControlCharacter)),
            ("backslash",                     "/a\\b",                Err(PathError::Backslash)),
            ("encoded backslash",             "/a%5c..%5cb",          Err(PathError::Backslash)),
            ("dots with a parameter",         "/a/..;/b",             Err(PathError::DotWithParameter)),
            ("the same, encoded",             "/a/%2e.%3bx/b",        Err(PathError::DotWithParameter)),
            ("a dot with a parameter",        "/a/.;x/b",             Err(PathError::DotWithParameter)),
            ("dots behind an encoded slash",  "/a%2F..%2Fb",          Err(PathError::DotBesideEncodedSlash)),
            ("up over an encoded slash",      "/a/b%2Fc/../d",        Err(PathError::DotBesideEncodedSlash)),
            ("up from an empty segment",      "/a//../b",             Err(PathError::UpFromEmpty)),
        ];
        for (why, target, path) in cases {
            let normal = RequestPath::normalise(target);
            assert_eq!(normal.as_ref().map(RequestPath::as_str).map_err(|e| *e), path, "{why}");
        }
    }
}
