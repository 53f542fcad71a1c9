//! Whose token came with a request.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};

use crate::app::App;
use crate::oauth::bearer;
use crate::oauth::error::TokenFault;
use crate::oauth::tokeninfo::LiveToken;
use crate::registry::actor::Actor;

use super::error::Refusal;
use super::origin;

/// The token as it was sent.
pub(super) fn token(request: &HttpRequest) -> Result<&str, TokenFault> {
    bearer::token(lines(request))
}

/// The token of a request that a gateway asks about, if there is no other credential.
pub(super) fn sole_token(request: &HttpRequest) -> Result<&str, TokenFault> {
    bearer::sole_token(lines(request))
}

fn lines(request: &HttpRequest) -> impl Iterator<Item = &[u8]> {
    request.headers().get_all(AUTHORIZATION).map(HeaderValue::as_bytes)
}

/// The token, judged.
pub(super) async fn judged(app: &App, request: &HttpRequest) -> Result<LiveToken, TokenFault> {
    app.judge.judge(token(request)?, app.clock.now()).await
}

/// The bearer, if it may do what needs this permission.
pub(super) async fn actor(
    app: &App,
    request: &HttpRequest,
    needed: &'static str,
) -> Result<Actor, Refusal> {
    let live = judged(app, request).await?;
    Ok(Actor::with(live.claims(), needed, origin::of(app, request))?)
}
