//! The listener for gRPC, from the first call to the last. It has threads of its own.

mod incoming;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::{Connected, Router};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::grpc::service::Authorization;
use crate::web::Patience;

use super::connections::{Door, Places};

/// How large the header of a call may be in bytes.
const HEADER_LIMIT: u32 = 16 * 1024;
/// How many calls one connection may have under way.
const CALLS: u32 = 256;
/// How long a connection may take to show that it is alive, and to end when it is too old.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how long a connection is asked whether it is.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// After how long a connection is to be made anew, so that replicas that are new get some too.
const LONGEST_CONNECTION: Duration = Duration::from_secs(30 * 60);
/// How often it is looked whether calls should come here.
const INTERVAL: Duration = Duration::from_millis(250);

/// What an operator may set about it.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Threads that serve calls.
    pub workers: usize,
    /// How long calls under way are given to end.
    pub shutdown_timeout: Duration,
    /// How long peers are waited for, and calls may take.
    pub patience: Patience,
}

/// A listener that serves until its [`Stop`] is dropped.
#[derive(Debug)]
pub struct Listener(oneshot::Receiver<io::Result<()>>);

/// What makes a listener stop when it is dropped: nothing more is accepted, and calls under way end.
#[derive(Debug)]
pub struct Stop {
    _kept: watch::Sender<()>,
}

/// Begins to serve what is in `routes`, with TLS if it is configured, else HTTP/2 in the clear. Health
/// checks are told what `is_ready` says.
pub fn serve(
    socket: TcpListener,
    tls: Option<ServerConfig>,
    places: Arc<Places>,
    routes: Routes,
    is_ready: impl Fn() -> bool + Send + 'static,
    rules: Rules,
) -> io::Result<(Listener, Stop)> {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(rules.workers).thread_name("grpc").enable_all().build()?;
    let (kept, stop) = watch::channel(());
    let (end, ended) = oneshot::channel();
    std::thread::Builder::new().name("grpc".to_owned()).spawn(move || {
        let outcome = runtime.block_on(async {
            let door = Door::new(socket, places, Vec::new())?;
            let patience = rules.patience;
            match tls {
                Some(config) => {
                    let incoming = incoming::tls(door, config, patience);
                    Box::pin(run(incoming, routes, is_ready, stop, rules)).await
                }
                None => run(incoming::plain(door, patience), routes, is_ready, stop, rules).await,
            }
        });
        // Nobody listens to it if the whole server was dropped.
        let _ = end.send(outcome);
    })?;
    Ok((Listener(ended), Stop { _kept: kept }))
}

impl Listener {
    /// Waits until it has stopped, or failed of itself.
    pub async fn ended(self) -> io::Result<()> {
        self.0.await.map_err(io::Error::other)?
    }
}

async fn run<I>(
    incoming: impl Stream<Item = io::Result<I>>,
    routes: Routes,
    is_ready: impl Fn() -> bool,
    stop: watch::Receiver<()>,
    rules: Rules,
) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let health = HealthReporter::new();
    let ready = is_ready();
    announce(&health, ready).await;
    let serving = router(routes, &health, rules.patience)
        .serve_with_incoming_shutdown(incoming, stopped(stop.clone()));
    let follow = async {
        tokio::select! {
            () = follow(&health, is_ready, ready) => {}
            () = stopped(stop.clone()) => {}
        }
        // Who watches our health would hold the connection open.
        retire(health).await;
        std::future::pending::<()>().await;
    };
    let out_of_time = async {
        stopped(stop.clone()).await;
        tokio::time::sleep(rules.shutdown_timeout).await;
    };
    tokio::select! {
        served = serving => served.map_err(io::Error::other),
        () = follow => Ok(()),
        () = out_of_time => Ok(()),
    }
}

fn router(routes: Routes, health: &HealthReporter, patience: Patience) -> Router {
    let health = HealthServer::new(HealthService::from_health_reporter(health.clone()));
    Server::builder()
        .timeout(patience.head)
        .max_concurrent_streams(CALLS)
        .http2_max_header_list_size(HEADER_LIMIT)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(PATIENCE))
        .max_connection_age(LONGEST_CONNECTION)
        .max_connection_age_grace(PATIENCE)
        .add_routes(routes.add_service(health))
}

/// Done when the other end is gone: nothing is ever sent.
async fn stopped(mut stop: watch::Receiver<()>) {
    let _ = stop.changed().await;
}

/// Announces each change of whether calls should come here.
async fn follow(health: &HealthReporter, is_ready: impl Fn() -> bool, mut announced: bool) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let ready = is_ready();
        if ready != announced {
            announce(health, ready).await;
            announced = ready;
        }
    }
}

async fn announce(health: &HealthReporter, ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in services() {
        health.set_service_status(service, status).await;
    }
}

async fn retire(mut health: HealthReporter) {
    for service in services() {
        health.clear_service_status(service).await;
    }
}

/// What is asked about: the whole server, and the service.
fn services() -> [&'static str; 2] {
    ["", Authorization::NAME]
}
