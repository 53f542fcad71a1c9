//! `GET /tokeninfo`: what a token is worth.

use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use base64_simd::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use memchr::{memchr, memrchr};

use crate::assembly::App;
use crate::oauth::NotOurs;
use crate::oauth::error::TokenFault;
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, bearer};

/// Made once: this is asked for each request that reaches an API.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(in crate::http) async fn get(
    app: Running,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    answer(&app, request.headers()).await
}

/// The answer of [`get`], unless news of other replicas must be waited for.
pub(in crate::http) fn at_once(state: &ServerState, request: &RequestHead) -> Option<HttpResponse> {
    let app = state.app().filter(|_| request.method == Method::GET)?;
    let answer = answer(app, request.headers()).now_or_never()?;
    Some(answer.unwrap_or_else(HttpResponse::from_error))
}

async fn answer(app: &App, headers: &HeaderMap) -> Result<HttpResponse, Refusal> {
    let token = bearer::token(headers)?;
    app.tokens.judge.judge(token, app.clock.now()).await?;
    let claims = claims(token).ok_or(TokenFault::NotOurs(NotOurs::Malformed))?;

    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, NO_STORE))
        .insert_header((CONTENT_TYPE, JSON))
        .body(claims))
}

/// The claims of a token that is good, as they were signed. They are not kept beside those that were
/// read, and decoding them is quicker than writing them again.
fn claims(token: &str) -> Option<Vec<u8>> {
    let (start, end) = (memchr(b'.', token.as_bytes())? + 1, memrchr(b'.', token.as_bytes())?);
    URL_SAFE_NO_PAD.decode_to_vec(token.get(start..end)?).ok()
}
