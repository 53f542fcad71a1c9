//! `envoy.service.auth.v3.Authorization` as a service that tonic routes to, with its one method.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Response, Status};
use tonic_prost::ProstCodec;

use crate::web::ServerState;

use super::check;
use super::messages::{CheckRequest, CheckResponse};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
/// How large a message may be in bytes: header and body of a request, should Envoy send that too.
const MESSAGE_LIMIT: usize = 1024 * 1024;

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Answers each call as the policy decides.
#[derive(Clone)]
pub(crate) struct Authorization(pub(crate) ServerState);

impl NamedService for Authorization {
    const NAME: &'static str = "envoy.service.auth.v3.Authorization";
}

impl UnaryService<CheckRequest> for Authorization {
    type Response = CheckResponse;
    type Future = Pending<Result<Response<CheckResponse>, Status>>;

    fn call(&mut self, request: tonic::Request<CheckRequest>) -> Self::Future {
        let state = self.0.clone();
        Box::pin(async move { Ok(Response::new(check::answer(&state, request.get_ref()).await)) })
    }
}

impl Service<http::Request<Body>> for Authorization {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pending<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != CHECK {
                return Ok(Status::new(Code::Unimplemented, "").into_http());
            }
            let mut grpc = Grpc::new(ProstCodec::default())
                .apply_max_message_size_config(Some(MESSAGE_LIMIT), None);
            Ok(grpc.unary(service, request).await)
        })
    }
}
