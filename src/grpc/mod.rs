//! Envoy asks over gRPC: `envoy.service.auth.v3.Authorization/Check`. Messages in, messages out;
//! here is the port of whoever decides.

mod check;
mod envoy;
mod messages;
pub(crate) mod service;

use async_trait::async_trait;

use crate::policy::Request;

/// Decides, and says it in the words of HTTP.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// What is answered about a request.
    async fn ask(&self, asked: Asked<'_>) -> Answer;

    /// Whether requests should be sent here.
    fn is_ready(&self) -> bool;
}

/// What Envoy asks about. Not `Debug`: there may be a token in it.
pub struct Asked<'a> {
    /// The request; `None` if the message says nothing of one.
    pub request: Option<Request<'a>>,
    /// The values of its `Authorization` headers; Envoy may have joined several by a comma.
    pub authorization: Vec<&'a [u8]>,
    /// The size of its header in bytes, names and values, and its path.
    pub header_size: usize,
}

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    /// The request may pass, with these headers in place of those of the same name.
    Pass(Vec<(String, String)>),
    /// It may not; its client is sent this.
    Refuse(Refused),
}

/// What the client of a request is sent that may not pass.
#[derive(Debug)]
pub struct Refused {
    /// The status: 400 or above.
    pub status: u16,
    /// The headers, with that of the body's type.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}
