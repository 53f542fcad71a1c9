//! What is seen of every request: how long it took, how it ended; the limit on its header, and the
//! farewell of a server that stops.
//!
//! On the path of every request: it looks nothing up that can be known before.

use std::cell::RefCell;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready as when_ready};
use std::time::Instant;

use actix_web::dev::{RequestHead, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage, HttpResponse};
use pin_project_lite::pin_project;
use prometheus_client::metrics::histogram::Histogram;

use crate::domain::error_code::ErrorCode;
use crate::telemetry::{FailureLabels, RequestLabels, Status};

use super::ServerState;
use super::origin::{self, ClaimedClient};
use super::refusal::{Refusal, Refused};

/// With each refusal: the id under which the log knows of it.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Measures requests under the name of their route.
pub(crate) struct Observe {
    pub(crate) route: &'static str,
    pub(crate) state: ServerState,
}

impl<S> Transform<S, ServiceRequest> for Observe
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    type Response = ServiceResponse;
    type Error = Error;
    type InitError = ();
    type Transform = Observed<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        let durations = Rc::new(Durations::of(self.route, self.state.clone()));
        ready(Ok(Observed { service, durations }))
    }
}

/// A route that is measured, in one worker.
pub(crate) struct Observed<S> {
    service: S,
    durations: Rc<Durations>,
}

impl<S> Service<ServiceRequest> for Observed<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Answer<S::Future>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let started = Instant::now();
        let durations = self.durations.clone();
        if let Err(refusal) = check_size(request.request().head(), &self.durations.state) {
            let response = Some(request.into_response(HttpResponse::from_error(refusal)));
            return Answer::Refused { response, started, durations };
        }
        Answer::Served { future: self.service.call(request), started, durations }
    }
}

pin_project! {
    /// The answer to come.
    #[project = Project]
    pub(crate) enum Answer<F> {
        Served { #[pin] future: F, started: Instant, durations: Rc<Durations> },
        Refused { response: Option<ServiceResponse>, started: Instant, durations: Rc<Durations> },
    }
}

impl<F> Future for Answer<F>
where
    F: Future<Output = Result<ServiceResponse, Error>>,
{
    type Output = Result<ServiceResponse, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Project::Served { future, started, durations } => {
                let mut response = when_ready!(future.poll(context))?;
                durations.end_routed(&mut response, *started);
                Poll::Ready(Ok(response))
            }
            Project::Refused { response, started, durations } => match response.take() {
                Some(mut response) => {
                    durations.end_routed(&mut response, *started);
                    Poll::Ready(Ok(response))
                }
                None => Poll::Pending, // asked again after the end, which nobody does
            },
        }
    }
}

/// The durations of one route, in one worker. Which histogram belongs to which status is looked up
/// once.
pub(crate) struct Durations {
    route: &'static str,
    state: ServerState,
    by_status: RefCell<Vec<(u16, Histogram)>>,
}

impl Durations {
    pub(crate) fn of(route: &'static str, state: ServerState) -> Self {
        Self { route, state, by_status: RefCell::default() }
    }

    fn end_routed(&self, response: &mut ServiceResponse, started: Instant) {
        let request = response.request().clone();
        let extensions = request.extensions();
        let client = extensions.get::<ClaimedClient>().map(|client| &*client.0);
        self.end(request.head(), client, response.response_mut(), started);
    }

    /// What is done with every answer before it is sent. Refusals are logged here.
    pub(crate) fn end(
        &self,
        request: &RequestHead,
        client_id: Option<&str>,
        answer: &mut HttpResponse,
        started: Instant,
    ) {
        self.state.part(answer);
        let refusal = answer.error().and_then(Error::as_error::<Refusal>);
        let id = refusal.map(|refusal| self.log(request, client_id, refusal));
        if let Some(Ok(id)) = id.map(HeaderValue::try_from)
            && !answer.headers().contains_key(REQUEST_ID)
        {
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        self.observe(answer.status().as_u16(), started);
    }

    /// Logs a refusal, unless that is done; under which id.
    fn log(&self, request: &RequestHead, client_id: Option<&str>, refusal: &Refusal) -> String {
        if let Some(id) = refusal.id_in_log() {
            return id.to_owned();
        }
        let caller = origin::caller(request, &self.state.config().listen.trusted_proxies);
        if let Some(reason) = refusal.failure() {
            let labels = FailureLabels { reason };
            self.state.metrics().authentication_failures.get_or_create(&labels).inc();
        }
        refusal.log(&Refused { caller: &caller, route: self.route, client_id });
        caller.request_id
    }

    fn observe(&self, status: u16, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        let mut known = self.by_status.borrow_mut();
        match known.iter().find(|(of, _)| *of == status) {
            Some((_, histogram)) => histogram.observe(seconds),
            None => {
                let labels = RequestLabels { route: self.route, status: Status(status) };
                let histogram = self.state.metrics().requests.get_or_create_owned(&labels);
                histogram.observe(seconds);
                known.push((status, histogram));
            }
        }
        let duration_ms = seconds * 1000.0;
        tracing::debug!(route = self.route, status, duration_ms, "answered");
    }
}

/// The limit on the header of a request.
pub(crate) fn check_size(request: &RequestHead, state: &ServerState) -> Result<(), Refusal> {
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    let target = request.uri.path().len() + request.uri.query().map_or(0, str::len);
    if target + fields.sum::<usize>() <= state.config().listen.header_limit {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::HeaderTooLarge, "the request header is too large"))
}
