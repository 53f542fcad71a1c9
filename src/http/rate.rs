//! How often one address may register.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::address::network;

/// Registrations a minute, by address.
pub(super) struct RegistrationRate(Option<DefaultKeyedRateLimiter<IpAddr>>);

/// How many addresses are remembered before those that are idle are forgotten.
const REMEMBERED: usize = 10_000;

impl RegistrationRate {
    /// `a_minute` registrations from each address; 0 sets no limit.
    pub(super) fn new(a_minute: u32) -> Self {
        Self(NonZeroU32::new(a_minute).map(|rate| RateLimiter::keyed(Quota::per_minute(rate))))
    }

    /// Counts one registration; false if it is one too many.
    #[must_use]
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        let Some(limiter) = &self.0 else { return true };
        if limiter.len() > REMEMBERED {
            limiter.retain_recent();
        }
        limiter.check_key(&network(address)).is_ok()
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
            assert_eq!(rate.admits(address.parse().unwrap()), admitted, "{address}");
        }
        let unlimited = RegistrationRate::new(0);
        assert!((0..100).all(|_| unlimited.admits("192.0.2.1".parse().unwrap())));
    }
}
