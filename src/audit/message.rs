//! What is sent to a webhook: <https://www.standardwebhooks.com>, version 1.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::domain::clock::Timestamp;

use super::{Action, AuditRecord};

/// What stands before a secret in base64.
const PREFIX: &str = "whsec_";
/// The fewest bytes that a secret may have.
const SHORTEST_SECRET: usize = 24;

/// The secret that messages are signed with.
#[derive(Clone)]
pub struct WebhookKey(hmac::Key);

/// The text is no such secret.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must be `whsec_` and base64, or any text, of at least {SHORTEST_SECRET} bytes")]
pub struct WeakWebhookSecret;

impl WebhookKey {
    /// The secret in either form: `whsec_` and base64, or its bytes as they are.
    pub fn parse(secret: &str) -> Result<Self, WeakWebhookSecret> {
        let bytes = match secret.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| WeakWebhookSecret)?,
            None => secret.as_bytes().to_vec(),
        };
        if bytes.len() < SHORTEST_SECRET {
            return Err(WeakWebhookSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    fn sign(&self, id: &str, at: Timestamp, body: &str) -> String {
        let signature = hmac::sign(&self.0, format!("{id}.{}.{body}", at.0).as_bytes());
        format!("v1,{}", STANDARD.encode(signature))
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey(..)")
    }
}

/// A message, ready to be sent at one moment.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its name, the same at each attempt.
    pub id: String,
    /// When it is sent.
    pub at: Timestamp,
    /// Of name, moment and body.
    pub signature: String,
    /// What it says, as JSON.
    pub body: String,
}

impl Message {
    /// What is said of a record at this moment.
    #[must_use]
    pub fn about(record: &AuditRecord, key: &WebhookKey, now: Timestamp) -> Self {
        let body = json!({
            "type": record.action,
            "timestamp": record.at.to_rfc3339(),
            "data": record,
        })
        .to_string();
        let signature = key.sign(&record.id, now, &body);
        Self { id: record.id.clone(), at: now, signature, body }
    }
}

/// Which audit events a webhook wants: one by its name, all whose names begin as `client.*`
/// does, or all with `*`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Topic {
    /// Those whose names begin so.
    Beginning(String),
    /// One.
    One(Action),
}

/// The text is not the name of an audit action.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("must be the name of an audit action such as `client.deleted`, or `client.*`, or `*`")]
pub struct UnknownTopic;

impl Topic {
    /// Whether the action is among them.
    #[must_use]
    pub fn covers(&self, action: Action) -> bool {
        match self {
            Self::Beginning(beginning) => action.name().starts_with(beginning.as_str()),
            Self::One(one) => *one == action,
        }
    }
}

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        let Some(beginning) = text.strip_suffix('*') else {
            return text.parse().map(Self::One).map_err(|_| UnknownTopic);
        };
        let whole = beginning.is_empty() || beginning.ends_with('.');
        let plain = |b: u8| b.is_ascii_lowercase() || b"._".contains(&b);
        let sound = whole && beginning != "." && beginning.bytes().all(plain);
        sound.then(|| Self::Beginning(beginning.to_owned())).ok_or(UnknownTopic)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning(beginning) => write!(f, "{beginning}*"),
            Self::One(action) => f.write_str(action.name()),
        }
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn standard_webhooks_signature() {
        let key = WebhookKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            Timestamp(1_614_265_330),
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_come_in_two_forms_and_are_long() {
        let text = "a".repeat(24);
        for (why, secret, good) in [
            ("text", text.clone(), true),
            ("short text", text[1..].to_owned(), false),
            ("base64", format!("whsec_{}", STANDARD.encode(&text)), true),
            ("short base64", format!("whsec_{}", STANDARD.encode(&text[1..])), false),
            ("no base64", format!("whsec_{}!", STANDARD.encode(&text)), false),
            ("empty", String::new(), false),
        ] {
            assert_eq!(WebhookKey::parse(&secret).is_ok(), good, "{why}");
        }
        let same = [text.clone(), format!("whsec_{}", STANDARD.encode(&text))]
            .map(|secret| WebhookKey::parse(&secret).unwrap().sign("id", Timestamp(1), "{}"));
        assert_eq!(same[0], same[1]);
        assert_eq!(format!("{:?}", WebhookKey::parse(&text).unwrap()), "WebhookKey(..)");
    }

    #[test]
    fn topics() {
        #[rustfmt::skip]
        let cases = [
            ("*",               Some((true,  true))),
            ("client.*",        Some((true,  false))),
            ("client.deleted",  Some((true,  false))),
            ("key.*",           Some((false, true))),
            ("client.updated",  Some((false, false))),
            ("client",          None),
            ("client.dele*",    None),
            ("client.unheard",  None),
            (".*",              None),
            ("**",              None),
            ("",                None),
        ];
        for (text, expected) in cases {
            let topic: Option<Topic> = text.parse().ok();
            let covered = topic
                .as_ref()
                .map(|it| (it.covers(Action::ClientDeleted), it.covers(Action::KeyAdded)));
            assert_eq!(covered, expected, "{text}");
            assert_eq!(topic.map(|topic| topic.to_string()), expected.map(|_| text.to_owned()));
        }
    }
}
