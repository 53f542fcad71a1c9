//! How many connections there are, from whom, and whether there may be one more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::{Mutex, MutexGuard};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::web::address::network;

/// How many connections there may be.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// On all listeners together.
    pub overall: usize,
    /// From one address; `None`: as many as overall.
    pub per_address: Option<usize>,
    /// Networks whose addresses stand for many callers: only the bound overall holds for them.
    pub proxies: Vec<IpNet>,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Connections that are open.
    pub open: Gauge,
    /// Connections that were refused because their address had too many.
    pub refused_by_address: Counter,
    /// Connections that were refused because there were too many.
    pub refused_overall: Counter,
}

/// Why there is no place for a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Full {
    /// Its address has as many as it may have.
    #[error("max_connections_per_address is reached")]
    Address,
    /// There are as many as there may be.
    #[error("max_connections is reached")]
    Overall,
}

/// The places of all listeners.
#[derive(Debug)]
pub struct Places {
    bounds: Bounds,
    counts: Counts,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    overall: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of one connection, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

impl Places {
    /// All of them, free.
    #[must_use]
    pub fn new(bounds: Bounds, counts: Counts) -> Arc<Self> {
        Arc::new(Self { bounds, counts, taken: Mutex::default() })
    }

    /// Takes a place for a connection from this address.
    pub fn take(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let taken = self.try_take(peer);
        match &taken {
            Ok(_) => {
                self.counts.open.inc();
            }
            Err(Full::Address) => {
                self.counts.refused_by_address.inc();
            }
            Err(Full::Overall) => {
                self.counts.refused_overall.inc();
            }
        }
        taken
    }

    fn try_take(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let peer = peer.to_canonical();
        let is_proxy = self.bounds.proxies.iter().any(|network| network.contains(&peer));
        let bound = self.bounds.per_address.filter(|_| !is_proxy);
        let address = bound.map(|_| network(peer));

        let mut taken = self.taken();
        if taken.overall >= self.bounds.overall {
            return Err(Full::Overall);
        }
        if let (Some(bound), Some(address)) = (bound, address) {
            let count = taken.by_address.entry(address).or_default();
            if *count >= bound {
                return Err(Full::Address);
            }
            *count += 1;
        }
        taken.overall += 1;
        drop(taken);
        Ok(Place { places: self.clone(), address })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.overall = taken.overall.saturating_sub(1);
        if let Some(address) = self.address
            && let Entry::Occupied(mut count) = taken.by_address.entry(address)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        drop(taken);
        self.places.counts.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_and_places_come_back() {
        let counts = Counts::default();
        let bounds = Bounds {
            overall: 4,
            per_address: Some(2),
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
        };
        let places = Places::new(bounds, counts.clone());
        let mut held = Vec::new();
        #[rustfmt::skip]
        let cases = [
            // why                            from                 refused
            ("the first",                     "192.0.2.1",         None),
            ("the second, written otherwise", "::ffff:192.0.2.1",  None),
            ("one too many",                  "192.0.2.1",         Some(Full::Address)),
            ("another network of version 6",  "2001:db8::1",       None),
            ("a proxy",                       "10.0.0.1",          None),
            ("too many altogether",           "192.0.2.9",         Some(Full::Overall)),
            ("also for a proxy",              "10.0.0.1",          Some(Full::Overall)),
        ];
        for (why, from, refused) in cases {
            let taken = places.take(from.parse().unwrap());
            assert_eq!(taken.as_ref().err().copied(), refused, "{why}");
            held.extend(taken.ok());
        }
        assert_eq!(counts.open.get(), 4);
        assert_eq!((counts.refused_by_address.get(), counts.refused_overall.get()), (1, 2));

        held.clear();
        assert_eq!(counts.open.get(), 0);
        assert!(places.taken().by_address.is_empty(), "nothing is kept of who was here");
        let of_one_network = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];
        held.extend(of_one_network.iter().filter_map(|from| places.take(from.parse().ok()?).ok()));
        assert_eq!(held.len(), 2, "a network of version 6 is one address");
        held.clear();
        held.extend((0..9).filter_map(|_| places.take("10.0.0.1".parse().ok()?).ok()));
        assert_eq!(held.len(), 4, "a proxy may have them all");
    }
}
