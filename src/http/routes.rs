//! Every route we serve.

use actix_web::http::header::{ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, Responder, Route, guard, web};

use crate::domain::error_code::ErrorCode;
use crate::web::ServerState;
use crate::web::observe::{Observe, REQUEST_ID};
use crate::web::refusal::Refusal;
use crate::web::to_its_end::to_its_end;

use super::admin::{audit, clients, keys, revocations};
use super::authzen;
use super::credentials;
use super::entry::{Entry, Where};
use super::gateway::{self, Names};
use super::oauth::{
    authorize, introspect, register, revoke, self_service, token, tokeninfo, well_known,
};
use super::status::{self, documentation};

/// All of them, those that are asked for most first: they are looked through in this order. Those
/// below `/auth` come before any other that an issuer's path might put there, whose 200 would be
/// taken for a yes.
/// `openapi.yaml` is held to this table by a test.
#[rustfmt::skip]
pub const TABLE: &[Entry] = &[
    Entry { method: "GET",  path: "/tokeninfo",                              at: Where::Service,        handler: |route| route.to(tokeninfo::get) },
    Entry { method: "ANY",  path: "/auth",                                   at: Where::Gateway,        handler: |route| route.to(gateway::auth) },
    Entry { method: "ANY",  path: "/forward-auth",                           at: Where::Gateway,        handler: |route| route.to(gateway::forward_auth) },
    Entry { method: "ANY",  path: "/auth/{path:.*}",                         at: Where::Gateway,        handler: |route| route.to(gateway::auth) },
    Entry { method: "ANY",  path: "/forward-auth/{path:.*}",                 at: Where::Gateway,        handler: |route| route.to(gateway::forward_auth) },
    Entry { method: "POST", path: "/oauth/token",                            at: Where::Service,        handler: |route| route.to(token::post) },
    Entry { method: "POST", path: "/oauth/introspect",                       at: Where::Service,        handler: |route| route.to(introspect::post) },
    Entry { method: "POST", path: "/access/v1/evaluation",                   at: Where::Service,        handler: |route| route.to(authzen::evaluation) },
    Entry { method: "POST", path: "/access/v1/evaluations",                  at: Where::Service,        handler: |route| route.to(authzen::evaluations) },
    Entry { method: "POST", path: "/oauth/revoke",                           at: Where::Service,        handler: |route| route.to(revoke::post) },
    Entry { method: "POST", path: "/register",                               at: Where::Service,        handler: |route| route.to(register::post) },
    Entry { method: "POST", path: "/clients",                                at: Where::Admin,          handler: |route| route.to(clients::post) },
    Entry { method: "GET",  path: "/clients",                                at: Where::Admin,          handler: |route| route.to(clients::list) },
    Entry { method: "POST", path: "/clients/import",                         at: Where::Admin,          handler: |route| route.to(clients::import) },
    Entry { method: "GET",  path: "/clients/{client_id}",                    at: Where::Admin,          handler: |route| route.to(clients::show) },
    Entry { method: "PATCH", path: "/clients/{client_id}",                   at: Where::Admin,          handler: |route| route.to(clients::patch) },
    Entry { method: "DELETE", path: "/clients/{client_id}",                  at: Where::Admin,          handler: |route| route.to(clients::delete) },
    Entry { method: "POST", path: "/clients/{client_id}/state",              at: Where::Admin,          handler: |route| route.to(clients::state) },
    Entry { method: "POST", path: "/clients/{client_id}/secrets",            at: Where::Admin,          handler: |route| route.to(credentials::add_secret) },
    Entry { method: "DELETE", path: "/clients/{client_id}/secrets/{credential_id}", at: Where::Admin,   handler: |route| route.to(credentials::delete_secret) },
    Entry { method: "POST", path: "/clients/{client_id}/keys",               at: Where::Admin,          handler: |route| route.to(credentials::add_key) },
    Entry { method: "DELETE", path: "/clients/{client_id}/keys/{credential_id}", at: Where::Admin,      handler: |route| route.to(credentials::delete_key) },
    Entry { method: "DELETE", path: "/clients/{client_id}/registration-tokens/{credential_id}", at: Where::Admin, handler: |route| route.to(clients::delete_registration_token) },
    Entry { method: "POST", path: "/clients/{client_id}/regenerate",         at: Where::Admin,          handler: |route| route.to(credentials::regenerate) },
    Entry { method: "GET",  path: "/register/{client_id}",                   at: Where::Service,        handler: |route| route.to(self_service::get) },
    Entry { method: "PUT",  path: "/register/{client_id}",                   at: Where::Service,        handler: |route| route.to(self_service::put) },
    Entry { method: "DELETE", path: "/register/{client_id}",                 at: Where::Service,        handler: |route| route.to(self_service::delete) },
    Entry { method: "POST", path: "/register/{client_id}/secrets",           at: Where::Service,        handler: |route| route.to(credentials::add_secret) },
    Entry { method: "DELETE", path: "/register/{client_id}/secrets/{credential_id}", at: Where::Service, handler: |route| route.to(credentials::delete_secret) },
    Entry { method: "POST", path: "/register/{client_id}/keys",              at: Where::Service,        handler: |route| route.to(credentials::add_key) },
    Entry { method: "DELETE", path: "/register/{client_id}/keys/{credential_id}", at: Where::Service,   handler: |route| route.to(credentials::delete_key) },
    Entry { method: "POST", path: "/register/{client_id}/regenerate",        at: Where::Service,        handler: |route| route.to(credentials::regenerate) },
    Entry { method: "GET",  path: "/keys",                                   at: Where::Admin,          handler: |route| route.to(keys::list) },
    Entry { method: "POST", path: "/keys/rotate",                            at: Where::Admin,          handler: |route| route.to(keys::rotate) },
    Entry { method: "POST", path: "/keys/{kid}/retire",                      at: Where::Admin,          handler: |route| route.to(keys::retire) },
    Entry { method: "GET",  path: "/audit",                                  at: Where::Admin,          handler: |route| route.to(audit::list) },
    Entry { method: "POST", path: "/revocations",                            at: Where::Admin,          handler: |route| route.to(revocations::post) },
    Entry { method: "GET",  path: "/.well-known/jwks.json",                  at: Where::RootAndService, handler: |route| route.to(well_known::jwks) },
    Entry { method: "GET",  path: "/.well-known/oauth-authorization-server", at: Where::RootAndService, handler: |route| route.to(well_known::authorization_server) },
    Entry { method: "GET",  path: "/.well-known/openid-configuration",       at: Where::RootAndService, handler: |route| route.to(well_known::openid_configuration) },
    Entry { method: "ANY",  path: "/oauth/authorize",                        at: Where::Service,        handler: |route| route.to(authorize::refuse) },
    Entry { method: "GET",  path: "/.well-known/oauth-protected-resource",   at: Where::RootAndService, handler: |route| route.to(well_known::protected_resource) },
    Entry { method: "GET",  path: "/.well-known/oauth-protected-resource/{path:.*}", at: Where::RootAndService, handler: |route| route.to(well_known::protected_resource) },
    Entry { method: "GET",  path: "/.well-known/authzen-configuration",      at: Where::RootAndService, handler: |route| route.to(authzen::configuration) },
    Entry { method: "GET",  path: "/-/healthz",                              at: Where::Status,         handler: |route| route.to(status::healthz) },
    Entry { method: "GET",  path: "/-/ready",                                at: Where::Status,         handler: |route| route.to(status::ready) },
    Entry { method: "GET",  path: "/-/check-up",                             at: Where::Status,         handler: |route| route.to(status::check_up) },
    Entry { method: "GET",  path: "/-/metrics",                              at: Where::AdminRoot,      handler: |route| route.to(status::metrics) },
    Entry { method: "GET",  path: "/documentation/json",                     at: Where::AdminRoot,      handler: |route| route.to(documentation::json) },
    Entry { method: "GET",  path: "/documentation",                          at: Where::AdminRoot,      handler: |route| route.to(documentation::redirect) },
    Entry { method: "GET",  path: "/documentation/{file:.*}",                at: Where::AdminRoot,      handler: |route| route.to(documentation::page) },
];

/// Which listener it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Listener {
    /// The one for everybody, and for whom there is no other.
    Main {
        /// Whether it is the admins' too.
        admin: bool,
        /// Whether it is the gateways' too.
        gateways: bool,
    },
    /// The one for admins.
    Admin,
    /// The one for gateways.
    Gateways,
}

impl Listener {
    pub(super) fn serves(self, at: Where) -> bool {
        match at {
            Where::Status => true,
            Where::Service | Where::RootAndService => matches!(self, Self::Main { .. }),
            Where::Admin | Where::AdminRoot => {
                matches!(self, Self::Admin | Self::Main { admin: true, .. })
            }
            Where::Gateway => matches!(self, Self::Gateways | Self::Main { gateways: true, .. }),
        }
    }
}

/// Registers the routes of one listener.
pub(crate) fn configure(config: &mut web::ServiceConfig, state: &ServerState, listener: Listener) {
    config.app_data(web::Data::new(Names::of(state.config())));
    config.app_data(web::Data::new(TABLE));
    let prefix = &state.config().listen.service_prefix;
    let served = TABLE.iter().filter(|entry| listener.serves(entry.at));
    let mut paths: Vec<(String, Vec<&'static Entry>)> = Vec::new();
    for entry in served {
        for path in places(entry, prefix, &state.config().issuer) {
            match paths.iter_mut().find(|(known, _)| *known == path) {
                Some((_, entries)) => entries.push(entry),
                None => paths.push((path, vec![entry])),
            }
        }
    }
    for (path, entries) in &paths {
        resource(config, state, path, entries);
    }
    // Callers configure these with a slash at the end as well as without. Last, because few do.
    for (path, entries) in
        paths.iter().filter(|(_, entries)| entries.iter().all(|it| it.may_end_in_slash()))
    {
        resource(config, state, &format!("{path}/"), entries);
    }
    let origins = &state.config().listen.cors_origins;
    if !origins.is_empty() && listener != Listener::Gateways {
        // A page of an allowed origin must be able to read the 404 too.
        config.service(web::resource("/{path:.*}").route(web::to(not_found)).wrap(cors(origins)));
    }
}

/// Every path at which an entry is served.
fn places(entry: &Entry, prefix: &str, issuer: &str) -> Vec<String> {
    let mut places = match entry.at {
        Where::Service | Where::Admin | Where::Gateway => vec![format!("{prefix}{}", entry.path)],
        Where::Status | Where::AdminRoot => vec![entry.path.to_owned()],
        Where::RootAndService => vec![entry.path.to_owned(), format!("{prefix}{}", entry.path)],
    };
    if entry.at == Where::RootAndService {
        // RFC 8414 §3 puts the issuer's path behind, OpenID Connect Discovery §4 before.
        let url = url::Url::parse(issuer).ok();
        let below = url.as_ref().map_or("", |url| url.path()).trim_end_matches('/');
        let plain = below.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/".contains(&b));
        if plain && !below.is_empty() {
            places.push(format!("{}{below}", entry.path));
            places.push(format!("{below}{}", entry.path));
        }
    }
    places.dedup();
    places
}

/// One path with all its methods, and an `Allow` for the others.
fn resource(
    config: &mut web::ServiceConfig,
    state: &ServerState,
    path: &str,
    entries: &[&'static Entry],
) {
    let documented = entries.first().map_or("", |entry| entry.path);
    let mut allowed: Vec<&str> = entries.iter().map(|entry| entry.method).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let allow = allowed.join(", ");
    let mut resource = web::resource(path);
    for entry in entries {
        let route = (entry.handler)(route(entry.method));
        resource =
            resource.route(if entry.may_write() { route.wrap(from_fn(to_its_end)) } else { route });
    }
    let resource = resource
        .default_service(web::to(move || {
            let refusal = Refusal::method_not_allowed(&allow);
            async move { Err::<actix_web::HttpResponse, _>(refusal) }
        }))
        .wrap(Observe { route: documented, state: state.clone() });
    // What a browser asks first is a request as any other to a gateway: the policy answers it.
    let is_gateways = entries.iter().any(|entry| entry.at == Where::Gateway);
    match state.config().listen.cors_origins.as_slice() {
        origins if !origins.is_empty() && !is_gateways => {
            config.service(resource.wrap(cors(origins)))
        }
        _ => config.service(resource),
    };
}

fn cors(origins: &[String]) -> actix_cors::Cors {
    let allowed = origins.iter().fold(actix_cors::Cors::default(), |cors, origin| {
        if origin == "*" { cors.allow_any_origin() } else { cors.allowed_origin(origin) }
    });
    allowed
        .allow_any_method()
        .allow_any_header()
        .expose_headers([ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE, REQUEST_ID])
        .max_age(3600)
}

/// What is said of a path that is no route.
pub(crate) async fn not_found(request: HttpRequest, state: web::Data<ServerState>) -> HttpResponse {
    let refusal = Refusal::new(ErrorCode::NotFound, "no such route");
    let mut answer = refusal.respond_to(&request);
    state.part(&mut answer);
    answer
}

/// Matches the method; a GET also answers HEAD, whose body the server leaves out: RFC 9110 §9.3.2.
/// Guards of actix note each method that they try, for an `Allow` that is written here already.
fn route(method: &'static str) -> Route {
    let is_same = move |context: &guard::GuardContext<'_>| {
        let sent = context.head().method.as_str();
        sent == method || (method == "GET" && sent == "HEAD")
    };
    if method == "ANY" { web::route() } else { web::route().guard(guard::fn_guard(is_same)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every route is completed that is not listed here and is not a GET.
    #[test]
    fn routes_that_may_write_run_to_their_end() {
        let cut_off: Vec<&str> = TABLE
            .iter()
            .filter(|entry| entry.method != "GET" && !entry.may_write())
            .map(|entry| entry.path)
            .collect();
        #[rustfmt::skip]
        let only_ask = [
            "/auth", "/forward-auth", "/auth/{path:.*}", "/forward-auth/{path:.*}",
            "/oauth/token", "/oauth/introspect", "/access/v1/evaluation", "/access/v1/evaluations",
            "/oauth/authorize",
        ];
        assert_eq!(cut_off, only_ask);
        let reads = TABLE.iter().filter(|entry| entry.method == "GET" && entry.may_write());
        let reads: Vec<&str> = reads.map(|entry| entry.path).collect();
        assert_eq!(reads, ["/register/{client_id}"]);
    }
}
