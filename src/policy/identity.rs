//! Who asks, in headers: what a gateway hands on to the programs behind it.

use std::borrow::Cow;
use std::fmt::Write;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::domain::audience::Audience;
use crate::domain::claims::AccessTokenClaims;
use crate::domain::permission::Permission;

/// What could end an item of a list, be cut off at the end of a header, or be read otherwise there:
/// it is percent-encoded, like `%` itself and whatever is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b',').add(b'\\');

/// A header that says who asks, or what was decided.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AnswerHeader {
    /// `1` if the request may pass, else `0`.
    MiaAllowed,
    /// The groups of the client, as a list.
    MiaGroups,
    /// The client.
    MiaUserId,
    /// Chosen claims, as a JSON object; empty if none are chosen.
    MiaUserProperties,
    /// For whom the token is, as a list; empty if for anyone.
    XAudience,
    /// The client.
    XClientId,
    /// What the token permits, as a list.
    XPermissions,
    /// The scope that was granted: tokens separated by spaces, RFC 6749 §3.3.
    XScope,
    /// The `jti` of the token.
    XTokenId,
}

impl AnswerHeader {
    /// What Mia-Platform's gateway is told.
    pub const OF_MIA: [Self; 4] =
        [Self::MiaAllowed, Self::MiaUserId, Self::MiaGroups, Self::MiaUserProperties];

    /// What other gateways are told.
    pub const OF_OTHERS: [Self; 5] =
        [Self::XClientId, Self::XPermissions, Self::XScope, Self::XAudience, Self::XTokenId];

    /// Its name, in lower case, unless it is renamed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MiaAllowed => "mia-allowed",
            Self::MiaGroups => "mia-groups",
            Self::MiaUserId => "mia-userid",
            Self::MiaUserProperties => "mia-userproperties",
            Self::XAudience => "x-audience",
            Self::XClientId => "x-client-id",
            Self::XPermissions => "x-permissions",
            Self::XScope => "x-scope",
            Self::XTokenId => "x-token-id",
        }
    }
}

/// What there is to say of a request that was decided.
///
/// Every value is visible ASCII and spaces, and safe in a header of any protocol.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Whether it may pass.
    pub allowed: bool,
    /// Whose token it is; without a good one every value is empty.
    pub claims: Option<&'a AccessTokenClaims>,
    /// Names of the claims that are handed on as properties.
    pub properties: &'a [String],
}

impl<'a> Identity<'a> {
    /// Nobody, who may not pass.
    pub const NOBODY: Self = Self { allowed: false, claims: None, properties: &[] };

    /// The value of a header; empty if there is nothing to say.
    #[must_use]
    pub fn value(&self, header: AnswerHeader) -> Cow<'a, str> {
        if header == AnswerHeader::MiaAllowed {
            return if self.allowed { "1" } else { "0" }.into();
        }
        let Some(claims) = self.claims else { return "".into() };
        match header {
            AnswerHeader::MiaAllowed => "".into(), // said above, of nobody too
            AnswerHeader::MiaUserId | AnswerHeader::XClientId => encoded(claims.client_id.as_str()),
            AnswerHeader::XTokenId => encoded(&claims.jti),
            AnswerHeader::MiaGroups => list(claims.groups.iter().map(String::as_str), ','),
            AnswerHeader::XPermissions => {
                list(claims.permissions.iter().map(Permission::as_str), ',')
            }
            AnswerHeader::XAudience => list(claims.aud.iter().map(Audience::as_str), ','),
            AnswerHeader::XScope => {
                let tokens = claims.scope.as_deref().unwrap_or_default().split(' ');
                list(tokens.filter(|token| !token.is_empty()), ' ')
            }
            AnswerHeader::MiaUserProperties if self.properties.is_empty() => "".into(),
            AnswerHeader::MiaUserProperties => properties(claims, self.properties).into(),
        }
    }
}

fn encoded(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, ENCODED).into()
}

/// Encoded item by item, so that no item can pretend to be two.
fn list<'a>(mut items: impl Iterator<Item = &'a str>, separator: char) -> Cow<'a, str> {
    let Some(first) = items.next() else { return "".into() };
    items.fold(encoded(first), |list, item| {
        let mut list = list.into_owned();
        list.push(separator);
        list.extend(utf8_percent_encode(item, ENCODED));
        list.into()
    })
}

/// The claims of these names that the token has, as JSON that is ASCII.
fn properties(claims: &AccessTokenClaims, names: &[String]) -> String {
    let mut all = match serde_json::to_value(claims) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(), // claims are an object: this does not happen
    };
    let chosen: Map<String, Value> =
        names.iter().filter_map(|name| all.remove_entry(name)).collect();
    let json = Value::Object(chosen).to_string();
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            ' '..='~' => ascii.push(c),
            // Only inside of strings; what is beyond 16 bits is a pair there: RFC 8259 §7.
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(ascii, "\\u{unit:04x}"); // a string takes everything
                }
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(more: &Value) -> AccessTokenClaims {
        let mut all = json!({
            "iss": "me", "sub": "svc", "client_id": "svc", "exp": 2, "iat": 1, "jti": "j1",
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn every_value_is_safe_in_a_header_and_no_item_pretends_to_be_two() {
        use AnswerHeader::*;
        #[rustfmt::skip]
        let cases = [
            // why                      header             claims                                          value
            ("client",                  XClientId,         json!({}),                                      "svc"),
            ("client, for Mia",         MiaUserId,         json!({}),                                      "svc"),
            ("a space would be cut off", XClientId,        json!({ "client_id": " a,%" }),                 "%20a%2C%25"),
            ("token",                   XTokenId,          json!({}),                                      "j1"),
            ("token of another platform", XTokenId,        json!({ "jti": "a\r\nx: y\u{e9}" }),            "a%0D%0Ax:%20y%C3%A9"),
            ("nothing",                 XPermissions,      json!({ "permissions": [] }),                   ""),
            ("one",                     XPermissions,      json!({ "permissions": ["read:orders/*"] }),    "read:orders/*"),
            ("several",                 XPermissions,      json!({ "permissions": ["a", "b", "c"] }),      "a,b,c"),
            ("comma",                   XPermissions,      json!({ "permissions": ["a,b", "c"] }),         "a%2Cb,c"),
            ("encoded comma",           XPermissions,      json!({ "permissions": ["a%2Cb"] }),            "a%252Cb"),
            ("space, quote, backslash", XPermissions,      json!({ "permissions": ["\" \\"] }),            "%22%20%5C"),
            ("not ASCII",               XPermissions,      json!({ "permissions": ["caf\u{e9}", "\u{1f600}"] }), "caf%C3%A9,%F0%9F%98%80"),
            ("groups",                  MiaGroups,         json!({ "groups": ["admin", "a\nb\u{7f}"] }),   "admin,a%0Ab%7F"),
            ("no groups",               MiaGroups,         json!({}),                                      ""),
            ("audience",                XAudience,         json!({ "aud": ["https://a/", "b,c"] }),        "https://a/,b%2Cc"),
            ("for anyone",              XAudience,         json!({}),                                      ""),
            ("scope",                   XScope,            json!({ "scope": "read a,b" }),                 "read a%2Cb"),
            ("scope of another platform", XScope,          json!({ "scope": " \u{e9}  x " }),              "%C3%A9 x"),
            ("no scope",                XScope,            json!({}),                                      ""),
            ("no such properties",      MiaUserProperties, json!({}),                                      "{}"),
            ("properties",              MiaUserProperties, json!({ "tenant": "\u{e9}\u{1f600}\"\n\u{7f}", "n": { "a": [1] }, "other": 1 }),
                                                                                                           r#"{"tenant":"\u00e9\ud83d\ude00\"\n\u007f","n":{"a":[1]}}"#),
        ];
        let properties = ["tenant".to_owned(), "n".to_owned(), "tenant".to_owned()];
        for (why, header, more, value) in cases {
            let claims = claims(&more);
            let identity =
                Identity { allowed: true, claims: Some(&claims), properties: &properties };
            assert_eq!(identity.value(header), value, "{why}");
            assert!(value.bytes().all(|b| matches!(b, b' '..=b'~')), "{why}");
        }
    }

    #[test]
    fn of_nobody_everything_is_empty_but_the_decision() {
        let all = AnswerHeader::OF_MIA.into_iter().chain(AnswerHeader::OF_OTHERS);
        for header in all {
            let said = Identity::NOBODY.value(header);
            assert_eq!(said, if header == AnswerHeader::MiaAllowed { "0" } else { "" });
        }
        let anybody = Identity { allowed: true, ..Identity::NOBODY };
        assert_eq!(anybody.value(AnswerHeader::MiaAllowed), "1");
        let known = claims(&json!({ "tenant": "t" }));
        let known = Identity { allowed: true, claims: Some(&known), properties: &[] };
        assert_eq!(known.value(AnswerHeader::MiaUserProperties), "", "none are chosen");
    }
}
