//! `/documentation`: the contract, for programs and for people. All of it comes from this binary.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use utoipa_swagger_ui as swagger;

use crate::config::Config;
use crate::domain::error_code::ErrorCode;
use crate::http::{TABLE, Where};
use crate::web::ServerState;
use crate::web::refusal::Refusal;

/// The contract as it is written.
const OPENAPI: &str = include_str!("../../../openapi.yaml");

/// Where the page fetches tokens: a client would take a relative URL for one at the first server.
const TOKEN_URL: &str =
    "/components/securitySchemes/clientCredentials/flows/clientCredentials/tokenUrl";

static PARSED: LazyLock<Option<Value>> = LazyLock::new(|| serde_saphyr::from_str(OPENAPI).ok());
static UI: LazyLock<Arc<swagger::Config<'static>>> = LazyLock::new(|| Arc::new(page_config()));

pub(in crate::http) async fn json(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let mut shown = PARSED
        .clone()
        .ok_or_else(|| Refusal::new(ErrorCode::ServerError, "the contract cannot be read"))?;
    if let Some(state) = ServerState::of(&request) {
        locate(&mut shown, state.config());
    }
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(shown))
}

/// Says where the routes are: some begin with the service prefix, some are on another listener.
fn locate(contract: &mut Value, config: &Config) {
    let servers = |url: &str| json!([{ "url": url }]);
    if let Some(members) = contract.as_object_mut() {
        members.insert("servers".to_owned(), servers(config.root()));
    }
    if let Some(url) = contract.pointer_mut(TOKEN_URL) {
        *url = config.url("/oauth/token").into();
    }
    let Some(paths) = contract.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        let entry = TABLE.iter().find(|entry| entry.path.replace(":.*", "") == *path);
        let (Some(entry), Some(item)) = (entry, item.as_object_mut()) else { continue };
        if let Some(url) = server(entry.at, config) {
            item.insert("servers".to_owned(), servers(&url));
        }
    }
}

/// Where a route is, if it is not at the root of the main listener. The admins' address is where this
/// document was read, so a relative URL names it.
fn server(at: Where, config: &Config) -> Option<Cow<'_, str>> {
    let listen = &config.listen;
    let prefix = listen.service_prefix.as_str();
    match (at, listen.admin_address, config.gateways.address) {
        (Where::Gateway, _, Some(address)) => {
            let scheme = if listen.tls_certificate.is_some() { "https" } else { "http" };
            Some(format!("{scheme}://{address}{prefix}").into())
        }
        (Where::Service, ..) | (Where::Admin, None, _) | (Where::Gateway, _, None)
            if !prefix.is_empty() =>
        {
            Some(config.endpoints.as_str().into())
        }
        (Where::Admin, Some(_), _) if !prefix.is_empty() => Some(prefix.into()),
        (Where::Admin | Where::AdminRoot, Some(_), _) => Some("/".into()),
        _ => None,
    }
}

/// Without the badge of a validator, which the page would fetch from somewhere else.
fn page_config() -> swagger::Config<'static> {
    swagger::Config::from("./json").try_it_out_enabled(true).validator_url("none")
}

/// The page's own links are relative to the folder.
pub(in crate::http) async fn redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/documentation/")).finish()
}

pub(in crate::http) async fn page(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let file = request.match_info().query("file");
    match swagger::serve(file, UI.clone()) {
        Ok(Some(file)) => Ok(HttpResponse::Ok()
            .content_type(file.content_type)
            .insert_header((CACHE_CONTROL, "no-cache"))
            .body(file.bytes.into_owned())),
        _ => Err(Refusal::new(ErrorCode::NotFound, "no such file")),
    }
}
