//! Envoy asks over gRPC: `envoy.service.auth.v3.Authorization/Check`. Decided and refused as over HTTP,
//! and said in messages.

mod check;
mod messages;
mod response;
pub(crate) mod service;
