//! What all listeners share. The server listens before its parts are put together; until then requests
//! get a 503.

use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use actix_web::dev::Payload;
use actix_web::http::ConnectionType;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};

use crate::assembly::App;
use crate::config::Config;
use crate::domain::error_code::ErrorCode;
use crate::telemetry::Metrics;

use super::Patience;
use super::address::UntrustedProxies;
use super::rate::RegistrationRate;
use super::refusal::Refusal;

/// What every listener shares, from the first moment on.
#[derive(Clone)]
pub struct ServerState(Arc<Inner>);

struct Inner {
    config: Config,
    patience: Patience,
    metrics: Metrics,
    rate: RegistrationRate,
    untrusted_proxies: UntrustedProxies,
    app: OnceLock<Arc<App>>,
    stopping: AtomicBool,
}

impl ServerState {
    /// A server whose parts are not put together yet.
    #[must_use]
    pub fn new(config: Config, patience: Patience) -> Self {
        let clients = &config.clients;
        let rate = RegistrationRate::new(clients.registration_rate, clients.throttle);
        Self(Arc::new(Inner {
            metrics: Metrics::default(),
            rate,
            untrusted_proxies: UntrustedProxies::default(),
            config,
            patience,
            app: OnceLock::new(),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Lets requests in.
    pub fn open(&self, app: Arc<App>) {
        let _ = self.0.app.set(app);
    }

    /// Says that the server will stop soon, so that balancers look elsewhere.
    pub fn close(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn patience(&self) -> Patience {
        self.0.patience
    }

    pub(crate) fn rate(&self) -> &RegistrationRate {
        &self.0.rate
    }

    pub(crate) fn untrusted_proxies(&self) -> &UntrustedProxies {
        &self.0.untrusted_proxies
    }

    pub(crate) fn app(&self) -> Option<&Arc<App>> {
        self.0.app.get()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// Whether requests should be sent here: put together, with a key that signs, and not stopping.
    pub(crate) fn is_ready(&self) -> bool {
        self.can_judge() && self.app().is_some_and(|app| app.signing.ring.can_sign())
    }

    /// Whether requests should be sent here that only ask about tokens, for which no key need sign.
    pub(crate) fn can_judge(&self) -> bool {
        !self.is_stopping() && self.app().is_some_and(|app| app.feed.understands())
    }

    /// While the server stops, every answer is the last one on its connection: who asks again
    /// connects again, and comes to another server.
    pub(crate) fn part<B>(&self, answer: &mut HttpResponse<B>) {
        if self.is_stopping() {
            answer.head_mut().set_connection_type(ConnectionType::Close);
        }
    }

    pub(crate) fn of(request: &HttpRequest) -> Option<&Self> {
        request.app_data::<web::Data<Self>>().map(|data| &***data)
    }
}

/// The app, for handlers; while it is not there yet, the request is refused with a 503.
pub(crate) struct Running(Arc<App>);

/// What is said while the app is not there.
pub(crate) fn starting() -> Refusal {
    Refusal::new(ErrorCode::TemporarilyUnavailable, "the server is starting")
}

impl Deref for Running {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl FromRequest for Running {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = ServerState::of(request).and_then(ServerState::app).cloned();
        ready(app.map(Self).ok_or_else(starting))
    }
}
