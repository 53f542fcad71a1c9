//! The listeners, from the first byte to the last.

mod background;
mod bound;
pub mod connections;
mod disk_space;
pub mod grpc;
mod listening;
mod sweep;
mod tls;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::task::JoinSet;
use tonic::service::Routes;

use crate::assembly::{App, Chores, OpenStore, StartError, assemble};
use crate::audit::outbox;
use crate::clients::logins;
use crate::config::{Config, Listen};
use crate::domain::clock::Clock;
use crate::grpc::service::Authorization;
use crate::http::routes::Listener;
use crate::telemetry::{LimitLabels, Metrics};
use crate::web::{Patience, ServerState};

use background::Background;
use connections::{Bounds, Counts, Places};
use listening::Site;
use tls::Certificate;

pub use bound::{Bound, bind};

/// How long the last writes may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether the server is ready.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long the store is given to come up between two attempts.
const RETRY: Duration = Duration::from_millis(500);

/// A server that serves.
pub struct Server {
    state: ServerState,
    places: Arc<Places>,
    patience: Patience,
    stops: Vec<listening::Stop>,
    grpc: Option<grpc::Stop>,
    serving: JoinSet<io::Result<()>>,
    background: Background,
    certificate: Option<Arc<Certificate>>,
    chores: Option<Arc<Chores>>,
    shutdown_delay: Duration,
}

/// Begins to serve: status at once, everything else when [`Server::start`] is done.
pub fn serve(bound: Bound, config: &Config) -> io::Result<Server> {
    let mut config = config.clone();
    config.gateways.address = bound.gateway_address()?; // with the port that was taken
    let state = ServerState::new(config.clone(), bound.patience);
    let listen = &config.listen;
    let certificate = match (&listen.tls_certificate, &listen.tls_key) {
        (Some(chain), Some(key)) => Some(Certificate::load(chain, key)?),
        _ => None,
    };
    let mut server = Server {
        places: places(listen, state.metrics()),
        patience: bound.patience,
        state,
        stops: Vec::new(),
        grpc: None,
        serving: JoinSet::new(),
        background: Background::default(),
        certificate: certificate.clone(),
        chores: None,
        shutdown_delay: listen.shutdown_delay,
    };
    let main = Listener::Main { admin: bound.admin.is_none(), gateways: bound.gateways.is_none() };
    server.listen(bound.main, main, listen, certificate.as_ref())?;
    if let Some(admin) = bound.admin {
        server.listen(admin, Listener::Admin, listen, certificate.as_ref())?;
    }
    if let Some(gateways) = bound.gateways {
        server.listen(gateways, Listener::Gateways, listen, certificate.as_ref())?;
    }
    if let Some(socket) = bound.grpc {
        server.listen_to_envoy(socket, listen, certificate.as_ref())?;
    }
    if let Some(certificate) = certificate {
        server.background.spawn(certificate.watch());
    }
    Ok(server)
}

impl Server {
    fn listen(
        &mut self,
        socket: TcpListener,
        listener: Listener,
        listen: &Listen,
        certificate: Option<&Arc<Certificate>>,
    ) -> io::Result<()> {
        let site = Site {
            state: self.state.clone(),
            listener,
            tls: tls_of(certificate)?,
            places: self.places.clone(),
            patience: self.patience,
            workers: match listener {
                Listener::Admin => 1,
                Listener::Main { .. } | Listener::Gateways => workers(listen),
            },
            shutdown_timeout: listen.shutdown_timeout,
        };
        let (listening, stop) = listening::serve(socket, site)?;
        self.stops.push(stop);
        self.serving.spawn(listening.ended());
        Ok(())
    }

    fn listen_to_envoy(
        &mut self,
        socket: TcpListener,
        listen: &Listen,
        certificate: Option<&Arc<Certificate>>,
    ) -> io::Result<()> {
        let rules = grpc::Rules {
            workers: workers(listen),
            shutdown_timeout: listen.shutdown_timeout,
            patience: self.patience,
        };
        let (tls, places) = (tls_of(certificate)?, self.places.clone());
        let routes = Routes::new(Authorization(self.state.clone()));
        let state = self.state.clone();
        // No key need sign for `Check`, which only judges tokens.
        let can_judge = move || state.can_judge();
        let (listener, stop) = grpc::serve(socket, tls, places, routes, can_judge, rules)?;
        self.grpc = Some(stop);
        self.serving.spawn(listener.ended());
        Ok(())
    }

    /// Puts everything together and opens the doors; waits for a store that is late.
    pub async fn start(
        &mut self,
        config: Config,
        store: &OpenStore,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<App>, StartError> {
        let mut waited = false;
        let (app, chores) = loop {
            match Box::pin(assemble(config.clone(), store, clock.clone())).await {
                Ok(assembled) => break assembled,
                Err(error) if error.is_temporary() => {
                    if !waited {
                        let cause = std::error::Error::source(&error);
                        tracing::warn!(%error, ?cause, "waiting for the store");
                    }
                    waited = true;
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => return Err(error),
            }
        };
        let (app, chores) = (Arc::new(app), Arc::new(chores));
        self.background.start(&chores);
        self.chores = Some(chores);
        self.state.open(app.clone());
        Ok(app)
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.state.metrics()
    }

    /// The background tasks, once they have started.
    #[must_use]
    pub fn chores(&self) -> Option<&Arc<Chores>> {
        self.chores.as_ref()
    }

    /// Waits until requests should be sent here.
    pub fn ready(&self) -> impl Future<Output = ()> + use<> {
        let state = self.state.clone();
        async move {
            while !state.is_ready() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    /// Runs until a listener fails of itself.
    pub async fn run(&mut self) -> io::Result<()> {
        match self.serving.join_next().await {
            Some(ended) => ended.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }

    /// Reads again what may change while the server runs: the certificate, the policy and the signing
    /// keys. All of them are watched too; this is for those who do not wait for it.
    pub fn reread(&self) -> impl Future<Output = ()> + use<> {
        let (certificate, chores) = (self.certificate.clone(), self.chores.clone());
        async move {
            let policy = chores.as_ref().and_then(|chores| chores.policy.clone());
            let files = tokio::task::spawn_blocking(move || {
                certificate.inspect(|certificate| certificate.reread());
                policy.inspect(|policy| policy.reread());
            });
            let _ = files.await;
            if let Some(chores) = chores {
                // The feed says it if the store does not answer.
                let _ = chores.feed.look().await;
            }
            tracing::info!(
                "looked again for a new certificate, a new policy and new signing keys; settings are \
                 read at the start only"
            );
        }
    }

    /// Stops: tells balancers, ends each connection with its next answer, waits, lets requests
    /// under way end, and writes what is pending.
    pub async fn stop(mut self) {
        self.state.close();
        tokio::time::sleep(self.shutdown_delay).await;
        drop(self.grpc.take());
        self.stops.clear();
        while self.serving.join_next().await.is_some() {}
        let Some(chores) = self.chores.take() else { return self.background.stop().await };
        if let Some(delivery) = &chores.delivery {
            delivery.stop().await;
        }
        chores.credentials.stop().await;
        self.background.stop().await;
        // What a database that hangs does not take is given up; audit records stay where they
        // were written, and another replica moves them on.
        let pending = async {
            if logins::flush(&chores.logins, &*chores.store).await.is_err() {
                tracing::warn!("the last logins could not be written");
            }
            outbox::flush(&*chores.outbox).await;
            if chores.quotas.share(chores.clock.now()).await.is_err() {
                tracing::warn!("the last second of quotas could not be shared");
            }
        };
        let _ = tokio::time::timeout(PATIENCE, pending).await;
    }
}

/// How many threads serve requests of one kind.
fn workers(listen: &Listen) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    listen.workers.map_or(cores, usize::from)
}

/// The places of all listeners: a part of them for each address, so that none takes them all.
fn places(listen: &Listen, metrics: &Metrics) -> Arc<Places> {
    let possible = connections::default_bound();
    let overall = listen.max_connections.map_or(possible, |most| most as usize);
    if overall > possible {
        tracing::warn!(
            max_connections = overall,
            possible,
            "max_connections is more than the limit on file descriptors leaves room for"
        );
    }
    let per_address = listen.max_connections_per_address;
    let per_address = per_address.map_or(overall.div_ceil(4), |most| most as usize);
    let refused = |limit| metrics.connections_refused.get_or_create_owned(&LimitLabels { limit });
    let bounds = Bounds {
        overall,
        per_address: (per_address > 0).then_some(per_address),
        proxies: listen.trusted_proxies.clone(),
    };
    let counts = Counts {
        open: metrics.connections_open.clone(),
        refused_by_address: refused("address"),
        refused_overall: refused("overall"),
    };
    Places::new(bounds, counts)
}

fn tls_of(certificate: Option<&Arc<Certificate>>) -> io::Result<Option<ServerConfig>> {
    certificate.map(Certificate::server_config).transpose()
}
