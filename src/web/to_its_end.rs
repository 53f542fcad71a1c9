//! What must not end with the connection of whoever asked for it.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};

use crate::domain::error_code::{CANNOT_ANSWER, ErrorCode};

use super::refusal::Refusal;

/// Runs every request of a route to its end, even if the connection closes: what it has stored must
/// be in force in this process too.
pub(crate) struct ToItsEnd;

impl<S, B> Transform<S, ServiceRequest> for ToItsEnd
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type InitError = ();
    type Transform = Detached<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Detached { service }))
    }
}

/// A route whose requests are tasks of their own.
pub(crate) struct Detached<S> {
    service: S,
}

impl<S, B> Service<ServiceRequest> for Detached<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<ServiceResponse<B>, Error>>>>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let answer = actix_web::rt::spawn(self.service.call(request));
        Box::pin(async move {
            match answer.await {
                Ok(answer) => answer,
                Err(_) => Err(Refusal::new(ErrorCode::ServerError, CANNOT_ANSWER).into()),
            }
        })
    }
}
