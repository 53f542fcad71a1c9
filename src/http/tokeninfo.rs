//! `GET /tokeninfo`: what a token is worth.

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::{HttpRequest, HttpResponse};

use super::bearer;
use super::error::Refusal;
use super::lobby::Running;

pub(super) async fn get(app: Running, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let live = bearer::judged(&app, &request).await?;

    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(ContentType::json())
        .body(live.body()))
}
