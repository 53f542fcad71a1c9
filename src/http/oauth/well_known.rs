//! `/.well-known/…`: what others need to know to work with this server. Open to every origin.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ContentType, ETAG, EntityTag, Header, IfNoneMatch,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::{Map, Value, json};
use strum::VariantNames;

use crate::assembly::App;
use crate::domain::auth_method::AuthMethod;
use crate::domain::client::CLIENT_CREDENTIALS;
use crate::domain::error_code::ErrorCode;
use crate::domain::jwk::Algorithm;
use crate::domain::resource::WELL_KNOWN;
use crate::domain::signing_key::PUBLICATION_LEAD;
use crate::web::refusal::Refusal;
use crate::web::state::Running;

/// The key set: RFC 7517 §5.
pub(in crate::http) async fn jwks(app: Running, request: HttpRequest) -> HttpResponse {
    let jwks = app.signing.ring.jwks();
    // A cache may have weakened the tag, which makes no difference here: RFC 9110 §13.1.2.
    let unchanged = match (IfNoneMatch::parse(&request), jwks.etag.parse::<EntityTag>()) {
        (Ok(IfNoneMatch::Any), _) => true,
        (Ok(IfNoneMatch::Items(known)), Ok(current)) => {
            known.iter().any(|tag| tag.weak_eq(&current))
        }
        _ => false,
    };
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    open(&mut response).insert_header((ETAG, jwks.etag.as_str()));
    if unchanged {
        response.finish()
    } else {
        response.insert_header(ContentType::json()).body(jwks.body)
    }
}

/// RFC 8414 §2. What is advertised is real, what is real is advertised.
pub(in crate::http) async fn authorization_server(app: Running) -> HttpResponse {
    open(&mut HttpResponse::Ok()).json(metadata(&app))
}

/// The same, with what OpenID Discovery §3 requires beside it, and what the operator adds.
pub(in crate::http) async fn openid_configuration(app: Running) -> Result<HttpResponse, Refusal> {
    // The one member that the operator may set otherwise: nothing here depends on it.
    let authorize = app.config.url("/oauth/authorize");
    let mut shown = members(json!({ "authorization_endpoint": authorize }));
    shown.extend(app.openid_configuration.clone());
    shown.extend(openid_members(&app));
    shown.extend(metadata(&app));
    Ok(open(&mut HttpResponse::Ok()).json(shown))
}

/// What is behind a gateway: RFC 9728 §2. Its path is behind the name of the document.
pub(in crate::http) async fn protected_resource(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let (_, path) = request.uri().path().split_once(WELL_KNOWN).unwrap_or_default();
    let config = &app.config;
    let found = config.gateways.resource_at(path);
    let resource = found.ok_or_else(|| {
        Refusal::new(ErrorCode::NotFound, "no protected resource of this path is configured")
    })?;
    let mut shown = members(json!({
        "resource": resource.as_str(),
        "bearer_methods_supported": ["header"],
    }));
    if is_url(&config.issuer) {
        shown.insert("authorization_servers".to_owned(), json!([config.issuer]));
    }
    Ok(open(&mut HttpResponse::Ok()).json(shown))
}

/// Whether clients can find the metadata of a server of this name.
pub(in crate::http) fn is_url(issuer: &str) -> bool {
    url::Url::parse(issuer).is_ok_and(|url| url.has_host())
}

/// An answer that is open to every origin, and kept for a while.
pub(in crate::http) fn open(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    let lead = PUBLICATION_LEAD.as_secs();
    response
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((CACHE_CONTROL, format!("public, max-age={lead}")))
}

fn metadata(app: &App) -> Map<String, Value> {
    let config = &app.config;
    let methods = AuthMethod::VARIANTS;
    let algorithms = Algorithm::names();
    let mut shown = members(json!({
        "issuer": config.issuer,
        "token_endpoint": config.url("/oauth/token"),
        "jwks_uri": config.url("/.well-known/jwks.json"),
        "response_types_supported": [],
        "grant_types_supported": [CLIENT_CREDENTIALS],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": config.url("/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint": config.url("/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": app.signing.ring.algorithms(),
    }));
    if config.listen.admin_address.is_none() {
        let documentation = format!("{}/documentation", config.root());
        shown.insert("service_documentation".to_owned(), documentation.into());
    }
    if !config.gateways.resources.is_empty() {
        shown.insert("protected_resources".to_owned(), json!(config.gateways.resources));
    }
    if app.clients.registration.is_possible() {
        shown.insert("registration_endpoint".to_owned(), config.url("/register").into());
    }
    shown
}

fn openid_members(app: &App) -> Map<String, Value> {
    members(json!({
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": app.signing.ring.algorithms(),
    }))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
