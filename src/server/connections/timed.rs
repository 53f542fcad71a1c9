//! One connection, whose peer must send in time what it began to send, and take what it asked for.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::web::Patience;

use super::places::Place;

/// How many bytes must be taken in each span that a peer is given for them.
const SLOWEST: usize = 64 * 1024;

/// What a peer owes us when it sends nothing more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owed {
    /// Nothing: it is between two requests.
    Nothing,
    /// The rest of a header.
    Head,
    /// The rest of a body.
    Body,
}

impl Owed {
    fn wait(self, patience: Patience) -> Duration {
        match self {
            Self::Nothing => patience.idle,
            Self::Head => patience.head,
            // Reading it ends first, so that there is an answer that says so.
            Self::Body => patience.body + patience.head,
        }
    }
}

/// Follows the bytes of a peer as far as it must to know what is owed.
pub trait Follow {
    /// Takes note of bytes that arrived. What is owed then, if that is another part than before:
    /// time for it begins anew.
    fn read(&mut self, bytes: &[u8]) -> Option<Owed>;
}

/// A connection that ends when its peer is too slow. At first a header is owed.
///
/// It reads as ended then: what was asked before is still answered. The time for a part is counted
/// from its first byte, however many come later.
#[derive(Debug)]
pub struct Timed<I, F> {
    stream: I,
    follow: F,
    patience: Patience,
    /// When the time is over for what is owed.
    due: Instant,
    /// Wakes at that moment or before it: most parts arrive long before they are due, and to set an
    /// alarm for each would cost more than to look at the clock.
    alarm: Pin<Box<Sleep>>,
    is_over: bool,
    stall: Option<Stall>,
    _place: Place,
}

/// An answer that the peer does not take.
#[derive(Debug)]
struct Stall {
    due: Pin<Box<Sleep>>,
    taken: usize,
}

impl<I, F> Timed<I, F> {
    /// From now on the peer has to speak.
    pub fn new(stream: I, follow: F, patience: Patience, place: Place) -> Self {
        let alarm = Box::pin(sleep(Owed::Head.wait(patience)));
        let due = alarm.deadline();
        Self { stream, follow, patience, due, alarm, is_over: false, stall: None, _place: place }
    }

    /// Time begins anew, for another part.
    fn begin(&mut self, owed: Owed) {
        self.due = Instant::now() + owed.wait(self.patience);
        if self.due < self.alarm.deadline() {
            self.alarm.as_mut().reset(self.due);
        }
    }

    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.alarm.as_mut().poll(context));
            if Instant::now() >= self.due {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(self.due);
        }
    }

    /// Counts what was written, or waits for the peer to take it.
    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        count: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        let span = self.patience.answer;
        match &written {
            Poll::Ready(Ok(taken)) => {
                if let Some(stall) = &mut self.stall {
                    stall.taken += count(taken);
                    if stall.taken >= SLOWEST {
                        stall.taken = 0;
                        stall.due.as_mut().reset(Instant::now() + span);
                    }
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let begun = || Stall { due: Box::pin(sleep(span)), taken: 0 };
                let stall = self.stall.get_or_insert_with(begun);
                ready!(stall.due.as_mut().poll(context));
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
        }
        written
    }
}

impl<I: AsyncRead + Unpin, F: Follow + Unpin> AsyncRead for Timed<I, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            let arrived = buffer.filled().get(before..).unwrap_or_default();
            if let Some(owed) = this.follow.read(arrived) {
                this.begin(owed);
            }
            return Poll::Ready(read);
        }
        ready!(this.poll_due(context));
        this.is_over = true;
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin, F: Unpin> AsyncWrite for Timed<I, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written, |count| *count)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, written, |count| *count)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        ready!(self.written(context, flushed, |()| 0))?;
        // Whoever flushes has written all that there is.
        self.stall = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(context, shut, |()| 0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::timeout;

    use super::*;
    use crate::server::connections::{Bounds, Counts, Http1, Http2, Places};

    fn timed<F>(follow: F) -> (DuplexStream, Timed<DuplexStream, F>) {
        let bounds = Bounds { overall: 1, per_address: None, proxies: Vec::new() };
        let place = Places::new(bounds, Counts::default()).take(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let (peer, stream) = tokio::io::duplex(64 * 1024);
        (peer, Timed::new(stream, follow, Patience::default(), place.unwrap()))
    }

    /// After how many seconds it ends whose peer sends this, one piece a second.
    async fn ends_after<F: Follow + Unpin>(follow: F, pieces: &[&[u8]]) -> u64 {
        let (mut peer, mut timed) = timed(follow);
        let began = Instant::now();
        let sending = async {
            for piece in pieces {
                peer.write_all(piece).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut read = Vec::new();
        tokio::select! {
            () = sending => {}
            ended = timed.read_to_end(&mut read) => assert!(ended.is_ok()),
        }
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn each_header_and_each_body_has_its_time() {
        let get: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
        let post: &[u8] = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n";
        #[rustfmt::skip]
        let cases: [(&str, Vec<&[u8]>, u64); 9] = [
            ("silence",                    vec![],                                   10),
            ("a first header",             vec![b"GET / HT"],                        10),
            ("byte by byte",               vec![b"G"; 99],                                  10),
            ("a second header",            vec![b"GET / HTTP/1.1\r\n\r\nGET / HT"],  10),
            ("a third, later",             vec![get, get, b"GET / HT", b"T"],        12),
            ("a header after a body",      vec![post, b"ok", b"P"],                  12),
            ("a body",                     vec![post, b"o"],                         25),
            ("nothing is owed",            vec![get, get],                           76),
            ("nothing but a line",         vec![get, b"\r\n"],                       11),
        ];
        for (why, pieces, seconds) in cases {
            assert_eq!(ends_after(Http1::default(), &pieces).await, seconds, "{why}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_frame_has_its_time() {
        let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let settings: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        let opened: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
        let continued: &[u8] = &[0, 0, 1, 9, 0, 0, 0, 0, 1, 0x87];
        #[rustfmt::skip]
        let cases: [(&str, Vec<&[u8]>, u64); 6] = [
            ("silence",                   vec![],                                     10),
            ("a part of the preface",     vec![&preface[..23]],                       10),
            ("nothing is owed",           vec![preface, settings],                    76),
            ("a part of a frame",         vec![preface, settings, &settings[..8]],   12),
            ("a header that goes on",     vec![preface, settings, opened],          12),
            ("frame by frame",            [vec![preface, opened], vec![continued; 99]].concat(), 11),
        ];
        for (why, pieces, seconds) in cases {
            assert_eq!(ends_after(Http2::default(), &pieces).await, seconds, "{why}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_must_be_taken() {
        for (why, taken_each_second, is_sent) in
            [("not at all", 0, false), ("too slowly", 1024, false), ("slowly", 8 * 1024, true)]
        {
            let (mut peer, mut timed) = timed(Http1::default());
            let taking = async {
                let mut buffer = vec![0; taken_each_second];
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    peer.read_exact(&mut buffer).await.unwrap();
                }
            };
            let answer = vec![0; 512 * 1024];
            let sending = async {
                timed.write_all(&answer).await?;
                timed.flush().await
            };
            let sent = tokio::select! {
                () = taking => None,
                sent = timeout(Duration::from_mins(10), sending) => Some(sent.unwrap()),
            };
            let error = sent.unwrap().err().map(|error| error.kind());
            assert_eq!(error, (!is_sent).then_some(ErrorKind::TimedOut), "{why}");
        }
    }
}
