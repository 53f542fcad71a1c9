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
use actix_web::{Error, HttpResponse, ResponseError};
use pin_project_lite::pin_project;
use prometheus_client::metrics::histogram::Histogram;

use crate::domain::error_code::ErrorCode;
use crate::telemetry::{RequestLabels, Status};

use super::ServerState;
use super::refusal::Refusal;

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
            let response = Some(request.into_response(refusal.error_response()));
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
                durations.end(response.response_mut(), *started);
                Poll::Ready(Ok(response))
            }
            Project::Refused { response, started, durations } => match response.take() {
                Some(mut response) => {
                    durations.end(response.response_mut(), *started);
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

    /// What is done with every answer before it is sent.
    pub(crate) fn end(&self, answer: &mut HttpResponse, started: Instant) {
        self.state.part(answer);
        self.observe(answer.status().as_u16(), started);
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
