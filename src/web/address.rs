//! From which address a request comes.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_web::HttpRequest;
use actix_web::dev::RequestHead;
use actix_web::http::header::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use parking_lot::Mutex;

use crate::oauth::authenticate::CallerAddress;

/// The address of the caller: of the socket, or what a trusted proxy says. A header alone is never
/// believed: of the chain it names, the last address that is no proxy of ours counts.
pub(crate) fn caller(request: &RequestHead, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr?.ip().to_canonical();
    Some(behind(peer, request.headers(), trusted))
}

/// Who is counted for a failure. Behind a peer that forwards for others, without being trusted to say
/// for whom, or without saying it, there may be many callers: they share its address.
pub(crate) fn counted(
    request: &HttpRequest,
    trusted: &[IpNet],
    untrusted_proxies: &UntrustedProxies,
) -> CallerAddress {
    let Some(peer) = request.peer_addr() else {
        return CallerAddress { address: Ipv4Addr::UNSPECIFIED.into(), is_shared: true };
    };
    let peer = peer.ip().to_canonical();
    let headers = request.headers();
    if trusted.iter().any(|network| network.contains(&peer)) {
        let address = behind(peer, headers, trusted);
        return CallerAddress { address: network(address), is_shared: address == peer };
    }
    let is_shared = FORWARDING.iter().any(|name| headers.contains_key(*name));
    if is_shared {
        untrusted_proxies.note(peer);
    }
    CallerAddress { address: network(peer), is_shared }
}

/// Headers by which proxies say for whom they ask: RFC 7239, and what was there before it.
const FORWARDING: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// Untrusted peers that send forwarding headers. The log warns once about each.
#[derive(Debug, Default)]
pub(crate) struct UntrustedProxies(Mutex<HashSet<IpAddr>>);

/// At most so many warnings: anyone can send the header.
const WARNINGS: usize = 16;

impl UntrustedProxies {
    /// Warns, unless that was done; whether it was done now.
    fn note(&self, peer: IpAddr) -> bool {
        let mut known = self.0.lock();
        if known.len() >= WARNINGS || !known.insert(network(peer)) {
            return false;
        }
        drop(known);
        tracing::warn!(
            address = %peer,
            "forwarding headers come from a peer that is not in trusted_proxies: its callers cannot \
             be told apart, so failed authentication is limited by client and this address alone; \
             if it is a proxy of yours, add it to trusted_proxies"
        );
        true
    }
}

fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_proxy(&peer) {
        return peer;
    }
    // Hop by hop: what a caller invented at the left must not spoil what a proxy wrote at the right.
    let lines: Vec<&[u8]> = headers.get_all("x-forwarded-for").map(HeaderValue::as_bytes).collect();
    let mut nearest = peer;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        let hop = std::str::from_utf8(hop.trim_ascii()).ok();
        let Some(address) = hop.and_then(|hop| hop.parse::<IpAddr>().ok()) else { break };
        nearest = address.to_canonical();
        if !is_proxy(&nearest) {
            break;
        }
    }
    nearest
}

/// The address that counts: a caller with one address of version 6 has the other 2^64 of its
/// network too.
#[must_use]
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        #[rustfmt::skip]
        let cases = [
            ("no proxy",           "192.0.2.1", &["198.51.100.1"][..],             "192.0.2.1"),
            ("proxy",              "10.0.0.1",  &["198.51.100.1"],                 "198.51.100.1"),
            ("invented by caller", "10.0.0.1",  &["203.0.113.9, 198.51.100.1"],    "198.51.100.1"),
            ("two proxies",        "10.0.0.1",  &["198.51.100.1, 10.0.0.2"],       "198.51.100.1"),
            ("two lines",          "10.0.0.1",  &["203.0.113.9", "198.51.100.1"],  "198.51.100.1"),
            ("no address in it",   "10.0.0.1",  &["198.51.100.1, unknown"],        "10.0.0.1"),
            ("no text beside it",  "10.0.0.1",  &["\u{ff}, 198.51.100.1"],        "198.51.100.1"),
            ("no header",          "10.0.0.1",  &[],                               "10.0.0.1"),
        ];
        for (why, peer, forwarded, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                let name = HeaderName::from_static("x-forwarded-for");
                headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let address = behind(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(address.to_string(), expected, "{why}");
        }
    }

    #[test]
    fn whom_a_failure_is_counted_for() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let xff = "x-forwarded-for";
        #[rustfmt::skip]
        let cases = [
            ("direct",                    "192.0.2.1:1",       None,                          "192.0.2.1",    false),
            ("direct, version 6",         "[2001:db8::7]:1",   None,                          "2001:db8::",   false),
            ("direct, version 4 in 6",    "[::ffff:192.0.2.1]:1", None,                       "192.0.2.1",    false),
            ("of a trusted proxy",        "10.0.0.1:1",        Some((xff, "198.51.100.1")),   "198.51.100.1", false),
            ("the same, version 6",       "10.0.0.1:1",        Some((xff, "2001:db8::7")),    "2001:db8::",   false),
            ("it says nothing",           "10.0.0.1:1",        None,                          "10.0.0.1",     true),
            ("it says it otherwise",      "10.0.0.1:1",        Some(("x-real-ip", "1.2.3.4")), "10.0.0.1",    true),
            ("a header alone",            "192.0.2.1:1",       Some((xff, "198.51.100.1")),   "192.0.2.1",    true),
            ("another header alone",      "192.0.2.1:1",       Some(("forwarded", "for=1.2.3.4")), "192.0.2.1", true),
            ("the third",                 "192.0.2.1:1",       Some(("x-real-ip", "1.2.3.4")), "192.0.2.1",   true),
        ];
        for (why, peer, header, address, is_shared) in cases {
            let request = actix_web::test::TestRequest::default().peer_addr(peer.parse().unwrap());
            let request =
                header.into_iter().fold(request, actix_web::test::TestRequest::insert_header);
            let untrusted_proxies = UntrustedProxies::default();
            let caller = counted(&request.to_http_request(), &trusted, &untrusted_proxies);
            let expected = CallerAddress { address: address.parse().unwrap(), is_shared };
            assert_eq!(caller, expected, "{why}");
            let warned = !untrusted_proxies.0.lock().is_empty();
            assert_eq!(warned, why.starts_with(['a', 't']) && peer.starts_with("192"), "{why}");
        }
    }

    #[test]
    fn each_stranger_is_warned_of_once_and_few_are() {
        let untrusted_proxies = UntrustedProxies::default();
        assert!(untrusted_proxies.note("192.0.2.1".parse().unwrap()));
        assert!(!untrusted_proxies.note("192.0.2.1".parse().unwrap()));
        let many = (0..=255).map(|n| IpAddr::V4(Ipv4Addr::new(198, 51, 100, n)));
        assert_eq!(many.filter(|peer| untrusted_proxies.note(*peer)).count(), WARNINGS - 1);
    }
}
