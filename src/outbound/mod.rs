//! What goes out to others over HTTP: the only module beside the command line that does.

mod address;
mod download;
mod entry;
mod key_set;
mod remote_keys;
mod webhook;

pub use remote_keys::RemoteKeySets;
pub use webhook::HttpMessenger;
