//! Where a peer is in its requests of HTTP/1.1: [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112).
//!
//! It judges no request; that is for the server behind it. Where a request is malformed, time is all
//! that may be counted wrongly.

use memchr::memchr;

use super::timed::{Follow, Owed};

/// How much of a line is kept while its end has not arrived: more than the fields that matter need.
const LONGEST: usize = 256;

/// Follows requests, one after the other.
#[derive(Debug, Default)]
pub struct Http1 {
    part: Part,
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    /// What follows the header that is being read.
    body: Body,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Part {
    /// Before the first byte of a request.
    #[default]
    Between,
    /// Before a request line: empty lines may come first, RFC 9112 §2.2.
    Blank,
    Fields,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
}

#[derive(Clone, Copy, Debug, Default)]
enum Body {
    #[default]
    None,
    Sized(u64),
    Chunked,
}

impl Follow for Http1 {
    fn read(&mut self, mut bytes: &[u8]) -> Option<Owed> {
        let mut is_another = false;
        while !bytes.is_empty() {
            let before = self.part.owed();
            bytes = match self.part {
                Part::Body(left) => self.skip(bytes, left, Part::Body, Part::Between),
                Part::Chunk(left) => self.skip(bytes, left, Part::Chunk, Part::ChunkEnd),
                _ => self.take_line(bytes),
            };
            // What is between two requests may be passed within one read.
            is_another |= self.part.owed() != before || before == Owed::Nothing;
        }
        is_another.then(|| self.part.owed())
    }
}

impl Http1 {
    fn skip<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        same: impl FnOnce(u64) -> Part,
        next: Part,
    ) -> &'a [u8] {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left.saturating_sub(count as u64);
        self.part = if left == 0 { next } else { same(left) };
        bytes.get(count..).unwrap_or_default()
    }

    /// Reads up to the end of a line, if it is there. Returns what is behind it.
    fn take_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.part == Part::Between {
            self.part = Part::Blank;
        }
        let Some((line, rest)) =
            memchr(b'\n', bytes).and_then(|end| bytes.split_at_checked(end + 1))
        else {
            self.keep(bytes);
            return &[];
        };
        if self.line.is_empty() {
            self.end_line(line.trim_ascii_end());
        } else {
            self.keep(line);
            let mut whole = std::mem::take(&mut self.line);
            self.end_line(whole.trim_ascii_end());
            whole.clear();
            self.line = whole;
        }
        rest
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn end_line(&mut self, line: &[u8]) {
        self.part = match self.part {
            Part::Between | Part::Blank if line.is_empty() => Part::Blank,
            Part::Between | Part::Blank => {
                self.body = Body::None;
                Part::Fields
            }
            Part::Fields if line.is_empty() => match self.body {
                Body::None | Body::Sized(0) => Part::Between,
                Body::Sized(size) => Part::Body(size),
                Body::Chunked => Part::ChunkSize,
            },
            Part::Fields => {
                self.take_field(line);
                Part::Fields
            }
            Part::ChunkSize => match chunk_size(line) {
                0 => Part::Trailers,
                size => Part::Chunk(size),
            },
            Part::Trailers if line.is_empty() => Part::Between,
            Part::Trailers => Part::Trailers,
            Part::ChunkEnd => Part::ChunkSize,
            part @ (Part::Body(_) | Part::Chunk(_)) => part,
        };
    }

    fn take_field(&mut self, line: &[u8]) {
        let Some((name, value)) = memchr(b':', line).and_then(|end| line.split_at_checked(end))
        else {
            return;
        };
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.body = Body::Chunked;
        } else if name.eq_ignore_ascii_case(b"content-length")
            && !matches!(self.body, Body::Chunked)
        {
            let digits = value.get(1..).unwrap_or_default().trim_ascii();
            let size = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            self.body = Body::Sized(size.unwrap_or_default());
        }
    }
}

/// The number that a chunk begins with; extensions may follow it: RFC 9112 §7.1.
fn chunk_size(line: &[u8]) -> u64 {
    let digits = line.split(|byte| !byte.is_ascii_hexdigit()).next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|it| u64::from_str_radix(it, 16).ok()).unwrap_or(0)
}

impl Part {
    fn owed(self) -> Owed {
        match self {
            Self::Between => Owed::Nothing,
            Self::Blank | Self::Fields => Owed::Head,
            Self::Body(_) | Self::ChunkSize | Self::Chunk(_) | Self::ChunkEnd | Self::Trailers => {
                Owed::Body
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed() {
        #[rustfmt::skip]
        let cases = [
            ("a header",               "GET / HTTP/1.1\r\nhost: x\r\n",                                   Owed::Head),
            ("its last byte",          "GET / HTTP/1.1\r\nhost: x\r\n\r",                                 Owed::Head),
            ("a whole one",            "GET / HTTP/1.1\r\nhost: x\r\n\r\n",                               Owed::Nothing),
            ("line feeds alone",       "GET / HTTP/1.1\nhost: x\n\n",                                     Owed::Nothing),
            ("empty lines before",     "\r\n\r\nGET / HTTP/1.1\r\n\r\n",                                  Owed::Nothing),
            ("empty lines alone",      "\r\n\r\n",                                                        Owed::Head),
            ("the next one",           "GET / HTTP/1.1\r\n\r\nG",                                         Owed::Head),
            ("no body",                "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",                    Owed::Nothing),
            ("a body",                 "POST / HTTP/1.1\r\nContent-Length:3\r\n\r\nab",                   Owed::Body),
            ("a whole body",           "POST / HTTP/1.1\r\nContent-Length:3\r\n\r\nabc",                  Owed::Nothing),
            ("a body like a header",   "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nGET /\r\n\r\n",       Owed::Nothing),
            ("chunks",                 "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",           Owed::Body),
            ("a chunk",                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nA;x=1\r\n0123456789", Owed::Body),
            ("the last chunk",         "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",     Owed::Body),
            ("all chunks",             "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", Owed::Nothing),
            ("trailers",               "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\r\n\r\n",   Owed::Nothing),
            ("both lengths",           "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n0\r\n\r\n", Owed::Nothing),
        ];
        for (why, text, owed) in cases {
            let mut at_once = Http1::default();
            at_once.read(text.as_bytes());
            assert_eq!(at_once.part.owed(), owed, "{why}");

            let mut byte_by_byte = Http1::default();
            for byte in text.bytes() {
                byte_by_byte.read(&[byte]);
            }
            assert_eq!(byte_by_byte.part.owed(), owed, "{why}, byte by byte");
        }
    }

    #[test]
    fn time_begins_anew_with_each_part() {
        let mut requests = Http1::default();
        #[rustfmt::skip]
        let reads = [
            ("POST / HT",                                 Some(Owed::Head)),
            ("TP/1.1\r\ncontent-length: 2\r\n",           None),
            ("\r\n",                                      Some(Owed::Body)),
            ("o",                                         None),
            ("k",                                         Some(Owed::Nothing)),
            ("GET / HTTP/1.1\r\n\r\n",                    Some(Owed::Nothing)),
            ("GET / HTTP/1.1\r\n\r\nGET",                 Some(Owed::Head)),
            (" / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n",     Some(Owed::Head)),
            ("",                                          None),
        ];
        for (text, owed) in reads {
            assert_eq!(requests.read(text.as_bytes()), owed, "{text:?}");
        }
    }

    #[test]
    fn a_long_line_costs_no_memory() {
        let mut requests = Http1::default();
        for _ in 0..1000 {
            requests.read(&[b'a'; 1000]);
        }
        assert!(requests.line.capacity() <= 2 * LONGEST);
        assert_eq!(requests.part.owed(), Owed::Head);
    }
}
