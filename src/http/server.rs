//! The listeners, from the first byte to the last.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App as ActixApp, HttpServer, web};
use futures_util::future::join_all;
use tokio::task::JoinSet;

use crate::app::{App, Environment, OpenStore, StartError, assemble};
use crate::config::{Resolved, Settings};
use crate::grpc;
use crate::tasks::{logins, outbox, quota, sweep, unused};

use super::Lobby;
use super::routes::{self, Listener};
use super::tls::Certificate;

/// How long a request's header may take, and a handshake, and the last writes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: longer than gateways keep theirs, so that it is they who
/// close it and no request meets a closed door.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the store is given to come up between two attempts.
const RETRY: Duration = Duration::from_millis(500);

/// Addresses that are listened on, before anything is served.
pub struct Bound {
    main: TcpListener,
    admin: Option<TcpListener>,
    gateways: Option<TcpListener>,
    grpc: Option<TcpListener>,
}

/// Takes the addresses.
pub fn bind(settings: &Settings) -> io::Result<Bound> {
    let take = |address: SocketAddr| {
        TcpListener::bind(address).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })
    };
    Ok(Bound {
        main: take(settings.listen)?,
        admin: settings.admin_listen.map(take).transpose()?,
        gateways: settings.gateway_listen.map(take).transpose()?,
        grpc: settings.grpc_listen.map(take).transpose()?,
    })
}

impl Bound {
    /// The main address, with the port that was really taken.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.main.local_addr()
    }

    /// The admin's address, if there is one of its own.
    pub fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// The gateways' address, if there is one of its own.
    pub fn gateway_address(&self) -> io::Result<Option<SocketAddr>> {
        self.gateways.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// The address for gRPC, if there is one.
    pub fn grpc_address(&self) -> io::Result<Option<SocketAddr>> {
        self.grpc.as_ref().map(TcpListener::local_addr).transpose()
    }
}

/// A server that serves.
pub struct Server {
    lobby: Lobby,
    handles: Vec<ServerHandle>,
    grpc: Option<grpc::Stop>,
    serving: JoinSet<io::Result<()>>,
    background: JoinSet<()>,
    shutdown_delay: Duration,
}

/// Begins to serve: status at once, everything else when [`Server::start`] is done.
pub fn serve(bound: Bound, config: &Resolved) -> io::Result<Server> {
    let mut config = config.clone();
    config.settings.gateway_listen = bound.gateway_address()?; // with the port that was taken
    let lobby = Lobby::new(config.clone());
    let settings = &config.settings;
    let certificate = match (&settings.tls_certificate, &settings.tls_key) {
        (Some(chain), Some(key)) => Some(Certificate::load(chain, key)?),
        _ => None,
    };
    let mut server = Server {
        lobby,
        handles: Vec::new(),
        grpc: None,
        serving: JoinSet::new(),
        background: JoinSet::new(),
        shutdown_delay: Duration::from_secs(settings.shutdown_delay),
    };
    let main = Listener::Main { admin: bound.admin.is_none(), gateways: bound.gateways.is_none() };
    server.listen(bound.main, main, settings, certificate.as_ref())?;
    if let Some(admin) = bound.admin {
        server.listen(admin, Listener::Admin, settings, certificate.as_ref())?;
    }
    if let Some(gateways) = bound.gateways {
        server.listen(gateways, Listener::Gateways, settings, certificate.as_ref())?;
    }
    if let Some(socket) = bound.grpc {
        server.listen_to_envoy(socket, settings, certificate.as_ref())?;
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
        settings: &Settings,
        certificate: Option<&Arc<Certificate>>,
    ) -> io::Result<()> {
        let lobby = web::Data::new(self.lobby.clone());
        let server = HttpServer::new(move || {
            ActixApp::new()
                .app_data(lobby.clone())
                .configure(|config| routes::configure(config, &lobby, listener))
                .default_service(web::to(routes::not_found))
        });
        let workers = match listener {
            Listener::Admin => 1,
            Listener::Main { .. } | Listener::Gateways => workers(settings),
        };
        let server = server
            .workers(workers)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(PATIENCE)
            .tls_handshake_timeout(PATIENCE)
            .shutdown_timeout(settings.shutdown_timeout)
            .disable_signals();
        let running = match certificate {
            Some(certificate) => server.listen_rustls_0_23(socket, certificate.server_config()?)?,
            None => server.listen(socket)?,
        }
        .run();
        self.handles.push(running.handle());
        self.serving.spawn(running);
        Ok(())
    }

    fn listen_to_envoy(
        &mut self,
        socket: TcpListener,
        settings: &Settings,
        certificate: Option<&Arc<Certificate>>,
    ) -> io::Result<()> {
        let rules = grpc::Rules {
            workers: workers(settings),
            shutdown_timeout: Duration::from_secs(settings.shutdown_timeout),
        };
        let tls = certificate.map(Certificate::server_config).transpose()?;
        let (listener, stop) = grpc::serve(socket, tls, Arc::new(self.lobby.clone()), rules)?;
        self.grpc = Some(stop);
        self.serving.spawn(listener.ended());
        Ok(())
    }

    /// Puts everything together and opens the doors; waits for a store that is late.
    pub async fn start(
        &mut self,
        config: Resolved,
        store: &OpenStore,
        environment: Environment,
    ) -> Result<Arc<App>, StartError> {
        let mut waited = false;
        let app = loop {
            match Box::pin(assemble(config.clone(), store, environment.clone())).await {
                Ok(app) => break Arc::new(app),
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
        self.background.spawn(app.feed.clone().run());
        self.background.spawn(sweep::run(
            app.upkeep.clone(),
            app.revocations.clone(),
            app.clock.clone(),
            app.config.audit_retention(),
        ));
        self.background.spawn(outbox::run(app.outbox.clone()));
        self.background.spawn(logins::run(app.logins.clone(), app.upkeep.clone()));
        self.background.spawn(quota::run(app.quotas.clone(), app.clock.clone()));
        self.background.spawn(unused::run(app.unused.clone(), app.clock.clone()));
        self.background.spawn(app.credentials.clone().run());
        if let Some(policy) = &app.gatekeeper.policy {
            self.background.spawn(policy.clone().watch());
        }
        if let Some(delivery) = &app.delivery {
            self.background.spawn(delivery.clone().run());
        }
        self.lobby.open(app.clone());
        Ok(app)
    }

    /// Runs until a listener fails of itself.
    pub async fn run(&mut self) -> io::Result<()> {
        match self.serving.join_next().await {
            Some(ended) => ended.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }

    /// Stops: tells balancers, ends each connection with its next answer, waits, lets requests
    /// under way end, and writes what is pending.
    pub async fn stop(mut self) {
        self.lobby.close();
        tokio::time::sleep(self.shutdown_delay).await;
        drop(self.grpc.take());
        join_all(self.handles.iter().map(|handle| handle.stop(true))).await;
        while self.serving.join_next().await.is_some() {}
        if let Some(app) = self.lobby.app() {
            if let Some(delivery) = &app.delivery {
                delivery.stop().await;
            }
            app.credentials.stop().await;
        }
        self.background.shutdown().await;
        if let Some(app) = self.lobby.app() {
            // What a database that hangs does not take is given up; records of deeds stay where they
            // were written, and another replica moves them on.
            let pending = async {
                app.logins.flush(&*app.upkeep).await;
                outbox::flush(&*app.outbox).await;
                if app.quotas.share(app.clock.now()).await.is_err() {
                    tracing::warn!("the last second of quotas could not be shared");
                }
            };
            let _ = tokio::time::timeout(PATIENCE, pending).await;
        }
    }
}

/// How many threads serve requests of one kind.
fn workers(settings: &Settings) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    settings.workers.map_or(cores, usize::from)
}
