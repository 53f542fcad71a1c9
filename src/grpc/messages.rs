//! The messages of `envoy.service.auth.v3` and what they hold, as far as they are read or written
//! here. Protocol Buffers skip fields that a message does not declare.
//!
//! The definitions: [`external_auth.proto`], [`attribute_context.proto`], [`base.proto`]. They are
//! declared by hand because the crate that generates all of Envoy's takes minutes to build.
//!
//! [`external_auth.proto`]: https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/auth/v3/external_auth.proto
//! [`attribute_context.proto`]: https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/auth/v3/attribute_context.proto
//! [`base.proto`]: https://github.com/envoyproxy/envoy/blob/main/api/envoy/config/core/v3/base.proto

use std::collections::HashMap;

use prost::{Enumeration, Message, Oneof};

/// What Envoy sends.
#[derive(Clone, Message, PartialEq)]
pub(super) struct CheckRequest {
    #[prost(message, tag = "1")]
    pub(super) attributes: Option<AttributeContext>,
}

/// About a request of Envoy's client.
#[derive(Clone, Message, PartialEq)]
pub(super) struct AttributeContext {
    #[prost(message, tag = "4")]
    pub(super) request: Option<Request>,
}

/// A request, of whichever protocol.
#[derive(Clone, Message, PartialEq)]
pub(super) struct Request {
    #[prost(message, tag = "2")]
    pub(super) http: Option<HttpRequest>,
}

/// An HTTP request.
#[derive(Clone, Message, PartialEq)]
pub(super) struct HttpRequest {
    #[prost(string, tag = "2")]
    pub(super) method: String,
    /// Headers of the same name are joined by a comma.
    #[prost(map = "string, string", tag = "3")]
    pub(super) headers: HashMap<String, String>,
    /// The path with the query.
    #[prost(string, tag = "4")]
    pub(super) path: String,
    /// The headers one by one, in place of `headers`, if Envoy is configured so.
    #[prost(message, tag = "13")]
    pub(super) header_map: Option<HeaderMap>,
}

#[derive(Clone, Message, PartialEq)]
pub(super) struct HeaderMap {
    #[prost(message, repeated, tag = "1")]
    pub(super) headers: Vec<HeaderValue>,
}

#[derive(Clone, Message, PartialEq)]
pub(super) struct HeaderValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
    /// The value where it is not text.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) raw_value: Vec<u8>,
}

/// What Envoy is answered.
#[derive(Clone, Message, PartialEq)]
pub(super) struct CheckResponse {
    #[prost(message, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    pub(super) http_response: Option<HttpResponse>,
}

/// `google.rpc.Status`: `OK` lets the request pass.
#[derive(Clone, Message, PartialEq)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

#[derive(Clone, Oneof, PartialEq)]
pub(super) enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(DeniedHttpResponse),
    #[prost(message, tag = "3")]
    Ok(OkHttpResponse),
}

/// What Envoy's client is answered.
#[derive(Clone, Message, PartialEq)]
pub(super) struct DeniedHttpResponse {
    #[prost(message, tag = "1")]
    pub(super) status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderValueOption>,
    #[prost(string, tag = "3")]
    pub(super) body: String,
}

#[derive(Clone, Message, PartialEq)]
pub(super) struct HttpStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

/// What is changed in the request before it goes on.
#[derive(Clone, Message, PartialEq)]
pub(super) struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderValueOption>,
    #[prost(string, repeated, tag = "5")]
    pub(super) headers_to_remove: Vec<String>,
}

#[derive(Clone, Message, PartialEq)]
pub(super) struct HeaderValueOption {
    #[prost(message, tag = "1")]
    pub(super) header: Option<HeaderValue>,
    #[prost(enumeration = "HeaderAppendAction", tag = "3")]
    pub(super) append_action: i32,
    #[prost(bool, tag = "4")]
    pub(super) keep_empty_value: bool,
}

/// What becomes of a header of the same name.
#[derive(Clone, Copy, Debug, Enumeration, Eq, PartialEq)]
#[repr(i32)]
pub(super) enum HeaderAppendAction {
    AppendIfExistsOrAdd = 0,
    OverwriteIfExistsOrAdd = 2,
}
