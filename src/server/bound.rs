//! The addresses of the listeners, taken before anything is served.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::config::Settings;
use crate::web::Patience;

/// Addresses that are listened on, before anything is served.
pub struct Bound {
    pub(super) main: TcpListener,
    pub(super) admin: Option<TcpListener>,
    pub(super) gateways: Option<TcpListener>,
    pub(super) grpc: Option<TcpListener>,
    /// How long peers are waited for.
    pub patience: Patience,
}

/// Takes the addresses.
pub fn bind(settings: &Settings) -> io::Result<Bound> {
    let take = |address: SocketAddr| {
        TcpListener::bind(address).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })
    };
    Ok(Bound {
        main: take(settings.listen.address)?,
        admin: settings.listen.admin_address.map(take).transpose()?,
        gateways: settings.gateways.address.map(take).transpose()?,
        grpc: settings.gateways.grpc_address.map(take).transpose()?,
        patience: Patience::default(),
    })
}

impl Bound {
    /// The main address, with the port that was really taken.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.main.local_addr()
    }

    /// The admin's address, if there is one of its own.
    pub fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// The gateways' address, if there is one of its own.
    pub fn gateway_address(&self) -> io::Result<Option<SocketAddr>> {
        self.gateways.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// The address for gRPC, if there is one.
    pub fn grpc_address(&self) -> io::Result<Option<SocketAddr>> {
        self.grpc.as_ref().map(TcpListener::local_addr).transpose()
    }
}
