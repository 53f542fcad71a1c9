//! Where a peer is in its frames of HTTP/2: [RFC 9113](https://www.rfc-editor.org/rfc/rfc9113).

use super::timed::{Follow, Owed};

/// The length of what every client sends first: §3.4.
const PREFACE: usize = 24;
/// The length of the header of a frame: §4.1.
const HEADER: usize = 9;
/// The type of a frame that begins a block of fields: §6.2.
const HEADERS: u8 = 1;
/// The type of a frame that goes on with one: §6.10.
const CONTINUATION: u8 = 9;
/// The flag of a frame that ends one: §6.2, §6.10.
const END_HEADERS: u8 = 4;

/// Follows frames, one after the other.
#[derive(Debug)]
pub struct Http2 {
    /// What is missing of the preface, or of the payload of a frame.
    missing: usize,
    header: Vec<u8>,
    is_block_open: bool,
}

impl Default for Http2 {
    fn default() -> Self {
        Self { missing: PREFACE, header: Vec::with_capacity(HEADER), is_block_open: false }
    }
}

impl Follow for Http2 {
    fn read(&mut self, mut bytes: &[u8]) -> Option<Owed> {
        let mut is_another = false;
        while !bytes.is_empty() {
            let before = self.owed();
            let count = self.wanted().min(bytes.len());
            let (part, rest) = bytes.split_at_checked(count)?;
            bytes = rest;
            if self.missing > 0 {
                self.missing -= count;
            } else {
                self.header.extend_from_slice(part);
                self.end_header();
            }
            is_another |= self.owed() != before || before == Owed::Nothing;
        }
        is_another.then(|| self.owed())
    }
}

impl Http2 {
    /// How many bytes are needed next. Never none.
    fn wanted(&self) -> usize {
        if self.missing > 0 { self.missing } else { HEADER - self.header.len() }
    }

    fn end_header(&mut self) {
        let &[high, middle, low, kind, flags, ..] = self.header.as_slice() else { return };
        if self.header.len() < HEADER {
            return;
        }
        self.missing = u32::from_be_bytes([0, high, middle, low]) as usize;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.is_block_open = flags & END_HEADERS == 0;
        }
        self.header.clear();
    }

    fn owed(&self) -> Owed {
        let is_whole = self.missing == 0 && self.header.is_empty() && !self.is_block_open;
        if is_whole { Owed::Nothing } else { Owed::Head }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed() {
        let frame = |kind, flags, payload: &[u8]| {
            let length = u8::try_from(payload.len()).unwrap();
            [&[0, 0, length, kind, flags, 0, 0, 0, 1], payload].concat()
        };
        #[rustfmt::skip]
        let cases = [
            ("settings",             vec![frame(4, 0, &[0; 6])],                                             Owed::Nothing),
            ("a call",               vec![frame(HEADERS, END_HEADERS, b"ab"), frame(0, 1, b"cd")],           Owed::Nothing),
            ("an open block",        vec![frame(HEADERS, 0, b"ab")],                                         Owed::Head),
            ("it goes on",           vec![frame(HEADERS, 0, b"ab"), frame(CONTINUATION, 0, b"")],            Owed::Head),
            ("it ends",              vec![frame(HEADERS, 1, b"ab"), frame(CONTINUATION, END_HEADERS, b"")],  Owed::Nothing),
            ("a part of a payload",  vec![frame(0, 1, b"ab")[..10].to_vec()],                                Owed::Head),
            ("a part of a header",   vec![frame(0, 1, b"")[..8].to_vec()],                                   Owed::Head),
        ];
        for (why, frames, owed) in cases {
            let text = [vec![b' '; PREFACE], frames.concat()].concat();
            let mut at_once = Http2::default();
            at_once.read(&text);
            assert_eq!(at_once.owed(), owed, "{why}");

            let mut byte_by_byte = Http2::default();
            for byte in text {
                byte_by_byte.read(&[byte]);
            }
            assert_eq!(byte_by_byte.owed(), owed, "{why}, byte by byte");
        }
    }
}
