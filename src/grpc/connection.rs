//! One connection: it has a place among those that there may be, and must begin to speak.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;

/// How long the preface may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The length of what every client of HTTP/2 sends first: RFC 9113 §3.4.
const PREFACE: usize = 24;

/// A connection whose client sends the preface in time. For the rest there are keep-alives: HTTP/2
/// has none before.
pub(super) struct Connection<I> {
    stream: I,
    missing: usize,
    deadline: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl<I> Connection<I> {
    /// From now on the client has to speak.
    pub(super) fn new(stream: I, place: OwnedSemaphorePermit) -> Self {
        let deadline = Some(Box::pin(sleep(PATIENCE)));
        Self { stream, missing: PREFACE, deadline, _place: place }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Connection<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.missing = self.missing.saturating_sub(buffer.filled().len() - before);
        if self.missing == 0 {
            self.deadline = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Connection<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<I> Connected for Connection<I> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_must_begin_to_speak() {
        let places = Arc::new(Semaphore::new(1));
        for (sent, is_ended) in [(0, true), (1, true), (23, true), (24, false), (25, false)] {
            let (mut client, server) = tokio::io::duplex(64);
            client.write_all(&vec![0; sent]).await.unwrap();
            let place = places.clone().try_acquire_owned().unwrap();
            let mut connection = Connection::new(server, place);
            let mut read = Vec::new();
            let ended = timeout(2 * PATIENCE, connection.read_to_end(&mut read)).await;
            let error = ended.ok().and_then(Result::err).map(|error| error.kind());
            assert_eq!(error, is_ended.then_some(io::ErrorKind::TimedOut), "{sent} bytes");
            assert_eq!(read.len(), sent);
        }
    }
}
