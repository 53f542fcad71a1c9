//! What listens where Latchkey should, and answers otherwise.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// It ends with the test, or when it is told to.
pub(super) struct Impostor(JoinHandle<()>);

impl Impostor {
    /// Instead of an answer: none, on a connection that stays open.
    pub(super) const SILENCE: &str = "silence";

    pub(super) fn start(address: SocketAddr, answer: &'static str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        Self(tokio::spawn(listen(socket.listen(16).unwrap(), answer)))
    }

    /// Closes its connections. When this returns, its address is free.
    pub(super) async fn end(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

async fn listen(listener: TcpListener, answer: &'static str) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(reply(stream, answer));
    }
}

async fn reply(mut stream: TcpStream, answer: &'static str) {
    let _ = stream.read(&mut [0; 4096]).await;
    if answer == Impostor::SILENCE {
        std::future::pending::<()>().await;
    }
    let _ = stream.write_all(answer.as_bytes()).await;
}
