//! Whose token came with a request, and what its client may do now.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};

use crate::assembly::App;
use crate::clients::authority::Authority;
use crate::domain::client::Client;
use crate::oauth::error::TokenFault;
use crate::oauth::tokeninfo::LiveToken;
use crate::oauth::{News, bearer};

use super::origin::{self, ClaimedClient};
use super::refusal::Refusal;

/// While nothing was heard of the store for that long, nobody waits for it to answer a question about
/// a token.
const AWAY: Duration = Duration::from_secs(2);

/// The token as it was sent.
pub(crate) fn token(headers: &HeaderMap) -> Result<&str, TokenFault> {
    bearer::token(lines(headers))
}

/// The token of a request that a gateway asks about, if there is no other credential.
pub(crate) fn sole_token(headers: &HeaderMap) -> Result<&str, TokenFault> {
    bearer::sole_token(lines(headers))
}

fn lines(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(AUTHORIZATION).map(HeaderValue::as_bytes)
}

/// The token, judged.
pub(crate) async fn judged(app: &App, request: &HttpRequest) -> Result<LiveToken, TokenFault> {
    app.tokens.judge.judge(token(request.headers())?, app.clock.now()).await
}

/// The bearer, if its token and its client as it is now both hold the permission: what a token says
/// may have been taken away since.
pub(crate) async fn authority(
    app: &App,
    request: &HttpRequest,
    needed: &'static str,
) -> Result<Authority, Refusal> {
    let live = judged(app, request).await?;
    let claimed = ClaimedClient(live.claims().client_id.to_string());
    request.extensions_mut().insert(claimed);
    let bearer = Authority::bearer(live.claims(), needed, origin::of(app, request))?;
    let client = holder(app, &live).await?;
    Ok(bearer.now(&client, needed)?)
}

/// The same for those who only ask about tokens and decisions. Gateways wait for the answer, also
/// while the store is away; then the token speaks for itself.
pub(crate) async fn asker(
    app: &App,
    request: &HttpRequest,
    needed: &'static str,
) -> Result<(), Refusal> {
    let live = judged(app, request).await?;
    let claimed = ClaimedClient(live.claims().client_id.to_string());
    request.extensions_mut().insert(claimed);
    let bearer = Authority::bearer(live.claims(), needed, origin::of(app, request))?;
    match holder_if_at_hand(app, &live).await? {
        Some(client) => Ok(bearer.now(&client, needed).map(drop)?),
        None => Ok(()),
    }
}

/// The client of a token as it is now; `None` if that cannot be said at once.
pub(crate) async fn holder_if_at_hand(
    app: &App,
    live: &LiveToken,
) -> Result<Option<Arc<Client>>, TokenFault> {
    if app.feed.staleness() >= AWAY {
        return Ok(None);
    }
    match holder(app, live).await {
        Err(TokenFault::Store(_)) => Ok(None),
        found => found.map(Some),
    }
}

/// The client of a token as it is now. One that is gone, or not in use, has no living tokens; that may
/// be known of it before it is known of them.
async fn holder(app: &App, live: &LiveToken) -> Result<Arc<Client>, TokenFault> {
    let found = app.tokens.authenticator.clients.find(&live.claims().client_id).await?;
    found.filter(|client| client.is_in_use()).ok_or(TokenFault::Revoked)
}
