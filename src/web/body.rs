//! The body of a request: of the right type, not too large, and not too slow.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;

use crate::domain::error_code::ErrorCode;

use super::refusal::{Accepted, Refusal};
use super::{Patience, ServerState};

/// Reads the whole body, if it is of this media type. An empty body needs none.
pub(crate) async fn read(
    request: &HttpRequest,
    payload: Payload,
    media_type: &str,
) -> Result<Bytes, Refusal> {
    read_any(request, payload, &[media_type]).await
}

/// Reads the whole body, if it is of one of these media types.
pub(crate) async fn read_any(
    request: &HttpRequest,
    payload: Payload,
    media_types: &[&str],
) -> Result<Bytes, Refusal> {
    let limit = ServerState::of(request).map_or(0, |state| state.config().listen.body_limit);
    read_up_to(limit, request, payload, media_types).await
}

/// The same, where more or less may come than elsewhere.
pub(crate) async fn read_up_to(
    limit: usize,
    request: &HttpRequest,
    payload: Payload,
    media_types: &[&str],
) -> Result<Bytes, Refusal> {
    let right = media_types.iter().any(|media_type| is_of_type(request, media_type));
    let patience = ServerState::of(request).map_or_else(Patience::default, ServerState::patience);
    let body =
        tokio::time::timeout(patience.body, collect(payload, limit)).await.map_err(|_| {
            Refusal::new(ErrorCode::InvalidRequest, "the body did not arrive in time")
        })??;
    if !is_plain(request) {
        let refusal = unsupported(request, media_types, "the body must not have a content coding");
        // RFC 9110 §12.5.3: this tells it from a type that is not supported.
        return Err(refusal.accepting(Accepted::ContentCoding("identity")));
    }
    if right || (body.is_empty() && !request.headers().contains_key(CONTENT_TYPE)) {
        return Ok(body);
    }
    let why = format!("the body must be {}", media_types.join(" or "));
    Err(unsupported(request, media_types, &why))
}

fn unsupported(request: &HttpRequest, media_types: &[&str], why: &str) -> Refusal {
    let refusal = Refusal::new(ErrorCode::UnsupportedMediaType, why);
    if request.method() == Method::PATCH {
        // RFC 5789 §2.2.
        return refusal.accepting(Accepted::PatchTypes(media_types.join(", ")));
    }
    refusal
}

/// Whether the body is what was meant: RFC 9110 §8.4. Codings may be on several lines.
fn is_plain(request: &HttpRequest) -> bool {
    let lines = request.headers().get_all(CONTENT_ENCODING);
    let codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    codings
        .map(<[u8]>::trim_ascii)
        .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
}

fn is_of_type(request: &HttpRequest, media_type: &str) -> bool {
    let mut types = request.headers().get_all(CONTENT_TYPE);
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let essence = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(media_type)
}

async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, Refusal> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|_| Refusal::new(ErrorCode::InvalidRequest, "the body could not be read"))?;
        if body.len() + chunk.len() > limit {
            let why = format!("the body is larger than {limit} bytes");
            return Err(Refusal::new(ErrorCode::ContentTooLarge, &why));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
