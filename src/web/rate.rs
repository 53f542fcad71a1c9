//! How often one address may register or show a wrong token for it, and one client change itself.

use std::net::IpAddr;

use crate::clients::error::ClientsError;
use crate::config::Switch;
use crate::domain::bucket::{Rate, RateLimit};
use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::oauth::authenticate::{FailureLimits, Limit, Throttled};
use crate::web::address::network;

/// Registrations and changes cost slow hashes and writes. What a client that has proved itself does
/// is counted for that client, so that others at its address cannot use up its share.
pub(crate) struct RegistrationRate {
    addresses: RateLimit<IpAddr>,
    clients: RateLimit<ClientId>,
    wrong_tokens: RateLimit<IpAddr>,
}

impl RegistrationRate {
    /// `a_minute` registrations from each address, and as many changes by each client; 0 sets no
    /// limit. Whether wrong tokens have one is `throttle`'s to say.
    pub(crate) fn new(a_minute: u32, throttle: Switch) -> Self {
        let rate = Rate::a_minute(a_minute);
        let failures = match throttle {
            Switch::On => Some(FailureLimits::default().pair),
            Switch::Off => None,
        };
        Self {
            addresses: RateLimit::new(rate),
            clients: RateLimit::new(rate),
            wrong_tokens: RateLimit::new(failures),
        }
    }

    /// Admits whoever shows an initial access token, unless too many wrong ones came from that
    /// address. It has a bucket of its own: what strangers guess is nothing to those who register
    /// from elsewhere, or ask for tokens.
    pub(crate) fn shows_a_token(
        &self,
        address: IpAddr,
        now: Timestamp,
        admit: impl FnOnce() -> Result<(), ClientsError>,
    ) -> Result<(), ClientsError> {
        let is_wrong = |refused: &ClientsError| matches!(refused, ClientsError::InitialTokenWrong);
        let admitted = self.wrong_tokens.attempt(network(address), now, admit, is_wrong);
        admitted.map_err(|wait| Throttled { limit: Limit::Address, wait })?
    }

    /// Counts one registration, unless it is one too many.
    pub(crate) fn registers(&self, address: IpAddr, now: Timestamp) -> Result<(), ClientsError> {
        self.addresses.take(network(address), now).map_err(|_| ClientsError::TooMany)
    }

    /// Counts one change that a client makes to itself, unless it is one too many.
    pub(crate) fn changes(&self, client: &Client, now: Timestamp) -> Result<(), ClientsError> {
        self.clients.take(client.lineage().clone(), now).map_err(|_| ClientsError::TooMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_rate() {
        let rate = RegistrationRate::new(1, Switch::Off);
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
