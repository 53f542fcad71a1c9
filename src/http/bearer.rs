//! The bearer token of a request: RFC 6750 §2.1, and no other place.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use crate::app::App;
use crate::oauth::NotOurs;
use crate::oauth::error::TokenFault;
use crate::oauth::tokeninfo::LiveToken;
use crate::registry::actor::Actor;

use super::error::Refusal;
use super::origin;

/// The token as it was sent. Two of them are refused: which one would count?
pub(super) fn token(request: &HttpRequest) -> Result<&str, TokenFault> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next().ok_or(TokenFault::Missing)?;
    if headers.next().is_some() {
        return Err(TokenFault::Repeated);
    }
    let (scheme, token) = header.as_bytes().split_at_checked(7).ok_or(TokenFault::Missing)?;
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.is_empty() {
        return Err(TokenFault::Missing);
    }
    std::str::from_utf8(token).map_err(|_| NotOurs::Malformed.into())
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
