//! Members of a document that is brought, in the forms in which tools write them: those in which a
//! document of the store is read. What is null is absent; what cannot be read is refused.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::Value;

use crate::domain::algorithm::Algorithm;
use crate::domain::clock::Timestamp;
use crate::domain::forms;
use crate::domain::scope::Scope;

/// A date. What lies before 1970 is 1970.
pub(super) fn timestamp(value: &Value) -> Option<Timestamp> {
    let seconds = match value {
        Value::String(text) => forms::text_seconds(text)?,
        Value::Number(number) => forms::seconds(number.as_f64()?)?,
        _ => return None,
    };
    Some(Timestamp(u64::try_from(seconds).unwrap_or_default()))
}

/// A date that decides.
pub(super) fn date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    read(from, "is not a date", timestamp)
}

/// A whole number that is not negative.
pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let count = |value: &Value| {
        let number = match value {
            Value::String(text) => forms::text_whole(text),
            Value::Number(number) => number.as_i64().or_else(|| forms::whole(number.as_f64()?)),
            _ => None,
        };
        number.and_then(|number| u64::try_from(number).ok())
    };
    read(from, "is not a whole number", count)
}

/// An algorithm by its name.
pub(super) fn algorithm<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Algorithm>, D::Error> {
    let known = |value: &Value| value.as_str()?.parse().ok();
    read(from, &format!("must be one of {}", Algorithm::names().join(", ")), known)
}

fn read<'de, D: Deserializer<'de>, T>(
    from: D,
    problem: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(from)?;
    if value.is_null() {
        return Ok(None);
    }
    read(&value).map(Some).ok_or_else(|| D::Error::custom(format_args!("it {problem}")))
}

/// A list of texts; one text alone is a list of one.
pub(super) fn list<'de, D, T>(from: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    from.deserialize_any(OneOrMany(PhantomData))
}

/// A text, or a list of its words.
pub(super) fn scope<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Scope>, D::Error> {
    let words = list::<_, String>(from)?;
    words.map(|words| words.join(" ").parse().map_err(D::Error::custom)).transpose()
}

struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
    type Value = Option<Vec<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts, or a text")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(StrDeserializer::new(text)).map(|one| Some(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items)).map(Some)
    }
}
