//! What is seen of every request: how long it took, how it ended; and the limit on its header.

use std::time::Instant;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};

use crate::domain::error_code::ErrorCode;
use crate::telemetry::{RequestLabels, Status};

use super::Lobby;
use super::error::Refusal;

/// Measures the request under the name of its route.
pub(super) async fn observe<B: MessageBody + 'static>(
    route: &'static str,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let started = Instant::now();
    let lobby = Lobby::of(request.request()).cloned();
    let limit = lobby.as_ref().map_or(usize::MAX, |lobby| lobby.config().settings.header_limit);

    let response = if header_size(&request) > limit {
        let refusal = Refusal::new(ErrorCode::HeaderTooLarge, "the request header is too large");
        request.into_response(refusal.error_response()).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };

    if let Some(lobby) = lobby {
        let status = Status(response.status().as_u16());
        let labels = RequestLabels { route, status };
        let taken = started.elapsed();
        lobby.metrics().requests.get_or_create(&labels).observe(taken.as_secs_f64());
        let duration_ms = taken.as_secs_f64() * 1000.0;
        tracing::debug!(route, status = status.0, duration_ms, "answered");
    }
    Ok(response)
}

fn header_size(request: &ServiceRequest) -> usize {
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    request.uri().path().len() + request.uri().query().map_or(0, str::len) + fields.sum::<usize>()
}
