//! `POST /register`: RFC 7591 §3.

use std::fmt;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::oauth::error::TokenFault;
use crate::registry::draft::ClientMetadata;
use crate::registry::error::RegistryError;
use crate::registry::view;

use super::error::Refusal;
use super::lobby::{Lobby, Running};
use super::{address, bearer, body};

pub(super) const MEDIA_TYPE: &str = "application/json";

pub(super) async fn post(
    app: Running,
    lobby: web::Data<Lobby>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let token = match bearer::token(&request) {
        Err(TokenFault::Repeated) => return Err(TokenFault::Repeated.into()),
        token => token.ok(),
    };
    app.registration.admit(token)?;
    let trusted = &app.config.settings.trusted_proxies;
    let address = address::caller(&request, trusted);
    if address.is_some_and(|address| !lobby.rate().admits(address)) {
        return Err(RegistryError::TooMany.into());
    }
    let metadata: ClientMetadata =
        from_object(object(&body::read(&request, payload, MEDIA_TYPE).await?)?)?;

    let registered = app.registration.register(&metadata, app.clock.now()).await?;

    lobby.metrics().clients_registered.inc();
    let client_id = &registered.client.id;
    tracing::info!(%client_id, address = ?address, "client registered itself");
    Ok(created(&view::registration(&registered)))
}

pub(super) fn created(shown: &Value) -> HttpResponse {
    HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(shown)
}

/// Reads a JSON object, and nothing else that JSON can be.
pub(super) fn object(body: &[u8]) -> Result<Value, RegistryError> {
    let members: Members = serde_json::from_slice(body).map_err(|error| {
        let why = if error.is_data() {
            "the body must be a JSON object that has each member once"
        } else {
            "the body is not valid JSON"
        };
        RegistryError::Malformed(why.to_owned())
    })?;
    Ok(Value::Object(members.0))
}

/// The members of an object, each there once.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a member is there twice"));
            }
        }
        Ok(Members(members))
    }
}

/// Reads what is known of an object, and says which member is wrong.
pub(super) fn from_object<T: serde::de::DeserializeOwned>(
    value: Value,
) -> Result<T, RegistryError> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| RegistryError::Metadata(format!("`{}`: {}", error.path(), error.inner())))
}
