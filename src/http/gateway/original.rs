//! What the original request was. It is read in the one place that the operator chose: a gateway
//! passes on headers that its own client made up, unless it overwrites them, so nothing follows from
//! what happens to be there. What is said elsewhere may only agree.

use std::ptr;

use actix_web::dev::RequestHead;
use actix_web::http::header::{HeaderMap, HeaderName};

use crate::policy::Request;

/// It cannot be said what the original request was.
#[derive(Debug)]
pub(super) struct Unclear<'a> {
    /// The header that is missing, repeated, malformed or says something else; `None`: the call
    /// itself.
    pub(super) header: Option<&'a str>,
}

/// Where the original request is.
pub(super) enum Source<'a> {
    /// The method of the call, and what is behind the route in its path.
    Call { route: &'a str },
    /// Two headers.
    Headers(&'static Family),
}

/// Two headers that belong together.
pub(super) struct Family {
    uri: Header,
    method: Header,
}

struct Header(HeaderName, &'static str);

impl Header {
    const fn named(name: &'static str) -> Self {
        Self(HeaderName::from_static(name), name)
    }
}

pub(super) static MIA: Family = Family {
    uri: Header::named("original-request-uri"),
    method: Header::named("original-request-method"),
};

pub(super) static ORIGINAL: Family =
    Family { uri: Header::named("x-original-uri"), method: Header::named("x-original-method") };

pub(super) static FORWARDED: Family =
    Family { uri: Header::named("x-forwarded-uri"), method: Header::named("x-forwarded-method") };

static FAMILIES: [&Family; 3] = [&MIA, &ORIGINAL, &FORWARDED];

/// The original request, without a query.
pub(super) fn request<'a>(
    call: &'a RequestHead,
    source: &Source<'_>,
) -> Result<Request<'a>, Unclear<'a>> {
    let (request, source) = match source {
        Source::Call { route } => (behind(route, call)?, None),
        Source::Headers(family) => (family.read(call.headers())?, Some(*family)),
    };
    for family in FAMILIES {
        if source.is_none_or(|source| !ptr::eq(source, family)) {
            family.agrees(&request, call.headers())?;
        }
    }
    Ok(request)
}

/// The path is taken from the line as it was sent: what the router has is decoded.
fn behind<'a>(route: &str, call: &'a RequestHead) -> Result<Request<'a>, Unclear<'a>> {
    let path = match call.uri.path().strip_prefix(route) {
        Some("") => "/",
        Some(path) if path.starts_with('/') => path,
        _ => return Err(Unclear { header: None }),
    };
    Ok(Request::new(call.method.as_str(), path))
}

impl Family {
    fn read<'a>(&self, headers: &'a HeaderMap) -> Result<Request<'a>, Unclear<'static>> {
        let said = |header: &Header| {
            let value = header.only(headers)?.filter(|value| !value.is_empty());
            value.ok_or(header.unclear())
        };
        let (uri, method) = (said(&self.uri)?, said(&self.method)?);
        Ok(Request::new(method, without_query(uri)))
    }

    fn agrees(&self, request: &Request<'_>, headers: &HeaderMap) -> Result<(), Unclear<'static>> {
        let uri = self.uri.only(headers)?;
        if uri.is_some_and(|uri| without_query(uri) != request.path) {
            return Err(self.uri.unclear());
        }
        let method = self.method.only(headers)?;
        if method.is_some_and(|method| method != request.method) {
            return Err(self.method.unclear());
        }
        Ok(())
    }
}

impl Header {
    /// What it says, if it is there; it must not be there twice.
    fn only<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, Unclear<'static>> {
        only(headers, &self.0).map_err(|_| self.unclear())
    }

    fn unclear(&self) -> Unclear<'static> {
        Unclear { header: Some(self.1) }
    }
}

/// The header is there twice, or is not UTF-8.
pub(super) struct NotOne;

/// The value of a header that may be there once.
pub(super) fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, NotOne> {
    let mut values = headers.get_all(name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(NotOne);
    }
    std::str::from_utf8(value.as_bytes()).map(Some).map_err(|_| NotOne)
}

fn without_query(uri: &str) -> &str {
    uri.split_once('?').map_or(uri, |(path, _)| path)
}
