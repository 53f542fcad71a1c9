//! How long this server waits for those that it speaks with.

use std::time::Duration;

/// How long a peer is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a handshake, and for each header from its first byte to its last.
    pub head: Duration,
    /// For each body.
    pub body: Duration,
    /// For the next 64 KiB of an answer to be taken.
    pub answer: Duration,
    /// For anything at all. Longer than gateways keep idle connections, so that it is they who close
    /// them, and no request meets a closed connection.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(15),
            answer: Duration::from_secs(10),
            idle: Duration::from_secs(75),
        }
    }
}
