//! JSON in which each member is there once: of two the reader before us may have taken the other.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Reads a JSON object, and nothing else that JSON can be:
/// [RFC 8259 §4](https://www.rfc-editor.org/rfc/rfc8259#section-4) leaves repeated names open,
/// [RFC 7515 §4](https://www.rfc-editor.org/rfc/rfc7515#section-4) has them refused.
pub fn object(json: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_slice(json).map(|members: Members| members.0)
}

/// The members of an object, each there once.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_map(Once)? {
            Unambiguous(Value::Object(members)) => Ok(Self(members)),
            Unambiguous(_) => Err(serde::de::Error::custom("no object")),
        }
    }
}

/// A value in which no member is there twice, at whatever depth.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Once)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unambiguous, A::Error> {
        let mut members = Map::new();
        while let Some((name, Unambiguous(value))) = map.next_entry::<String, Unambiguous>()? {
            if members.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a member is there twice"));
            }
        }
        Ok(Unambiguous(Value::Object(members)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unambiguous, A::Error> {
        let mut items = Vec::new();
        while let Some(Unambiguous(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Unambiguous(Value::Array(items)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_is_there_once_at_whatever_depth() {
        let good =
            r#"{"a":[1,-1,0.5,18446744073709551615,true,null,"\u00e9",{"b":{}},{"b":[]}],"b":"a"}"#;
        let read: Value = serde_json::from_str(good).unwrap();
        assert_eq!(Value::Object(object(good.as_bytes()).unwrap()), read);
        for (why, bad) in [
            ("twice", r#"{"a":1,"a":1}"#),
            ("below", r#"{"a":{"b":1,"b":2}}"#),
            ("in a list", r#"{"a":[{"b":1,"b":2}]}"#),
            ("spelled otherwise", r#"{"a":{"b":1,"\u0062":2}}"#),
            ("no object", "[]"),
            ("a number", "1"),
            ("nothing", ""),
            ("something behind", "{}{}"),
        ] {
            assert!(object(bad.as_bytes()).is_err(), "{why}");
        }
    }
}
