//! One listener of HTTP: a thread that accepts, and threads that serve what came in.
//!
//! Connections are accepted here and not by actix, which would take as many as come, and wrapped,
//! because it times the first header of a connection and no other.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Request, Response};
use actix_service::{IntoServiceFactory, apply_fn_factory, map_config};
use actix_web::dev::{AppConfig, Service, ServiceFactory};
use actix_web::{App as ActixApp, web};
use futures_util::TryFutureExt;
use futures_util::future::{Either as AnyOf, ready};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::domain::error_code::ErrorCode;
use crate::http::at_once::AtOnce;
use crate::http::routes::{self, Listener};
use crate::web::refusal::{Refusal, Written, oauth};
use crate::web::{Patience, ServerState};

use super::connections::{Door, Http1, Place, Places, Timed};

/// How long a peer that was refused in the middle of its body may go on sending it.
const LINGER: Duration = Duration::from_secs(1);
/// How many threads there may be for what blocks, in all workers of a listener.
const BLOCKING_THREADS: usize = 512;

/// What is served, and how.
pub(super) struct Site {
    pub(super) state: ServerState,
    pub(super) listener: Listener,
    pub(super) tls: Option<ServerConfig>,
    pub(super) places: Arc<Places>,
    pub(super) patience: Patience,
    pub(super) workers: usize,
    pub(super) shutdown_timeout: Duration,
}

/// A listener that serves until its [`Stop`] is dropped.
pub(super) struct Listening(oneshot::Receiver<io::Result<()>>);

/// What makes a listener stop when it is dropped: nothing more is accepted, and requests under way
/// end.
pub(super) struct Stop {
    _kept: watch::Sender<()>,
}

type Stream = Timed<Either<TcpStream, TlsStream<TcpStream>>, Http1>;

/// A connection on its way to a worker.
struct Arrival {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    place: Place,
}

/// Begins to serve.
pub(super) fn serve(socket: TcpListener, site: Site) -> io::Result<(Listening, Stop)> {
    let accepting = Builder::new_current_thread().enable_all().build()?;
    let (kept, stop) = watch::channel(());
    let (end, ended) = oneshot::channel();
    let site = Arc::new(site);
    let mut workers = Vec::new();
    let mut threads = Vec::new();
    for _ in 0..site.workers {
        let (worker, arriving) = mpsc::unbounded_channel();
        let (site, stop) = (site.clone(), stop.clone());
        let thread = thread::Builder::new().name("http".to_owned());
        threads.push(thread.spawn(move || work(&site, arriving, &stop))?);
        workers.push(worker);
    }
    thread::Builder::new().name("accept".to_owned()).spawn(move || {
        let accepted = accepting.block_on(accept(socket, &site, &workers, stop));
        drop(workers);
        let worked = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
        });
        let worked = worked.fold(Ok(()), io::Result::and);
        // Nobody listens to it if the whole server was dropped.
        let _ = end.send(worked.and(accepted));
    })?;
    Ok((Listening(ended), Stop { _kept: kept }))
}

impl Listening {
    /// Waits until it has stopped, or failed of itself.
    pub(super) async fn ended(self) -> io::Result<()> {
        self.0.await.map_err(io::Error::other)?
    }
}

/// Hands connections to the workers in turn, until it is told to stop.
async fn accept(
    socket: TcpListener,
    site: &Site,
    workers: &[UnboundedSender<Arrival>],
    mut stop: watch::Receiver<()>,
) -> io::Result<()> {
    let farewell = if site.tls.is_some() { Vec::new() } else { farewell() };
    let mut door = Door::new(socket, site.places.clone(), farewell)?;
    let mut turns = workers.iter().cycle();
    loop {
        let accepted = tokio::select! {
            accepted = door.next() => accepted,
            _ = stop.changed() => return Ok(()),
        };
        let Ok(stream) = accepted.stream.into_std() else { continue };
        let arrival = Arrival { stream, peer: accepted.peer, place: accepted.place };
        let sent = turns.next().map(|worker| worker.send(arrival).is_ok());
        if sent != Some(true) {
            return Err(io::Error::other("a worker ended"));
        }
    }
}

/// What a connection is sent that there is no place for.
fn farewell() -> Vec<u8> {
    let refusal = Refusal::new(ErrorCode::TemporarilyUnavailable, "too many connections");
    let Written { status, headers, body } = oauth::write(&refusal);
    let headers = headers
        .iter()
        .fold(String::new(), |text, (name, value)| text + name.as_str() + ": " + value + "\r\n");
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    text.into_bytes()
}

/// One worker: a thread with everything of its own.
fn work(
    site: &Site,
    arriving: UnboundedReceiver<Arrival>,
    stop: &watch::Receiver<()>,
) -> io::Result<()> {
    let mut runtime = Builder::new_current_thread();
    let threads = BLOCKING_THREADS.div_ceil(site.workers.max(1));
    let runtime = runtime.enable_all().max_blocking_threads(threads);
    runtime.build_local(LocalOptions::default())?.block_on(attend(site, arriving, stop))
}

/// Serves what arrives. After the last one, those under way are given some time.
async fn attend(
    site: &Site,
    mut arriving: UnboundedReceiver<Arrival>,
    stop: &watch::Receiver<()>,
) -> io::Result<()> {
    let service = app(site, stop).new_service(()).await;
    let service = Rc::new(service.map_err(|()| io::Error::other("no service"))?);
    let tls = site.tls.clone().map(|config| TlsAcceptor::from(Arc::new(config)));
    let patience = site.patience;
    let (under_way, mut all_ended) = mpsc::channel::<()>(1);
    while let Some(arrival) = arriving.recv().await {
        let (service, tls, under_way) = (service.clone(), tls.clone(), under_way.clone());
        tokio::task::spawn_local(async move {
            let peer = arrival.peer;
            let ended = match open(arrival, tls, patience).await {
                Ok(stream) => service.call((stream, Some(peer))).await.map_err(|e| e.to_string()),
                Err(error) => Err(error.to_string()),
            };
            // Its peer's affair: a stranger writes no errors into the log.
            if let Err(error) = ended {
                tracing::debug!(address = %peer.ip(), error, "a connection failed");
            }
            drop(under_way);
        });
    }
    drop(under_way);
    let _ = timeout(site.shutdown_timeout, all_ended.recv()).await;
    Ok(())
}

/// Takes over a connection, with TLS when the handshake is done.
async fn open(
    arrival: Arrival,
    tls: Option<TlsAcceptor>,
    patience: Patience,
) -> io::Result<Stream> {
    let stream = TcpStream::from_std(arrival.stream)?;
    let stream = match tls {
        Some(tls) => Either::Right(timeout(patience.head, tls.accept(stream)).await??),
        None => Either::Left(stream),
    };
    Ok(Timed::new(stream, Http1::default(), patience, arrival.place))
}

fn app(
    site: &Site,
    stop: &watch::Receiver<()>,
) -> impl ServiceFactory<
    (Stream, Option<SocketAddr>),
    Config = (),
    InitError = (),
    Service = impl Service<(Stream, Option<SocketAddr>), Error: Display> + use<>,
> + use<> {
    let state = web::Data::new(site.state.clone());
    let listener = site.listener;
    let app = ActixApp::new()
        .app_data(state.clone())
        .configure(|config| routes::configure(config, &state, listener))
        .default_service(web::to(routes::not_found));
    let app = map_config(app.into_factory(), |()| AppConfig::default());
    let at_once = Rc::new(AtOnce::of(&state, listener));
    let app =
        apply_fn_factory(app, move |request: Request, routes: &_| match at_once.answer(&request) {
            Some(answer) => AnyOf::Left(ready(Ok(answer.into()))),
            None => AnyOf::Right(routes.call(request).map_ok(Response::from)),
        });
    let stop = stop.clone();
    HttpService::build()
        .keep_alive(KeepAlive::Os) // `Timed` ends idle connections, without a new timer a request
        .client_request_timeout(site.patience.head)
        .client_disconnect_timeout(LINGER)
        .graceful_shutdown_signal(move || {
            let mut stop = stop.clone();
            async move {
                let _ = stop.changed().await; // nothing is ever sent: the other end is gone
            }
        })
        .h1(app)
}
