//! Connections: how many there may be, and how long each may owe us what it began to send.

mod descriptors;
mod door;
mod http1;
mod http2;
mod places;
mod timed;

pub use descriptors::default_bound;
pub use door::{Accepted, Door};
pub use http1::Http1;
pub use http2::Http2;
pub use places::{Bounds, Counts, Full, Place, Places};
pub use timed::{Follow, Owed, Timed};
