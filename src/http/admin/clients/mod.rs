//! `/clients`: the routes by which administrators manage clients.

mod create;
mod import;
mod list;
mod one;

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag, Header, IF_MATCH, IfMatch};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::assembly::App;
use crate::clients::Registered;
use crate::clients::credentials::Tokens;
use crate::clients::error::ClientsError;
use crate::clients::precondition::Precondition;
use crate::domain::client::Client;
use crate::domain::id::{ClientId, CredentialId};
use crate::domain::printable::excerpt;
use crate::http::client_json::view;
use crate::http::oauth::register;

pub(in crate::http) use create::post;
pub(in crate::http) use import::import;
pub(in crate::http) use list::list;
pub(in crate::http) use one::{delete, delete_registration_token, patch, show, state};

/// The client that the path names.
pub(in crate::http) fn client_id(request: &HttpRequest) -> Result<ClientId, ClientsError> {
    segment(request, "client_id").parse().map_err(|_| ClientsError::NotFound)
}

/// One segment of the path, decoded whole: the router leaves `%2F`, `%25` and `%2B` as they are.
pub(in crate::http) fn segment(request: &HttpRequest, name: &str) -> String {
    let raw = request.match_info().query(name);
    percent_encoding::percent_decode_str(raw).decode_utf8_lossy().into_owned()
}

/// The credential that the path names.
pub(in crate::http) fn credential_id(request: &HttpRequest) -> CredentialId {
    CredentialId::from(&*segment(request, "credential_id"))
}

/// `If-Match`: RFC 9110 §13.1.1. A star asks for a client that is there, which is asked anyway.
fn precondition(request: &HttpRequest) -> Precondition {
    if !request.headers().contains_key(IF_MATCH) {
        return Precondition::None;
    }
    match IfMatch::parse(request) {
        Ok(IfMatch::Any) => Precondition::None,
        Ok(IfMatch::Items(tags)) => {
            Precondition::Tags(tags.iter().map(EntityTag::to_string).collect())
        }
        // A malformed header matches no revision; it must not pass for a missing one.
        Err(_) => Precondition::Tags(Vec::new()),
    }
}

/// `revoke_tokens`, the only parameter of those that know it.
pub(in crate::http) fn tokens(request: &HttpRequest) -> Result<Tokens, ClientsError> {
    let mut tokens = Tokens::Keep;
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        tokens = match (&*name, &*value) {
            ("revoke_tokens", "true") => Tokens::Revoke,
            ("revoke_tokens", "false") => Tokens::Keep,
            ("revoke_tokens", _) => {
                return Err(malformed("`revoke_tokens` must be true or false"));
            }
            _ => return Err(malformed(&format!("unknown parameter `{}`", excerpt(&name)))),
        };
    }
    Ok(tokens)
}

fn malformed(why: &str) -> ClientsError {
    ClientsError::Malformed(why.to_owned())
}

/// A client as it stands, with its tag.
fn shown(app: &App, client: &Client) -> HttpResponse {
    let watch = app.clients.watch.at(app.clock.now());
    let mut response = no_store();
    response.insert_header((ETAG, client.revision.etag()));
    let mut shown = view::client(client, watch);
    view::warn(&mut shown, app.tokens.issuer.notice(client));
    response.json(shown)
}

/// A client as it was added.
pub(in crate::http) fn created(app: &App, registered: &Registered) -> HttpResponse {
    let client = &registered.client;
    let mut shown = view::created(registered, &register::uri(app, &client.id));
    view::warn(&mut shown, app.tokens.issuer.notice(client));
    HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(shown)
}

pub(in crate::http) fn no_store() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    response
}

/// Nothing to say but that it was done.
pub(in crate::http) fn done() -> HttpResponse {
    HttpResponse::NoContent().insert_header((CACHE_CONTROL, "no-store")).finish()
}
