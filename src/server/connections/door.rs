//! A listener: connections that have a place come in, the others are refused.

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::places::{Full, Place, Places};

/// How long nothing is accepted after that failed, for want of file descriptors, say.
const PAUSE: Duration = Duration::from_millis(200);
/// How long there must be no trouble before the next is another one, and said again.
const QUIET: Duration = Duration::from_secs(60);

/// A listener, where connections take places.
#[derive(Debug)]
pub struct Door {
    socket: TcpListener,
    places: Arc<Places>,
    farewell: Vec<u8>,
    failing: Episode,
    full: Episode,
}

/// A connection that came in.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Its place.
    pub place: Place,
}

impl Door {
    /// Takes over a listener. A connection that is refused is sent `farewell` and closed. Must be
    /// called where the runtime is that is to wait.
    pub fn new(
        socket: std::net::TcpListener,
        places: Arc<Places>,
        farewell: Vec<u8>,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        Ok(Self { socket, places, farewell, failing: Episode(None), full: Episode(None) })
    }

    /// Waits for the next connection. Whatever fails, there is another.
    pub async fn next(&mut self) -> Accepted {
        loop {
            let accepted = self.socket.accept().await;
            match accepted {
                Ok((stream, peer)) => match self.places.take(peer.ip()) {
                    Ok(place) => return Accepted { stream, peer, place },
                    Err(full) => self.refuse(stream, peer, full),
                },
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    if self.failing.begins() {
                        tracing::error!(
                            %error,
                            "no connection can be accepted; this is said once until a minute went well"
                        );
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn refuse(&mut self, stream: TcpStream, peer: SocketAddr, full: Full) {
        if self.full.begins() {
            tracing::warn!(
                reason = %full,
                address = %peer.ip(),
                "connections are refused; this is said once until a minute went well"
            );
        }
        // A peer that does not take it at once goes without.
        if let Ok(mut stream) = stream.into_std() {
            let _ = stream.write(&self.farewell);
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Whether only the connection failed that was about to be accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// When there was trouble last.
#[derive(Debug)]
struct Episode(Option<Instant>);

impl Episode {
    /// Notes trouble; whether it is the first of an episode.
    fn begins(&mut self) -> bool {
        let now = Instant::now();
        self.0.replace(now).is_none_or(|last| now - last > QUIET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn trouble_is_told_once_an_episode() {
        let mut episode = Episode(None);
        for (seconds, begins) in [(0, true), (0, false), (60, false), (60, false), (61, true)] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert_eq!(episode.begins(), begins, "after {seconds} s");
        }
    }
}
