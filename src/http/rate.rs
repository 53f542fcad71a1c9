//! How often one address may register, and one client change itself.

use std::net::IpAddr;

use crate::domain::bucket::{Rate, RateLimit};
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::registry::error::RegistryError;

use crate::connections::network;

/// Both cost slow hashes and writes. What a client that has proved itself does is counted for that
/// client, so that nobody who shares its address can use up what it needs.
pub(super) struct RegistrationRate {
    addresses: RateLimit<IpAddr>,
    clients: RateLimit<ClientId>,
}

impl RegistrationRate {
    /// `a_minute` registrations from each address, and as many changes by each client; 0 sets no
    /// limit.
    pub(super) fn new(a_minute: u32) -> Self {
        let rate = Rate::a_minute(a_minute);
        Self { addresses: RateLimit::new(rate), clients: RateLimit::new(rate) }
    }

    /// Counts one registration, unless it is one too many.
    pub(super) fn registers(&self, address: IpAddr, now: Timestamp) -> Result<(), RegistryError> {
        self.addresses.take(network(address), now).map_err(|_| RegistryError::TooMany)
    }

    /// Counts one change that a client makes to itself, unless it is one too many.
    pub(super) fn changes(&self, client: &Client, now: Timestamp) -> Result<(), RegistryError> {
        self.clients.take(client.lineage().clone(), now).map_err(|_| RegistryError::TooMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_rate() {
        let rate = RegistrationRate::new(1);
        for (address, admitted) in [
            ("192.0.2.1", true),
            ("192.0.2.1", false),
            ("192.0.2.2", true),
            ("::ffff:192.0.2.2", false),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
            ("2001:db8:0:1::1", true),
        ] {
            let taken = rate.registers(address.parse().unwrap(), Timestamp(1));
            assert_eq!(taken.is_ok(), admitted, "{address}");
        }
    }
}
