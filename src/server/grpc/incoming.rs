//! Connections, one after the other; those with TLS when their handshake is done.

use std::future::ready;
use std::io;
use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::server::connections::{Accepted, Door, Http2, Timed};
use crate::web::Patience;

/// A connection, as tonic takes it.
pub(super) type Connection<I> = Timed<I, Http2>;

impl<I> Connected for Connection<I> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

/// Connections without TLS.
pub(super) fn plain(
    door: Door,
    patience: Patience,
) -> impl Stream<Item = io::Result<Connection<TcpStream>>> {
    accepted(door).map(move |accepted| {
        Ok(Timed::new(accepted.stream, Http2::default(), patience, accepted.place))
    })
}

/// Connections with TLS. A slow handshake keeps nobody else waiting: there may be as many as there
/// are places.
pub(super) fn tls(
    door: Door,
    mut config: ServerConfig,
    patience: Patience,
) -> impl Stream<Item = io::Result<Connection<TlsStream<TcpStream>>>> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let handshakes = accepted(door).map(move |accepted| {
        let handshake = timeout(patience.head, acceptor.accept(accepted.stream));
        let place = accepted.place;
        async move {
            let stream = handshake.await.ok()?.ok()?;
            Some(Ok(Timed::new(stream, Http2::default(), patience, place)))
        }
    });
    handshakes.buffer_unordered(usize::MAX).filter_map(ready)
}

fn accepted(door: Door) -> impl Stream<Item = Accepted> {
    stream::unfold(door, |mut door| async { Some((door.next().await, door)) })
}
