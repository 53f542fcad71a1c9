//! Free-form JSON: how deep it may be, and how it is read where somebody else wrote it deeper.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How many levels free-form JSON may have. An array or an object that holds no other is one level.
pub const DEEPEST: usize = 32;

/// How large what is kept of it may be, in bytes of JSON: each change has a record that shows it as it
/// was and as it is.
pub const LARGEST: usize = 64 * 1024;

/// How many levels are read of a text, whoever wrote it: free-form JSON, and what it stands in.
const READ: usize = 2 * DEEPEST;

/// What stands in the place of what is nested deeper than is shown.
pub const CUT: &str = "[nested too deeply]";

/// Whether it has more than [`DEEPEST`] levels.
#[must_use]
pub fn is_too_deep(value: &Value) -> bool {
    is_deeper(value, DEEPEST)
}

/// Whether it has more than [`LARGEST`] bytes.
#[must_use]
pub fn is_too_large(value: &Value) -> bool {
    value.to_string().len() > LARGEST
}

/// Whether it has more levels than these.
#[must_use]
pub fn is_deeper(value: &Value, levels: usize) -> bool {
    let below = |value: &Value| levels == 0 || is_deeper(value, levels - 1);
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(below),
        Value::Object(members) => levels == 0 || members.values().any(below),
        _ => false,
    }
}

/// The same value with at most so many levels; in the place of what is deeper stands [`CUT`].
#[must_use]
pub fn cut(value: &Value, levels: usize) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => CUT.into(),
        Value::Array(items) => items.iter().map(|item| cut(item, levels - 1)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, it)| (name.clone(), cut(it, levels - 1))).collect()
        }
        other => other.clone(),
    }
}

/// Reads a JSON text however deep it is; in the place of what is far too deep stands [`CUT`].
pub fn read(text: &str) -> Result<Value, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Levels(READ).deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// A value of which so many levels are kept.
struct Levels(usize);

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some(below) = self.0.checked_sub(1) else {
            // What is ignored takes no stack, however deep it is.
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(CUT.into());
        };
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            members.insert(name, map.next_value_seed(Self(below))?);
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let Some(below) = self.0.checked_sub(1) else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(CUT.into());
        };
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Self(below))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}7{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn levels_are_counted_and_cut() {
        for (levels, too_deep) in [(0, false), (1, false), (32, false), (33, true), (100, true)] {
            let value: Value = serde_json::from_str(&nested(levels)).unwrap();
            assert_eq!(is_too_deep(&value), too_deep, "{levels}");
            let shown = cut(&value, DEEPEST);
            assert!(!is_too_deep(&shown), "{levels}");
            assert_eq!(shown == value, !too_deep, "{levels}");
            assert_eq!(shown.to_string().contains(CUT), too_deep, "{levels}");
        }
    }

    #[test]
    fn a_text_is_read_however_deep_it_is() {
        let object = format!("{}null{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        for (why, text) in [("arrays", nested(100_000)), ("objects", object)] {
            let read = read(&text).unwrap();
            assert!(read.to_string().contains(CUT), "{why}");
            assert!(!is_deeper(&read, READ), "{why}");
        }
        for plain in [r#"{"a":[1,-1,0.5,18446744073709551615,true,null,"\u00e9",{"b":{}}]}"#, "7"] {
            assert_eq!(read(plain).unwrap(), serde_json::from_str::<Value>(plain).unwrap());
        }
        for bad in ["", "{", "[1", "{}{}", "garbage", &"[".repeat(200)] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
