//! How a policy is read: strictly, and with the place of what is wrong.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use crate::policy::expression::Expression;
use crate::policy::routes::Routes;

use super::{Format, Grant, Method, MethodRule, PathRules, Policy, PolicyError};

pub(super) fn read(text: &str, format: Format) -> Result<Policy, PolicyError> {
    let policy: Policy = match format {
        Format::Json => {
            serde_json::from_str(text).map_err(|error| PolicyError::of_json(&error, text))?
        }
        Format::Yaml => {
            // `expression: !isBackoffice && true` without quotes is a tag and the text `true`.
            let options = serde_saphyr::options! {
                reject_unsupported_tags: true,
                strict_booleans: true,
                // What stands there is what counts.
                ignore_binary_tag_for_string: true,
            };
            serde_saphyr::from_str_with_options(text, options)
                .map_err(|error| PolicyError::of_yaml(&error))?
        }
    };
    // A file that is being written may be empty for a moment; who wants to deny all says so.
    if policy.paths == 0 {
        let problem = "there is no rule: expected at least one path".to_owned();
        return Err(PolicyError { line: 1, column: 1, problem });
    }
    Ok(policy)
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Paths)
    }
}

struct Paths;

impl<'de> Visitor<'de> for Paths {
    type Value = Policy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a member for each path, such as \"/orders/{id}\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Policy, A::Error> {
        let mut policy = Policy::default();
        while let Some((path, place)) = map.next_key_seed(Place(&mut policy.routes))? {
            let Methods(rules) = map.next_value()?;
            policy.paths += 1;
            policy.rules += rules.len();
            *place = Some(PathRules { path: path.into(), rules: rules.into() });
        }
        Ok(policy)
    }
}

/// Finds the place of a path while it is read: an error then has the line of the path.
struct Place<'a>(&'a mut Routes<PathRules>);

impl<'de, 'a> DeserializeSeed<'de> for Place<'a> {
    type Value = (String, &'a mut Option<PathRules>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let path = String::deserialize(deserializer)?;
        match self.0.place(&path) {
            Ok(place) => Ok((path, place)),
            Err(error) => Err(D::Error::custom(format_args!("path {path:?}: {error}"))),
        }
    }
}

/// What stands at a path.
struct Methods(Vec<(Method, MethodRule)>);

impl<'de> Deserialize<'de> for Methods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MethodsOfPath)
    }
}

struct MethodsOfPath;

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS or ALL, in capitals";

impl<'de> Visitor<'de> for MethodsOfPath {
    type Value = Methods;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with a member for each method: {METHODS}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Methods, A::Error> {
        let mut rules: Vec<(Method, MethodRule)> = Vec::new();
        while let Some(method) = map.next_key::<Method>()? {
            if rules.iter().any(|(known, _)| *known == method) {
                let name = method.as_str();
                return Err(A::Error::custom(format_args!("a second rule for the method {name}")));
            }
            rules.push((method, map.next_value()?));
        }
        if rules.is_empty() {
            return Err(A::Error::custom(format_args!("no method: expected {METHODS}")));
        }
        Ok(Methods(rules))
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| {
            D::Error::custom(format_args!("unknown method {name:?}: expected {METHODS}"))
        })
    }
}

impl<'de> Deserialize<'de> for MethodRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Parts)
    }
}

/// Judges a rule before the reader goes on: an error then has its line, not that of what follows.
struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = MethodRule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `authorization`, `backofficeAuthorization` or both")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MethodRule, A::Error> {
        let RuleAsWritten { authorization, backoffice_authorization: backoffice } =
            RuleAsWritten::deserialize(MapAccessDeserializer::new(map))?;
        if authorization.is_none() && backoffice.is_none() {
            return Err(A::Error::custom(
                "expected `authorization`, `backofficeAuthorization` or both",
            ));
        }
        Ok(MethodRule { authorization, backoffice })
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RuleAsWritten {
    #[serde(default, deserialize_with = "present")]
    authorization: Option<Grant>,
    #[serde(default, deserialize_with = "present")]
    backoffice_authorization: Option<Grant>,
}

/// A member that is `null` is no grant, and not the absence of one either.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Grant>, D::Error> {
    Grant::deserialize(deserializer).map(Some)
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(expecting = "an object with `expression` and `public`")]
struct GrantAsWritten {
    expression: Expression,
    public: Truth,
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let GrantAsWritten { expression, public: Truth(public) } =
            GrantAsWritten::deserialize(deserializer)?;
        Ok(Self { expression, public })
    }
}

/// A truth value, and no text that reads like one: YAML would take both.
struct Truth(bool);

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TrueOrFalse)
    }
}

struct TrueOrFalse;

impl Visitor<'_> for TrueOrFalse {
    type Value = Truth;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean: true or false, without quotes")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Truth, E> {
        Ok(Truth(value))
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

/// Parses an expression before the reader goes on, for the same reason.
struct Text;

impl Visitor<'_> for Text {
    type Value = Expression;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Expression, E> {
        text.parse().map_err(E::custom)
    }
}
