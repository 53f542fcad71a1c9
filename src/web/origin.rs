//! Where a request comes from: what audit records say beside who acted.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::dev::RequestHead;
use ipnet::IpNet;

use crate::assembly::App;
use crate::audit::Origin;
use crate::random::{self, ALPHANUMERIC};

use super::address;

/// The names under which gateways send the id of a request.
const REQUEST_ID: [&str; 2] = ["x-request-id", "request-id"];
/// A longer one is not taken over.
pub(crate) const LONGEST_ID: usize = 128;

/// Who sent a request, for the log.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) address: Option<IpAddr>,
    /// As it was sent, or made here.
    pub(crate) request_id: String,
}

/// Whoever a caller says it is, from where it was found out on: in the extensions of its request.
pub(crate) struct ClaimedClient(pub(crate) String);

/// The sender of a request.
pub(crate) fn caller(request: &RequestHead, trusted_proxies: &[IpNet]) -> Caller {
    let sent = REQUEST_ID.iter().find_map(|name| request.headers().get(*name)?.to_str().ok());
    Caller { address: address::caller(request, trusted_proxies), request_id: request_id(sent) }
}

/// An id that was sent, if it is fit for a log; or a new one.
pub(crate) fn request_id(sent: Option<&str>) -> String {
    let sound = |id: &&str| (1..=LONGEST_ID).contains(&id.len()) && !id.contains(char::is_control);
    let made = || random::text(ALPHANUMERIC, 20).unwrap_or_default();
    sent.filter(sound).map_or_else(made, str::to_owned)
}

/// The origin of a request, before it is known who made it.
pub(crate) fn of(app: &App, request: &HttpRequest) -> Origin {
    let caller = caller(request.head(), &app.config.listen.trusted_proxies);
    Origin {
        address: caller.address.map(|address| address.to_string()),
        request_id: Some(caller.request_id),
    }
}
