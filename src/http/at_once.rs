//! What is asked for each request that reaches an API, before the routes are looked through: to find
//! the route would take as long as the answer.

use std::time::Instant;

use actix_http::Request;
use actix_web::HttpResponse;
use actix_web::dev::RequestHead;

use crate::web::ServerState;
use crate::web::observe::{Durations, check_size};

use super::entry::Where;
use super::gateway::{self, Names};
use super::oauth::tokeninfo;
use super::routes::Listener;

/// The answer that the route would give; `None` if there is something to wait for, or it is another
/// method.
type Answer = fn(&ServerState, &Names, &RequestHead) -> Option<HttpResponse>;

/// The paths as they are documented.
#[rustfmt::skip]
const ROUTES: [(&str, Where, Answer); 5] = [
    ("/tokeninfo",              Where::Service, |state, _, request| tokeninfo::at_once(state, request)),
    ("/auth",                   Where::Gateway, gateway::auth_at_once),
    ("/forward-auth",           Where::Gateway, gateway::forward_auth_at_once),
    ("/auth/{path:.*}",         Where::Gateway, gateway::auth_at_once),
    ("/forward-auth/{path:.*}", Where::Gateway, gateway::forward_auth_at_once),
];

/// What answers at once, in one worker.
pub(crate) struct AtOnce {
    state: ServerState,
    names: Names,
    routes: Vec<Route>,
}

struct Route {
    path: String,
    /// Whether every path is meant that begins with this one.
    below: bool,
    answer: Answer,
    durations: Durations,
}

impl AtOnce {
    pub(crate) fn of(state: &ServerState, listener: Listener) -> Self {
        let listen = &state.config().listen;
        // The answers to pages of other origins have more headers. They ask no gateway's route.
        let has_origins = !listen.cors_origins.is_empty();
        let served = ROUTES
            .iter()
            .filter(|(_, at, _)| listener.serves(*at) && (*at == Where::Gateway || !has_origins));
        let routes = served.map(|(documented, _, answer)| Route {
            path: format!("{}{}", listen.service_prefix, documented.trim_end_matches("{path:.*}")),
            below: documented.ends_with("{path:.*}"),
            answer: *answer,
            durations: Durations::of(documented, state.clone()),
        });
        Self { routes: routes.collect(), names: Names::of(state.config()), state: state.clone() }
    }

    /// The answer, if it is one of these routes. `None`: ask the routes.
    pub(crate) fn answer(&self, request: &Request) -> Option<HttpResponse> {
        let started = Instant::now();
        let (head, path) = (request.head(), request.path());
        let route = self.routes.iter().find(|route| match route.below {
            true => path.starts_with(&route.path),
            false => path == route.path,
        })?;
        let mut answer = match check_size(head, &self.state) {
            Ok(()) => (route.answer)(&self.state, &self.names, head)?,
            Err(refusal) => HttpResponse::from_error(refusal),
        };
        route.durations.end(head, None, &mut answer, started);
        Some(answer)
    }
}
