//! Where state is kept, as an operator writes it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

/// Where state is kept. Its password, if it has one, is not shown.
#[derive(Clone, Debug)]
pub enum StoreUrl {
    /// An embedded store in a folder.
    Folder(PathBuf),
    /// A MongoDB, or a server that speaks like one.
    Mongo(SecretString),
    /// Neither. Not shown either: it may hold a password all the same.
    Unknown(SecretString),
}

impl FromStr for StoreUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(folder) = text.strip_prefix("file:") {
            let folder = folder.strip_prefix("//").unwrap_or(folder);
            if !folder.is_empty() {
                return Ok(Self::Folder(folder.into()));
            }
        }
        if text.starts_with("mongodb://") || text.starts_with("mongodb+srv://") {
            return Ok(Self::Mongo(text.to_owned().into()));
        }
        Ok(Self::Unknown(text.to_owned().into()))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "file:{}", folder.display()),
            Self::Mongo(url) => f.write_str(&without_userinfo(url.expose_secret())),
            Self::Unknown(_) => f.write_str("[unknown]"),
        }
    }
}

fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    // The user part ends at the last `@` before the path: passwords may hold unescaped ones.
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, hosts)) => format!("{scheme}://[redacted]@{hosts}{path}"),
        None if path.contains('@') => format!("{scheme}://[redacted]"),
        None => url.to_owned(),
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_a_store_url_are_not_shown() {
        for (url, shown) in [
            ("mongodb://h/db", "mongodb://h/db"),
            ("mongodb://u:p@h1,h2/db?tls=true", "mongodb://[redacted]@h1,h2/db?tls=true"),
            ("mongodb://u:p@ss@h/db", "mongodb://[redacted]@h/db"),
            ("mongodb://u:p/ss@h/db", "mongodb://[redacted]"),
            ("postgres://u:p@ss@h/db", "[unknown]"),
            ("file:", "[unknown]"),
            ("file:./data", "file:./data"),
            ("file:///var/lib", "file:/var/lib"),
        ] {
            let store: StoreUrl = url.parse().unwrap();
            assert_eq!(store.to_string(), shown);
            assert!(!format!("{store:?}").contains("p@ss"));
        }
    }
}
