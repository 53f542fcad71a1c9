//! Where a request comes from: what audit records say beside who acted.

use actix_web::HttpRequest;

use crate::assembly::App;
use crate::audit::Origin;
use crate::random::{self, ALPHANUMERIC};

use super::address;

/// The names under which gateways send the id of a request.
const REQUEST_ID: [&str; 2] = ["x-request-id", "request-id"];
/// A longer one is not taken over.
const LONGEST_ID: usize = 128;

/// The origin of a request, before it is known who made it.
pub(crate) fn of(app: &App, request: &HttpRequest) -> Origin {
    let sent = REQUEST_ID.iter().find_map(|name| request.headers().get(*name)?.to_str().ok());
    let sound = |id: &&str| (1..=LONGEST_ID).contains(&id.len()) && !id.contains(char::is_control);
    let made = || random::text(ALPHANUMERIC, 20).ok();
    Origin {
        address: address::caller(request, &app.config.listen.trusted_proxies)
            .map(|address| address.to_string()),
        request_id: sent.filter(sound).map(str::to_owned).or_else(made),
    }
}
