//! Connections, one after the other; those with TLS when their handshake is done.

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::Connection;

/// How many connections there may be at once; more wait.
const CONNECTIONS: usize = 1024;
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many handshakes there may be at once; more wait.
const HANDSHAKES: usize = 256;
/// How long nothing is accepted after that failed, for want of file descriptors, say.
const PAUSE: Duration = Duration::from_millis(500);

/// Connections without TLS.
pub(super) fn plain(socket: TcpListener) -> impl Stream<Item = io::Result<Connection<TcpStream>>> {
    accepted(socket).map(|(stream, place)| Ok(Connection::new(stream, place)))
}

/// Connections with TLS. A slow handshake keeps nobody else waiting.
pub(super) fn tls(
    socket: TcpListener,
    mut config: ServerConfig,
) -> impl Stream<Item = io::Result<Connection<TlsStream<TcpStream>>>> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let handshakes = accepted(socket).map(move |(stream, place)| {
        let handshake = timeout(PATIENCE, acceptor.accept(stream));
        async move { Some(Ok(Connection::new(handshake.await.ok()?.ok()?, place))) }
    });
    handshakes.buffer_unordered(HANDSHAKES).filter_map(ready)
}

fn accepted(socket: TcpListener) -> impl Stream<Item = (TcpStream, OwnedSemaphorePermit)> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let accepted = stream::unfold((socket, places), |(socket, places)| async {
        let place = places.clone().acquire_owned().await.ok()?;
        let accepted = socket.accept().await;
        if let Err(error) = &accepted {
            tracing::warn!(%error, "no connection could be accepted");
            tokio::time::sleep(PAUSE).await;
        }
        let stream = accepted.ok().map(|(stream, _)| stream);
        Some((stream.map(|stream| (stream, place)), (socket, places)))
    });
    accepted.filter_map(ready)
}
