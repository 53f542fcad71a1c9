//! `POST /oauth/introspect`: RFC 7662 §2, and RFC 9701 §4.

use actix_web::http::header::{Accept, CACHE_CONTROL, Header, QualityItem};
use actix_web::mime::{self, Mime};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::assembly::App;
use crate::domain::clock::Timestamp;
use crate::oauth::error::{OAuthError, TokenFault};
use crate::oauth::introspect::Introspector;
use crate::web::form::{self, Form};
use crate::web::refusal::Refusal;
use crate::web::state::Running;
use crate::web::{ServerState, bearer};

use super::credentials;

/// RFC 9701 §5.
const SIGNED: &str = "application/token-introspection+jwt";

pub(in crate::http) async fn post(
    app: Running,
    state: web::Data<ServerState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let form = form::read_with_token(&app, &request, payload).await?;
    let now = app.clock.now();
    let (caller, token) = caller(&app, &state, &request, &form, now).await?;

    let answer = app.tokens.introspection.answer(&app.tokens.judge, &caller, token, now).await?;

    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    if !wants_signed(&request) {
        return Ok(response.json(answer));
    }
    let signed = app.tokens.introspection.sealed(&caller, &answer, now)?;
    Ok(response.content_type(SIGNED).body(signed))
}

/// Who asks, and about what: the bearer of a token, or a client that proves itself.
async fn caller<'a>(
    app: &App,
    state: &ServerState,
    request: &HttpRequest,
    form: &'a Form,
    now: Timestamp,
) -> Result<(Introspector, &'a str), Refusal> {
    let token = form.value("token").ok_or(OAuthError::Missing("token"));
    match bearer::token(request.headers()) {
        Err(TokenFault::Missing | TokenFault::Repeated) => {
            let presented = credentials::presented(request, form)?;
            let token = token?;
            let client = credentials::authenticated(app, state, request, &presented, now).await?;
            Ok((Introspector::client(&client), token))
        }
        _ => {
            credentials::refuse_beside_a_token(request, form)?;
            let live = bearer::judged(app, request).await?;
            let client = bearer::holder_if_at_hand(app, &live).await?;
            Ok((Introspector::bearer(&live, client.as_deref())?, token?))
        }
    }
}

/// Whether the caller likes a signed answer at least as much as a plain one. To name no type, or
/// none that we have, is to take a plain one.
fn wants_signed(request: &HttpRequest) -> bool {
    let Ok(Accept(accepted)) = Accept::parse(request) else { return false };
    let quality = |rank: &dyn Fn(&Mime) -> Option<u8>| {
        let ranked = accepted
            .iter()
            .filter_map(|it: &QualityItem<Mime>| rank(&it.item).map(|rank| (rank, it.quality)));
        ranked.max_by_key(|(rank, _)| *rank).map(|(_, quality)| quality)
    };
    // The most specific range counts: RFC 9110 §12.5.1.
    let plain = quality(&|range| match (range.type_(), range.subtype()) {
        (mime::APPLICATION, mime::JSON) => Some(2),
        (mime::APPLICATION, mime::STAR) => Some(1),
        (mime::STAR, mime::STAR) => Some(0),
        _ => None,
    });
    let signed = quality(&|range| (range.essence_str() == SIGNED).then_some(0));
    let zero = actix_web::http::header::Quality::MIN;
    signed.is_some_and(|signed| signed > zero && plain.is_none_or(|plain| plain <= signed))
}
