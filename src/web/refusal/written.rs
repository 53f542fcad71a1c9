//! What every dialect makes of a refusal.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use actix_web::{HttpResponse, HttpResponseBuilder};

/// A refusal as it goes on the wire: over HTTP, or through Envoy.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) status: StatusCode,
    /// All headers, that of the body's type too.
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: String,
}

impl From<Written> for HttpResponse {
    fn from(written: Written) -> Self {
        let mut response = HttpResponseBuilder::new(written.status);
        for header in written.headers {
            response.insert_header(header);
        }
        response.body(written.body)
    }
}
