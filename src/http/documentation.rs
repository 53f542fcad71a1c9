//! `/documentation`: the contract, for programs and for people. All of it comes from this binary.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use utoipa_swagger_ui::Config;

use crate::domain::error_code::ErrorCode;

use super::Lobby;
use super::error::Refusal;

/// The contract as it is written.
const OPENAPI: &str = include_str!("../../openapi.yaml");

static PARSED: LazyLock<Option<Value>> = LazyLock::new(|| serde_saphyr::from_str(OPENAPI).ok());
static UI: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from("./json").try_it_out_enabled(true)));

pub(super) async fn json(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let mut shown = PARSED
        .clone()
        .ok_or_else(|| Refusal::new(ErrorCode::ServerError, "the contract cannot be read"))?;
    if let (Some(lobby), Some(members)) = (Lobby::of(&request), shown.as_object_mut()) {
        members.insert("servers".to_owned(), json!([{ "url": lobby.config().root() }]));
    }
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).json(shown))
}

/// The page's own links are relative to the folder.
pub(super) async fn redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/documentation/")).finish()
}

pub(super) async fn page(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let file = request.match_info().query("file");
    match utoipa_swagger_ui::serve(file, UI.clone()) {
        Ok(Some(file)) => Ok(HttpResponse::Ok()
            .content_type(file.content_type)
            .insert_header((CACHE_CONTROL, "no-cache"))
            .body(file.bytes.into_owned())),
        _ => Err(Refusal::new(ErrorCode::NotFound, "there is no such file")),
    }
}
