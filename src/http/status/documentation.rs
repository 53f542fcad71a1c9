//! `/documentation`: the contract, for programs and for people. All of it comes from this binary.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde_json::{Value, json};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

use crate::config::Config;
use crate::domain::error_code::ErrorCode;
use crate::http::entry::{Entry, Where};
use crate::web::ServerState;
use crate::web::refusal::Refusal;

/// The contract as it is written.
const OPENAPI: &str = include_str!("../../../openapi.yaml");

/// Where the page fetches tokens: a client would take a relative URL for one at the first server.
const TOKEN_URL: &str =
    "/components/securitySchemes/clientCredentials/flows/clientCredentials/tokenUrl";

static PARSED: LazyLock<Option<Value>> = LazyLock::new(|| serde_saphyr::from_str(OPENAPI).ok());
/// The files of the page, unpacked at the first request for one.
static UI: LazyLock<HashMap<&str, Bytes>> = LazyLock::new(|| unpacked().unwrap_or_default());

/// The files of Swagger UI that the page loads, with their media types.
const FILES: [(&str, &str); 7] = [
    ("index.html", "text/html; charset=utf-8"),
    ("index.css", "text/css; charset=utf-8"),
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("swagger-ui-standalone-preset.js", "text/javascript; charset=utf-8"),
    ("favicon-16x16.png", "image/png"),
    ("favicon-32x32.png", "image/png"),
];

/// Starts the page. Without the validator badge, which the browser would load from another site.
const INITIALIZER: &str = r##"window.onload = () => {
  window.ui = SwaggerUIBundle({
    "url": "./json",
    "dom_id": "#swagger-ui",
    "deepLinking": true,
    "presets": [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    "layout": "StandaloneLayout",
    "tryItOutEnabled": true,
    "validatorUrl": "none",
  });
};
"##;

pub(in crate::http) async fn json(
    request: HttpRequest,
    table: web::Data<&'static [Entry]>,
) -> Result<HttpResponse, Refusal> {
    let mut shown = PARSED
        .clone()
        .ok_or_else(|| Refusal::new(ErrorCode::ServerError, "the contract cannot be read"))?;
    if let Some(state) = ServerState::of(&request) {
        locate(&mut shown, &table, state.config());
    }
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(shown))
}

/// Says where the routes are: some begin with the service prefix, some are on another listener.
fn locate(contract: &mut Value, table: &[Entry], config: &Config) {
    let servers = |url: &str| json!([{ "url": url }]);
    if let Some(members) = contract.as_object_mut() {
        members.insert("servers".to_owned(), servers(config.root()));
    }
    if let Some(url) = contract.pointer_mut(TOKEN_URL) {
        *url = config.url("/oauth/token").into();
    }
    let Some(paths) = contract.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        let entry = table.iter().find(|entry| entry.path.replace(":.*", "") == *path);
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

/// Reads [`FILES`] from the archive of the release.
fn unpacked() -> zip::result::ZipResult<HashMap<&'static str, Bytes>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    // The folder that contains all of them.
    let root = archive.by_index(0)?.name()?.split('/').next().unwrap_or_default().to_owned();
    let mut files = HashMap::new();
    for (name, _) in FILES {
        let mut content = Vec::new();
        archive.by_name(&format!("{root}/dist/{name}"))?.read_to_end(&mut content)?;
        files.insert(name, content.into());
    }
    Ok(files)
}

/// The page's own links are relative to the folder.
pub(in crate::http) async fn redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/documentation/")).finish()
}

pub(in crate::http) async fn page(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let name = match request.match_info().query("file") {
        "" => "index.html",
        name => name,
    };
    let (kind, content) = if name == "swagger-initializer.js" {
        ("text/javascript; charset=utf-8", Bytes::from_static(INITIALIZER.as_bytes()))
    } else {
        let file = FILES.iter().find(|(file, _)| *file == name);
        let found = file.and_then(|(_, kind)| Some((*kind, UI.get(name)?.clone())));
        found.ok_or_else(|| Refusal::new(ErrorCode::NotFound, "no such file"))?
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-cache"));
    Ok(response.content_type(kind).body(content))
}
